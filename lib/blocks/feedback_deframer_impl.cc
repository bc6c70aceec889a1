/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/codewords.h"
#include "frame_reader.h"
#include <gnuradio/csifeedback/feedback_deframer.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

class feedback_deframer_impl : public deframing_block<feedback_deframer>
{
public:
    feedback_deframer_impl(quantizer::sptr quantizer, feedback_receiver::sptr receiver)
        : gr::block("csi_feedback_deframer",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          deframing_block("csi_feedback_deframer", receiver),
          d_quantizer("feedback_deframer", quantizer)
    {
    }

    void set_quantizer(quantizer::sptr quantizer) override { d_quantizer.set(quantizer); }

private:
    void prepare(feedback_receiver& receiver) override
    {
        d_current = d_quantizer.get();
        receiver.set_quantizer(d_current);
    }

    void accept(const feedback_result& frame, pmt::pmt_t metadata) override
    {
        const int m = frame.header.code_size;
        const pmt::pmt_t level = pmt::make_s16vector(m, 0);
        size_t size;
        unpack_levels(
            *d_current, frame.payload, m, pmt::s16vector_writable_elements(level, size));
        metadata = pmt::dict_add(
            metadata, key::quantizer(), pmt::from_uint64(quantizer_label(*d_current)));
        message_port_pub(key::pdus(), pmt::cons(metadata, level));
    }

    quantizer_slot d_quantizer;
    quantizer::sptr d_current; // of the frame in hand
};

feedback_deframer::sptr make_deframer(const quantizer::sptr& quantizer,
                                      int codec_id,
                                      int model_id,
                                      int ue_id,
                                      int max_age,
                                      int max_lead,
                                      bool in_order,
                                      const std::vector<uint8_t>& key,
                                      const std::vector<compact_configuration>& compact)
{
    check_range("feedback_deframer", "ue_id", ue_id, -1, 65535);
    const feedback_receiver::sptr receiver = feedback_receiver::make(
        quantizer,
        deframer_rules(codec_id, model_id, ue_id, max_age, max_lead, in_order));
    prepare_receiver(*receiver, key, compact);
    return gnuradio::make_block_sptr<feedback_deframer_impl>(quantizer, receiver);
}

} // namespace

feedback_deframer::sptr
feedback_deframer::make(quantizer::sptr quantizer,
                        decoder::sptr decoder,
                        int ue_id,
                        int max_age,
                        int max_lead,
                        bool in_order,
                        const std::vector<uint8_t>& key,
                        const std::vector<compact_configuration>& compact)
{
    check_codewords("feedback_deframer", "decoder", decoder, quantizer);
    return make_deframer(quantizer,
                         decoder->codec_id(),
                         decoder->model_id(),
                         ue_id,
                         max_age,
                         max_lead,
                         in_order,
                         key,
                         compact);
}

feedback_deframer::sptr
feedback_deframer::make(quantizer::sptr quantizer,
                        int codec_id,
                        int model_id,
                        int ue_id,
                        int max_age,
                        int max_lead,
                        bool in_order,
                        const std::vector<uint8_t>& key,
                        const std::vector<compact_configuration>& compact)
{
    const char* where = "feedback_deframer";
    not_null(where, "quantizer", quantizer);
    check_range(where, "codec_id", codec_id, 0, 255);
    check_range(where, "model_id", model_id, 0, 65535);
    return make_deframer(
        quantizer, codec_id, model_id, ue_id, max_age, max_lead, in_order, key, compact);
}

} // namespace csifeedback
} // namespace gr
