/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "ofdm/mimo_filter.h"
#include "random.h"
#include <gnuradio/csifeedback/mimo_channel.h>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <cstring>

namespace gr {
namespace csifeedback {

namespace {

constexpr const char* where = "mimo_channel";
constexpr double no_noise_db = 300;

// Where the taps of a sample of the channel and its true H come from.
class taps_source
{
public:
    virtual ~taps_source() = default;
    virtual int length() const = 0;
    virtual int lead() const = 0;
    // taps: nt x length. Returns the part of the power left out.
    virtual double taps(uint64_t index, int rx, gr_complex* taps) = 0;
    // h: nc x nt
    virtual void response(uint64_t index, int rx, gr_complex* h) = 0;
};

class model_taps : public taps_source
{
public:
    model_taps(std::vector<channel_model::sptr> models, double sample_rate, int max_delay)
        : d_models(std::move(models)),
          d_rays(sample_rate,
                 std::min(0.999,
                          d_models[0]->grid().nc * d_models[0]->grid().spacing_hz /
                              sample_rate)),
          d_length(2 * d_rays.lead() + max_delay)
    {
        const auto& grid = d_models[0]->grid();
        for (const auto& model : d_models)
            if (model->paths(0).empty() && !d_fit)
                d_fit = std::make_unique<response_fit>(
                    grid, sample_rate, d_rays.lead(), d_length);
        if (d_fit)
            d_h.resize(size_t(grid.nc) * grid.nt);
    }
    int length() const override { return d_length; }
    int lead() const override { return d_rays.lead(); }
    double taps(uint64_t index, int rx, gr_complex* taps) override
    {
        const channel_model& model = *d_models[rx];
        const auto paths = model.paths(index);
        if (!paths.empty())
            return d_rays.make(paths, model.grid(), taps, d_length);
        model.generate(index, d_h.data());
        d_fit->make(d_h.data(), taps);
        return 0;
    }
    void response(uint64_t index, int rx, gr_complex* h) override
    {
        d_models[rx]->generate(index, h);
    }

private:
    const std::vector<channel_model::sptr> d_models;
    const ray_interpolator d_rays;
    const int d_length;
    std::unique_ptr<response_fit> d_fit; // for models without rays
    std::vector<gr_complex> d_h;         // of one of them
};

class given_taps : public taps_source
{
public:
    given_taps(const std::vector<gr_complex>& taps,
               int nr,
               int length,
               const channel_grid& grid,
               double sample_rate)
        : d_taps(taps),
          d_nr(nr),
          d_length(length),
          d_grid(grid),
          d_sample_rate(sample_rate),
          d_count(taps.size() / (size_t(nr) * grid.nt * length))
    {
    }
    int length() const override { return d_length; }
    int lead() const override { return 0; }
    double taps(uint64_t index, int rx, gr_complex* taps) override
    {
        std::copy_n(of(index, rx), size_t(d_grid.nt) * d_length, taps);
        return 0;
    }
    void response(uint64_t index, int rx, gr_complex* h) override
    {
        taps_response(of(index, rx), d_length, 0, d_grid, d_sample_rate, h);
    }

private:
    const gr_complex* of(uint64_t index, int rx) const
    {
        return &d_taps[(index % d_count * d_nr + rx) * d_grid.nt * d_length];
    }

    const std::vector<gr_complex> d_taps;
    const int d_nr;
    const int d_length;
    const channel_grid d_grid;
    const double d_sample_rate;
    const size_t d_count;
};

// When a frame's samples of the channel come, in samples of the signal.
struct frame_times {
    int updates = 1;
    double length = 1; // of a frame
    double middle = 0; // of its pilots

    double of(int update) const { return (update + 0.5) * length / updates; }
};

frame_times times_of(int updates, const csirs_frame::sptr& frame)
{
    check_range(where, "updates", updates, 1, 4096);
    if (updates == 1)
        return {};
    if (!frame)
        throw_bad(where, "frame", "null", "a csirs_frame where updates is above 1");
    check_range(where, "updates", updates, 2, frame->frame_length());
    const double symbol = frame->parameters().fft_size + frame->parameters().cp_length;
    return { updates,
             double(frame->frame_length()),
             (frame->first_pilot() + frame->pilot_symbols() / 2.0) * symbol };
}

class mimo_channel_impl : public mimo_channel
{
public:
    mimo_channel_impl(std::unique_ptr<taps_source> source,
                      int nr,
                      const channel_grid& grid,
                      double snr_db,
                      double signal_power,
                      uint64_t seed,
                      const frame_times& times)
        : gr::block("csi_mimo_channel",
                    gr::io_signature::make(grid.nt, grid.nt, sizeof(gr_complex)),
                    gr::io_signature::make(nr, nr, sizeof(gr_complex))),
          d_source(std::move(source)),
          d_grid(grid),
          d_signal_power(signal_power),
          d_times(times),
          d_taps(size_t(nr) * grid.nt * d_source->length()),
          d_past(d_source->length() - 1),
          d_engine(make_engine(seed, 0))
    {
        set_snr_db(snr_db);
        for (int n = 0; n < grid.nt; n++)
            d_inputs.emplace_back(d_past + max_samples);
        d_in.resize(grid.nt);
        d_out.resize(nr);
        d_filter = std::make_unique<mimo_filter>(grid.nt, nr, d_source->length());
        if (times.updates > 1) {
            d_next = std::make_unique<mimo_filter>(grid.nt, nr, d_source->length());
            d_h.resize(size_t(grid.nc) * grid.nt);
            for (int r = 0; r < nr; r++) {
                d_other.emplace_back(max_samples);
                d_other_out.push_back(d_other[r].data());
            }
        }
        set_tag_propagation_policy(TPP_DONT);
        for (int r = 0; r < nr; r++) {
            d_ports.push_back(pmt::mp("truth" + (r ? std::to_string(r) : "")));
            message_port_register_out(d_ports[r]);
        }
        // Until there is a frame. The truth of that is of no use to anyone.
        set_taps(*d_filter, 0);
        d_update = d_times.updates - 1;
    }

    int delay() const override { return d_source->lead(); }
    void set_snr_db(double snr_db) override
    {
        check_range(where, "snr_db", snr_db, -100.0, no_noise_db);
        d_noise = snr_db < no_noise_db
                      ? std::sqrt(d_signal_power * std::pow(10, -snr_db / 10) / 2)
                      : 0;
    }
    double energy_lost() const override
    {
        const uint64_t made = d_made;
        return made ? d_lost / made : 0;
    }
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
        int count = std::min(noutput_items, int(max_samples));
        for (const int available : ninput_items)
            count = std::min(count, available);
        const uint64_t first = nitems_read(0);
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + count, key::frame());
        std::sort(d_tags.begin(), d_tags.end(), tag_t::offset_compare);
        for (int n = 0; n < d_grid.nt; n++) {
            std::memcpy(static_cast<void*>(d_inputs[n].data() + d_past),
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
                d_due.emplace_back(tag.offset + d_source->lead(), frame);
        }
        int done = 0;
        size_t due = 0;
        for (; due < d_due.size() && d_due[due].first < first + count; due++) {
            const int here = int(d_due[due].first - first) - done;
            filter(done, here);
            done += here;
            begin_frame(d_due[due].second);
        }
        d_due.erase(d_due.begin(), d_due.begin() + due);
        filter(done, count - done);
        for (size_t n = 0; n < d_inputs.size(); n++)
            std::memmove(static_cast<void*>(d_inputs[n].data()),
                         d_inputs[n].data() + count,
                         d_past * sizeof(gr_complex));
        add_noise(count);
        consume_each(count);
        return count;
    }

private:
    static constexpr size_t max_samples = 32768; // of one call

    // Output sample t is that of the filter at t: its taps' lead is the delay.
    void filter(int from, int count)
    {
        while (count > 0) {
            // Up to the next sample of the channel, or the end.
            int here = count;
            const bool is_between = d_next && d_update + 1 < d_times.updates &&
                                    d_position >= d_times.of(d_update);
            if (d_next && d_update + 1 < d_times.updates) {
                const double until =
                    d_times.of(is_between ? d_update + 1 : d_update) - d_position;
                here = std::min<double>(count, std::ceil(until));
            }
            d_filter->run(d_in.data(), d_out.data(), from, here);
            if (is_between)
                mix(from, here);
            for (auto& in : d_in)
                in += here;
            d_position += here;
            from += here;
            count -= here;
            if (is_between && d_position >= d_times.of(d_update + 1)) {
                std::swap(d_filter, d_next);
                d_update++;
                prepare_next();
            }
        }
    }

    // Goes over from the channel of one sample to that of the next.
    void mix(int from, int count)
    {
        d_next->run(d_in.data(), d_other_out.data(), 0, count);
        const double begin = d_times.of(d_update),
                     step = 1 / (d_times.of(d_update + 1) - begin);
        for (size_t r = 0; r < d_out.size(); r++) {
            gr_complex* out = d_out[r] + from;
            const gr_complex* other = d_other_out[r];
            for (int i = 0; i < count; i++)
                out[i] += float((d_position + i - begin) * step) * (other[i] - out[i]);
        }
    }

    void begin_frame(uint64_t frame)
    {
        d_frame = frame;
        d_position = 0;
        d_update = 0;
        set_taps(*d_filter, frame * d_times.updates);
        prepare_next();
        publish(frame);
        d_frames++;
    }

    void prepare_next()
    {
        if (d_update + 1 < d_times.updates)
            set_taps(*d_next, d_frame * d_times.updates + d_update + 1);
    }

    // Gives a filter the taps of a sample of the channel.
    void set_taps(mimo_filter& filter, uint64_t index)
    {
        for (size_t r = 0; r < d_out.size(); r++) {
            d_lost = d_lost + d_source->taps(
                                  index, r, &d_taps[r * d_grid.nt * d_source->length()]);
            d_made++;
        }
        filter.set_taps(d_taps.data());
    }

    // The true H in the middle of the pilots.
    void publish(uint64_t frame)
    {
        const int updates = d_times.updates;
        const double place =
            std::min(updates - 1.0,
                     std::max(0.0, d_times.middle * updates / d_times.length - 0.5));
        const int update = place;
        const float part = place - update;
        const size_t size = size_t(d_grid.nc) * d_grid.nt;
        for (size_t r = 0; r < d_ports.size(); r++) {
            const pmt::pmt_t h = pmt::make_c32vector(size, 0);
            size_t length;
            gr_complex* out = pmt::c32vector_writable_elements(h, length);
            d_source->response(frame * updates + update, r, out);
            if (part > 0) {
                d_source->response(frame * updates + update + 1, r, d_h.data());
                for (size_t i = 0; i < size; i++)
                    out[i] += part * (d_h[i] - out[i]);
            }
            pmt::pmt_t metadata = pmt::make_dict();
            metadata = pmt::dict_add(metadata, key::frame(), pmt::from_uint64(frame));
            metadata = pmt::dict_add(metadata, d_key_rx, pmt::from_long(r));
            metadata = pmt::dict_add(metadata, d_key_nc, pmt::from_long(d_grid.nc));
            metadata = pmt::dict_add(metadata, d_key_nt, pmt::from_long(d_grid.nt));
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

    const std::unique_ptr<taps_source> d_source;
    const channel_grid d_grid;
    const double d_signal_power;
    const frame_times d_times;
    std::unique_ptr<mimo_filter> d_filter, d_next; // of d_update and the one after it
    std::vector<gr_complex> d_taps;                // nr x nt x length
    const size_t d_past;                           // samples that the filter looks back
    std::vector<volk::vector<gr_complex>> d_inputs;
    std::vector<const gr_complex*> d_in;
    std::vector<gr_complex*> d_out;
    uint64_t d_frame = 0;
    int d_update = 0;      // of the frame
    double d_position = 0; // samples since the frame began
    // For updates above 1: what d_next makes of the samples, and another H
    std::vector<volk::vector<gr_complex>> d_other;
    std::vector<gr_complex*> d_other_out;
    std::vector<gr_complex> d_h;
    std::vector<tag_t> d_tags;
    std::vector<std::pair<uint64_t, uint64_t>> d_due; // output sample, frame
    std::vector<pmt::pmt_t> d_ports;
    const pmt::pmt_t d_key_rx = pmt::mp("rx");
    const pmt::pmt_t d_key_nc = pmt::mp("nc");
    const pmt::pmt_t d_key_nt = pmt::mp("nt");
    std::atomic<float> d_noise{ 0 }; // standard deviation of either part
    random_engine d_engine;
    boost::random::normal_distribution<float> d_normal;
    std::atomic<double> d_lost{ 0 };
    std::atomic<uint64_t> d_made{ 0 };
    std::atomic<uint64_t> d_frames{ 0 };
};

void check_common(double sample_rate, double signal_power)
{
    if (!(sample_rate > 0 && sample_rate <= 1e12))
        throw_bad(where, "sample_rate", sample_rate, "above 0, at most 1e12");
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
    check_range<size_t>(where, "number of models", models.size(), 1, 4);
    for (const auto& model : models)
        not_null(where, "model", model);
    const channel_grid grid = models[0]->grid();
    for (const auto& model : models) {
        check_range(where, "nt of the models", model->grid().nt, grid.nt, grid.nt);
        check_range(where, "nc of the models", model->grid().nc, grid.nc, grid.nc);
        check_range(where,
                    "spacing_hz of the models",
                    model->grid().spacing_hz,
                    grid.spacing_hz,
                    grid.spacing_hz);
    }
    check_range(where, "nt of the models", grid.nt, 1, 64);
    check_common(sample_rate, signal_power);
    if (!(sample_rate >= grid.nc * grid.spacing_hz))
        throw_bad(where,
                  "sample_rate",
                  sample_rate,
                  "at least nc times spacing_hz of the models, " +
                      std::to_string(grid.nc * grid.spacing_hz));
    check_range(where, "max_delay", max_delay, 1, 8192);
    const int nr = models.size();
    return gnuradio::make_block_sptr<mimo_channel_impl>(
        std::make_unique<model_taps>(std::move(models), sample_rate, max_delay),
        nr,
        grid,
        snr_db,
        signal_power,
        seed,
        times_of(updates, frame));
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
    check_range(where, "nr", nr, 1, 4);
    check_range(where, "nt", nt, 1, 64);
    check_range(where, "length", length, 1, 8192);
    check_range(where, "nc", nc, 1, 65536);
    if (!(spacing_hz > 0 && spacing_hz <= 1e9))
        throw_bad(where, "spacing_hz", spacing_hz, "above 0, at most 1e9");
    check_common(sample_rate, signal_power);
    const size_t size = size_t(nr) * nt * length;
    if (taps.empty() || taps.size() % size)
        throw_bad(where,
                  "size of taps",
                  taps.size(),
                  "a multiple of nr nt length, " + std::to_string(size));
    if (!all_finite(reinterpret_cast<const float*>(taps.data()), 2 * taps.size()))
        throw_bad(where, "taps", "not finite", "finite values");
    const channel_grid grid{ nc, nt, spacing_hz, 0.5 };
    return gnuradio::make_block_sptr<mimo_channel_impl>(
        std::make_unique<given_taps>(taps, nr, length, grid, sample_rate),
        nr,
        grid,
        snr_db,
        signal_power,
        seed,
        times_of(updates, frame));
}

} // namespace csifeedback
} // namespace gr
