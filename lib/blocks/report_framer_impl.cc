/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "frame_writer.h"
#include <gnuradio/csifeedback/report_framer.h>
#include <gnuradio/io_signature.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class report_framer_impl : public report_framer
{
public:
    report_framer_impl(const report_encoder& encoder,
                       int ue_id,
                       int max_bits,
                       const std::vector<uint8_t>& key,
                       const std::optional<compact_configuration>& compact)
        : gr::sync_block("csi_report_framer",
                         gr::io_signature::make2(0, 2, (max_bits + 7) / 8, sizeof(float)),
                         gr::io_signature::make(0, 0, 0)),
          d_format(encoder.format()),
          d_max_bits(max_bits),
          d_item_bytes((max_bits + 7) / 8),
          d_bits(max_bits),
          d_writer("report_framer",
                   encoder.codec_id(),
                   encoder.model_id(),
                   ue_id,
                   key,
                   compact)
    {
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t frames() const override { return d_writer.frames(); }
    uint64_t bits_sent() const override { return d_writer.bits_sent(); }
    uint64_t discarded() const override { return d_discarded.count(); }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star&) override
    {
        auto bits = static_cast<const uint8_t*>(input_items[0]);
        auto gain =
            input_items.size() > 1 ? static_cast<const float*>(input_items[1]) : nullptr;
        const uint64_t first = nitems_read(0);
        d_numbering.update([this, first, noutput_items](std::vector<tag_t>& tags) {
            get_tags_in_range(tags, 0, first, first + noutput_items, key::frame());
        });
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + noutput_items);
        std::sort(d_tags.begin(), d_tags.end(), tag_t::offset_compare);
        auto tag = d_tags.begin();
        for (int i = 0; i < noutput_items; i++, bits += d_item_bytes) {
            double residual_energy_db = no_residual_energy; // of this item alone
            for (; tag != d_tags.end() && tag->offset <= first + i; ++tag) {
                if (pmt::eq(tag->key, key::report_bits()) &&
                    !to_number(tag->value, d_bits))
                    d_bits = 0;
                if (pmt::eq(tag->key, key::residual_energy_db()))
                    residual_energy_db = to_real(tag->value, no_residual_energy);
            }
            send(bits,
                 d_bits,
                 gain ? gain[i] : 0,
                 d_numbering.at(first + i),
                 residual_energy_db);
        }
        return noutput_items;
    }

private:
    void send(const uint8_t* bits,
              uint64_t count,
              float gain_db,
              uint64_t frame,
              double residual_energy_db)
    {
        if (count < 1 || count > d_max_bits) {
            if (d_discarded.bad())
                d_logger->warn("discarding a report of {:d} bits, allowed is 1 to {:d}",
                               count,
                               d_max_bits);
            return;
        }
        if (!d_writer.has_gain(gain_db, d_discarded, *d_logger))
            return;
        d_discarded.good();
        const frame_content content{
            frame,         gain_db,       residual_energy_db,
            d_format.type, d_format.bits, d_format.size_of(count)
        };
        message_port_pub(key::pdus(), d_writer.write(content, bits, count));
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const uint8_t* bits = pdu.elements<uint8_t>(n);
        uint64_t count = 0, frame = 0;
        if (!bits || !pdu.number(key::report_bits(), count) || count > 8 * uint64_t(n) ||
            !pdu.frame(frame)) {
            if (d_discarded.bad())
                d_logger->warn(
                    "discarding a PDU that is not bytes with the keys frame and "
                    "report_bits");
            return;
        }
        send(bits,
             count,
             pdu.real(key::gain_db(), 0),
             frame,
             pdu.real(key::residual_energy_db(), no_residual_energy));
    }

    const report_format d_format;
    const uint64_t d_max_bits;
    const size_t d_item_bytes;
    uint64_t d_bits; // that count on the stream
    frame_writer d_writer;
    frame_numbering d_numbering;
    std::vector<tag_t> d_tags;
    burst_counter d_discarded;
};

} // namespace

report_framer::sptr
report_framer::make(report_encoder::sptr encoder,
                    int ue_id,
                    int budget,
                    const std::vector<uint8_t>& key,
                    const std::optional<compact_configuration>& compact)
{
    const char* where = "report_framer";
    not_null(where, "encoder", encoder);
    check_range(where, "budget", budget, 0, int(report_encoder::max_report_bits));
    return gnuradio::make_block_sptr<report_framer_impl>(
        *encoder, ue_id, budget ? budget : encoder->max_bits(), key, compact);
}

} // namespace csifeedback
} // namespace gr
