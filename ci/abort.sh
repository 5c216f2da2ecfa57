#!/usr/bin/env bash
# How a process ends that is built with `panic = "abort"`: tests/abort is a program that starts itself, once a case.
set -euo pipefail
cd "$(dirname "$0")/../tests/abort"

env -u RUSTFLAGS cargo run --locked --quiet
