/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "random.h"
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <cstring>
#include <iostream>
#include <limits>
#include <set>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using bytes = std::vector<uint8_t>;

// TS 38.212 clause 5.1, bit by bit: the exponents of the polynomial as printed there.
uint32_t bitwise_crc24a(const uint8_t* data, size_t n)
{
    uint32_t polynomial = 0;
    for (const int exponent : { 24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0 })
        polynomial |= 1u << exponent;
    uint32_t remainder = 0;
    for (size_t bit = 0; bit < 8 * n + 24; bit++) {
        const uint32_t next = bit < 8 * n ? data[bit / 8] >> (7 - bit % 8) & 1 : 0;
        remainder = remainder << 1 | next;
        if (remainder >> 24)
            remainder ^= polynomial;
    }
    return remainder;
}

bytes random_bytes(size_t n, random_engine& engine)
{
    bytes x(n);
    for (uint8_t& byte : x)
        byte = engine();
    return x;
}

feedback_header random_header(random_engine& engine)
{
    feedback_header h;
    h.version = 1 + engine() % 2;
    h.quantizer_type = engine() & 15;
    h.ue_id = engine();
    h.frame_number = engine();
    h.codec_id = engine();
    h.model_id = engine();
    h.code_size = engine();
    h.bits = engine();
    h.gain = engine();
    h.residual_energy = h.version == 2 ? engine() : 0;
    return h;
}

bytes pack(const feedback_header& header, const bytes& payload)
{
    bytes frame(payload.size() + feedback_overhead(header.version));
    pack_frame(header, payload.data(), payload.size(), frame.data());
    return frame;
}

frame_status status_of(const bytes& frame)
{
    feedback_header header;
    const uint8_t* payload;
    size_t payload_bytes;
    return unpack_frame(frame.data(), frame.size(), header, payload, payload_bytes);
}

TEST(crc24a, published_check_value)
{
    // CRC-24/LTE-A of the CRC RevEng catalogue over the ASCII digits 1 to 9.
    const std::string digits = "123456789";
    EXPECT_EQ(crc24a(reinterpret_cast<const uint8_t*>(digits.data()), 9), 0xcde703u);
    EXPECT_EQ(bitwise_crc24a(reinterpret_cast<const uint8_t*>(digits.data()), 9),
              0xcde703u);
}

TEST(crc24a, equals_the_bitwise_division)
{
    random_engine engine = make_engine(1, 0);
    for (size_t n = 0; n < 300; n++) {
        const bytes x = random_bytes(n, engine);
        ASSERT_EQ(crc24a(x.data(), n), bitwise_crc24a(x.data(), n)) << n;
    }
}

TEST(frame, golden_bytes)
{
    feedback_header h;
    h.quantizer_type = 2;
    h.ue_id = 0x1234;
    h.frame_number = 0xabcd;
    h.codec_id = 0x01;
    h.model_id = 0x0506;
    h.code_size = 128;
    h.bits = 4;
    h.gain = 0x7ed3;
    const bytes frame = pack(h, { 0xde, 0xad, 0xbe });
    bytes expected{ 0x12, 0x12, 0x34, 0xab, 0xcd, 0x01, 0x05, 0x06, 0x00,
                    0x80, 0x00, 0x04, 0x7e, 0xd3, 0xde, 0xad, 0xbe };
    const uint32_t crc = bitwise_crc24a(expected.data(), expected.size());
    for (const int shift : { 16, 8, 0 })
        expected.push_back(crc >> shift);
    EXPECT_EQ(frame, expected);
    EXPECT_EQ(feedback_overhead_bytes, 17u);
}

TEST(frame, golden_bytes_of_version_2)
{
    feedback_header h;
    h.version = 2;
    h.codec_id = 6;
    h.code_size = 192;
    h.residual_energy = 0x9c;
    const bytes frame = pack(h, { 0x77 });
    bytes expected{ 0x20, 0, 0, 0, 0, 6, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0x9c, 0x77 };
    const uint32_t crc = bitwise_crc24a(expected.data(), expected.size());
    for (const int shift : { 16, 8, 0 })
        expected.push_back(crc >> shift);
    EXPECT_EQ(frame, expected);
}

TEST(frame, residual_energy_codes)
{
    for (int code = 0; code < 256; code++)
        EXPECT_EQ(residual_energy_to_code(residual_energy_from_code(code)), code);
    EXPECT_EQ(residual_energy_from_code(0), -60);
    EXPECT_EQ(residual_energy_from_code(255), 3.75f);
    for (float db = -60; db <= 3.75f; db += 0.01f)
        EXPECT_NEAR(residual_energy_from_code(residual_energy_to_code(db)), db, 0.1251);
    const float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(residual_energy_to_code(-infinity), 0);
    EXPECT_EQ(residual_energy_to_code(infinity), 255);
    EXPECT_EQ(residual_energy_to_code(std::numeric_limits<float>::quiet_NaN()), 0);
}

TEST(frame, round_trip)
{
    random_engine engine = make_engine(2, 0);
    for (int trial = 0; trial < 2000; trial++) {
        const feedback_header h = random_header(engine);
        const bytes payload = random_bytes(engine() % 200, engine);
        const bytes frame = pack(h, payload);
        feedback_header found;
        const uint8_t* data = nullptr;
        size_t n = 0;
        ASSERT_EQ(unpack_frame(frame.data(), frame.size(), found, data, n),
                  frame_status::ok);
        ASSERT_EQ(bytes(data, data + n), payload);
        ASSERT_EQ(found.version, h.version);
        ASSERT_EQ(found.quantizer_type, h.quantizer_type);
        ASSERT_EQ(found.ue_id, h.ue_id);
        ASSERT_EQ(found.frame_number, h.frame_number);
        ASSERT_EQ(found.codec_id, h.codec_id);
        ASSERT_EQ(found.model_id, h.model_id);
        ASSERT_EQ(found.code_size, h.code_size);
        ASSERT_EQ(found.bits, h.bits);
        ASSERT_EQ(found.gain, h.gain);
        ASSERT_EQ(found.residual_energy, h.residual_energy);
        // Packing what was found gives the same bytes.
        ASSERT_EQ(pack(found, payload), frame);
    }
}

TEST(frame, statuses)
{
    const bytes frame = pack({}, {});
    EXPECT_EQ(frame.size(), feedback_overhead_bytes);
    EXPECT_EQ(status_of(frame), frame_status::ok);
    for (size_t n = 0; n < feedback_overhead_bytes; n++)
        EXPECT_EQ(status_of(bytes(frame.begin(), frame.begin() + n)),
                  frame_status::too_short);
    EXPECT_EQ(status_of(bytes(40, 0xff)), frame_status::bad_crc);
    for (int version = 0; version < 16; version++) {
        feedback_header h;
        h.version = version;
        EXPECT_EQ(status_of(pack(h, {})),
                  version == 1 || version == 2 ? frame_status::ok
                                               : frame_status::bad_version);
    }
    // Whole by the length of version 1, with a checksum that matches.
    bytes cut(frame.begin(), frame.end() - feedback_crc_bytes);
    cut[0] = 2 << 4;
    const uint32_t crc = bitwise_crc24a(cut.data(), cut.size());
    for (const int shift : { 16, 8, 0 })
        cut.push_back(crc >> shift);
    EXPECT_EQ(status_of(cut), frame_status::too_short);
    // The checksum of zeros is zero: it is the version that refuses a dead link.
    EXPECT_EQ(status_of(bytes(40, 0)), frame_status::bad_version);
}

TEST(frame, status_names_are_distinct)
{
    std::set<std::string> names;
    for (int i = 0; i < frame_status_count; i++)
        names.insert(frame_status_name(frame_status(i)));
    EXPECT_EQ(names.size(), size_t(frame_status_count));
    EXPECT_EQ(names.count("unknown"), 0u);
    EXPECT_STREQ(frame_status_name(frame_status(frame_status_count)), "unknown");
    EXPECT_STREQ(frame_status_name(frame_status::bad_crc), "bad_crc");
}

TEST(frame, detects_all_errors_of_one_or_two_bits)
{
    random_engine engine = make_engine(3, 0);
    const bytes frame = pack(random_header(engine), random_bytes(64, engine));
    const size_t bits = 8 * frame.size();
    for (size_t i = 0; i < bits; i++)
        for (size_t j = i; j < bits; j++) {
            bytes damaged = frame;
            damaged[i / 8] ^= 0x80 >> i % 8;
            if (j > i)
                damaged[j / 8] ^= 0x80 >> j % 8;
            ASSERT_EQ(status_of(damaged), frame_status::bad_crc) << i << " " << j;
        }
}

TEST(frame, detects_all_bursts_to_24_bits)
{
    random_engine engine = make_engine(4, 0);
    const bytes frame = pack(random_header(engine), random_bytes(32, engine));
    const size_t bits = 8 * frame.size();
    const auto check = [&](size_t start, uint32_t pattern, int length) {
        bytes damaged = frame;
        for (int i = 0; i < length; i++)
            if (pattern >> (length - 1 - i) & 1)
                damaged[(start + i) / 8] ^= 0x80 >> (start + i) % 8;
        ASSERT_EQ(status_of(damaged), frame_status::bad_crc) << start << " " << pattern;
    };
    for (int length = 1; length <= 24; length++)
        for (size_t start = 0; start + length <= bits; start++) {
            // Begins and ends with an error; all patterns of short bursts, some of long.
            const uint32_t ends = length == 1 ? 1 : (1u << (length - 1) | 1);
            if (length <= 10) {
                for (uint32_t inner = 0; inner < 1u << std::max(0, length - 2); inner++)
                    check(start, ends | inner << 1, length);
            } else {
                for (int trial = 0; trial < 20; trial++)
                    check(start,
                          ends | (uint32_t(engine()) & ((1u << length) - 1)),
                          length);
            }
        }
}

TEST(frame, detects_lost_and_added_bytes)
{
    random_engine engine = make_engine(5, 0);
    int accepted = 0;
    for (int trial = 0; trial < 20000; trial++) {
        const bytes frame = pack(random_header(engine), random_bytes(40, engine));
        const size_t cut = 1 + engine() % 20;
        // Zeros at the end are the exception, see below.
        if (frame.back() != 0)
            accepted += status_of(bytes(frame.begin(), frame.end() - cut)) !=
                        frame_status::bad_crc;
        bytes longer = frame;
        longer.push_back(1 + engine() % 255);
        accepted += status_of(longer) != frame_status::bad_crc;
    }
    // 40000 * 2^-24 = 0.002 expected.
    EXPECT_LE(accepted, 1);
}

TEST(frame, zeros_at_the_end_show_in_the_length_only)
{
    bytes frame = pack({}, { 1, 2, 3 });
    frame.resize(frame.size() + 4, 0);
    feedback_header header;
    const uint8_t* payload;
    size_t payload_bytes;
    EXPECT_EQ(unpack_frame(frame.data(), frame.size(), header, payload, payload_bytes),
              frame_status::ok);
    EXPECT_EQ(payload_bytes, 7u);
}

TEST(frame, random_bytes_are_accepted_at_the_rate_of_the_checksum)
{
    random_engine engine = make_engine(6, 0);
    const int trials = 5000000;
    int accepted = 0;
    bytes frame(24);
    for (int trial = 0; trial < trials; trial++) {
        for (size_t i = 0; i < 24; i += 8) {
            const uint64_t value = engine();
            std::memcpy(frame.data() + i, &value, 8);
        }
        const frame_status status = status_of(frame);
        accepted += status != frame_status::bad_crc;
    }
    // 2^-24 each: a mean of 0.298 over all; 6 or more have a probability below 1e-6.
    std::cout << accepted << " of " << trials << " random frames pass the checksum\n";
    EXPECT_LT(accepted, 6);
}

} // namespace
