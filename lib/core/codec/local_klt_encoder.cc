/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/local_klt.h"
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <algorithm>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

class local_klt_encoder_impl : public local_klt_encoder
{
public:
    local_klt_encoder_impl(const model_file& model, int code_size)
        : d_p("local_klt_encoder", model, code_size, true),
          d_re(d_p.plane(), 0.0f),
          d_im(d_p.plane(), 0.0f),
          d_out_re(d_p.plane()),
          d_out_im(d_p.plane())
    {
    }

    std::string name() const override { return d_p.codec; }
    uint8_t codec_id() const override { return d_p.codec_id; }
    uint16_t model_id() const override { return d_p.model_id; }
    int na() const override { return d_p.na; }
    int nt() const override { return d_p.nt; }
    int code_size() const override { return d_p.code_size(); }

    void encode(const float* h_vec, float* s, int m) override
    {
        const int na = d_p.na, nt = d_p.nt;
        for (int a = 0; a < na; a++) {
            std::copy_n(h_vec + a * nt, nt, d_re.data() + a * d_p.stride());
            std::copy_n(h_vec + (na + a) * nt, nt, d_im.data() + a * d_p.stride());
        }
        int row_patch, column_patch;
        d_p.choose(d_re.data(), d_im.data(), row_patch, column_patch);
        d_p.write_patches(row_patch, column_patch, s, m);
        if (m <= d_p.bits())
            return;
        d_p.transform(row_patch,
                      column_patch,
                      d_re.data(),
                      d_im.data(),
                      d_out_re.data(),
                      d_out_im.data());
        const int count = m - d_p.bits();
        const uint32_t* order = d_p.order(row_patch, column_patch, (count + 1) / 2);
        s += d_p.bits();
        for (int i = 0; i < count; i++)
            s[i] = (i % 2 ? d_out_im : d_out_re)[order[i / 2]];
    }

private:
    local_klt d_p;
    volk::vector<float> d_re, d_im, d_out_re, d_out_im;
};

} // namespace

encoder::sptr local_klt_encoder::make(model_file::sptr model, int code_size)
{
    if (!model)
        throw std::invalid_argument("local_klt_encoder: model is null");
    return std::make_shared<local_klt_encoder_impl>(*model, code_size);
}

} // namespace csifeedback
} // namespace gr
