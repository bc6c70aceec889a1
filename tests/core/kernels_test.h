/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// What the tests of the kernels share: each kernel of each instruction set against plain
// loops in double precision.

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_TEST_H
#define INCLUDED_CSIFEEDBACK_KERNELS_TEST_H

#include "kernels/kernels.h"
#include "random.h"
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <limits>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

inline std::vector<float> normal_vector(size_t size, uint64_t seed)
{
    std::vector<float> x(size);
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : x)
        value = normal(engine);
    return x;
}

// A sum of n products of magnitude `size` in float, in any order.
inline double rounding(size_t n, double size) { return (n + 2) * 6e-8 * size; }

// About half of the numbers below n, out of order and some of them twice.
inline std::vector<uint32_t> some(size_t n, uint64_t seed)
{
    random_engine engine = make_engine(seed, 1);
    std::vector<uint32_t> chosen((n + 1) / 2);
    for (uint32_t& value : chosen)
        value = engine() % n;
    return chosen;
}

// The parameter is the table of an instruction set that this machine has.
class kernels_test : public testing::TestWithParam<const kernel_table*>
{
protected:
    const kernel_table& k = *GetParam();
};

inline std::string table_name(const testing::TestParamInfo<const kernel_table*>& info)
{
    return info.param->name;
}

INSTANTIATE_TEST_SUITE_P(all,
                         kernels_test,
                         testing::ValuesIn(supported_kernels()),
                         table_name);

} // namespace

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_TEST_H */
