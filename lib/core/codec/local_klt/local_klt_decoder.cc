/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/local_klt/local_klt.h"
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <algorithm>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

class local_klt_decoder_impl : public local_klt_decoder
{
public:
    explicit local_klt_decoder_impl(local_klt p)
        : local_klt_decoder(p.info()),
          d_p(std::move(p)),
          d_re(d_p.plane()),
          d_im(d_p.plane()),
          d_out_re(d_p.plane()),
          d_out_im(d_p.plane())
    {
    }


protected:
    void do_decode(const float* s, int m, float* h_vec) override
    {
        const int na = d_p.na, nt = d_p.nt;
        int row_patch, column_patch;
        d_p.read_patches(s, m, row_patch, column_patch);
        const int count = std::max(0, m - d_p.bits());
        const uint32_t* order = d_p.order(row_patch, column_patch, (count + 1) / 2);
        std::fill(d_re.begin(), d_re.end(), 0.0f);
        std::fill(d_im.begin(), d_im.end(), 0.0f);
        s += d_p.bits();
        for (int i = 0; i < count; i++)
            (i % 2 ? d_im : d_re)[order[i / 2]] = s[i];
        d_p.transform(row_patch,
                      column_patch,
                      d_re.data(),
                      d_im.data(),
                      d_out_re.data(),
                      d_out_im.data());
        for (int a = 0; a < na; a++) {
            std::copy_n(d_out_re.data() + a * d_p.stride(), nt, h_vec + a * nt);
            std::copy_n(d_out_im.data() + a * d_p.stride(), nt, h_vec + (na + a) * nt);
        }
    }

private:
    local_klt d_p;
    volk::vector<float> d_re, d_im, d_out_re, d_out_im;
};

} // namespace

decoder::sptr local_klt_decoder::make(model_file::sptr model, int code_size)
{
    not_null("local_klt_decoder", "model", model);
    return std::make_shared<local_klt_decoder_impl>(
        local_klt("local_klt_decoder", *model, code_size, false));
}

} // namespace csifeedback
} // namespace gr
