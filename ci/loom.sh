#!/usr/bin/env bash
# loom: the models of the crate's races, over the crate's own code, at the bounds of loom-tests/.cargo/config.toml; prints a
# line a model. Arguments go to cargo: `ci/loom.sh --no-run` compiles only, `ci/loom.sh --test state` runs one file.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"

# A model that takes longer than this on a slow machine is cut short, and its line says so.
export LOOM_MAX_DURATION=${LOOM_MAX_DURATION:-60}
# An exported RUSTFLAGS would replace the package's own flags. What the harness says of tests that passed is left out.
env -u RUSTFLAGS cargo test --locked --release "$@" 2>&1 | sed -E '/^ *(Compiling|Running unittests) |^test .* ok$|^running [0-9]+ tests?$|^$/d'
