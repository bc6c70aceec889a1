#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: build_plugins.sh BUILD_DIRECTORY WORK_DIRECTORY CMAKE COMPILER_LAUNCHER
#
# Installs the module in WORK_DIRECTORY/prefix, and builds against it the plug-in of a user and
# those that are broken.

set -euo pipefail
build=$1 work=$2 cmake=$3 launcher=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unset PYTHONPATH LD_LIBRARY_PATH CSIFEEDBACK_MODELS CSIFEEDBACK_CODECS
log=$work/build_plugins.log
run() { "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }; }

rm -rf "$work/prefix"
run "$cmake" --install "$build" --prefix "$work/prefix"
for project in cpp broken; do
    run "$cmake" -S "$here/$project" -B "$work/$project" -DCMAKE_PREFIX_PATH="$work/prefix" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher"
    run "$cmake" --build "$work/$project"
done
