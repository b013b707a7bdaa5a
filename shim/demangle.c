/*
 * Demangling of the simple cases: nested names of the Itanium C++ ABI (which Rust's legacy scheme
 * borrows), their constructors and destructors, and the plain paths of Rust's v0 scheme (RFC 2603).
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "demangle.h"

enum { PARTS_MOST = 16 };

struct part {
	const char *s;
	size_t len;
};

/* Rust writes punctuation into identifiers: $LT$ for <, .. for ::, $u7b$ for {. */
static void rust_part(struct text *t, const char *s, size_t n)
{
	static const char codes[][2][4] = {{"SP", "@"}, {"BP", "*"}, {"RF", "&"}, {"LT", "<"},
					   {"GT", ">"}, {"LP", "("}, {"RP", ")"}, {"C", ","}};
	size_t i = n > 1 && s[0] == '_' && s[1] == '$' ? 1 : 0;

	while (i < n) {
		size_t end = i + 1;

		if (s[i] == '.' && i + 1 < n && s[i + 1] == '.') {
			text_str(t, "::");
			i += 2;
			continue;
		}
		while (s[i] == '$' && end < n && s[end] != '$')
			end++;
		if (s[i] != '$' || end >= n) {
			text_char(t, s[i++]);
			continue;
		}
		size_t len = end - i - 1;
		for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
			if (str_len(codes[c][0]) == len && codes[c][0][0] == s[i + 1] &&
			    (len < 2 || codes[c][0][1] == s[i + 2]))
				text_str(t, codes[c][1]);
		if (s[i + 1] == 'u') {
			unsigned int v = 0;

			for (size_t k = i + 2; k < end; k++)
				v = v << 4 |
				    (unsigned int)(s[k] <= '9' ? s[k] - '0' : s[k] - 'a' + 10);
			if (v >= 0x20 && v < 0x7f)
				text_char(t, (char)v);
		}
		i = end + 1;
	}
}

/* <decimal length><identifier>; returns what follows, or NULL. */
static const char *length_part(const char *s, struct part *p)
{
	size_t len = 0;

	if (*s < '1' || *s > '9')
		return NULL;
	while (*s >= '0' && *s <= '9' && len < 4096)
		len = len * 10 + (size_t)(*s++ - '0');
	for (size_t i = 0; i < len; i++)
		if (!s[i])
			return NULL;
	*p = (struct part){s, len};
	return s + len;
}

static bool itanium(struct text *t, const char *s)
{
	struct part parts[PARTS_MOST];
	int n = 0;
	bool nested = *s == 'N', rust = false;

	if (nested)
		s++;
	while (nested && (*s == 'K' || *s == 'V' || *s == 'r'))
		s++;
	if (s[0] == 'S' && s[1] == 't') {
		parts[n++] = (struct part){"std", 3};
		s += 2;
	}
	do {
		if (nested && n && (*s == 'C' || *s == 'D') && s[1] >= '0' && s[1] <= '5') {
			/* the class's name once more, behind a tilde for a destructor */
			struct part class = parts[n - 1];

			if (*s == 'D')
				parts[n++] = (struct part){"~", 1};
			parts[n++] = class;
			s += 2;
		} else {
			s = length_part(s, &parts[n++]);
		}
	} while (nested && s && *s != 'E' && n < PARTS_MOST - 2);
	if (!s || (nested && *s != 'E'))
		return false;
	/* Rust's last part is a hash: h and 16 hexadecimal digits. */
	if (nested && n > 1 && parts[n - 1].len == 17 && parts[n - 1].s[0] == 'h') {
		rust = true;
		n--;
	}
	for (int i = 0; i < n; i++) {
		if (i && !(parts[i - 1].len == 1 && parts[i - 1].s[0] == '~'))
			text_str(t, "::");
		if (rust)
			rust_part(t, parts[i].s, parts[i].len);
		else
			text_mem(t, parts[i].s, parts[i].len);
	}
	return true;
}

/* Rust v0, plain paths only: C <crate>, Nv <path> <name>; hashes and generic arguments are dropped.
 */
static bool rust_v0(struct text *t, const char *s)
{
	struct part parts[PARTS_MOST];
	int n = 0, depth = 0;

	while (*s == 'N' && s[1] && depth < PARTS_MOST) {
		s += 2;
		depth++;
	}
	if (*s++ != 'C')
		return false;
	for (int i = 0; i <= depth && n < PARTS_MOST; i++) {
		if (*s == 's') { /* s <base-62> _ : a disambiguator */
			while (*s && *s != '_')
				s++;
			if (*s)
				s++;
		}
		if (*s == '0') { /* no name: a closure */
			parts[n++] = (struct part){"{closure}", 9};
			s++;
			continue;
		}
		size_t len = 0;
		if (*s < '1' || *s > '9')
			return false;
		while (*s >= '0' && *s <= '9' && len < 4096)
			len = len * 10 + (size_t)(*s++ - '0');
		if (*s == '_')
			s++;
		for (size_t k = 0; k < len; k++)
			if (!s[k])
				return false;
		parts[n++] = (struct part){s, len};
		s += len;
	}
	for (int i = 0; i < n; i++) {
		if (i)
			text_str(t, "::");
		text_mem(t, parts[i].s, parts[i].len);
	}
	return true;
}

void demangle(struct text *t, const char *symbol)
{
	struct text mark = *t;
	bool done = false;

	if (symbol[0] == '_' && symbol[1] == 'Z')
		done = itanium(t, symbol + 2);
	else if (symbol[0] == '_' && symbol[1] == 'R')
		done = rust_v0(t, symbol + 2);
	if (!done) {
		*t = mark;
		t->buf[t->len] = '\0';
		text_str(t, symbol);
	}
}
