//! What an insertion costs as a map grows: from nothing to ten thousand entries, and on in steps of ten to ten millions.

use super::verdict;
use crate::harness::Plan;
use crate::keys::{Rng, key};
use crate::stats::Spread;
use crate::subjects::{DashMap, Payload, WeakMap, WeakValueMap, payload};
use crate::table::table;
use std::sync::Arc;
use std::time::{Duration, Instant};

const STEPS: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// Values made before the clock runs for their insertion.
const BATCH: u64 = 1_000;

/// How much more steeply our time may rise than DashMap's.
const BAR: f64 = 1.3;

/// Nanoseconds of an insertion in each step.
type Curve = [f64; STEPS.len()];

pub fn run(plan: Plan) -> String {
    // A round of it fills gigabytes, and has no part that could be shorter: a few say enough.
    let rounds = plan.rounds.div_ceil(7);
    let mut curves: [Vec<Curve>; 2] = [Vec::new(), Vec::new()];
    let mut order = [0, 1];
    let mut rng = Rng::new(0);
    for _ in 0..rounds {
        rng.shuffle(&mut order);
        for map in order {
            let entrants = [ours, dashmap];
            curves[map].push(entrants[map]());
        }
    }
    format!(
        "## Growth\n\nNanoseconds of an insertion on the way from one size to the next: median (quartiles) of {rounds} rounds. \
         The curve is that over the first step's.\n\n{}",
        lines(&curves)
    )
}

fn ours() -> Curve {
    grow::<WeakValueMap<Payload>>(weakly::Arc::new)
}

fn dashmap() -> Curve {
    grow::<DashMap<Payload>>(Arc::new)
}

/// Grows one map through all steps.
fn grow<M: WeakMap<Payload>>(strong: impl Fn(Payload) -> M::Strong) -> Curve {
    let map = M::empty();
    let mut values = Vec::with_capacity(*STEPS.last().expect("steps") as usize);
    STEPS.map(|size| {
        let first = values.len() as u64;
        let mut took = Duration::ZERO;
        for start in (first..size).step_by(BATCH as usize) {
            let batch = start..start + BATCH;
            values.extend(batch.clone().map(|rank| strong(payload(rank))));
            let started = Instant::now();
            for rank in batch {
                map.insert(key(rank), &values[rank as usize]);
            }
            took += started.elapsed();
        }
        took.as_nanos() as f64 / (size - first) as f64
    })
}

fn lines(curves: &[Vec<Curve>; 2]) -> String {
    let head = ["entries", "ours", "DashMap", "ours / DashMap's, of the curves", "goal: 1.30"];
    let lines = STEPS.iter().enumerate().map(|(step, size)| {
        let [ours, dashmap] = curves.each_ref().map(|rounds| {
            let each = Spread::of(rounds.iter().map(|curve| curve[step]).collect());
            let rise = Spread::of(rounds.iter().map(|curve| curve[step] / curve[0]).collect());
            (each, rise.median)
        });
        let ratio = ours.1 / dashmap.1;
        vec![size.to_string(), ours.0.to_string(), dashmap.0.to_string(), format!("{ratio:.2}"), verdict(ratio <= BAR)]
    });
    table(head.map(str::to_owned).to_vec(), lines)
}
