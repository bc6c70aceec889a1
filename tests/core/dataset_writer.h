/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_DATASET_WRITER_H
#define INCLUDED_CSIFEEDBACK_DATASET_WRITER_H

#include "model_writer.h"

//! Writes a small data set with HDF5's C API, for tests: matrices H (nc x nt) or Ha (na x
//! nt) of which every entry of sample i is i + 1 + j.
inline void write_dataset(const std::string& path,
                          bool whole,
                          int nc,
                          int na,
                          int nt,
                          int samples,
                          bool latest,
                          bool plane = false)
{
    model_writer file(path, latest);
    file.text("format", "gr-csifeedback dataset");
    file.text("domain", whole ? "H" : "Ha");
    file.text("channel", "test");
    file.integer("format_version", 1);
    file.integer("nc", nc);
    file.integer("na", na);
    file.integer("nt", nt);
    if (plane) {
        file.integer("n1", nt / 2);
        file.integer("n2", 1);
        file.integer("polarizations", 2);
    }
    file.integer("precursor", na / 2);
    file.integer("align", 0);
    file.integer("samples", samples);
    file.integer("seed", 3);
    const double spacing_hz = 15e3, sample_interval_s = 0;
    const hid_t space = H5Screate(H5S_SCALAR);
    file.attribute("spacing_hz", H5T_NATIVE_DOUBLE, space, &spacing_hz);
    file.attribute("sample_interval_s", H5T_NATIVE_DOUBLE, space, &sample_interval_s);
    H5Sclose(space);
    const size_t rows = whole ? nc : na, size = rows * nt;
    std::vector<std::complex<float>> matrices;
    std::vector<float> energy;
    for (int i = 0; i < samples; i++) {
        matrices.insert(matrices.end(), size, { float(i + 1), 1 });
        energy.push_back(size * std::norm(matrices.back()));
    }
    file.complex_array(
        whole ? "H" : "Ha", { hsize_t(samples), rows, hsize_t(nt) }, matrices);
    file.array("energy", { hsize_t(samples) }, energy);
    file.array("energy_lost", { hsize_t(samples) }, std::vector<float>(samples, 0));
}

#endif /* INCLUDED_CSIFEEDBACK_DATASET_WRITER_H */
