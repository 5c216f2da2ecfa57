//! `Observer`: a callback at one object's death, and the handle that can cancel it.
//!
//! # Parties and states
//!
//! A callback has two owners, the object's list and the handle; the last one out frees it. Its mark says who takes the
//! user's function out: `ARMED` -> `TAKEN` by exactly one swap.
//!
//! # Steps
//!
//! *Death*: its turn comes: swap; won, call; then give up the list's share. *Cancel*: swap; won, unlink (or leave it to the
//! walk, if the list is closed), and drop the function uncalled.
//!
//! # Races and who wins
//!
//! *cancel / death*: the swap. So a callback cancelled by an earlier callback of the same death never runs, and `cancel`
//! says truly which it was.
//!
//! # Orderings
//!
//! The swap orders nothing but itself: the function was written before the callback was shared, by way of the list's bit
//! and the handle. The share count releases and acquires like any reference count.
//!
//! # What callers must not do
//!
//! Run user code (the function, or its destructor) under the list's bit.

use super::{Arc, Weak};
use crate::block::layout::{header, release_weak};
use crate::death::call::contain;
use crate::death::hook::{Act, Hook, ObserverKind, Owner, Step};
use crate::sync::{AtomicBool, AtomicUsize, Ordering, Plain, acquire};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

/// The user's function.
type Call<T> = Box<dyn FnOnce(&T) + Send>;

/// One registered callback.
#[repr(C)]
struct Callback<T: ?Sized> {
    hook: Hook,
    /// Its object, of which the list holds one weak count on its behalf.
    object: NonNull<T>,
    armed: AtomicBool,
    shares: AtomicUsize,
    call: Plain<Option<Call<T>>>,
}

/// What a callback of a `T` does at the death.
struct Acts<T: ?Sized>(std::marker::PhantomData<T>);

impl<T: ?Sized + 'static> Acts<T> {
    const CALLBACK: &'static Owner =
        &Owner { act: &Act { kind: ObserverKind::Callback, step: Step::Callback(Callback::<T>::run) } };
    const FINALIZER: &'static Owner =
        &Owner { act: &Act { kind: ObserverKind::Finalizer, step: Step::Callback(Callback::<T>::run) } };
}

impl<T: ?Sized + 'static> Callback<T> {
    /// Its turn in the death's batch has come.
    ///
    /// # Safety
    /// The hook is a `Callback<T>`'s, walked over once; the object's value is whole.
    unsafe fn run(hook: NonNull<Hook>) {
        // The hook is the first field, so this is the whole callback's address, with the provenance it was made with.
        let this = hook.cast::<Callback<T>>();
        // SAFETY: the list's share keeps it until `leave`; the dying thread keeps the block and the value.
        unsafe {
            if let Some(call) = this.as_ref().take() {
                contain(|| call(this.as_ref().object.as_ref()));
            }
            let object = this.as_ref().object;
            Callback::leave(this);
            release_weak(object);
        }
    }
}

impl<T: ?Sized> Callback<T> {
    /// Takes the user's function; `None` if somebody has.
    fn take(&self) -> Option<Call<T>> {
        // Relaxed: the flag decides who; the function itself was handed over with the hook or the handle.
        if !self.armed.swap(false, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: exactly one swap finds true, so this access is the only one.
        unsafe { self.call.take() }
    }

    /// Gives one share up; the last one frees.
    ///
    /// # Safety
    /// The caller holds a share, which it gives up.
    unsafe fn leave(this: NonNull<Self>) {
        // SAFETY: the share keeps it until the subtraction, and the last share beyond that.
        let shares = unsafe { &this.as_ref().shares };
        // Release: pairs with the Acquire of whoever frees.
        if shares.fetch_sub(1, Ordering::Release) == 1 {
            acquire(shares); // Acquire: pairs with the Release of the other share
            // SAFETY: made by `Box`, and no share is left. The function has been taken, by whichever owner came first.
            drop(unsafe { Box::from_raw(this.as_ptr()) });
        }
    }
}

/// A callback that waits for an object's death: what [`Arc::observe`] returns.
///
/// Derefs to a [`Weak`] of the object. Dropping it cancels the callback.
///
/// # Liveness
///
/// Dropping or cancelling it drops the callback's captures on this thread, with no lock held, unless it has run.
///
/// # Examples
///
/// ```
/// use weakly::Arc;
///
/// let a = Arc::new(5);
/// let observer = Arc::observe(&a, |_| unreachable!());
/// assert!(observer.is_pending() && observer.is_alive());
/// assert!(observer.cancel());
/// ```
#[must_use = "dropping the observer cancels it; call `detach` to keep it armed"]
pub struct Observer<T: ?Sized> {
    weak: ManuallyDrop<Weak<T>>,
    callback: NonNull<Callback<T>>,
}

// SAFETY: the function is `Send` and only one thread ever takes it; `&T` reaches it on the dying thread, and a `Weak` is
// sent along, which asks for `T: Send + Sync`.
unsafe impl<T: ?Sized + Send + Sync> Send for Observer<T> {}
// SAFETY: `&Observer` gives `&Weak` and a look at a flag.
unsafe impl<T: ?Sized + Send + Sync> Sync for Observer<T> {}

// The function is taken out before it is called: a panic leaves nothing of it.
impl<T: ?Sized> UnwindSafe for Observer<T> {}
impl<T: ?Sized> RefUnwindSafe for Observer<T> {}

impl<T: ?Sized> Observer<T> {
    /// Registers `call` for the death of `arc`'s object.
    pub(crate) fn register(
        arc: &Arc<T>,
        call: impl FnOnce(&T) + Send + 'static,
        location: &'static Location<'static>,
    ) -> Self
    where
        T: 'static,
    {
        Self::link(arc, Box::new(call), Acts::<T>::CALLBACK, location)
    }

    /// As [`register`](Self::register), for a finalizer.
    pub(crate) fn register_finalizer(
        arc: &Arc<T>,
        call: impl FnOnce(&T) + Send + 'static,
        location: &'static Location<'static>,
    ) -> Self
    where
        T: 'static,
    {
        Self::link(arc, Box::new(call), Acts::<T>::FINALIZER, location)
    }

    fn link(arc: &Arc<T>, call: Call<T>, owner: &'static Owner, location: &'static Location<'static>) -> Self {
        let object = Arc::value(arc);
        let callback = Box::new(Callback {
            hook: Hook::new(NonNull::from(owner), location),
            object,
            armed: AtomicBool::new(true),
            shares: AtomicUsize::new(2),
            call: Plain::new(Some(call)),
        });
        // SAFETY: a box is never null.
        let callback = unsafe { NonNull::new_unchecked(Box::into_raw(callback)) };
        arc.header().downgrade(2); // the list's and the handle's
        // SAFETY: `arc` holds the object alive; the hook is new, is the first field, and stays until its shares are gone;
        // one of the two weak counts is the list's, the other the handle's.
        unsafe {
            Hook::register(&arc.header().hooks, callback.cast::<Hook>());
            Observer { weak: ManuallyDrop::new(Weak::from_value(object)), callback }
        }
    }

    /// Cancels the callback. True: it has not run and never will. False: it has run, or is running.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let observer = Arc::observe(&a, |_| ());
    /// drop(a);
    /// assert!(!observer.cancel());
    /// ```
    pub fn cancel(self) -> bool {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: never used again.
        unsafe { this.cancel_once() }
    }

    /// Leaves the callback armed, without a handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// Arc::observe(&a, |five| assert_eq!(*five, 5)).detach();
    /// ```
    pub fn detach(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the handle's share and weak count are given up, and it is never used again.
        unsafe {
            Callback::leave(this.callback);
            ManuallyDrop::drop(&mut this.weak);
        }
    }

    /// Is the callback still to run? Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::Arc;
    ///
    /// let a = Arc::new(5);
    /// let observer = Arc::observe(&a, |_| ());
    /// drop(a);
    /// assert!(!observer.is_pending());
    /// ```
    pub fn is_pending(&self) -> bool {
        // SAFETY: our share keeps it.
        // Relaxed: a figure, out of date as soon as it is read.
        unsafe { self.callback.as_ref() }.armed.load(Ordering::Relaxed)
    }

    /// Cancels, and gives the handle's share and weak count up.
    ///
    /// # Safety
    /// The handle is not used again.
    unsafe fn cancel_once(&mut self) -> bool {
        // SAFETY: our share keeps the callback, our weak count the block.
        let call = unsafe { self.callback.as_ref() }.take();
        let cancelled = call.is_some();
        // SAFETY: as above. Out of an open list, the list's share and weak count are ours to give up; out of a closed one
        // the death gives them up when it walks past.
        unsafe {
            if cancelled && Hook::unlink(&header(self.weak.value()).hooks, self.callback.cast::<Hook>()) {
                Callback::leave(self.callback);
                release_weak(self.weak.value());
            }
            Callback::leave(self.callback);
            ManuallyDrop::drop(&mut self.weak);
        }
        drop(call); // user code, last: nothing is half done if it panics
        cancelled
    }
}

impl<T: ?Sized> Drop for Observer<T> {
    fn drop(&mut self) {
        // SAFETY: this is the handle's end.
        unsafe { self.cancel_once() };
    }
}

impl<T: ?Sized> Deref for Observer<T> {
    type Target = Weak<T>;
    fn deref(&self) -> &Weak<T> {
        &self.weak
    }
}

impl<T: ?Sized> fmt::Debug for Observer<T> {
    /// The address, and whether object and callback still wait. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("object", &self.weak).field("pending", &self.is_pending()).finish()
    }
}
