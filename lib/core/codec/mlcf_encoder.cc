/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/local_map.h"
#include "codec/projection.h"
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

class mlcf_encoder_impl : public mlcf_encoder
{
public:
    mlcf_encoder_impl(const model_file& model, int code_size)
        : d_na(model.na()),
          d_nt(model.nt()),
          d_model_id(model.model_id()),
          d_map(local_map::load(
              "mlcf_encoder", model, "encoder", "D_H", 2 * size_t(d_na), "D_L", 0))
    {
        const size_t most = d_map.image_dim() * d_nt;
        // The frame's code_size field has 16 bits.
        check_range<size_t>("mlcf_encoder", "length of a whole codeword", most, 1, 65535);
        d_code_size = code_size ? code_size : most;
        if (code_size < 0 || d_code_size > int(most) || d_code_size % d_nt)
            throw_bad("mlcf_encoder",
                      "code_size",
                      code_size,
                      "0 or a multiple of nt = " + std::to_string(d_nt) + " to " +
                          std::to_string(most));
        d_map.columns(d_nt);
    }

    std::string name() const override { return "mlcf"; }
    uint8_t codec_id() const override { return codec_number("mlcf_encoder", "mlcf"); }
    uint16_t model_id() const override { return d_model_id; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int code_size() const override { return d_code_size; }

    void encode(const float* h_vec, float* s, int m) override
    {
        const double rest = d_map.apply(h_vec, d_nt, s, m, true);
        double energy = 0;
        for (int i = 0; i < input_size(); i++)
            energy += double(h_vec[i]) * h_vec[i];
        d_mismatch = energy > 0 ? rest / energy : 0;
    }
    float mismatch() const override { return d_mismatch; }

private:
    const int d_na;
    const int d_nt;
    const uint16_t d_model_id;
    int d_code_size;
    local_map d_map;
    float d_mismatch = std::numeric_limits<float>::quiet_NaN();
};

} // namespace

encoder::sptr mlcf_encoder::make(model_file::sptr model, int code_size)
{
    if (!model)
        throw std::invalid_argument("mlcf_encoder: model is null");
    return std::make_shared<mlcf_encoder_impl>(*model, code_size);
}

} // namespace csifeedback
} // namespace gr
