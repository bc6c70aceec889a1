/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "metrics/layer_gram.h"
#include "metrics/layer_scores.h"
#include <gnuradio/csifeedback/metrics.h>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

using cf = std::complex<float>;
using cd = std::complex<double>;

std::vector<size_t> rows_of_subbands(size_t nc, size_t subbands)
{
    constexpr size_t of_subband = 8;
    std::vector<size_t> rows;
    if (nc < of_subband * subbands)
        for (size_t k = 0; k < nc; k++)
            rows.push_back(k);
    else
        for (size_t s = 0; s < subbands; s++) {
            const size_t low = (s * nc + subbands - 1) / subbands;
            const size_t high = ((s + 1) * nc + subbands - 1) / subbands;
            for (size_t i = 0; i < of_subband; i++)
                rows.push_back(low + (2 * i + 1) * (high - low) / (2 * of_subband));
        }
    return rows;
}

subband_similarity::subband_similarity(size_t nc, int nt, int subbands)
    : d_subbands(std::min<size_t>(subbands, nc)),
      d_nt(nt),
      d_eigenvectors(subband_eigenvectors::make(d_subbands, nt, 1)),
      d_rows(rows_of_subbands(nc, d_subbands)),
      d_picked(d_rows.size() * nt),
      d_v(d_subbands * nt),
      d_w(d_subbands * nt)
{
}

double subband_similarity::compute(const cf* h, const cf* h_hat)
{
    vectors(h, d_v.data());
    vectors(h_hat, d_w.data());
    double similarity;
    csifeedback::sgcs(d_v.data(), d_w.data(), d_subbands, d_nt, 1, &similarity);
    return similarity;
}

void subband_similarity::vectors(const cf* h, cf* v)
{
    for (size_t i = 0; i < d_rows.size(); i++)
        std::copy_n(h + d_rows[i] * d_nt, d_nt, d_picked.data() + i * d_nt);
    d_eigenvectors->compute(d_picked.data(), int(d_rows.size()), 1, v);
}

layer_scores::layer_scores(size_t nc, int nr, int nt, int subbands, double snr_db)
    : d_subbands(std::min<size_t>(subbands, nc)),
      d_nr(nr),
      d_nt(nt),
      d_layers(std::min(nr, nt)),
      d_snr(std::pow(10, snr_db / 10)),
      d_rows(rows_of_subbands(nc, d_subbands)),
      d_eigenvectors(subband_eigenvectors::make(d_subbands, nt, d_layers)),
      d_h(d_rows.size() * nr * nt),
      d_w(d_rows.size() * nt * d_layers),
      d_v(size_t(d_subbands) * nt * d_layers),
      d_sgcs(d_layers)
{
    for (size_t s = 0, i = 0; s < d_subbands; s++) {
        d_first.push_back(i);
        while (i < d_rows.size() && d_rows[i] * d_subbands / nc == s)
            i++;
    }
    d_first.push_back(d_rows.size());
}

bool layer_scores::compute(const cf* h, const cf* found)
{
    const size_t size = size_t(d_nr) * d_nt;
    double power = 0, sum = 0;
    d_rank = 0;
    for (size_t i = 0; i < d_rows.size(); i++) {
        const cf* const from = h + d_rows[i] * size;
        std::copy_n(from, size, d_h.data() + i * size);
        for (size_t k = 0; k < size; k++)
            power += std::norm(from[k]);
        sum += take(found + d_rows[i] * size, d_w.data() + i * d_nt * d_layers);
    }
    if (!std::isfinite(power) || !std::isfinite(sum) || power <= 0)
        return false;
    d_eigenvectors->compute(d_h.data(), int(d_rows.size()), d_nr, d_v.data());
    const double snr = d_snr * double(d_h.size()) / power;
    d_efficiency = 0;
    for (size_t i = 0; i < d_rows.size(); i++)
        d_efficiency += rate(i, d_w.data() + i * d_nt * d_layers, d_layers, snr);
    d_efficiency /= double(d_rows.size());
    d_perfect = 0;
    for (int rank = 1; rank <= d_layers; rank++) {
        double all = 0;
        for (size_t s = 0; s < d_subbands; s++)
            for (size_t i = d_first[s]; i < d_first[s + 1]; i++)
                all += rate(i, d_v.data() + s * d_nt * d_layers, rank, snr / rank);
        d_perfect = std::max(d_perfect, all / double(d_rows.size()));
    }
    for (int layer = 0; layer < d_rank; layer++)
        d_sgcs[layer] = similarity(layer);
    return true;
}

// W (nt x layers) of a row's rows of layers, its Frobenius norm 1 or 0; returns the power.
double layer_scores::take(const cf* found, cf* w)
{
    double power = 0;
    for (size_t k = 0; k < d_nt * d_layers; k++)
        power += std::norm(found[k]);
    const float scale = power > 0 ? float(1 / std::sqrt(power)) : 0;
    for (int layer = 0; layer < d_layers; layer++) {
        bool some = false;
        for (size_t n = 0; n < d_nt; n++) {
            const cf x = found[layer * d_nt + n];
            w[n * d_layers + layer] = scale * std::conj(x);
            some |= x != cf(0);
        }
        if (some)
            d_rank = std::max(d_rank, layer + 1);
    }
    return power;
}

// Rate of a row with the first `rank` columns of W.
double layer_scores::rate(size_t row, const cf* w, int rank, double snr) const
{
    layer_gram gram(rank);
    for (int a = 0; a < d_nr; a++) {
        cd y[layer_gram::max_size] = {};
        const cf* const h = d_h.data() + (row * d_nr + a) * d_nt;
        for (size_t n = 0; n < d_nt; n++)
            for (int l = 0; l < rank; l++)
                y[l] += cd(h[n] * w[n * d_layers + l]);
        gram.add(y, snr);
    }
    return gram.factorize();
}

double layer_scores::similarity(int layer) const
{
    double sum = 0;
    for (size_t s = 0; s < d_subbands; s++) {
        double here = 0;
        for (size_t i = d_first[s]; i < d_first[s + 1]; i++) {
            cd product = 0;
            double power = 0;
            for (size_t n = 0; n < d_nt; n++) {
                const cf w = d_w[(i * d_nt + n) * d_layers + layer];
                product += cd(std::conj(d_v[(s * d_nt + n) * d_layers + layer]) * w);
                power += std::norm(w);
            }
            here += power > 0 ? std::norm(product) / power : 0;
        }
        sum += here / double(d_first[s + 1] - d_first[s]);
    }
    return sum / double(d_subbands);
}

} // namespace csifeedback
} // namespace gr
