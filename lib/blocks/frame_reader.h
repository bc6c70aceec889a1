/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FRAME_READER_H
#define INCLUDED_CSIFEEDBACK_FRAME_READER_H

#include "common.h"
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/normalize.h>

namespace gr {
namespace csifeedback {

//! The rules of a deframer's parameters.
inline feedback_rules deframer_rules(
    int codec_id, int model_id, int ue_id, int max_age, int max_lead, bool in_order)
{
    feedback_rules rules;
    rules.codec_id = codec_id;
    rules.model_id = model_id;
    if (ue_id >= 0)
        rules.ue_ids = { uint16_t(ue_id) };
    rules.max_age = max_age;
    rules.max_lead = max_lead;
    rules.in_order = in_order;
    return rules;
}

//! Gives the receiver of a deframer its key, if any, and its compact configurations.
inline void prepare_receiver(feedback_receiver& receiver,
                             const std::vector<uint8_t>& key,
                             const std::vector<compact_configuration>& compact)
{
    if (!key.empty())
        receiver.set_key(-1, key);
    for (const compact_configuration& configuration : compact)
        receiver.add_configuration(configuration);
}

/*!
 * \brief feedback_deframer and report_deframer: the ports `pdus` and `tick`, and all but
 * the payload of the frames.
 *
 * \tparam block the public class
 */
template <typename block>
class deframing_block : public block
{
public:
    deframing_block(const char* name, feedback_receiver::sptr receiver)
        : gr::block(
              name, gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
          d_receiver(receiver)
    {
        this->message_port_register_out(key::pdus());
        add_message_input(
            *this, this->d_logger, key::pdus(), [this](const pmt::pmt_t& m) {
                // A tick that came before the frame counts for it.
                while (const pmt::pmt_t tick = this->delete_head_nowait(key::tick()))
                    handle_tick(tick);
                handle(m);
            });
        add_message_input(*this,
                          this->d_logger,
                          key::tick(),
                          [this](const pmt::pmt_t& m) { handle_tick(m); });
    }

    uint64_t count(int status) const override
    {
        check_range("deframer", "status", status, 0, frame_status_count - 1);
        return d_receiver->count(frame_status(status));
    }
    uint64_t malformed() const override { return d_malformed.count(); }

protected:
    //! Before a message is judged.
    virtual void prepare(feedback_receiver&) {}
    //! Sends what a good frame carries. metadata: what is in every frame.
    virtual void accept(const feedback_result& frame, pmt::pmt_t metadata) = 0;

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
                this->d_logger->warn("discarding a message that is no PDU of bytes");
            return;
        }
        d_malformed.good();

        prepare(*d_receiver);
        const feedback_result frame = d_receiver->receive(bytes, n);
        // Frames of other UEs on the same link are not worth a line in the log.
        if (frame.status == frame_status::unknown_ue)
            return;
        if (frame.status != frame_status::ok) {
            if (d_rejected.bad())
                this->d_logger->warn("discarding a feedback frame: {:s}",
                                     frame_status_name(frame.status));
            return;
        }
        d_rejected.good();

        const feedback_header& header = frame.header;
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
        add(key::frame_bits(), pmt::from_long(frame.frame_bits));
        if (frame.has_residual_energy)
            add(key::residual_energy_db(),
                pmt::from_double(residual_energy_from_code(header.residual_energy)));
        accept(frame, metadata);
    }

    const feedback_receiver::sptr d_receiver;
    const pmt::pmt_t d_key_ue_id = pmt::mp("ue_id");
    const pmt::pmt_t d_key_codec_id = pmt::mp("codec_id");
    const pmt::pmt_t d_key_model_id = pmt::mp("model_id");
    const pmt::pmt_t d_key_code_size = pmt::mp("code_size");
    burst_counter d_malformed;
    burst_counter d_rejected;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FRAME_READER_H */
