/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "ofdm/mimo_filter.h"
#include <Eigen/Cholesky>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cd = std::complex<double>;

// About the size with the fewest operations per sample.
int fft_size_for(int taps)
{
    int size = 1024;
    while (size < 8 * taps)
        size *= 2;
    return size;
}

} // namespace

mimo_filter::mimo_filter(int nt, int nr, int taps)
    : d_nt(nt),
      d_nr(nr),
      d_taps(taps),
      d_size(fft_size_for(taps)),
      // Not in place: FFTW allocates memory for such plans at every run.
      d_forward(d_size, 1, 1, 0, 1, 0, FFTW_FORWARD, false, true),
      d_backward(d_size, 1, 1, 0, 1, 0, FFTW_BACKWARD, false, true),
      d_response(size_t(nr) * nt * d_size),
      d_sum(size_t(nr) * d_size),
      d_block(d_size),
      d_spectrum(d_size),
      d_product(d_size)
{
}

void mimo_filter::set_taps(const cf* taps)
{
    for (size_t i = 0; i < size_t(d_nr) * d_nt; i++) {
        cf* response = &d_response[i * d_size];
        for (int d = 0; d < d_taps; d++)
            d_block[d] = taps[i * d_taps + d] / float(d_size);
        std::fill_n(d_block.begin() + d_taps, d_size - d_taps, cf(0));
        d_forward.run(d_block.data(), response);
    }
}

void mimo_filter::run(const cf* const* in, cf* const* out, size_t offset, size_t count)
{
    const size_t past = d_taps - 1;
    for (size_t done = 0; done < count;) {
        const size_t here = std::min<size_t>(count - done, d_size - past);
        std::fill(d_sum.begin(), d_sum.end(), cf(0));
        for (int n = 0; n < d_nt; n++) {
            std::copy_n(in[n] + done, past + here, d_block.begin());
            std::fill(d_block.begin() + past + here, d_block.end(), cf(0));
            d_forward.run(d_block.data(), d_spectrum.data());
            for (int r = 0; r < d_nr; r++) {
                cf* sum = &d_sum[size_t(r) * d_size];
                volk_32fc_x2_multiply_32fc(d_product.data(),
                                           d_spectrum.data(),
                                           &d_response[(size_t(r) * d_nt + n) * d_size],
                                           d_size);
                volk_32f_x2_add_32f(reinterpret_cast<float*>(sum),
                                    reinterpret_cast<float*>(sum),
                                    reinterpret_cast<float*>(d_product.data()),
                                    2 * d_size);
            }
        }
        for (int r = 0; r < d_nr; r++) {
            cf* sum = &d_sum[size_t(r) * d_size];
            d_backward.run(sum, d_block.data());
            std::copy_n(d_block.data() + past, here, out[r] + offset + done);
        }
        done += here;
    }
}

namespace {

constexpr int kernel_steps = 1024;
constexpr double attenuation_db = 100;

} // namespace

ray_interpolator::ray_interpolator(double sample_rate, double band)
    : d_sample_rate(sample_rate)
{
    // Kaiser's formulas, with a transition from the band's edge to its first image.
    const double width = 2 * M_PI * (1 - band);
    const int length = std::ceil((attenuation_db - 8) / (2.285 * width));
    d_half = std::min(48, std::max(8, length / 2 + 1));
    const double beta =
        0.1102 * (std::min(attenuation_db, 8 + 2.285 * width * 2 * d_half) - 8.7);
    const double norm = std::cyl_bessel_i(0.0, std::max(0.0, beta));
    d_kernel.resize(2 * d_half * kernel_steps + 2);
    for (size_t i = 0; i < d_kernel.size(); i++) {
        const double t = double(i) / kernel_steps - d_half;
        const double x = t / d_half, inside = std::max(0.0, 1 - x * x);
        const double sinc = t == 0 ? 1 : std::sin(M_PI * t) / (M_PI * t);
        d_kernel[i] =
            sinc * std::cyl_bessel_i(0.0, std::max(0.0, beta) * std::sqrt(inside)) / norm;
    }
}

double ray_interpolator::make(const std::vector<propagation_path>& paths,
                              const channel_grid& grid,
                              cf* taps,
                              int count) const
{
    std::fill_n(taps, size_t(grid.nt) * count, cf(0));
    double all = 0, lost = 0;
    float weight[2 * 48 + 1];
    for (const propagation_path& p : paths) {
        const double power = std::norm(p.gain);
        all += power;
        const double position = p.delay_s * d_sample_rate;
        // The first tap of the kernel: half of it before the ray, and the lead after.
        const double begin = std::ceil(position);
        if (!(begin >= -precursor && begin + precursor + 2 * d_half <= count)) {
            lost += power;
            continue;
        }
        const int first = begin + precursor;
        for (int i = 0; i < 2 * d_half; i++) {
            const double place = (begin + i - position) * kernel_steps;
            const size_t entry = place;
            const double part = place - entry;
            weight[i] = d_kernel[entry] + part * (d_kernel[entry + 1] - d_kernel[entry]);
        }
        // Phases are those of row 0, which lies nc / 2 rows below the middle.
        cd antenna = p.gain * phasor(-p.delay_s * grid.spacing_hz * (grid.nc / 2));
        const cd step = phasor(-grid.antenna_spacing * p.u);
        for (int n = 0; n < grid.nt; n++) {
            const cf value(antenna);
            cf* to = taps + size_t(n) * count + first;
            for (int i = 0; i < 2 * d_half; i++)
                to[i] += value * weight[i];
            antenna *= step;
        }
    }
    return all > 0 ? lost / all : 0;
}

response_fit::response_fit(const channel_grid& grid,
                           double sample_rate,
                           int lead,
                           int count)
    : d_nc(grid.nc), d_nt(grid.nt), d_count(count), d_inverse(size_t(count) * grid.nc)
{
    const double step = grid.spacing_hz / sample_rate;
    Eigen::MatrixXcd f(d_nc, count);
    for (int k = 0; k < d_nc; k++)
        for (int d = 0; d < count; d++)
            f(k, d) = phasor(-(k - d_nc / 2) * step * (d - lead));
    Eigen::MatrixXcd gram = f.adjoint() * f;
    // What the band does not show of the taps is kept small.
    gram.diagonal().array() += 1e-8 * d_nc;
    Eigen::Map<Eigen::Matrix<cf, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
        d_inverse.data(), count, d_nc) = gram.llt().solve(f.adjoint()).cast<cf>();
}

void response_fit::make(const cf* h, cf* taps) const
{
    using matrix = Eigen::Matrix<cf, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    Eigen::Map<Eigen::Matrix<cf, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>>(
        taps, d_count, d_nt)
        .noalias() = Eigen::Map<const matrix>(d_inverse.data(), d_count, d_nc) *
                     Eigen::Map<const matrix>(h, d_nc, d_nt);
}

void taps_response(const std::complex<float>* taps,
                   int count,
                   int lead,
                   const channel_grid& grid,
                   double sample_rate,
                   std::complex<float>* h)
{
    const double step = grid.spacing_hz / sample_rate;
    for (int k = 0; k < grid.nc; k++) {
        const double turn = -(k - grid.nc / 2) * step;
        for (int n = 0; n < grid.nt; n++) {
            cd sum = 0;
            for (int d = 0; d < count; d++)
                sum += cd(taps[size_t(n) * count + d]) * phasor(turn * (d - lead));
            h[size_t(k) * grid.nt + n] = std::complex<float>(sum);
        }
    }
}

} // namespace csifeedback
} // namespace gr
