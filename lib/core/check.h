/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CHECK_H
#define INCLUDED_CSIFEEDBACK_CHECK_H

#include <cstddef>
#include <memory>
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

//! Throws if a shared pointer handed to make() is null (Python's None).
template <typename T>
const std::shared_ptr<T>&
not_null(const char* where, const char* name, const std::shared_ptr<T>& pointer)
{
    if (!pointer)
        throw std::invalid_argument(std::string(where) + ": " + name + " is null");
    return pointer;
}

//! Whether no value is a NaN or an infinity.
inline bool all_finite(const float* x, size_t n)
{
    // x - x is NaN for a NaN or an infinity, and 0 otherwise.
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] - x[i];
    return sum == 0;
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CHECK_H */
