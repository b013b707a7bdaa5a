#!/bin/sh
# The mistake: the server is started in the background, and the script goes on to its end. It should
# say `exec server …` in its last line.
# SPDX-License-Identifier: MIT
server serve 0.0.0.0:8080 &
sleep 1
echo "entrypoint: done"
