/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "check.h"
#include "codec/builtin_codecs.h"
#include "codec/made_by.h"
#include "io/installed.h"
#include <gnuradio/csifeedback/codec_registry.h>
#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>

namespace gr {
namespace csifeedback {

namespace {

struct builtin_list {
    builtin_codecs::codec_list codecs;
    builtin_codecs::decoder_list decoders;
};

std::vector<builtin_list>& builtins()
{
    static std::vector<builtin_list> all;
    return all;
}

template <typename list>
auto find_name(list& all, const std::string& name) -> decltype(&all.front())
{
    for (auto& one : all)
        if (one.name == name)
            return &one;
    return nullptr;
}

std::string joined(const std::vector<std::string>& names)
{
    std::string text;
    for (const std::string& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

// Names are parts of "MODEL:DECODER,name=value" and of file names.
void check_name(const std::string& where, const std::string& name)
{
    const bool good =
        !name.empty() && name.size() <= 64 &&
        std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
    if (!good)
        throw_bad(where.c_str(),
                  "name",
                  "'" + name + "'",
                  "1 to 64 lower-case letters, digits and hyphens");
}

[[noreturn]] void bad_plugin(const std::string& path, const std::string& why)
{
    throw std::invalid_argument("codec plug-in " + path + ": " + why);
}

// Shared libraries of a directory by name, or a file itself.
std::vector<std::string> libraries(const std::string& path)
{
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        return { path };
    std::vector<std::string> result;
    if (DIR* directory = opendir(path.c_str())) {
        while (const dirent* entry = readdir(directory)) {
            const std::string name = entry->d_name;
            if (name.size() > 3 && name.compare(name.size() - 3, 3, ".so") == 0)
                result.push_back(path + "/" + name);
        }
        closedir(directory);
    }
    std::sort(result.begin(), result.end());
    return result;
}

} // namespace

struct codec_registry::content {
    // Recursive, since a plug-in calls add().
    std::recursive_mutex mutex;
    // Whether the search for plug-ins has begun, and whether it is over.
    bool searching = false;
    std::atomic<bool> searched{ false };
    // Descriptors stay where they are.
    std::deque<codec_descriptor> codecs;
    std::deque<decoder_descriptor> decoders;
    std::vector<std::string> loaded;

    void add(codec_descriptor codec)
    {
        const std::string where = "codec " + codec.name;
        check_name(where, codec.name);
        if (find_name(codecs, codec.name))
            throw std::invalid_argument(where +
                                        ": there is a codec of this name already");
        for (const auto& other : codecs)
            if (other.number == codec.number)
                throw std::invalid_argument(where + ": number is " +
                                            std::to_string(codec.number) +
                                            ", which is that of codec " + other.name);
        if (codec.domain != "Ha" && codec.domain != "H")
            throw_bad(where.c_str(), "domain", codec.domain, "Ha or H");
        if (!codec.make_encoder != codec.decoders.empty())
            throw std::invalid_argument(
                where + ": has an encoder without decoders, or decoders without encoder");
        if (!codec.make_report_encoder != !codec.make_report_decoder)
            throw std::invalid_argument(where + ": has one half of its reports");
        if (!codec.make_encoder && !codec.make_report_encoder)
            throw std::invalid_argument(where + ": has neither codewords nor reports");
        for (const auto& use : codec.decoders)
            if (!find_name(decoders, use.decoder))
                throw std::invalid_argument(where + ": there is no decoder " +
                                            use.decoder);
        if (codec.title.empty())
            codec.title = codec.name;
        codecs.push_back(std::move(codec));
    }
    void add(decoder_descriptor decoder)
    {
        const std::string where = "decoder " + decoder.name;
        check_name(where, decoder.name);
        if (find_name(decoders, decoder.name))
            throw std::invalid_argument(where +
                                        ": there is a decoder of this name already");
        if (!decoder.make)
            throw std::invalid_argument(where + ": has no function make");
        decoders.push_back(std::move(decoder));
    }

    std::vector<std::string> codecs_by_number() const
    {
        std::vector<std::pair<int, std::string>> numbered;
        for (const codec_descriptor& codec : codecs)
            numbered.emplace_back(codec.number, codec.name);
        std::sort(numbered.begin(), numbered.end());
        std::vector<std::string> names;
        for (auto& one : numbered)
            names.push_back(std::move(one.second));
        return names;
    }

    //! Calls f, which adds something, and takes all of it back if f throws.
    template <typename function>
    void all_or_nothing(function&& f)
    {
        const size_t codecs_before = codecs.size(), decoders_before = decoders.size();
        try {
            f();
        } catch (...) {
            codecs.resize(codecs_before);
            decoders.resize(decoders_before);
            throw;
        }
    }
};

builtin_codecs::builtin_codecs(codec_list codecs, decoder_list decoders)
{
    builtins().push_back({ codecs, decoders });
}

codec_registry::codec_registry() : d_content(new content)
{
    for (const builtin_list& list : builtins())
        if (list.decoders)
            for (decoder_descriptor& decoder : list.decoders())
                d_content->add(std::move(decoder));
    for (const builtin_list& list : builtins())
        if (list.codecs)
            for (codec_descriptor& codec : list.codecs())
                d_content->add(std::move(codec));
}

codec_registry& codec_registry::instance()
{
    static codec_registry* const registry = new codec_registry;
    registry->search();
    return *registry;
}

void codec_registry::search()
{
    if (d_content->searched)
        return;
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    // Plug-ins may call instance() while they are loaded.
    if (d_content->searching)
        return;
    d_content->searching = true;
    std::vector<std::string> places;
    if (const char* variable = std::getenv("CSIFEEDBACK_CODECS"))
        for (const std::string& place : split_paths(variable))
            places.push_back(place);
    for (const std::string& place : installed_directories("lib/gr-csifeedback/codecs"))
        places.push_back(place);
    for (const std::string& place : places)
        for (const std::string& path : libraries(place))
            try {
                load(path);
            } catch (const std::invalid_argument& error) {
                std::fprintf(stderr, "%s\n", error.what());
            }
    d_content->searched = true;
}

const void* codec_registry::library()
{
    static const char here = 0;
    return &here;
}

void codec_registry::add(codec_descriptor codec)
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    check_range(("codec " + codec.name).c_str(), "number", codec.number, 128, 255);
    d_content->add(std::move(codec));
}

void codec_registry::add(decoder_descriptor decoder)
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    d_content->add(std::move(decoder));
}

void codec_registry::add(codec_descriptor codec, decoder_descriptor decoder)
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    d_content->all_or_nothing([&] {
        add(std::move(decoder));
        add(std::move(codec));
    });
}

void codec_registry::load(const std::string& path)
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    char* resolved = ::realpath(path.c_str(), nullptr);
    if (!resolved)
        bad_plugin(path, "there is no such file");
    const std::string real = resolved;
    std::free(resolved);
    if (std::count(d_content->loaded.begin(), d_content->loaded.end(), real))
        return;
    void* const library = ::dlopen(real.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        bad_plugin(path, one_line(::dlerror()));
    const auto version =
        static_cast<const uint32_t*>(::dlsym(library, "csifeedback_plugin_version"));
    const auto linked_with = reinterpret_cast<const void* (*)()>(
        ::dlsym(library, "csifeedback_plugin_library"));
    const auto enter = reinterpret_cast<void (*)(codec_registry&)>(
        ::dlsym(library, "csifeedback_plugin_register"));
    try {
        if (!version || !enter)
            bad_plugin(path, "is no plug-in: it lacks CSIFEEDBACK_CODEC_PLUGIN");
        if (*version != codec_plugin_version)
            bad_plugin(path,
                       "is for version " + std::to_string(*version) +
                           " of the interface, this library has version " +
                           std::to_string(codec_plugin_version));
        if (!linked_with || linked_with() != codec_registry::library())
            bad_plugin(path, "is linked with another copy of this library");
        // What a library has added must not outlive it.
        d_content->all_or_nothing([&] {
            try {
                enter(*this);
            } catch (const std::exception& error) {
                bad_plugin(path, one_line(error.what()));
            } catch (...) {
                bad_plugin(path, "threw something that is no std::exception");
            }
        });
    } catch (const std::invalid_argument&) {
        ::dlclose(library);
        throw;
    }
    d_content->loaded.push_back(real);
}

const codec_descriptor* codec_registry::find(const std::string& name) const
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    return find_name(d_content->codecs, name);
}

const codec_descriptor& codec_registry::codec(const std::string& name) const
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    if (const codec_descriptor* found = find_name(d_content->codecs, name))
        return *found;
    throw std::invalid_argument("codec is " + name + ", allowed is " +
                                joined(d_content->codecs_by_number()));
}

const decoder_descriptor& codec_registry::decoder(const std::string& name) const
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    if (const decoder_descriptor* found = find_name(d_content->decoders, name))
        return *found;
    std::vector<std::string> known;
    for (const decoder_descriptor& decoder : d_content->decoders)
        known.push_back(decoder.name);
    throw std::invalid_argument("decoder is " + name + ", allowed is " + joined(known));
}

std::vector<std::string> codec_registry::codecs() const
{
    const std::lock_guard<std::recursive_mutex> lock(d_content->mutex);
    return d_content->codecs_by_number();
}

codec_registry::method codec_registry::parse(const std::string& codec_name,
                                             const std::string& text) const
{
    method result;
    result.codec = &codec(codec_name);
    if (result.codec->decoders.empty())
        throw std::invalid_argument("codec " + codec_name +
                                    " has no codewords, only reports");
    const size_t comma = std::min(text.find(','), text.size());
    std::string name = text.substr(0, comma);
    if (name.empty())
        name = result.codec->decoders.front().decoder;
    std::string known;
    const codec_descriptor::use* used = nullptr;
    for (const auto& use : result.codec->decoders) {
        known += (known.empty() ? "" : ", ") + use.decoder;
        if (use.decoder == name)
            used = &use;
    }
    if (!used)
        throw std::invalid_argument("decoder is " + name + ", codec " + codec_name +
                                    " has " + known);
    result.decoder = &decoder(name);
    result.suffix = used->suffix;
    result.options = option_values::parse("decoder " + name,
                                          result.decoder->options,
                                          text.substr(std::min(comma + 1, text.size())));
    return result;
}

std::string codec_registry::method::label() const
{
    std::string label = codec->title + suffix;
    for (const codec_option& option : options.options()) {
        if (!options.given(option.name))
            continue;
        const std::string& value = options.text(option.name);
        if (option.kind == codec_option::type::text && value != codec->name)
            label += " " + value;
    }
    if (options.given("iterations"))
        label += "-" + options.text("iterations");
    return label;
}

uint8_t codec_number(const char* where, const std::string& codec)
{
    const codec_registry& registry = codec_registry::instance();
    if (const codec_descriptor* found = registry.find(codec))
        return found->number;
    throw_bad(where, "codec of the model", codec, joined(registry.codecs()));
}

void check_codec(const char* where, const model_file& model, const char* codec)
{
    if (model.codec() != codec)
        throw_bad(where, "codec of the model", model.codec(), codec);
}

namespace {

model_file::sptr not_null(const char* where, model_file::sptr model)
{
    not_null(where, "model", model);
    return model;
}

} // namespace

encoder::sptr encoder::from_model(model_file::sptr model, int code_size)
{
    const codec_descriptor& codec =
        codec_registry::instance().codec(not_null("encoder::from_model", model)->codec());
    if (!codec.make_encoder)
        throw std::invalid_argument("codec " + codec.name +
                                    " has no codewords, only reports");
    return made_by(
        codec.name, "encoder", [&] { return codec.make_encoder(model, code_size); });
}

decoder::sptr
decoder::from_model(model_file::sptr model, int code_size, const std::string& method)
{
    const auto parsed = codec_registry::instance().parse(
        not_null("decoder::from_model", model)->codec(), method);
    return made_by(parsed.codec->name, "decoder", [&] {
        return parsed.decoder->make(model, code_size, parsed.options);
    });
}

} // namespace csifeedback
} // namespace gr
