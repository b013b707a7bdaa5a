#!/usr/bin/env python3
"""The examples that no test can run whole: their files parse, and name what there is.

SPDX-License-Identifier: MIT
"""
import configparser
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
counts = {"ok": 0, "FAIL": 0, "skip": 0}


def tell(good, what, more=""):
    word = "skip" if good is None else "ok" if good else "FAIL"
    counts[word] += 1
    print(f"{word:5} {what}" + ("" if good or not more else f": {more}"))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def find(value, key):
    """Every value of a key, at any depth."""
    if isinstance(value, dict):
        for k, v in value.items():
            if k == key:
                yield v
            yield from find(v, key)
    elif isinstance(value, list):
        for v in value:
            yield from find(v, key)


def check_yaml():
    try:
        import yaml
    except ImportError:
        tell(False if os.environ.get("CI") else None, "YAML", "no python3-yaml")
        return
    for path in ("compose/compose.yaml", "compose/compose.override.yaml", "kubernetes/deployment.yaml",
                 "kubernetes/kyverno.yaml", "log-pipeline/vector.yaml"):
        try:
            value = yaml.safe_load(read("examples/" + path))
        except yaml.YAMLError as e:
            tell(False, path, e)
            continue
        tell(isinstance(value, dict), path + " parses")
        if "kubernetes" in path:
            mounts = {m["mountPath"] for c in ("initContainers", "containers")
                      for part in find(value, c) for one in part for m in one["volumeMounts"]}
            preload = [e["value"].replace("{{ before }}", "") for env in find(value, "env") for e in env if e["name"] == "LD_PRELOAD"]
            copied = [command[-1] for command in find(value, "command")]
            volumes = {v["name"] for vs in find(value, "volumes") for v in vs}
            tell(preload == copied == ["/epitaph/libepitaph.so"] and mounts == {"/epitaph"} and volumes == {"epitaph"},
                 path + ": what is copied is mounted and preloaded", (preload, copied, mounts, volumes))
    services = [yaml.safe_load(read("examples/compose/" + f))["services"].keys()
                for f in ("compose.yaml", "compose.override.yaml")]
    tell(services[0] == services[1], "compose: the override is of the same service")


def check_keys():
    known = set(re.findall(r"`((?:epitaph|process|event|code|thread)\.[a-z_.]+|timestamp|body|severity_text)`",
                           read("docs/records.md")))
    for path in sorted(os.listdir(os.path.join(ROOT, "examples/log-pipeline"))):
        keys = set(re.findall(r'"((?:epitaph|process|event|code)\.[a-z_.]+)\\?"', read("examples/log-pipeline/" + path)))
        keys = {k for k in keys if k not in ("epitaph.", "epitaph.end")}
        tell(keys <= known, f"log-pipeline/{path}: its keys are records' keys", keys - known)


def check_units():
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str
    text = read("examples/systemd/epitaph.conf")
    parser.read_string(text)
    tell("Environment" in parser["Service"], "systemd/epitaph.conf parses")
    sections = re.findall(r"^\[(\w+)\]$", read("examples/log-pipeline/fluent-bit.conf"), re.M)
    tell(sections == ["SERVICE", "INPUT", "FILTER", "FILTER", "FILTER", "OUTPUT"], "fluent-bit.conf has its sections", sections)
    # Fluent Bit's record accessors end at a dot, so a key of ours cannot be named by one.
    dotted = [a for a in re.findall(r"^[^#\n]*\$([\w.]+)", read("examples/log-pipeline/fluent-bit.conf"), re.M) if "." in a]
    tell(not dotted, "fluent-bit.conf: no record accessor has a dot", dotted)
    analyze = shutil.which("systemd-analyze")
    if analyze:
        unit = "/tmp/epitaph-example.service"
        with open(unit, "w", encoding="utf-8") as f:
            f.write(text + "ExecStart=/bin/true\n")
        done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
        os.unlink(unit)
        tell("epitaph-example.service:" not in done.stderr, "systemd-analyze verify", done.stderr)
    else:
        tell(None, "systemd-analyze verify", "there is none")


check_yaml()
check_keys()
check_units()
print("{ok} passed, {FAIL} failed, {skip} skipped".format(**counts))
sys.exit(counts["FAIL"] > 0)
