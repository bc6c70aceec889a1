/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_RECEIVE_ANTENNAS_H
#define INCLUDED_CSIFEEDBACK_RECEIVE_ANTENNAS_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/cdl_panel_channel.h>
#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/csifeedback/scenario_channel.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Channels of UEs with several antennas as a channel_model.
 *
 * Its matrices have a row for each antenna of each subcarrier, (nc nr) x nt: row k nr + a
 * is antenna a on subcarrier k, as required by pmi_report_encoder. Or they are those of
 * one of the antennas, nc x nt. The row spacing of grid() is the subcarrier spacing
 * divided by the number of antennas in a matrix. The matrices are not scaled. The list of
 * paths of a sample is empty. generate_truncated() computes H and transforms it; for
 * matrices of several antennas it throws std::invalid_argument. The array of a panel is
 * n1 x n2 ports with two polarizations.
 */
class CSIFEEDBACK_API receive_antennas
{
public:
    //! Which antennas, and how UEs move.
    struct configuration {
        int antenna = -1; //!< 0 to nr - 1: this one alone; -1: all
        //! Samples per drop, 1 or more: sample i belongs to drop i / samples_per_drop.
        //! Only for a cdl_panel_channel: scenarios have slots_per_drop
        uint64_t samples_per_drop = 1;
        //! Displacement per sample within a drop, along x, in wavelengths, finite
        double step_wavelengths = 0;
        //! Moves the earliest path of each matrix to delay zero, as a receiver does (see
        //! angular_delay): the same phase ramp for all of its antennas
        bool align = false;
    };

    /*!
     * \brief Makes the model of a panel.
     * \throws std::invalid_argument if the panel is null or a parameter is out of range
     */
    static channel_model::sptr make(cdl_panel_channel::sptr panel,
                                    const configuration& c);
    //! The same for a scenario; samples_per_drop must be 1 and step_wavelengths 0.
    static channel_model::sptr make(scenario_panel_channel::sptr panel,
                                    const configuration& c);
    /*!
     * \brief Makes the model from one whose samples i nr to i nr + nr - 1 are the
     * antennas of UE i, as in data sets of panels.
     * \param antennas model of the antennas
     * \param nr      antennas, 1 to 64
     * \param antenna 0 to nr - 1: this one alone; -1: all
     * \param first   UE of sample 0, 0 to 2^48: sample i belongs to UE first + i
     * \throws std::invalid_argument if the model is null or a number is out of range
     */
    static channel_model::sptr
    make(channel_model::sptr antennas, int nr, int antenna = -1, uint64_t first = 0);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_RECEIVE_ANTENNAS_H */
