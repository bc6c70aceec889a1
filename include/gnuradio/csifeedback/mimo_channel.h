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
 * \brief The radio channel in the time domain: nt transmitted signals to those of 1 to 4
 * receiving antennas, with noise.
 * \ingroup csifeedback
 *
 * Inputs 0 to nt - 1 and outputs 0 to nr - 1: complex samples. The tag `frame` on input 0
 * (csirs_source sends it) begins a frame: with frame f the channel becomes that of sample
 * f of the models, or taps f modulo the number of taps, and stays so until the next one.
 * Before the first tag it is that of sample 0. Outputs carry no tags, as the air does
 * not.
 *
 * With `updates` U above 1 the channel moves within a frame: sample f U + j of the models
 * (or taps) is that at (j + 1/2) / U of frame f's length, and between two of them the
 * channel goes from one to the other in a straight line. A Doppler shift of F hertz is
 * met to (2 pi F T)^2 / 8, T being the time between two samples: an error of -45 dB for
 * 30 samples a period. What a receiver is to be scored by, the H that is published, is
 * that in the middle of the pilots.
 *
 * Everything comes delay() samples late, which is half the length of the filters'
 * kernels and some room for early rays; the channel changes as late, so that each frame
 * has passed through its own.
 *
 * Message ports `truth`, `truth1`, `truth2`, `truth3` (out), one a receiving antenna:
 * at the beginning of every frame the true H, a PDU of nc nt complex values with the keys
 * `frame` (uint64), `rx` and `nc`, `nt` (long).
 *
 * A model with rays is turned into filters ray by ray; the H of one without them (a data
 * set of recorded matrices) is met by filters in the sense of least squares.
 *
 * Noise is white and Gaussian, with `signal_power` 10^(-snr_db / 10) per sample: with
 * unit gain and one port of that mean power sending on nc of N subcarriers, the SNR of a
 * subcarrier is N / nc above snr_db.
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
     *                     rays are left out, see energy_lost()
     * \param snr_db       signal to noise ratio in dB, -100 to 300; from 300 on no noise
     * \param signal_power mean power of a port's samples, > 0
     * \param seed         of the noise
     * \param updates      samples of the models for each frame, 1 to 4096: at 1 the
     *                     channel is constant within a frame. Their sample_interval_s
     *                     should be frame_length() / (updates sample_rate)
     * \param frame        the frames that are sent, for updates above 1
     * \throws std::invalid_argument if a parameter is out of range or a model is null, or
     * frame where it is needed
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
     * \param taps        count x nr x nt x length values: the tap d of a port delays by d
     *                    samples
     * \param nr          receiving antennas, 1 to 4
     * \param nt          antenna ports, 1 to 64
     * \param length      taps of a port, 1 to 8192
     * \param nc          subcarriers of the true H that is published, 1 to 65536
     * \param spacing_hz  their distance, > 0
     * \param sample_rate, snr_db, signal_power, seed, updates, frame as above
     * \throws std::invalid_argument if a parameter is out of range, the size of taps does
     * not fit or a tap is not finite
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

    //! Samples by which the outputs are late.
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
