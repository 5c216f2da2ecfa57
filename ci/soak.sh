#!/usr/bin/env bash
# A soak: every collection churned by many threads; prints memory and what is alive, and fails if memory grows once it has
# settled. `ci/soak.sh 60` takes an hour; without a number it is 20 seconds, for CI.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-}
WEAKLY_SOAK_SECONDS=${minutes:+$((minutes * 60))}
export WEAKLY_SOAK_SECONDS=${WEAKLY_SOAK_SECONDS:-20}
cargo test --locked --release --quiet --test soak
