/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/csi_decoder.h>
#include <gnuradio/csifeedback/normalize.h>
#include <gnuradio/io_signature.h>
#include <volk/volk_alloc.hh>
#include <algorithm>
#include <chrono>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

class csi_decoder_impl : public csi_decoder
{
public:
    explicit csi_decoder_impl(decoder::sptr decoder)
        : gr::sync_block("csi_decoder",
                         gr::io_signature::make2(
                             0, 2, sizeof(float) * decoder->code_size(), sizeof(float)),
                         gr::io_signature::make(
                             0, 1, sizeof(gr_complex) * decoder->na() * decoder->nt())),
          d_held(codec_part::hold(decoder, "csi_decoder")),
          d_decoder(decoder),
          d_size(size_t(decoder->na()) * decoder->nt()),
          d_code_size(decoder->code_size()),
          d_h_vec(at_once * 2 * d_size)
    {
        enlarge_output_buffers(*this);
        message_port_register_out(key::pdus());
        add_message_input(
            *this, d_logger, key::pdus(), [this](const pmt::pmt_t& m) { handle(m); });
    }

    uint64_t discarded() const override { return d_discarded.count(); }
    uint64_t decoded() const override { return d_decoded; }
    double mean_time() const override
    {
        const uint64_t decoded = d_decoded;
        return decoded ? 1e-9 * d_nanoseconds / decoded
                       : std::numeric_limits<double>::quiet_NaN();
    }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto s = static_cast<const float*>(input_items[0]);
        auto gain =
            input_items.size() > 1 ? static_cast<const float*>(input_items[1]) : nullptr;
        auto out = static_cast<gr_complex*>(output_items[0]);
        for (int i = 0; i < noutput_items;) {
            // Those up to the next bad one are decoded together.
            const int most = std::min<int>(at_once, noutput_items - i);
            int n = 0;
            bool bad = false;
            while (n < most && !bad) {
                bad = !is_good(s + n * d_code_size, d_code_size, gain ? gain[i + n] : 0);
                n += !bad;
            }
            if (n == 1 ||
                (n > 1 && !decode(s, d_code_size, gain ? gain + i : nullptr, out, n)))
                decode_each(s, gain ? gain + i : nullptr, out, n);
            if (bad)
                std::fill_n(out + n++ * d_size, d_size, gr_complex(0));
            i += n;
            s += n * d_code_size;
            out += n * d_size;
        }
        return noutput_items;
    }

private:
    // Codewords that are decoded together.
    enum { at_once = 8 };

    bool is_good(const float* s, size_t m, float gain_db)
    {
        if (!all_bounded(s, m, decoder::max_value) || !is_gain(gain_db)) {
            if (d_discarded.bad())
                d_logger->warn(
                    "discarding a codeword with a value above {:g} or not finite, or "
                    "a gain of {:g} dB, allowed is -1000 to 780",
                    decoder::max_value,
                    gain_db);
            return false;
        }
        d_discarded.good();
        return true;
    }

    // One, or those that failed together: zero for those that fail by themselves.
    void decode_each(const float* s, const float* gain_db, gr_complex* ha, int count)
    {
        for (int i = 0; i < count; i++, s += d_code_size, ha += d_size)
            if (!decode(s, d_code_size, gain_db ? gain_db + i : nullptr, ha, 1))
                std::fill_n(ha, d_size, gr_complex(0));
    }

    // gain_db may be null: 0 dB. False if the decoder failed.
    bool decode(const float* s, size_t m, const float* gain_db, gr_complex* ha, int count)
    {
        const auto start = std::chrono::steady_clock::now();
        try {
            d_decoder->decode_batch(s, m, d_h_vec.data(), count);
        } catch (const std::exception& error) {
            if (count == 1 && d_discarded.bad())
                d_logger->warn(
                    "discarding a codeword that the decoder {:s} failed on: {:s}",
                    d_decoder->name(),
                    error.what());
            return false;
        }
        for (int i = 0; i < count; i++)
            denormalize_csi(d_h_vec.data() + i * 2 * d_size,
                            d_size,
                            gain_db ? gain_db[i] : 0,
                            ha + i * d_size);
        const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
        d_nanoseconds += time.count();
        d_decoded += count;
        return true;
    }

    void handle(const pmt::pmt_t& message)
    {
        size_t n;
        const foreign_pdu pdu(message);
        const float* s = pdu.elements<float>(n);
        if (!s || n < 1 || n > d_code_size) {
            if (d_discarded.bad())
                d_logger->warn("discarding a PDU that is not 1 to {:d} floats",
                               d_code_size);
            return;
        }
        const float gain_db = pdu.real(key::gain_db(), 0);
        if (!is_good(s, n, gain_db))
            return;
        const pmt::pmt_t ha = pmt::make_c32vector(d_size, 0);
        size_t size;
        if (!decode(s, n, &gain_db, pmt::c32vector_writable_elements(ha, size), 1))
            return;
        message_port_pub(key::pdus(), pmt::cons(pdu.metadata(), ha));
    }

    const std::shared_ptr<void> d_held;
    const decoder::sptr d_decoder;
    const size_t d_size;
    const size_t d_code_size;
    volk::vector<float> d_h_vec;
    std::atomic<uint64_t> d_decoded{ 0 };
    std::atomic<uint64_t> d_nanoseconds{ 0 };
    burst_counter d_discarded;
};

} // namespace

csi_decoder::sptr csi_decoder::make(decoder::sptr decoder)
{
    return gnuradio::make_block_sptr<csi_decoder_impl>(
        not_null("csi_decoder", "decoder", decoder));
}

} // namespace csifeedback
} // namespace gr
