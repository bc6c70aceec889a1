/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_MODEL_H
#define INCLUDED_CSIFEEDBACK_PATH_MODEL_H

#include "report/range_coder.h"
#include <gnuradio/csifeedback/model_file.h>
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The frequencies of all symbols in reports of paths, from a model file.
 *
 * A path is in a cell of the delay-angle plane, a row and a column around a whole
 * number, and at a fraction within that. Frequencies of cells and fractions adapt: a
 * frequency is the sum of a prior and of weights around the paths before it.
 */
class path_model
{
public:
    //! Steps of the quantizer.
    static constexpr int steps = 48;
    //! Classes of report sizes, half an octave each.
    static constexpr int sizes = 17;
    //! Most classes that the strongest path may be below the largest one.
    static constexpr int tops = 24;
    //! Symbols of the number of paths in a group: end of the report, 0 to 15, more.
    static constexpr int counts = 18, count_end = 0, count_more = 17;
    //! Contexts of these numbers: size of the report in octaves, groups after the first
    //! one, groups above the lowest one, number in the group before.
    static constexpr int octaves = 9, orders = 4, classes = 4, befores = 6;
    //! How many classes above its group a gain can be.
    static constexpr int excesses = 8;
    //! Priors of cells, by the order of the group.
    static constexpr int levels = 4;
    //! Fractions are coded by frequencies up to so many bits in delay and in angle; lower
    //! bits are equally likely.
    static constexpr int fine_bits[2] = { 4, 3 };
    //! Largest sum of the weights around a path, and of the priors of cells.
    static constexpr uint32_t max_near = 1u << 22, max_cells = (1u << 31) - 1;

    //! \throws std::invalid_argument if an array of the model is missing or bad
    explicit path_model(const model_file& model);

    //! Delay rows: those of Ha, or the window in which paths of H are sought.
    int na() const { return d_na; }
    //! Rows before delay zero.
    int precursor() const { return d_precursor; }
    int nt() const { return d_nt; }
    //! Whether the rows are all there are, so that the last one is before the first.
    bool is_ring() const { return d_is_ring; }
    //! Rows of cells beyond those of the matrix at each end.
    int margin() const { return d_margin; }
    int cell_rows() const { return d_na + 2 * d_margin; }
    //! Length of a row of cells; what is behind its nt values has no meaning.
    size_t stride() const { return d_stride; }

    static int size_class(int bits);
    static int level(int order);
    const frequency_table& step(int size_class) const { return d_step[size_class]; }
    const frequency_table& top(int size_class) const { return d_top[size_class]; }
    //! Which table goes with the number of paths in a group.
    static int count_context(int size_class, int order, int groups_below, int before);
    const frequency_table& count(int context) const { return d_count[context]; }
    const frequency_table& excess(int groups_below) const
    {
        return d_excess[std::min(groups_below, classes - 1)];
    }

    //! Prior weights of all cells.
    const uint32_t* cells(int level) const
    {
        return &d_cells[level * cell_rows() * d_stride];
    }
    const uint32_t* cell_row_sums(int level) const
    {
        return &d_row_sums[level * cell_rows()];
    }
    //! Weights around a path in column `column`, `rows` rows below it; nt values, and
    //! others up to stride().
    const uint32_t* near(int rows, int column) const
    {
        return &d_near[(rows + cell_rows() - 1) * (d_nt + d_stride) + d_nt - column];
    }
    //! From a row of near() to the next one.
    size_t near_stride() const { return d_nt + d_stride; }
    uint32_t near_sum(int rows) const { return d_near_sums[rows + cell_rows() - 1]; }

    //! Which table goes with fractions of so many bits, 1 or more.
    static int fine_table(int axis, int bits)
    {
        return std::min(bits - 1, fine_bits[axis]);
    }
    //! Number of its symbols.
    static int fine_symbols(int axis, int bits)
    {
        return bits <= fine_bits[axis] ? 1 << bits : (1 << fine_bits[axis]) + 1;
    }
    //! Distances at which other paths matter, in its symbols.
    static int fine_reach(int axis, int bits)
    {
        return 3 << std::min(bits, fine_bits[axis]) >> 1;
    }
    //! Prior weights of delay fractions in a row of cells, and of angle fractions in any.
    const uint32_t* fine(int axis, int row, int bits) const;
    //! Most symbols of a fraction, to whole registers.
    static constexpr int most_fine_symbols = 20;
    //! Weights by distance, negative ones too; zero from fine_reach() on, up to so much
    //! farther.
    const uint32_t* fine_near(int axis, int bits) const
    {
        const int reach = fine_reach(axis, 99) + most_fine_symbols;
        return &d_fine_near[axis][fine_table(axis, bits) * (2 * reach + 1) + reach];
    }

private:
    int d_na, d_nt, d_precursor, d_margin;
    bool d_is_ring;
    size_t d_stride;
    std::vector<frequency_table> d_step, d_top, d_count, d_excess;
    std::vector<uint32_t> d_cells, d_row_sums, d_near, d_near_sums;
    std::vector<uint32_t> d_fine[2][5], d_fine_near[2];

    void load_window(const model_file& model);
    void load_cells(const model_file& model);
    void load_near(const model_file& model);
    void load_fine(const model_file& model);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_MODEL_H */
