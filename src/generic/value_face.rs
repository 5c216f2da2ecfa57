//! `WeakValueMap`'s methods, written once for the plain and the pinned face.

use super::face::{Face, Pinned, both};
use super::options::{Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
use super::value_iter::{Drain, ExtractIf};
use super::value_map::WeakValueMap;
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::queue::Removals;
use crate::table::Hashed;
use crate::table::walk::Place;
use equivalent::Equivalent;
use std::hash::{BuildHasher, Hash};
use std::panic::Location;

both!([K, A: Pointer, S: BuildHasher] [WeakValueMap<K, A, S>] {
    /// The live value of a key.
    ///
    /// *O*(1). Accepts whatever form of the key implements [`Equivalent`]: `&str` for a `String`, say.
    ///
    /// # Liveness
    ///
    /// Waits for no lock; looks again after each write to this very key that comes between. A value that has died is absent.
    /// Runs the key's `Hash` and `Eq`.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five".to_string(), &five);
    /// assert_eq!(map.get("five"), Some(five));
    /// ```
    #[inline]
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<A> {
        self.get_hashed(self.map().hasher.hash_one(q), q)
    }

    /// [`get`](Self::get) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the key.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// let hash = map.hasher().hash_one("five");
    /// assert_eq!(map.get_hashed(hash, "five"), Some(five));
    /// ```
    #[inline]
    pub fn get_hashed<Q: Equivalent<K> + ?Sized>(&self, hash: u64, q: &Q) -> Option<A> {
        let guard = self.hold();
        self.map().find(&guard, Hashed::mix(hash), q, |node| node.entry.revive())
    }

    /// Has the key a live value? Never upgrades it. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). The answer may be out of date when it comes: to use the value, `get` it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert!(map.contains_key("five"));
    /// drop(five);
    /// assert!(!map.contains_key("five"));
    /// ```
    pub fn contains_key<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> bool {
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(q));
        self.map().find(&guard, hash, q, |node| A::is_alive(node.entry.held()).then_some(())).is_some()
    }

    /// Removes a key; its value, if it was alive. A dead entry is absent.
    ///
    /// In the `Drop` of a value that removes its own key use [`remove_exact`](Self::remove_exact): the key may be a successor's.
    ///
    /// # Liveness
    ///
    /// Takes its shard's short lock; no user code runs under it. Linearizable: the returned value was the key's at one moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.remove("five"), Some(five));
    /// assert_eq!(map.remove("five"), None);
    /// ```
    pub fn remove<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<A> {
        self.remove_hashed(self.map().hasher.hash_one(q), q)
    }

    /// [`remove`](Self::remove) for callers that have the hash.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    ///
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// assert!(map.remove_hashed(map.hasher().hash_one(1u64), &1).is_none());
    /// ```
    pub fn remove_hashed<Q: Equivalent<K> + ?Sized>(&self, hash: u64, q: &Q) -> Option<A> {
        let mut later = Later::new();
        let guard = self.hold();
        self.map().remove_where(&guard, Hashed::mix(hash), q, &mut later, |_, _| Some(())).map(|(_, value)| value)
    }

    /// Removes a key if its value is alive and `wanted` says so.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove). `wanted` runs with no lock held, and runs again if the key changes meanwhile; what is
    /// removed is what it saw.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert!(map.remove_if("five", |_, n| **n > 5).is_none());
    /// assert!(map.remove_if("five", |_, n| **n == 5).is_some());
    /// ```
    pub fn remove_if<Q: Hash + Equivalent<K> + ?Sized>(
        &self,
        q: &Q,
        mut wanted: impl FnMut(&K, &A) -> bool,
    ) -> Option<A> {
        let mut later = Later::new();
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(q));
        let removed = self.map().remove_where(&guard, hash, q, &mut later, |k, a| wanted(k, a).then_some(()));
        removed.map(|(_, value)| value)
    }

    /// Removes a key if its value is this very object and alive. Whether it was.
    ///
    /// This is the safe form for clean-up by identity: a value that has taken the key since is left alone.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let (old, new) = (Arc::new(5), Arc::new(5));
    /// map.insert("five", &old);
    /// map.insert("five", &new);
    /// assert!(!map.remove_exact("five", &Arc::downgrade(&old)));
    /// assert!(map.remove_exact("five", &Arc::downgrade(&new)));
    /// ```
    pub fn remove_exact<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q, exact: &A::Weak) -> bool {
        let mut later = Later::new();
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(q));
        let is_it = |_: &K, a: &A| A::is_named_by(a, exact).then_some(());
        self.map().remove_where(&guard, hash, q, &mut later, is_it).is_some()
    }

    /// Removes a key; key and value, if it was alive.
    ///
    /// # Liveness
    ///
    /// As [`remove`](Self::remove); the key is cloned before the entry is taken out, with no lock held.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five".to_string(), &five);
    /// assert_eq!(map.remove_entry("five"), Some(("five".to_string(), five)));
    /// ```
    pub fn remove_entry<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<(K, A)>
    where
        K: Clone,
    {
        let mut later = Later::new();
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(q));
        self.map().remove_where(&guard, hash, q, &mut later, |k, _| Some(k.clone()))
    }
});

both!([K: Hash + Eq + Send + 'static, A: Pointer<Target: 'static>, S: BuildHasher] [WeakValueMap<K, A, S>] {
    /// Puts a value there, whatever is there now; returns the old value if it still lived.
    ///
    /// *O*(1) but for growing. The map holds `value` weakly: the entry leaves with its last owner.
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
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let (five, six) = (Arc::new(5), Arc::new(6));
    /// assert_eq!(map.insert("n", &five), None);
    /// assert_eq!(map.insert("n", &six), Some(five));
    /// ```
    #[track_caller]
    pub fn insert(&self, key: K, value: &A) -> Option<A> {
        let hash = self.map().hasher.hash_one(&key);
        self.insert_hashed(hash, key, value)
    }

    /// [`insert`](Self::insert) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the key. With
    /// another hash the entry can't be found.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert_hashed(map.hasher().hash_one("five"), "five", &five);
    /// assert!(map.contains_key("five"));
    /// ```
    #[track_caller]
    pub fn insert_hashed(&self, hash: u64, key: K, value: &A) -> Option<A> {
        let (hash, location) = (Hashed::mix(hash), Location::caller());
        let mut later = Later::new();
        let guard = self.hold();
        self.map().put(self.map().fresh(hash, key, Some(value), location), hash, &guard, &mut later)
    }

    /// Puts a value there if nothing is.
    ///
    /// # Errors
    /// The live value in the way.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// As [`insert`](Self::insert). A dead entry is not in the way.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// assert_eq!(map.try_insert("n", &five), Ok(()));
    /// assert_eq!(map.try_insert("n", &Arc::new(6)), Err(five));
    /// ```
    #[track_caller]
    pub fn try_insert(&self, key: K, value: &A) -> Result<(), A> {
        let location = Location::caller();
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(&key));
        let node = self.map().fresh(hash, key, Some(value), location);
        self.map().put_if_absent(node, hash, &guard).map_err(|(there, _)| there)
    }

    /// The live value of a key, or else this one, put there. CPython's `setdefault`, with one winner.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    ///
    /// # Liveness
    ///
    /// As [`insert`](Self::insert); a hit takes no lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = map.get_or_insert("n", Arc::new(5));
    /// assert!(Arc::ptr_eq(&five, &map.get_or_insert("n", Arc::new(6))));
    /// ```
    #[track_caller]
    pub fn get_or_insert(&self, key: K, value: A) -> A {
        let location = Location::caller();
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(&key));
        if let Some(there) = self.map().find(&guard, hash, &key, |node| node.entry.revive()) {
            drop((key, value)); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
            return there;
        }
        let node = self.map().fresh(hash, key, Some(&value), location);
        match self.map().put_if_absent(node, hash, &guard) {
            Ok(()) => value,
            Err((there, _)) => there,
        }
    }

    /// Reads, decides and writes one key in one atomic step: `f` is shown the live value, if any, and says what is to be.
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
    /// use weakly::{Arc, Compute, Computed, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let six = Arc::new(6);
    /// let done = map.compute("n", |old| match old {
    ///     Some(old) if *old >= *six => Compute::Keep,
    ///     _ => Compute::Insert(six.clone()),
    /// });
    /// assert_eq!(done, Computed::Inserted { old: None, new: six.clone() });
    /// ```
    #[track_caller]
    pub fn compute(&self, key: K, f: impl FnMut(Option<A>) -> Compute<A>) -> Computed<A> {
        let location = Location::caller();
        let mut later = Later::new();
        let guard = self.hold();
        let hash = Hashed::mix(self.map().hasher.hash_one(&key));
        self.map().compute_in(key, hash, &guard, &mut later, location, f)
    }
});

both!([K, A: Pointer, S] [WeakValueMap<K, A, S>] {
    /// Live entries: exact when quiet. *O*(shards).
    ///
    /// # Liveness
    ///
    /// Follows a death before any callback of that death runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.len(), 1);
    /// drop(five);
    /// assert_eq!(map.len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.map().table.len()
    }

    /// Is there no live entry?
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weakly::WeakValueMap::<u64, String>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries fit without growing, if they spread evenly.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::WeakValueMap::<u64, String>::new().capacity(), 0);
    /// ```
    pub fn capacity(&self) -> usize {
        let guard = self.hold();
        self.map().table.capacity(&guard)
    }

    /// What the map hashes by.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::BuildHasher;
    ///
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// let hash = map.hasher().hash_one(5u64);
    /// ```
    pub fn hasher(&self) -> &S {
        &self.map().hasher
    }

    /// How many shards the map has, or will have when it is first written to.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weakly::WeakValueMap::<u64, String>::new().shards().is_power_of_two());
    /// ```
    pub fn shards(&self) -> usize {
        self.map().table.shards()
    }

    /// Figures: exact when quiet. *O*(shards).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// map.insert("gone at once", &Arc::new(5));
    /// assert_eq!(map.stats().died, 1);
    /// ```
    pub fn stats(&self) -> Stats {
        let capacity = self.capacity();
        self.map().table.core().map_or_else(Stats::default, |core| Stats::of(core, capacity))
    }

    /// How many dead entries wait in the queues of busy shards: 0 when quiet.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::WeakValueMap::<u64, String>::new().pending_removals(), 0);
    /// ```
    pub fn pending_removals(&self) -> usize {
        self.stats().pending_removals
    }

    /// Takes out what is pending now; how much that was. Never needed: whoever holds a shard's lock does it on leaving.
    ///
    /// # Liveness
    ///
    /// Waits for the locks of shards that have something pending.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::WeakValueMap::<u64, String>::new().run_pending_removals(), 0);
    /// ```
    pub fn run_pending_removals(&self) -> usize {
        let guard = self.hold();
        self.map().table.run_pending(&guard)
    }

    /// Subscribes to what leaves: a bounded queue of keys and causes (see [`Removals`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cause, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let removals = map.removals();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// map.remove("five");
    /// assert_eq!(removals.try_next(), Some(("five", Cause::Removed)));
    /// ```
    pub fn removals(&self) -> Removals<K>
    where
        K: Clone + Send + Sync + 'static,
    {
        self.map().table.removals()
    }

    /// Takes every entry out; not a loop of removals. An entry that is inserted meanwhile may stay.
    ///
    /// # Liveness
    ///
    /// Takes each shard's lock for a moment. Listeners are told afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// map.clear();
    /// assert!(map.is_empty());
    /// ```
    pub fn clear(&self) {
        let mut later = Later::new();
        let guard = self.hold();
        self.map().table.clear(&guard, &mut later);
    }

    /// Removes the live entries that `keep` refuses.
    ///
    /// # Liveness
    ///
    /// `keep` runs with no lock held. An entry whose value is replaced meanwhile is not removed on the old one's account.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let values: Vec<_> = (0..10).map(Arc::new).collect();
    /// map.extend(values.iter().map(|v| (**v, v)));
    /// map.retain(|key, _| key % 2 == 0);
    /// assert_eq!(map.len(), 5);
    /// ```
    pub fn retain(&self, mut keep: impl FnMut(&K, &A) -> bool) {
        let mut place = Place::default();
        while !place.is_end() {
            self.map().extract_step(&mut place, |k, a| (!keep(k, a)).then_some(()));
        }
    }

    /// Makes room for `additional` more entries, if they spread evenly. Kept until the map is shrunk by name.
    ///
    /// # Panics
    /// If there is no memory, or no table, of that size.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// map.reserve(100);
    /// assert!(map.capacity() >= 100);
    /// ```
    pub fn reserve(&self, additional: usize) {
        if let Err(error) = self.try_reserve(additional) {
            panic!("reserve({additional}): {error}");
        }
    }

    /// [`reserve`](Self::reserve) that says so if it can't.
    ///
    /// # Errors
    /// There is no memory, or no table, of that size; shards that had room made keep it.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// assert!(map.try_reserve(100).is_ok());
    /// assert!(map.try_reserve(usize::MAX).is_err());
    /// ```
    pub fn try_reserve(&self, additional: usize) -> Result<(), TryReserveError> {
        let guard = self.hold();
        self.map().table.reserve(additional, &guard).map_err(|_| TryReserveError { _private: () })
    }

    /// Gives back room beyond `capacity` entries, and what was reserved.
    ///
    /// The map shrinks by itself when it is sparse; this is for at once, and to the full.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::with_capacity(1_000);
    /// map.shrink_to(10);
    /// assert!(map.capacity() < 1_000);
    /// ```
    pub fn shrink_to(&self, capacity: usize) {
        let guard = self.hold();
        self.map().table.shrink_to(capacity, &guard);
    }

    /// Gives back all room that the live entries don't need.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::with_capacity(1_000);
    /// map.shrink_to_fit();
    /// assert_eq!(map.capacity(), 0);
    /// ```
    pub fn shrink_to_fit(&self) {
        self.shrink_to(0);
    }

    /// Calls `f` for every live entry.
    ///
    /// # Liveness
    ///
    /// An entry that is there throughout is seen once, no key twice, nothing dead. Holds the values of one bucket at a time
    /// alive; the plain face pins each bucket anew, so a long walk holds nothing back.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// map.for_each(|key, value| assert_eq!((*key, **value), ("five", 5)));
    /// ```
    pub fn for_each(&self, mut f: impl FnMut(&K, &A)) {
        let mut place = Place::default();
        while !place.is_end() {
            let values: Vec<A> = {
                let guard = self.hold();
                let mut entries = Vec::new();
                self.map().table.step(&guard, &mut place, &mut entries, |node| {
                    node.entry.revive().map(|value| (&node.entry.key, value))
                });
                for (key, value) in &entries {
                    f(key, value);
                }
                entries.into_iter().map(|(_, value)| value).collect()
            };
            drop(values); // owners, perhaps the last: they go when the guard has gone
        }
    }

    /// A page of the live entries, from a cursor on: for long walks in steps, with nothing held between them.
    ///
    /// # Liveness
    ///
    /// Over all pages, an entry that is there throughout is seen once, no key twice, nothing dead, whatever is resized
    /// meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cursor, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let values: Vec<_> = (0..100).map(Arc::new).collect();
    /// map.extend(values.iter().map(|v| (**v, v)));
    /// let (mut cursor, mut seen) = (Some(Cursor::default()), 0);
    /// while let Some(from) = cursor {
    ///     let page = map.scan(from, 10);
    ///     seen += page.items.len();
    ///     cursor = page.next;
    /// }
    /// assert_eq!(seen, 100);
    /// ```
    pub fn scan(&self, from: Cursor, n: usize) -> ScanPage<(K, A)>
    where
        K: Clone,
    {
        let mut place = Place(from.0);
        let mut items = Vec::new();
        while items.len() < n.max(1) && !place.is_end() {
            let guard = self.hold();
            self.map().table.step(&guard, &mut place, &mut items, |node| {
                node.entry.revive().map(|value| (node.entry.key.clone(), value))
            });
        }
        ScanPage { items, next: (!place.is_end()).then_some(Cursor(place.0)) }
    }

    /// Every live entry. Its values are alive as long as you hold it.
    ///
    /// # Liveness
    ///
    /// As [`for_each`](Self::for_each); not one moment of the whole map, but one of each key.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.snapshot(), [("five", five)]);
    /// ```
    pub fn snapshot(&self) -> Vec<(K, A)>
    where
        K: Clone,
    {
        self.scan(Cursor::default(), usize::MAX).items
    }

    /// Removes some live entry: CPython's `popitem`.
    ///
    /// # Liveness
    ///
    /// As [`retain`](Self::retain).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.pop(), Some(("five", five)));
    /// assert_eq!(map.pop(), None);
    /// ```
    pub fn pop(&self) -> Option<(K, A)>
    where
        K: Clone,
    {
        loop {
            let (mut place, mut popped, mut seen) = (Place::default(), None, false);
            while !place.is_end() && popped.is_none() {
                let mut first = true;
                let choose = |k: &K, _: &A| {
                    seen = true;
                    std::mem::take(&mut first).then(|| k.clone())
                };
                popped = self.map().extract_step(&mut place, choose).pop();
            }
            // An entry that was seen but changed before it could be taken: somebody may still be there.
            if popped.is_some() || !seen {
                return popped;
            }
        }
    }

    /// Removes and yields the live entries that `wanted` chooses, as the iterator goes.
    ///
    /// # Liveness
    ///
    /// As [`retain`](Self::retain). Entries that were taken out but not yet yielded when the iterator is dropped are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let values: Vec<_> = (0..10).map(Arc::new).collect();
    /// map.extend(values.iter().map(|v| (**v, v)));
    /// assert_eq!(map.extract_if(|key, _| key % 2 == 0).count(), 5);
    /// assert_eq!(map.len(), 5);
    /// ```
    pub fn extract_if<F: FnMut(&K, &A) -> bool>(&self, wanted: F) -> ExtractIf<'_, K, A, F, S>
    where
        K: Clone,
    {
        ExtractIf::new(self.map(), wanted)
    }

    /// Removes and yields every live entry, as the iterator goes; what is left when it is dropped stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let values: Vec<_> = (0..10).map(Arc::new).collect();
    /// map.extend(values.iter().map(|v| (**v, v)));
    /// assert_eq!(map.drain().count(), 10);
    /// assert!(map.is_empty());
    /// ```
    pub fn drain(&self) -> Drain<'_, K, A, S>
    where
        K: Clone,
    {
        Drain::new(self.map())
    }
});

impl<K, A: Pointer, S: BuildHasher> Pinned<'_, WeakValueMap<K, A, S>> {
    /// The live value of a key, read under the guard: free of count traffic if it is deferred
    /// ([`Arc::new_deferred`](crate::Arc::new_deferred)), else counted. *O*(1).
    ///
    /// # Liveness
    ///
    /// As [`get`](Self::get). A deferred value stays readable under the guard even if it dies meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let five = Arc::new_deferred(5);
    /// map.insert("five", &five);
    /// assert_eq!(map.pin().read("five").as_deref(), Some(&5));
    /// ```
    #[inline]
    pub fn read<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<A::Snapshot<'_>> {
        let hash = Hashed::mix(self.map.hasher.hash_one(q));
        // SAFETY: the node is found under the very guard.
        self.map.find(&self.guard, hash, q, |node| unsafe { A::read(node.entry.held(), &self.guard) })
    }

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
        let hash = Hashed::mix(self.map.hasher.hash_one(q));
        self.map.find(&self.guard, hash, q, |node| Some((&node.entry.key, node.entry.revive()?)))
    }
}
