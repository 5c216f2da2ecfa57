#!/usr/bin/env bash
# ThreadSanitizer, AddressSanitizer and LeakSanitizer over the tests. The short form is the tests that are made of races; `--long`
# is every test, an hour or so; with WEAKLY_LONG=10 those that luck decides take ten times as long, some hours. CI runs two modules
# under ThreadSanitizer.
#
#   ci/sanitize.sh [thread|address|leak|all] [--long] [-- the test binary's arguments]
set -euo pipefail
cd "$(dirname "$0")/../bare-tests"

chosen=(thread address leak)
short=(stress:: iterate:: promises:: slots:: flight:: ptr:: list:: finalizer::) # `stress::` is `key_stress::` too
arguments=()
long=
while [ $# -gt 0 ]; do
    case $1 in
        thread | address | leak) chosen=("$1") ;;
        all) ;;
        --long) long=1 ;;
        --) arguments=("${@:2}") && break ;;
        *) echo "sanitize: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done

host=$(rustc +nightly -vV 2>/dev/null | sed -n 's/^host: //p') || true
case $host in
    x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
    "") echo "skipped: no nightly" && exit 0 ;;
    *) echo "skipped: not on $host" && exit 0 ;;
esac
source=$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library
[ -d "$source" ] || rustup component add rust-src --toolchain nightly >/dev/null 2>&1 || true
[ -d "$source" ] || { echo "skipped: no rust-src" && exit 0; }

# Line numbers for reports; and no backtraces, or thousands of planned panics would look theirs up.
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only RUST_BACKTRACE=0
export LSAN_OPTIONS=suppressions=$PWD/../ci/leaks.supp ASAN_OPTIONS=detect_leaks=0 # which is the other one's
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/sanitize

tests() {
    # shellcheck disable=SC2086 # one flag or none
    cargo +nightly test --locked --target "$host" $std "$@"
}

# A sanitizer that never reports anything is none.
planted() { # test, report
    local report
    if report=$(tests --test it -- --ignored --exact "planted::$1" 2>&1) || ! grep -q "$2" <<<"$report"; then
        printf '%s\nsanitize: no report of a %s\n' "$report" "$2" >&2
        exit 1
    fi
    echo "sanitize: a planted $2 is reported"
}

for sanitizer in "${chosen[@]}"; do
    start=$SECONDS
    # ThreadSanitizer must see all that synchronizes, in std too; the others are told of every allocation anyway.
    case $sanitizer in
        thread) cfg=weakly_tsan std=-Zbuild-std plant=(data_race "data race") all=(--tests) ;;
        address) cfg=weakly_asan std= plant=(use_after_free heap-use-after-free) all=(--tests) ;;
        # Not those whose processes end in the midst of things.
        leak) cfg=weakly_asan std= plant=(leak "memory leak") all=(--test alloc_ledger --test cpython --test it --test museum) ;;
    esac
    # With frame pointers, for LeakSanitizer walks the stack by them, and knows by it what was forgotten on purpose.
    export RUSTFLAGS="-Zsanitizer=$sanitizer --cfg $cfg -Cforce-frame-pointers=yes"
    tests --test it --no-run
    planted "${plant[@]}"
    if [ "$long" ]; then
        tests "${all[@]}" --no-fail-fast -- "${arguments[@]}"
    else
        tests --test it -- "${arguments[@]:-${short[@]}}"
    fi
    echo "sanitize: $sanitizer took $((SECONDS - start)) s"
done
