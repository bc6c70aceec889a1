/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MIMO_FILTER_H
#define INCLUDED_CSIFEEDBACK_MIMO_FILTER_H

#include "dsp/fft_plan.h"
#include <gnuradio/csifeedback/channel_model.h>
#include <volk/volk_alloc.hh>
#include <complex>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief FIR filters from nt inputs to nr outputs, by fast convolution (overlap-save).
 *
 * Not to be used by two threads at once.
 */
class mimo_filter
{
public:
    using cf = std::complex<float>;

    //! nt, nr and taps at least 1.
    mimo_filter(int nt, int nr, int taps);

    //! Takes nr x nt x taps values: y_r[t] = sum over n, d of taps[r, n, d] x_n[t - d].
    void set_taps(const cf* taps);

    /*!
     * \brief Filters a stretch.
     * \param in     nt arrays of taps - 1 + count samples: the past comes first
     * \param out    nr arrays of count samples
     * \param offset is added to all pointers of out
     */
    void run(const cf* const* in, cf* const* out, size_t offset, size_t count);

    int nt() const { return d_nt; }
    int nr() const { return d_nr; }
    int taps() const { return d_taps; }

private:
    const int d_nt, d_nr, d_taps;
    const int d_size; // of the FFTs
    const fft_plan d_forward, d_backward;
    volk::vector<cf> d_response; // nr x nt x size
    volk::vector<cf> d_sum;      // nr x size
    volk::vector<cf> d_block;    // size
    volk::vector<cf> d_spectrum; // size
    volk::vector<cf> d_product;  // size
};

/*!
 * \brief Makes the taps of one receiver from plane waves: every ray is a sinc function
 * around its delay, with a Kaiser window.
 *
 * With a signal that keeps to the fraction `band` of the sampling rate the error is
 * below -90 dB, or what a kernel of 96 samples allows for bands above 0.85.
 */
class ray_interpolator
{
public:
    using cf = std::complex<float>;

    //! band: 0 to 1, exclusive.
    ray_interpolator(double sample_rate, double band);

    //! Samples before delay zero in which rays may arrive: an alignment to the first
    //! strong one leaves weak ones there.
    static constexpr int precursor = 16;
    //! The tap at which delay zero lies: half the length of the kernel after those.
    int lead() const { return precursor + d_half; }

    /*!
     * \brief Adds up the rays.
     * \param paths the rays
     * \param grid  where H is defined: paths have their phases at its row 0, which is
     *              nc / 2 rows below the middle of the band
     * \param taps  output, grid.nt x count values
     * \param count taps of a port, more than 2 lead()
     * \return the part of the rays' power that comes too early or too late for the taps
     * and is left out, 0 to 1
     */
    double make(const std::vector<propagation_path>& paths,
                const channel_grid& grid,
                cf* taps,
                int count) const;

private:
    double d_sample_rate;
    int d_half;
    // Kernel at steps of 1 / kernel_steps of a sample.
    std::vector<double> d_kernel;
};

/*!
 * \brief Makes taps whose frequency response is a given H, by least squares.
 *
 * The response at the frequencies of H is met as well as delays between `lead` samples
 * before and count - lead after zero can; outside them the taps are as small as possible.
 */
class response_fit
{
public:
    using cf = std::complex<float>;

    response_fit(const channel_grid& grid, double sample_rate, int lead, int count);

    //! H: nc x nt; taps: output, nt x count.
    void make(const cf* h, cf* taps) const;

private:
    int d_nc, d_nt, d_count;
    std::vector<cf> d_inverse; // count x nc
};

/*!
 * \brief The response of taps at the rows of a grid.
 * \param taps nt x count
 * \param lead tap of delay zero
 * \param h    output, nc x nt
 */
void taps_response(const std::complex<float>* taps,
                   int count,
                   int lead,
                   const channel_grid& grid,
                   double sample_rate,
                   std::complex<float>* h);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MIMO_FILTER_H */
