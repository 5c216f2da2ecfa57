//! A list's array: slots in the order of their nodes' numbers, filled from the front, emptied anywhere.
//!
//! # Parties and states
//!
//! One writer under the list's lock, readers under guards. A slot is unpublished, then holds its node, then perhaps null.
//!
//! # Steps
//!
//! *Push*: write number and node into the first unpublished slot, then raise the length. *Empty*: store null; the number stays,
//! so that the slots can always be searched.
//!
//! # Races and who wins
//!
//! *read / push*: nobody looks behind the length. *read / empty*: a node that was read out is kept by the reader's guard.
//!
//! # Orderings
//!
//! The length's Release pairs with its Acquire: number and node come with it.
//!
//! # What callers must not do
//!
//! Write without the lock, or to an array that is the list's no more.

use super::node::Node;
use crate::pointer::Hold;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, Plain};
use std::collections::TryReserveError;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};

struct Slot<A: Hold> {
    /// Kept here as well as in the node, so that a search follows no pointers.
    seq: Plain<u64>,
    node: AtomicPtr<Node<A>>,
}

/// So many slots, of which so many are published.
pub struct Array<A: Hold> {
    len: AtomicUsize,
    slots: Box<[Slot<A>]>,
}

impl<A: Hold> Array<A> {
    /// Nothing published, and room for `slots`.
    pub fn new(slots: usize) -> NonNull<Self> {
        Self::of(Vec::with_capacity(slots), slots)
    }

    /// As [`new`](Self::new), but says so if there is no memory.
    pub fn try_new(slots: usize) -> Result<NonNull<Self>, TryReserveError> {
        let mut room = Vec::new();
        room.try_reserve_exact(slots)?;
        Ok(Self::of(room, slots))
    }

    fn of(mut room: Vec<Slot<A>>, slots: usize) -> NonNull<Self> {
        room.extend((0..slots).map(|_| Slot { seq: Plain::new(0), node: AtomicPtr::new(null_mut()) }));
        let array = Box::new(Array { len: AtomicUsize::new(0), slots: room.into_boxed_slice() });
        // SAFETY: a box is never null.
        unsafe { NonNull::new_unchecked(Box::into_raw(array)) }
    }

    /// Frees the array; the nodes in it are somebody else's.
    ///
    /// # Safety
    /// `array` came from [`new`](Self::new), nobody will look at it again, and it is not freed twice.
    pub unsafe fn free(array: NonNull<Self>) {
        // SAFETY: as the caller says.
        drop(unsafe { Box::from_raw(array.as_ptr()) });
    }

    /// How many slots there are, published or not.
    pub fn room(&self) -> usize {
        self.slots.len()
    }

    /// The bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.slots)
    }

    /// How many slots are published.
    #[inline]
    pub fn len(&self) -> usize {
        // Acquire: pairs with the Release of `push`.
        self.len.load(Ordering::Acquire)
    }

    /// What slot `at` holds, or null.
    #[inline]
    pub fn node(&self, at: usize) -> *mut Node<A> {
        // Acquire: pairs with the Release of `empty`.
        self.slots[at].node.load(Ordering::Acquire)
    }

    /// The number of slot `at`.
    ///
    /// # Safety
    /// The slot is published, as the caller has read by [`len`](Self::len).
    #[inline]
    pub unsafe fn seq(&self, at: usize) -> u64 {
        // SAFETY: written before it was published, and never again.
        unsafe { self.slots[at].seq.get() }
    }

    /// The first published slot whose number is not below the range, and the first behind it that is not in it.
    pub fn seek(&self, numbers: &Range<u64>) -> (usize, usize) {
        let published = &self.slots[..self.len()];
        // SAFETY: published, so written and never written again.
        let first = |slots: &[Slot<A>], seq| slots.partition_point(|slot| unsafe { slot.seq.get() } < seq);
        let at = first(published, numbers.start);
        let end = if numbers.end == u64::MAX { published.len() } else { first(published, numbers.end) };
        (at, end)
    }

    /// Publishes a node in the next slot.
    ///
    /// # Safety
    /// The caller is the only writer; there is room; `seq` is above all numbers that are there.
    pub unsafe fn push(&self, seq: u64, node: *mut Node<A>) {
        let len = self.len();
        // SAFETY: nobody looks at a slot before it is published.
        unsafe { self.slots[len].seq.set(seq) };
        // Relaxed: the length publishes it.
        self.slots[len].node.store(node, Ordering::Relaxed);
        // Release: pairs with the Acquire of `len`: number and node come with it, and the node's content.
        self.len.store(len + 1, Ordering::Release);
    }

    /// Empties slot `at`. Under the lock.
    pub fn empty(&self, at: usize) {
        // Release: pairs with the Acquire of `node`: what a reader who finds it empty goes on to do comes after the claim.
        self.slots[at].node.store(null_mut(), Ordering::Release);
    }
}
