//! Guest mode: objects of `std`'s `Arc` that embed an anchor.

use crate::common::{
    Constant, Counted, Over, Rng, Tally, assert_accounts, flush_until, long, panics_as_planned, planned, seed, sized,
    together, watchdog,
};
use arc_swap::ArcSwap;
use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use tokio::sync::OwnedMutexGuard;
use weakly::std_arc::{Anchor, Anchored, Observer, WeakValueMap, finalize};
use weakly::{Cause, Compute, Computed, Cursor, ObserverKind, Pointer};

/// Steps of a death, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl ToString) {
        self.0.lock().unwrap().push(what.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Logs `what` when `anchor` drops.
    fn watch(&self, anchor: &Anchor, what: &'static str) {
        let log = self.clone();
        anchor.observe(move || log.say(what)).detach();
    }
}

/// A guest: a number, and what is to be done in its destructor.
#[derive(Default)]
struct Guest {
    id: u64,
    on_drop: OnceLock<Box<dyn Fn() + Send + Sync>>,
    anchor: Anchor,
}

impl Guest {
    fn new(id: u64) -> Arc<Self> {
        Arc::new(Guest { id, on_drop: OnceLock::new(), anchor: Anchor::new() })
    }

    fn on_drop(&self, f: impl Fn() + Send + Sync + 'static) {
        assert!(self.on_drop.set(Box::new(f)).is_ok());
    }
}

impl Anchored for Guest {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(f) = self.on_drop.get() {
            f();
        }
    }
}

fn is(found: &Option<Arc<Guest>>, guest: &Arc<Guest>) -> bool {
    found.as_ref().is_some_and(|found| Arc::ptr_eq(found, guest))
}

// Death.

#[test]
fn entries_leave_every_map_with_the_last_owner() {
    let maps: [WeakValueMap<u64, Guest>; 2] = [WeakValueMap::new(), WeakValueMap::builder().shards(1).build()];
    let told: Vec<_> = maps.iter().map(|map| map.removals()).collect();
    for n in 0..sized(300, 5) as u64 {
        let (guest, seen) = (Guest::new(n), Arc::new(AtomicUsize::new(9)));
        maps.iter().for_each(|map| assert!(map.insert(n, &guest).is_none()));
        let (weak, out) = (Arc::downgrade(&guest), seen.clone());
        guest.anchor.observe(move || out.store(weak.strong_count(), SeqCst)).detach();
        let other = guest.clone();
        drop(guest);
        maps.iter().for_each(|map| assert!(is(&map.get(&n), &other) && map.len() == 1));
        drop(other);
        assert_eq!(seen.load(SeqCst), 0, "the callback has run, and upgrades had failed by then");
        for (map, told) in maps.iter().zip(&told) {
            assert!(map.get(&n).is_none() && !map.contains_key(&n) && map.is_empty() && map.remove(&n).is_none());
            assert!(map.pin().read(&n).is_none() && map.scan(Cursor::default(), 9).items.is_empty());
            assert_eq!((told.try_next(), told.try_next()), (Some((n, Cause::Died)), None));
            assert_accounts(map, n as usize + 1);
        }
    }
}

#[test]
fn the_order_is_upgrades_then_destructor_then_entries_then_callbacks_newest_first() {
    struct Field(Log, &'static str);
    impl Drop for Field {
        fn drop(&mut self) {
            self.0.say(self.1);
        }
    }
    struct Whole {
        _before: Field,
        guest: Guest,
        _after: Field,
    }
    impl Anchored for Whole {
        fn anchor(&self) -> &Anchor {
            &self.guest.anchor
        }
    }
    let (log, told) = (Log::default(), Log::default());
    let heard = told.clone();
    let map = Arc::new(
        WeakValueMap::<u64, Whole>::builder()
            .on_removal(move |key, cause| heard.say(format!("{key} {cause:?}")))
            .build(),
    );
    let (_before, _after) = (Field(log.clone(), "before"), Field(log.clone(), "after"));
    let whole = Arc::new(Whole { _before, guest: Guest::default(), _after });
    let (weak, inner, out, notices) = (Arc::downgrade(&whole), Arc::downgrade(&map), log.clone(), told.clone());
    whole.guest.on_drop(move || {
        let map = inner.upgrade().unwrap();
        assert!(weak.upgrade().is_none() && map.get(&5).is_none() && !map.contains_key(&5));
        assert_eq!((map.len(), map.keys().count(), notices.take().len()), (1, 0, 0), "counted, though absent");
        out.say("destructor");
    });
    log.watch(&whole.guest.anchor, "old");
    let (out, heard, inner) = (log.clone(), told.clone(), map.clone());
    finalize(&whole, move || {
        assert_eq!((inner.len(), heard.take()), (0, vec!["5 Died".to_string()]));
        out.say("finalizer");
    });
    log.watch(&whole.guest.anchor, "new");
    assert!(map.insert(5, &whole).is_none());
    drop(whole);
    assert_eq!(log.take(), ["before", "destructor", "new", "finalizer", "old", "after"]);
    assert_accounts(&map, 1);
}

#[test]
fn the_last_owner_may_go_on_another_thread() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let guest = Guest::new(1);
    map.insert(1, &guest);
    let out = log.clone();
    guest.anchor.observe(move || out.say(format!("{:?}", thread::current().id()))).detach();
    let other = thread::spawn(move || drop(guest));
    let id = other.thread().id();
    other.join().unwrap();
    assert_eq!(log.take(), [format!("{id:?}")]);
    assert_accounts(&map, 1);
}

#[test]
fn a_readers_owner_may_be_the_last() {
    let map = WeakValueMap::<u64, Guest>::new();
    let (guest, log) = (Guest::new(1), Log::default());
    map.insert(1, &guest);
    log.watch(&guest.anchor, "gone");
    let mut guest = Some(guest);
    map.for_each(|_, _| drop(guest.take()));
    assert_eq!(log.take(), ["gone"]);
    assert_accounts(&map, 1);

    let guest = Guest::new(2);
    map.insert(2, &guest);
    log.watch(&guest.anchor, "gone");
    let found = map.get(&2);
    drop(guest);
    assert!(log.take().is_empty() && map.contains_key(&2));
    drop(found);
    assert_eq!(log.take(), ["gone"]);
    assert_accounts(&map, 2);

    let guest = Guest::new(3);
    map.insert(3, &guest);
    let pinned = map.pin();
    let read = pinned.read(&3).unwrap();
    drop(guest);
    assert_eq!((read.id, read.clone().to_arc().unwrap().id, pinned.len()), (3, 3, 1));
    drop(read);
    assert_eq!(pinned.len(), 0);
    drop(pinned);
    assert_accounts(&map, 3);
}

#[test]
fn a_chain_of_deaths_through_callbacks_is_flat() {
    let (links, gone) = (sized(200_000, 200), Arc::new(AtomicUsize::new(0)));
    let mut next = Guest::new(0);
    for _ in 0..links {
        let (guest, gone) = (Guest::new(0), gone.clone());
        guest.anchor.observe(move || drop((gone.fetch_add(1, SeqCst), next))).detach();
        next = guest;
    }
    drop(next);
    assert_eq!(gone.load(SeqCst), links);
}

// A value that leaves its `Arc`.

#[test]
fn a_value_that_was_moved_out_is_absent_at_once_and_watched_until_it_drops() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let guest = Guest::new(1);
    map.insert(1, &guest);
    log.watch(&guest.anchor, "gone");
    let value = Arc::into_inner(guest).unwrap();
    assert!(map.get(&1).is_none() && !map.contains_key(&1) && map.keys().count() == 0 && map.remove(&1).is_none());
    assert_eq!((map.len(), log.take().len(), value.anchor.observer_count()), (1, 0, 2));
    drop(value);
    assert_eq!(log.take(), ["gone"]);
    assert_accounts(&map, 1);
}

#[test]
fn a_fresh_anchor_ends_the_watch_of_a_value_that_lives_on() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let mut guest = Guest::new(1);
    for cycle in 1..sized(100, 5) {
        map.insert(1, &guest);
        log.watch(&guest.anchor, "moved out");
        let mut value = Arc::into_inner(guest).unwrap();
        drop(std::mem::take(&mut value.anchor));
        assert_eq!(log.take(), ["moved out"]);
        assert_accounts(&map, cycle);
        assert_eq!((map.len(), value.anchor.observer_count()), (0, 0));
        guest = Arc::new(value);
    }
}

#[test]
fn a_new_arc_of_the_same_value_is_another_object() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let first = Guest::new(1);
    let weak = Arc::downgrade(&first);
    map.insert(1, &first);
    map.insert(2, &first);
    log.watch(&first.anchor, "old");
    let second = Arc::new(Arc::into_inner(first).unwrap());
    assert!(map.get(&1).is_none() && map.get(&2).is_none(), "an old entry does not name the new object");
    log.watch(&second.anchor, "new");
    assert!(map.insert(2, &second).is_none());
    assert!(!map.remove_exact(&2, &weak) && is(&map.get(&2), &second) && map.get(&1).is_none());
    assert_eq!(map.keys().collect::<Vec<_>>(), [2]);
    drop(second);
    assert_eq!(log.take(), ["new", "old"]);
    assert_accounts(&map, 3);
}

#[test]
fn a_dead_entry_never_takes_its_successor_along() {
    let map = WeakValueMap::<u64, Guest, Constant>::default();
    let kept: Vec<_> = (0..sized(40, 5))
        .map(|_| {
            let guest = Guest::new(1);
            assert!(map.insert(1, &guest).is_none(), "the one before is dead, and unclaimed");
            Arc::into_inner(guest).unwrap()
        })
        .collect();
    let guest = Guest::new(2);
    map.insert(1, &guest);
    assert_eq!(map.len(), kept.len() + 1);
    let inserted = map.len();
    drop(kept);
    assert!(is(&map.get(&1), &guest));
    assert_eq!((map.len(), map.stats().died as usize), (1, inserted - 1));
    drop(guest);
    assert_accounts(&map, inserted);
}

#[test]
fn get_mut_waits_for_entries_and_not_for_callbacks() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let mut guest = Guest::new(1);
    map.insert(1, &guest);
    assert!(Arc::get_mut(&mut guest).is_none());
    map.remove(&1);
    flush_until("the entry's weak count", || Arc::weak_count(&guest) == 0);
    log.watch(&guest.anchor, "overwritten");
    *Arc::get_mut(&mut guest).unwrap() = Guest::default();
    assert_eq!(log.take(), ["overwritten"], "the anchor went, with the `Arc` alive");
    assert_eq!(guest.anchor.observer_count(), 0);
    assert_accounts(&map, 1);
}

#[test]
fn make_mut_moves_a_sole_value_and_clones_a_shared_one() {
    #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
    struct Topic(u64, Anchor);
    impl Anchored for Topic {
        fn anchor(&self) -> &Anchor {
            &self.1
        }
    }
    let (map, log) = (WeakValueMap::<u64, Topic>::new(), Log::default());
    let mut topic = Arc::new(Topic::default());
    map.insert(1, &topic);
    log.watch(&topic.1, "moved");
    Arc::make_mut(&mut topic).0 = 5; // to a new allocation, for the entry holds a `Weak` of the old one
    assert!(map.get(&1).is_none());
    map.insert(1, &topic);
    let old = topic.clone();
    Arc::make_mut(&mut topic).0 = 6;
    assert_eq!((topic.1.observer_count(), old.1.observer_count()), (0, 3), "a clone's anchor is a fresh one");
    assert_eq!(map.get(&1).map(|old| old.0), Some(5));
    drop(old);
    assert_eq!(log.take(), ["moved"]);
    assert_accounts(&map, 2);
    let mut over = Topic(7, Anchor::new());
    log.watch(&over.1, "over");
    over.1.clone_from(&topic.1);
    assert!(log.take().is_empty() && Topic(6, Anchor::new()) == *topic && over > *topic);
}

#[test]
fn a_forgotten_value_leaves_the_map_usable() {
    let map = WeakValueMap::<u64, Guest>::new();
    let guest = Guest::new(1);
    map.insert(1, &guest);
    std::mem::forget(Arc::into_inner(guest));
    assert!(map.get(&1).is_none() && map.len() == 1);
    let guest = Guest::new(2);
    assert!(map.insert(1, &guest).is_none() && is(&map.get(&1), &guest));
    map.clear();
    assert!(map.is_empty() && map.stats().cleared == 2);
    assert_accounts(&map, 2);
}

#[test]
fn a_value_that_can_be_sent_but_not_shared_may_die_elsewhere() {
    #[derive(Default)]
    struct Unshared(Cell<u64>, Anchor);
    impl Anchored for Unshared {
        fn anchor(&self) -> &Anchor {
            &self.1
        }
    }
    let (map, log) = (WeakValueMap::<String, Unshared>::new(), Log::default());
    for n in 0..sized(100, 5) as u64 {
        #[expect(clippy::arc_with_non_send_sync, reason = "what is tested")]
        let arc = Arc::new(Unshared::default());
        map.insert(n.to_string(), &arc);
        arc.0.set(n);
        log.watch(&arc.1, "gone");
        let value = Arc::into_inner(arc).unwrap();
        let other = thread::spawn(move || {
            let value = value; // all of it, with its anchor
            value.0.get()
        });
        assert!(!map.contains_key(&n.to_string()));
        map.insert("other".to_string(), &Arc::default());
        assert_eq!(other.join().unwrap(), n);
        assert_eq!(log.take(), ["gone"]);
    }
    assert_accounts(&map, 2 * sized(100, 5));
}

// What watches.

#[test]
fn a_new_anchor_is_one_word_and_watched_by_nobody() {
    static ANCHOR: Anchor = Anchor::new();
    assert_eq!(size_of::<Anchor>(), size_of::<usize>());
    assert_eq!((ANCHOR.observer_count(), ANCHOR.observers().len()), (0, 0));
    assert_eq!(format!("{ANCHOR:?}"), "Anchor { observers: 0 }");
}

#[test]
fn observers_are_listed_newest_first_with_their_places() {
    let (map, guest) = (WeakValueMap::<u64, Guest>::new(), Guest::new(1));
    let observer = guest.anchor.observe(|| ());
    map.insert(1, &guest);
    let finalizer = finalize(&guest, || ());
    let at = line!() - 3;
    let infos = guest.anchor.observers();
    let lines: Vec<_> = infos.iter().map(|info| (info.kind, info.location.line())).collect();
    let kinds = [ObserverKind::Finalizer, ObserverKind::ValueEntry, ObserverKind::Callback];
    assert_eq!(lines, [(kinds[0], at + 2), (kinds[1], at + 1), (kinds[2], at)]);
    assert!(infos.iter().all(|info| info.location.file() == file!()) && guest.anchor.observer_count() == 3);
    assert_eq!(finalizer.info().unwrap().location.line(), at + 2);
    assert!(observer.cancel() && finalizer.detach().is_some() && map.remove(&1).is_some());
    assert_eq!(guest.anchor.observer_count(), 0);
}

#[test]
fn a_callback_runs_once_or_if_cancelled_first_never() {
    let (log, tally, guest) = (Log::default(), Tally::new(), Guest::new(1));
    let observe = |what: &'static str| {
        let captures = (log.clone(), Counted::new(0, &tally));
        guest.anchor.observe(move || {
            let (log, _counted) = captures;
            log.say(what);
        })
    };
    let (cancelled, dropped) = (observe("cancelled"), observe("dropped"));
    observe("detached").detach();
    let older = Arc::new(Mutex::new(Some(observe("older"))));
    guest.anchor.observe(move || assert!(older.lock().unwrap().take().is_some_and(Observer::cancel))).detach();
    assert!(cancelled.is_pending() && cancelled.cancel());
    drop(dropped);
    assert_eq!(tally.dropped(), 2);
    let newest = observe("newest");
    drop(guest);
    assert_eq!(log.take(), ["newest", "detached"]);
    assert!(!newest.is_pending() && !newest.cancel());
    assert_eq!((tally.made(), tally.left()), (5, 0));
}

#[test]
fn first_registrations_that_meet_share_one_list() {
    let _dog = watchdog();
    for _ in 0..sized(500, 10) {
        let (guest, ran, map) = (Guest::new(1), Arc::new(AtomicUsize::new(0)), WeakValueMap::<usize, Guest>::new());
        together(3, |i| {
            let ran = ran.clone();
            guest.anchor.observe(move || _ = ran.fetch_add(1, SeqCst)).detach();
            map.insert(i, &guest);
        });
        assert_eq!((guest.anchor.observer_count(), map.len()), (6, 3));
        drop(guest);
        assert_eq!(ran.load(SeqCst), 3);
        assert_accounts(&map, 3);
    }
}

#[test]
fn the_owner_hooks_of_a_dropped_map_are_gone() {
    let guest = Guest::new(1);
    let maps: [WeakValueMap<u64, Guest>; 2] = Default::default();
    maps.iter().for_each(|map| drop(map.insert(1, &guest)));
    let [first, second] = maps;
    drop(first);
    assert_eq!(guest.anchor.observer_count(), 1);
    drop(guest);
    assert_accounts(&second, 1);
}

#[test]
fn replaced_and_removed_entries_unhook() {
    let map = WeakValueMap::<u64, Guest>::new();
    let (old, new) = (Guest::new(1), Guest::new(2));
    map.insert(1, &old);
    assert!(is(&map.insert(1, &new), &old) && old.anchor.observer_count() == 0);
    assert!(!map.remove_exact(&1, &Arc::downgrade(&old)) && !map.remove_exact(&1, &Weak::new()));
    assert!(map.remove_exact(&1, &Arc::downgrade(&new)) && new.anchor.observer_count() == 0);
    assert!(Arc::ptr_eq(&map.get_or_insert(1, new.clone()), &new));
    assert!(Arc::ptr_eq(&map.get_or_insert(1, old.clone()), &new), "the one that is there");
    assert!(
        matches!(map.compute(1, |_| Compute::Insert(old.clone())), Computed::Inserted { old: Some(o), .. } if o.id == 2)
    );
    assert!(map.try_insert(1, &new).is_err_and(|there| Arc::ptr_eq(&there, &old)));
    let weaks: Vec<Weak<Guest>> = map.weak_values().collect();
    drop(old);
    assert!(weaks[0].upgrade().is_none());
    assert_eq!((map.stats().replaced, map.stats().removed, map.stats().died), (2, 1, 1));
    assert_accounts(&map, 4);
}

#[test]
fn finalizers_run_at_the_anchors_drop() {
    let (log, guest) = (Log::default(), Guest::new(1));
    let say = |what: &'static str| {
        let log = log.clone();
        move || log.say(what)
    };
    let old = finalize(&guest, say("old"));
    let called = guest.anchor.finalize(say("called"));
    let detached = guest.anchor.finalize(say("detached")).detach().unwrap();
    let new = guest.anchor.finalize(say("new"));
    called.call().unwrap();
    let value = Arc::into_inner(guest).unwrap();
    assert!(old.is_alive() && new.is_alive());
    drop(value);
    assert_eq!(log.take(), ["called", "new", "old"]);
    assert!(!old.is_alive() && old.call().is_none());
    detached.call();
    assert_eq!(log.take(), ["detached"]);
}

// Hostile code.

#[test]
fn a_panicking_destructor_stops_nothing() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let guest = Guest::new(1);
    map.insert(1, &guest);
    log.watch(&guest.anchor, "old");
    guest.anchor.observe(|| planned()).detach();
    log.watch(&guest.anchor, "new");
    guest.on_drop(|| planned());
    assert!(panics_as_planned(|| drop(guest)), "its own panic goes on");
    assert_eq!(log.take(), ["new", "old"]);
    assert_accounts(&map, 1);
}

#[test]
fn an_anchors_drop_never_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            planned();
        }
    }
    // The bombs are deep enough to be left to the outermost death, which is the guest's.
    let mut next: Option<weakly::Arc<Bomb>> = None;
    for _ in 0..40 {
        let bomb = weakly::Arc::new(Bomb);
        weakly::Arc::observe(&bomb, move |_| drop(next)).detach();
        next = Some(bomb);
    }
    let guest = Guest::new(1);
    guest.anchor.observe(move || drop(next)).detach();
    guest.on_drop(|| planned()); // so that a second panic would abort
    assert!(panics_as_planned(|| drop(guest)));
}

#[test]
fn callbacks_may_use_the_map() {
    let map = Arc::new(WeakValueMap::<u64, Guest>::new());
    let (guest, successor, other) = (Guest::new(1), Guest::new(2), Guest::new(3));
    map.insert(1, &guest);
    map.insert(3, &other);
    let (inner, put, other) = (map.clone(), successor.clone(), Mutex::new(Some(other)));
    guest
        .anchor
        .observe(move || {
            assert!(inner.get(&1).is_none() && inner.insert(1, &put).is_none());
            drop(other.lock().unwrap().take()); // a death within a death
            assert!(inner.get(&3).is_none() && inner.len() == 1);
            assert_eq!(inner.get_or_insert_with(4, |_| Guest::new(4)).id, 4);
        })
        .detach();
    drop(guest);
    assert!(is(&map.get(&1), &successor));
    assert_accounts(&map, 4);
}

#[test]
fn a_destructor_may_use_the_map() {
    let map = Arc::new(WeakValueMap::<u64, Guest>::new());
    let (guest, successor) = (Guest::new(1), Guest::new(2));
    map.insert(1, &guest);
    let (inner, put, me) = (map.clone(), successor.clone(), Arc::downgrade(&guest));
    guest.on_drop(move || {
        assert!(!inner.remove_exact(&1, &me) && inner.remove(&1).is_none(), "a dead entry is absent");
        assert!(inner.insert(1, &put).is_none());
    });
    drop(guest);
    assert!(is(&map.get(&1), &successor));
    assert_accounts(&map, 2);
}

/// What [`Shifty`] does when it is asked for its anchor.
#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Panic,
    Fresh,
    Own,
}

/// Names another anchor each time, or none.
struct Shifty {
    ask: Mutex<Ask>,
    named: Mutex<Vec<&'static Anchor>>,
    own: Anchor,
}

impl Shifty {
    fn new(ask: Ask) -> Arc<Self> {
        Arc::new(Shifty { ask: Mutex::new(ask), named: Mutex::default(), own: Anchor::new() })
    }
}

impl Anchored for Shifty {
    fn anchor(&self) -> &Anchor {
        let ask = *self.ask.lock().unwrap();
        match ask {
            Ask::Panic => planned(),
            Ask::Fresh => {
                let anchor: &'static Anchor = Box::leak(Box::default());
                self.named.lock().unwrap().push(anchor);
                anchor
            }
            Ask::Own => &self.own,
        }
    }
}

#[test]
fn a_panicking_anchor_changes_nothing() {
    let map = WeakValueMap::<Counted, Shifty>::new();
    let (keys, there) = (Tally::new(), Shifty::new(Ask::Own));
    let key = |id| Counted::new(id, &keys);
    map.insert(key(1), &there);
    let bad = Shifty::new(Ask::Panic);
    assert!(panics_as_planned(|| drop(map.insert(key(1), &bad))));
    assert!(panics_as_planned(|| drop(map.insert(key(2), &bad))));
    assert!(panics_as_planned(|| drop(map.try_insert(key(1), &bad))));
    assert!(panics_as_planned(|| drop(map.get_or_insert(key(2), Shifty::new(Ask::Panic)))));
    assert!(panics_as_planned(|| drop(map.get_or_insert_with(key(2), |_| Shifty::new(Ask::Panic)))));
    assert!(panics_as_planned(|| drop(map.compute(key(1), |_| Compute::Insert(Shifty::new(Ask::Panic))))));
    assert!(panics_as_planned(|| drop(finalize(&bad, || unreachable!()))));
    assert!(panics_as_planned(|| map.extend([(key(3), &bad)])));
    assert_eq!((map.len(), Arc::weak_count(&bad), Arc::strong_count(&bad)), (1, 0, 1));
    assert!(map.get(&key(1)).is_some_and(|found| Arc::ptr_eq(&found, &there)));
    // A failed load leaves the key to the next.
    *bad.ask.lock().unwrap() = Ask::Own;
    assert!(Arc::ptr_eq(&map.get_or_insert_with(key(2), |_| bad.clone()), &bad));
    drop((bad, there));
    assert_accounts(&map, 2);
    drop(map);
    flush_until("the keys", || keys.left() == 0);
}

#[test]
fn another_anchor_each_time_is_merely_unwise() {
    let map = WeakValueMap::<u64, Shifty>::new();
    let shifty = Shifty::new(Ask::Fresh);
    for key in 0..4 {
        map.insert(key, &shifty);
    }
    let named = shifty.named.lock().unwrap().clone();
    assert_eq!(named.len(), 4, "asked once a registration");
    assert!(named.iter().all(|anchor| anchor.observer_count() == 1));
    map.remove(&0);
    assert_eq!(named[0].observer_count(), 0, "by the anchor that it was registered with");
    map.insert(1, &shifty);
    drop(shifty);
    assert!((0..4).all(|key| map.get(&key).is_none()));
    assert_eq!(map.len(), 3, "their anchors never drop");
    // SAFETY: leaked by `anchor`, used by nobody any more.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(named[2]).cast_mut()) });
    assert_eq!((map.len(), map.stats().died), (2, 1));
    drop(map);
    assert!(named.iter().enumerate().all(|(i, anchor)| i == 2 || anchor.observer_count() == 0));
}

#[test]
fn a_borrowed_anchor_takes_the_entry_out_when_it_drops() {
    /// Watched by way of another object, which outlives it.
    struct Part(Arc<Guest>);
    impl Anchored for Part {
        fn anchor(&self) -> &Anchor {
            &self.0.anchor
        }
    }
    let map = WeakValueMap::<u64, Part>::new();
    let whole = Guest::new(1);
    let parts = [(); 2].map(|()| Arc::new(Part(whole.clone())));
    map.extend((0..).zip(&parts));
    drop(parts);
    assert_eq!((map.len(), map.keys().count(), whole.anchor.observer_count()), (2, 0, 2));
    drop(whole);
    assert_accounts(&map, 2);
}

// In company.

/// A handler, as a framework would want it.
trait Handler: Anchored + Send + Sync {
    fn handle(self: Arc<Self>, log: &Log) -> Arc<dyn Handler>;
}

impl Handler for Guest {
    fn handle(self: Arc<Self>, log: &Log) -> Arc<dyn Handler> {
        log.say(self.id);
        self
    }
}

#[test]
fn methods_on_arc_self_and_trait_objects_work() {
    let (map, log) = (WeakValueMap::<&str, dyn Handler>::new(), Log::default());
    let handler: Arc<dyn Handler> = Guest::new(5);
    log.watch(handler.anchor(), "gone");
    map.insert("five", &handler);
    let again = map.get("five").unwrap().handle(&log);
    assert!(Arc::ptr_eq(&again, &handler) && map.remove_exact("five", &Arc::downgrade(&handler)));
    map.insert("five", &again);
    drop((handler, again));
    assert_eq!(log.take(), ["5", "gone"]);
    assert_accounts(&map, 2);
}

#[test]
fn a_keyed_lock_by_lock_owned_lives_as_long_as_somebody_holds_or_awaits_it() {
    #[derive(Default)]
    struct Entry {
        lock: Arc<tokio::sync::Mutex<u32>>,
        anchor: Anchor,
    }
    impl Anchored for Entry {
        fn anchor(&self) -> &Anchor {
            &self.anchor
        }
    }
    struct Locked {
        inner: OwnedMutexGuard<u32>,
        _entry: Arc<Entry>,
    }
    impl Deref for Locked {
        type Target = u32;
        fn deref(&self) -> &u32 {
            &self.inner
        }
    }
    async fn lock(map: &WeakValueMap<String, Entry>, key: &str) -> Locked {
        let entry = map.get_or_insert_with_ref(key, |_| Arc::default());
        Locked { inner: entry.lock.clone().lock_owned().await, _entry: entry }
    }
    fn is_send<T: Send>(it: T) -> T {
        it
    }
    let map: Arc<WeakValueMap<String, Entry>> = Arc::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut held = is_send(lock(&map, "a")).await;
        *held.inner += 1;
        let waiter = tokio::spawn({
            let map = map.clone();
            is_send(async move { *lock(&map, "a").await })
        });
        tokio::task::yield_now().await;
        let other = lock(&map, "b").await;
        assert_eq!((*other, map.len()), (0, 2));
        drop((held, other));
        assert_eq!(waiter.await.unwrap(), 1, "the waiter kept the entry");
        assert!(map.is_empty());
        assert_eq!(*lock(&map, "a").await, 0, "a new one");
    });
    assert_accounts(&map, 3);
}

#[test]
fn an_arc_swap_holds_the_current_one_alive() {
    let (map, log) = (WeakValueMap::<u64, Guest>::new(), Log::default());
    let new = |id| {
        let guest = Guest::new(id);
        log.watch(&guest.anchor, "gone");
        map.insert(id, &guest);
        guest
    };
    let current = ArcSwap::from(new(0));
    for id in 1..5 {
        assert!(is(&map.get(&(id - 1)), &current.load()));
        current.store(new(id));
        assert_eq!((map.keys().collect::<Vec<_>>(), log.take()), (vec![id], vec!["gone".to_string()]));
    }
    let loaded = current.load();
    current.store(new(5));
    assert!(map.contains_key(&4) && loaded.id == 4);
    drop((loaded, current));
    assert_eq!(log.take().len(), 2);
    assert_accounts(&map, 6);
}

#[test]
fn raw_pointers_carry_the_count_of_either_kind() {
    fn around<A: Pointer>(pointer: A) -> A {
        let (at, raw) = (A::as_ptr(&pointer), A::into_raw(pointer));
        assert!(std::ptr::addr_eq(at, raw));
        // SAFETY: of `into_raw`, once.
        let pointer = unsafe { A::from_raw(raw) };
        assert!(A::upgrade(&A::downgrade(&pointer)).is_some());
        pointer
    }
    assert_eq!(Arc::strong_count(&around(Guest::new(1))), 1);
    assert_eq!(weakly::Arc::strong_count(&around(weakly::Arc::new(5))), 1);
}

#[test]
fn guests_are_as_sendable_as_their_values() {
    fn shared<T: Send + Sync>() {}
    shared::<WeakValueMap<String, Guest>>();
    shared::<WeakValueMap<String, dyn Handler>>();
    shared::<(Anchor, Observer)>();
}

#[test]
fn threads_that_open_and_drop_meet_one_object_a_key_and_leave_nothing() {
    let _dog = watchdog();
    const THREADS: usize = 4;
    let (map, tally, seed) = (WeakValueMap::<u64, Held>::builder().shards(2).build(), Tally::new(), seed());
    struct Held(Counted, Anchor);
    impl Anchored for Held {
        fn anchor(&self) -> &Anchor {
            &self.1
        }
    }
    let ran = Arc::new(AtomicUsize::new(0));
    let open = |id: &u64| {
        let (held, ran) = (Arc::new(Held(Counted::new(*id, &tally), Anchor::new())), ran.clone());
        held.1.observe(move || _ = ran.fetch_add(1, SeqCst)).detach();
        held
    };
    together(THREADS, |thread| {
        let (mut rng, mut mine) = (Rng::new(seed, thread), Vec::new());
        for _ in 0..sized(20_000, 60) * long() {
            let id = rng.next() % 4;
            match rng.below(8) {
                0 => mine.clear(),
                1 => drop(map.remove(&id)),
                2 => drop(map.insert(id, &open(&id))), // dies at once, or is found just before
                3 => mine.extend(map.values()),
                4 => drop(mine.pop().map(Arc::try_unwrap)),
                _ => {
                    let held = map.get_or_insert_with(id, open);
                    assert_eq!(held.0.id, id);
                    mine.push(held);
                }
            }
            mine.truncate(8);
        }
    });
    assert_eq!((tally.left(), ran.load(SeqCst)), (0, tally.made()));
    assert!(map.is_empty() && map.keys().count() == 0);
    let stats = map.stats();
    assert_eq!((stats.pending_removals, stats.cleared), (0, 0));
    assert!(stats.died + stats.removed + stats.replaced <= tally.made() as u64);
}

/// The race that the fence in the table's way of holding guests is for: a key that is always there, under values that are
/// replaced and taken out of their `Arc`s, is never missed.
#[test]
fn a_key_that_is_always_there_is_never_missed() {
    let _dog = watchdog();
    let (map, done) = (WeakValueMap::<u64, Guest>::builder().shards(1).build(), AtomicBool::new(false));
    let mut there = Guest::new(0); // outlives the readers
    map.insert(1, &there);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    assert!(map.contains_key(&1) && map.get(&1).is_some() && map.pin().read(&1).is_some());
                    assert_eq!(map.keys().count(), 1);
                }
            });
        }
        let _over = Over(&done);
        for id in 0..sized(20_000, 50) as u64 * long() as u64 {
            let next = Guest::new(id);
            drop(map.insert(1, &next)); // which hands out another owner of the old one
            let old = std::mem::replace(&mut there, next);
            match id % 2 {
                0 => drop(Arc::try_unwrap(old)),
                _ => drop(old),
            }
        }
    });
}
