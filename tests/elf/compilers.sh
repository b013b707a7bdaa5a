#!/usr/bin/env bash
# Every compiler at every level of optimisation builds the shim without a warning, and what it builds
# passes the checks of the file and tells the end of a program.
#
#   compilers.sh    knobs: COMPILERS ("gcc clang musl-gcc"), LEVELS ("-O0 -O2 -O3 -Os"), O
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
cd "$here/../.." || exit 2
out=$(readlink -f "${O:-build}")/compilers
unset MAKEFLAGS MFLAGS MAKELEVEL O

need jq jq || fail tools 'no jq, and it cannot be installed'
mkdir -p "$out"
echo 'int main(void) { return 7; }' >"$out/return7.c"
${CC:-cc} -o "$out/return7" "$out/return7.c" || fail 'a victim builds' 'no compiler'
for cc in ${COMPILERS:-gcc clang musl-gcc}; do
	# musl-gcc: musl's headers, as on Alpine.
	if ! need "${cc/musl-gcc/musl-tools}" "$cc"; then
		fail "$cc" 'not there, and it cannot be installed'
		continue
	fi
	headers=
	case $cc in # musl has no headers of the kernel's
	*musl*) headers="-idirafter /usr/include/$(gcc -print-multiarch) -idirafter /usr/include" ;;
	esac
	for level in ${LEVELS:--O0 -O2 -O3 -Os}; do
		dir=$out/$cc$level
		rm -rf "$dir"
		mkdir -p "$dir"
		if ! make -s -j"$(nproc)" O="$dir" CC="$cc" CFLAGS="$level -g $headers" WERROR=1 >"$dir/log" 2>&1; then
			fail "$cc $level builds" "$(grep -m1 -E 'error|warning' "$dir/log"; tail -n 1 "$dir/log")"
			continue
		fi
		want "$cc $level builds without a word" '' "$(grep -v '^  [A-Z]* ' "$dir/log")"
		if said=$("$here/check.sh" "$dir/libepitaph.so" "$dir/gen/hooks.list"); then
			ok "$cc $level: the file is right"
		else
			fail "$cc $level: the file is right" "$(grep ^FAIL <<<"$said")"
		fi
		EPITAPH_FORMAT=json EPITAPH_LOG=$dir/log.json LD_PRELOAD=$dir/libepitaph.so "$out/return7"
		want "$cc $level: exit status" 7 $?
		want "$cc $level: the record" '7 main_returned' "$(ended "$dir/log.json")"
	done
done
tally
