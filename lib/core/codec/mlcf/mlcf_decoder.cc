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
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

const char* const where = "mlcf_decoder";
constexpr size_t max_bytes = size_t(1) << 30;

class mlcf_decoder_impl : public mlcf_decoder
{
public:
    mlcf_decoder_impl(const model_file& model, int code_size)
        : mlcf_decoder_impl(load_maps(model), model, code_size)
    {
    }

protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        auto map = d_maps.begin();
        while (map + 1 != d_maps.end() && int((map + 1)->dim()) * nt() <= m)
            ++map;
        if (m < int(map->dim()) * nt()) {
            std::fill(std::copy_n(s, m, d_code.begin()), d_code.end(), 0.0f);
            s = d_code.data();
        }
        map->apply(s, nt(), h_vec, output_size(), false);
    }

private:
    mlcf_decoder_impl(std::vector<local_map> maps, const model_file& model, int code_size)
        : mlcf_decoder({ "mlcf",
                         codec_number(where, "mlcf"),
                         model.model_id(),
                         model.domain(),
                         model.na(),
                         model.nt(),
                         checked_size(maps, model, code_size),
                         model.nc(),
                         model.precursor(),
                         model.array() }),
          d_maps(std::move(maps)),
          d_code(d_maps.front().dim() * nt())
    {
    }

    static std::vector<local_map> load_maps(const model_file& model)
    {
        std::vector<local_map> maps;
        const int na = model.na(), nt = model.nt();
        float before = 0;
        size_t bytes = 0;
        for (const float d : model.read("decoder/dimensions", { 0 }).data) {
            if (!(d > before && d * nt <= 65535 && d == std::floor(d)))
                throw_bad(where,
                          "a value of dimensions",
                          d,
                          "ascending whole numbers from 1, of which nt = " +
                              std::to_string(nt) + " times are at most 65535");
            before = d;
            const std::string name = std::to_string(int(d));
            maps.push_back(local_map::load(where,
                                           model,
                                           "decoder",
                                           "D_L_" + name,
                                           size_t(d),
                                           "D_H_" + name,
                                           2 * size_t(na)));
            maps.back().columns(nt);
            bytes += maps.back().bytes();
            if (bytes > max_bytes)
                throw_bad(where, "memory of the landmarks' distances", bytes, "1 GiB");
        }
        return maps;
    }

    static int checked_size(const std::vector<local_map>& maps,
                            const model_file& model,
                            int code_size)
    {
        // The UE may send more values than there is a pair for.
        size_t most = maps.back().dim() * model.nt();
        if (model.has("quantizer/std"))
            most = std::max(most, model.read("quantizer/std", { 0 }).shape[0]);
        check_range(where, "code_size", code_size, 0, int(std::min<size_t>(most, 65535)));
        return code_size ? code_size : most;
    }


    std::vector<local_map> d_maps; // by dimension
    std::vector<float> d_code;     // a short codeword
};

} // namespace

decoder::sptr mlcf_decoder::make(model_file::sptr model, int code_size)
{
    not_null("mlcf_decoder", "model", model);
    return std::make_shared<mlcf_decoder_impl>(*model, code_size);
}

} // namespace csifeedback
} // namespace gr
