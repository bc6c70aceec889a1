/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PATH_QUANTIZER_H
#define INCLUDED_CSIFEEDBACK_PATH_QUANTIZER_H

#include "report/paths/dirichlet_axis.h"
#include "report/paths/path_basis.h"
#include "report/paths/path_coder.h"
#include "report/paths/path_search.h"
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Quantizes paths in a closed loop, and encodes as many as a budget allows.
 *
 * The position of a path is quantized as finely as its gain asks for, then the gain of
 * its orthonormal matrix (see path_basis) is computed from the CSI itself: so it takes in
 * what the rounding of positions did.
 */
class path_quantizer
{
public:
    path_quantizer(std::shared_ptr<const dirichlet_axis> rows,
                   std::shared_ptr<const dirichlet_axis> columns,
                   std::shared_ptr<const path_model> model,
                   int max_atoms);

    /*!
     * \brief Takes a matrix, and atoms that it is made of.
     * \param h     as for path_search; must stay until the last run()
     * \param count up to max_atoms
     */
    void start(const float* h, const path_atom* atoms, int count);

    //! Energy of the matrix.
    double total() const { return d_total; }
    //! Energy of the path that explains most of the matrix, 0: there is none.
    float strongest() const
    {
        return d_candidates.empty() ? 0 : d_candidates.front().energy();
    }

    struct result {
        int bits = 0;      //!< of the report
        double energy = 0; //!< of the matrix less that of its error
    };
    /*!
     * \brief Makes a report.
     * \param step   of the quantizer
     * \param index  its number
     * \param budget in bits
     * \param bits   output, (budget + 7) / 8 bytes
     */
    result run(float step, int index, int budget, uint8_t* bits);

    //! For each atom whether the last report has it.
    const std::vector<uint8_t>& sent_atoms() const { return d_is_sent; }

    //! Multiply-adds since start().
    uint64_t operations() const { return d_operations + d_basis.operations() - d_before; }
    //! Additions to the tables of the entropy coder since start().
    uint64_t coder_operations() const { return d_coder.operations() - d_coder_before; }

private:
    struct candidate {
        path_atom atom;
        int index;    // of the atom
        float re, im; // gain of its orthonormal matrix after those before it
        int group;    // that it is to be sent in, 0: in none
        path_symbol symbol;

        float energy() const { return re * re + im * im; }
    };

    const std::shared_ptr<const dirichlet_axis> d_rows, d_columns;
    path_basis d_basis;
    path_coder d_coder;
    const float* d_h = nullptr;
    const size_t d_stride;
    std::vector<candidate> d_candidates; // the one that adds most first
    volk::vector<float> d_s, d_a;        // vectors of candidates, a row each
    volk::vector<float> d_factor, d_work;
    volk::vector<float> d_re, d_im; // gains of the basis
    std::vector<path_symbol> d_sent;
    std::vector<candidate*> d_group, d_order;
    std::vector<uint8_t> d_is_sent;
    double d_total = 0, d_energy = 0;
    mutable uint64_t d_operations = 0;
    uint64_t d_before = 0, d_coder_before = 0;

    bool find_order(const path_atom* atoms, int count, float min_norm, double most);
    void correlate(const float* s, const float* a, float* y) const;
    void place(const path_atom& atom, path_symbol& p) const;
    bool send(candidate& x, int group, float step);
    void begin_groups(float step, int top);
    bool encode_group(range_encoder& coder, int group, float step, int budget);
    void refine_gains(range_encoder& coder, float step, int budget);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PATH_QUANTIZER_H */
