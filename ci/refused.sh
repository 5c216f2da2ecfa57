#!/usr/bin/env bash
# What the compiler must refuse is refused for the reason that the docs give: stable rustdoc sees only that an example doesn't
# compile, a nightly one checks the error's code too.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "skipped: no nightly"
    exit 0
fi
# A directory of its own: the two compilers would throw each other's work away.
cargo +nightly test --locked --doc --target-dir "${CARGO_TARGET_DIR:-target}/nightly" -- refused limitations unsize | tee -a /dev/stderr | grep "compile fail ... ok" >/dev/null
