/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Compact feedback frames. CSIFEEDBACK_CORRUPTED_FRAMES=N corrupts N frames for each
// checksum and bit error rate in place of a million in all, with the random numbers of
// CSIFEEDBACK_CORRUPTED_SEED; docs/frames.md has the outcome of such runs.

#include "feedback/bits.h"
#include "random.h"
#include <gnuradio/csifeedback/compact_frame.h>
#include <gnuradio/csifeedback/feedback_receiver.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using bytes = std::vector<uint8_t>;

const std::vector<frame_checksum> checksums = { frame_checksum::none,
                                                frame_checksum::crc11,
                                                frame_checksum::crc16,
                                                frame_checksum::crc24 };

bool bit(const bytes& x, size_t i) { return x[i / 8] >> (7 - i % 8) & 1; }

bytes random_bytes(size_t n, random_engine& engine)
{
    bytes x(n);
    for (uint8_t& byte : x)
        byte = engine();
    return x;
}

// TS 38.212 clause 5.1, bit by bit: the exponents of the polynomials as printed there.
uint32_t bitwise_crc(const std::vector<int>& exponents, const bytes& x, size_t n)
{
    uint64_t polynomial = 0;
    for (const int exponent : exponents)
        polynomial |= uint64_t(1) << exponent;
    const int length = exponents.front();
    uint64_t remainder = 0;
    for (size_t i = 0; i < n + length; i++) {
        remainder = remainder << 1 | (i < n ? bit(x, i) : 0);
        if (remainder >> length)
            remainder ^= polynomial;
    }
    return remainder;
}

TEST(checksum, polynomials_of_the_standard)
{
    random_engine engine = make_engine(1, 1);
    for (size_t n = 0; n < 300; n++) {
        const bytes x = random_bytes(n / 8 + 1, engine);
        EXPECT_EQ(checksum_of(frame_checksum::crc11, x.data(), n),
                  bitwise_crc({ 11, 10, 9, 5, 0 }, x, n));
        EXPECT_EQ(checksum_of(frame_checksum::crc16, x.data(), n),
                  bitwise_crc({ 16, 12, 5, 0 }, x, n));
        EXPECT_EQ(checksum_of(frame_checksum::crc24, x.data(), n),
                  bitwise_crc({ 24, 23, 21, 20, 17, 15, 13, 12, 8, 4, 2, 1, 0 }, x, n));
        EXPECT_EQ(checksum_of(frame_checksum::none, x.data(), n), 0u);
    }
    // CRC-16 with this polynomial and initial value 0 is that of XMODEM.
    const std::string digits = "123456789";
    EXPECT_EQ(checksum_of(frame_checksum::crc16,
                          reinterpret_cast<const uint8_t*>(digits.data()),
                          8 * digits.size()),
              0x31c3u);
}

TEST(bits, read_write_and_copy)
{
    random_engine engine = make_engine(1, 2);
    for (int repetition = 0; repetition < 2000; repetition++) {
        const bytes from = random_bytes(40, engine);
        bytes to = random_bytes(40, engine);
        const bytes before = to;
        const size_t n = engine() % 200, at = engine() % 100, from_at = engine() % 100;
        copy_bits(to.data(), at, from.data(), from_at, n);
        for (size_t i = 0; i < 320; i++)
            EXPECT_EQ(bit(to, i),
                      i >= at && i < at + n ? bit(from, from_at + i - at)
                                            : bit(before, i));
        const int width = engine() % 33;
        const uint32_t x = read_bits(to.data(), at, width);
        for (int i = 0; i < width; i++)
            EXPECT_EQ(x >> (width - 1 - i) & 1, uint32_t(bit(to, at + i)));
    }
}

TEST(bits, closed_strings)
{
    random_engine engine = make_engine(1, 3);
    for (size_t n = 0; n < 100; n++) {
        bytes x = random_bytes(closed_bytes(n), engine);
        const bytes before = x;
        close_bits(x.data(), n);
        size_t found;
        ASSERT_TRUE(closed_bits(x.data(), x.size(), found));
        EXPECT_EQ(found, n);
        for (size_t i = 0; i < 8 * x.size(); i++)
            EXPECT_EQ(bit(x, i), i < n ? bit(before, i) : i == n);
        x.push_back(0);
        EXPECT_FALSE(closed_bits(x.data(), x.size(), found));
    }
    size_t found;
    EXPECT_FALSE(closed_bits(nullptr, 0, found));
}

compact_configuration configuration_of(frame_checksum checksum)
{
    compact_configuration c;
    c.checksum = checksum;
    return c;
}

// 136 bits with version 1.
TEST(compact_frame, overhead)
{
    EXPECT_EQ(configuration_of(frame_checksum::crc24).overhead_bits(), 55);
    EXPECT_EQ(configuration_of(frame_checksum::crc16).overhead_bits(), 47);
    EXPECT_EQ(configuration_of(frame_checksum::crc11).overhead_bits(), 42);
    EXPECT_EQ(configuration_of(frame_checksum::none).overhead_bits(), 31);
    compact_configuration c;
    c.number_bits = 8;
    c.gain_bits = 0;
    c.residual_energy = true;
    EXPECT_EQ(c.overhead_bits(), 4 + 8 + 8 + 0 + 8 + 24);
}

struct packed {
    bytes frame;
    size_t bits;
};

packed pack(const compact_configuration& c,
            const compact_header& header,
            const bytes& payload,
            size_t payload_bits)
{
    packed p;
    p.frame.assign(closed_bytes(payload_bits + c.overhead_bits()), 0x5a);
    p.bits = pack_compact_frame(c, header, payload.data(), payload_bits, p.frame.data());
    EXPECT_EQ(p.bits, payload_bits + c.overhead_bits());
    size_t found;
    EXPECT_TRUE(closed_bits(p.frame.data(), p.frame.size(), found));
    EXPECT_EQ(found, p.bits);
    return p;
}

struct unpacked {
    frame_status status;
    compact_header header;
    bytes payload;
    size_t payload_bits = 0;
};

unpacked unpack(const compact_configuration& c, const bytes& frame, size_t bits)
{
    unpacked u;
    u.payload.assign((bits + 7) / 8, 0xa5);
    u.status = unpack_compact_frame(
        c, frame.data(), bits, u.header, u.payload.data(), u.payload_bits);
    if (u.status == frame_status::ok)
        u.payload.resize((u.payload_bits + 7) / 8);
    return u;
}

// Made bit by bit by a program of its own in Python.
TEST(compact_frame, golden_vectors)
{
    struct vector {
        int number, number_bits, frame_number, gain_bits, gain,
            residual_energy; // -1: none
        std::string payload;
        frame_checksum checksum;
        bytes frame;
    };
    const std::vector<vector> vectors = {
        { 5,
          10,
          600,
          9,
          384,
          -1,
          "1011001",
          frame_checksum::crc24,
          { 0x30, 0x59, 0x63, 0x01, 0x66, 0x7e, 0xdb, 0x72 } },
        { 5,
          10,
          600,
          9,
          384,
          -1,
          "1011001",
          frame_checksum::crc16,
          { 0x30, 0x59, 0x63, 0x01, 0x65, 0x88, 0x36 } },
        { 5,
          10,
          600,
          9,
          384,
          -1,
          "1011001",
          frame_checksum::crc11,
          { 0x30, 0x59, 0x63, 0x01, 0x64, 0xb0, 0xc0 } },
        { 5,
          10,
          600,
          9,
          384,
          -1,
          "1011001",
          frame_checksum::none,
          { 0x30, 0x59, 0x63, 0x01, 0x66 } },
        { 255,
          8,
          255,
          0,
          0,
          77,
          "",
          frame_checksum::crc24,
          { 0x3f, 0xff, 0xf4, 0xdd, 0xda, 0xfd, 0xe8 } },
        { 0,
          9,
          1,
          12,
          4095,
          -1,
          "1111111111111111111111111111111111111111111111111111111111111111",
          frame_checksum::crc16,
          { 0x30,
            0x00,
            0x0f,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xd2,
            0x72,
            0x40 } },
    };
    for (const vector& v : vectors) {
        compact_configuration c = configuration_of(v.checksum);
        c.number = v.number;
        c.number_bits = v.number_bits;
        c.gain_bits = v.gain_bits;
        c.residual_energy = v.residual_energy >= 0;
        compact_header header;
        header.frame_number = v.frame_number;
        header.gain = v.gain;
        header.residual_energy = v.residual_energy >= 0 ? v.residual_energy : 0;
        bytes payload(v.payload.size() / 8 + 1);
        for (size_t i = 0; i < v.payload.size(); i++)
            payload[i / 8] |= (v.payload[i] - '0') << (7 - i % 8);
        EXPECT_EQ(pack(c, header, payload, v.payload.size()).frame, v.frame);
    }
}

TEST(compact_frame, round_trip)
{
    random_engine engine = make_engine(1, 4);
    for (int repetition = 0; repetition < 5000; repetition++) {
        compact_configuration c;
        c.number = engine();
        c.checksum = checksums[engine() % 4];
        c.number_bits = 8 + engine() % 3;
        c.gain_bits = engine() % 13;
        c.residual_energy = engine() % 2;
        c.min_gain_db = -256 + (c.gain_bits < 12 ? float(engine() % 1000) / 128 : 0);
        EXPECT_NO_THROW(c.check());
        compact_header header;
        header.frame_number = engine() % (1 << c.number_bits);
        header.gain = engine() % (1 << c.gain_bits);
        header.residual_energy = c.residual_energy ? engine() : 0;
        const size_t payload_bits = engine() % (repetition % 50 ? 300 : 65536);
        bytes payload = random_bytes((payload_bits + 7) / 8, engine);
        if (payload_bits % 8)
            payload.back() &= 0xff00 >> payload_bits % 8;
        const packed p = pack(c, header, payload, payload_bits);
        uint8_t number;
        EXPECT_TRUE(compact_frame_configuration(p.frame.data(), p.bits, number));
        EXPECT_EQ(number, c.number);
        const unpacked u = unpack(c, p.frame, p.bits);
        ASSERT_EQ(u.status, frame_status::ok);
        EXPECT_EQ(u.header.frame_number, header.frame_number);
        EXPECT_EQ(u.header.gain, header.gain);
        EXPECT_EQ(u.header.residual_energy, header.residual_energy);
        EXPECT_EQ(u.payload_bits, payload_bits);
        EXPECT_EQ(u.payload, payload);
    }
}

TEST(compact_frame, refuses)
{
    compact_configuration c;
    c.number = 77;
    const bytes payload(8, 0x3c);
    const packed p = pack(c, { 5, 6, 0 }, payload, 61);
    EXPECT_EQ(unpack(c, p.frame, p.bits).status, frame_status::ok);
    for (size_t bits = 0; bits < size_t(c.overhead_bits()); bits++)
        EXPECT_EQ(unpack(c, p.frame, bits).status, frame_status::too_short);
    // Of any other length.
    for (size_t bits = c.overhead_bits(); bits < p.bits; bits++)
        EXPECT_EQ(unpack(c, p.frame, bits).status, frame_status::bad_crc) << bits;
    bytes longer = p.frame;
    close_bits(longer.data(), p.bits);
    longer[p.bits / 8] &= 0xff00 >> p.bits % 8; // zeros follow
    longer.resize(longer.size() + 200, 0);
    for (size_t bits = p.bits + 1; bits < p.bits + 1600; bits++)
        EXPECT_EQ(unpack(c, longer, bits).status, frame_status::bad_crc) << bits;
    // Zeros before it change the version.
    EXPECT_EQ(unpack(c, bytes(100, 0), 800).status, frame_status::bad_version);
    EXPECT_EQ(unpack(c, bytes(100, 0xff), 800).status, frame_status::bad_version);
    compact_configuration other = c;
    other.number = 78;
    EXPECT_EQ(unpack(other, p.frame, p.bits).status, frame_status::bad_version);
    uint8_t number;
    EXPECT_FALSE(compact_frame_configuration(p.frame.data(), 11, number));
    const size_t limit = compact_configuration::max_payload_bits + c.overhead_bits();
    const bytes zeros(limit / 8 + 2, 0x34);
    EXPECT_EQ(unpack(
                  c,
                  [&] {
                      bytes x = zeros;
                      std::copy_n(p.frame.begin(), 2, x.begin());
                      return x;
                  }(),
                  limit + 1)
                  .status,
              frame_status::bad_length);
}

TEST(compact_frame, configurations_out_of_range)
{
    const auto text = [](auto&& change) {
        compact_configuration c;
        change(c);
        try {
            c.check();
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(text([](auto& c) { c.number_bits = 7; }),
              "compact_configuration: number_bits is 7, allowed is 8 to 10");
    EXPECT_EQ(text([](auto& c) { c.number_bits = 11; }),
              "compact_configuration: number_bits is 11, allowed is 8 to 10");
    EXPECT_EQ(text([](auto& c) { c.gain_bits = 13; }),
              "compact_configuration: gain_bits is 13, allowed is 0 to 12");
    EXPECT_EQ(text([](auto& c) { c.gain_bits = -1; }),
              "compact_configuration: gain_bits is -1, allowed is 0 to 12");
    EXPECT_EQ(text([](auto& c) { c.min_gain_db = -257; }),
              "compact_configuration: min_gain_db is -257, allowed is -256 to 255");
    EXPECT_NE(text([](auto& c) { c.min_gain_db = std::nanf(""); }), "");
    EXPECT_NE(text([](auto& c) { c.min_gain_db = 200; }), "");
    EXPECT_NE(text([](auto& c) { c.checksum = frame_checksum(4); }), "");
    EXPECT_EQ(text([](auto&) {}), "");
}

TEST(compact_frame, gains)
{
    compact_configuration c;
    c.min_gain_db = -48;
    EXPECT_EQ(c.max_gain_db(), -48 + 511 / 8.0f);
    EXPECT_EQ(c.gain_to_code(-48), 0);
    EXPECT_EQ(c.gain_to_code(0), 384);
    EXPECT_EQ(c.gain_to_code(-1e30f), 0);
    EXPECT_EQ(c.gain_to_code(1e30f), 511);
    EXPECT_EQ(c.gain_to_code(std::numeric_limits<float>::quiet_NaN()), 0);
    for (int code = 0; code < 512; code++) {
        EXPECT_EQ(c.gain_to_code(c.gain_from_code(code)), code);
        // Exactly one of the codes of 16 bits.
        const float gain_db = c.gain_from_code(code);
        EXPECT_EQ(gain_from_code(gain_to_code(gain_db)), gain_db);
    }
    c.gain_bits = 0;
    EXPECT_EQ(c.gain_to_code(30), 0);
    EXPECT_EQ(c.max_gain_db(), -48);
}

// A gain that is rounded to steps of d dB costs c = (ln 10 / 20)^2 d^2 / 12 of the energy,
// so an NMSE of e becomes e + c: at -30 dB and 1/8 dB that is 0.074 dB, with steps twice as
// wide (one bit less for the same range) 0.29 dB.
TEST(compact_frame, resolution_of_the_gain_costs_less_than_a_tenth_of_a_db)
{
    random_engine engine = make_engine(1, 5);
    boost::random::normal_distribution<double> normal;
    const auto cost_db = [&](double step_db) {
        const int n = 128, repetitions = 4000;
        double exact = 0, rounded = 0;
        for (int repetition = 0; repetition < repetitions; repetition++) {
            const double gain_db = 20 * normal(engine);
            const double factor =
                std::pow(10, (step_db * std::round(gain_db / step_db) - gain_db) / 20);
            double power = 0, error = 0, error_rounded = 0;
            for (int i = 0; i < n; i++) {
                const double h = normal(engine);
                // A linear MMSE estimate with an error of -30 dB: what it has of h, 1 -
                // 10^-3, and what it adds.
                const double h_hat = 0.999 * h + std::sqrt(0.999e-3) * normal(engine);
                power += h * h;
                error += (h_hat - h) * (h_hat - h);
                error_rounded += (factor * h_hat - h) * (factor * h_hat - h);
            }
            exact += error / power;
            rounded += error_rounded / power;
        }
        EXPECT_NEAR(10 * std::log10(exact / repetitions), -30, 0.1);
        return 10 * std::log10(rounded / exact);
    };
    const double cost = cost_db(compact_gain_step_db);
    const double coarser = cost_db(2 * compact_gain_step_db);
    std::printf("steps of 1/8 dB cost %.3f dB, of 1/4 dB %.3f dB\n", cost, coarser);
    EXPECT_NEAR(cost, 0.074, 0.01);
    EXPECT_LT(cost, 0.1);
    EXPECT_GT(coarser, 0.2);
}

// Errors of one and two bits, and bursts of up to the checksum's length never pass.
TEST(compact_frame, errors_that_are_always_detected)
{
    random_engine engine = make_engine(1, 6);
    for (const frame_checksum checksum : checksums) {
        if (checksum == frame_checksum::none)
            continue;
        const compact_configuration c = configuration_of(checksum);
        const packed p = pack(c, { 511, 300, 0 }, random_bytes(16, engine), 122);
        const auto flip = [](bytes& x, size_t i) { x[i / 8] ^= 0x80 >> i % 8; };
        for (size_t i = 0; i < p.bits; i++) {
            bytes one = p.frame;
            flip(one, i);
            EXPECT_NE(unpack(c, one, p.bits).status, frame_status::ok);
            for (size_t k = i + 1; k < p.bits; k++) {
                bytes two = one;
                flip(two, k);
                EXPECT_NE(unpack(c, two, p.bits).status, frame_status::ok)
                    << i << " " << k;
            }
            for (int repetition = 0; repetition < 100; repetition++) {
                const size_t length = 2 + engine() % (checksum_bits(checksum) - 1);
                if (i + length > p.bits)
                    continue;
                bytes burst = one;
                flip(burst, i + length - 1);
                for (size_t k = i + 1; k < i + length - 1; k++)
                    if (engine() % 2)
                        flip(burst, k);
                EXPECT_NE(unpack(c, burst, p.bits).status, frame_status::ok);
            }
        }
    }
}

// Of frames of n bits with at least one error, the part that passes the checksum, at a bit
// error rate: exactly, by the weights of the dual code (MacWilliams), whose words are the
// sums of the rows of the parity check matrix.
double undetected_part(frame_checksum checksum, size_t n, double rate)
{
    using word = std::array<uint64_t, 4>;
    EXPECT_LE(n, 256u);
    const int length = checksum_bits(checksum);
    // The checksum of each single bit, those of the checksum itself included.
    std::vector<word> rows(length);
    for (size_t i = 0; i < n; i++) {
        uint32_t syndrome = 1u << (n - 1 - i) % 32;
        if (i < n - length) {
            bytes x(n / 8 + 1);
            x[i / 8] = 0x80 >> i % 8;
            syndrome = checksum_of(checksum, x.data(), n - length);
        }
        for (int row = 0; row < length; row++)
            rows[row][i / 64] |= uint64_t(syndrome >> row & 1) << i % 64;
    }
    std::vector<uint64_t> weights(n + 1);
    word sum{};
    for (uint32_t k = 1;; k++) { // in the order of a Gray code
        size_t weight = 0;
        for (const uint64_t part : sum)
            weight += __builtin_popcountll(part);
        weights[weight]++;
        if (k >> length)
            break;
        const word& row = rows[__builtin_ctz(k)];
        for (size_t i = 0; i < sum.size(); i++)
            sum[i] ^= row[i];
    }
    double p = 0;
    for (size_t weight = 0; weight <= n; weight++)
        p += weights[weight] * std::pow(1 - 2 * rate, weight);
    p = p / std::pow(2.0, length) - std::pow(1 - rate, n);
    return p / (1 - std::pow(1 - rate, n));
}

// What passes of frames with errors at random: as many as the checksum's length says at
// most, and as many as theory says.
TEST(compact_frame, corrupted_frames)
{
    const char* const wanted = std::getenv("CSIFEEDBACK_CORRUPTED_FRAMES");
    const uint64_t all = wanted ? std::strtoull(wanted, nullptr, 10) : 0;
    const char* const seed = std::getenv("CSIFEEDBACK_CORRUPTED_SEED");
    random_engine engine = make_engine(seed ? std::strtoull(seed, nullptr, 10) : 1, 7);
    const std::vector<double> rates = { 0.5, 0.1, 0.01, 0.001 };
    std::printf(
        "frames of 122 bits of payload with errors, and how many of them pass\n"
        "checksum  bit error rate    frames  pass the checksum  by theory  pass all "
        "checks\n");
    for (const frame_checksum checksum :
         { frame_checksum::crc11, frame_checksum::crc16, frame_checksum::crc24 })
        for (const double rate : rates) {
            const uint64_t count = all ? all : 1000000 / 12 + 1;
            const compact_configuration c = configuration_of(checksum);
            const packed p = pack(c, { 511, 300, 0 }, random_bytes(16, engine), 122);
            const size_t length = checksum_bits(checksum), end = p.bits - length;
            const double log_good = std::log1p(-rate);
            const auto gap = [&] {
                const double u = (double(engine() >> 11) + 1) * 0x1p-53;
                return size_t(std::min(1e9, std::floor(std::log(u) / log_good)));
            };
            // The first error, given that there is one.
            const double none = std::pow(1 - rate, double(p.bits));
            const auto first = [&] {
                const double u =
                    1 - (double(engine() >> 11) + 0.5) * 0x1p-53 * (1 - none);
                return std::min(p.bits - 1, size_t(std::floor(std::log(u) / log_good)));
            };
            uint64_t passed = 0, undetected = 0;
            bytes x(p.frame.size()), payload(x.size());
            compact_header header;
            size_t payload_bits;
            for (uint64_t n = 0; n < count; n++) {
                x = p.frame;
                bool head = false;
                for (size_t i = first(); i < p.bits; i += 1 + gap()) {
                    x[i / 8] ^= 0x80 >> i % 8;
                    head |= i < 12;
                }
                passed += read_bits(x.data(), end, length) ==
                          (~checksum_of(checksum, x.data(), end) &
                           ((uint64_t(1) << length) - 1));
                const bool ok =
                    unpack_compact_frame(
                        c, x.data(), p.bits, header, payload.data(), payload_bits) ==
                    frame_status::ok;
                EXPECT_FALSE(ok && head);
                undetected += ok;
            }
            const double part = undetected_part(checksum, p.bits, rate);
            std::printf("  CRC-%zu  %14g  %8llu  %17llu  %9.3g  %15llu\n",
                        length,
                        rate,
                        static_cast<unsigned long long>(count),
                        static_cast<unsigned long long>(passed),
                        count * part,
                        static_cast<unsigned long long>(undetected));
            const double deviation = 5 * std::sqrt(count * part) + 3;
            EXPECT_NEAR(passed, count * part, deviation);
            EXPECT_LE(part, 1.01 * std::pow(2.0, -double(length)));
            EXPECT_LE(undetected, passed);
        }
}

////////////////////////////////////////////////////////////////////////////////////////

quantizer::sptr the_quantizer()
{
    static const quantizer::sptr q = scalar_quantizer::make(
        { 1, 1, 1 }, { 2, 2, 2 }, { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3 }, 3, 2);
    return q;
}

feedback_rules the_rules()
{
    feedback_rules rules;
    rules.codec_id = 4;
    rules.model_id = 1000;
    return rules;
}

bytes message(const compact_configuration& c,
              uint64_t frame,
              size_t payload_bits = 6,
              const bytes* key = nullptr)
{
    compact_header header;
    header.frame_number = frame;
    header.gain = c.gain_to_code(-3.5f);
    header.residual_energy = 9;
    const packed p = pack(c, header, bytes(payload_bits / 8 + 1, 0x6c), payload_bits);
    if (!key)
        return p.frame;
    bytes x = p.frame;
    x.resize(closed_bytes(p.bits + 64));
    EXPECT_EQ(sign_compact_frame(feedback_signer(*key), x.data(), p.bits, frame),
              p.bits + 64);
    return x;
}

feedback_result receive(feedback_receiver& receiver, const bytes& x)
{
    return receiver.receive(x.data(), x.size());
}

frame_status judge(feedback_receiver& receiver, const bytes& x)
{
    return receive(receiver, x).status;
}

TEST(compact_receiver, the_same_as_other_frames)
{
    compact_configuration c;
    c.number = 3;
    c.ue_id = 7;
    c.residual_energy = true;
    const auto receiver = feedback_receiver::make(the_quantizer(), the_rules());
    EXPECT_NE(judge(*receiver, message(c, 600)), frame_status::ok);
    receiver->add_configuration(c);
    const bytes x = message(c, 600);
    const feedback_result r = receive(*receiver, x);
    ASSERT_EQ(r.status, frame_status::ok);
    EXPECT_EQ(r.header.version, 3);
    EXPECT_EQ(r.header.ue_id, 7);
    EXPECT_EQ(r.header.codec_id, 4);
    EXPECT_EQ(r.header.model_id, 1000);
    EXPECT_EQ(r.header.quantizer_type, 3);
    EXPECT_EQ(r.header.bits, 2);
    EXPECT_EQ(r.header.code_size, 3);
    EXPECT_EQ(gain_from_code(r.header.gain), -3.5f);
    EXPECT_TRUE(r.has_residual_energy);
    EXPECT_EQ(r.header.residual_energy, 9);
    EXPECT_EQ(r.frame, 600u);
    EXPECT_EQ(r.frame_bits, size_t(c.overhead_bits() + 6));
    ASSERT_EQ(r.payload_bytes, 1u);
    EXPECT_EQ(r.payload[0], 0x6c);
    // A shorter codeword of the same configuration.
    EXPECT_EQ(receive(*receiver, message(c, 601, 4)).header.code_size, 2);
    for (const size_t bits : { 0, 1, 3, 5, 7, 8, 100 })
        EXPECT_EQ(judge(*receiver, message(c, 602, bits)), frame_status::bad_length)
            << bits;
    compact_configuration other = c;
    other.number = 4;
    EXPECT_EQ(judge(*receiver, message(other, 602)), frame_status::unknown_configuration);
    bytes broken = message(c, 602);
    broken[3] ^= 1;
    EXPECT_EQ(judge(*receiver, broken), frame_status::bad_crc);
    broken.back() = 0;
    EXPECT_EQ(judge(*receiver, broken), frame_status::bad_length);
    EXPECT_EQ(judge(*receiver, { 0x30, 0x80 }), frame_status::too_short);
    EXPECT_EQ(judge(*receiver, { 0x30, 0x38, 0x80 }), frame_status::too_short);
}

TEST(compact_receiver, window_of_the_numbers)
{
    const uint64_t now = 5000000;
    for (const int number_bits : { 8, 9, 10 }) {
        compact_configuration c;
        c.number_bits = number_bits;
        feedback_rules rules = the_rules();
        rules.max_age = 100;
        rules.max_lead = 20;
        const auto receiver = feedback_receiver::make(the_quantizer(), rules);
        receiver->add_configuration(c);
        EXPECT_EQ(judge(*receiver, message(c, now)), frame_status::no_clock);
        for (uint64_t frame = now; frame < now + 3000; frame += 37) {
            receiver->set_now(frame);
            for (const int64_t step : { -101, 21, 30 })
                EXPECT_EQ(judge(*receiver, message(c, frame + step)), frame_status::stale)
                    << step;
            const feedback_result r = receive(*receiver, message(c, frame - 10));
            EXPECT_EQ(r.status, frame_status::ok);
            EXPECT_EQ(r.frame, frame - 10);
            EXPECT_EQ(judge(*receiver, message(c, frame - 10)), frame_status::replayed);
        }
        rules.max_lead = (1 << number_bits) - 101;
        EXPECT_NO_THROW(
            feedback_receiver::make(the_quantizer(), rules)->add_configuration(c));
        rules.max_lead++;
        EXPECT_THROW(
            feedback_receiver::make(the_quantizer(), rules)->add_configuration(c),
            std::invalid_argument);
    }
    feedback_rules rules = the_rules();
    rules.ue_ids = { 5 };
    EXPECT_THROW(feedback_receiver::make(the_quantizer(), rules)->add_configuration({}),
                 std::invalid_argument);
}

// The same in a frame of version 1, with 16 bits of the number.
bytes full_message(const compact_configuration& c, uint64_t frame)
{
    feedback_header header;
    header.quantizer_type = the_quantizer()->type_id();
    header.bits = the_quantizer()->bits();
    header.ue_id = c.ue_id;
    header.frame_number = frame;
    header.codec_id = the_rules().codec_id;
    header.model_id = the_rules().model_id;
    header.code_size = 3;
    const uint8_t payload = 0x6c;
    bytes x(feedback_overhead(header.version) + 1);
    pack_frame(header, &payload, 1, x.data());
    return x;
}

// One forged number moves nothing, without a clock either. Nor do two that are far from each
// other, also where the UE sent another kind of frame before, which has more bits of the
// number.
TEST(compact_receiver, forged_numbers)
{
    for (const bool full : { false, true })
        for (int forged = 0; forged < 1024; forged++) {
            const compact_configuration c;
            const auto receiver = feedback_receiver::make(the_quantizer(), the_rules());
            receiver->add_configuration(c);
            if (full) {
                EXPECT_EQ(receive(*receiver, full_message(c, 5000)).frame, 5000u);
            }
            const uint64_t first = full ? 5001 : 700;
            for (uint64_t frame = first; frame < first + 40; frame++) {
                if (frame == first + 10)
                    judge(*receiver, message(c, frame + forged));
                if (frame == first + 10 && forged > 128 && forged < 1024 - 128)
                    judge(*receiver, message(c, frame + 2 * forged));
                ASSERT_EQ(receive(*receiver, message(c, frame)).frame, frame) << forged;
            }
        }
}

TEST(compact_receiver, signatures)
{
    const bytes key(16, 0x77), other(16, 0x78);
    const uint64_t now = 123456;
    for (const frame_checksum checksum : checksums) {
        compact_configuration c = configuration_of(checksum);
        c.ue_id = 7;
        const auto receiver = feedback_receiver::make(the_quantizer(), the_rules());
        receiver->add_configuration(c);
        receiver->set_key(7, key);
        receiver->set_now(now);
        EXPECT_NE(judge(*receiver, message(c, now)), frame_status::ok);
        EXPECT_EQ(judge(*receiver, message(c, now, 6, &other)),
                  frame_status::bad_signature);
        const bytes good = message(c, now, 6, &key);
        for (size_t i = 0; i < 8 * good.size(); i++) {
            bytes x = good;
            x[i / 8] ^= 0x80 >> i % 8;
            EXPECT_NE(judge(*receiver, x), frame_status::ok) << i;
        }
        const feedback_result r = receive(*receiver, good);
        EXPECT_EQ(r.status, frame_status::ok);
        EXPECT_EQ(r.frame_bits, size_t(c.overhead_bits() + 6 + 64));
        EXPECT_EQ(judge(*receiver, good), frame_status::replayed);
        // One round of 10 bits later.
        receiver->set_now(now + 1024);
        EXPECT_EQ(judge(*receiver, good), frame_status::bad_signature);
    }
}

} // namespace
