//! The ripe list: what a grace period has made destroyable, but whose destructor is user code.
//!
//! A deferred function may run inside any thread's `pin`, under that caller's own locks; it only pushes here. The list is
//! emptied where user code may run anyway: at the end of writers, deaths and flushes, on a thread that holds no guard.

use super::epoch::is_pinned;
use crate::death::call::contain;
use crate::sync::{AtomicBool, Ordering, SegQueue, thread_local};
use std::cell::Cell;

/// A destructor that may run now, on any thread.
pub struct Ripe(Box<dyn FnOnce()>);

// SAFETY: only made by `Ripe::push`, whose caller vouches for it.
unsafe impl Send for Ripe {}

#[cfg(not(weakly_loom))]
static RIPE: SegQueue<Ripe> = SegQueue::new();
#[cfg(weakly_loom)]
loom::lazy_static! {
    static ref RIPE: SegQueue<Ripe> = SegQueue::new();
}

/// The process is exiting: nothing ripe runs any more.
#[cfg(not(weakly_loom))]
static STOPPED: AtomicBool = AtomicBool::new(false);
#[cfg(weakly_loom)]
loom::lazy_static! {
    static ref STOPPED: AtomicBool = AtomicBool::new(false);
}

thread_local! {
    /// This thread is running ripe destructors already; what they make ripe is the outer loop's.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

impl Ripe {
    /// Leaves `destroy` to the next thread that may run user code.
    ///
    /// # Safety
    /// `destroy` may run on any thread, at any later time.
    pub unsafe fn push<'a>(destroy: impl FnOnce() + 'a) {
        let destroy: Box<dyn FnOnce() + 'a> = Box::new(destroy);
        // SAFETY: only the lifetime changes, and the caller vouches for that.
        let destroy = unsafe { std::mem::transmute::<Box<dyn FnOnce() + 'a>, Box<dyn FnOnce()>>(destroy) };
        RIPE.push(Ripe(destroy));
    }
}

/// Runs what is ripe, unless this thread holds a guard or is at it already.
#[inline]
pub fn run_ripe() {
    if !RIPE.is_empty() {
        run_some();
    }
}

#[cold]
fn run_some() {
    // Relaxed: a hint, see `stop_ripe`.
    if STOPPED.load(Ordering::Relaxed) || is_pinned() || RUNNING.with(|r| r.replace(true)) {
        return;
    }
    // `contain` never unwinds, so the flag is always put back.
    while let Some(Ripe(destroy)) = RIPE.pop() {
        contain(destroy);
    }
    RUNNING.with(|r| r.set(false));
}

/// For the exit handler: from now on ripe destructors are left to the operating system.
pub fn stop_ripe() {
    // Relaxed: a hint; whoever misses it runs destructors that were due anyway.
    STOPPED.store(true, Ordering::Relaxed);
}
