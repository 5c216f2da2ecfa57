//! Reclamation: what lock-free readers may still see is freed after a grace period, by epochs.
//!
//! From below comes crossbeam's epoch (under loom, a shim that frees as early as it may); above, everything that readers
//! reach without a count is retired through here.
//!
//! # Parties and states
//!
//! Readers under a [`Guard`]; retirers; the *ripe* list of what may now be destroyed but runs user code.
//!
//! # Steps
//!
//! *Retire*: make unreachable, then defer under a guard. *Deferred functions* free memory or push to the ripe list, never
//! more: crossbeam runs them inside anybody's `pin`. *Ripe destructors* run at the end of writers, deaths and flushes,
//! unpinned, each contained.
//!
//! # Races and who wins
//!
//! A guard taken before the retirement holds the memory back; one taken after can't reach it.
//!
//! # Orderings
//!
//! crossbeam's: pin and unpin order a reader's accesses against the deferred function.
//!
//! # What callers must not do
//!
//! Pin or retire while a lock or a list bit is held; defer anything that runs user code.
//!
//! Algorithm: K. Fraser, *Practical lock-freedom*, 2004, as `crossbeam-epoch` implements it.

mod guard;
mod ripe;
#[cfg(all(weakly_loom, not(crossbeam_loom)))]
pub mod shim;
mod snapshot;

// Under loom the shim, or, where crossbeam is compiled for loom itself, the real one.
#[cfg(any(not(weakly_loom), crossbeam_loom))]
pub use crossbeam_epoch as epoch;
#[cfg(all(weakly_loom, not(crossbeam_loom)))]
pub use shim as epoch;

pub use guard::{Guard, pin};
pub use ripe::{Ripe, run_ripe, stop_ripe};
pub use snapshot::Snapshot;

use crate::block::layout::{release_weak, size_of_value};
use crate::death;
use std::ptr::NonNull;

/// A pointer that a deferred function takes to whichever thread runs it.
struct Carried<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Carried<T> {
    /// Takes the pointer out again; by method, so that closures capture the wrapper and not its field.
    fn get(self) -> NonNull<T> {
        self.0
    }
}

// SAFETY: only made where what is behind the pointer may be given up on any thread: see each use.
unsafe impl<T: ?Sized> Send for Carried<T> {}

/// Gives a weak count back after a grace period, so that whoever read the pointer under a guard can still try to upgrade.
///
/// # Safety
/// The caller holds the weak count, which it gives up.
pub unsafe fn retire_weak<T: ?Sized>(guard: &Guard, value: NonNull<T>) {
    // SAFETY: as the caller says.
    let bytes = unsafe { size_of_value(value) };
    let value = Carried(value);
    // SAFETY: giving a weak count back frees memory at most; the value is gone by then, and the memory is any thread's.
    unsafe { guard.retire(bytes, move || release_weak(value.get())) };
}

/// Destroys a deferred value, and gives its owners' weak count back, after a grace period.
///
/// # Safety
/// The value is dead and whole, of a type `Send + 'static`, and the caller hands on the owners' weak count.
pub unsafe fn retire_value<T: ?Sized>(value: NonNull<T>) {
    let guard = pin();
    // SAFETY: as the caller says.
    let bytes = unsafe { size_of_value(value) };
    let value = Carried(value);
    // SAFETY: the deferred function only pushes; no reader is left when the ripe destructor runs.
    unsafe {
        guard.retire(bytes, move || Ripe::push(move || death::destroy_ripe(value.get())));
    }
}
