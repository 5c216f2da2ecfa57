//! The rows: which work is compared, and what ratio it is to reach.
//!
//! A new row is a function that makes its entrants; a new subject of comparison is an entrant more in the rows it fits.
//! `look_ups` is what hits and misses share, `stage` what rows do whose slices each need something fresh.

mod death_storm;
mod hits;
mod insert_then_die;
mod interning;
mod iterating;
mod loads;
mod look_ups;
mod misses;
mod mixes;
mod pointers;
mod slots;
mod stage;
mod watching;

use crate::harness::{Entrant, Side};
use crate::keys::Stream;
use std::sync::Arc;

/// Rows that share a table.
pub struct Section {
    /// The headline of its tables.
    pub title: &'static str,
    /// The entrant whose time the first table divides by, and the entrants that are its columns.
    pub shape: Shape,
    /// Its rows, in order.
    pub rows: Vec<Row>,
}

/// The columns of a section's first table.
pub struct Shape {
    /// Its time is divided by theirs.
    pub base: &'static str,
    /// The columns, left to right.
    pub columns: &'static [&'static str],
}

/// One line of a table. Nothing is allocated for it until it is prepared.
pub struct Row {
    /// What the command line selects it by.
    pub id: String,
    /// What the tables call it.
    pub title: String,
    /// Ratios it is to reach.
    pub goals: Vec<Goal>,
    prepare: Box<dyn FnOnce() -> Vec<Entrant>>,
}

/// A ratio that a face of ours is to reach against the fastest of some peers.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The face of ours.
    pub face: &'static str,
    /// The peers; one, if the goal is against that one.
    pub peers: &'static [&'static str],
    /// Their best time divided by ours is to be this at least.
    pub ratio: f64,
}

impl Row {
    fn new(id: String, title: String, goals: Vec<Goal>, prepare: impl FnOnce() -> Vec<Entrant> + 'static) -> Self {
        Row { id, title, goals, prepare: Box::new(prepare) }
    }

    /// Makes its entrants: fills maps, draws keys.
    pub fn prepare(self) -> (Vec<Entrant>, Vec<Goal>) {
        let entrants = (self.prepare)();
        let is = |name, side| entrants.iter().any(|e| e.name == name && e.side == side);
        for goal in &self.goals {
            let known = is(goal.face, Side::Ours) && goal.peers.iter().all(|peer| is(peer, Side::Peer));
            assert!(known, "{}: {goal:?} names no entrant", self.id);
        }
        (entrants, self.goals)
    }
}

/// All of them.
pub fn all() -> Vec<Section> {
    vec![
        hits::section(),
        misses::section(),
        insert_then_die::section(),
        death_storm::section(),
        mixes::section(),
        loads::section(),
        interning::section(),
        iterating::section(),
        pointers::section(),
        slots::section(),
        watching::section(),
    ]
}

/// An entrant whose threads each ask `subject` for the keys of their own stream, so many at a time at most.
fn asking<S: Send + Sync + 'static, K: Clone + Send + Sync + 'static>(
    name: &'static str,
    side: Side,
    streams: &[Stream<K>],
    subject: &Arc<S>,
    most: usize,
    ask: impl Fn(&S, &[K]) + Copy + Send + 'static,
) -> Entrant {
    Entrant::new(name, side, streams.len(), |thread| {
        let (subject, mut stream) = (Arc::clone(subject), streams[thread].clone());
        move |ops| stream.batches(ops, most, |keys| ask(&subject, keys))
    })
}

/// `10 k`, `1 M`.
fn short(n: usize) -> String {
    match n {
        1_000_000.. => format!("{} M", n / 1_000_000),
        1_000.. => format!("{} k", n / 1_000),
        _ => n.to_string(),
    }
}

/// `1 thread`, `2 threads`.
fn thread_count(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}
