#!/usr/bin/env bash
# loom, the long form: the models at three preemptions, those over the real epoch too, and all scripts of operations on one
# block. Hours on two cores. `ci/loom-long.sh models`, `epoch` and `scripts` run a part each; `ci/loom-long.sh scripts 8` uses
# eight processes (default: one a processor). What isn't whole after LOOM_MAX_DURATION seconds (default: half an hour a model)
# is cut short, and its line says so.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"
unset RUSTFLAGS # it would replace the package's own flags
part=${1:-all}
case $part in
all | models | epoch | scripts) ;;
*)
    echo "loom-long.sh [all|models|epoch|scripts] [PROCESSES]" >&2
    exit 2
    ;;
esac
shards=${2:-$(nproc)}
export LOOM_MAX_DURATION=${LOOM_MAX_DURATION:-1800}

scripts() { # a set and its options: every shard in a process of its own
    local pids=() shard
    for ((shard = 0; shard < shards; shard++)); do
        "${CARGO_TARGET_DIR:-target}/release/combined" "$@" --limit "$LOOM_MAX_DURATION" --shard "$shard/$shards" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
}

if [[ $part == all || $part == models ]]; then
    LOOM_MAX_PREEMPTIONS=3 ../ci/loom.sh
fi
if [[ $part == all || $part == epoch ]]; then
    LOOM_MAX_PREEMPTIONS=3 ../ci/epoch.sh
fi
if [[ $part == all || $part == scripts ]]; then
    export LOOM_MAX_BRANCHES=10000
    cargo build --locked --release
    scripts pairs --bound 4
    scripts cyclic --bound 3
    scripts triples --bound 2
fi
