//! The promises of the design, under their numbers. Here each is tried by itself; what lasts longer, or needs users' code at its
//! worst, stands in the modules that are named.

use crate::common::{
    Constant, Counted, Good, Over, Tally, assert_accounts, flush_until, long, panics_as_planned, planned, sized,
    together, watchdog,
};
use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc as StdArc, Mutex};
use std::thread::{self, ThreadId};
use weakly::{Arc, Cause, Compute, Cursor, Weak, WeakValueMap, exit, finalize};

/// Gone when gone: from the last drop on every look-up treats the object as absent, and when it has returned, entries,
/// notices and callbacks are done. No maintenance call is needed.
#[test]
fn p01_gone_when_gone() {
    let _dog = watchdog();
    let maps: [WeakValueMap<u64, u64>; 2] = [WeakValueMap::new(), WeakValueMap::builder().shards(1).build()];
    let told: Vec<_> = maps.iter().map(|map| map.removals()).collect();
    for n in 0..sized(500, 5) as u64 {
        let value = Arc::new_deferred(n);
        let weak = Arc::downgrade(&value);
        maps.iter().for_each(|map| drop(map.insert(n, &value)));
        let lens = StdArc::new(Mutex::new(Vec::new()));
        let (log, seen) = (lens.clone(), weak.clone());
        Arc::observe(&value, move |_| log.lock().unwrap().push(seen.upgrade().is_none())).detach();
        drop(value);
        assert!(!weak.is_alive() && weak.upgrade().is_none());
        assert_eq!(*lens.lock().unwrap(), [true]);
        for (map, told) in maps.iter().zip(&told) {
            assert_eq!((map.len(), map.is_empty(), map.get(&n), map.contains_key(&n)), (0, true, None, false));
            assert!(map.pin().read(&n).is_none() && map.remove(&n).is_none());
            assert_eq!((map.iter().count(), map.keys().count(), map.scan(Cursor::default(), 9).items.len()), (0, 0, 0));
            assert_eq!((map.stats().died, map.pending_removals()), (n + 1, 0));
            assert_eq!((told.try_next(), told.try_next()), (Some((n, Cause::Died)), None));
        }
    }
}

/// `len` has followed before any callback of the death runs, in every map.
#[test]
fn p01_len_follows_before_a_callback_runs() {
    let maps: StdArc<[WeakValueMap<u64, u64>; 2]> = StdArc::default();
    let value = Arc::new(5);
    let (inner, seen) = (maps.clone(), StdArc::new(AtomicUsize::new(9)));
    let out = seen.clone();
    Arc::observe(&value, move |_| out.store(inner.iter().map(|map| map.len() + map.keys().count()).sum(), SeqCst))
        .detach();
    maps.iter().for_each(|map| drop(map.insert(5, &value))); // registered after the callback
    drop(value);
    assert_eq!(seen.load(SeqCst), 0);
}

/// Notices can be read when the last drop has returned, however busy the shard. (With a lock that is surely held:
/// `busy_shard`.)
#[test]
fn p01_notices_can_be_read_when_the_last_drop_has_returned() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let (done, removals) = (AtomicBool::new(false), map.removals());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                map.reserve(2_000); // holds the one shard's lock most of the time
                map.shrink_to_fit();
            }
        });
        let _over = Over(&done);
        for n in 0..sized(5_000, 20) as u64 {
            map.insert(n, &Arc::new(n)); // dies at once
            assert_eq!(removals.try_next(), Some((n, Cause::Died)));
        }
    });
    assert_accounts(&map, sized(5_000, 20));
}

/// Order at death: upgrades fail, entries vanish, listeners are told, callbacks run, newest first, on a whole value; then the
/// destructor; then the memory.
#[test]
fn p02_order_at_death() {
    struct Logs(Sender<String>, u64);
    impl Drop for Logs {
        fn drop(&mut self) {
            let _ = self.0.send("destructor".into());
        }
    }
    let (log, read) = channel();
    let (told, first, second) = (log.clone(), log.clone(), log.clone());
    let map: StdArc<WeakValueMap<u64, Logs>> = StdArc::new(
        WeakValueMap::builder().on_removal(move |key, cause| drop(told.send(format!("told {key} {cause:?}")))).build(),
    );
    let value = Arc::new(Logs(log, 5));
    let (weak, inner) = (Arc::downgrade(&value), map.clone());
    Arc::observe(&value, move |value| {
        let gone = inner.is_empty() && inner.get(&1).is_none() && inner.get(&2).is_none() && weak.upgrade().is_none();
        first.send(format!("first {} {gone}", value.1)).unwrap();
    })
    .detach();
    map.insert(1, &value);
    Arc::observe(&value, |_| planned()).detach(); // stops nothing
    let me = thread::current().id();
    Arc::observe(&value, move |value| {
        second.send(format!("second {} {}", value.1, me == thread::current().id())).unwrap();
    })
    .detach();
    map.insert(2, &value);
    let weak = Arc::downgrade(&value);
    drop(value);
    let order: Vec<String> = read.try_iter().collect();
    assert_eq!(order, ["told 2 Died", "told 1 Died", "second 5 true", "first 5 true", "destructor"]);
    assert_eq!(weak.strong_count(), 0);
}

/// Of panics at a death only the destructor's own goes on to the caller, when all else is done.
#[test]
fn p02_only_the_destructors_panic_goes_on() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            planned();
        }
    }
    let map: WeakValueMap<u64, Panics> = WeakValueMap::builder().on_removal(|_, _| planned()).build();
    let value = Arc::new(Panics);
    map.insert(1, &value);
    let called = StdArc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let called = called.clone();
        Arc::observe(&value, move |_| {
            called.fetch_add(1, SeqCst);
            planned();
        })
        .detach();
    }
    assert!(panics_as_planned(|| drop(value)));
    assert_eq!((called.load(SeqCst), map.len(), map.stats().died), (3, 0, 1));
}

/// Exactly once: a callback is called or cancelled, a notice comes once, and `cancel` says truly which.
#[test]
fn p03_exactly_once() {
    let _dog = watchdog();
    let n = sized(3_000, 20);
    let map: WeakValueMap<usize, usize> = WeakValueMap::new();
    let told = StdArc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let noisy: WeakValueMap<usize, usize> =
        WeakValueMap::builder().shards(1).on_removal(move |key, cause| log.lock().unwrap().push((*key, cause))).build();
    let called: StdArc<Vec<AtomicUsize>> = StdArc::new((0..n).map(|_| AtomicUsize::new(0)).collect());
    let (values, observers): (Vec<_>, Vec<_>) = (0..n)
        .map(|i| {
            let (value, called) = (Arc::new(i), called.clone());
            map.insert(i, &value);
            noisy.insert(i, &value);
            let observer = Arc::observe(&value, move |i| {
                called[*i].fetch_add(1, SeqCst);
            });
            (value, observer)
        })
        .unzip();
    let (values, observers) = (Mutex::new(Some(values)), Mutex::new(Some(observers)));
    let cancelled = Mutex::new(Vec::new());
    together(3, |thread| match thread {
        0 => values.lock().unwrap().take().unwrap().into_iter().for_each(drop),
        1 => {
            let observers = observers.lock().unwrap().take().unwrap();
            *cancelled.lock().unwrap() = observers.into_iter().map(|observer| observer.cancel()).collect();
        }
        _ => {
            for i in 0..n {
                noisy.remove(&i); // or it dies, or is cleared
                if i % 100 == 0 {
                    noisy.clear();
                }
            }
        }
    });
    for (i, cancelled) in cancelled.into_inner().unwrap().into_iter().enumerate() {
        assert_eq!(called[i].load(SeqCst), usize::from(!cancelled), "called or cancelled, and `cancel` says which");
    }
    assert_eq!((map.len(), map.stats().died), (0, n as u64));
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    told.sort_by_key(|&(key, _)| key);
    assert!(told.iter().map(|&(key, _)| key).eq(0..n), "each notice once");
    assert_accounts(&noisy, n);
}

/// A subscription is told of every death that comes after it, also one that a busy shard was posted while its holder was at
/// work already. (With a lock that is surely held: `busy_shard`.)
#[test]
fn p03_a_new_subscription_misses_no_death() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                map.reserve(2_000);
                map.shrink_to_fit();
            }
        });
        let _over = Over(&done);
        for n in 0..sized(3_000, 10) as u64 {
            let dying = Arc::new(n);
            map.insert(n, &dying);
            let removals = map.removals();
            drop(dying);
            assert_eq!(removals.try_iter().collect::<Vec<_>>(), [(n, Cause::Died)]);
        }
    });
}

/// A key that counts how often it is hashed and compared.
struct Seen(u64, StdArc<AtomicUsize>);

impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.fetch_add(1, SeqCst);
        state.write_u64(self.0);
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.1.fetch_add(1, SeqCst);
        self.0 == other.0
    }
}

impl Eq for Seen {}

/// By identity, never by key: a death leaves the successor alone, and calls no `Hash` and no `Eq`.
#[test]
fn p04_by_identity_never_by_key() {
    let _dog = watchdog();
    let calls = StdArc::new(AtomicUsize::new(0));
    let map: WeakValueMap<Seen, u64, Constant> = WeakValueMap::default();
    let removals: StdArc<Mutex<Vec<u64>>> = StdArc::default();
    let mut values: Vec<_> = (0..20).map(Arc::new).collect();
    for value in &values {
        map.insert(Seen(**value, calls.clone()), value);
    }
    let before = calls.load(SeqCst);
    values.truncate(1); // nineteen deaths
    map.clear();
    map.shrink_to_fit();
    drop(removals);
    assert_eq!(calls.load(SeqCst), before, "no death, no clear and no resize asks the key");

    // A successor that comes between the death and the cleaning up, in every way the two can meet.
    let map: StdArc<WeakValueMap<u64, u64, Constant>> = StdArc::default();
    let threads = sized(4, 2);
    together(threads, |thread| {
        let mine = thread as u64 % 2;
        for n in 0..sized(5_000, 20) as u64 {
            let old = Arc::new(n);
            map.insert(mine, &old);
            if thread < 2 && threads == 4 {
                drop(old); // while another thread puts its own there
            } else {
                let new = Arc::new(n);
                map.insert(mine, &new);
                drop(old);
                let there = map.get(&mine);
                let ours = there.as_ref().is_some_and(|there| Arc::ptr_eq(there, &new));
                assert!(ours || threads == 4, "the old one's death has taken the successor out");
            }
        }
    });
    let stats = map.stats();
    assert_eq!((map.len(), stats.removed, stats.cleared), (0, 0, 0));
    assert_eq!(stats.died + stats.replaced, (sized(5_000, 20) * if threads == 4 { 6 } else { 4 }) as u64);
}

/// A live entry that nobody removes or replaces stays, whatever dies under its key before and beside it.
#[test]
fn p04_a_live_entry_survives_the_deaths_of_its_predecessors() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                map.reserve(500); // so that deaths find the shard busy, and are posted
                map.shrink_to_fit();
            }
        });
        let _over = Over(&done);
        for n in 0..sized(5_000, 10) as u64 {
            let (old, new) = (Arc::new(n), Arc::new(n));
            map.insert(1, &old);
            drop(old);
            assert!(map.insert(1, &new).is_none());
            for other in 2..6 {
                map.insert(other, &Arc::new(other));
            }
            assert!(Arc::ptr_eq(&map.get(&1).expect("it is alive, so it is there"), &new));
        }
    });
}

/// An owned key is destroyed under no guard, though it is the collector that says when: not inside it, then, for that runs in
/// anybody's `pin`.
#[test]
fn p05_an_owned_key_is_destroyed_under_no_guard() {
    #[derive(PartialEq, Eq, Hash)]
    struct Key(u64);
    static DESTROYED: AtomicUsize = AtomicUsize::new(0);
    static PINNED: AtomicUsize = AtomicUsize::new(0);
    impl Drop for Key {
        fn drop(&mut self) {
            DESTROYED.fetch_add(1, SeqCst);
            PINNED.fetch_add(usize::from(crossbeam_epoch::is_pinned()), SeqCst);
        }
    }
    let map = WeakValueMap::new();
    let [dies, is_removed, is_replaced, is_cleared] = [0, 1, 2, 3].map(Arc::new);
    for value in [&dies, &is_removed, &is_replaced, &is_cleared] {
        map.insert(Key(**value), value);
    }
    drop(dies);
    drop(map.remove(&Key(1)));
    drop(map.insert(Key(2), &is_removed));
    map.clear();
    // With the key that looked one up.
    flush_until("every key is destroyed", || DESTROYED.load(SeqCst) == 6);
    assert_eq!(PINNED.load(SeqCst), 0, "under a guard");
}

/// No lock is held while users' code runs: each kind of it waits for another thread that writes to the same shard. (At every
/// call of every operation: `hostile`.)
#[test]
fn p05_no_lock_is_held_while_your_code_runs() {
    thread_local! {
        static VISITS: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
    }
    /// Whatever runs this waits until another thread got through the map.
    fn visit() {
        let _ = VISITS.try_with(|visit| {
            if let Some(visit) = &*visit.borrow() {
                visit();
            }
        });
    }
    struct Key(u64);
    impl Hash for Key {
        fn hash<H: Hasher>(&self, _: &mut H) {
            visit();
        }
    }
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            visit();
            self.0 == other.0
        }
    }
    impl Eq for Key {}
    impl Clone for Key {
        fn clone(&self) -> Self {
            visit();
            Key(self.0)
        }
    }
    impl Drop for Key {
        fn drop(&mut self) {
            visit();
        }
    }
    struct Value;
    impl Drop for Value {
        fn drop(&mut self) {
            visit();
        }
    }

    let _dog = watchdog();
    let map: StdArc<WeakValueMap<Key, Value>> =
        StdArc::new(WeakValueMap::builder().shards(1).on_removal(|_, _| visit()).build());
    let (inner, visits) = (map.clone(), StdArc::new(AtomicUsize::new(0)));
    let count = visits.clone();
    VISITS.set(Some(Box::new(move || {
        count.fetch_add(1, SeqCst);
        let map = &inner;
        // On this thread `visit` has something to do; on that one it has not, so it goes no deeper.
        thread::scope(|scope| {
            scope.spawn(|| {
                let value = Arc::new(Value);
                map.insert(Key(50), &value);
                assert!(map.remove(&Key(50)).is_some() && map.get(&Key(50)).is_none());
                map.insert(Key(50), &value);
                map.shrink_to_fit();
            });
        });
    })));
    let value = Arc::new(Value);
    map.insert(Key(1), &value);
    map.insert(Key(1), &value);
    map.get_or_insert_with(Key(2), |_| {
        visit();
        Arc::new(Value)
    });
    map.compute(Key(1), |_| {
        visit();
        Compute::Keep
    });
    map.retain(|_, _| {
        visit();
        true
    });
    assert_eq!(map.snapshot().len(), 1);
    Arc::observe(&value, |_| visit()).detach();
    drop(value);
    map.clear();
    assert!(visits.load(SeqCst) > 20 && map.is_empty());
    VISITS.set(None);
}

/// Readers never wait, and nobody waits for them: all the users' code that can stand still in the middle of an operation
/// stands still, and everything goes on. (With a shard's lock that is surely held: `busy_shard`.)
#[test]
fn p06_readers_never_wait() {
    /// Stands still when it is dropped, until it may go on.
    struct Stands(Mutex<Option<(Sender<()>, std::sync::mpsc::Receiver<()>)>>);
    impl Drop for Stands {
        fn drop(&mut self) {
            stand(self.0.get_mut().unwrap().take());
        }
    }
    fn stand(at: Option<(Sender<()>, std::sync::mpsc::Receiver<()>)>) {
        if let Some((here, go)) = at {
            let _ = here.send(());
            let _ = go.recv();
        }
    }
    let _dog = watchdog();
    let map: WeakValueMap<u64, Stands> = WeakValueMap::builder().shards(1).build();
    let steady: Vec<_> = (0..10).map(|n| (n, Arc::new(Stands(Mutex::new(None))))).collect();
    map.extend(steady.iter().map(|(key, value)| (*key, value)));
    let (here, arrived) = channel();
    let mut goes = Vec::new();
    let mut post = || {
        let (go, wait) = channel();
        goes.push(go);
        Mutex::new(Some((here.clone(), wait)))
    };
    let (loader, computer, walker, dying, callback) = (post(), post(), post(), post(), post());
    thread::scope(|scope| {
        let map = &map;
        let take = |post: &Mutex<Option<_>>| post.lock().unwrap().take();
        let (loader, computer, walker, callback) = (take(&loader), take(&computer), take(&walker), take(&callback));
        scope.spawn(move || {
            let mut walker = Some(walker);
            map.for_each(|_, _| stand(walker.take().flatten()));
        });
        arrived.recv().unwrap(); // or it might hold, as its last owner, what is to die elsewhere
        scope.spawn(move || {
            map.get_or_insert_with(20, |_| {
                stand(loader);
                Arc::new(Stands(Mutex::new(None)))
            })
        });
        scope.spawn(move || {
            let mut computer = Some(computer);
            map.compute(21, |_| {
                stand(computer.take().flatten());
                Compute::Keep
            })
        });
        let value = Arc::new(Stands(dying));
        map.insert(22, &value);
        scope.spawn(move || drop(value));
        let value = Arc::new(Stands(Mutex::new(None)));
        map.insert(23, &value);
        Arc::observe(&value, move |_| stand(callback)).detach();
        scope.spawn(move || drop(value));
        let goes = goes; // all go on when this goes, however the test ends
        for _ in 1..goes.len() {
            arrived.recv().unwrap();
        }
        for _ in 0..sized(100, 3) {
            assert!((0..10).all(|key| map.get(&key).is_some() && map.contains_key(&key)));
            assert!((20..24).all(|key| map.get(&key).is_none()));
            assert_eq!((map.len(), map.iter().count(), map.keys().count(), map.pin().iter().count()), (10, 10, 10, 10));
            let value = Arc::new(Stands(Mutex::new(None)));
            map.insert(30, &value);
            map.reserve(200);
            assert!(map.remove(&30).is_some());
            map.shrink_to_fit();
        }
    });
}

/// Prompt destructors: on the thread that released the last `Arc`, before that release returns.
#[test]
fn p07_prompt_destructors() {
    struct Where(Sender<ThreadId>);
    impl Drop for Where {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }
    let (tx, rx) = channel();
    let map: WeakValueMap<u64, Where> = WeakValueMap::new();
    let me = thread::current().id();
    let new = || Arc::new(Where(tx.clone()));
    let dropped_here = || rx.try_iter().collect::<Vec<_>>() == [me];
    let value = new();
    map.insert(1, &value);
    drop(value);
    assert!(dropped_here(), "by the last drop");
    map.insert(1, &new());
    assert!(dropped_here(), "by the end of the statement that inserted it");
    let value = new();
    map.insert(1, &value);
    let got = map.get(&1);
    drop(value);
    assert!(!dropped_here());
    drop(got);
    assert!(dropped_here(), "by a reader's own `Arc`");
    let value = RefCell::new(Some(new()));
    map.insert(1, value.borrow().as_ref().unwrap());
    map.for_each(|_, _| drop(value.borrow_mut().take()));
    assert!(dropped_here(), "by what a walk held for a moment");
    let value = RefCell::new(Some(new()));
    map.insert(1, value.borrow().as_ref().unwrap());
    assert!(map.remove_if(&1, |_, _| value.borrow_mut().take().is_none()).is_none());
    assert!(dropped_here(), "by what a look-up held for a moment");
    let pinned = map.pin();
    let value = new();
    pinned.insert(1, &value);
    drop(value);
    assert!(dropped_here(), "under a guard, too");
    drop(pinned);
    // A deferred value dies as promptly, and is destroyed when no guard can see it any more.
    let value = Arc::new_deferred(Where(tx.clone()));
    map.insert(1, &value);
    {
        let pinned = map.pin();
        let read = pinned.read(&1).unwrap();
        drop(value);
        assert!(map.get(&1).is_none() && rx.try_recv().is_err());
        assert!(read.to_arc().is_none());
    }
    let dropped = AtomicUsize::new(0);
    flush_until("the deferred value is destroyed", || dropped.fetch_add(rx.try_iter().count(), SeqCst) == 1);
}

/// Linearizable per key: a key that is always there is never missed, though its value is replaced and the old one dies at every
/// moment. (Whole histories: `history`; walks: `iterate`.)
#[test]
fn p08_a_key_that_is_always_there_is_never_missed() {
    fn check<S: BuildHasher + Default + Send + Sync>(neighbours: u64) {
        let map: WeakValueMap<u64, u64, S> = WeakValueMap::builder().shards(1).hasher(S::default()).build();
        let steady: Vec<_> = (1..=neighbours).map(Arc::new).collect();
        map.extend(steady.iter().map(|value| (**value, value)));
        let done = AtomicBool::new(false);
        let first = Arc::new(0);
        map.insert(0, &first);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut last = first.clone();
                while !done.load(SeqCst) {
                    let next = Arc::new(*last + 1);
                    map.insert(0, &next);
                    last = next; // and the old one dies
                }
                map.insert(0, &first);
            });
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    map.reserve(200);
                    map.shrink_to_fit(); // readers go from array to array
                }
            });
            let _over = Over(&done);
            let mut newest = 0;
            for _ in 0..sized(30_000, 50) * long() {
                let got = map.get(&0).expect("always there");
                assert!(*got >= newest, "and never older than what was seen before");
                newest = *got;
                assert!(map.contains_key(&0) && map.pin().read(&0).is_some());
                assert!((1..=neighbours).all(|key| map.contains_key(&key)));
            }
        });
    }
    let _dog = watchdog();
    check::<Good>(3);
    check::<Constant>(10);
}

/// One winner: all who ask for an absent key at once get the same object. (Loaders at their worst: `flight`.)
#[test]
fn p09_one_winner() {
    let _dog = watchdog();
    for round in 0..sized(300, 3) {
        let map: WeakValueMap<u64, usize> = WeakValueMap::new();
        let got: Mutex<Vec<Arc<usize>>> = Mutex::default();
        let loads = AtomicUsize::new(0);
        together(sized(6, 3), |thread| {
            let mine = Arc::new(thread);
            let there = match (thread + round) % 3 {
                0 => map.get_or_insert(1, mine),
                1 => map.get_or_insert_with(1, |_| {
                    loads.fetch_add(1, SeqCst);
                    mine
                }),
                _ => match map.try_insert(1, &mine) {
                    Ok(()) => mine,
                    Err(there) => there,
                },
            };
            got.lock().unwrap().push(there);
        });
        let got = got.into_inner().unwrap();
        assert!(got.iter().all(|value| Arc::ptr_eq(value, &got[0])), "the very object");
        assert!(loads.load(SeqCst) <= 1);
        assert_accounts(&map, 1);
    }
}

/// Finalizers run at death, newest first, each once, and a panic in one stops none. (At exit: `process_exit`.)
#[test]
fn p10_finalizers_run() {
    let (tx, rx) = channel();
    let map: StdArc<WeakValueMap<u64, u64>> = StdArc::default();
    let value = Arc::new(5);
    map.insert(5, &value);
    let finalizers: Vec<_> = (0..3)
        .map(|n| {
            let (tx, map) = (tx.clone(), map.clone());
            finalize(&value, move || {
                tx.send((n, map.is_empty())).unwrap();
                if n == 1 {
                    planned();
                }
            })
        })
        .collect();
    assert!(exit::pending() >= 3 && finalizers.iter().all(|finalizer| finalizer.is_alive()));
    drop(value);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [(2, true), (1, true), (0, true)]);
    assert!(finalizers.iter().all(|finalizer| !finalizer.is_alive() && finalizer.call().is_none()));
}

/// Bounded, visible garbage: tables follow the live entries, hooks go with their entries, unread notices cost nothing, and
/// what waits can be read. (To the byte: `alloc_ledger`.)
#[test]
fn p11_bounded_visible_garbage() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: WeakValueMap<Counted, Counted> = WeakValueMap::new();
    let one = Arc::new(Counted::new(0, &values));
    let small = map.shards() * 8;
    for round in 0..sized(20, 2) as u64 {
        let all: Vec<_> = (0..sized(1_000, 50) as u64).map(|n| Arc::new(Counted::new(n, &values))).collect();
        for value in &all {
            map.insert(Counted::new(value.id, &keys), value);
        }
        drop(all);
        assert!(map.capacity() <= small, "{} after round {round}", map.capacity());
        for n in 0..100 {
            map.insert(Counted::new(n, &keys), &one);
            map.remove(&Counted::new(n, &keys));
            drop(Arc::observe(&one, |_| ())); // cancelled
        }
        assert_eq!((Arc::observer_count(&one), values.left(), map.pending_removals()), (0, 1, 0));
    }
    flush_until("every key is dropped", || keys.left() == 0);
    flush_until("and every weak count given back", || Arc::weak_count(&one) == 0);
}

/// No hidden threads: the process has as many after everything as before it.
#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "starts a process")]
fn p12_no_hidden_threads() {
    const CHILD: &str = "WEAKLY_P12_CHILD";
    if std::env::var_os(CHILD).is_none() {
        // In a process where no other test starts threads.
        let me = std::env::current_exe().unwrap();
        let args = ["--exact", "promises::p12_no_hidden_threads", "--test-threads=1"];
        let child = std::process::Command::new(me).args(args).env(CHILD, "1").output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the child ran it");
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().on_removal(|_, _| ()).build();
    let removals = map.removals();
    for n in 0..10_000 {
        let value = Arc::new_deferred(n);
        map.insert(n % 100, &value);
        Arc::observe(&value, |_| ()).detach();
        drop(finalize(&value, || ()));
    }
    drop(map.get_or_insert_with(5, |_| Arc::new(5)));
    weakly::pin().flush();
    assert_eq!((removals.try_iter().count() > 0, Weak::<u64>::new().upgrade()), (true, None));
    drop((map, removals));
    assert_eq!(threads(), before);
}
