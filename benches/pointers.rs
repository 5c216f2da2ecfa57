//! `Arc` and `Weak` beside the standard library's, by one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

/// A cache line's worth, as in the map benchmarks.
const PAYLOAD: [u64; 8] = [7; 8];

/// Measures one piece of code with our `Arc` and with the standard library's.
macro_rules! each_arc {
    ($group:expr, $bencher:ident => $routine:expr) => {{
        let mut group = $group;
        {
            use weakly::Arc;
            group.bench_function("weakly", |$bencher| $routine);
        }
        {
            use std::sync::Arc;
            group.bench_function("std", |$bencher| $routine);
        }
        group.finish();
    }};
}

fn new_drop(c: &mut Criterion) {
    each_arc!(c.benchmark_group("new, drop"), b => b.iter(|| drop(black_box(Arc::new(PAYLOAD)))));
}

fn new_deferred_drop(c: &mut Criterion) {
    let mut group = c.benchmark_group("new_deferred, drop");
    group.bench_function("weakly", |b| b.iter(|| drop(black_box(weakly::Arc::new_deferred(PAYLOAD)))));
    group.finish();
}

fn clone_drop(c: &mut Criterion) {
    each_arc!(c.benchmark_group("clone, drop"), b => {
        let arc = Arc::new(PAYLOAD);
        b.iter(|| drop(black_box(Arc::clone(black_box(&arc)))));
    });
}

fn downgrade_drop(c: &mut Criterion) {
    each_arc!(c.benchmark_group("downgrade, drop"), b => {
        let arc = Arc::new(PAYLOAD);
        b.iter(|| drop(black_box(Arc::downgrade(black_box(&arc)))));
    });
}

fn upgrade_drop(c: &mut Criterion) {
    each_arc!(c.benchmark_group("upgrade, drop"), b => {
        let arc = Arc::new(PAYLOAD);
        let weak = Arc::downgrade(&arc);
        b.iter(|| drop(black_box(black_box(&weak).upgrade())));
    });
}

fn upgrade_dead(c: &mut Criterion) {
    each_arc!(c.benchmark_group("upgrade, dead"), b => {
        let weak = Arc::downgrade(&Arc::new(PAYLOAD));
        b.iter(|| black_box(black_box(&weak).upgrade()));
    });
}

criterion_group!(benches, new_drop, new_deferred_drop, clone_drop, downgrade_drop, upgrade_drop, upgrade_dead);
criterion_main!(benches);
