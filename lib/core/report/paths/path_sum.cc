/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include "report/paths/path_basis.h"
#include "report/paths/path_sum.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Rows of products that are made at a time, and whole registers.
constexpr size_t block = 16;

} // namespace

path_sum::path_sum(std::shared_ptr<const dirichlet_axis> rows,
                   std::shared_ptr<const dirichlet_axis> columns,
                   int max_paths)
    : d_rows(std::move(rows)),
      d_columns(std::move(columns)),
      d_max(whole_registers(max_paths)),
      d_s(d_max * d_rows->stride()),
      d_a(d_max * d_columns->stride()),
      d_s_columns(d_max * d_rows->stride()),
      d_a_columns(d_max * d_columns->stride()),
      d_factor(d_max * d_max),
      d_products(block * d_max),
      d_unit(d_max),
      d_scale(d_max),
      d_x(2 * d_max),
      d_z(d_max * 2 * d_columns->stride())
{
}

void path_sum::start(int count)
{
    d_count = count;
    d_stride = whole_registers(count);
    for (size_t k = d_count; k < d_stride; k++) {
        for (size_t r = 0; r < d_rows->stride(); r++)
            d_s_columns[r * d_stride + k] = 0;
        for (size_t c = 0; c < d_columns->stride(); c++)
            d_a_columns[c * d_stride + k] = 0;
    }
}

void path_sum::set(int k, float delay, float angle)
{
    const size_t na = d_rows->stride(), nt = d_columns->stride();
    float *s = &d_s[k * na], *a = &d_a[k * nt];
    d_rows->value(delay, s);
    d_columns->value(angle, a);
    for (size_t r = 0; r < na; r++)
        d_s_columns[r * d_stride + k] = s[r];
    for (size_t c = 0; c < nt; c++)
        d_a_columns[c * d_stride + k] = a[c];
}

// U of the products of all pairs of paths: those of their delays times those of their
// angles.
void path_sum::decompose()
{
    const size_t na = d_rows->stride(), nt = d_columns->stride(), n = d_count,
                 stride = d_stride;
    float *u = d_factor.data(), *other = d_products.data();
    for (size_t begin = 0; begin < n; begin += block) {
        const size_t some = std::min(block, n - begin), width = stride - begin;
        float* products = u + begin * stride + begin;
        kernels().gemm(&d_s[begin * na],
                       na,
                       &d_s_columns[begin],
                       stride,
                       nullptr,
                       0,
                       products,
                       stride,
                       some,
                       na,
                       width,
                       false);
        kernels().gemm(&d_a[begin * nt],
                       nt,
                       &d_a_columns[begin],
                       stride,
                       nullptr,
                       0,
                       other,
                       width,
                       some,
                       nt,
                       width,
                       false);
        for (size_t i = 0; i < some; i++)
            for (size_t k = 0; k < width; k++)
                products[i * stride + k] *= other[i * width + k];
    }
    for (size_t k = 0; k < n; k++) {
        // Whole registers from the one with the diagonal on.
        const size_t begin = k / block * block;
        float* row = u + k * stride;
        for (size_t i = 0; i < k; i++)
            d_scale[i] = -u[i * stride + k];
        kernels().add_rows(
            u + begin, stride, d_scale.data(), k, row + begin, stride - begin);
        std::fill(row + begin, row + k, 0.0f);
        const float norm = row[k];
        d_unit[k] = norm >= path_basis::min_norm ? 1 / std::sqrt(norm) : 0;
        for (size_t i = k; i < stride; i++)
            row[i] *= d_unit[k];
    }
}

void path_sum::gains(const float* re, const float* im, float* x_re, float* x_im)
{
    decompose();
    float *x = d_x.data(), sum[2];
    std::fill_n(x, 2 * d_stride, 0.0f);
    // From the last one on; what is not yet known is zero.
    for (size_t k = d_count; k--;) {
        const size_t begin = k / block * block;
        sum[0] = sum[1] = 0;
        kernels().gemv(x + begin,
                       d_stride,
                       &d_factor[k * d_stride + begin],
                       sum,
                       2,
                       d_stride - begin);
        x[k] = (re[k] - sum[0]) * d_unit[k];
        x[d_stride + k] = (im[k] - sum[1]) * d_unit[k];
    }
    std::copy_n(x, d_count, x_re);
    std::copy_n(x + d_stride, d_count, x_im);
}

void path_sum::sum(const float* re, const float* im, float* h)
{
    const size_t nt = d_columns->stride(), width = 2 * nt;
    gains(re, im, d_unit.data(), d_scale.data());
    for (size_t k = 0; k < d_count; k++) {
        const float *a = &d_a[k * nt], x = d_unit[k], y = d_scale[k];
        float* z = &d_z[k * width];
        for (size_t c = 0; c < nt; c++) {
            z[c] = x * a[c];
            z[nt + c] = y * a[c];
        }
    }
    kernels().gemm(d_s_columns.data(),
                   d_stride,
                   d_z.data(),
                   width,
                   nullptr,
                   0,
                   h,
                   width,
                   d_rows->size(),
                   d_count,
                   width,
                   false);
}

} // namespace csifeedback
} // namespace gr
