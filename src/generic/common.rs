//! What every collection has, written once: how it is made, what it says of itself, room, and its outward traits.

/// Declares a collection's common part.
///
/// `with` are fields beside the base, and what they start as; `docs` are for the examples: its public name and arguments, what
/// it is called, and lines that make one with an entry that `owner` keeps alive.
macro_rules! common {
    (
        $Name:ident [$($generics:tt)*] [$($args:tt)*] of $Entry:ty, told $Key:ty,
        with { $($field:ident: $value:expr),* } $(deferred $deferred:ident)?,
        docs $public:literal, $params:literal, $it:literal, $setup:literal
    ) => {
        impl<$($generics)*> $Name<$($args)*> {
            /// An empty one. Allocates nothing.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::new();")]
            #[doc = concat!("assert_eq!(", $it, ".capacity(), 0);")]
            /// ```
            pub fn new() -> Self {
                Self::with_hasher(RandomState::new())
            }

            /// An empty one with room for `capacity` entries.
            ///
            /// # Panics
            /// If there is no memory, or no table, of that size.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::with_capacity(100);")]
            #[doc = concat!("assert!(", $it, ".capacity() >= 100);")]
            /// ```
            pub fn with_capacity(capacity: usize) -> Self {
                Self::with_capacity_and_hasher(capacity, RandomState::new())
            }

            /// A builder, for hasher, capacity, shards and a listener.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::builder().shards(2).build();")]
            #[doc = concat!("assert_eq!(", $it, ".shards(), 2);")]
            /// ```
            pub fn builder() -> Builder<Self> {
                Builder::new(RandomState::new())
            }
        }

        impl<$($generics)*, S> $Name<$($args)*, S> {
            crate::sync::const_fn! {
                /// An empty one that hashes by `hasher`. Allocates nothing; `const`, so it can be a static.
                ///
                /// # Examples
                ///
                /// ```
                /// use std::hash::{BuildHasherDefault, DefaultHasher};
                ///
                #[doc = concat!("static ALL: weakly::", $public, "<", $params, ", BuildHasherDefault<DefaultHasher>> =")]
                #[doc = concat!("    weakly::", $public, "::with_hasher(BuildHasherDefault::new());")]
                /// assert!(ALL.is_empty());
                /// ```
                pub const fn with_hasher(hasher: S) -> Self {
                    $Name { base: Base::new(hasher), $($field: $value),* }
                }
            }

            /// An empty one with room for `capacity` entries that hashes by `hasher`.
            ///
            /// # Panics
            /// If there is no memory, or no table, of that size.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::hash::RandomState;
            ///
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> =")]
            #[doc = concat!("    weakly::", $public, "::with_capacity_and_hasher(100, RandomState::new());")]
            #[doc = concat!("assert!(", $it, ".capacity() >= 100);")]
            /// ```
            pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
                let new = Self::with_hasher(hasher);
                new.reserve(capacity);
                new
            }

            /// An empty one of the same kind.
            pub(super) fn alike(&self) -> Self
            where
                S: Clone,
            {
                let new = Self::with_hasher(self.base.hasher.clone());
                $(let new = $Name { $deferred: self.$deferred, ..new };)?
                new
            }

            /// The collection under one guard: for runs of calls, and for what is lent under it.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(", $it, ".pin().len(), 1);")]
            /// # drop(owner);
            /// ```
            #[inline]
            pub fn pin(&self) -> Pinned<'_, Self> {
                Pinned::new(self)
            }
        }

        both!([$($generics)*, S] [$Name<$($args)*, S>] {
            /// Live entries: exact when quiet. *O*(shards).
            ///
            /// # Liveness
            ///
            /// Follows a death before any callback of that death runs.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(", $it, ".len(), 1);")]
            /// drop(owner);
            #[doc = concat!("assert_eq!(", $it, ".len(), 0);")]
            /// ```
            pub fn len(&self) -> usize {
                self.map().base.table.len()
            }

            /// Is there no live entry?
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("assert!(weakly::", $public, "::<", $params, ">::new().is_empty());")]
            /// ```
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// How many entries fit without growing, if they spread evenly.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("assert_eq!(weakly::", $public, "::<", $params, ">::new().capacity(), 0);")]
            /// ```
            pub fn capacity(&self) -> usize {
                let guard = self.hold();
                self.map().base.table.capacity(&guard)
            }

            /// What the collection hashes by.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::hash::BuildHasher;
            ///
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::new();")]
            #[doc = concat!("let hash = ", $it, ".hasher().hash_one(5u64);")]
            /// ```
            pub fn hasher(&self) -> &S {
                &self.map().base.hasher
            }

            /// How many shards there are, or will be at the first write.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("assert!(weakly::", $public, "::<", $params, ">::new().shards().is_power_of_two());")]
            /// ```
            pub fn shards(&self) -> usize {
                self.map().base.table.shards()
            }

            /// Figures: exact when quiet. *O*(shards).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// drop(owner);
            #[doc = concat!("assert_eq!(", $it, ".stats().died, 1);")]
            /// ```
            pub fn stats(&self) -> Stats {
                let capacity = self.capacity();
                self.map().base.table.core().map_or_else(Stats::default, |core| Stats::of(core, capacity))
            }

            /// Panics if something is wrong inside. For tests: nobody else is at work on it.
            #[doc(hidden)]
            pub fn validate(&self) {
                self.map().base.table.validate();
            }

            /// How many dead entries wait in the queues of busy shards: 0 when quiet.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("assert_eq!(weakly::", $public, "::<", $params, ">::new().pending_removals(), 0);")]
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
            #[doc = concat!("assert_eq!(weakly::", $public, "::<", $params, ">::new().run_pending_removals(), 0);")]
            /// ```
            pub fn run_pending_removals(&self) -> usize {
                let guard = self.hold();
                self.map().base.table.run_pending(&guard)
            }

            /// Subscribes to what leaves: a bounded queue of keys and causes (see [`Removals`]).
            ///
            /// # Examples
            ///
            /// ```
            /// use weakly::Cause;
            ///
            #[doc = $setup]
            #[doc = concat!("let removals = ", $it, ".removals();")]
            /// drop(owner);
            /// assert!(matches!(removals.try_next(), Some((_, Cause::Died))));
            /// ```
            pub fn removals(&self) -> Removals<$Key>
            where
                $Key: Clone + Send + Sync + 'static,
            {
                self.map().base.table.removals()
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
            #[doc = $setup]
            #[doc = concat!($it, ".clear();")]
            #[doc = concat!("assert!(", $it, ".is_empty());")]
            /// # drop(owner);
            /// ```
            pub fn clear(&self) {
                let mut later = Later::new();
                let guard = self.hold();
                self.map().base.table.clear(&guard, &mut later);
            }

            /// Makes room for `additional` more entries, if they spread evenly. Kept until it is shrunk by name.
            ///
            /// # Panics
            /// If there is no memory, or no table, of that size.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::new();")]
            #[doc = concat!($it, ".reserve(100);")]
            #[doc = concat!("assert!(", $it, ".capacity() >= 100);")]
            /// ```
            pub fn reserve(&self, additional: usize) {
                if let Err(error) = self.try_reserve(additional) {
                    panic!("reserve({additional}): {error}");
                }
            }

            /// [`reserve`](Self::reserve) that says so if it can't.
            ///
            /// # Errors
            /// There is no memory, or no table, of that size; shards that had room made keep it. (The little that a collection's first
            /// write makes besides must be there, else it aborts as any write does.)
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::new();")]
            #[doc = concat!("assert!(", $it, ".try_reserve(100).is_ok());")]
            #[doc = concat!("assert!(", $it, ".try_reserve(usize::MAX).is_err());")]
            /// ```
            pub fn try_reserve(&self, additional: usize) -> Result<(), TryReserveError> {
                let guard = self.hold();
                self.map().base.table.reserve(additional, &guard).map_err(|_| TryReserveError { _private: () })
            }

            /// Gives back room beyond `capacity` entries, and what was reserved.
            ///
            /// It shrinks by itself when it is sparse; this is for at once, and to the full.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::with_capacity(1_000);")]
            #[doc = concat!($it, ".shrink_to(10);")]
            #[doc = concat!("assert!(", $it, ".capacity() < 1_000);")]
            /// ```
            pub fn shrink_to(&self, capacity: usize) {
                let guard = self.hold();
                self.map().base.table.shrink_to(capacity, &guard);
            }

            /// Gives back all room that the live entries don't need.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let ", $it, ": weakly::", $public, "<", $params, "> = weakly::", $public, "::with_capacity(1_000);")]
            #[doc = concat!($it, ".shrink_to_fit();")]
            #[doc = concat!("assert_eq!(", $it, ".capacity(), 0);")]
            /// ```
            pub fn shrink_to_fit(&self) {
                self.shrink_to(0);
            }
        });

        impl<$($generics)*, S> Collection for $Name<$($args)*, S> {
            type Entry = $Entry;
            type Hasher = S;
            type With<S2> = $Name<$($args)*, S2>;

            fn of(parts: Parts<$Entry, S>) -> Self {
                $Name { base: parts.0, $($field: $value),* }
            }

            $(
                fn deferred(&mut self) -> Option<&mut bool> {
                    Some(&mut self.$deferred)
                }
            )?
        }

        plain!([$($generics)*, S] [$Name<$($args)*, S>]);

        impl<$($generics)*, S: Default> Default for $Name<$($args)*, S> {
            /// An empty one. Allocates nothing.
            fn default() -> Self {
                Self::with_hasher(S::default())
            }
        }
    };
}
pub(super) use common;
