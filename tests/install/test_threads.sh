#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: test_threads.sh SOURCE_DIRECTORY BUILD_DIRECTORY CMAKE CXX_COMPILER [COMPILER_LAUNCHER]

set -euo pipefail
source=$1 build=$2 cmake=$3 compiler=$4 launcher=${5:-}
"$cmake" -S "$source/tests/threads" -B "$build" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
"$cmake" --build "$build" -j 2 >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
export TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}"
# Some kernels place memory where older runtimes of the sanitizer do not expect it.
run=("$build/test_threads")
if "${run[@]}" --gtest_list_tests 2>&1 | grep -q "unexpected memory mapping"; then
    run=(setarch "$(uname -m)" --addr-no-randomize "${run[@]}")
fi
"${run[@]}"
