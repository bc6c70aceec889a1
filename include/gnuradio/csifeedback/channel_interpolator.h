/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHANNEL_INTERPOLATOR_H
#define INCLUDED_CSIFEEDBACK_CHANNEL_INTERPOLATOR_H

#include <gnuradio/csifeedback/csirs_frame.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Interpolates H to all subcarriers from least-squares estimates at the pilots.
 *
 * Delays are counted in rows of 1 / (nc spacing_hz), like those of Ha. The pilots of a
 * port resolve nc / pilot_distance() = pilots() rows.
 *
 * Do not use one object from two threads at once.
 */
class CSIFEEDBACK_API channel_interpolator
{
public:
    typedef std::shared_ptr<channel_interpolator> sptr;
    using cf = std::complex<float>;
    virtual ~channel_interpolator() = default;

    /*!
     * \brief Linear interpolation between neighbouring pilots, and linear extrapolation
     * beyond the outermost ones.
     * \throws std::invalid_argument if frame is null
     */
    static sptr make_linear(csirs_frame::sptr frame);

    /*!
     * \brief Inverse DFT of the pilots, truncated to the rows of delays that paths can
     * have, and DFT to all subcarriers. Delays between two rows leave an error at the
     * edges of the band.
     * \param frame  the frame with the pilots
     * \param before rows kept before delay 0, 0 to pilots() - 1
     * \param after  rows kept from delay 0 on, 1 to pilots() - before; 0: the length of
     *               the cyclic prefix, at most pilots() - before
     * \throws std::invalid_argument if a parameter is out of range or frame is null
     */
    static sptr make_dft(csirs_frame::sptr frame, int before = 4, int after = 0);

    /*!
     * \brief Linear minimum mean square error estimate for a given delay profile:
     * h = F P F_p^H (F_p P F_p^H + sigma^2 I)^-1 h_LS, where F and F_p map delays, half a
     * row apart, to subcarriers and to pilots (Edfors et al., IEEE Trans. Commun. 46,
     * 1998). All ports have the same profile.
     * \param frame   the frame with the pilots
     * \param before, after as for make_dft()
     * \param profile mean power at the delays -before, -before + 1/2, ...: 2 (before +
     *                after) values >= 0, not all 0; empty: learned from the estimates,
     *                starting with equal power at all delays
     * \throws std::invalid_argument if a parameter is out of range or frame is null
     */
    static sptr make_lmmse(csirs_frame::sptr frame,
                           int before = 4,
                           int after = 0,
                           const std::vector<float>& profile = {});

    virtual const char* name() const = 0;
    virtual csirs_frame::sptr frame() const = 0;

    /*!
     * \brief Interpolates one estimate.
     * \param ls    pilots() x nt, port fastest: H at the pilots of each port
     * \param noise error variance of these estimates, >= 0
     * \param h     output, nc x nt
     * \return mean error variance of h, according to noise and (LMMSE) the profile
     */
    virtual float run(const cf* ls, float noise, cf* h) = 0;

    //! The power at each delay that the estimate assumes; empty if it assumes no profile.
    virtual std::vector<float> profile() const { return {}; }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHANNEL_INTERPOLATOR_H */
