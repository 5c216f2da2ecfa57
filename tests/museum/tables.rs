//! Tables that are rebuilt, that fill up with the dead, and that never get smaller.

use crate::common::{Constant, Counted, Good, Over, Tally, flush_until, sized, together, watchdog};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc as StdArc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weakly::{Arc, Equivalent, Interner, WeakKeyMap, WeakSet, WeakValueMap};

/// A number to look up by, with something to do at every comparison.
struct Probe<'a>(u64, &'a dyn Fn());

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<u64> for Probe<'_> {
    fn equivalent(&self, key: &u64) -> bool {
        self.1();
        self.0 == *key
    }
}

/// Spring's map purged its table in place, and a reader in the middle of a chain missed a key that was there. Here a rebuilt
/// table is a new one: a reader goes on in the old one, which nobody changes any more.
#[test]
fn spring_31008_a_key_that_is_there_is_found_while_the_table_is_rebuilt() {
    fn check<S: BuildHasher + Default + Send + Sync>() {
        const STEADY: u64 = sized(12, 4) as u64;
        let map: WeakValueMap<u64, u64, S> = WeakValueMap::builder().shards(1).hasher(S::default()).build();
        let set: WeakSet<u64, S> = WeakSet::builder().shards(1).hasher(S::default()).build();
        let put = |value: &Arc<u64>| {
            map.insert(**value, value);
            set.insert(value);
        };
        let steady: Vec<_> = (0..STEADY).map(Arc::new).collect();
        steady.iter().for_each(put);
        // The dead are purged, and the table is rebuilt, smaller and larger, in the middle of the look-up itself.
        let rebuild = || {
            let dying: Vec<_> = (100..100 + sized(30, 2) as u64).map(Arc::new).collect();
            dying.iter().for_each(put);
            drop(dying);
            map.shrink_to_fit();
            map.reserve(200);
            set.shrink_to_fit();
        };
        for n in 0..STEADY {
            assert_eq!(map.get(&Probe(n, &rebuild)).as_deref(), Some(&n));
            assert!(map.contains_key(&Probe(n, &rebuild)) && set.contains(&Probe(n, &rebuild)));
            assert_eq!(map.pin().read(&Probe(n, &rebuild)).as_deref(), Some(&n));
        }
        // And from another thread.
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    rebuild();
                }
            });
            let _over = Over(&over);
            for _ in 0..sized(2_000, 2) {
                assert!((0..STEADY).all(|n| map.contains_key(&n) && set.contains(&n)));
            }
        });
    }
    let _dog = watchdog();
    check::<Constant>();
    check::<Good>();
}

/// An entry's key that counts its comparisons.
struct Word {
    n: u64,
    compared: StdArc<AtomicUsize>,
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.n.hash(state);
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.compared.fetch_add(1, SeqCst);
        self.n == other.n
    }
}

impl Eq for Word {}

/// In Go's `unique`, dead entries of one value that is made and dropped again and again queue up in its bucket, and each look-up
/// walks over them. Here a dead entry is gone with its object, or the next one takes its place.
#[test]
fn go_canon_map_a_key_that_comes_and_goes_leaves_no_backlog() {
    let _dog = watchdog();
    let rounds = sized(20_000, 30);
    let compared = StdArc::new(AtomicUsize::new(0));
    let word = || Word { n: 1, compared: compared.clone() };
    let interner: Interner<Word> = Interner::new();
    let (map, over) = (WeakValueMap::builder().shards(1).build(), AtomicBool::new(false));
    let _guard = weakly::pin(); // nothing is freed meanwhile, so whatever queues up stays
    for _ in 0..rounds {
        drop(interner.intern_arc(Arc::new(word())));
        map.insert(word(), &Arc::new(1));
    }
    assert_eq!(compared.load(SeqCst), 0, "there was never anything to compare with");
    assert!(interner.stats().capacity <= 8 && map.capacity() <= 8);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                map.reserve(100); // the shard is busy, so the dead wait for a while
                map.shrink_to_fit();
            }
        });
        let _over = Over(&over);
        for _ in 0..rounds {
            map.insert(word(), &Arc::new(1));
        }
    });
    assert!(compared.load(SeqCst) <= 4 * rounds, "a few at a time, not {} in all", compared.load(SeqCst));
    assert_eq!((map.len(), map.pending_removals()), (0, 0));
}

/// .NET's `ConditionalWeakTable` and Go's map only ever grew. Here a table that its entries have left is sparse, and whoever
/// leaves it next makes it smaller: the dying themselves, from whatever thread.
#[test]
fn dotnet_4123_go_20135_a_table_shrinks_with_its_dead() {
    let _dog = watchdog();
    let threads = sized(4, 2);
    let values: WeakValueMap<u64, u64> = WeakValueMap::new();
    let keys: WeakKeyMap<u64, u64> = WeakKeyMap::new();
    let interner: Interner<u64> = Interner::new();
    let most = AtomicUsize::new(0);
    let held: Vec<Mutex<Vec<Arc<u64>>>> = (0..threads).map(|_| Mutex::default()).collect();
    together(threads, |thread| {
        let n = sized(2_000, 60) as u64;
        let mut held = held[thread].lock().unwrap();
        for n in thread as u64 * n..(thread as u64 + 1) * n {
            let object = Arc::new(n);
            values.insert(n, &object);
            keys.insert(&object, n);
            drop(interner.intern_arc(object.clone()));
            held.push(object);
        }
        most.fetch_max(values.capacity(), SeqCst);
    });
    assert!(most.into_inner() > sized(1_000, 30));
    together(threads, |thread| held[thread].lock().unwrap().clear());
    let few = values.shards() * 8;
    let capacities = [values.capacity(), keys.capacity(), interner.stats().capacity];
    assert!(capacities.iter().all(|&capacity| capacity <= few), "{capacities:?}");
    assert_eq!((values.len(), keys.len(), interner.len()), (0, 0, 0));
}

/// A table that never gives memory back: interners and caches whose entries went, but not their keys, tombstones or blocks.
/// Here nothing of what went is left once the guards of its time are gone, and an emptied table can give its arrays back too.
#[test]
fn a_table_gives_back_all_that_its_entries_held() {
    let _dog = watchdog();
    let (keys, objects) = (Tally::new(), Tally::new());
    let map: WeakValueMap<Counted, Counted> = WeakValueMap::new();
    let table: WeakKeyMap<Counted, Counted> = WeakKeyMap::new();
    let witness = Arc::new(Counted::new(0, &objects));
    for round in 0..sized(6, 3) {
        let mut all: Vec<_> = (1..sized(1_000, 30) as u64).map(|n| Arc::new(Counted::new(n, &objects))).collect();
        all.push(witness.clone());
        for object in &all {
            map.insert(Counted::new(object.id, &keys), object);
            drop(table.insert(object, Counted::new(object.id, &objects)));
        }
        match round % 3 {
            0 => drop(all), // by death, and then the witness by removal
            1 => map.clear(),
            _ => map.retain(|_, _| false),
        }
        drop(map.remove(&Counted::new(0, &keys)));
        table.clear();
        assert_eq!((map.len(), table.len()), (0, 0));
    }
    assert_eq!(objects.left(), 1, "values go at once");
    flush_until("every key is given back", || keys.left() == 0);
    flush_until("every hold on a block is given back", || Arc::weak_count(&witness) == 0);
    assert_eq!(Arc::observer_count(&witness), 0);
    map.shrink_to_fit();
    table.shrink_to_fit();
    assert_eq!((map.capacity(), table.capacity()), (0, 0));
}
