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
#include <cmath>
#include <map>

namespace gr {
namespace csifeedback {

namespace {

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class linear_decoder_impl : public linear_decoder
{
public:
    linear_decoder_impl(const model_file& model, int code_size, float noise_variance)
        : d_p(projection::load("linear_decoder", model, code_size)),
          d_noise_variance(noise_variance)
    {
        check_range("linear_decoder", "noise_variance", noise_variance, 0.0f, 1e6f);
        if (d_p.codec == "klt") {
            // W's rows are the principal components themselves: everything is diagonal.
            d_shrink.resize(d_p.rows, 1 / (1 + noise_variance));
            return;
        }
        const size_t n = d_p.cols / 2;
        const float_array basis = model.read("decoder/basis", { 0, n, 2 });
        const size_t components = 2 * basis.shape[0];
        const volk::vector<float> rows = expand_complex_rows(basis, components);
        d_basis = Eigen::Map<const row_matrix>(rows.data(), components, d_p.cols);
        const float_array variance = model.read("decoder/variance", { components });
        const float_array floor = model.read("decoder/floor", { 1 });
        d_floor = floor.data[0];
        d_variance = Eigen::Map<const Eigen::VectorXf>(variance.data.data(), components);
        d_variance.array() -= d_floor;
        if (!(d_floor >= 0) || !(d_variance.minCoeff() >= 0))
            throw std::invalid_argument(
                model.path() + ": 'decoder/variance' and 'decoder/floor' are no " +
                "variances in decreasing order");
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
        const float* w = d_p.w.data();
        if (d_shrink.empty())
            w = matrix(m).data();
        gemv_transposed(w, s, h_vec, m, d_p.cols);
        if (!d_shrink.empty() && d_noise_variance > 0)
            for (size_t i = 0; i < d_p.cols; i++)
                h_vec[i] *= d_shrink[0];
    }

private:
    // The transpose of R W^T (W R W^T + D)^-1 for a codeword of m values, m x cols. Made
    // once for every m that occurs.
    const row_matrix& matrix(size_t m)
    {
        auto found = d_matrices.find(m);
        if (found != d_matrices.end())
            return found->second;
        const Eigen::Map<const row_matrix> w(d_p.w.data(), m, d_p.cols);
        const row_matrix projected = w * d_basis.transpose();
        row_matrix cross = (projected * d_variance.asDiagonal()) * d_basis;
        cross += d_floor * w;
        Eigen::MatrixXf s = cross * w.transpose();
        // A small load keeps the system regular where W has dependent rows.
        const Eigen::VectorXf diagonal = s.diagonal();
        s.diagonal() += d_noise_variance * diagonal;
        s.diagonal().array() += 1e-6f * diagonal.mean();
        return d_matrices.emplace(m, s.llt().solve(cross)).first->second;
    }

    const projection d_p;
    const float d_noise_variance;
    volk::vector<float> d_shrink;
    row_matrix d_basis;
    Eigen::VectorXf d_variance;
    float d_floor = 0;
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
