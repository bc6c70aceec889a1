/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/channel_generator.h>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

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
    if (!model)
        throw std::invalid_argument("generate_channels: model is null");
    check_range(where, "na", na, 0, model->grid().nc);
    if (na)
        check_range(where, "precursor", precursor, 0, na - 1);
    check_range(where, "threads", threads, 0, 256);
    if (threads == 0)
        threads = std::max(1u, std::thread::hardware_concurrency());

    const size_t size = size_t(na ? na : model->grid().nc) * model->grid().nt;
    std::atomic<size_t> next{ 0 };
    std::exception_ptr failure;
    std::mutex mutex;
    const auto work = [&] {
        try {
            for (size_t i; (i = next++) < count;) {
                if (na)
                    model->generate_truncated(
                        first + i, na, precursor, matrices + i * size, info + i);
                else
                    model->generate(first + i, matrices + i * size, info + i);
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            failure = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    for (int t = 1; t < threads && size_t(t) < count; t++)
        pool.emplace_back(work);
    work();
    for (auto& thread : pool)
        thread.join();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace csifeedback
} // namespace gr
