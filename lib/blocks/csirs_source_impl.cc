/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "acknowledgements.h"
#include <gnuradio/csifeedback/csirs_source.h>
#include <volk/volk_alloc.hh>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class csirs_source_impl : public csirs_source
{
public:
    csirs_source_impl(csirs_frame::sptr frame, uint64_t count, uint64_t first, int window)
        : gr::sync_block("csirs_source",
                         gr::io_signature::make(0, 0, 0),
                         gr::io_signature::make(frame->parameters().nt,
                                                frame->parameters().nt,
                                                sizeof(gr_complex))),
          d_frame(frame),
          d_count(count),
          d_first(first),
          d_header(size_t(frame->header_symbols()) *
                   (frame->parameters().fft_size + frame->parameters().cp_length)),
          d_silence(window ? frame->frame_length() : 0),
          d_acknowledgements(*this, first, window)
    {
        message_port_register_out(key::tick());
        // Fewer and longer calls: the scheduler wakes one thread for each port.
        for (int n = 0; n < frame->parameters().nt; n++)
            set_min_output_buffer(n, 1 << 16);
    }

    uint64_t frames() const override { return d_sent; }

    int work(int noutput_items,
             gr_vector_const_void_star&,
             gr_vector_void_star& output_items) override
    {
        int produced = 0;
        while (produced < noutput_items) {
            if (d_count && d_sent >= d_count) {
                // Behind it the last frame is found as all others are.
                const int here = std::min(noutput_items - produced, d_silence);
                for (const auto out : output_items)
                    std::fill_n(
                        static_cast<gr_complex*>(out) + produced, here, gr_complex(0));
                d_silence -= here;
                produced += here;
                break;
            }
            if (d_position == 0) {
                // What is made already must not wait.
                if (produced && d_acknowledgements.is_limited())
                    break;
                d_acknowledgements.wait_for_credit(*detail(), d_sent);
                const uint32_t number = d_first + d_sent;
                d_frame->write_header(number, d_header.data());
                const pmt::pmt_t value = pmt::from_uint64(number);
                for (size_t n = 0; n < output_items.size(); n++)
                    add_item_tag(n, nitems_written(n) + produced, key::frame(), value);
                if (has_listeners(*this, key::tick()))
                    message_port_pub(key::tick(), value);
            }
            const int here =
                std::min(noutput_items - produced, d_frame->frame_length() - d_position);
            for (size_t n = 0; n < output_items.size(); n++)
                d_frame->write(d_header.data(),
                               n,
                               d_position,
                               here,
                               static_cast<gr_complex*>(output_items[n]) + produced);
            produced += here;
            d_position += here;
            if (d_position == d_frame->frame_length()) {
                d_position = 0;
                d_sent++;
            }
        }
        if (produced)
            return produced;
        d_acknowledgements.wait_for_all(*detail(), d_sent);
        return WORK_DONE;
    }

private:
    const csirs_frame::sptr d_frame;
    const uint64_t d_count;
    const uint64_t d_first;
    volk::vector<gr_complex> d_header;
    int d_position = 0; // in the frame under way
    int d_silence;      // samples of it to come at the end
    acknowledgements d_acknowledgements;
    std::atomic<uint64_t> d_sent{ 0 };
};

} // namespace

csirs_source::sptr
csirs_source::make(csirs_frame::sptr frame, uint64_t count, uint64_t first, int window)
{
    const char* where = "csirs_source";
    not_null(where, "frame", frame);
    check_range(where, "first", first, uint64_t(0), uint64_t(0xffffffff));
    check_range(where, "window", window, 0, 1 << 15);
    return gnuradio::make_block_sptr<csirs_source_impl>(frame, count, first, window);
}

} // namespace csifeedback
} // namespace gr
