#!/usr/bin/env bash
# The cost of one thing that a program does in a loop, bare and under Epitaph in turn, as ratios of
# neighbours.
#   pairs.sh SHIM PROGRAM WHAT [ARGUMENT...]       knobs: PAIRS (9), BESIDE ("stdbuf -o0": not bare)
# SPDX-License-Identifier: MIT
set -eu
shim=$(readlink -f "$1") what=$3 pairs=${PAIRS:-9}
program=("$2" "${@:4}")
read -ra beside <<<"${BESIDE:-env}"
for _ in $(seq "$pairs"); do
	bare=$(env -u LD_PRELOAD "${beside[@]}" "${program[@]}")
	ours=$(LD_PRELOAD=$shim EPITAPH_LOG=/dev/null "${program[@]}")
	echo "$bare $ours"
done | awk '{ printf "%.3f %s %s\n", $2 / $1, $1, $2 }' | sort -n |
	awk -v m="$(((pairs + 1) / 2))" -v what="$what" -v beside="${BESIDE:-bare}" 'NR == 1 { least = $1 } NR == m { line = $0 } { most = $1 }
	END { split(line, f); printf "\n%s: %s %s ns, under Epitaph %s ns; ratio of pairs %s to %s, median %s\n",
		what, beside, f[2], f[3], least, most, f[1] }'
