//! The crate over the real epoch: crossbeam's own pins, bags and advances on loom's atomics, instead of the shim that the other
//! models run over. Each kind of thing that the crate retires is looked at by one thread, and taken away by another, which then
//! makes the epoch advance until it is freed. `../ci/epoch.sh` sets the cfg that compiles crossbeam for loom.
//!
//! A free too early is a use after free, or a race with a destructor, which loom reports. That frees do come at all the times
//! they may is said by a [`Tally`], without which a collector that never collects would pass.

#![cfg(crossbeam_loom)]

use loom::sync::Arc as Handle; // who drops what it holds comes after all uses of it, for loom too
use loom::thread::{spawn, yield_now};
use loom_tests::{Drops, Witness, is_freed, model_with_preemptions};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc as Shared;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{Arc, Equivalent, WeakList, generic, pin};

/// Where the looker was when the other thread had taken its thing away and made the epoch advance; and was it freed by then?
#[derive(Default)]
struct Tally {
    /// Freed before the looker had begun.
    before: AtomicUsize,
    /// Freed while it was at it, by a guard that came too late to hold it back.
    beside: AtomicUsize,
    /// Not freed while it was at it.
    held: AtomicUsize,
    /// Freed after it was through.
    after: AtomicUsize,
}

/// How far the looker has come. Outside of loom, so exact at each of its steps.
#[derive(Clone, Default)]
struct Looker(Shared<AtomicUsize>);

impl Looker {
    /// From here on it may see the thing.
    fn begins(&self) {
        self.0.store(1, Relaxed);
    }

    fn ends(&self) {
        self.0.store(2, Relaxed);
    }
}

/// One race for one thing.
struct Race {
    look: Box<dyn FnOnce(&Looker)>,
    take_away: Box<dyn FnOnce()>,
    is_freed: Shared<dyn Fn() -> bool>,
}

/// As often as this the epoch must advance, and the bag be found, after a thing was retired; and once more, for the first try
/// may find its own pin in the way.
const ROUNDS: usize = 2;

fn collect() {
    pin().flush();
}

/// Explores a race, and asks that its thing was freed at each of the times that it may be.
fn model(name: &str, make: impl Fn() -> Race + Send + Sync + 'static) {
    let tally = Shared::new(Tally::default());
    let noted = Shared::clone(&tally);
    let outcome = model_with_preemptions(name, 3, move || {
        let Race { look, take_away, is_freed } = make();
        let looker = Looker::default();
        let other = spawn({
            let (looker, tally, is_freed) = (looker.clone(), Shared::clone(&noted), Shared::clone(&is_freed));
            move || {
                take_away();
                (0..ROUNDS).for_each(|_| collect());
                let at = match (is_freed(), looker.0.load(Relaxed)) {
                    (true, 0) => &tally.before,
                    (true, 1) => &tally.beside,
                    (true, _) => &tally.after,
                    (false, 1) => &tally.held,
                    (false, _) => return,
                };
                at.fetch_add(1, Relaxed);
            }
        });
        yield_now(); // else it has begun before loom can let the other thread go first
        look(&looker);
        other.join().unwrap();
        // The other thread may still be unregistering itself, and pinned for that.
        for _ in 0..10 {
            if is_freed() {
                break;
            }
            yield_now();
            collect();
        }
        assert!(is_freed(), "nobody looks any more, and it is never freed");
    });
    let [before, beside, held, after] =
        [&tally.before, &tally.beside, &tally.held, &tally.after].map(|count| count.load(Relaxed));
    println!("    freed before {before}, beside {beside}, after {after}; held back {held}");
    if !outcome.cut {
        assert!(before > 0 && beside > 0 && held > 0 && after > 0, "a time at which it is never freed, or not held back");
    }
}

/// A value, what counts its end, and how to ask whether its block is freed.
fn object() -> (Arc<Witness>, Shared<dyn Fn() -> bool>) {
    let drops = Drops::new();
    let object = Arc::new(Witness::new(&drops));
    let at = (&raw const *object).addr();
    (object, Shared::new(move || is_freed(at)))
}

#[test]
fn slot_load_take() {
    model("epoch: a slot's load / take, last drop", || {
        let (object, is_freed) = object();
        let slot = Handle::new(AtomicArc::new(object));
        let there = slot.clone();
        Race {
            look: Box::new(move |looker| {
                looker.begins();
                if let Some(found) = slot.load() {
                    found.read();
                }
                looker.ends();
            }),
            take_away: Box::new(move || drop(there.take())),
            is_freed,
        }
    });
}

#[test]
fn weak_slot_load_death() {
    model("epoch: a weak slot's load / death, take", || {
        let (object, is_freed) = object();
        let slot = Handle::new(AtomicWeak::new(&object));
        let there = slot.clone();
        Race {
            look: Box::new(move |looker| {
                looker.begins();
                if let Some(found) = slot.load().upgrade() {
                    found.read();
                }
                looker.ends();
            }),
            take_away: Box::new(move || {
                drop(object);
                drop(there.take());
            }),
            is_freed,
        }
    });
}
