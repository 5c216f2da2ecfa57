//! `WeakKeyMap` and `PtrWeakKeyMap`: weakly held keys, values of the map's own.

use super::base::{Base, Parts};
use super::common::common;
use super::face::{Face, Own, Pinned, both, own, plain};
#[cfg(feature = "serde")]
use super::iter::what;
use super::iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, Pair, PinnedWalk, Taken, ValuesOnly, Walk, WeakKeysOnly, What,
    WhatPinned,
};
use super::key_entry::{Either, KeyEntry, Owned, Payload};
use super::key_values::{Removed, ValueRef, copy};
use super::live::{Kept, Live, Old, OwnsValues, after};
use super::load::Loads;
use super::lookup::{ByEq, ByPointer, Rule, seek_own};
use super::map_face::map_face;
use super::map_ops::{extend, fill, loops, map_ops, walks};
use super::options::{Builder, Collection, Cursor, ScanPage, Stats, TryReserveError};
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::ptr::Arc;
use crate::queue::Removals;
use crate::reclaim::Guard;
use crate::table::Hashed;
use crate::table::node::{Fresh, Node};
use crate::table::walk::Place;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::{BitOr, BitOrAssign};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

/// A concurrent map whose keys are held weakly: side data of objects, that goes when they do. CPython's `WeakKeyDictionary`.
///
/// `R` says how keys are told apart: by `Hash` and `Eq` in a [`WeakKeyMap`], by address in a [`PtrWeakKeyMap`]. An insert over
/// an equal key replaces the value *and* keeps the new key's object, so the entry lives as long as that (CPython keeps the old
/// one, and loses the entry with it: gh-91081).
///
/// `for` over `&map` copies the values, so it wants `V: Clone`; over `&map.pin()` it borrows them.
///
/// A value goes with its key, on the thread that drops the last owner of it and before that drop returns, unless a reader is
/// just looking at it; then that reader drops it. A value that holds its own key's owner is never dropped: there is no cycle
/// collection.
///
/// # Liveness
///
/// As [`WeakValueMap`](super::WeakValueMap), for keys. A look-up by equality holds the keys that it compares alive for a moment;
/// one by a pointer, or by a `&K` that is the object itself, does not. Values are not locked: to change one, use
/// [`update`](Self::update) or [`compute`](Self::compute), or a `V` with interior mutability.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakKeyMap};
///
/// let ann = Arc::new("ann".to_string());
/// let ages: WeakKeyMap<String, u32> = WeakKeyMap::new();
/// ages.insert(&ann, 30);
/// assert_eq!((ages.get(&ann), ages.get("ann")), (Some(30), Some(30)));
/// drop(ann);
/// assert!(ages.is_empty());
/// ```
pub struct KeyMap<A: Pointer, V, R, S = RandomState> {
    pub(super) base: Base<KeyEntry<A, Owned<V>, R>, S>,
    pub(super) flights: Loads<KeyEntry<A, Owned<V>, R>>,
    deferred: bool,
}

/// A [`KeyMap`] whose keys are told apart by `Hash` and `Eq`.
pub type WeakKeyMap<A, V, S = RandomState> = KeyMap<A, V, ByEq, S>;
/// A [`KeyMap`] whose keys are told apart by address.
pub type PtrWeakKeyMap<A, V, S = RandomState> = KeyMap<A, V, ByPointer, S>;

impl<A: Pointer, V, R> OwnsValues for KeyEntry<A, Owned<V>, R> {}

impl<A: Pointer, V, R> Pair for KeyEntry<A, Owned<V>, R> {
    type K = A;
    type V = V;

    fn pair<'a>(&'a self, (key, value): &'a (A, Arc<V>)) -> (&'a A, &'a V) {
        (key, value)
    }
}

impl<A: Pointer, V, R> Taken for KeyEntry<A, Owned<V>, R> {
    type Note = ();
    type Item = (A, Removed<V>);

    fn note(&self) {}

    fn taken((): (), Old { alive: (key, value), share }: Old<Self>) -> (A, Removed<V>) {
        (key, Removed::new(value, share))
    }
}

impl<A: Pointer, V: Clone, R> What<KeyEntry<A, Owned<V>, R>> for Entries {
    type Raw = (A, Arc<V>);
    type Item = (A, V);

    fn raw(entry: &KeyEntry<A, Owned<V>, R>, kept: &mut Kept<Either<A, Arc<V>>>) -> Option<(A, Arc<V>)> {
        entry.revive(kept)
    }

    fn item((key, value): (A, Arc<V>)) -> (A, V) {
        (key, copy(value))
    }
}

impl<A: Pointer, V: Clone, R> What<KeyEntry<A, Owned<V>, R>> for ValuesOnly {
    type Raw = Arc<V>;
    type Item = V;

    fn raw(entry: &KeyEntry<A, Owned<V>, R>, _: &mut Kept<Either<A, Arc<V>>>) -> Option<Arc<V>> {
        entry.value()
    }

    fn item(value: Arc<V>) -> V {
        copy(value)
    }
}

/// A walk yields entries: keys, and owners of the values.
#[cfg(feature = "serde")]
#[derive(Debug)]
pub enum Owners {}

#[cfg(feature = "serde")]
what! {
    Owners [A: Pointer, V, R] KeyEntry<A, Owned<V>, R> => (A, Arc<V>), |entry, kept| entry.revive(kept);
}

#[cfg(feature = "serde")]
impl<A: Pointer, V, R, S> KeyMap<A, V, R, S> {
    /// Iterates over the live entries without cloning the values.
    pub(crate) fn owners(&self) -> Walk<'_, KeyEntry<A, Owned<V>, R>, Owners> {
        Walk::new(&self.base.table)
    }
}

impl<'g, A: Pointer, V: 'g, R> WhatPinned<'g, KeyEntry<A, Owned<V>, R>> for Entries {
    type Item = (A, ValueRef<'g, V>);

    fn item(
        entry: &'g KeyEntry<A, Owned<V>, R>,
        guard: &'g Guard,
        kept: &mut Kept<Either<A, Arc<V>>>,
    ) -> Option<(A, ValueRef<'g, V>)> {
        let key = A::revive(&entry.key)?;
        match entry.payload.read(guard) {
            Some(value) => Some((key, ValueRef(value))),
            None => {
                kept.keep(Either::Key(key));
                None
            }
        }
    }
}

impl<'g, A: Pointer, V: 'g, R> WhatPinned<'g, KeyEntry<A, Owned<V>, R>> for ValuesOnly {
    type Item = ValueRef<'g, V>;

    fn item(
        entry: &'g KeyEntry<A, Owned<V>, R>,
        guard: &'g Guard,
        _: &mut Kept<Either<A, Arc<V>>>,
    ) -> Option<ValueRef<'g, V>> {
        entry.read(guard)
    }
}

impl<A: Pointer, V, R> KeyEntry<A, Owned<V>, R> {
    /// An owner of the value, if the key is alive.
    #[inline]
    pub(super) fn value(&self) -> Option<Arc<V>> {
        A::is_alive(&self.key).then(|| self.payload.revive())?
    }

    /// Reads the value under a guard, if the key is alive.
    #[inline]
    pub(super) fn read<'g>(&'g self, guard: &'g Guard) -> Option<ValueRef<'g, V>> {
        A::is_alive(&self.key).then(|| self.payload.read(guard).map(ValueRef))?
    }
}

impl<A: Pointer, V, R, S> KeyMap<A, V, R, S> {
    /// A node of this map, yet to be filled.
    pub(super) fn node(
        &self,
        hash: Hashed,
        key: &A,
        location: &'static Location<'static>,
    ) -> Fresh<KeyEntry<A, Owned<V>, R>> {
        Node::fresh(self.base.table.core_or_new(), hash.position(), KeyEntry::new(key), location)
    }

    /// A block for a value.
    pub(super) fn block(&self, value: V) -> Arc<V>
    where
        V: Send + 'static,
    {
        if self.deferred { Arc::new_deferred(value) } else { Arc::new(value) }
    }

    /// The value of a key that is at hand.
    pub(super) fn get_own(&self, hash: u64, key: &A) -> Option<Arc<V>>
    where
        R: Rule<A::Target>,
    {
        let mut kept = Kept::new();
        let same = seek_own::<A, _, R>(key);
        let found = self.base.find(&own(), Hashed::mix(hash), &mut kept, same, |entry, _| entry.value());
        after(kept, found)
    }
}

common! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>, told A::Weak,
    with { flights: OnceLock::new(), deferred: false } deferred deferred,
    docs "WeakKeyMap", "String, u64", "map",
        "let owner = weakly::Arc::new(\"five\".to_string());\nlet map = weakly::WeakKeyMap::new();\nmap.insert(&owner, 5);"
}

map_face! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>,
    shown A, V, pages [V: Clone] (A, V), takes [] (A, Removed<V>),
    docs "let owner = weakly::Arc::new(\"five\");\nlet map = weakly::WeakKeyMap::from([(&owner, 5)]);"
}

walks! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>,
    docs "map", "let owner = weakly::Arc::new(\"five\");\nlet map = weakly::WeakKeyMap::from([(&owner, 5)]);";
    /// Iterates over the live entries, with copies of the values. Holds the objects of one bucket at a time alive.
    plain iter [V: Clone] Entries;
    /// Iterates over the live entries, values read under the guard.
    pinned iter [] Entries;
    /// Iterates over copies of the values of live entries.
    plain values [V: Clone] ValuesOnly;
    /// Iterates over the values of live entries, read under the guard.
    pinned values [] ValuesOnly;
    /// Iterates over the keys of live entries.
    both keys [] KeysOnly;
    /// Iterates over weak pointers to the keys of live entries: CPython's `keyrefs`.
    both weak_keys [] WeakKeysOnly;
}

loops! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>,
    plain [V: Clone] Entries, pinned PinnedWalk<'a, KeyEntry<A, Owned<V>, R>, Entries>
}

extend! {
    KeyMap [A: Pointer, V, R] [A, V, R] [A::Target: 'static, V: Send + 'static, R: Rule<A::Target>]
    docs "map", "let keys: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || keys.iter().map(|key| (key, **key));\nlet map = weakly::WeakKeyMap::new();"
}
fill!(KeyMap [] [A: Pointer, V, R] [A, V, R] [A::Target: 'static, V: Send + 'static, R: Rule<A::Target>]
    (A, V), |(key, value)| insert(&key, value));
fill!(KeyMap ['a,] [A: Pointer, V, R] [A, V, R] [A::Target: 'static, V: Send + 'static, R: Rule<A::Target>]
    (&'a A, V), |(key, value)| insert(key, value));

map_ops! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>,
    copies [A::Target: 'static, V: Clone + Send + 'static, R: Rule<A::Target>],
    compares [R: Rule<A::Target>] [V: PartialEq] [V: Eq],
        |other, key| other.get_own(R::hash(&other.base.hasher, key), key),
        other.get_own(R::hash(&other.base.hasher, key), key).is_some(), |there, value| *there == *value,
    debug [A::Target: fmt::Debug, V: fmt::Debug], |key, value| &**key, value,
    docs "let keys: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || keys.iter().map(|key| (key, **key));\nlet map = weakly::WeakKeyMap::new();"
}

impl<A: Pointer, V, R, S> IntoIterator for KeyMap<A, V, R, S> {
    type Item = (A, Removed<V>);
    type IntoIter = IntoIter<(A, Removed<V>)>;

    /// Moves the live entries out. Listeners are told [`Cause::Cleared`](crate::Cause::Cleared).
    fn into_iter(self) -> IntoIter<(A, Removed<V>)> {
        IntoIter::new(self.base.dismantle().into_iter().map(|(_, old)| KeyEntry::taken((), old)))
    }
}
