/* What a file that is about to be executed looks like from outside. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "epitaph.h"
#include "target.h"

static char folder[] = "/tmp/target-XXXXXX";
static char file[64], scratch[4096];
static char *const with[] = {(char *)(uintptr_t) "LD_PRELOAD=/lib/libepitaph.so", NULL};

static int make_folder(void **state)
{
	(void)state;
	process.preload = process.self = "/lib/libepitaph.so";
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/f", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static enum follow look(const void *bytes, size_t n, mode_t mode, char *const *envp,
			struct target *t)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
	assert_int_equal(chmod(file, mode), 0);
	target_examine(t, AT_FDCWD, file, envp, scratch, sizeof scratch);
	return t->follow;
}

static struct {
	ElfW(Ehdr) e;
	ElfW(Phdr) p[2];
} elf;

/* The test program's own header, with an interpreter. */
static void reset_elf(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	assert_int_equal(read(fd, &elf.e, sizeof elf.e), sizeof elf.e);
	close(fd);
	elf.e.e_phoff = sizeof elf.e;
	elf.e.e_phnum = 2;
	memset(elf.p, 0, sizeof elf.p);
	elf.p[0].p_type = PT_LOAD;
	elf.p[1].p_type = PT_INTERP;
}

static void test_elf(void **state)
{
	struct target t;

	(void)state;
	reset_elf();
	assert_int_equal(look(&elf, sizeof elf, 0755, with, &t), FOLLOW_YES);
	assert_string_equal(t.path, file);
	elf.p[1].p_type = PT_NOTE;
	assert_int_equal(look(&elf, sizeof elf, 0755, with, &t), FOLLOW_NO);
	assert_non_null(strstr(t.reason, "static"));
	reset_elf();
	elf.e.e_phoff = 1 << 20;
	assert_int_equal(look(&elf, sizeof elf, 0755, with, &t), FOLLOW_UNKNOWN);
	elf.e.e_phoff = UINT64_MAX;
	assert_int_equal(look(&elf, sizeof elf, 0755, with, &t), FOLLOW_UNKNOWN);
	reset_elf();
	elf.e.e_phnum = 0xffff;
	assert_int_equal(look(&elf, sizeof elf, 0755, with, &t), FOLLOW_UNKNOWN);
}

static void test_not_executable(void **state)
{
	struct target t;

	(void)state;
	reset_elf();
	assert_int_equal(look(&elf, sizeof elf, 0644, with, &t), FOLLOW_MISSING);
	assert_int_equal(look("", 0, 0755, with, &t), FOLLOW_UNKNOWN);
	assert_int_equal(look("\x7f"
			      "ELF",
			      4, 0755, with, &t) == FOLLOW_YES,
			 0);
	assert_int_equal(look("text", 4, 0755, with, &t), FOLLOW_UNKNOWN);
	target_examine(&t, AT_FDCWD, "/nonexistent/file", with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
	target_examine(&t, AT_FDCWD, folder, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
	target_examine(&t, AT_FDCWD, (char *)8, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
}

static void test_scripts(void **state)
{
	struct target t;
	char loop[100];

	(void)state;
	assert_int_equal(look("#!/bin/sh\n", 10, 0755, with, &t), FOLLOW_YES);
	assert_int_equal(look("#! /bin/sh -e\n", 14, 0755, with, &t), FOLLOW_YES);
	assert_int_equal(look("#!/bin/sh", 9, 0755, with, &t), FOLLOW_YES);
	assert_int_equal(look("#!/nonexistent/interpreter\n", 27, 0755, with, &t), FOLLOW_MISSING);
	look("#!\n", 3, 0755, with, &t);
	assert_int_not_equal(t.follow, FOLLOW_YES);
	/* Its own interpreter: the kernel gives up with ELOOP, and so must we. */
	snprintf(loop, sizeof loop, "#!%s\n", file);
	look(loop, strlen(loop), 0755, with, &t);
}

static void test_environments(void **state)
{
	static const struct {
		const char *entry;
		enum follow follow;
	} rows[] = {
		{"LD_PRELOAD=/lib/libepitaph.so", FOLLOW_YES},
		{"LD_PRELOAD=/other/way/to/libepitaph.so", FOLLOW_YES},
		{"LD_PRELOAD=libepitaph.so", FOLLOW_YES},
		{"LD_PRELOAD=/lib/a.so:/lib/libepitaph.so", FOLLOW_YES},
		{"LD_PRELOAD=/lib/libepitaph.so /lib/a.so", FOLLOW_YES},
		{"LD_PRELOAD=/lib/a.so  /lib/libepitaph.so ", FOLLOW_YES},
		{"LD_PRELOAD=", FOLLOW_NO},
		{"LD_PRELOAD=/lib/a.so", FOLLOW_NO},
		{"LD_PRELOAD=/lib/libepitaph.so.old", FOLLOW_NO},
		{"LD_PRELOAD=/lib/xlibepitaph.so", FOLLOW_NO},
		{"LD_PRELOADX=/lib/libepitaph.so", FOLLOW_NO},
		{"XLD_PRELOAD=/lib/libepitaph.so", FOLLOW_NO},
	};
	struct target t;

	(void)state;
	reset_elf();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *const envp[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t)rows[i].entry,
				      NULL};

		if (look(&elf, sizeof elf, 0755, envp, &t) != rows[i].follow)
			fail_msg("%s: %d", rows[i].entry, (int)t.follow);
	}
	assert_int_equal(look(&elf, sizeof elf, 0755, NULL, &t), FOLLOW_NO);
	assert_non_null(strstr(t.reason, "LD_PRELOAD"));
	assert_int_equal(look(&elf, sizeof elf, 0755, (char *const *)8, &t), FOLLOW_NO);
}

static void test_search(void **state)
{
	char variable[100];
	char *const path[] = {variable, NULL};
	struct target t;

	(void)state;
	reset_elf();
	look(&elf, sizeof elf, 0755, with, &t);
	snprintf(variable, sizeof variable, "PATH=/nonexistent:%s:/bin", folder);
	target_search(&t, "f", path, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_YES);
	assert_string_equal(t.path, file);
	target_search(&t, "no-such-program-here", path, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
	target_search(&t, "", path, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
	target_search(&t, file, path, with, scratch, sizeof scratch); /* a slash: no search */
	assert_int_equal(t.follow, FOLLOW_YES);
	snprintf(variable, sizeof variable, "PATH=:::");
	target_search(&t, "no-such-program-here", path, with, scratch, sizeof scratch);
	assert_int_equal(t.follow, FOLLOW_MISSING);
}

/* No prefix of a good file, and no single changed byte, may crash it. */
static void test_mangled_files(void **state)
{
	struct target t;
	uint32_t seed = 777;

	(void)state;
	reset_elf();
	for (size_t n = 0; n < sizeof elf; n++)
		look(&elf, n, 0755, with, &t);
	for (int i = 0; i < 2000; i++) {
		reset_elf();
		((unsigned char *)&elf)[4 + next_random(&seed) % (sizeof elf - 4)] =
			(unsigned char)next_random(&seed);
		look(&elf, sizeof elf, 0755, with, &t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),	cmocka_unit_test(test_not_executable),
		cmocka_unit_test(test_scripts), cmocka_unit_test(test_environments),
		cmocka_unit_test(test_search),	cmocka_unit_test(test_mangled_files),
	};

	return cmocka_run_group_tests_name("target", tests, make_folder, remove_folder);
}
