//! Parallel walks: each entry once, whatever happens meanwhile, on more threads than one.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weakly::generic::Split;
use weakly::{
    Arc, Interner, PtrWeakKeyMap, PtrWeakSet, PtrWeakWeakMap, WeakKeyMap, WeakSet, WeakValueMap, WeakWeakMap,
};

fn objects(n: u64) -> Vec<Arc<u64>> {
    (0..n).map(Arc::new).collect()
}

fn sorted<T: Ord + Send>(items: impl ParallelIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

/// All of them, split `depth` times.
fn halves<I: Split>(mut walk: I, depth: usize) -> Vec<I::Item> {
    match (depth > 0).then(|| walk.split()).flatten() {
        Some(rest) => {
            let mut items = halves(rest, depth - 1); // the second half first: they are independent
            items.extend(halves(walk, depth - 1));
            items
        }
        None => walk.collect(),
    }
}

/// Each key's hash is a constant, so that all have one position.
#[derive(Clone, Default)]
struct Constant(u64);

impl BuildHasher for Constant {
    type Hasher = Constant;
    fn build_hasher(&self) -> Constant {
        self.clone()
    }
}

impl Hasher for Constant {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_walk_that_is_split_anywhere_meets_each_entry_once() {
    fn check<S: BuildHasher + Default>(n: u64) {
        let owners = objects(n);
        let set: WeakSet<u64, S> = owners.iter().collect();
        for depth in 0..=10 {
            let mut items = halves(set.iter(), depth);
            items.sort();
            assert_eq!(items, owners, "{n} elements, split {depth} times");
        }
    }
    for n in [0, 1, 2, 7, 8, 100, 3_000] {
        check::<std::hash::RandomState>(n);
    }
    check::<BuildHasherDefault<Constant>>(20);
    check::<Constant>(20);
}

#[test]
fn a_walk_can_be_split_until_nothing_is_left() {
    let owners = objects(10);
    let set: WeakSet<u64> = owners.iter().collect();
    let mut walk = set.iter();
    let mut rests = Vec::new();
    while let Some(rest) = walk.split() {
        rests.push(rest);
    }
    assert!(rests.len() <= 32, "a position has 32 bits");
    let mut items: Vec<_> = rests.into_iter().flatten().chain(walk).collect();
    items.sort();
    assert_eq!(items, owners);
}

#[test]
fn a_split_at_the_very_position_of_a_key_gives_it_to_one_side() {
    for hash in 0..100 {
        let owners = objects(3);
        let set: WeakSet<u64, Constant> = WeakSet::with_hasher(Constant(hash));
        set.extend(&owners);
        // The way to the key's position, by halves: before each, the second one?
        let mut way = Vec::new();
        let count = |way: &[bool], second: bool| {
            let mut walk = set.iter();
            for &second in way {
                let rest = walk.split().unwrap();
                walk = if second { rest } else { walk };
            }
            let rest = walk.split()?;
            Some(if second { rest } else { walk }.count())
        };
        while let (Some(first), Some(second)) = (count(&way, false), count(&way, true)) {
            assert!(matches!((first, second), (0, 3) | (3, 0)), "hash {hash}: {first} and {second} at {way:?}");
            way.push(second > 0);
        }
        assert_eq!(way.len(), 32, "a position has 32 bits");
    }
}

#[test]
fn a_walk_that_has_begun_keeps_what_it_has_gathered() {
    let owners = objects(100);
    let set: WeakSet<u64> = owners.iter().collect();
    let mut walk = set.iter();
    let mut items = vec![walk.next().unwrap()];
    items.extend(halves(walk, 5));
    items.sort();
    assert_eq!(items, owners);
}

#[test]
fn every_collection_is_walked_in_parallel() {
    let owners = objects(1_000);
    let pairs: Vec<(u64, Arc<u64>)> = owners.iter().map(|n| (**n, n.clone())).collect();

    let values: WeakValueMap<u64, u64> = owners.iter().map(|n| (**n, n)).collect();
    assert_eq!(sorted(values.par_iter()), pairs);
    let keys: WeakKeyMap<u64, u64> = owners.iter().map(|n| (n, **n)).collect();
    assert_eq!(sorted(keys.par_iter().map(|(k, v)| (v, k))), pairs);
    let pointers: PtrWeakKeyMap<u64, u64> = owners.iter().map(|n| (n, **n)).collect();
    assert_eq!(sorted(pointers.par_iter().map(|(k, v)| (v, k))), pairs);
    let both: WeakWeakMap<u64, u64> = owners.iter().map(|n| (n, n)).collect();
    assert_eq!(sorted(both.par_iter().map(|(k, v)| (*k, v))), pairs);
    let by_pointer: PtrWeakWeakMap<u64, u64> = owners.iter().map(|n| (n, n)).collect();
    assert_eq!(sorted(by_pointer.par_iter().map(|(k, v)| (*k, v))), pairs);
    let set: WeakSet<u64> = owners.iter().collect();
    assert_eq!(sorted(set.par_iter()), owners);
    let objects: PtrWeakSet<u64> = owners.iter().collect();
    assert_eq!(sorted(objects.par_iter()), owners);
    let interner: Interner<u64> = Interner::new();
    let interned: Vec<_> = owners.iter().map(|n| interner.intern_arc(n.clone())).collect();
    assert_eq!(sorted(interner.par_iter()), interned);
}

#[test]
fn keys_and_values_are_walked_in_parallel_whatever_the_other_is() {
    struct Opaque;
    let owners = objects(1_000);
    let map: WeakKeyMap<u64, Opaque> = owners.iter().map(|n| (n, Opaque)).collect();
    assert_eq!(sorted(map.keys().into_par_iter()), owners);
    let map: WeakValueMap<u64, u64> = owners.iter().map(|n| (**n, n)).collect();
    assert_eq!(sorted(map.values().into_par_iter()), owners);
    assert_eq!(map.weak_values().into_par_iter().filter(weakly::Weak::is_alive).count(), 1_000);
}

#[test]
fn guests_are_walked_in_parallel() {
    use std::sync::Arc;
    use weakly::std_arc::{Anchor, Anchored, WeakValueMap};

    struct Guest(u64, Anchor);
    impl Anchored for Guest {
        fn anchor(&self) -> &Anchor {
            &self.1
        }
    }
    let owners: Vec<_> = (0..100).map(|n| Arc::new(Guest(n, Anchor::new()))).collect();
    let map: WeakValueMap<u64, Guest> = owners.par_iter().map(|guest| (guest.0, guest)).collect();
    assert_eq!(map.par_iter().map(|(key, guest)| key + guest.0).sum::<u64>(), 2 * 4950);
}

#[test]
fn the_way_is_shared_out_among_the_threads() {
    let owners = objects(1_000);
    let set: WeakSet<u64> = owners.iter().collect();
    let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let parts: Vec<usize> = pool.install(|| set.par_iter().fold(|| 0, |n, _| n + 1).collect());
    assert_eq!(parts.iter().sum::<usize>(), 1_000);
    assert!(parts.iter().filter(|n| **n > 0).count() >= 4, "{parts:?}");
}

#[test]
fn what_is_there_throughout_is_met_once_whatever_comes_and_goes() {
    let stay = objects(500);
    let map: WeakValueMap<u64, u64> = stay.iter().map(|n| (**n, n)).collect();
    let over = AtomicBool::new(false);
    let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                // Grows the table, and lets it shrink again.
                let come: Vec<_> = (1_000..5_000).map(Arc::new).collect();
                map.extend(come.iter().map(|n| (**n, n)));
                for (key, n) in stay.iter().enumerate().take(50) {
                    map.insert(key as u64, n); // a new node for a key that stays
                }
            }
        });
        for _ in 0..50 {
            let mut seen: Vec<u64> = pool.install(|| map.par_iter().map(|(key, _)| key).collect());
            seen.sort_unstable();
            let all = seen.len();
            seen.dedup();
            assert_eq!(seen.len(), all, "a key was met twice");
            assert!(seen.iter().take(500).copied().eq(0..500), "a key was missed");
        }
        over.store(true, SeqCst);
    });
}

#[test]
fn an_entry_that_dies_is_not_met_afterwards() {
    let owners: Vec<_> = (0..1_000u64).map(|n| Mutex::new(Some(Arc::new(n)))).collect();
    let set: WeakSet<u64> = owners.iter().flat_map(|n| n.lock().unwrap().clone()).collect();
    let (met, dead) = (AtomicUsize::new(0), AtomicUsize::new(0));
    set.par_iter().for_each(|n| {
        met.fetch_add(1, SeqCst);
        let next = &owners[(*n as usize + 1) % owners.len()];
        dead.fetch_add(usize::from(next.lock().unwrap().take().is_some()), SeqCst);
    });
    assert!(met.load(SeqCst) <= 1_000);
    assert_eq!(set.par_iter().count(), 1_000 - dead.load(SeqCst));
    owners.iter().for_each(|n| drop(n.lock().unwrap().take()));
    assert_eq!((set.par_iter().count(), set.len()), (0, 0));
}

#[test]
fn a_panic_in_one_part_reaches_the_caller_and_the_map_is_as_it_was() {
    let owners = objects(100);
    let set: WeakSet<u64> = owners.iter().collect();
    let walk = || set.par_iter().for_each(|n| assert!(*n != 50, "fifty"));
    assert!(catch_unwind(AssertUnwindSafe(walk)).is_err());
    assert_eq!(sorted(set.par_iter()), owners);
    drop(owners);
    assert!(set.is_empty());
}

#[test]
fn a_search_can_end_early() {
    let owners = objects(10_000);
    let set: WeakSet<u64> = owners.iter().collect();
    assert_eq!(set.par_iter().find_any(|n| **n == 777).as_deref(), Some(&777));
    assert!(set.par_iter().find_any(|n| **n == 10_000).is_none());
}

#[test]
fn every_collection_is_filled_in_parallel() {
    let owners = objects(1_000);
    let n = owners.len();

    let mut values: WeakValueMap<u64, u64> = owners[..500].par_iter().map(|n| (**n, n)).collect();
    values.par_extend(owners[500..].par_iter().map(|n| (**n, n.clone())));
    let mut keys: WeakKeyMap<u64, u64> = owners[..500].par_iter().map(|n| (n, **n)).collect();
    keys.par_extend(owners[500..].par_iter().map(|n| (n.clone(), **n)));
    let mut both: WeakWeakMap<u64, u64> = owners[..500].par_iter().map(|n| (n, n)).collect();
    both.par_extend(owners[500..].par_iter().map(|n| (n.clone(), n.clone())));
    let mut set: WeakSet<u64> = owners[..500].par_iter().collect();
    set.par_extend(owners[500..].par_iter().cloned());
    assert_eq!((values.len(), keys.len(), both.len(), set.len()), (n, n, n, n));
    assert!(owners.iter().all(|n| {
        let value = Some(n.clone());
        values.get(&**n) == value && keys.get(n) == Some(**n) && both.get(n) == value && set.get(n) == value
    }));

    drop(owners);
    assert_eq!((values.len(), keys.len(), both.len(), set.len()), (0, 0, 0, 0));
}
