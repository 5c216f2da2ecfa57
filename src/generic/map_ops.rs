//! Maps as wholes, written once: filling, copying, joining, comparing, showing.

/// Filling from items of one kind.
macro_rules! fill {
    (
        $Name:ident [$($lifetime:tt)*] [$($generics:tt)*] [$($args:tt)*] [$($bounds:tt)*]
        $item:ty, |$pattern:pat_param| $insert:ident($($inserted:expr),*)
    ) => {
        impl<$($lifetime)* $($generics)*, S: BuildHasher + Default> FromIterator<$item> for $Name<$($args)*, S>
        where
            $($bounds)*
        {
            #[track_caller]
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                let new = Self::default();
                new.extend(items);
                new
            }
        }

        impl<$($lifetime)* $($generics)*, S: BuildHasher> Extend<$item> for $Name<$($args)*, S>
        where
            $($bounds)*
        {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                Extend::extend(&mut &*self, items);
            }
        }

        impl<$($lifetime)* $($generics)*, S: BuildHasher> Extend<$item> for &$Name<$($args)*, S>
        where
            $($bounds)*
        {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                for $pattern in items {
                    self.$insert($($inserted),*);
                }
            }
        }

        impl<$($lifetime)* $($generics)*, const N: usize> From<[$item; N]> for $Name<$($args)*>
        where
            $($bounds)*
        {
            #[track_caller]
            fn from(items: [$item; N]) -> Self {
                let new = Self::new();
                new.extend(items); // not by `collect`, which doesn't say who called it
                new
            }
        }
    };
}
pub(super) use fill;

/// The inherent `extend`.
macro_rules! extend {
    ($Name:ident [$($generics:tt)*] [$($args:tt)*] [$($bounds:tt)*] docs $it:literal, $setup:literal) => {
        impl<$($generics)*, S: BuildHasher> $Name<$($args)*, S>
        where
            $($bounds)*
        {
            /// Inserts every item, owned or borrowed: [`Extend`] without `mut`.
            ///
            /// # Panics
            /// As [`insert`](Self::insert), and if the iterator does; what was inserted stays.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!($it, ".extend(items());")]
            #[doc = concat!("assert_eq!(", $it, ".len(), 3);")]
            /// ```
            #[track_caller]
            pub fn extend<'a, X>(&'a self, items: impl IntoIterator<Item = X>)
            where
                &'a Self: Extend<X>,
            {
                let mut this = self;
                Extend::extend(&mut this, items);
            }
        }
    };
}
pub(super) use extend;

/// Writes what a map is as a whole. `at` finds a shown key in another map, and `eq` compares what it found with a shown value.
macro_rules! map_ops {
    (
        $Name:ident [$($generics:tt)*] [$($args:tt)*] of $Entry:ty,
        copies [$($copies:tt)*],
        compares [$($finds:tt)*] [$($eq_bound:tt)*] [$($full_eq:tt)*],
            |$other:ident, $key:ident| $at:expr, $has:expr, |$there:ident, $value:ident| $eq:expr,
        debug [$($debug:tt)*], |$shown_key:ident, $shown:ident| $key_shown:expr, $value_shown:expr,
        docs $setup:literal
    ) => {
        impl<$($generics)*, S: BuildHasher + Clone> Clone for $Name<$($args)*, S>
        where
            $($copies)*
        {
            /// An independent map of the live entries. Listeners and subscriptions are not copied.
            #[track_caller]
            fn clone(&self) -> Self {
                let map = self.alike();
                map.extend(self.iter());
                map
            }
        }

        impl<$($generics)*, S: BuildHasher + Clone> BitOr<&$Name<$($args)*, S>> for &$Name<$($args)*, S>
        where
            $($copies)*
        {
            type Output = $Name<$($args)*, S>;

            /// The live entries of both; the right side wins.
            #[track_caller]
            fn bitor(self, right: &$Name<$($args)*, S>) -> $Name<$($args)*, S> {
                let map = self.clone();
                map.extend(right.iter());
                map
            }
        }

        impl<$($generics)*, S: BuildHasher> BitOrAssign<&$Name<$($args)*, S>> for $Name<$($args)*, S>
        where
            $($copies)*
        {
            /// Adds the live entries of the right side, which wins.
            #[track_caller]
            fn bitor_assign(&mut self, right: &$Name<$($args)*, S>) {
                self.extend(right.iter());
            }
        }

        impl<$($generics)*, S: BuildHasher> $Name<$($args)*, S>
        where
            $($finds)*
        {
            /// Is every live entry here in `other` too, with an equal live value?
            ///
            /// # Liveness
            ///
            /// Runs `Eq` of keys and values, with no lock held. Of maps that change meanwhile it says what it saw, key by key.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// map.extend(items());
            /// let some = map.clone();
            /// some.pop();
            /// assert!(some.is_submap(&map) && !map.is_submap(&some));
            /// ```
            pub fn is_submap<S2: BuildHasher>(&self, other: &$Name<$($args)*, S2>) -> bool
            where
                $($eq_bound)*
            {
                let $other = other;
                self.all(|$key, $value| $at.is_some_and(|$there| $eq))
            }

            /// Is every live key here in `other` too, alive?
            ///
            /// # Liveness
            ///
            /// As [`is_submap`](Self::is_submap).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            /// map.extend(items());
            /// assert!(map.domain_is_subset(&map.clone()));
            /// ```
            pub fn domain_is_subset<S2: BuildHasher>(&self, other: &$Name<$($args)*, S2>) -> bool {
                let $other = other;
                self.all(|$key, _| $has)
            }

            /// Is `holds` true of every live entry? Stops at the first of which it isn't.
            fn all(&self, mut holds: impl FnMut(&<$Entry as Pair>::K, &<$Entry as Pair>::V) -> bool) -> bool {
                self.base.all(own, |entry, alive| {
                    let (key, value) = entry.pair(alive);
                    holds(key, value)
                })
            }
        }

        impl<$($generics)*, S: BuildHasher> PartialEq for $Name<$($args)*, S>
        where
            $($finds)*,
            $($eq_bound)*
        {
            /// The same live keys with equal live values.
            fn eq(&self, other: &Self) -> bool {
                self.is_submap(other) && other.domain_is_subset(self)
            }
        }

        impl<$($generics)*, S: BuildHasher> Eq for $Name<$($args)*, S>
        where
            $($finds)*,
            $($full_eq)*
        {
        }

        impl<$($generics)*, S: BuildHasher> PartialEq for Pinned<'_, $Name<$($args)*, S>>
        where
            $($finds)*,
            $($eq_bound)*
        {
            /// As the maps.
            fn eq(&self, other: &Self) -> bool {
                self.map == other.map
            }
        }

        impl<$($generics)*, S> fmt::Debug for $Name<$($args)*, S>
        where
            $($debug)*
        {
            /// The live entries.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut map = f.debug_map();
                self.for_each(|$shown_key, $shown| {
                    map.entry(&$key_shown, &$value_shown);
                });
                map.finish()
            }
        }
    };
}
pub(super) use map_ops;

/// Iterators by their names: for both faces, or the plain one, or the pinned one.
macro_rules! walks {
    (
        $Name:ident $generics:tt $args:tt of $Entry:ty, docs $it:literal, $setup:literal;
        $($(#[$doc:meta])* $face:ident $name:ident $bounds:tt $What:ty;)*
    ) => { $(
        walks!(@ $face $Name $generics $args $Entry, $(#[$doc])* $name $bounds $What, $it, $setup);
    )* };
    (@ both $Name:ident [$($generics:tt)*] [$($args:tt)*] $Entry:ty, $(#[$doc:meta])* $name:ident [$($bounds:tt)*] $What:ty, $it:literal, $setup:literal) => {
        both!([$($generics)*, S] [$Name<$($args)*, S>] [$($bounds)*] {
            $(#[$doc])*
            ///
            /// # Liveness
            ///
            /// What is there throughout is seen once, no key twice, nothing dead. Waits for nobody; takes out what dying threads
            /// have posted, as it goes. Pins each bucket anew.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(", $it, ".", stringify!($name), "().count(), 1);")]
            /// # drop(owner);
            /// ```
            pub fn $name(&self) -> Walk<'_, $Entry, $What> {
                Walk::new(&self.map().base.table)
            }
        });
    };
    (@ plain $Name:ident [$($generics:tt)*] [$($args:tt)*] $Entry:ty, $(#[$doc:meta])* $name:ident [$($bounds:tt)*] $What:ty, $it:literal, $setup:literal) => {
        impl<$($generics)*, S> $Name<$($args)*, S>
        where
            $($bounds)*
        {
            $(#[$doc])*
            ///
            /// # Liveness
            ///
            /// What is there throughout is seen once, no key twice, nothing dead. Waits for nobody; takes out what dying threads
            /// have posted, as it goes. Pins each bucket anew.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(", $it, ".", stringify!($name), "().count(), 1);")]
            /// # drop(owner);
            /// ```
            pub fn $name(&self) -> Walk<'_, $Entry, $What> {
                Walk::new(&self.base.table)
            }
        }
    };
    (@ pinned $Name:ident [$($generics:tt)*] [$($args:tt)*] $Entry:ty, $(#[$doc:meta])* $name:ident [$($bounds:tt)*] $What:ty, $it:literal, $setup:literal) => {
        impl<$($generics)*, S> Pinned<'_, $Name<$($args)*, S>> {
            $(#[$doc])*
            ///
            /// # Liveness
            ///
            /// What is there throughout is seen once, no key twice, nothing dead. Waits for nobody; takes out what dying threads
            /// have posted, as it goes.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $setup]
            #[doc = concat!("assert_eq!(", $it, ".pin().", stringify!($name), "().count(), 1);")]
            /// # drop(owner);
            /// ```
            pub fn $name(&self) -> PinnedWalk<'_, $Entry, $What> {
                PinnedWalk::new(&self.map.base.table, &self.guard)
            }
        }
    };
}
pub(super) use walks;

/// `for` loops over a collection, borrowed or by value. A pinned one's iterator is named, for it may borrow or not.
macro_rules! loops {
    (
        $Name:ident [$($generics:tt)*] [$($args:tt)*] of $Entry:ty,
        plain [$($bounds:tt)*] $What:ty, pinned $Pinned:ty
    ) => {
        impl<'a, $($generics)*, S> IntoIterator for &'a $Name<$($args)*, S>
        where
            $($bounds)*
        {
            type Item = <$What as What<$Entry>>::Item;
            type IntoIter = Walk<'a, $Entry, $What>;
            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        impl<'a, $($generics)*, S> IntoIterator for &'a Pinned<'_, $Name<$($args)*, S>> {
            type Item = <$Pinned as Iterator>::Item;
            type IntoIter = $Pinned;
            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }
    };
}
pub(super) use loops;
