//! Writing through an `Arc`: clone on write.
//!
//! # Steps
//!
//! *Alone* (no other count of either kind): in place. *The only owner*, but `Weak`s, hooks or entries know the object: that
//! object dies (entries leave, callbacks run), and its value moves to a new block. *Shared*, or deferred: the value is
//! cloned to a new block, and the old one loses an owner.
//!
//! # Races and who wins
//!
//! *make_mut / upgrade*: the exchange 1 -> DEAD. An upgrade that comes first makes it fail, and the value is cloned; one that
//! comes later fails.

use super::Arc;
use super::build::Unfinished;
use crate::block::layout::release_weak;
use crate::death;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr::slice_from_raw_parts_mut;

/// What [`Arc::make_mut`] can clone: `T: Clone`, slices of them, `str`, `CStr`, `OsStr`, `Path`.
///
/// It stands in for `std`'s unstable `CloneToUninit`. Implement it for unsized types of your own.
///
/// # Safety
///
/// When [`clone_block`](Self::clone_block) returns, `place` holds a value of its own that is valid with `self`'s metadata.
/// When it panics, nothing in `place` needs to be dropped.
///
/// # Examples
///
/// ```
/// use std::any::Any;
/// use weakly::{Arc, CloneBlock, unsize};
///
/// trait Shape: Any + Send + Sync {
///     fn grow(&mut self);
///     fn area(&self) -> u32;
///     /// # Safety
///     /// As [`CloneBlock::clone_block`].
///     unsafe fn clone_shape(&self, place: *mut u8);
/// }
/// // SAFETY: every shape is cloned by its own type's `clone_block`.
/// unsafe impl CloneBlock for dyn Shape {
///     unsafe fn clone_block(&self, place: *mut u8) {
///         unsafe { self.clone_shape(place) }
///     }
/// }
///
/// #[derive(Clone)]
/// struct Square(u32);
/// impl Shape for Square {
///     fn grow(&mut self) { self.0 += 1 }
///     fn area(&self) -> u32 { self.0 * self.0 }
///     unsafe fn clone_shape(&self, place: *mut u8) { unsafe { self.clone_block(place) } }
/// }
///
/// let small: Arc<dyn Shape> = unsize!(Arc::new(Square(2)));
/// let mut big = small.clone();
/// Arc::make_mut(&mut big).grow();
/// assert_eq!((small.area(), big.area()), (4, 9));
/// ```
pub unsafe trait CloneBlock {
    /// Clones `self` into `place`.
    ///
    /// # Safety
    /// `place` is valid for writes of `size_of_val(self)` bytes and aligned to `align_of_val(self)`; it overlaps nothing.
    unsafe fn clone_block(&self, place: *mut u8);
}

// SAFETY: `write` fills the place with the clone; if `clone` panics, nothing was written.
unsafe impl<T: Clone> CloneBlock for T {
    #[inline]
    unsafe fn clone_block(&self, place: *mut u8) {
        // SAFETY: the place has room for a `T` and its alignment, says the caller.
        unsafe { place.cast::<T>().write(self.clone()) }
    }
}

// SAFETY: as many elements as `self` has are written; if a `clone` panics, `std` drops those before it.
unsafe impl<T: Clone> CloneBlock for [T] {
    unsafe fn clone_block(&self, place: *mut u8) {
        let slots = slice_from_raw_parts_mut(place.cast::<MaybeUninit<T>>(), self.len());
        // SAFETY: the place has room for as many elements, says the caller, and nobody else sees it.
        unsafe { &mut *slots }.write_clone_of_slice(self);
    }
}

/// Types whose value is its bytes.
macro_rules! clone_bytes {
    ($($bytes:ty)*) => {$(
        // SAFETY: the type is plain bytes without interior mutability: a copy of them all is a clone.
        unsafe impl CloneBlock for $bytes {
            unsafe fn clone_block(&self, place: *mut u8) {
                // SAFETY: the place has room for as many bytes and overlaps nothing, says the caller.
                unsafe { place.copy_from_nonoverlapping((&raw const *self).cast(), size_of_val(self)) }
            }
        }
    )*};
}

clone_bytes! { str CStr OsStr Path }

/// A new object with a clone of `value`.
pub(super) fn cloned<T: ?Sized + CloneBlock>(value: &T) -> Arc<T> {
    let block = Unfinished::like(value);
    // SAFETY: the block was made for a value like this; `clone_block` puts one there.
    unsafe {
        T::clone_block(value, block.place());
        block.finish()
    }
}

impl<T: ?Sized + CloneBlock> Arc<T> {
    /// A mutable reference; if the value is shared, to a clone that takes its place in `this`.
    ///
    /// - No other owner, no [`Weak`](crate::Weak), hook or entry: the value itself, where it is.
    /// - No other owner, but `Weak`s, hooks or entries: they lose the object, which is a death (see below); the value moves to
    ///   a new object, uncloned.
    /// - Other owners, or a deferred value: `this` becomes a new object with a clone. That one is not deferred.
    ///
    /// # Panics
    /// If `clone` does; then `this` is as it was.
    ///
    /// # Liveness
    ///
    /// Runs `Clone` when shared. When only weakly known, the object's entries leave their maps and its callbacks run before this
    /// returns; the value's destructor doesn't. If the other owners go meanwhile, the old value's destructor may run here.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let mut a: Arc<[u8]> = Arc::from([1, 2]);
    /// let b = a.clone();
    /// Arc::make_mut(&mut a)[0] = 7; // shared: clones
    /// assert_eq!((&*a, &*b), (&[7, 2][..], &[1, 2][..]));
    ///
    /// let weak = Arc::downgrade(&a);
    /// Arc::make_mut(&mut a)[0] = 8; // weakly known: moves
    /// assert!(!weak.is_alive());
    /// ```
    pub fn make_mut(this: &mut Self) -> &mut T {
        if !this.header().is_unique() {
            // Memory first: nothing can fail between the death and the move.
            let block = Unfinished::like(&**this);
            if !Arc::is_deferred(this) && this.header().state.take() {
                let old = Arc::value(this);
                // SAFETY: the exchange made the death ours. The handle to the dead object is overwritten, not dropped, and
                // the weak count of its owners given back. Its callbacks come before the move: they may write into cells.
                unsafe {
                    death::depart(old);
                    std::ptr::write(this, block.take(old));
                    release_weak(old);
                }
            } else {
                // SAFETY: the block was made for a value like this; `clone_block` puts one there.
                *this = unsafe {
                    T::clone_block(this, block.place());
                    block.finish()
                };
            }
        }
        // SAFETY: it was unique, or is a new object that nobody else knows.
        unsafe { Arc::value(this).as_mut() }
    }
}

impl<T: Clone> Arc<T> {
    /// The value, if this is its only owner and it is not deferred; else a clone of it.
    ///
    /// # Liveness
    ///
    /// As [`try_unwrap`](Self::try_unwrap): taking the value out is a death.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(String::from("x"));
    /// let b = a.clone();
    /// assert_eq!(Arc::unwrap_or_clone(a), "x"); // cloned
    /// assert_eq!(Arc::unwrap_or_clone(b), "x"); // moved
    /// ```
    pub fn unwrap_or_clone(this: Self) -> T {
        Arc::try_unwrap(this).unwrap_or_else(|shared| T::clone(&shared))
    }
}
