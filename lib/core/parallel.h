/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_PARALLEL_H
#define INCLUDED_CSIFEEDBACK_PARALLEL_H

#include "check.h"
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gr {
namespace csifeedback {

//! Checks a number of threads, 0 to 256; 0 becomes as many as the machine runs at once.
inline int number_of_threads(const char* where, int threads)
{
    check_range(where, "threads", threads, 0, 256);
    return threads ? threads : std::max(1u, std::thread::hardware_concurrency());
}

/*!
 * \brief Calls f(i, worker) for every i < count, in no particular order; worker < threads
 * is a number that only one call at a time has.
 *
 * What one of the calls throws is thrown again.
 */
template <typename function>
void for_each_parallel(size_t count, int threads, function&& f)
{
    std::atomic<size_t> next{ 0 };
    std::exception_ptr failure;
    std::mutex mutex;
    const auto work = [&](int worker) {
        try {
            for (size_t i; (i = next++) < count;)
                f(i, worker);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            failure = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    for (int t = 1; t < threads && size_t(t) < count; t++)
        pool.emplace_back(work, t);
    work(0);
    for (auto& thread : pool)
        thread.join();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_PARALLEL_H */
