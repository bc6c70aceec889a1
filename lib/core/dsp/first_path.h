/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FIRST_PATH_H
#define INCLUDED_CSIFEEDBACK_FIRST_PATH_H

#include "dsp/fft_plan.h"
#include <volk/volk_alloc.hh>
#include <complex>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The power at each delay, of all antennas together, under a Hann window over the
 * subcarriers: the side lobes of the plain DFT (13 dB down) would pass for paths, those
 * of the window are 31 dB down.
 *
 * The delays are on a grid as fine as that of the subcarriers' inverse DFT, or a little
 * finer for a fast FFT. Immutable: one object serves many threads.
 */
class delay_profiler
{
public:
    //! nc: subcarriers or pilots; nt: antennas.
    delay_profiler(int nc, int nt);

    //! Delays of the grid: 1 / (subcarrier spacing) is as long.
    int bins() const { return d_bins; }

    /*!
     * \brief Computes the profile.
     * \param h       nc x nt, row-major
     * \param work    for intermediate values; keeps its size from one call to the next
     * \param profile output, bins() values
     */
    void run(const std::complex<float>* h,
             volk::vector<std::complex<float>>& work,
             float* profile) const;

private:
    const int d_nc, d_nt, d_bins;
    const fft_plan d_to_delay;
    std::vector<float> d_hann;
};

/*!
 * \brief The delay of the earliest path in steps of the profile and fractions, -count / 2
 * to count / 2.
 * \param profile   count values from delay_profiler
 * \param threshold the earliest path is the first one of at least this part of the
 *                  strongest one's power
 * \param least     and at least this power
 */
float first_path(const float* profile, int count, float threshold, float least = 0);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FIRST_PATH_H */
