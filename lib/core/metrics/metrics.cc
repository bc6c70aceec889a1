/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/metrics.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace gr {
namespace csifeedback {

void running_mean::add(double x)
{
    d_count++;
    const double delta = x - d_mean;
    d_mean += delta / d_count;
    d_m2 += delta * (x - d_mean);
}

mean_estimate running_mean::estimate() const
{
    mean_estimate e;
    e.count = d_count;
    e.mean = d_count ? d_mean : std::numeric_limits<double>::quiet_NaN();
    e.half_width = d_count > 1 ? 1.96 * std::sqrt(d_m2 / (d_count - 1) / d_count)
                               : std::numeric_limits<double>::infinity();
    return e;
}

void running_mean::reset() { *this = running_mean(); }

double squared_error_ratio(const std::complex<float>* h,
                           const std::complex<float>* h_hat,
                           size_t n)
{
    // Several sums at a time, which the compiler can keep in vector registers.
    constexpr size_t lanes = 8;
    const float* a = reinterpret_cast<const float*>(h);
    const float* b = reinterpret_cast<const float*>(h_hat);
    double errors[lanes] = {}, energies[lanes] = {};
    size_t i = 0;
    for (; i + lanes <= 2 * n; i += lanes)
        for (size_t j = 0; j < lanes; j++) {
            const double x = a[i + j], difference = x - b[i + j];
            errors[j] += difference * difference;
            energies[j] += x * x;
        }
    double error = 0, energy = 0;
    for (; i < 2 * n; i++) {
        const double x = a[i], difference = x - b[i];
        error += difference * difference;
        energy += x * x;
    }
    for (size_t j = 0; j < lanes; j++) {
        error += errors[j];
        energy += energies[j];
    }
    return error / energy;
}

double cosine_similarity(const std::complex<float>* h,
                         const std::complex<float>* h_hat,
                         size_t rows,
                         size_t nt)
{
    double sum = 0;
    for (size_t k = 0; k < rows; k++) {
        const std::complex<float>*a = h + k * nt, *b = h_hat + k * nt;
        std::complex<float> product = 0, aa = 0, bb = 0;
        volk_32fc_x2_conjugate_dot_prod_32fc(&product, a, b, nt);
        volk_32fc_x2_conjugate_dot_prod_32fc(&aa, a, a, nt);
        volk_32fc_x2_conjugate_dot_prod_32fc(&bb, b, b, nt);
        const double size = std::sqrt(double(aa.real()) * bb.real());
        // Not above 1 by a rounding error; a NaN stays one.
        if (size != 0)
            sum += std::min(std::abs(product) / size, 1.0);
    }
    return sum / rows;
}

void sgcs(const std::complex<float>* v,
          const std::complex<float>* w,
          size_t subbands,
          size_t nt,
          size_t rank,
          double* similarity)
{
    for (size_t l = 0; l < rank; l++) {
        double sum = 0;
        for (size_t s = 0; s < subbands; s++) {
            double re = 0, im = 0, vv = 0, ww = 0;
            for (size_t n = 0; n < nt; n++) {
                const auto a = v[(s * nt + n) * rank + l], b = w[(s * nt + n) * rank + l];
                re += double(a.real()) * b.real() + double(a.imag()) * b.imag();
                im += double(a.real()) * b.imag() - double(a.imag()) * b.real();
                vv += double(a.real()) * a.real() + double(a.imag()) * a.imag();
                ww += double(b.real()) * b.real() + double(b.imag()) * b.imag();
            }
            const double size = vv * ww;
            // Not above 1 by a rounding error; a NaN stays one.
            if (size != 0)
                sum += std::min((re * re + im * im) / size, 1.0);
        }
        similarity[l] = sum / subbands;
    }
}

double percentile(const double* x, size_t n, double percent)
{
    if (n == 0)
        return std::numeric_limits<double>::quiet_NaN();
    std::vector<double> sorted(x, x + n);
    std::sort(sorted.begin(), sorted.end());
    const double at = std::min(std::max(percent, 0.0), 100.0) / 100 * (n - 1);
    const size_t below = std::min(size_t(at), n - 1), above = std::min(below + 1, n - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

} // namespace csifeedback
} // namespace gr
