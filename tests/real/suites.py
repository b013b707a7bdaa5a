#!/usr/bin/env python3
"""Programs that lean on signals, bare and under Epitaph: the same must come of it.

  suites.py SHIM BUILD [NAME...]      BUILD: where the tests' programs are built

Each check gives a transcript: what the program said, how it ended. It is taken twice, side by side,
and must be the same; and it must hold a word that shows that the check reached its end. With CI set
a program that is missing is a failure, elsewhere a skip.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import contextlib
import fcntl
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import xml.etree.ElementTree

SHIM, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PYTHON = "/usr/bin/python3"
SECONDS = 240
PACKAGES = {
    "/usr/lib/python3.11/test/test_signal.py": "libpython3.11-testsuite", "bash": "bash", "dash": "dash",
    "node": "nodejs", "javac": "default-jdk-headless", "nginx": "nginx-light", "redis-server": "redis-server",
    "/usr/lib/postgresql": "postgresql", "go": "golang-go", "gcc": "gcc",
}


class Place:
    """Where a check runs: a folder, an environment, the programs it started."""

    def __init__(self, top, shim):
        self.folder = tempfile.mkdtemp(dir=top)
        os.chmod(self.folder, 0o755)
        kept = ("PATH", "HOME", "LANG", "GOCACHE", "GOFLAGS")
        self.env = {k: v for k, v in os.environ.items() if k in kept}
        if shim:
            own = shutil.copy(SHIM, self.folder)
            os.chmod(own, 0o755)
            self.env.update(LD_PRELOAD=own, EPITAPH_LOG=os.path.join(self.folder, "log-%p"))
        self.started = []

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path

    def start(self, *command, **how):
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **how}
        child = subprocess.Popen(command, cwd=self.folder, env=self.env, start_new_session=True, **how)
        self.started.append(child)
        return child

    def run(self, *command, **how):
        child = self.start(*command, **how)
        out, _ = child.communicate(timeout=SECONDS)
        return child.returncode, (out or b"").decode(errors="replace")

    def clean(self):
        for child in self.started:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_until(child, word):
    """What a child says, up to and with a line that holds the word."""
    said = ""
    limit = time.monotonic() + 60
    while word not in said:
        ready, _, _ = select.select([child.stdout], [], [], max(0, limit - time.monotonic()))
        more = os.read(child.stdout.fileno(), 65536).decode(errors="replace") if ready else ""
        if not more:
            raise AssertionError(f"{word!r} did not come: {said[-500:]!r}")
        said += more
    return said


def until(what, condition):
    limit = time.monotonic() + 60
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError("it never came: " + what)
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(text.encode())
        answer = b""
        while True:
            more = s.recv(4096)
            if not more:
                return answer.decode(errors="replace")
            answer += more


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


# ---- Python's own tests ----


def python_suite(name):
    def check(place):
        report = place.path("junit.xml")
        status, out = place.run(PYTHON, "-m", "test", "--junit-xml", report, name)
        cases = xml.etree.ElementTree.parse(report).iter("testcase")
        kinds = sorted(c.get("name", "") + " " + " ".join(sorted(e.tag for e in c if e.tag != "system-out"))
                       for c in cases)
        return [f"exit {status}", f"{len(kinds)} cases"] + kinds if status == 0 else [f"exit {status}", out]
    return check, [PACKAGES_PYTHON], "exit 0"


PACKAGES_PYTHON = "/usr/lib/python3.11/test/test_signal.py"


# ---- Job control, as a person does it ----

# A line typed, or a control character, and the word to wait for before the next.
TYPED = [
    ("set -m; trap 'echo trapped usr1' USR1; trap 'echo trapped int' INT", "@@ "),
    ("kill -USR1 $$", "@@ "),
    ("sh -c 'echo in back; exec sleep 100' &", "in back\r\n"),  # until then the shell's own mask may be its
    ("kill $!; wait $!; echo status $?", "status 143"),
    ("sleep 100 & kill -9 $!; wait $!; echo status $?", "status 137"),
    ("sh -c 'echo in front; exec sleep 100'", "in front\r\n"),
    ("\x1a", "@@ "),
    ("jobs | sed 's/[-+]//'", "@@ "),
    ("bg %1 >/dev/null; kill -HUP %1; wait %1; echo status $?", "status 129"),
    ("sh -c 'trap \"echo handled; exit 3\" INT; echo in front; while :; do sleep 0.05; done'", "in front\r\n"),
    ("\x03", "handled"),
    ("echo status $?", "status 3"),
    ("sh -c 'echo in front; exec sleep 100'", "in front\r\n"),
    ("\x03", "@@ "),
    ("echo status $?", "status 130"),
    ("sh -c 'echo in front; exec sleep 100'", "in front\r\n"),
    ("\x1c", "@@ "),
    ("echo status $?", "status 131"),
    ("sleep 0.1 | sh -c 'kill -TERM $$' ; echo status $?", "status 143"),
    ("(sleep 0.05; exit 5) & wait $!; echo status $?", "status 5"),
    ("echo the end; exit 7", "the end\r\n"),
]


def typed_shell(*command):
    def check(place):
        place.env.update(PS1="@@ ", TERM="dumb", HISTFILE="")
        ours, theirs = os.openpty()
        modes = termios.tcgetattr(theirs)
        modes[3] &= ~(termios.ECHO | termios.ECHOCTL)
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(theirs, fd)
            os.closerange(3, 256)
            os.execvpe(command[0], command, place.env)
        os.close(theirs)
        said = seen = ""

        def wait_for(word):
            nonlocal said, seen
            limit = time.monotonic() + 60
            while word not in seen:
                ready, _, _ = select.select([ours], [], [], max(0, limit - time.monotonic()))
                more = os.read(ours, 65536).decode(errors="replace") if ready else ""
                if not more:
                    raise AssertionError(f"{word!r} did not come: {said[-500:]!r}")
                said, seen = said + more, seen + more
            seen = seen[seen.index(word) + len(word):]

        try:
            wait_for("@@ ")
            for line, word in TYPED:
                if line[0] >= " ":
                    os.write(ours, (line + "\n").encode())
                else:
                    os.write(ours, line.encode())
                wait_for(word)
                if word != "@@ " and "in " not in word and "the end" not in word and word != "handled":
                    wait_for("@@ ")
            with contextlib.suppress(OSError):  # how the end of a terminal is told
                while more := os.read(ours, 65536):
                    said += more.decode(errors="replace")
            _, status = os.waitpid(pid, 0)
            pid = 0
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(ours)
        # The number of a process, and when a job's end is told, are the shell's own affair.
        kept = [re.sub(r"\d{3,}$", "PID", line) for line in said.replace("\r", "").split("\n")
                if not re.match(r"(@@ )*\[\d\]", line)]
        return kept + [f"exit {os.waitstatus_to_exitcode(status)}"]
    return check, [command[0]], "exit 7"


# ---- Runtimes ----

NODE = r"""
const { spawn } = require('child_process');
const how = process.argv[2];
if (how === 'handles') {
  process.on('SIGTERM', () => { console.log('handled SIGTERM'); process.exitCode = 4; clearInterval(t); });
  process.on('SIGUSR2', (name, number) => console.log('handled', name, number));
  const t = setInterval(() => {}, 1000);
  console.log('ready');
} else if (how === 'waits') {
  setInterval(() => {}, 1000);
  console.log('ready');
} else {
  const run = (name, signals, done) => {
    const child = spawn(process.execPath, [__filename, name]);
    child.stdout.on('data', (d) => {
      process.stdout.write(name + ': ' + d);
      const next = signals.shift();
      if (next) child.kill(next);
    });
    child.on('close', (code, signal) => { console.log(name, 'closed', code, signal); done(); });
  };
  run('handles', ['SIGUSR2', 'SIGTERM'], () => run('waits', ['SIGTERM'], () => run('waits', ['SIGKILL'], () =>
    run('waits', ['SIGINT'], () => run('waits', ['SIGHUP'], () => {
      try { process.kill(2 ** 22 + 5, 0); } catch (e) { console.log(e.code); }
      process.on('exit', (code) => console.log('leaving with', code));
      process.exit(9);
    })))));
}
"""


def node(place):
    status, out = place.run("node", place.path("program.js", NODE), "drive")
    return out.splitlines() + [f"exit {status}"]


JAVA = r"""
public class Program {
    static int depth;
    static int deep() { depth++; return deep() + 1; }
    public static void main(String[] args) throws Exception {
        int caught = 0;
        for (int i = 0; i < 200000; i++) {
            String s = i % 2 == 0 ? null : "x";
            try { if (s.length() > 1) System.out.println(s); } catch (NullPointerException e) { caught++; }
        }
        System.out.println("null checks " + caught);
        try { deep(); } catch (StackOverflowError e) { System.out.println("stack overflow caught " + (depth > 100)); }
        Thread[] all = new Thread[4];
        for (int i = 0; i < all.length; i++) {
            all[i] = new Thread(() -> { for (int k = 0; k < 50; k++) System.gc(); });
            all[i].start();
        }
        for (Thread t : all) t.join();
        Process p = new ProcessBuilder("sh", "-c", "kill -9 $$").start();
        System.out.println("a child ended with " + p.waitFor());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("shutdown hook")));
        if (args[0].equals("exit")) System.exit(6);
        if (args[0].equals("halt")) Runtime.getRuntime().halt(5);
        System.out.println("ready");
        Thread.sleep(100000);
    }
}
"""


def java(place):
    place.path("Program.java", JAVA)
    preload = place.env.pop("LD_PRELOAD", None)
    place.run("javac", "Program.java")
    if preload:
        place.env["LD_PRELOAD"] = preload
    said = []
    for how, signals in (("exit", ()), ("halt", ()), ("waits", (signal.SIGTERM,)),
                         ("waits", (signal.SIGQUIT, signal.SIGINT)), ("waits", (signal.SIGHUP,))):
        child = place.start("java", "-Xcheck:jni", "-XX:+UseSerialGC", "-cp", ".", "Program", how)
        out = read_until(child, "ready\n") if how == "waits" else ""
        for number in signals:
            child.send_signal(number)
            if number == signal.SIGQUIT:
                out += "thread dump " + str("Full thread dump" in read_until(child, "Metaspace")) + "\n"
        rest = child.communicate(timeout=SECONDS)[0].decode()
        out += rest if signal.SIGQUIT not in signals else "shutdown hook\n" * ("shutdown hook" in rest)
        said += out.splitlines() + [f"{how} {[int(s) for s in signals]}: exit {child.returncode}"]
    return said


GO = r"""
package main
/*
#include <signal.h>
#include <stdio.h>
static void from_c(void) { raise(SIGUSR1); }
static void ends(void) { puts("C says goodbye"); fflush(stdout); }
*/
import "C"
import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)
func null(p *int) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	return fmt.Sprint(*p)
}
func main() {
	if len(os.Args) > 1 && os.Args[1] == "default" { fmt.Println("at once"); time.Sleep(100 * time.Second) }
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGTERM)
	C.from_c()
	fmt.Println("got", <-c)
	fmt.Println(null(nil))
	done := make(chan bool)
	for i := 0; i < 4; i++ { // preemption: Go sends SIGURG to its own threads
		go func() { for t := time.Now(); time.Since(t) < 300*time.Millisecond; { }; done <- true }()
	}
	for i := 0; i < 4; i++ { <-done }
	debug.FreeOSMemory()
	C.ends()
	fmt.Println("ready")
	fmt.Println("got", <-c)
	if len(os.Args) > 1 { signal.Reset(syscall.SIGTERM); fmt.Println("again"); time.Sleep(100 * time.Second) }
	os.Exit(8)
}
"""


def go(place):
    place.path("main.go", GO)
    preload = place.env.pop("LD_PRELOAD", None)
    status, out = place.run("go", "build", "-o", "program", "main.go")
    if status:
        raise AssertionError(out)
    if preload:
        place.env["LD_PRELOAD"] = preload
    said = []
    for more in ([], ["twice"], ["default"]):
        child = place.start("./program", *more)
        if more == ["default"]:
            out = read_until(child, "at once\n")
            child.send_signal(signal.SIGTERM)
            out += child.communicate(timeout=SECONDS)[0].decode()
            said += out.splitlines() + [f"exit {child.returncode}"]
            continue
        out = read_until(child, "ready\n")
        child.send_signal(signal.SIGTERM)
        if more:
            out += read_until(child, "again\n")
            child.send_signal(signal.SIGTERM)
        out += child.communicate(timeout=SECONDS)[0].decode()
        said += out.splitlines() + [f"exit {child.returncode}"]
    return said


# ---- Servers ----

NGINX = """
daemon off; worker_processes 2; pid {0}/pid; error_log {0}/error notice; user root;
events {{}} http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5; server {{ listen 127.0.0.1:{1}; location / {{ return 200 {2}; }} }} }}
"""


def nginx(place):
    port = free_port()
    config = place.path("conf", NGINX.format(place.folder, port, "first"))
    child = place.start("nginx", "-c", config, "-p", place.folder, "-e", place.path("error"))
    log = place.path("error")

    def logged(word, times=1):
        until(word, lambda: os.path.exists(log) and open(log, encoding="utf-8").read().count(word) >= times)

    def answer():
        return ask(port, "GET / HTTP/1.0\r\n\r\n").split("\r\n\r\n")[-1]

    until("nginx", lambda: answers(port))
    said = [answer()]
    place.path("conf", NGINX.format(place.folder, port, "second"))
    child.send_signal(signal.SIGHUP)
    logged("exited with code 0", 2)
    until("second", lambda: answer() == "second")
    said.append(answer())
    child.send_signal(signal.SIGUSR1)  # reopens its logs
    logged("reopening logs")
    # A worker that is killed comes again.
    workers = subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, check=True).stdout.split()
    os.kill(int(workers[0]), signal.SIGKILL)
    logged("exited on signal 9")
    until("two workers", lambda: len(subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True,
                                                    check=False).stdout.split()) == 2)
    said += [f"{len(workers)} workers", answer()]
    child.send_signal(signal.SIGQUIT)
    said.append(f"QUIT: exit {child.wait(60)}")
    child = place.start("nginx", "-c", config, "-p", place.folder, "-e", log)
    until("nginx", lambda: answers(port))
    child.send_signal(signal.SIGTERM)
    return said + [f"TERM: exit {child.wait(60)}"]


def redis(place):
    said = []
    for how in ("command", "TERM", "INT", "abort"):
        port = free_port()
        child = place.start("redis-server", "--port", str(port), "--save", "", "--enable-debug-command", "yes", "--dir", place.folder,
                            stdout=subprocess.DEVNULL)
        until("redis", lambda p=port: answers(p))
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"SET k v\r\nGET k\r\n")
            until("an answer", lambda: True)
            got = b""
            while b"v\r\n" not in got:
                got += s.recv(100)
            said.append(got.decode())
            if how == "command":
                s.sendall(b"SHUTDOWN NOSAVE\r\n")
            elif how == "abort":
                s.sendall(b"DEBUG SEGFAULT\r\n")
            else:
                child.send_signal(getattr(signal, "SIG" + how))
            said.append(f"{how}: exit {child.wait(60)}")
    return said


def postgres(place):
    tools = sorted(os.listdir("/usr/lib/postgresql"))[-1]
    tools = f"/usr/lib/postgresql/{tools}/bin/"
    user = pwd.getpwnam("postgres")
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    os.chown(place.folder, user.pw_uid, user.pw_gid)
    data, port = place.path("data"), free_port()
    preload = place.env.pop("LD_PRELOAD", None)
    status, out = place.run(tools + "initdb", "-D", data, "--no-sync", "-A", "trust", **as_user)
    if status:
        raise AssertionError(out)
    if preload:
        place.env["LD_PRELOAD"] = preload
    said = []
    for mode in ("smart", "fast", "immediate"):
        options = f"-p {port} -k {place.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = place.path("server-" + mode)
        status, out = place.run(tools + "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start", **as_user,
                                stdout=subprocess.DEVNULL)
        said.append(f"{mode}: start {status}")
        query = "select sum(i) from generate_series(1, 1000) i"
        said.append(place.run(tools + "psql", "-h", place.folder, "-p", str(port), "-Atc", query, "postgres",
                              **as_user)[1])
        # A backend that is asked to go says so to its client.
        said.append(place.run(tools + "psql", "-h", place.folder, "-p", str(port), "-Atc",
                              "select pg_terminate_backend(pg_backend_pid())", "postgres", **as_user)[1].split("\n")[0])
        status, _ = place.run(tools + "pg_ctl", "-D", data, "-w", "-m", mode, "stop", **as_user,
                              stdout=subprocess.DEVNULL)
        said.append(f"{mode}: stop {status}")
        with open(log, encoding="utf-8") as f:
            lines = [re.sub(r"^\S+ \S+ \S+ \[\d+\] ", "", line.rstrip()) for line in f]
        said += [line for line in lines if re.match(r"LOG:  (received|database system (is|was) shut|aborting|"
                                                    r"background worker.*exit)|FATAL|PANIC", re.sub(r"\d+\)", ")", line))]
    return [re.sub(r"PID \d+|at \d{4}-.*", "N", line) for line in said]


def tokio(place):
    said = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        child = place.start(os.path.join(BUILD, "tokio-server"), "serve")
        out = read_until(child, "health check: HTTP/1.0 200 OK\n")
        child.send_signal(number)
        out += child.communicate(timeout=60)[0].decode()
        said += out.splitlines() + [f"{number.name}: exit {child.returncode}"]
    return said


CHECKS = {
    **{f"python {name}": python_suite(name)
       for name in ("test_signal", "test_subprocess", "test_faulthandler", "test_threading")},
    "bash, typed": typed_shell("bash", "--norc", "--noprofile", "--noediting", "-i"),
    "dash, typed": typed_shell("dash", "-i"),
    "node": (node, ["node"], "leaving with 9"),
    "java -Xcheck:jni": (java, ["javac"], "waits [15]: exit 143"),
    "go with cgo": (go, ["go", "gcc"], "exit 8"),
    "nginx": (nginx, ["nginx"], "TERM: exit 0"),
    "redis": (redis, ["redis-server"], "command: exit 0"),
    "postgres": (postgres, ["/usr/lib/postgresql"], "immediate: stop 0"),
    "tokio": (tokio, [os.path.join(BUILD, "tokio-server")], "SIGTERM: exit 0"),
}


def missing(needs):
    return [n for n in needs if not (os.path.exists(n) if n.startswith("/") else shutil.which(n))]


def install(names):
    packages = sorted({PACKAGES[n] for name in names for n in missing(CHECKS[name][1]) if n in PACKAGES})
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "-qq", "update"],
                        ["apt-get", "-qqy", "--no-install-recommends", "install", *packages]):
            subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def transcript(check, top, shim):
    place = Place(top, shim)
    try:
        return check(place)
    except (AssertionError, OSError, subprocess.SubprocessError, xml.etree.ElementTree.ParseError) as e:
        return [f"the check itself failed: {type(e).__name__} {e}"]
    finally:
        place.clean()


def compare(name, pool, top):
    check, needs, word = CHECKS[name]
    lacking = missing(needs)
    if lacking:
        return "FAIL " if os.environ.get("CI") else "skip ", f"it lacks {' '.join(lacking)}"
    for _ in range(2):  # a machine under load may be slower than one of the two expects
        bare, ours = [f.result() for f in [pool.submit(transcript, check, top, shim) for shim in (False, True)]]
        if bare == ours and any(word in line for line in bare):
            return "ok   ", f"{len(bare)} lines as bare"
    different = [f"  bare {a!r}\n  ours {b!r}" for a, b in zip(bare, ours) if a != b] or [str(bare[-3:]), str(ours[-3:])]
    return "FAIL ", "\n" + "\n".join(different[:10])


def main():
    names = [n for n in CHECKS if not sys.argv[3:] or any(a in n for a in sys.argv[3:])]
    counts = {"ok   ": 0, "FAIL ": 0, "skip ": 0}
    install(names)
    with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor() as pool, \
            concurrent.futures.ThreadPoolExecutor(4) as outer:
        os.chmod(top, 0o755)
        for name, (word, text) in zip(names, outer.map(lambda n: compare(n, pool, top), names)):
            counts[word] += 1
            print(f"{word} {name}: {text}", flush=True)
    print("{ok   } passed, {FAIL } failed, {skip } skipped".format(**counts))
    return counts["FAIL "] > 0


if __name__ == "__main__":
    sys.exit(main())
