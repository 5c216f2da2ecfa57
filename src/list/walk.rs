//! Walking: from slot to slot of one array, under a guard; from number to number between guards.
//!
//! # Parties and states
//!
//! A walker with a cursor, which is a sequence number; pushers, deaths, removers and rebuilds meanwhile.
//!
//! # Steps
//!
//! Load the list's array; find the slots whose numbers are in the walk's range; give the nodes out that nobody has claimed. The
//! caller makes what it wants of each (an upgrade, say). A walk that goes on under the same guard stays in its array, frozen or
//! not; one that goes on under another guard begins again with the number behind the last slot that it has seen, and ends with
//! the last number that was there when it first began: so a walk ends though its caller pushes.
//!
//! # Races and who wins
//!
//! *walk / rebuild*: an element that is there throughout is in the array that was loaded, and in every later one, with the same
//! number. *walk / push*: what is pushed later is not seen, unless the walk is *to the end*: then it goes on until, at its end,
//! the array is no longer than it was, and still the list's. *walk / death, remove*: a node that is claimed, or whose upgrade
//! fails, is no element.
//!
//! # Orderings
//!
//! As [`array`](super::array); the array pointer's Acquire pairs with the Release of its publication.
//!
//! # What callers must not do
//!
//! Keep nodes beyond the guard they were seen under; drop owners under a guard of the crate's own.

use super::Core;
use super::array::Array;
use super::node::Node;
use crate::pointer::Hold;
use crate::reclaim::Guard;
use crate::sync::Ordering;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::ptr::NonNull;

/// A node under a guard.
pub struct Seen<'g, A: Hold> {
    node: NonNull<Node<A>>,
    _guard: PhantomData<&'g Node<A>>,
}

impl<A: Hold> Seen<'_, A> {
    /// The slot's own pointer: one that was made of a reference must not free the node.
    pub fn raw(&self) -> NonNull<Node<A>> {
        self.node
    }
}

impl<A: Hold> Deref for Seen<'_, A> {
    type Target = Node<A>;
    #[inline]
    fn deref(&self) -> &Node<A> {
        // SAFETY: the guard keeps a node that was in a slot after it was taken.
        unsafe { self.node.as_ref() }
    }
}

/// A walk through one array, under a guard.
pub struct Walk<'g, A: Hold> {
    core: &'g Core<A>,
    array: *mut Array<A>,
    /// The slot to look at next.
    at: usize,
    /// The slot to stop before.
    end: usize,
    /// The number it began with.
    from: u64,
    _guard: PhantomData<&'g Guard>,
}

impl<A: Hold> Core<A> {
    /// A walk through the elements that are there now and whose numbers are in the range.
    #[inline]
    pub fn walk<'g>(&'g self, _guard: &'g Guard, numbers: Range<u64>) -> Walk<'g, A> {
        // Acquire: pairs with the Release in `Holder::set_array`.
        let array = self.array.load(Ordering::Acquire);
        // SAFETY: the guard keeps an array that was the list's after it was taken.
        let (at, end) = unsafe { array.as_ref() }.map_or((0, 0), |array| array.seek(&numbers));
        Walk { core: self, array, at, end, from: numbers.start, _guard: PhantomData }
    }

    /// A walk to the end of the list: at some moment that had no other element than those that were seen or have gone.
    pub fn to_the_end<'g>(&'g self, guard: &'g Guard) -> ToTheEnd<'g, A> {
        ToTheEnd(self.walk(guard, 0..u64::MAX), guard)
    }
}

impl<A: Hold> Walk<'_, A> {
    /// The number behind everything that was seen.
    pub fn behind(&self) -> u64 {
        self.number_before(self.at)
    }

    /// The number behind everything that is to be seen.
    pub fn limit(&self) -> u64 {
        self.number_before(self.end)
    }

    /// The number behind the slot before slot `at`, or that with which the walk began.
    fn number_before(&self, at: usize) -> u64 {
        // SAFETY: the guard keeps the array, if there is one; and the slot is published, for it was sought or seen.
        let last = at.checked_sub(1).map(|last| unsafe { (*self.array).seq(last) });
        last.map_or(self.from, |last| self.from.max(last + 1))
    }

    /// Is there nothing in the list behind what was seen?
    fn is_at_the_end(&self) -> bool {
        // SAFETY: the guard keeps an array that was the list's after it was taken.
        let has_grown = unsafe { self.array.as_ref() }.is_some_and(|array| array.len() > self.end);
        // The array last: what is pushed once it is frozen goes to another.
        // Acquire: pairs with the Release in `Holder::set_array`.
        !has_grown && self.core.array.load(Ordering::Acquire) == self.array
    }
}

impl<'g, A: Hold> Iterator for Walk<'g, A> {
    type Item = Seen<'g, A>;

    #[inline]
    fn next(&mut self) -> Option<Seen<'g, A>> {
        while self.at < self.end {
            // SAFETY: the guard keeps the array, and there is one, for it has slots to look at.
            let node = NonNull::new(unsafe { (*self.array).node(self.at) });
            self.at += 1;
            let seen = node.map(|node| Seen { node, _guard: PhantomData });
            if let Some(seen) = seen.filter(|seen| seen.mark.is_live()) {
                return Some(seen);
            }
        }
        None
    }
}

/// See [`Core::to_the_end`]. Goes on behind each push that comes between.
pub struct ToTheEnd<'g, A: Hold>(Walk<'g, A>, &'g Guard);

impl<'g, A: Hold> Iterator for ToTheEnd<'g, A> {
    type Item = Seen<'g, A>;

    fn next(&mut self) -> Option<Seen<'g, A>> {
        loop {
            let seen = self.0.next();
            if seen.is_some() || self.0.is_at_the_end() {
                return seen;
            }
            self.0 = self.0.core.walk(self.1, self.0.behind()..u64::MAX);
        }
    }
}
