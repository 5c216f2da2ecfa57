//! `Weak`: knows an object, keeps its memory, not its life.

use super::Arc;
use crate::block::layout::{header, release_weak};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// A weak pointer to an [`Arc`]'s object, near drop-in for [`std::sync::Weak`].
///
/// Beyond `std`'s: [`is_alive`](Self::is_alive), and `Eq` and `Hash` by the object's address, the same before and after its
/// death; all [`Weak::new`] are equal.
///
/// # Liveness
///
/// No method waits; none runs your code (an `Arc` that [`upgrade`](Self::upgrade) returns may turn out to be the last).
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Weak};
///
/// let a = Arc::new(5);
/// let weak: Weak<i32> = Arc::downgrade(&a);
/// assert!(weak.is_alive());
/// ```
pub struct Weak<T: ?Sized> {
    value: NonNull<T>,
}

// SAFETY: as `std`'s: a `Weak` can become an `Arc` on any thread.
unsafe impl<T: ?Sized + Send + Sync> Send for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for Weak<T> {}

/// The address of no object: no allocation reaches the last byte of the address space.
const NOWHERE: NonZeroUsize = NonZeroUsize::MAX;

impl<T> Weak<T> {
    /// A `Weak` to nothing: upgrades fail, no allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(weakly::Weak::<i32>::new().upgrade().is_none());
    /// ```
    #[inline]
    pub const fn new() -> Weak<T> {
        Weak { value: NonNull::without_provenance(NOWHERE) }
    }
}

impl<T: ?Sized> Weak<T> {
    /// A `Weak` that takes over one weak count.
    ///
    /// # Safety
    /// The caller holds the count, of a block of this crate, which it gives up; or `value` came out of a `Weak` of nothing.
    #[inline]
    pub(crate) unsafe fn from_value(value: NonNull<T>) -> Self {
        Weak { value }
    }

    /// The object's place; the caller keeps its count.
    #[inline]
    pub(crate) fn value(&self) -> NonNull<T> {
        self.value
    }

    /// Points at nothing, as [`Weak::new`].
    #[inline]
    pub(crate) fn is_nowhere(&self) -> bool {
        self.value.addr() == NOWHERE
    }

    #[inline]
    pub(crate) fn header(&self) -> Option<&crate::block::Header> {
        // SAFETY: our count keeps the block.
        (!self.is_nowhere()).then(|| unsafe { header(self.value) })
    }

    /// An owner, if the object is alive. Wait-free: one atomic addition.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let weak = Arc::downgrade(&a);
    /// assert_eq!(weak.upgrade(), Some(a));
    /// ```
    #[inline]
    pub fn upgrade(&self) -> Option<Arc<T>> {
        let alive = self.header()?.state.upgrade();
        // SAFETY: the upgrade's count is the `Arc`'s.
        alive.then(|| unsafe { Arc::from_value(self.value) })
    }

    /// Is the object alive? Never upgrades, so it can't be what kept it alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let weak = Arc::downgrade(&a);
    /// drop(a);
    /// assert!(!weak.is_alive());
    /// ```
    #[inline]
    pub fn is_alive(&self) -> bool {
        self.header().is_some_and(|h| h.state.is_alive())
    }

    /// How many owners there are: 0 if dead. Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::Weak::<i32>::new().strong_count(), 0);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.header().map_or(0, |h| usize::try_from(h.state.count()).unwrap_or(usize::MAX))
    }

    /// How many `Weak`s (and hooks, entries, slots) there are; 0 if the object is dead. Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let weak = Arc::downgrade(&a);
    /// assert_eq!(weak.weak_count(), 1);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.header().map_or(0, |h| if h.state.is_alive() { h.weak_count() } else { 0 })
    }

    /// Do both point at the same object, or both at nothing?
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak};
    ///
    /// let a = Arc::new(5);
    /// assert!(Arc::downgrade(&a).ptr_eq(&Arc::downgrade(&a)));
    /// assert!(Weak::<i32>::new().ptr_eq(&Weak::new()));
    /// ```
    #[inline]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.value.as_ptr(), other.value.as_ptr())
    }
}

impl<T: ?Sized> Clone for Weak<T> {
    #[inline]
    fn clone(&self) -> Self {
        if let Some(header) = self.header() {
            header.retain_weak();
        }
        Weak { value: self.value }
    }
}

impl<T: ?Sized> Drop for Weak<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_nowhere() {
            // SAFETY: our count, given up here.
            unsafe { release_weak(self.value) }
        }
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Self {
        Weak::new()
    }
}

impl<T: ?Sized> PartialEq for Weak<T> {
    /// By address.
    fn eq(&self, other: &Self) -> bool {
        self.ptr_eq(other)
    }
}

impl<T: ?Sized> Eq for Weak<T> {}

impl<T: ?Sized> Hash for Weak<T> {
    /// By address.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.addr().hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for Weak<T> {
    /// The address and whether it is alive. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = if self.is_alive() { "alive" } else { "dead" };
        write!(f, "(Weak {:p} {life})", self.value)
    }
}
