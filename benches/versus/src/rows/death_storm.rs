//! All objects of a map die at once, as when a server drops what it holds: the map is full before each slice, and the
//! slice is one drop after another, in the order of making, until the map is empty. Our map notices the deaths itself;
//! a peer's value removes itself in its `Drop`. What deaths leave to be freed later is freed on the clock too.

use super::insert_then_die::enter;
use super::{Goal, Row, Section, Shape, short, thread_count};
use crate::harness::{Entrant, Side, Worker};
use crate::keys::key;
use crate::subjects::{DashMaps, Family, InStatic, Payload, Registered, WeakMap, WeakValueMap};
use std::sync::Arc;

const OURS: &str = "drop";
const DASHMAP: &str = "DashMap in an Arc";
const DASHMAP_STATIC: &str = "DashMap in a static";

/// DashMap puts nothing off.
const AT_ONCE: fn() = || ();

pub fn section() -> Section {
    let shape = Shape { base: DASHMAP, columns: &[DASHMAP_STATIC, OURS] };
    Section { title: "Death storm", shape, rows: [1, 2].map(|threads| row(1_000_000, threads)).into() }
}

fn row(live: usize, threads: usize) -> Row {
    let id = format!("death-storm/{}/{threads}t", short(live)).to_lowercase().replace(' ', "");
    let title = format!("{} live, {}", short(live), thread_count(threads));
    let goals = vec![Goal { face: OURS, peers: &[DASHMAP], ratio: 1.0 }];
    Row::new(id, title, goals, move || entrants(live, threads))
}

fn entrants(live: usize, threads: usize) -> Vec<Entrant> {
    use Side::{Ours, Peer};
    let ours = Arc::new(WeakValueMap::<Payload>::empty());
    let dashmap = Arc::new(<DashMaps as Family>::Map::<Registered<DashMaps>>::empty());
    InStatic::tidy();
    vec![
        entrant(OURS, Ours, live, threads, WeakValueMap::<Payload>::settle, || {
            let map = Arc::clone(&ours);
            move |key| enter(&*map, key, weakly::Arc::new)
        }),
        entrant(DASHMAP, Peer, live, threads, AT_ONCE, || {
            let map = Arc::clone(&dashmap);
            move |key| Registered::<DashMaps>::enter(&map, key)
        }),
        entrant(DASHMAP_STATIC, Peer, live, threads, AT_ONCE, || InStatic::enter),
    ]
}

/// An entrant whose threads each make their share of the values, and let them die.
fn entrant<V: Send + 'static, E: FnMut(u64) -> V + Send + 'static>(
    name: &'static str,
    side: Side,
    live: usize,
    threads: usize,
    settle: fn(),
    mut entering: impl FnMut() -> E,
) -> Entrant {
    let share = live / threads;
    Entrant::of_size(share as u64, name, side, threads, |thread| {
        let keys = (0..share as u64).map(|number| key((thread as u64) << 40 | number)).collect();
        Storm { keys, enter: entering(), values: Vec::with_capacity(share), settle }
    })
}

/// A thread's share of the values, and how they are made.
struct Storm<V, E> {
    keys: Vec<u64>,
    enter: E,
    values: Vec<V>,
    /// Frees what the deaths have put off.
    settle: fn(),
}

impl<V: Send, E: FnMut(u64) -> V + Send> Worker for Storm<V, E> {
    fn prepare(&mut self) {
        self.values.extend(self.keys.iter().map(|&key| (self.enter)(key)));
    }

    fn work(&mut self, ops: u64) {
        self.values.drain(..ops as usize);
        (self.settle)();
    }
}
