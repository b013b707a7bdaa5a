/*
 * Reasons of an abort; the contract is in aborts.h.
 *
 * Interposes: __assert_fail.
 * Runs in: any thread, signal handler.
 * Sources: glibc include/stdlib.h (__abort_msg, which its debuggers read: assert, malloc's checks,
 * the stack protector and _FORTIFY_SOURCE leave their words there); the Itanium C++ ABI, 2.5.
 * SPDX-License-Identifier: MIT
 */
#include "aborts.h"

#include "demangle.h"
#include "epitaph.h"
#include "flush.h"
#include "modules.h"
#include "next.h"
#include "sys.h"

enum { MESSAGE_MOST = 240, NAME_MOST = 160 };

struct abort_message { /* glibc's */
	unsigned int size;
	char text[];
};

static struct {
	const char *expression, *file, *function; /* literals of the program's */
	unsigned int line;
} failed;

static const char *exception; /* mangled; lies in the program's type information */

static bool is_cxx_runtime(const struct link_map *map)
{
	return module_named(map, "libstdc++.so.6") || module_named(map, "libc++abi.so.1") ||
	       module_named(map, "libc++.so.1");
}

void aborts_note(uintptr_t caller)
{
	/* Only for the C++ runtime's own abort: elsewhere the look-up of its thread's state could
	 * allocate, in a process whose heap may be what is broken. */
	const struct link_map *map = module_at(caller, true);
	const uintptr_t *(*current)(void);
	const uintptr_t *type;

	if (!map || !is_cxx_runtime(map))
		return;
	current = modules_symbol("__cxa_current_exception_type");
	type = current ? current() : NULL;
	/* std::type_info: its table of virtual functions, then the name */
	if (type && sys_readable(type, 2 * sizeof *type) &&
	    sys_readable_string((const char *)type[1], 4096))
		exception = (const char *)type[1];
}

void aborts_message(struct text *t)
{
	struct abort_message **at = modules_symbol("__abort_msg");
	const struct abort_message *m = at && sys_readable(at, sizeof(void *)) ? *at : NULL;

	if (m && sys_readable_string(m->text, 65536)) {
		size_t n = str_len(m->text);

		while (n && m->text[n - 1] == '\n')
			n--;
		text_str(t, ": ");
		text_clean(t, m->text, n < MESSAGE_MOST ? n : MESSAGE_MOST);
	} else if (failed.expression) {
		text_str(t, ": ");
		text_clean(t, failed.expression, str_len(failed.expression));
		text_str(t, " (");
		text_clean(t, failed.file, str_len(failed.file));
		text_char(t, ':');
		text_dec(t, failed.line);
		if (failed.function) {
			text_str(t, ", in ");
			text_clean(t, failed.function, str_len(failed.function));
		}
		text_char(t, ')');
	}
}

void aborts_exception(struct text *t)
{
	static const char simple[][2][14] = {
		{"i", "int"},		{"j", "unsigned int"}, {"l", "long"},
		{"m", "unsigned long"}, {"b", "bool"},	       {"c", "char"},
		{"d", "double"},	{"f", "float"},	       {"PKc", "const char *"},
		{"Pc", "char *"}};
	const char *name = __atomic_load_n(&exception, __ATOMIC_RELAXED);
	char symbol[NAME_MOST];
	struct text s = text_over(symbol, sizeof symbol);

	if (!name)
		return;
	text_str(t, " of type ");
	for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
		if (str_eq(name, simple[i][0])) {
			text_str(t, simple[i][1]);
			return;
		}
	}
	if (*name == '*') /* compared by address, not by text */
		name++;
	text_str(&s, "_Z");
	text_str(&s, name);
	demangle(t, symbol);
}

typedef void assert_function(const char *, const char *, unsigned int, const char *);

/* musl's line is an int, of the same size. */
_Noreturn void epitaph_assert_fail(const char *expression, const char *file, unsigned int line,
				   const char *function) __asm__("__assert_fail");

EPITAPH_EXPORT _Noreturn void epitaph_assert_fail(const char *expression, const char *file,
						  unsigned int line, const char *function)
{
	if (ENTER(__assert_fail) && !in_forked_child()) {
		failed.file = file;
		failed.line = line;
		failed.function = function;
		failed.expression = expression;
		flush_all();
	}
	((assert_function *)next_get(HOOK___assert_fail))(expression, file, line, function);
	__builtin_unreachable();
}
