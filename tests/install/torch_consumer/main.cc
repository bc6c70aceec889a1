// Uses the component of TorchScript, as an external project would.
#include <gnuradio/csifeedback/torch_encoder.h>
#include <cstdio>
#include <stdexcept>
#include <string>

int main()
{
    try {
        gr::csifeedback::torch_encoder::make("/none.pt");
    } catch (const std::invalid_argument& error) {
        const std::string text = error.what();
        std::printf("%s\n", text.substr(0, text.find(',')).c_str());
    }
    return 0;
}
