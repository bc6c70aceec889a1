/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/mmse.h"
#include "codec/projection.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/linear_decoder.h>
#include <volk/volk.h>
#include <algorithm>
#include <map>
#include <memory>

namespace gr {
namespace csifeedback {

namespace {

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
        d_estimate = std::make_unique<mmse_estimate>(model, d_p.cols, noise_variance);
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
    // The transpose of the estimate's matrix for a codeword of m values, m x cols. Made
    // once for every m that occurs.
    const mmse_estimate::matrix& matrix(size_t m)
    {
        auto found = d_matrices.find(m);
        if (found == d_matrices.end())
            found = d_matrices.emplace(m, d_estimate->transposed(d_p, m)).first;
        return found->second;
    }

    const projection d_p;
    const bool d_is_klt;
    const float d_noise_variance;
    std::unique_ptr<mmse_estimate> d_estimate;
    std::map<size_t, mmse_estimate::matrix> d_matrices;
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
