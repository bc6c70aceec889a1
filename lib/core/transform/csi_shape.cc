/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/angular_delay_transform.h>
#include <gnuradio/csifeedback/channel_model.h>
#include <gnuradio/csifeedback/codec_part.h>
#include <gnuradio/csifeedback/csi_shape.h>
#include <gnuradio/csifeedback/csirs_frame.h>
#include <gnuradio/csifeedback/model_file.h>

namespace gr {
namespace csifeedback {

csi_shape::csi_shape(const std::string& domain_,
                     int rows_,
                     int nt_,
                     int nc_,
                     int precursor_,
                     const antenna_array& array_)
    : domain(domain_), rows(rows_), nt(nt_), nc(nc_), precursor(precursor_)
{
    const char* where = "csi_shape";
    if (domain != "Ha" && domain != "H")
        throw_bad(where, "domain", domain, "Ha or H");
    check_range(where, "rows", rows, 1, 65536);
    check_range(where, "nt", nt, 1, 1024);
    array = array_.of_ports(where, nt);
    if (domain == "H") {
        if (nc == 0)
            nc = rows;
        check_range(where, "nc", nc, rows, rows);
        check_range(where, "precursor", precursor, -1, 0);
        precursor = 0;
        return;
    }
    if (nc != 0)
        check_range(where, "nc", nc, rows, 65536);
    check_range(where, "precursor", precursor, -1, rows - 1);
}

csi_shape::csi_shape(const angular_delay_transform& t)
    : csi_shape("Ha", t.na(), t.nt(), t.nc(), t.precursor(), t.array())
{
}

csi_shape::csi_shape(const channel_model& model)
    : csi_shape("H", model.grid().nc, model.grid().nt, 0, -1, model.array())
{
}

csi_shape::csi_shape(const codec_part& codec)
    : csi_shape(codec.domain(),
                codec.rows(),
                codec.nt(),
                codec.nc(),
                codec.precursor(),
                codec.array())
{
}

csi_shape::csi_shape(const csirs_frame& frame)
    : csi_shape("H", frame.parameters().nc, frame.parameters().nt)
{
}

csi_shape::csi_shape(const model_file& model)
    : csi_shape(model.domain(),
                model.na(),
                model.nt(),
                model.nc(),
                model.precursor(),
                model.array())
{
}

csi_shape csi_shape::with_nc(int other) const
{
    return csi_shape(domain, rows, nt, other, precursor, array);
}

void csi_shape::throw_null() { throw std::invalid_argument("csi_shape: object is null"); }

} // namespace csifeedback
} // namespace gr
