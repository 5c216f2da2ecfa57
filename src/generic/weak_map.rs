//! `WeakWeakMap` and `PtrWeakWeakMap`: keys and values both held weakly.

use super::base::{Base, Done, Parts, Put};
use super::common::common;
use super::face::{Face, Own, Pinned, both, own, plain};
use super::iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, Pair, Taken, ValuesOnly, Walk, WeakKeysOnly, WeakValuesOnly,
    What, what,
};
use super::key_entry::{KeyEntry, Payload, Weakly};
use super::live::{Debts, Kept, Live, Old, Seen, after};
use super::load::Loads;
use super::lookup::{ByEq, ByPointer, Lookup, Matches, Rule, seek, seek_node, seek_own};
use super::map_face::map_face;
use super::map_ops::{extend, fill, loops, map_ops, walks};
use super::object_face::object_face;
use super::options::{Builder, Collection, Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::queue::Removals;
use crate::table::Hashed;
use crate::table::node::{Fresh, Node};
use crate::table::walk::Place;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::{BitOr, BitOrAssign};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

/// A concurrent map whose keys and values are both held weakly: an entry lives as long as both its objects do. Guava's
/// `weakKeys().weakValues()`.
///
/// `R` says how keys are told apart: by `Hash` and `Eq` in a [`WeakWeakMap`], by address in a [`PtrWeakWeakMap`]. An insert
/// over an equal key keeps the new key's object, not the old one's.
///
/// # Liveness
///
/// As [`WeakValueMap`](super::WeakValueMap); the death of either object takes the entry out. A look-up by equality holds the
/// keys that it compares alive for a moment; one by a pointer, or by a `&K` that is the object itself, does not.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakWeakMap};
///
/// let (user, session) = (Arc::new("ann".to_string()), Arc::new(7));
/// let sessions: WeakWeakMap<String, u32> = WeakWeakMap::new();
/// sessions.insert(&user, &session);
/// assert_eq!(sessions.get("ann"), Some(session));
/// assert!(sessions.is_empty());
/// ```
pub struct WeakMap<K: Pointer, A: Pointer, R, S = RandomState> {
    base: Base<KeyEntry<K, Weakly<A>, R>, S>,
    flights: Loads<KeyEntry<K, Weakly<A>, R>>,
}

/// A [`WeakMap`] whose keys are told apart by `Hash` and `Eq`.
pub type WeakWeakMap<K, A, S = RandomState> = WeakMap<K, A, ByEq, S>;
/// A [`WeakMap`] whose keys are told apart by address.
pub type PtrWeakWeakMap<K, A, S = RandomState> = WeakMap<K, A, ByPointer, S>;

impl<K: Pointer, A: Pointer, R> Pair for KeyEntry<K, Weakly<A>, R> {
    type K = K;
    type V = A;

    fn pair<'a>(&'a self, (key, value): &'a (K, A)) -> (&'a K, &'a A) {
        (key, value)
    }
}

impl<K: Pointer, A: Pointer, R> Taken for KeyEntry<K, Weakly<A>, R> {
    type Note = ();
    type Item = (K, A);

    fn note(&self) {}

    fn taken((): (), old: Old<Self>) -> (K, A) {
        old.alive
    }
}

what! {
    Entries [K: Pointer, A: Pointer, R] KeyEntry<K, Weakly<A>, R> => (K, A), |entry, kept| entry.revive(kept);
    ValuesOnly [K: Pointer, A: Pointer, R] KeyEntry<K, Weakly<A>, R> => A, |entry, _| K::is_alive(&entry.key).then(|| entry.payload.revive())?;
    WeakValuesOnly [K: Pointer, A: Pointer, R] KeyEntry<K, Weakly<A>, R> => A::Weak, |entry, _| entry.is_alive().then(|| A::weak(entry.payload.held()));
}

impl<K: Pointer, A: Pointer, R, S> WeakMap<K, A, R, S> {
    /// A node of this map.
    fn node(
        &self,
        hash: Hashed,
        key: &K,
        value: Option<&A>,
        location: &'static Location<'static>,
    ) -> Fresh<KeyEntry<K, Weakly<A>, R>> {
        let mut entry = KeyEntry::<K, Weakly<A>, R>::new(key);
        if let Some(value) = value {
            entry.payload.fill(value);
        }
        Node::fresh(self.base.table.core_or_new(), hash.position(), entry, location)
    }

    /// The live value of a key that is at hand.
    fn get_own(&self, hash: u64, key: &&K) -> Option<A>
    where
        R: Rule<K::Target>,
    {
        let mut kept = Kept::new();
        let same = seek_own::<K, _, R>(key);
        let alive = self.base.get(&own(), Hashed::mix(hash), &mut kept, same)?;
        let value = <KeyEntry<K, Weakly<A>, R>>::value(alive, &mut kept);
        Some(after(kept, value))
    }
}

common! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>, told K::Weak,
    with { flights: OnceLock::new() },
    docs "WeakWeakMap", "String, u64", "map",
        "let (key, owner) = (weakly::Arc::new(\"five\".to_string()), weakly::Arc::new(5));\nlet map = weakly::WeakWeakMap::new();\nmap.insert(&key, &owner);"
}

object_face! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>, value A, shown K,
    seek [Q: Lookup<K::Target, M, R> + ?Sized, M] [Q: Matches<K::Target, M, R> + ?Sized, M]
        |hasher, q| q.hash_by(hasher), seek::<K, _, M, R, Q>(q),
    own [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>] [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>] &K,
        |hasher, key| R::hash(hasher, key),
        seek_node::<K, _, R>(key),
    load |_entry, load| load(key),
    takes [],
    docs
        "use weakly::{Arc, WeakWeakMap};\n\nlet (key, five) = (Arc::new(\"five\"), Arc::new(5));\nlet map = WeakWeakMap::from([(&key, &five)]);",
        "&key",
        "By equality, accepts whatever form of the key implements [`Equivalent`](crate::Equivalent), and pointers to it; by address, what names the object ([`SameObject`](crate::SameObject))."
}

map_face! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>,
    shown K, A, pages [] (K, A), takes [] (K, A),
    docs "let (key, owner) = (weakly::Arc::new(\"five\"), weakly::Arc::new(5));\nlet map = weakly::WeakWeakMap::from([(&key, &owner)]);"
}

walks! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>,
    docs "map", "let (key, owner) = (weakly::Arc::new(\"five\"), weakly::Arc::new(5));\nlet map = weakly::WeakWeakMap::from([(&key, &owner)]);";
    /// Iterates over the live entries. Holds the objects of one bucket at a time alive.
    both iter [] Entries;
    /// Iterates over the keys of live entries.
    both keys [] KeysOnly;
    /// Iterates over the values of live entries.
    both values [] ValuesOnly;
    /// Iterates over weak pointers to the keys of live entries: CPython's `keyrefs`.
    both weak_keys [] WeakKeysOnly;
    /// Iterates over weak pointers to the values of live entries: CPython's `itervaluerefs`.
    both weak_values [] WeakValuesOnly;
}

loops! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>,
    plain [] Entries, pinned Walk<'a, KeyEntry<K, Weakly<A>, R>, Entries>
}

extend! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>]
    docs "map", "let objects: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || objects.iter().map(|o| (o, o));\nlet map = weakly::WeakWeakMap::new();"
}
fill!(WeakMap [] [K: Pointer, A: Pointer, R] [K, A, R] [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>]
    (K, A), |(key, value)| insert(&key, &value));
fill!(WeakMap ['a,] [K: Pointer, A: Pointer, R] [K, A, R] [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>]
    (&'a K, &'a A), |(key, value)| insert(key, value));

map_ops! {
    WeakMap [K: Pointer, A: Pointer, R] [K, A, R] of KeyEntry<K, Weakly<A>, R>,
    copies [K::Target: 'static, A::Target: 'static, R: Rule<K::Target>],
    compares [R: Rule<K::Target>] [A::Target: PartialEq] [A::Target: Eq],
        |other, key| other.get_own(R::hash(&other.base.hasher, key), &key), other.get_own(R::hash(&other.base.hasher, key), &key).is_some(), |there, value| *there == **value,
    debug [K::Target: fmt::Debug, A::Target: fmt::Debug], |key, value| &**key, &**value,
    docs "let objects: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || objects.iter().map(|o| (o, o));\nlet map = weakly::WeakWeakMap::new();"
}

impl<K: Pointer, A: Pointer, R, S> IntoIterator for WeakMap<K, A, R, S> {
    type Item = (K, A);
    type IntoIter = IntoIter<(K, A)>;

    /// Moves the live entries out. Listeners are told [`Cause::Cleared`](crate::Cause::Cleared).
    fn into_iter(self) -> IntoIter<(K, A)> {
        IntoIter::new(self.base.dismantle().into_iter().map(|(_, old)| old.alive))
    }
}

impl<K: Pointer, A: Pointer, R, S: BuildHasher> Pinned<'_, WeakMap<K, A, R, S>> {
    /// The key's object in the map, and its live value. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakWeakMap};
    ///
    /// let (key, value) = (Arc::new("five".to_string()), Arc::new(5));
    /// let map = WeakWeakMap::from([(&key, &value)]);
    /// assert_eq!(map.pin().get_key_value("five"), Some((key, value)));
    /// ```
    pub fn get_key_value<Q: Lookup<K::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<(K, A)> {
        let hash = Hashed::mix(q.hash_by(&self.map.base.hasher));
        let same = seek::<K, _, M, R, Q>(q);
        let mut kept = Kept::new();
        let found = self.map.base.get(&self.guard, hash, &mut kept, same);
        after(kept, found)
    }
}
