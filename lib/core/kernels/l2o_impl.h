/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The kernels of the learned decoders: dense matrix products, soft threshold with
// selection, LSTM. Included by kernels_impl.h; its rules hold here too.

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using gr::csifeedback::l2o_block;
using gr::csifeedback::l2o_elements;
using gr::csifeedback::lstm_weights;

////////////////////////////////////////////////////////////////////////
// Matrix products
////////////////////////////////////////////////////////////////////////

// Registers of columns and rows of a block of the result: together with what is
// multiplied they fill the registers.
#if CSIFEEDBACK_LANES == 16
constexpr size_t most_registers = 4, most_rows = 6;
#else
constexpr size_t most_registers = 2, most_rows = 6;
#endif
// Rows of b that are multiplied at a time, so that a block of it stays in the cache.
constexpr size_t depth_block = 64;

// Rows [0, rows) and columns [0, registers * lanes) of c = start + a b.
template <size_t rows, size_t registers>
inline void gemm_block(const float* a,
                       size_t a_stride,
                       const float* b,
                       size_t b_stride,
                       const float* start,
                       size_t start_stride,
                       float* c,
                       size_t c_stride,
                       size_t depth,
                       bool relu)
{
    vec sum[rows][registers];
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < registers; k++)
            sum[r][k] = start ? load(start + r * start_stride + k * lanes) : vec{};
    for (size_t d = 0; d < depth; d++) {
        vec v[registers];
        for (size_t k = 0; k < registers; k++)
            v[k] = load_once(b + d * b_stride + k * lanes);
        for (size_t r = 0; r < rows; r++) {
            const float f = a[r * a_stride + d];
            for (size_t k = 0; k < registers; k++)
                sum[r][k] += v[k] * f;
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < registers; k++) {
            vec result = sum[r][k];
            if (relu)
                result = result < 0.0f ? vec{} : result;
            store(c + r * c_stride + k * lanes, result);
        }
}

template <size_t registers>
inline void gemm_rows(const float* a,
                      size_t a_stride,
                      const float* b,
                      size_t b_stride,
                      const float* start,
                      size_t start_stride,
                      float* c,
                      size_t c_stride,
                      size_t rows,
                      size_t depth,
                      bool relu)
{
    while (rows > 0) {
        // Four and four rather than six and two.
        const size_t n = rows >= most_rows + 4 || rows == most_rows ? most_rows
                         : rows < 4                                 ? rows
                                                                    : 4;
        switch (n) {
        case 6:
            gemm_block<6, registers>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 4:
            gemm_block<4, registers>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 3:
            gemm_block<3, registers>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 2:
            gemm_block<2, registers>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        default:
            gemm_block<1, registers>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
        }
        a += n * a_stride;
        c += n * c_stride;
        if (start)
            start += n * start_stride;
        rows -= n;
    }
}

void gemm(const float* a,
          size_t a_stride,
          const float* b,
          size_t b_stride,
          const float* start,
          size_t start_stride,
          float* c,
          size_t c_stride,
          size_t rows,
          size_t depth,
          size_t cols,
          bool relu)
{
    for (size_t at = 0; at < cols;) {
        const bool wide = cols - at >= most_registers * lanes;
        const auto some_rows = wide ? gemm_rows<most_registers> : gemm_rows<1>;
        const float* from = start ? start + at : nullptr;
        size_t from_stride = start_stride, d = 0;
        do {
            const size_t n = depth - d < depth_block ? depth - d : depth_block;
            const bool last = d + n == depth;
            some_rows(a + d,
                      a_stride,
                      b + d * b_stride + at,
                      b_stride,
                      from,
                      from_stride,
                      c + at,
                      c_stride,
                      rows,
                      n,
                      relu && last);
            from = c + at;
            from_stride = c_stride;
            d += n;
        } while (d < depth);
        at += wide ? most_registers * lanes : lanes;
    }
}

// c[i][0..3] += sum over k of a[i][k] b[j][k] for some rows i and four rows j. Of b, rows
// from `have` on are not there.
template <size_t rows>
inline void dot_block(const float* a,
                      size_t a_stride,
                      const float* b,
                      size_t b_stride,
                      float* c,
                      size_t c_stride,
                      size_t have,
                      size_t depth)
{
    const float* b0 = b;
    const float* b1 = have > 1 ? b0 + b_stride : b0;
    const float* b2 = have > 2 ? b1 + b_stride : b1;
    const float* b3 = have > 3 ? b2 + b_stride : b2;
    vec sum[rows][4];
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < 4; j++)
            sum[r][j] = vec{};
    for (size_t d = 0; d < depth; d += lanes) {
        const vec v0 = load_once(b0 + d), v1 = load_once(b1 + d), v2 = load_once(b2 + d),
                  v3 = load_once(b3 + d);
        for (size_t r = 0; r < rows; r++) {
            const vec x = load_once(a + r * a_stride + d);
            sum[r][0] += v0 * x;
            sum[r][1] += v1 * x;
            sum[r][2] += v2 * x;
            sum[r][3] += v3 * x;
        }
    }
    for (size_t r = 0; r < rows; r++) {
        float result[4];
        sums(sum[r][0], sum[r][1], sum[r][2], sum[r][3], result);
        for (size_t j = 0; j < have; j++)
            c[r * c_stride + j] += result[j];
    }
}

void add_dot_products(const float* a,
                      size_t a_stride,
                      const float* b,
                      size_t b_stride,
                      float* c,
                      size_t c_stride,
                      size_t a_rows,
                      size_t b_rows,
                      size_t depth)
{
    constexpr size_t most = CSIFEEDBACK_LANES == 16 ? 4 : 2;
    for (size_t i = 0; i < a_rows;) {
        const size_t n = a_rows - i >= most ? most : a_rows - i >= 2 ? 2 : 1;
        for (size_t j = 0; j < b_rows; j += 4) {
            const float* from = b + j * b_stride;
            float* to = c + i * c_stride + j;
            const size_t have = b_rows - j < 4 ? b_rows - j : 4;
            if (n == most)
                dot_block<most>(a + i * a_stride,
                                a_stride,
                                from,
                                b_stride,
                                to,
                                c_stride,
                                have,
                                depth);
            else if (n == 2)
                dot_block<2>(a + i * a_stride,
                             a_stride,
                             from,
                             b_stride,
                             to,
                             c_stride,
                             have,
                             depth);
            else
                dot_block<1>(a + i * a_stride,
                             a_stride,
                             from,
                             b_stride,
                             to,
                             c_stride,
                             have,
                             depth);
        }
        i += n;
    }
}

////////////////////////////////////////////////////////////////////////
// Soft threshold with selection
////////////////////////////////////////////////////////////////////////

constexpr int magnitude = 0x7fffffff;

inline int_vec load_bits(const float* p)
{
    const vec v = load(p);
    return (int_vec)v;
}

inline int scalar_magnitude(float x)
{
    int bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits & magnitude;
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

////////////////////////////////////////////////////////////////////////
// LSTM
////////////////////////////////////////////////////////////////////////

// max and min whose result is x where x is not a number.
inline vec at_least(vec x, float least)
{
    const vec y = least - vec{};
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)y, (__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)y, (__m256)x);
#else
    return x < y ? y : x;
#endif
}
inline vec at_most(vec x, float most)
{
    const vec y = most - vec{};
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)y, (__m512)x);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)y, (__m256)x);
#else
    return x > y ? y : x;
#endif
}

// 2^x for x up to 60, beyond which it stays at that value, so that products of two
// results are finite; values below 2^-60 may be zero. A NaN stays a NaN. Relative error
// below 3e-7.
template <size_t n>
inline void bounded_exp2(vec (&x)[n])
{
    constexpr float bound = 60;
    vec f[n], y[n];
    for (size_t k = 0; k < n; k++)
        x[k] = at_most(x[k], bound);
#if defined(__AVX512F__)
    // The part behind the point, rounded down; 0 for infinities.
    for (size_t k = 0; k < n; k++)
        f[k] = (vec)_mm512_reduce_ps((__m512)x[k], _MM_FROUND_TO_NEG_INF);
    constexpr float p[] = { 0.0018775767f, 0.0089893406f, 0.055826318f,
                            0.24015361f,   0.69315308f,   0.99999994f };
#else
    // Adding 1.5 * 2^23 rounds to a whole number, in the low bits.
    const vec magic = 12582912.0f - vec{};
    for (size_t k = 0; k < n; k++) {
        const vec t = at_least(x[k], -bound);
        x[k] = t + magic;
        f[k] = t - (x[k] - magic);
    }
    constexpr float p[] = { 0.0013276472f, 0.0096755419f, 0.05550713f,
                            0.2402212f,    0.69314694f,   1.0000001f };
#endif
    for (size_t k = 0; k < n; k++)
        y[k] = f[k] * p[0] + p[1];
    for (size_t i = 2; i < 6; i++)
        for (size_t k = 0; k < n; k++)
            y[k] = y[k] * f[k] + p[i];
#if defined(__AVX512F__)
    // Takes the whole part, rounded down, by itself.
    for (size_t k = 0; k < n; k++)
        x[k] = (vec)_mm512_scalef_ps((__m512)y[k], (__m512)x[k]);
#else
    for (size_t k = 0; k < n; k++)
        x[k] = y[k] * (vec)(((int_vec)x[k] << 23) + 0x3f800000);
#endif
}

// 1 / x for x of 1 to 1e37, relative error below 3e-7.
template <size_t n>
inline void reciprocal(vec (&x)[n])
{
#if defined(__AVX512F__) || defined(__AVX2__)
    vec y[n];
    for (size_t k = 0; k < n; k++)
#if defined(__AVX512F__)
        y[k] = (vec)_mm512_rcp14_ps((__m512)x[k]);
#else
        y[k] = (vec)_mm256_rcp_ps((__m256)x[k]);
#endif
    for (size_t k = 0; k < n; k++)
        x[k] = y[k] * (2.0f - x[k] * y[k]);
#else
    for (size_t k = 0; k < n; k++)
        x[k] = 1.0f / x[k];
#endif
}

constexpr float log2_e = 1.44269504f;

inline vec sigmoid(vec x)
{
    vec e[] = { x * -log2_e };
    bounded_exp2(e);
    e[0] += 1.0f;
    reciprocal(e);
    return e[0];
}
inline vec hyperbolic_tangent(vec x)
{
    vec e[] = { x * (-2 * log2_e) };
    bounded_exp2(e);
    vec r[] = { 1.0f + e[0] };
    reciprocal(r);
    return (1.0f - e[0]) * r[0];
}

// Registers of elements whose four gates are computed at a time.
constexpr size_t lstm_registers = CSIFEEDBACK_LANES == 16 ? 4 : 2;

void lstm(const lstm_weights& l,
          const float* x,
          float* RESTRICT h,
          float* RESTRICT c,
          float* RESTRICT scratch,
          bool first)
{
    constexpr size_t strip = lstm_registers * lanes;
    const size_t unit = 4 * (1 + l.inputs + l.hidden);
    for (size_t at = 0; at < l2o_block; at += strip) {
        for (size_t j = 0; j < l.hidden; j++) {
            const float* w = l.weights + j * unit;
            vec gate[4][lstm_registers];
            for (size_t g = 0; g < 4; g++)
                for (size_t k = 0; k < lstm_registers; k++)
                    gate[g][k] = w[g] - vec{};
            const auto add = [&](const float* feature, size_t count) {
                for (size_t i = 0; i < count; i++) {
                    w += 4;
                    vec v[lstm_registers];
                    for (size_t k = 0; k < lstm_registers; k++)
                        v[k] = load_once(feature + i * l2o_block + at + k * lanes);
                    for (size_t g = 0; g < 4; g++) {
                        const float f = w[g];
                        for (size_t k = 0; k < lstm_registers; k++)
                            gate[g][k] += v[k] * f;
                    }
                }
            };
            add(x, l.inputs);
            if (!first)
                add(h, l.hidden);
            // Step by step for all registers, so that there is always one to go on with.
            vec cell[lstm_registers], e[lstm_registers];
            for (size_t g = 0; g < 4; g++)
                bounded_exp2(gate[g]);
            // sigmoid(i) tanh(g) with one reciprocal
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[0][k]) * (1.0f + gate[2][k]);
            reciprocal(e);
            for (size_t k = 0; k < lstm_registers; k++)
                cell[k] = (1.0f - gate[2][k]) * e[k];
            const size_t to = j * l2o_block + at;
            if (!first) {
                for (size_t k = 0; k < lstm_registers; k++)
                    e[k] = 1.0f + gate[1][k];
                reciprocal(e);
                for (size_t k = 0; k < lstm_registers; k++)
                    cell[k] += load(c + to + k * lanes) * e[k];
            }
            for (size_t k = 0; k < lstm_registers; k++) {
                store(c + to + k * lanes, cell[k]);
                cell[k] *= -2 * log2_e;
            }
            bounded_exp2(cell);
            for (size_t k = 0; k < lstm_registers; k++)
                e[k] = (1.0f + gate[3][k]) * (1.0f + cell[k]);
            reciprocal(e);
            for (size_t k = 0; k < lstm_registers; k++)
                store(scratch + to + k * lanes, (1.0f - cell[k]) * e[k]);
        }
    }
    __builtin_memcpy(h, scratch, l.hidden * l2o_block * sizeof(float));
}

////////////////////////////////////////////////////////////////////////
// Elements
////////////////////////////////////////////////////////////////////////

// The activations of a model file's `activation`.
inline vec activate(int kind, vec x)
{
    switch (kind) {
    case 1:
        return sigmoid(x);
    case 2:
        return 2.0f * sigmoid(x);
    case 3:
        return hyperbolic_tangent(x);
    default:
        return x;
    }
}

void l2o_update(const l2o_elements& e)
{
    for (size_t i = 0; i < l2o_block; i += lanes) {
        float* head = e.heads + i;
        const vec p = activate(e.activation[0], e.p + load(head)),
                  a = activate(e.activation[1], e.a + load(head + l2o_block)),
                  b = activate(e.activation[2], e.b + load(head + 2 * l2o_block));
        const vec x = load(e.x + i), y = load(e.y + i);
        const vec x_hat = x - p * load(e.gx + i), y_hat = y - p * load(e.gy + i);
        store(e.u + i, x_hat + b * (y_hat - x_hat) - load(head + 3 * l2o_block));
        store(head, p);
        store(head + l2o_block, a);
    }
}

// A quarter turn back of complex rows: [re, im] becomes [im, -re].
void quarter_turn(const float* x, size_t half, size_t stride, size_t rows, float* out)
{
    for (size_t r = 0; r < rows; r++, x += stride, out += stride)
        for (size_t i = 0; i < half; i++) {
            out[i] = x[half + i];
            out[half + i] = -x[i];
        }
}

void add_complex_parts(const float* y,
                       const float* p,
                       const float* q,
                       float scale,
                       size_t half,
                       size_t stride,
                       size_t rows,
                       float* out)
{
    for (size_t at = 0; at < rows * stride; at += stride) {
        const float *re = p + at, *im = q + at;
        float* to = out + at;
        if (y) {
            const float* from = y + at;
#pragma GCC ivdep
            for (size_t i = 0; i < half; i++) {
                to[i] = from[i] + scale * (re[i] - im[half + i]);
                to[half + i] = from[half + i] + scale * (re[half + i] + im[i]);
            }
        } else {
#pragma GCC ivdep
            for (size_t i = 0; i < half; i++) {
                to[i] = scale * (re[i] - im[half + i]);
                to[half + i] = scale * (re[half + i] + im[i]);
            }
        }
    }
}

void l2o_momentum(const float* u,
                  const float* v,
                  float gamma,
                  float a,
                  float* RESTRICT x,
                  float* RESTRICT y,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float next = u[i] + gamma * (v[i] - u[i]);
        y[i] = next + a * (next - x[i]);
        x[i] = next;
    }
}

void l2o_momentum_by_element(const float* u,
                             const float* v,
                             float gamma,
                             const float* heads,
                             float* RESTRICT x,
                             float* RESTRICT y)
{
    for (size_t i = 0; i < l2o_block; i++) {
        const float next = u[i] + gamma * (v[i] - u[i]);
        y[i] = next + heads[l2o_block + i] * (next - x[i]) + heads[4 * l2o_block + i];
        x[i] = next;
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
