/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/precoder.h>
#include <gnuradio/csifeedback/spectral_efficiency.h>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

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
                             bool normalize)
        : d_precoder(precoder::make(users, nt, precoding)),
          d_nc(nc),
          d_regularized(precoding == "regularized-zero-forcing"),
          d_snr_db(snr_db),
          d_normalize(normalize),
          d_rows(users),
          d_w(size_t(users) * nt),
          d_scale(users)
    {
        for (const double snr : snr_db)
            d_power.push_back(std::pow(10, snr / 10) / users);
    }

    int users() const override { return d_precoder->users(); }
    int nc() const override { return d_nc; }
    int nt() const override { return d_precoder->nt(); }
    const std::vector<double>& snr_db() const override { return d_snr_db; }

    bool compute(const cf* const* h, const cf* const* h_hat, double* se) override
    {
        const size_t nt = d_precoder->nt(), users = d_rows.size(), size = d_nc * nt;
        for (size_t k = 0; k < users; k++) {
            const double there = energy(h[k], size);
            // As floats, in which products of rows are computed.
            if (!(float(there) < infinity) ||
                !(float(energy(h_hat[k], size)) < infinity) ||
                (d_normalize && there == 0))
                return false;
            d_scale[k] = d_normalize ? size / there : 1;
        }
        std::fill_n(se, d_power.size(), 0.0);
        for (size_t c = 0; c < d_nc; c++) {
            for (size_t k = 0; k < users; k++)
                d_rows[k] = h_hat[k] + c * nt;
            // The same vectors for all SNRs, or others for each.
            const size_t each = d_regularized ? 1 : d_power.size();
            for (size_t i = 0; i < d_power.size(); i += each) {
                d_precoder->set_loading(1 / (d_power[i] * nt));
                d_precoder->compute(d_rows.data(), d_w.data());
                add(h, c, i, i + each, se);
            }
        }
        for (size_t i = 0; i < d_power.size(); i++)
            se[i] /= d_nc;
        return true;
    }

private:
    static constexpr float infinity = std::numeric_limits<float>::infinity();

    // Adds what subcarrier c brings with the vectors at hand to the SNRs [first, end).
    void add(const cf* const* h, size_t c, size_t first, size_t end, double* se) const
    {
        const size_t nt = d_precoder->nt(), users = d_rows.size();
        for (size_t k = 0; k < users; k++) {
            double wanted = 0, interference = 0;
            for (size_t j = 0; j < users; j++) {
                cf product;
                volk_32fc_x2_dot_prod_32fc(
                    &product, h[k] + c * nt, d_w.data() + j * nt, nt);
                const double power = d_scale[k] * energy(&product, 1);
                (j == k ? wanted : interference) += power;
            }
            for (size_t i = first; i < end; i++)
                se[i] +=
                    std::log2(1 + d_power[i] * wanted / (d_power[i] * interference + 1));
        }
    }

    const precoder::sptr d_precoder;
    const size_t d_nc;
    const bool d_regularized;
    const std::vector<double> d_snr_db;
    const bool d_normalize;
    std::vector<double> d_power; // P / K over the noise
    std::vector<const cf*> d_rows;
    volk::vector<cf> d_w;
    std::vector<double> d_scale; // of |h|^2 of each user
};

} // namespace

spectral_efficiency::sptr spectral_efficiency::make(int users,
                                                    int nc,
                                                    int nt,
                                                    const std::vector<double>& snr_db,
                                                    const std::string& precoding,
                                                    bool normalize)
{
    const char* where = "spectral_efficiency";
    check_range(where, "users", users, 1, 64);
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range<size_t>(where, "number of SNRs", snr_db.size(), 1, 1000);
    for (const double snr : snr_db)
        check_range(where, "a value of snr_db", snr, -100.0, 100.0);
    return std::make_shared<spectral_efficiency_impl>(
        users, nc, nt, snr_db, precoding, normalize);
}

} // namespace csifeedback
} // namespace gr
