//! `WeakValueMap`: owned keys, weakly held values.

use super::base::{Base, Done, Parts, Put};
use super::common::common;
use super::face::{Face, Own, Pinned, both, own, plain};
use super::iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, Pair, PinnedWalk, Taken, ValuesOnly, Walk, WeakValuesOnly, What,
    WhatPinned, what,
};
use super::live::{Debts, Kept, Live, Old, Seen, Tells, after};
use super::load::Loads;
use super::map_face::map_face;
use super::map_ops::{extend, fill, loops, map_ops, walks};
use super::object_face::object_face;
use super::options::{Builder, Collection, Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
use crate::block::head::Head;
use crate::death::hook::{Hook, Later, ObserverKind};
use crate::pointer::Pointer;
use crate::queue::Removals;
use crate::reclaim::Guard;
use crate::table::Hashed;
use crate::table::node::{Entry, Fresh, Node};
use crate::table::walk::Place;
use equivalent::Equivalent;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem::needs_drop;
use std::ops::{BitOr, BitOrAssign};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

/// A concurrent map whose values are held weakly: an entry lives exactly as long as somebody uses its value. CPython's
/// `WeakValueDictionary`.
///
/// Look-ups take no lock and wait for nobody. An entry leaves with the last [`Arc`](crate::Arc) of its value, before that drop
/// returns; no maintenance call is ever needed. All methods take `&self`; a new map allocates nothing.
///
/// # Liveness
///
/// A value that has died is absent from that moment on, for every method. No lock is held while your code runs, so `Hash`,
/// `Eq`, `Drop`, loaders, callbacks and listeners may panic or use any map, this one too. Keys that have left are dropped after
/// a grace period, on a thread that writes to some collection, drops a watched object, or flushes.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakValueMap};
///
/// let sessions: WeakValueMap<String, Vec<u8>> = WeakValueMap::new();
/// let session = sessions.get_or_insert_with("ann".to_string(), |_| Arc::new(vec![1, 2, 3]));
/// assert_eq!(sessions.get("ann"), Some(session.clone()));
/// drop(session);
/// assert!(sessions.get("ann").is_none() && sessions.is_empty());
/// ```
pub struct WeakValueMap<K, A: Pointer, S = RandomState> {
    base: Base<ValueEntry<K, A>, S>,
    flights: Loads<ValueEntry<K, A>>,
}

/// A key, and a value held weakly.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "not for users")]
pub struct ValueEntry<K, A: Pointer> {
    key: K,
    /// `None` only before it is in a map.
    value: Option<A::Held>,
}

// SAFETY: a key, and a weak count that can become an `A` on any thread.
unsafe impl<K: Send, A: Pointer + Send> Send for ValueEntry<K, A> {}
// SAFETY: as above.
unsafe impl<K: Sync, A: Pointer + Send + Sync> Sync for ValueEntry<K, A> {}

impl<K, A: Pointer> ValueEntry<K, A> {
    /// The value's weak count.
    #[inline]
    fn held(&self) -> &A::Held {
        match &self.value {
            Some(held) => held,
            None => unreachable!("a node is linked with its value"),
        }
    }

    /// Reads the value under a guard.
    #[inline]
    fn read<'g>(&self, guard: &'g Guard) -> Option<A::Snapshot<'g>> {
        // SAFETY: the node was reached under the guard, and gives its weak count back through the epoch.
        unsafe { A::read(self.held(), guard) }
    }
}

impl<K, A: Pointer> Entry for ValueEntry<K, A> {
    type Hooks = [Hook; 1];
    type Key = K;
    type Share = ();
    const KINDS: [ObserverKind; 2] = [ObserverKind::ValueEntry; 2];
    const DROPS_USER_CODE: bool = needs_drop::<K>();

    fn hooks(mut make: impl FnMut(usize) -> Hook) -> [Hook; 1] {
        [make(0)]
    }

    fn head(&self, _: usize) -> &Head<Hook> {
        A::head(self.held())
    }

    fn with_key(&self, tell: impl FnOnce(&K)) {
        tell(&self.key);
    }

    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, A::bytes)
    }

    unsafe fn take_share(&self) {}
}

impl<K, A: Pointer> Live for ValueEntry<K, A> {
    type Alive = A;
    type Part = Infallible;
    type Value = A;
    type Name = K;

    #[inline]
    fn name(&self) -> &K {
        &self.key
    }

    #[inline]
    fn revive(&self, _: &mut Kept<Infallible>) -> Option<A> {
        A::revive(self.held())
    }

    #[inline]
    fn is_alive(&self) -> bool {
        A::is_alive(self.held())
    }

    #[inline]
    fn value(alive: A, _: &mut Kept<Infallible>) -> A {
        alive
    }

    unsafe fn fill(this: *mut Self, value: &A) {
        // SAFETY: the caller's; a reference to the value alone, for others may look at the key.
        unsafe { (*this).value = Some(A::hold(value)) }
    }
}

// A key may be shown where another thread has it too.
impl<K: Sync, A: Pointer> Tells for ValueEntry<K, A> {}

impl<K, A: Pointer> Pair for ValueEntry<K, A> {
    type K = K;
    type V = A;

    fn pair<'a>(&'a self, alive: &'a A) -> (&'a K, &'a A) {
        (&self.key, alive)
    }
}

impl<K: Clone, A: Pointer> Taken for ValueEntry<K, A> {
    type Note = K;
    type Item = (K, A);

    fn note(&self) -> K {
        self.key.clone()
    }

    fn taken(key: K, old: Old<Self>) -> (K, A) {
        (key, old.alive)
    }
}

what! {
    Entries [K: Clone, A: Pointer] ValueEntry<K, A> => (K, A), |entry, kept| entry.revive(kept).map(|a| (entry.key.clone(), a));
    KeysOnly [K: Clone, A: Pointer] ValueEntry<K, A> => K, |entry, _| entry.is_alive().then(|| entry.key.clone());
    ValuesOnly [K, A: Pointer] ValueEntry<K, A> => A, |entry, kept| entry.revive(kept);
    WeakValuesOnly [K, A: Pointer] ValueEntry<K, A> => A::Weak, |entry, _| entry.is_alive().then(|| A::weak(entry.held()));
}

impl<'g, K: 'g, A: Pointer> WhatPinned<'g, ValueEntry<K, A>> for Entries {
    type Item = (&'g K, A);
    fn item(entry: &'g ValueEntry<K, A>, _: &'g Guard, kept: &mut Kept<Infallible>) -> Option<(&'g K, A)> {
        entry.revive(kept).map(|value| (&entry.key, value))
    }
}

impl<'g, K: 'g, A: Pointer> WhatPinned<'g, ValueEntry<K, A>> for KeysOnly {
    type Item = &'g K;
    fn item(entry: &'g ValueEntry<K, A>, _: &'g Guard, _: &mut Kept<Infallible>) -> Option<&'g K> {
        entry.is_alive().then_some(&entry.key)
    }
}

impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    /// A node of this map.
    fn node(
        &self,
        hash: Hashed,
        key: K,
        value: Option<&A>,
        location: &'static Location<'static>,
    ) -> Fresh<ValueEntry<K, A>> {
        let entry = ValueEntry { key, value: value.map(A::hold) };
        Node::fresh(self.base.table.core_or_new(), hash.position(), entry, location)
    }

    /// The live value of a key of one's own.
    fn get_own(&self, hash: u64, key: &K) -> Option<A>
    where
        K: Eq,
        S: BuildHasher,
    {
        self.get_hashed(hash, key)
    }
}

common! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>, told K,
    with { flights: OnceLock::new() },
    docs "WeakValueMap", "u64, String", "map",
        "let owner = weakly::Arc::new(5);\nlet map = weakly::WeakValueMap::new();\nmap.insert(\"five\", &owner);"
}

object_face! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>, value A, shown K,
    seek [Q: Hash + Equivalent<K> + ?Sized] [Q: Equivalent<K> + ?Sized]
        |hasher, q| hasher.hash_one(q), |key: &K, _: &mut _| Seen::same_if(q.equivalent(key)),
    own [K: Hash + Eq + Send + 'static, A::Target: 'static] [K: Hash + Eq + Send + Sync + 'static, A::Target: 'static] K,
        |hasher, key| hasher.hash_one(&key),
        |new: &K, there: &K, _: &mut _| Seen::same_if(new == there),
    load |entry, load| load(&entry.key),
    takes [K: Clone],
    docs
        "use weakly::{Arc, WeakValueMap};\n\nlet five = Arc::new(5);\nlet map = WeakValueMap::from([(\"five\", &five)]);",
        "\"five\"",
        "Accepts whatever form of the key implements [`Equivalent`]: `&str` for a `String`, say."
}

map_face! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>,
    shown K, A, pages [K: Clone] (K, A), takes [K: Clone] (K, A),
    docs "let owner = weakly::Arc::new(5);\nlet map = weakly::WeakValueMap::from([(\"five\", &owner)]);"
}

walks! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>,
    docs "map", "let owner = weakly::Arc::new(5);\nlet map = weakly::WeakValueMap::from([(\"five\", &owner)]);";
    /// Iterates over the live entries. Holds the values of one bucket at a time alive.
    plain iter [K: Clone] Entries;
    /// Iterates over the live entries, keys borrowed under the guard.
    pinned iter [] Entries;
    /// Iterates over the keys of live entries. Holds no value alive, so it may be dead when you look.
    plain keys [K: Clone] KeysOnly;
    /// Iterates over the keys of live entries, borrowed under the guard. Holds no value alive.
    pinned keys [] KeysOnly;
    /// Iterates over the live values.
    both values [] ValuesOnly;
    /// Iterates over weak pointers to the live values: CPython's `itervaluerefs`.
    both weak_values [] WeakValuesOnly;
}

loops! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>,
    plain [K: Clone] Entries, pinned PinnedWalk<'a, ValueEntry<K, A>, Entries>
}

extend! {
    WeakValueMap [K, A: Pointer] [K, A] [K: Hash + Eq + Send + 'static, A::Target: 'static]
    docs "map", "let values: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || values.iter().map(|v| (**v, v));\nlet map = weakly::WeakValueMap::new();"
}
fill!(WeakValueMap [] [K, A: Pointer] [K, A] [K: Hash + Eq + Send + 'static, A::Target: 'static]
    (K, A), |(key, value)| insert(key, &value));
fill!(WeakValueMap ['a,] [K, A: Pointer] [K, A] [K: Hash + Eq + Send + 'static, A::Target: 'static]
    (K, &'a A), |(key, value)| insert(key, value));

map_ops! {
    WeakValueMap [K, A: Pointer] [K, A] of ValueEntry<K, A>,
    copies [K: Hash + Eq + Clone + Send + 'static, A::Target: 'static],
    compares [K: Hash + Eq] [A::Target: PartialEq] [A::Target: Eq],
        |other, key| other.get(key), other.contains_key(key), |there, value| *there == **value,
    debug [K: fmt::Debug, A::Target: fmt::Debug], |key, value| key, &**value,
    docs "let values: Vec<_> = (0..3).map(weakly::Arc::new).collect();\nlet items = || values.iter().map(|v| (**v, v));\nlet map = weakly::WeakValueMap::new();"
}

impl<K, A: Pointer, S> IntoIterator for WeakValueMap<K, A, S> {
    type Item = (K, A);
    type IntoIter = IntoIter<(K, A)>;

    /// Moves the live entries out. Listeners are told [`Cause::Cleared`](crate::Cause::Cleared).
    fn into_iter(self) -> IntoIter<(K, A)> {
        IntoIter::new(self.base.dismantle().into_iter().map(|(entry, old)| (entry.key, old.alive)))
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, A: Pointer<Target: 'static>, S: BuildHasher> WeakValueMap<K, A, S> {
    /// [`get_or_insert_with`](Self::get_or_insert_with), making the owned key only on a miss.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map: WeakValueMap<String, usize> = WeakValueMap::new();
    /// let n = map.get_or_insert_with_ref("abc", |key| Arc::new(key.len()));
    /// assert_eq!(*n, 3);
    /// ```
    #[track_caller]
    pub fn get_or_insert_with_ref<Q>(&self, q: &Q, load: impl FnOnce(&K) -> A) -> A
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.get_or_try_insert_with_ref(q, |key| Ok::<A, Infallible>(load(key)));
        value
    }

    /// [`get_or_try_insert_with`](Self::get_or_try_insert_with), making the owned key only on a miss.
    ///
    /// # Errors
    /// What `load` returned.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map: WeakValueMap<String, u16> = WeakValueMap::new();
    /// assert!(map.get_or_try_insert_with_ref("80", |key| key.parse().map(Arc::new)).is_ok());
    /// assert!(map.get_or_try_insert_with_ref("x", |key| key.parse().map(Arc::new)).is_err());
    /// ```
    #[track_caller]
    pub fn get_or_try_insert_with_ref<Q, E>(&self, q: &Q, load: impl FnOnce(&K) -> Result<A, E>) -> Result<A, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.base.hasher.hash_one(q);
        match self.get_hashed(hash, q) {
            Some(there) => Ok(there),
            None => self.load(hash, q.to_owned(), load, Location::caller()),
        }
    }
}

impl<K, A: Pointer, S: BuildHasher> Pinned<'_, WeakValueMap<K, A, S>> {
    /// The key as it is in the map, and its live value. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five".to_string(), &five);
    /// assert_eq!(map.pin().get_key_value("five"), Some((&"five".to_string(), five)));
    /// ```
    pub fn get_key_value<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<(&K, A)> {
        let hash = Hashed::mix(self.map.base.hasher.hash_one(q));
        let same = |key: &K, _: &mut _| Seen::same_if(q.equivalent(key));
        self.map
            .base
            .find(&self.guard, hash, &mut Kept::new(), same, |entry, kept| Some((&entry.key, entry.revive(kept)?)))
    }
}

#[cfg(weakly_loom)]
impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    /// The table itself, for the models.
    #[doc(hidden)]
    pub fn table(&self) -> &crate::table::Table<ValueEntry<K, A>> {
        &self.base.table
    }
}
