//! What is told of an entry that left: that it is told at all, when, and what the told may do.

use crate::common::{Counted, Tally, flush_until, planned, sized, together, watchdog};
use crate::help::{Shelf, in_step};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, OnceLock, Weak as StdWeak};
use weakly::{Arc, Cause, WeakKeyMap, WeakValueMap};

/// Caffeine and Guava told of a collection during the next operation, which may never come. Here the last drop tells, before it
/// returns, however busy the shard is; and its node is swept by whoever was in the way.
#[test]
fn caffeine_859_guava_2110_a_death_is_told_of_without_any_further_traffic() {
    let _dog = watchdog();
    let rounds = sized(300, 15);
    let keys = Tally::new();
    let (told, called) = (StdArc::new(AtomicUsize::new(0)), StdArc::new(AtomicUsize::new(0)));
    let hear = told.clone();
    let map: WeakValueMap<Counted, usize> = WeakValueMap::builder()
        .shards(1)
        .on_removal(move |_, cause| {
            assert_eq!(cause, Cause::Died);
            hear.fetch_add(1, SeqCst);
        })
        .build();
    let removals = map.removals();
    let dying = Shelf::new((0..rounds).map(|n| {
        let value = Arc::new(n);
        map.insert(Counted::new(n as u64, &keys), &value);
        let called = called.clone();
        Arc::observe(&value, move |_| _ = called.fetch_add(1, SeqCst)).detach();
        value
    }));
    in_step(
        rounds,
        [
            &|round| {
                drop(dying.take(round));
                assert_eq!(
                    (told.load(SeqCst), called.load(SeqCst)),
                    (round + 1, round + 1),
                    "before the drop returned"
                );
                assert_eq!(removals.try_next().map(|(key, cause)| (key.id, cause)), Some((round as u64, Cause::Died)));
            },
            &|round| {
                while told.load(SeqCst) <= round {
                    map.reserve(2 * rounds); // the shard is busy, again and again
                    map.shrink_to_fit();
                }
            },
        ],
    );
    // From here on nobody touches the map, and still nothing of what died is left in it.
    assert_eq!((map.stats().pending_removals, map.stats().len), (0, 0));
    flush_until("the keys go, too", || keys.left() == 0);
}

/// A listener of one Caffeine cache that wrote to another one waited for itself. Here listeners and callbacks run when no lock
/// is held, on the thread whose doing they tell of, and may do anything to any map, their own included.
#[test]
fn caffeine_1065_listeners_and_callbacks_may_write_to_every_map() {
    type Map = WeakValueMap<u64, u64>;
    const DEPTH: u64 = 60; // deeper than deaths nest before the outermost takes over
    let _dog = watchdog();
    let threads = sized(4, 2);
    let told = StdArc::new(AtomicUsize::new(0));
    let maps: [StdArc<OnceLock<StdWeak<Map>>>; 2] = Default::default();
    let [a, b] = [0, 1].map(|i| {
        let (other, told) = (maps[1 - i].clone(), told.clone());
        let tell = move |&key: &u64, _: Cause| {
            told.fetch_add(1, SeqCst);
            if let (Some(key), Some(map)) = (key.checked_sub(1), other.get().and_then(StdWeak::upgrade)) {
                map.insert(key, &Arc::new(key)); // which dies, and is told of
            }
        };
        StdArc::new(Map::builder().shards(1).on_removal(tell).build())
    });
    maps[0].set(StdArc::downgrade(&a)).unwrap();
    maps[1].set(StdArc::downgrade(&b)).unwrap();
    together(threads, |thread| drop([&a, &b][thread % 2].insert(DEPTH, &Arc::new(DEPTH))));
    assert_eq!(told.load(SeqCst), threads * (DEPTH as usize + 1), "each entry that came was told of once");
    assert_eq!((a.len(), b.len(), a.pending_removals(), b.pending_removals()), (0, 0, 0, 0));

    /// An object whose callback puts the next one into the same map.
    fn falls(map: &StdArc<Map>, n: u64, called: &StdArc<AtomicUsize>) {
        let (value, inner, count) = (Arc::new(n), map.clone(), called.clone());
        map.insert(n % 3, &value);
        Arc::observe(&value, move |&n| {
            count.fetch_add(1, SeqCst);
            drop((inner.get(&0), inner.remove(&(n % 3)), inner.pop()));
            if n > 0 {
                falls(&inner, n - 1, &count);
            }
        })
        .detach();
    }
    let (map, called) = (StdArc::<Map>::default(), StdArc::new(AtomicUsize::new(0)));
    together(threads, |_| falls(&map, DEPTH, &called));
    assert_eq!((map.len(), called.load(SeqCst)), (0, threads * (DEPTH as usize + 1)));
}

/// moka switches a listener off for ever when it has panicked once. Here each call is contained by itself: the next is made, and
/// so are those to everybody else.
#[test]
fn moka_391_a_listener_that_panicked_is_called_again() {
    fn fails_first<T>(calls: &StdArc<Mutex<Vec<Cause>>>) -> impl Fn(&T, Cause) + Send + Sync + use<T> {
        let calls = calls.clone();
        move |_, cause| {
            let mut all = calls.lock().unwrap();
            all.push(cause);
            let first = all.len() == 1;
            drop(all);
            if first {
                planned();
            }
        }
    }
    const ALL: [Cause; 4] = [Cause::Died, Cause::Replaced, Cause::Removed, Cause::Cleared];
    let _dog = watchdog();
    let calls = StdArc::default();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().on_removal(fails_first(&calls)).build();
    let removals = map.removals();
    let value = Arc::new(1);
    map.insert(1, &Arc::new(0)); // dies, and the listener panics
    map.insert(1, &value);
    map.insert(1, &value);
    map.remove(&1);
    map.insert(1, &value);
    map.clear();
    assert_eq!(*calls.lock().unwrap(), ALL);
    assert_eq!(removals.try_iter().map(|(_, cause)| cause).collect::<Vec<_>>(), ALL, "who comes after it is told, too");

    let calls = StdArc::default();
    let map: WeakKeyMap<u64, u64> = WeakKeyMap::builder().on_removal(fails_first(&calls)).build();
    let key = Arc::new(1);
    drop(map.insert(&Arc::new(1), 0));
    drop((map.insert(&key, 1), map.insert(&key, 2), map.remove(&key), map.insert(&key, 3)));
    map.clear();
    assert_eq!(*calls.lock().unwrap(), ALL);

    // Callbacks of one object, of which the first to run fails.
    let (object, called) = (Arc::new(1), StdArc::new(AtomicUsize::new(0)));
    for n in 0..3 {
        let called = called.clone();
        Arc::observe(&object, move |_| {
            called.fetch_add(1, SeqCst);
            if n == 2 {
                planned();
            }
        })
        .detach();
    }
    drop(object);
    assert_eq!(called.load(SeqCst), 3);
}
