/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_CONVOLUTIONAL_H
#define INCLUDED_CSIFEEDBACK_CONVOLUTIONAL_H

#include <array>
#include <cstdint>

namespace gr {
namespace csifeedback {

/*!
 * \brief The convolutional code of constraint length 7 and rate 1/3 with the generators
 * 133, 171 and 165 (octal) of TS 36.212, clause 5.1.3.1, ended by six zeros.
 */
template <int bits>
struct convolutional_code {
    static constexpr int memory = 6, states = 1 << memory, length = bits + memory;
    static constexpr int coded = 3 * length;
    static constexpr unsigned generators[3] = { 0133, 0171, 0165 };

    //! The three output bits of a step; the newest bit is the highest of the register.
    static unsigned output(unsigned reg)
    {
        unsigned out = 0;
        for (int g = 0; g < 3; g++)
            out |= unsigned(__builtin_parity(reg & generators[g])) << g;
        return out;
    }

    static std::array<uint8_t, coded> encode(const std::array<uint8_t, bits>& in)
    {
        std::array<uint8_t, coded> out;
        unsigned state = 0;
        for (int i = 0; i < length; i++) {
            const unsigned reg = state | unsigned(i < bits ? in[i] : 0) << memory;
            const unsigned o = output(reg);
            for (int g = 0; g < 3; g++)
                out[3 * i + g] = o >> g & 1;
            state = reg >> 1;
        }
        return out;
    }

    //! The most likely word (Viterbi); soft is positive for a bit 0.
    static std::array<uint8_t, bits> decode(const std::array<float, coded>& soft)
    {
        constexpr float never = -1e30f;
        std::array<float, states> metric, next;
        metric.fill(never);
        metric[0] = 0;
        // Bit s of entry i: the register bit that fell out on the way to state s.
        std::array<uint64_t, length> fallen;
        for (int i = 0; i < length; i++) {
            float branch[8];
            for (int o = 0; o < 8; o++) {
                branch[o] = 0;
                for (int g = 0; g < 3; g++)
                    branch[o] += o >> g & 1 ? -soft[3 * i + g] : soft[3 * i + g];
            }
            fallen[i] = 0;
            for (unsigned s = 0; s < states; s++) {
                const unsigned reg = s << 1;
                const float a = metric[reg & (states - 1)] + branch[output(reg)],
                            b = metric[(reg & (states - 1)) | 1] +
                                branch[output(reg | 1)];
                next[s] = b > a ? b : a;
                fallen[i] |= uint64_t(b > a) << s;
            }
            metric = next;
        }
        std::array<uint8_t, bits> out;
        unsigned state = 0;
        for (int i = length - 1; i >= 0; i--) {
            if (i < bits)
                out[i] = state >> (memory - 1);
            state = (state << 1 & (states - 1)) | (fallen[i] >> state & 1);
        }
        return out;
    }
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_CONVOLUTIONAL_H */
