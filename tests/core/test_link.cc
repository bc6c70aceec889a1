/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Statistics with intervals of 5 standard errors: a correct link fails one of them with a
// probability below 1e-6, and the seeds are fixed.

#include <gnuradio/csifeedback/link_model.h>
#include <gtest/gtest.h>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

link_model::sptr
make(double bit_error_rate, double erasure_rate, double burst = 0, uint64_t seed = 1)
{
    link_parameters p;
    p.bit_error_rate = bit_error_rate;
    p.erasure_rate = erasure_rate;
    p.mean_burst_length = burst;
    p.seed = seed;
    return link_model::make(p);
}

std::vector<bool> losses(link_model& link, int frames)
{
    std::vector<bool> lost;
    size_t errors;
    for (int i = 0; i < frames; i++)
        lost.push_back(!link.transmit(nullptr, 0, errors));
    return lost;
}

double mean(const std::vector<bool>& x)
{
    double sum = 0;
    for (const bool b : x)
        sum += b;
    return sum / x.size();
}

TEST(link, perfect_link_changes_nothing)
{
    const auto link = make(0, 0);
    std::vector<uint8_t> bytes(100, 0x5a);
    size_t errors = 9;
    for (int i = 0; i < 100; i++) {
        EXPECT_TRUE(link->transmit(bytes.data(), bytes.size(), errors));
        EXPECT_EQ(errors, 0u);
    }
    EXPECT_EQ(bytes, std::vector<uint8_t>(100, 0x5a));
}

TEST(link, bit_error_rate)
{
    for (const double rate : { 1e-4, 0.01, 0.2, 0.5 }) {
        const auto link = make(rate, 0);
        size_t total = 0, bits = 0, adjacent = 0;
        std::vector<size_t> at_position(800, 0);
        const int frames = rate < 1e-3 ? 20000 : 2000;
        for (int frame = 0; frame < frames; frame++) {
            std::vector<uint8_t> bytes(100, 0xc3);
            size_t errors;
            link->transmit(bytes.data(), bytes.size(), errors);
            size_t found = 0;
            bool before = false;
            for (size_t i = 0; i < 800; i++) {
                const bool flipped = (bytes[i / 8] ^ 0xc3) >> (7 - i % 8) & 1;
                found += flipped;
                at_position[i] += flipped;
                adjacent += flipped && before;
                before = flipped;
            }
            ASSERT_EQ(found, errors);
            total += found;
            bits += 800;
        }
        const double deviation = std::sqrt(rate * (1 - rate) / bits);
        EXPECT_NEAR(double(total) / bits, rate, 5 * deviation);
        // Errors are independent: pairs of neighbours come with probability rate^2.
        const double pairs = frames * 799.0 * rate * rate;
        EXPECT_NEAR(adjacent, pairs, 5 * std::sqrt(3 * pairs) + 5);
        // And equally likely everywhere, the first and last bit included.
        for (const size_t i : { 0, 1, 7, 8, 400, 799 })
            EXPECT_NEAR(at_position[i], frames * rate, 5 * std::sqrt(frames * rate) + 5);
    }
}

TEST(link, frames_of_any_length_see_the_same_rate)
{
    const auto link = make(0.05, 0);
    size_t total = 0, bits = 0;
    for (int frame = 0; frame < 100000; frame++) {
        uint8_t bytes[3] = {};
        size_t errors;
        link->transmit(bytes, frame % 4, errors);
        total += errors;
        bits += 8 * (frame % 4);
    }
    EXPECT_NEAR(double(total) / bits, 0.05, 5 * std::sqrt(0.05 / bits));
}

TEST(link, tiny_bit_error_rates)
{
    // 8e9 bits would have 8e-3 errors at 1e-12; rates near the smallest double are legal.
    for (const double rate : { 1e-12, 1e-17, 1e-300, 5e-324 }) {
        const auto link = make(rate, 0);
        std::vector<uint8_t> bytes(100000, 0);
        size_t errors;
        for (int i = 0; i < 100; i++) {
            link->transmit(bytes.data(), bytes.size(), errors);
            EXPECT_EQ(errors, 0u);
        }
    }
}

TEST(link, independent_losses)
{
    for (const double rate : { 0.01, 0.3, 0.9 }) {
        const auto lost = losses(*make(0, rate), 200000);
        EXPECT_NEAR(mean(lost), rate, 5 * std::sqrt(rate * (1 - rate) / lost.size()));
        size_t pairs = 0;
        for (size_t i = 1; i < lost.size(); i++)
            pairs += lost[i] && lost[i - 1];
        const double expected = rate * rate * (lost.size() - 1);
        EXPECT_NEAR(pairs, expected, 5 * std::sqrt(3 * expected));
    }
    EXPECT_EQ(mean(losses(*make(0, 1), 1000)), 1);
    EXPECT_EQ(mean(losses(*make(0, 0), 1000)), 0);
}

TEST(link, bursts)
{
    for (const auto& [rate, burst] : { std::pair{ 0.1, 1.0 },
                                       { 0.1, 5.0 },
                                       { 0.5, 2.0 },
                                       { 0.5, 1.0 },
                                       { 0.01, 20.0 } }) {
        const auto lost = losses(*make(0, rate, burst), 2000000);
        size_t bursts = 0, frames = 0;
        for (size_t i = 1; i < lost.size(); i++) {
            bursts += lost[i] && !lost[i - 1];
            frames += lost[i];
        }
        // Burst lengths are geometric: variance burst * (burst - 1).
        EXPECT_NEAR(double(frames) / bursts,
                    burst,
                    5 * std::sqrt(burst * (burst - 1) / bursts) + 1e-2)
            << rate << " " << burst;
        // The rate's variance is that of independent frames times the sum of the chain's
        // correlations, (1 + c) / (1 - c).
        const double c = 1 - 1 / burst - rate / ((1 - rate) * burst);
        EXPECT_NEAR(mean(lost),
                    rate,
                    5 * std::sqrt(rate * (1 - rate) / lost.size() * (1 + c) / (1 - c)) +
                        1e-5)
            << rate << " " << burst;
    }
}

TEST(link, begins_in_the_stationary_state)
{
    // The first frame of many links is lost as often as any other.
    int lost = 0;
    for (uint64_t seed = 0; seed < 20000; seed++)
        lost += losses(*make(0, 0.3, 10, seed), 1)[0];
    EXPECT_NEAR(lost / 20000.0, 0.3, 5 * std::sqrt(0.3 * 0.7 / 20000));
}

TEST(link, same_seed_same_result)
{
    const auto run = [](uint64_t seed) {
        const auto link = make(0.01, 0.2, 3, seed);
        std::vector<uint8_t> all;
        for (int i = 0; i < 200; i++) {
            std::vector<uint8_t> bytes(50, 0);
            size_t errors;
            all.push_back(link->transmit(bytes.data(), bytes.size(), errors));
            all.insert(all.end(), bytes.begin(), bytes.end());
        }
        return all;
    };
    EXPECT_EQ(run(5), run(5));
    EXPECT_NE(run(5), run(6));
    EXPECT_NE(run(0), run(1));
}

TEST(link, bit_errors_do_not_change_losses)
{
    const auto clean = make(0, 0.3, 4, 9), noisy = make(0.1, 0.3, 4, 9);
    EXPECT_EQ(losses(*clean, 1000), losses(*noisy, 1000));
}

TEST(link, rates_change_at_run_time)
{
    const auto link = make(0, 0);
    const auto error_rate = [&] {
        size_t total = 0, errors;
        for (int i = 0; i < 1000; i++) {
            uint8_t bytes[100] = {};
            link->transmit(bytes, 100, errors);
            total += errors;
        }
        return total / 800000.0;
    };
    EXPECT_EQ(error_rate(), 0);
    link->set_rates(0.1, 0);
    EXPECT_NEAR(error_rate(), 0.1, 5 * std::sqrt(0.09 / 800000));
    link->set_rates(1e-9, 0); // the distance to the next error is drawn anew
    EXPECT_LT(error_rate(), 1e-4);
    link->set_rates(0.3, 0);
    EXPECT_NEAR(error_rate(), 0.3, 5 * std::sqrt(0.21 / 800000));
    link->set_rates(0, 0);
    EXPECT_EQ(error_rate(), 0);
    link->set_rates(0, 0.5);
    EXPECT_NEAR(mean(losses(*link, 10000)), 0.5, 0.025);
}

TEST(link, rates_of_zero_and_one_act_at_once)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        const auto link = make(0, 0.5, 100, seed);
        losses(*link, 10);
        link->set_rates(0, 0);
        EXPECT_EQ(mean(losses(*link, 100)), 0);
        link->set_rates(0, 1);
        EXPECT_EQ(mean(losses(*link, 100)), 1);
        link->set_rates(0, 0);
        EXPECT_EQ(mean(losses(*link, 100)), 0);
    }
}

void expect_bad(const std::function<void()>& call, const std::vector<std::string>& words)
{
    try {
        call();
        ADD_FAILURE() << "no exception for " << words[0];
    } catch (const std::invalid_argument& e) {
        for (const std::string& word : words)
            EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
}

TEST(link, bad_parameters_are_named)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    expect_bad([] { make(-0.1, 0); }, { "bit_error_rate is -0.1", "0 to 0.5" });
    expect_bad([] { make(0.51, 0); }, { "bit_error_rate is 0.51" });
    expect_bad([&] { make(nan, 0); }, { "bit_error_rate is nan" });
    expect_bad([] { make(0, -1); }, { "erasure_rate is -1", "0 to 1" });
    expect_bad([] { make(0, 1.1); }, { "erasure_rate is 1.1" });
    expect_bad([&] { make(0, nan); }, { "erasure_rate is nan" });
    expect_bad([] { make(0, 0.1, 0.5); }, { "mean_burst_length is 0.5" });
    expect_bad([] { make(0, 0.1, -1); }, { "mean_burst_length is -1" });
    expect_bad([&] { make(0, 0.1, nan); }, { "mean_burst_length is nan" });
    expect_bad([] { make(0, 0.9, 2); }, { "mean_burst_length is 2", "9.0" });

    // A refused change leaves the link as it was.
    const auto link = make(0, 0);
    expect_bad([&] { link->set_rates(0.6, 1); }, { "bit_error_rate is 0.6" });
    expect_bad([&] { link->set_rates(0.1, 2); }, { "erasure_rate is 2" });
    EXPECT_EQ(mean(losses(*link, 100)), 0);
    std::vector<uint8_t> bytes(1000, 0);
    size_t errors;
    link->transmit(bytes.data(), bytes.size(), errors);
    EXPECT_EQ(errors, 0u);
}

} // namespace
