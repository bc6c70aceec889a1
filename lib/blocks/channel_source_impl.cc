/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/block_detail.h>
#include <gnuradio/csifeedback/channel_source.h>
#include <gnuradio/io_signature.h>
#include <boost/chrono.hpp>

namespace gr {
namespace csifeedback {

namespace {

class channel_source_impl : public channel_source
{
public:
    channel_source_impl(channel_model::sptr model,
                        uint64_t count,
                        uint64_t first,
                        int na,
                        int precursor,
                        int window,
                        size_t size)
        : gr::sync_block("csi_channel_source",
                         gr::io_signature::make(0, 0, 0),
                         gr::io_signature::make(1, 1, size * sizeof(gr_complex))),
          d_model(model),
          d_count(count),
          d_first(first),
          d_na(na),
          d_precursor(precursor),
          d_window(window),
          d_size(size),
          d_ack(pmt::mp("ack"))
    {
        enlarge_output_buffers(*this);
        // No handler: work() waits on the queue itself, which a handler could not end.
        message_port_register_in(d_ack);
        message_port_register_out(key::tick());
    }

    double energy_lost() const override
    {
        const uint64_t sent = d_sent;
        return sent ? d_lost / sent : 0;
    }

    int work(int noutput_items,
             gr_vector_const_void_star&,
             gr_vector_void_star& output_items) override
    {
        if (d_count && d_sent >= d_count) {
            // Once a source is done its flowgraph ends, and with it what is under way.
            while (d_window && d_acknowledged < d_sent && next_message(linger))
                ;
            return WORK_DONE;
        }
        uint64_t wanted = noutput_items;
        if (d_count)
            wanted = std::min(wanted, d_count - d_sent);
        if (d_window)
            wanted = std::min(wanted, wait_for_credit());
        if (has_listeners(*this, key::tick()))
            message_port_pub(key::tick(),
                             pmt::from_uint64(d_first + d_sent + wanted - 1));
        auto out = static_cast<gr_complex*>(output_items[0]);
        if (d_sent == 0)
            add_item_tag(0, 0, key::frame(), pmt::from_uint64(d_first));
        for (uint64_t i = 0; i < wanted; i++, out += d_size) {
            const uint64_t index = d_first + d_sent;
            if (d_na) {
                channel_sample_info info;
                d_model->generate_truncated(index, d_na, d_precursor, out, &info);
                d_lost = d_lost + info.energy_lost;
            } else {
                d_model->generate(index, out);
            }
            d_sent++;
        }
        return wanted;
    }

private:
    using milliseconds = boost::chrono::milliseconds;
    static constexpr milliseconds::rep stall = 200;   // wait for an acknowledgement
    static constexpr milliseconds::rep linger = 3000; // the same after the last matrix

    // Number of matrices that may be sent now, at least 1.
    uint64_t wait_for_credit()
    {
        while (d_sent - d_acknowledged >= d_window)
            if (!next_message(stall))
                return 1;
        return d_window - (d_sent - d_acknowledged);
    }

    // Takes all messages from the queue, waiting for the first. False if none came in
    // time. A source that returns from work() without an item is taken to be at its end,
    // so the wait is here, on the condition with which the scheduler wakes a block for a
    // message.
    bool next_message(milliseconds::rep longest)
    {
        tpb_detail& tpb = detail()->d_tpb;
        const auto end = boost::chrono::steady_clock::now() + milliseconds(longest);
        for (;;) {
            tpb.clear_changed();
            bool any = false;
            while (const pmt::pmt_t message = delete_head_nowait(d_ack)) {
                acknowledge(message);
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

    void acknowledge(const pmt::pmt_t& message)
    {
        uint64_t frame = 0;
        if (!number_of(message, frame))
            return;
        frame = nearest_frame(frame, d_first + d_sent);
        if (frame >= d_first && frame - d_first < d_sent)
            d_acknowledged = std::max(d_acknowledged, frame - d_first + 1);
    }

    const channel_model::sptr d_model;
    const uint64_t d_count;
    const uint64_t d_first;
    const int d_na;
    const int d_precursor;
    const uint64_t d_window;
    const size_t d_size;
    const pmt::pmt_t d_ack;
    std::atomic<uint64_t> d_sent{ 0 };
    std::atomic<double> d_lost{ 0 };
    uint64_t d_acknowledged = 0; // matrices acknowledged, counted from d_first
};

} // namespace

channel_source::sptr channel_source::make(channel_model::sptr model,
                                          uint64_t count,
                                          uint64_t first,
                                          int na,
                                          int precursor,
                                          int window)
{
    const char* where = "channel_source";
    not_null(where, "model", model);
    check_range(where, "na", na, 0, model->grid().nc);
    if (na)
        check_range(where, "precursor", precursor, 0, na - 1);
    check_range(where, "window", window, 0, 1 << 20);
    const size_t size = size_t(na ? na : model->grid().nc) * model->grid().nt;
    return gnuradio::make_block_sptr<channel_source_impl>(
        model, count, first, na, precursor, window, size);
}

} // namespace csifeedback
} // namespace gr
