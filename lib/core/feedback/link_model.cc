/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "random.h"
#include <gnuradio/csifeedback/link_model.h>
#include <boost/random/uniform_01.hpp>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class link_model_impl : public link_model
{
public:
    explicit link_model_impl(const link_parameters& parameters)
        : d_burst_length(parameters.mean_burst_length),
          d_bit_engine(make_engine(parameters.seed, 0)),
          d_loss_engine(make_engine(parameters.seed, 1))
    {
        if (d_burst_length != 0)
            check_range("link_model", "mean_burst_length", d_burst_length, 1.0, 1e9);
        set_rates(parameters.bit_error_rate, parameters.erasure_rate);
        // The chain starts in its stationary state.
        d_bad = d_uniform(d_loss_engine) < d_erasure_rate;
    }

    void set_rates(double bit_error_rate, double erasure_rate) override
    {
        check_range("link_model", "bit_error_rate", bit_error_rate, 0.0, 0.5);
        check_range("link_model", "erasure_rate", erasure_rate, 0.0, 1.0);
        // In the stationary state losses = enter * (1 - losses) * burst length, enter
        // <= 1.
        if (d_burst_length != 0 && erasure_rate < 1 &&
            d_burst_length < erasure_rate / (1 - erasure_rate))
            throw_bad("link_model",
                      "mean_burst_length",
                      d_burst_length,
                      "at least erasure_rate / (1 - erasure_rate) = " +
                          std::to_string(erasure_rate / (1 - erasure_rate)));
        d_bit_error_rate = bit_error_rate;
        d_erasure_rate = erasure_rate;
        if (d_bit_error_rate > 0)
            d_gap = next_gap();
    }

    bool transmit(uint8_t* bytes, size_t n, size_t& errors) override
    {
        errors = 0;
        if (d_bit_error_rate > 0) {
            // Draws the distance to the next flipped bit, not every bit.
            const uint64_t bits = 8 * uint64_t(n);
            for (; d_gap < bits; d_gap += 1 + next_gap()) {
                bytes[d_gap / 8] ^= 0x80 >> d_gap % 8;
                errors++;
            }
            d_gap -= bits;
        }
        return !lost();
    }

private:
    // Geometrically distributed: good bits before the next flipped one.
    uint64_t next_gap()
    {
        const double gap =
            std::log1p(-d_uniform(d_bit_engine)) / std::log1p(-d_bit_error_rate);
        return gap < 1e18 ? uint64_t(gap) : uint64_t(1e18);
    }

    bool lost()
    {
        const double u = d_uniform(d_loss_engine);
        if (d_burst_length == 0)
            return u < d_erasure_rate;
        // set_rates() ends bursts with rate 0, and a rate of 1 has no other state.
        if (d_erasure_rate == 0 || d_erasure_rate >= 1)
            d_bad = d_erasure_rate > 0;
        const bool now = d_bad;
        if (d_bad)
            d_bad = u >= 1 / d_burst_length;
        else
            d_bad = u < d_erasure_rate / ((1 - d_erasure_rate) * d_burst_length);
        return now;
    }

    const double d_burst_length;
    double d_bit_error_rate = 0;
    double d_erasure_rate = 0;
    random_engine d_bit_engine;
    random_engine d_loss_engine;
    boost::random::uniform_01<double> d_uniform;
    uint64_t d_gap = 0; // good bits before the next flipped one
    bool d_bad = false;
};

} // namespace

link_model::sptr link_model::make(const link_parameters& parameters)
{
    return std::make_shared<link_model_impl>(parameters);
}

} // namespace csifeedback
} // namespace gr
