/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "ofdm/moving_channel.h"
#include "random.h"
#include <gnuradio/csifeedback/mimo_channel.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

namespace {

constexpr const char* where = "mimo_channel";
constexpr double no_noise_db = 300;

class mimo_channel_impl : public mimo_channel
{
public:
    mimo_channel_impl(std::unique_ptr<taps_source> source,
                      double snr_db,
                      double signal_power,
                      uint64_t seed,
                      const frame_times& times)
        : gr::block(
              "csi_mimo_channel",
              gr::io_signature::make(
                  source->grid().nt, source->grid().nt, sizeof(gr_complex)),
              gr::io_signature::make(source->nr(), source->nr(), sizeof(gr_complex))),
          d_channel(std::move(source), times),
          d_nt(d_channel.grid().nt),
          d_signal_power(signal_power),
          d_engine(make_engine(seed, 0))
    {
        set_snr_db(snr_db);
        for (int n = 0; n < d_nt; n++)
            d_inputs.emplace_back(d_channel.past() + moving_channel::max_samples);
        d_in.resize(d_nt);
        d_out.resize(d_channel.nr());
        d_energy_lost = d_channel.energy_lost();
        set_tag_propagation_policy(TPP_DONT);
        for (int r = 0; r < d_channel.nr(); r++) {
            d_ports.push_back(pmt::mp("truth" + (r ? std::to_string(r) : "")));
            message_port_register_out(d_ports[r]);
        }
    }

    int delay() const override { return d_channel.lead(); }
    void set_snr_db(double snr_db) override
    {
        check_range(where, "snr_db", snr_db, -100.0, no_noise_db);
        d_noise = snr_db < no_noise_db
                      ? std::sqrt(d_signal_power * std::pow(10, -snr_db / 10) / 2)
                      : 0;
    }
    double energy_lost() const override { return d_energy_lost; }
    uint64_t frames() const override { return d_frames; }

    void forecast(int noutput_items, gr_vector_int& required) override
    {
        std::fill(required.begin(), required.end(), noutput_items);
    }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        int count = std::min(noutput_items, int(moving_channel::max_samples));
        for (const int available : ninput_items)
            count = std::min(count, available);
        const uint64_t first = nitems_read(0);
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + count, key::frame());
        std::sort(d_tags.begin(), d_tags.end(), tag_t::offset_compare);
        for (int n = 0; n < d_nt; n++) {
            std::memcpy(static_cast<void*>(d_inputs[n].data() + d_channel.past()),
                        input_items[n],
                        count * sizeof(gr_complex));
            d_in[n] = d_inputs[n].data();
        }
        for (size_t r = 0; r < d_out.size(); r++)
            d_out[r] = static_cast<gr_complex*>(output_items[r]);

        // Frames that begin here change the channel once delay zero has reached them.
        for (const tag_t& tag : d_tags) {
            uint64_t frame;
            if (to_number(tag.value, frame))
                d_due.emplace_back(tag.offset + d_channel.lead(), frame);
        }
        int done = 0;
        size_t due = 0;
        for (; due < d_due.size() && d_due[due].first < first + count; due++) {
            const int here = int(d_due[due].first - first) - done;
            d_channel.run(d_in.data(), d_out.data(), done, here);
            done += here;
            begin_frame(d_due[due].second);
        }
        d_due.erase(d_due.begin(), d_due.begin() + due);
        d_channel.run(d_in.data(), d_out.data(), done, count - done);
        for (size_t n = 0; n < d_inputs.size(); n++)
            std::memmove(static_cast<void*>(d_inputs[n].data()),
                         d_inputs[n].data() + count,
                         d_channel.past() * sizeof(gr_complex));
        add_noise(count);
        d_energy_lost = d_channel.energy_lost();
        consume_each(count);
        return count;
    }

private:
    void begin_frame(uint64_t frame)
    {
        d_channel.begin_frame(frame);
        publish(frame);
        d_frames++;
    }

    // The true H of every receiving antenna.
    void publish(uint64_t frame)
    {
        const channel_grid& grid = d_channel.grid();
        for (size_t r = 0; r < d_ports.size(); r++) {
            size_t length;
            const pmt::pmt_t h = pmt::make_c32vector(size_t(grid.nc) * grid.nt, 0);
            d_channel.truth(frame, r, pmt::c32vector_writable_elements(h, length));
            pmt::pmt_t metadata = pmt::make_dict();
            metadata = pmt::dict_add(metadata, key::frame(), pmt::from_uint64(frame));
            metadata = pmt::dict_add(metadata, d_key_rx, pmt::from_long(r));
            metadata = pmt::dict_add(metadata, d_key_nc, pmt::from_long(grid.nc));
            metadata = pmt::dict_add(metadata, d_key_nt, pmt::from_long(grid.nt));
            message_port_pub(d_ports[r], pmt::cons(metadata, h));
        }
    }

    void add_noise(int count)
    {
        const float amplitude = d_noise;
        if (amplitude == 0)
            return;
        for (gr_complex* out : d_out)
            for (int i = 0; i < count; i++) {
                const float re = d_normal(d_engine), im = d_normal(d_engine);
                out[i] += amplitude * gr_complex(re, im);
            }
    }

    moving_channel d_channel;
    const int d_nt;
    const double d_signal_power;
    std::vector<volk::vector<gr_complex>> d_inputs;
    std::vector<const gr_complex*> d_in;
    std::vector<gr_complex*> d_out;
    std::vector<tag_t> d_tags;
    std::vector<std::pair<uint64_t, uint64_t>> d_due; // output sample, frame
    std::vector<pmt::pmt_t> d_ports;
    const pmt::pmt_t d_key_rx = pmt::mp("rx");
    const pmt::pmt_t d_key_nc = pmt::mp("nc");
    const pmt::pmt_t d_key_nt = pmt::mp("nt");
    std::atomic<float> d_noise{ 0 }; // standard deviation of either part
    random_engine d_engine;
    boost::random::normal_distribution<float> d_normal;
    std::atomic<double> d_energy_lost{ 0 };
    std::atomic<uint64_t> d_frames{ 0 };
};

void check_power(double signal_power)
{
    if (!(signal_power > 0 && signal_power <= 1e12))
        throw_bad(where, "signal_power", signal_power, "above 0, at most 1e12");
}

} // namespace

mimo_channel::sptr mimo_channel::make(std::vector<channel_model::sptr> models,
                                      double sample_rate,
                                      int max_delay,
                                      double snr_db,
                                      double signal_power,
                                      uint64_t seed,
                                      int updates,
                                      csirs_frame::sptr frame)
{
    check_power(signal_power);
    return gnuradio::make_block_sptr<mimo_channel_impl>(
        taps_source::from_models(where, std::move(models), sample_rate, max_delay),
        snr_db,
        signal_power,
        seed,
        frame_times::make(where, updates, frame));
}

mimo_channel::sptr
mimo_channel::make_from_taps(const std::vector<std::complex<float>>& taps,
                             int nr,
                             int nt,
                             int length,
                             int nc,
                             double spacing_hz,
                             double sample_rate,
                             double snr_db,
                             double signal_power,
                             uint64_t seed,
                             int updates,
                             csirs_frame::sptr frame)
{
    check_power(signal_power);
    return gnuradio::make_block_sptr<mimo_channel_impl>(
        taps_source::from_taps(
            where, taps, nr, length, { nc, nt, spacing_hz, 0.5 }, sample_rate),
        snr_db,
        signal_power,
        seed,
        frame_times::make(where, updates, frame));
}

} // namespace csifeedback
} // namespace gr
