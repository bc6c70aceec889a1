/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_MMSE_H
#define INCLUDED_CSIFEEDBACK_MMSE_H

#include "codec/linear/projection.h"
#include <gnuradio/csifeedback/model_file.h>
#include <Eigen/Core>

namespace gr {
namespace csifeedback {

/*!
 * \brief The best linear estimate h^ = R W^T (W R W^T + D)^-1 s for the covariance R of a
 * model file; see linear_decoder.
 */
class mmse_estimate
{
public:
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

    //! Reads `decoder/basis`, `variance` and `floor`; throws if they do not fit.
    mmse_estimate(const model_file& model, size_t cols, float noise_variance);

    //! The transpose of R W^T (W R W^T + D)^-1 for the first m rows of W: m x cols.
    matrix transposed(const projection& w, size_t m) const;
    //! The same as vectors of which x is the sum, complex ones where it has such rows.
    projection vectors(const projection& w, size_t m) const;

private:
    projection d_basis;
    Eigen::VectorXd d_variance; // above the floor
    double d_floor = 0;
    float d_noise_variance;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_MMSE_H */
