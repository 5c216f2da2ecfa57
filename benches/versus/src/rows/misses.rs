//! Looking up keys that are not there, in full maps.

use super::look_ups::{self, GET, GET_HELD, PEERS, PEERS_HELD, READ_HELD, SHAPE, Sought};
use super::{Goal, Section};
use crate::keys::Choice;

pub fn section() -> Section {
    let row = |subjects: &look_ups::Shared, threads| {
        look_ups::row("misses", Sought::Absent, ("uniform", Choice::Uniform, subjects), threads, goals())
    };
    let sizes = [10_000, 1_000_000].map(look_ups::shared);
    let rows = sizes.iter().flat_map(|subjects| [1, 2].map(|threads| row(subjects, threads))).collect();
    Section { title: "Misses", shape: SHAPE, rows }
}

fn goals() -> Vec<Goal> {
    let goal = |face, peers| Goal { face, peers, ratio: 1.2 };
    vec![goal(GET, PEERS), goal(GET_HELD, PEERS_HELD), goal(READ_HELD, PEERS_HELD)]
}
