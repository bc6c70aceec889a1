/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include "report/paths/lattice.h"
#include "report/paths/path_quantizer.h"
#include "report/paths/short_vectors.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Squared gain, in steps, below which a path is not worth its bits.
constexpr float min_power = 1.2f;
// By how many steps a gain may be raised to that of its group.
constexpr float max_raise = 0.5f;
// Squared error, in steps, that one class of the gain is worth.
constexpr float class_price = 0.15f;

// The integer gain of class `least` or above for a gain in steps.
void round_gain(float re, float im, int least, int& a, int& b)
{
    // Rounded it stays below the largest one.
    constexpr float most = lattice::max_value - 2;
    const float size = std::hypot(re, im);
    if (size > most) {
        re *= most / size;
        im *= most / size;
    }
    const int energy = 1 << least;
    const int a0 = int(std::floor(re)), b0 = int(std::floor(im));
    bool is_found = false;
    float best = 0;
    for (int i = 0; i < 4; i++) {
        const int x = a0 + i / 2, y = b0 + i % 2, e = x * x + y * y;
        if (e < energy)
            continue;
        // Larger gains take more bits, for themselves and for the position.
        const float cost =
            (x - re) * (x - re) + (y - im) * (y - im) + class_price * std::log2(float(e));
        if (!is_found || cost < best) {
            best = cost;
            a = x;
            b = y;
            is_found = true;
        }
    }
    if (is_found)
        return;
    a = int(std::lrint(re));
    b = int(std::lrint(im));
    while (a * a + b * b < energy) {
        // Outwards, along the coordinate that costs less error for the energy.
        const int up = re < 0 ? -1 : 1, right = im < 0 ? -1 : 1;
        const float error_a = 1 - 2 * up * (re - a), error_b = 1 - 2 * right * (im - b);
        if (error_a * (2 * std::abs(b) + 1) < error_b * (2 * std::abs(a) + 1))
            a += up;
        else
            b += right;
    }
}

// The group of a class.
int group_of(int c)
{
    constexpr int lowest = path_coder::lowest_group, width = path_coder::group_classes;
    return lowest + (c - lowest) / width * width;
}

} // namespace

path_quantizer::path_quantizer(std::shared_ptr<const dirichlet_axis> rows,
                               std::shared_ptr<const dirichlet_axis> columns,
                               std::shared_ptr<const path_model> model,
                               int max_atoms)
    : d_rows(rows),
      d_columns(columns),
      d_basis(rows, columns, max_atoms),
      d_coder(std::move(model)),
      d_stride(whole_registers(max_atoms)),
      d_s(d_stride * rows->stride()),
      d_a(d_stride * columns->stride()),
      d_factor(d_stride * d_stride),
      d_work(6 * d_stride),
      d_re(d_stride),
      d_im(d_stride)
{
    d_candidates.reserve(max_atoms);
    d_sent.reserve(max_atoms);
    d_group.reserve(max_atoms);
    d_order.reserve(max_atoms);
    d_is_sent.resize(max_atoms);
}

void path_quantizer::correlate(const float* s, const float* a, float* y) const
{
    kernels().bilinear(d_h, d_columns->stride(), d_rows->size(), s, a, y);
    d_operations += 2 * d_columns->stride() * (d_rows->size() + 1);
}

void path_quantizer::start(const float* h, const path_atom* atoms, int count)
{
    const size_t width = 2 * d_columns->stride();
    d_h = h;
    d_operations = d_rows->size() * width;
    d_before = d_basis.operations();
    d_coder_before = d_coder.operations();
    d_total = 0;
    for (int r = 0; r < d_rows->size(); r++)
        d_total += dot(h + r * width, h + r * width, width);
    // Of many atoms that are close together, single precision may not tell what each adds.
    // Without the closest ones it does.
    constexpr float rounding = 1.01f, less = 3;
    for (float least = path_basis::min_norm;
         !find_order(atoms, count, least, rounding * d_total);
         least *= less) {
    }
}

// Candidates, and their gains if those that are below min_norm beyond the ones before are
// left out; false if they add more than the energy `most`.
bool path_quantizer::find_order(const path_atom* atoms,
                                int count,
                                float min_norm,
                                double most_energy)
{
    const size_t na = d_rows->stride(), nt = d_columns->stride(), n = count;
    float *re = d_work.data(), *im = re + d_stride, *norm = im + d_stride,
          *gram = norm + d_stride, *other = gram + d_stride, *column = other + d_stride;
    for (size_t i = 0; i < n; i++) {
        float *s = &d_s[i * na], *a = &d_a[i * nt], y[2];
        d_rows->value(atoms[i].delay, s);
        d_columns->value(atoms[i].angle, a);
        correlate(s, a, y);
        re[i] = y[0];
        im[i] = y[1];
        norm[i] = dot(s, s, na) * dot(a, a, nt);
    }
    d_operations += 4 * n * (na + nt);
    // Cholesky decomposition of the products of atoms, next the one that adds most.
    d_candidates.clear();
    double energy = 0;
    for (size_t k = 0; k < n; k++) {
        size_t next = n;
        float most = 0;
        for (size_t i = 0; i < n; i++) {
            const float power = re[i] * re[i] + im[i] * im[i];
            if (norm[i] > min_norm && power > most * norm[i]) {
                most = power / norm[i];
                next = i;
            }
        }
        if (next == n)
            break;
        const float unit = 1 / std::sqrt(norm[next]);
        candidate c = {};
        c.atom = atoms[next];
        c.index = int(next);
        c.re = unit * re[next];
        c.im = unit * im[next];
        d_candidates.push_back(c);
        std::fill_n(gram, n, 0.0f);
        std::fill_n(other, n, 0.0f);
        kernels().gemv(d_s.data(), na, &d_s[next * na], gram, n, na);
        kernels().gemv(d_a.data(), nt, &d_a[next * nt], other, n, nt);
        float* row = &d_factor[k * d_stride];
        for (size_t i = 0; i < n; i++)
            row[i] = gram[i] * other[i];
        for (size_t j = 0; j < k; j++)
            column[j] = -d_factor[j * d_stride + next];
        kernels().add_rows(d_factor.data(), d_stride, column, k, row, n);
        for (size_t i = 0; i < n; i++) {
            row[i] *= unit;
            re[i] -= row[i] * c.re;
            im[i] -= row[i] * c.im;
            norm[i] -= row[i] * row[i];
        }
        norm[next] = 0;
        d_operations += n * (na + nt + k + 7);
        energy += c.energy();
        if (energy > most_energy)
            return false;
    }
    return true;
}

void path_quantizer::place(const path_atom& atom, path_symbol& p) const
{
    const int n = 1 << p.resolution, rows = d_rows->size() << p.resolution,
              columns = d_columns->size() << p.resolution;
    p.delay = int(std::floor(atom.delay * n + 0.5f));
    p.angle = (int(std::floor(atom.angle * n + 0.5f)) + columns) % columns;
    if (d_rows->is_ring()) {
        p.delay = (p.delay + rows) % rows;
    } else {
        // The outer cells end half a cell beyond their rows.
        const int margin = d_rows->margin() << p.resolution;
        p.delay = std::min(std::max(p.delay, -margin - n / 2), rows + margin - n / 2 - 1);
    }
}

// Sends a path in a group; false if it is not to be sent there.
bool path_quantizer::send(candidate& x, int group, float step)
{
    path_symbol p = x.symbol;
    float y[2] = {};
    constexpr int trials = 3;
    for (int trial = 0; trial < trials; trial++) {
        const float norm = d_basis.prepare(p.delay_rows(), p.angle_columns());
        if (!(norm >= 2 * path_basis::min_norm)) {
            x.group = 0;
            return false;
        }
        correlate(d_basis.s(), d_basis.a(), y);
        d_basis.project(y, d_re.data(), d_im.data());
        const float power = (y[0] * y[0] + y[1] * y[1]) / (step * step);
        if (std::sqrt(power) < std::sqrt(float(1 << group)) - max_raise) {
            // Weaker than it was in the order of the candidates.
            x.group =
                power < min_power ? 0 : group_of(std::max(int(std::log2(power)), 1));
            x.group = std::min(x.group, group - path_coder::group_classes);
            return false;
        }
        path_symbol q = p;
        int a, b;
        round_gain(y[0] / step, y[1] / step, group, a, b);
        q.set_gain(a, b);
        // The gain goes with the position, and the resolution with the gain. Where they
        // run in circles, the gain stays that the resolution goes with.
        if (q.resolution != p.resolution && trial == trials - 1)
            break;
        const bool is_done = q.resolution == p.resolution;
        p = q;
        if (is_done)
            break;
        place(x.atom, p);
    }
    const float error[2] = { y[0] - p.a * step, y[1] - p.b * step };
    const double saved = double(y[0]) * y[0] + double(y[1]) * y[1] -
                         double(error[0]) * error[0] - double(error[1]) * error[1];
    if (saved <= 0 || lattice::class_of(p.a, p.b) - group >= path_model::excesses) {
        x.group = 0;
        return false;
    }
    if (!d_coder.may_be(p)) {
        // Rounding moved it before the last one.
        x.group = group - path_coder::group_classes;
        return false;
    }
    d_re[d_basis.size()] = y[0];
    d_im[d_basis.size()] = y[1];
    d_basis.accept();
    p.group = group;
    d_is_sent[x.index] = true;
    d_sent.push_back(p);
    d_energy += saved;
    x.group = 0;
    return true;
}

// Groups of all candidates: by their gains, but none before those that add more.
void path_quantizer::begin_groups(float step, int top)
{
    for (candidate& x : d_candidates) {
        int a, b;
        round_gain(x.re / step, x.im / step, path_coder::lowest_group, a, b);
        top = std::min(top, group_of(lattice::class_of(a, b)));
        const bool is_worth = x.energy() >= min_power * step * step;
        x.group = is_worth ? top : 0;
    }
}

// Encodes a group, without those that the budget does not allow; false if not even its
// number of paths fits.
bool path_quantizer::encode_group(range_encoder& coder, int group, float step, int budget)
{
    constexpr int lowest = path_coder::lowest_group, width = path_coder::group_classes;
    d_group.clear();
    for (candidate& x : d_candidates) {
        if (x.group < group)
            continue;
        d_group.push_back(&x);
        int a, b;
        round_gain(x.re / step, x.im / step, group, a, b);
        x.symbol.set_gain(a, b);
        place(x.atom, x.symbol);
    }
    const int before = d_sent.size();
    const double energy_before = d_energy;
    const range_encoder coder_before = coder;
    d_coder.save();
    for (;;) {
        d_order = d_group;
        std::sort(d_order.begin(), d_order.end(), [&](candidate* x, candidate* y) {
            return d_coder.is_before(x->symbol, y->symbol);
        });
        d_coder.begin_group(group, 0);
        for (candidate* x : d_order)
            if (send(*x, group, step))
                d_coder.skip_to(d_sent.back());
        const int count = int(d_sent.size()) - before;
        d_coder.rewind();
        d_coder.encode_count(coder, group, count);
        d_coder.begin_group(group, count);
        for (int i = 0; i < count; i++)
            d_coder.encode(coder, d_sent[before + i], count - i);
        range_encoder ended = coder;
        if (group > lowest)
            d_coder.encode_count(ended, group - width, -1);
        const int excess = ended.bits() - budget;
        if (excess <= 0)
            return true;
        // Once more, without the weakest ones.
        const int each = (coder.bits() - coder_before.bits()) / std::max(count, 1);
        d_basis.resize(before);
        d_sent.resize(before);
        d_energy = energy_before;
        d_coder.rewind();
        coder = coder_before;
        for (candidate* x : d_group) {
            x->group = group;
            d_is_sent[x->index] = false;
        }
        if (d_group.empty())
            return false;
        for (int less = std::max(excess / std::max(each, 8), 1); less && !d_group.empty();
             less--) {
            d_group.back()->group = 0;
            d_group.pop_back();
        }
    }
}

// What is left of the bits halves the steps of gains, one after the other.
void path_quantizer::refine_gains(range_encoder& coder, float step, int budget)
{
    for (size_t i = 0; i < 2 * d_sent.size() && path_coder::has_room(coder, budget);
         i++) {
        const path_symbol& p = d_sent[i / 2];
        const double error =
            (i % 2 ? d_im[i / 2] / step - p.b : d_re[i / 2] / step - p.a);
        const bool is_above = error > 0;
        coder.encode(is_above, 1, 2);
        const double left = error - (is_above ? 0.25 : -0.25);
        d_energy += double(step) * step * (error * error - left * left);
    }
}

path_quantizer::result
path_quantizer::run(float step, int index, int budget, uint8_t* bits)
{
    d_basis.resize(0);
    d_sent.clear();
    std::fill(d_is_sent.begin(), d_is_sent.end(), false);
    d_energy = 0;
    range_encoder coder(bits, (size_t(budget) + 7) / 8);
    d_coder.begin(budget);
    d_coder.encode_step(coder, index);
    begin_groups(step, path_coder::largest_group(index));
    int top = d_candidates.empty() ? 0 : d_candidates.front().group;
    if (top) {
        top = std::max(top, path_coder::smallest_group(index));
        d_coder.encode_top(coder, top);
        for (int group = top; group >= path_coder::lowest_group;
             group -= path_coder::group_classes) {
            const bool is_end =
                std::all_of(d_candidates.begin(),
                            d_candidates.end(),
                            [](const candidate& x) { return x.group <= 0; });
            if (is_end || !encode_group(coder, group, step, budget)) {
                d_coder.encode_count(coder, group, -1);
                break;
            }
        }
        refine_gains(coder, step, budget);
    }
    result r;
    r.bits = coder.finish();
    r.energy = d_energy;
    return r;
}

} // namespace csifeedback
} // namespace gr
