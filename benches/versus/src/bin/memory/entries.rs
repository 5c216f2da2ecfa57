//! The bytes of an entry: key, value, pointers and the map's share, through the life of a map.

use crate::counting::{live, peak};
use std::thread;
use weakly_versus::keys::{self, Rng};
use weakly_versus::table::table;
use weakly_versus::tidy::{DashMap, Key, Ours, Papaya, Registry, Tidy};

/// How often every value is replaced by churn.
const GENERATIONS: usize = 3;

/// The tables, for maps of this many entries.
pub fn tables(entries: usize) -> String {
    let all =
        [Lives::of("u64", entries, keys::key), Lives::of("String", entries, |n| format!("user:{:016x}", keys::key(n)))];
    let mut out =
        "## Bytes a live entry\n\nKey, value of 64 bytes, pointers and map, as asked for from the allocator\n\n"
            .to_owned();
    out += &bytes(&all);
    out += &format!(
        "\n## Garbage during churn\n\nThe most bytes above those before and after it: 2 threads, each value replaced {GENERATIONS} times, no guard kept\n\n"
    );
    out += &held_back(&all);
    out
}

/// The life of each map with one type of key.
struct Lives {
    key: &'static str,
    ours: Life,
    peers: [Life; 2],
}

impl Lives {
    fn of<K: Key>(key: &'static str, entries: usize, make: fn(u64) -> K) -> Self {
        Lives {
            key,
            ours: Life::of::<Ours<K>, K>(entries, make),
            peers: [
                Life::of::<Registry<DashMap<K>>, K>(entries, make),
                Life::of::<Registry<Papaya<K>>, K>(entries, make),
            ],
        }
    }
}

/// What one map needs; bytes of each live entry, but for the last.
struct Life {
    map: &'static str,
    grown: f64,
    churned: f64,
    /// After the death of nine in ten.
    thinned: f64,
    /// A new map of as many as have survived.
    fresh: f64,
    /// Bytes at the worst moment of the churn, above those before it or after it, whichever are more.
    held_back: usize,
}

impl Life {
    fn of<M: Tidy<K>, K: Key>(entries: usize, make: fn(u64) -> K) -> Self {
        eprintln!("{}, {} entries", M::NAME, entries);
        let survivors = entries / 10;
        let mut values = Vec::with_capacity(entries);
        let before = live();
        let map = M::empty();
        let each = |entries| {
            settle(&map);
            (live() - before) as f64 / entries as f64
        };

        values.extend((0..entries as u64).map(|n| map.enter(make(n), 7)));
        let grown = each(entries);

        let before_churn = live();
        let peak = peak(|| churn(&map, &mut values, make));
        let churned = each(entries);
        // A table that has grown for good is no garbage.
        let held_back = peak.saturating_sub(live().max(before_churn));

        // Not the oldest: the dead shall be everywhere among the living.
        Rng::new(0).shuffle(&mut values);
        values.truncate(survivors);
        let thinned = each(survivors);
        assert_eq!(map.entries(), survivors, "{} has entries of the dead", M::NAME);

        end(map, values);
        Life { map: M::NAME, grown, churned, thinned, fresh: Self::fresh::<M, K>(survivors, make), held_back }
    }

    fn fresh<M: Tidy<K>, K: Key>(entries: usize, make: fn(u64) -> K) -> f64 {
        let mut values = Vec::with_capacity(entries);
        let before = live();
        let map = M::empty();
        values.extend((0..entries as u64).map(|n| map.enter(make(n), 7)));
        settle(&map);
        let each = (live() - before) as f64 / entries as f64;
        end(map, values);
        each
    }
}

/// Replaces every value under a fresh key, some times, the oldest first; two threads share the work.
fn churn<M: Tidy<K>, K: Key>(map: &M, values: &mut [M::Strong], make: fn(u64) -> K) {
    let share = values.len().div_ceil(2);
    thread::scope(|scope| {
        for (thread, values) in values.chunks_mut(share).enumerate() {
            let mut fresh = ((thread as u64 + 1) << 40..).map(make);
            scope.spawn(move || {
                for _ in 0..GENERATIONS {
                    for value in &mut *values {
                        *value = map.enter(fresh.next().expect("more keys than anybody enters"), 7);
                    }
                }
            });
        }
    });
}

/// Drops all, and what is held back of it, lest that is let go while the next map is looked at.
fn end<M: Tidy<K>, K: Key>(map: M, values: Vec<M::Strong>) {
    drop((values, map));
    settle(&M::empty());
}

/// Until nothing more is let go.
fn settle<M: Tidy<K>, K: Key>(map: &M) {
    loop {
        let before = live();
        map.settle();
        if live() >= before {
            return;
        }
    }
}

/// A state of a map's life.
type State = (&'static str, fn(&Life) -> f64);

const STATES: [State; 4] = [
    ("grown", |life| life.grown),
    ("churned", |life| life.churned),
    ("nine in ten dead", |life| life.thinned),
    ("the survivors in a new map", |life| life.fresh),
];

fn bytes(all: &[Lives]) -> String {
    let peers = all[0].peers.each_ref().map(|peer| peer.map);
    let mut head = vec!["keys".to_owned(), "state".to_owned(), all[0].ours.map.to_owned()];
    head.extend(peers.map(str::to_owned));
    head.extend(peers.map(|peer| format!("ours / {peer}'s")));
    head.push("goal: 1.50".to_owned());
    let mut lines: Vec<Vec<String>> = Vec::new();
    for lives in all {
        for (name, of) in STATES {
            let ours = of(&lives.ours);
            let ratios = lives.peers.each_ref().map(|peer| ours / of(peer));
            let mut line = vec![lives.key.to_owned(), name.to_owned(), format!("{ours:.1}")];
            line.extend(lives.peers.iter().map(|peer| format!("{:.1}", of(peer))));
            line.extend(ratios.iter().map(|ratio| format!("{ratio:.2}")));
            line.push(verdict(ratios.iter().all(|&ratio| ratio <= 1.5)));
            lines.push(line);
        }
    }
    let mut out = table(head, lines.into_iter());
    let head =
        ["keys", "ours, nine in ten dead / the survivors in a new map", "goal: 1.20"].map(str::to_owned).to_vec();
    let lines = all.iter().map(|lives| {
        let ratio = lives.ours.thinned / lives.ours.fresh;
        vec![lives.key.to_owned(), format!("{ratio:.2}"), verdict(ratio <= 1.2)]
    });
    out += "\n";
    out += &table(head, lines);
    out
}

fn verdict(met: bool) -> String {
    if met { "met" } else { "missed" }.to_owned()
}

fn held_back(all: &[Lives]) -> String {
    let head = ["keys", "map", "KiB", "live entries' worth"].map(str::to_owned).to_vec();
    let lines = all.iter().flat_map(|lives| {
        [&lives.ours].into_iter().chain(&lives.peers).map(|life| {
            let bytes = life.held_back as f64;
            vec![
                lives.key.to_owned(),
                life.map.to_owned(),
                format!("{:.0}", bytes / 1024.0),
                format!("{:.0}", bytes / life.grown),
            ]
        })
    });
    table(head, lines)
}
