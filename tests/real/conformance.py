#!/usr/bin/env python3
"""A foreign suite of signal conformance, bare and under Epitaph: every program must end the same way.

  EPITAPH_LTP=DIR conformance.py SHIM      DIR: a checkout of the Linux Test Project

The suite is its testcases/open_posix_testsuite, the programs of the interfaces that have to do with
signals, each built for glibc and for musl. Whether a program's verdict is right is not ours to say:
what counts is that it is the same. One that differs is run again, both ways: a program that differs
from itself says nothing, and is named. Without a checkout this is skipped; none of it is kept here.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys
import tempfile

SHIM = os.path.abspath(sys.argv[1])
INTERFACES = """
    fork kill killpg mq_notify nanosleep pthread_kill pthread_sigmask raise sigaction sigaddset sigaltstack
    sigdelset sigemptyset sigfillset sighold sigignore sigismember signal sigpause sigpending sigprocmask
    sigqueue sigrelse sigset sigsuspend sigtimedwait sigwait sigwaitinfo timer_create timer_delete
    timer_getoverrun timer_gettime timer_settime
""".split()
COMPILERS = {"glibc": "cc", "musl": "musl-gcc"}
SECONDS = 60
AGAIN = 3


def suite():
    top = os.environ.get("EPITAPH_LTP", "")
    for folder in (top, os.path.join(top, "testcases/open_posix_testsuite")):
        if os.path.isdir(os.path.join(folder, "conformance/interfaces")):
            return folder
    return None


def build(compiler, folder, source, program):
    command = [compiler, "-w", "-D_GNU_SOURCE", "-I" + os.path.join(folder, "include"), source,
               os.path.join(folder, "lib/common.c"), "-o", program, "-pthread", "-lrt", "-lm"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def ending(program, work, shim):
    """The wait status, as Python has it; None where the program did not end in time."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("EPITAPH_", "LD_"))}
    if shim:
        environ.update(LD_PRELOAD=SHIM, EPITAPH_LOG=os.path.join(work, "log"))
    try:
        return subprocess.run([program], cwd=work, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=SECONDS, start_new_session=True,
                              check=False).returncode
    except subprocess.TimeoutExpired:
        return None


def compare(folder, source, libc, top):
    """(what, text): as bare, different, unstable, or not built."""
    name = "/".join(source.split("/")[-2:])
    with tempfile.TemporaryDirectory(dir=top) as work:
        program = os.path.join(work, "program")
        if not build(COMPILERS[libc], folder, source, program):
            return "not built", name
        bare, ours = ending(program, work, False), ending(program, work, True)
        if bare == ours:
            return "as bare", name
        seen = {bare} | {ending(program, work, False) for _ in range(AGAIN)}
        ours_too = {ours} | {ending(program, work, True) for _ in range(AGAIN)}
        kind = "unstable" if len(seen) > 1 and ours_too <= seen else "different"
        return kind, f"{name}: bare {sorted(map(str, seen))}, under Epitaph {sorted(map(str, ours_too))}"


def main():
    folder = suite()
    if not folder:
        print("skip  conformance: EPITAPH_LTP names no checkout of the Linux Test Project")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for libc, compiler in COMPILERS.items():
            if not shutil.which(compiler):
                print(f"skip  {libc}: no {compiler}")
                skipped += 1
                continue
            for interface in INTERFACES:
                sources = sorted(glob.glob(os.path.join(folder, "conformance/interfaces", interface, "[0-9]*-*.c")))
                found = {"as bare": [], "different": [], "unstable": [], "not built": []}
                for kind, text in pool.map(lambda s, lib=libc: compare(folder, s, lib, top), sources):
                    found[kind].append(text)
                good = found["as bare"] and not found["different"]
                passed, failed = passed + bool(good), failed + (not good)
                print(f"{'ok   ' if good else 'FAIL '} {libc} {interface}: {len(found['as bare'])} programs as bare, "
                      f"{len(found['different'])} different, {len(found['unstable'])} unstable, "
                      f"{len(found['not built'])} not built", flush=True)
                for text in found["different"] + found["unstable"]:
                    print("      " + text, flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
