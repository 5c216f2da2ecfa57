//! The crate's own code under schedules that are drawn, not explored: for runs that are too long for loom. Every thread switch is
//! shuttle's, by a scheduler that stays with a thread for a while, by its random one, and by PCT (Burckhardt et al., *A randomized
//! scheduler with probabilistic guarantees of finding bugs*, ASPLOS 2010). All orderings count as sequentially consistent here: those are loom's affair.

mod quarantine;
mod sticky;

use quarantine::Quarantine;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use std::hash::{BuildHasher, RandomState};
use sticky::Sticky;

#[global_allocator]
static ALLOCATOR: Quarantine = Quarantine::new();

/// A number from the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

/// Runs `test` under `SHUTTLE_SCHEDULES` schedules (default: 2,000) of each kind, twice as many of the sticky one. The seed is printed; `SHUTTLE_SEED` sets it.
/// What fails prints its schedule, which `SHUTTLE_REPLAY` runs again.
pub fn run(test: impl Fn() + Copy + Send + Sync + 'static) {
    if let Ok(schedule) = std::env::var("SHUTTLE_REPLAY") {
        return shuttle::replay(test, &schedule);
    }
    let seed = given("SHUTTLE_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let schedules = given("SHUTTLE_SCHEDULES").unwrap_or(2_000) as usize;
    println!("SHUTTLE_SEED={seed} SHUTTLE_SCHEDULES={schedules}");
    schedule(Sticky::new(seed, schedules * 2), test);
    schedule(RandomScheduler::new_from_seed(seed, schedules), test);
    for depth in 2..=4 {
        schedule(PctScheduler::new_from_seed(seed, depth, schedules / 3), test);
    }
}

fn schedule(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true; // of weak orderings
    Runner::new(scheduler, config).run(test);
}
