/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "report/range_coder.h"
#include <algorithm>
#include <cmath>

namespace gr {
namespace csifeedback {

int range_coder::low_bits(uint32_t values)
{
    // The first part has 2^15 values and more, so that rounding their number up costs
    // nothing.
    int bits = 0;
    while ((values - 1) >> bits >= max_total)
        bits++;
    return bits;
}

int range_coder::bits(uint64_t low, uint32_t range, uint32_t bytes, uint64_t* value)
{
    // Of the values in the interval the one with most zeros at its end.
    const uint64_t last = low + range - 1;
    int zeros = 32;
    uint64_t shortest = 0;
    for (;; zeros--) {
        const uint64_t step = uint64_t(1) << zeros;
        shortest = (low + step - 1) & ~(step - 1);
        if (shortest <= last)
            break;
    }
    if (value)
        *value = shortest;
    return 8 * bytes + 32 - zeros;
}

int range_coder::bits_after(uint64_t low,
                            uint32_t range,
                            uint32_t bytes,
                            uint32_t begin,
                            uint32_t count,
                            uint32_t total)
{
    const uint32_t unit = range / total;
    low += uint64_t(unit) * begin;
    range = begin + count == total ? range - unit * begin : unit * count;
    while (range < min_range) {
        low = (low & 0x00ffffff) << 8;
        range <<= 8;
        bytes++;
    }
    return bits(low, range, bytes, nullptr);
}

void range_encoder::encode_uniform(uint32_t value, uint32_t values)
{
    const int low = range_coder::low_bits(values);
    encode(value >> low, 1, ((values - 1) >> low) + 1);
    if (low)
        encode(value & ((1u << low) - 1), 1, 1u << low);
}

void range_encoder::shift()
{
    if (uint32_t(d_low) < 0xff000000u || d_low >> 32) {
        const uint8_t carry = d_low >> 32;
        size_t at = d_bytes - d_pending;
        // The first of all bytes may wait, too; then there is no byte before it.
        if (at)
            put(at - 1, d_last + carry);
        for (; d_pending; d_pending--)
            put(at++, 0xff + carry);
        d_last = d_low >> 24;
    } else {
        d_pending++;
    }
    d_bytes++;
    d_low = (d_low & 0x00ffffff) << 8;
}

int range_encoder::finish()
{
    const int result = range_coder::bits(d_low, d_range, d_bytes, &d_low);
    d_range = 1;
    // All bytes that have a one, and with them whatever waits for a carry.
    for (int i = 0; i < 5; i++)
        shift();
    return result;
}

range_decoder::range_decoder(const uint8_t* bits, int count)
    : d_bits(bits),
      d_end((size_t(count) + 7) / 8),
      d_mask(count % 8 ? 0xff << (8 - count % 8) : 0xff)
{
    for (int i = 0; i < 4; i++)
        d_code = d_code << 8 | next();
}

uint32_t range_decoder::decode_uniform(uint32_t values)
{
    const int low = range_coder::low_bits(values);
    const uint32_t total = ((values - 1) >> low) + 1;
    uint32_t value = peek(total);
    take(value, 1, total);
    if (low) {
        const uint32_t rest = peek(1u << low);
        take(rest, 1, 1u << low);
        // Of the last of the first part not all values exist.
        value = std::min(value << low | rest, values - 1);
    }
    return value;
}

frequency_table::frequency_table(const std::string& where,
                                 const float* count,
                                 size_t size)
{
    d_begin.reserve(size + 1);
    for (size_t i = 0; i < size; i++) {
        const float most = range_coder::max_total - float(d_begin.back());
        if (!(count[i] >= 1 && count[i] <= most && std::floor(count[i]) == count[i]))
            throw_bad(where.c_str(),
                      "frequency",
                      count[i],
                      "a whole number from 1 on, and a sum of at most 65536");
        d_begin.push_back(d_begin.back() + uint32_t(count[i]));
    }
}

size_t frequency_table::decode(range_decoder& coder) const
{
    const uint32_t value = coder.peek(total());
    const size_t symbol =
        std::upper_bound(d_begin.begin(), d_begin.end(), value) - d_begin.begin() - 1;
    coder.take(d_begin[symbol], count(symbol), total());
    return symbol;
}

} // namespace csifeedback
} // namespace gr
