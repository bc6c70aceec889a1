// Names of all codecs that have registered themselves.
#include <gnuradio/csifeedback/codec_registry.h>
#include <cstdio>

int main()
{
    for (const auto& name : gr::csifeedback::codec_registry::instance().codecs())
        std::printf("%s\n", name.c_str());
}
