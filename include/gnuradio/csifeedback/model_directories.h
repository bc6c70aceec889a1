/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MODEL_DIRECTORIES_H
#define INCLUDED_CSIFEEDBACK_MODEL_DIRECTORIES_H

#include <gnuradio/csifeedback/api.h>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! Where model_file::open() looks for the name of a model: the directories of
//! CSIFEEDBACK_MODELS, then those of the installed module. They need not exist.
CSIFEEDBACK_API std::vector<std::string> model_directories();

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MODEL_DIRECTORIES_H */
