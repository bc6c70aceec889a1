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
          d_quantizer(quantizer),
          d_code_size(quantizer->code_size())
    {
        enlarge_output_buffers(*this);
        this->message_port_register_in(key::pdus());
        this->message_port_register_out(key::pdus());
        this->set_msg_handler(key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t dropped() const override { return d_dropped.count(); }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const input*>(input_items[0]);
        auto out = static_cast<output*>(output_items[0]);
        for (int i = 0; i < noutput_items; i++, in += d_code_size, out += d_code_size)
            direction::map(*d_quantizer, in, d_code_size, out);
        return noutput_items;
    }

private:
    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const input* in = pdu_elements<input>(message, n);
        if (!in || n < 1 || n > size_t(d_code_size)) {
            if (d_dropped.bad())
                this->d_logger->warn("dropping a PDU that is not 1 to {:d} {:s}",
                                     d_code_size,
                                     std::is_same<input, float>::value ? "floats"
                                                                       : "shorts");
            return;
        }
        d_dropped.good();
        output* out;
        const pmt::pmt_t vector = direction::make(n, out);
        direction::map(*d_quantizer, in, n, out);
        this->message_port_pub(key::pdus(), pmt::cons(pdu_metadata(message), vector));
    }

    const quantizer::sptr d_quantizer;
    const int d_code_size;
    burst_counter d_dropped;
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
