#!/usr/bin/env bash
# CPython's tests: tests/cpython/README.md has a row for each of the 183, all 150 that are portable are ported under their
# names, and every test of the binary is a row there, CPython's or one that it lacks. And the names' page has no empty cell.
set -euo pipefail
cd "$(dirname "$0")/.."

page=tests/cpython/README.md
ported=150 all=183
failed=0
fail() {
    echo "cpython: $*" >&2
    failed=1
}

list() { cargo test --quiet --locked --test cpython -- --list --format terse "$@" | sed -n 's/: test$//p' | sort; }
rows=$(grep -E '^\| [A-Za-z]+ \| (test_[a-z0-9_]+|libreftest) \| ' "$page")
here=$(grep -E '\| `[a-z_]+::[a-z0-9_]+` \|$' <<<"$rows" || true)

[ "$(wc -l <<<"$rows")" = $all ] || fail "$(wc -l <<<"$rows") rows, not $all"
[ "$(wc -l <<<"$here")" = $ported ] || fail "$(wc -l <<<"$here") ported, not $ported"
[ "$(cut -d'|' -f2,3 <<<"$rows" | sort -u | wc -l)" = $all ] || fail "a row is there twice"
grep -vE '^\| \w+ \| (\w+) \| (`\w+::\1`|not: .+) \|$' <<<"$rows" && fail "neither under its name nor with a reason"
grep -nE "\| *\|" src/docs/names.md >&2 && fail "an empty cell among the names"
[ -z "$(list --ignored)" ] || fail "some are ignored: $(list --ignored)"
diff <(grep -oE '`[a-z_]+::[a-z0-9_]+` \|$' "$page" | tr -d '`| ' | sort) <(list) >&2 || fail "the page (<) and the binary (>) differ"

[ $failed = 0 ] && echo "cpython: $ported of $ported portable tests are ported, $((all - ported)) are not portable"
exit $failed
