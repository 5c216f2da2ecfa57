#!/usr/bin/env bash
# Miri: undefined behaviour. The short form, for CI, runs the tests of pointers, slots, finalizers and recorded histories, some
# five minutes; `ci/miri.sh --long` runs all but those of allocations, an hour or two.
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
    for test in it museum busy_shard thread_exit process_exit; do
        cargo +nightly miri test --locked --test "$test"
    done
else
    cargo +nightly miri test --locked --test it -- ptr:: slots:: finalizer:: history::
fi
