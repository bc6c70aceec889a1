/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_LOCAL_MAP_H
#define INCLUDED_CSIFEEDBACK_LOCAL_MAP_H

#include "codec/mlcf/local_weights.h"
#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief A pair of dictionaries, MLCF eqs. (33) and (34), (35) and (36): a sample's local
 * weights in the first, applied to the second.
 */
class local_map
{
public:
    //! from, to: landmarks and their images, a row each, finite; nothing is checked here.
    local_map(const float_array& from, const float_array& to, int k, float lambda);
    /*!
     * \brief Reads a pair of a model file.
     * \param where      for error texts
     * \param model      the file
     * \param group      "encoder" or "decoder", with its `neighbours` and `lambda`
     * \param from       landmarks, an array of the group
     * \param dim        their dimension
     * \param to         their images, likewise
     * \param image_dim  dimension of those; 0: any
     * \throws std::invalid_argument if anything is missing or out of range
     */
    static local_map load(const char* where,
                          const model_file& model,
                          const std::string& group,
                          const std::string& from,
                          size_t dim,
                          const std::string& to,
                          size_t image_dim);

    size_t dim() const { return d_weights.dim(); }
    //! Bytes of the distances between landmarks.
    size_t bytes() const { return 4 * size_t(d_weights.count()) * d_weights.count(); }
    size_t image_dim() const { return d_image_dim; }

    /*!
     * \brief Maps the columns of x.
     * \param x        dim() x columns floats, row-major
     * \param columns  at most what columns() was called with
     * \param out      output, the first m values of image_dim() x columns floats,
     *                 row-major
     * \param m        1 to image_dim() * columns
     * \param residual whether the residual is wanted
     * \return the sum of ||x - D w||^2 over the columns, if `residual`, else 0
     */
    double apply(const float* x, int columns, float* out, size_t m, bool residual);
    //! Makes room for matrices of this number of columns.
    void columns(int most);

private:
    local_weights d_weights;
    size_t d_image_dim;
    size_t d_stride; // of an image, zeros at the end
    volk::vector<float> d_images;
    std::vector<int32_t> d_index;
    std::vector<float> d_weight, d_residual;
    std::vector<float> d_dense; // weights of all landmarks, zero but in between
    std::vector<uint32_t> d_rows;
    volk::vector<float> d_image;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_LOCAL_MAP_H */
