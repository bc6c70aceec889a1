/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/feedback_link.h>
#include <gnuradio/io_signature.h>
#include <mutex>
#include <utility>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

class feedback_link_impl : public feedback_link
{
public:
    feedback_link_impl(const link_parameters& parameters, int delay)
        : gr::block("csi_feedback_link",
                    gr::io_signature::make(0, 0, 0),
                    gr::io_signature::make(0, 0, 0)),
          d_link(link_model::make(parameters)),
          d_bit_error_rate(parameters.bit_error_rate),
          d_erasure_rate(parameters.erasure_rate),
          d_queue(delay, pmt::PMT_NIL)
    {
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    void set_bit_error_rate(double rate) override
    {
        gr::thread::scoped_lock lock(d_setlock);
        d_link->set_rates(rate, d_erasure_rate);
        d_bit_error_rate = rate;
    }
    void set_erasure_rate(double rate) override
    {
        gr::thread::scoped_lock lock(d_setlock);
        d_link->set_rates(d_bit_error_rate, rate);
        d_erasure_rate = rate;
    }

    uint64_t frames() const override { return d_frames; }
    uint64_t erased() const override { return d_erased; }
    uint64_t bit_errors() const override { return d_bit_errors; }

private:
    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const uint8_t* in = pdu.elements<uint8_t>(n);
        if (!in) {
            if (d_malformed.bad())
                d_logger->warn("discarding a message that is no PDU of bytes");
            return;
        }
        d_malformed.good();
        // A copy: other subscribers share the one that came in.
        const pmt::pmt_t bytes = pmt::init_u8vector(n, in);
        size_t size, errors;
        uint8_t* out = pmt::u8vector_writable_elements(bytes, size);
        bool arrived;
        {
            gr::thread::scoped_lock lock(d_setlock);
            arrived = d_link->transmit(out, n, errors);
        }
        d_frames++;
        if (arrived)
            d_bit_errors += errors;
        else
            d_erased++;
        // A lost frame takes its place in the queue: delay counts frames that were sent.
        pmt::pmt_t due = arrived ? pmt::cons(pdu.metadata(), bytes) : pmt::PMT_NIL;
        if (!d_queue.empty()) {
            std::swap(due, d_queue[d_oldest]);
            d_oldest = (d_oldest + 1) % d_queue.size();
        }
        if (!pmt::is_null(due))
            message_port_pub(key::pdus(), due);
    }

    const link_model::sptr d_link;
    double d_bit_error_rate;
    double d_erasure_rate;
    std::vector<pmt::pmt_t> d_queue; // the last `delay` frames, in a ring
    size_t d_oldest = 0;
    std::atomic<uint64_t> d_frames{ 0 };
    std::atomic<uint64_t> d_erased{ 0 };
    std::atomic<uint64_t> d_bit_errors{ 0 };
    burst_counter d_malformed;
};

} // namespace

feedback_link::sptr feedback_link::make(double bit_error_rate,
                                        double erasure_rate,
                                        double mean_burst_length,
                                        int delay,
                                        uint64_t seed)
{
    check_range("feedback_link", "delay", delay, 0, 65535);
    link_parameters parameters;
    parameters.bit_error_rate = bit_error_rate;
    parameters.erasure_rate = erasure_rate;
    parameters.mean_burst_length = mean_burst_length;
    parameters.seed = seed;
    return gnuradio::make_block_sptr<feedback_link_impl>(parameters, delay);
}

} // namespace csifeedback
} // namespace gr
