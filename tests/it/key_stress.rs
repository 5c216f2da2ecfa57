//! Threads that do everything at once to a key map, a map of pairs, a set and an interner; then the books are exact.

use crate::common::{Constant, Counted, FourBit, Good, Rng, Tally, long, seed, sized, together, watchdog};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakly::{
    Arc, Compute, Computed, Interner, PtrWeakKeyMap, PtrWeakSet, PtrWeakWeakMap, Stats, WeakKeyMap, WeakSet,
    WeakWeakMap,
};

const THREADS: usize = sized(4, 2);
const STEPS: usize = sized(4_000, 25);
const KEYS: usize = sized(24, 4);

/// What came is there or left for one cause, and an idle collection keeps nothing dead.
fn assert_books(stats: &Stats, inserted: usize, walked: usize) {
    assert_eq!(stats.pending_removals, 0);
    let left = stats.died + stats.removed + stats.replaced + stats.cleared;
    assert_eq!(inserted as u64, stats.len as u64 + left, "{stats:?}");
    assert_eq!(walked, stats.len);
}

/// Objects of one thread, some of them equal to others' and to its own; replaced all the time.
struct Objects(Vec<Arc<Counted>>);

impl Objects {
    fn new(tally: &std::sync::Arc<Tally>) -> Self {
        Objects((0..KEYS).map(|n| Arc::new(Counted::new(n as u64 % 16, tally))).collect())
    }

    fn renew(&mut self, rng: &mut Rng, tally: &std::sync::Arc<Tally>) {
        self.0[rng.below(KEYS)] = Arc::new(Counted::new(rng.below(16) as u64, tally));
    }
}

macro_rules! keys {
    ($($name:ident: $Map:ident, $S:ty;)*) => {$(
        #[test]
        fn $name() {
            let _dog = watchdog();
            let (seed, keys, values, inserted) = (seed(), Tally::new(), Tally::new(), AtomicUsize::new(0));
            let map: $Map<Counted, (Counted, usize), $S> = $Map::builder().shards(2).hasher(<$S>::default()).build();
            together(THREADS, |i| {
                let (mut rng, mut own) = (Rng::new(seed, i), Objects::new(&keys));
                let came = |n: bool| inserted.fetch_add(usize::from(n), SeqCst);
                for step in 0..STEPS * long() {
                    let key = own.0[rng.below(KEYS)].clone();
                    let (mark, mut loaded) = (i << 32 | step, false);
                    let value = (Counted::new(key.id, &values), mark);
                    match rng.below(16) {
                        0..3 => { map.insert(&key, value); came(true); }
                        3 => { came(map.try_insert(&key, value).is_ok()); }
                        4 => { came(map.update(&key, |old| (old.0.clone(), mark))); }
                        5 => match map.compute(&key, |old| match old {
                            Some(old) if step % 2 == 0 => { assert_eq!(old.0.id, key.id); Compute::Remove }
                            _ => Compute::Insert(value.clone()),
                        }) {
                            Computed::Inserted { .. } => { came(true); }
                            done => assert!(matches!(done, Computed::Removed(_))),
                        },
                        // What another put there meanwhile wins over what was loaded.
                        6 => {
                            let load = |_: &_| { loaded = true; value };
                            let there = map.with_or_insert_with(&key, load, |there| { assert_eq!(there.0.id, key.id); there.1 });
                            came(loaded && there == mark);
                        }
                        7 => assert!(map.remove(&key).is_none_or(|value| value.0.id == key.id)),
                        8 => assert!(map.remove_exact(&Arc::downgrade(&key)).is_none_or(|value| value.0.id == key.id)),
                        9 => { map.pop(); }
                        10 => assert!(map.iter().all(|(key, value)| key.id == value.0.id)),
                        11 if step % 50 == 0 => map.retain(|key, value| { assert_eq!(key.id, value.0.id); key.id % 3 > 0 }),
                        12 if step % 100 == 0 => map.clear(),
                        13 => assert!(map.pin().read(&key).is_none_or(|value| value.0.id == key.id)),
                        _ => assert!(map.get_both(&key).is_none_or(|(there, value)| *there == *key && value.0.id == key.id)),
                    }
                    drop(key);
                    own.renew(&mut rng, &keys);
                }
            });
            assert_books(&map.stats(), inserted.into_inner(), map.keys().count());
            assert_eq!((map.len(), keys.left(), values.left()), (0, 0, 0), "all keys are dead, and took their values along");
        }
    )*};
}

keys! {
    key_maps: WeakKeyMap, Good;
    key_maps_of_four_bits: WeakKeyMap, FourBit;
    key_maps_of_one_hash: WeakKeyMap, Constant;
    key_maps_by_address: PtrWeakKeyMap, Good;
    key_maps_by_address_of_one_hash: PtrWeakKeyMap, Constant;
}

macro_rules! pairs {
    ($($name:ident: $Map:ident, $S:ty;)*) => {$(
        #[test]
        fn $name() {
            let _dog = watchdog();
            let (seed, tally, inserted) = (seed(), Tally::new(), AtomicUsize::new(0));
            let map: $Map<Counted, Counted, $S> = $Map::builder().shards(2).hasher(<$S>::default()).build();
            together(THREADS, |i| {
                let (mut rng, mut keys, mut values) = (Rng::new(seed, i), Objects::new(&tally), Objects::new(&tally));
                let came = |n: bool| inserted.fetch_add(usize::from(n), SeqCst);
                for step in 0..STEPS * long() {
                    let key = keys.0[rng.below(KEYS)].clone();
                    let value = if step % 7 == 0 { key.clone() } else { values.0[rng.below(KEYS)].clone() };
                    match rng.below(12) {
                        0..4 => { map.insert(&key, &value); came(true); }
                        4 => { came(map.try_insert(&key, &value).is_ok()); }
                        5 => {
                            let mut loaded = false;
                            let there = map.get_or_insert_with(&key, |_| { loaded = true; value.clone() });
                            came(loaded && Arc::ptr_eq(&there, &value)); // what another put there meanwhile wins
                        }
                        6 => if let Computed::Inserted { .. } = map.compute(&key, |there| match there {
                            Some(_) => Compute::Remove,
                            None => Compute::Insert(value.clone()),
                        }) {
                            came(true);
                        },
                        7 => { map.remove(&key); }
                        8 => { map.remove_exact(&key, &Arc::downgrade(&value)); }
                        9 => { map.pop(); }
                        10 if step % 50 == 0 => map.retain(|key, _| key.id % 3 > 0),
                        _ => { map.get(&key); }
                    }
                    keys.renew(&mut rng, &tally);
                    values.renew(&mut rng, &tally);
                }
            });
            assert_books(&map.stats(), inserted.into_inner(), map.keys().count());
            assert_eq!((map.len(), tally.left()), (0, 0));
        }
    )*};
}

pairs! {
    pairs: WeakWeakMap, Good;
    pairs_of_one_hash: WeakWeakMap, Constant;
    pairs_by_address: PtrWeakWeakMap, FourBit;
}

macro_rules! sets {
    ($($name:ident: $Set:ident, $S:ty;)*) => {$(
        #[test]
        fn $name() {
            let _dog = watchdog();
            let (seed, tally, inserted) = (seed(), Tally::new(), AtomicUsize::new(0));
            let set: $Set<Counted, $S> = $Set::builder().shards(2).hasher(<$S>::default()).build();
            together(THREADS, |i| {
                let (mut rng, mut own) = (Rng::new(seed, i), Objects::new(&tally));
                for step in 0..STEPS * long() {
                    let element = &own.0[rng.below(KEYS)];
                    match rng.below(10) {
                        0..4 => { inserted.fetch_add(usize::from(set.insert(element)), SeqCst); }
                        4 => { set.replace(element); inserted.fetch_add(1, SeqCst); }
                        5 => { set.remove(element); }
                        6 => { set.pop(); }
                        7 if step % 50 == 0 => set.retain(|element| element.id % 3 > 0),
                        8 => assert!(set.iter().all(|element| element.id < 16)),
                        _ => assert!(set.get(element).is_none_or(|there| *there == **element)),
                    }
                    own.renew(&mut rng, &tally);
                }
            });
            assert_books(&set.stats(), inserted.into_inner(), set.iter().count());
            assert_eq!((set.len(), tally.left()), (0, 0));
        }
    )*};
}

sets! {
    sets: WeakSet, Good;
    sets_of_one_hash: WeakSet, Constant;
    sets_by_address: PtrWeakSet, FourBit;
}

/// While anybody holds a value's object, whoever interns an equal value gets that one.
fn interners_of<S: BuildHasher + Default + Send + Sync>() {
    let _dog = watchdog();
    let (seed, tally) = (seed(), Tally::new());
    let interner: Interner<Counted, S> = Interner::builder().shards(2).hasher(S::default()).build();
    let anchors: Vec<_> = (0..4).map(|n| interner.intern(Counted::new(n, &tally))).collect();
    together(THREADS, |i| {
        let mut rng = Rng::new(seed, i);
        let mut held = Vec::new();
        for _ in 0..STEPS * long() {
            let n = rng.below(16) as u64;
            let value = interner.intern(Counted::new(n, &tally));
            assert_eq!(value.id, n);
            assert!(anchors.get(n as usize).is_none_or(|anchor| *anchor == value));
            assert!(held.iter().all(|other: &weakly::Interned<Counted>| (other.id == n) == (*other == value)));
            held.push(value);
            if held.len() > 6 {
                drop(held.swap_remove(rng.below(6)));
            }
        }
    });
    assert_eq!((interner.len(), tally.left(), interner.stats().pending_removals), (4, 4, 0));
    drop(anchors);
    assert_eq!((interner.len(), tally.left()), (0, 0));
}

#[test]
fn interners() {
    interners_of::<Good>();
    interners_of::<Constant>();
}
