//! Interners: an object that its last two users let go of at once, or that one lets go of while another asks for it.

use crate::common::{Counted, Tally, sized, watchdog};
use crate::help::{Guest, Shelf, in_step, long_death, until_dead};
use std::hash::{Hash, Hasher};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use weakly::{Arc, Interned, Interner, WeakList, std_arc};

/// An interned value that holds an interned value.
#[derive(PartialEq, Eq, Hash)]
struct Nat(Option<Interned<Nat>>);

/// Go's `unique` needed one collection for each level of handles that hold handles (until 1.25); `internment`'s `Drop` locked
/// once for each, and so against itself (#7). Here a chain goes in one drop, however long, and without eating the stack.
#[test]
fn go_unique_internment_7_nested_handles_go_in_one_drop() {
    let _dog = watchdog();
    let depth = sized(50_000, 60);
    let interner: Interner<Nat> = Interner::new();
    let mut number = interner.intern_arc(Arc::new(Nat(None)));
    for _ in 1..depth {
        number = interner.intern_arc(Arc::new(Nat(Some(number))));
    }
    assert_eq!(interner.len(), depth);
    drop(number);
    assert_eq!((interner.len(), interner.stats().died, interner.stats().pending_removals), (0, depth as u64, 0));
}

/// Interners that count to two in `Drop` - the user's handle and the table's own - leak the entry when the last two users let go
/// at once, for each sees three. Here the table has no handle, and the count's fall to zero is one thread's.
#[test]
fn the_last_two_handles_that_drop_at_once_leave_no_entry() {
    let _dog = watchdog();
    let rounds = sized(5_000, 20);
    let tally = Tally::new();
    let (native, guests): (Interner<Counted>, std_arc::Interner<Guest>) = Default::default();
    let handles = || {
        let all = (0..rounds as u64).map(|n| {
            let one = native.intern_ref(&Counted::new(n, &tally));
            (one, guests.intern_arc(Guest::new(n)))
        });
        all.collect::<Vec<_>>()
    };
    let (left, right) = (Shelf::new(handles()), Shelf::new(handles()));
    assert_eq!((native.len(), guests.len()), (rounds, rounds), "two handles each");
    in_step(rounds, [&|round| drop(left.take(round)), &|round| drop(right.take(round))]);
    assert_eq!((native.len(), guests.len(), tally.left()), (0, 0, 0));
    assert_eq!((native.stats().died, guests.stats().died), (rounds as u64, rounds as u64));
}

/// A value that knows whether it still is one.
struct Canary {
    n: usize,
    alive: AtomicBool,
}

impl Canary {
    fn new(n: usize) -> Arc<Self> {
        Arc::new(Canary { n, alive: AtomicBool::new(true) })
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.alive.store(false, SeqCst);
    }
}

impl PartialEq for Canary {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.alive.load(SeqCst) && other.alive.load(SeqCst), "compared after its destructor");
        self.n == other.n
    }
}

impl Eq for Canary {}

impl Hash for Canary {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.n.hash(state);
    }
}

/// `ArcIntern::drop` freed the object after it had looked at the count, and another thread's handle, made in between, pointed to
/// nothing. Here the count decides: who raises it from zero doesn't, and gets a new object.
#[test]
fn rustsec_2020_0017_who_interns_while_the_last_handle_drops_gets_a_live_object() {
    let _dog = watchdog();
    let (rounds, list) = (sized(500, 10), WeakList::new());
    let (native, guests): (Interner<Canary>, std_arc::Interner<Guest>) = Default::default();
    let last: Vec<_> = (0..rounds)
        .map(|n| {
            let canary = native.intern_arc(Canary::new(n));
            long_death(Interned::as_arc(&canary), &list);
            (canary, guests.intern_arc(Guest::new(n as u64)))
        })
        .collect();
    let dying: Vec<_> = last.iter().map(|(canary, _)| Arc::downgrade(Interned::as_arc(canary))).collect();
    let last = Shelf::new(last);
    let intern = |n: usize| {
        until_dead(&dying[n]);
        let (canary, guest) = (native.intern_arc(Canary::new(n)), guests.intern_arc(Guest::new(n as u64)));
        assert!(canary.alive.load(SeqCst) && canary.n == n && guest.n == n as u64);
        // As long as it is held, it is the one.
        assert!(native.get(&*canary).is_some_and(|there| there == canary));
        let there = guests.get(&*guest).map(std_arc::Interned::into_arc);
        assert!(there.is_some_and(|there| StdArc::ptr_eq(&there, std_arc::Interned::as_arc(&guest))));
    };
    in_step(rounds, [&|round| drop(last.take(round)), &intern, &intern]);
    assert_eq!((native.len(), guests.len()), (0, 0));
}
