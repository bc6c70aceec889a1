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
 * \brief CSI that other receivers estimated, as matrices H of one port.
 * \ingroup csifeedback
 *
 * Input 0 (optional): items of any kind, with the tag `ofdm_sync_chan_taps` of GNU
 * Radio's OFDM receiver (ofdm_chanest_vcvc sets it, the blocks behind it pass it on): a
 * vector of complex values by ascending frequency. Message port `pdus` (in): PDUs whose
 * metadata have such a vector under the key `csi` (gr-ieee802-11 sends them), or else
 * PDUs of complex values. Message port `pdus` (out): H, nc x 1, a PDU with the key
 * `frame`: that of the PDU, or a number that counts on.
 *
 * Of a longer vector the nc values in the middle are taken, those around the carrier.
 * A zero between two other values, as at an unused carrier, becomes their mean.
 * `carriers` takes others, in its order and as they are: parts with commas between them,
 * numbered from 0, negative numbers from the end; "6:32,33:59" are 6 to 31 and 33 to 58,
 * "::-1" all in descending order.
 */
class CSIFEEDBACK_API csi_import : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_import> sptr;

    /*!
     * \brief Makes the block.
     * \param nc        subcarriers, 1 to 65536
     * \param item_size bytes of an item of input 0, 1 to 2^20
     * \param carriers  values of each vector to take, nc of them; empty: those in the middle
     * \param fft_order vectors come as an FFT has them, DC first; they are put in ascending
     *                  order before anything else
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
