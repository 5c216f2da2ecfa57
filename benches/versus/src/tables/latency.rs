//! How long a `get` takes at worst, while another thread makes the map grow and empties it again.

use super::{Rounds, in_turns, nanos, verdict};
use crate::beside::beside;
use crate::harness::Plan;
use crate::histogram::Histogram;
use crate::keys::{Choice, Stream, key};
use crate::stats::Spread;
use crate::subjects::tidy::{DashMap, Ours, Papaya, Registry, Tidy};
use crate::table::table;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Keys that are there all the time, and are asked for.
const ASKED: usize = 10_000;

/// Further entries that the other thread enters before it drops them all.
const FURTHER: usize = 200_000;

const MAPS: [&str; 3] = ["weakly", "DashMap", "papaya"];

/// A figure that rounds are compared by.
type Figure = (&'static str, fn(&Histogram) -> f64);

const FIGURES: [Figure; 4] = [
    ("p50", |seen| seen.quantile(0.5)),
    ("p99", |seen| seen.quantile(0.99)),
    ("p99.9", |seen| seen.quantile(0.999)),
    ("max", Histogram::max),
];

pub fn run(plan: Plan) -> String {
    let entrants = [slice::<Ours<u64>>, slice::<Registry<DashMap<u64>>>, slice::<Registry<Papaya<u64>>>];
    let rounds = in_turns(plan, &entrants);
    let mut out = "## Latency of get, another thread inserting, killing, resizing\n\nNanoseconds, with those of reading the clock: median (quartiles) of the rounds\n\n".to_owned();
    out += &figures(&rounds);
    out += "\nGoals: best or equal, by the medians\n\n";
    out += &goals(&rounds);
    out
}

/// The times of every look-up in one slice, in a map of its own: one that has grown once may never resize again.
fn slice<M: Tidy<u64>>(time: Duration) -> Histogram {
    let map = M::empty();
    let asked: Vec<_> = (0..ASKED as u64).map(|rank| map.enter(key(rank), rank)).collect();
    let mut stream = Stream::draw(Choice::Uniform, 0..ASKED, 0);
    let mut further = Vec::with_capacity(FURTHER);
    let mut fresh = (1 << 40..).map(key);
    let churn = || {
        further.push(map.enter(fresh.next().expect("more keys than anybody enters"), 0));
        if further.len() == FURTHER {
            further.clear();
        }
    };
    let mut seen = Histogram::new();
    beside(churn, || {
        let end = Instant::now() + time;
        while Instant::now() < end {
            for key in stream.batch(256) {
                let start = Instant::now();
                let found = black_box(map.get(key));
                seen.record(start.elapsed());
                assert!(found.is_some(), "{} has missed a key that is there", M::NAME);
            }
        }
    });
    drop(asked);
    seen
}

fn figures(rounds: &[Rounds<Histogram>]) -> String {
    let mut head = vec!["map".to_owned()];
    head.extend(FIGURES.map(|(name, _)| name.to_owned()));
    let lines = MAPS.iter().zip(rounds).map(|(map, rounds)| {
        let mut line = vec![(*map).to_owned()];
        line.extend(FIGURES.map(|(_, of)| nanos(rounds.iter().map(of).collect())));
        line
    });
    table(head, lines)
}

fn goals(rounds: &[Rounds<Histogram>]) -> String {
    let head = ["figure", "best peer's", "ours", ""].map(str::to_owned).to_vec();
    let lines = FIGURES[2..].iter().map(|(name, of)| {
        let median = |rounds: &Rounds<Histogram>| Spread::of(rounds.iter().map(of).collect()).median;
        let ours = median(&rounds[0]);
        let peer = rounds[1..].iter().map(median).fold(f64::INFINITY, f64::min);
        vec![(*name).to_owned(), format!("{peer:.0}"), format!("{ours:.0}"), verdict(ours <= peer)]
    });
    table(head, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_is_seen_while_it_changes() {
        let short = Duration::from_millis(1);
        for seen in
            [slice::<Ours<u64>>(short), slice::<Registry<DashMap<u64>>>(short), slice::<Registry<Papaya<u64>>>(short)]
        {
            assert!(seen.max() > 0.0);
        }
    }
}
