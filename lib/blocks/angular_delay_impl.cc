/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include <gnuradio/csifeedback/angular_delay.h>
#include <gnuradio/io_signature.h>
#include <cmath>

namespace gr {
namespace csifeedback {

namespace {

class angular_delay_impl : public angular_delay
{
public:
    explicit angular_delay_impl(angular_delay_transform::sptr transform)
        : gr::sync_block(
              "csi_angular_delay",
              gr::io_signature::make(
                  1, 1, sizeof(gr_complex) * transform->nc() * transform->nt()),
              gr::io_signature::make2(1,
                                      2,
                                      sizeof(gr_complex) * transform->na() *
                                          transform->nt(),
                                      sizeof(float))),
          d_transform(transform)
    {
        enlarge_output_buffers(*this);
    }

    double energy_lost() const override
    {
        const uint64_t count = d_count;
        return count ? d_lost / count : 0;
    }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star& output_items) override
    {
        auto in = static_cast<const gr_complex*>(input_items[0]);
        auto out = static_cast<gr_complex*>(output_items[0]);
        auto lost =
            output_items.size() > 1 ? static_cast<float*>(output_items[1]) : nullptr;
        for (int i = 0; i < noutput_items; i++) {
            angular_delay_info info;
            d_transform->forward(in, out, &info);
            in += size_t(d_transform->nc()) * d_transform->nt();
            out += size_t(d_transform->na()) * d_transform->nt();
            if (lost)
                lost[i] = info.energy_lost;
            if (std::isfinite(info.energy_lost)) {
                d_lost = d_lost + info.energy_lost;
                d_count++;
            }
        }
        return noutput_items;
    }

private:
    const angular_delay_transform::sptr d_transform;
    std::atomic<uint64_t> d_count{ 0 };
    std::atomic<double> d_lost{ 0 };
};

} // namespace

angular_delay::sptr
angular_delay::make(const csi_shape& shape, bool align, float threshold_db)
{
    return gnuradio::make_block_sptr<angular_delay_impl>(
        angular_delay_transform::make(shape, align, threshold_db));
}

angular_delay::sptr
angular_delay::make(int nc, int nt, int na, int precursor, bool align, float threshold_db)
{
    return gnuradio::make_block_sptr<angular_delay_impl>(
        angular_delay_transform::make(nc, nt, na, precursor, align, threshold_db));
}

} // namespace csifeedback
} // namespace gr
