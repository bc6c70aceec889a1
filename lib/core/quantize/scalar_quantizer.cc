/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/scalar_quantizer.h>
#include <volk/volk.h>
#include <algorithm>
#include <cmath>
#include <queue>

namespace gr {
namespace csifeedback {

namespace {

constexpr int max_bits = 10;
// Longest codeword with prediction: its values lie on the stack.
constexpr size_t max_predicted = 4096;
// Standard deviations up to which a predicted value goes, whatever the levels are.
constexpr float predicted_range = 1000;

enum type : uint8_t {
    uniform = 0,
    lloyd_max = 1,
    lloyd_max_per_entry = 2,
    allocated = 3,
    predictive = 4
};

class scalar_quantizer_impl : public scalar_quantizer
{
public:
    struct entry {
        float std_dev;
        float inverse_std_dev; // 0 for an entry that is always zero
        int bits;
        size_t levels;     // offset of its 2^bits levels in d_levels
        size_t thresholds; // offset of its 2^bits - 1 decision thresholds
    };

    scalar_quantizer_impl(std::string name, uint8_t type_id, int bits, size_t code_size)
        : d_name(std::move(name)), d_type_id(type_id), d_bits(bits)
    {
        d_entries.reserve(code_size);
    }

    //! Adds a table of 2^bits increasing levels; returns an entry that uses it.
    entry add_table(const char* where, const float* levels, int bits)
    {
        entry e{};
        e.bits = bits;
        e.levels = d_levels.size();
        e.thresholds = d_thresholds.size();
        const size_t count = size_t(1) << bits;
        for (size_t i = 0; i < count; i++) {
            if (!std::isfinite(levels[i]) || (i && !(levels[i] > levels[i - 1])))
                throw_bad(where, "a level", levels[i], "a finite number above the last");
            d_levels.push_back(levels[i]);
            if (i)
                d_thresholds.push_back(levels[i - 1] + (levels[i] - levels[i - 1]) / 2);
        }
        return e;
    }

    void add_entry(const char* where, entry e, float std_dev)
    {
        if (!(std_dev >= 0) || !std::isfinite(std_dev))
            throw_bad(where, "a standard deviation", std_dev, "a finite number >= 0");
        // All that dequantize() can give is good for a decoder.
        float largest = 0;
        for (size_t i = e.levels; i < e.levels + (size_t(1) << e.bits); i++)
            largest = std::max(largest, std::abs(d_levels[i]));
        if (!(std_dev * largest <= decoder::max_value))
            throw_bad(where,
                      "the largest level",
                      std_dev * largest,
                      "a value of magnitude up to 1e15");
        e.std_dev = std_dev;
        e.inverse_std_dev = std_dev > 0 ? 1 / std_dev : 0;
        if (!std::isfinite(e.inverse_std_dev))
            e.inverse_std_dev = 0;
        d_entries.push_back(e);
    }

    std::string name() const override { return d_name; }
    uint8_t type_id() const override { return d_type_id; }
    int bits() const override { return d_bits; }
    int code_size() const override { return d_entries.size(); }
    int entry_bits(int i) const override { return d_entries[i].bits; }

    void quantize(const float* s, int m, int16_t* level) const override
    {
        for (int i = 0; i < m; i++)
            level[i] = nearest(d_entries[i], s[i]);
    }

    void dequantize(const int16_t* level, int m, float* s) const override
    {
        for (int i = 0; i < m; i++)
            s[i] = value(d_entries[i], level[i]);
    }

protected:
    const entry& at(int i) const { return d_entries[i]; }

    //! The level of a value.
    int16_t nearest(const entry& e, float value) const
    {
        const float* thresholds = d_thresholds.data() + e.thresholds;
        const float x = value * e.inverse_std_dev;
        // Binary search without branches: the thresholds are 2^bits - 1.
        int found = 0;
        for (int step = 1 << e.bits >> 1; step; step >>= 1)
            found += x > thresholds[found + step - 1] ? step : 0;
        return found;
    }

    //! The value of a level.
    float value(const entry& e, int16_t level) const
    {
        return e.bits ? e.std_dev * d_levels[e.levels + (level & ((1 << e.bits) - 1))]
                      : 0;
    }

private:
    const std::string d_name;
    const uint8_t d_type_id;
    const int d_bits;
    std::vector<entry> d_entries;
    std::vector<float> d_levels;
    std::vector<float> d_thresholds;
};

// Codes the difference of each entry to what the reconstructed ones before it predict.
class predictive_quantizer_impl : public scalar_quantizer_impl
{
public:
    // prediction: strictly lower triangle, row by row. limits: largest magnitude of the
    // reconstructed entries.
    predictive_quantizer_impl(int bits,
                              size_t code_size,
                              std::vector<float> prediction,
                              std::vector<float> limits)
        : scalar_quantizer_impl("predictive", type::predictive, bits, code_size),
          d_prediction(std::move(prediction)),
          d_limits(std::move(limits))
    {
    }

    void quantize(const float* s, int m, int16_t* level) const override
    {
        alignas(64) float s_hat[max_predicted];
        for (int i = 0; i < m; i++) {
            const float predicted = predict(s_hat, i);
            level[i] = nearest(at(i), s[i] - predicted);
            s_hat[i] = reconstruct(predicted, level[i], i);
        }
    }

    void dequantize(const int16_t* level, int m, float* s) const override
    {
        for (int i = 0; i < m; i++)
            s[i] = reconstruct(predict(s, i), level[i], i);
    }

private:
    float predict(const float* before, int i) const
    {
        float sum = 0;
        if (i)
            volk_32f_x2_dot_prod_32f(
                &sum, d_prediction.data() + size_t(i) * (i - 1) / 2, before, i);
        return sum;
    }

    float reconstruct(float predicted, int16_t level, int i) const
    {
        return std::clamp(predicted + value(at(i), level), -d_limits[i], d_limits[i]);
    }

    const std::vector<float> d_prediction;
    const std::vector<float> d_limits;
};

// Shares total_bits out: each goes to the entry that gains the most, which is optimal
// since the table mse (of 0 to 10 bits, for unit variance) is convex.
std::vector<int> share_out(const std::vector<float>& std_dev,
                           const std::vector<float>& mse,
                           int total_bits)
{
    using gain = std::pair<double, size_t>;
    const auto smaller = [](const gain& a, const gain& b) {
        return a.first < b.first || (a.first == b.first && a.second > b.second);
    };
    std::priority_queue<gain, std::vector<gain>, decltype(smaller)> gains(smaller);
    std::vector<int> bits(std_dev.size(), 0);
    const auto push = [&](size_t i) {
        if (bits[i] < max_bits)
            gains.emplace(
                double(std_dev[i]) * std_dev[i] * (mse[bits[i]] - mse[bits[i] + 1]), i);
    };
    for (size_t i = 0; i < std_dev.size(); i++)
        push(i);
    for (int b = 0; b < total_bits; b++) {
        const size_t best = gains.top().second;
        gains.pop();
        bits[best]++;
        push(best);
    }
    return bits;
}

void check_total_bits(const char* where, int total_bits, size_t entries)
{
    check_range(
        where, "total_bits", total_bits, 1, std::min<int>(65535, max_bits * entries));
}

// Where the tables are: those of codewords of this length alone, if the model has such, else
// those of the longest ones, whose beginnings shorter codewords are.
std::string group(const model_file::sptr& model, int code_size)
{
    const std::string own = "quantizer/" + std::to_string(code_size) + "/";
    return model->has(own + "std") ? own : "quantizer/";
}

// Standard deviations of the first code_size (0: all) entries.
std::vector<float>
read_std_dev(const char* where, const model_file::sptr& model, int code_size)
{
    not_null(where, "model", model);
    std::vector<float> std_dev = model->read(group(model, code_size) + "std", { 0 }).data;
    check_range<size_t>(where, "length of quantizer/std", std_dev.size(), 1, 65535);
    check_range(where, "code_size", code_size, 0, int(std_dev.size()));
    if (code_size)
        std_dev.resize(code_size);
    return std_dev;
}

// Entries with as many bits each, from tables that serve all of them.
void add_allocated(const char* where,
                   scalar_quantizer_impl& q,
                   const model_file::sptr& model,
                   const std::string& name,
                   const std::vector<int>& bits,
                   const std::vector<float>& std_dev)
{
    const float zero = 0;
    std::vector<scalar_quantizer_impl::entry> tables = { q.add_table(where, &zero, 0) };
    for (int b = 1; b <= max_bits; b++)
        tables.push_back(q.add_table(
            where,
            model->read(name + std::to_string(b), { size_t(1) << b }).data.data(),
            b));
    for (size_t i = 0; i < std_dev.size(); i++)
        q.add_entry(where, tables[bits[i]], std_dev[i]);
}

} // namespace

quantizer::sptr scalar_quantizer::make_uniform(model_file::sptr model,
                                               int code_size,
                                               int bits,
                                               float range)
{
    const char* where = "uniform quantizer";
    const std::vector<float> std_dev = read_std_dev(where, model, code_size);
    check_range(where, "bits", bits, 1, max_bits);
    check_range(where, "range", range, 0.0f, 1e6f);
    if (range == 0)
        range = model->read(group(model, code_size) + "uniform_range", { max_bits + 1 })
                    .data[bits];
    const int count = 1 << bits;
    std::vector<float> levels(count);
    for (int i = 0; i < count; i++)
        levels[i] = range * (2 * i + 1 - count) / count;
    auto q = std::make_shared<scalar_quantizer_impl>(
        "uniform", type::uniform, bits, std_dev.size());
    const auto entry = q->add_table(where, levels.data(), bits);
    for (const float x : std_dev)
        q->add_entry(where, entry, x);
    return q;
}

quantizer::sptr scalar_quantizer::make_lloyd_max(model_file::sptr model,
                                                 int code_size,
                                                 int bits,
                                                 bool per_entry)
{
    const char* where = "Lloyd-Max quantizer";
    const std::vector<float> std_dev = read_std_dev(where, model, code_size);
    check_range(where, "bits", bits, 1, max_bits);
    const size_t count = size_t(1) << bits;
    if (!per_entry) {
        auto q = std::make_shared<scalar_quantizer_impl>(
            "lloyd-max", type::lloyd_max, bits, std_dev.size());
        const float_array levels = model->read(
            group(model, code_size) + "global_" + std::to_string(bits), { count });
        const auto entry = q->add_table(where, levels.data.data(), bits);
        for (const float x : std_dev)
            q->add_entry(where, entry, x);
        return q;
    }
    auto q = std::make_shared<scalar_quantizer_impl>(
        "lloyd-max-per-entry", type::lloyd_max_per_entry, bits, std_dev.size());
    const float_array levels = model->read(
        group(model, code_size) + "entry_" + std::to_string(bits), { 0, count });
    if (levels.shape[0] < std_dev.size())
        throw_bad(where, "number of tables", levels.shape[0], "one for each entry");
    for (size_t i = 0; i < std_dev.size(); i++)
        q->add_entry(
            where, q->add_table(where, levels.data.data() + i * count, bits), std_dev[i]);
    return q;
}

quantizer::sptr
scalar_quantizer::make_allocated(model_file::sptr model, int code_size, int total_bits)
{
    const char* where = "allocated quantizer";
    const std::vector<float> std_dev = read_std_dev(where, model, code_size);
    check_total_bits(where, total_bits, std_dev.size());
    const std::string tables = group(model, code_size);
    const std::vector<int> bits = share_out(
        std_dev, model->read(tables + "global_mse", { max_bits + 1 }).data, total_bits);
    auto q = std::make_shared<scalar_quantizer_impl>(
        "allocated", type::allocated, total_bits, std_dev.size());
    add_allocated(where, *q, model, tables + "global_", bits, std_dev);
    return q;
}

quantizer::sptr
scalar_quantizer::make_predictive(model_file::sptr model, int code_size, int total_bits)
{
    const char* where = "predictive quantizer";
    const std::vector<float> std_dev = read_std_dev(where, model, code_size);
    const std::string tables = group(model, code_size);
    const size_t all = model->read(tables + "std", { 0 }).data.size();
    const size_t size = std_dev.size();
    check_range<size_t>(where, "length of quantizer/std", all, 2, max_predicted);
    check_total_bits(where, total_bits, size);
    std::vector<float> prediction =
        model->read(tables + "prediction", { all * (all - 1) / 2 }).data;
    prediction.resize(size * (size - 1) / 2);
    const std::vector<float> innovation =
        model->read(tables + "innovation_std", { all }).data;
    const std::vector<float> mse =
        model->read(tables + "innovation_mse", { max_bits + 1 }).data;

    // What is coded is larger than the innovation: the entries that predict have errors,
    // which follow from the allocation, which follows from what is coded.
    std::vector<float> coded(innovation.begin(), innovation.begin() + size);
    std::vector<int> bits;
    for (int round = 0; round < 3; round++) {
        bits = share_out(coded, mse, total_bits);
        std::vector<double> errors(size);
        const float* row = prediction.data();
        for (size_t i = 0; i < size; row += i, i++) {
            double variance = double(innovation[i]) * innovation[i];
            for (size_t j = 0; j < i; j++)
                variance += double(row[j]) * row[j] * errors[j];
            // A prediction that is worse than none is none.
            variance = std::min(variance, double(std_dev[i]) * std_dev[i]);
            coded[i] = std::sqrt(variance);
            errors[i] = variance * mse[bits[i]];
        }
    }

    std::vector<float> limits;
    for (const float x : std_dev)
        limits.push_back(std::min(predicted_range * std::abs(x), decoder::max_value));
    auto q = std::make_shared<predictive_quantizer_impl>(
        total_bits, size, std::move(prediction), std::move(limits));
    add_allocated(where, *q, model, tables + "innovation_", bits, coded);
    return q;
}

quantizer::sptr scalar_quantizer::make(const std::vector<float>& std_dev,
                                       const std::vector<int>& entry_bits,
                                       const std::vector<float>& levels,
                                       int type_id,
                                       int bits)
{
    const char* where = "scalar_quantizer";
    check_range<size_t>(where, "number of entries", std_dev.size(), 1, 65535);
    if (entry_bits.size() != std_dev.size())
        throw_bad(where,
                  "length of entry_bits",
                  entry_bits.size(),
                  "that of std_dev, " + std::to_string(std_dev.size()));
    check_range(where, "type_id", type_id, 0, 15);
    check_range(where, "bits", bits, 0, 65535);
    size_t wanted = 0;
    for (const int b : entry_bits) {
        check_range(where, "a number of bits", b, 0, max_bits);
        wanted += size_t(1) << b;
    }
    if (levels.size() != wanted)
        throw_bad(where, "number of levels", levels.size(), std::to_string(wanted));
    auto q =
        std::make_shared<scalar_quantizer_impl>("scalar", type_id, bits, std_dev.size());
    size_t offset = 0;
    for (size_t i = 0; i < std_dev.size(); i++) {
        q->add_entry(where,
                     q->add_table(where, levels.data() + offset, entry_bits[i]),
                     std_dev[i]);
        offset += size_t(1) << entry_bits[i];
    }
    return q;
}

quantizer::sptr quantizer::from_model(model_file::sptr model,
                                      const std::string& name,
                                      int code_size,
                                      int bits)
{
    if (name == "uniform")
        return scalar_quantizer::make_uniform(model, code_size, bits);
    if (name == "lloyd-max")
        return scalar_quantizer::make_lloyd_max(model, code_size, bits);
    if (name == "lloyd-max-per-entry")
        return scalar_quantizer::make_lloyd_max(model, code_size, bits, true);
    if (name == "allocated")
        return scalar_quantizer::make_allocated(
            model, code_size, bits * read_std_dev("quantizer", model, code_size).size());
    if (name == "predictive")
        return scalar_quantizer::make_predictive(
            model, code_size, bits * read_std_dev("quantizer", model, code_size).size());
    throw_bad("quantizer",
              "name",
              name,
              "uniform, lloyd-max, lloyd-max-per-entry, allocated or predictive");
}

void pack_levels(const quantizer& q, const int16_t* level, int m, uint8_t* bytes)
{
    uint32_t pending = 0;
    int count = 0;
    for (int i = 0; i < m; i++) {
        const int bits = q.entry_bits(i);
        pending = pending << bits | (uint32_t(level[i]) & ((1u << bits) - 1));
        count += bits;
        while (count >= 8) {
            count -= 8;
            *bytes++ = pending >> count;
        }
    }
    if (count)
        *bytes = pending << (8 - count);
}

void unpack_levels(const quantizer& q, const uint8_t* bytes, int m, int16_t* level)
{
    uint32_t pending = 0;
    int count = 0;
    for (int i = 0; i < m; i++) {
        const int bits = q.entry_bits(i);
        while (count < bits) {
            pending = pending << 8 | *bytes++;
            count += 8;
        }
        count -= bits;
        level[i] = pending >> count & ((1u << bits) - 1);
    }
}

} // namespace csifeedback
} // namespace gr
