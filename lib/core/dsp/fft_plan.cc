/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "dsp/fft_plan.h"
#include <array>
#include <cstdlib>
#include <mutex>
#include <new>

namespace gr {
namespace csifeedback {

bool has_fast_fft(int n)
{
    for (const int prime : { 2, 3, 5, 7, 11, 13 })
        while (n % prime == 0)
            n /= prime;
    return n == 1;
}

fft_plan::fft_plan(int n,
                   int count,
                   int istride,
                   int idist,
                   int ostride,
                   int odist,
                   int sign,
                   bool in_place,
                   bool aligned)
    : fft_plan(1, &n, { count, istride, idist, ostride, odist }, sign, in_place, aligned)
{
}

fft_plan::fft_plan(int n1, int n2, int count, int sign, bool aligned)
    : fft_plan(2,
               std::array<int, 2>{ n1, n2 }.data(),
               { count, 1, n1 * n2, 1, n1 * n2 },
               sign,
               false,
               aligned)
{
}

fft_plan::fft_plan(
    int rank, const int* n, const layout& l, int sign, bool in_place, bool aligned)
{
    // FFTW's planner is shared by the whole process, GNU Radio's plans included.
    static std::once_flag once;
    std::call_once(once, [] { fftwf_make_planner_thread_safe(); });
    // FFTW_ESTIMATE does not touch the arrays; FFTW_UNALIGNED lets the plan run on any,
    // without SIMD. Planning must be cheap: objects are made at every edit in GRC.
    alignas(64) fftwf_complex dummy[16];
    d_plan = fftwf_plan_many_dft(rank,
                                 n,
                                 l.count,
                                 dummy,
                                 nullptr,
                                 l.istride,
                                 l.idist,
                                 in_place ? dummy : dummy + 8,
                                 nullptr,
                                 l.ostride,
                                 l.odist,
                                 sign,
                                 FFTW_ESTIMATE | FFTW_PRESERVE_INPUT |
                                     (aligned ? 0u : FFTW_UNALIGNED));
    if (!d_plan)
        throw std::bad_alloc();
}

fft_plan::~fft_plan() { fftwf_destroy_plan(d_plan); }

void fft_plan::run(const std::complex<float>* in, std::complex<float>* out) const
{
    fftwf_execute_dft(
        d_plan,
        reinterpret_cast<fftwf_complex*>(const_cast<std::complex<float>*>(in)),
        reinterpret_cast<fftwf_complex*>(out));
}

} // namespace csifeedback
} // namespace gr
