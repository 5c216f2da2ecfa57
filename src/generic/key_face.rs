//! `WeakKeyMap`'s methods for one key: look-ups, writes, loads.

use super::base::{Done, Put};
use super::face::{Face, Pinned, both};
use super::iter::Taken;
use super::key_entry::{Either, KeyEntry, Owned, Payload};
use super::key_map::KeyMap;
use super::key_values::{Removed, ValueRef, copy};
use super::live::{Debts, Kept, Live, Old, after};
use super::lookup::{Lookup, Matches, Rule, seek, seek_node, seek_own};
use super::options::{Compute, Computed};
use crate::pointer::Pointer;
use crate::ptr::Arc;
use crate::table::Hashed;
use crate::table::node::Fresh;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::panic::Location;

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
        self.find(hash, q, |entry, _| entry.value()).map(copy)
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
        self.find(q.hash_by(&self.map().base.hasher), q, |entry, _| entry.value()).map(|value| {
            let made = f(&value);
            after(value, made)
        })
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
        found.map(|(key, value)| (key, copy(value)))
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
        let same = seek::<A, _, M, R, Q>(q);
        let found = self.map().base.find(&guard, Hashed::mix(hash), &mut kept, same, take);
        after((guard, kept), found)
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
        self.take_out(hash, q, |_, _| true).map(|(key, value)| after(key, value))
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
        self.take_out(q.hash_by(&self.map().base.hasher), q, wanted).map(|(key, value)| after(key, value))
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
        let same = seek::<A, _, M, R, Q>(q);
        let wanted = |_: &KeyEntry<A, Owned<V>, R>, (key, value): &(A, Arc<V>)| wanted(key, value).then_some(());
        let removed = {
            let guard = self.hold();
            self.map().base.remove_where(&guard, Hashed::mix(hash), &mut debts, same, wanted)
        };
        after(debts, removed.map(|((), old)| KeyEntry::taken((), old)))
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
        let same = seek_own::<A, _, R>(&key);
        let is_it = |_: &KeyEntry<A, Owned<V>, R>, (there, _): &(A, Arc<V>)| A::is_named_by(there, exact).then_some(());
        let removed = {
            let guard = self.hold();
            self.map().base.remove_where(&guard, hash, &mut debts, same, is_it)
        };
        after((debts, key), removed.map(|((), old)| value_of(old)))
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
            let same = seek_node::<A, _, R>(key);
            self.map().base.put(node, hash, &guard, &mut debts, same)
        };
        after(debts, old.map(value_of))
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
        self.put_if_absent(key, value, Location::caller()).map(drop).map_err(|(there, value)| after(there, value))
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
            Ok(value) => copy(value),
            Err((there, value)) => {
                drop(value);
                copy(there)
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
            let same = seek_node::<A, _, R>(key);
            let f = |there: Option<(&_, &(_, Arc<V>))>| match f(there.map(|(_, (_, value))| &**value)) {
                Compute::Keep => Compute::Keep,
                Compute::Insert(value) => Compute::Insert(self.map().block(value)),
                Compute::Remove => Compute::Remove,
            };
            self.map().base.compute(node, hash, &guard, &mut debts, same, f)
        };
        let value = |old| value_of::<A, V, R>(old).into_value();
        let done = match done {
            Done::Kept(there, node) => {
                let there = there.map(|(key, value)| after(key, copy(value)));
                after(node, Computed::Kept(there))
            }
            Done::Inserted(old, new) => Computed::Inserted { old: old.map(value), new: copy(new) },
            Done::Removed(old, node) => {
                let old = value(old);
                after(node, Computed::Removed(old))
            }
        };
        after(debts, done)
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
            let same = seek::<A, _, M, R, Q>(q);
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
        let put = {
            let guard = self.hold();
            let mut node = self.map().node(hash, key, location);
            // SAFETY: just made.
            unsafe { Live::fill(node.entry(), &block) };
            let same = seek_node::<A, _, R>(key);
            self.map().base.put_if_absent(node, hash, &guard, &mut debts, same)
        };
        let done = match put {
            Put::In => Ok(block),
            Put::Found((object, there), node) => {
                debts.kept.keep(Either::Key(object));
                drop(node.into_entry()); // with the map's share
                // SAFETY: never in a map, so nobody has seen it.
                Err((there, unsafe { Arc::into_unseen(block) }))
            }
        };
        after(debts, done)
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
        self.load(key, load).map(copy)
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
        let made = f(&value);
        after(value, made)
    }

    #[track_caller]
    fn load<E>(&self, key: &A, load: impl FnOnce(&A) -> Result<V, E>) -> Result<Arc<V>, E> {
        let hash = R::hash(&self.base.hasher, key);
        if let Some(there) = self.get_own(hash, key) {
            return Ok(there);
        }
        let hash = Hashed::mix(hash);
        let node = self.node(hash, key, Location::caller());
        let same = seek_node::<A, _, R>(key);
        self.base.load(&self.flights, hash, node, same, |_| load(key).map(|value| self.block(value)))
    }
}

impl<A: Pointer, V, R, S: BuildHasher> Pinned<'_, KeyMap<A, V, R, S>> {
    /// The key's value, read under the guard: free of count traffic if the map was built with
    /// [`deferred_values`](super::Builder::deferred_values), else counted. *O*(1).
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
        let same = seek::<A, _, M, R, Q>(q);
        let mut kept = Kept::new();
        let found = self.map.base.find(&self.guard, hash, &mut kept, same, |entry, _| entry.read(&self.guard));
        after(kept, found)
    }
}

/// The value of what was there, when its key's owner has gone.
fn value_of<A: Pointer, V, R>(old: Old<KeyEntry<A, Owned<V>, R>>) -> Removed<V> {
    let (key, value) = KeyEntry::taken((), old);
    after(key, value)
}
