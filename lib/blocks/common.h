/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BLOCKS_COMMON_H
#define INCLUDED_CSIFEEDBACK_BLOCKS_COMMON_H

#include "check.h"
#include <gnuradio/block.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/io_signature.h>
#include <gnuradio/thread/thread.h>
#include <pmt/pmt.h>
#include <algorithm>
#include <atomic>
#include <complex>
#include <cstdint>
#include <memory>
#include <vector>

namespace gr {
namespace csifeedback {

// Names of message ports, tags and PDU keys, as the manual lists them.
namespace key {
inline const pmt::pmt_t& pdus()
{
    static const pmt::pmt_t symbol = pmt::mp("pdus");
    return symbol;
}
inline const pmt::pmt_t& frame()
{
    static const pmt::pmt_t symbol = pmt::mp("frame");
    return symbol;
}
inline const pmt::pmt_t& gain_db()
{
    static const pmt::pmt_t symbol = pmt::mp("gain_db");
    return symbol;
}
inline const pmt::pmt_t& residual_energy_db()
{
    static const pmt::pmt_t symbol = pmt::mp("residual_energy_db");
    return symbol;
}
inline const pmt::pmt_t& age()
{
    static const pmt::pmt_t symbol = pmt::mp("age");
    return symbol;
}
inline const pmt::pmt_t& frame_bits()
{
    static const pmt::pmt_t symbol = pmt::mp("frame_bits");
    return symbol;
}
inline const pmt::pmt_t& ue_id()
{
    static const pmt::pmt_t symbol = pmt::mp("ue_id");
    return symbol;
}
inline const pmt::pmt_t& quantizer()
{
    static const pmt::pmt_t symbol = pmt::mp("quantizer");
    return symbol;
}
} // namespace key

/*!
 * \brief Makes room for many items in a block's output buffers, 2 MiB each.
 *
 * GNU Radio's default of 64 KiB holds eight matrices of 32 x 32, and to wake the
 * neighbours for every few of them takes about as long as to encode them.
 */
inline void enlarge_output_buffers(gr::block& block)
{
    constexpr int bytes = 1 << 21;
    const gr::io_signature::sptr signature = block.output_signature();
    for (int port = 0; port < signature->max_streams(); port++)
        block.set_min_output_buffer(
            port, std::max(1, bytes / signature->sizeof_stream_item(port)));
}

//! Throws if a shared pointer handed to make() is null (Python's None).
template <typename T>
const std::shared_ptr<T>&
not_null(const char* where, const char* name, const std::shared_ptr<T>& pointer)
{
    if (!pointer)
        throw std::invalid_argument(std::string(where) + ": " + name + " is null");
    return pointer;
}

//! The payload of a PDU as an array of T, or null if the message is nothing of the kind.
inline const int16_t* elements(const pmt::pmt_t& v, size_t& n, const int16_t*)
{
    return pmt::is_s16vector(v) ? pmt::s16vector_elements(v, n) : nullptr;
}
inline const uint8_t* elements(const pmt::pmt_t& v, size_t& n, const uint8_t*)
{
    return pmt::is_u8vector(v) ? pmt::u8vector_elements(v, n) : nullptr;
}
inline const float* elements(const pmt::pmt_t& v, size_t& n, const float*)
{
    return pmt::is_f32vector(v) ? pmt::f32vector_elements(v, n) : nullptr;
}
inline const gr_complex* elements(const pmt::pmt_t& v, size_t& n, const gr_complex*)
{
    return pmt::is_c32vector(v) ? pmt::c32vector_elements(v, n) : nullptr;
}
template <typename T>
const T* pdu_elements(const pmt::pmt_t& message, size_t& n)
{
    n = 0;
    return pmt::is_pair(message)
               ? elements(pmt::cdr(message), n, static_cast<const T*>(nullptr))
               : nullptr;
}

//! The metadata of a PDU as a dictionary, empty if it has none.
inline pmt::pmt_t pdu_metadata(const pmt::pmt_t& message)
{
    const pmt::pmt_t metadata = pmt::car(message);
    return pmt::is_dict(metadata) ? metadata : pmt::make_dict();
}

//! Reads a whole number >= 0; false if it is none.
inline bool to_number(const pmt::pmt_t& x, uint64_t& value)
{
    if (pmt::is_uint64(x))
        value = pmt::to_uint64(x);
    else if (pmt::is_integer(x) && pmt::to_long(x) >= 0)
        value = pmt::to_long(x);
    else
        return false;
    return true;
}

//! A whole number of the metadata; false if it is missing or no such number.
inline bool
get_number(const pmt::pmt_t& metadata, const pmt::pmt_t& name, uint64_t& value)
{
    return to_number(pmt::dict_ref(metadata, name, pmt::PMT_NIL), value);
}

//! A real number, or the fallback if it is none.
inline double to_real(const pmt::pmt_t& x, double fallback)
{
    if (pmt::is_uint64(x))
        return pmt::to_uint64(x);
    return pmt::is_real(x) || pmt::is_integer(x) ? pmt::to_double(x) : fallback;
}

//! A real number of the metadata, or the fallback.
inline double
get_real(const pmt::pmt_t& metadata, const pmt::pmt_t& name, double fallback)
{
    return to_real(pmt::dict_ref(metadata, name, pmt::PMT_NIL), fallback);
}

//! The frame number that a message stands for: a number, or the key `frame` of a PDU.
inline bool number_of(const pmt::pmt_t& message, uint64_t& frame)
{
    if (pmt::is_pair(message) && pmt::is_dict(pmt::car(message)))
        return get_number(pmt::car(message), key::frame(), frame);
    return to_number(message, frame);
}

/*!
 * \brief The number nearest to a known one that ends in the same 16 bits as `frame`.
 *
 * Feedback frames carry 16 bits of the frame number, so a number that came over the link
 * stands for every number that ends in them.
 */
inline uint64_t nearest_frame(uint64_t frame, uint64_t known)
{
    const int16_t step = uint16_t(frame) - uint16_t(known);
    return step < 0 && known < uint64_t(-step) ? frame & 0xffff : known + step;
}

inline bool all_finite(const float* x, size_t n)
{
    // x - x is NaN for a NaN or an infinity, and 0 otherwise.
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] - x[i];
    return sum == 0;
}

//! Counts bad events and says when to log one: the first of a burst, which ends with 100
//! good ones in a row.
class burst_counter
{
public:
    //! Counts a bad event; true if it begins a burst.
    bool bad()
    {
        d_count++;
        const bool first = d_good_left == 0;
        d_good_left = 100;
        return first;
    }
    void good() { d_good_left -= d_good_left > 0; }
    uint64_t count() const { return d_count; }

private:
    // Read by other threads, written by the block's own.
    std::atomic<uint64_t> d_count{ 0 };
    int d_good_left = 0; // until the burst is over
};

//! Tells the quantizers of a model apart, as tag and PDU key beside their level numbers.
inline uint64_t quantizer_label(const quantizer& q)
{
    return uint64_t(q.type_id()) << 16 | (q.bits() & 0xffff);
}

//! The quantizer of a block, which another thread may exchange for one of the same size.
class quantizer_slot
{
public:
    quantizer_slot(const char* where, quantizer::sptr quantizer)
        : d_where(where), d_quantizer(quantizer)
    {
    }
    quantizer::sptr get() const
    {
        gr::thread::scoped_lock lock(d_mutex);
        return d_quantizer;
    }
    void set(quantizer::sptr quantizer)
    {
        not_null(d_where, "quantizer", quantizer);
        gr::thread::scoped_lock lock(d_mutex);
        const int size = d_quantizer->code_size();
        check_range(
            d_where, "code_size of the quantizer", quantizer->code_size(), size, size);
        d_quantizer = quantizer;
    }

private:
    const char* const d_where;
    mutable gr::thread::mutex d_mutex;
    quantizer::sptr d_quantizer;
};

/*!
 * \brief Frame numbers of the items of a stream: the tag `frame` sets the number, items
 * without a tag count on from it.
 */
class frame_numbering
{
public:
    //! Reads the tags of items [first, first + count) of the block's input 0.
    template <typename get_tags> // void(std::vector<tag_t>&)
    void update(get_tags&& read)
    {
        d_tags.clear();
        read(d_tags);
        d_next_tag = 0;
    }
    //! The frame number of the item at this absolute offset; offsets must not decrease.
    uint64_t at(uint64_t offset)
    {
        for (; d_next_tag < d_tags.size() && d_tags[d_next_tag].offset <= offset;
             d_next_tag++) {
            const tag_t& tag = d_tags[d_next_tag];
            if (to_number(tag.value, d_number))
                d_offset = tag.offset;
        }
        return d_number + (offset - d_offset);
    }

private:
    std::vector<tag_t> d_tags;
    size_t d_next_tag = 0;
    uint64_t d_offset = 0; // item of the last tag
    uint64_t d_number = 0; // and its number
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_BLOCKS_COMMON_H */
