/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "codec/linear/projection.h"
#include "codec/mlcf/local_map.h"
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class mlcf_encoder_impl : public mlcf_encoder
{
public:
    mlcf_encoder_impl(const model_file& model, int code_size)
        : mlcf_encoder_impl(local_map::load("mlcf_encoder",
                                            model,
                                            "encoder",
                                            "D_H",
                                            2 * size_t(model.na()),
                                            "D_L",
                                            0),
                            model,
                            code_size)
    {
    }


protected:
    float do_encode(const float* h_vec, float* s, int m) override
    {
        const double rest = d_map.apply(h_vec, nt(), s, m, true);
        double energy = 0;
        for (int i = 0; i < input_size(); i++)
            energy += double(h_vec[i]) * h_vec[i];
        constexpr double least = 1e-10; // -100 dB, also of zero
        return 10 * std::log10(std::max(energy > 0 ? rest / energy : 0, least));
    }

private:
    mlcf_encoder_impl(local_map map, const model_file& model, int code_size)
        : mlcf_encoder({ codec,
                         codec_number("mlcf_encoder", codec),
                         model.model_id(),
                         model.domain(),
                         model.na(),
                         model.nt(),
                         checked_size(map.image_dim(), model.nt(), code_size),
                         model.nc(),
                         model.precursor(),
                         model.array() }),
          d_map(std::move(map))
    {
        d_map.columns(nt());
    }

    static int checked_size(size_t dim, int nt, int code_size)
    {
        const size_t most = dim * nt;
        // The frame's code_size field has 16 bits.
        check_range<size_t>("mlcf_encoder", "length of a whole codeword", most, 1, 65535);
        if (code_size < 0 || code_size > int(most) || code_size % nt)
            throw_bad("mlcf_encoder",
                      "code_size",
                      code_size,
                      "0 or a multiple of nt = " + std::to_string(nt) + " to " +
                          std::to_string(most));
        return code_size ? code_size : most;
    }

    static constexpr const char* codec = "mlcf";
    local_map d_map;
};

} // namespace

encoder::sptr mlcf_encoder::make(model_file::sptr model, int code_size)
{
    not_null("mlcf_encoder", "model", model);
    return std::make_shared<mlcf_encoder_impl>(*model, code_size);
}

} // namespace csifeedback
} // namespace gr
