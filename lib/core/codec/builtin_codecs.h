/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BUILTIN_CODECS_H
#define INCLUDED_CSIFEEDBACK_BUILTIN_CODECS_H

#include <gnuradio/csifeedback/codec_registry.h>

namespace gr {
namespace csifeedback {

/*!
 * \brief Registers codecs or decoders of this module; one at file scope for each family.
 *
 * The constructor only notes the function: the registry calls it when it is first used.
 */
class builtin_codecs
{
public:
    typedef std::vector<codec_descriptor> (*codec_list)();
    typedef std::vector<decoder_descriptor> (*decoder_list)();

    explicit builtin_codecs(codec_list codecs, decoder_list decoders = nullptr);
};

//! Number of a codec in feedback frames; throws, naming `where`, if it is unknown.
uint8_t codec_number(const char* where, const std::string& codec);

//! Throws unless the model is of this codec.
void check_codec(const char* where, const model_file& model, const char* codec);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BUILTIN_CODECS_H */
