#!/usr/bin/env bash
# The three ways of use in a real engine (podman with runc), on an image of Debian, one with musl and
# one without a shell; six containers that restart for six reasons, told apart by the sentence alone;
# stop, kill, the memory limit and a health check; misuse. What a container's own log shows is what
# counts.
#
#   run.sh SHIM BUILD [PART...]     BUILD: where the tests' programs are built
#   parts: ways restarts ends misuse examples (all)
#
# Needs root.
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
# shellcheck source=tests/rootfs/debian.sh
. "$here/../rootfs/debian.sh"
# shellcheck source=tests/containers/engine.sh
. "$here/engine.sh"
shim=$(readlink -f "${1:?the built libepitaph.so}") build=$(readlink -f "${2:?the build folder}")
shift 2
examples=$(readlink -f "$here/../../examples")
unset "${!EPITAPH_@}" LIBRARY_PATH CPATH
work=$(mktemp -d)
trap clean_up EXIT
chmod 755 "$work"
install -m 755 "$shim" "$work/libepitaph.so"
shim=$work/libepitaph.so
inject=(-v "$shim:/epitaph.so:ro" -e LD_PRELOAD=/epitaph.so)

# says NAME WANTED TEXT: TEXT matches the extended regular expression, from its beginning to its end.
says() {
	if [[ $3 =~ ^($2)$ ]]; then
		ok "$1"
	else
		fail "$1" "wanted '$2', got '$3'"
	fi
}

# without_build DOCKERFILE CONTEXT IMAGE: an example's image, with the result of its build stage, /out,
# in the place of that stage: there is no network in here.
without_build() {
	{
		echo 'FROM scratch AS build'
		echo 'COPY out /out'
		awk '/^FROM/ { stage++ } stage >= 2' "$1" | sed 's/--from=epitaph/--from=build/'
	} >"$work/Dockerfile"
	docker build -q -t "$3" -f "$work/Dockerfile" "$2" >"$work/build.log" 2>&1 ||
		fail "$3 is built" "$(tail -n 2 "$work/build.log")"
}

images() {
	local root dir
	root=$(rootfs bookworm) || return 1
	from_folder debian:bookworm-slim "$root" 'CMD ["/bin/sh"]' || return 1
	# No shell, no libgcc: a program, its libc, its loader.
	dir=$work/bare
	mkdir -p "$dir"/{bin,lib}
	cp "$build/glibc/v_output" "$dir/bin/program"
	with_libs "$dir" "$dir/bin/program"
	from_folder no-shell "$dir" 'CMD ["/bin/program", "line", "return"]' || return 1
	dir=$work/musl
	mkdir -p "$dir"/{bin,lib}
	cp "$build/musl/v_output" "$dir/bin/program"
	cp -L /lib/ld-musl-*.so.1 "$dir/lib/"
	from_folder with-musl "$dir" 'CMD ["/bin/program", "line", "_exit"]' || return 1
	# The tokio server of the example.
	dir=$work/restart-loop
	cp -r "$examples/restart-loop" "$dir"
	mkdir "$dir/out"
	cp "$build/tokio-server" "$dir/out/server"
	cp "$build/placeholder" "$dir/out/placeholder"
	without_build "$dir/Dockerfile" "$dir" silent-server
}

# ---- The three ways ----

ways() {
	local dir=$work/env image words
	mkdir -p "$dir/out"
	cp "$shim" "$dir/out/"
	without_build "$examples/dockerfile-env/Dockerfile" "$dir" built-with-epitaph
	docker run --name built built-with-epitaph >/dev/null 2>&1
	want 'ENV in a built image: exit code' 3 "$(docker inspect --format '{{.State.ExitCode}}' built)"
	says 'ENV in a built image: its log' 'ENDED with exit code 3: _exit\(3\) called by .*' "$(sentence built)"
	for image in debian:bookworm-slim with-musl no-shell; do
		docker run --name "way-${image%%:*}" "${inject[@]}" "$image" >/dev/null 2>&1
		words='ENDED with exit code [035]: .*(main\(\) returned|_exit\([03]\) called by).*'
		says "-e and -v, $image: its log" "$words" "$(sentence "way-${image%%:*}")"
	done
	want 'the musl program counts as one' 1 "$(docker logs way-with-musl 2>&1 | grep -c 'watching /bin/program (epitaph .*, musl')"
	words=$(ENGINE=docker "$examples/docker-run/run.sh" "$shim" debian:bookworm-slim sh -c 'exit 4' 2>&1)
	want 'examples/docker-run: exit code' 4 $?
	says 'examples/docker-run: the sentence' '.*ENDED with exit code 4.*' "${words//$'\n'/ }"
	(cd "$work" && "$examples/local/run.sh" "$shim" sh -c 'exit 6')
	want 'examples/local: exit code' 6 $?
	words=$(cat "$work/epitaph.log")
	says 'examples/local: the sentence' '.*ENDED with exit code 6.*' "${words//$'\n'/ }"
}

# ---- Six reasons to restart ----

restarts() {
	local variant line words said
	local outside='from outside this container \(sender pid 0: .*\)'
	declare -A wanted=(
		[outside]="main\(\) returned 0, [0-9]+ ms after SIGTERM $outside"
		[health]='main\(\) returned 0, [0-9]+ ms after SIGTERM from process [0-9]+ \(health.sh\)'
		[dropped]='main\(\) returned 0; no signal came, and it had stopped listening on 0.0.0.0:8080 before'
		[entrypoint]='_exit\(0\) called by .*; its child, process [0-9]+ \(server\), is still running: the entrypoint ended before it.*'
		[stdin]='main\(\) returned 0; stdin was at its end: read returned end of file [0-9]+ ms before'
		[placeholder]='main\(\) returned 0; it printed nothing, opened no socket and lived [0-9]+ ms: is this the right binary\?'
	)
	said=$(ENGINE=docker timeout 200 "$work/restart-loop/variants.sh" "$shim" 2>/dev/null)
	for variant in "${!wanted[@]}"; do
		line=$(grep -A1 "^$variant:" <<<"$said" | tail -n 1)
		words=${line#*ENDED with exit code 0: }
		says "restart-loop, $variant" "${wanted[$variant]}" "$words"
	done
}

# ---- Stop, kill, memory ----

is_up() {
	docker logs "$1" 2>&1 | grep -q 'health check: '
}

# server_in NAME ARGUMENT...: the tokio server, up.
server_in() {
	docker run -d --name "$@" "${inject[@]}" silent-server >/dev/null 2>&1
	until_true is_up "$1" || fail "$1" 'the server does not come up'
}

ends() {
	local outside='from outside this container \(sender pid 0: .*\)' code words
	server_in stopped
	docker stop stopped >/dev/null
	says 'engine stop' "ENDED with exit code 0: main\(\) returned 0, [0-9]+ ms after SIGTERM $outside" "$(sentence stopped)"
	server_in hup
	docker kill -s HUP hup >/dev/null
	want 'engine kill, SIGHUP: pid 1 without a handler goes on, as bare' 'running ' \
		"$(docker inspect --format '{{.State.Status}}' hup) $(sentence hup)"
	docker rm -f hup >/dev/null 2>&1
	server_in killed
	docker kill killed >/dev/null
	code=$(docker wait killed)
	want 'engine kill, SIGKILL: the engine alone knows' '137 ' "$code $(sentence killed)"
	# conmon leaves a file named oom where it was started.
	(cd "$work" && docker run --name oom -m 64m "${inject[@]}" debian:bookworm-slim \
		sh -c 'perl -e "\$x = q(x) x 200e6"; exit $?') >/dev/null 2>&1
	words=$(docker logs oom 2>&1)
	if [[ $words = *'exit code 137'* ]]; then
		says "the memory limit: its parent's report" '.*by SIGKILL.*out-of-memory.*' "${words//$'\n'/ }"
	else
		skip 'the memory limit' 'this machine sets none for a container'
	fi
}

# ---- Misuse ----

misuse() {
	local words
	local bare
	docker run --name static-bare -v "$build/static/v_return:/program:ro" no-shell /program >/dev/null 2>&1
	docker run --name static "${inject[@]}" -v "$build/static/v_return:/program:ro" no-shell /program >/dev/null 2>&1
	bare=$(docker inspect --format '{{.State.ExitCode}}' static-bare)
	want 'a static program: as bare, and no word' "$bare $(docker logs static-bare 2>&1)" \
		"$(docker inspect --format '{{.State.ExitCode}}' static) $(docker logs static 2>&1)"
	docker run --name ro --read-only "${inject[@]}" -e EPITAPH_LOG=/log debian:bookworm-slim sh -c 'exit 5' >/dev/null 2>&1
	want 'read-only root, a log that cannot be: exit code' 5 "$(docker inspect --format '{{.State.ExitCode}}' ro)"
	words=$(docker logs ro 2>&1)
	says 'read-only root: one line says so' '.*EPITAPH_LOG.*' "${words//$'\n'/ }"
	says 'read-only root: the sentence all the same' 'ENDED with exit code 5.*' "$(sentence ro)"
	docker run --name odd "${inject[@]}" -e EPITAPH_FORMAT=xml debian:bookworm-slim sh -c 'exit 5' >/dev/null 2>&1
	words=$(docker logs odd 2>&1)
	says 'a wrong option: one line says so' '.*EPITAPH_FORMAT.*xml.*' "${words//$'\n'/ }"
	docker run --name nobody --user 1234:1234 --cap-drop=ALL --security-opt=no-new-privileges "${inject[@]}" \
		debian:bookworm-slim sh -c 'exit 5' >/dev/null 2>&1
	says 'without any right: the sentence' 'ENDED with exit code 5.*' "$(sentence nobody)"
}

# ---- Examples ----

examples() {
	local dir=$work/copied
	mkdir -p "$dir/build/amd64"
	cp "$shim" "$dir/build/amd64/"
	docker build -q -t epitaph -f "$examples/image/Dockerfile" "$dir" >"$work/build.log" 2>&1 ||
		fail 'image/ is built' "$(tail -n 2 "$work/build.log")"
	printf 'FROM no-shell\nCOPY --from=epitaph /libepitaph.so /lib/epitaph.so\nENV LD_PRELOAD=/lib/epitaph.so\n' \
		>"$work/Dockerfile"
	docker build -q -t copied -f "$work/Dockerfile" "$dir" >"$work/build.log" 2>&1
	docker run --name copied copied >/dev/null 2>&1
	says 'image/: COPY --from=epitaph' 'ENDED with exit code 5: main\(\) returned 5.*' "$(sentence copied)"
	need python3-yaml /usr/lib/python3/dist-packages/yaml
	/usr/bin/python3 "$here/examples.py" >"$work/examples.log" 2>&1
	grep -v '^ok' "$work/examples.log"
	want 'the files of the other examples' 0 "$(grep -c '^FAIL\|Error' "$work/examples.log")"
}

if ! need 'podman runc' podman runc || ! need debootstrap debootstrap || ! need jq jq || ! make_engine || ! images; then
	fail containers "no engine, or no image: $(tail -n 2 "$work"/*.log 2>/dev/null)"
	tally
	exit
fi
[ $# -gt 0 ] || set -- ways restarts ends misuse examples
for part in "$@"; do
	"$part"
done
tally
