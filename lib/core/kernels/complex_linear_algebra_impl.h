/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products of complex matrices and vectors, the parts of which are separate arrays; see
// kernels.h for the maths.

#include "kernels/registers.h"

namespace {

using gr::csifeedback::complex_rows;

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

// y += u x or conj(u) x for rows that fit in a few registers, read one after the other,
// four of which share the work of their sums. Returns the number of rows done, a multiple
// of four.
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

} // namespace
