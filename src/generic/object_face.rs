//! What maps whose values are objects have for one key, written once: look-ups, writes, loads.

/// Writes the part of a map's face that looks up or writes one key.
///
/// `seek` is how a look-up by `q` hashes and compares, `own` how a key that a writer brings does.
macro_rules! object_face {
    (
        $Name:ident [$($generics:tt)*] [$($args:tt)*] of $Entry:ty, value $A:ty, shown $K:ty,
        seek [$($query:tt)*] [$($match:tt)*] |$by:ident, $q:ident| $finding:expr, $seek:expr,
        own [$($bounds:tt)*] [$($loads:tt)*] $Key:ty, |$hasher:ident, $key:ident| $hash:expr, $own:expr,
        load |$entry:ident, $loader:ident| $load:expr,
        takes [$($takes:tt)*],
        docs $setup:literal, $one:literal, $finds:literal
    ) => {
        both!([$($generics)*, S: BuildHasher] [$Name<$($args)*, S>] {
            /// The live value of a key. *O*(1).
            ///
            #[doc = $finds]
            ///
            /// # Liveness
            ///
            /// Waits for no lock; looks again after each write to this very key that comes between. A value that has died is
            /// absent. Runs the key's `Hash` and `Eq`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(map.get(", $one, "), Some(five));")]
            /// ```
            #[inline]
            pub fn get<$($query)*>(&self, $q: &Q) -> Option<$A> {
                let $by = &self.map().base.hasher;
                self.get_hashed($finding, $q)
            }

            /// [`get`](Self::get) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the key.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::hash::BuildHasher;
            #[doc = $setup]
            #[doc = concat!("let hash = map.hasher().hash_one(", $one, ");")]
            #[doc = concat!("assert_eq!(map.get_hashed(hash, ", $one, "), Some(five));")]
            /// ```
            #[inline]
            pub fn get_hashed<$($match)*>(&self, hash: u64, $q: &Q) -> Option<$A> {
                let mut kept = Kept::new();
                let alive = {
                    let guard = self.hold();
                    self.map().base.get(&guard, Hashed::mix(hash), &mut kept, $seek)?
                };
                let value = <$Entry>::value(alive, &mut kept);
                Some(after(kept, value))
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
            #[doc = $setup]
            #[doc = concat!("assert!(map.contains_key(", $one, "));")]
            /// drop(five);
            #[doc = concat!("assert!(!map.contains_key(", $one, "));")]
            /// ```
            pub fn contains_key<$($query)*>(&self, $q: &Q) -> bool {
                let $by = &self.map().base.hasher;
                let hash = Hashed::mix($finding);
                let mut kept = Kept::new();
                let guard = self.hold();
                self.map().base.has(&guard, hash, &mut kept, $seek)
            }

            /// Removes a key; its value, if it was alive. A dead entry is absent.
            ///
            /// In the `Drop` of a value that removes its own key use [`remove_exact`](Self::remove_exact): the key may be a
            /// successor's.
            ///
            /// # Liveness
            ///
            /// Takes its shard's short lock; no user code runs under it. Linearizable: the returned value was the key's at one
            /// moment.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(map.remove(", $one, "), Some(five));")]
            #[doc = concat!("assert_eq!(map.remove(", $one, "), None);")]
            /// ```
            pub fn remove<$($query)*>(&self, $q: &Q) -> Option<$A> {
                let $by = &self.map().base.hasher;
                self.remove_hashed($finding, $q)
            }

            /// [`remove`](Self::remove) for callers that have the hash.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::hash::BuildHasher;
            #[doc = $setup]
            #[doc = concat!("let hash = map.hasher().hash_one(", $one, ");")]
            #[doc = concat!("assert_eq!(map.remove_hashed(hash, ", $one, "), Some(five));")]
            /// ```
            pub fn remove_hashed<$($match)*>(&self, hash: u64, $q: &Q) -> Option<$A> {
                self.take_out(hash, $seek, |_, _| Some(())).map(|((), old)| old)
            }

            /// Removes a key if its value is alive and `wanted` says so.
            ///
            /// # Liveness
            ///
            /// As [`remove`](Self::remove). `wanted` runs with no lock held, and runs again if the key changes meanwhile; what
            /// is removed is what it saw.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert!(map.remove_if(", $one, ", |_, n| **n > 5).is_none());")]
            #[doc = concat!("assert!(map.remove_if(", $one, ", |_, n| **n == 5).is_some());")]
            /// ```
            pub fn remove_if<$($query)*>(&self, $q: &Q, mut wanted: impl FnMut(&$K, &$A) -> bool) -> Option<$A> {
                let $by = &self.map().base.hasher;
                let hash = $finding;
                let wanted = |entry: &$Entry, alive: &_| {
                    let (key, value) = entry.pair(alive);
                    wanted(key, value).then_some(())
                };
                self.take_out(hash, $seek, wanted).map(|((), old)| old)
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
            #[doc = $setup]
            #[doc = concat!("assert!(!map.remove_exact(", $one, ", &Arc::downgrade(&Arc::new(5))));")]
            #[doc = concat!("assert!(map.remove_exact(", $one, ", &Arc::downgrade(&five)));")]
            /// ```
            pub fn remove_exact<$($query)*>(&self, $q: &Q, exact: &<$A as Pointer>::Weak) -> bool {
                let $by = &self.map().base.hasher;
                let hash = $finding;
                let is_it = |entry: &$Entry, alive: &_| <$A>::is_named_by(entry.pair(alive).1, exact).then_some(());
                self.take_out(hash, $seek, is_it).is_some()
            }

            /// Removes a key; key and value, if it was alive.
            ///
            /// # Liveness
            ///
            /// As [`remove`](Self::remove); an owned key is cloned before the entry is taken out, with no lock held.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(map.remove_entry(", $one, ").unwrap().1, five);")]
            /// ```
            pub fn remove_entry<$($query)*>(&self, $q: &Q) -> Option<($K, $A)>
            where
                $($takes)*
            {
                let $by = &self.map().base.hasher;
                let hash = $finding;
                self.take_out(hash, $seek, |entry, alive| Some(entry.pair(alive).0.clone()))
            }

            /// Takes out what `wanted` says: its value, and what that said.
            fn take_out<Noted>(
                &self,
                hash: u64,
                seek: impl Fn(&<$Entry as Live>::Name, &mut Kept<<$Entry as Live>::Part>) -> Seen,
                wanted: impl FnMut(&$Entry, &<$Entry as Live>::Alive) -> Option<Noted>,
            ) -> Option<(Noted, $A)> {
                let mut debts = Debts::new();
                let (noted, old) = {
                    let guard = self.hold();
                    self.map().base.remove_where(&guard, Hashed::mix(hash), &mut debts, seek, wanted)?
                };
                let old = <$Entry>::value(old.alive, &mut debts.kept);
                Some(after(debts, (noted, old)))
            }
        });

        both!([$($generics)*, S: BuildHasher] [$Name<$($args)*, S>] [$($bounds)*] {
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
            #[doc = $setup]
            /// let six = Arc::new(6);
            #[doc = concat!("assert_eq!(map.insert(", $one, ", &six), Some(five));")]
            /// ```
            #[track_caller]
            pub fn insert(&self, $key: $Key, value: &$A) -> Option<$A> {
                let $hasher = &self.map().base.hasher;
                let hash = $hash;
                self.insert_hashed(hash, $key, value)
            }

            /// [`insert`](Self::insert) for callers that have the hash: what the map's [`hasher`](Self::hasher) makes of the
            /// key. With another hash the entry can't be found.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::hash::BuildHasher;
            #[doc = $setup]
            #[doc = concat!("let hash = map.hasher().hash_one(", $one, ");")]
            #[doc = concat!("assert!(map.insert_hashed(hash, ", $one, ", &five).is_some());")]
            /// ```
            #[track_caller]
            pub fn insert_hashed(&self, hash: u64, $key: $Key, value: &$A) -> Option<$A> {
                let (hash, location) = (Hashed::mix(hash), Location::caller());
                let mut debts = Debts::new();
                let old = {
                    let guard = self.hold();
                    let node = self.map().node(hash, $key, Some(value), location);
                    self.map().base.put(node, hash, &guard, &mut debts, $own)?
                };
                let old = <$Entry>::value(old.alive, &mut debts.kept);
                Some(after(debts, old))
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
            #[doc = $setup]
            #[doc = concat!("assert_eq!(map.try_insert(", $one, ", &Arc::new(6)), Err(five));")]
            /// ```
            #[track_caller]
            pub fn try_insert(&self, $key: $Key, value: &$A) -> Result<(), $A> {
                let location = Location::caller();
                let mut debts = Debts::new(); // a write ends here: what is ripe runs
                let there = {
                    let guard = self.hold();
                    let $hasher = &self.map().base.hasher;
                    let hash = Hashed::mix($hash);
                    let node = self.map().node(hash, $key, Some(value), location);
                    match self.map().base.put_if_absent(node, hash, &guard, &mut debts, $own) {
                        Put::In => return Ok(()),
                        Put::Found(there, _) => there,
                    }
                };
                let there = <$Entry>::value(there, &mut debts.kept);
                Err(after(debts, there))
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
            #[doc = $setup]
            #[doc = concat!("assert!(Arc::ptr_eq(&five, &map.get_or_insert(", $one, ", Arc::new(6))));")]
            /// ```
            #[track_caller]
            pub fn get_or_insert(&self, $key: $Key, value: $A) -> $A {
                let location = Location::caller();
                let $hasher = &self.map().base.hasher;
                let hash = $hash;
                if let Some(there) = self.map().get_own(hash, &$key) {
                    return after(($key, value), there);
                }
                let hash = Hashed::mix(hash);
                let mut debts = Debts::new(); // a write ends here: what is ripe runs
                let there = {
                    let guard = self.hold();
                    let node = self.map().node(hash, $key, Some(&value), location);
                    match self.map().base.put_if_absent(node, hash, &guard, &mut debts, $own) {
                        Put::In => return value,
                        Put::Found(there, _) => there,
                    }
                };
                let there = <$Entry>::value(there, &mut debts.kept);
                after((debts, value), there)
            }

            /// Reads, decides and writes one key in one atomic step: `f` is shown the live value, if any, and says what is to
            /// be.
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
            /// use weakly::{Compute, Computed};
            #[doc = $setup]
            /// let six = Arc::new(6);
            #[doc = concat!("let done = map.compute(", $one, ", |old| match old {")]
            ///     Some(old) if *old >= *six => Compute::Keep,
            ///     _ => Compute::Insert(six.clone()),
            /// });
            /// assert_eq!(done, Computed::Inserted { old: Some(five), new: six.clone() });
            /// ```
            #[track_caller]
            pub fn compute(&self, $key: $Key, mut f: impl FnMut(Option<$A>) -> Compute<$A>) -> Computed<$A> {
                let location = Location::caller();
                let mut debts = Debts::new();
                let done = {
                    let $hasher = &self.map().base.hasher;
                    let hash = Hashed::mix($hash);
                    let guard = self.hold();
                    let node = self.map().node(hash, $key, None, location);
                    let f = |there: Option<(&$Entry, &_)>| f(there.map(|(entry, alive)| entry.pair(alive).1.clone()));
                    self.map().base.compute(node, hash, &guard, &mut debts, $own, f)
                };
                let value = |alive, kept: &mut _| <$Entry>::value(alive, kept);
                let (done, node) = match done {
                    Done::Kept(there, node) => (Computed::Kept(there.map(|there| value(there, &mut debts.kept))), Some(node)),
                    Done::Inserted(old, new) => {
                        (Computed::Inserted { old: old.map(|old| value(old.alive, &mut debts.kept)), new }, None)
                    }
                    Done::Removed(old, node) => (Computed::Removed(value(old.alive, &mut debts.kept)), Some(node)),
                };
                after((node.map(Fresh::into_entry), debts), done)
            }
        });

        impl<$($generics)*, S: BuildHasher> $Name<$($args)*, S>
        where
            $($loads)*
        {
            /// The live value of a key, or else what `load` makes: one loader a key at a time, one winner for all who ask
            /// meanwhile.
            ///
            /// # Panics
            /// If `load` does: those who wait are woken, and one of them loads. If the load would wait for itself, alone or in
            /// a ring with loads of other keys, maps and threads: "deadlock: a loader waits for itself". And as
            /// [`insert`](Self::insert).
            ///
            /// # Liveness
            ///
            /// A hit takes no lock. On a miss the caller either runs `load`, with no lock held and no guard, or waits for the
            /// thread that does; loading one key never delays another. All get that loader's very value, or the live value
            /// that another insert has put there meanwhile. In async code, call this where blocking is allowed.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("let again = map.get_or_insert_with(", $one, ", |_| unreachable!());")]
            /// assert!(Arc::ptr_eq(&five, &again));
            /// ```
            #[track_caller]
            pub fn get_or_insert_with(&self, $key: $Key, load: impl FnOnce(&$K) -> $A) -> $A {
                let Ok(value) = self.get_or_try_insert_with($key, |key| Ok::<$A, Infallible>(load(key)));
                value
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
            #[doc = $setup]
            /// drop(five);
            #[doc = concat!("assert!(map.get_or_try_insert_with(", $one, ", |_| \"x\".parse().map(Arc::new)).is_err());")]
            /// assert!(map.is_empty());
            /// ```
            #[track_caller]
            pub fn get_or_try_insert_with<E>(&self, $key: $Key, $loader: impl FnOnce(&$K) -> Result<$A, E>) -> Result<$A, E> {
                let $hasher = &self.base.hasher;
                let hash = $hash;
                if let Some(there) = self.map().get_own(hash, &$key) {
                    return Ok(after($key, there));
                }
                self.load(hash, $key, $loader, Location::caller())
            }

            /// A miss: loads, or waits for who does.
            fn load<E>(
                &self,
                hash: u64,
                $key: $Key,
                $loader: impl FnOnce(&$K) -> Result<$A, E>,
                location: &'static Location<'static>,
            ) -> Result<$A, E> {
                let hash = Hashed::mix(hash);
                let node = self.node(hash, $key, None, location);
                self.base.load(&self.flights, hash, node, $own, |$entry: &$Entry| $load)
            }
        }

        impl<$($generics)*, S: BuildHasher> Pinned<'_, $Name<$($args)*, S>> {
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
            #[doc = $setup]
            #[doc = concat!("assert_eq!(map.pin().read(", $one, ").as_deref(), Some(&5));")]
            /// ```
            #[inline]
            pub fn read<$($query)*>(&self, $q: &Q) -> Option<<$A as Pointer>::Snapshot<'_>> {
                let $by = &self.map.base.hasher;
                let hash = $finding;
                let mut kept = Kept::new();
                let found =
                    self.map.base.find(&self.guard, Hashed::mix(hash), &mut kept, $seek, |entry, _| entry.read(&self.guard));
                after(kept, found)
            }
        }
    };
}
pub(super) use object_face;
