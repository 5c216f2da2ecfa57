//! Notices: who is told that an entry left, and why.
//!
//! From below come nodes that have left, on a thread that holds no lock; above, listeners and subscriptions.
//!
//! # Parties and states
//!
//! A map's listeners: the one given to its builder, and one a live subscription. A subscription is a bounded queue.
//!
//! # Steps
//!
//! A death takes the listeners *before* it claims its node, and tells them once the node is out, or posted: whoever sweeps a
//! posted node tells nobody. So a notice is there when the last drop returns, however busy the shard. A writer takes and
//! tells them once its node is out and unlocked.
//!
//! # Races and who wins
//!
//! *map drop / death elsewhere*: a death that claimed its node before the map's drop could has its listeners in hand, so the
//! notice is not lost. *subscribe / removal*: a subscription is told of what leaves after [`Listeners::add`] returned.
//!
//! # Orderings
//!
//! The flag is a hint that pairs with nothing but program order; the mutex orders the rest.
//!
//! # What callers must not do
//!
//! Tell, or drop a listener, under a lock of the crate.

use crate::death::call::contain;
use crate::reclaim::{Guard, pin};
use crate::sync::{self, AtomicBool, AtomicPtr, Figure, Mutex, Ordering};
use crossbeam_queue::ArrayQueue;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// Why an entry left its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Its object died.
    Died,
    /// It was removed, popped, drained or not retained.
    Removed,
    /// Another value took its key.
    Replaced,
    /// The map was cleared or dropped. Of an entry whose object dies meanwhile either cause may be told, once.
    Cleared,
}

/// What is told that an entry left.
pub type Listener<K> = Arc<dyn Fn(&K, Cause) + Send + Sync>;

/// Everybody who is to be told, at one moment.
pub struct Told<K: ?Sized>(Arc<[Listener<K>]>);

impl<K: ?Sized> Clone for Told<K> {
    fn clone(&self) -> Self {
        Told(Arc::clone(&self.0))
    }
}

impl<K: ?Sized> Told<K> {
    /// Tells each; a panic in one is reported and stops none.
    pub fn tell(&self, key: &K, cause: Cause) {
        for listener in &*self.0 {
            contain(|| listener(key, cause));
        }
    }
}

/// A map's listeners.
pub struct Listeners<K: ?Sized> {
    any: AtomicBool,
    all: Mutex<Option<Told<K>>>,
}

impl<K: ?Sized> Default for Listeners<K> {
    fn default() -> Self {
        Listeners { any: AtomicBool::new(false), all: Mutex::new(None) }
    }
}

impl<K: ?Sized> Listeners<K> {
    /// Everybody who is to be told now; `None`, and nearly free, if there is nobody.
    #[inline]
    pub fn all(&self) -> Option<Told<K>> {
        // Relaxed: whoever needs to be told of a removal subscribed before it in his own order.
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        self.all.lock().clone()
    }

    /// One more.
    pub fn add(&self, listener: Listener<K>) {
        self.change(|all| all.push(listener));
    }

    /// One less: the very same.
    pub fn remove(&self, listener: &Listener<K>) {
        self.change(|all| all.retain(|l| !Arc::ptr_eq(l, listener)));
    }

    /// Nobody any more; the caller drops what was there where user code may run.
    pub fn take(&self) -> Option<Told<K>> {
        // Relaxed: see `all`.
        self.any.store(false, Ordering::Relaxed);
        self.all.lock().take()
    }

    /// Changes the list. What leaves it is dropped after the unlock, for it is user code.
    fn change(&self, change: impl FnOnce(&mut Vec<Listener<K>>)) {
        let mut all = self.all.lock();
        let old = all.take();
        let mut list = old.as_ref().map_or_else(Vec::new, |told| told.0.to_vec());
        change(&mut list);
        *all = (!list.is_empty()).then(|| Told(list.into()));
        // Relaxed: see `all`.
        self.any.store(all.is_some(), Ordering::Relaxed);
        drop(all);
        drop(old);
    }
}

/// Where a map's core is, for subscriptions that may outlive it. Emptied before the core is retired.
pub struct Address(AtomicPtr<()>);

impl Address {
    /// Nothing there yet.
    pub fn empty() -> Self {
        Address(AtomicPtr::new(null_mut()))
    }

    /// A core has been made.
    pub fn occupy(&self, core: NonNull<()>) {
        // Release: pairs with the Acquire of `get`.
        self.0.store(core.as_ptr(), Ordering::Release);
    }

    /// The map is being dropped.
    pub fn vacate(&self) {
        // Release: pairs with the Acquire of `get`.
        self.0.store(null_mut(), Ordering::Release);
    }

    /// The core, in memory as long as the guard is held.
    pub fn get(&self, _guard: &Guard) -> Option<NonNull<()>> {
        // Acquire: pairs with the Release of `occupy` and `vacate`. A guard that still reads the address was taken before the core, which
        // is retired after `vacate`, could be freed.
        NonNull::new(self.0.load(Ordering::Acquire))
    }
}

/// A queue of notices, shared by the listener that fills it and the subscription that reads it.
struct Mailbox<K> {
    notices: ArrayQueue<(K, Cause)>,
    dropped: Figure,
}

/// A subscription to a map's removals: a bounded queue of keys and causes.
///
/// It holds [`Removals::CAPACITY`] notices; when it is full the newest is dropped and counted ([`dropped`](Self::dropped)).
/// Dropping it ends the subscription. It may outlive its map.
///
/// # Liveness
///
/// Reading it never waits, and runs none of your code. A notice is there before the call that it tells of has returned: a
/// removal, or the last drop of the object (deep inside other deaths on the same thread: the outermost of those drops).
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Cause, WeakValueMap};
///
/// let map = WeakValueMap::new();
/// let removals = map.removals();
/// let five = Arc::new(5);
/// map.insert("five", &five);
/// drop(five);
/// assert_eq!(removals.try_next(), Some(("five", Cause::Died)));
/// assert_eq!(removals.try_next(), None);
/// ```
pub struct Removals<K> {
    mailbox: Arc<Mailbox<K>>,
    listener: Listener<K>,
    address: sync::Arc<Address>,
    /// Removes a listener from the core at the address, whatever the map's type.
    remove: unsafe fn(NonNull<()>, &Listener<K>),
}

// Nothing of the user's runs here but a key's destructor, when its notice has been taken out.
impl<K> UnwindSafe for Removals<K> {}
impl<K> RefUnwindSafe for Removals<K> {}

impl<K> Removals<K> {
    /// How many notices a subscription holds before it drops the newest.
    pub const CAPACITY: usize = 1024;

    /// A subscription to the map whose core is at `address`: made, and added to its listeners.
    pub(crate) fn subscribe(
        address: sync::Arc<Address>,
        listeners: &Listeners<K>,
        remove: unsafe fn(NonNull<()>, &Listener<K>),
    ) -> Self
    where
        K: Clone + Send + Sync + 'static,
    {
        let mailbox = Arc::new(Mailbox { notices: ArrayQueue::new(Self::CAPACITY), dropped: Figure::new(0) });
        let fill = Arc::clone(&mailbox);
        let listener: Listener<K> = Arc::new(move |key: &K, cause| {
            let refused = contain(|| key.clone()).map(|key| fill.notices.push((key, cause)).err());
            if !matches!(refused, Some(None)) {
                // Relaxed: a figure. Before what was refused is dropped, for that is user code.
                fill.dropped.fetch_add(1, Ordering::Relaxed);
            }
        });
        listeners.add(Arc::clone(&listener));
        Removals { mailbox, listener, address, remove }
    }

    /// The oldest notice, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cause, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let removals = map.removals();
    /// map.insert(1, &Arc::new("gone at once"));
    /// assert_eq!(removals.try_next(), Some((1, Cause::Died)));
    /// ```
    pub fn try_next(&self) -> Option<(K, Cause)> {
        self.mailbox.notices.pop()
    }

    /// The notices that are there, oldest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let removals = map.removals();
    /// map.extend((0..3).map(|i| (i, Arc::new(i))));
    /// assert_eq!(removals.try_iter().count(), 3);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, K> {
        TryIter { removals: self }
    }

    /// How many notices found the queue full, so far, or could not be copied because the key's `Clone` panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Removals, WeakValueMap};
    ///
    /// let map = WeakValueMap::new();
    /// let removals = map.removals();
    /// map.extend((0..Removals::<usize>::CAPACITY + 5).map(|i| (i, Arc::new(i))));
    /// assert_eq!(removals.dropped(), 5);
    /// ```
    pub fn dropped(&self) -> u64 {
        // Relaxed: a figure.
        self.mailbox.dropped.load(Ordering::Relaxed)
    }
}

impl<K> Drop for Removals<K> {
    fn drop(&mut self) {
        let guard = pin();
        if let Some(core) = self.address.get(&guard) {
            // SAFETY: the core at the address is of the type that `remove` was made for, and the guard keeps it.
            unsafe { (self.remove)(core, &self.listener) };
        }
    }
}

impl<K> fmt::Debug for Removals<K> {
    /// How many notices wait. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removals")
            .field("waiting", &self.mailbox.notices.len())
            .field("dropped", &self.dropped())
            .finish()
    }
}

/// The notices of a [`Removals`] that are there: what [`Removals::try_iter`] returns.
pub struct TryIter<'a, K> {
    removals: &'a Removals<K>,
}

impl<K> Iterator for TryIter<'_, K> {
    type Item = (K, Cause);
    fn next(&mut self) -> Option<(K, Cause)> {
        self.removals.try_next()
    }
}

impl<K> fmt::Debug for TryIter<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryIter").field(self.removals).finish()
    }
}
