/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The receiver's front end, one thread: synchronization, estimation with each
// interpolator, and both. The counter real_time says how many times faster than the
// signal it is.

#include "ofdm/frame_synchronizer.h"
#include "random.h"
#include <gnuradio/csifeedback/csirs_estimator.h>
#include <benchmark/benchmark.h>
#include <boost/random/normal_distribution.hpp>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;

// 0: 8 ports, 7.68 Msample/s; 1: 32 ports, 30.72 Msample/s.
csirs_frame::sptr frame_of(int size)
{
    csirs_parameters p = csirs_frame::preset(size ? 20 : 5, 15);
    p.nt = size ? 32 : 8;
    p.cdm_time = size ? 4 : 2;
    return csirs_frame::make(p);
}

channel_interpolator::sptr interpolator_of(int kind, const csirs_frame::sptr& frame)
{
    return kind == 0   ? channel_interpolator::make_linear(frame)
           : kind == 1 ? channel_interpolator::make_dft(frame)
                       : channel_interpolator::make_lmmse(frame);
}
const char* const names[] = { "linear", "dft", "lmmse" };

// Frames through a channel of three paths at each port, with noise.
std::vector<cf> received(const csirs_frame& f, int frames)
{
    const auto& p = f.parameters();
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    volk::vector<cf> header(f.header_symbols() * (p.fft_size + p.cp_length));
    std::vector<cf> y(size_t(frames) * f.frame_length() + 4096), x(f.frame_length());
    for (int i = 0; i < frames; i++) {
        f.write_header(i, header.data());
        engine.seed(2);
        for (int n = 0; n < p.nt; n++) {
            f.write(header.data(), n, 0, f.frame_length(), x.data());
            for (const int delay : { 0, 2, 5 }) {
                const float re = normal(engine), im = normal(engine);
                for (size_t t = 0; t < x.size(); t++)
                    y[size_t(i) * x.size() + t + delay] += cf(re, im) * x[t];
            }
        }
    }
    for (cf& value : y) {
        const float re = normal(engine), im = normal(engine);
        value += 0.3f * cf(re, im);
    }
    return y;
}

void set_rate(benchmark::State& state, const csirs_frame& f, double samples)
{
    state.counters["Msamples"] =
        benchmark::Counter(samples / 1e6, benchmark::Counter::kIsRate);
    state.counters["real_time"] =
        benchmark::Counter(samples / f.sample_rate(), benchmark::Counter::kIsRate);
}

void estimate(benchmark::State& state)
{
    const auto f = frame_of(state.range(0));
    const auto e = csirs_estimator::make(interpolator_of(state.range(1), f));
    const auto y = received(*f, 40);
    frame_synchronizer sync(f, 1, 2);
    std::vector<std::vector<cf>> grids;
    std::vector<cf> grid(size_t(f->pilot_symbols()) * f->parameters().nc);
    sync_result r;
    for (size_t at = 0; at < y.size();) {
        const cf* in[] = { y.data() + at };
        at += sync.push(in, y.size() - at);
        while (sync.next(r, grid.data()))
            grids.push_back(grid);
    }
    volk::vector<cf> h(size_t(f->parameters().nc) * f->parameters().nt);
    size_t i = 0;
    // The delay profile is learned first.
    for (; i < 64; i++)
        e->estimate(grids[i % grids.size()].data(), r.noise, h.data());
    for (auto _ : state) {
        e->estimate(grids[i++ % grids.size()].data(), r.noise, h.data());
        benchmark::ClobberMemory();
    }
    state.SetLabel(names[state.range(1)]);
    set_rate(state, *f, double(state.iterations()) * f->frame_length());
}

void synchronize(benchmark::State& state)
{
    const auto f = frame_of(state.range(0));
    const auto y = received(*f, 20);
    frame_synchronizer sync(f, 1, 2);
    std::vector<cf> grid(size_t(f->pilot_symbols()) * f->parameters().nc);
    sync_result r;
    size_t found = 0;
    for (auto _ : state)
        for (size_t at = 0; at < y.size();) {
            const cf* in[] = { y.data() + at };
            at += sync.push(in, std::min<size_t>(y.size() - at, 8192));
            while (sync.next(r, grid.data()))
                found++;
        }
    set_rate(state, *f, double(state.iterations()) * y.size());
    state.counters["found"] = double(found) / (20.0 * state.iterations());
}

// Without any frame: the search alone, its worst case.
void search_noise(benchmark::State& state)
{
    const auto f = frame_of(state.range(0));
    std::vector<cf> y(200000);
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    for (cf& value : y)
        value = { normal(engine), normal(engine) };
    frame_synchronizer sync(f, 1, 2);
    std::vector<cf> grid(size_t(f->pilot_symbols()) * f->parameters().nc);
    sync_result r;
    for (auto _ : state)
        for (size_t at = 0; at < y.size();) {
            const cf* in[] = { y.data() + at };
            at += sync.push(in, std::min<size_t>(y.size() - at, 8192));
            while (sync.next(r, grid.data()))
                ;
        }
    set_rate(state, *f, double(state.iterations()) * y.size());
}

BENCHMARK(estimate)
    ->ArgNames({ "size", "interpolator" })
    ->ArgsProduct({ { 0, 1 }, { 0, 1, 2 } });
BENCHMARK(synchronize)->ArgName("size")->Arg(0)->Arg(1);
BENCHMARK(search_noise)->ArgName("size")->Arg(0)->Arg(1);

} // namespace

BENCHMARK_MAIN();
