/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include "report/paths/lattice.h"
#include "report/paths/path_coder.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

constexpr uint32_t one = 1 << 15;

// x^n of a fixed-point number x, 0 to one. Never falls where x rises.
uint32_t power(uint32_t x, int n)
{
    uint32_t result = one;
    for (;; x = x * x >> 15) {
        if (n & 1)
            result = result * x >> 15;
        n >>= 1;
        if (!n)
            return result;
    }
}

// (part / whole)^n
uint32_t power(uint32_t part, uint32_t whole, int n)
{
    return power((uint64_t(part) << 15) / whole, n);
}

// A position in units of 2^-lattice::max_resolution, rounded to units of 2^-bits.
int rounded(int position, int bits)
{
    const int shift = lattice::max_resolution - bits;
    return (position + (1 << shift >> 1)) >> shift;
}

} // namespace

void path_symbol::set_gain(int new_a, int new_b)
{
    a = new_a;
    b = new_b;
    resolution = lattice::resolution(a, b);
}

path_coder::position::position(const path_symbol& p)
    : at{ p.delay * (1 << (lattice::max_resolution - p.resolution)),
          p.angle * (1 << (lattice::max_resolution - p.resolution)) }
{
}

path_coder::path_coder(std::shared_ptr<const path_model> model)
    : d_model(std::move(model))
{
    for (state* s : { &d_now, &d_saved }) {
        s->cells.resize(d_model->cell_rows() * d_model->stride());
        s->rows.resize(d_model->cell_rows());
    }
    d_paths.reserve(max_paths);
    begin(1);
}

float path_coder::step(int index) { return std::exp2(-0.25f * (index + 2)); }

int path_coder::largest_group(int step)
{
    // Of a gain of 1, with all energy.
    const int c = (step + 2) / 2;
    return lowest_group + (c - lowest_group) / group_classes * group_classes;
}

void path_coder::begin(int bits)
{
    d_size_class = path_model::size_class(bits);
    d_paths.clear();
    d_now.level = 0;
    std::copy_n(d_model->cells(0), d_now.cells.size(), d_now.cells.begin());
    std::copy_n(d_model->cell_row_sums(0), d_now.rows.size(), d_now.rows.begin());
    d_now.row = d_now.column = 0;
    d_now.before = -1;
}

void path_coder::encode_step(range_encoder& coder, int step)
{
    d_model->step(d_size_class).encode(coder, step);
    d_step = step;
}

int path_coder::decode_step(range_decoder& coder)
{
    return d_step = d_model->step(d_size_class).decode(coder);
}

void path_coder::encode_top(range_encoder& coder, int group)
{
    const int below = (largest_group(d_step) - group) / group_classes;
    d_model->top(d_size_class).encode(coder, below);
    d_top = group;
}

int path_coder::decode_top(range_decoder& coder)
{
    const int below = d_model->top(d_size_class).decode(coder);
    // Of damaged bits it may be below the lowest one.
    return d_top = std::max(largest_group(d_step) - group_classes * below, lowest_group);
}

int path_coder::count_context(int group) const
{
    return path_model::count_context(d_size_class,
                                     (d_top - group) / group_classes,
                                     (group - lowest_group) / group_classes,
                                     std::max(d_now.before, 0));
}

void path_coder::encode_count(range_encoder& coder, int group, int count) const
{
    const frequency_table& table = d_model->count(count_context(group));
    if (count + 1 < path_model::count_more) {
        table.encode(coder, count + 1);
    } else {
        table.encode(coder, path_model::count_more);
        coder.encode_uniform(count + 1 - path_model::count_more, max_paths);
    }
}

int path_coder::decode_count(range_decoder& coder, int group) const
{
    const frequency_table& table = d_model->count(count_context(group));
    const int symbol = table.decode(coder);
    if (symbol < path_model::count_more)
        return symbol - 1;
    const int count = path_model::count_more - 1 + int(coder.decode_uniform(max_paths));
    return std::min(count, max_paths - size());
}

void path_coder::begin_group(int group, int count)
{
    d_now.before = count;
    d_now.row = d_now.column = 0;
    const int level = path_model::level((d_top - group) / group_classes);
    if (level == d_now.level)
        return;
    const uint32_t *next = d_model->cells(level), *last = d_model->cells(d_now.level),
                   *next_sum = d_model->cell_row_sums(level),
                   *last_sum = d_model->cell_row_sums(d_now.level);
    for (size_t i = 0; i < d_now.cells.size(); i++)
        d_now.cells[i] += next[i] - last[i];
    for (size_t r = 0; r < d_now.rows.size(); r++)
        d_now.rows[r] += next_sum[r] - last_sum[r];
    d_operations += 2 * (d_now.cells.size() + d_now.rows.size());
    d_now.level = level;
}

void path_coder::encode_cell(range_encoder& coder, int row, int column, int left)
{
    // Of several cells drawn by the weights, the first one is in a row before r unless
    // all are in r or behind: a power of the share of what is left there.
    const int rows = d_now.rows.size(), nt = d_model->nt();
    const uint32_t* cell = &d_now.cells[d_now.row * d_model->stride()];
    uint32_t skipped = 0, after = 0, whole = 0;
    for (int c = 0; c < d_now.column; c++)
        skipped += cell[c];
    for (int r = rows - 1; r >= d_now.row; r--) {
        if (r == row)
            after = whole;
        whole += d_now.rows[r];
    }
    whole -= skipped;
    const uint32_t here = after + d_now.rows[row] - (row == d_now.row ? skipped : 0);
    const uint32_t high = power(here, whole, left), low = power(after, whole, left);
    d_operations += d_now.column + (rows - d_now.row) + column;
    coder.encode(
        one - high + (row - d_now.row), high - low + 1, one + (rows - d_now.row));

    cell = &d_now.cells[row * d_model->stride()];
    const int begin = row == d_now.row ? d_now.column : 0;
    uint32_t from = here;
    for (int c = begin; c < column; c++)
        from -= cell[c];
    const uint32_t p = power(from, here, left),
                   q = power(from - cell[column], here, left),
                   end = power(after, here, left);
    coder.encode(one - p + (column - begin), p - q + 1, one - end + (nt - begin));
}

void path_coder::decode_cell(range_decoder& coder, int& row, int& column, int left)
{
    const int rows = d_now.rows.size(), nt = d_model->nt();
    const uint32_t* cell = &d_now.cells[d_now.row * d_model->stride()];
    uint32_t skipped = 0, whole = 0;
    for (int c = 0; c < d_now.column; c++)
        skipped += cell[c];
    for (int r = rows - 1; r >= d_now.row; r--)
        whole += d_now.rows[r];
    whole -= skipped;
    uint32_t total = one + (rows - d_now.row), value = coder.peek(total);
    uint32_t here = whole, high = one, low = 0, after = 0;
    for (row = d_now.row;; row++) {
        after = here - (d_now.rows[row] - (row == d_now.row ? skipped : 0));
        low = power(after, whole, left);
        if (row == rows - 1 || value < one - low + (row + 1 - d_now.row))
            break;
        here = after;
        high = low;
    }
    coder.take(one - high + (row - d_now.row), high - low + 1, total);

    cell = &d_now.cells[row * d_model->stride()];
    const int begin = row == d_now.row ? d_now.column : 0;
    total = one - power(after, here, left) + (nt - begin);
    value = coder.peek(total);
    uint32_t from = here, p = one, q = 0;
    for (column = begin;; column++) {
        q = power(from - cell[column], here, left);
        if (column == nt - 1 || value < one - q + (column + 1 - begin))
            break;
        from -= cell[column];
        p = q;
    }
    coder.take(one - p + (column - begin), p - q + 1, total);
}

// Frequencies of the symbols of a fraction, and their sum. first: what the first symbol
// stands for, in its units. Of angles the path's delay matters too.
uint32_t path_coder::fine_weights(int axis, int row, const path_symbol& path, int first)
{
    const int bits = path.resolution;
    const position own(path);
    const int symbols = path_model::fine_symbols(axis, bits),
              reach = path_model::fine_reach(axis, bits);
    const int scale = std::min(bits, path_model::fine_bits[axis]);
    const uint32_t *prior = d_model->fine(axis, row, bits),
                   *near = d_model->fine_near(axis, bits);
    std::copy_n(prior, symbols, d_weights);
    d_operations += symbols + d_paths.size();
    const int ring = axis                 ? d_model->nt() << scale
                     : d_model->is_ring() ? d_model->na() << scale
                                          : 0;
    for (const position& other : d_paths) {
        if (axis && std::abs(other.at[0] - own.at[0]) >= 1 << lattice::max_resolution)
            continue;
        int distance = first - rounded(other.at[axis], scale);
        if (ring) {
            // Into [-ring / 2, ring / 2)
            distance = (distance + ring + ring / 2) % ring - ring / 2;
        }
        if (distance > reach || distance + symbols - 1 < -reach)
            continue;
        for (int i = std::max(0, -reach - distance); i < symbols && distance + i <= reach;
             i++)
            d_weights[i] += near[std::abs(distance + i)];
        d_operations += symbols;
    }
    uint32_t sum = 0;
    for (int i = 0; i < symbols; i++)
        sum += d_weights[i];
    if (sum <= range_coder::max_total)
        return sum;
    int shift = 0;
    while ((sum >> shift) + symbols > range_coder::max_total)
        shift++;
    sum = 0;
    for (int i = 0; i < symbols; i++)
        sum += d_weights[i] = (d_weights[i] >> shift) + 1;
    return sum;
}

void path_coder::encode(range_encoder& coder, const path_symbol& path, int left)
{
    const lattice& gains = lattice::instance();
    const int own = lattice::class_of(path.a, path.b);
    excess_table(path.group).encode(coder, own - path.group);
    coder.encode_uniform(gains.index(own, path.a, path.b), gains.size(own));
    const int cell[2] = { cell_row(path), cell_column(path) };
    encode_cell(coder, cell[0], cell[1], left);
    for (int axis = 0; path.resolution && axis < 2; axis++) {
        const fraction f(*this, path.resolution, axis, cell[axis]);
        const int steps = (axis ? path.angle : path.delay) - f.first_step;
        const int position = steps < 1 << path.resolution ? steps : steps - f.ring;
        const int symbol = (position + f.half_rest) >> f.rest;
        const uint32_t total = fine_weights(axis, cell[0], path, f.first_symbol);
        uint32_t begin = 0;
        for (int i = 0; i < symbol; i++)
            begin += d_weights[i];
        coder.encode(begin, d_weights[symbol], total);
        if (f.rest)
            coder.encode_uniform(position + f.half_rest - (symbol << f.rest),
                                 1u << f.rest);
    }
    add(path);
}

path_symbol path_coder::decode(range_decoder& coder, int group, int left)
{
    const lattice& gains = lattice::instance();
    path_symbol path;
    path.group = group;
    const int own =
        std::min<int>(group + excess_table(group).decode(coder), lattice::max_class);
    int a, b;
    gains.value(own, coder.decode_uniform(gains.size(own)), a, b);
    path.set_gain(a, b);
    int cell[2];
    decode_cell(coder, cell[0], cell[1], left);
    for (int axis = 0; axis < 2; axis++) {
        int& steps = axis ? path.angle : path.delay;
        if (!path.resolution) {
            steps = cell[axis] - (axis ? 0 : d_model->margin());
            continue;
        }
        const fraction f(*this, path.resolution, axis, cell[axis]);
        const uint32_t total = fine_weights(axis, cell[0], path, f.first_symbol);
        const uint32_t value = coder.peek(total);
        uint32_t begin = 0;
        int symbol = 0;
        while (begin + d_weights[symbol] <= value)
            begin += d_weights[symbol++];
        coder.take(begin, d_weights[symbol], total);
        int position = symbol << f.rest;
        if (f.rest)
            position += int(coder.decode_uniform(1u << f.rest)) - f.half_rest;
        // The symbols at the ends have values beyond the cell, which are not sent.
        position = std::min(std::max(position, 0), (1 << path.resolution) - 1);
        steps = f.first_step + position;
        if (steps < 0 && f.ring)
            steps += f.ring;
    }
    add(path);
    return path;
}

path_coder::fraction::fraction(const path_coder& coder, int bits, int axis, int cell)
{
    const path_model& model = *coder.d_model;
    const int whole = axis ? cell : cell - model.margin();
    const int fine = std::min(bits, path_model::fine_bits[axis]);
    rest = bits - fine;
    half_rest = rest ? 1 << (rest - 1) : 0;
    first_step = whole * (1 << bits) - (1 << (bits - 1));
    first_symbol = whole * (1 << fine) - (1 << (fine - 1));
    ring = (axis ? model.nt() : model.is_ring() ? model.na() : 0) << bits;
}

const frequency_table& path_coder::excess_table(int group) const
{
    return d_model->excess((group - lowest_group) / group_classes);
}

bool path_coder::is_before(const path_symbol& x, const path_symbol& y) const
{
    const int rows = cell_row(x) - cell_row(y);
    return rows < 0 || (rows == 0 && cell_column(x) < cell_column(y));
}

bool path_coder::may_be(const path_symbol& path) const
{
    const int row = cell_row(path);
    return row > d_now.row || (row == d_now.row && cell_column(path) >= d_now.column);
}

void path_coder::skip_to(const path_symbol& path)
{
    d_now.row = cell_row(path);
    d_now.column = cell_column(path);
}

void path_coder::add(const path_symbol& path)
{
    const size_t stride = d_model->stride(), nt = d_model->nt();
    const int row = cell_row(path), column = cell_column(path), rows = d_now.rows.size();
    kernels().add_integers(d_model->near(-row, column),
                           d_model->near_stride(),
                           rows,
                           stride,
                           d_now.cells.data(),
                           stride);
    for (int r = 0; r < rows; r++)
        d_now.rows[r] += d_model->near_sum(r - row);
    d_operations += rows * (nt + 1);
    d_paths.emplace_back(path);
    skip_to(path);
}

void path_coder::save()
{
    d_now.size = d_paths.size();
    std::copy(d_now.cells.begin(), d_now.cells.end(), d_saved.cells.begin());
    std::copy(d_now.rows.begin(), d_now.rows.end(), d_saved.rows.begin());
    d_saved.level = d_now.level;
    d_saved.row = d_now.row;
    d_saved.column = d_now.column;
    d_saved.before = d_now.before;
    d_saved.size = d_now.size;
}

void path_coder::rewind()
{
    std::copy(d_saved.cells.begin(), d_saved.cells.end(), d_now.cells.begin());
    std::copy(d_saved.rows.begin(), d_saved.rows.end(), d_now.rows.begin());
    d_now.level = d_saved.level;
    d_now.row = d_saved.row;
    d_now.column = d_saved.column;
    d_now.before = d_saved.before;
    d_now.size = d_saved.size;
    d_paths.erase(d_paths.begin() + d_saved.size, d_paths.end());
}

} // namespace csifeedback
} // namespace gr
