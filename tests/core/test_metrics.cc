/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "random.h"
#include <gnuradio/csifeedback/metrics.h>
#include <gtest/gtest.h>
#include <boost/random/exponential_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<cf> random_matrix(size_t size, uint64_t seed, float scale = 1)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    std::vector<cf> h(size);
    for (cf& x : h) {
        const float re = normal(engine), im = normal(engine);
        x = { scale * re, scale * im };
    }
    return h;
}

TEST(squared_error, equals_the_double_loop)
{
    for (const size_t n : { 1, 2, 3, 4, 5, 7, 8, 9, 31, 1000, 32768 })
        for (const float scale : { 1e-18f, 1e-3f, 1.0f, 1e18f })
            for (const float difference : { 1e-3f, 0.3f, 10.0f }) {
                const auto h = random_matrix(n, n, scale),
                           d = random_matrix(n, n + 1, scale * difference);
                std::vector<cf> h_hat(n);
                for (size_t i = 0; i < n; i++)
                    h_hat[i] = h[i] + d[i];
                double error = 0, energy = 0;
                for (size_t i = 0; i < n; i++) {
                    error += std::norm(cd(h[i]) - cd(h_hat[i]));
                    energy += std::norm(cd(h[i]));
                }
                EXPECT_NEAR(squared_error_ratio(h.data(), h_hat.data(), n) * energy /
                                error,
                            1,
                            1e-12);
            }
}

TEST(squared_error, edges)
{
    const std::vector<cf> zero(9, 0), one(9, 1);
    EXPECT_EQ(squared_error_ratio(one.data(), one.data(), 9), 0);
    EXPECT_EQ(squared_error_ratio(one.data(), zero.data(), 9), 1);
    EXPECT_EQ(squared_error_ratio(zero.data(), one.data(), 9), infinity);
    EXPECT_TRUE(std::isnan(squared_error_ratio(zero.data(), zero.data(), 9)));
    for (size_t at = 0; at < 9; at++) {
        std::vector<cf> bad = one;
        bad[at] = { 1, nan };
        EXPECT_TRUE(std::isnan(squared_error_ratio(one.data(), bad.data(), 9)));
        EXPECT_TRUE(std::isnan(squared_error_ratio(bad.data(), one.data(), 9)));
    }
    const std::vector<cf> huge(9, 1e30f), more(9, 2e30f); // squares overflow a float
    EXPECT_NEAR(squared_error_ratio(huge.data(), more.data(), 9), 1, 1e-6);
}

TEST(cosine, equals_the_double_loop)
{
    for (const size_t rows : { 1, 2, 13, 256 })
        for (const size_t nt : { 1, 2, 3, 4, 7, 8, 31, 32, 33 }) {
            const auto h = random_matrix(rows * nt, rows + nt),
                       g = random_matrix(rows * nt, rows * nt + 5, 30);
            double sum = 0;
            for (size_t k = 0; k < rows; k++) {
                cd product = 0;
                double a = 0, b = 0;
                for (size_t n = 0; n < nt; n++) {
                    product += cd(g[k * nt + n]) * std::conj(cd(h[k * nt + n]));
                    a += std::norm(cd(h[k * nt + n]));
                    b += std::norm(cd(g[k * nt + n]));
                }
                sum += std::abs(product) / std::sqrt(a * b);
            }
            EXPECT_NEAR(
                cosine_similarity(h.data(), g.data(), rows, nt), sum / rows, 1e-5);
        }
}

TEST(cosine, ignores_scale_and_phase_of_every_row)
{
    const size_t rows = 20, nt = 8;
    const auto h = random_matrix(rows * nt, 1), factors = random_matrix(rows, 2);
    auto g = h;
    for (size_t i = 0; i < g.size(); i++)
        g[i] *= factors[i / nt];
    const double rho = cosine_similarity(h.data(), g.data(), rows, nt);
    EXPECT_NEAR(rho, 1, 1e-6);
    EXPECT_LE(rho, 1);
}

TEST(cosine, never_above_one)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        const auto h = random_matrix(16, seed);
        EXPECT_LE(cosine_similarity(h.data(), h.data(), 2, 8), 1);
        EXPECT_GT(cosine_similarity(h.data(), h.data(), 2, 8), 1 - 1e-6);
    }
}

TEST(cosine, edges)
{
    const std::vector<cf> h{ 1, 1, 0, 0 }, g{ 1, 1, 1, 1 }, orthogonal{ 1, -1, 1, -1 };
    EXPECT_NEAR(cosine_similarity(h.data(), g.data(), 2, 2), 0.5, 1e-7);
    EXPECT_NEAR(cosine_similarity(g.data(), h.data(), 2, 2), 0.5, 1e-7);
    EXPECT_NEAR(cosine_similarity(g.data(), orthogonal.data(), 2, 2), 0, 1e-7);
    const std::vector<cf> bad{ 1, 1, nan, 1 };
    EXPECT_TRUE(std::isnan(cosine_similarity(g.data(), bad.data(), 2, 2)));
    EXPECT_TRUE(std::isnan(cosine_similarity(bad.data(), g.data(), 2, 2)));
}

TEST(running, equals_two_passes)
{
    // A mean far above the deviation, where a sum of squares would lose everything.
    random_engine engine = make_engine(3, 0);
    boost::random::normal_distribution<double> normal(1e6, 1e-2);
    std::vector<double> x(1000);
    running_mean running;
    for (double& value : x)
        running.add(value = normal(engine));
    double mean = 0, square = 0;
    for (const double value : x)
        mean += (value - 1e6) / x.size();
    for (const double value : x)
        square += std::pow(value - 1e6 - mean, 2);
    const mean_estimate e = running.estimate();
    EXPECT_EQ(e.count, 1000u);
    EXPECT_NEAR(e.mean, 1e6 + mean, 1e-9);
    const double half_width = 1.96 * std::sqrt(square / 999 / 1000);
    EXPECT_NEAR(e.half_width, half_width, 1e-6 * half_width);
}

TEST(running, few_values_and_reset)
{
    running_mean running;
    EXPECT_EQ(running.estimate().count, 0u);
    EXPECT_TRUE(std::isnan(running.estimate().mean));
    EXPECT_EQ(running.estimate().half_width, infinity);
    running.add(4);
    EXPECT_EQ(running.estimate().mean, 4);
    EXPECT_EQ(running.estimate().half_width, infinity);
    running.add(4);
    EXPECT_EQ(running.estimate().half_width, 0);
    running.reset();
    EXPECT_EQ(running.estimate().count, 0u);
    EXPECT_TRUE(std::isnan(running.estimate().mean));
    running.add(7);
    EXPECT_EQ(running.estimate().mean, 7);
}

TEST(running, interval_covers_the_mean_as_often_as_it_says)
{
    // Skewed values, as squared errors are: 95 % in the limit, a little less at 400.
    const int trials = 4000;
    int covered = 0;
    for (int trial = 0; trial < trials; trial++) {
        random_engine engine = make_engine(4, trial);
        boost::random::exponential_distribution<double> exponential(1);
        running_mean running;
        for (int i = 0; i < 400; i++)
            running.add(exponential(engine));
        const mean_estimate e = running.estimate();
        covered += std::abs(e.mean - 1) <= e.half_width;
    }
    // 4 standard errors of the share around 0.945 to 0.95
    const double error = 4 * std::sqrt(0.95 * 0.05 / trials);
    EXPECT_GT(double(covered) / trials, 0.945 - error);
    EXPECT_LT(double(covered) / trials, 0.95 + error);
}

TEST(sgcs, is_that_of_each_layer)
{
    // Two subbands, three ports, two layers.
    const std::vector<cf> v = { 1, 0, 0, cf(0, 1), 0, 0, /**/ 0, 3, cf(0, 2), 0, 0, 4 };
    double similarity[2];
    sgcs(v.data(), v.data(), 2, 3, 2, similarity);
    EXPECT_NEAR(similarity[0], 1, 1e-12);
    EXPECT_NEAR(similarity[1], 1, 1e-12);
    // A phase and a scale make no difference.
    std::vector<cf> w = v;
    for (cf& x : w)
        x *= cf(0.3f, -2);
    sgcs(v.data(), w.data(), 2, 3, 2, similarity);
    EXPECT_NEAR(similarity[0], 1, 1e-6);
    // Layer 0: orthogonal in subband 0, cos^2 = 1/2 in subband 1; layer 1: zero in
    // subband 0, cos^2 = 0.64 in subband 1.
    w = { 0, 0, 1, 0, 1, 0, /**/ 1, 0, 1, 0, 0, 1 };
    sgcs(v.data(), w.data(), 2, 3, 2, similarity);
    EXPECT_NEAR(similarity[0], 0.25, 1e-12);
    EXPECT_NEAR(similarity[1], 0.32, 1e-12);
    w[0] = std::numeric_limits<float>::quiet_NaN();
    sgcs(v.data(), w.data(), 2, 3, 2, similarity);
    EXPECT_TRUE(std::isnan(similarity[0]));
}

TEST(percentile, interpolates)
{
    const double x[] = { 4, 1, 3, 2 };
    EXPECT_EQ(percentile(x, 4, 0), 1);
    EXPECT_EQ(percentile(x, 4, 100), 4);
    EXPECT_NEAR(percentile(x, 4, 50), 2.5, 1e-12);
    EXPECT_NEAR(percentile(x, 4, 5), 1.15, 1e-12);
    EXPECT_EQ(percentile(x, 1, 5), 4);
    EXPECT_TRUE(std::isnan(percentile(x, 0, 5)));
}

} // namespace
