//! Looking up: no lock, no wait, no write.
//!
//! # Parties and states
//!
//! A reader under a guard, and whoever writes meanwhile.
//!
//! # Steps
//!
//! Load the shard's array; from the hash's home bucket on, follow the slots whose tags match; stop behind a bucket that no
//! node went past, or when every bucket was seen. The caller says what a node is to it: another key, the key but dead, or
//! a hit.
//!
//! # Races and who wins
//!
//! *read / replace / death*: the reader loads node 1, a writer puts node 2 into its slot, value 1 dies, the upgrade fails. So
//! a dead node counts only if its slot still holds it, and then the array is still the shard's: at that moment the key's
//! entry was dead. Else look again; each retry follows a finished write. *read / resize*: the old array is frozen when the
//! new one is published; what the reader finds in it was true when it was frozen, which is within the read.
//!
//! # Orderings
//!
//! The array's Acquire pairs with the Release of its publication; for slots and words see [`bucket`](super::bucket).
//!
//! # What callers must not do
//!
//! Keep a node beyond the guard.

use super::array::Array;
use super::node::{Entry, Node};
use super::shard::Shard;
use super::{Hashed, Table};
use crate::reclaim::Guard;
use crate::sync::Ordering;
use std::ptr::NonNull;

/// What a node is to a look-up.
pub enum Look<R> {
    /// Another key.
    Other,
    /// The key, but its object is dead.
    Dead,
    /// What was looked for.
    Hit(R),
}

impl<E: Entry> Table<E> {
    /// Shows `look` the nodes that may be the one, until it says which is.
    #[inline]
    pub fn find<'g, R>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        look: impl FnMut(&'g Node<E>) -> Look<R>,
    ) -> Option<R> {
        self.core()?.shard_at(hash.position()).find(guard, hash, look)
    }
}

impl<E: Entry> Shard<E> {
    /// As [`Table::find`], in the hash's shard.
    #[inline]
    pub fn find<'g, R>(
        &'g self,
        _guard: &'g Guard,
        hash: Hashed,
        mut look: impl FnMut(&'g Node<E>) -> Look<R>,
    ) -> Option<R> {
        let tag = Array::<E>::tag(hash);
        'again: loop {
            // Acquire: pairs with the Release in `Holder::set_array`.
            let loaded = self.array.load(Ordering::Acquire);
            let array = NonNull::new(loaded)?;
            // SAFETY: the guard keeps an array that was the shard's after it was taken.
            let (home, buckets) = unsafe { (array.as_ref().home(hash.position()), array.as_ref().len()) };
            for at in home..home + buckets {
                // SAFETY: as above.
                let bucket = unsafe { Array::bucket(array, at) };
                let word = bucket.word();
                for slot in word.matches(tag) {
                    let found = bucket.slot(slot);
                    // SAFETY: the guard keeps a node that was in a slot after it was taken.
                    let Some(node) = (unsafe { found.as_ref() }) else { continue };
                    if node.position != hash.position() {
                        continue;
                    }
                    match look(node) {
                        Look::Hit(r) => return Some(r),
                        Look::Other => {}
                        // Acquire: pairs with the Release in `Holder::set_array`.
                        Look::Dead if bucket.slot(slot) == found && self.array.load(Ordering::Acquire) == loaded => {}
                        Look::Dead => continue 'again,
                    }
                }
                if word.overflow() == 0 {
                    break;
                }
            }
            return None;
        }
    }
}
