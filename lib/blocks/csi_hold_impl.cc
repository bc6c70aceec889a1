/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_hold.h>
#include <gnuradio/io_signature.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class csi_hold_impl : public csi_hold
{
public:
    explicit csi_hold_impl(int max_gap)
        : gr::block("csi_hold",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          d_max_gap(max_gap)
    {
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
        add_message_input(*this, d_logger, key::tick(), [this](const pmt::pmt_t& m) {
            handle_tick(m);
        });
    }

    uint64_t received() const override { return d_received; }
    uint64_t held() const override { return d_held; }
    uint64_t discarded() const override { return d_discarded.count(); }
    double mean_age() const override
    {
        const uint64_t sent = d_received + d_held;
        return sent ? double(d_age_sum) / sent : 0;
    }

private:
    void handle(const pmt::pmt_t& message)
    {
        const foreign_pdu pdu(message);
        size_t n;
        uint64_t frame = 0;
        if (!pdu.elements<gr_complex>(n) || !pdu.frame(frame)) {
            if (d_discarded.bad())
                d_logger->warn("discarding a PDU that is not complex with a key frame");
            return;
        }
        const frame_order::verdict verdict = d_order.take(frame);
        if (!is_believed(verdict)) {
            if (d_discarded.bad())
                d_logger->warn("discarding CSI of frame {:d}, which comes {:s}",
                               frame,
                               verdict == frame_order::verdict::late
                                   ? "late"
                                   : "too far ahead of the last");
            return;
        }
        d_discarded.good();
        if (verdict == frame_order::verdict::jump && frame < d_next)
            d_next = frame;
        hold_until(frame);
        d_metadata = pdu.metadata();
        d_data = pdu.payload();
        d_arrived = frame;
        d_received++;
        // A tick may have been ahead of it: then it counts from the next frame on.
        if (frame >= d_next)
            send(frame);
    }

    void handle_tick(const pmt::pmt_t& message)
    {
        uint64_t frame = 0;
        if (!d_data || !number_of(message, frame))
            return;
        frame = nearest_frame(frame, d_next);
        const frame_order::verdict verdict = d_ticks.take(frame);
        if (verdict == frame_order::verdict::jump && frame < d_next)
            d_next = std::max(frame, d_arrived) + 1;
        if (is_believed(verdict))
            hold_until(frame + 1);
    }

    // Sends the latest CSI for the frames before this one that are still due.
    void hold_until(uint64_t frame)
    {
        if (!d_data || frame <= d_next)
            return;
        for (uint64_t f = std::max(d_next, frame - std::min(frame, d_max_gap)); f < frame;
             f++) {
            d_held++;
            send(f);
        }
    }

    void send(uint64_t frame)
    {
        const uint64_t age = frame - std::min(frame, d_arrived);
        d_age_sum += age;
        d_next = frame + 1;
        const pmt::pmt_t metadata = pmt::dict_add(
            pmt::dict_add(d_metadata, key::frame(), pmt::from_uint64(frame)),
            key::age(),
            pmt::from_uint64(age));
        message_port_pub(key::pdus(), pmt::cons(metadata, d_data));
    }

    const uint64_t d_max_gap;
    frame_order d_order;    // of the CSI
    frame_order d_ticks;    // of the ticks
    pmt::pmt_t d_metadata;  // of the latest CSI
    pmt::pmt_t d_data;      // the latest CSI, null before the first
    uint64_t d_arrived = 0; // its frame number
    uint64_t d_next = 0;    // the frame that is due
    std::atomic<uint64_t> d_received{ 0 };
    std::atomic<uint64_t> d_held{ 0 };
    std::atomic<uint64_t> d_age_sum{ 0 };
    burst_counter d_discarded;
};

} // namespace

csi_hold::sptr csi_hold::make(int max_gap)
{
    check_range("csi_hold", "max_gap", max_gap, 0, 65535);
    return gnuradio::make_block_sptr<csi_hold_impl>(max_gap);
}

} // namespace csifeedback
} // namespace gr
