/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#include "sha256.h"
#include <algorithm>

namespace gr {
namespace csifeedback {

namespace {

// First 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2
};

uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

} // namespace

sha256::sha256()
    // The same of the square roots of the first 8 primes.
    : d_state{ 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }
{
}

void sha256::update(const uint8_t* bytes, size_t n)
{
    while (n) {
        const size_t filled = d_bytes % d_pending.size();
        const size_t count = std::min(n, d_pending.size() - filled);
        std::copy_n(bytes, count, d_pending.data() + filled);
        d_bytes += count;
        bytes += count;
        n -= count;
        if (filled + count == d_pending.size())
            block(d_pending.data());
    }
}

sha256::digest sha256::finish()
{
    const uint64_t bits = 8 * d_bytes;
    const uint8_t one = 0x80, zero = 0;
    update(&one, 1);
    while (d_bytes % 64 != 56)
        update(&zero, 1);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = bits >> (56 - 8 * i);
    update(length, 8);
    digest result;
    for (size_t i = 0; i < result.size(); i++)
        result[i] = d_state[i / 4] >> (24 - 8 * (i % 4));
    return result;
}

void sha256::block(const uint8_t* bytes)
{
    uint32_t w[64];
    for (int t = 0; t < 16; t++, bytes += 4)
        w[t] = uint32_t(bytes[0]) << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
    for (int t = 16; t < 64; t++) {
        const uint32_t a = w[t - 15], b = w[t - 2];
        w[t] = w[t - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    std::array<uint32_t, 8> s = d_state;
    for (int t = 0; t < 64; t++) {
        const uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        const uint32_t t1 = s[7] + sum1 + choice + round_constants[t] + w[t];
        const uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        s = { t1 + sum0 + majority, s[0], s[1], s[2], s[3] + t1, s[4], s[5], s[6] };
    }
    for (size_t i = 0; i < s.size(); i++)
        d_state[i] += s[i];
}

hmac_sha256::hmac_sha256(const uint8_t* key, size_t n)
{
    std::array<uint8_t, 64> padded{};
    if (n > padded.size()) {
        sha256 hash;
        hash.update(key, n);
        const sha256::digest short_key = hash.finish();
        std::copy(short_key.begin(), short_key.end(), padded.begin());
    } else {
        std::copy_n(key, n, padded.begin());
    }
    for (uint8_t& x : padded)
        x ^= 0x36;
    d_inner.update(padded.data(), padded.size());
    for (uint8_t& x : padded)
        x ^= 0x36 ^ 0x5c;
    d_outer.update(padded.data(), padded.size());
}

sha256::digest hmac_sha256::finish()
{
    const sha256::digest inner = d_inner.finish();
    d_outer.update(inner.data(), inner.size());
    return d_outer.finish();
}

} // namespace csifeedback
} // namespace gr
