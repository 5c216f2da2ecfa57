//! Slots: places that threads read a pointer from while others put a new one there.

use super::pointers::{Circ, Counted, Node};
use super::{Payload, payload};
use arc_swap::{ArcSwap, ArcSwapWeak, Cache};
use circ::AtomicRc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use weakly::atomic::{AtomicArc, AtomicWeak};

/// A slot that keeps its object alive.
pub trait Slot: Send + Sync + 'static {
    /// A slot with an object of this word.
    fn of(word: u64) -> Self;

    /// Puts a new object of this word in place of the old one.
    fn swap(&self, word: u64);

    /// The word, through a counted pointer taken out.
    fn load(&self) -> u64;

    /// The word, through the cheapest borrow there is for one read.
    fn read(&self) -> u64;

    /// The sum of this many reads, under one guard or through one cache where there is such a thing.
    fn read_held(&self, times: u64) -> u64 {
        sum(times, || self.read())
    }
}

/// A slot that does not, with two objects that something else keeps alive.
pub trait WeakSlot: Send + Sync + 'static {
    /// A slot with the first object.
    fn new() -> Self;

    /// Puts one of the objects, chosen by the lowest bit, in place of the other.
    fn swap(&self, turn: u64);

    /// The word, through a counted pointer.
    fn upgrade(&self) -> u64;
}

/// The sum of so many reads.
pub fn sum(times: u64, mut read: impl FnMut() -> u64) -> u64 {
    (0..times).fold(0, |sum, _| sum.wrapping_add(read()))
}

const FULL: &str = "a slot is never empty here";

/// The two objects of a weak slot.
struct Pair<P>([P; 2]);

impl<P: Counted> Pair<P> {
    fn new() -> Self {
        Pair([P::of(1), P::of(2)])
    }

    fn at(&self, turn: u64) -> P::Weak {
        self.0[(turn % 2) as usize].downgrade()
    }
}

/// Our slot, of values that are `DEFERRED` or are not.
pub struct Ours<const DEFERRED: bool>(AtomicArc<Payload>);

fn ours(deferred: bool, word: u64) -> weakly::Arc<Payload> {
    if deferred { weakly::Arc::new_deferred(payload(word)) } else { weakly::Arc::new(payload(word)) }
}

impl<const DEFERRED: bool> Slot for Ours<DEFERRED> {
    fn of(word: u64) -> Self {
        Ours(AtomicArc::new(ours(DEFERRED, word)))
    }

    fn swap(&self, word: u64) {
        self.0.swap(ours(DEFERRED, word));
    }

    fn load(&self) -> u64 {
        self.0.load().expect(FULL)[0]
    }

    fn read(&self) -> u64 {
        self.0.read(&weakly::pin()).expect(FULL)[0]
    }

    fn read_held(&self, times: u64) -> u64 {
        let guard = weakly::pin();
        sum(times, || self.0.read(&guard).expect(FULL)[0])
    }
}

/// Our weak slot.
pub struct OursWeak(AtomicWeak<Payload>, Pair<weakly::Arc<Payload>>);

impl WeakSlot for OursWeak {
    fn new() -> Self {
        let objects = Pair::new();
        OursWeak(AtomicWeak::from(objects.at(0)), objects)
    }

    fn swap(&self, turn: u64) {
        self.0.swap(self.1.at(turn));
    }

    fn upgrade(&self) -> u64 {
        self.0.upgrade().expect(FULL)[0]
    }
}

impl Slot for ArcSwap<Payload> {
    fn of(word: u64) -> Self {
        ArcSwap::from_pointee(payload(word))
    }

    fn swap(&self, word: u64) {
        self.swap(Arc::new(payload(word)));
    }

    fn load(&self) -> u64 {
        self.load_full()[0]
    }

    fn read(&self) -> u64 {
        self.load()[0]
    }

    fn read_held(&self, times: u64) -> u64 {
        let mut cache = Cache::new(self);
        sum(times, || cache.load()[0])
    }
}

/// arc-swap's weak slot.
pub struct Swapped(ArcSwapWeak<Payload>, Pair<Arc<Payload>>);

impl WeakSlot for Swapped {
    fn new() -> Self {
        let objects = Pair::new();
        Swapped(ArcSwapWeak::new(objects.at(0)), objects)
    }

    fn swap(&self, turn: u64) {
        self.0.swap(self.1.at(turn));
    }

    fn upgrade(&self) -> u64 {
        self.0.load().upgrade().expect(FULL)[0]
    }
}

impl Slot for AtomicRc<Node> {
    fn of(word: u64) -> Self {
        AtomicRc::new(Node(payload(word)))
    }

    fn swap(&self, word: u64) {
        self.swap(Circ::of(word), Ordering::AcqRel);
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire, &circ::cs()).counted().word()
    }

    fn read(&self) -> u64 {
        self.read_held(1)
    }

    fn read_held(&self, times: u64) -> u64 {
        let guard = circ::cs();
        sum(times, || self.load(Ordering::Acquire, &guard).as_ref().expect(FULL).0[0])
    }
}

/// circ's weak slot.
pub struct CircWeak(circ::AtomicWeak<Node>, Pair<Circ>);

impl WeakSlot for CircWeak {
    fn new() -> Self {
        let objects = Pair::new();
        CircWeak(circ::AtomicWeak::from(objects.at(0)), objects)
    }

    fn swap(&self, turn: u64) {
        self.0.swap(self.1.at(turn), Ordering::AcqRel);
    }

    fn upgrade(&self) -> u64 {
        let guard = circ::cs();
        let snapshot = self.0.load(Ordering::Acquire, &guard).upgrade().expect(FULL);
        snapshot.counted().word()
    }
}

/// A pointer under a mutex.
pub struct Locked<P>(Mutex<P>);

impl<P> Locked<P> {
    fn lock(&self) -> MutexGuard<'_, P> {
        self.0.lock().expect("no panic under this lock")
    }

    /// What was there, to be dropped when the lock is free again.
    fn replace(&self, new: P) -> P {
        std::mem::replace(&mut *self.lock(), new)
    }
}

impl Slot for Locked<Arc<Payload>> {
    fn of(word: u64) -> Self {
        Locked(Mutex::new(Arc::new(payload(word))))
    }

    fn swap(&self, word: u64) {
        self.replace(Arc::new(payload(word)));
    }

    fn load(&self) -> u64 {
        let owned = Arc::clone(&self.lock());
        owned[0]
    }

    fn read(&self) -> u64 {
        self.lock()[0]
    }
}

/// A weak pointer under a mutex.
pub struct LockedWeak(Locked<Weak<Payload>>, Pair<Arc<Payload>>);

impl WeakSlot for LockedWeak {
    fn new() -> Self {
        let objects = Pair::new();
        LockedWeak(Locked(Mutex::new(objects.at(0))), objects)
    }

    fn swap(&self, turn: u64) {
        self.0.replace(self.1.at(turn));
    }

    fn upgrade(&self) -> u64 {
        let owned = self.0.lock().upgrade();
        owned.expect(FULL)[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows_what_was_put_there<S: Slot>() {
        let slot = S::of(1);
        assert_eq!((slot.load(), slot.read(), slot.read_held(3)), (1, 1, 3));
        slot.swap(2);
        assert_eq!((slot.load(), slot.read(), slot.read_held(3)), (2, 2, 6));
    }

    fn upgrades_what_was_put_there<S: WeakSlot>() {
        let slot = S::new();
        assert_eq!(slot.upgrade(), 1);
        slot.swap(1);
        assert_eq!(slot.upgrade(), 2);
        slot.swap(2);
        assert_eq!(slot.upgrade(), 1);
    }

    #[test]
    fn every_slot_shows_what_was_put_there() {
        shows_what_was_put_there::<Ours<false>>();
        shows_what_was_put_there::<Ours<true>>();
        shows_what_was_put_there::<ArcSwap<Payload>>();
        shows_what_was_put_there::<AtomicRc<Node>>();
        shows_what_was_put_there::<Locked<Arc<Payload>>>();
    }

    #[test]
    fn every_weak_slot_upgrades_what_was_put_there() {
        upgrades_what_was_put_there::<OursWeak>();
        upgrades_what_was_put_there::<Swapped>();
        upgrades_what_was_put_there::<CircWeak>();
        upgrades_what_was_put_there::<LockedWeak>();
    }
}
