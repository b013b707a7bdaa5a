#!/usr/bin/env python3
"""Checks the documents against the build, or (--update) writes what is generated.

  check.py SHIM [--update]

- A console block behind <!-- run --> is executed in a fresh folder, line by line, and its output
  compared, but for what differs from run to run (pids, times, offsets, folders, libc's own frames).
- docs/hooks.md is made from shim/hooks.def; docs/records.md must list every key, event, cause and
  sender that the shim writes; every option and its words stand in the documents; the version is
  one; links resolve.
- At the end it proves itself: with a document falsified, each check must fail.

SPDX-License-Identifier: MIT
"""
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHIM = os.path.abspath(sys.argv[1])
UPDATE = "--update" in sys.argv
README_MOST = 220
falsified = {}  # path: text that stands for the file, while the checks prove themselves


def listing(folder, ending):
    return sorted(os.path.join(folder, f) for f in os.listdir(os.path.join(ROOT, folder)) if f.endswith(ending))


EXAMPLES = sorted(f for f in os.listdir(os.path.join(ROOT, "examples"))
                  if os.path.isdir(os.path.join(ROOT, "examples", f)))
DOCS = ["README.md"] + listing("docs", ".md")
PAGES = DOCS + [f"examples/{e}/README.md" for e in EXAMPLES]
results = []  # (good, what) of every check; good is None where it was skipped


def tell(good, what, more=""):
    results.append((good, what))
    if not falsified:
        word = "skip  " if good is None else "ok    " if good else "FAIL  "
        print(word + what + ("" if good or not more else "\n" + str(more)), flush=True)


def read(path):
    if path in falsified:
        return falsified[path]
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(os.path.join(ROOT, path), "w", encoding="utf-8") as f:
        f.write(text)


# What may differ from run to run and from machine to machine. Everything else must be the same.
VARYING = (
    (r"\[\d+\]", "[PID]"), (r"\+\d+\.\d+s", "+TIMEs"), (r"process \d+", "process PID"),
    (r"\b\d+(\.\d+)? (ms|s) after", "TIME after"), (r'"timestamp":"[^"]*"', '"timestamp":"TIME"'),
    (r"\b127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (r"\blived \d+ ms", "lived N ms"),
    (r"memory: at most .*", "memory: …"), (r',"epitaph\.memory\.(?:peak|limit)":\d+', ""),
    (r'("epitaph\.std(?:out|err)\.last":)[\d.]+', r"\1N"),
    (r'("process\.(?:pid|parent_pid|uptime)":)[\d.]+', r"\1N"),
    (r'("(?:epitaph\.caller\.offset|code\.stacktrace)":)"[^"]*"', r'\1"…"'),
    (r'(?:/[^\s"/]+)+/', "DIR/"),
    # Frames: those of other libcs have other symbols and other numbers; ours keep their names.
    (r" < (?:libc\.so|ld-)\S*\+0x[0-9a-f]+(?: \([^)]*\))?", ""), (r" < \S+\+0x[0-9a-f]+(?= <|$)", ""),
    (r"\+0x[0-9a-f]+", "+OFFSET"), (r"[ \t]+$", ""))


def normal(text):
    for pattern, to in VARYING:
        text = re.sub(pattern, to, text, flags=re.M)
    return text.strip()


@functools.lru_cache(maxsize=None)
def run_block(commands):
    """The block with its output; the commands share a shell, so that cd and files last."""
    marker = "--- epitaph docs ---"
    script = "".join(f"{c}\nprintf '%s\\n' '{marker}'\n" for c in commands)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "build"))  # as in a clone where make ran: what is shown can be copied
        os.symlink(SHIM, os.path.join(folder, "build/libepitaph.so"))
        os.symlink(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"))
        env = {"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C"}
        done = subprocess.run(["bash"], input=script, cwd=folder, env=env, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        outputs = done.stdout.replace(folder, "/app").split(marker + "\n")
    return "".join(f"$ {c}\n{o}" for c, o in zip(commands, outputs))


def check_blocks():
    for doc in DOCS:
        text = read(doc)

        def one(m):
            commands = tuple(line[2:] for line in m.group(2).split("\n") if line.startswith("$ "))
            what = f"{doc}: $ {next((c for c in commands if 'LD_PRELOAD' in c), commands[0])[:70]}"
            missing = [t for t in ("cc",) if re.search(rf"\b{t} ", " ".join(commands)) and not shutil.which(t)]
            if missing:
                tell(None, what, f"there is no {missing[0]} here")
                return m.group(0)
            now = run_block(commands)
            same = normal(now) == normal(m.group(2))
            if UPDATE and not same:
                return m.group(1) + now + "```"
            tell(same, what, f"--- written\n{m.group(2)}--- now\n{now}")
            return m.group(0)

        new = re.sub(r"(<!-- run -->\n```console\n)(.*?)```", one, text, flags=re.S)
        if new != text and not falsified:
            write(doc, new)
            print(f"wrote {doc}")
        # An output that nobody runs would grow old unseen.
        shown = len(re.findall(r"^```console$", text, flags=re.M))
        run = len(re.findall(r"^<!-- run -->\n```console$", text, flags=re.M))
        if shown:
            tell(shown == run, f"{doc}: every console block is run", f"{shown} blocks, {run} are run")


def check_hooks():
    source = read("shim/hooks.def")
    rows = re.findall(r'^HOOK\((\w+), (\w+), "(.*)"\)$', source, flags=re.M)
    table = ["# What Epitaph interposes", "",
             "Made from [shim/hooks.def](../shim/hooks.def) by `make docs`. `EPITAPH_IGNORE` takes these names.", "",
             "| function | file | what for |", "|---|---|---|"]
    table += [f"| `{n}` | [{f}.c](../shim/{f}.c) | {w} |" for n, f, w in rows]
    text = "\n".join(table) + "\n"
    if UPDATE and not falsified:
        write("docs/hooks.md", text)
    written = len(re.findall(r"^HOOK\(", source, flags=re.M))
    tell(read("docs/hooks.md") == text and written == len(rows), "docs/hooks.md is made from shim/hooks.def",
         f"run make docs ({written} lines HOOK, {len(rows)} of them understood)")


def strings_of(path, start):
    """The string literals of the initialiser that begins with `start`."""
    source = read(path)
    at = source.index(start)
    return re.findall(r'"([^"]*)"', source[at:source.index("};", at)])


def check_records():
    keys, unclear = {"timestamp"}, []
    adders = "string|static|integer|seconds|boolean|text"
    for path in listing("shim", ".c"):
        source = read(path)
        keys.update(re.findall(rf'\brecord_(?:{adders})\(\s*\w+,\s*"([^"]+)"', source))
        for key in re.findall(r'\bFIELD\(\w+, \w+, \w+, "([^"]+)"', source):
            keys.update({f"epitaph.stdout.{key}", f"epitaph.stderr.{key}"})
        keys.update(re.findall(r'\bjson_put\w*\(&t,\s*"([^"]+)"', source))
        # A key that is no literal would be invisible here. (In a definition the next word is a type.)
        unclear += [f"{path}: {m}" for m in re.findall(rf'^\t.*\brecord_(?:{adders})\(\s*\w+,\s*[^"\s].*', source,
                                                       flags=re.M)]
    page = read("docs/records.md")
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", page, flags=re.M))
    tell(keys == listed and not unclear, "docs/records.md lists the keys that the shim writes",
         f"missing {sorted(keys - listed)}, not written {sorted(listed - keys)}, not literal {unclear}")
    for what, words in (("event", strings_of("shim/record.c", "event_names[] =")),
                        ("severity", strings_of("shim/record.c", "severity_names[] =")),
                        ("cause", strings_of("shim/verdict.c", "cause_names[] =")),
                        ("sender", strings_of("shim/sender.c", "words[][9] ="))):
        missing = [w for w in words if f"`{w}`" not in page]
        tell(words and not missing, f"docs/records.md names every {what}", missing)
    events = set(re.findall(r"`(epitaph\.[a-z]+)`", page[:page.index("| key |")]))
    extra = events - set(strings_of("shim/record.c", "event_names[] ="))
    tell(not extra, "docs/records.md names no event that is not written", extra)


def check_options():
    source = read("shim/config.c")
    variables = sorted(set(re.findall(r'"(EPITAPH_[A-Z_]+)"', source)) | {"NO_COLOR"})
    for doc in ("README.md", "docs/usage.md", "docs/epitaph.7"):
        page = read(doc)
        missing = [v for v in variables if not re.search(rf"\b{v}\b", page)]
        unknown = sorted(set(re.findall(r"\bEPITAPH_[A-Z]+(?:_[A-Z]+)*\b", page)) - set(variables))
        tell(not missing and not unknown, f"{doc} names every option, and no other", f"{missing} {unknown}")
    usage = read("docs/usage.md")
    for name, words in re.findall(r'\{"(EPITAPH_\w+)", "([a-z ]+)"', source):
        row = re.search(rf"^\| `{name}` \|.*$", usage, flags=re.M)
        missing = [w for w in words.split() if not row or f"`{w}`" not in row.group(0)]
        tell(not missing, f"docs/usage.md has every value of {name}", missing)


def check_version():
    version = re.search(r"^VERSION\s*:=\s*(\S+)", read("Makefile"), flags=re.M).group(1)
    tell(f'"Epitaph {version}"' in read("docs/epitaph.7"), "docs/epitaph.7 has the version of the Makefile", version)
    found = {v for p in PAGES for v in re.findall(r"\bepitaph (\d+\.\d+\.\d+)", read(p), flags=re.I)}
    tell(found == {version}, "the documents show that version only", found)


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", read(path), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def check_links():
    for doc in PAGES:
        broken = []
        for target in re.findall(r"\]\(([^)\s]+)\)", read(doc)):
            path, _, anchor = target.partition("#")
            if ":" in path:
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(doc), path)) if path else doc
            if not os.path.exists(os.path.join(ROOT, path)):
                broken.append(target)
            elif anchor and path.endswith(".md") and anchor not in anchors(path):
                broken.append(target)
        tell(not broken, f"{doc}: links resolve", broken)
    unnamed = [e for e in EXAMPLES if f"examples/{e}" not in read("docs/usage.md")]
    tell(not unnamed, "docs/usage.md leads to every example", unnamed)
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", read("Makefile") + read("tests/tests.mk"), flags=re.M))
    wrong = {t for p in PAGES for t in re.findall(r"`?\bmake ([a-z][a-z0-9-]*)`", read(p))} - targets
    tell(not wrong, "every `make` target that is named is there", wrong)
    tell(len(read("README.md").splitlines()) <= README_MOST, f"README.md has at most {README_MOST} lines")
    tell(not any(ROOT in read(p) for p in PAGES), "no document shows a folder of this machine", ROOT)


def check_man():
    lint = ["mandoc", "-Tlint", "-Wwarning"] if shutil.which("mandoc") else \
        ["groff", "-man", "-ww", "-Tascii", "-z"] if shutil.which("groff") else None
    if not lint:
        tell(None, "docs/epitaph.7 is well formed", "neither mandoc nor groff is here")
        return
    done = subprocess.run(lint, input=read("docs/epitaph.7"), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    tell(done.returncode == 0 and not done.stdout.strip(), f"docs/epitaph.7 is well formed ({lint[0]})", done.stdout)


CHECKS = (check_hooks, check_blocks, check_records, check_options, check_version, check_links, check_man)

# (check, file, what to put in the place of what): with each of them the check must fail.
FALSE = (
    (check_hooks, "docs/hooks.md", r"exit\(3\) \|", "something |"),
    (check_hooks, "shim/hooks.def", r"\Z", 'HOOK(new,\n exits, "two lines")\n'),
    (check_blocks, "README.md", r"called by server", "called by somebody"),
    (check_blocks, "README.md", r"ENDED with exit code 0", "ENDED with exit code 1"),
    (check_blocks, "README.md", r"license_watchdog\+", "another+"),
    (check_blocks, "README.md", r'"epitaph\.cause":"_exit"', '"epitaph.cause":"exit"'),
    (check_blocks, "README.md", r'"process\.executable\.name"', '"process.name"'),
    (check_blocks, "README.md", r"<!-- run -->\n", ""),
    (check_records, "docs/records.md", r"\| `process\.pid` \|.*\n", ""),
    (check_records, "docs/records.md", r"\Z", "| `epitaph.invented` | all | x |\n"),
    (check_records, "docs/records.md", r"`quick_exit`", "quick"),
    (check_records, "docs/records.md", r"`epitaph\.silence`", "`epitaph.sound`"),
    (check_records, "docs/records.md", r"`outside`", "elsewhere"),
    (check_records, "shim/kills.c", r'record_integer\(r, "epitaph\.target\.pid"', "record_integer(r, key"),
    (check_options, "README.md", r"EPITAPH_BACKTRACE", "EPITAPH_TRACE"),
    (check_options, "docs/usage.md", r"`json`", "JSON"),
    (check_options, "docs/epitaph.7", r"EPITAPH_SCOPE", "EPITAPH_RANGE"),
    (check_version, "docs/epitaph.7", r'"Epitaph [0-9.]+"', '"Epitaph 9.9.9"'),
    (check_version, "README.md", r"epitaph \d+\.\d+\.\d+", "epitaph 9.9.9"),
    (check_links, "README.md", r"\(docs/limits\.md\)", "(docs/limit.md)"),
    (check_links, "docs/usage.md", r"\(hooks\.md\)", "(hooks.md#nothing)"),
    (check_links, "docs/usage.md", r"\[examples/local\]\(\.\./examples/local/README\.md\)", "examples"),
    (check_links, "README.md", r"`make bench`", "`make race`"),
    (check_links, "README.md", r"\Z", "\n" * README_MOST),
    (check_links, "docs/design.md", r"\Z", ROOT),
    (check_man, "docs/epitaph.7", r"\.SH NAME\n", ".SH NAME\n.XX\n"),
)


def prove():
    """Every check must notice a falsified file."""
    honest, unnoticed = list(results), []
    for check, path, pattern, to in FALSE:
        text = read(path)
        wrong = re.sub(pattern, lambda _: to, text, count=1)
        results.clear()
        falsified[path] = wrong
        check()
        falsified.clear()
        bad = any(good is False for good, _ in results)
        if wrong == text or not (bad or any(good is None for good, _ in results)):
            unnoticed.append((path, pattern))
    results[:] = honest
    tell(not unnoticed, f"each of {len(FALSE)} falsified files is noticed", unnoticed)


for each in CHECKS:
    each()
if not UPDATE and all(good is not False for good, _ in results):
    prove()
passed = sum(1 for good, _ in results if good)
failed = sum(1 for good, _ in results if good is False)
print(f"{passed} passed, {failed} failed, {len(results) - passed - failed} skipped")
sys.exit(failed != 0)
