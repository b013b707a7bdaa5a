#!/bin/sh
# build.sh DIR OUT [PLACEHOLDER]: builds the server (and the binary that does nothing) without a
# network, from the crates that Debian packages (librust-tokio-dev). Where there is no cargo or no
# crates, says so and leaves no OUT: what needs it is skipped with that reason.
# SPDX-License-Identifier: MIT
set -eu

registry=/usr/share/cargo/registry
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v cargo >/dev/null 2>&1 || ! ls -d $registry/tokio-1.* >/dev/null 2>&1; then
	echo "tokio-server: no cargo, or no packaged tokio in $registry: not built" >&2
	exit 0
fi
mkdir -p "$1"
cp -R "$here/Cargo.toml" "$here/src" "$1/"
cd "$1"
if ! cargo build --release --offline --quiet \
	--config 'source.crates-io.replace-with="packaged"' \
	--config "source.packaged.directory=\"$registry\"" >build.log 2>&1; then
	echo "tokio-server: cargo could not build it: see $1/build.log" >&2
	exit 0
fi
cp target/release/tokio-server "$2"
[ $# -lt 3 ] || cp target/release/placeholder "$3"
