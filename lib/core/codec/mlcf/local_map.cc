/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "codec/mlcf/local_map.h"
#include "kernels/kernels.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// The distances of all landmarks from each other are kept: 256 MiB.
constexpr size_t max_landmarks = 8192;

} // namespace

local_map local_map::load(const char* where,
                          const model_file& model,
                          const std::string& group,
                          const std::string& from,
                          size_t dim,
                          const std::string& to,
                          size_t image_dim)
{
    check_codec(where, model, "mlcf");
    if (model.domain() != "H")
        throw_bad(where, "domain of the model", model.domain(), "H");
    const float_array landmarks = model.read(group + "/" + from, { 0, dim });
    const size_t count = landmarks.shape[0];
    const float_array images = model.read(group + "/" + to, { count, image_dim });
    check_range<size_t>(where, "number of landmarks", count, 1, max_landmarks);
    // So that no sum overflows.
    for (const float_array* values : { &landmarks, &images })
        for (const float x : values->data)
            check_range(where, "a value of the landmarks", x, -1e30f, 1e30f);
    const float k = model.read(group + "/neighbours", { 1 }).data[0],
                lambda = model.read(group + "/lambda", { 1 }).data[0];
    if (!(k >= 1 && k <= count && k == std::floor(k)))
        throw_bad(where,
                  "neighbours",
                  k,
                  "a whole number from 1 to the number of landmarks, " +
                      std::to_string(count));
    check_range(where, "lambda", lambda, 0.0f, 1e6f);
    // There lambda alone keeps R from being singular.
    if (group == "decoder" && lambda == 0 && k > dim)
        throw_bad(where,
                  "lambda",
                  lambda,
                  "more than 0 where there are more neighbours than dimensions (" +
                      std::to_string(int(k)) + " and " + std::to_string(dim) +
                      "), since their weights are not determined otherwise");
    return local_map(landmarks, images, k, lambda);
}

local_map::local_map(const float_array& from, const float_array& to, int k, float lambda)
    : d_weights(from.data.data(), from.shape[0], from.shape[1], k, lambda),
      d_image_dim(to.shape[1]),
      d_stride(whole_registers(d_image_dim)),
      d_images(from.shape[0] * d_stride, 0.0f),
      d_dense(from.shape[0], 0.0f),
      d_rows(k),
      d_image(d_stride)
{
    for (size_t i = 0; i < to.shape[0]; i++)
        std::copy_n(to.data.begin() + i * d_image_dim,
                    d_image_dim,
                    d_images.begin() + i * d_stride);
}

void local_map::columns(int most)
{
    d_index.resize(size_t(most) * d_weights.neighbours());
    d_weight.resize(size_t(most) * d_weights.neighbours());
    d_residual.resize(most);
}

double local_map::apply(const float* x, int columns, float* out, size_t m, bool residual)
{
    d_weights.solve(x,
                    columns,
                    nullptr,
                    d_index.data(),
                    d_weight.data(),
                    nullptr,
                    residual ? d_residual.data() : nullptr);
    const size_t k = d_weights.neighbours();
    for (size_t n = 0; n < size_t(columns); n++) {
        const int32_t* index = d_index.data() + n * k;
        for (size_t i = 0; i < k; i++) {
            d_rows[i] = index[i];
            d_dense[index[i]] = d_weight[n * k + i];
        }
        std::fill(d_image.begin(), d_image.end(), 0.0f);
        kernels().add_chosen_rows(d_images.data(),
                                  d_stride,
                                  d_rows.data(),
                                  k,
                                  d_dense.data(),
                                  d_image.data(),
                                  d_stride);
        for (size_t i = 0; i < k; i++)
            d_dense[index[i]] = 0;
        for (size_t at = n, r = 0; at < m; at += columns, r++)
            out[at] = d_image[r];
    }
    double sum = 0;
    if (residual)
        for (int n = 0; n < columns; n++)
            sum += d_residual[n];
    return sum;
}

} // namespace csifeedback
} // namespace gr
