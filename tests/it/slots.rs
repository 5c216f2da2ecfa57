//! `AtomicArc` and `AtomicWeak`: counts, promptness, identity, hostile user code, and four threads at once.

use crate::common::eventually;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as Shared, Barrier, Mutex};
use std::thread;
use weakly::atomic::{AtomicArc, AtomicWeak, CompareExchangeError};
use weakly::{Arc, Weak};

const THREADS: usize = 4;
const ROUNDS: usize = if cfg!(miri) { 12 } else { 5_000 };

/// How often it happened.
#[derive(Clone, Debug, Default)]
struct Tally(Shared<AtomicUsize>);

impl Tally {
    fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// A value that counts its destruction, and is recognizably gone afterwards.
#[derive(Debug)]
struct Counted {
    value: usize,
    check: AtomicUsize,
    drops: Tally,
}

impl Counted {
    fn new(value: usize, drops: &Tally) -> Self {
        Counted { value, check: AtomicUsize::new(!value), drops: drops.clone() }
    }
    fn arc(value: usize, drops: &Tally) -> Arc<Self> {
        Arc::new(Self::new(value, drops))
    }
    fn deferred(value: usize, drops: &Tally) -> Arc<Self> {
        Arc::new_deferred(Self::new(value, drops))
    }
    /// The value; whole, or the test fails.
    fn whole(&self) -> usize {
        assert_eq!(self.check.load(SeqCst), !self.value, "destroyed while it could be seen");
        self.value
    }
}

/// Looks at what a slot gave out, if it was anything, and lets go of it.
fn see(seen: Option<impl Deref<Target = Counted>>) {
    if let Some(seen) = seen {
        seen.whole();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.whole();
        self.check.store(self.value, SeqCst);
        self.drops.add();
    }
}

/// Does this thread hold no guard? Then what it defers is destroyed in the end.
fn unpinned() -> bool {
    let drops = Tally::default();
    drop(Counted::deferred(0, &drops));
    eventually(|| drops.get() == 1)
}

/// Runs `work` on all threads at once.
fn at_once(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for me in 0..THREADS {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(me);
            });
        }
    });
}

mod owning {
    use super::*;

    #[test]
    fn an_empty_slot_holds_nothing_and_can_be_static() {
        static SLOT: AtomicArc<String> = AtomicArc::empty();
        assert!(SLOT.load().is_none());
        assert!(SLOT.take().is_none());
        assert!(SLOT.read(&weakly::pin()).is_none());
        SLOT.store(Arc::new("here".to_string()));
        assert_eq!(SLOT.load().as_deref().map(String::as_str), Some("here"));
        assert!(AtomicArc::<u8>::default().into_inner().is_none());
    }

    #[test]
    fn a_slot_owns_one_strong_count_and_no_weak_one() {
        let five = Arc::new(5);
        let slot = AtomicArc::from(five.clone());
        assert_eq!((Arc::strong_count(&five), Arc::weak_count(&five)), (2, 0));
        let loaded = slot.load().unwrap();
        assert!(Arc::ptr_eq(&loaded, &five));
        assert_eq!(Arc::strong_count(&five), 3);
        drop(loaded);
        assert!(Arc::ptr_eq(&slot.swap(None).unwrap(), &five));
        assert_eq!(Arc::strong_count(&five), 1);
    }

    #[test]
    fn what_was_taken_out_is_its_owners_alone_again_after_a_grace_period() {
        let slot = AtomicArc::new(Arc::new(5));
        let mut five = slot.take().unwrap();
        assert!(eventually(|| Arc::weak_count(&five) == 0));
        assert_eq!(Arc::get_mut(&mut five), Some(&mut 5));
    }

    #[test]
    fn dropping_what_was_taken_destroys_at_once_though_guards_are_held() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::arc(1, &drops));
        let guard = weakly::pin();
        thread::scope(|scope| {
            scope.spawn(|| drop(slot.take()));
        });
        assert_eq!(drops.get(), 1);
        slot.store(Counted::arc(2, &drops));
        drop(slot.take());
        assert_eq!(drops.get(), 2);
        drop(guard);
    }

    #[test]
    fn a_store_destroys_the_old_object_before_it_returns() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::arc(0, &drops));
        for n in 1..10 {
            slot.store(Counted::arc(n, &drops));
            assert_eq!(drops.get(), n);
        }
        slot.store(None);
        assert_eq!(drops.get(), 10);
    }

    #[test]
    fn dropping_a_slot_destroys_what_is_in_it() {
        let drops = Tally::default();
        drop(AtomicArc::new(Counted::arc(0, &drops)));
        assert_eq!(drops.get(), 1);
        drop(AtomicArc::new(Counted::arc(0, &drops)).into_inner());
        assert_eq!(drops.get(), 2);
    }

    #[test]
    fn every_method_that_takes_an_arc_takes_an_option_of_one() {
        let slot = AtomicArc::new(None);
        slot.store(Arc::new(1));
        slot.store(Some(Arc::new(2)));
        assert_eq!(slot.swap(Some(Arc::new(3))).as_deref(), Some(&2));
        assert_eq!(slot.swap(Arc::new(4)).as_deref(), Some(&3));
        let four = slot.load();
        assert!(slot.compare_exchange(four.as_ref(), Some(Arc::new(5))).is_ok());
        let five = slot.load();
        assert!(slot.compare_exchange(five.as_ref(), None).is_ok());
        assert!(slot.load().is_none());
        assert_eq!(AtomicArc::from(Some(Arc::new(6))).load().as_deref(), Some(&6));
    }

    #[test]
    fn an_exchange_goes_by_identity_and_gives_everything_back() {
        let (one, same_value) = (Arc::new(1), Arc::new(1));
        let slot = AtomicArc::new(one.clone());
        let CompareExchangeError { current, new } =
            slot.compare_exchange(Some(&same_value), Arc::new(2)).expect_err("equal, but another object");
        assert!(Arc::ptr_eq(&current.unwrap(), &one));
        assert_eq!(new.as_deref(), Some(&2));
        assert!(slot.compare_exchange(None, new.clone()).is_err());
        let old = slot.compare_exchange(Some(&one), new.clone()).expect("the very same").unwrap();
        assert!(Arc::ptr_eq(&old, &one));
        assert!(Arc::ptr_eq(&slot.load().unwrap(), &new.unwrap()));
        slot.store(None);
        let error = slot.compare_exchange(Some(&one), None).unwrap_err();
        assert!(error.current.is_none() && error.new.is_none());
        assert!(slot.compare_exchange(None, one.clone()).unwrap().is_none());
        assert_eq!(Arc::strong_count(&one), 3); // `one`, `old`, the slot
    }

    #[test]
    fn an_update_replaces_or_leaves_alone() {
        let slot = AtomicArc::new(Arc::new(1));
        let old = slot.fetch_update(|n| Some(n.map(|n| Arc::new(**n + 1))));
        assert_eq!(old.unwrap().as_deref(), Some(&1));
        assert_eq!(slot.fetch_update(|_| None).unwrap_err().as_deref(), Some(&2));
        assert_eq!(slot.fetch_update(|_| Some(None)).unwrap().as_deref(), Some(&2));
        assert!(slot.fetch_update(|n| n.is_some().then_some(None)).unwrap_err().is_none());
    }

    #[test]
    fn an_update_that_was_overtaken_sees_what_overtook_it() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::arc(1, &drops));
        let mut seen = Vec::new();
        let old = slot.fetch_update(|now| {
            let now = now.unwrap().whole();
            seen.push(now);
            if now == 1 {
                slot.store(Counted::arc(10, &drops)); // somebody else, just then
            }
            Some(Some(Counted::arc(now + 1, &drops)))
        });
        assert_eq!(old.unwrap().unwrap().whole(), 10);
        assert_eq!(seen, [1, 10]);
        assert_eq!(slot.take().unwrap().whole(), 11);
        assert_eq!(drops.get(), 4); // 1, 10, the one made in vain, 11
    }

    #[test]
    fn an_initializer_runs_only_if_there_is_nothing() {
        let slot = AtomicArc::empty();
        let one = slot.get_or_init_with(|| Arc::new(1));
        assert!(Arc::ptr_eq(&one, &slot.get_or_init_with(|| unreachable!())));
        assert_eq!(slot.get_or_try_init_with(|| Err("unused")).as_deref(), Ok(&1));
        slot.store(None);
        assert_eq!(slot.get_or_try_init_with(|| Err("failed")).unwrap_err(), "failed");
        assert!(slot.load().is_none());
    }

    #[test]
    fn an_initializer_that_lost_is_dropped_for_the_winner() {
        let drops = Tally::default();
        let slot = AtomicArc::empty();
        let winner = slot.get_or_init_with(|| {
            slot.store(Counted::arc(1, &drops)); // somebody else, just then
            Counted::arc(2, &drops)
        });
        assert_eq!((winner.whole(), drops.get()), (1, 1));
        assert!(Arc::ptr_eq(&winner, &slot.load().unwrap()));
    }

    #[test]
    fn get_mut_reaches_the_object_in_place_and_may_replace_it() {
        let drops = Tally::default();
        let mut slot = AtomicArc::new(Counted::arc(1, &drops));
        *Arc::get_mut(slot.get_mut().unwrap()).expect("the slot is the only owner") = Counted::new(2, &drops);
        *slot.get_mut().unwrap() = Counted::arc(3, &drops);
        assert_eq!(drops.get(), 2);
        assert_eq!(slot.load().unwrap().whole(), 3);
        slot.store(None);
        assert_eq!(drops.get(), 3);
        assert!(slot.get_mut().is_none());
    }

    #[test]
    fn a_deferred_value_is_read_without_a_count_and_an_ordinary_one_with() {
        let (fast, slow) = (Arc::new_deferred(1), Arc::new(2));
        let slot = AtomicArc::new(fast.clone());
        let guard = weakly::pin();
        let seen = slot.read(&guard).unwrap();
        assert_eq!((*seen, Arc::strong_count(&fast)), (1, 2));
        slot.store(slow.clone());
        let counted = slot.read(&guard).unwrap();
        assert_eq!((*counted, Arc::strong_count(&slow)), (2, 3));
        assert!(Arc::ptr_eq(&counted.to_arc().unwrap(), &slow));
        assert_eq!((*seen, Arc::strong_count(&fast)), (1, 1));
    }

    #[test]
    fn a_deferred_value_survives_take_and_drop_under_a_guard() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::deferred(1, &drops));
        let guard = weakly::pin();
        let seen = slot.read(&guard).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                drop(slot.take());
                weakly::pin().flush();
            });
        });
        guard.flush();
        assert_eq!((seen.whole(), drops.get()), (1, 0));
        assert!(seen.to_arc().is_none(), "it is dead all the same");
        drop(seen);
        drop(guard);
        assert!(eventually(|| drops.get() == 1));
    }

    #[test]
    fn a_deferred_value_survives_its_slot_under_a_guard() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::deferred(1, &drops));
        let guard = weakly::pin();
        let seen = slot.read(&guard).unwrap();
        drop(slot);
        guard.flush();
        assert_eq!((seen.whole(), drops.get()), (1, 0));
        drop(seen);
        drop(guard);
        assert!(eventually(|| drops.get() == 1));
    }

    #[test]
    fn a_counted_snapshot_survives_take_and_drop_and_may_be_the_last() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::arc(1, &drops));
        let guard = weakly::pin();
        let seen = slot.read(&guard).unwrap();
        drop(slot.take());
        assert_eq!((seen.whole(), drops.get()), (1, 0));
        drop(seen);
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn callbacks_run_before_the_store_that_ends_an_object_returns() {
        let told = Tally::default();
        let slot = AtomicArc::new(Arc::new(1));
        let also = told.clone();
        Arc::observe(&slot.load().unwrap(), move |_| also.add()).detach();
        assert_eq!(told.get(), 0);
        slot.store(Arc::new(2));
        assert_eq!(told.get(), 1);
    }

    #[test]
    fn zero_sized_and_over_aligned_objects_are_told_apart() {
        let (a, b) = (Arc::new(()), Arc::new(()));
        let slot = AtomicArc::new(a.clone());
        assert!(slot.compare_exchange(Some(&b), None).is_err());
        assert!(Arc::ptr_eq(&slot.load().unwrap(), &a));
        assert!(slot.compare_exchange(Some(&a), b).is_ok());

        #[repr(align(4096))]
        struct Page(u8);
        let slot = AtomicArc::new(Arc::new(Page(1)));
        slot.store(Arc::new(Page(2)));
        assert_eq!(slot.load().unwrap().0, 2);
    }

    #[test]
    fn a_slot_may_hold_what_borrows() {
        let text = String::from("short-lived");
        let slot = AtomicArc::new(Arc::new(text.as_str()));
        slot.store(Arc::new(&text[..5]));
        assert_eq!(*slot.load().unwrap(), "short");
    }

    #[test]
    fn debug_shows_the_value() {
        let slot = AtomicArc::new(Arc::new(5));
        assert_eq!(format!("{slot:?}"), "AtomicArc(Some(5))");
        assert_eq!(format!("{:?}", AtomicArc::<i32>::empty()), "AtomicArc(None)");
        let error = slot.compare_exchange(None, None).unwrap_err();
        assert_eq!(format!("{error:?} {error}"), "CompareExchangeError { .. } the slot held something else");
    }
}

mod hostile {
    use super::*;

    #[test]
    fn a_destructor_may_store_into_the_slot_it_was_thrown_out_of() {
        static SLOT: AtomicArc<Phoenix> = AtomicArc::empty();
        static BURNT: AtomicUsize = AtomicUsize::new(0);
        struct Phoenix(usize);
        impl Drop for Phoenix {
            fn drop(&mut self) {
                BURNT.fetch_add(1, SeqCst);
                if let Some(left) = self.0.checked_sub(1) {
                    SLOT.store(Arc::new(Phoenix(left)));
                }
            }
        }
        SLOT.store(Arc::new(Phoenix(3)));
        SLOT.store(None); // 3 goes, and 2 comes
        assert_eq!(SLOT.load().unwrap().0, 2);
        drop(SLOT.take()); // 2 goes, and 1 comes
        assert_eq!(SLOT.load().unwrap().0, 1);
        let one = SLOT.load();
        assert!(SLOT.compare_exchange(one.as_ref(), Arc::new(Phoenix(0))).is_ok());
        drop(one); // 1 goes, and 0 comes in place of 0, which goes
        assert_eq!(BURNT.load(SeqCst), 4);
        SLOT.store(None);
        assert_eq!(BURNT.load(SeqCst), 5);
        assert!(SLOT.load().is_none());
    }

    #[test]
    fn a_destructor_may_empty_the_weak_slot_that_knows_its_object() {
        static SLOT: AtomicWeak<Shy> = AtomicWeak::empty();
        struct Shy(usize);
        impl Drop for Shy {
            fn drop(&mut self) {
                self.0 += 1;
                assert!(SLOT.upgrade().is_none());
                drop(SLOT.take()); // Miri: nobody may look at the value, not even for its size
                self.0 += 1;
            }
        }
        let shy = Arc::new(Shy(0));
        SLOT.store(Arc::downgrade(&shy));
        drop(shy);
        assert_eq!(SLOT.load(), Weak::new());
    }

    #[test]
    fn a_destructor_that_panics_finds_the_new_object_stored() {
        struct Bomb(bool);
        impl Drop for Bomb {
            fn drop(&mut self) {
                assert!(!self.0, "as planned");
            }
        }
        let slot = AtomicArc::new(Arc::new(Bomb(true)));
        assert!(catch_unwind(|| slot.store(Arc::new(Bomb(false)))).is_err());
        assert!(!slot.load().unwrap().0);
        slot.store(None);
        let lost = catch_unwind(|| {
            slot.get_or_init_with(|| {
                slot.store(Arc::new(Bomb(false)));
                Arc::new(Bomb(true))
            })
        });
        assert!(lost.is_err(), "the loser's destructor");
        assert_eq!(Arc::strong_count(&slot.take().unwrap()), 1, "nothing leaks");
        let (slot, winner) = (AtomicWeak::empty(), Arc::new(Bomb(false)));
        let lost = catch_unwind(|| {
            slot.get_or_init_with(|| {
                slot.store(Arc::downgrade(&winner));
                Arc::new(Bomb(true))
            })
        });
        assert!(lost.is_err(), "the loser's destructor");
        assert_eq!(Arc::strong_count(&winner), 1, "nothing leaks");
    }

    #[test]
    fn a_closure_that_panics_leaves_the_slot_as_it_was() {
        let drops = Tally::default();
        let slot = AtomicArc::empty();
        assert!(catch_unwind(AssertUnwindSafe(|| slot.get_or_init_with(|| panic!("as planned")))).is_err());
        assert!(slot.load().is_none());
        slot.store(Counted::arc(1, &drops));
        assert!(catch_unwind(AssertUnwindSafe(|| slot.fetch_update(|_| panic!("as planned")))).is_err());
        let one = slot.take().unwrap();
        assert_eq!((one.whole(), Arc::strong_count(&one), drops.get()), (1, 1, 0));

        let weak = AtomicWeak::new(&one);
        drop(one);
        assert!(catch_unwind(AssertUnwindSafe(|| weak.get_or_init_with(|| panic!("as planned")))).is_err());
        assert_eq!(weak.get_or_init_with(|| Counted::arc(2, &drops)).whole(), 2);
    }

    #[test]
    fn user_code_runs_unpinned() {
        struct Curious(Tally);
        impl Drop for Curious {
            fn drop(&mut self) {
                assert!(unpinned());
                self.0.add();
            }
        }
        impl fmt::Debug for Curious {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                assert!(unpinned());
                f.write_str("curious")
            }
        }
        let drops = Tally::default();
        let curious = || Arc::new(Curious(drops.clone()));
        let slot = AtomicArc::new(curious());
        assert_eq!(format!("{slot:?}"), "AtomicArc(Some(curious))");
        slot.store(None);
        assert_eq!(drops.get(), 1);
        let lost = slot.get_or_init_with(|| {
            assert!(unpinned());
            slot.store(curious());
            curious()
        });
        drop(lost);
        assert_eq!(drops.get(), 2);
        let mut interfere = true;
        let updated = slot.fetch_update(|_| {
            assert!(unpinned());
            if std::mem::take(&mut interfere) {
                slot.store(curious());
            }
            Some(Some(curious()))
        });
        drop(updated);
        assert_eq!(drops.get(), 5);
        let weak = AtomicWeak::empty();
        drop(weak.get_or_init_with(|| {
            assert!(unpinned());
            curious()
        }));
        assert_eq!(drops.get(), 6);
    }

    /// Whatever grace periods made ripe, a thread that only ever writes to slots destroys.
    #[test]
    fn every_writer_destroys_what_is_ripe() {
        let slot = AtomicArc::new(Arc::new(0));
        let weak = AtomicWeak::empty();
        let writers: [&dyn Fn(); 5] = [
            &|| slot.store(Arc::new(1)),
            &|| drop(slot.swap(Arc::new(2))),
            &|| drop(slot.compare_exchange(slot.load().as_ref(), Arc::new(3))),
            &|| drop(slot.fetch_update(|_| Some(Some(Arc::new(4))))),
            &|| drop(weak.get_or_init_with(|| Arc::new(5))),
        ];
        for write in writers {
            let drops = Tally::default();
            drop(Counted::deferred(0, &drops));
            let done = (0..10_000).any(|_| {
                for _ in 0..200 {
                    drop(weakly::pin()); // collects now and then, and destroys nothing
                }
                write();
                drops.get() == 1
            });
            assert!(done);
        }
    }

    #[test]
    fn slots_work_while_a_threads_locals_are_destroyed() {
        static SLOT: AtomicArc<Counted> = AtomicArc::empty();
        struct Late(Tally);
        impl Drop for Late {
            fn drop(&mut self) {
                let new = Counted::arc(SLOT.load().map_or(0, |seen| seen.whole()) + 1, &self.0);
                let weak = AtomicWeak::new(&new);
                SLOT.store(new);
                drop(weak.upgrade());
                let guard = weakly::pin();
                assert!(SLOT.read(&guard).unwrap().whole() > 0);
            }
        }
        thread_local! {
            static EARLY: Cell<Option<Late>> = const { Cell::new(None) };
            static LAST: Cell<Option<Late>> = const { Cell::new(None) };
        }
        let drops = Tally::default();
        let theirs = drops.clone();
        let thread = thread::spawn(move || {
            EARLY.set(Some(Late(theirs.clone()))); // before the epoch's own thread-local
            drop(weakly::pin());
            LAST.set(Some(Late(theirs))); // and after
        });
        thread.join().unwrap(); // also waits for the thread's locals
        assert_eq!(drops.get(), 1);
        assert_eq!(SLOT.take().unwrap().whole(), 2);
    }
}

mod weak {
    use super::*;

    #[test]
    fn an_empty_slot_is_one_of_nothing_and_can_be_static() {
        static SLOT: AtomicWeak<String> = AtomicWeak::empty();
        assert_eq!(SLOT.load(), Weak::new());
        assert!(SLOT.upgrade().is_none());
        assert!(SLOT.read(&weakly::pin()).is_none());
        let here = Arc::new("here".to_string());
        SLOT.store(Arc::downgrade(&here));
        assert!(Arc::ptr_eq(&SLOT.upgrade().unwrap(), &here));
        assert_eq!(SLOT.swap(Weak::new()), Arc::downgrade(&here));
        assert_eq!(SLOT.take(), Weak::new());
        assert_eq!(AtomicWeak::from(Weak::<u8>::new()).into_inner(), Weak::default());
    }

    #[test]
    fn a_slot_owns_one_weak_count_and_no_strong_one() {
        let five = Arc::new(5);
        let slot = AtomicWeak::from(&five);
        assert_eq!((Arc::strong_count(&five), Arc::weak_count(&five)), (1, 1));
        let loaded = slot.load();
        assert_eq!(Arc::weak_count(&five), 2);
        drop(loaded);
        drop(slot);
        assert_eq!(Arc::weak_count(&five), 0);
    }

    #[test]
    fn what_was_taken_out_holds_the_only_weak_count_after_a_grace_period() {
        let five = Arc::new(5);
        let slot = AtomicWeak::new(&five);
        let taken = slot.take();
        assert!(eventually(|| Arc::weak_count(&five) == 1));
        assert_eq!(taken.upgrade().as_deref(), Some(&5));
    }

    #[test]
    fn a_dead_object_is_gone_from_its_slot_at_once_and_known_by_identity_still() {
        let drops = Tally::default();
        let one = Counted::arc(1, &drops);
        let known = Arc::downgrade(&one);
        let slot = AtomicWeak::new(&one);
        drop(one);
        assert_eq!(drops.get(), 1, "a slot keeps nothing alive");
        assert!(slot.upgrade().is_none());
        assert!(slot.read(&weakly::pin()).is_none());
        assert!(!slot.load().is_alive());
        assert_eq!(slot.load(), known);
        let two = Counted::arc(2, &drops);
        assert_eq!(slot.compare_exchange(&known, Arc::downgrade(&two)).unwrap(), known);
        assert_eq!(slot.upgrade().unwrap().whole(), 2);
    }

    #[test]
    fn an_exchange_gives_everything_back() {
        let (one, two) = (Arc::new(1), Arc::new(2));
        let slot = AtomicWeak::new(&one);
        let error = slot.compare_exchange(&Weak::new(), Arc::downgrade(&two)).unwrap_err();
        assert_eq!((error.current, error.new), (Arc::downgrade(&one), Arc::downgrade(&two)));
        assert!(slot.compare_exchange(&Arc::downgrade(&one), Weak::new()).is_ok());
        assert!(slot.compare_exchange(&Weak::new(), Arc::downgrade(&two)).is_ok());
        assert_eq!(slot.upgrade(), Some(two));
    }

    #[test]
    fn an_update_replaces_or_leaves_alone() {
        let (one, two) = (Arc::new(1), Arc::new(2));
        let slot = AtomicWeak::new(&one);
        assert_eq!(slot.fetch_update(|_| None), Err(Arc::downgrade(&one)));
        assert_eq!(slot.fetch_update(|_| Some(Arc::downgrade(&two))), Ok(Arc::downgrade(&one)));
        let mut seen = Vec::new();
        let old = slot.fetch_update(|now| {
            seen.push(now.clone());
            if seen.len() == 1 {
                slot.store(Arc::downgrade(&one)); // somebody else, just then
            }
            Some(Weak::new())
        });
        assert_eq!(old, Ok(Arc::downgrade(&one)));
        assert_eq!(seen, [Arc::downgrade(&two), Arc::downgrade(&one)]);
        assert_eq!(slot.load(), Weak::new());
    }

    #[test]
    fn an_initializer_runs_when_there_is_nothing_alive() {
        let slot = AtomicWeak::empty();
        let one = slot.get_or_init_with(|| Arc::new(1));
        assert!(Arc::ptr_eq(&one, &slot.get_or_init_with(|| unreachable!())));
        drop(one);
        assert_eq!(slot.get_or_try_init_with(|| Err("failed")).unwrap_err(), "failed");
        assert!(slot.upgrade().is_none());
        let two = slot.get_or_try_init_with(|| Ok::<_, ()>(Arc::new(2)));
        assert_eq!(slot.upgrade(), two.ok());
    }

    #[test]
    fn an_initializer_that_lost_is_dropped_for_the_winner_unless_that_died() {
        let drops = Tally::default();
        let slot = AtomicWeak::empty();
        let other = Cell::new(None);
        let winner = slot.get_or_init_with(|| {
            other.set(Some(slot.get_or_init_with(|| Counted::arc(1, &drops)))); // somebody else, just then
            Counted::arc(2, &drops)
        });
        assert_eq!((winner.whole(), drops.get()), (1, 1));
        drop((winner, other.take()));
        let winner = slot.get_or_init_with(|| {
            drop(slot.get_or_init_with(|| Counted::arc(3, &drops))); // somebody else, and gone again
            Counted::arc(4, &drops)
        });
        assert_eq!((winner.whole(), drops.get()), (4, 3));
        assert!(Arc::ptr_eq(&winner, &slot.upgrade().unwrap()));
    }

    #[test]
    fn a_deferred_value_survives_its_death_and_its_slot_under_a_guard() {
        let drops = Tally::default();
        let one = Counted::deferred(1, &drops);
        let slot = AtomicWeak::new(&one);
        let guard = weakly::pin();
        let seen = slot.read(&guard).unwrap();
        assert_eq!(Arc::strong_count(&one), 1, "no count");
        drop(one);
        assert!(slot.read(&guard).is_none());
        drop(slot);
        guard.flush();
        assert_eq!((seen.whole(), drops.get()), (1, 0));
        drop(seen);
        drop(guard);
        assert!(eventually(|| drops.get() == 1));
    }

    #[test]
    fn a_slot_inside_its_own_object_knows_its_parent() {
        struct Node {
            me: AtomicWeak<Node>,
            next: AtomicArc<Node>,
        }
        let node = Arc::new_cyclic(|me| {
            let slot = AtomicWeak::from(me.clone());
            assert!(slot.upgrade().is_none(), "not born yet");
            Node { me: slot, next: AtomicArc::empty() }
        });
        assert!(Arc::ptr_eq(&node.me.upgrade().unwrap(), &node));
        node.next.store(node.clone());
        let weak = Arc::downgrade(&node);
        drop(node);
        drop(weak.upgrade().unwrap().next.take()); // the cycle is cut
        assert!(!weak.is_alive());
    }

    #[test]
    fn debug_shows_whether_it_is_alive() {
        let five = Arc::new(5);
        let slot = AtomicWeak::new(&five);
        assert!(format!("{slot:?}").contains("alive"));
        drop(five);
        assert!(format!("{slot:?}").contains("dead"));
    }
}

mod types {
    use super::*;

    /// Doesn't compile if the type has the auto trait: the inferred parameter would be ambiguous.
    macro_rules! assert_not {
        ($type:ty: $auto:path) => {{
            trait Has<Which> {
                fn check() {}
            }
            impl<T: ?Sized> Has<u8> for T {}
            impl<T: ?Sized + $auto> Has<u16> for T {}
            <$type as Has<_>>::check();
        }};
    }

    fn all_of<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

    #[test]
    fn slots_are_shared_as_their_pointers_are() {
        all_of::<AtomicArc<String>>();
        all_of::<AtomicWeak<String>>();
        assert_not!(AtomicArc<Cell<u8>>: Send);
        assert_not!(AtomicArc<Cell<u8>>: Sync);
        assert_not!(AtomicWeak<Cell<u8>>: Send);
        assert_not!(AtomicWeak<Cell<u8>>: Sync);
        assert_not!(AtomicArc<std::sync::MutexGuard<'static, u8>>: Send);
        assert_not!(AtomicArc<std::sync::MutexGuard<'static, u8>>: Sync);
        assert_not!(AtomicArc<Cell<u8>>: RefUnwindSafe);
        assert_eq!(size_of::<AtomicArc<[u64; 9]>>(), size_of::<usize>());
        assert_eq!(size_of::<AtomicWeak<[u64; 9]>>(), size_of::<usize>());
    }
}

mod at_once {
    use super::*;

    /// Every operation against every other: no object is seen after its end, each ends once.
    #[test]
    fn all_operations_of_an_owning_slot() {
        for deferred in [false, true] {
            let (made, drops) = (Tally::default(), Tally::default());
            let new = |n| {
                made.add();
                if deferred { Counted::deferred(n, &drops) } else { Counted::arc(n, &drops) }
            };
            let slots = [AtomicArc::empty(), AtomicArc::new(new(0))];
            at_once(|me| {
                let mut guard = weakly::pin();
                for n in 0..ROUNDS {
                    let (slot, other) = (&slots[n & 1], &slots[n & 1 ^ 1]);
                    match (n + me) % 8 {
                        0 => slot.store(new(n)),
                        1 => drop(slot.take()),
                        2 => slot.store(other.load()),
                        3 => see(slot.load()),
                        4 => see(slot.swap(new(n))),
                        5 => {
                            let current = other.load();
                            if let Err(lost) = slot.compare_exchange(current.as_ref(), new(n)) {
                                see(lost.current);
                                lost.new.unwrap().whole();
                            }
                        }
                        6 => drop(slot.fetch_update(|now| Some(now.map(|now| new(now.whole() + 1))))),
                        _ => see(Some(slot.get_or_init_with(|| new(n)))),
                    }
                    if let Some(seen) = slot.read(&guard) {
                        seen.whole();
                        drop(other.swap(seen.to_arc()));
                        seen.whole();
                    }
                    if n % 16 == 0 {
                        guard.repin();
                    }
                }
            });
            drop(slots);
            assert!(eventually(|| made.get() == drops.get()));
        }
    }

    #[test]
    fn all_operations_of_a_weak_slot() {
        for deferred in [false, true] {
            let (made, drops) = (Tally::default(), Tally::default());
            let new = |n| {
                made.add();
                if deferred { Counted::deferred(n, &drops) } else { Counted::arc(n, &drops) }
            };
            let slots = [AtomicWeak::empty(), AtomicWeak::empty()];
            at_once(|me| {
                let mut mine = new(me); // dies when its successor comes
                let mut guard = weakly::pin();
                for n in 0..ROUNDS {
                    let (slot, other) = (&slots[n & 1], &slots[n & 1 ^ 1]);
                    match (n + me) % 7 {
                        0 => slot.store(Arc::downgrade(&mine)),
                        1 => see(slot.take().upgrade()),
                        2 => slot.store(other.load()),
                        3 => mine = slot.get_or_init_with(|| new(n)),
                        4 => {
                            if let Err(lost) = slot.compare_exchange(&other.load(), Arc::downgrade(&mine)) {
                                see(lost.current.upgrade());
                            }
                        }
                        5 => drop(slot.fetch_update(|now| (!now.is_alive()).then(|| Arc::downgrade(&mine)))),
                        _ => mine = new(n),
                    }
                    see(slot.upgrade());
                    see(slot.read(&guard));
                    mine.whole();
                    if n % 16 == 0 {
                        guard.repin();
                    }
                }
            });
            drop(slots);
            assert!(eventually(|| made.get() == drops.get()));
        }
    }

    #[test]
    fn no_update_is_lost() {
        let slot = AtomicArc::new(Arc::new(0));
        at_once(|_| {
            for _ in 0..ROUNDS {
                slot.fetch_update(|n| n.map(|n| Some(Arc::new(**n + 1)))).unwrap();
            }
        });
        assert_eq!(slot.load().as_deref(), Some(&(THREADS * ROUNDS)));
    }

    /// A stack whose head is swung by identity: it would lose or double items if an address could come back too early.
    #[test]
    fn a_stack_pops_what_was_pushed_once_each() {
        struct Node {
            item: Counted,
            next: Option<Arc<Node>>,
        }
        let drops = Tally::default();
        let head = AtomicArc::<Node>::empty();
        let popped = Mutex::new(Vec::new());
        at_once(|me| {
            let mut mine = Vec::new();
            for n in 0..ROUNDS {
                let item = me * ROUNDS + n;
                let push = |next: Option<&Arc<Node>>| {
                    Some(Some(Arc::new(Node { item: Counted::new(item, &drops), next: next.cloned() })))
                };
                assert!(head.fetch_update(push).is_ok());
                let top = head.fetch_update(|top| top.map(|top| top.next.clone())).ok().flatten();
                mine.push(top.expect("each pops after its own push").item.whole());
            }
            popped.lock().unwrap().append(&mut mine);
        });
        assert!(head.load().is_none());
        let mut popped = popped.into_inner().unwrap();
        popped.sort_unstable();
        assert!(popped.into_iter().eq(0..THREADS * ROUNDS));
    }

    /// Whoever holds what a weak slot gave out holds the same object as everybody else.
    #[test]
    fn initializers_share_one_object_as_long_as_it_lives() {
        let (made, drops) = (Tally::default(), Tally::default());
        let slot = AtomicWeak::empty();
        let held = Mutex::new((0, 0)); // which, and by how many
        at_once(|_| {
            for _ in 0..ROUNDS {
                let mine = slot.get_or_init_with(|| {
                    made.add();
                    Counted::arc(made.get(), &drops)
                });
                let address = std::ptr::from_ref(&*mine).addr();
                {
                    let mut held = held.lock().unwrap();
                    assert!(held.1 == 0 || held.0 == address, "two at once");
                    *held = (address, held.1 + 1);
                }
                mine.whole();
                held.lock().unwrap().1 -= 1;
            }
        });
        assert_eq!(made.get(), drops.get());
    }

    #[test]
    fn initializers_of_an_empty_slot_get_one_object() {
        for _ in 0..ROUNDS / 10 {
            let drops = Tally::default();
            let slot = AtomicArc::empty();
            let got = Mutex::new(Vec::new());
            at_once(|me| {
                let mine = slot.get_or_init_with(|| Counted::arc(me, &drops));
                got.lock().unwrap().push(mine);
            });
            let winner = slot.load().unwrap();
            assert!(got.into_inner().unwrap().iter().all(|mine| Arc::ptr_eq(mine, &winner)));
            assert!(drops.get() < THREADS);
        }
    }

    /// Promptness, with readers at it all the while: when the writer's drop returns, no count but a reader's is left.
    #[test]
    fn objects_end_with_their_last_handle_though_readers_never_pause() {
        let drops = Tally::default();
        let slot = AtomicArc::new(Counted::arc(0, &drops));
        at_once(|me| {
            for n in 0..ROUNDS {
                if me == 0 {
                    slot.store(Counted::arc(n, &drops));
                } else if let Some(seen) = slot.load() {
                    seen.whole();
                }
            }
        });
        assert_eq!(drops.get(), ROUNDS, "all but the one in the slot, with no grace period");
    }
}
