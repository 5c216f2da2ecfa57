//! The guard: while one is held, nothing that its thread has read under it is freed.

use super::epoch;
use crate::sync::{HELD_BACK, HELD_BACK_BYTES, thread_local};
use std::cell::Cell;
use std::fmt;

/// A pinned epoch: what this thread reads under it stays in memory until it is dropped.
///
/// Taking one costs a few nanoseconds, nearly all of it one fence; guards nest, and an inner one is almost free. Hold one
/// over a run of reads, not over a wait: while it lives, nothing that is retired anywhere can be freed
/// ([`repin`](Self::repin) lets the world go on).
///
/// # Examples
///
/// ```
/// use weakly::{Arc, atomic::AtomicArc};
///
/// let slot = AtomicArc::new(Arc::new_deferred(5));
/// let guard = weakly::pin();
/// let five = slot.read(&guard).unwrap();
/// slot.store(None);
/// assert_eq!(*five, 5); // still readable under the guard
/// ```
pub struct Guard {
    epoch: epoch::Guard,
    /// Declared, and so dropped, after `epoch`: ripe destructors must run unpinned.
    after: AfterFlush,
}

/// Was `flush` called? Then what is ripe runs when this goes.
struct AfterFlush(Cell<bool>);

impl Drop for AfterFlush {
    #[inline]
    fn drop(&mut self) {
        if self.0.get() {
            super::run_ripe();
        }
    }
}

/// Takes a [`Guard`].
///
/// # Liveness
///
/// Wait-free but for the housekeeping that one call in many does: it may free memory that others retired. Runs no user code.
///
/// # Examples
///
/// ```
/// let guard = weakly::pin();
/// drop(guard);
/// ```
#[inline]
pub fn pin() -> Guard {
    Guard { epoch: epoch::pin(), after: AfterFlush(Cell::new(false)) }
}

thread_local! {
    /// What this thread has retired since it last flushed: things, bytes.
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

impl Guard {
    /// Unpins and pins again, so that memory can be freed meanwhile.
    ///
    /// Takes `&mut self`: nothing read under the guard can be held over it. Does nothing while the thread holds another
    /// guard.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut guard = weakly::pin();
    /// guard.repin();
    /// ```
    pub fn repin(&mut self) {
        self.epoch.repin();
    }

    /// Hands what this thread has retired to the collector and collects what it can.
    ///
    /// Destructors that wait for a grace period (deferred values, owned keys) run when the guard is dropped, if they are
    /// due by then and the thread holds no other guard.
    ///
    /// # Liveness
    ///
    /// Lock-free. Runs no user code itself; dropping the guard afterwards may, each destructor under `catch_unwind`.
    ///
    /// # Examples
    ///
    /// ```
    /// weakly::pin().flush();
    /// ```
    pub fn flush(&self) {
        self.epoch.flush();
        HELD.with(|held| held.set((0, 0)));
        self.after.0.set(true);
    }

    /// Runs `free` once every guard taken before now is gone. `bytes` is what that holds back.
    ///
    /// # Safety
    /// `free` may run on any thread, inside anybody's `pin`: what it captures is sendable in fact and lives until then, and
    /// it runs no user code. No lock or list bit is held now.
    pub(crate) unsafe fn retire(&self, bytes: usize, free: impl FnOnce()) {
        // SAFETY: as the caller says.
        unsafe { self.epoch.defer_unchecked(free) };
        let (things, held) = HELD.with(Cell::get);
        if things + 1 >= HELD_BACK || held + bytes >= HELD_BACK_BYTES {
            self.epoch.flush();
            HELD.with(|h| h.set((0, 0)));
        } else {
            HELD.with(|h| h.set((things + 1, held + bytes)));
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
