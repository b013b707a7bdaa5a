#!/usr/bin/env python3
"""Epitaph beside what people use today: what each tells of the same six ends, and what it costs.

  compare.py SHIM [--write]        docs/comparison.md

Each tool runs each program once for its words, and the plain one many times for the cost, in turn with
the bare program. What it tells is looked for by words that only an answer holds. A tool that is not there,
or not allowed here, is said to be so. SPDX-License-Identifier: MIT
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SHIM = os.path.abspath(sys.argv[1])
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/comparison.md")
ROUNDS = 40

# One program, six ends; the library is one object, so its name is what must be told.
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static __attribute__((noinline)) void licence_check(void) { exit(0); }
int main(int argc, char **argv)
{
	char *how = argv[1];
	printf("last words");
	if (!strcmp(how, "library")) licence_check();
	if (!strcmp(how, "signal")) {
		if (fork() == 0) { kill(getppid(), SIGTERM); _exit(0); }
		for (;;) pause();
	}
	if (!strcmp(how, "fault")) *(volatile int *)argv[2] = *(volatile int *)(long)(argc - 3);
	if (!strcmp(how, "words")) _exit(0);
	if (!strcmp(how, "lost")) raise(SIGKILL);
	return 0;
}
"""
# What an answer to each end holds: all of one of the lists.
ENDS = {
    "main returned": ("plain", [["main() returned"]]),
    "a library called exit(0)": ("library", [["licence_check"]]),
    "SIGTERM, and from whom": ("signal", [["SIGTERM", "from process"], ["SIGTERM", "si_pid="]]),
    "a fault, and where": ("fault", [["SIGSEGV", "main"], ["SEGV_MAPERR", "si_addr="]]),
    "the words before `_exit`": ("words", [["last words"]]),
    "the words before SIGKILL": ("lost", [["last words"]]),
}
STRACE = ["strace", "-f", "--seccomp-bpf", "-e", "trace=exit_group", "-e", "signal=all"]
TOOLS = {
    "Epitaph": (["env", f"LD_PRELOAD={SHIM}"], "one file"),
    "`strace -f --seccomp-bpf -e trace=exit_group -e signal=all`": (STRACE, "the tool in the image, ptrace"),
    "the same with `-k` (stacks)": (STRACE + ["-k"], "a strace built with libunwind or libdw"),
    "`strace -f`": (["strace", "-f"], "the tool in the image, ptrace"),
    "`stdbuf -o0`": (["stdbuf", "-o0"], "coreutils"),
    "`tini -s -v`": (["tini", "-s", "-vvv", "--"], "the tool in the image"),
    "`catchsegv`, faulthandler, core dumps": (None, "tell of faults only; a place for cores"),
    "bpftrace on the host": (None, "root and a kernel that allows it: signals of the whole machine, no exits' callers"),
}


def wall(command, folder):
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begin


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "p.c"), "w", encoding="utf-8") as f:
            f.write(SOURCE)
        subprocess.run(["cc", "-w", "-g", "-O1", "-rdynamic", "-o", "p", "p.c"], cwd=folder, check=True)
        bare = {how: subprocess.run(["./p", how, "x"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                                    check=False).returncode for how, _ in ENDS.values()}
        for tool, (command, needs) in TOOLS.items():
            if command is None:
                rows.append([tool, *["–"] * len(ENDS), "–", "–", needs])
                continue
            if not shutil.which(command[0]):
                rows.append([tool, *["not here"] * len(ENDS), "–", "–", needs])
                continue
            cells, same = [], True
            for how, wanted in ENDS.values():
                done = subprocess.run([*command, "./p", how, "x"], cwd=folder, stdin=subprocess.DEVNULL,
                                      capture_output=True, check=False)
                said = (done.stdout + done.stderr).decode(errors="replace")
                cells.append("yes" if any(all(w in said for w in words) for words in wanted) else "no")
                same &= done.returncode in (bare[how], 128 - bare[how])
            ratios = []
            for _ in range(ROUNDS):
                plain = wall(["env", "./p", "plain"], folder)
                ratios.append(wall([*command, "./p", "plain"], folder) / plain)
            rows.append([tool, *cells, "yes" if same else "no", f"{statistics.median(ratios):.1f}", needs])
            if tool == "Epitaph" and (cells != ["yes"] * len(ENDS) or not same):
                failed = 1
                print(f"FAIL  Epitaph does not tell all: {cells}, status as bare: {same}")
    text = ["# Epitaph beside other tools", "",
            "Made by `make compare WRITE=1`: one small program, six ends, each tool at the same; not by hand.", "",
            "`yes` where what the tool wrote, or what came through the program's own stdout, a pipe, holds the answer. The",
            "cost is the time from start to end, as a ratio to `env ./program` in the same run: it is a program that does",
            "nothing, so the worst case; strace's plain form costs as much again for each system call that a program makes.",
            "",
            "| tool | " + " | ".join(ENDS) + " | wait status kept | start to end | needs |",
            "|---" * (len(ENDS) + 4) + "|"]
    text += ["| " + " | ".join(row) + " |" for row in rows]
    text += ["", "What the table does not say: strace and bpftrace tell it for programs that Epitaph cannot be loaded into (static",
             "ones, set-uid ones), and bpftrace tells who sent a SIGKILL. tini tells the status of its child and passes signals",
             "on; it does not say from whom. A core dump holds the whole memory of a crash, which a line of text does not."]
    print("\n".join(text[9:9 + len(rows) + 1]))
    if "--write" in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write("\n".join(text) + "\n")
    print(f"{1 - failed} passed, {failed} failed, 0 skipped")
    return failed


if __name__ == "__main__":
    sys.exit(main())
