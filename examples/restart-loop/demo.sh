#!/bin/sh
# Builds the little server and shows its silent ends, bare and under Epitaph. Needs a C compiler.
#   demo.sh SHIM [FOLDER]
# SPDX-License-Identifier: MIT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
shim=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=${2:-$(mktemp -d)}
mkdir -p "$work"
[ $# -gt 1 ] || trap 'rm -rf "$work"' EXIT
"${CC:-cc}" -g -O1 -pthread -o "$work/server" "$here/server.c"
cd "$work"

echo '1. The server, as it is: it answers its health check and is gone 1.2 s later.'
echo '$ ./server returns; echo "exit code $?"'
./server returns
echo "exit code $?"
echo
echo '2. The same under Epitaph: the runtime was done, and main returned.'
echo "\$ LD_PRELOAD=libepitaph.so ./server returns"
LD_PRELOAD=$shim ./server returns 2>&1
echo
echo '3. Another server, the same silence: a library called exit(0) in its own thread.'
echo "\$ LD_PRELOAD=libepitaph.so ./server library"
LD_PRELOAD=$shim ./server library 2>&1
echo
echo '4. And one that somebody stops: it handles SIGTERM and exits with code 0.'
echo "\$ LD_PRELOAD=libepitaph.so ./server handled & kill \$!"
LD_PRELOAD=$shim ./server handled > server.out 2>&1 &
pid=$!
until grep -q 'health check' server.out; do kill -0 "$pid" || break; done
kill "$pid"
wait "$pid" || true
cat server.out
