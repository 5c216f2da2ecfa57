//! Atomic slots: every race that the page of `weakly::atomic` names, one model each.
//!
//! A [`Witness`] is what goes through the slots. Its destructor writes a cell that loom watches, so looking at a value that
//! somebody destroys is a causality violation.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc as Shared;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{Arc, Weak};

/// A value that knows whether it is looked at in time, and that counts its destruction.
struct Witness {
    name: u32,
    cell: UnsafeCell<u32>,
    dropped: Shared<AtomicUsize>,
}

// SAFETY: loom checks every access to the cell.
unsafe impl Sync for Witness {}

impl Witness {
    /// Reads the cell, and says whose it is.
    fn look(&self) -> u32 {
        // SAFETY: loom reports a race.
        assert_eq!(self.cell.with(|p| unsafe { *p }), self.name, "destroyed under a reader");
        self.name
    }

    /// Writes the cell, as only one who is alone with it may.
    fn touch(&self) {
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p = self.name });
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p = 0 });
        self.dropped.fetch_add(1, Relaxed);
    }
}

/// The witnesses of one execution.
#[derive(Clone, Default)]
struct Ledger {
    made: Shared<AtomicUsize>,
    dropped: Shared<AtomicUsize>,
}

impl Ledger {
    fn witness(&self, name: u32) -> Witness {
        self.made.fetch_add(1, Relaxed);
        Witness { name, cell: UnsafeCell::new(name), dropped: self.dropped.clone() }
    }

    fn arc(&self, name: u32) -> Arc<Witness> {
        Arc::new(self.witness(name))
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Relaxed)
    }
}

/// Explores `scenario`; when it is over, every witness was destroyed once.
fn model(name: &str, scenario: impl Fn(&Ledger) + Send + Sync + 'static) {
    loom_tests::model(name, move || {
        let ledger = Ledger::default();
        scenario(&ledger);
        weakly::pin().flush();
        assert_eq!(ledger.made.load(Relaxed), ledger.dropped(), "destroyed as often as made");
    });
}

fn slot<T>(slot: T) -> (Shared<T>, Shared<T>) {
    let slot = Shared::new(slot);
    (slot.clone(), slot)
}

#[test]
fn a_load_finds_its_object_whole_while_a_swap_takes_it_out() {
    model("load / swap", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let new = l.arc(2);
        let writer = thread::spawn(move || drop(there.swap(new)));
        here.load().unwrap().look();
        writer.join().unwrap();
        assert_eq!(l.dropped(), 1, "the old one is destroyed when both have let go of it");
        assert_eq!(here.load().unwrap().look(), 2);
    });
}

#[test]
fn a_stored_object_is_written_before_it_is_found() {
    model("load / store", |l| {
        let (here, there) = slot(AtomicArc::empty());
        let new = l.clone();
        let writer = thread::spawn(move || there.store(new.arc(1)));
        if let Some(found) = here.load() {
            found.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn what_came_before_a_store_is_seen_by_the_exchange_that_takes_it_out() {
    model("take / exchange", |l| {
        let (here, there) = slot(AtomicArc::empty());
        let new = l.clone();
        let writer = thread::spawn(move || {
            let _ = there.compare_exchange(None, new.arc(1));
        });
        if let Some(found) = here.take() {
            found.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_successful_exchange_comes_after_the_store_that_it_answers() {
    model("exchange / store of what it expects", |l| {
        let known = l.arc(1);
        let (here, there) = slot(AtomicArc::empty());
        let (note, same) = (Shared::new(l.witness(2)), known.clone());
        let written = note.clone();
        let writer = thread::spawn(move || {
            written.touch();
            there.store(same);
        });
        // The object is known already: all that is new to us is that it is in the slot.
        if here.compare_exchange(Some(&known), None).is_ok() {
            note.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn finding_a_slot_empty_comes_after_the_take_that_emptied_it() {
    model("load / take", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let note = Shared::new(l.witness(2));
        let written = note.clone();
        let writer = thread::spawn(move || {
            written.touch();
            drop(there.take());
        });
        if here.load().is_none() {
            note.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_load_never_takes_a_slot_that_is_always_full_for_empty() {
    model("load / swap, try_unwrap", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let new = l.arc(2);
        let writer = thread::spawn(move || {
            let old = there.swap(new).unwrap();
            drop(Arc::try_unwrap(old)); // a death without a drop of an `Arc`
        });
        here.load().expect("the slot is never empty").look();
        writer.join().unwrap();
    });
}

#[test]
fn a_read_never_takes_a_slot_that_is_always_full_for_empty() {
    model("read / store", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let new = l.arc(2);
        let writer = thread::spawn(move || there.store(new));
        let guard = weakly::pin();
        here.read(&guard).expect("the slot is never empty").look();
        drop(guard);
        writer.join().unwrap();
    });
}

#[test]
fn a_deferred_value_read_under_a_guard_outlives_take_and_drop() {
    model("read of a deferred value / take, drop", |l| {
        let (here, there) = slot(AtomicArc::new(Arc::new_deferred(l.witness(1))));
        let writer = thread::spawn(move || drop(there.take()));
        let guard = weakly::pin();
        if let Some(seen) = here.read(&guard) {
            thread::yield_now();
            seen.look();
            drop(seen.to_arc());
            seen.look();
        }
        drop(guard);
        writer.join().unwrap();
    });
}

#[test]
fn a_counted_snapshot_outlives_take_and_drop_without_its_guards_help() {
    model("read / take, drop", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let writer = thread::spawn(move || drop(there.take()));
        let guard = weakly::pin();
        if let Some(seen) = here.read(&guard) {
            seen.look();
        }
        writer.join().unwrap();
        assert_eq!(l.dropped(), 1, "prompt, though a guard is held");
    });
}

#[test]
fn a_deferred_value_read_under_a_guard_outlives_the_slot() {
    model("read of a deferred value / the slot's drop", |l| {
        let here = loom::sync::Arc::new(AtomicArc::new(Arc::new_deferred(l.witness(1))));
        let there = here.clone();
        let other = thread::spawn(move || {
            let guard = weakly::pin();
            let seen = there.read(&guard).unwrap();
            drop(there);
            seen.look();
        });
        drop(here); // whoever is second drops the slot
        other.join().unwrap();
    });
}

#[test]
fn what_was_taken_out_is_nobodys_alone_while_a_reader_may_still_get_it() {
    model("load / take, get_mut", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let writer = thread::spawn(move || {
            let mut taken = there.take().unwrap();
            if let Some(alone) = Arc::get_mut(&mut taken) {
                alone.touch();
            }
        });
        if let Some(found) = here.load() {
            found.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_reader_finds_its_block_though_slot_and_owner_let_go_at_once() {
    model("load / take, drop / the owner's drop", |l| {
        let owner = l.arc(1);
        let (here, there) = slot(AtomicArc::new(owner.clone()));
        let writer = thread::spawn(move || drop(there.take()));
        let other = thread::spawn(move || drop(owner));
        if let Some(found) = here.load() {
            found.look();
        }
        writer.join().unwrap();
        other.join().unwrap();
        assert_eq!(l.dropped(), 1);
    });
}

#[test]
fn a_failed_exchange_hands_out_what_it_found_whole() {
    model("failing exchange / take, drop", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let writer = thread::spawn(move || drop(there.take()));
        match here.compare_exchange(None, l.arc(2)) {
            Ok(old) => assert!(old.is_none()),
            Err(lost) => {
                lost.current.expect("the exchange was against nothing").look();
                lost.new.unwrap().look();
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_failed_exchange_sees_what_it_found_written() {
    model("failing exchange / store", |l| {
        let (here, there) = slot(AtomicArc::empty());
        let new = l.clone();
        let writer = thread::spawn(move || there.store(new.arc(1)));
        if let Err(lost) = here.compare_exchange(Some(&l.arc(2)), None)
            && let Some(found) = lost.current
        {
            found.look();
        }
        writer.join().unwrap();
    });
}

#[test]
fn of_two_exchanges_of_one_object_one_succeeds() {
    model("exchange / exchange", |l| {
        let old = l.arc(1);
        let (here, there) = slot(AtomicArc::new(old.clone()));
        let (mine, theirs, same) = (l.arc(2), l.arc(3), old.clone());
        let other = thread::spawn(move || there.compare_exchange(Some(&same), theirs).is_ok());
        let won = here.compare_exchange(Some(&old), mine).is_ok();
        assert_ne!(won, other.join().unwrap());
        assert_eq!(here.load().unwrap().look(), if won { 2 } else { 3 });
    });
}

#[test]
fn an_exchange_in_a_weak_slot_goes_by_identity_through_the_objects_death() {
    model("weak: exchange / its object's death, upgrade", |l| {
        let old = l.arc(1);
        let weak = Arc::downgrade(&old);
        let (here, there) = slot(AtomicWeak::new(&old));
        let owner = thread::spawn(move || {
            drop(old);
            assert!(there.upgrade().is_none_or(|found| found.look() == 2));
        });
        let new = l.arc(2);
        let before = here.compare_exchange(&weak, Arc::downgrade(&new)).expect("nobody else replaces it");
        if let Some(alive) = before.upgrade() {
            alive.look();
        }
        owner.join().unwrap();
        assert_eq!(here.upgrade().unwrap().look(), 2);
    });
}

#[test]
fn of_two_stores_the_last_stays_and_the_others_are_destroyed() {
    model("store / store", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let (mine, theirs) = (l.arc(2), l.arc(3));
        let other = thread::spawn(move || there.store(theirs));
        here.store(mine);
        other.join().unwrap();
        assert_eq!(l.dropped(), 2, "promptly");
        assert_ne!(here.take().unwrap().look(), 1);
    });
}

#[test]
fn a_load_against_two_stores_finds_one_of_the_three() {
    model("load / store / store", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let also = here.clone();
        let (second, third) = (l.arc(2), l.arc(3));
        let one = thread::spawn(move || there.store(second));
        let two = thread::spawn(move || also.store(third));
        here.load().unwrap().look();
        one.join().unwrap();
        two.join().unwrap();
        assert_eq!(l.dropped(), 2);
    });
}

#[test]
fn two_updates_of_one_slot_both_count() {
    model("update / update", |l| {
        let (here, there) = slot(AtomicArc::new(l.arc(1)));
        let new = l.clone();
        let add = move |slot: &AtomicArc<Witness>, ledger: &Ledger| {
            assert!(slot.fetch_update(|now| now.map(|now| Some(ledger.arc(now.look() + 1)))).is_ok());
        };
        let other = thread::spawn(move || add(&there, &new));
        add(&here, l);
        other.join().unwrap();
        assert_eq!(here.load().unwrap().look(), 3);
    });
}

#[test]
fn two_initializers_of_an_owning_slot_get_one_object() {
    model("initializer / initializer", |l| {
        let (here, there) = slot(AtomicArc::empty());
        let new = l.clone();
        let other = thread::spawn(move || there.get_or_init_with(|| new.arc(1)));
        let mine = here.get_or_init_with(|| l.arc(2));
        mine.look();
        let theirs = other.join().unwrap();
        assert!(Arc::ptr_eq(&mine, &theirs));
        assert!(Arc::ptr_eq(&mine, &here.take().unwrap()));
    });
}

#[test]
fn two_initializers_of_a_weak_slot_get_one_object() {
    model("weak: initializer / initializer", |l| {
        let (here, there) = slot(AtomicWeak::empty());
        let new = l.clone();
        let other = thread::spawn(move || there.get_or_init_with(|| new.arc(1)));
        let mine = here.get_or_init_with(|| l.arc(2));
        mine.look();
        let theirs = other.join().unwrap();
        assert!(Arc::ptr_eq(&mine, &theirs));
        assert!(Arc::ptr_eq(&mine, &here.upgrade().unwrap()));
    });
}

#[test]
fn an_initializer_against_the_death_of_what_is_there_returns_something_alive() {
    model("weak: initializer / death of what is there", |l| {
        let old = l.arc(1);
        let (here, there) = slot(AtomicWeak::new(&old));
        let owner = thread::spawn(move || {
            drop(old);
            drop(there);
        });
        let found = here.get_or_init_with(|| l.arc(2));
        found.look();
        assert!(Arc::ptr_eq(&found, &here.upgrade().unwrap()));
        owner.join().unwrap();
    });
}

#[test]
fn a_weak_slot_that_always_holds_something_alive_always_upgrades() {
    model("weak: upgrade / store, death", |l| {
        let (old, new) = (l.arc(1), l.arc(2));
        let (here, there) = slot(AtomicWeak::new(&old));
        let next = Arc::downgrade(&new);
        let writer = thread::spawn(move || {
            there.store(next);
            drop(old);
        });
        here.upgrade().expect("there was always something alive").look();
        writer.join().unwrap();
    });
}

#[test]
fn a_weak_slot_upgrades_past_an_object_whose_value_is_moved_out() {
    model("weak: read / store, try_unwrap", |l| {
        let (old, new) = (l.arc(1), l.arc(2));
        let (here, there) = slot(AtomicWeak::new(&old));
        let next = Arc::downgrade(&new);
        let writer = thread::spawn(move || {
            there.store(next);
            drop(Arc::try_unwrap(old));
        });
        let guard = weakly::pin();
        here.read(&guard).expect("there was always something alive").look();
        drop(guard);
        writer.join().unwrap();
    });
}

#[test]
fn a_weak_slot_reads_past_a_deferred_object_that_dies() {
    model("weak: read / store, death of a deferred object", |l| {
        let old = Arc::new_deferred(l.witness(1));
        let new = Arc::new_deferred(l.witness(2));
        let (here, there) = slot(AtomicWeak::new(&old));
        let next = Arc::downgrade(&new);
        let writer = thread::spawn(move || {
            there.store(next);
            drop(old);
        });
        let guard = weakly::pin();
        let seen = here.read(&guard).expect("there was always something alive");
        thread::yield_now();
        seen.look();
        drop(seen);
        drop(guard);
        writer.join().unwrap();
    });
}

#[test]
fn a_weak_loaded_from_a_slot_keeps_its_block() {
    model("weak: load / death, take", |l| {
        let old = l.arc(1);
        let (here, there) = slot(AtomicWeak::new(&old));
        let writer = thread::spawn(move || {
            drop(old);
            drop(there.take());
        });
        let weak = here.load();
        if let Some(alive) = weak.upgrade() {
            alive.look();
        }
        writer.join().unwrap();
        assert!(!weak.is_alive());
        assert_eq!(here.load(), Weak::new());
    });
}
