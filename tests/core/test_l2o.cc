/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The learned decoders against iterates that tests/oracles/l2o_oracle.py has made in
// double precision with PyTorch; and what their headers say of files and edge cases.

#include "kernels/kernels.h"
#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/l2o_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The cases of the oracle.
const char* const cases[] = {
    "plain",       "deep",       "paired",         "real",
    "real_mmse",   "lstm2",      "lstm20",         "lstm20_real",
    "lstm2_deep",  "ms4l2o",     "ms4l2o_plain",   "rows",
    "ms4l2o_rows", "rows_lstm",  "rows_lstm_wide", "ms4l2o_rows_lstm",
    "phases",      "phases_wide"
};

model_file::sptr oracle(const std::string& name)
{
    return model_file::open(std::string(CSIFEEDBACK_TEST_DATA) + "/l2o_" + name + ".h5");
}

std::vector<float> decode(const decoder::sptr& d, const std::vector<float>& s)
{
    std::vector<float> h(d->output_size() + 1, nan);
    d->decode(s.data(), s.size(), h.data());
    EXPECT_TRUE(std::isnan(h.back())) << "wrote beyond the result";
    h.pop_back();
    return h;
}

float largest(const float* x, size_t n)
{
    float result = 0;
    for (size_t i = 0; i < n; i++)
        result = std::max(result, std::abs(x[i]));
    return result;
}

class l2o : public testing::TestWithParam<const char*>
{
protected:
    const model_file::sptr model = oracle(GetParam());
    const std::vector<float> m = model->read("oracle/m", { 0 }).data;
    float_array array(const std::string& name, size_t i, size_t rank) const
    {
        return model->read("oracle/" + name + "_" + std::to_string(i),
                           std::vector<size_t>(rank, 0));
    }
};

TEST_P(l2o, every_iteration_is_the_oracles)
{
    const size_t iterations = array("x", 0, 2).shape[0];
    ASSERT_GE(iterations, 6u);
    for (size_t k = 1; k <= iterations; k++) {
        const auto d = l2o_decoder::make(model, 0, "test", k);
        const size_t n = d->output_size();
        for (size_t i = 0; i < m.size(); i++) {
            const std::vector<float> s = array("s", i, 1).data;
            ASSERT_EQ(float(s.size()), m[i]);
            const float_array x = array("x", i, 2);
            ASSERT_EQ(x.shape[1], n);
            const float* expected = &x.data[(k - 1) * n];
            const float size = largest(expected, n);
            const std::vector<float> h = decode(d, s);
            for (size_t e = 0; e < n; e++)
                ASSERT_NEAR(h[e], expected[e], 1e-4 * size)
                    << "m " << m[i] << ", iteration " << k << ", element " << e;
        }
    }
}

TEST_P(l2o, a_batch_gives_the_same_as_its_codewords_alone)
{
    for (const char* precision : { "float32", "bf16" }) {
        const auto d = l2o_decoder::make(model, 0, "test", 0, 0, precision);
        const size_t n = d->output_size();
        for (const int length : { d->code_size(), 5, 4 })
            for (const int count : { 0, 1, 2, 7, 8, 9, 33 }) {
                std::vector<float> s(count * length + 1);
                random_engine engine = make_engine(count, 0);
                boost::random::normal_distribution<float> normal;
                for (float& value : s)
                    value = normal(engine);
                std::vector<float> h(count * n + 1, nan);
                d->decode_batch(s.data(), length, h.data(), count);
                ASSERT_TRUE(std::isnan(h.back()));
                for (int i = 0; i < count; i++) {
                    const std::vector<float> alone =
                        decode(d, { &s[i * length], &s[i * length] + length });
                    ASSERT_GT(largest(alone.data(), n), 0);
                    for (size_t e = 0; e < n; e++)
                        ASSERT_EQ(h[i * n + e], alone[e]) << count << " codewords, " << i;
                }
            }
    }
}

TEST_P(l2o, bad_codewords_decode_to_zeros_and_spoil_nothing)
{
    for (const char* precision : { "float32", "bf16" }) {
        const auto d = l2o_decoder::make(model, 0, "test", 0, 0, precision);
        const std::vector<float> s = array("s", 1, 1).data, good = decode(d, s),
                                 zeros(d->output_size(), 0.0f);
        for (const float bad : { nan, infinity, -infinity, 3e38f, -3e38f })
            for (size_t at = 0; at < s.size(); at += s.size() - 1) {
                std::vector<float> x = s;
                x[at] = bad;
                EXPECT_EQ(decode(d, x), zeros) << bad << precision;
                EXPECT_EQ(decode(d, s), good) << "after " << bad;
                // In the middle of a batch.
                std::vector<float> batch = s;
                batch.insert(batch.end(), x.begin(), x.end());
                batch.insert(batch.end(), s.begin(), s.end());
                std::vector<float> h(3 * good.size());
                d->decode_batch(batch.data(), s.size(), h.data(), 3);
                EXPECT_TRUE(std::equal(good.begin(), good.end(), h.begin()));
                EXPECT_TRUE(
                    std::equal(zeros.begin(), zeros.end(), h.begin() + good.size()));
                EXPECT_TRUE(std::equal(good.begin(), good.end(), h.end() - good.size()));
            }
        EXPECT_EQ(decode(d, std::vector<float>(s.size(), 0.0f)), zeros);
        EXPECT_EQ(decode(d, s), good);
    }
}

TEST_P(l2o, in_bfloat16_is_nearly_the_same)
{
    // Where two magnitudes are at the edge of the top G, one or the other may be chosen:
    // there the first iteration alone is compared.
    const bool chooses = model->read("l2o/test/top_g", { 1 }).data[0] > 0;
    double largest_error = 0;
    for (const int iterations : { 1, 2, 6 }) {
        if (chooses && iterations > 1)
            break;
        const auto whole = l2o_decoder::make(model, 0, "test", iterations),
                   rounded = l2o_decoder::make(model, 0, "test", iterations, 0, "bf16");
        for (size_t i = 0; i < m.size(); i++) {
            const std::vector<float> s = array("s", i, 1).data,
                                     expected = decode(whole, s), h = decode(rounded, s);
            double error = 0, energy = 0;
            for (size_t e = 0; e < h.size(); e++) {
                error += std::pow(double(h[e]) - expected[e], 2);
                energy += std::pow(double(expected[e]), 2);
            }
            EXPECT_LE(std::sqrt(error), 0.01 * std::sqrt(energy)) << "m " << m[i];
            if (!bf16_kernels()) {
                EXPECT_EQ(h, expected);
            }
            largest_error = std::max(largest_error, error);
        }
    }
    // An exact first estimate and transforms of floats leave nothing to round at first.
    if (bf16_kernels() && !chooses) {
        EXPECT_GT(largest_error, 0);
    }
}

TEST_P(l2o, a_shorter_code_size_has_the_same_results)
{
    for (const size_t i : { 0, 2 }) {
        const std::vector<float> s = array("s", i, 1).data;
        const std::vector<float> whole = decode(l2o_decoder::make(model, 0, "test"), s),
                                 cut = decode(l2o_decoder::make(model, m[i], "test"), s);
        for (size_t e = 0; e < whole.size(); e++)
            ASSERT_NEAR(cut[e], whole[e], 1e-5 * largest(whole.data(), whole.size()));
    }
}

TEST_P(l2o, stops_early)
{
    const std::vector<float> s = array("s", 1, 1).data;
    const auto stopped = l2o_decoder::make(model, 0, "test", 0, 1.0f);
    const auto all = l2o_decoder::make(model, 0, "test", 0, 1e-30f);
    const std::vector<float> h = decode(stopped, s),
                             whole = decode(l2o_decoder::make(model, 0, "test"), s);
    EXPECT_EQ(decode(all, s), whole);
    // Two iterates differ by less than their size at some time, and then it is done.
    size_t k = 1;
    for (; k < 6; k++) {
        const auto d = l2o_decoder::make(model, 0, "test", k);
        if (decode(d, s) == h)
            break;
    }
    EXPECT_LT(k, 6u);
}

std::string case_name(const testing::TestParamInfo<const char*>& info)
{
    return info.param;
}

INSTANTIATE_TEST_SUITE_P(all, l2o, testing::ValuesIn(cases), case_name);

// A model file of 2 x 2 with one profile, any part of which can be replaced.
class l2o_file : public testing::Test
{
protected:
    struct values {
        std::vector<hsize_t> shape;
        std::vector<float> data;
    };
    static values filled(const std::vector<hsize_t>& shape, float value = 0.25f)
    {
        size_t size = 1;
        for (const hsize_t n : shape)
            size *= n;
        return { shape, std::vector<float>(size, value) };
    }

    l2o_file()
    {
        arrays["encoder/W"] = filled({ 4, 8 });
        for (int i = 0; i < 4; i++)
            arrays["encoder/W"].data[9 * i] = 1;
        set("rates", { { 2 }, { 2, 4 } });
        for (const char* name : { "p", "a", "b", "theta", "gamma" })
            set(name, filled({ 2, 3 }));
        set("consistency", filled({ 2 }, 0));
        set("activation", { { 3 }, { 2, 0, 1 } });
        set("start", { { 1 }, { 0 } });
        set("top_g", { { 1 }, { 2 } });
        set("transform_forward_0_weight", filled({ 1, 6, 4 }));
        set("transform_forward_0_bias", filled({ 1, 6 }));
        set("transform_forward_1_weight", filled({ 3, 5, 6 }));
        set("transform_forward_1_bias", filled({ 3, 5 }));
        set("transform_inverse_0_weight", filled({ 1, 4, 5 }));
        set("transform_inverse_0_bias", filled({ 1, 4 }));
        set("lstm_0_weight", filled({ 12, 5 }));
        set("lstm_0_bias", filled({ 12 }));
        set("lstm_1_weight", filled({ 12, 6 }));
        set("lstm_1_bias", filled({ 12 }));
        set("mlp_weight", filled({ 3, 3 }));
        set("mlp_bias", filled({ 3 }));
        set("heads_weight", filled({ 5, 3 }));
        set("heads_bias", filled({ 5 }));
    }
    void set(const std::string& name, const values& v)
    {
        arrays["l2o/small/" + name] = v;
    }
    void remove(const std::string& name) { arrays.erase("l2o/small/" + name); }

    model_file::sptr file(const std::string& codec = "csi-l2o")
    {
        const std::string path = directory.file("m" + std::to_string(count++) + ".h5");
        {
            model_writer writer(path);
            writer.header(codec, 2, 2, 2);
            writer.text("channel", "a corridor");
            for (const auto& [name, v] : arrays)
                writer.array(name.c_str(), v.shape, v.data);
        }
        return model_file::open(path);
    }
    void expect_bad(const std::vector<std::string>& words,
                    const std::string& profile = "small",
                    int iterations = 0,
                    float tolerance = 0)
    {
        try {
            l2o_decoder::make(file(), 0, profile, iterations, tolerance);
            ADD_FAILURE() << "no exception for " << words[0];
        } catch (const std::invalid_argument& e) {
            for (const std::string& word : words)
                EXPECT_NE(std::string(e.what()).find(word), std::string::npos)
                    << e.what() << " without " << word;
        }
    }
    // With an array replaced for this call.
    void expect_bad_array(const std::string& name,
                          const values& v,
                          const std::vector<std::string>& words)
    {
        SCOPED_TRACE(name);
        const auto before = arrays;
        set(name, v);
        std::vector<std::string> all = words;
        all.push_back("l2o/small/" + name);
        expect_bad(all);
        arrays = before;
    }

    std::map<std::string, values> arrays;
    const scratch_directory directory;
    int count = 0;
};

TEST_F(l2o_file, is_decoded)
{
    const auto model = file();
    const auto d = l2o_decoder::make(model, 0, "small");
    EXPECT_EQ(d->name(), "l2o");
    EXPECT_EQ(d->codec_id(), 4);
    EXPECT_EQ(d->model_id(), 7);
    EXPECT_EQ(d->code_size(), 4);
    EXPECT_EQ(d->na(), 2);
    EXPECT_EQ(d->nt(), 2);
    EXPECT_EQ(l2o_decoder::make(model, 3, "small")->code_size(), 3);
    const auto e = linear_encoder::make(model, 0);
    EXPECT_EQ(e->codec_id(), 4);
    const auto other = file("ms4l2o");
    EXPECT_EQ(linear_encoder::make(other, 0)->codec_id(), 5);
    EXPECT_EQ(l2o_decoder::make(other, 0, "small")->codec_id(), 5);
    EXPECT_EQ(l2o_decoder::make(other, 0, "small")->name(), "l2o");
    const std::vector<float> h = decode(d, { 1, 2, 3, 4 });
    EXPECT_GT(largest(h.data(), h.size()), 0);
}

TEST_F(l2o_file, without_the_profile_says_what_it_has)
{
    expect_bad({ "profile is realtime", "has small", "'csi-l2o'", "a corridor", ".h5" },
               "realtime");
    for (const char* name : { "", "/", "small/", "../small", "small/rates", "x\n" })
        expect_bad({ "has small" }, name);
    arrays = { { "encoder/W", arrays["encoder/W"] } };
    expect_bad({ "profile is small", "has none" });
}

TEST_F(l2o_file, parameters_out_of_range_are_named)
{
    expect_bad({ "iterations is -1", "0 to 100000" }, "small", -1);
    expect_bad({ "iterations is 100001" }, "small", 100001);
    expect_bad({ "tolerance is -1" }, "small", 0, -1);
    expect_bad({ "tolerance is nan" }, "small", 0, nan);
    for (const char* precision : { "", "half", "BF16", "float" })
        EXPECT_THROW(l2o_decoder::make(file(), 0, "small", 0, 0, precision),
                     std::invalid_argument);
    EXPECT_THROW(l2o_decoder::make(nullptr), std::invalid_argument);
    EXPECT_THROW(l2o_decoder::make(file(), 5, "small"), std::invalid_argument);
    EXPECT_THROW(l2o_decoder::make(file(), -1, "small"), std::invalid_argument);
    arrays["encoder/W"] = filled({ 4, 8 }, 0);
    expect_bad({ "||W||^2 is 0" });
    arrays["encoder/W"] = filled({ 4, 8 }, 3e38f);
    expect_bad({ "||W||^2", "finite" });
}

TEST_F(l2o_file, arrays_that_do_not_fit_are_named)
{
    const auto before = arrays;
    for (const auto& [name, v] : before) {
        if (name.compare(0, 10, "l2o/small/") != 0)
            continue;
        // lstm_1 and the second layer of the transform may be missing, but then others
        // do not fit.
        arrays.erase(name);
        const std::string profile_gone = "l2o/small/rates";
        const bool fits = name == "l2o/small/lstm_1_weight";
        if (!fits && name != profile_gone)
            expect_bad({ "l2o/small/" });
        arrays = before;
        // Another number of values, or rank.
        auto longer = v;
        longer.shape.back()++;
        longer.data = filled(longer.shape).data;
        arrays[name] = longer;
        if (name != profile_gone)
            expect_bad({ "l2o/small/" });
        arrays[name] = { { v.data.size(), 1, 1, 1 }, v.data };
        expect_bad({ name });
        arrays = before;
    }
    expect_bad_array("rates", { { 2 }, { 4, 2 } }, { "has 2", "ascending" });
    expect_bad_array("rates", { { 2 }, { 2, 2 } }, { "has 2", "ascending" });
    expect_bad_array("rates", { { 2 }, { 0, 2 } }, { "has 0", "from 1 on" });
    expect_bad_array("activation", { { 3 }, { 2, 4, 0 } }, { "has 4", "0 to 3" });
    expect_bad_array("activation", { { 3 }, { 2, 0.5f, 0 } }, { "has 0.5", "whole" });
    expect_bad_array("start", { { 1 }, { 3 } }, { "has 3", "0 to 2" });
    expect_bad_array("top_g", { { 1 }, { 6 } }, { "has 6", "0 to 5" });
    expect_bad_array("top_g", { { 1 }, { -1 } }, { "has -1", "0 to 5" });
    expect_bad_array("p", filled({ 3, 3 }), { "(3, 3)", "(2, " });
    expect_bad_array("gamma", filled({ 2, 4 }), { "(2, 4)", "(2, 3)" });
    expect_bad_array("transform_forward_0_weight",
                     filled({ 2, 6, 4 }),
                     { "2 layers", "3 iterations" });
    expect_bad_array("transform_forward_0_weight", filled({ 1, 6, 3 }), { "(1, 6, 3)" });
    expect_bad_array(
        "transform_forward_1_bias", filled({ 1, 5 }), { "(1, 5)", "(3, 5)" });
    set("transform_inverse_0_bias", filled({ 1, 3 }));
    expect_bad_array(
        "transform_inverse_0_weight", filled({ 1, 3, 5 }), { "3 outputs", "2 nt = 4" });
    arrays = before;
    expect_bad_array(
        "lstm_0_weight", filled({ 10, 5 }), { "(10, 5)", "(4 hidden, inputs + hidden)" });
    expect_bad_array("lstm_0_weight", filled({ 12, 6 }), { "(12, 6)", "(12, 5)" });
    expect_bad_array("lstm_1_weight", filled({ 8, 6 }), { "(8, 6)", "(12, 6)" });
    expect_bad_array("heads_weight", filled({ 4, 3 }), { "(4, 3)", "(5, 3)" });
    auto infinite = filled({ 5, 3 });
    infinite.data[7] = infinity;
    expect_bad_array("heads_weight", infinite, { "not finite" });

    expect_bad_array("rows", { { 1 }, { 3 } }, { "has 3", "2 to 2" });
    set("rows", { { 1 }, { 2 } });
    expect_bad({ "l2o/small/p", "3 columns", "multiple of the 2 of rows" });
    arrays = before;

    set("start", { { 1 }, { 2 } });
    expect_bad({ "decoder/basis" });
    set("start", { { 1 }, { 1 } });
    for (const char* name : { "lstm_0_weight", "lstm_1_weight" }) {
        remove(name);
        expect_bad({ "only with lstm_0_weight" });
    }
    remove("mlp_weight");
    remove("heads_weight");
    // What is left is a model without LSTM.
    EXPECT_EQ(l2o_decoder::make(file(), 0, "small")->code_size(), 4);
    remove("transform_forward_0_weight");
    expect_bad({ "top_g", "has 2", "0 to 0" });
    set("top_g", { { 1 }, { 0 } });
    expect_bad({ "transform_inverse_0_weight", "only with transform_forward_0_weight" });
    remove("transform_inverse_0_weight");
    EXPECT_EQ(l2o_decoder::make(file(), 0, "small")->code_size(), 4);
}

TEST_F(l2o_file, one_row_and_one_iteration)
{
    arrays["encoder/W"] = filled({ 1, 8 });
    set("rates", { { 1 }, { 1 } });
    for (const char* name : { "p", "a", "b", "theta", "gamma" })
        set(name, filled({ 1, 1 }));
    set("consistency", filled({ 1 }, 0.5f));
    set("transform_forward_1_weight", filled({ 1, 5, 6 }));
    set("transform_forward_1_bias", filled({ 1, 5 }));
    const auto d = l2o_decoder::make(file(), 0, "small");
    const std::vector<float> h = decode(d, { 3 });
    EXPECT_GT(largest(h.data(), h.size()), 0);
}

// With p = 1, gamma = 0 and no momentum the iteration is a gradient step, and from the
// MMSE estimate of all of h nothing is left to do.
TEST_F(l2o_file, starts_at_the_linear_decoders_estimate)
{
    const int n = 4;
    random_engine engine = make_engine(5, 0);
    boost::random::normal_distribution<float> normal;
    const auto random = [&](const std::vector<hsize_t>& shape) {
        values v = filled(shape);
        for (float& x : v.data)
            x = normal(engine);
        return v;
    };
    for (const bool paired : { false, true })
        for (const bool complex_rows : { false, true }) {
            arrays.erase("encoder/W");
            arrays.erase("encoder/W_complex");
            if (complex_rows)
                arrays["encoder/W_complex"] = random({ 3, n, 2 });
            else
                arrays["encoder/W"] = random({ 6, 2 * n });
            arrays["decoder/basis"] = random({ 2, n, 2 });
            arrays["decoder/variance"] = { { 4 }, { 3, paired ? 3.0f : 2.5f, 1, 1 } };
            arrays["decoder/floor"] = { { 1 }, { 0.1f } };
            set("start", { { 1 }, { 2 } });
            for (const char* name : { "p", "a", "gamma" })
                set(name, filled({ 2, 3 }, 0));
            set("activation", { { 3 }, { 0, 0, 0 } });
            for (const char* name :
                 { "lstm_0_weight", "lstm_1_weight", "mlp_weight", "heads_weight" })
                remove(name);
            const auto model = file();
            const auto linear = linear_decoder::make(model, 0);
            const auto d = l2o_decoder::make(model, 0, "small");
            for (int m = 1; m <= 6; m++) {
                std::vector<float> s(m);
                for (float& x : s)
                    x = normal(engine);
                const std::vector<float> expected = decode(linear, s), h = decode(d, s);
                for (size_t i = 0; i < h.size(); i++)
                    ASSERT_NEAR(h[i], expected[i], 1e-5 * largest(expected.data(), 2 * n))
                        << "m " << m << (complex_rows ? " complex" : " real")
                        << (paired ? " paired" : "");
            }
        }
}

// Larger than the caches' blocks of W, so that an iteration has several parts.
TEST_F(l2o_file, of_many_columns_is_decoded_in_parts)
{
    const int na = 64, nt = 64, rows = 130, row = 2 * nt;
    const std::string path = directory.file("large.h5");
    random_engine engine = make_engine(6, 0);
    boost::random::normal_distribution<float> normal;
    const auto random = [&](const std::vector<hsize_t>& shape, float scale) {
        values v = filled(shape);
        for (float& x : v.data)
            x = scale * normal(engine);
        return v;
    };
    std::map<std::string, values> large;
    large["encoder/W"] = random({ rows, na * row }, 1.0f / std::sqrt(na * row));
    for (const auto& [name, v] : arrays)
        if (name.find("transform") == std::string::npos && name != "encoder/W")
            large[name] = v;
    large["l2o/small/top_g"] = { { 1 }, { 20 } };
    large["l2o/small/start"] = { { 1 }, { 1 } };
    large["l2o/small/transform_forward_0_weight"] = random({ 1, 70, row }, 0.1f);
    large["l2o/small/transform_forward_0_bias"] = random({ 1, 70 }, 0.1f);
    large["l2o/small/transform_inverse_0_weight"] = random({ 1, row, 70 }, 0.1f);
    large["l2o/small/transform_inverse_0_bias"] = random({ 1, row }, 0.1f);
    {
        model_writer writer(path);
        writer.header("csi-l2o", na, na, nt);
        for (const auto& [name, v] : large)
            writer.array(name.c_str(), v.shape, v.data);
    }
    const auto d = l2o_decoder::make(model_file::open(path), 0, "small");
    const values s = random({ rows }, 1);
    const std::vector<float> h = decode(d, s.data);

    // The definition, row by row in double precision.
    const auto dot = [](const float* a, const double* b, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += a[i] * b[i];
        return sum;
    };
    const int size = na * row;
    const float* w = large["encoder/W"].data.data();
    const Eigen::MatrixXd rows_of_w =
        Eigen::Map<const Eigen::MatrixXf>(w, size, rows).transpose().cast<double>();
    const double norm =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(rows_of_w * rows_of_w.transpose())
            .eigenvalues()[rows - 1];
    std::vector<double> x(size, 0.0), y, gx(size), gy(size);
    const auto gradient = [&](const std::vector<double>& at, std::vector<double>& g) {
        std::fill(g.begin(), g.end(), 0.0);
        for (int r = 0; r < rows; r++) {
            const double e = dot(w + r * size, at.data(), size) - s.data[r];
            for (int c = 0; c < size; c++)
                g[c] += w[r * size + c] * e / norm;
        }
    };
    gradient(x, gx);
    for (int i = 0; i < size; i++)
        x[i] = -gx[i];
    y = x;
    const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
    std::vector<std::vector<double>> hidden(2, std::vector<double>(3 * size)),
        cell(2, std::vector<double>(3 * size));
    for (int t = 0; t < 3; t++) {
        gradient(x, gx);
        gradient(y, gy);
        std::vector<double> u(size), a(size), b2(size);
        for (int e = 0; e < size; e++) {
            // All weights of the LSTM and the MLP are 1/4, and so are the biases.
            double sum = x[e] + gx[e];
            for (int layer = 0; layer < 2; layer++) {
                for (int j = 0; j < 3; j++)
                    sum += hidden[layer][3 * e + j];
                const double gate = 0.25 * sum + 0.25;
                sum = 0;
                for (int j = 0; j < 3; j++) {
                    double& c = cell[layer][3 * e + j];
                    c = sigmoid(gate) * c + sigmoid(gate) * std::tanh(gate);
                    hidden[layer][3 * e + j] = sigmoid(gate) * std::tanh(c);
                    sum += hidden[layer][3 * e + j];
                }
            }
            const double z = std::max(0.25 * sum + 0.25, 0.0), o = 0.25 * 3 * z + 0.25;
            const double p = 2 * sigmoid(0.25 + o), b = sigmoid(0.25 + o);
            a[e] = 0.25 + o;
            b2[e] = o;
            u[e] = (1 - b) * (x[e] - p * gx[e]) + b * (y[e] - p * gy[e]) - o;
        }
        const double theta = std::log1p(std::exp(0.25));
        const auto layer = [&](const char* name, const std::vector<double>& from) {
            const values &weight = large[std::string("l2o/small/") + name + "_weight"],
                         &bias = large[std::string("l2o/small/") + name + "_bias"];
            std::vector<double> to(bias.data.size());
            for (size_t o = 0; o < to.size(); o++)
                to[o] = bias.data[o] +
                        dot(&weight.data[o * from.size()], from.data(), from.size());
            return to;
        };
        for (int r = 0; r < na; r++) {
            std::vector<double> in(row);
            const auto index = [&](int i) {
                return i < nt ? r * nt + i : (na + r) * nt + i - nt;
            };
            for (int i = 0; i < row; i++)
                in[i] = u[index(i)];
            std::vector<double> z = layer("transform_forward_0", in);
            for (double& value : z)
                value = std::copysign(std::max(std::abs(value) - theta, 0.0), value);
            std::vector<double> sorted = z;
            std::sort(sorted.begin(), sorted.end(), [](double p, double q) {
                return std::abs(p) > std::abs(q);
            });
            for (double& value : z)
                if (std::abs(value) < std::abs(sorted[19]))
                    value = 0;
            const std::vector<double> out = layer("transform_inverse_0", z);
            for (int i = 0; i < row; i++) {
                const int at = index(i);
                const double next = u[at] + 0.25 * (out[i] - u[at]);
                y[at] = next + a[at] * (next - x[at]) + b2[at];
                x[at] = next;
            }
        }
    }
    double worst = 0, most = 0;
    for (int i = 0; i < size; i++) {
        worst = std::max(worst, std::abs(x[i] - h[i]));
        most = std::max(most, std::abs(x[i]));
    }
    EXPECT_LE(worst, 1e-4 * most);
}

} // namespace
