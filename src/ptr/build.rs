//! Blocks that are made in steps: uninitialised, zeroed, pinned, or by moving or cloning a value of any size into them.
//!
//! Memory first, then the value: whatever panics between the two, an [`Unfinished`] gives the memory back.

use super::Arc;
use crate::block::Header;
use crate::block::layout::{self, allocate, free, layout_of, with_address};
use std::alloc::Layout;
use std::mem::{MaybeUninit, forget};
use std::pin::Pin;
use std::ptr::NonNull;

/// A block without its value yet; freed unless it is finished.
pub(super) struct Unfinished<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Unfinished<T> {
    /// Memory for a value of `like`'s type and size.
    pub fn like(like: &T) -> Self {
        Unfinished(with_address(like, allocate(Layout::for_value(like), Header::new())))
    }

    /// Where the value goes.
    pub fn place(&self) -> *mut u8 {
        self.0.cast().as_ptr()
    }

    /// Its first owner.
    ///
    /// # Safety
    /// The value is in its place.
    pub unsafe fn finish(self) -> Arc<T> {
        let value = self.0;
        forget(self);
        // SAFETY: a new block with one owner: this.
        unsafe { Arc::from_value(value) }
    }

    /// Moves the value out of `source`, bit by bit, and finishes.
    ///
    /// # Safety
    /// `source` is of the type and size that this was made for; its owner counts it as moved out of from here on.
    pub unsafe fn take(self, source: NonNull<T>) -> Arc<T> {
        // SAFETY: of the same size; a new block overlaps nothing. That the value stays behind as bytes is the caller's care.
        unsafe {
            self.place().copy_from_nonoverlapping(source.cast().as_ptr(), size_of_val::<T>(source.as_ref()));
            self.finish()
        }
    }
}

impl<T: ?Sized> Drop for Unfinished<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else knows the block, and it has no value.
        unsafe { free(self.0, layout_of(self.0)) }
    }
}

impl<T> Arc<T> {
    /// A new object in a pinned `Arc`: if `T` isn't [`Unpin`], it stays where it is until it is destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let pinned = Arc::pin(std::marker::PhantomPinned);
    /// let same = pinned.clone();
    /// ```
    #[must_use]
    pub fn pin(value: T) -> Pin<Arc<T>> {
        // SAFETY: what moves a value out of an `Arc` or lends it mutably takes the `Arc`, which a `Pin` of a `T` that isn't
        // `Unpin` never gives out.
        unsafe { Pin::new_unchecked(Arc::new(value)) }
    }

    /// A new object without its value: write it by [`get_mut`](Self::get_mut), then [`assume_init`](Arc::assume_init).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let mut five = Arc::<u32>::new_uninit();
    /// Arc::get_mut(&mut five).unwrap().write(5);
    /// // SAFETY: the value has just been written.
    /// let five = unsafe { five.assume_init() };
    /// assert_eq!(*five, 5);
    /// ```
    #[must_use]
    pub fn new_uninit() -> Arc<MaybeUninit<T>> {
        let block = allocate(Layout::new::<T>(), Header::new());
        // SAFETY: a new block with one owner: this; a `MaybeUninit` needs no value.
        unsafe { Arc::from_value(block.cast()) }
    }

    /// A new object whose bytes are all 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let zero = Arc::<u32>::new_zeroed();
    /// // SAFETY: all bits 0 are a `u32`.
    /// assert_eq!(*unsafe { zero.assume_init() }, 0);
    /// ```
    #[must_use]
    pub fn new_zeroed() -> Arc<MaybeUninit<T>> {
        let arc = Arc::new_uninit();
        // SAFETY: the block is new, so its place is ours alone.
        unsafe { Arc::value(&arc).write_bytes(0, 1) };
        arc
    }
}

impl<T> Arc<[T]> {
    /// A new slice of `len` elements without their values.
    ///
    /// # Panics
    /// If the block would be larger than `isize::MAX` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let mut squares = Arc::<[usize]>::new_uninit_slice(3);
    /// for (i, slot) in Arc::get_mut(&mut squares).unwrap().iter_mut().enumerate() {
    ///     slot.write(i * i);
    /// }
    /// // SAFETY: every element has just been written.
    /// let squares = unsafe { squares.assume_init() };
    /// assert_eq!(*squares, [0, 1, 4]);
    /// ```
    #[must_use]
    pub fn new_uninit_slice(len: usize) -> Arc<[MaybeUninit<T>]> {
        let Ok(slice) = Layout::array::<T>(len) else {
            panic!("capacity overflow: a slice larger than isize::MAX bytes");
        };
        let block = allocate(slice, Header::new()).cast();
        // SAFETY: a new block with one owner: this; `MaybeUninit`s need no values.
        unsafe { Arc::from_value(NonNull::slice_from_raw_parts(block, len)) }
    }

    /// A new slice of `len` elements whose bytes are all 0.
    ///
    /// # Panics
    /// As [`new_uninit_slice`](Self::new_uninit_slice).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let zeros = Arc::<[u32]>::new_zeroed_slice(3);
    /// // SAFETY: all bits 0 are a `u32`.
    /// assert_eq!(*unsafe { zeros.assume_init() }, [0; 3]);
    /// ```
    #[must_use]
    pub fn new_zeroed_slice(len: usize) -> Arc<[MaybeUninit<T>]> {
        let arc = Arc::new_uninit_slice(len);
        // SAFETY: the block is new, so its place is ours alone.
        unsafe { Arc::value(&arc).cast::<T>().write_bytes(0, len) };
        arc
    }
}

impl<T> Arc<MaybeUninit<T>> {
    /// The same object, as one with its value.
    ///
    /// # Safety
    /// The value has been written. What else points at the object ([`clone`](Clone::clone)s, observers) sees it as
    /// uninitialised still: if one of those is its last owner, the value's destructor does not run.
    ///
    /// # Examples
    ///
    /// See [`new_uninit`](Arc::new_uninit).
    #[must_use]
    pub unsafe fn assume_init(self) -> Arc<T> {
        // SAFETY: the count goes over; of the same size and alignment, and valid, says the caller.
        unsafe { Arc::from_raw(Arc::into_raw(self).cast()) }
    }
}

impl<T> Arc<[MaybeUninit<T>]> {
    /// The same slice, as one with its values.
    ///
    /// # Safety
    /// Every element has been written. What else points at the object sees it as uninitialised still.
    ///
    /// # Examples
    ///
    /// See [`new_uninit_slice`](Arc::new_uninit_slice).
    #[must_use]
    pub unsafe fn assume_init(self) -> Arc<[T]> {
        // SAFETY: the count goes over; of the same size, alignment and length, and valid, says the caller.
        unsafe { Arc::from_raw(Arc::into_raw(self) as *const [T]) }
    }
}

impl<T: ?Sized + Send + 'static> Arc<T> {
    /// As [`new_deferred`](Arc::new_deferred), of a value of any size. The value is moved; the box's memory is freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let words: Arc<str> = Arc::from_box_deferred("some words".into());
    /// assert!(Arc::is_deferred(&words));
    /// ```
    #[must_use]
    pub fn from_box_deferred(value: Box<T>) -> Self {
        // SAFETY: a new block with one owner: this.
        unsafe { Arc::from_value(layout::from_box(value, Header::deferred())) }
    }
}
