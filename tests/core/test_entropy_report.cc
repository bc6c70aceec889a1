/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Entropy-coded reports: any bits, any matrices, any budget, bad tables. Figures on the
// channel models and the bit stream itself are in qa_entropy.py.

#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/entropy_report.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <stdexcept>

using namespace gr::csifeedback;

namespace {

using floats = std::vector<float>;
using arrays = named_arrays;

int draw(random_engine& engine, int low, int high)
{
    return low + int(engine() % uint32_t(high - low + 1));
}

// Unit vectors as a basis, count times.
void unit_basis(model_writer& file, const char* name, hsize_t count, hsize_t size)
{
    std::vector<std::complex<float>> u(count * size * size);
    for (hsize_t p = 0; p < count; p++)
        for (hsize_t k = 0; k < size; k++)
            u[(p * size + k) * size + (k + p) % size] = 1;
    file.complex_array(name, { count, size, size }, u);
}

floats falling(hsize_t count, hsize_t size)
{
    floats variance;
    for (hsize_t p = 0; p < count; p++)
        for (hsize_t k = 0; k < size; k++)
            variance.push_back(1.9f - 1.8f * k / size);
    return variance;
}

enum class kind { patches, linear };

// Tables of equal frequencies; change() may make them bad.
model_file::sptr flat_model(const scratch_directory& directory,
                            kind which,
                            hsize_t na,
                            hsize_t nt,
                            const std::function<void(arrays&)>& change = {})
{
    std::map<std::string, hsize_t> t;
    for (const auto& size : entropy_report_encoder::table_sizes())
        t[size.first] = size.second;
    arrays all;
    const auto add = [&all](const std::string& name,
                            std::vector<hsize_t> shape,
                            float x) { add_filled(all, name, std::move(shape), x); };
    add("steps", { t["sizes"], t["steps"] }, 1);
    add("magnitudes", { t["rates"], t["classes"], t["contexts"], t["symbols"] }, 1);
    for (size_t i = 0; i < all["magnitudes"].second.size(); i += t["symbols"])
        all["magnitudes"].second[i] = 2000;
    add("shift", { t["classes"], t["shifts"] }, 0.05f);
    add("unit", { 1 }, 2);
    if (which == kind::patches) {
        add("rows", { 1, 2 }, 3);
        add("columns", { 1, 4 }, 5);
        add("rows_level", { 2, na }, -4);
        add("columns_level", { 4, nt }, 0);
    } else {
        add("level", { na * nt }, -8);
    }
    if (change)
        change(all);
    const std::string path = directory.file("model.h5");
    {
        model_writer file(path);
        file.header(which == kind::patches ? "local-klt" : "klt", na, na, nt);
        if (which == kind::patches) {
            unit_basis(file, "encoder/rows_basis", 2, na);
            unit_basis(file, "encoder/columns_basis", 4, nt);
            file.array("encoder/rows_variance", { 2, na }, falling(2, na));
            file.array("encoder/columns_variance", { 4, nt }, falling(4, nt));
            file.array("encoder/amplitude", { 1 }, { 1.0f });
        } else {
            std::vector<std::complex<float>> u(na * nt * na * nt);
            for (hsize_t k = 0; k < na * nt; k++)
                u[k * na * nt + k] = 1;
            file.complex_array("encoder/W_complex", { na * nt, na * nt }, u);
        }
        for (const auto& one : all)
            file.array(
                ("entropy/" + one.first).c_str(), one.second.first, one.second.second);
    }
    return model_file::open(path);
}

floats random_matrix(random_engine& engine, size_t n, int which)
{
    boost::random::normal_distribution<float> normal;
    floats h(2 * n, 0.0f);
    if (which == 0) {
        for (float& x : h)
            x = normal(engine);
    } else if (which == 1) {
        std::fill_n(h.begin(), n, 1.0f);
    } else if (which == 2) {
        h[draw(engine, 0, int(2 * n) - 1)] = 1;
    } else {
        for (size_t i = 0; i < n; i++)
            h[i] = std::exp(-20.0f * i / n) * normal(engine);
    }
    double power = 0;
    for (const float x : h)
        power += double(x) * x;
    for (float& x : h)
        x *= std::sqrt(n / power);
    return h;
}

double error_ratio(const floats& x, const floats& y)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < x.size(); i++) {
        error += std::pow(double(x[i]) - y[i], 2);
        power += std::pow(double(x[i]), 2);
    }
    return error / power;
}

TEST(entropy_report, any_matrix_within_any_budget)
{
    scratch_directory directory;
    random_engine engine = make_engine(1, 0);
    for (const kind which : { kind::patches, kind::linear })
        for (const auto& shape : { std::pair<hsize_t, hsize_t>{ 8, 6 }, { 17, 3 } }) {
            const auto model = flat_model(directory, which, shape.first, shape.second);
            const auto ue = entropy_report_encoder::make(model);
            const auto bs = entropy_report_decoder::make(model);
            const size_t n = shape.first * shape.second;
            EXPECT_EQ(ue->min_bits(), 16);
            EXPECT_EQ(ue->max_bits(), 8192);
            EXPECT_EQ(ue->model_id(), bs->model_id());
            for (int trial = 0; trial < 80; trial++) {
                const floats h = random_matrix(engine, n, trial % 4);
                const int budget =
                    trial < 60 ? draw(engine, 16, 400) : draw(engine, 400, 9000);
                std::vector<uint8_t> bits((budget + 7) / 8, 0xa5);
                const auto r = ue->encode(h.data(), bits.data(), budget);
                ASSERT_GE(r.bits, 16);
                ASSERT_LE(r.bits, budget);
                floats found(2 * n);
                bs->decode(bits.data(), r.bits, found.data());
                // Never worse than sending nothing.
                EXPECT_LE(error_ratio(h, found), 1 + 1e-4) << trial << " " << budget;
                if (budget > 60 * int(n)) {
                    EXPECT_LT(error_ratio(h, found), 1e-4) << trial << " " << budget;
                }
                // The same bits again.
                std::vector<uint8_t> again(bits.size());
                EXPECT_EQ(ue->encode(h.data(), again.data(), budget).bits, r.bits);
                EXPECT_EQ(again, bits);
            }
        }
}

TEST(entropy_report, more_bits_bring_less_error)
{
    scratch_directory directory;
    for (const kind which : { kind::patches, kind::linear }) {
        const auto model = flat_model(directory, which, 16, 16);
        const auto ue = entropy_report_encoder::make(model);
        const auto bs = entropy_report_decoder::make(model);
        std::vector<uint8_t> bits(1024);
        double before = 1.01;
        for (const int budget : { 16, 64, 128, 256, 512, 1024, 4096 }) {
            double mean = 0;
            for (int i = 0; i < 8; i++) {
                random_engine same = make_engine(3, i);
                const floats h = random_matrix(same, 256, 3);
                const auto r = ue->encode(h.data(), bits.data(), budget);
                floats found(512);
                bs->decode(bits.data(), r.bits, found.data());
                mean += error_ratio(h, found) / 8;
            }
            EXPECT_LT(mean, before) << budget;
            before = mean;
        }
        EXPECT_LT(before, 1e-3);
    }
}

TEST(entropy_report, any_bits_decode)
{
    random_engine engine = make_engine(4, 0);
    scratch_directory directory;
    const auto shipped = [](const char* name) {
        return model_file::open(std::string(CSIFEEDBACK_MODELS) + "/" + name + ".h5");
    };
    const model_file::sptr models[] = { flat_model(directory, kind::patches, 9, 5),
                                        flat_model(directory, kind::linear, 5, 4),
                                        shipped("cost2100-outdoor-local-klt") };
    for (const auto& model : models) {
        const auto bs = entropy_report_decoder::make(model);
        floats found(2 * size_t(model->na()) * model->nt());
        for (int trial = 0; trial < 2000; trial++) {
            // Of exactly this size, so that a sanitizer sees any access beyond.
            const int count = trial % 3 ? draw(engine, 0, 300) : draw(engine, 0, 9000);
            std::vector<uint8_t> bits((count + 7) / 8);
            const int which = draw(engine, 0, 5);
            for (uint8_t& byte : bits)
                byte = which == 0 ? 0 : which == 1 ? 0xff : draw(engine, 0, 255);
            bs->decode(bits.data(), count, found.data());
            ASSERT_TRUE(std::all_of(
                found.begin(), found.end(), [](float x) { return std::isfinite(x); }));
            if (which == 0) {
                EXPECT_TRUE(std::all_of(
                    found.begin(), found.end(), [](float x) { return x == 0; }));
            }
        }
    }
}

TEST(entropy_report, shorter_codewords)
{
    scratch_directory directory;
    const auto model = flat_model(directory, kind::linear, 4, 4);
    const auto ue = entropy_report_encoder::make(model, 5);
    const auto bs = entropy_report_decoder::make(model, 5);
    random_engine engine = make_engine(5, 0);
    const floats h = random_matrix(engine, 16, 0);
    std::vector<uint8_t> bits(125);
    floats found(32);
    const auto r = ue->encode(h.data(), bits.data(), 1000);
    bs->decode(bits.data(), r.bits, found.data());
    // Value 2 i and 2 i + 1 are the real and imaginary part of entry i.
    for (int i = 0; i < 16; i++) {
        EXPECT_NEAR(found[i], i < 3 ? h[i] : 0, 1e-2) << i;
        EXPECT_NEAR(found[16 + i], i < 2 ? h[16 + i] : 0, 1e-2) << i;
    }
}

TEST(entropy_report, bad_models_are_refused)
{
    scratch_directory directory;
    for (const kind which : { kind::patches, kind::linear }) {
        const auto expect_bad = [&](const std::function<void(arrays&)>& change) {
            const auto model = flat_model(directory, which, 4, 4, change);
            EXPECT_THROW(entropy_report_encoder::make(model), std::invalid_argument);
            EXPECT_THROW(entropy_report_decoder::make(model), std::invalid_argument);
        };
        std::vector<const char*> names = { "steps", "magnitudes", "shift", "unit" };
        if (which == kind::patches)
            names.insert(names.end(),
                         { "rows", "columns", "rows_level", "columns_level" });
        else
            names.push_back("level");
        for (const char* name : names) {
            SCOPED_TRACE(name);
            if (std::string(name) != "rows_level")
                expect_bad([&](arrays& a) { a.erase(name); });
            expect_bad([&](arrays& a) { a[name].second[0] = 2.5e9f; });
            if (std::string(name) != "shift" && std::string(name) != "unit")
                expect_bad([&](arrays& a) { a[name].second[0] = 0.5f; });
            // One value too few in the last dimension, of which it is then short or long.
            if (std::string(name) != "unit" && std::string(name) != "level")
                expect_bad([&](arrays& a) {
                    a[name].first.back()++;
                    size_t n = 1;
                    for (const hsize_t k : a[name].first)
                        n *= k;
                    a[name].second.resize(n, 1.0f);
                });
        }
        expect_bad([&](arrays& a) { a["unit"].second[0] = 0; });
    }
    const auto model = flat_model(directory, kind::patches, 4, 4);
    EXPECT_THROW(entropy_report_encoder::make(model, 8), std::invalid_argument);
    EXPECT_THROW(entropy_report_encoder::make(nullptr), std::invalid_argument);
    EXPECT_THROW(entropy_report_decoder::make(nullptr), std::invalid_argument);
    const auto linear = flat_model(directory, kind::linear, 4, 4, [](arrays& a) {
        a["level"] = { { 3 }, { 0, 0, 0 } };
    });
    EXPECT_THROW(entropy_report_encoder::make(linear), std::invalid_argument);
    EXPECT_NO_THROW(entropy_report_encoder::make(linear, 6));
}

} // namespace
