//! The threads that histories run on: the system's. `shuttle-tests` runs the same histories on threads that it schedules.

pub use std::sync::Barrier;
pub use std::thread;

/// Runs `test`, once.
pub fn run(test: impl Fn()) {
    test();
}
