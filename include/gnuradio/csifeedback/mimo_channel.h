/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MIMO_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_MIMO_CHANNEL_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/csifeedback/csirs_frame.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The radio channel in the time domain, from nt transmitted signals to those of 1
 * to 4 receiving antennas, with noise.
 * \ingroup csifeedback
 *
 * Inputs 0 to nt - 1 and outputs 0 to nr - 1: complex samples. The tag `frame` on input 0
 * (sent by csirs_source) begins a frame: with frame f the channel becomes that of sample
 * f of the models, or of taps f modulo the number of taps, and stays the same until the
 * next frame. Before the first tag it is that of sample 0. Outputs carry no tags, as the
 * air does not.
 *
 * With `updates` U above 1 the channel changes within a frame: sample f U + j of the
 * models (or taps) applies at (j + 1/2) / U of the length of frame f, and between two
 * samples the channel is interpolated linearly. A Doppler shift of F hertz is reproduced
 * to within (2 pi F T)^2 / 8, where T is the time between two samples: an error of -45 dB
 * for 30 samples per period. The published H, against which a receiver is evaluated, is
 * that in the middle of the pilots.
 *
 * The outputs are delayed by delay() samples, which is half the length of the filter
 * kernels plus some room for early rays, or 0 for taps. The channel changes with the same delay, so that
 * each frame passes through its own channel.
 *
 * Message ports `truth`, `truth1`, `truth2`, `truth3` (out), one per receiving antenna:
 * at the beginning of every frame the true H, a PDU of nc nt complex values with the keys
 * `frame` (uint64), `rx` and `nc`, `nt` (long).
 *
 * A model with rays is converted to filters ray by ray. For a model without rays (a data
 * set of recorded matrices), filters are fitted to H by least squares.
 *
 * Noise is white and Gaussian, with the power `signal_power` 10^(-snr_db / 10) per
 * sample: with unit gain and one port of that mean power sending on nc of N subcarriers,
 * the SNR of a subcarrier is higher than snr_db by the factor N / nc.
 */
class CSIFEEDBACK_API mimo_channel : virtual public gr::block
{
public:
    typedef std::shared_ptr<mimo_channel> sptr;

    /*!
     * \brief Makes the block.
     * \param models       one channel model for each receiving antenna, 1 to 4, with the
     *                     same grid
     * \param sample_rate  of all signals, > 0; at least nc spacing_hz of the grid
     * \param max_delay    delays up to this many samples are covered, 1 to 8192; later
     *                     rays are omitted, see energy_lost()
     * \param snr_db       signal to noise ratio in dB, -100 to 300; 300: no noise
     * \param signal_power mean power of a port's samples, > 0
     * \param seed         of the noise
     * \param updates      samples of the models for each frame, 1 to 4096: at 1 the
     *                     channel is constant within a frame. Their sample_interval_s
     *                     should be frame_length() / (updates sample_rate)
     * \param frame        the frames that are sent, for updates above 1
     * \throws std::invalid_argument if a parameter is out of range, a model is null, or
     *         frame is null where it is needed
     */
    static sptr make(std::vector<channel_model::sptr> models,
                     double sample_rate,
                     int max_delay = 64,
                     double snr_db = 300,
                     double signal_power = 1,
                     uint64_t seed = 1,
                     int updates = 1,
                     csirs_frame::sptr frame = nullptr);

    /*!
     * \brief Makes the block from taps.
     * \param taps        count x nr x nt x length values: tap d of a port delays by d
     *                    samples
     * \param nr          receiving antennas, 1 to 4
     * \param nt          antenna ports, 1 to 64
     * \param length      taps of a port, 1 to 8192
     * \param nc          subcarriers of the true H that is published, 1 to 65536
     * \param spacing_hz  their spacing, > 0
     * \param sample_rate, snr_db, signal_power, seed, updates, frame as above
     * \throws std::invalid_argument if a parameter is out of range, the size of taps does
     *         not fit or a tap is not finite
     */
    static sptr make_from_taps(const std::vector<std::complex<float>>& taps,
                               int nr,
                               int nt,
                               int length,
                               int nc,
                               double spacing_hz,
                               double sample_rate,
                               double snr_db = 300,
                               double signal_power = 1,
                               uint64_t seed = 1,
                               int updates = 1,
                               csirs_frame::sptr frame = nullptr);

    //! Samples by which the outputs are delayed.
    virtual int delay() const = 0;

    //! Sets the SNR while the flowgraph runs, -100 to 300 dB.
    virtual void set_snr_db(double snr_db) = 0;

    //! Mean part of the rays' power that lies beyond max_delay, 0 to 1.
    virtual double energy_lost() const = 0;

    //! Frames begun so far.
    virtual uint64_t frames() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MIMO_CHANNEL_H */
