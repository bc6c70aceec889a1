/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/local_map.h"
#include "codec/projection.h"
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

constexpr size_t most_bytes = size_t(1) << 30;

class mlcf_decoder_impl : public mlcf_decoder
{
public:
    mlcf_decoder_impl(const model_file& model, int code_size)
        : d_na(model.na()), d_nt(model.nt()), d_model_id(model.model_id())
    {
        const char* where = "mlcf_decoder";
        float before = 0;
        size_t bytes = 0;
        for (const float d : model.read("decoder/dimensions", { 0 }).data) {
            if (!(d > before && d * d_nt <= 65535 && d == std::floor(d)))
                throw_bad(where,
                          "a value of dimensions",
                          d,
                          "ascending whole numbers from 1, of which nt = " +
                              std::to_string(d_nt) + " times are at most 65535");
            before = d;
            const std::string name = std::to_string(int(d));
            d_maps.push_back(local_map::load(where,
                                             model,
                                             "decoder",
                                             "D_L_" + name,
                                             size_t(d),
                                             "D_H_" + name,
                                             2 * size_t(d_na)));
            d_maps.back().columns(d_nt);
            bytes += d_maps.back().bytes();
            if (bytes > most_bytes)
                throw_bad(where, "memory of the landmarks' distances", bytes, "1 GiB");
        }
        // The UE may send more values than there is a pair for.
        size_t most = d_maps.back().dim() * d_nt;
        if (model.has("quantizer/std"))
            most = std::max(most, model.read("quantizer/std", { 0 }).shape[0]);
        check_range(where, "code_size", code_size, 0, int(std::min<size_t>(most, 65535)));
        d_code_size = code_size ? code_size : most;
        d_code.resize(d_maps.front().dim() * d_nt);
    }

    std::string name() const override { return "mlcf"; }
    uint8_t codec_id() const override { return codec_number("mlcf_decoder", "mlcf"); }
    uint16_t model_id() const override { return d_model_id; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int code_size() const override { return d_code_size; }

    void decode(const float* s, int m, float* h_vec) override
    {
        auto map = d_maps.begin();
        while (map + 1 != d_maps.end() && int((map + 1)->dim()) * d_nt <= m)
            ++map;
        if (m < int(map->dim()) * d_nt) {
            std::fill(std::copy_n(s, m, d_code.begin()), d_code.end(), 0.0f);
            s = d_code.data();
        }
        map->apply(s, d_nt, h_vec, output_size(), false);
    }

private:
    const int d_na;
    const int d_nt;
    const uint16_t d_model_id;
    int d_code_size;
    std::vector<local_map> d_maps; // by dimension
    std::vector<float> d_code;     // a short codeword
};

} // namespace

decoder::sptr mlcf_decoder::make(model_file::sptr model, int code_size)
{
    if (!model)
        throw std::invalid_argument("mlcf_decoder: model is null");
    return std::make_shared<mlcf_decoder_impl>(*model, code_size);
}

} // namespace csifeedback
} // namespace gr
