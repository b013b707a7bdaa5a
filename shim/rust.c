/*
 * Rust's stdout; the contract is in rust.h.
 *
 * The standard library makes its stdout at the first use, with a buffer of lines. At the end of a
 * program std::rt::cleanup makes it without one, and where that ran before the first use, it stays
 * so: the same code, once a process, only earlier. What else it does (give back the main thread's
 * alternate stack) finds nothing to do before main.
 *
 * Runs in: the moment before main.
 * Sources: library/std/src/rt.rs, io/stdio.rs, sys/pal/unix/stack_overflow.rs of Rust 1.70 to 1.96;
 * Rust's symbol mangling, legacy and v0.
 * SPDX-License-Identifier: MIT
 */
#include "rust.h"

#include "epitaph.h"
#include "modules.h"
#include "sys.h"
#include "text.h"

enum {
	MINOR_FIRST = 70, /* the versions whose std::rt::cleanup is known */
	MINOR_LAST = 96,
	STRINGS_MOST = 16 << 20, /* a larger table is not read: some milliseconds of each start */
	SECTIONS_MOST = 96,
	NAMES_MOST = 1024,
	CODE_MOST = 4096,
	NAME_MOST = 256,
	BEHIND = 32, /* enough for the end of a name */
};

/* The name's inside; around it stand a crate's hash, or one of the function's. */
static const char inside[] = "3std2rt7cleanup";
enum { LENGTH = sizeof inside - 1 };
static const char version[] = "rustc version 1.";

static char buf[64 * 1024] EPITAPH_COLD;

/* Only code with a personality routine of its own needs this: Rust's std, and few others. */
static bool imports_unwinding(const struct link_map *program)
{
	struct module m;

	if (!module_open(&m, program) || !m.gnu_hash)
		return false;
	/* What is imported stands before what the hash table covers. */
	for (uint32_t i = 1; i < m.gnu_hash[1]; i++)
		if (str_eq(m.strings + m.symbols[i].st_name, "_Unwind_GetTextRelBase"))
			return true;
	return false;
}

/* The program's file, with its section headers; those of one that has more are not read. */
static struct {
	int fd;
	unsigned int count;
	ElfW(Shdr) sections[SECTIONS_MOST];
	char names[NAMES_MOST];
} file EPITAPH_COLD;

static bool read_exactly(void *to, uint64_t size, uint64_t off)
{
	return sys_pread(file.fd, to, (size_t)size, off) == (long)size;
}

static bool read_sections(void)
{
	ElfW(Ehdr) e;
	const ElfW(Shdr) * names;

	if (!read_exactly(&e, sizeof e, 0) || e.e_ident[0] != 0x7f ||
	    e.e_shentsize != sizeof(ElfW(Shdr)) || e.e_shnum > SECTIONS_MOST ||
	    e.e_shstrndx >= e.e_shnum ||
	    !read_exactly(file.sections, e.e_shnum * sizeof(ElfW(Shdr)), e.e_shoff))
		return false;
	file.count = e.e_shnum;
	names = &file.sections[e.e_shstrndx];
	return names->sh_size < NAMES_MOST &&
	       read_exactly(file.names, names->sh_size, names->sh_offset);
}

static const ElfW(Shdr) * find_section(const char *name)
{
	for (unsigned int i = 0; i < file.count; i++)
		if (file.sections[i].sh_name < NAMES_MOST &&
		    str_eq(file.names + file.sections[i].sh_name, name))
			return &file.sections[i];
	return NULL;
}

/* Whether the compiler left its version in the file, and it is one that we know. */
static bool known_version(void)
{
	const ElfW(Shdr) *comment = find_section(".comment");
	uint64_t minor = 0;
	const char *at;

	if (!comment || comment->sh_size >= 4096 ||
	    !read_exactly(buf, comment->sh_size, comment->sh_offset))
		return false;
	buf[comment->sh_size] = '\0';
	for (at = buf; at < buf + comment->sh_size; at += str_len(at) + 1)
		if (str_starts(at, version))
			break;
	if (at >= buf + comment->sh_size)
		return false;
	for (at += sizeof version - 1; *at >= '0' && *at <= '9'; at++)
		minor = minor * 10 + (uint64_t)(*at - '0');
	return minor >= MINOR_FIRST && minor <= MINOR_LAST && *at == '.';
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * The beginning of the whole name around buf[at], or NULL: _RNvNtCsHASH_3std2rt7cleanup (v0) or
 * _ZN3std2rt7cleanup17h0123456789abcdefE (legacy), each with its NUL.
 */
static const char *whole_name(size_t at)
{
	const char *end = buf + at + LENGTH, *from = buf + at;

	if (at >= 3 && str_starts(from - 3, "_ZN") && str_starts(end, "17h")) {
		for (int i = 3; i < 19; i++)
			if (!is_word(end[i]))
				return NULL;
		return end[19] == 'E' && !end[20] ? from - 3 : NULL;
	}
	if (*end || at < 2 || *--from != '_')
		return NULL;
	while (from > buf && is_word(from[-1]))
		from--;
	return from > buf && str_starts(from - 1, "_RNvNtCs") ? from - 1 : NULL;
}

/* The name in buf[0..have), or NULL. Of one that may go on behind the end nothing is said, unless
 * this is the table's last piece. (Horspool: the pattern's last letter is looked at first, so most
 * bytes are not.) */
static const char *name_in_piece(size_t have, bool last)
{
	unsigned char step[256];

	__builtin_memset(step, LENGTH, sizeof step);
	for (int i = 0; i < LENGTH - 1; i++)
		step[(unsigned char)inside[i]] = (unsigned char)(LENGTH - 1 - i);
	for (size_t i = LENGTH - 1; i < have && (last || i + BEHIND < have);
	     i += step[(unsigned char)buf[i]]) {
		const char *name = NULL;

		if (buf[i] == inside[LENGTH - 1] && str_starts(buf + i - (LENGTH - 1), inside))
			name = whole_name(i - (LENGTH - 1));
		if (name)
			return name;
	}
	return NULL;
}

/* Where the name stands in the string table; 0: nowhere. */
static uint64_t find_name(const ElfW(Shdr) * strings)
{
	size_t have = 0; /* of the piece before: a name may lie across */

	for (uint64_t off = 0; off < strings->sh_size;) {
		size_t room = sizeof buf - 1 - have;
		uint64_t left = strings->sh_size - off;
		long n = sys_pread(file.fd, buf + have, left < room ? (size_t)left : room,
				   strings->sh_offset + off);
		const char *name;

		if (n <= 0)
			return 0;
		off += (uint64_t)n;
		have += (size_t)n;
		buf[have] = '\0';
		name = name_in_piece(have, off == strings->sh_size);
		if (name)
			return off - (uint64_t)(buf + have - name);
		size_t kept = have < NAME_MOST ? have : NAME_MOST;
		__builtin_memmove(buf, buf + have - kept, kept);
		have = kept;
	}
	return 0;
}

/* The function of that name. */
static uintptr_t find_function(const ElfW(Shdr) * symbols, uint64_t name)
{
	enum { PIECE = sizeof buf - sizeof buf % sizeof(ElfW(Sym)) };

	for (uint64_t off = 0; off < symbols->sh_size; off += PIECE) {
		uint64_t left = symbols->sh_size - off;
		long n = sys_pread(file.fd, buf, left < PIECE ? (size_t)left : PIECE,
				   symbols->sh_offset + off);
		const ElfW(Sym) *s = (const void *)buf;

		if (n <= 0)
			return 0;
		for (long i = 0; i < n / (long)sizeof *s; i++)
			if (s[i].st_name == name && (s[i].st_info & 15) == STT_FUNC &&
			    s[i].st_shndx != SHN_UNDEF && s[i].st_size && s[i].st_size < CODE_MOST)
				return (uintptr_t)s[i].st_value;
	}
	return 0;
}

static uintptr_t find_cleanup(void)
{
	const ElfW(Shdr) * symbols, *strings;
	uint64_t name;

	if (!read_sections() || !known_version())
		return 0;
	symbols = find_section(".symtab");
	strings = find_section(".strtab");
	if (!symbols || !strings || strings->sh_size > STRINGS_MOST)
		return 0;
	name = find_name(strings);
	return name ? find_function(symbols, name) : 0;
}

void rust_unbuffer(void)
{
	const struct link_map *program = modules_first();
	uintptr_t at;

	if (!program || !imports_unwinding(program))
		return;
	file.fd = sys_open("/proc/self/exe", O_RDONLY, 0);
	if (file.fd < 0)
		return;
	at = find_cleanup();
	sys_close(file.fd);
	if (at && module_at(program->l_addr + at, true) == program)
		((void (*)(void))(program->l_addr + at))();
}
