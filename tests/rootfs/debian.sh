# shellcheck shell=bash
# Debian's root file systems, made by debootstrap from the mirror that apt itself is set up with, and
# kept in $cache (knob: CACHE). Sourced.
# SPDX-License-Identifier: MIT
cache=${CACHE:-${XDG_CACHE_HOME:-/var/cache}/epitaph-rootfs}

# rootfs SUITE [PACKAGE,PACKAGE]: prints where it is; makes it first, with these packages, where it is
# not there.
rootfs() {
	local suite=$1 mirror with=() try
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Component: main' 2>/dev/null | grep -v -e security -e updates | head -n 1)
	[ -z "${2-}" ] || with=("--include=$2")
	mkdir -p "$cache"
	for try in 1 2; do # a mirror may be caught in its own update
		[ ! -e "$cache/$suite/.complete" ] || break
		rm -rf "${cache:?}/$suite" "$cache/$suite.part"
		echo "making the root file system of $suite, try $try" >&2
		debootstrap --variant=minbase "${with[@]}" "$suite" "$cache/$suite.part" \
			"${mirror:?no Debian mirror in the configuration of apt}" >"$cache/$suite.log" 2>&1 &&
			touch "$cache/$suite.part/.complete" && mv "$cache/$suite.part" "$cache/$suite"
	done
	[ -e "$cache/$suite/.complete" ] && echo "$cache/$suite"
}
