//! A shard: its short lock, and dead nodes handed to whoever holds it.
//!
//! # Parties and states
//!
//! One holder of the lock; dying threads that want a node out; nodes that were posted: see [`handoff`](super::handoff).
//!
//! # Steps
//!
//! *Bury*, by a dying thread that owns a node: give it up, by unlinking or posting it. *Leave*, by every holder: shrink, unlock,
//! retire what was taken out, and sweep what was posted meanwhile.
//!
//! # Races and who wins
//!
//! *post / unlock*, *two leavers*: see [`handoff`](super::handoff). So an idle shard keeps no dead node.
//!
//! # Orderings
//!
//! The hand-off's two fences.
//!
//! # What callers must not do
//!
//! Run user code, pin, retire, or allocate without need while holding the lock; unlock but by leaving.

use super::Core;
use super::array::Array;
use super::handoff::Posted;
use super::node::{Entry, Node};
use crate::death::hook::Hook;
use crate::queue::Cause;
use crate::reclaim::Guard;
use crate::sync::{AtomicPtr, AtomicU64, Figure, Mutex, MutexGuard, Ordering, SWEEP};
use std::ptr::{NonNull, null_mut};

/// What only the lock's holder knows.
#[derive(Debug, Default)]
pub struct Books {
    /// Nodes in the array's slots, dead ones included.
    pub used: usize,
    /// Removals that could not lower a saturated overflow count, since the array was built.
    pub stuck: usize,
    /// Nodes that a user has reserved room for: the array does not shrink below that by itself.
    pub reserved: usize,
}

/// One shard.
#[repr(align(64))]
pub struct Shard<E: Entry> {
    /// What readers load.
    pub array: AtomicPtr<Array<E>>,
    len: Figure,
    /// Counts what was published, so that a writer sees whether its look-up is still good.
    version: AtomicU64,
    books: Mutex<Books>,
    left: [Figure; 4],
    posted: Posted<Node<E>>,
}

impl<E: Entry> Shard<E> {
    /// Nothing in it, nothing allocated.
    pub fn new() -> Self {
        Shard {
            array: AtomicPtr::new(null_mut()),
            len: Figure::new(0),
            version: AtomicU64::new(0),
            books: Mutex::new(Books::default()),
            left: [const { Figure::new(0) }; 4],
            posted: Posted::new(),
        }
    }

    /// Live entries.
    pub fn len(&self) -> usize {
        // Relaxed: a figure; exact when quiet.
        self.len.load(Ordering::Relaxed) as usize
    }

    /// How many entries left for this cause.
    pub fn left(&self, cause: Cause) -> u64 {
        // Relaxed: a figure; exact when quiet.
        self.left[cause as usize].load(Ordering::Relaxed)
    }

    /// How many nodes fit without growing.
    pub fn capacity(&self, _guard: &Guard) -> usize {
        // Acquire: pairs with the Release in `Holder::set_array`.
        // SAFETY: the guard keeps an array that was the shard's after it was taken.
        let array = unsafe { self.array.load(Ordering::Acquire).as_ref() };
        array.map_or(0, |array| Array::<E>::room(array.len()))
    }

    /// How many dead nodes wait to be swept.
    pub fn posted(&self) -> usize {
        self.posted.len()
    }

    /// What was published so far: take it before a look-up that a write will rely on.
    pub fn version(&self) -> u64 {
        // Acquire: pairs with the Release of `published`: the look-up sees at least what this number counts.
        self.version.load(Ordering::Acquire)
    }

    /// One more entry, about to be published.
    pub fn entry_comes(&self) {
        // Relaxed: a figure.
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    /// A node of this shard was claimed: its owner calls this once.
    pub fn entry_gone(&self, cause: Cause) {
        // Relaxed: figures. Before the owner's callbacks, by its own program order.
        self.len.fetch_sub(1, Ordering::Relaxed);
        self.left[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the lock.
    pub fn lock<'a>(&'a self, core: &'a Core<E>, guard: &'a Guard) -> Holder<'a, E> {
        self.hold(self.books.lock(), core, guard)
    }

    fn hold<'a>(&'a self, books: MutexGuard<'a, Books>, core: &'a Core<E>, guard: &'a Guard) -> Holder<'a, E> {
        Holder { shard: self, core, guard, books: Some(books), swept: null_mut(), old: null_mut() }
    }

    /// Takes a dead node out, or posts it.
    ///
    /// # Safety
    /// The caller owns the node by its death, which is pinned by `guard`, and gives it, or its part of it, up.
    pub unsafe fn bury(&self, core: &Core<E>, node: NonNull<Node<E>>, guard: &Guard) {
        if let Some(books) = self.books.try_lock() {
            // SAFETY: as the caller says.
            unsafe { self.hold(books, core, guard).unlink_dead(node) };
        } else if let Some(books) = self.posted.post(node, &self.books) {
            self.hold(books, core, guard).sweep();
        }
    }

    /// Sweeps what was posted, if the lock is free: for iterators and the queue's readers, who never wait.
    pub fn sweep(&self, core: &Core<E>, guard: &Guard) {
        if let Some(books) = self.books.try_lock() {
            self.hold(books, core, guard).sweep();
        }
    }

    /// Whether anything is posted, at the price of two loads.
    pub fn has_posted(&self) -> bool {
        !self.posted.is_empty()
    }
}

impl<E: Entry> Drop for Shard<E> {
    fn drop(&mut self) {
        debug_assert!(self.posted.is_empty(), "a core went with a node in its queue");
        // Relaxed: `&mut`.
        if let Some(array) = NonNull::new(self.array.load(Ordering::Relaxed)) {
            // SAFETY: nobody else is left.
            unsafe { Array::free(array) };
        }
    }
}

/// The shard's lock, held. Dropping it leaves the shard: see the module's steps.
pub struct Holder<'a, E: Entry> {
    pub(super) shard: &'a Shard<E>,
    pub(super) core: &'a Core<E>,
    guard: &'a Guard,
    books: Option<MutexGuard<'a, Books>>,
    /// Dead nodes that are out, chained, to be given up after the unlock.
    swept: *mut Hook,
    /// An array that was replaced, to be retired after the unlock.
    old: *mut Array<E>,
}

impl<E: Entry> Holder<'_, E> {
    /// What only the holder knows.
    pub fn books(&mut self) -> &mut Books {
        self.books.as_mut().expect("locked until dropped")
    }

    /// The shard's array.
    pub fn array(&self) -> Option<NonNull<Array<E>>> {
        // Relaxed: written under this lock.
        NonNull::new(self.shard.array.load(Ordering::Relaxed))
    }

    /// Makes `array` the shard's. The old one is retired after the unlock.
    pub fn set_array(&mut self, array: *mut Array<E>) {
        debug_assert!(self.old.is_null(), "one rebuild a hold");
        // Release: pairs with the Acquire in `probe`: buckets and nodes come with the array.
        self.old = self.shard.array.swap(array, Ordering::AcqRel);
    }

    /// May this hold still rebuild the array?
    pub fn may_rebuild(&self) -> bool {
        self.old.is_null()
    }

    /// A node was put into the array.
    pub fn published(&mut self) {
        // Relaxed: written under this lock. Release: pairs with the Acquire in `version`.
        let version = self.shard.version.load(Ordering::Relaxed);
        self.shard.version.store(version + 1, Ordering::Release);
    }

    /// Takes a node out of its slot, if it is still there.
    ///
    /// # Safety
    /// The caller owns the node.
    pub unsafe fn unlink(&mut self, node: NonNull<Node<E>>) {
        let Some(array) = self.array() else { return };
        // SAFETY: the owner keeps the node; the lock keeps the array.
        unsafe {
            let (bucket, slot) = Array::<E>::split(node.as_ref().mark.place());
            // An inserter may have overwritten it, or a clear detached its array: then there is nothing to take out.
            if bucket >= array.as_ref().len() || Array::bucket(array, bucket).slot(slot) != node.as_ptr() {
                return;
            }
            Array::bucket(array, bucket).clear(slot);
            let mask = array.as_ref().len() - 1;
            let mut at = array.as_ref().home(node.as_ref().position);
            let mut stuck = 0;
            while at != bucket {
                stuck += usize::from(!Array::bucket(array, at).lower());
                at = (at + 1) & mask;
            }
            let books = self.books();
            books.used -= 1;
            books.stuck += stuck;
        }
    }

    /// Takes a dead node out; it is given up after the unlock.
    ///
    /// # Safety
    /// The caller owns the node, or its part of it, by its death, and gives it up.
    unsafe fn unlink_dead(&mut self, node: NonNull<Node<E>>) {
        // SAFETY: as the caller says; a dead node's hooks are out of every open list, so its owner may chain them.
        unsafe {
            self.unlink(node);
            node.cast::<Hook>().as_ref().chain(self.swept); // whoever unlinks a dead node owns its chain
        }
        self.swept = node.as_ptr().cast();
    }

    /// Takes a batch of posted nodes out. Returns how many.
    pub fn sweep(&mut self) -> usize {
        let mut n = 0;
        while n < SWEEP {
            let Some(node) = self.shard.posted.pop() else { break };
            // SAFETY: whoever pops a node owns it.
            unsafe { self.unlink_dead(node) };
            n += 1;
        }
        n
    }

    /// After the unlock: what was swept is given up, and an old array retired.
    fn dispose(&mut self) {
        while let Some(hook) = NonNull::new(self.swept) {
            // SAFETY: chained by us, each by a pointer to its whole node, and ours.
            unsafe {
                self.swept = hook.as_ref().chained();
                Node::leave(hook.cast::<Node<E>>(), self.guard);
            }
        }
        if let Some(old) = NonNull::new(std::mem::replace(&mut self.old, null_mut())) {
            // SAFETY: unreachable since `set_array`; readers who loaded it before are under guards.
            unsafe { self.guard.retire(old.as_ref().bytes(), move || Array::free(old)) };
        }
    }
}

impl<E: Entry> Drop for Holder<'_, E> {
    fn drop(&mut self) {
        loop {
            self.shrink_if_sparse();
            if let Some(books) = self.books.take() {
                self.shard.posted.unlock(books);
            }
            self.dispose();
            self.books = self.shard.posted.relock(&self.shard.books);
            if self.books.is_none() {
                return;
            }
            self.sweep();
        }
    }
}
