/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_KERNELS_REGISTERS_H
#define INCLUDED_CSIFEEDBACK_KERNELS_REGISTERS_H

// A register of floats in the compiler's vector extensions, for the kernels. Included,
// by way of kernels_impl.h, by one source file per instruction set, each compiled with
// its own flags (lib/CMakeLists.txt) and its own CSIFEEDBACK_LANES, the floats in a
// register. Nothing in these headers may have external linkage or be an inline function
// of another header, or the linker could keep the copy that only newer processors run.

#include "kernels/kernels.h"
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define RESTRICT __restrict__
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, int_vec{ __VA_ARGS__ })
#endif

namespace {

constexpr size_t lanes = CSIFEEDBACK_LANES;
typedef float vec __attribute__((vector_size(4 * CSIFEEDBACK_LANES)));
typedef int int_vec __attribute__((vector_size(4 * CSIFEEDBACK_LANES)));
typedef float unaligned_vec
    __attribute__((vector_size(4 * CSIFEEDBACK_LANES), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const unaligned_vec*>(p); }
// For a value that is used twice: the compiler would load it for each use instead.
inline vec load_once(const float* p)
{
    vec v = load(p);
#if defined(__AVX512F__)
    asm("" : "+v"(v));
#elif defined(__x86_64__)
    asm("" : "+x"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#endif
    return v;
}
inline void store(float* p, vec v) { *reinterpret_cast<unaligned_vec*>(p) = v; }

// Sums of neighbours: those of a in the lower half of each 128 bits, then those of b.
inline vec add_pairs(vec a, vec b)
{
#if CSIFEEDBACK_LANES == 16
    return SHUFFLE(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
           SHUFFLE(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
#elif CSIFEEDBACK_LANES == 8
    return SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
           SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
#else
    return SHUFFLE(a, b, 0, 2, 4, 6) + SHUFFLE(a, b, 1, 3, 5, 7);
#endif
}

// sum[0] to sum[3] are the sums over a, b, c and d.
inline void sums(vec a, vec b, vec c, vec d, float* sum)
{
    vec s = add_pairs(add_pairs(a, b), add_pairs(c, d));
#if CSIFEEDBACK_LANES == 16
    s += SHUFFLE(s, s, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    s += SHUFFLE(s, s, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
#elif CSIFEEDBACK_LANES == 8
    s += SHUFFLE(s, s, 4, 5, 6, 7, 4, 5, 6, 7);
#endif
    for (int i = 0; i < 4; i++)
        sum[i] = s[i];
}

// y[i] and z[i] += the sums over the i-th of the first and of the last four.
inline void add_sums(
    vec y0, vec y1, vec y2, vec y3, vec z0, vec z1, vec z2, vec z3, float* y, float* z)
{
    vec a = add_pairs(add_pairs(y0, y1), add_pairs(y2, y3));
    vec b = add_pairs(add_pairs(z0, z1), add_pairs(z2, z3));
#if CSIFEEDBACK_LANES == 16
    a = SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
        SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    a += SHUFFLE(a, a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    constexpr int first_of_b = 8;
#elif CSIFEEDBACK_LANES == 8
    a = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
        SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    constexpr int first_of_b = 4;
#endif
#if CSIFEEDBACK_LANES == 4
    for (int i = 0; i < 4; i++) {
        y[i] += a[i];
        z[i] += b[i];
    }
#else
    for (int i = 0; i < 4; i++) {
        y[i] += a[i];
        z[i] += a[first_of_b + i];
    }
#endif
}

// The bits of floats: magnitudes are ordered as these are.
constexpr int magnitude = 0x7fffffff;

inline int_vec load_bits(const float* p)
{
    const vec v = load(p);
    return (int_vec)v;
}

inline int scalar_magnitude(float x)
{
    int bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits & magnitude;
}

} // namespace

#endif /* INCLUDED_CSIFEEDBACK_KERNELS_REGISTERS_H */
