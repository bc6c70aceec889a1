/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/cdl_rays.h"
#include "channel/path_channel.h"
#include "channel/phasor.h"
#include "check.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <algorithm>
#include <cmath>
#include <sstream>

namespace gr {
namespace csifeedback {

namespace {

constexpr double speed_of_light = 299792458;
constexpr double degree = M_PI / 180;

class cdl_channel_impl : public path_channel
{
public:
    cdl_channel_impl(const cdl_parameters& p, const cdl_table& table)
        : path_channel("cdl_channel", p.grid, p.align, p.normalize, p.receiver_aligned),
          d_p(p),
          d_table(table),
          d_power_scale(cdl_power_scale(table))
    {
    }

    std::string name() const override
    {
        return std::string("cdl-") + char(std::tolower(d_table.profile));
    }
    double sample_interval_s() const override
    {
        return d_p.slots_per_drop > 1 ? d_p.sample_interval_s : 0;
    }
    std::string parameters() const override
    {
        std::ostringstream json;
        json.precision(17);
        json << "{\"model\": \"3GPP TR 38.901 CDL-" << d_table.profile
             << "\", \"carrier_hz\": " << d_p.carrier_hz
             << ", \"delay_spread_s\": " << d_p.delay_spread_s
             << ", \"max_delay_spread_s\": " << d_p.max_delay_spread_s
             << ", \"speed_mps\": " << d_p.speed_mps
             << ", \"travel_azimuth_deg\": " << d_p.travel_azimuth_deg
             << ", \"travel_zenith_deg\": " << d_p.travel_zenith_deg
             << ", \"slots_per_drop\": " << d_p.slots_per_drop
             << ", \"sample_interval_s\": " << d_p.sample_interval_s
             << ", \"angle_span_deg\": " << d_p.angle_span_deg
             << ", \"sector_element\": " << (d_p.sector_element ? "true" : "false")
             << ", \"nc\": " << d_p.grid.nc << ", \"nt\": " << d_p.grid.nt
             << ", \"spacing_hz\": " << d_p.grid.spacing_hz
             << ", \"antenna_spacing\": " << d_p.grid.antenna_spacing
             << ", \"align\": " << (d_p.align ? "true" : "false")
             << ", \"receiver_aligned\": " << (d_p.receiver_aligned ? "true" : "false")
             << ", \"normalize\": " << (d_p.normalize ? "true" : "false")
             << ", \"seed\": " << d_p.seed << "}";
        return json.str();
    }

protected:
    void draw(uint64_t index, std::vector<propagation_path>& paths) const override
    {
        random_engine engine = make_engine(d_p.seed, index / d_p.slots_per_drop);
        const double time = index % d_p.slots_per_drop * d_p.sample_interval_s;
        double delay_spread = d_p.delay_spread_s;
        const double where = draw_uniform(engine);
        if (d_p.max_delay_spread_s > delay_spread)
            delay_spread *= std::pow(d_p.max_delay_spread_s / delay_spread, where);
        const double turn_departure = d_p.angle_span_deg * (draw_uniform(engine) - 0.5),
                     turn_arrival = d_p.angle_span_deg * (draw_uniform(engine) - 0.5);
        for (size_t i = 0; i < d_table.count; i++) {
            const cdl_cluster& c = d_table.clusters[i];
            const double power = d_power_scale * std::pow(10, 0.1 * c.power_db);
            const double aod = c.aod_deg + turn_departure, aoa = c.aoa_deg + turn_arrival;
            const double delay = delay_spread * c.delay;
            if (d_table.los && i == 0) {
                add(engine, paths, time, delay, power, aod, aoa, c.zod_deg, c.zoa_deg);
                continue;
            }
            const cdl_ray_order order(engine);
            for (int m = 0; m < cdl_ray_count; m++)
                add(engine,
                    paths,
                    time,
                    delay,
                    power / cdl_ray_count,
                    aod + d_table.c_asd_deg * cdl_ray_offsets[m],
                    aoa + d_table.c_asa_deg * cdl_ray_offsets[order.arrival_azimuth[m]],
                    c.zod_deg +
                        d_table.c_zsd_deg * cdl_ray_offsets[order.departure_zenith[m]],
                    c.zoa_deg +
                        d_table.c_zsa_deg * cdl_ray_offsets[order.arrival_zenith[m]]);
        }
    }

private:
    void add(random_engine& engine,
             std::vector<propagation_path>& paths,
             double time,
             double delay,
             double power,
             double aod_deg,
             double aoa_deg,
             double zod_deg,
             double zoa_deg) const
    {
        if (d_p.sector_element)
            power *= cdl_element_power(aod_deg, zod_deg);
        const double aoa = aoa_deg * degree, zoa = zoa_deg * degree,
                     azimuth = d_p.travel_azimuth_deg * degree,
                     zenith = d_p.travel_zenith_deg * degree;
        // Eq. (7.5-25): the velocity along the direction of arrival.
        const double along = std::sin(zoa) * std::sin(zenith) * std::cos(aoa - azimuth) +
                             std::cos(zoa) * std::cos(zenith);
        const double doppler = d_p.speed_mps * along * d_p.carrier_hz / speed_of_light;
        const double turns = draw_uniform(engine) + doppler * time;
        paths.push_back({ delay,
                          std::sin(zod_deg * degree) * std::sin(aod_deg * degree),
                          std::sqrt(power) * phasor(turns) });
    }

    const cdl_parameters d_p;
    const cdl_table& d_table;
    const double d_power_scale;
};

} // namespace

channel_model::sptr cdl_channel::make(const cdl_parameters& p)
{
    const char* where = "cdl_channel";
    const cdl_table& table = find_cdl_table(where, p.profile);
    if (!(p.carrier_hz > 0 && p.carrier_hz <= 1e12))
        throw_bad(where, "carrier_hz", p.carrier_hz, "above 0, at most 1e12");
    check_range(where, "delay_spread_s", p.delay_spread_s, 0.0, 1e-3);
    check_range(where, "max_delay_spread_s", p.max_delay_spread_s, 0.0, 1e-3);
    if (p.max_delay_spread_s > 0 && p.delay_spread_s == 0)
        throw_bad(where,
                  "delay_spread_s",
                  p.delay_spread_s,
                  "above 0 where max_delay_spread_s is given");
    check_range(where, "speed_mps", p.speed_mps, 0.0, 1e4);
    check_range(where, "travel_azimuth_deg", p.travel_azimuth_deg, -360.0, 360.0);
    check_range(where, "travel_zenith_deg", p.travel_zenith_deg, 0.0, 180.0);
    check_range(where, "slots_per_drop", p.slots_per_drop, 1, 1 << 30);
    if (!(p.sample_interval_s > 0 && p.sample_interval_s <= 1e6))
        throw_bad(
            where, "sample_interval_s", p.sample_interval_s, "above 0, at most 1e6");
    check_range(where, "angle_span_deg", p.angle_span_deg, 0.0, 360.0);
    return std::make_shared<cdl_channel_impl>(p, table);
}

} // namespace csifeedback
} // namespace gr
