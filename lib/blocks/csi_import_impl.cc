/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_import.h>

namespace gr {
namespace csifeedback {

namespace {

class csi_import_impl : public csi_import
{
public:
    csi_import_impl(int nc, int item_size)
        : gr::block("csi_import",
                    gr::io_signature::make(0, 1, item_size),
                    gr::io_signature::make(0, 0, 0)),
          d_nc(nc)
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
        // The carrier is value n / 2 of n, and row nc / 2 of H.
        csi += n / 2 - d_nc / 2;
        const pmt::pmt_t h = pmt::init_c32vector(d_nc, csi);
        gr_complex* row = pmt::c32vector_writable_elements(h, n);
        bool all_zero = true;
        for (size_t k = 0; k < d_nc; k++) {
            all_zero &= csi[k] == gr_complex(0);
            if (k > 0 && k + 1 < d_nc && csi[k] == gr_complex(0) &&
                csi[k - 1] != gr_complex(0) && csi[k + 1] != gr_complex(0))
                row[k] = 0.5f * (csi[k - 1] + csi[k + 1]);
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

    const size_t d_nc;
    const pmt::pmt_t d_taps = pmt::mp("ofdm_sync_chan_taps");
    const pmt::pmt_t d_csi = pmt::mp("csi");
    std::vector<tag_t> d_tags;
    uint64_t d_next = 0;
    std::atomic<uint64_t> d_imported{ 0 };
    burst_counter d_discarded;
};

} // namespace

csi_import::sptr csi_import::make(int nc, int item_size)
{
    const char* where = "csi_import";
    check_range(where, "nc", nc, 1, 65536);
    check_range(where, "item_size", item_size, 1, 1 << 20);
    return gnuradio::make_block_sptr<csi_import_impl>(nc, item_size);
}

} // namespace csifeedback
} // namespace gr
