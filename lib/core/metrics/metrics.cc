/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/metrics.h>
#include <volk/volk.h>
#include <cmath>
#include <limits>

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
    // Sums of at most 256 terms in float, of those in double.
    const float* a = reinterpret_cast<const float*>(h);
    const float* b = reinterpret_cast<const float*>(h_hat);
    double error = 0, energy = 0;
    for (size_t begin = 0; begin < 2 * n; begin += 256) {
        const size_t end = begin + 256 < 2 * n ? begin + 256 : 2 * n;
        float partial_error = 0, partial_energy = 0;
        for (size_t i = begin; i < end; i++) {
            const float difference = a[i] - b[i];
            partial_error += difference * difference;
            partial_energy += a[i] * a[i];
        }
        error += partial_error;
        energy += partial_energy;
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
        if (size > 0)
            sum += std::abs(product) / size;
    }
    return sum / rows;
}

} // namespace csifeedback
} // namespace gr
