/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BEAM_PROJECTION_H
#define INCLUDED_CSIFEEDBACK_BEAM_PROJECTION_H

#include "report/pmi/beams.h"
#include <gnuradio/csifeedback/subband_eigenvectors.h>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The L orthogonal beams of the Type II codebooks, and a channel's eigenvectors in
 * them.
 */
class beam_projection
{
public:
    static constexpr int max_beams = 6, max_elements = 16;

    beam_projection(const pmi_array& array, int subbands, int beams);

    const beam_grid& grid() const { return d_grid; }
    //! Values of i12.
    int64_t sets() const { return choose(d_grid.size(), d_beams); }
    //! What is wrong with q1, q2 or i12 of a PMI, or empty.
    std::string check(const pmi& p) const;
    //! The beams of q1, q2 and i12: L x N1 N2 values.
    void vectors(const pmi& p, std::complex<float>* v) const;
    /*!
     * \brief Selects the rotation and the beams of most power of the eigenvectors.
     * \param p output: q1, q2, i12
     */
    void compute(const std::complex<float>* h, int rows, int nr, int rank, pmi& p);
    //! Coefficients of eigenvector l of subband t after compute(): 2L values, those of the
    //! second polarization last.
    const std::complex<float>* coefficients(int l, int t) const
    {
        return d_a.data() + (size_t(l) * d_subbands + t) * 2 * d_beams;
    }

private:
    const pmi_array d_array;
    const int d_subbands, d_beams;
    const beam_grid d_grid;
    beam_power d_power;
    subband_eigenvectors::sptr d_vectors;
    std::vector<std::complex<float>> d_v, d_a;

    void select(int rank, pmi& p);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BEAM_PROJECTION_H */
