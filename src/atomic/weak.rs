//! `AtomicWeak`: a slot that knows its object and doesn't keep it alive.

use super::CompareExchangeError;
use super::slot::{Handle, Slot};
use crate::block::layout::header;
use crate::ptr::{Arc, Weak};
use crate::reclaim::{Guard, Snapshot, pin};
use std::convert::Infallible;
use std::fmt;
use std::ptr::{NonNull, null_mut};

// SAFETY: a `Weak` of an object owns a weak count, and the address is its block's alone while it does.
unsafe impl<T> Handle for Weak<T> {
    type Target = T;

    #[inline]
    fn word(&self) -> *mut T {
        if self.is_nowhere() { null_mut() } else { self.value().as_ptr() }
    }

    #[inline]
    unsafe fn from_word(word: *mut T) -> Self {
        // SAFETY: the count is the caller's to give.
        NonNull::new(word).map_or_else(Weak::new, |value| unsafe { Weak::from_value(value) })
    }

    #[inline]
    unsafe fn share(word: *mut T) -> Option<Self> {
        if let Some(value) = NonNull::new(word) {
            // SAFETY: the slot owned a weak count when the word was loaded; whoever takes that out leaves a trace, and
            // the guard keeps the trace.
            unsafe { header(value) }.retain_weak();
        }
        // SAFETY: the count just taken is the handle's.
        Some(unsafe { Self::from_word(word) })
    }

    fn to_weak(&self) -> Weak<T> {
        self.clone()
    }
}

/// A slot that holds a [`Weak`], and that any number of threads read and replace at once.
///
/// With [`get_or_init_with`](Self::get_or_init_with) it is a resource that is opened on demand, shared while anybody uses
/// it, and gone with its last user. An empty slot and one that holds [`Weak::new`] are the same.
///
/// One word. The slot keeps the memory of a dead object until it is replaced, like any `Weak`. What is in a slot, and for
/// a while what has been, counts in [`Arc::weak_count`] and makes [`Arc::get_mut`] refuse.
///
/// # Liveness
///
/// From an object's death on the slot upgrades to nothing. No method takes a lock. Reading is lock-free: it is repeated
/// only when the object died and was replaced meanwhile; [`load`](Self::load) is wait-free but for its pin. Replacing never
/// ends an object's life, so none of its code runs.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, atomic::AtomicWeak};
///
/// let five = Arc::new(5);
/// let slot = AtomicWeak::new(&five);
/// assert_eq!(slot.upgrade().as_deref(), Some(&5));
/// drop(five);
/// assert!(slot.upgrade().is_none());
/// ```
pub struct AtomicWeak<T> {
    slot: Slot<Weak<T>>,
}

impl<T> AtomicWeak<T> {
    crate::sync::const_fn! {
        /// A slot with nothing in it, also for a `static`.
        ///
        /// # Liveness
        ///
        /// Runs none of your code.
        ///
        /// # Examples
        ///
        /// ```
        /// use weakly::{Weak, atomic::AtomicWeak};
        ///
        /// static SLOT: AtomicWeak<u32> = AtomicWeak::empty();
        /// assert_eq!(SLOT.load(), Weak::new());
        /// ```
        #[must_use]
        pub const fn empty() -> Self {
            AtomicWeak { slot: Slot::empty() }
        }
    }

    /// A slot that knows the object of `arc`.
    ///
    /// # Liveness
    ///
    /// Runs none of your code.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::new(&five);
    /// assert_eq!(Arc::strong_count(&five), 1);
    /// assert!(slot.load().is_alive());
    /// ```
    #[must_use]
    pub fn new(arc: &Arc<T>) -> Self {
        AtomicWeak { slot: Slot::new(Arc::downgrade(arc)) }
    }

    /// The `Weak` in the slot, with a count of its own; its object may be dead.
    ///
    /// A pin and one atomic addition.
    ///
    /// # Liveness
    ///
    /// Wait-free but for the pin; runs none of your code.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::new(&five);
    /// assert_eq!(slot.load(), Arc::downgrade(&five));
    /// ```
    #[inline]
    pub fn load(&self) -> Weak<T> {
        self.slot.load()
    }

    /// An owner of the object in the slot, if that is alive.
    ///
    /// A pin and one atomic addition. Does what `load().upgrade()` does in one step: `None` means that at some moment of
    /// the call the slot was empty or its object dead.
    ///
    /// # Liveness
    ///
    /// Lock-free; runs none of your code. The `Arc` it returns may turn out to be the last.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::new(&five);
    /// assert!(Arc::ptr_eq(&slot.upgrade().unwrap(), &five));
    /// ```
    #[inline]
    pub fn upgrade(&self) -> Option<Arc<T>> {
        self.alive(&pin(), |value| {
            // SAFETY: `value` comes out of the slot, under the guard that `alive` is given.
            let alive = unsafe { header(value) }.state.upgrade();
            // SAFETY: the upgrade's count is the `Arc`'s.
            alive.then(|| unsafe { Arc::from_value(value) })
        })
    }

    /// What is in the slot, if it is alive, for as long as the guard is held.
    ///
    /// Of a [deferred](Arc::new_deferred) object this touches no count; any other object is given one, as by
    /// [`upgrade`](Self::upgrade), without a pin of its own.
    ///
    /// # Liveness
    ///
    /// Lock-free; runs none of your code. The snapshot of a deferred object stays readable until the guard goes, also when
    /// the object, or the slot itself, dies meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let on = Arc::new_deferred("on".to_string());
    /// let slot = AtomicWeak::new(&on);
    /// let guard = weakly::pin();
    /// let seen = slot.read(&guard).unwrap();
    /// drop(on); // dead
    /// assert_eq!(*seen, "on"); // and still readable
    /// assert!(slot.read(&guard).is_none());
    /// ```
    #[inline]
    pub fn read<'g>(&self, guard: &'g Guard) -> Option<Snapshot<'g, T>> {
        // SAFETY: the slot's weak count was seen under the guard, and is given back through the epoch.
        self.alive(guard, |value| unsafe { Snapshot::read(guard, value) })
    }

    /// What `look` makes of the object in the slot; it says `None` if that is dead.
    fn alive<R>(&self, guard: &Guard, look: impl Fn(NonNull<T>) -> Option<R>) -> Option<R> {
        let mut seen = self.slot.peek(guard)?;
        loop {
            if let Some(found) = look(seen) {
                return Some(found);
            }
            // Dead. Still in the slot: then this is a moment at which there was nothing alive. Replaced: then there may
            // never have been such a moment.
            let now = self.slot.peek(guard)?;
            if now == seen {
                return None;
            }
            seen = now;
        }
    }

    /// Puts `new` in. What was there is dropped.
    ///
    /// # Liveness
    ///
    /// Ends no object's life. The destructors of deferred values that are due may run.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::empty();
    /// slot.store(Arc::downgrade(&five));
    /// assert_eq!(slot.upgrade().as_deref(), Some(&5));
    /// slot.store(Weak::new());
    /// assert!(slot.upgrade().is_none());
    /// ```
    pub fn store(&self, new: Weak<T>) {
        drop(self.swap(new));
    }

    /// Puts `new` in and takes out what was there.
    ///
    /// # Liveness
    ///
    /// As [`store`](Self::store).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::new(&five);
    /// assert_eq!(slot.swap(Weak::new()), Arc::downgrade(&five));
    /// ```
    pub fn swap(&self, new: Weak<T>) -> Weak<T> {
        self.slot.swap(new)
    }

    /// Takes out what is there and leaves nothing.
    ///
    /// # Liveness
    ///
    /// As [`store`](Self::store).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicWeak::new(&five);
    /// assert_eq!(slot.take(), Arc::downgrade(&five));
    /// assert_eq!(slot.take(), Weak::new());
    /// ```
    pub fn take(&self) -> Weak<T> {
        self.slot.swap(Weak::new())
    }

    /// Puts `new` in if the slot holds a `Weak` of the same object as `current` (or nothing, if that is [`Weak::new`]), and
    /// returns what was there.
    ///
    /// By identity, and the same before and after the object's death.
    ///
    /// # Errors
    ///
    /// If the slot held something else: that, with a count of its own, and `new` back.
    ///
    /// # Liveness
    ///
    /// As [`store`](Self::store).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Weak, atomic::AtomicWeak};
    ///
    /// let (one, two) = (Arc::new(1), Arc::new(2));
    /// let slot = AtomicWeak::new(&one);
    /// let error = slot.compare_exchange(&Weak::new(), Arc::downgrade(&two)).unwrap_err();
    /// assert_eq!(error.current, Arc::downgrade(&one));
    /// assert!(slot.compare_exchange(&error.current, error.new).is_ok());
    /// assert_eq!(slot.upgrade(), Some(two));
    /// ```
    pub fn compare_exchange(
        &self,
        current: &Weak<T>,
        new: Weak<T>,
    ) -> Result<Weak<T>, CompareExchangeError<Weak<T>, Weak<T>>> {
        self.slot.compare_exchange(current.word(), new)
    }

    /// Replaces what is there by what `f` makes of it, and returns what was there.
    ///
    /// `f` may run again: whenever another thread has replaced it meanwhile.
    ///
    /// # Errors
    ///
    /// What was there, if `f` returns `None`: the slot stays as it is.
    ///
    /// # Panics
    ///
    /// If `f` does; the slot is whole.
    ///
    /// # Liveness
    ///
    /// Lock-free but for `f`, which runs with no lock and no guard held, and may use this slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let (one, two) = (Arc::new(1), Arc::new(2));
    /// let slot = AtomicWeak::new(&one);
    /// let replace_dead = || slot.fetch_update(|weak| (!weak.is_alive()).then(|| Arc::downgrade(&two)));
    /// assert!(replace_dead().is_err());
    /// drop(one);
    /// assert!(replace_dead().is_ok());
    /// assert_eq!(slot.upgrade().as_deref(), Some(&2));
    /// ```
    pub fn fetch_update(&self, f: impl FnMut(&Weak<T>) -> Option<Weak<T>>) -> Result<Weak<T>, Weak<T>> {
        self.slot.fetch_update(f)
    }

    /// An owner of the object in the slot; if there is none alive, what `f` makes is put in.
    ///
    /// One winner: of several threads that find nothing alive each may run `f`, one object is put in, the others are
    /// dropped, and all return the winner's, as long as that lives. The slot doesn't keep it alive.
    ///
    /// # Panics
    ///
    /// If `f` does, or a loser's destructor; the slot is whole.
    ///
    /// # Liveness
    ///
    /// Waits for nobody. `f` runs with no lock and no guard held, and may use this slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let slot = AtomicWeak::empty();
    /// let one = slot.get_or_init_with(|| Arc::new(1));
    /// assert_eq!(*slot.get_or_init_with(|| Arc::new(2)), 1);
    /// drop(one);
    /// assert_eq!(*slot.get_or_init_with(|| Arc::new(3)), 3);
    /// ```
    pub fn get_or_init_with(&self, f: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let Ok(arc) = self.get_or_try_init_with(|| Ok::<_, Infallible>(f()));
        arc
    }

    /// As [`get_or_init_with`](Self::get_or_init_with), with an `f` that can fail.
    ///
    /// # Errors
    ///
    /// What `f` returns: the slot stays as it is.
    ///
    /// # Panics
    ///
    /// If `f` does, or a loser's destructor; the slot is whole.
    ///
    /// # Liveness
    ///
    /// Waits for nobody. `f` runs with no lock and no guard held, and may use this slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let slot = AtomicWeak::empty();
    /// assert!(slot.get_or_try_init_with(|| "x".parse().map(Arc::new)).is_err());
    /// let five = slot.get_or_try_init_with(|| "5".parse::<u32>().map(Arc::new));
    /// assert_eq!(five.as_deref(), Ok(&5));
    /// ```
    pub fn get_or_try_init_with<E>(&self, f: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        if let Some(arc) = self.upgrade() {
            return Ok(arc);
        }
        let mine = f()?;
        let mut winner = None;
        // The outcome is in `winner`: what another thread put in, or nothing, and then ours is in.
        let _ = self.fetch_update(|seen| {
            winner = seen.upgrade();
            winner.is_none().then(|| Arc::downgrade(&mine))
        });
        if let Some(winner) = winner {
            drop(mine); // user code: before the winner is on its way out, which would leak it in a panic
            return Ok(winner);
        }
        Ok(mine)
    }

    /// What is in the slot.
    ///
    /// # Liveness
    ///
    /// Runs none of your code.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicWeak};
    ///
    /// let five = Arc::new(5);
    /// assert_eq!(AtomicWeak::new(&five).into_inner(), Arc::downgrade(&five));
    /// ```
    pub fn into_inner(self) -> Weak<T> {
        self.slot.into_inner()
    }
}

impl<T> Default for AtomicWeak<T> {
    /// Empty.
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> From<&Arc<T>> for AtomicWeak<T> {
    fn from(arc: &Arc<T>) -> Self {
        Self::new(arc)
    }
}

impl<T> From<Weak<T>> for AtomicWeak<T> {
    fn from(weak: Weak<T>) -> Self {
        AtomicWeak { slot: Slot::new(weak) }
    }
}

impl<T> fmt::Debug for AtomicWeak<T> {
    /// The address that is in the slot now, and whether its object is alive. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtomicWeak").field(&self.load()).finish()
    }
}
