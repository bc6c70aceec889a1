/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "check.h"
#include "dsp/fft_plan.h"
#include "dsp/first_path.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;

// Rows of a DFT over the subcarriers, and back. Where that has no large prime factor it
// is an FFT, of which the rows are taken; else the product with a matrix of as many rows.
class delay_rows
{
public:
    delay_rows(int nc, int nt, int na, int precursor)
        : d_nc(nc),
          d_nt(nt),
          d_na(na),
          d_precursor(precursor),
          d_is_fast(has_fast_fft(nc) || na > max_rows || size_t(na) * nc > max_entries)
    {
        if (d_is_fast) {
            // H (antenna fastest) to one delay profile per antenna, and back
            d_to_delay = std::make_unique<fft_plan>(
                nc, nt, nt, 1, 1, nc, FFTW_BACKWARD, false, true);
            d_to_frequency = std::make_unique<fft_plan>(
                nc, nt, 1, nc, nt, 1, FFTW_FORWARD, false, true);
            d_delay.resize(size_t(nc) * nt);
            return;
        }
        // As many columns as the kernels want.
        d_columns = whole_registers(2 * size_t(nt));
        for (auto& part : d_forward)
            part.resize(size_t(na) * nc);
        for (auto& part : d_backward)
            part.resize(size_t(nc) * na);
        for (int r = 0; r < na; r++)
            for (int k = 0; k < nc; k++) {
                const std::complex<double> turn =
                    phasor(double(row(r)) * k / nc) / std::sqrt(double(nc));
                d_forward[0][size_t(r) * nc + k] = turn.real();
                d_forward[1][size_t(r) * nc + k] = turn.imag();
                d_backward[0][size_t(k) * na + r] = turn.real();
                d_backward[1][size_t(k) * na + r] = -turn.imag();
            }
        d_in.resize(nc * d_columns);
        for (auto& part : d_out)
            part.resize(nc * d_columns);
    }

    //! h: nc x nt, aligned; rows: na x nt.
    void forward(const cf* h, cf* rows)
    {
        if (!d_is_fast) {
            product(d_forward, h, d_nc, rows, d_na);
            return;
        }
        d_to_delay->run(h, d_delay.data());
        const float scale = 1 / std::sqrt(float(d_nc));
        for (int r = 0; r < d_na; r++) {
            const cf* column = d_delay.data() + row(r);
            for (int n = 0; n < d_nt; n++)
                rows[size_t(r) * d_nt + n] = column[size_t(n) * d_nc] * scale;
        }
    }

    //! rows: na x nt; h: nc x nt, aligned.
    void inverse(const cf* rows, cf* h)
    {
        if (!d_is_fast) {
            product(d_backward, rows, d_na, h, d_nc);
            return;
        }
        std::fill(d_delay.begin(), d_delay.end(), cf(0));
        const float scale = 1 / std::sqrt(float(d_nc));
        for (int r = 0; r < d_na; r++) {
            cf* column = d_delay.data() + row(r);
            for (int n = 0; n < d_nt; n++)
                column[size_t(n) * d_nc] = rows[size_t(r) * d_nt + n] * scale;
        }
        d_to_frequency->run(d_delay.data(), h);
    }

private:
    // Of the matrix: beyond them FFTW is faster even so, and the matrix is large.
    static constexpr int max_rows = 64;
    static constexpr size_t max_entries = 1 << 18;

    // Delay row of the whole matrix that row r of Ha is.
    int row(int r) const { return (r - d_precursor + d_nc) % d_nc; }

    // out (rows x nt) = matrix (rows x depth) x (depth x nt)
    void product(
        const volk::vector<float> (&matrix)[2], const cf* x, int depth, cf* out, int rows)
    {
        const float* in = reinterpret_cast<const float*>(x);
        if (d_columns != 2 * size_t(d_nt)) {
            for (int i = 0; i < depth; i++)
                std::copy_n(in + size_t(i) * 2 * d_nt, 2 * d_nt, &d_in[i * d_columns]);
            in = d_in.data();
        }
        for (int part = 0; part < 2; part++)
            kernels().gemm(matrix[part].data(),
                           depth,
                           in,
                           d_columns,
                           nullptr,
                           0,
                           d_out[part].data(),
                           d_columns,
                           rows,
                           depth,
                           d_columns,
                           false);
        for (int i = 0; i < rows; i++) {
            const float *re = &d_out[0][i * d_columns], *im = &d_out[1][i * d_columns];
            for (int n = 0; n < d_nt; n++)
                out[size_t(i) * d_nt + n] = { re[2 * n] - im[2 * n + 1],
                                              re[2 * n + 1] + im[2 * n] };
        }
    }

    const int d_nc, d_nt, d_na, d_precursor;
    const bool d_is_fast;
    std::unique_ptr<fft_plan> d_to_delay, d_to_frequency;
    volk::vector<cf> d_delay; // nt x nc, delay fastest
    // Real and imaginary parts
    volk::vector<float> d_forward[2];  // na x nc
    volk::vector<float> d_backward[2]; // nc x na
    size_t d_columns = 0;
    volk::vector<float> d_in, d_out[2]; // nc x columns
};

// Unitary DFTs over the antennas of rows: one of a line, or of a plane one over its columns
// and one over its rows for each polarization. Rows and polarizations lie one behind the
// other.
fft_plan beams(const antenna_array& array, int na, int sign)
{
    const int nt = array.ports();
    if (array.is_line())
        return fft_plan(nt, na, 1, nt, 1, nt, sign, false, true);
    return fft_plan(array.n1, array.n2, na * array.polarizations, sign, true);
}

class angular_delay_transform_impl : public angular_delay_transform
{
public:
    angular_delay_transform_impl(int nc,
                                 const antenna_array& array,
                                 int na,
                                 int precursor,
                                 bool align,
                                 float threshold_db)
        : d_array(array),
          d_nc(nc),
          d_nt(array.ports()),
          d_na(na),
          d_precursor(precursor),
          d_threshold(std::pow(10.0f, -threshold_db / 10)),
          d_scale(1 / std::sqrt(float(array.n1 * array.n2))),
          d_delay_rows(nc, d_nt, na, precursor),
          // the rows that are kept, antenna fastest
          d_to_angle(beams(array, na, FFTW_FORWARD)),
          d_to_antenna(beams(array, na, FFTW_BACKWARD)),
          d_h(size_t(nc) * d_nt),
          d_rows(size_t(na) * d_nt),
          d_ha(size_t(na) * d_nt)
    {
        if (align) {
            d_profiler = std::make_unique<delay_profiler>(nc, d_nt);
            d_profile.resize(d_profiler->bins());
        }
    }

    int nc() const override { return d_nc; }
    int nt() const override { return d_nt; }
    int na() const override { return d_na; }
    int precursor() const override { return d_precursor; }
    const antenna_array& array() const override { return d_array; }

    void forward(const cf* h, cf* ha, angular_delay_info* info) override
    {
        float shift = 0;
        if (d_profiler) {
            d_profiler->run(h, d_work, d_profile.data());
            shift = first_path(d_profile.data(), d_profiler->bins(), d_threshold) * d_nc /
                    d_profiler->bins();
            // A phase ramp moves the delay by any fraction of a row.
            for (int k = 0; k < d_nc; k++) {
                const double phase = 2 * M_PI * shift * k / d_nc;
                volk_32fc_s32fc_multiply_32fc(
                    d_h.data() + size_t(k) * d_nt,
                    h + size_t(k) * d_nt,
                    lv_cmake(float(std::cos(phase)), float(std::sin(phase))),
                    d_nt);
            }
            d_delay_rows.forward(d_h.data(), d_rows.data());
        } else {
            d_delay_rows.forward(aligned(h), d_rows.data());
        }
        d_to_angle.run(d_rows.data(), d_ha.data());
        volk_32f_s32f_multiply_32f(reinterpret_cast<float*>(ha),
                                   reinterpret_cast<const float*>(d_ha.data()),
                                   d_scale,
                                   2 * d_ha.size());
        if (info) {
            const double whole = energy(h, size_t(d_nc) * d_nt);
            const double kept = energy(ha, size_t(d_na) * d_nt);
            // Not std::max(): NaN stays NaN.
            const double lost = whole == 0 ? 0 : 1 - kept / whole;
            info->energy_lost = lost < 0 ? 0 : lost;
            info->shift = shift;
        }
    }

    void inverse(const cf* ha, cf* h) override
    {
        volk_32f_s32f_multiply_32f(reinterpret_cast<float*>(d_ha.data()),
                                   reinterpret_cast<const float*>(ha),
                                   d_scale,
                                   2 * d_ha.size());
        d_to_antenna.run(d_ha.data(), d_rows.data());
        const bool is_aligned = volk_is_aligned(h);
        d_delay_rows.inverse(d_rows.data(), is_aligned ? h : d_h.data());
        if (!is_aligned)
            std::copy(d_h.begin(), d_h.end(), h);
    }

private:
    // FFTW is two to four times as fast on aligned arrays, which those of GNU Radio are.
    const cf* aligned(const cf* h)
    {
        if (volk_is_aligned(h))
            return h;
        std::copy_n(h, d_h.size(), d_h.begin());
        return d_h.data();
    }

    static double energy(const cf* x, size_t n)
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

    const antenna_array d_array;
    const int d_nc;
    const int d_nt;
    const int d_na;
    const int d_precursor;
    const float d_threshold;
    const float d_scale; // of the DFTs over the antennas
    delay_rows d_delay_rows;
    const fft_plan d_to_angle;
    const fft_plan d_to_antenna;
    std::unique_ptr<delay_profiler> d_profiler; // null without alignment
    volk::vector<cf> d_h;                       // nc x nt
    volk::vector<cf> d_rows;                    // na x nt
    volk::vector<cf> d_ha;                      // na x nt
    volk::vector<cf> d_work;                    // of the profiler
    volk::vector<float> d_profile;
};

} // namespace

namespace {

angular_delay_transform::sptr make_checked(int nc,
                                           int nt,
                                           const antenna_array& array,
                                           int na,
                                           int precursor,
                                           bool align,
                                           float threshold_db)
{
    const char* where = "angular_delay";
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    check_range(where, "na", na, 1, nc);
    check_range(where, "precursor", precursor, 0, na - 1);
    if (!(threshold_db > 0 && threshold_db <= 100))
        throw_bad(where, "threshold_db", threshold_db, "above 0, at most 100");
    return std::make_shared<angular_delay_transform_impl>(
        nc, array.of_ports(where, nt), na, precursor, align, threshold_db);
}

} // namespace

angular_delay_transform::sptr angular_delay_transform::make(
    int nc, int nt, int na, int precursor, bool align, float threshold_db)
{
    return make_checked(nc, nt, {}, na, precursor, align, threshold_db);
}

angular_delay_transform::sptr
angular_delay_transform::make(const csi_shape& shape, bool align, float threshold_db)
{
    const char* where = "angular_delay";
    if (shape.domain != "Ha")
        throw_bad(where, "domain of the shape", shape.domain, "Ha");
    if (!shape.nc)
        throw_bad(
            where, "nc of the shape", shape.nc, std::to_string(shape.rows) + " to 65536");
    if (shape.precursor < 0)
        throw_bad(where,
                  "precursor of the shape",
                  shape.precursor,
                  "0 to " + std::to_string(shape.rows - 1));
    return make_checked(shape.nc,
                        shape.nt,
                        shape.array,
                        shape.rows,
                        shape.precursor,
                        align,
                        threshold_db);
}

} // namespace csifeedback
} // namespace gr
