/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "encoding_block.h"
#include <gnuradio/csifeedback/csi_report_encoder.h>
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

struct report_coding {
    report_encoder::sptr part;
    int max_budget;
    size_t item_bytes = (max_budget + 7) / 8;
    // Set by another thread, read by the block's own.
    std::shared_ptr<std::atomic<int>> budget =
        std::make_shared<std::atomic<int>>(max_budget);
    std::shared_ptr<std::atomic<uint64_t>> reports =
        std::make_shared<std::atomic<uint64_t>>(0);
    std::shared_ptr<std::atomic<uint64_t>> bits =
        std::make_shared<std::atomic<uint64_t>>(0);
    int last_bits = -1; // of the item before, on the stream

    void encode(const float* h_vec, void* to, encoded_item& item)
    {
        auto bytes = static_cast<uint8_t*>(to);
        const int b = *budget;
        std::fill(bytes + (b + 7) / 8, bytes + item_bytes, 0);
        const auto result = part->encode(h_vec, bytes, b);
        item.residual_energy_db = result.residual_energy_db;
        item.bits = result.bits;
        ++*reports;
        *bits += result.bits;
    }
    pmt::pmt_t make_payload(void*& to)
    {
        const pmt::pmt_t payload = pmt::make_u8vector(item_bytes, 0);
        size_t n;
        to = pmt::u8vector_writable_elements(payload, n);
        return payload;
    }
    pmt::pmt_t
    finish(const pmt::pmt_t& payload, pmt::pmt_t& metadata, const encoded_item& item)
    {
        metadata = pmt::dict_add(metadata, key::report_bits(), pmt::from_long(item.bits));
        const size_t used = (item.bits + 7) / 8;
        size_t n;
        const uint8_t* bytes = pmt::u8vector_elements(payload, n);
        return used == n ? payload : pmt::init_u8vector(used, bytes);
    }
    template <typename function>
    void add_tags(function&& add, const encoded_item& item)
    {
        if (item.bits != last_bits)
            add(key::report_bits(), pmt::from_long(item.bits));
        last_bits = item.bits;
    }
};

class csi_report_encoder_impl : public encoding_block<csi_report_encoder, report_coding>
{
public:
    csi_report_encoder_impl(report_encoder::sptr encoder, int budget)
        : csi_report_encoder_impl(report_coding{ encoder, budget })
    {
    }

    void set_budget(int budget) override
    {
        const int most = d_coding.max_budget;
        if (budget)
            check_range(
                "csi_report_encoder", "budget", budget, d_coding.part->min_bits(), most);
        *d_coding.budget = budget ? budget : most;
    }
    int budget() const override { return *d_coding.budget; }
    uint64_t reports() const override { return *d_coding.reports; }
    uint64_t bits() const override { return *d_coding.bits; }

private:
    explicit csi_report_encoder_impl(const report_coding& coding)
        : gr::block("csi_report_encoder", input_of(coding), output_of(coding)),
          encoding_block("csi_report_encoder", coding)
    {
    }
};

} // namespace

csi_report_encoder::sptr csi_report_encoder::make(report_encoder::sptr encoder,
                                                  int budget)
{
    const char* where = "csi_report_encoder";
    not_null(where, "encoder", encoder);
    if (budget)
        check_range(where,
                    "budget",
                    budget,
                    encoder->min_bits(),
                    int(report_encoder::max_report_bits));
    return gnuradio::make_block_sptr<csi_report_encoder_impl>(
        encoder, budget ? budget : encoder->max_bits());
}

} // namespace csifeedback
} // namespace gr
