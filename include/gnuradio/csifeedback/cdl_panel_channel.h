/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CDL_PANEL_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_CDL_PANEL_CHANNEL_H

#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstdint>
#include <memory>

namespace gr {
namespace csifeedback {

//! Parameters of cdl_panel_channel.
struct CSIFEEDBACK_API cdl_panel_parameters {
    char profile = 'A';          //!< CDL-A to CDL-E
    int n1 = 4;                  //!< columns of the BS array, 1 to 64
    int n2 = 4;                  //!< its rows, 1 to 64
    double spacing1 = 0.5;       //!< column spacing in wavelengths, > 0, up to 100
    double spacing2 = 0.5;       //!< row spacing in wavelengths, > 0, up to 100
    double slant_deg = 45;       //!< polarizations of the BS: +slant and -slant, 0 to 90
    bool sector_element = false; //!< BS element of Table 7.3-1; false: isotropic
    int nr = 2;                  //!< antennas of the UE, 1 to 64
    int nc = 52;                 //!< subcarriers or resource blocks, 1 to 65536
    double spacing_hz = 180e3;   //!< their spacing in Hz, > 0
    double delay_spread_s = 100e-9; //!< RMS delay spread, clause 7.7.3, 0 to 1 ms
    //! In each drop the mean azimuths of departure are rotated by a random angle of up to
    //! half of this, either way, and those of arrival by another one; 0 to 360
    double angle_span_deg = 0;
    uint64_t seed = 1;     //!< of all random numbers
    int rows_per_port = 1; //!< rows of elements of a port, 1 to 64; these are
                           //!< spacing2 / rows_per_port apart
    double electrical_downtilt_deg = 0; //!< of the beam that they form, from the
                                        //!< normal of the array, -90 to 90
    //! RMS angle spreads to which the angles of all rays are scaled about the profile's
    //! mean angles, clause 7.7.5.1; 0 to 360; 0: the spreads of the profile
    double asd_deg = 0;        //!< azimuth of departure
    double asa_deg = 0;        //!< azimuth of arrival
    double zsd_deg = 0;        //!< zenith of departure
    double zsa_deg = 0;        //!< zenith of arrival
    double bearing_deg = 0;    //!< of the BS array: azimuth of its normal, -360 to 360
    double downtilt_deg = 0;   //!< of the BS array and its fields (7.1.3), -90 to 90
    double ue_bearing_deg = 0; //!< of the UE's array, -360 to 360
};

/*!
 * \brief CDL-A to CDL-E of 3GPP TR 38.901, clause 7.7.1, between a dual-polarized planar
 * array and a UE with several antennas.
 *
 * Polarization follows eq. (7.5-22): four random phases per ray and the profile's
 * cross-polarization ratio. The line of sight of CDL-D and E follows eq. (7.5-29) with a
 * random phase. Elements are slanted dipoles of model-2 (7.3.2). The array stands in the
 * y-z plane, with columns along y (n1) and rows along z (n2), unless it is turned by its
 * bearing and downtilt. Antenna 2 k of the UE is vertical, 2 k + 1 horizontal; the pairs
 * are half a wavelength apart along the y axis, which turns with the UE's bearing. Drops
 * are independent of each other. The UE of a drop may be displaced by a few wavelengths
 * along these axes; angles, delays and powers then stay the same.
 *
 * Scaled angles are ratio (angle - mean) + mean, with the mean angles and the RMS spreads
 * of Annex A over all rays of the profile, including their offsets within the clusters.
 * Azimuths are taken within 180 degrees of the mean; zeniths are limited to 0 to 180
 * degrees. Powers are not scaled: a vertical UE antenna receives (1 + 1 / XPR) / 2 of the
 * power of a cluster from each port.
 *
 * An object is immutable: many threads may share one.
 */
class CSIFEEDBACK_API cdl_panel_channel
{
public:
    typedef std::shared_ptr<cdl_panel_channel> sptr;

    /*!
     * \brief Makes the model.
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(const cdl_panel_parameters& parameters);
    virtual ~cdl_panel_channel() = default;

    virtual const cdl_panel_parameters& parameters() const = 0;
    //! 2 n1 n2.
    int ports() const { return 2 * parameters().n1 * parameters().n2; }
    /*!
     * \brief Computes a drop.
     * \param index number of the drop: the same number gives the same channel
     * \param h     output, nc x nr x ports(), row-major; ports by polarization, then n1,
     *              then n2
     * \param dx    displacement of the UE along x in wavelengths, finite
     * \param dy    displacement along y
     */
    virtual void generate(uint64_t index,
                          std::complex<float>* h,
                          double dx = 0,
                          double dy = 0) const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CDL_PANEL_CHANNEL_H */
