/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LINEAR_CODECS_H
#define INCLUDED_CSIFEEDBACK_LINEAR_CODECS_H

#include <gnuradio/csifeedback/codec_registry.h>

namespace gr {
namespace csifeedback {

//! A codec whose encoder is linear_encoder: all but what is its own.
codec_descriptor linear_codec(const std::string& name,
                              int number,
                              const std::string& title,
                              const std::string& help,
                              std::vector<codec_descriptor::use> decoders);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LINEAR_CODECS_H */
