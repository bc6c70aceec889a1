/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_DEQUANTIZER_H
#define INCLUDED_CSIFEEDBACK_CSI_DEQUANTIZER_H

#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Maps level numbers back to codewords: the inverse of csi_quantizer.
 * \ingroup csifeedback
 *
 * Input 0: short, M = code_size() of the quantizer object per item. Output 0: float, s,
 * M per item. Message port `pdus` (in and out): the same for PDUs of 1 to M shorts,
 * metadata kept. A PDU whose key `quantizer` (see csi_quantizer) names another quantizer
 * is discarded.
 */
class CSIFEEDBACK_API csi_dequantizer : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csi_dequantizer> sptr;

    /*!
     * \brief Makes the block.
     * \param quantizer the quantizer object
     * \throws std::invalid_argument if quantizer is null
     */
    static sptr make(quantizer::sptr quantizer);

    /*!
     * \brief Replaces the quantizer, even while the flowgraph runs.
     * \param quantizer for codewords of the same size
     * \throws std::invalid_argument if it is null or of another size
     */
    virtual void set_quantizer(quantizer::sptr quantizer) = 0;

    //! PDUs discarded because of their length, type or quantizer.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_DEQUANTIZER_H */
