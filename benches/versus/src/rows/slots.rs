//! Reading a slot, alone and beside a thread that swaps all the time.
//!
//! `load` and `upgrade` end with a counted pointer, `read` with a borrow: ours of deferred values, which touches no count.
//! Where a guard is held, arc-swap reads through its `Cache`, which looks whether the pointer is still the same.
//! A strong slot gets a fresh object with every swap, a weak one the other of two that live.

use super::{Goal, Row, Section, Shape};
use crate::harness::{Entrant, Side};
use crate::subjects::Payload;
use crate::subjects::pointers::Node;
use crate::subjects::slots::{CircWeak, Locked, LockedWeak, Ours, OursWeak, Slot, Swapped, WeakSlot, sum};
use arc_swap::ArcSwap;
use circ::AtomicRc;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Reads under one guard.
const BATCH: u64 = 1_000;

const OURS: &str = "weakly";
const ARC_SWAP: &str = "arc-swap";
const CIRC: &str = "circ";
const MUTEX: &str = "Mutex";

pub fn section() -> Section {
    let rows = [
        ("load", load as fn(bool) -> Vec<Entrant>),
        ("read (pins each call)", read),
        ("read, guard held", read_held),
        ("upgrade", upgrade),
    ];
    let rows = rows.into_iter().flat_map(|(name, entrants)| [false, true].map(|written| row(name, written, entrants)));
    Section { title: "Slots", shape: Shape { base: ARC_SWAP, columns: &[OURS, CIRC, MUTEX] }, rows: rows.collect() }
}

fn row(name: &str, written: bool, entrants: fn(bool) -> Vec<Entrant>) -> Row {
    let words: String = name.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
    let id = format!("slots/{}/{}w", words.replace(' ', "-"), u8::from(written));
    let title = format!("{name}, {}", if written { "beside a writer" } else { "alone" });
    let goals = vec![Goal { face: OURS, peers: &[ARC_SWAP, CIRC, MUTEX], ratio: 1.0 }];
    Row::new(id, title, goals, move || entrants(written))
}

fn load(written: bool) -> Vec<Entrant> {
    fn load<S: Slot>(slot: &S, times: u64) -> u64 {
        sum(times, || slot.load())
    }
    strong(written, load::<Ours<false>>, load, load, load)
}

fn read(written: bool) -> Vec<Entrant> {
    fn read<S: Slot>(slot: &S, times: u64) -> u64 {
        sum(times, || slot.read())
    }
    strong(written, read::<Ours<true>>, read, read, read)
}

fn read_held(written: bool) -> Vec<Entrant> {
    strong(written, Ours::<true>::read_held, Slot::read_held, Slot::read_held, Slot::read_held)
}

/// What reads a slot so many times and gives the sum of the words.
type Read<S> = fn(&S, u64) -> u64;

fn strong<O: Slot>(
    written: bool,
    ours: Read<O>,
    arc_swap: Read<ArcSwap<Payload>>,
    circ: Read<AtomicRc<Node>>,
    mutex: Read<Locked<Arc<Payload>>>,
) -> Vec<Entrant> {
    fn of<S: Slot>(name: &'static str, side: Side, written: bool, read: Read<S>) -> Entrant {
        entrant(name, side, written, S::of(1), read, S::swap)
    }
    vec![
        of(OURS, Side::Ours, written, ours),
        of(ARC_SWAP, Side::Peer, written, arc_swap),
        of(CIRC, Side::Peer, written, circ),
        of(MUTEX, Side::Peer, written, mutex),
    ]
}

fn upgrade(written: bool) -> Vec<Entrant> {
    fn of<S: WeakSlot>(name: &'static str, side: Side, written: bool) -> Entrant {
        entrant(name, side, written, S::new(), |slot, times| sum(times, || slot.upgrade()), S::swap)
    }
    vec![
        of::<OursWeak>(OURS, Side::Ours, written),
        of::<Swapped>(ARC_SWAP, Side::Peer, written),
        of::<CircWeak>(CIRC, Side::Peer, written),
        of::<LockedWeak>(MUTEX, Side::Peer, written),
    ]
}

/// An entrant of one reading thread. Beside a writer it tells how often that one swaps: who hinders it reads in peace.
fn entrant<S: Send + Sync + 'static>(
    name: &'static str,
    side: Side,
    written: bool,
    slot: S,
    read: Read<S>,
    swap: fn(&S, u64),
) -> Entrant {
    let slot = Arc::new(slot);
    let [reads, swaps] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let entrant = Entrant::new(name, side, 1, |_| {
        let (slot, reads) = (Arc::clone(&slot), Arc::clone(&reads));
        move |ops| {
            for done in (0..ops).step_by(BATCH as usize) {
                black_box(read(&slot, BATCH.min(ops - done)));
            }
            reads.fetch_add(ops, Relaxed);
        }
    });
    if !written {
        return entrant;
    }
    let swapped = Arc::clone(&swaps);
    let remark = move || format!("{:.3} swaps a read", swaps.load(Relaxed) as f64 / reads.load(Relaxed) as f64);
    let writer = move || swap(&slot, swapped.fetch_add(1, Relaxed));
    Entrant { remark: Some(Box::new(remark)), ..entrant }.beside(writer)
}
