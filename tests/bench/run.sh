#!/usr/bin/env bash
# What Epitaph costs, side by side in one run: starting a program bare, under coreutils' libstdbuf.so
# (the yardstick), under Epitaph in every role, and under strace. Ratios hold on other machines, the
# microseconds do not; nothing passes or fails here.
#
#   run.sh SHIM STARTUP TINY        knobs: ROUNDS (3000), STDBUF_SO
#
# SPDX-License-Identifier: MIT
set -eu
shim=$(readlink -f "$1") startup=$(readlink -f "$2") tiny=$(readlink -f "$3")
rounds=${ROUNDS:-3000}

# A child is near or far by the mark of a living main process, so there must be two of them: the
# script starts itself twice under the shim. The first stays and is the far one; the second becomes
# the driver, and so the parent of what is measured.
case ${BENCH_STAGE-} in
'')
	unset "${!EPITAPH_@}" LD_PRELOAD
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	# The floor: what any object costs.
	echo 'int nothing;' | "${CC:-cc}" -x c -shared -nostdlib -fPIC -Wl,-z,noseparate-code \
		-o "$work/nothing.so" -
	printf 'machine: %s, %s processors, kernel %s\n' "$(uname -m)" "$(nproc)" "$(uname -r)"
	for program in /bin/true "$tiny"; do
		printf '\n%s, %d interleaved rounds\n' "${program##*/}" "$rounds"
		BENCH_STAGE=far BENCH_PROGRAM=$program BENCH_WORK=$work EPITAPH_LOG=$work/stages \
			LD_PRELOAD=$shim "$BASH" "$0" "$@"
		# How many records a run wrote shows that the roles were those.
		for f in far near error text json; do
			[ ! -e "$work/$f" ] || awk -v r="$((rounds + 30))" -v f="$f" \
				'END { printf "  records a run, %s: %.1f\n", f, NR / r }' "$work/$f"
			rm -f "${work:?}/$f"
		done
	done
	exit
	;;
far)
	BENCH_FAR=$EPITAPH_ROOT BENCH_STAGE=near env -u EPITAPH_ROOT "$BASH" "$0" "$@"
	exit
	;;
esac

stdbuf_so=${STDBUF_SO:-}
for f in /usr/libexec/coreutils/libstdbuf.so /usr/lib/coreutils/libstdbuf.so; do
	[ -z "$stdbuf_so" ] && [ -e "$f" ] && stdbuf_so=$f
done
[ -n "$stdbuf_so" ] || { echo "no libstdbuf.so: set STDBUF_SO" >&2; exit 2; }

program=$BENCH_PROGRAM work=$BENCH_WORK
preload="LD_PRELOAD=$shim"
settings=(
	"bare|1||$program"
	"libstdbuf.so (_STDBUF_O=0)|1|LD_PRELOAD=$stdbuf_so _STDBUF_O=0|$program"
	"an object with nothing in it|1|LD_PRELOAD=$work/nothing.so|$program"
	"epitaph, EPITAPH_DISABLE=1|1|$preload EPITAPH_DISABLE=1|$program"
	"epitaph, far child|1|$preload EPITAPH_ROOT=$BENCH_FAR EPITAPH_LOG=$work/far|$program"
	"epitaph, near child|1|$preload EPITAPH_ROOT=$EPITAPH_ROOT EPITAPH_LOG=$work/near|$program"
	"epitaph, root, level=error|1|$preload EPITAPH_LEVEL=error EPITAPH_LOG=$work/error|$program"
	"epitaph, root, log=/dev/null|1|$preload EPITAPH_LOG=/dev/null|$program"
	"epitaph, root, records to a file|1|$preload EPITAPH_LOG=$work/text|$program"
	"epitaph, root, JSON to a file|1|$preload EPITAPH_FORMAT=json EPITAPH_LOG=$work/json|$program"
)
strace=(strace -f --seccomp-bpf -e trace=exit_group -e signal=all -o "$work/strace")
if "${strace[@]}" true 2>/dev/null; then
	settings+=("strace -f --seccomp-bpf|20||$(command -v strace) ${strace[*]:1} $program")
fi
exec env -u LD_PRELOAD "$startup" "$rounds" "${settings[@]}"
