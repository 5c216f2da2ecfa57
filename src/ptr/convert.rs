//! Conversions: what becomes an `Arc`, and what an `Arc` becomes.
//!
//! Values that a container holds are moved, those behind a reference cloned; either way it is one allocation and, if user
//! code panics on the way, nothing leaks.

use super::Arc;
use super::build::Unfinished;
use super::mutate::cloned;
use crate::block::Header;
use crate::block::layout;
use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::ptr::NonNull;

impl<T> From<T> for Arc<T> {
    fn from(value: T) -> Self {
        Arc::new(value)
    }
}

impl<T: ?Sized> From<Box<T>> for Arc<T> {
    /// Moves the value; the box's memory is freed.
    fn from(value: Box<T>) -> Self {
        // SAFETY: a new block with one owner: this.
        unsafe { Arc::from_value(layout::from_box(value, Header::new())) }
    }
}

impl<T> From<Vec<T>> for Arc<[T]> {
    /// Moves the elements; the vector's memory is freed.
    fn from(mut values: Vec<T>) -> Self {
        let block = Unfinished::<[T]>::like(&values);
        // SAFETY: the elements count as moved from here on: the vector forgets them, and nothing can panic before it does.
        unsafe {
            let arc = block.take(NonNull::from(&mut *values));
            values.set_len(0);
            arc
        }
    }
}

impl<T, const N: usize> From<[T; N]> for Arc<[T]> {
    fn from(values: [T; N]) -> Self {
        // SAFETY: the count goes over; an array is laid out as a slice of its length.
        unsafe { Arc::from_raw(Arc::into_raw(Arc::new(values)) as *const [T]) }
    }
}

impl<T> FromIterator<T> for Arc<[T]> {
    /// Collects into a vector first: an iterator's length is not to be trusted.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

/// From references: clones, each into one new block.
macro_rules! from_refs {
    ($([$($generic:tt)*] $target:ty;)*) => {$(
        impl<$($generic)*> From<&$target> for Arc<$target> {
            fn from(value: &$target) -> Self {
                cloned(value)
            }
        }

        impl<$($generic)*> From<&mut $target> for Arc<$target> {
            fn from(value: &mut $target) -> Self {
                cloned(value)
            }
        }
    )*};
}

from_refs! {
    [T: Clone] [T];
    [] str;
    [] CStr;
    [] OsStr;
    [] Path;
}

/// From owned strings: their bytes are copied, the owner freed.
macro_rules! from_owned {
    ($($owned:ty => $target:ty;)*) => {$(
        impl From<$owned> for Arc<$target> {
            fn from(value: $owned) -> Self {
                cloned::<$target>(&value)
            }
        }
    )*};
}

from_owned! {
    String => str;
    CString => CStr;
    OsString => OsStr;
    PathBuf => Path;
}

impl<'a, B> From<Cow<'a, B>> for Arc<B>
where
    B: ToOwned + ?Sized,
    Arc<B>: From<&'a B> + From<B::Owned>,
{
    fn from(value: Cow<'a, B>) -> Self {
        match value {
            Cow::Borrowed(value) => Arc::from(value),
            Cow::Owned(value) => Arc::from(value),
        }
    }
}

impl From<Arc<str>> for Arc<[u8]> {
    /// The same object; nothing is copied.
    fn from(text: Arc<str>) -> Self {
        // SAFETY: the count goes over; a `str` is laid out as its bytes.
        unsafe { Arc::from_raw(Arc::into_raw(text) as *const [u8]) }
    }
}

impl<T, const N: usize> TryFrom<Arc<[T]>> for Arc<[T; N]> {
    type Error = Arc<[T]>;

    /// The same object, if it has `N` elements; else the slice back.
    fn try_from(slice: Arc<[T]>) -> Result<Self, Arc<[T]>> {
        if slice.len() == N {
            // SAFETY: the count goes over; a slice of `N` elements is laid out as an array.
            Ok(unsafe { Arc::from_raw(Arc::into_raw(slice).cast()) })
        } else {
            Err(slice)
        }
    }
}

impl Arc<dyn Any + Send + Sync> {
    /// The same object, if it is a `T`.
    ///
    /// # Errors
    /// The `Arc` itself, if it is something else.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::any::Any;
    /// use weakly::{Arc, unsize};
    ///
    /// let any: Arc<dyn Any + Send + Sync> = unsize!(Arc::new(5_u8));
    /// let any = any.downcast::<String>().unwrap_err();
    /// assert_eq!(*any.downcast::<u8>().unwrap(), 5);
    /// ```
    pub fn downcast<T: Any + Send + Sync>(self) -> Result<Arc<T>, Self> {
        if (*self).is::<T>() {
            // SAFETY: the count goes over; the value is a `T`.
            Ok(unsafe { Arc::from_raw(Arc::into_raw(self).cast()) })
        } else {
            Err(self)
        }
    }
}

impl<T: Default> Default for Arc<T> {
    fn default() -> Self {
        Arc::new(T::default())
    }
}

impl<T> Default for Arc<[T]> {
    /// An empty slice.
    fn default() -> Self {
        Arc::from([])
    }
}

impl Default for Arc<str> {
    /// An empty string.
    fn default() -> Self {
        Arc::from("")
    }
}

impl Default for Arc<CStr> {
    /// An empty string.
    fn default() -> Self {
        Arc::from(c"")
    }
}

impl<T: ?Sized> Default for Pin<Arc<T>>
where
    Arc<T>: Default,
{
    fn default() -> Self {
        // SAFETY: as in `Arc::pin`.
        unsafe { Pin::new_unchecked(Arc::default()) }
    }
}
