/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_ONE_THREAD_H
#define INCLUDED_CSIFEEDBACK_ONE_THREAD_H

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <omp.h>
#include <mutex>

namespace gr {
namespace csifeedback {

/*!
 * \brief While one lives, what this thread asks of PyTorch is done by this thread alone.
 *
 * PyTorch's own setting is one for the process; the number of OpenMP threads, which it goes
 * by, is one for each thread. OpenBLAS has a setting for the process again: it is changed
 * with the first object and restored with the last, so that other work has its threads
 * back between two matrices.
 */
class one_thread
{
public:
    one_thread()
    {
        // PyTorch sets the threads of a thread when that first asks for their number.
        d_threads = at::get_num_threads();
        omp_set_num_threads(1);
        blas& b = library();
        if (!b.set)
            return;
        const std::lock_guard<std::mutex> lock(b.mutex);
        if (b.users++ == 0) {
            b.threads = b.get();
            if (b.threads > 1)
                b.set(1);
        }
    }
    one_thread(const one_thread&) = delete;
    one_thread& operator=(const one_thread&) = delete;
    ~one_thread()
    {
        omp_set_num_threads(d_threads);
        blas& b = library();
        if (!b.set)
            return;
        const std::lock_guard<std::mutex> lock(b.mutex);
        if (--b.users == 0 && b.threads > 1)
            b.set(b.threads);
    }

private:
    struct blas {
        blas()
        {
            // PyTorch's BLAS, where it is OpenBLAS.
            void* const handle = ::dlopen("libblas.so.3", RTLD_LAZY | RTLD_NOLOAD);
            if (!handle)
                return;
            get =
                reinterpret_cast<int (*)()>(::dlsym(handle, "openblas_get_num_threads"));
            set = reinterpret_cast<void (*)(int)>(
                ::dlsym(handle, "openblas_set_num_threads"));
            if (!get)
                set = nullptr;
        }
        int (*get)() = nullptr;
        void (*set)(int) = nullptr;
        std::mutex mutex;
        int users = 0, threads = 0;
    };
    static blas& library()
    {
        static blas* const b = new blas; // objects may outlive any order of destruction
        return *b;
    }

    int d_threads;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_ONE_THREAD_H */
