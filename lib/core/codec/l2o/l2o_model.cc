/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "codec/l2o/l2o_model.h"
#include "kernels/kernels.h"
#include <type_traits>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

constexpr size_t lanes = 16; // of the largest registers
// Columns of a layer's weights that lie together.
constexpr size_t panel = 64;
// Floats of all weights in the layout of the products.
constexpr size_t max_weights = size_t(1) << 28;

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Reads the arrays of a profile.
class reader
{
public:
    reader(const model_file& model, const std::string& profile)
        : d_model(model), d_group("l2o/" + profile + "/")
    {
        if (!model.has(d_group + "rates"))
            no_profile(profile);
    }

    bool has(const std::string& name) const { return d_model.has(d_group + name); }
    float_array read(const std::string& name, const std::vector<size_t>& shape) const
    {
        return d_model.read(d_group + name, shape);
    }
    template <typename T>
    [[noreturn]] void
    bad(const std::string& name, const T& value, const std::string& allowed) const
    {
        std::ostringstream text;
        text << d_model.path() << ": '" << d_group << name << "' has " << value
             << ", allowed is " << allowed;
        throw std::invalid_argument(text.str());
    }
    // A whole number.
    size_t number(const std::string& name, float value, size_t lo, size_t hi) const
    {
        if (!(value >= lo && value <= hi && value == std::floor(value)))
            bad(name,
                value,
                std::to_string(lo) + " to " + std::to_string(hi) + ", whole");
        return value;
    }

    // Layers <name>_0, <name>_1 ... for vectors of `inputs` values.
    std::vector<l2o_layer>
    layers(const std::string& name, size_t inputs, size_t iterations)
    {
        std::vector<l2o_layer> result;
        for (;;) {
            const std::string layer = name + "_" + std::to_string(result.size());
            if (!has(layer + "_weight"))
                return result;
            const float_array weight = read(layer + "_weight", { 0, 0, inputs });
            l2o_layer l;
            l.units = weight.shape[0];
            l.outputs = weight.shape[1];
            l.inputs = inputs;
            l.stride = round_up(l.outputs, lanes);
            if (l.units != 1 && l.units != iterations)
                bad(layer + "_weight",
                    std::to_string(l.units) + " layers",
                    "1 or one for each of the " + std::to_string(iterations) +
                        " iterations");
            d_weights += l.units * l.inputs * l.stride;
            if (d_weights > max_weights)
                bad(layer + "_weight",
                    std::to_string(l.outputs) + " outputs",
                    "less than 1 GiB for all layers");
            const float_array bias = read(layer + "_bias", { l.units, l.outputs });
            l.weights.resize(l.units * l.inputs * l.stride, 0.0f);
            l.bias.resize(l.units * l.stride, 0.0f);
            for (size_t u = 0; u < l.units; u++)
                for (size_t o = 0; o < l.outputs; o++) {
                    const size_t first = o / panel * panel,
                                 width = std::min(panel, l.stride - first);
                    const float* from = &weight.data[(u * l.outputs + o) * inputs];
                    float* to =
                        &l.weights[u * inputs * l.stride + first * inputs + (o - first)];
                    for (size_t i = 0; i < inputs; i++)
                        to[i * width] = from[i];
                    l.bias[u * l.stride + o] = bias.data[u * l.outputs + o];
                }
            result.push_back(std::move(l));
            inputs = result.back().outputs;
        }
    }

    // The weights of phases: rates x count of them.
    std::vector<l2o_convolutions> convolutions(size_t rates, size_t count) const
    {
        constexpr size_t channels = phase_channels;
        std::vector<l2o_convolutions> result(rates * count);
        const float_array squeeze_bias = read("phase_squeeze_bias", { rates, count, 0 });
        const size_t hidden = squeeze_bias.shape[2];
        // Of f(phase, values) for every phase of an array.
        const auto each = [&](const char* name, size_t size, auto f) {
            const float_array values = read(name, { rates, count, size });
            for (size_t k = 0; k < result.size(); k++)
                f(result[k], values.data.data() + k * size);
        };
        // A layer of `outputs` rows of `inputs` weights becomes its transpose.
        const auto transposed = [&](const char* name,
                                    size_t outputs,
                                    size_t inputs,
                                    volk::vector<float> l2o_convolutions::*to) {
            each(name, outputs * inputs, [&](l2o_convolutions& phase, const float* w) {
                for (size_t i = 0; i < inputs; i++)
                    for (size_t o = 0; o < outputs; o++)
                        (phase.*to).push_back(w[o * inputs + i]);
            });
        };
        const auto copied =
            [&](const char* name, size_t size, std::vector<float> l2o_convolutions::*to) {
                each(name, size, [&](l2o_convolutions& phase, const float* w) {
                    (phase.*to).assign(w, w + size);
                });
            };
        transposed("phase_into_weight", channels, 2 * 9, &l2o_convolutions::into);
        transposed(
            "phase_forward_0_weight", channels, channels, &l2o_convolutions::forward);
        transposed(
            "phase_forward_1_weight", channels, channels, &l2o_convolutions::forward);
        transposed(
            "phase_inverse_0_weight", channels, channels, &l2o_convolutions::inverse);
        transposed(
            "phase_inverse_1_weight", channels, channels, &l2o_convolutions::inverse);
        transposed("phase_out_weight", 2, channels * 9, &l2o_convolutions::out);
        copied("phase_squeeze_weight", hidden * channels, &l2o_convolutions::squeeze);
        copied("phase_squeeze_bias", hidden, &l2o_convolutions::squeeze_bias);
        copied("phase_excite_weight", channels * hidden, &l2o_convolutions::excite);
        copied("phase_excite_bias", channels, &l2o_convolutions::excite_bias);
        return result;
    }

    // Rows of weights, each with its bias behind it.
    volk::vector<float> with_bias(const std::string& name, size_t rows, size_t cols) const
    {
        const float_array weight = read(name + "_weight", { rows, cols }),
                          bias = read(name + "_bias", { rows });
        volk::vector<float> result(rows * (cols + 1));
        for (size_t r = 0; r < rows; r++) {
            std::copy_n(
                weight.data.begin() + r * cols, cols, result.begin() + r * (cols + 1));
            result[r * (cols + 1) + cols] = bias.data[r];
        }
        return result;
    }

private:
    [[noreturn]] void no_profile(const std::string& profile) const
    {
        std::string profiles;
        for (const std::string& name : d_model.names("l2o"))
            profiles += (profiles.empty() ? "" : ", ") + name;
        std::string text = "l2o_decoder: profile is " + profile + ", but " +
                           d_model.path() + " has " +
                           (profiles.empty() ? "none" : profiles) + "; it is a '" +
                           d_model.codec() + "' model";
        const std::string channel = d_model.text("channel"),
                          command = d_model.text("command");
        if (!channel.empty())
            text += " for channel " + channel;
        if (!command.empty())
            text += ", made by: " + command;
        throw std::invalid_argument(text);
    }

    const model_file& d_model;
    const std::string d_group;
    size_t d_weights = 0;
};

float softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

} // namespace

void l2o_convolutions::limits(const float* magnitudes, float* out) const
{
    const size_t hidden = squeeze_bias.size();
    float part[phase_channels];
    std::copy(excite_bias.begin(), excite_bias.end(), part);
    for (size_t h = 0; h < hidden; h++) {
        float sum = squeeze_bias[h];
        for (size_t k = 0; k < phase_channels; k++)
            sum += squeeze[h * phase_channels + k] * magnitudes[k];
        for (size_t k = 0; sum > 0 && k < phase_channels; k++)
            part[k] += excite[k * hidden + h] * sum;
    }
    for (size_t k = 0; k < phase_channels; k++)
        out[k] = magnitudes[k] / (1 + std::exp(-part[k]));
}

template <typename weight, typename product>
bool l2o_layer::by_panels(const volk::vector<weight>& all,
                          size_t depth,
                          size_t iteration,
                          product f) const
{
    const size_t unit = std::min(iteration, units - 1);
    const weight* from = all.data() + unit * depth * stride;
    const float* start = bias.data() + unit * stride;
    for (size_t at = 0; at < stride; at += panel)
        if (!f(from + at * depth, start + at, at, std::min(panel, stride - at)))
            return false;
    return true;
}

template <typename word>
void l2o_layer::apply(const word* x,
                      size_t x_stride,
                      float* y,
                      size_t y_stride,
                      size_t rows,
                      size_t iteration,
                      bool relu) const
{
    const auto multiply = [&](const auto& all, size_t depth, const auto& gemm) {
        by_panels(all,
                  depth,
                  iteration,
                  [&](const word* from, const float* start, size_t at, size_t width) {
                      gemm(x,
                           x_stride,
                           from,
                           width,
                           start,
                           0,
                           y + at,
                           y_stride,
                           rows,
                           depth,
                           width,
                           relu);
                      return true;
                  });
    };
    if constexpr (std::is_same_v<word, float>)
        multiply(weights, inputs, kernels().gemm);
    else
        multiply(pairs, (inputs + 1) / 2, bf16_kernels()->gemm);
}

template void
l2o_layer::apply(const float*, size_t, float*, size_t, size_t, size_t, bool) const;
template void
l2o_layer::apply(const bf16_pair*, size_t, float*, size_t, size_t, size_t, bool) const;

bool l2o_layer::apply_sparse(const float* x,
                             size_t x_stride,
                             float* y,
                             size_t y_stride,
                             size_t rows,
                             size_t iteration,
                             bool relu) const
{
    return by_panels(weights,
                     inputs,
                     iteration,
                     [&](const float* from, const float* start, size_t at, size_t width) {
                         return kernels().sparse_gemm(x,
                                                      x_stride,
                                                      from,
                                                      width,
                                                      start,
                                                      y + at,
                                                      y_stride,
                                                      rows,
                                                      inputs,
                                                      width,
                                                      relu);
                     });
}

void l2o_layer::add_bf16()
{
    const size_t depth = (inputs + 1) / 2;
    pairs.resize(units * depth * stride);
    for (size_t u = 0; u < units; u++)
        for (size_t at = 0; at < stride; at += panel) {
            const size_t width = std::min(panel, stride - at);
            const float* from = &weights[u * inputs * stride + at * inputs];
            bf16_pair* to = &pairs[u * depth * stride + at * depth];
            for (size_t d = 0; d < depth; d++)
                for (size_t k = 0; k < width; k++)
                    to[d * width + k] = to_bf16_pair(
                        from[2 * d * width + k],
                        2 * d + 1 < inputs ? from[(2 * d + 1) * width + k] : 0.0f);
        }
}

l2o_model::l2o_model(const model_file& model, const std::string& profile)
{
    reader file(model, profile);
    d_rates = file.read("rates", { 0 }).data;
    const size_t rates = d_rates.size();
    for (size_t i = 0; i < rates; i++)
        if (!(d_rates[i] >= (i ? d_rates[i - 1] : 1)) ||
            (i && d_rates[i] == d_rates[i - 1]))
            file.bad("rates", d_rates[i], "code sizes from 1 on, ascending");
    const float_array p = file.read("p", { rates, 0 });
    const size_t na = model.na(), columns = p.shape[1];
    if (file.has("rows"))
        d_rows = file.number("rows", file.read("rows", { 1 }).data[0], na, na);
    d_iterations = columns / d_rows;
    if (columns % d_rows)
        file.bad("p",
                 std::to_string(columns) + " columns",
                 "a multiple of the " + std::to_string(d_rows) + " of rows");
    d_p = p.data;
    d_a = file.read("a", { rates, columns }).data;
    d_b = file.read("b", { rates, columns }).data;
    d_theta = file.read("theta", { rates, columns }).data;
    d_gamma = file.read("gamma", { rates, columns }).data;
    d_consistency = file.read("consistency", { rates }).data;
    const float_array kinds = file.read("activation", { 3 });
    for (size_t i = 0; i < 3; i++)
        activation[i] = file.number("activation", kinds.data[i], 0, 3);
    start = file.number("start", file.read("start", { 1 }).data[0], 0, 2);

    if (file.has("phase_steps")) {
        const float_array steps = file.read("phase_steps", { rates, 0 });
        d_phases = steps.shape[1];
        d_steps = steps.data;
        d_momenta = file.read("phase_momenta", { rates, d_phases }).data;
        d_convolutions = file.convolutions(rates, d_phases);
    }

    const size_t row = 2 * size_t(model.nt());
    forward = file.layers("transform_forward", row, d_iterations);
    const float top = file.read("top_g", { 1 }).data[0];
    if (forward.empty()) {
        keep = file.number("top_g", top, 0, 0);
        if (file.has("transform_inverse_0_weight"))
            file.bad("transform_inverse_0_weight",
                     "no counterpart",
                     "only with transform_forward_0_weight");
    } else {
        const size_t width = forward.back().outputs;
        keep = file.number("top_g", top, 0, width);
        inverse = file.layers("transform_inverse", width, d_iterations);
        if (inverse.empty())
            file.read("transform_inverse_0_weight", { 0, 0, width }); // throws
        if (inverse.back().outputs != row)
            file.bad("transform_inverse_" + std::to_string(inverse.size() - 1) +
                         "_weight",
                     std::to_string(inverse.back().outputs) + " outputs",
                     "2 nt = " + std::to_string(row));
    }

    for (size_t k = 0;; k++) {
        const std::string name = "lstm_" + std::to_string(k);
        if (!file.has(name + "_weight"))
            break;
        const float_array weight = file.read(name + "_weight", { 0, 0 });
        const size_t gates = weight.shape[0], inputs = k ? hidden : 2;
        if (k == 0)
            hidden = gates / 4;
        if (gates != 4 * hidden || hidden == 0 || weight.shape[1] != inputs + hidden)
            file.bad(name + "_weight",
                     "shape (" + std::to_string(gates) + ", " +
                         std::to_string(weight.shape[1]) + ")",
                     "(4 hidden, inputs + hidden)" +
                         (k || gates % 4 == 0
                              ? " = (" + std::to_string(4 * hidden) + ", " +
                                    std::to_string(inputs + hidden) + ")"
                              : ""));
        const float_array bias = file.read(name + "_bias", { gates });
        volk::vector<float> packed(hidden * 4 * (1 + inputs + hidden));
        float* to = packed.data();
        for (size_t j = 0; j < hidden; j++) {
            for (size_t g = 0; g < 4; g++)
                *to++ = lstm_gate_scale[g] * bias.data[g * hidden + j];
            for (size_t i = 0; i < inputs + hidden; i++)
                for (size_t g = 0; g < 4; g++)
                    *to++ = lstm_gate_scale[g] *
                            weight.data[(g * hidden + j) * (inputs + hidden) + i];
        }
        lstm.push_back(std::move(packed));
    }
    if (hidden) {
        mlp = file.with_bias("mlp", hidden, hidden);
        heads = file.with_bias("heads", 5, hidden);
    } else {
        for (const char* name : { "lstm_1_weight", "mlp_weight", "heads_weight" })
            if (file.has(name))
                file.bad(name, "no LSTM before it", "only with lstm_0_weight");
    }
}

void l2o_model::add_bf16()
{
    for (auto* layers : { &forward, &inverse })
        for (l2o_layer& layer : *layers)
            layer.add_bf16();
    const size_t pairs = (hidden + 1) / 2;
    for (size_t k = 0; k < lstm.size(); k++) {
        const size_t inputs = k ? hidden : 2, unit = 4 * (1 + inputs + hidden);
        volk::vector<bf16_pair> packed;
        for (size_t j = 0; j < hidden; j++) {
            const float* from = lstm[k].data() + j * unit;
            for (size_t g = 0; g < 4; g++) {
                bf16_pair bits;
                std::memcpy(&bits, from + g, sizeof(bits));
                packed.push_back(bits);
            }
            from += 4;
            for (const size_t count : { inputs, hidden }) {
                for (size_t i = 0; i < count; i += 2)
                    for (size_t g = 0; g < 4; g++)
                        packed.push_back(
                            to_bf16_pair(from[4 * i + g],
                                         i + 1 < count ? from[4 * (i + 1) + g] : 0.0f));
                from += 4 * count;
            }
        }
        lstm_pairs.push_back(std::move(packed));
    }
    const auto round = [&](const volk::vector<float>& from,
                           volk::vector<bf16_pair>& weights,
                           volk::vector<float>& bias) {
        const size_t rows = from.size() / (hidden + 1);
        bias.resize(rows * l2o_block);
        for (size_t r = 0; r < rows; r++) {
            const float* row = from.data() + r * (hidden + 1);
            for (size_t i = 0; i < pairs; i++)
                weights.push_back(
                    to_bf16_pair(row[2 * i], 2 * i + 1 < hidden ? row[2 * i + 1] : 0.0f));
            std::fill_n(bias.begin() + r * l2o_block, l2o_block, row[hidden]);
        }
    };
    if (hidden) {
        round(mlp, mlp_pairs, mlp_bias);
        round(heads, heads_pairs, heads_bias);
    }
}

float l2o_model::interpolate(const std::vector<float>& table,
                             size_t column,
                             size_t m) const
{
    const size_t cols = table.size() / d_rates.size();
    const auto value = [&](size_t rate) { return table[rate * cols + column]; };
    const size_t above =
        std::lower_bound(d_rates.begin(), d_rates.end(), float(m)) - d_rates.begin();
    if (above == 0)
        return value(0);
    if (above == d_rates.size())
        return value(above - 1);
    const double lower = std::log2(d_rates[above - 1]), upper = std::log2(d_rates[above]);
    const double part = (std::log2(double(m)) - lower) / (upper - lower);
    return (1 - part) * value(above - 1) + part * value(above);
}

std::vector<l2o_phase> l2o_model::phases(size_t m) const
{
    const auto distance = [&](float rate) { return std::abs(std::log2(rate / m)); };
    const auto nearest =
        std::min_element(d_rates.begin(), d_rates.end(), [&](float a, float b) {
            return distance(a) < distance(b);
        });
    const size_t first = (nearest - d_rates.begin()) * d_phases;
    std::vector<l2o_phase> result(d_phases);
    for (size_t k = 0; k < d_phases; k++)
        result[k] = { interpolate(d_steps, k, m),
                      interpolate(d_momenta, k, m),
                      &d_convolutions[first + k] };
    return result;
}

std::vector<l2o_parameters> l2o_model::parameters(size_t m) const
{
    std::vector<l2o_parameters> result(d_iterations * d_rows);
    for (size_t k = 0; k < result.size(); k++) {
        const float p = interpolate(d_p, k, m), a = interpolate(d_a, k, m);
        result[k] = { p,
                      a,
                      interpolate(d_b, k, m),
                      softplus(interpolate(d_theta, k, m)),
                      interpolate(d_gamma, k, m),
                      activated(0, p),
                      activated(1, a) };
    }
    return result;
}

float l2o_model::activated(size_t which, double x) const
{
    switch (activation[which]) {
    case 1:
        return 1 / (1 + std::exp(-x));
    case 2:
        return 2 / (1 + std::exp(-x));
    case 3:
        return std::tanh(x);
    default:
        return x;
    }
}

float l2o_model::consistency(size_t m) const { return interpolate(d_consistency, 0, m); }

} // namespace csifeedback
} // namespace gr
