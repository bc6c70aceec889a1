/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Precoders and spectral efficiency against closed forms, and against the formulas with
// pseudo-inverses in double precision.

#include "random.h"
#include <gnuradio/csifeedback/precoder.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using matrix = Eigen::MatrixXcd;
// The matrices of some users, as the code takes them.
using users_rows =
    Eigen::Matrix<cf, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>; // nc x nt

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

users_rows random_channel(int nc, int nt, uint64_t seed, float scale = 1)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal(0, scale * std::sqrt(0.5f));
    return users_rows::NullaryExpr(nc, nt, [&](Eigen::Index, Eigen::Index) {
        const float re = normal(engine);
        return cf(re, normal(engine));
    });
}

std::vector<users_rows> random_channels(int users, int nc, int nt, uint64_t seed)
{
    std::vector<users_rows> h;
    for (int k = 0; k < users; k++)
        h.push_back(random_channel(nc, nt, seed + k, std::pow(3.0f, k - 1)));
    return h;
}

std::vector<const cf*> pointers(const std::vector<users_rows>& h)
{
    std::vector<const cf*> p;
    for (const users_rows& one : h)
        p.push_back(one.data());
    return p;
}

// Row c of every user.
matrix stacked(const std::vector<users_rows>& h, int c)
{
    matrix rows(h.size(), h[0].cols());
    for (size_t k = 0; k < h.size(); k++)
        rows.row(k) = h[k].row(c).cast<std::complex<double>>();
    return rows;
}

matrix normalized_columns(matrix w)
{
    for (Eigen::Index k = 0; k < w.cols(); k++)
        if (w.col(k).norm() > 1e-12)
            w.col(k).normalize();
        else
            w.col(k).setZero();
    return w;
}

// The definition: eigen zero-forcing by singular vectors, V (V^H V)^+.
matrix oracle_precoder(const matrix& h, bool zero_forcing)
{
    matrix v(h.cols(), h.rows());
    for (Eigen::Index k = 0; k < h.rows(); k++) {
        const Eigen::JacobiSVD<matrix> svd(h.row(k), Eigen::ComputeThinV);
        v.col(k) = svd.matrixV().col(0) * (svd.singularValues()[0] > 0);
    }
    if (!zero_forcing)
        return normalized_columns(v);
    // The phase of a singular vector is free, that of a precoding vector is not looked
    // at.
    return normalized_columns(
        v *
        Eigen::CompleteOrthogonalDecomposition<matrix>(v.adjoint() * v).pseudoInverse());
}

double oracle_efficiency(const std::vector<users_rows>& h,
                         const std::vector<users_rows>& h_hat,
                         double snr_db,
                         bool zero_forcing,
                         bool normalize)
{
    const int users = h.size(), nc = h[0].rows();
    const double power = std::pow(10, snr_db / 10) / users;
    double sum = 0;
    for (int c = 0; c < nc; c++) {
        matrix rows = stacked(h, c);
        for (int k = 0; normalize && k < users; k++)
            rows.row(k) *=
                std::sqrt(double(h[k].size())) / h[k].cast<std::complex<double>>().norm();
        const Eigen::MatrixXd received =
            (rows * oracle_precoder(stacked(h_hat, c), zero_forcing)).cwiseAbs2();
        for (int k = 0; k < users; k++) {
            const double wanted = received(k, k),
                         interference = received.row(k).sum() - wanted;
            sum += std::log2(1 + power * wanted / (power * interference + 1));
        }
    }
    return sum / nc;
}

users_rows precode(const std::vector<users_rows>& h, const std::string& type)
{
    users_rows w = users_rows::Constant(h.size(), h[0].cols(), nan);
    precoder::make(h.size(), h[0].cols(), type)->compute(pointers(h).data(), w.data());
    return w;
}

TEST(precoder, zero_forcing_receives_no_interference)
{
    for (const auto& [users, nt] :
         { std::pair{ 1, 1 }, { 1, 32 }, { 2, 3 }, { 8, 32 }, { 4, 4 }, { 40, 64 } }) {
        const auto h = random_channels(users, 1, nt, 10 * users);
        const users_rows w = precode(h, "zero-forcing");
        for (int k = 0; k < users; k++) {
            EXPECT_NEAR(w.row(k).norm(), 1, 1e-6);
            for (int j = 0; j < users; j++) {
                const double at =
                    std::abs((h[k] * w.row(j).transpose())(0)) / h[k].norm();
                if (j != k)
                    EXPECT_LT(at, 1e-6) << k << ", " << j;
                else
                    EXPECT_GT(at, 1e-3);
            }
        }
    }
}

TEST(precoder, is_that_of_singular_vectors)
{
    for (const bool zero_forcing : { false, true })
        for (const auto& [users, nt] :
             { std::pair{ 1, 5 }, { 3, 4 }, { 6, 16 }, { 5, 3 } }) {
            const auto h = random_channels(users, 1, nt, 7 * users);
            const matrix expected = oracle_precoder(stacked(h, 0), zero_forcing);
            const users_rows w =
                precode(h, zero_forcing ? "zero-forcing" : "maximum-ratio");
            for (int k = 0; k < users; k++)
                EXPECT_NEAR(std::abs(w.row(k).cast<std::complex<double>>().dot(
                                expected.col(k).transpose())),
                            1,
                            1e-5)
                    << users << " users, " << nt << " antennas, user " << k;
        }
}

// Against the definition; with very little loading it is zero-forcing, with very much
// maximum ratio.
TEST(precoder, regularized)
{
    for (const auto& [users, nt] : { std::pair{ 1, 5 }, { 4, 4 }, { 6, 16 }, { 5, 3 } }) {
        auto h = random_channels(users, 1, nt, 9 * users);
        if (users > 1)
            h[1].setZero();
        for (const double loading : { 0.0, 1e-3, 0.4, 1e12 }) {
            users_rows w(users, nt);
            precoder::make(users, nt, "regularized-zero-forcing", loading)
                ->compute(pointers(h).data(), w.data());
            if (loading == 0.4 || loading == 1e-3) {
                matrix rows = stacked(h, 0);
                for (int k = 0; k < users; k++)
                    if (rows.row(k).norm() > 0)
                        rows.row(k).normalize();
                const matrix expected = normalized_columns(
                    rows.adjoint() *
                    (rows * rows.adjoint() + loading * matrix::Identity(users, users))
                        .inverse());
                EXPECT_LT((w.transpose().cast<std::complex<double>>() - expected).norm(),
                          1e-5);
            } else {
                EXPECT_LT(
                    (w - precode(h, loading ? "maximum-ratio" : "zero-forcing")).norm(),
                    1e-5);
            }
        }
    }
}

TEST(precoder, maximum_ratio_receives_the_norm)
{
    const auto h = random_channels(3, 1, 8, 5);
    const users_rows w = precode(h, "maximum-ratio");
    for (int k = 0; k < 3; k++)
        EXPECT_NEAR(
            std::abs((h[k] * w.row(k).transpose())(0) / h[k].norm() - 1.0f), 0, 1e-6);
}

TEST(precoder, users_without_csi_and_users_alike)
{
    for (const char* type : { "zero-forcing", "maximum-ratio" }) {
        auto h = random_channels(4, 1, 8, 6);
        h[1].setZero();
        const users_rows w = precode(h, type);
        EXPECT_EQ(w.row(1).norm(), 0);
        // The others as if it were not there.
        const std::vector<users_rows> rest{ h[0], h[2], h[3] };
        const users_rows expected = precode(rest, type);
        EXPECT_LT((w.row(0) - expected.row(0)).norm(), 1e-6);
        EXPECT_LT((w.row(3) - expected.row(2)).norm(), 1e-6);
    }
    // Two with the same row, but for a factor, share a vector that the third does not
    // hear.
    auto h = random_channels(3, 1, 8, 7);
    h[1] = h[0] * cf(0, 3);
    const users_rows w = precode(h, "zero-forcing");
    EXPECT_NEAR(std::abs(w.row(0).dot(w.row(1))), 1, 1e-5);
    EXPECT_LT(std::abs((h[2] * w.row(0).transpose())(0)) / h[2].norm(), 1e-5);
    EXPECT_GT(std::abs((h[0] * w.row(0).transpose())(0)) / h[0].norm(), 0.1);
    EXPECT_TRUE(w.allFinite());
    // Nobody has CSI.
    for (users_rows& one : h)
        one.setZero();
    EXPECT_EQ(precode(h, "zero-forcing").norm(), 0);
}

TEST(precoder, bad_parameters_are_named)
{
    const auto error = [](int users, int nt, const char* type) -> std::string {
        try {
            precoder::make(users, nt, type);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "no exception";
    };
    EXPECT_EQ(error(0, 2, "zero-forcing"), "precoder: users is 0, allowed is 1 to 64");
    EXPECT_EQ(error(65, 2, "zero-forcing"), "precoder: users is 65, allowed is 1 to 64");
    EXPECT_EQ(error(2, 0, "zero-forcing"), "precoder: nt is 0, allowed is 1 to 1024");
    EXPECT_EQ(
        error(2, 2, "zf"),
        "precoder: type is zf, allowed is zero-forcing, regularized-zero-forcing or "
        "maximum-ratio");
    try {
        precoder::make(2, 2, "regularized-zero-forcing", -1);
        ADD_FAILURE();
    } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), "precoder: loading is -1, allowed is 0 to 1e+12");
    }
}

double efficiency(const std::vector<users_rows>& h,
                  const std::vector<users_rows>& h_hat,
                  double snr_db,
                  bool zero_forcing = true,
                  bool normalize = true)
{
    double se = -1;
    EXPECT_TRUE(spectral_efficiency::make(h.size(),
                                          h[0].rows(),
                                          h[0].cols(),
                                          { snr_db },
                                          zero_forcing ? "zero-forcing" : "maximum-ratio",
                                          normalize)
                    ->compute(pointers(h).data(), pointers(h_hat).data(), &se));
    return se;
}

TEST(efficiency, one_user_with_perfect_csi)
{
    const users_rows h = random_channel(12, 8, 1, 1e-3f);
    const double scale = h.size() / h.cast<std::complex<double>>().squaredNorm();
    for (const double snr_db : { -20.0, 0.0, 15.0, 60.0 })
        for (const bool zero_forcing : { false, true }) {
            double expected = 0, plain = 0;
            for (int c = 0; c < 12; c++) {
                const double norm = h.row(c).cast<std::complex<double>>().squaredNorm(),
                             snr = std::pow(10, snr_db / 10);
                expected += std::log2(1 + snr * scale * norm) / 12;
                plain += std::log2(1 + snr * norm) / 12;
            }
            EXPECT_NEAR(efficiency({ h }, { h }, snr_db, zero_forcing), expected, 1e-5);
            EXPECT_NEAR(
                efficiency({ h }, { h }, snr_db, zero_forcing, false), plain, 1e-5);
        }
}

TEST(efficiency, orthogonal_users_share_the_power)
{
    // Rows of a DFT: both precoders find them, and each user has a third of the power.
    const int users = 3, nt = 8;
    std::vector<users_rows> h;
    for (int k = 0; k < users; k++)
        h.push_back(users_rows::NullaryExpr(4, nt, [&](Eigen::Index c, Eigen::Index n) {
            return std::polar(1.0f, float(2 * M_PI * n * k / nt + 0.3 * c));
        }));
    for (const bool zero_forcing : { false, true })
        for (const double snr_db : { 0.0, 20.0 })
            EXPECT_NEAR(efficiency(h, h, snr_db, zero_forcing),
                        users * std::log2(1 + std::pow(10, snr_db / 10) / users * nt),
                        1e-5);
}

// Users with several antennas: the streams' SINR by inverses, with the conjugate precoders of
// layers as rows (nr of each subcarrier, zero where there is none).
double oracle_layers(const std::vector<users_rows>& h,
                     const std::vector<users_rows>& reports,
                     int nr,
                     double snr_db,
                     const std::string& precoding)
{
    const int users = h.size(), nc = h[0].rows() / nr, nt = h[0].cols();
    const double snr = std::pow(10, snr_db / 10);
    double sum = 0;
    for (int c = 0; c < nc; c++) {
        std::vector<int> owner;
        matrix a(users * nr, nt);
        for (int k = 0; k < users; k++)
            for (int l = 0; l < nr; l++) {
                const auto row =
                    reports[k].row(c * nr + l).cast<std::complex<double>>().eval();
                if (row.norm() == 0)
                    continue;
                a.row(owner.size()) = row.normalized();
                owner.push_back(k);
            }
        const int streams = owner.size();
        if (!streams)
            continue;
        a.conservativeResize(streams, nt);
        matrix w = a.adjoint();
        if (precoding == "zero-forcing")
            w *= (a * a.adjoint()).inverse();
        if (precoding == "regularized-zero-forcing")
            w *= (a * a.adjoint() +
                  streams / (snr * nt) * matrix::Identity(streams, streams))
                     .inverse();
        w = normalized_columns(w);
        for (int i = 0; i < streams; i++) {
            const users_rows& all = h[owner[i]];
            const double scale = snr / streams * all.size() /
                                 all.cast<std::complex<double>>().squaredNorm();
            const matrix f = all.middleRows(c * nr, nr).cast<std::complex<double>>() * w;
            matrix noise = matrix::Identity(nr, nr);
            for (int j = 0; j < streams; j++)
                if (j != i)
                    noise += scale * f.col(j) * f.col(j).adjoint();
            const double sinr =
                scale * (f.col(i).adjoint() * noise.inverse() * f.col(i))(0).real();
            sum += std::log2(1 + sinr);
        }
    }
    return sum / nc;
}

TEST(efficiency, users_with_several_antennas)
{
    for (const auto& [users, nc, nr, nt] : { std::tuple{ 1, 4, 2, 4 },
                                             { 2, 3, 4, 16 },
                                             { 3, 5, 2, 8 },
                                             { 2, 3, 8, 16 },
                                             { 1, 3, 3, 2 } })
        for (const std::string precoding :
             { "zero-forcing", "regularized-zero-forcing", "maximum-ratio" }) {
            const auto h = random_channels(users, nc * nr, nt, 31 * users + nr);
            std::vector<users_rows> reports, perfect;
            for (int k = 0; k < users; k++) {
                // User k reports k + 1 layers, as far as there are so many.
                const int rank = std::min({ k + 1, nr, nt / users });
                reports.push_back(users_rows::Zero(nc * nr, nt));
                perfect.push_back(users_rows::Zero(nc * nr, nt));
                for (int c = 0; c < nc; c++) {
                    reports[k].middleRows(c * nr, rank) =
                        random_channel(rank, nt, 500 + 10 * k + c, 7);
                    const Eigen::JacobiSVD<matrix> svd(
                        h[k].middleRows(c * nr, nr).cast<std::complex<double>>(),
                        Eigen::ComputeThinV);
                    perfect[k].middleRows(c * nr, rank) =
                        svd.matrixV().leftCols(rank).adjoint().cast<cf>();
                }
            }
            const std::vector<double> snrs{ -10, 10, 40 };
            const auto se =
                spectral_efficiency::make(users, nc, nt, snrs, precoding, true, nr);
            EXPECT_EQ(se->nr(), nr);
            std::vector<double> found(3), best(3);
            ASSERT_TRUE(
                se->compute(pointers(h).data(), pointers(reports).data(), found.data()));
            ASSERT_TRUE(se->compute_perfect(
                pointers(h).data(), pointers(reports).data(), best.data()));
            for (int i = 0; i < 3; i++) {
                const double expected = oracle_layers(h, reports, nr, snrs[i], precoding),
                             most = oracle_layers(h, perfect, nr, snrs[i], precoding);
                EXPECT_NEAR(found[i], expected, 2e-4 * std::max(expected, 1.0));
                EXPECT_NEAR(best[i], most, 2e-4 * std::max(most, 1.0));
            }
        }
}

TEST(efficiency, a_user_alone_with_eigenvectors_has_the_capacity_of_equal_power)
{
    // Singular vectors part the layers, so MMSE receivers lose nothing: log2 det.
    const int nc = 4, nr = 3, nt = 8;
    const std::vector<users_rows> h = random_channels(1, nc * nr, nt, 77);
    std::vector<users_rows> all{ users_rows::Ones(nc * nr, nt) };
    const auto se =
        spectral_efficiency::make(1, nc, nt, { 15 }, "zero-forcing", true, nr);
    double found;
    ASSERT_TRUE(se->compute_perfect(pointers(h).data(), pointers(all).data(), &found));
    double expected = 0;
    for (int c = 0; c < nc; c++) {
        const matrix one = h[0].middleRows(c * nr, nr).cast<std::complex<double>>();
        const double snr = std::pow(10, 1.5) * h[0].size() /
                           h[0].cast<std::complex<double>>().squaredNorm();
        expected += std::log2((matrix::Identity(nr, nr) + snr / nr * one * one.adjoint())
                                  .determinant()
                                  .real()) /
                    nc;
    }
    EXPECT_NEAR(found, expected, 1e-3);
}

TEST(efficiency, of_one_antenna_perfect_csi_is_h)
{
    const auto h = random_channels(3, 4, 8, 40), h_hat = random_channels(3, 4, 8, 50);
    const auto se = spectral_efficiency::make(3, 4, 8, { 10 });
    double one, other;
    ASSERT_TRUE(se->compute(pointers(h).data(), pointers(h).data(), &one));
    ASSERT_TRUE(se->compute_perfect(pointers(h).data(), pointers(h_hat).data(), &other));
    EXPECT_EQ(one, other);
}

TEST(efficiency, several_antennas_edges)
{
    const auto h = random_channels(2, 6, 4, 60);
    const auto se = spectral_efficiency::make(
        2, 3, 4, { 0, 20 }, "regularized-zero-forcing", true, 2);
    std::vector<users_rows> none(2, users_rows::Zero(6, 4));
    double found[2] = { -1, -1 };
    // Nobody reported a layer.
    ASSERT_TRUE(se->compute(pointers(h).data(), pointers(none).data(), found));
    EXPECT_EQ(found[0], 0);
    EXPECT_EQ(found[1], 0);
    ASSERT_TRUE(se->compute_perfect(pointers(h).data(), pointers(none).data(), found));
    EXPECT_EQ(found[0], 0);
    none[1](3, 2) = nan;
    EXPECT_FALSE(se->compute(pointers(h).data(), pointers(none).data(), found));
    EXPECT_FALSE(se->compute_perfect(pointers(h).data(), pointers(none).data(), found));
    for (const auto& [users, nr, text] :
         { std::tuple{ 2, 0, "spectral_efficiency: nr is 0, allowed is 1 to 8" },
           { 2, 9, "spectral_efficiency: nr is 9, allowed is 1 to 8" },
           { 17, 4, "spectral_efficiency: users times nr is 68, allowed is 1 to 64" } })
        try {
            spectral_efficiency::make(users, 2, 4, { 0 }, "zero-forcing", true, nr);
            ADD_FAILURE();
        } catch (const std::invalid_argument& e) {
            EXPECT_STREQ(e.what(), text);
        }
}

TEST(efficiency, equals_the_formula)
{
    for (const auto& [users, nc, nt] :
         { std::tuple{ 1, 5, 3 }, { 2, 7, 4 }, { 5, 6, 16 }, { 6, 3, 4 } }) {
        const auto h = random_channels(users, nc, nt, 20 * users);
        auto h_hat = h;
        for (int k = 0; k < users; k++)
            h_hat[k] += random_channel(nc, nt, 100 + k, 0.3f * std::pow(3.0f, k - 1));
        for (const double snr_db : { -10.0, 10.0, 30.0 })
            for (const bool zero_forcing : { false, true })
                for (const bool normalize : { false, true }) {
                    const double expected =
                        oracle_efficiency(h, h_hat, snr_db, zero_forcing, normalize);
                    EXPECT_NEAR(efficiency(h, h_hat, snr_db, zero_forcing, normalize),
                                expected,
                                1e-4 * expected)
                        << users << " users at " << snr_db << " dB";
                }
        // The scale of what the BS knows does not count, nor a phase of each row.
        auto scaled = h_hat;
        for (int k = 0; k < users; k++)
            scaled[k] *= std::polar(float(std::pow(10.0f, k)), 0.7f * k);
        EXPECT_NEAR(efficiency(h, scaled, 20), efficiency(h, h_hat, 20), 1e-4);
    }
}

TEST(efficiency, users_that_are_not_served)
{
    const auto h = random_channels(3, 4, 8, 8);
    auto h_hat = h;
    h_hat[1].setZero();
    // The power of the user without CSI is not used; the others receive theirs alone.
    const double expected = oracle_efficiency(h, h_hat, 10, true, true);
    EXPECT_NEAR(efficiency(h, h_hat, 10), expected, 1e-4 * expected);
    for (users_rows& one : h_hat)
        one.setZero();
    EXPECT_EQ(efficiency(h, h_hat, 10), 0);
}

TEST(efficiency, several_snrs_at_once)
{
    const auto h = random_channels(3, 4, 8, 9);
    const std::vector<double> snr{ 0, 30, 10 };
    const auto object = spectral_efficiency::make(3, 4, 8, snr);
    EXPECT_EQ(object->snr_db(), snr);
    EXPECT_EQ(object->users(), 3);
    EXPECT_EQ(object->nc(), 4);
    EXPECT_EQ(object->nt(), 8);
    std::vector<double> se(3);
    ASSERT_TRUE(object->compute(pointers(h).data(), pointers(h).data(), se.data()));
    for (size_t i = 0; i < snr.size(); i++)
        EXPECT_DOUBLE_EQ(se[i], efficiency(h, h, snr[i]));
}

TEST(efficiency, matrices_that_say_nothing)
{
    const auto good = random_channels(2, 3, 4, 11);
    const auto object = spectral_efficiency::make(2, 3, 4, { 10 }),
               plain = spectral_efficiency::make(2, 3, 4, { 10 }, "zero-forcing", false);
    double se = 0;
    for (const float bad : { nan, infinity, 3e38f })
        for (int at = 0; at < 12; at++) {
            auto h = good;
            h[1].data()[at] = { 1, bad };
            EXPECT_FALSE(object->compute(pointers(h).data(), pointers(good).data(), &se));
            EXPECT_FALSE(object->compute(pointers(good).data(), pointers(h).data(), &se));
        }
    auto h = good;
    h[0].setZero();
    EXPECT_FALSE(object->compute(pointers(h).data(), pointers(good).data(), &se));
    // As it is: that user receives nothing, whatever the BS sends.
    EXPECT_TRUE(plain->compute(pointers(h).data(), pointers(good).data(), &se));
    EXPECT_NEAR(se, oracle_efficiency(h, good, 10, true, false), 1e-4);
}

TEST(efficiency, bad_parameters_are_named)
{
    const auto error =
        [](int users, int nc, int nt, std::vector<double> snr) -> std::string {
        try {
            spectral_efficiency::make(users, nc, nt, snr);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "no exception";
    };
    EXPECT_NE(error(0, 2, 2, { 0 }).find("users is 0, allowed is 1 to 64"),
              std::string::npos);
    EXPECT_NE(error(1, 0, 2, { 0 }).find("nc is 0"), std::string::npos);
    EXPECT_NE(error(1, 2, 1025, { 0 }).find("nt is 1025"), std::string::npos);
    EXPECT_NE(error(1, 2, 2, {}).find("number of SNRs is 0"), std::string::npos);
    EXPECT_NE(error(1, 2, 2, { 0, nan }).find("snr_db is nan"), std::string::npos);
    EXPECT_NE(error(1, 2, 2, { 101 }).find("snr_db is 101"), std::string::npos);
}

} // namespace
