//! Callbacks and finalizers, by one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use weakly::{Arc, finalize};

const PAYLOAD: [u64; 8] = [7; 8];

fn cancel(c: &mut Criterion) {
    let object = Arc::new(PAYLOAD);
    c.bench_function("observe, cancel", |b| {
        b.iter(|| assert!(Arc::observe(&object, |value| _ = black_box(value[0])).cancel()));
    });
    c.bench_function("finalize, detach", |b| {
        b.iter(|| assert!(finalize(&object, || _ = black_box(7)).detach().is_some()));
    });
}

fn death(c: &mut Criterion) {
    c.bench_function("new, observe, death", |b| {
        b.iter(|| Arc::observe(&Arc::new(PAYLOAD), |value| _ = black_box(value[0])).detach());
    });
    c.bench_function("new, finalize, death", |b| b.iter(|| drop(finalize(&Arc::new(PAYLOAD), || _ = black_box(7)))));
}

criterion_group!(benches, cancel, death);
criterion_main!(benches);
