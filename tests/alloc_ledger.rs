//! Memory, to the byte: a ledger of every block that a scenario allocates, on whatever thread it is freed. After each scenario,
//! once flushed, nothing is left; a new map allocates nothing; a table that has seen heaps of entries comes back to its size; and
//! what a thread holds back is bounded.
//!
//! A block carries a mark that says whether it was allocated by a thread that was *on the books* just then; so neither the test
//! harness nor what the epoch keeps for itself disturbs the figures.

#[path = "it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
#[path = "it/subjects.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod subjects;

use common::{
    Constant, Counted, FourBit, Good, Rng, Tally, panics_as_planned, planned, seed, sized, together, watchdog,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, MutexGuard};
use subjects::{Books, Item, Options, Owner, Subject, each_collection};
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::std_arc::{self, Anchor};
use weakly::{
    Arc, ByValue, Compute, Cursor, Interner, PtrWeakKeyMap, PtrWeakSet, WeakKeyMap, WeakList, WeakSet, WeakValueMap,
    WeakWeakMap, finalize, generic,
};

/// The system's allocator with a mark before every block.
struct Ledger;

#[global_allocator]
static ALLOCATOR: Ledger = Ledger;

thread_local! {
    /// Is this thread on the books?
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// Bytes and blocks of the books that are not yet freed, and blocks that ever were allocated.
static BYTES: AtomicIsize = AtomicIsize::new(0);
static BLOCKS: AtomicIsize = AtomicIsize::new(0);
static EVER: AtomicUsize = AtomicUsize::new(0);

/// The layout of a block with its mark before it, and how far the block is from its start.
fn marked(layout: Layout) -> (Layout, usize) {
    let before = layout.align().max(align_of::<bool>());
    let Ok(whole) = Layout::from_size_align(layout.size() + before, before) else { std::process::abort() };
    (whole, before)
}

// SAFETY: every block is the system's, with room for a mark before it that is at least as large as its alignment; `dealloc`
// finds mark and layout the same way as `alloc` did.
unsafe impl GlobalAlloc for Ledger {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (whole, before) = marked(layout);
        let on = ON.get();
        // SAFETY: the size is not 0; the mark lies in the block's first bytes.
        unsafe {
            let start = System.alloc(whole);
            if start.is_null() {
                return start;
            }
            start.cast::<bool>().write(on);
            if on {
                BYTES.fetch_add(layout.size() as isize, SeqCst);
                BLOCKS.fetch_add(1, SeqCst);
                EVER.fetch_add(1, SeqCst);
            }
            start.add(before)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (whole, before) = marked(layout);
        // SAFETY: as the caller says, the block is `alloc`'s, with this layout.
        unsafe {
            let start = block.sub(before);
            if start.cast::<bool>().read() {
                BYTES.fetch_sub(layout.size() as isize, SeqCst);
                BLOCKS.fetch_sub(1, SeqCst);
            }
            System.dealloc(start, whole);
        }
    }
}

/// Runs `work` with this thread on the books.
fn booked<R>(work: impl FnOnce() -> R) -> R {
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            ON.set(false);
        }
    }
    ON.set(true);
    let _off = Off;
    work()
}

/// One test at a time: there is one ledger. What is made once a process or thread is made before.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let alone = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    churn();
    // As many waiting threads at once as any scenario has, so that the lists of those who wait have grown.
    let (map, barrier): (WeakValueMap<u64, u64>, _) = (WeakValueMap::new(), Barrier::new(THREADS));
    let asked = AtomicUsize::new(0);
    together(THREADS, |_| {
        barrier.wait();
        asked.fetch_add(1, SeqCst);
        map.get_or_insert_with(1, |_| {
            while asked.load(SeqCst) < THREADS {
                std::thread::yield_now();
            }
            for _ in 0..sized(1_000, 20) {
                std::thread::yield_now(); // the others go to sleep
            }
            Arc::new(1)
        });
    });
    drop(finalize(&Arc::new(1), || ()));
    settle();
    BYTES.store(0, SeqCst);
    BLOCKS.store(0, SeqCst);
    alone
}

const THREADS: usize = sized(4, 2);

/// Off the books: pushes what the books have left in the epoch's and the ripe list's queues through them.
fn churn() {
    let map: WeakValueMap<String, u64> = WeakValueMap::new();
    for n in 0..100 {
        map.insert(n.to_string(), &Arc::new(n));
    }
    weakly::pin().flush();
}

/// Waits until all that was allocated on the books is freed, or nothing more goes.
fn settle() {
    for round in 1..sized(10_000, 30) {
        if BLOCKS.load(SeqCst) == 0 {
            return;
        }
        if round % sized(100, 10) == 0 {
            // The registry keeps the tables that it has grown: it grows them again, off the books.
            let object = Arc::new(round);
            (0..sized(4_000, 200)).for_each(|_| drop(finalize(&object, || ())));
        }
        churn();
        std::thread::yield_now(); // an ended test's thread may be on its way out, pinned for the last time
    }
}

fn left() -> (isize, isize) {
    (BLOCKS.load(SeqCst), BYTES.load(SeqCst))
}

type Map = WeakValueMap<String, String>;

fn key(n: usize) -> String {
    format!("key {n}")
}

fn value(n: usize) -> Arc<String> {
    Arc::new(format!("value {n}"))
}

/// A map of `n` entries, and its values.
fn filled(n: usize) -> (Map, Vec<Arc<String>>) {
    let values: Vec<_> = (0..n).map(value).collect();
    (values.iter().enumerate().map(|(n, value)| (key(n), value)).collect(), values)
}

/// What a program may do with a map, each from nothing to nothing.
const SCENARIOS: &[(&str, fn())] = &[
    ("entries that die", || {
        let map = Map::new();
        for n in 0..100 {
            map.insert(key(n), &value(n));
        }
        assert!(map.is_empty());
    }),
    ("entries that are replaced", || {
        let (map, values) = filled(10);
        for n in 0..100 {
            map.insert(key(n % 10), &values[n % 7]);
        }
    }),
    ("entries that are removed", || {
        let (map, values) = filled(100);
        for (n, value) in values.iter().enumerate() {
            match n % 5 {
                0 => drop(map.remove(&key(n))),
                1 => drop(map.remove_if(&key(n), |_, _| true)),
                2 => assert!(map.remove_exact(&key(n), &Arc::downgrade(value))),
                3 => drop(map.remove_entry(&key(n))),
                _ => {}
            }
        }
        assert_eq!(std::iter::from_fn(|| map.pop()).count(), 20);
    }),
    ("a map that goes before its values", || {
        let (map, values) = filled(100);
        drop(map);
        drop(values);
    }),
    ("values that go before their map", || {
        let (map, values) = filled(100);
        drop(values);
        drop(map);
    }),
    ("clear, and again", || {
        let (map, values) = filled(100);
        map.clear();
        map.extend(values.iter().map(|value| (value.to_string(), value)));
        map.clear();
    }),
    ("walks, whole and broken off", || {
        let (map, values) = filled(100);
        assert_eq!(map.iter().count() + map.keys().count() + map.snapshot().len(), 300);
        drop((map.iter().next(), map.values().next(), map.weak_values().next(), map.pin().iter().nth(3)));
        drop((map.drain().nth(3), map.extract_if(|key, _| key.len() > 5).nth(2), map.scan(Cursor::default(), 7)));
        map.retain(|key, _| key.len() > 5);
        drop(values);
    }),
    ("maps taken apart", || {
        let (map, values) = filled(50);
        let clone = map.clone();
        let other = &map | &clone;
        assert!(map == clone && map.is_submap(&other));
        drop(map.into_iter().nth(3));
        drop(clone.into_keys().nth(3));
        drop(other.into_values().nth(3));
        drop(values);
    }),
    ("writes that don't", || {
        let (map, values) = filled(5);
        assert!(map.try_insert(key(1), &values[2]).is_err());
        drop(map.get_or_insert(key(1), value(1)));
        drop(map.compute(key(1), |_| Compute::Keep));
        drop(map.compute(key(9), |_| Compute::Insert(value(9))));
        drop(map.compute(key(1), |_| Compute::Remove));
    }),
    ("loads", || {
        let map = Map::new();
        drop(map.get_or_insert_with(key(1), |_| value(1)));
        let two = map.get_or_insert_with_ref("key 2", |_| value(2));
        drop(map.get_or_insert_with(key(2), |_| unreachable!()));
        assert!(map.get_or_try_insert_with(key(3), |_| Err(key(3))).is_err());
        assert!(map.get_or_try_insert_with_ref("key 3", |_| Err(key(3))).is_err());
        assert!(panics_as_planned(|| drop(map.get_or_insert_with(key(4), |_| planned()))));
        let nested = map.get_or_insert_with(key(5), |_| map.get_or_insert_with(key(6), |_| value(6)));
        drop((two, nested));
    }),
    ("listeners and subscriptions", || {
        let told = Box::new(5);
        let map: Map = WeakValueMap::builder().on_removal(move |_, _| assert_eq!(*told, 5)).build();
        let (read, unread, late) = (map.removals(), map.removals(), map.removals());
        for n in 0..1_100 {
            map.insert(key(n), &value(n)); // more than a subscription holds
        }
        assert!(read.try_iter().count() > 1_000 && unread.dropped() > 0);
        drop(read);
        drop(map);
        drop((unread, late));
    }),
    ("listeners that panic", || {
        let map: Map = WeakValueMap::builder().on_removal(|_, _| planned()).build();
        for n in 0..10 {
            map.insert(key(n), &value(n));
        }
    }),
    ("callbacks that are called, cancelled, left behind", || {
        let (map, values) = filled(10);
        let captured = key(0);
        let called = Arc::observe(&values[0], move |value| assert!(value.len() > captured.len()));
        let cancelled = Arc::observe(&values[1], |_| unreachable!());
        Arc::observe(&values[2], |_| planned()).detach();
        assert!(cancelled.cancel());
        drop(values);
        assert!(!called.is_pending() && map.is_empty());
    }),
    ("deferred values, read and dropped", || {
        let map = Map::new();
        let values: Vec<_> = (0..50).map(|n| Arc::new_deferred(key(n))).collect();
        map.extend(values.iter().map(|value| (value.to_string(), value)));
        let pinned = map.pin();
        let read = pinned.read("key 7").unwrap();
        drop(values);
        assert_eq!(read.as_str(), "key 7");
    }),
    ("room made and given back", || {
        let map = Map::with_capacity(1_000);
        map.reserve(5_000);
        assert!(map.try_reserve(usize::MAX).is_err());
        map.shrink_to(100);
        let all: Vec<_> = (0..500).map(value).collect();
        map.extend(all.iter().map(|value| (value.to_string(), value)));
        map.shrink_to_fit();
    }),
    ("a poor hash", || {
        let map: WeakValueMap<String, String, Constant> = WeakValueMap::default();
        let all: Vec<_> = (0..sized(600, 40)).map(value).collect();
        map.extend(all.iter().map(|value| (value.to_string(), value)));
        drop(all);
        assert!(map.is_empty());
    }),
    ("a chain of values", || {
        struct Link(#[allow(dead_code, reason = "held, not read")] Option<Arc<Link>>);
        let map: WeakValueMap<usize, Link> = WeakValueMap::new();
        let mut first = Arc::new(Link(None));
        for n in 0..sized(2_000, 60) {
            map.insert(n, &first);
            first = Arc::new(Link(Some(first)));
        }
        drop(first);
        assert!(map.is_empty());
    }),
    ("a destructor that panics", || {
        struct Panics(#[allow(dead_code, reason = "held, not read")] String);
        impl Drop for Panics {
            fn drop(&mut self) {
                planned();
            }
        }
        let map: WeakValueMap<String, Panics> = WeakValueMap::new();
        let value = Arc::new(Panics(key(1)));
        map.insert(key(1), &value);
        assert!(panics_as_planned(|| drop(value)));
        // And of a key, which is contained.
        let map: WeakValueMap<u64, u64> = WeakValueMap::new();
        map.insert(1, &Arc::new(1));
    }),
    ("values that know themselves", || {
        struct Me(weakly::Weak<Me>);
        let map: WeakValueMap<u64, Me> = WeakValueMap::new();
        let me = Arc::new_cyclic(|me| Me(me.clone()));
        map.insert(1, &me);
        assert!(map.remove_exact(&1, &me.0) && Arc::try_unwrap(me).is_ok_and(|me| me.0.upgrade().is_none()));
    }),
    ("values that go with their keys", || {
        let (map, by_address) = (WeakKeyMap::new(), PtrWeakKeyMap::new());
        let keys: Vec<_> = (0..100).map(value).collect();
        for (n, key_object) in keys.iter().enumerate() {
            map.insert(key_object, key(n));
            by_address.insert(key_object, key(n));
            map.insert(&value(n % 50), key(n)); // takes the place of an equal one, and dies
        }
        drop(keys);
        assert!(map.is_empty() && by_address.is_empty());
    }),
    ("key maps: writes that do and that don't", || {
        for map in [WeakKeyMap::new(), WeakKeyMap::builder().deferred_values().build()] {
            let keys: Vec<_> = (0..5).map(value).collect();
            map.extend(keys.iter().map(|object| (object, key(1))));
            assert!(map.try_insert(&keys[0], key(2)).is_err() && map.update(&keys[1], |there| there.clone() + "!"));
            drop((map.insert(&keys[0], key(3)), map.get_or_insert(&keys[0], key(4)), map.remove(&keys[2])));
            drop(map.compute(&keys[1], |_| Compute::Keep));
            drop(map.compute(&keys[1], |_| Compute::Insert(key(5))));
            drop(map.compute(&keys[1], |_| Compute::Remove));
            drop(map.get_or_insert_with(&keys[2], |_| key(6)));
            assert!(map.get_or_try_insert_with(&keys[1], |_| Err(key(7))).is_err());
            assert!(panics_as_planned(|| drop(map.get_or_insert_with(&keys[1], |_| planned()))));
            assert!(panics_as_planned(|| assert!(map.update(&keys[0], |_| planned()))));
            let removed = map.with(&keys[0], |_| map.remove(&keys[0]).unwrap().into_inner().unwrap_err()).unwrap();
            drop((map.clone(), map.iter().next(), map.drain().nth(1), removed, map.into_values().next()));
        }
    }),
    ("pairs of which either dies", || {
        let map = WeakWeakMap::new();
        let (mut keys, mut values): (Vec<_>, Vec<_>) = (0..100).map(|n| (value(n), value(n))).unzip();
        map.extend(keys.iter().zip(&values));
        map.insert(&keys[0], &keys[0]);
        drop((keys.split_off(60), values.split_off(30)));
        assert_eq!(map.len(), 30);
        drop((map.get_or_insert_with(&value(5), |_| value(5)), map.clone(), map.pop(), map.into_iter().next()));
    }),
    ("sets and their algebra", || {
        let all: Vec<_> = (0..100).map(value).collect();
        let (left, right): (WeakSet<_>, WeakSet<_>) = (all[..60].iter().collect(), all[30..].iter().collect());
        let by_address: PtrWeakSet<_> = all.iter().collect();
        drop((&left | &right, &left & &right, &left - &right, &left ^ &right));
        drop((left.get_or_insert(key(1)), left.get_or_insert(key(500)), left.replace(&value(7)), left.take("value 3")));
        drop((all, right));
        assert!(left.is_empty() && by_address.is_empty());
    }),
    ("an interner of values that come and go", || {
        let interner: Interner<str> = Interner::new();
        let kept: Vec<_> = (0..100).map(|n| interner.intern(key(n % 30))).collect();
        drop((
            interner.intern_ref("k"),
            interner.intern_with("l", |name| name.into()),
            interner.intern_box("m".into()),
        ));
        assert_eq!(interner.len(), 30);
        drop(kept);
        assert!(interner.is_empty());
    }),
    ("a list of elements that come and go", || {
        let list = WeakList::new();
        let all: Vec<_> = (0..100).map(value).collect();
        list.extend(&all);
        list.extend(all.iter().rev());
        for n in 0..100 {
            list.push(&value(n)); // dies at once
        }
        assert!(list.remove(&all[3]) && list.remove_exact(&Arc::downgrade(&all[4])) && list.pop().is_some());
        list.retain(|value| value.len() > 7);
        drop((list.iter().nth(3), list.weak_iter().next(), list.pin().iter().nth(3), list.snapshot(), list.clone()));
        list.clear();
        list.extend(&all);
    }),
    ("guests that come and go", || {
        let guests: Vec<std::sync::Arc<Anchor>> = (0..50).map(|_| Default::default()).collect();
        let (map, list): (std_arc::WeakValueMap<usize, _>, std_arc::WeakList<_>) = Default::default();
        let (keys, set) = (std_arc::PtrWeakKeyMap::new(), std_arc::PtrWeakSet::new());
        for (n, guest) in guests.iter().enumerate() {
            map.insert(n % 40, guest);
            list.push(guest);
            keys.insert(guest, key(n));
            assert!(set.insert(guest));
            let cancelled = guest.observe(|| unreachable!());
            assert!(cancelled.cancel());
            guest.observe(move || assert!(n < 50)).detach();
        }
        drop((map.remove(&3), list.pop(), keys.remove(&guests[1]), set.clone(), map.iter().next()));
        drop(guests);
        assert!(map.is_empty() && list.is_empty() && keys.is_empty() && set.is_empty());
    }),
    ("guests that outlive what they were in", || {
        let guests: Vec<std::sync::Arc<Anchor>> = (0..50).map(|_| Default::default()).collect();
        let map: std_arc::WeakValueMap<usize, Anchor> = std_arc::WeakValueMap::new();
        map.extend(guests.iter().cloned().enumerate());
        drop(map);
        assert!(guests.iter().all(|guest| guest.observer_count() == 0));
    }),
    ("finalizers that are called, detached, run at death", || {
        let object = value(1);
        let captured = || {
            let captured = key(2);
            move || captured
        };
        let (called, detached, at_death) =
            (finalize(&object, captured()), finalize(&object, captured()), finalize(&object, captured()));
        assert_eq!((called.call(), called.call()), (Some(key(2)), None));
        drop(detached.detach());
        finalize(&object, || planned());
        let guest = std::sync::Arc::new(Anchor::new());
        let of_guest = std_arc::finalize(&guest, captured());
        drop((object, guest));
        assert!(!at_death.is_alive() && !of_guest.is_alive());
    }),
    ("slots", || {
        let (slot, weak) = (AtomicArc::new(value(0)), AtomicWeak::new(&value(0)));
        for n in 1..50 {
            let new = value(n);
            weak.store(Arc::downgrade(&new));
            drop(slot.swap(new.clone()));
            let guard = weakly::pin();
            let read = slot.read(&guard);
            slot.store(Arc::new_deferred(key(n)));
            assert!(read.is_some() && slot.load().is_some());
            drop((slot.take(), weak.load()));
        }
    }),
    ("weak pointers by value, and of what is not born", || {
        let by_value = ByValue::new(&value(1));
        assert!(by_value.upgrade().is_none());
        assert!(panics_as_planned(|| drop(Arc::<String>::new_cyclic(|_| planned()))));
    }),
    ("lists that go before their elements, and after", || {
        let all: Vec<_> = (0..100).map(value).collect();
        let (before, after): (WeakList<String>, WeakList<String>) = (all.iter().collect(), all.iter().collect());
        drop((before, all));
        drop(after.into_iter());
    }),
];

#[test]
fn after_each_scenario_nothing_is_left() {
    let _dog = watchdog();
    let _alone = alone();
    for (name, scenario) in SCENARIOS {
        booked(scenario);
        settle();
        assert_eq!(left(), (0, 0), "blocks and bytes that {name} left");
    }
}

#[test]
fn after_threads_that_do_it_all_at_once_nothing_is_left() {
    let _dog = watchdog();
    let _alone = alone();
    for _ in 0..sized(20, 1) {
        let map = Mutex::new(Some(booked(Map::new)));
        {
            let map = map.lock().unwrap();
            let map = map.as_ref().unwrap();
            together(THREADS, |thread| {
                drop(weakly::pin()); // what the epoch keeps for this thread is off the books
                booked(|| {
                    let mut held = Vec::new();
                    for n in 0..sized(500, 20) {
                        let n = (n * 7 + thread) % 20;
                        match n % 6 {
                            0 | 1 => {
                                let value = value(n);
                                map.insert(key(n), &value);
                                held.push(value);
                            }
                            2 => held.push(map.get_or_insert_with(key(n), |_| value(n))),
                            3 => drop(map.remove(&key(n - 1))),
                            4 => held.extend(map.get(&key(n - 2))),
                            _ if n == 5 => map.shrink_to_fit(),
                            _ => held.clear(),
                        }
                    }
                });
            });
        }
        booked(|| drop(map.lock().unwrap().take()));
        settle();
        assert_eq!(left(), (0, 0), "blocks and bytes");
    }
}

#[test]
#[cfg_attr(weakly_tsan, ignore = "the epoch allocates for ThreadSanitizer")]
fn a_new_map_allocates_nothing() {
    let _alone = alone();
    let ever = EVER.load(SeqCst);
    booked(|| {
        static STATIC: WeakValueMap<u64, u64, BuildHasherDefault<DefaultHasher>> =
            WeakValueMap::with_hasher(BuildHasherDefault::new());
        let maps: [WeakValueMap<u64, u64>; 3] =
            [WeakValueMap::new(), WeakValueMap::default(), WeakValueMap::with_capacity(0)];
        for map in maps {
            assert!(map.get(&1).is_none() && !map.contains_key(&1) && map.pin().read(&1).is_none());
            assert!(map.remove(&1).is_none() && map.remove_if(&1, |_, _| true).is_none() && map.pop().is_none());
            assert_eq!((map.len(), map.capacity(), map.iter().count(), map.keys().count()), (0, 0, 0, 0));
            assert_eq!((map.snapshot().len(), map.drain().count(), map.stats().len), (0, 0, 0));
            map.for_each(|_, _| ());
            map.retain(|_, _| true);
            map.clear();
            map.shrink_to_fit();
            map.reserve(0);
            map.run_pending_removals();
        }
        assert!(STATIC.is_empty());
    });
    assert_eq!(EVER.load(SeqCst) - ever, 0);
}

#[test]
#[cfg_attr(weakly_tsan, ignore = "the epoch allocates for ThreadSanitizer")]
fn look_ups_allocate_nothing() {
    let _alone = alone();
    let (map, values) = booked(|| filled(100));
    let keys: Vec<String> = (0..100).map(key).collect();
    let ever = EVER.load(SeqCst);
    booked(|| {
        for (key, value) in keys.iter().zip(&values) {
            assert!(Arc::ptr_eq(&map.get(key).unwrap(), value) && map.contains_key(key));
            assert!(map.pin().read(key).is_some() && map.get("none").is_none());
        }
        assert_eq!((map.len(), map.stats().len), (100, 100));
    });
    assert_eq!(EVER.load(SeqCst) - ever, 0);
    booked(|| drop((map, values)));
    settle();
    assert_eq!(left(), (0, 0));
}

#[test]
fn tables_come_back_to_their_size_after_churn() {
    let _dog = watchdog();
    let _alone = alone();
    let map: WeakValueMap<u64, u64> = booked(WeakValueMap::new);
    let steady: Vec<_> = booked(|| (0..100).map(Arc::new).collect());
    booked(|| map.extend(steady.iter().map(|value| (**value, value))));
    settle_to_no_less();
    let before = left();
    for round in 0..3 {
        booked(|| {
            // A heap that dies at once, an endless stream that dies one by one, and entries that come and go by hand.
            let heap: Vec<_> = (1_000..sized(20_000, 1_100) as u64).map(Arc::new).collect();
            map.extend(heap.iter().map(|value| (**value, value)));
            drop(heap);
            for n in 0..sized(20_000, 100) as u64 {
                map.insert((1 << 40) | n, &Arc::new(n));
            }
            for n in 0..sized(5_000, 50) as u64 {
                map.insert((1 << 50) | (n % 50), &steady[0]);
                map.remove(&((1 << 50) | (n % 50)));
            }
        });
        settle_to_no_less();
        let after = left();
        assert_eq!(after.0, before.0, "blocks after round {round}");
        assert!(after.1 <= before.1 * 2, "{} bytes where there were {}, after round {round}", after.1, before.1);
    }
    booked(|| drop((map, steady)));
    settle();
    assert_eq!(left(), (0, 0));
}

/// As [`settle`], where something is to stay: until nothing has gone for a while.
fn settle_to_no_less() {
    let (mut least, mut since) = (left(), 0);
    while since < sized(50, 5) {
        churn();
        std::thread::yield_now();
        since = if left() < least { 0 } else { since + 1 };
        least = least.min(left());
    }
}

#[test]
fn what_a_thread_holds_back_is_bounded() {
    let _dog = watchdog();
    let _alone = alone();
    /// The most that was there at once while one thread lets entries with values of `size` bytes come and go.
    fn most<const SIZE: usize>() -> (isize, isize) {
        let map: WeakValueMap<u64, [u8; SIZE]> = WeakValueMap::new();
        let mut most = (0, 0);
        for n in 0..sized(5_000, 200) as u64 {
            booked(|| map.insert(n % 10, &Arc::new([0; SIZE])));
            let now = left();
            most = (now.0.max(most.0), now.1.max(most.1));
        }
        drop(map);
        settle();
        assert_eq!(left(), (0, 0));
        println!("{most:?} of {SIZE} bytes");
        most
    }
    // Sixteen things or 64 KiB unflushed, and twice as many on their way through the epochs: each counts block and node.
    let small = most::<8>();
    assert!(small.0 <= 16 * 2 * 4, "{} blocks held back", small.0);
    let large = most::<20_000>();
    assert!(large.1 <= 64 * 1024 * 4, "{} bytes held back", large.1);
}

#[test]
fn unread_notices_and_unwatched_maps_cost_nothing() {
    let _dog = watchdog();
    let _alone = alone();
    let tally = Tally::new();
    let map: WeakValueMap<u64, Counted> = WeakValueMap::new();
    map.reserve(100);
    let mut least = usize::MAX;
    for n in 0..sized(200, 20) as u64 {
        let value = Arc::new(Counted::new(n, &tally));
        let ever = EVER.load(SeqCst);
        booked(|| {
            map.insert(n % 5, &value);
            drop(value);
        });
        least = least.min(EVER.load(SeqCst) - ever);
    }
    assert_eq!(least, 1, "an entry that comes and goes is one node");
}

#[test]
fn a_new_list_allocates_nothing() {
    let _alone = alone();
    let ever = EVER.load(SeqCst);
    booked(|| {
        static STATIC: WeakList<u64> = WeakList::new();
        for list in [&STATIC, &WeakList::new(), &WeakList::default()] {
            assert_eq!((list.len(), list.iter().count(), list.weak_iter().count(), list.pop()), (0, 0, 0, None));
            assert_eq!((list.snapshot().len(), list.pin().iter().count(), list.clone().into_iter().count()), (0, 0, 0));
            list.for_each(|_| ());
            list.retain(|_| true);
            list.clear();
        }
    });
    assert_eq!(EVER.load(SeqCst) - ever, 0);
}

#[test]
#[cfg_attr(weakly_tsan, ignore = "the epoch allocates for ThreadSanitizer")]
fn walks_over_a_list_allocate_nothing() {
    let _alone = alone();
    let all: Vec<_> = booked(|| (0..100).map(value).collect());
    let list: WeakList<String> = booked(|| all.iter().collect());
    let ever = EVER.load(SeqCst);
    booked(|| {
        assert_eq!((list.iter().count(), list.weak_iter().count(), list.pin().iter().count()), (100, 100, 100));
        list.for_each(|value| assert!(list.contains(value)));
        list.retain(|_| true);
    });
    assert_eq!(EVER.load(SeqCst) - ever, 0);
    booked(|| drop((list, all)));
    settle();
    assert_eq!(left(), (0, 0));
}

#[test]
fn a_list_comes_back_to_its_size_after_churn() {
    let _dog = watchdog();
    let _alone = alone();
    let steady: Vec<_> = booked(|| (0..100).map(value).collect());
    let list: WeakList<String> = booked(|| steady.iter().collect());
    settle_to_no_less();
    let before = left();
    for round in 0..3 {
        booked(|| {
            // An endless stream that dies one by one, elements that come and go by hand, and a heap that dies at once.
            for n in 0..sized(20_000, 100) {
                list.push(&value(n));
            }
            for n in 0..sized(5_000, 50) {
                list.push(&steady[n % 100]);
                if n % 2 == 0 {
                    list.pop();
                } else {
                    assert!(list.remove(&steady[n % 100])); // the first: so the order changes
                }
            }
            let heap: Vec<_> = (0..sized(20_000, 200)).map(value).collect();
            list.extend(&heap);
            drop(heap);
        });
        settle_to_no_less();
        let after = left();
        assert_eq!(after.0, before.0, "blocks after round {round}");
        assert!(after.1 <= before.1 * 2, "{} bytes where there were {}, after round {round}", after.1, before.1);
    }
    assert_eq!(list.len(), 100);
    booked(|| drop((list, steady)));
    settle();
    assert_eq!(left(), (0, 0));
}

#[test]
#[cfg_attr(weakly_tsan, ignore = "the epoch allocates for ThreadSanitizer")]
fn a_hit_of_an_interner_allocates_nothing() {
    let _dog = watchdog();
    let _alone = alone();
    let (texts, strings, numbers): (Interner<str>, Interner<String>, Interner<u64>) = Default::default();
    let held = (texts.intern("one"), strings.intern_ref("one"), numbers.intern(1));
    drop((texts.intern_ref("one"), strings.intern_ref("one"))); // what is made once a thread is made
    let before = EVER.load(SeqCst);
    booked(|| {
        for _ in 0..100 {
            assert!(texts.intern_ref("one") == held.0 && texts.intern("one") == held.0);
            assert!(texts.get("one").as_ref() == Some(&held.0));
            assert!(strings.intern_ref("one") == held.1 && strings.intern_with("one", |_| unreachable!()) == held.1);
            assert!(numbers.intern(1) == held.2 && numbers.intern_ref(&1) == held.2);
        }
    });
    assert_eq!(EVER.load(SeqCst), before);
}

#[test]
#[cfg_attr(weakly_tsan, ignore = "the epoch allocates for ThreadSanitizer")]
fn a_look_up_of_a_weakly_held_key_allocates_nothing() {
    let _dog = watchdog();
    let _alone = alone();
    let object = value(1);
    let (map, by_address) = (WeakKeyMap::from([(&object, 5)]), PtrWeakKeyMap::from([(&object, 5)]));
    let (set, pairs) = (WeakSet::from([&object]), WeakWeakMap::from([(&object, &object)]));
    let equal = value(1);
    assert_eq!(map.get(&equal), Some(5));
    let before = EVER.load(SeqCst);
    booked(|| {
        for _ in 0..100 {
            assert!(map.get(&equal) == Some(5) && map.get("value 1") == Some(5) && map.contains_key(&object));
            assert!(by_address.get(&object) == Some(5) && by_address.get(&equal).is_none());
            assert!(set.contains(&equal) && set.get("value 1").is_some() && pairs.get(&object).is_some());
            assert!(map.with(&equal, |n| *n) == Some(5) && map.pin().read(&equal).is_some());
        }
    });
    assert_eq!(EVER.load(SeqCst), before);
}

/// Nodes that a shard keeps for reuse, and the odd one on its way: more or fewer from one moment to the next.
const SPARE: isize = 60;

/// What comes and goes leaves a collection as large as it was, and a collection that goes leaves nothing.
fn comes_back_to_its_size<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    let _alone = alone();
    let books = Books::default();
    let subject: M = booked(|| M::make(&Options { shards: 2, ..Options::default() }));
    let steady: Vec<A> = booked(|| (0..50).map(|id| books.object(id, false, false)).collect());
    booked(|| steady.iter().for_each(|object| _ = subject.put(object, rng)));
    booked(|| steady.iter().for_each(|object| _ = subject.again(object, rng)));
    let size = subject.size();
    settle_to_no_less();
    let before = left();
    for round in 0..2 {
        booked(|| {
            let heap: Vec<A> =
                (100..sized(1_000, 200) as u64).map(|id| books.object(id, id % 9 == 0, id % 4 == 0)).collect();
            heap.iter().for_each(|object| _ = subject.put(object, rng));
            drop(heap);
            for id in 0..sized(1_000, 60) as u64 {
                subject.put(&books.object::<A>((1 << 40) | id, false, false), rng); // dies at once
            }
        });
        settle_to_no_less();
        assert_eq!(subject.size(), size, "after round {round}");
        assert!(left().0 <= before.0 + SPARE, "{} blocks where there were {}, after round {round}", left().0, before.0);
        assert!(left().1 <= before.1 * 2, "{} bytes where there were {}, after round {round}", left().1, before.1);
    }
    booked(|| drop((subject, steady)));
    settle();
    assert_eq!(left(), (0, 0), "blocks and bytes");
    books.close();
}

/// A guard that another thread holds all the while keeps back what dies, so much for each death and no more, delays nobody, and
/// gives all of it back when it goes.
fn held_back_by_a_guard<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    let _alone = alone();
    let books = Books::default();
    let subject: M = booked(|| M::make(&Options { shards: 2, ..Options::default() }));
    let mut put_and_die = |n: u64| {
        booked(|| (0..n).for_each(|id| _ = subject.put(&books.object::<A>(id % 100, false, false), rng)));
        left().1
    };
    put_and_die(300);
    settle_to_no_less();
    let before = left();
    let (some, more) = (sized(500, 50), sized(1_500, 150));
    let (held, hold) = (Barrier::new(2), Barrier::new(2));
    let grown = std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = weakly::pin();
            held.wait();
            hold.wait();
        });
        held.wait();
        let grown = [some, more].map(|n| put_and_die(n as u64) - before.1);
        assert_eq!(subject.size(), 0, "deaths are not delayed");
        hold.wait();
        grown
    });
    // A node, a block, a key or a value, and what the epoch notes of each.
    let each = 600;
    assert!(
        grown[0] <= (some * each) as isize && grown[1] <= ((some + more) * each) as isize,
        "held back: {grown:?} bytes"
    );
    settle_to_no_less();
    assert!(left().0 <= before.0 + SPARE, "{:?} blocks and bytes where there were {before:?}", left());
    booked(|| drop(subject));
    settle();
    assert_eq!(left(), (0, 0), "blocks and bytes");
    books.close();
}

each_collection! {
    fn each_comes_back_to_its_size = 1, comes_back_to_its_size;
    fn each_holds_back_what_dies_under_a_guard = 1, held_back_by_a_guard;
}

/// A long-lived object pays for the hooks that it has, however many it had.
#[test]
fn hooks_of_a_long_lived_object_are_bounded() {
    let _dog = watchdog();
    let _alone = alone();
    let (object, guest) = booked(|| (value(1), std::sync::Arc::new(Anchor::new())));
    let (map, list, guests): (Map, WeakList<String>, std_arc::WeakValueMap<usize, Anchor>) =
        booked(|| (Map::new(), WeakList::new(), std_arc::WeakValueMap::new()));
    let round = || {
        booked(|| {
            for n in 0..sized(3_000, 40) {
                assert!(Arc::observe(&object, |_| ()).cancel() && guest.observe(|| ()).cancel());
                assert!(finalize(&object, || ()).call().is_some());
                map.insert(key(n % 10), &object);
                guests.insert(n % 10, &guest);
                list.push(&object);
                drop((map.remove(&key(n % 7)), guests.remove(&(n % 7)), list.pop()));
            }
            map.clear();
            guests.clear();
        });
        assert_eq!((Arc::observer_count(&object), guest.observer_count()), (0, 0));
        settle_to_no_less();
        left()
    };
    let first = round();
    for _ in 0..3 {
        let now = round();
        assert!(now.0 <= first.0 + SPARE && now.1 <= first.1 * 2, "{now:?} where there were {first:?}");
    }
    booked(|| drop((object, guest, map, list, guests)));
    settle();
    assert_eq!(left(), (0, 0));
}

/// A key that comes and goes for ever leaves no dead entries behind that a look-up would have to pass.
#[test]
fn entries_that_die_leave_no_backlog() {
    let _dog = watchdog();
    let _alone = alone();
    let (names, map): (Interner<str>, Map) = booked(|| (Interner::new(), Map::new()));
    let mut most = (0, 0);
    for n in 0..sized(5_000, 100) {
        booked(|| {
            let name = names.intern_ref("the same");
            map.insert(key(1), &value(n));
            assert!(names.len() == 1 && map.is_empty());
            drop(name);
            assert!(names.is_empty());
        });
        most = (left().0.max(most.0), left().1.max(most.1));
    }
    assert_eq!((names.stats().pending_removals, map.stats().pending_removals), (0, 0));
    assert!(most.1 <= 128 << 10, "{most:?} blocks and bytes at once, at most");
    booked(|| drop((names, map)));
    settle();
    assert_eq!(left(), (0, 0));
}
