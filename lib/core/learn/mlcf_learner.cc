/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/mlcf/local_map.h"
#include "codec/mlcf/local_weights.h"
#include "parallel.h"
#include "random.h"
#include <gnuradio/csifeedback/mlcf_learner.h>
#include <Eigen/Cholesky>
#include <boost/random/uniform_int_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <set>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using float_matrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Samples that are solved for at once, and values of a landmark that are updated at once:
// fixed, so that results do not depend on the number of threads.
constexpr int block_samples = 64;
constexpr int block_values = 16;

// A row of W shorter than this counts as this long in eq. (21): a landmark without
// weights may get some again.
constexpr double shortest_row = 1e-6;

// Part of the rows' root mean square below which a landmark has no use, and no weights
// that its image could be told from.
constexpr double min_row = 1e-3;

// A sum of block_values values each, in registers.
class block_sum
{
public:
    void add(double factor, const double* x)
    {
        const pair both = { factor, factor };
        for (int v = 0; v < block_values / 2; v++)
            d_sum[v] += both * reinterpret_cast<const unaligned_pair*>(x)[v];
    }
    void get(double* x) const
    {
        for (int v = 0; v < block_values / 2; v++)
            reinterpret_cast<unaligned_pair*>(x)[v] = d_sum[v];
    }

private:
    typedef double pair __attribute__((vector_size(16)));
    typedef double unaligned_pair __attribute__((vector_size(16), aligned(8), may_alias));
    pair d_sum[block_values / 2] = {};
};

void check_finite(const char* where, const char* name, const std::vector<float>& values)
{
    for (const float x : values)
        if (!std::isfinite(x))
            throw_bad(where, name, x, "finite");
}

class mlcf_learner_impl : public mlcf_learner
{
public:
    mlcf_learner_impl(const std::vector<float>& samples,
                      int dim,
                      int landmarks,
                      int neighbours,
                      float lambda,
                      float mu,
                      uint64_t seed,
                      int threads)
        : d_dim(dim),
          d_k(neighbours),
          d_lambda(lambda),
          d_mu(mu),
          d_threads(number_of_threads("mlcf_learner", threads))
    {
        const char* where = "mlcf_learner";
        check_range(where, "dim", dim, 1, 1 << 20);
        if (samples.empty() || samples.size() % dim || samples.size() / dim > 1 << 24)
            throw_bad(where,
                      "the number of values",
                      samples.size(),
                      "1 to 16777216 samples of " + std::to_string(dim));
        d_n = samples.size() / dim;
        check_range(where, "landmarks", landmarks, 1, std::min(d_n, 1 << 14));
        check_range(where, "neighbours", neighbours, 1, landmarks);
        check_range(where, "lambda", lambda, 0.0f, 1e6f);
        check_range(where, "mu", mu, 0.0f, 1e6f);
        check_finite(where, "a sample", samples);
        d_count = landmarks;
        d_x = matrix::Zero(d_n, (dim + block_values - 1) / block_values * block_values);
        d_x.leftCols(dim) =
            Eigen::Map<const float_matrix>(samples.data(), d_n, dim).cast<double>();
        d_power = d_x.rowwise().squaredNorm();
        d_columns.resize(samples.size());
        for (int b = 0; b < blocks(); b++)
            Eigen::Map<float_matrix>(
                d_columns.data() + size_t(b) * block_samples * dim, dim, size_of(b)) =
                d_x.block(b * block_samples, 0, size_of(b), dim)
                    .transpose()
                    .cast<float>();

        d_state.landmarks.resize(size_t(landmarks) * dim);
        d_state.index.resize(size_t(d_n) * d_k);
        d_state.weight.resize(size_t(d_n) * d_k);
        d_cost.resize(d_n);
        for (auto* entries : { &d_buffers.sample, &d_buffers.rank })
            entries->resize(d_state.index.size());
        for (auto* entries : { &d_buffers.by_landmark, &d_buffers.by_sample })
            entries->resize(d_state.index.size());
        d_buffers.index.resize(d_state.index.size());
        d_buffers.a.resize(d_count, d_count);
        d_buffers.t.resize(d_count, d_x.cols());
        d_row.resize(landmarks);
        choose(samples, seed);
        d_rounded.resize(d_state.landmarks.size());
        round_landmarks();
        for (int t = 0; t < d_threads; t++)
            d_workers.emplace_back(*this);
        d_index = d_state.index;
        d_weight = d_state.weight;
        update_gram();
        update_weights(nullptr, true, false);
        d_state.index.swap(d_index);
        d_state.weight.swap(d_weight);
    }

    int iterations() const override { return d_state.iterations; }
    int samples() const override { return d_n; }
    int dim() const override { return d_dim; }
    int neighbours() const override { return d_k; }
    double objective() const override { return d_objective; }
    state get_state() const override { return d_state; }

    double iterate() override
    {
        // Eq. (21), times mu.
        std::vector<float> extra(d_count);
        for (int j = 0; j < d_count; j++)
            extra[j] = d_mu / (2 * std::max(shortest_row, d_row[j]));
        update_landmarks();
        for (auto& worker : d_workers)
            worker.solver.set_landmarks(d_rounded.data());
        const float* added = d_mu > 0 ? extra.data() : nullptr;
        const double before = d_objective;
        update_gram();
        update_weights(added, false, false);
        // Rounding errors, at the end of long runs.
        if (d_objective > before)
            update_weights(added, false, true);
        d_state.index.swap(d_index);
        d_state.weight.swap(d_weight);
        d_state.iterations++;
        return d_objective;
    }

    std::vector<float> landmarks() const override
    {
        std::vector<float> result;
        for (const int j : alive())
            result.insert(result.end(),
                          d_rounded.begin() + size_t(j) * d_dim,
                          d_rounded.begin() + size_t(j + 1) * d_dim);
        return result;
    }

    std::vector<float> fit(const std::vector<float>& y, int dim) const override
    {
        check_range("mlcf_learner::fit", "dim", dim, 1, 1 << 20);
        if (y.size() != size_t(d_n) * dim)
            throw_bad("mlcf_learner::fit",
                      "the number of values",
                      y.size(),
                      std::to_string(d_n) + " samples of " + std::to_string(dim));
        check_finite("mlcf_learner::fit", "a value of y", y);
        const std::vector<int> rows = alive();
        const int count = rows.size();
        std::vector<int> place(d_count, 0);
        for (int j = 0; j < count; j++)
            place[rows[j]] = j;
        matrix a = matrix::Zero(count, count), b = matrix::Zero(count, dim);
        for (int i = 0; i < d_n; i++) {
            const int32_t* index = d_state.index.data() + size_t(i) * d_k;
            const float* weight = d_state.weight.data() + size_t(i) * d_k;
            for (int p = 0; p < d_k; p++) {
                const double w = weight[p];
                if (w == 0)
                    continue;
                const int row = place[index[p]];
                for (int q = 0; q < d_k; q++)
                    if (weight[q] != 0)
                        a(row, place[index[q]]) += w * weight[q];
                for (int c = 0; c < dim; c++)
                    b(row, c) += w * y[size_t(i) * dim + c];
            }
        }
        a.diagonal().array() += 1e-10 * a.diagonal().mean();
        const Eigen::LLT<matrix> llt(a);
        matrix solution;
        if (llt.info() == Eigen::Success)
            solution = llt.solve(b);
        if (!solution.size() || !solution.allFinite())
            throw std::runtime_error("mlcf_learner::fit: W W^T is singular: the samples "
                                     "are too much alike for " +
                                     std::to_string(count) + " landmarks");
        std::vector<float> result(solution.size());
        Eigen::Map<float_matrix>(result.data(), count, dim) = solution.cast<float>();
        return result;
    }

    void set_state(const state& s) override
    {
        bool fits = s.iterations >= 0 && s.landmarks.size() == d_state.landmarks.size() &&
                    s.index.size() == d_state.index.size() &&
                    s.weight.size() == d_state.weight.size();
        for (const double x : s.landmarks)
            fits = fits && std::isfinite(x);
        for (const int32_t j : s.index)
            fits = fits && j >= 0 && j < d_count;
        for (const float w : s.weight)
            fits = fits && std::isfinite(w);
        if (!fits)
            throw std::invalid_argument(
                "mlcf_learner: the state is that of other samples or parameters");
        d_state = s;
        round_landmarks();
        update_gram();
        for_each_parallel(blocks(), d_threads, [&](size_t b, int t) {
            for (int i = b * block_samples; i < int(b) * block_samples + size_of(b);
                 i++) {
                const int32_t* index = d_state.index.data() + size_t(i) * d_k;
                const float* weight = d_state.weight.data() + size_t(i) * d_k;
                d_workers[t].products(i, index);
                d_cost[i] = d_workers[t].cost(i, index, weight, nullptr).first;
            }
            d_workers[t].forget();
        });
        update_objective(d_state.index, d_state.weight);
    }

private:
    // What a thread computes weights with.
    struct worker {
        explicit worker(const mlcf_learner_impl& l)
            : learner(l),
              solver(l.d_rounded.data(), l.d_count, l.d_dim, l.d_k, l.d_lambda),
              former(block_samples * l.d_k),
              former_weight(block_samples * l.d_k),
              x(size_t(block_samples) * l.d_dim),
              product(l.d_count),
              product_of(l.d_count, -1),
              mark(l.d_count, 0)
        {
        }

        // x_i' d_j for some landmarks, in `product`.
        void products(int i, const int32_t* index)
        {
            const double* a = learner.d_x.row(i).data();
            for (int p = 0; p < learner.d_k; p++) {
                const int j = index[p];
                if (product_of[j] == i)
                    continue;
                product_of[j] = i;
                product[j] = learner.dot(
                    a, learner.d_state.landmarks.data() + size_t(j) * learner.d_dim);
            }
        }

        // Whether two sets of neighbours are the same.
        bool same(const int32_t* a, const int32_t* b)
        {
            marks++;
            for (int p = 0; p < learner.d_k; p++)
                mark[a[p]] = marks;
            int common = 0;
            for (int p = 0; p < learner.d_k; p++)
                common += mark[b[p]] == marks;
            return common == learner.d_k;
        }

        // The landmarks change.
        void forget() { std::fill(product_of.begin(), product_of.end(), -1); }

        // The sample's part of (16) without the norms, and with those as their bound that
        // eq. (22) minimizes.
        std::pair<double, double>
        cost(int i, const int32_t* index, const float* weight, const float* extra)
        {
            const int k = learner.d_k, count = learner.d_count;
            const double power = learner.d_power[i];
            double cross = 0, square = 0, spread = 0, penalty = 0;
            for (int p = 0; p < k; p++) {
                const double w = weight[p], x_d = product[index[p]];
                const double* gram = learner.d_gram.data() + size_t(index[p]) * count;
                double sum = 0.5 * w * gram[index[p]];
                for (int q = 0; q < p; q++)
                    sum += weight[q] * gram[index[q]];
                square += 2 * w * sum;
                cross += w * x_d;
                spread += w * w * std::max(0.0, power - 2 * x_d + gram[index[p]]);
                if (extra)
                    penalty += w * w * extra[index[p]];
            }
            const double u =
                std::max(0.0, power - 2 * cross + square) + learner.d_lambda * spread;
            return { u, u + penalty };
        }

        const mlcf_learner_impl& learner;
        local_weights solver;
        std::vector<int32_t> former;
        std::vector<float> former_weight;
        std::vector<float> x;
        std::vector<double> product;
        std::vector<int> product_of; // the sample that `product` is of
        std::vector<int> mark;       // by landmark: number of the last set that had it
        int marks = 0;
    };

    // Eq. (19)'s own. W by landmarks, and by samples in the order of landmarks.
    struct buffers {
        std::vector<size_t> begin, at; // of the landmarks
        std::vector<int> sample;
        std::vector<double> by_landmark, by_sample;
        std::vector<int32_t> index;
        std::vector<int> filled, rank;
        matrix a, t; // W W^T, and X (W + lambda W^2)^T
    };

    int blocks() const { return (d_n + block_samples - 1) / block_samples; }
    int size_of(int block) const
    {
        return std::min(block_samples, d_n - block * block_samples);
    }

    double dot(const double* a, const double* b) const
    {
        // Sums of their own for the even and odd values: the compiler may not make them.
        double sum[4] = {};
        int c = 0;
        for (; c + 4 <= d_dim; c += 4)
            for (int s = 0; s < 4; s++)
                sum[s] += a[c + s] * b[c + s];
        for (; c < d_dim; c++)
            sum[0] += a[c] * b[c];
        return (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }

    void choose(const std::vector<float>& samples, uint64_t seed)
    {
        std::vector<int> order(d_n), repeated;
        std::iota(order.begin(), order.end(), 0);
        random_engine engine = make_engine(seed, 0);
        for (int i = d_n - 1; i > 0; i--)
            std::swap(order[i],
                      order[boost::random::uniform_int_distribution<int>(0, i)(engine)]);
        const auto less = [&](int a, int b) {
            const float *x = samples.data() + size_t(a) * d_dim,
                        *y = samples.data() + size_t(b) * d_dim;
            return std::lexicographical_compare(x, x + d_dim, y, y + d_dim);
        };
        std::set<int, decltype(less)> different(less);
        std::vector<int> chosen;
        for (const int i : order)
            if (int(chosen.size()) < d_count)
                (different.insert(i).second ? chosen : repeated).push_back(i);
        chosen.insert(
            chosen.end(), repeated.begin(), repeated.begin() + (d_count - chosen.size()));
        for (int j = 0; j < d_count; j++)
            std::copy_n(samples.begin() + size_t(chosen[j]) * d_dim,
                        d_dim,
                        d_state.landmarks.begin() + size_t(j) * d_dim);
    }

    void round_landmarks()
    {
        std::copy(d_state.landmarks.begin(), d_state.landmarks.end(), d_rounded.begin());
    }

    std::vector<int> alive() const
    {
        double power = 0;
        for (const double row : d_row)
            power += row * row;
        const double least = min_row * std::sqrt(power / d_count);
        std::vector<int> rows;
        for (int j = 0; j < d_count; j++)
            if (d_row[j] > least)
                rows.push_back(j);
        return rows;
    }

    // Eq. (19) for all landmarks.
    void update_landmarks()
    {
        auto& begin = d_buffers.begin;
        auto& at = d_buffers.at;
        auto& sample = d_buffers.sample;
        auto& by_landmark = d_buffers.by_landmark;
        auto& by_sample = d_buffers.by_sample;
        auto& index = d_buffers.index;
        auto& filled = d_buffers.filled;
        auto& rank = d_buffers.rank;
        matrix &a = d_buffers.a, &t = d_buffers.t;
        begin.assign(d_count + 1, 0);
        for (const int32_t j : d_state.index)
            begin[j + 1]++;
        std::partial_sum(begin.begin(), begin.end(), begin.begin());
        at.assign(begin.begin(), begin.end() - 1);
        for (int i = 0; i < d_n; i++)
            for (size_t e = size_t(i) * d_k; e < size_t(i + 1) * d_k; e++) {
                const size_t place = at[d_state.index[e]]++;
                sample[place] = i;
                by_landmark[place] = d_state.weight[e];
            }
        filled.assign(d_n, 0);
        for (int j = 0; j < d_count; j++)
            for (size_t e = begin[j]; e < begin[j + 1]; e++) {
                const int i = sample[e];
                rank[e] = filled[i]++;
                index[size_t(i) * d_k + rank[e]] = j;
                by_sample[size_t(i) * d_k + rank[e]] = by_landmark[e];
            }

        // The lower triangle of a.
        for_each_parallel(d_count, d_threads, [&](size_t j, int) {
            double* row = a.data() + j * d_count;
            std::fill_n(row, d_count, 0.0);
            for (size_t e = begin[j]; e < begin[j + 1]; e++) {
                const double w = by_landmark[e];
                const int32_t* others = index.data() + size_t(sample[e]) * d_k;
                const double* their = by_sample.data() + size_t(sample[e]) * d_k;
                for (int q = 0; q <= rank[e]; q++)
                    row[others[q]] += w * their[q];
            }
            for (Eigen::Index c = 0; c < t.cols(); c += block_values) {
                block_sum sum;
                for (size_t e = begin[j]; e < begin[j + 1]; e++) {
                    const double w = by_landmark[e];
                    sum.add(w + d_lambda * w * w, d_x.row(sample[e]).data() + c);
                }
                sum.get(t.row(j).data() + c);
            }
        });
        a.triangularView<Eigen::StrictlyUpper>() = a.transpose();

        // Every value of the landmarks has a system of its own, with the same matrix.
        const int parts = (d_dim + block_values - 1) / block_values;
        for_each_parallel(parts, d_threads, [&](size_t part, int) {
            const int c = part * block_values, width = std::min(block_values, d_dim - c);
            Eigen::Map<matrix> d(d_state.landmarks.data(), d_count, d_dim);
            Eigen::Matrix<double, Eigen::Dynamic, block_values, Eigen::RowMajor> own(
                d_count, block_values);
            own.setZero();
            own.leftCols(width) = d.middleCols(c, width);
            for (int j = 0; j < d_count; j++) {
                const double* row = a.data() + size_t(j) * d_count;
                if (!(row[j] > 0))
                    continue;
                block_sum others;
                for (int m = 0; m < d_count; m++)
                    others.add(row[m], own.data() + size_t(m) * block_values);
                double sum[block_values];
                others.get(sum);
                const double scale = 1 / ((1 + d_lambda) * row[j]);
                for (int v = 0; v < width; v++)
                    own(j, v) = (t(j, c + v) - (sum[v] - row[j] * own(j, v))) * scale;
            }
            d.middleCols(c, width) = own.leftCols(width);
        });
        round_landmarks();
    }

    void update_gram()
    {
        d_gram.resize(d_count, d_count);
        const double* d = d_state.landmarks.data();
        for_each_parallel(d_count, d_threads, [&](size_t j, int) {
            for (int m = 0; m < d_count; m++)
                d_gram(j, m) = m <= int(j) ? dot(d + j * d_dim, d + size_t(m) * d_dim)
                                           : dot(d + size_t(m) * d_dim, d + j * d_dim);
        });
    }

    // Eq. (22) for all samples, in d_index and d_weight. first: there are no former
    // weights; keep: samples may keep theirs.
    void update_weights(const float* extra, bool first, bool keep)
    {
        for_each_parallel(blocks(), d_threads, [&](size_t b, int t) {
            update_block(b, d_workers[t], extra, first, keep);
        });
        update_objective(d_index, d_weight);
    }

    void update_block(int b, worker& w, const float* extra, bool first, bool keep)
    {
        const int begin = b * block_samples, size = size_of(b);
        const size_t at = size_t(begin) * d_k;
        const float* x = d_columns.data() + size_t(begin) * d_dim;
        w.solver.solve(
            x, size, extra, d_index.data() + at, d_weight.data() + at, nullptr, nullptr);
        // The samples whose neighbours have changed.
        int changed[block_samples], count = 0;
        for (int s = 0; s < size && !first; s++) {
            const int32_t* former = d_state.index.data() + at + s * d_k;
            const int32_t* nearest = d_index.data() + at + s * d_k;
            if (w.same(former, nearest))
                continue;
            std::copy_n(former, d_k, w.former.data() + count * d_k);
            changed[count++] = s;
        }
        if (count) {
            for (int c = 0; c < d_dim; c++)
                for (int s = 0; s < count; s++)
                    w.x[size_t(c) * count + s] = x[size_t(c) * size + changed[s]];
            w.solver.solve_given(w.x.data(),
                                 count,
                                 extra,
                                 w.former.data(),
                                 w.former_weight.data(),
                                 nullptr);
        }
        for (int s = 0, next = 0; s < size; s++) {
            const int i = begin + s;
            int32_t* index = d_index.data() + at + s * d_k;
            float* weight = d_weight.data() + at + s * d_k;
            w.products(i, index);
            auto best = w.cost(i, index, weight, extra);
            const auto compare = [&](const int32_t* other, const float* its) {
                w.products(i, other);
                const auto value = w.cost(i, other, its, extra);
                if (!(value.second < best.second))
                    return;
                best = value;
                std::copy_n(other, d_k, index);
                std::copy_n(its, d_k, weight);
            };
            if (next < count && changed[next] == s) {
                compare(w.former.data() + next * d_k,
                        w.former_weight.data() + next * d_k);
                next++;
            }
            if (keep)
                compare(d_state.index.data() + at + s * d_k,
                        d_state.weight.data() + at + s * d_k);
            d_cost[i] = best.first;
        }
        w.forget();
    }

    void update_objective(const std::vector<int32_t>& index,
                          const std::vector<float>& weight)
    {
        std::fill(d_row.begin(), d_row.end(), 0.0);
        for (size_t e = 0; e < index.size(); e++)
            d_row[index[e]] += double(weight[e]) * weight[e];
        for (double& row : d_row)
            row = std::sqrt(row);
        d_objective = (std::accumulate(d_cost.begin(), d_cost.end(), 0.0) +
                       d_mu * std::accumulate(d_row.begin(), d_row.end(), 0.0)) /
                      d_n;
    }

    const int d_dim;
    const int d_k;
    const double d_lambda;
    const double d_mu;
    const int d_threads;
    int d_n = 0;
    int d_count = 0;
    matrix d_x;                   // n x dim, and zeros up to whole blocks of values
    Eigen::VectorXd d_power;      // ||x_i||^2
    std::vector<float> d_columns; // for each block of samples dim x their number
    state d_state;
    std::vector<int32_t> d_index; // the next ones of d_state
    std::vector<float> d_weight;
    std::vector<float> d_rounded; // the landmarks
    matrix d_gram;                // of the landmarks
    std::vector<double> d_cost;   // each sample's part of (16), without the norms
    std::vector<double> d_row;    // norms of the rows of W
    double d_objective = 0;
    buffers d_buffers;
    std::deque<worker> d_workers;
};

} // namespace

mlcf_learner::sptr mlcf_learner::make(const std::vector<float>& samples,
                                      int dim,
                                      int landmarks,
                                      int neighbours,
                                      float lambda,
                                      float mu,
                                      uint64_t seed,
                                      int threads)
{
    return std::make_shared<mlcf_learner_impl>(
        samples, dim, landmarks, neighbours, lambda, mu, seed, threads);
}

std::vector<float> mlcf_transfer(const std::vector<float>& landmarks,
                                 int dim,
                                 const std::vector<float>& images,
                                 int image_dim,
                                 const std::vector<float>& samples,
                                 int neighbours,
                                 float lambda,
                                 int threads)
{
    const char* where = "mlcf_transfer";
    check_range(where, "dim", dim, 1, 1 << 20);
    check_range(where, "image_dim", image_dim, 1, 1 << 20);
    const size_t count = landmarks.size() / dim, n = samples.size() / dim;
    if (landmarks.size() % dim || count < 1 || images.size() != count * image_dim)
        throw_bad(where,
                  "the number of values of the images",
                  images.size(),
                  std::to_string(image_dim) + " for every landmark of " +
                      std::to_string(dim));
    if (samples.size() % dim)
        throw_bad(where,
                  "the number of values",
                  samples.size(),
                  "samples of " + std::to_string(dim));
    check_range(where, "neighbours", neighbours, 1, int(count));
    check_range(where, "lambda", lambda, 0.0f, 1e6f);
    check_finite(where, "a value", landmarks);
    check_finite(where, "a value", images);
    check_finite(where, "a value", samples);
    threads = number_of_threads(where, threads);

    std::vector<float> result(n * image_dim);
    const float_array from{ { count, size_t(dim) }, landmarks },
        to{ { count, size_t(image_dim) }, images };
    std::deque<local_map> maps;
    for (int t = 0; t < threads; t++) {
        maps.emplace_back(from, to, neighbours, lambda);
        maps.back().columns(block_samples);
    }
    for_each_parallel(
        (n + block_samples - 1) / block_samples, threads, [&](size_t b, int t) {
            const size_t begin = b * block_samples,
                         size = std::min<size_t>(block_samples, n - begin);
            std::vector<float> x(size * dim), y(size * image_dim);
            for (size_t i = 0; i < size; i++)
                for (int c = 0; c < dim; c++)
                    x[c * size + i] = samples[(begin + i) * dim + c];
            maps[t].apply(x.data(), size, y.data(), y.size(), false);
            for (size_t i = 0; i < size; i++)
                for (int c = 0; c < image_dim; c++)
                    result[(begin + i) * image_dim + c] = y[c * size + i];
        });
    return result;
}

} // namespace csifeedback
} // namespace gr
