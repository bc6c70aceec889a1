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

//! A codec's encoder or decoder failed: CodecError in Python.
struct codec_failure : std::runtime_error {
    //! Line breaks in the text become spaces.
    explicit codec_failure(std::string text);
};

//! What Python raised, as one line with the place: "ValueError: text (file.py:12)".
std::string error_line(const py::error_already_set& error);

//! Base class in C++ of the classes that users derive codecs from.
struct python_codec_part {
};

// Codec objects whose work an object of a Python class does. Errors of its methods become
// codec_failure; calls come from any thread. Objects of C++ stay as they are.
gr::csifeedback::encoder::sptr make_python_encoder(py::object codec);
gr::csifeedback::decoder::sptr make_python_decoder(py::object codec);
gr::csifeedback::report_encoder::sptr make_python_report_encoder(py::object codec);
gr::csifeedback::report_decoder::sptr make_python_report_decoder(py::object codec);

} // namespace csifeedback_python

#endif /* INCLUDED_CSIFEEDBACK_PYTHON_CODECS_H */
