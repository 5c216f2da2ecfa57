//! Limits: counts that run away, chains a million long, values of no size, of much, and oddly aligned; each a program of its own.
//!
//! | limit | what happens | test |
//! |---|---|---|
//! | 2⁶¹ owners, or 2⁶³ - 1 weak pointers | abort, as `std` does | `…_owners_abort`, `…_weak_pointers_abort` |
//! | a chain of a hundred thousand watched objects (a million with `WEAKLY_LONG=10`), through any collection, callback or finalizer | it dies on a bounded stack | `…_dies_flat`, `…_runs_flat` |
//! | a chain of a million plain ones | recursion, as `std`'s: the stack overflows | `a_chain_that_nobody_watches_recurses_as_stds` |
//! | more than a table, or memory, can hold | a panic that says so, or an `Err`, and nothing has changed | `more_than_can_be_held_panics` |
//! | values of no size, of 64 MiB, aligned to a page | as any | `values_of_any_size_and_alignment` |

#[path = "it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
mod process;

use common::long;
use process::ABORTED;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, Interner, PtrWeakKeyMap, PtrWeakSet, Weak, WeakList, WeakSet, WeakValueMap, finalize};

/// A program, how it ends, and what it says on standard error.
struct Test {
    name: &'static str,
    program: fn(),
    status: i32,
    says: &'static str,
}

macro_rules! tests {
    ($($name:ident $(: $status:ident $says:literal)?;)*) => {
        &[$(Test { name: stringify!($name), program: $name, status: 0 $(+ $status)?, says: concat!("", $($says)?) }),*]
    };
}

const TESTS: &[Test] = tests! {
    too_many_owners_abort: ABORTED "";
    too_many_upgraded_owners_abort: ABORTED "";
    too_many_raw_owners_abort: ABORTED "";
    too_many_weak_pointers_abort: ABORTED "";
    too_many_clones_of_weak_pointers_abort: ABORTED "";
    too_many_entries_weak_pointers_abort: ABORTED "";
    a_chain_that_nobody_watches_recurses_as_stds: ABORTED "has overflowed its stack";
    a_chain_of_stds_recurses: ABORTED "has overflowed its stack";
    a_chain_of_map_values_dies_flat;
    a_chain_of_keys_and_their_values_dies_flat;
    a_chain_of_elements_dies_flat;
    a_chain_of_list_elements_dies_flat;
    a_chain_of_interned_values_dies_flat;
    a_chain_of_finalizers_runs_flat;
    a_chain_of_deferred_objects_dies_flat;
    a_chain_of_guests_and_callbacks_dies_flat;
    more_than_can_be_held_panics;
    values_of_any_size_and_alignment;
};

fn main() -> ExitCode {
    let in_a_process = |test: &Test| {
        if cfg!(miri) || cfg!(not(unix)) {
            return "skipped: needs processes, and the signals of a Unix".to_string();
        }
        if cfg!(any(weakly_tsan, weakly_asan)) && !test.says.is_empty() {
            return "skipped: a sanitizer has its own say at a signal".to_string();
        }
        let name = test.name;
        let ended = process::run(&mut process::program(name));
        assert_eq!(ended.status, test.status, "{name}: {}", ended.errors);
        assert!(ended.errors.contains(test.says), "{name}: {}", ended.errors);
        assert!(test.status == 0 || !ended.printed.contains("not reached"), "{name}: {}", ended.printed);
        "ok".to_string()
    };
    process::main(TESTS, |test| test.name, |test| (test.program)(), in_a_process)
}

// Counts.

/// The words before a value: strong count, weak count, hooks. No program comes to such counts by honest means.
fn word<T>(of: &Arc<T>, which: usize) -> &AtomicU64 {
    // SAFETY: the header lies directly before the value, and its words are atomics of 64 bits.
    unsafe { &*Arc::as_ptr(of).cast::<AtomicU64>().sub(3).add(which) }
}

fn with_owners(count: u64) -> Arc<u64> {
    let object = Arc::new(5);
    assert_eq!(word(&object, 0).swap(count, SeqCst), 1, "the strong count is here");
    object
}

fn with_weak_pointers(count: u64) -> (Arc<u64>, Weak<u64>) {
    let object = Arc::new(5);
    let weak = Arc::downgrade(&object);
    assert_eq!(word(&object, 1).swap(count, SeqCst), 2, "the weak count is here");
    (object, weak)
}

fn too_many_owners_abort() {
    let object = with_owners((1 << 61) - 1);
    std::mem::forget(object.clone()); // the last that is allowed
    std::mem::forget(object.clone());
    println!("not reached");
}

fn too_many_upgraded_owners_abort() {
    let object = with_owners((1 << 61) - 2);
    let weak = Arc::downgrade(&object);
    std::mem::forget(weak.upgrade());
    std::mem::forget(weak.upgrade());
    std::mem::forget(weak.upgrade());
    println!("not reached");
}

fn too_many_raw_owners_abort() {
    let raw = Arc::into_raw(with_owners(1 << 61));
    // SAFETY: it came from `into_raw`.
    unsafe { Arc::increment_strong_count(raw) };
    println!("not reached");
}

fn too_many_weak_pointers_abort() {
    let (object, _weak) = with_weak_pointers(1 << 63);
    std::mem::forget(Arc::downgrade(&object));
    println!("not reached");
}

fn too_many_clones_of_weak_pointers_abort() {
    let (_object, weak) = with_weak_pointers(1 << 63);
    std::mem::forget(weak.clone());
    println!("not reached");
}

fn too_many_entries_weak_pointers_abort() {
    let (object, _weak) = with_weak_pointers(1 << 63);
    WeakSet::new().insert(&object);
    println!("not reached");
}

// Chains.

const MILLION: usize = 1_000_000;

/// Links of a chain that is to die flat.
fn links() -> usize {
    (MILLION / 10 * long()).min(MILLION)
}

/// A link of a chain, and a place for whatever else is to hold it.
struct Link(#[allow(dead_code, reason = "held, not read")] Option<Arc<Link>>);

fn a_chain_that_nobody_watches_recurses_as_stds() {
    let mut first = Arc::new(Link(None));
    for _ in 0..MILLION {
        first = Arc::new(Link(Some(first)));
    }
    drop(first);
    println!("not reached");
}

fn a_chain_of_stds_recurses() {
    struct Link(#[allow(dead_code, reason = "held, not read")] Option<std::sync::Arc<Link>>);
    let mut first = std::sync::Arc::new(Link(None));
    for _ in 0..MILLION {
        first = std::sync::Arc::new(Link(Some(first)));
    }
    drop(first);
    println!("not reached");
}

/// Runs `work` on a thread with little stack.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let small = thread::Builder::new().stack_size(128 << 10);
        small.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}

/// A chain, each link of which is `watched` when it is made.
fn chain(mut watched: impl FnMut(usize, &Arc<Link>)) -> Arc<Link> {
    let mut first = None;
    for n in 0..links() {
        let link = Arc::new(Link(first));
        watched(n, &link);
        first = Some(link);
    }
    first.unwrap()
}

fn a_chain_of_map_values_dies_flat() {
    let map: WeakValueMap<usize, Link> = WeakValueMap::new();
    let first = chain(|n, link| drop(map.insert(n, link)));
    assert_eq!(map.len(), links());
    on_a_small_stack(|| drop(first));
    assert_eq!((map.len(), map.stats().died), (0, links() as u64));
    map.validate();
}

/// Each key's value in the map owns the next key.
fn a_chain_of_keys_and_their_values_dies_flat() {
    let map: PtrWeakKeyMap<usize, Option<Arc<usize>>> = PtrWeakKeyMap::new();
    let mut first = None;
    for n in 0..links() {
        let key = Arc::new(n);
        map.insert(&key, first);
        first = Some(key);
    }
    on_a_small_stack(|| drop(first));
    assert_eq!((map.len(), map.stats().died), (0, links() as u64));
}

fn a_chain_of_elements_dies_flat() {
    let set: PtrWeakSet<Link> = PtrWeakSet::new();
    let first = chain(|_, link| assert!(set.insert(link)));
    on_a_small_stack(|| drop(first));
    assert_eq!((set.len(), set.stats().died), (0, links() as u64));
}

fn a_chain_of_list_elements_dies_flat() {
    let list: WeakList<Link> = WeakList::new();
    let first = chain(|_, link| list.push(link));
    on_a_small_stack(|| drop(first));
    assert!(list.is_empty());
}

fn a_chain_of_interned_values_dies_flat() {
    /// A value that holds another of its interner.
    #[derive(PartialEq, Eq, Hash)]
    struct Cons(usize, Option<weakly::Interned<Cons>>);
    let interner: Interner<Cons> = Interner::new();
    let mut first = None;
    for n in 0..links() {
        first = Some(interner.intern(Cons(n, first)));
    }
    on_a_small_stack(|| drop(first));
    assert!(interner.is_empty());
}

fn a_chain_of_finalizers_runs_flat() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let mut first: Option<Arc<usize>> = None;
    for n in 0..links() {
        let object = Arc::new(n);
        finalize(&object, move || {
            RAN.fetch_add(1, SeqCst);
            drop(first);
        });
        first = Some(object);
    }
    on_a_small_stack(|| drop(first));
    assert_eq!(RAN.load(SeqCst), links());
}

fn a_chain_of_deferred_objects_dies_flat() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Deferred(#[allow(dead_code, reason = "held, not read")] Option<Arc<Deferred>>);
    impl Drop for Deferred {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }
    let mut first = None;
    for _ in 0..links() {
        first = Some(Arc::new_deferred(Deferred(first)));
    }
    on_a_small_stack(|| {
        drop(first);
        while DROPPED.load(SeqCst) < links() {
            weakly::pin().flush();
        }
    });
}

fn a_chain_of_guests_and_callbacks_dies_flat() {
    struct Guest(Anchor);
    impl Anchored for Guest {
        fn anchor(&self) -> &Anchor {
            &self.0
        }
    }
    let map: std_arc::WeakValueMap<usize, Guest> = std_arc::WeakValueMap::new();
    let mut first: Option<std::sync::Arc<Guest>> = None;
    for n in 0..links() {
        let guest = std::sync::Arc::new(Guest(Anchor::new()));
        map.insert(n, &guest);
        guest.0.observe(move || drop(first)).detach();
        first = Some(guest);
    }
    on_a_small_stack(|| drop(first));
    assert_eq!((map.len(), map.stats().died), (0, links() as u64));
}

// Sizes.

fn more_than_can_be_held_panics() {
    fn message(f: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
        panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap()
    }
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(2).build();
    let value = Arc::new(1);
    map.insert(1, &value);
    for more in [usize::MAX, usize::MAX / 2, 1 << 60, 1 << 33] {
        assert!(map.try_reserve(more).is_err(), "{more}");
        assert!(message(|| map.reserve(more)).starts_with(&format!("reserve({more}): ")));
        assert!(message(|| _ = WeakSet::<u64>::with_capacity(more)).contains("no room could be made"));
        map.validate();
        assert!(map.get(&1).is_some_and(|there| Arc::ptr_eq(&there, &value)) && map.capacity() < 100);
    }
    assert!(message(|| _ = Arc::<[u64]>::new_uninit_slice(usize::MAX)).contains("capacity overflow"));
    assert!(message(|| _ = WeakValueMap::<u64, u64>::builder().shards(1 << 17)).contains("shards"));
}

fn values_of_any_size_and_alignment() {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Nothing;
    #[derive(Debug, PartialEq, Eq, Hash)]
    #[repr(align(4096))]
    struct Page(u8);

    // Without size: each object is its own, although their values may lie at one place.
    let (set, list) = (PtrWeakSet::new(), WeakList::new());
    let nothings: Vec<_> = (0..100).map(|_| Arc::new(Nothing)).collect();
    let inserted = nothings.iter().filter(|nothing| set.insert(nothing)).count();
    let addresses: HashSet<_> = nothings.iter().map(Arc::as_ptr).collect();
    assert_eq!((inserted, set.len()), (addresses.len(), addresses.len()));
    list.extend(&nothings);
    assert_eq!((addresses.len(), list.len()), (100, 100));
    let by_value = WeakSet::from([&nothings[0]]);
    assert!(by_value.contains(&Nothing) && !by_value.insert(&nothings[1]));

    // Aligned to a page, as values and as keys.
    let pages: Vec<_> = (0..100).map(|n| Arc::new(Page(n))).collect();
    let (values, keys): (WeakValueMap<u8, Page>, PtrWeakKeyMap<Page, Page>) = Default::default();
    for page in &pages {
        assert!(Arc::as_ptr(page).is_aligned());
        values.insert(page.0, page);
        keys.insert(page, Page(page.0));
    }
    assert!(
        pages
            .iter()
            .all(|page| keys.with(page, |value| value.0 == page.0 && (&raw const *value).is_aligned()) == Some(true))
    );
    assert!(pages.iter().all(|page| values.pin().read(&page.0).is_some_and(|there| *there == **page)));
    let removed = keys.remove(&pages[5]).unwrap();
    assert!(removed.0 == 5 && (&raw const *removed).is_aligned());
    drop(pages);
    assert!(values.is_empty() && keys.is_empty());

    // Much.
    let large: WeakValueMap<u64, [u64]> = WeakValueMap::new();
    for n in 0..8 {
        // SAFETY: zeros are numbers.
        let value = unsafe { Arc::<[u64]>::new_zeroed_slice(8 << 20).assume_init() };
        large.insert(n, &value);
        assert!(large.get(&n).is_some_and(|there| there.len() == 8 << 20));
    }
    assert!(large.is_empty());
    assert_eq!((list.iter().count(), set.iter().count()), (100, 100));
    set.validate();
    list.validate();
}
