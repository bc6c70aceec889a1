/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class csi_encoder_impl : public csi_encoder
{
public:
    explicit csi_encoder_impl(encoder::sptr encoder)
        : gr::block("csi_encoder",
                    gr::io_signature::make(
                        0, 1, sizeof(gr_complex) * encoder->na() * encoder->nt()),
                    gr::io_signature::make2(
                        0, 2, sizeof(float) * encoder->code_size(), sizeof(float))),
          d_held(codec_part::hold(encoder, "csi_encoder")),
          d_encoder(encoder),
          d_size(size_t(encoder->na()) * encoder->nt()),
          d_code_size(encoder->code_size()),
          d_h_vec(2 * d_size)
    {
        enlarge_output_buffers(*this);
        // Items may be discarded, so tags are moved here.
        set_tag_propagation_policy(TPP_DONT);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t discarded() const override { return d_discarded.count(); }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const gr_complex*>(input_items[0]);
        auto s = static_cast<float*>(output_items[0]);
        auto gain =
            output_items.size() > 1 ? static_cast<float*>(output_items[1]) : nullptr;
        const uint64_t first = nitems_read(0), written = nitems_written(0);
        const int available = ninput_items[0];
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + available);
        d_numbering.update([this, first, available](std::vector<tag_t>& tags) {
            get_tags_in_range(tags, 0, first, first + available, key::frame());
        });
        size_t next_tag = 0;
        int consumed = 0, produced = 0;
        for (; consumed < available && produced < noutput_items; consumed++) {
            const uint64_t frame = d_numbering.at(first + consumed);
            for (;
                 next_tag < d_tags.size() && d_tags[next_tag].offset <= first + consumed;
                 next_tag++)
                if (!pmt::eq(d_tags[next_tag].key, key::frame()))
                    add_tag(written + produced, d_tags[next_tag]);
            float residual_energy_db;
            const float gain_db = encode(
                in + consumed * d_size, s + produced * d_code_size, residual_energy_db);
            if (std::isnan(gain_db))
                continue;
            if (frame != d_next_frame || written + produced == 0) {
                const pmt::pmt_t number = pmt::from_uint64(frame);
                for (size_t port = 0; port < output_items.size(); port++)
                    add_item_tag(port, written + produced, key::frame(), number);
            }
            d_next_frame = frame + 1;
            if (!std::isnan(residual_energy_db))
                add_item_tag(0,
                             written + produced,
                             key::residual_energy_db(),
                             pmt::from_double(residual_energy_db));
            if (gain)
                gain[produced] = gain_db;
            produced++;
        }
        consume(0, consumed);
        return produced;
    }

private:
    void add_tag(uint64_t offset, tag_t tag)
    {
        tag.offset = offset;
        add_item_tag(0, tag);
    }

    // Returns the gain in dB, or NaN for a matrix that cannot be encoded.
    float encode(const gr_complex* ha, float* s, float& residual_energy_db)
    {
        const float gain_db = normalize_csi(ha, d_size, d_h_vec.data());
        if (std::isnan(gain_db)) {
            if (d_discarded.bad())
                d_logger->warn("discarding a matrix that is all zero or not finite");
            return gain_db;
        }
        try {
            residual_energy_db = d_encoder->encode(d_h_vec.data(), s, d_code_size);
        } catch (const std::exception& error) {
            if (d_discarded.bad())
                d_logger->warn(
                    "discarding a matrix that the encoder {:s} failed on: {:s}",
                    d_encoder->name(),
                    error.what());
            return encoder::no_residual;
        }
        d_discarded.good();
        return gain_db;
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const gr_complex* ha = pdu.elements<gr_complex>(n);
        if (!ha || n != d_size) {
            if (d_discarded.bad())
                d_logger->warn("discarding a PDU that is not {:d} complex values",
                               d_size);
            return;
        }
        const pmt::pmt_t s = pmt::make_f32vector(d_code_size, 0);
        float residual_energy_db;
        const float gain_db =
            encode(ha, pmt::f32vector_writable_elements(s, n), residual_energy_db);
        if (std::isnan(gain_db))
            return;
        pmt::pmt_t metadata =
            pmt::dict_add(pdu.metadata(), key::gain_db(), pmt::from_double(gain_db));
        if (!std::isnan(residual_energy_db))
            metadata = pmt::dict_add(metadata,
                                     key::residual_energy_db(),
                                     pmt::from_double(residual_energy_db));
        message_port_pub(key::pdus(), pmt::cons(metadata, s));
    }

    const std::shared_ptr<void> d_held;
    const encoder::sptr d_encoder;
    const size_t d_size;
    const size_t d_code_size;
    volk::vector<float> d_h_vec;
    std::vector<tag_t> d_tags;
    frame_numbering d_numbering;
    uint64_t d_next_frame = 0; // frame number that needs no tag
    burst_counter d_discarded;
};

} // namespace

csi_encoder::sptr csi_encoder::make(encoder::sptr encoder)
{
    return gnuradio::make_block_sptr<csi_encoder_impl>(
        not_null("csi_encoder", "encoder", encoder));
}

} // namespace csifeedback
} // namespace gr
