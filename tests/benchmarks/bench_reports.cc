/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Run times of reports, one CSI at a time on one thread: shipped models on 64 drops of the
// channel that each was trained on, which it was not trained on.

#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/report.h>
#include <benchmark/benchmark.h>
#include <algorithm>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr int drops = 64, n = 1024;
const char* const scenes[] = { "cost2100-indoor", "cost2100-outdoor", "cdl-a-random" };

// Normalized matrices of a scene.
const std::vector<float>& matrices(int scene)
{
    static std::vector<float> all[3];
    if (all[scene].empty()) {
        channel_model::sptr channel;
        if (scene < 2) {
            cost2100_parameters p;
            p.scenario = scene ? "outdoor" : "indoor";
            channel = cost2100_channel::make(p);
        } else {
            cdl_parameters p;
            p.delay_spread_s = 30e-9;
            p.max_delay_spread_s = 300e-9;
            p.angle_span_deg = 120;
            channel = cdl_channel::make(p);
        }
        std::vector<std::complex<float>> ha(drops * n);
        std::vector<channel_sample_info> info(drops);
        generate_channels(channel, 1000000, drops, 32, 4, 1, ha.data(), info.data());
        all[scene].resize(drops * 2 * n);
        for (int i = 0; i < drops; i++)
            normalize_csi(&ha[i * n], n, &all[scene][i * 2 * n]);
    }
    return all[scene];
}

model_file::sptr model(int scene, const char* codec)
{
    return model_file::open(std::string(CSIFEEDBACK_MODELS) + "/" + scenes[scene] + "-" +
                            codec + ".h5");
}

void encode(benchmark::State& state, const char* codec, const char* options)
{
    const int scene = state.range(0), budget = state.range(1);
    const auto ue = report_encoder::from_model(model(scene, codec), options);
    const std::vector<float>& h = matrices(scene);
    std::vector<uint8_t> bits((budget + 7) / 8);
    int i = 0;
    for (auto _ : state) {
        ue->encode(&h[i * 2 * n], bits.data(), budget);
        i = (i + 1) % drops;
    }
    state.SetLabel(scenes[scene]);
}

void decode(benchmark::State& state, const char* codec, const char* options)
{
    const int scene = state.range(0), budget = state.range(1);
    const auto file = model(scene, codec);
    const auto ue = report_encoder::from_model(file, options);
    const auto bs = report_decoder::from_model(file, options);
    const std::vector<float>& h = matrices(scene);
    const size_t bytes = (budget + 7) / 8;
    std::vector<uint8_t> bits(drops * bytes);
    std::vector<int> count(drops);
    std::vector<float> found(2 * n);
    for (int i = 0; i < drops; i++)
        count[i] = ue->encode(&h[i * 2 * n], &bits[i * bytes], budget).bits;
    int i = 0;
    for (auto _ : state) {
        bs->decode(&bits[i * bytes], count[i], found.data());
        i = (i + 1) % drops;
    }
    state.SetLabel(scenes[scene]);
}

void cases(benchmark::internal::Benchmark* b)
{
    b->ArgNames({ "scene", "bits" })->Unit(benchmark::kMicrosecond);
    for (int scene = 0; scene < 3; scene++)
        for (const int bits : { 64, 256, 1024 })
            b->Args({ scene, bits });
}

BENCHMARK_CAPTURE(encode, path, "path", "")->Apply(cases);
BENCHMARK_CAPTURE(encode, path_fast, "path", "fast=1")->Apply(cases);
BENCHMARK_CAPTURE(decode, path, "path", "")->Apply(cases);
BENCHMARK_CAPTURE(encode, local_klt, "local-klt", "quantizer=entropy")->Apply(cases);
BENCHMARK_CAPTURE(decode, local_klt, "local-klt", "quantizer=entropy")->Apply(cases);
BENCHMARK_CAPTURE(encode, klt, "klt", "quantizer=entropy")->Apply(cases);
BENCHMARK_CAPTURE(decode, klt, "klt", "quantizer=entropy")->Apply(cases);

} // namespace

BENCHMARK_MAIN();
