//! A guest read under a guard.

use crate::reclaim::Guard;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// A guest that was read under a [`Guard`], from a pinned map: it holds a count, like an `Arc`.
///
/// It stands where [`Snapshot`](crate::Snapshot) does for the crate's own [`Arc`](crate::Arc), which can do without a count.
///
/// # Liveness
///
/// Dropping it may drop the last count, and so run the value's destructor and its anchor's callbacks.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use weakly::std_arc::{Anchor, WeakValueMap};
///
/// let map = WeakValueMap::new();
/// let value = Arc::new(Anchor::new());
/// map.insert("key", &value);
/// let pinned = map.pin();
/// let read = pinned.read("key").unwrap();
/// drop(value);
/// assert_eq!(read.observer_count(), 1); // the map's entry, alive as long as the snapshot
/// ```
#[must_use]
pub struct Snapshot<'g, T: ?Sized> {
    arc: Arc<T>,
    _guard: PhantomData<(&'g Guard, *const ())>,
}

impl<'g, T: ?Sized> Snapshot<'g, T> {
    pub(super) fn new(arc: Arc<T>, _guard: &'g Guard) -> Self {
        Snapshot { arc, _guard: PhantomData }
    }

    /// An owner of the value: always there, for a guest's snapshot is one itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use weakly::std_arc::{Anchor, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let value = Arc::new(Anchor::new());
    /// map.insert("key", &value);
    /// let again = map.pin().read("key").unwrap().to_arc().unwrap();
    /// assert!(Arc::ptr_eq(&value, &again));
    /// ```
    pub fn to_arc(&self) -> Option<Arc<T>> {
        Some(self.arc.clone())
    }
}

impl<T: ?Sized> Deref for Snapshot<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.arc
    }
}

impl<T: ?Sized> AsRef<T> for Snapshot<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> Clone for Snapshot<'_, T> {
    fn clone(&self) -> Self {
        Snapshot { arc: self.arc.clone(), _guard: PhantomData }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Snapshot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Snapshot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
