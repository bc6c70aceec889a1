/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

class feedback_deframer_impl : public feedback_deframer
{
public:
    feedback_deframer_impl(quantizer::sptr quantizer, feedback_receiver::sptr receiver)
        : gr::block("csi_feedback_deframer",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          d_quantizer("feedback_deframer", quantizer),
          d_receiver(receiver)
    {
        message_port_register_out(key::pdus());
        add_message_input(*this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) {
            // A tick that came before the frame counts for it.
            while (const pmt::pmt_t tick = delete_head_nowait(key::tick()))
                handle_tick(tick);
            handle(m);
        });
        add_message_input(*this, d_logger, key::tick(), [this](const pmt::pmt_t& m) {
            handle_tick(m);
        });
    }

    void set_quantizer(quantizer::sptr quantizer) override { d_quantizer.set(quantizer); }
    uint64_t count(int status) const override
    {
        check_range("feedback_deframer", "status", status, 0, frame_status_count - 1);
        return d_receiver->count(frame_status(status));
    }
    uint64_t malformed() const override { return d_malformed.count(); }

private:
    void handle_tick(const pmt::pmt_t& message)
    {
        uint64_t frame;
        if (number_of(message, frame))
            d_receiver->set_now(frame);
    }

    void handle(const pmt::pmt_t& message)
    {
        const foreign_pdu pdu(message);
        size_t n;
        const uint8_t* bytes = pdu.elements<uint8_t>(n);
        if (!bytes) {
            if (d_malformed.bad())
                d_logger->warn("discarding a message that is no PDU of bytes");
            return;
        }
        d_malformed.good();

        const quantizer::sptr q = d_quantizer.get();
        d_receiver->set_quantizer(q);
        const feedback_result frame = d_receiver->receive(bytes, n);
        // Frames of other UEs on the same link are not worth a line in the log.
        if (frame.status == frame_status::unknown_ue)
            return;
        if (frame.status != frame_status::ok) {
            if (d_rejected.bad())
                d_logger->warn("discarding a feedback frame: {:s}",
                               frame_status_name(frame.status));
            return;
        }
        d_rejected.good();

        const feedback_header& header = frame.header;
        const pmt::pmt_t level = pmt::make_s16vector(header.code_size, 0);
        size_t size;
        unpack_levels(*q,
                      frame.payload,
                      header.code_size,
                      pmt::s16vector_writable_elements(level, size));
        pmt::pmt_t metadata = pmt::make_dict();
        const auto add = [&metadata](const pmt::pmt_t& name, const pmt::pmt_t& value) {
            metadata = pmt::dict_add(metadata, name, value);
        };
        add(key::frame(), pmt::from_uint64(frame.frame));
        add(d_key_ue_id, pmt::from_long(header.ue_id));
        add(key::gain_db(), pmt::from_double(gain_from_code(header.gain)));
        add(d_key_codec_id, pmt::from_long(header.codec_id));
        add(d_key_model_id, pmt::from_long(header.model_id));
        add(d_key_code_size, pmt::from_long(header.code_size));
        add(key::frame_bits(), pmt::from_long(8 * n));
        add(key::quantizer(), pmt::from_uint64(quantizer_label(*q)));
        if (header.version == 2)
            add(key::residual_energy_db(),
                pmt::from_double(residual_energy_from_code(header.residual_energy)));
        message_port_pub(key::pdus(), pmt::cons(metadata, level));
    }

    quantizer_slot d_quantizer;
    const feedback_receiver::sptr d_receiver;
    const pmt::pmt_t d_key_ue_id = pmt::mp("ue_id");
    const pmt::pmt_t d_key_codec_id = pmt::mp("codec_id");
    const pmt::pmt_t d_key_model_id = pmt::mp("model_id");
    const pmt::pmt_t d_key_code_size = pmt::mp("code_size");
    burst_counter d_malformed;
    burst_counter d_rejected;
};

} // namespace

feedback_deframer::sptr feedback_deframer::make(quantizer::sptr quantizer,
                                                int codec_id,
                                                int model_id,
                                                int ue_id,
                                                int max_age,
                                                int max_lead,
                                                bool in_order,
                                                const std::vector<uint8_t>& key)
{
    const char* where = "feedback_deframer";
    not_null(where, "quantizer", quantizer);
    check_range(where, "codec_id", codec_id, 0, 255);
    check_range(where, "model_id", model_id, 0, 65535);
    check_range(where, "ue_id", ue_id, -1, 65535);
    feedback_rules rules;
    rules.codec_id = codec_id;
    rules.model_id = model_id;
    if (ue_id >= 0)
        rules.ue_ids = { uint16_t(ue_id) };
    rules.max_age = max_age;
    rules.max_lead = max_lead;
    rules.in_order = in_order;
    const feedback_receiver::sptr receiver = feedback_receiver::make(quantizer, rules);
    if (!key.empty())
        receiver->set_key(-1, key);
    return gnuradio::make_block_sptr<feedback_deframer_impl>(quantizer, receiver);
}

} // namespace csifeedback
} // namespace gr
