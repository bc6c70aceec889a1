/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LOCAL_KLT_H
#define INCLUDED_CSIFEEDBACK_LOCAL_KLT_H

#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <cstdint>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief The patches of a local KLT: bases over the rows of Ha and over its columns, of
 * which one each makes a basis of separable cells.
 *
 * What encoder and decoder share. Matrices are planes of real and imaginary parts, na
 * rows of stride() values of which the first nt count.
 */
class local_klt
{
public:
    /*!
     * \param forward for coefficients of a matrix; else for the matrix of coefficients
     * \param noises  with which patches are chosen (forward); empty: that of the model for
     *                this code_size
     */
    local_klt(const char* where,
              const model_file& model,
              int code_size,
              bool forward,
              const std::vector<float>& noises = {});

    //! What both objects say of themselves.
    codec_info info() const
    {
        return { codec, codec_id,    model_id, domain,    na,
                 nt,    d_code_size, nc,       precursor, array };
    }

    const std::string codec;
    const uint8_t codec_id;
    const uint16_t model_id;
    const std::string domain;
    const int na;
    const int nt;
    const int nc;
    const int precursor;
    const antenna_array array;
    int code_size() const { return d_code_size; }
    //! Values of a codeword that tell the patches, one bit each as their sign.
    int bits() const { return d_rows.bits + d_columns.bits; }
    size_t stride() const { return d_stride; }
    size_t plane() const { return na * d_stride; }

    /*!
     * \brief The patches of largest likelihood for a matrix (forward only).
     * \param re, im planes with zeros beyond nt
     */
    void choose(const float* re, const float* im, int& row_patch, int& column_patch);
    /*!
     * \brief The most likely patches of each side (forward only), the most likely first.
     * \param re, im  planes with zeros beyond nt
     * \param noise   number of the noise
     * \param rows, columns as many as are wanted; shorter after it if there are fewer
     */
    void rank(const float* re,
              const float* im,
              size_t noise,
              std::vector<int>& rows,
              std::vector<int>& columns);
    int row_count() const { return d_rows.count; }
    int column_count() const { return d_columns.count; }
    //! out = the product of row basis, matrix and column basis; all planes.
    void transform(int row_patch,
                   int column_patch,
                   const float* re,
                   const float* im,
                   float* out_re,
                   float* out_im);
    //! The `count` cells of largest expected power, the largest first, as places in a
    //! plane. Of equal ones the first comes first.
    const uint32_t* order(int row_patch, int column_patch, size_t count);

    //! Signs of the first values of a codeword, and back. m: values that there are.
    void write_patches(int row_patch, int column_patch, float* s, int m) const;
    void read_patches(const float* s, int m, int& row_patch, int& column_patch) const;

private:
    //! One side: bases for rows or columns.
    struct side {
        int size = 0; //!< na or nt
        int count = 0;
        int bits = 0;
        std::vector<float> variance; //!< count x size, mean 1
        //! Complex matrices for transform(): real parts, imaginary parts and those
        //! negated, size rows of `width` values each.
        volk::vector<float> basis;
        size_t width = 0;
        //! For choose(), for each noise: the inverse covariances [Re, Im], count x 2 size
        //! size, and the logarithms of the determinants.
        std::vector<volk::vector<float>> inverse;
        std::vector<std::vector<float>> log_determinant;

        const float* matrix(int patch, int part) const
        {
            return basis.data() + (size_t(patch) * 3 + part) * size * width;
        }
    };

    side load(const char* where,
              const model_file& model,
              const char* name,
              int size,
              size_t width,
              bool transposed,
              bool conjugate) const;
    void prepare(side& s, float noise) const;
    void score(const side& s,
               size_t noise,
               const float* upper,
               const float* turned,
               size_t depth,
               float scale);
    // Rows [Re, Im] and [Im, -Re], of the matrix or of its transpose, in d_work.
    size_t rows_for_score(const float* re, const float* im);
    size_t columns_for_score(const float* re, const float* im);
    int best_score(const side& s) const;
    void sort_scores(const side& s, std::vector<int>& best);

    int d_code_size = 0;
    float d_amplitude = 0;
    size_t d_stride;
    side d_rows, d_columns;
    volk::vector<float> d_work, d_covariance;
    std::vector<float> d_scores, d_power;
    std::vector<uint32_t> d_order;
    std::vector<int> d_ranked;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LOCAL_KLT_H */
