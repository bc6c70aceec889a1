/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include "report/paths/path_search.h"
#include "report/paths/short_vectors.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

// Weights of the values nearest to a position half a cell behind value 0.
volk::vector<float> taps_of(const dirichlet_axis& axis, int most)
{
    const int count = std::min(most, axis.size()), before = (count - 1) / 2;
    volk::vector<float> d(axis.stride()), taps;
    // Away from the ends, so that nothing is beyond them.
    const int middle = (axis.size() - 1) / 2;
    axis.value(middle + 0.5f, d.data());
    for (int k = 0; k < count; k++)
        taps.push_back(d[middle + k - before]);
    return taps;
}

} // namespace

path_search::path_search(std::shared_ptr<const dirichlet_axis> rows,
                         std::shared_ptr<const dirichlet_axis> columns,
                         int max_atoms)
    : d_rows(std::move(rows)),
      d_columns(std::move(columns)),
      d_half(d_columns->stride()),
      d_residual(d_rows->size() * width(), 0.0f),
      d_row_taps(taps_of(*d_rows, taps)),
      d_column_taps(taps_of(*d_columns, taps)),
      d_atoms(max_atoms),
      d_near_rows(d_rows->size())
{
    volk::vector<float> d(std::max(d_rows->stride(), d_half));
    const size_t na = d_rows->size(), count = na + 2 * d_rows->margin();
    // Of positions -margin - 0.5 and on; the first ones have not all taps within.
    d_last = count;
    if (!d_rows->is_ring()) {
        const size_t ends = d_rows->margin() + taps / 2;
        d_first = std::min(ends, count);
        d_last = std::max(count - std::min(ends, count), d_first);
    }
    for (size_t i = 0; i < count; i++) {
        const float position = d_rows->inside(int(i) - d_rows->margin() - 0.5f);
        d_rows->value(position, d.data());
        d_position.push_back(position);
        d_weight.push_back(1 / dot(d.data(), d.data(), d_rows->stride()));
        if (i < d_first || i >= d_last)
            d_between_rows.insert(d_between_rows.end(), d.data(), d.data() + na);
    }
    if (d_rows->is_ring())
        d_rows_around.resize((na + d_row_taps.size()) * width());
    const size_t most = std::max(count, na);
    d_columns_around.resize(2 * most * around());
    d_map[0].resize(na * width());
    d_map[1].resize(count * width());
    d_map[2].resize(count * width());
    const float *position = d_position.data(), *weight = d_weight.data();
    d_grid[0] = { d_residual.data(), nullptr, nullptr, na, 0, {} };
    d_grid[1] = { d_map[0].data(), nullptr, nullptr, na, 0.5f, {} };
    d_grid[2] = { d_map[1].data(), position, weight, count, 0, {} };
    d_grid[3] = { d_map[2].data(), position, weight, count, 0.5f, {} };
    for (correlations& g : d_grid)
        g.power.resize(g.rows);
    for (int i = 0; i < 3; i++) {
        d_s[i].resize(d_rows->stride());
        d_a[i].resize(d_half);
    }
    d_next_s.resize(d_rows->stride());
    d_next_a.resize(d_half);
    d_z.resize(width());
}

double path_search::residual() const
{
    double sum = 0;
    const size_t n = width();
    for (size_t i = 0; i < d_residual.size(); i += n)
        sum += dot(&d_residual[i], &d_residual[i], n);
    return sum;
}

void path_search::start(const float* h)
{
    std::copy_n(h, d_residual.size(), d_residual.begin());
    d_count = 0;
    d_peak_count = d_next_peak = 0;
    d_operations = 0;
}

// map: what rows have half a cell behind each column.
void path_search::between_columns(const float* m, size_t rows, float* map)
{
    // With some columns before the first and behind the last, which the ring has on the
    // other side.
    const int nt = d_columns->size(), count = d_column_taps.size(),
              before = (count - 1) / 2;
    const float turn = nt % 2 ? 1 : -1;
    for (size_t r = 0; r < 2 * rows; r++) {
        const float* from = m + r * d_half;
        float* to = &d_columns_around[r * around()];
        for (int i = 0; i < before; i++)
            to[i] = turn * from[nt - before + i];
        std::copy_n(from, nt, to + before);
        for (int i = 0; i < count - before; i++)
            to[before + nt + i] = turn * from[i];
    }
    kernels().fir(d_columns_around.data(),
                  around(),
                  d_column_taps.data(),
                  count,
                  1,
                  2 * rows,
                  d_half,
                  map,
                  d_half);
    for (size_t r = 0; r < 2 * rows && size_t(nt) < d_half; r++)
        std::fill(map + r * d_half + nt, map + (r + 1) * d_half, 0.0f);
    d_operations += count * rows * width();
}

// d_map[1]: the residual at d_position.
void path_search::between_rows()
{
    const size_t na = d_rows->size(), all = d_position.size(), w = width(),
                 count = d_row_taps.size();
    const float* from = d_residual.data();
    if (d_rows->is_ring()) {
        // From position -0.5 on.
        const size_t before = (count - 1) / 2 + 1;
        const float turn = na % 2 ? 1 : -1;
        for (size_t i = 0; i < na + count; i++) {
            const size_t r = (i + na - before) % na;
            const bool is_around = i < before || i >= before + na;
            const float sign = is_around ? turn : 1;
            for (size_t c = 0; c < w; c++)
                d_rows_around[i * w + c] = sign * from[r * w + c];
        }
        from = d_rows_around.data();
    } else {
        const auto from_all = [&](const float* weights, size_t begin, size_t rows) {
            kernels().gemm(weights,
                           na,
                           from,
                           w,
                           nullptr,
                           0,
                           &d_map[1][begin * w],
                           w,
                           rows,
                           na,
                           w,
                           false);
            d_operations += rows * na * w;
        };
        from_all(d_between_rows.data(), 0, d_first);
        if (d_last < all)
            from_all(&d_between_rows[d_first * na], d_last, all - d_last);
    }
    const size_t rows = d_last - d_first;
    if (!rows)
        return;
    kernels().fir(
        from, w, d_row_taps.data(), count, w, rows, w, &d_map[1][d_first * w], w);
    d_operations += count * rows * w;
}

void path_search::find_peaks(int most)
{
    between_columns(d_residual.data(), d_rows->size(), d_map[0].data());
    between_rows();
    between_columns(d_map[1].data(), d_position.size(), d_map[2].data());
    for (correlations& g : d_grid) {
        kernels().largest_powers(g.map, d_half, g.rows, g.power.data());
        d_operations += g.rows * width();
        for (size_t r = 0; g.weight && r < g.rows; r++)
            g.power[r] *= g.weight[r];
    }
    // Others so near to a peak belong to it, and others so weak may be side lobes.
    constexpr float nearest = 3, weakest = 0.25f;
    d_peak_count = d_next_peak = 0;
    float first = 0;
    while (d_peak_count < most) {
        const correlations* found = nullptr;
        size_t row = 0;
        float best = d_peak_count ? weakest * first : 0;
        for (const correlations& g : d_grid)
            for (size_t r = 0; r < g.rows; r++) {
                if (!(g.power[r] > best))
                    continue;
                const float delay = g.position ? g.position[r] : r;
                const bool is_alone =
                    std::all_of(d_peaks, d_peaks + d_peak_count, [=](const peak& p) {
                        return std::abs(p.delay - delay) >= nearest;
                    });
                if (is_alone) {
                    best = g.power[r];
                    found = &g;
                    row = r;
                }
            }
        if (!found)
            break;
        const float *re = found->map + row * width(), *im = re + d_half;
        size_t column = 0;
        float largest = -1;
        for (size_t c = 0; c < size_t(d_columns->size()); c++) {
            const float power = re[c] * re[c] + im[c] * im[c];
            if (power > largest) {
                largest = power;
                column = c;
            }
        }
        if (!d_peak_count)
            first = best;
        d_peaks[d_peak_count++] = { found->position ? found->position[row] : row,
                                    column + found->column };
    }
}

// Which rows step() and next() take.
void path_search::look_around(float delay)
{
    const int most = max_near_rows, beyond = d_rows->size() - most;
    if (beyond <= most / 2 || d_rows->is_ring())
        return;
    d_near_rows = most;
    d_near_first = std::min(std::max(int(std::lrint(delay)) - most / 2, 0), beyond);
}

// The sum of x_i y_i over the rows that count.
float path_search::near_norm(const float* x, const float* y) const
{
    if (d_near_rows == size_t(d_rows->size()))
        return dot(x, y, d_rows->stride());
    return dot(x + d_near_first, y + d_near_first, d_near_rows);
}

void path_search::set(float delay, float angle)
{
    d_rows->derivatives(delay, d_s[0].data(), d_s[1].data(), d_s[2].data());
    d_columns->derivatives(angle, d_a[0].data(), d_a[1].data(), d_a[2].data());
    d_operations += 6 * (d_rows->stride() + d_half);
}

path_search::probe path_search::next(float delay, float angle)
{
    float *s = d_next_s.data(), *a = d_next_a.data(), y[2];
    d_rows->value(delay, s);
    d_columns->value(angle, a);
    kernels().bilinear(
        &d_residual[d_near_first * width()], d_half, d_near_rows, s + d_near_first, a, y);
    d_operations += 4 * d_rows->stride() + 3 * d_half + (d_near_rows + 1) * width();
    return { y[0], y[1], near_norm(s, s) };
}

// A step from the position that was set towards the peak of the power there; false if
// there is none.
bool path_search::step(float& delay, float& angle, probe& here)
{
    const float* const s[] = { d_s[0].data(), d_s[1].data(), d_s[2].data() };
    const float* const near[] = { s[0] + d_near_first,
                                  s[1] + d_near_first,
                                  s[2] + d_near_first };
    const float* const a[] = { d_a[0].data(), d_a[1].data(), d_a[2].data() };
    float y[12];
    kernels().bilinear_jet(
        &d_residual[d_near_first * width()], d_half, d_near_rows, near, a, y);
    d_operations += d_rows->stride() + (3 * d_near_rows + 6) * width();
    const float n = near_norm(s[0], s[0]);
    here = { y[0], y[1], n };
    const float power = y[0] * y[0] + y[1] * y[1];
    if (!(power > 0))
        return false;
    // Its logarithm is nearly a parabola over all of the main lobe.
    const auto product = [&](int i, int j) {
        return 2 / power * (y[2 * i] * y[2 * j] + y[2 * i + 1] * y[2 * j + 1]);
    };
    enum { o, t, u, tt, uu, tu };
    float gt = product(o, t);
    const float gu = product(o, u);
    float htt = product(t, t) + 2 * product(o, tt) - gt * gt;
    const float huu = product(u, u) + 2 * product(o, uu) - gu * gu,
                htu = product(t, u) + product(o, tu) - gt * gu;
    if (!d_rows->is_ring() && (delay < 4 || delay > d_rows->size() - 5)) {
        // At the ends the norm of an atom changes.
        const float n1 = 2 * near_norm(s[0], s[1]) / n,
                    n2 = 2 * (near_norm(s[1], s[1]) + 2 * near_norm(s[0], s[2])) / n;
        gt -= n1;
        htt -= n2 - n1 * n1;
    }
    const float determinant = htt * huu - htu * htu;
    float dt, du;
    if (htt < 0 && huu < 0 && determinant > 0.01f * htt * huu) {
        dt = (htu * gu - huu * gt) / determinant;
        du = (htu * gt - htt * gu) / determinant;
    } else {
        // Uphill, by the curvature of a single path.
        constexpr float curvature = 6.6f;
        dt = gt / curvature;
        du = gu / curvature;
    }
    constexpr float longest = 0.3f;
    const float length = std::max(std::abs(dt), std::abs(du));
    if (!(length < 1e6f))
        return false;
    const float scale = length > longest ? longest / length : 1;
    delay = d_rows->inside(delay + scale * dt);
    angle = d_columns->inside(angle + scale * du);
    return length > 1e-5f;
}

void path_search::take_gain(path_atom& atom, const probe& at)
{
    atom.re = at.re / at.norm;
    atom.im = at.im / at.norm;
    atom.norm = at.norm;
}

void path_search::add_outer(const float* s, const float* a, float re, float im)
{
    float* z = d_z.data();
    for (size_t i = 0; i < d_half; i++) {
        z[i] = re * a[i];
        z[d_half + i] = im * a[i];
    }
    kernels().add_outer(s, z, d_rows->size(), width(), d_residual.data());
    d_operations += (d_rows->size() + 1) * width();
}

bool path_search::add(int steps, int peaks)
{
    if (d_count == int(d_atoms.size()))
        return false;
    if (d_next_peak == d_peak_count)
        find_peaks(peaks);
    if (d_next_peak == d_peak_count)
        return false;
    path_atom& atom = d_atoms[d_count];
    atom = { d_peaks[d_next_peak].delay, d_peaks[d_next_peak].angle };
    d_next_peak++;
    // From half a cell away, Newton's method needs three steps.
    look_around(atom.delay);
    probe best;
    set(atom.delay, atom.angle);
    float delay = atom.delay, angle = atom.angle;
    bool is_better = step(delay, angle, best);
    for (int i = 0; i < steps && is_better; i++) {
        float after_delay = delay, after_angle = angle;
        probe here;
        set(delay, angle);
        const bool more = step(after_delay, after_angle, here);
        is_better = here.is_better(best);
        if (is_better) {
            best = here;
            atom.delay = delay;
            atom.angle = angle;
            delay = after_delay;
            angle = after_angle;
            is_better = more;
        }
    }
    take_gain(atom, best);
    if (!(atom.energy() > 0))
        return false;
    subtract(atom);
    d_count++;
    return true;
}

void path_search::subtract(const path_atom& atom)
{
    float *s = d_next_s.data(), *a = d_next_a.data();
    d_rows->value(atom.delay, s);
    d_columns->value(atom.angle, a);
    d_operations += 3 * (d_rows->stride() + d_half);
    add_outer(s, a, -atom.re, -atom.im);
}

void path_search::keep(const float* h, const std::vector<uint8_t>& is_kept)
{
    std::copy_n(h, d_residual.size(), d_residual.begin());
    const int before = d_count;
    d_count = 0;
    for (int k = 0; k < before; k++) {
        if (!is_kept[k])
            continue;
        d_atoms[d_count] = d_atoms[k];
        subtract(d_atoms[d_count++]);
    }
    d_peak_count = d_next_peak = 0;
}

void path_search::refine(int last)
{
    for (int k = std::max(0, d_count - last); k < d_count; k++) {
        path_atom& atom = d_atoms[k];
        look_around(atom.delay);
        set(atom.delay, atom.angle);
        add_outer(d_s[0].data(), d_a[0].data(), atom.re, atom.im);
        probe best;
        float delay = atom.delay, angle = atom.angle;
        const float *s = d_s[0].data(), *a = d_a[0].data();
        if (step(delay, angle, best)) {
            const probe there = next(delay, angle);
            if (there.is_better(best)) {
                best = there;
                atom.delay = delay;
                atom.angle = angle;
                s = d_next_s.data();
                a = d_next_a.data();
            }
        }
        take_gain(atom, best);
        add_outer(s, a, -atom.re, -atom.im);
    }
}

} // namespace csifeedback
} // namespace gr
