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
#include <utility>
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

// Mean angle and RMS angle spread of Annex A over rays, in degrees.
std::pair<double, double> circular(const std::vector<std::pair<double, double>>& rays)
{
    cd sum = 0;
    double power = 0;
    for (const auto& [angle, p] : rays) {
        sum += p * std::polar(1.0, angle * degree);
        power += p;
    }
    return { std::arg(sum) / degree,
             std::sqrt(-2 * std::log(std::abs(sum / power))) / degree };
}

// Covariances of turned arrays and scaled angles, summed over the polarizations of both
// ends: their fields are orthogonal, so the sum does not depend on how they are turned.
TEST(CdlPanelChannel, TurnedArraysAndScaledAngles)
{
    for (const auto& table : cdl_tables) {
        auto p = small(table.profile);
        p.asd_deg = 9;
        p.asa_deg = 35;
        p.zsd_deg = 4;
        p.zsa_deg = 12;
        p.bearing_deg = 25;
        p.downtilt_deg = 14;
        p.ue_bearing_deg = -50;

        // The angles of all rays, and what becomes of them.
        struct {
            double cdl_cluster::*angle;
            double offset, spread, low, high;
            double mean = 0, ratio = 0;
            double operator()(double x) const
            {
                while (x - mean > 180)
                    x -= 360;
                while (x - mean < -180)
                    x += 360;
                return std::min(std::max(mean + ratio * (x - mean), low), high);
            }
        } scales[4] = {
            { &cdl_cluster::aod_deg, table.c_asd_deg, p.asd_deg, -1e9, 1e9 },
            { &cdl_cluster::aoa_deg, table.c_asa_deg, p.asa_deg, -1e9, 1e9 },
            { &cdl_cluster::zod_deg, table.c_zsd_deg, p.zsd_deg, 0, 180 },
            { &cdl_cluster::zoa_deg, table.c_zsa_deg, p.zsa_deg, 0, 180 },
        };
        double total = 0;
        for (size_t i = 0; i < table.count; i++)
            total += std::pow(10, 0.1 * table.clusters[i].power_db);
        for (auto& scale : scales) {
            std::vector<std::pair<double, double>> rays, scaled;
            for (size_t i = 0; i < table.count; i++)
                for (const double offset : cdl_ray_offsets)
                    rays.emplace_back(
                        table.clusters[i].*scale.angle +
                            (table.los && i == 0 ? 0 : scale.offset * offset),
                        std::pow(10, 0.1 * table.clusters[i].power_db));
            const auto [mean, spread] = circular(rays);
            scale.mean = mean;
            scale.ratio = scale.spread / spread;
            for (const auto& [angle, power] : rays)
                scaled.emplace_back(scale(angle), power);
            // The spread that was wanted, as far as the circle is a line there.
            if (scale.spread > 15)
                continue;
            EXPECT_NEAR(circular(scaled).second, scale.spread, 0.1 * scale.spread);
            EXPECT_NEAR(std::remainder(circular(scaled).first - mean, 360),
                        0,
                        0.1 * scale.spread);
        }

        const auto channel = cdl_panel_channel::make(p);
        const int n = p.n1 * p.n2, ports = 2 * n, size = p.nr * ports, drops = 1500;
        // A pair of places of the UE and one of places of the BS, pairs of antennas each.
        const auto expected_sum = [&](int row1, int place, int at) {
            cd sum = 0;
            for (size_t i = 0; i < table.count; i++) {
                const cdl_cluster& c = table.clusters[i];
                const bool los = table.los && i == 0;
                const double weaker = los ? 0 : std::pow(10, -0.1 * table.xpr_db);
                const double tilt = p.downtilt_deg * degree;
                // Angles before the scales: mean_of_rays() gives radians.
                const auto departure = [&](double azimuth, double zenith) {
                    const double a = (scales[0](azimuth / degree) - p.bearing_deg) *
                                     degree,
                                 z = scales[2](zenith / degree) * degree;
                    // The direction in the axes of the array, turned about y.
                    const double y = std::sin(z) * std::sin(a),
                                 up = std::cos(a) * std::sin(z) * std::sin(tilt) +
                                      std::cos(z) * std::cos(tilt);
                    return turn(p.spacing1 * (at / p.n2) * y +
                                p.spacing2 * (at % p.n2) * up);
                };
                const auto arrival = [&](double azimuth, double zenith) {
                    const double a =
                        (scales[1](azimuth / degree) - p.ue_bearing_deg) * degree;
                    return turn(0.5 * place *
                                std::sin(scales[3](zenith / degree) * degree) *
                                std::sin(a));
                };
                const double zero = los ? 0 : 1;
                sum += std::pow(10, 0.1 * c.power_db) / total * 2.0 * (1 + weaker) *
                       turn(row1 * p.spacing_hz * p.delay_spread_s * c.delay) *
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
        };
        std::vector<cf> h(2 * size);
        std::vector<cd> found(2 * 2 * n);
        for (int k = 0; k < drops; k++) {
            channel->generate(k, h.data());
            for (int row = 0; row < 2; row++)
                for (int place = 0; place < 2; place++)
                    for (int at = 0; at < n; at++)
                        for (int ue = 0; ue < 2; ue++)
                            for (int bs = 0; bs < 2; bs++)
                                found[(row * 2 + place) * n + at] +=
                                    cd(h[row * size + (2 * place + ue) * ports + bs * n +
                                         at]) *
                                    std::conj(cd(h[ue * ports + bs * n])) / double(drops);
        }
        for (int row = 0; row < 2; row++)
            for (int place = 0; place < 2; place++)
                for (int at = 0; at < n; at++)
                    EXPECT_NEAR(std::abs(found[(row * 2 + place) * n + at] -
                                         expected_sum(row, place, at)),
                                0,
                                5.0 * 2 / std::sqrt(drops))
                        << "CDL-" << table.profile << " " << row << " " << place << " "
                        << at;
    }
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
    refused([](auto& p) { p.asd_deg = -1; }, "asd_deg is -1");
    refused([](auto& p) { p.asa_deg = 400; }, "asa_deg is 400");
    refused([](auto& p) { p.zsd_deg = NAN; }, "zsd_deg is nan");
    refused([](auto& p) { p.zsa_deg = -1; }, "zsa_deg is -1");
    refused([](auto& p) { p.bearing_deg = 361; }, "bearing_deg is 361");
    refused([](auto& p) { p.downtilt_deg = 91; }, "downtilt_deg is 91");
    refused([](auto& p) { p.ue_bearing_deg = -361; }, "ue_bearing_deg is -361");
}
