//! Loads in flight: each model is one race that the essay of `flight` names, named after it.

use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread::{spawn, yield_now};
use loom_tests::small::idle;
use loom_tests::{Drops, Witness, expect_panic, model, model_at_one_less};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc as Shared;
use std::sync::atomic::AtomicUsize as Ghost;
use weakly::{Arc, generic, pin};

/// All keys have one hash: the keys themselves are what tells flights apart.
#[derive(Default)]
struct One;

impl Hasher for One {
    fn finish(&self) -> u64 {
        1
    }
    fn write(&mut self, _: &[u8]) {}
}

type Map<K = u64> = generic::WeakValueMap<K, Arc<Witness>, BuildHasherDefault<One>>;

fn map<K>() -> Shared<Map<K>> {
    Shared::new(Map::with_hasher(BuildHasherDefault::new()))
}

fn value() -> Arc<Witness> {
    Arc::new(Witness::new(&Drops::new()))
}

/// The loads of one key.
#[derive(Clone)]
struct Loads(Shared<(AtomicUsize, Ghost)>);

impl Loads {
    fn none() -> Self {
        Loads(Shared::new((AtomicUsize::new(0), Ghost::new(0))))
    }

    /// Runs a loader's body.
    fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        let (running, runs) = &*self.0;
        assert_eq!(running.fetch_add(1, Relaxed), 0, "one loader a key at a time");
        runs.fetch_add(1, Relaxed);
        let result = catch_unwind(AssertUnwindSafe(body));
        running.fetch_sub(1, Relaxed);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn runs(&self) -> usize {
        self.0.1.load(Relaxed)
    }
}

#[test]
fn two_loaders() {
    model("two loaders of one key", || {
        let (map, loads) = (map::<u64>(), Loads::none());
        let other = spawn({
            let (map, loads) = (map.clone(), loads.clone());
            move || map.get_or_insert_with(1, |_| loads.run(value))
        });
        let mine = map.get_or_insert_with(1, |_| loads.run(value));
        let theirs = other.join().unwrap();
        assert!(Arc::ptr_eq(&mine, &theirs), "all get that loader's very value");
        assert_eq!(loads.runs(), 1, "one loader, while what it made lives");
        idle(map.table(), 1);
        drop((mine, theirs));
        idle(map.table(), 0);
    });
}

#[test]
fn three_loaders() {
    model("three loaders of one key", || {
        let (map, loads) = (map::<u64>(), Loads::none());
        let others = [(); 2].map(|()| {
            let (map, loads) = (map.clone(), loads.clone());
            spawn(move || map.get_or_insert_with(1, |_| loads.run(value)))
        });
        let mine = map.get_or_insert_with(1, |_| loads.run(value));
        for other in others {
            assert!(Arc::ptr_eq(&mine, &other.join().unwrap()), "all get that loader's very value");
        }
        assert_eq!(loads.runs(), 1, "one loader, while what it made lives");
        idle(map.table(), 1);
    });
}

#[test]
fn two_loaders_drop() {
    model("two loaders of one key, each drops what it got", || {
        let (map, loads) = (map::<u64>(), Loads::none());
        let other = spawn({
            let (map, loads) = (map.clone(), loads.clone());
            move || map.get_or_insert_with(1, |_| loads.run(value)).read()
        });
        map.get_or_insert_with(1, |_| loads.run(value)).read();
        other.join().unwrap();
        idle(map.table(), 0); // a flight keeps nothing alive
    });
}

#[test]
fn loader_fails() {
    model("a loader fails / a waiter", || {
        let (map, loads) = (map::<u64>(), Loads::none());
        let failing = spawn({
            let (map, loads) = (map.clone(), loads.clone());
            move || map.get_or_try_insert_with(1, |_| loads.run(|| Err(())))
        });
        let mine = map.get_or_insert_with(1, |_| loads.run(value)); // woken, and leads next
        match failing.join().unwrap() {
            Ok(theirs) => assert!(Arc::ptr_eq(&mine, &theirs)),
            Err(()) => assert!(loads.runs() >= 2 || map.contains_key(&1)),
        }
        idle(map.table(), 1);
    });
}

#[test]
fn loader_panics() {
    model("a loader panics / a waiter", || {
        let (map, loads) = (map::<u64>(), Loads::none());
        let panicking = spawn({
            let (map, loads) = (map.clone(), loads.clone());
            move || {
                let load = || map.get_or_insert_with(1, |_| loads.run(|| resume_unwind(Box::new("a loader's own"))));
                catch_unwind(AssertUnwindSafe(load)).ok()
            }
        });
        let mine = map.get_or_insert_with(1, |_| loads.run(value));
        if let Some(theirs) = panicking.join().unwrap() {
            assert!(Arc::ptr_eq(&mine, &theirs));
        }
        idle(map.table(), 1);
    });
}

/// `first` is what a panicking and a failing loader leave to a third.
#[test]
fn loaders_panic_and_fail() {
    model("a loader panics / one fails / a waiter", || {
        let map = map::<u64>();
        let panicking = spawn({
            let map = map.clone();
            move || {
                let load = || map.get_or_insert_with(1, |_| resume_unwind(Box::new("a loader's own")));
                _ = catch_unwind(AssertUnwindSafe(load));
            }
        });
        let failing = spawn({
            let map = map.clone();
            move || _ = map.get_or_try_insert_with(1, |_| Err(()))
        });
        let mine = map.get_or_insert_with(1, |_| value());
        panicking.join().unwrap();
        failing.join().unwrap();
        assert!(Arc::ptr_eq(&mine, &map.get(&1).unwrap()));
        idle(map.table(), 1);
    });
}

#[test]
fn load_insert() {
    model("load / insert", || {
        let (map, new) = (map::<u64>(), value());
        let inserting = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || map.insert(1, &new)
        });
        let loaded = map.get_or_insert_with(1, |_| value());
        let replaced = inserting.join().unwrap();
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &new), "a load takes nothing's place");
        match replaced {
            Some(replaced) => assert!(Arc::ptr_eq(&loaded, &replaced)),
            None => assert!(Arc::ptr_eq(&loaded, &new), "the live value that an insert has put there meanwhile"),
        }
        idle(map.table(), 1);
    });
}

/// What a leader found in the map may be gone again before another asks.
#[test]
fn load_insert_remove() {
    model("load / insert, removal and load", || {
        let map = map::<u64>();
        let loading = spawn({
            let map = map.clone();
            move || map.get_or_insert_with(1, |_| value())
        });
        let new = value();
        map.insert(1, &new);
        map.remove(&1);
        let loaded = map.get_or_insert_with(1, |_| value());
        assert!(!Arc::ptr_eq(&loaded, &new), "nobody gets what was removed before he asked");
        drop((loading.join().unwrap(), loaded));
        idle(map.table(), 0);
    });
}

/// Loading one key never delays another, even of the same hash: the first loader waits until the second key is loaded.
#[test]
fn load_of_another_key() {
    model("load / load of another key", || {
        let (map, loaded) = (map::<u64>(), Shared::new(Notify::new()));
        let first = spawn({
            let (map, loaded) = (map.clone(), loaded.clone());
            move || {
                map.get_or_insert_with(1, |_| {
                    loaded.wait();
                    value()
                })
            }
        });
        let second = map.get_or_insert_with(2, |_| value());
        loaded.notify();
        let first = first.join().unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        idle(map.table(), 2);
    });
}

const RING: &str = "deadlock: a loader waits for itself";

#[test]
fn loader_waits_for_itself() {
    expect_panic(RING);
    model("a loader waits for itself", || {
        let map = map::<u64>();
        let load = || map.get_or_insert_with(1, |_| map.get_or_insert_with(1, |_| value()));
        assert!(catch_unwind(AssertUnwindSafe(load)).is_err(), "it says so");
        let found = map.get_or_insert_with(1, |_| value());
        assert!(Arc::ptr_eq(&found, &map.get(&1).unwrap()), "and nothing is left of it");
        idle(map.table(), 1);
    });
}

#[test]
fn ring_of_two() {
    expect_panic(RING);
    model("a ring of two loaders", || {
        let map = map::<u64>();
        let load = |map: &Map, outer: u64, inner: u64| {
            let load = || map.get_or_insert_with(outer, |_| map.get_or_insert_with(inner, |_| value()));
            catch_unwind(AssertUnwindSafe(load)).is_ok()
        };
        let other = spawn({
            let map = map.clone();
            move || load(&map, 2, 1)
        });
        let mine = load(&map, 1, 2);
        let theirs = other.join().unwrap();
        assert!(mine || theirs, "one of a ring panics, the other goes on");
        idle(map.table(), 0);
    });
}

#[test]
fn ring_of_three_through_two_maps() {
    expect_panic(RING);
    model_at_one_less("a ring of three loaders, through two maps", || {
        let maps = [map::<u64>(), map::<u64>()];
        let load = |outer: &Map, a: u64, inner: &Map, b: u64| {
            let load = || {
                outer.get_or_insert_with(a, |_| {
                    yield_now(); // else it would take two preemptions to close the ring
                    inner.get_or_insert_with(b, |_| value())
                })
            };
            catch_unwind(AssertUnwindSafe(load)).is_ok()
        };
        let second = spawn({
            let maps = maps.clone();
            move || load(&maps[1], 2, &maps[0], 3)
        });
        let third = spawn({
            let maps = maps.clone();
            move || load(&maps[0], 3, &maps[0], 1)
        });
        let mine = load(&maps[0], 1, &maps[1], 2);
        let others = [second.join().unwrap(), third.join().unwrap()];
        assert!(usize::from(mine) + others.map(usize::from).iter().sum::<usize>() >= 2, "at most one of a ring panics");
        idle(maps[0].table(), 0);
        idle(maps[1].table(), 0);
    });
}

/// A wait whose flight has landed is no link of a ring, though its thread has yet to wake.
#[test]
fn landed_wait() {
    model("a wait that is over / the next load", || {
        let map = map::<u64>();
        let other = spawn({
            let map = map.clone();
            move || map.get_or_insert_with(2, |_| map.get_or_insert_with(1, |_| value()))
        });
        let one = map.get_or_insert_with(1, |_| value());
        let two = map.get_or_insert_with(2, |_| value()); // may wait for a thread that waited for us
        assert!(Arc::ptr_eq(&two, &other.join().unwrap()));
        idle(map.table(), 2);
        drop(one);
    });
}

/// A key that tells loom of every comparison, and of its end.
struct Key(Witness);

impl Key {
    fn new() -> Self {
        Key(Witness::new(&Drops::new()))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.read() == other.0.read()
    }
}

impl Eq for Key {}

/// Once the leader's node is in the map, it may be removed and freed while the flight is still listed.
#[test]
fn compare_publish_remove_retire() {
    model("compare / publish, remove and retire", || {
        let map = map::<Key>();
        let removing = spawn({
            let map = map.clone();
            move || drop(map.remove(&Key::new()))
        });
        let joining = spawn({
            let map = map.clone();
            move || drop(map.get_or_try_insert_with(Key::new(), |_| Err(())))
        });
        drop(map.get_or_insert_with(Key::new(), |_| value()));
        removing.join().unwrap();
        joining.join().unwrap();
        idle(map.table(), 0);
        drop(map);
        pin().flush(); // the keys
    });
}

/// The node of a load that came to nothing goes, and with it the key that others may be comparing.
#[test]
fn compare_fail() {
    model("compare / the loader fails", || {
        let map = map::<Key>();
        let failing = spawn({
            let map = map.clone();
            move || {
                assert!(map.get_or_try_insert_with(Key::new(), |_| Err(())).is_err());
                pin().flush();
            }
        });
        assert!(map.get_or_try_insert_with(Key::new(), |_| Err(())).is_err());
        failing.join().unwrap();
        idle(map.table(), 0);
        drop(map);
        pin().flush(); // the keys
    });
}
