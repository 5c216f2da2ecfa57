//! `WeakValueMap` as a whole: filling, copying, joining, comparing.

use super::face::Pinned;
use super::value_map::WeakValueMap;
use crate::pointer::Pointer;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::{BitOr, BitOrAssign};

impl<K, A: Pointer, S: Default> Default for WeakValueMap<K, A, S> {
    /// An empty map. Allocates nothing.
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

impl<K: fmt::Debug, A: Pointer<Target: fmt::Debug>, S> fmt::Debug for WeakValueMap<K, A, S> {
    /// The live entries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.for_each(|key, value| {
            map.entry(key, &&**value);
        });
        map.finish()
    }
}

/// Filling from items of one kind.
macro_rules! fill {
    ([$($lifetime:tt)*] $item:ty, |$value:ident| $borrowed:expr) => {
        impl<$($lifetime)* K, A, S> FromIterator<$item> for WeakValueMap<K, A, S>
        where
            K: Hash + Eq + Send + 'static,
            A: Pointer<Target: 'static>,
            S: BuildHasher + Default,
        {
            #[track_caller]
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                let map = Self::default();
                map.extend(items);
                map
            }
        }

        impl<$($lifetime)* K, A, S> Extend<$item> for WeakValueMap<K, A, S>
        where
            K: Hash + Eq + Send + 'static,
            A: Pointer<Target: 'static>,
            S: BuildHasher,
        {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                Extend::extend(&mut &*self, items);
            }
        }

        impl<$($lifetime)* K, A, S> Extend<$item> for &WeakValueMap<K, A, S>
        where
            K: Hash + Eq + Send + 'static,
            A: Pointer<Target: 'static>,
            S: BuildHasher,
        {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $item>>(&mut self, items: I) {
                for (key, $value) in items {
                    self.insert(key, $borrowed);
                }
            }
        }

        impl<$($lifetime)* K, A, const N: usize> From<[$item; N]> for WeakValueMap<K, A>
        where
            K: Hash + Eq + Send + 'static,
            A: Pointer<Target: 'static>,
        {
            #[track_caller]
            fn from(items: [$item; N]) -> Self {
                items.into_iter().collect()
            }
        }
    };
}

fill!([](K, A), |value| &value);
fill!(['a,] (K, &'a A), |value| value);

impl<K: Hash + Eq + Send + 'static, A: Pointer<Target: 'static>, S: BuildHasher> WeakValueMap<K, A, S> {
    /// Inserts every item, owned or borrowed: [`Extend`] without `mut`.
    ///
    /// # Panics
    /// As [`insert`](Self::insert), and if the iterator does; what was inserted stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let values: Vec<_> = (0..3).map(Arc::new).collect();
    /// let map = WeakValueMap::new();
    /// map.extend(values.iter().map(|v| (**v, v)));
    /// assert_eq!(map.len(), 3);
    /// ```
    #[track_caller]
    pub fn extend<'a, X>(&'a self, items: impl IntoIterator<Item = X>)
    where
        &'a Self: Extend<X>,
    {
        let mut map = self;
        Extend::extend(&mut map, items);
    }
}

impl<K, A, S> Clone for WeakValueMap<K, A, S>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Pointer<Target: 'static>,
    S: BuildHasher + Clone,
{
    /// An independent map of the live entries. Listeners and subscriptions are not copied.
    #[track_caller]
    fn clone(&self) -> Self {
        let map = Self::with_hasher(self.hasher.clone());
        map.extend(self.iter());
        map
    }
}

impl<K, A, S> BitOr<&WeakValueMap<K, A, S>> for &WeakValueMap<K, A, S>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Pointer<Target: 'static>,
    S: BuildHasher + Clone,
{
    type Output = WeakValueMap<K, A, S>;

    /// The live entries of both; the right side wins.
    #[track_caller]
    fn bitor(self, right: &WeakValueMap<K, A, S>) -> WeakValueMap<K, A, S> {
        let map = self.clone();
        map.extend(right.iter());
        map
    }
}

impl<K, A, S> BitOrAssign<&WeakValueMap<K, A, S>> for WeakValueMap<K, A, S>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Pointer<Target: 'static>,
    S: BuildHasher,
{
    /// Adds the live entries of the right side, which wins.
    #[track_caller]
    fn bitor_assign(&mut self, right: &WeakValueMap<K, A, S>) {
        self.extend(right.iter());
    }
}

impl<K: Hash + Eq, A: Pointer, S: BuildHasher> WeakValueMap<K, A, S> {
    /// Is every live entry here in `other` too, with an equal live value?
    ///
    /// # Liveness
    ///
    /// Runs `Eq` of keys and values, with no lock held. Of maps that change meanwhile it says what it saw, key by key.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let values: Vec<_> = (0..3).map(Arc::new).collect();
    /// let all: WeakValueMap<_, _> = values.iter().map(|v| (**v, v)).collect();
    /// let some: WeakValueMap<_, _> = values[1..].iter().map(|v| (**v, v)).collect();
    /// assert!(some.is_submap(&all) && !all.is_submap(&some));
    /// ```
    pub fn is_submap<S2: BuildHasher>(&self, other: &WeakValueMap<K, A, S2>) -> bool
    where
        A::Target: PartialEq,
    {
        self.all(|key, value| other.get(key).is_some_and(|there| **value == *there))
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
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let (five, six) = (Arc::new(5), Arc::new(6));
    /// let a = WeakValueMap::from([("n", &five)]);
    /// let b = WeakValueMap::from([("n", &six)]);
    /// assert!(a.domain_is_subset(&b) && a != b);
    /// ```
    pub fn domain_is_subset<S2: BuildHasher>(&self, other: &WeakValueMap<K, A, S2>) -> bool {
        self.all(|key, _| other.contains_key(key))
    }

    /// Is `holds` true of every live entry? Stops at the first of which it isn't.
    fn all(&self, holds: impl Fn(&K, &A) -> bool) -> bool {
        self.pin().iter().all(|(key, value)| holds(key, &value))
    }
}

impl<K: Hash + Eq, A: Pointer<Target: PartialEq>, S: BuildHasher> PartialEq for WeakValueMap<K, A, S> {
    /// The same live keys with equal live values.
    fn eq(&self, other: &Self) -> bool {
        self.is_submap(other) && other.domain_is_subset(self)
    }
}

impl<K: Hash + Eq, A: Pointer<Target: Eq>, S: BuildHasher> Eq for WeakValueMap<K, A, S> {}

impl<K: Hash + Eq, A: Pointer<Target: PartialEq>, S: BuildHasher> PartialEq for Pinned<'_, WeakValueMap<K, A, S>> {
    /// As the maps.
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}
