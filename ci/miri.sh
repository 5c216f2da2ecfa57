#!/usr/bin/env bash
# Miri: undefined behaviour, in the tests that don't start processes. `ci/miri.sh --long` adds the slow ones and many seeds.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1 || true
fi
if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "skipped: no miri"
    exit 0
fi

# crossbeam-epoch casts integers to pointers, so provenance is permissive and the aliasing model is Tree Borrows.
epoch="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation"
MIRIFLAGS="$epoch" cargo +nightly miri test --locked --test it "$@"
