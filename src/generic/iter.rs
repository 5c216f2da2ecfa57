//! The iterators of all collections: one walk in steps, and what it makes of an entry.
//!
//! A plain iterator pins each step and yields owned items; a pinned one borrows under the guard of its collection. What is
//! user code in making an item (a clone, say) runs when the item is asked for, with no guard held, but for the clones of keys.

use super::base::Base;
use super::live::Old;
use super::live::{Kept, Live};
use crate::reclaim::{Guard, pin};
use crate::table::Table;
use crate::table::walk::{Made, Place};
use std::fmt;
use std::iter::FusedIterator;
use std::vec;

/// What a walk makes of an entry of `E`.
#[doc(hidden)]
pub trait What<E: Live> {
    /// What it takes along under the guard.
    type Raw;
    /// What it yields.
    type Item;

    /// Looks at an entry.
    fn raw(entry: &E, kept: &mut Kept<E::Part>) -> Option<Self::Raw>;
    /// Makes the item.
    fn item(raw: Self::Raw) -> Self::Item;
}

/// A [`What`] whose items are ready under the guard.
macro_rules! what {
    ($($name:ident [$($generics:tt)*] $Entry:ty => $Item:ty, |$entry:ident, $kept:tt| $raw:expr;)*) => { $(
        impl<$($generics)*> What<$Entry> for $name {
            type Raw = $Item;
            type Item = $Item;
            #[inline]
            fn raw($entry: &$Entry, $kept: &mut Kept<<$Entry as Live>::Part>) -> Option<$Item> {
                $raw
            }
            #[inline]
            fn item(raw: $Item) -> $Item {
                raw
            }
        }
    )* };
}
pub(super) use what;

/// A walk yields entries: keys and values.
#[doc(hidden)]
#[derive(Debug)]
pub enum Entries {}
/// A walk yields keys.
#[doc(hidden)]
#[derive(Debug)]
pub enum KeysOnly {}
/// A walk yields values.
#[doc(hidden)]
#[derive(Debug)]
pub enum ValuesOnly {}
/// A walk yields weak pointers to keys.
#[doc(hidden)]
#[derive(Debug)]
pub enum WeakKeysOnly {}
/// A walk yields weak pointers to values.
#[doc(hidden)]
#[derive(Debug)]
pub enum WeakValuesOnly {}

/// Iterator over a collection: pins each step, holds the owners of one bucket at a time, and nothing in between.
#[must_use]
pub struct Walk<'a, E: Live, W: What<E>> {
    table: &'a Table<E>,
    place: Place,
    end: Place,
    ready: vec::IntoIter<W::Raw>,
}

impl<'a, E: Live, W: What<E>> Walk<'a, E, W> {
    pub(super) fn new(table: &'a Table<E>) -> Self {
        Walk { table, place: Place::default(), end: Place::END, ready: Vec::new().into_iter() }
    }
}

/// A walk of which parts can be given away.
#[cfg(feature = "rayon")]
#[doc(hidden)]
pub trait Split: Iterator + Sized {
    /// Keeps the first half of the way that lies ahead, and gives the rest away: each key is met by one of the two, for its
    /// position never changes. `None` if there is nothing to give.
    fn split(&mut self) -> Option<Self>;
}

#[cfg(feature = "rayon")]
impl<E: Live, W: What<E>> Split for Walk<'_, E, W> {
    fn split(&mut self) -> Option<Self> {
        let middle = Place(self.place.0.midpoint(self.end.0));
        if middle == self.place {
            return None;
        }
        let rest = Walk { table: self.table, place: middle, end: self.end, ready: Vec::new().into_iter() };
        self.end = middle;
        Some(rest)
    }
}

impl<E: Live, W: What<E>> Iterator for Walk<'_, E, W> {
    type Item = W::Item;

    fn next(&mut self) -> Option<W::Item> {
        loop {
            if let Some(raw) = self.ready.next() {
                return Some(W::item(raw));
            }
            if self.place == self.end {
                return None;
            }
            let (mut kept, mut made) = (Kept::new(), Made::default());
            self.table.step_until(&pin(), &mut self.place, self.end, &mut made, |node| W::raw(&node.entry, &mut kept));
            self.ready = made.items.into_iter();
        }
    }
}

impl<E: Live, W: What<E>> FusedIterator for Walk<'_, E, W> {}

impl<E: Live, W: What<E>> fmt::Debug for Walk<'_, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").finish_non_exhaustive()
    }
}

/// What a walk under a guard makes of an entry of `E`.
#[doc(hidden)]
pub trait WhatPinned<'g, E: Live> {
    /// What it yields.
    type Item;

    /// Makes the item.
    fn item(entry: &'g E, guard: &'g Guard, kept: &mut Kept<E::Part>) -> Option<Self::Item>;
}

/// Iterator over a pinned collection, under its guard.
#[must_use]
pub struct PinnedWalk<'g, E: Live, W: WhatPinned<'g, E>> {
    table: &'g Table<E>,
    guard: &'g Guard,
    place: Place,
    ready: vec::IntoIter<W::Item>,
}

impl<'g, E: Live, W: WhatPinned<'g, E>> PinnedWalk<'g, E, W> {
    pub(super) fn new(table: &'g Table<E>, guard: &'g Guard) -> Self {
        PinnedWalk { table, guard, place: Place::default(), ready: Vec::new().into_iter() }
    }
}

impl<'g, E: Live, W: WhatPinned<'g, E>> Iterator for PinnedWalk<'g, E, W> {
    type Item = W::Item;

    fn next(&mut self) -> Option<W::Item> {
        loop {
            if let Some(item) = self.ready.next() {
                return Some(item);
            }
            if self.place.is_end() {
                return None;
            }
            let (mut kept, mut made) = (Kept::new(), Made::default());
            let guard = self.guard;
            self.table.step(guard, &mut self.place, &mut made, |node| W::item(&node.entry, guard, &mut kept));
            self.ready = made.items.into_iter();
        }
    }
}

impl<'g, E: Live, W: WhatPinned<'g, E>> FusedIterator for PinnedWalk<'g, E, W> {}

impl<'g, E: Live, W: WhatPinned<'g, E>> fmt::Debug for PinnedWalk<'g, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedWalk").finish_non_exhaustive()
    }
}

/// An entry that can be taken out as an item.
#[doc(hidden)]
pub trait Taken: Live {
    /// What is noted of it before.
    type Note;
    /// What comes out.
    type Item;

    /// Notes what can't be had of it afterwards.
    fn note(&self) -> Self::Note;
    /// Makes the item.
    fn taken(note: Self::Note, old: Old<Self>) -> Self::Item
    where
        Self: Sized;
}

/// Iterator that removes what it yields.
#[must_use]
pub struct Extract<'a, E: Taken, S, F> {
    base: &'a Base<E, S>,
    wanted: F,
    place: Place,
    taken: vec::IntoIter<(E::Note, Old<E>)>,
}

impl<'a, E: Taken, S, F> Extract<'a, E, S, F> {
    pub(super) fn new(base: &'a Base<E, S>, wanted: F) -> Self {
        Extract { base, wanted, place: Place::default(), taken: Vec::new().into_iter() }
    }
}

impl<E: Taken, S, F: Wants<E>> Iterator for Extract<'_, E, S, F> {
    type Item = E::Item;

    fn next(&mut self) -> Option<E::Item> {
        loop {
            if let Some((note, old)) = self.taken.next() {
                return Some(E::taken(note, old));
            }
            if self.place.is_end() {
                return None;
            }
            let wanted = &mut self.wanted;
            let taken =
                self.base.extract(&mut self.place, |entry, alive| wanted.wants(entry, alive).then(|| entry.note()));
            self.taken = taken.into_iter();
        }
    }
}

impl<E: Taken, S, F: Wants<E>> FusedIterator for Extract<'_, E, S, F> {}

impl<E: Taken, S, F> fmt::Debug for Extract<'_, E, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extract").finish_non_exhaustive()
    }
}

/// What chooses among entries of `E`.
#[doc(hidden)]
pub trait Wants<E: Live> {
    /// Is this one wanted?
    fn wants(&mut self, entry: &E, alive: &E::Alive) -> bool;
}

/// Wants all: for draining.
#[doc(hidden)]
#[derive(Debug)]
pub struct All;

impl<E: Live> Wants<E> for All {
    fn wants(&mut self, _: &E, _: &E::Alive) -> bool {
        true
    }
}

/// A closure that is shown an entry of a map as key and value.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "not for users")]
pub struct OfPair<F>(pub F);

impl<E: Pair, F: FnMut(&E::K, &E::V) -> bool> Wants<E> for OfPair<F> {
    fn wants(&mut self, entry: &E, alive: &E::Alive) -> bool {
        let (key, value) = entry.pair(alive);
        self.0(key, value)
    }
}

/// An entry of a map: key and value.
#[doc(hidden)]
pub trait Pair: Live {
    /// As closures are shown it.
    type K;
    /// As closures are shown it.
    type V;

    /// Shows them.
    fn pair<'a>(&'a self, alive: &'a Self::Alive) -> (&'a Self::K, &'a Self::V);
}

/// Iterator over items that were moved out of a collection.
#[must_use]
pub struct IntoIter<T>(vec::IntoIter<T>);

impl<T> IntoIter<T> {
    pub(super) fn new(items: impl Iterator<Item = T>) -> Self {
        IntoIter(items.collect::<Vec<_>>().into_iter())
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.0.len()).finish()
    }
}
