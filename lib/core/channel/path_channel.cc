/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/path_channel.h"
#include "channel/phasor.h"
#include "check.h"
#include "dsp/first_path.h"
#include "kernels/kernels.h"
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

// Width of the spreading kernel in points of the fine grid, and its shape parameter for
// an oversampling of two: relative error about 1e-6.
constexpr int kernel_width = 8;
constexpr double kernel_beta = 2.30 * kernel_width;
// Steps of its table from one point of the grid to the next: the error of linear
// interpolation between them is 1.5e-7.
constexpr int kernel_steps = 1024;

// The first path is the earliest one with this part of the strongest one's power: 20 dB
// less.
constexpr double path_ratio = 0.01;

double spreading_kernel(double z)
{
    const double inside = 1 - z * z;
    return inside > 0 ? std::exp(kernel_beta * (std::sqrt(inside) - 1)) : 0;
}

/*!
 * \brief gain / sqrt(count) * sum over n < count of exp(j 2 pi n (r - x) / count), for
 * the consecutive integers r from `first` on.
 *
 * With v = r - x the sum is exp(j pi (count - 1) v / count) sin(pi v) / sin(pi v / count)
 * = exp(j pi v) sin(pi v) (cot(pi v / count) - j), the first two factors of which are the
 * same for all r.
 * \param turn_re, turn_im exp(j pi i / count) of the rows i = 0, 1, ...
 */
void dirichlet(double x,
               int count,
               int first,
               int rows,
               std::complex<double> gain,
               const double* turn_re,
               const double* turn_im,
               float* out_re,
               float* out_im)
{
    const double v = first - x;
    const std::complex<double> half = phasor(v / 2), part = phasor(v / (2 * count));
    const double sine = half.imag(), cosine = half.real();
    const double a = part.real(), b = part.imag();
    const double norm = 1 / std::sqrt(double(count));
    const std::complex<double> common =
        gain * std::complex<double>(cosine * sine * norm, sine * sine * norm);
    const double common_re = common.real(), common_im = common.imag();
    for (int i = 0; i < rows; i++) {
        const double re = a * turn_re[i] - b * turn_im[i],
                     im = b * turn_re[i] + a * turn_im[i];
        const double cotangent = re / im;
        out_re[i] = common_re * cotangent + common_im;
        out_im[i] = common_im * cotangent - common_re;
    }
    // Close to the grid the cotangent of the nearest row is ill-conditioned.
    if (std::abs(sine) < 1e-3) {
        const double nearest = std::round(x), off = nearest - x;
        const int64_t i = ((int64_t(nearest) - first) % count + count) % count;
        if (i < rows) {
            const double ratio =
                off == 0 ? count
                         : phasor(off / 2).imag() / phasor(off / (2 * count)).imag();
            const std::complex<double> value =
                gain * phasor(off * (count - 1) / (2 * count)) * ratio * norm;
            out_re[i] = value.real();
            out_im[i] = value.imag();
        }
    }
}

} // namespace

path_channel::path_channel(const char* where,
                           const channel_grid& grid,
                           bool align,
                           bool normalize,
                           bool receiver_aligned)
    : d_grid(grid),
      d_align(align),
      d_normalize(normalize),
      d_receiver_aligned(receiver_aligned),
      d_fine(2 * size_t(grid.nc))
{
    check_range(where, "nc", grid.nc, 1, 65536);
    check_range(where, "nt", grid.nt, 1, 1024);
    if (!(grid.spacing_hz > 0 && grid.spacing_hz <= 1e12))
        throw_bad(where, "spacing_hz", grid.spacing_hz, "above 0, at most 1e12");
    if (!(grid.antenna_spacing > 0 && grid.antenna_spacing <= 1e3))
        throw_bad(
            where, "antenna_spacing", grid.antenna_spacing, "above 0, at most 1000");
    if (receiver_aligned && !align)
        throw_bad(where, "receiver_aligned", "true", "false where align is false");
    if (receiver_aligned)
        d_profiler = std::make_unique<delay_profiler>(grid.nc, grid.nt);
    d_fine = std::max<size_t>(d_fine, 2 * kernel_width);
    d_to_frequency = std::make_unique<fft_plan>(
        d_fine, grid.nt, 1, d_fine + kernel_width, 1, d_fine, FFTW_FORWARD, false, true);
    for (int i = 0; i < grid.nc; i++)
        d_row_turns.push_back(phasor(0.5 * i / grid.nc));
    for (int i = 0; i < grid.nt; i++)
        d_beam_turns.push_back(phasor(0.5 * i / grid.nt));
    for (int step = 0; step <= kernel_steps + 1; step++)
        for (int i = 0; i < kernel_width; i++)
            d_kernel.push_back(spreading_kernel(
                (i + double(step) / kernel_steps) / (kernel_width / 2.0) - 1));
    // The kernel's Fourier transform at each subcarrier, by the trapezoidal rule.
    d_deconvolve.resize(grid.nc);
    constexpr int points = 200;
    for (int k = 0; k < grid.nc; k++) {
        const double frequency = double(k - grid.nc / 2) / d_fine;
        double sum = 0;
        for (int i = -points + 1; i < points; i++) {
            const double z = double(i) / points;
            sum += spreading_kernel(z) *
                   std::cos(2 * M_PI * frequency * z * kernel_width / 2);
        }
        d_deconvolve[k] = 1 / (sum * kernel_width / 2 / points);
    }
}

double path_channel::received_delay(workspace& w) const
{
    const int bins = d_profiler->bins();
    w.h.resize(size_t(d_grid.nc) * d_grid.nt);
    w.profile.resize(bins);
    spread(w);
    collect(w, w.h.data());
    d_profiler->run(w.h.data(), w.delay, w.profile.data());
    return first_path(w.profile.data(), bins, path_ratio) / (bins * d_grid.spacing_hz);
}

double path_channel::draw_aligned(uint64_t index, workspace& w) const
{
    std::vector<propagation_path>& paths = w.paths;
    paths.clear();
    draw(index, paths);
    double strongest = 0, power = 0;
    for (const auto& p : paths) {
        strongest = std::max(strongest, std::norm(p.gain));
        power += std::norm(p.gain);
    }
    double shift = 0;
    if (d_align) {
        shift = std::numeric_limits<double>::infinity();
        for (const auto& p : paths)
            if (std::norm(p.gain) >= path_ratio * strongest)
                shift = std::min(shift, p.delay_s);
    }
    const double scale = d_normalize ? 1 / std::sqrt(power) : 1;
    for (auto& p : paths) {
        p.delay_s -= shift;
        p.gain *= scale;
    }
    if (d_receiver_aligned) {
        const double more = received_delay(w);
        for (auto& p : paths)
            p.delay_s -= more;
        shift += more;
    }
    return shift;
}

std::vector<propagation_path> path_channel::paths(uint64_t index) const
{
    workspace& w = borrow();
    draw_aligned(index, w);
    return w.paths;
}

// One for every thread, shared by all models.
path_channel::workspace& path_channel::borrow()
{
    static thread_local workspace w;
    return w;
}

void path_channel::spread(workspace& w) const
{
    const size_t nt = d_grid.nt, stride = d_fine + kernel_width;
    w.grid.resize(stride * nt);
    std::memset(static_cast<void*>(w.grid.data()), 0, w.grid.size() * sizeof(w.grid[0]));
    for (const auto& p : w.paths) {
        // Delays are known modulo 1 / spacing; subcarriers are counted from the middle
        // one.
        double turn = p.delay_s * d_grid.spacing_hz;
        std::complex<double> antenna = p.gain * phasor(-turn * (d_grid.nc / 2));
        const std::complex<double> step = phasor(-d_grid.antenna_spacing * p.u);
        turn -= std::floor(turn);
        const double position = turn * d_fine;
        const int64_t first = std::ceil(position - kernel_width / 2.0);
        const double place = (first - position + kernel_width / 2.0) * kernel_steps;
        const int entry = place;
        const float part = place - entry;
        const float* w0 = d_kernel.data() + entry * kernel_width;
        float weight[2 * kernel_width];
        for (int i = 0; i < kernel_width; i++)
            weight[2 * i] = weight[2 * i + 1] =
                w0[i] + part * (w0[i + kernel_width] - w0[i]);
        // Points beyond the end are added to the first ones below.
        const size_t start = (first + int64_t(d_fine)) % int64_t(d_fine);
        float* to = reinterpret_cast<float*>(w.grid.data() + start);
        for (size_t n = 0; n < nt; n++, to += 2 * stride) {
            // Four at a time, as the compiler does it: no instruction set lacks that.
            const float re = antenna.real(), im = antenna.imag();
            const float value[4] = { re, im, re, im };
            for (int i = 0; i < 2 * kernel_width; i++)
                to[i] += weight[i] * value[i % 4];
            antenna *= step;
        }
    }
    for (size_t n = 0; n < nt; n++)
        for (size_t i = 0; i < kernel_width; i++)
            w.grid[n * stride + i] += w.grid[n * stride + d_fine + i];
    w.spectrum.resize(d_fine * nt);
    d_to_frequency->run(w.grid.data(), w.spectrum.data());
}

double path_channel::collect(workspace& w, std::complex<float>* H) const
{
    // The bins of subcarriers 0 to nc - 1 are nc / 2 before zero and those after it.
    const size_t nt = d_grid.nt, nc = d_grid.nc, before = nc / 2;
    double energy = 0;
    for (size_t n = 0; n < nt; n++) {
        std::complex<float>* bins = w.spectrum.data() + n * d_fine;
        for (int half = 0; half < 2; half++) {
            std::complex<float>* x = half ? bins : bins + d_fine - before;
            const float* factor = d_deconvolve.data() + (half ? before : 0);
            const size_t count = half ? nc - before : before;
            if (count == 0)
                continue;
            // Not volk_32fc_32f_multiply_32fc(): for unaligned data VOLK 2.5 takes a
            // kernel of ORC that leaves the thread flushing subnormal numbers to zero.
            for (size_t k = 0; k < count; k++)
                x[k] *= factor[k];
            float sum = 0;
            const float* y = reinterpret_cast<const float*>(x);
            volk_32f_x2_dot_prod_32f(&sum, y, y, 2 * count);
            energy += sum;
        }
    }
    if (H) {
        // Transposed in blocks that stay in the cache.
        constexpr size_t block = 32;
        for (size_t from = 0; from < nc; from += block)
            for (size_t n = 0; n < nt; n++)
                for (size_t k = from; k < std::min(nc, from + block); k++)
                    H[k * nt + n] =
                        w.spectrum[n * d_fine + (k + d_fine - before) % d_fine];
    }
    return energy;
}

void path_channel::generate(uint64_t index,
                            std::complex<float>* H,
                            channel_sample_info* info) const
{
    workspace& w = borrow();
    const double shift = draw_aligned(index, w);
    spread(w);
    const double energy = collect(w, H);
    if (info)
        *info = { shift, energy, 0 };
}

void path_channel::generate_truncated(uint64_t index,
                                      int na,
                                      int precursor,
                                      std::complex<float>* Ha,
                                      channel_sample_info* info) const
{
    check_range("generate_truncated", "na", na, 1, d_grid.nc);
    check_range("generate_truncated", "precursor", precursor, 0, na - 1);
    workspace& w = borrow();
    const double shift = draw_aligned(index, w);
    const size_t count = w.paths.size(), nt = d_grid.nt, columns = whole_registers(nt);
    w.row.resize(count * na);
    w.row_re.resize(na);
    w.row_im.resize(na);
    w.column_re.assign(count * columns, 0);
    w.column_im.assign(count * columns, 0);
    for (size_t p = 0; p < count; p++) {
        const propagation_path& path = w.paths[p];
        dirichlet(path.delay_s * d_grid.spacing_hz * d_grid.nc,
                  d_grid.nc,
                  -precursor,
                  na,
                  path.gain,
                  d_row_turns.re.data(),
                  d_row_turns.im.data(),
                  w.row_re.data(),
                  w.row_im.data());
        volk_32f_x2_interleave_32fc(
            w.row.data() + p * na, w.row_re.data(), w.row_im.data(), na);
        // The DFT over the antennas has the other sign: this is its conjugate.
        dirichlet(-path.u * d_grid.antenna_spacing * nt,
                  nt,
                  0,
                  nt,
                  1.0,
                  d_beam_turns.re.data(),
                  d_beam_turns.im.data(),
                  w.column_re.data() + p * columns,
                  w.column_im.data() + p * columns);
        for (size_t m = 0; m < nt; m++)
            w.column_im[p * columns + m] = -w.column_im[p * columns + m];
    }
    w.out_re.resize(na * columns);
    w.out_im.resize(na * columns);
    kernels().sum_of_products(reinterpret_cast<const float*>(w.row.data()),
                              w.column_re.data(),
                              w.column_im.data(),
                              count,
                              na,
                              columns,
                              w.out_re.data(),
                              w.out_im.data());
    for (int r = 0; r < na; r++)
        volk_32f_x2_interleave_32fc(Ha + r * nt,
                                    w.out_re.data() + r * columns,
                                    w.out_im.data() + r * columns,
                                    nt);
    if (info) {
        double kept = 0;
        for (int r = 0; r < na; r++) {
            float sum = 0;
            const float* row = reinterpret_cast<const float*>(Ha + r * nt);
            volk_32f_x2_dot_prod_32f(&sum, row, row, 2 * nt);
            kept += sum;
        }
        spread(w);
        const double whole = collect(w, nullptr);
        *info = { shift, whole, std::max(0.0, 1 - kept / whole) };
    }
}

} // namespace csifeedback
} // namespace gr
