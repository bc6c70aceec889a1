/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/linear/mmse.h"
#include <Eigen/Cholesky>
#include <algorithm>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

using double_matrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

double_matrix rows_of(const projection& p, size_t m)
{
    double_matrix rows(m, p.cols);
    Eigen::VectorXf unit = Eigen::VectorXf::Zero(m), row(p.cols);
    for (size_t r = 0; r < m; r++) {
        unit[r] = 1;
        p.multiply_transposed(unit.data(), row.data(), m);
        rows.row(r) = row.cast<double>();
        unit[r] = 0;
    }
    return rows;
}

} // namespace

mmse_estimate::mmse_estimate(const model_file& model, size_t cols, float noise_variance)
    : d_noise_variance(noise_variance)
{
    const float_array basis = model.read("decoder/basis", { 0, cols / 2, 2 });
    const size_t components = 2 * basis.shape[0];
    d_basis.is_complex = true;
    d_basis.rows = components;
    d_basis.cols = cols;
    d_basis.w = split_complex_rows(basis, basis.shape[0]);
    const float_array variance = model.read("decoder/variance", { components });
    const float_array floor = model.read("decoder/floor", { 1 });
    d_floor = floor.data[0];
    d_variance = Eigen::Map<const Eigen::VectorXf>(variance.data.data(), components)
                     .cast<double>();
    d_variance.array() -= d_floor;
    if (!(d_floor >= 0) || !(d_variance.minCoeff() >= 0))
        throw std::invalid_argument(model.path() +
                                    ": 'decoder/floor' is negative or above a value "
                                    "of 'decoder/variance'");
}

mmse_estimate::matrix mmse_estimate::transposed(const projection& w_rows, size_t m) const
{
    const double_matrix w = rows_of(w_rows, m), basis = rows_of(d_basis, d_basis.rows);
    double_matrix cross = w * basis.transpose() * d_variance.asDiagonal() * basis;
    cross += d_floor * w;
    Eigen::MatrixXd s = cross * w.transpose();
    // A small load keeps the system regular where W has dependent rows.
    const Eigen::VectorXd diagonal = s.diagonal();
    s.diagonal() += d_noise_variance * diagonal;
    s.diagonal().array() += 1e-9 * diagonal.mean();
    return s.llt().solve(cross).cast<float>();
}

projection mmse_estimate::vectors(const projection& w, size_t m) const
{
    const matrix all = transposed(w, m);
    projection p;
    p.rows = m;
    p.cols = w.cols;
    // A phase of h turns s by the same where W is of complex vectors and the two real
    // components of each complex one are alike.
    p.is_complex = w.is_complex && m % 2 == 0;
    for (Eigen::Index i = 0; i < d_variance.size(); i += 2)
        p.is_complex = p.is_complex && d_variance[i] == d_variance[i + 1];
    const size_t step = p.is_complex ? 2 : 1;
    p.w.resize(m / step * p.cols);
    for (size_t r = 0; r < m / step; r++)
        std::copy_n(all.row(r * step).data(), p.cols, p.w.begin() + r * p.cols);
    return p;
}

} // namespace csifeedback
} // namespace gr
