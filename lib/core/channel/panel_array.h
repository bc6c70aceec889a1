/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PANEL_ARRAY_H
#define INCLUDED_CSIFEEDBACK_PANEL_ARRAY_H

#include "channel/cdl_rays.h"
#include "channel/phasor.h"
#include "check.h"
#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

namespace gr {
namespace csifeedback {

//! A ray between two arrays of polarized elements.
struct panel_ray {
    double aod_deg, aoa_deg, zod_deg, zoa_deg, power;
    // theta theta, theta phi, phi theta, phi phi: arrival first
    std::complex<double> polarization[4];
};

//! Checks what the parameters of panel channels have in common.
template <typename parameters>
void check_panel(const char* where, const parameters& p)
{
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
    check_range(where, "rows_per_port", p.rows_per_port, 1, 64);
    check_range(where, "electrical_downtilt_deg", p.electrical_downtilt_deg, -90.0, 90.0);
}

/*!
 * \brief A dual-polarized planar array of n1 x n2 slanted dipoles of model-2 (7.3.2) and a
 * UE of nr antennas, vertical and horizontal in turn, pairs half a wavelength apart.
 *
 * The planar array stands in the y-z plane, columns along y, rows along z, turned down by
 * a downtilt. A port may be several elements above each other, whose phases turn its beam
 * down.
 */
class panel_array
{
public:
    using cf = std::complex<float>;
    using cd = std::complex<double>;

    struct displacement {
        double x, y; // in wavelengths
    };

    struct workspace {
        std::vector<cd> array;   // n1 x n2
        std::vector<cd> cluster; // nr x ports
    };

    template <typename parameters>
    panel_array(const parameters& p, bool sector_element, double downtilt_deg = 0)
        : d_n1(p.n1),
          d_n2(p.n2),
          d_nr(p.nr),
          d_spacing1(p.spacing1),
          d_spacing2(p.spacing2),
          d_vertical(std::cos(p.slant_deg * degree)),
          d_horizontal(std::sin(p.slant_deg * degree)),
          d_rows_per_port(p.rows_per_port),
          d_port_turn(std::sin(p.electrical_downtilt_deg * degree)),
          d_sector_element(sector_element),
          d_tilted(downtilt_deg != 0),
          d_tilt_cos(std::cos(downtilt_deg * degree)),
          d_tilt_sin(std::sin(downtilt_deg * degree))
    {
    }

    size_t size() const { return size_t(2) * d_nr * d_n1 * d_n2; }

    void clear(workspace& w) const
    {
        w.array.resize(size_t(d_n1) * d_n2);
        w.cluster.assign(size(), cd());
    }

    //! Angles of departure in the coordinates of the turned array (7.1-7, 7.1-8) and the
    //! turn psi of the fields (7.1-15).
    struct departure {
        double aod_deg, zod_deg, psi;
    };
    departure local(double aod_deg, double zod_deg) const
    {
        if (!d_tilted)
            return { aod_deg, zod_deg, 0 };
        const double a = aod_deg * degree, z = zod_deg * degree;
        const double ca = std::cos(a), sa = std::sin(a), cz = std::cos(z),
                     sz = std::sin(z);
        const double up = ca * sz * d_tilt_sin + cz * d_tilt_cos;
        return { std::atan2(sa * sz, ca * sz * d_tilt_cos - cz * d_tilt_sin) / degree,
                 std::acos(std::max(-1.0, std::min(1.0, up))) / degree,
                 std::atan2(d_tilt_sin * sa, d_tilt_cos * sz - d_tilt_sin * cz * ca) };
    }

    //! What a port of several rows makes of a ray, zenith of the turned array; weights of
    //! the power 1.
    cd port_gain(double cos_zenith) const
    {
        if (d_rows_per_port == 1)
            return 1;
        // The beam points to the zenith 90 + electrical downtilt, whose cosine is minus
        // its sine.
        const double turn = d_spacing2 / d_rows_per_port * (cos_zenith + d_port_turn);
        cd sum = 0;
        for (int k = 0; k < d_rows_per_port; k++)
            sum += phasor(-k * turn);
        return sum / std::sqrt(double(d_rows_per_port));
    }

    //! Adds a ray to the matrix of its cluster.
    void add(const panel_ray& r, const displacement& moved, workspace& w) const
    {
        const departure from = local(r.aod_deg, r.zod_deg);
        const double zenith = from.zod_deg * degree;
        const double u1 = d_spacing1 * std::sin(zenith) * std::sin(from.aod_deg * degree),
                     u2 = d_spacing2 * std::cos(zenith),
                     arrival =
                         std::sin(r.zoa_deg * degree) * std::sin(r.aoa_deg * degree),
                     forward =
                         std::sin(r.zoa_deg * degree) * std::cos(r.aoa_deg * degree);
        const double power =
            r.power *
            (d_sector_element ? cdl_element_power(from.aod_deg, from.zod_deg) : 1.0);
        const cd amplitude = std::sqrt(power) * port_gain(std::cos(zenith));
        for (int a = 0; a < d_n1; a++)
            for (int b = 0; b < d_n2; b++)
                w.array[a * d_n2 + b] = phasor(-(a * u1 + b * u2));
        // Fields of the two polarizations, turned by psi (7.1-11).
        double theta[2] = { d_vertical, d_vertical },
               phi[2] = { d_horizontal, -d_horizontal };
        if (d_tilted) {
            const double c = std::cos(from.psi), s = std::sin(from.psi);
            for (int i = 0; i < 2; i++) {
                const double t = theta[i], f = phi[i];
                theta[i] = c * t - s * f;
                phi[i] = s * t + c * f;
            }
        }
        const size_t n = w.array.size();
        const double* const array = reinterpret_cast<const double*>(w.array.data());
        for (int antenna = 0; antenna < d_nr; antenna++) {
            // A pair at each place: fields theta and phi.
            const cd* of = r.polarization + (antenna % 2 ? 2 : 0);
            const cd place =
                amplitude *
                phasor(-(0.5 * (antenna / 2) + moved.y) * arrival - moved.x * forward);
            for (int polarization = 0; polarization < 2; polarization++) {
                const cd gain =
                    place * (theta[polarization] * of[0] + phi[polarization] * of[1]);
                const double re = gain.real(), im = gain.imag();
                double* out = reinterpret_cast<double*>(
                    w.cluster.data() + (size_t(antenna) * 2 + polarization) * n);
                for (size_t k = 0; k < n; k++) {
                    out[2 * k] += re * array[2 * k] - im * array[2 * k + 1];
                    out[2 * k + 1] += re * array[2 * k + 1] + im * array[2 * k];
                }
            }
        }
    }

    //! Adds the matrix of a cluster to H, nc rows; turns: of one row to the next, of its
    //! delay.
    void spread(const workspace& w, double turns, int nc, cf* h) const
    {
        const size_t n = size();
        for (int row = 0; row < nc; row++) {
            const cf turn(phasor(turns * row));
            cf* out = h + row * n;
            for (size_t k = 0; k < n; k++) {
                const cf x(w.cluster[k]);
                out[k] += cf(turn.real() * x.real() - turn.imag() * x.imag(),
                             turn.real() * x.imag() + turn.imag() * x.real());
            }
        }
    }

private:
    static constexpr double degree = M_PI / 180;

    const int d_n1, d_n2, d_nr;
    const double d_spacing1, d_spacing2, d_vertical, d_horizontal;
    const int d_rows_per_port;
    const double d_port_turn; // sine of the electrical downtilt
    const bool d_sector_element, d_tilted;
    const double d_tilt_cos, d_tilt_sin;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PANEL_ARRAY_H */
