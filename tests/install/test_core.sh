#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: test_core.sh SOURCE_DIRECTORY BUILD_DIRECTORY CMAKE [COMPILER_LAUNCHER]
#
# The core as a library without GNU Radio: installs it, shared and static, and builds and runs the
# manual's example against each, as a project of its own. The object files are those of the
# sanitized build in BUILD_DIRECTORY, which is compiled here if it is not yet.

set -euo pipefail
source=$1 build=$2 cmake=$3 launcher=${4:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC1091
. "$here/core_build.sh"
unset LD_LIBRARY_PATH CSIFEEDBACK_MODELS CSIFEEDBACK_CODECS
installed=$build-installed
rm -rf "$installed"
mkdir -p "$installed"
log=$installed/test_core.log
run() { "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }; }
fail() { echo "$1"; exit 1; }

# Nothing that was compiled may have read a header of GNU Radio; VOLK is a library of its own.
check_headers() {
    local read foreign
    read=$(grep -rhoE --include='*.d' '[^ ]*(gnuradio|pmt)/[^ ]*' "$1" | sort -u) || true
    [[ $read == */gnuradio/csifeedback/encoder.h* ]] || fail "no dependencies in $1"
    foreign=$(grep -v '/gnuradio/csifeedback/' <<<"$read") || true
    [ -z "$foreign" ] || fail "headers of GNU Radio: $foreign"
}

for shared in OFF ON; do
    echo "== BUILD_SHARED_LIBS=$shared"
    work=$installed/$shared
    run configure_core "$source" "$build" "$cmake" "$launcher" -DBUILD_SHARED_LIBS=$shared
    run "$cmake" --build "$build" -j 2 --target csifeedback-core-library
    run "$cmake" --install "$build" --prefix "$work/prefix"
    check_headers "$build/lib"

    [ -e "$work/prefix/include/gnuradio/csifeedback/encoder.h" ] || fail "no headers were installed"
    for block in csi_encoder channel_source; do
        [ ! -e "$work/prefix/include/gnuradio/csifeedback/$block.h" ] || fail "$block.h is no header of the core"
    done
    run "$cmake" -S "$here/core" -B "$work/example" -G "Unix Makefiles" -DCMAKE_PREFIX_PATH="$work/prefix" \
        -DCMAKE_EXE_LINKER_FLAGS=-fsanitize=address,undefined
    run "$cmake" --build "$work/example" -j 2 --target example codecs
    # Every header by itself; they are the same of both.
    [ $shared = ON ] || run "$cmake" --build "$work/example" -j 2 --target headers
    check_headers "$work/example"
    ! ldd "$work/example/example" | grep -iE 'gnuradio-|gnuradio\.|pmt' || fail "the example needs GNU Radio"

    # A program that is linked statically lies elsewhere than the models.
    models=
    [ $shared = ON ] || models=$work/prefix/share/gr-csifeedback/models
    said=$(cd / && CSIFEEDBACK_MODELS=$models "$work/example/example")
    echo "$said"
    grep -qF "\`$said\`" "$source/docs/core.md" || fail "the manual says something else"
    "$work/example/codecs" >"$work/codecs"
    for codec in klt klt-columns gaussian local-klt mlcf csi-l2o ms4l2o; do
        grep -qx $codec "$work/codecs" || fail "codec $codec has not registered itself"
    done
done
cmp "$installed/ON/codecs" "$installed/OFF/codecs"

echo "== another version"
mkdir "$installed/wrong"
version=$(sed -n 's/^project(.*VERSION *\([0-9]*\.[0-9]*\).*/\1/p' "$source/CMakeLists.txt")
sed 's/csifeedback-core [0-9.]*/csifeedback-core 99.0/' "$here/core/CMakeLists.txt" >"$installed/wrong/CMakeLists.txt"
cp "$here"/core/*.cc "$installed/wrong"
! "$cmake" -S "$installed/wrong" -B "$installed/wrong/build" -DCMAKE_PREFIX_PATH="$installed/ON/prefix" \
    >"$log" 2>&1 || fail "a version that is not there was found"
grep -q "version: $version" "$log" || { cat "$log"; exit 1; }
echo "passed"
