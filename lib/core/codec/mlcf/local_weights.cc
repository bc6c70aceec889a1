/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/mlcf/local_weights.h"
#include "kernels/kernels.h"
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

constexpr float epsilon = 1e-6f;
// A ridge beyond this gives a landmark no weight that counts.
constexpr float max_ridge = 1e12f;
constexpr float min_mean = 1e-30f, max_mean = 1e30f;

// Single precision is enough for a larger pivot.
constexpr float min_pivot = 5e-5f;

Eigen::Map<const Eigen::VectorXd> wide(const double* x, size_t n)
{
    return Eigen::Map<const Eigen::VectorXd>(x, n);
}

} // namespace

local_weights::local_weights(
    const float* landmarks, int count, int dim, int k, float lambda)
    : d_count(count),
      d_dim(dim),
      d_k(k),
      d_stride(whole_registers(dim)),
      d_lambda(lambda),
      d_landmarks(d_count * d_stride, 0.0f),
      d_between(d_count * d_count),
      d_x(d_dim * weights_block, 0.0f),
      d_distances(d_count * weights_block),
      d_index(d_k * weights_block),
      d_nearest(d_k * weights_block),
      d_slots(d_k * weights_block),
      d_ridge(d_k * weights_block),
      d_products(d_k * weights_block),
      d_weights(d_k * weights_block),
      d_half(weights_block),
      d_mean(weights_block),
      d_pivot(weights_block),
      d_first(weights_block),
      d_sample(d_stride, 0.0f),
      d_difference(d_stride, 0.0f),
      d_dense(d_count, 0.0f),
      d_rows(d_k),
      d_differences(d_k * d_dim),
      d_matrix(d_k * d_k),
      d_solution(d_k),
      d_scratch(std::max(local_systems_scratch(d_k), d_k * weights_block)),
      d_order(d_k * weights_block)
{
    set_landmarks(landmarks);
}

void local_weights::set_landmarks(const float* landmarks)
{
    for (size_t i = 0; i < d_count; i++)
        std::copy_n(landmarks + i * d_dim, d_dim, d_landmarks.data() + i * d_stride);
    // In double precision: what is rounded here is all that keeps the equations of
    // landmarks that depend on each other from being semidefinite.
    constexpr size_t together = 8;
    std::vector<double> block(d_dim * together);
    for (size_t j = 0; j < d_count; j += together) {
        const size_t n = std::min(together, d_count - j);
        for (size_t c = 0; c < d_dim; c++)
            for (size_t l = 0; l < n; l++)
                block[c * together + l] = d_landmarks[(j + l) * d_stride + c];
        for (size_t i = j; i < d_count; i++) {
            double sum[together] = {};
            const float* from = d_landmarks.data() + i * d_stride;
            for (size_t c = 0; c < d_dim; c++)
                for (size_t l = 0; l < together; l++) {
                    const double difference = from[c] - block[c * together + l];
                    sum[l] += difference * difference;
                }
            for (size_t l = 0; l < n; l++)
                d_between[i * d_count + j + l] = d_between[(j + l) * d_count + i] =
                    static_cast<float>(sum[l]);
        }
    }
}

void local_weights::solve(const float* x,
                          int columns,
                          const float* extra,
                          int32_t* index,
                          float* weight,
                          float* value,
                          float* residual)
{
    solve_blocks(x, columns, extra, nullptr, index, weight, value, residual);
}

void local_weights::solve_given(const float* x,
                                int columns,
                                const float* extra,
                                const int32_t* index,
                                float* weight,
                                float* value)
{
    solve_blocks(x, columns, extra, index, nullptr, weight, value, nullptr);
}

void local_weights::solve_blocks(const float* x,
                                 int columns,
                                 const float* extra,
                                 const int32_t* given,
                                 int32_t* index,
                                 float* weight,
                                 float* value,
                                 float* residuals)
{
    const size_t all = columns;
    for (size_t at = 0; at < all; at += weights_block) {
        const size_t n = std::min(weights_block, all - at);
        for (size_t c = 0; c < d_dim; c++) {
            // Samples beyond the last one repeat it.
            float* to = d_x.data() + c * weights_block;
            const float* from = x + c * all + at;
            std::copy_n(from, n, to);
            std::fill(to + n, to + weights_block, from[n - 1]);
        }
        if (given) {
            for (size_t l = 0; l < weights_block; l++) {
                const int32_t* from = given + (at + std::min(l, n - 1)) * d_k;
                load_sample(l);
                for (size_t i = 0; i < d_k; i++)
                    d_index[i * weights_block + l] = from[i];
                kernels().difference_products(d_landmarks.data(),
                                              d_stride,
                                              d_index.data() + l,
                                              d_k,
                                              d_sample.data(),
                                              nullptr,
                                              d_stride,
                                              d_nearest.data() + l);
            }
        } else {
            kernels().squared_distances(d_landmarks.data(),
                                        d_stride,
                                        d_count,
                                        d_x.data(),
                                        d_dim,
                                        d_distances.data());
            kernels().select_smallest(d_distances.data(),
                                      d_count,
                                      d_k,
                                      d_index.data(),
                                      d_nearest.data(),
                                      d_scratch.data(),
                                      d_order.data());
        }
        solve_block(extra, n);

        for (size_t l = 0; l < n; l++) {
            float* to = weight + (at + l) * d_k;
            for (size_t i = 0; i < d_k; i++)
                to[i] = d_weights[i * weights_block + l];
            if (index)
                for (size_t i = 0; i < d_k; i++)
                    index[(at + l) * d_k + i] = d_index[i * weights_block + l];
            if (!value && !residuals)
                continue;
            const float rest = residual(l);
            if (residuals)
                residuals[at + l] = rest;
            if (value) {
                // No term is below zero.
                double sum = rest;
                for (size_t i = 0; i < d_k; i++) {
                    double ridge = double(d_lambda) * d_nearest[i * weights_block + l] +
                                   double(epsilon) * d_mean[l];
                    if (extra)
                        ridge += extra[d_index[i * weights_block + l]];
                    sum += to[i] != 0 ? ridge * to[i] * to[i] : 0;
                }
                value[at + l] = static_cast<float>(sum);
            }
        }
    }
}

// Takes a sample out of its block.
void local_weights::load_sample(size_t lane)
{
    for (size_t c = 0; c < d_dim; c++)
        d_sample[c] = d_x[c * weights_block + lane];
}

// The weights of a block, of which the first n samples count.
void local_weights::solve_block(const float* extra, size_t n)
{
    const float share = 1.0f / d_k;
    std::fill(d_mean.begin(), d_mean.end(), 0.0f);
    for (size_t i = 0; i < d_k; i++)
        for (size_t l = 0; l < weights_block; l++)
            d_mean[l] += d_nearest[i * weights_block + l] * share;
    const auto solvable = [&](size_t l) {
        return d_mean[l] > min_mean && d_mean[l] < max_mean;
    };
    for (size_t l = 0; l < weights_block; l++)
        d_half[l] = solvable(l) ? 0.5f / d_mean[l] : 0.0f;
    for (size_t i = 0; i < d_k; i++)
        for (size_t l = 0; l < weights_block; l++)
            d_ridge[i * weights_block + l] =
                2 * d_half[l] * d_lambda * d_nearest[i * weights_block + l] + epsilon;
    std::copy(d_index.begin(), d_index.end(), d_slots.begin());
    std::fill(d_first.begin(), d_first.end(), 0);
    if (extra)
        for (size_t i = 0; i < d_k; i++)
            for (size_t l = 0; l < weights_block; l++) {
                const size_t at = i * weights_block + l;
                d_ridge[at] =
                    std::min(d_ridge[at] + 2 * d_half[l] * extra[d_index[at]], max_ridge);
            }
    for (size_t l = 0; l < n; l++) {
        // The others refer to the one of least ridge, since that one's is added to all.
        size_t first = 0;
        if (extra)
            for (size_t i = 1; i < d_k; i++)
                if (d_ridge[i * weights_block + l] < d_ridge[first * weights_block + l])
                    first = i;
        d_first[l] = first;
        std::swap(d_ridge[l], d_ridge[first * weights_block + l]);
        std::swap(d_slots[l], d_slots[first * weights_block + l]);
        load_sample(l);
        const float* reference = d_landmarks.data() + d_slots[l] * d_stride;
        for (size_t c = 0; c < d_stride; c++)
            d_difference[c] = d_sample[c] - reference[c];
        kernels().difference_products(d_landmarks.data(),
                                      d_stride,
                                      d_slots.data() + l,
                                      d_k,
                                      reference,
                                      d_difference.data(),
                                      d_stride,
                                      d_products.data() + l);
    }
    kernels().local_systems(d_between.data(),
                            d_count,
                            d_slots.data(),
                            d_k,
                            d_half.data(),
                            d_ridge.data(),
                            epsilon,
                            d_products.data(),
                            d_weights.data(),
                            d_pivot.data(),
                            d_scratch.data());
    for (size_t l = 0; l < n; l++) {
        std::swap(d_weights[l], d_weights[d_first[l] * weights_block + l]);
        if (!solvable(l))
            for (size_t i = 0; i < d_k; i++)
                d_weights[i * weights_block + l] = share;
        else if (!(d_pivot[l] > min_pivot))
            solve_exactly(extra, l);
    }
}

// The equation in double precision, for a sample whose landmarks depend on each other.
void local_weights::solve_exactly(const float* extra, size_t lane)
{
    load_sample(lane);
    double mean = 0;
    for (size_t i = 0; i < d_k; i++) {
        const int32_t landmark = d_index[i * weights_block + lane];
        const float* from = d_landmarks.data() + landmark * d_stride;
        double* difference = d_differences.data() + i * d_dim;
        for (size_t c = 0; c < d_dim; c++)
            difference[c] = double(d_sample[c]) - from[c];
        for (size_t j = 0; j <= i; j++)
            d_matrix[i * d_k + j] =
                wide(difference, d_dim)
                    .dot(wide(d_differences.data() + j * d_dim, d_dim));
        mean += d_matrix[i * d_k + i] / d_k;
    }
    for (size_t i = 0; i < d_k; i++) {
        double& entry = d_matrix[i * d_k + i];
        entry += d_lambda * entry + epsilon * mean;
        if (extra)
            entry += std::min<double>(extra[d_index[i * weights_block + lane]],
                                      max_ridge * mean);
    }
    // Cholesky, and both substitutions with e.
    for (size_t i = 0; i < d_k; i++) {
        double* row = d_matrix.data() + i * d_k;
        for (size_t j = 0; j <= i; j++) {
            const double* other = d_matrix.data() + j * d_k;
            row[j] -= wide(row, j).dot(wide(other, j));
            row[j] = j < i ? row[j] / other[j] : std::sqrt(row[j]);
        }
        d_solution[i] = (1 - wide(row, i).dot(wide(d_solution.data(), i))) / row[i];
    }
    double sum = 0;
    for (size_t i = d_k; i-- > 0;) {
        const double* row = d_matrix.data() + i * d_k;
        d_solution[i] /= row[i];
        for (size_t j = 0; j < i; j++)
            d_solution[j] -= row[j] * d_solution[i];
        sum += d_solution[i];
    }
    for (size_t i = 0; i < d_k; i++)
        d_weights[i * weights_block + lane] = static_cast<float>(d_solution[i] / sum);
}

// ||x - D w||^2 of a sample of the block.
float local_weights::residual(size_t lane)
{
    load_sample(lane);
    for (size_t i = 0; i < d_k; i++) {
        d_rows[i] = d_index[i * weights_block + lane];
        d_dense[d_rows[i]] = -d_weights[i * weights_block + lane];
    }
    kernels().add_chosen_rows(d_landmarks.data(),
                              d_stride,
                              d_rows.data(),
                              d_k,
                              d_dense.data(),
                              d_sample.data(),
                              d_stride);
    for (const uint32_t row : d_rows)
        d_dense[row] = 0;
    double sum = 0;
    for (size_t c = 0; c < d_dim; c++)
        sum += double(d_sample[c]) * d_sample[c];
    std::fill(d_sample.begin() + d_dim, d_sample.end(), 0.0f);
    return static_cast<float>(sum);
}

} // namespace csifeedback
} // namespace gr
