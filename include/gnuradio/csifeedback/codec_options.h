/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CODEC_OPTIONS_H
#define INCLUDED_CSIFEEDBACK_CODEC_OPTIONS_H

#include <gnuradio/csifeedback/api.h>
#include <map>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! An option of a decoder or a report, written "name=value".
struct CSIFEEDBACK_API codec_option {
    enum class type { integer, real, flag, text };

    std::string name;
    type kind = type::real;
    //! Its value if it is not given, as text.
    std::string fallback;
    //! Range of numeric values, both ends included.
    double min = 0, max = 0;
    //! One-sentence description for users.
    std::string help;

    static codec_option integer(
        const std::string& name, int fallback, int min, int max, const std::string& help);
    static codec_option real(const std::string& name,
                             double fallback,
                             double min,
                             double max,
                             const std::string& help);
    //! Values 0 and 1.
    static codec_option
    flag(const std::string& name, bool fallback, const std::string& help);
    static codec_option
    text(const std::string& name, const std::string& fallback, const std::string& help);
};

//! The options of one object, checked.
class CSIFEEDBACK_API option_values
{
public:
    //! All options at their fallbacks.
    explicit option_values(std::vector<codec_option> options = {});

    /*!
     * \brief Reads "name=value,name=value".
     * \param where   what the options belong to, for error messages
     * \param options the options that exist
     * \param text    may be empty
     * \throws std::invalid_argument naming the option, its value and what is allowed
     */
    static option_values parse(const std::string& where,
                               const std::vector<codec_option>& options,
                               const std::string& text);

    const std::vector<codec_option>& options() const { return d_options; }
    //! Whether an option was given.
    bool given(const std::string& name) const { return d_given.count(name) != 0; }
    //! Value of an option as text.
    const std::string& text(const std::string& name) const;
    double real(const std::string& name) const;
    int integer(const std::string& name) const;
    bool flag(const std::string& name) const { return real(name) != 0; }

private:
    std::vector<codec_option> d_options;
    std::map<std::string, std::string> d_given;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CODEC_OPTIONS_H */
