/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/linear/mmse.h"
#include "codec/linear/projection.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/linear_decoder.h>
#include <volk/volk.h>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace gr {
namespace csifeedback {

namespace {

const char* const where = "linear_decoder";

// What both decoders below have of their matrix, a projection or an antenna_projection.
template <typename matrix>
class linear_decoder_impl : public linear_decoder
{
public:
    linear_decoder_impl(matrix p, float noise_variance)
        : linear_decoder(p.info("linear")),
          d_p(std::move(p)),
          d_noise_variance(noise_variance)
    {
        check_range(where, "noise_variance", noise_variance, 0.0f, 1e6f);
    }


protected:
    const matrix d_p;
    const float d_noise_variance;
};

// The rows of W are principal components: everything is diagonal.
template <typename matrix>
class klt_decoder : public linear_decoder_impl<matrix>
{
public:
    using linear_decoder_impl<matrix>::linear_decoder_impl;

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        this->d_p.multiply_transposed(s, h_vec, m);
        if (this->d_noise_variance > 0)
            volk_32f_s32f_multiply_32f(
                h_vec, h_vec, 1 / (1 + this->d_noise_variance), this->d_p.cols);
    }
};

// Whether the rows of W are principal components.
bool is_klt(const projection& p) { return p.codec == "klt" || p.codec == "klt-cells"; }

class mmse_decoder : public linear_decoder_impl<projection>
{
public:
    mmse_decoder(projection p, const model_file& model, float noise_variance)
        : linear_decoder_impl(std::move(p), noise_variance),
          d_estimate(model, d_p.cols, noise_variance)
    {
        matrix(d_p.rows);
    }

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        std::fill_n(h_vec, d_p.cols, 0.0f);
        kernels().add_rows(matrix(m).data(), d_p.cols, s, m, h_vec, d_p.cols);
    }

private:
    // The transpose of the estimate's matrix for a codeword of m values, m x cols. Made
    // once for every m that occurs.
    const mmse_estimate::matrix& matrix(size_t m)
    {
        auto found = d_matrices.find(m);
        if (found == d_matrices.end())
            found = d_matrices.emplace(m, d_estimate.transposed(d_p, m)).first;
        return found->second;
    }

    const mmse_estimate d_estimate;
    std::map<size_t, mmse_estimate::matrix> d_matrices;
};

} // namespace

decoder::sptr
linear_decoder::make(model_file::sptr model, int code_size, float noise_variance)
{
    not_null("linear_decoder", "model", model);
    if (antenna_projection::is_in(*model))
        return std::make_shared<klt_decoder<antenna_projection>>(
            antenna_projection::load(where, *model, code_size), noise_variance);
    projection p = projection::load(where, *model, code_size);
    if (is_klt(p))
        return std::make_shared<klt_decoder<projection>>(std::move(p), noise_variance);
    return std::make_shared<mmse_decoder>(std::move(p), *model, noise_variance);
}

} // namespace csifeedback
} // namespace gr
