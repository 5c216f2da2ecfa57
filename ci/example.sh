#!/usr/bin/env bash
# The cache server: a short run must pass its own checks, and nonsense must be refused with a reason.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --example cache_server
server=target/release/examples/cache_server
out=$(mktemp)
trap 'rm -f "$out"' EXIT

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
