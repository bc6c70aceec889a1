#!/usr/bin/env bash
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What apps/build asks a machine for: names of packages that differ between releases are those
# that the machine offers, and nothing is asked for that is there. The tools are stand-ins that
# write down how they are called.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/apps" "$work/bin"
cp "$here/apps/build" "$work/apps"

tool() {
    { echo '#!/bin/sh'; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
tool id <<<'echo 0'
tool cmake <<<'exit 0'
# shellcheck disable=SC2016  # expanded by the stand-in
tool apt-get <<<'[ "$1" != install ] || echo "$@" >"$LOG"'
# shellcheck disable=SC2016  # expanded by the stand-in
tool dpkg-query <<<'for name; do :; done; case " $THERE " in *" $name "*) echo installed ;; esac'
# shellcheck disable=SC2016  # expanded by the stand-in
tool apt-cache <<<'
case " $OFFERED " in
    *" $2 "*) echo "$2:"; echo "  Installed: (none)"; echo "  Candidate: 1.0" ;;
    *) echo "$2:"; echo "  Installed: (none)"; echo "  Candidate: (none)" ;;
esac'

# installs THERE OFFERED: the packages that are installed
installs() {
    : >"$work/log"
    PATH=$work/bin:$PATH LOG=$work/log THERE=$1 OFFERED=$2 "$work/apps/build" 2>/dev/null
    tr ' ' '\n' <"$work/log"
}
has() { grep -qx "$1" <<<"$asked" || { echo "not asked for: $1"; exit 1; }; }
has_not() { ! grep -qx "$1" <<<"$asked" || { echo "asked for: $1"; exit 1; }; }

echo "== Debian 12"
asked=$(installs "" libvolk2-dev)
has libvolk2-dev; has_not libvolk-dev
has gir1.2-gtk-3.0 # without it GNU Radio Companion does not start
echo "== Debian 13"
asked=$(installs "" libvolk-dev)
has libvolk-dev; has_not libvolk2-dev
echo "== what is there is not asked for, whatever is offered"
asked=$(installs "libvolk2-dev cmake" "libvolk-dev libvolk2-dev")
has_not libvolk-dev; has_not libvolk2-dev; has_not cmake; has make
