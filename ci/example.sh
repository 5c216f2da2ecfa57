#!/usr/bin/env bash
# The examples, each of which checks itself. Of the cache server a short run; and nonsense must be refused with a reason.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --examples
built=${CARGO_TARGET_DIR:-target}/release/examples
out=$(mktemp)
trap 'rm -f "$out"' EXIT

for source in examples/*.rs; do
    name=$(basename "$source" .rs)
    "$built/$name" >"$out"
    sed "s/^/$name: /" "$out"
done
server=$built/cache_server

"$server" --requests 3000 --seed 1 >"$out"
cat "$out"

for bad in "--requests none" "--no-such-option" "--serve nowhere"; do
    # shellcheck disable=SC2086 # split on purpose
    if "$server" $bad >"$out" 2>&1; then
        echo "accepted: $bad" >&2
        exit 1
    fi
    if [ ! -s "$out" ]; then
        echo "refused without a reason: $bad" >&2
        exit 1
    fi
done
echo "cache_server: ok"
