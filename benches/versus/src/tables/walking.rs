//! What an iterator costs those who write meanwhile: one thread kills the oldest entry and inserts a new one, alone and
//! beside a thread that walks the map all the time.

use super::{Rounds, in_turns, nanos, verdict};
use crate::beside::beside;
use crate::harness::Plan;
use crate::histogram::Histogram;
use crate::keys::key;
use crate::stats::Spread;
use crate::subjects::tidy::{DashMap, Ours, Papaya, Registry, Scc, Tidy};
use crate::table::table;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Entries of the map.
const LIVE: usize = 100_000;

/// How much longer the writer's p99.9 may be beside an iterator.
const BAR: f64 = 2.0;

const MAPS: [&str; 4] = ["weakly", "DashMap", "papaya", "scc HashMap"];

pub fn run(plan: Plan) -> String {
    let entrants = [
        alone::<Ours<u64>>,
        walked::<Ours<u64>>,
        alone::<Registry<DashMap<u64>>>,
        walked::<Registry<DashMap<u64>>>,
        alone::<Registry<Papaya<u64>>>,
        walked::<Registry<Papaya<u64>>>,
        alone::<Registry<Scc<u64>>>,
        walked::<Registry<Scc<u64>>>,
    ];
    let rounds = in_turns(plan, &entrants);
    let head = ["map", "p99.9 alone", "p99.9 beside", "ratio", "max alone", "max beside", "goal: 2.00"];
    let lines = MAPS.iter().zip(rounds.chunks(2)).map(|(map, rounds)| line(map, &rounds[0], &rounds[1]));
    format!(
        "## Writing beside an iterator, {LIVE} live\n\nNanoseconds of insert and drop, with those of reading the clock: median (quartiles) of the rounds\n\n{}",
        table(head.map(str::to_owned).to_vec(), lines)
    )
}

fn line(map: &str, alone: &Rounds<Histogram>, beside: &Rounds<Histogram>) -> Vec<String> {
    let tails = |rounds: &Rounds<Histogram>| rounds.iter().map(|seen| seen.quantile(0.999)).collect::<Vec<_>>();
    let longest = |rounds: &Rounds<Histogram>| nanos(rounds.iter().map(Histogram::max).collect());
    let ratios = tails(beside).iter().zip(tails(alone)).map(|(beside, alone)| beside / alone).collect();
    let ratio = Spread::of(ratios);
    vec![
        map.to_owned(),
        nanos(tails(alone)),
        nanos(tails(beside)),
        ratio.to_string(),
        longest(alone),
        longest(beside),
        if map == MAPS[0] { verdict(ratio.median <= BAR) } else { String::new() },
    ]
}

fn alone<M: Tidy<u64>>(time: Duration) -> Histogram {
    let map = M::empty();
    Writer::fill(&map).write(time)
}

fn walked<M: Tidy<u64>>(time: Duration) -> Histogram {
    let map = M::empty();
    let mut writer = Writer::fill(&map);
    let walk = || {
        black_box(map.walk());
    };
    beside(walk, || writer.write(time))
}

/// A thread's entries, the oldest of which always goes next.
struct Writer<'m, M: Tidy<u64>> {
    map: &'m M,
    ring: Vec<M::Strong>,
    oldest: usize,
    rank: u64,
}

impl<'m, M: Tidy<u64>> Writer<'m, M> {
    fn fill(map: &'m M) -> Self {
        let ring = (0..LIVE as u64).map(|rank| map.enter(key(rank), rank)).collect();
        Writer { map, ring, oldest: 0, rank: LIVE as u64 }
    }

    /// The times of all it does in a slice.
    fn write(&mut self, time: Duration) -> Histogram {
        let mut seen = Histogram::new();
        let end = Instant::now() + time;
        let mut start = Instant::now();
        while start < end {
            self.ring[self.oldest] = self.map.enter(key(self.rank), self.rank);
            seen.record(start.elapsed());
            self.oldest = (self.oldest + 1) % LIVE;
            self.rank += 1;
            start = Instant::now();
        }
        seen
    }
}
