/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "acknowledgements.h"
#include <gnuradio/block_detail.h>
#include <gnuradio/csifeedback/channel_source.h>
#include <gnuradio/io_signature.h>
#include <boost/chrono.hpp>
#include <algorithm>

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
          d_size(size),
          d_acknowledgements(*this, first, window)
    {
        enlarge_output_buffers(*this);
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
            d_acknowledgements.wait_for_all(*detail(), d_sent);
            return WORK_DONE;
        }
        uint64_t wanted = noutput_items;
        if (d_count)
            wanted = std::min(wanted, d_count - d_sent);
        wanted = std::min(wanted, d_acknowledgements.wait_for_credit(*detail(), d_sent));
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
    const channel_model::sptr d_model;
    const uint64_t d_count;
    const uint64_t d_first;
    const int d_na;
    const int d_precursor;
    const size_t d_size;
    std::atomic<uint64_t> d_sent{ 0 };
    std::atomic<double> d_lost{ 0 };
    acknowledgements d_acknowledgements;
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
