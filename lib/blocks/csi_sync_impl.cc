/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "ofdm/frame_synchronizer.h"
#include <gnuradio/csifeedback/csi_sync.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class csi_sync_impl : public csi_sync
{
public:
    csi_sync_impl(csirs_frame::sptr frame, int nr, double max_offset, size_t size)
        : gr::block("csi_sync",
                    gr::io_signature::make(nr, nr, sizeof(gr_complex)),
                    gr::io_signature::make(nr, nr, size * sizeof(gr_complex))),
          d_sync(frame, nr, max_offset),
          d_spacing_hz(frame->parameters().spacing_hz),
          d_size(size),
          d_grid(nr * size),
          d_in(nr)
    {
        enlarge_output_buffers(*this);
        set_tag_propagation_policy(TPP_DONT);
    }

    uint64_t frames() const override { return d_frames; }
    uint64_t unknown() const override { return d_sync.unknown(); }
    uint64_t bad_headers() const override { return d_sync.bad_headers(); }
    uint64_t broken() const override { return d_sync.broken(); }
    uint64_t bad_samples() const override { return d_sync.bad_samples(); }

    void forecast(int, gr_vector_int& required) override
    {
        std::fill(required.begin(), required.end(), 1);
    }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        const int available = *std::min_element(ninput_items.begin(), ninput_items.end());
        int consumed = 0, produced = 0;
        sync_result result;
        while (produced < noutput_items) {
            if (d_sync.next(result, d_grid.data())) {
                for (size_t r = 0; r < output_items.size(); r++)
                    std::copy_n(d_grid.data() + r * d_size,
                                d_size,
                                static_cast<gr_complex*>(output_items[r]) +
                                    produced * d_size);
                add_tags(produced, result);
                produced++;
                d_frames++;
                d_refused.good();
                continue;
            }
            if (consumed == available)
                break;
            for (size_t r = 0; r < d_in.size(); r++)
                d_in[r] = static_cast<const gr_complex*>(input_items[r]) + consumed;
            consumed += d_sync.push(d_in.data(), available - consumed);
        }
        report();
        consume_each(consumed);
        return produced;
    }

private:
    void add_tags(int item, const sync_result& result)
    {
        pmt::pmt_t sync = pmt::make_dict();
        sync = pmt::dict_add(
            sync, d_start, pmt::from_uint64(std::max<int64_t>(0, result.start)));
        sync = pmt::dict_add(
            sync, d_offset_hz, pmt::from_double(result.offset * d_spacing_hz));
        sync =
            pmt::dict_add(sync,
                          d_snr_db,
                          pmt::from_double(10 * std::log10(std::max(1e-10, result.snr))));
        sync = pmt::dict_add(sync, d_noise, pmt::from_double(result.noise));
        const pmt::pmt_t frame = pmt::from_uint64(result.frame);
        for (size_t r = 0; r < d_in.size(); r++) {
            add_item_tag(r, nitems_written(r) + item, key::frame(), frame);
            add_item_tag(r, nitems_written(r) + item, d_tag, sync);
        }
    }

    // Logs what is worth a line: a wrong cell, lost samples.
    void report()
    {
        const uint64_t refused = d_sync.bad_headers() + d_sync.broken();
        if (refused != d_reported) {
            d_reported = refused;
            if (d_refused.bad())
                d_logger->warn(
                    "discarding a frame: {:d} with a wrong checksum or another "
                    "configuration, {:d} with lost samples so far",
                    d_sync.bad_headers(),
                    d_sync.broken());
        }
        const uint64_t bad = d_sync.bad_samples();
        if (bad != d_reported_samples && d_reported_samples == 0)
            d_logger->warn("samples that are not finite are taken for zeros");
        d_reported_samples = bad;
    }

    frame_synchronizer d_sync;
    const double d_spacing_hz;
    const size_t d_size;
    volk::vector<gr_complex> d_grid;
    std::vector<const gr_complex*> d_in;
    const pmt::pmt_t d_tag = pmt::mp("sync");
    const pmt::pmt_t d_start = pmt::mp("start");
    const pmt::pmt_t d_offset_hz = pmt::mp("offset_hz");
    const pmt::pmt_t d_snr_db = pmt::mp("snr_db");
    const pmt::pmt_t d_noise = pmt::mp("noise");
    std::atomic<uint64_t> d_frames{ 0 };
    burst_counter d_refused;
    uint64_t d_reported = 0, d_reported_samples = 0;
};

} // namespace

csi_sync::sptr csi_sync::make(csirs_frame::sptr frame, int nr, double max_offset)
{
    const char* where = "csi_sync";
    not_null(where, "frame", frame);
    check_range(where, "nr", nr, 1, 4);
    check_range(where, "max_offset", max_offset, 0.0, frame->parameters().nc / 4.0);
    return gnuradio::make_block_sptr<csi_sync_impl>(
        frame, nr, max_offset, size_t(frame->pilot_symbols()) * frame->parameters().nc);
}

} // namespace csifeedback
} // namespace gr
