/*
 * Every hook in every context, bare and under the shim: wait status, stdout (results and errno) and
 * stderr must agree, and the main process must have exactly one end record with the true code. The
 * combinations come from the driver, its list from hooks.def.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct combination {
	const char *libc, *context, *hook;
	char name[112];
};

enum { MOST = 2048 };

static struct combination combinations[MOST];
static int combination_count;

static void test_one(void **state)
{
	const struct combination *c = *state;
	char driver[512], helper[512], path[600], context[64], hook[96];
	const char *argv[] = {driver, NULL};
	struct run r = {.argv = argv, .env = {context, hook, helper, path, "MARK=from-the-test"}};
	struct result shim, bare;
	bool own_env = strstr(c->hook, "_env") && !strstr(c->hook, "bad_envp");
	int ends;

	snprintf(driver, sizeof driver, "%s/tests/%s/driver", BUILD, c->libc);
	snprintf(helper, sizeof helper, "HELPER=%s/tests/%s/ctx_helper", BUILD, c->libc);
	snprintf(path, sizeof path, "PATH=%s/tests/%s:/usr/bin:/bin", BUILD, c->libc);
	snprintf(context, sizeof context, "CONTEXT=%s", c->context);
	snprintf(hook, sizeof hook, "HOOK=%s", c->hook);
	run_both(&r, &shim, &bare);
	/* A new program with an environment of its own does not have the shim. */
	ends = count_records(&shim, "epitaph.end", shim.pid);
	if (own_env && WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 42)
		check(ends == 0, "%d ends: %s", ends, shim.log);
	else if (WIFSIGNALED(shim.status) && strcmp(c->context, "vfork") == 0)
		/* musl's abort in a vfork child signals its parent: the thread id is the parent's.
		 */
		check(ends <= 1, "%d ends: %s", ends, shim.log);
	else if (!strcmp(c->hook, "prctl__seccomp"))
		/* In a sandbox every system call may kill: the end, or that it will not be told. */
		check(ends + count_records(&shim, "epitaph.silence", shim.pid) == 1, "%s",
		      shim.log);
	else
		check(ends == 1, "%d ends: %s", ends, shim.log);
	if (ends && WIFEXITED(shim.status))
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			WEXITSTATUS(shim.status));
	result_free(&shim);
	result_free(&bare);
}

/* The driver says what there is; its build failed if a hook of the table had no case. */
static void collect(const char *libc)
{
	char command[600], line[300], context[40], hook[60];
	FILE *f;

	snprintf(command, sizeof command, "%s/tests/%s/driver list", BUILD, libc);
	f = popen(command, "r");
	while (f && fgets(line, sizeof line, f)) {
		struct combination *c = &combinations[combination_count];

		if (line[0] == '-') {
			if (getenv("VERBOSE"))
				printf("# %s: undefined: %s", libc, line + 2);
			continue;
		}
		if (combination_count == MOST || sscanf(line, "%39s %59s", context, hook) != 2)
			continue;
		c->libc = libc;
		c->context = strdup(context);
		c->hook = strdup(hook);
		snprintf(c->name, sizeof c->name, "%s %s %s", libc, context, hook);
		combination_count++;
	}
	if (f)
		pclose(f);
}

#define HOOK(name, file, why) #name,
static const char *const hooks[] = {
#include "hooks.def"
};
#undef HOOK

/* No hook may lack all contexts: a list full of "undefined" would pass for tested. */
static void test_all_hooks_are_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
		int n = 0;

		for (int k = 0; k < combination_count; k++)
			n += !strcmp(combinations[k].hook, hooks[i]) &&
			     !strcmp(combinations[k].libc, "glibc");
		check(n >= (i ? 4 : 1), "%s has %d contexts", hooks[i], n);
	}
}

static void test_musl_is_there(void **state)
{
	(void)state;
	if (access(MUSL("driver"), X_OK) != 0)
		skip_because("musl-gcc is missing: no hook was called in a musl program");
}

int main(void)
{
	static struct CMUnitTest tests[MOST + 2];
	int n = 0;

	collect("glibc");
	collect("musl");
	tests[n++] = (struct CMUnitTest){.name = "every hook has cases",
					 .test_func = test_all_hooks_are_there};
	tests[n++] = (struct CMUnitTest){.name = "musl", .test_func = test_musl_is_there};
	for (int i = 0; i < combination_count; i++)
		tests[n++] = table_test(combinations[i].name, test_one, &combinations[i]);
	return run_group("contexts", tests, (size_t)n);
}
