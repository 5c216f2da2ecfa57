//! Loading: one loader a key at a time, one winner, no wait that never ends.

use crate::common::{
    Constant, Counted, FourBit, Good, Rng, Tally, assert_accounts, flush_until, panic_message, panics_as_planned,
    planned, seed, sized, together, watchdog,
};
use std::hash::{BuildHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc as StdArc, Barrier, Mutex};
use std::thread;
use weakly::{Arc, Cause, WeakKeyMap, WeakValueMap};

fn map<S: Default>(shards: usize) -> WeakValueMap<u64, u64, S> {
    WeakValueMap::builder().shards(shards).hasher(S::default()).build()
}

fn cold_keys_are_loaded_once<S: BuildHasher + Default + Sync + Send>() {
    let _dog = watchdog();
    let (threads, keys) = (sized(64, 3), sized(16, 2));
    for _ in 0..sized(20, 1) {
        let map = map::<S>(4);
        let loads: Vec<AtomicUsize> = (0..keys).map(|_| AtomicUsize::new(0)).collect();
        let got: Mutex<Vec<Arc<u64>>> = Mutex::default();
        together(threads, |i| {
            for n in 0..keys {
                let key = (i + n) % keys; // each thread begins elsewhere, and all meet
                let value = map.get_or_insert_with(key as u64, |&key| {
                    loads[key as usize].fetch_add(1, SeqCst);
                    thread::yield_now();
                    Arc::new(key)
                });
                got.lock().unwrap().push(value);
            }
        });
        assert!(loads.iter().all(|n| n.load(SeqCst) == 1), "{loads:?}");
        let got = got.into_inner().unwrap();
        assert!(got.iter().all(|value| Arc::ptr_eq(value, &map.get(&**value).unwrap())), "the very value");
        assert_accounts(&map, keys);
        drop(got);
        assert_accounts(&map, keys);
        assert!(map.is_empty(), "flights keep nothing alive");
    }
}

#[test]
fn many_threads_on_cold_keys_load_each_once() {
    cold_keys_are_loaded_once::<Good>();
}

#[test]
fn many_threads_on_cold_keys_of_four_bits_load_each_once() {
    cold_keys_are_loaded_once::<FourBit>();
}

#[test]
fn many_threads_on_cold_keys_of_one_hash_load_each_once() {
    cold_keys_are_loaded_once::<Constant>();
}

/// The one key is asked for by many; `first` ends the first load, which begins when the others are on their way.
fn one_waiter_retries(first: impl Fn() -> Result<Arc<u64>, ()> + Sync) {
    let _dog = watchdog();
    let threads = sized(8, 3);
    for _ in 0..sized(100, 2) {
        let map = map::<Good>(1);
        let (loads, at_once, asked) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let got: Mutex<Vec<Arc<u64>>> = Mutex::default();
        together(threads, |_| {
            asked.fetch_add(1, SeqCst);
            let answer = catch_unwind(AssertUnwindSafe(|| {
                map.get_or_try_insert_with(1, |_| {
                    assert_eq!(at_once.fetch_add(1, SeqCst), 0, "one loader at a time");
                    let nth = loads.fetch_add(1, SeqCst);
                    while asked.load(SeqCst) < threads {
                        thread::yield_now();
                    }
                    at_once.fetch_sub(1, SeqCst);
                    if nth == 0 { first() } else { Ok(Arc::new(nth as u64)) }
                })
            }));
            if let Ok(Ok(value)) = answer {
                got.lock().unwrap().push(value);
            }
        });
        assert_eq!(loads.load(SeqCst), 2, "one waiter retried, and its value is everybody's");
        let got = got.into_inner().unwrap();
        assert_eq!(got.len(), threads - 1);
        assert!(got.iter().all(|value| Arc::ptr_eq(value, &got[0])));
        assert_accounts(&map, 1);
    }
}

#[test]
fn when_a_loader_fails_one_waiter_retries() {
    one_waiter_retries(|| Err(()));
}

#[test]
fn when_a_loader_panics_one_waiter_retries() {
    one_waiter_retries(|| planned());
}

#[test]
fn when_every_loader_fails_each_caller_gets_its_own_error() {
    let _dog = watchdog();
    let threads = sized(8, 3);
    let map = map::<Constant>(1);
    let errors: Mutex<Vec<usize>> = Mutex::default();
    together(threads, |i| {
        let error = map.get_or_try_insert_with(1, |_| Err(i)).unwrap_err();
        errors.lock().unwrap().push(error);
    });
    let mut errors = errors.into_inner().unwrap();
    errors.sort();
    assert_eq!(errors, (0..threads).collect::<Vec<_>>());
    assert_accounts(&map, 0);
}

/// While one key is loading, on one shard and at one hash, everything else goes on.
fn another_key_goes_on<S: BuildHasher + Default + Sync + Send>() {
    let _dog = watchdog();
    let map = map::<S>(1);
    let (tx, rx) = channel();
    let loading = Barrier::new(2);
    thread::scope(|scope| {
        let (tx, map, loading) = (tx, &map, &loading); // `tx` goes if this panics, and the loader with it
        let slow = scope.spawn(move || {
            map.get_or_insert_with(1, |_| {
                loading.wait();
                rx.recv().unwrap(); // until the others are through
                Arc::new(1)
            })
        });
        loading.wait();
        let two = map.get_or_insert_with(2, |_| Arc::new(2));
        assert!(Arc::ptr_eq(&map.get_or_insert_with(2, |_| unreachable!()), &two));
        assert_eq!(map.get_or_try_insert_with(3, |_| Err("no")), Err("no"));
        assert!(panics_as_planned(|| drop(map.get_or_insert_with(4, |_| planned()))));
        let five = Arc::new(5);
        map.insert(5, &five);
        assert_eq!((map.get(&1), map.contains_key(&1), map.remove(&1), map.len()), (None, false, None, 2));
        assert_eq!(map.iter().count(), 2);
        map.remove(&5);
        map.clear();
        tx.send(()).unwrap();
        let one = slow.join().unwrap();
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &one));
    });
    assert_accounts(&map, 3);
}

#[test]
fn loading_one_key_delays_no_other() {
    another_key_goes_on::<Good>();
}

#[test]
fn loading_one_key_delays_no_other_of_the_same_hash() {
    another_key_goes_on::<Constant>();
}

#[test]
fn a_loader_that_waits_for_itself_panics_and_says_so() {
    let _dog = watchdog();
    let map = map::<Good>(1);
    let message = panic_message(|| map.get_or_insert_with(1, |_| map.get_or_insert_with(1, |_| Arc::new(2))));
    assert!(message.contains("deadlock"), "{message}");
    assert_eq!(*map.get_or_insert_with(1, |_| Arc::new(3)), 3, "it has left nothing behind");
    // A loader that survives it goes on.
    let one = map.get_or_insert_with(1, |_| {
        let message = panic_message(|| map.get_or_insert_with(1, |_| unreachable!()));
        assert!(message.contains("deadlock"), "{message}");
        Arc::new(1)
    });
    assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &one));
    // By way of another key, too.
    let message = panic_message(|| {
        map.get_or_insert_with(7, |_| map.get_or_insert_with(8, |_| map.get_or_insert_with(7, |_| unreachable!())))
    });
    assert!(message.contains("deadlock"), "{message}");
}

/// `n` threads, each loading a key of its own that needs the next one's: the last to wait panics, and the rest get through.
fn a_ring_panics_once<S: BuildHasher + Default + Sync + Send>(n: usize, maps: usize) {
    let _dog = watchdog();
    for _ in 0..sized(50, 2) {
        let maps: Vec<_> = (0..maps).map(|_| map::<S>(1)).collect();
        let (leading, panicked) = (Barrier::new(n), AtomicUsize::new(0));
        let of = |i: usize| (&maps[i % maps.len()], (i % n) as u64);
        together(n, |i| {
            let answer = catch_unwind(AssertUnwindSafe(|| {
                let (map, key) = of(i);
                map.get_or_insert_with(key, |_| {
                    leading.wait(); // each leads its own before any asks for the next
                    let (map, key) = of(i + 1);
                    let next = map.get_or_insert_with(key, |_| Arc::new(100));
                    Arc::new(*next + 1)
                })
            }));
            if let Err(panic) = answer {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or(panic.downcast_ref::<&str>().copied()).expect("a message");
                assert!(message.contains("deadlock"), "{message}");
                panicked.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(panicked.load(SeqCst), 1, "one of the ring gives way");
        assert!(maps.iter().all(|map| map.is_empty() && map.pending_removals() == 0));
    }
}

#[test]
fn a_ring_of_two_threads_over_two_maps_panics_once() {
    a_ring_panics_once::<Good>(2, 2);
}

#[test]
fn a_ring_of_three_threads_over_three_maps_panics_once() {
    a_ring_panics_once::<Good>(3, 3);
}

#[test]
fn a_ring_of_three_threads_over_one_map_and_one_hash_panics_once() {
    a_ring_panics_once::<Constant>(3, 1);
}

#[test]
fn waiting_in_a_line_is_no_ring() {
    let _dog = watchdog();
    let seed = seed();
    let maps = [map::<Good>(1), map::<Good>(2)];
    // Each key needs a lower one: whoever waits for whom, it ends.
    fn load(maps: &[WeakValueMap<u64, u64, Good>; 2], key: u64, rng: &mut Rng) -> Arc<u64> {
        let map = &maps[rng.below(2)];
        map.get_or_insert_with(key, |&key| {
            if key > 0 {
                let below = rng.below(key as usize) as u64;
                drop(load(maps, below, rng));
                drop(load(maps, key - 1, rng));
            }
            Arc::new(key)
        })
    }
    together(sized(6, 3), |i| {
        let mut rng = Rng::new(seed, i);
        for _ in 0..sized(2_000, 3) {
            let top = rng.below(6) as u64;
            assert_eq!(*load(&maps, top, &mut rng), top);
        }
    });
    assert!(maps.iter().all(|map| map.is_empty() && map.pending_removals() == 0));
}

#[test]
fn loads_that_need_each_other_at_random_end() {
    let _dog = watchdog();
    let seed = seed();
    let maps = [map::<Good>(1), map::<Good>(2), map::<Good>(1)];
    let deadlocks = AtomicUsize::new(0);
    together(sized(6, 3), |i| {
        let mut rng = Rng::new(seed, i);
        fn load(maps: &[WeakValueMap<u64, u64, Good>; 3], depth: usize, rng: &mut Rng) -> Arc<u64> {
            let (map, key) = (&maps[rng.below(3)], rng.below(3) as u64);
            map.get_or_insert_with(key, |&key| {
                if depth > 0 {
                    drop(load(maps, depth - 1, rng));
                }
                Arc::new(key)
            })
        }
        for _ in 0..sized(2_000, 3) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(load(&maps, 3, &mut rng)))) {
                let message = panic.downcast_ref::<&str>().expect("a message");
                assert!(message.contains("deadlock"), "{message}");
                deadlocks.fetch_add(1, SeqCst);
            }
        }
    });
    println!("{} of them gave way", deadlocks.load(SeqCst));
    assert!(maps.iter().all(|map| map.is_empty() && map.pending_removals() == 0));
}

#[test]
fn an_insert_during_a_load_wins_for_all_who_wait() {
    let _dog = watchdog();
    let threads = sized(8, 3);
    for _ in 0..sized(50, 2) {
        let map = map::<Constant>(1);
        let tally = Tally::new();
        let inserted = Arc::new(2);
        let asked = AtomicUsize::new(0);
        together(threads, |_| {
            asked.fetch_add(1, SeqCst);
            let got = map.get_or_insert_with(1, |_| {
                let _loaded = Counted::new(0, &tally);
                while asked.load(SeqCst) < threads {
                    thread::yield_now();
                }
                map.insert(1, &inserted);
                Arc::new(1)
            });
            assert!(Arc::ptr_eq(&got, &inserted));
        });
        assert_eq!((tally.made(), map.len(), map.stats().died), (1, 1, 0));
    }
}

#[test]
fn a_loader_may_use_its_map() {
    let _dog = watchdog();
    for shards in [1, 4] {
        let map = map::<FourBit>(shards);
        let others: Vec<_> = (100..120).map(Arc::new).collect();
        let one = map.get_or_insert_with(1, |_| {
            map.extend(others.iter().map(|v| (**v, v)));
            assert_eq!(map.iter().count(), 20);
            assert!(map.remove(&100).is_some() && map.pop().is_some());
            let two = map
                .get_or_insert_with(2, |_| map.get_or_insert_with(3, |_| map.get_or_insert_with(4, |_| Arc::new(4))));
            assert_eq!((*two, map.get(&1)), (4, None));
            map.clear();
            map.shrink_to_fit();
            assert!(map.insert(1, &Arc::new(0)).is_none(), "dies at once");
            Arc::new(1)
        });
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &one));
        assert_eq!(map.len(), 1);
    }
}

#[test]
fn a_value_that_dies_at_once_is_loaded_again() {
    let _dog = watchdog();
    let (threads, rounds) = (sized(4, 2), sized(2_000, 10));
    for shards in [1, 4] {
        let map = map::<Good>(shards);
        let loads = AtomicUsize::new(0);
        together(threads, |_| {
            for _ in 0..rounds {
                let value = map.get_or_insert_with(1, |_| Arc::new(loads.fetch_add(1, SeqCst) as u64));
                assert!(*value < loads.load(SeqCst) as u64);
            } // each value goes as soon as nobody has it
        });
        assert_accounts(&map, loads.load(SeqCst));
        assert!(map.is_empty());
    }
}

#[test]
fn loads_and_removals_of_one_key_keep_the_books() {
    let _dog = watchdog();
    let rounds = sized(2_000, 10);
    let map: WeakValueMap<u64, u64, Constant> = WeakValueMap::builder().shards(1).hasher(Constant::default()).build();
    let (loads, removed, cleared) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    together(4, |i| {
        for n in 0..rounds {
            match (i, n % 64) {
                (0, _) => {
                    removed.fetch_add(usize::from(map.remove(&1).is_some()), SeqCst);
                }
                (1, 0) => {
                    map.clear();
                    cleared.store(true, SeqCst);
                }
                _ => {
                    let value = map.get_or_insert_with(1, |_| Arc::new(loads.fetch_add(1, SeqCst) as u64));
                    thread::yield_now();
                    drop(value);
                }
            }
        }
    });
    assert_eq!(map.stats().removed, removed.load(SeqCst) as u64);
    assert_accounts(&map, loads.load(SeqCst));
}

#[test]
fn keys_and_values_of_loads_are_dropped_once() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    {
        let map: WeakValueMap<Counted, Counted, Constant> = WeakValueMap::default();
        together(sized(8, 3), |i| {
            for n in 0..sized(50, 3) as u64 {
                let key = Counted::new(n % 3, &keys);
                let loaded = catch_unwind(AssertUnwindSafe(|| {
                    map.get_or_try_insert_with(key, |key| match (i as u64 + n) % 4 {
                        0 => planned(),
                        1 => Err(()),
                        _ => Ok(Arc::new(Counted::new(key.id, &values))),
                    })
                }));
                drop(loaded);
            }
        });
        assert!(map.is_empty());
    }
    assert_eq!(values.left(), 0);
    flush_until("every key is dropped", || keys.left() == 0);
}

#[test]
fn a_comparison_that_panics_leaves_the_load_it_looked_at_alone() {
    /// Compares for as long as it may.
    struct Touchy(u64, bool);
    impl Hash for Touchy {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }
    impl PartialEq for Touchy {
        fn eq(&self, other: &Self) -> bool {
            if self.1 || other.1 {
                planned();
            }
            self.0 == other.0
        }
    }
    impl Eq for Touchy {}

    let _dog = watchdog();
    let map: WeakValueMap<Touchy, u64> = WeakValueMap::new();
    let (tx, rx) = channel();
    let loading = Barrier::new(2);
    thread::scope(|scope| {
        let (tx, map, loading) = (tx, &map, &loading);
        let slow = scope.spawn(move || {
            map.get_or_insert_with(Touchy(1, false), |_| {
                loading.wait();
                rx.recv().unwrap();
                Arc::new(1)
            })
        });
        loading.wait();
        assert!(panics_as_planned(|| drop(map.get_or_insert_with(Touchy(2, true), |_| unreachable!()))));
        let two = map.get_or_insert_with(Touchy(2, false), |_| Arc::new(2));
        tx.send(()).unwrap();
        let one = slow.join().unwrap();
        assert_eq!((*one, *two, map.len()), (1, 2, 2));
    });
}

/// A key whose comparison and whose destructor do something, each once. All have one hash.
struct Acting {
    id: u64,
    on_eq: Act,
    on_drop: Act,
}

type Act = Mutex<Option<Box<dyn FnOnce() + Send>>>;

impl Acting {
    fn new(id: u64) -> Self {
        Acting { id, on_eq: Act::default(), on_drop: Act::default() }
    }
}

impl Hash for Acting {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(0);
    }
}

impl PartialEq for Acting {
    fn eq(&self, other: &Self) -> bool {
        let act = self.on_eq.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        self.id == other.id
    }
}

impl Eq for Acting {}

impl Drop for Acting {
    fn drop(&mut self) {
        if let Some(act) = self.on_drop.get_mut().unwrap().take() {
            act();
        }
    }
}

#[test]
fn a_panic_of_what_joining_has_left_behind_ends_the_load() {
    let _dog = watchdog();
    let map: WeakKeyMap<Acting, u64> = WeakKeyMap::new();
    let two = Arc::new(Acting::new(2));
    let (loading, is_loading) = channel();
    let (compared, may_end) = channel();
    let (gone, is_gone) = channel();
    thread::scope(|scope| {
        let map = &map;
        scope.spawn(move || {
            let one = Arc::new(Acting::new(1));
            *one.on_drop.lock().unwrap() = Some(Box::new(|| planned()));
            map.get_or_insert_with(&one, |_| {
                loading.send(()).unwrap();
                may_end.recv().unwrap();
                1
            });
            drop(one); // not the last: who is comparing has another
            gone.send(()).unwrap();
        });
        is_loading.recv().unwrap();
        *two.on_eq.lock().unwrap() = Some(Box::new(move || {
            compared.send(()).unwrap();
            is_gone.recv().unwrap();
        }));
        assert!(panics_as_planned(|| assert_eq!(map.get_or_insert_with(&two, |_| 2), 2)));
    });
    assert_eq!((map.get_or_insert_with(&two, |_| 3), map.len()), (3, 1));
}

#[test]
fn what_a_failed_load_has_left_behind_may_load_the_key() {
    let map: StdArc<WeakKeyMap<Acting, u64>> = StdArc::default();
    let [one, two] = [1, 2].map(|id| Arc::new(Acting::new(id)));
    map.insert(&one, 1);
    *one.on_drop.lock().unwrap() = Some({
        let (map, two) = (map.clone(), two.clone());
        Box::new(move || assert_eq!(map.get_or_insert_with(&two, |_| 2), 2))
    });
    let failed = map.get_or_try_insert_with(&two, |_| {
        drop(one); // not the last: the load that compared it has another
        Err(())
    });
    assert_eq!((failed, map.get(&two)), (Err(()), Some(2)));
}

#[test]
fn what_is_loaded_is_told_of_like_any_entry() {
    let map = map::<Good>(1);
    let removals = map.removals();
    drop(map.get_or_insert_with(1, |_| Arc::new(1)));
    let two = map.get_or_insert_with(2, |_| Arc::new(2));
    map.remove(&2);
    assert_eq!(map.get_or_try_insert_with(3, |_| Err(())), Err(()));
    assert_eq!(removals.try_iter().collect::<Vec<_>>(), [(1, Cause::Died), (2, Cause::Removed)]);
    assert_eq!(Arc::observer_count(&two), 0);
}

#[test]
fn a_thread_that_waits_keeps_no_garbage_back() {
    let _dog = watchdog();
    let map = map::<Good>(1);
    let tally = Tally::new();
    let (tx, rx) = channel();
    let (loading, asked) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        let (tx, map, loading) = (tx, &map, &loading);
        scope.spawn(move || {
            map.get_or_insert_with(1, |_| {
                loading.wait();
                rx.recv().unwrap();
                Arc::new(1)
            })
        });
        loading.wait();
        let asked = &asked;
        let waiter = scope.spawn(move || {
            asked.store(true, SeqCst);
            map.get_or_insert_with(1, |_| Arc::new(2))
        });
        while !asked.load(SeqCst) {
            thread::yield_now();
        }
        // Keys that leave meanwhile are dropped meanwhile: neither loader nor waiter holds a guard.
        let keys: WeakValueMap<Counted, u64> = WeakValueMap::new();
        for n in 0..100 {
            keys.insert(Counted::new(n, &tally), &Arc::new(n));
        }
        flush_until("the keys are dropped while others load and wait", || tally.left() == 0);
        tx.send(()).unwrap();
        waiter.join().unwrap();
    });
}
