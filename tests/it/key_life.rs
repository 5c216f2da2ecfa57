//! The values of key maps: they go with their keys, at once, on the thread that let the key go; what readers do to that; and
//! owners of keys that a look-up makes.

use crate::common::{
    Constant, Counted, Good, Hooked, Tally, assert_unpinned, flush_until, panics_as_planned, planned, sized, together,
    watchdog,
};
use crate::kinds::whole;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc as StdArc, Barrier, Mutex};
use std::thread;
use weakly::{Arc, Compute, Computed, PtrWeakKeyMap, Removed, WeakKeyMap, WeakSet, WeakWeakMap};

type Log = StdArc<Mutex<Vec<(&'static str, thread::ThreadId)>>>;

/// Does something when it is dropped.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn note(log: &Log, what: &'static str) {
    log.lock().unwrap().push((what, thread::current().id()));
}

/// A value that checks that it goes while no guard is held, and is counted.
struct Unpinned(#[allow(dead_code, reason = "counts")] Counted);

impl Drop for Unpinned {
    fn drop(&mut self) {
        assert_unpinned();
    }
}

/// A write to a map with one key.
type Write<M> = fn(&M, &Arc<Hooked>, Unpinned);

whole! { WeakKeyMap, PtrWeakKeyMap;
    a_value_goes_with_its_key_on_that_thread_before_callbacks: {
        let log = Log::default();
        let map: StdArc<Map<Hooked, _>> = StdArc::new(Map::new());
        let key = Arc::new(Hooked::new(1));
        let (seen, weak_map) = (log.clone(), StdArc::downgrade(&map));
        let value = Last(move || {
            note(&seen, "value");
            let map: StdArc<Map<Hooked, Box<dyn Send + Sync>>> = weak_map.upgrade().unwrap();
            assert_eq!((map.len(), map.keys().count(), map.stats().died), (0, 0, 1), "the entry is out");
            assert_unpinned();
        });
        map.insert(&key, Box::new(value) as Box<dyn Send + Sync>);
        let seen = log.clone();
        Arc::observe(&key, move |_| note(&seen, "callback")).detach();
        let seen = log.clone();
        key.on_drop.set(move || note(&seen, "key"));
        let dropper = thread::spawn(move || {
            drop(key);
            thread::current().id()
        })
        .join()
        .unwrap();
        assert_eq!(*log.lock().unwrap(), ["value", "callback", "key"].map(|what| (what, dropper)));
    }

    a_value_goes_by_every_write_with_no_guard_held: {
        let tally = Tally::new();
        let value = || Unpinned(Counted::new(0, &tally));
        let key = Arc::new(Hooked::new(1));
        let map: Map<Hooked, Unpinned> = Map::new();
        let writes: [Write<Map<Hooked, Unpinned>>; 10] = [
            |map, key, new| drop(map.insert(key, new)),
            |map, key, new| assert!(map.try_insert(key, new).is_err()),
            |map, key, new| { let mut new = Some(new); map.update(key, |_| new.take().unwrap()); },
            |map, key, _| drop(map.remove(key)),
            |map, key, _| drop(map.remove_exact(&Arc::downgrade(key))),
            |map, _, _| map.retain(|_, _| false),
            |map, _, _| map.clear(),
            |map, _, _| map.drain().for_each(drop),
            |map, _, _| drop(map.pop()),
            |map, key, new| { let mut new = Some(new); map.with_or_insert_with(key, |_| new.take().unwrap(), |_| ()); },
        ];
        for write in writes {
            let before = tally.left();
            map.insert(&key, value());
            write(&map, &key, value());
            assert_eq!(tally.left(), map.len(), "at once: {before}");
        }
        drop(key);
        assert_eq!((tally.left(), map.len()), (0, 0));
    }

    who_looks_at_a_value_keeps_it_and_drops_it: {
        let tally = Tally::new();
        let map: Map<u64, Counted> = Map::new();
        // `with`: the key dies meanwhile.
        let key = Arc::new(1);
        map.insert(&key, Counted::new(5, &tally));
        let weak = Arc::downgrade(&key);
        let key = Mutex::new(Some(key));
        let by = key.lock().unwrap().clone().unwrap();
        map.with(&*by, |value| {
            key.lock().unwrap().take();
            assert_eq!((value.id, tally.left(), map.len()), (5, 1, 1), "we have the key too");
        });
        drop(by);
        assert_eq!((weak.upgrade(), tally.left(), map.len()), (None, 0, 0));

        let key = Arc::new(1);
        map.insert(&key, Counted::new(6, &tally));
        let mut last = Some(key);
        let object = &raw const **last.as_ref().unwrap();
        // SAFETY: the object is alive when it is looked up.
        map.with(unsafe { &*object }, |value| {
            last = None;
            assert_eq!((value.id, tally.left(), map.len()), (6, 1, 0), "the key is dead, and the value still there");
        });
        assert_eq!(tally.left(), 0, "the reader dropped it");

        // `read`, under a guard.
        let key = Arc::new(1);
        map.insert(&key, Counted::new(7, &tally));
        let pinned = map.pin();
        let read = pinned.read(&key).unwrap();
        let walked: Vec<_> = pinned.iter().map(|(_, value)| value).collect();
        drop(key);
        assert_eq!((read.id, walked[0].id, tally.left(), pinned.len()), (7, 7, 1, 0));
        drop(read);
        assert_eq!(tally.left(), 1);
        drop(walked);
        assert_eq!(tally.left(), 0, "before the guard goes");
    }

    a_reader_on_another_thread_drops_the_value: {
        let log = Log::default();
        let map: Map<u64, Box<dyn Send + Sync>> = Map::new();
        let key = Arc::new(1);
        let seen = log.clone();
        map.insert(&key, Box::new(Last(move || note(&seen, "value"))));
        let (reading, dropped) = (Barrier::new(2), Barrier::new(2));
        let pinned_key = &raw const *key as usize;
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                // SAFETY: the owner is dropped only after `reading`.
                let object = unsafe { &*(pinned_key as *const u64) };
                map.with(object, |_| {
                    reading.wait();
                    dropped.wait();
                });
                thread::current().id()
            });
            reading.wait();
            drop(key);
            assert_eq!((map.len(), log.lock().unwrap().len()), (0, 0));
            dropped.wait();
            let reader = reader.join().unwrap();
            assert_eq!(*log.lock().unwrap(), [("value", reader)]);
        });
    }

    a_removed_value_is_moved_out_unless_it_is_read: {
        let tally = Tally::new();
        let map: Map<u64, Counted> = Map::new();
        let key = Arc::new(1);
        map.insert(&key, Counted::new(1, &tally));
        let removed: Removed<Counted> = map.with(&key, |value| {
            let removed = map.remove(&key).unwrap().into_inner().unwrap_err();
            assert_eq!((removed.id, value.id), (1, 1));
            removed
        })
        .unwrap();
        let value = removed.into_inner().unwrap();
        assert_eq!((value.id, tally.left()), (1, 1), "moved, not copied");
        map.insert(&key, value);
        let pinned = map.pin();
        let read = pinned.read(&key).unwrap();
        let old = map.insert(&key, Counted::new(2, &tally)).unwrap().into_inner().unwrap_err();
        drop(read);
        assert_eq!((old.into_inner().map(|v| v.id).unwrap(), tally.left()), (1, 1));
    }

    deferred_values_stay_readable_and_are_dropped_later: {
        let tally = Tally::new();
        let map: Map<u64, Counted> = Map::builder().deferred_values().build();
        let copies = [map.clone(), map];
        for map in &copies {
            let key = Arc::new(1);
            assert!(map.insert(&key, Counted::new(1, &tally)).is_none());
            let pinned = map.pin();
            let read = pinned.read(&key).unwrap();
            drop(key);
            assert_eq!((map.len(), read.id, tally.left()), (0, 1, 1));
            drop(read);
            assert_eq!(tally.left(), 1, "only after a grace period");
            drop(pinned);
            flush_until("the value is dropped", || tally.left() == 0);
        }
        let (map, key) = (&copies[0], Arc::new(2));
        map.insert(&key, Counted::new(2, &tally));
        let removed = map.remove(&key).unwrap().into_inner().unwrap_err();
        assert_eq!(removed.id, 2, "never moved out");
        drop(removed);
        assert!(map.insert(&key, Counted::new(3, &tally)).is_none() && map.update(&key, |v| Counted::new(v.id + 1, &tally)));
        assert_eq!(map.compute(&key, |v| Compute::Insert(v.unwrap().clone())), Computed::Inserted { old: Some(Counted::new(4, &tally)), new: Counted::new(4, &tally) });
        assert_eq!(map.get_or_insert(&key, Counted::new(9, &tally)).id, 4);
        map.clear();
        flush_until("all are dropped", || tally.left() == 0);
    }

    a_value_that_is_not_taken_comes_back: {
        let tally = Tally::new();
        for map in [Map::new(), Map::builder().deferred_values().build()] {
            let key = Arc::new(1);
            assert_eq!(map.try_insert(&key, Counted::new(1, &tally)), Ok(()));
            let back = map.try_insert(&key, Counted::new(2, &tally)).unwrap_err();
            assert_eq!((back.id, tally.left()), (2, 2));
            drop((back, key));
            flush_until("all are dropped", || tally.left() == 0);
        }
    }

    a_cold_key_is_loaded_once: {
        let (threads, tally) = (sized(16, 3), Tally::new());
        for _ in 0..sized(50, 2) {
            let (map, keys, loads): (Map<Hooked, Counted>, _, _) = (Map::new(), [1, 2, 3].map(|n| Arc::new(Hooked::new(n))), AtomicUsize::new(0));
            together(threads, |i| {
                for n in 0..3 {
                    let key = &keys[(i + n) % 3];
                    let load = |object: &Arc<Hooked>| {
                        assert_unpinned();
                        loads.fetch_add(1, SeqCst);
                        Counted::new(object.n, &tally)
                    };
                    assert_eq!(map.with_or_insert_with(key, load, |value| value.id), key.n);
                }
            });
            assert_eq!((loads.load(SeqCst), map.len(), tally.left()), (3, 3, 3), "and not copied");
            drop(keys);
            assert_eq!((map.len(), tally.left(), map.stats().died), (0, 0, 3));
        }
    }

    after_a_load_that_fails_or_panics_another_loads: {
        let (threads, tally) = (sized(8, 3), Tally::new());
        for panics in [false, true] {
            let (map, key, loads, asked): (Map<Hooked, Counted>, _, _, _) = (Map::new(), Arc::new(Hooked::new(1)), AtomicUsize::new(0), AtomicUsize::new(0));
            let failed = AtomicUsize::new(0);
            together(threads, |_| {
                asked.fetch_add(1, SeqCst);
                let ask = || map.get_or_try_insert_with(&key, |_| {
                    let value = Counted::new(1, &tally);
                    let nth = loads.fetch_add(1, SeqCst);
                    while asked.load(SeqCst) < threads {
                        thread::yield_now();
                    }
                    if nth > 0 { return Ok(value) }
                    drop(value);
                    if panics { planned() } else { Err("failed") }
                });
                let mut answer = Err("panicked");
                panics_as_planned(|| answer = ask());
                match answer {
                    Ok(value) => assert_eq!(value.id, 1),
                    Err(error) => assert_eq!((error == "panicked", failed.fetch_add(1, SeqCst)), (panics, 0)),
                }
            });
            assert_eq!((loads.load(SeqCst), failed.load(SeqCst), map.len(), tally.left()), (2, 1, 1, 1));
        }
    }

    what_was_put_there_during_a_load_wins: {
        let (map, key) = (Map::new(), Arc::new(Hooked::new(1)));
        let loaded = map.get_or_insert_with(&key, |key| {
            assert!(map.insert(key, 1).is_none());
            2
        });
        assert_eq!((loaded, map.get(&key), map.len()), (1, Some(1), 1));
    }

    a_load_of_one_key_delays_no_other: {
        let map: Map<Hooked, u64, Constant> = Map::default();
        let [slow, other] = [1, 2].map(|n| Arc::new(Hooked::new(n)));
        let (tx, rx) = channel();
        let loading = Barrier::new(2);
        thread::scope(|scope| {
            let (tx, map, loading, slow) = (tx, &map, &loading, &slow); // `tx` goes if this panics
            scope.spawn(move || {
                map.get_or_insert_with(slow, |_| {
                    loading.wait();
                    let _ = rx.recv(); // until the other is through
                    1
                })
            });
            loading.wait();
            assert_eq!(map.get_or_insert_with(&other, |_| 2), 2);
            assert!(map.insert(slow, 3).is_none() && *map.remove(slow).unwrap() == 3);
            tx.send(()).unwrap();
        });
        assert_eq!((map.get(&slow), map.get(&other)), (Some(1), Some(2)));
    }

    a_loader_that_asks_for_its_own_key_panics: {
        let map: Map<Hooked, u64> = Map::new();
        let key = Arc::new(Hooked::new(1));
        let message = crate::common::panic_message(|| map.get_or_insert_with(&key, |key| map.get_or_insert_with(key, |_| 1)));
        assert!(message.starts_with("deadlock: a loader waits for itself") && map.is_empty(), "{message}");
        assert_eq!(map.get_or_insert_with(&key, |_| 2), 2);
    }
}

#[test]
fn equal_keys_share_a_load_and_the_leaders_is_kept() {
    let _dog = watchdog();
    let map: WeakKeyMap<u64, u64> = WeakKeyMap::new();
    let (leader, waiter) = (Arc::new(1), Arc::new(1));
    let loading = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            map.get_or_insert_with(&leader, |_| {
                loading.wait();
                for _ in 0..sized(1_000, 20) {
                    thread::yield_now(); // the other comes to wait, or finds it there
                }
                1
            })
        });
        loading.wait();
        assert_eq!(map.get_or_insert_with(&waiter, |_| unreachable!()), 1);
    });
    assert!(Arc::ptr_eq(&map.get_key(&1).unwrap(), &leader));
    drop(waiter);
    assert_eq!(map.len(), 1);
    drop(leader);
    assert_eq!(map.len(), 0);
}

/// A value is put there by somebody else just when ours was about to be.
#[test]
fn a_value_that_loses_a_race_comes_back() {
    let _dog = watchdog();
    let tally = Tally::new();
    for deferred in [false, true] {
        let builder = WeakKeyMap::builder().hasher(Constant::default());
        let map: StdArc<WeakKeyMap<Hooked, Counted, Constant>> =
            StdArc::new(if deferred { builder.deferred_values().build() } else { builder.build() });
        let [decoy, key] = [1, 2].map(|n| Arc::new(Hooked::new(n)));
        map.insert(&decoy, Counted::new(1, &tally));
        // The first comparison finds nothing; during the second, of the write, the key comes.
        let (again, ours, other) = (decoy.clone(), key.clone(), Counted::new(2, &tally));
        let inner = map.clone();
        decoy.on_eq.set(move || {
            let (there, map) = (again.clone(), inner.clone());
            again.on_eq.set(move || {
                let _ = &there;
                drop(map.insert(&ours, other));
            });
        });
        let back = map.try_insert(&key, Counted::new(3, &tally)).unwrap_err();
        assert_eq!((back.id, map.get(&key).unwrap().id), (3, 2));
        drop((back, decoy, key));
        flush_until("all are dropped", || tally.left() == 0);
    }
}

/// Every way to look a key up by equality; `decoy` is compared on the way.
macro_rules! looks {
    ($map:ident, $key:ident: $($look:expr;)*) => { [$(|$map, $key| { let _ = $look; }),*] };
}

/// While a look compares `decoy`, its other owners go: the look's own is the last, and its drop is the death.
fn the_lookers_owner_is_the_last<M: Send + Sync + 'static>(
    new: fn(&Arc<Hooked>, &Arc<Hooked>) -> M,
    left: fn(&M) -> (usize, u64),
    look: fn(&M, &Arc<Hooked>),
    pinned: bool,
) {
    let log = Log::default();
    let [decoy, key] = [1, 2].map(|n| Arc::new(Hooked::new(n)));
    let map = StdArc::new(new(&decoy, &key));
    let (before, _) = left(&map);
    let (inner, seen) = (StdArc::downgrade(&map), log.clone());
    decoy.on_drop.set(move || {
        note(&seen, "decoy");
        // No lock is held: another thread gets through. Nor, on the plain face, a guard.
        let map = inner.upgrade().unwrap();
        thread::spawn(move || left(&map)).join().unwrap();
        if !pinned {
            assert_unpinned();
        }
    });
    let weak = Arc::downgrade(&decoy);
    let held = Mutex::new(Some(decoy));
    let owner = held.lock().unwrap().as_ref().unwrap().clone();
    owner.on_eq.set(move || drop(held.lock().unwrap().take()));
    drop(owner);
    let equal = Arc::new(Hooked::new(2));
    look(&map, &equal);
    assert!(weak.upgrade().is_none(), "the look has let it go");
    assert_eq!(*log.lock().unwrap(), [("decoy", thread::current().id())]);
    let (after, died) = left(&map);
    assert!(died == 1 && after < before, "its entry went with it: {before} {after} {died}");
    drop((key, equal));
}

#[test]
fn the_last_owner_of_a_key_may_be_a_look_ups() {
    let _dog = watchdog();
    type Map = WeakKeyMap<Hooked, u64, Constant>;
    let new = |decoy: &Arc<Hooked>, key: &Arc<Hooked>| {
        let map = Map::default();
        map.insert(decoy, 1);
        map.insert(key, 2);
        map
    };
    let left = |map: &Map| (map.len(), map.stats().died);
    let plain: [fn(&Map, &Arc<Hooked>); 17] = looks! { map, key:
        assert_eq!(map.get(key), Some(2));
        assert_eq!(map.get(&**key), Some(2));
        assert!(map.contains_key(key));
        assert_eq!(map.with(key, |v| *v), Some(2));
        assert_eq!(map.get_key(key).unwrap().n, 2);
        assert_eq!(map.get_both(key).unwrap().1, 2);
        assert_eq!(map.get_or_insert(key, 3), 2);
        assert_eq!(map.try_insert(key, 3), Err(3));
        assert_eq!(map.get_or_insert_with(key, |_| 3), 2);
        assert_eq!(map.compute(key, |_| Compute::Keep), Computed::Kept(Some(2)));
        assert!(map.update(key, |v| v + 1));
        assert_eq!(map.insert(key, 3).unwrap(), 2);
        assert_eq!(map.remove(key).unwrap(), 2);
        assert!(map.remove_if(key, |_, _| true).is_some());
        assert_eq!(map.remove_entry(key).unwrap().1, 2);
        assert!(map.remove_exact(&Arc::downgrade(key)).is_none());
        assert!(map.domain_is_subset(&[(key, 1)].into_iter().collect::<Map>()) || map.len() < 3);
    };
    for look in plain {
        the_lookers_owner_is_the_last(new, left, look, false);
    }
    let pinned: [fn(&Map, &Arc<Hooked>); 5] = looks! { map, key:
        assert_eq!(map.pin().read(key).as_deref(), Some(&2));
        assert_eq!(map.pin().get(key), Some(2));
        assert!(map.pin().contains_key(key));
        assert!(map.pin().update(key, |v| v + 1));
        assert_eq!(map.pin().insert(key, 3).unwrap(), 2);
    };
    for look in pinned {
        the_lookers_owner_is_the_last(new, left, look, true);
    }
}

#[test]
fn the_last_owner_of_an_element_may_be_a_look_ups() {
    let _dog = watchdog();
    type Set = WeakSet<Hooked, Constant>;
    let new = |decoy: &Arc<Hooked>, key: &Arc<Hooked>| [decoy, key].into_iter().collect::<Set>();
    let left = |set: &Set| (set.len(), set.stats().died);
    let plain: [fn(&Set, &Arc<Hooked>); 9] = looks! { set, key:
        assert_eq!(set.get(key).unwrap().n, 2);
        assert_eq!(set.get(&**key).unwrap().n, 2);
        assert!(set.contains(key));
        assert!(!set.insert(key));
        assert!(set.replace(key).is_some());
        assert_eq!(set.take(key).unwrap().n, 2);
        assert!(set.remove(key));
        assert_eq!(set.get_or_insert(key.clone()).n, 2);
        assert!([key].into_iter().collect::<Set>().is_subset(set));
    };
    for look in plain {
        the_lookers_owner_is_the_last(new, left, look, false);
    }
}

#[test]
fn the_last_owner_of_a_pairs_key_may_be_a_look_ups() {
    let _dog = watchdog();
    type Pairs = WeakWeakMap<Hooked, Hooked, Constant>;
    let new = |decoy: &Arc<Hooked>, key: &Arc<Hooked>| [(decoy, key), (key, key)].into_iter().collect::<Pairs>();
    let left = |map: &Pairs| (map.len(), map.stats().died);
    let plain: [fn(&Pairs, &Arc<Hooked>); 9] = looks! { map, key:
        assert_eq!(map.get(key).unwrap().n, 2);
        assert!(map.contains_key(key));
        assert_eq!(map.get_or_insert(key, key.clone()).n, 2);
        assert!(map.try_insert(key, key).is_err());
        assert_eq!(map.get_or_insert_with(key, |_| unreachable!()).n, 2);
        assert!(matches!(map.compute(key, |_| Compute::Keep), Computed::Kept(Some(_))));
        assert!(map.insert(key, key).is_some());
        assert!(map.remove(key).is_some());
        assert!(map.remove_entry(key).is_some());
    };
    for look in plain {
        the_lookers_owner_is_the_last(new, left, look, false);
    }
}

/// Threads look an object up by equality while its owners are dropped: whoever is last, it dies once, on that thread.
#[test]
fn look_ups_race_against_the_last_drop() {
    let _dog = watchdog();
    let readers = sized(3, 2);
    for round in 0..sized(2_000, 10) {
        let (map, set): (WeakKeyMap<Hooked, Counted, Good>, WeakSet<Hooked, Constant>) = Default::default();
        let (tally, deaths) = (Tally::new(), StdArc::new(AtomicUsize::new(0)));
        let key = Arc::new(Hooked::new(7));
        let seen = deaths.clone();
        key.on_drop.set(move || {
            seen.fetch_add(1, SeqCst);
        });
        map.insert(&key, Counted::new(1, &tally));
        set.insert(&key);
        let slot = Mutex::new(Some(key));
        together(readers + 1, |i| {
            if i == readers {
                drop(slot.lock().unwrap().take());
                return;
            }
            let equal = Arc::new(Hooked::new(7));
            loop {
                let found = match round % 3 {
                    0 => map.with(&equal, |value| assert_eq!(value.id, 1)).is_some(),
                    1 => set.get(&*equal).is_some_and(|there| there.n == 7),
                    _ => map.get_key(&equal).is_some() && set.contains(&equal),
                };
                if !found && deaths.load(SeqCst) == 1 {
                    break;
                }
            }
        });
        assert_eq!((deaths.load(SeqCst), tally.left(), map.len(), set.len()), (1, 0, 0, 0));
        assert_eq!((map.stats().died, set.stats().died), (1, 1));
    }
}
