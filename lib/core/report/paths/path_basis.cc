/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include "report/paths/path_basis.h"
#include "report/paths/short_vectors.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

path_basis::path_basis(std::shared_ptr<const dirichlet_axis> rows,
                       std::shared_ptr<const dirichlet_axis> columns,
                       int max_paths)
    : d_rows(std::move(rows)),
      d_columns(std::move(columns)),
      d_max(whole_registers(max_paths + 1)),
      d_s(d_max * d_rows->stride()),
      d_a(d_max * d_columns->stride()),
      d_inverse(d_max * d_max, 0.0f),
      d_gram(2 * d_max),
      d_products(d_max)
{
}

float path_basis::prepare(float delay, float angle)
{
    const size_t na = d_rows->stride(), nt = d_columns->stride(), n = d_size;
    float *s = &d_s[n * na], *a = &d_a[n * nt];
    d_rows->value(delay, s);
    d_columns->value(angle, a);
    float *gram = d_gram.data(), *other = gram + d_max, *v = d_products.data();
    std::fill_n(gram, n, 0.0f);
    std::fill_n(other, n, 0.0f);
    std::fill_n(v, n, 0.0f);
    kernels().gemv(d_s.data(), na, s, gram, n, na);
    kernels().gemv(d_a.data(), nt, a, other, n, nt);
    for (size_t k = 0; k < n; k++)
        gram[k] *= other[k];
    kernels().gemv(d_inverse.data(), d_max, gram, v, n, n);
    d_norm = dot(s, s, na) * dot(a, a, nt);
    for (size_t k = 0; k < n; k++)
        d_norm -= v[k] * v[k];
    d_operations += (n + 4) * (na + nt) + n * (n + 2);
    return d_norm;
}

void path_basis::project(float* correlation, const float* re, const float* im) const
{
    for (int k = 0; k < d_size; k++) {
        correlation[0] -= d_products[k] * re[k];
        correlation[1] -= d_products[k] * im[k];
    }
    d_operations += 2 * d_size + 2;
    const float unit = 1 / std::sqrt(d_norm);
    correlation[0] *= unit;
    correlation[1] *= unit;
}

void path_basis::accept()
{
    const size_t n = d_size;
    float* last = &d_inverse[n * d_max];
    std::fill_n(last, d_max, 0.0f);
    if (d_norm >= min_norm) {
        const float unit = 1 / std::sqrt(d_norm);
        for (size_t k = 0; k < n; k++)
            d_gram[k] = -unit * d_products[k];
        kernels().add_rows(d_inverse.data(), d_max, d_gram.data(), n, last, n);
        last[n] = unit;
        d_operations += n * (n + 1);
    }
    d_size++;
}

} // namespace csifeedback
} // namespace gr
