/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Encoders and decoders against textbook formulas in double precision.

#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/ista_decoder.h>
#include <gnuradio/csifeedback/linear_decoder.h>
#include <gnuradio/csifeedback/linear_encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <Eigen/Dense>
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

using matrix = Eigen::MatrixXd;
using vector = Eigen::VectorXd;
using complex_matrix = Eigen::MatrixXcd;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

matrix random_matrix(int rows, int cols, uint64_t seed)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<double> normal;
    // Rounded to float, so that oracle and code see the same numbers.
    return matrix::NullaryExpr(
        rows, cols, [&](Eigen::Index, Eigen::Index) { return float(normal(engine)); });
}

std::vector<float> floats(const matrix& row_major)
{
    std::vector<float> x;
    for (Eigen::Index r = 0; r < row_major.rows(); r++)
        for (Eigen::Index c = 0; c < row_major.cols(); c++)
            x.push_back(row_major(r, c));
    return x;
}

vector doubles(const std::vector<float>& x)
{
    return Eigen::Map<const Eigen::VectorXf>(x.data(), x.size()).cast<double>();
}

matrix orthonormal_rows(int rows, int cols, uint64_t seed)
{
    const matrix q =
        Eigen::HouseholderQR<matrix>(random_matrix(cols, rows, seed)).householderQ() *
        matrix::Identity(cols, rows);
    return q.transpose().cast<float>().cast<double>();
}

complex_matrix random_complex(int rows, int cols, uint64_t seed)
{
    complex_matrix u(rows, cols);
    u.real() = random_matrix(rows, cols, seed);
    u.imag() = random_matrix(rows, cols, seed + 1);
    return u;
}

complex_matrix orthonormal_complex_rows(int rows, int cols, uint64_t seed)
{
    const complex_matrix q =
        Eigen::HouseholderQR<complex_matrix>(random_complex(cols, rows, seed))
            .householderQ() *
        complex_matrix::Identity(cols, rows);
    return q.transpose().cast<std::complex<float>>().cast<std::complex<double>>();
}

// The definition: rows 2k and 2k+1 are Re and Im of u_k^H x over [Re x; Im x].
matrix real_rows(const complex_matrix& u)
{
    matrix w(2 * u.rows(), 2 * u.cols());
    for (Eigen::Index k = 0; k < u.rows(); k++) {
        w.row(2 * k) << u.row(k).real(), u.row(k).imag();
        w.row(2 * k + 1) << -u.row(k).imag(), u.row(k).real();
    }
    return w;
}

std::vector<float> pairs(const complex_matrix& u)
{
    std::vector<float> x;
    for (Eigen::Index r = 0; r < u.rows(); r++)
        for (Eigen::Index c = 0; c < u.cols(); c++) {
            x.push_back(u(r, c).real());
            x.push_back(u(r, c).imag());
        }
    return x;
}

void expect_near(const std::vector<float>& got, const vector& expected, double tolerance)
{
    ASSERT_EQ(Eigen::Index(got.size()), expected.size());
    const double error = (doubles(got) - expected).norm();
    EXPECT_LE(error, tolerance * expected.norm())
        << "relative " << error / expected.norm();
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

std::vector<float> encode(const encoder::sptr& e, const vector& h, int m)
{
    const std::vector<float> x = floats(h);
    std::vector<float> s(m + 1, -7.0f);
    e->encode(x.data(), s.data(), m);
    EXPECT_EQ(s[m], -7.0f) << "wrote beyond the codeword";
    s.pop_back();
    return s;
}

std::vector<float> decode(const decoder::sptr& d, const std::vector<float>& s)
{
    std::vector<float> h(d->output_size(), nan);
    d->decode(s.data(), s.size(), h.data());
    return h;
}

class codec : public testing::Test
{
protected:
    const scratch_directory directory;
    int count = 0;

    model_file::sptr model(const std::string& codec_name,
                           int na,
                           int nt,
                           const std::function<void(model_writer&)>& arrays)
    {
        const std::string path =
            directory.file("model" + std::to_string(count++) + ".h5");
        {
            model_writer file(path);
            file.header(codec_name, na, na, nt, 41);
            arrays(file);
        }
        return model_file::open(path);
    }

    model_file::sptr
    complex_model(const std::string& codec_name, int na, int nt, const complex_matrix& u)
    {
        return model(codec_name, na, nt, [&](model_writer& file) {
            file.array("encoder/W_complex",
                       { hsize_t(u.rows()), hsize_t(u.cols()), 2 },
                       pairs(u));
        });
    }
};

TEST_F(codec, encoder_of_a_matrix_is_the_product)
{
    for (const auto& [na, nt, rows] :
         { std::tuple{ 1, 1, 1 }, { 3, 5, 7 }, { 8, 4, 64 } }) {
        const matrix w = random_matrix(rows, 2 * na * nt, rows);
        const vector h = random_matrix(2 * na * nt, 1, 2);
        const auto e = linear_encoder::make_from_matrix(floats(w), na, nt, 65535);
        EXPECT_EQ(e->name(), "matrix");
        EXPECT_EQ(e->codec_id(), 0);
        EXPECT_EQ(e->model_id(), 65535);
        EXPECT_EQ(e->code_size(), rows);
        EXPECT_EQ(e->input_size(), 2 * na * nt);
        for (int m = 1; m <= rows; m++)
            expect_near(encode(e, h, m), (w * h).head(m), 1e-5);
    }
}

TEST_F(codec, encoder_of_complex_vectors)
{
    const int na = 5, nt = 3, n = na * nt;
    const complex_matrix u = random_complex(9, n, 3);
    const auto file = complex_model("klt", na, nt, u);
    const auto e = linear_encoder::make(file, 0);
    EXPECT_EQ(e->name(), "klt");
    EXPECT_EQ(e->codec_id(), 1);
    EXPECT_EQ(e->model_id(), 41);
    EXPECT_EQ(e->code_size(), 18);
    const vector h = random_matrix(2 * n, 1, 4);
    // u^H x of the complex vectors themselves
    Eigen::VectorXcd x(n);
    x.real() = h.head(n);
    x.imag() = h.tail(n);
    const Eigen::VectorXcd product = u.conjugate() * x;
    for (int m = 1; m <= 18; m++) {
        vector expected(m);
        for (int i = 0; i < m; i++)
            expected[i] = i % 2 ? product[i / 2].imag() : product[i / 2].real();
        expect_near(encode(e, h, m), expected, 1e-5);
        expect_near(encode(e, h, m), (real_rows(u) * h).head(m), 1e-5);
        // An encoder made for less has the same first values.
        const auto shorter = linear_encoder::make(file, m);
        EXPECT_EQ(shorter->code_size(), m);
        expect_near(encode(shorter, h, m), expected, 1e-5);
    }
}

TEST_F(codec, codewords_are_nested)
{
    const int na = 6, nt = 4;
    const vector h = random_matrix(2 * na * nt, 1, 5);
    for (const auto& e :
         { linear_encoder::make_from_matrix(
               floats(random_matrix(31, 2 * na * nt, 6)), na, nt, 0),
           linear_encoder::make(
               complex_model("klt", na, nt, random_complex(16, na * nt, 7)), 31) }) {
        const std::vector<float> whole = encode(e, h, e->code_size());
        for (int m = 1; m <= e->code_size(); m++) {
            const std::vector<float> part = encode(e, h, m);
            for (int i = 0; i < m; i++)
                EXPECT_NEAR(part[i], whole[i], 1e-5);
        }
    }
}

TEST_F(codec, encoder_of_a_real_array)
{
    const matrix w = random_matrix(6, 2 * 4, 8);
    const auto file = model("gaussian", 2, 2, [&](model_writer& f) {
        f.array("encoder/W", { 6, 8 }, floats(w));
    });
    const vector h = random_matrix(8, 1, 9);
    const auto e = linear_encoder::make(file, 4);
    EXPECT_EQ(e->codec_id(), 2);
    expect_near(encode(e, h, 4), (w * h).head(4), 1e-6);
}

TEST_F(codec, bad_parameters_are_named)
{
    const auto from_matrix = [](size_t values, int na, int nt, int id) {
        return [=] {
            linear_encoder::make_from_matrix(std::vector<float>(values, 1), na, nt, id);
        };
    };
    expect_bad(from_matrix(8, 0, 2, 0), { "na is 0" });
    expect_bad(from_matrix(8, 2, 0, 0), { "nt is 0" });
    expect_bad(from_matrix(8, 2, 2, -1), { "model_id is -1" });
    expect_bad(from_matrix(8, 2, 2, 65536), { "model_id is 65536" });
    expect_bad(from_matrix(0, 2, 2, 0), { "number of values of W is 0" });
    expect_bad(from_matrix(9, 2, 2, 0), { "number of values of W is 9", "8" });
    std::vector<float> w(8, 1);
    w[5] = nan;
    expect_bad([&] { linear_encoder::make_from_matrix(w, 2, 2, 0); },
               { "a value of W is nan" });
    expect_bad([] { linear_encoder::make(nullptr, 0); }, { "linear_encoder", "null" });
    expect_bad([] { linear_decoder::make(nullptr, 0); }, { "linear_decoder", "null" });
    expect_bad([] { ista_decoder::make(nullptr, 0); }, { "ista_decoder", "null" });

    const auto file = complex_model("klt", 2, 2, random_complex(3, 4, 1));
    expect_bad([&] { linear_encoder::make(file, 7); }, { "code_size is 7", "0 to 6" });
    expect_bad([&] { linear_encoder::make(file, -1); }, { "code_size is -1" });
    expect_bad([&] { linear_decoder::make(file, 0, -1); }, { "noise_variance is -1" });
    expect_bad([&] { linear_decoder::make(file, 0, nan); }, { "noise_variance is nan" });
    expect_bad([&] { ista_decoder::make(file, 0, true, 0); }, { "iterations is 0" });
    expect_bad([&] { ista_decoder::make(file, 0, true, 5, 1.5f); }, { "lambda is 1.5" });
    expect_bad([&] { ista_decoder::make(file, 0, true, 5, nan); }, { "lambda is nan" });
    expect_bad([&] { ista_decoder::make(file, 0, true, 5, 0.1f, -1); },
               { "tolerance is -1" });
    expect_bad([] { ista_decoder::make_from_matrix(std::vector<float>(8, 0), 2, 2, 0); },
               { "||W||^2 is 0" });
    expect_bad(
        [] { ista_decoder::make_from_matrix(std::vector<float>(8, 3e38f), 2, 2, 0); },
        { "||W||^2", "finite" });
    expect_bad(
        [&] {
            linear_encoder::make(complex_model("turbo", 2, 2, random_complex(3, 4, 1)),
                                 0);
        },
        { "codec of the model is turbo", "klt" });
    expect_bad([&] { linear_encoder::make(model("klt", 2, 2, [](model_writer&) {}), 0); },
               { "encoder/W" });
    expect_bad(
        [&] {
            linear_encoder::make(complex_model("klt", 2, 2, random_complex(3, 5, 1)), 0);
        },
        { "encoder/W_complex", "(3, 5, 2)" });
}

TEST_F(codec, klt_decoder_is_the_projection)
{
    const int na = 5, nt = 3, n = na * nt;
    const complex_matrix u = orthonormal_complex_rows(n, n, 10);
    const auto file = complex_model("klt", na, nt, u);
    const vector h = random_matrix(2 * n, 1, 11);
    const auto e = linear_encoder::make(file, 0);
    const auto d = linear_decoder::make(file, 0);
    EXPECT_EQ(d->name(), "linear");
    EXPECT_EQ(d->codec_id(), 1);
    EXPECT_EQ(d->model_id(), 41);
    EXPECT_EQ(d->code_size(), 2 * n);
    const matrix w = real_rows(u);
    for (int m = 1; m <= 2 * n; m++) {
        const vector projection = w.topRows(m).transpose() * (w.topRows(m) * h);
        expect_near(decode(d, encode(e, h, m)), projection, 1e-5);
    }
    // All of the codeword gives all of h.
    expect_near(decode(d, encode(e, h, 2 * n)), h, 1e-5);
    // Noise shrinks.
    const auto noisy = linear_decoder::make(file, 0, 0.25f);
    expect_near(decode(noisy, encode(e, h, 2 * n)), h / 1.25, 1e-5);
}

TEST_F(codec, one_matrix_for_the_columns_of_all_antennas)
{
    const int na = 6, d = 5;
    for (const int nt : { 1, 3, 16, 21, 32 }) {
        const matrix small = orthonormal_rows(d, 2 * na, 20);
        const auto file = model("klt-columns", na, nt, [&](model_writer& f) {
            f.text("domain", "H");
            f.array("encoder/W_columns", { hsize_t(d), hsize_t(2 * na) }, floats(small));
        });
        // Value r nt + n is component r of antenna n, whose column has every nt-th value.
        matrix w = matrix::Zero(d * nt, 2 * na * nt);
        for (int r = 0; r < d; r++)
            for (int n = 0; n < nt; n++)
                for (int i = 0; i < 2 * na; i++)
                    w(r * nt + n, i * nt + n) = small(r, i);
        const vector h = random_matrix(2 * na * nt, 1, 21);
        const auto e = linear_encoder::make(file, 0);
        const auto decoder = linear_decoder::make(file, 0);
        EXPECT_EQ(e->name(), "klt-columns");
        EXPECT_EQ(e->codec_id(), 7);
        EXPECT_EQ(decoder->codec_id(), 7);
        EXPECT_EQ(decoder->model_id(), 41);
        EXPECT_EQ(e->input_size(), 2 * na * nt);
        ASSERT_EQ(e->code_size(), d * nt);
        for (int m = 1; m <= d * nt; m++) {
            const vector s = (w * h).head(m);
            expect_near(encode(e, h, m), s, 1e-5);
            expect_near(decode(decoder, floats(s)), w.topRows(m).transpose() * s, 1e-5);
            const auto shorter = linear_encoder::make(file, m);
            EXPECT_EQ(shorter->code_size(), m);
            expect_near(encode(shorter, h, m), s, 1e-5);
        }
        const vector s = w * h;
        const auto noisy = linear_decoder::make(file, d * nt - 1, 0.25f);
        EXPECT_EQ(noisy->code_size(), d * nt - 1);
        expect_near(decode(noisy, floats(s.head(d * nt - 1))),
                    w.topRows(d * nt - 1).transpose() * s.head(d * nt - 1) / 1.25,
                    1e-5);

        expect_bad([&] { linear_encoder::make(file, d * nt + 1); },
                   { "code_size is " + std::to_string(d * nt + 1) });
        expect_bad([&] { linear_decoder::make(file, -1); }, { "code_size is -1" });
        // Sparse reconstruction is for angular-delay matrices.
        expect_bad([&] { ista_decoder::make(file, 0); },
                   { "ista_decoder", "codec of the model is klt-columns", "encoder/W" });
        const auto other = model("klt-columns", na, nt, [&](model_writer& f) {
            f.array("encoder/W_columns",
                    { hsize_t(d), hsize_t(na) },
                    floats(small.leftCols(na)));
        });
        expect_bad([&] { linear_encoder::make(other, 0); }, { "encoder/W_columns" });
    }
}

TEST_F(codec, klt_decoder_of_cells)
{
    const int na = 5, nt = 3, n = na * nt;
    const complex_matrix u = orthonormal_complex_rows(n, n, 22);
    const auto file = complex_model("klt-cells", na, nt, u);
    const vector h = random_matrix(2 * n, 1, 23);
    const auto e = linear_encoder::make(file, 0);
    EXPECT_EQ(e->codec_id(), 8);
    for (const int m : { 1, 8, 2 * n }) {
        const matrix w = real_rows(u).topRows(m);
        expect_near(decode(linear_decoder::make(file, 0), encode(e, h, m)),
                    w.transpose() * (w * h),
                    1e-5);
    }
}

TEST_F(codec, klt_decoder_of_a_real_array)
{
    const matrix w = orthonormal_rows(7, 16, 12);
    const auto file = model("klt", 4, 2, [&](model_writer& f) {
        f.array("encoder/W", { 7, 16 }, floats(w));
    });
    const std::vector<float> s = floats(random_matrix(7, 1, 13));
    expect_near(
        decode(linear_decoder::make(file, 0), s), w.transpose() * doubles(s), 1e-6);
}

TEST_F(codec, mmse_decoder_is_the_formula)
{
    const int na = 8, nt = 4, n = na * nt, components = 20;
    const complex_matrix basis = orthonormal_complex_rows(components, n, 14);
    const double floor = 0.01f;
    std::vector<float> variance;
    matrix covariance = floor * matrix::Identity(2 * n, 2 * n);
    const matrix rows = real_rows(basis);
    for (int i = 0; i < 2 * components; i++) {
        variance.push_back(3 * std::exp(-0.2 * (i / 2)) + 0.02);
        covariance +=
            (double(variance[i]) - floor) * rows.row(i).transpose() * rows.row(i);
    }
    for (const bool complex_rows : { false, true }) {
        const complex_matrix u = random_complex(12, n, 15);
        const matrix w = complex_rows ? real_rows(u) : random_matrix(24, 2 * n, 16);
        const auto file = model("gaussian", na, nt, [&](model_writer& f) {
            if (complex_rows)
                f.array("encoder/W_complex", { 12, hsize_t(n), 2 }, pairs(u));
            else
                f.array("encoder/W", { 24, hsize_t(2 * n) }, floats(w));
            f.array("decoder/basis", { components, hsize_t(n), 2 }, pairs(basis));
            f.array("decoder/variance", { 2 * components }, variance);
            f.array("decoder/floor", { 1 }, { float(floor) });
        });
        for (const double noise : { 0.0, 0.01, 1.0 }) {
            const auto d = linear_decoder::make(file, 0, noise);
            for (const int m : { 24, 1, 2, 13, 24 }) {
                const std::vector<float> s = floats(random_matrix(m, 1, 17 + m));
                const matrix wm = w.topRows(m);
                matrix system = wm * covariance * wm.transpose();
                system += matrix(noise * system.diagonal().asDiagonal());
                const vector expected =
                    covariance * wm.transpose() * system.fullPivLu().solve(doubles(s));
                expect_near(decode(d, s), expected, 2e-5);
            }
        }
    }
}

TEST_F(codec, mmse_decoder_stands_dependent_rows)
{
    const int n = 8;
    const complex_matrix basis = orthonormal_complex_rows(4, n, 18);
    matrix w = random_matrix(10, 2 * n, 19);
    w.row(5) = w.row(2);
    w.row(9).setZero();
    const auto file = model("gaussian", 4, 2, [&](model_writer& f) {
        f.array("encoder/W", { 10, 2 * n }, floats(w));
        f.array("decoder/basis", { 4, n, 2 }, pairs(basis));
        f.array("decoder/variance", { 8 }, { 4, 4, 3, 3, 2, 2, 1, 1 });
        f.array("decoder/floor", { 1 }, std::vector<float>{ 0 });
    });
    // Of rank 8 at most: without noise, a vector of the basis comes back.
    const vector h = real_rows(basis).transpose() * random_matrix(8, 1, 20);
    const auto d = linear_decoder::make(file, 0);
    expect_near(decode(d, floats(w * h)), h, 1e-3);
}

TEST_F(codec, mmse_decoder_refuses_impossible_variances)
{
    const int n = 8;
    for (const auto& [variance, floor] : { std::pair{ 1.0f, 2.0f }, { 1.0f, -0.1f } }) {
        const auto file =
            model("gaussian", 4, 2, [&, v = variance, f = floor](model_writer& file) {
                file.array("encoder/W", { 4, 2 * n }, floats(random_matrix(4, 2 * n, 1)));
                file.array("decoder/basis", { 1, n, 2 }, std::vector<float>(2 * n, 0.2f));
                file.array("decoder/variance", { 2 }, { v, v });
                file.array("decoder/floor", { 1 }, { f });
            });
        expect_bad([&] { linear_decoder::make(file, 0); }, { "decoder/floor", ".h5" });
    }
}

// Beck and Teboulle (2009), as printed; L by singular values.
vector textbook(const matrix& w,
                const vector& s,
                bool accelerate,
                int iterations,
                double lambda,
                vector h)
{
    const double l = std::pow(w.jacobiSvd().singularValues()[0], 2);
    const double weight = lambda * (w.transpose() * s).lpNorm<Eigen::Infinity>();
    vector y = h;
    double t = 1;
    for (int k = 0; k < iterations; k++) {
        const vector u = y - w.transpose() * (w * y - s) / l;
        vector next(u.size());
        for (Eigen::Index i = 0; i < u.size(); i++)
            next[i] = std::copysign(std::max(std::abs(u[i]) - weight / l, 0.0), u[i]);
        const double t_next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
        y = accelerate ? vector(next + (t - 1) / t_next * (next - h)) : next;
        t = t_next;
        h = next;
    }
    return h;
}

// The matrices that the sparse decoders are tried with, each with its file or values.
struct sparse_case {
    std::string name;
    matrix w;
    std::function<decoder::sptr(
        bool accelerate, int iterations, float lambda, float tolerance, bool warm)>
        make;
};

class sparse : public codec
{
protected:
    static constexpr int na = 32, nt = 9, n = na * nt; // two tiles, the second not whole
    std::vector<sparse_case> cases;

    sparse()
    {
        add_matrix("gaussian", random_matrix(61, 2 * n, 21));
        add_matrix("orthonormal", orthonormal_rows(64, 2 * n, 22));
        // Badly conditioned, and far from unit scale.
        matrix uneven = 1e-3 * random_matrix(40, 2 * n, 23);
        for (int r = 0; r < 40; r++)
            uneven.row(r) *= float(std::pow(0.8, r));
        add_matrix("uneven", uneven.cast<float>().cast<double>());
        add_complex("complex", random_complex(31, n, 24));
        add_complex("klt", orthonormal_complex_rows(32, n, 25));
    }

    void add_matrix(const std::string& name, const matrix& w)
    {
        cases.push_back({ name, w, [w](bool a, int i, float l, float t, bool warm) {
                             return ista_decoder::make_from_matrix(
                                 floats(w), na, nt, 3, a, i, l, t, warm);
                         } });
    }
    void add_complex(const std::string& name, const complex_matrix& u)
    {
        const auto file = complex_model("orthonormal", na, nt, u);
        cases.push_back(
            { name, real_rows(u), [file](bool a, int i, float l, float t, bool warm) {
                 return ista_decoder::make(file, 0, a, i, l, t, warm);
             } });
    }

    static vector sparse_vector(uint64_t seed)
    {
        vector h = vector::Zero(2 * n);
        random_engine engine = make_engine(seed, 1);
        boost::random::normal_distribution<double> normal;
        for (int i = 0; i < 12; i++) {
            const uint64_t at = engine() % (2 * n);
            h[at] = normal(engine);
        }
        return h;
    }
};

TEST_F(sparse, every_iteration_is_the_textbook_one)
{
    for (const sparse_case& c : cases)
        for (const bool accelerate : { false, true })
            for (const float lambda : { 0.02f, 0.3f })
                for (const int m : { int(c.w.rows()), int(c.w.rows()) - 1, 7, 1 })
                    for (const int iterations : { 1, 2, 3, 5, 20, 60 }) {
                        SCOPED_TRACE(c.name + " m " + std::to_string(m) + " iterations " +
                                     std::to_string(iterations) +
                                     (accelerate ? " fista" : " ista"));
                        const matrix w = c.w.topRows(m);
                        const std::vector<float> s = floats(w * sparse_vector(m));
                        const auto d = c.make(accelerate, iterations, lambda, 0, false);
                        expect_near(decode(d, s),
                                    textbook(w,
                                             doubles(s),
                                             accelerate,
                                             iterations,
                                             lambda,
                                             vector::Zero(2 * n)),
                                    1e-4);
                    }
}

TEST_F(sparse, ista_never_raises_the_objective)
{
    for (const sparse_case& c : cases) {
        const std::vector<float> s = floats(c.w * sparse_vector(1));
        const double weight =
            0.05 * (c.w.transpose() * doubles(s)).lpNorm<Eigen::Infinity>();
        double before = std::numeric_limits<double>::infinity();
        for (int iterations = 1; iterations <= 60; iterations++) {
            const vector h =
                doubles(decode(c.make(false, iterations, 0.05f, 0, false), s));
            const double objective =
                0.5 * (c.w * h - doubles(s)).squaredNorm() + weight * h.lpNorm<1>();
            EXPECT_LE(objective, before * (1 + 1e-5)) << c.name << " " << iterations;
            before = objective;
        }
    }
}

TEST_F(sparse, many_iterations_reach_the_optimum)
{
    // Karush-Kuhn-Tucker: W^T (s - W h) is weight * sign(h) where h is not zero, and
    // between -weight and weight elsewhere.
    for (const sparse_case& c : cases) {
        if (c.name == "uneven")
            continue; // converges too slowly
        const std::vector<float> s = floats(c.w * sparse_vector(2));
        const double weight =
            0.1 * (c.w.transpose() * doubles(s)).lpNorm<Eigen::Infinity>();
        const vector h = doubles(decode(c.make(true, 3000, 0.1f, 0, false), s));
        const vector correlation = c.w.transpose() * (doubles(s) - c.w * h);
        int active = 0;
        for (Eigen::Index i = 0; i < h.size(); i++) {
            if (h[i] != 0) {
                active++;
                EXPECT_NEAR(correlation[i], std::copysign(weight, h[i]), 0.01 * weight)
                    << c.name;
            } else {
                EXPECT_LE(std::abs(correlation[i]), 1.01 * weight) << c.name;
            }
        }
        EXPECT_GT(active, 0);
        EXPECT_LE(active, c.w.rows());
    }
}

TEST_F(sparse, recovers_a_sparse_vector)
{
    const sparse_case& c = cases[1];
    vector h = vector::Zero(2 * n);
    h[17] = 1;
    h[200] = -2;
    h[431] = 1.5;
    const vector found =
        doubles(decode(c.make(true, 2000, 0.001f, 0, false), floats(c.w * h)));
    EXPECT_LT((found - h).norm(), 0.02 * h.norm());
}

TEST_F(sparse, lambda_one_gives_zero_and_just_below_does_not)
{
    for (const sparse_case& c : cases) {
        const std::vector<float> s = floats(c.w * sparse_vector(3));
        for (const bool accelerate : { false, true }) {
            const vector h = doubles(decode(c.make(accelerate, 20, 1, 0, false), s));
            // At the very threshold a rounding error may be left.
            EXPECT_LT(h.norm(),
                      1e-4 * (c.w.transpose() * doubles(s)).norm() /
                          std::pow(c.w.jacobiSvd().singularValues()[0], 2));
            EXPECT_GT(doubles(decode(c.make(accelerate, 20, 0.97f, 0, false), s)).norm(),
                      0);
        }
    }
}

TEST_F(sparse, lambda_zero_gives_least_squares)
{
    const sparse_case& c = cases[1];
    const std::vector<float> s = floats(random_matrix(c.w.rows(), 1, 26));
    const vector h = doubles(decode(c.make(true, 50, 0, 0, false), s));
    EXPECT_LT((c.w * h - doubles(s)).norm(), 1e-4 * doubles(s).norm());
    // Of all solutions the one of least norm, since it began at zero.
    expect_near(floats(h), c.w.transpose() * doubles(s), 1e-4);
}

TEST_F(sparse, tolerance_stops_early)
{
    for (const sparse_case& c : cases) {
        const std::vector<float> s = floats(c.w * sparse_vector(4));
        // Find out in double precision where the criterion holds first.
        const double tolerance = 3e-3;
        vector before = vector::Zero(2 * n);
        int stop = 0;
        for (int k = 1; k <= 2000 && !stop; k++) {
            const vector now = textbook(c.w, doubles(s), false, 1, 0.1, before);
            if ((now - before).norm() <= tolerance * now.norm())
                stop = k;
            before = now;
        }
        ASSERT_GT(stop, 2) << c.name;
        expect_near(decode(c.make(false, 5000, 0.1f, tolerance, false), s), before, 1e-3);
    }
}

TEST_F(sparse, warm_start_begins_with_the_previous_result)
{
    for (const sparse_case& c : cases)
        for (const bool accelerate : { false, true }) {
            const auto d = c.make(accelerate, 5, 0.05f, 0, true);
            vector h = vector::Zero(2 * n);
            for (int frame = 0; frame < 4; frame++) {
                // Codewords of changing length, too.
                const int m = c.w.rows() - frame % 2;
                const std::vector<float> s = floats(c.w.topRows(m) * sparse_vector(5));
                h = textbook(c.w.topRows(m), doubles(s), accelerate, 5, 0.05, h);
                expect_near(decode(d, s), h, 1e-4);
            }
        }
}

TEST_F(sparse, results_do_not_depend_on_earlier_codewords)
{
    for (const sparse_case& c : cases) {
        const auto d = c.make(true, 20, 0.02f, 0, false);
        const std::vector<float> a = floats(c.w * sparse_vector(6)),
                                 b = floats(c.w.topRows(9) * sparse_vector(7));
        const std::vector<float> first = decode(d, a);
        decode(d, b);
        EXPECT_EQ(decode(d, a), first);
    }
}

TEST_F(sparse, bad_codewords_do_not_poison_the_state)
{
    for (const sparse_case& c : cases)
        for (const bool warm : { false, true })
            for (const float bad : { nan, infinity, -infinity, 3e38f, 1e30f }) {
                const auto d = c.make(true, 20, 0.02f, 0, warm),
                           fresh = c.make(true, 20, 0.02f, 0, warm);
                const std::vector<float> good = floats(c.w * sparse_vector(8));
                std::vector<float> s = good;
                s[3] = bad;
                for (const float x : decode(d, s))
                    ASSERT_TRUE(std::isfinite(x));
                const std::vector<float> after = decode(d, good);
                for (const float x : after)
                    ASSERT_TRUE(std::isfinite(x));
                if (!std::isfinite(bad) || !warm) {
                    EXPECT_EQ(after, decode(fresh, good)) << c.name << " " << bad;
                }
            }
}

TEST_F(sparse, zero_codeword_gives_zero)
{
    for (const sparse_case& c : cases)
        for (const bool warm : { false, true }) {
            const auto d = c.make(true, 20, 0.02f, 0, warm);
            decode(d, floats(c.w * sparse_vector(9)));
            EXPECT_EQ(decode(d, std::vector<float>(c.w.rows(), 0)),
                      std::vector<float>(2 * n, 0));
        }
}

TEST_F(sparse, rows_of_zeros_in_front)
{
    matrix w = random_matrix(5, 8, 27);
    w.topRows(2).setZero();
    const auto d = ista_decoder::make_from_matrix(floats(w), 2, 2, 0);
    EXPECT_EQ(decode(d, { 1 }), std::vector<float>(8, 0));
    EXPECT_EQ(decode(d, { 1, 2 }), std::vector<float>(8, 0));
    expect_near(
        decode(d, { 1, 2, 3 }),
        textbook(w.topRows(3), vector{ { 1, 2, 3 } }, true, 20, 0.02f, vector::Zero(8)),
        1e-4);
}

TEST_F(sparse, names_and_numbers)
{
    const auto d = cases[0].make(true, 1, 0, 0, false);
    EXPECT_EQ(d->name(), "fista");
    EXPECT_EQ(cases[0].make(false, 1, 0, 0, false)->name(), "ista");
    EXPECT_EQ(d->codec_id(), 0);
    EXPECT_EQ(d->model_id(), 3);
    EXPECT_EQ(d->na(), na);
    EXPECT_EQ(d->nt(), nt);
    EXPECT_EQ(d->code_size(), 61);
    EXPECT_EQ(cases[3].make(true, 1, 0, 0, false)->codec_id(), 3);
}

TEST(normalize, unit_power_and_gain)
{
    for (const float gain_db : { -60.0f, 0.0f, 13.7f, 100.0f }) {
        const vector x = random_matrix(2 * 35, 1, 28);
        const double scale = std::pow(10, gain_db / 20) / std::sqrt(x.squaredNorm() / 35);
        std::vector<std::complex<float>> ha, back(35);
        for (int i = 0; i < 35; i++)
            ha.emplace_back(x[2 * i] * scale, x[2 * i + 1] * scale);
        std::vector<float> h(70);
        EXPECT_NEAR(normalize_csi(ha.data(), 35, h.data()), gain_db, 1e-4);
        EXPECT_NEAR(doubles(h).squaredNorm(), 35, 1e-4);
        for (int i = 0; i < 35; i++) {
            EXPECT_NEAR(h[i], ha[i].real() / std::pow(10, gain_db / 20), 1e-5);
            EXPECT_NEAR(h[35 + i], ha[i].imag() / std::pow(10, gain_db / 20), 1e-5);
        }
        denormalize_csi(h.data(), 35, gain_db, back.data());
        for (int i = 0; i < 35; i++)
            EXPECT_LT(std::abs(back[i] - ha[i]), 1e-5 * std::pow(10, gain_db / 20));
    }
}

TEST(normalize, refuses_what_has_no_gain)
{
    std::vector<float> h(8);
    const auto gain = [&](std::complex<float> x) {
        const std::vector<std::complex<float>> ha{ 0, x, 0, 0 };
        return normalize_csi(ha.data(), 4, h.data());
    };
    EXPECT_TRUE(std::isnan(gain(0)));
    EXPECT_TRUE(std::isnan(gain({ nan, 0 })));
    EXPECT_TRUE(std::isnan(gain({ 1, infinity })));
    EXPECT_TRUE(std::isnan(gain(-infinity)));
    EXPECT_FALSE(std::isnan(gain(std::numeric_limits<float>::max())));
    EXPECT_FALSE(std::isnan(gain(std::numeric_limits<float>::denorm_min())));
}

// Whatever finite floats there are: h_vec is that of the same matrix at 0 dB.
TEST(normalize, any_scale)
{
    const vector x = random_matrix(2 * 50, 1, 29);
    std::vector<std::complex<float>> unit, ha(50), back(50);
    for (int i = 0; i < 50; i++)
        unit.emplace_back(x[2 * i], x[2 * i + 1]);
    std::vector<float> expected(100), h(100);
    const float unit_db = normalize_csi(unit.data(), 50, expected.data());
    for (const float scale : { 1e-36f,
                               1e-30f,
                               1e-20f,
                               1e-15f,
                               1e-13f,
                               1e-12f,
                               1e12f,
                               1e15f,
                               1e18f,
                               1e20f,
                               1e30f,
                               1e37f }) {
        for (int i = 0; i < 50; i++)
            ha[i] = scale * unit[i];
        const float gain_db = normalize_csi(ha.data(), 50, h.data());
        EXPECT_NEAR(gain_db, unit_db + 20 * std::log10(scale), 1e-4) << scale;
        for (int i = 0; i < 100; i++)
            EXPECT_NEAR(h[i], expected[i], 2e-6) << scale;
        denormalize_csi(h.data(), 50, gain_db, back.data());
        for (int i = 0; i < 50; i++)
            EXPECT_LT(std::abs(back[i] - ha[i]), 1e-4 * std::abs(ha[i]) + 1e-5 * scale);
    }
}

// What decoders can give times any gain is finite.
TEST(normalize, denormalized_is_finite)
{
    const std::vector<float> h{ 0, 1e19f, -1e19f, 1, -1e-30f, 3, 0, 2 };
    std::vector<std::complex<float>> ha(4);
    for (const float gain_db :
         { -1e30f, -2000.0f, 256.0f, 380.0f, 390.0f, 800.0f, 1e30f, infinity }) {
        denormalize_csi(h.data(), 4, gain_db, ha.data());
        for (const std::complex<float> x : ha)
            EXPECT_TRUE(std::isfinite(x.real()) && std::isfinite(x.imag())) << gain_db;
    }
}

TEST(normalize, gain_codes)
{
    EXPECT_EQ(gain_to_code(-256), 0);
    EXPECT_EQ(gain_to_code(0), 32768);
    EXPECT_EQ(gain_to_code(256 - 1.0f / 128), 65535);
    EXPECT_EQ(gain_to_code(-1e30f), 0);
    EXPECT_EQ(gain_to_code(1e30f), 65535);
    EXPECT_EQ(gain_to_code(-infinity), 0);
    EXPECT_EQ(gain_to_code(infinity), 65535);
    EXPECT_EQ(gain_to_code(nan), 0);
    for (int code = 0; code < 65536; code++) {
        EXPECT_EQ(gain_to_code(gain_from_code(code)), code);
        EXPECT_EQ(gain_from_code(code), -256 + code / 128.0);
    }
    for (double gain = -256; gain <= 255.9; gain += 0.0137)
        EXPECT_LE(std::abs(gain_from_code(gain_to_code(gain)) - gain), 0.5 / 128 + 2e-5);
}

} // namespace
