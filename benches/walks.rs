//! Walks over a `WeakValueMap`, by one thread.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use std::hint::black_box;
use weakly::{Arc, WeakValueMap};

type Payload = [u64; 8];
type Map = WeakValueMap<u64, Payload, FixedState>;

fn walks(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    for live in [100, 10_000, 1_000_000] {
        let values: Vec<_> = (0..live).map(|n| Arc::new([n; 8])).collect();
        let map = Map::with_hasher(FixedState::default());
        map.extend((0..).zip(&values));
        group.throughput(Throughput::Elements(live));
        group.bench_function(BenchmarkId::new("iter", live), |b| {
            b.iter(|| map.iter().for_each(|(_, value)| _ = black_box(value[0])));
        });
        group.bench_function(BenchmarkId::new("iter, guard held", live), |b| {
            b.iter(|| map.pin().iter().for_each(|(_, value)| _ = black_box(value[0])));
        });
        group.bench_function(BenchmarkId::new("for_each", live), |b| {
            b.iter(|| map.for_each(|_, value| _ = black_box(value[0])));
        });
        group.bench_function(BenchmarkId::new("snapshot", live), |b| b.iter(|| black_box(map.snapshot().len())));
    }
    group.finish();
}

criterion_group!(benches, walks);
criterion_main!(benches);
