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

// Where the taps of a frame and its true H come from.
class taps_source
{
public:
    virtual ~taps_source() = default;
    virtual int length() const = 0;
    virtual int lead() const = 0;
    // taps: nt x length; h: nc x nt. Returns the part of the power left out.
    virtual double make(uint64_t frame, int rx, gr_complex* taps, gr_complex* h) = 0;
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
    }
    int length() const override { return d_length; }
    int lead() const override { return d_rays.lead(); }
    double make(uint64_t frame, int rx, gr_complex* taps, gr_complex* h) override
    {
        const channel_model& model = *d_models[rx];
        model.generate(frame, h);
        const auto paths = model.paths(frame);
        if (!paths.empty())
            return d_rays.make(paths, model.grid(), taps, d_length);
        d_fit->make(h, taps);
        return 0;
    }

private:
    const std::vector<channel_model::sptr> d_models;
    const ray_interpolator d_rays;
    const int d_length;
    std::unique_ptr<response_fit> d_fit; // for models without rays
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
    double make(uint64_t frame, int rx, gr_complex* taps, gr_complex* h) override
    {
        const size_t size = size_t(d_grid.nt) * d_length;
        std::copy_n(&d_taps[(frame % d_count * d_nr + rx) * size], size, taps);
        taps_response(taps, d_length, 0, d_grid, d_sample_rate, h);
        return 0;
    }

private:
    const std::vector<gr_complex> d_taps;
    const int d_nr;
    const int d_length;
    const channel_grid d_grid;
    const double d_sample_rate;
    const size_t d_count;
};

class mimo_channel_impl : public mimo_channel
{
public:
    mimo_channel_impl(std::unique_ptr<taps_source> source,
                      int nr,
                      const channel_grid& grid,
                      double snr_db,
                      double signal_power,
                      uint64_t seed)
        : gr::block("csi_mimo_channel",
                    gr::io_signature::make(grid.nt, grid.nt, sizeof(gr_complex)),
                    gr::io_signature::make(nr, nr, sizeof(gr_complex))),
          d_source(std::move(source)),
          d_grid(grid),
          d_signal_power(signal_power),
          d_filter(grid.nt, nr, d_source->length()),
          d_taps(size_t(nr) * grid.nt * d_source->length()),
          d_past(d_source->length() - 1),
          d_engine(make_engine(seed, 0))
    {
        set_snr_db(snr_db);
        for (int n = 0; n < grid.nt; n++)
            d_inputs.emplace_back(d_past + most_samples);
        d_in.resize(grid.nt);
        d_out.resize(nr);
        set_tag_propagation_policy(TPP_DONT);
        for (int r = 0; r < nr; r++) {
            d_ports.push_back(pmt::mp("truth" + (r ? std::to_string(r) : "")));
            message_port_register_out(d_ports[r]);
        }
        // The truth of samples before any frame is of no use to anyone.
        set_channel(0, false);
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
        int count = std::min(noutput_items, int(most_samples));
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
            set_channel(d_due[due].second, true);
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
    static constexpr size_t most_samples = 32768; // of one call

    // Output sample t is that of the filter at t: its taps' lead is the delay.
    void filter(int from, int count)
    {
        if (count <= 0)
            return;
        d_filter.run(d_in.data(), d_out.data(), from, count);
        for (auto& in : d_in)
            in += count;
    }

    void set_channel(uint64_t frame, bool publish)
    {
        for (size_t r = 0; r < d_ports.size(); r++) {
            const pmt::pmt_t h = pmt::make_c32vector(size_t(d_grid.nc) * d_grid.nt, 0);
            size_t size;
            const double lost =
                d_source->make(frame,
                               r,
                               &d_taps[r * d_grid.nt * d_source->length()],
                               pmt::c32vector_writable_elements(h, size));
            if (!publish)
                continue;
            d_lost = d_lost + lost;
            d_made++;
            pmt::pmt_t metadata = pmt::make_dict();
            metadata = pmt::dict_add(metadata, key::frame(), pmt::from_uint64(frame));
            metadata = pmt::dict_add(metadata, d_key_rx, pmt::from_long(r));
            metadata = pmt::dict_add(metadata, d_key_nc, pmt::from_long(d_grid.nc));
            metadata = pmt::dict_add(metadata, d_key_nt, pmt::from_long(d_grid.nt));
            message_port_pub(d_ports[r], pmt::cons(metadata, h));
        }
        d_frames += publish;
        d_filter.set_taps(d_taps.data());
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
    mimo_filter d_filter;
    std::vector<gr_complex> d_taps; // nr x nt x length
    const size_t d_past;            // samples that the filter looks back
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
                                      uint64_t seed)
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
        seed);
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
                             uint64_t seed)
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
        seed);
}

} // namespace csifeedback
} // namespace gr
