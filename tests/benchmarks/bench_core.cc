/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Run times of the codec chain, one CSI at a time on one thread, with fixed seeds. The
// matrices have orthonormal rows; "complex" ones consist of complex vectors, as those of
// a KLT do, "real" ones do not. README.md has results.

#include "codec/linear/projection.h"
#include "kernels/kernels.h"
#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <Eigen/QR>
#include <benchmark/benchmark.h>
#include <volk/volk.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <chrono>
#include <map>

using namespace gr::csifeedback;

namespace {

constexpr int na = 32, nt = 32, n = na * nt;

volk::vector<float> normal_vector(size_t size, uint64_t seed)
{
    volk::vector<float> x(size);
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : x)
        value = normal(engine);
    return x;
}

// A channel with a few paths at random angles and delays, as h_vec.
volk::vector<float> sparse_csi()
{
    volk::vector<float> h(2 * n, 0.0f);
    random_engine engine = make_engine(3, 0);
    boost::random::normal_distribution<float> normal;
    for (int path = 0; path < 60; path++) {
        const size_t at = engine() % n;
        h[at] = normal(engine);
        h[n + at] = normal(engine);
    }
    return h;
}

// Orthonormal rows of a model with its quantizer tables, in a file.
model_file::sptr model(bool is_complex)
{
    static std::map<bool, model_file::sptr> models;
    static const scratch_directory directory;
    if (models.count(is_complex))
        return models[is_complex];
    const std::string path = directory.file(is_complex ? "complex.h5" : "real.h5");
    {
        model_writer file(path);
        file.header("klt", 1024, na, nt);
        const volk::vector<float> random = normal_vector(512 * 2 * n, 2);
        if (is_complex) {
            Eigen::MatrixXcf a(n, 256);
            for (int i = 0; i < a.size(); i++)
                a.data()[i] = { random[2 * i], random[2 * i + 1] };
            const Eigen::MatrixXcf q =
                Eigen::HouseholderQR<Eigen::MatrixXcf>(a).householderQ() *
                Eigen::MatrixXcf::Identity(n, 256);
            file.array("encoder/W_complex",
                       { 256, n, 2 },
                       reinterpret_cast<const float*>(q.data()));
        } else {
            const Eigen::Map<const Eigen::MatrixXf> a(random.data(), 2 * n, 512);
            const Eigen::MatrixXf q =
                Eigen::HouseholderQR<Eigen::MatrixXf>(a).householderQ() *
                Eigen::MatrixXf::Identity(2 * n, 512);
            file.array("encoder/W", { 512, 2 * n }, q.data());
        }
        file.array("quantizer/std", { 512 }, std::vector<float>(512, 0.5f));
        file.array("quantizer/uniform_range", { 11 }, std::vector<float>(11, 3.0f));
    }
    return models[is_complex] = model_file::open(path);
}

void ratios(benchmark::internal::Benchmark* b)
{
    b->ArgNames({ "m", "complex" });
    for (const int is_complex : { 1, 0 })
        for (const int m : { 512, 128, 64, 32 })
            b->Args({ m, is_complex });
}

void encode(benchmark::State& state)
{
    const auto encoder = linear_encoder::make(model(state.range(1)), state.range(0));
    const volk::vector<float> h = sparse_csi();
    volk::vector<float> s(state.range(0));
    for (auto _ : state) {
        encoder->encode(h.data(), s.data(), s.size());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(encode)->Apply(ratios);

// The sum of all values, with eight sums in flight: as fast as memory can be read.
#if defined(__x86_64__)
typedef float lanes __attribute__((vector_size(32), aligned(4)));

__attribute__((target("avx2"))) float sum_avx2(const float* w, size_t count)
{
    lanes a[8] = {};
    for (size_t i = 0; i < count; i += 64)
        for (int j = 0; j < 8; j++)
            a[j] += *reinterpret_cast<const lanes*>(w + i + 8 * j);
    const lanes sum = ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
    float result = 0;
    for (int i = 0; i < 8; i++)
        result += sum[i];
    return result;
}
#endif

float read_all(const volk::vector<float>& w)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return sum_avx2(w.data(), w.size());
#endif
    float sum;
    volk_32f_accumulator_s32f(&sum, w.data(), w.size());
    return sum;
}

// Seconds for one of `count` calls, after one that brings the data into the cache.
template <typename function>
double seconds_a_call(int count, function&& call)
{
    using clock = std::chrono::steady_clock;
    call();
    const auto start = clock::now();
    for (int i = 0; i < count; i++)
        call();
    return std::chrono::duration<double>(clock::now() - start).count() / count;
}

double median(std::vector<double> x)
{
    std::nth_element(x.begin(), x.begin() + x.size() / 2, x.end());
    return x[x.size() / 2];
}

// Encodings in turn with the least that they have to do, which is to read the values of W
// that the kernel reads, from the cache. The counters are medians: microseconds of both,
// and the quotient of neighbours.
void encode_over_floor(benchmark::State& state)
{
    const int m = state.range(0);
    const auto encoder = linear_encoder::make(model(state.range(1)), m);
    const volk::vector<float> h = sparse_csi();
    volk::vector<float> s(m);
    // Complex rows hold a pair of rows of W each.
    const volk::vector<float> w = normal_vector(m / (state.range(1) ? 2 : 1) * 2 * n, 2);
    std::vector<double> encode, floor, quotient;
    for (auto _ : state) {
        encode.push_back(seconds_a_call(20, [&] {
            encoder->encode(h.data(), s.data(), m);
            benchmark::ClobberMemory();
        }));
        floor.push_back(
            seconds_a_call(20, [&] { benchmark::DoNotOptimize(read_all(w)); }));
        quotient.push_back(encode.back() / floor.back());
        state.SetIterationTime(encode.back());
    }
    state.counters["encode_us"] = 1e6 * median(encode);
    state.counters["floor_us"] = 1e6 * median(floor);
    state.counters["encode_over_floor"] = median(quotient);
}
BENCHMARK(encode_over_floor)->Apply(ratios)->UseManualTime()->Iterations(201);

void decode(benchmark::State& state, const decoder::sptr& d)
{
    const int m = state.range(0);
    const volk::vector<float> h = sparse_csi();
    volk::vector<float> s(m), h_hat(2 * n);
    linear_encoder::make(model(state.range(1)), m)->encode(h.data(), s.data(), m);
    for (auto _ : state) {
        d->decode(s.data(), m, h_hat.data());
        benchmark::ClobberMemory();
    }
    size_t nonzero = 0;
    for (const float x : h_hat)
        nonzero += x != 0;
    state.counters["nonzero"] = nonzero;
}

void decode_klt(benchmark::State& state)
{
    decode(state, linear_decoder::make(model(state.range(1)), state.range(0)));
}
BENCHMARK(decode_klt)->Apply(ratios);

void decode_fista_20(benchmark::State& state)
{
    decode(state,
           ista_decoder::make(model(state.range(1)), state.range(0), true, 20, 0.02f));
}
BENCHMARK(decode_fista_20)->Apply(ratios);

////////////////////////////////////////////////////////////////////////
// Learned decoders. Their times do not depend on the values of the weights, which are
// random here.
////////////////////////////////////////////////////////////////////////

struct l2o_profile {
    const char* name;
    int hidden, lstm_layers;
    std::vector<int> widths; // of the transform, from 2 nt on
    int top_g;

    // Products per codeword, for a complex W. What is known to be zero, the LSTM's states
    // at first, or to be equal, the first two gradients, does not count.
    double macs(int m, int iterations) const
    {
        double row = 0, states = 0, inputs = 0;
        for (size_t i = 0; i + 1 < widths.size(); i++)
            row += 2.0 * widths[i] * widths[i + 1];
        for (int layer = 0; layer < lstm_layers; layer++) {
            inputs += 4.0 * hidden * (layer ? hidden : 2);
            states += 4.0 * hidden * hidden;
        }
        const double product = 2.0 * m * n, elements = 2.0 * n;
        const double gradients = hidden ? 2 : 1; // at x and y, or at y alone
        // The estimate to begin with and its projection, and the last step.
        double sum = product + product + 2 * product;
        sum += iterations * gradients * product - (gradients - 1) * product;
        sum += (iterations - 1) * gradients * product;
        sum += iterations * (na * row + elements * (inputs + hidden * (hidden + 5.0)));
        return sum + (iterations - 1) * elements * states;
    }
    // Sigmoids and hyperbolic tangents per iteration.
    double activations() const
    {
        return hidden ? 2.0 * n * (5 * hidden * lstm_layers + 3) : 0;
    }
};

const l2o_profile l2o_profiles[] = {
    { "realtime", 0, 0, { 2 * nt, 256 }, 0 },
    { "paper", 20, 2, { 2 * nt, 128, 128, 256 }, 51 },
};

// csifeedback_bench's script has the same shapes.
model_file::sptr l2o_model()
{
    static const scratch_directory directory;
    static model_file::sptr opened;
    if (opened)
        return opened;
    const std::string path = directory.file("l2o.h5");
    {
        uint64_t seed = 10;
        model_writer file(path);
        file.header("csi-l2o", 1024, na, nt);
        const auto random =
            [&](const std::string& name, const std::vector<hsize_t>& shape, float scale) {
                size_t size = 1;
                for (const hsize_t length : shape)
                    size *= length;
                volk::vector<float> x = normal_vector(size, seed++);
                for (float& value : x)
                    value *= scale;
                file.array(name.c_str(), shape, x.data());
            };
        const auto constant = [&](const std::string& name, float value, size_t count) {
            file.array(name.c_str(), { count }, std::vector<float>(count, value));
        };
        random("encoder/W_complex", { 256, n, 2 }, 1 / std::sqrt(2.0f * n));
        random("decoder/basis", { 64, n, 2 }, 1 / std::sqrt(2.0f * n));
        constant("decoder/variance", 1, 128);
        constant("decoder/floor", 0.1f, 1);
        for (const l2o_profile& profile : l2o_profiles) {
            const std::string group = std::string("l2o/") + profile.name + "/";
            file.array((group + "rates").c_str(),
                       { 5 },
                       std::vector<float>{ 32, 64, 128, 256, 512 });
            for (const char* name : { "p", "a", "b", "theta", "gamma" })
                random(group + name, { 5, 16 }, 0.1f);
            constant(group + "consistency", 1, 5);
            constant(group + "activation", 1, 3);
            constant(group + "start", 2, 1);
            constant(group + "top_g", profile.top_g, 1);
            const auto layer = [&](const std::string& name, hsize_t in, hsize_t out) {
                random(
                    group + name + "_weight", { 1, out, in }, 1 / std::sqrt(float(in)));
                random(group + name + "_bias", { 1, out }, 0.01f);
            };
            const std::vector<int>& w = profile.widths;
            for (size_t k = 0; k + 1 < w.size(); k++) {
                layer("transform_forward_" + std::to_string(k), w[k], w[k + 1]);
                layer("transform_inverse_" + std::to_string(k),
                      w[w.size() - 1 - k],
                      w[w.size() - 2 - k]);
            }
            const hsize_t h = profile.hidden;
            for (int k = 0; k < profile.lstm_layers; k++) {
                const std::string name = group + "lstm_" + std::to_string(k);
                random(name + "_weight", { 4 * h, (k ? h : 2) + h }, 0.2f);
                random(name + "_bias", { 4 * h }, 0.2f);
            }
            if (h) {
                random(group + "mlp_weight", { h, h }, 0.2f);
                random(group + "mlp_bias", { h }, 0.2f);
                random(group + "heads_weight", { 5, h }, 0.1f);
                random(group + "heads_bias", { 5 }, 0.1f);
            }
        }
    }
    return opened = model_file::open(path);
}

#if defined(__x86_64__)
typedef float lanes_512 __attribute__((vector_size(64)));

typedef float lanes_256 __attribute__((vector_size(32)));

// Multiply-adds of `chains` registers, none of which waits for another.
constexpr int chains = 10;

__attribute__((target("avx512f"))) void multiply_add_avx512(int count)
{
    lanes_512 s[chains] = {}, x = {};
    for (int i = 0; i < count; i++)
        asm volatile("vfmadd231ps %10, %10, %0\n\tvfmadd231ps %10, %10, %1\n\t"
                     "vfmadd231ps %10, %10, %2\n\tvfmadd231ps %10, %10, %3\n\t"
                     "vfmadd231ps %10, %10, %4\n\tvfmadd231ps %10, %10, %5\n\t"
                     "vfmadd231ps %10, %10, %6\n\tvfmadd231ps %10, %10, %7\n\t"
                     "vfmadd231ps %10, %10, %8\n\tvfmadd231ps %10, %10, %9"
                     : "+v"(s[0]),
                       "+v"(s[1]),
                       "+v"(s[2]),
                       "+v"(s[3]),
                       "+v"(s[4]),
                       "+v"(s[5]),
                       "+v"(s[6]),
                       "+v"(s[7]),
                       "+v"(s[8]),
                       "+v"(s[9])
                     : "v"(x));
}

__attribute__((target("avx2,fma"))) void multiply_add_avx2(int count)
{
    lanes_256 s[chains] = {}, x = {};
    for (int i = 0; i < count; i++)
        asm volatile("vfmadd231ps %10, %10, %0\n\tvfmadd231ps %10, %10, %1\n\t"
                     "vfmadd231ps %10, %10, %2\n\tvfmadd231ps %10, %10, %3\n\t"
                     "vfmadd231ps %10, %10, %4\n\tvfmadd231ps %10, %10, %5\n\t"
                     "vfmadd231ps %10, %10, %6\n\tvfmadd231ps %10, %10, %7\n\t"
                     "vfmadd231ps %10, %10, %8\n\tvfmadd231ps %10, %10, %9"
                     : "+x"(s[0]),
                       "+x"(s[1]),
                       "+x"(s[2]),
                       "+x"(s[3]),
                       "+x"(s[4]),
                       "+x"(s[5]),
                       "+x"(s[6]),
                       "+x"(s[7]),
                       "+x"(s[8]),
                       "+x"(s[9])
                     : "x"(x));
}
#endif

// Seconds for a multiply-add of floats at the peak of the registers that the kernels use.
double seconds_a_mac()
{
#if defined(__x86_64__)
    constexpr int count = 5000;
    const bool wide = kernels().name == std::string("avx512");
    if (wide || kernels().name == std::string("avx2"))
        return seconds_a_call(5,
                              [=] {
                                  wide ? multiply_add_avx512(count)
                                       : multiply_add_avx2(count);
                              }) /
               (chains * count * (wide ? 16 : 8));
#endif
    // The product of small matrices.
    const volk::vector<float> a = normal_vector(24 * 64, 1),
                              b = normal_vector(64 * 64, 2);
    volk::vector<float> c(24 * 64);
    return seconds_a_call(100,
                          [&] {
                              kernels().gemm(a.data(),
                                             64,
                                             b.data(),
                                             64,
                                             nullptr,
                                             0,
                                             c.data(),
                                             64,
                                             24,
                                             64,
                                             64,
                                             false);
                              benchmark::ClobberMemory();
                          }) /
           (24 * 64 * 64);
}

// Seconds for a sigmoid or hyperbolic tangent, four of which a cell without inputs has in
// its first step.
double seconds_an_activation()
{
    constexpr size_t hidden = 20;
    const std::vector<float> weights(4 * (1 + hidden) * hidden, 0.1f);
    volk::vector<float> h(hidden * l2o_block), c(hidden * l2o_block),
        scratch(hidden * l2o_block);
    return seconds_a_call(50,
                          [&] {
                              kernels().lstm({ weights.data(), 0, hidden },
                                             nullptr,
                                             h.data(),
                                             c.data(),
                                             scratch.data(),
                                             true);
                              benchmark::ClobberMemory();
                          }) /
           (4 * hidden * l2o_block);
}

// One CSI at ratio 1/16 with the counters, in microseconds a CSI, of the time, and of
// the floor: all products at the processor's peak, and the activations.
void decode_l2o(benchmark::State& state)
{
    const l2o_profile& profile = l2o_profiles[state.range(0)];
    const int m = state.range(1), iterations = state.range(2), batch = state.range(3);
    const auto model = l2o_model();
    const auto d = l2o_decoder::make(model, m, profile.name, iterations);
    const volk::vector<float> s = normal_vector(batch * m, 3);
    volk::vector<float> h(size_t(batch) * 2 * n);
    std::vector<double> decode, mac, activation;
    for (auto _ : state) {
        decode.push_back(seconds_a_call(1,
                                        [&] {
                                            d->decode_batch(s.data(), m, h.data(), batch);
                                            benchmark::ClobberMemory();
                                        }) /
                         batch);
        mac.push_back(seconds_a_mac());
        activation.push_back(seconds_an_activation());
        state.SetIterationTime(decode.back() * batch);
    }
    const double macs = profile.macs(m, iterations);
    const double floor =
        macs * median(mac) + iterations * profile.activations() * median(activation);
    state.counters["us"] = 1e6 * median(decode);
    state.counters["floor_us"] = 1e6 * floor;
    state.counters["over_floor"] = median(decode) / floor;
    state.counters["mega_macs"] = 1e-6 * macs;
    state.counters["gmac_a_s"] = 1e-9 / median(mac);
    state.counters["ns_activation"] = 1e9 * median(activation);
}
// The convolutions of a phase of FISTA-Net beside their floor, all products at the
// processor's peak.
void phase_convolutions(benchmark::State& state)
{
    constexpr size_t channels = phase_channels;
    const volk::vector<float> into = normal_vector(18 * channels, 1),
                              forward = normal_vector(2 * channels * channels, 2),
                              inverse = normal_vector(2 * channels * channels, 3),
                              out = normal_vector(18 * channels, 4);
    const phase_weights w{ into.data(), forward.data(), inverse.data(), out.data() };
    volk::vector<float> planes;
    const phase_image image = make_phase_image(na, nt, planes);
    const volk::vector<float> x = normal_vector(2 * n, 5);
    for (int p = 0; p < 2; p++)
        for (int r = 0; r < na; r++)
            std::copy_n(x.data() + (p * na + r) * nt,
                        nt,
                        planes.data() + p * image.plane + (r + 1) * image.stride +
                            phase_margin);
    volk::vector<float> result(2 * n, 0.0f);
    float limits[channels];
    std::vector<double> time, mac;
    for (auto _ : state) {
        time.push_back(seconds_a_call(10, [&] {
            kernels().phase_analysis(w, image, limits);
            std::fill_n(limits, channels, 1.0f);
            kernels().phase_synthesis(w, image, limits, result.data(), 2 * nt);
            benchmark::ClobberMemory();
        }));
        mac.push_back(seconds_a_mac());
        state.SetIterationTime(time.back());
    }
    const double macs = double(n) * (36 * channels + 4 * channels * channels);
    state.counters["us"] = 1e6 * median(time);
    state.counters["floor_us"] = 1e6 * macs * median(mac);
    state.counters["over_floor"] = median(time) / (macs * median(mac));
}
BENCHMARK(phase_convolutions)->UseManualTime()->Unit(benchmark::kMicrosecond);

// MLCF in the sizes of the paper: 400 random landmarks in 48 subcarriers, 50 neighbours,
// 32 antennas.
constexpr int mlcf_rows = 48, mlcf_landmarks = 400, mlcf_neighbours = 50;

model_file::sptr mlcf_model()
{
    static model_file::sptr model;
    static const scratch_directory directory;
    if (model)
        return model;
    const std::string path = directory.file("mlcf.h5");
    {
        model_writer file(path);
        file.header("mlcf", mlcf_rows, mlcf_rows, nt);
        file.text("domain", "H");
        const auto normal = [&](const char* name, size_t columns, uint64_t seed) {
            const volk::vector<float> x = normal_vector(mlcf_landmarks * columns, seed);
            file.array(name, { hsize_t(mlcf_landmarks), columns }, x.data());
        };
        normal("encoder/D_H", 2 * mlcf_rows, 1);
        normal("encoder/D_L", 24, 2);
        for (const char* group : { "encoder", "decoder" }) {
            file.array((std::string(group) + "/neighbours").c_str(),
                       { 1 },
                       { float(mlcf_neighbours) });
            file.array((std::string(group) + "/lambda").c_str(), { 1 }, { 1e-3f });
        }
        file.array("decoder/dimensions", { 3 }, { 6, 12, 24 });
        for (const int d : { 6, 12, 24 }) {
            normal(("decoder/D_L_" + std::to_string(d)).c_str(), d, 3);
            normal(("decoder/D_H_" + std::to_string(d)).c_str(), 2 * mlcf_rows, 4);
        }
    }
    return model = model_file::open(path);
}

// Counted: differences, squares and sums of the distances, the products that make the
// right hand sides, Cholesky with its substitutions, the sums of rows; no comparisons.
double mlcf_flop(int dim, int image_dim, bool residual)
{
    const double l = mlcf_landmarks, k = mlcf_neighbours;
    return nt * (3 * dim * l + 3 * dim * k + k * k * k / 3 + 2 * k * k + 2 * k * k +
                 2 * k * image_dim + (residual ? 2 * k * dim : 0));
}

void encode_mlcf(benchmark::State& state)
{
    const int d = state.range(0);
    const auto e = mlcf_encoder::make(mlcf_model(), d * nt);
    const volk::vector<float> h = normal_vector(e->input_size(), 5);
    std::vector<float> s(e->code_size());
    for (auto _ : state) {
        e->encode(h.data(), s.data(), e->code_size());
        benchmark::ClobberMemory();
    }
    state.counters["mflop"] = 1e-6 * mlcf_flop(2 * mlcf_rows, d, true);
}
BENCHMARK(encode_mlcf)
    ->ArgName("d")
    ->Arg(6)
    ->Arg(12)
    ->Arg(24)
    ->Unit(benchmark::kMicrosecond);

void decode_mlcf(benchmark::State& state)
{
    const int d = state.range(0);
    const auto decoder = mlcf_decoder::make(mlcf_model(), d * nt);
    const volk::vector<float> s = normal_vector(d * nt, 6);
    std::vector<float> h(decoder->output_size());
    for (auto _ : state) {
        decoder->decode(s.data(), d * nt, h.data());
        benchmark::ClobberMemory();
    }
    state.counters["mflop"] = 1e-6 * mlcf_flop(d, 2 * mlcf_rows, false);
}
BENCHMARK(decode_mlcf)
    ->ArgName("d")
    ->Arg(6)
    ->Arg(12)
    ->Arg(24)
    ->Unit(benchmark::kMicrosecond);

BENCHMARK(decode_l2o)
    ->ArgNames({ "paper", "m", "T", "batch" })
    ->Args({ 0, 128, 10, 1 })
    ->Args({ 0, 128, 10, 64 })
    ->Args({ 0, 128, 16, 1 })
    ->Args({ 0, 128, 16, 64 })
    ->Args({ 0, 512, 16, 1 })
    ->Args({ 0, 32, 16, 1 })
    ->Args({ 1, 128, 10, 1 })
    ->Args({ 1, 128, 10, 64 })
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

void soft_threshold(benchmark::State& state)
{
    const volk::vector<float> y = normal_vector(2 * n, 4), g = normal_vector(2 * n, 5);
    volk::vector<float> out(2 * n);
    for (auto _ : state) {
        kernels().soft_threshold_step(
            y.data(), y.data(), 0, g.data(), 0.9f, 0.3f, out.data(), out.size());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(soft_threshold);

// The same out of VOLK's kernels.
void soft_threshold_volk(benchmark::State& state)
{
    const volk::vector<float> y = normal_vector(2 * n, 4), g = normal_vector(2 * n, 5);
    const volk::vector<float> upper(2 * n, 0.3f), lower(2 * n, -0.3f);
    volk::vector<float> u(2 * n), clipped(2 * n), out(2 * n);
    for (auto _ : state) {
        volk_32f_s32f_multiply_32f(u.data(), g.data(), 0.9f, 2 * n);
        volk_32f_x2_subtract_32f(u.data(), y.data(), u.data(), 2 * n);
        volk_32f_x2_min_32f(clipped.data(), u.data(), upper.data(), 2 * n);
        volk_32f_x2_max_32f(clipped.data(), clipped.data(), lower.data(), 2 * n);
        volk_32f_x2_subtract_32f(out.data(), u.data(), clipped.data(), 2 * n);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(soft_threshold_volk);

void quantize_pack(benchmark::State& state)
{
    const int m = state.range(0);
    const auto q = scalar_quantizer::make_uniform(model(true), m, state.range(1));
    const volk::vector<float> s = normal_vector(m, 6);
    std::vector<int16_t> level(m);
    std::vector<uint8_t> bytes((q->total_bits(m) + 7) / 8);
    for (auto _ : state) {
        q->quantize(s.data(), m, level.data());
        pack_levels(*q, level.data(), m, bytes.data());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(quantize_pack)->ArgNames({ "m", "bits" })->Args({ 128, 4 })->Args({ 512, 8 });

void unpack_dequantize(benchmark::State& state)
{
    const int m = state.range(0);
    const auto q = scalar_quantizer::make_uniform(model(true), m, state.range(1));
    std::vector<int16_t> level(m);
    std::vector<uint8_t> bytes((q->total_bits(m) + 7) / 8, 0xa5);
    volk::vector<float> s(m);
    for (auto _ : state) {
        unpack_levels(*q, bytes.data(), m, level.data());
        q->dequantize(level.data(), m, s.data());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(unpack_dequantize)
    ->ArgNames({ "m", "bits" })
    ->Args({ 128, 4 })
    ->Args({ 512, 8 });

void run_forward(benchmark::State& state, const angular_delay_transform::sptr& transform)
{
    const volk::vector<float> h = normal_vector(2 * 1024 * nt, 7);
    std::vector<std::complex<float>> ha(n);
    for (auto _ : state) {
        transform->forward(reinterpret_cast<const std::complex<float>*>(h.data()),
                           ha.data());
        benchmark::ClobberMemory();
    }
}

void angular_delay_forward(benchmark::State& state)
{
    run_forward(state, angular_delay_transform::make(1024, nt, na, 4, state.range(0)));
}
BENCHMARK(angular_delay_forward)->ArgName("align")->Arg(0)->Arg(1);

void angular_delay_inverse(benchmark::State& state)
{
    const auto transform = angular_delay_transform::make(1024, nt, na);
    const volk::vector<float> ha = normal_vector(2 * n, 7);
    std::vector<std::complex<float>> h(1024 * nt);
    for (auto _ : state) {
        transform->inverse(reinterpret_cast<const std::complex<float>*>(ha.data()),
                           h.data());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(angular_delay_inverse);

// A plane of 4 x 4 ports of two polarizations, in place of a line of as many.
void angular_delay_plane(benchmark::State& state)
{
    run_forward(state,
                angular_delay_transform::make(
                    csi_shape("Ha", na, nt, 1024, 4, { 4, nt / 8, 2 }), state.range(0)));
}
BENCHMARK(angular_delay_plane)->ArgName("align")->Arg(0)->Arg(1);

void frame_pack(benchmark::State& state)
{
    const std::vector<uint8_t> payload(state.range(0), 0x5a);
    std::vector<uint8_t> frame(payload.size() + feedback_overhead_bytes);
    feedback_header header;
    for (auto _ : state) {
        header.frame_number++;
        pack_frame(header, payload.data(), payload.size(), frame.data());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(frame_pack)->ArgName("payload")->Arg(64)->Arg(512);

void frame_unpack(benchmark::State& state)
{
    const std::vector<uint8_t> payload(state.range(0), 0x5a);
    std::vector<uint8_t> frame(payload.size() + feedback_overhead_bytes);
    pack_frame({}, payload.data(), payload.size(), frame.data());
    feedback_header header;
    const uint8_t* found = nullptr;
    size_t bytes = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(
            unpack_frame(frame.data(), frame.size(), header, found, bytes));
}
BENCHMARK(frame_unpack)->ArgName("payload")->Arg(64)->Arg(512);

} // namespace

BENCHMARK_MAIN();
