/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_H
#define INCLUDED_CSIFEEDBACK_KERNELS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gr {
namespace csifeedback {

// Inner loops that VOLK 2.5 lacks, compiled once for each instruction set with the choice
// made at run time, so that portable binaries are fast. Pointers need no alignment; input
// and output must not overlap unless stated.

//! Complex vectors as rows: row r is re[r * stride ...] + i im[r * stride ...].
struct complex_rows {
    const float* re;
    const float* im;
    size_t stride;
};

//! The kernels for one instruction set.
struct kernel_table {
    const char* name; //!< for example "avx2"

    /*!
     * \brief y += W x.
     * \param w      rows of W, cols values each, stride values apart
     * \param x      cols values
     * \param y      rows values, changed
     */
    void (*gemv)(const float* w,
                 size_t stride,
                 const float* x,
                 float* y,
                 size_t rows,
                 size_t cols);

    /*!
     * \brief y += sum over i of scale[i] times row i of W: the product with W^T.
     * \param w      rows of W, cols values each, stride values apart
     * \param scale  count values
     * \param count  number of rows to add
     * \param y      cols values, changed
     * \param cols   length of a row
     */
    void (*add_rows)(const float* w,
                     size_t stride,
                     const float* scale,
                     size_t count,
                     float* y,
                     size_t cols);

    /*!
     * \brief y_r += sum over c of u_rc x_c, or of conj(u_rc) x_c.
     * \param u            rows x cols complex matrix
     * \param conjugate    whether to conjugate u
     * \param x_re, x_im   cols values each
     * \param y_re, y_im   rows values each, changed
     * \param step         distance of the values of y
     */
    void (*gemv_complex)(complex_rows u,
                         bool conjugate,
                         const float* x_re,
                         const float* x_im,
                         float* y_re,
                         float* y_im,
                         size_t step,
                         size_t rows,
                         size_t cols);

    /*!
     * \brief y += sum over i of scale_i times row i of u, or its conjugate.
     * \param u                  complex matrix
     * \param conjugate          whether to conjugate u
     * \param scale_re, scale_im count values each
     * \param step               distance of the scales
     * \param count              number of rows to add
     * \param y_re, y_im         cols values each, changed
     * \param cols               length of a row
     */
    void (*add_rows_complex)(complex_rows u,
                             bool conjugate,
                             const float* scale_re,
                             const float* scale_im,
                             size_t step,
                             size_t count,
                             float* y_re,
                             float* y_im,
                             size_t cols);

    /*!
     * \brief y += sum over i of x[index_i] times row index_i of W: the product with W^T
     * and a vector of which only some entries count. \param w      rows of W, cols values
     * each, stride values apart \param index  count row numbers \param count  number of
     * rows to add \param x      a factor for each row of W \param y      cols values,
     * changed \param cols   length of a row; short ones are best, all of index is read
     * again for every few registers of y
     */
    void (*add_chosen_rows)(const float* w,
                            size_t stride,
                            const uint32_t* index,
                            size_t count,
                            const float* x,
                            float* y,
                            size_t cols);

    //! The same of a complex matrix, or its conjugate.
    void (*add_chosen_rows_complex)(complex_rows u,
                                    bool conjugate,
                                    const uint32_t* index,
                                    size_t count,
                                    const float* x_re,
                                    const float* x_im,
                                    float* y_re,
                                    float* y_im,
                                    size_t cols);

    /*!
     * \brief out[r, m] = sum over p of row[p, r] * column[p, m], complex.
     * \param row                  count x rows complex values, real and imaginary in turn
     * \param column_re, column_im count x columns values each
     * \param count                number of terms
     * \param rows                 rows of the result
     * \param columns              its columns, a multiple of 16
     * \param out_re, out_im       output, rows x columns values each
     */
    void (*sum_of_products)(const float* row,
                            const float* column_re,
                            const float* column_im,
                            size_t count,
                            size_t rows,
                            size_t columns,
                            float* out_re,
                            float* out_im);

    /*!
     * \brief One accelerated proximal gradient step:
     * out = soft(h + momentum (h - before) - step g, threshold), where
     * soft(u, t) = sign(u) max(|u| - t, 0). What is not finite does not become so.
     * \param h         n values
     * \param before    n values; h for a step without momentum
     * \param momentum  factor of their difference
     * \param g         n values
     * \param step      factor of g
     * \param threshold t >= 0, finite
     * \param out       output, n values; may be h or before
     * \param n         number of values
     */
    void (*soft_threshold_step)(const float* h,
                                const float* before,
                                float momentum,
                                const float* g,
                                float step,
                                float threshold,
                                float* out,
                                size_t n);
};

//! The fastest kernels that this processor runs.
const kernel_table& kernels();

//! All kernels that this processor runs, the generic ones first.
std::vector<const kernel_table*> supported_kernels();

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_H */
