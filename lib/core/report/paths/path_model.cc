/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "kernels/kernels.h"
#include "report/paths/path_model.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

constexpr int path_model::fine_bits[2];

namespace {

constexpr float max_weight = 65535;

const char* const axis_names[] = { "delay", "angle" };

std::vector<frequency_table>
tables(const model_file& model, const std::string& name, const std::vector<size_t>& shape)
{
    const float_array array = model.read("encoder/" + name, shape);
    const size_t symbols = shape.back();
    std::vector<frequency_table> result;
    for (size_t i = 0; i < array.data.size(); i += symbols)
        result.emplace_back("encoder/" + name, array.data.data() + i, symbols);
    return result;
}

// Weights of at least `least`.
std::vector<uint32_t> weights(const model_file& model,
                              const std::string& name,
                              const std::vector<size_t>& shape,
                              float least)
{
    std::vector<uint32_t> result;
    for (const float x : model.read("encoder/" + name, shape).data) {
        if (!(x >= least && x <= max_weight && std::floor(x) == x))
            throw_bad("path",
                      ("encoder/" + name).c_str(),
                      x,
                      "a whole number from " + std::to_string(int(least)) + " to 65535");
        result.push_back(x);
    }
    return result;
}

} // namespace

int path_model::size_class(int bits)
{
    const uint64_t square = uint64_t(bits) * bits;
    const int halves = 63 - __builtin_clzll(square | 1);
    return std::min(std::max(halves - 8, 0), sizes - 1);
}

int path_model::level(int order)
{
    return order < 1 ? 0 : order < 4 ? 1 : order < 8 ? 2 : 3;
}

path_model::path_model(const model_file& model)
    : d_na(model.na()),
      d_nt(model.nt()),
      d_precursor(model.precursor()),
      d_stride(whole_registers(model.nt()))
{
    if (model.domain() == "H")
        load_window(model);
    d_is_ring = d_na == model.nc();
    load_cells(model);
    load_near(model);
    load_fine(model);
    d_step = tables(model, "steps", { sizes, steps });
    d_top = tables(model, "tops", { sizes, tops });
    d_count = tables(model, "counts", { octaves, orders, classes, befores, counts });
    d_excess = tables(model, "excess", { classes, excesses });
}

void path_model::load_window(const model_file& model)
{
    const float_array window = model.read("encoder/window", { 2 });
    const float rows = window.data[0], precursor = window.data[1];
    if (!(rows >= 1 && rows <= model.nc() && std::floor(rows) == rows))
        throw_bad("path",
                  "encoder/window: rows",
                  rows,
                  "a whole number from 1 to " + std::to_string(model.nc()));
    if (!(precursor >= 0 && precursor < rows && std::floor(precursor) == precursor))
        throw_bad("path",
                  "encoder/window: rows before delay zero",
                  precursor,
                  "a whole number from 0 to " + std::to_string(int(rows) - 1));
    d_na = int(rows);
    d_precursor = int(precursor);
}

void path_model::load_cells(const model_file& model)
{
    const size_t nt = d_nt;
    const size_t rows = model.read("encoder/cells", { levels, 0, nt }).shape[1];
    d_margin = (int(rows) - d_na) / 2;
    if (int(rows) != cell_rows() || d_margin < 0 || d_margin > 16)
        throw_bad("path",
                  "encoder/cells: rows",
                  rows,
                  "the " + std::to_string(d_na) +
                      " of the matrix and a margin of up to 16 "
                      "at each end");
    const auto flat = weights(model, "cells", { levels, rows, nt }, 1);
    d_cells.assign(levels * rows * d_stride, 0);
    uint64_t total = 0;
    for (size_t r = 0; r < levels * rows; r++) {
        uint32_t sum = 0;
        for (size_t c = 0; c < nt; c++)
            sum += d_cells[r * d_stride + c] = flat[r * nt + c];
        d_row_sums.push_back(sum);
        if (total += sum; total > max_cells)
            throw_bad("path",
                      "encoder/cells: sum of a level",
                      total,
                      "up to " + std::to_string(max_cells));
        if (r % rows == rows - 1)
            total = 0;
    }
}

void path_model::load_near(const model_file& model)
{
    const size_t nt = d_nt, span = 2 * cell_rows() - 1, width = nt + d_stride;
    const auto flat = weights(model, "near", { span, nt }, 0);
    // Columns from -nt on, so that those of any path are nt in a row.
    d_near.assign(span * width, 0);
    uint64_t total = 0;
    for (size_t r = 0; r < span; r++) {
        uint32_t sum = 0;
        for (size_t c = 0; c < 2 * nt; c++)
            d_near[r * width + c] = flat[r * nt + c % nt];
        for (size_t c = 0; c < nt; c++)
            sum += flat[r * nt + c];
        d_near_sums.push_back(sum);
        total += sum;
    }
    // With it the sum of all weights in a report stays below 2^32.
    if (total > max_near)
        throw_bad(
            "path", "encoder/near: sum", total, "up to " + std::to_string(max_near));
}

void path_model::load_fine(const model_file& model)
{
    for (int axis = 0; axis < 2; axis++) {
        const std::string name = axis_names[axis];
        const size_t rows = axis ? 1 : cell_rows(), most = fine_bits[axis];
        for (size_t bits = 1; bits <= most + 1; bits++)
            d_fine[axis][bits - 1] = weights(model,
                                             name + "_" + std::to_string(bits),
                                             { rows, size_t(fine_symbols(axis, bits)) },
                                             1);
        const int reach = fine_reach(axis, most), farthest = reach + most_fine_symbols;
        const auto near =
            weights(model, name + "_near", { most + 1, size_t(reach) + 1 }, 0);
        for (size_t bits = 1; bits <= most + 1; bits++)
            for (int distance = -farthest; distance <= farthest; distance++) {
                const int d = std::abs(distance);
                d_fine_near[axis].push_back(
                    d <= fine_reach(axis, bits) ? near[(bits - 1) * (reach + 1) + d] : 0);
            }
    }
}

int path_model::count_context(int size_class, int order, int groups_below, int before)
{
    const int o = std::min(order, orders - 1), c = std::min(groups_below, classes - 1);
    const int b = !order        ? 0
                  : before <= 2 ? before
                  : before <= 4 ? 3
                  : before <= 8 ? 4
                                : 5;
    return ((size_class / 2 * orders + o) * classes + c) * befores + b;
}

const uint32_t* path_model::fine(int axis, int row, int bits) const
{
    return &d_fine[axis][fine_table(axis, bits)]
                  [axis ? 0 : row * fine_symbols(axis, bits)];
}

} // namespace csifeedback
} // namespace gr
