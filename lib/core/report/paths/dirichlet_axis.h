/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DIRICHLET_AXIS_H
#define INCLUDED_CSIFEEDBACK_DIRICHLET_AXIS_H

#include <volk/volk_alloc.hh>
#include <complex>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief What a plane wave looks like along one axis of Ha, at any position.
 *
 * The DFT of `period` samples of a complex exponential, of which `size` values are kept,
 * is exp(j pi (period - 1) x / period) d(x) at the distance x = i - position of value i,
 * with the Dirichlet kernel d(x) = sin(pi x) / (period sin(pi x / period)). The phases
 * separate into one of each value, see phase(), and one of the position, which belongs to
 * the gain of the path. So all arithmetic is on the real d(x).
 *
 * d and its derivatives come from tables of 32 positions a cell and a cubic polynomial
 * between them; the error is below 1e-6.
 */
class dirichlet_axis
{
public:
    /*!
     * \param size   values that are kept, >= 1
     * \param period values of the whole DFT, >= size
     * \param margin cells beyond the values at each end where positions may be
     */
    dirichlet_axis(int size, int period, int margin);

    int size() const { return d_size; }
    //! size(), to whole registers; values beyond size() are zero.
    size_t stride() const { return d_stride; }
    int margin() const { return d_margin; }
    //! Whether the positions are a ring: all values of the DFT are kept.
    bool is_ring() const { return d_is_ring; }

    //! A position in range: modulo size() on a ring, else clamped to
    //! [-margin - 0.5, size() + margin - 0.5].
    float inside(float position) const;

    //! d at a position, stride() values.
    void value(float position, float* d) const;
    //! d, and its first and half its second derivative by the position.
    void derivatives(float position, float* d, float* first, float* half_second) const;
    //! Factor exp(-j pi (period - 1) i / period) that makes value i of a plane wave real.
    std::complex<float> phase(float i) const;

private:
    static constexpr int nodes = 32;

    const int d_size, d_period, d_margin;
    const bool d_is_ring;
    const size_t d_stride;
    int d_center;   // place of distance 0
    size_t d_width; // of a row
    // For each node the k-th derivative by the position, divided by k!, k = 0 to 3.
    volk::vector<float> d_table;

    // Four rows that begin at value 0, and the distance from the node.
    const float* rows(float position, float& delta) const;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_DIRICHLET_AXIS_H */
