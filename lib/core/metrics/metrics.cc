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

} // namespace csifeedback
} // namespace gr
