#!/usr/bin/env bash
# Miri: undefined behaviour. The short form, for CI, runs the tests of pointers, slots, finalizers and recorded histories, some
# three minutes; `ci/miri.sh --long` runs all but those of allocations, two or three hours; `ci/miri.sh --seeds N` small races, each under
# N schedules, or under those of seeds M..N.
set -euo pipefail
cd "$(dirname "$0")/../bare-tests"

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
if [ "${1:-}" = --seeds ]; then
    # Threads change places ten times as often as by default; what they read is drawn from what the memory model allows.
    case $2 in *..*) seeds=$2 ;; *) seeds=0..$2 ;; esac
    MIRIFLAGS+=" -Zmiri-many-seeds=$seeds -Zmiri-preemption-rate=0.1"
    cargo +nightly miri test --locked --test it -- "${@:3}" --exact \
        finalizer::exactly_once_over_call_detach_and_death \
        flight::loads_and_removals_of_one_key_keep_the_books \
        guest::first_registrations_that_meet_share_one_list \
        key_stress::key_maps_of_one_hash \
        list::lists_and_objects_go_at_the_same_time \
        list::several_threads_keep_exact_accounts \
        promises::p08_a_key_that_is_always_there_is_never_missed \
        ptr::callbacks::a_callback_runs_exactly_if_its_cancelling_says_it_did \
        ptr::callbacks::registering_and_cancelling_race_without_loss \
        slots::at_once::all_operations_of_a_weak_slot \
        slots::at_once::all_operations_of_an_owning_slot \
        slots::at_once::initializers_share_one_object_as_long_as_it_lives \
        stress::everything_at_once_at_one_hash_on_one_shard
elif [ "${1:-}" = --long ]; then
    for test in it museum busy_shard thread_exit process_exit; do
        cargo +nightly miri test --locked --test "$test"
    done
else
    # Two halves side by side, for Miri runs all threads of a program on one core.
    cargo +nightly miri test --locked --test it --no-run
    out=$(mktemp)
    cargo +nightly miri test --locked --test it -- ptr:: finalizer:: >"$out" 2>&1 &
    half=$!
    trap 'kill $half 2>/dev/null || true; rm -f "$out"' EXIT
    cargo +nightly miri test --locked --test it -- slots:: history::
    wait $half || { cat "$out" >&2; exit 1; }
    cat "$out"
fi
