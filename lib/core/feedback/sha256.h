/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_SHA256_H
#define INCLUDED_CSIFEEDBACK_SHA256_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace gr {
namespace csifeedback {

//! SHA-256 of FIPS 180-4, of messages below 2^61 bytes.
class sha256
{
public:
    using digest = std::array<uint8_t, 32>;

    sha256();
    //! Appends n bytes to the message.
    void update(const uint8_t* bytes, size_t n);
    //! The hash of the message; the object is used up.
    digest finish();

private:
    void block(const uint8_t* bytes);

    std::array<uint32_t, 8> d_state;
    std::array<uint8_t, 64> d_pending{};
    uint64_t d_bytes = 0;
};

//! HMAC-SHA256 of RFC 2104, with a key that is prepared once.
class hmac_sha256
{
public:
    //! The key may have any length, but RFC 2104 asks for 32 bytes.
    hmac_sha256(const uint8_t* key, size_t n);

    void update(const uint8_t* bytes, size_t n) { d_inner.update(bytes, n); }
    sha256::digest finish();

private:
    sha256 d_inner, d_outer;
};

} // namespace csifeedback
} // namespace gr

#endif /* INCLUDED_CSIFEEDBACK_SHA256_H */
