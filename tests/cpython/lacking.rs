//! What CPython's tests leave out: the order of deaths, policies, hostile users, races, process exit.

use crate::common::{Count, Dropping, Log, Object, in_a_child, object, planned, said, say, sized, together};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Barrier, Mutex, OnceLock, Weak as StdWeak};
use std::thread;
use weakly::exit::{ExitReport, run_finalizers};
use weakly::{Arc, Finalizer, Observer, ObserverKind, WeakKeyMap, WeakMethod, WeakSet, WeakValueMap, finalize};

const THREADS: usize = sized(4, 3);

/// Says that a test is over, however it ends, to threads that go on until then.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

// Order.

/// CPython has dictionaries' removals in this order too; here entries go, and their listeners are told, before any callback.
#[test]
fn callbacks_run_newest_first_whatever_they_belong_to() {
    let log = Log::new();
    let said = |what| {
        let log = log.clone();
        move || log.push(what)
    };
    let o = object(1);
    let (first, method, second, listens) = (said("observer 1"), said("method"), said("observer 2"), said("entry"));
    let _observer1 = Arc::observe(&o, move |_| first());
    finalize(&o, said("finalizer 1"));
    let map = WeakValueMap::builder().on_removal(move |_: &i32, _| listens()).build();
    map.insert(1, &o);
    let _method = WeakMethod::with_callback(&o, |o: &Object| o.some_method(), move |_| method());
    finalize(&o, said("finalizer 2"));
    let _observer2 = Arc::observe(&o, move |_| second());
    drop(o);
    assert_eq!(log.take(), ["entry", "observer 2", "finalizer 2", "method", "finalizer 1", "observer 1"]);
}

/// CPython calls it all the same: it pins every reference before the first call.
#[test]
fn a_callback_that_a_newer_one_cancels_never_runs() {
    let (called, freed) = (Count::default(), Count::default());
    let o = object(1);
    let captured = Dropping(freed.clone());
    let count = called.clone();
    let older = Arc::observe(&o, move |_| {
        count.up();
        drop(captured);
    });
    let log = Log::new();
    let cancelled = log.clone();
    Arc::observe(&o, move |_| cancelled.push(older.cancel())).detach();
    drop(o);
    assert_eq!(log.take(), [true], "cancel says truly");
    assert_eq!((called.get(), freed.get()), (0, 1));
}

#[test]
fn a_callback_that_panics_stops_no_other() {
    let (called, freed) = (Count::default(), Count::default());
    let o = Arc::new(Dropping(freed.clone()));
    let map = WeakValueMap::from([(1, &o)]);
    let watch = |panics: bool| {
        let called = called.clone();
        Arc::observe(&o, move |_| {
            called.up();
            if panics {
                planned();
            }
        })
        .detach();
    };
    [false, true, false, true, false].into_iter().for_each(watch);
    drop(o); // and the drop itself doesn't panic
    assert_eq!((called.get(), freed.get(), map.len()), (5, 1, 0));
}

/// CPython says `None` there, and runs the finalizer after all.
#[test]
fn a_finalizer_is_detached_while_its_object_dies() {
    let called = Count::default();
    let o = object(1);
    let count = called.clone();
    let older = finalize(&o, move || count.up());
    let log = Log::new();
    let (detached, handle) = (log.clone(), older.clone());
    Arc::observe(&o, move |_| detached.push((handle.is_alive(), handle.detach().is_some(), handle.is_alive())))
        .detach();
    drop(o);
    assert_eq!(log.take(), [(true, true, false)]);
    assert_eq!(called.get(), 0);
    assert!(older.detach().is_none() && older.call().is_none());
}

// Policies.

/// CPython makes these references without a callback: its set keeps the dead element for good.
#[test]
fn an_element_that_dies_after_an_intersection_has_left() {
    let (a, b) = (object(1), object(2));
    let mut set = WeakSet::from([&a, &b]);
    set &= &WeakSet::from([&b]);
    assert_eq!(set.len(), 1);
    drop(b);
    assert_eq!((set.len(), set.iter().count()), (0, 0));
}

/// `copy.copy` of CPython's set shares its inside.
#[test]
fn a_clone_of_a_set_is_independent() {
    let (a, b, c) = (object(1), object(2), object(3));
    let set = WeakSet::from([&a]);
    let clone = set.clone();
    set.insert(&b);
    clone.insert(&c);
    assert_eq!((set.len(), clone.len()), (2, 2));
    assert!(!set.contains(&c) && !clone.contains(&b));
    drop(set);
    drop(a);
    assert_eq!(clone.len(), 1, "a death is the clone's own to notice");
    drop(c);
    assert!(clone.is_empty());
}

/// CPython keeps the old object under the new value, and loses the entry when that object dies (gh-91081).
#[test]
fn an_equal_key_takes_the_place_of_the_old_one() {
    let (old, new) = (object(1), object(1));
    let map = WeakKeyMap::from([(&old, "old")]);
    assert_eq!(map.insert(&new, "new").unwrap(), "old");
    assert!(Arc::ptr_eq(&map.get_key(&old).unwrap(), &new));
    drop(old);
    assert_eq!((map.get(&new), map.len()), (Some("new"), 1));
    drop(new);
    assert!(map.is_empty());
}

/// As in CPython: the element that is there stays, and the equal one has no part in the set. `replace` is the other way.
#[test]
fn an_equal_element_leaves_the_old_one_in_its_place() {
    let (old, new) = (object(1), object(1));
    let set = WeakSet::from([&old]);
    assert!(!set.insert(&new));
    assert!(Arc::ptr_eq(&set.get(&new).unwrap(), &old));
    assert!(Arc::ptr_eq(&set.replace(&new).unwrap(), &old));
    assert!(Arc::ptr_eq(&set.get(&old).unwrap(), &new));
    drop(old);
    assert_eq!(set.len(), 1);
    drop(new);
    assert!(set.is_empty());
}

// One winner.

/// CPython's looks and then stores: two threads can get two winners.
#[test]
fn of_many_setdefaults_one_wins() {
    for _ in 0..sized(300, 5) {
        let map = WeakValueMap::new();
        let got = Mutex::new(Vec::new());
        together(THREADS, |i| {
            let mine = map.get_or_insert("key", object(i));
            got.lock().unwrap().push(mine);
        });
        let got = got.into_inner().unwrap();
        assert!(got.iter().all(|value| Arc::ptr_eq(value, &got[0])));
        assert!(Arc::ptr_eq(&map.get("key").unwrap(), &got[0]));
        assert_eq!(map.stats().removed + map.stats().replaced + map.stats().died, 0);
    }
}

#[test]
fn a_value_is_made_once_for_all_who_ask() {
    for _ in 0..sized(300, 5) {
        let (map, made) = (WeakValueMap::new(), AtomicUsize::new(0));
        let got = Mutex::new(Vec::new());
        together(THREADS, |_| {
            let mine = map.get_or_insert_with("key", |_| Arc::new(made.fetch_add(1, SeqCst)));
            got.lock().unwrap().push(mine);
        });
        assert_eq!(made.into_inner(), 1);
        assert!(got.into_inner().unwrap().iter().all(|value| **value == 0));
    }
}

/// CPython's pops until nothing is left, and so can chase another thread's insertions for ever.
#[test]
fn clear_ends_while_others_insert() {
    let map = WeakValueMap::new();
    let values: Vec<_> = (0..100).map(object).collect();
    let (over, started) = (AtomicBool::new(false), Barrier::new(3));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                started.wait();
                while !over.load(SeqCst) {
                    for (key, value) in values.iter().enumerate() {
                        map.insert(key, value);
                    }
                    thread::yield_now();
                }
            });
        }
        let _over = Over(&over);
        started.wait();
        for _ in 0..sized(2_000, 5) {
            map.clear();
        }
    });
    map.clear();
    assert!(map.is_empty());
    assert!(values.iter().all(|value| Arc::observer_count(value) == 0));
}

// Hostile users.

/// What a key's `Hash` or `Eq` is told to do next.
type Trick = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// A key that plays tricks.
struct Tricky {
    id: u32,
    in_hash: StdArc<Trick>,
    in_eq: StdArc<Trick>,
}

fn play(trick: &Trick) {
    let trick = trick.lock().unwrap().take();
    if let Some(trick) = trick {
        trick();
    }
}

impl Hash for Tricky {
    fn hash<H: Hasher>(&self, state: &mut H) {
        play(&self.in_hash);
        self.id.hash(state);
    }
}

impl PartialEq for Tricky {
    fn eq(&self, other: &Self) -> bool {
        play(&self.in_eq);
        self.id == other.id
    }
}

impl Eq for Tricky {}

/// A map of tricky keys 0 to 9, and what makes another key and plays tricks in all of them.
struct Tricks {
    map: StdArc<WeakValueMap<Tricky, Object>>,
    values: Vec<Arc<Object>>,
    in_hash: StdArc<Trick>,
    in_eq: StdArc<Trick>,
}

impl Tricks {
    fn new() -> Self {
        let this = Tricks {
            map: StdArc::default(),
            values: (0..10).map(object).collect(),
            in_hash: StdArc::default(),
            in_eq: StdArc::default(),
        };
        for value in &this.values {
            this.map.insert(this.key(value.0 as u32), value);
        }
        this
    }

    fn key(&self, id: u32) -> Tricky {
        Tricky { id, in_hash: self.in_hash.clone(), in_eq: self.in_eq.clone() }
    }

    /// Runs every operation of one key, each with `trick` played once in its `Hash` and once in its `Eq`. `after` is told
    /// whether the operation came to its end.
    fn each(&self, trick: impl Fn() -> Box<dyn FnOnce() + Send>, after: impl Fn(bool)) {
        type Operation<'a> = (&'a str, Box<dyn Fn() + 'a>);
        let (map, new) = (&self.map, object(1));
        let operations: [Operation<'_>; 7] = [
            ("get", Box::new(|| _ = map.get(&self.key(1)))),
            ("contains_key", Box::new(|| _ = map.contains_key(&self.key(1)))),
            ("insert", Box::new(|| _ = map.insert(self.key(1), &new))),
            ("try_insert", Box::new(|| _ = map.try_insert(self.key(1), &new))),
            ("get_or_insert", Box::new(|| _ = map.get_or_insert(self.key(1), new.clone()))),
            ("get_or_insert_with", Box::new(|| _ = map.get_or_insert_with(self.key(1), |_| new.clone()))),
            ("remove", Box::new(|| _ = map.remove(&self.key(1)))),
        ];
        for (name, operation) in operations {
            for place in [&self.in_hash, &self.in_eq] {
                map.insert(self.key(1), &self.values[1]);
                *place.lock().unwrap() = Some(trick());
                let ended = catch_unwind(AssertUnwindSafe(&operation)).is_ok();
                assert!(place.lock().unwrap().is_none(), "{name} plays the trick");
                after(ended);
            }
        }
    }
}

#[test]
fn a_key_whose_hash_or_eq_panics_changes_nothing() {
    let tricks = Tricks::new();
    tricks.each(
        || Box::new(|| planned()),
        |ended| {
            assert!(!ended, "the panic is the caller's");
            assert_eq!(tricks.map.len(), 10);
            assert!(tricks.values.iter().all(|value| {
                let there = tricks.map.get(&tricks.key(value.0 as u32));
                there.is_some_and(|there| Arc::ptr_eq(&there, value))
            }));
        },
    );
    drop(tricks.values);
    assert!(tricks.map.is_empty());
}

#[test]
fn a_key_whose_hash_or_eq_uses_the_map_is_served() {
    let tricks = Tricks::new();
    let value = object(5);
    tricks.each(
        || {
            let (map, value) = (tricks.map.clone(), value.clone());
            let (first, second) = (tricks.key(1), tricks.key(77));
            Box::new(move || {
                assert!(map.get(&first).is_some());
                map.insert(second, &value);
                map.retain(|key, _| key.id != 77);
                map.remove(&first); // the very one that is asked for
                assert_eq!(map.len(), 9);
            })
        },
        |ended| assert!(ended),
    );
    assert!(!tricks.map.contains_key(&tricks.key(77)));
}

/// A value that uses its maps when it is dropped: puts entries of its own in, looks, takes them out.
struct Busy {
    number: i32,
    maps: StdWeak<Maps>,
    done: Count,
}

#[derive(Default)]
struct Maps {
    by_key: WeakKeyMap<Object, Busy>,
    by_value: WeakValueMap<i32, Busy>,
}

impl Busy {
    /// One that does nothing when it is dropped.
    fn idle(number: i32) -> Self {
        Busy { number, maps: StdWeak::new(), done: Count::default() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(Maps { by_key, by_value }) = self.maps.upgrade().as_deref() {
            let number = self.number + 1_000;
            let (key, value) = (object(number), Arc::new(Busy::idle(number)));
            assert!(by_key.insert(&key, Busy::idle(number)).is_none());
            assert!(by_value.insert(number, &value).is_none());
            let mut seen = 0;
            by_key.for_each(|other, _| seen += usize::from(*other == key));
            by_value.retain(|other, _| *other != number);
            assert!(by_key.remove(&key).is_some() && by_value.remove(&number).is_none());
            assert_eq!(seen, 1);
        }
        self.done.up(); // not if any of that has panicked
    }
}

#[test]
fn a_value_that_uses_its_map_as_it_is_dropped_is_served() {
    const N: i32 = 10;
    type Operation = (&'static str, fn(&Maps, Vec<Arc<Object>>, Vec<Arc<Busy>>));
    let operations: [Operation; 6] = [
        ("deaths", |_, keys, values| drop((keys, values))),
        ("remove", |maps, keys, values| {
            keys.iter().for_each(|key| drop(maps.by_key.remove(key)));
            values.into_iter().for_each(|value| drop((maps.by_value.remove(&value.number), value)));
        }),
        ("replace", |maps, keys, values| {
            keys.iter().for_each(|key| drop(maps.by_key.insert(key, Busy::idle(key.0))));
            let other = Arc::new(Busy::idle(0));
            values.into_iter().for_each(|value| drop((maps.by_value.insert(value.number, &other), value)));
        }),
        ("clear", |maps, _keys, values| {
            maps.by_key.clear();
            maps.by_value.clear();
            drop(values);
        }),
        ("pop", |maps, _keys, values| {
            let weak: Vec<_> = values.iter().map(Arc::downgrade).collect();
            while maps.by_key.pop().is_some() {}
            while maps.by_value.pop().is_some() {}
            drop(values);
            assert!(weak.iter().all(|value| !value.is_alive()));
        }),
        ("walks", |maps, _keys, mut values| {
            maps.by_key.retain(|_, _| false);
            maps.by_value.iter().for_each(|(_, value)| values.retain(|other| !Arc::ptr_eq(other, &value)));
        }),
    ];
    for (name, operation) in operations {
        let (done, maps) = (Count::default(), StdArc::new(Maps::default()));
        let busy = |number| Busy { number, maps: StdArc::downgrade(&maps), done: done.clone() };
        let keys: Vec<_> = (0..N).map(object).collect();
        keys.iter().for_each(|key| drop(maps.by_key.insert(key, busy(key.0))));
        let values: Vec<_> = (0..N).map(busy).map(Arc::new).collect();
        values.iter().for_each(|value| drop(maps.by_value.insert(value.number, value)));
        assert_eq!((maps.by_key.len(), maps.by_value.len()), (N as usize, N as usize));

        operation(&maps, keys, values);
        assert_eq!(done.get(), 2 * N as usize, "{name}: each is dropped at once, and does all it does");
        assert_eq!((maps.by_key.len(), maps.by_value.len()), (0, 0), "{name}");
    }
}

#[test]
fn a_map_is_dropped_with_values_that_use_another() {
    let (done, other) = (Count::default(), StdArc::new(Maps::default()));
    let keys: Vec<_> = (0..10).map(object).collect();
    let map: WeakKeyMap<Object, Busy> = WeakKeyMap::new();
    for key in &keys {
        drop(map.insert(key, Busy { number: key.0, maps: StdArc::downgrade(&other), done: done.clone() }));
    }
    drop(map);
    assert_eq!(done.get(), 10);
    assert!(keys.iter().all(|key| Arc::observer_count(key) == 0));
}

/// A map's own keys are dropped after a grace period, by whichever thread collects, and may use the map then.
#[test]
fn a_key_that_uses_its_map_as_it_is_dropped_is_served() {
    struct Key(i32, StdWeak<WeakValueMap<Key, Object>>, Count);
    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Key {}
    impl Drop for Key {
        fn drop(&mut self) {
            if let Some(map) = self.1.upgrade() {
                let idle = || Key(self.0 + 1_000, StdWeak::new(), Count::default());
                let value = object(self.0);
                map.insert(idle(), &value);
                drop(map.remove(&idle())); // perhaps the test's `clear` or an equal key's drop was first
                map.retain(|_, _| true);
            }
            self.2.up(); // not if any of that has panicked
        }
    }
    let (done, map) = (Count::default(), StdArc::new(WeakValueMap::new()));
    let values: Vec<_> = (0..10).map(object).collect();
    let collect = || {
        for _ in 0..sized(20_000_000, 20_000) {
            if done.get() == 40 {
                break;
            }
            weakly::pin().flush();
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        scope.spawn(collect);
        for round in 1..=4 {
            for value in &values {
                map.insert(Key(value.0, StdArc::downgrade(&map), done.clone()), value);
            }
            match round {
                1 => values.iter().for_each(|value| {
                    let key = Key(value.0, StdWeak::new(), Count::default());
                    assert!(map.remove_exact(&key, &Arc::downgrade(value)));
                }),
                2 => map.clear(),
                3 => {} // the next round replaces them
                _ => map.retain(|_, _| false),
            }
        }
        collect();
    });
    assert_eq!((done.get(), map.len()), (40, 0));
}

/// A walk has the last owner of what it shows: that dies as the walk goes on, and nothing waits for anything.
#[test]
fn a_walk_that_has_the_last_owner_goes_on() {
    let values = Mutex::new((0..100).map(object).collect::<Vec<_>>());
    let map: WeakValueMap<i32, Object> = values.lock().unwrap().iter().map(|value| (value.0, value)).collect();
    let dead = Count::default();
    for value in &*values.lock().unwrap() {
        Arc::observe(value, dead.callback()).detach();
    }
    let mut seen = 0;
    map.for_each(|_, value| {
        values.lock().unwrap().retain(|other| !Arc::ptr_eq(other, value));
        seen += 1;
    });
    assert_eq!((seen, dead.get(), map.len()), (100, 100, 0));

    let set: WeakSet<Object> = {
        let elements: Vec<_> = (0..100).map(object).collect();
        let set: WeakSet<Object> = elements.iter().collect();
        *values.lock().unwrap() = elements;
        set
    };
    set.retain(|element| {
        values.lock().unwrap().retain(|other| !Arc::ptr_eq(other, element));
        true
    });
    assert!(set.is_empty());
}

// Chains: CPython's recursion ends at a thousand, and the rest is lost. A test's stack is 2 MiB, ten bytes a link.

const LINKS: usize = sized(200_000, 100);

#[test]
fn a_chain_of_deaths_through_map_values_is_flat() {
    let map = weakly::PtrWeakKeyMap::<usize, Arc<usize>>::new();
    let root = Arc::new(0);
    let mut last = root.clone();
    for n in 1..LINKS {
        let next = Arc::new(n);
        drop(map.insert(&last, next.clone()));
        last = next;
    }
    drop(last);
    assert_eq!(map.len(), LINKS - 1);
    drop(root);
    assert!(map.is_empty());
}

#[test]
fn a_chain_of_deaths_through_callbacks_is_flat() {
    let called = Count::default();
    let mut next = Arc::new(0);
    for n in 1..LINKS {
        let (this, called) = (Arc::new(n), called.clone());
        Arc::observe(&this, move |_| {
            called.up();
            drop(next);
        })
        .detach();
        next = this;
    }
    drop(next);
    assert_eq!(called.get(), LINKS - 1);
}

#[test]
fn a_chain_of_deaths_through_finalizers_is_flat() {
    let called = Count::default();
    let mut next = Arc::new(0);
    for n in 1..LINKS / 2 {
        let (this, called) = (Arc::new(n), called.clone());
        finalize(&this, move || {
            called.up();
            drop(next);
        });
        next = this;
    }
    drop(next);
    assert_eq!(called.get(), LINKS / 2 - 1);
}

// Races.

#[test]
fn a_map_may_go_while_its_values_die() {
    for _ in 0..sized(200, 3) {
        let values: Vec<_> = (0..sized(100, 10)).map(object).collect();
        let map: WeakValueMap<usize, Object<usize>> = values.iter().map(|value| (value.0, value)).collect();
        let sets: WeakSet<Object<usize>> = values.iter().collect();
        let (dead, start) = (Count::default(), Barrier::new(2));
        for value in &values {
            Arc::observe(value, dead.callback()).detach();
        }
        let n = values.len();
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop((map, sets));
            });
            start.wait();
            drop(values);
        });
        assert_eq!(dead.get(), n);
    }
}

/// CPython shares one reference among all who ask for one; making it against dropping it was a race.
#[test]
fn references_are_made_while_the_last_one_is_dropped() {
    let o = object(1);
    let (called, weak) = (Count::default(), Arc::downgrade(&o));
    together(THREADS, |_| {
        for _ in 0..sized(20_000, 20) {
            let (r, told) = (Arc::downgrade(&o), Arc::observe(&o, called.callback()));
            assert!(r == weak && r.is_alive() && told.is_pending());
            drop(r);
            assert!(told.cancel());
        }
    });
    drop(weak);
    assert_eq!((Arc::weak_count(&o), Arc::observer_count(&o)), (0, 0));
    drop(o);
    assert_eq!(called.get(), 0);
}

/// Who asks has an owner, so the object can't die meanwhile; what watches it can come and go.
#[test]
fn observers_are_listed_while_they_come_and_go() {
    let o = object(1);
    let stays = Arc::observe(&o, |_| ());
    let set = WeakSet::from([&o]);
    let listed = Arc::observers(&o);
    assert_eq!(listed.iter().map(|info| info.location.line()).collect::<Vec<_>>(), [line!() - 2, line!() - 3]);
    drop(set);
    let (over, started) = (AtomicBool::new(false), Barrier::new(THREADS));
    thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(|| {
                started.wait();
                while !over.load(SeqCst) {
                    let many: Vec<Observer<Object>> = (0..5).map(|_| Arc::observe(&o, |_| ())).collect();
                    let set = WeakSet::from([&o]);
                    drop((many, set));
                }
            });
        }
        let _over = Over(&over);
        started.wait();
        for _ in 0..sized(5_000, 5) {
            let listed = Arc::observers(&o);
            assert!(listed.iter().all(|info| info.location.file() == file!()));
            assert!(listed.iter().any(|info| info.kind == ObserverKind::Callback));
            assert!(listed.len() <= 1 + 6 * (THREADS - 1));
        }
    });
    assert_eq!(Arc::observers(&o).len(), 1);
    assert!(stays.cancel());
    assert!(Arc::observers(&o).is_empty());
}

// Process exit.

/// A finalizer of an object that never dies.
fn at_exit(call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
    static NEVER_DIES: OnceLock<Arc<()>> = OnceLock::new();
    finalize(NEVER_DIES.get_or_init(|| Arc::new(())), call)
}

/// In CPython a `SystemExit` in one skips all older ones.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_finalizer_that_panics_at_exit_stops_no_older_one() {
    fn program() {
        at_exit(|| say("oldest"));
        at_exit(|| planned());
        at_exit(|| {
            say("newest");
            planned()
        });
    }
    let Some(output) = in_a_child("lacking::a_finalizer_that_panics_at_exit_stops_no_older_one", program) else {
        return;
    };
    assert!(output.status.success());
    assert_eq!(said(&output), ["newest", "oldest"]);
}

/// CPython has made its list by then.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn atexit_that_a_finalizer_sets_at_exit_is_heeded() {
    fn program() {
        let [off, on] = ["off", "on"].map(|name| at_exit(move || say(name)));
        on.set_atexit(false);
        at_exit(move || {
            say("newest");
            off.set_atexit(false);
            on.set_atexit(true);
        });
    }
    let Some(output) = in_a_child("lacking::atexit_that_a_finalizer_sets_at_exit_is_heeded", program) else { return };
    assert!(output.status.success());
    assert_eq!(said(&output), ["newest", "on"]);
}

/// In CPython the child inherits them and runs them too.
#[cfg(unix)]
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_forked_child_runs_no_finalizer_of_its_parent() {
    fn program() {
        at_exit(|| say("parent's"));
        // SAFETY: the child does no more than print and exit, by way of the handlers.
        match unsafe { libc::fork() } {
            0 => {
                let ExitReport { ran, .. } = run_finalizers();
                say(&format!("child: ran {ran}"));
                std::process::exit(0);
            }
            child => {
                let mut status = 0;
                // SAFETY: `child` is ours to wait for, and `status` a local.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0);
                say("the parent goes on");
            }
        }
    }
    let Some(output) = in_a_child("lacking::a_forked_child_runs_no_finalizer_of_its_parent", program) else { return };
    assert!(output.status.success());
    assert_eq!(said(&output), ["child: ran 0", "the parent goes on", "parent's"]);
}
