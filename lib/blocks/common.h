/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_BLOCKS_COMMON_H
#define INCLUDED_CSIFEEDBACK_BLOCKS_COMMON_H

#include "check.h"
#include "feedback/frame_order.h"
#include <gnuradio/block.h>
#include <gnuradio/csifeedback/quantizer.h>
#include <gnuradio/io_signature.h>
#include <gnuradio/thread/thread.h>
#include <pmt/pmt.h>
#include <algorithm>
#include <atomic>
#include <cmath>
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
inline const pmt::pmt_t& tick()
{
    static const pmt::pmt_t symbol = pmt::mp("tick");
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
inline const pmt::pmt_t& report_bits()
{
    static const pmt::pmt_t symbol = pmt::mp("report_bits");
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

//! Whether any other block listens to a message port: without one there is no message to
//! make.
inline bool has_listeners(gr::basic_block& block, const pmt::pmt_t& port)
{
    return pmt::is_pair(block.message_subscribers(port));
}

//! The payload of a PDU as an array of T, or null if it is nothing of the kind.
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

//! Most entries of a dictionary that a block accepts.
constexpr int max_dict_entries = 256;

/*!
 * \brief Whether x is a dictionary that PMT's own functions can handle: a proper list of
 * at most max_dict_entries pairs.
 *
 * pmt::is_dict() looks at the first entry only. Of a dictionary with another end, as a
 * socket can deliver it, pmt::dict_add() and pmt::dict_delete() throw, and both recurse
 * once per entry.
 */
inline bool is_proper_dict(const pmt::pmt_t& x)
{
    pmt::pmt_t rest = x;
    for (int i = 0; i <= max_dict_entries; i++) {
        if (pmt::is_null(rest))
            return true;
        if (!pmt::is_dict(rest) || !pmt::is_pair(pmt::car(rest)))
            return false;
        rest = pmt::cdr(rest);
    }
    return false;
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

//! Largest frame number that a message may have: sums and differences do not wrap.
constexpr uint64_t max_frame_number = uint64_t(1) << 62;

//! Reads a frame number; false if it is none.
inline bool to_frame(const pmt::pmt_t& x, uint64_t& frame)
{
    return to_number(x, frame) && frame <= max_frame_number;
}

//! A real number, or the fallback if it is none.
inline double to_real(const pmt::pmt_t& x, double fallback)
{
    if (pmt::is_uint64(x))
        return pmt::to_uint64(x);
    return pmt::is_real(x) || pmt::is_integer(x) ? pmt::to_double(x) : fallback;
}

//! A real number of a proper dictionary, or the fallback.
inline double get_real(const pmt::pmt_t& dict, const pmt::pmt_t& name, double fallback)
{
    return to_real(pmt::dict_ref(dict, name, pmt::PMT_NIL), fallback);
}

/*!
 * \brief A message from another block or a socket, read as a PDU. Nothing is assumed
 * about its type or content.
 *
 * All blocks read PDUs through this class. It is not valid unless the message is a pair
 * whose first element is a proper dictionary (see is_proper_dict()) or nil; then
 * elements() and frame() find nothing, and metadata() is empty.
 */
class foreign_pdu
{
public:
    explicit foreign_pdu(const pmt::pmt_t& message)
    {
        if (!pmt::is_pair(message) || !is_proper_dict(pmt::car(message)))
            return;
        d_metadata = pmt::car(message);
        d_payload = pmt::cdr(message);
        d_valid = true;
    }

    bool valid() const { return d_valid; }
    //! A proper dictionary.
    const pmt::pmt_t& metadata() const { return d_metadata; }
    //! Anything.
    const pmt::pmt_t& payload() const { return d_payload; }

    //! The payload as an array of n values of T, or null if it is not a vector of T.
    template <typename T>
    const T* elements(size_t& n) const
    {
        n = 0;
        return csifeedback::elements(d_payload, n, static_cast<const T*>(nullptr));
    }
    //! A whole number >= 0 of the metadata; false if it is missing or no such number.
    bool number(const pmt::pmt_t& name, uint64_t& value) const
    {
        return to_number(pmt::dict_ref(d_metadata, name, pmt::PMT_NIL), value);
    }
    //! The frame number, key `frame`; false if it is missing or above max_frame_number.
    bool frame(uint64_t& value) const
    {
        return to_frame(pmt::dict_ref(d_metadata, key::frame(), pmt::PMT_NIL), value);
    }
    //! A real number of the metadata, or the fallback.
    double real(const pmt::pmt_t& name, double fallback) const
    {
        return get_real(d_metadata, name, fallback);
    }

private:
    bool d_valid = false;
    pmt::pmt_t d_metadata = pmt::PMT_NIL;
    pmt::pmt_t d_payload = pmt::PMT_NIL;
};

//! The frame number that a message stands for: a number, or the key `frame` of a PDU.
inline bool number_of(const pmt::pmt_t& message, uint64_t& frame)
{
    return to_frame(message, frame) || foreign_pdu(message).frame(frame);
}

/*!
 * \brief The number nearest to a known one that ends in the same 16 bits as `frame`.
 *
 * Feedback frames carry 16 bits of the frame number, so a number that came over the link
 * stands for every number that ends in them.
 */
inline uint64_t nearest_frame(uint64_t frame, uint64_t known)
{
    return nearest_number(frame, known, 16);
}

//! Whether all magnitudes are at most a limit, and no value is NaN.
inline bool all_bounded(const float* x, size_t n, float limit)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += !(std::abs(x[i]) <= limit);
    return !bad;
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

/*!
 * \brief Registers a message input port of a block with its handler.
 *
 * An exception of the handler is logged, once per burst, and ends there: GNU Radio would
 * end the flowgraph. (An interrupted thread is no std::exception and ends as it should.)
 * \param block   the block; call this in its constructor
 * \param logger  its d_logger
 * \param port    name of the port
 * \param handler void(const pmt::pmt_t&)
 */
template <typename T>
void add_message_input(gr::basic_block& block,
                       const gr::logger_ptr& logger,
                       const pmt::pmt_t& port,
                       T handler)
{
    block.message_port_register_in(port);
    block.set_msg_handler(port,
                          [handler, logger, failed = std::make_shared<burst_counter>()](
                              const pmt::pmt_t& message) mutable {
                              try {
                                  handler(message);
                                  failed->good();
                              } catch (const std::exception& error) {
                                  if (failed->bad())
                                      logger->error("discarding a message: {:s}",
                                                    error.what());
                              }
                          });
}

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
