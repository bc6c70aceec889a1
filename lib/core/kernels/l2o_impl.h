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
        const float* from = start ? start + at : nullptr;
        size_t from_stride = start_stride, d = 0;
        do {
            const size_t n = depth - d < depth_block ? depth - d : depth_block;
            const bool last = d + n == depth;
            if (wide)
                gemm_rows<most_registers>(a + d,
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
            else
                gemm_rows<1>(a + d,
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

// Entries of a row whose magnitude, as an integer, is at least `least`.
inline size_t count_above(const float* x, size_t n, int least)
{
    const size_t whole = n - n % lanes;
    int_vec count = {};
    for (size_t i = 0; i < whole; i += lanes)
        count -= (load_bits(x + i) & magnitude) >= least;
    size_t sum = 0;
    for (size_t i = 0; i < lanes; i++)
        sum += count[i];
    for (size_t i = whole; i < n; i++) {
        int bits;
        __builtin_memcpy(&bits, x + i, 4);
        sum += (bits & magnitude) >= least;
    }
    return sum;
}

// Zeros all but the `keep` entries of largest magnitude, the first ones where equal.
inline void keep_largest(float* x, size_t n, size_t keep)
{
    if (keep >= n || count_above(x, n, 1) <= keep)
        return;
    // The largest integer that `keep` entries reach, bit by bit: magnitudes are ordered
    // as their bit patterns are.
    int least = 0;
    size_t reach = n;
    for (int bit = 30; bit >= 0 && reach > keep; bit--) {
        const int candidate = least | 1 << bit;
        const size_t count = count_above(x, n, candidate);
        if (count >= keep) {
            least = candidate;
            reach = count;
        }
    }
    const size_t whole = n - n % lanes;
    if (reach == keep) {
        for (size_t i = 0; i < whole; i += lanes) {
            const int_vec bits = load_bits(x + i);
            const int_vec kept = bits & ((bits & magnitude) >= least);
            store(x + i, (vec)kept);
        }
        for (size_t i = whole; i < n; i++) {
            int bits;
            __builtin_memcpy(&bits, x + i, 4);
            if ((bits & magnitude) < least)
                x[i] = 0;
        }
        return;
    }
    // Some entries are equal to the least one that is kept.
    size_t equal = keep - count_above(x, n, least + 1);
    for (size_t i = 0; i < n; i++) {
        int bits;
        __builtin_memcpy(&bits, x + i, 4);
        bits &= magnitude;
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

// exp(scale x) for |scale x| up to 42, beyond which it stays at that value, so that
// products of two results are finite. A NaN stays a NaN. Relative error below 3e-7.
inline vec bounded_exp(vec x, float scale)
{
    constexpr float log2_e = 1.44269504f, bound = 60;
    const vec t = at_most(at_least(x * (scale * log2_e), -bound), bound);
    // Adding 1.5 * 2^23 rounds to a whole number, in the low bits.
    const vec magic = 12582912.0f - vec{};
    const vec shifted = t + magic;
    const vec whole = shifted - magic;
    const vec f = t - whole;
    vec y = f * 0.0013276472f + 0.0096755419f;
    y = y * f + 0.05550713f;
    y = y * f + 0.2402212f;
    y = y * f + 0.69314694f;
    y = y * f + 1.0000001f;
#if defined(__AVX512F__)
    return (vec)_mm512_scalef_ps((__m512)y, (__m512)whole);
#else
    const int_vec power = ((int_vec)shifted << 23) + 0x3f800000;
    return y * (vec)power;
#endif
}

// 1 / x for x of 1 to 1e37, relative error below 3e-7.
inline vec reciprocal(vec x)
{
#if defined(__AVX512F__)
    const vec y = (vec)_mm512_rcp14_ps((__m512)x);
    return y * (2.0f - x * y);
#elif defined(__AVX2__)
    const vec y = (vec)_mm256_rcp_ps((__m256)x);
    return y * (2.0f - x * y);
#else
    return 1.0f / x;
#endif
}

inline vec sigmoid(vec x) { return reciprocal(1.0f + bounded_exp(x, -1)); }
inline vec hyperbolic_tangent(vec x)
{
    const vec e = bounded_exp(x, -2);
    return (1.0f - e) * reciprocal(1.0f + e);
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
            for (size_t k = 0; k < lstm_registers; k++) {
                const size_t to = j * l2o_block + at + k * lanes;
                const vec e_i = bounded_exp(gate[0][k], -1),
                          e_g = bounded_exp(gate[2][k], -2);
                // sigmoid(i) tanh(g) with one reciprocal
                vec cell = (1.0f - e_g) * reciprocal((1.0f + e_i) * (1.0f + e_g));
                if (!first)
                    cell += load(c + to) * sigmoid(gate[1][k]);
                store(c + to, cell);
                const vec e_o = bounded_exp(gate[3][k], -1), e_c = bounded_exp(cell, -2);
                store(scratch + to,
                      (1.0f - e_c) * reciprocal((1.0f + e_o) * (1.0f + e_c)));
            }
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
