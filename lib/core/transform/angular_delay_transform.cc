/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "transform/fft_plan.h"
#include "transform/first_path.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class angular_delay_transform_impl : public angular_delay_transform
{
public:
    angular_delay_transform_impl(
        int nc, int nt, int na, int precursor, bool align, float threshold_db)
        : d_nc(nc),
          d_nt(nt),
          d_na(na),
          d_precursor(precursor),
          d_align(align),
          d_threshold(std::pow(10.0f, -threshold_db / 10)),
          // H (antenna fastest) to one delay profile an antenna, and back
          d_to_delay(nc, nt, nt, 1, 1, nc, FFTW_BACKWARD),
          d_to_frequency(nc, nt, 1, nc, nt, 1, FFTW_FORWARD),
          // the rows that are kept, antenna fastest
          d_to_angle(nt, na, 1, nt, 1, nt, FFTW_FORWARD, true),
          d_to_antenna(nt, na, 1, nt, 1, nt, FFTW_BACKWARD),
          d_delay(size_t(nc) * nt),
          d_rows(size_t(na) * nt)
    {
        if (align) {
            d_ramped.resize(size_t(nc) * nt);
            d_profile.resize(nc);
        }
    }

    int nc() const override { return d_nc; }
    int nt() const override { return d_nt; }
    int na() const override { return d_na; }
    int precursor() const override { return d_precursor; }

    void forward(const std::complex<float>* h,
                 std::complex<float>* ha,
                 angular_delay_info* info) override
    {
        d_to_delay.run(h, d_delay.data());
        float shift = 0;
        if (d_align) {
            delay_profile(d_delay.data(), d_nc, d_nt, d_profile.data());
            shift = first_path(d_profile.data(), d_nc, d_threshold);
            // A phase ramp moves the delay by any fraction of a row.
            for (int k = 0; k < d_nc; k++) {
                const double phase = 2 * M_PI * shift * k / d_nc;
                volk_32fc_s32fc_multiply_32fc(
                    d_ramped.data() + size_t(k) * d_nt,
                    h + size_t(k) * d_nt,
                    lv_cmake(float(std::cos(phase)), float(std::sin(phase))),
                    d_nt);
            }
            d_to_delay.run(d_ramped.data(), d_delay.data());
        }
        const float scale = 1 / std::sqrt(float(d_nc) * d_nt);
        for (int r = 0; r < d_na; r++) {
            const std::complex<float>* column = d_delay.data() + row(r);
            for (int n = 0; n < d_nt; n++)
                ha[size_t(r) * d_nt + n] = column[size_t(n) * d_nc] * scale;
        }
        d_to_angle.run(ha, ha);
        if (info) {
            const double whole = energy(h, size_t(d_nc) * d_nt);
            const double kept = energy(ha, size_t(d_na) * d_nt);
            // Not std::max(): NaN stays NaN.
            const double lost = whole == 0 ? 0 : 1 - kept / whole;
            info->energy_lost = lost < 0 ? 0 : lost;
            info->shift = shift;
        }
    }

    void inverse(const std::complex<float>* ha, std::complex<float>* h) override
    {
        d_to_antenna.run(ha, d_rows.data());
        std::fill(d_delay.begin(), d_delay.end(), std::complex<float>(0));
        const float scale = 1 / std::sqrt(float(d_nc) * d_nt);
        for (int r = 0; r < d_na; r++) {
            std::complex<float>* column = d_delay.data() + row(r);
            for (int n = 0; n < d_nt; n++)
                column[size_t(n) * d_nc] = d_rows[size_t(r) * d_nt + n] * scale;
        }
        d_to_frequency.run(d_delay.data(), h);
    }

private:
    // Delay row of the whole matrix that row r of Ha is.
    int row(int r) const { return (r - d_precursor + d_nc) % d_nc; }

    static double energy(const std::complex<float>* x, size_t n)
    {
        double sum = 0;
        for (size_t begin = 0; begin < n; begin += 1024) {
            const size_t count = std::min<size_t>(1024, n - begin);
            float partial = 0;
            const float* y = reinterpret_cast<const float*>(x + begin);
            volk_32f_x2_dot_prod_32f(&partial, y, y, 2 * count);
            sum += partial;
        }
        return sum;
    }

    const int d_nc;
    const int d_nt;
    const int d_na;
    const int d_precursor;
    const bool d_align;
    const float d_threshold;
    const fft_plan d_to_delay;
    const fft_plan d_to_frequency;
    const fft_plan d_to_angle;
    const fft_plan d_to_antenna;
    volk::vector<std::complex<float>> d_delay;  // nt x nc, delay fastest
    volk::vector<std::complex<float>> d_rows;   // na x nt
    volk::vector<std::complex<float>> d_ramped; // nc x nt
    volk::vector<float> d_profile;              // nc
};

} // namespace

angular_delay_transform::sptr angular_delay_transform::make(
    int nc, int nt, int na, int precursor, bool align, float threshold_db)
{
    const char* where = "angular_delay";
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range(where, "na", na, 1, nc);
    check_range(where, "precursor", precursor, 0, na - 1);
    if (!(threshold_db > 0 && threshold_db <= 100))
        throw_bad(where, "threshold_db", threshold_db, "above 0, at most 100");
    return std::make_shared<angular_delay_transform_impl>(
        nc, nt, na, precursor, align, threshold_db);
}

} // namespace csifeedback
} // namespace gr
