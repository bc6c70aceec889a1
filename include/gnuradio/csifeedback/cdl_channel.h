/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CDL_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_CDL_CHANNEL_H

#include <gnuradio/csifeedback/channel_model.h>

namespace gr {
namespace csifeedback {

//! Parameters of cdl_channel.
struct CSIFEEDBACK_API cdl_parameters {
    char profile = 'A'; //!< CDL-A to CDL-E
    channel_grid grid;
    double carrier_hz = 3.5e9;      //!< for the Doppler shift, > 0
    double delay_spread_s = 100e-9; //!< RMS delay spread, clause 7.7.3, >= 0
    double max_delay_spread_s =
        0;                //!< if above delay_spread_s: log-uniform up to it, per drop
    double speed_mps = 0; //!< of the UE, >= 0
    double travel_azimuth_deg = 0; //!< direction of travel, azimuth
    double travel_zenith_deg = 90; //!< direction of travel, zenith angle, 0 to 180
    int slots_per_drop = 1;        //!< samples of one drop, with the same rays and phases
    double sample_interval_s = 1e-3; //!< time between two samples of a drop
    //! In each drop the mean azimuths of departure are rotated by a random angle of up to
    //! half of this, either way, and those of arrival by another one; 0 to 360
    double angle_span_deg = 0;
    bool sector_element = false; //!< BS element of Table 7.3-1; false: isotropic
    bool align = true; //!< moves the earliest path within 20 dB of the strongest to 0
    bool normalize = false; //!< scales the resulting ray powers to a sum of 1
    //! With align, true: the earliest path is the one that angular_delay finds in the
    //! matrix, whose bandwidth cannot resolve close rays, as in a receiver; false: the
    //! exact ray
    bool receiver_aligned = false;
    uint64_t seed = 1; //!< of all random numbers
};

/*!
 * \brief Clustered delay line channels CDL-A to CDL-E of 3GPP TR 38.901, clause 7.7.1.
 *
 * The channel lies between a uniform linear array at the BS, along the y axis (broadside
 * at azimuth 0: a ray that leaves at azimuth phi and zenith theta has
 * u = sin(theta) sin(phi)), and one isotropic antenna at the UE. All antennas are
 * vertically polarized; cross-polarization is omitted. There are 20 rays per cluster,
 * coupled at random, with random initial phases for every drop. The powers of the
 * profile's clusters are scaled to a sum of 1 before the element pattern is applied: with
 * isotropic elements H has unit mean power, which fades from drop to drop.
 *
 * With align = true all rays of a drop are shifted by the same delay, the same for all of
 * its slots; with receiver_aligned each sample is shifted on its own.
 */
class CSIFEEDBACK_API cdl_channel : public channel_model
{
public:
    /*!
     * \brief Makes the model.
     * \throws std::invalid_argument if a parameter is out of range
     */
    static channel_model::sptr make(const cdl_parameters& parameters);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CDL_CHANNEL_H */
