#!/usr/bin/env bash
# The cost of a handled signal, bare and under Epitaph in turn, as ratios of neighbours.
#   signal.sh SHIM PROGRAM       knob: PAIRS (9)
# SPDX-License-Identifier: MIT
set -eu
shim=$(readlink -f "$1") program=$2 pairs=${PAIRS:-9}
for _ in $(seq "$pairs"); do
	bare=$(env -u LD_PRELOAD "$program")
	ours=$(LD_PRELOAD=$shim EPITAPH_LOG=/dev/null "$program")
	echo "$bare $ours"
done | awk '{ printf "%.3f %s %s\n", $2 / $1, $1, $2 }' | sort -n |
	awk -v m="$(((pairs + 1) / 2))" 'NR == 1 { least = $1 } NR == m { line = $0 } { most = $1 }
	END { split(line, f); printf "\na handled signal: bare %s ns, under Epitaph %s ns; ratio of pairs %s to %s, median %s\n",
		f[2], f[3], least, most, f[1] }'
