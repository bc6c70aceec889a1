/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "kernels/kernels.h"
#include "report/paths/dirichlet_axis.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// d and its derivatives by x, each divided by k!.
class kernel
{
public:
    explicit kernel(int period) : d_period(period)
    {
        // d(x) is the mean of cos(a x) over the frequencies a = 2 pi k / period, k
        // centered. d_moment[m] is the mean of a^(2 m) / (2 m)!.
        for (int k = 0; k < period; k++) {
            const double a = M_PI * (2 * k - (period - 1.0)) / period;
            double power = 1.0 / period;
            for (int m = 0; m < terms; m++) {
                d_moment[m] += power;
                power *= -a * a / ((2 * m + 1) * (2 * m + 2));
            }
        }
    }

    void at(double x, double (&d)[4]) const
    {
        if (std::abs(x) < 1)
            near(x, d);
        else
            far(x, d);
    }

private:
    static constexpr int terms = 14;
    const int d_period;
    double d_moment[terms] = {};

    void near(double x, double (&d)[4]) const
    {
        std::fill_n(d, 4, 0.0);
        for (int m = terms - 1; m >= 0; m--) {
            // d_moment[m] x^(2 m) and the binomials of its derivatives
            const int n = 2 * m;
            double binomial = 1;
            for (int k = 0; k < 4 && k <= n; k++) {
                d[k] += d_moment[m] * binomial * std::pow(x, n - k);
                binomial *= double(n - k) / (k + 1);
            }
        }
    }

    void far(double x, double (&d)[4]) const
    {
        // The quotient of two Taylor series.
        const double w = M_PI / d_period;
        const double s[4] = { std::sin(M_PI * x),
                              M_PI * std::cos(M_PI * x),
                              -M_PI * M_PI / 2 * std::sin(M_PI * x),
                              -M_PI * M_PI * M_PI / 6 * std::cos(M_PI * x) };
        const double q[4] = { d_period * std::sin(w * x),
                              d_period * w * std::cos(w * x),
                              -d_period * w * w / 2 * std::sin(w * x),
                              -d_period * w * w * w / 6 * std::cos(w * x) };
        for (int k = 0; k < 4; k++) {
            double rest = s[k];
            for (int i = 0; i < k; i++)
                rest -= d[i] * q[k - i];
            d[k] = rest / q[0];
        }
    }
};

} // namespace

dirichlet_axis::dirichlet_axis(int size, int period, int margin)
    : d_size(size),
      d_period(period),
      d_margin(size == period ? 0 : margin),
      d_is_ring(size == period),
      d_stride(whole_registers(size)),
      d_center(size + d_margin + 1),
      d_width(whole_registers(d_center + d_stride + d_margin + 1)),
      d_table(4 * (nodes + 1) * d_width, 0.0f)
{
    const kernel dirichlet(period);
    for (int node = 0; node <= nodes; node++)
        for (int i = 0; i < 2 * d_center - 1; i++) {
            double x = i - d_center - (double(node) / nodes - 0.5), sign = 1;
            if (std::abs(x) > 0.5 * period) {
                // d(x + period) = d(x) (-1)^(period - 1)
                x -= std::copysign(double(period), x);
                sign = period % 2 ? 1 : -1;
            }
            double d[4];
            dirichlet.at(x, d);
            // By the position, which is -x.
            for (int k = 0; k < 4; k++)
                d_table[(node * 4 + k) * d_width + i] = sign * (k % 2 ? -d[k] : d[k]);
        }
}

float dirichlet_axis::inside(float position) const
{
    if (!d_is_ring)
        return std::min(std::max(position, -d_margin - 0.5f), d_size + d_margin - 0.5f);
    position -= d_size * std::floor(position / d_size);
    return position < d_size ? position : 0;
}

const float* dirichlet_axis::rows(float position, float& delta) const
{
    const float cell = std::floor(position + 0.5f);
    const float in_nodes = (position - cell + 0.5f) * nodes;
    const int node = int(in_nodes + 0.5f);
    delta = (in_nodes - node) / nodes;
    return d_table.data() + node * 4 * d_width + d_center - int(cell);
}

void dirichlet_axis::value(float position, float* d) const
{
    float delta;
    const float* t = rows(position, delta);
    kernels().cubics(t, d_width, delta, d_stride, d, nullptr, nullptr);
    std::fill(d + d_size, d + d_stride, 0.0f);
}

void dirichlet_axis::derivatives(float position,
                                 float* d,
                                 float* first,
                                 float* half_second) const
{
    float delta;
    const float* t = rows(position, delta);
    kernels().cubics(t, d_width, delta, d_stride, d, first, half_second);
    for (float* x : { d, first, half_second })
        std::fill(x + d_size, x + d_stride, 0.0f);
}

std::complex<float> dirichlet_axis::phase(float i) const
{
    return std::complex<float>(phasor(-0.5 * (d_period - 1.0) / d_period * i));
}

} // namespace csifeedback
} // namespace gr
