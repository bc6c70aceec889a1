/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Synchronization and channel estimation: signals made here, with offsets, noise and
// damage, and estimates against closed forms.

#include "ofdm/convolutional.h"
#include "ofdm/frame_synchronizer.h"
#include "ofdm/mimo_filter.h"
#include "random.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/csirs_estimator.h>
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
using signal = std::vector<cf>;

class noise_source
{
public:
    explicit noise_source(uint64_t seed) : d_engine(make_engine(seed, 0)) {}
    // Of unit variance.
    cd operator()()
    {
        const double re = d_normal(d_engine), im = d_normal(d_engine);
        return cd(re, im) * M_SQRT1_2;
    }

private:
    random_engine d_engine;
    boost::random::normal_distribution<double> d_normal;
};

csirs_parameters lte(int nt = 8)
{
    csirs_parameters p;
    p.nt = nt;
    p.cell_id = 17;
    return p;
}

channel_model::sptr channel_of(const csirs_parameters& p, double delay_spread_s = 100e-9)
{
    cdl_parameters c;
    c.profile = 'C';
    c.grid = { p.nc, p.nt, p.spacing_hz, 0.5 };
    c.delay_spread_s = delay_spread_s;
    return cdl_channel::make(c);
}

// Frames first, first + 1, ... of a channel model, each through its own sample: starts at
// sample `lead` of the result and is followed by `tail` more.
signal received(const csirs_frame& f,
                const channel_model& model,
                uint32_t first,
                int count,
                size_t lead,
                size_t tail)
{
    const auto& p = f.parameters();
    const ray_interpolator rays(f.sample_rate(), double(p.nc) / p.fft_size);
    const int taps = 2 * rays.lead() + 32;
    mimo_filter filter(p.nt, 1, taps);
    std::vector<cf> h(size_t(p.nt) * taps);
    volk::vector<cf> header(f.header_symbols() * (p.fft_size + p.cp_length));
    signal y(lead + size_t(count) * f.frame_length() + tail + taps);
    for (int i = 0; i < count; i++) {
        rays.make(model.paths(first + i), model.grid(), h.data(), taps);
        filter.set_taps(h.data());
        f.write_header(first + i, header.data());
        const size_t length = f.frame_length() + taps - 1;
        std::vector<signal> x(p.nt, signal(taps - 1 + length));
        std::vector<const cf*> in;
        for (int n = 0; n < p.nt; n++) {
            f.write(header.data(), n, 0, f.frame_length(), x[n].data() + taps - 1);
            in.push_back(x[n].data());
        }
        signal out(length);
        cf* to[] = { out.data() };
        filter.run(in.data(), to, 0, length);
        for (size_t t = rays.lead(); t < length; t++)
            y[lead + size_t(i) * f.frame_length() + t - rays.lead()] += out[t];
    }
    return y;
}

void impair(signal& y, double offset, int n, double noise_variance, uint64_t seed)
{
    noise_source noise(seed);
    const double amplitude = std::sqrt(noise_variance);
    for (size_t t = 0; t < y.size(); t++)
        y[t] = cf(cd(y[t]) * std::polar(1.0, 2 * M_PI * offset * double(t) / n) +
                  amplitude * noise());
}

struct found {
    sync_result result;
    std::vector<cf> grid;
};

std::vector<found>
find_frames(frame_synchronizer& sync, const csirs_frame& f, const signal& y, size_t step)
{
    std::vector<found> all;
    std::vector<cf> grid(size_t(f.pilot_symbols()) * f.parameters().nc);
    sync_result r;
    for (size_t at = 0; at < y.size();) {
        const cf* in[] = { y.data() + at };
        at += sync.push(in, std::min(step, y.size() - at));
        while (sync.next(r, grid.data()))
            all.push_back({ r, grid });
    }
    return all;
}

double noise_for(const csirs_frame& f, double snr_db)
{
    // Of a preamble subcarrier: power / nc against noise / fft_size.
    const auto& p = f.parameters();
    return p.power * p.fft_size / p.nc * std::pow(10, -snr_db / 10);
}

TEST(sync, finds_every_frame_under_offset_and_noise)
{
    const auto f = csirs_frame::make(lte());
    const auto model = channel_of(lte());
    for (const double snr_db : { 30.0, 10.0, 0.0 })
        for (const double offset : { 0.0, 0.37, -1.02, 2.9, -7.6 }) {
            signal y = received(*f, *model, 1000, 12, 1234, 2000);
            impair(y, offset, 512, noise_for(*f, snr_db), 1);
            frame_synchronizer sync(f, 1, 8);
            const auto frames = find_frames(sync, *f, y, 777);
            // Below the mean SNR by a fade of the preamble a frame may be lost.
            EXPECT_GE(frames.size(), snr_db > 5 ? 12u : 10u) << snr_db << " " << offset;
            double square = 0;
            for (const auto& x : frames) {
                const int i = x.result.frame - 1000;
                ASSERT_TRUE(i >= 0 && i < 12);
                EXPECT_NEAR(x.result.start, 1234 + i * f->frame_length(), 8);
                square += std::pow(x.result.offset - offset, 2);
            }
            // The phase over the 9 symbols between symbol 1 and its repetition.
            const double rms = std::sqrt(square / frames.size());
            EXPECT_LT(rms, 0.002 * std::pow(10, -snr_db / 20) + 5e-5)
                << snr_db << " " << offset;
        }
}

// What a converter takes whose clock is slower by this part.
signal resampled(const signal& x, double part)
{
    constexpr int half = 24;
    signal y;
    for (size_t i = 0;; i++) {
        const double t = double(i) * (1 + part);
        const int64_t middle = std::floor(t);
        if (middle + half >= int64_t(x.size()))
            return y;
        cd sum = 0;
        for (int64_t k = std::max<int64_t>(0, middle - half + 1); k <= middle + half;
             k++) {
            const double d = t - double(k), inside = 1 - d * d / (half * half);
            const double sinc = d == 0 ? 1 : std::sin(M_PI * d) / (M_PI * d);
            sum += cd(x[k]) * sinc * std::cyl_bessel_i(0.0, 9 * std::sqrt(inside)) /
                   std::cyl_bessel_i(0.0, 9.0);
        }
        y.push_back(cf(sum));
    }
}

// What the clock does to the estimates is in tests/python/qa_ofdm.py.
TEST(sync, measures_the_sampling_clock)
{
    const csirs_parameters p = lte(32);
    const auto f = csirs_frame::make(p);
    const signal clean = received(*f, *channel_of(p), 0, 8, 1234, 2000);
    for (const double ppm : { -20.0, 0.0, 5.0, 20.0 }) {
        signal y = resampled(clean, 1e-6 * ppm);
        impair(y, 0.3, 512, noise_for(*f, 30), 4);
        frame_synchronizer sync(f, 1, 4);
        const auto frames = find_frames(sync, *f, y, 4096);
        ASSERT_EQ(frames.size(), 8u) << ppm;
        for (const auto& x : frames) // a slower clock makes the frame shorter
            EXPECT_NEAR(x.result.clock, -1e-6 * ppm, 1e-6) << ppm;
    }
}

TEST(sync, offset_range_is_as_stated)
{
    const auto f = csirs_frame::make(lte());
    signal y = received(*f, *channel_of(lte()), 0, 3, 500, 2000);
    impair(y, 11.5, 512, noise_for(*f, 20), 1);
    frame_synchronizer narrow(f, 1, 4), wide(f, 1, 12);
    EXPECT_EQ(find_frames(narrow, *f, y, 4096).size(), 0u);
    EXPECT_EQ(find_frames(wide, *f, y, 4096).size(), 3u);
}

TEST(sync, joins_at_any_time)
{
    const auto f = csirs_frame::make(lte());
    const signal y = received(*f, *channel_of(lte()), 50, 6, 0, 2000);
    for (const size_t skip : { 0, 1, 100, 548, 2000, 3000, 3700 }) {
        frame_synchronizer sync(f, 1, 2);
        const auto frames =
            find_frames(sync, *f, signal(y.begin() + skip, y.end()), 1000);
        // Of the first frame's prefix one sample may be missing.
        ASSERT_EQ(frames.size(), skip > 1 ? 5u : 6u) << skip;
        for (size_t i = 0; i < frames.size(); i++)
            EXPECT_EQ(frames[i].result.frame, 50 + i + (skip > 1));
    }
}

TEST(sync, chunks_do_not_matter)
{
    const auto f = csirs_frame::make(lte());
    signal y = received(*f, *channel_of(lte()), 7, 4, 321, 2000);
    impair(y, 0.3, 512, noise_for(*f, 10), 5);
    frame_synchronizer a(f, 1, 2), b(f, 1, 2);
    const auto x = find_frames(a, *f, y, 13), z = find_frames(b, *f, y, 1 << 20);
    ASSERT_EQ(x.size(), 4u);
    ASSERT_EQ(z.size(), 4u);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(x[i].result.start, z[i].result.start);
        EXPECT_EQ(x[i].grid, z[i].grid);
    }
}

TEST(sync, another_cell_or_configuration_is_refused)
{
    const auto f = csirs_frame::make(lte());
    signal y = received(*f, *channel_of(lte()), 0, 5, 100, 2000);
    impair(y, 0.1, 512, noise_for(*f, 25), 1);
    csirs_parameters p = lte();
    p.cell_id++;
    frame_synchronizer other_cell(csirs_frame::make(p), 1, 2);
    EXPECT_EQ(find_frames(other_cell, *f, y, 1000).size(), 0u);
    EXPECT_GE(other_cell.unknown(), 5u);
    p = lte();
    p.cover = "dft";
    frame_synchronizer other_code(csirs_frame::make(p), 1, 2);
    EXPECT_EQ(find_frames(other_code, *f, y, 1000).size(), 0u);
    EXPECT_GE(other_code.bad_headers(), 5u);
}

// A frame without checksum: what was decoded counts as sent.
class credulous_frame : public csirs_frame
{
public:
    explicit credulous_frame(const csirs_parameters& p) : d_frame(csirs_frame::make(p)) {}
    int headers() const { return d_headers; }
    csirs_header decode_header(const float* soft) const override
    {
        d_headers++;
        std::array<float, code::coded> sums{};
        for (int i = 0; i < header_symbols() * parameters().nc; i++)
            sums[bit(i)] += soft[i];
        d_word = code::encode(code::decode(sums));
        csirs_header h = d_frame->decode_header(soft);
        h.valid = true;
        return h;
    }
    void grid(uint32_t frame, int port, int symbol, cf* out) const override
    {
        d_frame->grid(frame, port, symbol, out);
        if (symbol < 2 || symbol >= first_pilot())
            return;
        const int nc = parameters().nc;
        for (int k = 0; k < nc; k++)
            out[k] = sequence(symbol)[k] * port_weight(port) *
                     (d_word[bit((symbol - 2) * nc + k)] ? -1.0f : 1.0f);
    }
    const csirs_parameters& parameters() const override { return d_frame->parameters(); }
    int symbols() const override { return d_frame->symbols(); }
    int header_symbols() const override { return d_frame->header_symbols(); }
    int first_pilot() const override { return d_frame->first_pilot(); }
    int pilot_symbols() const override { return d_frame->pilot_symbols(); }
    int frame_length() const override { return d_frame->frame_length(); }
    double sample_rate() const override { return d_frame->sample_rate(); }
    uint16_t hash() const override { return d_frame->hash(); }
    int pilots() const override { return d_frame->pilots(); }
    double pilot_offset(int port) const override { return d_frame->pilot_offset(port); }
    int pilot_distance() const override { return d_frame->pilot_distance(); }
    float pilot_amplitude() const override { return d_frame->pilot_amplitude(); }
    const cf* sequence(int symbol) const override { return d_frame->sequence(symbol); }
    cf port_weight(int port) const override { return d_frame->port_weight(port); }
    cf cover(int port, int chip) const override { return d_frame->cover(port, chip); }
    void write_header(uint32_t frame, cf* out) const override
    {
        d_frame->write_header(frame, out);
    }
    void write(const cf* header, int port, int first, int count, cf* out) const override
    {
        d_frame->write(header, port, first, count, out);
    }

private:
    using code = convolutional_code<48>;
    static int bit(int cell) { return int64_t(cell) * 61 % code::coded; }

    const csirs_frame::sptr d_frame;
    mutable int d_headers = 0;
    mutable std::array<uint8_t, code::coded> d_word{};
};

// What the checks beside the checksum refuse of candidates beyond the range of carrier
// offsets, and that they refuse no frame whose header is decoded.
TEST(sync, false_headers_are_implausible)
{
    const csirs_parameters p = lte();
    constexpr int most = 850;
    const auto sent = csirs_frame::make(p);
    const signal clean = received(*sent, *channel_of(p), 0, most, 1234, 2000);
    const auto run = [&](double snr_db, double offset, int count) {
        const auto f = std::make_shared<credulous_frame>(p);
        signal y(clean.begin(), clean.end() - size_t(most - count) * f->frame_length());
        impair(y, offset, p.fft_size, noise_for(*f, snr_db), 1);
        frame_synchronizer sync(f, 1, 4);
        int reported = 0, right = 0;
        for (const auto& x : find_frames(sync, *f, y, 4096)) {
            reported++;
            right += x.result.frame < unsigned(count) &&
                     std::abs(x.result.start - 1234 -
                              int64_t(x.result.frame) * f->frame_length()) < 20;
        }
        return std::array<int, 3>{ f->headers(), reported, right };
    };
    int headers = 0, reported = 0;
    for (const double snr_db : { 0.0, 10.0, 20.0, 40.0 })
        for (const double offset : { -8.2, -5.5, 5.3, 5.5, 5.8, 6.1, 7.3, 9.7 }) {
            const auto n = run(snr_db, offset, most);
            headers += n[0];
            reported += n[1];
        }
    std::cout << headers << " false headers, " << reported
              << " pass the checks beside the checksum\n";
    EXPECT_GE(headers, 2000);
    EXPECT_EQ(reported, 0);
    // Within the range the checks do without the checksum.
    for (const double snr_db : { 0.0, 10.0, 20.0, 40.0 }) {
        const auto n = run(snr_db, 0.3, 200);
        EXPECT_GE(n[2], snr_db > 5 ? 200 : 195) << snr_db;
        EXPECT_EQ(n[1], n[2]) << snr_db;
    }
}

// Whatever comes in: no frames that were not sent, and those after the damage are found.
TEST(sync, survives_bad_input)
{
    const auto f = csirs_frame::make(lte());
    const signal good = received(*f, *channel_of(lte()), 0, 6, 100, 3000);
    const int length = f->frame_length();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto run = [&](const std::function<void(signal&)>& damage,
                         frame_synchronizer& sync) {
        signal y = good;
        impair(y, 0.2, 512, noise_for(*f, 25), 3);
        damage(y);
        std::vector<uint32_t> numbers;
        for (const auto& x : find_frames(sync, *f, y, 1500))
            numbers.push_back(x.result.frame);
        return numbers;
    };
    using numbers = std::vector<uint32_t>;
    {
        frame_synchronizer sync(f, 1, 2);
        // From the pilots of frame 1 on.
        EXPECT_EQ(run(
                      [&](signal& y) {
                          std::fill_n(y.begin() + 100 + length + 2500, 900, cf(nan, 0));
                      },
                      sync),
                  (numbers{ 0, 2, 3, 4, 5 }));
        EXPECT_EQ(sync.bad_samples(), 900u);
        EXPECT_GE(sync.broken(), 1u);
    }
    {
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          std::fill_n(y.begin() + 100 + length + 2500, 900, cf(0));
                      },
                      sync),
                  (numbers{ 0, 2, 3, 4, 5 }));
    }
    // Samples lost in a frame, few or many.
    for (const int lost : { 1, 2, 7, 100, 1000 }) {
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          const auto at = y.begin() + 100 + 2 * length + 2600;
                          y.erase(at, at + lost);
                      },
                      sync),
                  (numbers{ 0, 1, 3, 4, 5 }))
            << lost;
    }
    // Or samples that came twice.
    for (const int more : { 1, 2, 7 }) {
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          const size_t at = 100 + 2 * length + 2600;
                          const signal twice(y.begin() + at - more, y.begin() + at);
                          y.insert(y.begin() + at, twice.begin(), twice.end());
                      },
                      sync),
                  (numbers{ 0, 1, 3, 4, 5 }))
            << more;
    }
    {
        // Clipped at the mean amplitude of a part.
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          for (cf& x : y)
                              x = { std::min(0.5f, std::max(-0.5f, x.real())),
                                    std::min(0.5f, std::max(-0.5f, x.imag())) };
                      },
                      sync),
                  (numbers{ 0, 1, 2, 3, 4, 5 }));
    }
    {
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run([&](signal& y) { std::fill(y.begin(), y.end(), cf(0)); }, sync),
                  numbers());
        EXPECT_EQ(sync.candidates(), 0u);
    }
    for (const double turns : { 0.0, 0.01, 0.0625, 0.31 }) {
        // A carrier, or a converter that hangs.
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          for (size_t t = 0; t < y.size(); t++)
                              y[t] = cf(std::polar(1.0, 2 * M_PI * turns * double(t)));
                      },
                      sync),
                  numbers());
    }
    {
        frame_synchronizer sync(f, 1, 2);
        EXPECT_EQ(run(
                      [&](signal& y) {
                          for (size_t t = 0; t < y.size(); t++)
                              y[t] = t % 2
                                         ? cf(std::numeric_limits<float>::max(), nan)
                                         : cf(-std::numeric_limits<float>::infinity(), 1);
                      },
                      sync),
                  numbers());
    }
}

TEST(sync, noise_is_no_frame)
{
    const auto f = csirs_frame::make(lte());
    signal y(3000000);
    impair(y, 0, 512, 1, 9);
    frame_synchronizer sync(f, 1, 8);
    EXPECT_EQ(find_frames(sync, *f, y, 100000).size(), 0u);
    std::cout << sync.candidates() << " candidates in 3 million samples of noise\n";
}

TEST(sync, reports_the_signal_to_noise_ratio)
{
    const auto f = csirs_frame::make(lte());
    for (const double snr_db : { 0.0, 10.0, 25.0 }) {
        signal y = received(*f, *channel_of(lte()), 0, 10, 100, 2000);
        const double noise = noise_for(*f, snr_db);
        impair(y, 0.2, 512, noise, 3);
        frame_synchronizer sync(f, 1, 2);
        double sum = 0;
        const auto frames = find_frames(sync, *f, y, 1500);
        ASSERT_GE(frames.size(), 6u);
        for (const auto& x : frames)
            sum += x.result.noise;
        // 300 differences each: a standard deviation of 6 % for one frame.
        EXPECT_NEAR(sum / frames.size(), noise / 512, 0.1 * noise / 512) << snr_db;
    }
}

// Cells as a grid that a channel H and noise make.
std::vector<cf>
grid_of(const csirs_frame& f, const cf* h, double noise, noise_source& source)
{
    const auto& p = f.parameters();
    std::vector<cf> cells(p.nc), grid(size_t(f.pilot_symbols()) * p.nc);
    std::vector<cd> sum(grid.size());
    for (int n = 0; n < p.nt; n++)
        for (int l = 0; l < f.pilot_symbols(); l++) {
            f.grid(0, n, f.first_pilot() + l, cells.data());
            for (int k = 0; k < p.nc; k++)
                sum[size_t(l) * p.nc + k] += double(f.pilot_amplitude()) * cd(cells[k]) *
                                             cd(h[size_t(k) * p.nt + n]);
        }
    for (size_t i = 0; i < grid.size(); i++)
        grid[i] = cf(sum[i] + std::sqrt(noise) * source());
    return grid;
}

csirs_parameters
with(int nt, int comb, int cdm_frequency, int cdm_time, const char* cover)
{
    csirs_parameters p = lte(nt);
    p.nc = 288;
    p.comb = comb;
    p.cdm_frequency = cdm_frequency;
    p.cdm_time = cdm_time;
    p.cover = cover;
    return p;
}

// The error's variance is sigma^2 / (energy of a port's pilots in a code).
TEST(least_squares, error_is_that_of_the_closed_form)
{
    for (const csirs_parameters& p : { with(1, 1, 1, 1, "walsh"),
                                       with(8, 4, 1, 2, "walsh"),
                                       with(12, 2, 2, 2, "walsh"),
                                       with(32, 4, 2, 4, "dft"),
                                       with(64, 2, 4, 8, "walsh") }) {
        const auto f = csirs_frame::make(p);
        const auto e = csirs_estimator::make(channel_interpolator::make_linear(f));
        noise_source source(4);
        // Flat over a code's subcarriers, so that only noise makes errors.
        std::vector<cf> h(size_t(p.nc) * p.nt);
        for (int g = 0; g < p.nc / f->pilot_distance(); g++)
            for (int n = 0; n < p.nt; n++) {
                const cf x(source());
                for (int k = 0; k < f->pilot_distance(); k++)
                    h[size_t(g * f->pilot_distance() + k) * p.nt + n] = x;
            }
        const double noise = 1e-3;
        std::vector<cf> ls(size_t(f->pilots()) * p.nt);
        double sum = 0;
        size_t count = 0;
        while (count < 40000) {
            e->least_squares(grid_of(*f, h.data(), noise, source).data(), ls.data());
            for (int g = 0; g < f->pilots(); g++)
                for (int n = 0; n < p.nt; n++, count++)
                    sum += std::norm(cd(ls[size_t(g) * p.nt + n]) -
                                     cd(h[size_t(g * f->pilot_distance()) * p.nt + n]));
        }
        const double expected =
            noise / (p.cdm_frequency * p.cdm_time * p.power * p.comb / p.nc);
        // |error|^2 is exponential: its mean has the relative deviation 1 / sqrt(count).
        EXPECT_NEAR(sum / count / expected, 1, 4 / std::sqrt(double(count)))
            << p.nt << " ports";
    }
}

TEST(estimator, without_noise_the_channel_comes_out)
{
    for (const csirs_parameters& p : { with(8, 4, 1, 2, "walsh"),
                                       with(32, 4, 1, 4, "dft"),
                                       with(6, 1, 1, 1, "dft") }) {
        const auto f = csirs_frame::make(p);
        const auto model = channel_of(p);
        noise_source source(4);
        std::vector<cf> h(size_t(p.nc) * p.nt), found(h.size());
        const auto error = [&](const channel_interpolator::sptr& interpolator) {
            const auto e = csirs_estimator::make(interpolator, false);
            double sum = 0, whole = 0;
            for (int i = 0; i < 5; i++) {
                model->generate(i, h.data());
                EXPECT_TRUE(e->estimate(
                    grid_of(*f, h.data(), 0, source).data(), -1, found.data()));
                for (size_t j = 0; j < h.size(); j++) {
                    sum += std::norm(cd(h[j]) - cd(found[j]));
                    whole += std::norm(cd(h[j]));
                }
            }
            return 10 * std::log10(sum / whole);
        };
        const double linear = error(channel_interpolator::make_linear(f)),
                     dft = error(channel_interpolator::make_dft(f)),
                     lmmse = error(channel_interpolator::make_lmmse(f));
        std::cout << p.nt << " ports, no noise: linear " << linear << ", DFT " << dft
                  << ", LMMSE " << lmmse << " dB\n";
        EXPECT_LT(linear, p.comb > 1 ? -35 : -60);
        EXPECT_LT(dft, -15);
        EXPECT_LT(lmmse, -55);
    }
}

// h = sum of paths of known mean powers, at delays between the rows: LMMSE with that
// profile comes to its bound, the trace of R - R_p^H (R_pp + sigma^2)^-1 R_p.
TEST(lmmse, comes_to_its_bound)
{
    const csirs_parameters p = with(4, 4, 1, 1, "walsh");
    const auto f = csirs_frame::make(p);
    const int before = 4, after = 20, pilots = f->pilots();
    std::vector<float> profile(2 * (before + after));
    std::vector<double> rows;
    std::vector<double> powers;
    for (int d = 0; d < 24; d++) {
        const int i = 2 * before + d;
        profile[i] = std::exp(-d / 6.0) / 6;
        rows.push_back(0.5 * d);
        powers.push_back(profile[i]);
    }
    for (const double snr_db : { 0.0, 10.0, 20.0, 30.0 }) {
        double whole = 0;
        for (const double x : powers)
            whole += x;
        const double ls_noise = whole * std::pow(10, -snr_db / 10);
        const double noise = ls_noise * p.comb / p.nc;
        // The bound, for the ports' pilots at their own subcarriers.
        double bound = 0;
        for (int n = 0; n < p.nt; n++) {
            Eigen::MatrixXcd fp(pilots, rows.size()), fk(p.nc, rows.size());
            for (size_t d = 0; d < rows.size(); d++) {
                for (int g = 0; g < pilots; g++)
                    fp(g, d) = std::polar(std::sqrt(powers[d]),
                                          -2 * M_PI * rows[d] * (n + 4 * g) / p.nc);
                for (int k = 0; k < p.nc; k++)
                    fk(k, d) =
                        std::polar(std::sqrt(powers[d]), -2 * M_PI * rows[d] * k / p.nc);
            }
            Eigen::MatrixXcd r = fp * fp.adjoint();
            r.diagonal().array() += ls_noise;
            const Eigen::MatrixXcd cross = fk * fp.adjoint();
            bound +=
                whole * p.nc - (cross * r.ldlt().solve(cross.adjoint())).trace().real();
        }
        bound /= p.nc * p.nt;

        noise_source source(11);
        const auto given = csirs_estimator::make(
                       channel_interpolator::make_lmmse(f, before, after, profile),
                       false),
                   learned = csirs_estimator::make(
                       channel_interpolator::make_lmmse(f, before, after), false),
                   linear =
                       csirs_estimator::make(channel_interpolator::make_linear(f), false),
                   dft = csirs_estimator::make(
                       channel_interpolator::make_dft(f, before, after), false);
        std::vector<cf> h(size_t(p.nc) * p.nt), found(h.size());
        double error[4] = {}, stated[4] = {};
        constexpr int warm = 64, trials = 200;
        for (int i = 0; i < warm + trials; i++) {
            std::vector<cd> sum(h.size());
            for (int n = 0; n < p.nt; n++)
                for (size_t d = 0; d < rows.size(); d++) {
                    const cd gain = std::sqrt(powers[d]) * source();
                    const cd step = std::polar(1.0, -2 * M_PI * rows[d] / p.nc);
                    cd x = gain;
                    for (int k = 0; k < p.nc; k++, x *= step)
                        sum[size_t(k) * p.nt + n] += x;
                }
            std::copy(sum.begin(), sum.end(), h.begin());
            const auto grid = grid_of(*f, h.data(), noise, source);
            int j = 0;
            for (const auto& e : { given, learned, linear, dft }) {
                csi_estimate info;
                ASSERT_TRUE(e->estimate(grid.data(), noise, found.data(), &info));
                if (i >= warm) {
                    for (size_t k = 0; k < h.size(); k++)
                        error[j] += std::norm(cd(h[k]) - cd(found[k]));
                    stated[j] += info.error / trials;
                    EXPECT_NEAR(info.noise / ls_noise, 1, 0.5);
                }
                j++;
            }
        }
        for (double& x : error)
            x /= double(trials) * h.size();
        const auto db = [whole](double x) { return 10 * std::log10(x / whole); };
        std::cout << snr_db << " dB: bound " << db(bound) << ", LMMSE " << db(error[0])
                  << ", learned " << db(error[1]) << ", linear " << db(error[2])
                  << ", DFT " << db(error[3]) << " dB\n";
        EXPECT_LT(db(error[0]), db(bound) + 0.3);
        EXPECT_GT(db(error[0]), db(bound) - 0.3);
        EXPECT_LT(db(error[1]), db(bound) + 1);
        EXPECT_LT(error[0], error[2]);
        EXPECT_LT(error[1], error[2]);
        EXPECT_LT(error[1], ls_noise);
        // The variance that comes with an estimate is its error.
        EXPECT_NEAR(db(stated[0]), db(error[0]), 0.5);
        EXPECT_NEAR(db(stated[1]), db(error[1]), 1.5);
    }
}

TEST(estimator, alignment_moves_the_first_path_to_zero)
{
    const csirs_parameters p = with(8, 4, 1, 2, "walsh");
    const auto f = csirs_frame::make(p);
    const auto e = csirs_estimator::make(channel_interpolator::make_lmmse(f));
    noise_source source(3);
    std::vector<cf> h(size_t(p.nc) * p.nt), found(h.size());
    std::vector<cf> gain(p.nt);
    for (cf& x : gain)
        x = cf(source());
    for (const double delay : { -2.0, -0.7, 0.0, 0.25, 3.6 }) {
        for (int k = 0; k < p.nc; k++)
            for (int n = 0; n < p.nt; n++)
                h[size_t(k) * p.nt + n] =
                    gain[n] * cf(std::polar(1.0, -2 * M_PI * delay * k / p.nc));
        csi_estimate info;
        ASSERT_TRUE(e->estimate(
            grid_of(*f, h.data(), 1e-6, source).data(), 1e-6, found.data(), &info));
        EXPECT_NEAR(info.shift, delay * 512 / 288, 0.04);
        // The phase over the whole band is flat.
        cd sum = 0;
        for (int n = 0; n < p.nt; n++)
            sum += cd(found[size_t(p.nc - 1) * p.nt + n]) * std::conj(cd(found[n]));
        EXPECT_LT(std::abs(std::arg(sum)), 0.15);
    }
}

TEST(estimator, refuses_what_is_no_grid)
{
    const auto f = csirs_frame::make(lte());
    std::vector<cf> grid(size_t(f->pilot_symbols()) * 300), h(300 * 8);
    for (const auto& i : { channel_interpolator::make_linear(f),
                           channel_interpolator::make_dft(f),
                           channel_interpolator::make_lmmse(f) }) {
        const auto e = csirs_estimator::make(i);
        std::fill(grid.begin(), grid.end(), cf(0));
        EXPECT_FALSE(e->estimate(grid.data(), -1, h.data()));
        std::fill(grid.begin(), grid.end(), cf(1, 1));
        EXPECT_TRUE(e->estimate(grid.data(), -1, h.data()));
        grid[5] = { std::numeric_limits<float>::quiet_NaN(), 0 };
        EXPECT_FALSE(e->estimate(grid.data(), -1, h.data()));
        grid[5] = 1;
        EXPECT_TRUE(e->estimate(grid.data(), -1, h.data()));
        for (const cf& x : h)
            ASSERT_TRUE(std::isfinite(x.real()) && std::isfinite(x.imag()));
    }
}

TEST(estimator, bad_parameters)
{
    const auto f = csirs_frame::make(lte());
    EXPECT_THROW(channel_interpolator::make_linear(nullptr), std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_dft(f, -1), std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_dft(f, 4, 72), std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_lmmse(f, 75), std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_lmmse(f, 4, 4, { 1, 2, 3 }),
                 std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_lmmse(f, 0, 1, { 0, 0 }),
                 std::invalid_argument);
    EXPECT_THROW(channel_interpolator::make_lmmse(f, 0, 1, { 1, NAN }),
                 std::invalid_argument);
    EXPECT_THROW(csirs_estimator::make(nullptr), std::invalid_argument);
    EXPECT_THROW(csirs_estimator::make(channel_interpolator::make_linear(f), true, 0),
                 std::invalid_argument);
}

} // namespace
