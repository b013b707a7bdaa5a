#!/usr/bin/env python3
"""Programs that fork with words in a buffer: each byte comes out once, or as often as bare.

  forks.py SHIM

SPDX-License-Identifier: MIT
"""
import os
import shutil
import subprocess
import sys
import tempfile

SHIM = os.path.abspath(sys.argv[1])

C = r"""
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
	const char *how = argv[1];
	char *echo[] = {"echo", "spawned", NULL};
	pid_t pid = 0;

	printf("before\n");
	if (strchr(how, 'F'))
		fflush(stdout);
	if (*how == 'p') {
		FILE *p = popen("echo popen", "r");
		char line[64];
		while (fgets(line, sizeof line, p)) fputs(line, stdout);
		pclose(p);
	} else if (*how == 's') {
		if (system("echo system")) return 1;
	} else if (*how == 'n') {
		posix_spawn(&pid, "/bin/echo", NULL, NULL, echo, environ);
		waitpid(pid, NULL, 0);
	} else {
		pid = *how == 'v' ? vfork() : fork();
		if (pid == 0) {
			if (how[1] == '_') _exit(0);
			if (how[1] == 'x') { execv("/bin/echo", echo); _exit(1); }
			printf("child\n");
			if (how[1] == 'a') abort();
			exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	printf("after\n");
	if (argv[2][0] == '_') _exit(0);
	return argc - 3;
}
"""
BASH = "echo before; (echo sub; (echo subsub)); x=$(echo captured; echo more); echo \"$x\"; " \
       "for i in 1 2 3; do echo loop $i; done | cat; { echo back & wait; }; exec echo last"
PERL = '$|=0; print "before\n"; if (!fork) { print "child\n"; exit 0 } wait; print "after\n";'
PYTHON = """
import multiprocessing, os, sys
def work(n):
    print('worker', n)
    return n * n
if __name__ == '__main__':
    print('before')
    multiprocessing.set_start_method('fork')
    with multiprocessing.Pool(1) as p:
        print(p.map(work, range(5)))
        p.close()  # or the end of the block kills the worker, whose buffer may be empty by then, or not
        p.join()
    q = multiprocessing.Process(target=work, args=(9,)); q.start(); q.join()
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    print('after')
"""
# Of these bare prints some bytes twice, or none: what `none` must print, by the order of the calls.
ONCE = {
    "fe return": "before\nchild\nafter\n", "f_ return": "before\nafter\n", "f_ _exit": "before\nafter\n",
    "fe _exit": "before\nchild\nafter\n", "fa return": "before\nchild\nafter\n", "fx return": "before\nspawned\nafter\n",
    "f_F _exit": "before\nafter\n", "feF return": "before\nchild\nafter\n", "vx return": "before\nspawned\nafter\n",
    "v_ _exit": "before\nafter\n", "s return": "before\nsystem\nafter\n", "p return": "before\npopen\nafter\n",
    "n return": "before\nspawned\nafter\n", "n _exit": "before\nspawned\nafter\n",
}


def run(command, mode):
    environ = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
    if mode != "bare":
        environ.update(LD_PRELOAD=SHIM, EPITAPH_LOG="/dev/null", EPITAPH_STDIO=mode)
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=100, check=False)
    return done.returncode, done.stdout.decode()


def main():
    passed = failed = 0

    def tell(good, what, more):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        print(("ok    " if good else "FAIL  ") + what + ("" if good else f": {more}"), flush=True)

    with tempfile.TemporaryDirectory() as top:
        with open(os.path.join(top, "p.c"), "w", encoding="utf-8") as f:
            f.write(C)
        for libc, compiler in (("glibc", "gcc"), ("musl", "musl-gcc")):
            if not shutil.which(compiler):
                tell(not os.environ.get("CI"), f"{libc}: skipped", "no compiler")
                continue
            program = os.path.join(top, libc)
            subprocess.run([compiler, "-w", "-o", program, os.path.join(top, "p.c")], check=True)
            for case, wanted in ONCE.items():
                bare = run([program, *case.split()], "bare")
                keep, none = run([program, *case.split()], "keep"), run([program, *case.split()], "none")
                tell(none == (bare[0], wanted), f"{libc}, {case}: once", none)
                lines = sorted(bare[1].split("\n")), sorted(keep[1].split("\n"))
                # With the buffer kept: as bare, or what a flush before _exit brings out, and nothing more.
                more = case.endswith(" _exit") and all(keep[1].count(w) <= 1 for w in ("before", "after"))
                tell(keep[0] == bare[0] and (lines[0] == lines[1] or more), f"{libc}, {case}: kept", (keep, bare))
    for name, command in {"bash": ["bash", "-c", BASH], "dash": ["dash", "-c", BASH],
                          "perl": ["/usr/bin/perl", "-e", PERL],
                          "python": ["/usr/bin/python3", "-c", PYTHON]}.items():
        bare = run(command, "bare")
        for mode in ("none", "line", "keep"):
            ours = run(command, mode)
            # Where the buffer is gone the order may be better than bare, and what came twice comes once.
            lines, once = sorted(ours[1].split()), sorted(set(bare[1].split()))
            good = ours == bare or (name == "python" and mode != "keep" and ours[0] == bare[0] and
                                    sorted(set(lines)) == once and len(lines) <= len(bare[1].split()))
            tell(good, f"{name}, {mode}", (ours, bare))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
