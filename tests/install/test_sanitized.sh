#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: test_sanitized.sh SOURCE_DIRECTORY BUILD_DIRECTORY CMAKE [COMPILER_LAUNCHER]

set -euo pipefail
source=$1 build=$2 cmake=$3 launcher=${4:-}
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/core_build.sh"
configure_core "$source" "$build" "$cmake" "$launcher" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
"$cmake" --build "$build" -j 2 >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
# The figures of the channel models are checked in the plain build; here it is the code.
"$cmake" -E chdir "$build" ctest --output-on-failure -j 2
