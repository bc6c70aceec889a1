/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/linear/projection_tiles.h"
#include "kernels/kernels.h"
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

constexpr size_t lanes = 16; // of the largest registers
constexpr size_t tile_columns = 512;

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

} // namespace

row_layout::row_layout(size_t na, size_t nt)
    : na(na),
      nt(nt),
      stride(round_up(2 * nt, lanes)),
      size(round_up(na * stride, l2o_block))
{
}

void row_layout::from_h_vec(const float* h_vec, float* x) const
{
    std::fill_n(x, size, 0.0f);
    for (size_t r = 0; r < na; r++, x += stride) {
        std::copy_n(h_vec + r * nt, nt, x);
        std::copy_n(h_vec + (na + r) * nt, nt, x + nt);
    }
}

void row_layout::to_h_vec(const float* x, float* h_vec) const
{
    for (size_t r = 0; r < na; r++, x += stride) {
        std::copy_n(x, nt, h_vec + r * nt);
        std::copy_n(x + nt, nt, h_vec + (na + r) * nt);
    }
}

void row_layout::clear_padding(float* x) const
{
    if (stride != 2 * nt)
        for (size_t r = 0; r < na; r++)
            std::fill(x + r * stride + 2 * nt, x + (r + 1) * stride, 0.0f);
    std::fill(x + na * stride, x + size, 0.0f);
}

projection_tiles::projection_tiles(const projection& p, const row_layout& layout)
    : d_planes(p.is_complex ? 2 : 1),
      d_size(layout.size),
      d_length(p.w.size() / p.cols),
      d_code_stride(round_up(d_length, lanes)),
      // Four rows are a multiple of l2o_block.
      d_tile(4 * layout.stride * std::max<size_t>(1, tile_columns / (4 * layout.stride))),
      // Off a power of two, so that a column does not fall into one set of the cache.
      d_row(std::min(d_tile, d_size) + lanes)
{
    d_w.resize(round_up(d_size, d_tile) / d_tile * d_length * d_row, 0.0f);
    volk::vector<float> row(d_size);
    for (size_t r = 0; r < d_length; r++) {
        layout.from_h_vec(p.w.data() + r * p.cols, row.data());
        for (size_t at = 0; at < d_size; at += d_tile)
            std::copy_n(row.data() + at,
                        std::min(d_tile, d_size - at),
                        d_w.data() + (at / d_tile * d_length + r) * d_row);
    }
}

void projection_tiles::split(const float* s, float* code, size_t m) const
{
    if (d_planes == 1) {
        std::copy_n(s, m, code);
        return;
    }
    for (size_t i = 0; i < m; i++)
        code[i / 2 + i % 2 * d_code_stride] = s[i];
    clear_rest(code, m);
}

void projection_tiles::join(const float* code, float* s, size_t m) const
{
    for (size_t i = 0; i < m; i++)
        s[i] = d_planes == 1 ? code[i] : code[i / 2 + i % 2 * d_code_stride];
}

void projection_tiles::clear_rest(float* code, size_t m) const
{
    if (d_planes == 2 && m % 2)
        code[d_code_stride + m / 2] = 0;
}

void projection_tiles::multiply_transposed(
    const float* code, size_t count, size_t m, float* x, size_t begin, size_t end) const
{
    for (size_t at = begin; at < end; at += d_tile)
        kernels().gemm(code,
                       d_code_stride,
                       d_w.data() + at / d_tile * d_length * d_row,
                       d_row,
                       nullptr,
                       0,
                       x + at,
                       d_size,
                       count,
                       length(m),
                       std::min(d_tile, end - at),
                       false);
}

void projection_tiles::multiply_add(
    const float* x, size_t count, size_t m, float* code, size_t begin, size_t end) const
{
    for (size_t at = begin; at < end; at += d_tile)
        kernels().add_dot_products(x + at,
                                   d_size,
                                   d_w.data() + at / d_tile * d_length * d_row,
                                   d_row,
                                   code,
                                   d_code_stride,
                                   count,
                                   length(m),
                                   std::min(d_tile, end - at));
}

void projection_tiles::add_bf16()
{
    const size_t tiles = round_up(d_size, d_tile) / d_tile, pairs = (d_length + 1) / 2;
    d_pair_row = std::min(d_tile, d_size) / 2 + lanes;
    d_row_pairs.resize(tiles * pairs * d_row, 0);
    d_column_pairs.resize(tiles * d_length * d_pair_row, 0);
    const volk::vector<float> zeros(d_row, 0.0f);
    for (size_t t = 0; t < tiles; t++) {
        const float* w = d_w.data() + t * d_length * d_row;
        for (size_t r = 0; r < pairs; r++)
            bf16_kernels()->interleave(w + 2 * r * d_row,
                                       2 * r + 1 < d_length ? w + (2 * r + 1) * d_row
                                                            : zeros.data(),
                                       d_row,
                                       d_row_pairs.data() + (t * pairs + r) * d_row);
        for (size_t r = 0; r < d_length; r++)
            bf16_kernels()->round_pairs(w + r * d_row,
                                        d_row - lanes,
                                        d_column_pairs.data() +
                                            (t * d_length + r) * d_pair_row);
    }
}

void projection_tiles::multiply_transposed(const bf16_pair* code,
                                           size_t count,
                                           size_t m,
                                           float* x,
                                           size_t begin,
                                           size_t end) const
{
    const size_t pairs = (d_length + 1) / 2;
    for (size_t at = begin; at < end; at += d_tile)
        bf16_kernels()->gemm(code,
                             d_code_stride / 2,
                             d_row_pairs.data() + at / d_tile * pairs * d_row,
                             d_row,
                             nullptr,
                             0,
                             x + at,
                             d_size,
                             count,
                             (length(m) + 1) / 2,
                             std::min(d_tile, end - at),
                             false);
}

void projection_tiles::multiply_add(const bf16_pair* x,
                                    size_t count,
                                    size_t m,
                                    float* code,
                                    size_t begin,
                                    size_t end) const
{
    for (size_t at = begin; at < end; at += d_tile)
        bf16_kernels()->add_dot_products(x + at / 2,
                                         d_size / 2,
                                         d_column_pairs.data() +
                                             at / d_tile * d_length * d_pair_row,
                                         d_pair_row,
                                         code,
                                         d_code_stride,
                                         count,
                                         length(m),
                                         std::min(d_tile, end - at) / 2);
}

} // namespace csifeedback
} // namespace gr
