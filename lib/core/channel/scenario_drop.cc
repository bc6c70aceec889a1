/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/scenario_drop.h"
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <iterator>

namespace gr {
namespace csifeedback {

namespace {

constexpr double speed_of_light = 299792458;
constexpr double degree = M_PI / 180;
constexpr int most_clusters = 20;
constexpr int map_waves = 256;

double draw_normal(random_engine& engine)
{
    return boost::random::normal_distribution<double>()(engine);
}

// 0 to 180 degrees; the azimuth stays as it is (step 7).
double wrap_zenith(double deg)
{
    deg = std::abs(std::remainder(deg, 360));
    return deg;
}

// Rays of the three sub-clusters of Table 7.5-5.
constexpr int sub_cluster_rays[3][10] = { { 0, 1, 2, 3, 4, 5, 6, 7, 18, 19 },
                                          { 8, 9, 10, 11, 16, 17 },
                                          { 12, 13, 14, 15 } };
constexpr int sub_cluster_sizes[3] = { 10, 6, 4 };
constexpr double sub_cluster_delays[3] = { 0, 1.28, 2.56 };

void correlations(const scenario_column& c, double m[lsp_count][lsp_count])
{
    for (int i = 0; i < lsp_count; i++)
        for (int j = 0; j < lsp_count; j++)
            m[i][j] = i == j;
    const struct {
        int a, b;
        double value;
    } pairs[] = {
        { lsp_asd, lsp_ds, c.asd_ds },   { lsp_asa, lsp_ds, c.asa_ds },
        { lsp_asa, lsp_sf, c.asa_sf },   { lsp_asd, lsp_sf, c.asd_sf },
        { lsp_ds, lsp_sf, c.ds_sf },     { lsp_asd, lsp_asa, c.asd_asa },
        { lsp_asd, lsp_k, c.asd_k },     { lsp_asa, lsp_k, c.asa_k },
        { lsp_ds, lsp_k, c.ds_k },       { lsp_sf, lsp_k, c.sf_k },
        { lsp_zsd, lsp_sf, c.zsd_sf },   { lsp_zsa, lsp_sf, c.zsa_sf },
        { lsp_zsd, lsp_k, c.zsd_k },     { lsp_zsa, lsp_k, c.zsa_k },
        { lsp_zsd, lsp_ds, c.zsd_ds },   { lsp_zsa, lsp_ds, c.zsa_ds },
        { lsp_zsd, lsp_asd, c.zsd_asd }, { lsp_zsa, lsp_asd, c.zsa_asd },
        { lsp_zsd, lsp_asa, c.zsd_asa }, { lsp_zsa, lsp_asa, c.zsa_asa },
        { lsp_zsd, lsp_zsa, c.zsd_zsa },
    };
    for (const auto& p : pairs)
        m[p.a][p.b] = m[p.b][p.a] = p.value;
}

// Cholesky decomposition, as step 4 has it.
void root(double m[lsp_count][lsp_count], double l[lsp_count][lsp_count])
{
    for (int i = 0; i < lsp_count; i++)
        for (int j = 0; j < lsp_count; j++) {
            double sum = m[i][j];
            for (int k = 0; k < std::min(i, j); k++)
                sum -= l[i][k] * l[j][k];
            l[i][j] = i == j ? std::sqrt(std::max(sum, 0.0)) : i > j ? sum / l[j][j] : 0;
        }
}

} // namespace

scenario_drop::scenario_drop(const char* where, const scenario_parameters& p) : d_p(p)
{
    const auto layout =
        std::find_if(std::begin(scenario_layouts),
                     std::end(scenario_layouts),
                     [&](const scenario_layout& l) { return p.scenario == l.name; });
    if (layout == std::end(scenario_layouts))
        throw_bad(where, "scenario", p.scenario, "uma, umi, rma, inh-open, inh-mixed");
    d_layout = &*layout;
    d_kind = scenario_kind(layout - scenario_layouts);
    if (p.release != 16 && p.release != 19)
        throw_bad(where, "release", p.release, "16, 19");
    d_table = p.release == 16 ? layout->table : layout->table_19;
    if (p.condition != "any" && p.condition != "los" && p.condition != "nlos")
        throw_bad(where, "condition", p.condition, "any, los, nlos");
    check_range(where,
                "carrier_hz",
                p.carrier_hz,
                0.5e9,
                d_kind == scenario_kind::rma ? 7e9 : 100e9);
    if (p.isd_m == 0)
        d_p.isd_m = layout->isd_m;
    if (p.bs_height_m == 0)
        d_p.bs_height_m = layout->bs_height_m;
    if (p.indoor_share == -1)
        d_p.indoor_share = layout->indoor_share;
    if (p.downtilt_deg == -1)
        d_p.downtilt_deg = layout->downtilt_deg;
    check_range(where, "isd_m", d_p.isd_m, 1.0, 1e5);
    // The place is drawn until it is far enough from the BS: most of a sector is.
    if (d_p.isd_m < 2.5 * layout->least_distance_m) {
        std::ostringstream allowed;
        allowed << "at least " << 2.5 * layout->least_distance_m << " in " << p.scenario;
        throw_bad(where, "isd_m", d_p.isd_m, allowed.str());
    }
    check_range(where, "bs_height_m", d_p.bs_height_m, 2.0, 150.0);
    check_range(where, "indoor_share", d_p.indoor_share, 0.0, 1.0);
    check_range(where, "high_loss_share", p.high_loss_share, 0.0, 1.0);
    if (p.penetration != "low-high" && p.penetration != "single-frequency")
        throw_bad(where, "penetration", p.penetration, "low-high, single-frequency");
    if (p.penetration == "single-frequency" &&
        ((d_kind != scenario_kind::uma && d_kind != scenario_kind::umi) ||
         p.carrier_hz >= 6e9))
        throw_bad(where,
                  "penetration",
                  p.penetration,
                  "low-high, or single-frequency in uma and umi below 6 GHz");
    check_range(where, "downtilt_deg", d_p.downtilt_deg, 0.0, 90.0);
    check_range(where, "speed_mps", p.speed_mps, 0.0, 1e4);
    check_range(where, "slots_per_drop", p.slots_per_drop, 1, 1 << 30);
    if (!(p.sample_interval_s > 0 && p.sample_interval_s <= 1e6))
        throw_bad(
            where, "sample_interval_s", p.sample_interval_s, "above 0, at most 1e6");
    d_ghz = p.carrier_hz / 1e9;
    for (int state = 0; state < 3; state++) {
        const scenario_column& column = d_table->columns[state];
        if (column.clusters == 0)
            continue;
        double m[lsp_count][lsp_count];
        correlations(column, m);
        root(m, d_root[state]);
        for (int i = 0; i < lsp_count; i++) {
            // The spectrum of exp(-d / distance) in the plane is that of a t distribution:
            // radii by its quantiles, one of each of map_waves equal parts.
            random_engine engine =
                make_engine(splitmix64(p.seed) ^ 0x38901, state * lsp_count + i);
            map& to = d_maps[state][i];
            for (int n = 0; n < map_waves; n++) {
                const double left = 1 - (n + draw_uniform(engine)) / map_waves;
                const double radius = std::sqrt(1 / (left * left) - 1) /
                                      (2 * M_PI * column.correlation_m[i]);
                const double angle = 2 * M_PI * draw_uniform(engine);
                to.x.push_back(radius * std::cos(angle));
                to.y.push_back(radius * std::sin(angle));
                to.phase.push_back(draw_uniform(engine));
            }
        }
    }
}

double scenario_drop::map::at(double x_m, double y_m) const
{
    double sum = 0;
    for (int n = 0; n < map_waves; n++)
        sum += phasor(x[n] * x_m + y[n] * y_m + phase[n]).real();
    return std::sqrt(2.0 / map_waves) * sum;
}

// Step 1: place, height and building.
void scenario_drop::draw_place(random_engine& engine, scenario_link& link) const
{
    if (d_layout->table == &scenario_inh) {
        link.x_m = d_p.isd_m * (draw_uniform(engine) - 0.5);
        link.y_m = 25 * (draw_uniform(engine) - 0.5);
        link.height_m = 1;
        return;
    }
    const double inner = d_p.isd_m / 2, outer = d_p.isd_m / std::sqrt(3.0);
    for (;;) {
        // The third of the hexagon whose corner is on the x axis: azimuths up to 60
        // degrees.
        const double x = outer * draw_uniform(engine),
                     y = inner * (2 * draw_uniform(engine) - 1);
        const double c = std::sqrt(0.75);
        if (c * x + std::abs(y) / 2 <= inner && std::abs(y) <= 2 * c * x &&
            std::hypot(x, y) >= d_layout->least_distance_m) {
            link.x_m = x;
            link.y_m = y;
            break;
        }
    }
    link.height_m = 1.5;
    link.indoor = draw_uniform(engine) < d_p.indoor_share;
    if (link.indoor && d_kind != scenario_kind::rma) {
        const int floors = 4 + int(5 * draw_uniform(engine)); // 4 to 8
        const int floor = 1 + int(floors * draw_uniform(engine));
        link.height_m = 3 * (floor - 1) + 1.5;
    }
    link.car = d_kind == scenario_kind::rma && !link.indoor;
}

scenario_link scenario_drop::draw(uint64_t ue,
                                  std::vector<scenario_ray>* rays,
                                  double* bearing_deg) const
{
    random_engine engine = make_engine(d_p.seed, ue);
    scenario_link link;
    draw_place(engine, link);
    const double bearing = 360 * draw_uniform(engine),
                 travel = 2 * M_PI * draw_uniform(engine);
    if (bearing_deg)
        *bearing_deg = bearing;

    // Step 2: propagation condition; step 3: path loss.
    const double d2d = std::hypot(link.x_m, link.y_m);
    double inside = 0, wall = 0;
    if (link.indoor && d_p.penetration == "single-frequency") {
        inside = std::min(scenario_single_depth_m * draw_uniform(engine), d2d);
        wall = scenario_single_wall_db + 0.5 * inside;
    } else if (link.indoor) {
        const double depth = d_kind == scenario_kind::rma ? 10 : 25;
        const double one = depth * draw_uniform(engine),
                     other = depth * draw_uniform(engine);
        inside = std::min({ one, other, d2d });
        const bool high =
            d_kind != scenario_kind::rma && draw_uniform(engine) < d_p.high_loss_share;
        wall = scenario_wall_loss(high, d_ghz, d_p.release == 19) + 0.5 * inside +
               (high ? 6.5 : 4.4) * draw_normal(engine);
    } else if (link.car) {
        wall = 9 + 5 * draw_normal(engine); // 7.4.3.2
    }
    link.los = draw_uniform(engine) <
               scenario_los_probability(d_kind, d2d - inside, link.height_m);
    if (d_p.condition != "any")
        link.los = d_p.condition == "los";
    double environment = 1;
    if (d_kind == scenario_kind::uma &&
        draw_uniform(engine) >= scenario_low_environment(d2d, link.height_m)) {
        // Uniform in 12, 15 ... h_UT - 1.5.
        const int count = int((link.height_m - 1.5 - 12) / 3) + 1;
        environment = 12 + 3 * int(count * draw_uniform(engine));
    }
    const scenario_path_loss loss = scenario_basic_loss(
        d_kind, link.los, d2d, d_p.bs_height_m, link.height_m, d_ghz, environment);
    link.path_loss_db = loss.loss_db + wall;

    // Step 4: large-scale parameters.
    const scenario_state state = link.indoor ? scenario_o2i
                                 : link.los  ? scenario_los
                                             : scenario_nlos;
    const bool direct = state == scenario_los;
    const scenario_column& c = d_table->columns[state];
    const double ghz = std::max(d_ghz, d_table->least_ghz);
    const double lg = std::log10(d_table->one_plus ? 1 + ghz : ghz);
    double field[lsp_count], s[lsp_count];
    for (int i = 0; i < lsp_count; i++)
        field[i] = i == lsp_k && !direct ? 0 : d_maps[state][i].at(link.x_m, link.y_m);
    for (int i = 0; i < lsp_count; i++) {
        s[i] = 0;
        for (int j = 0; j <= i; j++)
            s[i] += d_root[state][i][j] * field[j];
    }
    // Table 7.5-9 has the values of NLOS for O2I, the others do not tell it.
    const scenario_zenith zsd =
        scenario_zsd(d_kind,
                     link.los && !(link.indoor && d_kind == scenario_kind::rma),
                     d2d,
                     d_p.bs_height_m,
                     link.height_m,
                     d_ghz);
    const double sigma_sf = !link.indoor                   ? loss.sigma_sf_db
                            : d_kind == scenario_kind::rma ? 8
                                                           : 7;
    link.shadowing_db = sigma_sf * s[lsp_sf];
    link.k_db = direct ? c.mu_k + c.sigma_k * s[lsp_k] : 0;
    link.delay_spread_s = std::pow(10, c.mu_ds(lg) + c.sigma_ds(lg) * s[lsp_ds]);
    const auto spread = [&](double mu, double sigma, int i, double most) {
        return std::min(std::pow(10, mu + sigma * s[i]), most);
    };
    link.asd_deg = spread(c.mu_asd(lg), c.sigma_asd(lg), lsp_asd, 104);
    link.asa_deg = spread(c.mu_asa(lg), c.sigma_asa(lg), lsp_asa, 104);
    link.zsd_deg = spread(zsd.mu, zsd.sigma, lsp_zsd, 52);
    link.zsa_deg = spread(c.mu_zsa(lg), c.sigma_zsa(lg), lsp_zsa, 52);

    // Step 5: delays.
    const int n = c.clusters;
    double delay[most_clusters], power[most_clusters], seen[most_clusters];
    for (int i = 0; i < n; i++)
        delay[i] =
            -c.delay_scaling * link.delay_spread_s * std::log(1 - draw_uniform(engine));
    std::sort(delay, delay + n);
    const double first = delay[0];
    for (int i = 0; i < n; i++)
        delay[i] -= first;
    // Step 6: powers; with the direct path those that the angles follow (7.5-8).
    double sum = 0;
    for (int i = 0; i < n; i++) {
        power[i] = std::exp(-delay[i] * (c.delay_scaling - 1) /
                            (c.delay_scaling * link.delay_spread_s)) *
                   std::pow(10, -0.1 * c.shadowing * draw_normal(engine));
        sum += power[i];
    }
    const double k = direct ? std::pow(10, 0.1 * link.k_db) : 0;
    double strongest = 0, most = 0;
    for (int i = 0; i < n; i++) {
        power[i] /= sum;
        seen[i] = power[i] / (k + 1) + (i == 0 ? k / (k + 1) : 0);
        strongest = std::max(strongest, seen[i]);
        most = std::max(most, power[i]);
    }
    // Powers (7.5-8) are for the angles alone: clusters are left out by those of (7.5-6), or
    // the delay spread of a LOS link would be a fifth too small.
    const double weakest = most * std::pow(10, -2.5);
    for (int i = 0; i < n; i++)
        link.clusters += power[i] >= weakest;
    if (!rays)
        return link;
    rays->clear();
    if (direct) {
        const double kd = link.k_db;
        const double scale = 0.7705 + kd * (-0.0433 + kd * (0.0002 + kd * 0.000017));
        for (int i = 0; i < n; i++)
            delay[i] /= scale;
    }

    // Step 7: angles.
    const double d3d = std::hypot(d2d, d_p.bs_height_m - link.height_m);
    const double los_aod = std::atan2(link.y_m, link.x_m) / degree,
                 los_zod = std::acos((link.height_m - d_p.bs_height_m) / d3d) / degree,
                 los_aoa = los_aod + 180, los_zoa = 180 - los_zod;
    const double c_phi = scenario_c_phi(n, direct, link.k_db),
                 c_theta = scenario_c_theta(n, direct, link.k_db);
    double aod[most_clusters], aoa[most_clusters], zod[most_clusters], zoa[most_clusters];
    const auto sign = [&] { return draw_uniform(engine) < 0.5 ? -1.0 : 1.0; };
    for (int i = 0; i < n; i++) {
        const double depth = -std::log(seen[i] / strongest);
        const double azimuth = 2 / 1.4 * std::sqrt(depth) / c_phi,
                     zenith = depth / c_theta;
        aoa[i] = link.asa_deg * (sign() * azimuth + draw_normal(engine) / 7);
        aod[i] = link.asd_deg * (sign() * azimuth + draw_normal(engine) / 7);
        zoa[i] = link.zsa_deg * (sign() * zenith + draw_normal(engine) / 7);
        zod[i] = link.zsd_deg * (sign() * zenith + draw_normal(engine) / 7);
    }
    const double first_aoa = aoa[0], first_aod = aod[0], first_zoa = zoa[0],
                 first_zod = zod[0];
    for (int i = 0; i < n; i++) {
        aoa[i] += los_aoa - (direct ? first_aoa : 0);
        aod[i] += los_aod - (direct ? first_aod : 0);
        zoa[i] += (link.indoor ? 90 : los_zoa) - (direct ? first_zoa : 0);
        zod[i] += los_zod + (direct ? -first_zod : zsd.offset_deg);
    }

    // Step 11: the direct path, and rays; the two strongest clusters are split.
    const double gain = d_p.path_loss
                            ? std::pow(10,
                                       0.1 * (link.shadowing_db - link.path_loss_db +
                                              (d_p.sector_element ? 8 : 0)))
                            : 1;
    const double fastest = d_p.speed_mps * d_p.carrier_hz / speed_of_light;
    const auto push = [&](const panel_ray& ray, double delay_s) {
        // Eq. (7.5-25) of a UE that travels horizontally.
        const double along =
            std::sin(ray.zoa_deg * degree) * std::cos(ray.aoa_deg * degree - travel);
        rays->push_back({ ray, delay_s, fastest * along });
    };
    if (direct) {
        const std::complex<double> phase = phasor(-d3d * d_p.carrier_hz / speed_of_light);
        push({ los_aod,
               los_aoa,
               los_zod,
               los_zoa,
               gain * k / (k + 1),
               { phase, 0, 0, -phase } },
             0);
    }
    int order[most_clusters];
    for (int i = 0; i < n; i++)
        order[i] = i;
    std::partial_sort(
        order, order + 2, order + n, [&](int a, int b) { return power[a] > power[b]; });
    const double c_ds = 1e-9 * std::max(c.c_ds_floor, c.c_ds(std::log10(ghz)));
    const double c_zsd = 3.0 / 8 * std::pow(10, zsd.mu);
    for (int i = 0; i < n; i++) {
        if (power[i] < weakest)
            continue;
        const bool split = i == order[0] || i == order[1];
        for (int part = 0; part < (split ? 3 : 1); part++) {
            const int count = split ? sub_cluster_sizes[part] : cdl_ray_count;
            // Step 8: coupling at random, within a sub-cluster.
            int of[4][cdl_ray_count];
            for (int angle = 0; angle < 4; angle++) {
                for (int m = 0; m < count; m++)
                    of[angle][m] = split ? sub_cluster_rays[part][m] : m;
                for (int m = count - 1; angle && m > 0; m--)
                    std::swap(of[angle][m],
                              of[angle][int((m + 1) * draw_uniform(engine))]);
            }
            for (int m = 0; m < count; m++) {
                const auto offset = [&](int angle) {
                    return cdl_ray_offsets[of[angle][m]];
                };
                panel_ray ray = { aod[i] + c.c_asd * offset(0),
                                  aoa[i] + c.c_asa * offset(1),
                                  wrap_zenith(zod[i] + c_zsd * offset(2)),
                                  wrap_zenith(zoa[i] + c.c_zsa * offset(3)),
                                  gain * power[i] / (k + 1) / cdl_ray_count,
                                  {} };
                // Steps 9 and 10: cross polarization ratio and phases.
                const double cross =
                    std::pow(10, -0.05 * (c.mu_xpr + c.sigma_xpr * draw_normal(engine)));
                for (int p = 0; p < 4; p++)
                    ray.polarization[p] =
                        (p == 1 || p == 2 ? cross : 1) * phasor(draw_uniform(engine));
                push(ray, delay[i] + (split ? sub_cluster_delays[part] * c_ds : 0));
            }
        }
    }
    return link;
}

} // namespace csifeedback
} // namespace gr
