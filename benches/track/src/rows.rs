// The rows, compiled once with each commit as `weakly`.

use super::Row;
use foldhash::fast::FixedState;
use paired::harness::{Entrant, Side};
use paired::keys::{Choice, Stream, key};
use std::hint::black_box;
use std::sync::Arc as Shared;
use weakly::atomic::AtomicArc;
use weakly::{Arc, Interner, WeakKeyMap, WeakList, WeakValueMap};

type Value = [u64; 8];
type Map = WeakValueMap<u64, Value, FixedState>;

pub const ROWS: &[Row] = &[
    Row { name: "Arc: new, drop", entrant: |name| one(name, || drop(black_box(Arc::new([7_u64; 8])))) },
    Row { name: "Arc: clone, drop", entrant: clone_drop },
    Row { name: "Weak: upgrade, drop", entrant: upgrade_drop },
    Row { name: "observe, death", entrant: observe_death },
    Row { name: "AtomicArc: load", entrant: slot_load },
    Row { name: "get, 10 k", entrant: |name| gets(name, 1, 10_000, Choice::Uniform) },
    Row { name: "get, 1 M", entrant: |name| gets(name, 1, 1_000_000, Choice::Uniform) },
    Row { name: "get, one key, 2 threads", entrant: |name| gets(name, 2, 10_000, Choice::Hot) },
    Row { name: "get, guard held, 10 k", entrant: gets_guard_held },
    Row { name: "read, guard held, 10 k", entrant: reads_guard_held },
    Row { name: "get, 10 k, missing", entrant: misses },
    Row { name: "insert, then die, 10 k", entrant: |name| churn(name, 1) },
    Row { name: "insert, then die, 10 k, 2 threads", entrant: |name| churn(name, 2) },
    Row { name: "replace, 10 k", entrant: replace },
    Row { name: "get_or_insert_with, hits", entrant: load_hits },
    Row { name: "grow to 100 k, drop", entrant: grow },
    Row { name: "iterate 100 k", entrant: iterate },
    Row { name: "WeakKeyMap: get, 10 k", entrant: key_gets },
    Row { name: "WeakList: push, die", entrant: list_churn },
    Row { name: "Interner: hit, 10 k", entrant: intern_hits },
];

/// Work of one thread.
fn alone(name: &'static str, work: impl FnMut(u64) + Send + 'static) -> Entrant {
    let mut work = Some(work);
    Entrant::new(name, Side::Ours, 1, move |_| work.take().expect("one thread"))
}

/// One operation again and again, on one thread.
fn one(name: &'static str, mut operation: impl FnMut() + Send + 'static) -> Entrant {
    alone(name, move |ops| (0..ops).for_each(|_| operation()))
}

/// A map of so many values.
fn filled(n: u64) -> (Map, Vec<Arc<Value>>) {
    let values: Vec<_> = (0..n).map(|rank| Arc::new_deferred([rank; 8])).collect();
    let map = Map::with_hasher(FixedState::with_seed(1));
    map.extend(values.iter().enumerate().map(|(rank, value)| (key(rank as u64), value)));
    (map, values)
}

/// Works through a stream of keys.
fn each(stream: &mut Stream, ops: u64, mut operation: impl FnMut(u64)) {
    stream.batches(ops, usize::MAX, |keys| keys.iter().for_each(|&key| operation(key)));
}

fn clone_drop(name: &'static str) -> Entrant {
    let arc = Arc::new([7_u64; 8]);
    one(name, move || drop(black_box(arc.clone())))
}

fn upgrade_drop(name: &'static str) -> Entrant {
    let arc = Arc::new([7_u64; 8]);
    let weak = Arc::downgrade(&arc);
    one(name, move || {
        let _alive = &arc;
        drop(black_box(weak.upgrade()));
    })
}

fn observe_death(name: &'static str) -> Entrant {
    one(name, || {
        let arc = Arc::new([7_u64; 8]);
        Arc::observe(&arc, |value| assert_eq!(value[0], 7)).detach();
    })
}

fn slot_load(name: &'static str) -> Entrant {
    let slot = AtomicArc::new(Arc::new([7_u64; 8]));
    one(name, move || drop(black_box(slot.load())))
}

fn gets(name: &'static str, threads: usize, keys: usize, choice: Choice) -> Entrant {
    let filled = Shared::new(filled(keys as u64));
    Entrant::new(name, Side::Ours, threads, move |thread| {
        let (filled, mut stream) = (filled.clone(), Stream::draw(choice, 0..keys, thread));
        move |ops| each(&mut stream, ops, |key| drop(black_box(filled.0.get(&key))))
    })
}

/// One thread that asks 10 k keys, or others, of a filled map.
fn asks(
    name: &'static str,
    ranks: std::ops::Range<usize>,
    ask: impl Fn(&Map, &mut Stream, u64) + Send + 'static,
) -> Entrant {
    let ((map, values), mut stream) = (filled(10_000), Stream::draw(Choice::Uniform, ranks, 0));
    alone(name, move |ops| {
        let _alive = &values;
        ask(&map, &mut stream, ops);
    })
}

fn gets_guard_held(name: &'static str) -> Entrant {
    asks(name, 0..10_000, |map, stream, ops| {
        let pinned = map.pin();
        each(stream, ops, |key| drop(black_box(pinned.get(&key))));
    })
}

fn reads_guard_held(name: &'static str) -> Entrant {
    asks(name, 0..10_000, |map, stream, ops| {
        let pinned = map.pin();
        each(stream, ops, |key| assert!(black_box(pinned.read(&key)).is_some_and(|value| value[0] < 10_000)));
    })
}

fn misses(name: &'static str) -> Entrant {
    asks(name, 10_000..20_000, |map, stream, ops| each(stream, ops, |key| assert!(map.get(&key).is_none())))
}

fn load_hits(name: &'static str) -> Entrant {
    asks(name, 0..10_000, |map, stream, ops| {
        each(stream, ops, |key| drop(black_box(map.get_or_insert_with(key, |_| unreachable!("all are there")))));
    })
}

fn replace(name: &'static str) -> Entrant {
    let (map, values) = filled(10_000);
    let mut next = 0;
    one(name, move || {
        next = (next + 1) % values.len();
        drop(black_box(map.insert(key(next as u64 / 2), &values[next])));
    })
}

/// Every thread has a ring of values; a new one takes the oldest one's place, which dies.
fn churn(name: &'static str, threads: usize) -> Entrant {
    const LIVE: u64 = 10_000;
    let map: Shared<Map> = Shared::new(Map::with_hasher(FixedState::with_seed(1)));
    Entrant::new(name, Side::Ours, threads, move |thread| {
        let (map, mut ring, mut next) = (map.clone(), vec![None; LIVE as usize], (thread as u64) << 40);
        move |ops| {
            for _ in 0..ops {
                let value = Arc::new([next; 8]);
                map.insert(key(next), &value);
                ring[(next % LIVE) as usize] = Some(value);
                next += 1;
            }
        }
    })
}

/// An operation is an insertion; a full map is dropped.
fn grow(name: &'static str) -> Entrant {
    let values: Vec<_> = (0..100_000).map(|rank| Arc::new([rank; 8])).collect();
    let (mut map, mut next) = (Map::with_hasher(FixedState::with_seed(1)), 0);
    one(name, move || {
        if next == values.len() {
            map = Map::with_hasher(FixedState::with_seed(1));
            next = 0;
        }
        map.insert(key(next as u64), &values[next]);
        next += 1;
    })
}

/// An operation is an entry.
fn iterate(name: &'static str) -> Entrant {
    let (map, values) = filled(100_000);
    alone(name, move |ops| {
        let _alive = &values;
        let mut left = ops;
        while left > 0 {
            for (_, value) in map.iter().take(left as usize) {
                black_box(value[0]);
                left -= 1;
            }
        }
    })
}

fn key_gets(name: &'static str) -> Entrant {
    let keys: Vec<_> = (0..10_000_u64).map(Arc::new).collect();
    let map: WeakKeyMap<u64, u64, FixedState> = WeakKeyMap::with_hasher(FixedState::with_seed(1));
    map.extend(keys.iter().map(|key| (key, **key)));
    let mut next = 0;
    one(name, move || {
        next = (next + 7_919) % keys.len();
        assert_eq!(map.get(&keys[next]), Some(next as u64));
    })
}

fn list_churn(name: &'static str) -> Entrant {
    let (list, mut ring, mut next) = (WeakList::new(), vec![None; 1_000], 0);
    one(name, move || {
        let value = Arc::new([next as u64; 8]);
        list.push(&value);
        ring[next % 1_000] = Some(value);
        next += 1;
    })
}

fn intern_hits(name: &'static str) -> Entrant {
    let words: Vec<String> = (0..10_000).map(|n| format!("word {n}")).collect();
    let interner: Interner<str> = Interner::new();
    let interned: Vec<_> = words.iter().map(|word| interner.intern(word.as_str())).collect();
    let mut next = 0;
    one(name, move || {
        let _alive = &interned;
        next = (next + 7_919) % words.len();
        drop(black_box(interner.intern(words[next].as_str())));
    })
}
