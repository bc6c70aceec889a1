/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normal_vector(size_t size, uint64_t seed)
{
    std::vector<float> x(size);
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : x)
        value = normal(engine);
    return x;
}

void expect_bad(const std::function<void()>& make, const std::vector<std::string>& words)
{
    try {
        make();
        ADD_FAILURE() << "no exception for " << words[0];
    } catch (const std::invalid_argument& e) {
        for (const std::string& word : words)
            EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
}

// Increasing levels with uneven distances.
std::vector<float> random_levels(int bits, uint64_t seed)
{
    std::vector<float> levels = normal_vector(size_t(1) << bits, seed);
    std::sort(levels.begin(), levels.end());
    for (size_t i = 1; i < levels.size(); i++)
        if (!(levels[i] > levels[i - 1]))
            levels[i] = std::nextafter(levels[i - 1], infinity);
    return levels;
}

// The reconstruction must be as close as the closest level; of ties, either will do.
void expect_nearest(const quantizer& q,
                    const std::vector<float>& s,
                    const std::vector<float>& std_dev,
                    const std::function<const std::vector<float>&(int)>& levels)
{
    std::vector<int16_t> level(s.size());
    std::vector<float> s_hat(s.size());
    q.quantize(s.data(), s.size(), level.data());
    q.dequantize(level.data(), s.size(), s_hat.data());
    for (size_t i = 0; i < s.size(); i++) {
        ASSERT_GE(level[i], 0);
        ASSERT_LT(level[i], 1 << q.entry_bits(i));
        double best = std::numeric_limits<double>::infinity();
        for (const float x : levels(i))
            best = std::min(best, std::abs(double(std_dev[i]) * x - s[i]));
        ASSERT_LE(std::abs(double(s_hat[i]) - s[i]),
                  best + 1e-6 * (std::abs(s[i]) + std_dev[i]))
            << "entry " << i << " level " << level[i];
        if (q.entry_bits(i)) {
            ASSERT_FLOAT_EQ(s_hat[i], std_dev[i] * levels(i)[level[i]]);
        }
    }
}

class quantizers : public testing::Test
{
protected:
    static constexpr int m = 40;
    const scratch_directory directory;
    std::vector<float> std_dev;
    std::vector<std::vector<float>> global; // by bits
    std::vector<std::vector<float>> entries;
    std::vector<float> mse, range;
    model_file::sptr model;

    quantizers()
    {
        for (int i = 0; i < m; i++)
            std_dev.push_back(2 * std::exp(-0.15f * i));
        std_dev[m - 1] = 0;
        const std::string path = directory.file("model.h5");
        {
            model_writer file(path);
            file.header("klt", 64, 32, 2);
            file.array("quantizer/std", { m }, std_dev);
            for (int bits = 0; bits <= 10; bits++) {
                global.push_back(random_levels(bits, 100 + bits));
                mse.push_back(std::pow(0.3f, bits));
                range.push_back(0.5f + 0.3f * bits);
                entries.emplace_back();
                for (int i = 0; i < m; i++) {
                    const auto levels = random_levels(bits, 1000 + 50 * bits + i);
                    entries[bits].insert(
                        entries[bits].end(), levels.begin(), levels.end());
                }
                if (bits == 0)
                    continue;
                const hsize_t count = 1 << bits;
                file.array(("quantizer/global_" + std::to_string(bits)).c_str(),
                           { count },
                           global[bits]);
                file.array(("quantizer/entry_" + std::to_string(bits)).c_str(),
                           { m, count },
                           entries[bits]);
            }
            file.array("quantizer/global_mse", { 11 }, mse);
            file.array("quantizer/uniform_range", { 11 }, range);
        }
        model = model_file::open(path);
    }

    std::vector<float> codeword(uint64_t seed, float spread = 2) const
    {
        std::vector<float> s = normal_vector(m, seed);
        for (int i = 0; i < m; i++)
            s[i] *= spread * std_dev[i];
        return s;
    }
};

TEST_F(quantizers, uniform_is_the_nearest_level)
{
    for (int bits = 1; bits <= 10; bits++)
        for (const float given : { 0.0f, 2.5f }) {
            const auto q = scalar_quantizer::make_uniform(model, 0, bits, given);
            EXPECT_EQ(q->name(), "uniform");
            EXPECT_EQ(q->type_id(), 0);
            EXPECT_EQ(q->bits(), bits);
            EXPECT_EQ(q->code_size(), m);
            EXPECT_EQ(q->total_bits(m), size_t(m) * bits);
            // Mid-rise: 2^bits cells of equal width over +-range, a level in the middle.
            const double half = given ? given : range[bits],
                         width = 2 * half / (1 << bits);
            std::vector<float> levels;
            for (int i = 0; i < 1 << bits; i++)
                levels.push_back(-half + (i + 0.5) * width);
            for (uint64_t seed = 0; seed < 20; seed++)
                expect_nearest(*q,
                               codeword(seed),
                               std_dev,
                               [&](int) -> const std::vector<float>& { return levels; });
        }
}

TEST_F(quantizers, lloyd_max_is_the_nearest_level)
{
    for (int bits = 1; bits <= 10; bits++) {
        const auto q = scalar_quantizer::make_lloyd_max(model, 0, bits);
        EXPECT_EQ(q->name(), "lloyd-max");
        EXPECT_EQ(q->type_id(), 1);
        const auto per_entry = scalar_quantizer::make_lloyd_max(model, 0, bits, true);
        EXPECT_EQ(per_entry->name(), "lloyd-max-per-entry");
        EXPECT_EQ(per_entry->type_id(), 2);
        std::vector<std::vector<float>> tables;
        for (int i = 0; i < m; i++)
            tables.emplace_back(entries[bits].begin() + (i << bits),
                                entries[bits].begin() + ((i + 1) << bits));
        for (uint64_t seed = 0; seed < 20; seed++) {
            expect_nearest(
                *q, codeword(seed), std_dev, [&](int) -> const std::vector<float>& {
                    return global[bits];
                });
            expect_nearest(*per_entry,
                           codeword(seed),
                           std_dev,
                           [&](int i) -> const std::vector<float>& { return tables[i]; });
        }
    }
}

TEST_F(quantizers, allocated_is_the_nearest_level)
{
    const std::vector<float> zero{ 0 };
    for (const int total : { 1, 2, 17, 100, 399, 400 }) {
        const auto q = scalar_quantizer::make_allocated(model, 0, total);
        EXPECT_EQ(q->name(), "allocated");
        EXPECT_EQ(q->type_id(), 3);
        EXPECT_EQ(q->bits(), total);
        EXPECT_EQ(q->total_bits(m), size_t(total));
        expect_nearest(*q, codeword(1), std_dev, [&](int i) -> const std::vector<float>& {
            const int bits = q->entry_bits(i);
            return bits ? global[bits] : zero;
        });
    }
}

// A model whose entries depend on those before them, with the weights in `weights`.
struct predictive_model {
    static constexpr int m = 24;
    std::vector<float> weights, innovation;
    model_file::sptr model;

    predictive_model(const std::string& path,
                     const std::vector<std::vector<float>>& levels,
                     const std::vector<float>& mse,
                     float scale = 0.4f,
                     size_t missing = 0)
        : weights(normal_vector(m * (m - 1) / 2 - missing, 3))
    {
        for (float& w : weights)
            w *= scale;
        for (int i = 0; i < m; i++)
            innovation.push_back(1.5f * std::exp(-0.2f * i));
        {
            model_writer file(path);
            file.header("klt", 64, 32, 2);
            file.array("quantizer/std", { m }, std::vector<float>(m, 3));
            file.array("quantizer/prediction", { weights.size() }, weights);
            file.array("quantizer/innovation_std", { m }, innovation);
            file.array("quantizer/innovation_mse", { 11 }, mse);
            for (int b = 1; b <= 10; b++)
                file.array(("quantizer/innovation_" + std::to_string(b)).c_str(),
                           { hsize_t(1) << b },
                           levels[b]);
        }
        model = model_file::open(path);
    }

    // The prediction of entry i.
    double predict(const std::vector<float>& s_hat, int i) const
    {
        double sum = 0;
        for (int j = 0; j < i; j++)
            sum += double(weights[i * (i - 1) / 2 + j]) * s_hat[j];
        return sum;
    }
};

TEST_F(quantizers, predictive_codes_what_is_new)
{
    const predictive_model p(directory.file("predictive.h5"), global, mse, 0.2f);
    for (const int total : { 1, 30, 72, 150, 240 }) {
        const auto q = scalar_quantizer::make_predictive(p.model, 0, total);
        EXPECT_EQ(q->name(), "predictive");
        EXPECT_EQ(q->type_id(), 4);
        EXPECT_EQ(q->bits(), total);
        EXPECT_EQ(q->total_bits(p.m), size_t(total));
        // The innovations' variance with the errors of the entries that predict.
        std::vector<double> coded(p.m), errors(p.m);
        for (int i = 0; i < p.m; i++) {
            double variance = double(p.innovation[i]) * p.innovation[i];
            for (int j = 0; j < i; j++)
                variance +=
                    std::pow(double(p.weights[i * (i - 1) / 2 + j]), 2) * errors[j];
            variance = std::min(variance, 9.0);
            coded[i] = std::sqrt(variance);
            errors[i] = variance * mse[q->entry_bits(i)];
        }
        for (uint64_t seed = 0; seed < 10; seed++) {
            const std::vector<float> s = normal_vector(p.m, 50 + seed);
            std::vector<int16_t> level(p.m);
            std::vector<float> s_hat(p.m);
            q->quantize(s.data(), p.m, level.data());
            q->dequantize(level.data(), p.m, s_hat.data());
            for (int i = 0; i < p.m; i++) {
                const int bits = q->entry_bits(i);
                const double rest = s[i] - p.predict(s_hat, i),
                             found = s_hat[i] - p.predict(s_hat, i);
                ASSERT_LT(level[i], 1 << bits);
                if (bits == 0) {
                    EXPECT_NEAR(found, 0, 1e-5);
                    continue;
                }
                double best = infinity;
                for (const float x : global[bits])
                    best = std::min(best, std::abs(rest - coded[i] * x));
                EXPECT_LE(std::abs(rest - found), best + 1e-4)
                    << total << " bits, entry " << i;
            }
        }
    }
}

TEST_F(quantizers, predictive_without_weights_is_allocated)
{
    const predictive_model p(directory.file("none.h5"), global, mse, 0.0f);
    const auto q = scalar_quantizer::make_predictive(p.model, 0, 77);
    const std::string path = directory.file("own.h5");
    {
        model_writer file(path);
        file.header("klt", 64, 32, 2);
        file.array("quantizer/std", { hsize_t(p.m) }, p.innovation);
        file.array("quantizer/global_mse", { 11 }, mse);
        for (int b = 1; b <= 10; b++)
            file.array(("quantizer/global_" + std::to_string(b)).c_str(),
                       { hsize_t(1) << b },
                       global[b]);
    }
    const auto other = scalar_quantizer::make_allocated(model_file::open(path), 0, 77);
    for (uint64_t seed = 0; seed < 10; seed++) {
        const std::vector<float> s = normal_vector(p.m, seed);
        std::vector<int16_t> level(p.m), expected(p.m);
        std::vector<float> s_hat(p.m), wanted(p.m);
        q->quantize(s.data(), p.m, level.data());
        other->quantize(s.data(), p.m, expected.data());
        EXPECT_EQ(level, expected);
        q->dequantize(level.data(), p.m, s_hat.data());
        other->dequantize(level.data(), p.m, wanted.data());
        EXPECT_EQ(s_hat, wanted);
    }
}

TEST_F(quantizers, predictive_stays_finite_whatever_the_levels)
{
    // Weights that make any error grow from entry to entry.
    const predictive_model p(directory.file("large.h5"), global, mse, 1e4f);
    const auto q = scalar_quantizer::make_predictive(p.model, 0, 72);
    random_engine engine = make_engine(5, 0);
    for (int trial = 0; trial < 100; trial++) {
        std::vector<int16_t> level(p.m);
        for (int16_t& l : level)
            l = engine();
        std::vector<float> s_hat(p.m);
        q->dequantize(level.data(), p.m, s_hat.data());
        for (const float x : s_hat)
            ASSERT_LE(std::abs(x), 3000);
    }
    for (const float bad : { nan, infinity, -infinity, 3e38f }) {
        const std::vector<float> s(p.m, bad);
        std::vector<int16_t> level(p.m, -1);
        q->quantize(s.data(), p.m, level.data());
        for (int i = 0; i < p.m; i++) {
            ASSERT_GE(level[i], 0);
            ASSERT_LT(level[i], 1 << q->entry_bits(i));
        }
    }
}

TEST_F(quantizers, predictive_takes_beginnings)
{
    const predictive_model p(directory.file("short.h5"), global, mse);
    const auto q = scalar_quantizer::make_predictive(p.model, 7, 21);
    EXPECT_EQ(q->code_size(), 7);
    EXPECT_EQ(q->total_bits(7), 21u);
    const std::vector<float> s = normal_vector(7, 1);
    std::vector<int16_t> level(7), few(4);
    std::vector<float> s_hat(7), beginning(4);
    q->quantize(s.data(), 7, level.data());
    q->quantize(s.data(), 4, few.data());
    EXPECT_EQ(few, std::vector<int16_t>(level.begin(), level.begin() + 4));
    q->dequantize(level.data(), 7, s_hat.data());
    q->dequantize(level.data(), 4, beginning.data());
    EXPECT_EQ(beginning, std::vector<float>(s_hat.begin(), s_hat.begin() + 4));
    EXPECT_EQ(quantizer::from_model(p.model, "predictive", 7, 3)->total_bits(7), 21u);
}

TEST_F(quantizers, predictive_names_what_is_wrong)
{
    expect_bad([&] { scalar_quantizer::make_predictive(nullptr, 0, 3); }, { "null" });
    expect_bad([&] { scalar_quantizer::make_predictive(model, 0, 3); },
               { "quantizer/prediction" });
    const predictive_model p(directory.file("good.h5"), global, mse);
    expect_bad([&] { scalar_quantizer::make_predictive(p.model, 0, 0); },
               { "total_bits is 0", "1 to 240" });
    expect_bad([&] { scalar_quantizer::make_predictive(p.model, 25, 3); },
               { "code_size is 25", "0 to 24" });
    const predictive_model cut(directory.file("cut.h5"), global, mse, 1, 1);
    expect_bad([&] { scalar_quantizer::make_predictive(cut.model, 0, 3); },
               { "quantizer/prediction" });
}

TEST_F(quantizers, level_boundaries_lie_half_way)
{
    const auto q = scalar_quantizer::make({ 2 }, { 2 }, { -3, -1, 2, 8 }, 5, 9);
    EXPECT_EQ(q->type_id(), 5);
    EXPECT_EQ(q->bits(), 9);
    const auto level = [&](float x) {
        int16_t l;
        q->quantize(&x, 1, &l);
        return int(l);
    };
    for (const auto& [boundary, below] :
         { std::pair{ -4.0f, 0 }, { 1.0f, 1 }, { 10.0f, 2 } }) {
        EXPECT_EQ(level(std::nextafter(boundary, -infinity)), below);
        EXPECT_EQ(level(std::nextafter(boundary, infinity)), below + 1);
    }
    EXPECT_EQ(level(nan), 0);
    EXPECT_EQ(level(-infinity), 0);
    EXPECT_EQ(level(infinity), 3);
    EXPECT_EQ(level(3e38f), 3);
}

TEST_F(quantizers, inputs_that_are_not_finite)
{
    for (int bits = 1; bits <= 10; bits++) {
        const auto q = scalar_quantizer::make_uniform(model, 0, bits);
        for (const float bad : { nan, infinity, -infinity, 3e38f, -3e38f }) {
            const std::vector<float> s(m, bad);
            std::vector<int16_t> level(m, -1);
            std::vector<float> s_hat(m);
            q->quantize(s.data(), m, level.data());
            q->dequantize(level.data(), m, s_hat.data());
            for (int i = 0; i < m; i++) {
                // An entry that is always zero is scaled by zero: 0 is in the lower half.
                const bool no_number =
                    std::isnan(bad) || (std_dev[i] == 0 && std::isinf(bad));
                const int expected = no_number         ? 0
                                     : std_dev[i] == 0 ? (1 << bits) / 2 - 1
                                     : bad > 0         ? (1 << bits) - 1
                                                       : 0;
                EXPECT_EQ(level[i], expected);
                EXPECT_TRUE(std::isfinite(s_hat[i]));
            }
        }
    }
}

TEST_F(quantizers, dequantize_ignores_bits_above)
{
    const auto q = scalar_quantizer::make_lloyd_max(model, 0, 3);
    const std::vector<int16_t> plain{ 0, 1, 5, 7 }, dirty{ 8, -7, 29, -1 };
    std::vector<float> a(4), b(4);
    q->dequantize(plain.data(), 4, a.data());
    q->dequantize(dirty.data(), 4, b.data());
    EXPECT_EQ(a, b);
}

// Error of an allocation, and the least one of all by trying every one.
double error_of(const std::vector<float>& std_dev,
                const std::vector<float>& mse,
                const std::vector<int>& bits)
{
    double sum = 0;
    for (size_t i = 0; i < bits.size(); i++)
        sum += double(std_dev[i]) * std_dev[i] * mse[bits[i]];
    return sum;
}

double least_error(const std::vector<float>& std_dev,
                   const std::vector<float>& mse,
                   std::vector<int>& bits,
                   size_t at,
                   int left)
{
    if (at + 1 == std_dev.size()) {
        if (left > 10)
            return std::numeric_limits<double>::infinity();
        bits[at] = left;
        return error_of(std_dev, mse, bits);
    }
    double best = std::numeric_limits<double>::infinity();
    for (bits[at] = 0; bits[at] <= std::min(10, left); bits[at]++)
        best = std::min(best, least_error(std_dev, mse, bits, at + 1, left - bits[at]));
    bits[at] = 0;
    return best;
}

TEST_F(quantizers, allocation_is_optimal)
{
    random_engine engine = make_engine(7, 0);
    for (int trial = 0; trial < 60; trial++) {
        const int entries = 1 + trial % 4;
        std::vector<float> deviations = normal_vector(entries, trial);
        for (float& x : deviations)
            x = std::abs(x);
        // A convex, falling table.
        std::vector<float> steps = normal_vector(10, 100 + trial);
        for (float& x : steps)
            x = std::abs(x);
        std::sort(steps.begin(), steps.end());
        std::vector<float> table(11, 0);
        for (int b = 9; b >= 0; b--)
            table[b] = table[b + 1] + steps[9 - b];
        const std::string path = directory.file("a" + std::to_string(trial) + ".h5");
        {
            model_writer file(path);
            file.header("klt", 64, 32, 2);
            file.array("quantizer/std", { hsize_t(entries) }, deviations);
            file.array("quantizer/global_mse", { 11 }, table);
            for (int b = 1; b <= 10; b++)
                file.array(("quantizer/global_" + std::to_string(b)).c_str(),
                           { hsize_t(1) << b },
                           global[b]);
        }
        const int total = 1 + engine() % (10 * entries);
        const auto q = scalar_quantizer::make_allocated(model_file::open(path), 0, total);
        std::vector<int> found, scratch(entries, 0);
        for (int i = 0; i < entries; i++)
            found.push_back(q->entry_bits(i));
        EXPECT_EQ(std::accumulate(found.begin(), found.end(), 0), total);
        const double best = least_error(deviations, table, scratch, 0, total);
        EXPECT_LE(error_of(deviations, table, found), best * (1 + 1e-6) + 1e-12);
    }
}

TEST_F(quantizers, code_size_takes_the_first_entries)
{
    for (const auto& q : { scalar_quantizer::make_uniform(model, 7, 3),
                           scalar_quantizer::make_lloyd_max(model, 7, 3, false),
                           scalar_quantizer::make_lloyd_max(model, 7, 3, true),
                           scalar_quantizer::make_allocated(model, 7, 21) }) {
        EXPECT_EQ(q->code_size(), 7);
        EXPECT_EQ(q->total_bits(7), 21u);
    }
}

TEST_F(quantizers, bad_parameters_are_named)
{
    expect_bad([&] { scalar_quantizer::make_uniform(nullptr, 0, 3); }, { "null" });
    expect_bad([&] { scalar_quantizer::make_lloyd_max(nullptr, 0, 3); }, { "null" });
    expect_bad([&] { scalar_quantizer::make_allocated(nullptr, 0, 3); }, { "null" });
    expect_bad([&] { scalar_quantizer::make_uniform(model, 0, 0); }, { "bits is 0" });
    expect_bad([&] { scalar_quantizer::make_uniform(model, 0, 11); },
               { "bits is 11", "1 to 10" });
    expect_bad([&] { scalar_quantizer::make_uniform(model, 41, 3); },
               { "code_size is 41", "0 to 40" });
    expect_bad([&] { scalar_quantizer::make_uniform(model, 0, 3, -1); },
               { "range is -1" });
    expect_bad([&] { scalar_quantizer::make_uniform(model, 0, 3, nan); },
               { "range is nan" });
    expect_bad([&] { scalar_quantizer::make_lloyd_max(model, 0, 11); }, { "bits is 11" });
    expect_bad([&] { scalar_quantizer::make_lloyd_max(model, -1, 3); },
               { "code_size is -1" });
    expect_bad([&] { scalar_quantizer::make_allocated(model, 0, 0); },
               { "total_bits is 0", "1 to 400" });
    expect_bad([&] { scalar_quantizer::make_allocated(model, 0, 401); },
               { "total_bits is 401" });
    const auto make = scalar_quantizer::make;
    expect_bad([&] { make({}, {}, {}, 0, 0); }, { "number of entries is 0" });
    expect_bad([&] { make({ 1 }, { 1, 1 }, { 0, 1 }, 0, 0); }, { "entry_bits is 2" });
    expect_bad([&] { make({ 1 }, { 11 }, { 0, 1 }, 0, 0); }, { "bits is 11" });
    expect_bad([&] { make({ 1 }, { -1 }, { 0, 1 }, 0, 0); }, { "bits is -1" });
    expect_bad([&] { make({ 1 }, { 1 }, { 0, 1, 2 }, 0, 0); }, { "levels is 3" });
    expect_bad([&] { make({ 1 }, { 1 }, { 1, 1 }, 0, 0); }, { "a level is 1" });
    expect_bad([&] { make({ 1 }, { 1 }, { 1, nan }, 0, 0); }, { "a level is nan" });
    expect_bad([&] { make({ -1 }, { 1 }, { 0, 1 }, 0, 0); }, { "deviation is -1" });
    expect_bad([&] { make({ nan }, { 1 }, { 0, 1 }, 0, 0); }, { "deviation is nan" });
    expect_bad([&] { make({ 1 }, { 1 }, { 0, 1 }, 16, 0); }, { "type_id is 16" });
    expect_bad([&] { make({ 1 }, { 1 }, { 0, 1 }, 0, 65536); }, { "bits is 65536" });
}

quantizer::sptr of_bits(const std::vector<int>& bits)
{
    std::vector<float> levels;
    for (const int b : bits)
        for (int i = 0; i < 1 << b; i++)
            levels.push_back(i);
    return scalar_quantizer::make(std::vector<float>(bits.size(), 1), bits, levels, 0, 0);
}

// What comes out of dequantize() is within the limits of decoders.
TEST(scalar, levels_that_no_decoder_takes)
{
    for (const float std_dev : { 1.0f, 1e10f, 3e38f })
        for (const float level : { 2.0f, 1e6f, 3e38f }) {
            const auto make = [&] {
                return scalar_quantizer::make({ std_dev }, { 1 }, { -level, 1 }, 15, 1);
            };
            if (std_dev * level > 1e15f) {
                EXPECT_THROW(make(), std::invalid_argument) << std_dev << " " << level;
                continue;
            }
            const int16_t first = 0;
            float s;
            make()->dequantize(&first, 1, &s);
            EXPECT_EQ(s, -std_dev * level);
        }
}

TEST(packing, golden_bytes)
{
    const auto q = of_bits({ 3, 0, 5, 1, 10, 4, 0 });
    const std::vector<int16_t> level{ 5, 0, 9, 1, 0x2a5, 6, 0 };
    // 101 01001 | 1 1010100 | 101 0110 0
    EXPECT_EQ(q->total_bits(7), 23u);
    std::vector<uint8_t> bytes(4, 0xee);
    pack_levels(*q, level.data(), 7, bytes.data());
    EXPECT_EQ(bytes, (std::vector<uint8_t>{ 0xa9, 0xd4, 0xac, 0xee }));
    std::vector<int16_t> back(7, -1);
    unpack_levels(*q, bytes.data(), 7, back.data());
    EXPECT_EQ(back, level);
    // Only the first entries
    bytes.assign(4, 0xee);
    pack_levels(*q, level.data(), 3, bytes.data());
    EXPECT_EQ(bytes, (std::vector<uint8_t>{ 0xa9, 0xee, 0xee, 0xee }));
    // Bits beyond an entry's are not sent.
    const std::vector<int16_t> dirty{ -3, -1, 41, 3, 0x2a5 - 1024, 22, 1 };
    pack_levels(*q, dirty.data(), 7, bytes.data());
    EXPECT_EQ(bytes, (std::vector<uint8_t>{ 0xa9, 0xd4, 0xac, 0xee }));
}

TEST(packing, round_trip_over_random_layouts)
{
    random_engine engine = make_engine(8, 0);
    for (int trial = 0; trial < 3000; trial++) {
        std::vector<int> bits(1 + engine() % 60);
        for (int& b : bits)
            b = engine() % 3 ? engine() % 11 : 0;
        const auto q = of_bits(bits);
        const int m = 1 + engine() % bits.size();
        std::vector<int16_t> level(m), back(m, -1);
        std::string expected; // as a string of digits
        for (int i = 0; i < m; i++) {
            level[i] = engine() & ((1 << bits[i]) - 1);
            for (int b = bits[i] - 1; b >= 0; b--)
                expected += level[i] >> b & 1 ? '1' : '0';
        }
        ASSERT_EQ(q->total_bits(m), expected.size());
        // Exactly as many bytes as needed, so that a sanitizer sees any access beyond.
        const size_t count = (expected.size() + 7) / 8;
        expected.resize(8 * count, '0');
        const std::unique_ptr<uint8_t[]> bytes(new uint8_t[count]);
        pack_levels(*q, level.data(), m, bytes.get());
        for (size_t i = 0; i < expected.size(); i++)
            ASSERT_EQ(bytes[i / 8] >> (7 - i % 8) & 1, expected[i] - '0');
        unpack_levels(*q, bytes.get(), m, back.data());
        ASSERT_EQ(back, level);
    }
}

} // namespace
