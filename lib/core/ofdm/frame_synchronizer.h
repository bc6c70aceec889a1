/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FRAME_SYNCHRONIZER_H
#define INCLUDED_CSIFEEDBACK_FRAME_SYNCHRONIZER_H

#include "dsp/fft_plan.h"
#include <gnuradio/csifeedback/csirs_frame.h>
#include <volk/volk_alloc.hh>
#include <atomic>
#include <complex>
#include <vector>

namespace gr {
namespace csifeedback {

//! What frame_synchronizer found out about a frame.
struct sync_result {
    uint32_t frame = 0; //!< its number
    int64_t start = 0;  //!< first sample of its first path
    double offset = 0;  //!< carrier offset in subcarriers
    double clock = 0;   //!< part by which a frame is longer than it should be
    double snr = 0;     //!< of a preamble subcarrier, linear
    double noise = 0;   //!< variance of a cell of the grid
    double quality = 0; //!< correlation of the preamble and its repetition, 0 to 1
};

/*!
 * \brief Finds csirs_frames in the samples of one to four receivers with one clock.
 *
 * Schmidl and Cox's metric finds the preamble and the carrier offset modulo two
 * subcarriers; the differential of symbols 0 and 1 gives the rest of the offset, the
 * cross-correlation with symbol 1 the timing. Symbol 1 must show a channel, with power at
 * few delays. The header is decoded with this channel, and what it says must correlate
 * with what was received as well as the power at these delays lets expect: the checksum
 * alone lets one of 2^16 wrong headers pass. The phase from symbol to symbol refines the
 * offset in three steps of growing distance: 0 to 1, 1 to the header, 1 to the last
 * symbol. A frame whose last symbol does not look like symbol 1, or more so if moved by
 * some samples, has lost samples and is refused, as is one of which much is exactly zero.
 * The same delay, averaged over frames, tells the offset of the sampling clock, by which
 * the pilots are put right.
 *
 * Not to be used by two threads at once, but for the counts.
 */
class frame_synchronizer
{
public:
    using cf = std::complex<float>;

    //! nr: 1 to 4; max_offset: largest carrier offset in subcarriers, 0 to nc / 4.
    frame_synchronizer(csirs_frame::sptr frame, int nr, double max_offset);

    //! Takes samples of all receivers, as many as there is room for; returns how many.
    //! Those that are not finite are counted and become zero.
    size_t push(const cf* const* in, size_t count);

    /*!
     * \brief Looks for the next frame.
     * \param result output, valid if a frame was found
     * \param grid   output, nr x pilot_symbols() x nc: the resource elements of the pilot
     *               symbols, without carrier offset, the first path at delay 0 but for a
     *               fraction of a sample
     * \return false if more samples are needed
     */
    bool next(sync_result& result, cf* grid);

    uint64_t candidates() const { return d_candidates; } //!< peaks of the metric
    uint64_t unknown() const { return d_unknown; } //!< of these, with another preamble
    uint64_t bad_headers() const { return d_bad_headers; } //!< a wrong checksum, or false
    uint64_t broken() const { return d_broken; }           //!< with samples lost
    uint64_t bad_samples() const { return d_bad_samples; } //!< NaN or infinite

private:
    enum class outcome { frame, none, more };

    bool search();
    outcome attempt(sync_result& result, cf* grid);
    void reset_metric(size_t at);
    std::complex<double> half_correlation(size_t at) const;
    //! Derotates a symbol, whose window begins at `at`, and transforms it: all bins.
    void transform(int rx, size_t at, double offset, size_t reference, cf* bins);
    //! The same for the nc subcarriers, scaled.
    void demodulate(int rx, size_t at, double offset, size_t reference, cf* cells);
    //! The delay near 0 at which bins of a cross spectrum add up best, in samples.
    double fine_delay(const cf* bins) const;
    //! Makes nc cells those of a symbol this many samples earlier.
    void advance(cf* cells, double samples) const;
    int bin(int k, int shift) const { return ((k - d_half + shift) % d_n + d_n) % d_n; }
    // Each row is aligned.
    cf* row(volk::vector<cf>& x, int rx) const { return &x[size_t(rx) * d_stride]; }

    const csirs_frame::sptr d_frame;
    const int d_nr, d_n, d_cp, d_nc, d_half, d_length; // d_length: of a symbol
    const size_t d_stride;                             // of rows of bins
    const int d_max_shift;                             // even
    const int d_early;                                 // windows begin so much early
    const float d_threshold;                           // of the metric
    const size_t d_span;                               // samples of a frame without gap
    const size_t d_keep;                               // samples kept before d_at
    const size_t d_capacity;
    const fft_plan d_forward, d_backward;

    std::vector<volk::vector<cf>> d_samples;
    int64_t d_base = 0; // number of the first sample of d_samples
    size_t d_size = 0;  // samples there
    size_t d_at = 0;    // where the search goes on
    // The metric
    volk::vector<cf> d_product;
    volk::vector<float> d_power;
    std::vector<float> d_recent; // the last cp_length + 1 values
    size_t d_recent_at = 0;
    double d_recent_sum = 0;
    bool d_crossed = false, d_pending = false;
    size_t d_deadline = 0, d_best_at = 0;
    double d_best = 0;
    // Sampling clock: weighted sum of what the frames said, and of the weights
    double d_clock_sum = 0, d_clock_weight = 0;
    // Of a candidate, nr x stride each but for d_time
    volk::vector<cf> d_time, d_first, d_second, d_other, d_channel;
    volk::vector<cf> d_cells;
    std::vector<float> d_soft, d_hann;
    std::vector<double> d_profile;
    std::vector<cf> d_ramp; // undoes the early windows
    std::atomic<uint64_t> d_candidates{ 0 }, d_unknown{ 0 }, d_bad_headers{ 0 },
        d_broken{ 0 }, d_bad_samples{ 0 };
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FRAME_SYNCHRONIZER_H */
