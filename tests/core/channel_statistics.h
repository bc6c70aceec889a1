/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// What the tests of the channel models share: sample statistics with their intervals.

#ifndef INCLUDED_CSIFEEDBACK_TEST_CHANNEL_STATISTICS_H
#define INCLUDED_CSIFEEDBACK_TEST_CHANNEL_STATISTICS_H

#include <gnuradio/csifeedback/channel_model.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using cf = std::complex<float>;
using cd = std::complex<double>;

//! Half width of a 99.99% interval in standard errors: of the some 200 statistics that
//! the tests compare, all lie inside with probability 0.98 if the models are right.
constexpr double confidence = 3.89;

//! Mean and standard deviation of independent values.
class sample
{
public:
    void add(double x)
    {
        d_count++;
        const double from = x - d_mean;
        d_mean += from / d_count;
        d_squares += from * (x - d_mean);
    }
    double count() const { return d_count; }
    double mean() const { return d_mean; }
    double deviation() const { return std::sqrt(d_squares / (d_count - 1)); }
    double error() const { return deviation() / std::sqrt(d_count); }

private:
    double d_count = 0, d_mean = 0, d_squares = 0;
};

//! Expects the mean to be `expected` within its interval, which it must resolve.
inline void expect_mean(const sample& s, double expected, const std::string& what)
{
    EXPECT_LE(std::abs(s.mean() - expected), confidence * s.error() + 1e-12)
        << what << ": mean " << s.mean() << " +- " << s.error() << ", expected "
        << expected;
}

/*!
 * \brief Largest distance of the values' distribution from the uniform one on [0, 1],
 * times the root of their number: above 2.23 with probability 1e-4 (Kolmogorov).
 */
inline double kolmogorov(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    const double n = values.size();
    double distance = 0;
    for (size_t i = 0; i < values.size(); i++)
        distance = std::max({ distance, values[i] - i / n, (i + 1) / n - values[i] });
    return distance * std::sqrt(n);
}
constexpr double kolmogorov_limit = 2.23;

inline double power_of(const std::vector<gr::csifeedback::propagation_path>& paths)
{
    double sum = 0;
    for (const auto& p : paths)
        sum += std::norm(p.gain);
    return sum;
}

inline double energy_of(const std::vector<cf>& h)
{
    double sum = 0;
    for (const cf& x : h)
        sum += std::norm(cd(x));
    return sum;
}

//! RMS delay spread in s.
inline double delay_spread(const std::vector<gr::csifeedback::propagation_path>& paths)
{
    double power = 0, first = 0, second = 0;
    for (const auto& p : paths) {
        power += std::norm(p.gain);
        first += std::norm(p.gain) * p.delay_s;
    }
    for (const auto& p : paths)
        second += std::norm(p.gain) * std::pow(p.delay_s - first / power, 2);
    return std::sqrt(second / power);
}

//! Expects std::invalid_argument with all the words in its text.
inline void expect_bad(const std::function<void()>& make,
                       const std::vector<std::string>& words)
{
    try {
        make();
        ADD_FAILURE() << "no exception for " << words[0];
    } catch (const std::invalid_argument& e) {
        for (const std::string& word : words)
            EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
}

#endif /* INCLUDED_CSIFEEDBACK_TEST_CHANNEL_STATISTICS_H */
