/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/panel_array.h"
#include <gnuradio/csifeedback/cdl_panel_channel.h>
#include <algorithm>
#include <cmath>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

// Scales the angles of a profile to an RMS spread, clause 7.7.5.1.
class angle_scale
{
public:
    // clusters: the angle of each. offset_deg: of the rays of a cluster, for offsets of 1.
    angle_scale(const cdl_table& table,
                double cdl_cluster::*angle,
                double offset_deg,
                double spread_deg,
                bool is_zenith)
        : d_scales(spread_deg > 0), d_is_zenith(is_zenith)
    {
        if (!d_scales)
            return;
        cd sum = 0;
        double power = 0;
        for (size_t i = 0; i < table.count; i++) {
            const cdl_cluster& c = table.clusters[i];
            const double each = std::pow(10, 0.1 * c.power_db) / cdl_ray_count;
            for (const double offset : cdl_ray_offsets) {
                const bool los = table.los && i == 0;
                sum += each *
                       std::polar(1.0,
                                  (c.*angle + (los ? 0 : offset_deg * offset)) * degree);
                power += each;
            }
        }
        d_mean = std::arg(sum) / degree;
        d_ratio = spread_deg / (std::sqrt(-2 * std::log(std::abs(sum) / power)) / degree);
    }

    double operator()(double angle_deg) const
    {
        if (!d_scales)
            return angle_deg;
        const double scaled =
            d_mean + d_ratio * std::remainder(angle_deg - d_mean, 360.0);
        return d_is_zenith ? std::min(std::max(scaled, 0.0), 180.0) : scaled;
    }

private:
    static constexpr double degree = M_PI / 180;

    const bool d_scales, d_is_zenith;
    double d_mean = 0, d_ratio = 1;
};

class cdl_panel_channel_impl : public cdl_panel_channel
{
public:
    cdl_panel_channel_impl(const cdl_panel_parameters& p, const cdl_table& table)
        : d_p(p),
          d_table(table),
          d_power_scale(cdl_power_scale(table)),
          d_cross(std::pow(10, -table.xpr_db / 20)),
          d_array(p, p.sector_element, p.downtilt_deg),
          d_aod(table, &cdl_cluster::aod_deg, table.c_asd_deg, p.asd_deg, false),
          d_aoa(table, &cdl_cluster::aoa_deg, table.c_asa_deg, p.asa_deg, false),
          d_zod(table, &cdl_cluster::zod_deg, table.c_zsd_deg, p.zsd_deg, true),
          d_zoa(table, &cdl_cluster::zoa_deg, table.c_zsa_deg, p.zsa_deg, true)
    {
    }

    const cdl_panel_parameters& parameters() const override { return d_p; }

    void generate(uint64_t index, cf* h, double dx, double dy) const override
    {
        random_engine engine = make_engine(d_p.seed, index);
        const panel_array::displacement moved = { dx, dy };
        // Behind the scales.
        double turn_departure = d_p.angle_span_deg * (draw_uniform(engine) - 0.5),
               turn_arrival = d_p.angle_span_deg * (draw_uniform(engine) - 0.5);
        turn_departure -= d_p.bearing_deg;
        turn_arrival -= d_p.ue_bearing_deg;
        std::fill_n(h, d_array.size() * d_p.nc, cf());
        panel_array::workspace w;
        for (size_t i = 0; i < d_table.count; i++) {
            const cdl_cluster& c = d_table.clusters[i];
            const double power = d_power_scale * std::pow(10, 0.1 * c.power_db);
            d_array.clear(w);
            if (d_table.los && i == 0) {
                // Eq. (7.5-29): no cross polarization, horizontal fields of both ends
                // with opposite sign.
                const cd phase = phasor(draw_uniform(engine));
                d_array.add({ d_aod(c.aod_deg) + turn_departure,
                              d_aoa(c.aoa_deg) + turn_arrival,
                              d_zod(c.zod_deg),
                              d_zoa(c.zoa_deg),
                              power,
                              { phase, 0, 0, -phase } },
                            moved,
                            w);
            } else {
                const cdl_ray_order order(engine);
                for (int m = 0; m < cdl_ray_count; m++) {
                    panel_ray r = {
                        d_aod(c.aod_deg + d_table.c_asd_deg * cdl_ray_offsets[m]) +
                            turn_departure,
                        d_aoa(c.aoa_deg + d_table.c_asa_deg *
                                              cdl_ray_offsets[order.arrival_azimuth[m]]) +
                            turn_arrival,
                        d_zod(c.zod_deg + d_table.c_zsd_deg *
                                              cdl_ray_offsets[order.departure_zenith[m]]),
                        d_zoa(c.zoa_deg + d_table.c_zsa_deg *
                                              cdl_ray_offsets[order.arrival_zenith[m]]),
                        power / cdl_ray_count,
                        {}
                    };
                    for (int k = 0; k < 4; k++)
                        r.polarization[k] = (k == 1 || k == 2 ? d_cross : 1) *
                                            phasor(draw_uniform(engine));
                    d_array.add(r, moved, w);
                }
            }
            d_array.spread(w, -d_p.spacing_hz * d_p.delay_spread_s * c.delay, d_p.nc, h);
        }
    }

private:
    const cdl_panel_parameters d_p;
    const cdl_table& d_table;
    const double d_power_scale, d_cross;
    const panel_array d_array;
    const angle_scale d_aod, d_aoa, d_zod, d_zoa;
};

} // namespace

cdl_panel_channel::sptr cdl_panel_channel::make(const cdl_panel_parameters& p)
{
    const char* where = "cdl_panel_channel";
    const cdl_table& table = find_cdl_table(where, p.profile);
    check_panel(where, p);
    check_range(where, "delay_spread_s", p.delay_spread_s, 0.0, 1e-3);
    check_range(where, "angle_span_deg", p.angle_span_deg, 0.0, 360.0);
    check_range(where, "asd_deg", p.asd_deg, 0.0, 360.0);
    check_range(where, "asa_deg", p.asa_deg, 0.0, 360.0);
    check_range(where, "zsd_deg", p.zsd_deg, 0.0, 360.0);
    check_range(where, "zsa_deg", p.zsa_deg, 0.0, 360.0);
    check_range(where, "bearing_deg", p.bearing_deg, -360.0, 360.0);
    check_range(where, "downtilt_deg", p.downtilt_deg, -90.0, 90.0);
    check_range(where, "ue_bearing_deg", p.ue_bearing_deg, -360.0, 360.0);
    return std::make_shared<cdl_panel_channel_impl>(p, table);
}

} // namespace csifeedback
} // namespace gr
