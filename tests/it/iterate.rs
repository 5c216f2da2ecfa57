//! Walks while entries die, are replaced, and tables are resized: what is there throughout is seen once, nothing twice, nothing
//! dead.

use crate::common::{Constant, FourBit, Good, Over, Rng, long, seed, sized, together, watchdog};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use weakly::{Arc, Cursor, WeakValueMap};

type Map<S> = WeakValueMap<u64, u64, S>;

/// Every way to walk over a map, each giving the keys in its order. Values equal their keys.
const WALKS: usize = 10;

fn walk<S: BuildHasher>(map: &Map<S>, which: usize) -> Vec<u64> {
    match which {
        0 => map.iter().map(|(key, value)| same(key, *value)).collect(),
        1 => map.keys().collect(),
        2 => map.values().map(|value| *value).collect(),
        3 => map.weak_values().filter_map(|value| value.upgrade()).map(|value| *value).collect(),
        4 => {
            let mut keys = Vec::new();
            map.for_each(|key, value| keys.push(same(*key, **value)));
            keys
        }
        5 => map.snapshot().into_iter().map(|(key, value)| same(key, *value)).collect(),
        6 => pages(map, 1, |_| ()),
        7 => pages(map, 17, |_| ()),
        8 => map.pin().iter().map(|(key, value)| same(*key, *value)).collect(),
        _ => map.pin().keys().copied().collect(),
    }
}

fn same(key: u64, value: u64) -> u64 {
    assert_eq!(key, value, "a key with another's value");
    key
}

/// The keys of a scan in pages of `n`, with `between` after each.
fn pages<S: BuildHasher>(map: &Map<S>, n: usize, mut between: impl FnMut(usize)) -> Vec<u64> {
    let (mut keys, mut from) = (Vec::new(), Some(Cursor::default()));
    while let Some(cursor) = from {
        let page = map.scan(cursor, n);
        keys.extend(page.items.iter().map(|(key, value)| same(*key, **value)));
        from = page.next;
        drop(page.items);
        between(keys.len());
    }
    keys
}

/// How often each key was seen: never twice.
fn once(keys: Vec<u64>) -> HashMap<u64, usize> {
    let mut seen = HashMap::new();
    for key in keys {
        let n = seen.entry(key).or_insert(0);
        *n += 1;
        assert_eq!(*n, 1, "key {key} was seen twice");
    }
    seen
}

/// Keys that nobody touches, keys that are replaced all the time, and from here on keys that come and go.
const STEADY: u64 = sized(100, 12) as u64;
const REPLACED: u64 = STEADY + sized(20, 4) as u64;
const COMING: u64 = 1 << 20;

fn walks_under_churn<S: BuildHasher + Default + Sync + Send>(shards: usize) {
    let _dog = watchdog();
    let seed = seed();
    let map: Map<S> = WeakValueMap::builder().shards(shards).hasher(S::default()).build();
    let steady: Vec<_> = (0..REPLACED).map(Arc::new).collect();
    map.extend(steady.iter().map(|v| (**v, v)));
    let (done, dead) = (AtomicBool::new(false), [const { AtomicU64::new(COMING) }; 2]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(seed, 0);
            while !done.load(SeqCst) {
                let key = STEADY + rng.below((REPLACED - STEADY) as usize) as u64;
                let value = Arc::new(key);
                map.insert(key, &value);
                map.insert(key, &steady[key as usize]); // and `value` dies
            }
        });
        for (i, dead) in dead.iter().enumerate() {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut rng = Rng::new(seed, i + 1);
                // Odd keys are one thread's, even ones the other's. Some go at once, some in heaps: the table grows and shrinks.
                let mut next = COMING + i as u64;
                let mut held = Vec::new();
                while !done.load(SeqCst) {
                    for _ in 0..rng.below(sized(200, 8)) {
                        let value = Arc::new(next);
                        map.insert(next, &value);
                        held.push(value);
                        next += 2;
                    }
                    if rng.below(4) == 0 {
                        map.shrink_to_fit();
                    }
                    held.clear();
                    dead.store(next, SeqCst);
                    if rng.below(4) == 0 {
                        map.reserve(rng.below(sized(2_000, 20)));
                    }
                }
            });
        }
        let _over = Over(&done);
        for round in 0..sized(300, 3) * long() {
            for which in 0..WALKS {
                let gone = [dead[0].load(SeqCst), dead[1].load(SeqCst)];
                let seen = once(walk(&map, which));
                // What is weak may have been replaced, and have died, since it was yielded.
                for key in 0..if which == 3 { STEADY } else { REPLACED } {
                    assert!(seen.contains_key(&key), "walk {which} of round {round} missed key {key}");
                }
                let late = seen.keys().find(|&&key| key >= COMING && key < gone[(key % 2) as usize]);
                assert_eq!(late, None, "walk {which} of round {round} saw the dead");
            }
        }
    });
    assert_eq!(map.len() as u64, REPLACED);
}

#[test]
fn walks_under_churn_see_each_once() {
    walks_under_churn::<Good>(1);
    walks_under_churn::<Good>(4);
}

#[test]
fn walks_under_churn_at_sixteen_hashes_see_each_once() {
    walks_under_churn::<FourBit>(1);
    walks_under_churn::<FourBit>(64);
}

#[test]
fn walks_under_churn_at_one_hash_see_each_once() {
    walks_under_churn::<Constant>(1);
}

/// What may happen to a map between two steps of a walk, without touching the first hundred keys.
fn disturb<S: BuildHasher>(map: &Map<S>, rng: &mut Rng, held: &mut Vec<Arc<u64>>, steady: &[Arc<u64>]) {
    match rng.below(6) {
        0 => {
            for n in 0..sized(500, 20) as u64 {
                let value = Arc::new(COMING + n);
                map.insert(COMING + n, &value);
                held.push(value);
            }
        }
        1 => held.clear(),
        2 => map.shrink_to_fit(),
        3 => map.reserve(sized(5_000, 50)),
        4 => {
            for value in steady {
                map.insert(**value, value); // replaced: there throughout
            }
        }
        _ => drop(map.extract_if(|key, _| *key >= COMING).count()),
    }
}

fn walks_in_steps<S: BuildHasher + Default>(shards: usize, rounds: usize) {
    let _dog = watchdog();
    let mut rng = Rng::new(seed(), 0);
    let steady: Vec<_> = (0..STEADY).map(Arc::new).collect();
    for _ in 0..sized(rounds, 1) * long() {
        let map: Map<S> = WeakValueMap::builder().shards(shards).hasher(S::default()).build();
        map.extend(steady.iter().map(|v| (**v, v)));
        let mut held = Vec::new();
        let check = |keys: Vec<u64>| {
            let seen = once(keys);
            assert!((0..STEADY).all(|key| seen.contains_key(&key)), "one was missed");
        };
        macro_rules! step_by_step {
            ($iter:expr, $key:expr) => {{
                let mut iter = $iter;
                let mut keys = Vec::new();
                while let Some(item) = iter.next() {
                    keys.push($key(item));
                    disturb(&map, &mut rng, &mut held, &steady);
                }
                check(keys);
            }};
        }
        step_by_step!(map.iter(), |(key, value): (u64, Arc<u64>)| same(key, *value));
        step_by_step!(map.keys(), |key| key);
        step_by_step!(map.values(), |value: Arc<u64>| *value);
        let pinned = map.pin();
        step_by_step!(pinned.iter(), |(key, value): (&u64, Arc<u64>)| same(*key, *value));
        step_by_step!(pinned.keys(), |key: &u64| *key);
        drop(pinned);
        check(pages(&map, 3, |_| disturb(&map, &mut rng, &mut held, &steady)));
        let mut keys = Vec::new();
        map.for_each(|key, _| {
            keys.push(*key);
            disturb(&map, &mut rng, &mut held, &steady);
        });
        check(keys);
    }
}

#[test]
fn a_walk_goes_on_whatever_happens_between_its_steps() {
    walks_in_steps::<Good>(1, 5);
    walks_in_steps::<Good>(8, 5);
    walks_in_steps::<FourBit>(1, 2);
    walks_in_steps::<Constant>(1, 1); // hundreds of comparisons a look-up
}

#[test]
fn what_dies_during_a_walk_is_not_seen_after() {
    let map: Map<Good> = WeakValueMap::builder().shards(1).hasher(Good::new()).build();
    let all: Mutex<Vec<_>> = Mutex::new((0..1_000).map(Arc::new).collect());
    map.extend(all.lock().unwrap().iter().map(|v| (**v, v)));
    let mut seen = 0;
    for (key, value) in &map {
        all.lock().unwrap().clear(); // everybody but those of this step
        assert_eq!(key, *value);
        seen += 1;
    }
    assert!((1..20).contains(&seen), "a bucket's worth, not {seen}");
    assert!(map.is_empty());
}

#[test]
fn what_is_removed_and_comes_again_is_not_seen_twice() {
    fn check<S: BuildHasher + Default>() {
        let map: Map<S> = WeakValueMap::default();
        let all: Vec<_> = (0..STEADY).map(Arc::new).collect();
        map.extend(all.iter().map(|v| (**v, v)));
        let mut keys = Vec::new();
        for (key, value) in &map {
            keys.push(key);
            map.remove(&key);
            map.insert(key, &value);
        }
        assert_eq!(once(keys).len() as u64, STEADY);
        once(pages(&map, 1, |n| {
            if n % 10 == 0 {
                map.clear();
                map.extend(all.iter().map(|v| (**v, v)));
            }
        }));
    }
    let _dog = watchdog();
    check::<Good>();
    check::<FourBit>();
    check::<Constant>();
}

/// Several threads that take entries out: each entry is somebody's, and only his.
fn taken_once<S: BuildHasher + Default + Sync + Send>(take: impl Fn(&Map<S>) -> Vec<u64> + Sync) {
    let _dog = watchdog();
    let n = sized(2_000, 40) as u64;
    for shards in [1, 8] {
        let map: Map<S> = WeakValueMap::builder().shards(shards).hasher(S::default()).build();
        let all: Vec<_> = (0..n).map(Arc::new).collect();
        map.extend(all.iter().map(|v| (**v, v)));
        let taken = Mutex::new(Vec::new());
        together(sized(4, 2), |_| {
            let mine = take(&map);
            taken.lock().unwrap().extend(mine);
        });
        let taken = once(taken.into_inner().unwrap());
        assert_eq!((taken.len() as u64, map.len(), map.stats().removed), (n, 0, n));
        assert!(all.iter().all(|value| Arc::observer_count(value) == 0));
    }
}

#[test]
fn drains_at_once_share_the_entries() {
    taken_once::<Good>(|map| map.drain().map(|(key, value)| same(key, *value)).collect());
    taken_once::<FourBit>(|map| map.drain().map(|(key, value)| same(key, *value)).collect());
}

#[test]
fn pops_at_once_share_the_entries() {
    let pops = |map: &Map<_>| std::iter::from_fn(|| map.pop()).map(|(key, value)| same(key, *value)).collect();
    taken_once::<Good>(pops);
}

#[test]
fn extractions_and_removals_at_once_share_the_entries() {
    taken_once::<Good>(|map| {
        let mut mine: Vec<u64> = map.extract_if(|key, _| key % 2 == 0).map(|(key, _)| key).collect();
        mine.extend((0..sized(2_000, 40) as u64).filter_map(|key| map.remove(&key)).map(|value| *value));
        mine
    });
}

#[test]
fn a_retain_removes_only_what_it_was_shown() {
    let _dog = watchdog();
    let map: Map<Good> = WeakValueMap::default();
    let (old, new) = (Arc::new(1), Arc::new(1));
    let rounds = sized(5_000, 20);
    map.insert(1, &old);
    together(2, |i| {
        for n in 0..rounds {
            if i == 0 {
                map.insert(1, if n % 2 == 0 { &new } else { &old });
            } else {
                map.retain(|_, value| !Arc::ptr_eq(value, &old)); // `new` is never refused
                assert!(map.get(&1).is_none_or(|value| *value == 1));
            }
        }
    });
    map.insert(1, &new);
    map.retain(|_, value| !Arc::ptr_eq(value, &old));
    assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &new));
    let stats = map.stats();
    assert_eq!(rounds as u64 + 2, map.len() as u64 + stats.removed + stats.replaced);
}
