/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "check.h"
#include "dsp/fft_plan.h"
#include "kernels/kernels.h"
#include <gnuradio/csifeedback/channel_interpolator.h>
#include <Eigen/Cholesky>
#include <volk/volk.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

using cf = std::complex<float>;
using cd = std::complex<double>;

cf multiply(cf a, cf b)
{
    return { a.real() * b.real() - a.imag() * b.imag(),
             a.real() * b.imag() + a.imag() * b.real() };
}

csirs_frame::sptr checked(const char* where, csirs_frame::sptr frame)
{
    not_null(where, "frame", frame);
    return frame;
}

// What all have in common.
class interpolator_base : public channel_interpolator
{
public:
    explicit interpolator_base(csirs_frame::sptr frame)
        : d_frame(frame),
          d_nc(frame->parameters().nc),
          d_nt(frame->parameters().nt),
          d_pilots(frame->pilots()),
          d_distance(frame->pilot_distance())
    {
    }
    csirs_frame::sptr frame() const override { return d_frame; }

protected:
    // Rows of delay before and from 0 on.
    struct window {
        int before, after;
    };
    window checked_window(const char* where, int before, int after) const
    {
        check_range(where, "before", before, 0, d_pilots - 1);
        check_range(where, "after", after, 0, d_pilots - before);
        if (after == 0) {
            const auto& p = d_frame->parameters();
            after = std::min(d_pilots - before,
                             (p.cp_length * p.nc + p.fft_size - 1) / p.fft_size + 1);
        }
        return { before, after };
    }

    const csirs_frame::sptr d_frame;
    const int d_nc, d_nt, d_pilots, d_distance;
};

class linear_interpolator : public interpolator_base
{
public:
    explicit linear_interpolator(csirs_frame::sptr frame) : interpolator_base(frame)
    {
        for (int n = 0; n < d_nt; n++)
            if (d_runs.empty() || frame->pilot_offset(n) != d_runs.back().offset)
                d_runs.push_back({ n, n + 1, frame->pilot_offset(n) });
            else
                d_runs.back().end = n + 1;
        double noise = 0;
        for (const run_of_ports& run : d_runs)
            for (int k = 0; k < d_nc; k++) {
                const double w = position(run, k).weight;
                noise += (w * w + (1 - w) * (1 - w)) * (run.end - run.begin);
            }
        d_noise_factor = noise / (double(d_nc) * d_nt);
    }
    const char* name() const override { return "linear"; }

    float run(const cf* ls, float noise, cf* h) override
    {
        for (int k = 0; k < d_nc; k++, h += d_nt)
            for (const run_of_ports& run : d_runs) {
                const place p = position(run, k);
                const float w = p.weight;
                const float* a =
                    reinterpret_cast<const float*>(ls + size_t(p.pilot) * d_nt);
                const float* b = a + 2 * d_nt;
                float* out = reinterpret_cast<float*>(h);
                for (int i = 2 * run.begin; i < 2 * run.end; i++)
                    out[i] = a[i] + w * (b[i] - a[i]);
            }
        return noise * d_noise_factor;
    }

private:
    struct run_of_ports {
        int begin, end;
        double offset;
    };
    struct place {
        int pilot; // the one before, or that of the line that goes on
        float weight;
    };
    place position(const run_of_ports& run, int k) const
    {
        const double x = (k - run.offset) / d_distance;
        const int pilot = std::min(d_pilots - 2, std::max(0, int(std::floor(x))));
        return { pilot, float(x - pilot) };
    }

    std::vector<run_of_ports> d_runs; // of equal pilot positions
    float d_noise_factor;
};

class dft_interpolator : public interpolator_base
{
public:
    dft_interpolator(csirs_frame::sptr frame, int before, int after)
        : interpolator_base(frame),
          d_window(checked_window("dft_interpolator", before, after)),
          d_to_delay(d_pilots, d_nt, d_nt, 1, 1, d_pilots, FFTW_BACKWARD, false, true),
          d_to_frequency(d_nc, d_nt, 1, d_nc, 1, d_nc, FFTW_FORWARD, false, true),
          d_input(size_t(d_pilots) * d_nt),
          d_delay(size_t(d_pilots) * d_nt),
          d_padded(size_t(d_nc) * d_nt),
          d_spectrum(size_t(d_nc) * d_nt)
    {
        for (int n = 0; n < d_nt; n++)
            for (int r = -d_window.before; r < d_window.after; r++)
                d_factor.push_back(
                    cf(phasor(frame->pilot_offset(n) * r / d_nc) / double(d_pilots)));
    }
    const char* name() const override { return "dft"; }

    float run(const cf* ls, float noise, cf* h) override
    {
        std::copy_n(ls, d_input.size(), d_input.begin());
        d_to_delay.run(d_input.data(), d_delay.data());
        const cf* factor = d_factor.data();
        for (int n = 0; n < d_nt; n++) {
            const cf* d = &d_delay[size_t(n) * d_pilots];
            cf* out = &d_padded[size_t(n) * d_nc];
            for (int r = -d_window.before; r < d_window.after; r++)
                out[r < 0 ? r + d_nc : r] =
                    multiply(d[r < 0 ? r + d_pilots : r], *factor++);
        }
        d_to_frequency.run(d_padded.data(), d_spectrum.data());
        // Transposed in blocks that stay in the cache.
        constexpr int block = 32;
        for (int from = 0; from < d_nc; from += block)
            for (int n = 0; n < d_nt; n++)
                for (int k = from; k < std::min(d_nc, from + block); k++)
                    h[size_t(k) * d_nt + n] = d_spectrum[size_t(n) * d_nc + k];
        return noise * (d_window.before + d_window.after) / d_pilots;
    }

private:
    const window d_window;
    const fft_plan d_to_delay, d_to_frequency;
    volk::vector<cf> d_input;    // pilots x nt
    volk::vector<cf> d_delay;    // nt x pilots
    volk::vector<cf> d_padded;   // nt x nc, zero outside the window
    volk::vector<cf> d_spectrum; // nt x nc
    std::vector<cf> d_factor;    // nt x rows of the window
};

/*
 * With delays d of power P_d, the estimate at all subcarriers is
 * F (F_p^H F_p + sigma^2 P^-1)^-1 F_p^H h_LS, the same as that of the header by the
 * matrix inversion lemma. A port's pilots are its comb offset away from those of port 0,
 * which is a factor for each delay.
 */
class lmmse_interpolator : public interpolator_base
{
public:
    lmmse_interpolator(csirs_frame::sptr frame,
                       int before,
                       int after,
                       const std::vector<float>& profile)
        : interpolator_base(frame),
          d_window(checked_window(where, before, after)),
          d_delays(2 * (d_window.before + d_window.after)),
          d_columns(whole_registers(d_nt)),
          d_learns(profile.empty()),
          d_profile(profile.begin(), profile.end()),
          d_to_delay(
              2 * d_pilots, d_nt, d_nt, 1, 1, 2 * d_pilots, FFTW_BACKWARD, false, true),
          d_ls_re(size_t(d_pilots) * d_columns),
          d_ls_im(size_t(d_pilots) * d_columns),
          d_tap_re(size_t(d_delays) * d_columns),
          d_tap_im(size_t(d_delays) * d_columns),
          d_out_re(size_t(d_nc) * d_columns),
          d_out_im(size_t(d_nc) * d_columns),
          d_inner(size_t(d_pilots) * d_delays),
          d_outer(size_t(d_delays) * d_nc),
          d_turn(size_t(d_delays) * d_nt)
    {
        if (d_learns) {
            d_profile.assign(d_delays, 1.0 / d_delays);
            d_sum.assign(d_delays, 0.0);
            d_next.assign(d_delays, 0.0);
            d_long.resize(2 * size_t(d_pilots) * d_nt);
            d_delay.resize(d_long.size());
        } else if (int(profile.size()) != d_delays) {
            throw_bad(where,
                      "size of profile",
                      profile.size(),
                      std::to_string(d_delays) + ", 2 (before + after)");
        }
        double sum = 0;
        for (const double p : d_profile) {
            if (!(p >= 0 && p < 1e30))
                throw_bad(where, "profile", p, "values of 0 to 1e30");
            sum += p;
        }
        if (!(sum > 0))
            throw_bad(where, "sum of profile", sum, "above 0");
    }
    const char* name() const override { return "lmmse"; }
    std::vector<float> profile() const override
    {
        return { d_profile.begin(), d_profile.end() };
    }

    float run(const cf* ls, float noise, cf* h) override
    {
        if (d_learns)
            learn(ls, noise);
        // Within 1 dB of the noise that it is for, the estimate loses next to nothing.
        d_age++;
        if (d_active.empty() || d_changed ||
            (d_age >= min_age &&
             std::abs(std::log((noise + 1e-30f) / (d_noise + 1e-30f))) > 0.23))
            prepare(noise);

        const int count = d_active.size();
        for (int g = 0; g < d_pilots; g++)
            volk_32fc_deinterleave_32f_x2(&d_ls_re[g * d_columns],
                                          &d_ls_im[g * d_columns],
                                          ls + size_t(g) * d_nt,
                                          d_nt);
        kernels().sum_of_products(reinterpret_cast<const float*>(d_inner.data()),
                                  d_ls_re.data(),
                                  d_ls_im.data(),
                                  d_pilots,
                                  count,
                                  d_columns,
                                  d_tap_re.data(),
                                  d_tap_im.data());
        for (int d = 0; d < count; d++)
            for (int n = 0; n < d_nt; n++) {
                float& re = d_tap_re[d * d_columns + n];
                float& im = d_tap_im[d * d_columns + n];
                const cf x = multiply({ re, im }, d_turn[size_t(d) * d_nt + n]);
                re = x.real();
                im = x.imag();
            }
        kernels().sum_of_products(reinterpret_cast<const float*>(d_outer.data()),
                                  d_tap_re.data(),
                                  d_tap_im.data(),
                                  count,
                                  d_nc,
                                  d_columns,
                                  d_out_re.data(),
                                  d_out_im.data());
        for (int k = 0; k < d_nc; k++)
            volk_32f_x2_interleave_32fc(h + size_t(k) * d_nt,
                                        &d_out_re[k * d_columns],
                                        &d_out_im[k * d_columns],
                                        d_nt);
        return d_error;
    }

private:
    static constexpr const char* where = "lmmse_interpolator";
    static constexpr int min_age = 8; // frames between two estimators
    static constexpr int first_frames = 16, every = 8;

    double row_of(int d) const { return 0.5 * d - d_window.before; }

    // Adds the power at each delay, under a Hann window, to the profile.
    void learn(const cf* ls, float noise)
    {
        if (d_seen++ >= first_frames && d_seen % every)
            return;
        std::copy_n(ls, size_t(d_pilots) * d_nt, d_long.begin());
        d_to_delay.run(d_long.data(), d_delay.data());
        const int size = 2 * d_pilots;
        const double factor = 1.0 / (double(d_pilots) * d_pilots * d_nt);
        for (int d = 0; d < d_delays; d++) {
            const int at = d - 2 * d_window.before;
            const int i = (at + size) % size, a = (at - 2 + size) % size,
                      b = (at + 2 + size) % size;
            double sum = 0;
            for (int n = 0; n < d_nt; n++) {
                const cf* x = &d_delay[size_t(n) * size];
                sum += std::norm(x[i] - 0.5f * (x[a] + x[b]));
            }
            d_sum[d] += sum * factor - 1.5 * double(noise) / d_pilots;
        }
        d_noise_sum += noise;
        d_learned++;
        if (d_learned == 1 || d_learned == 4 || d_learned == first_frames ||
            (d_learned > first_frames && d_learned % first_frames == 0)) {
            // What is left of the noise has this deviation.
            const double deviation = 1.5 * d_noise_sum / d_learned / d_pilots /
                                     std::sqrt(double(d_nt) * d_learned);
            // The window spreads the power of a path over 3 of these delays.
            double whole = 0;
            for (int d = 0; d < d_delays; d++) {
                d_next[d] = std::max(0.0, d_sum[d] / d_learned - 2 * deviation) / 3;
                whole += d_next[d];
            }
            if (!(whole > 0 && whole < 1e30))
                return;
            // What was not seen yet may still come.
            for (int d = 0; d < d_delays; d++)
                d_profile[d] = d_next[d] + 3e-6 * whole / d_delays;
            d_changed = true;
            // Old frames fade.
            if (d_learned >= 4 * first_frames) {
                for (double& x : d_sum)
                    x /= 2;
                d_noise_sum /= 2;
                d_learned /= 2;
            }
        }
    }

    void prepare(float noise)
    {
        double whole = 0, most = 0;
        for (const double p : d_profile) {
            whole += p;
            most = std::max(most, p);
        }
        const double sigma2 = std::max<double>(noise, 1e-7 * whole);
        d_active.clear();
        for (int d = 0; d < d_delays; d++)
            if (d_profile[d] > 1e-3 * most || d_profile[d] * d_pilots > 0.03 * sigma2)
                d_active.push_back(d);
        const int count = d_active.size();
        // Sums of exp(j 2 pi x k) over the pilots and the subcarriers, for differences of
        // delays.
        const auto gram = [this](double rows, int points, double step) {
            const double turn = rows * step / d_nc;
            const cd s = phasor(turn / 2) - phasor(-turn / 2);
            if (std::abs(s) < 1e-9)
                return cd(points);
            const cd whole_turn = phasor(turn * points / 2) - phasor(-turn * points / 2);
            return phasor(turn * (points - 1) / 2) * whole_turn / s;
        };
        Eigen::MatrixXcd g(count, count);
        for (int a = 0; a < count; a++)
            for (int b = 0; b < count; b++)
                g(a, b) =
                    gram(row_of(d_active[a]) - row_of(d_active[b]), d_pilots, d_distance);
        for (int a = 0; a < count; a++)
            g(a, a) += sigma2 / std::max(d_profile[d_active[a]], 1e-12 * most);
        const Eigen::MatrixXcd inverse =
            g.llt().solve(Eigen::MatrixXcd::Identity(count, count));
        Eigen::MatrixXcd f(d_pilots, count); // F_p, conjugate: exp(j 2 pi ...)
        for (int a = 0; a < count; a++)
            for (int p = 0; p < d_pilots; p++)
                f(p, a) = phasor(row_of(d_active[a]) * d_distance * p / d_nc);
        // sum_of_products() wants the transpose of inverse F_p^H.
        const Eigen::MatrixXcd inner = f * inverse.transpose();
        for (int p = 0; p < d_pilots; p++)
            for (int a = 0; a < count; a++)
                d_inner[size_t(p) * count + a] = cf(inner(p, a));
        d_error = 0;
        for (int a = 0; a < count; a++) {
            const double row = row_of(d_active[a]);
            for (int k = 0; k < d_nc; k++)
                d_outer[size_t(a) * d_nc + k] = cf(phasor(-row * k / d_nc));
            for (int n = 0; n < d_nt; n++)
                d_turn[size_t(a) * d_nt + n] =
                    cf(phasor(row * d_frame->pilot_offset(n) / d_nc));
            for (int b = 0; b < count; b++)
                d_error +=
                    sigma2 / d_nc *
                    (inverse(a, b) * gram(row_of(d_active[b]) - row, d_nc, 1)).real();
        }
        d_noise = noise;
        d_changed = false;
        d_age = 0;
    }

    const window d_window;
    const int d_delays; // half a row apart
    const size_t d_columns;
    const bool d_learns;
    std::vector<double> d_profile; // power at each delay
    // Learning
    const fft_plan d_to_delay;
    volk::vector<cf> d_long;  // 2 pilots x nt, the second half zero
    volk::vector<cf> d_delay; // nt x 2 pilots
    std::vector<double> d_sum, d_next;
    double d_noise_sum = 0;
    uint64_t d_seen = 0;
    int d_learned = 0;
    // The estimator
    std::vector<int> d_active; // delays with enough power
    float d_noise = 0;
    double d_error = 0;
    bool d_changed = false;
    int d_age = 0;
    volk::vector<float> d_ls_re, d_ls_im;   // pilots x columns
    volk::vector<float> d_tap_re, d_tap_im; // delays x columns
    volk::vector<float> d_out_re, d_out_im; // nc x columns
    volk::vector<cf> d_inner;               // pilots x delays
    volk::vector<cf> d_outer;               // delays x nc
    std::vector<cf> d_turn;                 // delays x nt
};

} // namespace

channel_interpolator::sptr channel_interpolator::make_linear(csirs_frame::sptr frame)
{
    return std::make_shared<linear_interpolator>(checked("linear_interpolator", frame));
}

channel_interpolator::sptr
channel_interpolator::make_dft(csirs_frame::sptr frame, int before, int after)
{
    return std::make_shared<dft_interpolator>(
        checked("dft_interpolator", frame), before, after);
}

channel_interpolator::sptr channel_interpolator::make_lmmse(
    csirs_frame::sptr frame, int before, int after, const std::vector<float>& profile)
{
    return std::make_shared<lmmse_interpolator>(
        checked("lmmse_interpolator", frame), before, after, profile);
}

} // namespace csifeedback
} // namespace gr
