/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "io/file_array.h"
#include "io/h5.h"
#include "io/installed.h"
#include <gnuradio/csifeedback/model_directories.h>
#include <gnuradio/csifeedback/model_file.h>
#include <sys/stat.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>

namespace gr {
namespace csifeedback {

namespace {

bool is_file(const std::string& path)
{
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// Letters to insert, remove or change to make one text of another.
size_t distance(const std::string& a, const std::string& b)
{
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (size_t i = 0; i < a.size(); i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.size(); j++) {
            const size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({ changed, diagonal + 1, row[j] + 1 });
        }
    }
    return row.back();
}

// The name of the model in these directories that is most like `name`, empty if none is.
std::string nearest_model(const std::string& name,
                          const std::vector<std::string>& directories)
{
    std::string nearest;
    size_t least = std::max<size_t>(2, name.size() / 4) + 1;
    for (const std::string& directory : directories) {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
            if (entry.path().extension() != ".h5")
                continue;
            const std::string stem = entry.path().stem().string();
            const size_t d = distance(name, stem);
            if (d < least || (d == least && !nearest.empty() && stem < nearest)) {
                least = d;
                nearest = stem;
            }
        }
    }
    return nearest;
}

std::string find_model(const std::string& name)
{
    if (name.find('/') != std::string::npos || is_file(name))
        return name;
    const std::vector<std::string> directories = model_directories();
    std::string searched;
    for (const std::string& directory : directories) {
        for (const char* extension : { "", ".h5" }) {
            const std::string path = directory + "/" + name + extension;
            if (is_file(path))
                return path;
        }
        searched += (searched.empty() ? "" : ":") + directory;
    }
    const std::string nearest = nearest_model(name, directories);
    throw std::invalid_argument("model '" + name +
                                "' is neither a file nor in the model " +
                                "directories (CSIFEEDBACK_MODELS, then installed): " +
                                (searched.empty() ? "none" : searched) +
                                (nearest.empty() ? "" : "; is it '" + nearest + "'?"));
}

class model_file_impl : public model_file
{
public:
    explicit model_file_impl(const std::string& path) : d_file(path, "model file")
    {
        if (!d_file.has_attribute("format") ||
            d_file.text("format") != "gr-csifeedback model")
            throw std::invalid_argument(
                path + ": is an HDF5 file, but no model: its " +
                "attribute 'format' is not 'gr-csifeedback model'");
        d_file.integer("format_version", 1, 1);
        d_codec = d_file.text("codec");
        d_nc = d_file.integer("nc", 1, 65536);
        d_nt = d_file.integer("nt", 1, 1024);
        d_na = d_file.integer("na", 1, d_nc);
        d_precursor = d_file.integer("precursor", 0, d_na - 1);
        d_array = file_array(d_file, d_nt);
        d_model_id = d_file.integer("model_id", 0, 65535);
        if (d_file.has_attribute("domain"))
            d_domain = d_file.text("domain");
        if (d_domain != "Ha" && d_domain != "H")
            throw std::invalid_argument(path + ": attribute 'domain' is '" + d_domain +
                                        "', allowed is 'Ha' or 'H'");
        if (d_domain == "H" && (d_na != d_nc || d_precursor != 0))
            throw std::invalid_argument(
                path + ": attributes 'na' and 'precursor' are " + std::to_string(d_na) +
                " and " + std::to_string(d_precursor) +
                ", of a codec of whole matrices (domain 'H') allowed is 'nc' = " +
                std::to_string(d_nc) + " and 0");
    }

    const std::string& path() const override { return d_file.path(); }
    const std::string& codec() const override { return d_codec; }
    const std::string& domain() const override { return d_domain; }
    int nc() const override { return d_nc; }
    int na() const override { return d_na; }
    int nt() const override { return d_nt; }
    int precursor() const override { return d_precursor; }
    antenna_array array() const override { return d_array; }
    uint16_t model_id() const override { return d_model_id; }
    std::string text(const std::string& name) const override
    {
        return d_file.has_attribute(name) ? d_file.text(name) : "";
    }
    bool has(const std::string& name) const override { return d_file.has(name); }
    std::vector<std::string> names(const std::string& group) const override
    {
        return d_file.names(group);
    }
    float_array read(const std::string& name,
                     const std::vector<size_t>& shape) const override
    {
        float_array array;
        array.data = d_file.floats(name, shape, array.shape);
        return array;
    }

private:
    h5_reader d_file;
    std::string d_codec;
    std::string d_domain = "Ha";
    int d_nc, d_na, d_nt, d_precursor;
    antenna_array d_array;
    uint16_t d_model_id;
};

} // namespace

model_file::sptr model_file::open(const std::string& path)
{
    return std::make_shared<model_file_impl>(find_model(path));
}

std::vector<std::string> model_directories()
{
    std::vector<std::string> directories;
    if (const char* variable = std::getenv("CSIFEEDBACK_MODELS"))
        directories = split_paths(variable);
    for (const std::string& directory :
         installed_directories("share/gr-csifeedback/models"))
        directories.push_back(directory);
    return directories;
}

} // namespace csifeedback
} // namespace gr
