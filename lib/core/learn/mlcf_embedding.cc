/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "parallel.h"
#include "random.h"
#include <gnuradio/csifeedback/mlcf_embedding.h>
#include <Eigen/Dense>
#include <boost/random/uniform_real_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// The n x n matrices take 8 GiB then.
constexpr int max_samples = 1 << 15;

// The samples as columns.
MatrixXd
columns_of(const char* where, const std::vector<float>& samples, int dim, int largest)
{
    check_range(where, "dim", dim, 1, 1 << 20);
    const size_t n = samples.size() / dim;
    if (samples.size() % dim || n < 3 || n > size_t(largest))
        throw_bad(where,
                  "the number of values",
                  samples.size(),
                  "3 to " + std::to_string(largest) + " samples of " +
                      std::to_string(dim));
    for (const float x : samples)
        if (!std::isfinite(x))
            throw_bad(where, "a sample", x, "finite");
    return Eigen::Map<const Eigen::MatrixXf>(samples.data(), dim, n).cast<double>();
}

// y: n x dimensions, with any signs.
mlcf_embedding finish(const MatrixXd& y, const VectorXd& values)
{
    mlcf_embedding result;
    result.values.assign(values.data(), values.data() + y.cols());
    result.y.resize(y.size());
    for (Eigen::Index c = 0; c < y.cols(); c++) {
        Eigen::Index largest;
        y.col(c).cwiseAbs().maxCoeff(&largest);
        const double sign = y(largest, c) < 0 ? -1 : 1;
        for (Eigen::Index i = 0; i < y.rows(); i++)
            result.y[i * y.cols() + c] = sign * y(i, c);
    }
    return result;
}

// The `count` nearest other samples of every sample, by (distance, number).
std::vector<int> nearest_neighbours(const MatrixXd& x, int count, int threads)
{
    const int n = x.cols(), block = 64;
    const VectorXd power = x.colwise().squaredNorm();
    std::vector<int> result(size_t(n) * count);
    for_each_parallel((n + block - 1) / block, threads, [&](size_t b, int) {
        const int begin = b * block, size = std::min(block, n - begin);
        const MatrixXd product = x.transpose() * x.middleCols(begin, size);
        std::vector<std::pair<double, int>> order(n);
        for (int s = 0; s < size; s++) {
            const int i = begin + s;
            for (int j = 0; j < n; j++)
                order[j] = { power[j] - 2 * product(j, s), j };
            order[i] = order.back();
            order.pop_back();
            std::nth_element(order.begin(), order.begin() + count - 1, order.end());
            std::sort(order.begin(), order.begin() + count);
            for (int p = 0; p < count; p++)
                result[size_t(i) * count + p] = order[p].second;
            order.resize(n);
        }
    });
    return result;
}

// A symmetric positive semidefinite matrix of which the constant vector is an eigenvector
// of eigenvalue 0; the lower triangle counts.
class alignment
{
public:
    explicit alignment(int n) : d_m(MatrixXd::Zero(n, n)) {}

    MatrixXd& matrix() { return d_m; }

    /*!
     * The eigenvectors of the least other eigenvalues, as columns, ascending, and these.
     *
     * Block Krylov iterations with the inverse, restarted; all in the same order whatever
     * the number of processors.
     */
    std::pair<MatrixXd, VectorXd> least(const char* where, int count)
    {
        const int n = d_m.rows();
        // The constant vector gets an eigenvalue among the large ones.
        const double mean = d_m.diagonal().mean();
        if (!(mean > 0))
            throw std::runtime_error(std::string(where) + ": all samples are alike");
        d_m.array() += mean / n;
        const VectorXd diagonal = d_m.diagonal();
        // The decomposition takes the lower triangle, and the upper one stays.
        d_m.triangularView<Eigen::StrictlyUpper>() = d_m.transpose();
        factorize(where, diagonal, mean);

        const int block = std::min(n, count + 8), blocks = std::min(4, n / block);
        random_engine engine = make_engine(0, 0);
        boost::random::uniform_real_distribution<double> uniform(-1, 1);
        MatrixXd start(n, block);
        for (double& v : start.reshaped())
            v = uniform(engine);
        for (int restart = 0; restart < 200; restart++) {
            MatrixXd q(n, block * blocks), image(n, block * blocks);
            MatrixXd next = start;
            for (int b = 0; b < blocks; b++) {
                const auto before = q.leftCols(b * block);
                for (int pass = 0; pass < 2; pass++) {
                    if (b)
                        next -= before * (before.transpose() * next).eval();
                    next = orthonormal(next);
                }
                q.middleCols(b * block, block) = next;
                next = solve(next);
                image.middleCols(b * block, block) = next;
            }
            const MatrixXd t = q.transpose() * image;
            const Eigen::SelfAdjointEigenSolver<MatrixXd> ritz(0.5 * (t + t.transpose()));
            // The largest eigenvalues of the inverse are the last ones.
            const MatrixXd turn =
                ritz.eigenvectors().rightCols(block).rowwise().reverse();
            const VectorXd inverse = ritz.eigenvalues().tail(block).reverse();
            start = q * turn;
            const MatrixXd v = start.leftCols(count);
            const VectorXd residual =
                (image * turn.leftCols(count) - v * inverse.head(count).asDiagonal())
                    .colwise()
                    .norm();
            // Rounding errors are those of the largest eigenvalue.
            const VectorXd allowed =
                (1e-9 * inverse.head(count)).array() + 1e-15 * inverse[0];
            if ((residual.array() <= allowed.array()).all())
                return { v, v.cwiseProduct(multiply(v, diagonal)).colwise().sum() };
        }
        throw std::runtime_error(std::string(where) +
                                 ": the eigenvectors did not converge");
    }

private:
    static MatrixXd orthonormal(const MatrixXd& x)
    {
        const Eigen::HouseholderQR<MatrixXd> qr(x);
        return qr.householderQ() * MatrixXd::Identity(x.rows(), x.cols());
    }

    void factorize(const char* where, const VectorXd& diagonal, double mean)
    {
        // Eigenvalues that are zero but for rounding errors can be negative. What is
        // added changes all eigenvalues alike and no eigenvector.
        for (double ridge = 1e-14; ridge < 1e-8; ridge *= 10) {
            d_m.triangularView<Eigen::StrictlyLower>() = d_m.transpose();
            d_m.diagonal() = diagonal.array() + ridge * mean;
            if (Eigen::LLT<Eigen::Ref<MatrixXd>>(d_m).info() == Eigen::Success)
                return;
        }
        throw std::runtime_error(std::string(where) + ": the matrix is not semidefinite");
    }

    MatrixXd solve(MatrixXd x) const
    {
        d_m.triangularView<Eigen::Lower>().solveInPlace(x);
        d_m.triangularView<Eigen::Lower>().transpose().solveInPlace(x);
        return x;
    }

    // The product with the matrix before its decomposition.
    MatrixXd multiply(const MatrixXd& x, const VectorXd& diagonal) const
    {
        MatrixXd y = diagonal.asDiagonal() * x;
        y += d_m.triangularView<Eigen::StrictlyUpper>() * x;
        y += d_m.triangularView<Eigen::StrictlyUpper>().transpose() * x;
        return y;
    }

    MatrixXd d_m;
};

// What the embeddings by neighbours have in common: accumulate(x, the neighbours, m).
template <typename function>
mlcf_embedding embed(const char* where,
                     const std::vector<float>& samples,
                     int dim,
                     int dimensions,
                     int neighbours,
                     int min_neighbours,
                     int threads,
                     function&& accumulate)
{
    const MatrixXd x = columns_of(where, samples, dim, max_samples);
    const int n = x.cols();
    check_range(where, "dimensions", dimensions, 1, n - 2);
    check_range(where, "neighbours", neighbours, min_neighbours, n - 1);
    threads = number_of_threads(where, threads);
    alignment m(n);
    accumulate(x, nearest_neighbours(x, neighbours, threads), m.matrix(), threads);
    const auto [vectors, values] = m.least(where, dimensions);
    return finish(vectors * std::sqrt(double(n)), values);
}

} // namespace

mlcf_embedding pca_embedding(const std::vector<float>& samples, int dim, int dimensions)
{
    const char* where = "pca_embedding";
    MatrixXd x = columns_of(where, samples, dim, 1 << 24);
    check_range(where, "dimensions", dimensions, 1, dim);
    const VectorXd mean = x.rowwise().mean();
    x.colwise() -= mean;
    const MatrixXd covariance = x * x.transpose() / x.cols();
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(covariance);
    const VectorXd values = solver.eigenvalues().reverse();
    const int rank =
        (values.array() > 1e-12 * (covariance.trace() + mean.squaredNorm())).count();
    if (rank < dimensions)
        throw_bad(where,
                  "dimensions",
                  dimensions,
                  "up to " + std::to_string(rank) + ", which the samples span");
    const MatrixXd u = solver.eigenvectors().rowwise().reverse().leftCols(dimensions);
    return finish(x.transpose() * u, values);
}

mlcf_embedding lle_embedding(const std::vector<float>& samples,
                             int dim,
                             int dimensions,
                             int neighbours,
                             int threads)
{
    return embed("lle_embedding",
                 samples,
                 dim,
                 dimensions,
                 neighbours,
                 1,
                 threads,
                 [&](const MatrixXd& x,
                     const std::vector<int>& nearest,
                     MatrixXd& m,
                     int workers) {
                     const int n = x.cols(), k = neighbours;
                     MatrixXd weights(k, n);
                     for_each_parallel(n, workers, [&](size_t i, int) {
                         MatrixXd differences(dim, k);
                         for (int p = 0; p < k; p++)
                             differences.col(p) = x.col(nearest[i * k + p]) - x.col(i);
                         MatrixXd gram = differences.transpose() * differences;
                         const double trace = gram.trace();
                         gram.diagonal().array() += 1e-3 * (trace > 0 ? trace : 1);
                         const VectorXd w = gram.llt().solve(VectorXd::Ones(k));
                         weights.col(i) = w / w.sum();
                     });
                     // Row i of I - W has 1 for the sample itself.
                     std::vector<int> index(k + 1);
                     VectorXd row(k + 1);
                     for (int i = 0; i < n; i++) {
                         index[0] = i;
                         row[0] = 1;
                         std::copy_n(
                             nearest.begin() + size_t(i) * k, k, index.begin() + 1);
                         row.tail(k) = -weights.col(i);
                         for (int p = 0; p <= k; p++)
                             for (int q = 0; q <= k; q++)
                                 if (index[q] >= index[p])
                                     m(index[q], index[p]) += row[q] * row[p];
                     }
                 });
}

mlcf_embedding ltsa_embedding(const std::vector<float>& samples,
                              int dim,
                              int dimensions,
                              int neighbours,
                              int threads)
{
    check_range(
        "ltsa_embedding", "dimensions", dimensions, 1, std::max(1, neighbours - 1));
    return embed("ltsa_embedding",
                 samples,
                 dim,
                 dimensions,
                 neighbours,
                 2,
                 threads,
                 [&](const MatrixXd& x,
                     const std::vector<int>& nearest,
                     MatrixXd& m,
                     int workers) {
                     const int n = x.cols(), k = neighbours, block = 256;
                     std::vector<MatrixXd> projections(block);
                     for (int begin = 0; begin < n; begin += block) {
                         const int size = std::min(block, n - begin);
                         for_each_parallel(size, workers, [&](size_t s, int) {
                             MatrixXd patch(dim, k);
                             for (int p = 0; p < k; p++)
                                 patch.col(p) = x.col(nearest[(begin + s) * k + p]);
                             patch.colwise() -= patch.rowwise().mean().eval();
                             const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(
                                 patch.transpose() * patch);
                             MatrixXd g(k, dimensions + 1);
                             g.col(0).setConstant(1 / std::sqrt(double(k)));
                             g.rightCols(dimensions) =
                                 solver.eigenvectors().rightCols(dimensions);
                             projections[s] =
                                 MatrixXd::Identity(k, k) - g * g.transpose();
                         });
                         for (int s = 0; s < size; s++) {
                             const int* index = nearest.data() + size_t(begin + s) * k;
                             for (int p = 0; p < k; p++)
                                 for (int q = 0; q < k; q++)
                                     if (index[q] >= index[p])
                                         m(index[q], index[p]) += projections[s](q, p);
                         }
                     }
                 });
}

} // namespace csifeedback
} // namespace gr
