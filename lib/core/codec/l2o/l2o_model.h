/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_L2O_MODEL_H
#define INCLUDED_CSIFEEDBACK_L2O_MODEL_H

#include "kernels/kernels.h"
#include <gnuradio/csifeedback/model_file.h>
#include <volk/volk_alloc.hh>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

//! A linear layer with bias, in the layout of the matrix product; one for all iterations
//! or one per iteration.
struct l2o_layer {
    size_t inputs = 0;
    size_t outputs = 0;
    size_t stride = 0; //!< outputs rounded up to whole registers, the rest being zeros
    size_t units = 0;  //!< number of layers: 1 or one per iteration
    volk::vector<float> weights;
    volk::vector<float> bias;
    volk::vector<bf16_pair> pairs; //!< weights of pairs of inputs in bfloat16, or none

    //! y = W x + bias, with relu max(y, 0), for some rows x of floats, or in bfloat16 of
    //! pairs of neighbours; writes stride values per row.
    template <typename word>
    void apply(const word* x,
               size_t x_stride,
               float* y,
               size_t y_stride,
               size_t rows,
               size_t iteration,
               bool relu) const;
    //! The same where most values of x are zeros; false, with nothing done, if they are
    //! not.
    bool apply_sparse(const float* x,
                      size_t x_stride,
                      float* y,
                      size_t y_stride,
                      size_t rows,
                      size_t iteration,
                      bool relu) const;
    void add_bf16();

private:
    // f(weights, bias, first output, outputs) for the panels of an iteration's layer, until
    // it returns false, which this then does too. depth: rows of `all`.
    template <typename weight, typename product>
    bool by_panels(const volk::vector<weight>& all,
                   size_t depth,
                   size_t iteration,
                   product f) const;
};

//! The parameters of an iteration for one codeword length, of all delay rows or of one.
struct l2o_parameters {
    float p, a, b; // before the activation
    float threshold;
    float gamma;
    float step, momentum; // p and a behind the activation
};

//! What follows a gradient step of FISTA-Net: the convolutions of kernels.h, and a network
//! that makes the threshold of each channel of its mean magnitude.
struct l2o_convolutions {
    volk::vector<float> into, forward, inverse, out;
    //! Hidden units by channels and channels by hidden units, with their biases.
    std::vector<float> squeeze, squeeze_bias, excite, excite_bias;

    phase_weights weights() const
    {
        return { into.data(), forward.data(), inverse.data(), out.data() };
    }
    //! Thresholds of phase_channels from their mean magnitudes; may be the same array.
    void limits(const float* magnitudes, float* out) const;
};

//! A step of FISTA-Net after the iterations.
struct l2o_phase {
    float step, momentum;
    const l2o_convolutions* convolutions; //!< of the model
};

//! The arrays of a profile of a model file, `l2o/<profile>/`; docs/files.md lists them.
class l2o_model
{
public:
    //! Reads and checks all arrays; throws std::invalid_argument that names the array.
    l2o_model(const model_file& model, const std::string& profile);

    //! Makes the weights in bfloat16.
    void add_bf16();

    size_t iterations() const { return d_iterations; }
    //! Delay rows with step parameters of their own, or 1: the same for all.
    size_t rows() const { return d_rows; }
    //! Parameters for codewords of m values, interpolated over log2(m): of every
    //! iteration those of all rows().
    std::vector<l2o_parameters> parameters(size_t m) const;
    float consistency(size_t m) const;

    bool has_phases() const { return d_phases > 0; }
    //! The phases after the iterations for codewords of m values, whose convolutions are
    //! those of the nearest trained length.
    std::vector<l2o_phase> phases(size_t m) const;

    int activation[3] = { 0,
                          0,
                          0 }; //!< of p, a, b: 0 none, 1 sigmoid, 2 2 sigmoid, 3 tanh
    int start = 0;             //!< 0 zeros, 1 W^T s / L, 2 MMSE
    size_t keep = 0;           //!< entries of a transformed row that stay; 0: all
    std::vector<l2o_layer> forward, inverse;
    size_t hidden = 0; //!< 0: no LSTM
    //! Weights for the kernel, layer by layer.
    std::vector<volk::vector<float>> lstm;
    volk::vector<float> mlp;   //!< hidden rows of weights and bias
    volk::vector<float> heads; //!< 5 rows likewise
    //! The same in bfloat16, biases not among the weights but l2o_block times each.
    std::vector<volk::vector<bf16_pair>> lstm_pairs;
    volk::vector<bf16_pair> mlp_pairs, heads_pairs;
    volk::vector<float> mlp_bias, heads_bias;

private:
    float activated(size_t which, double x) const;
    //! A table's value at (rate, column) that a length m falls on.
    float interpolate(const std::vector<float>& table, size_t column, size_t m) const;

    std::vector<float> d_rates;
    size_t d_iterations = 0, d_rows = 1;
    // Rates by iterations by rows.
    std::vector<float> d_p, d_a, d_b, d_theta, d_gamma;
    std::vector<float> d_consistency;
    // Rates by phases.
    size_t d_phases = 0;
    std::vector<float> d_steps, d_momenta;
    std::vector<l2o_convolutions> d_convolutions;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_L2O_MODEL_H */
