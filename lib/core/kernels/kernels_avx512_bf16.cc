/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Products in bfloat16, see kernels.h; the rules of registers.h hold.

#define CSIFEEDBACK_LANES 16
#include "kernels/registers.h"

namespace {

using gr::csifeedback::bf16_pair;

// What the templates need of pairs.
inline int_vec load_once(const bf16_pair* p)
{
    int_vec v = (int_vec)_mm512_loadu_si512(p);
    asm("" : "+v"(v));
    return v;
}
inline void add_product(vec& sum, int_vec v, int_vec f)
{
    sum = (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)v, (__m512bh)f);
}
inline void add_product(vec& sum, int_vec v, bf16_pair f)
{
    add_product(sum, v, (int_vec)_mm512_set1_epi32(f));
}

} // namespace

#include "kernels/lstm_step_impl.h"
#include "kernels/matrix_products_impl.h"

namespace {

using gr::csifeedback::lstm_weights_bf16;

void round_pairs(const float* x, size_t n, bf16_pair* out)
{
    size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes)
        _mm512_storeu_si512(out + i / 2,
                            (__m512i)_mm512_cvtne2ps_pbh((__m512)load(x + i + lanes),
                                                         (__m512)load(x + i)));
    if (i < n)
        _mm256_storeu_si256((__m256i*)(out + i / 2),
                            (__m256i)_mm512_cvtneps_pbh((__m512)load(x + i)));
}

void interleave(const float* first, const float* second, size_t n, bf16_pair* out)
{
    // Values of the first in the lower halves.
    const __m512i order = _mm512_set_epi16(31,
                                           15,
                                           30,
                                           14,
                                           29,
                                           13,
                                           28,
                                           12,
                                           27,
                                           11,
                                           26,
                                           10,
                                           25,
                                           9,
                                           24,
                                           8,
                                           23,
                                           7,
                                           22,
                                           6,
                                           21,
                                           5,
                                           20,
                                           4,
                                           19,
                                           3,
                                           18,
                                           2,
                                           17,
                                           1,
                                           16,
                                           0);
    for (size_t i = 0; i < n; i += lanes) {
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(
            second ? (__m512)load(second + i) : __m512{}, (__m512)load(first + i));
        _mm512_storeu_si512(out + i, _mm512_permutexvar_epi16(order, both));
    }
}

void gemm(const bf16_pair* a,
          size_t a_stride,
          const bf16_pair* b,
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

void add_dot_products(const bf16_pair* a,
                      size_t a_stride,
                      const bf16_pair* b,
                      size_t b_stride,
                      float* c,
                      size_t c_stride,
                      size_t a_rows,
                      size_t b_rows,
                      size_t depth)
{
    multiply_rows(a, a_stride, b, b_stride, c, c_stride, a_rows, b_rows, depth);
}

void lstm(const lstm_weights_bf16& l,
          const bf16_pair* x,
          bf16_pair* RESTRICT h,
          float* RESTRICT c,
          float* RESTRICT scratch,
          bool first)
{
    const size_t pairs = (l.hidden + 1) / 2;
    lstm_step<true>(l.weights, l.inputs, pairs, l.hidden, x, h, c, scratch, first);
    for (size_t j = 0; j < l.hidden; j += 2)
        interleave(scratch + j * l2o_block,
                   j + 1 < l.hidden ? scratch + (j + 1) * l2o_block : nullptr,
                   l2o_block,
                   h + j / 2 * l2o_block);
}

} // namespace

namespace gr {
namespace csifeedback {

extern const bf16_table kernels_avx512_bf16;
const bf16_table kernels_avx512_bf16 = { "avx512_bf16", round_pairs,        interleave,
                                         ::gemm,        ::add_dot_products, ::lstm };

} // namespace csifeedback
} // namespace gr
