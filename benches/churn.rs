//! Entries of a `WeakValueMap` that come and go, by one thread.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use std::hint::black_box;
use weakly::{Arc, WeakValueMap};

type Payload = [u64; 8];
type Map = WeakValueMap<u64, Payload, FixedState>;

fn empty() -> Map {
    Map::with_hasher(FixedState::default())
}

fn enter(map: &Map, key: u64) -> Arc<Payload> {
    let value = Arc::new([key; 8]);
    map.insert(key, &value);
    value
}

/// A fresh value comes in, the oldest dies and takes its entry with it: churn at a constant size.
fn insert_then_die(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert, then die");
    for live in [1, 100, 10_000, 1_000_000] {
        let map = empty();
        let mut fresh = 0..;
        let mut next = || enter(&map, fresh.next().expect("more keys than anybody enters"));
        let mut ring: Vec<_> = (0..live).map(|_| next()).collect();
        let mut oldest = 0;
        group.bench_function(BenchmarkId::from_parameter(live), |b| {
            b.iter(|| {
                ring[oldest] = next();
                oldest = if oldest + 1 == live { 0 } else { oldest + 1 };
            });
        });
    }
    group.finish();
}

/// The value lives on; only its entry comes and goes.
fn insert_remove(c: &mut Criterion) {
    let map = empty();
    let _others: Vec<_> = (1..10_000).map(|key| enter(&map, key)).collect();
    let value = Arc::new([0; 8]);
    c.bench_function("insert, remove", |b| {
        b.iter(|| {
            map.insert(0, &value);
            map.remove(&0)
        });
    });
}

/// One key, whose value is replaced while the old one lives.
fn replace(c: &mut Criterion) {
    let map = empty();
    let _others: Vec<_> = (1..10_000).map(|key| enter(&map, key)).collect();
    let [one, two] = [Arc::new([1; 8]), Arc::new([2; 8])];
    c.bench_function("replace, twice", |b| {
        b.iter(|| {
            map.insert(0, &one);
            map.insert(0, &two)
        });
    });
}

fn get_or_insert_with(c: &mut Criterion) {
    let mut group = c.benchmark_group("get_or_insert_with");
    let map = empty();
    let _others: Vec<_> = (1..10_000).map(|key| enter(&map, key)).collect();
    group.bench_function("load, then die", |b| {
        b.iter(|| drop(black_box(map.get_or_insert_with(0, |&key| Arc::new([key; 8])))));
    });
    let _value = enter(&map, 0);
    group.bench_function("hit", |b| {
        b.iter(|| map.get_or_insert_with(black_box(0), |_| unreachable!("the value lives")));
    });
    group.finish();
}

/// All values of a map die one after another.
fn death_storm(c: &mut Criterion) {
    let mut group = c.benchmark_group("death storm");
    for live in [1_000, 100_000] {
        group.throughput(Throughput::Elements(live));
        group.bench_function(BenchmarkId::from_parameter(live), |b| {
            let full = || {
                let map = empty();
                let values: Vec<_> = (0..live).map(|key| enter(&map, key)).collect();
                (map, values)
            };
            let all_die = |(map, values): (Map, Vec<Arc<Payload>>)| {
                drop(values);
                map
            };
            b.iter_batched(full, all_die, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// A map grows from nothing, and is dropped while its values live on.
fn grow(c: &mut Criterion) {
    let mut group = c.benchmark_group("grow, drop");
    for live in [1_000, 100_000] {
        let values: Vec<_> = (0..live).map(|n| Arc::new([n; 8])).collect();
        group.throughput(Throughput::Elements(live));
        group.bench_function(BenchmarkId::from_parameter(live), |b| {
            b.iter(|| {
                let map = empty();
                map.extend((0..).zip(&values));
            });
        });
    }
    group.finish();
}

/// Of ten operations one looks up, four insert, four remove, one replaces: other maps' benchmarks call it Exchange.
fn exchange(c: &mut Criterion) {
    const LIVE: u64 = 10_000;
    let map = empty();
    let values: Vec<_> = (0..2 * LIVE).map(|n| Arc::new([n; 8])).collect();
    let value = |key: u64| &values[(key % (2 * LIVE)) as usize];
    let (mut oldest, mut next) = (0, LIVE);
    map.extend((0..LIVE).map(|key| (key, value(key))));
    c.bench_function("exchange, ten operations", |b| {
        b.iter(|| {
            for _ in 0..4 {
                map.insert(next, value(next));
                map.remove(&oldest);
                (oldest, next) = (oldest + 1, next + 1);
            }
            map.insert(oldest, value(oldest + 1));
            map.get(&(oldest + LIVE / 2))
        });
    });
}

criterion_group!(benches, insert_then_die, insert_remove, replace, get_or_insert_with, death_storm, grow, exchange);
criterion_main!(benches);
