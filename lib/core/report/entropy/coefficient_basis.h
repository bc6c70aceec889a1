/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_COEFFICIENT_BASIS_H
#define INCLUDED_CSIFEEDBACK_COEFFICIENT_BASIS_H

#include "report/range_coder.h"
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <memory>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! Two patches of a local KLT, those of rows and of columns; of other codecs 0 and 0.
struct patch_pair {
    int row = 0, column = 0;
};

/*!
 * \brief A codec with codewords as a transform of matrices to grids of complex
 * coefficients whose expected sizes are known.
 *
 * The values 2 i and 2 i + 1 of a linear codec's codeword are coefficient i of a single
 * row. A local KLT has a grid for each pair of patches.
 */
class coefficient_basis
{
public:
    virtual ~coefficient_basis() = default;

    //! For the UE.
    static std::unique_ptr<coefficient_basis>
    forward(const char* where, const model_file::sptr& model, int code_size);
    //! For the BS; method: as for decoder::from_model().
    static std::unique_ptr<coefficient_basis> backward(const char* where,
                                                       const model_file::sptr& model,
                                                       int code_size,
                                                       const std::string& method);

    const codec_info& info() const { return d_info; }
    int rows() const { return d_rows; }
    int columns() const { return d_columns; }
    //! Values of a row of coefficients, at least columns().
    size_t stride() const { return d_stride; }
    const int* row_level(const patch_pair& p) const
    {
        return &d_row_level[p.row * d_rows];
    }
    const int* column_level(const patch_pair& p) const
    {
        return &d_column_level[p.column * d_columns];
    }
    //! Frequencies of the patches, null: there is only one.
    const frequency_table* row_patches() const { return d_row_patches.get(); }
    const frequency_table* column_patches() const { return d_column_patches.get(); }

    //! Takes a matrix (UE).
    virtual void start(const float* h_vec) = 0;
    /*!
     * \brief The most likely patches for this matrix (UE), the most likely first.
     * \param coarse 0 to 2: how much is quantized away, 0 most
     */
    virtual void rank(int coarse, std::vector<int>& rows, std::vector<int>& columns);
    //! Its coefficients in these patches (UE).
    virtual void transform(const patch_pair& p, float* re, float* im) = 0;
    //! The matrix of coefficients (BS).
    virtual void
    invert(const patch_pair& p, const float* re, const float* im, float* h_vec) = 0;

    //! Multiply-adds at the UE so far.
    uint64_t operations() const { return d_operations; }

protected:
    codec_info d_info;
    int d_rows = 1, d_columns = 0;
    size_t d_stride = 0;
    std::vector<int> d_row_level, d_column_level;
    std::unique_ptr<const frequency_table> d_row_patches, d_column_patches;
    uint64_t d_operations = 0;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_COEFFICIENT_BASIS_H */
