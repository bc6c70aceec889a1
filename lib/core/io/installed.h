/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_INSTALLED_H
#define INCLUDED_CSIFEEDBACK_INSTALLED_H

#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! The parts of a colon separated list that are not empty.
std::vector<std::string> split_paths(const std::string& list);

/*!
 * \brief A directory of the installation, found from where this library lies, so that a
 * module which was moved as a whole still finds it.
 * \param name relative to the prefix, for example "share/gr-csifeedback/models"
 * \return the directory, or nothing if there is none
 */
std::vector<std::string> installed_directories(const std::string& name);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_INSTALLED_H */
