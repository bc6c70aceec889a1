/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "encoding_block.h"
#include <gnuradio/csifeedback/csi_encoder.h>

namespace gr {
namespace csifeedback {

namespace {

struct codeword_coding {
    encoder::sptr part;
    int code_size = part->code_size();
    size_t item_bytes = sizeof(float) * code_size;

    void encode(const float* h_vec, void* to, encoded_item& item)
    {
        item.residual_energy_db = part->encode(h_vec, static_cast<float*>(to), code_size);
    }
    pmt::pmt_t make_payload(void*& to)
    {
        const pmt::pmt_t payload = pmt::make_f32vector(code_size, 0);
        size_t n;
        to = pmt::f32vector_writable_elements(payload, n);
        return payload;
    }
    pmt::pmt_t finish(const pmt::pmt_t& payload, pmt::pmt_t&, const encoded_item&)
    {
        return payload;
    }
    template <typename function>
    void add_tags(function&&, const encoded_item&)
    {
    }
};

class csi_encoder_impl : public encoding_block<csi_encoder, codeword_coding>
{
public:
    explicit csi_encoder_impl(encoder::sptr encoder)
        : csi_encoder_impl(codeword_coding{ encoder })
    {
    }

private:
    explicit csi_encoder_impl(const codeword_coding& coding)
        : gr::block("csi_encoder", input_of(coding), output_of(coding)),
          encoding_block("csi_encoder", coding)
    {
    }
};

} // namespace

csi_encoder::sptr csi_encoder::make(encoder::sptr encoder)
{
    return gnuradio::make_block_sptr<csi_encoder_impl>(
        not_null("csi_encoder", "encoder", encoder));
}

} // namespace csifeedback
} // namespace gr
