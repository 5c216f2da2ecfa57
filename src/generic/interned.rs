//! What an interner hands out, and how it makes objects of what it is shown.

use crate::pointer::Pointer;
use crate::ptr::Arc;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// An object of an interner: equal ones are the same object, so comparing and hashing look at the address alone.
///
/// Compare only what came from one interner. As it hashes differently from its value, it does not `Borrow` it.
///
/// # Examples
///
/// ```
/// use weakly::{Interned, Interner};
///
/// let names: Interner<str> = Interner::new();
/// let (a, b): (Interned<str>, Interned<str>) = (names.intern("ann"), names.intern("ann"));
/// assert!(a == b && a.len() == 3);
/// ```
#[must_use]
pub struct Interned<A: Pointer>(A);

impl<A: Pointer> Interned<A> {
    pub(super) fn new(object: A) -> Self {
        Interned(object)
    }

    /// The pointer to the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Interned, Interner};
    ///
    /// let names: Interner<str> = Interner::new();
    /// let ann = names.intern("ann");
    /// let arc: Arc<str> = Interned::as_arc(&ann).clone();
    /// assert_eq!(&*arc, "ann");
    /// ```
    pub fn as_arc(this: &Self) -> &A {
        &this.0
    }

    /// The pointer to the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Interned, Interner};
    ///
    /// let names: Interner<str> = Interner::new();
    /// let arc: Arc<str> = Interned::into_arc(names.intern("ann"));
    /// assert_eq!(&*arc, "ann");
    /// ```
    pub fn into_arc(this: Self) -> A {
        this.0
    }

    /// Gives it up for its object's address, to be taken back by [`from_raw`](Self::from_raw).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Interned, Interner};
    ///
    /// let numbers: Interner<u64> = Interner::new();
    /// let raw = Interned::into_raw(numbers.intern(5));
    /// // SAFETY: taken back once.
    /// assert_eq!(*unsafe { Interned::<u64>::from_raw(raw) }, 5);
    /// ```
    pub fn into_raw(this: Self) -> *const A::Target {
        A::into_raw(this.0)
    }

    /// It, back.
    ///
    /// # Safety
    /// `raw` came from [`into_raw`](Self::into_raw) of this kind, and was not taken back before.
    ///
    /// # Examples
    ///
    /// See [`into_raw`](Self::into_raw).
    pub unsafe fn from_raw(raw: *const A::Target) -> Self {
        // SAFETY: as the caller says.
        Interned(unsafe { A::from_raw(raw) })
    }
}

impl<A: Pointer> Clone for Interned<A> {
    fn clone(&self) -> Self {
        Interned(self.0.clone())
    }
}

impl<A: Pointer> Deref for Interned<A> {
    type Target = A::Target;
    #[inline]
    fn deref(&self) -> &A::Target {
        &self.0
    }
}

impl<A: Pointer> AsRef<A::Target> for Interned<A> {
    fn as_ref(&self) -> &A::Target {
        self
    }
}

impl<A: Pointer> PartialEq for Interned<A> {
    /// The same object?
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(A::as_ptr(&self.0), A::as_ptr(&other.0))
    }
}

impl<A: Pointer> Eq for Interned<A> {}

impl<A: Pointer> Hash for Interned<A> {
    /// Of the address.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        A::as_ptr(&self.0).cast::<()>().addr().hash(state);
    }
}

impl<A: Pointer<Target: PartialOrd>> PartialOrd for Interned<A> {
    /// By value; of equal values that are not the same object, by address.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        let by_value = (**self).partial_cmp(&**other)?;
        Some(by_value.then_with(|| address(self).cmp(&address(other))))
    }
}

impl<A: Pointer<Target: Ord>> Ord for Interned<A> {
    /// By value; of equal values that are not the same object, by address.
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        (**self).cmp(&**other).then_with(|| address(self).cmp(&address(other)))
    }
}

fn address<A: Pointer>(this: &Interned<A>) -> usize {
    A::as_ptr(&this.0).cast::<()>().addr()
}

impl<A: Pointer<Target: fmt::Debug>> fmt::Debug for Interned<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<A: Pointer<Target: fmt::Display>> fmt::Display for Interned<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// How [`intern_ref`](super::Interner::intern_ref) makes the object on a miss: a clone of a `Q` that is the object, or an owned
/// copy of a `str`, slice, path.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Intern, Interner};
///
/// #[derive(PartialEq, Eq, Hash)]
/// struct Tag(u8);
///
/// #[derive(PartialEq, Eq, Hash)]
/// struct Code(u8);
///
/// impl weakly::Equivalent<Tag> for Code {
///     fn equivalent(&self, tag: &Tag) -> bool {
///         self.0 == tag.0
///     }
/// }
///
/// impl Intern<Code> for Arc<Tag> {
///     fn make(code: &Code) -> Self {
///         Arc::new(Tag(code.0))
///     }
/// }
///
/// let tags: Interner<Tag> = Interner::new();
/// assert_eq!(tags.intern_ref(&Code(1)).0, 1);
/// ```
#[diagnostic::on_unimplemented(message = "a `{Self}` can't be made from a `&{Q}`")]
pub trait Intern<Q: ?Sized> {
    /// Makes it.
    fn make(q: &Q) -> Self;
}

impl<T: Clone> Intern<T> for Arc<T> {
    fn make(q: &T) -> Self {
        Arc::new(q.clone())
    }
}

impl<T: Clone> Intern<[T]> for Arc<[T]> {
    fn make(q: &[T]) -> Self {
        Arc::from(q)
    }
}

impl<T: Clone> Intern<[T]> for Arc<Vec<T>> {
    fn make(q: &[T]) -> Self {
        Arc::new(q.to_vec())
    }
}

macro_rules! intern {
    ($($borrowed:ty, $owned:ty;)*) => { $(
        impl Intern<$borrowed> for Arc<$borrowed> {
            fn make(q: &$borrowed) -> Self {
                Arc::from(q)
            }
        }

        impl Intern<$borrowed> for Arc<$owned> {
            fn make(q: &$borrowed) -> Self {
                Arc::new(q.to_owned())
            }
        }
    )* };
}

intern! {
    str, String;
    std::path::Path, std::path::PathBuf;
    std::ffi::OsStr, std::ffi::OsString;
    std::ffi::CStr, std::ffi::CString;
}
