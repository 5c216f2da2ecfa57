#!/usr/bin/env bash
# loom, over the real epoch: crossbeam compiled for loom's atomics instead of the shim that the other models run over; prints a
# line a model, and when its thing was freed. Arguments go to the tests: `ci/epoch.sh get_remove` runs one.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"

# A model that takes longer than this on a slow machine is cut short, and its line says so.
export LOOM_MAX_DURATION=${LOOM_MAX_DURATION:-60}
# In the place of the package's own flags; and a directory of its own, for all is compiled once more.
export RUSTFLAGS="--cfg weakly_loom --cfg crossbeam_loom"
cargo test --locked --release --test epoch --target-dir "${CARGO_TARGET_DIR:-target}/epoch" -- --nocapture --test-threads=1 "$@" 2>&1 |
    sed -E '/^ *(Compiling|Running) |^ok$|^running [0-9]+ tests?$|^$/d; s/^test [a-z_]+ \.\.\. //'
