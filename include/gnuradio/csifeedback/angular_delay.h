/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_H
#define INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_H

#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief H to Ha: 2D-DFT to the angular-delay domain, truncated to na delay rows.
 * \ingroup csifeedback
 *
 * Input 0: complex, H, nc x nt per item. Output 0: complex, Ha, na x nt per item.
 * Output 1 (optional): float, the fraction of the energy lost by the truncation, [0, 1].
 *
 * See angular_delay_transform for the conventions and parameters.
 */
class CSIFEEDBACK_API angular_delay : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<angular_delay> sptr;

    //! Makes the block; for parameters and errors see angular_delay_transform::make().
    static sptr make(const csi_shape& shape, bool align = false, float threshold_db = 20);

    /*!
     * \brief Makes the block from sizes given as numbers.
     * \deprecated Pass an object that knows its sizes instead. This form will be removed
     *             in the next release.
     */
    [[deprecated("give a csi_shape, or an object that is one")]] static sptr
    make(int nc,
         int nt,
         int na,
         int precursor = 4,
         bool align = false,
         float threshold_db = 20);

    //! Mean energy fraction lost by the truncation so far, [0, 1], over finite matrices.
    virtual double energy_lost() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_H */
