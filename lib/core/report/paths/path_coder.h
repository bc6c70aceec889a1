/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_CODER_H
#define INCLUDED_CSIFEEDBACK_PATH_CODER_H

#include "report/paths/path_model.h"
#include "report/range_coder.h"
#include <algorithm>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! A path as it is sent: its gain in steps of the quantizer, and positions in steps of
//! 2^-resolution rows and columns.
struct path_symbol {
    int a = 0, b = 0; //!< gain a + j b
    int resolution = 0;
    int delay = 0, angle = 0;
    int group = 0; //!< class of the group that it is sent in

    //! Sets the resolution that goes with the gain.
    void set_gain(int a, int b);
    float delay_rows() const { return float(delay) / (1 << resolution); }
    float angle_columns() const { return float(angle) / (1 << resolution); }
    //! The cell: the nearest whole numbers; columns may be nt where angle is below that.
    int row() const { return (2 * delay + (1 << resolution)) >> (resolution + 1); }
    int column() const { return (2 * angle + (1 << resolution)) >> (resolution + 1); }
};

/*!
 * \brief The syntax of a report of paths.
 *
 * A report is the number of the quantizer's step, the class of the strongest path and
 * groups of paths, the strongest first. Of a group, the paths whose gains are of its
 * class (see lattice) or above and that are in no group before it, come the number and
 * then the paths in the order of their cells. So the order within a group, which tells
 * nothing, costs nothing: each cell is coded as the first one of all that are still to
 * come.
 *
 * An object keeps what it has coded of one report, on both ends the same.
 */
class path_coder
{
public:
    //! Most paths in a report.
    static constexpr int max_paths = 512;
    //! Lowest class of a group, and classes in a group.
    static constexpr int lowest_group = 1, group_classes = 2;

    explicit path_coder(std::shared_ptr<const path_model> model);

    //! Step of the quantizer relative to the norm of the matrix.
    static float step(int index);
    //! Largest group of the strongest path.
    static int largest_group(int step);
    //! Smallest one that can be coded.
    static int smallest_group(int step)
    {
        return std::max(lowest_group,
                        largest_group(step) - (path_model::tops - 1) * group_classes);
    }

    //! Begins a report of so many bits.
    void begin(int bits);
    void encode_step(range_encoder& coder, int step);
    int decode_step(range_decoder& coder);
    //! Of the first group.
    void encode_top(range_encoder& coder, int group);
    int decode_top(range_decoder& coder);
    //! Number of paths in a group, -1: there is no more.
    void encode_count(range_encoder& coder, int group, int count) const;
    int decode_count(range_decoder& coder, int group) const;
    //! The table of this number.
    int count_context(int group) const;
    //! Begins the paths of a group.
    void begin_group(int group, int count);
    //! The next path of the group, `left` in all are to come.
    void encode(range_encoder& coder, const path_symbol& path, int left);
    path_symbol decode(range_decoder& coder, int group, int left);
    //! Whether the cell of x comes before that of y.
    bool is_before(const path_symbol& x, const path_symbol& y) const;
    //! Its row from the first one of the margin on, and its column.
    int cell_row(const path_symbol& p) const
    {
        const int r = p.row();
        return d_model->is_ring() && r == d_model->na() ? 0 : r + d_model->margin();
    }
    int cell_column(const path_symbol& p) const
    {
        const int c = p.column();
        return c == d_model->nt() ? 0 : c;
    }
    //! Priors of the group that was begun.
    int level() const { return d_now.level; }
    //! Whether a path may come next.
    bool may_be(const path_symbol& path) const;
    //! Goes on to a path without coding it.
    void skip_to(const path_symbol& path);

    //! Additions to tables, and of their frequencies, so far.
    uint64_t operations() const { return d_operations; }
    //! Paths so far.
    int size() const { return d_delays.size(); }
    //! Whether any bit more fits into a budget.
    template <typename coder_half>
    static bool has_room(const coder_half& coder, int budget)
    {
        return std::max(coder.bits_after(0, 1, 2), coder.bits_after(1, 1, 2)) <= budget;
    }
    //! Keeps the state for rewind().
    void save();
    void rewind();

private:
    // Delay and angle of a path, in units of 2^-max_resolution cells.
    struct position {
        int at[2];
        explicit position(const path_symbol& p);
    };
    // How the position within a cell is split into a symbol with frequencies and bits.
    struct fraction {
        fraction(const path_coder& coder, int bits, int axis, int cell);
        int rest, half_rest;          // bits, and half their values
        int first_step, first_symbol; // where the cell begins, in steps and in symbols
        int ring;                     // steps of the whole axis, 0: it is no ring
    };
    struct state {
        std::vector<uint32_t> cells, rows;
        int level, row, column, before, size;
    };
    const std::shared_ptr<const path_model> d_model;
    state d_now, d_saved;
    std::vector<int> d_delays, d_angles; // of all paths, as in position
    int d_size_class = 0, d_step = 0, d_top = 0;
    uint32_t d_weights[32];
    std::vector<int> d_candidates; // in fine_weights()
    std::vector<uint32_t> d_from;  // in decode_cell()
    uint64_t d_operations = 0;

    void encode_cell(range_encoder& coder, int row, int column, int left);
    void decode_cell(range_decoder& coder, int& row, int& column, int left);
    static int find(uint32_t value,
                    const uint32_t* from,
                    int count,
                    int left,
                    uint32_t& high,
                    uint32_t& low);
    const frequency_table& excess_table(int group) const;
    uint32_t fine_weights(int axis, int row, const path_symbol& path, int first);
    void add(const path_symbol& path);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_CODER_H */
