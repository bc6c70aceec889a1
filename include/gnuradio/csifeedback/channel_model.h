/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHANNEL_MODEL_H
#define INCLUDED_CSIFEEDBACK_CHANNEL_MODEL_H

#include <gnuradio/csifeedback/antenna_array.h>
#include <gnuradio/csifeedback/api.h>
#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The frequency and antenna grid on which a channel is sampled.
 *
 * Row k of H lies at the frequency k * spacing_hz above the first one (ascending). Column
 * n is antenna port n of a uniform linear array, unless the model has a plane, see
 * channel_model::array().
 */
struct CSIFEEDBACK_API channel_grid {
    int nc = 1024;                   //!< rows of H: subcarriers or resource blocks
    int nt = 32;                     //!< columns of H: antenna ports of the BS
    double spacing_hz = 20e6 / 1024; //!< row spacing in Hz (> 0)
    double antenna_spacing = 0.5;    //!< element distance in wavelengths (> 0)
};

/*!
 * \brief One plane wave between the BS array and the single UE antenna.
 *
 * It adds gain * exp(-j 2 pi k spacing_hz delay_s) * exp(-j 2 pi antenna_spacing n u) to
 * H[k, n].
 */
struct CSIFEEDBACK_API propagation_path {
    double delay_s; //!< delay in s
    double u;       //!< direction cosine of the departure along the array, [-1, 1]
    std::complex<double> gain; //!< complex amplitude at the time of the sample
};

//! Data about one generated sample, besides its matrix.
struct CSIFEEDBACK_API channel_sample_info {
    double delay_shift_s = 0; //!< delay removed by the alignment, in s
    double energy = 0;        //!< ||H||_F^2 of the full-band Nc x Nt matrix
    double energy_lost = 0;   //!< part of `energy` outside the kept rows, [0, 1]
};

/*!
 * \brief A source of channel matrices: a pure function of (seed, index).
 *
 * Implementations are immutable once made, so many threads may share one object. Sample
 * `index` has the same bytes whichever thread computes it, and in whatever order.
 */
class CSIFEEDBACK_API channel_model
{
public:
    typedef std::shared_ptr<channel_model> sptr;
    virtual ~channel_model() = default;

    //! Short name, for example "cost2100-indoor" or "cdl-a".
    virtual std::string name() const = 0;

    //! All parameters as one JSON object, for the attributes of a data set file.
    virtual std::string parameters() const = 0;

    //! The grid of the matrices.
    virtual const channel_grid& grid() const = 0;

    //! Array of the antenna ports: a line of grid().nt, or a plane.
    virtual antenna_array array() const { return { grid().nt, 1, 1 }; }

    //! Time between sample `index` and `index + 1` of the same drop, in s; 0: samples are
    //! independent.
    virtual double sample_interval_s() const = 0;

    /*!
     * \brief The plane waves of sample `index`, after alignment and normalization.
     * \param index number of the sample, from 0
     */
    virtual std::vector<propagation_path> paths(uint64_t index) const = 0;

    /*!
     * \brief Computes the full-band matrix.
     * \param index number of the sample, from 0
     * \param H     output, nc x nt, row-major (antenna fastest)
     * \param info  output, may be null
     */
    virtual void generate(uint64_t index,
                          std::complex<float>* H,
                          channel_sample_info* info = nullptr) const = 0;

    /*!
     * \brief Computes only the delay rows [-precursor, na - precursor) of the unitary
     * DFT of H (see angular_delay), without computing H if the model can.
     * \param index     number of the sample, from 0
     * \param na        rows kept, 1 to nc
     * \param precursor rows kept before delay zero, 0 to na - 1
     * \param Ha        output, na x nt, row-major (angle fastest)
     * \param info      output, may be null
     * \throws std::invalid_argument if na or precursor is out of range
     */
    virtual void generate_truncated(uint64_t index,
                                    int na,
                                    int precursor,
                                    std::complex<float>* Ha,
                                    channel_sample_info* info = nullptr) const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHANNEL_MODEL_H */
