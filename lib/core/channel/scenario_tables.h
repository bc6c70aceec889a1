/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SCENARIO_TABLES_H
#define INCLUDED_CSIFEEDBACK_SCENARIO_TABLES_H

#include <algorithm>
#include <cmath>

// The formulas and tables of 3GPP TR 38.901 v16.1, clauses 7.2, 7.4 and 7.5, and what
// Tables 7.4.3-1 and 7.5-6 of v19.2 changed. Distances
// and heights in m, carriers in GHz, losses in dB.

namespace gr {
namespace csifeedback {

enum class scenario_kind { uma, umi, rma, inh_open, inh_mixed };

//! The columns of Table 7.5-6.
enum scenario_state { scenario_los, scenario_nlos, scenario_o2i };

//! Large-scale parameters in the order of step 4.
enum scenario_lsp {
    lsp_sf,
    lsp_k,
    lsp_ds,
    lsp_asd,
    lsp_asa,
    lsp_zsd,
    lsp_zsa,
    lsp_count
};

//! slope log10(fc or 1 + fc) + constant.
struct scenario_line {
    double slope, constant;
    double operator()(double x) const { return slope * x + constant; }
};

//! A column of Table 7.5-6 but for the ZSD, in the order of its rows.
struct scenario_column {
    scenario_line mu_ds, sigma_ds;   // lg(DS / 1 s)
    scenario_line mu_asd, sigma_asd; // lg(ASD / 1 degree)
    scenario_line mu_asa, sigma_asa; // lg(ASA / 1 degree)
    scenario_line mu_zsa, sigma_zsa; // lg(ZSA / 1 degree)
    double mu_k, sigma_k;            // dB
    // Cross correlations.
    double asd_ds, asa_ds, asa_sf, asd_sf, ds_sf, asd_asa, asd_k, asa_k, ds_k, sf_k;
    double zsd_sf, zsa_sf, zsd_k, zsa_k, zsd_ds, zsa_ds, zsd_asd, zsa_asd, zsd_asa,
        zsa_asa, zsd_zsa;
    double delay_scaling;     // r_tau
    double mu_xpr, sigma_xpr; // dB
    int clusters;             // of 20 rays
    // Cluster DS in ns: the larger of c_ds_floor and a line in lg fc; ASD, ASA and ZSA in
    // degrees.
    double c_ds_floor;
    scenario_line c_ds;
    double c_asd, c_asa, c_zsa;
    double shadowing;                // per cluster, dB
    double correlation_m[lsp_count]; // distances, in the order of scenario_lsp
};

struct scenario_table {
    bool one_plus;    // lines are in lg(1 + fc), not in lg(fc)
    double least_ghz; // for lower carriers the values of this one are used
    scenario_column columns[3];
};

// clang-format off
// Outdoor to indoor, the same for UMa and UMi; v19.2 changed that of UMa alone.
constexpr scenario_column scenario_uma_umi_o2i = {
    { 0, -6.62 }, { 0, 0.32 }, { 0, 1.25 }, { 0, 0.42 },
    { 0, 1.76 }, { 0, 0.16 }, { 0, 1.01 }, { 0, 0.43 }, 0, 0,
    0.4, 0.4, 0, 0.2, -0.5, 0, 0, 0, 0, 0,
    0, 0, 0, 0, -0.6, -0.2, -0.2, 0, 0, 0.5, 0.5,
    2.2, 9, 5, 12, 0, { 0, 11 }, 5, 8, 3, 4,
    { 7, 1, 10, 11, 17, 25, 25 } };

constexpr scenario_table scenario_uma = { false, 6, {
    { { -0.0963, -6.955 }, { 0, 0.66 }, { 0.1114, 1.06 }, { 0, 0.28 },
      { 0, 1.81 }, { 0, 0.20 }, { 0, 0.95 }, { 0, 0.16 }, 9, 3.5,
      0.4, 0.8, -0.5, -0.5, -0.4, 0, 0, -0.2, -0.4, 0,
      0, -0.8, 0, 0, -0.2, 0, 0.5, 0, -0.3, 0.4, 0,
      2.5, 8, 4, 12, 0.25, { -3.4084, 6.5622 }, 5, 11, 7, 3,
      { 37, 12, 30, 18, 15, 15, 15 } },
    { { -0.204, -6.28 }, { 0, 0.39 }, { -0.1144, 1.5 }, { 0, 0.28 },
      { -0.27, 2.08 }, { 0, 0.11 }, { -0.3236, 1.512 }, { 0, 0.16 }, 0, 0,
      0.4, 0.6, 0, -0.6, -0.4, 0.4, 0, 0, 0, 0,
      0, -0.4, 0, 0, -0.5, 0, 0.5, -0.1, 0, 0, 0,
      2.3, 7, 3, 20, 0.25, { -3.4084, 6.5622 }, 2, 15, 7, 3,
      { 50, 1, 40, 50, 50, 50, 50 } },
    scenario_uma_umi_o2i } };

constexpr scenario_table scenario_uma_19 = { false, 6, {
    { { -0.0794, -7.067 }, { 0.026, 0.57 }, { 0, 0.92 }, { 0, 0.31 },
      { 0, 1.76 }, { 0, 0.19 }, { 0, 0.96 }, { 0, 0.15 }, 9, 3.5,
      0.4, 0.8, -0.5, -0.5, -0.4, 0, 0, -0.2, -0.4, 0,
      0, -0.8, 0, 0, -0.2, 0, 0.5, 0, -0.3, 0.4, 0,
      2.5, 8, 4, 12, 0.25, { -3.4084, 6.5622 }, 3.58, 11, 7, 3,
      { 37, 12, 30, 18, 15, 15, 15 } },
    { { -0.134, -6.47 }, { 0, 0.39 }, { 0, 1.09 }, { 0, 0.44 },
      { -0.25, 2.04 }, { -0.03, 0.17 }, { -0.2856, 1.445 }, { 0, 0.17 }, 0, 0,
      0.4, 0.6, 0, -0.6, -0.4, 0.4, 0, 0, 0, 0,
      0, -0.4, 0, 0, -0.5, 0, 0.5, -0.1, 0, 0, 0,
      2.3, 7, 3, 20, 0.25, { -3.4084, 6.5622 }, 1.8, 15, 7, 3,
      { 50, 1, 40, 50, 50, 50, 50 } },
    { { 0, -6.62 }, { 0, 0.32 }, { 0, 0.58 }, { 0, 0.7 },
      { 0, 1.76 }, { 0, 0.16 }, { 0, 1.01 }, { 0, 0.43 }, 0, 0,
      0.4, 0.4, 0, 0.2, -0.5, 0, 0, 0, 0, 0,
      0, 0, 0, 0, -0.6, -0.2, -0.2, 0, 0, 0.5, 0.5,
      2.2, 9, 5, 12, 0, { 0, 11 }, 1.8, 8, 3, 4,
      { 7, 1, 10, 11, 17, 25, 25 } } } };

constexpr scenario_table scenario_umi = { true, 2, {
    { { -0.24, -7.14 }, { 0, 0.38 }, { -0.05, 1.21 }, { 0, 0.41 },
      { -0.08, 1.73 }, { 0.014, 0.28 }, { -0.1, 0.73 }, { -0.04, 0.34 }, 9, 5,
      0.5, 0.8, -0.4, -0.5, -0.4, 0.4, -0.2, -0.3, -0.7, 0.5,
      0, 0, 0, 0, 0, 0.2, 0.5, 0.3, 0, 0, 0,
      3, 9, 3, 12, 0, { 0, 5 }, 3, 17, 7, 3,
      { 10, 15, 7, 8, 8, 12, 12 } },
    { { -0.24, -6.83 }, { 0.16, 0.28 }, { -0.23, 1.53 }, { 0.11, 0.33 },
      { -0.08, 1.81 }, { 0.05, 0.3 }, { -0.04, 0.92 }, { -0.07, 0.41 }, 0, 0,
      0, 0.4, -0.4, 0, -0.7, 0, 0, 0, 0, 0,
      0, 0, 0, 0, -0.5, 0, 0.5, 0.5, 0, 0.2, 0,
      2.1, 8, 3, 19, 0, { 0, 11 }, 10, 22, 7, 3,
      { 13, 1, 10, 10, 9, 10, 10 } },
    scenario_uma_umi_o2i } };

constexpr scenario_table scenario_umi_19 = { true, 2, {
    { { -0.18, -7.28 }, { 0, 0.39 }, { -0.05, 1.21 }, { 0.08, 0.29 },
      { -0.07, 1.66 }, { 0.021, 0.26 }, { -0.11, 0.81 }, { -0.03, 0.29 }, 9, 5,
      0.5, 0.8, -0.4, -0.5, -0.4, 0.4, -0.2, -0.3, -0.7, 0.5,
      0, 0, 0, 0, 0, 0.2, 0.5, 0.3, 0, 0, 0,
      3, 9, 3, 12, 0, { 0, 5 }, 3, 17, 7, 3,
      { 10, 15, 7, 8, 8, 12, 12 } },
    { { -0.22, -6.87 }, { 0.19, 0.22 }, { -0.24, 1.54 }, { 0.10, 0.33 },
      { -0.07, 1.76 }, { 0.05, 0.27 }, { -0.03, 0.92 }, { -0.05, 0.35 }, 0, 0,
      0, 0.4, -0.4, 0, -0.7, 0, 0, 0, 0, 0,
      0, 0, 0, 0, -0.5, 0, 0.5, 0.5, 0, 0.2, 0,
      2.1, 8, 3, 19, 0, { 0, 11 }, 10, 22, 7, 3,
      { 13, 1, 10, 10, 9, 10, 10 } },
    scenario_uma_umi_o2i } };

// Where the table has no cluster DS it is 3.91 ns (step 11).
constexpr scenario_table scenario_rma = { false, 0.5, {
    { { 0, -7.49 }, { 0, 0.55 }, { 0, 0.90 }, { 0, 0.38 },
      { 0, 1.52 }, { 0, 0.24 }, { 0, 0.47 }, { 0, 0.40 }, 7, 4,
      0, 0, 0, 0, -0.5, 0, 0, 0, 0, 0,
      0.01, -0.17, 0, -0.02, -0.05, 0.27, 0.73, -0.14, -0.20, 0.24, -0.07,
      3.8, 12, 4, 11, 0, { 0, 3.91 }, 2, 3, 3, 3,
      { 37, 40, 50, 25, 35, 15, 15 } },
    { { 0, -7.43 }, { 0, 0.48 }, { 0, 0.95 }, { 0, 0.45 },
      { 0, 1.52 }, { 0, 0.13 }, { 0, 0.58 }, { 0, 0.37 }, 0, 0,
      -0.4, 0, 0, 0.6, -0.5, 0, 0, 0, 0, 0,
      -0.04, -0.25, 0, 0, -0.10, -0.40, 0.42, -0.27, -0.18, 0.26, -0.27,
      1.7, 7, 3, 10, 0, { 0, 3.91 }, 2, 3, 3, 3,
      { 120, 1, 36, 30, 40, 50, 50 } },
    { { 0, -7.47 }, { 0, 0.24 }, { 0, 0.67 }, { 0, 0.18 },
      { 0, 1.66 }, { 0, 0.21 }, { 0, 0.93 }, { 0, 0.22 }, 0, 0,
      0, 0, 0, 0, 0, -0.7, 0, 0, 0, 0,
      0, 0, 0, 0, 0, 0, 0.66, 0.47, -0.55, -0.22, 0,
      1.7, 7, 3, 10, 0, { 0, 3.91 }, 2, 3, 3, 3,
      { 120, 1, 36, 30, 40, 50, 50 } } } };

constexpr scenario_table scenario_inh = { true, 6, {
    { { -0.01, -7.692 }, { 0, 0.18 }, { 0, 1.60 }, { 0, 0.18 },
      { -0.19, 1.781 }, { 0.12, 0.119 }, { -0.26, 1.44 }, { -0.04, 0.264 }, 7, 4,
      0.6, 0.8, -0.5, -0.4, -0.8, 0.4, 0, 0, -0.5, 0.5,
      0.2, 0.3, 0, 0.1, 0.1, 0.2, 0.5, 0, 0, 0.5, 0,
      3.6, 11, 4, 15, 0, { 0, 3.91 }, 5, 8, 9, 6,
      { 10, 4, 8, 7, 5, 4, 4 } },
    { { -0.28, -7.173 }, { 0.10, 0.055 }, { 0, 1.62 }, { 0, 0.25 },
      { -0.11, 1.863 }, { 0.12, 0.059 }, { -0.15, 1.387 }, { -0.09, 0.746 }, 0, 0,
      0.4, 0, -0.4, 0, -0.5, 0, 0, 0, 0, 0,
      0, 0, 0, 0, -0.27, -0.06, 0.35, 0.23, -0.08, 0.43, 0.42,
      3, 10, 4, 19, 0, { 0, 3.91 }, 5, 11, 9, 3,
      { 6, 1, 5, 3, 3, 4, 4 } },
    {} } };
// clang-format on

//! What the scenarios of Tables 7.2-1 to 7.2-3 set.
struct scenario_layout {
    const char* name;
    const scenario_table *table, *table_19; // of v16.1 and v19.2
    double isd_m, bs_height_m, least_distance_m, indoor_share, downtilt_deg;
};

constexpr scenario_layout scenario_layouts[] = {
    { "uma", &scenario_uma, &scenario_uma_19, 500, 25, 35, 0.8, 12 },
    { "umi", &scenario_umi, &scenario_umi_19, 200, 10, 10, 0.8, 12 },
    { "rma", &scenario_rma, &scenario_rma, 1732, 35, 35, 0.5, 0 },
    { "inh-open", &scenario_inh, &scenario_inh, 20, 3, 0, 0, 90 },
    { "inh-mixed", &scenario_inh, &scenario_inh, 20, 3, 0, 0, 90 },
};

//! Table 7.4.2-1.
inline double scenario_los_probability(scenario_kind kind, double d2d_out, double h_ut)
{
    const double d = d2d_out;
    switch (kind) {
    case scenario_kind::rma:
        return d <= 10 ? 1 : std::exp(-(d - 10) / 1000);
    case scenario_kind::umi:
        return d <= 18 ? 1 : 18 / d + std::exp(-d / 36) * (1 - 18 / d);
    case scenario_kind::uma: {
        if (d <= 18)
            return 1;
        const double c = h_ut <= 13 ? 0 : std::pow((std::min(h_ut, 23.0) - 13) / 10, 1.5);
        return (18 / d + std::exp(-d / 63) * (1 - 18 / d)) *
               (1 + c * 1.25 * std::pow(d / 100, 3) * std::exp(-d / 150));
    }
    case scenario_kind::inh_mixed:
        return d <= 1.2  ? 1
               : d < 6.5 ? std::exp(-(d - 1.2) / 4.7)
                         : std::exp(-(d - 6.5) / 32.6) * 0.32;
    default:
        return d <= 5    ? 1
               : d <= 49 ? std::exp(-(d - 5) / 70.8)
                         : std::exp(-(d - 49) / 211.7) * 0.54;
    }
}

//! Probability of note 1 of Table 7.4.1-1 that the effective height of the environment in
//! UMa is 1 m.
inline double scenario_low_environment(double d2d, double h_ut)
{
    if (h_ut < 13 || d2d <= 18)
        return 1;
    const double g = 1.25 * std::pow(d2d / 100, 3) * std::exp(-d2d / 150);
    return 1 / (1 + std::pow((std::min(h_ut, 23.0) - 13) / 10, 1.5) * g);
}

struct scenario_path_loss {
    double loss_db, sigma_sf_db; //!< without O2I penetration
};

//! Table 7.4.1-1; RMa with buildings of 5 m and streets of 20 m; h_e: effective height of
//! the environment, for UMa and UMi.
inline scenario_path_loss scenario_basic_loss(scenario_kind kind,
                                              bool los,
                                              double d2d,
                                              double h_bs,
                                              double h_ut,
                                              double ghz,
                                              double h_e)
{
    constexpr double light = 3e8; // as note 1 and note 5 have it
    const double dh = h_bs - h_ut;
    const double d3d = std::hypot(d2d, dh), lg = std::log10(d3d), lgf = std::log10(ghz);
    const double street = 4 * (h_bs - h_e) * (h_ut - h_e) * ghz * 1e9 / light;
    switch (kind) {
    case scenario_kind::uma: {
        const double near = 28 + 22 * lg + 20 * lgf,
                     far = 28 + 40 * lg + 20 * lgf -
                           9 * std::log10(street * street + dh * dh);
        const double line = d2d <= street ? near : far;
        if (los)
            return { line, 4 };
        return { std::max(line, 13.54 + 39.08 * lg + 20 * lgf - 0.6 * (h_ut - 1.5)), 6 };
    }
    case scenario_kind::umi: {
        const double near = 32.4 + 21 * lg + 20 * lgf,
                     far = 32.4 + 40 * lg + 20 * lgf -
                           9.5 * std::log10(street * street + dh * dh);
        const double line = d2d <= street ? near : far;
        if (los)
            return { line, 4 };
        return { std::max(line, 35.3 * lg + 22.4 + 21.3 * lgf - 0.3 * (h_ut - 1.5)),
                 7.82 };
    }
    case scenario_kind::rma: {
        constexpr double h = 5, w = 20;
        const auto near = [&](double d) {
            return 20 * std::log10(40 * M_PI * d * ghz / 3) +
                   std::min(0.03 * std::pow(h, 1.72), 10.0) * std::log10(d) -
                   std::min(0.044 * std::pow(h, 1.72), 14.77) + 0.002 * std::log10(h) * d;
        };
        const double point = 2 * M_PI * h_bs * h_ut * ghz * 1e9 / light;
        const double line =
            d2d <= point ? near(d3d) : near(point) + 40 * std::log10(d3d / point);
        if (los)
            return { line, d2d <= point ? 4.0 : 6.0 };
        const double ut = std::log10(11.75 * h_ut);
        return { std::max(line,
                          161.04 - 7.1 * std::log10(w) + 7.5 * std::log10(h) -
                              (24.37 - 3.7 * (h / h_bs) * (h / h_bs)) * std::log10(h_bs) +
                              (43.42 - 3.1 * std::log10(h_bs)) * (lg - 3) + 20 * lgf -
                              (3.2 * ut * ut - 4.97)),
                 8 };
    }
    default: {
        const double line = 32.4 + 17.3 * lg + 20 * lgf;
        if (los)
            return { line, 3 };
        return { std::max(line, 38.3 * lg + 17.30 + 24.9 * lgf), 8.03 };
    }
    }
}

//! Table 7.4.3-3, of simulations of a single frequency below 6 GHz: the loss of the wall, and
//! the largest of the uniformly distributed distances in the building, of one draw; the loss
//! has no other variance.
constexpr double scenario_single_wall_db = 20, scenario_single_depth_m = 25;


//! Loss through the outer wall, Tables 7.4.3-1 and 7.4.3-2: its standard deviation is
//! 4.4 dB (low) or 6.5 dB (high).
inline double scenario_wall_loss(bool high, double ghz, bool release_19 = false)
{
    const double glass = 2 + 0.2 * ghz,
                 iir_glass = release_19 ? 25.4 + 0.11 * ghz : 23 + 0.3 * ghz,
                 concrete = 5 + 4 * ghz;
    const auto through = [](double share, double loss) {
        return share * std::pow(10, -0.1 * loss);
    };
    return 5 - 10 * std::log10(high ? through(0.7, iir_glass) + through(0.3, concrete)
                                    : through(0.3, glass) + through(0.7, concrete));
}

struct scenario_zenith {
    double mu, sigma;  // lg(ZSD / 1 degree)
    double offset_deg; // of the mean ZOD
};

//! Tables 7.5-7 to 7.5-10; indoors too, where `los` is that of the outdoor part.
inline scenario_zenith scenario_zsd(
    scenario_kind kind, bool los, double d2d, double h_bs, double h_ut, double ghz)
{
    const double km = d2d / 1000;
    switch (kind) {
    case scenario_kind::uma: {
        const double mu = -2.1 * km - 0.01 * (h_ut - 1.5);
        if (los)
            return { std::max(-0.5, mu + 0.75), 0.40, 0 };
        const double lgf = std::log10(std::max(ghz, 6.0));
        return { std::max(-0.5, mu + 0.9),
                 0.49,
                 7.66 * lgf - 5.96 -
                     std::pow(10,
                              (0.208 * lgf - 0.782) * std::log10(std::max(25.0, d2d)) -
                                  0.13 * lgf + 2.03 - 0.07 * (h_ut - 1.5)) };
    }
    case scenario_kind::umi:
        if (los)
            return { std::max(-0.21, -14.8 * km + 0.01 * std::abs(h_ut - h_bs) + 0.83),
                     0.35,
                     0 };
        return { std::max(-0.5, -3.1 * km + 0.01 * std::max(h_ut - h_bs, 0.0) + 0.2),
                 0.35,
                 -std::pow(10, -1.5 * std::log10(std::max(10.0, d2d)) + 3.3) };
    case scenario_kind::rma:
        if (los)
            return { std::max(-1.0, -0.17 * km - 0.01 * (h_ut - 1.5) + 0.22), 0.34, 0 };
        return { std::max(-1.0, -0.19 * km - 0.01 * (h_ut - 1.5) + 0.28),
                 0.30,
                 (std::atan((35 - 3.5) / d2d) - std::atan((35 - 1.5) / d2d)) * 180 /
                     M_PI };
    default: {
        const double lgf = std::log10(1 + std::max(ghz, 6.0));
        if (los)
            return { -1.43 * lgf + 2.228, 0.13 * lgf + 0.30, 0 };
        return { 1.08, 0.36, 0 };
    }
    }
}

//! C_phi of Table 7.5-2 for the clusters of a column and, in LOS, (7.5-10).
inline double scenario_c_phi(int clusters, bool los, double k_db)
{
    const double c = clusters == 10   ? 1.090
                     : clusters == 11 ? 1.123
                     : clusters == 12 ? 1.146
                     : clusters == 15 ? 1.211
                     : clusters == 19 ? 1.273
                                      : 1.289; // 20
    return !los ? c : c * (1.1035 + k_db * (-0.028 + k_db * (-0.002 + k_db * 0.0001)));
}

//! C_theta of Table 7.5-4 for the clusters of a column and, in LOS, (7.5-15).
inline double scenario_c_theta(int clusters, bool los, double k_db)
{
    const double c = clusters == 10   ? 0.957
                     : clusters == 11 ? 1.031
                     : clusters == 12 ? 1.104
                     : clusters == 15 ? 1.1088
                     : clusters == 19 ? 1.184
                                      : 1.178; // 20
    return !los ? c : c * (1.3086 + k_db * (0.0339 + k_db * (-0.0077 + k_db * 0.0002)));
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SCENARIO_TABLES_H */
