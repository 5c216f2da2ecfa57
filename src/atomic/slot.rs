//! The word behind both faces, and the counts that go in and out with it. The folder's page has the protocol.

use super::CompareExchangeError;
use crate::ptr::Weak;
use crate::reclaim::{Guard, pin, retire_weak, run_ripe};
use crate::sync::{AtomicPtr, Ordering};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, null_mut};

/// What a slot can hold: `Option<Arc<T>>` or `Weak<T>`.
///
/// # Safety
/// Each handle but the empty one owns a count that keeps its object's block; `word` names that object by the address of its
/// value and is null for the empty handle only; `to_weak` is of the same object.
pub unsafe trait Handle: Sized {
    /// The type of the object.
    type Target;

    /// The object's address, or null.
    fn word(&self) -> *mut Self::Target;

    /// The handle whose word this is.
    ///
    /// # Safety
    /// The caller gives up the count of a handle with this word; or the word is null.
    unsafe fn from_word(word: *mut Self::Target) -> Self;

    /// A handle of its own to what is in a slot; `None` if the object can't be in the slot any more.
    ///
    /// # Safety
    /// `word` was loaded from a slot of this kind of handle under a guard that the caller still holds.
    unsafe fn share(word: *mut Self::Target) -> Option<Self>;

    /// A weak count of the same object.
    fn to_weak(&self) -> Weak<Self::Target>;
}

/// A place for one handle.
pub struct Slot<H: Handle> {
    // Invariant: null, or the word of a handle whose count the slot owns.
    word: AtomicPtr<H::Target>,
    /// For the auto traits, the variance and the drop check: a slot is what a shared cell of its handle would be. Neither
    /// handle tells `Send` from `Sync`, so sharing the slot asks no more than sending the handle.
    _holds: PhantomData<H>,
}

impl<H: Handle> Slot<H> {
    crate::sync::const_fn! {
        /// A slot with nothing in it.
        pub const fn empty() -> Self {
            Slot { word: AtomicPtr::new(null_mut()), _holds: PhantomData }
        }
    }

    /// A slot that holds `handle`.
    pub fn new(handle: H) -> Self {
        Slot { word: AtomicPtr::new(ManuallyDrop::new(handle).word()), _holds: PhantomData }
    }

    /// The place of the object in the slot; its block stays in memory while the guard is held.
    #[inline]
    pub fn peek(&self, _guard: &Guard) -> Option<NonNull<H::Target>> {
        // Acquire: pairs with the Release of `swap` and `compare_exchange`.
        NonNull::new(self.word.load(Ordering::Acquire))
    }

    /// A handle to what is in the slot.
    #[inline]
    pub fn load(&self) -> H {
        let guard = pin();
        loop {
            let word = self.peek(&guard).map_or(null_mut(), NonNull::as_ptr);
            // SAFETY: loaded under the guard.
            if let Some(handle) = unsafe { H::share(word) } {
                return handle;
            }
        }
    }

    /// Puts `new` in and takes out what was there.
    pub fn swap(&self, new: H) -> H {
        let new = ManuallyDrop::new(new).word();
        // Release: pairs with every Acquire of the word: `new`'s object, and the increment behind the count that the slot
        // now owns, come before the word. Acquire: pairs with the Release that put the old word in, likewise.
        let old = self.word.swap(new, Ordering::AcqRel);
        // SAFETY: with the word the slot's count came out.
        leave(unsafe { H::from_word(old) })
    }

    /// Puts `new` in if the slot holds the object at `current`, of which the caller holds a handle.
    pub fn compare_exchange(&self, current: *mut H::Target, new: H) -> Result<H, CompareExchangeError<H, H>> {
        let guard = pin(); // for the failure, which follows the word that it finds
        let new = ManuallyDrop::new(new);
        let outcome = loop {
            // AcqRel: as in `swap`. Acquire on failure: as in `peek`.
            match self.word.compare_exchange(current, new.word(), Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: with the word the slot's count came out.
                Ok(old) => break Ok(unsafe { H::from_word(old) }),
                Err(found) => {
                    // SAFETY: loaded under the guard.
                    if let Some(found) = unsafe { H::share(found) } {
                        break Err(found);
                    }
                }
            }
        };
        drop(guard); // before anything of the user's runs
        match outcome {
            Ok(old) => Ok(leave(old)),
            Err(current) => Err(CompareExchangeError { current, new: ManuallyDrop::into_inner(new) }),
        }
    }

    /// Puts in what `f` makes of what is there, as often as it takes; stops where `f` says `None`.
    pub fn fetch_update(&self, mut f: impl FnMut(&H) -> Option<H>) -> Result<H, H> {
        let mut current = self.load();
        loop {
            let Some(new) = f(&current) else { return Err(current) };
            match self.compare_exchange(current.word(), new) {
                Ok(old) => return Ok(old),
                Err(lost) => current = lost.current,
            }
        }
    }

    /// The word, for whoever is alone with the slot.
    #[cfg(not(weakly_loom))] // loom's atomics can't lend what they hold
    pub fn word_mut(&mut self) -> &mut *mut H::Target {
        self.word.get_mut()
    }

    /// What is in the slot.
    pub fn into_inner(self) -> H {
        // SAFETY: the slot is never used again.
        unsafe { ManuallyDrop::new(self).take_out() }
    }

    /// What is in the slot, without a trace: nobody else is following the word.
    ///
    /// # Safety
    /// The slot is never used again.
    unsafe fn take_out(&mut self) -> H {
        // Relaxed: `&mut self` comes after every use of the slot.
        let word = self.word.load(Ordering::Relaxed);
        // SAFETY: the slot's count, given up.
        unsafe { H::from_word(word) }
    }
}

/// What has left a slot goes to the caller; a trace stays behind for whoever read the word under a guard.
fn leave<H: Handle>(old: H) -> H {
    // Should anything below unwind, then the trace is leaked, and the block with it: late is safe, early is not.
    let trace = ManuallyDrop::new(old.to_weak());
    if !trace.is_nowhere() {
        // SAFETY: the weak count just taken.
        unsafe { retire_weak(&pin(), trace.value()) };
    }
    run_ripe();
    old
}

impl<H: Handle> Drop for Slot<H> {
    fn drop(&mut self) {
        // SAFETY: this is the slot's end.
        drop(unsafe { self.take_out() });
    }
}
