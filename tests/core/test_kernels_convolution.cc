/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// The convolutions of a phase of FISTA-Net.

#include "kernels_test.h"
#include <algorithm>
#include <cmath>

namespace {

constexpr int channels = phase_channels;

// Weights of all layers, as the kernels take them.
struct layers {
    std::vector<float> into = normal_vector(18 * channels, 1),
                       forward = normal_vector(2 * channels * channels, 2),
                       inverse = normal_vector(2 * channels * channels, 3),
                       out = normal_vector(18 * channels, 4);
    phase_weights weights() const
    {
        return { into.data(), forward.data(), inverse.data(), out.data() };
    }
};

// An image in planes without margins, in double precision.
typedef std::vector<std::vector<double>> planes;

planes convolve(const planes& x, int rows, int cols, const float* w, int outputs)
{
    planes y(outputs, std::vector<double>(rows * cols, 0.0));
    for (int o = 0; o < outputs; o++)
        for (size_t i = 0; i < x.size(); i++)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < cols; c++)
                    for (int dr = -1; dr <= 1; dr++)
                        for (int dc = -1; dc <= 1; dc++)
                            if (r + dr >= 0 && r + dr < rows && c + dc >= 0 &&
                                c + dc < cols)
                                y[o][r * cols + c] +=
                                    double(w[(9 * i + 3 * (dr + 1) + dc + 1) * outputs +
                                             o]) *
                                    x[i][(r + dr) * cols + c + dc];
    return y;
}

// Two layers of 1x1 with a ReLU between them.
planes mixed(const planes& x, const float* w)
{
    const size_t n = x[0].size();
    planes from = x, to;
    for (int layer = 0; layer < 2; layer++, w += channels * channels) {
        to.assign(channels, std::vector<double>(n, 0.0));
        for (int i = 0; i < channels; i++)
            for (int o = 0; o < channels; o++)
                for (size_t e = 0; e < n; e++)
                    to[o][e] += double(w[i * channels + o]) *
                                (layer ? std::max(from[i][e], 0.0) : from[i][e]);
        from = to;
    }
    return to;
}

TEST_P(kernels_test, phases_against_their_definition)
{
    const layers l;
    for (const auto& [rows, cols] : { std::pair<int, int>{ 1, 1 },
                                      { 2, 3 },
                                      { 3, 16 },
                                      { 4, 17 },
                                      { 5, 31 },
                                      { 3, 32 },
                                      { 2, 40 } }) {
        std::vector<float> buffer;
        const phase_image image = make_phase_image(rows, cols, buffer);
        planes x(2, std::vector<double>(rows * cols));
        const auto values = normal_vector(2 * rows * cols, 5);
        const auto at = [&](int r, int c) {
            return (r + 1) * image.stride + phase_margin + c;
        };
        for (int p = 0; p < 2; p++)
            for (int e = 0; e < rows * cols; e++)
                buffer[p * image.plane + at(e / cols, e % cols)] = x[p][e] =
                    values[p * rows * cols + e];

        std::vector<float> magnitudes(channels + 1, 7.0f);
        k.phase_analysis(l.weights(), image, magnitudes.data());
        const planes z =
            mixed(convolve(x, rows, cols, l.into.data(), channels), l.forward.data());
        double size = 0;
        for (const auto& plane : z)
            for (const double v : plane)
                size = std::max(size, std::abs(v));
        for (int o = 0; o < channels; o++) {
            double sum = 0;
            for (int e = 0; e < rows * cols; e++) {
                ASSERT_NEAR(image.z[o * image.plane + at(e / cols, e % cols)],
                            z[o][e],
                            1e-6 * size)
                    << rows << " x " << cols;
                sum += std::abs(z[o][e]);
            }
            ASSERT_NEAR(magnitudes[o], sum, 1e-6 * size * rows * cols);
        }
        EXPECT_EQ(magnitudes[channels], 7.0f);

        // The margins are zero still, or the next convolution would be wrong.
        std::vector<float> limits(channels);
        planes soft = z;
        for (int o = 0; o < channels; o++) {
            limits[o] = 0.05f * o * size;
            for (double& v : soft[o])
                v = std::copysign(std::max(std::abs(v) - double(limits[o]), 0.0), v);
        }
        const planes change =
            convolve(mixed(soft, l.inverse.data()), rows, cols, l.out.data(), 2);
        double largest = 0;
        for (const auto& plane : change)
            for (const double v : plane)
                largest = std::max(largest, std::abs(v));
        const size_t stride = 2 * cols + 3;
        const auto before = normal_vector(rows * stride, 6);
        std::vector<float> result = before;
        k.phase_synthesis(l.weights(), image, limits.data(), result.data(), stride);
        for (int r = 0; r < rows; r++)
            for (size_t c = 0; c < stride; c++) {
                const size_t e = r * stride + c;
                const int part = c / cols;
                if (part < 2)
                    ASSERT_NEAR(result[e] - before[e],
                                change[part][r * cols + c % cols],
                                2e-6 * (largest + 1))
                        << rows << " x " << cols;
                else
                    ASSERT_EQ(result[e], before[e]) << "written between rows";
            }
    }
}

} // namespace
