//! The machine of tests/model, driven by a fuzzer: maps.

#![no_main]

#[path = "../../tests/model/machine/mod.rs"]
mod machine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| machine::run_one_of(machine::MAPS, bytes));
