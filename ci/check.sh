#!/usr/bin/env bash
# Format, lints and docs, of the crate and of the packages beside it; and the tests of the optional features.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --locked --all-targets -- -D warnings
cargo clippy --locked --all-targets --all-features -- -D warnings
for feature in serde rayon; do
    cargo clippy --locked --lib --test features --features "$feature" -- -D warnings
done
cargo test --locked --all-features --test features
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features --document-private-items

for package in benches/paired benches/versus loom-tests shuttle-tests tests/abort fuzz; do
    (
        cd "$package"
        # An exported RUSTFLAGS would replace the package's own.
        env -u RUSTFLAGS cargo fmt --all --check
        env -u RUSTFLAGS cargo clippy --locked --all-targets -- -D warnings
    )
done
