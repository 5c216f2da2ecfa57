#!/usr/bin/env bash
# Miri: undefined behaviour. The short form, for CI, runs the pointers' tests that need no epoch; `ci/miri.sh --long` runs all
# that start no process (the better part of an hour).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1 || true
fi
if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "skipped: no miri"
    exit 0
fi

# crossbeam-epoch casts integers to pointers, so provenance is permissive and the aliasing model is Tree Borrows; its global
# collector is never freed, which Miri would call a leak.
export MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation -Zmiri-ignore-leaks"
if [ "${1:-}" = --long ]; then
    cargo +nightly miri test --locked --test it
    cargo +nightly miri test --locked --test process_exit
else
    cargo +nightly miri test --locked --test it -- ptr::raw ptr::mutate ptr::convert ptr::traits ptr::unsize
fi
