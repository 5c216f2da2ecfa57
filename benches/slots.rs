//! `AtomicArc` and `AtomicWeak`: by one thread alone, and beside another that keeps storing.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use weakly::atomic::{AtomicArc, AtomicWeak};
use weakly::{Arc, pin};

type Payload = [u64; 8];
const PAYLOAD: Payload = [7; 8];

/// Runs `measure` while another thread repeats `store`.
fn beside_a_writer(store: impl Fn() + Sync, measure: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Relaxed: the flag orders nothing, and the scope joins the thread.
            while !done.load(Ordering::Relaxed) {
                store();
            }
        });
        measure();
        done.store(true, Ordering::Relaxed);
    });
}

fn read_arc(group: &mut BenchmarkGroup<'_, WallTime>, slot: &AtomicArc<Payload>) {
    group.bench_function("load", |b| b.iter(|| slot.load().map(|arc| black_box(arc[0]))));
    // A guard a read: held for the whole of it, it would keep all that the writer replaces.
    group.bench_function("pin, read", |b| b.iter(|| slot.read(&pin()).map(|value| black_box(value[0]))));
}

fn atomic_arc(c: &mut Criterion) {
    let mut group = c.benchmark_group("AtomicArc");
    let slot = AtomicArc::new(Arc::new(PAYLOAD));
    read_arc(&mut group, &slot);
    group.bench_function("read, guard held", |b| {
        let guard = pin();
        b.iter(|| slot.read(&guard).map(|value| black_box(value[0])));
    });
    let other = Arc::new(PAYLOAD);
    group.bench_function("store", |b| b.iter(|| slot.store(other.clone())));
    group.bench_function("swap", |b| b.iter(|| slot.swap(other.clone())));
    group.finish();
}

fn atomic_arc_deferred(c: &mut Criterion) {
    let mut group = c.benchmark_group("AtomicArc, deferred value");
    let slot = AtomicArc::new(Arc::new_deferred(PAYLOAD));
    read_arc(&mut group, &slot);
    group.bench_function("read, guard held", |b| {
        let guard = pin();
        b.iter(|| slot.read(&guard).map(|value| black_box(value[0])));
    });
    group.finish();
}

fn atomic_arc_beside_a_writer(c: &mut Criterion) {
    for (name, arc) in [
        ("AtomicArc beside a writer", Arc::new(PAYLOAD)),
        ("AtomicArc beside a writer, deferred value", Arc::new_deferred(PAYLOAD)),
    ] {
        let mut group = c.benchmark_group(name);
        let slot = AtomicArc::new(arc.clone());
        beside_a_writer(|| slot.store(arc.clone()), || read_arc(&mut group, &slot));
        group.finish();
    }
}

fn atomic_weak(c: &mut Criterion) {
    let mut group = c.benchmark_group("AtomicWeak");
    let arc = Arc::new(PAYLOAD);
    let slot = AtomicWeak::new(&arc);
    group.bench_function("upgrade", |b| b.iter(|| slot.upgrade().map(|arc| black_box(arc[0]))));
    group.bench_function("load", |b| b.iter(|| slot.load()));
    group.bench_function("store", |b| b.iter(|| slot.store(Arc::downgrade(&arc))));
    group.finish();
}

fn atomic_weak_beside_a_writer(c: &mut Criterion) {
    let mut group = c.benchmark_group("AtomicWeak beside a writer");
    let arc = Arc::new(PAYLOAD);
    let slot = AtomicWeak::new(&arc);
    beside_a_writer(
        || slot.store(Arc::downgrade(&arc)),
        || {
            group.bench_function("upgrade", |b| b.iter(|| slot.upgrade().map(|arc| black_box(arc[0]))));
        },
    );
    group.finish();
}

criterion_group!(
    benches,
    atomic_arc,
    atomic_arc_deferred,
    atomic_arc_beside_a_writer,
    atomic_weak,
    atomic_weak_beside_a_writer
);
criterion_main!(benches);
