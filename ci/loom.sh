#!/usr/bin/env bash
# loom: the models of the crate's races, over the crate's own code, at the bounds of loom-tests/.cargo/config.toml; prints a
# line a model. Arguments go to cargo: `ci/loom.sh --no-run` compiles only, `ci/loom.sh --test state` runs one file.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"

# An exported RUSTFLAGS would replace the package's own flags. What the harness says of tests that passed is left out.
env -u RUSTFLAGS cargo test --locked --release --quiet "$@" 2>&1 | sed -E '/^(test .* \.\.\. ok|running [0-9]+ tests?|\.*)$/d'
