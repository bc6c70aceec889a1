/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_TRANSFORM_H
#define INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_TRANSFORM_H

#include <gnuradio/csifeedback/api.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <complex>
#include <memory>

namespace gr {
namespace csifeedback {

//! What angular_delay_transform::forward() reports about a matrix.
struct CSIFEEDBACK_API angular_delay_info {
    float energy_lost = 0; //!< part of ||H||^2 in the rows not kept, [0, 1]; NaN if
                           //!< H is not finite
    float shift = 0;       //!< delay that the alignment removed, in rows (1 / bandwidth)
};

/*!
 * \brief The unitary DFT of CSI to the angular-delay domain, truncated to the first delay
 * rows, and its inverse.
 *
 * Ha = F_d^H H F_a: a unitary inverse DFT over the subcarriers (a path with positive
 * delay falls in low rows) and a unitary DFT over the antennas, Csi-L2O eq. (2). For
 * planes the transform is 3-D: F_a is a DFT over the columns and one over the rows of the
 * array, for each polarization. The polarizations are not transformed: column
 * (p n1 + i) n2 + j of Ha is beam (i, j) of polarization p. The rows
 * [-precursor, na - precursor) modulo nc are kept, so delay zero is row `precursor` of
 * Ha: a delay off the grid also leaks into the rows before it.
 *
 * Do not use one object from two threads at once.
 */
class CSIFEEDBACK_API angular_delay_transform
{
public:
    typedef std::shared_ptr<angular_delay_transform> sptr;

    /*!
     * \brief Makes a transform.
     * \param nc           subcarriers, rows of H, 1 to 65536
     * \param nt           antenna ports of a line, 1 to 1024
     * \param na           delay rows kept, 1 to nc
     * \param precursor    rows kept before delay zero, 0 to na - 1
     * \param align        true: the earliest path is moved to delay zero by a phase ramp
     *                     over the subcarriers, the same for all antennas
     * \param threshold_db the earliest path is the first one at most this many dB below
     *                     the strongest; above 0, at most 100. Above 30, side lobes of
     *                     the Hann window used in the search also count as paths
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(int nc,
                     int nt,
                     int na,
                     int precursor = 4,
                     bool align = false,
                     float threshold_db = 20);
    /*!
     * \brief Makes the transform to the Ha of a shape.
     * \param shape        of domain "Ha", with nc and precursor: that of a model file,
     *                     encoder, decoder or report; its array determines the axes over
     *                     which the ports are transformed
     * \param align, threshold_db as above
     * \throws std::invalid_argument if shape is of domain "H", nc or precursor is unknown,
     *         or a parameter is out of range
     */
    static sptr make(const csi_shape& shape, bool align = false, float threshold_db = 20);
    virtual ~angular_delay_transform() = default;

    virtual int nc() const = 0;
    virtual int nt() const = 0;
    virtual int na() const = 0;
    virtual int precursor() const = 0;
    //! Array of the antenna ports.
    virtual const antenna_array& array() const = 0;

    /*!
     * \brief H to Ha.
     * \param h    nc x nt, row-major, finite
     * \param ha   output, na x nt, row-major
     * \param info output, may be null
     */
    virtual void forward(const std::complex<float>* h,
                         std::complex<float>* ha,
                         angular_delay_info* info = nullptr) = 0;

    /*!
     * \brief Ha to H; rows that were not kept are zero. The alignment is not undone: it
     * makes no difference to a precoder that is computed per subcarrier.
     * \param ha na x nt, row-major
     * \param h  output, nc x nt, row-major
     */
    virtual void inverse(const std::complex<float>* ha, std::complex<float>* h) = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_TRANSFORM_H */
