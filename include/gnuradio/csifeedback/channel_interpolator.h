/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LINK_INTERPOLATOR_H
#define INCLUDED_CSIFEEDBACK_LINK_INTERPOLATOR_H

#include <gnuradio/csifeedback/csirs_frame.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Makes H on all subcarriers of its least-squares estimates at the pilots.
 *
 * Delays are counted in rows, 1 / (nc spacing_hz) each, as those of Ha are. The pilots of
 * a port tell nc / pilot_distance() = pilots() rows apart.
 *
 * Not to be used by two threads at once.
 */
class CSIFEEDBACK_API channel_interpolator
{
public:
    typedef std::shared_ptr<channel_interpolator> sptr;
    using cf = std::complex<float>;
    virtual ~channel_interpolator() = default;

    /*!
     * \brief Straight lines between neighbouring pilots, and beyond the outermost ones.
     * \throws std::invalid_argument if frame is null
     */
    static sptr make_linear(csirs_frame::sptr frame);

    /*!
     * \brief Inverse DFT of the pilots, of which only the rows of delays that paths can
     * have are kept, and DFT to all subcarriers. Delays between two rows leave an error
     * at the edges of the band.
     * \param frame  the frame with the pilots
     * \param before rows kept before delay 0, 0 to pilots() - 1
     * \param after  rows kept from delay 0 on, 1 to pilots() - before; 0: as many as the
     *               cyclic prefix is long, if there are so many
     * \throws std::invalid_argument if a parameter is out of range or frame is null
     */
    static sptr make_dft(csirs_frame::sptr frame, int before = 4, int after = 0);

    /*!
     * \brief Linear estimate of least mean squared error for a given delay profile:
     * h = F P F_p^H (F_p P F_p^H + sigma^2 I)^-1 h_LS, with F and F_p from delays, half a
     * row apart, to subcarriers and to pilots (Edfors et al., IEEE Trans. Commun. 46,
     * 1998). All ports have the same profile.
     * \param frame   the frame with the pilots
     * \param before, after as for make_dft()
     * \param profile mean power at the delays -before, -before + 1/2, ... of 2 (before +
     *                after) values >= 0, not all 0; none: learned from the estimates,
     *                beginning with the same power at all of them
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
     * \param noise variance of their errors, >= 0
     * \param h     output, nc x nt
     * \return mean variance of the error of h, as far as noise and (LMMSE) the profile
     * say
     */
    virtual float run(const cf* ls, float noise, cf* h) = 0;

    //! The power at each delay that the estimate is for; empty if it is for none.
    virtual std::vector<float> profile() const { return {}; }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LINK_INTERPOLATOR_H */
