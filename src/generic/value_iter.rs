//! `WeakValueMap`'s iterators: plain ones pin each step and yield owned items, pinned ones borrow.

use super::face::{Pinned, both};
use super::value_map::{ValueEntry, WeakValueMap};
use crate::death::hook::Later;
use crate::pointer::Pointer;
use crate::reclaim::{Guard, pin};
use crate::table::Table;
use crate::table::node::Node;
use crate::table::walk::Place;
use std::fmt;
use std::iter::FusedIterator;
use std::ptr::NonNull;
use std::vec;

/// A walk over a table in steps, and the items of the last one.
struct Steps<'a, K, A: Pointer, R> {
    table: &'a Table<ValueEntry<K, A>>,
    place: Place,
    items: vec::IntoIter<R>,
}

impl<'a, K, A: Pointer, R> Steps<'a, K, A, R> {
    fn new(table: &'a Table<ValueEntry<K, A>>) -> Self {
        Steps { table, place: Place::default(), items: Vec::new().into_iter() }
    }

    /// The next item, pinning a step if need be.
    fn next(&mut self, resolve: impl Fn(&Node<ValueEntry<K, A>>) -> Option<R>) -> Option<R> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(item);
            }
            if self.place.is_end() {
                return None;
            }
            let mut items = Vec::new();
            self.table.step(&pin(), &mut self.place, &mut items, &resolve);
            self.items = items.into_iter();
        }
    }

    /// The next item, under a guard that outlives it.
    fn next_under(&mut self, guard: &'a Guard, resolve: impl Fn(&'a Node<ValueEntry<K, A>>) -> Option<R>) -> Option<R> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(item);
            }
            if self.place.is_end() {
                return None;
            }
            let mut items = Vec::new();
            self.table.step(guard, &mut self.place, &mut items, &resolve);
            self.items = items.into_iter();
        }
    }
}

/// Gives an iterator type its traits, by a `next` of its own.
macro_rules! iterator {
    ($name:ident [$($generics:tt)*] [$($args:tt)*] $item:ty, |$self:ident| $next:expr) => {
        impl<$($generics)*> Iterator for $name<$($args)*> {
            type Item = $item;
            fn next(&mut $self) -> Option<$item> {
                $next
            }
        }
        impl<$($generics)*> FusedIterator for $name<$($args)*> {}
        impl<$($generics)*> fmt::Debug for $name<$($args)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

/// Iterator over the live entries: what [`WeakValueMap::iter`] returns.
#[must_use]
pub struct Iter<'a, K, A: Pointer>(Steps<'a, K, A, (K, A)>);
iterator!(Iter ['a, K: Clone, A: Pointer] ['a, K, A] (K, A), |self| {
    self.0.next(|node| node.entry.revive().map(|value| (node.entry.key.clone(), value)))
});

/// Iterator over the keys of live entries: what [`WeakValueMap::keys`] returns.
#[must_use]
pub struct Keys<'a, K, A: Pointer>(Steps<'a, K, A, K>);
iterator!(Keys ['a, K: Clone, A: Pointer] ['a, K, A] K, |self| {
    self.0.next(|node| A::is_alive(node.entry.held()).then(|| node.entry.key.clone()))
});

/// Iterator over the live values: what [`WeakValueMap::values`] returns.
#[must_use]
pub struct Values<'a, K, A: Pointer>(Steps<'a, K, A, A>);
iterator!(Values ['a, K, A: Pointer] ['a, K, A] A, |self| self.0.next(|node| node.entry.revive()));

/// Iterator over weak pointers to the live values: what [`WeakValueMap::weak_values`] returns.
#[must_use]
pub struct WeakValues<'a, K, A: Pointer>(Steps<'a, K, A, A::Weak>);
iterator!(WeakValues ['a, K, A: Pointer] ['a, K, A] A::Weak, |self| {
    self.0.next(|node| A::is_alive(node.entry.held()).then(|| A::weak(node.entry.held())))
});

/// Iterator over the live entries under a guard: what [`Pinned::iter`] returns.
#[must_use]
pub struct PinnedIter<'a, K, A: Pointer>(Steps<'a, K, A, (&'a K, A)>, &'a Guard);
iterator!(PinnedIter ['a, K, A: Pointer] ['a, K, A] (&'a K, A), |self| {
    self.0.next_under(self.1, |node| node.entry.revive().map(|value| (&node.entry.key, value)))
});

/// Iterator over the keys of live entries under a guard: what [`Pinned::keys`] returns.
#[must_use]
pub struct PinnedKeys<'a, K, A: Pointer>(Steps<'a, K, A, &'a K>, &'a Guard);
iterator!(PinnedKeys ['a, K, A: Pointer] ['a, K, A] &'a K, |self| {
    self.0.next_under(self.1, |node| A::is_alive(node.entry.held()).then_some(&node.entry.key))
});

/// Iterator that removes what it yields: what [`WeakValueMap::drain`] returns.
#[must_use]
pub struct Drain<'a, K, A: Pointer, S>(Extracting<'a, K, A, S>);
iterator!(Drain ['a, K: Clone, A: Pointer, S] ['a, K, A, S] (K, A), |self| self.0.next(|_, _| true));

/// Iterator that removes and yields what a closure chooses: what [`WeakValueMap::extract_if`] returns.
#[must_use]
pub struct ExtractIf<'a, K, A: Pointer, F, S>(Extracting<'a, K, A, S>, F);
iterator!(ExtractIf ['a, K: Clone, A: Pointer, F: FnMut(&K, &A) -> bool, S] ['a, K, A, F, S] (K, A), |self| {
    self.0.next(&mut self.1)
});

/// Where a removing walk stands, and what it has taken out.
struct Extracting<'a, K, A: Pointer, S> {
    map: &'a WeakValueMap<K, A, S>,
    place: Place,
    taken: vec::IntoIter<(K, A)>,
}

impl<'a, K: Clone, A: Pointer, S> Extracting<'a, K, A, S> {
    fn new(map: &'a WeakValueMap<K, A, S>) -> Self {
        Extracting { map, place: Place::default(), taken: Vec::new().into_iter() }
    }

    fn next(&mut self, mut wanted: impl FnMut(&K, &A) -> bool) -> Option<(K, A)> {
        loop {
            if let Some(entry) = self.taken.next() {
                return Some(entry);
            }
            if self.place.is_end() {
                return None;
            }
            let choose = |k: &K, a: &A| wanted(k, a).then(|| k.clone());
            self.taken = self.map.extract_step(&mut self.place, choose).into_iter();
        }
    }
}

impl<'a, K: Clone, A: Pointer, S> Drain<'a, K, A, S> {
    pub(super) fn new(map: &'a WeakValueMap<K, A, S>) -> Self {
        Drain(Extracting::new(map))
    }
}

impl<'a, K: Clone, A: Pointer, F, S> ExtractIf<'a, K, A, F, S> {
    pub(super) fn new(map: &'a WeakValueMap<K, A, S>, wanted: F) -> Self {
        ExtractIf(Extracting::new(map), wanted)
    }
}

impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    /// One step of a removing walk: takes out what `choose` chooses of one bucket.
    pub(super) fn extract_step<R>(
        &self,
        place: &mut Place,
        mut choose: impl FnMut(&K, &A) -> Option<R>,
    ) -> Vec<(R, A)> {
        let mut later = Later::new();
        let mut taken = Vec::new();
        let mut found = Vec::new(); // owners, perhaps the last: they go when the guard has gone
        let guard = pin();
        self.table
            .step(&guard, place, &mut found, |node| node.entry.revive().map(|value| (NonNull::from(node), value)));
        let Some(core) = self.table.core() else { return taken };
        for (node, value) in &found {
            // SAFETY: the guard keeps the node, and the value is alive in our hands.
            unsafe {
                if let Some(r) = choose(&node.as_ref().entry.key, value)
                    && core.remove(*node, &guard, &mut later)
                {
                    taken.push((r, value.clone()));
                }
            }
        }
        taken
    }
}

/// Iterator over what was in a map: what its `into_iter` returns.
#[must_use]
pub struct IntoIter<K, A>(vec::IntoIter<(K, A)>);

/// Iterator over the keys of what was in a map: what [`WeakValueMap::into_keys`] returns.
#[must_use]
pub struct IntoKeys<K>(vec::IntoIter<K>);

/// Iterator over the values that were in a map: what [`WeakValueMap::into_values`] returns.
#[must_use]
pub struct IntoValues<A>(vec::IntoIter<A>);

iterator!(IntoIter [K, A] [K, A] (K, A), |self| self.0.next());
iterator!(IntoKeys [K] [K] K, |self| self.0.next());
iterator!(IntoValues [A] [A] A, |self| self.0.next());

impl<K, A: Pointer, S> IntoIterator for WeakValueMap<K, A, S> {
    type Item = (K, A);
    type IntoIter = IntoIter<K, A>;

    /// Moves the live entries out. Listeners are told [`Cause::Cleared`](crate::Cause::Cleared).
    fn into_iter(mut self) -> IntoIter<K, A> {
        let entries = self.table.dismantle(|node| node.entry.revive());
        drop(self); // here, for a panic at the end would leak what is returned (rust-lang/rust#47949)
        IntoIter(entries.into_iter().map(|(entry, value)| (entry.key, value)).collect::<Vec<_>>().into_iter())
    }
}

impl<K, A: Pointer, S> WeakValueMap<K, A, S> {
    /// Moves the keys of the live entries out.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.into_keys().collect::<Vec<_>>(), ["five"]);
    /// ```
    pub fn into_keys(self) -> IntoKeys<K> {
        let keys = self.into_iter().map(|(key, value)| {
            drop(value); // as in `into_iter`
            key
        });
        IntoKeys(keys.collect::<Vec<_>>().into_iter())
    }

    /// Moves owners of the live values out.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.into_values().collect::<Vec<_>>(), [five]);
    /// ```
    pub fn into_values(self) -> IntoValues<A> {
        let values = self.into_iter().map(|(key, value)| {
            drop(key); // as in `into_iter`
            value
        });
        IntoValues(values.collect::<Vec<_>>().into_iter())
    }

    /// Iterates over the live entries: those of one bucket at a time are held alive, and nothing is pinned in between.
    ///
    /// # Liveness
    ///
    /// An entry that is there throughout is seen once, no key twice, nothing dead. Waits for nobody; takes out what dying
    /// threads have posted, as it goes.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.iter().collect::<Vec<_>>(), [("five", five)]);
    /// ```
    pub fn iter(&self) -> Iter<'_, K, A>
    where
        K: Clone,
    {
        Iter(Steps::new(&self.table))
    }

    /// Iterates over the keys of live entries. Holds no value alive, so it may be dead when you look.
    ///
    /// # Liveness
    ///
    /// As [`iter`](Self::iter).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.keys().collect::<Vec<_>>(), ["five"]);
    /// ```
    pub fn keys(&self) -> Keys<'_, K, A>
    where
        K: Clone,
    {
        Keys(Steps::new(&self.table))
    }
}

both!([K, A: Pointer, S] [WeakValueMap<K, A, S>] {
    /// Iterates over the live values.
    ///
    /// # Liveness
    ///
    /// As [`iter`](WeakValueMap::iter).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.values().collect::<Vec<_>>(), [five]);
    /// ```
    pub fn values(&self) -> Values<'_, K, A> {
        Values(Steps::new(&super::face::Face::map(self).table))
    }

    /// Iterates over weak pointers to the live values: CPython's `itervaluerefs`.
    ///
    /// # Liveness
    ///
    /// As [`iter`](WeakValueMap::iter).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.weak_values().collect::<Vec<_>>(), [Arc::downgrade(&five)]);
    /// ```
    pub fn weak_values(&self) -> WeakValues<'_, K, A> {
        WeakValues(Steps::new(&super::face::Face::map(self).table))
    }
});

impl<K, A: Pointer, S> Pinned<'_, WeakValueMap<K, A, S>> {
    /// Iterates over the live entries, keys borrowed under the guard.
    ///
    /// # Liveness
    ///
    /// As [`WeakValueMap::iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five".to_string(), &five)]);
    /// for (key, value) in &map.pin() {
    ///     assert_eq!((key.as_str(), *value), ("five", 5));
    /// }
    /// ```
    pub fn iter(&self) -> PinnedIter<'_, K, A> {
        PinnedIter(Steps::new(&self.map.table), &self.guard)
    }

    /// Iterates over the keys of live entries, borrowed under the guard.
    ///
    /// # Liveness
    ///
    /// As [`WeakValueMap::keys`].
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let five = Arc::new(5);
    /// let map = WeakValueMap::from([("five", &five)]);
    /// assert_eq!(map.pin().keys().collect::<Vec<_>>(), [&"five"]);
    /// ```
    pub fn keys(&self) -> PinnedKeys<'_, K, A> {
        PinnedKeys(Steps::new(&self.map.table), &self.guard)
    }
}

impl<'a, K: Clone, A: Pointer, S> IntoIterator for &'a WeakValueMap<K, A, S> {
    type Item = (K, A);
    type IntoIter = Iter<'a, K, A>;
    fn into_iter(self) -> Iter<'a, K, A> {
        self.iter()
    }
}

impl<'a, K, A: Pointer, S> IntoIterator for &'a Pinned<'_, WeakValueMap<K, A, S>> {
    type Item = (&'a K, A);
    type IntoIter = PinnedIter<'a, K, A>;
    fn into_iter(self) -> PinnedIter<'a, K, A> {
        self.iter()
    }
}
