//! Litmus tests: two or three actors meet at one small thing, many thousand times, and every outcome is counted. Outcomes that are
//! not listed are forbidden, and one occurrence fails the test. `cargo test --test it litmus:: -- --nocapture` prints the tables;
//! with `WEAKLY_LONG=1000`, of millions of runs each.

use crate::common::{Rng, long, seed, sized, watchdog};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex};
use std::thread;
use weakly::atomic::AtomicArc;
use weakly::std_arc::{self, Anchor};
use weakly::{Arc, Finalizer, Observer, Removals, Weak, WeakKeyMap, WeakValueMap, finalize};

const RUNS: usize = sized(2_500, 20);
/// Runs between two meetings of all actors with whoever counts.
const CHUNK: usize = 200;

/// What an actor does to the state, and says.
type Actor<'a, S, R> = &'a (dyn Fn(&S) -> R + Sync);

/// Lets the actors meet at a new state again and again; the state's end and what they said are an outcome.
fn litmus<S: Send + Sync, R: Send, O: Ord + Debug, const N: usize>(
    name: &str,
    acceptable: &[(O, &str)],
    state: impl Fn() -> S,
    actors: [Actor<'_, S, R>; N],
    end: impl Fn(S, [R; N]) -> O,
) {
    let _dog = watchdog();
    let seed = seed();
    let mut seen: BTreeMap<O, usize> = BTreeMap::new();
    let runs = RUNS * long();
    for chunk in 0..runs.div_ceil(CHUNK) {
        let states: Vec<S> = (0..CHUNK.min(runs - chunk * CHUNK)).map(|_| state()).collect();
        let arrived = AtomicUsize::new(0);
        let said: Vec<Vec<R>> = thread::scope(|scope| {
            let mut number = chunk * N;
            let threads = actors.map(|actor| {
                number += 1;
                let (states, arrived) = (&states, &arrived);
                scope.spawn(move || {
                    let mut rng = Rng::new(seed, number);
                    let act = |(round, state)| {
                        meet(arrived, (round + 1) * N); // not exactly, once somebody went on alone: which is as good
                        (0..rng.below(30)).for_each(|_| spin_loop()); // so that each comes first now and then
                        actor(state)
                    };
                    states.iter().enumerate().map(act).collect()
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut said: Vec<_> = said.into_iter().map(Vec::into_iter).collect();
        for state in states {
            let mut said = said.iter_mut().map(|said| said.next().expect("one a run"));
            *seen.entry(end(state, [(); N].map(|()| said.next().expect("one an actor")))).or_default() += 1;
        }
    }
    report(name, runs, acceptable, &seen);
}

/// Waits, spinning, until all have come: a thread that had to be woken would come too late to race. Nor does it wait for one that
/// has lost its core: each actor goes on by itself soon enough, and they meet again.
fn meet(arrived: &AtomicUsize, all: usize) {
    arrived.fetch_add(1, SeqCst);
    for _ in 0..sized(2_000, 20) {
        if arrived.load(SeqCst) >= all {
            return;
        }
        spin_loop();
    }
}

/// The table.
fn report<O: Ord + Debug>(name: &str, runs: usize, acceptable: &[(O, &str)], seen: &BTreeMap<O, usize>) {
    let mut table = format!("{name}: {runs} runs\n");
    for (outcome, why) in acceptable {
        let n = seen.get(outcome).copied().unwrap_or(0);
        let _ = writeln!(table, "{n:>10}  ACCEPTABLE  {outcome:?}: {why}");
    }
    let forbidden: Vec<_> =
        seen.iter().filter(|(seen, _)| acceptable.iter().all(|(outcome, _)| outcome != *seen)).collect();
    for (outcome, n) in &forbidden {
        let _ = writeln!(table, "{n:>10}  FORBIDDEN   {outcome:?}");
    }
    print!("{table}");
    assert!(forbidden.is_empty(), "{table}");
}

/// Something that one actor takes.
struct Part<T>(Mutex<Option<T>>);

impl<T> Part<T> {
    fn of(it: T) -> Self {
        Part(Mutex::new(Some(it)))
    }
    fn take(&self) -> T {
        self.0.lock().unwrap().take().expect("there")
    }
    fn left(self) -> Option<T> {
        self.0.into_inner().unwrap()
    }
}

/// Counts its destructions, and what was written before.
struct Ends(StdArc<AtomicUsize>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn upgrade_or_last_drop() {
    struct State(Part<Arc<Ends>>, Weak<Ends>, StdArc<AtomicUsize>, Mutex<Option<Arc<Ends>>>);
    litmus(
        "an upgrade, the last drop: (upgraded, destroyed)",
        &[((true, 0), "it came first, and holds the object"), ((false, 1), "it came too late")],
        || {
            let ends = StdArc::default();
            let owner = Arc::new(Ends(StdArc::clone(&ends)));
            let weak = Arc::downgrade(&owner);
            State(Part::of(owner), weak, ends, Mutex::default())
        },
        [&|s: &State| drop(s.0.take()), &|s| *s.3.lock().unwrap() = s.1.upgrade()],
        |s, _| (s.3.lock().unwrap().is_some(), s.2.load(SeqCst)),
    );
}

#[test]
fn two_upgrades_and_the_last_drop() {
    struct State(Part<Arc<Ends>>, Weak<Ends>, StdArc<AtomicUsize>);
    litmus(
        "two upgrades that let go again, the last drop: (destroyed, and no sooner than the last of them let go)",
        &[((1, true), "once, by whoever was last")],
        || {
            let ends = StdArc::default();
            let owner = Arc::new(Ends(StdArc::clone(&ends)));
            let weak = Arc::downgrade(&owner);
            State(Part::of(owner), weak, ends)
        },
        [
            &|s: &State| {
                drop(s.0.take());
                true
            },
            &|s| s.1.upgrade().is_none_or(|there| s.2.load(SeqCst) == 0 && Arc::strong_count(&there) > 0),
            &|s| s.1.upgrade().is_none_or(|there| s.2.load(SeqCst) == 0 && Arc::strong_count(&there) > 0),
        ],
        |s, said| (s.2.load(SeqCst), said == [true; 3]),
    );
}

type Map = WeakValueMap<u32, u32>;

/// A map of one shard in which `1` leads to a value of 1; and its owner.
fn map_of_one() -> (Map, Arc<u32>) {
    let (map, one) = (WeakValueMap::builder().shards(1).build(), Arc::new(1));
    map.insert(1, &one);
    (map, one)
}

#[test]
fn replace_or_death() {
    struct State(Map, Part<Arc<u32>>, Arc<u32>);
    litmus(
        "an insert over an entry, the death of its value: (old value returned, found, died, replaced)",
        &[
            ((Some(1), Some(2), 0, 1), "it was alive: replaced"),
            ((None, Some(2), 1, 0), "it was dead: it left by itself, and its successor stayed"),
        ],
        || {
            let (map, one) = map_of_one();
            State(map, Part::of(one), Arc::new(2))
        },
        [
            &|s: &State| {
                drop(s.1.take());
                None
            },
            &|s| s.0.insert(1, &s.2).map(|old| *old),
        ],
        |s, [_, old]| {
            s.0.validate();
            let stats = s.0.stats();
            (old, s.0.get(&1).map(|there| *there), stats.died, stats.replaced)
        },
    );
}

#[test]
fn load_or_death() {
    struct State(Map, Part<Arc<u32>>, AtomicUsize);
    litmus(
        "a load, the death of what is there: (got, loads, found again by whoever got it)",
        &[((1, 0, true), "it was alive"), ((2, 1, true), "it was dead: loaded")],
        || {
            let (map, one) = map_of_one();
            State(map, Part::of(one), AtomicUsize::new(0))
        },
        [
            &|s: &State| {
                drop(s.1.take());
                (0, true)
            },
            &|s| {
                let got = s.0.get_or_insert_with(1, |_| {
                    s.2.fetch_add(1, SeqCst);
                    Arc::new(2)
                });
                (*got, s.0.get(&1).is_some_and(|again| Arc::ptr_eq(&got, &again)))
            },
        ],
        |s, [_, (got, again)]| {
            s.0.validate();
            (got, s.2.into_inner(), again)
        },
    );
}

#[test]
fn get_or_remove_and_reinsert() {
    struct State(Map, Arc<u32>, Arc<u32>);
    litmus(
        "two gets, a remove and an insert: (first get, second get)",
        &[
            ((Some(1), Some(1)), "before"),
            ((Some(1), None), "before, between"),
            ((Some(1), Some(2)), "before, after"),
            ((None, None), "between"),
            ((None, Some(2)), "between, after"),
            ((Some(2), Some(2)), "after"),
        ],
        || {
            let (map, one) = map_of_one();
            State(map, one, Arc::new(2))
        },
        [
            &|s: &State| {
                assert!(s.0.remove(&1).is_some_and(|one| Arc::ptr_eq(&one, &s.1)));
                s.0.insert(1, &s.2);
                (None, None)
            },
            &|s| (s.0.get(&1).map(|it| *it), s.0.get(&1).map(|it| *it)),
        ],
        |_, [_, gets]| gets,
    );
}

/// Trap of every look-up that goes by a value's life: the entry it has found was replaced, and the old value died, before it looked.
#[test]
fn get_or_replace() {
    struct State(Map, Part<Arc<u32>>);
    litmus(
        "gets, and inserts over the entry whose values then die: (present each time, in order)",
        &[((true, true), "never missed")],
        || {
            let (map, one) = map_of_one();
            State(map, Part::of(one))
        },
        [
            &|s: &State| {
                let mut there = s.1.take();
                for n in 2..8 {
                    let new = Arc::new(n);
                    s.0.insert(1, &new);
                    there = new; // and the old one dies
                }
                *s.1.0.lock().unwrap() = Some(there);
                (true, true)
            },
            &|s| {
                let seen: Vec<_> = (0..12).map(|_| s.0.get(&1).map(|it| *it)).collect();
                (seen.iter().all(Option::is_some), seen.is_sorted())
            },
        ],
        |s, [_, seen]| {
            assert!(s.1.left().is_some_and(|last| *last == 7));
            seen
        },
    );
}

#[test]
fn remove_or_death() {
    struct State(Map, Part<Arc<u32>>, Removals<u32>);
    litmus(
        "a remove, the death of its value: (value returned, removed, died, notices)",
        &[((true, 1, 0, 1), "it was alive"), ((false, 0, 1, 1), "it was dead, and left by itself")],
        || {
            let (map, one) = map_of_one();
            let removals = map.removals();
            State(map, Part::of(one), removals)
        },
        [
            &|s: &State| {
                drop(s.1.take());
                false
            },
            &|s| s.0.remove(&1).is_some(),
        ],
        |s, [_, removed]| {
            s.0.validate();
            let stats = s.0.stats();
            (removed, stats.removed, stats.died, s.2.try_iter().count())
        },
    );
}

#[test]
fn cancel_or_death() {
    struct State(Part<Arc<u32>>, Part<Observer<u32>>, StdArc<AtomicUsize>);
    litmus(
        "a cancel, a death: (cancelled, called)",
        &[((true, 0), "cancelled: it never runs"), ((false, 1), "it ran, and the cancel says so")],
        || {
            let (owner, called) = (Arc::new(1), StdArc::<AtomicUsize>::default());
            let counter = called.clone();
            let observer = Arc::observe(&owner, move |_| _ = counter.fetch_add(1, SeqCst));
            State(Part::of(owner), Part::of(observer), called)
        },
        [
            &|s: &State| {
                drop(s.0.take());
                false
            },
            &|s| s.1.take().cancel(),
        ],
        |s, [_, cancelled]| (cancelled, s.2.load(SeqCst)),
    );
}

#[test]
fn observe_or_drop() {
    struct State(Part<Arc<u32>>, Part<Arc<u32>>, StdArc<AtomicUsize>);
    litmus(
        "an owner observes and goes, another goes: called",
        &[(1, "once, by whoever was last")],
        || {
            let owner = Arc::new(1);
            State(Part::of(owner.clone()), Part::of(owner), StdArc::default())
        },
        [&|s: &State| drop(s.0.take()), &|s| {
            let (owner, called) = (s.1.take(), s.2.clone());
            Arc::observe(&owner, move |_| _ = called.fetch_add(1, SeqCst)).detach();
        }],
        |s, _| s.2.load(SeqCst),
    );
}

#[test]
fn call_or_death_of_a_finalizer() {
    struct State(Part<Arc<u32>>, Finalizer<()>, StdArc<AtomicUsize>);
    litmus(
        "a finalizer is called, its object dies: (the call ran it, ran)",
        &[((true, 1), "the call"), ((false, 1), "the death")],
        || {
            let (owner, ran) = (Arc::new(1), StdArc::<AtomicUsize>::default());
            let counter = ran.clone();
            let finalizer = finalize(&owner, move || _ = counter.fetch_add(1, SeqCst));
            State(Part::of(owner), finalizer, ran)
        },
        [
            &|s: &State| {
                drop(s.0.take());
                false
            },
            &|s| s.1.call().is_some(),
        ],
        |s, [_, called]| (called, s.2.load(SeqCst)),
    );
}

/// What owners wrote before they went is seen by the destructor.
#[test]
fn a_message_through_drop() {
    struct Reads(StdArc<[AtomicUsize; 3]>);
    impl Drop for Reads {
        fn drop(&mut self) {
            let sum = self.0[0].load(Relaxed) + self.0[1].load(Relaxed);
            self.0[2].store(sum, Relaxed);
        }
    }
    struct State([Part<Arc<Reads>>; 2], StdArc<[AtomicUsize; 3]>);
    let write = |s: &State, i: usize| {
        s.1[i].store(1, Relaxed);
        drop(s.0[i].take());
    };
    litmus(
        "two owners write and go: what the destructor reads",
        &[(2, "both")],
        || {
            let words = StdArc::<[AtomicUsize; 3]>::default();
            let owner = Arc::new(Reads(words.clone()));
            State([Part::of(owner.clone()), Part::of(owner)], words)
        },
        [&|s: &State| write(s, 0), &|s| write(s, 1)],
        |s, _| s.1[2].load(Relaxed),
    );
}

/// What the last owner wrote before it went is seen by whoever finds the object dead.
#[test]
fn a_message_through_a_failed_upgrade() {
    struct State(Part<Arc<u32>>, Weak<u32>, AtomicUsize);
    litmus(
        "the last owner writes and goes, an upgrade: (upgraded, what it then reads)",
        &[((true, 0), "alive"), ((true, 1), "alive, and written"), ((false, 1), "dead: written")],
        || {
            let owner = Arc::new(1);
            let weak = Arc::downgrade(&owner);
            State(Part::of(owner), weak, AtomicUsize::new(0))
        },
        [
            &|s: &State| {
                s.2.store(1, Relaxed);
                drop(s.0.take());
                (true, 0)
            },
            &|s| (s.1.upgrade().is_some(), s.2.load(Relaxed)),
        ],
        |_, [_, upgraded]| upgraded,
    );
}

#[test]
fn a_message_through_a_missed_get() {
    struct State(Map, Part<Arc<u32>>, AtomicUsize);
    litmus(
        "the last owner writes and goes, a get: (found, what it then reads)",
        &[((true, 0), "alive"), ((true, 1), "alive, and written"), ((false, 1), "dead: written")],
        || {
            let (map, one) = map_of_one();
            State(map, Part::of(one), AtomicUsize::new(0))
        },
        [
            &|s: &State| {
                s.2.store(1, Relaxed);
                drop(s.1.take());
                (true, 0)
            },
            &|s| (s.0.contains_key(&1), s.2.load(Relaxed)),
        ],
        |_, [_, found]| found,
    );
}

/// Whoever has read the notice of a death finds the object dead everywhere.
#[test]
fn a_notice_and_what_is_found_after_it() {
    struct State(Map, Part<Arc<u32>>, Removals<u32>, Weak<u32>);
    litmus(
        "a death, its notice: (told, what is found then)",
        &[
            ((false, true), "not yet told; there"),
            ((false, false), "not yet told; gone already"),
            ((true, false), "told: gone"),
        ],
        || {
            let (map, one) = map_of_one();
            let (removals, weak) = (map.removals(), Arc::downgrade(&one));
            State(map, Part::of(one), removals, weak)
        },
        [
            &|s: &State| {
                drop(s.1.take());
                (true, false)
            },
            &|s| {
                let told = s.2.try_next().is_some();
                (told, s.0.contains_key(&1) || s.3.upgrade().is_some())
            },
        ],
        |_, [_, found]| found,
    );
}

/// A slot's readers get what was there at some moment, alive, whoever swaps.
#[test]
fn load_or_swap_of_a_slot() {
    struct State(AtomicArc<u32>);
    litmus(
        "a load, a swap after which the old one dies: (loaded, and owned for good)",
        &[((1, true), "before"), ((2, true), "after")],
        || State(AtomicArc::new(Arc::new(1))),
        [
            &|s: &State| {
                drop(s.0.swap(Some(Arc::new(2))));
                (0, true)
            },
            &|s| s.0.load().map_or((0, false), |owner| (*owner, Arc::strong_count(&owner) > 0)),
        ],
        |_, [_, loaded]| loaded,
    );
}

/// A weak key's value goes with it: whoever reads it has it whole, or not at all.
#[test]
fn read_or_death_of_a_key() {
    struct State(WeakKeyMap<u32, Ends>, Part<Arc<u32>>, StdArc<AtomicUsize>);
    litmus(
        "a read of a key's value, the key's death: (read, whole while read; destroyed)",
        &[((Some(true), 1), "it was alive"), ((None, 1), "it was dead")],
        || {
            let (map, key, ends) = (WeakKeyMap::builder().shards(1).build(), Arc::new(1), StdArc::default());
            map.insert(&key, Ends(StdArc::clone(&ends)));
            State(map, Part::of(key), ends)
        },
        [
            &|s: &State| {
                drop(s.1.take());
                None
            },
            &|s| s.0.with(&1, |value| value.0.load(SeqCst) == 0),
        ],
        |s, [_, read]| {
            s.0.validate();
            (read, s.2.load(SeqCst))
        },
    );
}

#[test]
fn get_or_last_drop_of_a_guest() {
    struct State(
        std_arc::WeakValueMap<u32, Anchor>,
        Part<StdArc<Anchor>>,
        StdArc<AtomicUsize>,
        Mutex<Option<StdArc<Anchor>>>,
    );
    litmus(
        "a get of a guest, its last drop: (found, callbacks called, in the map)",
        &[((true, 0, 1), "found, and held"), ((false, 1, 0), "too late")],
        || {
            let (map, guest) = (std_arc::WeakValueMap::builder().shards(1).build(), StdArc::new(Anchor::new()));
            let called = StdArc::<AtomicUsize>::default();
            let counter = called.clone();
            guest.observe(move || _ = counter.fetch_add(1, SeqCst)).detach();
            map.insert(1, &guest);
            State(map, Part::of(guest), called, Mutex::default())
        },
        [&|s: &State| drop(s.1.take()), &|s| *s.3.lock().unwrap() = s.0.get(&1)],
        |s, _| {
            s.0.validate();
            (s.3.lock().unwrap().is_some(), s.2.load(SeqCst), s.0.len())
        },
    );
}

/// A map that goes while its value dies: the entry leaves once.
#[test]
fn map_drop_or_death() {
    struct State(Part<Map>, Part<Arc<u32>>, StdArc<AtomicUsize>);
    litmus(
        "a map is dropped, its value dies: told",
        &[(1, "once")],
        || {
            let (told, one) = (StdArc::<AtomicUsize>::default(), Arc::new(1));
            let counter = told.clone();
            let listener = move |_: &u32, _| _ = counter.fetch_add(1, SeqCst);
            let map: Map = WeakValueMap::builder().shards(1).on_removal(listener).build();
            map.insert(1, &one);
            State(Part::of(map), Part::of(one), told)
        },
        [&|s: &State| drop(s.0.take()), &|s| drop(s.1.take())],
        |s, _| {
            assert!(s.0.left().is_none() && s.1.left().is_none());
            s.2.load(SeqCst)
        },
    );
}
