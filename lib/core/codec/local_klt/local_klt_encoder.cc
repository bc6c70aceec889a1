/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/local_klt/local_klt.h"
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <algorithm>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

class local_klt_encoder_impl : public local_klt_encoder
{
public:
    explicit local_klt_encoder_impl(local_klt p)
        : local_klt_encoder(p.info()),
          d_p(std::move(p)),
          d_re(d_p.plane(), 0.0f),
          d_im(d_p.plane(), 0.0f),
          d_out_re(d_p.plane()),
          d_out_im(d_p.plane())
    {
    }


protected:
    float do_encode(const float* h_vec, float* s, int m) override
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
            return no_residual;
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
        return no_residual;
    }

private:
    local_klt d_p;
    volk::vector<float> d_re, d_im, d_out_re, d_out_im;
};

} // namespace

encoder::sptr local_klt_encoder::make(model_file::sptr model, int code_size)
{
    not_null("local_klt_encoder", "model", model);
    return std::make_shared<local_klt_encoder_impl>(
        local_klt("local_klt_encoder", *model, code_size, true));
}

} // namespace csifeedback
} // namespace gr
