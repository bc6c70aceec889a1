/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Algorithm 1 of MLCF against iterates that tests/oracles/mlcf_learner_oracle.py has made in
// double precision, and the embeddings against the equations that define them.

#include "random.h"
#include <gnuradio/csifeedback/mlcf_embedding.h>
#include <gnuradio/csifeedback/mlcf_learner.h>
#include <gnuradio/csifeedback/model_file.h>
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_real_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

using namespace gr::csifeedback;
using Eigen::MatrixXd;
using Eigen::VectorXd;

namespace {

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows that lie near a bent surface of 3 dimensions.
std::vector<float> surface(int n, int dim, uint64_t seed, double noise = 0.02)
{
    random_engine engine = make_engine(seed, 1);
    boost::random::normal_distribution<double> normal;
    boost::random::uniform_real_distribution<double> uniform(-1, 1);
    const MatrixXd mix = MatrixXd::NullaryExpr(dim, 6, [&] { return normal(engine); });
    std::vector<float> x(size_t(n) * dim);
    for (int i = 0; i < n; i++) {
        const double a = uniform(engine), b = uniform(engine), c = uniform(engine);
        VectorXd f(6);
        f << a, b, c, std::cos(3 * a), std::sin(2 * b) * c, a * b;
        for (int r = 0; r < dim; r++)
            x[size_t(i) * dim + r] = 0.5 * mix.row(r).dot(f) + noise * normal(engine);
    }
    return x;
}

// A plane that is rolled up, in 3 dimensions.
std::vector<float> roll(int n)
{
    random_engine engine = make_engine(3, 2);
    boost::random::uniform_real_distribution<double> uniform(0, 1);
    std::vector<float> x;
    for (int i = 0; i < n; i++) {
        const double t = 1.5 * M_PI * (1 + 2 * uniform(engine)), h = 21 * uniform(engine);
        for (const double v : { t * std::cos(t), h, t * std::sin(t) })
            x.push_back(v);
    }
    return x;
}

MatrixXd rows(const std::vector<float>& x, int dim)
{
    return Eigen::Map<const row_major>(x.data(), x.size() / dim, dim).cast<double>();
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b)
{
    EXPECT_EQ(a.size(), b.size());
    double result = 0;
    for (size_t i = 0; i < std::min(a.size(), b.size()); i++)
        result = std::max(result, std::abs(double(a[i]) - b[i]));
    return result;
}

// Eq. (16) from a learner's state, as it stands.
double objective(const std::vector<float>& x,
                 int dim,
                 const mlcf_learner::state& s,
                 int k,
                 double lambda,
                 double mu)
{
    const int n = x.size() / dim, count = s.landmarks.size() / dim;
    double sum = 0;
    std::vector<double> norm(count, 0.0);
    for (int i = 0; i < n; i++) {
        const VectorXd sample =
            Eigen::Map<const Eigen::VectorXf>(x.data() + size_t(i) * dim, dim)
                .cast<double>();
        VectorXd rest = sample;
        for (int p = 0; p < k; p++) {
            const int j = s.index[size_t(i) * k + p];
            const double w = s.weight[size_t(i) * k + p];
            const Eigen::Map<const VectorXd> d(s.landmarks.data() + size_t(j) * dim, dim);
            rest -= w * d;
            sum += lambda * w * w * (sample - d).squaredNorm();
            norm[j] += w * w;
        }
        sum += rest.squaredNorm();
    }
    for (const double square : norm)
        sum += mu * std::sqrt(square);
    return sum / n;
}

// || M v - value v || for each of the vectors, relative to the norm of M.
double eigen_error(const MatrixXd& m, const mlcf_embedding& e)
{
    const int d = e.values.size();
    const MatrixXd y = rows(e.y, d);
    double worst = 0;
    for (int c = 0; c < d; c++)
        worst = std::max(
            worst, (m * y.col(c) - e.values[c] * y.col(c)).norm() / y.col(c).norm());
    return worst / m.norm();
}

std::vector<int> neighbours_of(const MatrixXd& x, int i, int k)
{
    std::vector<std::pair<double, int>> order;
    for (int j = 0; j < x.rows(); j++)
        if (j != i)
            order.emplace_back((x.row(i) - x.row(j)).squaredNorm(), j);
    std::sort(order.begin(), order.end());
    std::vector<int> result;
    for (int p = 0; p < k; p++)
        result.push_back(order[p].second);
    return result;
}

MatrixXd lle_matrix(const MatrixXd& x, int k)
{
    const int n = x.rows();
    MatrixXd b = MatrixXd::Identity(n, n);
    for (int i = 0; i < n; i++) {
        const std::vector<int> near = neighbours_of(x, i, k);
        MatrixXd z(k, x.cols());
        for (int p = 0; p < k; p++)
            z.row(p) = x.row(near[p]) - x.row(i);
        MatrixXd c = z * z.transpose();
        c += 1e-3 * c.trace() * MatrixXd::Identity(k, k);
        VectorXd w = c.partialPivLu().solve(VectorXd::Ones(k));
        w /= w.sum();
        for (int p = 0; p < k; p++)
            b(i, near[p]) = -w[p];
    }
    return b.transpose() * b;
}

MatrixXd ltsa_matrix(const MatrixXd& x, int k, int d)
{
    const int n = x.rows();
    MatrixXd m = MatrixXd::Zero(n, n);
    for (int i = 0; i < n; i++) {
        const std::vector<int> near = neighbours_of(x, i, k);
        MatrixXd z(k, x.cols()), s = MatrixXd::Zero(n, k);
        for (int p = 0; p < k; p++) {
            z.row(p) = x.row(near[p]);
            s(near[p], p) = 1;
        }
        z.rowwise() -= z.colwise().mean().eval();
        const Eigen::JacobiSVD<MatrixXd> svd(z, Eigen::ComputeThinU);
        const MatrixXd u = svd.matrixU().leftCols(d);
        m += s *
             (MatrixXd::Identity(k, k) - MatrixXd::Constant(k, k, 1.0 / k) -
              u * u.transpose()) *
             s.transpose();
    }
    return m;
}

// The least eigenvalues but the first.
VectorXd least_values(const MatrixXd& m, int count)
{
    return Eigen::SelfAdjointEigenSolver<MatrixXd>(m, Eigen::EigenvaluesOnly)
        .eigenvalues()
        .segment(1, count);
}

void expect_standard(const mlcf_embedding& e, int d, bool unit)
{
    const MatrixXd y = rows(e.y, d);
    EXPECT_LT(y.colwise().mean().cwiseAbs().maxCoeff(), 1e-4);
    const MatrixXd covariance = y.transpose() * y / y.rows();
    for (int r = 0; r < d; r++) {
        const double variance = unit ? 1 : e.values[r];
        EXPECT_NEAR(covariance(r, r), variance, 1e-4 * variance);
        for (int c = 0; c < r; c++)
            EXPECT_LT(std::abs(covariance(r, c)),
                      1e-4 * std::sqrt(covariance(r, r) * covariance(c, c)));
        Eigen::Index at;
        y.col(r).cwiseAbs().maxCoeff(&at);
        EXPECT_GT(y(at, r), 0);
    }
}

} // namespace

TEST(MlcfLearner, IteratesAreThoseOfTheLiteralAlgorithm)
{
    const auto file =
        model_file::open(std::string(CSIFEEDBACK_TEST_DATA) + "/mlcf_learner.h5");
    for (const std::string name : { "plain", "wide", "no_norms", "heavy" }) {
        const auto read = [&](const char* array, std::vector<size_t> shape) {
            return file->read(name + "/" + array, shape);
        };
        const float_array x = read("samples", { 0, 0 }),
                          first = read("landmarks_0", { 0, 0 }),
                          index = read("index_0", { 0, 0 }),
                          weight = read("weight_0", { 0, 0 }),
                          values = read("objective", { 0 }),
                          last = read("landmarks", { 0, 0 }), y = read("y", { 0, 0 }),
                          images = read("images", { 0, 0 });
        const std::vector<float> p = read("parameters", { 3 }).data;
        const auto learner = mlcf_learner::make(
            x.data, x.shape[1], first.shape[0], p[0], p[1], p[2], 1, 1);
        learner->set_state({ 0,
                             { first.data.begin(), first.data.end() },
                             { index.data.begin(), index.data.end() },
                             weight.data });
        EXPECT_NEAR(learner->objective(), values.data[0], 1e-5 * values.data[0]) << name;
        for (size_t t = 1; t < values.data.size(); t++)
            EXPECT_NEAR(learner->iterate(), values.data[t], 1e-4 * values.data[t])
                << name << " " << t;
        EXPECT_LT(largest_difference(learner->landmarks(), last.data), 2e-3) << name;
        EXPECT_LT(largest_difference(learner->fit(y.data, y.shape[1]), images.data), 1e-2)
            << name;
    }
}

TEST(MlcfLearner, BeginsWithSamplesAndTheirWeights)
{
    const int dim = 5;
    const auto x = surface(80, dim, 4);
    const auto learner = mlcf_learner::make(x, dim, 20, 4, 1e-3f, 1e-3f, 1, 1);
    const auto s = learner->get_state();
    const MatrixXd samples = rows(x, dim);
    std::vector<int> taken;
    for (int j = 0; j < 20; j++) {
        const Eigen::Map<const VectorXd> d(s.landmarks.data() + j * dim, dim);
        for (int i = 0; i < 80; i++)
            if (samples.row(i).transpose() == d) {
                taken.push_back(i);
                // A sample that is a landmark has itself for a neighbour, and little
                // else.
                for (int p = 0; p < 4; p++)
                    EXPECT_NEAR(s.weight[i * 4 + p], s.index[i * 4 + p] == j, 1e-3);
            }
    }
    std::sort(taken.begin(), taken.end());
    EXPECT_EQ(taken.size(), 20u);
    EXPECT_EQ(std::unique(taken.begin(), taken.end()), taken.end());
    const auto other = mlcf_learner::make(x, dim, 20, 4, 1e-3f, 1e-3f, 2, 1);
    EXPECT_NE(other->get_state().landmarks, s.landmarks);
}

TEST(MlcfLearner, ObjectiveFallsAndIsEquation16)
{
    const int dim = 8;
    const struct {
        int k;
        float lambda, mu;
    } cases[] = { { 4, 1e-3f, 1e-3f }, { 20, 1e-3f, 1e-3f }, { 3, 0, 0 },
                  { 8, 0.05f, 0 },     { 6, 0, 0.1f },       { 12, 1, 1 } };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const auto x = surface(300, dim, seed);
        for (const auto& c : cases) {
            const auto learner =
                mlcf_learner::make(x, dim, 40, c.k, c.lambda, c.mu, seed, 1);
            double before = learner->objective();
            const double start = before;
            for (int t = 0; t < 40; t++) {
                const double now = learner->iterate();
                EXPECT_LE(now, before * (1 + 1e-9)) << seed << " " << c.k << " " << t;
                before = now;
            }
            EXPECT_LT(before, 0.9 * start);
            EXPECT_EQ(learner->iterations(), 40);
            const double literal =
                objective(x, dim, learner->get_state(), c.k, c.lambda, c.mu);
            EXPECT_NEAR(before, literal, 1e-9 * literal + 1e-12);
        }
    }
}

TEST(MlcfLearner, NumberOfThreadsChangesNothing)
{
    const int dim = 20;
    const auto x = surface(500, dim, 1);
    const auto one = mlcf_learner::make(x, dim, 60, 9, 1e-3f, 1e-3f, 1, 1),
               three = mlcf_learner::make(x, dim, 60, 9, 1e-3f, 1e-3f, 1, 3);
    for (int t = 0; t < 3; t++)
        EXPECT_EQ(one->iterate(), three->iterate());
    EXPECT_EQ(one->get_state().landmarks, three->get_state().landmarks);
    EXPECT_EQ(one->get_state().weight, three->get_state().weight);
    EXPECT_EQ(
        mlcf_transfer(one->landmarks(), dim, one->landmarks(), dim, x, 9, 1e-3f, 1),
        mlcf_transfer(one->landmarks(), dim, one->landmarks(), dim, x, 9, 1e-3f, 2));
}

TEST(MlcfLearner, GoesOnFromAState)
{
    const int dim = 6;
    const auto x = surface(200, dim, 1);
    const auto whole = mlcf_learner::make(x, dim, 30, 5, 1e-3f, 1e-3f, 1, 1),
               part = mlcf_learner::make(x, dim, 30, 5, 1e-3f, 1e-3f, 9, 2);
    for (int t = 0; t < 3; t++)
        whole->iterate();
    part->set_state(whole->get_state());
    EXPECT_EQ(part->iterations(), 3);
    EXPECT_EQ(part->objective(), whole->objective());
    EXPECT_EQ(part->iterate(), whole->iterate());
    EXPECT_EQ(part->get_state().landmarks, whole->get_state().landmarks);

    auto bad = whole->get_state();
    bad.index[0] = 30;
    EXPECT_THROW(part->set_state(bad), std::invalid_argument);
    bad = whole->get_state();
    bad.weight.pop_back();
    EXPECT_THROW(part->set_state(bad), std::invalid_argument);
    bad = whole->get_state();
    bad.landmarks[0] = std::numeric_limits<double>::infinity();
    EXPECT_THROW(part->set_state(bad), std::invalid_argument);
}

TEST(MlcfLearner, CoincidentSamples)
{
    const int dim = 4;
    auto x = surface(12, dim, 1);
    // 12 different samples, 10 times each: no sample twice among 12 landmarks.
    for (int copy = 0; copy < 9; copy++)
        x.insert(x.end(), x.begin(), x.begin() + 12 * dim);
    const auto exact = mlcf_learner::make(x, dim, 12, 3, 1e-3f, 0, 1, 1);
    EXPECT_LT(exact->objective(), 1e-6);
    // More landmarks than different samples, and all of them alike.
    for (const bool alike : { false, true }) {
        if (alike)
            for (size_t i = 0; i < x.size(); i++)
                x[i] = x[i % dim];
        const auto learner = mlcf_learner::make(x, dim, 20, 5, 1e-3f, 1e-3f, 1, 1);
        double before = learner->objective();
        for (int t = 0; t < 10; t++) {
            const double now = learner->iterate();
            EXPECT_TRUE(std::isfinite(now));
            EXPECT_LE(now, before + 1e-9);
            before = now;
        }
        for (const float v : learner->landmarks())
            EXPECT_TRUE(std::isfinite(v));
    }
}

TEST(MlcfLearner, LandmarksWithoutWeightsStayAndAreLeftOut)
{
    const int dim = 3, k = 3;
    const auto x = surface(100, dim, 2);
    const auto learner = mlcf_learner::make(x, dim, 12, k, 1e-3f, 1e-3f, 1, 1);
    auto s = learner->get_state();
    // Two landmarks far away from all samples, which lose what weights they had.
    for (const int j : { 4, 7 }) {
        for (int r = 0; r < dim; r++)
            s.landmarks[j * dim + r] = 1000 + j;
        for (size_t e = 0; e < s.index.size(); e++)
            if (s.index[e] == j)
                s.weight[e] = 0;
    }
    learner->set_state(s);
    EXPECT_EQ(learner->landmarks().size(), size_t(10 * dim));
    learner->iterate();
    const auto after = learner->get_state();
    for (const int j : { 4, 7 })
        for (int r = 0; r < dim; r++)
            EXPECT_EQ(after.landmarks[j * dim + r], 1000 + j);
    EXPECT_EQ(learner->landmarks().size(), size_t(10 * dim));
    // The images of the others are the least squares solution for the weights.
    const std::vector<float> images = learner->fit(x, dim);
    ASSERT_EQ(images.size(), size_t(10 * dim));
    MatrixXd w = MatrixXd::Zero(12, 100);
    for (int i = 0; i < 100; i++)
        for (int p = 0; p < k; p++)
            if (after.index[i * k + p] != 4 && after.index[i * k + p] != 7)
                w(after.index[i * k + p], i) += after.weight[i * k + p];
    const MatrixXd solution = w.transpose().colPivHouseholderQr().solve(rows(x, dim));
    const MatrixXd found = rows(images, dim);
    for (int j = 0, place = 0; j < 12; j++)
        if (j != 4 && j != 7) {
            EXPECT_LT((solution.row(j) - found.row(place)).norm(), 1e-3) << j;
            place++;
        }
}

TEST(MlcfLearner, ScaleOfTheSamples)
{
    const int dim = 5;
    const auto x = surface(150, dim, 1);
    auto scaled = x;
    for (float& v : scaled)
        v *= 8;
    // mu is absolute, and everything else relative.
    const auto a = mlcf_learner::make(x, dim, 20, 6, 1e-2f, 0.01f, 1, 1),
               b = mlcf_learner::make(scaled, dim, 20, 6, 1e-2f, 0.64f, 1, 1);
    for (int t = 0; t < 3; t++)
        EXPECT_NEAR(b->iterate() / a->iterate(), 64, 64 * 1e-4);
}

TEST(MlcfLearner, TransferIsLinearInTheImages)
{
    const int dim = 6;
    const auto x = surface(200, dim, 5);
    const auto learner = mlcf_learner::make(x, dim, 50, 8, 1e-4f, 1e-3f, 1, 1);
    for (int t = 0; t < 4; t++)
        learner->iterate();
    const std::vector<float> d = learner->landmarks();
    // An affine map of the landmarks is that of what they are put together to.
    const MatrixXd z = rows(mlcf_transfer(d, dim, d, dim, x, 8, 1e-4f, 1), dim);
    std::vector<float> images;
    for (size_t j = 0; j < d.size(); j += dim) {
        images.push_back(2 * d[j] - d[j + 1] + 3);
        images.push_back(d[j + 2]);
    }
    const MatrixXd got = rows(mlcf_transfer(d, dim, images, 2, x, 8, 1e-4f, 1), 2);
    EXPECT_LT((got.col(0) - (2 * z.col(0) - z.col(1)).array().operator+(3).matrix())
                  .cwiseAbs()
                  .maxCoeff(),
              1e-3);
    EXPECT_LT((got.col(1) - z.col(2)).cwiseAbs().maxCoeff(), 1e-4);
    EXPECT_LT((z - rows(x, dim)).norm(), 0.1 * rows(x, dim).norm());
}

TEST(MlcfLearner, BadParameters)
{
    const auto x = surface(20, 3, 1);
    const float inf = std::numeric_limits<float>::infinity();
    EXPECT_THROW(mlcf_learner::make(x, 7, 5, 2, 0, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make({}, 3, 5, 2, 0, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 21, 2, 0, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 5, 6, 0, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 5, 0, 0, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 5, 2, -1, 0, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 5, 2, 0, NAN, 1, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_learner::make(x, 3, 5, 2, 0, 0, 1, 257), std::invalid_argument);
    auto spoilt = x;
    spoilt[4] = inf;
    EXPECT_THROW(mlcf_learner::make(spoilt, 3, 5, 2, 0, 0, 1, 1), std::invalid_argument);
    const auto learner = mlcf_learner::make(x, 3, 5, 2, 0, 0, 1, 1);
    EXPECT_THROW(learner->fit(x, 2), std::invalid_argument);
    EXPECT_THROW(learner->fit(spoilt, 3), std::invalid_argument);
    EXPECT_THROW(mlcf_transfer(x, 3, x, 2, x, 2, 0, 1), std::invalid_argument);
    EXPECT_THROW(mlcf_transfer(x, 3, x, 3, x, 21, 0, 1), std::invalid_argument);
}

TEST(MlcfEmbedding, PcaIsTheSingularValueDecomposition)
{
    const int dim = 12, d = 5;
    const auto x = surface(200, dim, 1);
    MatrixXd centred = rows(x, dim);
    centred.rowwise() -= centred.colwise().mean().eval();
    const Eigen::JacobiSVD<MatrixXd> svd(centred, Eigen::ComputeThinU);
    const mlcf_embedding e = pca_embedding(x, dim, d);
    expect_standard(e, d, false);
    const MatrixXd y = rows(e.y, d);
    for (int c = 0; c < d; c++) {
        EXPECT_NEAR(e.values[c], std::pow(svd.singularValues()[c], 2) / 200, 1e-6);
        const VectorXd expected = svd.matrixU().col(c) * svd.singularValues()[c];
        EXPECT_NEAR(std::abs(expected.dot(y.col(c))), expected.squaredNorm(), 1e-4);
    }
    // Nested.
    const MatrixXd fewer = rows(pca_embedding(x, dim, 2).y, 2);
    EXPECT_LT((fewer - y.leftCols(2)).cwiseAbs().maxCoeff(), 1e-6);
    EXPECT_THROW(pca_embedding(x, dim, dim + 1), std::invalid_argument);
    // Samples in a plane have two dimensions.
    auto flat = x;
    for (size_t i = 0; i < flat.size(); i++)
        flat[i] = i % dim < 2 ? flat[i] : 1;
    EXPECT_NO_THROW(pca_embedding(flat, dim, 2));
    EXPECT_THROW(pca_embedding(flat, dim, 3), std::invalid_argument);
}

TEST(MlcfEmbedding, LleIsTheEigenproblem)
{
    for (const int k : { 6, 20 }) {
        for (const bool rolled : { true, false }) {
            const int dim = rolled ? 3 : 10, d = 4;
            const auto x = rolled ? roll(400) : surface(400, dim, 2);
            const MatrixXd m = lle_matrix(rows(x, dim), k);
            const mlcf_embedding e = lle_embedding(x, dim, d, k, 2);
            expect_standard(e, d, true);
            EXPECT_LT(eigen_error(m, e), 1e-7);
            const VectorXd values = least_values(m, d);
            for (int c = 0; c < d; c++)
                EXPECT_NEAR(e.values[c], values[c], 1e-4 * values[c] + 1e-12);
            const MatrixXd fewer = rows(lle_embedding(x, dim, 2, k, 1).y, 2);
            EXPECT_LT((fewer - rows(e.y, d).leftCols(2)).cwiseAbs().maxCoeff(), 1e-3);
        }
    }
}

TEST(MlcfEmbedding, LtsaIsTheEigenproblem)
{
    for (const bool rolled : { true, false }) {
        const int dim = rolled ? 3 : 10, d = 2, k = 12;
        const auto x = rolled ? roll(400) : surface(400, dim, 2);
        const MatrixXd m = ltsa_matrix(rows(x, dim), k, d);
        const mlcf_embedding e = ltsa_embedding(x, dim, d, k, 2);
        expect_standard(e, d, true);
        EXPECT_LT(eigen_error(m, e), 1e-7);
        const VectorXd values = least_values(m, d);
        for (int c = 0; c < d; c++)
            EXPECT_NEAR(e.values[c], values[c], 1e-4 * values[c] + 1e-12);
    }
}

TEST(MlcfEmbedding, LtsaUnrollsARoll)
{
    // Both coordinates of the plane are linear functions of the embedding.
    const int n = 1500;
    const auto x = roll(n);
    const MatrixXd y = rows(ltsa_embedding(x, 3, 2, 16, 2).y, 2);
    MatrixXd plane(n, 2), features(n, 3);
    for (int i = 0; i < n; i++) {
        const double t = std::hypot(x[3 * i], x[3 * i + 2]);
        // The length of the spiral.
        plane.row(i) << (t * std::sqrt(1 + t * t) + std::asinh(t)) / 2, x[3 * i + 1];
    }
    features << y, VectorXd::Ones(n);
    plane.rowwise() -= plane.colwise().mean().eval();
    const MatrixXd rest = plane - features * features.colPivHouseholderQr().solve(plane);
    for (int c = 0; c < 2; c++)
        EXPECT_LT(rest.col(c).norm(), 0.03 * plane.col(c).norm()) << c;
}

TEST(MlcfEmbedding, BadParametersAndAlikeSamples)
{
    const auto x = surface(30, 4, 1);
    EXPECT_THROW(lle_embedding(x, 4, 0, 5, 1), std::invalid_argument);
    EXPECT_THROW(lle_embedding(x, 4, 29, 5, 1), std::invalid_argument);
    EXPECT_THROW(lle_embedding(x, 4, 2, 30, 1), std::invalid_argument);
    EXPECT_THROW(lle_embedding(x, 7, 2, 5, 1), std::invalid_argument);
    EXPECT_THROW(ltsa_embedding(x, 4, 5, 5, 1), std::invalid_argument);
    EXPECT_THROW(ltsa_embedding(x, 4, 2, 5, 300), std::invalid_argument);
    // All samples alike: whatever comes, it is finite, or says what is wrong.
    const std::vector<float> alike(40 * 3, 1.0f);
    EXPECT_THROW(pca_embedding(alike, 3, 1), std::invalid_argument);
    for (const float v : lle_embedding(alike, 3, 2, 5, 1).y)
        EXPECT_TRUE(std::isfinite(v));
}
