#!/usr/bin/env bash
# loom, the long form: the models at more preemptions, all scripts of operations on one block. Hours on two cores; `ci/loom-long.sh 8` uses eight processes (default: one a processor).
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"
unset RUSTFLAGS # it would replace the package's own flags
shards=${1:-$(nproc)}
export LOOM_MAX_BRANCHES=10000

LOOM_MAX_PREEMPTIONS=3 cargo test --locked --release --quiet
LOOM_MAX_PREEMPTIONS=3 LOOM_MAX_DURATION=3600 ../ci/epoch.sh

cargo build --locked --release
scripts() { # a set and its options: every shard in a process of its own
    local pids=() shard
    for ((shard = 0; shard < shards; shard++)); do
        "${CARGO_TARGET_DIR:-target}/release/combined" "$@" --limit 3600 --shard "$shard/$shards" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
}
scripts pairs --bound 4
scripts cyclic --bound 3
scripts triples --bound 2
