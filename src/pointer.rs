//! Which pointers a collection can hold weakly.
//!
//! One table serves every pointer kind: what it needs of a pointer is the sealed [`Hold`], and what users see is [`Pointer`].

use crate::block::head::Head;
use crate::block::layout::{header, release_weak, size_of_value};
use crate::death::hook::Hook;
use crate::ptr::{Arc, Weak};
use crate::reclaim::{Guard, Snapshot};
use std::ops::Deref;
use std::ptr::NonNull;

/// A strong pointer that the collections can hold weakly: [`Arc`], or `std::sync::Arc<T>` of an [anchored] `T`.
///
/// [anchored]: crate::std_arc::Anchored
///
/// Sealed. For code that is generic over the pointer kind; the associated functions are those of the pointer itself.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Pointer, generic::WeakValueMap};
///
/// fn put<A: Pointer<Target: 'static>>(map: &WeakValueMap<u8, A>, a: &A) -> Option<A> {
///     map.insert(1, a);
///     map.get(&1)
/// }
/// assert_eq!(put(&WeakValueMap::new(), &Arc::new(5)).as_deref(), Some(&5));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be held by a weakly collection",
    note = "use `weakly::Arc<T>`, or `std::sync::Arc<T>` with `T: weakly::std_arc::Anchored`"
)]
pub trait Pointer: Hold + Deref + Clone {
    /// The weak pointer of this kind.
    type Weak: Clone;
    /// A value read under a guard.
    type Snapshot<'g>: Deref<Target = Self::Target>
    where
        Self: 'g;
    /// The same kind of pointer to another type.
    type With<U: ?Sized>;

    /// A weak pointer to the same object.
    fn downgrade(this: &Self) -> Self::Weak;
    /// An owner, if the object is alive.
    fn upgrade(weak: &Self::Weak) -> Option<Self>;
    /// The object's address.
    fn as_ptr(this: &Self) -> *const Self::Target;
    /// Gives the pointer up for its object's address, to be taken back by [`from_raw`](Self::from_raw).
    fn into_raw(this: Self) -> *const Self::Target;
    /// The pointer back.
    ///
    /// # Safety
    /// `raw` came from [`into_raw`](Self::into_raw) of this kind, and was not taken back before.
    unsafe fn from_raw(raw: *const Self::Target) -> Self;

    /// A weak pointer to a held object.
    #[doc(hidden)]
    fn weak(held: &Self::Held) -> Self::Weak;
    /// Reads a held object under a guard.
    ///
    /// # Safety
    /// The node that holds it was reached under `guard`.
    #[doc(hidden)]
    unsafe fn read<'g>(held: &Self::Held, guard: &'g Guard) -> Option<Self::Snapshot<'g>>
    where
        Self: 'g;
    /// Does `weak` name this very object?
    #[doc(hidden)]
    fn is_named_by(this: &Self, weak: &Self::Weak) -> bool;
    /// Is it the very object that is held?
    #[doc(hidden)]
    #[inline]
    fn is_held(this: &Self, held: &Self::Held) -> bool {
        std::ptr::addr_eq(Self::as_ptr(this), Self::address(held))
    }
}

/// What a table's node needs of a pointer: it holds one weak count, and can try to upgrade.
///
/// Who finds an object dead by `revive` or `is_alive`, and then looks at the table, sees all that writers had done there
/// before they let their owners of the object go.
#[doc(hidden)]
pub trait Hold: Sized {
    /// One weak count, given back when dropped.
    type Held;

    /// Takes a weak count. May run user code, once, and panic: before anything has changed, then.
    fn hold(this: &Self) -> Self::Held;
    /// The object's hooks.
    fn head(held: &Self::Held) -> &Head<Hook>;
    /// An owner, if the object is alive.
    fn revive(held: &Self::Held) -> Option<Self>;
    /// Never upgrades.
    fn is_alive(held: &Self::Held) -> bool;
    /// The object's address.
    fn address(held: &Self::Held) -> *const ();
    /// The bytes that the weak count keeps from being freed.
    fn bytes(held: &Self::Held) -> usize;
}

/// One weak count of a block, as a node holds it.
#[derive(Debug)]
#[doc(hidden)]
pub struct Held<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Held<T> {
    fn header(&self) -> &crate::block::Header {
        // SAFETY: our count keeps the block.
        unsafe { header(self.0) }
    }
}

impl<T> Held<T> {
    /// An owner, of a strong count that goes with this weak one.
    ///
    /// # Safety
    /// The caller gives such a count up.
    pub(crate) unsafe fn arc(&self) -> Arc<T> {
        // SAFETY: the count is the `Arc`'s.
        unsafe { Arc::from_value(self.0) }
    }
}

impl<T: ?Sized> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: our count, given up here.
        unsafe { release_weak(self.0) }
    }
}

impl<T: ?Sized> Hold for Arc<T> {
    type Held = Held<T>;

    #[inline]
    fn hold(this: &Self) -> Held<T> {
        this.header().downgrade(1);
        Held(Arc::value(this))
    }

    #[inline]
    fn head(held: &Held<T>) -> &Head<Hook> {
        &held.header().hooks
    }

    #[inline]
    fn revive(held: &Held<T>) -> Option<Self> {
        // SAFETY: the upgrade's count is the `Arc`'s.
        held.header().state.upgrade().then(|| unsafe { Arc::from_value(held.0) })
    }

    #[inline]
    fn is_alive(held: &Held<T>) -> bool {
        held.header().state.is_alive()
    }

    #[inline]
    fn address(held: &Held<T>) -> *const () {
        held.0.as_ptr() as *const ()
    }

    #[inline]
    fn bytes(held: &Held<T>) -> usize {
        // SAFETY: the count is ours.
        unsafe { size_of_value(held.0) }
    }
}

impl<T: ?Sized> Pointer for Arc<T> {
    type Weak = Weak<T>;
    type Snapshot<'g>
        = Snapshot<'g, T>
    where
        Self: 'g;
    type With<U: ?Sized> = Arc<U>;

    fn downgrade(this: &Self) -> Weak<T> {
        Arc::downgrade(this)
    }

    fn upgrade(weak: &Weak<T>) -> Option<Self> {
        weak.upgrade()
    }

    fn as_ptr(this: &Self) -> *const T {
        Arc::value(this).as_ptr()
    }

    fn into_raw(this: Self) -> *const T {
        Arc::into_raw(this)
    }

    unsafe fn from_raw(raw: *const T) -> Self {
        // SAFETY: as the caller says.
        unsafe { Arc::from_raw(raw) }
    }

    fn weak(held: &Held<T>) -> Weak<T> {
        held.header().retain_weak();
        // SAFETY: the count is the `Weak`'s.
        unsafe { Weak::from_value(held.0) }
    }

    #[inline]
    unsafe fn read<'g>(held: &Held<T>, guard: &'g Guard) -> Option<Snapshot<'g, T>>
    where
        T: 'g,
    {
        // SAFETY: the node's count is given back through the epoch, and the node was reached under the guard.
        unsafe { Snapshot::read(guard, held.0) }
    }

    fn is_named_by(this: &Self, weak: &Weak<T>) -> bool {
        std::ptr::addr_eq(Arc::value(this).as_ptr(), weak.value().as_ptr())
    }
}
