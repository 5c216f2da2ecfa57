//! Looking up keys that are there.

use super::look_ups::{self, DASHMAP, GET, GET_HELD, PEERS, PEERS_HELD, READ_HELD, SHAPE, Sought};
use super::{Goal, Section};
use crate::keys::Choice;

pub fn section() -> Section {
    let small = look_ups::shared(10_000);
    let large = look_ups::shared(1_000_000);
    let workloads = [
        ("uniform", Choice::Uniform, &small),
        ("uniform", Choice::Uniform, &large),
        ("Zipf", Choice::Zipf, &large),
        ("one hot key of", Choice::Hot, &small),
    ];
    let row = |workload: (_, _, &look_ups::Shared), threads| {
        look_ups::row("hits", Sought::Present, workload, threads, goals(workload.1, workload.2.keys, threads))
    };
    let rows = workloads.into_iter().flat_map(|workload| [1, 2].map(|threads| row(workload, threads))).collect();
    Section { title: "Hits", shape: SHAPE, rows }
}

/// Of each face: what it is to reach against its fastest peer, and against DashMap.
fn goals(choice: Choice, keys: usize, threads: usize) -> Vec<Goal> {
    let bars: &[(_, f64, f64)] = match (choice, keys, threads) {
        (Choice::Uniform, 10_000, 1) => &[(GET, 1.0, 1.0), (GET_HELD, 1.15, 1.6), (READ_HELD, 1.3, 2.0)],
        (Choice::Uniform, 10_000, _) => &[(GET, 1.3, 2.0), (GET_HELD, 1.15, 1.6), (READ_HELD, 1.3, 2.0)],
        (Choice::Uniform, ..) => &[(GET_HELD, 1.15, 1.6), (READ_HELD, 1.3, 1.7)],
        (Choice::Zipf, ..) => &[(GET_HELD, 1.15, 1.6), (READ_HELD, 1.3, 2.0)],
        (Choice::Hot, _, 2) => &[(GET, 1.2, 2.2), (GET_HELD, 1.2, 3.5), (READ_HELD, 1.2, 20.0)],
        (Choice::Hot, ..) => &[],
    };
    let goals = bars.iter().flat_map(|&(face, best, dashmap)| {
        let peers = if face == GET { PEERS } else { PEERS_HELD };
        [Goal { face, peers, ratio: best }, Goal { face, peers: &[DASHMAP], ratio: dashmap }]
    });
    goals.collect()
}
