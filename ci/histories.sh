#!/usr/bin/env bash
# Recorded histories of several threads, each of which must have an order: `cargo test` looks at some 25,000; this at twenty
# times as many, or as its argument says. WEAKLY_SEED repeats a run's choices, though not its schedule: for that see ci/shuttle.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp)
trap 'rm -f "$out"' EXIT
WEAKLY_LONG=${1:-20} cargo test --locked --release --test it histor -- --nocapture 2>&1 | tee "$out"
awk '/histories have an order/ { sum += $1 } END { print sum " histories, each of which has an order"; exit sum == 0 }' "$out"
