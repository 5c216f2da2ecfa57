//! Threads that end: last drops, map operations and guards inside thread-local destructors, whether the epoch's own thread-local
//! is still there or gone before them, and thousands of threads that come and go.

#[path = "it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
#[path = "it/subjects.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod subjects;

use common::{Constant, Counted, FourBit, Good, Rng, Tally, flush_until, long, seed, sized, watchdog};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc as StdArc, Barrier};
use std::thread;
use subjects::{Books, Item, Options, Owner, Subject, each_collection};
use weakly::{Arc, Cause, Compute, Cursor, Guard, Removals, WeakValueMap, generic};

fn counted(id: u64, tally: &StdArc<Tally>) -> Counted {
    Counted::new(id, tally)
}

/// Something to be done when a thread's locals are destroyed.
struct AtEnd(RefCell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(None)) };
}

/// Leaves `work` to this thread's destructors; how it ended comes out of what is returned.
fn at_end(work: impl FnOnce() + 'static) -> Receiver<thread::Result<()>> {
    let (ended, end) = channel();
    let work = move || drop(ended.send(catch_unwind(AssertUnwindSafe(work)))); // a panic in there would abort
    AT_END.with(|at| at.0.replace(Some(Box::new(work))));
    end
}

/// Runs `start` on a new thread, and what it returns among that thread's thread-local destructors. They run in the order that
/// is opposite to the first uses: so once before the epoch's own, and once after.
fn at_thread_end<F: FnOnce() + 'static>(start: impl Fn() -> F + Sync) {
    for late in [false, true] {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if late {
                    AT_END.with(|_| ()); // registered before the epoch's local, so destroyed after it
                }
                drop(weakly::pin());
                at_end(start())
            });
            let end = thread.join().unwrap(); // the thread and its destructors, not only its body
            if let Err(panic) = end.recv().expect("it ran") {
                resume_unwind(panic);
            }
        });
    }
}

type Map = StdArc<WeakValueMap<Counted, Counted>>;

#[test]
fn a_last_drop_in_a_thread_local_destructor_is_a_death_like_any() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let (map, called): (Map, _) = Default::default();
    let called: StdArc<AtomicUsize> = called;
    let removals = map.removals();
    at_thread_end(|| {
        let value = Arc::new(counted(1, &values));
        map.insert(counted(1, &keys), &value);
        map.insert(counted(2, &keys), &value);
        let called = called.clone();
        Arc::observe(&value, move |value| {
            assert_eq!(value.id, 1);
            called.fetch_add(1, SeqCst);
        })
        .detach();
        let map = map.clone();
        move || {
            assert_eq!(map.len(), 2);
            drop(value);
            assert_eq!(map.len(), 0);
        }
    });
    assert_eq!((called.load(SeqCst), map.stats().died, map.pending_removals(), values.left()), (2, 4, 0, 0));
    assert_eq!(removals.try_iter().filter(|(_, cause)| *cause == Cause::Died).count(), 4);
    flush_until("the keys are dropped", || keys.left() == 0);
}

#[test]
fn every_operation_works_in_a_thread_local_destructor() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: Map = Map::default();
    let rounds = StdArc::new(AtomicUsize::new(0));
    at_thread_end(|| {
        let (map, keys, values, rounds) = (map.clone(), keys.clone(), values.clone(), rounds.clone());
        move || {
            let key = |n| counted(n, &keys);
            let value = |n| Arc::new(counted(n, &values));
            let held: Vec<_> = (0..40).map(value).collect();
            map.extend(held.iter().map(|value| (key(value.id), value)));
            assert_eq!((map.len(), map.iter().count(), map.keys().count(), map.snapshot().len()), (40, 40, 40, 40));
            assert!(map.get(&key(3)).is_some() && map.contains_key(&key(4)) && map.pin().read(&key(5)).is_some());
            assert!(map.insert(key(3), &held[4]).is_some() && map.try_insert(key(3), &held[3]).is_err());
            assert!(map.remove(&key(3)).is_some() && map.remove_exact(&key(4), &Arc::downgrade(&held[4])));
            assert_eq!(map.get_or_insert(key(3), held[3].clone()).id, 3);
            let loaded = map.get_or_insert_with(key(77), |_| value(77));
            assert!(map.get_or_try_insert_with(key(78), |_| Err(())).is_err());
            drop(map.compute(key(4), |_| Compute::Insert(held[4].clone())));
            assert_eq!(map.scan(Cursor::default(), 5).items.len().min(5), 5);
            let removals = map.removals();
            drop(loaded);
            assert_eq!(removals.try_iter().count(), 1);
            let deferred = Arc::new_deferred(counted(5, &values));
            map.insert(key(5), &deferred);
            drop(deferred);
            map.retain(|key, _| key.id % 2 == 0);
            assert!(map.pop().is_some() && map.drain().count() > 0 && map.is_empty());
            map.shrink_to_fit();
            map.reserve(100);
            map.insert(key(1), &held[1]);
            map.clear();
            drop((map.clone(), map.run_pending_removals()));
            weakly::pin().flush();
            rounds.fetch_add(1, SeqCst);
        }
    });
    assert_eq!((rounds.load(SeqCst), map.len()), (2, 0));
    flush_until("values and keys are dropped", || values.left() == 0 && keys.left() == 0);
}

#[test]
fn a_loader_in_a_thread_local_destructor_wins_and_waits_like_any() {
    let _dog = watchdog();
    let map: Map = Map::default();
    let values = Tally::new();
    let loads = StdArc::new(AtomicUsize::new(0));
    let threads = sized(8, 3);
    let barrier = StdArc::new(Barrier::new(threads));
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    AT_END.with(|_| ());
                    drop(weakly::pin());
                    let (map, values, loads, barrier) = (map.clone(), values.clone(), loads.clone(), barrier.clone());
                    at_end(move || {
                        barrier.wait();
                        let value = map.get_or_insert_with(counted(1, &values), |_| {
                            loads.fetch_add(1, SeqCst);
                            thread::yield_now();
                            Arc::new(counted(1, &values))
                        });
                        barrier.wait(); // all have it
                        drop(value);
                    })
                })
            })
            .collect();
        all.into_iter().for_each(|thread| thread.join().unwrap().recv().unwrap().unwrap());
    });
    assert_eq!((loads.load(SeqCst), map.len(), map.stats().died), (1, 0, 1));
    flush_until("values and keys are dropped", || values.left() == 0);
}

#[test]
fn a_map_may_go_with_its_last_thread() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let (told, heard) = channel();
    let value = Arc::new(counted(1, &values));
    at_thread_end(|| {
        let told = told.clone();
        let map: WeakValueMap<Counted, Counted> =
            WeakValueMap::builder().on_removal(move |key: &Counted, cause| told.send((key.id, cause)).unwrap()).build();
        map.insert(counted(1, &keys), &value);
        let mine = Arc::new(counted(2, &values));
        map.insert(counted(2, &keys), &mine);
        move || drop((mine, map))
    });
    let told: Vec<_> = heard.try_iter().collect();
    assert_eq!(told, [(2, Cause::Died), (1, Cause::Cleared), (2, Cause::Died), (1, Cause::Cleared)]);
    assert_eq!((Arc::observer_count(&value), values.left()), (0, 1));
    flush_until("the keys are dropped", || keys.left() == 0);
}

#[test]
fn guards_subscriptions_and_observers_may_go_with_their_thread() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: Map = Map::default();
    let value = Arc::new(counted(1, &values));
    at_thread_end(|| {
        let removals: Removals<Counted> = map.removals();
        let observer = Arc::observe(&value, |_| unreachable!("cancelled"));
        let guard: Guard = weakly::pin();
        map.insert(counted(1, &keys), &value);
        map.remove(&counted(1, &keys)); // retired under the guard that outlives the thread's body
        move || {
            assert_eq!(removals.try_next().map(|(key, cause)| (key.id, cause)), Some((1, Cause::Removed)));
            drop((removals, observer));
            guard.flush();
            drop(guard);
        }
    });
    assert_eq!(Arc::observer_count(&value), 0);
    map.insert(counted(1, &keys), &value);
    map.clear(); // nobody is told any more
    drop(value);
    flush_until("values and keys are dropped", || values.left() == 0 && keys.left() == 0);
}

#[test]
fn what_a_thread_leaves_behind_is_collected_by_others() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: Map = Map::default();
    for n in 1..sized(20, 4) as u64 {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for key in 0..n {
                    map.insert(counted(key, &keys), &Arc::new_deferred(counted(key, &values)));
                }
            });
            thread.join().unwrap();
        });
        assert_eq!((map.len(), map.pending_removals()), (0, 0));
    }
    flush_until("values and keys are dropped", || values.left() == 0 && keys.left() == 0);
}

#[test]
fn a_thread_that_panics_lets_its_values_go() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: Map = Map::default();
    for _ in 0..sized(50, 3) {
        let ended = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let held: Vec<_> = (0..5).map(|n| Arc::new(counted(n, &values))).collect();
                map.extend(held.iter().map(|value| (counted(value.id, &keys), value)));
                let _pinned = map.pin();
                std::panic::resume_unwind(Box::new("planned"));
            });
            thread.join()
        });
        assert!(ended.is_err());
        assert_eq!((map.len(), map.pending_removals(), values.left()), (0, 0, 0));
    }
    assert_eq!(map.stats().died, 5 * sized(50, 3) as u64);
    flush_until("the keys are dropped", || keys.left() == 0);
}

#[test]
fn thousands_of_threads_come_and_go() {
    let _dog = watchdog();
    let (keys, values) = (Tally::new(), Tally::new());
    let map: Map = Map::default();
    let steady = Arc::new(counted(0, &values));
    let (total, at_once) = (sized(2_000, 12) * long(), sized(20, 3));
    for wave in 0..total / at_once {
        thread::scope(|scope| {
            let all: Vec<_> = (0..at_once)
                .map(|i| {
                    let (map, keys, values, steady) = (&map, &keys, &values, &steady);
                    scope.spawn(move || {
                        if i % 2 == 0 {
                            AT_END.with(|_| ());
                        }
                        let n = (wave * at_once + i) as u64;
                        let mine = Arc::new(counted(n, values));
                        map.insert(counted(n, keys), &mine);
                        map.insert(counted((1 << 32) | (n % 7), keys), steady);
                        map.insert(counted((2 << 32) | (n % 3), keys), &mine);
                        assert!(map.get(&counted(n, keys)).is_some());
                        map.remove(&counted((1 << 32) | (n % 7), keys));
                        at_end(move || drop(mine))
                    })
                })
                .collect();
            all.into_iter().for_each(|thread| thread.join().unwrap().recv().unwrap().unwrap());
        });
        assert_eq!(map.pending_removals(), 0);
    }
    map.clear();
    let stats = map.stats();
    assert_eq!(stats.died + stats.removed + stats.replaced + stats.cleared, 3 * (total / at_once * at_once) as u64);
    assert_eq!((map.len(), values.left(), Arc::observer_count(&steady)), (0, 1, 0));
    flush_until("the keys are dropped", || keys.left() == 0);
}

/// Last drops, and every operation, among thread-local destructors, before and after the epoch's own.
fn used_among_thread_locals<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    let books = StdArc::new(Books::default());
    let subject = StdArc::new(M::make(&Options { shards: [1, 2, 64][rng.below(3)], ..Options::default() }));
    let seed = rng.next();
    at_thread_end(|| {
        let (subject, books, mut rng) = (subject.clone(), books.clone(), Rng::new(seed, 0));
        let objects: Vec<A> = (0..10).map(|id| books.object(id, id % 3 == 0, id % 2 == 0)).collect();
        objects.iter().for_each(|object| books.came(subject.put(object, &mut rng)));
        move || {
            subject.look(&objects[3]);
            subject.walk(&mut rng);
            subject.take(&objects[3], &mut rng);
            let late: A = books.object(11, false, true);
            books.came(subject.put(&late, &mut rng));
            subject.resize(&mut rng);
            subject.thin(&mut rng);
            drop(objects);
            assert!(subject.size() <= 1, "only the late one is alive");
            weakly::pin().flush();
        }
    });
    assert_eq!(subject.size(), 0);
    subject.check();
    drop(subject);
    books.close();
}

/// Threads that come and go, each of which uses the collection and leaves some of what it does to its end.
fn used_by_threads_that_come_and_go<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    const AT_ONCE: usize = 10;
    let books = StdArc::new(Books::default());
    let subject = StdArc::new(M::make(&Options { shards: 2, ..Options::default() }));
    let steady: A = books.object(0, false, true);
    for _ in 0..sized(6, 2) * long() {
        let seed = rng.next();
        thread::scope(|scope| {
            let all: Vec<_> = (0..AT_ONCE)
                .map(|i| {
                    let (subject, books, steady) = (&subject, &books, &steady);
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed, i);
                        if i % 2 == 0 {
                            AT_END.with(|_| ());
                        }
                        let mine: Vec<A> = (0..5).map(|id| books.object(id, i % 3 == 0, i % 4 == 0)).collect();
                        for object in &mine {
                            subject.put(object, &mut rng);
                            subject.again(steady, &mut rng);
                            subject.look(object);
                        }
                        let subject = subject.clone();
                        at_end(move || {
                            subject.take(&mine[0], &mut rng);
                            drop(mine);
                        })
                    })
                })
                .collect();
            all.into_iter().for_each(|thread| thread.join().unwrap().recv().unwrap().unwrap());
        });
        subject.check();
    }
    drop(steady);
    assert_eq!(subject.size(), 0);
    drop(subject);
    books.close();
}

each_collection! {
    fn a_collection_in_thread_local_destructors = sized(3, 1), used_among_thread_locals;
    fn a_collection_of_threads_that_come_and_go = 1, used_by_threads_that_come_and_go;
}
