/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MOVING_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_MOVING_CHANNEL_H

#include "ofdm/mimo_filter.h"
#include "ofdm/taps_source.h"
#include <gnuradio/csifeedback/csirs_frame.h>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! When the samples of the channel within a frame apply, in samples of the signal.
struct frame_times {
    int updates = 1;   //!< samples of the channel per frame
    double length = 1; //!< of a frame
    double middle = 0; //!< of its pilots

    //! Middle of the part of a frame that belongs to an update.
    double of(int update) const { return (update + 0.5) * length / updates; }

    /*!
     * \brief The times of a frame.
     * \param where   beginning of error texts
     * \param updates 1 to 4096, at most a frame's samples
     * \param frame   the frame; may be null for one update
     * \throws std::invalid_argument if a parameter is out of range
     */
    static frame_times make(const char* where, int updates, csirs_frame::sptr frame);
};

/*!
 * \brief Filters the signals of nt ports with a channel that changes from frame to frame,
 * and with several updates also within a frame, in straight lines between its samples.
 *
 * Frame f has the channel samples f updates to f updates + updates - 1; before the first
 * frame it is sample 0. Not to be used by two threads at once.
 */
class moving_channel
{
public:
    using cf = std::complex<float>;
    //! Longest stretch that run() filters.
    static constexpr size_t max_samples = 32768;

    moving_channel(std::unique_ptr<taps_source> source, const frame_times& times);

    int nr() const { return d_source->nr(); }
    const channel_grid& grid() const { return d_source->grid(); }
    //! Samples that the filter looks back.
    size_t past() const { return d_source->length() - 1; }
    //! Delay of the outputs, in samples.
    int lead() const { return d_source->lead(); }

    //! The next sample is the first one of a frame.
    void begin_frame(uint64_t frame);
    /*!
     * \brief Filters a stretch.
     * \param in    nt arrays of past() + count samples, the past first; the pointers
     *              advance by count
     * \param out   nr arrays, of which count samples from `from` on are written
     * \param from  first sample of out
     * \param count at most max_samples
     */
    void run(const cf** in, cf* const* out, size_t from, size_t count);
    /*!
     * \brief The true H in the middle of a frame's pilots.
     * \param frame number of the frame
     * \param rx    receiving antenna
     * \param h     output, nc x nt
     */
    void truth(uint64_t frame, int rx, cf* h);
    //! Mean part of the power that the taps made so far leave out, 0 to 1.
    double energy_lost() const { return d_lost / d_made; }

private:
    void mix(const cf* const* in, cf* const* out, size_t from, size_t count);
    void prepare_next();
    void set_taps(mimo_filter& filter, uint64_t index);

    const std::unique_ptr<taps_source> d_source;
    const frame_times d_times;
    std::unique_ptr<mimo_filter> d_filter, d_next; // of d_update and the one after it
    std::vector<cf> d_taps;                        // nr x nt x length
    uint64_t d_frame = 0;
    int d_update;          // of the frame
    double d_position = 0; // samples since the frame began
    // For updates above 1: what d_next makes of the samples, and another H
    std::vector<volk::vector<cf>> d_other;
    std::vector<cf*> d_other_out;
    std::vector<cf> d_h;
    double d_lost = 0;
    uint64_t d_made = 0; // sets of taps, one per receiving antenna and sample
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MOVING_CHANNEL_H */
