/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "report/entropy/entropy_model.h"
#include <algorithm>
#include <array>
#include <cmath>

namespace gr {
namespace csifeedback {

std::vector<frequency_table> frequency_tables(const model_file& model,
                                              const std::string& name,
                                              const std::vector<size_t>& shape)
{
    const float_array array = model.read(name, shape);
    const size_t symbols = array.shape.back();
    std::vector<frequency_table> result;
    for (size_t i = 0; i < array.data.size(); i += symbols)
        result.emplace_back(name, array.data.data() + i, symbols);
    return result;
}

bool entropy_model::is_in(const model_file& model)
{
    return model.has("entropy/magnitudes");
}

entropy_model::entropy_model(const char* where, const model_file& model)
{
    if (!is_in(model))
        throw std::invalid_argument(
            std::string(where) + ": model " + model.path() +
            " has no tables of an entropy coder; csifeedback_train tables adds them");
    d_unit = model.read("entropy/unit", { 1 }).data[0];
    check_range(where, "entropy/unit", d_unit, 1e-6f, 1e6f);
    d_steps = frequency_tables(model, "entropy/steps", { sizes, steps });
    d_magnitudes = frequency_tables(
        model, "entropy/magnitudes", { rates, classes, contexts, symbols });
    for (const frequency_table& table : d_magnitudes)
        for (int k = 0; k < symbols; k++)
            d_costs.push_back(std::log2(float(table.total()) / table.count(k)));
    d_shift = model.read("entropy/shift", { classes, shifts }).data;
    for (const float x : d_shift)
        check_range(where, "entropy/shift", x, -0.5f, 0.5f);
    uint32_t hash = 2166136261u;
    for (const auto* tables : { &d_steps, &d_magnitudes })
        for (const frequency_table& table : *tables)
            for (size_t k = 0; k < table.size(); k++)
                hash = (hash ^ table.count(k)) * 16777619u;
    d_id = hash ^ hash >> 16;
}

std::vector<int> entropy_model::levels(const char* where,
                                       const model_file& model,
                                       const std::string& name,
                                       const std::vector<size_t>& shape)
{
    std::vector<int> result;
    for (const float x : model.read(name, shape).data) {
        if (!(std::abs(x) <= 1000 && std::floor(x) == x))
            throw_bad(where, name.c_str(), x, "a whole number from -1000 to 1000");
        result.push_back(int(x));
    }
    return result;
}

int entropy_model::size_class(int bits)
{
    const uint64_t square = uint64_t(bits) * bits;
    const int halves = 63 - __builtin_clzll(square | 1);
    return std::min(std::max(halves - 8, 0), sizes - 1);
}

int entropy_model::rate(int size_class)
{
    return size_class < 6 ? 0 : size_class < 10 ? 1 : 2;
}

int entropy_model::shortest(int bits, int budget)
{
    const int needed = size_class(budget);
    while (bits < budget && size_class(bits) < needed)
        bits++;
    return bits;
}

float entropy_model::step(int index) const
{
    return 4 * d_unit * std::exp2(-0.25f * index);
}

const uint8_t* entropy_model::context_table()
{
    static const auto table = [] {
        std::array<uint8_t, max_around + 1> t;
        constexpr int limits[contexts - 1] = { 1, 2, 4, 7, 12, 20, 32 };
        for (int i = 0; i <= max_around; i++)
            t[i] = std::upper_bound(limits, limits + contexts - 1, i) - limits;
        return t;
    }();
    return table.data();
}

} // namespace csifeedback
} // namespace gr
