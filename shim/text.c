/*
 * Bounded formatting and escaping; the contracts are in text.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

struct text text_over(char *buf, size_t cap)
{
	buf[0] = '\0';
	return (struct text){.buf = buf, .cap = cap};
}

void text_mem(struct text *t, const char *s, size_t n)
{
	size_t room = t->cap - 1 - t->len;

	if (n > room) {
		n = room;
		while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--; /* never half a UTF-8 sequence */
		t->cut = true;
	}
	for (size_t i = 0; i < n; i++)
		t->buf[t->len + i] = s[i];
	t->len += n;
	t->buf[t->len] = '\0';
}

void text_char(struct text *t, char c)
{
	text_mem(t, &c, 1);
}

void text_str(struct text *t, const char *s)
{
	text_mem(t, s, str_len(s));
}

void text_dec(struct text *t, int64_t v)
{
	if (v < 0) {
		text_char(t, '-');
		text_padded(t, 0 - (uint64_t)v, 1);
	} else {
		text_padded(t, (uint64_t)v, 1);
	}
}

void text_padded(struct text *t, uint64_t v, int width)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	for (; width > n; width--)
		text_char(t, '0');
	while (n)
		text_char(t, digits[--n]);
}

void text_hex(struct text *t, uint64_t v)
{
	int shift = 60;

	text_str(t, "0x");
	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		text_char(t, "0123456789abcdef"[(v >> shift) & 15]);
}

void text_seconds(struct text *t, int64_t ns, int digits)
{
	uint64_t frac, v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

	if (ns < 0)
		text_char(t, '-');
	text_padded(t, v / 1000000000, 1);
	text_char(t, '.');
	frac = v % 1000000000;
	for (int i = digits; i < 9; i++)
		frac /= 10;
	text_padded(t, frac, digits);
}

void text_time(struct text *t, int64_t unix_ns)
{
	uint64_t ns = unix_ns < 0 ? 0 : (uint64_t)unix_ns;
	uint64_t day = ns / 86400000000000, rest = ns % 86400000000000 / 1000;
	/* Days since 1970-01-01 to the civil date, with years that begin in March, so that the leap
	 * day is the last one; 146097 days are 400 years. */
	uint64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;

	text_padded(t, yoe + era * 400 + (month <= 2), 4);
	text_char(t, '-');
	text_padded(t, month, 2);
	text_char(t, '-');
	text_padded(t, doy - (153 * mp + 2) / 5 + 1, 2);
	text_char(t, 'T');
	text_padded(t, rest / 3600000000, 2);
	text_char(t, ':');
	text_padded(t, rest / 60000000 % 60, 2);
	text_char(t, ':');
	text_padded(t, rest / 1000000 % 60, 2);
	text_char(t, '.');
	text_padded(t, rest % 1000000, 6);
	text_char(t, 'Z');
}

/* Length of the valid UTF-8 sequence at s (at most n bytes) with its code point, or 0. */
static size_t utf8(const unsigned char *s, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;
	uint32_t v;

	if (!len || len > n)
		return 0;
	v = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*cp = v;
	return len;
}

static void escape_byte(struct text *t, unsigned char c)
{
	char e[5] = {'\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15], '\0'};

	switch (c) {
	case '\n':
		text_str(t, "\\n");
		break;
	case '\r':
		text_str(t, "\\r");
		break;
	case '\t':
		text_str(t, "\\t");
		break;
	default:
		text_str(t, e);
	}
}

void text_clean(struct text *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t plain = i;

		while (plain < n && s[plain] >= 0x20 && s[plain] < 0x7f)
			plain++;
		text_mem(t, s + i, plain - i);
		i = plain;
		if (i == n)
			break;
		uint32_t cp = 0;
		size_t len = utf8((const unsigned char *)s + i, n - i, &cp);

		if (!len || cp < 0x20 || cp == 0x7f) {
			escape_byte(t, (unsigned char)s[i]);
			len = 1;
		} else if ((cp >= 0x80 && cp < 0xa0) || (cp >= 0x200e && cp <= 0x200f) ||
			   (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
			   cp == 0xfeff) {
			text_str(t, "\\u{");
			for (int shift = 12; shift >= 0; shift -= 4)
				text_char(t, "0123456789abcdef"[(cp >> shift) & 15]);
			text_char(t, '}');
		} else if (t->cap - 1 - t->len < len) {
			t->cut = true; /* never half a sequence */
			return;
		} else {
			text_mem(t, s + i, len);
		}
		i += len;
	}
}

void text_json(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n') {
			text_str(t, "\\n");
		} else {
			if (*s == '"' || *s == '\\')
				text_char(t, '\\');
			text_char(t, *s);
		}
	}
}

size_t str_len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool str_eq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool str_starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

const char *str_base(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (path[0] == '/' && path[1])
			base = path + 1;
	return base;
}

bool str_number(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(unsigned char)*s - '0';

		if (digit > 9 || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}
