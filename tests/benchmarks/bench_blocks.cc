/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// What the blocks reach of the core's throughput. The same items go through a flowgraph
// of a source, the block and a sink, and through the core's calls in a loop, in turn. The
// counters are medians: microseconds an item of both, and the block's share of the core's
// throughput, the quotient of neighbours. README.md has results.

#include "random.h"
#include <gnuradio/csifeedback/angular_delay.h>
#include <gnuradio/csifeedback/angular_delay_inverse.h>
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/csi_decoder.h>
#include <gnuradio/csifeedback/csi_dequantizer.h>
#include <gnuradio/csifeedback/csi_encoder.h>
#include <gnuradio/csifeedback/csi_quantizer.h>
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gnuradio/io_signature.h>
#include <gnuradio/top_block.h>
#include <benchmark/benchmark.h>
#include <volk/volk_alloc.hh>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

using namespace gr::csifeedback;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr int nc = 1024, na = 32, nt = 32, n = na * nt, m = 128, items = 16;

using data = volk::vector<char>;

double seconds(clock_type::duration time)
{
    return std::chrono::duration<double>(time).count();
}

double median(std::vector<double> x)
{
    std::nth_element(x.begin(), x.begin() + x.size() / 2, x.end());
    return x[x.size() / 2];
}

// Copies the items into the stream, over and over.
class repeat_source : public gr::sync_block
{
public:
    repeat_source(const data& x, size_t item_size)
        : gr::sync_block("repeat_source",
                         gr::io_signature::make(0, 0, 0),
                         gr::io_signature::make(1, 1, item_size)),
          d_x(x),
          d_item_size(item_size)
    {
    }
    int work(int noutput_items,
             gr_vector_const_void_star&,
             gr_vector_void_star& output_items) override
    {
        auto out = static_cast<char*>(output_items[0]);
        for (int i = 0; i < noutput_items; i++, out += d_item_size) {
            std::memcpy(out, d_x.data() + d_at, d_item_size);
            d_at = (d_at + d_item_size) % d_x.size();
        }
        return noutput_items;
    }

private:
    const data& d_x;
    const size_t d_item_size;
    size_t d_at = 0;
};

// Takes the time of `count` items after the first `count / 8`, and ends the flowgraph.
class stopwatch : public gr::sync_block
{
public:
    stopwatch(size_t item_size, uint64_t count)
        : gr::sync_block("stopwatch",
                         gr::io_signature::make(1, 1, item_size),
                         gr::io_signature::make(0, 0, 0)),
          d_warm_up(count / 8),
          d_count(count)
    {
    }
    double seconds_an_item() const
    {
        return seconds(d_stop - d_start) / (d_seen - d_first);
    }
    int work(int noutput_items, gr_vector_const_void_star&, gr_vector_void_star&) override
    {
        d_stop = clock_type::now();
        const bool warm = d_seen >= d_warm_up;
        d_seen += noutput_items;
        if (!warm) {
            d_start = d_stop;
            d_first = d_seen;
        }
        return d_seen - d_first >= d_count ? WORK_DONE : noutput_items;
    }

private:
    const uint64_t d_warm_up, d_count;
    uint64_t d_seen = 0, d_first = 0;
    clock_type::time_point d_start, d_stop;
};

// A block and the same out of the core's calls.
struct subject {
    size_t in_size, out_size; // of an item, in bytes
    data input;
    std::function<gr::basic_block_sptr()> make_block;
    std::function<void(const char*, char*)> core;

    double run_core(uint64_t count) const
    {
        data output(items * out_size);
        const auto start = clock_type::now();
        for (uint64_t i = 0; i < count; i++)
            core(input.data() + i % items * in_size,
                 output.data() + i % items * out_size);
        return seconds(clock_type::now() - start) / count;
    }
    double run_block(uint64_t count) const
    {
        const auto top = gr::make_top_block("bench");
        const auto source = gnuradio::make_block_sptr<repeat_source>(input, in_size);
        // As those of the blocks that come before in a chain.
        source->set_min_output_buffer(std::max<size_t>(1, (1 << 21) / in_size));
        const auto block = make_block();
        const auto sink = gnuradio::make_block_sptr<stopwatch>(out_size, count);
        top->connect(source, 0, block, 0);
        top->connect(block, 0, sink, 0);
        top->run();
        return sink->seconds_an_item();
    }
};

// `items` items of `count` normal values.
data normal_items(size_t count)
{
    data x(items * count * sizeof(float));
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    auto values = reinterpret_cast<float*>(x.data());
    std::generate(values, values + items * count, [&] { return normal(engine); });
    return x;
}

template <typename T>
T* as(char* x)
{
    return reinterpret_cast<T*>(x);
}
template <typename T>
const T* as(const char* x)
{
    return reinterpret_cast<const T*>(x);
}

model_file::sptr model(const char* name)
{
    return model_file::open(std::string(CSIFEEDBACK_MODELS "/") + name);
}

constexpr size_t ha_size = n * sizeof(gr_complex), s_size = m * sizeof(float),
                 level_size = m * sizeof(int16_t), h_size = nc * nt * sizeof(gr_complex);

subject encoder()
{
    const auto e = linear_encoder::make(model("cost2100-indoor-klt.h5"), m);
    volk::vector<float> h_vec(2 * n);
    return { ha_size,
             s_size,
             normal_items(2 * n),
             [=] { return csi_encoder::make(e); },
             [=](const char* in, char* out) mutable {
                 normalize_csi(as<gr_complex>(in), n, h_vec.data());
                 e->encode(h_vec.data(), as<float>(out), m);
             } };
}

subject decoder(const decoder::sptr& d)
{
    volk::vector<float> h_vec(2 * n);
    return { s_size,
             ha_size,
             normal_items(m),
             [=] { return csi_decoder::make(d); },
             [=](const char* in, char* out) mutable {
                 d->decode(as<float>(in), m, h_vec.data());
                 denormalize_csi(h_vec.data(), n, 0, as<gr_complex>(out));
             } };
}

subject klt_decoder()
{
    return decoder(linear_decoder::make(model("cost2100-indoor-klt.h5"), m));
}

subject fista_decoder()
{
    return decoder(
        ista_decoder::make(model("cost2100-indoor-orthonormal.h5"), m, true, 20, 0.02f));
}

quantizer::sptr six_bits()
{
    return scalar_quantizer::make_lloyd_max(model("cost2100-indoor-klt.h5"), m, 6);
}

subject quantizer_()
{
    const auto q = six_bits();
    return { s_size,
             level_size,
             normal_items(m),
             [=] { return csi_quantizer::make(q); },
             [=](const char* in, char* out) {
                 q->quantize(as<float>(in), m, as<int16_t>(out));
             } };
}

subject dequantizer()
{
    const auto q = six_bits();
    data level(items * level_size);
    const data s = normal_items(m);
    for (int i = 0; i < items; i++)
        q->quantize(as<float>(s.data() + i * s_size),
                    m,
                    as<int16_t>(level.data() + i * level_size));
    return { level_size,
             s_size,
             level,
             [=] { return csi_dequantizer::make(q); },
             [=](const char* in, char* out) {
                 q->dequantize(as<int16_t>(in), m, as<float>(out));
             } };
}

subject transform()
{
    const auto t = angular_delay_transform::make(nc, nt, na);
    return { h_size,
             ha_size,
             normal_items(2 * nc * nt),
             [] { return angular_delay::make(csi_shape("Ha", na, nt, nc, 4)); },
             [=](const char* in, char* out) {
                 angular_delay_info info;
                 t->forward(as<gr_complex>(in), as<gr_complex>(out), &info);
             } };
}

subject inverse()
{
    const auto t = angular_delay_transform::make(nc, nt, na);
    return { ha_size,
             h_size,
             normal_items(2 * n),
             [] { return angular_delay_inverse::make(csi_shape("Ha", na, nt, nc, 4)); },
             [=](const char* in, char* out) {
                 t->inverse(as<gr_complex>(in), as<gr_complex>(out));
             } };
}

void beside_core(benchmark::State& state, subject make())
{
    const subject s = make();
    const uint64_t count = std::max(64.0, 0.05 / s.run_core(64));
    std::vector<double> core, block, share;
    for (auto _ : state) {
        core.push_back(s.run_core(count));
        block.push_back(s.run_block(count));
        share.push_back(core.back() / block.back());
        state.SetIterationTime(block.back());
    }
    state.counters["core_us"] = 1e6 * median(core);
    state.counters["block_us"] = 1e6 * median(block);
    state.counters["share"] = median(share);
}
#define SUBJECT(name, make) \
    BENCHMARK_CAPTURE(beside_core, name, make)->UseManualTime()->Iterations(15)
SUBJECT(csi_encoder, encoder);
SUBJECT(csi_decoder_klt, klt_decoder);
SUBJECT(csi_decoder_fista_20, fista_decoder);
SUBJECT(csi_quantizer, quantizer_);
SUBJECT(csi_dequantizer, dequantizer);
SUBJECT(angular_delay, transform);
SUBJECT(angular_delay_inverse, inverse);

} // namespace

BENCHMARK_MAIN();
