/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "check.h"
#include "codec/builtin_codecs.h"
#include "kernels/kernels.h"
#include "report/paths/path_geometry.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace gr {
namespace csifeedback {

namespace {

constexpr const char* whole_codec = "path-whole";
// Subcarriers of a block in rebuild().
constexpr size_t block_rows = 64;

} // namespace

path_geometry::path_geometry(const char* where, const model_file::sptr& file)
{
    not_null(where, "model", file);
    const bool is_whole = file->codec() == whole_codec;
    check_codec(where, *file, is_whole ? whole_codec : "path");
    if (file->domain() != (is_whole ? "H" : "Ha"))
        throw_bad(where, "domain of the model", file->domain(), is_whole ? "H" : "Ha");
    if (!is_whole && !file->array().is_line())
        throw_bad(where,
                  "array of the model",
                  file->array().text(),
                  "a line of ports: a path has one angle here");
    model = std::make_shared<path_model>(*file);
    rows = std::make_shared<dirichlet_axis>(model->na(), file->nc(), model->margin());
    columns = std::make_shared<dirichlet_axis>(file->nt(), file->nt(), 0);
    info = { file->codec(),
             codec_number(where, file->codec()),
             file->model_id(),
             file->domain(),
             file->na(),
             file->nt(),
             0,
             file->nc(),
             file->precursor(),
             file->array() };
    const int nt = info.nt, size = this->size();
    for (int r = 0; r < rows->size(); r++)
        for (int c = 0; c < nt; c++) {
            const std::complex<float> turn =
                rows->phase(r) * std::conj(columns->phase(c));
            d_re.push_back(turn.real());
            d_im.push_back(turn.imag());
        }
    norm = std::sqrt(float(info.rows) * nt);
    load_response(*file);
    if (is_whole) {
        d_transform = angular_delay_transform::make(
            file->nc(), nt, rows->size(), model->precursor());
        d_whole.resize(size_t(info.rows) * nt);
        for (int c = 0; c < nt; c++) {
            const std::complex<float> x =
                d_response.empty() ? 1.0f : 1.0f / d_response[c];
            d_inverse.push_back(x.real());
            d_inverse.push_back(x.imag());
        }
        d_window.resize(size);
    } else if (!d_response.empty()) {
        d_divide = circulant(true);
        d_multiply = circulant(false);
        for (auto& work : d_work)
            work.resize(rows->size() * width(), 0.0f);
    }
}

void path_geometry::load_response(const model_file& file)
{
    if (!file.has("encoder/array"))
        return;
    const float_array array = file.read("encoder/array", { size_t(info.nt), 2 });
    constexpr float least = 0.01f, most = 100;
    for (int c = 0; c < info.nt; c++) {
        const std::complex<float> x(array.data[2 * c], array.data[2 * c + 1]);
        if (!(std::abs(x) >= least && std::abs(x) <= most))
            throw_bad(
                "path", "encoder/array: magnitude", std::abs(x), "from 0.01 to 100");
        d_response.push_back(x);
    }
}

// The product with the responses of the antennas, or its inverse, between DFTs.
volk::vector<float> path_geometry::circulant(bool divide) const
{
    const int nt = info.nt;
    const size_t half = columns->stride(), w = width();
    volk::vector<float> result(w * w, 0.0f);
    for (int shift = 0; shift < nt; shift++) {
        std::complex<double> sum = 0;
        for (int c = 0; c < nt; c++) {
            const std::complex<double> r = d_response[c];
            sum += (divide ? 1.0 / r : r) * phasor(double(c) * shift / nt);
        }
        sum /= nt;
        for (int m = 0; m < nt; m++) {
            const size_t n = (m - shift + nt) % nt;
            result[m * w + n] = result[(half + m) * w + half + n] = sum.real();
            result[m * w + half + n] = sum.imag();
            result[(half + m) * w + n] = -sum.imag();
        }
    }
    return result;
}

const float*
path_geometry::product(const float* from, const volk::vector<float>& matrix, float* to)
{
    const size_t w = width();
    kernels().gemm(
        from, w, matrix.data(), w, nullptr, 0, to, w, rows->size(), w, w, false);
    return to;
}

void path_geometry::load(const float* h_vec, float* h)
{
    const int nt = info.nt, n = info.rows * nt;
    const size_t half = columns->stride(), w = width();
    const auto turn = [&](int r, int c, float x, float y) {
        const float u = d_re[r * nt + c], v = d_im[r * nt + c];
        h[r * w + c] = x * u - y * v;
        h[r * w + half + c] = x * v + y * u;
    };
    if (is_whole()) {
        for (int i = 0; i < n; i += nt)
            for (int c = 0; c < nt; c++) {
                const float x = h_vec[i + c], y = h_vec[n + i + c];
                const float u = d_inverse[2 * c], v = d_inverse[2 * c + 1];
                d_whole[i + c] = { x * u - y * v, x * v + y * u };
            }
        d_transform->forward(d_whole.data(), d_window.data());
        for (int r = 0; r < rows->size(); r++)
            for (int c = 0; c < nt; c++)
                turn(r, c, d_window[r * nt + c].real(), d_window[r * nt + c].imag());
        return;
    }
    if (d_response.empty()) {
        for (int r = 0; r < info.rows; r++)
            for (int c = 0; c < nt; c++)
                turn(r, c, h_vec[r * nt + c], h_vec[n + r * nt + c]);
        return;
    }
    float* from = d_work[0].data();
    for (int r = 0; r < info.rows; r++) {
        std::copy_n(h_vec + r * nt, nt, from + r * w);
        std::copy_n(h_vec + n + r * nt, nt, from + r * w + half);
    }
    const float* x = product(from, d_divide, d_work[1].data());
    for (int r = 0; r < info.rows; r++)
        for (int c = 0; c < nt; c++)
            turn(r, c, x[r * w + c], x[r * w + half + c]);
}

void path_geometry::store(const float* h, float* h_vec)
{
    const int nt = info.nt, n = info.rows * nt;
    const size_t half = columns->stride(), w = width();
    const bool is_ideal = d_response.empty();
    float* to = is_ideal ? nullptr : d_work[0].data();
    for (int r = 0; r < info.rows; r++, h += w) {
        float *x = is_ideal ? h_vec + r * nt : to + r * w,
              *y = is_ideal ? h_vec + n + r * nt : to + r * w + half;
        const float *u = &d_re[r * nt], *v = &d_im[r * nt];
        for (int c = 0; c < nt; c++) {
            x[c] = h[c] * u[c] + h[half + c] * v[c];
            y[c] = h[half + c] * u[c] - h[c] * v[c];
        }
    }
    if (is_ideal)
        return;
    const float* x = product(to, d_multiply, d_work[1].data());
    for (int r = 0; r < info.rows; r++) {
        std::copy_n(x + r * w, nt, h_vec + r * nt);
        std::copy_n(x + r * w + half, nt, h_vec + n + r * nt);
    }
}

void path_geometry::reserve_waves(size_t most)
{
    d_ramps.resize(block_rows * 2 * most);
    d_turn.resize(2 * most);
    d_antennas.resize(info.nt);
    std::iota(d_antennas.begin(), d_antennas.end(), 0.0);
    d_steering.resize(2 * most * width());
    d_block.resize(block_rows * width());
}

void path_geometry::steer(const wave& one,
                          const double* antennas,
                          size_t count,
                          size_t half,
                          float* re,
                          float* im) const
{
    const std::complex<double> gain =
        std::complex<double>(one.gain) / std::sqrt(double(info.nc) * info.nt);
    // Between antennas the angle counts as one of a line with half a wavelength.
    const double nt = info.nt, angle = one.angle < nt / 2 ? one.angle : one.angle - nt;
    for (size_t c = 0; c < count; c++) {
        std::complex<double> x = gain * phasor(antennas[c] * angle / nt);
        if (!d_response.empty() && antennas[c] >= 0 && antennas[c] < nt &&
            antennas[c] == std::floor(antennas[c]))
            x *= std::complex<double>(d_response[size_t(antennas[c])]);
        re[c] = x.real();
        re[half + c] = x.imag();
        im[c] = -x.imag();
        im[half + c] = x.real();
    }
}

// H is a product: phases over the subcarriers, and gains with phases over the antennas.
void path_geometry::rebuild(const wave* waves, size_t count, float* h_vec)
{
    const size_t nt = info.nt, n = size_t(info.rows) * nt, half = columns->stride(),
                 w = width(), nc = info.rows;
    if (!count) {
        std::fill_n(h_vec, 2 * n, 0.0f);
        return;
    }
    std::fill_n(d_steering.begin(), 2 * count * w, 0.0f);
    for (size_t k = 0; k < count; k++) {
        steer(waves[k],
              d_antennas.data(),
              nt,
              half,
              &d_steering[k * w],
              &d_steering[(count + k) * w]);
        const auto turn = phasor(-double(waves[k].delay) / nc);
        d_turn[k] = turn.real();
        d_turn[count + k] = turn.imag();
    }
    const float *u = d_turn.data(), *v = u + count;
    for (size_t begin = 0; begin < nc; begin += block_rows) {
        const size_t some = std::min(block_rows, nc - begin);
        float* x = d_ramps.data();
        for (size_t k = 0; k < count; k++) {
            const auto start = phasor(-double(waves[k].delay) * begin / nc);
            x[k] = start.real();
            x[count + k] = start.imag();
        }
        for (size_t f = 1; f < some; f++, x += 2 * count) {
            float* next = x + 2 * count;
            for (size_t k = 0; k < count; k++) {
                next[k] = x[k] * u[k] - x[count + k] * v[k];
                next[count + k] = x[k] * v[k] + x[count + k] * u[k];
            }
        }
        kernels().gemm(d_ramps.data(),
                       2 * count,
                       d_steering.data(),
                       w,
                       nullptr,
                       0,
                       d_block.data(),
                       w,
                       some,
                       2 * count,
                       w,
                       false);
        for (size_t f = 0; f < some; f++) {
            std::copy_n(&d_block[f * w], nt, h_vec + (begin + f) * nt);
            std::copy_n(&d_block[f * w + half], nt, h_vec + n + (begin + f) * nt);
        }
    }
}

std::vector<std::complex<float>>
path_geometry::response(const std::vector<wave>& waves,
                        const std::vector<double>& subcarriers,
                        const std::vector<double>& antennas) const
{
    const size_t count = waves.size(), na = antennas.size(), nf = subcarriers.size();
    std::vector<std::complex<float>> result(nf * na);
    if (result.empty() || !count)
        return result;
    const size_t half = whole_registers(na), w = 2 * half;
    volk::vector<float> steering(2 * count * w, 0.0f), ramps(block_rows * 2 * count),
        block(block_rows * w);
    for (size_t k = 0; k < count; k++)
        steer(waves[k],
              antennas.data(),
              na,
              half,
              &steering[k * w],
              &steering[(count + k) * w]);
    // Delays of Ha are from its first row on, here from delay zero on.
    const double first = is_whole() ? 0 : info.precursor;
    for (size_t begin = 0; begin < nf; begin += block_rows) {
        const size_t some = std::min(block_rows, nf - begin);
        for (size_t f = 0; f < some; f++)
            for (size_t k = 0; k < count; k++) {
                const auto x =
                    phasor((first - waves[k].delay) * subcarriers[begin + f] / info.nc);
                ramps[f * 2 * count + k] = x.real();
                ramps[f * 2 * count + count + k] = x.imag();
            }
        kernels().gemm(ramps.data(),
                       2 * count,
                       steering.data(),
                       w,
                       nullptr,
                       0,
                       block.data(),
                       w,
                       some,
                       2 * count,
                       w,
                       false);
        for (size_t f = 0; f < some; f++)
            for (size_t c = 0; c < na; c++)
                result[(begin + f) * na + c] = { block[f * w + c],
                                                 block[f * w + half + c] };
    }
    return result;
}

} // namespace csifeedback
} // namespace gr
