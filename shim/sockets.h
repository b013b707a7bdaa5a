/*
 * Sockets: addresses as text, and what the process listens on. Async-signal-safe; no descriptor
 * stays open, and none is changed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_SOCKETS_H
#define EPITAPH_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct listening {
	int fd;
	int family;    /* AF_INET, AF_INET6, AF_UNIX or another */
	uint16_t port; /* 0 where the family has none */
	bool v6only;   /* AF_INET6: takes no IPv4 connections */
	/* As sockets_format writes it; a path may hold any bytes (text_clean). */
	char address[120];
};

/*
 * The sockets that take connections now, lowest descriptor first, up to `most` of them into out;
 * the result is how many there are, which may be more. It costs a system call or two for every open
 * descriptor: for the end, not for the start. Looks at the lowest 16384 descriptors that are open;
 * without /proc, or with no descriptor left to open it, at those below 256. buf is for the kernel's
 * directory entries: 1024 bytes do.
 */
int sockets_listening(struct listening *out, int most, char *buf, size_t cap);

/* The same with another folder in place of /proc/self/fd: for tests. */
int sockets_listening_in(const char *folder, struct listening *out, int most, char *buf,
			 size_t cap);

/*
 * An address of `len` bytes, as the kernel gives or takes it: 172.18.0.2:5432, [fe80::1]:80 (RFC
 * 5952), unix:/run/x.sock, @abstract (its NULs shown as @), unix:(unnamed); "family N" for any
 * other or for one that is cut. Reads no byte beyond len.
 */
void sockets_format(struct text *t, const void *sockaddr, unsigned int len);

#endif
