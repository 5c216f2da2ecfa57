//! What goes on while a shard's lock is held. A thread is stopped in the allocator in the middle of growing a table, which it
//! does under the lock; meanwhile others read, drop and subscribe, and nothing here depends on luck.

#[path = "it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;

use common::{sized, watchdog};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use weakly::{Arc, Cause, Cursor, WeakList, WeakValueMap};

/// The system's allocator with a gate in it.
struct Gated;

#[global_allocator]
static ALLOCATOR: Gated = Gated;

/// Allocations of tables that are to be stopped are at least as large.
const LARGE: usize = sized(1 << 16, 1 << 12);

thread_local! {
    /// This thread's next large allocation stops at the gate.
    static STOPS: Cell<bool> = const { Cell::new(false) };
}

/// Whether a thread stands at the gate, and whether it may go on.
static GATE: Mutex<(bool, bool)> = Mutex::new((false, false));
static MOVED: Condvar = Condvar::new();

fn gate() -> MutexGuard<'static, (bool, bool)> {
    GATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

// SAFETY: the system's allocator, after a wait that neither allocates nor unwinds.
unsafe impl GlobalAlloc for Gated {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE && STOPS.replace(false) {
            let mut at = gate();
            at.0 = true;
            MOVED.notify_all();
            while !at.1 {
                at = MOVED.wait(at).unwrap_or_else(|poisoned| poisoned.into_inner());
            }
        }
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(block, layout) }
    }
}

type Map = WeakValueMap<u64, u64>;

fn map() -> Map {
    WeakValueMap::builder().shards(1).build()
}

/// So many elements fill a list's array that is large; its room doubles, from a power of two.
const ROOM: usize = sized(1 << 14, 1 << 9);

/// One test at a time: there is one gate.
static ONE: Mutex<()> = Mutex::new(());

/// Opens the gate however the test ends, so that the thread at it can be joined.
struct Open;

impl Drop for Open {
    fn drop(&mut self) {
        gate().1 = true;
        MOVED.notify_all();
    }
}

/// Runs `meanwhile` while another thread holds the lock of `map`'s one shard, then lets that one go on to its end.
fn while_locked<K: Sync + Send, V: Send + Sync>(map: &WeakValueMap<K, V>, meanwhile: impl FnOnce()) {
    assert_eq!(map.shards(), 1);
    while_stopped(|| map.reserve(sized(100_000, 1_000)), meanwhile); // makes its array under the lock
}

/// Runs `meanwhile` while another thread is stopped in the middle of `grow`, then lets that one go on to its end.
fn while_stopped(grow: impl FnOnce() + Send, meanwhile: impl FnOnce()) {
    let _dog = watchdog();
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *gate() = (false, false);
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            STOPS.set(true);
            grow();
            assert!(!STOPS.get(), "a table this large was stopped at the gate");
        });
        let open = Open;
        let mut at = gate();
        while !at.0 {
            assert!(!holder.is_finished(), "it did not come to the gate");
            at = MOVED.wait_timeout(at, std::time::Duration::from_millis(10)).unwrap().0;
        }
        drop(at);
        meanwhile();
        drop(open);
    });
}

#[test]
fn readers_wait_for_no_lock() {
    let map = map();
    let (five, six) = (Arc::new(5), Arc::new_deferred(6));
    map.insert(5, &five);
    map.insert(6, &six);
    let removals = map.removals();
    while_locked(&map, || {
        assert_eq!(map.get(&5), Some(five.clone()));
        assert!(map.contains_key(&6) && !map.contains_key(&7));
        assert_eq!((map.len(), map.iter().count(), map.keys().count(), map.values().count()), (2, 2, 2, 2));
        assert_eq!((map.weak_values().count(), map.snapshot().len()), (2, 2));
        assert_eq!(map.scan(Cursor::default(), 10).items.len(), 2);
        map.for_each(|key, value| assert_eq!(*key, **value));
        let pinned = map.pin();
        assert_eq!((pinned.read(&6).as_deref(), pinned.iter().count()), (Some(&6), 2));
        assert!(map.is_submap(&map) && map.domain_is_subset(&map));
        assert_eq!(format!("{map:?}").len(), "{5: 5, 6: 6}".len());
        // And so do writes that find nothing to write.
        assert_eq!((map.remove(&7), map.remove_if(&5, |_, _| false)), (None, None));
        assert_eq!(map.get_or_insert(5, Arc::new(0)), five);
        assert_eq!(map.get_or_insert_with(5, |_| unreachable!()), five);
        assert_eq!(map.try_insert(5, &six), Err(five.clone()));
        // Figures and subscriptions too.
        assert_eq!((map.stats().len, map.pending_removals(), removals.try_next()), (2, 0, None));
        drop(map.removals());
    });
}

#[test]
fn a_death_waits_for_no_lock_and_its_entries_are_absent_at_once() {
    let map = map();
    let (five, six) = (Arc::new(5), Arc::new(6));
    map.insert(5, &five);
    map.insert(6, &six);
    let (tx, rx) = channel();
    Arc::observe(&five, move |five| tx.send(*five).unwrap()).detach();
    let weak = Arc::downgrade(&five);
    while_locked(&map, || {
        drop(five);
        assert_eq!(rx.try_recv(), Ok(5), "the callback has run");
        assert_eq!((map.get(&5), map.contains_key(&5), weak.upgrade()), (None, false, None));
        assert_eq!((map.len(), map.snapshot().len(), map.keys().count()), (1, 1, 1));
        assert_eq!((map.stats().died, map.pending_removals()), (1, 1), "posted");
        assert_eq!((map.remove(&5), map.remove_exact(&5, &weak)), (None, false));
    });
    assert_eq!((map.pending_removals(), map.len(), map.stats().died), (0, 1, 1), "swept by the one that left the lock");
    assert_eq!(map.run_pending_removals(), 0);
    assert!(map.contains_key(&6));
}

#[test]
fn however_many_deaths_were_posted_an_idle_map_keeps_none() {
    let map = map();
    let removals = map.removals();
    let many = sized(1_000, 200) as u64; // times what is swept in one hold
    let mut all: Vec<_> = (0..many).map(Arc::new).collect();
    map.extend(all.iter().map(|v| (**v, v)));
    while_locked(&map, || {
        all.truncate(1);
        assert_eq!((map.pending_removals(), map.len(), map.iter().count()), (many as usize - 1, 1, 1));
    });
    assert_eq!((map.pending_removals(), map.len(), map.stats().died), (0, 1, many - 1));
    let mut told: Vec<u64> = removals.try_iter().map(|(key, _)| key).collect();
    told.sort();
    assert_eq!(told, (1..many).collect::<Vec<_>>(), "each once");
    map.shrink_to_fit();
    assert!(map.capacity() < 10, "no dead entry takes room: {}", map.capacity());
}

#[test]
fn the_notice_of_a_posted_death_can_be_read_when_the_drop_has_returned() {
    let (tx, rx) = channel();
    let listener = move |key: &u64, cause| tx.send((*key, cause)).unwrap();
    let map: Map = WeakValueMap::builder().shards(1).on_removal(listener).build();
    let removals = map.removals();
    let five = Arc::new(5);
    map.insert(5, &five);
    while_locked(&map, || {
        drop(five);
        assert_eq!(map.pending_removals(), 1);
        assert_eq!(rx.try_recv(), Ok((5, Cause::Died)));
        assert_eq!(removals.try_next(), Some((5, Cause::Died)));
    });
    assert_eq!((rx.try_recv().ok(), removals.try_next()), (None, None), "once");
}

#[test]
fn a_subscription_made_while_a_writer_holds_the_lock_misses_no_death() {
    let map = map();
    let five = Arc::new(5);
    map.insert(5, &five);
    let mut removals = None;
    while_locked(&map, || {
        removals = Some(map.removals());
        drop(five);
        assert_eq!(map.pending_removals(), 1);
    });
    let removals = removals.unwrap();
    assert_eq!((removals.try_next(), removals.try_next()), (Some((5, Cause::Died)), None));
}

#[test]
fn a_posted_death_leaves_its_successor_alone() {
    let map = map();
    let removals = map.removals();
    let five = Arc::new(5);
    map.insert(5, &five);
    let successor = Arc::new(55);
    thread::scope(|scope| {
        while_locked(&map, || {
            drop(five);
            assert_eq!(map.pending_removals(), 1);
            let inserter = scope.spawn(|| map.insert(5, &successor)); // waits for the lock
            assert!(!inserter.is_finished() || map.contains_key(&5));
        });
    });
    assert_eq!((map.get(&5), map.len(), map.pending_removals()), (Some(successor.clone()), 1, 0));
    assert_eq!(removals.try_iter().collect::<Vec<_>>(), [(5, Cause::Died)]);
    drop(successor);
    assert_eq!((map.len(), map.stats().died), (0, 2));
}

#[test]
fn a_loader_runs_while_a_writer_holds_the_lock() {
    let map = map();
    let (tx, rx) = channel();
    let loaded = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut loading = None;
        while_locked(&map, || {
            let (tx, map) = (tx, &map);
            loading = Some(scope.spawn(move || {
                map.get_or_insert_with(1, |_| {
                    tx.send(()).unwrap();
                    Arc::new(1)
                })
            }));
            rx.recv().unwrap(); // no lock is needed to get there
            loaded.store(true, SeqCst);
        });
        assert_eq!(*loading.unwrap().join().unwrap(), 1);
    });
    assert!(loaded.load(SeqCst) && map.is_empty(), "what was loaded has died");
}

#[test]
fn values_that_a_reader_drops_last_wait_for_no_lock() {
    let map = map();
    let all: Vec<_> = (0..10).map(Arc::new).collect();
    map.extend(all.iter().map(|v| (**v, v)));
    let held = map.snapshot();
    drop(all);
    while_locked(&map, || {
        let iter = map.iter();
        drop(held); // ten deaths under the nose of an iterator
        assert_eq!(iter.count(), 0);
        assert_eq!((map.len(), map.pending_removals()), (0, 10));
    });
    assert_eq!(map.pending_removals(), 0);
}

/// A list that has just so many elements that the next push makes a large array, under the lock; and one object in it as often.
fn full_list() -> (WeakList<u64>, Arc<u64>) {
    let (list, often) = (WeakList::new(), Arc::new(0));
    (0..ROOM).for_each(|_| list.push(&often));
    (list, often)
}

#[test]
fn walks_deaths_and_removals_of_a_list_wait_for_no_lock() {
    let (list, often) = full_list();
    let others: Vec<_> = (1..4).map(Arc::new).collect();
    list.clear();
    list.extend(&others);
    (3..ROOM).for_each(|_| list.push(&often));
    let before = list.len();
    let weak = Arc::downgrade(&others[2]);
    let [dies, removed, refused]: [Arc<u64>; 3] = others.try_into().unwrap();
    while_stopped(
        || list.push(&often),
        || {
            assert_eq!((list.len(), list.iter().count(), list.pin().iter().count()), (before, before, before));
            drop(dies);
            assert!(list.remove(&removed) && !list.remove(&removed) && !list.contains(&removed));
            list.retain(|n| **n != 3);
            assert!(!list.remove_exact(&weak) && !list.contains(&refused) && list.contains(&often));
            assert_eq!(list.iter().next().as_deref(), Some(&0));
            let now = before - 3;
            assert_eq!((list.len(), list.snapshot().len(), list.weak_iter().count()), (now, now, now));
            assert_eq!((Arc::observer_count(&removed), Arc::observer_count(&refused)), (0, 0));
        },
    );
    assert_eq!((list.len(), list.iter().count()), (before - 2, before - 2), "one was pushed");
    drop(often);
    assert_eq!((list.len(), list.iter().count()), (0, 0));
}

#[test]
fn a_list_may_lose_all_its_elements_while_a_push_has_the_lock() {
    let (list, often) = full_list();
    let new = Arc::new(5);
    while_stopped(
        || list.push(&new),
        || {
            drop(often); // more than is swept in one hold
            assert_eq!((list.len(), list.iter().count()), (0, 0));
        },
    );
    assert_eq!((list.len(), list.snapshot()), (1, vec![new]));
}
