/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The transform against the DFT's formula in double precision.

#include "random.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_real_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
using matrix = std::vector<cf>;

matrix random_matrix(size_t size, uint64_t seed)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    matrix h(size);
    for (cf& x : h) {
        const float re = normal(engine), im = normal(engine);
        x = { re, im };
    }
    return h;
}

double energy(const matrix& h)
{
    double sum = 0;
    for (const cf& x : h)
        sum += std::norm(cd(x));
    return sum;
}

double squared_distance(const matrix& a, const matrix& b)
{
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++)
        sum += std::norm(cd(a[i]) - cd(b[i]));
    return sum;
}

// One entry of Ha: unitary inverse DFT over subcarriers, unitary DFT over antennas.
cd cell(const matrix& h, int nc, int nt, int delay, int angle)
{
    cd sum = 0;
    for (int k = 0; k < nc; k++)
        for (int a = 0; a < nt; a++)
            sum += cd(h[k * nt + a]) *
                   std::polar(1.0,
                              2 * M_PI *
                                  ((double(k) * delay) / nc - (double(a) * angle) / nt));
    return sum / std::sqrt(double(nc) * nt);
}

// A channel of paths with delays in rows (1 / bandwidth), plane waves over the antennas.
struct path {
    double delay, angle, amplitude, phase;
};
matrix channel(const std::vector<path>& paths, int nc, int nt)
{
    std::vector<cd> h(nc * nt, 0.0);
    for (const path& p : paths)
        for (int k = 0; k < nc; k++)
            for (int a = 0; a < nt; a++)
                h[k * nt + a] += std::polar(
                    p.amplitude,
                    p.phase + 2 * M_PI * (a * p.angle / nt - k * p.delay / nc));
    return matrix(h.begin(), h.end());
}

struct size_case {
    int nc, nt, na, precursor;
};
const size_case sizes[] = { { 1, 1, 1, 0 },    { 2, 1, 1, 0 },    { 8, 4, 8, 0 },
                            { 48, 7, 5, 2 },   { 48, 7, 48, 47 }, { 31, 5, 9, 8 },
                            { 64, 8, 16, 4 },  { 72, 3, 12, 0 },  { 17, 16, 3, 1 },
                            { 106, 9, 20, 4 }, { 67, 2, 67, 0 } };

TEST(transform, equals_the_formula)
{
    for (const size_case& s : sizes) {
        const auto t = angular_delay_transform::make(s.nc, s.nt, s.na, s.precursor);
        const matrix h = random_matrix(s.nc * s.nt, s.nc);
        matrix ha(s.na * s.nt);
        t->forward(h.data(), ha.data());
        for (int r = 0; r < s.na; r++)
            for (int n = 0; n < s.nt; n++) {
                const cd expected = cell(h, s.nc, s.nt, r - s.precursor, n);
                ASSERT_LT(std::abs(cd(ha[r * s.nt + n]) - expected), 1e-5)
                    << s.nc << " " << s.nt << " row " << r << " column " << n;
            }
        EXPECT_EQ(t->nc(), s.nc);
        EXPECT_EQ(t->nt(), s.nt);
        EXPECT_EQ(t->na(), s.na);
        EXPECT_EQ(t->precursor(), s.precursor);
    }
}

TEST(transform, inverse_equals_the_formula)
{
    for (const size_case& s : sizes) {
        const auto t = angular_delay_transform::make(s.nc, s.nt, s.na, s.precursor);
        const matrix ha = random_matrix(s.na * s.nt, s.nt);
        matrix h(s.nc * s.nt);
        t->inverse(ha.data(), h.data());
        for (int k = 0; k < s.nc; k++)
            for (int a = 0; a < s.nt; a++) {
                cd sum = 0;
                for (int r = 0; r < s.na; r++)
                    for (int n = 0; n < s.nt; n++)
                        sum += cd(ha[r * s.nt + n]) *
                               std::polar(1.0,
                                          2 * M_PI *
                                              (double(a) * n / s.nt -
                                               double(k) * (r - s.precursor) / s.nc));
                sum /= std::sqrt(double(s.nc) * s.nt);
                ASSERT_LT(std::abs(cd(h[k * s.nt + a]) - sum), 1e-5);
            }
    }
}

struct plane_case {
    int nc, na, precursor;
    antenna_array array;
};
const plane_case planes[] = {
    { 52, 13, 4, { 4, 4, 2 } }, { 24, 24, 0, { 3, 2, 2 } }, { 31, 9, 8, { 16, 1, 2 } },
    { 17, 3, 1, { 1, 5, 1 } },  { 67, 67, 2, { 2, 7, 1 } }, { 106, 20, 4, { 5, 3, 2 } },
    { 48, 12, 4, { 1, 1, 2 } }, { 1, 1, 0, { 2, 2, 2 } },
};

// One entry of Ha of a plane, from the definition: beam (i, j) of polarization p.
cd cell(const matrix& h, int nc, const antenna_array& a, int delay, int p, int i, int j)
{
    cd sum = 0;
    for (int k = 0; k < nc; k++)
        for (int m = 0; m < a.n1; m++)
            for (int n = 0; n < a.n2; n++) {
                const double turns =
                    double(k) * delay / nc - double(m) * i / a.n1 - double(n) * j / a.n2;
                sum += cd(h[k * a.ports() + p * a.n1 * a.n2 + m * a.n2 + n]) *
                       std::polar(1.0, 2 * M_PI * turns);
            }
    return sum / std::sqrt(double(nc) * a.n1 * a.n2);
}

csi_shape shape_of(const plane_case& s)
{
    return csi_shape("Ha", s.na, s.array.ports(), s.nc, s.precursor, s.array);
}

TEST(transform, of_a_plane_equals_the_formula)
{
    for (const plane_case& s : planes) {
        const antenna_array& a = s.array;
        const int nt = a.ports();
        const auto t = angular_delay_transform::make(shape_of(s));
        EXPECT_EQ(t->array(), a);
        EXPECT_EQ(csi_shape(t).array, a);
        const matrix h = random_matrix(s.nc * nt, s.nc);
        matrix ha(s.na * nt), back(h.size());
        angular_delay_info info;
        t->forward(h.data(), ha.data(), &info);
        for (int r = 0; r < s.na; r++)
            for (int p = 0; p < a.polarizations; p++)
                for (int i = 0; i < a.n1; i++)
                    for (int j = 0; j < a.n2; j++)
                        ASSERT_LT(std::abs(cd(ha[r * nt + (p * a.n1 + i) * a.n2 + j]) -
                                           cell(h, s.nc, a, r - s.precursor, p, i, j)),
                                  1e-5)
                            << a.text() << " row " << r << " beam " << i << " " << j;
        // The inverse puts back what was kept, and the energy is that of the rows.
        t->inverse(ha.data(), back.data());
        EXPECT_NEAR(info.energy_lost, squared_distance(h, back) / energy(h), 1e-5);
        EXPECT_NEAR(energy(back), energy(ha), 1e-4 * energy(ha));
        if (s.na == s.nc)
            EXPECT_LT(squared_distance(h, back) / energy(h), 1e-12);
        matrix again(ha.size());
        t->forward(back.data(), again.data());
        EXPECT_LT(squared_distance(ha, again), 1e-11 * energy(ha));
    }
}

TEST(transform, of_a_plane_inverse_equals_the_formula)
{
    for (const plane_case& s : planes) {
        const antenna_array& a = s.array;
        const int nt = a.ports();
        const matrix ha = random_matrix(s.na * nt, nt);
        // <inverse(ha), h> = <ha, forward(h)> for all h: the inverse is the adjoint.
        const matrix h = random_matrix(s.nc * nt, 7);
        matrix back(h.size());
        angular_delay_transform::make(shape_of(s))->inverse(ha.data(), back.data());
        cd left = 0, right = 0;
        for (size_t i = 0; i < h.size(); i++)
            left += std::conj(cd(h[i])) * cd(back[i]);
        for (int r = 0; r < s.na; r++)
            for (int n = 0; n < nt; n++)
                right += std::conj(cell(h,
                                        s.nc,
                                        a,
                                        r - s.precursor,
                                        n / (a.n1 * a.n2),
                                        n / a.n2 % a.n1,
                                        n % a.n2)) *
                         cd(ha[r * nt + n]);
        EXPECT_LT(std::abs(left - right), 1e-4 * std::sqrt(energy(h) * energy(ha)));
    }
}

TEST(transform, of_a_plane_aligns_as_that_of_a_line)
{
    const int nc = 64, na = 16, precursor = 4;
    const antenna_array a{ 4, 2, 2 };
    const int nt = a.ports();
    const matrix h = channel({ { 9.4, 2, 1, 0.3 }, { 14, 5, 0.7, 1 } }, nc, nt);
    matrix line(na * nt), plane(line.size()), of_line(h.size()), of_plane(h.size());
    angular_delay_info of_one, of_other;
    const auto one = angular_delay_transform::make(nc, nt, na, precursor, true);
    const auto other =
        angular_delay_transform::make(csi_shape("Ha", na, nt, nc, precursor, a), true);
    one->forward(h.data(), line.data(), &of_one);
    other->forward(h.data(), plane.data(), &of_other);
    EXPECT_EQ(of_one.shift, of_other.shift);
    EXPECT_NEAR(of_one.energy_lost, of_other.energy_lost, 1e-6);
    one->inverse(line.data(), of_line.data());
    other->inverse(plane.data(), of_plane.data());
    EXPECT_LT(squared_distance(of_line, of_plane), 1e-10 * energy(h));
}

TEST(transform, of_a_line_is_the_same_whatever_states_it)
{
    const int nc = 106, nt = 9, na = 20;
    const matrix h = random_matrix(nc * nt, 5);
    matrix expected(na * nt), found(expected.size()), back(h.size()), again(h.size());
    const auto t = angular_delay_transform::make(nc, nt, na, 4);
    EXPECT_EQ(t->array(), (antenna_array{ nt, 1, 1 }));
    t->forward(h.data(), expected.data());
    t->inverse(expected.data(), back.data());
    for (const antenna_array& a : { antenna_array{}, antenna_array{ nt, 1, 1 } }) {
        const auto stated =
            angular_delay_transform::make(csi_shape("Ha", na, nt, nc, 4, a));
        stated->forward(h.data(), found.data());
        stated->inverse(expected.data(), again.data());
        EXPECT_EQ(found, expected); // bit for bit
        EXPECT_EQ(again, back);
    }
}

TEST(transform, arrays_out_of_range)
{
    for (const antenna_array& a : { antenna_array{ 4, 4, 1 },
                                    { 0, 4, 2 },
                                    { 8, 1, 4 },
                                    { -4, -4, 2 },
                                    { 32, 0, 1 },
                                    { 2048, 1, 1 },
                                    { 0, 1, 2 } }) {
        try {
            csi_shape("Ha", 8, 32, 64, 4, a);
            FAIL() << a.text();
        } catch (const std::invalid_argument& error) {
            const std::string text = error.what();
            EXPECT_NE(text.find("csi_shape: "), std::string::npos) << text;
            EXPECT_NE(text.find("array"), std::string::npos) << text;
        }
    }
    try {
        csi_shape("H", 64, 32, 0, -1, { 4, 4, 1 });
        FAIL();
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(
            error.what(),
            "csi_shape: array is 4 x 4 ports of 1 polarization, allowed is n1 n2 "
            "polarizations = nt = 32");
    }
    EXPECT_EQ(csi_shape("Ha", 8, 32, 64, 4, { 4, 4, 2 }).with_nc(100).array,
              (antenna_array{ 4, 4, 2 }));
    EXPECT_EQ((antenna_array{ 32, 1, 1 }.text()), "a line of 32 ports");
}

TEST(transform, plane_wave_falls_into_one_cell)
{
    const int nc = 1024, nt = 32, na = 32, precursor = 4;
    const auto t = angular_delay_transform::make(nc, nt, na, precursor);
    for (const auto& [delay, angle] :
         { std::pair{ 0, 0 }, { 5, 3 }, { 27, 31 }, { -4, 16 } }) {
        matrix ha(na * nt);
        angular_delay_info info;
        t->forward(channel({ { double(delay), double(angle), 1, 0.7 } }, nc, nt).data(),
                   ha.data(),
                   &info);
        const int at = (delay + precursor) * nt + angle;
        EXPECT_NEAR(std::abs(ha[at]), std::sqrt(double(nc) * nt), 1e-3);
        EXPECT_NEAR(std::arg(ha[at]), 0.7, 1e-4);
        ha[at] = 0;
        EXPECT_LT(energy(ha), 1e-6);
        EXPECT_LT(info.energy_lost, 1e-5);
        EXPECT_EQ(info.shift, 0);
    }
}

TEST(transform, unitary_and_nmse_equal_in_both_domains)
{
    for (const size_case& s : sizes) {
        const auto t = angular_delay_transform::make(s.nc, s.nt, s.nc, s.precursor);
        const matrix h = random_matrix(s.nc * s.nt, 1), g = random_matrix(h.size(), 2);
        matrix ha(h.size()), ga(h.size()), back(h.size());
        angular_delay_info info;
        t->forward(h.data(), ha.data(), &info);
        t->forward(g.data(), ga.data());
        EXPECT_NEAR(energy(ha) / energy(h), 1, 1e-6);
        EXPECT_NEAR(info.energy_lost, 0, 1e-5);
        EXPECT_NEAR(squared_distance(ha, ga) / energy(ha),
                    squared_distance(h, g) / energy(h),
                    1e-5);
        // na = nc loses nothing.
        t->inverse(ha.data(), back.data());
        EXPECT_LT(squared_distance(h, back) / energy(h), 1e-12);
    }
}

TEST(transform, truncation_loses_the_energy_it_states)
{
    for (const size_case& s : sizes) {
        const auto t = angular_delay_transform::make(s.nc, s.nt, s.na, s.precursor);
        const matrix h = random_matrix(s.nc * s.nt, 3);
        matrix ha(s.na * s.nt), back(h.size()), again(ha.size());
        angular_delay_info info;
        t->forward(h.data(), ha.data(), &info);
        t->inverse(ha.data(), back.data());
        EXPECT_NEAR(info.energy_lost, squared_distance(h, back) / energy(h), 1e-5);
        EXPECT_NEAR(info.energy_lost, 1 - energy(ha) / energy(h), 1e-5);
        // What was kept is kept once more.
        t->forward(back.data(), again.data());
        EXPECT_LT(squared_distance(ha, again), 1e-11 * energy(ha));
    }
}

TEST(transform, keeps_its_input)
{
    const auto t = angular_delay_transform::make(48, 7, 5, 2, true);
    const matrix h = random_matrix(48 * 7, 4), before = h;
    matrix ha(5 * 7);
    t->forward(h.data(), ha.data());
    EXPECT_EQ(h, before);
    const matrix kept = ha;
    matrix back(h.size());
    t->inverse(ha.data(), back.data());
    EXPECT_EQ(ha, kept);
}

TEST(transform, zero_matrix)
{
    for (const bool align : { false, true }) {
        const auto t = angular_delay_transform::make(32, 4, 8, 2, align);
        const matrix h(32 * 4, 0);
        matrix ha(8 * 4, cf(1, 1));
        angular_delay_info info{ 1, 1 };
        t->forward(h.data(), ha.data(), &info);
        EXPECT_EQ(energy(ha), 0);
        EXPECT_EQ(info.energy_lost, 0);
        EXPECT_EQ(info.shift, 0);
    }
}

// Largest error of the alignment in rows over single paths at random delays.
double single_path_error(int nc, double snr_db, uint64_t seed, double& worst_cut)
{
    const int nt = 8;
    const auto t = angular_delay_transform::make(nc, nt, 32, 4, true);
    random_engine engine = make_engine(seed, 0);
    boost::random::uniform_real_distribution<double> delays(-100, 127), angles(0, nt);
    boost::random::normal_distribution<double> normal;
    const double noise = std::pow(10, -snr_db / 20) / std::sqrt(2);
    double worst = 0;
    worst_cut = 0;
    for (int trial = 0; trial < 200; trial++) {
        const double delay = delays(engine);
        matrix h = channel({ { delay, angles(engine), 1, 1 } }, nc, nt);
        for (cf& x : h) {
            const double re = noise * normal(engine), im = noise * normal(engine);
            x += cf(re, im);
        }
        matrix ha(32 * nt);
        angular_delay_info info;
        t->forward(h.data(), ha.data(), &info);
        worst = std::max(worst, std::abs(info.shift - delay));
        worst_cut = std::max(worst_cut, double(info.energy_lost));
    }
    return worst;
}

TEST(transform, alignment_of_a_single_path)
{
    // The second is no size of a fast FFT.
    for (const int nc : { 256, 318 }) {
        double cut;
        const double clean = single_path_error(nc, 300, 1, cut);
        RecordProperty("rows_without_noise", std::to_string(clean));
        std::cout << "alignment error without noise: " << clean << " rows\n";
        EXPECT_LT(clean, 0.02);
        EXPECT_LT(cut, 1e-3);
        const double noisy = single_path_error(nc, 10, 2, cut);
        std::cout << "alignment error at 10 dB per entry: " << noisy << " rows\n";
        EXPECT_LT(noisy, 0.05);
    }
}

TEST(transform, aligned_path_falls_onto_the_precursor_row)
{
    const int nc = 256, nt = 8, precursor = 4;
    const auto t = angular_delay_transform::make(nc, nt, 32, precursor, true);
    for (const double delay : { -37.5, -0.25, 0.0, 0.5, 12.3, 90.75 }) {
        matrix ha(32 * nt);
        angular_delay_info info;
        t->forward(channel({ { delay, 2, 1, 0 } }, nc, nt).data(), ha.data(), &info);
        EXPECT_GT(std::norm(ha[precursor * nt + 2]), 0.998 * nc * nt) << delay;
        EXPECT_NEAR(info.shift, delay, 0.02);
    }
}

TEST(transform, alignment_takes_the_earliest_path_within_the_threshold)
{
    const int nc = 256, nt = 8;
    const auto shift = [&](double early_db, float threshold_db) {
        const auto t = angular_delay_transform::make(nc, nt, 32, 4, true, threshold_db);
        matrix ha(32 * nt);
        angular_delay_info info;
        t->forward(channel({ { 3.3, 1, std::pow(10, early_db / 20), 0.3 },
                             { 14.6, 5, 1, 2 },
                             { 21.9, 3, 0.5, 1 } },
                           nc,
                           nt)
                       .data(),
                   ha.data(),
                   &info);
        return info.shift;
    };
    EXPECT_NEAR(shift(-15, 20), 3.3, 0.05);
    EXPECT_NEAR(shift(-25, 20), 14.6, 0.05);
    EXPECT_NEAR(shift(-15, 10), 14.6, 0.05);
    EXPECT_NEAR(shift(6, 20), 3.3, 0.05);
    EXPECT_NEAR(shift(-18, 20), 3.3, 0.05);
}

TEST(transform, alignment_does_not_depend_on_absolute_delay)
{
    const int nc = 256, nt = 8;
    const auto t = angular_delay_transform::make(nc, nt, 64, 4, true);
    matrix first(64 * nt), other(64 * nt);
    for (const double delay : { 0.0, 0.37, -12.5, 60.1 }) {
        t->forward(
            channel({ { delay, 1, 0.5, 0 }, { delay + 9.25, 4.4, 1, 1 } }, nc, nt).data(),
            delay == 0 ? first.data() : other.data());
        if (delay != 0) {
            // The two differ by a common phase of each path's ramp only.
            double a = 0, b = 0, difference = 0;
            for (size_t i = 0; i < first.size(); i++) {
                a += std::norm(first[i]);
                b += std::norm(other[i]);
                difference += std::pow(std::abs(first[i]) - std::abs(other[i]), 2.0);
            }
            EXPECT_LT(difference / a, 1e-3) << delay;
            EXPECT_NEAR(a, b, 1e-2 * a);
        }
    }
}

TEST(transform, alignment_keeps_subcarrier_precoders)
{
    // All antennas of a subcarrier turn by the same phase.
    const int nc = 64, nt = 4;
    const auto t = angular_delay_transform::make(nc, nt, nc, 4, true);
    const matrix h =
        channel({ { 7.7, 1, 1, 0 }, { 11.2, 2.5, 0.7, 1 }, { 30, 3, 0.2, 2 } }, nc, nt);
    matrix ha(h.size()), back(h.size());
    t->forward(h.data(), ha.data());
    t->inverse(ha.data(), back.data());
    for (int k = 0; k < nc; k++) {
        cd product = 0;
        double a = 0, b = 0;
        for (int n = 0; n < nt; n++) {
            product += std::conj(cd(h[k * nt + n])) * cd(back[k * nt + n]);
            a += std::norm(h[k * nt + n]);
            b += std::norm(back[k * nt + n]);
        }
        EXPECT_NEAR(std::abs(product) / std::sqrt(a * b), 1, 1e-5);
    }
}

void expect_bad(const std::function<void()>& make, const std::vector<std::string>& words)
{
    try {
        make();
        ADD_FAILURE() << "no exception for " << words[0];
    } catch (const std::invalid_argument& e) {
        for (const std::string& word : words)
            EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
}

TEST(transform, bad_parameters_are_named)
{
    const auto make =
        [](int nc, int nt, int na, int precursor, bool align, float threshold_db) {
            return angular_delay_transform::make(
                nc, nt, na, precursor, align, threshold_db);
        };
    expect_bad([&] { make(0, 4, 1, 0, false, 20); }, { "nc is 0", "1 to 65536" });
    expect_bad([&] { make(65537, 4, 1, 0, false, 20); }, { "nc is 65537" });
    expect_bad([&] { make(-5, 4, 1, 0, false, 20); }, { "nc is -5" });
    expect_bad([&] { make(32, 0, 1, 0, false, 20); }, { "nt is 0", "1 to 1024" });
    expect_bad([&] { make(32, 1025, 1, 0, false, 20); }, { "nt is 1025" });
    expect_bad([&] { make(32, 4, 0, 0, false, 20); }, { "na is 0", "1 to 32" });
    expect_bad([&] { make(32, 4, 33, 0, false, 20); }, { "na is 33" });
    expect_bad([&] { make(32, 4, 8, -1, false, 20); }, { "precursor is -1", "0 to 7" });
    expect_bad([&] { make(32, 4, 8, 8, false, 20); }, { "precursor is 8" });
    expect_bad([&] { make(32, 4, 8, 4, true, 0); }, { "threshold_db is 0" });
    expect_bad([&] { make(32, 4, 8, 4, true, -3); }, { "threshold_db is -3" });
    expect_bad([&] { make(32, 4, 8, 4, true, 101); }, { "threshold_db is 101" });
    expect_bad([&] { make(32, 4, 8, 4, true, std::numeric_limits<float>::quiet_NaN()); },
               { "threshold_db is nan" });
}

} // namespace
