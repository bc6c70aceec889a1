/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Figures of the layers of reports against their definitions, written with Eigen in double
// precision: determinants, inverses and singular vectors in place of Cholesky factors.

#include "metrics/layer_gram.h"
#include "metrics/layer_scores.h"
#include "metrics/unit_histogram.h"
#include "random.h"
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_real_distribution.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace gr::csifeedback;

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;
using matrix = Eigen::MatrixXcd;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

matrix random_matrix(int rows, int columns, uint64_t seed)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<float> normal;
    return matrix::NullaryExpr(rows, columns, [&](Eigen::Index, Eigen::Index) {
        const float re = normal(engine);
        return cd(re, normal(engine));
    });
}

double log2_det(const matrix& a) { return std::log2(a.determinant().real()); }

TEST(layer_gram, equals_determinant_and_inverse)
{
    for (int size = 1; size <= layer_gram::max_size; size++)
        for (const double scale : { 1e-6, 0.3, 1e4 }) {
            const matrix y = random_matrix(size, 5, 10 * size);
            layer_gram gram(size);
            for (int i = 0; i < 5; i++)
                gram.add(y.col(i).data(), scale);
            const matrix g = matrix::Identity(size, size) + scale * y * y.adjoint();
            const double expected = log2_det(g);
            EXPECT_NEAR(gram.factorize(), expected, 1e-9 * std::max(1.0, expected));
            const matrix inverse = g.inverse(), x = random_matrix(size, 1, size);
            for (int l = 0; l < size; l++)
                EXPECT_NEAR(gram.inverse_diagonal(l), inverse(l, l).real(), 1e-9);
            EXPECT_NEAR(gram.inverse_form(x.data()),
                        (x.adjoint() * inverse * x)(0).real(),
                        1e-9 * x.squaredNorm());
        }
}

TEST(layer_gram, nothing_added_is_the_identity)
{
    layer_gram gram(3);
    EXPECT_EQ(gram.factorize(), 0);
    for (int l = 0; l < 3; l++)
        EXPECT_EQ(gram.inverse_diagonal(l), 1);
    const cd y[] = { 1, cd(0, 2), 3 };
    EXPECT_DOUBLE_EQ(gram.inverse_form(y), 14);
}

TEST(unit_histogram, equals_sorted_values)
{
    random_engine engine = make_engine(1, 0);
    boost::random::uniform_real_distribution<double> uniform;
    unit_histogram histogram;
    EXPECT_TRUE(std::isnan(histogram.quantile(0.5)));
    std::vector<double> all;
    for (int i = 0; i < 10000; i++) {
        all.push_back(std::pow(uniform(engine), 3));
        histogram.add(all.back());
    }
    std::sort(all.begin(), all.end());
    for (const double part : { 0.01, 0.05, 0.5, 0.95 })
        EXPECT_NEAR(histogram.quantile(part), all[size_t(part * 10000)], 1e-3);
    histogram.reset();
    EXPECT_TRUE(std::isnan(histogram.quantile(0.5)));
    for (const double x : { -1e300, 0.0, 1.0, 1e300 })
        histogram.add(x);
    EXPECT_NEAR(histogram.quantile(0.25), 0, 1e-3);
    EXPECT_NEAR(histogram.quantile(1), 1, 1e-3);
}

// Rows of subband s by the definition, eight of them where there are more.
std::vector<int> rows_of(int nc, int subbands, int s, bool all_rows)
{
    std::vector<int> all, some;
    for (int k = 0; k < nc; k++)
        if (k * subbands / nc == s)
            all.push_back(k);
    if (all_rows)
        return all;
    for (int i = 0; i < 8; i++)
        some.push_back(all[(2 * i + 1) * all.size() / 16]);
    return some;
}

TEST(rows_of_subbands, all_or_eight_of_each)
{
    for (const auto& [nc, subbands] : { std::pair{ 13, 13 },
                                        { 52, 13 },
                                        { 103, 13 },
                                        { 104, 13 },
                                        { 1024, 13 },
                                        { 100, 1 },
                                        { 8, 1 },
                                        { 7, 3 } }) {
        std::vector<size_t> expected;
        for (int s = 0; s < subbands; s++)
            for (const int k : rows_of(nc, subbands, s, nc < 8 * subbands))
                expected.push_back(k);
        EXPECT_EQ(rows_of_subbands(nc, subbands), expected) << nc << ", " << subbands;
    }
}

// A UE's channel and what it reports, as the code takes them.
struct drop {
    int nc, nr, nt, subbands;
    std::vector<matrix> h; // of each subcarrier, nr x nt
    std::vector<matrix> w; // nt x layers

    static drop make(int nc, int nr, int nt, int subbands, int rank, uint64_t seed)
    {
        drop d{ nc, nr, nt, subbands, {}, {} };
        const matrix taps = random_matrix(3 * nr, nt, seed),
                     other = random_matrix(3 * nt, rank ? rank : 1, seed + 1);
        for (int k = 0; k < nc; k++) {
            matrix h = matrix::Zero(nr, nt), w = matrix::Zero(nt, rank);
            for (int p = 0; p < 3; p++) {
                const cd turn = std::polar(1.0, 0.7 * p * k * 13 / nc);
                h += turn * taps.middleRows(p * nr, nr);
                w += turn * other.middleRows(p * nt, nt).leftCols(rank);
            }
            // Near the best ones, so that layers are not all alike.
            const Eigen::JacobiSVD<matrix> svd(h, Eigen::ComputeThinV);
            w = 0.2 * w + svd.matrixV().leftCols(rank);
            // The code takes floats.
            d.h.push_back(h.cast<cf>().cast<cd>());
            d.w.push_back(w.cast<cf>().cast<cd>());
        }
        return d;
    }

    std::vector<cf> truth() const
    {
        std::vector<cf> x;
        for (const matrix& one : h)
            for (int a = 0; a < nr; a++)
                for (int n = 0; n < nt; n++)
                    x.push_back(cf(one(a, n)));
        return x;
    }
    std::vector<cf> report(float scale = 1) const
    {
        std::vector<cf> x(size_t(nc) * nr * nt);
        for (int k = 0; k < nc; k++)
            for (int l = 0; l < w[k].cols(); l++)
                for (int n = 0; n < nt; n++)
                    x[(size_t(k) * nr + l) * nt + n] = scale * std::conj(cf(w[k](n, l)));
        return x;
    }
    std::vector<std::vector<int>> rows() const
    {
        std::vector<std::vector<int>> all;
        const int parts = std::min(subbands, nc);
        for (int s = 0; s < parts; s++)
            all.push_back(rows_of(nc, parts, s, nc < 8 * parts));
        return all;
    }
    // Dominant right singular vectors of the rows of a subband.
    matrix eigenvectors(const std::vector<int>& of) const
    {
        matrix stacked(of.size() * nr, nt);
        for (size_t i = 0; i < of.size(); i++)
            stacked.middleRows(i * nr, nr) = h[of[i]];
        const Eigen::JacobiSVD<matrix> svd(stacked, Eigen::ComputeFullV);
        return svd.matrixV().leftCols(std::min(nr, nt));
    }
    // The power of the rows that count.
    double snr(double snr_db) const
    {
        double power = 0, count = 0;
        for (const auto& some : rows())
            for (const int k : some) {
                power += h[k].squaredNorm();
                count += h[k].size();
            }
        return std::pow(10, snr_db / 10) * count / power;
    }
    static double rate(const matrix& h, const matrix& w, double snr)
    {
        const matrix y = h * w;
        return log2_det(matrix::Identity(w.cols(), w.cols()) + snr * y.adjoint() * y);
    }
};

TEST(layer_scores, equal_the_definitions)
{
    uint64_t seed = 1;
    for (const auto& [nc, nr, nt, subbands] : { std::tuple{ 26, 1, 4, 13 },
                                                { 26, 2, 8, 13 },
                                                { 52, 4, 8, 13 },
                                                { 200, 3, 4, 5 },
                                                { 7, 2, 4, 13 },
                                                { 9, 4, 2, 3 },
                                                { 16, 8, 16, 4 } })
        for (int rank = 1; rank <= std::min(nr, nt); rank++)
            for (const double snr_db : { -5.0, 20.0 }) {
                const drop d = drop::make(nc, nr, nt, subbands, rank, seed += 2);
                const std::vector<cf> h = d.truth(), found = d.report(3e-3f);
                layer_scores scores(nc, nr, nt, subbands, snr_db);
                ASSERT_TRUE(scores.compute(h.data(), found.data()));
                EXPECT_EQ(scores.layers(), std::min(nr, nt));
                EXPECT_EQ(scores.rank(), rank);

                const auto rows = d.rows();
                const double snr = d.snr(snr_db);
                double efficiency = 0, count = 0;
                std::vector<double> perfect(scores.layers()), similarity(rank);
                for (const auto& some : rows) {
                    const matrix v = d.eigenvectors(some);
                    for (const int k : some) {
                        count++;
                        efficiency += drop::rate(d.h[k], d.w[k] / d.w[k].norm(), snr);
                        for (int r = 1; r <= scores.layers(); r++)
                            perfect[r - 1] += drop::rate(d.h[k], v.leftCols(r), snr / r);
                        for (int l = 0; l < rank; l++)
                            similarity[l] += std::norm(v.col(l).dot(d.w[k].col(l))) /
                                             d.w[k].col(l).squaredNorm() / some.size() /
                                             rows.size();
                    }
                }
                efficiency /= count;
                EXPECT_NEAR(scores.efficiency(), efficiency, 1e-5 * efficiency);
                const double best =
                    *std::max_element(perfect.begin(), perfect.end()) / count;
                EXPECT_NEAR(scores.perfect(), best, 1e-5 * best);
                for (int l = 0; l < rank; l++)
                    EXPECT_NEAR(scores.sgcs(l), similarity[l], 1e-4) << "layer " << l;
            }
}

TEST(layer_scores, perfect_report_of_one_subband)
{
    // A channel without frequency selectivity: eigenvectors with equal power are the report.
    drop d = drop::make(5, 2, 6, 1, 2, 99);
    for (int k = 0; k < d.nc; k++) {
        d.h[k] = d.h[0];
        d.w[k] = d.eigenvectors({ 0 });
    }
    layer_scores scores(5, 2, 6, 1, 30);
    ASSERT_TRUE(scores.compute(d.truth().data(), d.report().data()));
    EXPECT_NEAR(scores.sgcs(0), 1, 1e-5);
    EXPECT_NEAR(scores.sgcs(1), 1, 1e-5);
    EXPECT_NEAR(scores.efficiency(), scores.perfect(), 1e-4);
}

TEST(layer_scores, edges)
{
    const drop d = drop::make(12, 2, 4, 3, 1, 7);
    const std::vector<cf> h = d.truth(), found = d.report();
    layer_scores scores(12, 2, 4, 3, 10);
    // Nothing was reported.
    const std::vector<cf> zero(h.size());
    ASSERT_TRUE(scores.compute(h.data(), zero.data()));
    EXPECT_EQ(scores.rank(), 0);
    EXPECT_EQ(scores.efficiency(), 0);
    EXPECT_GT(scores.perfect(), 1);
    EXPECT_FALSE(scores.compute(zero.data(), found.data()));
    for (const float bad : { nan, infinity, -infinity })
        for (const size_t at : { size_t(0), size_t(37), h.size() - 5 }) {
            std::vector<cf> broken = h;
            broken[at] = bad;
            EXPECT_FALSE(scores.compute(broken.data(), found.data()));
            broken = found;
            broken[at] = { 0, bad };
            EXPECT_FALSE(scores.compute(h.data(), broken.data()));
        }
    // And nothing of that stays.
    layer_scores fresh(12, 2, 4, 3, 10);
    ASSERT_TRUE(scores.compute(h.data(), found.data()));
    ASSERT_TRUE(fresh.compute(h.data(), found.data()));
    EXPECT_EQ(scores.rank(), 1);
    EXPECT_EQ(scores.efficiency(), fresh.efficiency());
    EXPECT_EQ(scores.sgcs(0), fresh.sgcs(0));
}

TEST(subband_similarity, equals_singular_vectors)
{
    uint64_t seed = 1000;
    for (const auto& [nc, nt, subbands] :
         { std::tuple{ 26, 4, 13 }, { 200, 8, 5 }, { 7, 8, 13 }, { 16, 1, 4 } }) {
        const drop one = drop::make(nc, 1, nt, subbands, 0, seed += 2),
                   two = drop::make(nc, 1, nt, subbands, 0, seed += 2);
        drop mixed = one;
        for (int k = 0; k < nc; k++)
            mixed.h[k] = (one.h[k] + 0.4 * two.h[k]).cast<cf>().cast<cd>();
        double expected = 0;
        const auto rows = one.rows();
        for (const auto& some : rows)
            expected += std::norm(one.eigenvectors(some).col(0).dot(
                            mixed.eigenvectors(some).col(0))) /
                        rows.size();
        subband_similarity similarity(nc, nt, subbands);
        EXPECT_NEAR(
            similarity.compute(one.truth().data(), mixed.truth().data()), expected, 1e-4)
            << nc << ", " << nt;
    }
}

} // namespace
