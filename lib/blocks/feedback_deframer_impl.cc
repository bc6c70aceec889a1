/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

class feedback_deframer_impl : public feedback_deframer
{
public:
    feedback_deframer_impl(quantizer::sptr quantizer,
                           int codec_id,
                           int model_id,
                           int ue_id)
        : gr::block("csi_feedback_deframer",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          d_quantizer("feedback_deframer", quantizer),
          d_codec_id(codec_id),
          d_model_id(model_id),
          d_ue_id(ue_id)
    {
        message_port_register_in(key::pdus());
        message_port_register_out(key::pdus());
        set_msg_handler(key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    void set_quantizer(quantizer::sptr quantizer) override { d_quantizer.set(quantizer); }
    uint64_t count(int status) const override
    {
        check_range("feedback_deframer", "status", status, 0, frame_status_count - 1);
        return d_count[status];
    }
    uint64_t malformed() const override { return d_malformed.count(); }

private:
    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const uint8_t* frame = pdu_elements<uint8_t>(message, n);
        if (!frame) {
            if (d_malformed.bad())
                d_logger->warn("discarding a message that is no PDU of bytes");
            return;
        }
        d_malformed.good();

        const quantizer::sptr q = d_quantizer.get();
        feedback_header header;
        const uint8_t* payload;
        size_t payload_bytes;
        frame_status status = unpack_frame(frame, n, header, payload, payload_bytes);
        if (status == frame_status::ok && d_ue_id >= 0 && header.ue_id != d_ue_id)
            return;
        if (status == frame_status::ok)
            status = check(*q, header, payload_bytes);
        d_count[int(status)]++;
        if (status != frame_status::ok) {
            if (d_rejected.bad())
                d_logger->warn("discarding a feedback frame: {:s}",
                               frame_status_name(status));
            return;
        }
        d_rejected.good();

        const pmt::pmt_t level = pmt::make_s16vector(header.code_size, 0);
        size_t size;
        unpack_levels(
            *q, payload, header.code_size, pmt::s16vector_writable_elements(level, size));
        pmt::pmt_t metadata = pmt::make_dict();
        const auto add = [&metadata](const pmt::pmt_t& name, const pmt::pmt_t& value) {
            metadata = pmt::dict_add(metadata, name, value);
        };
        d_last_frame = nearest_frame(header.frame_number, d_last_frame);
        add(key::frame(), pmt::from_uint64(d_last_frame));
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

    frame_status
    check(const quantizer& q, const feedback_header& header, size_t payload_bytes) const
    {
        if (header.codec_id != d_codec_id || header.model_id != d_model_id)
            return frame_status::unknown_model;
        if (header.quantizer_type != q.type_id() || header.bits != q.bits())
            return frame_status::unknown_quantizer;
        if (header.code_size < 1 || header.code_size > q.code_size())
            return frame_status::bad_code_size;
        if (payload_bytes != (q.total_bits(header.code_size) + 7) / 8)
            return frame_status::bad_length;
        return frame_status::ok;
    }

    quantizer_slot d_quantizer;
    const int d_codec_id;
    const int d_model_id;
    const int d_ue_id;
    const pmt::pmt_t d_key_ue_id = pmt::mp("ue_id");
    const pmt::pmt_t d_key_codec_id = pmt::mp("codec_id");
    const pmt::pmt_t d_key_model_id = pmt::mp("model_id");
    const pmt::pmt_t d_key_code_size = pmt::mp("code_size");
    std::atomic<uint64_t> d_count[frame_status_count] = {};
    burst_counter d_malformed;
    burst_counter d_rejected;
    uint64_t d_last_frame = 0;
};

} // namespace

feedback_deframer::sptr
feedback_deframer::make(quantizer::sptr quantizer, int codec_id, int model_id, int ue_id)
{
    const char* where = "feedback_deframer";
    not_null(where, "quantizer", quantizer);
    check_range(where, "codec_id", codec_id, 0, 255);
    check_range(where, "model_id", model_id, 0, 65535);
    check_range(where, "ue_id", ue_id, -1, 65535);
    return gnuradio::make_block_sptr<feedback_deframer_impl>(
        quantizer, codec_id, model_id, ue_id);
}

} // namespace csifeedback
} // namespace gr
