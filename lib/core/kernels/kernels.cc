/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "kernels/kernels.h"
#include <cstring>

namespace gr {
namespace csifeedback {

extern const kernel_table kernels_generic;
#ifdef CSIFEEDBACK_HAVE_AVX
extern const kernel_table kernels_avx2;
extern const kernel_table kernels_avx512;
#endif
#ifdef CSIFEEDBACK_HAVE_BF16
extern const bf16_table kernels_avx512_bf16;
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

const bf16_table* bf16_kernels()
{
#ifdef CSIFEEDBACK_HAVE_BF16
    static const bool supported =
        &kernels() == &kernels_avx512 && __builtin_cpu_supports("avx512bf16");
    return supported ? &kernels_avx512_bf16 : nullptr;
#else
    return nullptr;
#endif
}

uint16_t to_bf16(float x)
{
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7fffffff) > 0x7f800000)
        return bits >> 16 | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

} // namespace csifeedback
} // namespace gr
