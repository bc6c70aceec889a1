/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/angular_delay_inverse.h>
#include <gnuradio/io_signature.h>

namespace gr {
namespace csifeedback {

namespace {

class angular_delay_inverse_impl : public angular_delay_inverse
{
public:
    explicit angular_delay_inverse_impl(angular_delay_transform::sptr transform)
        : gr::sync_block(
              "csi_angular_delay_inverse",
              gr::io_signature::make(
                  0, 1, sizeof(gr_complex) * transform->na() * transform->nt()),
              gr::io_signature::make(
                  0, 1, sizeof(gr_complex) * transform->nc() * transform->nt())),
          d_transform(transform),
          d_in_size(size_t(transform->na()) * transform->nt()),
          d_out_size(size_t(transform->nc()) * transform->nt())
    {
        enlarge_output_buffers(*this);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t discarded() const override { return d_discarded.count(); }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const gr_complex*>(input_items[0]);
        auto out = static_cast<gr_complex*>(output_items[0]);
        for (int i = 0; i < noutput_items; i++)
            d_transform->inverse(in + i * d_in_size, out + i * d_out_size);
        return noutput_items;
    }

private:
    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const gr_complex* in = pdu.elements<gr_complex>(n);
        if (!in || n != d_in_size) {
            if (d_discarded.bad())
                d_logger->warn("discarding a PDU that is not {:d} complex values",
                               d_in_size);
            return;
        }
        d_discarded.good();
        const pmt::pmt_t result = pmt::make_c32vector(d_out_size, 0);
        d_transform->inverse(in, pmt::c32vector_writable_elements(result, n));
        message_port_pub(key::pdus(), pmt::cons(pdu.metadata(), result));
    }

    const angular_delay_transform::sptr d_transform;
    const size_t d_in_size;
    const size_t d_out_size;
    burst_counter d_discarded;
};

} // namespace

angular_delay_inverse::sptr angular_delay_inverse::make(const csi_shape& shape)
{
    return gnuradio::make_block_sptr<angular_delay_inverse_impl>(
        angular_delay_transform::make(shape));
}

angular_delay_inverse::sptr
angular_delay_inverse::make(int nc, int nt, int na, int precursor)
{
    return gnuradio::make_block_sptr<angular_delay_inverse_impl>(
        angular_delay_transform::make(nc, nt, na, precursor));
}

} // namespace csifeedback
} // namespace gr
