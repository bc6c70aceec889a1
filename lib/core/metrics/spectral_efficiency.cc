/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "metrics/layer_gram.h"
#include <gnuradio/csifeedback/precoder.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <Eigen/Eigenvalues>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

double energy(const cf* h, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += double(h[i].real()) * h[i].real() + double(h[i].imag()) * h[i].imag();
    return sum;
}

class spectral_efficiency_impl : public spectral_efficiency
{
public:
    spectral_efficiency_impl(int users,
                             int nc,
                             int nt,
                             const std::vector<double>& snr_db,
                             const std::string& precoding,
                             bool normalize,
                             int nr)
        : d_precoder(precoder::make(users * nr, nt, precoding)),
          d_users(users),
          d_nc(nc),
          d_nr(nr),
          d_regularized(precoding == "regularized-zero-forcing"),
          d_snr_db(snr_db),
          d_normalize(normalize),
          d_rows(users * nr),
          d_w(size_t(users) * nr * nt),
          d_scale(users)
    {
        for (const double snr : snr_db)
            d_snr.push_back(std::pow(10, snr / 10));
        d_streams.reserve(d_rows.size());
        if (nr == 1)
            return;
        d_received.resize(size_t(users) * nr * nr);
        d_products.resize(nr, nr);
        d_perfect.resize(size_t(users) * nc * nr * nt);
        for (int k = 0; k < users; k++)
            d_perfect_users.push_back(d_perfect.data() + size_t(k) * nc * nr * nt);
    }

    int users() const override { return d_users; }
    int nc() const override { return d_nc; }
    int nt() const override { return d_precoder->nt(); }
    int nr() const override { return d_nr; }
    const std::vector<double>& snr_db() const override { return d_snr_db; }

    bool compute(const cf* const* h, const cf* const* h_hat, double* se) override
    {
        const size_t nt = d_precoder->nt();
        if (!take_scales(h, h_hat))
            return false;
        std::fill_n(se, d_snr.size(), 0.0);
        for (size_t c = 0; c < d_nc; c++) {
            d_streams.clear();
            for (size_t i = 0; i < d_rows.size(); i++) {
                d_rows[i] = h_hat[i / d_nr] + (c * d_nr + i % d_nr) * nt;
                // A user with one antenna has its share of the power also without CSI.
                if (d_nr == 1 || energy(d_rows[i], nt) > 0)
                    d_streams.push_back(i);
            }
            if (d_streams.empty())
                continue;
            // The same vectors for all SNRs, or others for each.
            const size_t each = d_regularized ? 1 : d_snr.size();
            for (size_t i = 0; i < d_snr.size(); i += each) {
                d_precoder->set_loading(1 / (power(i) * nt));
                d_precoder->compute(d_rows.data(), d_w.data());
                if (d_nr == 1)
                    add(h, c, i, i + each, se);
                else
                    add_layers(h, c, i, i + each, se);
            }
        }
        for (size_t i = 0; i < d_snr.size(); i++)
            se[i] /= d_nc;
        return true;
    }

    bool compute_perfect(const cf* const* h, const cf* const* h_hat, double* se) override
    {
        if (d_nr == 1)
            return compute(h, h, se);
        if (!take_scales(h, h_hat))
            return false;
        const size_t nt = d_precoder->nt(), size = d_nc * d_nr * nt;
        std::fill(d_perfect.begin(), d_perfect.end(), cf(0));
        for (size_t k = 0; k < d_users; k++) {
            size_t layers = 0;
            for (size_t l = 0; l < d_nr; l++) {
                bool some = false;
                for (size_t c = 0; c < d_nc && !some; c++)
                    some = energy(h_hat[k] + (c * d_nr + l) * nt, nt) > 0;
                layers += some;
            }
            for (size_t c = 0; c < d_nc; c++)
                eigenvectors(h[k] + c * d_nr * nt,
                             std::min(layers, nt),
                             d_perfect.data() + k * size + c * d_nr * nt);
        }
        return compute(h, d_perfect_users.data(), se);
    }

private:
    static constexpr float infinity = std::numeric_limits<float>::infinity();

    // Takes the scales of true channels. False of matrices that cannot be.
    bool take_scales(const cf* const* h, const cf* const* h_hat)
    {
        const size_t size = d_nc * d_nr * d_precoder->nt();
        for (size_t k = 0; k < d_users; k++) {
            const double there = energy(h[k], size);
            // As floats, in which products of rows are computed.
            if (!(float(there) < infinity) ||
                !(float(energy(h_hat[k], size)) < infinity) ||
                (d_normalize && there == 0))
                return false;
            d_scale[k] = d_normalize ? size / there : 1;
        }
        return true;
    }

    // Conjugate eigenvectors of h^H h, strongest first, as rows of nt values: with the
    // eigenvectors u of h h^H those are u^H h, scaled. Rows of zeros where there are fewer.
    void eigenvectors(const cf* h, size_t layers, cf* rows)
    {
        const size_t nt = d_precoder->nt();
        for (size_t a = 0; a < d_nr; a++)
            for (size_t b = 0; b <= a; b++) {
                cd sum = 0;
                for (size_t n = 0; n < nt; n++)
                    sum += cd(h[a * nt + n]) * std::conj(cd(h[b * nt + n]));
                d_products(a, b) = sum;
                d_products(b, a) = std::conj(sum);
            }
        d_solver.compute(d_products);
        const double largest = d_solver.eigenvalues()(d_nr - 1);
        for (size_t l = 0; l < layers; l++) {
            const Eigen::Index of = d_nr - 1 - l;
            const double value = d_solver.eigenvalues()(of);
            // Below that, rounding errors of the products are left.
            if (!(value > 1e-6 * largest))
                return;
            for (size_t n = 0; n < nt; n++) {
                cd sum = 0;
                for (size_t a = 0; a < d_nr; a++)
                    sum += std::conj(d_solver.eigenvectors()(a, of)) * cd(h[a * nt + n]);
                rows[l * nt + n] = cf(sum / std::sqrt(value));
            }
        }
    }

    // Of a stream over the noise, at an SNR.
    double power(size_t i) const { return d_snr[i] / double(d_streams.size()); }

    cf received(const cf* h, size_t stream) const
    {
        const size_t nt = d_precoder->nt();
        cf product;
        volk_32fc_x2_dot_prod_32fc(&product, h, d_w.data() + stream * nt, nt);
        return product;
    }

    // Adds what subcarrier c brings with the vectors at hand to the SNRs [first, end).
    void add(const cf* const* h, size_t c, size_t first, size_t end, double* se) const
    {
        for (size_t k = 0; k < d_users; k++) {
            double wanted = 0, interference = 0;
            for (size_t j = 0; j < d_users; j++) {
                const cf product = received(h[k] + c * d_precoder->nt(), j);
                (j == k ? wanted : interference) += d_scale[k] * energy(&product, 1);
            }
            for (size_t i = first; i < end; i++)
                se[i] += std::log2(1 + power(i) * wanted / (power(i) * interference + 1));
        }
    }

    // The same of users with several antennas, behind MMSE receivers.
    void add_layers(const cf* const* h, size_t c, size_t first, size_t end, double* se)
    {
        const size_t nt = d_precoder->nt();
        for (size_t k = 0; k < d_users; k++) {
            for (const size_t j : d_streams)
                for (size_t a = 0; a < d_nr; a++)
                    d_received[j * d_nr + a] = received(h[k] + (c * d_nr + a) * nt, j);
            for (const size_t own : d_streams) {
                if (own / d_nr != k)
                    continue;
                for (size_t i = first; i < end; i++) {
                    const double scale = power(i) * d_scale[k];
                    layer_gram others(d_nr);
                    for (const size_t j : d_streams)
                        if (j != own)
                            others.add(d_received.data() + j * d_nr, scale);
                    others.factorize();
                    se[i] += std::log2(
                        1 + scale * others.inverse_form(d_received.data() + own * d_nr));
                }
            }
        }
    }

    const precoder::sptr d_precoder;
    const size_t d_users, d_nc, d_nr;
    const bool d_regularized;
    const std::vector<double> d_snr_db;
    const bool d_normalize;
    std::vector<double> d_snr;
    std::vector<const cf*> d_rows;
    std::vector<size_t> d_streams; // rows that are not zero
    volk::vector<cf> d_w;
    std::vector<double> d_scale; // of |h|^2 of each user
    // Of users with several antennas:
    std::vector<cd> d_received; // of each stream at each antenna
    // Of a size that is not on the heap.
    using products = Eigen::Matrix<cd,
                                   Eigen::Dynamic,
                                   Eigen::Dynamic,
                                   0,
                                   layer_gram::max_size,
                                   layer_gram::max_size>;
    products d_products;
    Eigen::SelfAdjointEigenSolver<products> d_solver;
    volk::vector<cf> d_perfect;
    std::vector<const cf*> d_perfect_users;
};

} // namespace

spectral_efficiency::sptr spectral_efficiency::make(int users,
                                                    int nc,
                                                    int nt,
                                                    const std::vector<double>& snr_db,
                                                    const std::string& precoding,
                                                    bool normalize,
                                                    int nr)
{
    const char* where = "spectral_efficiency";
    check_range(where, "users", users, 1, 64);
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range(where, "nr", nr, 1, layer_gram::max_size);
    check_range(where, "users times nr", users * nr, 1, 64);
    check_range<size_t>(where, "number of SNRs", snr_db.size(), 1, 1000);
    for (const double snr : snr_db)
        check_range(where, "a value of snr_db", snr, -100.0, 100.0);
    return std::make_shared<spectral_efficiency_impl>(
        users, nc, nt, snr_db, precoding, normalize, nr);
}

} // namespace csifeedback
} // namespace gr
