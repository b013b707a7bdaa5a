#!/usr/bin/env python3
"""Sudden ends of real servers: the sentence must be right in each.

  servers.py SHIM BUILD [--write] [NAME...]     BUILD: where the tests' programs are built

Each row starts a server in a folder of its own, does something to it, and reads the end of its main
process from the log. Its wait status must be that of the same thing done bare. docs/servers.md is the
table of it: --write makes it, otherwise the sentences there must be the ones that were read.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from suites import JAVA, NGINX, PYTHON, Place, answers, ask, free_port, missing, until

SHIM, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/servers.md")
PACKAGES = {"nginx": "nginx-light", "redis-server": "redis-server", "node": "nodejs", PYTHON: "python3",
            "javac": "default-jdk-headless", "haproxy": "haproxy", "php": "php-cli", "lighttpd": "lighttpd",
            "memcached": "memcached", "dnsmasq": "dnsmasq-base", "mosquitto": "mosquitto",
            "/usr/lib/postgresql": "postgresql", "/usr/sbin/php-fpm8.2": "php-fpm"}
TOKIO = os.path.join(BUILD, "tokio-server")
PARENT = r"SIG\w+ from its own parent, process N \(python3\)"

# ---- How each is started: (the command, the port that shows that it is up, or None) ----


def nginx(place, port, config=NGINX):
    return ["nginx", "-c", place.path("conf", config.format(place.folder, port, "ok")), "-p", place.folder,
            "-e", place.path("error")]


def redis(place, port):
    return ["redis-server", "--port", str(port), "--save", "", "--enable-debug-command", "yes", "--dir", place.folder]


def memcached(_, port):
    return ["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port)]


def http_server(_, port):
    return [PYTHON, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


def haproxy(place, port):
    return ["haproxy", "-db", "-f", place.path("conf", "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n"
                                               f" timeout server 1s\nfrontend f\n bind 127.0.0.1:{port}\n"
                                               " http-request return status 200\n")]


def lighttpd(place, port):
    return ["lighttpd", "-D", "-f", place.path("conf", f'server.document-root = "{place.folder}"\n'
                                               f'server.bind = "127.0.0.1"\nserver.port = {port}\n')]


def mosquitto(place, port):
    return ["mosquitto", "-c", place.path("conf", f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")]


def dnsmasq(place, port):
    return ["dnsmasq", "-k", "-C", place.path("conf", ""), "-p", str(port), "--listen-address=127.0.0.1",
            "--bind-interfaces", "--no-resolv", "--no-hosts", "-u", "root", "--pid-file=" + place.path("pid")]


def php_fpm(place, port):
    conf = f"[global]\nerror_log={place.folder}/error\ndaemonize=no\n[w]\nlisten=127.0.0.1:{port}\npm=static\n" \
           "pm.max_children=1\nuser=root\n"
    return ["/usr/sbin/php-fpm8.2", "-R", "-F", "-y", place.path("conf", conf)]


def php(place, port):
    return ["php", "-S", f"127.0.0.1:{port}", "-t", place.folder]


NODE = """
const how = process.argv[2], port = +process.argv[3];
require('http').createServer((q, s) => {
  if (how === 'throws') throw new Error('no handler for this');
  if (how === 'exits') (function lost_the_database() { process.exit(1); })();
  s.end('ok');
}).listen(port, '127.0.0.1');
"""


def node(how):
    return lambda place, port: ["node", place.path("server.js", NODE), how, str(port)]


def java(how):
    def command(place, _):
        place.path("Program.java", JAVA)
        subprocess.run(["javac", "Program.java"], cwd=place.folder, check=True, stdin=subprocess.DEVNULL)
        return ["java", "-XX:+UseSerialGC", "-cp", place.folder, "Program", how]
    return command


def tokio(how):
    return lambda place, port: [TOKIO, how, f"127.0.0.1:{port}"]


def postgres(place, port):
    tools = f"/usr/lib/postgresql/{sorted(os.listdir('/usr/lib/postgresql'))[-1]}/bin/"
    shutil.chown(place.folder, "postgres", "postgres")
    data = place.path("data")
    bare = {k: v for k, v in place.env.items() if not k.startswith(("LD_", "EPITAPH_"))}
    subprocess.run(["runuser", "-u", "postgres", "--", tools + "initdb", "-D", data, "--no-sync"], check=True, env=bare,
                   cwd=place.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    place.how.update(user="postgres", group="postgres", extra_groups=[])
    return [tools + "postgres", "-D", data, "-p", str(port), "-k", place.folder, "-c", "fsync=off"]


# ---- What is done to it ----


def send(number):
    return lambda child, port: child.send_signal(number)


def request(text="GET / HTTP/1.0\r\n\r\n"):
    def act(_, port):
        try:
            ask(port, text)
        except OSError:
            pass
    return act


def nothing(child, port):
    """It ends by itself."""


def kill_worker(child, _):
    def workers():
        return subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, check=False).stdout.split()
    until("a worker", workers)
    first = workers()
    os.kill(int(first[0]), signal.SIGKILL)
    until("another worker", lambda: workers() and first[0] not in workers())
    child.send_signal(signal.SIGTERM)


TERM, INT, QUIT, HUP, KILL = (send(s) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP,
                                               signal.SIGKILL))
BUSY = "a port in use"
FULL = "few descriptors"

# (server, what happens, what it needs, command, action, the sentence behind ENDED)
ROWS = [
    ("nginx", "SIGTERM", "nginx", nginx, TERM, rf"with exit code 0: exit\(0\) called by nginx.*, T after {PARENT}"),
    ("nginx", "SIGQUIT, with grace", "nginx", nginx, QUIT, rf"with exit code 0: exit\(0\) called by.*T after {PARENT}"),
    ("nginx", "a worker is killed, then SIGTERM", "nginx", nginx, kill_worker, rf"with exit code 0: .*T after {PARENT}"),
    ("nginx", "the configuration has an error", "nginx", lambda p, n: nginx(p, n, "nonsense {0} {1} {2};"), nothing,
     r"with exit code 1: main\(\) returned 1"),
    ("nginx", BUSY, "nginx", nginx, BUSY, r"with exit code 1: .* bind to 127.0.0.1:P failed: address already in use.*"),
    ("nginx", "SIGKILL", "nginx", nginx, KILL, None),
    ("redis", "SIGTERM", "redis-server", redis, TERM, rf"with exit code 0: exit\(0\) called by redis.*, T after {PARENT}"),
    ("redis", "a client sends SHUTDOWN", "redis-server", redis, request("SHUTDOWN NOSAVE\r\n"),
     r"with exit code 0: exit\(0\) called by redis-server\+X[^;]*(; no signal came, and it had stopped listening.*)?"),
    ("redis", "a null pointer", "redis-server", redis, request("DEBUG SEGFAULT\r\n"),
     r"by SIGSEGV \(.*\): sent from itself, in its handler of SIGSEGV: SEGV_\w+ at address .* "
     r"at redis-server\+X \(debugCommand\+X\), which passes it on"),
    ("redis", BUSY, "redis-server", redis, BUSY, r"with exit code 1: .* bind to .* failed: address already in use.*"),
    ("memcached", "SIGINT", "memcached", memcached, INT, rf"with exit code 0: .*T after {PARENT}.*"),
    ("memcached", BUSY, "memcached", memcached, BUSY, r"with exit code \d+: .* bind to .* failed: address already in use.*"),
    ("python http.server", "SIGTERM", PYTHON, http_server, TERM, r"by SIGTERM \(.*\): sent from its own parent, process N.*"),
    ("python http.server", "SIGINT", PYTHON, http_server, INT, rf"with exit code 0: main\(\) returned 0, T after {PARENT}"),
    ("python http.server", "SIGHUP", PYTHON, http_server, HUP, r"by SIGHUP \(.*\): sent from its own parent, process N.*"),
    ("python http.server", BUSY, PYTHON, http_server, BUSY,
     r"with exit code 1: .* bind to 127.0.0.1:P failed: address already in use.*"),
    ("python", "a second of processor time, and no more", PYTHON,
     lambda p, n: ["prlimit", "--cpu=1:3", PYTHON, "-c", "while True: pass"], nothing, r"by SIGXCPU .*limit.*"),
    ("python", "sys.exit in a library", PYTHON, lambda p, n: [PYTHON, "-c", "import sys; sys.exit('no licence')"], nothing,
     r"with exit code 1: exit\(1\) called by python3.*Py_Exit.*"),
    ("python", "os._exit in a thread", PYTHON,
     lambda p, n: [PYTHON, "-c", "import os, threading, time; threading.Thread(target=lambda: os._exit(4)).start();"
                   "time.sleep(60)"], nothing, r"with exit code 4: _exit\(4\) called by python3.*, in thread .*"),
    ("node", "SIGTERM", "node", node("serves"), TERM, rf"by SIGTERM \(.*\): sent from itself, T after {PARENT}"),
    ("node", "an exception that nobody catches", "node", node("throws"), request(), r"with exit code 1: exit\(1\) called by [^,]*"),
    ("node", "process.exit in a request", "node", node("exits"), request(), r"with exit code 1: exit\(1\) called by [^,]*"),
    ("node", BUSY, "node", node("serves"), BUSY, r"with exit code 1: .* bind to 127.0.0.1:P failed: address already in.*"),
    ("java", "System.exit", "javac", java("exit"), nothing, r"with exit code 6: exit\(6\) called by libjvm.so.*, in thread .*"),
    ("java", "Runtime.halt", "javac", java("halt"), nothing, r"with exit code 5: exit\(5\) called by libjvm.so.*"),
    ("haproxy", "SIGTERM", "haproxy", haproxy, TERM, r"by SIGTERM \(.*\): sent from its own parent, process N.*"),
    ("haproxy", "SIGUSR1, with grace", "haproxy", haproxy, send(signal.SIGUSR1), rf"with exit code 0: .*T after {PARENT}.*"),
    ("lighttpd", "SIGTERM", "lighttpd", lighttpd, TERM, rf"with exit code 0: main\(\) returned 0, T after {PARENT}"),
    ("mosquitto", "SIGTERM", "mosquitto", mosquitto, TERM, rf"with exit code 0: main\(\) returned 0, T after {PARENT}"),
    ("dnsmasq", "SIGTERM", "dnsmasq", dnsmasq, TERM, rf"with exit code 0: exit\(0\) called by dnsmasq.*T after {PARENT}.*"),
    ("php-fpm", "SIGQUIT, with grace", "/usr/sbin/php-fpm8.2", php_fpm, QUIT, rf"with exit code 0: .*T after {PARENT}"),
    ("php -S", "SIGINT", "php", php, INT, rf"with exit code 0: .*T after {PARENT}"),
    ("php -S", "SIGTERM", "php", php, TERM, r"by SIGTERM \(.*\): sent from its own parent, process N.*"),
    ("postgres", "SIGINT: the fast stop", "/usr/lib/postgresql", postgres, INT, rf"with exit code 0: .*T after {PARENT}.*"),
    ("postgres", "SIGQUIT: the immediate stop", "/usr/lib/postgresql", postgres, QUIT, rf"with exit code 0: .*T after {PARENT}.*"),
    ("tokio", "SIGTERM, handled", TOKIO, tokio("serve"), TERM, rf"with exit code 0: main\(\) returned 0, T after {PARENT}"),
    ("tokio", "SIGINT, by default", TOKIO, tokio("serve"), INT, r"by SIGINT \(.*\): sent from its own parent, process N.*"),
    ("tokio", "the server's future is dropped", TOKIO, tokio("dropped"), nothing,
     r"with exit code 0: main\(\) returned 0; no signal came, and it had stopped listening on 127.0.0.1:P before"),
    ("tokio", "process::exit in a worker", TOKIO, tokio("exit"), nothing,
     r"with exit code 0: exit\(0\) called by tokio-server\+X .*, in thread tokio-runtime-w.*"),
    ("tokio", "a panic in main", TOKIO, tokio("panic"), nothing, r"with exit code 101: main\(\) returned 101.*"),
    ("tokio", "abort in a worker", TOKIO, tokio("abort"), nothing, r"by abort: abort\(\) called by tokio-server\+X .*"),
]


def normalised(text, folder, port):
    for pattern, put in ((re.escape(folder), "/srv"), (rf"\b{port}\b", "P"), (r"\+0x[0-9a-f]+", "+X"),
                         (r"address 0x[0-9a-f]+", "address X"),
                         (r"(process|thread \S+\[?|PID) \d+", r"\1 N"), (r"\[\d+\]", "[N]"), (r"\b\d+ ms", "T"),
                         (r"\b\d+\.\d s\b", "T"), (r"::h[0-9a-f]{16}", "")):
        text = re.sub(pattern, put, text)
    return text


def attempt(row, top, shim):
    """(the wait status, the sentence or None)"""
    _, _, _, command, action, _ = row
    place = Place(top, shim)
    place.how = {"stdout": subprocess.DEVNULL}
    try:
        port = free_port()
        argv = command(place, port)
        if action == BUSY:  # a second one beside it
            other = Place(top, False)
            other.how = {}
            try:
                other.start(*command(other, port), stdout=subprocess.DEVNULL)
                until("the first", lambda: answers(port))
                child = place.start(*argv, **place.how)
                status = child.wait(60)
            finally:
                other.clean()
        else:
            child = place.start(*argv, **place.how)
            if action is not nothing:
                until(row[0] + " is up", lambda: answers(port))
            action(child, port)
            status = child.wait(60)
        log = os.path.join(place.folder, f"log-{child.pid}")
        sentence = None
        if os.path.exists(log):
            with open(log, encoding="utf-8") as f:
                ends = [re.sub(r"^epitaph: \S+ \S+ ENDED ", "", line.rstrip()) for line in f if " ENDED " in line]
            sentence = normalised(ends[-1], place.folder, port) if ends else None
        return status, sentence
    except (AssertionError, OSError, subprocess.SubprocessError) as e:
        return f"the check itself failed: {e}", None
    finally:
        place.clean()


def check(row, top):
    needs, wanted = row[2], row[5]
    if missing([needs]):
        return ("fail" if os.environ.get("CI") else "skip"), None, f"it lacks {needs}"
    for _ in range(3):  # a port may be taken in the meantime
        bare, _ = attempt(row, top, False)
        status, sentence = attempt(row, top, True)
        if bare == status:
            break
    if bare != status:
        return "fail", sentence, f"bare {bare}, under Epitaph {status}"
    if not (sentence is None if wanted is None else sentence and re.fullmatch(wanted, sentence)):
        return "fail", sentence, f"{sentence!r}"
    return "ok", sentence, ""


def page(told):
    text = ["# Sudden ends of real servers", "", "Made by `make servers-check WRITE=1`, which does all of it; not by hand.",
            "", "N is a process, P a port, T a time, X an address in a program. The sender is the test, the server's own",
            "parent; in a container it is told as such, or as outside of it. SIGKILL can be told by nobody but the parent.", "",
            "| server | what happens | what is told of its end |", "|---|---|---|"]
    return text + [f"| {row[0]} | {row[1]} | {'ended ' + s.replace('|', chr(92) + '|') if s else '(nothing)'} |"
                   for row, s in told]


def main():
    names = [a for a in sys.argv[3:] if a != "--write"]
    rows = [r for r in ROWS if not names or r[0] in names]
    lacking = sorted({PACKAGES[r[2]] for r in rows if missing([r[2]]) and r[2] in PACKAGES})
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["--no-install-recommends", "install", *lacking]):
            subprocess.run(["apt-get", "-qqy", *command], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                           stdin=subprocess.DEVNULL, capture_output=True, check=False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    counts, told = {"ok": 0, "fail": 0, "skip": 0}, []
    with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor(4) as pool:
        os.chmod(top, 0o755)
        for row, (word, sentence, why) in zip(rows, pool.map(lambda r: check(r, top), rows)):
            counts[word] += 1
            told.append((row, sentence))
            print(f"{word.upper() if word == 'fail' else word:5} {row[0]}, {row[1]}{': ' + why if why else ''}", flush=True)
    text = page(told)
    if "--write" in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write("\n".join(text) + "\n")
    if not names and not counts["skip"]:
        # The words may differ a little from version to version of a server; the rows may not.
        with open(PAGE, encoding="utf-8") as f:
            written = [line.split(" | ")[:2] for line in f if line.startswith("| ")]
        good = written == [line.split(" | ")[:2] for line in text if line.startswith("| ")]
        counts["ok" if good else "fail"] += 1
        print(("ok    " if good else "FAIL  ") + "docs/servers.md has these rows")
    print("{ok} passed, {fail} failed, {skip} skipped".format(**counts))
    return counts["fail"] > 0


if __name__ == "__main__":
    sys.exit(main())
