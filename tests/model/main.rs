//! Model-based tests: scripts that proptest draws and shrinks, run on every collection and on a plain reference side by side; and
//! user code that does anything to any collection ([`reentry`]).
//!
//! A failure shows the shortest script found. Its bytes go into `regressions.txt`, to be run first from then on; so do those of
//! what a fuzzer has found (`ci/fuzz.sh`), but for their first, which names the collection. `PROPTEST_CASES` sets how many
//! scripts are drawn for each collection, `WEAKLY_SEED` where the drawing begins, `WEAKLY_LONG` how much longer user code goes on.

#[path = "../it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
mod machine;
mod reentry;

use machine::{LISTS, MAPS, SETS, SLOTS, Subjects};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::Cell;

/// Scripts that once failed: the collection, and the script's bytes in hexadecimal.
const REGRESSIONS: &str = include_str!("regressions.txt");

/// Commands of a script, at most.
const COMMANDS: usize = 100;

/// How many scripts are drawn for each collection, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 150;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    hex.as_bytes().chunks(2).map(|pair| digits(pair).expect("two digits")).collect()
}

/// Scripts that failed before, and as many new ones as are wanted, give the same answers on the collection and the reference.
fn follows_its_reference(family: Subjects, name: &str) {
    let _dog = common::watchdog();
    let &(_, run) = family.iter().find(|(n, _)| *n == name).expect("there is a collection of this name");
    for line in REGRESSIONS.lines().filter(|line| !line.starts_with('#')) {
        if let Some((_, script)) = line.split_once(' ').filter(|(collection, _)| *collection == name) {
            run(&from_hex(script)).unwrap_or_else(|failure| panic!("{name} {script}: {failure}"));
        }
    }
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |n| n.parse().expect("PROPTEST_CASES: a number"));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    let seed = [common::seed().to_le_bytes(); 4].concat();
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let scripts = (any::<[u8; 3]>(), vec(any::<[u8; 4]>(), 0..COMMANDS))
        .prop_map(|(setup, commands)| [setup.as_slice(), commands.as_flattened()].concat());
    let steps = Cell::new(0);
    let outcome = runner.run(&scripts, |script| {
        steps.set(steps.get() + run(&script).map_err(TestCaseError::fail)?);
        Ok(())
    });
    if let Err(TestError::Fail(failure, script)) = outcome {
        panic!("{name} {}\n{failure}", hex(&script));
    }
    println!("{name}: {cases} scripts, {} commands", steps.get());
}

macro_rules! models {
    ($($FAMILY:ident: $($name:ident),*;)*) => { $($(
        #[test]
        fn $name() {
            follows_its_reference($FAMILY, stringify!($name));
        }
    )*)* };
}

models! {
    MAPS: weak_value_map_native, weak_key_map_native, ptr_weak_key_map_native, weak_weak_map_native, ptr_weak_weak_map_native,
        weak_value_map_guest, weak_key_map_guest, ptr_weak_key_map_guest, weak_weak_map_guest, ptr_weak_weak_map_guest;
    SETS: weak_set_native, ptr_weak_set_native, interner_native, weak_set_guest, ptr_weak_set_guest, interner_guest;
    LISTS: weak_list_native, weak_list_guest;
    SLOTS: slots;
}
