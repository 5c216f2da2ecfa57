//! Walking a map of live entries, one after another. One operation is one entry: its value is upgraded, read and dropped.
//!
//! A slice is one walk of the whole map, so its beginnings and ends weigh alike on every side.

use super::look_ups::Filled;
use super::{Goal, Row, Section, Shape, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::{Rng, key};
use crate::subjects::{DashMap, Papaya, Payload, SccIndex, SccMap, Walked, WeakMap, WeakValueMap};
use std::hint::black_box;
use std::sync::Arc;

const ITER: &str = "iter (pins each bucket)";
const ITER_HELD: &str = "iter, guard held";
const DASHMAP: &str = "DashMap";
const PAPAYA: &str = "papaya";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";

pub fn section() -> Section {
    let shape = Shape { base: DASHMAP, columns: &[PAPAYA, SCC_MAP, SCC_INDEX, ITER, ITER_HELD] };
    Section { title: "Iterating", shape, rows: vec![row(1_000_000)] }
}

fn row(live: usize) -> Row {
    let id = format!("iterating/{}/1t", short(live)).to_lowercase().replace(' ', "");
    let title = format!("{} live, {}", short(live), thread_count(1));
    let goal = |face| Goal { face, peers: &[DASHMAP, PAPAYA, SCC_MAP, SCC_INDEX], ratio: 1.2 };
    Row::new(id, title, [ITER, ITER_HELD].map(goal).into(), move || entrants(live))
}

fn entrants(live: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let mut keys: Vec<u64> = (0..live as u64).map(key).collect();
    Rng::new(0).shuffle(&mut keys);
    let ours = Filled::<WeakValueMap<Payload>>::of(&keys, weakly::Arc::new);
    vec![
        entrant(ITER, Ours, &ours, plain),
        entrant(ITER_HELD, Ours, &ours, held),
        entrant(DASHMAP, Peer, &Filled::<DashMap<Payload>>::of(&keys, Arc::new), plain),
        entrant(PAPAYA, Peer, &Filled::<Papaya<Payload>>::of(&keys, Arc::new), plain),
        entrant(SCC_MAP, Peer, &Filled::<SccMap<Payload>>::of(&keys, Arc::new), plain),
        entrant(SCC_INDEX, Peer, &Filled::<SccIndex<Payload>>::of(&keys, Arc::new), plain),
    ]
}

fn entrant<M: WeakMap<Payload>>(
    name: &'static str,
    side: Side,
    filled: &Arc<Filled<M>>,
    walk: fn(&M) -> Seen,
) -> Entrant {
    let live = filled.map.len() as u64;
    Entrant::of_size(live, name, side, 1, |_| {
        let filled = Arc::clone(filled);
        move |ops: u64| {
            let seen = if ops > 0 { walk(&filled.map) } else { Seen::default() };
            assert_eq!(seen.count, ops, "{name} has not shown all that is there");
            black_box(seen.sum);
        }
    })
}

/// What a walk showed: every value was reached, and one word of it read.
#[derive(Default)]
struct Seen {
    count: u64,
    sum: u64,
}

impl Seen {
    fn see(&mut self, value: &Payload) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(value[0]);
    }
}

fn plain<M: Walked<Payload>>(map: &M) -> Seen {
    let mut seen = Seen::default();
    map.walk(|_, value| seen.see(&value));
    seen
}

fn held(map: &WeakValueMap<Payload>) -> Seen {
    let mut seen = Seen::default();
    for (_, value) in &map.pin() {
        seen.see(&value);
    }
    seen
}
