/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_QUANTIZER_H
#define INCLUDED_CSIFEEDBACK_CSI_QUANTIZER_H

#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/sync_block.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Quantizes codewords to level numbers.
 * \ingroup csifeedback
 *
 * Input 0: float, s, M = code_size() of the quantizer object per item. Output 0: short,
 * level numbers, M per item. Message port `pdus` (in and out): the same for PDUs of 1 to
 * M floats, metadata kept.
 *
 * The first item of each quantizer carries the tag `quantizer` (uint64), type_id() times
 * 65536 plus bits(), and every PDU has the same value as the key `quantizer`. Blocks
 * downstream discard level numbers that are not from their own quantizer.
 */
class CSIFEEDBACK_API csi_quantizer : virtual public gr::sync_block
{
public:
    typedef std::shared_ptr<csi_quantizer> sptr;

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

    //! PDUs discarded because of their length or type.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_QUANTIZER_H */
