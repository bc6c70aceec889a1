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

path_search::path_search(std::shared_ptr<const dirichlet_axis> rows,
                         std::shared_ptr<const dirichlet_axis> columns,
                         int max_atoms)
    : d_rows(std::move(rows)),
      d_columns(std::move(columns)),
      d_half(d_columns->stride()),
      d_residual(d_rows->size() * width(), 0.0f),
      d_between_columns(d_half * d_half, 0.0f),
      d_atoms(max_atoms)
{
    volk::vector<float> d(std::max(d_rows->stride(), d_half));
    for (int i = 0; i < d_rows->size() + 2 * d_rows->margin(); i++) {
        const float position = d_rows->inside(i - d_rows->margin() - 0.5f);
        d_rows->value(position, d.data());
        d_position.push_back(position);
        d_weight.push_back(1 / dot(d.data(), d.data(), d_rows->stride()));
        d_between_rows.insert(d_between_rows.end(), d.data(), d.data() + d_rows->size());
    }
    for (int j = 0; j < d_columns->size(); j++) {
        d_columns->value(j + 0.5f, d.data());
        for (int i = 0; i < d_columns->size(); i++)
            d_between_columns[i * d_half + j] = d[i];
    }
    const size_t most = std::max<size_t>(d_position.size(), d_rows->size());
    d_map.resize(most * width());
    d_half_map.resize(d_position.size() * width());
    d_power.resize(most);
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
}

void path_search::take_peak(const float* map,
                            const float* position,
                            const float* weight,
                            size_t rows,
                            float column,
                            path_atom& atom,
                            float& best)
{
    kernels().largest_powers(map, d_half, rows, d_power.data());
    size_t at = rows;
    for (size_t r = 0; r < rows; r++) {
        const float power = weight ? d_power[r] * weight[r] : d_power[r];
        if (power > best) {
            best = power;
            at = r;
        }
    }
    if (at == rows)
        return;
    const float *re = map + at * width(), *im = re + d_half;
    size_t most = 0;
    float largest = -1;
    for (size_t c = 0; c < size_t(d_columns->size()); c++) {
        const float power = re[c] * re[c] + im[c] * im[c];
        if (power > largest) {
            largest = power;
            most = c;
        }
    }
    atom.delay = position ? position[at] : at;
    atom.angle = most + column;
}

// The largest correlation on a grid of half cells. On whole ones it is the residual.
void path_search::find_peak(path_atom& atom)
{
    const size_t na = d_rows->size(), between = d_position.size();
    const auto gemm = kernels().gemm;
    const auto between_columns = [&](const float* m, size_t rows) {
        gemm(m,
             d_half,
             d_between_columns.data(),
             d_half,
             nullptr,
             0,
             d_map.data(),
             d_half,
             2 * rows,
             d_half,
             d_half,
             false);
    };
    float best = 0;
    take_peak(d_residual.data(), nullptr, nullptr, na, 0, atom, best);
    between_columns(d_residual.data(), na);
    take_peak(d_map.data(), nullptr, nullptr, na, 0.5f, atom, best);
    gemm(d_between_rows.data(),
         na,
         d_residual.data(),
         width(),
         nullptr,
         0,
         d_half_map.data(),
         width(),
         between,
         na,
         width(),
         false);
    const float *position = d_position.data(), *weight = d_weight.data();
    take_peak(d_half_map.data(), position, weight, between, 0, atom, best);
    between_columns(d_half_map.data(), between);
    take_peak(d_map.data(), position, weight, between, 0.5f, atom, best);
}

void path_search::set(float delay, float angle)
{
    d_rows->derivatives(delay, d_s[0].data(), d_s[1].data(), d_s[2].data());
    d_columns->derivatives(angle, d_a[0].data(), d_a[1].data(), d_a[2].data());
}

path_search::probe path_search::next(float delay, float angle)
{
    float *s = d_next_s.data(), *a = d_next_a.data(), y[2];
    d_rows->value(delay, s);
    d_columns->value(angle, a);
    kernels().bilinear(d_residual.data(), d_half, d_rows->size(), s, a, y);
    return { y[0], y[1], dot(s, s, d_rows->stride()) };
}

// A step from the position that was set towards the peak of the power there; false if
// there is none.
bool path_search::step(float& delay, float& angle, probe& here)
{
    const float* const s[] = { d_s[0].data(), d_s[1].data(), d_s[2].data() };
    const float* const a[] = { d_a[0].data(), d_a[1].data(), d_a[2].data() };
    float y[12];
    kernels().bilinear_jet(d_residual.data(), d_half, d_rows->size(), s, a, y);
    const size_t na = d_rows->stride();
    const float n = dot(s[0], s[0], na);
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
        const float n1 = 2 * dot(s[0], s[1], na) / n,
                    n2 = 2 * (dot(s[1], s[1], na) + 2 * dot(s[0], s[2], na)) / n;
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

void path_search::add_outer(const float* s, const float* a, float re, float im)
{
    float* z = d_z.data();
    for (size_t i = 0; i < d_half; i++) {
        z[i] = re * a[i];
        z[d_half + i] = im * a[i];
    }
    kernels().add_outer(s, z, d_rows->size(), width(), d_residual.data());
}

bool path_search::add()
{
    if (d_count == int(d_atoms.size()))
        return false;
    path_atom& atom = d_atoms[d_count];
    atom = {};
    find_peak(atom);
    // From half a cell away, Newton's method needs three steps.
    probe best;
    set(atom.delay, atom.angle);
    float delay = atom.delay, angle = atom.angle;
    bool is_better = step(delay, angle, best);
    for (int i = 0; i < 3 && is_better; i++) {
        float after_delay = delay, after_angle = angle;
        probe here;
        set(delay, angle);
        const bool more = step(after_delay, after_angle, here);
        is_better = here.power() > best.power();
        if (is_better) {
            best = here;
            atom.delay = delay;
            atom.angle = angle;
            delay = after_delay;
            angle = after_angle;
            is_better = more;
        }
    }
    atom.re = best.re / best.norm;
    atom.im = best.im / best.norm;
    if (!(atom.power() > 0))
        return false;
    next(atom.delay, atom.angle);
    add_outer(d_next_s.data(), d_next_a.data(), -atom.re, -atom.im);
    d_count++;
    return true;
}

void path_search::refine(int last)
{
    for (int k = std::max(0, d_count - last); k < d_count; k++) {
        path_atom& atom = d_atoms[k];
        set(atom.delay, atom.angle);
        add_outer(d_s[0].data(), d_a[0].data(), atom.re, atom.im);
        probe best;
        float delay = atom.delay, angle = atom.angle;
        const float *s = d_s[0].data(), *a = d_a[0].data();
        if (step(delay, angle, best)) {
            const probe there = next(delay, angle);
            if (there.power() > best.power()) {
                best = there;
                atom.delay = delay;
                atom.angle = angle;
                s = d_next_s.data();
                a = d_next_a.data();
            }
        }
        atom.re = best.re / best.norm;
        atom.im = best.im / best.norm;
        add_outer(s, a, -atom.re, -atom.im);
    }
}

} // namespace csifeedback
} // namespace gr
