//! Who took an entry out, how often, and how many are left.

use crate::common::{Rng, assert_accounts, long, seed, sized, together, watchdog};
use crate::help::{Shelf, in_step, long_death, until_dead};
use std::sync::Arc as StdArc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use weakly::atomic::AtomicArc;
use weakly::{Arc, Cause, Compute, Computed, WeakKeyMap, WeakList, WeakValueMap, WeakWeakMap};

/// Caffeine told of an explicit removal as of a collection, without the value. Here whoever claims the node is its one owner:
/// a removal has its value in hand before it claims, and the claim's cause is what listeners hear.
#[test]
fn caffeine_412_a_removal_that_races_with_a_death_has_one_cause_and_its_value() {
    let _dog = watchdog();
    let rounds = sized(3_000, 10);
    let told: StdArc<Vec<Mutex<Vec<Cause>>>> = StdArc::new((0..rounds).map(|_| Mutex::default()).collect());
    let keys_told: StdArc<[AtomicUsize; 4]> = StdArc::default();
    let (hear, keys_hear) = (told.clone(), keys_told.clone());
    let values: WeakValueMap<usize, usize> = WeakValueMap::builder()
        .shards(1)
        .on_removal(move |&n: &usize, cause| hear[n].lock().unwrap().push(cause))
        .build();
    let keys: WeakKeyMap<usize, usize> = WeakKeyMap::builder()
        .shards(1)
        .on_removal(move |_, cause| _ = keys_hear[cause as usize].fetch_add(1, SeqCst))
        .build();
    let dying = Shelf::new((0..rounds).map(|n| {
        let object = Arc::new(n);
        values.insert(n, &object);
        keys.insert(&object, n);
        object
    }));
    let (removed, keys_removed) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    in_step(
        rounds,
        [&|round| drop(dying.take(round)), &|round| {
            if let Some(value) = values.remove(&round) {
                assert_eq!(*value, round, "the value, whole");
                removed.lock().unwrap().push(round);
            }
            if let Some(value) = keys.remove(&round) {
                assert_eq!(*value, round);
                keys_removed.fetch_add(1, SeqCst);
            }
        }],
    );
    let removed = removed.into_inner().unwrap();
    for (round, told) in told.iter().enumerate() {
        let cause = if removed.contains(&round) { Cause::Removed } else { Cause::Died };
        assert_eq!(*told.lock().unwrap(), [cause], "round {round}");
    }
    let told = |cause: Cause| keys_told[cause as usize].load(SeqCst);
    assert_eq!((told(Cause::Removed), told(Cause::Died)), (keys_removed.load(SeqCst), rounds - told(Cause::Removed)));
    // A removal that holds the last owner itself.
    let mut last = Some(Arc::new(0));
    values.insert(0, last.as_ref().unwrap());
    let value = values.remove_if(&0, |_, _| last.take().is_some());
    assert_eq!((value.as_deref(), values.stats().removed), (Some(&0), removed.len() as u64 + 1));
}

/// Spring's map counted wrongly when a purge and a write met, and below zero. Here the count falls once, by the claim.
#[test]
fn spring_31373_the_size_stays_right_when_purges_and_writes_meet() {
    const KEYS: usize = 16;
    const THREADS: usize = 4;
    let _dog = watchdog();
    let seed = seed();
    let map: WeakValueMap<usize, usize> = WeakValueMap::builder().shards(1).build();
    let inserted = AtomicUsize::new(0);
    together(THREADS, |thread| {
        let mut rng = Rng::new(seed, thread);
        let mut held = Vec::new();
        for _ in 0..sized(10_000, 40) * long() {
            let value = Arc::new(rng.below(KEYS));
            map.insert(*value, &value);
            inserted.fetch_add(1, SeqCst);
            held.push(value);
            match rng.below(16) {
                0 => map.clear(),
                1 => drop(map.remove(&rng.below(KEYS))),
                2 => map.shrink_to_fit(),
                3 => map.retain(|key, _| key % 2 == 0),
                4 => drop(map.run_pending_removals()),
                5..8 => held.clear(),
                _ => held.truncate(1),
            }
            // A replaced entry is counted until its writer is through: one a thread at most.
            assert!(map.len() <= KEYS + THREADS, "{}", map.len());
        }
    });
    assert_accounts(&map, inserted.into_inner());
    assert!(map.is_empty());
    // A value under many keys dies while they are purged.
    let (rounds, keys) = (sized(300, 4), sized(100, 10));
    let dying = Shelf::new((0..rounds).map(Arc::new));
    let current = Mutex::new(None);
    in_step(
        2 * rounds,
        [
            &|round| {
                if round % 2 == 0 {
                    assert_eq!(map.len(), 0);
                    let value = dying.take(round / 2);
                    map.extend((0..keys).map(|key| (key, &value)));
                    *current.lock().unwrap() = Some(value);
                } else {
                    drop(current.lock().unwrap().take());
                }
            },
            &|round| {
                if round % 2 == 1 {
                    map.clear();
                }
            },
        ],
    );
    assert_eq!((map.len(), map.pending_removals()), (0, 0));
}

/// Two threads of CPython committed the same pending removal, and one popped from an empty list. Here two deaths of one pair
/// meet at the node's one claim. A value under many keys dies, and in the middle of its death
/// they do.
#[test]
fn cpython_27921_two_deaths_of_one_entry_take_it_out_once() {
    let _dog = watchdog();
    let (rounds, pairs, list) = (sized(500, 4), sized(100, 10), WeakList::new());
    let told = StdArc::new(AtomicUsize::new(0));
    let hear = told.clone();
    let map: WeakWeakMap<usize, usize> = WeakWeakMap::builder()
        .shards(1)
        .on_removal(move |_, cause| {
            assert_eq!(cause, Cause::Died);
            hear.fetch_add(1, SeqCst);
        })
        .build();
    let (all, values): (Vec<_>, Vec<_>) = (0..rounds)
        .map(|round| {
            let (keys, value): (Vec<_>, _) =
                ((0..pairs).map(|n| Arc::new(round * pairs + n)).collect(), Arc::new(round));
            keys.iter().for_each(|key| drop(map.insert(key, &value)));
            long_death(&value, &list);
            (keys, value)
        })
        .unzip();
    let dying: Vec<_> = values.iter().map(Arc::downgrade).collect();
    let (all, values) = (Shelf::new(all), Shelf::new(values));
    // Entries go newest first in the value's death, and oldest first with the keys.
    in_step(
        rounds,
        [&|round| drop(values.take(round)), &|round| {
            let keys = all.take(round);
            until_dead(&dying[round]);
            keys.into_iter().for_each(drop);
        }],
    );
    let (stats, n) = (map.stats(), rounds * pairs);
    assert_eq!((map.len(), stats.died, stats.pending_removals), (0, n as u64, 0));
    assert_eq!(told.load(SeqCst), n);
}

/// `sync.Map`'s CompareAndSwap of Go 1.24 was not atomic against other operations, and updates were lost. Here each increment
/// is in exactly one value that was taken out, or in the one that is there.
#[test]
fn go_70970_a_compare_and_swap_is_atomic_against_all_else() {
    let _dog = watchdog();
    let rounds = sized(3_000, 15);
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let slot: AtomicArc<u64> = AtomicArc::empty();
    let held = Mutex::new(Vec::new()); // nothing dies: that is another bug's room
    let (taken, slot_taken) = (AtomicU64::new(0), AtomicU64::new(0));
    let up = |_| {
        let done = map.compute(1, |old| Compute::Insert(Arc::new(old.map_or(1, |n| *n + 1))));
        let Computed::Inserted { new, .. } = done else { panic!("{done:?}") };
        held.lock().unwrap().push(new);
        assert!(map.keys().count() <= 1, "one entry a key");
        loop {
            let old = slot.load();
            let new = Arc::new(old.as_deref().map_or(1, |n| n + 1));
            if slot.compare_exchange(old.as_ref(), new).is_ok() {
                break;
            }
        }
    };
    let take = |round: usize| {
        let value = match round % 3 {
            0 => map.remove(&1),
            1 => map.pop().map(|(_, value)| value),
            _ => {
                let zero = Arc::new(0);
                held.lock().unwrap().push(zero.clone());
                map.insert(1, &zero)
            }
        };
        taken.fetch_add(value.map_or(0, |n| *n), SeqCst);
        let value = if round.is_multiple_of(2) { slot.take() } else { slot.swap(Arc::new(0)) };
        slot_taken.fetch_add(value.map_or(0, |n| *n), SeqCst);
    };
    in_step(rounds, [&up, &up, &take]);
    let there = map.get(&1).map_or(0, |n| *n);
    assert_eq!(taken.into_inner() + there, 2 * rounds as u64);
    let there = slot.load().map_or(0, |n| *n);
    assert_eq!(slot_taken.into_inner() + there, 2 * rounds as u64);
}
