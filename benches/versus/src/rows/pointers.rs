//! The pointers by themselves: what a program pays that uses no collection at all.
//!
//! Alone, each operation touches counts that no other thread has; then several threads upgrade one object, and the line
//! with its counts goes from core to core.

use super::{Goal, Row, Section, Shape, thread_count};
use crate::harness::{Entrant, Side};
use crate::subjects::pointers::{Circ, Counted, Ours, Std};
use std::hint::black_box;

const OURS: &str = "weakly";
const STD: &str = "std";
const CIRC: &str = "circ";

pub fn section() -> Section {
    let rows = vec![
        row("new, drop", 1, &[STD], 0.95, NewDrop),
        row("clone, drop", 1, &[STD], 1.0, CloneDrop),
        row("upgrade, drop", 1, &[STD], 1.0, UpgradeDrop),
        row("upgrade, drop", 2, &[STD, CIRC], 1.3, UpgradeDrop),
        // More than there are cores: some are taken off theirs between the two halves.
        row("upgrade, drop", 8, &[STD, CIRC], 1.3, UpgradeDrop),
    ];
    Section { title: "Pointers", shape: Shape { base: STD, columns: &[OURS, CIRC] }, rows }
}

fn row<O: Operation>(name: &str, threads: usize, peers: &'static [&'static str], ratio: f64, operation: O) -> Row {
    let id = format!("pointers/{name}/{threads}t").replace(", ", "-");
    let title = format!("{name}, {}", thread_count(threads));
    Row::new(id, title, vec![Goal { face: OURS, peers, ratio }], move || {
        vec![
            entrant::<Ours, O>(OURS, Side::Ours, threads, operation),
            entrant::<Std, O>(STD, Side::Peer, threads, operation),
            entrant::<Circ, O>(CIRC, Side::Peer, threads, operation),
        ]
    })
}

/// An entrant whose threads all do the operation with one object.
fn entrant<P: Counted, O: Operation>(name: &'static str, side: Side, threads: usize, operation: O) -> Entrant {
    let object = P::of(7);
    Entrant::new(name, side, threads, |_| {
        let (strong, weak) = (object.clone(), object.downgrade());
        move |ops| {
            for _ in 0..ops {
                operation.once(black_box(&strong), black_box(&weak));
            }
        }
    })
}

/// Something done with a pointer, whosever it is.
trait Operation: Copy + Send + 'static {
    fn once<P: Counted>(self, strong: &P, weak: &P::Weak);
}

#[derive(Clone, Copy)]
struct NewDrop;

impl Operation for NewDrop {
    fn once<P: Counted>(self, _: &P, _: &P::Weak) {
        drop(black_box(P::of(7)));
    }
}

#[derive(Clone, Copy)]
struct CloneDrop;

impl Operation for CloneDrop {
    fn once<P: Counted>(self, strong: &P, _: &P::Weak) {
        drop(black_box(strong.clone()));
    }
}

#[derive(Clone, Copy)]
struct UpgradeDrop;

impl Operation for UpgradeDrop {
    fn once<P: Counted>(self, _: &P, weak: &P::Weak) {
        let strong = P::upgrade(weak).expect("the worker keeps it alive");
        black_box(strong.word());
    }
}
