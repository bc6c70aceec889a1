/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PYTHON_CODECS_H
#define INCLUDED_CSIFEEDBACK_PYTHON_CODECS_H

#include "arrays.h"
#include <gnuradio/csifeedback/report.h>

namespace csifeedback_python {

//! Base class in C++ of the classes that users derive codecs from.
struct python_codec_part {
};

// Codec objects whose work an object of a Python class does. Errors of its methods become
// std::runtime_error; calls come from any thread.
gr::csifeedback::encoder::sptr make_python_encoder(py::object codec);
gr::csifeedback::decoder::sptr make_python_decoder(py::object codec);
gr::csifeedback::report_encoder::sptr make_python_report_encoder(py::object codec);
gr::csifeedback::report_decoder::sptr make_python_report_decoder(py::object codec);

} // namespace csifeedback_python

#endif /* INCLUDED_CSIFEEDBACK_PYTHON_CODECS_H */
