/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"

namespace gr {
namespace csifeedback {

extern const kernel_table kernels_generic;
#ifdef CSIFEEDBACK_HAVE_AVX
extern const kernel_table kernels_avx2;
extern const kernel_table kernels_avx512;
#endif

std::vector<const kernel_table*> supported_kernels()
{
    std::vector<const kernel_table*> tables{ &kernels_generic };
#ifdef CSIFEEDBACK_HAVE_AVX
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        tables.push_back(&kernels_avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("fma"))
        tables.push_back(&kernels_avx512);
#endif
    return tables;
}

const kernel_table& kernels()
{
    static const kernel_table* const fastest = supported_kernels().back();
    return *fastest;
}

} // namespace csifeedback
} // namespace gr
