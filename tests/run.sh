#!/bin/sh
# Runs cmocka programs and adds up what they say. The last line is "N passed, N failed, N skipped";
# the exit status is 1 where anything failed, or a program ended before its last test.
# SPDX-License-Identifier: MIT
set -u

CMOCKA_MESSAGE_OUTPUT=TAP
export CMOCKA_MESSAGE_OUTPUT
passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# What a failed or skipped test said: cmocka prints it before and after the test's own line.
story() {
	awk -v name="$1" '
		/^ok / && !/# SKIP/ { said = ""; after = 0; next }
		/^(not )?ok .*# SKIP/ { sub(/^(not )?ok [0-9]* /, ""); print name ": " $0; printf "%s", said
			said = ""; after = 0; next }
		/^not ok / { print name ": " $0; printf "%s", said; said = ""; after = 1; next }
		after && /^#/ { print "    " $0; next }
		{ after = 0; said = said "    " substr($0, 1, 2000) "\n" }'
}

for program in "$@"; do
	name=${program##*/}
	timeout -k 10 900 "$program" >"$out" 2>&1
	status=$?
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out" | awk '{ n += $1 } END { print n + 0 }')
	# cmocka 1.1.5 says "not ok N # SKIP NAME", newer ones "ok N # SKIP NAME".
	skip=$(grep -c '^\(not \)*ok .*# SKIP' "$out")
	pass=$(grep '^ok ' "$out" | grep -vc '# SKIP')
	fail=$(grep '^not ok ' "$out" | grep -vc '# SKIP')
	# A program that died, or whose group setup failed, has tests that never told.
	lost=$((plan - pass - fail - skip))
	if [ "$lost" -gt 0 ] || { [ "$status" -ne 0 ] && [ "$fail" -eq 0 ]; }; then
		[ "$lost" -gt 0 ] || lost=1
		echo "$name: ended with status $status and $lost tests untold"
		fail=$((fail + lost))
	fi
	printf '%-20s %4d passed, %d failed, %d skipped\n' "$name" "$pass" "$fail" "$skip"
	if [ "$plan" -eq 0 ]; then
		cat "$out"
	else
		story "$name" <"$out"
	fi
	passed=$((passed + pass))
	failed=$((failed + fail))
	skipped=$((skipped + skip))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
