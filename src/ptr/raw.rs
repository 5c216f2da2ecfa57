//! Raw pointers: a count that lives outside an `Arc` or a `Weak` for a while.
//!
//! A handle is a pointer to the value, so all of this is free: no arithmetic, no look at the block.

use super::{Arc, Weak};
use crate::block::layout::header;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A pointer that the caller says came from a handle.
///
/// # Safety
/// It did.
unsafe fn non_null<T: ?Sized>(ptr: *const T) -> NonNull<T> {
    // SAFETY: no handle is null, says the caller.
    unsafe { NonNull::new_unchecked(ptr.cast_mut()) }
}

impl<T: ?Sized> Arc<T> {
    /// The value's address; the `Arc` keeps its count. The pointer is good for as long as the object lives.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// assert!(std::ptr::eq(Arc::as_ptr(&a), &*a));
    /// ```
    #[inline]
    #[must_use]
    pub fn as_ptr(this: &Self) -> *const T {
        Arc::value(this).as_ptr()
    }

    /// Turns the `Arc` into a raw pointer, which keeps its count: give it back by [`from_raw`](Self::from_raw).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let raw = Arc::into_raw(Arc::new(5));
    /// // SAFETY: `raw` came from `into_raw` and is given back once.
    /// let a = unsafe { Arc::from_raw(raw) };
    /// assert_eq!(*a, 5);
    /// ```
    #[inline]
    #[must_use = "the count leaks unless it is given back by `Arc::from_raw`"]
    pub fn into_raw(this: Self) -> *const T {
        Arc::as_ptr(&ManuallyDrop::new(this))
    }

    /// An `Arc` that takes over the count of a raw pointer.
    ///
    /// # Safety
    /// `ptr` came from [`into_raw`](Self::into_raw) (or, with a count taken by
    /// [`increment_strong_count`](Self::increment_strong_count), from [`as_ptr`](Self::as_ptr)) of an `Arc<U>` of this crate,
    /// where `U` is `T`, or a type of the same size, alignment and metadata whose value is a valid `T`. Each count is
    /// taken over once.
    ///
    /// # Examples
    ///
    /// See [`into_raw`](Self::into_raw).
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: the caller gives up a count of a block of this crate.
        unsafe { Arc::from_value(non_null(ptr)) }
    }

    /// One more owner, held by a raw pointer.
    ///
    /// # Safety
    /// `ptr` is as for [`from_raw`](Self::from_raw), and the object is alive throughout the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// // SAFETY: `a` keeps the object alive; the second count is taken over by `b`.
    /// let b = unsafe {
    ///     Arc::increment_strong_count(Arc::as_ptr(&a));
    ///     Arc::from_raw(Arc::as_ptr(&a))
    /// };
    /// assert_eq!(Arc::strong_count(&b), 2);
    /// ```
    #[inline]
    pub unsafe fn increment_strong_count(ptr: *const T) {
        // SAFETY: somebody's count keeps the object, says the caller.
        unsafe { header(non_null(ptr)) }.state.retain();
    }

    /// One owner less, of those that raw pointers hold.
    ///
    /// # Safety
    /// As [`from_raw`](Self::from_raw): the caller gives the count up.
    ///
    /// # Liveness
    ///
    /// As dropping the `Arc`: the last one is the object's death.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let raw = Arc::into_raw(Arc::new(5));
    /// // SAFETY: `raw` holds a count, which is given up here.
    /// unsafe { Arc::decrement_strong_count(raw) };
    /// ```
    #[inline]
    pub unsafe fn decrement_strong_count(ptr: *const T) {
        // SAFETY: as the caller says.
        drop(unsafe { Arc::from_raw(ptr) });
    }
}

impl<T: ?Sized> Weak<T> {
    /// The object's address, the same before and after its death; the `Weak` keeps its count.
    ///
    /// The value behind it is only there while the object lives. A [`Weak::new`] has an address that no object has, which may
    /// be unaligned.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// assert_eq!(Arc::downgrade(&a).as_ptr(), Arc::as_ptr(&a));
    /// ```
    #[inline]
    #[must_use]
    pub fn as_ptr(&self) -> *const T {
        self.value().as_ptr()
    }

    /// Turns the `Weak` into a raw pointer, which keeps its count: give it back by [`from_raw`](Self::from_raw).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak};
    ///
    /// let a = Arc::new(5);
    /// let raw = Arc::downgrade(&a).into_raw();
    /// // SAFETY: `raw` came from `into_raw` and is given back once.
    /// let weak = unsafe { Weak::from_raw(raw) };
    /// assert!(weak.is_alive());
    /// ```
    #[inline]
    #[must_use = "the count leaks unless it is given back by `Weak::from_raw`"]
    pub fn into_raw(self) -> *const T {
        ManuallyDrop::new(self).as_ptr()
    }

    /// A `Weak` that takes over the weak count of a raw pointer.
    ///
    /// # Safety
    /// `ptr` came from [`Weak::into_raw`], of this crate, of the same `T` (or one of the same size, alignment and metadata),
    /// and each count is taken over once.
    ///
    /// # Examples
    ///
    /// See [`into_raw`](Self::into_raw).
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: the caller gives up a weak count of a block of this crate, or a `Weak` of nothing.
        unsafe { Weak::from_value(non_null(ptr)) }
    }
}
