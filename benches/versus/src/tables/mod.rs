//! What is compared by other figures than the time of a slice: each makes a table of its own.

mod growth;
mod latency;
mod walking;

use crate::harness::Plan;
use crate::keys::Rng;
use crate::stats::Spread;
use std::time::Duration;

/// Something to measure, and to print as Markdown.
pub struct Table {
    /// What the command line selects it by.
    pub id: &'static str,
    /// Measures, and makes the table.
    pub run: fn(Plan) -> String,
}

/// All of them.
pub fn all() -> Vec<Table> {
    vec![
        Table { id: "latency/get", run: latency::run },
        Table { id: "latency/writer", run: walking::run },
        Table { id: "growth", run: growth::run },
    ]
}

/// What an entrant found in each round.
type Rounds<T> = Vec<T>;

/// Gives every entrant a slice of the time in every round, in a new random order each.
fn in_turns<T>(plan: Plan, entrants: &[fn(Duration) -> T]) -> Vec<Rounds<T>> {
    let slice = plan.time.div_f64((plan.rounds * entrants.len()) as f64);
    let mut found: Vec<Rounds<T>> = entrants.iter().map(|_| Vec::new()).collect();
    let mut rng = Rng::new(0);
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    for _ in 0..plan.rounds {
        rng.shuffle(&mut order);
        for &entrant in &order {
            found[entrant].push(entrants[entrant](slice));
        }
    }
    found
}

/// The median of figures in nanoseconds, and their quartiles.
fn nanos(figures: Vec<f64>) -> String {
    let Spread { low, median, high } = Spread::of(figures);
    format!("{median:.0} ({low:.0}..{high:.0})")
}

/// The last cell of a line with a goal.
fn verdict(met: bool) -> String {
    if met { "met" } else { "missed" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entrant_has_its_share_of_the_time_in_every_round() {
        let plan = Plan { rounds: 3, time: Duration::from_secs(6) };
        let found = in_turns(plan, &[|slice| (0, slice), |slice| (1, slice)]);
        let second = Duration::from_secs(1);
        assert_eq!(found, [[(0, second); 3], [(1, second); 3]]);
    }
}
