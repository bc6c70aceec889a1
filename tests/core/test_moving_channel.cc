/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The channel in the time domain against plain sums: taps of frame and update, straight
// lines between updates, and the true H in the middle of the pilots.

#include "ofdm/moving_channel.h"
#include "random.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
constexpr int nr = 2, nt = 3, length = 5, nc = 24;
constexpr double rate = 1e6;
const channel_grid grid{ nc, nt, 15e3, 0.5 };

std::vector<cf> random_values(size_t size, uint64_t seed)
{
    std::vector<cf> x(size);
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    for (cf& value : x) {
        const float re = normal(engine), im = normal(engine);
        value = { re, im };
    }
    return x;
}

// The pilots are the last symbols but one: the gap says where in the frame they lie.
csirs_frame::sptr some_frame(int gap)
{
    csirs_parameters p;
    p.nc = nc;
    p.nt = nt;
    p.fft_size = 64;
    p.cp_length = 16;
    p.spacing_hz = rate / 64;
    p.comb = 4;
    p.gap = gap;
    return csirs_frame::make(p);
}

// Runs a whole signal in stretches, with frames at given samples.
std::vector<std::vector<cf>> run(moving_channel& channel,
                                 const std::vector<std::vector<cf>>& signal,
                                 const std::vector<size_t>& begins,
                                 size_t stretch)
{
    const size_t count = signal[0].size(), past = channel.past();
    std::vector<std::vector<cf>> padded, result(channel.nr(), std::vector<cf>(count));
    for (const auto& x : signal) {
        padded.emplace_back(past);
        padded.back().insert(padded.back().end(), x.begin(), x.end());
    }
    std::vector<const cf*> in;
    std::vector<cf*> out;
    for (const auto& x : padded)
        in.push_back(x.data());
    for (auto& y : result)
        out.push_back(y.data());
    size_t frame = 0;
    for (size_t at = 0; at < count;) {
        if (frame < begins.size() && at == begins[frame])
            channel.begin_frame(frame++);
        const size_t next = frame < begins.size() ? begins[frame] : count;
        const size_t here = std::min(stretch, next - at);
        channel.run(in.data(), out.data(), at, here);
        at += here;
    }
    return result;
}

// y[t] = sum of taps x[t - d]
cf filtered(const cf* taps, const std::vector<std::vector<cf>>& signal, size_t t)
{
    cf sum = 0;
    for (int n = 0; n < nt; n++)
        for (int d = 0; d < length && d <= int(t); d++)
            sum += taps[n * length + d] * signal[n][t - d];
    return sum;
}

TEST(moving_channel, one_update_per_frame)
{
    const size_t count = 3, size = nr * nt * length;
    const auto taps = random_values(count * size, 1);
    std::vector<std::vector<cf>> signal;
    for (int n = 0; n < nt; n++)
        signal.push_back(random_values(2000, 2 + n));
    const std::vector<size_t> begins{ 100, 700, 701, 1500 };
    for (const size_t stretch : { 1, 64, 5000 }) {
        moving_channel channel(
            taps_source::from_taps("test", taps, nr, length, grid, rate), {});
        EXPECT_EQ(channel.past(), size_t(length - 1));
        EXPECT_EQ(channel.lead(), 0);
        const auto y = run(channel, signal, begins, stretch);
        for (size_t t = 0; t < 2000; t++) {
            // Before the first frame the channel is sample 0; frame f is sample f mod 3.
            size_t frame = 0;
            for (size_t f = 0; f < begins.size(); f++)
                if (t >= begins[f])
                    frame = f;
            for (int r = 0; r < nr; r++)
                ASSERT_LT(std::abs(y[r][t] -
                                   filtered(&taps[frame % count * size + r * nt * length],
                                            signal,
                                            t)),
                          2e-4)
                    << t << " stretch " << stretch;
        }
        EXPECT_EQ(channel.energy_lost(), 0);
        // H of the taps: the sum over delays at each row's frequency around the carrier.
        std::vector<cf> h(nc * nt);
        channel.truth(4, 1, h.data());
        for (int k = 0; k < nc; k++)
            for (int n = 0; n < nt; n++) {
                std::complex<double> sum = 0;
                for (int d = 0; d < length; d++)
                    sum += std::complex<double>(
                               taps[(1 * nr + 1) * nt * length + n * length + d]) *
                           std::polar(1.0, -2 * M_PI * (k - nc / 2) * 15e3 / rate * d);
                ASSERT_LT(std::abs(std::complex<double>(h[k * nt + n]) - sum), 1e-5);
            }
    }
}

TEST(moving_channel, straight_lines_between_updates)
{
    const int updates = 4;
    const size_t size = nr * nt * length;
    const auto taps = random_values(2 * updates * size, 1);
    const auto frame = some_frame(1000);
    const size_t frame_length = frame->frame_length();
    std::vector<std::vector<cf>> signal;
    for (int n = 0; n < nt; n++)
        signal.push_back(random_values(2 * frame_length, 2 + n));
    const frame_times times = frame_times::make("test", updates, frame);
    EXPECT_EQ(times.length, frame_length);
    for (const size_t stretch : { size_t(7), size_t(100000) }) {
        moving_channel channel(
            taps_source::from_taps("test", taps, nr, length, grid, rate), times);
        const auto y = run(channel, signal, { 0, frame_length }, stretch);
        for (size_t t = 0; t < 2 * frame_length; t++) {
            // Constant before the middle of the first update and after that of the last.
            const double place = std::min(
                updates - 1.0,
                std::max(0.0, double(t % frame_length) * updates / frame_length - 0.5));
            const int update = std::min<int>(place, updates - 2);
            const float part = place - update;
            const size_t sample = t / frame_length * updates + update;
            for (int r = 0; r < nr; r++) {
                const cf a = filtered(&taps[sample * size + r * nt * length], signal, t),
                         b = filtered(
                             &taps[(sample + 1) * size + r * nt * length], signal, t);
                ASSERT_LT(std::abs(y[r][t] - (a + part * (b - a))), 5e-4)
                    << t << " of " << frame_length << ", stretch " << stretch;
            }
        }
    }
}

TEST(moving_channel, truth_in_the_middle_of_the_pilots)
{
    const int updates = 4, frames = 2;
    const size_t size = nr * nt * length;
    const auto taps = random_values(frames * updates * size, 1);
    const auto response = [&](int frame, int update) {
        std::vector<cf> h(nc * nt);
        const cf* of = &taps.at((frame * updates + update) * size);
        taps_response(of, length, 0, grid, rate, h.data());
        return h;
    };
    // With pilots well within the frame, and with pilots after the middle of the last
    // update, where the channel is constant.
    for (const int gap : { 1000, 0 }) {
        const auto times = frame_times::make("test", updates, some_frame(gap));
        const double place = times.middle * updates / times.length - 0.5;
        if (gap) {
            ASSERT_GT(place, 1);
            ASSERT_LT(place, updates - 1);
        } else {
            ASSERT_GT(place, updates - 1);
        }
        const int update = std::min(int(place), updates - 2);
        const float part = std::min(1.0, place - update);
        moving_channel channel(
            taps_source::from_taps("test", taps, nr, length, grid, rate), times);
        for (int f = 0; f < frames; f++) {
            std::vector<cf> h(nc * nt);
            channel.truth(f, 0, h.data());
            const auto before = response(f, update), after = response(f, update + 1);
            for (size_t i = 0; i < h.size(); i++)
                ASSERT_LT(std::abs(h[i] - (before[i] + part * (after[i] - before[i]))),
                          1e-5)
                    << "frame " << f << ", gap " << gap;
        }
    }
}

TEST(moving_channel, rays_and_what_they_lose)
{
    cdl_parameters p;
    p.profile = 'C';
    p.grid = grid;
    p.delay_spread_s = 8e-6; // the last ray comes after 69 samples
    const auto model = cdl_channel::make(p);
    double lost = 1;
    for (const int max_delay : { 4, 16, 64 }) {
        moving_channel channel(
            taps_source::from_models("test", { model }, rate, max_delay), {});
        EXPECT_EQ(channel.nr(), 1);
        EXPECT_EQ(channel.past(), size_t(2 * channel.lead() + max_delay - 1));
        EXPECT_LT(channel.energy_lost(), lost);
        EXPECT_GE(channel.energy_lost(), 0);
        lost = channel.energy_lost();
        std::vector<cf> h(nc * nt), truth(nc * nt);
        model->generate(5, h.data());
        channel.truth(5, 0, truth.data());
        EXPECT_EQ(h, truth);
    }
    EXPECT_EQ(lost, 0);
}

void expect_bad(const std::function<void()>& f, const std::string& text)
{
    try {
        f();
        ADD_FAILURE() << "accepted, expected: " << text;
    } catch (const std::invalid_argument& e) {
        EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
}

TEST(moving_channel, bad_parameters)
{
    const auto taps = [](std::vector<cf> values, int antennas, double spacing_hz) {
        taps_source::from_taps(
            "test", values, antennas, 2, { nc, 1, spacing_hz, 0.5 }, rate);
    };
    taps({ 1, 1 }, 1, 15e3);
    expect_bad(
        [&] {
            taps({ 1, 1, 1 }, 1, 15e3);
        },
        "size of taps is 3, allowed is a mul");
    expect_bad([&] { taps({}, 1, 15e3); }, "size of taps is 0");
    expect_bad(
        [&] {
            taps({ 1, std::numeric_limits<float>::infinity() }, 1, 15e3);
        },
        "taps is not finite");
    expect_bad([&] { taps({ 1, 1 }, 5, 15e3); }, "nr is 5, allowed is 1 to 4");
    expect_bad([&] { taps({ 1, 1 }, 1, 0); }, "spacing_hz is 0");
    const auto model = cdl_channel::make({});
    const auto models = [](std::vector<channel_model::sptr> m, double r, int max_delay) {
        taps_source::from_models("test", m, r, max_delay);
    };
    expect_bad([&] { models({}, 20e6, 8); }, "number of models is 0");
    expect_bad([&] { models({ nullptr }, 20e6, 8); }, "test: model is null");
    expect_bad([&] { models({ model }, 1e6, 8); }, "sample_rate is 1e+06, allowed is at");
    expect_bad([&] { models({ model }, 20e6, 0); }, "max_delay is 0");
    cdl_parameters other;
    other.grid.nc = 512;
    expect_bad(
        [&] {
            models({ model, cdl_channel::make(other) }, 20e6, 8);
        },
        "nc of the models is 512");
    expect_bad([&] { frame_times::make("test", 0, nullptr); }, "updates is 0");
    expect_bad([&] { frame_times::make("test", 2, nullptr); }, "frame is null");
}

} // namespace
