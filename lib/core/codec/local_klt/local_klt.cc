/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "codec/linear/projection.h"
#include "codec/local_klt/local_klt.h"
#include "kernels/kernels.h"
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace gr {
namespace csifeedback {

local_klt::side local_klt::load(const char* where,
                                const model_file& model,
                                const char* name,
                                int size,
                                size_t width,
                                bool transposed,
                                bool conjugate) const
{
    const std::string group = std::string("encoder/") + name;
    const float_array u =
        model.read(group + "_basis", { 0, size_t(size), size_t(size), 2 });
    side s;
    s.size = size;
    s.width = width;
    s.count = u.shape[0];
    while (1 << s.bits < s.count)
        s.bits++;
    if (1 << s.bits != s.count || s.bits > 12)
        throw_bad(where,
                  (std::string(name) + "_basis: patches").c_str(),
                  s.count,
                  "a power of 2 up to 4096");
    s.variance = model.read(group + "_variance", { size_t(s.count), size_t(size) }).data;
    // Of mean 1, and unit vectors: no product of them overflows.
    for (const float v : s.variance)
        check_range(where, (group + "_variance").c_str(), v, 0.0f, 1e6f);
    for (const float x : u.data)
        check_range(where, (group + "_basis").c_str(), x, -1.01f, 1.01f);
    s.basis.resize(size_t(s.count) * 3 * size * width);
    std::fill(s.basis.begin(), s.basis.end(), 0.0f);
    for (int p = 0; p < s.count; p++) {
        float* m = s.basis.data() + size_t(p) * 3 * size * width;
        for (int k = 0; k < size; k++)
            for (int a = 0; a < size; a++) {
                const float* x = u.data.data() + 2 * ((size_t(p) * size + k) * size + a);
                const size_t at = transposed ? a * width + k : k * width + a;
                const float im = conjugate ? -x[1] : x[1];
                m[at] = x[0];
                m[size * width + at] = im;
                m[2 * size * width + at] = -im;
            }
    }
    return s;
}

void local_klt::prepare(side& s, float noise) const
{
    // The basis is conj(U), or its transpose: with rows u_k of U the covariance is
    // the sum of variance_k u_k u_k^H, and its inverse with noise that of 1 /
    // (variance_k + noise).
    const size_t n = s.size;
    const bool transposed = &s == &d_columns;
    s.inverse.emplace_back(s.count * 2 * n * n);
    s.log_determinant.emplace_back();
    for (int p = 0; p < s.count; p++) {
        Eigen::MatrixXcd u(n, n);
        for (size_t k = 0; k < n; k++)
            for (size_t a = 0; a < n; a++) {
                const size_t at = transposed ? a * s.width + k : k * s.width + a;
                u(k, a) = { s.matrix(p, 0)[at], s.matrix(p, 2)[at] };
            }
        Eigen::VectorXd weight(n);
        double log_determinant = 0;
        for (size_t k = 0; k < n; k++) {
            const double total = double(s.variance[p * n + k]) + noise;
            weight(k) = 1 / total;
            log_determinant += std::log(total);
        }
        const Eigen::MatrixXcd inverse =
            u.transpose() * weight.asDiagonal() * u.conjugate();
        float* out = s.inverse.back().data() + p * 2 * n * n;
        for (size_t a = 0; a < n; a++)
            for (size_t b = 0; b < n; b++) {
                out[a * n + b] = inverse(a, b).real();
                out[n * n + a * n + b] = inverse(a, b).imag();
            }
        s.log_determinant.back().push_back(log_determinant);
    }
}

local_klt::local_klt(const char* where,
                     const model_file& model,
                     int code_size,
                     bool forward,
                     const std::vector<float>& chosen_noises)
    : codec(model.codec()),
      codec_id(codec_number(where, codec)),
      model_id(model.model_id()),
      domain(model.domain()),
      na(model.na()),
      nt(model.nt()),
      nc(model.nc()),
      precursor(model.precursor()),
      array(model.array()),
      d_stride(whole_registers(nt))
{
    check_codec(where, model, "local-klt");
    d_amplitude = model.read("encoder/amplitude", { 1 }).data[0];
    if (!(d_amplitude > 0))
        throw_bad(where, "encoder/amplitude", d_amplitude, "more than 0");
    // Forward: conj(U) H conj(W)^T; back: U^T Z W.
    d_rows = load(where, model, "rows", na, na, !forward, forward);
    d_columns = load(where, model, "columns", nt, d_stride, forward, forward);
    // As many as there are quantizers for.
    const size_t room = std::min<size_t>(65535, bits() + 2 * size_t(na) * nt);
    const int largest = model.has("quantizer/std")
                            ? std::min(room, model.read("quantizer/std", { 0 }).shape[0])
                            : room;
    check_range(where, "code_size", code_size, 0, largest);
    if (code_size && code_size <= bits())
        throw_bad(where,
                  "code_size",
                  code_size,
                  "more than " + std::to_string(bits()) + ", which tell the patch");
    d_code_size = code_size ? code_size : largest;
    d_power.resize(size_t(na) * nt);
    d_order.resize(size_t(na) * nt);
    d_work.resize(2 * plane());
    if (!forward)
        return;
    std::vector<float> used = chosen_noises;
    if (used.empty()) {
        // That of the codeword length nearest to this one.
        const std::vector<float> rates = model.read("encoder/rates", { 0 }).data;
        const std::vector<float> noises =
            model.read("encoder/noise", { rates.size() }).data;
        size_t nearest = 0;
        for (size_t i = 0; i < rates.size(); i++) {
            if (!(rates[i] >= 1))
                throw_bad(where, "encoder/rates", rates[i], "1 or more");
            if (!(noises[i] > 0))
                throw_bad(where, "encoder/noise", noises[i], "more than 0");
            if (std::abs(std::log(rates[i] / d_code_size)) <
                std::abs(std::log(rates[nearest] / d_code_size)))
                nearest = i;
        }
        used.push_back(noises[nearest]);
    }
    for (const float noise : used) {
        prepare(d_rows, noise);
        prepare(d_columns, noise);
    }
    const size_t rows_padded = whole_registers(na);
    d_work.resize(std::max(2 * plane(), 4 * std::max(plane(), nt * rows_padded)));
    const size_t n = std::max(na, nt);
    d_covariance.resize(2 * n * n);
    d_scores.resize(std::max(d_rows.count, d_columns.count));
    d_ranked.resize(d_scores.size());
}

// The negative logarithms of the likelihoods, but for a constant factor.
void local_klt::score(const side& s,
                      size_t noise,
                      const float* upper,
                      const float* turned,
                      size_t depth,
                      float scale)
{
    const size_t n = s.size;
    std::fill_n(d_covariance.data(), 2 * n * n, 0.0f);
    const auto dot_products = kernels().add_dot_products;
    dot_products(upper, depth, upper, depth, d_covariance.data(), n, n, n, depth);
    dot_products(
        turned, depth, upper, depth, d_covariance.data() + n * n, n, n, n, depth);
    std::fill_n(d_scores.data(), s.count, 0.0f);
    kernels().gemv(s.inverse[noise].data(),
                   2 * n * n,
                   d_covariance.data(),
                   d_scores.data(),
                   s.count,
                   2 * n * n);
    for (int p = 0; p < s.count; p++)
        d_scores[p] = d_scores[p] * scale + s.log_determinant[noise][p];
}

// The products of these rows are the real and imaginary parts of the covariance.
size_t local_klt::rows_for_score(const float* re, const float* im)
{
    const size_t depth = 2 * d_stride;
    float *upper = d_work.data(), *turned = upper + na * depth;
    for (int a = 0; a < na; a++)
        for (size_t n = 0; n < d_stride; n++) {
            upper[a * depth + n] = turned[a * depth + d_stride + n] =
                re[a * d_stride + n];
            upper[a * depth + d_stride + n] = turned[a * depth + n] =
                im[a * d_stride + n];
            turned[a * depth + d_stride + n] *= -1;
        }
    return depth;
}

size_t local_klt::columns_for_score(const float* re, const float* im)
{
    const size_t width = whole_registers(na), depth = 2 * width;
    float *upper = d_work.data(), *turned = upper + nt * depth;
    std::fill_n(upper, 2 * nt * depth, 0.0f);
    for (int a = 0; a < na; a++)
        for (int n = 0; n < nt; n++) {
            const float x = re[a * d_stride + n], y = im[a * d_stride + n];
            upper[n * depth + a] = x;
            upper[n * depth + width + a] = y;
            turned[n * depth + a] = y;
            turned[n * depth + width + a] = -x;
        }
    return depth;
}

int local_klt::best_score(const side& s) const
{
    return std::min_element(d_scores.begin(), d_scores.begin() + s.count) -
           d_scores.begin();
}

void local_klt::sort_scores(const side& s, std::vector<int>& best)
{
    const size_t count = std::min<size_t>(best.size(), s.count);
    std::iota(d_ranked.begin(), d_ranked.begin() + s.count, 0);
    std::partial_sort(d_ranked.begin(),
                      d_ranked.begin() + count,
                      d_ranked.begin() + s.count,
                      [this](int a, int b) {
                          return d_scores[a] != d_scores[b] ? d_scores[a] < d_scores[b]
                                                            : a < b;
                      });
    best.assign(d_ranked.begin(), d_ranked.begin() + count);
}

void local_klt::choose(const float* re,
                       const float* im,
                       int& row_patch,
                       int& column_patch)
{
    size_t depth = rows_for_score(re, im);
    score(d_rows, 0, d_work.data(), &d_work[na * depth], depth, 1.0f / nt);
    row_patch = best_score(d_rows);
    depth = columns_for_score(re, im);
    score(d_columns, 0, d_work.data(), &d_work[nt * depth], depth, 1.0f / na);
    column_patch = best_score(d_columns);
}

void local_klt::rank(const float* re,
                     const float* im,
                     size_t noise,
                     std::vector<int>& rows,
                     std::vector<int>& columns)
{
    size_t depth = rows_for_score(re, im);
    score(d_rows, noise, d_work.data(), &d_work[na * depth], depth, 1.0f / nt);
    sort_scores(d_rows, rows);
    depth = columns_for_score(re, im);
    score(d_columns, noise, d_work.data(), &d_work[nt * depth], depth, 1.0f / na);
    sort_scores(d_columns, columns);
}

void local_klt::transform(int row_patch,
                          int column_patch,
                          const float* re,
                          const float* im,
                          float* out_re,
                          float* out_im)
{
    const size_t stride = d_stride, rows = na, columns = nt;
    float *mid_re = d_work.data(), *mid_im = mid_re + plane();
    // (A + jB)(C + jD) = AC - BD + j (AD + BC), first with the rows' basis on the
    // left.
    const auto product = [&](const float* a,
                             size_t a_stride,
                             const float* b,
                             size_t b_stride,
                             const float* start,
                             float* c,
                             size_t depth) {
        kernels().gemm(a,
                       a_stride,
                       b,
                       b_stride,
                       start,
                       stride,
                       c,
                       stride,
                       rows,
                       depth,
                       stride,
                       false);
    };
    const float* u[] = { d_rows.matrix(row_patch, 0),
                         d_rows.matrix(row_patch, 1),
                         d_rows.matrix(row_patch, 2) };
    const float* w[] = { d_columns.matrix(column_patch, 0),
                         d_columns.matrix(column_patch, 1),
                         d_columns.matrix(column_patch, 2) };
    product(u[0], rows, re, stride, nullptr, mid_re, rows);
    product(u[2], rows, im, stride, mid_re, mid_re, rows);
    product(u[0], rows, im, stride, nullptr, mid_im, rows);
    product(u[1], rows, re, stride, mid_im, mid_im, rows);
    product(mid_re, stride, w[0], stride, nullptr, out_re, columns);
    product(mid_im, stride, w[2], stride, out_re, out_re, columns);
    product(mid_re, stride, w[1], stride, nullptr, out_im, columns);
    product(mid_im, stride, w[0], stride, out_im, out_im, columns);
}

const uint32_t* local_klt::order(int row_patch, int column_patch, size_t count)
{
    const float* row = d_rows.variance.data() + size_t(row_patch) * na;
    const float* column = d_columns.variance.data() + size_t(column_patch) * nt;
    for (int k = 0; k < na; k++)
        for (int j = 0; j < nt; j++)
            d_power[size_t(k) * nt + j] = row[k] * column[j];
    std::iota(d_order.begin(), d_order.end(), 0);
    const auto before = [this](uint32_t a, uint32_t b) {
        return d_power[a] != d_power[b] ? d_power[a] > d_power[b] : a < b;
    };
    if (count < d_order.size())
        std::nth_element(d_order.begin(), d_order.begin() + count, d_order.end(), before);
    std::sort(d_order.begin(), d_order.begin() + count, before);
    for (size_t i = 0; i < count; i++)
        d_order[i] = d_order[i] / nt * d_stride + d_order[i] % nt;
    return d_order.data();
}

void local_klt::write_patches(int row_patch, int column_patch, float* s, int m) const
{
    const int both = row_patch | column_patch << d_rows.bits;
    for (int i = 0; i < std::min(m, bits()); i++)
        s[i] = both >> i & 1 ? d_amplitude : -d_amplitude;
}

void local_klt::read_patches(const float* s,
                             int m,
                             int& row_patch,
                             int& column_patch) const
{
    int both = 0;
    for (int i = 0; i < std::min(m, bits()); i++)
        both |= int(s[i] > 0) << i;
    row_patch = both & ((1 << d_rows.bits) - 1);
    column_patch = both >> d_rows.bits;
}

} // namespace csifeedback
} // namespace gr
