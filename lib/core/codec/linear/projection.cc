/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "codec/linear/projection.h"
#include "random.h"
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <boost/random/normal_distribution.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

namespace gr {
namespace csifeedback {

volk::vector<float> split_complex_rows(const float_array& u, size_t rows)
{
    const size_t n = u.shape[1];
    volk::vector<float> w(rows * 2 * n);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            w[r * 2 * n + i] = u.data[(r * n + i) * 2];
            w[r * 2 * n + n + i] = u.data[(r * n + i) * 2 + 1];
        }
    return w;
}

void projection_info::describe(const char* where, const model_file& model)
{
    na = model.na();
    nt = model.nt();
    nc = model.nc();
    precursor = model.precursor();
    array = model.array();
    codec = model.codec();
    codec_id = codec_number(where, codec);
    model_id = model.model_id();
    domain = model.domain();
    cols = 2 * size_t(na) * nt;
}

void projection_info::set_rows(const char* where, size_t available, int code_size)
{
    // The frame's code_size field has 16 bits.
    check_range<size_t>(where, "number of rows of W", available, 1, 65535);
    check_range(where, "code_size", code_size, 0, int(available));
    rows = code_size ? code_size : available;
}

projection projection::load(const char* where, const model_file& model, int code_size)
{
    projection p;
    p.describe(where, model);
    if (antenna_projection::is_in(model))
        throw_bad(where,
                  "codec of the model",
                  p.codec,
                  "one whose matrix is encoder/W or encoder/W_complex");
    const size_t n = p.cols / 2;
    p.is_complex = model.has("encoder/W_complex");
    const float_array array = p.is_complex ? model.read("encoder/W_complex", { 0, n, 2 })
                                           : model.read("encoder/W", { 0, 2 * n });
    const size_t rows = array.shape[0] * (p.is_complex ? 2 : 1);
    p.set_rows(where, rows, code_size);
    if (p.is_complex) {
        p.w = split_complex_rows(array, (p.rows + 1) / 2);
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
    p.codec = "matrix"; // number 0
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

void projection::multiply_add(const float* x, float* s, size_t m) const
{
    if (!is_complex) {
        kernels().gemv(w.data(), cols, x, s, m, cols);
        return;
    }
    const size_t n = cols / 2, pairs = m / 2;
    kernels().gemv_complex(vectors(0), true, x, x + n, s, s + 1, 2, pairs, n);
    if (m % 2) {
        float unused = 0;
        kernels().gemv_complex(
            vectors(pairs), true, x, x + n, s + m - 1, &unused, 1, 1, n);
    }
}

void projection::multiply_transposed(const float* s, float* x, size_t m) const
{
    std::fill_n(x, cols, 0.0f);
    if (!is_complex) {
        kernels().add_rows(w.data(), cols, s, m, x, cols);
        return;
    }
    const size_t n = cols / 2, pairs = m / 2;
    kernels().add_rows_complex(vectors(0), false, s, s + 1, 2, pairs, x, x + n, n);
    if (m % 2) {
        const float zero = 0;
        kernels().add_rows_complex(
            vectors(pairs), false, s + m - 1, &zero, 1, 1, x, x + n, n);
    }
}

bool antenna_projection::is_in(const model_file& model)
{
    return model.has("encoder/W_columns");
}

antenna_projection
antenna_projection::load(const char* where, const model_file& model, int code_size)
{
    antenna_projection p;
    p.describe(where, model);
    const size_t values = 2 * size_t(p.na);
    const float_array w = model.read("encoder/W_columns", { 0, values });
    p.set_rows(where, w.shape[0] * p.nt, code_size);
    const size_t components = (p.rows + p.nt - 1) / p.nt;
    p.d_w.assign(w.data.begin(), w.data.begin() + components * values);
    p.d_transposed.resize(p.d_w.size());
    for (size_t r = 0; r < components; r++)
        for (size_t i = 0; i < values; i++)
            p.d_transposed[i * components + r] = p.d_w[r * values + i];
    return p;
}

namespace {

// c += a b, a of rows x depth values, b and c with a column for each antenna.
void add_product(const float* a,
                 size_t a_stride,
                 const float* b,
                 float* c,
                 size_t rows,
                 size_t depth,
                 size_t antennas)
{
    const size_t first = antennas - antennas % 16;
    if (first && depth)
        kernels().gemm(a,
                       a_stride,
                       b,
                       antennas,
                       c,
                       antennas,
                       c,
                       antennas,
                       rows,
                       depth,
                       first,
                       false);
    for (size_t r = 0; first < antennas && r < rows; r++)
        kernels().add_rows(b + first,
                           antennas,
                           a + r * a_stride,
                           depth,
                           c + r * antennas + first,
                           antennas - first);
}

} // namespace

void antenna_projection::multiply_add(const float* x, float* s, size_t m) const
{
    const size_t values = 2 * size_t(na), antennas = nt, whole = m / antennas;
    add_product(d_w.data(), values, x, s, whole, values, antennas);
    // The last component, of the first antennas only.
    if (m % antennas)
        kernels().add_rows(x,
                           antennas,
                           d_w.data() + whole * values,
                           values,
                           s + whole * antennas,
                           m % antennas);
}

void antenna_projection::multiply_transposed(const float* s, float* x, size_t m) const
{
    const size_t values = 2 * size_t(na), antennas = nt, whole = m / antennas;
    const size_t components = d_w.size() / values;
    std::fill_n(x, cols, 0.0f);
    add_product(d_transposed.data(), components, s, x, values, whole, antennas);
    for (size_t i = 0; m % antennas && i < values; i++)
        kernels().add_rows(s + whole * antennas,
                           antennas,
                           d_transposed.data() + i * components + whole,
                           1,
                           x + i * antennas,
                           m % antennas);
}

namespace {

// Bytes of the columns of a block.
constexpr size_t block_bytes = 32768;

} // namespace

projection_columns::projection_columns(const projection& p)
    : d_is_complex(p.is_complex),
      d_rows(p.rows),
      d_count(p.is_complex ? p.cols / 2 : p.cols),
      d_padded(whole_registers(p.is_complex ? (p.rows + 1) / 2 : p.rows)),
      d_block(std::max<size_t>(8, block_bytes / (split_size() * sizeof(float)) / 8 * 8)),
      d_w(d_count * split_size(), 0.0f)
{
    const size_t stored = p.w.size() / p.cols;
    for (size_t r = 0; r < stored; r++)
        for (size_t part = 0; part < parts(); part++)
            for (size_t c = 0; c < d_count; c++)
                d_w[c * split_size() + part * d_padded + r] =
                    p.w[r * p.cols + part * d_count + c];
}

size_t projection_columns::length(size_t m) const
{
    return whole_registers(d_is_complex ? (m + 1) / 2 : m);
}

void projection_columns::split(const float* s, float* split, size_t m) const
{
    if (d_is_complex) {
        for (size_t i = 0; i < m; i++)
            split[i / 2 + i % 2 * d_padded] = s[i];
    } else {
        std::copy_n(s, m, split);
    }
    clear_rest(split, m);
}

void projection_columns::join(const float* split, float* s, size_t m) const
{
    if (d_is_complex) {
        for (size_t i = 0; i < m; i++)
            s[i] = split[i / 2 + i % 2 * d_padded];
    } else {
        std::copy_n(split, m, s);
    }
}

void projection_columns::clear_rest(float* split, size_t m) const
{
    const size_t re = d_is_complex ? (m + 1) / 2 : m;
    std::fill(split + re, split + d_padded, 0.0f);
    if (d_is_complex)
        std::fill(split + d_padded + m / 2, split + 2 * d_padded, 0.0f);
}

void projection_columns::multiply_transposed(
    const float* s, float* x, size_t m, size_t begin, size_t end) const
{
    const size_t n = end - begin;
    x += begin;
    std::fill_n(x, n, 0.0f);
    if (!d_is_complex) {
        kernels().gemv(d_w.data() + begin * d_padded, d_padded, s, x, n, length(m));
        return;
    }
    std::fill_n(x + d_count, n, 0.0f);
    kernels().gemv_complex(
        vectors(begin), false, s, s + d_padded, x, x + d_count, 1, n, length(m));
}

void projection_columns::multiply_add(
    const float* x, float* s, size_t m, size_t begin, size_t end) const
{
    const float* im = x + (d_is_complex ? d_count : 0);
    uint32_t index[256];
    while (begin < end) {
        const size_t stop = std::min(end, begin + std::size(index));
        size_t chosen = 0;
        for (; begin < stop; begin++) {
            index[chosen] = begin;
            // Neither 0 nor -0.
            uint32_t a, b;
            std::memcpy(&a, x + begin, sizeof(a));
            std::memcpy(&b, im + begin, sizeof(b));
            chosen += ((a | b) << 1) != 0;
        }
        if (d_is_complex)
            kernels().add_chosen_rows_complex(
                vectors(0), true, index, chosen, x, im, s, s + d_padded, length(m));
        else
            kernels().add_chosen_rows(
                d_w.data(), d_padded, index, chosen, x, s, length(m));
    }
}

float largest_eigenvalue(size_t n, const std::function<void(const float*, float*)>& apply)
{
    // Lanczos with full reorthogonalization. The power method would stop short where
    // eigenvalues lie close together, as those of a Gaussian W do.
    const Eigen::Index steps = std::min<size_t>(n, 100);
    Eigen::MatrixXf basis(n, steps);
    Eigen::VectorXd diagonal(steps), off_diagonal(steps);
    Eigen::VectorXf q(n), next(n);
    random_engine engine = make_engine(1, 0);
    boost::random::normal_distribution<float> normal;
    for (float& value : q)
        value = normal(engine);
    q.normalize();
    double bound = 0;
    for (Eigen::Index k = 0; k < steps; k++) {
        basis.col(k) = q;
        apply(q.data(), next.data());
        diagonal[k] = q.cast<double>().dot(next.cast<double>());
        for (int pass = 0; pass < 2; pass++) {
            const Eigen::VectorXf parts = basis.leftCols(k + 1).transpose() * next;
            next -= basis.leftCols(k + 1) * parts;
        }
        off_diagonal[k] = next.cast<double>().norm();

        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> ritz;
        ritz.computeFromTridiagonal(diagonal.head(k + 1), off_diagonal.head(k));
        const double largest = ritz.eigenvalues()[k];
        // Some eigenvalue is not further from the Ritz value than this.
        const double residual = off_diagonal[k] * std::abs(ritz.eigenvectors()(k, k));
        bound = largest + residual;
        if (!(residual > 1e-6 * largest))
            break;
        q = next / off_diagonal[k];
    }
    return bound;
}

} // namespace csifeedback
} // namespace gr
