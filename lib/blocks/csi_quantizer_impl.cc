/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_dequantizer.h>
#include <gnuradio/csifeedback/csi_quantizer.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

// What tells the two directions apart.
struct to_levels {
    using block = csi_quantizer;
    using input = float;
    using output = int16_t;
    static constexpr const char* name = "csi_quantizer";
    static constexpr bool labels = true; // says which quantizer made the level numbers
    static void map(const quantizer& q, const float* s, int m, int16_t* level)
    {
        q.quantize(s, m, level);
    }
    static pmt::pmt_t make(size_t n, int16_t*& out)
    {
        const pmt::pmt_t vector = pmt::make_s16vector(n, 0);
        out = pmt::s16vector_writable_elements(vector, n);
        return vector;
    }
};

struct from_levels {
    using block = csi_dequantizer;
    using input = int16_t;
    using output = float;
    static constexpr const char* name = "csi_dequantizer";
    static constexpr bool labels = false;
    static void map(const quantizer& q, const int16_t* level, int m, float* s)
    {
        q.dequantize(level, m, s);
    }
    static pmt::pmt_t make(size_t n, float*& out)
    {
        const pmt::pmt_t vector = pmt::make_f32vector(n, 0);
        out = pmt::f32vector_writable_elements(vector, n);
        return vector;
    }
};

template <typename direction>
class quantizer_block : public direction::block
{
    using input = typename direction::input;
    using output = typename direction::output;

public:
    explicit quantizer_block(quantizer::sptr quantizer)
        : gr::sync_block(
              direction::name,
              gr::io_signature::make(0, 1, sizeof(input) * quantizer->code_size()),
              gr::io_signature::make(0, 1, sizeof(output) * quantizer->code_size())),
          d_quantizer(direction::name, quantizer),
          d_code_size(quantizer->code_size())
    {
        enlarge_output_buffers(*this);
        this->message_port_register_out(key::pdus());
        add_message_input(*this,
                          this->d_logger,
                          key::pdus(),
                          [this](const pmt::pmt_t& m) { handle(m); });
    }

    void set_quantizer(quantizer::sptr quantizer) override { d_quantizer.set(quantizer); }
    uint64_t discarded() const override { return d_discarded.count(); }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const input*>(input_items[0]);
        auto out = static_cast<output*>(output_items[0]);
        const quantizer::sptr q = d_quantizer.get();
        if (direction::labels && q != d_labelled) {
            this->add_item_tag(0,
                               this->nitems_written(0),
                               key::quantizer(),
                               pmt::from_uint64(quantizer_label(*q)));
            d_labelled = q;
        }
        for (int i = 0; i < noutput_items; i++, in += d_code_size, out += d_code_size)
            direction::map(*q, in, d_code_size, out);
        return noutput_items;
    }

private:
    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const input* in = pdu.elements<input>(n);
        if (!in || n < 1 || n > size_t(d_code_size)) {
            if (d_discarded.bad())
                this->d_logger->warn("discarding a PDU that is not 1 to {:d} {:s}",
                                     d_code_size,
                                     std::is_same<input, float>::value ? "floats"
                                                                       : "shorts");
            return;
        }
        const quantizer::sptr q = d_quantizer.get();
        pmt::pmt_t metadata = pdu.metadata();
        const uint64_t label = quantizer_label(*q);
        uint64_t found;
        if (direction::labels) {
            metadata = pmt::dict_add(metadata, key::quantizer(), pmt::from_uint64(label));
        } else if (pdu.number(key::quantizer(), found) && found != label) {
            if (d_discarded.bad())
                this->d_logger->warn("discarding level numbers of another quantizer");
            return;
        }
        d_discarded.good();
        output* out;
        const pmt::pmt_t vector = direction::make(n, out);
        direction::map(*q, in, n, out);
        this->message_port_pub(key::pdus(), pmt::cons(metadata, vector));
    }

    quantizer_slot d_quantizer;
    quantizer::sptr d_labelled; // the one that the stream was last tagged with
    const int d_code_size;
    burst_counter d_discarded;
};

} // namespace

csi_quantizer::sptr csi_quantizer::make(quantizer::sptr quantizer)
{
    return gnuradio::make_block_sptr<quantizer_block<to_levels>>(
        not_null("csi_quantizer", "quantizer", quantizer));
}

csi_dequantizer::sptr csi_dequantizer::make(quantizer::sptr quantizer)
{
    return gnuradio::make_block_sptr<quantizer_block<from_levels>>(
        not_null("csi_dequantizer", "quantizer", quantizer));
}

} // namespace csifeedback
} // namespace gr
