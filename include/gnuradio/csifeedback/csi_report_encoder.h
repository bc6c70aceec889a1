/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CSI_REPORT_ENCODER_H
#define INCLUDED_CSIFEEDBACK_CSI_REPORT_ENCODER_H

#include <gnuradio/block.h>
#include <gnuradio/csifeedback/report.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Turns CSI into reports: bit strings (UE).
 * \ingroup csifeedback
 *
 * Input 0: complex, Ha or H, rows x nt per item. Output 0: bytes, (budget + 7) / 8 per
 * item, most significant bit first; the bits that a report does not use are zero. The tag
 * `report_bits` (long) gives the number of used bits wherever it changes. Output 1:
 * float, gain of the matrix, 10 log10(mean |H|^2) in dB. Message port `pdus` (in and
 * out): PDUs of complex values become PDUs of the bytes that are used, with the keys
 * `report_bits` and `gain_db`.
 *
 * If the codec returns a residual energy, every item and PDU carries it as tag or key
 * `residual_energy_db` (double), at least -100.
 *
 * A matrix that is all zero, has a value that is not finite, or on which the codec fails
 * is counted, logged once per burst and discarded; the item after it carries the tag
 * `frame` (uint64), so that frame numbers downstream stay correct. Without such tags
 * items are numbered from 0.
 */
class CSIFEEDBACK_API csi_report_encoder : virtual public gr::block
{
public:
    typedef std::shared_ptr<csi_report_encoder> sptr;

    /*!
     * \brief Makes the block.
     * \param encoder report encoder object, used by this block alone
     * \param budget  largest number of bits of a report, min_bits() of the object to
     *                65535; 0: max_bits() of the object
     * \throws std::invalid_argument if encoder is null or belongs to another block, or
     *         budget is out of range
     */
    static sptr make(report_encoder::sptr encoder, int budget = 0);

    /*!
     * \brief Changes the budget, even while the flowgraph runs.
     * \param budget min_bits() of the object to the budget that the block was made with;
     *               0: that budget
     * \throws std::invalid_argument if it is out of range
     */
    virtual void set_budget(int budget) = 0;
    //! Current largest number of bits of a report.
    virtual int budget() const = 0;
    //! Reports made so far.
    virtual uint64_t reports() const = 0;
    //! Bits of all reports made so far.
    virtual uint64_t bits() const = 0;
    //! Matrices discarded so far.
    virtual uint64_t discarded() const = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CSI_REPORT_ENCODER_H */
