/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_COEFFICIENT_CODER_H
#define INCLUDED_CSIFEEDBACK_COEFFICIENT_CODER_H

#include "report/entropy/entropy_model.h"
#include <functional>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

//! A grid of complex coefficients: real and imaginary parts, rows of `stride` values.
struct coefficient_grid {
    const float* re;
    const float* im;
    size_t stride;
};

/*!
 * \brief Quantizes a grid of coefficients and codes it.
 *
 * The expected size of the coefficient in row k and column j is the sum of two levels.
 * Coefficients come row by row, the real part first. The frequencies of a magnitude
 * depend on the class (the expected size in steps) and on the magnitudes of the two
 * coefficients to the left and the two above, and of the real part where it is the
 * imaginary one.
 *
 * Nothing is allocated once an object is made.
 */
class coefficient_coder
{
public:
    coefficient_coder(std::shared_ptr<const entropy_model> model, int rows, int columns);

    int rows() const { return d_rows; }
    int columns() const { return d_columns; }

    //! What quantize() found.
    struct outcome {
        float bits = 0; //!< ideal code length
        double gain =
            0; //!< by how much the error is below that of zeros, in squared steps
    };
    /*!
     * \brief Chooses the magnitudes, one after the other, of least error + mu bits.
     * \param x           the coefficients
     * \param row_level   a level for each row
     * \param column_level for each column
     * \param step        number of the step
     * \param rate        set of tables
     * \param mu          what a bit is worth, in squared steps
     */
    outcome quantize(const coefficient_grid& x,
                     const int* row_level,
                     const int* column_level,
                     int step,
                     int rate,
                     float mu);
    //! Codes what quantize() chose, with the same levels, step and rate.
    void encode(range_encoder& coder,
                const int* row_level,
                const int* column_level,
                int step,
                int rate);
    //! Decodes coefficients, zeros where the bits end; re and im: rows of stride values.
    void decode(range_decoder& coder,
                const int* row_level,
                const int* column_level,
                int step,
                int rate,
                float* re,
                float* im,
                size_t stride);

    //! A value that quantize() chose, for training.
    struct symbol {
        int c, context; //!< class and context
        int magnitude;  //!< all of it
        float value;    //!< what it stands for, in steps, not negative
    };
    //! Calls f for all values of which quantize() chose a magnitude.
    void visit(const coefficient_grid& x,
               const int* row_level,
               const int* column_level,
               int step,
               const std::function<void(const symbol&)>& f);

    //! Multiply-adds of quantize() so far.
    uint64_t operations() const { return d_operations; }

private:
    const std::shared_ptr<const entropy_model> d_model;
    const int d_rows, d_columns;
    // Two columns and two rows of zeros before the first ones.
    const size_t d_pitch;
    std::vector<uint8_t> d_near;
    std::vector<int> d_q; // signed, real and imaginary part of each
    uint64_t d_operations = 0;

    template <typename worker>
    void walk(const int* row_level, const int* column_level, int step, worker&& work);
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_COEFFICIENT_CODER_H */
