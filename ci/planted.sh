#!/usr/bin/env bash
# Bugs planted in a copy, one at a time: each must be noticed, by a model or by an ordinary test. The short form, for CI, plants
# a few; `ci/planted.sh --long` all of them, an hour or two, and prints the tables of loom-tests/README.md.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"
unset RUSTFLAGS # it would replace the package's own flags

some=(
    "an upgrade from 0 hands nothing back"
    "a poster has no fence"
    "a key is not hidden while its node is published"
    "a death doesn't ask whose the node is"
    "a death's notice comes twice"
    "\`remove_exact\` removes whoever has the key"
)
if [ "${1:-}" = --long ]; then
    some=()
fi
cargo run --locked --release --quiet --bin broken -- "${some[@]}"
