/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MADE_BY_H
#define INCLUDED_CSIFEEDBACK_MADE_BY_H

#include <algorithm>
#include <stdexcept>
#include <string>

namespace gr {
namespace csifeedback {

//! A text without line breaks, as errors are.
inline std::string one_line(std::string text)
{
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/*!
 * \brief Makes an object by a function of a codec, which may be code from outside.
 *
 * What it throws becomes std::invalid_argument with one line, and null is refused.
 * \param codec its name
 * \param what  for the error, for example "encoder"
 * \param make  returns a shared_ptr
 */
template <typename function>
auto made_by(const std::string& codec, const char* what, function&& make)
{
    decltype(make()) object;
    try {
        object = make();
    } catch (const std::invalid_argument&) {
        throw;
    } catch (const std::exception& error) {
        throw std::invalid_argument("codec " + codec + " cannot make its " + what + ": " +
                                    one_line(error.what()));
    }
    if (!object)
        throw std::invalid_argument("codec " + codec + " made no " + what);
    return object;
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MADE_BY_H */
