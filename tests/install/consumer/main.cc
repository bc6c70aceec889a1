// Uses one object of the core and one block, as an external project would.
#include <gnuradio/csifeedback/angular_delay.h>
#include <gnuradio/csifeedback/feedback_frame.h>
#include <gnuradio/csifeedback/version.h>
#include <cstdio>

int main()
{
    const auto block = gr::csifeedback::angular_delay::make(
        gr::csifeedback::csi_shape("Ha", 16, 4, 64, 4));
    const uint8_t bytes[] = { '1', '2', '3', '4', '5', '6', '7', '8', '9' };
    std::printf("%s %06x %s\n",
                block->name().c_str(),
                gr::csifeedback::crc24a(bytes, 9),
                gr::csifeedback::version());
    return 0;
}
