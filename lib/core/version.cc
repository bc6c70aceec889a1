/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/version.h>

namespace gr {
namespace csifeedback {

// From project() in CMakeLists.txt.
const char* version() { return CSIFEEDBACK_VERSION; }

} // namespace csifeedback
} // namespace gr
