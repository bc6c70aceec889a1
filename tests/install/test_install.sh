#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: test_install.sh BUILD_DIRECTORY PYTHON CMAKE GR_PYTHON_DIR VERSION

set -euo pipefail
build=$1 python=$2 cmake=$3 python_dir=$4 version=$5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH LD_LIBRARY_PATH CSIFEEDBACK_MODELS

check='
import sys
from gnuradio import csifeedback
assert csifeedback.__file__.startswith(sys.argv[1]), csifeedback.__file__
model = csifeedback.model_file("cost2100-indoor-klt")
assert model.path.startswith(sys.argv[1]), model.path
print("imported from", csifeedback.__file__)
'

echo "== a custom prefix: PYTHONPATH is all that it needs"
"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
(cd / && PYTHONPATH=$work/prefix/$python_dir "$python" -B -c "$check" "$work/prefix")
for program in train eval sim dataset bench; do
    PYTHONPATH=$work/prefix/$python_dir "$work/prefix/bin/csifeedback_$program" --help >/dev/null
    [ "$(PYTHONPATH=$work/prefix/$python_dir "$work/prefix/bin/csifeedback_$program" --version)" = "csifeedback_$program $version" ]
done

echo "== programs find the package of their own prefix"
for program in "$work"/prefix/bin/csifeedback_*; do
    [ "$(cd / && "$program" --version)" = "$(basename "$program") $version" ]
done
(cd / && "$work/prefix/bin/csifeedback_dataset" models --json) | grep -q "$work/prefix/share/gr-csifeedback/models/"
echo "== man pages and completion of every program"
for program in "$work"/prefix/bin/csifeedback_*; do
    name=$(basename "$program")
    grep -q "^\.SH OPTIONS" "$work/prefix/share/man/man1/$name.1"
    bash -n "$work/prefix/share/bash-completion/completions/$name"
    grep -q "^#compdef.* $name\b" "$work/prefix/share/zsh/site-functions/_csifeedback"
done
[ "$(cd / && PATH=$work/prefix/bin:$PATH bash --norc -c '
source "$0/share/bash-completion/completions/csifeedback_eval"
COMP_WORDS=(csifeedback_eval --codec cost2100-indoor-kl) COMP_CWORD=2
_csifeedback_eval
echo "${COMPREPLY[@]}"' "$work/prefix")" = cost2100-indoor-klt ]
echo "== an interpreter without GNU Radio is said in one line"
! "$python" -I -S "$work/prefix/bin/csifeedback_sim" --version >"$work/log" 2>&1 || exit 1
[ "$(wc -l <"$work/log")" = 1 ]
grep -q "^csifeedback_sim: cannot be run by .*were built for $python " "$work/log"

echo "== an external project, without find_package(Gnuradio) of its own"
"$cmake" -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
"$cmake" --build "$work/consumer" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
[ "$("$work/consumer/consumer")" = "csi_angular_delay cde703 $version" ]

if [ -f "$build/lib/torch/libgnuradio-csifeedback-torch.so" ]; then
    echo "== the component of TorchScript, installed and linked without libtorch's headers"
    (cd / && PYTHONPATH=$work/prefix/$python_dir "$python" -B -c '
from gnuradio.csifeedback import csifeedback_torch
print("libtorch", csifeedback_torch.library_version())')
    "$cmake" -S "$here/torch_consumer" -B "$work/torch_consumer" -DCMAKE_PREFIX_PATH="$work/prefix" \
        >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    "$cmake" --build "$work/torch_consumer" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    [ "$("$work/torch_consumer/consumer")" = "/none.pt: is no TorchScript file" ]
fi

echo "== below DESTDIR: /usr/local is on Python's own path and has every part"
DESTDIR=$work/stage "$cmake" --install "$build" --prefix /usr/local >/dev/null
"$python" -c 'import sys; assert sys.argv[1] in sys.path, sys.path' "/usr/local/$python_dir"
for part in "$python_dir/gnuradio/csifeedback/__init__.py" \
    "$python_dir/gnuradio/csifeedback/py.typed" include/gnuradio/csifeedback/encoder.h \
    share/gnuradio/grc/blocks/csifeedback_csi_encoder.block.yml \
    share/gr-csifeedback/models/cost2100-indoor-klt.h5 bin/csifeedback_sim; do
    [ -f "$work/stage/usr/local/$part" ] || { echo "missing: $part"; exit 1; }
done

if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
    echo "== /usr/local itself, and the way back"
    "$cmake" --install "$build" --prefix /usr/local >/dev/null
    ldconfig
    status=0
    (cd / && "$python" -B -c "$check" /usr/local) || status=1
    xargs -a "$build/install_manifest.txt" -d '\n' rm -f
    find /usr/local -depth -type d -path '*csifeedback*' -empty -delete
    ldconfig
    [ $status = 0 ]
fi
echo "passed"
