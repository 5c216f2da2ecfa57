//! Death: what happens, in which order, once the strong word says that an object has no owner any more.
//!
//! From below come the block (the word has just become DEAD, and the caller is the one thread that owns the death) and the
//! guard of `reclaim`; above, `ptr` calls in here when a last `Arc` goes, and tables and callbacks are called back through
//! their hooks.
//!
//! # Parties and states
//!
//! The dying thread; owners of hooks (maps, observer handles, finalizers); readers under guards.
//!
//! # Steps, the one fixed order
//!
//! 1. Upgrades fail (the word is DEAD before anything here runs).
//! 2. Entries leave every map and set: always at once, under a guard.
//! 3. Values of key maps go, and listeners are told.
//! 4. Callbacks and finalizers run, newest first, unpinned; they may read the value.
//! 5. The value's destructor; for a deferred value, after a grace period.
//! 6. The owners' weak count is given back, and with the last one the memory.
//!
//! Steps 3 to 5 of a hooked object deep inside other deaths are left to the outermost (see [`call`]).
//!
//! # Races and who wins
//!
//! *death / register*: none, registering takes an `Arc`. *death / cancel, remove, map drop*: see [`hook`].
//!
//! # Orderings
//!
//! Taking the death acquired every owner's drop; the list's bit orders the hooks.
//!
//! # What callers must not do
//!
//! Call in here with a guard of the crate's own held, or a lock.

pub mod call;
pub mod hook;

use crate::block::layout::{free, header, layout_of, release_weak};
use crate::reclaim;
use hook::{Batch, Hook, Later};
use std::ptr::{NonNull, drop_in_place};

/// The owners' weak count, given back however the destructor ends.
struct Memory<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: made by the owner of the death, who holds the owners' weak count.
        unsafe { release_weak(self.0) }
    }
}

/// A block that nobody else can reach, freed however the destructor ends.
struct Unshared<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Drop for Unshared<T> {
    fn drop(&mut self) {
        // SAFETY: made by `destroy_unshared`, whose caller is alone with the block.
        unsafe { free(self.0, layout_of(self.0)) }
    }
}

/// The last `Arc` of an object is gone, and no weak count is left but the owners' own: destructor and memory.
///
/// # Safety
/// Nobody else can reach the block, it has no hook and is not deferred, and the value is whole.
#[inline]
pub unsafe fn destroy_unshared<T: ?Sized>(value: NonNull<T>) {
    let _memory = Unshared(value);
    // SAFETY: ours alone, and whole.
    unsafe { drop_in_place(value.as_ptr()) }
}

/// The last `Arc` is gone: steps 2 to 6.
///
/// # Safety
/// The caller owns the death of this block and the value is whole.
#[inline]
pub unsafe fn destroy<T: ?Sized>(value: NonNull<T>) {
    // SAFETY: the owners' weak count is ours and keeps the block.
    if unsafe { header(value) }.hooks.is_plain() {
        let _memory = Memory(value);
        // SAFETY: ours alone, and whole.
        unsafe { drop_in_place(value.as_ptr()) }
    } else {
        // SAFETY: as the caller says.
        unsafe { destroy_hooked(value) }
    }
}

/// Steps 2 to 6 of an object that is watched or deferred.
///
/// # Safety
/// As [`destroy`].
#[cold]
unsafe fn destroy_hooked<T: ?Sized>(value: NonNull<T>) {
    let mut later = Later::new();
    // SAFETY: the death is ours.
    let batch = unsafe { Hook::take_entries_out(&header(value).hooks, &mut later) };
    // SAFETY: as the caller says. The object was hooked or made deferred, and every way to do either demands
    // `T: 'static`, so nothing that the rest reaches can end before it runs.
    unsafe { call::nest(move || finish(value, batch, later)) };
    reclaim::run_ripe();
}

/// Steps 3 to 6.
///
/// # Safety
/// As [`destroy`], with the entries out.
unsafe fn finish<T: ?Sized>(value: NonNull<T>, batch: Batch, later: Later) {
    let memory = Memory(value);
    // SAFETY: the death is ours, the value whole.
    unsafe { tell(batch, later) };
    // SAFETY: the weak count in `memory` keeps the block.
    if unsafe { header(value) }.hooks.is_deferred() {
        std::mem::forget(memory);
        // SAFETY: dead, its owners' weak count handed on; made by `new_deferred`, which demands `T: Send + 'static`.
        unsafe { reclaim::retire_value(value) };
    } else {
        // SAFETY: ours alone, and whole.
        unsafe { drop_in_place(value.as_ptr()) }
    }
}

/// Steps 3 and 4.
///
/// # Safety
/// The caller owns the death, and the value is whole.
unsafe fn tell(batch: Batch, later: Later) {
    drop(later);
    // SAFETY: as the caller says.
    unsafe { batch.run() };
}

/// Steps 2 to 4 for a value that is then moved out: `try_unwrap` and its like. The caller gives the weak count back.
///
/// # Safety
/// The caller owns the death of this block and the value is whole.
#[inline]
pub unsafe fn depart<T: ?Sized>(value: NonNull<T>) {
    // SAFETY: the owners' weak count is ours and keeps the block.
    let hooks = unsafe { &header(value).hooks };
    if !hooks.is_plain() {
        let mut later = Later::new();
        // SAFETY: as the caller says.
        unsafe {
            let batch = Hook::take_entries_out(hooks, &mut later);
            tell(batch, later);
        }
        reclaim::run_ripe();
    }
}

/// Destroys a deferred value after its grace period, and gives its memory back.
///
/// # Safety
/// The value is dead, whole, and no reader under a guard can still see it; the caller holds the owners' weak count.
pub unsafe fn destroy_ripe<T: ?Sized>(value: NonNull<T>) {
    let _memory = Memory(value);
    // SAFETY: as the caller says.
    unsafe { drop_in_place(value.as_ptr()) }
}
