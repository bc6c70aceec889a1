/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// CDL-A to CDL-E against tables and formulas of 3GPP TR 38.901: what a drop must be
// exactly (powers, delays, ray angles, Doppler shifts), and what is random against its
// expectation over phases and ray coupling.

#include "channel_statistics.h"
#include <gnuradio/csifeedback/cdl_channel.h>
#include <boost/property_tree/json_parser.hpp>
#include <algorithm>
#include <limits>
#include <map>
#include <set>

using namespace gr::csifeedback;

namespace {

constexpr double speed_of_light = 299792458;
constexpr double degree = M_PI / 180;
constexpr int rays = 20;
const std::string profiles = "ABCDE";

struct table {
    bool los;
    double c_asd, c_asa, c_zsd, c_zsa;
    std::vector<double> delay, power, aod, aoa, zod, zoa; // power: linear, sum 1
};

struct standard_tables {
    std::vector<double> offsets;
    std::map<char, table> profile;
};

// The standard's numbers, read apart from those of the library.
const standard_tables& standard()
{
    static const standard_tables tables = [] {
        boost::property_tree::ptree json;
        read_json(CSIFEEDBACK_TEST_DATA "/cdl_38901.json", json);
        const auto numbers = [](const boost::property_tree::ptree& array) {
            std::vector<double> values;
            for (const auto& item : array)
                values.push_back(item.second.get_value<double>());
            return values;
        };
        standard_tables all;
        all.offsets = numbers(json.get_child("ray_offsets"));
        for (const char profile : profiles) {
            const auto& from = json.get_child(std::string("CDL-") + profile);
            table t{ from.get<int>("los") == 1,
                     from.get<double>("c_asd"),
                     from.get<double>("c_asa"),
                     from.get<double>("c_zsd"),
                     from.get<double>("c_zsa"),
                     numbers(from.get_child("delay_norm")),
                     numbers(from.get_child("power_db")),
                     numbers(from.get_child("aod_deg")),
                     numbers(from.get_child("aoa_deg")),
                     numbers(from.get_child("zod_deg")),
                     numbers(from.get_child("zoa_deg")) };
            double sum = 0;
            for (double& p : t.power)
                sum += p = std::pow(10, p / 10);
            for (double& p : t.power)
                p /= sum;
            all.profile[profile] = t;
        }
        return all;
    }();
    return tables;
}

// Rays of row i of a table: one where it is the line of sight.
int rays_of(const table& t, size_t i) { return t.los && i == 0 ? 1 : rays; }
double offset(const table& t, size_t i, int m)
{
    return rays_of(t, i) == 1 ? 0 : standard().offsets[m];
}

// Mean of f(m, n) over all pairs of rays of row i: coupling is a random permutation.
template <typename F>
cd coupled(const table& t, size_t i, F f)
{
    cd sum = 0;
    const int count = rays_of(t, i);
    for (int m = 0; m < count; m++)
        for (int n = 0; n < count; n++)
            sum += f(offset(t, i, m), offset(t, i, n));
    return sum / double(count * count);
}

cdl_parameters parameters(char profile, int nc = 1, int nt = 1)
{
    cdl_parameters p;
    p.profile = profile;
    p.grid.nc = nc;
    p.grid.nt = nt;
    p.align = false;
    p.seed = 7;
    return p;
}

TEST(cdl_channel, delays_and_powers_are_those_of_the_table)
{
    for (const char profile : profiles) {
        const table& t = standard().profile.at(profile);
        for (const double delay_spread_s : { 0.0, 30e-9, 363e-9 }) {
            cdl_parameters p = parameters(profile);
            p.delay_spread_s = delay_spread_s;
            const auto paths = cdl_channel::make(p)->paths(3);
            size_t at = 0;
            for (size_t i = 0; i < t.power.size(); i++)
                for (int m = 0; m < rays_of(t, i); m++, at++) {
                    ASSERT_LT(at, paths.size());
                    EXPECT_NEAR(paths[at].delay_s, t.delay[i] * delay_spread_s, 1e-18);
                    EXPECT_NEAR(
                        std::norm(paths[at].gain) * rays_of(t, i) / t.power[i], 1, 1e-12);
                }
            EXPECT_EQ(at, paths.size());
            EXPECT_NEAR(power_of(paths), 1, 1e-12);
            // CDL-D's table itself is 0.6% off, as its numbers are rounded.
            EXPECT_NEAR(delay_spread(paths), delay_spread_s, 0.007 * delay_spread_s);
        }
    }
}

// Clause 7.7.1: the K-factor of cluster 1 is 13.3 dB for CDL-D, 22 dB for CDL-E.
TEST(cdl_channel, line_of_sight_has_the_k_factor)
{
    for (const auto& [profile, k_db] : { std::pair{ 'D', 13.3 }, { 'E', 22.0 } }) {
        const auto paths = cdl_channel::make(parameters(profile))->paths(0);
        double scattered = 0;
        for (int m = 1; m <= rays; m++) {
            EXPECT_EQ(paths[m].delay_s, 0);
            scattered += std::norm(paths[m].gain);
        }
        EXPECT_NEAR(10 * std::log10(std::norm(paths[0].gain) / scattered), k_db, 1e-9);
    }
    for (const char profile : { 'A', 'B', 'C' })
        EXPECT_EQ(cdl_channel::make(parameters(profile))->paths(0).size() % rays, 0u);
}

/*!
 * \brief Finds the zenith offset of every ray of departure from its direction cosine,
 * row by row; expects each offset once in every row.
 * \param turn added to all azimuths of departure, in degree
 */
std::vector<int>
zenith_order(const table& t, const std::vector<propagation_path>& paths, double turn = 0)
{
    std::vector<int> order;
    for (size_t i = 0; i < t.power.size(); i++) {
        std::set<int> used;
        for (int m = 0; m < rays_of(t, i); m++) {
            const double across =
                std::sin((t.aod[i] + turn + t.c_asd * offset(t, i, m)) * degree);
            int found = -1;
            for (int n = 0; n < rays_of(t, i); n++) {
                const double zenith = (t.zod[i] + t.c_zsd * offset(t, i, n)) * degree;
                if (std::abs(std::sin(zenith) * across - paths[order.size()].u) < 1e-12)
                    found = n;
            }
            order.push_back(found);
            used.insert(found);
            EXPECT_GE(found, 0) << "row " << i << " ray " << m;
        }
        EXPECT_EQ(used.size(), size_t(rays_of(t, i))) << "row " << i;
    }
    return order;
}

TEST(cdl_channel, departures_are_the_rays_of_the_table)
{
    for (const char profile : profiles) {
        const auto model = cdl_channel::make(parameters(profile));
        for (int drop = 0; drop < 20; drop++)
            zenith_order(standard().profile.at(profile), model->paths(drop));
    }
}

// Counts of random permutations have a chi-square statistic of (rays - 1)^2 degrees of
// freedom, between 270 and 470 with probability 0.9998.
TEST(cdl_channel, coupling_is_uniform)
{
    const table& t = standard().profile.at('B');
    const auto model = cdl_channel::make(parameters('B'));
    const int drops = 2000, row = 3;
    std::vector<double> count(rays * rays);
    for (int drop = 0; drop < drops; drop++) {
        const auto order = zenith_order(t, model->paths(drop));
        for (int m = 0; m < rays; m++)
            count[m * rays + order[row * rays + m]]++;
    }
    double squares = 0;
    for (const double c : count)
        squares += std::pow(c - double(drops) / rays, 2);
    const double statistic = (rays - 1) * squares / drops;
    EXPECT_GT(statistic, 270);
    EXPECT_LT(statistic, 470);
}

TEST(cdl_channel, mean_and_spread_of_departure)
{
    for (const char profile : profiles) {
        const table& t = standard().profile.at(profile);
        const auto model = cdl_channel::make(parameters(profile));
        sample first, second;
        for (int drop = 0; drop < 2000; drop++) {
            double u = 0, uu = 0;
            for (const auto& p : model->paths(drop)) {
                u += std::norm(p.gain) * p.u;
                uu += std::norm(p.gain) * p.u * p.u;
            }
            first.add(u);
            second.add(uu);
        }
        double u = 0, uu = 0;
        for (size_t i = 0; i < t.power.size(); i++) {
            const auto cosine = [&](double a, double z) {
                return std::sin((t.zod[i] + t.c_zsd * z) * degree) *
                       std::sin((t.aod[i] + t.c_asd * a) * degree);
            };
            u += t.power[i] * coupled(t, i, cosine).real();
            uu += t.power[i] * coupled(t, i, [&](double a, double z) {
                                   return std::pow(cosine(a, z), 2);
                               }).real();
        }
        expect_mean(first, u, std::string("mean u, ") + profile);
        expect_mean(second, uu, std::string("mean u^2, ") + profile);
    }
}

TEST(cdl_channel, phases_are_uniform_and_powers_fade)
{
    for (const char profile : profiles) {
        const auto model = cdl_channel::make(parameters(profile));
        std::vector<double> one, other;
        sample power, square, mean_re, mean_im;
        double sum_of_squares = 0;
        for (int drop = 0; drop < 10000; drop++) {
            cf h;
            channel_sample_info info;
            model->generate(drop, &h, &info);
            EXPECT_NEAR(info.energy / std::norm(h), 1, 1e-5);
            power.add(info.energy);
            square.add(info.energy * info.energy);
            mean_re.add(h.real());
            mean_im.add(h.imag());
            const auto paths = model->paths(drop);
            one.push_back(std::arg(paths[0].gain) / (2 * M_PI) + 0.5);
            other.push_back(std::arg(paths[200].gain / paths[100].gain) / (2 * M_PI) +
                            0.5);
            if (drop == 0)
                for (const auto& p : paths)
                    sum_of_squares += std::pow(std::norm(p.gain), 2);
        }
        const std::string name(1, profile);
        expect_mean(power, 1, "power, " + name);
        // Of a sum of waves of independent uniform phases.
        expect_mean(square, 2 - sum_of_squares, "power squared, " + name);
        expect_mean(mean_re, 0, "real part, " + name);
        expect_mean(mean_im, 0, "imaginary part, " + name);
        EXPECT_LT(kolmogorov(one), kolmogorov_limit) << name;
        EXPECT_LT(kolmogorov(other), kolmogorov_limit) << name;
    }
}

struct motion {
    char profile;
    double speed_mps, azimuth_deg, zenith_deg;
};
const motion motions[] = { { 'A', 10, 0, 90 },
                           { 'B', 30, 45, 60 },
                           { 'C', 3, -120, 135 },
                           { 'D', 20, 180, 90 },
                           { 'E', 20, 90, 0 } };

double doppler(const motion& m, double carrier_hz, double aoa_deg, double zoa_deg)
{
    const auto direction = [](double azimuth, double zenith) {
        return std::vector<double>{
            std::sin(zenith * degree) * std::cos(azimuth * degree),
            std::sin(zenith * degree) * std::sin(azimuth * degree),
            std::cos(zenith * degree)
        };
    };
    const auto a = direction(aoa_deg, zoa_deg),
               b = direction(m.azimuth_deg, m.zenith_deg);
    return m.speed_mps * carrier_hz / speed_of_light *
           (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

TEST(cdl_channel, doppler_autocorrelation)
{
    for (const motion& m : motions) {
        const table& t = standard().profile.at(m.profile);
        cdl_parameters p = parameters(m.profile);
        p.speed_mps = m.speed_mps;
        p.travel_azimuth_deg = m.azimuth_deg;
        p.travel_zenith_deg = m.zenith_deg;
        p.slots_per_drop = 5;
        p.sample_interval_s = 0.12 * speed_of_light / (p.carrier_hz * m.speed_mps);
        const auto model = cdl_channel::make(p);
        std::vector<sample> re(p.slots_per_drop), im(p.slots_per_drop);
        for (int drop = 0; drop < 3000; drop++) {
            cf first;
            for (int slot = 0; slot < p.slots_per_drop; slot++) {
                cf h;
                model->generate(drop * p.slots_per_drop + slot, &h);
                if (slot == 0)
                    first = h;
                const cd product = cd(h) * std::conj(cd(first));
                re[slot].add(product.real());
                im[slot].add(product.imag());
            }
        }
        for (int slot = 0; slot < p.slots_per_drop; slot++) {
            cd expected = 0;
            for (size_t i = 0; i < t.power.size(); i++)
                expected += t.power[i] * coupled(t, i, [&](double a, double z) {
                                return std::polar(1.0,
                                                  2 * M_PI * slot * p.sample_interval_s *
                                                      doppler(m,
                                                              p.carrier_hz,
                                                              t.aoa[i] + t.c_asa * a,
                                                              t.zoa[i] + t.c_zsa * z));
                            });
            const std::string name = std::string(1, m.profile) + std::to_string(slot);
            expect_mean(re[slot], expected.real(), "real part, " + name);
            expect_mean(im[slot], expected.imag(), "imaginary part, " + name);
        }
    }
}

// Every ray keeps delay, direction and power in a drop and turns at a constant rate,
// which is that of one pair of the table's arrival angles; H is the sum of the turned
// rays.
TEST(cdl_channel, slots_are_the_first_one_turned)
{
    for (const motion& m : motions) {
        const table& t = standard().profile.at(m.profile);
        cdl_parameters p = parameters(m.profile, 16, 4);
        p.speed_mps = m.speed_mps;
        p.travel_azimuth_deg = m.azimuth_deg;
        p.travel_zenith_deg = m.zenith_deg;
        p.slots_per_drop = 100;
        p.sample_interval_s = 0.4 * speed_of_light / (p.carrier_hz * m.speed_mps);
        const auto model = cdl_channel::make(p);
        EXPECT_EQ(model->sample_interval_s(), p.sample_interval_s);
        const uint64_t base = 3 * p.slots_per_drop;
        const auto first = model->paths(base), second = model->paths(base + 1);
        std::vector<double> turns;
        for (size_t i = 0, at = 0; i < t.power.size(); i++)
            for (int ray = 0; ray < rays_of(t, i); ray++, at++) {
                const double turn =
                    std::arg(second[at].gain / first[at].gain) / (2 * M_PI);
                double nearest = 1;
                for (int a = 0; a < rays_of(t, i); a++)
                    for (int z = 0; z < rays_of(t, i); z++)
                        nearest = std::min(
                            nearest,
                            std::abs(turn -
                                     p.sample_interval_s *
                                         doppler(m,
                                                 p.carrier_hz,
                                                 t.aoa[i] + t.c_asa * offset(t, i, a),
                                                 t.zoa[i] + t.c_zsa * offset(t, i, z))));
                EXPECT_LT(nearest, 1e-11) << m.profile << " row " << i;
                turns.push_back(turn);
            }
        const int slot = 57;
        const auto later = model->paths(base + slot);
        std::vector<cf> h(16 * 4);
        model->generate(base + slot, h.data());
        double error = 0;
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 4; n++) {
                cd sum = 0;
                for (size_t i = 0; i < first.size(); i++)
                    sum += first[i].gain *
                           std::polar(1.0,
                                      2 * M_PI *
                                          (slot * turns[i] -
                                           k * p.grid.spacing_hz * first[i].delay_s -
                                           0.5 * n * first[i].u));
                error += std::norm(cd(h[k * 4 + n]) - sum);
            }
        EXPECT_LT(std::sqrt(error / energy_of(h)), 1e-6);
        for (size_t i = 0; i < first.size(); i++) {
            EXPECT_EQ(later[i].delay_s, first[i].delay_s);
            EXPECT_EQ(later[i].u, first[i].u);
            EXPECT_NEAR(std::norm(later[i].gain) / std::norm(first[i].gain), 1, 1e-12);
        }
        // The next drop is another one.
        EXPECT_NE(model->paths(base + p.slots_per_drop)[40].u, first[40].u);
    }
    EXPECT_EQ(cdl_channel::make(parameters('A'))->sample_interval_s(), 0);
}

TEST(cdl_channel, frequency_and_antenna_correlation)
{
    const int nc = 6, nt = 5;
    for (const char profile : profiles) {
        const table& t = standard().profile.at(profile);
        cdl_parameters p = parameters(profile, nc, nt);
        p.grid.spacing_hz = 0.7e6;
        const auto model = cdl_channel::make(p);
        std::vector<sample> re(nc * nt), im(nc * nt);
        for (int drop = 0; drop < 4000; drop++) {
            std::vector<cf> h(nc * nt);
            model->generate(drop, h.data());
            for (int i = 0; i < nc * nt; i++) {
                const cd product = cd(h[i]) * std::conj(cd(h[0]));
                re[i].add(product.real());
                im[i].add(product.imag());
            }
        }
        // Along one axis and then the other.
        for (int i = 0; i < nc * nt; i++) {
            const int k = i / nt, n = i % nt;
            if (k > 0 && n > 0)
                continue;
            cd expected = 0;
            for (size_t c = 0; c < t.power.size(); c++)
                expected += t.power[c] *
                            std::polar(1.0,
                                       -2 * M_PI * k * p.grid.spacing_hz *
                                           p.delay_spread_s * t.delay[c]) *
                            coupled(t, c, [&](double a, double z) {
                                return std::polar(
                                    1.0,
                                    -2 * M_PI * p.grid.antenna_spacing * n *
                                        std::sin((t.zod[c] + t.c_zsd * z) * degree) *
                                        std::sin((t.aod[c] + t.c_asd * a) * degree));
                            });
            const std::string name = std::string(1, profile) + " row " +
                                     std::to_string(k) + " antenna " + std::to_string(n);
            expect_mean(re[i], expected.real(), "real part, " + name);
            expect_mean(im[i], expected.imag(), "imaginary part, " + name);
        }
    }
}

TEST(cdl_channel, delay_spread_is_log_uniform)
{
    cdl_parameters p = parameters('C');
    p.delay_spread_s = 20e-9;
    p.max_delay_spread_s = 700e-9;
    const auto model = cdl_channel::make(p);
    std::vector<double> where;
    for (int drop = 0; drop < 3000; drop++)
        where.push_back(std::log(delay_spread(model->paths(drop)) / p.delay_spread_s) /
                        std::log(p.max_delay_spread_s / p.delay_spread_s));
    // The table's own spread is 1 but for 4e-6.
    EXPECT_LT(kolmogorov(where), kolmogorov_limit);
}

TEST(cdl_channel, mean_angles_are_turned)
{
    // The line of sight tells by how much; motion across it makes the arrival visible.
    const table& t = standard().profile.at('D');
    cdl_parameters p = parameters('D');
    p.angle_span_deg = 160;
    p.speed_mps = 10;
    p.travel_azimuth_deg = 90;
    p.slots_per_drop = 2;
    p.sample_interval_s = 0.2 * speed_of_light / (p.carrier_hz * p.speed_mps);
    const auto model = cdl_channel::make(p);
    std::vector<double> departure, arrival;
    sample product;
    for (int drop = 0; drop < 3000; drop++) {
        const auto paths = model->paths(2 * drop), next = model->paths(2 * drop + 1);
        const double out = std::asin(paths[0].u / std::sin(t.zod[0] * degree)) / degree;
        // cos(-180 + turn - 90) = -sin(turn)
        const double in = -std::asin(std::arg(next[0].gain / paths[0].gain) /
                                     (2 * M_PI * 0.2 * std::sin(t.zoa[0] * degree))) /
                          degree;
        departure.push_back(out / p.angle_span_deg + 0.5);
        arrival.push_back(in / p.angle_span_deg + 0.5);
        product.add(out * in);
        if (drop < 5)
            zenith_order(t, paths, out); // all clusters turn alike
    }
    EXPECT_LT(kolmogorov(departure), kolmogorov_limit);
    EXPECT_LT(kolmogorov(arrival), kolmogorov_limit);
    expect_mean(product, 0, "product of the turns");
}

// Table 7.3-1: 65 degrees half-power beam width, 30 dB side lobe limit each way and in
// all.
TEST(cdl_channel, sector_element)
{
    for (const char profile : profiles) {
        const table& t = standard().profile.at(profile);
        cdl_parameters p = parameters(profile);
        const auto isotropic = cdl_channel::make(p)->paths(4);
        p.sector_element = true;
        const auto directive = cdl_channel::make(p)->paths(4);
        p.normalize = true;
        EXPECT_NEAR(power_of(cdl_channel::make(p)->paths(4)), 1, 1e-12);
        const auto order = zenith_order(t, isotropic);
        for (size_t i = 0, at = 0; i < t.power.size(); i++)
            for (int m = 0; m < rays_of(t, i); m++, at++) {
                double azimuth = t.aod[i] + t.c_asd * offset(t, i, m);
                azimuth -= 360 * std::floor((azimuth + 180) / 360);
                const double zenith = t.zod[i] + t.c_zsd * offset(t, i, order[at]);
                const double loss_db =
                    std::min(30.0,
                             std::min(30.0, 12 * std::pow((zenith - 90) / 65, 2)) +
                                 std::min(30.0, 12 * std::pow(azimuth / 65, 2)));
                EXPECT_NEAR(20 * std::log10(std::abs(isotropic[at].gain) /
                                            std::abs(directive[at].gain)),
                            loss_db,
                            1e-9);
                EXPECT_EQ(isotropic[at].u, directive[at].u);
            }
    }
}

TEST(cdl_channel, names_and_parameters)
{
    for (const char profile : profiles) {
        const auto model = cdl_channel::make(parameters(profile, 12, 3));
        EXPECT_EQ(model->name(), std::string("cdl-") + char(std::tolower(profile)));
        std::istringstream text(model->parameters());
        boost::property_tree::ptree json;
        read_json(text, json);
        EXPECT_EQ(json.get<std::string>("model"),
                  std::string("3GPP TR 38.901 CDL-") + profile);
        EXPECT_EQ(json.get<int>("nc"), 12);
        EXPECT_EQ(json.get<int>("nt"), 3);
        EXPECT_EQ(json.get<double>("delay_spread_s"), 100e-9);
        EXPECT_EQ(json.get<int>("seed"), 7);
        EXPECT_EQ(model->grid().nc, 12);
        EXPECT_EQ(model->grid().nt, 3);
    }
}

TEST(cdl_channel, bad_parameters_are_named)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto bad = [](auto set, const std::vector<std::string>& words) {
        cdl_parameters p;
        set(p);
        expect_bad([&] { cdl_channel::make(p); }, words);
    };
    using P = cdl_parameters;
    bad([](P& p) { p.profile = 'F'; },
        { "cdl_channel", "profile is F", "A, B, C, D, E" });
    bad([](P& p) { p.profile = 'a'; }, { "profile is a" });
    bad([](P& p) { p.carrier_hz = 0; }, { "carrier_hz is 0", "above 0" });
    bad([](P& p) { p.carrier_hz = -1; }, { "carrier_hz is -1" });
    bad([=](P& p) { p.carrier_hz = nan; }, { "carrier_hz is nan" });
    bad([](P& p) { p.delay_spread_s = -1e-9; }, { "delay_spread_s is -1e-09", "0 to " });
    bad([=](P& p) { p.delay_spread_s = nan; }, { "delay_spread_s is nan" });
    bad([](P& p) { p.delay_spread_s = 1; }, { "delay_spread_s is 1" });
    bad([](P& p) { p.max_delay_spread_s = -1; }, { "max_delay_spread_s is -1" });
    bad([=](P& p) { p.max_delay_spread_s = nan; }, { "max_delay_spread_s is nan" });
    bad(
        [](P& p) {
            p.delay_spread_s = 0;
            p.max_delay_spread_s = 1e-7;
        },
        { "delay_spread_s is 0", "above 0" });
    bad([](P& p) { p.speed_mps = -1; }, { "speed_mps is -1", "0 to 10000" });
    bad([=](P& p) { p.speed_mps = nan; }, { "speed_mps is nan" });
    bad([](P& p) { p.travel_azimuth_deg = 361; }, { "travel_azimuth_deg is 361" });
    bad([](P& p) { p.travel_zenith_deg = -1; },
        { "travel_zenith_deg is -1", "0 to 180" });
    bad([](P& p) { p.travel_zenith_deg = 181; }, { "travel_zenith_deg is 181" });
    bad([](P& p) { p.slots_per_drop = 0; }, { "slots_per_drop is 0" });
    bad([](P& p) { p.sample_interval_s = 0; }, { "sample_interval_s is 0", "above 0" });
    bad([=](P& p) { p.sample_interval_s = nan; }, { "sample_interval_s is nan" });
    bad([](P& p) { p.angle_span_deg = -1; }, { "angle_span_deg is -1", "0 to 360" });
    bad([](P& p) { p.angle_span_deg = 361; }, { "angle_span_deg is 361" });
}

} // namespace
