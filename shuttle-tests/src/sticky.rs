//! A scheduler that stays with a thread for a while: as a system's does, and as most races want it, where one thread is
//! stopped at a bad place and another does whole operations there. How long differs from execution to execution.

#[path = "../../tests/it/rng.rs"]
mod rng;

use rng::Rng;
use shuttle::scheduler::{RandomScheduler, Schedule, Scheduler, Task, TaskId};

/// Switches at one in so many steps, on average: drawn for each execution, from a few to many.
const STAYS: [usize; 6] = [4, 10, 25, 60, 150, 400];

/// Random, but seldom switching.
pub struct Sticky {
    /// Counts the executions, and draws what the test asks for: a replay draws the same.
    random: RandomScheduler,
    rng: Rng,
    stay: usize,
}

impl Sticky {
    /// So many executions, all drawn from `seed`.
    pub fn new(seed: u64, executions: usize) -> Self {
        Sticky { random: RandomScheduler::new_from_seed(seed, executions), rng: Rng::new(seed, 0), stay: STAYS[0] }
    }
}

impl Scheduler for Sticky {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.stay = STAYS[self.rng.below(STAYS.len())];
        self.random.new_execution()
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let stays = !is_yielding && self.rng.below(self.stay) != 0;
        let same = current.filter(|current| stays && runnable.iter().any(|task| task.id() == *current));
        same.or_else(|| Some(runnable[self.rng.below(runnable.len())].id()))
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }
}
