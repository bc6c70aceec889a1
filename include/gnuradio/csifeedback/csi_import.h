/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_IMPORT_H
#define INCLUDED_CSIFEEDBACK_CSI_IMPORT_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/api.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief Imports CSI estimated by other receivers, as matrices H with one port.
 * \ingroup csifeedback
 *
 * Input 0 (optional): items of any kind, with the tag `ofdm_sync_chan_taps` of GNU
 * Radio's OFDM receiver (ofdm_chanest_vcvc sets it, the blocks after it pass it on): a
 * vector of complex values in order of ascending frequency. Message port `pdus` (in):
 * PDUs whose metadata have such a vector under the key `csi` (gr-ieee802-11 sends them),
 * or else PDUs of complex values. Message port `pdus` (out): H, nc x 1, as a PDU with the
 * key `frame`: that of the input PDU, or else a running number.
 *
 * From a longer vector the nc values in the middle are taken, those around the carrier.
 * A zero between two nonzero values, as at an unused carrier, is replaced by their mean.
 * `carriers` selects other values, in its order and unchanged: comma-separated numbers
 * and slices as in Python, counted from 0, negative numbers from the end. "6:32,33:59"
 * selects 6 to 31 and 33 to 58, "::-1" selects all in descending order.
 */
class CSIFEEDBACK_API csi_import : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_import> sptr;

    /*!
     * \brief Makes the block.
     * \param nc        subcarriers, 1 to 65536
     * \param item_size bytes per item of input 0, 1 to 2^20
     * \param carriers  the nc values to take from each vector; empty: those in the middle
     * \param fft_order whether vectors are in FFT order, DC first; they are put in
     *                  ascending order before anything else
     * \throws std::invalid_argument if a parameter is out of range
     */
    static sptr make(int nc,
                     int item_size = 8,
                     const std::string& carriers = "",
                     bool fft_order = false);

    virtual uint64_t imported() const = 0;  //!< matrices sent
    virtual uint64_t discarded() const = 0; //!< tags and PDUs without CSI, or too short
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_IMPORT_H */
