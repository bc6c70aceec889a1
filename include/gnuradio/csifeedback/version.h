/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_VERSION_H
#define INCLUDED_CSIFEEDBACK_VERSION_H

#include <gnuradio/csifeedback/api.h>

namespace gr {
namespace csifeedback {

//! Version of the library that is loaded, for example "0.1.0".
CSIFEEDBACK_API const char* version();

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_VERSION_H */
