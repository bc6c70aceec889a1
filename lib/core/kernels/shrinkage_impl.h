/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Soft thresholds, with and without selection of the largest entries; see kernels.h for
// the maths.

#include "kernels/registers.h"

namespace {

void soft_threshold_step(const float* h,
                         const float* before,
                         float momentum,
                         const float* g,
                         float step,
                         float threshold,
                         float* out,
                         size_t n)
{
    const vec upper = threshold - vec{}, lower = -threshold - vec{};
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const vec now = load(h + i);
        const vec u = now + momentum * (now - load(before + i)) - step * load(g + i);
        vec clipped = u > upper ? upper : u;
        clipped = clipped < lower ? lower : clipped;
        store(out + i, u - clipped);
    }
    for (; i < n; i++) {
        const float u = h[i] + momentum * (h[i] - before[i]) - step * g[i];
        const float clipped =
            u > threshold ? threshold : (u < -threshold ? -threshold : u);
        out[i] = u - clipped;
    }
}

// Entries of a row whose magnitude, as an integer, is at least `least`.
inline size_t count_above(const float* x, size_t n, int least)
{
    const size_t whole = n - n % lanes;
    size_t sum = 0;
#if defined(__AVX512F__)
    const __m512i limit = _mm512_set1_epi32(least);
    for (size_t i = 0; i < whole; i += lanes)
        sum += __builtin_popcount(
            _mm512_cmpge_epi32_mask((__m512i)(load_bits(x + i) & magnitude), limit));
#elif defined(__AVX2__)
    for (size_t i = 0; i < whole; i += lanes)
        sum += __builtin_popcount(
            _mm256_movemask_ps((__m256)((load_bits(x + i) & magnitude) >= least)));
#else
    int_vec count = {};
    for (size_t i = 0; i < whole; i += lanes)
        count -= (load_bits(x + i) & magnitude) >= least;
    for (size_t i = 0; i < lanes; i++)
        sum += count[i];
#endif
    for (size_t i = whole; i < n; i++)
        sum += scalar_magnitude(x[i]) >= least;
    return sum;
}

inline int largest_magnitude(const float* x, size_t n)
{
    const size_t whole = n - n % lanes;
    int_vec most = {};
    for (size_t i = 0; i < whole; i += lanes) {
        const int_vec bits = load_bits(x + i) & magnitude;
        most = bits > most ? bits : most;
    }
    int result = 0;
    for (size_t i = 0; i < lanes; i++)
        result = most[i] > result ? most[i] : result;
    for (size_t i = whole; i < n; i++) {
        const int bits = scalar_magnitude(x[i]);
        result = bits > result ? bits : result;
    }
    return result;
}

// Zeros all but the `keep` entries of largest magnitude, the first ones where equal.
inline void keep_largest(float* x, size_t n, size_t keep)
{
    if (keep >= n)
        return;
    // Magnitudes are ordered as their bit patterns are. `keep` entries or more reach
    // `least`, and fewer reach `above`.
    int least = 1, above = largest_magnitude(x, n);
    size_t reach = count_above(x, n, least), beyond = 0;
    if (reach <= keep)
        return;
    const bool all_ones = above == magnitude; // a NaN, beyond which is nothing
    if (all_ones)
        beyond = count_above(x, n, magnitude);
    else
        above++;
    if (beyond >= keep) {
        least = magnitude;
        reach = beyond;
        above = least;
    }
    for (int step = 0; reach > keep && above - least > 1; step++) {
        int next = least + (above - least) / 2;
        // First on the line between both, or from a sixteenth of the largest on.
        if (step == 0 && above - least > 4 << 23)
            next = above - (4 << 23);
        else if (step < 8)
            next = least + int(float(above - least) * (float(reach - keep) + 0.5f) /
                               (float(reach - beyond) + 0.5f));
        next = next <= least ? least + 1 : next >= above ? above - 1 : next;
        const size_t count = count_above(x, n, next);
        if (count >= keep) {
            least = next;
            reach = count;
        } else {
            above = next;
            beyond = count;
        }
    }
    const size_t whole = n - n % lanes;
    if (reach == keep) {
        for (size_t i = 0; i < whole; i += lanes) {
            const int_vec bits = load_bits(x + i);
            const int_vec kept = bits & ((bits & magnitude) >= least);
            store(x + i, (vec)kept);
        }
        for (size_t i = whole; i < n; i++)
            if (scalar_magnitude(x[i]) < least)
                x[i] = 0;
        return;
    }
    // Some entries are equal to the least one that is kept.
    size_t equal = keep - (least < magnitude ? count_above(x, n, least + 1) : 0);
    for (size_t i = 0; i < n; i++) {
        const int bits = scalar_magnitude(x[i]);
        if (bits < least || (bits == least && equal == 0))
            x[i] = 0;
        else if (bits == least)
            equal--;
    }
}

void soft_threshold_top(
    float* x, size_t stride, size_t rows, size_t cols, float threshold, size_t keep)
{
    const size_t whole = cols - cols % lanes;
    const vec upper = threshold - vec{};
    for (size_t r = 0; r < rows; r++, x += stride) {
        for (size_t i = 0; i < whole; i += lanes) {
            const vec u = load(x + i);
            const vec clipped = u > upper ? upper : (u < -upper ? -upper : u);
            store(x + i, u - clipped);
        }
        for (size_t i = whole; i < cols; i++) {
            const float u = x[i];
            x[i] = u - (u > threshold ? threshold : (u < -threshold ? -threshold : u));
        }
        if (keep)
            keep_largest(x, cols, keep);
    }
}

void soft_threshold_each(
    const float* u, const float* p, float scale, float* out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float product = scale * p[i];
        const float threshold = product > 0 ? product : 0;
        const float clipped =
            u[i] > threshold ? threshold : (u[i] < -threshold ? -threshold : u[i]);
        out[i] = u[i] - clipped;
    }
}

} // namespace
