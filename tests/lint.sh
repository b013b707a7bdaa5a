#!/usr/bin/env bash
# Everything that reads the source without running it.
#
#   lint.sh OUT COMPILER-FLAGS... --tests COMPILER-FLAGS...     OUT: where the shim was built
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/tally.sh"
cd "$here/.." || exit 2

out=$1 shim_flags=() test_flags=()
shift
while [ $# -gt 0 ] && [ "$1" != --tests ]; do
	shim_flags+=("$1")
	shift
done
test_flags=("${@:2}")

# verdict NAME COMMAND...: passes where the command does, and is silent about it.
verdict() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		ok "$name"
	else
		fail "$name" "see below"
		sed '/^[0-9]* warnings\{0,1\} /d; /^Suppressed /d; /^Use -header/d; s/^/      /' <<<"$said"
	fi
}

# Names the files only: `make format` mends them.
formatted() {
	clang-format --dry-run -Werror "${c[@]}" 2>&1 | sed -n 's/^\([^:]*\):.*error:.*/\1/p' | uniq -c
	return "${PIPESTATUS[0]}"
}

# execl and its relatives hold their caller's arguments, as libc's do.
frames() {
	awk -F'\t' '$1 ~ /:execl[ep]?$/ { next } $2 > 1024 || $3 !~ /^(static|dynamic,bounded)$/ { print; bad = 1 }
		END { exit bad || !NR }' "$out"/shim/*.su
}

licences() {
	local f bad=0
	for f in "${all[@]}"; do
		grep -q 'SPDX-License-Identifier: MIT' "$f" || { echo "$f has no licence line"; bad=1; }
	done
	return "$bad"
}

for tool in clang-format clang-tidy cppcheck shellcheck; do
	need "$tool" "$tool" || fail "$tool" 'not there, and it cannot be installed'
done

dirs=(shim tests)
[ ! -d examples ] || dirs+=(examples)

mapfile -t shim_c < <(find shim -name '*.c' | sort)
mapfile -t test_c < <(find tests -name '*.c' | sort)
mapfile -t c < <(find "${dirs[@]}" \( -name '*.c' -o -name '*.h' \) | sort)
mapfile -t scripts < <({
	find "${dirs[@]}" .ci -name '*.sh'
	# Scripts without an ending, by their first line.
	find "${dirs[@]}" .ci -type f ! -name '*.*' -exec grep -lIE '^#!.*(ba|/)sh' {} +
} | sort -u)
mapfile -t all < <(printf '%s\n' "${c[@]}" "${scripts[@]}" | sort -u)

verdict "clang-format: ${#c[@]} files (make format mends them)" formatted
for f in "${shim_c[@]}"; do
	verdict "clang-tidy $f" clang-tidy --quiet "$f" -- "${shim_flags[@]}"
done
for f in "${test_c[@]}"; do
	verdict "clang-tidy $f" clang-tidy --quiet "$f" -- "${test_flags[@]}"
done
verdict 'cppcheck shim' cppcheck -q --error-exitcode=1 --enable=warning,portability,performance \
	--inline-suppr --suppressions-list=tests/cppcheck.txt -D_GNU_SOURCE -D__x86_64__ -D__LP64__ \
	-D__SIZEOF_POINTER__=8 -D__BYTE_ORDER__=1234 -D__ORDER_BIG_ENDIAN__=4321 -j"$(nproc)" shim
verdict 'cppcheck tests' cppcheck -q --error-exitcode=1 --enable=warning,portability,performance \
	--inline-suppr --suppressions-list=tests/cppcheck.txt -D_GNU_SOURCE -D__x86_64__ \
	-DBUILD='""' -DSOURCE='""' -j"$(nproc)" tests
verdict "shellcheck: ${#scripts[@]} scripts" shellcheck "${scripts[@]}"
verdict 'no stack frame of the shim is larger than 1024 bytes' frames
verdict "a licence line in ${#all[@]} files" licences
tally
