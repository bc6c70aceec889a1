/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "common.h"
#include "io/output_file.h"
#include <gnuradio/csifeedback/checked_file_sink.h>

namespace gr {
namespace csifeedback {

namespace {

class checked_file_sink_impl : public checked_file_sink
{
public:
    checked_file_sink_impl(const std::string& path, int item_size)
        : gr::sync_block("checked_file_sink",
                         gr::io_signature::make(1, 1, item_size),
                         gr::io_signature::make(0, 0, 0)),
          d_file(path, item_size)
    {
    }

    uint64_t recorded() const override
    {
        gr::thread::scoped_lock lock(d_mutex);
        return d_file.items();
    }

    std::string error() const override
    {
        gr::thread::scoped_lock lock(d_mutex);
        return d_file.error();
    }

    std::string finish() override
    {
        gr::thread::scoped_lock lock(d_mutex);
        if (d_file.error().empty() && !d_file.finish())
            d_logger->error("{:s}", d_file.error());
        return d_file.error();
    }

    bool stop() override
    {
        finish();
        return true;
    }

    int work(int noutput_items,
             gr_vector_const_void_star& input_items,
             gr_vector_void_star&) override
    {
        gr::thread::scoped_lock lock(d_mutex);
        const bool had_failed = !d_file.error().empty();
        if (d_file.write(input_items[0], noutput_items))
            return noutput_items;
        if (!had_failed)
            d_logger->error("{:s}", d_file.error());
        return WORK_DONE;
    }

private:
    mutable gr::thread::mutex d_mutex;
    output_file d_file;
};

} // namespace

checked_file_sink::sptr checked_file_sink::make(const std::string& path, int item_size)
{
    check_range("checked_file_sink", "item_size", item_size, 1, 1 << 20);
    return gnuradio::make_block_sptr<checked_file_sink_impl>(path, item_size);
}

} // namespace csifeedback
} // namespace gr
