/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "io/h5.h"
#include <fcntl.h>
#include <gnuradio/csifeedback/dataset_file.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace gr {
namespace csifeedback {

namespace {

class dataset_file_impl : public dataset_file
{
public:
    explicit dataset_file_impl(const std::string& path)
        : d_file(path, "gr-csifeedback data set", true)
    {
        if (!d_file.has_attribute("format") ||
            d_file.text("format") != "gr-csifeedback dataset")
            fail("is no gr-csifeedback data set");
        d_file.integer("format_version", 1, 1);
        const std::string domain = d_file.text("domain");
        if (domain != "H" && domain != "Ha")
            fail("attribute 'domain' is '" + domain + "', allowed is H or Ha");
        d_whole = domain == "H";
        d_nc = d_file.integer("nc", 1, 65536);
        d_na = d_file.integer("na", 1, d_nc);
        d_nt = d_file.integer("nt", 1, 1024);
        d_precursor = d_file.integer("precursor", 0, d_na - 1);
        d_align = d_file.integer("align", 0, 1);
        d_spacing_hz = d_file.real("spacing_hz", 0, 1e12);
        d_sample_interval_s = d_file.real("sample_interval_s", 0, 1e6);
        d_samples = d_file.integer("samples", 0, long(1) << 40);
        if (d_samples == 0)
            fail("has no samples yet");

        d_size = size_t(d_whole ? d_nc : d_na) * d_nt;
        const size_t rows = d_size / d_nt, nt = d_nt;
        d_array = d_file.locate(domain, { 0, rows, nt, 2 });
        if (d_array.shape[0] < d_samples)
            fail("has " + std::to_string(d_array.shape[0]) + " matrices, but " +
                 std::to_string(d_samples) + " samples by its attribute");
        d_energy = per_sample("energy", std::numeric_limits<float>::max());
        d_energy_lost = per_sample("energy_lost", 1);

        d_descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (d_descriptor < 0)
            fail(std::string("cannot be opened: ") + std::strerror(errno));
        d_file.unmap();
    }
    ~dataset_file_impl() override
    {
        if (d_descriptor >= 0)
            ::close(d_descriptor);
    }

    const std::string& path() const override { return d_file.path(); }
    bool whole() const override { return d_whole; }
    int nc() const override { return d_nc; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int precursor() const override { return d_precursor; }
    bool align() const override { return d_align; }
    double spacing_hz() const override { return d_spacing_hz; }
    double sample_interval_s() const override { return d_sample_interval_s; }
    uint64_t samples() const override { return d_samples; }
