/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "metrics/layer_gram.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

using cd = std::complex<double>;

layer_gram::layer_gram(int size) : d_size(size)
{
    for (int a = 0; a < size; a++)
        for (int b = 0; b <= a; b++)
            d_gram[a][b] = a == b ? 1 : 0;
}

void layer_gram::add(const cd* y, double scale)
{
    for (int a = 0; a < d_size; a++)
        for (int b = 0; b <= a; b++)
            d_gram[a][b] += scale * y[a] * std::conj(y[b]);
}

double layer_gram::factorize()
{
    double bits = 0;
    for (int a = 0; a < d_size; a++)
        for (int b = 0; b <= a; b++) {
            cd x = d_gram[a][b];
            for (int k = 0; k < b; k++)
                x -= d_gram[a][k] * std::conj(d_gram[b][k]);
            if (a != b) {
                d_gram[a][b] = x / d_gram[b][b].real();
                continue;
            }
            // Squares of the diagonal of the factor are 1 or more, but for rounding errors.
            const double square = std::max(x.real(), 1.0);
            bits += std::log2(square);
            d_gram[a][a] = std::sqrt(square);
        }
    return bits;
}

double layer_gram::inverse_diagonal(int l) const
{
    // The sum of squares of column l of the inverse of the factor.
    cd column[max_size];
    double sum = 0;
    for (int a = l; a < d_size; a++) {
        cd x = a == l ? 1 : 0;
        for (int k = l; k < a; k++)
            x -= d_gram[a][k] * column[k];
        column[a] = x / d_gram[a][a].real();
        sum += std::norm(column[a]);
    }
    return sum;
}

double layer_gram::inverse_form(const cd* y) const
{
    cd z[max_size];
    double sum = 0;
    for (int a = 0; a < d_size; a++) {
        cd x = y[a];
        for (int k = 0; k < a; k++)
            x -= d_gram[a][k] * z[k];
        z[a] = x / d_gram[a][a].real();
        sum += std::norm(z[a]);
    }
    return sum;
}

} // namespace csifeedback
} // namespace gr
