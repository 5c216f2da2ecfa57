//! The strong count: one word, and the hand-back protocol that makes death one atomic step.
//!
//! # Parties and states
//!
//! Owners (each holds one count), upgraders (hold a weak count only), and at most one *pending dropper*: the owner whose
//! drop took the word from exactly 1 to 0.
//!
//! | word | meaning |
//! |---|---|
//! | `n`, 1 <= n < `LIMIT` | n owners |
//! | `0` | the pending dropper alone; an upgrade may still win |
//! | `HELD \| n` | an upgrade found 0 and won: the pending dropper has its count back, beside n others |
//! | `DEAD \| any` | dead; upgrades fail and leave their increment behind |
//! | `DEAD \| UNBORN \| any` | the value is still to come (`new_cyclic`), if ever; upgrades as above |
//!
//! # Steps
//!
//! - *upgrade*: add 1 and look at what was there. DEAD: failed, and nothing is undone. Exactly 0: toggle HELD, which gives
//!   the pending dropper its count back. Anything else: done. No loop.
//! - *drop*: subtract 1. Whoever sees exactly 1 before is the pending dropper and loops: exchange 0 -> DEAD; won, it owns
//!   the death. Lost, somebody upgraded from 0: toggle HELD; if the word was exactly HELD, the count is ours alone again,
//!   so loop; else the others are the owners now, and we are done.
//! - *taking out*: exchange 1 -> DEAD.
//!
//! # Races and who wins
//!
//! - *upgrade / pending dropper*: the modification order of the word decides. The upgrader's toggle and the dropper's
//!   toggle commute: whichever comes second finds the other's, and only the dropper looks at the result.
//! - *two upgraders and the pending dropper*: only the one that found exactly 0 toggles; while HELD is set nobody else can
//!   be last, so the pending dropper never touches a freed block, and the value is gone before the last of the overlapping
//!   drops returns.
//!
//! # Orderings
//!
//! Every drop releases ([`State::release`], and the toggle in [`State::settle`]); every death acquires
//! ([`State::settle`], [`State::take`], [`State::is_sole`]). So all uses of the value by all owners happen before its
//! destruction. `upgrade` acquires only what `publish` releases: the value of a cyclic block.
//!
//! # What callers must not do
//!
//! Undo a failed upgrade; call `release` without a count; touch the value after `settle` said true on another thread.

use crate::sync::{AtomicU64, Ordering};
use std::process::abort;

/// Sticky: the object is dead, or not yet born.
const DEAD: u64 = 1 << 63;
/// Beside DEAD: not yet born.
const UNBORN: u64 = 1 << 61;
/// The pending dropper holds a count again.
const HELD: u64 = 1 << 62;
/// Counts from here on have run away. Far enough from the flags that failed upgrades can't bridge the gap.
const LIMIT: u64 = 1 << 61;

const _: () = assert!(LIMIT < HELD && HELD < DEAD);

/// The strong word of a block. See the module for its protocol.
#[derive(Debug)]
#[repr(transparent)]
pub struct State(AtomicU64);

impl State {
    /// One owner.
    #[inline]
    pub fn one() -> Self {
        State(AtomicU64::new(1))
    }

    /// No owner yet: upgrades fail until [`publish`](Self::publish).
    pub fn unborn() -> Self {
        State(AtomicU64::new(DEAD | UNBORN))
    }

    /// The value of an unborn block is there: one owner.
    ///
    /// A swap and not a store: the release sequence must go through the increments that failed upgrades left.
    pub fn publish(&self) {
        // Release: pairs with the Acquire of `upgrade`, which may then read the value.
        self.0.swap(1, Ordering::Release);
    }

    /// One more owner, by an owner.
    #[inline]
    pub fn retain(&self) {
        // Relaxed: the caller's own count keeps the value; nothing is published.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        if before >= LIMIT && before & HELD == 0 {
            abort(); // as `std` does: the count has run away
        }
    }

    /// One more owner, by whoever holds a weak count; false if dead.
    #[inline]
    pub fn upgrade(&self) -> bool {
        // Acquire: pairs with the Release of `publish`.
        let before = self.0.fetch_add(1, Ordering::Acquire);
        if before.wrapping_sub(1) < LIMIT - 1 { true } else { self.upgrade_rare(before) }
    }

    #[cold]
    fn upgrade_rare(&self, before: u64) -> bool {
        if before & DEAD != 0 {
            return false; // and the increment stays: taking it back could make a live word of a dead one
        }
        if before == 0 {
            // Relaxed: the pending dropper reads nothing of ours; the value's users order themselves by their drops.
            self.0.fetch_xor(HELD, Ordering::Relaxed);
        } else if before & HELD == 0 {
            abort(); // as `std` does: the count has run away
        }
        true
    }

    /// One owner less. True: the caller is the pending dropper and must call [`settle`](Self::settle).
    #[inline]
    #[must_use]
    pub fn release(&self) -> bool {
        // Release: pairs with the Acquire of whoever owns the death (`settle`, `take`, `is_sole`, `is_empty`).
        self.0.fetch_sub(1, Ordering::Release) == 1
    }

    /// The pending dropper's loop. True: the caller owns the death.
    #[must_use]
    pub fn settle(&self) -> bool {
        loop {
            // Acquire: pairs with every owner's Release in `release` and below, so that all their uses come before the
            // death. Relaxed on failure: the toggle decides.
            if self.0.compare_exchange(0, DEAD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return true;
            }
            // Release: this is our drop; pairs with the Acquire of the death that comes after it.
            if self.0.fetch_xor(HELD, Ordering::Release) != HELD {
                return false;
            }
        }
    }

    /// The word is exactly 0: asked by the pending dropper when no weak count but the owners' own is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Acquire: pairs with every owner's Release in `release`: whoever sees 0 here goes on to destroy the value.
        self.0.load(Ordering::Acquire) == 0
    }

    /// The only owner takes the value out: a death without a destructor.
    #[must_use]
    pub fn take(&self) -> bool {
        // Acquire: pairs with the Release of owners that have gone. Release: pairs with the Acquire of `upgrade` and
        // `is_alive`: whoever finds it dead sees what its last owner did before. Relaxed on failure: nothing is read.
        self.0.compare_exchange(1, DEAD, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Exactly one owner, the caller.
    #[inline]
    pub fn is_sole(&self) -> bool {
        // Acquire: pairs with the Release of owners that have gone: `&mut T` comes after all their uses.
        self.0.load(Ordering::Acquire) == 1
    }

    /// Not dead. Never upgrades.
    #[inline]
    pub fn is_alive(&self) -> bool {
        // Acquire: whoever sees a death here sees what came before it, as it would by a failed upgrade.
        self.0.load(Ordering::Acquire) & DEAD == 0
    }

    /// The value is still to come.
    pub fn is_unborn(&self) -> bool {
        // Relaxed: asked by who frees the block, who has acquired all; else a guess.
        self.0.load(Ordering::Relaxed) & (DEAD | UNBORN) == DEAD | UNBORN
    }

    /// The number of owners: 0 when dead, else at least 1.
    pub fn count(&self) -> u64 {
        // Relaxed: a figure, out of date as soon as it is read.
        let word = self.0.load(Ordering::Relaxed);
        if word & DEAD != 0 { 0 } else { ((word & !HELD) + u64::from(word & HELD != 0)).max(1) }
    }
}
