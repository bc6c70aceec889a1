/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_report_decoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <chrono>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

class csi_report_decoder_impl : public csi_report_decoder
{
public:
    csi_report_decoder_impl(report_decoder::sptr decoder, int max_bits)
        : gr::sync_block("csi_report_decoder",
                         gr::io_signature::make2(0, 2, (max_bits + 7) / 8, sizeof(float)),
                         gr::io_signature::make(
                             0, 1, sizeof(gr_complex) * decoder->rows() * decoder->nt())),
          d_held(codec_part::hold(decoder, "csi_report_decoder")),
          d_decoder(decoder),
          d_size(size_t(decoder->rows()) * decoder->nt()),
          d_max_bits(max_bits),
          d_item_bytes((max_bits + 7) / 8),
          d_bits(max_bits),
          d_h_vec(2 * d_size)
    {
        enlarge_output_buffers(*this);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t discarded() const override { return d_discarded.count(); }
    uint64_t decoded() const override { return d_decoded; }
    double mean_time() const override
    {
        const uint64_t decoded = d_decoded;
        return decoded ? 1e-9 * d_nanoseconds / decoded
                       : std::numeric_limits<double>::quiet_NaN();
    }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto bits = static_cast<const uint8_t*>(input_items[0]);
        auto gain =
            input_items.size() > 1 ? static_cast<const float*>(input_items[1]) : nullptr;
        auto out = static_cast<gr_complex*>(output_items[0]);
        const uint64_t first = nitems_read(0);
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + noutput_items, key::report_bits());
        std::sort(d_tags.begin(), d_tags.end(), tag_t::offset_compare);
        auto tag = d_tags.begin();
        for (int i = 0; i < noutput_items; i++, bits += d_item_bytes, out += d_size) {
            for (; tag != d_tags.end() && tag->offset <= first + i; ++tag)
                if (!to_number(tag->value, d_bits))
                    d_bits = 0;
            if (!decode(bits, d_bits, gain ? gain[i] : 0, out))
                std::fill_n(out, d_size, gr_complex(0));
        }
        return noutput_items;
    }

private:
    bool decode(const uint8_t* bits, uint64_t count, float gain_db, gr_complex* h)
    {
        if (count < 1 || count > d_max_bits || !is_gain(gain_db)) {
            if (d_discarded.bad())
                d_logger->warn("discarding a report of {:d} bits and {:g} dB, allowed is "
                               "1 to {:d} bits and -1000 to 780 dB",
                               count,
                               gain_db,
                               d_max_bits);
            return false;
        }
        const auto start = std::chrono::steady_clock::now();
        try {
            d_decoder->decode(bits, count, d_h_vec.data());
        } catch (const std::exception& error) {
            if (d_discarded.bad())
                d_logger->warn("discarding a report that {:s} failed on: {:s}",
                               d_decoder->name(),
                               error.what());
            return false;
        }
        denormalize_csi(d_h_vec.data(), d_size, gain_db, h);
        const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
        d_nanoseconds += time.count();
        d_decoded++;
        d_discarded.good();
        return true;
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const uint8_t* bits = pdu.elements<uint8_t>(n);
        uint64_t count = 8 * uint64_t(n);
        pdu.number(key::report_bits(), count);
        if (!bits || count > 8 * uint64_t(n)) {
            if (d_discarded.bad())
                d_logger->warn("discarding a PDU that is not bytes, with the key "
                               "report_bits, and at least so many bits");
            return;
        }
        const pmt::pmt_t h = pmt::make_c32vector(d_size, 0);
        size_t size;
        if (decode(bits,
                   count,
                   pdu.real(key::gain_db(), 0),
                   pmt::c32vector_writable_elements(h, size)))
            message_port_pub(key::pdus(), pmt::cons(pdu.metadata(), h));
    }

    const std::shared_ptr<void> d_held;
    const report_decoder::sptr d_decoder;
    const size_t d_size;
    const uint64_t d_max_bits;
    const size_t d_item_bytes;
    uint64_t d_bits; // that count on the stream
    volk::vector<float> d_h_vec;
    std::vector<tag_t> d_tags;
    std::atomic<uint64_t> d_decoded{ 0 };
    std::atomic<uint64_t> d_nanoseconds{ 0 };
    burst_counter d_discarded;
};

} // namespace

csi_report_decoder::sptr csi_report_decoder::make(report_decoder::sptr decoder,
                                                  int max_bits)
{
    const char* where = "csi_report_decoder";
    not_null(where, "decoder", decoder);
    if (max_bits)
        check_range(where, "max_bits", max_bits, 1, int(report_encoder::max_report_bits));
    return gnuradio::make_block_sptr<csi_report_decoder_impl>(
        decoder, max_bits ? max_bits : decoder->max_bits());
}

} // namespace csifeedback
} // namespace gr
