/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/cdl_rays.h"
#include "channel/phasor.h"
#include "check.h"
#include <gnuradio/csifeedback/cdl_panel_channel.h>
#include <algorithm>
#include <cmath>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
constexpr double degree = M_PI / 180;

class cdl_panel_channel_impl : public cdl_panel_channel
{
public:
    cdl_panel_channel_impl(const cdl_panel_parameters& p, const cdl_table& table)
        : d_p(p),
          d_table(table),
          d_power_scale(cdl_power_scale(table)),
          d_cross(std::pow(10, -table.xpr_db / 20)),
          d_vertical(std::cos(p.slant_deg * degree)),
          d_horizontal(std::sin(p.slant_deg * degree))
    {
    }

    const cdl_panel_parameters& parameters() const override { return d_p; }

    void generate(uint64_t index, cf* h, double dx, double dy) const override
    {
        random_engine engine = make_engine(d_p.seed, index);
        const size_t size = size_t(d_p.nr) * ports();
        const displacement moved = { dx, dy };
        const double turn_departure = d_p.angle_span_deg * (draw_uniform(engine) - 0.5),
                     turn_arrival = d_p.angle_span_deg * (draw_uniform(engine) - 0.5);
        std::fill_n(h, size * d_p.nc, cf());
        std::vector<cd> cluster(size);
        std::vector<cd> array(size_t(d_p.n1) * d_p.n2);
        for (size_t i = 0; i < d_table.count; i++) {
            const cdl_cluster& c = d_table.clusters[i];
            const double power = d_power_scale * std::pow(10, 0.1 * c.power_db);
            const double aod = c.aod_deg + turn_departure, aoa = c.aoa_deg + turn_arrival;
            std::fill(cluster.begin(), cluster.end(), cd());
            if (d_table.los && i == 0) {
                // Eq. (7.5-29): no cross polarization, horizontal fields of both ends
                // with opposite sign.
                const cd phase = phasor(draw_uniform(engine));
                add({ aod, aoa, c.zod_deg, c.zoa_deg, power, { phase, 0, 0, -phase } },
                    moved,
                    array,
                    cluster);
            } else {
                const cdl_ray_order order(engine);
                for (int m = 0; m < cdl_ray_count; m++) {
                    ray r = { aod + d_table.c_asd_deg * cdl_ray_offsets[m],
                              aoa + d_table.c_asa_deg *
                                        cdl_ray_offsets[order.arrival_azimuth[m]],
                              c.zod_deg + d_table.c_zsd_deg *
                                              cdl_ray_offsets[order.departure_zenith[m]],
                              c.zoa_deg + d_table.c_zsa_deg *
                                              cdl_ray_offsets[order.arrival_zenith[m]],
                              power / cdl_ray_count,
                              {} };
                    for (int k = 0; k < 4; k++)
                        r.polarization[k] = (k == 1 || k == 2 ? d_cross : 1) *
                                            phasor(draw_uniform(engine));
                    add(r, moved, array, cluster);
                }
            }
            const double step = -d_p.spacing_hz * d_p.delay_spread_s * c.delay;
            for (int row = 0; row < d_p.nc; row++) {
                const cf turn(phasor(step * row));
                cf* out = h + row * size;
                for (size_t k = 0; k < size; k++) {
                    const cf x(cluster[k]);
                    out[k] += cf(turn.real() * x.real() - turn.imag() * x.imag(),
                                 turn.real() * x.imag() + turn.imag() * x.real());
                }
            }
        }
    }

private:
    struct ray {
        double aod_deg, aoa_deg, zod_deg, zoa_deg, power;
        cd polarization[4]; // theta theta, theta phi, phi theta, phi phi: arrival first
    };

    struct displacement {
        double x, y; // in wavelengths
    };

    const cdl_panel_parameters d_p;
    const cdl_table& d_table;
    const double d_power_scale, d_cross, d_vertical, d_horizontal;

    // Adds a ray to the matrix nr x ports of its cluster.
    void add(const ray& r,
             const displacement& moved,
             std::vector<cd>& array,
             std::vector<cd>& cluster) const
    {
        const double zenith = r.zod_deg * degree;
        const double u1 = d_p.spacing1 * std::sin(zenith) * std::sin(r.aod_deg * degree),
                     u2 = d_p.spacing2 * std::cos(zenith),
                     arrival =
                         std::sin(r.zoa_deg * degree) * std::sin(r.aoa_deg * degree),
                     forward =
                         std::sin(r.zoa_deg * degree) * std::cos(r.aoa_deg * degree);
        const double power =
            r.power *
            (d_p.sector_element ? cdl_element_power(r.aod_deg, r.zod_deg) : 1.0);
        const double amplitude = std::sqrt(power);
        for (int a = 0; a < d_p.n1; a++)
            for (int b = 0; b < d_p.n2; b++)
                array[a * d_p.n2 + b] = phasor(-(a * u1 + b * u2));
        const size_t n = array.size();
        for (int antenna = 0; antenna < d_p.nr; antenna++) {
            // A pair at each place: fields theta and phi.
            const cd* of = r.polarization + (antenna % 2 ? 2 : 0);
            const cd place =
                amplitude *
                phasor(-(0.5 * (antenna / 2) + moved.y) * arrival - moved.x * forward);
            for (int polarization = 0; polarization < 2; polarization++) {
                const cd gain =
                    place * (d_vertical * of[0] +
                             (polarization ? -d_horizontal : d_horizontal) * of[1]);
                cd* out = cluster.data() + (size_t(antenna) * 2 + polarization) * n;
                for (size_t k = 0; k < n; k++)
                    out[k] += gain * array[k];
            }
        }
    }
};

} // namespace

cdl_panel_channel::sptr cdl_panel_channel::make(const cdl_panel_parameters& p)
{
    const char* where = "cdl_panel_channel";
    const cdl_table& table = find_cdl_table(where, p.profile);
    check_range(where, "n1", p.n1, 1, 64);
    check_range(where, "n2", p.n2, 1, 64);
    const auto positive = [&](const char* name, double x, double most) {
        if (!(x > 0 && x <= most)) {
            std::ostringstream allowed;
            allowed << "above 0, at most " << most;
            throw_bad(where, name, x, allowed.str());
        }
    };
    positive("spacing1", p.spacing1, 100);
    positive("spacing2", p.spacing2, 100);
    check_range(where, "slant_deg", p.slant_deg, 0.0, 90.0);
    check_range(where, "nr", p.nr, 1, 64);
    check_range(where, "nc", p.nc, 1, 65536);
    positive("spacing_hz", p.spacing_hz, 1e9);
    check_range(where, "delay_spread_s", p.delay_spread_s, 0.0, 1e-3);
    check_range(where, "angle_span_deg", p.angle_span_deg, 0.0, 360.0);
    return std::make_shared<cdl_panel_channel_impl>(p, table);
}

} // namespace csifeedback
} // namespace gr
