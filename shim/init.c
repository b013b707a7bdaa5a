/*
 * Load: who we are, what is wanted, where lines go. The order is the comment of init_early.
 *
 * Runs in: the constructor (glibc), __libc_start_main (musl calls constructors later), or the first
 * interposed call.
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <link.h>

#include "config.h"
#include "dispositions.h"
#include "ending.h"
#include "environ.h"
#include "epitaph.h"
#include "modules.h"
#include "names.h"
#include "next.h"
#include "output.h"
#include "procfs.h"
#include "record.h"
#include "scope.h"
#include "streams.h"
#include "sys.h"
#include "text.h"

static int begun; /* not a bool: not every processor exchanges a single byte */

static void read_auxv(const ElfW(auxv_t) * a, bool *secure)
{
	for (; a->a_type != AT_NULL; a++) {
		switch (a->a_type) {
		case AT_PHDR:
			modules_main_phdr = (const void *)(uintptr_t)a->a_un.a_val;
			break;
		case AT_PHNUM:
			modules_main_phnum = (size_t)a->a_un.a_val;
			break;
		case AT_EXECFN:
			process.execfn = (const char *)(uintptr_t)a->a_un.a_val;
			break;
		case AT_SECURE:
			*secure = a->a_un.a_val != 0;
			break;
		default:
			break;
		}
	}
	process.name = str_base(process.execfn);
}

/* The auxiliary vector by libc's own look-up, for a first call without main's arguments. */
static void ask_auxv(bool *secure)
{
	unsigned long (*getauxval)(unsigned long) = modules_symbol("getauxval");

	if (!getauxval)
		return;
	ElfW(auxv_t) a[] = {{AT_PHDR, {getauxval(AT_PHDR)}},
			    {AT_PHNUM, {getauxval(AT_PHNUM)}},
			    {AT_SECURE, {getauxval(AT_SECURE)}},
			    {getauxval(AT_EXECFN) ? AT_EXECFN : AT_IGNORE, {getauxval(AT_EXECFN)}},
			    {AT_NULL, {0}}};

	read_auxv(a, secure);
}

/* Whether another copy of the shim stands before us and does the work. */
static bool is_second_copy(void)
{
	const struct link_map *self = modules_self();
	struct module m;

	for (const struct link_map *map = modules_first(); map && map != self; map = map->l_next)
		if (module_open(&m, map) && m.soname && str_eq(m.soname, "libepitaph.so"))
			return true;
	return false;
}

static enum libc_kind which_libc(void)
{
	if (next_use(USE_gnu_get_libc_version))
		return LIBC_GLIBC;
	return next_get(HOOK___libc_start_main) ? LIBC_MUSL : LIBC_NONE;
}

static const char *env_of(char *const *envp, const char *name_equals)
{
	for (; envp && *envp; envp++)
		if (str_starts(*envp, name_equals))
			return *envp + str_len(name_equals);
	return NULL;
}

/* The mark for descendants, and a log path that still means the same after a chdir. */
static void change_environ(char **envp, const struct mark *inherited)
{
	static char mark_text[96];
	static char log_text[4096 + 16] EPITAPH_COLD;
	struct mark mark = {process.pid, (uint64_t)process.start_ns, log_identity()};
	char ***environ_at = environ_find(), *add[3];
	int count = 0;

	if (!environ_at || !envp || process.role != ROLE_ROOT)
		return;
	if (inherited->pid == process.pid) /* the same process after an exec */
		mark.loaded_ns = inherited->loaded_ns;
	mark_format(mark_text, sizeof mark_text, &mark);
	add[count++] = mark_text;
	if (config.stdio != STDIO_KEEP && !env_of(envp, "PYTHONUNBUFFERED=")) {
		static char python[24] EPITAPH_COLD;
		struct text t = text_over(python, sizeof python);

		text_str(&t, "PYTHONUNBUFFERED=1");
		add[count++] = python;
	}
	if (config.log == LOG_PATH && config.log_path[0] != '/') {
		struct text t = text_over(log_text, sizeof log_text);
		text_str(&t, "EPITAPH_LOG=");
		long n = SYS2(SYS_getcwd, log_text + t.len, sizeof log_text - t.len);
		if (n > 1 && log_text[t.len] == '/') {
			t.len += (size_t)n - 1;
			text_char(&t, '/');
			text_str(&t, config.log_path);
			if (!t.cut)
				add[count++] = log_text;
		}
	}
	char **changed = environ_with(envp, add, count);
	if (changed) {
		process.kernel_envp = envp;
		process.envp = changed;
		*environ_at = changed;
	}
}

static void report_complaint(const struct complaint *c)
{
	struct record *r = record_begin(EVENT_CONFIG, SEVERITY_WARN);
	size_t n = 0;

	if (!r)
		return;
	while (c->variable[n] && c->variable[n] != '=')
		n++;
	text_clean(&r->body, c->variable, n);
	text_str(&r->body, "=\"");
	text_clean(&r->body, c->value, c->value_len < 200 ? c->value_len : 200);
	text_str(&r->body, "\" is not understood: ");
	text_str(&r->body, c->allowed);
	record_write(r);
}

static void report_config(int log_error)
{
	int shown =
		config.complaint_count < COMPLAINTS_MOST ? config.complaint_count : COMPLAINTS_MOST;

	for (int i = 0; i < shown; i++)
		report_complaint(&config.complaints[i]);
	struct record *r = log_error || shown < config.complaint_count
				   ? record_begin(EVENT_CONFIG, SEVERITY_WARN)
				   : NULL;
	if (!r)
		return;
	if (log_error) {
		text_str(&r->body, "EPITAPH_LOG=\"");
		if (config.log == LOG_PATH) {
			size_t n = str_len(config.log_path);

			text_clean(&r->body, config.log_path, n < 200 ? n : 200);
		} else {
			text_str(&r->body, "fd:");
			text_dec(&r->body, config.log_fd);
		}
		text_str(&r->body, "\" cannot be opened (");
		text_str(&r->body, error_name(-log_error));
		text_str(&r->body, "); going on with stderr");
	} else {
		text_str(&r->body, "further options were not understood: ");
		text_dec(&r->body, config.complaint_count - shown);
	}
	record_write(r);
}

static void report_start(void)
{
	static const char *const libcs[] = {"no libc", "glibc", "musl"};
	struct record *r = record_begin(EVENT_START, SEVERITY_INFO);

	if (!r)
		return;
	text_str(&r->body, "watching ");
	/* The path that was executed will do where it is a full one: /proc costs. */
	if (process.execfn[0] == '/' || procfs_exe(r->work, sizeof r->work) <= 0)
		text_clean(&r->body, process.execfn, str_len(process.execfn));
	else
		text_clean(&r->body, r->work, str_len(r->work));
	text_str(&r->body, " (epitaph " EPITAPH_VERSION ", ");
	text_str(&r->body, libcs[process.libc]);
	if (streams_libc[STREAM_STDOUT] && config.stdio != STDIO_KEEP)
		text_str(&r->body, config.stdio == STDIO_NONE ? ", stdout and stderr unbuffered"
							      : ", stdout buffered by lines");
	text_char(&r->body, ')');
	record_static(r, "epitaph.version", EPITAPH_VERSION);
	record_static(r, "epitaph.libc", libcs[process.libc]);
	record_write(r);
}

static void load(int argc, char **argv, char **envp)
{
	bool secure = false;
	struct mark mark;
	int error = 0;

	process.name = process.execfn = "?";
	process.self = "libepitaph.so";

	process.libc = which_libc();
	if (argv && envp) {
		/* argv as the kernel laid it: behind its NULL the environment, behind that the
		 * vector */
		char **end = argv + argc + 1;

		while (*end)
			end++;
		read_auxv((const void *)(end + 1), &secure);
	} else {
		char ***environ_at = environ_find();

		ask_auxv(&secure);
		envp = environ_at ? *environ_at : NULL;
	}
	config_parse(&config, envp);
	if (secure || config.disabled || process.libc == LIBC_NONE || is_second_copy())
		return;
	process.pid = sys_getpid();
	process.start_ns = sys_clock_ns(CLOCK_BOOTTIME);
	process.preload = env_of(envp, "LD_PRELOAD=");
	const struct link_map *self = modules_self();
	if (self && self->l_name)
		process.self = self->l_name;
	mark = (struct mark){0};
	if (config.mark && mark_parse(&mark, config.mark))
		process.role = (enum role)scope_role(&mark, process.pid, sys_getppid());
	else
		process.role = ROLE_ROOT;
	process.active = true;
	if (!config.ignore[HOOK_sigaction] && !config.ignore[HOOK_signal])
		dispositions_watch();
	streams_load();
	if (!scope_reports(false)) {
		log_defer(&mark.log, mark.pid);
		return;
	}
	output_load(mark.pid == process.pid);
	error = log_open(&mark.log, mark.pid);
	ending_watch();
	change_environ(envp, &mark);
	if (process.role == ROLE_ROOT) {
		report_config(error);
		report_start();
	}
	log_settled();
}

void init_early(int argc, char **argv, char **envp)
{
	if (__atomic_exchange_n(&begun, 1, __ATOMIC_ACQ_REL))
		return;
	load(argc, argv, envp);
	__atomic_store_n(&process.loaded, true, __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void constructor(int argc, char **argv, char **envp)
{
	/* Only glibc passes arguments here; musl came through __libc_start_main before, and what
	 * stands in the argument registers is nothing. */
	ending_constructed();
	/* musl's __libc_start_main has set environ to the kernel's array since. */
	char ***environ_at = process.envp ? environ_find() : NULL;
	if (environ_at && *environ_at == process.kernel_envp)
		*environ_at = process.envp;
	if (__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
		return;
	if (next_use(USE_gnu_get_libc_version))
		init_early(argc, argv, envp);
	else
		init_early(0, NULL, NULL);
}
