#!/bin/sh
# run.sh SHIM PROGRAM ARGUMENT...: the lines go to epitaph.log here.
# SPDX-License-Identifier: MIT
set -eu
shim=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
export EPITAPH_LOG="$PWD/epitaph.log"
export LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$shim"
exec "$@"
