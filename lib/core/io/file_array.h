/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FILE_ARRAY_H
#define INCLUDED_CSIFEEDBACK_FILE_ARRAY_H

#include "io/h5.h"
#include <gnuradio/csifeedback/antenna_array.h>
#include <stdexcept>

namespace gr {
namespace csifeedback {

/*!
 * \brief The array of the antenna ports of a model or data set: of its attributes n1, n2
 * and polarizations, of which all or none are there; without them a line.
 * \param file open
 * \param nt   ports
 * \throws std::invalid_argument, which names the file, if one is missing or out of range,
 * or the product is not nt
 */
inline antenna_array file_array(const h5_reader& file, int nt)
{
    int found = 0;
    for (const char* name : { "n1", "n2", "polarizations" })
        found += file.has_attribute(name);
    if (!found)
        return { nt, 1, 1 };
    const antenna_array array{ int(file.integer("n1", 1, 1024)),
                               int(file.integer("n2", 1, 1024)),
                               int(file.integer("polarizations", 1, 2)) };
    if (array.ports() != nt)
        throw std::invalid_argument(
            file.path() + ": attributes 'n1', 'n2' and 'polarizations' are " +
            std::to_string(array.n1) + ", " + std::to_string(array.n2) + " and " +
            std::to_string(array.polarizations) +
            ", allowed is a product of 'nt' = " + std::to_string(nt));
    return array;
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FILE_ARRAY_H */
