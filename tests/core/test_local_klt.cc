/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The local KLT against its definition in double precision.

#include "model_writer.h"
#include "random.h"
#include <gnuradio/csifeedback/local_klt_decoder.h>
#include <gnuradio/csifeedback/local_klt_encoder.h>
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_real_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <tuple>

using namespace gr::csifeedback;

namespace {

using matrix = Eigen::MatrixXcd;
using complex_floats = std::vector<std::complex<float>>;

matrix random_complex(int rows, int cols, random_engine& engine)
{
    boost::random::normal_distribution<double> normal;
    return matrix::NullaryExpr(rows, cols, [&](Eigen::Index, Eigen::Index) {
        const double re = normal(engine);
        return std::complex<double>(re, normal(engine));
    });
}

// Bases with rows u_k, and the variances along them.
struct side {
    std::vector<matrix> basis;
    std::vector<Eigen::VectorXd> variance;

    side(int count, int size, random_engine& engine)
    {
        boost::random::uniform_real_distribution<double> exponent(-6, 1);
        for (int p = 0; p < count; p++) {
            const matrix q =
                Eigen::HouseholderQR<matrix>(random_complex(size, size, engine))
                    .householderQ();
            basis.push_back(q.cast<std::complex<float>>().cast<std::complex<double>>());
            Eigen::VectorXd v(size);
            for (int k = 0; k < size; k++)
                v(k) = float(std::exp(exponent(engine)));
            std::sort(v.data(), v.data() + size, std::greater<double>());
            variance.push_back(v);
        }
    }

    void write(model_writer& file, const std::string& name) const
    {
        const hsize_t count = basis.size(), size = basis[0].rows();
        complex_floats u;
        std::vector<float> v;
        for (hsize_t p = 0; p < count; p++)
            for (hsize_t k = 0; k < size; k++) {
                v.push_back(variance[p](k));
                for (hsize_t a = 0; a < size; a++)
                    u.push_back(std::complex<float>(basis[p](k, a)));
            }
        file.complex_array(
            ("encoder/" + name + "_basis").c_str(), { count, size, size }, u);
        file.array(("encoder/" + name + "_variance").c_str(), { count, size }, v);
    }

    // The patch of largest Gaussian likelihood for a covariance.
    int choose(const matrix& covariance, double noise) const
    {
        std::vector<double> score;
        for (size_t p = 0; p < basis.size(); p++) {
            const matrix c =
                basis[p].transpose() * variance[p].asDiagonal() * basis[p].conjugate() +
                noise * matrix::Identity(basis[p].rows(), basis[p].rows());
            score.push_back(std::log(c.determinant().real()) +
                            (covariance * c.inverse()).trace().real());
        }
        return std::min_element(score.begin(), score.end()) - score.begin();
    }
};

struct model {
    int na, nt, bits;
    double noise = 0.05;
    float amplitude = 1.5;
    random_engine engine;
    side rows, columns;
    scratch_directory directory;
    model_file::sptr file;

    model(int na_, int nt_, int row_bits, int column_bits, int quantized = 0)
        : na(na_),
          nt(nt_),
          bits(row_bits + column_bits),
          engine(make_engine(17, na * 1000 + nt)),
          rows(1 << row_bits, na, engine),
          columns(1 << column_bits, nt, engine)
    {
        const std::string path = directory.file("model.h5");
        {
            model_writer out(path);
            out.header("local-klt", na, na, nt, 41);
            rows.write(out, "rows");
            columns.write(out, "columns");
            out.array("encoder/amplitude", { 1 }, std::vector<float>{ amplitude });
            out.array("encoder/rates", { 2 }, std::vector<float>{ 8, 1000 });
            out.array("encoder/noise", { 2 }, std::vector<float>{ 3, float(noise) });
            if (quantized)
                out.array("quantizer/std",
                          { hsize_t(quantized) },
                          std::vector<float>(quantized, 1));
        }
        file = model_file::open(path);
    }

    // A matrix that one pair of patches would make.
    matrix draw(int p, int q)
    {
        matrix z = random_complex(na, nt, engine);
        for (int k = 0; k < na; k++)
            for (int j = 0; j < nt; j++)
                z(k, j) *= std::sqrt(rows.variance[p](k) * columns.variance[q](j) / 2);
        matrix h = rows.basis[p].transpose() * z * columns.basis[q];
        h *= std::sqrt(na * nt) / h.norm();
        return h.cast<std::complex<float>>().cast<std::complex<double>>();
    }

    std::vector<double> codeword(const matrix& h, double with_noise) const
    {
        const int p = rows.choose(h * h.adjoint() / nt, with_noise);
        const int q = columns.choose(h.transpose() * h.conjugate() / na, with_noise);
        std::vector<double> s;
        const int both = p + q * int(rows.basis.size());
        for (int i = 0; i < bits; i++)
            s.push_back(both >> i & 1 ? amplitude : -amplitude);
        const matrix z = rows.basis[p].conjugate() * h * columns.basis[q].adjoint();
        std::vector<int> order(na * nt);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
            const auto power = [&](int i) {
                return float(rows.variance[p](i / nt)) *
                       float(columns.variance[q](i % nt));
            };
            return power(a) > power(b);
        });
        for (const int i : order) {
            s.push_back(z(i / nt, i % nt).real());
            s.push_back(z(i / nt, i % nt).imag());
        }
        return s;
    }
};

std::vector<float> h_vec(const matrix& h)
{
    std::vector<float> x;
    for (int part = 0; part < 2; part++)
        for (Eigen::Index a = 0; a < h.rows(); a++)
            for (Eigen::Index n = 0; n < h.cols(); n++)
                x.push_back(part ? h(a, n).imag() : h(a, n).real());
    return x;
}

double relative_error(const std::vector<float>& x, const std::vector<float>& y)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < x.size(); i++) {
        error += (x[i] - y[i]) * (x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return std::sqrt(error / norm);
}

const std::vector<std::tuple<int, int, int, int>> shapes = {
    { 4, 4, 1, 1 }, { 12, 32, 3, 2 }, { 32, 7, 2, 0 }, { 5, 33, 0, 3 }, { 1, 8, 0, 1 }
};

} // namespace

TEST(local_klt, codewords)
{
    for (const auto& [na, nt, row_bits, column_bits] : shapes) {
        model m(na, nt, row_bits, column_bits);
        const auto e = local_klt_encoder::make(m.file, 0);
        const int size = m.bits + 2 * na * nt;
        EXPECT_EQ(e->name(), "local-klt");
        EXPECT_EQ(e->codec_id(), 9);
        EXPECT_EQ(e->model_id(), 41);
        EXPECT_EQ(e->na(), na);
        EXPECT_EQ(e->nt(), nt);
        ASSERT_EQ(e->code_size(), size);
        const double noise =
            std::log(double(size) / 8) < std::log(1000.0 / size) ? 3 : m.noise;
        for (int i = 0; i < 30; i++) {
            const matrix h = m.draw(i % m.rows.basis.size(), i % m.columns.basis.size());
            const std::vector<float> x = h_vec(h);
            const std::vector<double> expected = m.codeword(h, noise);
            std::vector<float> s(size + 1, -7.0f);
            for (const int length : { size, size - 1, m.bits + 3, m.bits, 1 }) {
                std::fill(s.begin(), s.end(), -7.0f);
                e->encode(x.data(), s.data(), std::max(1, length));
                for (int k = 0; k < length; k++)
                    ASSERT_NEAR(s[k], expected[k], 2e-5 * std::sqrt(na * nt))
                        << na << " x " << nt << ", value " << k << " of " << length;
                EXPECT_EQ(s[std::max(1, length)], -7.0f) << "wrote beyond the codeword";
            }
        }
    }
}

TEST(local_klt, decoder_inverts_and_minimizes_the_error)
{
    for (const auto& [na, nt, row_bits, column_bits] : shapes) {
        model m(na, nt, row_bits, column_bits);
        const auto e = local_klt_encoder::make(m.file, 0);
        const auto d = local_klt_decoder::make(m.file, 0);
        const int size = e->code_size();
        ASSERT_EQ(d->code_size(), size);
        for (int i = 0; i < 10; i++) {
            const std::vector<float> x = h_vec(m.draw(0, 0));
            std::vector<float> s(size), y(x.size());
            e->encode(x.data(), s.data(), size);
            d->decode(s.data(), size, y.data());
            EXPECT_LT(relative_error(y, x), 1e-5);
            // What is left out is what is missing, as the basis is orthonormal.
            for (int length = 1; length < size; length += 1 + size / 9) {
                d->decode(s.data(), length, y.data());
                double rest = 0;
                for (int k = std::max(length, m.bits); k < size; k++)
                    rest += s[k] * s[k];
                EXPECT_NEAR(relative_error(y, x), std::sqrt(rest / (na * nt)), 1e-5);
            }
        }
    }
}

TEST(local_klt, signs_survive_any_quantizer)
{
    model m(12, 16, 3, 3);
    const auto e = local_klt_encoder::make(m.file, 0);
    const auto d = local_klt_decoder::make(m.file, 0);
    const std::vector<float> x = h_vec(m.draw(5, 6));
    std::vector<float> s(e->code_size()), y(x.size()), z(x.size());
    e->encode(x.data(), s.data(), s.size());
    d->decode(s.data(), s.size(), y.data());
    for (int k = 0; k < m.bits; k++)
        s[k] *= 0.01;
    d->decode(s.data(), s.size(), z.data());
    EXPECT_EQ(y, z);
}

TEST(local_klt, noise_of_the_choice_follows_the_length)
{
    // A matrix that a large noise attributes to another patch than a small one.
    model m(12, 16, 4, 0);
    const auto small = local_klt_encoder::make(m.file, 20);
    const auto large = local_klt_encoder::make(m.file, 380);
    int differ = 0;
    for (int i = 0; i < 200; i++) {
        const matrix h = m.draw(i % 16, 0) + 0.7 * m.draw((i + 3) % 16, 0);
        const std::vector<float> x = h_vec(h);
        std::vector<float> a(4), b(4);
        small->encode(x.data(), a.data(), 4);
        large->encode(x.data(), b.data(), 4);
        const std::vector<double> with_3 = m.codeword(h, 3),
                                  without = m.codeword(h, m.noise);
        for (int k = 0; k < 4; k++) {
            EXPECT_EQ(a[k], float(with_3[k]));
            EXPECT_EQ(b[k], float(without[k]));
        }
        differ += a != b;
    }
    EXPECT_GT(differ, 5);
}

TEST(local_klt, sizes)
{
    model m(6, 8, 2, 1, 50);
    EXPECT_EQ(local_klt_encoder::make(m.file, 0)->code_size(), 50);
    EXPECT_EQ(local_klt_decoder::make(m.file, 4)->code_size(), 4);
    for (const int size : { -1, 3, 51 }) {
        EXPECT_THROW(local_klt_encoder::make(m.file, size), std::invalid_argument);
        EXPECT_THROW(local_klt_decoder::make(m.file, size), std::invalid_argument);
    }
    EXPECT_THROW(local_klt_encoder::make(nullptr, 0), std::invalid_argument);
    EXPECT_THROW(local_klt_decoder::make(nullptr, 0), std::invalid_argument);
}

TEST(local_klt, files_that_do_not_fit)
{
    const scratch_directory directory;
    const auto error = [&](const char* codec,
                           hsize_t patches,
                           float variance,
                           float amplitude,
                           float rate,
                           float noise) -> std::string {
        const std::string path = directory.file("m.h5");
        {
            model_writer file(path);
            file.header(codec, 2, 2, 1);
            file.complex_array("encoder/rows_basis",
                               { patches, 2, 2 },
                               complex_floats(patches * 4, 0.5f));
            file.array("encoder/rows_variance",
                       { patches, 2 },
                       std::vector<float>(2 * patches, variance));
            file.complex_array(
                "encoder/columns_basis", { 1, 1, 1 }, complex_floats(1, 1.0f));
            file.array("encoder/columns_variance", { 1, 1 }, std::vector<float>{ 1 });
            file.array("encoder/amplitude", { 1 }, std::vector<float>{ amplitude });
            file.array("encoder/rates", { 1 }, std::vector<float>{ rate });
            file.array("encoder/noise", { 1 }, std::vector<float>{ noise });
        }
        try {
            local_klt_encoder::make(model_file::open(path), 0);
            return "";
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
    };
    EXPECT_EQ(error("local-klt", 2, 1, 1, 4, 1), "");
    EXPECT_NE(error("klt", 2, 1, 1, 4, 1).find("codec of the model is klt"),
              std::string::npos);
    EXPECT_NE(error("local-klt", 3, 1, 1, 4, 1).find("power of 2"), std::string::npos);
    EXPECT_NE(error("local-klt", 2, -1, 1, 4, 1).find("variance is -1, allowed is 0 to"),
              std::string::npos);
    EXPECT_NE(error("local-klt", 2, 1, 0, 4, 1).find("amplitude is 0"),
              std::string::npos);
    EXPECT_NE(error("local-klt", 2, 1, 1, 0, 1).find("rates is 0"), std::string::npos);
    EXPECT_NE(error("local-klt", 2, 1, 1, 4, 0).find("noise is 0"), std::string::npos);
}
