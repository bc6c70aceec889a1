/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_UNIT_HISTOGRAM_H
#define INCLUDED_CSIFEEDBACK_UNIT_HISTOGRAM_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Counts of values of [0, 1], of which quantiles are asked for: without memory for
 * each value, and exact to 1/4096.
 */
class unit_histogram
{
public:
    //! Values outside count as the nearer end; not a number is not allowed.
    void add(double x)
    {
        const double at = std::min(std::max(0.0, x), 1.0) * bins;
        d_counts[std::min(size_t(at), bins - 1)]++;
        d_count++;
    }
    void reset()
    {
        std::fill(d_counts.begin(), d_counts.end(), 0);
        d_count = 0;
    }
    //! The value below which `part`, 0 to 1, of all values are; NaN without values.
    double quantile(double part) const
    {
        if (!d_count)
            return std::numeric_limits<double>::quiet_NaN();
        const double wanted = part * double(d_count);
        double below = 0;
        for (size_t i = 0; i < bins; i++) {
            if (d_counts[i] && below + double(d_counts[i]) >= wanted)
                return (double(i) + (wanted - below) / double(d_counts[i])) / bins;
            below += double(d_counts[i]);
        }
        return 1;
    }

private:
    static constexpr size_t bins = 4096;
    std::vector<uint64_t> d_counts = std::vector<uint64_t>(bins);
    uint64_t d_count = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_UNIT_HISTOGRAM_H */
