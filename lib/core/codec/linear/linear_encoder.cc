/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/linear/projection.h"
#include <gnuradio/csifeedback/linear_encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

template <typename matrix> // projection or antenna_projection
class linear_encoder_impl : public linear_encoder
{
public:
    explicit linear_encoder_impl(matrix p)
        : linear_encoder(p.info(p.codec)), d_p(std::move(p))
    {
    }

protected:
    float do_encode(const float* h_vec, float* s, int m) override
    {
        std::fill_n(s, m, 0.0f);
        d_p.multiply_add(h_vec, s, m);
        return no_residual;
    }

private:
    const matrix d_p;
};

} // namespace

encoder::sptr linear_encoder::make(model_file::sptr model, int code_size)
{
    not_null("linear_encoder", "model", model);
    const char* where = "linear_encoder";
    if (antenna_projection::is_in(*model))
        return std::make_shared<linear_encoder_impl<antenna_projection>>(
            antenna_projection::load(where, *model, code_size));
    return std::make_shared<linear_encoder_impl<projection>>(
        projection::load(where, *model, code_size));
}

encoder::sptr linear_encoder::make_from_matrix(const std::vector<float>& w,
                                               int na,
                                               int nt,
                                               int model_id)
{
    return std::make_shared<linear_encoder_impl<projection>>(
        projection::from_matrix("linear_encoder", w, na, nt, model_id));
}

} // namespace csifeedback
} // namespace gr
