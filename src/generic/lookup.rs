//! How weakly held keys are told apart, and what finds one.

use super::live::{Kept, Seen};
use crate::pointer::Pointer;
use crate::ptr::{Arc, Weak};
use equivalent::Equivalent;
use std::hash::{BuildHasher, Hash};

/// Keys are told apart by `Hash` and `Eq`: `WeakKeyMap`, `WeakWeakMap`, `WeakSet`.
#[derive(Clone, Copy, Debug)]
pub enum ByEq {}

/// Keys are told apart by their addresses: `PtrWeakKeyMap`, `PtrWeakWeakMap`, `PtrWeakSet`.
#[derive(Clone, Copy, Debug)]
pub enum ByPointer {}

/// A rule by which objects are told apart: [`ByEq`], or [`ByPointer`] for any object.
///
/// Sealed.
pub trait Rule<T: ?Sized>: sealed::Rule + Sized {
    /// Do addresses say all?
    #[doc(hidden)]
    const BY_ADDRESS: bool;
    /// The hash of an object.
    #[doc(hidden)]
    fn hash<S: BuildHasher>(hasher: &S, object: &T) -> u64;
    /// Are two different objects the same key?
    #[doc(hidden)]
    fn eq(a: &T, b: &T) -> bool;
}

impl<T: ?Sized + Hash + Eq> Rule<T> for ByEq {
    const BY_ADDRESS: bool = false;

    #[inline]
    fn hash<S: BuildHasher>(hasher: &S, object: &T) -> u64 {
        hasher.hash_one(object)
    }

    #[inline]
    fn eq(a: &T, b: &T) -> bool {
        a == b
    }
}

impl<T: ?Sized> Rule<T> for ByPointer {
    const BY_ADDRESS: bool = true;

    #[inline]
    fn hash<S: BuildHasher>(hasher: &S, object: &T) -> u64 {
        hash_address(hasher, thin(object))
    }

    #[inline]
    fn eq(_: &T, _: &T) -> bool {
        false
    }
}

mod sealed {
    pub trait Rule {}
    impl Rule for super::ByEq {}
    impl Rule for super::ByPointer {}
}

/// The thin address of an object.
#[inline]
fn thin<T: ?Sized>(object: *const T) -> *const () {
    object.cast()
}

#[inline]
fn hash_address<S: BuildHasher>(hasher: &S, address: *const ()) -> u64 {
    hasher.hash_one(address.addr())
}

/// What finds a weakly held `T`: any `Q: Hash + Equivalent<T>`, a `&T` itself, or a pointer to it. `M` is inferred; `R` is the
/// collection's [`Rule`].
///
/// A pointer to an object, or a `&T` that is the object itself, is found by its address, without a count.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakSet};
///
/// let names: WeakSet<String> = WeakSet::new();
/// let ann = Arc::new("ann".to_string());
/// names.insert(&ann);
/// assert!(names.contains("ann") && names.contains(&ann) && names.contains(&*ann));
/// ```
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't look up a `{T}`",
    note = "by equality: what is `Hash + Equivalent<{T}>`, or a pointer to it; by address: `&{T}`, or a pointer to it"
)]
pub trait Lookup<T: ?Sized, M, R = ByEq>: Matches<T, M, R> {
    /// The hash that the object has.
    #[doc(hidden)]
    fn hash_by<S: BuildHasher>(&self, hasher: &S) -> u64;
}

/// As [`Lookup`], for callers that have the hash.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't look up a `{T}`",
    note = "by equality: what is `Equivalent<{T}>`, or a pointer to it; by address: `&{T}`, or a pointer to it"
)]
pub trait Matches<T: ?Sized, M, R = ByEq> {
    /// Do addresses say all?
    #[doc(hidden)]
    const BY_ADDRESS: bool = false;

    /// The address of the object, if it is at hand.
    #[doc(hidden)]
    fn address(&self) -> Option<*const ()>;
    /// Is it this one, which is at another address?
    #[doc(hidden)]
    fn is(&self, object: &T) -> bool;
}

impl<T: ?Sized, Q: ?Sized + Hash + Equivalent<T>> Lookup<T, ByEq> for Q {
    #[inline]
    fn hash_by<S: BuildHasher>(&self, hasher: &S) -> u64 {
        hasher.hash_one(self)
    }
}

impl<T: ?Sized, Q: ?Sized + Equivalent<T>> Matches<T, ByEq> for Q {
    /// Of a `T` only, for another type may begin at the same address; and not of a zero-sized one, for it may too; nor of an
    /// unsized one, for so may its own prefix or first field.
    #[inline]
    fn address(&self) -> Option<*const ()> {
        let is_sized = size_of::<&Q>() == size_of::<*const ()>();
        (is_sized && size_of_val(self) > 0 && typeid::of::<Q>() == typeid::of::<T>()).then(|| thin(self))
    }

    #[inline]
    fn is(&self, object: &T) -> bool {
        self.equivalent(object)
    }
}

/// A pointer to an object finds it by its address, or else by its value.
macro_rules! by_pointer {
    ($Arc:ty, $Weak:ty, [$($bound:tt)*]) => {
        impl<T: ?Sized + Hash + Eq + $($bound)*> Lookup<T, ByPointer> for $Arc {
            #[inline]
            fn hash_by<S: BuildHasher>(&self, hasher: &S) -> u64 {
                hasher.hash_one(&**self)
            }
        }

        impl<T: ?Sized + Eq + $($bound)*> Matches<T, ByPointer> for $Arc {
            #[inline]
            fn address(&self) -> Option<*const ()> {
                Some(<$Arc>::as_ptr(self).cast())
            }

            #[inline]
            fn is(&self, object: &T) -> bool {
                **self == *object
            }
        }

        impl<T: ?Sized + $($bound)*> SameObject<T> for $Arc {
            #[inline]
            fn object(&self) -> *const () {
                <$Arc>::as_ptr(self).cast()
            }
        }

        impl<T: ?Sized + $($bound)*> SameObject<T> for $Weak {
            #[inline]
            fn object(&self) -> *const () {
                <$Weak>::as_ptr(self).cast()
            }
        }
    };
}

pub(crate) use by_pointer;

by_pointer!(Arc<T>, Weak<T>, []);

impl<T: ?Sized, P: ?Sized + SameObject<T>> Lookup<T, ByPointer, ByPointer> for P {
    #[inline]
    fn hash_by<S: BuildHasher>(&self, hasher: &S) -> u64 {
        hash_address(hasher, self.object())
    }
}

impl<T: ?Sized, P: ?Sized + SameObject<T>> Matches<T, ByPointer, ByPointer> for P {
    const BY_ADDRESS: bool = true;

    #[inline]
    fn address(&self) -> Option<*const ()> {
        Some(self.object())
    }

    #[inline]
    fn is(&self, _: &T) -> bool {
        false
    }
}

/// What names one object: `&T` itself, a pointer to it, or a weak pointer.
///
/// By address alone: a zero-sized `&T` that is not the object itself may have its address all the same, and so may an unsized
/// one that begins where the object does (`&text[..3]`, a first field as a trait object). Name such objects by their pointers.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, PtrWeakSet};
///
/// let set = PtrWeakSet::new();
/// let (five, other) = (Arc::new(5), Arc::new(5));
/// set.insert(&five);
/// assert!(set.contains(&five) && set.contains(&*five) && set.contains(&Arc::downgrade(&five)));
/// assert!(!set.contains(&other));
/// ```
#[diagnostic::on_unimplemented(message = "a `{Self}` doesn't name a `{T}` by its address")]
pub trait SameObject<T: ?Sized> {
    /// The object's address.
    #[doc(hidden)]
    fn object(&self) -> *const ();
}

impl<T: ?Sized> SameObject<T> for T {
    #[inline]
    fn object(&self) -> *const () {
        thin(self)
    }
}

/// An owner that a look has left behind: perhaps a key's.
pub trait Part<A> {
    /// A key's.
    fn of_key(key: A) -> Self;
    /// Back again.
    fn key(&self) -> Option<&A>;
}

impl<A> Part<A> for A {
    #[inline]
    fn of_key(key: A) -> A {
        key
    }

    #[inline]
    fn key(&self) -> Option<&A> {
        Some(self)
    }
}

/// Compares what is held with what `q` looks for. Addresses first; only then, unless they say all, by an upgrade, for `Eq` must have
/// an owner. A dead object may be any.
#[inline]
pub(super) fn seek<A: Pointer, P: Part<A>, M, R, Q: Matches<A::Target, M, R> + ?Sized>(
    q: &Q,
) -> impl Fn(&A::Held, &mut Kept<P>) -> Seen {
    compare::<A, P>(Q::BY_ADDRESS, move || q.address(), move |object| q.is(object))
}

/// As [`seek`], for a key that is at hand.
#[inline]
pub(super) fn seek_own<A: Pointer, P: Part<A>, R: Rule<A::Target>>(key: &A) -> impl Fn(&A::Held, &mut Kept<P>) -> Seen {
    compare::<A, P>(R::BY_ADDRESS, move || Some(thin(A::as_ptr(key))), move |object| R::eq(key, object))
}

/// As [`seek_own`], for a node of that key.
#[inline]
pub(super) fn seek_node<A: Pointer, P: Part<A>, R: Rule<A::Target>>(
    key: &A,
) -> impl Fn(&A::Held, &A::Held, &mut Kept<P>) -> Seen {
    let same = seek_own::<A, P, R>(key);
    move |_, there, kept| same(there, kept)
}

#[inline]
fn compare<A: Pointer, P: Part<A>>(
    by_address: bool,
    address: impl Fn() -> Option<*const ()>,
    is: impl Fn(&A::Target) -> bool,
) -> impl Fn(&A::Held, &mut Kept<P>) -> Seen {
    move |held, kept| {
        if address() == Some(A::address(held)) {
            return Seen::Same;
        }
        if by_address {
            return Seen::Other;
        }
        let Some(owner) = A::revive(held) else { return Seen::Dead };
        Seen::same_if(kept.keep(P::of_key(owner)).key().is_some_and(|object| is(object)))
    }
}
