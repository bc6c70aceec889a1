/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/projection.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/linear_decoder.h>
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <volk/volk.h>
#include <algorithm>
#include <map>

namespace gr {
namespace csifeedback {

namespace {

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using double_matrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class linear_decoder_impl : public linear_decoder
{
public:
    linear_decoder_impl(const model_file& model, int code_size, float noise_variance)
        : d_p(projection::load("linear_decoder", model, code_size)),
          d_is_klt(d_p.codec == "klt"),
          d_noise_variance(noise_variance)
    {
        check_range("linear_decoder", "noise_variance", noise_variance, 0.0f, 1e6f);
        // The rows of a KLT are the principal components: everything is diagonal.
        if (d_is_klt)
            return;
        const size_t n = d_p.cols / 2;
        const float_array basis = model.read("decoder/basis", { 0, n, 2 });
        const size_t components = 2 * basis.shape[0];
        d_basis.is_complex = true;
        d_basis.rows = components;
        d_basis.cols = d_p.cols;
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
        matrix(d_p.rows);
    }

    std::string name() const override { return "linear"; }
    uint8_t codec_id() const override { return d_p.codec_id; }
    uint16_t model_id() const override { return d_p.model_id; }
    int na() const override { return d_p.na; }
    int nt() const override { return d_p.nt; }
    int code_size() const override { return d_p.rows; }

    void decode(const float* s, int m, float* h_vec) override
    {
        if (!d_is_klt) {
            std::fill_n(h_vec, d_p.cols, 0.0f);
            kernels().add_rows(matrix(m).data(), d_p.cols, s, m, h_vec, d_p.cols);
            return;
        }
        d_p.multiply_transposed(s, h_vec, m);
        if (d_noise_variance > 0)
            volk_32f_s32f_multiply_32f(
                h_vec, h_vec, 1 / (1 + d_noise_variance), d_p.cols);
    }

private:
    static double_matrix rows_of(const projection& p, size_t m)
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

    // The transpose of R W^T (W R W^T + D)^-1 for a codeword of m values, m x cols. Made
    // once for every m that occurs.
    const row_matrix& matrix(size_t m)
    {
        auto found = d_matrices.find(m);
        if (found != d_matrices.end())
            return found->second;
        const double_matrix w = rows_of(d_p, m), basis = rows_of(d_basis, d_basis.rows);
        double_matrix cross = w * basis.transpose() * d_variance.asDiagonal() * basis;
        cross += d_floor * w;
        Eigen::MatrixXd s = cross * w.transpose();
        // A small load keeps the system regular where W has dependent rows.
        const Eigen::VectorXd diagonal = s.diagonal();
        s.diagonal() += d_noise_variance * diagonal;
        s.diagonal().array() += 1e-9 * diagonal.mean();
        const row_matrix result = s.llt().solve(cross).cast<float>();
        return d_matrices.emplace(m, result).first->second;
    }

    const projection d_p;
    const bool d_is_klt;
    const float d_noise_variance;
    projection d_basis;
    Eigen::VectorXd d_variance;
    double d_floor = 0;
    std::map<size_t, row_matrix> d_matrices;
};

} // namespace

decoder::sptr
linear_decoder::make(model_file::sptr model, int code_size, float noise_variance)
{
    if (!model)
        throw std::invalid_argument("linear_decoder: model is null");
    return std::make_shared<linear_decoder_impl>(*model, code_size, noise_variance);
}

} // namespace csifeedback
} // namespace gr
