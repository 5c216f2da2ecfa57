//! What the sanitizers must report: `ci/sanitize.sh` runs each of these first, in the very binary that it is going to trust.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use weakly::Arc;

/// Two threads that change one value, though nothing orders them.
#[test]
#[ignore = "undefined behaviour, for ci/sanitize.sh, which must get a report of it"]
fn data_race() {
    struct Racy(UnsafeCell<u32>);
    // SAFETY: a lie.
    unsafe impl Send for Racy {}
    // SAFETY: a lie.
    unsafe impl Sync for Racy {}

    let (value, barrier) = (Arc::new(Racy(UnsafeCell::new(0))), Barrier::new(2));
    let add = || {
        let value = Arc::clone(&value);
        barrier.wait();
        // SAFETY: none.
        unsafe { *value.0.get() += 1 };
    };
    thread::scope(|scope| {
        scope.spawn(add);
        scope.spawn(add);
    });
}

/// A value that is read when the last count has freed it.
#[test]
#[ignore = "undefined behaviour, for ci/sanitize.sh, which must get a report of it"]
fn use_after_free() {
    let value = Arc::new(1);
    let freed = black_box(Arc::as_ptr(&value));
    drop(value);
    // SAFETY: none.
    black_box(unsafe { freed.read() });
}

/// Values whose last pointer is forgotten: many, for what a stale register points at is no leak.
#[test]
#[ignore = "a leak, for ci/sanitize.sh, which must get a report of it"]
fn leak() {
    (0..100).for_each(|n| std::mem::forget(black_box(Arc::new(n))));
}
