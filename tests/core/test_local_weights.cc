/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Local weights against their equation in double precision.

#include "codec/mlcf/local_weights.h"
#include "random.h"
#include <Eigen/Dense>
#include <gtest/gtest.h>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace gr::csifeedback;

namespace {

using matrix = Eigen::MatrixXd;
using vector = Eigen::VectorXd;

matrix random_matrix(int rows, int cols, uint64_t seed)
{
    random_engine engine = make_engine(seed, 0);
    boost::random::normal_distribution<double> normal;
    return matrix::NullaryExpr(
        rows, cols, [&](Eigen::Index, Eigen::Index) { return normal(engine); });
}

// Rounded to float, so that oracle and code see the same numbers.
matrix rounded(const matrix& x) { return x.cast<float>().cast<double>(); }

std::vector<float> row_major(const matrix& x)
{
    std::vector<float> values;
    for (Eigen::Index r = 0; r < x.rows(); r++)
        for (Eigen::Index c = 0; c < x.cols(); c++)
            values.push_back(x(r, c));
    return values;
}

// Points near a curved surface of few dimensions, as channels are: columns of sines and
// cosines of `angles` random angles.
matrix surface(int dim, int points, int angles, uint64_t seed)
{
    const matrix mix = random_matrix(dim, 2 * angles, 99);
    const matrix angle = random_matrix(angles, points, seed);
    matrix features(2 * angles, points);
    features << angle.array().sin().matrix(), angle.array().cos().matrix();
    return rounded(mix * features / std::sqrt(double(angles)));
}

struct solution {
    std::vector<int> index;
    vector weight;
    double value, residual;
    matrix a;
};

vector distances(const matrix& landmarks, const vector& x)
{
    return (landmarks.colwise() - x).colwise().squaredNorm();
}

std::vector<int> nearest(const matrix& landmarks, const vector& x, int k)
{
    const vector d = distances(landmarks, x);
    std::vector<int> order(d.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(
        order.begin(), order.end(), [&](int i, int j) { return d[i] < d[j]; });
    order.resize(k);
    return order;
}

// The equation of local_weights.h, literally, for landmarks in columns.
solution oracle(const matrix& landmarks,
                const vector& x,
                const std::vector<int>& index,
                double lambda,
                const vector& extra)
{
    const int k = index.size();
    solution s;
    s.index = index;
    matrix n(x.size(), k);
    vector g(k);
    for (int i = 0; i < k; i++) {
        n.col(i) = x - landmarks.col(index[i]);
        g[i] = extra.size() ? extra[index[i]] : 0;
    }
    const matrix r = n.transpose() * n;
    s.a = r;
    s.a.diagonal() += lambda * r.diagonal() + g;
    s.a.diagonal().array() += 1e-6 * r.trace() / k;
    const vector solved = s.a.ldlt().solve(vector::Ones(k));
    s.weight = solved / solved.sum();
    s.value = s.weight.dot(s.a * s.weight);
    s.residual = (n * s.weight).squaredNorm();
    return s;
}

struct result {
    std::vector<int32_t> index;
    std::vector<float> weight, value, residual;
};

result solve(local_weights& w, const matrix& x, const std::vector<float>& extra = {})
{
    const int columns = x.cols(), k = w.neighbours();
    result r;
    r.index.resize(columns * k);
    r.weight.resize(columns * k);
    r.value.resize(columns);
    r.residual.resize(columns);
    w.solve(row_major(x).data(),
            columns,
            extra.empty() ? nullptr : extra.data(),
            r.index.data(),
            r.weight.data(),
            r.value.data(),
            r.residual.data());
    return r;
}

std::vector<int> indices(const result& r, int column, int k)
{
    return { r.index.begin() + column * k, r.index.begin() + (column + 1) * k };
}

vector weights(const result& r, int column, int k)
{
    return Eigen::Map<const Eigen::VectorXf>(r.weight.data() + column * k, k)
        .cast<double>();
}

struct worst {
    double excess = 0, weight = 0, value = 0, residual = 0;
};

// The largest deviations from the oracle over all columns of x.
worst compare(const matrix& landmarks,
              const matrix& x,
              int k,
              float lambda,
              const std::vector<float>& extra = {})
{
    local_weights w(row_major(landmarks.transpose()).data(),
                    landmarks.cols(),
                    landmarks.rows(),
                    k,
                    lambda);
    const result r = solve(w, x, extra);
    const vector g =
        extra.empty()
            ? vector()
            : vector(Eigen::Map<const Eigen::VectorXf>(extra.data(), extra.size())
                         .cast<double>());
    worst most;
    for (int c = 0; c < x.cols(); c++) {
        const vector d = distances(landmarks, x.col(c));
        const std::vector<int> index = indices(r, c, k);
        const std::vector<int> expected = nearest(landmarks, x.col(c), k);
        std::vector<bool> seen(landmarks.cols());
        for (int i = 0; i < k; i++) {
            EXPECT_FALSE(seen[index[i]]) << "column " << c << " place " << i;
            seen[index[i]] = true;
            // Distances that rounding cannot tell apart may change places.
            EXPECT_NEAR(d[index[i]], d[expected[i]], 1e-6 * d[expected[i]])
                << "column " << c << " place " << i;
        }
        const solution s = oracle(landmarks, x.col(c), index, lambda, g);
        const vector got = weights(r, c, k);
        EXPECT_NEAR(got.sum(), 1, 1e-5) << "column " << c;
        most.excess = std::max(most.excess, got.dot(s.a * got) / s.value - 1);
        most.weight = std::max(most.weight, (got - s.weight).norm() / s.weight.norm());
        most.value = std::max(most.value, std::abs(r.value[c] / s.value - 1));
        // The residual is small against the objective where weights are not determined.
        most.residual =
            std::max(most.residual, std::abs(r.residual[c] - s.residual) / s.value);
    }
    return most;
}

TEST(local_weights, agree_with_the_equation)
{
    const matrix landmarks = surface(96, 400, 3, 1);
    for (const int columns : { 1, 15, 16, 17, 32 })
        for (const float lambda : { 1e-3f, 5e-2f }) {
            const worst most = compare(landmarks, surface(96, columns, 3, 2), 50, lambda);
            EXPECT_LT(most.excess, 1e-5) << columns << " columns, lambda " << lambda;
            EXPECT_LT(most.weight, 2e-3) << columns << " columns, lambda " << lambda;
            EXPECT_LT(most.value, 5e-5) << columns << " columns, lambda " << lambda;
            EXPECT_LT(most.residual, 5e-5) << columns << " columns, lambda " << lambda;
        }
}

TEST(local_weights, any_number_of_neighbours)
{
    for (const int k : { 1, 2, 3, 4, 5, 6, 17, 95, 96 }) {
        const worst most =
            compare(surface(24, 96, 3, 1), surface(24, 33, 3, 2), k, 1e-3f);
        EXPECT_LT(most.excess, 2e-5) << "k " << k;
        EXPECT_LT(most.weight, 4e-3) << "k " << k;
        EXPECT_LT(most.value, 5e-5) << "k " << k;
    }
}

TEST(local_weights, any_dimension)
{
    for (const int dim : { 1, 2, 6, 16, 17, 31, 33, 128, 600 }) {
        const worst most =
            compare(surface(dim, 120, 2, 1), surface(dim, 20, 2, 2), 12, 1e-2f);
        EXPECT_LT(most.excess, 1e-5) << "dim " << dim;
        EXPECT_LT(most.weight, 2e-3) << "dim " << dim;
        EXPECT_LT(most.value, 1e-4) << "dim " << dim;
    }
}

// Landmarks that depend on each other, where only the least ridge is left.
TEST(local_weights, little_or_no_lambda)
{
    for (const float lambda : { 0.0f, 1e-6f, 1e-5f, 1e-4f }) {
        const worst most =
            compare(surface(96, 400, 3, 1), surface(96, 64, 3, 2), 50, lambda);
        EXPECT_LT(most.excess, 1e-3) << "lambda " << lambda;
        EXPECT_LT(most.weight, 2e-2) << "lambda " << lambda;
        EXPECT_LT(most.residual, 5e-5) << "lambda " << lambda;
    }
}

TEST(local_weights, extra_values)
{
    std::vector<float> extra(400);
    for (int i = 0; i < 400; i++)
        extra[i] = 1e-3f * ((i * 37) % 11);
    const worst most =
        compare(surface(96, 400, 3, 1), surface(96, 64, 3, 2), 50, 1e-3f, extra);
    EXPECT_LT(most.excess, 1e-5);
    EXPECT_LT(most.weight, 2e-3);
    EXPECT_LT(most.value, 1e-4);
}

TEST(local_weights, infinite_extra_takes_a_landmark_out)
{
    const matrix landmarks = surface(20, 60, 3, 1), x = surface(20, 5, 3, 2);
    const int k = 60;
    std::vector<float> extra(k, 0.0f);
    for (int i = 0; i < k; i += 3)
        extra[i] = std::numeric_limits<float>::infinity();
    matrix kept(20, 40);
    for (int i = 0, to = 0; i < k; i++)
        if (i % 3)
            kept.col(to++) = landmarks.col(i);
    local_weights w(row_major(landmarks.transpose()).data(), k, 20, k, 1e-2f);
    const result r = solve(w, x, extra);
    for (int c = 0; c < x.cols(); c++) {
        const vector got = weights(r, c, k);
        // The least ridge differs by that of the landmarks which are out.
        const solution s =
            oracle(kept, x.col(c), nearest(kept, x.col(c), 40), 1e-2, vector());
        vector expected = vector::Zero(landmarks.cols());
        for (int i = 0; i < 40; i++)
            expected[s.index[i] / 2 * 3 + s.index[i] % 2 + 1] = s.weight[i];
        for (int i = 0; i < k; i++)
            EXPECT_NEAR(got[i], expected[indices(r, c, k)[i]], 1e-3) << c << " " << i;
    }
}

TEST(local_weights, given_neighbours)
{
    const matrix landmarks = surface(96, 100, 3, 1), x = surface(96, 21, 3, 2);
    const int k = 30;
    local_weights w(row_major(landmarks.transpose()).data(), 100, 96, k, 1e-2f);
    std::vector<int32_t> index;
    for (int c = 0; c < x.cols(); c++)
        for (int i = 0; i < k; i++)
            index.push_back((c * 7 + i * 3) % 100);
    std::vector<float> weight(index.size()), value(x.cols());
    w.solve_given(row_major(x).data(),
                  x.cols(),
                  nullptr,
                  index.data(),
                  weight.data(),
                  value.data());
    for (int c = 0; c < x.cols(); c++) {
        const std::vector<int> of(index.begin() + c * k, index.begin() + (c + 1) * k);
        const solution s = oracle(landmarks, x.col(c), of, 1e-2, vector());
        for (int i = 0; i < k; i++)
            EXPECT_NEAR(weight[c * k + i], s.weight[i], 2e-3 * s.weight.norm());
        EXPECT_NEAR(value[c], s.value, 1e-4 * s.value);
    }
}

TEST(local_weights, other_landmarks)
{
    const matrix first = surface(40, 50, 3, 1), second = surface(40, 50, 3, 3),
                 x = surface(40, 20, 3, 2);
    local_weights changed(row_major(first.transpose()).data(), 50, 40, 10, 1e-3f),
        fresh(row_major(second.transpose()).data(), 50, 40, 10, 1e-3f);
    changed.set_landmarks(row_major(second.transpose()).data());
    const result a = solve(changed, x), b = solve(fresh, x);
    EXPECT_EQ(a.index, b.index);
    EXPECT_EQ(a.weight, b.weight);
}

TEST(local_weights, a_column_is_the_same_alone)
{
    const matrix landmarks = surface(40, 50, 3, 1), x = surface(40, 37, 3, 2);
    local_weights w(row_major(landmarks.transpose()).data(), 50, 40, 10, 1e-3f);
    const result all = solve(w, x);
    for (int c = 0; c < x.cols(); c++) {
        const result one = solve(w, x.col(c));
        EXPECT_EQ(indices(one, 0, 10), indices(all, c, 10));
        EXPECT_EQ(weights(one, 0, 10), weights(all, c, 10));
    }
}

// Equal landmarks are as far away as each other, take places by their numbers, and share
// the weight.
TEST(local_weights, equal_landmarks)
{
    matrix landmarks = surface(30, 40, 3, 1);
    for (int i = 0; i < 20; i++)
        landmarks.col(39 - i) = landmarks.col(i);
    const matrix x = surface(30, 20, 3, 2);
    const int k = 10;
    local_weights w(row_major(landmarks.transpose()).data(), 40, 30, k, 1e-3f);
    const result r = solve(w, x);
    for (int c = 0; c < x.cols(); c++)
        for (int i = 0; i < k; i += 2) {
            const std::vector<int> index = indices(r, c, k);
            EXPECT_LT(index[i], 20);
            EXPECT_EQ(index[i + 1], 39 - index[i]);
            EXPECT_NEAR(weights(r, c, k)[i], weights(r, c, k)[i + 1], 1e-3);
        }
    EXPECT_LT(compare(landmarks, x, k, 1e-3f).excess, 1e-4);
    // Any k of many that are equal.
    landmarks.colwise() = vector(landmarks.col(0));
    w.set_landmarks(row_major(landmarks.transpose()).data());
    const result same = solve(w, x);
    for (int c = 0; c < x.cols(); c++)
        for (int i = 0; i < k; i++) {
            EXPECT_EQ(same.index[c * k + i], i);
            EXPECT_NEAR(same.weight[c * k + i], 1.0 / k, 1e-4);
        }
}

TEST(local_weights, sample_equal_to_landmarks)
{
    matrix landmarks = surface(30, 40, 3, 1);
    const int k = 8;
    for (const float lambda : { 1e-3f, 1.0f }) {
        local_weights w(row_major(landmarks.transpose()).data(), 40, 30, k, lambda);
        const result r = solve(w, landmarks);
        for (int c = 0; c < 40; c++) {
            EXPECT_EQ(r.index[c * k], c);
            const solution s =
                oracle(landmarks, landmarks.col(c), indices(r, c, k), lambda, vector());
            EXPECT_NEAR(s.weight[0], 1, 1e-2);
            EXPECT_NEAR(r.weight[c * k], s.weight[0], 1e-3);
            EXPECT_LT(r.residual[c], 1e-6);
        }
    }
    // Without lambda it shares its weight with those that it depends on.
    // What is left then is the least ridge.
    local_weights exact(row_major(landmarks.transpose()).data(), 40, 30, k, 0);
    const result alone = solve(exact, landmarks);
    for (int c = 0; c < 40; c++) {
        const solution s =
            oracle(landmarks, landmarks.col(c), indices(alone, c, k), 0, vector());
        EXPECT_NEAR(alone.value[c], s.value, 1e-8 * s.a.trace()) << c;
    }
    // All neighbours equal to the sample: uniform.
    landmarks.leftCols(k).colwise() = vector(landmarks.col(0));
    local_weights w(row_major(landmarks.transpose()).data(), 40, 30, k, 1e-3f);
    const result r = solve(w, landmarks.col(0));
    for (int i = 0; i < k; i++) {
        EXPECT_EQ(r.index[i], i);
        EXPECT_EQ(r.weight[i], 1.0f / k);
    }
    EXPECT_LT(r.residual[0], 1e-9);
}

TEST(local_weights, any_scale)
{
    const matrix landmarks = surface(30, 40, 3, 1), x = surface(30, 16, 3, 2);
    const int k = 10;
    local_weights w(row_major(landmarks.transpose()).data(), 40, 30, k, 1e-3f);
    const result expected = solve(w, x);
    // Powers of two, so that only the exponents differ.
    for (const int power : { -40, -10, 10, 40 }) {
        const double scale = std::ldexp(1.0, power);
        const matrix scaled = scale * landmarks;
        w.set_landmarks(row_major(scaled.transpose()).data());
        const result r = solve(w, scale * x);
        EXPECT_EQ(r.index, expected.index) << power;
        for (size_t i = 0; i < r.weight.size(); i++)
            EXPECT_NEAR(r.weight[i], expected.weight[i], 1e-4) << power;
    }
    // Where distances overflow or vanish: finite, with sum one.
    for (const double scale : { 1e-38, 1e-25, 1e16, 1e25, 1e37 }) {
        const matrix scaled = scale * landmarks;
        w.set_landmarks(row_major(scaled.transpose()).data());
        const result r = solve(w, scale * x);
        for (int c = 0; c < x.cols(); c++)
            EXPECT_NEAR(weights(r, c, k).sum(), 1, 1e-5) << scale;
    }
}

TEST(local_weights, values_that_are_not_finite_do_no_harm)
{
    const matrix landmarks = surface(30, 40, 3, 1);
    matrix x = surface(30, 16, 3, 2);
    local_weights w(row_major(landmarks.transpose()).data(), 40, 30, 10, 1e-3f);
    const result expected = solve(w, x);
    x(3, 5) = std::numeric_limits<double>::quiet_NaN();
    x(4, 6) = -std::numeric_limits<double>::quiet_NaN();
    x(5, 7) = std::numeric_limits<double>::infinity();
    const result r = solve(w, x);
    for (int c = 0; c < 16; c++)
        for (const int i : indices(r, c, 10)) {
            EXPECT_GE(i, 0);
            EXPECT_LT(i, 40);
        }
    for (int c = 0; c < 5; c++)
        EXPECT_EQ(weights(r, c, 10), weights(expected, c, 10));
}

} // namespace
