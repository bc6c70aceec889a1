/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// CDL channels of dual-polarized planar arrays: covariances against what the tables and
// eqs. (7.5-22) and (7.5-29) of TR 38.901 give in the mean.

#include "channel/cdl_tables.h"
#include <gnuradio/csifeedback/cdl_panel_channel.h>
#include <gtest/gtest.h>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
constexpr double degree = M_PI / 180;

cdl_panel_parameters small(char profile)
{
    cdl_panel_parameters p;
    p.profile = profile;
    p.n1 = 2;
    p.n2 = 2;
    p.spacing2 = 0.8;
    p.nr = 4;
    p.nc = 2;
    p.spacing_hz = 2e6;
    return p;
}

cd turn(double x) { return std::polar(1.0, -2 * M_PI * x); }

// Mean over all pairs of an azimuth and a zenith of a cluster.
template <typename function>
cd mean_of_rays(
    double azimuth, double zenith, double c_azimuth, double c_zenith, function f)
{
    cd sum = 0;
    for (const double a : cdl_ray_offsets)
        for (const double z : cdl_ray_offsets)
            sum +=
                f((azimuth + c_azimuth * a) * degree, (zenith + c_zenith * z) * degree);
    return sum / 400.0;
}

// E[h(row 1, antenna r, port s) conj(h(row 0, antenna r2, port s2))].
cd expected(
    const cdl_panel_parameters& p, const cdl_table& table, int r, int s, int r2, int s2)
{
    const int n = p.n1 * p.n2;
    double scale = 0;
    for (size_t i = 0; i < table.count; i++)
        scale += std::pow(10, 0.1 * table.clusters[i].power_db);
    cd sum = 0;
    for (size_t i = 0; i < table.count; i++) {
        const cdl_cluster& c = table.clusters[i];
        const bool los = table.los && i == 0;
        const double weaker = los ? 0 : std::pow(10, -0.1 * table.xpr_db);
        // Fields of the ports: vertical, and horizontal of either sign.
        const double v = std::cos(p.slant_deg * degree),
                     h = std::sin(p.slant_deg * degree);
        const double h1 = s < n ? h : -h, h2 = s2 < n ? h : -h;
        double polarization = 0;
        if (r % 2 == r2 % 2)
            polarization = r % 2 ? weaker * v * v + h1 * h2 : v * v + weaker * h1 * h2;
        else if (los) // one phase of both
            polarization = r % 2 ? -h1 * v : -v * h2;
        const double d1 = p.spacing1 * (s % n / p.n2 - s2 % n / p.n2),
                     d2 = p.spacing2 * (s % p.n2 - s2 % p.n2),
                     d3 = 0.5 * (r / 2 - r2 / 2);
        const auto departure = [&](double azimuth, double zenith) {
            return turn(d1 * std::sin(zenith) * std::sin(azimuth) +
                        d2 * std::cos(zenith));
        };
        const auto arrival = [&](double azimuth, double zenith) {
            return turn(d3 * std::sin(zenith) * std::sin(azimuth));
        };
        const double zero = los ? 0 : 1;
        sum += std::pow(10, 0.1 * c.power_db) / scale * polarization *
               turn(p.spacing_hz * p.delay_spread_s * c.delay) *
               mean_of_rays(c.aod_deg,
                            c.zod_deg,
                            zero * table.c_asd_deg,
                            zero * table.c_zsd_deg,
                            departure) *
               mean_of_rays(c.aoa_deg,
                            c.zoa_deg,
                            zero * table.c_asa_deg,
                            zero * table.c_zsa_deg,
                            arrival);
    }
    return sum;
}

} // namespace

TEST(CdlPanelChannel, CovariancesAreThoseOfTheTables)
{
    for (const auto& table : cdl_tables) {
        auto p = small(table.profile);
        if (table.profile == 'B')
            p.slant_deg = 30;
        const auto channel = cdl_panel_channel::make(p);
        const int ports = channel->ports(), size = p.nr * ports, drops = 1500;
        ASSERT_EQ(ports, 8);
        std::vector<cf> h(2 * size);
        std::vector<cd> covariance(size * size);
        for (int k = 0; k < drops; k++) {
            channel->generate(k, h.data());
            for (int a = 0; a < size; a++)
                for (int b = 0; b < size; b++)
                    covariance[a * size + b] += cd(h[size + a]) * std::conj(cd(h[b]));
        }
        // Mean power, and products of both polarizations, of all vertical antennas: these
        // tell cross polarization ratios apart.
        cd power = 0, product = 0, true_power = 0, true_product = 0;
        for (int r = 0; r < p.nr; r += 2)
            for (int s = 0; s < ports; s++) {
                const int other = (s + ports / 2) % ports, at = r * ports;
                power += covariance[(at + s) * size + at + s] / double(drops);
                product += covariance[(at + s) * size + at + other] / double(drops);
                true_power += expected(p, table, r, s, r, s);
                true_product += expected(p, table, r, s, r, other);
            }
        EXPECT_LT(std::abs(power - true_power), 0.05 * 2 * ports);
        EXPECT_LT(std::abs(product - true_product), 0.05 * 2 * ports);
        for (int a = 0; a < size; a++)
            for (int b = 0; b < size; b++) {
                const cd mean = covariance[a * size + b] / double(drops);
                // Products of Gaussian variables: 5 standard errors.
                ASSERT_NEAR(
                    std::abs(
                        mean -
                        expected(p, table, a / ports, a % ports, b / ports, b % ports)),
                    0,
                    5.0 * 0.7 / std::sqrt(drops))
                    << "CDL-" << table.profile << " " << a << " " << b;
            }
    }
}

TEST(CdlPanelChannel, DropsAreReproducibleAndDifferent)
{
    auto p = small('C');
    const auto one = cdl_panel_channel::make(p), same = cdl_panel_channel::make(p);
    p.seed = 2;
    const auto other = cdl_panel_channel::make(p);
    const size_t n = size_t(p.nc) * p.nr * one->ports();
    std::vector<cf> a(n), b(n);
    one->generate(7, a.data());
    same->generate(7, b.data());
    EXPECT_EQ(a, b);
    same->generate(8, b.data());
    EXPECT_NE(a, b);
    other->generate(7, b.data());
    EXPECT_NE(a, b);
}

// A UE that moves half a wavelength along y has its first antennas where the next pair was;
// along x the correlation is that of the arrival angles of the table.
TEST(CdlPanelChannel, MovesByWavelengths)
{
    for (const auto& table : cdl_tables) {
        auto p = small(table.profile);
        const auto channel = cdl_panel_channel::make(p);
        const int ports = channel->ports(), drops = 600;
        const size_t n = size_t(p.nc) * p.nr * ports;
        std::vector<cf> here(n), moved(n);
        const double dx = 0.4;
        cd product = 0, expected_product = 0;
        double scale = 0;
        for (int k = 0; k < drops; k++) {
            channel->generate(k, here.data());
            channel->generate(k, moved.data(), 0, 0.5);
            for (int row = 0; row < p.nc; row++)
                for (int at = 0; at < 2 * ports; at++)
                    ASSERT_NEAR(std::abs(moved[size_t(row) * p.nr * ports + at] -
                                         here[(size_t(row) * p.nr + 2) * ports + at]),
                                0,
                                1e-5);
            channel->generate(k, moved.data(), dx, 0);
            for (int s = 0; s < ports; s++)
                product += cd(moved[s]) * std::conj(cd(here[s])) / double(drops * ports);
        }
        for (size_t i = 0; i < table.count; i++)
            scale += std::pow(10, 0.1 * table.clusters[i].power_db);
        for (size_t i = 0; i < table.count; i++) {
            const cdl_cluster& c = table.clusters[i];
            const bool los = table.los && i == 0;
            const double weaker = los ? 0 : std::pow(10, -0.1 * table.xpr_db);
            expected_product +=
                std::pow(10, 0.1 * c.power_db) / scale * 0.5 * (1 + weaker) *
                mean_of_rays(c.aoa_deg,
                             c.zoa_deg,
                             los ? 0 : table.c_asa_deg,
                             los ? 0 : table.c_zsa_deg,
                             [dx](double azimuth, double zenith) {
                                 return turn(dx * std::sin(zenith) * std::cos(azimuth));
                             });
        }
        EXPECT_NEAR(std::abs(product - expected_product), 0, 0.08)
            << "CDL-" << table.profile;
    }
}

// Turned arrays see other angles; the element pattern takes power away.
TEST(CdlPanelChannel, AnglesAndElements)
{
    auto p = small('A');
    const auto power = [&] {
        const auto channel = cdl_panel_channel::make(p);
        std::vector<cf> h(size_t(p.nc) * p.nr * channel->ports());
        double sum = 0;
        for (int k = 0; k < 300; k++) {
            channel->generate(k, h.data());
            for (const cf& x : h)
                sum += std::norm(x);
        }
        return sum / (300.0 * h.size());
    };
    const double isotropic = power();
    EXPECT_NEAR(isotropic, 0.5 * (1 + 0.1), 0.06);
    p.sector_element = true;
    const double element = power();
    EXPECT_LT(element, 0.9 * isotropic);
    p.angle_span_deg = 360;
    EXPECT_LT(power(), 0.8 * element);
}

TEST(CdlPanelChannel, RefusesWrongParameters)
{
    const auto refused = [](const std::function<void(cdl_panel_parameters&)>& change,
                            const std::string& what) {
        auto p = small('A');
        change(p);
        try {
            cdl_panel_channel::make(p);
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(what), std::string::npos)
                << error.what();
            return;
        }
        ADD_FAILURE() << what;
    };
    refused([](auto& p) { p.profile = 'F'; }, "profile is F");
    refused([](auto& p) { p.n1 = 0; }, "n1 is 0");
    refused([](auto& p) { p.n2 = 65; }, "n2 is 65");
    refused([](auto& p) { p.nr = 0; }, "nr is 0");
    refused([](auto& p) { p.nc = 0; }, "nc is 0");
    refused([](auto& p) { p.spacing1 = 0; }, "spacing1 is 0");
    refused([](auto& p) { p.spacing2 = NAN; }, "spacing2 is nan");
    refused([](auto& p) { p.slant_deg = 91; }, "slant_deg is 91");
    refused([](auto& p) { p.spacing_hz = -1; }, "spacing_hz is -1");
    refused([](auto& p) { p.delay_spread_s = 1; }, "delay_spread_s is 1");
    refused([](auto& p) { p.angle_span_deg = 361; }, "angle_span_deg is 361");
}
