#!/usr/bin/env bash
# The layers of DESIGN.md (what each part of src/ may name of the others), and that the tests exist which the guarantees and
# tests/README.md name.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 - <<'PY'
import pathlib
import re
import sys

# part: the parts that it may name. In the order in which an event travels, pointers first.
LAYERS = {
    "sync": {"flight"},  # the type of the table of waits
    "block": {"sync", "death"},  # `death` for the type of what its word heads
    "reclaim": {"sync", "block", "death", "ptr"},
    "death": {"sync", "block", "reclaim"},
    "ptr": {"sync", "block", "death", "reclaim"},
    "atomic": {"sync", "block", "ptr", "reclaim"},
    "pointer": {"block", "death", "ptr", "reclaim"},
    "queue": {"sync", "death", "reclaim"},
    "table": {"sync", "block", "death", "reclaim", "queue"},
    "list": {"sync", "death", "reclaim", "queue", "table", "pointer"},
    "flight": {"sync"},
    "generic": {"sync", "block", "death", "reclaim", "queue", "table", "list", "flight", "pointer", "ptr"},
    "proxy": {"ptr"},
    "finalizer": {"sync", "death", "reclaim", "ptr"},
    "std_arc": {"sync", "block", "death", "reclaim", "ptr", "pointer", "finalizer", "generic"},
    "serde": {"ptr", "pointer", "atomic", "generic"},
    "rayon": {"pointer", "generic"},
}
OUTSIDE = re.compile(r"std::sync::atomic|parking_lot|loom::|crossbeam_queue::Seg|dashmap")

bad = []
seen = set()
for path in sorted(pathlib.Path("src").rglob("*.rs")):
    part = path.relative_to("src").parts[0].removesuffix(".rs")
    if part in ("lib", "docs"):
        continue
    if part not in LAYERS:
        bad.append(f"{path}: no layer is named for `{part}`")
        continue
    seen.add(part)
    lines = path.read_text().splitlines()
    for i, line in enumerate(lines):
        where = f"{path}:{i + 1}"
        code = line.split("//")[0].replace("$crate", "")
        for name in re.findall(r"\bcrate::([a-z_]+)", code):
            if name != part and name not in LAYERS[part]:
                bad.append(f"{where}: {part} may not name crate::{name}")
        if part != "sync" and path.name != "shim.rs":
            if OUTSIDE.search(code) and "weakly_loom" not in "".join(lines[max(0, i - 2) : i]):
                bad.append(f"{where}: only src/sync names the outside world: {line.strip()}")

for part in LAYERS.keys() - seen:
    bad.append(f"src/{part}: a layer for what is not there")
# A promise whose test is gone is none: the names in the tables of the guarantees.
promises = pathlib.Path("src/docs/guarantees.md")
for line in promises.read_text().splitlines():
    for name in re.findall(r"`((?:\w+::)+\w+)`", line) if line.startswith("|") else []:
        *module, test = name.split("::")
        root = ["loom-tests", "tests"] if module[0] == "loom" else ["tests", module[0]]
        path = pathlib.Path(*root, *module[1:]).with_suffix(".rs")
        if not path.exists() or f"fn {test}(" not in path.read_text():
            bad.append(f"{promises}: no test {name}")
readme = pathlib.Path("tests/README.md")
for name in re.findall(r"`([^` ]+)`", "\n".join(line for line in readme.read_text().splitlines() if line.startswith("|"))):
    path = pathlib.Path("tests", *name.split("::"))
    places = [path.with_suffix(".rs"), path, pathlib.Path("tests", name), pathlib.Path(name.removesuffix("."))]
    if name != "assert_accounts" and not name.startswith("-") and "-" not in name and not any(place.exists() for place in places):
        bad.append(f"{readme}: no {name}")
print("\n".join(bad) if bad else "layers: ok")
sys.exit(bool(bad))
PY
