/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/codewords.h"
#include "common.h"
#include "frame_writer.h"
#include <gnuradio/csifeedback/feedback_framer.h>
#include <gnuradio/io_signature.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class feedback_framer_impl : public feedback_framer
{
public:
    feedback_framer_impl(quantizer::sptr quantizer,
                         int codec_id,
                         int model_id,
                         int ue_id,
                         const std::vector<uint8_t>& key,
                         const std::optional<compact_configuration>& compact)
        : gr::sync_block(
              "csi_feedback_framer",
              gr::io_signature::make2(
                  0, 2, sizeof(int16_t) * quantizer->code_size(), sizeof(float)),
              gr::io_signature::make(0, 0, 0)),
          d_quantizer("feedback_framer", quantizer),
          d_code_size(quantizer->code_size()),
          d_writer("feedback_framer", codec_id, model_id, ue_id, key, compact)
    {
        // Of any quantizer: 10 bits per entry at most.
        d_payload.reserve((10 * d_code_size + 7) / 8);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    void set_quantizer(quantizer::sptr quantizer) override { d_quantizer.set(quantizer); }
    uint64_t frames() const override { return d_writer.frames(); }
    uint64_t bits_sent() const override { return d_writer.bits_sent(); }
    uint64_t discarded() const override { return d_discarded.count(); }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star&) override
    {
        auto level = static_cast<const int16_t*>(input_items[0]);
        auto gain =
            input_items.size() > 1 ? static_cast<const float*>(input_items[1]) : nullptr;
        const uint64_t first = nitems_read(0);
        d_numbering.update([this, first, noutput_items](std::vector<tag_t>& tags) {
            get_tags_in_range(tags, 0, first, first + noutput_items, key::frame());
        });
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + noutput_items, key::quantizer());
        d_residual_energies.clear();
        get_tags_in_range(d_residual_energies,
                          0,
                          first,
                          first + noutput_items,
                          key::residual_energy_db());
        std::sort(d_residual_energies.begin(),
                  d_residual_energies.end(),
                  tag_t::offset_compare);
        const quantizer::sptr q = d_quantizer.get();
        auto tag = d_tags.begin();
        auto found = d_residual_energies.begin();
        for (int i = 0; i < noutput_items; i++, level += d_code_size) {
            // That of this item alone, if it has one.
            double residual_energy_db = no_residual_energy;
            for (; found != d_residual_energies.end() && found->offset <= first + i;
                 ++found)
                residual_energy_db = to_real(found->value, no_residual_energy);
            for (; tag != d_tags.end() && tag->offset <= first + i; ++tag)
                d_labelled = to_number(tag->value, d_label);
            if (!d_labelled || is_of(*q, d_label))
                send(*q,
                     level,
                     d_code_size,
                     gain ? gain[i] : 0,
                     d_numbering.at(first + i),
                     residual_energy_db);
        }
        return noutput_items;
    }

private:
    // Whether level numbers with this label are the quantizer's; else they are discarded.
    bool is_of(const quantizer& q, uint64_t label)
    {
        if (label == quantizer_label(q)) {
            d_discarded.good();
            return true;
        }
        if (d_discarded.bad())
            d_logger->warn("discarding level numbers of another quantizer");
        return false;
    }

    // residual_energy_db: NaN where there is none
    void send(const quantizer& q,
              const int16_t* level,
              int m,
              float gain_db,
              uint64_t frame,
              double residual_energy_db)
    {
        if (!d_writer.has_gain(gain_db, d_discarded, *d_logger))
            return;
        const size_t payload_bits = q.total_bits(m);
        d_payload.resize((payload_bits + 7) / 8);
        pack_levels(q, level, m, d_payload.data());
        const frame_content content{ frame,       gain_db,  residual_energy_db,
                                     q.type_id(), q.bits(), m };
        message_port_pub(key::pdus(),
                         d_writer.write(content, d_payload.data(), payload_bits));
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const int16_t* level = pdu.elements<int16_t>(n);
        uint64_t frame = 0;
        if (!level || n < 1 || n > size_t(d_code_size) || !pdu.frame(frame)) {
            if (d_discarded.bad())
                d_logger->warn(
                    "discarding a PDU that is not 1 to {:d} shorts with a key frame",
                    d_code_size);
            return;
        }
        const quantizer::sptr q = d_quantizer.get();
        uint64_t label = quantizer_label(*q);
        pdu.number(key::quantizer(), label);
        if (!is_of(*q, label))
            return;
        send(*q,
             level,
             n,
             pdu.real(key::gain_db(), 0),
             frame,
             pdu.real(key::residual_energy_db(), no_residual_energy));
    }

    quantizer_slot d_quantizer;
    const int d_code_size;
    std::vector<uint8_t> d_payload;
    frame_writer d_writer;
    frame_numbering d_numbering;
    std::vector<tag_t> d_tags, d_residual_energies;
    bool d_labelled = false; // whether the stream says which quantizer it comes from
    uint64_t d_label = 0;    // and which it is
    burst_counter d_discarded;
};

} // namespace

feedback_framer::sptr
feedback_framer::make(quantizer::sptr quantizer,
                      encoder::sptr encoder,
                      int ue_id,
                      const std::vector<uint8_t>& key,
                      const std::optional<compact_configuration>& compact)
{
    check_codewords("feedback_framer", "encoder", encoder, quantizer);
    return gnuradio::make_block_sptr<feedback_framer_impl>(
        quantizer, encoder->codec_id(), encoder->model_id(), ue_id, key, compact);
}

feedback_framer::sptr
feedback_framer::make(quantizer::sptr quantizer,
                      int codec_id,
                      int model_id,
                      int ue_id,
                      const std::vector<uint8_t>& key,
                      const std::optional<compact_configuration>& compact)
{
    const char* where = "feedback_framer";
    not_null(where, "quantizer", quantizer);
    check_range(where, "codec_id", codec_id, 0, 255);
    check_range(where, "model_id", model_id, 0, 65535);
    return gnuradio::make_block_sptr<feedback_framer_impl>(
        quantizer, codec_id, model_id, ue_id, key, compact);
}

} // namespace csifeedback
} // namespace gr
