#!/usr/bin/env bash
# The tests where a compiler is free to surprise: structs laid out at random, and std with its own checks on (cargo-careful, if it
# can be had). Some minutes; `--long` runs every test, under eight layouts.
set -euo pipefail
cd "$(dirname "$0")/../bare-tests"

if ! rustc +nightly -V >/dev/null 2>&1; then
    echo "skipped: no nightly"
    exit 0
fi
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only RUST_BACKTRACE=0
target=${CARGO_TARGET_DIR:-target}
tools=$PWD/$target/tools
[ "${target#/}" = "$target" ] || tools=$target/tools
export PATH=$tools/bin:$PATH CARGO_TARGET_DIR=$target/careful

test=(cargo +nightly careful test)
if ! command -v cargo-careful >/dev/null && ! cargo install cargo-careful --locked --root "$tools"; then
    echo "skipped: std's own checks, for there is no cargo-careful"
    test=(cargo +nightly test)
fi

layouts=(1)
tests=(--test it --test museum)
if [ "${1:-}" = --long ]; then
    layouts=({1..8})
    tests=(--tests)
fi
for layout in "${layouts[@]}"; do
    RUSTFLAGS="-Zrandomize-layout -Zlayout-seed=$layout" "${test[@]}" --locked "${tests[@]}"
    echo "careful: layout $layout"
done
