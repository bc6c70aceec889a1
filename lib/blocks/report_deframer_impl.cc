/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "frame_reader.h"
#include <gnuradio/csifeedback/report_deframer.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

class report_deframer_impl : public deframing_block<report_deframer>
{
public:
    report_deframer_impl(const report_format& format, feedback_receiver::sptr receiver)
        : gr::block("csi_report_deframer",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          deframing_block("csi_report_deframer", receiver),
          d_format(format)
    {
    }

private:
    void accept(const feedback_result& frame, pmt::pmt_t metadata) override
    {
        const int bits = d_format.bits_of(frame.header.code_size);
        metadata = pmt::dict_add(metadata, key::report_bits(), pmt::from_long(bits));
        message_port_pub(
            key::pdus(),
            pmt::cons(metadata, pmt::init_u8vector(frame.payload_bytes, frame.payload)));
    }

    const report_format d_format;
};

} // namespace

report_deframer::sptr
report_deframer::make(report_decoder::sptr decoder,
                      int ue_id,
                      int max_age,
                      int max_lead,
                      bool in_order,
                      const std::vector<uint8_t>& key,
                      const std::vector<compact_configuration>& compact)
{
    const char* where = "report_deframer";
    not_null(where, "decoder", decoder);
    check_range(where, "ue_id", ue_id, -1, 65535);
    const feedback_receiver::sptr receiver =
        feedback_receiver::make(decoder->format(),
                                decoder->max_bits(),
                                deframer_rules(decoder->codec_id(),
                                               decoder->model_id(),
                                               ue_id,
                                               max_age,
                                               max_lead,
                                               in_order));
    prepare_receiver(*receiver, key, compact);
    return gnuradio::make_block_sptr<report_deframer_impl>(decoder->format(), receiver);
}

} // namespace csifeedback
} // namespace gr
