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
unset LD_PRELOAD EPITAPH_ROOT

# under HOW: the server under Epitaph, its output and its exit code.
under() {
	echo "\$ LD_PRELOAD=libepitaph.so ./server $1; echo \"exit code \$?\""
	LD_PRELOAD=$shim ./server "$1" 2>&1 && code=0 || code=$?
	echo "exit code $code"
	echo
}

echo '1. The server, as it is: it answers its health check and is gone 1.2 s later.'
echo '$ ./server returns; echo "exit code $?"'
./server returns
echo "exit code $?"
echo
echo '2. The same under Epitaph: the runtime was done, and main returned.'
under returns
echo '3. Another server, the same silence: a library called exit(0) in its own thread.'
under library
echo '4. One whose port is taken: err() in main ended it.'
under occupied
echo '5. And one that somebody stops: it handles SIGTERM and exits with code 0.'
echo "\$ LD_PRELOAD=libepitaph.so ./server handled & kill \$!"
: > server.out
LD_PRELOAD=$shim ./server handled >> server.out 2>&1 &
pid=$!
tries=0
until grep -q 'health check' server.out || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
kill "$pid"
wait "$pid" && code=0 || code=$?
cat server.out
echo "exit code $code"
