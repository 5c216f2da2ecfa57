//! The bug museum: bugs that other systems had, each set up here as it was there, and what holds instead. README.md beside
//! this lists them: the bug, the test, the property.

#[path = "../it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
mod help;

mod accounts;
mod events;
mod exit;
mod guards;
mod interners;
mod iteration;
mod loads;
mod owners;
mod successors;
mod tables;
