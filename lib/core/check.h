/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHECK_H
#define INCLUDED_CSIFEEDBACK_CHECK_H

#include <sstream>
#include <stdexcept>
#include <string>

namespace gr {
namespace csifeedback {

//! Throws std::invalid_argument: "where: name is value, allowed is allowed".
template <typename T>
[[noreturn]] void
throw_bad(const char* where, const char* name, const T& value, const std::string& allowed)
{
    std::ostringstream text;
    text << where << ": " << name << " is " << value << ", allowed is " << allowed;
    throw std::invalid_argument(text.str());
}

//! Checks lo <= value <= hi; a NaN fails.
template <typename T>
void check_range(const char* where, const char* name, T value, T lo, T hi)
{
    if (!(value >= lo && value <= hi)) {
        std::ostringstream allowed;
        allowed << lo << " to " << hi;
        throw_bad(where, name, value, allowed.str());
    }
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHECK_H */
