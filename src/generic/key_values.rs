//! What key maps hand out of their values: one that has left, and one that is read under a guard.

use super::live::after;
use crate::ptr::Arc;
use crate::reclaim::Snapshot;
use std::fmt;
use std::ops::Deref;

/// A copy of a value whose owner may be the last.
pub(super) fn copy<V: Clone>(value: Arc<V>) -> V {
    let copy = (*value).clone();
    after(value, copy)
}

/// A value that has left its key map: replaced, removed, drained.
///
/// Nearly always yours alone; but a reader that found it before may still be looking at it, and then whoever lets go last drops
/// it.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakKeyMap};
///
/// let key = Arc::new("key");
/// let map = WeakKeyMap::from([(&key, "value".to_string())]);
/// let removed = map.remove(&key).unwrap();
/// assert_eq!(*removed, "value");
/// assert_eq!(removed.into_inner(), Ok("value".to_string()));
/// ```
#[must_use]
pub struct Removed<V>(Arc<V>);

impl<V> Removed<V> {
    /// By its owners, the map's share the last.
    pub(super) fn new(looked_at: Arc<V>, share: Option<Arc<V>>) -> Self {
        match share {
            Some(share) => {
                drop(looked_at);
                Removed(share)
            }
            None => Removed(looked_at),
        }
    }

    /// The value itself.
    ///
    /// # Errors
    /// A reader has it still, or the map was built with [`deferred_values`](crate::Builder::deferred_values): the value as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let key = Arc::new("key");
    /// let map = WeakKeyMap::from([(&key, 5)]);
    /// assert_eq!(map.insert(&key, 6).unwrap().into_inner(), Ok(5));
    /// ```
    pub fn into_inner(self) -> Result<V, Self> {
        Arc::try_unwrap(self.0).map_err(Removed)
    }

    /// The value itself, or a copy.
    pub(super) fn into_value(self) -> V
    where
        V: Clone,
    {
        self.into_inner().unwrap_or_else(|shared| copy(shared.0))
    }
}

impl<V> Deref for Removed<V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: fmt::Debug> fmt::Debug for Removed<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<V: fmt::Display> fmt::Display for Removed<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<V: PartialEq> PartialEq for Removed<V> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<V: Eq> Eq for Removed<V> {}

impl<V: PartialEq> PartialEq<V> for Removed<V> {
    fn eq(&self, other: &V) -> bool {
        **self == *other
    }
}

/// A value of a key map, read under a guard: free of count traffic if the map was built with
/// [`deferred_values`](crate::Builder::deferred_values), else counted.
///
/// # Liveness
///
/// Stays readable while you hold it, even if its key dies meanwhile. Dropping it may drop the value, if it has left the map.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakKeyMap};
///
/// let key = Arc::new("key");
/// let map = WeakKeyMap::from([(&key, 5)]);
/// let pinned = map.pin();
/// let read = pinned.read(&key).unwrap();
/// drop(key);
/// assert_eq!(*read, 5);
/// ```
#[must_use]
pub struct ValueRef<'g, V>(pub(super) Snapshot<'g, V>);

impl<V> Deref for ValueRef<'_, V> {
    type Target = V;
    #[inline]
    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: fmt::Debug> fmt::Debug for ValueRef<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<V: fmt::Display> fmt::Display for ValueRef<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
