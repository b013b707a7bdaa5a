#!/usr/bin/env bash
# The same built file in every libc that we can get: Debian's from 2.31 to sid's by chroot, musl on
# the host, and real containers (podman with runc), where it is pid 1 and its log is the container's.
#
#   run.sh SHIM [PART...]    parts: chroots musl containers (all)
#   knobs: SUITES ("bullseye bookworm trixie sid"), CACHE (where the root file systems are kept)
#
# Needs root. Root file systems come from the mirror that apt itself is set up with.
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
# shellcheck source=tests/rootfs/debian.sh
. "$here/debian.sh"
shim=$(readlink -f "${1:?the built libepitaph.so}")
shift
suites=${SUITES:-bullseye bookworm trixie sid}
oldest=${suites%% *}
unset LIBRARY_PATH CPATH C_INCLUDE_PATH
unset "${!EPITAPH_@}"
work=$(mktemp -d)
trap cleanup EXIT
cleanup() {
	[ ! -d "$work/storage" ] || engine rm -af >/dev/null 2>&1
	rm -rf "$work"
}
chmod 755 "$work"
install -m 755 "$shim" "$work/libepitaph.so"
cp -r "$here/../victims" "$work/sources"

# The table of victims, one "COMMAND|STATUS|RECORD" a line; FLAG picks those that suit a libc.
table() {
	sed '/^#/d; /^$/d; s/ *| */|/g' "$here/../ends.txt" | awk -F'|' -v flag="$1" -v machine="$(uname -m)" \
		'$4 == "" || $4 == flag || $4 == "x86_64" && machine == $4 { print $1 "|" $2 "|" $3 }'
}

# build_victims DIR SOURCES FLAG COMPILER...: DIR and SOURCES as the compiler sees them.
build_victims() {
	local dir=$1 sources=$2 flag=$3 built='' line name said
	shift 3
	while IFS='|' read -r line _; do
		name=${line%% *}
		[[ $built = *" $dir/$name "* ]] && continue
		built="$built $dir/$name "
		said=$("$@" -O1 -g -w -std=gnu11 -D_GNU_SOURCE -pthread -o "$dir/$name" \
			"$sources/$name.c" 2>&1) || fail "$dir: $name builds" "$(tail -n 1 <<<"$said")"
	done < <(table "$flag")
}

# compare NAME STATUS RECORD RUNNER...: bare and under the shim; RUNNER's command comes last, and it
# sees $work as /mnt (or as $seen).
seen=/mnt
compare() {
	local name=$1 status=$2 record=$3 bare got
	shift 3
	rm -f "$work/log.json"
	bare=$(status_of "$work/bare.out" "$@")
	got=$(LD_PRELOAD_IN=$seen/libepitaph.so status_of "$work/with.out" "$@")
	want "$name: status, bare and under the shim" "$status $status" "$bare $got"
	want "$name: same output" "$(cat "$work/bare.out")" "$(cat "$work/with.out")"
	want "$name: the record" "$record" "$(ended "$work/log.json")"
}

# The environment of what runs, the shim only where compare asks for it.
settings() {
	[ -z "${LD_PRELOAD_IN-}" ] || printf '%s\n' "LD_PRELOAD=$LD_PRELOAD_IN" EPITAPH_FORMAT=json \
		"EPITAPH_LOG=$seen/log.json"
}

# --- chroots ---

# inside ROOT PROC COMMAND...: in a chroot with $work at /mnt; the mounts end with the command.
inside() {
	local root=$1 proc=$2 set
	shift 2
	mapfile -t set < <(settings)
	# shellcheck disable=SC2016 # expanded by the inner shell
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare -m sh -c 'mount --bind "$1" "$2/mnt" &&
		{ [ "$3" = no-proc ] || mount -t proc proc "$2/proc"; } && root=$2 && shift 3 &&
		exec chroot "$root" "$@"' sh "$work" "$root" "$proc" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${set[@]}" "$@"
}

chroots() {
	local suite root libc line status record args
	if ! need debootstrap debootstrap || ! need util-linux unshare; then
		fail chroots 'no debootstrap, and it cannot be installed'
		return
	fi
	# What is built with the oldest libc runs with all.
	if ! root=$(rootfs "$oldest" gcc,libc6-dev); then
		fail "$oldest" "$(tail -n 1 "$cache/$oldest.log")"
	else
		mkdir "$work/victims"
		build_victims /mnt/victims /mnt/sources glibc inside "$root" proc gcc
	fi
	for suite in $suites; do
		if ! root=$(rootfs "$suite"); then
			fail "$suite" "$(tail -n 1 "$cache/$suite.log")"
			continue
		fi
		libc=$(inside "$root" proc ldd --version | sed -n '1s/.* //p')
		printf -- '-- %s, glibc %s\n' "$suite" "$libc"
		compare "$suite: sh" 3 '3 _exit' inside "$root" proc sh -c 'exit 3'
		compare "$suite: perl" 5 '5 exit' inside "$root" proc perl -e 'exit 5'
		compare "$suite: sh without /proc" 3 '3 _exit' inside "$root" no-proc sh -c 'exit 3'
		while IFS='|' read -r line status record; do
			read -ra args <<<"$line"
			compare "$suite: ${args[*]}" "$status" "$record" \
				inside "$root" proc "/mnt/victims/${args[0]}" "${args[@]:1}"
		done < <(table glibc)
	done
}

# --- musl ---

on_host() {
	local set
	mapfile -t set < <(settings)
	env -i PATH="$PATH" "${set[@]}" "$@"
}

musl() {
	local line status record args
	if ! need musl-tools musl-gcc; then
		fail musl 'no musl-gcc, and it cannot be installed'
		return
	fi
	seen=$work
	mkdir "$work/musl"
	build_victims "$work/musl" "$work/sources" musl musl-gcc
	while IFS='|' read -r line status record; do
		read -ra args <<<"$line"
		compare "musl: ${args[*]}" "$status" "$record" \
			on_host "$work/musl/${args[0]}" "${args[@]:1}"
	done < <(table musl)
	echo 'int main(void) { return 7; }' >"$work/static.c"
	musl-gcc -static -o "$work/static" "$work/static.c"
	compare 'musl: a static program runs, unseen' 7 'no record at all' on_host "$work/static"
	seen=/mnt
}

# --- containers ---

engine() {
	podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs \
		--cgroup-manager cgroupfs --events-backend none --runtime runc "$@"
}

# contain NAME ARGUMENT...: runs a container in the foreground; its status is in $status, its log (as
# the engine kept it) in $work/NAME.log.
contain() {
	local name=$1
	shift
	engine run --network=none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		--log-driver k8s-file --name "$name" "$@" >"$work/$name.out" 2>&1 </dev/null
	status=$?
	logs_of "$name"
}

logs_of() {
	engine logs "$1" >"$work/$1.log" 2>&1
	grep '^{' "$work/$1.log" >"$work/$1.json"
}

# The end records of pid 1, which is the container's main process.
ended_pid1() {
	jq -r 'select(."event.name" == "epitaph.end" and ."process.pid" == 1)
		| "\(."process.exit.code") \(."epitaph.cause")"' "$1" 2>&1 | paste -sd,
}

# An image from nothing: a shell, a victim, libc and the shim in its environment.
make_image() {
	local img=$work/image lib
	mkdir -p "$img"/{bin,opt,tmp,etc}
	cp "$(command -v dash)" "$img/bin/sh"
	cp "$work/host/v_return" "$img/bin/victim"
	for lib in $(ldd "$img/bin/sh" "$img/bin/victim" | grep -o '/[^ ]*lib[^ ]*' | grep -v :); do
		install -D "$lib" "$img$lib"
	done
	cp "$work/libepitaph.so" "$img/opt/"
	tar -C "$img" -cf - . | engine import --change 'ENV LD_PRELOAD=/opt/libepitaph.so' \
		--change 'CMD ["/bin/sh", "-c", "exit 3"]' - with-shim >/dev/null 2>&1 &&
		rm "$img/opt/libepitaph.so" &&
		tar -C "$img" -cf - . | engine import --change 'CMD ["/bin/sh", "-c", "exit 3"]' \
			- without-shim >/dev/null 2>&1
}

musl_image() {
	local img=$work/musl-image loader
	mkdir -p "$img"/{bin,opt,lib}
	musl-gcc -w -o "$img/bin/victim" "$work/sources/v_return.c" || return
	for loader in /lib/ld-musl-*.so.1; do
		cp -L "$loader" "$img/lib/"
	done
	cp "$work/libepitaph.so" "$img/opt/"
	tar -C "$img" -cf - . | engine import --change 'ENV LD_PRELOAD=/opt/libepitaph.so' \
		--change 'CMD ["/bin/victim"]' - with-musl >/dev/null 2>&1
}

containers() {
	local status suite root inject mark json='-e EPITAPH_FORMAT=json'
	if ! need podman podman || ! need runc runc || ! need dash dash; then
		fail containers 'no podman or runc, and they cannot be installed'
		return
	fi
	mkdir -p "$work/host"
	"${CC:-gcc}" -w -o "$work/host/v_return" "$work/sources/v_return.c"
	if ! make_image; then
		fail containers 'the image cannot be made'
		return
	fi
	inject=(-v "$work/libepitaph.so:/opt/libepitaph.so:ro" -e LD_PRELOAD=/opt/libepitaph.so)

	contain plain without-shim
	want 'container without the shim: status' 3 "$status"
	want 'container without the shim: an empty log' '' "$(cat "$work/plain.log")"

	contain text with-shim
	want 'image with ENV LD_PRELOAD: status' 3 "$status"
	want 'image with ENV LD_PRELOAD: its log tells the end of pid 1' 1 \
		"$(grep -c '^epitaph: sh\[1\] .*exit code 3' "$work/text.log")"
	want 'image with ENV LD_PRELOAD: its log shows at the start that the shim is there' 1 \
		"$(grep -c '^epitaph: sh\[1\] watching' "$work/text.log")"
	engine start -a text >/dev/null 2>&1 </dev/null
	want 'restarted: status' 3 $?
	logs_of text
	want 'restarted: told a second time' 2 \
		"$(grep -c '^epitaph: sh\[1\] .*exit code 3' "$work/text.log")"

	# shellcheck disable=SC2086 # two words
	contain json $json with-shim
	want 'JSON in the log: one end, of pid 1' '3 _exit' "$(ended_pid1 "$work/json.json")"
	want 'JSON in the log: no other end' '3 _exit' "$(ended "$work/json.json")"

	# shellcheck disable=SC2086
	contain injected $json "${inject[@]}" without-shim
	want 'injected by -v and -e: status' 3 "$status"
	want 'injected by -v and -e: the record' '3 _exit' "$(ended_pid1 "$work/injected.json")"

	# shellcheck disable=SC2086
	contain confined $json "${inject[@]}" --read-only --user 1234:1234 --cap-drop=ALL \
		--security-opt=no-new-privileges without-shim
	want 'read-only, no user, no capability: status' 3 "$status"
	want 'read-only, no user, no capability: the record' '3 _exit' \
		"$(ended_pid1 "$work/confined.json")"

	# shellcheck disable=SC2086
	contain unmarked $json -e EPITAPH_LEVEL=info with-shim /bin/sh -c 'echo "${EPITAPH_ROOT:?}"'
	mark=$(grep -v '^{' "$work/unmarked.log")
	want 'pid 1 marks itself for its children' 1 "${mark%%[!0-9]*}"
	# shellcheck disable=SC2086
	contain marked $json -e "EPITAPH_ROOT=$mark" with-shim
	want "an image with the mark of another container's pid 1 is told all the same" '3 _exit' \
		"$(ended_pid1 "$work/marked.json")"
	# shellcheck disable=SC2086
	contain oddly $json -e EPITAPH_ROOT=4321:77:1:2 with-shim
	want 'so is one with the mark of a process that is not there' '3 _exit' \
		"$(ended_pid1 "$work/oddly.json")"

	# shellcheck disable=SC2086
	contain exec $json with-shim /bin/sh -c 'exec /bin/victim'
	want 'an entrypoint that execs stays the main process: one end' \
		"$(table glibc | sed -n 's/^v_return|[0-9]*|//p')" "$(ended_pid1 "$work/exec.json")"
	want 'an entrypoint that execs: an exec record' 1 \
		"$(jq -r 'select(."event.name" == "epitaph.exec")."process.pid"' "$work/exec.json")"

	if need musl-tools musl-gcc && musl_image; then
		# shellcheck disable=SC2086
		contain musl $json with-musl
		want 'an image of musl only: status' 7 "$status"
		want 'an image of musl only: the record' '7 main_returned' "$(ended_pid1 "$work/musl.json")"
	else
		fail 'an image of musl only' 'cannot be made'
	fi

	for suite in $suites; do
		if ! root=$(rootfs "$suite"); then
			fail "container $suite" 'no root file system'
			continue
		fi
		# shellcheck disable=SC2086
		contain "$suite" $json "${inject[@]}" --rootfs "$root:O" perl -e 'print "x\n"; exit 5'
		want "container $suite: status" 5 "$status"
		want "container $suite: the record" '5 exit' "$(ended_pid1 "$work/$suite.json")"
		want "container $suite: the program's own output" x "$(grep -v '^{' "$work/$suite.log")"
	done
}

if [ "$(id -u)" -ne 0 ]; then
	skip 'root file systems' 'needs root'
	passed=1 # so that the tally says so rather than fails
	tally
	exit
fi
need jq jq || fail tools 'no jq, and it cannot be installed'
need gcc "${CC:-gcc}" || fail tools 'no compiler, and it cannot be installed'
[ $# -gt 0 ] || set -- chroots musl containers
for part in "$@"; do
	case $part in
	chroots | musl | containers) "$part" ;;
	*) fail "$part" 'no such part' ;;
	esac
done
tally
