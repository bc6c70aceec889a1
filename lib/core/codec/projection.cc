/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/projection.h"
#include "kernels/kernels.h"
#include "random.h"
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

uint8_t codec_number(const char* where, const std::string& codec)
{
    // The registry of the feedback frame's codec field; see the manual. Never renumber.
    static const struct {
        const char* name;
        uint8_t number;
    } registry[] = {
        { "matrix", 0 },
        { "klt", 1 },
        { "gaussian", 2 },
        { "orthonormal", 3 },
    };
    std::string known;
    for (const auto& entry : registry) {
        if (codec == entry.name)
            return entry.number;
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw_bad(where, "codec of the model", codec, known);
}

volk::vector<float> expand_complex_rows(const float_array& u, size_t rows)
{
    const size_t n = u.shape[1];
    volk::vector<float> w(rows * 2 * n);
    for (size_t r = 0; r < rows; r++) {
        const float* from = u.data.data() + (r / 2) * 2 * n;
        float* re = w.data() + r * 2 * n;
        float* im = re + n;
        for (size_t i = 0; i < n; i++) {
            const float a = from[2 * i], b = from[2 * i + 1];
            re[i] = r % 2 ? -b : a;
            im[i] = r % 2 ? a : b;
        }
    }
    return w;
}

projection projection::load(const char* where, const model_file& model, int code_size)
{
    projection p;
    p.na = model.na();
    p.nt = model.nt();
    p.codec = model.codec();
    p.codec_id = codec_number(where, p.codec);
    p.model_id = model.model_id();
    const size_t n = size_t(p.na) * p.nt;
    p.cols = 2 * n;
    const bool is_complex = model.has("encoder/W_complex");
    const float_array array = is_complex ? model.read("encoder/W_complex", { 0, n, 2 })
                                         : model.read("encoder/W", { 0, 2 * n });
    const size_t rows = array.shape[0] * (is_complex ? 2 : 1);
    // The frame's code_size field has 16 bits.
    check_range<size_t>(where, "number of rows of W", rows, 1, 65535);
    check_range(where, "code_size", code_size, 0, int(rows));
    p.rows = code_size ? code_size : rows;
    if (is_complex) {
        p.w = expand_complex_rows(array, p.rows);
    } else {
        p.w.resize(p.rows * p.cols);
        std::copy_n(array.data.begin(), p.w.size(), p.w.begin());
    }
    return p;
}

projection projection::from_matrix(
    const char* where, const std::vector<float>& w, int na, int nt, int model_id)
{
    check_range(where, "na", na, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range(where, "model_id", model_id, 0, 65535);
    projection p;
    p.na = na;
    p.nt = nt;
    p.codec = "matrix";
    p.codec_id = codec_number(where, p.codec);
    p.model_id = model_id;
    p.cols = 2 * size_t(na) * nt;
    p.rows = w.size() / p.cols;
    if (w.size() % p.cols || p.rows < 1 || p.rows > 65535)
        throw_bad(where,
                  "number of values of W",
                  w.size(),
                  "1 to 65535 rows of 2 na nt = " + std::to_string(p.cols));
    for (const float x : w)
        if (!std::isfinite(x))
            throw_bad(where, "a value of W", x, "any finite number");
    p.w.resize(w.size());
    std::copy(w.begin(), w.end(), p.w.begin());
    return p;
}

float projection::squared_norm(size_t m) const
{
    volk::vector<float> x(m), y(cols);
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : x)
        value = normal(engine);
    // Power iteration on W W^T. It approaches from below, and a step above 1 / L diverges
    // only beyond 2 / L: the relative change that ends it is far inside that margin.
    float norm = 0;
    for (int iteration = 0; iteration < 1000; iteration++) {
        float length = 0;
        for (const float value : x)
            length += value * value;
        length = std::sqrt(length);
        if (length == 0)
            return 0;
        for (float& value : x)
            value /= length;
        gemv_transposed(w.data(), x.data(), y.data(), m, cols);
        float energy = 0;
        for (const float value : y)
            energy += value * value;
        gemv(w.data(), y.data(), x.data(), m, cols);
        const bool done = std::abs(energy - norm) <= 1e-6f * energy;
        norm = energy;
        if (done)
            break;
    }
    return norm;
}

} // namespace csifeedback
} // namespace gr
