//! The word that heads an object's hooks: a pointer to the newest, and three bits.
//!
//! # Parties and states
//!
//! Registrars and cancellers (each holds a count of the block), and the one death.
//!
//! | bit | meaning |
//! |---|---|
//! | `LOCKED` | somebody reads or changes the links |
//! | `CLOSED` | sticky: the death has taken the list; nobody changes its links any more |
//! | `DEFERRED` | fixed at birth: the destructor waits for a grace period |
//!
//! Until an unborn object is there, the word is a locked pointer to its layout: of a value that may never come, perhaps because
//! its type has none, nobody may make the reference that `Layout::for_value` wants.
//!
//! # Steps
//!
//! Lock; read or change links; unlock, storing the new first hook. The death locks once, sets CLOSED, and walks the list
//! afterwards without the lock.
//!
//! # Races and who wins
//!
//! Whoever takes the bit first. A canceller that comes after the death finds CLOSED and leaves the links alone.
//!
//! # Orderings
//!
//! Lock acquires, unlock releases: the links are plain memory between the two.
//!
//! # What callers must not do
//!
//! Take two of these bits at once; pin, allocate, or run a user's code under one.

use crate::sync::{AtomicPtr, Ordering, spin};
use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::null_mut;

const LOCKED: usize = 1;
const CLOSED: usize = 2;
const DEFERRED: usize = 4;
const BITS: usize = LOCKED | CLOSED | DEFERRED;

/// The layout of a value that is still to come.
#[derive(Debug)]
#[repr(align(8))] // as hooks are: the bits must be free
pub struct Unborn(Layout);

impl Unborn {
    /// The layout of a `T`.
    pub const fn new<T>() -> Self {
        Unborn(Layout::new::<T>())
    }
}

/// The head of a list of `H`; `H` must be aligned to 8.
pub struct Head<H>(AtomicPtr<H>);

impl<H> Head<H> {
    crate::sync::const_fn! {
        /// An empty, open list.
        #[inline]
        pub const fn new() -> Self {
            Head(AtomicPtr::new(null_mut()))
        }
    }

    /// An empty, open list of an object whose destructor waits for a grace period.
    pub fn deferred() -> Self {
        Head(AtomicPtr::new(null_mut::<H>().map_addr(|a| a | DEFERRED)))
    }

    /// The locked list of an object whose value is still to come.
    pub fn unborn(layout: &'static Unborn) -> Self {
        Head(AtomicPtr::new((&raw const *layout).cast_mut().cast::<H>().map_addr(|a| a | LOCKED)))
    }

    /// An unborn object's list becomes an empty, open one, by whoever is about to publish its first owner.
    pub fn open(&self) {
        // Relaxed: registrars come by way of an owner, whom `State::publish` releases.
        self.0.store(null_mut(), Ordering::Relaxed);
    }

    /// The layout of the value that has not come.
    ///
    /// # Safety
    /// The list is [`unborn`](Self::unborn) and not opened.
    pub unsafe fn unborn_layout(&self) -> Layout {
        // Relaxed: the word has not changed since it was made.
        let layout = self.0.load(Ordering::Relaxed).map_addr(|a| a & !LOCKED).cast::<Unborn>();
        // SAFETY: as the caller says.
        unsafe { (*layout).0 }
    }

    /// No hook, not deferred, never closed: nothing to do at this death but the destructor.
    ///
    /// Only for the death itself, which is after every registration by way of the count.
    #[inline]
    pub fn is_plain(&self) -> bool {
        // Relaxed: every registrar's drop released, and the death acquired, the state word.
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Is the destructor to wait for a grace period?
    #[inline]
    pub fn is_deferred(&self) -> bool {
        // Relaxed: the bit is set before the block is shared and never changes.
        self.0.load(Ordering::Relaxed).addr() & DEFERRED != 0
    }

    /// Takes the lock bit.
    pub fn lock(&self) -> Locked<'_, H> {
        let mut turn = 0;
        loop {
            // Relaxed: a guess that the exchange checks.
            let word = self.0.load(Ordering::Relaxed);
            if word.addr() & LOCKED == 0 {
                let locked = word.map_addr(|a| a | LOCKED);
                // Acquire: pairs with the Release of the last `unlock`. Relaxed on failure: we look again.
                if self.0.compare_exchange_weak(word, locked, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Locked { head: self, word, _not_send: PhantomData };
                }
            }
            spin(turn);
            turn += 1;
        }
    }
}

impl<H> fmt::Debug for Head<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Head").field(&self.0).finish()
    }
}

/// The lock bit, held. Dropping it unlocks.
#[must_use]
pub struct Locked<'a, H> {
    head: &'a Head<H>,
    word: *mut H,
    _not_send: PhantomData<*mut ()>,
}

impl<H> Locked<'_, H> {
    /// The newest hook, or null.
    pub fn first(&self) -> *mut H {
        self.word.map_addr(|a| a & !BITS)
    }

    /// Has the death taken the list?
    pub fn is_closed(&self) -> bool {
        self.word.addr() & CLOSED != 0
    }

    /// Makes `hook` the newest.
    pub fn set_first(&mut self, hook: *mut H) {
        debug_assert_eq!(hook.addr() & BITS, 0);
        let bits = self.word.addr() & BITS;
        self.word = hook.map_addr(|a| a | bits);
    }

    /// The death takes the list: from here on nobody changes its links.
    pub fn close(&mut self) -> *mut H {
        self.word = self.word.map_addr(|a| a | CLOSED);
        self.first()
    }
}

impl<H> Drop for Locked<'_, H> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire of the next `lock`.
        self.head.0.store(self.word, Ordering::Release);
    }
}

impl<H> fmt::Debug for Locked<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked").field("word", &self.word).finish_non_exhaustive()
    }
}
