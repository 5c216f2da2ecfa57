//! Growing, shrinking, and rebuilding in place: by the stored positions and tags, never by the user's hash.
//!
//! Everything in here happens under the shard's lock, on an array that nobody else has seen yet; readers go on in the old one
//! until the new one is published. Dead nodes move along, so that whoever owns them finds them.

use super::array::{Array, TooLarge};
use super::node::{Entry, Node};
use super::shard::Holder;
use std::ptr::NonNull;

/// An array is sparse when fewer than one in this many of the nodes it has room for are there.
const SPARSE: usize = 4;

impl<E: Entry> Holder<'_, E> {
    /// Room for one more node, if need be in a new array.
    ///
    /// # Panics
    /// If the table would outgrow its bounds: nothing has changed then.
    pub fn make_room(&mut self) {
        let buckets = match self.array() {
            None => 1,
            Some(array) => {
                // SAFETY: the lock keeps the array.
                let buckets = unsafe { array.as_ref() }.len();
                if self.books().used < Array::<E>::room(buckets) {
                    return;
                }
                buckets * 2
            }
        };
        let new = Array::new_or_abort(buckets, self.core.shard_bits());
        self.move_to(new);
    }

    /// Room for `nodes` in all, if there isn't.
    pub fn reserve(&mut self, nodes: usize) -> Result<(), TooLarge> {
        let wanted = Array::<E>::buckets_for(nodes)?;
        // SAFETY: the lock keeps the array.
        let have = self.array().map_or(0, |array| unsafe { array.as_ref() }.len());
        if wanted > have {
            self.move_to(Array::new(wanted, self.core.shard_bits())?);
        }
        let books = self.books();
        books.reserved = books.reserved.max(nodes);
        Ok(())
    }

    /// No more room than for `nodes`, or for what is there.
    pub fn shrink_to(&mut self, nodes: usize) {
        let Some(array) = self.array() else { return };
        let nodes = nodes.max(self.books().used);
        self.books().reserved = 0;
        if nodes == 0 {
            self.check();
            self.set_array(std::ptr::null_mut());
            *self.books() = Default::default();
            return;
        }
        let Ok(wanted) = Array::<E>::buckets_for(nodes) else { return };
        // SAFETY: the lock keeps the array.
        if wanted < unsafe { array.as_ref() }.len() {
            // Without memory for a smaller array the large one will do.
            if let Ok(new) = Array::new(wanted, self.core.shard_bits()) {
                self.move_to(new);
            }
        }
    }

    /// On leaving: a sparse array shrinks, and one whose overflow counts have stuck is rebuilt.
    pub fn shrink_if_sparse(&mut self) {
        let Some(array) = self.array() else { return };
        // SAFETY: the lock keeps the array.
        let buckets = unsafe { array.as_ref() }.len();
        let room = Array::<E>::room(buckets);
        let (used, stuck) = (self.books().used, self.books().stuck);
        if !self.may_rebuild() {
            return;
        }
        let keep = used.max(self.books().reserved);
        if buckets > 1 && keep < room / SPARSE {
            // Half of the room stays free, so that the next insertions don't grow it again.
            let reserved = self.books().reserved;
            self.shrink_to(keep * 2);
            self.books().reserved = reserved;
        } else if stuck > room
            && let Ok(new) = Array::new(buckets, self.core.shard_bits())
        {
            self.move_to(new);
        }
    }

    /// Moves every node to `new`, which becomes the shard's array.
    fn move_to(&mut self, new: NonNull<Array<E>>) {
        self.check();
        let mut used = 0;
        if let Some(old) = self.array() {
            // SAFETY: the lock keeps the old array and what is in it; the new one is ours.
            unsafe {
                for at in 0..old.as_ref().len() {
                    let bucket = Array::bucket(old, at);
                    let word = bucket.word();
                    for slot in word.taken() {
                        let node = NonNull::new_unchecked(bucket.slot(slot));
                        settle(new, node, word.tag(slot));
                        used += 1;
                    }
                }
            }
        }
        let books = self.books();
        books.used = used;
        books.stuck = 0;
        self.set_array(new.as_ptr());
    }
}

/// Puts a node into the first free slot from its home on.
///
/// # Safety
/// The array has a free slot; the caller is its only writer, and node and array are in memory.
pub unsafe fn settle<E: Entry>(array: NonNull<Array<E>>, node: NonNull<Node<E>>, tag: u8) {
    // SAFETY: as the caller says.
    unsafe {
        let home = array.as_ref().home(node.as_ref().position);
        let mask = array.as_ref().len() - 1;
        let mut at = home;
        let slot = loop {
            if let Some(slot) = Array::bucket(array, at).word().free() {
                break slot;
            }
            at = (at + 1) & mask;
        };
        // Raised before the node is published: a reader that finds 0 need not look further.
        let mut passed = home;
        while passed != at {
            Array::bucket(array, passed).raise();
            passed = (passed + 1) & mask;
        }
        node.as_ref().mark.set_place(Array::<E>::place(at, slot));
        Array::bucket(array, at).put(slot, node.as_ptr(), tag);
    }
}
