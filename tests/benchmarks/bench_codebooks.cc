/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// PMI codebooks with 32 ports, (4, 4), and 13 subbands; goals per CSI on one core: 1 ms for
// the selection of eType II, combination 6, rank 2; 0.2 ms for Type I.

#include "random.h"
#include <gnuradio/csifeedback/csi_report.h>
#include <benchmark/benchmark.h>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
constexpr int ports = 32, subbands = 13, nr = 4;

// Plane waves, rows x nr x ports.
std::vector<cf> channel(int rows)
{
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    std::vector<cf> h(size_t(rows) * nr * ports);
    for (int path = 0; path < 12; path++) {
        const double delay = engine() / 4294967296.0, u1 = engine() / 4294967296.0,
                     u2 = engine() / 4294967296.0;
        cf gains[2 * nr];
        for (cf& gain : gains)
            gain = cf(normal(engine), normal(engine));
        for (int row = 0; row < rows; row++)
            for (int r = 0; r < nr; r++)
                for (int i = 0; i < ports; i++)
                    h[(size_t(row) * nr + r) * ports + i] +=
                        gains[2 * r + i / 16] *
                        cf(std::polar(1.0,
                                      -2 * M_PI *
                                          (2 * delay * row / rows + u1 * (i % 16 / 4) +
                                           u2 * (i % 4))));
    }
    return h;
}

pmi_codebook::sptr type1(int rank)
{
    type1_codebook::configuration c;
    c.ranks = { rank };
    return type1_codebook::make(c);
}

pmi_codebook::sptr type2(int rank)
{
    type2_codebook::configuration c;
    c.ranks = { rank };
    return type2_codebook::make(c);
}

pmi_codebook::sptr etype2(int combination, int rank)
{
    etype2_codebook::configuration c;
    c.param_combination = combination;
    c.ranks = { rank };
    return etype2_codebook::make(c);
}

void select(benchmark::State& state, pmi_codebook::sptr codebook, int rows)
{
    const auto h = channel(rows);
    const int rank = codebook->ranks().front();
    pmi p;
    for (auto _ : state) {
        codebook->select(h.data(), rows, nr, rank, p);
        benchmark::DoNotOptimize(p);
    }
}

void pack_and_unpack(benchmark::State& state, pmi_codebook::sptr codebook)
{
    const auto h = channel(subbands);
    const auto format = csi_report_format::make(codebook);
    csi_report r, back;
    format->report(h.data(), subbands, nr, 10, r);
    std::vector<uint8_t> bits(format->max_bits() / 8 + 1);
    for (auto _ : state) {
        const int used = format->pack(r, bits.data(), format->max_bits());
        benchmark::DoNotOptimize(format->unpack(bits.data(), used, back));
    }
}

void precoder(benchmark::State& state, pmi_codebook::sptr codebook)
{
    const auto h = channel(subbands);
    const int rank = codebook->ranks().front();
    pmi p;
    codebook->select(h.data(), subbands, nr, rank, p);
    std::vector<cf> w(subbands * ports * rank);
    for (auto _ : state) {
        codebook->precoder(p, w.data());
        benchmark::DoNotOptimize(w.data());
    }
}

BENCHMARK_CAPTURE(select, type1_rank1_13_rows, type1(1), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, type1_rank1_52_rows, type1(1), 52)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, type1_rank2_13_rows, type1(2), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, type1_rank4_13_rows, type1(4), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, type2_rank2_13_rows, type2(2), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, etype2_pc6_rank1_13_rows, etype2(6, 1), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, etype2_pc6_rank2_13_rows, etype2(6, 2), 13)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, etype2_pc6_rank2_52_rows, etype2(6, 2), 52)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pack_and_unpack, etype2_pc6_rank2, etype2(6, 2))
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(precoder, etype2_pc6_rank2, etype2(6, 2))
    ->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
