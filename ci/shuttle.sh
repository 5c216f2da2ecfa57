#!/usr/bin/env bash
# shuttle: recorded histories under drawn schedules. The short form, for CI, draws 1,000 of each kind; `ci/shuttle.sh --long` a hundred
# thousand, some hours. See shuttle-tests/README.md.
set -euo pipefail
cd "$(dirname "$0")/../shuttle-tests"

export SHUTTLE_SCHEDULES=${SHUTTLE_SCHEDULES:-1000}
if [ "${1:-}" = --long ]; then
    SHUTTLE_SCHEDULES=100000
fi
# An exported RUSTFLAGS would replace the package's own flags.
env -u RUSTFLAGS cargo test --locked --release
