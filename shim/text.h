/*
 * Bounded formatting into a buffer of the caller's: no allocation, no locale, no errno.
 * Every function is async-signal-safe; what does not fit is cut and told by `cut`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_TEXT_H
#define EPITAPH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *buf;  /* not owned */
	size_t len; /* bytes used; buf[len] is always NUL */
	size_t cap; /* bytes of buf, at least 1 */
	bool cut;   /* something did not fit */
};

/* An empty text over buf; cap counts the final NUL. */
struct text text_over(char *buf, size_t cap);

void text_char(struct text *t, char c);
void text_str(struct text *t, const char *s);
void text_mem(struct text *t, const char *s, size_t n);
void text_dec(struct text *t, int64_t v);
void text_hex(struct text *t, uint64_t v); /* with 0x, lower case */
/* Nanoseconds as seconds with `digits` (1 to 9) decimals, cut, not rounded: 1.203 */
void text_seconds(struct text *t, int64_t ns, int digits);
/* Unix time in nanoseconds as RFC 3339 in UTC with microseconds. */
void text_time(struct text *t, int64_t unix_ns);
/* Two zero-padded digits and such. */
void text_padded(struct text *t, uint64_t v, int width);

/*
 * A string from outside made harmless for a terminal and a log: C0 and C1 controls, DEL, the
 * bidirectional overrides, line separators and bytes that are no UTF-8 become \n, \t, \xNN or
 * \u{NNNN}; all else stays as it is.
 */
void text_clean(struct text *t, const char *s, size_t n);

/* The inside of a JSON string (RFC 8259). `s` must be clean (text_clean), but may hold newlines. */
void text_json(struct text *t, const char *s);

size_t str_len(const char *s);
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
/* Behind the last slash; never NULL. */
const char *str_base(const char *path);
/* Decimal digits only, at most `max`; false where it is anything else. */
bool str_number(const char *s, uint64_t max, uint64_t *out);

#endif
