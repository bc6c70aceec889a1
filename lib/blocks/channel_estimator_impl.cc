/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/channel_estimator.h>
#include <volk/volk_alloc.hh>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

class channel_estimator_impl : public channel_estimator
{
public:
    channel_estimator_impl(csirs_estimator::sptr estimator, size_t cells, size_t size)
        : gr::block(
              "csi_channel_estimator",
              gr::io_signature::make(1, 1, cells * sizeof(gr_complex)),
              gr::io_signature::make2(0, 2, size * sizeof(gr_complex), sizeof(float))),
          d_estimator(estimator),
          d_cells(cells),
          d_size(size),
          d_h(size)
    {
        enlarge_output_buffers(*this);
        set_tag_propagation_policy(TPP_DONT);
        message_port_register_out(key::pdus());
    }

    uint64_t estimated() const override { return d_estimated; }
    uint64_t discarded() const override { return d_discarded.count(); }

    void forecast(int, gr_vector_int& required) override
    {
        std::fill(required.begin(), required.end(), 1);
    }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const gr_complex*>(input_items[0]);
        const uint64_t first = nitems_read(0);
        const int available = ninput_items[0];
        const bool streams = !output_items.empty();
        d_numbering.update([this, first, available](std::vector<tag_t>& tags) {
            get_tags_in_range(tags, 0, first, first + available, key::frame());
        });
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + available, d_sync);
        size_t next_tag = 0;
        int consumed = 0, produced = 0;
        for (; consumed < available && (!streams || produced < noutput_items);
             consumed++, in += d_cells) {
            const uint64_t offset = first + consumed;
            const uint64_t frame = d_numbering.at(offset);
            pmt::pmt_t metadata = d_nothing;
            for (; next_tag < d_tags.size() && d_tags[next_tag].offset <= offset;
                 next_tag++)
                if (d_tags[next_tag].offset == offset &&
                    is_proper_dict(d_tags[next_tag].value))
                    metadata = d_tags[next_tag].value;
            csi_estimate info;
            if (!d_estimator->estimate(
                    in, get_real(metadata, d_noise, -1), d_h.data(), &info)) {
                if (d_discarded.bad())
                    d_logger->warn("discarding pilots that are all zero or not finite");
                continue;
            }
            d_discarded.good();
            d_estimated++;
            if (streams) {
                std::copy_n(d_h.data(),
                            d_size,
                            static_cast<gr_complex*>(output_items[0]) +
                                produced * d_size);
                if (output_items.size() > 1)
                    static_cast<float*>(output_items[1])[produced] = info.error;
                const uint64_t item = nitems_written(0) + produced;
                if (frame != d_next_frame || item == 0)
                    for (size_t port = 0; port < output_items.size(); port++)
                        add_item_tag(port, item, key::frame(), pmt::from_uint64(frame));
                d_next_frame = frame + 1;
                produced++;
            }
            if (has_listeners(*this, key::pdus()))
                publish(frame, metadata, info);
        }
        consume(0, consumed);
        return produced;
    }

private:
    void publish(uint64_t frame, pmt::pmt_t metadata, const csi_estimate& info)
    {
        const auto add = [&metadata](const pmt::pmt_t& name, const pmt::pmt_t& value) {
            metadata = pmt::dict_add(metadata, name, value);
        };
        add(key::frame(), pmt::from_uint64(frame));
        add(d_error_variance, pmt::from_double(info.error));
        add(d_snr_db, pmt::from_double(info.snr_db));
        add(d_shift, pmt::from_double(info.shift));
        message_port_pub(key::pdus(),
                         pmt::cons(metadata, pmt::init_c32vector(d_size, d_h.data())));
    }

    const csirs_estimator::sptr d_estimator;
    const size_t d_cells;
    const size_t d_size;
    volk::vector<gr_complex> d_h;
    std::vector<tag_t> d_tags;
    frame_numbering d_numbering;
    uint64_t d_next_frame = 0; // frame number that needs no tag
    const pmt::pmt_t d_nothing = pmt::make_dict();
    const pmt::pmt_t d_sync = pmt::mp("sync");
    const pmt::pmt_t d_noise = pmt::mp("noise");
    const pmt::pmt_t d_snr_db = pmt::mp("snr_db");
    const pmt::pmt_t d_error_variance = pmt::mp("error_variance");
    const pmt::pmt_t d_shift = pmt::mp("shift");
    std::atomic<uint64_t> d_estimated{ 0 };
    burst_counter d_discarded;
};

} // namespace

channel_estimator::sptr channel_estimator::make(channel_interpolator::sptr interpolator,
                                                bool align,
                                                float threshold_db)
{
    const auto estimator = csirs_estimator::make(interpolator, align, threshold_db);
    const csirs_frame& frame = *estimator->frame();
    const auto& p = frame.parameters();
    return gnuradio::make_block_sptr<channel_estimator_impl>(
        estimator, size_t(frame.pilot_symbols()) * p.nc, size_t(p.nc) * p.nt);
}

} // namespace csifeedback
} // namespace gr
