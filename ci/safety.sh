#!/usr/bin/env bash
# SAFETY.md against the source: each file with `unsafe` in it belongs to a protocol there, whose models, tests and planted bugs
# exist. Each `unsafe` says why it is sound or what it asks, each atomic operation names the partners of its orderings: counted.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 - <<'PY'
import pathlib
import re
import sys

UNSAFE = re.compile(r"\bunsafe (\{|impl\b|fn \w|trait\b)")
ORDERING = re.compile(r"Ordering::(Relaxed|Acquire|Release|AcqRel|SeqCst)\b")
MODEL_OF_THE_WORLD = ("sync", "shim.rs")  # loom's atomics, wrapped

bad = []


def split(line):
    """Code and comment."""
    code, slashes, comment = line.partition("//")
    return code, slashes + comment


def above(lines, i):
    """The comments and attributes that stand over the statement or item of line i, and its own up to there."""
    text = split(lines[i])[1]
    while i > 0:
        i -= 1
        code, comment = split(lines[i])
        if re.search(r"[;}]\s*$", code) or not code.strip() and not comment:
            break
        text += comment
    return text


def function(lines, i):
    """All comments of the function of line i, from its documentation to that line."""
    text = split(lines[i])[1]
    while i > 0 and not re.search(r"\bfn \w+", split(lines[i])[0]):
        i -= 1
        text += split(lines[i])[1]
    while i > 0 and re.match(r"\s*(//|#)", lines[i - 1]):
        i -= 1
        text += lines[i]
    return text


def in_trait_impl(lines, i):
    """Does a trait, which has the contract, declare the method of line i?"""
    indent = len(lines[i]) - len(lines[i].lstrip())
    heads = (l for l in reversed(lines[:i]) if l.strip() and len(l) - len(l.lstrip()) < indent and not l.lstrip().startswith(("//", "#", ")", "where")))
    return bool(re.match(r"\s*(unsafe )?impl\b.*\bfor\b", next(heads, "")))


unsafes = operations = 0
holders = set()
for path in sorted(pathlib.Path("src").rglob("*.rs")):
    lines = path.read_text().splitlines()
    for i, line in enumerate(lines):
        code = split(line)[0]
        where = f"{path}:{i + 1}"
        for kind in UNSAFE.findall(code):
            holders.add(str(path.relative_to("src")))
            unsafes += 1
            contract = kind.startswith(("fn", "trait"))
            if contract and "# Safety" not in above(lines, i) and not in_trait_impl(lines, i):
                bad.append(f"{where}: no `# Safety`: {line.strip()}")
            if not contract and "SAFETY:" not in above(lines, i):
                bad.append(f"{where}: no `SAFETY:`: {line.strip()}")
        names = ORDERING.findall(code)
        if names and not any(part in MODEL_OF_THE_WORLD for part in path.parts):
            operations += 1
            said = function(lines, i)
            for name in names:
                halves = ("Acquire", "Release") if name == "AcqRel" else (name,)
                if name not in said and not all(half in said for half in halves):
                    bad.append(f"{where}: {name} without a word on its partner: {line.strip()}")

page = pathlib.Path("SAFETY.md").read_text()
models = {f"{path.stem}::{name}" for path in pathlib.Path("loom-tests/tests").glob("*.rs") for name in re.findall(r"fn (\w+)\(", path.read_text())}
planted = {what for path in pathlib.Path("loom-tests/src/bin/broken").glob("*.rs") for what in re.findall(r'(?:caught|missed)\(\s*"([^"]+)"', path.read_text())}
listed = set()
for section in page.split("\n## ")[1:]:
    title = section.split("\n", 1)[0]
    kinds = dict(re.findall(r"^- (files|models|planted|besides): (.*)$", section, re.M))
    for kind in ("files", "models", "planted"):
        if not kinds.get(kind):
            bad.append(f"SAFETY.md: {title}: no {kind}")
    for name in re.findall(r"`([^`]+)`", kinds.get("files", "")):
        listed.add(name)
        if not pathlib.Path("src", name).exists():
            bad.append(f"SAFETY.md: {title}: no file {name}")
    for name in re.findall(r"`([^`]+)`", kinds.get("models", "")):
        if name not in models:
            bad.append(f"SAFETY.md: {title}: no model {name}")
    for name in re.findall(r'"([^"]+)"', kinds.get("planted", "")):
        if name not in planted:
            bad.append(f"SAFETY.md: {title}: no planted bug {name}")
for name in re.findall(r"`it::(\w+)`", page):
    if not pathlib.Path("tests/it", f"{name}.rs").exists():
        bad.append(f"SAFETY.md: no tests it::{name}")
bad += [f"SAFETY.md: {name} has `unsafe` and belongs to no protocol" for name in sorted(holders - listed)]

print("\n".join(bad) if bad else f"safety: {unsafes} of {unsafes} unsafe blocks, impls and functions say why; {operations} of {operations} atomic operations name their orderings' partners; {page.count(chr(10) + '## ')} protocols, {len(planted)} planted bugs")
sys.exit(bool(bad))
PY
