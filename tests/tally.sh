# shellcheck shell=bash
# What the shell checks share: one line a check, the sum at the end, and a look into the records.
# Sourced; the caller ends with `tally`.
#
# SPDX-License-Identifier: MIT
passed=0 failed=0 skipped=0

ok() {
	passed=$((passed + 1))
	printf 'ok    %s\n' "$*"
}

# fail NAME DETAIL...
fail() {
	failed=$((failed + 1))
	printf 'FAIL  %s: %s\n' "$1" "${*:2}"
}

# skip NAME REASON...
skip() {
	skipped=$((skipped + 1))
	printf 'skip  %s: %s\n' "$1" "${*:2}"
}

# want NAME WANTED GOT: passes where they are equal.
want() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1" "wanted '$2', got '$3'"
	fi
}

tally() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# ended FILE: "CODE CAUSE" of the only end record in a file of JSON lines, or what is wrong with it.
# jq reads the whole file, so a line that is not JSON shows here too.
ended() {
	if [ ! -s "$1" ]; then
		echo 'no record at all'
		return
	fi
	jq -rs 'map(select(."event.name" == "epitaph.end"))
		| if length == 1 then .[0] | "\(."process.exit.code") \(."epitaph.cause")"
		  else "\(length) end records" end' "$1" 2>&1 | head -n 1
}

# status_of FILE COMMAND...: the wait status as a shell tells it; what the command says goes to FILE.
status_of() {
	local out=$1 status
	shift
	{ "$@" >"$out" 2>&1 </dev/null; } 2>/dev/null # the shell's own "Aborted" is no news
	status=$?
	echo "$status"
}

# need PACKAGES COMMAND...: installs the packages where a command (or /path) is missing and we may.
need() {
	local pkgs cmd missing=
	read -ra pkgs <<<"$1"
	shift
	for cmd in "$@"; do
		command -v "$cmd" >/dev/null || [ -e "$cmd" ] || missing=$cmd
	done
	[ -z "$missing" ] && return 0
	[ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
	# The lists may be missing or old on a new machine: fetch them only where that is the reason.
	apt_install "${pkgs[@]}" || { apt-get -q update && apt_install "${pkgs[@]}"; } || return 1
} >&2

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "$@" </dev/null
}
