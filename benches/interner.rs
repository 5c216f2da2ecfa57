//! An `Interner` of words, by one thread.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use weakly::Interner;

fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("intern, a hit");
    for words in [100, 10_000] {
        let words: Vec<_> = (0..words).map(|n| format!("word {n}")).collect();
        let interner: Interner<str> = Interner::new();
        let _interned: Vec<_> = words.iter().map(|word| interner.intern(word.as_str())).collect();
        let mut next = words.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(words.len()), |b| {
            b.iter(|| interner.intern(black_box(next.next().expect("a cycle").as_str())));
        });
    }
    group.finish();
}

fn new_then_die(c: &mut Criterion) {
    let interner: Interner<str> = Interner::new();
    c.bench_function("intern, a new one, which dies", |b| b.iter(|| drop(interner.intern(black_box("word")))));
}

criterion_group!(benches, hits, new_then_die);
criterion_main!(benches);
