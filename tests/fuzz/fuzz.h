/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_FUZZ_H
#define INCLUDED_CSIFEEDBACK_FUZZ_H

#include <cstddef>
#include <cstdint>
#include <vector>

//! Tries one input; aborts if something is wrong. libFuzzer's entry.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

//! Valid inputs, which the driver mutates.
std::vector<std::vector<uint8_t>> fuzz_corpus();

#endif /* INCLUDED_CSIFEEDBACK_FUZZ_H */
