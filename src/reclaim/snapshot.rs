//! A value read under a guard.

use super::Guard;
use crate::block::layout::header;
use crate::ptr::Arc;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

/// A value that was read under a [`Guard`], from an [`AtomicArc`](crate::atomic::AtomicArc) or a pinned map.
///
/// Of a deferred value ([`Arc::new_deferred`]) it is a bare pointer: no count is touched, and the value stays readable
/// until the guard goes even if it dies meanwhile. Of any other value it holds a count, like an [`Arc`].
///
/// # Liveness
///
/// Dropping the snapshot of a value that is not deferred may drop its last count, and so run its callbacks and destructor.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakValueMap};
///
/// let map = WeakValueMap::new();
/// let five = Arc::new_deferred(5);
/// map.insert("five", &five);
/// let pinned = map.pin();
/// let read = pinned.read("five").unwrap();
/// drop(five);
/// assert_eq!(*read, 5); // dead, and still readable under the guard
/// assert!(read.to_arc().is_none());
/// ```
#[must_use]
pub struct Snapshot<'g, T: ?Sized> {
    value: NonNull<T>,
    counted: bool,
    _held: PhantomData<(&'g Guard, Arc<T>, *const ())>,
}

impl<'g, T: ?Sized> Snapshot<'g, T> {
    /// Reads a value: free of counts if it is deferred, else by an upgrade; `None` if it is dead.
    ///
    /// # Safety
    /// Under `_guard`, a count of the block was seen whose end leaves a weak one that is given back through the epoch.
    #[inline]
    pub(crate) unsafe fn read(_guard: &'g Guard, value: NonNull<T>) -> Option<Self> {
        // SAFETY: the guard keeps the block in memory.
        let header = unsafe { header(value) };
        let counted = !header.hooks.is_deferred();
        // A deferred value that is alive now is destroyed after this guard at the earliest.
        let alive = if counted { header.state.upgrade() } else { header.state.is_alive() };
        alive.then_some(Snapshot { value, counted, _held: PhantomData })
    }

    /// An owner of the value; `None` if it died since it was read (which only a deferred value can).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new(5));
    /// let guard = weakly::pin();
    /// let arc = slot.read(&guard).unwrap().to_arc().unwrap();
    /// assert_eq!(*arc, 5);
    /// ```
    pub fn to_arc(&self) -> Option<Arc<T>> {
        // SAFETY: the guard (deferred) or our count keeps the block.
        let alive = unsafe { header(self.value) }.state.upgrade();
        // SAFETY: the upgrade's count is the new `Arc`'s.
        alive.then(|| unsafe { Arc::from_value(self.value) })
    }
}

impl<T: ?Sized> Deref for Snapshot<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: our count keeps the value, or the guard does: a deferred value is destroyed after a grace period and
        // never lent mutably.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> AsRef<T> for Snapshot<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> Clone for Snapshot<'_, T> {
    fn clone(&self) -> Self {
        if self.counted {
            // SAFETY: our own count keeps the block.
            unsafe { header(self.value) }.state.retain();
        }
        Snapshot { value: self.value, counted: self.counted, _held: PhantomData }
    }
}

impl<T: ?Sized> Drop for Snapshot<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.counted {
            // SAFETY: the count that `read` or `clone` took is given back, once.
            drop(unsafe { Arc::from_value(self.value) });
        }
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
