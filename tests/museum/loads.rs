//! Loads that are slow, that are given up, and locks whose waiters are cancelled.

use crate::common::{Constant, panics_as_planned, planned, sized, watchdog};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use tokio::sync::{OnceCell, OwnedMutexGuard};
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, WeakKeyMap, WeakValueMap};

/// In Caffeine a loader runs under its hash bin's lock, and stalls every key of that bin. Here it runs under no lock: all the
/// rest of its shard, of its very hash, goes on.
#[test]
fn caffeine_a_slow_loader_stalls_no_other_key_of_its_shard() {
    let _dog = watchdog();
    let values: WeakValueMap<u64, u64, Constant> =
        WeakValueMap::builder().shards(1).hasher(Constant::default()).build();
    let keys: WeakKeyMap<u64, u64, Constant> = WeakKeyMap::builder().shards(1).hasher(Constant::default()).build();
    let [slow, other] = [1, 2].map(Arc::new);
    let (inside, loading) = channel();
    thread::scope(|scope| {
        let (go, wait) = channel::<()>(); // the loaders go on when `go` goes, however this ends
        let (values, keys, slow, other) = (&values, &keys, &slow, &other);
        scope.spawn(move || {
            let value = values.get_or_insert_with(1, |_| {
                let value = keys.get_or_insert_with(slow, |_| {
                    inside.send(()).unwrap();
                    let _ = wait.recv();
                    10
                });
                Arc::new(value)
            });
            assert_eq!((*value, keys.get(slow)), (10, Some(10)));
        });
        loading.recv().unwrap();
        for _ in 0..sized(100, 3) {
            let loaded = values.get_or_insert_with(2, |_| Arc::new(20));
            assert_eq!((*loaded, keys.get_or_insert_with(other, |_| 20)), (20, 20));
            values.insert(3, other);
            assert!(values.contains_key(&3) && !values.contains_key(&1) && keys.get(slow).is_none());
            assert_eq!((values.iter().count(), keys.len()), (2, 1));
            assert!(panics_as_planned(|| drop(values.get_or_insert_with(4, |_| planned()))));
            drop((values.remove(&3), keys.remove(other)));
            values.reserve(100);
            values.shrink_to_fit();
            drop(loaded); // and dies
            assert!(values.is_empty());
        }
        drop(go);
    });
}

/// A value that is loaded by a future.
#[derive(Default)]
struct Slot {
    value: OnceCell<u64>,
    anchor: Anchor,
}

impl Anchored for Slot {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// In moka, whoever waited for a load whose future was dropped, or not polled any more, waited for ever. Here a load that is
/// given up, by a panic or an error, wakes its waiters, one of which loads next; and a future's load goes into the entry's own
/// `OnceCell`, which does the same when the future is dropped.
#[test]
fn moka_59_240_a_waiter_goes_on_when_the_load_it_waits_for_is_given_up() {
    let _dog = watchdog();
    for round in 0..sized(300, 4) {
        let map: WeakValueMap<u64, u64> = WeakValueMap::new();
        let (inside, loading) = channel();
        let asked = AtomicBool::new(false);
        thread::scope(|scope| {
            let (map, asked) = (&map, &asked);
            scope.spawn(move || {
                let given_up = || {
                    inside.send(()).unwrap();
                    while !asked.load(SeqCst) {
                        thread::yield_now();
                    }
                };
                if round % 2 == 0 {
                    assert!(panics_as_planned(|| {
                        map.get_or_insert_with(1, |_| {
                            given_up();
                            planned()
                        });
                    }));
                } else {
                    let loaded = map.get_or_try_insert_with(1, |_| {
                        given_up();
                        Err(())
                    });
                    assert_eq!(loaded, Err(()));
                }
            });
            loading.recv().unwrap();
            asked.store(true, SeqCst);
            assert_eq!(*map.get_or_insert_with(1, |_| Arc::new(2)), 2);
        });
        assert_eq!((map.len(), map.stats().died), (0, 1));
    }

    async fn load(map: &std_arc::WeakValueMap<u64, Slot>, value: impl Future<Output = u64>) -> u64 {
        let slot = map.get_or_insert_with(1, |_| StdArc::default());
        *slot.value.get_or_init(|| value).await
    }
    let (map, woken) = (std_arc::WeakValueMap::new(), StdArc::new(Woken::default()));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let mut leader = Box::pin(load(&map, pending()));
    assert!(leader.as_mut().poll(&mut context).is_pending());
    let mut waiter = Box::pin(load(&map, async { 2 }));
    assert!(waiter.as_mut().poll(&mut context).is_pending());
    assert_eq!((map.len(), woken.0.load(SeqCst)), (1, 0));
    drop(leader); // in the middle of its load
    assert_eq!(woken.0.load(SeqCst), 1);
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Ready(2));
    drop(waiter);
    assert!(map.is_empty());
}

/// A lock of one key.
#[derive(Default)]
struct Lock {
    inner: StdArc<tokio::sync::Mutex<u32>>,
    anchor: Anchor,
}

impl Anchored for Lock {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

type Locks = std_arc::WeakValueMap<u64, Lock>;

/// What holds a key's lock, and with it the key's entry.
struct Held {
    guard: OwnedMutexGuard<u32>,
    _lock: StdArc<Lock>,
}

async fn lock(locks: &Locks, key: u64) -> Held {
    let lock = locks.get_or_insert_with(key, |_| StdArc::default());
    Held { guard: lock.inner.clone().lock_owned().await, _lock: lock }
}

/// Keyed locks that count their waiters in the table leak the key when waiters are cancelled: each would have to clean up, and
/// the holder has left already. Here the entry goes with whatever future was the last to hold the lock.
#[test]
fn a_thousand_waiters_that_are_cancelled_after_the_holder_left_leave_no_entry() {
    fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
    let _dog = watchdog();
    let locks = Locks::new();
    for round in 0..sized(20, 2) {
        let Poll::Ready(mut holder) = poll(&mut Box::pin(lock(&locks, 1))) else { panic!("nobody else has it") };
        assert_eq!(*holder.guard, 0, "a new lock");
        *holder.guard = 1;
        let mut waiters: Vec<_> = (0..sized(1_000, 20)).map(|_| Box::pin(lock(&locks, 1))).collect();
        assert!(waiters.iter_mut().all(|waiter| poll(waiter).is_pending()));
        assert_eq!(locks.len(), 1);
        drop(holder);
        assert_eq!(locks.len(), 1, "the waiters keep it");
        if round % 2 == 0 {
            // One of them gets the lock, and is cancelled with it in its hands.
            let Poll::Ready(next) = poll(&mut waiters[0]) else { panic!("it is next") };
            assert_eq!((*next.guard, locks.len()), (1, 1));
        }
        let others = waiters.split_off(waiters.len() / 2);
        thread::scope(|scope| {
            scope.spawn(move || drop(others));
            while waiters.pop().is_some() {}
        });
        assert_eq!((locks.len(), locks.pending_removals(), locks.stats().died), (0, 0, round as u64 + 1));
    }
    locks.shrink_to_fit();
    assert_eq!(locks.capacity(), 0);
}
