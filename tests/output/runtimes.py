#!/usr/bin/env python3
"""What language runtimes leave in their buffers: each prints three words to a pipe and then ends.

  runtimes.py SHIM [--write]

For every runtime and end: the bytes that came out of the pipe, bare and with EPITAPH_STDIO none, line
and keep. Under Epitaph they must be a beginning of all that was printed, never less than bare; the wait
status must be the bare one; and with `none` nothing may be missing where the runtime prints by stdio, or
is Python or Rust with its symbols. docs/runtimes.md is the table of it: --write makes it, otherwise it is compared.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

SHIM = os.path.abspath(sys.argv[1])
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/runtimes.md")
WORDS = "one\ntwo\nthree"
LINES = "one\ntwo\n"
ENDS = ("return", "hard exit", "abort", "SIGTERM", "SIGKILL", "exec")
MODES = ("bare", "none", "line", "keep")

C = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __cplusplus
#include <iostream>
#endif
int main(int argc, char **argv)
{
	const char *end = argv[1];
#ifdef __cplusplus
	if (argc > 2) std::ios::sync_with_stdio(false);
	std::cout << "one\n" << "two" << '\n' << "three";
#else
	printf("%s\n", "one"); puts("two"); fputs("three", stdout);
#endif
	if (!strcmp(end, "hard exit")) _exit(3);
	if (!strcmp(end, "abort")) abort();
	if (!strcmp(end, "SIGTERM")) kill(getpid(), SIGTERM);
	if (!strcmp(end, "SIGKILL")) kill(getpid(), SIGKILL);
	if (!strcmp(end, "exec")) execl("/bin/true", "true", (char *)NULL);
	return 0 * argc;
}
"""
RUST = r"""
use std::os::unix::process::CommandExt;
use std::process::{abort, exit, id, Command};
fn send(name: &str) {
    Command::new("kill").arg(name).arg(id().to_string()).status().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(60));
}
fn main() {
    println!("one"); println!("two"); print!("three");
    match std::env::args().nth(1).unwrap().as_str() {
        "hard exit" => exit(3), "abort" => abort(), "SIGTERM" => send("-TERM"), "SIGKILL" => send("-KILL"),
        "exec" => { Command::new("/bin/true").exec(); } _ => (),
    }
}
"""
PYTHON = r"""
import os, sys, signal
print('one'); print('two'); print('three', end='')
end = sys.argv[1]
if end == 'hard exit': os._exit(3)
if end == 'abort': os.abort()
if end.startswith('SIG'): os.kill(os.getpid(), getattr(signal, end))
if end == 'exec': os.execv('/bin/true', ['true'])
"""
NODE = r"""
process.stdout.write('one\n'); process.stdout.write('two\n'); process.stdout.write('three');
const end = process.argv[2];
if (end === 'hard exit') process.reallyExit(3);
if (end === 'abort') process.abort();
if (end.startsWith('SIG')) { process.kill(process.pid, end); setInterval(() => {}, 1000); }
"""
PERL = r"""
use POSIX (); my $end = shift;
print "one\n"; print "two\n"; print "three";
POSIX::_exit(3) if $end eq 'hard exit'; POSIX::abort() if $end eq 'abort';
kill(substr($end, 3), $$) if $end =~ /^SIG/; exec('/bin/true') if $end eq 'exec';
"""
RUBY = r"""
print "one\n"; print "two\n"; print "three"
e = ARGV[0]
exit!(3) if e == 'hard exit'
Process.kill(e, $$) && sleep(60) if e.start_with?('SIG')
exec('/bin/true') if e == 'exec'
"""
PHP = r"""<?php
echo "one\n"; echo "two\n"; echo "three";
$e = $argv[1];
if ($e == 'SIGTERM') posix_kill(getmypid(), 15);
if ($e == 'SIGKILL') posix_kill(getmypid(), 9);
if ($e == 'abort') posix_kill(getmypid(), 6);
if ($e == 'exec') pcntl_exec('/bin/true');
"""
JAVA = r"""
public class Program {
    public static void main(String[] a) throws Exception {
        System.out.println("one"); System.out.println("two"); System.out.print("three");
        if (a[0].equals("hard exit")) Runtime.getRuntime().halt(3);
        if (a[0].startsWith("SIG")) {
            new ProcessBuilder("kill", "-" + a[0].substring(3), "" + ProcessHandle.current().pid()).start().waitFor();
            Thread.sleep(60000);
        }
    }
}
"""
GO = r"""
package main
// #include <unistd.h>
import "C"
import ("bufio"; "fmt"; "os"; "syscall"; "time")
func main() {
	w := bufio.NewWriterSize(os.Stdout, 1)
	fmt.Print("one\n"); fmt.Print("two\n"); fmt.Fprint(os.Stdout, "three"); w.Flush()
	switch os.Args[1] {
	case "hard exit": C._exit(3)
	case "abort": syscall.Kill(os.Getpid(), syscall.SIGABRT); time.Sleep(time.Minute)
	case "SIGTERM": syscall.Kill(os.Getpid(), syscall.SIGTERM); time.Sleep(time.Minute)
	case "SIGKILL": syscall.Kill(os.Getpid(), syscall.SIGKILL); time.Sleep(time.Minute)
	case "exec": syscall.Exec("/bin/true", []string{"true"}, os.Environ())
	}
}
"""

RUSTC = ["rustc"]
RUST_BUILD = ["rustc", "--cap-lints=allow", "-C", "opt-level=1", "-o", "p", "p.rs"]

# name: (needs, file, source, how to build, how to run, ends it has not, what must come with `none`, the text)
STDIO = ("stdio: full, 4 to 64 KiB", "no buffer; flushed before `_exit` and its like", "nothing")
RUNTIMES = {
    "C, glibc": (["gcc"], "p.c", C, ["gcc", "-w", "-o", "p", "p.c"], ["./p"], (), WORDS, STDIO),
    "C, musl": (["musl-gcc"], "p.c", C, ["musl-gcc", "-w", "-o", "p", "p.c"], ["./p"], (), WORDS, STDIO),
    "C++, libstdc++": (["g++"], "p.cc", C, ["g++", "-w", "-o", "p", "p.cc"], ["./p"], (), WORDS,
                       ("by stdio", "as C", "nothing")),
    "C++, libstdc++, sync_with_stdio(false)": (
        ["g++"], "p.cc", C, ["g++", "-w", "-o", "p", "p.cc"], ["./p", "END", "unsynced"], (), WORDS,
        ("a buffer of its own", "`unitbuf` on cout and clog", "nothing")),
    "C++, libc++": (["clang++", "/usr/lib/llvm-14/include/c++"], "p.cc", C,
                    ["clang++", "-w", "-stdlib=libc++", "-o", "p", "p.cc"], ["./p"], (), WORDS,
                    ("by stdio", "as C, and `unitbuf`", "nothing")),
    "Rust, 1.70 and later": (["rustc"], "p.rs", RUST, RUST_BUILD, ["./p"], (), WORDS,
                             ("lines, always", "no buffer: its own clean-up of stdout, before `main`", "nothing")),
    "Rust, stripped or older": (
        ["rustc"], "p.rs", RUST, [*RUST_BUILD, "-C", "strip=symbols"], ["./p"], (), LINES,
        ("lines, always", "nothing: each line is a write",
         "the piece of a line behind the last newline, where no exit of Rust's flushes it")),
    "Python": (["/usr/bin/python3"], "p.py", PYTHON, None, ["/usr/bin/python3", "p.py"], (), WORDS,
               ("full, 8 KiB", "PYTHONUNBUFFERED=1", "nothing; `python -I` and `-E` do not read it")),
    "node": (["node"], "p.js", NODE, None, ["node", "p.js"], ("exec",), WORDS,
             ("nothing on a pipe (Linux)", "nothing to do", "nothing")),
    "Perl": (["/usr/bin/perl"], "p.pl", PERL, None, ["/usr/bin/perl", "p.pl"], (), "",
             ("full, 8 KiB, of its own (PerlIO)", "nothing: `$| = 1` is Perl's word for it", "what PerlIO holds")),
    "Ruby": (["ruby"], "p.rb", RUBY, None, ["ruby", "p.rb"], ("abort",), "",
             ("full, of its own", "nothing: `$stdout.sync = true`", "what Ruby holds")),
    "PHP": (["php"], "p.php", PHP, None, ["php", "p.php"], ("hard exit",), WORDS,
            ("nothing in php-cli", "nothing to do", "nothing")),
    "Java": (["javac"], "Program.java", JAVA, ["javac", "Program.java"],
             ["java", "-XX:+UseSerialGC", "-cp", ".", "Program"], ("abort", "exec"), WORDS,
             ("nothing: System.out flushes each print", "nothing to do", "nothing")),
    "Go with cgo": (["go", "gcc"], "p.go", GO, ["go", "build", "-o", "p", "p.go"], ["./p"], (), WORDS,
                    ("nothing: fmt.Print writes", "nothing to do", "nothing")),
}
PACKAGES = {"gcc": "gcc", "musl-gcc": "musl-tools", "g++": "g++", "clang++": "clang", "rustc": "rustc",
            "/usr/lib/llvm-14/include/c++": "libc++-dev libc++abi-dev", "node": "nodejs", "ruby": "ruby",
            "php": "php-cli", "javac": "default-jdk-headless", "go": "golang-go"}
failures = []


def missing(needs):
    return [n for n in needs if not (os.path.exists(n) if n.startswith("/") else shutil.which(n))]


def install():
    lacking = {n for r in RUNTIMES.values() for n in missing(r[0])}
    packages = [p for n in lacking for p in PACKAGES.get(n, "").split()]
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["--no-install-recommends", "install", *packages]):
            subprocess.run(["apt-get", "-qqy", *command], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                           stdin=subprocess.DEVNULL, capture_output=True, check=False)


def rust_of_age(top):
    """Where rustc is older than 1.70, as Debian 12's, a newer one is unpacked: it conflicts with the other."""
    said = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.split()
    if len(said) < 2 or [int(n) for n in said[1].split(".")[:2]] >= [1, 70]:
        return
    where = os.path.join(top, "rust")
    os.makedirs(where)
    packages, found = ["rustc-web"], []
    for name in packages:  # and what it depends on, as far as that is of its own
        found.append(name)
        said = subprocess.run(["apt-cache", "depends", "--important", name], capture_output=True, text=True, check=False)
        packages += [p for p in said.stdout.split() if p.startswith(("libstd-rust-web", "libllvm")) and p not in packages]
    subprocess.run(["apt-get", "-qq", "download", *found], cwd=where, capture_output=True, check=False)
    for package in os.listdir(where):
        subprocess.run(["dpkg", "-x", package, "."], cwd=where, check=False)
    libraries = [folder for folder, _, files in os.walk(where)
                 if any(f.startswith(("librustc_driver", "libLLVM")) for f in files)]
    RUSTC[:] = ["env", "LD_LIBRARY_PATH=" + ":".join(libraries), where + "/usr/bin/rustc", "--sysroot", where + "/usr"]


def run(command, folder, end, mode):
    environ = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
    if mode != "bare":
        environ.update(LD_PRELOAD=SHIM, EPITAPH_LOG="/dev/null", EPITAPH_STDIO=mode)
    command = [end if c == "END" else c for c in command]
    if end not in command:
        command.append(end)
    done = subprocess.run(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=100, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def measure(name, top):
    """The row: a cell for each end, or None where the runtime is missing."""
    needs, file, source, build, command, without, wanted, _ = RUNTIMES[name]
    if missing(needs):
        return None
    folder = tempfile.mkdtemp(dir=top)
    with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
        f.write(source)
    if build:
        build = RUSTC + build[1:] if build[0] == "rustc" else build
        subprocess.run(build, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    cells, wrong = [], []
    for end in ENDS:
        if end in without:
            cells.append("–")
            continue
        results = {mode: run(command, folder, end, mode) for mode in MODES}
        status, bare = results["bare"]
        for mode, (code, out) in results.items():
            if code != status or not WORDS.startswith(out) or len(out) < len(bare):
                wrong.append(f"{end}, {mode}: status {code}, {out!r}; bare: status {status}, {bare!r}")
        if not results["none"][1].startswith(wanted):
            wrong.append(f"{end}: with none only {results['none'][1]!r}")
        cells.append(" ".join(str(len(results[m][1])) for m in MODES))
    if wrong:
        failures.append(name)
    print(("FAIL  " if wrong else "ok    ") + name + "".join("\n      " + w for w in wrong), flush=True)
    return cells


def page(rows):
    text = ["# Buffers of language runtimes", "",
            "Made by `make output-check WRITE=1`, which runs all of it; not by hand.", "",
            "Each program prints 13 bytes to a pipe, in three calls and without a newline at the end, and ends. The four",
            "numbers are the bytes that came out of the pipe: bare, and with `EPITAPH_STDIO` none, line, keep. `exec` runs",
            "/bin/true; the hard exit is the one that runs no handlers (`_exit`, `os._exit`, `halt`; Rust's `process::exit`).",
            "", "| runtime | " + " | ".join(ENDS) + " |", "|---" * (len(ENDS) + 1) + "|"]
    text += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    text += ["", "| runtime | its buffer on a pipe | what Epitaph does | what is left |", "|---|---|---|---|"]
    text += [f"| {name} | " + " | ".join(RUNTIMES[name][-1]) + " |" for name in rows]
    return text


def main():
    install()
    passed = skipped = 0
    rows = {}
    with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rust_of_age(top)
        for name, cells in zip(RUNTIMES, pool.map(lambda n: measure(n, top), RUNTIMES)):
            if cells:
                rows[name] = cells
                passed += name not in failures
            elif os.environ.get("CI"):
                print(f"FAIL  {name}: it lacks {missing(RUNTIMES[name][0])}")
                failures.append(name)
            else:
                print(f"skip  {name}: it lacks {missing(RUNTIMES[name][0])}")
                skipped += 1
    text = page(rows)
    if "--write" in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write("\n".join(text) + "\n")
    with open(PAGE, encoding="utf-8") as f:
        written = f.read().split("\n")
    different = [line for line in text if line not in written]
    print("FAIL  docs/runtimes.md has not: " + "\n".join(different) if different else "ok    docs/runtimes.md says the same")
    print(f"{passed + (not different)} passed, {len(failures) + bool(different)} failed, {skipped} skipped")
    return bool(failures or different)


if __name__ == "__main__":
    sys.exit(main())
