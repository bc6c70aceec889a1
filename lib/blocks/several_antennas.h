/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BLOCKS_SEVERAL_ANTENNAS_H
#define INCLUDED_CSIFEEDBACK_BLOCKS_SEVERAL_ANTENNAS_H

#include "check.h"
#include <gnuradio/csifeedback/csi_shape.h>
#include <string>

namespace gr {
namespace csifeedback {

//! Refuses nr antennas of a UE whose matrices, of this shape, do not have their rows.
inline void check_antennas(const char* where, const csi_shape& shape, int nr)
{
    check_range(where, "nr", nr, 1, 8);
    if (nr > 1 && shape.domain != "H")
        throw_bad(where, "domain of the shape with several antennas", shape.domain, "H");
    if (shape.rows % nr)
        throw_bad(where,
                  "rows of the shape",
                  shape.rows,
                  "multiples of nr, " + std::to_string(nr));
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BLOCKS_SEVERAL_ANTENNAS_H */
