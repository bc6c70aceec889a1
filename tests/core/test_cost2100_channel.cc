/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The COST 2100 model against what its public MATLAB implementation (version 3.1, run
// under GNU Octave) gave in 6000 indoor and 4000 outdoor drops, and against what its
// geometry implies.

#include "channel_statistics.h"
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <boost/property_tree/json_parser.hpp>
#include <algorithm>
#include <limits>
#include <map>

using namespace gr::csifeedback;

namespace {

constexpr double speed_of_light = 3e8; // the public implementation's
constexpr int na = 32, nt = 32, precursor = 4;

//! A figure of the public implementation: a mean over its drops.
struct reference {
    const char* name;
    double mean;
    double rounding;  // half a unit of the last digit that is known
    double deviation; // of a drop, 0: not known, ours is taken
};

// The difference of two means has the variance of both; both samples are finite.
void expect_reference(const sample& ours, const reference& r, double drops)
{
    const double deviation = r.deviation > 0 ? r.deviation : ours.deviation();
    const double error =
        std::sqrt(std::pow(ours.error(), 2) + deviation * deviation / drops);
    std::cout << r.name << ": " << ours.mean() << ", reference " << r.mean << ", "
              << (ours.mean() - r.mean) / error << " standard errors of " << error
              << "\n";
    EXPECT_LE(std::abs(ours.mean() - r.mean), confidence * error + r.rounding) << r.name;
    // The spread of drops too, within 15%: it is given to two digits.
    if (r.deviation > 0) {
        EXPECT_NEAR(ours.deviation() / r.deviation, 1, 0.15) << r.name;
    }
}

cost2100_parameters parameters(const std::string& scenario, uint64_t seed = 11)
{
    cost2100_parameters p;
    p.scenario = scenario;
    p.seed = seed;
    return p;
}

double sum_of(const std::vector<propagation_path>& paths, size_t from, size_t to)
{
    return power_of({ paths.begin() + from, paths.begin() + to });
}

// Statistics of the path lists. The far clusters come first, then the local ones, then
// the line of sight.
std::map<std::string, sample> path_statistics(const std::string& scenario, int drops)
{
    const bool indoor = scenario == "indoor";
    const size_t local = indoor ? 3 : 27;
    const auto model = cost2100_channel::make(parameters(scenario));
    std::map<std::string, sample> s;
    for (int drop = 0; drop < drops; drop++) {
        const auto paths = model->paths(drop);
        const size_t last = paths.size() - (indoor ? local : 1); // BS cluster or LOS
        double strongest = 0, squares = 0, u = 0, uu = 0;
        for (const auto& p : paths) {
            const double power = std::norm(p.gain);
            strongest = std::max(strongest, power);
            squares += power * power;
            u += power * p.u;
            uu += power * p.u * p.u;
        }
        int strong = 0;
        for (const auto& p : paths)
            strong += std::norm(p.gain) >= 0.01 * strongest;
        EXPECT_NEAR(power_of(paths), 1, 1e-12);
        s["paths"].add(paths.size());
        s["paths within 20 dB"].add(strong);
        s["participation"].add(1 / squares);
        s["delay spread, ns"].add(delay_spread(paths) * 1e9);
        s["spread of cos(AoD)"].add(std::sqrt(uu - u * u));
        s["far share"].add(sum_of(paths, 0, last - local));
        s["MS-local share"].add(sum_of(paths, last - local, last));
        s["BS-local or LOS share"].add(sum_of(paths, last, paths.size()));
    }
    return s;
}

TEST(cost2100_channel, indoor_paths_as_the_public_implementation)
{
    auto s = path_statistics("indoor", 6000);
    for (const reference& r : { reference{ "paths", 34, 0.5, 16 },
                                { "paths within 20 dB", 10.8, 0.05, 4.2 },
                                { "participation", 4.9, 0.05, 1.2 },
                                { "delay spread, ns", 36.2, 0.05, 14.9 },
                                { "spread of cos(AoD)", 0.54, 0.005, 0.18 },
                                { "far share", 0.08, 0.005, 0 },
                                { "MS-local share", 0.46, 0.005, 0 },
                                { "BS-local or LOS share", 0.46, 0.005, 0 } })
        expect_reference(s.at(r.name), r, 6000);
}

TEST(cost2100_channel, outdoor_paths_as_the_public_implementation)
{
    auto s = path_statistics("outdoor", 4000);
    for (const reference& r : { reference{ "paths", 711, 0.5, 135 },
                                { "paths within 20 dB", 44.5, 0.05, 16 },
                                { "participation", 12.2, 0.05, 5.4 },
                                { "delay spread, ns", 338, 0.5, 114 },
                                { "spread of cos(AoD)", 0.24, 0.005, 0.16 },
                                { "far share", 0.24, 0.005, 0.18 },
                                { "MS-local share", 0.50, 0.005, 0.19 },
                                { "BS-local or LOS share", 0.26, 0.005, 0.09 } })
        expect_reference(s.at(r.name), r, 4000);
    // round(6 R^2 / (r_c - l_c)^2) = 5859 visibility regions in the cell, each at the UE
    // with probability (r_c / R)^2; 27 components each, 27 local ones, LOS.
    expect_mean(s.at("paths"), 27 * 5859 * std::pow(32.8 / 500, 2) + 28, "paths");
}

// Statistics of the matrices Ha of 32 rows, aligned, as the reference took them.
std::map<std::string, sample>
matrix_statistics(const std::string& scenario, size_t drops, const std::vector<int>& rows)
{
    const auto model = cost2100_channel::make(parameters(scenario, 12));
    std::map<std::string, sample> s;
    const size_t size = na * nt, batch = 500;
    std::vector<cf> ha(batch * size);
    std::vector<channel_sample_info> info(batch);
    for (size_t from = 0; from < drops; from += batch) {
        generate_channels(model, from, batch, na, precursor, 1, ha.data(), info.data());
        for (size_t i = 0; i < batch; i++) {
            s["energy kept"].add(1 - info[i].energy_lost);
            const cf* x = &ha[i * size];
            std::vector<double> row(na), beam(nt), squares;
            double whole = 0;
            for (size_t j = 0; j < size; j++) {
                const double power = std::norm(cd(x[j]));
                row[j / nt] += power;
                beam[j % nt] += power;
                whole += power;
                squares.push_back(std::pow(double(x[j].real()), 2));
                squares.push_back(std::pow(double(x[j].imag()), 2));
            }
            for (const int r : rows)
                s["row " + std::to_string(r)].add(row[r] / whole);
            std::sort(beam.rbegin(), beam.rend());
            double held = 0;
            int beams = 0; // the fewest that hold 95%
            while (held < 0.95 * whole)
                held += beam[beams++];
            s["beams for 95%"].add(beams);
            std::partial_sort(
                squares.begin(), squares.begin() + 256, squares.end(), std::greater<>());
            double sum = 0;
            for (int k = 1; k <= 256; k++) {
                sum += squares[k - 1];
                if (k >= 16 && (k & (k - 1)) == 0)
                    s["top " + std::to_string(k)].add(sum / whole);
            }
        }
    }
    return s;
}

const std::vector<int> profile_rows = { 0, 2, 4, 5, 6, 8, 10, 12, 16, 24, 31 };

void expect_profile(std::map<std::string, sample>& s,
                    const std::vector<double>& db,
                    const std::vector<double>& rounding,
                    double drops)
{
    for (size_t i = 0; i < db.size(); i++) {
        const std::string name = "row " + std::to_string(profile_rows[i]);
        const double mean = std::pow(10, db[i] / 10);
        expect_reference(
            s.at(name),
            { name.c_str(), mean, mean * (std::pow(10, rounding[i] / 10) - 1), 0 },
            drops);
    }
}

TEST(cost2100_channel, indoor_matrices_as_the_public_implementation)
{
    auto s = matrix_statistics("indoor", 6000, profile_rows);
    for (const reference& r : { reference{ "energy kept", 0.9991, 0.00005, 0 },
                                { "beams for 95%", 9.8, 0.05, 3.4 },
                                { "top 16", 0.927, 0.0005, 0 },
                                { "top 32", 0.969, 0.0005, 0 },
                                { "top 64", 0.9895, 0.00005, 0 },
                                { "top 128", 0.9966, 0.00005, 0 },
                                { "top 256", 0.9990, 0.00005, 0 } })
        expect_reference(s.at(r.name), r, 6000);
    expect_profile(
        s,
        { -39, -34.9, -0.4, -18.5, -16.3, -19.1, -26.8, -34.6, -42.5, -48.1, -51.1 },
        { 0.5, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05 },
        6000);
}

TEST(cost2100_channel, outdoor_matrices_as_the_public_implementation)
{
    auto s = matrix_statistics("outdoor", 4000, profile_rows);
    for (const reference& r : { reference{ "energy kept", 0.974, 0.0005, 0 },
                                { "beams for 95%", 9.0, 0.05, 3.9 },
                                { "top 16", 0.788, 0.0005, 0 },
                                { "top 32", 0.870, 0.0005, 0 },
                                { "top 64", 0.928, 0.0005, 0 },
                                { "top 128", 0.965, 0.0005, 0 },
                                { "top 256", 0.986, 0.0005, 0 } })
        expect_reference(s.at(r.name), r, 4000);
    expect_profile(
        s,
        { -28.6, -24.1, -4.0, -7.8, -10.7, -13.7, -15.1, -16.3, -19.5, -24.9, -28.2 },
        std::vector<double>(profile_rows.size(), 0.05),
        4000);
}

// The line of sight tells where the UE is: delay times c away, at an angle of cosine u.
TEST(cost2100_channel, users_are_uniform_in_the_square)
{
    for (const double area_m : { 0.0, 100.0 }) {
        cost2100_parameters p = parameters("outdoor");
        p.area_m = area_m;
        p.align = false;
        const auto model = cost2100_channel::make(p);
        const double side = area_m > 0 ? area_m : 400;
        std::vector<double> x, y;
        for (int drop = 0; drop < 2000; drop++) {
            const auto los = model->paths(drop).back();
            const double distance = los.delay_s * speed_of_light;
            x.push_back(distance * los.u / side + 0.5);
            y.push_back(std::abs(distance * std::sqrt(1 - los.u * los.u)) / (side / 2));
            EXPECT_LE(std::abs(x.back() - 0.5), 0.5);
            EXPECT_LE(y.back(), 1);
        }
        EXPECT_LT(kolmogorov(x), kolmogorov_limit);
        EXPECT_LT(kolmogorov(y), kolmogorov_limit);
    }
}

// LOS power over all the rest: lognormal of median -4.7 dB and deviation 2 dB.
TEST(cost2100_channel, los_factor)
{
    const auto model = cost2100_channel::make(parameters("outdoor"));
    std::vector<double> share;
    for (int drop = 0; drop < 2000; drop++) {
        const double los = std::norm(model->paths(drop).back().gain);
        const double z = (10 * std::log10(los / (1 - los)) + 4.7) / 2;
        share.push_back(0.5 * std::erfc(-z / std::sqrt(2)));
    }
    EXPECT_LT(kolmogorov(share), kolmogorov_limit);
}

cost2100_parameters track(const std::string& scenario)
{
    cost2100_parameters p = parameters(scenario, 13);
    p.slots_per_drop = 50;
    p.sample_interval_s = 0.02;
    p.speed_mps = 12;
    p.align = false;
    return p;
}

TEST(cost2100_channel, track_is_a_straight_line_at_the_speed_given)
{
    const cost2100_parameters p = track("outdoor");
    const auto model = cost2100_channel::make(p);
    EXPECT_EQ(model->sample_interval_s(), 0.02);
    EXPECT_EQ(cost2100_channel::make(parameters("outdoor"))->sample_interval_s(), 0);
    const double step = p.speed_mps * p.sample_interval_s;
    std::vector<double> headings;
    for (int drop = 0; drop < 200; drop++) {
        std::vector<double> x, squared;
        for (int slot = 0; slot < p.slots_per_drop; slot++) {
            const auto los = model->paths(drop * p.slots_per_drop + slot).back();
            const double distance = los.delay_s * speed_of_light;
            x.push_back(distance * los.u);
            squared.push_back(distance * distance);
        }
        // x is linear in time; the second difference of the squared distance of a point
        // that moves along a line is twice its step squared.
        for (int slot = 2; slot < p.slots_per_drop; slot++) {
            EXPECT_NEAR(x[slot] - 2 * x[slot - 1] + x[slot - 2], 0, 1e-9);
            EXPECT_NEAR(squared[slot] - 2 * squared[slot - 1] + squared[slot - 2],
                        2 * step * step,
                        1e-8);
        }
        headings.push_back(std::acos((x[1] - x[0]) / step) / M_PI);
    }
    EXPECT_LT(kolmogorov(headings), kolmogorov_limit);
}

// Between two slots a path's length changes by a step at most, and the visibility gain,
// of a slope below 2 sqrt2 / (pi sqrt(lambda l_c)) per m, little.
TEST(cost2100_channel, track_is_continuous)
{
    for (const char* scenario : { "indoor", "outdoor", "outdoor-nlos" }) {
        cost2100_parameters p = track(scenario);
        p.normalize = false;
        const bool indoor = p.scenario == "indoor";
        const double wavelength =
            indoor ? speed_of_light / 5.3e9 : speed_of_light / 285e6;
        const double step = 0.01 * wavelength;
        p.speed_mps = step / p.sample_interval_s;
        const auto model = cost2100_channel::make(p);
        std::vector<cf> before(p.grid.nc * p.grid.nt), h(before.size());
        sample same, other;
        for (int drop = 0; drop < 4; drop++)
            for (int slot = 0; slot < 20; slot++) {
                model->generate(drop * p.slots_per_drop + slot, h.data());
                double difference = 0;
                for (size_t i = 0; i < h.size(); i++)
                    difference += std::norm(h[i] - before[i]);
                const double change =
                    std::sqrt(difference / std::max(energy_of(h), energy_of(before)));
                if (slot > 0) {
                    EXPECT_LT(change, 2 * M_PI * 0.01 + 0.03) << scenario;
                    EXPECT_GT(change, 1e-3) << scenario;
                } else if (drop > 0) {
                    EXPECT_GT(change, 0.5) << scenario; // another drop
                }
                before = h;
            }
    }
}

TEST(cost2100_channel, track_has_the_statistics_of_single_drops)
{
    // First, middle and last slot, 12 m along the track.
    cost2100_parameters p = track("outdoor");
    const auto model = cost2100_channel::make(p);
    for (const int slot : { 0, 25, 49 }) {
        sample paths, far;
        for (int drop = 0; drop < 1000; drop++) {
            const auto list = model->paths(drop * p.slots_per_drop + slot);
            paths.add(list.size());
            far.add(sum_of(list, 0, list.size() - 28));
        }
        const std::string name = ", slot " + std::to_string(slot);
        expect_mean(paths, 27 * 5859 * std::pow(32.8 / 500, 2) + 28, "paths" + name);
        expect_reference(far, { "far share", 0.24, 0.005, 0.18 }, 4000);
    }
}

TEST(cost2100_channel, alignment_removes_only_a_delay)
{
    for (const char* scenario : { "indoor", "outdoor", "outdoor-nlos" }) {
        cost2100_parameters p = parameters(scenario);
        const auto aligned = cost2100_channel::make(p);
        p.align = false;
        const auto absolute = cost2100_channel::make(p);
        for (int drop = 0; drop < 20; drop++) {
            const auto a = aligned->paths(drop), b = absolute->paths(drop);
            ASSERT_EQ(a.size(), b.size());
            double strongest = 0, first = 1;
            for (const auto& path : b)
                strongest = std::max(strongest, std::norm(path.gain));
            for (const auto& path : b)
                if (std::norm(path.gain) >= 0.01 * strongest)
                    first = std::min(first, path.delay_s);
            EXPECT_GT(first, 0);
            for (size_t i = 0; i < a.size(); i++) {
                EXPECT_NEAR(a[i].delay_s, b[i].delay_s - first, 1e-18);
                EXPECT_EQ(a[i].gain, b[i].gain);
                EXPECT_EQ(a[i].u, b[i].u);
            }
        }
    }
}

TEST(cost2100_channel, names_and_parameters)
{
    for (const char* scenario : { "indoor", "outdoor", "outdoor-nlos" }) {
        const auto model = cost2100_channel::make(parameters(scenario));
        EXPECT_EQ(model->name(), std::string("cost2100-") + scenario);
        std::istringstream text(model->parameters());
        boost::property_tree::ptree json;
        read_json(text, json);
        EXPECT_EQ(json.get<std::string>("scenario"), scenario);
        EXPECT_EQ(json.get<int>("nc"), 1024);
        EXPECT_EQ(json.get<double>("area_m"),
                  std::string(scenario) == "indoor" ? 20 : 400);
        EXPECT_EQ(json.get<int>("seed"), 11);
    }
}

TEST(cost2100_channel, bad_parameters_are_named)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto bad = [](auto set, const std::vector<std::string>& words) {
        cost2100_parameters p;
        set(p);
        expect_bad([&] { cost2100_channel::make(p); }, words);
    };
    using P = cost2100_parameters;
    bad([](P& p) { p.scenario = "urban"; },
        { "cost2100_channel", "scenario is urban", "indoor, outdoor, outdoor-nlos" });
    bad([](P& p) { p.scenario = ""; }, { "scenario is " });
    bad([](P& p) { p.area_m = -1; }, { "area_m is -1", "0 to " });
    bad([](P& p) { p.area_m = 40; }, { "area_m is 40" });
    bad([=](P& p) { p.area_m = nan; }, { "area_m is nan" });
    bad([](P& p) { p.slots_per_drop = 0; }, { "slots_per_drop is 0", "1 to " });
    bad([](P& p) { p.sample_interval_s = 0; }, { "sample_interval_s is 0", "above 0" });
    bad([](P& p) { p.sample_interval_s = 2e6; }, { "sample_interval_s is 2e+06" });
    bad([=](P& p) { p.sample_interval_s = nan; }, { "sample_interval_s is nan" });
    bad([](P& p) { p.speed_mps = -1; }, { "speed_mps is -1", "0 to 10000" });
    bad([=](P& p) { p.speed_mps = nan; }, { "speed_mps is nan" });
}

} // namespace
