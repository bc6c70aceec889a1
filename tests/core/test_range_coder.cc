/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "random.h"
#include "report/range_coder.h"
#include <gtest/gtest.h>
#include <boost/random/uniform_int_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

struct symbol {
    uint32_t begin, count, total;
};

struct golden_case {
    std::string name;
    std::vector<symbol> symbols;
    int bits;
    std::vector<uint8_t> bytes;
};

// Codes of tests/oracles/range_coder_oracle.py.
std::vector<golden_case> golden()
{
    std::ifstream file(CSIFEEDBACK_TEST_DATA "/range_coder.txt");
    std::vector<golden_case> cases;
    golden_case one;
    size_t symbols;
    std::string hex;
    while (file >> one.name >> symbols >> one.bits >> hex) {
        one.symbols.resize(symbols);
        for (symbol& s : one.symbols)
            file >> s.begin >> s.count >> s.total;
        one.bytes.clear();
        for (size_t i = 0; hex != "-" && i < hex.size(); i += 2)
            one.bytes.push_back(std::stoi(hex.substr(i, 2), nullptr, 16));
        cases.push_back(one);
    }
    return cases;
}

uint32_t draw(random_engine& engine, uint32_t lo, uint32_t hi)
{
    return boost::random::uniform_int_distribution<uint32_t>(lo, hi)(engine);
}

// Some frequencies, from equal to very unequal ones.
frequency_table random_table(random_engine& engine)
{
    std::vector<float> count(draw(engine, 1, 60));
    const uint32_t most = 1u << draw(engine, 0, 10);
    for (float& c : count)
        c = draw(engine, 1, most);
    return frequency_table("table", count.data(), count.size());
}

size_t random_symbol(const frequency_table& table, random_engine& engine)
{
    uint32_t value = draw(engine, 0, table.total() - 1);
    size_t s = 0;
    for (; value >= table.count(s); s++)
        value -= table.count(s);
    return s;
}

TEST(range_coder, has_the_bits_of_a_big_integer_coder)
{
    const auto cases = golden();
    ASSERT_GT(cases.size(), 20u);
    for (const golden_case& c : cases) {
        std::vector<uint8_t> bytes(c.bytes.size() + 1, 0xaa);
        range_encoder encoder(bytes.data(), c.bytes.size());
        for (const symbol& s : c.symbols)
            encoder.encode(s.begin, s.count, s.total);
        EXPECT_EQ(encoder.bits(), c.bits) << c.name;
        EXPECT_EQ(encoder.finish(), c.bits) << c.name;
        EXPECT_EQ(bytes.back(), 0xaa) << c.name << ": wrote behind the end";
        bytes.pop_back();
        EXPECT_EQ(bytes, c.bytes) << c.name;

        range_decoder decoder(c.bytes.data(), c.bits);
        for (const symbol& s : c.symbols) {
            const uint32_t value = decoder.peek(s.total);
            ASSERT_GE(value, s.begin) << c.name;
            ASSERT_LT(value, s.begin + s.count) << c.name;
            const int after = decoder.bits_after(s.begin, s.count, s.total);
            decoder.take(s.begin, s.count, s.total);
            EXPECT_EQ(decoder.bits(), after);
            EXPECT_FALSE(decoder.is_beyond());
        }
        EXPECT_EQ(decoder.bits(), c.bits) << c.name;
    }
}

TEST(range_coder, decodes_what_was_encoded_whatever_follows_the_last_bit)
{
    random_engine engine = make_engine(1, 0);
    for (int trial = 0; trial < 300; trial++) {
        std::vector<frequency_table> tables;
        std::vector<size_t> symbols;
        std::vector<uint32_t> values, sizes;
        const int n = draw(engine, 0, 80);
        std::vector<uint8_t> bytes(1024);
        range_encoder encoder(bytes.data(), bytes.size());
        for (int i = 0; i < n; i++) {
            tables.push_back(random_table(engine));
            symbols.push_back(random_symbol(tables.back(), engine));
            sizes.push_back(draw(engine, 1, range_coder::max_values) >>
                            draw(engine, 0, 30));
            sizes.back() = std::max(sizes.back(), 1u);
            values.push_back(draw(engine, 0, sizes.back() - 1));
            tables.back().encode(encoder, symbols.back());
            encoder.encode_uniform(values.back(), sizes.back());
        }
        const int bits = encoder.finish();
        // Of the bits that are not sent the decoder sees none.
        for (size_t i = bits / 8; i < bytes.size(); i++)
            bytes[i] |= 0xff >> (i == size_t(bits / 8) ? bits % 8 : 0);
        range_decoder decoder(bytes.data(), bits);
        for (int i = 0; i < n; i++) {
            ASSERT_EQ(tables[i].decode(decoder), symbols[i]);
            ASSERT_EQ(decoder.decode_uniform(sizes[i]), values[i]) << sizes[i];
        }
        EXPECT_FALSE(decoder.is_beyond());
    }
}

TEST(range_coder, bits_are_exact_and_never_fewer_with_more_symbols)
{
    random_engine engine = make_engine(2, 0);
    for (int trial = 0; trial < 50; trial++) {
        range_encoder encoder;
        std::vector<symbol> symbols;
        int before = 0;
        for (int i = 0; i < 60; i++) {
            const uint32_t total = draw(engine, 1, 300),
                           begin = draw(engine, 0, total - 1),
                           count = draw(engine, 1, total - begin);
            symbols.push_back({ begin, count, total });
            const int after = encoder.bits_after(begin, count, total);
            encoder.encode(begin, count, total);
            const int bits = encoder.bits();
            EXPECT_EQ(after, bits);
            EXPECT_GE(bits, before);
            before = bits;
            // One bit less does not decode, whatever its bits are: the nearest codes are
            // those below and above the end.
            std::vector<uint8_t> bytes(64);
            range_encoder whole(bytes.data(), bytes.size());
            for (const symbol& s : symbols)
                whole.encode(s.begin, s.count, s.total);
            ASSERT_EQ(whole.finish(), bits);
            // Zeros at the end are dropped within the last byte alone.
            if (bits % 8 == 0)
                continue;
            bytes[(bits - 1) / 8] &= ~(0x80 >> (bits - 1) % 8);
            for (int up = 0; up < 2; up++) {
                range_decoder decoder(bytes.data(), bits - 1);
                bool is_same = true;
                for (const symbol& s : symbols) {
                    const uint32_t value = decoder.peek(s.total);
                    is_same = is_same && value >= s.begin && value < s.begin + s.count;
                    if (!is_same)
                        break;
                    decoder.take(s.begin, s.count, s.total);
                }
                EXPECT_FALSE(is_same);
                for (int b = bits - 2; b >= 0; b--) {
                    bytes[b / 8] ^= 0x80 >> b % 8;
                    if (bytes[b / 8] & 0x80 >> b % 8)
                        break;
                }
            }
        }
    }
}

TEST(range_coder, costs_the_ideal_code_length)
{
    random_engine engine = make_engine(3, 0);
    for (const uint32_t most : { 1u, 30u, 1000u })
        for (const size_t size : { 2u, 10u, 64u }) {
            std::vector<float> count(size);
            for (float& c : count)
                c = draw(engine, 1, most);
            count[0] = 64 * most / 8 + 1;
            const frequency_table table("table", count.data(), size);
            double ideal = 0;
            range_encoder encoder;
            for (int i = 0; i < 20000; i++) {
                const size_t s = random_symbol(table, engine);
                ideal -= std::log2(double(table.count(s)) / table.total());
                table.encode(encoder, s);
            }
            for (int i = 0; i < 20000; i++) {
                const uint32_t values = draw(engine, 1, 1u << 20);
                ideal += std::log2(double(values));
                encoder.encode_uniform(draw(engine, 0, values - 1), values);
            }
            EXPECT_LE(encoder.bits(), 1.001 * ideal + 4);
            EXPECT_GE(encoder.bits(), ideal - 1);
        }
    // The end of a short code.
    double excess = 0;
    for (int i = 0; i < 1000; i++) {
        range_encoder encoder;
        for (int k = 0; k < 5; k++)
            encoder.encode_uniform(draw(engine, 0, 99), 100);
        const double more = encoder.bits() - 5 * std::log2(100.0);
        EXPECT_LE(more, 2);
        excess += more / 1000;
    }
    EXPECT_LE(excess, 1.2);
}

TEST(range_coder, a_copy_is_a_checkpoint)
{
    random_engine engine = make_engine(4, 0);
    std::vector<uint8_t> tried(64), plain(64);
    range_encoder encoder(tried.data(), tried.size()), other(plain.data(), plain.size());
    for (int i = 0; i < 60; i++) {
        const range_encoder checkpoint = encoder;
        // Goes on with something else, and far, also through carries.
        for (int k = 0; k < 20; k++)
            encoder.encode(255, 1, 256);
        encoder.encode(254, 2, 256);
        encoder.finish();
        encoder = checkpoint;
        const uint32_t value = draw(engine, 0, 50);
        encoder.encode_uniform(value, 51);
        other.encode_uniform(value, 51);
        EXPECT_EQ(encoder.bits(), other.bits());
    }
    const int bits = encoder.finish();
    EXPECT_EQ(other.finish(), bits);
    EXPECT_TRUE(std::equal(plain.begin(), plain.begin() + (bits + 7) / 8, tried.begin()));
}

TEST(range_coder, any_bits_decode)
{
    random_engine engine = make_engine(5, 0);
    for (int trial = 0; trial < 2000; trial++) {
        // Of exactly this size, so that a sanitizer sees any access beyond.
        const int count = draw(engine, 0, 70);
        std::vector<uint8_t> bytes((count + 7) / 8);
        const int kind = draw(engine, 0, 3);
        for (uint8_t& byte : bytes)
            byte = kind == 0 ? 0 : kind == 1 ? 0xff : draw(engine, 0, 255);
        range_decoder decoder(bytes.data(), count);
        for (int i = 0; i < 100; i++) {
            const frequency_table table = random_table(engine);
            ASSERT_LT(table.decode(decoder), table.size());
            const uint32_t values = draw(engine, 1, range_coder::max_values);
            ASSERT_LT(decoder.decode_uniform(values), values);
        }
        EXPECT_TRUE(decoder.is_beyond());
    }
}

TEST(range_coder, tables_are_checked)
{
    for (const std::vector<float>& bad : std::vector<std::vector<float>>{
             { 0, 1 }, { 1.5f, 1 }, { -1, 2 }, { 65536, 1 }, { 1e30f, 1 } })
        EXPECT_THROW(frequency_table("encoder/counts", bad.data(), bad.size()),
                     std::invalid_argument);
    const float good[] = { 65535, 1 };
    EXPECT_EQ(frequency_table("encoder/counts", good, 2).total(), range_coder::max_total);
}

} // namespace
