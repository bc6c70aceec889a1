/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "one_thread.h"
#include <gnuradio/csifeedback/torch_decoder.h>
#include <gnuradio/csifeedback/torch_encoder.h>
#include <gnuradio/csifeedback/torch_network.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/version.h>
#include <cstring>
#include <mutex>

namespace gr {
namespace csifeedback {

namespace {

// Attributes of a module that state something, as text.
std::string attributes_of(const torch::jit::Module& module)
{
    std::string text;
    const auto add = [&](const char* name, const std::string& value) {
        text += (text.empty() ? "" : ",") + std::string(name) + "=" + value;
    };
    for (const char* name : { "rows",
                              "nt",
                              "nc",
                              "precursor",
                              "n1",
                              "n2",
                              "polarizations",
                              "code_size",
                              "number",
                              "model_id",
                              "nested" })
        if (module.hasattr(name)) {
            const c10::IValue value = module.attr(name);
            if (value.isBool())
                add(name, value.toBool() ? "1" : "0");
            else if (value.isInt())
                add(name, std::to_string(value.toInt()));
        }
    for (const char* name : { "name", "title", "domain", "part", "decoder" })
        if (module.hasattr(name) && module.attr(name).isString())
            add(name, module.attr(name).toStringRef());
    return text;
}

class torch_network_impl : public torch_network
{
public:
    torch_network_impl(const std::string& path,
                       torch::jit::Module module,
                       network_info info)
        : torch_network(path, std::move(info)), d_module(std::move(module))
    {
        if (method(d_module, part::encoder).empty() &&
            method(d_module, part::decoder).empty())
            throw std::invalid_argument(
                path + (d_module.find_method("forward")
                            ? " does not state which part its function forward is: "
                              "part=encoder or part=decoder"
                            : " has no method encode, decode or forward"));
    }

    static torch::jit::Module load(const std::string& path, std::string* stated = nullptr)
    {
        torch::jit::ExtraFilesMap files{ { "csifeedback", "" } };
        try {
            torch::jit::Module module = torch::jit::load(path, torch::kCPU, files);
            module.eval();
            if (stated) {
                std::string text = files["csifeedback"];
                while (!text.empty() && std::strchr("\n\r\t ", text.back()))
                    text.pop_back();
                *stated = attributes_of(module);
                if (!text.empty())
                    *stated += (stated->empty() ? "" : ",") + text;
            }
            return module;
        } catch (const c10::Error& error) {
            throw std::invalid_argument(path +
                                        ": is no TorchScript file, or not for "
                                        "PyTorch " +
                                        library_version() + ": " +
                                        reason(error.what_without_backtrace()));
        } catch (const std::exception& error) {
            throw std::invalid_argument(
                path + ": is no TorchScript file: " + reason(error.what()));
        }
    }

    bool has(part half) const override
    {
        return !method(d_module, half).empty() ||
               (half == part::decoder && !info().decoder.empty());
    }

    array run(part half, const float* in, const std::vector<int64_t>& shape) override
    {
        torch::jit::Module& module = module_of(half);
        const one_thread alone;
        try {
            const c10::InferenceMode inference;
            // As written: optimization pays for itself only after runs of each shape, and
            // then gives other roundings for each.
            const torch::jit::GraphOptimizerEnabledGuard optimize(false);
            // A copy: a method may work in place.
            std::vector<c10::IValue> arguments = {
                torch::from_blob(const_cast<float*>(in), shape, torch::kFloat).clone()
            };
            const c10::IValue result =
                module.get_method(method(module, half, true))(std::move(arguments));
            if (!result.isTensor())
                throw std::runtime_error("the " + std::string(half_name(half)) +
                                         " gives no tensor");
            at::Tensor tensor = result.toTensor();
            if (tensor.is_complex())
                throw std::runtime_error("the " + std::string(half_name(half)) +
                                         " gives complex values, allowed are real ones");
            tensor = tensor.to(torch::kCPU, torch::kFloat).contiguous();
            array out;
            out.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
            out.values.resize(tensor.numel());
            if (tensor.numel())
                std::memcpy(out.values.data(),
                            tensor.data_ptr<float>(),
                            sizeof(float) * tensor.numel());
            return out;
        } catch (const c10::Error& error) {
            throw std::runtime_error(reason(error.what_without_backtrace()));
        } catch (const std::runtime_error& error) {
            throw std::runtime_error(reason(error.what()));
        }
    }

private:
    static const char* half_name(part half)
    {
        return half == part::encoder ? "encoder" : "decoder";
    }

    // The method of a half; empty if there is none. only: of a file that has this half
    // alone.
    std::string
    method(const torch::jit::Module& module, part half, bool only = false) const
    {
        const char* name = half == part::encoder ? "encode" : "decode";
        if (module.find_method(name))
            return name;
        const bool forward_is =
            &module == &d_module ? info().part == half_name(half) : only;
        return forward_is && module.find_method("forward") ? "forward" : "";
    }

    // The module with a half; the file of a decoder is loaded when it is first needed, as
    // the UE has none.
    torch::jit::Module& module_of(part half)
    {
        if (!method(d_module, half).empty())
            return d_module;
        const std::lock_guard<std::mutex> lock(d_mutex);
        if (!d_decoder) {
            const std::string file = decoder_path();
            auto module = std::make_unique<torch::jit::Module>(load(file));
            if (method(*module, half, true).empty())
                throw std::invalid_argument(file + " has no method decode or forward");
            d_decoder = std::move(module);
        }
        return *d_decoder;
    }

    mutable torch::jit::Module d_module;
    std::mutex d_mutex;
    std::unique_ptr<torch::jit::Module> d_decoder;
};

} // namespace

network::sptr torch_network::open(const std::string& path,
                                  const std::string& options,
                                  const std::string& defaults)
{
    std::string stated;
    torch::jit::Module module = torch_network_impl::load(path, &stated);
    const network_info info =
        network_info::read(path, default_number, { defaults, stated, options });
    const auto net = std::make_shared<torch_network_impl>(path, std::move(module), info);
    network_codec::check(*net);
    return net;
}

std::string torch_network::stated(const std::string& path)
{
    std::string text;
    torch_network_impl::load(path, &text);
    return text;
}

std::string torch_network::library_version() { return TORCH_VERSION; }

encoder::sptr torch_encoder::make(const std::string& path,
                                  const std::string& options,
                                  int code_size,
                                  int model_id)
{
    return network_codec::make_encoder(
        torch_network::open(path, options), code_size, model_id);
}

decoder::sptr torch_decoder::make(const std::string& path,
                                  const std::string& options,
                                  int code_size,
                                  int model_id)
{
    return network_codec::make_decoder(
        torch_network::open(path, options), code_size, model_id);
}

} // namespace csifeedback
} // namespace gr
