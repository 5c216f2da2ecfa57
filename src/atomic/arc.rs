//! `AtomicArc`: a slot that owns its object.

use super::CompareExchangeError;
use super::slot::{Handle, Slot};
use crate::block::layout::header;
use crate::ptr::{Arc, Weak};
use crate::reclaim::{Guard, Snapshot};
use std::convert::Infallible;
use std::fmt;
use std::ptr::{NonNull, null_mut};

// SAFETY: an `Arc` owns a strong count, and its address is its block's alone while it does.
unsafe impl<T> Handle for Option<Arc<T>> {
    type Target = T;

    #[inline]
    fn word(&self) -> *mut T {
        self.as_ref().map_or(null_mut(), |arc| Arc::value(arc).as_ptr())
    }

    #[inline]
    unsafe fn from_word(word: *mut T) -> Self {
        // SAFETY: the count is the caller's to give.
        NonNull::new(word).map(|value| unsafe { Arc::from_value(value) })
    }

    #[inline]
    unsafe fn share(word: *mut T) -> Option<Self> {
        let Some(value) = NonNull::new(word) else { return Some(None) };
        // SAFETY: the slot owned a count when the word was loaded; whoever takes that out leaves a trace, and the guard
        // keeps the trace.
        let alive = unsafe { header(value) }.state.upgrade();
        // SAFETY: the upgrade's count is the handle's.
        alive.then(|| Some(unsafe { Arc::from_value(value) }))
    }

    fn to_weak(&self) -> Weak<T> {
        self.as_ref().map_or_else(Weak::new, Arc::downgrade)
    }
}

/// A slot that holds an [`Arc`] or nothing, and that any number of threads read and replace at once.
///
/// What comes out carries a count of its own. Dropping what was taken out destroys as promptly as dropping any `Arc`; of
/// [deferred](Arc::new_deferred) objects, [`read`](Self::read) gives a view that touches no count at all.
///
/// One word. When an object has been taken out, its memory is kept until readers that may have seen it in the slot are gone:
/// so long [`Arc::weak_count`] counts one more, and [`Arc::get_mut`] is refused.
///
/// # Liveness
///
/// The slot owns its object, so what is in it is alive. No method takes a lock. Reading is lock-free: it is repeated only
/// when the object was replaced, and has died, meanwhile. Replacing is lock-free too, but that it lets an [`Arc::get_mut`]
/// of another owner of the old object finish, which takes a few instructions. Whatever runs your code (destructors,
/// closures, `Debug`) runs it unpinned, unless you hold a [`Guard`], and may use this very slot.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, atomic::AtomicArc};
///
/// static CONFIG: AtomicArc<String> = AtomicArc::empty();
///
/// CONFIG.store(Arc::new("loud".to_string()));
/// let seen = CONFIG.load().unwrap();
/// CONFIG.store(Arc::new("quiet".to_string()));
/// assert_eq!(*seen, "loud"); // as long as anybody looks at it
/// assert_eq!(*CONFIG.load().unwrap(), "quiet");
/// ```
pub struct AtomicArc<T> {
    slot: Slot<Option<Arc<T>>>,
}

impl<T> AtomicArc<T> {
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
        /// use weakly::atomic::AtomicArc;
        ///
        /// static SLOT: AtomicArc<u32> = AtomicArc::empty();
        /// assert!(SLOT.load().is_none());
        /// ```
        #[must_use]
        pub const fn empty() -> Self {
            AtomicArc { slot: Slot::empty() }
        }
    }

    /// A slot that holds `arc`; takes an `Arc` or an `Option` of one.
    ///
    /// # Liveness
    ///
    /// Runs none of your code.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new(5));
    /// assert_eq!(slot.load().as_deref(), Some(&5));
    /// ```
    #[must_use]
    pub fn new(arc: impl Into<Option<Arc<T>>>) -> Self {
        AtomicArc { slot: Slot::new(arc.into()) }
    }

    /// What is in the slot, with a count of its own.
    ///
    /// A pin and one atomic addition.
    ///
    /// # Liveness
    ///
    /// Lock-free; runs none of your code. The `Arc` it returns may turn out to be the last.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let five = Arc::new(5);
    /// let slot = AtomicArc::new(five.clone());
    /// assert!(Arc::ptr_eq(&slot.load().unwrap(), &five));
    /// ```
    #[inline]
    pub fn load(&self) -> Option<Arc<T>> {
        self.slot.load()
    }

    /// What is in the slot, for as long as the guard is held.
    ///
    /// Of a [deferred](Arc::new_deferred) object this touches no count: one load of the slot, two of the object's header. Any
    /// other object is given a count, as by [`load`](Self::load), without a pin of its own.
    ///
    /// # Liveness
    ///
    /// Lock-free; runs none of your code. The snapshot of a deferred object stays readable until the guard goes, also when
    /// the object, or the slot itself, dies meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new_deferred("on".to_string()));
    /// let guard = weakly::pin();
    /// let seen = slot.read(&guard).unwrap();
    /// drop(slot.take()); // dead
    /// assert_eq!(*seen, "on"); // and still readable
    /// assert!(seen.to_arc().is_none());
    /// ```
    #[inline]
    pub fn read<'g>(&self, guard: &'g Guard) -> Option<Snapshot<'g, T>> {
        loop {
            let value = self.slot.peek(guard)?;
            // SAFETY: the slot's count was seen under the guard, and is followed by a weak one that is given back through
            // the epoch.
            if let Some(snapshot) = unsafe { Snapshot::read(guard, value) } {
                return Some(snapshot);
            }
            // Dead, so it has left the slot: see what came after.
        }
    }

    /// Puts `new` in; takes an `Arc` or an `Option` of one. What was there is dropped.
    ///
    /// # Liveness
    ///
    /// If the slot held the last `Arc` of its object, then that is its death: its callbacks and destructor run before this
    /// returns, when `new` is in the slot already. The destructors of deferred values that are due may run too.
    ///
    /// # Panics
    ///
    /// If the old object's destructor does; `new` is in the slot then.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::empty();
    /// slot.store(Arc::new(1));
    /// slot.store(Some(Arc::new(2)));
    /// assert_eq!(slot.load().as_deref(), Some(&2));
    /// slot.store(None);
    /// assert!(slot.load().is_none());
    /// ```
    pub fn store(&self, new: impl Into<Option<Arc<T>>>) {
        drop(self.swap(new));
    }

    /// Puts `new` in and takes out what was there; takes an `Arc` or an `Option` of one.
    ///
    /// # Liveness
    ///
    /// The old object's own code doesn't run: it is yours now. The destructors of deferred values that are due may.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new(1));
    /// assert_eq!(slot.swap(Arc::new(2)).as_deref(), Some(&1));
    /// ```
    pub fn swap(&self, new: impl Into<Option<Arc<T>>>) -> Option<Arc<T>> {
        self.slot.swap(new.into())
    }

    /// Takes out what is there and leaves nothing.
    ///
    /// # Liveness
    ///
    /// As [`swap`](Self::swap). Dropping what this returns destroys at once if it was the last, however many readers are
    /// looking at the slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new(1));
    /// assert_eq!(slot.take().as_deref(), Some(&1));
    /// assert!(slot.take().is_none());
    /// ```
    pub fn take(&self) -> Option<Arc<T>> {
        self.slot.swap(None)
    }

    /// Puts `new` in if the slot holds the very object `current` (or nothing, if that is `None`), and returns what was
    /// there.
    ///
    /// By identity: an equal object is another object. As `current` is alive, its address can't have been given to another
    /// one meanwhile.
    ///
    /// # Errors
    ///
    /// If the slot held something else: that, with a count of its own, and `new` back.
    ///
    /// # Liveness
    ///
    /// As [`swap`](Self::swap).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let one = Arc::new(1);
    /// let slot = AtomicArc::new(one.clone());
    /// assert!(slot.compare_exchange(Some(&Arc::new(1)), Arc::new(2)).is_err()); // equal, but not the same
    /// let old = slot.compare_exchange(Some(&one), Arc::new(2)).unwrap();
    /// assert_eq!(old.as_deref(), Some(&1));
    /// ```
    #[expect(clippy::type_complexity, reason = "an alias would hide what comes out")]
    pub fn compare_exchange(
        &self,
        current: Option<&Arc<T>>,
        new: impl Into<Option<Arc<T>>>,
    ) -> Result<Option<Arc<T>>, CompareExchangeError<Option<Arc<T>>, Option<Arc<T>>>> {
        let current = current.map_or(null_mut(), |arc| Arc::value(arc).as_ptr());
        self.slot.compare_exchange(current, new.into())
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
    /// If `f` does, or the destructor of an object that `f` has seen or made in vain; the slot is whole.
    ///
    /// # Liveness
    ///
    /// Lock-free but for `f`, which runs with no lock and no guard held, and may use this slot. What it made in vain is dropped
    /// here, and so is what it saw, which may have died meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let hits = AtomicArc::new(Arc::new(1));
    /// let old = hits.fetch_update(|n| Some(n.map(|n| Arc::new(**n + 1)))).unwrap();
    /// assert_eq!(old.as_deref(), Some(&1));
    /// assert_eq!(hits.load().as_deref(), Some(&2));
    /// assert!(hits.fetch_update(|_| None).is_err());
    /// ```
    pub fn fetch_update(
        &self,
        mut f: impl FnMut(Option<&Arc<T>>) -> Option<Option<Arc<T>>>,
    ) -> Result<Option<Arc<T>>, Option<Arc<T>>> {
        self.slot.fetch_update(|current| f(current.as_ref()))
    }

    /// What is in the slot; if that is nothing, what `f` makes is put in.
    ///
    /// One winner: of several threads that find the slot empty each may run `f`, one object is put in, the others are
    /// dropped, and all return the winner's.
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
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::empty();
    /// assert_eq!(*slot.get_or_init_with(|| Arc::new(1)), 1);
    /// assert_eq!(*slot.get_or_init_with(|| Arc::new(2)), 1);
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
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::empty();
    /// assert!(slot.get_or_try_init_with(|| "x".parse().map(Arc::new)).is_err());
    /// let five = slot.get_or_try_init_with(|| "5".parse::<u32>().map(Arc::new));
    /// assert_eq!(five.as_deref(), Ok(&5));
    /// ```
    pub fn get_or_try_init_with<E>(&self, f: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        if let Some(arc) = self.load() {
            return Ok(arc);
        }
        let mine = f()?;
        let outcome = self.compare_exchange(None, mine.clone());
        if let Err(CompareExchangeError { current: Some(winner), new }) = outcome {
            drop((new, mine)); // user code: before the winner is on its way out, which would leak it in a panic
            return Ok(winner);
        }
        Ok(mine)
    }

    /// The `Arc` in the slot, in place.
    ///
    /// # Liveness
    ///
    /// Runs none of your code; nobody else can use the slot meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let mut slot = AtomicArc::new(Arc::new(1));
    /// *Arc::get_mut(slot.get_mut().unwrap()).unwrap() += 1;
    /// assert_eq!(slot.load().as_deref(), Some(&2));
    /// *slot.get_mut().unwrap() = Arc::new(3);
    /// assert_eq!(slot.load().as_deref(), Some(&3));
    /// ```
    #[cfg(not(weakly_loom))]
    pub fn get_mut(&mut self) -> Option<&mut Arc<T>> {
        const { assert!(size_of::<Option<Arc<T>>>() == size_of::<*mut T>()) }
        let word = std::ptr::from_mut(self.slot.word_mut()).cast::<Option<Arc<T>>>();
        // SAFETY: `Arc<T>` is a transparent `NonNull<T>`, so its `Option` has a pointer's layout with null for `None`; the
        // word is one whose count the slot owns, and an `Arc` that replaces it brings its own.
        unsafe { &mut *word }.as_mut()
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
    /// use weakly::{Arc, atomic::AtomicArc};
    ///
    /// let slot = AtomicArc::new(Arc::new(5));
    /// assert_eq!(Arc::try_unwrap(slot.into_inner().unwrap()), Ok(5));
    /// ```
    pub fn into_inner(self) -> Option<Arc<T>> {
        self.slot.into_inner()
    }
}

impl<T> Default for AtomicArc<T> {
    /// Empty.
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> From<Arc<T>> for AtomicArc<T> {
    fn from(arc: Arc<T>) -> Self {
        Self::new(arc)
    }
}

impl<T> From<Option<Arc<T>>> for AtomicArc<T> {
    fn from(arc: Option<Arc<T>>) -> Self {
        Self::new(arc)
    }
}

impl<T: fmt::Debug> fmt::Debug for AtomicArc<T> {
    /// The value that is in the slot now. Its `Debug` runs unpinned, on an `Arc` that may turn out to be the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtomicArc").field(&self.load().as_deref()).finish()
    }
}
