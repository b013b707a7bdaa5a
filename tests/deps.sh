#!/bin/sh
# Installs what the tests need, where this is Debian (or a relative of it), we are root and something
# is missing. Otherwise says what is missing: without a compiler or the judges' libraries no test can
# be built; the tests that need anything else are skipped with a reason, and fail where CI is set.
# SPDX-License-Identifier: MIT
set -eu

packages=
must=
# want PACKAGE TEST...: notes the package where the test fails.
want() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || packages="$packages $package"
}

# need PACKAGE TEST...: the same, and nothing goes without it.
need() {
	before=$packages
	want "$@"
	[ "$packages" = "$before" ] || must="$must $1"
}

have_header() {
	printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <%s>\n' "$1" |
		cc -E -x c - -o /dev/null
}

need gcc command -v cc
need g++ command -v g++
need libcmocka-dev have_header cmocka.h
need libjansson-dev have_header jansson.h
want musl-tools command -v musl-gcc
want binutils command -v addr2line
want python3 test -x /usr/bin/python3
want perl command -v perl
want nodejs command -v node
want bash command -v bash
want coreutils command -v timeout
want util-linux command -v unshare
if command -v cargo >/dev/null 2>&1 || [ "$(id -u)" -eq 0 ]; then
	want cargo command -v cargo
	want librust-tokio-dev test -d /usr/share/cargo/registry -a -d /usr/share/doc/librust-tokio-dev
fi

[ -n "$packages" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	# shellcheck disable=SC2086 # a list of words
	if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1; then
		exit 0
	fi
fi
if [ -n "$must" ]; then
	echo "tests: cannot be built without:$must" >&2
	echo "tests: as root, on Debian: apt-get install$packages" >&2
	exit 1
fi
echo "tests: missing and not installed here:$packages (the tests that need them are skipped)" >&2
[ -z "${CI:-}" ]
