/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/codec_options.h>
#include <boost/lexical_cast.hpp>
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Shortest text that gives the number again.
std::string to_text(double x)
{
    std::ostringstream text;
    text << x;
    return text.str();
}

const codec_option* find(const std::vector<codec_option>& options,
                         const std::string& name)
{
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const codec_option& o) {
            return o.name == name;
        });
    return found == options.end() ? nullptr : &*found;
}

std::string check(const codec_option& option, const std::string& value)
{
    if (option.kind == codec_option::type::text)
        return value.empty() ? "any text" : "";
    double x = 0;
    const bool is_number = boost::conversion::try_lexical_convert(value, x);
    const bool is_whole = is_number && std::nearbyint(x) == x;
    if (is_number && x >= option.min && x <= option.max &&
        (option.kind == codec_option::type::real || is_whole))
        return "";
    if (option.kind == codec_option::type::flag)
        return "0 or 1";
    return (option.kind == codec_option::type::integer ? "a whole number from "
                                                       : "a number from ") +
           to_text(option.min) + " to " + to_text(option.max);
}

} // namespace

codec_option codec_option::integer(
    const std::string& name, int fallback, int min, int max, const std::string& help)
{
    return {
        name, type::integer, std::to_string(fallback), double(min), double(max), help
    };
}

codec_option codec_option::real(const std::string& name,
                                double fallback,
                                double min,
                                double max,
                                const std::string& help)
{
    return { name, type::real, to_text(fallback), min, max, help };
}

codec_option
codec_option::flag(const std::string& name, bool fallback, const std::string& help)
{
    return { name, type::flag, fallback ? "1" : "0", 0, 1, help };
}

codec_option codec_option::text(const std::string& name,
                                const std::string& fallback,
                                const std::string& help)
{
    return { name, type::text, fallback, 0, 0, help };
}

option_values::option_values(std::vector<codec_option> options)
    : d_options(std::move(options))
{
}

option_values option_values::parse(const std::string& where,
                                   const std::vector<codec_option>& options,
                                   const std::string& text)
{
    option_values values(options);
    size_t begin = 0;
    while (begin < text.size()) {
        const size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        const size_t equals = std::min(part.find('='), part.size());
        const std::string name = part.substr(0, equals),
                          value = part.substr(std::min(equals + 1, part.size()));
        const codec_option* option = find(options, name);
        if (!option) {
            std::string known;
            for (const codec_option& o : options)
                known += (known.empty() ? "" : ", ") + o.name;
            throw std::invalid_argument(
                where + " has no option " + name +
                (known.empty() ? "; it has none" : "; its options are " + known));
        }
        const std::string allowed = check(*option, value);
        if (!allowed.empty())
            throw_bad(
                where.c_str(), ("option " + name).c_str(), "'" + value + "'", allowed);
        values.d_given[name] = value;
        begin = end + 1;
    }
    return values;
}

const std::string& option_values::text(const std::string& name) const
{
    const auto given = d_given.find(name);
    if (given != d_given.end())
        return given->second;
    const codec_option* option = find(d_options, name);
    if (!option)
        throw std::invalid_argument("there is no option " + name);
    return option->fallback;
}

double option_values::real(const std::string& name) const
{
    return boost::lexical_cast<double>(text(name));
}

int option_values::integer(const std::string& name) const { return int(real(name)); }

} // namespace csifeedback
} // namespace gr
