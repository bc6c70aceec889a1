/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CDL_RAYS_H
#define INCLUDED_CSIFEEDBACK_CDL_RAYS_H

#include "channel/cdl_tables.h"
#include "check.h"
#include "random.h"
#include <boost/random/uniform_01.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <iterator>

namespace gr {
namespace csifeedback {

//! What the channel models of the tables of 7.7.1 have in common.
constexpr int cdl_ray_count = std::size(cdl_ray_offsets);

//! Throws, naming `where`, if there is no such profile.
inline const cdl_table& find_cdl_table(const char* where, char profile)
{
    for (const auto& table : cdl_tables)
        if (profile == table.profile)
            return table;
    throw_bad(where, "profile", profile, "A, B, C, D, E");
}

//! Factor that scales the powers of a profile's clusters to a sum of 1.
inline double cdl_power_scale(const cdl_table& table)
{
    double sum = 0;
    for (size_t i = 0; i < table.count; i++)
        sum += std::pow(10, 0.1 * table.clusters[i].power_db);
    return 1 / sum;
}

//! Power pattern of Table 7.3-1 without its maximum of 8 dBi, which normalization would
//! take away: 65 degrees beam width and 30 dB front-to-back ratio.
inline double cdl_element_power(double azimuth_deg, double zenith_deg)
{
    constexpr double degree = M_PI / 180;
    const double azimuth = std::remainder(azimuth_deg, 360);
    const double zenith = std::acos(std::cos(zenith_deg * degree)) / degree;
    const double vertical = std::min(12 * std::pow((zenith - 90) / 65, 2), 30.0);
    const double horizontal = std::min(12 * std::pow(azimuth / 65, 2), 30.0);
    return std::pow(10, -0.1 * std::min(vertical + horizontal, 30.0));
}

inline double draw_uniform(random_engine& engine)
{
    return boost::random::uniform_01<double>()(engine);
}

//! Random orders of the rays of a cluster: departure and arrival, azimuth and zenith, are
//! coupled at random (step 8).
struct cdl_ray_order {
    int arrival_azimuth[cdl_ray_count], departure_zenith[cdl_ray_count],
        arrival_zenith[cdl_ray_count];

    explicit cdl_ray_order(random_engine& engine)
    {
        for (auto* order : { &arrival_azimuth, &departure_zenith, &arrival_zenith }) {
            for (int i = 0; i < cdl_ray_count; i++)
                (*order)[i] = i;
            for (int i = cdl_ray_count - 1; i > 0; i--)
                std::swap(
                    (*order)[i],
                    (*order)[boost::random::uniform_int_distribution<int>(0, i)(engine)]);
        }
    }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CDL_RAYS_H */
