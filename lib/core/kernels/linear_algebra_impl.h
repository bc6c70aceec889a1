/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products of real matrices and vectors; see kernels.h for the maths.

#include "kernels/matrix_products_impl.h"

namespace {

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

float energy(const float* x, size_t n)
{
    vec a = {}, b = {}, c = {}, d = {};
    size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        const vec p = load(x + i), q = load(x + i + lanes);
        const vec r = load(x + i + 2 * lanes), s = load(x + i + 3 * lanes);
        a += p * p;
        b += q * q;
        c += r * r;
        d += s * s;
    }
    float sum[4];
    sums(a, b, c, d, sum);
    float total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; i < n; i++)
        total += x[i] * x[i];
    return total;
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
    multiply(a,
             a_stride,
             b,
             b_stride,
             start,
             start_stride,
             c,
             c_stride,
             rows,
             depth,
             cols,
             relu);
}

// A bit for each of `lanes` values that is not zero; a NaN is not.
inline unsigned not_zero(const float* p)
{
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)load(p), _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif defined(__AVX2__)
    return _mm256_movemask_ps(
        _mm256_cmp_ps((__m256)load(p), _mm256_setzero_ps(), _CMP_NEQ_UQ));
#else
    unsigned mask = 0;
    for (size_t i = 0; i < lanes; i++)
        mask |= unsigned(p[i] != 0) << i;
    return mask;
#endif
}
// Of the n values at the end of a row, fewer than `lanes`.
inline unsigned not_zero(const float* p, size_t n)
{
    unsigned mask = 0;
    for (size_t i = 0; i < n; i++)
        mask |= unsigned(p[i] != 0) << i;
    return mask;
}

// A row of sparse_gemm(), `registers` of its columns.
template <size_t registers>
inline void sparse_row(const float* a,
                       const float* b,
                       size_t b_stride,
                       const float* start,
                       float* c,
                       size_t depth,
                       bool relu)
{
    vec sum[registers];
    for (size_t k = 0; k < registers; k++)
        sum[k] = load(start + k * lanes);
    const auto add = [&](unsigned mask, size_t first) {
        for (; mask; mask &= mask - 1) {
            const size_t d = first + __builtin_ctz(mask);
            const float* row = b + d * b_stride;
            for (size_t k = 0; k < registers; k++)
                sum[k] += a[d] * load(row + k * lanes);
        }
    };
    const size_t whole = depth - depth % lanes;
    for (size_t d = 0; d < whole; d += lanes)
        add(not_zero(a + d), d);
    add(not_zero(a + whole, depth - whole), whole);
    for (size_t k = 0; k < registers; k++) {
        if (relu)
            sum[k] = sum[k] < 0.0f ? vec{} : sum[k];
        store(c + k * lanes, sum[k]);
    }
}

bool sparse_gemm(const float* a,
                 size_t a_stride,
                 const float* b,
                 size_t b_stride,
                 const float* start,
                 float* c,
                 size_t c_stride,
                 size_t rows,
                 size_t depth,
                 size_t cols,
                 bool relu)
{
    const size_t whole = depth - depth % lanes;
    size_t count = 0;
    for (size_t r = 0; r < rows; r++) {
        const float* row = a + r * a_stride;
        for (size_t d = 0; d < whole; d += lanes)
            count += __builtin_popcount(not_zero(row + d));
        count += __builtin_popcount(not_zero(row + whole, depth - whole));
    }
    if (count > gr::csifeedback::sparse_part * (rows * depth))
        return false;
    constexpr size_t most = 4, width = most * lanes;
    for (size_t r = 0; r < rows; r++) {
        const float* row = a + r * a_stride;
        float* to = c + r * c_stride;
        size_t at = 0;
        for (; at + width <= cols; at += width)
            sparse_row<most>(row, b + at, b_stride, start + at, to + at, depth, relu);
        for (; at < cols; at += lanes)
            sparse_row<1>(row, b + at, b_stride, start + at, to + at, depth, relu);
    }
    return true;
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
    multiply_rows(a, a_stride, b, b_stride, c, c_stride, a_rows, b_rows, depth);
}

} // namespace
