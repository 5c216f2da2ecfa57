//! A scheduler that stays with a thread for a while: as a system's does, and as most races want it, where one thread is
//! stopped at a bad place and another does whole operations there. How long differs from execution to execution.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// Switches at one in so many steps, on average: drawn for each execution, from a few to many.
const STAYS: [u64; 6] = [4, 10, 25, 60, 150, 400];

/// Random, but seldom switching.
pub struct Sticky {
    left: usize,
    random: u64,
    stay: u64,
}

impl Sticky {
    /// So many executions, all drawn from `seed`.
    pub fn new(seed: u64, executions: usize) -> Self {
        Sticky { left: executions, random: seed, stay: STAYS[0] }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }
}

impl Scheduler for Sticky {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.left = self.left.checked_sub(1)?;
        self.stay = STAYS[self.below(STAYS.len() as u64) as usize];
        Some(Schedule::new(self.random))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let stays = !is_yielding && self.below(self.stay) != 0;
        let same = current.filter(|current| stays && runnable.iter().any(|task| task.id() == *current));
        same.or_else(|| {
            let at = self.below(runnable.len() as u64) as usize;
            Some(runnable[at].id())
        })
    }

    /// splitmix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
    fn next_u64(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
