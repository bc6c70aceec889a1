/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include <gnuradio/csifeedback/onnx_network.h>
#include <onnxruntime_cxx_api.h>
#include <mutex>
#include <stdexcept>

namespace gr {
namespace csifeedback {

namespace {

// One for the process; objects may outlive any order of destruction.
Ort::Env& environment()
{
    static Ort::Env* const env = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "csifeedback");
    return *env;
}

// A graph with one input and the output that counts.
class graph
{
public:
    //! \throws Ort::Exception, std::invalid_argument
    explicit graph(const std::string& path)
    {
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(1);
        options.SetInterOpNumThreads(1);
        d_session = Ort::Session(environment(), path.c_str(), options);
        if (d_session.GetInputCount() != 1 || d_session.GetOutputCount() < 1)
            throw std::invalid_argument(
                path + ": has " + std::to_string(d_session.GetInputCount()) +
                " inputs and " + std::to_string(d_session.GetOutputCount()) +
                " outputs, allowed is 1 input and an output");
        // The information lives as long as the object that gives it.
        const Ort::TypeInfo in = d_session.GetInputTypeInfo(0),
                            out = d_session.GetOutputTypeInfo(0);
        if (in.GetONNXType() != ONNX_TYPE_TENSOR ||
            out.GetONNXType() != ONNX_TYPE_TENSOR ||
            type_of(in) != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
            type_of(out) != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
            throw std::invalid_argument(path + ": has an input or output of another type "
                                               "than tensor(float), which is allowed");
        d_input = d_session.GetInputNameAllocated(0, d_allocator).get();
        d_output = d_session.GetOutputNameAllocated(0, d_allocator).get();
        d_given = in.GetTensorTypeAndShapeInfo().GetShape();
        d_gives = out.GetTensorTypeAndShapeInfo().GetShape();
    }

    // What the shapes say, and the metadata; free dimensions are negative.
    std::string stated()
    {
        std::string text;
        const auto add = [&](const char* name, int64_t value) {
            if (value > 0)
                text += "," + std::string(name) + "=" + std::to_string(value);
        };
        if (d_given.size() == 4) {
            text = "part=encoder";
            add("rows", d_given[2]);
            add("nt", d_given[3]);
            if (d_gives.size() == 2)
                add("code_size", d_gives[1]);
        } else if (d_given.size() == 2 && d_gives.size() == 4) {
            text = "part=decoder";
            add("code_size", d_given[1]);
            add("rows", d_gives[2]);
            add("nt", d_gives[3]);
        }
        const auto value = d_session.GetModelMetadata().LookupCustomMetadataMapAllocated(
            "csifeedback", d_allocator);
        if (!value)
            return text;
        std::string more = value.get();
        more.erase(0, more.find_first_not_of(" \t\r\n"));
        more.erase(more.find_last_not_of(" \t\r\n") + 1);
        return text + (text.empty() || more.empty() ? "" : ",") + more;
    }

    network::array run(const float* in, const std::vector<int64_t>& shape)
    {
        size_t size = 1;
        for (const int64_t n : shape)
            size *= n;
        const auto memory =
            Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        // Inputs are not written to.
        const Ort::Value input = Ort::Value::CreateTensor<float>(
            memory, const_cast<float*>(in), size, shape.data(), shape.size());
        const char *given = d_input.c_str(), *gives = d_output.c_str();
        const auto outputs =
            d_session.Run(Ort::RunOptions{ nullptr }, &given, &input, 1, &gives, 1);
        const auto info = outputs[0].GetTensorTypeAndShapeInfo();
        const float* values = outputs[0].GetTensorData<float>();
        return { info.GetShape(), { values, values + info.GetElementCount() } };
    }

private:
    static ONNXTensorElementDataType type_of(const Ort::TypeInfo& info)
    {
        return info.GetTensorTypeAndShapeInfo().GetElementType();
    }

    Ort::AllocatorWithDefaultOptions d_allocator;
    Ort::Session d_session{ nullptr };
    std::string d_input, d_output;
    std::vector<int64_t> d_given, d_gives;
};

class onnx_network_impl : public onnx_network
{
public:
    onnx_network_impl(const std::string& path,
                      std::unique_ptr<graph> file,
                      network_info info)
        : onnx_network(path, std::move(info)),
          d_half(this->info().part == "decoder" ? part::decoder : part::encoder),
          d_file(std::move(file))
    {
        if (this->info().part.empty())
            throw std::invalid_argument(path + " does not state which part it is: "
                                               "part=encoder or part=decoder");
    }

    static std::unique_ptr<graph> load(const std::string& path)
    {
        try {
            return std::make_unique<graph>(path);
        } catch (const Ort::Exception& error) {
            throw std::invalid_argument(path +
                                        ": is no ONNX file, or not for ONNX Runtime " +
                                        library_version() + ": " + reason(error.what()));
        }
    }

    bool has(part half) const override
    {
        return half == d_half || (half == part::decoder && !info().decoder.empty());
    }

    array run(part half, const float* in, const std::vector<int64_t>& shape) override
    {
        graph& file = graph_of(half);
        try {
            return file.run(in, shape);
        } catch (const Ort::Exception& error) {
            throw std::runtime_error(reason(error.what()));
        }
    }

private:
    // The graph of a half; the file of a decoder is loaded when it is first needed, as the
    // UE has none.
    graph& graph_of(part half)
    {
        if (half == d_half)
            return *d_file;
        const std::lock_guard<std::mutex> lock(d_mutex);
        if (!d_decoder)
            d_decoder = load(decoder_path());
        return *d_decoder;
    }

    const part d_half;
    const std::unique_ptr<graph> d_file;
    std::mutex d_mutex;
    std::unique_ptr<graph> d_decoder;
};

} // namespace

network::sptr onnx_network::open(const std::string& path,
                                 const std::string& options,
                                 const std::string& defaults)
{
    std::unique_ptr<graph> file = onnx_network_impl::load(path);
    const network_info info =
        network_info::read(path, default_number, { defaults, file->stated(), options });
    const auto net = std::make_shared<onnx_network_impl>(path, std::move(file), info);
    network_codec::check(*net);
    return net;
}

std::string onnx_network::stated(const std::string& path)
{
    return onnx_network_impl::load(path)->stated();
}

std::string onnx_network::library_version() { return Ort::GetVersionString(); }

} // namespace csifeedback
} // namespace gr
