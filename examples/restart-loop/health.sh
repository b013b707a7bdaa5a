#!/bin/bash
# The mistake: it asks for a page that the server does not have, and "restarts" what it believes ill.
# SPDX-License-Identifier: MIT
exec 3<>/dev/tcp/127.0.0.1/8080 || exit 1
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
read -r _ code _ <&3
[ "$code" = 200 ] && exit 0
kill -TERM 1
sleep 1 # and looks whether that helped
exit 1
