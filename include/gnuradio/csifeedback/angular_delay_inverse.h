/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_INVERSE_H
#define INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_INVERSE_H

#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Ha to H: the inverse of angular_delay. Delay rows that were not kept are zero.
 * \ingroup csifeedback
 *
 * Input 0: complex, Ha, na x nt per item. Output 0: complex, H, nc x nt per item. Message
 * port `pdus` (in and out): the same for PDUs of complex values, metadata kept.
 */
class CSIFEEDBACK_API angular_delay_inverse : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<angular_delay_inverse> sptr;

    //! Makes the block; for parameters and errors see angular_delay_transform::make().
    static sptr make(const csi_shape& shape);

    /*!
     * \brief Makes the block from sizes given as numbers.
     * \deprecated Pass an object that knows its sizes instead. This form will be removed
     *             in the next release.
     */
    [[deprecated("give a csi_shape, or an object that is one")]] static sptr
    make(int nc, int nt, int na, int precursor = 4);

    //! PDUs discarded because they were not na x nt complex values.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ANGULAR_DELAY_INVERSE_H */
