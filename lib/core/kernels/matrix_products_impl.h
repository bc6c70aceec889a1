/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_MATRIX_PRODUCTS_IMPL_H
#define INCLUDED_CSIFEEDBACK_KERNELS_MATRIX_PRODUCTS_IMPL_H

// Products of real matrices of floats, or of pairs of shorter numbers: what is in a word
// of memory, load_once() of such words and add_product() are all that differ.

#include "kernels/registers.h"

namespace {

// sum += v f, for floats.
inline void add_product(vec& sum, vec v, vec f) { sum += v * f; }
inline void add_product(vec& sum, vec v, float f) { sum += v * f; }

// Registers of columns and rows of a block of the result: together with what is
// multiplied they fill the registers.
#if CSIFEEDBACK_LANES == 16
constexpr size_t max_registers = 4, max_rows = 6;
#else
constexpr size_t max_registers = 2, max_rows = 6;
#endif
// Rows of b that are multiplied at a time, so that a block of it stays in the cache.
constexpr size_t depth_block = 64;

// Rows [0, rows) and columns [0, registers * lanes) of c = start + a b.
template <size_t rows, size_t registers, typename word>
inline void gemm_block(const word* a,
                       size_t a_stride,
                       const word* b,
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
        decltype(load_once(b)) v[registers];
        for (size_t k = 0; k < registers; k++)
            v[k] = load_once(b + d * b_stride + k * lanes);
        for (size_t r = 0; r < rows; r++) {
            const word f = a[r * a_stride + d];
            for (size_t k = 0; k < registers; k++)
                add_product(sum[r][k], v[k], f);
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

template <size_t registers, typename word>
inline void gemm_rows(const word* a,
                      size_t a_stride,
                      const word* b,
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
        const size_t n = rows >= max_rows + 4 || rows == max_rows ? max_rows
                         : rows < 4                               ? rows
                                                                  : 4;
        switch (n) {
        case 6:
            gemm_block<6, registers, word>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 4:
            gemm_block<4, registers, word>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 3:
            gemm_block<3, registers, word>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        case 2:
            gemm_block<2, registers, word>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
            break;
        default:
            gemm_block<1, registers, word>(
                a, a_stride, b, b_stride, start, start_stride, c, c_stride, depth, relu);
        }
        a += n * a_stride;
        c += n * c_stride;
        if (start)
            start += n * start_stride;
        rows -= n;
    }
}

// kernel_table::gemm and its like.
template <typename word>
inline void multiply(const word* a,
                     size_t a_stride,
                     const word* b,
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
        const bool wide = cols - at >= max_registers * lanes;
        const auto some_rows = wide ? gemm_rows<max_registers, word> : gemm_rows<1, word>;
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
        at += wide ? max_registers * lanes : lanes;
    }
}

// c[i][0..3] += sum over k of a[i][k] b[j][k] for some rows i and four rows j. Of b, rows
// from `have` on are not there.
template <size_t rows, typename word>
inline void dot_block(const word* a,
                      size_t a_stride,
                      const word* b,
                      size_t b_stride,
                      float* c,
                      size_t c_stride,
                      size_t have,
                      size_t depth)
{
    const word* b0 = b;
    const word* b1 = have > 1 ? b0 + b_stride : b0;
    const word* b2 = have > 2 ? b1 + b_stride : b1;
    const word* b3 = have > 3 ? b2 + b_stride : b2;
    vec sum[rows][4];
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < 4; j++)
            sum[r][j] = vec{};
    for (size_t d = 0; d < depth; d += lanes) {
        const auto v0 = load_once(b0 + d), v1 = load_once(b1 + d), v2 = load_once(b2 + d),
                   v3 = load_once(b3 + d);
        for (size_t r = 0; r < rows; r++) {
            const auto x = load_once(a + r * a_stride + d);
            add_product(sum[r][0], v0, x);
            add_product(sum[r][1], v1, x);
            add_product(sum[r][2], v2, x);
            add_product(sum[r][3], v3, x);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        float result[4];
        sums(sum[r][0], sum[r][1], sum[r][2], sum[r][3], result);
        for (size_t j = 0; j < have; j++)
            c[r * c_stride + j] += result[j];
    }
}

// kernel_table::add_dot_products and its like.
template <typename word>
inline void multiply_rows(const word* a,
                          size_t a_stride,
                          const word* b,
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
            const word* from = b + j * b_stride;
            float* to = c + i * c_stride + j;
            const size_t have = b_rows - j < 4 ? b_rows - j : 4;
            if (n == most)
                dot_block<most, word>(a + i * a_stride,
                                      a_stride,
                                      from,
                                      b_stride,
                                      to,
                                      c_stride,
                                      have,
                                      depth);
            else if (n == 2)
                dot_block<2, word>(a + i * a_stride,
                                   a_stride,
                                   from,
                                   b_stride,
                                   to,
                                   c_stride,
                                   have,
                                   depth);
            else
                dot_block<1, word>(a + i * a_stride,
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

} // namespace

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_MATRIX_PRODUCTS_IMPL_H */
