/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "channel/phasor.h"
#include "check.h"
#include "dsp/first_path.h"
#include <gnuradio/csifeedback/csirs_estimator.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class csirs_estimator_impl : public csirs_estimator
{
public:
    csirs_estimator_impl(channel_interpolator::sptr interpolator,
                         bool align,
                         float threshold_db)
        : d_interpolator(interpolator),
          d_frame(interpolator->frame()),
          d_p(d_frame->parameters()),
          d_pilots(d_frame->pilots()),
          d_chips(d_p.cdm_frequency * d_p.cdm_time),
          d_groups((d_p.nt + d_chips - 1) / d_chips),
          d_align(align),
          d_threshold(std::pow(10.0f, -threshold_db / 10)),
          d_prefix_rows((d_p.cp_length * d_p.nc + d_p.fft_size - 1) / d_p.fft_size),
          d_profiler(d_pilots, d_p.nt),
          d_bins(d_profiler.bins()),
          d_ls(size_t(d_pilots) * d_p.nt),
          d_profile(d_bins),
          d_received(d_chips)
    {
        const float amplitude = d_frame->pilot_amplitude();
        const int per_symbol = d_pilots * d_p.cdm_frequency;
        for (int l = 0; l < d_frame->pilot_symbols(); l++)
            for (int m = 0; m < per_symbol; m++)
                d_undo.push_back(
                    std::conj(d_frame->sequence(d_frame->first_pilot() + l)[m]) /
                    (amplitude * d_chips));
        // A port's code depends on its place in the group alone.
        for (int s = 0; s < std::min(d_chips, d_p.nt); s++)
            for (int q = 0; q < d_chips; q++)
                d_code.push_back(std::conj(d_frame->cover(s, q)));
        for (int group = 0; group < d_groups; group++)
            d_offset.push_back(d_frame->pilot_offset(group * d_chips));
    }

    csirs_frame::sptr frame() const override { return d_frame; }

    void least_squares(const cf* grid, cf* ls) override
    {
        const int width = d_p.cdm_frequency, distance = d_frame->pilot_distance();
        const int per_symbol = d_pilots * width;
        for (int group = 0; group < d_groups; group++) {
            const int first = group / d_p.comb * d_p.cdm_time;
            const int ports = std::min(d_chips, d_p.nt - group * d_chips);
            const cf* cells = grid + size_t(first) * d_p.nc + group % d_p.comb * width;
            const cf* undo = &d_undo[size_t(first) * per_symbol];
            for (int g = 0; g < d_pilots; g++) {
                for (int j = 0; j < d_p.cdm_time; j++)
                    for (int i = 0; i < width; i++)
                        d_received[j * width + i] =
                            multiply(cells[size_t(j) * d_p.nc + g * distance + i],
                                     undo[j * per_symbol + g * width + i]);
                cf* out = ls + size_t(g) * d_p.nt + group * d_chips;
                const cf* code = d_code.data();
                for (int s = 0; s < ports; s++, code += d_chips) {
                    cf sum = 0;
                    for (int q = 0; q < d_chips; q++)
                        sum += multiply(d_received[q], code[q]);
                    out[s] = sum;
                }
            }
        }
    }

    bool estimate(const cf* grid, float noise, cf* h, csi_estimate* info) override
    {
        least_squares(grid, d_ls.data());
        double power = 0;
        for (const cf& x : d_ls)
            power += std::norm(x);
        power /= d_ls.size();
        if (!(power > 0 && std::isfinite(power)))
            return false;
        const double amplitude = d_frame->pilot_amplitude();
        double ls_noise = noise >= 0 ? noise / (amplitude * amplitude * d_chips) : 0.0;
        d_profiler.run(d_ls.data(), d_work, d_profile.data());
        // White noise of variance v has the power `per_row` v in a row of the profile.
        const double per_row = 0.375 * d_pilots * d_p.nt;
        const int strongest =
            std::max_element(d_profile.begin(), d_profile.end()) - d_profile.begin();
        const int guard = (d_prefix_rows + 3) * d_bins / d_pilots + 1;
        const int empty = d_bins - 2 * guard;
        if (empty >= std::max(4, d_bins / 8)) {
            double sum = 0;
            for (int r = 0; r < empty; r++)
                sum += d_profile[(strongest + guard + r) % d_bins];
            ls_noise = sum / (empty * per_row);
        }
        float shift = 0;
        if (d_align) {
            // Noise has a peak above this in one of 10^4 profiles or fewer.
            const double least =
                ls_noise * per_row * (1 + 5 / std::sqrt(double(d_p.nt)) + 8.0 / d_p.nt);
            shift = first_path(d_profile.data(), d_bins, d_threshold, least) * d_pilots /
                    d_bins;
            for (int group = 0; group < d_groups; group++) {
                const double turn = double(shift) / d_p.nc;
                std::complex<double> phase = phasor(turn * d_offset[group]);
                const std::complex<double> step =
                    phasor(turn * d_frame->pilot_distance());
                const int from = group * d_chips;
                const int to = std::min(d_p.nt, from + d_chips);
                for (int g = 0; g < d_pilots; g++) {
                    const cf p(phase);
                    for (int n = from; n < to; n++)
                        d_ls[size_t(g) * d_p.nt + n] =
                            multiply(d_ls[size_t(g) * d_p.nt + n], p);
                    phase *= step;
                }
            }
        }
        const float error = d_interpolator->run(d_ls.data(), ls_noise, h);
        if (info) {
            info->noise = ls_noise;
            info->error = error;
            const double snr = (power - ls_noise) / ls_noise;
            info->snr_db = 10 * std::log10(std::min(1e10, std::max(1e-10, snr)));
            info->shift = shift * d_p.fft_size / d_p.nc;
        }
        return true;
    }

private:
    // Without the C standard's care for infinities.
    static cf multiply(cf a, cf b)
    {
        return { a.real() * b.real() - a.imag() * b.imag(),
                 a.real() * b.imag() + a.imag() * b.real() };
    }

    const channel_interpolator::sptr d_interpolator;
    const csirs_frame::sptr d_frame;
    const csirs_parameters d_p;
    const int d_pilots;
    const int d_chips;
    const int d_groups; // code division groups
    const bool d_align;
    const float d_threshold;
    const int d_prefix_rows;
    const delay_profiler d_profiler;
    const int d_bins;             // of the delay profile
    volk::vector<cf> d_ls;        // pilots x nt
    volk::vector<cf> d_work;      // of the profiler
    std::vector<float> d_profile; // bins
    std::vector<cf> d_received;   // chips of a group
    std::vector<cf> d_undo;       // pilot symbols x pilots cdm_frequency
    std::vector<cf> d_code;       // ports of a group x chips
    std::vector<double> d_offset; // of each group's pilots, in subcarriers
};

} // namespace

csirs_estimator::sptr csirs_estimator::make(channel_interpolator::sptr interpolator,
                                            bool align,
                                            float threshold_db)
{
    const char* where = "channel_estimator";
    not_null(where, "interpolator", interpolator);
    if (!(threshold_db > 0 && threshold_db <= 100))
        throw_bad(where, "threshold_db", threshold_db, "above 0, at most 100");
    return std::make_shared<csirs_estimator_impl>(interpolator, align, threshold_db);
}

} // namespace csifeedback
} // namespace gr
