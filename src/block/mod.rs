//! What an allocation holds: a header directly before the value, and nothing else.
//!
//! ```text
//!   base            handle, as_ptr
//!     |                |
//!     [ pad ][ Header ][ value ]
//! ```
//!
//! From below come the atomics of `sync`; above, `death` destroys what is in here and `ptr` hands it out. A handle is a
//! pointer to the value, so `as_ptr` and `from_raw` are free and the header is one subtraction away for any `T: ?Sized`:
//! nobody ever asks a dying value for its alignment.
//!
//! # Parties and states
//!
//! The strong word is [`state`], the hooks' head [`head`]. The weak word counts `Weak`s, hooks, nodes and slots, plus one
//! that all owners hold together; `LOCKED` while an owner looks whether it is alone.
//!
//! # Steps
//!
//! *Unique access*: exchange weak 1 -> LOCKED, look at the state, store 1. *Last weak count*: subtract 1; from 1, fence,
//! free the memory.
//!
//! # Races and who wins
//!
//! *`get_mut` / `downgrade`*: a downgrade waits while the word is LOCKED; one that came first makes the exchange fail.
//! *`get_mut` / `upgrade`*: an upgrade needs a weak count, so the exchange fails while anybody could do one; a successful
//! upgrade whose weak count is already gone shows in the state, which the exchange's Acquire makes visible.
//!
//! # Orderings
//!
//! Giving a weak count back releases; freeing and unique access acquire.
//!
//! # What callers must not do
//!
//! Reach a header without a count of either kind (or a guard under which one was seen).

pub mod head;
pub mod layout;
pub mod state;

use crate::death::hook::Hook;
use crate::sync::{AtomicUsize, Ordering, acquire, spin};
use head::{Head, Unborn};
use state::State;
use std::alloc::Layout;
use std::process::abort;

/// The weak word while an owner looks whether it is alone.
const LOCKED: usize = usize::MAX;
/// Counts from here on have run away.
const LIMIT: usize = isize::MAX as usize;

/// What lies directly before every value.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Header {
    /// Strong count and life.
    pub state: State,
    weak: AtomicUsize,
    /// What is to be done at this object's death.
    pub hooks: Head<Hook>,
}

impl Header {
    /// One owner, no weak count but the owners' own.
    pub fn new() -> Self {
        Header { state: State::one(), weak: AtomicUsize::new(1), hooks: Head::new() }
    }

    /// As [`new`](Self::new); the destructor waits for a grace period.
    pub fn deferred() -> Self {
        Header { hooks: Head::deferred(), ..Header::new() }
    }

    /// No owner yet, but the weak count that owners will hold, and the layout of the value that will come.
    pub fn new_unborn(layout: &'static Unborn) -> Self {
        Header { state: State::unborn(), hooks: Head::unborn(layout), ..Header::new() }
    }

    /// The layout of the value that never came; `None` if it did. Only for the last count of either kind.
    pub fn unborn(&self) -> Option<Layout> {
        // SAFETY: unborn to the last, so the list was never opened.
        self.state.is_unborn().then(|| unsafe { self.hooks.unborn_layout() })
    }

    /// The value of an unborn block is there: one owner.
    pub fn publish(&self) {
        self.hooks.open();
        self.state.publish();
    }

    /// One more weak count, by whoever holds one.
    #[inline]
    pub fn retain_weak(&self) {
        // Relaxed: the caller's own count keeps the block.
        if self.weak.fetch_add(1, Ordering::Relaxed) > LIMIT {
            abort(); // as `std` does: the count has run away
        }
    }

    /// `n` more weak counts, by an owner.
    #[inline]
    pub fn downgrade(&self, n: usize) {
        let mut turn = 0;
        // Relaxed: a guess that the exchange checks.
        let mut weak = self.weak.load(Ordering::Relaxed);
        loop {
            if weak == LOCKED {
                spin(turn);
                turn += 1;
                weak = self.weak.load(Ordering::Relaxed);
                continue;
            }
            if weak > LIMIT {
                abort();
            }
            // Acquire: pairs with the Release store in `is_unique`, so that a write through `&mut T` comes before any use
            // by way of this weak count.
            match self.weak.compare_exchange_weak(weak, weak + n, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => weak = now,
            }
        }
    }

    /// One weak count less. True: it was the last of all, and the caller must free the memory.
    #[inline]
    #[must_use]
    pub fn release_weak(&self) -> bool {
        // Release: pairs with the Acquire below and with the Acquires in `is_unique` and `has_weak`.
        if self.weak.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        }
        // Acquire: pairs with the Release of every other holder: their uses come before the free.
        acquire(&self.weak);
        true
    }

    /// A weak count exists beside the owners' own.
    #[inline]
    pub fn has_weak(&self) -> bool {
        // Acquire: pairs with the Release of `release_weak`: whoever upgraded before its weak count went shows in `state`.
        self.weak.load(Ordering::Acquire) != 1
    }

    /// Weak counts beside the owners' own.
    pub fn weak_count(&self) -> usize {
        // Relaxed: a figure, out of date as soon as it is read.
        let weak = self.weak.load(Ordering::Relaxed);
        if weak == LOCKED { 0 } else { weak - 1 }
    }

    /// The caller's count is the only one of either kind. A deferred value is never unique: readers hold no count.
    pub fn is_unique(&self) -> bool {
        if self.hooks.is_deferred() {
            return false;
        }
        // Acquire: pairs with the Release of `release_weak`. Relaxed on failure: nothing is read.
        if self.weak.compare_exchange(1, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let sole = self.state.is_sole();
        // Release: pairs with the Acquire of `downgrade`.
        self.weak.store(1, Ordering::Release);
        sole
    }
}
