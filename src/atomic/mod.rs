//! Atomic slots: places for one pointer that many threads read and replace without a lock.
//!
//! [`AtomicArc`] holds an [`Arc`](crate::Arc) or nothing: a configuration that is swapped under its readers.
//! [`AtomicWeak`] holds a [`Weak`](crate::Weak): something that is opened on demand, shared while anybody uses it, and
//! closed with its last user. From below come the block's counts and the guard; nothing else of the crate builds on this.
//!
//! ```
//! use weakly::{Arc, atomic::AtomicWeak};
//!
//! struct Gpu(u32);
//! static GPU: AtomicWeak<Gpu> = AtomicWeak::empty();
//!
//! let one = GPU.get_or_init_with(|| Arc::new(Gpu(1)));
//! let same = GPU.get_or_init_with(|| unreachable!("it is open"));
//! assert!(Arc::ptr_eq(&one, &same));
//! drop((one, same)); // closed, here
//! assert_eq!(GPU.get_or_init_with(|| Arc::new(Gpu(2))).0, 2);
//! ```
//!
//! # Parties and states
//!
//! A slot is one word: null, or the address of an object's value. A slot that isn't empty owns one count of its object,
//! strong in an `AtomicArc`, weak in an `AtomicWeak`, exactly as the handle that was put in did. *Readers* follow the word
//! under a guard and hold no count yet; *writers* replace it.
//!
//! # Steps
//!
//! - *Write* (`store`, `swap`, `take`, a `compare_exchange` that succeeds): exchange the word. The slot's count is the
//!   writer's now, as a handle. While that keeps the block, take one weak count more, the *trace*, and retire it: it is
//!   given back after a grace period. Unpin, run what is ripe, hand the handle out. So dropping what came out is as prompt
//!   as dropping any other handle; only memory waits for readers.
//! - *Read*: pin, load the word, take a count (`load` of an `AtomicArc` and `upgrade` of an `AtomicWeak` by an upgrade,
//!   `load` of an `AtomicWeak` by adding a weak count, `read` of a deferred value by none at all), unpin.
//! - *Exclusive use* (`get_mut`, `into_inner`, drop): no trace. `&mut` comes after every call that could be following the
//!   word; the one thing that such a call may leave behind without a count is the snapshot of a deferred value, and that
//!   value and its block wait for the snapshot's guard on their own account, from the value's death.
//!
//! # Races and who wins
//!
//! - *read / write*: the word's modification order. A reader that loaded the old word finds the block in memory: the
//!   slot's count keeps it until the exchange, the writer's handle until the trace exists, the trace until the guard goes.
//!   So it can always try to upgrade.
//! - *read / death*: an upgrade that fails in an `AtomicArc` proves that the object has left the slot, which owned it
//!   alive: load again, and see what came after. In an `AtomicWeak` a dead object may still be there: load again, and if
//!   it is, then the slot was dead at that moment; if it isn't, then the slot may have been alive throughout: try anew.
//!   Every retry follows a finished write.
//! - *compare_exchange / reuse of an address*: the caller holds a handle to `current`, so its address is nobody else's. A
//!   reader's guard does the same for the two loads it compares.
//! - *two initializers*: the exchange. The loser drops its own object, outside, and returns the winner's.
//!
//! # Orderings
//!
//! One rule for all of them: whoever finds in a slot what another call put there comes after that call.
//!
//! - Every exchange releases, and every load, failed exchange and exchange acquires: the object and its counts are
//!   written before the word is, also the increment behind the count that the slot owns.
//! - A failed upgrade acquires what every death releases, by its owner's drop or by taking the value out. The writer's
//!   exchange comes before that, so the reader's second load sees it.
//! - Reader and retirement are ordered by the guard: see [`pin`](crate::pin).
//! - Exclusive use loads relaxed: `&mut` is ordered already.
//!
//! Between two slots nothing is promised beyond that (no total order).
//!
//! # What callers must not do
//!
//! Follow the word without a guard; give a count that came out of a slot up before the trace exists; drop a handle, call a
//! closure or format a value while pinned: destructors and closures are user code, and may come back to this very slot.

mod arc;
mod slot;
mod weak;

pub use arc::AtomicArc;
pub use weak::AtomicWeak;

use std::error::Error;
use std::fmt;

/// What [`AtomicArc::compare_exchange`] or [`AtomicWeak::compare_exchange`] found instead of what it was to replace.
///
/// # Liveness
///
/// Both fields own what they hold. Dropping the error may drop a last `Arc`.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, atomic::AtomicArc};
///
/// let slot = AtomicArc::new(Arc::new(1));
/// let error = slot.compare_exchange(None, Arc::new(2)).unwrap_err();
/// assert_eq!(error.current.as_deref(), Some(&1));
/// assert_eq!(error.new.as_deref(), Some(&2));
/// ```
pub struct CompareExchangeError<C, N> {
    /// What the slot held, with a count of its own.
    pub current: C,
    /// What was to be stored, given back.
    pub new: N,
}

impl<C, N> fmt::Debug for CompareExchangeError<C, N> {
    /// Asks nothing of the contents and runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompareExchangeError").finish_non_exhaustive()
    }
}

impl<C, N> fmt::Display for CompareExchangeError<C, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the slot held something else")
    }
}

impl<C, N> Error for CompareExchangeError<C, N> {}
