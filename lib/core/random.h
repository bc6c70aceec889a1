/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_RANDOM_H
#define INCLUDED_CSIFEEDBACK_RANDOM_H

#include <boost/random/mersenne_twister.hpp>
#include <cstdint>

namespace gr {
namespace csifeedback {

// Boost.Random's engines and distributions give the same numbers on every platform, which
// those of the standard library do not.
using random_engine = boost::random::mt19937_64;

//! The finalizer of SplitMix64: mixes a counter into 64 well distributed bits.
inline uint64_t splitmix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

//! An engine of its own for every (seed, stream): streams are independent of each other.
inline random_engine make_engine(uint64_t seed, uint64_t stream)
{
    return random_engine(splitmix64(splitmix64(seed) ^ splitmix64(~stream)));
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_RANDOM_H */
