/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BEAMS_H
#define INCLUDED_CSIFEEDBACK_BEAMS_H

#include <gnuradio/csifeedback/pmi_codebook.h>
#include <volk/volk_alloc.hh>
#include <vector>

namespace gr {
namespace csifeedback {

//! Bits of a field with this many values: ceil(log2(values)), values >= 1.
inline int field_bits(int64_t values)
{
    int bits = 0;
    while ((int64_t(1) << bits) < values)
        bits++;
    return bits;
}

//! Binomial coefficient, 0 for x < y; no larger than C(36, 18).
int64_t choose(int x, int y);

/*!
 * \brief Number of a set, as 38.214 counts beams and taps: sum of C(n - 1 - x_i, k - i).
 * \param set k different numbers below n, ascending
 */
int64_t set_to_index(const int* set, int n, int k);
//! The inverse; index is below C(n, k).
void index_to_set(int64_t index, int n, int k, int* set);

//! The oversampled DFT beams v_{l,m} of an array.
class beam_grid
{
public:
    explicit beam_grid(const pmi_array& array);

    int n1() const { return d_array.n1; }
    int n2() const { return d_array.n2; }
    int size() const { return d_array.n1 * d_array.n2; }
    int columns1() const { return d_array.n1 * d_array.o1(); } //!< values of l
    int columns2() const { return d_array.n2 * d_array.o2(); } //!< values of m
    //! exp(2 pi j k / (N1 O1)), any k.
    std::complex<float> turn1(int k) const { return d_turn1[modulo(k, columns1())]; }
    //! exp(2 pi j k / (N2 O2)), any k.
    std::complex<float> turn2(int k) const { return d_turn2[modulo(k, columns2())]; }
    //! The first `rows` of N1 blocks of v_{l,m}: rows x N2 values.
    void beam(int l, int m, std::complex<float>* v, int rows) const;
    void beam(int l, int m, std::complex<float>* v) const { beam(l, m, v, d_array.n1); }

private:
    static int modulo(int k, int n)
    {
        k %= n;
        return k < 0 ? k + n : k;
    }
    const pmi_array d_array;
    std::vector<std::complex<float>> d_turn1, d_turn2;
};

/*!
 * \brief Powers of all beams of a grid, from the covariance of the ports.
 *
 * Vectors x = (x_0; x_1) of both polarizations are added up; then power(l, m) is the sum
 * of |v^H x_0|^2 + |v^H x_1|^2, and cross(l, m) that of (v^H x_0) (x_1^H v). Both depend
 * on the sums along the (block) diagonals of the covariance alone.
 */
class beam_power
{
public:
    /*!
     * \param grid   stays as long as the object
     * \param halves whether to take v of N1 / 2 blocks on either half of the array,
     *               v_{2l,m}, and to add the powers up
     */
    explicit beam_power(const beam_grid& grid, bool halves = false);

    void clear();
    //! Adds weight x x^H, or of the conjugate of x.
    void add(const std::complex<float>* x, float weight, bool conjugate);
    //! Computes powers of all beams, and products, if asked for.
    void compute(bool with_cross);
    //! columns1() x columns2() values; with halves only l below N1 O1 / 2 count.
    const float* power() const { return d_power.data(); }
    const std::complex<float>* cross() const { return d_cross.data(); }

private:
    const beam_grid& d_grid;
    const int d_size, d_span1, d_span2; // span: lags of either sign that there are
    const int d_step;                   // beams of halves: v_{2l,m}
    volk::vector<float> d_x;            // x as four arrays
    volk::vector<float> d_same_re, d_same_im, d_cross_re, d_cross_im;
    std::vector<std::complex<float>> d_lags, d_half;
    std::vector<float> d_power;
    std::vector<std::complex<float>> d_cross;

    void sum_lags(const float* re, const float* im, bool halves);
    void transform(bool hermitian);
    const bool d_halves;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BEAMS_H */
