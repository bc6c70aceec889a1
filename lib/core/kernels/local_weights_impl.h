/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The kernels of the local weights of MLCF: distances, the k smallest of them, and small
// systems of equations, one to a lane; see kernels.h for the maths.

#include "kernels/registers.h"

namespace {

using gr::csifeedback::weights_block;

// Registers of a block of columns.
constexpr size_t block_registers = weights_block / lanes;

// Rows [0, rows) of out += squared differences over some of the depth.
template <size_t rows>
inline void distance_rows(
    const float* a, size_t a_stride, const float* x, size_t depth, bool first, float* out)
{
    vec sum[rows][block_registers];
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < block_registers; k++)
            sum[r][k] = vec{};
    for (size_t d = 0; d < depth; d++) {
        vec v[block_registers];
        for (size_t k = 0; k < block_registers; k++)
            v[k] = load_once(x + d * weights_block + k * lanes);
        for (size_t r = 0; r < rows; r++) {
            const float f = a[r * a_stride + d];
            for (size_t k = 0; k < block_registers; k++) {
                const vec difference = v[k] - f;
                sum[r][k] += difference * difference;
            }
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < block_registers; k++) {
            float* to = out + r * weights_block + k * lanes;
            store(to, first ? sum[r][k] : load(to) + sum[r][k]);
        }
}

void squared_distances(const float* a,
                       size_t a_stride,
                       size_t rows,
                       const float* x,
                       size_t depth,
                       float* out)
{
    // Registers enough for the sums, the block's own and what is between. Sums of few
    // terms round less.
    constexpr size_t most = (lanes == 16 ? 12 : 8) / block_registers;
    constexpr size_t terms = 32;
    for (size_t r = 0; r < rows; r += most)
        for (size_t d = 0; d < depth; d += terms) {
            const size_t n = depth - d < terms ? depth - d : terms;
            const float *from = a + r * a_stride + d, *samples = x + d * weights_block;
            float* to = out + r * weights_block;
            if (rows - r >= most)
                distance_rows<most>(from, a_stride, samples, n, d == 0, to);
            else
                for (size_t i = 0; i < rows - r; i++)
                    distance_rows<1>(from + i * a_stride,
                                     a_stride,
                                     samples,
                                     n,
                                     d == 0,
                                     to + i * weights_block);
        }
}

// Bit l: lane l of a is at most that of b.
inline unsigned at_most(int_vec a, int_vec b)
{
#if CSIFEEDBACK_LANES == 16
    return _mm512_cmple_epi32_mask((__m512i)a, (__m512i)b);
#elif CSIFEEDBACK_LANES == 8
    return _mm256_movemask_ps((__m256)(a <= b));
#else
    const int_vec bit = (a <= b) & int_vec{ 1, 2, 4, 8 };
    return bit[0] | bit[1] | bit[2] | bit[3];
#endif
}

// Values that are at most the lane's limit.
inline int_vec count_at_most(const float* values, size_t rows, int_vec limit)
{
    int_vec a = {}, b = {};
    size_t r = 0;
    for (; r + 2 <= rows; r += 2) {
        a -= load_bits(values + r * weights_block) <= limit;
        b -= load_bits(values + (r + 1) * weights_block) <= limit;
    }
    if (r < rows)
        a -= load_bits(values + r * weights_block) <= limit;
    return a + b;
}

void select_smallest(const float* values,
                     size_t rows,
                     size_t k,
                     int32_t* index,
                     float* chosen,
                     float* scratch,
                     int32_t* order)
{
    for (size_t at = 0; at < weights_block; at += lanes) {
        const float* from = values + at;
        // Values of 0 or more are ordered as their bit patterns are. Fewer than k reach
        // down to `below`, and k or more to `limit`.
        int_vec below = load_bits(from), limit = below;
        for (size_t r = 1; r < rows; r++) {
            const int_vec v = load_bits(from + r * weights_block);
            below = v < below ? v : below;
            limit = v > limit ? v : limit;
        }
        below -= 1;
        const int_vec wanted = int(k) - int_vec{};
        for (int step = 0; step < 32; step++) {
            const int_vec middle = below + (limit - below) / 2;
            if (at_most(limit, below + 1) == (1u << lanes) - 1)
                break;
            const int_vec count = count_at_most(from, rows, middle);
            limit = count >= wanted ? middle : limit;
            below = count >= wanted ? below : middle;
            below = count == wanted ? limit - 1 : below;
        }
        const int_vec less = count_at_most(from, rows, limit - 1);
        size_t have[lanes] = {};
        size_t ties[lanes];
        for (size_t l = 0; l < lanes; l++)
            ties[l] = less[l] < int(k) ? k - less[l] : 0;
        for (size_t r = 0; r < rows; r++) {
            const int_vec v = load_bits(from + r * weights_block);
            unsigned mask = at_most(v, limit);
            while (mask) {
                const size_t l = __builtin_ctz(mask);
                mask &= mask - 1;
                if (v[l] == limit[l] && ties[l]-- == 0) {
                    ties[l] = 0;
                    continue;
                }
                if (have[l] == k)
                    continue;
                const size_t to = have[l]++ * weights_block + at + l;
                scratch[to] = from[r * weights_block + l];
                order[to] = r;
            }
        }
        // Only where there are NaN.
        for (size_t l = 0; l < lanes; l++)
            for (; have[l] < k; have[l]++) {
                scratch[have[l] * weights_block + at + l] = from[l];
                order[have[l] * weights_block + at + l] = 0;
            }
        // A value's place is the number of those before it.
        for (size_t i = 0; i < k; i++) {
            const int_vec v = load_bits(scratch + i * weights_block + at);
            int_vec place = {};
            for (size_t j = 0; j < i; j++)
                place -= load_bits(scratch + j * weights_block + at) <= v;
            for (size_t j = i + 1; j < k; j++)
                place -= load_bits(scratch + j * weights_block + at) < v;
            for (size_t l = 0; l < lanes; l++) {
                const size_t to = place[l] * weights_block + at + l;
                index[to] = order[i * weights_block + at + l];
                chosen[to] = scratch[i * weights_block + at + l];
            }
        }
    }
}

// sum[0] to sum[3]: (row_i - p)' u for four rows, or with `square` (row_i - p)'(row_i -
// p).
template <bool square>
inline void products_of_four(
    const float* const* row, const float* p, const float* u, size_t depth, float* sum)
{
    vec s0 = {}, s1 = {}, s2 = {}, s3 = {};
    for (size_t d = 0; d < depth; d += lanes) {
        const vec from = load_once(p + d);
        const vec v0 = load(row[0] + d) - from, v1 = load(row[1] + d) - from,
                  v2 = load(row[2] + d) - from, v3 = load(row[3] + d) - from;
        const vec factor = square ? vec{} : load_once(u + d);
        s0 += v0 * (square ? v0 : factor);
        s1 += v1 * (square ? v1 : factor);
        s2 += v2 * (square ? v2 : factor);
        s3 += v3 * (square ? v3 : factor);
    }
    sums(s0, s1, s2, s3, sum);
}

void difference_products(const float* a,
                         size_t a_stride,
                         const int32_t* index,
                         size_t count,
                         const float* p,
                         const float* u,
                         size_t depth,
                         float* out)
{
    for (size_t i = 0; i < count; i += 4) {
        const size_t have = count - i < 4 ? count - i : 4;
        const float* row[4];
        for (size_t j = 0; j < 4; j++)
            row[j] = a + index[(i + (j < have ? j : 0)) * weights_block] * a_stride;
        float sum[4];
        if (u)
            products_of_four<false>(row, p, u, depth, sum);
        else
            products_of_four<true>(row, p, u, depth, sum);
        for (size_t j = 0; j < have; j++)
            out[(i + j) * weights_block] = sum[j];
    }
}

// Rows and columns of a block of the Cholesky factor.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr size_t tile = 4;
#else
constexpr size_t tile = 3;
#endif

inline vec inverse_root(vec x)
{
    float result[lanes];
    store(result, x);
    for (size_t l = 0; l < lanes; l++)
        result[l] = 1.0f / __builtin_sqrtf(result[l]);
    return load(result);
}

// A row of the lower triangle: columns 0 to row.
inline float* triangle_row(float* m, size_t row)
{
    return m + row * (row + 1) / 2 * lanes;
}

// Rows [i, i + tile) and columns [j, j + tile) of the factor, of which all columns before
// j are done. On the diagonal are the inverses of the factor's entries; `smallest` is
// what is left of the matrix's, at least.
template <bool diagonal>
inline void factor_tile(float* m, size_t i, size_t j, float least, vec& smallest)
{
    const float *a[tile], *b[tile];
    vec sum[tile][tile], whole[tile];
    for (size_t r = 0; r < tile; r++) {
        a[r] = triangle_row(m, i + r);
        b[r] = triangle_row(m, j + r);
        for (size_t c = 0; c < (diagonal ? r + 1 : tile); c++)
            sum[r][c] = load(a[r] + (j + c) * lanes);
        if (diagonal)
            whole[r] = sum[r][r];
    }
    for (size_t p = 0; p < j * lanes; p += lanes) {
        vec v[tile];
        for (size_t c = 0; c < tile; c++)
            v[c] = load_once(b[c] + p);
        for (size_t r = 0; r < tile; r++) {
            const vec f = diagonal ? v[r] : load_once(a[r] + p);
            for (size_t c = 0; c < (diagonal ? r + 1 : tile); c++)
                sum[r][c] -= f * v[c];
        }
    }
    for (size_t r = 0; r < tile; r++)
        for (size_t c = 0; c < (diagonal ? r + 1 : tile); c++) {
            for (size_t p = 0; p < c; p++)
                sum[r][c] -=
                    sum[r][p] * (diagonal ? sum[c][p] : load(b[c] + (j + p) * lanes));
            if (diagonal && c == r) {
                const vec floor = least - vec{};
                const vec left = sum[r][c] / whole[r];
                smallest = left > smallest ? smallest : left;
                sum[r][c] = inverse_root(sum[r][c] > floor ? sum[r][c] : floor);
            } else {
                sum[r][c] *= diagonal ? sum[c][c] : load(b[c] + (j + c) * lanes);
            }
        }
    for (size_t r = 0; r < tile; r++)
        for (size_t c = 0; c < (diagonal ? r + 1 : tile); c++)
            store(triangle_row(m, i + r) + (j + c) * lanes, sum[r][c]);
}

void local_systems(const float* between,
                   size_t stride,
                   const int32_t* index,
                   size_t k,
                   const float* half,
                   const float* ridge,
                   float least,
                   const float* b,
                   float* w,
                   float* smallest,
                   float* scratch)
{
    // Rows added to fill the last tile are those of the unit matrix.
    const size_t n = k - 1, padded = (n + tile - 1) / tile * tile;
    float* const m = scratch;
    float* const z = triangle_row(m, padded);
    float* const first = z + padded * lanes; // distances from the first landmark
    for (size_t at = 0; at < weights_block; at += lanes) {
        const vec scale = load(half + at), first_ridge = load(ridge + at);
        for (size_t i = 0; i < n; i++) {
            float* row = triangle_row(m, i);
            const int32_t* of = index + (i + 1) * weights_block + at;
            for (size_t l = 0; l < lanes; l++) {
                const float* from = between + of[l] * stride;
                const int32_t* to = index + at + l;
                first[i * lanes + l] = from[*to];
                for (size_t j = 0; j < i; j++)
                    row[j * lanes + l] = from[to[(j + 1) * weights_block]];
            }
            const vec own = load(first + i * lanes);
            for (size_t j = 0; j < i; j++)
                store(row + j * lanes,
                      (own + load(first + j * lanes) - load(row + j * lanes)) * scale +
                          first_ridge);
            store(row + i * lanes,
                  2 * own * scale + first_ridge +
                      load(ridge + (i + 1) * weights_block + at));
            store(z + i * lanes,
                  load(b + (i + 1) * weights_block + at) * 2 * scale + first_ridge);
        }
        for (size_t i = n; i < padded; i++) {
            float* row = triangle_row(m, i);
            for (size_t j = 0; j < i; j++)
                store(row + j * lanes, vec{});
            store(row + i * lanes, vec{} + 1);
            store(z + i * lanes, vec{});
        }
        vec pivot = vec{} + 1;
        for (size_t i = 0; i < padded; i += tile) {
            for (size_t j = 0; j < i; j += tile)
                factor_tile<false>(m, i, j, least, pivot);
            factor_tile<true>(m, i, i, least, pivot);
        }
        store(smallest + at, pivot);
        for (size_t i = 0; i < n; i++) {
            const float* row = triangle_row(m, i);
            vec s0 = load(z + i * lanes), s1 = {}, s2 = {}, s3 = {};
            size_t j = 0;
            for (; j + 4 <= i; j += 4) {
                s0 -= load(row + j * lanes) * load(z + j * lanes);
                s1 -= load(row + (j + 1) * lanes) * load(z + (j + 1) * lanes);
                s2 -= load(row + (j + 2) * lanes) * load(z + (j + 2) * lanes);
                s3 -= load(row + (j + 3) * lanes) * load(z + (j + 3) * lanes);
            }
            for (; j < i; j++)
                s0 -= load(row + j * lanes) * load(z + j * lanes);
            store(z + i * lanes, ((s0 + s1) + (s2 + s3)) * load(row + i * lanes));
        }
        vec rest = vec{} + 1;
        for (size_t i = n; i-- > 0;) {
            const float* row = triangle_row(m, i);
            const vec result = load(z + i * lanes) * load(row + i * lanes);
            for (size_t j = 0; j < i; j++)
                store(z + j * lanes,
                      load(z + j * lanes) - load(row + j * lanes) * result);
            store(w + (i + 1) * weights_block + at, result);
            rest -= result;
        }
        store(w + at, rest);
    }
}

} // namespace
