#!/usr/bin/env bash
# Two builds of the same source must give the same bytes, wherever and however they are built: other
# folders, output folders, locales, time zones, umasks, users' names and numbers of jobs.
#
#   repro.sh [OBJECT]   OBJECT, where given, must be the same file too (built with the same flags)
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
top=$(readlink -f "$here/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The knobs of an outer make must not choose our folders.
unset MAKEFLAGS MFLAGS MAKELEVEL O

mkdir -p "$work/a" "$work/another/deep"
for to in "$work/a" "$work/another/deep"; do
	tar -C "$top" -cf - Makefile shim tests | tar -C "$to" -xf - || exit 2
done

(cd "$work/a" && make -s -j2) >"$work/log" 2>&1
want 'a first build works' 0 $?
(cd "$work/another/deep" && umask 077 && LOGNAME=someone LANG=C.UTF-8 TZ=Asia/Kathmandu make -s -j1 O=out) \
	>>"$work/log" 2>&1
want 'a second build works' 0 $?
cat "$work/log"

want 'two builds in two folders give the same bytes' \
	"$(sha256sum <"$work/a/build/libepitaph.so")" "$(sha256sum <"$work/another/deep/out/libepitaph.so")"
if [ -n "${1-}" ]; then
	want "they are those of $1" \
		"$(sha256sum <"$work/a/build/libepitaph.so")" "$(sha256sum <"$1")"
fi
if strings -a "$work/a/build/libepitaph.so" | grep -F "$work"; then
	fail 'no build folder in the file' 'see above'
else
	ok 'no build folder in the file'
fi
tally
