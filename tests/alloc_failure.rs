//! Out of memory: every operation with an allocator that refuses its first, its second, its n-th allocation, until it gets through;
//! once, and from then on. Each case is a process of its own, for what Rust does then is abort.
//!
//! | operation | without memory |
//! |---|---|
//! | `try_reserve` | says so, and has changed nothing but room that it made; a collection's first write makes a little more, which must be there |
//! | `shrink_to_fit`, a table or a list that shrinks because its entries died | keeps the room that it has |
//! | look-ups, `len`, `stats` | allocate nothing |
//! | everything else | `handle_alloc_error`: the standard message, and an abort |
//!
//! An abort comes at once, also under a lock: no destructor, callback or finalizer runs, nothing is half done that anybody could
//! still see. A hook of the nightly compiler that unwinds out of `handle_alloc_error` is not supported: it would unwind through
//! `crossbeam-epoch`, which then frees what readers may still see.
//!
//! All that changes or dies may allocate a little: what is retired goes into a bag, and a full bag into a queue, of `crossbeam-epoch`; and an entry of a busy
//! shard is posted to a queue. Capacities that no memory could hold are another matter: `reserve` panics as documented.

mod process;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::fmt::Write;
use std::process::ExitCode;
use weakly::atomic::AtomicArc;
use weakly::std_arc::{self, Anchor};
use weakly::{
    Arc, Compute, Interner, PtrWeakKeyMap, Stats, TryReserveError, WeakKeyMap, WeakList, WeakSet, WeakValueMap,
    WeakWeakMap, finalize,
};

/// The system's allocator, which refuses an allocation of an armed thread.
struct Refusing;

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

thread_local! {
    /// So many allocations of this thread until it is refused one; 0: not armed.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// How many it was refused.
    static REFUSED: Cell<usize> = const { Cell::new(0) };
    /// It is refused all that follow, too.
    static FOR_GOOD: Cell<bool> = const { Cell::new(false) };
    /// Only allocations of at least as many bytes count.
    static AT_LEAST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator, or null.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match LEFT.get() {
            _ if layout.size() < AT_LEAST.get() => {}
            0 => {}
            1 => {
                REFUSED.set(REFUSED.get() + 1);
                if !FOR_GOOD.get() {
                    LEFT.set(0);
                }
                return std::ptr::null_mut();
            }
            left => LEFT.set(left - 1),
        }
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Which allocation is to be refused, and whether all after it.
const NTH: &str = "WEAKLY_NTH";
const AFTER: &str = "WEAKLY_AFTER";

/// Larger than anything that the epoch allocates.
const LARGE: usize = 1 << 13;

/// Runs the operation under test, of a child, without memory.
fn refused<R>(operation: impl FnOnce() -> R) -> R {
    refused_at_least(0, operation)
}

/// The same where only allocations of at least so many bytes are refused.
fn refused_at_least<R>(bytes: usize, operation: impl FnOnce() -> R) -> R {
    AT_LEAST.set(bytes);
    let nth = env::var(NTH).unwrap().parse().unwrap();
    FOR_GOOD.set(env::var_os(AFTER).is_some());
    drop(weakly::pin()); // what the epoch makes once a thread is made
    LEFT.set(nth);
    let result = operation();
    LEFT.set(0);
    result
}

/// An operation, and what becomes of it.
struct Test {
    name: &'static str,
    program: fn(),
    /// It gets through without the memory.
    survives: bool,
}

macro_rules! tests {
    ($($name:ident: $survives:ident)*) => {
        &[$(Test { name: stringify!($name), program: $name, survives: tests!(@ $survives) }),*]
    };
    (@ survives) => { true };
    (@ aborts) => { false };
}

const TESTS: &[Test] = tests! {
    a_new_object: aborts
    a_cyclic_object: aborts
    a_slice: aborts
    a_deferred_death: aborts
    a_callback: aborts
    a_finalizer: aborts
    the_first_insert: aborts
    an_insert_that_grows_the_table: aborts
    a_replacement: aborts
    a_load: aborts
    a_compute: aborts
    a_removal: aborts
    a_death: aborts
    deaths_that_shrink_the_table: survives
    shrink_to_fit: survives
    try_reserve: survives
    try_reserve_of_a_new_map: aborts
    try_reserve_of_many_shards: survives
    look_ups: survives
    walks: aborts
    a_subscription: aborts
    a_clone: aborts
    a_weak_key: aborts
    a_weak_key_by_address: aborts
    a_pair: aborts
    an_element: aborts
    an_interned_value: aborts
    a_push: aborts
    a_push_that_grows_the_list: aborts
    deaths_that_shrink_the_list: survives
    a_swap_of_a_slot: aborts
    a_guest: aborts
    a_flush: aborts
};

fn main() -> ExitCode {
    let program = |test: &Test| {
        (test.program)();
        println!("{} refused", REFUSED.get());
    };
    let test = |test: &Test| {
        if cfg!(miri) {
            "skipped: needs processes".to_string()
        } else if cfg!(weakly_tsan) {
            "skipped: the epoch allocates for ThreadSanitizer".to_string()
        } else {
            cases(test)
        }
    };
    process::main(TESTS, |test| test.name, program, test)
}

/// Every allocation of an operation refused in turn. Each case ends in the standard way, or gets through with all checks.
fn cases(test: &Test) -> String {
    let mut how = String::from("ok:");
    for after in [false, true] {
        let (mut aborted, mut survived) = (0, 0);
        for nth in 1.. {
            let mut child = process::program(test.name);
            child.env(NTH, nth.to_string());
            if after {
                child.env(AFTER, "yes");
            }
            let ended = process::run(&mut child);
            let case = format!("{}, allocation {nth}, after {after}: {} {}", test.name, ended.printed, ended.errors);
            assert!(nth < 200, "{case}: endless");
            if ended.status == process::ABORTED {
                assert!(
                    ended.errors.contains("memory allocation of ") && ended.errors.contains(" bytes failed"),
                    "{case}"
                );
                assert!(ended.printed.is_empty() && !test.survives, "{case}");
                aborted += 1;
                continue;
            }
            assert_eq!(ended.status, 0, "{case}");
            if ended.printed == "0 refused\n" {
                break; // it needs no more than that
            }
            survived += 1;
        }
        let _ =
            write!(how, " {}{aborted} aborted, {survived} survived", if after { "; refused for good: " } else { "" });
    }
    how
}

type Map = WeakValueMap<u64, u64>;

/// A map of one shard of so many entries, and their values.
fn filled(n: u64) -> (Map, Vec<Arc<u64>>) {
    let map = WeakValueMap::builder().shards(1).build();
    let values: Vec<_> = (0..n).map(Arc::new).collect();
    map.extend(values.iter().map(|value| (**value, value)));
    (map, values)
}

/// The map is whole, has just these, and works.
fn check(map: &Map, values: &[Arc<u64>]) {
    map.validate();
    let Stats { len, pending_removals, .. } = map.stats();
    assert_eq!((len, pending_removals), (values.len(), 0));
    assert!(values.iter().all(|value| map.get(&**value).is_some_and(|there| Arc::ptr_eq(&there, value))));
    let one_more = Arc::new(1 << 40);
    map.insert(1 << 40, &one_more);
    assert!(map.remove(&(1 << 40)).is_some() && values.iter().all(|value| Arc::observer_count(value) == 1));
}

// Objects.

fn a_new_object() {
    assert_eq!(*refused(|| Arc::new(5)), 5);
}

fn a_cyclic_object() {
    struct Me(weakly::Weak<Me>);
    let me = refused(|| Arc::new_cyclic(|me| Me(me.clone())));
    assert!(me.0.upgrade().is_some());
}

fn a_slice() {
    let slice: Arc<[u64]> = refused(|| (0..100).collect());
    assert_eq!(slice.len(), 100);
}

fn a_deferred_death() {
    let objects: Vec<_> = (0..20).map(Arc::new_deferred).collect();
    refused(|| drop(objects));
}

fn a_callback() {
    let object = Arc::new(5);
    refused(|| Arc::observe(&object, |_| ()).detach());
    assert_eq!(Arc::observer_count(&object), 1);
}

fn a_finalizer() {
    let object = Arc::new(5);
    let finalizer = refused(|| finalize(&object, || ()));
    drop(object);
    assert!(!finalizer.is_alive());
}

fn a_swap_of_a_slot() {
    let slot = AtomicArc::new(Arc::new(1));
    let old = refused(|| (0..40).map(|n| slot.swap(Arc::new(n)).map_or(0, |old| *old)).sum::<u64>());
    assert!(old > 0 && slot.load().is_some());
}

// A value map.

fn the_first_insert() {
    let (map, value) = (Map::new(), Arc::new(0));
    refused(|| map.insert(0, &value));
    check(&map, &[value]);
}

fn an_insert_that_grows_the_table() {
    let (map, mut values) = filled(3);
    while map.len() < map.capacity() {
        values.push(Arc::new(values.len() as u64));
        map.insert(values.len() as u64 - 1, &values[values.len() - 1]);
    }
    values.push(Arc::new(values.len() as u64));
    refused(|| map.insert(values.len() as u64 - 1, &values[values.len() - 1]));
    check(&map, &values);
}

fn a_replacement() {
    let (map, mut values) = filled(5);
    let new = Arc::new(0);
    refused(|| map.insert(0, &new));
    values[0] = new;
    check(&map, &values);
}

fn a_load() {
    let (map, mut values) = filled(5);
    values.push(refused(|| map.get_or_insert_with(5, |_| Arc::new(5))));
    check(&map, &values);
}

fn a_compute() {
    let (map, mut values) = filled(5);
    let new = Arc::new(0);
    refused(|| drop(map.compute(0, |_| Compute::Insert(new.clone()))));
    values[0] = new;
    check(&map, &values);
}

/// Enough that what is retired fills bags.
fn a_removal() {
    let (map, mut values) = filled(200);
    refused(|| (100..200).for_each(|n| drop(map.remove(&n))));
    values.truncate(100);
    check(&map, &values);
}

fn a_death() {
    let (map, mut values) = filled(200);
    let dying = values.split_off(100);
    refused(|| drop(dying));
    check(&map, &values);
}

/// The arrays that it would shrink to are refused, and what the epoch needs is there.
fn deaths_that_shrink_the_table() {
    let (map, mut values) = filled(10_000);
    let dying = values.split_off(10);
    refused_at_least(LARGE, || drop(dying));
    check(&map, &values);
}

fn shrink_to_fit() {
    let (map, values) = filled(1_000);
    map.reserve(100_000);
    refused_at_least(LARGE, || map.shrink_to_fit());
    assert!(map.capacity() < 100_000 || REFUSED.get() > 0);
    check(&map, &values);
}

/// With the memory it is done, without it it says so; and what it has changed is room that it made.
fn check_reserved(map: &Map, values: &[Arc<u64>], done: Result<(), TryReserveError>) {
    assert!(if done.is_ok() { map.capacity() >= 10_000 } else { REFUSED.get() > 0 });
    check(map, values);
    assert!(map.try_reserve(10_000).is_ok() && map.capacity() >= 10_000);
    check(map, values);
}

fn try_reserve() {
    let (map, values) = filled(100);
    let done = refused(|| map.try_reserve(10_000));
    check_reserved(&map, &values, done);
}

/// What a first write makes must be there.
fn try_reserve_of_a_new_map() {
    let map = Map::new();
    let done = refused(|| map.try_reserve(10_000));
    check_reserved(&map, &[], done);
}

fn try_reserve_of_many_shards() {
    let map: Map = WeakValueMap::builder().shards(8).build();
    let done = refused(|| map.try_reserve(10_000));
    check_reserved(&map, &[], done);
}

fn look_ups() {
    let (map, values) = filled(100);
    refused(|| {
        for value in &values {
            let n = **value;
            assert!(map.get(&n).is_some() && map.contains_key(&n) && map.pin().read(&n).is_some());
        }
        assert!(map.get(&5_000).is_none() && map.remove(&5_000).is_none());
        assert_eq!((map.len(), map.stats().len), (100, 100));
    });
    check(&map, &values);
}

fn walks() {
    let (map, values) = filled(10);
    refused(|| {
        assert_eq!((map.iter().count(), map.pin().iter().count(), map.snapshot().len()), (10, 10, 10));
        map.retain(|_, _| true);
    });
    check(&map, &values);
}

fn a_subscription() {
    let (map, mut values) = filled(100);
    let removals = refused(|| {
        let removals = map.removals();
        drop(map.remove(&99));
        removals
    });
    assert_eq!(removals.try_iter().count(), 1);
    values.truncate(99);
    check(&map, &values);
}

fn a_clone() {
    let (map, values) = filled(8);
    let clone = refused(|| map.clone()); // entry by entry
    assert!(map == clone);
    drop(map);
    check(&clone, &values);
}

// The other collections.

fn a_weak_key() {
    let (map, key) = (WeakKeyMap::builder().shards(1).build(), Arc::new(1));
    refused(|| map.insert(&key, "value"));
    map.validate();
    assert!(map.get(&1) == Some("value") && Arc::observer_count(&key) == 1);
}

fn a_weak_key_by_address() {
    let (map, key) = (PtrWeakKeyMap::builder().shards(1).build(), Arc::new(1));
    refused(|| map.insert(&key, "value"));
    map.validate();
    assert!(map.get(&key) == Some("value") && Arc::observer_count(&key) == 1);
}

fn a_pair() {
    let (map, key, value) = (WeakWeakMap::builder().shards(1).build(), Arc::new(1), Arc::new(2));
    refused(|| map.insert(&key, &value));
    map.validate();
    assert!(map.get(&1).is_some() && Arc::observer_count(&key) + Arc::observer_count(&value) == 2);
}

fn an_element() {
    let (set, element) = (WeakSet::builder().shards(1).build(), Arc::new(1));
    assert!(refused(|| set.insert(&element)));
    set.validate();
    assert!(set.contains(&1) && Arc::observer_count(&element) == 1);
}

fn an_interned_value() {
    let names: Interner<str> = Interner::builder().shards(1).build();
    let name = refused(|| names.intern_ref("name"));
    names.validate();
    assert!(names.len() == 1 && names.get("name") == Some(name));
}

fn a_push() {
    let (list, element) = (WeakList::new(), Arc::new(1));
    refused(|| list.push(&element));
    list.validate();
    assert!(list.len() == 1 && Arc::observer_count(&element) == 1);
}

fn a_push_that_grows_the_list() {
    let (list, elements): (WeakList<_>, Vec<_>) = (WeakList::new(), (0..65).map(Arc::new).collect());
    list.extend(&elements[..64]);
    refused(|| list.push(&elements[64]));
    list.validate();
    assert!(list.iter().map(|n| *n).eq(0..65));
}

fn deaths_that_shrink_the_list() {
    let (list, mut elements): (WeakList<_>, Vec<_>) = (WeakList::new(), (0..10_000).map(Arc::new).collect());
    list.extend(&elements);
    let dying = elements.split_off(10);
    refused_at_least(LARGE, || drop(dying));
    list.validate();
    assert!(list.iter().map(|n| *n).eq(0..10));
}

fn a_guest() {
    let map: std_arc::WeakValueMap<u64, Anchor> = std_arc::WeakValueMap::builder().shards(1).build();
    let guest = std::sync::Arc::new(Anchor::new());
    refused(|| {
        map.insert(1, &guest);
        guest.observe(|| ()).detach();
    });
    map.validate();
    assert!(map.get(&1).is_some() && guest.observer_count() == 2);
}

fn a_flush() {
    let (map, values) = filled(100);
    drop(values);
    refused(|| (0..5).for_each(|_| weakly::pin().flush()));
    check(&map, &[]);
}
