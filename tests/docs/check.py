#!/usr/bin/env python3
"""Checks the documents against the build, or (--update) writes what is generated.

  check.py SHIM [--update]

- A console block behind <!-- run --> is executed in a fresh folder, line by line, and its output
  compared, but for what differs from run to run (pids, times, addresses, offsets in libraries).
- docs/hooks.md is made from shim/hooks.def; docs/records.md must list every key that the shim writes.
- Every EPITAPH_ variable stands in README.md and docs/usage.md; the version is one; links resolve.

SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHIM = os.path.abspath(sys.argv[1])
UPDATE = "--update" in sys.argv
DOCS = ["README.md"] + sorted(
    os.path.join("docs", f) for f in os.listdir(os.path.join(ROOT, "docs")) if f.endswith(".md"))
counts = [0, 0]


def tell(good, what, more=""):
    counts[0 if good else 1] += 1
    print(("ok    " if good else "FAIL  ") + what + ("" if good else "\n" + more))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(os.path.join(ROOT, path), "w", encoding="utf-8") as f:
        f.write(text)


def normal(text):
    for pattern, to in ((r"\[\d+\]", "[PID]"), (r"\+\d+\.\d+s", "+TIMEs"), (r"process \d+", "process PID"),
                        (r"\b\d+ ms after", "N ms after"), (r'"timestamp":"[^"]*"', '"timestamp":"TIME"'),
                        (r'("process\.(?:pid|parent_pid|uptime)":)[\d.]+', r"\1N"),
                        (r"\S+\+0x[0-9a-f]+", "PLACE"), (r"\(near [^)]*\)", "(NEAR)"),
                        (r'("epitaph\.caller\.offset":)"[^"]*"', r"\1OFFSET"),
                        (r'("process\.executable\.\w+":)"[^"]*"', r"\1EXE"),
                        (r"/\S*/", "DIR/"), (r" < PLACE( \([^)]*\))?", ""), (r"[ \t]+$", "")):
        text = re.sub(pattern, to, text, flags=re.M)
    return text.strip()


def run_block(commands):
    """The block with its output; the commands share a shell, so that cd and files last."""
    marker = "--- epitaph docs ---"
    script = "".join(f"{c}\nprintf '%s\\n' '{marker}'\n" for c in commands)
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(SHIM, os.path.join(folder, "libepitaph.so"))
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
            commands = [line[2:] for line in m.group(2).split("\n") if line.startswith("$ ")]
            now = run_block(commands)
            same = normal(now) == normal(m.group(2))
            if UPDATE and not same:
                return m.group(1) + now + "```"
            tell(same, f"{doc}: $ {commands[0][:60]}", f"--- written\n{m.group(2)}--- now\n{now}")
            return m.group(0)

        new = re.sub(r"(<!-- run -->\n```console\n)(.*?)```", one, text, flags=re.S)
        if new != text:
            write(doc, new)


def check_hooks():
    rows = re.findall(r'^HOOK\((\w+), (\w+), "(.*)"\)', read("shim/hooks.def"), flags=re.M)
    table = ["# What Epitaph interposes", "",
             "Made from [shim/hooks.def](../shim/hooks.def) by `make docs`. `EPITAPH_IGNORE` takes these names.", "",
             "| function | file | what for |", "|---|---|---|"]
    table += [f"| `{n}` | [{f}.c](../shim/{f}.c) | {w} |" for n, f, w in rows]
    text = "\n".join(table) + "\n"
    if UPDATE:
        write("docs/hooks.md", text)
    tell(read("docs/hooks.md") == text, "docs/hooks.md is made from shim/hooks.def", "run make docs")


def check_keys():
    keys = {"timestamp"}
    for f in sorted(os.listdir(os.path.join(ROOT, "shim"))):
        if f.endswith(".c"):
            source = read("shim/" + f)
            keys.update(re.findall(r'record_(?:string|static|integer|seconds|boolean|text)\(\s*\w+,\s*"([^"]+)"', source))
            keys.update(re.findall(r'json_put\w*\(&t,\s*"([^"]+)"', source))
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", read("docs/records.md"), flags=re.M))
    tell(keys == listed, "docs/records.md lists the keys that the shim writes",
         f"missing {sorted(keys - listed)}, not written {sorted(listed - keys)}")


def check_words():
    variables = set(re.findall(r'"(EPITAPH_[A-Z_]+)"', read("shim/config.c")))
    for doc in ("README.md", "docs/usage.md"):
        missing = [v for v in sorted(variables) if v not in read(doc)]
        tell(not missing, f"{doc} names every option", str(missing))
    version = re.search(r"^VERSION\s*:=\s*(\S+)", read("Makefile"), flags=re.M).group(1)
    tell(f'"Epitaph {version}"' in read("docs/epitaph.7"), "docs/epitaph.7 has the version of the Makefile", version)
    for doc in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(doc)):
            path = os.path.normpath(os.path.join(ROOT, os.path.dirname(doc), target))
            if not os.path.exists(path):
                tell(False, f"{doc}: link to {target}", "there is no such file")


check_hooks()
check_blocks()
check_keys()
check_words()
print(f"{counts[0]} passed, {counts[1]} failed, 0 skipped")
sys.exit(counts[1] != 0)
