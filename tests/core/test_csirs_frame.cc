/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Frames of pilots: the sequence against the recursions of the standard, written out, and
// the waveform against DFTs in double precision.

#include "random.h"
#include <gnuradio/csifeedback/csirs_frame.h>
#include <gtest/gtest.h>
#include <volk/volk_alloc.hh>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

TEST(gold_sequence, follows_the_recursions)
{
    for (const uint32_t c_init : { 1u, 0x12345u, 0x7fffffffu, csirs_c_init(3, 5, 500) }) {
        constexpr int count = 500, nc = 1600;
        std::vector<int> x1(nc + count + 31), x2(x1.size());
        x1[0] = 1;
        for (int i = 0; i < 31; i++)
            x2[i] = c_init >> i & 1;
        for (int n = 0; n < nc + count; n++) {
            x1[n + 31] = (x1[n + 3] + x1[n]) % 2;
            x2[n + 31] = (x2[n + 3] + x2[n + 2] + x2[n + 1] + x2[n]) % 2;
        }
        const auto c = gold_sequence(c_init, count);
        for (int n = 0; n < count; n++)
            ASSERT_EQ(c[n], (x1[n + nc] + x2[n + nc]) % 2) << c_init << " bit " << n;
    }
}

TEST(gold_sequence, c_init)
{
    // (2^10 (14 n_s + l + 1)(2 n_ID + 1) + n_ID) mod 2^31
    EXPECT_EQ(csirs_c_init(0, 0, 0), 1024u);
    EXPECT_EQ(csirs_c_init(3, 5, 10), 1024u * 48 * 21 + 10);
    EXPECT_EQ(csirs_c_init(159, 13, 1023),
              uint32_t((1024ull * (14 * 159 + 14) * 2047 + 1023) % (1ull << 31)));
}

csirs_parameters layout(int nt, int comb, int cdm_frequency, int cdm_time)
{
    csirs_parameters p;
    p.nt = nt;
    p.fft_size = 128;
    p.cp_length = 9;
    p.nc = 96;
    p.comb = comb;
    p.cdm_frequency = cdm_frequency;
    p.cdm_time = cdm_time;
    p.cell_id = 77;
    return p;
}

const csirs_parameters layouts[] = {
    layout(1, 1, 1, 1),  layout(1, 2, 1, 1), layout(4, 4, 1, 1),  layout(8, 4, 1, 2),
    layout(7, 4, 1, 2),  layout(8, 2, 2, 2), layout(32, 4, 2, 4), layout(12, 3, 4, 1),
    layout(64, 8, 1, 8), layout(5, 1, 1, 1), layout(9, 1, 4, 2),
};

std::vector<std::vector<cf>> samples(const csirs_frame& f, uint32_t frame)
{
    const auto& p = f.parameters();
    volk::vector<cf> header(f.header_symbols() * (p.fft_size + p.cp_length));
    f.write_header(frame, header.data());
    std::vector<std::vector<cf>> x(p.nt, std::vector<cf>(f.frame_length()));
    for (int n = 0; n < p.nt; n++)
        f.write(header.data(), n, 0, f.frame_length(), x[n].data());
    return x;
}

TEST(csirs_frame, samples_are_the_grid)
{
    for (csirs_parameters p : layouts) {
        p.power = 0.25;
        p.gap = 13;
        const auto f = csirs_frame::make(p);
        const auto x = samples(*f, 0xdeadbeef);
        const int length = p.fft_size + p.cp_length;
        ASSERT_EQ(f->frame_length(), f->symbols() * length + p.gap);
        std::vector<cf> cells(p.nc);
        for (int n = 0; n < p.nt; n++)
            for (int l = 0; l < f->symbols(); l++) {
                f->grid(0xdeadbeef, n, l, cells.data());
                int sent = 0;
                for (const cf& c : cells) {
                    sent += c != cf(0);
                    EXPECT_TRUE(c == cf(0) || std::abs(std::abs(c) - 1) < 1e-6);
                }
                const double scale = sent ? std::sqrt(p.power / sent) : 0;
                double power = 0;
                for (int t = -p.cp_length; t < p.fft_size; t += 7) {
                    cd sum = 0;
                    for (int k = 0; k < p.nc; k++)
                        sum +=
                            cd(cells[k]) *
                            std::polar(scale, 2 * M_PI * (k - p.nc / 2) * t / p.fft_size);
                    ASSERT_LT(std::abs(sum - cd(x[n][l * length + p.cp_length + t])),
                              1e-5)
                        << "port " << n << " symbol " << l << " sample " << t;
                }
                for (int t = 0; t < p.fft_size; t++)
                    power += std::norm(cd(x[n][l * length + p.cp_length + t]));
                EXPECT_NEAR(power / p.fft_size, sent ? p.power : 0, 1e-6);
                if (l >= f->first_pilot() && l < f->symbols() - 1 && sent) {
                    EXPECT_NEAR(scale, f->pilot_amplitude(), 1e-6);
                }
            }
        for (int t = f->symbols() * length; t < f->frame_length(); t++)
            EXPECT_EQ(x[0][t], cf(0));
    }
}

TEST(csirs_frame, may_be_written_in_pieces)
{
    csirs_parameters p = layouts[3];
    p.gap = 50;
    const auto f = csirs_frame::make(p);
    const auto whole = samples(*f, 5);
    volk::vector<cf> header(f->header_symbols() * (p.fft_size + p.cp_length));
    f->write_header(5, header.data());
    std::vector<cf> pieces(f->frame_length());
    for (int first = 0, step = 1; first < f->frame_length(); first += step, step += 13) {
        step = std::min(step, f->frame_length() - first);
        f->write(header.data(), 6, first, step, pieces.data() + first);
    }
    EXPECT_EQ(pieces, whole[6]);
}

TEST(csirs_frame, preamble_has_two_equal_halves)
{
    for (const csirs_parameters& p : layouts) {
        const auto x = samples(*csirs_frame::make(p), 0);
        for (const auto& port : x)
            for (int t = 0; t < p.fft_size / 2; t++)
                ASSERT_LT(std::abs(port[p.cp_length + t] -
                                   port[p.cp_length + p.fft_size / 2 + t]),
                          1e-5);
    }
}

// Over its group of cells every port's code is orthogonal to all others, and groups do
// not share cells.
TEST(csirs_frame, ports_are_orthogonal)
{
    for (csirs_parameters p : layouts)
        for (const char* cover : { "walsh", "dft" }) {
            p.cover = cover;
            const auto f = csirs_frame::make(p);
            const int first = f->first_pilot(), count = f->pilot_symbols();
            std::vector<std::vector<cf>> cells(p.nt, std::vector<cf>(count * p.nc));
            for (int n = 0; n < p.nt; n++)
                for (int l = 0; l < count; l++)
                    f->grid(0, n, first + l, cells[n].data() + l * p.nc);
            const int distance = f->pilot_distance();
            for (int a = 0; a < p.nt; a++)
                for (int b = 0; b < p.nt; b++)
                    for (int g = 0; g < f->pilots(); g++) {
                        cd sum = 0;
                        for (int l = 0; l < count; l++)
                            for (int k = g * distance; k < (g + 1) * distance; k++)
                                sum += cd(cells[a][l * p.nc + k]) *
                                       std::conj(cd(cells[b][l * p.nc + k]));
                        const double expected = a == b ? p.cdm_frequency * p.cdm_time : 0;
                        ASSERT_LT(std::abs(sum - expected), 1e-5) << a << " " << b;
                    }
        }
}

// r(m) of a port's cells counts on over all groups of adjacent subcarriers.
TEST(csirs_frame, pilots_are_the_sequence_of_the_standard)
{
    const csirs_parameters p = layouts[5];
    const auto f = csirs_frame::make(p);
    std::vector<cf> cells(p.nc);
    for (int port = 0; port < p.nt; port++)
        for (int j = 0; j < 2; j++) {
            const int l = f->first_pilot() + j;
            const auto c = gold_sequence(csirs_c_init(p.slot, l, p.cell_id), 2 * p.nc);
            f->grid(0, port, l, cells.data());
            const int s = port % 4, offset = 2 * (port / 4);
            for (int g = 0; g < p.nc / 4; g++)
                for (int i = 0; i < 2; i++) {
                    const int m = 2 * g + i;
                    // Table 7.4.1.5.3-4: s = 1 alternates in frequency, 2 in time.
                    const double sign = (s & 1 && i ? -1 : 1) * (s & 2 && j ? -1 : 1);
                    const cd r =
                        sign / std::sqrt(2) * cd(1 - 2 * c[2 * m], 1 - 2 * c[2 * m + 1]);
                    ASSERT_LT(std::abs(cd(cells[4 * g + offset + i]) - r), 1e-6);
                }
        }
}

TEST(csirs_frame, radiates_evenly)
{
    for (const int nt : { 2, 5, 8, 32, 64 }) {
        csirs_parameters p;
        p.nt = nt;
        const auto f = csirs_frame::make(p);
        for (int angle = 0; angle < nt; angle++) {
            cd sum = 0;
            for (int n = 0; n < nt; n++)
                sum += cd(f->port_weight(n)) * std::polar(1.0, 2 * M_PI * n * angle / nt);
            EXPECT_NEAR(std::norm(sum), nt, 1e-3 * nt) << nt << " " << angle;
        }
    }
}

TEST(csirs_frame, peak_to_average)
{
    // That of OFDM, not of pulses: a sum of many subcarriers of random phases exceeds
    // 12 dB in a symbol with a probability below 1e-4.
    csirs_parameters p = csirs_frame::preset(20, 15);
    p.nt = 32;
    p.cdm_time = 4;
    const auto f = csirs_frame::make(p);
    double worst = 0;
    for (const auto& port : samples(*f, 12345))
        for (const cf& x : port)
            worst = std::max(worst, std::norm(cd(x)));
    std::cout << "peak to average " << 10 * std::log10(worst) << " dB\n";
    EXPECT_LT(worst, std::pow(10, 1.2));
    EXPECT_GT(worst, std::pow(10, 0.6));
}

// The soft bits that a channel without fading would give.
std::vector<float>
header_bits(const csirs_frame& f, uint32_t number, double snr, uint64_t seed)
{
    const auto& p = f.parameters();
    random_engine engine = make_engine(seed, number);
    boost::random::normal_distribution<double> normal;
    std::vector<cf> cells(p.nc);
    std::vector<float> soft;
    for (int l = 2; l < f.first_pilot(); l++) {
        f.grid(number, 0, l, cells.data());
        for (int k = 0; k < p.nc; k++) {
            const cf x = cells[k] * std::conj(f.sequence(l)[k] * f.port_weight(0));
            soft.push_back(x.real() + normal(engine) / std::sqrt(2 * snr));
        }
    }
    return soft;
}

TEST(header, carries_any_number)
{
    for (const csirs_parameters& p : layouts) {
        const auto f = csirs_frame::make(p);
        for (const uint32_t number : { 0u, 1u, 0xffffffffu, 0x80000000u, 1234567u }) {
            const auto h = f->decode_header(header_bits(*f, number, 1e6, 1).data());
            EXPECT_TRUE(h.valid);
            EXPECT_EQ(h.frame, number);
        }
    }
}

TEST(header, works_far_below_the_pilots)
{
    const auto f = csirs_frame::make(layouts[3]);
    int lost = 0, wrong = 0;
    constexpr int trials = 2000;
    for (int i = 0; i < trials; i++) {
        const auto h = f->decode_header(header_bits(*f, i, std::pow(10, -0.6), 2).data());
        lost += !h.valid;
        wrong += h.valid && h.frame != uint32_t(i);
    }
    std::cout << "at -6 dB per subcarrier " << lost << " of " << trials << " lost\n";
    EXPECT_LT(lost, trials / 100);
    EXPECT_EQ(wrong, 0);
}

TEST(header, of_another_configuration_is_refused)
{
    const csirs_parameters base = layouts[3];
    const auto f = csirs_frame::make(base);
    const auto soft = header_bits(*f, 99, 1e6, 1);
    for (int i = 0; i < 6; i++) {
        csirs_parameters p = base;
        if (i == 0)
            p.cell_id++;
        if (i == 1)
            p.nt++;
        if (i == 2)
            p.cover = "dft";
        if (i == 3)
            p.slot++;
        if (i == 4)
            std::swap(p.cdm_time, p.cdm_frequency);
        if (i == 5)
            p.cp_length++;
        EXPECT_FALSE(csirs_frame::make(p)->decode_header(soft.data()).valid) << i;
    }
    csirs_parameters p = base;
    p.power = 5;
    p.gap = 7;
    EXPECT_TRUE(csirs_frame::make(p)->decode_header(soft.data()).valid);
}

TEST(header, noise_is_none)
{
    const auto f = csirs_frame::make(layouts[3]);
    int accepted = 0;
    constexpr int trials = 8000;
    for (int i = 0; i < trials; i++)
        accepted += f->decode_header(header_bits(*f, 0, 1e-9, 10 + i).data()).valid;
    // 2^-16 of them: more than 3 with a probability of 1e-5.
    EXPECT_LT(accepted, 4);
}

TEST(csirs_frame, presets)
{
    const csirs_parameters a = csirs_frame::preset(5, 15),
                           b = csirs_frame::preset(20, 15),
                           c = csirs_frame::preset(100, 30),
                           d = csirs_frame::preset(40, 60);
    EXPECT_EQ(a.fft_size * a.spacing_hz, 7.68e6);
    EXPECT_EQ(a.nc, 300);
    EXPECT_EQ(b.fft_size * b.spacing_hz, 30.72e6);
    EXPECT_EQ(b.nc, 1272);
    EXPECT_EQ(b.cp_length, 144);
    EXPECT_EQ(c.fft_size * c.spacing_hz, 122.88e6);
    EXPECT_EQ(d.fft_size * d.spacing_hz, 61.44e6);
    EXPECT_THROW(csirs_frame::preset(100, 15), std::invalid_argument);
    EXPECT_THROW(csirs_frame::preset(20, 120), std::invalid_argument);
}

template <typename function>
void expect_refused(function change, const char* text)
{
    csirs_parameters p;
    change(p);
    try {
        csirs_frame::make(p);
        FAIL() << text;
    } catch (const std::invalid_argument& e) {
        EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
}

TEST(csirs_frame, bad_parameters)
{
    using P = csirs_parameters;
    expect_refused([](P& p) { p.nt = 65; }, "nt is 65");
    expect_refused([](P& p) { p.fft_size = 513; }, "fft_size is 513");
    expect_refused([](P& p) { p.cp_length = 0; }, "cp_length is 0");
    expect_refused([](P& p) { p.cp_length = 257; }, "cp_length is 257");
    expect_refused([](P& p) { p.nc = 514; }, "nc is 514");
    expect_refused([](P& p) { p.nc = 299; }, "nc is 299");
    expect_refused([](P& p) { p.comb = 7; }, "nc is 300");
    expect_refused([](P& p) { p.comb = 0; }, "comb is 0");
    expect_refused([](P& p) { p.spacing_hz = NAN; }, "spacing_hz is");
    expect_refused([](P& p) { p.cdm_frequency = 3; }, "cdm_frequency is 3");
    expect_refused([](P& p) { p.cdm_time = 16; }, "cdm_time is 16");
    expect_refused([](P& p) { p.cover = "zc"; }, "cover is zc");
    expect_refused([](P& p) { p.cell_id = 1024; }, "cell_id is 1024");
    expect_refused([](P& p) { p.slot = 160; }, "slot is 160");
    expect_refused([](P& p) { p.power = 0; }, "power is 0");
    expect_refused([](P& p) { p.gap = -1; }, "gap is -1");
    const auto f = csirs_frame::make(P());
    std::vector<cf> cells(300);
    EXPECT_THROW(f->grid(0, 8, 0, cells.data()), std::invalid_argument);
    EXPECT_THROW(f->grid(0, 0, f->symbols(), cells.data()), std::invalid_argument);
}

} // namespace
