/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// MLCF's encoder and decoder against what tests/oracles/mlcf_oracle.py has made in double
// precision with NumPy; and what their headers say of files and edge cases.

#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/mlcf_decoder.h>
#include <gnuradio/csifeedback/mlcf_encoder.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

model_file::sptr oracle(const std::string& name)
{
    return model_file::open(std::string(CSIFEEDBACK_TEST_DATA) + "/mlcf_" + name + ".h5");
}

std::vector<float> row(const float_array& a, size_t i)
{
    const size_t n = a.shape[1];
    return { a.data.begin() + i * n, a.data.begin() + (i + 1) * n };
}

std::vector<float> encode(encoder& e, const std::vector<float>& h, int m)
{
    std::vector<float> s(m + 1, nan);
    e.encode(h.data(), s.data(), m);
    EXPECT_TRUE(std::isnan(s.back())) << "wrote beyond the codeword";
    s.pop_back();
    return s;
}

std::vector<float> decode(decoder& d, const std::vector<float>& s)
{
    std::vector<float> h(d.output_size() + 1, nan);
    d.decode(s.data(), s.size(), h.data());
    EXPECT_TRUE(std::isnan(h.back())) << "wrote beyond the result";
    h.pop_back();
    return h;
}

double energy(const std::vector<float>& x)
{
    double sum = 0;
    for (const float value : x)
        sum += double(value) * value;
    return sum;
}

// ||a - b|| / ||b||
double error(const std::vector<float>& a, const std::vector<float>& b)
{
    std::vector<float> difference(a.size());
    std::transform(a.begin(), a.end(), b.begin(), difference.begin(), std::minus<>());
    return std::sqrt(energy(difference) / energy(b));
}

// The part of the energy that the codec cannot represent.
double residual_energy(encoder& e, const std::vector<float>& h)
{
    std::vector<float> s(e.code_size());
    return std::pow(10, e.encode(h.data(), s.data(), s.size()) / 10);
}

class mlcf : public testing::TestWithParam<const char*>
{
protected:
    const model_file::sptr model = oracle(GetParam());
};

TEST_P(mlcf, codewords_are_the_oracles)
{
    const encoder::sptr e = mlcf_encoder::make(model);
    EXPECT_EQ(e->name(), "mlcf");
    EXPECT_EQ(e->codec_id(), 6);
    EXPECT_EQ(e->model_id(), 4660);
    const float_array h = model->read("oracle/h", { 0, 0 }),
                      s = model->read("oracle/s", { 0, 0 }),
                      mismatch = model->read("oracle/mismatch", { 0 });
    ASSERT_EQ(e->code_size(), int(s.shape[1]));
    ASSERT_EQ(e->input_size(), int(h.shape[1]));
    for (size_t i = 0; i < h.shape[0]; i++) {
        const std::vector<float> code = encode(*e, row(h, i), e->code_size());
        EXPECT_LT(error(code, row(s, i)), 2e-5) << i;
        EXPECT_NEAR(residual_energy(*e, row(h, i)),
                    mismatch.data[i],
                    2e-5 * mismatch.data[i] + 1e-7)
            << i;
        // Codewords are nested, whatever their length.
        for (int m = 1; m <= e->code_size(); m += 1 + m / 3)
            ASSERT_EQ(encode(*e, row(h, i), m),
                      std::vector<float>(code.begin(), code.begin() + m))
                << m;
    }
}

TEST_P(mlcf, reconstructions_are_the_oracles)
{
    const decoder::sptr d = mlcf_decoder::make(model);
    EXPECT_EQ(d->name(), "mlcf");
    EXPECT_EQ(d->codec_id(), 6);
    EXPECT_EQ(d->model_id(), 4660);
    const float_array code = model->read("oracle/code", { 0, 0 });
    ASSERT_EQ(d->code_size(), int(code.shape[1]));
    for (const float m : model->read("oracle/m", { 0 }).data) {
        const float_array x = model->read("oracle/x_" + std::to_string(int(m)), { 0, 0 });
        ASSERT_EQ(d->output_size(), int(x.shape[1]));
        for (size_t i = 0; i < x.shape[0]; i++) {
            std::vector<float> s = row(code, i);
            s.resize(m);
            EXPECT_LT(error(decode(*d, s), row(x, i)), 1e-3) << "m " << m << ", " << i;
        }
    }
}

TEST_P(mlcf, values_beyond_the_largest_dimension_are_ignored)
{
    const decoder::sptr d = mlcf_decoder::make(model);
    std::vector<float> s = row(model->read("oracle/code", { 0, 0 }), 0);
    const std::vector<float> dimensions = model->read("decoder/dimensions", { 0 }).data;
    for (const float& size : dimensions) {
        std::vector<float> longer = s;
        s.resize(size * d->nt());
        const size_t next =
            &size == &dimensions.back() ? s.size() : (&size)[1] * d->nt() - 1;
        longer.resize(next);
        std::fill(longer.begin() + s.size(), longer.end(), decoder::max_value);
        EXPECT_EQ(decode(*d, longer), decode(*d, s)) << size;
        s = row(model->read("oracle/code", { 0, 0 }), 0);
    }
}

INSTANTIATE_TEST_SUITE_P(oracle,
                         mlcf,
                         testing::Values("small", "wide", "all", "one", "free"),
                         [](const auto& info) { return std::string(info.param); });

// A model whose arrays may be changed.
struct parts {
    int na = 4, nt = 3, landmarks = 12, d = 2;
    float neighbours = 2, lambda = 1e-3f;
    std::string codec = "mlcf", domain = "H";
    std::vector<float> dimensions{ 1, 2 };
    bool encoder = true, decoder = true, quantizer = false;
    int extra_columns = 0, extra_rows = 0, nc = 4;
    std::function<void(std::vector<float>&)> change; // of the landmarks
};

class files : public testing::Test
{
protected:
    const scratch_directory directory;
    std::vector<float> landmarks;

    model_file::sptr write(const parts& p)
    {
        const std::string path = directory.file("model.h5");
        {
            model_writer file(path);
            file.header(p.codec, p.nc, p.na, p.nt);
            if (!p.domain.empty())
                file.text("domain", p.domain);
            const hsize_t count = p.landmarks, dim = 2 * p.na;
            random_engine engine = make_engine(7, 0);
            boost::random::normal_distribution<float> normal;
            landmarks.resize(count * dim);
            for (float& x : landmarks)
                x = normal(engine);
            if (p.change)
                p.change(landmarks);
            // The first entries as embedding.
            const auto images = [&](hsize_t rows, hsize_t d) {
                std::vector<float> y(rows * d);
                for (hsize_t i = 0; i < std::min(rows, count); i++)
                    std::copy_n(
                        landmarks.begin() + i * dim, std::min(d, dim), y.begin() + i * d);
                return y;
            };
            const hsize_t rows = count + p.extra_rows;
            if (p.encoder) {
                file.array("encoder/D_H", { count, dim }, landmarks);
                file.array("encoder/D_L", { rows, hsize_t(p.d) }, images(rows, p.d));
                file.array("encoder/neighbours", { 1 }, { p.neighbours });
                file.array("encoder/lambda", { 1 }, { p.lambda });
            }
            if (p.decoder) {
                file.array("decoder/dimensions", { p.dimensions.size() }, p.dimensions);
                for (const float d : p.dimensions) {
                    const std::string name = std::to_string(int(d));
                    const hsize_t columns = std::max(1.0f, d) + p.extra_columns;
                    file.array(("decoder/D_L_" + name).c_str(),
                               { count, columns },
                               images(count, columns));
                    file.array(("decoder/D_H_" + name).c_str(),
                               { rows, dim },
                               images(rows, dim));
                }
                file.array("decoder/neighbours", { 1 }, { p.neighbours });
                file.array("decoder/lambda", { 1 }, { p.lambda });
            }
            if (p.quantizer)
                file.array("quantizer/std",
                           { hsize_t(p.d) * p.nt },
                           std::vector<float>(p.d * p.nt, 1.0f));
        }
        return model_file::open(path);
    }

    std::string message(const std::function<void()>& make)
    {
        try {
            make();
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "no exception";
    }
    void expect_refused(const parts& p, const std::string& text, bool both = true)
    {
        // The file itself, or the codec.
        const std::string d = message([&] { mlcf_decoder::make(write(p)); });
        EXPECT_NE(d.find(text), std::string::npos) << d;
        if (both) {
            const std::string e = message([&] { mlcf_encoder::make(write(p)); });
            EXPECT_NE(e.find(text), std::string::npos) << e;
        }
    }
};

TEST_F(files, what_does_not_fit_is_refused)
{
    parts p;
    write(p);
    mlcf_encoder::make(write(p));
    mlcf_decoder::make(write(p));
    p.codec = "klt";
    expect_refused(p, "codec of the model is klt, allowed is mlcf");
    p = {};
    p.domain = "Ha";
    expect_refused(p, "domain of the model is Ha, allowed is H");
    p.domain = ""; // no attribute
    expect_refused(p, "domain of the model is Ha, allowed is H");
    p = {};
    p.nc = 5;
    expect_refused(p, "'na' and 'precursor' are 4 and 0");
    p = {};
    p.neighbours = 13;
    expect_refused(p, "neighbours is 13");
    p.neighbours = 0;
    expect_refused(p, "neighbours is 0");
    p.neighbours = 1.5;
    expect_refused(p, "neighbours is 1.5");
    p = {};
    p.lambda = -1;
    expect_refused(p, "lambda is -1");
    p = {};
    p.extra_rows = 1;
    expect_refused(p, "D_");
    p = {};
    p.extra_columns = 1;
    expect_refused(p, "D_L_1", false);
    p = {};
    p.dimensions = { 2, 1 };
    expect_refused(p, "a value of dimensions is 1", false);
    p.dimensions = { 1.5 };
    expect_refused(p, "a value of dimensions is 1.5", false);
    p.dimensions = { 0 };
    expect_refused(p, "a value of dimensions is 0", false);
    EXPECT_EQ(message([] { mlcf_encoder::make(nullptr); }),
              "mlcf_encoder: model is null");
    EXPECT_EQ(message([] { mlcf_decoder::make(nullptr); }),
              "mlcf_decoder: model is null");
}

TEST_F(files, code_sizes)
{
    parts p;
    p.quantizer = true;
    p.d = 4;
    const model_file::sptr model = write(p);
    for (const int size : { 3, 6, 9, 12 })
        EXPECT_EQ(mlcf_encoder::make(model, size)->code_size(), size);
    EXPECT_EQ(mlcf_encoder::make(model)->code_size(), 12);
    for (const int size : { -3, 1, 4, 13, 15 }) {
        const std::string text = message([&] { mlcf_encoder::make(model, size); });
        EXPECT_NE(text.find("code_size is " + std::to_string(size)), std::string::npos)
            << text;
        EXPECT_NE(text.find("multiple of nt = 3 to 12"), std::string::npos) << text;
    }
    // Longer than the longest pair, as the encoder's.
    EXPECT_EQ(mlcf_decoder::make(model)->code_size(), 12);
    EXPECT_EQ(mlcf_decoder::make(model, 6)->code_size(), 6);
    for (const int size : { -1, 13 })
        EXPECT_NE(message([&] { mlcf_decoder::make(model, size); }).find("code_size"),
                  std::string::npos);
    p.quantizer = false;
    EXPECT_EQ(mlcf_decoder::make(write(p))->code_size(), 6);
}

TEST_F(files, each_half_alone)
{
    parts p;
    p.decoder = false;
    EXPECT_EQ(mlcf_encoder::make(write(p))->code_size(), 6);
    expect_refused(p, "decoder/dimensions", false);
    p = {};
    p.encoder = false;
    const model_file::sptr model = write(p);
    EXPECT_EQ(mlcf_decoder::make(model)->code_size(), 6);
    EXPECT_NE(message([&] { mlcf_encoder::make(model); }).find("encoder/D_H"),
              std::string::npos);
}

TEST_F(files, lambda_is_needed_where_neighbours_exceed_dimensions)
{
    parts p;
    p.lambda = 0;
    p.neighbours = 2;
    const std::string text = message([&] { mlcf_decoder::make(write(p)); });
    EXPECT_NE(text.find("mlcf_decoder: lambda is 0, allowed is more than 0 where there "
                        "are more neighbours than dimensions (2 and 1)"),
              std::string::npos)
        << text;
    mlcf_encoder::make(write(p));
    p.dimensions = { 2 };
    mlcf_decoder::make(write(p));
}

// Landmarks that are zero, or the same: everything stays finite, and a matrix of
// landmarks comes back.
TEST_F(files, dead_and_equal_landmarks)
{
    for (const int kind : { 0, 1, 2 }) {
        parts p;
        p.neighbours = 6;
        p.d = 8;
        p.dimensions = { 8 };
        p.change = [&](std::vector<float>& x) {
            for (int i = 0; i < p.landmarks; i++)
                for (int c = 0; c < 8; c++)
                    if (kind == 0 && i % 2)
                        x[i * 8 + c] = 0;
                    else if (kind == 1 && i % 2)
                        x[i * 8 + c] = x[(i - 1) * 8 + c];
                    else if (kind == 2)
                        x[i * 8 + c] = x[c];
        };
        const model_file::sptr model = write(p);
        const encoder::sptr e = mlcf_encoder::make(model);
        const decoder::sptr d = mlcf_decoder::make(model);
        std::vector<float> h(e->input_size());
        for (int n = 0; n < p.nt; n++)
            for (int c = 0; c < 8; c++)
                h[c * p.nt + n] = landmarks[2 * n * 8 + c];
        // The embedding is the identity.
        const std::vector<float> s = encode(*e, h, e->code_size());
        EXPECT_LT(error(s, h), 1e-3) << kind;
        EXPECT_LT(residual_energy(*e, h), 1e-6) << kind;
        EXPECT_LT(error(decode(*d, s), h), 1e-3) << kind;
    }
}

TEST_F(files, any_scale_gives_finite_results)
{
    const model_file::sptr model = write({});
    const encoder::sptr e = mlcf_encoder::make(model);
    const decoder::sptr d = mlcf_decoder::make(model);
    for (const float scale : { 0.0f, 1e-38f, 1e-20f, 1e-3f, 1e3f, 1e15f, 1e30f }) {
        const std::vector<float> h(e->input_size(), scale);
        for (const float value : encode(*e, h, e->code_size()))
            EXPECT_TRUE(std::isfinite(value)) << scale;
        EXPECT_FALSE(std::isnan(residual_energy(*e, h))) << scale;
        for (int m = 1; m <= d->code_size(); m++)
            for (const float value : decode(*d, std::vector<float>(m, scale)))
                EXPECT_TRUE(std::isfinite(value)) << scale;
    }
}

} // namespace
