//! `unsize!`: what `std`'s pointers do by `CoerceUnsized`, which only `std` can implement.
//!
//! The compiler knows how to make a `*const T` a `*const dyn Trait` or a `*const [T]`; the macro has it do so in a closure
//! that it writes itself, always `|p| p`, whose type allows coercions and nothing else.

use super::{Arc, Weak};

/// Makes an [`Arc`] or [`Weak`] one of an unsized type: the same object, no copy.
///
/// `unsize!(arc => dyn Trait)`, or `unsize!(arc)` where the context says which type is meant. It does what `std`'s pointers
/// do without being asked, and accepts exactly what the compiler would coerce: types to trait objects, arrays to slices, trait
/// objects to those of their supertraits.
///
/// # Examples
///
/// ```
/// use std::fmt::Display;
/// use weakly::{Arc, Weak, unsize};
///
/// let five = Arc::new(5);
/// let shown = unsize!(five.clone() => dyn Display);
/// assert_eq!(shown.to_string(), "5");
///
/// let weak: Weak<dyn Display> = unsize!(Arc::downgrade(&five));
/// assert_eq!(weak.strong_count(), 2);
///
/// let bytes: Arc<[u8]> = unsize!(Arc::new([1, 2]));
/// assert_eq!(bytes.len(), 2);
/// ```
///
/// What the compiler would not coerce does not compile:
///
/// ```compile_fail,E0277
/// let not_send = weakly::Arc::new(std::cell::Cell::new(5));
/// weakly::unsize!(not_send => dyn std::any::Any + Send + Sync);
/// ```
#[macro_export]
macro_rules! unsize {
    // The caller's expression stands outside the unsafe block; in a type there is nothing unsafe to call. The method is
    // `Coerce`'s own, so that no trait of the caller's is in the way, and inference sees the target before the closure.
    ($pointer:expr => $target:ty) => {
        match $crate::__private::Coerce::new($pointer) {
            // SAFETY: the closure returns what it is given, coerced by the compiler.
            pointer => unsafe { pointer.to::<$target>(|p| p) },
        }
    };
    ($pointer:expr) => {
        match $crate::__private::Coerce::new($pointer) {
            // SAFETY: the closure returns what it is given, coerced by the compiler.
            pointer => unsafe { pointer.to(|p| p) },
        }
    };
}

/// A pointer on its way to another type. Only for the macro.
#[doc(hidden)]
#[derive(Debug)]
pub struct Coerce<P>(P);

impl<P: Unsize> Coerce<P> {
    /// Sets a pointer on its way.
    #[inline]
    pub fn new(pointer: P) -> Self {
        Coerce(pointer)
    }

    /// The same object, as a `U`.
    ///
    /// # Safety
    /// `coerce` returns the pointer it is given, changed by nothing but the compiler's coercions.
    #[inline]
    pub unsafe fn to<U: ?Sized>(self, coerce: fn(*const P::Target) -> *const U) -> P::To<U> {
        // SAFETY: a coerced pointer is at the same address and its metadata fits the value.
        unsafe { P::from_raw(coerce(self.0.into_raw())) }
    }
}

/// A pointer that can be coerced: `Arc` or `Weak`.
#[diagnostic::on_unimplemented(message = "`unsize!` takes a `weakly::Arc` or `weakly::Weak`, not `{Self}`")]
pub trait Unsize {
    /// What it points at.
    type Target: ?Sized;
    /// The same kind of pointer to a `U`.
    type To<U: ?Sized>;

    /// Its pointer, which keeps its count.
    fn into_raw(self) -> *const Self::Target;

    /// A pointer to the same object as a `U`.
    ///
    /// # Safety
    /// `raw` is from [`into_raw`](Self::into_raw), coerced; it gives up its count.
    unsafe fn from_raw<U: ?Sized>(raw: *const U) -> Self::To<U>;
}

impl<T: ?Sized> Unsize for Arc<T> {
    type Target = T;
    type To<U: ?Sized> = Arc<U>;

    #[inline]
    fn into_raw(self) -> *const T {
        Arc::into_raw(self)
    }

    #[inline]
    unsafe fn from_raw<U: ?Sized>(raw: *const U) -> Arc<U> {
        // SAFETY: as the caller says.
        unsafe { Arc::from_raw(raw) }
    }
}

impl<T: ?Sized> Unsize for Weak<T> {
    type Target = T;
    type To<U: ?Sized> = Weak<U>;

    #[inline]
    fn into_raw(self) -> *const T {
        Weak::into_raw(self)
    }

    #[inline]
    unsafe fn from_raw<U: ?Sized>(raw: *const U) -> Weak<U> {
        // SAFETY: as the caller says.
        unsafe { Weak::from_raw(raw) }
    }
}
