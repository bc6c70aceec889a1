/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FFT_PLAN_H
#define INCLUDED_CSIFEEDBACK_FFT_PLAN_H

#include <fftw3.h>
#include <complex>

namespace gr {
namespace csifeedback {

//! Whether FFTs of length n are fast: those with prime factors above 13 are several times
//! slower.
bool has_fast_fft(int n);

//! A set of equal complex FFTs, unnormalized, run on any arrays of the layout planned.
class fft_plan
{
public:
    /*!
     * \brief Plans `count` transforms of length n.
     * \param n        length
     * \param count    number of transforms
     * \param istride  distance of the inputs of one transform
     * \param idist    distance of the first inputs of two transforms
     * \param ostride  distance of the outputs of one transform
     * \param odist    distance of the first outputs of two transforms
     * \param sign     FFTW_FORWARD or FFTW_BACKWARD
     * \param in_place whether input and output are the same array
     * \param aligned  whether all arrays are aligned as volk::vector is: far faster
     */
    fft_plan(int n,
             int count,
             int istride,
             int idist,
             int ostride,
             int odist,
             int sign,
             bool in_place = false,
             bool aligned = false);
    /*!
     * \brief Plans `count` transforms of matrices n1 x n2, row-major, one behind the other,
     * from one array to another.
     */
    fft_plan(int n1, int n2, int count, int sign, bool aligned);
    fft_plan(const fft_plan&) = delete;
    fft_plan& operator=(const fft_plan&) = delete;
    ~fft_plan();

    //! Runs the transforms; the input is kept unless it is the output.
    void run(const std::complex<float>* in, std::complex<float>* out) const;

private:
    struct layout {
        int count, istride, idist, ostride, odist;
    };
    fft_plan(
        int rank, const int* n, const layout& l, int sign, bool in_place, bool aligned);

    fftwf_plan d_plan;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_FFT_PLAN_H */
