//! Several threads that do everything at once, more of them than cores, under three hashers and several numbers of shards; then
//! the books must be exact. The seed is printed, and taken from `WEAKLY_SEED`.

use crate::common::{
    Constant, Counted, FourBit, Good, Rng, Tally, assert_accounts, flush_until, long, seed, sized, together, watchdog,
};
use std::hash::BuildHasher;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use weakly::{Arc, Cause, Compute, Computed, Cursor, WeakValueMap};

const THREADS: usize = sized(8, 3);
const STEPS: usize = sized(5_000, 20);
const KEYS: usize = 24;

type Map<S> = WeakValueMap<Counted, Counted, S>;

/// What all threads of a run share.
struct Run<S> {
    map: Map<S>,
    keys: StdArc<Tally>,
    values: StdArc<Tally>,
    /// Entries that were put in.
    inserted: AtomicUsize,
    /// Callbacks registered, and called.
    watched: AtomicUsize,
    called: StdArc<AtomicUsize>,
    next: AtomicU64,
}

impl<S: BuildHasher> Run<S> {
    fn key(&self, id: u64) -> Counted {
        Counted::new(id, &self.keys)
    }

    /// A value that says whose it is: its key in the upper half, its own number in the lower.
    fn value(&self, key: u64, rng: &mut Rng) -> Arc<Counted> {
        let id = key << 32 | self.next.fetch_add(1, SeqCst) & 0xffff_ffff;
        let value = Counted::new(id, &self.values);
        let value = if rng.below(8) == 0 { Arc::new_deferred(value) } else { Arc::new(value) };
        if rng.below(4) == 0 {
            self.watched.fetch_add(1, SeqCst);
            let called = self.called.clone();
            Arc::observe(&value, move |_| {
                called.fetch_add(1, SeqCst);
            })
            .detach();
        }
        value
    }

    fn came(&self, n: usize) {
        self.inserted.fetch_add(n, SeqCst);
    }

    /// One random operation; what it yields, and what was there, goes to `held`, from which something goes now and then.
    fn step(&self, rng: &mut Rng, held: &mut Vec<Arc<Counted>>) {
        let map = &self.map;
        let id = rng.below(KEYS) as u64;
        let probe = Counted::new(id, &self.keys);
        let mine = |value: &Arc<Counted>| assert_eq!(value.id >> 32, id, "another key's value");
        let found: Option<Arc<Counted>> = match rng.below(30) {
            0..4 => {
                let value = self.value(id, rng);
                let old = map.insert(self.key(id), &value);
                self.came(1);
                held.push(value);
                old
            }
            4 => {
                let old = map.insert(self.key(id), &self.value(id, rng)); // dies at once
                self.came(1);
                old
            }
            5 => {
                let value = self.value(id, rng);
                match map.try_insert(self.key(id), &value) {
                    Ok(()) => {
                        self.came(1);
                        Some(value)
                    }
                    Err(there) => Some(there),
                }
            }
            6 => {
                let value = self.value(id, rng);
                let there = map.get_or_insert(self.key(id), value.clone());
                self.came(usize::from(Arc::ptr_eq(&there, &value)));
                Some(there)
            }
            7 | 8 => {
                let mut loaded = None;
                let there = map.get_or_insert_with(self.key(id), |_| loaded.insert(self.value(id, rng)).clone());
                self.came(usize::from(loaded.is_some_and(|value| Arc::ptr_eq(&there, &value))));
                Some(there)
            }
            9 => map.get_or_try_insert_with(self.key(id), |_| Err(())).ok(),
            10..13 => map.get(&probe),
            13 => {
                let pinned = map.pin();
                let read = pinned.read(&probe);
                read.as_ref().inspect(|value| assert_eq!(value.id >> 32, id));
                read.and_then(|value| value.to_arc())
            }
            14 => map.remove(&probe),
            15 => map.remove_if(&probe, |_, value| value.id % 2 == 0),
            16 => {
                if let Some(value) = held.last() {
                    map.remove_exact(&Counted::new(value.id >> 32, &self.keys), &Arc::downgrade(value));
                }
                None
            }
            17 => map.remove_entry(&probe).map(|(key, value)| {
                assert_eq!(key.id, id);
                value
            }),
            18 => {
                if let Some((key, value)) = map.pop() {
                    assert_eq!(key.id, value.id >> 32);
                    held.push(value);
                }
                None
            }
            19 => {
                let value = self.value(id, rng);
                let which = rng.below(3);
                let done = map.compute(self.key(id), |old| match which {
                    0 => Compute::Keep,
                    1 => Compute::Remove,
                    _ if old.is_some_and(|old| old.id % 2 == 0) => Compute::Keep,
                    _ => Compute::Insert(value.clone()),
                });
                match done {
                    Computed::Inserted { old, new } => {
                        self.came(1);
                        mine(&new);
                        old
                    }
                    Computed::Kept(there) => there,
                    Computed::Removed(old) => Some(old),
                    other => unreachable!("{other:?}"),
                }
            }
            20 => {
                for (key, value) in map {
                    assert_eq!(key.id, value.id >> 32);
                }
                None
            }
            21 => {
                map.pin().iter().for_each(|(key, value)| assert_eq!(key.id, value.id >> 32));
                None
            }
            22 => {
                map.for_each(|key, value| assert_eq!(key.id, value.id >> 32));
                drop(map.scan(Cursor::default(), rng.below(10)));
                None
            }
            23 if rng.below(20) == 0 => {
                map.clear();
                None
            }
            24 if rng.below(10) == 0 => {
                map.retain(|key, _| key.id % 3 != 0);
                None
            }
            25 if rng.below(10) == 0 => {
                held.extend(map.extract_if(|key, _| key.id % 5 == 0).map(|(_, value)| value));
                None
            }
            26 => {
                match rng.below(4) {
                    0 => map.reserve(rng.below(100)),
                    1 => map.shrink_to(rng.below(10)),
                    2 => map.shrink_to_fit(),
                    _ => drop(map.run_pending_removals()),
                }
                None
            }
            27 => {
                weakly::pin().flush();
                assert!(map.contains_key(&probe) || map.len() < usize::MAX / 2, "never below nothing");
                None
            }
            _ => {
                held.truncate(rng.below(6));
                None
            }
        };
        found.as_ref().inspect(|value| mine(value));
        held.extend(found);
        if held.len() > 12 {
            held.swap_remove(rng.below(12));
        }
    }
}

fn everything_at_once<S: BuildHasher + Default + Send + Sync>(shards: usize) {
    let _dog = watchdog();
    let seed = seed();
    let told: [StdArc<AtomicUsize>; 4] = Default::default();
    let listener = {
        let told = told.clone();
        move |_: &Counted, cause: Cause| {
            told[cause as usize].fetch_add(1, SeqCst);
        }
    };
    let run = Run::<S> {
        map: WeakValueMap::builder().shards(shards).hasher(S::default()).on_removal(listener).build(),
        keys: Tally::new(),
        values: Tally::new(),
        inserted: AtomicUsize::new(0),
        watched: AtomicUsize::new(0),
        called: StdArc::default(),
        next: AtomicU64::new(0),
    };
    together(THREADS, |thread| {
        let mut rng = Rng::new(seed, thread);
        let mut held = Vec::new();
        for _ in 0..STEPS * long() {
            run.step(&mut rng, &mut held);
        }
        // Half of the threads leave what they hold to their end.
        if thread % 2 == 0 {
            held.clear();
        }
    });
    let Run { map, keys, values, inserted, watched, called, .. } = run;
    let inserted = inserted.into_inner();
    assert_accounts(&map, inserted);
    assert!(map.is_empty(), "nobody holds a value any more");
    let stats = map.stats();
    let told = told.map(|n| n.load(SeqCst) as u64);
    assert_eq!(told, [stats.died, stats.removed, stats.replaced, stats.cleared], "each left once and was told of once");
    assert_eq!(called.load(SeqCst), watched.into_inner(), "each callback once");
    drop(map);
    flush_until("deferred values are dropped", || values.left() == 0);
    flush_until("keys are dropped", || keys.left() == 0);
}

macro_rules! runs {
    ($($name:ident: $hasher:ty, $shards:literal;)*) => {$(
        #[test]
        fn $name() {
            everything_at_once::<$hasher>($shards);
        }
    )*};
}

runs! {
    everything_at_once_on_one_shard: Good, 1;
    everything_at_once_on_two_shards: Good, 2;
    everything_at_once_on_many_shards: Good, 64;
    everything_at_once_at_sixteen_hashes_on_one_shard: FourBit, 1;
    everything_at_once_at_sixteen_hashes_on_two_shards: FourBit, 2;
    everything_at_once_at_sixteen_hashes_on_many_shards: FourBit, 64;
    everything_at_once_at_one_hash_on_one_shard: Constant, 1;
    everything_at_once_at_one_hash_on_many_shards: Constant, 64;
}

#[test]
fn a_thread_that_flushes_all_the_time_breaks_nothing() {
    let _dog = watchdog();
    let seed = seed();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let inserted = AtomicUsize::new(0);
    together(4, |thread| {
        let mut rng = Rng::new(seed, thread);
        for _ in 0..sized(20_000, 30) {
            if thread == 0 {
                weakly::pin().flush();
                continue;
            }
            let key = rng.below(4) as u64;
            let value = Arc::new(key);
            map.insert(key, &value);
            inserted.fetch_add(1, SeqCst);
            assert!(map.get(&key).is_none_or(|value| *value == key));
        }
    });
    assert_accounts(&map, inserted.into_inner());
}

#[test]
fn a_guard_that_is_held_for_long_breaks_nothing() {
    let _dog = watchdog();
    let seed = seed();
    let map: WeakValueMap<u64, u64, FourBit> = WeakValueMap::default();
    let inserted = AtomicUsize::new(0);
    together(3, |thread| {
        let mut rng = Rng::new(seed, thread);
        let pinned = map.pin(); // over thousands of writes: nothing can be freed
        let mut seen = Vec::new();
        for _ in 0..sized(3_000, 10) {
            let key = rng.below(8) as u64;
            let value = Arc::new_deferred(key);
            pinned.insert(key, &value);
            inserted.fetch_add(1, SeqCst);
            if seen.len() < 500 {
                seen.extend(pinned.read(&key));
            }
        }
        assert!(seen.iter().all(|value| **value < 8), "dead, and readable under the guard");
    });
    assert_accounts(&map, inserted.into_inner());
}
