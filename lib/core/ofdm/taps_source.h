/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_TAPS_SOURCE_H
#define INCLUDED_CSIFEEDBACK_TAPS_SOURCE_H

#include <gnuradio/csifeedback/channel_model.h>
#include <complex>
#include <cstdint>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Where mimo_channel has the taps of its filters from, and the true H that belongs
 * to them.
 *
 * Samples of the channel are numbered; nr receiving antennas see nt ports. Not to be used
 * by two threads at once.
 */
class taps_source
{
public:
    using cf = std::complex<float>;

    /*!
     * \brief Taps of channel models: of their rays, or fitted to H where there are none.
     * \param where       beginning of error texts
     * \param models      one for each receiving antenna, 1 to 4, with the same grid
     * \param sample_rate of the filtered signals, at least nc spacing_hz of the grid
     * \param max_delay   delays up to this many samples are covered, 1 to 8192
     * \throws std::invalid_argument if a parameter is out of range or a model is null
     */
    static std::unique_ptr<taps_source>
    from_models(const char* where,
                std::vector<channel_model::sptr> models,
                double sample_rate,
                int max_delay);

    /*!
     * \brief Given taps, those of sample i being the entry i modulo their number.
     * \param where       beginning of error texts
     * \param taps        count x nr x nt x length finite values
     * \param nr          receiving antennas, 1 to 4
     * \param length      taps of a port, 1 to 8192
     * \param grid        where H is wanted; nt is 1 to 64
     * \param sample_rate of the filtered signals, > 0
     * \throws std::invalid_argument if a parameter is out of range
     */
    static std::unique_ptr<taps_source> from_taps(const char* where,
                                                  const std::vector<cf>& taps,
                                                  int nr,
                                                  int length,
                                                  const channel_grid& grid,
                                                  double sample_rate);

    virtual ~taps_source() = default;
    virtual int nr() const = 0;
    virtual const channel_grid& grid() const = 0;
    //! Taps of each port.
    virtual int length() const = 0;
    //! The tap of delay zero.
    virtual int lead() const = 0;
    /*!
     * \brief The taps of one receiving antenna.
     * \param index number of the sample of the channel
     * \param rx    receiving antenna, below nr()
     * \param taps  output, nt x length()
     * \return the part of the power that is left out, 0 to 1
     */
    virtual double taps(uint64_t index, int rx, cf* taps) = 0;
    //! The true H of the same, nc x nt.
    virtual void response(uint64_t index, int rx, cf* h) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_TAPS_SOURCE_H */
