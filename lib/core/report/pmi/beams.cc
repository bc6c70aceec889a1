/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "report/pmi/beams.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

using cf = std::complex<float>;

int64_t choose(int x, int y)
{
    if (y < 0 || x < y)
        return 0;
    int64_t c = 1;
    for (int i = 1; i <= y; i++)
        c = c * (x - y + i) / i;
    return c;
}

int64_t set_to_index(const int* set, int n, int k)
{
    int64_t index = 0;
    for (int i = 0; i < k; i++)
        index += choose(n - 1 - set[i], k - i);
    return index;
}

void index_to_set(int64_t index, int n, int k, int* set)
{
    int x = n - 1;
    for (int i = 0; i < k; i++) {
        while (choose(x, k - i) > index)
            x--;
        index -= choose(x, k - i);
        set[i] = n - 1 - x;
        x--;
    }
}

beam_grid::beam_grid(const pmi_array& array) : d_array(array)
{
    for (int k = 0; k < columns1(); k++)
        d_turn1.push_back(cf(std::polar(1.0, 2 * M_PI * k / columns1())));
    for (int k = 0; k < columns2(); k++)
        d_turn2.push_back(cf(std::polar(1.0, 2 * M_PI * k / columns2())));
}

void beam_grid::beam(int l, int m, cf* v, int rows) const
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < d_array.n2; k++)
            v[i * d_array.n2 + k] = turn1(l * i) * turn2(m * k);
}

beam_power::beam_power(const beam_grid& grid, bool halves)
    : d_grid(grid),
      d_size(grid.size()),
      d_span1((halves ? grid.n1() / 2 : grid.n1()) - 1),
      d_span2(grid.n2() - 1),
      d_step(halves ? 2 : 1),
      d_x(4 * d_size),
      d_same_re(d_size * d_size),
      d_same_im(d_size * d_size),
      d_cross_re(d_size * d_size),
      d_cross_im(d_size * d_size),
      d_lags((2 * d_span1 + 1) * (2 * d_span2 + 1)),
      d_half((2 * d_span1 + 1) * grid.columns2()),
      d_power(grid.columns1() * grid.columns2()),
      d_cross(grid.columns1() * grid.columns2()),
      d_halves(halves)
{
}

void beam_power::clear()
{
    for (auto* all : { &d_same_re, &d_same_im, &d_cross_re, &d_cross_im })
        std::fill(all->begin(), all->end(), 0.0f);
}

void beam_power::add(const cf* x, float weight, bool conjugate)
{
    const int n = d_size;
    float *re0 = d_x.data(), *im0 = re0 + n, *re1 = im0 + n, *im1 = re1 + n;
    const float sign = conjugate ? -1 : 1, scale = std::sqrt(weight);
    for (int i = 0; i < n; i++) {
        re0[i] = scale * x[i].real();
        im0[i] = scale * sign * x[i].imag();
        re1[i] = scale * x[n + i].real();
        im1[i] = scale * sign * x[n + i].imag();
    }
    for (int a = 0; a < n; a++) {
        const float ar = re0[a], ai = im0[a], br = re1[a], bi = im1[a];
        float *same_re = d_same_re.data() + a * n, *same_im = d_same_im.data() + a * n,
              *cross_re = d_cross_re.data() + a * n,
              *cross_im = d_cross_im.data() + a * n;
        for (int b = 0; b < n; b++) {
            same_re[b] += ar * re0[b] + ai * im0[b] + br * re1[b] + bi * im1[b];
            same_im[b] += ai * re0[b] - ar * im0[b] + bi * re1[b] - br * im1[b];
            cross_re[b] += ar * re1[b] + ai * im1[b];
            cross_im[b] += ai * re1[b] - ar * im1[b];
        }
    }
}

void beam_power::sum_lags(const float* re, const float* im, bool halves)
{
    const int n1 = d_grid.n1(), n2 = d_grid.n2(), half = n1 / 2;
    std::fill(d_lags.begin(), d_lags.end(), cf());
    for (int a1 = 0; a1 < n1; a1++)
        for (int b1 = 0; b1 < n1; b1++) {
            if (halves && (a1 < half) != (b1 < half))
                continue;
            cf* lags = d_lags.data() + (a1 - b1 + d_span1) * (2 * d_span2 + 1) + d_span2;
            for (int a2 = 0; a2 < n2; a2++)
                for (int b2 = 0; b2 < n2; b2++) {
                    const int at = (a1 * n2 + a2) * d_size + b1 * n2 + b2;
                    lags[a2 - b2] += cf(re[at], im[at]);
                }
        }
}

// Sums of lags times exp(-j 2 pi (l d1 / (N1 O1) + m d2 / (N2 O2))): to d_power if they are
// Hermitian, so that lags of d1 >= 0 do, else to d_cross.
void beam_power::transform(bool hermitian)
{
    const int columns1 = d_grid.columns1(), columns2 = d_grid.columns2();
    const int width = 2 * d_span2 + 1, first = hermitian ? 0 : -d_span1;
    for (int d1 = first; d1 <= d_span1; d1++) {
        const cf* lags = d_lags.data() + (d1 + d_span1) * width + d_span2;
        for (int m = 0; m < columns2; m++) {
            cf sum = 0;
            for (int d2 = -d_span2; d2 <= d_span2; d2++)
                sum += lags[d2] * d_grid.turn2(-m * d2);
            d_half[(d1 + d_span1) * columns2 + m] = sum;
        }
    }
    for (int l = 0; l < columns1; l++) {
        cf* cross = d_cross.data() + l * columns2;
        float* power = d_power.data() + l * columns2;
        if (hermitian)
            std::fill_n(power, columns2, 0.0f);
        else
            std::fill_n(cross, columns2, cf());
        for (int d1 = first; d1 <= d_span1; d1++) {
            const cf turn = d_grid.turn1(-l * d_step * d1);
            const cf* half = d_half.data() + (d1 + d_span1) * columns2;
            if (hermitian) {
                const cf twice = d1 ? 2.0f * turn : turn;
                for (int m = 0; m < columns2; m++)
                    power[m] +=
                        twice.real() * half[m].real() - twice.imag() * half[m].imag();
            } else {
                for (int m = 0; m < columns2; m++)
                    cross[m] += turn * half[m];
            }
        }
    }
}

void beam_power::compute(bool with_cross)
{
    sum_lags(d_same_re.data(), d_same_im.data(), d_halves);
    transform(true);
    if (with_cross) {
        sum_lags(d_cross_re.data(), d_cross_im.data(), d_halves);
        transform(false);
    }
}

} // namespace csifeedback
} // namespace gr
