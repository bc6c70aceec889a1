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

class cdl_panel_channel_impl : public cdl_panel_channel
{
public:
    cdl_panel_channel_impl(const cdl_panel_parameters& p, const cdl_table& table)
        : d_p(p),
          d_table(table),
          d_power_scale(cdl_power_scale(table)),
          d_cross(std::pow(10, -table.xpr_db / 20)),
          d_array(p, p.sector_element)
    {
    }

    const cdl_panel_parameters& parameters() const override { return d_p; }

    void generate(uint64_t index, cf* h, double dx, double dy) const override
    {
        random_engine engine = make_engine(d_p.seed, index);
        const panel_array::displacement moved = { dx, dy };
        const double turn_departure = d_p.angle_span_deg * (draw_uniform(engine) - 0.5),
                     turn_arrival = d_p.angle_span_deg * (draw_uniform(engine) - 0.5);
        std::fill_n(h, d_array.size() * d_p.nc, cf());
        panel_array::workspace w;
        for (size_t i = 0; i < d_table.count; i++) {
            const cdl_cluster& c = d_table.clusters[i];
            const double power = d_power_scale * std::pow(10, 0.1 * c.power_db);
            const double aod = c.aod_deg + turn_departure, aoa = c.aoa_deg + turn_arrival;
            d_array.clear(w);
            if (d_table.los && i == 0) {
                // Eq. (7.5-29): no cross polarization, horizontal fields of both ends
                // with opposite sign.
                const cd phase = phasor(draw_uniform(engine));
                d_array.add(
                    { aod, aoa, c.zod_deg, c.zoa_deg, power, { phase, 0, 0, -phase } },
                    moved,
                    w);
            } else {
                const cdl_ray_order order(engine);
                for (int m = 0; m < cdl_ray_count; m++) {
                    panel_ray r = {
                        aod + d_table.c_asd_deg * cdl_ray_offsets[m],
                        aoa +
                            d_table.c_asa_deg * cdl_ray_offsets[order.arrival_azimuth[m]],
                        c.zod_deg + d_table.c_zsd_deg *
                                        cdl_ray_offsets[order.departure_zenith[m]],
                        c.zoa_deg +
                            d_table.c_zsa_deg * cdl_ray_offsets[order.arrival_zenith[m]],
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
};

} // namespace

cdl_panel_channel::sptr cdl_panel_channel::make(const cdl_panel_parameters& p)
{
    const char* where = "cdl_panel_channel";
    const cdl_table& table = find_cdl_table(where, p.profile);
    check_panel(where, p);
    check_range(where, "delay_spread_s", p.delay_spread_s, 0.0, 1e-3);
    check_range(where, "angle_span_deg", p.angle_span_deg, 0.0, 360.0);
    return std::make_shared<cdl_panel_channel_impl>(p, table);
}

} // namespace csifeedback
} // namespace gr
