# shellcheck shell=bash
# A container engine of our own, and the base images, for the checks beside this file. Sourced after
# tally.sh; wants $work. No registry is asked: images come from debootstrap and from this machine.
#
# SPDX-License-Identifier: MIT

# make_engine: $work/bin/docker and $work/bin/podman are podman with runc, with storage of its own and
# with what a nested engine needs. So the examples' own commands run as they are written.
make_engine() {
	mkdir -p "${work:?}/bin"
	cat >"$work/bin/docker" <<-EOF
		#!/bin/bash
		global=(--root $work/storage --runroot $work/run --storage-driver vfs --cgroup-manager cgroupfs
			--events-backend none --runtime runc)
		limits=(--network=none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096)
		command=\$1
		shift
		case \$command in
		run | create) set -- "\${limits[@]}" --log-driver k8s-file "\$@" ;;
		build) set -- "\${limits[@]}" --isolation=oci --pull=never --layers=false \$BUILD_MORE "\$@" ;;
		rm) set -- -t 0 "\$@" ;;
		esac
		exec timeout 120 $(command -v podman) "\${global[@]}" "\$command" "\$@" </dev/null
	EOF
	chmod 755 "$work/bin/docker"
	ln -sf docker "$work/bin/podman"
	PATH=$work/bin:$PATH
}

clean_up() {
	[ ! -d "$work/storage" ] || docker rm -af -t 0 >/dev/null 2>&1
	rm -rf "$work"
}

# from_folder IMAGE FOLDER CHANGE...: an image of what lies in the folder.
from_folder() {
	local image=$1 folder=$2 change changes=()
	shift 2
	for change in "$@"; do
		changes+=(--change "$change")
	done
	tar -C "$folder" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale \
		--exclude=./usr/lib/*/gconv --exclude=./var/cache/apt --exclude=./var/lib/apt \
		-cf "$work/image.tar" . && docker import "${changes[@]}" "$work/image.tar" "$image" >"$work/import.log" 2>&1
	local status=$?
	rm -f "$work/image.tar"
	return $status
}

# with_libs FOLDER PROGRAM...: what the dynamic loader needs for the programs, and nothing else.
with_libs() {
	local folder=$1 lib
	shift
	while read -r lib; do
		install -D "$lib" "$folder$lib"
	done < <(ldd "$@" | grep -o '/[^ ]*lib[^ ]*' | grep -v :)
}

# records NAME EVENT FILTER: of the JSON lines in the container's own log.
records() {
	docker logs "$1" 2>&1 | grep '^{' |
		jq -r "select(.\"event.name\" == \"epitaph.$2\" and .\"process.pid\" == 1) | $3" 2>&1
}

# sentence NAME: what follows "ENDED" in the first end of the container's main process.
sentence() {
	docker logs "$1" 2>&1 | sed -n '/^epitaph: [^ ]*\[1\] /s/.* \(ENDED .*\)/\1/p' | head -n 1
}

# until_true COMMAND...: for 30 s at most; it fails where that does not help.
until_true() {
	local tries=0
	until "$@" >/dev/null 2>&1; do
		[ $((tries += 1)) -le 300 ] || return 1
		sleep 0.1
	done
}
