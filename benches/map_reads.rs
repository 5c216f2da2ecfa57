//! Look-ups in a `WeakValueMap` whose values are all alive: by size, by face, by one thread and by two.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use weakly::{Arc, WeakValueMap};

type Payload = [u64; 8];
type Map = WeakValueMap<u64, Payload, FixedState>;

const SIZES: [u64; 2] = [10_000, 1_000_000];

/// Look-ups under one guard, where it is renewed.
const BATCH: u64 = 1_000;

/// A full map, and what keeps it so.
struct Filled {
    map: Map,
    _values: Vec<Arc<Payload>>,
}

fn filled(size: u64, arc: fn(Payload) -> Arc<Payload>) -> Filled {
    let map = Map::with_hasher(FixedState::default());
    let enter = |key| {
        let value = arc([key; 8]);
        map.insert(key, &value);
        value
    };
    let values = (0..size).map(enter).collect();
    Filled { map, _values: values }
}

/// A walk over the numbers below `size`, each once in a round and neighbours far apart.
fn walk(size: u64) -> impl FnMut() -> u64 {
    // Neither even nor a multiple of 5, so that the walk meets every number below a power of ten.
    let step = 7_368_787 % size;
    let mut at = 0;
    move || {
        at += step;
        if at >= size {
            at -= size;
        }
        at
    }
}

fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit");
    for size in SIZES {
        let Filled { map, _values } = &filled(size, Arc::new);
        group.bench_function(BenchmarkId::new("get", size), |b| {
            let mut key = walk(size);
            b.iter(|| map.get(&key()).map(|value| black_box(value[0])));
        });
        group.bench_function(BenchmarkId::new("get, guard held", size), |b| {
            let (mut key, pinned) = (walk(size), map.pin());
            b.iter(|| pinned.get(&key()).map(|value| black_box(value[0])));
        });
        group.bench_function(BenchmarkId::new("contains_key", size), |b| {
            let mut key = walk(size);
            b.iter(|| map.contains_key(&key()));
        });
    }
    group.finish();
}

fn deferred_hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit, deferred value");
    for size in SIZES {
        let Filled { map, _values } = &filled(size, Arc::new_deferred);
        group.bench_function(BenchmarkId::new("read, guard held", size), |b| {
            let (mut key, pinned) = (walk(size), map.pin());
            b.iter(|| pinned.read(&key()).map(|value| black_box(value[0])));
        });
    }
    group.finish();
}

fn misses(c: &mut Criterion) {
    let mut group = c.benchmark_group("miss");
    for size in SIZES {
        let Filled { map, _values } = &filled(size, Arc::new);
        group.bench_function(BenchmarkId::new("get", size), |b| {
            let mut key = walk(size);
            b.iter(|| map.get(&(size + key())));
        });
        group.bench_function(BenchmarkId::new("get, guard held", size), |b| {
            let (mut key, pinned) = (walk(size), map.pin());
            b.iter(|| pinned.get(&(size + key())));
        });
    }
    group.finish();
}

/// The time until two threads have each done `work`, both started at once.
fn by_two(work: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(2);
    let timed = || {
        start.wait();
        let started = Instant::now();
        work();
        started.elapsed()
    };
    thread::scope(|scope| {
        let other = scope.spawn(timed);
        timed().max(other.join().expect("the work does not panic"))
    })
}

/// Both ask for the same keys in the same order: all of the map's, or one alone.
fn hits_by_two(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit by 2 threads");
    let Filled { map, _values } = &filled(10_000, Arc::new);
    let Filled { map: deferred, _values } = &filled(10_000, Arc::new_deferred);
    for keys in [10_000, 1] {
        group.bench_function(BenchmarkId::new("get", keys), |b| {
            b.iter_custom(|iterations| {
                by_two(|| {
                    let mut key = walk(keys);
                    for _ in 0..iterations {
                        map.get(&key()).map(|value| black_box(value[0]));
                    }
                })
            });
        });
        group.bench_function(BenchmarkId::new("get, guard held", keys), |b| {
            b.iter_custom(|iterations| {
                by_two(|| {
                    let (mut key, mut pinned) = (walk(keys), map.pin());
                    for iteration in 1..=iterations {
                        pinned.get(&key()).map(|value| black_box(value[0]));
                        if iteration % BATCH == 0 {
                            pinned.repin();
                        }
                    }
                })
            });
        });
        group.bench_function(BenchmarkId::new("read, guard held", keys), |b| {
            b.iter_custom(|iterations| {
                by_two(|| {
                    let (mut key, mut pinned) = (walk(keys), deferred.pin());
                    for iteration in 1..=iterations {
                        pinned.read(&key()).map(|value| black_box(value[0]));
                        if iteration % BATCH == 0 {
                            pinned.repin();
                        }
                    }
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hits, deferred_hits, misses, hits_by_two);
criterion_main!(benches);
