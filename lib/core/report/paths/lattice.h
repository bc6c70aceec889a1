/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LATTICE_H
#define INCLUDED_CSIFEEDBACK_LATTICE_H

#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Gaussian integers a + j b by their class, floor(log2(a^2 + b^2)).
 *
 * The integers of a class are numbered, those of smaller a first. Tables, made once.
 */
class lattice
{
public:
    //! Largest class.
    static constexpr int max_class = 24;
    //! Largest |a| and |b|, and largest resolution().
    static constexpr int max_value = 5792, max_resolution = 13;

    static const lattice& instance();

    //! floor(log2(a^2 + b^2)); not of zero.
    static int class_of(int a, int b);
    /*!
     * \brief Binary logarithm of the resolution of positions, in steps a cell, that goes
     * with a gain of so many quantizer steps: where the error of the position is as large
     * as that of the gain, about 1.5 |a + j b|.
     */
    static int resolution(int a, int b);

    //! Number of integers of a class, 0 to max_class.
    uint32_t size(int c) const { return d_ring[c].begin.back(); }
    //! Number of an integer within its class.
    uint32_t index(int c, int a, int b) const;
    //! The integer of a number below size(c).
    void value(int c, uint32_t index, int& a, int& b) const;

private:
    lattice();
    // Of one class: for a = -most to most, where its integers begin, and the least and
    // largest |b|.
    struct ring {
        int most;
        std::vector<uint32_t> begin;
        std::vector<int16_t> least, largest;
    };
    std::vector<ring> d_ring;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LATTICE_H */
