//! The histories of `tests/it`, on threads that shuttle schedules: a history an execution.

#[path = "../../tests/it/history.rs"]
mod history;
#[path = "../../tests/it/other_histories.rs"]
mod other_histories;

#[path = "../../tests/it/common.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod real;

/// What the histories want of the tests' common parts.
mod common {
    pub use crate::real::{Constant, FourBit, Good, Rng};

    /// Not needed: shuttle ends what hangs.
    pub struct Watchdog;
    pub fn watchdog() -> Watchdog {
        Watchdog
    }

    /// One round an execution.
    pub fn long() -> usize {
        1
    }

    /// As under Miri.
    pub const fn sized(_: usize, small: usize) -> usize {
        small
    }

    /// Drawn by shuttle, so that a schedule brings it back.
    pub fn seed() -> u64 {
        use shuttle::rand::Rng;
        shuttle::rand::thread_rng().r#gen()
    }
}

/// shuttle's threads.
mod world {
    pub use shuttle::sync::Barrier;
    pub use shuttle::thread;
    pub use shuttle_tests::run;
}
