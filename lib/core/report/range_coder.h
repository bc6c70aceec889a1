/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_RANGE_CODER_H
#define INCLUDED_CSIFEEDBACK_RANGE_CODER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

/*!
 * \brief Entropy coding of symbols with integer frequencies (Martin, 1979).
 *
 * All arithmetic is on integers, so the bits are the same on every machine. A symbol
 * takes the part [begin, begin + count) of [0, total); total is 1 to
 * range_coder::max_total. The code is a binary fraction: zeros at its end are not sent,
 * and the decoder reads zeros beyond the bits that it has.
 *
 * An encoder is a small value: a copy is a checkpoint, and assigning it goes back there.
 * Nothing is allocated.
 */
struct range_coder {
    //! Largest sum of frequencies.
    static constexpr uint32_t max_total = 1u << 16;
    //! Largest number of equally likely values.
    static constexpr uint32_t max_values = 1u << 31;
    //! How many low bits of a value with so many possible ones are coded by themselves.
    static int low_bits(uint32_t values);
    //! The range is at least this large before each symbol.
    static constexpr uint32_t min_range = 1u << 24;

    /*!
     * \brief Bits of a code that ends in an interval.
     * \param low   its lower end, below `bytes` bytes that are shifted out, and a carry
     * \param range its length, >= 1
     * \param bytes shifted out
     * \param value output, the code's last 32 bits, and a carry; may be null
     */
    static int bits(uint64_t low, uint32_t range, uint32_t bytes, uint64_t* value);
    //! The same after one more symbol.
    static int bits_after(uint64_t low,
                          uint32_t range,
                          uint32_t bytes,
                          uint32_t begin,
                          uint32_t count,
                          uint32_t total);
};

//! The writing half.
class range_encoder
{
public:
    /*!
     * \brief Starts an empty code.
     * \param out   where finish() and encode() write, or null: only bits() is wanted
     * \param bytes size of `out`; bytes beyond it are counted, but not written
     */
    explicit range_encoder(uint8_t* out = nullptr, size_t bytes = 0)
        : d_out(out), d_capacity(out ? bytes : 0)
    {
    }

    //! Adds a symbol: count >= 1, begin + count <= total <= range_coder::max_total.
    void encode(uint32_t begin, uint32_t count, uint32_t total)
    {
        const uint32_t unit = d_range / total;
        d_low += uint64_t(unit) * begin;
        // The last symbol has what the division leaves over.
        d_range = begin + count == total ? d_range - unit * begin : unit * count;
        while (d_range < range_coder::min_range) {
            shift();
            d_range <<= 8;
        }
    }
    //! Adds one of `values` equally likely values, 0 to values - 1; values is 1 to
    //! range_coder::max_values.
    void encode_uniform(uint32_t value, uint32_t values);

    //! Bits of the code if it ended here, >= 0: what finish() would return, and at most
    //! 2 more than the ideal code length of the symbols but for rounding.
    int bits() const { return range_coder::bits(d_low, d_range, d_bytes, nullptr); }
    //! What bits() would be after encode().
    int bits_after(uint32_t begin, uint32_t count, uint32_t total) const
    {
        return range_coder::bits_after(d_low, d_range, d_bytes, begin, count, total);
    }
    //! Writes the end. The last byte is filled with zeros. Returns bits().
    int finish();

private:
    // Bits below the bytes that were shifted out, and a carry.
    uint64_t d_low = 0;
    uint32_t d_range = 0xffffffff;
    // The last byte that may still change by a carry, and how many bytes 0xff follow it.
    uint8_t d_last = 0;
    uint32_t d_pending = 0;
    uint32_t d_bytes = 0; // shifted out, all of them
    uint8_t* d_out;
    size_t d_capacity;

    void put(size_t index, uint8_t byte)
    {
        if (index < d_capacity)
            d_out[index] = byte;
    }
    void shift();
};

//! The reading half. Any bits decode to symbols, in bounded time for each.
class range_decoder
{
public:
    /*!
     * \param bits  (count + 7) / 8 bytes, which must live as long as the decoder
     * \param count number of bits, >= 0; zeros follow
     */
    range_decoder(const uint8_t* bits, int count);

    //! Value of the next symbol: begin to begin + count - 1 of one of them.
    uint32_t peek(uint32_t total)
    {
        d_unit = d_range / total;
        const uint32_t value = d_code / d_unit;
        return value < total ? value : total - 1;
    }
    //! Takes the symbol that contains what peek() returned, with the same total.
    void take(uint32_t begin, uint32_t count, uint32_t total)
    {
        d_code -= d_unit * begin;
        d_low += uint64_t(d_unit) * begin;
        d_range = begin + count == total ? d_range - d_unit * begin : d_unit * count;
        while (d_range < range_coder::min_range) {
            d_code = d_code << 8 | next();
            d_low = (d_low & 0x00ffffff) << 8;
            d_range <<= 8;
        }
    }
    //! What the encoder's bits() and bits_after() are here.
    int bits() const { return range_coder::bits(d_low, d_range, d_bytes - 4, nullptr); }
    int bits_after(uint32_t begin, uint32_t count, uint32_t total) const
    {
        return range_coder::bits_after(d_low, d_range, d_bytes - 4, begin, count, total);
    }
    //! The next of so many equally likely values.
    uint32_t decode_uniform(uint32_t values);

    //! Whether symbols were read of which no bit was sent: the encoder never goes there.
    bool is_beyond() const { return d_bytes > d_end + 4; }

private:
    uint32_t d_code = 0, d_range = 0xffffffff, d_unit = 1;
    uint64_t d_low = 0; // as the encoder's
    const uint8_t* const d_bits;
    const size_t d_end; // bytes, the last one maybe in part
    const uint8_t d_mask;
    size_t d_bytes = 0; // read, those beyond the end too

    uint8_t next()
    {
        const size_t i = d_bytes++;
        return i + 1 < d_end ? d_bits[i] : i + 1 == d_end ? d_bits[i] & d_mask : 0;
    }
};

/*!
 * \brief Frequencies of the symbols of one alphabet.
 */
class frequency_table
{
public:
    frequency_table() = default;
    /*!
     * \brief Takes frequencies from a model file.
     * \param where for the error, for example the array's name
     * \param count frequencies: whole numbers of 1 and more, of a sum up to
     *              range_coder::max_total
     * \param size  number of symbols, >= 1
     * \throws std::invalid_argument if they are not
     */
    frequency_table(const std::string& where, const float* count, size_t size);

    size_t size() const { return d_begin.size() - 1; }
    uint32_t total() const { return d_begin.back(); }
    uint32_t count(size_t symbol) const { return d_begin[symbol + 1] - d_begin[symbol]; }

    void encode(range_encoder& coder, size_t symbol) const
    {
        coder.encode(d_begin[symbol], count(symbol), total());
    }
    size_t decode(range_decoder& coder) const;

private:
    std::vector<uint32_t> d_begin{ 0 };
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_RANGE_CODER_H */
