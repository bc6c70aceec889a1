/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PROJECTION_H
#define INCLUDED_CSIFEEDBACK_PROJECTION_H

#include "kernels/kernels.h"
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! What a linear codec has to know of its matrix W.
struct projection_info {
    size_t rows = 0; //!< M
    size_t cols = 0; //!< 2 na nt
    int na = 0;
    int nt = 0;
    int nc = 0;         // 0: unknown
    int precursor = -1; // -1: unknown
    antenna_array array;
    uint8_t codec_id = 0;
    uint16_t model_id = 0;
    std::string codec;
    std::string domain = "Ha";

    //! What a codec object of it says of itself, with the name of the codec or decoder.
    codec_info info(const std::string& name) const
    {
        return {
            name, codec_id, model_id, domain, na, nt, int(rows), nc, precursor, array
        };
    }
    //! All but the rows.
    void describe(const char* where, const model_file& model);
    //! Takes code_size of the rows that there are, 0: all of them.
    void set_rows(const char* where, size_t available, int code_size);
};

/*!
 * \brief The matrix W of a linear encoder.
 *
 * Either any real matrix, or one that is made of complex vectors u_k: then its rows 2 k
 * and 2 k + 1, [Re u_k, Im u_k] and [-Im u_k, Re u_k], give the real and imaginary parts
 * of u_k^H x as functions of [Re x; Im x]. Of these only the even ones are kept, which
 * halves what has to be read from memory.
 */
struct projection : projection_info {
    bool is_complex = false;
    volk::vector<float> w; //!< real: rows x cols; complex: the even rows, row-major

    //! The first code_size rows (0: all) of `encoder/W` or `encoder/W_complex`.
    static projection load(const char* where, const model_file& model, int code_size);
    //! Any matrix; checks the sizes.
    static projection from_matrix(
        const char* where, const std::vector<float>& w, int na, int nt, int model_id);

    //! s += W x with the first m rows.
    void multiply_add(const float* x, float* s, size_t m) const;
    //! x = W^T s with the first m rows.
    void multiply_transposed(const float* s, float* x, size_t m) const;

private:
    complex_rows vectors(size_t row) const
    {
        const float* first = w.data() + row * cols;
        return { first, first + cols / 2, cols };
    }
};

/*!
 * \brief A W that does the same to the column of every antenna: s[r nt + n] is the
 * product of row r of a small matrix with column n of [Re H; Im H].
 */
class antenna_projection : public projection_info
{
public:
    //! Whether a model file has such a matrix, `encoder/W_columns`.
    static bool is_in(const model_file& model);
    //! The first code_size values (0: all) of the codewords of `encoder/W_columns`.
    static antenna_projection
    load(const char* where, const model_file& model, int code_size);

    //! s += W x with the first m rows.
    void multiply_add(const float* x, float* s, size_t m) const;
    //! x = W^T s with the first m rows.
    void multiply_transposed(const float* s, float* x, size_t m) const;

private:
    volk::vector<float> d_w;          // a row for each component
    volk::vector<float> d_transposed; // a row for each of the 2 na values
};

/*!
 * \brief The same matrix column by column, for decoders whose vectors have few entries.
 *
 * A column stands for the columns c and cols / 2 + c of a W of complex vectors. Codewords
 * are in the layout that the products want: padded with zeros, and of complex vectors all
 * real parts first, those of the pairs of rows; see split() and join().
 */
class projection_columns
{
public:
    explicit projection_columns(const projection& p);

    size_t rows() const { return d_rows; }
    //! Length of vectors x: 2 na nt.
    size_t cols() const { return d_is_complex ? 2 * d_count : d_count; }
    //! Number of columns that are stored.
    size_t count() const { return d_count; }
    //! Values of x that a stored column stands for: x[c] and, if two, x[count() + c].
    size_t parts() const { return d_is_complex ? 2 : 1; }
    //! Length of a codeword in the layout of the products.
    size_t split_size() const { return d_is_complex ? 2 * d_padded : d_padded; }
    //! Columns that fit a first level cache well, with room for codewords.
    size_t block() const { return d_block; }

    //! The layout of the products from the m values of s.
    void split(const float* s, float* split, size_t m) const;
    //! The m values of s from that layout.
    void join(const float* split, float* s, size_t m) const;
    //! Zeros what does not belong to the first m rows.
    void clear_rest(float* split, size_t m) const;

    /*!
     * \brief x = W^T s for the columns [begin, end) and the first m rows.
     * \param s  in the layout of the products
     * \param x  cols() values, of which those of the columns are written
     */
    void multiply_transposed(
        const float* s, float* x, size_t m, size_t begin, size_t end) const;
    //! s += W x for these columns; those with zeros take no time. The rest of s after the
    //! first m rows may get any values.
    void multiply_add(const float* x, float* s, size_t m, size_t begin, size_t end) const;

private:
    //! Values of a column for the first m rows: rounded up to whole registers.
    size_t length(size_t m) const;
    complex_rows vectors(size_t c) const
    {
        const float* first = d_w.data() + c * 2 * d_padded;
        return { first, first + d_padded, 2 * d_padded };
    }

    bool d_is_complex;
    size_t d_rows;
    size_t d_count;
    size_t d_padded; // rows, or pairs of rows, with zeros to whole registers
    size_t d_block;
    volk::vector<float> d_w;
};

//! Complex vectors u (k x n x 2) as the k rows [Re u, Im u].
volk::vector<float> split_complex_rows(const float_array& u, size_t rows);

/*!
 * \brief Largest eigenvalue of a symmetric positive semidefinite n x n matrix.
 *
 * Up to 1e-5 too large, relatively, so that a gradient step of its inverse is safe.
 * \param n     size
 * \param apply writes the product of the matrix and its first argument to its second
 */
float largest_eigenvalue(size_t n,
                         const std::function<void(const float*, float*)>& apply);

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PROJECTION_H */
