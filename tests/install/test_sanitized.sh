#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: test_sanitized.sh SOURCE_DIRECTORY BUILD_DIRECTORY CMAKE [COMPILER_LAUNCHER]

set -euo pipefail
source=$1 build=$2 cmake=$3 launcher=${4:-}
# Optimized less than a release: at -O2 with -g the sanitizers make some files compile for minutes.
"$cmake" -S "$source" -B "$build" -DCORE_ONLY=ON -DSANITIZE=address,undefined \
    -DENABLE_FUZZERS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
"$cmake" --build "$build" -j 2 >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
# The figures of the channel models are checked in the plain build; here it is the code.
"$cmake" -E chdir "$build" ctest --output-on-failure -j 2
