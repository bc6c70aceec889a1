/* -*- c++ -*- */
/*
 * Copyright 2026 gr-csifeedback authors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

#ifndef INCLUDED_CSIFEEDBACK_API_H
#define INCLUDED_CSIFEEDBACK_API_H

// Symbol visibility of the library. Deliberately free of GNU Radio headers: the core
// library and its tests build on a machine without GNU Radio.
#if defined(_WIN32)
#ifdef gnuradio_csifeedback_EXPORTS
#define CSIFEEDBACK_API __declspec(dllexport)
#else
#define CSIFEEDBACK_API __declspec(dllimport)
#endif
#else
#define CSIFEEDBACK_API __attribute__((visibility("default")))
#endif

#endif /* INCLUDED_CSIFEEDBACK_API_H */
