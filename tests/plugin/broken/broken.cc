/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Plug-ins with one fault each, chosen by a definition of the compiler.

#include <gnuradio/csifeedback/codec_registry.h>
#include <cstdlib>
#include <stdexcept>

using namespace gr::csifeedback;

namespace {

struct own_error : std::runtime_error {
    own_error() : std::runtime_error("no license\nfor this machine") {}
};

struct failing_encoder : encoder {
    explicit failing_encoder(const model_file& m)
        : encoder({ "fails-later", 210, m.model_id(), "Ha", m.na(), m.nt(), 8 })
    {
    }
    float do_encode(const float*, float*, int) override { throw own_error(); }
};

struct failing_decoder : decoder {
    explicit failing_decoder(const model_file& m)
        : decoder({ "fails-later", 210, m.model_id(), "Ha", m.na(), m.nt(), 8 })
    {
    }
    void do_decode(const float*, int, float*) override { throw own_error(); }
};

[[maybe_unused]] void add(codec_registry& registry, const std::string& name, int number)
{
    decoder_descriptor method;
    method.name = name;
    method.make = [](model_file::sptr model, int, const option_values&) -> decoder::sptr {
#ifdef MAKES_NULL
        return nullptr;
#endif
        return std::make_shared<failing_decoder>(*model);
    };
    registry.add(method);
    codec_descriptor codec;
    codec.name = name;
    codec.number = number;
    codec.make_encoder = [](model_file::sptr model, int) -> encoder::sptr {
#ifdef MAKES_NULL
        return nullptr;
#endif
        if (std::getenv("BROKEN_PLUGIN_REFUSES"))
            throw own_error();
        return std::make_shared<failing_encoder>(*model);
    };
    codec.decoders = { { name, "" } };
    registry.add(codec);
}

} // namespace

#if defined(NO_PLUGIN)
extern "C" void nothing_of_use() {}
#elif defined(OTHER_VERSION)
extern "C" const uint32_t csifeedback_plugin_version = codec_plugin_version + 7;
extern "C" void csifeedback_plugin_register(codec_registry&) { std::abort(); }
#elif defined(OTHER_LIBRARY) // as if it were linked with another copy
extern "C" const uint32_t csifeedback_plugin_version = codec_plugin_version;
extern "C" const void* csifeedback_plugin_library()
{
    return &csifeedback_plugin_version;
}
extern "C" void csifeedback_plugin_register(codec_registry&) { std::abort(); }
#else
#ifdef NEEDS_SYMBOL
void defined_nowhere();
#endif

CSIFEEDBACK_CODEC_PLUGIN(registry)
{
#if defined(CLASHING_NUMBER) // that of strongest-cells
    add(registry, "clashing-number", 200);
#elif defined(CLASHING_NAME)
    add(registry, "strongest-cells", 201);
#elif defined(TAKEN_RANGE)
    add(registry, "taken-range", 17);
#elif defined(HALF_CLASH) // the first codec must go again with the second
    add(registry, "half-clash", 202);
    add(registry, "klt", 203);
#elif defined(THROWS)
    add(registry, "throws", 204);
    throw own_error();
#elif defined(THROWS_NUMBER)
    add(registry, "throws-number", 205);
    throw 42;
#elif defined(MAKES_NULL)
    add(registry, "makes-null", 206);
#elif defined(FAILS_LATER)
    add(registry, "fails-later", 210);
#elif defined(NEEDS_SYMBOL)
    (void)registry;
    defined_nowhere();
#elif defined(USES_REGISTRY) // no fault: the one that it is given is that of everybody
    if (&registry != &codec_registry::instance() || !registry.find("klt"))
        throw std::logic_error("there is a second registry");
    add(registry, "uses-registry", 207);
#endif
}
#endif
