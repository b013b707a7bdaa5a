#!/bin/sh
# Six containers that restart for ever with exit code 0, each for a reason of its own, and the sentence
# that tells each. The image is built from the Dockerfile here.
#   variants.sh SHIM [VARIANT...]      ENGINE=docker, IMAGE=silent-server
# SPDX-License-Identifier: MIT
set -eu
shim=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
engine=${ENGINE:-docker}
image=${IMAGE:-silent-server}
[ $# -gt 0 ] || set -- outside health dropped entrypoint stdin placeholder

ends() {
	"$engine" logs "$1" 2>&1 | grep -c 'epitaph: .*\[1\] .* ENDED' || :
}

# until_ended NAME COMMAND...: does the command again and again until the container has ended twice.
until_ended() {
	name=$1 tries=0
	shift
	until [ "$(ends "$name")" -ge 2 ] || [ $((tries += 1)) -gt 60 ]; do
		"$@" >/dev/null 2>&1 || :
		sleep 0.5
	done
}

# From the host: as a supervisor, a clean-up job or an administrator would do it.
kill_from_outside() {
	# Only one that is up, and has not ended since.
	"$engine" logs "$1" 2>&1 | grep -e 'health check: ' -e ' ENDED ' | tail -n 1 | grep -q 'health check: ' || return 0
	kill -TERM "$("$engine" inspect --format '{{.State.Pid}}' "$1")"
}

# An engine that is just starting the container again may refuse.
remove() {
	tries=0
	until "$engine" rm -f "$1" >/dev/null 2>&1 || [ $((tries += 1)) -gt 20 ]; do
		sleep 0.5
	done
}

for variant in "$@"; do
	name=silent-$variant
	remove "$name"
	set -- run -d --name "$name" --restart=always -v "$shim:/epitaph.so:ro" -e LD_PRELOAD=/epitaph.so
	meanwhile=true
	case $variant in
	outside)
		set -- "$@" "$image"
		meanwhile="kill_from_outside $name"
		;;
	health)
		set -- "$@" --health-cmd=/health.sh --health-interval=1s "$image"
		# podman's timers need systemd: one check by hand serves without. docker has no such command.
		# podman waits for minutes where the check ends the container that it runs in.
		meanwhile="timeout 5 $engine healthcheck run $name"
		;;
	dropped) set -- "$@" "$image" server dropped 0.0.0.0:8080 ;;
	entrypoint) set -- "$@" "$image" /entrypoint.sh ;;
	stdin) set -- "$@" "$image" server stdin 0.0.0.0:8080 ;;
	placeholder) set -- "$@" "$image" placeholder ;;
	*)
		echo "no such variant: $variant" >&2
		exit 2
		;;
	esac
	"$engine" "$@" >/dev/null
	# shellcheck disable=SC2086 # a command and its argument
	until_ended "$name" $meanwhile
	echo "$variant:"
	"$engine" logs "$name" 2>&1 | grep -m 1 'epitaph: .*\[1\] .* ENDED' || echo '(nothing)'
	remove "$name"
done
