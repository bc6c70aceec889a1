/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ENCODING_BLOCK_H
#define INCLUDED_CSIFEEDBACK_ENCODING_BLOCK_H

#include "common.h"
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <cmath>

namespace gr {
namespace csifeedback {

//! What one matrix became.
struct encoded_item {
    float gain_db = 0;
    float residual_energy_db = encoder::no_residual;
    int bits = 0; //!< of a report
};

/*!
 * \brief csi_encoder and csi_report_encoder: matrices to codewords or reports, on streams
 * and as PDUs.
 *
 * \tparam block  the public class
 * \tparam coding what differs:
 *                - `part`, a shared_ptr to the codec_part
 *                - `item_bytes`, the size of an output item
 *                - `void encode(const float* h_vec, void* item, encoded_item&)`, which
 *                  may throw
 *                - `pmt::pmt_t make_payload(void*& item)`, a PDU's payload of that size
 *                - `pmt::pmt_t finish(payload, metadata&, const encoded_item&)`
 *                - `void add_tags(add, const encoded_item&)`, where add(key, value) tags
 *                  the item
 */
template <typename block, typename coding>
class encoding_block : public block
{
public:
    // The most derived class makes the virtual base gr::block with these.
    static gr::io_signature::sptr input_of(const coding& c)
    {
        return gr::io_signature::make(
            0, 1, sizeof(gr_complex) * c.part->rows() * c.part->nt());
    }
    static gr::io_signature::sptr output_of(const coding& c)
    {
        return gr::io_signature::make2(0, 2, c.item_bytes, sizeof(float));
    }

    encoding_block(const char* name, coding c)
        : d_coding(std::move(c)),
          d_held(codec_part::hold(d_coding.part, name)),
          d_size(size_t(d_coding.part->rows()) * d_coding.part->nt()),
          d_h_vec(2 * d_size)
    {
        enlarge_output_buffers(*this);
        // Matrices may be discarded, so tags are moved here.
        this->set_tag_propagation_policy(gr::block::TPP_DONT);
        this->message_port_register_out(key::pdus());
        add_message_input(*this,
                          this->d_logger,
                          key::pdus(),
                          [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t discarded() const override { return d_discarded.count(); }

    int general_work(int noutput_items,
                     gr_vector_int& ninput_items,
                     gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const gr_complex*>(input_items[0]);
        auto out = static_cast<char*>(output_items[0]);
        auto gain =
            output_items.size() > 1 ? static_cast<float*>(output_items[1]) : nullptr;
        const uint64_t first = this->nitems_read(0), written = this->nitems_written(0);
        const int available = ninput_items[0];
        d_tags.clear();
        this->get_tags_in_range(d_tags, 0, first, first + available);
        d_numbering.update([this, first, available](std::vector<tag_t>& tags) {
            this->get_tags_in_range(tags, 0, first, first + available, key::frame());
        });
        size_t next_tag = 0;
        int consumed = 0, produced = 0;
        for (; consumed < available && produced < noutput_items; consumed++) {
            const uint64_t frame = d_numbering.at(first + consumed);
            for (;
                 next_tag < d_tags.size() && d_tags[next_tag].offset <= first + consumed;
                 next_tag++)
                if (!pmt::eq(d_tags[next_tag].key, key::frame())) {
                    tag_t tag = d_tags[next_tag];
                    tag.offset = written + produced;
                    this->add_item_tag(0, tag);
                }
            encoded_item item;
            if (!encode(
                    in + consumed * d_size, out + produced * d_coding.item_bytes, item))
                continue;
            if (frame != d_next_frame || written + produced == 0) {
                const pmt::pmt_t number = pmt::from_uint64(frame);
                for (size_t port = 0; port < output_items.size(); port++)
                    this->add_item_tag(port, written + produced, key::frame(), number);
            }
            d_next_frame = frame + 1;
            const auto add = [&](const pmt::pmt_t& key, const pmt::pmt_t& value) {
                this->add_item_tag(0, written + produced, key, value);
            };
            if (!std::isnan(item.residual_energy_db))
                add(key::residual_energy_db(), pmt::from_double(item.residual_energy_db));
            d_coding.add_tags(add, item);
            if (gain)
                gain[produced] = item.gain_db;
            produced++;
        }
        this->consume(0, consumed);
        return produced;
    }

protected:
    coding d_coding;

private:
    // False for a matrix that cannot be encoded.
    bool encode(const gr_complex* h, void* to, encoded_item& item)
    {
        item.gain_db = normalize_csi(h, d_size, d_h_vec.data());
        if (std::isnan(item.gain_db)) {
            if (d_discarded.bad())
                this->d_logger->warn(
                    "discarding a matrix that is all zero or not finite");
            return false;
        }
        try {
            d_coding.encode(d_h_vec.data(), to, item);
        } catch (const std::exception& error) {
            if (d_discarded.bad())
                this->d_logger->warn("discarding a matrix that {:s} failed on: {:s}",
                                     d_coding.part->name(),
                                     error.what());
            return false;
        }
        d_discarded.good();
        return true;
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const gr_complex* h = pdu.elements<gr_complex>(n);
        if (!h || n != d_size) {
            if (d_discarded.bad())
                this->d_logger->warn("discarding a PDU that is not {:d} complex values",
                                     d_size);
            return;
        }
        void* to;
        const pmt::pmt_t payload = d_coding.make_payload(to);
        encoded_item item;
        if (!encode(h, to, item))
            return;
        pmt::pmt_t metadata =
            pmt::dict_add(pdu.metadata(), key::gain_db(), pmt::from_double(item.gain_db));
        if (!std::isnan(item.residual_energy_db))
            metadata = pmt::dict_add(metadata,
                                     key::residual_energy_db(),
                                     pmt::from_double(item.residual_energy_db));
        const pmt::pmt_t finished = d_coding.finish(payload, metadata, item);
        this->message_port_pub(key::pdus(), pmt::cons(metadata, finished));
    }

    const std::shared_ptr<void> d_held;
    const size_t d_size;
    volk::vector<float> d_h_vec;
    std::vector<tag_t> d_tags;
    frame_numbering d_numbering;
    uint64_t d_next_frame = 0; // frame number that needs no tag
    burst_counter d_discarded;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ENCODING_BLOCK_H */
