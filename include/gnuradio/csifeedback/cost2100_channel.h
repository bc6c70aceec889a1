/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_COST2100_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_COST2100_CHANNEL_H

#include <gnuradio/csifeedback/channel_model.h>

namespace gr {
namespace csifeedback {

//! Parameters of cost2100_channel.
struct CSIFEEDBACK_API cost2100_parameters {
    //! "indoor" (IndoorHall_5GHz), "outdoor" (SemiUrban_300MHz, LOS) or "outdoor-nlos"
    std::string scenario = "indoor";
    channel_grid grid;
    //! Side of the square that contains the UE, with the BS at its centre, in m; 0: the
    //! usual one of the CSI papers, 20 m indoor and 400 m outdoor
    double area_m = 0;
    int slots_per_drop = 1; //!< samples of one drop: 1, or a track of a moving UE
    double sample_interval_s = 1e-3; //!< time between two samples of a track
    double speed_mps = 1;            //!< speed on a track; its direction is random
    bool align = true;     //!< moves the earliest path within 20 dB of the strongest to 0
    bool normalize = true; //!< scales the path powers to a sum of 1
    //! With align, true: the earliest path is the one that angular_delay finds in the
    //! matrix, whose bandwidth cannot resolve close rays, as in a receiver; false: the
    //! exact ray
    bool receiver_aligned = false;
    uint64_t seed = 1; //!< of all random numbers
};

/*!
 * \brief The COST 2100 channel model (Liu et al., IEEE Wireless Commun. 19(6), 2012),
 * single link, as the CSI feedback papers use it.
 *
 * The model has clusters of multipath components that are seen through visibility
 * regions, local clusters and a line of sight, with the parameters of its public
 * implementation (scenarios IndoorHall_5GHz and SemiUrban_300MHz). The BS has a uniform
 * linear array on the x axis in the middle of a square: a path that leaves at azimuth phi
 * has u = cos(phi). The UE has one antenna at a random place in the square. Every drop is
 * a new environment. Only visibility regions near the UE are drawn; this changes nothing,
 * since the others have no effect.
 *
 * Path loss is omitted with normalize = true, where it would only be a scale factor.
 */
class CSIFEEDBACK_API cost2100_channel : public channel_model
{
public:
    /*!
     * \brief Makes the model.
     * \throws std::invalid_argument if a parameter is out of range
     */
    static channel_model::sptr make(const cost2100_parameters& parameters);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_COST2100_CHANNEL_H */
