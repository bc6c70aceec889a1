/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/projection.h"
#include <gnuradio/csifeedback/linear_encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class linear_encoder_impl : public linear_encoder
{
public:
    explicit linear_encoder_impl(projection p) : d_p(std::move(p)) {}

    std::string name() const override { return d_p.codec; }
    uint8_t codec_id() const override { return d_p.codec_id; }
    uint16_t model_id() const override { return d_p.model_id; }
    int na() const override { return d_p.na; }
    int nt() const override { return d_p.nt; }
    int code_size() const override { return d_p.rows; }
    void encode(const float* h_vec, float* s, int m) override
    {
        std::fill_n(s, m, 0.0f);
        d_p.multiply_add(h_vec, s, m);
    }

private:
    const projection d_p;
};

} // namespace

encoder::sptr linear_encoder::make(model_file::sptr model, int code_size)
{
    if (!model)
        throw std::invalid_argument("linear_encoder: model is null");
    return std::make_shared<linear_encoder_impl>(
        projection::load("linear_encoder", *model, code_size));
}

encoder::sptr linear_encoder::make_from_matrix(const std::vector<float>& w,
                                               int na,
                                               int nt,
                                               int model_id)
{
    return std::make_shared<linear_encoder_impl>(
        projection::from_matrix("linear_encoder", w, na, nt, model_id));
}

} // namespace csifeedback
} // namespace gr
