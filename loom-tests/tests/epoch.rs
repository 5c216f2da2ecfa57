//! The crate over the real epoch: crossbeam's own pins, bags and advances, compiled for loom's atomics (`../ci/epoch.sh`), instead
//! of the shim that the other models run over. What the crate retires is looked at by one thread, and taken away by another,
//! which then makes the epoch advance until it is freed: one model for each kind of thing.
//!
//! What is freed too early loom reports, as a use after free or a race with a destructor. That it is freed at all, and at each of
//! the times at which it may be, is counted by a [`Tally`]: over a collector that never collects nothing else could fail.

#![cfg(crossbeam_loom)]

use loom::sync::Arc as Handle; // who drops what it holds comes after all uses of it, for loom too
use loom::thread::{spawn, yield_now};
use loom_tests::{Drops, Witness, is_freed, model_with_preemptions};
use std::any::Any;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc as Shared;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{Arc, WeakList, generic, pin};

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

impl Tally {
    fn note(&self, is_freed: bool, looker: &Looker) {
        let at = match (is_freed, looker.0.load(Relaxed)) {
            (true, 0) => &self.before,
            (true, 1) => &self.beside,
            (true, _) => &self.after,
            (false, 1) => &self.held,
            (false, _) => return,
        };
        at.fetch_add(1, Relaxed);
    }

    fn judge(&self, was_cut_short: bool) {
        let counts = [&self.before, &self.beside, &self.after, &self.held].map(|count| count.load(Relaxed));
        let [before, beside, after, held] = counts;
        println!("    freed before it looks {before}, beside {beside}, after {after}; held back {held}");
        assert!(was_cut_short || !counts.contains(&0), "a time at which it is never freed, or not held back");
    }
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

/// Asks whether a thing is freed.
type IsFreed = Shared<dyn Fn() -> bool>;

/// One race for one thing.
struct Race {
    look: Box<dyn FnOnce(&Looker)>,
    take_away: Box<dyn FnOnce()>,
    is_freed: IsFreed,
    /// What stays until both are through, for its end would be a race of its own.
    kept: Box<dyn Any>,
}

impl Race {
    fn new(
        look: impl FnOnce(&Looker) + 'static,
        take_away: impl FnOnce() + 'static,
        is_freed: impl Fn() -> bool + 'static,
        kept: impl Any,
    ) -> Self {
        Race {
            look: Box::new(look),
            take_away: Box::new(take_away),
            is_freed: Shared::new(is_freed),
            kept: Box::new(kept),
        }
    }
}

/// A bag is due two advances of the epoch after it was filled. A flush makes one at most: here are two, and retiring is one more.
const ROUNDS: usize = 2;

fn collect() {
    pin().flush();
}

/// Explores a race, and asks that its thing was freed at each of the times that it may be: once the new thread takes away, and
/// once it looks. Its first pin is a collection too, by which the epoch may come to be one ahead.
fn model(name: &str, make: impl Fn() -> Race + Send + Sync + 'static) {
    let make = Shared::new(make);
    for new_looks in [false, true] {
        let (make, tally) = (Shared::clone(&make), Shared::new(Tally::default()));
        let noted = Shared::clone(&tally);
        let name = format!("{name}{}", if new_looks { ", a new thread looks" } else { "" });
        let outcome = model_with_preemptions(&name, 2, move || execution(make(), new_looks, &noted));
        tally.judge(outcome.cut);
    }
}

fn execution(race: Race, new_looks: bool, tally: &Shared<Tally>) {
    let Race { look, take_away, is_freed, kept } = race;
    let looker = Looker::default();
    let take_away = {
        let (looker, tally, is_freed) = (looker.clone(), Shared::clone(tally), Shared::clone(&is_freed));
        move || {
            take_away();
            (0..ROUNDS).for_each(|_| collect());
            tally.note(is_freed(), &looker);
        }
    };
    if new_looks {
        let other = spawn(move || {
            look(&looker);
            loom::stop_exploring(); // how it unregisters itself is none of ours
        });
        take_away();
        other.join().unwrap();
    } else {
        let other = spawn(take_away);
        yield_now(); // else it has begun before loom can let the other thread go first
        look(&looker);
        other.join().unwrap();
        loom::stop_exploring();
    }
    // The other thread may still be unregistering itself, and pinned for that.
    for _ in 0..10 {
        if is_freed() {
            break;
        }
        yield_now();
        collect();
    }
    assert!(is_freed(), "nobody looks any more, and it is never freed");
    drop(kept);
}

/// Is the memory there freed?
fn freed<T>(at: *const T) -> impl Fn() -> bool {
    let at = at.addr();
    move || is_freed(at)
}

fn value() -> Arc<Witness> {
    Arc::new(Witness::new(&Drops::new()))
}

/// One for who looks, one for who takes away, one to keep.
fn handles<T>(shared: T) -> [Handle<T>; 3] {
    let shared = Handle::new(shared);
    [shared.clone(), shared.clone(), shared]
}

// Slots: a block, kept by the trace of what was taken out; a deferred value.

#[test]
fn load_take() {
    model("epoch: load / take, last drop", || {
        let object = value();
        let is_freed = freed(&raw const *object);
        let [here, there, kept] = handles(AtomicArc::new(object));
        let look = move |looker: &Looker| {
            looker.begins();
            if let Some(found) = here.load() {
                found.read();
            }
            looker.ends();
        };
        Race::new(look, move || drop(there.take()), is_freed, kept)
    });
}

#[test]
fn weak_load_death_take() {
    model("epoch: weak slot's load / death, take", || {
        let object = value();
        let is_freed = freed(&raw const *object);
        let [here, there, kept] = handles(AtomicWeak::new(&object));
        let look = move |looker: &Looker| {
            looker.begins();
            if let Some(found) = here.load().upgrade() {
                found.read();
            }
            looker.ends();
        };
        let take_away = move || {
            drop(object);
            drop(there.take());
        };
        Race::new(look, take_away, is_freed, kept)
    });
}

#[test]
fn read_of_a_deferred_value_take() {
    model("epoch: read of a deferred value / take, last drop", || {
        let drops = Drops::new();
        let [here, there, kept] = handles(AtomicArc::new(Arc::new_deferred(Witness::new(&drops))));
        let look = move |looker: &Looker| {
            let guard = pin();
            looker.begins();
            if let Some(found) = here.read(&guard) {
                found.read();
            }
            drop(guard);
            looker.ends();
        };
        Race::new(look, move || drop(there.take()), move || drops.now() == 1, kept)
    });
}

#[test]
fn read_repin_read_take() {
    model("epoch: read of a deferred value, repin, read / take", || {
        let drops = Drops::new();
        let [here, there, kept] = handles(AtomicArc::new(Arc::new_deferred(Witness::new(&drops))));
        let look = move |looker: &Looker| {
            let mut guard = pin();
            looker.begins();
            for _ in 0..2 {
                if let Some(found) = here.read(&guard) {
                    found.read();
                }
                guard.repin();
            }
            drop(guard);
            looker.ends();
        };
        Race::new(look, move || drop(there.take()), move || drops.now() == 1, kept)
    });
}

// Tables: a node, with its key or without; an array; the core.

/// A key whose comparison looks at what its destructor writes.
struct Key(Witness);

impl Key {
    fn new(drops: &Drops) -> Self {
        Key(Witness::new(drops))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.0.read() == other.0.read()
    }
}

impl Eq for Key {}

type Map<K = u64> = generic::WeakValueMap<K, Arc<Witness>, BuildHasherDefault<DefaultHasher>>;

#[test]
fn get_remove() {
    model("epoch: get, which compares keys / remove", || {
        let (object, drops) = (value(), Drops::new());
        let [here, there, kept] = handles(Map::default());
        here.insert(Key::new(&drops), &object);
        let look = move |looker: &Looker| {
            let (wanted, guard) = (Key::new(&Drops::new()), pin());
            looker.begins();
            if let Some(found) = here.get(&wanted) {
                found.read();
            }
            drop(guard);
            looker.ends();
        };
        let take_away = move || assert!(there.remove(&Key::new(&Drops::new())).is_some());
        Race::new(look, take_away, move || drops.now() == 1, (kept, object))
    });
}

#[test]
fn get_death() {
    model("epoch: get / death", || {
        let object = value();
        let is_freed = freed(&raw const *object); // the node has a weak count of the block
        let [here, _, kept] = handles(Map::default());
        here.insert(1, &object);
        let look = move |looker: &Looker| {
            let map = here.pin();
            looker.begins();
            if let Some(found) = map.get(&1) {
                found.read();
            }
            drop(map);
            looker.ends();
        };
        Race::new(look, move || drop(object), is_freed, kept)
    });
}

#[test]
fn get_grow() {
    model("epoch: get / grow", || {
        let object = value();
        let [here, there, kept] = handles(Map::default());
        here.insert(1, &object);
        let is_freed = freed(here.table().core().unwrap().shards()[0].array.load(Relaxed));
        let look = move |looker: &Looker| {
            let map = here.pin();
            looker.begins();
            assert!(map.contains_key(&1), "a key that is always there is never missed");
            drop(map);
            looker.ends();
        };
        Race::new(look, move || there.reserve(9), is_freed, (kept, object))
    });
}

// Deaths, which walk over hooks that others may take away: looking is dying here.

#[test]
fn death_clear() {
    model("epoch: the walk of a death / clear", || {
        let (object, drops) = (value(), Drops::new());
        let [_, there, kept] = handles(Map::default());
        there.insert(Key::new(&drops), &object);
        let look = move |looker: &Looker| {
            looker.begins();
            drop(object);
            looker.ends();
        };
        Race::new(look, move || there.clear(), move || drops.now() == 1, kept)
    });
}

#[test]
fn death_cancel_clear() {
    model("epoch: the walk of a death / cancel, clear", || {
        let (object, drops) = (value(), Drops::new());
        let [_, there, kept] = handles(Map::default());
        let observe = || {
            let captured = Witness::new(&Drops::new());
            Arc::observe(&object, move |value| _ = value.read() + captured.read())
        };
        observe().detach();
        there.insert(Key::new(&drops), &object);
        let newest = observe();
        let look = move |looker: &Looker| {
            looker.begins();
            drop(object);
            looker.ends();
        };
        let take_away = move || {
            newest.cancel();
            there.clear();
        };
        Race::new(look, take_away, move || drops.now() == 1, kept)
    });
}

#[test]
fn death_map_drop() {
    model("epoch: the walk of a death / the map's drop", || {
        let (object, map) = (value(), Map::default());
        map.insert(1, &object);
        let is_freed = freed(map.table().core().unwrap());
        let look = move |looker: &Looker| {
            looker.begins();
            drop(object);
            looker.ends();
        };
        Race::new(look, move || drop(map), is_freed, ())
    });
}

// Lists: a node, an array.

#[test]
fn walk_remove() {
    model("epoch: a list's walk / remove, last drop", || {
        let object = value();
        let is_freed = freed(&raw const *object); // the node has a weak count of the block
        let [here, there, kept] = handles(WeakList::<Witness>::new());
        here.push(&object);
        let look = move |looker: &Looker| {
            let list = here.pin();
            looker.begins();
            list.iter().for_each(|seen| _ = seen.read());
            drop(list);
            looker.ends();
        };
        Race::new(look, move || assert!(there.remove(&object)), is_freed, kept)
    });
}

#[test]
fn walk_rebuild() {
    model("epoch: a list's walk / a push into a full array", || {
        let objects = [value(), value()];
        let [here, there, kept] = handles(WeakList::<Witness>::new());
        here.push(&objects[0]);
        here.push(&value()); // dead at once: its slot stays empty
        let is_freed = freed(here.list().core().unwrap().array.load(Relaxed));
        let (kept, new) = ((kept, objects.clone()), objects[1].clone());
        let look = move |looker: &Looker| {
            let list = here.pin();
            looker.begins();
            assert!(list.iter().next().is_some(), "what is always there is never missed");
            drop(list);
            looker.ends();
        };
        Race::new(look, move || there.push(&new), is_freed, kept)
    });
}
