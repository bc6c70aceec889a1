/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "report/paths/lattice.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Largest integer whose square is at most n; -1 for negative n.
int root(int64_t n)
{
    if (n < 0)
        return -1;
    int64_t r = std::sqrt(double(n));
    while (r * r > n)
        r--;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

uint32_t energy(int a, int b) { return uint32_t(a * a) + uint32_t(b * b); }

} // namespace

const lattice& lattice::instance()
{
    static const lattice* const only = new lattice;
    return *only;
}

int lattice::class_of(int a, int b) { return 31 - __builtin_clz(energy(a, b)); }

int lattice::resolution(int a, int b)
{
    // round(log2(1.5 |q|)): 2.25 |q|^2 below 2^(2 l + 1).
    const uint64_t e = 9 * uint64_t(energy(a, b));
    int l = 0;
    while (e >= uint64_t(4) << (2 * l + 1))
        l++;
    return l;
}

lattice::lattice() : d_ring(max_class + 1)
{
    for (int c = 0; c <= max_class; c++) {
        ring& r = d_ring[c];
        const int64_t low = int64_t(1) << c, high = 2 * low - 1;
        r.most = root(high);
        r.begin.push_back(0);
        for (int a = -r.most; a <= r.most; a++) {
            const int largest = root(high - int64_t(a) * a),
                      least = root(low - 1 - int64_t(a) * a) + 1;
            r.least.push_back(least);
            r.largest.push_back(largest);
            const int count = largest < least ? 0
                              : least         ? 2 * (largest - least + 1)
                                              : 2 * largest + 1;
            r.begin.push_back(r.begin.back() + count);
        }
    }
}

uint32_t lattice::index(int c, int a, int b) const
{
    const ring& r = d_ring[c];
    const int at = a + r.most, largest = r.largest[at], least = r.least[at];
    // Negative b first; between them and the positive ones none is of this class.
    const int gap = least ? 2 * least - 1 : 0;
    return r.begin[at] + (b + largest) - (b > 0 ? gap : 0);
}

void lattice::value(int c, uint32_t index, int& a, int& b) const
{
    const ring& r = d_ring[c];
    const size_t at =
        std::upper_bound(r.begin.begin(), r.begin.end(), index) - r.begin.begin() - 1;
    a = int(at) - r.most;
    b = int(index - r.begin[at]) - r.largest[at];
    const int least = r.least[at];
    if (least && b > -least)
        b += 2 * least - 1;
}

} // namespace csifeedback
} // namespace gr
