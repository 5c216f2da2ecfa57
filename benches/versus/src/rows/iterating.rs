//! Walking a map of live entries, one after another. One operation is one entry: its value is upgraded, read and dropped.
//!
//! A slice is one walk of the whole map, so its beginnings and ends weigh alike on every side.

use super::look_ups::Filled;
use super::{Goal, Row, Section, Shape, short, thread_count};
use crate::harness::{Entrant, Side};
use crate::keys::{Rng, key};
use crate::subjects::{DashMap, Papaya, Payload, SccIndex, SccMap, Walked, WeakValueMap};
use std::hint::black_box;
use std::sync::Arc;

const OURS: &str = "iter";
const DASHMAP: &str = "DashMap";
const PAPAYA: &str = "papaya";
const SCC_MAP: &str = "scc HashMap";
const SCC_INDEX: &str = "scc HashIndex";

pub fn section() -> Section {
    let shape = Shape { base: DASHMAP, columns: &[PAPAYA, SCC_MAP, SCC_INDEX, OURS] };
    Section { title: "Iterating", shape, rows: vec![row(1_000_000)] }
}

fn row(live: usize) -> Row {
    let id = format!("iterating/{}/1t", short(live)).to_lowercase().replace(' ', "");
    let title = format!("{} live, {}", short(live), thread_count(1));
    let goals = vec![Goal { face: OURS, peers: &[DASHMAP, PAPAYA, SCC_MAP, SCC_INDEX], ratio: 1.2 }];
    Row::new(id, title, goals, move || entrants(live))
}

fn entrants(live: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let mut keys: Vec<u64> = (0..live as u64).map(key).collect();
    Rng::new(0).shuffle(&mut keys);
    vec![
        entrant(OURS, Ours, &Filled::<WeakValueMap<Payload>>::of(&keys, weakly::Arc::new)),
        entrant(DASHMAP, Peer, &Filled::<DashMap<Payload>>::of(&keys, Arc::new)),
        entrant(PAPAYA, Peer, &Filled::<Papaya<Payload>>::of(&keys, Arc::new)),
        entrant(SCC_MAP, Peer, &Filled::<SccMap<Payload>>::of(&keys, Arc::new)),
        entrant(SCC_INDEX, Peer, &Filled::<SccIndex<Payload>>::of(&keys, Arc::new)),
    ]
}

fn entrant<M: Walked<Payload>>(name: &'static str, side: Side, filled: &Arc<Filled<M>>) -> Entrant {
    let live = filled.map.len() as u64;
    Entrant::of_size(live, name, side, 1, |_| {
        let filled = Arc::clone(filled);
        move |ops: u64| {
            let (mut seen, mut sum) = (0, 0u64);
            if ops > 0 {
                filled.map.walk(|_, value| (seen, sum) = (seen + 1, sum.wrapping_add(value[0])));
            }
            assert_eq!(seen, ops, "{name} has not shown all that is there");
            black_box(sum);
        }
    })
}
