//! How a table holds an object of `std`'s `Arc`: by `std`'s `Weak`, and by a weak count of its anchor's block.
//!
//! # Parties and states
//!
//! `std`'s strong word says whether the object is alive; the block's hook list says whether its anchor has dropped. Between
//! the two an entry is *dead and unclaimed*: absent for every look-up, and still in its slot.
//!
//! # Steps
//!
//! *Hold*: ask the object for its anchor (user code, which may panic; nothing is held yet), take a weak count of its block,
//! take a `Weak`. *Look*: upgrade, or look at the count; if it is 0, fence.
//!
//! # Races and who wins
//!
//! *upgrade / last drop*: `std`'s word. *read / replace / death*: the table's readers look again at the slot when they find a
//! node dead (see [`probe`](crate::table::probe)). That look must see what any of the object's owners had put there. Of the
//! crate's own `Arc` the upgrade's Acquire sees to that; `std`'s count and failed upgrade are Relaxed: hence the fence.
//!
//! # Orderings
//!
//! The `SeqCst` fence in [`see_death`] pairs with the one that every writer passes when it leaves its shard
//! (see [`handoff`](crate::table::handoff)): after its stores to the table, and before it lets its owner of the object go.
//! Wherever that owner is carried, the step that gives its count up comes after the writer's fence, and in the word's own
//! order no later than the step to 0, whose value the reader has read before its fence. So in the one order of such fences
//! the writer's comes first, and what the reader loads after its own is at least as new as the writer's stores. The step to 0
//! needs no ordering of its own, and has none when `try_unwrap` takes it.
//!
//! # What callers must not do
//!
//! Rely on a successful upgrade for more than `std` promises: it orders the value, and nothing of the table.

use super::{Anchored, Snapshot};
use crate::block::head::Head;
use crate::block::layout::layout_of;
use crate::death::hook::Hook;
use crate::pointer::{self, Hold, Pointer};
use crate::ptr;
use crate::reclaim::Guard;
use crate::sync::{Ordering, fence};
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Weak};

/// A guest, as a node holds it.
#[doc(hidden)]
pub struct Held<T: ?Sized> {
    weak: Weak<T>,
    anchor: pointer::Held<()>,
}

/// The caller has found an object dead by a Relaxed look: what it looks at next is at least as new as that death.
#[cold]
pub fn see_death() {
    // SeqCst: pairs with the fence of a writer that leaves its shard, in `table/handoff.rs`.
    fence(Ordering::SeqCst);
}

impl<T: ?Sized + Anchored> Hold for Arc<T> {
    type Held = Held<T>;

    fn hold(this: &Self) -> Held<T> {
        let anchor = this.anchor().hold();
        Held { weak: Arc::downgrade(this), anchor }
    }

    #[inline]
    fn head(held: &Held<T>) -> &Head<Hook> {
        <ptr::Arc<()>>::head(&held.anchor)
    }

    #[inline]
    fn revive(held: &Held<T>) -> Option<Self> {
        let revived = held.weak.upgrade();
        if revived.is_none() {
            see_death();
        }
        revived
    }

    #[inline]
    fn is_alive(held: &Held<T>) -> bool {
        let alive = held.weak.strong_count() > 0;
        if !alive {
            see_death();
        }
        alive
    }

    #[inline]
    fn address(held: &Held<T>) -> *const () {
        held.weak.as_ptr().cast()
    }

    #[inline]
    fn bytes(held: &Held<T>) -> usize {
        // SAFETY: a `Weak` of an object points at its memory, which it keeps; the object was there when it was taken.
        unsafe { layout_of(NonNull::new_unchecked(held.weak.as_ptr().cast_mut())) }.size()
    }
}

impl<T: ?Sized + Anchored> Pointer for Arc<T> {
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
        Arc::as_ptr(this)
    }

    fn into_raw(this: Self) -> *const T {
        Arc::into_raw(this)
    }

    unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: as the caller says.
        unsafe { Arc::from_raw(ptr) }
    }

    fn weak(held: &Held<T>) -> Weak<T> {
        held.weak.clone()
    }

    #[inline]
    unsafe fn read<'g>(held: &Held<T>, guard: &'g Guard) -> Option<Snapshot<'g, T>>
    where
        T: 'g,
    {
        Self::revive(held).map(|arc| Snapshot::new(arc, guard))
    }

    fn is_named_by(this: &Self, weak: &Weak<T>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(this), weak.as_ptr())
    }
}

impl<T: ?Sized> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.weak.as_ptr()).finish()
    }
}
