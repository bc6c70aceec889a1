/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "parallel.h"
#include <gnuradio/csifeedback/channel_generator.h>

namespace gr {
namespace csifeedback {

void generate_channels(channel_model::sptr model,
                       uint64_t first,
                       size_t count,
                       int na,
                       int precursor,
                       int threads,
                       std::complex<float>* matrices,
                       channel_sample_info* info)
{
    const char* where = "generate_channels";
    not_null("generate_channels", "model", model);
    check_range(where, "na", na, 0, model->grid().nc);
    if (na)
        check_range(where, "precursor", precursor, 0, na - 1);
    threads = number_of_threads(where, threads);

    const size_t size = size_t(na ? na : model->grid().nc) * model->grid().nt;
    for_each_parallel(count, threads, [&](size_t i, int) {
        if (na)
            model->generate_truncated(
                first + i, na, precursor, matrices + i * size, info + i);
        else
            model->generate(first + i, matrices + i * size, info + i);
    });
}

} // namespace csifeedback
} // namespace gr
