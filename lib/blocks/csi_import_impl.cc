/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_import.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace gr {
namespace csifeedback {

namespace {

//! Some of the values of a vector: a list of parts as Python's slices, "6:32,33:59".
class selection
{
public:
    //! std::invalid_argument if the text is none
    selection(const char* where, const std::string& text)
    {
        if (text.empty())
            return;
        size_t begin = 0;
        while (begin <= text.size()) {
            const size_t end = std::min(text.find(',', begin), text.size());
            if (!add(text.substr(begin, end - begin)))
                throw std::invalid_argument(
                    std::string(where) + ": carriers is " + text +
                    ", allowed are parts such as 6:32 or 7 with commas between them");
            begin = end + 1;
        }
    }

    bool empty() const { return d_parts.empty(); }

    /*!
     * \brief Numbers of the values that are taken of n, each at most once.
     * \param indices result, of which only the first count is looked at
     * \return whether they are `count` numbers below n
     */
    bool resolve(size_t n, size_t count, std::vector<size_t>& indices) const
    {
        indices.clear();
        const long size = static_cast<long>(n);
        for (const part& p : d_parts) {
            if (!p.is_slice) {
                const long at = *p.begin < 0 ? *p.begin + size : *p.begin;
                if (at < 0 || at >= size || indices.size() == count)
                    return false;
                indices.push_back(at);
                continue;
            }
            const long first = bound(p.begin, p.step > 0 ? 0 : size - 1, p.step, size);
            const long last = bound(p.end, p.step > 0 ? size : -1, p.step, size);
            for (long at = first; p.step > 0 ? at < last : at > last; at += p.step) {
                if (indices.size() == count)
                    return false;
                indices.push_back(at);
            }
        }
        return indices.size() == count && all_differ(indices);
    }

private:
    struct part {
        std::optional<long> begin, end;
        long step = 1;
        bool is_slice = false;
    };

    //! A bound of a slice, as in Python.
    static long
    bound(const std::optional<long>& value, long otherwise, long step, long size)
    {
        if (!value)
            return otherwise;
        const long at = *value < 0 ? *value + size : *value;
        return step > 0 ? std::clamp(at, 0L, size) : std::clamp(at, -1L, size - 1);
    }

    static bool all_differ(std::vector<size_t> indices)
    {
        std::sort(indices.begin(), indices.end());
        return std::adjacent_find(indices.begin(), indices.end()) == indices.end();
    }

    bool add(const std::string& text)
    {
        constexpr long most = 1L << 24;
        part p;
        std::optional<long> values[3];
        size_t begin = 0, i = 0;
        for (;; i++) {
            const size_t end = std::min(text.find(':', begin), text.size());
            if (i == 3)
                return false;
            const char *first = text.data() + begin, *last = text.data() + end;
            if (first != last) {
                long value = 0;
                const auto [stop, error] = std::from_chars(first, last, value);
                if (error != std::errc() || stop != last || std::abs(value) > most)
                    return false;
                values[i] = value;
            }
            if (end == text.size())
                break;
            begin = end + 1;
        }
        p.is_slice = i > 0;
        p.begin = values[0];
        p.end = values[1];
        p.step = values[2].value_or(1);
        if (p.step == 0 || (!p.is_slice && !p.begin))
            return false;
        d_parts.push_back(p);
        return true;
    }

    std::vector<part> d_parts;
};

class csi_import_impl : public csi_import
{
public:
    csi_import_impl(int nc, int item_size, const selection& carriers, bool fft_order)
        : gr::block("csi_import",
                    gr::io_signature::make(0, 1, item_size),
                    gr::io_signature::make(0, 0, 0)),
          d_nc(nc),
          d_carriers(carriers),
          d_fft_order(fft_order)
    {
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t imported() const override { return d_imported; }
    uint64_t discarded() const override { return d_discarded.count(); }

    int general_work(int,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star&) override
    {
        if (input_items.empty())
            return 0;
        const uint64_t first = nitems_read(0);
        d_tags.clear();
        get_tags_in_range(d_tags, 0, first, first + ninput_items[0], d_taps);
        for (const tag_t& tag : d_tags)
            import(tag.value, pmt::make_dict());
        consume(0, ninput_items[0]);
        return 0;
    }

private:
    void handle(const pmt::pmt_t& message)
    {
        const foreign_pdu pdu(message);
        if (pmt::dict_has_key(pdu.metadata(), d_csi))
            import(pmt::dict_ref(pdu.metadata(), d_csi, pmt::PMT_NIL),
                   pmt::dict_delete(pdu.metadata(), d_csi));
        else
            import(pdu.payload(), pdu.metadata());
    }

    void import(const pmt::pmt_t& vector, pmt::pmt_t metadata)
    {
        size_t n = 0;
        const gr_complex* csi = elements(vector, n, static_cast<gr_complex*>(nullptr));
        if (!csi || n < d_nc || !all_finite(reinterpret_cast<const float*>(csi), 2 * n)) {
            if (d_discarded.bad())
                d_logger->warn("discarding CSI that is not {:d} finite complex values",
                               d_nc);
            return;
        }
        if (n != d_size && !choose(n)) {
            if (d_discarded.bad())
                d_logger->warn(
                    "discarding CSI of {:d} values, carriers takes no {:d} of them",
                    n,
                    d_nc);
            return;
        }
        for (size_t k = 0; k < d_nc; k++)
            d_row[k] = csi[d_indices[k]];
        const pmt::pmt_t h = pmt::init_c32vector(d_nc, d_row.data());
        gr_complex* row = pmt::c32vector_writable_elements(h, n);
        bool all_zero = true;
        for (size_t k = 0; k < d_nc; k++) {
            all_zero &= d_row[k] == gr_complex(0);
            if (d_carriers.empty() && k > 0 && k + 1 < d_nc &&
                d_row[k] == gr_complex(0) && d_row[k - 1] != gr_complex(0) &&
                d_row[k + 1] != gr_complex(0))
                row[k] = 0.5f * (d_row[k - 1] + d_row[k + 1]);
        }
        if (all_zero) {
            if (d_discarded.bad())
                d_logger->warn("discarding CSI that is all zero");
            return;
        }
        d_discarded.good();
        uint64_t frame;
        if (!to_frame(pmt::dict_ref(metadata, key::frame(), pmt::PMT_NIL), frame))
            metadata = pmt::dict_add(metadata, key::frame(), pmt::from_uint64(d_next));
        d_next++;
        d_imported++;
        message_port_pub(key::pdus(), pmt::cons(metadata, h));
    }

    //! Finds the values to take of vectors of n.
    bool choose(size_t n)
    {
        d_size = 0;
        d_row.resize(d_nc);
        if (d_carriers.empty()) {
            d_indices.resize(d_nc);
            // The carrier is value n / 2 of n, and row nc / 2 of H.
            for (size_t k = 0; k < d_nc; k++)
                d_indices[k] = n / 2 - d_nc / 2 + k;
        } else if (!d_carriers.resolve(n, d_nc, d_indices))
            return false;
        if (d_fft_order)
            for (size_t& index : d_indices)
                index = (index + n - n / 2) % n;
        d_size = n;
        return true;
    }

    const size_t d_nc;
    const selection d_carriers;
    const bool d_fft_order;
    size_t d_size = 0; // of the vectors that d_indices is for; 0: none
    std::vector<size_t> d_indices;
    std::vector<gr_complex> d_row;
    const pmt::pmt_t d_taps = pmt::mp("ofdm_sync_chan_taps");
    const pmt::pmt_t d_csi = pmt::mp("csi");
    std::vector<tag_t> d_tags;
    uint64_t d_next = 0;
    std::atomic<uint64_t> d_imported{ 0 };
    burst_counter d_discarded;
};

} // namespace

csi_import::sptr
csi_import::make(int nc, int item_size, const std::string& carriers, bool fft_order)
{
    const char* where = "csi_import";
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "item_size", item_size, 1, 1 << 20);
    const selection chosen(where, carriers);
    return gnuradio::make_block_sptr<csi_import_impl>(nc, item_size, chosen, fft_order);
}

} // namespace csifeedback
} // namespace gr
