/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ACKNOWLEDGEMENTS_H
#define INCLUDED_CSIFEEDBACK_ACKNOWLEDGEMENTS_H

#include "common.h"
#include <gnuradio/block_detail.h>
#include <boost/chrono.hpp>
#include <algorithm>

namespace gr {
namespace csifeedback {

/*!
 * \brief The message port `ack` of a source: how many of its frames have arrived at the
 * end of the flowgraph, and waiting for them.
 *
 * Message queues have no back-pressure, and once a source is done its flowgraph ends, and
 * with it what is under way. A source that returns from work() without an item is taken
 * to be at its end, so the wait is in work() itself, on the condition with which the
 * scheduler wakes a block for a message.
 */
class acknowledgements
{
public:
    using milliseconds = boost::chrono::milliseconds;

    //! window: frames under way at most, 0: no limit and no waiting
    acknowledgements(gr::basic_block& block, uint64_t first, uint64_t window)
        : d_block(block), d_first(first), d_window(window)
    {
        // No handler: work() waits on the queue itself, which a handler could not end.
        d_block.message_port_register_in(d_port);
    }

    //! Whether there is a window.
    bool is_limited() const { return d_window; }

    //! Frames that may be sent now, at least 1; waits a moment if there are none.
    uint64_t wait_for_credit(gr::block_detail& detail, uint64_t sent)
    {
        if (!d_window)
            return ~uint64_t(0);
        while (sent - d_arrived >= d_window)
            if (!next(detail, sent, stall))
                return 1;
        return d_window - (sent - d_arrived);
    }

    //! Waits for all frames, as long as some arrive every now and then.
    void wait_for_all(gr::block_detail& detail, uint64_t sent)
    {
        while (d_window && d_arrived < sent && next(detail, sent, linger))
            ;
    }

private:
    static constexpr milliseconds::rep stall = 200;   // wait for an acknowledgement
    static constexpr milliseconds::rep linger = 3000; // the same after the last frame

    // Takes all messages from the queue, waiting for the first. False if none came in
    // time.
    bool next(gr::block_detail& detail, uint64_t sent, milliseconds::rep longest)
    {
        tpb_detail& tpb = detail.d_tpb;
        const auto end = boost::chrono::steady_clock::now() + milliseconds(longest);
        for (;;) {
            tpb.clear_changed();
            bool any = false;
            while (const pmt::pmt_t message = d_block.delete_head_nowait(d_port)) {
                take(message, sent);
                any = true;
            }
            if (any)
                return true;
            gr::thread::scoped_lock lock(tpb.mutex);
            while (!tpb.input_changed)
                if (tpb.input_cond.wait_until(lock, end) == boost::cv_status::timeout)
                    return false;
        }
    }

    void take(const pmt::pmt_t& message, uint64_t sent)
    {
        uint64_t frame = 0;
        if (!number_of(message, frame))
            return;
        frame = nearest_frame(frame, d_first + sent);
        if (frame >= d_first && frame - d_first < sent)
            d_arrived = std::max(d_arrived, frame - d_first + 1);
    }

    gr::basic_block& d_block;
    const pmt::pmt_t d_port = pmt::mp("ack");
    const uint64_t d_first;
    const uint64_t d_window;
    uint64_t d_arrived = 0; // counted from d_first
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ACKNOWLEDGEMENTS_H */
