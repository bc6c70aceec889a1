/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_TRANSFORM_POOL_H
#define INCLUDED_CSIFEEDBACK_TRANSFORM_POOL_H

#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

namespace gr {
namespace csifeedback {

//! Transforms of the same H for several threads: each borrows one that no other has meanwhile.
class transform_pool
{
public:
    //! A transform until it is destroyed; the pool has to outlive it.
    class borrowed
    {
    public:
        ~borrowed()
        {
            const std::lock_guard<std::mutex> lock(d_pool.d_mutex);
            d_pool.d_idle[d_key].push_back(d_transform);
        }
        borrowed(const borrowed&) = delete;
        borrowed& operator=(const borrowed&) = delete;
        angular_delay_transform* operator->() const { return d_transform.get(); }

    private:
        friend transform_pool;
        borrowed(transform_pool& pool, int na, int precursor, bool align)
            : d_pool(pool), d_key(na, precursor, align)
        {
            {
                const std::lock_guard<std::mutex> lock(pool.d_mutex);
                auto& idle = pool.d_idle[d_key];
                if (!idle.empty()) {
                    d_transform = idle.back();
                    idle.pop_back();
                    return;
                }
            }
            d_transform = angular_delay_transform::make(
                csi_shape("Ha", na, pool.d_nt, pool.d_nc, precursor, pool.d_array),
                align);
        }

        transform_pool& d_pool;
        const std::tuple<int, int, bool> d_key;
        angular_delay_transform::sptr d_transform;
    };

    //! H has nc rows and nt columns, ports of this array.
    transform_pool(int nc, int nt, const antenna_array& array)
        : d_nc(nc), d_nt(nt), d_array(array)
    {
    }

    //! A transform that no other thread uses; arguments as of angular_delay_transform.
    borrowed borrow(int na, int precursor, bool align = false)
    {
        return borrowed(*this, na, precursor, align);
    }

private:
    const int d_nc, d_nt;
    const antenna_array d_array;
    std::mutex d_mutex;
    std::map<std::tuple<int, int, bool>, std::vector<angular_delay_transform::sptr>>
        d_idle;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_TRANSFORM_POOL_H */
