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

// Powers of shares, (part / whole)^n.
class share_of
{
public:
    explicit share_of(uint32_t whole) : d_inverse(1.0 / whole) {}

    uint32_t power(uint32_t part, int n) const
    {
        // The integer quotient part one / whole. Half of one part more is at least half of
        // 2^-32 away from the next whole number, and rounding doubles changes it by less
        // than 2^-36: so this is exact.
        return ::gr::csifeedback::power(uint32_t((part * double(one) + 0.5) * d_inverse),
                                        n);
    }

private:
    const double d_inverse;
};

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
    : d_model(std::move(model)),
      d_candidates(max_paths),
      d_from(std::max(d_model->nt(), d_model->cell_rows()) + 1)
{
    for (state* s : { &d_now, &d_saved }) {
        s->cells.resize(d_model->cell_rows() * d_model->stride());
        s->rows.resize(d_model->cell_rows());
    }
    d_delays.reserve(max_paths);
    d_angles.reserve(max_paths);
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
    d_delays.clear();
    d_angles.clear();
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
    const int count =
        symbol < path_model::count_more
            ? symbol - 1
            : path_model::count_more - 1 + int(coder.decode_uniform(max_paths));
    // Damaged bits may name more.
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
    const share_of all(whole), own(here);
    const uint32_t high = all.power(here, left), low = all.power(after, left);
    d_operations += d_now.column + (rows - d_now.row) + column;
    coder.encode(
        one - high + (row - d_now.row), high - low + 1, one + (rows - d_now.row));

    cell = &d_now.cells[row * d_model->stride()];
    const int begin = row == d_now.row ? d_now.column : 0;
    uint32_t from = here;
    for (int c = begin; c < column; c++)
        from -= cell[c];
    const uint32_t p = own.power(from, left), q = own.power(from - cell[column], left),
                   end = own.power(after, left);
    coder.encode(one - p + (column - begin), p - q + 1, one - end + (nt - begin));
}

// Where a value is in a row of cells or of their sums: the symbol i of `count` for which
// from[i + 1] is the first part of from[0] with one - power + i + 1 above the value.
// high, low: the powers before and behind it.
int path_coder::find(uint32_t value,
                     const uint32_t* from,
                     int count,
                     int left,
                     uint32_t& high,
                     uint32_t& low)
{
    const share_of all(from[0]);
    // The part whose power is what is left above the value: near the one, nearly always it.
    const float share = float(one - std::min(value, one - 1)) / one;
    const uint32_t part =
        from[0] * double(left > 1 ? std::exp2(std::log2(share) / left) : share);
    int found = 0;
    for (int i = 1; i < count; i++)
        found += from[i] >= part;
    const auto is_before = [&](uint32_t power, int i) { return value < one - power + i; };
    high = all.power(from[found], left);
    if (found && is_before(high, found)) {
        do {
            low = high;
            high = all.power(from[--found], left);
        } while (found && is_before(high, found));
        return found;
    }
    low = all.power(from[found + 1], left);
    while (found < count - 1 && !is_before(low, found + 1)) {
        high = low;
        low = all.power(from[++found + 1], left);
    }
    return found;
}

void path_coder::decode_cell(range_decoder& coder, int& row, int& column, int left)
{
    const int rows = int(d_now.rows.size()) - d_now.row, nt = d_model->nt();
    const uint32_t *cell = &d_now.cells[d_now.row * d_model->stride()],
                   *sums = &d_now.rows[d_now.row];
    uint32_t skipped = 0;
    for (int c = 0; c < d_now.column; c++)
        skipped += cell[c];
    // What is left from each row on, and in the row from each column on.
    uint32_t* from = d_from.data();
    from[rows] = 0;
    for (int r = rows - 1; r >= 0; r--)
        from[r] = from[r + 1] + sums[r];
    from[0] -= skipped;
    uint32_t total = one + rows, high, low;
    const int below = find(coder.peek(total), from, rows, left, high, low);
    coder.take(one - high + below, high - low + 1, total);

    row = d_now.row + below;
    cell = &d_now.cells[row * d_model->stride()];
    const int begin = below ? 0 : d_now.column, columns = nt - begin;
    const uint32_t here = from[below], after = from[below + 1];
    total = one - share_of(here).power(after, left) + columns;
    from[0] = here;
    for (int c = 0; c < columns; c++)
        from[c + 1] = from[c] - cell[begin + c];
    column = find(coder.peek(total), from, columns, left, high, low);
    coder.take(one - high + column, high - low + 1, total);
    column += begin;
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
    uint32_t weights[path_model::most_fine_symbols] = {};
    std::copy_n(prior, symbols, weights);
    d_operations += symbols + d_delays.size();
    const int ring = axis                 ? d_model->nt() << scale
                     : d_model->is_ring() ? d_model->na() << scale
                                          : 0;
    // Those that may be near, before anything else: they are few.
    const int unit = lattice::max_resolution - scale, half = 1 << unit >> 1;
    const int cell = 1 << lattice::max_resolution, farthest = reach + symbols - 1;
    const unsigned distances = 2 * reach + symbols;
    int near_count = 0;
    const int paths = d_delays.size(), *other = d_delays.data();
    if (axis) {
        const int own_delay = own.at[0] - cell + 1;
        const unsigned span = 2 * cell - 1;
        for (int k = 0; k < paths; k++) {
            d_candidates[near_count] = k;
            near_count += unsigned(other[k] - own_delay) < span;
        }
    } else if (ring) {
        while (near_count < paths) {
            d_candidates[near_count] = near_count;
            near_count++;
        }
    } else {
        // first - rounded(delay) + farthest is 0 to distances - 1.
        const int nearest = first + farthest - int(distances) + 1;
        for (int k = 0; k < paths; k++) {
            d_candidates[near_count] = k;
            near_count += unsigned(((other[k] + half) >> unit) - nearest) < distances;
        }
    }
    other = axis ? d_angles.data() : d_delays.data();
    for (int k = 0; k < near_count; k++) {
        int distance = first - ((other[d_candidates[k]] + half) >> unit);
        if (ring) {
            // Into [-ring / 2, ring / 2); it is within one and a half rings of zero.
            distance += distance >= ring / 2 ? -ring : distance < -ring / 2 ? ring : 0;
        }
        if (distance > reach || distance < -farthest)
            continue;
        const uint32_t* added = near + distance;
        for (int i = 0; i < path_model::most_fine_symbols; i++)
            weights[i] += added[i];
        d_operations += symbols;
    }
    std::copy_n(weights, path_model::most_fine_symbols, d_weights);
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
    const position p(path);
    d_delays.push_back(p.at[0]);
    d_angles.push_back(p.at[1]);
    skip_to(path);
}

void path_coder::save()
{
    d_now.size = d_delays.size();
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
    d_delays.resize(d_saved.size);
    d_angles.resize(d_saved.size);
}

} // namespace csifeedback
} // namespace gr
