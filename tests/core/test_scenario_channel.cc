/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// UMa, UMi, RMa and InH: formulas at points computed by hand, statistics of many drops
// against the tables of TR 38.901, within their sampling error.

#include "channel/panel_array.h"
#include "channel/scenario_tables.h"
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/scenario_channel.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <stdexcept>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
constexpr double degree = M_PI / 180;
constexpr double sigmas = 4.5; // of sampling errors: about 1e-5 for each comparison

scenario_parameters parameters(const std::string& scenario, uint64_t seed = 1)
{
    scenario_parameters p;
    p.scenario = scenario;
    p.seed = seed;
    return p;
}

scenario_kind kind_of(const std::string& scenario)
{
    for (size_t i = 0; i < std::size(scenario_layouts); i++)
        if (scenario == scenario_layouts[i].name)
            return scenario_kind(i);
    throw std::logic_error(scenario);
}

void expect_bad(const std::function<void()>& f, const std::vector<std::string>& words)
{
    try {
        f();
        ADD_FAILURE() << "no exception";
    } catch (const std::invalid_argument& e) {
        for (const auto& word : words)
            EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
}

} // namespace

TEST(scenario_channel, path_loss_at_points)
{
    using k = scenario_kind;
    const auto loss = [](k kind, bool los, double d, double bs, double ut, double ghz) {
        return scenario_basic_loss(kind, los, d, bs, ut, ghz, 1).loss_db;
    };
    EXPECT_NEAR(loss(k::uma, true, 100, 25, 1.5, 3.5), 83.138157, 1e-6);
    EXPECT_NEAR(loss(k::uma, false, 100, 25, 1.5, 3.5), 103.037524, 1e-6);
    EXPECT_NEAR(loss(k::uma, true, 1000, 25, 1.5, 3.5), 109.411895, 1e-6);
    EXPECT_NEAR(loss(k::umi, true, 50, 10, 1.5, 3.5), 79.089649, 1e-6);
    EXPECT_NEAR(loss(k::umi, false, 50, 10, 1.5, 3.5), 94.180677, 1e-6);
    EXPECT_NEAR(loss(k::rma, true, 500, 35, 1.5, 0.7), 84.632522, 1e-6);
    EXPECT_NEAR(loss(k::rma, false, 500, 35, 1.5, 0.7), 104.843262, 1e-6);
    EXPECT_NEAR(loss(k::inh_open, true, 20, 3, 1, 3.5), 65.826560, 1e-6);
    EXPECT_NEAR(loss(k::inh_mixed, false, 20, 3, 1, 3.5), 80.759497, 1e-6);
    EXPECT_NEAR(scenario_wall_loss(false, 3.5), 12.697503, 1e-6);
    EXPECT_NEAR(scenario_wall_loss(true, 3.5), 26.849786, 1e-6);
    EXPECT_NEAR(scenario_wall_loss(true, 3.5, true), 27.499289, 1e-6);
    EXPECT_NEAR(scenario_wall_loss(true, 28, true), 35.029020, 1e-6);
    EXPECT_EQ(scenario_wall_loss(false, 28, true), scenario_wall_loss(false, 28));
    // The two parts meet at the break point.
    EXPECT_NEAR(loss(k::uma, true, 560, 25, 1.5, 3.5),
                loss(k::uma, true, 560.001, 25, 1.5, 3.5),
                1e-3);
    EXPECT_EQ(scenario_basic_loss(k::rma, true, 500, 35, 1.5, 0.7, 1).sigma_sf_db, 4);
    EXPECT_EQ(scenario_basic_loss(k::rma, true, 1500, 35, 1.5, 0.7, 1).sigma_sf_db, 6);
    EXPECT_EQ(scenario_basic_loss(k::umi, false, 50, 10, 1.5, 3.5, 1).sigma_sf_db, 7.82);
}

TEST(scenario_channel, los_probability_at_points)
{
    using k = scenario_kind;
    EXPECT_EQ(scenario_los_probability(k::uma, 18, 1.5), 1);
    EXPECT_NEAR(scenario_los_probability(k::uma, 100, 1.5), 0.347670837, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::uma, 100, 22.5), 0.554272603, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::umi, 60, 1.5), 0.432212922, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::rma, 510, 1.5), 0.606530660, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::inh_mixed, 4, 1), 0.551151981, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::inh_mixed, 20, 1), 0.211496948, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::inh_open, 40, 1), 0.609967085, 1e-9);
    EXPECT_NEAR(scenario_los_probability(k::inh_open, 80, 1), 0.466442851, 1e-9);
}

TEST(scenario_channel, drops_have_the_place_the_los_state_and_the_loss_of_the_scenario)
{
    for (const auto& layout : scenario_layouts) {
        const scenario_kind kind = kind_of(layout.name);
        const bool inh = layout.table == &scenario_inh;
        const auto model = scenario_panel_channel::make(parameters(layout.name), {});
        double outdoor = 0, indoor = 0, seen = 0, expected = 0, variance = 0;
        constexpr int count = 6000;
        for (int i = 0; i < count; i++) {
            const scenario_link l = model->link(i);
            const double d = std::hypot(l.x_m, l.y_m);
            ASSERT_GE(d, layout.least_distance_m);
            if (inh) {
                ASSERT_LE(std::abs(l.x_m), 10);
                ASSERT_LE(std::abs(l.y_m), 12.5);
            } else {
                ASSERT_LE(std::abs(std::atan2(l.y_m, l.x_m)), 60.001 * degree);
                ASSERT_LE(l.x_m * std::cos(30 * degree) + std::abs(l.y_m) / 2,
                          layout.isd_m / 2 + 1e-9);
            }
            if (l.indoor) {
                indoor++;
                ASSERT_NEAR(std::remainder(l.height_m - 1.5, 3), 0, 1e-9);
                continue;
            }
            outdoor++;
            ASSERT_EQ(l.height_m, inh ? 1 : 1.5);
            const double p = scenario_los_probability(kind, d, l.height_m);
            seen += l.los;
            expected += p;
            variance += p * (1 - p);
            if (!l.car) {
                ASSERT_NEAR(l.path_loss_db,
                            scenario_basic_loss(
                                kind, l.los, d, layout.bs_height_m, l.height_m, 3.5, 1)
                                .loss_db,
                            1e-9);
            }
        }
        const double share = layout.indoor_share;
        EXPECT_NEAR(
            indoor / count, share, sigmas * std::sqrt(share * (1 - share) / count))
            << layout.name;
        EXPECT_NEAR(seen, expected, sigmas * std::sqrt(variance)) << layout.name;
    }
}

// One UE of each of many cells: independent.
TEST(scenario_channel, large_scale_parameters_have_the_moments_of_the_tables)
{
    constexpr int count = 1500;
    constexpr double ghz = 7;
    for (const auto& [scenario, release] : { std::pair<std::string, int>{ "uma", 16 },
                                             { "umi", 16 },
                                             { "rma", 16 },
                                             { "inh-mixed", 16 },
                                             { "uma", 19 },
                                             { "umi", 19 } }) {
        const scenario_kind kind = kind_of(scenario);
        const scenario_layout& layout = scenario_layouts[int(kind)];
        const scenario_table& table = release == 16 ? *layout.table : *layout.table_19;
        // Normalized by the tables, in the order of scenario_lsp, by state.
        struct sample {
            std::array<double, lsp_count> x;
            std::array<double, lsp_count> cap; // step 4 limits spreads
        };
        std::map<int, std::vector<sample>> samples;
        for (int seed = 1; seed <= count; seed++) {
            scenario_parameters p = parameters(scenario, seed);
            p.release = release;
            p.carrier_hz = ghz * 1e9;
            if (layout.indoor_share > 0)
                p.indoor_share = 0.3;
            if (layout.isd_m > 100 && layout.isd_m <= 500) // for more lines of sight
                p.isd_m = 120;
            const auto model = scenario_panel_channel::make(p, {});
            const scenario_link l = model->link(0);
            const int state = l.indoor ? scenario_o2i
                              : l.los  ? scenario_los
                                       : scenario_nlos;
            const scenario_column& c = table.columns[state];
            const double x = std::log10(table.one_plus ? 1 + ghz : ghz);
            const double d = std::hypot(l.x_m, l.y_m);
            const bool as_los = l.los && !(l.indoor && kind == scenario_kind::rma);
            const auto zsd =
                scenario_zsd(kind, as_los, d, layout.bs_height_m, l.height_m, ghz);
            const double sf =
                l.indoor
                    ? kind == scenario_kind::rma ? 8.0 : 7.0
                    : scenario_basic_loss(kind, l.los, d, layout.bs_height_m, 1.5, ghz, 1)
                          .sigma_sf_db;
            const auto lg = [](double v, double mu, double sigma) {
                return (std::log10(v) - mu) / sigma;
            };
            constexpr double none = 100;
            samples[state].push_back(
                { { l.shadowing_db / sf,
                    c.sigma_k > 0 ? (l.k_db - c.mu_k) / c.sigma_k : 0,
                    lg(l.delay_spread_s, c.mu_ds(x), c.sigma_ds(x)),
                    lg(l.asd_deg, c.mu_asd(x), c.sigma_asd(x)),
                    lg(l.asa_deg, c.mu_asa(x), c.sigma_asa(x)),
                    lg(l.zsd_deg, zsd.mu, zsd.sigma),
                    lg(l.zsa_deg, c.mu_zsa(x), c.sigma_zsa(x)) },
                  { none,
                    none,
                    none,
                    lg(104, c.mu_asd(x), c.sigma_asd(x)),
                    lg(104, c.mu_asa(x), c.sigma_asa(x)),
                    lg(52, zsd.mu, zsd.sigma),
                    lg(52, c.mu_zsa(x), c.sigma_zsa(x)) } });
        }
        for (const auto& state : samples) {
            const auto& s = state.second;
            const double n = s.size();
            ASSERT_GT(n, 100) << scenario << " " << state.first;
            const scenario_column& c = table.columns[state.first];
            const double expected[lsp_count][lsp_count] = {
                { 1, c.sf_k, c.ds_sf, c.asd_sf, c.asa_sf, c.zsd_sf, c.zsa_sf },
                { 0, 1, c.ds_k, c.asd_k, c.asa_k, c.zsd_k, c.zsa_k },
                { 0, 0, 1, c.asd_ds, c.asa_ds, c.zsd_ds, c.zsa_ds },
                { 0, 0, 0, 1, c.asd_asa, c.zsd_asd, c.zsa_asd },
                { 0, 0, 0, 0, 1, c.zsd_asa, c.zsa_asa },
                { 0, 0, 0, 0, 0, 1, c.zsd_zsa },
                { 0, 0, 0, 0, 0, 0, 1 },
            };
            const auto mean_of = [&](const std::function<double(const sample&)>& f) {
                double sum = 0;
                for (const auto& one : s)
                    sum += f(one);
                return sum / n;
            };
            const auto density = [](double z) {
                return std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
            };
            const auto below = [](double z) { return std::erfc(-z / std::sqrt(2)) / 2; };
            for (int a = 0; a < lsp_count; a++) {
                if (a == lsp_k && c.sigma_k == 0)
                    continue;
                SCOPED_TRACE(scenario + " release " + std::to_string(release) +
                             " state " + std::to_string(state.first) + " parameter " +
                             std::to_string(a));
                // Moments of min(z, cap) of a normal z.
                EXPECT_NEAR(mean_of([&](const sample& o) { return o.x[a]; }),
                            mean_of([&](const sample& o) {
                                const double z = o.cap[a];
                                return z * (1 - below(z)) - density(z);
                            }),
                            sigmas / std::sqrt(n));
                EXPECT_NEAR(mean_of([&](const sample& o) { return o.x[a] * o.x[a]; }),
                            mean_of([&](const sample& o) {
                                const double z = o.cap[a];
                                return below(z) - z * density(z) + z * z * (1 - below(z));
                            }),
                            sigmas * std::sqrt(2 / n));
                const auto cap = [&](int i) {
                    return mean_of([&](const sample& o) { return o.cap[i]; });
                };
                for (int b = a + 1; b < lsp_count; b++) {
                    // Where both are cut the moment has no closed form.
                    if ((b == lsp_k && c.sigma_k == 0) || (cap(a) < 3 && cap(b) < 3))
                        continue;
                    const double r = expected[a][b];
                    EXPECT_NEAR(mean_of([&](const sample& o) { return o.x[a] * o.x[b]; }),
                                mean_of([&](const sample& o) {
                                    return r * below(o.cap[a]) * below(o.cap[b]);
                                }),
                                sigmas * std::sqrt((1 + r * r) / n))
                        << "with parameter " << b;
                }
            }
        }
    }
}

// Numbers of Table 7.5-6 that v19.2 changed, and some that it left.
TEST(scenario_channel, release_19_has_other_numbers)
{
    const struct {
        const scenario_table &before, &after;
        int state;
        // Of lg DS, ASD, ASA and ZSA at 9 GHz (1 + fc is 10), mean and standard deviation.
        double ds[2], asd[2], asa[2], zsa[2], c_asd;
    } rows[] = {
        { scenario_uma,
          scenario_uma_19,
          scenario_los,
          { -7.142767, 0.594810 },
          { 0.92, 0.31 },
          { 1.76, 0.19 },
          { 0.96, 0.15 },
          3.58 },
        { scenario_uma,
          scenario_uma_19,
          scenario_nlos,
          { -6.597868, 0.39 },
          { 1.09, 0.44 },
          { 1.801439, 0.141373 },
          { 1.172468, 0.17 },
          1.8 },
        { scenario_uma,
          scenario_uma_19,
          scenario_o2i,
          { -6.62, 0.32 },
          { 0.58, 0.70 },
          { 1.76, 0.16 },
          { 1.01, 0.43 },
          1.8 },
        { scenario_umi,
          scenario_umi_19,
          scenario_los,
          { -7.46, 0.39 },
          { 1.16, 0.37 },
          { 1.59, 0.281 },
          { 0.70, 0.26 },
          3 },
        { scenario_umi,
          scenario_umi_19,
          scenario_nlos,
          { -7.09, 0.41 },
          { 1.30, 0.43 },
          { 1.69, 0.32 },
          { 0.89, 0.30 },
          10 },
    };
    for (const auto& r : rows) {
        const scenario_column &c = r.after.columns[r.state],
                              &old = r.before.columns[r.state];
        const double x = r.after.one_plus ? 1 : std::log10(9);
        const auto expect = [&](const scenario_line& mu,
                                const scenario_line& sigma,
                                const double expected[2]) {
            EXPECT_NEAR(mu(x), expected[0], 1e-6);
            EXPECT_NEAR(sigma(x), expected[1], 1e-6);
        };
        expect(c.mu_ds, c.sigma_ds, r.ds);
        expect(c.mu_asd, c.sigma_asd, r.asd);
        expect(c.mu_asa, c.sigma_asa, r.asa);
        expect(c.mu_zsa, c.sigma_zsa, r.zsa);
        EXPECT_EQ(c.c_asd, r.c_asd);
        EXPECT_TRUE(c.mu_asd(x) != old.mu_asd(x) || c.mu_asa(x) != old.mu_asa(x));
        EXPECT_EQ(c.clusters, old.clusters);
        EXPECT_EQ(c.asd_ds, old.asd_ds);
        EXPECT_EQ(c.zsd_zsa, old.zsd_zsa);
        EXPECT_EQ(c.c_asa, old.c_asa);
    }
    // Penetration of UEs in houses of high loss; RMa and InH are as before.
    for (const auto& layout : scenario_layouts) {
        scenario_parameters p = parameters(layout.name, 3);
        p.high_loss_share = 1;
        const auto before = scenario_panel_channel::make(p, {});
        p.release = 19;
        const auto after = scenario_panel_channel::make(p, {});
        const bool urban = layout.table != layout.table_19;
        EXPECT_EQ(urban, std::string(layout.name).substr(0, 2) == "um");
        for (int i = 0; i < 30; i++) {
            const scenario_link a = before->link(i), b = after->link(i);
            ASSERT_EQ(a.los, b.los);
            EXPECT_NEAR(b.path_loss_db - a.path_loss_db,
                        urban && a.indoor ? scenario_wall_loss(true, 3.5, true) -
                                                scenario_wall_loss(true, 3.5)
                                          : 0,
                        1e-9);
            EXPECT_EQ(a.delay_spread_s == b.delay_spread_s && a.asa_deg == b.asa_deg,
                      !urban || (a.indoor));
        }
    }
}

// Table 7.4.3-3: 20 dB, 0.5 dB/m over U(0, 25) m, no variance; shadowing of 7 dB.
TEST(scenario_channel, penetration_of_a_single_frequency)
{
    for (const char* name : { "uma", "umi" }) {
        scenario_parameters p = parameters(name, 5);
        p.penetration = "single-frequency";
        p.indoor_share = 0.8;
        const scenario_kind kind = kind_of(name);
        const scenario_layout& layout = scenario_layouts[int(kind)];
        const auto model = scenario_panel_channel::make(p, {});
        std::vector<double> losses;
        double shadowing = 0;
        for (int i = 0; i < 4000; i++) {
            const scenario_link l = model->link(i);
            const double d = std::hypot(l.x_m, l.y_m);
            if (l.height_m >= 13 || d < 25) // heights that leave the environment at 1 m
                continue;
            const double wall =
                l.path_loss_db -
                scenario_basic_loss(
                    kind, l.los, d, layout.bs_height_m, l.height_m, 3.5, 1)
                    .loss_db;
            if (!l.indoor) {
                EXPECT_NEAR(wall, 0, 1e-9);
                continue;
            }
            losses.push_back(wall - 20);
            shadowing += l.shadowing_db * l.shadowing_db;
        }
        const double n = losses.size();
        ASSERT_GT(n, 1500);
        std::sort(losses.begin(), losses.end());
        EXPECT_GE(losses.front(), -1e-9);
        EXPECT_LE(losses.back(), 12.5 + 1e-9);
        // The distance of Kolmogorov and Smirnov to the uniform distribution.
        double most = 0;
        for (size_t i = 0; i < losses.size(); i++)
            most = std::max({ most,
                              std::abs(losses[i] / 12.5 - i / n),
                              std::abs(losses[i] / 12.5 - (i + 1) / n) });
        EXPECT_LT(most, 1.95 / std::sqrt(n)); // 1 of 1000
        // Correlated over the distance: the 4000 are some hundred independent ones.
        EXPECT_NEAR(std::sqrt(shadowing / n), 7, 1.5);
    }
    // The other model, of the same places.
    scenario_parameters p = parameters("uma", 5);
    const auto before = scenario_panel_channel::make(p, {});
    p.penetration = "single-frequency";
    const auto after = scenario_panel_channel::make(p, {});
    for (int i = 0; i < 50; i++) {
        const scenario_link a = before->link(i), b = after->link(i);
        EXPECT_EQ(a.x_m, b.x_m);
        EXPECT_EQ(a.path_loss_db == b.path_loss_db, !a.indoor);
    }
}

TEST(scenario_channel, condition_is_that_of_all_ues)
{
    for (const auto& layout : scenario_layouts) {
        scenario_parameters p = parameters(layout.name, 6);
        const auto any = scenario_panel_channel::make(p, {});
        p.condition = "los";
        const auto los = scenario_panel_channel::make(p, {});
        p.condition = "nlos";
        const auto nlos = scenario_panel_channel::make(p, {});
        int seen = 0;
        for (int i = 0; i < 200; i++) {
            const scenario_link a = any->link(i), l = los->link(i), n = nlos->link(i);
            ASSERT_TRUE(l.los);
            ASSERT_FALSE(n.los);
            ASSERT_EQ(a.x_m, l.x_m);
            ASSERT_EQ(n.k_db, 0);
            ASSERT_GE(n.path_loss_db, l.path_loss_db - 1e-9);
            // All else is as it is drawn.
            const scenario_link& same = a.los ? l : n;
            ASSERT_EQ(a.path_loss_db, same.path_loss_db);
            ASSERT_EQ(a.delay_spread_s, same.delay_spread_s);
            ASSERT_EQ(a.clusters, same.clusters);
            seen += a.los;
        }
        EXPECT_GT(seen, 0);
        EXPECT_LT(seen, 200);
    }
}

TEST(scenario_channel, links_of_the_linear_array_are_those_of_the_panel)
{
    scenario_parameters p = parameters("umi", 4);
    p.slots_per_drop = 3;
    const auto line = scenario_channel::make(p, { 4, 2, 180e3, 0.5 });
    const auto panel = scenario_panel_channel::make(p, {});
    for (int i = 0; i < 9; i++) {
        const scenario_link a = scenario_channel::link(line, i), b = panel->link(i);
        EXPECT_EQ(a.x_m, b.x_m);
        EXPECT_EQ(a.asd_deg, b.asd_deg);
        EXPECT_EQ(a.path_loss_db, b.path_loss_db);
    }
    expect_bad([] { scenario_channel::link({}, 0); }, { "model is null" });
    expect_bad([] { scenario_channel::rays({}, 0); }, { "model is null" });
}

// The spreads of the rays are those of the UE: in the mean over many of them, but for what
// few clusters and the offsets within them change.
TEST(scenario_channel, rays_have_the_angle_spreads_of_their_ue)
{
    for (const auto& layout : scenario_layouts)
        for (const std::string condition : { "los", "nlos" }) {
            scenario_parameters p = parameters(layout.name, 7);
            p.condition = condition;
            p.indoor_share = 0;
            const auto model = scenario_channel::make(p, { 4, 2, 180e3, 0.5 });
            double sum[2] = {}, square[2] = {}, product[2] = {}, own[2] = {},
                   own_square[2] = {};
            constexpr int count = 800;
            for (int i = 0; i < count; i++) {
                const scenario_link l = scenario_channel::link(model, i);
                cd mean[2];
                double power = 0;
                for (const auto& r : scenario_channel::rays(model, i)) {
                    power += r.power;
                    mean[0] += std::polar(r.power, r.aod_deg * degree);
                    mean[1] += std::polar(r.power, r.aoa_deg * degree);
                }
                for (int k = 0; k < 2; k++) {
                    // Circular standard deviation.
                    const double spread =
                        std::sqrt(-2 * std::log(std::abs(mean[k]) / power)) / degree;
                    const double x = std::log10(spread),
                                 y = std::log10(k ? l.asa_deg : l.asd_deg);
                    sum[k] += x;
                    square[k] += x * x;
                    own[k] += y;
                    own_square[k] += y * y;
                    product[k] += x * y;
                }
            }
            for (int k = 0; k < 2; k++) {
                SCOPED_TRACE(std::string(layout.name) + " " + condition +
                             (k ? " asa" : " asd"));
                const double n = count, m = sum[k] / n, o = own[k] / n;
                const double bias = m - o,
                             correlation = (product[k] / n - m * o) /
                                           std::sqrt((square[k] / n - m * m) *
                                                     (own_square[k] / n - o * o));
                if (condition == "los" && k) {
                    // With most of the power in one direction the arrivals cannot have
                    // the spread of the table: the model's own shortfall.
                    EXPECT_LT(bias, 0);
                    EXPECT_GT(bias, -0.45);
                    continue;
                }
                EXPECT_NEAR(bias, 0, 0.12);
                EXPECT_GT(correlation, 0.7);
            }
        }
}

TEST(scenario_channel, ports_of_several_rows_point_down)
{
    scenario_panel panel;
    panel.n1 = 1;
    panel.n2 = 2;
    panel.spacing2 = 2;
    panel.rows_per_port = 4;
    panel.electrical_downtilt_deg = 9;
    const panel_array array(panel, true, 5);
    // Four rows half a wavelength apart: 6 dB more at the beam, a zero where their phases
    // add up to a turn.
    EXPECT_NEAR(std::abs(array.port_gain(-std::sin(9 * degree))), 2, 1e-12);
    EXPECT_NEAR(std::abs(array.port_gain(-std::sin(9 * degree) + 0.5)), 0, 1e-12);
    // Weights of the power 1: the mean over all directions of the sphere of elements half
    // a wavelength apart is 1.
    double mean = 0;
    for (int i = 0; i < 1000; i++)
        mean += std::norm(array.port_gain((i - 499.5) / 500)) / 1000;
    EXPECT_NEAR(mean, 1, 1e-6);
    // A port is its elements, added with their weights.
    scenario_parameters p = parameters("umi", 8);
    scenario_panel elements = panel;
    elements.n2 = 8;
    elements.spacing2 = 0.5;
    elements.rows_per_port = 1;
    elements.nr = panel.nr = 1;
    elements.nc = panel.nc = 6;
    const auto of_elements = scenario_panel_channel::make(p, elements);
    const auto of_ports = scenario_panel_channel::make(p, panel);
    std::vector<cf> a(6 * 16), b(6 * 4);
    for (int i = 0; i < 10; i++) {
        of_elements->generate(i, a.data());
        of_ports->generate(i, b.data());
        double error = 0, power = 0;
        for (int row = 0; row < 6; row++)
            for (int port = 0; port < 4; port++) {
                cd sum = 0;
                for (int k = 0; k < 4; k++)
                    sum += std::polar(0.5, -M_PI * k * std::sin(9 * degree)) *
                           cd(a[row * 16 + port * 4 + k]);
                error += std::norm(sum - cd(b[row * 4 + port]));
                power += std::norm(sum);
            }
        EXPECT_LT(error, 1e-10 * power);
    }
}

TEST(scenario_channel, shadowing_is_correlated_over_the_distance)
{
    constexpr int cells = 250, ues = 40;
    constexpr double edges[] = { 0, 15, 30, 60, 100, 160 };
    constexpr int bins = std::size(edges) - 1;
    double mean[bins] = {}, square[bins] = {};
    int used[bins] = {};
    for (int seed = 1; seed <= cells; seed++) {
        scenario_parameters p = parameters("uma", seed);
        p.indoor_share = 0;
        p.isd_m = 300;
        const auto model = scenario_panel_channel::make(p, {});
        std::vector<scenario_link> links;
        for (int i = 0; i < ues; i++) {
            const scenario_link l = model->link(i);
            if (!l.los)
                links.push_back(l);
        }
        double sum[bins] = {};
        int pairs[bins] = {};
        for (size_t i = 0; i < links.size(); i++)
            for (size_t k = 0; k < i; k++) {
                const double d =
                    std::hypot(links[i].x_m - links[k].x_m, links[i].y_m - links[k].y_m);
                for (int b = 0; b < bins; b++)
                    if (d >= edges[b] && d < edges[b + 1]) {
                        // Correlation distance of NLOS: 50 m; 6 dB.
                        sum[b] += links[i].shadowing_db * links[k].shadowing_db / 36 -
                                  std::exp(-d / 50);
                        pairs[b]++;
                    }
            }
        for (int b = 0; b < bins; b++)
            if (pairs[b]) {
                const double x = sum[b] / pairs[b];
                mean[b] += x;
                square[b] += x * x;
                used[b]++;
            }
    }
    for (int b = 0; b < bins; b++) {
        const double n = used[b], m = mean[b] / n,
                     error = std::sqrt((square[b] / n - m * m) / n);
        EXPECT_NEAR(m, 0, sigmas * error) << "from " << edges[b] << " m";
        EXPECT_LT(sigmas * error, 0.4) << "the cells resolve it";
    }
}

TEST(scenario_channel, rays_have_the_power_k_factor_and_delays_of_their_ue)
{
    for (const auto& layout : scenario_layouts) {
        scenario_parameters p = parameters(layout.name, 5);
        p.sector_element = false;
        p.downtilt_deg = 0;
        channel_grid grid;
        grid.nc = 16;
        grid.nt = 4;
        const auto model = scenario_channel::make(p, grid, false);
        const auto panel = scenario_panel_channel::make(p, {});
        double spread_error = 0, los_spread_error = 0, nlos = 0, los = 0;
        for (int i = 0; i < 600; i++) {
            const scenario_link l = panel->link(i);
            const auto paths = model->paths(i);
            const bool direct = l.los && !l.indoor;
            ASSERT_EQ(paths.size(), size_t(20 * l.clusters + direct)) << layout.name;
            double power = 0, mean = 0, square = 0;
            for (const auto& path : paths) {
                ASSERT_GE(path.delay_s, 0);
                ASSERT_LE(std::abs(path.u), 1);
                const double x = std::norm(path.gain);
                power += x;
                mean += x * path.delay_s;
                square += x * path.delay_s * path.delay_s;
            }
            // Of the clusters left out none has more than 1/316 of the strongest.
            ASSERT_LE(power, 1 + 1e-9);
            ASSERT_GE(power, 1 - 20 / 316.2);
            if (direct) {
                const double k = std::pow(10, 0.1 * l.k_db);
                ASSERT_NEAR(std::norm(paths[0].gain), k / (k + 1), 1e-9);
                ASSERT_NEAR(paths[0].u,
                            l.y_m /
                                std::hypot(l.x_m, l.y_m, layout.bs_height_m - l.height_m),
                            1e-9);
            }
            mean /= power;
            const double error =
                std::log10(std::sqrt(square / power - mean * mean) / l.delay_spread_s);
            (direct ? los_spread_error : spread_error) += error;
            (direct ? los : nlos)++;
        }
        EXPECT_GT(los, 5);
        EXPECT_GT(nlos, 5);
        // Few clusters have less spread than the exponential profile that they are of.
        EXPECT_NEAR(spread_error / nlos, -0.1, 0.1) << layout.name;
        // Of LOS links the divisor of (7.5-3) makes up for it.
        EXPECT_NEAR(los_spread_error / los, 0, 0.06) << layout.name;
    }
}

TEST(scenario_channel, panel_of_vertical_elements_is_the_linear_array)
{
    for (const auto& layout : scenario_layouts)
        for (const double tilt : { 0.0, 25.0 }) {
            scenario_parameters p = parameters(layout.name, 3);
            p.downtilt_deg = tilt;
            p.path_loss = true;
            p.speed_mps = 30;
            p.slots_per_drop = 3;
            scenario_panel panel;
            panel.n1 = 8;
            panel.n2 = 1;
            panel.slant_deg = 0;
            panel.nr = 1;
            panel.nc = 24;
            const auto many = scenario_panel_channel::make(p, panel);
            const auto line = scenario_channel::make(p, { 24, 8, 180e3, 0.5 }, false);
            std::vector<cf> a(24 * 16), b(24 * 8);
            for (int i = 0; i < 12; i++) {
                many->generate(i, a.data());
                line->generate(i, b.data());
                double error = 0, power = 0;
                for (int k = 0; k < 24; k++)
                    for (int n = 0; n < 8; n++) {
                        error += std::norm(a[k * 16 + n] - b[k * 8 + n]);
                        power += std::norm(b[k * 8 + n]);
                    }
                ASSERT_GT(power, 0);
                EXPECT_LT(error, 1e-9 * power) << layout.name << " " << i;
            }
        }
}

TEST(scenario_channel, turned_array_and_fields)
{
    const scenario_panel panel;
    const panel_array array(panel, true, 20);
    const auto front = array.local(0, 110);
    EXPECT_NEAR(front.aod_deg, 0, 1e-9);
    EXPECT_NEAR(front.zod_deg, 90, 1e-9);
    EXPECT_NEAR(front.psi, 0, 1e-9);
    // The unit vectors of theta and phi, turned about the y axis.
    const double c = std::cos(20 * degree), s = std::sin(20 * degree);
    for (const double azimuth : { -150.0, -40.0, 10.0, 75.0, 170.0 })
        for (const double zenith : { 20.0, 80.0, 95.0, 140.0 }) {
            const double a = azimuth * degree, z = zenith * degree;
            const auto l = array.local(azimuth, zenith);
            const double la = l.aod_deg * degree, lz = l.zod_deg * degree;
            const auto up = [&](double x, double y, double w) {
                return std::array<double, 3>{ c * x + s * w, y, -s * x + c * w };
            };
            const auto dot = [](const std::array<double, 3>& p,
                                const std::array<double, 3>& q) {
                return p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
            };
            const std::array<double, 3> ray{ std::cos(a) * std::sin(z),
                                             std::sin(a) * std::sin(z),
                                             std::cos(z) },
                theta{ std::cos(a) * std::cos(z),
                       std::sin(a) * std::cos(z),
                       -std::sin(z) },
                phi{ -std::sin(a), std::cos(a), 0 };
            EXPECT_NEAR(dot(ray,
                            up(std::cos(la) * std::sin(lz),
                               std::sin(la) * std::sin(lz),
                               std::cos(lz))),
                        1,
                        1e-12);
            const auto turned = up(
                std::cos(la) * std::cos(lz), std::sin(la) * std::cos(lz), -std::sin(lz));
            EXPECT_NEAR(dot(theta, turned), std::cos(l.psi), 1e-12);
            EXPECT_NEAR(dot(phi, turned), std::sin(l.psi), 1e-12);
        }
}

TEST(scenario_channel, slots_turn_the_rays_of_a_ue)
{
    scenario_parameters p = parameters("umi", 9);
    p.speed_mps = 10;
    p.slots_per_drop = 4;
    p.sample_interval_s = 1e-3;
    const auto model = scenario_channel::make(p, {}, false);
    EXPECT_EQ(model->sample_interval_s(), 1e-3);
    const double most = 10 * p.carrier_hz / 299792458;
    double fastest = 0;
    for (int ue = 0; ue < 20; ue++) {
        const auto a = model->paths(4 * ue), b = model->paths(4 * ue + 1),
                   c = model->paths(4 * ue + 3);
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); i++) {
            const double hz = std::arg(b[i].gain * std::conj(a[i].gain)) / (2e-3 * M_PI);
            EXPECT_LE(std::abs(hz), most * (1 + 1e-9));
            fastest = std::max(fastest, std::abs(hz));
            const cd later = a[i].gain * std::polar(1.0, 2 * M_PI * hz * 3e-3);
            EXPECT_LT(std::abs(later - c[i].gain), 1e-9);
            EXPECT_EQ(a[i].delay_s, c[i].delay_s);
        }
    }
    EXPECT_GT(fastest, 0.99 * most);
}

TEST(scenario_channel, threads_draw_the_same)
{
    const auto model =
        scenario_channel::make(parameters("uma", 4), { 32, 8, 180e3, 0.5 });
    std::vector<cf> one(20 * 32 * 8), several(one.size());
    std::vector<channel_sample_info> info(20);
    generate_channels(model, 7, 20, 0, 0, 1, one.data(), info.data());
    generate_channels(model, 7, 20, 0, 0, 3, several.data(), info.data());
    EXPECT_EQ(one, several);
    const auto other =
        scenario_channel::make(parameters("uma", 5), { 32, 8, 180e3, 0.5 });
    generate_channels(other, 7, 20, 0, 0, 1, several.data(), info.data());
    EXPECT_NE(one, several);
}

TEST(scenario_channel, bad_parameters_are_named)
{
    const auto bad = [](const std::function<void(scenario_parameters&)>& set,
                        const std::vector<std::string>& words) {
        scenario_parameters p = parameters("uma");
        set(p);
        expect_bad([&] { scenario_channel::make(p, {}); }, words);
        expect_bad([&] { scenario_panel_channel::make(p, {}); }, words);
    };
    using q = scenario_parameters;
    bad([](q& p) { p.scenario = "umx"; }, { "scenario is umx", "inh-mixed" });
    bad([](q& p) { p.carrier_hz = 1e8; }, { "carrier_hz is", "to 1e+11" });
    bad(
        [](q& p) {
            p.scenario = "rma";
            p.carrier_hz = 7.1e9;
        },
        { "carrier_hz is 7.1e+09", "to 7e+09" });
    bad([](q& p) { p.release = 18; }, { "release is 18", "16, 19" });
    bad([](q& p) { p.condition = "drawn"; }, { "condition is drawn", "any, los, nlos" });
    bad([](q& p) { p.isd_m = 0.5; }, { "isd_m is 0.5" });
    bad([](q& p) { p.isd_m = 40; }, { "isd_m is 40", "at least 87.5 in uma" });
    bad([](q& p) { p.bs_height_m = 1; }, { "bs_height_m is 1" });
    bad([](q& p) { p.indoor_share = 1.5; }, { "indoor_share is 1.5", "0 to 1" });
    bad([](q& p) { p.high_loss_share = -1; }, { "high_loss_share is -1" });
    bad([](q& p) { p.penetration = "none"; },
        { "penetration is none", "low-high, single-frequency" });
    bad(
        [](q& p) {
            p.penetration = "single-frequency";
            p.carrier_hz = 6e9;
        },
        { "penetration is single-frequency", "below 6 GHz" });
    bad(
        [](q& p) {
            p.penetration = "single-frequency";
            p.scenario = "rma";
        },
        { "penetration is single-frequency", "uma and umi" });
    bad([](q& p) { p.downtilt_deg = 91; }, { "downtilt_deg is 91" });
    bad([](q& p) { p.speed_mps = -1; }, { "speed_mps is -1" });
    bad([](q& p) { p.slots_per_drop = 0; }, { "slots_per_drop is 0" });
    bad([](q& p) { p.sample_interval_s = 0; }, { "sample_interval_s is 0" });
    scenario_panel panel;
    panel.nr = 0;
    expect_bad([&] { scenario_panel_channel::make(parameters("uma"), panel); },
               { "scenario_panel_channel", "nr is 0", "1 to 64" });
    panel.nr = 1;
    panel.rows_per_port = 0;
    expect_bad([&] { scenario_panel_channel::make(parameters("uma"), panel); },
               { "rows_per_port is 0", "1 to 64" });
    panel.rows_per_port = 1;
    panel.electrical_downtilt_deg = 91;
    expect_bad([&] { scenario_panel_channel::make(parameters("uma"), panel); },
               { "electrical_downtilt_deg is 91", "-90 to 90" });
}
