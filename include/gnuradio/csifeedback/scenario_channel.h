/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SCENARIO_CHANNEL_H
#define INCLUDED_CSIFEEDBACK_SCENARIO_CHANNEL_H

#include <gnuradio/csifeedback/channel_model.h>
#include <vector>

namespace gr {
namespace csifeedback {

//! What scenario_channel and scenario_panel_channel have in common.
struct CSIFEEDBACK_API scenario_parameters {
    std::string scenario = "uma";  //!< uma, umi, rma, inh-open or inh-mixed
    int release = 16;              //!< of the tables: 16 (TR 38.901 v16.1) or 19 (v19.2)
    std::string condition = "any"; //!< of propagation: any, by its probability, or los or
                                   //!< nlos for all UEs
    double carrier_hz = 3.5e9;     //!< 0.5e9 to 100e9, for rma to 7e9
    double isd_m = 0;              //!< inter-site distance, 1 to 1e5; 0: the scenario's
    double bs_height_m = 0;        //!< height of the BS, 2 to 150; 0: the scenario's
    double indoor_share = -1;      //!< part of the UEs in buildings, 0 to 1; -1: the
                                   //!< scenario's; ignored for inh-*
    double high_loss_share = 0.5; //!< part of the buildings with high penetration loss, 0
                                  //!< to 1; those of rma have low loss
    std::string penetration = "low-high"; //!< of walls: low-high, by Table 7.4.3-2, or
                                          //!< single-frequency, that of Table 7.4.3-3 for
                                          //!< uma and umi below 6 GHz
    double downtilt_deg = -1;   //!< of the BS array, 0 to 90; -1: the scenario's
    bool sector_element = true; //!< BS element of Table 7.3-1; false: isotropic
    bool path_loss = false;     //!< step 12: H has path loss, penetration loss,
                                //!< shadowing and the 8 dBi of the sector element;
                                //!< false: the rays of every UE have a mean power of 1
    double speed_mps = 0;       //!< of the UEs, 0 to 1e4
    int slots_per_drop = 1;     //!< samples of one UE, with the same rays
    double sample_interval_s = 1e-3; //!< time between two samples of a UE, > 0
    uint64_t seed = 1;               //!< of all random numbers
};

//! The large-scale parameters of a UE.
struct CSIFEEDBACK_API scenario_link {
    double x_m = 0, y_m = 0;   //!< position; the BS is at 0, its sector faces along x
    double height_m = 0;       //!< of the UE
    bool los = false;          //!< line of sight; indoors: to the building
    bool indoor = false;       //!< in a building, other than for inh-*
    bool car = false;          //!< in a car (rma)
    double path_loss_db = 0;   //!< including penetration of walls and cars
    double shadowing_db = 0;   //!< positive: more power
    double k_db = 0;           //!< Ricean factor; 0 unless los and not indoor
    double delay_spread_s = 0; //!< RMS delay spread
    double asd_deg = 0;        //!< spread of azimuths of departure
    double asa_deg = 0;        //!< spread of azimuths of arrival
    double zsd_deg = 0;        //!< spread of zeniths of departure
    double zsa_deg = 0;        //!< spread of zeniths of arrival
    int clusters = 0;          //!< clusters within 25 dB of the strongest
};

//! A ray of a sample, with its angles in the coordinates of the cell.
struct CSIFEEDBACK_API scenario_path {
    double delay_s; //!< after the first ray
    double power;   //!< common to all polarizations: vertical field to vertical field
    double aod_deg, zod_deg; //!< azimuth and zenith of departure
    double aoa_deg, zoa_deg; //!< azimuth and zenith of arrival
};

/*!
 * \brief UMa, UMi, RMa and InH of 3GPP TR 38.901, clause 7.5, between a uniform linear
 * array and one antenna, both vertically polarized.
 *
 * A sample is a UE in the sector of one site, at a random position: LOS state, path loss,
 * correlated large-scale parameters (which follow one map of the cell: UEs close to each
 * other have similar values), clusters, rays and the direct path by steps 1 to 11 with
 * the tables of v16.1 or v19.2. The sector is the third of the site's hexagon around the
 * x axis; for inh-* it is a rectangle of isd_m x 25 m around the BS on the ceiling. The
 * array lies along y.
 *
 * With slots_per_drop, samples i slots_per_drop to (i + 1) slots_per_drop - 1 are one UE
 * that moves with speed_mps in a random horizontal direction: its rays have Doppler
 * shifts, and its large-scale parameters do not change.
 */
class CSIFEEDBACK_API scenario_channel
{
public:
    /*!
     * \brief Makes the model.
     * \param parameters of the scenario
     * \param grid       of H
     * \param align      moves the earliest path within 20 dB of the strongest to 0
     * \param normalize  scales the ray powers of a sample to a sum of 1
     * \param receiver_aligned with align: aligns by the matrix, as a receiver does; see
     *                   cdl_parameters
     * \throws std::invalid_argument if a parameter is out of range
     */
    static channel_model::sptr make(const scenario_parameters& parameters,
                                    const channel_grid& grid,
                                    bool align = true,
                                    bool normalize = false,
                                    bool receiver_aligned = false);
    /*!
     * \brief Large-scale parameters of the UE of a sample.
     * \throws std::invalid_argument if the model is null or not from make()
     */
    static scenario_link link(const channel_model::sptr& model, uint64_t index);
    /*!
     * \brief Rays of a sample, for isotropic elements and without alignment; the direct
     * path comes first.
     * \throws std::invalid_argument if the model is null or not from make()
     */
    static std::vector<scenario_path> rays(const channel_model::sptr& model,
                                           uint64_t index);
};

//! Arrays and grid of scenario_panel_channel.
struct CSIFEEDBACK_API scenario_panel {
    int n1 = 4;                //!< columns of the BS array, 1 to 64
    int n2 = 4;                //!< its rows, 1 to 64
    double spacing1 = 0.5;     //!< column spacing in wavelengths, > 0, up to 100
    double spacing2 = 0.5;     //!< row spacing in wavelengths, > 0, up to 100
    double slant_deg = 45;     //!< polarizations of the BS: +slant and -slant, 0 to 90
    int nr = 2;                //!< antennas of the UE, 1 to 64
    int nc = 52;               //!< subcarriers or resource blocks, 1 to 65536
    double spacing_hz = 180e3; //!< their spacing in Hz, > 0
    int rows_per_port = 1;     //!< rows of elements of a port, 1 to 64; these are
                               //!< spacing2 / rows_per_port apart
    double electrical_downtilt_deg = 0; //!< of the beam that they form, from the
                                        //!< normal of the array, -90 to 90
};

/*!
 * \brief The scenarios of scenario_channel between the arrays of cdl_panel_channel.
 *
 * The BS array is turned down by downtilt_deg, and its fields with it (7.1.3). Ports with
 * several rows of elements have weights with a power of 1 and point down by
 * electrical_downtilt_deg more. The UE array is turned about the vertical axis by a
 * random bearing. The same index, seed and parameters give the same UE as in
 * scenario_channel. An object is immutable: many threads may share one.
 */
class CSIFEEDBACK_API scenario_panel_channel
{
public:
    typedef std::shared_ptr<scenario_panel_channel> sptr;

    /*!
     * \brief Makes the model.
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(const scenario_parameters& parameters, const scenario_panel& panel);
    virtual ~scenario_panel_channel() = default;

    virtual const scenario_parameters& parameters() const = 0;
    virtual const scenario_panel& panel() const = 0;
    //! 2 n1 n2.
    int ports() const { return 2 * panel().n1 * panel().n2; }
    //! Large-scale parameters of the UE of a sample.
    virtual scenario_link link(uint64_t index) const = 0;
    /*!
     * \brief Computes a sample.
     * \param index number of the sample: the same number gives the same channel
     * \param h     output, nc x nr x ports(), row-major; ports by polarization, then n1,
     *              then n2
     */
    virtual void generate(uint64_t index, std::complex<float>* h) const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SCENARIO_CHANNEL_H */
