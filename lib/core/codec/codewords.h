/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CODEWORDS_H
#define INCLUDED_CSIFEEDBACK_CODEWORDS_H

#include "check.h"
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <memory>

namespace gr {
namespace csifeedback {

/*!
 * \brief Checks that a quantizer fits an encoder or decoder.
 * \param where     who asks, for errors
 * \param name      what the object is called there
 * \param part      the encoder or decoder
 * \param quantizer for its codewords or the first values of them
 * \throws std::invalid_argument if either is null, or the quantizer is for longer
 *         codewords
 */
inline void check_codewords(const char* where,
                            const char* name,
                            const std::shared_ptr<codec_part>& part,
                            const quantizer::sptr& quantizer)
{
    not_null(where, name, part);
    not_null(where, "quantizer", quantizer);
    check_range(where,
                "code_size of the quantizer",
                quantizer->code_size(),
                1,
                part->code_size());
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CODEWORDS_H */
