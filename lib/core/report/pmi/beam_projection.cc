/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "report/pmi/beam_projection.h"
#include <algorithm>
#include <array>
#include <functional>

namespace gr {
namespace csifeedback {

using cf = std::complex<float>;

beam_projection::beam_projection(const pmi_array& array, int subbands, int beams)
    : d_array(array), d_subbands(subbands), d_beams(beams), d_grid(array), d_power(d_grid)
{
}

std::string beam_projection::check(const pmi& p) const
{
    const auto in_range = [](const char* name, int64_t value, int64_t most) {
        return value >= 0 && value <= most
                   ? std::string()
                   : std::string(name) + " is " + std::to_string(value) +
                         ", allowed is 0 to " + std::to_string(most);
    };
    std::string bad = in_range("q1", p.q1, d_array.o1() - 1);
    if (bad.empty())
        bad = in_range("q2", p.q2, d_array.o2() - 1);
    return bad.empty() ? in_range("i12", p.i12, sets() - 1) : bad;
}

void beam_projection::vectors(const pmi& p, cf* v) const
{
    // Of at most 16 beams.
    int set[max_elements];
    index_to_set(p.i12, d_grid.size(), d_beams, set);
    for (int i = 0; i < d_beams; i++)
        d_grid.beam(d_array.o1() * (set[i] % d_array.n1) + p.q1,
                    d_array.o2() * (set[i] / d_array.n1) + p.q2,
                    v + i * d_grid.size());
}

void beam_projection::compute(const cf* h, int rows, int nr, int rank, pmi& p)
{
    const int n = d_grid.size(), ports = 2 * n;
    if (!d_vectors || d_vectors->rank() != rank)
        d_vectors = subband_eigenvectors::make(d_subbands, ports, rank);
    d_v.resize(size_t(d_subbands) * ports * rank);
    d_a.resize(size_t(rank) * d_subbands * 2 * d_beams);
    d_vectors->compute(h, rows, nr, d_v.data());
    select(rank, p);
    cf v[max_beams * max_elements];
    vectors(p, v);
    for (int l = 0; l < rank; l++)
        for (int t = 0; t < d_subbands; t++) {
            cf* a = d_a.data() + (size_t(l) * d_subbands + t) * 2 * d_beams;
            for (int polarization = 0; polarization < 2; polarization++) {
                const cf* x = &d_v[(size_t(t) * ports + polarization * n) * rank + l];
                for (int i = 0; i < d_beams; i++) {
                    cf sum = 0;
                    for (int k = 0; k < n; k++)
                        sum += std::conj(v[i * n + k]) * x[k * rank];
                    *a++ = sum / float(n);
                }
            }
        }
}

void beam_projection::select(int rank, pmi& p)
{
    const int n = d_grid.size(), ports = 2 * n, columns2 = d_grid.columns2();
    d_power.clear();
    std::array<cf, 2 * max_elements> x;
    for (int t = 0; t < d_subbands; t++)
        for (int l = 0; l < rank; l++) {
            for (int k = 0; k < ports; k++)
                x[k] = d_v[(size_t(t) * ports + k) * rank + l];
            d_power.add(x.data(), 1, false);
        }
    d_power.compute(false);
    float best = -1;
    for (int q1 = 0; q1 < d_array.o1(); q1++)
        for (int q2 = 0; q2 < d_array.o2(); q2++) {
            std::array<std::pair<float, int>, max_elements> powers;
            for (int k = 0; k < n; k++)
                powers[k] = {
                    d_power.power()[(d_array.o1() * (k % d_array.n1) + q1) * columns2 +
                                    d_array.o2() * (k / d_array.n1) + q2],
                    k
                };
            std::partial_sort(powers.begin(),
                              powers.begin() + d_beams,
                              powers.begin() + n,
                              std::greater<>());
            float sum = 0;
            std::array<int, max_elements + 2> set;
            for (int i = 0; i < d_beams; i++) {
                sum += powers[i].first;
                set[i] = powers[i].second;
            }
            if (sum <= best)
                continue;
            best = sum;
            std::sort(set.begin(), set.begin() + d_beams);
            p.q1 = q1;
            p.q2 = q2;
            p.i12 = set_to_index(set.data(), n, d_beams);
        }
}

} // namespace csifeedback
} // namespace gr
