/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_SEARCH_H
#define INCLUDED_CSIFEEDBACK_PATH_SEARCH_H

#include "report/paths/dirichlet_axis.h"
#include "report/paths/path_basis.h"
#include <volk/volk_alloc.hh>
#include <cstdint>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! A plane wave: gain times the outer product of the axes' d at two positions.
struct path_atom {
    float delay = 0; //!< in rows
    float angle = 0; //!< in columns
    float re = 0, im = 0;
    float norm =
        1; //!< squared, of the outer product: beyond the ends of the rows below 1

    //! Of the atom in the rows.
    float energy() const { return (re * re + im * im) * norm; }
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

    path_search(const path_search&) = delete;
    path_search& operator=(const path_search&) = delete;

    //! Values in a row of a matrix.
    size_t width() const { return 2 * d_half; }
    int size() const { return d_count; }
    const path_atom* atoms() const { return d_atoms.data(); }
    //! Energy that the atoms leave.
    double residual() const;

    //! Takes a matrix, and begins without atoms.
    void start(const float* h);
    /*!
     * \brief Adds the atom that explains most of what is left.
     * \param steps of Newton's method after the first one
     * \param peaks how many atoms are taken, one at a call, from the same correlations, 1 to
     *              max_peaks: those in other rows that are not much weaker than the first
     * \return false if there are max_atoms, or nothing is left
     */
    bool add(int steps = 3, int peaks = 1);
    static constexpr int max_peaks = 8;
    //! One step of Newton's method for each of the last atoms in turn.
    void refine(int last);
    /*!
     * \brief Takes atoms away, and what they explain goes back into the residual.
     * \param h       as for start()
     * \param is_kept for each atom; the others go
     */
    void keep(const float* h, const std::vector<uint8_t>& is_kept);
    //! Multiply-adds since start().
    uint64_t operations() const { return d_operations; }

private:
    // What the residual says of an atom.
    struct probe {
        float re, im; // correlation
        float norm;   // squared, of the atom
        float power() const { return (re * re + im * im) / norm; }
        // Whether it may replace another one. Between whole rows beyond the ends, atoms
        // vanish.
        bool is_better(const probe& other) const
        {
            return power() > other.power() && norm >= 2 * path_basis::min_norm;
        }
    };

    const std::shared_ptr<const dirichlet_axis> d_rows, d_columns;
    const size_t d_half;
    volk::vector<float> d_residual;
    // What the residual has between its rows and between its columns comes from the
    // nearest ones, which begin there before a position; near the ends of the rows from
    // all of them.
    static constexpr int taps = 6;
    volk::vector<float> d_row_taps, d_column_taps, d_between_rows;
    size_t d_first = 0, d_last;              // positions away from the ends
    std::vector<float> d_position, d_weight; // of those between rows
    volk::vector<float> d_rows_around, d_columns_around;
    // Correlations on a grid of half cells: of what is between columns, between rows, and
    // both; on whole cells they are the residual. The largest power in each row of the
    // four.
    struct correlations {
        const float* map;
        const float *position, *weight; // of its rows, null: whole ones
        size_t rows;
        float column;             // of its first column
        std::vector<float> power; // the largest of each row
    };
    volk::vector<float> d_map[3];
    correlations d_grid[4];
    struct peak {
        float delay, angle;
    };
    peak d_peaks[max_peaks];
    int d_peak_count = 0, d_next_peak = 0;
    std::vector<path_atom> d_atoms;
    int d_count = 0;
    uint64_t d_operations = 0;
    // Vectors of one atom and their derivatives, at its position and the next one.
    volk::vector<float> d_s[3], d_a[3], d_next_s, d_next_a, d_z;

    // The rows that count where an atom is sought and refined: those around it, in which
    // nearly all of its energy is.
    static constexpr size_t max_near_rows = 32;
    size_t d_near_first = 0, d_near_rows;

    // Length of a row of d_columns_around.
    size_t around() const { return d_half + 16; }
    void find_peaks(int most);
    void between_columns(const float* m, size_t rows, float* map);
    void between_rows();
    void look_around(float delay);
    float near_norm(const float* x, const float* y) const;
    void set(float delay, float angle);
    probe next(float delay, float angle);
    bool step(float& delay, float& angle, probe& here);
    static void take_gain(path_atom& atom, const probe& at);
    void subtract(const path_atom& atom);
    void add_outer(const float* s, const float* a, float re, float im);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_SEARCH_H */
