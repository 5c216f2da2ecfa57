#!/usr/bin/env bash
# Fuzzing: cargo-fuzz (libFuzzer, AddressSanitizer) drives the machines of tests/model, from the seeds in fuzz/seeds. The short
# form, for CI, gives each of the four targets 10,000 scripts, always the same; `ci/fuzz.sh --long` divides an hour among them.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "skipped: no nightly"
    exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1 && ! cargo install cargo-fuzz --locked --quiet; then
    echo "skipped: no cargo-fuzz"
    exit 0
fi

targets=(maps sets lists slots)
limit=(-runs=10000 -seed=1)
if [ "${1:-}" = --long ]; then
    limit=(-max_total_time=$((3600 / ${#targets[@]})))
fi
unset RUSTFLAGS # it would replace those of cargo-fuzz
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
cargo +nightly fuzz build --fuzz-dir .
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    # New inputs go to the first directory. A script that hangs for a minute is a failure.
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        "${limit[@]}" -max_len=600 -timeout=60 -print_final_stats=1 2>"corpus/$target.log" ||
        { tail -n 200 "corpus/$target.log" >&2; exit 1; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "corpus/$target.log")
    speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "corpus/$target.log")
    echo "fuzz: $target: $runs scripts, $speed a second, none failed"
done
