/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_SEARCH_H
#define INCLUDED_CSIFEEDBACK_PATH_SEARCH_H

#include "report/paths/dirichlet_axis.h"
#include <volk/volk_alloc.hh>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! A plane wave: gain times the outer product of the axes' d at two positions.
struct path_atom {
    float delay = 0; //!< in rows
    float angle = 0; //!< in columns
    float re = 0, im = 0;

    float power() const { return re * re + im * im; }
};

/*!
 * \brief Orthogonal matching pursuit with continuous positions (as NOMP: Mamandipoor,
 * Ramasamy and Madhow, 2016).
 *
 * Matrices are rows of real and then imaginary parts, columns.stride() values each, zeros
 * beyond columns.size(). The phases of the axes are taken away (dirichlet_axis::phase()),
 * so a path is a real matrix times its gain. Nothing is allocated once an object is made.
 */
class path_search
{
public:
    //! columns: a ring.
    path_search(std::shared_ptr<const dirichlet_axis> rows,
                std::shared_ptr<const dirichlet_axis> columns,
                int max_atoms);

    //! Values in a row of a matrix.
    size_t width() const { return 2 * d_half; }
    int size() const { return d_count; }
    const path_atom* atoms() const { return d_atoms.data(); }
    //! Energy that the atoms leave.
    double residual() const;

    //! Takes a matrix, and begins without atoms.
    void start(const float* h);
    //! Adds the atom that explains most of what is left; false if there are max_atoms, or
    //! nothing is left.
    bool add();
    //! One step of Newton's method for each of the last atoms in turn.
    void refine(int last);

private:
    // What the residual says of an atom.
    struct probe {
        float re, im; // correlation
        float norm;   // squared, of the atom
        float power() const { return (re * re + im * im) / norm; }
    };

    const std::shared_ptr<const dirichlet_axis> d_rows, d_columns;
    const size_t d_half;
    volk::vector<float> d_residual;
    // The vectors of positions between rows and between columns, as matrices.
    volk::vector<float> d_between_rows, d_between_columns;
    std::vector<float> d_position, d_weight; // of those between rows
    volk::vector<float> d_map, d_half_map;
    std::vector<float> d_power;
    std::vector<path_atom> d_atoms;
    int d_count = 0;
    // Vectors of one atom and their derivatives, at its position and the next one.
    volk::vector<float> d_s[3], d_a[3], d_next_s, d_next_a, d_z;

    void find_peak(path_atom& atom);
    void take_peak(const float* map,
                   const float* position,
                   const float* weight,
                   size_t rows,
                   float column,
                   path_atom& atom,
                   float& best);
    void set(float delay, float angle);
    probe next(float delay, float angle);
    bool step(float& delay, float& angle, probe& here);
    void add_outer(const float* s, const float* a, float re, float im);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_SEARCH_H */
