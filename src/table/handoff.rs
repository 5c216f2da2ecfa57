//! The hand-off: a short lock, and a queue of dead nodes for whoever holds it. A shard of a table has one, and so has a list.
//!
//! # Parties and states
//!
//! One holder of the lock; threads that want a node out and don't wait; the queue of posted nodes, each of which belongs to
//! whoever pops it.
//!
//! # Steps
//!
//! - *Give a node up*: try the lock. Free: take the node out there and then, and leave. Taken: post the node, fence, try the
//!   lock again; free now: sweep, and leave.
//! - *Leave*, by every holder: unlock; fence; if the queue is not empty, try the lock; got it: sweep a batch, and leave again.
//!
//! # Races and who wins
//!
//! *post / unlock*: either the poster's fence comes first, and the holder sees the node; or the holder's, and the poster
//! finds the lock free. So whoever is idle keeps no dead node. *two leavers*: the lock decides; the loser's nodes are the
//! winner's to sweep, for it has yet to leave.
//!
//! # Orderings
//!
//! The two `SeqCst` fences pair with each other: post; fence; try the lock - unlock; fence; look at the queue.
//!
//! # What callers must not do
//!
//! Run user code, pin, retire, or allocate without need while holding the lock; unlock but by leaving.

use crate::sync::{Mutex, MutexGuard, Ordering, SegQueue, fence};
use std::ptr::NonNull;

/// The queue of posted nodes. The lock lies beside it, on its owner's own cache line.
pub struct Posted<N>(SegQueue<Dead<N>>);

/// A dead node on its way to whoever sweeps.
struct Dead<N>(NonNull<N>);

// SAFETY: a posted node belongs to whoever pops it; what it holds is sendable where it is inserted.
unsafe impl<N> Send for Dead<N> {}

impl<N> Posted<N> {
    /// Nothing.
    pub fn new() -> Self {
        Posted(SegQueue::new())
    }

    /// Posts a node, for the lock was taken. If that is free by now, here it is: sweep.
    pub fn post<'a, B>(&self, node: NonNull<N>, lock: &'a Mutex<B>) -> Option<MutexGuard<'a, B>> {
        self.0.push(Dead(node));
        // SeqCst: pairs with the fence in `unlock`.
        fence(Ordering::SeqCst);
        lock.try_lock()
    }

    /// A posted node, now the caller's, who holds the lock.
    pub fn pop(&self) -> Option<NonNull<N>> {
        self.0.pop().map(|Dead(node)| node)
    }

    /// Leaves: unlocks. Then ask [`relock`](Self::relock).
    pub fn unlock<B>(&self, holder: MutexGuard<'_, B>) {
        drop(holder);
        // SeqCst: pairs with the fence in `post`.
        fence(Ordering::SeqCst);
    }

    /// The lock once more, if something was posted meanwhile and nobody else holds it, who would have yet to leave.
    pub fn relock<'a, B>(&self, lock: &'a Mutex<B>) -> Option<MutexGuard<'a, B>> {
        if self.is_empty() { None } else { lock.try_lock() }
    }

    /// How many nodes wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none does, at the price of two loads.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
