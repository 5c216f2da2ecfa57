//! The root: where a collection's core is, once there is one.

use crate::sync::{AtomicPtr, Ordering};
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

/// A pointer to a core, made by the first write. Whoever holds the root retires what is in it.
pub struct Root<C>(AtomicPtr<C>, PhantomData<C>);

impl<C> Root<C> {
    crate::sync::const_fn! {
        /// No core yet, nothing allocated.
        pub const fn new() -> Self {
            Root(AtomicPtr::new(null_mut()), PhantomData)
        }
    }

    /// A root of this core.
    pub fn with(core: NonNull<C>) -> Self {
        Root(AtomicPtr::new(core.as_ptr()), PhantomData)
    }

    /// The core, if there is one.
    #[inline]
    pub fn get(&self) -> Option<NonNull<C>> {
        // Acquire: pairs with the Release of `get_or_make`.
        NonNull::new(self.0.load(Ordering::Acquire))
    }

    /// The core, made now if need be.
    ///
    /// # Safety
    /// What `make` returns is a box's.
    pub unsafe fn get_or_make(&self, make: impl FnOnce() -> NonNull<C>) -> NonNull<C> {
        if let Some(core) = self.get() {
            return core;
        }
        let new = make();
        // Release: the core's content comes with the pointer. Acquire on failure: as in `get`.
        match self.0.compare_exchange(null_mut(), new.as_ptr(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(won) => {
                // SAFETY: `new` is a box's, and was never shared; `won` is not null.
                unsafe {
                    drop(Box::from_raw(new.as_ptr()));
                    NonNull::new_unchecked(won)
                }
            }
        }
    }
}
