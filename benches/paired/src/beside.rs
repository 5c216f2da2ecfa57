//! Work that goes on beside other work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Runs `work` while a thread repeats `background`, which has begun before `work` begins.
pub fn beside<R>(mut background: impl FnMut() + Send, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Relaxed: the flags order nothing, and the scope joins the thread.
            while !done.load(Ordering::Relaxed) {
                background();
                begun.store(true, Ordering::Relaxed);
            }
        });
        // Also when `work` panics: the scope would wait for ever.
        let _raise = RaiseOnDrop(&done);
        while !begun.load(Ordering::Relaxed) && !thread.is_finished() {
            thread::yield_now();
        }
        work()
    })
}

/// Raises the flag when it goes.
struct RaiseOnDrop<'a>(&'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::atomic::AtomicU64;

    #[test]
    fn the_background_runs_while_the_work_does() {
        let turns = AtomicU64::new(0);
        let turn = || {
            turns.fetch_add(1, Ordering::Relaxed);
        };
        beside(turn, || {
            let before = turns.load(Ordering::Relaxed);
            assert!(before > 0);
            while turns.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        });
    }

    #[test]
    fn a_panic_of_the_work_stops_the_background() {
        let panicking = AssertUnwindSafe(|| beside(|| (), || panic!("on purpose")));
        assert!(panic::catch_unwind(panicking).is_err());
    }
}
