//! `WeakKeyMap` and `PtrWeakKeyMap`: weakly held keys, values of the map's own.

use super::base::{Base, Done, Parts, Put};
use super::common::common;
use super::face::{Face, Own, Pinned, both, own};
use super::iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, Pair, PinnedWalk, Taken, ValuesOnly, Walk, WeakKeysOnly, What,
    WhatPinned,
};
use super::key_entry::{Either, KeyEntry, Owned, Payload};
use super::key_values::{Removed, ValueRef};
use super::live::{Debts, Kept, Live, Old, OwnsValues};
use super::load::Loads;
use super::lookup::{ByEq, ByPointer, Lookup, Matches, Rule, seek, seek_own};
use super::map_face::map_face;
use super::map_ops::{extend, fill, loops, map_ops, walks};
use super::options::{Builder, Collection, Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::ptr::Arc;
use crate::queue::Removals;
use crate::reclaim::Guard;
use crate::table::Hashed;
use crate::table::node::{Fresh, Node};
use crate::table::walk::Place;
use std::convert::Infallible;
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
    base: Base<KeyEntry<A, Owned<V>, R>, S>,
    flights: Loads<KeyEntry<A, Owned<V>, R>>,
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
        (key, (*value).clone())
    }
}

impl<A: Pointer, V: Clone, R> What<KeyEntry<A, Owned<V>, R>> for ValuesOnly {
    type Raw = Arc<V>;
    type Item = V;

    fn raw(entry: &KeyEntry<A, Owned<V>, R>, _: &mut Kept<Either<A, Arc<V>>>) -> Option<Arc<V>> {
        entry.value()
    }

    fn item(value: Arc<V>) -> V {
        (*value).clone()
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
    fn value(&self) -> Option<Arc<V>> {
        A::is_alive(&self.key).then(|| self.payload.revive())?
    }

    /// Reads the value under a guard, if the key is alive.
    #[inline]
    fn read<'g>(&'g self, guard: &'g Guard) -> Option<ValueRef<'g, V>> {
        A::is_alive(&self.key).then(|| self.payload.read(guard).map(ValueRef))?
    }
}

impl<A: Pointer, V, R, S> KeyMap<A, V, R, S> {
    /// A node of this map, yet to be filled.
    fn node(&self, hash: Hashed, key: &A, location: &'static Location<'static>) -> Fresh<KeyEntry<A, Owned<V>, R>> {
        Node::fresh(self.base.table.core_or_new(), hash.position(), KeyEntry::new(key), location)
    }

    /// A block for a value.
    fn block(&self, value: V) -> Arc<V>
    where
        V: Send + 'static,
    {
        if self.deferred { Arc::new_deferred(value) } else { Arc::new(value) }
    }

    /// The value of a key that is at hand.
    fn get_own(&self, hash: u64, key: &A) -> Option<Arc<V>>
    where
        R: Rule<A::Target>,
    {
        let mut kept = Kept::new();
        let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(key, &entry.key, kept);
        self.base.find(&own(), Hashed::mix(hash), &mut kept, same, |entry, _| entry.value())
    }

    /// An empty map of the same kind.
    fn alike(&self) -> Self
    where
        S: Clone,
    {
        KeyMap { deferred: self.deferred, ..Self::with_hasher(self.base.hasher.clone()) }
    }
}

common! {
    KeyMap [A: Pointer, V, R] [A, V, R] of KeyEntry<A, Owned<V>, R>, told A::Weak,
    with { flights: OnceLock::new(), deferred: false } deferred deferred,
    docs "WeakKeyMap", "String, u64", "map",
        "let owner = weakly::Arc::new(\"five\".to_string());\nlet map = weakly::WeakKeyMap::new();\nmap.insert(&owner, 5);"
}

both!([A: Pointer, V, R, S: BuildHasher] [KeyMap<A, V, R, S>] {
    /// A copy of a key's value. *O*(1) but for the clone; without one see [`with`](Self::with) and [`read`](Pinned::read).
    ///
    /// By equality, accepts whatever form of the key implements [`Equivalent`](crate::Equivalent), and pointers to it; by address,
    /// what names the object ([`SameObject`](super::SameObject)).
    ///
    /// # Liveness
    ///
    /// Waits for no lock; looks again after each write to this very key that comes between. The value of a key that has died is
    /// absent. Runs the key's `Hash` and `Eq`, and the value's `Clone`, with no lock held.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!((map.get(&key), map.get("five")), (Some(5), Some(5)));
    /// ```
    pub fn get<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<V>
    where
        V: Clone,
    {
        self.get_hashed(q.hash_by(&self.map().base.hasher), q)
    }

    /// [`get`](Self::get) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the key.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.get_hashed(map.hasher().hash_one("five"), "five"), Some(5));
    /// ```
    pub fn get_hashed<Q: Matches<A::Target, M, R> + ?Sized, M>(&self, hash: u64, q: &Q) -> Option<V>
    where
        V: Clone,
    {
        self.find(hash, q, |entry, _| entry.value()).map(|value| (*value).clone())
    }

    /// Shows a key's value to `f`. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). `f` runs with no lock held; the value stays while it runs, even if its key dies.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, "a long text".to_string())]);
    /// assert_eq!(map.with(&key, String::len), Some(11));
    /// ```
    pub fn with<Q: Lookup<A::Target, M, R> + ?Sized, M, T>(&self, q: &Q, f: impl FnOnce(&V) -> T) -> Option<T> {
        self.find(q.hash_by(&self.map().base.hasher), q, |entry, _| entry.value()).map(|value| f(&value))
    }

    /// The key's object in the map, if it is there. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(Arc::ptr_eq(&map.get_key("five").unwrap(), &key));
    /// ```
    pub fn get_key<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<A> {
        let find = |entry: &KeyEntry<A, Owned<V>, R>| entry.payload.is_alive().then(|| A::revive(&entry.key))?;
        self.find(q.hash_by(&self.map().base.hasher), q, |entry, _| find(entry))
    }

    /// The key's object in the map, and a copy of its value. *O*(1) but for the clone.
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.get_both("five"), Some((key, 5)));
    /// ```
    pub fn get_both<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<(A, V)>
    where
        V: Clone,
    {
        let found = self.find(q.hash_by(&self.map().base.hasher), q, |entry, kept| entry.revive(kept));
        found.map(|(key, value)| (key, (*value).clone()))
    }

    /// Is the key there, alive? Never upgrades it by a pointer. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). The answer may be out of date when it comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(map.contains_key(&key) && map.contains_key("five") && !map.contains_key("six"));
    /// ```
    pub fn contains_key<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> bool {
        self.find(q.hash_by(&self.map().base.hasher), q, |entry, _| entry.is_alive().then_some(())).is_some()
    }

    /// What `take` makes of the key's entry.
    #[inline]
    fn find<Q: Matches<A::Target, M, R> + ?Sized, M, T>(
        &self,
        hash: u64,
        q: &Q,
        take: impl Fn(&KeyEntry<A, Owned<V>, R>, &mut Kept<Either<A, Arc<V>>>) -> Option<T>,
    ) -> Option<T> {
        let mut kept = Kept::new();
        let guard = self.hold();
        let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek::<A, _, M, R, Q>(q, &entry.key, kept);
        self.map().base.find(&guard, Hashed::mix(hash), &mut kept, same, take)
    }

    /// Removes a key; its value, if it was there.
    ///
    /// # Liveness
    ///
    /// Takes its shard's short lock; no user code runs under it. Linearizable: the returned value was the key's at one moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(*map.remove("five").unwrap(), 5);
    /// assert!(map.remove("five").is_none());
    /// ```
    pub fn remove<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<Removed<V>> {
        self.remove_hashed(q.hash_by(&self.map().base.hasher), q)
    }

    /// [`remove`](Self::remove) for callers that have the hash.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(map.remove_hashed(map.hasher().hash_one("five"), "five").is_some());
    /// ```
    pub fn remove_hashed<Q: Matches<A::Target, M, R> + ?Sized, M>(&self, hash: u64, q: &Q) -> Option<Removed<V>> {
        self.take_out(hash, q, |_, _| true).map(|(_, value)| value)
    }

    /// Removes a key if it is there and `wanted` says so.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove). `wanted` runs with no lock held, and runs again if the key changes meanwhile; what is
    /// removed is what it saw.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(map.remove_if("five", |_, n| *n > 5).is_none());
    /// assert!(map.remove_if("five", |_, n| *n == 5).is_some());
    /// ```
    pub fn remove_if<Q: Lookup<A::Target, M, R> + ?Sized, M>(
        &self,
        q: &Q,
        wanted: impl FnMut(&A, &V) -> bool,
    ) -> Option<Removed<V>> {
        self.take_out(q.hash_by(&self.map().base.hasher), q, wanted).map(|(_, value)| value)
    }

    /// Removes a key; its object in the map and its value, if it was there.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// let (object, value) = map.remove_entry("five").unwrap();
    /// assert!(Arc::ptr_eq(&object, &key) && *value == 5);
    /// ```
    pub fn remove_entry<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<(A, Removed<V>)> {
        self.take_out(q.hash_by(&self.map().base.hasher), q, |_, _| true)
    }

    /// Takes out what `wanted` says.
    fn take_out<Q: Matches<A::Target, M, R> + ?Sized, M>(
        &self,
        hash: u64,
        q: &Q,
        mut wanted: impl FnMut(&A, &V) -> bool,
    ) -> Option<(A, Removed<V>)> {
        let mut debts = Debts::new();
        let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek::<A, _, M, R, Q>(q, &entry.key, kept);
        let wanted = |_: &KeyEntry<A, Owned<V>, R>, (key, value): &(A, Arc<V>)| wanted(key, value).then_some(());
        let removed = {
            let guard = self.hold();
            self.map().base.remove_where(&guard, Hashed::mix(hash), &mut debts, same, wanted)
        };
        removed.map(|((), old)| KeyEntry::taken((), old))
    }
});

both!([A: Pointer, V, R: Rule<A::Target>, S: BuildHasher] [KeyMap<A, V, R, S>] {
    /// Removes this very object's entry; its value, if it was there and alive. An equal key of another object is left alone.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let (key, other) = (Arc::new("five"), Arc::new("five"));
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(map.remove_exact(&Arc::downgrade(&other)).is_none());
    /// assert!(map.remove_exact(&Arc::downgrade(&key)).is_some());
    /// ```
    pub fn remove_exact(&self, exact: &A::Weak) -> Option<Removed<V>> {
        let key = A::upgrade(exact)?; // dead, it has no entry
        let hash = Hashed::mix(R::hash(&self.map().base.hasher, &key));
        let mut debts = Debts::new();
        let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(&key, &entry.key, kept);
        let is_it = |_: &KeyEntry<A, Owned<V>, R>, (there, _): &(A, Arc<V>)| A::is_named_by(there, exact).then_some(());
        let removed = {
            let guard = self.hold();
            self.map().base.remove_where(&guard, hash, &mut debts, same, is_it)
        };
        removed.map(|((), old)| KeyEntry::taken((), old).1)
    }
});

both!([A: Pointer<Target: 'static>, V: Send + 'static, R: Rule<A::Target>, S: BuildHasher] [KeyMap<A, V, R, S>] {
    /// Puts a value there, whatever is there now; returns the old value.
    ///
    /// *O*(1) but for growing. The map holds `key` weakly, and keeps this very object, also over an equal one.
    ///
    /// # Panics
    /// If a shard would outgrow its bounds (some 4·10⁸ entries); nothing has changed then.
    ///
    /// # Liveness
    ///
    /// Takes its shard's short lock; no user code runs under it. If `Hash` or `Eq` panics, nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// assert!(map.insert(&key, 5).is_none());
    /// assert_eq!(map.insert(&key, 6).unwrap(), 5);
    /// ```
    #[track_caller]
    pub fn insert(&self, key: &A, value: V) -> Option<Removed<V>> {
        self.insert_hashed(R::hash(&self.map().base.hasher, key), key, value)
    }

    /// [`insert`](Self::insert) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the key. With
    /// another hash the entry can't be found.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// let _ = map.insert_hashed(map.hasher().hash_one("five"), &key, 5);
    /// assert!(map.contains_key(&key));
    /// ```
    #[track_caller]
    pub fn insert_hashed(&self, hash: u64, key: &A, value: V) -> Option<Removed<V>> {
        let (hash, location) = (Hashed::mix(hash), Location::caller());
        let mut debts = Debts::new();
        let old = {
            let guard = self.hold();
            let node = self.filled(hash, key, value, location);
            let same = |_: &_, there: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(key, &there.key, kept);
            self.map().base.put(node, hash, &guard, &mut debts, same)
        };
        old.map(|old| KeyEntry::taken((), old).1)
    }

    /// Puts a value there if nothing is.
    ///
    /// # Errors
    /// The value, back.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// As [`insert`](Self::insert). A dead key is not in the way.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// assert_eq!(map.try_insert(&key, 5), Ok(()));
    /// assert_eq!(map.try_insert(&key, 6), Err(6));
    /// ```
    #[track_caller]
    pub fn try_insert(&self, key: &A, value: V) -> Result<(), V> {
        self.put_if_absent(key, value, Location::caller()).map(drop).map_err(|(_, value)| value)
    }

    /// A copy of the key's value, or else of this one, put there. CPython's `setdefault`, with one winner.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// As [`insert`](Self::insert).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// assert_eq!((map.get_or_insert(&key, 5), map.get_or_insert(&key, 6)), (5, 5));
    /// ```
    #[track_caller]
    pub fn get_or_insert(&self, key: &A, value: V) -> V
    where
        V: Clone,
    {
        match self.put_if_absent(key, value, Location::caller()) {
            Ok(value) => (*value).clone(),
            Err((there, value)) => {
                drop(value); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
                (*there).clone()
            }
        }
    }

    /// Reads, decides and writes one key in one atomic step: `f` is shown the value, if any, and says what is to be.
    ///
    /// # Panics
    /// As [`insert`](Self::insert), and if `f` does; nothing has changed then.
    ///
    /// # Liveness
    ///
    /// `f` runs with no lock held, and runs again if the key changes meanwhile; what is done is what it said last.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Compute, Computed, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("count");
    /// let count = |n: Option<&u32>| Compute::Insert(n.copied().unwrap_or(0) + 1);
    /// assert_eq!(map.compute(&key, count), Computed::Inserted { old: None, new: 1 });
    /// assert_eq!(map.compute(&key, count), Computed::Inserted { old: Some(1), new: 2 });
    /// ```
    #[track_caller]
    pub fn compute(&self, key: &A, mut f: impl FnMut(Option<&V>) -> Compute<V>) -> Computed<V>
    where
        V: Clone,
    {
        let location = Location::caller();
        let hash = Hashed::mix(R::hash(&self.map().base.hasher, key));
        let mut debts = Debts::new();
        let done = {
            let guard = self.hold();
            let node = self.map().node(hash, key, location);
            let same = |_: &_, there: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(key, &there.key, kept);
            let f = |there: Option<(&_, &(_, Arc<V>))>| match f(there.map(|(_, (_, value))| &**value)) {
                Compute::Keep => Compute::Keep,
                Compute::Insert(value) => Compute::Insert(self.map().block(value)),
                Compute::Remove => Compute::Remove,
            };
            self.map().base.compute(node, hash, &guard, &mut debts, same, f)
        };
        let value = |old| KeyEntry::<A, Owned<V>, R>::taken((), old).1.into_value();
        match done {
            Done::Kept(there, _) => Computed::Kept(there.map(|(_, value)| (*value).clone())),
            Done::Inserted(old, new) => Computed::Inserted { old: old.map(value), new: (*new).clone() },
            Done::Removed(old, _) => Computed::Removed(value(old)),
        }
    }

    /// Replaces a key's value by what `f` makes of it, in one atomic step. False: the key isn't there.
    ///
    /// # Panics
    /// If `f` does; nothing has changed then.
    ///
    /// # Liveness
    ///
    /// `f` runs with no lock held, and runs again if the key changes meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert!(map.update("five", |n| n + 1) && !map.update("six", |n| n + 1));
    /// assert_eq!(map.get("five"), Some(6));
    /// ```
    #[track_caller]
    pub fn update<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q, mut f: impl FnMut(&V) -> V) -> bool {
        let location = Location::caller();
        let hash = Hashed::mix(q.hash_by(&self.map().base.hasher));
        let mut debts = Debts::new();
        let old = {
            let guard = self.hold();
            let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek::<A, _, M, R, Q>(q, &entry.key, kept);
            let make = |(key, value): &(A, Arc<V>)| self.filled(hash, key, f(value), location);
            self.map().base.replace_by(hash, &guard, &mut debts, same, make)
        };
        old.is_some()
    }

    /// A node of this map.
    fn filled(
        &self,
        hash: Hashed,
        key: &A,
        value: V,
        location: &'static Location<'static>,
    ) -> Fresh<KeyEntry<A, Owned<V>, R>> {
        let mut node = self.map().node(hash, key, location);
        // SAFETY: just made.
        unsafe { Live::fill(node.entry(), &self.map().block(value)) };
        node
    }

    /// Puts a value there if nothing is; it, or else the one that is there and this one back.
    fn put_if_absent(
        &self,
        key: &A,
        value: V,
        location: &'static Location<'static>,
    ) -> Result<Arc<V>, (Arc<V>, V)> {
        let hash = R::hash(&self.map().base.hasher, key);
        if let Some(there) = self.map().get_own(hash, key) {
            return Err((there, value));
        }
        let hash = Hashed::mix(hash);
        let mut debts = Debts::new(); // a write ends here: what is ripe runs
        let block = self.map().block(value);
        let (there, node) = {
            let guard = self.hold();
            let mut node = self.map().node(hash, key, location);
            // SAFETY: just made.
            unsafe { Live::fill(node.entry(), &block) };
            let same = |_: &_, there: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(key, &there.key, kept);
            match self.map().base.put_if_absent(node, hash, &guard, &mut debts, same) {
                Put::In => return Ok(block),
                Put::Found((object, there), node) => {
                    debts.kept.keep(Either::Key(object));
                    (there, node)
                }
            }
        };
        drop(node.into_entry()); // with the map's share
        // SAFETY: never in a map, so nobody has seen it.
        Err((there, unsafe { Arc::into_unseen(block) }))
    }
});

impl<A: Pointer<Target: 'static>, V: Send + Sync + 'static, R: Rule<A::Target>, S: BuildHasher> KeyMap<A, V, R, S> {
    /// A copy of the key's value, or else of what `load` makes: one loader a key at a time, one winner for all who ask meanwhile.
    ///
    /// # Panics
    /// If `load` does: those who wait are woken, and one of them loads. If the load would wait for itself, alone or in a ring
    /// with loads of other keys, maps and threads: "deadlock: a loader waits for itself". And as [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// A hit takes no lock. On a miss the caller either runs `load`, with no lock held and no guard, or waits for the thread
    /// that does; loading one key never delays another. In async code, call this where blocking is allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// assert_eq!(map.get_or_insert_with(&key, |key| key.len()), 4);
    /// assert_eq!(map.get_or_insert_with(&key, |_| unreachable!()), 4);
    /// ```
    #[track_caller]
    pub fn get_or_insert_with(&self, key: &A, load: impl FnOnce(&A) -> V) -> V
    where
        V: Clone,
    {
        self.with_or_insert_with(key, load, V::clone)
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with) for a loader that can fail.
    ///
    /// # Errors
    /// What `load` returned. Those who wait are woken, and one of them loads.
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
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let map = WeakKeyMap::new();
    /// let key = Arc::new("five");
    /// assert!(map.get_or_try_insert_with(&key, |key| key.parse::<u32>()).is_err());
    /// assert!(map.is_empty());
    /// ```
    #[track_caller]
    pub fn get_or_try_insert_with<E>(&self, key: &A, load: impl FnOnce(&A) -> Result<V, E>) -> Result<V, E>
    where
        V: Clone,
    {
        self.load(key, load).map(|value| (*value).clone())
    }

    /// Shows `f` the key's value, or else what `load` makes: [`get_or_insert_with`](Self::get_or_insert_with) without the clone.
    ///
    /// # Panics
    /// As [`get_or_insert_with`](Self::get_or_insert_with), and if `f` does.
    ///
    /// # Liveness
    ///
    /// As [`get_or_insert_with`](Self::get_or_insert_with). `f` runs with no lock held; the value stays while it runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use weakly::{Arc, PtrWeakKeyMap};
    ///
    /// let hits = PtrWeakKeyMap::new();
    /// let page = Arc::new("index.html");
    /// for n in 0..3 {
    ///     assert_eq!(hits.with_or_insert_with(&page, |_| AtomicU32::new(0), |count| count.fetch_add(1, Relaxed)), n);
    /// }
    /// ```
    #[track_caller]
    pub fn with_or_insert_with<T>(&self, key: &A, load: impl FnOnce(&A) -> V, f: impl FnOnce(&V) -> T) -> T {
        let Ok(value) = self.load(key, |key| Ok::<V, Infallible>(load(key)));
        f(&value)
    }

    #[track_caller]
    fn load<E>(&self, key: &A, load: impl FnOnce(&A) -> Result<V, E>) -> Result<Arc<V>, E> {
        let hash = R::hash(&self.base.hasher, key);
        if let Some(there) = self.get_own(hash, key) {
            return Ok(there);
        }
        let hash = Hashed::mix(hash);
        let node = self.node(hash, key, Location::caller());
        let same = |_: &_, there: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek_own::<A, _, R>(key, &there.key, kept);
        self.base.load(&self.flights, hash, node, same, |_| load(key).map(|value| self.block(value)))
    }
}

impl<A: Pointer, V, R, S: BuildHasher> Pinned<'_, KeyMap<A, V, R, S>> {
    /// The key's value, read under the guard: free of count traffic if the map was built with
    /// [`deferred_values`](Builder::deferred_values), else counted. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). The value stays while you hold it, even if its key dies.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five".to_string());
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.pin().read("five").as_deref(), Some(&5));
    /// ```
    #[inline]
    pub fn read<Q: Lookup<A::Target, M, R> + ?Sized, M>(&self, q: &Q) -> Option<ValueRef<'_, V>> {
        let hash = Hashed::mix(q.hash_by(&self.map.base.hasher));
        let same = |entry: &KeyEntry<A, Owned<V>, R>, kept: &mut _| seek::<A, _, M, R, Q>(q, &entry.key, kept);
        self.map.base.find(&self.guard, hash, &mut Kept::new(), same, |entry, _| entry.read(&self.guard))
    }
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

impl<A: Pointer, V, R, S> KeyMap<A, V, R, S> {
    /// Moves owners of the live entries' keys out.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five");
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.into_keys().collect::<Vec<_>>(), [key]);
    /// ```
    pub fn into_keys(self) -> IntoIter<A> {
        IntoIter::new(self.into_iter().map(|(key, value)| {
            drop(value); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
            key
        }))
    }

    /// Moves the values of the live entries out.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("five");
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.into_values().next().unwrap(), 5);
    /// ```
    pub fn into_values(self) -> IntoIter<Removed<V>> {
        IntoIter::new(self.into_iter().map(|(key, value)| {
            drop(key); // as in `into_keys`
            value
        }))
    }
}
