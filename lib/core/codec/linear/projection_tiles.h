/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PROJECTION_TILES_H
#define INCLUDED_CSIFEEDBACK_PROJECTION_TILES_H

#include "codec/linear/projection.h"
#include "kernels/kernels.h"
#include <volk/volk_alloc.hh>
#include <cstddef>

namespace gr {
namespace csifeedback {

/*!
 * \brief Vectors h_vec delay row by delay row: [Re, Im] of a row, and zeros up to a
 * multiple of 16 values; at the end zeros up to a multiple of 64.
 */
struct row_layout {
    row_layout(size_t na, size_t nt);

    size_t na;
    size_t nt;
    size_t stride; //!< values of a row
    size_t size;   //!< of all

    void from_h_vec(const float* h_vec, float* x) const;
    void to_h_vec(const float* x, float* h_vec) const;
    //! Zeros what is not part of the vector.
    void clear_padding(float* x) const;
};

/*!
 * \brief The matrix W for dense vectors in the layout by delay rows, several at a time.
 *
 * Of a W of complex vectors u only [Re u, Im u] are kept, and each vector and codeword is
 * two: x and -j x give the real and imaginary parts of u^H x, and the real and imaginary
 * parts of a codeword give the p and q of W^T s = p + j q. Columns lie in tiles.
 */
class projection_tiles
{
public:
    projection_tiles(const projection& p, const row_layout& layout);

    //! Vectors, and parts of a codeword, that stand for one: 2 for complex ones.
    size_t planes() const { return d_planes; }
    //! Distance of the parts of a codeword.
    size_t code_stride() const { return d_code_stride; }
    //! Columns of a tile, a whole number of delay rows.
    size_t tile() const { return d_tile; }
    //! Values of a part of a codeword of m values.
    size_t length(size_t m) const { return (m + d_planes - 1) / d_planes; }
    //! Bytes of a column for the first m rows.
    size_t column_bytes(size_t m) const { return length(m) * sizeof(float); }

    //! The parts of a codeword of m values, and back.
    void split(const float* s, float* code, size_t m) const;
    void join(const float* code, float* s, size_t m) const;
    //! Zeros what the parts have beyond m values.
    void clear_rest(float* code, size_t m) const;

    /*!
     * \brief The parts of the products with W^T, columns [begin, end).
     * \param code  parts of codewords, code_stride() apart
     * \param count their number
     * \param m     length of a codeword
     * \param x     output, layout.size values apart
     * \param begin a multiple of tile()
     * \param end   likewise, or layout.size
     */
    void multiply_transposed(const float* code,
                             size_t count,
                             size_t m,
                             float* x,
                             size_t begin,
                             size_t end) const;
    //! The counterpart: adds the products of columns [begin, end) of W with vectors.
    void multiply_add(const float* x,
                      size_t count,
                      size_t m,
                      float* code,
                      size_t begin,
                      size_t end) const;

    //! Makes the copies of W in bfloat16 that the products of pairs take; bf16_kernels()
    //! must not be null.
    void add_bf16();
    //! The same products in bfloat16: pairs of neighbours of a codeword's parts,
    //! code_stride() / 2 apart, where of an odd number the last pair has a zero; and of
    //! vectors, layout.size / 2 apart.
    void multiply_transposed(const bf16_pair* code,
                             size_t count,
                             size_t m,
                             float* x,
                             size_t begin,
                             size_t end) const;
    void multiply_add(const bf16_pair* x,
                      size_t count,
                      size_t m,
                      float* code,
                      size_t begin,
                      size_t end) const;

private:
    size_t d_planes;
    size_t d_size;
    size_t d_length; // rows that are kept
    size_t d_code_stride;
    size_t d_tile;
    size_t d_row; // distance of the rows of a tile
    volk::vector<float> d_w;
    // In bfloat16, tile by tile: pairs of rows, and pairs of columns.
    size_t d_pair_row = 0; // distance of the rows of a tile of the latter
    volk::vector<bf16_pair> d_row_pairs, d_column_pairs;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PROJECTION_TILES_H */
