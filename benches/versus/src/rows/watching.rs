//! Being told of a death, and taking that wish back. There is no bar: nobody else lets strangers watch an object.
//!
//! A death includes making the object, on both sides.

use super::{Row, Section, Shape};
use crate::harness::{Entrant, Side};
use crate::subjects::watches::{Dropping, Finalized, Observed, Watched};
use std::hint::black_box;

const OURS: &str = "weakly";
const DROP: &str = "Drop calls a boxed closure";

pub fn section() -> Section {
    let rows = vec![
        row("observe, cancel", || vec![canceled::<Observed>(OURS, Side::Ours), canceled::<Dropping>(DROP, Side::Peer)]),
        row("new, observe, death", || vec![dies::<Observed>(OURS, Side::Ours), dies::<Dropping>(DROP, Side::Peer)]),
        row("new, finalize, death", || vec![dies::<Finalized>(OURS, Side::Ours), dies::<Dropping>(DROP, Side::Peer)]),
    ];
    Section { title: "Watching a death, 1 thread", shape: Shape { base: DROP, columns: &[OURS] }, rows }
}

fn row(title: &str, entrants: fn() -> Vec<Entrant>) -> Row {
    Row::new(format!("watching/{}/1t", title.replace(", ", "-")), title.to_owned(), Vec::new(), entrants)
}

fn canceled<W: Watched>(name: &'static str, side: Side) -> Entrant {
    Entrant::new(name, side, 1, |_| {
        let object = W::new();
        move |ops| (0..ops).for_each(|_| object.watch_and_cancel(told))
    })
}

fn dies<W: Watched>(name: &'static str, side: Side) -> Entrant {
    Entrant::new(name, side, 1, |_| |ops| (0..ops).for_each(|_| W::watch_and_die(told)))
}

fn told(word: u64) {
    black_box(word);
}
