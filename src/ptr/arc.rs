//! `Arc`: an owner.

use super::{Observer, Weak};
use crate::block::layout::{self, header, release_weak};
use crate::block::{Header, head::Unborn, state::State};
use crate::death;
use crate::death::hook::{Hook, ObserverInfo};
use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, forget};
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

/// A thread-safe reference-counting pointer, near drop-in for [`std::sync::Arc`], whose object can be watched.
///
/// What it has beyond `std`'s: its object can be held weakly by the collections of this crate, which drop the entry at the
/// object's death; it can be observed ([`Arc::observe`]) and finalized ([`finalize`](crate::finalize)); and its destructor
/// can be deferred ([`Arc::new_deferred`]), so that readers touch no count.
///
/// With `T: Sized`, `Arc<T>` and `Option<Arc<T>>` are one word.
///
/// # Liveness
///
/// Dropping the last `Arc` is the death of its object, one atomic step: from there on every upgrade and every look-up in
/// every collection treats it as absent. Before the drop returns, its entries are out (or posted to whoever holds a shard's
/// lock just then), its callbacks have run, newest first, and its destructor has run. Deep inside other deaths on the same
/// thread, a watched object's callbacks and destructor run before the outermost of those drops returns.
///
/// # Examples
///
/// ```
/// use weakly::Arc;
///
/// let a = Arc::new(5);
/// let weak = Arc::downgrade(&a);
/// assert_eq!(weak.upgrade().as_deref(), Some(&5));
/// drop(a);
/// assert!(weak.upgrade().is_none());
/// ```
#[repr(transparent)]
pub struct Arc<T: ?Sized> {
    value: NonNull<T>,
    _owns: PhantomData<T>,
}

// SAFETY: as `std`'s: an `Arc` gives `&T` on every thread that has a clone (`T: Sync`), and its last owner, on any thread,
// drops the `T` (`T: Send`).
unsafe impl<T: ?Sized + Send + Sync> Send for Arc<T> {}
// SAFETY: as above; `&Arc<T>` gives clones.
unsafe impl<T: ?Sized + Send + Sync> Sync for Arc<T> {}
impl<T: ?Sized + RefUnwindSafe> UnwindSafe for Arc<T> {}
impl<T: ?Sized> Unpin for Arc<T> {}

impl<T> Arc<T> {
    /// A new object with one owner.
    ///
    /// One allocation: the value and three words before it.
    ///
    /// # Examples
    ///
    /// ```
    /// let five = weakly::Arc::new(5);
    /// ```
    #[inline]
    pub fn new(value: T) -> Self {
        // SAFETY: a new block with one owner: this.
        unsafe { Arc::from_value(layout::new(value, Header::new())) }
    }

    /// A new object whose death is immediate but whose destructor waits for a grace period.
    ///
    /// Reading it from a pinned map or an [`AtomicArc`](crate::atomic::AtomicArc) touches no reference count: many threads
    /// can read one hot object without sharing a cache line that anybody writes. The price: the destructor runs later, on
    /// whichever thread gets to it, and the value is never moved out or lent mutably ([`try_unwrap`](Self::try_unwrap) is
    /// `Err`, [`into_inner`](Self::into_inner) and [`get_mut`](Self::get_mut) are `None`, [`make_mut`](Self::make_mut) and
    /// [`unwrap_or_clone`](Self::unwrap_or_clone) clone).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let config = Arc::new_deferred(String::from("on"));
    /// assert!(Arc::is_deferred(&config));
    /// ```
    #[inline]
    pub fn new_deferred(value: T) -> Self
    where
        T: Send + 'static,
    {
        // SAFETY: a new block with one owner: this.
        unsafe { Arc::from_value(layout::new(value, Header::deferred())) }
    }

    /// A new object that knows itself: `make` gets a [`Weak`] to what it is about to return.
    ///
    /// Until `make` returns, upgrades of that `Weak` fail.
    ///
    /// # Panics
    /// If `make` does; nothing leaks.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak};
    ///
    /// struct Node { me: Weak<Node> }
    /// let node = Arc::new_cyclic(|me| Node { me: me.clone() });
    /// assert!(Arc::ptr_eq(&node.me.upgrade().unwrap(), &node));
    /// ```
    pub fn new_cyclic<F: FnOnce(&Weak<T>) -> T>(make: F) -> Self {
        let unborn = Header::new_unborn(const { &Unborn::new::<T>() });
        let block = layout::allocate(Layout::new::<T>(), unborn).cast::<T>();
        // SAFETY: the weak count that owners will hold, until they do. If `make` panics it goes, and with it the memory.
        let weak = unsafe { Weak::from_value(block) };
        let value = make(&weak);
        // SAFETY: nobody reads the value before `publish`.
        unsafe {
            block.write(value);
            header(block).publish();
            forget(weak);
            Arc::from_value(block)
        }
    }

    /// The value, if this is its only owner; else the `Arc` back.
    ///
    /// Moving the value out is a death: entries leave their maps and callbacks run before this returns; only the destructor
    /// does not run. `Weak`s don't hinder it.
    ///
    /// # Errors
    /// The `Arc` itself, if there are other owners or the value is deferred.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// assert_eq!(Arc::try_unwrap(Arc::new(5)), Ok(5));
    /// ```
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if Arc::is_deferred(&this) || !this.state().take() {
            return Err(this);
        }
        // SAFETY: the exchange made the death ours; the handle is forgotten.
        Ok(unsafe { Arc::move_out(ManuallyDrop::new(this).value) })
    }

    /// The value, if this was its last owner; else the count is given up.
    ///
    /// Of several owners that all call this, exactly one gets the value. A deferred value is never moved out: `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let b = Arc::clone(&a);
    /// assert_eq!(Arc::into_inner(a), None);
    /// assert_eq!(Arc::into_inner(b), Some(5));
    /// ```
    pub fn into_inner(this: Self) -> Option<T> {
        if Arc::is_deferred(&this) {
            return None;
        }
        let this = ManuallyDrop::new(this);
        let state = this.state();
        // Taking it while the count is still ours wins over an upgrade that could otherwise come between.
        if state.take() || (state.release() && state.settle()) {
            // SAFETY: the death is ours; the handle is never used again.
            return Some(unsafe { Arc::move_out(this.value) });
        }
        None
    }

    /// The value of an object that nobody else has ever seen, deferred or not.
    ///
    /// # Safety
    /// No other owner, and no reader under a guard, ever saw the value.
    pub(crate) unsafe fn into_unseen(this: Self) -> T {
        let sole = this.state().take();
        debug_assert!(sole);
        // SAFETY: the only owner's, so the death is ours; no reader is to be waited for.
        unsafe { Arc::move_out(ManuallyDrop::new(this).value) }
    }

    /// Moves the value of a dead block out; entries leave and callbacks run first.
    ///
    /// # Safety
    /// The caller owns the death; the value is whole.
    unsafe fn move_out(block: NonNull<T>) -> T {
        // SAFETY: as the caller says; the owners' weak count is given back last.
        unsafe {
            death::depart(block);
            let value = block.read();
            release_weak(block);
            value
        }
    }
}

impl<T: ?Sized> Arc<T> {
    /// An `Arc` that takes over one strong count.
    ///
    /// # Safety
    /// The caller holds the count, of a block of this crate, which it gives up.
    #[inline]
    pub(crate) unsafe fn from_value(value: NonNull<T>) -> Self {
        Arc { value, _owns: PhantomData }
    }

    /// The value's place; the caller keeps its count.
    #[inline]
    pub(crate) fn value(this: &Self) -> NonNull<T> {
        this.value
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: our count keeps the block.
        unsafe { header(self.value) }
    }

    #[inline]
    fn state(&self) -> &State {
        &self.header().state
    }

    /// A [`Weak`] to the same object.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// assert!(Arc::downgrade(&a).is_alive());
    /// ```
    #[inline]
    pub fn downgrade(this: &Self) -> Weak<T> {
        this.header().downgrade(1);
        // SAFETY: the count is the `Weak`'s.
        unsafe { Weak::from_value(this.value) }
    }

    /// How many owners there are, out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::Arc::strong_count(&weakly::Arc::new(5)), 1);
    /// ```
    pub fn strong_count(this: &Self) -> usize {
        usize::try_from(this.state().count()).unwrap_or(usize::MAX)
    }

    /// How many [`Weak`]s there are, and whatever else holds the block: hooks, entries and slots, each until what it was
    /// replaced or removed from has seen a grace period. Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::Arc::weak_count(&weakly::Arc::new(5)), 0);
    /// ```
    pub fn weak_count(this: &Self) -> usize {
        this.header().weak_count()
    }

    /// Do both point at the same object? By address, without an unsized pointer's metadata.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// assert!(Arc::ptr_eq(&a, &a.clone()));
    /// assert!(!Arc::ptr_eq(&a, &Arc::new(5)));
    /// ```
    #[inline]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        std::ptr::addr_eq(this.value.as_ptr(), other.value.as_ptr())
    }

    /// A mutable reference, if there is no other owner, no [`Weak`], no hook and no entry; never to a deferred value.
    ///
    /// What a map or slot has given up still counts until a grace period has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let mut a = Arc::new(5);
    /// *Arc::get_mut(&mut a).unwrap() += 1;
    /// let weak = Arc::downgrade(&a);
    /// assert!(Arc::get_mut(&mut a).is_none());
    /// ```
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if this.header().is_unique() {
            // SAFETY: no other count of either kind exists, and none can be made but by way of `this`.
            Some(unsafe { this.value.as_mut() })
        } else {
            None
        }
    }

    /// Was this made by [`new_deferred`](Self::new_deferred)?
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!weakly::Arc::is_deferred(&weakly::Arc::new(5)));
    /// ```
    #[inline]
    pub fn is_deferred(this: &Self) -> bool {
        this.header().hooks.is_deferred()
    }

    /// Calls `callback` at the object's death: CPython's `weakref.ref(obj, callback)`.
    ///
    /// It gets the dying value, still whole, when every upgrade already fails and every entry is gone; the newest observer
    /// comes first. A panic in it is caught and reported ([`exit::set_panic_hook`](crate::exit::set_panic_hook)); the others
    /// still run. Dropping the [`Observer`] cancels it; [`detach`](Observer::detach) leaves it armed.
    ///
    /// Two allocations, one if `f` captures nothing; *O*(1).
    ///
    /// # Liveness
    ///
    /// Runs none of your code. The callback runs on the thread that drops the last `Arc`, before that drop returns, with no
    /// lock held. If it captures an `Arc` of the same object, the object never dies.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let name = Arc::new(String::from("x"));
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let observer = Arc::observe(&name, move |name| tx.send(name.clone()).unwrap());
    /// drop(name);
    /// assert_eq!(rx.recv().unwrap(), "x");
    /// assert!(!observer.cancel()); // it has run
    /// ```
    #[track_caller]
    pub fn observe(this: &Self, callback: impl FnOnce(&T) + Send + 'static) -> Observer<T>
    where
        T: 'static,
    {
        Observer::register(this, callback, Location::caller())
    }

    /// How many callbacks, entries and finalizers watch this object: CPython's `getweakrefcount`. *O*(n).
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(weakly::Arc::observer_count(&weakly::Arc::new(5)), 0);
    /// ```
    pub fn observer_count(this: &Self) -> usize {
        Hook::count(&this.header().hooks)
    }

    /// What watches this object and where it was registered, newest first: CPython's `getweakrefs`. *O*(n).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, ObserverKind};
    ///
    /// let a = Arc::new(5);
    /// let _observer = Arc::observe(&a, |_| ());
    /// assert_eq!(Arc::observers(&a)[0].kind, ObserverKind::Callback);
    /// assert_eq!(Arc::observers(&a)[0].location.file(), file!());
    /// ```
    pub fn observers(this: &Self) -> Vec<ObserverInfo> {
        Hook::infos(&this.header().hooks)
    }

    /// The last drop, once the word has reached 0.
    #[inline]
    fn last(&mut self) {
        let header = self.header();
        // The word still 0, no weak count but the owners' own, and again the word still 0: nobody can upgrade and nobody has
        // a hook, so the block is ours alone and needs no more steps between threads. The first look acquires the other
        // owners' drops, so that the weak counts that they made show; the second sees whoever upgraded before its weak
        // count went.
        if header.state.is_empty() && !header.has_weak() && header.state.is_empty() && header.hooks.is_plain() {
            // SAFETY: the block is ours alone, without a hook and not deferred.
            unsafe { death::destroy_unshared(self.value) }
        } else if header.state.settle() {
            // SAFETY: the death is ours, and the value whole.
            unsafe { death::destroy(self.value) }
        }
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    /// One more owner. Wait-free: one atomic addition.
    #[inline]
    fn clone(&self) -> Self {
        self.state().retain();
        // SAFETY: the count is the clone's.
        unsafe { Arc::from_value(self.value) }
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    /// One owner less; the last one's drop is the object's death (see the type).
    #[inline]
    fn drop(&mut self) {
        if self.state().release() {
            self.last();
        }
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: our count keeps the value.
        unsafe { self.value.as_ref() }
    }
}
