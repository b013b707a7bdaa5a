/*
 * The sockets that this process listens on: since when, and which of them are gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_PORTS_H
#define EPITAPH_PORTS_H

#include <stdbool.h>

#include "text.h"

/* listen(2) succeeded. Remembers up to 16 sockets; those whose descriptor was closed since give up
 * their place. AS-safe. */
void ports_listened(int fd);

/*
 * "listening on 0.0.0.0:8080 since +0.012s, [::]:81 (since when is not known); no
 * longer on 127.0.0.1:80 (since +0.100s), closed before the end". False, and nothing written, where
 * there is nothing to tell. buf is for the kernel's directory entries: 1024 bytes do. What is true
 * is read from the descriptors. AS-safe.
 */
bool ports_describe(struct text *t, char *buf, size_t cap);

/* Where it listened last, as an address that stays; NULL where it never did, still listens
 * somewhere, or that is not known. buf as above. AS-safe. */
const char *ports_all_lost(char *buf, size_t cap);

#endif
