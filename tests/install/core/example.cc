#include <gnuradio/csifeedback/cost2100_channel.h>
#include <gnuradio/csifeedback/decoder.h>
#include <gnuradio/csifeedback/encoder.h>
#include <gnuradio/csifeedback/metrics.h>
#include <gnuradio/csifeedback/normalize.h>
#include <cmath>
#include <cstdio>
using namespace gr::csifeedback;

int main()
{
    const auto model = model_file::open("cost2100-indoor-local-klt");
    const auto ue = encoder::from_model(model, 128);
    const auto bs = decoder::from_model(model, 128);
    std::vector<std::complex<float>> ha(model->na() * model->nt()), found(ha.size());
    const auto channel = cost2100_channel::make({});
    channel->generate_truncated(1000000, model->na(), model->precursor(), ha.data());
    std::vector<float> h(2 * ha.size()), s(128);
    const float gain_db = normalize_csi(ha.data(), ha.size(), h.data());
    ue->encode(h.data(), s.data(), s.size());
    bs->decode(s.data(), s.size(), h.data());
    denormalize_csi(h.data(), ha.size(), gain_db, found.data());
    const double error = squared_error_ratio(ha.data(), found.data(), ha.size());
    std::printf("%zu numbers, error %.1f dB\n", s.size(), 10 * std::log10(error));
}
