/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/antenna_array.h>

namespace gr {
namespace csifeedback {

std::string antenna_array::text() const
{
    if (is_line())
        return "a line of " + std::to_string(n1) + " ports";
    return std::to_string(n1) + " x " + std::to_string(n2) + " ports of " +
           std::to_string(polarizations) + " polarization" +
           (polarizations == 1 ? "" : "s");
}

antenna_array antenna_array::of_ports(const char* where, int nt) const
{
    antenna_array found = *this;
    if (n1 == 0 && is_line())
        found.n1 = nt;
    check_range(where, "n1 of the array", found.n1, 1, 1024);
    check_range(where, "n2 of the array", found.n2, 1, 1024);
    check_range(where, "polarizations of the array", found.polarizations, 1, 2);
    if (found.ports() != nt)
        throw_bad(where,
                  "array",
                  found.text(),
                  "n1 n2 polarizations = nt = " + std::to_string(nt));
    return found;
}

} // namespace csifeedback
} // namespace gr
