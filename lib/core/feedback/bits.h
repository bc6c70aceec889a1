/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BITS_H
#define INCLUDED_CSIFEEDBACK_BITS_H

#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

// Strings of bits in bytes, most significant bit first.

//! Reads n <= 32 bits from bit `at` on.
inline uint32_t read_bits(const uint8_t* bytes, size_t at, int n)
{
    uint64_t x = 0;
    const size_t end = at + n;
    for (size_t byte = at / 8; 8 * byte < end; byte++)
        x = x << 8 | bytes[byte];
    x >>= (8 - end % 8) % 8;
    return uint32_t(x & ((uint64_t(1) << n) - 1));
}

//! Writes the last n <= 32 bits of x from bit `at` on; other bits stay as they are.
inline void write_bits(uint8_t* bytes, size_t at, uint32_t x, int n)
{
    while (n > 0) {
        const int used = at % 8, here = n < 8 - used ? n : 8 - used;
        const int shift = 8 - used - here;
        const uint32_t mask = ((1u << here) - 1) << shift;
        bytes[at / 8] = (bytes[at / 8] & ~mask) | ((x >> (n - here) << shift) & mask);
        at += here;
        n -= here;
    }
}

//! Copies n bits from bit `from_at` of one string to bit `at` of another.
inline void
copy_bits(uint8_t* to, size_t at, const uint8_t* from, size_t from_at, size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        const int here = n - i < 32 ? n - i : 32;
        write_bits(to, at + i, read_bits(from, from_at + i, here), here);
    }
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BITS_H */
