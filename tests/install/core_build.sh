# shellcheck shell=bash
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced. The core by itself, without GNU Radio, under AddressSanitizer and
# UndefinedBehaviorSanitizer: two tests need it, and compile it once.

# configure_core SOURCE_DIRECTORY BUILD_DIRECTORY CMAKE COMPILER_LAUNCHER [OPTION...]
configure_core() {
    local source=$1 build=$2 cmake=$3 launcher=$4
    shift 4
    # Optimized less than a release: at -O2 with -g the sanitizers make some files compile for minutes.
    "$cmake" -S "$source" -B "$build" -G "Unix Makefiles" -DCORE_ONLY=ON -DSANITIZE=address,undefined \
        -DCMAKE_DISABLE_FIND_PACKAGE_Gnuradio=ON -DENABLE_FUZZERS=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
        -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" "$@"
}
