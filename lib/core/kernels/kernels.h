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

//! n rounded up to whole blocks of 16 floats, as the kernels want lengths of rows.
// (static: each instruction set compiles this header)
static inline size_t whole_registers(size_t n) { return (n + 15) / 16 * 16; }

//! Complex vectors as rows: row r is re[r * stride ...] + i im[r * stride ...].
struct complex_rows {
    const float* re;
    const float* im;
    size_t stride;
};

//! Elements of a vector that the kernels of the element-wise LSTM take at a time.
//! Features of a block lie one after the other: feature k of element e is at k *
//! l2o_block + e.
constexpr size_t l2o_block = 64;

//! Factors that the kernel wants the weights and biases of the gates i, f, g and o to be
//! multiplied by: -log2(e), and that twice for g.
constexpr float lstm_gate_scale[] = {
    -1.44269504f, -1.44269504f, -2.88539008f, -1.44269504f
};

//! A layer of an LSTM.
struct lstm_weights {
    //! For each hidden unit the biases of its gates i, f, g and o, then their weights of
    //! the first input, of the second ..., and of each hidden unit, all of them scaled.
    const float* weights;
    size_t inputs;
    size_t hidden;
};

//! Two values in bfloat16, the first one in the lower half.
typedef uint32_t bf16_pair;

//! A layer of an LSTM in bfloat16. Weights are as in lstm_weights, with pairs of inputs and
//! pairs of hidden units instead of single ones; biases are floats, bit by bit. The last
//! pair of an odd number of hidden units has a zero.
struct lstm_weights_bf16 {
    const bf16_pair* weights;
    size_t inputs; //!< pairs
    size_t hidden;
};

//! What the update of a block of elements, Csi-L2O eq. (19), needs.
struct l2o_elements {
    const float* x;  //!< l2o_block values each
    const float* gx; //!< the gradient at x, divided by L
    const float* y;
    const float* gy;
    //! The MLP's outputs for p, a, b, b1 and b2, 5 features; p and a are replaced by what
    //! they become.
    float* heads;
    float p, a, b;         //!< are added to the MLP's outputs
    const int* activation; //!< of p, a and b: 0 none, 1 sigmoid, 2 2 sigmoid, 3 tanh
    float* u;              //!< output
};

//! Samples that the kernels of the local weights take at a time. Values of a block lie
//! one after the other: value i of sample e is at i * weights_block + e.
constexpr size_t weights_block = 16;

//! Floats of work space that local_systems() needs.
constexpr size_t local_systems_scratch(size_t k)
{
    return ((k + 3) * (k + 4) / 2 + 2 * (k + 3)) * weights_block;
}

//! Channels of the transforms of a phase of FISTA-Net.
constexpr size_t phase_channels = 16;
//! Zeros before each row of a phase_image.
constexpr size_t phase_margin = 16;

//! The convolutions of a phase of FISTA-Net, without biases.
struct phase_weights {
    const float* into;    //!< 3x3: (2, 3, 3) inputs and taps by channels
    const float* forward; //!< two of 1x1: inputs by channels
    const float* inverse; //!< likewise
    const float* out;     //!< 3x3: (channels, 3, 3) inputs and taps by 2
};

//! Images of a phase with a margin of zeros: element (r, c) of a channel is at (r + 1) *
//! stride + phase_margin + c.
struct phase_image {
    size_t rows, cols;
    size_t stride;  //!< whole_registers(cols) + phase_margin
    size_t plane;   //!< (rows + 2) * stride + phase_margin, from one channel to the next
    const float* x; //!< 2 planes
    float* z;       //!< phase_channels planes
};

//! Images of rows x cols elements in `planes`, which becomes as large as they need, zeros.
template <typename vector>
static phase_image make_phase_image(size_t rows, size_t cols, vector& planes)
{
    const size_t stride = whole_registers(cols) + phase_margin,
                 plane = (rows + 2) * stride + phase_margin;
    planes.assign((2 + phase_channels) * plane, 0.0f);
    return { rows, cols, stride, plane, planes.data(), planes.data() + 2 * plane };
}

//! Part of the values beyond which a matrix is not sparse.
constexpr double sparse_part = 0.3;

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

    //! The sum of the squares of n values; infinite or NaN if one of them is not finite.
    float (*energy)(const float* x, size_t n);

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
     * and a vector of which only some entries count.
     * \param w      rows of W, cols values each, stride values apart
     * \param index  count row numbers
     * \param count  number of rows to add
     * \param x      a factor for each row of W
     * \param y      cols values, changed
     * \param cols   length of a row; short ones are best, all of index is read again for
     *               every few registers of y
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

    /*!
     * \brief c = start + a b, and with relu max(c, 0), where a NaN stays a NaN.
     *
     * Every value of c is the same whatever the number of rows.
     * \param a     rows x depth values, rows a_stride apart
     * \param b     depth x cols values, rows b_stride apart
     * \param start what is added to, rows start_stride apart (0: the same for every
     *              row), or null: zeros; may be c
     * \param c     output, rows c_stride apart
     * \param cols  a multiple of 16
     */
    void (*gemm)(const float* a,
                 size_t a_stride,
                 const float* b,
                 size_t b_stride,
                 const float* start,
                 size_t start_stride,
                 float* c,
                 size_t c_stride,
                 size_t rows,
                 size_t depth,
                 size_t cols,
                 bool relu);

    /*!
     * \brief gemm() for an a with few values other than zero, which alone are multiplied;
     * a NaN is none of the zeros.
     *
     * \param start cols values, the same for every row
     * \returns false, with c as it was, if more than sparse_part of the values of a are
     * not zero: then gemm() is faster
     */
    bool (*sparse_gemm)(const float* a,
                        size_t a_stride,
                        const float* b,
                        size_t b_stride,
                        const float* start,
                        float* c,
                        size_t c_stride,
                        size_t rows,
                        size_t depth,
                        size_t cols,
                        bool relu);

    /*!
     * \brief c += a b^T: c[i][j] += sum over k of a[i][k] b[j][k].
     *
     * Every value of c is the same whatever the number of rows.
     * \param a     a_rows x depth values, rows a_stride apart
     * \param b     b_rows x depth values, rows b_stride apart
     * \param c     a_rows x b_rows values, rows c_stride apart, changed
     * \param depth a multiple of 16
     */
    void (*add_dot_products)(const float* a,
                             size_t a_stride,
                             const float* b,
                             size_t b_stride,
                             float* c,
                             size_t c_stride,
                             size_t a_rows,
                             size_t b_rows,
                             size_t depth);

    /*!
     * \brief In every row, soft(x, threshold) as in soft_threshold_step(), of which the
     * `keep` entries of largest magnitude stay and the others become zero.
     *
     * Of entries of equal magnitude the first ones stay. A NaN counts as largest.
     * \param x         rows x cols values, rows stride apart, changed
     * \param threshold >= 0, finite
     * \param keep      0: all
     */
    void (*soft_threshold_top)(
        float* x, size_t stride, size_t rows, size_t cols, float threshold, size_t keep);

    /*!
     * \brief One step of an LSTM layer for a block of elements.
     *
     * Errors of the sigmoids and hyperbolic tangents are below 1e-6; they saturate within
     * 1e-6 for any argument, and a NaN stays a NaN.
     * \param x       input, layer.inputs features
     * \param h       hidden state, which is the output, layer.hidden features, changed
     * \param c       cell state, likewise
     * \param scratch work space, likewise
     * \param first   takes the states as zero, whatever they hold
     */
    void (*lstm)(const lstm_weights& layer,
                 const float* x,
                 float* h,
                 float* c,
                 float* scratch,
                 bool first);

    //! u = (1 - b) (x - p gx) + b (y - p gy) - b1 with p = activation(p + output), and so
    //! on, for a block of elements: Csi-L2O eq. (19). Errors as in lstm().
    void (*l2o_update)(const l2o_elements& elements);

    /*!
     * \brief next = u + gamma (v - u); y = next + a (next - x); x = next.
     * \param u, v n values each
     * \param x, y n values each, changed
     */
    void (*l2o_momentum)(const float* u,
                         const float* v,
                         float gamma,
                         float a,
                         float* x,
                         float* y,
                         size_t n);

    //! The same for a block of elements with a, and b2, which is added to y, from the
    //! features 1 and 4 of `heads`.
    void (*l2o_momentum_by_element)(const float* u,
                                    const float* v,
                                    float gamma,
                                    const float* heads,
                                    float* x,
                                    float* y);

    //! out = soft(u, max(scale p, 0)) with a threshold for each of n values.
    void (*soft_threshold_each)(
        const float* u, const float* p, float scale, float* out, size_t n);

    /*!
     * \brief Rows [re, im] of complex values become [im, -re], -j times them.
     * \param x      rows of 2 * half values, stride apart
     * \param out    output, likewise
     */
    void (*quarter_turn)(
        const float* x, size_t half, size_t stride, size_t rows, float* out);

    /*!
     * \brief out = y + scale times the rows [re, im] of
     * re = re(p) - im(q), im = im(p) + re(q): p + j q.
     * \param y      rows of 2 * half values, stride apart, or null: zeros
     * \param p, q   likewise
     * \param out    output, likewise; may be y or p
     */
    void (*add_complex_parts)(const float* y,
                              const float* p,
                              const float* q,
                              float scale,
                              size_t half,
                              size_t stride,
                              size_t rows,
                              float* out);

    /*!
     * \brief Squared distances of the rows of a from a block of samples.
     *
     * From the differences, so that they are accurate where small, and the same for equal
     * rows.
     * \param a     rows x depth values, rows a_stride apart
     * \param x     a block of samples of depth values
     * \param out   output, a block of rows values
     */
    void (*squared_distances)(const float* a,
                              size_t a_stride,
                              size_t rows,
                              const float* x,
                              size_t depth,
                              float* out);

    /*!
     * \brief The k smallest values of every sample, smallest first, the first ones where
     * equal.
     * \param values  a block of rows values, 0 or more. With a NaN the result is any k
     *                numbers of rows.
     * \param rows    k to 2^31 - 1
     * \param index   output, a block of k numbers of rows
     * \param chosen  output, a block of their k values
     * \param scratch work space, a block of k values
     * \param order   likewise
     */
    void (*select_smallest)(const float* values,
                            size_t rows,
                            size_t k,
                            int32_t* index,
                            float* chosen,
                            float* scratch,
                            int32_t* order);

    /*!
     * \brief (a_i - p)' u for chosen rows a_i, or with null for u (a_i - p)'(a_i - p).
     * \param a     rows of depth values, a_stride apart
     * \param index count numbers of rows, weights_block apart
     * \param p, u  depth values each
     * \param depth a multiple of 16
     * \param out   output, count values, weights_block apart
     */
    void (*difference_products)(const float* a,
                                size_t a_stride,
                                const int32_t* index,
                                size_t count,
                                const float* p,
                                const float* u,
                                size_t depth,
                                float* out);

    /*!
     * \brief The weights w with sum one for which w' (R + diag(a)) w is least.
     *
     * R_ij = (x - d_i)'(x - d_j) for the sample x and k landmarks d_i. With the first
     * weight one less the others', z = (V'V + diag(a_1 ...) + a_0 e e')^-1 (V'u + a_0 e)
     * are the others, where V has the columns d_i - d_0 and u = x - d_0; V'V comes from
     * distances between landmarks. Everything is scaled by 2 half.
     * \param between squared distances of all landmarks, rows stride apart
     * \param index   a block of k numbers of landmarks
     * \param half    half the scale of every sample
     * \param ridge   a block of k values a, scaled
     * \param least   what no value of ridge is below, more than 0
     * \param b       a block of k values (d_i - d_0)' u, not scaled
     * \param w       output, a block of k weights
     * \param smallest output, the smallest part of a diagonal entry of every sample's
     *                matrix that is left as a pivot, at most 1; single precision is not
     *                enough much below 1e-4
     * \param scratch local_systems_scratch(k) values
     */
    void (*local_systems)(const float* between,
                          size_t stride,
                          const int32_t* index,
                          size_t k,
                          const float* half,
                          const float* ridge,
                          float least,
                          const float* b,
                          float* w,
                          float* smallest,
                          float* scratch);

    /*!
     * \brief The complex number s' M a of a complex matrix and real vectors.
     * \param m    rows of M, half real and then half imaginary parts each
     * \param half a multiple of 16
     * \param s    rows values
     * \param a    half values
     * \param out  output, real and imaginary part
     */
    void (*bilinear)(const float* m,
                     size_t half,
                     size_t rows,
                     const float* s,
                     const float* a,
                     float* out);

    /*!
     * \brief s_i' M a_j for (i, j) = (0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1).
     * \param s, a three vectors each, otherwise as in bilinear()
     * \param out  output, real and imaginary part of each
     */
    void (*bilinear_jet)(const float* m,
                         size_t half,
                         size_t rows,
                         const float* const* s,
                         const float* const* a,
                         float* out);

    /*!
     * \brief M += s z'.
     * \param s    rows values
     * \param z    cols values
     * \param cols a multiple of 16
     * \param m    rows x cols values, changed
     */
    void (*add_outer)(const float* s, const float* z, size_t rows, size_t cols, float* m);

    /*!
     * \brief t_0 + t_1 x + t_2 x^2 + t_3 x^3 for each of n values, and derivatives.
     * \param t           rows t_0 to t_3, stride apart
     * \param n           a multiple of 16
     * \param value       output
     * \param first       output, the first derivative; or null, as the next one
     * \param half_second output, half the second derivative
     */
    void (*cubics)(const float* t,
                   size_t stride,
                   float x,
                   size_t n,
                   float* value,
                   float* first,
                   float* half_second);

    /*!
     * \brief The largest re^2 + im^2 in each row; 0 for a row with a NaN alone.
     * \param m    rows of half real and then half imaginary parts
     * \param half a multiple of 16
     * \param out  output, rows values
     */
    void (*largest_powers)(const float* m, size_t half, size_t rows, float* out);

    /*!
     * \brief y_ri = sum over k of taps_k x_r(i + k step): filters along rows or columns.
     * \param x        n + (count - 1) step values a row, rows x_stride apart
     * \param taps     count values
     * \param count    at least 1
     * \param step     1 along the rows; of a matrix without gaps its stride: along the
     *                 columns
     * \param n        a multiple of 16
     * \param y        output, n values a row, rows y_stride apart
     */
    void (*fir)(const float* x,
                size_t x_stride,
                const float* taps,
                size_t count,
                size_t step,
                size_t rows,
                size_t n,
                float* y,
                size_t y_stride);

    /*!
     * \brief y_ri += x_ri modulo 2^32.
     * \param n a multiple of 16
     * \param x, y rows of n values, x_stride and y_stride apart
     */
    void (*add_integers)(const uint32_t* x,
                         size_t x_stride,
                         size_t rows,
                         size_t n,
                         uint32_t* y,
                         size_t y_stride);

    /*!
     * \brief z = F(x) of a phase of FISTA-Net: a 3x3 convolution, 1x1, ReLU, 1x1.
     * \param image      margins are zero and stay so
     * \param magnitudes output, the sum of |z| of each of phase_channels
     */
    void (*phase_analysis)(const phase_weights& w,
                           const phase_image& image,
                           float* magnitudes);

    /*!
     * \brief x += F~(soft(z, limits)): 1x1, ReLU, 1x1, a 3x3 convolution; z is overwritten.
     * \param limits   a threshold for each of phase_channels, 0 or more
     * \param x        rows of image.cols real and then as many imaginary parts, x_stride
     *                 apart, changed
     */
    void (*phase_synthesis)(const phase_weights& w,
                            const phase_image& image,
                            const float* limits,
                            float* x,
                            size_t x_stride);
};

/*!
 * \brief Products in bfloat16, which take half the time and half the memory: 8 significant
 * bits, rounded to nearest even; sums are floats. What is smaller than 1e-38 is zero.
 */
struct bf16_table {
    const char* name;

    //! Pairs of neighbours of n values; n is a multiple of 16.
    void (*round_pairs)(const float* x, size_t n, bf16_pair* out);

    //! Pairs (first[i], second[i]) of n values, a multiple of 16; second null: zeros.
    void (*interleave)(const float* first, const float* second, size_t n, bf16_pair* out);

    //! kernel_table::gemm with pairs of a along its rows and pairs of b along its columns:
    //! depth counts pairs, strides of a and b words.
    void (*gemm)(const bf16_pair* a,
                 size_t a_stride,
                 const bf16_pair* b,
                 size_t b_stride,
                 const float* start,
                 size_t start_stride,
                 float* c,
                 size_t c_stride,
                 size_t rows,
                 size_t depth,
                 size_t cols,
                 bool relu);

    //! kernel_table::add_dot_products with pairs along rows: depth counts pairs and is a
    //! multiple of 16, strides of a and b count words.
    void (*add_dot_products)(const bf16_pair* a,
                             size_t a_stride,
                             const bf16_pair* b,
                             size_t b_stride,
                             float* c,
                             size_t c_stride,
                             size_t a_rows,
                             size_t b_rows,
                             size_t depth);

    //! kernel_table::lstm with pairs of features; scratch has layer.hidden features. Errors
    //! of the sigmoids and hyperbolic tangents are below 2e-4.
    void (*lstm)(const lstm_weights_bf16& layer,
                 const bf16_pair* x,
                 bf16_pair* h,
                 float* c,
                 float* scratch,
                 bool first);
};

//! The kernels in bfloat16, or null if this processor has no such instructions.
const bf16_table* bf16_kernels();

//! A value in bfloat16, rounded as the kernels do; a NaN stays a NaN.
uint16_t to_bf16(float x);

//! Two of them.
static inline bf16_pair to_bf16_pair(float first, float second)
{
    return to_bf16(first) | bf16_pair(to_bf16(second)) << 16;
}

//! The fastest kernels that this processor runs.
const kernel_table& kernels();

//! All kernels that this processor runs, the generic ones first.
std::vector<const kernel_table*> supported_kernels();

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_H */
