/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ANTENNA_ARRAY_H
#define INCLUDED_CSIFEEDBACK_ANTENNA_ARRAY_H

#include <gnuradio/csifeedback/api.h>
#include <string>

namespace gr {
namespace csifeedback {

/*!
 * \brief How the antenna ports of a BS are arranged: a line, or a plane of one or two
 * polarizations.
 *
 * Ports are numbered as in 3GPP (TS 38.214, 5.2.2.2.1): by polarization, then by
 * column (horizontal), then by row (vertical, fastest). Port (p, a, b) has the number
 * (p n1 + a) n2 + b. A line is an array of one row and one polarization.
 */
struct CSIFEEDBACK_API antenna_array {
    int n1 = 0;            //!< N1, columns, 1 to 1024; 0: a line of all ports
    int n2 = 1;            //!< N2, rows, 1 to 1024
    int polarizations = 1; //!< 1 or 2

    //! Ports: n1 n2 polarizations.
    int ports() const { return n1 * n2 * polarizations; }
    //! Whether the transform to angles is one DFT over all ports.
    bool is_line() const { return n2 == 1 && polarizations == 1; }
    //! For messages: "a line of 32 ports", or "4 x 4 ports of 2 polarizations".
    std::string text() const;
    /*!
     * \brief This array with nt ports: fills in n1 if the array is a line.
     * \param where name of the caller, for error messages
     * \param nt    ports, 1 to 1024
     * \throws std::invalid_argument if a number is out of range or the product is not nt
     */
    antenna_array of_ports(const char* where, int nt) const;

    bool operator==(const antenna_array& other) const
    {
        return n1 == other.n1 && n2 == other.n2 && polarizations == other.polarizations;
    }
    bool operator!=(const antenna_array& other) const { return !(*this == other); }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ANTENNA_ARRAY_H */
