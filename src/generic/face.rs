//! The two faces of a collection: plain, which pins each call, and pinned, which lives under one guard.

use crate::reclaim::{self, Guard};
use std::fmt;
use std::ops::Deref;

/// A collection under one guard: the same methods, without the price of a guard each, and returning borrows where that saves
/// something. `&Pinned` is iterable.
///
/// While it lives, nothing that is retired anywhere can be freed: hold it over a run of calls, not over a wait, or
/// [`repin`](Self::repin) now and then.
///
/// # Liveness
///
/// As the plain face's; besides, destructors that wait for a grace period wait for this too.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakValueMap};
///
/// let map = WeakValueMap::new();
/// let five = Arc::new(5);
/// map.insert("five", &five);
/// let pinned = map.pin();
/// assert_eq!(pinned.get("five"), Some(five));
/// ```
pub struct Pinned<'m, M> {
    pub(super) map: &'m M,
    pub(super) guard: Guard,
}

impl<'m, M> Pinned<'m, M> {
    pub(super) fn new(map: &'m M) -> Self {
        Pinned { map, guard: reclaim::pin() }
    }

    /// Unpins and pins again, so that memory can be freed meanwhile. Nothing read under the guard can be held over it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map: WeakValueMap<u64, String> = WeakValueMap::new();
    /// let mut pinned = map.pin();
    /// for key in 0..10_000 {
    ///     if key % 1_000 == 0 {
    ///         pinned.repin();
    ///     }
    ///     assert!(!pinned.contains_key(&key));
    /// }
    /// ```
    pub fn repin(&mut self) {
        self.guard.repin();
    }

    /// The guard.
    ///
    /// # Examples
    ///
    /// ```
    /// # let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::new();
    /// map.pin().guard().flush();
    /// ```
    pub fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl<M> fmt::Debug for Pinned<'_, M>
where
    M: fmt::Debug,
{
    /// As the collection's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}

/// What both faces can do: name their collection, and give a guard to call it under.
pub trait Face {
    /// The collection.
    type Map;
    /// A guard of one's own, or a borrowed one.
    type Held<'a>: Deref<Target = Guard>
    where
        Self: 'a;

    /// The collection.
    fn map(&self) -> &Self::Map;
    /// A guard.
    fn hold(&self) -> Self::Held<'_>;
}

/// A guard for one call of a plain face.
pub struct Own(Guard);

impl Deref for Own {
    type Target = Guard;
    #[inline]
    fn deref(&self) -> &Guard {
        &self.0
    }
}

/// A guard for one call.
#[inline]
pub fn own() -> Own {
    Own(reclaim::pin())
}

/// The guard of a pinned face.
pub struct Lent<'a>(&'a Guard);

impl Deref for Lent<'_> {
    type Target = Guard;
    #[inline]
    fn deref(&self) -> &Guard {
        self.0
    }
}

impl<M> Face for Pinned<'_, M> {
    type Map = M;
    type Held<'a>
        = Lent<'a>
    where
        Self: 'a;

    #[inline]
    fn map(&self) -> &M {
        self.map
    }

    #[inline]
    fn hold(&self) -> Lent<'_> {
        Lent(&self.guard)
    }
}

/// Writes an `impl` block once for a collection's plain face and once for its pinned one.
macro_rules! both {
    ([$($generics:tt)*] [$($map:tt)*] $([$($bounds:tt)*])? { $($body:tt)* }) => {
        impl<$($generics)*> $($map)* $(where $($bounds)*)? { $($body)* }
        impl<$($generics)*> Pinned<'_, $($map)*> $(where $($bounds)*)? { $($body)* }
    };
}
pub(super) use both;

/// A collection is its own plain face.
macro_rules! plain {
    ([$($generics:tt)*] [$($map:tt)*]) => {
        impl<$($generics)*> Face for $($map)* {
            type Map = Self;
            type Held<'a>
                = Own
            where
                Self: 'a;

            #[inline]
            fn map(&self) -> &Self {
                self
            }

            #[inline]
            fn hold(&self) -> Own {
                own()
            }
        }

        impl<$($generics)*> UnwindSafe for $($map)* {}
        impl<$($generics)*> RefUnwindSafe for $($map)* {}
    };
}
pub(super) use plain;
