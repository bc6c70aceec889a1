/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Plane waves to matrices: against the sum over the paths in double precision.

#include "channel/path_channel.h"
#include "channel/phasor.h"
#include "channel_statistics.h"
#include "random.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/cdl_channel.h>
#include <gnuradio/csifeedback/channel_generator.h>
#include <gnuradio/csifeedback/cost2100_channel.h>
#include <boost/random/uniform_real_distribution.hpp>
#include <algorithm>
#include <limits>
#include <set>

using namespace gr::csifeedback;

namespace {

using matrix = std::vector<cf>;
using exact_matrix = std::vector<cd>;
using path_list = std::vector<propagation_path>;

//! A model whose samples all have the paths given.
class fixed_paths : public path_channel
{
public:
    fixed_paths(const channel_grid& grid,
                const path_list& list,
                bool align = false,
                bool normalize = false,
                bool receiver_aligned = false)
        : path_channel("fixed_paths", grid, align, normalize, receiver_aligned),
          d_list(list)
    {
    }
    std::string name() const override { return "fixed"; }
    std::string parameters() const override { return "{}"; }
    double sample_interval_s() const override { return 0; }

protected:
    void draw(uint64_t, path_list& paths) const override { paths = d_list; }

private:
    const path_list d_list;
};

// The definition in channel_model.h.
exact_matrix direct_sum(const channel_grid& g, const path_list& paths)
{
    exact_matrix h(size_t(g.nc) * g.nt);
    for (const auto& p : paths)
        for (int k = 0; k < g.nc; k++)
            for (int n = 0; n < g.nt; n++)
                h[size_t(k) * g.nt + n] +=
                    p.gain *
                    std::polar(1.0,
                               -2 * M_PI * std::fmod(k * g.spacing_hz * p.delay_s, 1)) *
                    std::polar(1.0, -2 * M_PI * g.antenna_spacing * n * p.u);
    return h;
}

// Rows [-precursor, na - precursor) of the unitary 2D-DFT, term by term.
exact_matrix
direct_rows(const channel_grid& g, const exact_matrix& h, int na, int precursor)
{
    exact_matrix by_row(size_t(na) * g.nt), ha(by_row.size());
    for (int r = 0; r < na; r++)
        for (int k = 0; k < g.nc; k++) {
            const cd turn = std::polar(
                1.0, 2 * M_PI * std::fmod(double(k) * (r - precursor) / g.nc, 1));
            for (int n = 0; n < g.nt; n++)
                by_row[r * g.nt + n] += turn * h[size_t(k) * g.nt + n];
        }
    for (int r = 0; r < na; r++)
        for (int m = 0; m < g.nt; m++)
            for (int n = 0; n < g.nt; n++)
                ha[r * g.nt + m] += by_row[r * g.nt + n] *
                                    std::polar(1.0, -2 * M_PI * (n * m % g.nt) / g.nt) /
                                    std::sqrt(double(g.nc) * g.nt);
    return ha;
}

double squared_norm(const exact_matrix& x)
{
    double sum = 0;
    for (const cd& v : x)
        sum += std::norm(v);
    return sum;
}

// ||a - b|| / scale
double distance(const matrix& a, const exact_matrix& b, double scale)
{
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++)
        sum += std::norm(cd(a[i]) - b[i]);
    return std::sqrt(sum) / scale;
}

path_list random_paths(size_t count, double first_s, double last_s, uint64_t seed)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::uniform_real_distribution<double> delay(first_s, last_s), unit(-1, 1);
    path_list paths(count);
    for (auto& p : paths) {
        p.delay_s = delay(engine);
        p.u = unit(engine);
        const double re = unit(engine), im = unit(engine);
        p.gain = { re, im };
    }
    return paths;
}

TEST(phasor, equals_sine_and_cosine)
{
    random_engine engine = make_engine(1, 0);
    for (const double span : { 1e-9, 1.0, 1e4 }) {
        boost::random::uniform_real_distribution<double> turns(-span, span);
        for (int i = 0; i < 20000; i++) {
            const double x = turns(engine);
            const long double angle =
                2 * 3.14159265358979323846264338328L * (x - std::rint(x));
            EXPECT_NEAR(phasor(x).real(), double(std::cos(angle)), 2e-15);
            // The sine is as exact relative to itself, also where it is small.
            EXPECT_NEAR(phasor(x).imag() / double(std::sin(angle)), 1, 1e-14) << x;
        }
    }
    for (int quarter = -9; quarter < 9; quarter++) {
        const int at = (quarter % 4 + 4) % 4;
        EXPECT_EQ(phasor(0.25 * quarter),
                  (std::vector<cd>{ 1, { 0, 1 }, -1, { 0, -1 } }[at]));
    }
}

TEST(path_channel, plane_wave_on_the_grid_falls_into_one_cell)
{
    const channel_grid g;
    const int na = 32, precursor = 4;
    const auto transform = angular_delay_transform::make(g.nc, g.nt, na, precursor);
    const cd gain = std::polar(0.8, 0.7);
    for (const int row : { 0, 5, 27, -4 })
        for (const int beam : { 0, 3, 15, 16, 31 }) {
            // The phase -2 pi antenna_spacing u n of antenna n is 2 pi n beam / nt.
            double u = -beam / (g.antenna_spacing * g.nt);
            u += u < -1 ? 2 : 0;
            const fixed_paths model(g, { { row / (g.nc * g.spacing_hz), u, gain } });
            matrix h(g.nc * g.nt), ha(na * g.nt), of_whole(na * g.nt);
            channel_sample_info info;
            model.generate_truncated(0, na, precursor, ha.data(), &info);
            EXPECT_NEAR(info.energy / (g.nc * g.nt * std::norm(gain)), 1, 1e-6);
            EXPECT_LT(info.energy_lost, 1e-6);
            model.generate(0, h.data(), nullptr);
            transform->forward(h.data(), of_whole.data());
            for (matrix* m : { &ha, &of_whole }) {
                cf& cell = (*m)[(row + precursor) * g.nt + beam];
                const cd expected = gain * std::sqrt(double(g.nc) * g.nt);
                EXPECT_LT(std::abs(cd(cell) - expected), 1e-6 * std::abs(expected));
                cell = 0;
                EXPECT_LT(energy_of(*m), 1e-12 * std::norm(expected));
            }
        }
}

struct synthesis_case {
    channel_grid grid;
    int na, precursor;
    size_t paths;
    double first_rows, last_rows; // delays, in rows
};
const synthesis_case synthesis_cases[] = {
    { { 1024, 32, 20e6 / 1024, 0.5 }, 32, 4, 60, 0, 40 },
    { { 1024, 32, 20e6 / 1024, 0.5 }, 1024, 0, 5, -300, 700 },
    { { 52, 4, 180e3, 0.7 }, 16, 0, 20, -5, 60 },
    { { 51, 7, 15e3, 2.5 }, 51, 50, 20, 0, 200 },
    { { 127, 3, 30e3, 0.5 }, 9, 8, 10, 0, 20 },
    { { 64, 16, 1e6, 0.5 }, 1, 0, 1, 3.3, 3.4 },
    { { 2, 1, 1e6, 0.5 }, 2, 1, 3, 0, 2 },
    { { 1, 32, 1e6, 0.5 }, 1, 0, 30, 0, 10 },
    { { 1, 1, 1e6, 0.5 }, 1, 0, 1, 0, 1 },
};

TEST(path_channel, equals_the_sum_over_the_paths)
{
    double worst = 0, worst_rows = 0;
    uint64_t seed = 1;
    for (const synthesis_case& c : synthesis_cases) {
        const channel_grid& g = c.grid;
        const double row = 1 / (g.nc * g.spacing_hz);
        const path_list paths =
            random_paths(c.paths, c.first_rows * row, c.last_rows * row, seed++);
        const fixed_paths model(g, paths);
        const exact_matrix expected = direct_sum(g, paths);
        const exact_matrix rows = direct_rows(g, expected, c.na, c.precursor);
        const double whole = squared_norm(expected), kept = squared_norm(rows);

        matrix h(expected.size()), ha(rows.size());
        channel_sample_info info, info_rows;
        model.generate(0, h.data(), &info);
        model.generate_truncated(0, c.na, c.precursor, ha.data(), &info_rows);
        const double error = distance(h, expected, std::sqrt(whole)),
                     error_rows = distance(ha, rows, std::sqrt(kept));
        EXPECT_LT(error, 1e-6) << g.nc << " x " << g.nt;
        EXPECT_LT(error_rows, 1e-6) << g.nc << " x " << g.nt;
        worst = std::max(worst, error);
        worst_rows = std::max(worst_rows, error_rows);

        EXPECT_NEAR(info.energy / whole, 1, 1e-6);
        EXPECT_EQ(info.energy_lost, 0);
        EXPECT_NEAR(info_rows.energy / whole, 1, 1e-6);
        EXPECT_NEAR(info_rows.energy_lost, std::max(0.0, 1 - kept / whole), 1e-6);
        EXPECT_EQ(info.delay_shift_s, 0);

        // Without info the matrices are the same.
        matrix again(h.size()), again_rows(ha.size());
        model.generate(0, again.data(), nullptr);
        model.generate_truncated(0, c.na, c.precursor, again_rows.data(), nullptr);
        EXPECT_EQ(again, h);
        EXPECT_EQ(again_rows, ha);
    }
    std::cout << "largest relative error: " << worst << " of H, " << worst_rows
              << " of its rows\n";
}

TEST(path_channel, rows_are_continuous_at_the_grid)
{
    const channel_grid g{ 256, 8, 1e5, 0.5 };
    const int na = 16, precursor = 4;
    for (const double off :
         { 0.0, 1e-15, 1e-12, 9e-10, 1.1e-9, 1e-7, 1e-4, -1e-9, -1e-5 })
        for (const int row : { -3, 0, 7, 256 }) {
            const path_list paths = {
                { (row + off) / (g.nc * g.spacing_hz), 0.25 + off, { 0.3, -1 } }
            };
            const exact_matrix expected =
                direct_rows(g, direct_sum(g, paths), na, precursor);
            matrix ha(na * g.nt);
            fixed_paths(g, paths).generate_truncated(
                0, na, precursor, ha.data(), nullptr);
            EXPECT_LT(distance(ha, expected, std::sqrt(squared_norm(expected))), 1e-6)
                << row << " " << off;
        }
}

TEST(path_channel, alignment_and_normalization)
{
    const channel_grid g{ 64, 4, 1e6, 0.5 };
    // The first is 20.9 dB below the strongest, the second 19.2 dB.
    const path_list paths = { { 1e-7, 0.1, 0.09 },
                              { 3e-7, 0.2, { 0, 0.11 } },
                              { 9e-7, -0.5, 1.0 } };
    const double power = power_of(paths);
    for (const bool align : { false, true })
        for (const bool normalize : { false, true }) {
            const fixed_paths model(g, paths, align, normalize);
            const path_list out = model.paths(0);
            ASSERT_EQ(out.size(), paths.size());
            const double shift = align ? 3e-7 : 0,
                         scale = normalize ? 1 / std::sqrt(power) : 1;
            for (size_t i = 0; i < out.size(); i++) {
                EXPECT_NEAR(out[i].delay_s, paths[i].delay_s - shift, 1e-20);
                EXPECT_LT(std::abs(out[i].gain - scale * paths[i].gain), 1e-15);
                EXPECT_EQ(out[i].u, paths[i].u);
            }
            matrix h(g.nc * g.nt), ha(8 * g.nt);
            channel_sample_info info;
            model.generate(0, h.data(), &info);
            EXPECT_EQ(info.delay_shift_s, shift);
            const exact_matrix expected = direct_sum(g, out);
            EXPECT_LT(distance(h, expected, std::sqrt(squared_norm(expected))), 1e-6);
            model.generate_truncated(0, 8, 2, ha.data(), &info);
            EXPECT_EQ(info.delay_shift_s, shift);
        }
}

// Two near rays are one path to a receiver, which lies between them: what is at delay
// zero is what angular_delay puts there.
TEST(path_channel, alignment_as_received)
{
    const channel_grid g{ 64, 4, 1e6, 0.5 };
    const double row = 1 / (g.nc * g.spacing_hz);
    const path_list paths = { { 5.25 * row, 0.1, 0.2 },
                              { 6.25 * row, 0.1, 0.8 },
                              { 20 * row, -0.5, 1.0 } };
    const double first = paths[0].delay_s;
    const int na = 32, precursor = 4;
    const fixed_paths exact(g, paths, true), received(g, paths, true, false, true);
    matrix h(g.nc * g.nt), ha(na * g.nt), expected(na * g.nt);
    exact.generate(0, h.data(), nullptr);
    angular_delay_info found;
    angular_delay_transform::make(g.nc, g.nt, na, precursor, true)
        ->forward(h.data(), expected.data(), &found);
    // Near the stronger ray; beyond it where the weak one takes away of its early side.
    EXPECT_NEAR(found.shift, 1, 0.5);
    channel_sample_info info;
    received.generate_truncated(0, na, precursor, ha.data(), &info);
    const exact_matrix e(expected.begin(), expected.end());
    EXPECT_LT(distance(ha, e, std::sqrt(squared_norm(e))), 1e-5);
    EXPECT_NEAR(info.delay_shift_s, first + found.shift * row, 1e-4 * row);
    const path_list out = received.paths(0);
    for (size_t i = 0; i < out.size(); i++)
        EXPECT_NEAR(
            out[i].delay_s, paths[i].delay_s - first - found.shift * row, 1e-4 * row);
    EXPECT_THROW(fixed_paths(g, paths, false, false, true), std::invalid_argument);
}

std::vector<channel_model::sptr> all_models(const channel_grid& grid, uint64_t seed)
{
    std::vector<channel_model::sptr> models;
    for (const char* scenario : { "indoor", "outdoor", "outdoor-nlos" }) {
        cost2100_parameters p;
        p.scenario = scenario;
        p.grid = grid;
        p.seed = seed;
        models.push_back(cost2100_channel::make(p));
    }
    for (const char profile : { 'A', 'B', 'C', 'D', 'E' }) {
        cdl_parameters p;
        p.profile = profile;
        p.grid = grid;
        p.seed = seed;
        p.delay_spread_s = 300e-9;
        models.push_back(cdl_channel::make(p));
    }
    return models;
}

struct truncation_case {
    channel_grid grid;
    int na, precursor;
};
const truncation_case truncation_cases[] = {
    { { 1024, 32, 20e6 / 1024, 0.5 }, 32, 4 }, { { 1024, 32, 20e6 / 1024, 0.5 }, 64, 0 },
    { { 256, 8, 20e6 / 256, 0.5 }, 256, 255 }, { { 273, 5, 360e3, 0.7 }, 20, 19 },
    { { 52, 64, 180e3, 0.5 }, 1, 0 },
};

// The two ways of a model to the same rows share nothing but the paths; each may be off
// by 1e-6.
TEST(path_channel, rows_equal_those_of_the_whole_matrix)
{
    double worst = 0;
    for (const truncation_case& c : truncation_cases) {
        const auto transform =
            angular_delay_transform::make(c.grid.nc, c.grid.nt, c.na, c.precursor);
        for (const auto& model : all_models(c.grid, 5))
            for (uint64_t index = 0; index < 10; index++) {
                matrix h(c.grid.nc * c.grid.nt), ha(c.na * c.grid.nt), rows(ha.size());
                channel_sample_info info, whole;
                angular_delay_info cut;
                model->generate(index, h.data(), &whole);
                transform->forward(h.data(), rows.data(), &cut);
                model->generate_truncated(index, c.na, c.precursor, ha.data(), &info);
                // Relative to the whole: what is kept may be next to nothing.
                const double error = distance(
                    ha, exact_matrix(rows.begin(), rows.end()), std::sqrt(energy_of(h)));
                EXPECT_LT(error, 2e-6) << model->name() << " " << index;
                worst = std::max(worst, error);
                EXPECT_NEAR(info.energy / energy_of(h), 1, 2e-6) << model->name();
                EXPECT_EQ(info.energy, whole.energy);
                EXPECT_EQ(info.delay_shift_s, whole.delay_shift_s);
                EXPECT_EQ(whole.energy_lost, 0);
                EXPECT_NEAR(info.energy_lost, 1 - energy_of(ha) / energy_of(h), 2e-6);
                EXPECT_NEAR(info.energy_lost, cut.energy_lost, 2e-6);
            }
    }
    std::cout << "largest relative difference: " << worst << "\n";
}

TEST(path_channel, matrices_are_those_of_the_paths)
{
    const channel_grid g{ 128, 8, 20e6 / 128, 0.5 };
    for (const auto& model : all_models(g, 2))
        for (uint64_t index = 0; index < 5; index++) {
            const exact_matrix expected = direct_sum(g, model->paths(index));
            matrix h(expected.size());
            model->generate(index, h.data());
            EXPECT_LT(distance(h, expected, std::sqrt(squared_norm(expected))), 1e-6)
                << model->name();
        }
}

TEST(path_channel, leaves_subnormal_numbers_alone)
{
    // nc / 2 = 33: the parts of a spectrum lie on odd addresses.
    const channel_grid grid{ 66, 3, 3e5, 0.5 };
    const fixed_paths model(grid, { { 1e-7, 0.3, { 1, 2 } } });
    matrix h(66 * 3), ha(8 * 3);
    model.generate(0, h.data(), nullptr);
    model.generate_truncated(0, 8, 2, ha.data(), nullptr);
    volatile float tiny = 1e-40f;
    EXPECT_GT(tiny * 0.5f, 0);
}

TEST(generate_channels, bytes_do_not_depend_on_threads_or_order)
{
    const channel_grid g{ 128, 16, 20e6 / 128, 0.5 };
    const size_t count = 37;
    for (const int na : { 0, 16 })
        for (const auto& model : all_models(g, 3)) {
            const size_t size = size_t(na ? na : g.nc) * g.nt;
            matrix one(count * size);
            std::vector<channel_sample_info> info_one(count);
            generate_channels(model, 100, count, na, 2, 1, one.data(), info_one.data());
            for (const int threads : { 2, 3, 0 }) {
                matrix several(count * size);
                std::vector<channel_sample_info> info(count);
                generate_channels(
                    model, 100, count, na, 2, threads, several.data(), info.data());
                EXPECT_TRUE(several == one) << model->name() << " " << threads;
                for (size_t i = 0; i < count; i++) {
                    EXPECT_EQ(info[i].energy, info_one[i].energy);
                    EXPECT_EQ(info[i].energy_lost, info_one[i].energy_lost);
                    EXPECT_EQ(info[i].delay_shift_s, info_one[i].delay_shift_s);
                }
            }
            // A single sample, from a model made anew.
            matrix single(size);
            for (const auto& again : all_models(g, 3))
                if (again->name() == model->name()) {
                    if (na)
                        again->generate_truncated(120, na, 2, single.data());
                    else
                        again->generate(120, single.data());
                }
            EXPECT_TRUE(std::equal(single.begin(), single.end(), &one[20 * size]));
        }
}

TEST(generate_channels, seeds_and_samples_differ)
{
    const channel_grid g{ 64, 4, 20e6 / 64, 0.5 };
    const size_t count = 50, size = g.nc * g.nt;
    std::set<std::vector<float>> seen;
    size_t made = 0;
    for (const uint64_t seed : { 0ul, 1ul, 2ul, ~0ul })
        for (const auto& model : all_models(g, seed)) {
            matrix h(count * size);
            std::vector<channel_sample_info> info(count);
            generate_channels(model, 0, count, 0, 0, 1, h.data(), info.data());
            for (size_t i = 0; i < count; i++, made++) {
                const float* from = reinterpret_cast<const float*>(&h[i * size]);
                seen.insert({ from, from + 2 * size });
            }
        }
    EXPECT_EQ(seen.size(), made);
}

TEST(generate_channels, bad_parameters_are_named)
{
    const auto model = all_models({ 64, 4, 1e6, 0.5 }, 1)[0];
    matrix out(64 * 4);
    channel_sample_info info;
    const auto run = [&](channel_model::sptr m, int na, int precursor, int threads) {
        generate_channels(m, 0, 1, na, precursor, threads, out.data(), &info);
    };
    expect_bad([&] { run(nullptr, 8, 0, 1); }, { "model is null" });
    expect_bad([&] { run(model, -1, 0, 1); }, { "na is -1", "0 to 64" });
    expect_bad([&] { run(model, 65, 0, 1); }, { "na is 65" });
    expect_bad([&] { run(model, 8, -1, 1); }, { "precursor is -1", "0 to 7" });
    expect_bad([&] { run(model, 8, 8, 1); }, { "precursor is 8" });
    expect_bad([&] { run(model, 8, 0, -1); }, { "threads is -1", "0 to 256" });
    expect_bad([&] { run(model, 8, 0, 257); }, { "threads is 257" });
    run(model, 0, 99, 1); // no meaning for whole matrices
    const auto truncated = [&](int na, int precursor) {
        model->generate_truncated(0, na, precursor, out.data());
    };
    expect_bad([&] { truncated(0, 0); }, { "na is 0", "1 to 64" });
    expect_bad([&] { truncated(65, 0); }, { "na is 65" });
    expect_bad([&] { truncated(8, -1); }, { "precursor is -1", "0 to 7" });
    expect_bad([&] { truncated(8, 8); }, { "precursor is 8" });
}

// An exception of a model reaches the caller whichever thread it comes from.
TEST(generate_channels, passes_exceptions_on)
{
    struct failing : fixed_paths {
        failing() : fixed_paths({ 4, 1, 1e6, 0.5 }, { { 0, 0, 1 } }) {}
        void generate(uint64_t index, cf*, channel_sample_info*) const override
        {
            if (index == 17)
                throw std::runtime_error("sample 17");
        }
    };
    matrix h(64 * 4);
    std::vector<channel_sample_info> info(64);
    for (const int threads : { 1, 3 })
        EXPECT_THROW(
            generate_channels(
                std::make_shared<failing>(), 0, 64, 0, 0, threads, h.data(), info.data()),
            std::runtime_error);
}

TEST(path_channel, bad_grids_are_named)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto make = [](int nc, int nt, double spacing, double antenna) {
        cdl_parameters cdl;
        cdl.grid = { nc, nt, spacing, antenna };
        cdl_channel::make(cdl);
    };
    expect_bad([&] { make(0, 4, 1e6, 0.5); }, { "cdl_channel", "nc is 0", "1 to 65536" });
    expect_bad([&] { make(65537, 4, 1e6, 0.5); }, { "nc is 65537" });
    expect_bad([&] { make(64, 0, 1e6, 0.5); }, { "nt is 0", "1 to 1024" });
    expect_bad([&] { make(64, 1025, 1e6, 0.5); }, { "nt is 1025" });
    expect_bad([&] { make(64, 4, 0, 0.5); }, { "spacing_hz is 0", "above 0" });
    expect_bad([&] { make(64, 4, -1, 0.5); }, { "spacing_hz is -1" });
    expect_bad([&] { make(64, 4, nan, 0.5); }, { "spacing_hz is nan" });
    expect_bad([&] { make(64, 4, 2e12, 0.5); }, { "spacing_hz is 2e+12" });
    expect_bad([&] { make(64, 4, 1e6, 0); }, { "antenna_spacing is 0", "above 0" });
    expect_bad([&] { make(64, 4, 1e6, nan); }, { "antenna_spacing is nan" });
    expect_bad([&] { make(64, 4, 1e6, 1e4); }, { "antenna_spacing is 10000" });
    expect_bad(
        [] {
            cost2100_parameters p;
            p.grid.nc = -1;
            cost2100_channel::make(p);
        },
        { "cost2100_channel", "nc is -1" });
}

} // namespace
