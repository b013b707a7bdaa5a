#!/usr/bin/env bash
# Builds the shim and the victims for other architectures and runs them under qemu's user mode: the raw
# system calls, the relocations and the wrapping of main are written anew for each.
#
#   run.sh [ARCH...]    all of them: aarch64 riscv64 armhf i386 ppc64le s390x; knob: O
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
cd "$here/../.." || exit 2
out=$(readlink -m "${O:-build}")/cross
unset MAKEFLAGS MFLAGS MAKELEVEL O CC CFLAGS LDFLAGS
unset LIBRARY_PATH CPATH C_INCLUDE_PATH # the host's own would leak into a cross build
unset "${!EPITAPH_@}"

# triplet, Debian's name of the architecture, qemu's
arch_table() {
	case $1 in
	aarch64) echo aarch64-linux-gnu arm64 aarch64 ;;
	riscv64) echo riscv64-linux-gnu riscv64 riscv64 ;;
	armhf) echo arm-linux-gnueabihf armhf arm ;;
	i386) echo i686-linux-gnu i386 i386 ;;
	ppc64le) echo powerpc64le-linux-gnu ppc64el ppc64le ;;
	s390x) echo s390x-linux-gnu s390x s390x ;;
	*) return 1 ;;
	esac
}

# compile SOURCE TARGET: a program for $triplet, with the loader that $way asks for.
compile() {
	"$triplet-gcc" -O1 -g -w -std=gnu11 -D_GNU_SOURCE -pthread "${link[@]}" -o "$2" "$1" 2>"$2.log"
}

# Chooses how programs of this architecture run: $bare and $with, in front of the program.
choose_way() {
	local set=(LD_PRELOAD="$dir/shim/libepitaph.so" EPITAPH_FORMAT=json EPITAPH_LOG="$dir/log.json") v
	local loader=/usr/$triplet/lib/ld-linux.so.2

	bare=(qemu-"$qemu"-static -L "/usr/$triplet")
	with=("${bare[@]}")
	for v in "${set[@]}"; do
		with+=(-E "$v")
	done
	link=()
	# x86_64's kernel runs i386 by itself; qemu 7 stumbles over fork and threads there.
	[ "$arch" = i386 ] && [ "$(uname -m)" = x86_64 ] && [ -e "$loader" ] || return
	# DT_RPATH, not RUNPATH: libc itself looks for libgcc_s there.
	link=("-Wl,--dynamic-linker=$loader" "-Wl,--disable-new-dtags,-rpath,/usr/$triplet/lib")
	if compile tests/victims/v_return.c "$dir/native" && [ "$(status_of /dev/null "$dir/native")" = 7 ]; then
		bare=(env)
		with=(env "${set[@]}")
	else
		link=()
	fi
}

# one_victim VICTIM STATUS RECORD ARGUMENT...: bare and under the shim.
one_victim() {
	local victim=$1 status=$2 record=$3 name

	shift 3
	name="$arch: $victim${*:+ $*}"
	if [ ! -x "$dir/$victim" ] && ! compile "tests/victims/$victim.c" "$dir/$victim"; then
		fail "$name" "does not build: $(tail -n 1 "$dir/$victim.log")"
		return
	fi
	rm -f "$dir/log.json"
	want "$name: status bare" "$status" \
		"$(status_of "$dir/bare.out" timeout 30 "${bare[@]}" "$dir/$victim" "$@")"
	want "$name: status under the shim" "$status" \
		"$(status_of "$dir/with.out" timeout 30 "${with[@]}" "$dir/$victim" "$@")"
	want "$name: same output" "$(cat "$dir/bare.out")" "$(cat "$dir/with.out")"
	want "$name: the record" "$record" "$(ended "$dir/log.json")"
}

one_arch() {
	local arch=$1 triplet debian qemu dir=$out/$1 said line status record where args bare with link

	if ! read -r triplet debian qemu < <(arch_table "$arch"); then
		fail "$arch" 'no such architecture here'
		return
	fi
	if ! need "gcc-$triplet libc6-dev-$debian-cross" "$triplet-gcc" "/usr/$triplet/include/stdio.h" ||
		! need qemu-user-static "qemu-$qemu-static"; then
		fail "$arch" "no $triplet-gcc or qemu-$qemu-static, and they cannot be installed"
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir"
	if ! said=$(make -s -j"$(nproc)" O="$dir/shim" CC="$triplet-gcc" 2>&1); then
		fail "$arch builds" "$(grep -m3 -E 'error|warning' <<<"$said")"
		return
	fi
	want "$arch builds without a word" '' "$(grep -v '^  [A-Z]* ' <<<"$said")"
	if said=$(READELF="$triplet-readelf" tests/elf/check.sh "$dir/shim/libepitaph.so" \
		"$dir/shim/gen/hooks.list"); then
		ok "$arch: the file is right"
	else
		fail "$arch: the file is right" "$(grep ^FAIL <<<"$said")"
	fi
	choose_way
	while IFS='|' read -r line status record where; do
		[ -z "$where" ] || [ "$where" = glibc ] || continue
		read -ra args <<<"$line"
		one_victim "${args[0]}" "$status" "$record" "${args[@]:1}"
	done < <(sed '/^#/d; /^$/d; s/ *| */|/g' tests/ends.txt)
}

need jq jq || fail tools 'no jq, and it cannot be installed'
[ $# -gt 0 ] || set -- aarch64 riscv64 armhf i386 ppc64le s390x
for arch in "$@"; do
	one_arch "$arch"
done
tally
