/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The kernels in the compiler's vector extensions. Included by one source file an
// instruction set, each compiled with its own flags (lib/CMakeLists.txt) and its own
// CSIFEEDBACK_LANES, the floats in a register. Nothing here may have external linkage or
// be an inline function of a header, or the linker could keep the copy that only newer
// processors run.

#include "kernels/kernels.h"

#define RESTRICT __restrict__
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, int_vec{ __VA_ARGS__ })
#endif

namespace {

using gr::csifeedback::complex_rows;

constexpr size_t lanes = CSIFEEDBACK_LANES;
typedef float vec __attribute__((vector_size(4 * CSIFEEDBACK_LANES)));
typedef int int_vec __attribute__((vector_size(4 * CSIFEEDBACK_LANES)));
typedef float unaligned_vec
    __attribute__((vector_size(4 * CSIFEEDBACK_LANES), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const unaligned_vec*>(p); }
// For a value that is used twice: the compiler would load it for each use instead.
inline vec load_once(const float* p)
{
    vec v = load(p);
#if defined(__AVX512F__)
    asm("" : "+v"(v));
#elif defined(__x86_64__)
    asm("" : "+x"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#endif
    return v;
}
inline void store(float* p, vec v) { *reinterpret_cast<unaligned_vec*>(p) = v; }

// Sums of neighbours: those of a in the lower half of each 128 bits, then those of b.
inline vec add_pairs(vec a, vec b)
{
#if CSIFEEDBACK_LANES == 16
    return SHUFFLE(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
           SHUFFLE(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
#elif CSIFEEDBACK_LANES == 8
    return SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
           SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
#else
    return SHUFFLE(a, b, 0, 2, 4, 6) + SHUFFLE(a, b, 1, 3, 5, 7);
#endif
}

// sum[0] to sum[3] are the sums over a, b, c and d.
inline void sums(vec a, vec b, vec c, vec d, float* sum)
{
    vec s = add_pairs(add_pairs(a, b), add_pairs(c, d));
#if CSIFEEDBACK_LANES == 16
    s += SHUFFLE(s, s, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    s += SHUFFLE(s, s, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
#elif CSIFEEDBACK_LANES == 8
    s += SHUFFLE(s, s, 4, 5, 6, 7, 4, 5, 6, 7);
#endif
    for (int i = 0; i < 4; i++)
        sum[i] = s[i];
}

// y[i] and z[i] += the sums over the i-th of the first and of the last four.
inline void add_sums(
    vec y0, vec y1, vec y2, vec y3, vec z0, vec z1, vec z2, vec z3, float* y, float* z)
{
    vec a = add_pairs(add_pairs(y0, y1), add_pairs(y2, y3));
    vec b = add_pairs(add_pairs(z0, z1), add_pairs(z2, z3));
#if CSIFEEDBACK_LANES == 16
    a = SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
        SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    a += SHUFFLE(a, a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    constexpr int first_of_b = 8;
#elif CSIFEEDBACK_LANES == 8
    a = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
        SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    constexpr int first_of_b = 4;
#endif
#if CSIFEEDBACK_LANES == 4
    for (int i = 0; i < 4; i++) {
        y[i] += a[i];
        z[i] += b[i];
    }
#else
    for (int i = 0; i < 4; i++) {
        y[i] += a[i];
        z[i] += a[first_of_b + i];
    }
#endif
}

void gemv(const float* w,
          size_t stride,
          const float* x,
          float* RESTRICT y,
          size_t rows,
          size_t cols)
{
    const size_t whole = cols - cols % lanes;
    float sum[8];
    size_t r = 0;
    // Eight rows at a time share the loads of x and keep eight sums in flight.
    for (; r + 8 <= rows; r += 8) {
        const float* w0 = w + r * stride;
        const float* w1 = w0 + stride;
        const float* w2 = w1 + stride;
        const float* w3 = w2 + stride;
        const float* w4 = w3 + stride;
        const float* w5 = w4 + stride;
        const float* w6 = w5 + stride;
        const float* w7 = w6 + stride;
        vec a0 = {}, a1 = {}, a2 = {}, a3 = {}, a4 = {}, a5 = {}, a6 = {}, a7 = {};
        for (size_t c = 0; c < whole; c += lanes) {
            const vec v = load(x + c);
            a0 += load(w0 + c) * v;
            a1 += load(w1 + c) * v;
            a2 += load(w2 + c) * v;
            a3 += load(w3 + c) * v;
            a4 += load(w4 + c) * v;
            a5 += load(w5 + c) * v;
            a6 += load(w6 + c) * v;
            a7 += load(w7 + c) * v;
        }
        sums(a0, a1, a2, a3, sum);
        sums(a4, a5, a6, a7, sum + 4);
        for (size_t c = whole; c < cols; c++)
            for (size_t i = 0; i < 8; i++)
                sum[i] += w0[i * stride + c] * x[c];
        for (size_t i = 0; i < 8; i++)
            y[r + i] += sum[i];
    }
    for (; r < rows; r++) {
        const float* w0 = w + r * stride;
        vec a0 = {};
        for (size_t c = 0; c < whole; c += lanes)
            a0 += load(w0 + c) * load(x + c);
        sums(a0, a0, a0, a0, sum);
        for (size_t c = whole; c < cols; c++)
            sum[0] += w0[c] * x[c];
        y[r] += sum[0];
    }
}

void add_rows(const float* w,
              size_t stride,
              const float* scale,
              size_t count,
              float* RESTRICT y,
              size_t cols)
{
    const size_t whole = cols - cols % lanes;
    size_t i = 0;
    // y is read and written once for eight rows.
    for (; i + 8 <= count; i += 8) {
        const float* w0 = w + (i + 0) * stride;
        const float* w1 = w + (i + 1) * stride;
        const float* w2 = w + (i + 2) * stride;
        const float* w3 = w + (i + 3) * stride;
        const float* w4 = w + (i + 4) * stride;
        const float* w5 = w + (i + 5) * stride;
        const float* w6 = w + (i + 6) * stride;
        const float* w7 = w + (i + 7) * stride;
        const float f0 = scale[i + 0];
        const float f1 = scale[i + 1];
        const float f2 = scale[i + 2];
        const float f3 = scale[i + 3];
        const float f4 = scale[i + 4];
        const float f5 = scale[i + 5];
        const float f6 = scale[i + 6];
        const float f7 = scale[i + 7];
        for (size_t c = 0; c < whole; c += lanes) {
            vec a = load(y + c) + load(w0 + c) * f0;
            vec b = load(w1 + c) * f1;
            a += load(w2 + c) * f2;
            b += load(w3 + c) * f3;
            a += load(w4 + c) * f4;
            b += load(w5 + c) * f5;
            a += load(w6 + c) * f6;
            b += load(w7 + c) * f7;
            store(y + c, a + b);
        }
        for (size_t c = whole; c < cols; c++)
            y[c] += w0[c] * f0 + w1[c] * f1 + w2[c] * f2 + w3[c] * f3 + w4[c] * f4 +
                    w5[c] * f5 + w6[c] * f6 + w7[c] * f7;
    }
    for (; i < count; i++) {
        const float* w0 = w + i * stride;
        const float f0 = scale[i];
        for (size_t c = 0; c < whole; c += lanes)
            store(y + c, load(y + c) + load(w0 + c) * f0);
        for (size_t c = whole; c < cols; c++)
            y[c] += w0[c] * f0;
    }
}

void sum_of_products(const float* row,
                     const float* column_re,
                     const float* column_im,
                     size_t count,
                     size_t rows,
                     size_t columns,
                     float* RESTRICT out_re,
                     float* RESTRICT out_im)
{
    // Two rows and two registers of columns at a time keep eight sums in flight. An odd
    // last row or register is done twice.
    for (size_t m = 0; m < columns; m += 2 * lanes) {
        const size_t next = m + lanes < columns ? lanes : 0;
        for (size_t r = 0; r < rows; r += 2) {
            const size_t second = r + 1 < rows ? 1 : 0;
            vec re00 = {}, im00 = {}, re01 = {}, im01 = {}, re10 = {}, im10 = {},
                re11 = {}, im11 = {};
            for (size_t p = 0; p < count; p++) {
                const float* f = row + 2 * (p * rows + r);
                const float* g = f + 2 * second;
                const vec a0 = load(column_re + p * columns + m),
                          b0 = load(column_im + p * columns + m),
                          a1 = load(column_re + p * columns + m + next),
                          b1 = load(column_im + p * columns + m + next);
                re00 += a0 * f[0] - b0 * f[1];
                im00 += b0 * f[0] + a0 * f[1];
                re01 += a1 * f[0] - b1 * f[1];
                im01 += b1 * f[0] + a1 * f[1];
                re10 += a0 * g[0] - b0 * g[1];
                im10 += b0 * g[0] + a0 * g[1];
                re11 += a1 * g[0] - b1 * g[1];
                im11 += b1 * g[0] + a1 * g[1];
            }
            store(out_re + (r + second) * columns + m, re10);
            store(out_im + (r + second) * columns + m, im10);
            store(out_re + (r + second) * columns + m + next, re11);
            store(out_im + (r + second) * columns + m + next, im11);
            store(out_re + r * columns + m, re00);
            store(out_im + r * columns + m, im00);
            store(out_re + r * columns + m + next, re01);
            store(out_im + r * columns + m + next, im01);
        }
    }
}

// y += u x or conj(u) x for u = a + i b.
template <bool conjugate>
inline void add_product(
    const vec& a, const vec& b, const vec& x_re, const vec& x_im, vec& y_re, vec& y_im)
{
    y_re += a * x_re;
    y_im += a * x_im;
    if (conjugate) {
        y_re += b * x_im;
        y_im -= b * x_re;
    } else {
        y_re -= b * x_im;
        y_im += b * x_re;
    }
}

// The same for rows that fit in a few registers, read one after the other, four of which
// share the work of their sums. Returns the number of rows done, a multiple of four.
template <size_t registers, bool conjugate>
inline size_t gemv_short(complex_rows u,
                         const float* x_re,
                         const float* x_im,
                         float* RESTRICT y_re,
                         float* RESTRICT y_im,
                         size_t rows)
{
    vec re[registers], im[registers];
    for (size_t k = 0; k < registers; k++) {
        re[k] = load_once(x_re + k * lanes);
        im[k] = load_once(x_im + k * lanes);
    }
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        vec sum_re[4], sum_im[4];
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            const float *a = u.re + (r + i) * u.stride, *b = u.im + (r + i) * u.stride;
            vec ar = {}, ai = {}, bi = {}, br = {};
#pragma GCC unroll 8
            for (size_t k = 0; k < registers; k++) {
                const vec v = load_once(a + k * lanes);
                ar += v * re[k];
                ai += v * im[k];
            }
#pragma GCC unroll 8
            for (size_t k = 0; k < registers; k++) {
                const vec v = load_once(b + k * lanes);
                bi += v * im[k];
                br += v * re[k];
            }
            sum_re[i] = conjugate ? ar + bi : ar - bi;
            sum_im[i] = conjugate ? ai - br : ai + br;
        }
        add_sums(sum_re[0],
                 sum_re[1],
                 sum_re[2],
                 sum_re[3],
                 sum_im[0],
                 sum_im[1],
                 sum_im[2],
                 sum_im[3],
                 y_re + r,
                 y_im + r);
    }
    return r;
}

template <bool conjugate>
inline void gemv_complex(complex_rows u,
                         const float* x_re,
                         const float* x_im,
                         float* RESTRICT y_re,
                         float* RESTRICT y_im,
                         size_t step,
                         size_t rows,
                         size_t cols)
{
    const float sign = conjugate ? 1 : -1;
    const size_t whole = cols - cols % lanes;
    size_t r = 0;
    if (step == 1 && cols == lanes)
        r = gemv_short<1, conjugate>(u, x_re, x_im, y_re, y_im, rows);
    else if (step == 1 && cols == 2 * lanes)
        r = gemv_short<2, conjugate>(u, x_re, x_im, y_re, y_im, rows);
    else if (step == 1 && cols == 4 * lanes)
        r = gemv_short<4, conjugate>(u, x_re, x_im, y_re, y_im, rows);
    else if (step == 1 && cols == 8 * lanes)
        r = gemv_short<8, conjugate>(u, x_re, x_im, y_re, y_im, rows);
    // Two rows at a time keep eight sums in flight. An odd last row is done twice.
    for (; r < rows; r += 2) {
        const size_t second = r + 1 < rows ? r + 1 : r;
        const float *a0 = u.re + r * u.stride, *b0 = u.im + r * u.stride,
                    *a1 = u.re + second * u.stride, *b1 = u.im + second * u.stride;
        vec ar0 = {}, bi0 = {}, ai0 = {}, br0 = {}, ar1 = {}, bi1 = {}, ai1 = {},
            br1 = {};
        for (size_t c = 0; c < whole; c += lanes) {
            const vec re = load(x_re + c), im = load(x_im + c);
            const vec va0 = load_once(a0 + c), vb0 = load_once(b0 + c),
                      va1 = load_once(a1 + c), vb1 = load_once(b1 + c);
            ar0 += va0 * re;
            ai0 += va0 * im;
            bi0 += vb0 * im;
            br0 += vb0 * re;
            ar1 += va1 * re;
            ai1 += va1 * im;
            bi1 += vb1 * im;
            br1 += vb1 * re;
        }
        float sum[4];
        sums(ar0 + bi0 * sign, ai0 - br0 * sign, ar1 + bi1 * sign, ai1 - br1 * sign, sum);
        for (size_t c = whole; c < cols; c++) {
            const float re = x_re[c], im = x_im[c] * sign;
            sum[0] += a0[c] * re + b0[c] * im;
            sum[1] += (a0[c] * im - b0[c] * re) * sign;
            sum[2] += a1[c] * re + b1[c] * im;
            sum[3] += (a1[c] * im - b1[c] * re) * sign;
        }
        y_re[r * step] += sum[0];
        y_im[r * step] += sum[1];
        if (second > r) {
            y_re[second * step] += sum[2];
            y_im[second * step] += sum[3];
        }
    }
}

void gemv_complex(complex_rows u,
                  bool conjugate,
                  const float* x_re,
                  const float* x_im,
                  float* y_re,
                  float* y_im,
                  size_t step,
                  size_t rows,
                  size_t cols)
{
    if (conjugate)
        gemv_complex<true>(u, x_re, x_im, y_re, y_im, step, rows, cols);
    else
        gemv_complex<false>(u, x_re, x_im, y_re, y_im, step, rows, cols);
}

void add_rows_complex(complex_rows u,
                      bool conjugate,
                      const float* scale_re,
                      const float* scale_im,
                      size_t step,
                      size_t count,
                      float* RESTRICT y_re,
                      float* RESTRICT y_im,
                      size_t cols)
{
    const float sign = conjugate ? 1 : -1;
    const size_t whole = cols - cols % lanes;
    size_t i = 0;
    // y is read and written once for two rows. More would be lines of memory that a cache
    // has no room for together, where the stride is a power of two.
    for (; i + 2 <= count; i += 2) {
        const float *a0 = u.re + i * u.stride, *b0 = u.im + i * u.stride,
                    *a1 = a0 + u.stride, *b1 = b0 + u.stride;
        const float re0 = scale_re[i * step], im0 = scale_im[i * step],
                    re1 = scale_re[(i + 1) * step], im1 = scale_im[(i + 1) * step];
        for (size_t c = 0; c < whole; c += lanes) {
            vec a_re = load(y_re + c), a_im = load(y_im + c);
            vec v = load_once(a0 + c);
            a_re += v * re0;
            a_im += v * im0;
            v = load_once(b0 + c);
            vec b_re = v * re0, b_im = v * im0;
            v = load_once(a1 + c);
            a_re += v * re1;
            a_im += v * im1;
            v = load_once(b1 + c);
            b_re += v * re1;
            b_im += v * im1;
            store(y_re + c, a_re + b_im * sign);
            store(y_im + c, a_im - b_re * sign);
        }
        for (size_t c = whole; c < cols; c++) {
            y_re[c] += a0[c] * re0 + a1[c] * re1 + (b0[c] * im0 + b1[c] * im1) * sign;
            y_im[c] += a0[c] * im0 + a1[c] * im1 - (b0[c] * re0 + b1[c] * re1) * sign;
        }
    }
    for (; i < count; i++) {
        const float *a0 = u.re + i * u.stride, *b0 = u.im + i * u.stride;
        const float re0 = scale_re[i * step], im0 = scale_im[i * step];
        const float p0 = sign * im0, q0 = -sign * re0;
        for (size_t c = 0; c < whole; c += lanes) {
            const vec a = load_once(a0 + c), b = load_once(b0 + c);
            store(y_re + c, load(y_re + c) + a * re0 + b * p0);
            store(y_im + c, load(y_im + c) + a * im0 + b * q0);
        }
        for (size_t c = whole; c < cols; c++) {
            y_re[c] += a0[c] * re0 + b0[c] * p0;
            y_im[c] += a0[c] * im0 + b0[c] * q0;
        }
    }
}

// Columns [begin, begin + registers * lanes) of the sum, which stay in registers.
template <size_t registers>
inline void add_chosen(const float* w,
                       size_t stride,
                       const uint32_t* index,
                       size_t count,
                       const float* x,
                       float* RESTRICT y,
                       size_t begin)
{
    vec sum[registers];
    for (size_t k = 0; k < registers; k++)
        sum[k] = load(y + begin + k * lanes);
    for (size_t i = 0; i < count; i++) {
        const float* row = w + index[i] * stride + begin;
        const float f = x[index[i]];
        for (size_t k = 0; k < registers; k++)
            sum[k] += load(row + k * lanes) * f;
    }
    for (size_t k = 0; k < registers; k++)
        store(y + begin + k * lanes, sum[k]);
}

void add_chosen_rows(const float* w,
                     size_t stride,
                     const uint32_t* index,
                     size_t count,
                     const float* x,
                     float* RESTRICT y,
                     size_t cols)
{
    size_t c = 0;
    for (; c + 8 * lanes <= cols; c += 8 * lanes)
        add_chosen<8>(w, stride, index, count, x, y, c);
    for (; c + 2 * lanes <= cols; c += 2 * lanes)
        add_chosen<2>(w, stride, index, count, x, y, c);
    for (; c + lanes <= cols; c += lanes)
        add_chosen<1>(w, stride, index, count, x, y, c);
    for (; c < cols; c++)
        for (size_t i = 0; i < count; i++)
            y[c] += w[index[i] * stride + c] * x[index[i]];
}

template <size_t registers, bool conjugate>
inline void add_chosen_complex(complex_rows u,
                               const uint32_t* index,
                               size_t count,
                               const float* x_re,
                               const float* x_im,
                               float* RESTRICT y_re,
                               float* RESTRICT y_im,
                               size_t begin)
{
    vec re[registers], im[registers];
    for (size_t k = 0; k < registers; k++) {
        re[k] = load(y_re + begin + k * lanes);
        im[k] = load(y_im + begin + k * lanes);
    }
    for (size_t i = 0; i < count; i++) {
        const float* a = u.re + index[i] * u.stride + begin;
        const float* b = u.im + index[i] * u.stride + begin;
        const float f_re = x_re[index[i]], f_im = x_im[index[i]];
        const vec v_re = f_re - vec{}, v_im = f_im - vec{};
        for (size_t k = 0; k < registers; k++)
            add_product<conjugate>(load_once(a + k * lanes),
                                   load_once(b + k * lanes),
                                   v_re,
                                   v_im,
                                   re[k],
                                   im[k]);
    }
    for (size_t k = 0; k < registers; k++) {
        store(y_re + begin + k * lanes, re[k]);
        store(y_im + begin + k * lanes, im[k]);
    }
}

template <bool conjugate>
inline void add_chosen_rows_complex(complex_rows u,
                                    const uint32_t* index,
                                    size_t count,
                                    const float* x_re,
                                    const float* x_im,
                                    float* RESTRICT y_re,
                                    float* RESTRICT y_im,
                                    size_t cols)
{
    const float sign = conjugate ? 1 : -1;
    size_t c = 0;
    for (; c + 4 * lanes <= cols; c += 4 * lanes)
        add_chosen_complex<4, conjugate>(u, index, count, x_re, x_im, y_re, y_im, c);
    for (; c + lanes <= cols; c += lanes)
        add_chosen_complex<1, conjugate>(u, index, count, x_re, x_im, y_re, y_im, c);
    for (; c < cols; c++)
        for (size_t i = 0; i < count; i++) {
            const size_t r = index[i];
            const float a = u.re[r * u.stride + c], b = u.im[r * u.stride + c] * sign;
            y_re[c] += a * x_re[r] + b * x_im[r];
            y_im[c] += a * x_im[r] - b * x_re[r];
        }
}

void add_chosen_rows_complex(complex_rows u,
                             bool conjugate,
                             const uint32_t* index,
                             size_t count,
                             const float* x_re,
                             const float* x_im,
                             float* y_re,
                             float* y_im,
                             size_t cols)
{
    if (conjugate)
        add_chosen_rows_complex<true>(u, index, count, x_re, x_im, y_re, y_im, cols);
    else
        add_chosen_rows_complex<false>(u, index, count, x_re, x_im, y_re, y_im, cols);
}

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

} // namespace

#include "kernels/l2o_impl.h"

#include "kernels/local_weights_impl.h"

namespace {

// All kernels; here at the end, where each of them is known.
constexpr gr::csifeedback::kernel_table table(const char* name)
{
    return { name,
             gemv,
             add_rows,
             gemv_complex,
             add_rows_complex,
             add_chosen_rows,
             add_chosen_rows_complex,
             sum_of_products,
             soft_threshold_step,
             gemm,
             add_dot_products,
             soft_threshold_top,
             lstm,
             l2o_update,
             l2o_momentum,
             l2o_momentum_by_element,
             soft_threshold_each,
             quarter_turn,
             add_complex_parts,
             squared_distances,
             select_smallest,
             difference_products,
             local_systems };
}

} // namespace
