#!/bin/sh
# run.sh SHIM IMAGE [COMMAND...]
# SPDX-License-Identifier: MIT
set -eu
shim=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
exec "${ENGINE:-docker}" run --rm -v "$shim:/epitaph.so:ro" -e LD_PRELOAD=/epitaph.so "$@"
