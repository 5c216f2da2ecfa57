//! The list behind `WeakList`: elements in the order of their insertion, walked without locks, taken out by their objects'
//! deaths.
//!
//! From below come dead nodes, through their hooks; above, the face pushes, removes and walks.
//!
//! # Parties and states
//!
//! Walkers under guards; pushers, one at a time; dying threads and removers, who never wait; the queue of posted nodes. The list
//! is a lock, a count, and a pointer to an [array](mod@array) of slots in the order of their nodes' *sequence numbers*. A slot goes from
//! unpublished to its node to null, and never back. An array is *frozen* when another takes its place.
//! A node's mark names its one owner, who alone lowers `len`, unlinks the hook and gives the node up:
//!
//! | mark | owner |
//! |---|---|
//! | `LIVE` | nobody: the element is in the list, if its object is alive |
//! | `DIED` | the death of its object |
//! | `REMOVED` | a remover that held the object alive |
//! | `CLEARED` | the `clear` or the list's drop that detached its array |
//!
//! # Steps
//!
//! - *Push*, under the lock: make room, take the next number, register the hook, write the slot, raise the array's length.
//! - *Death*, *remove*, *pop*: claim the node (that is when the element goes), count it out, unlink the hook if the list of hooks is
//!   open, and give the node up ([`handoff`](crate::table::handoff)): its slot is emptied now, or by whoever holds the lock.
//! - *Rebuild*, under the lock, when a push finds the array full or whoever leaves finds most of its slots empty: copy what is
//!   in the slots, in order, to a new array, publish that, retire the old one after the unlock.
//! - *Clear*: detach the array under the lock; then claim what is in it.
//! - *Walk* ([`walk`]): from slot to slot of one array; between guards a walk is just the number of the next element.
//!
//! # Races and who wins
//!
//! *remove / remove, clear, death*: the mark. *walk / rebuild*: the numbers rise along every array, so the number at which a walk
//! stands means the same in each: nothing that is there throughout is missed, nothing is seen twice. *look for an object / push
//! of it, then removal of an earlier one*: the object was there throughout, though no node of it was; so who has found none
//! looks whether the list has gone on since, and then goes on too. *pop / push*: the lock, so that what is popped is the newest.
//! *push / pop, remove of the same element*: it can't be found before its slot is published, with everything done.
//! *list drop / death elsewhere*: the core is retired through the epoch; a death that has claimed a node, or comes to a node whose
//! list of hooks it has closed, was pinned before that.
//!
//! # Orderings
//!
//! Length: a slot's content comes with the length that covers it. Array pointer: a new array's content comes with it. Mark: who finds
//! an element gone sees what was done before. The hand-off's two fences.
//!
//! # What callers must not do
//!
//! Claim `REMOVED` without an owner of the object in hand; touch a node after giving it up; run user code, or drop owners, under
//! the lock or under a guard of the crate's own.

pub mod array;
pub mod check;
pub mod node;
pub mod walk;
pub mod write;

use crate::death::hook::{Act, Hook, Later, ObserverKind, Owner, Step};
use crate::pointer::{Hold, Pointer};
use crate::queue::Cause;
use crate::reclaim::{Guard, pin};
use crate::sync::{AtomicPtr, Figure, Mutex, Ordering};
use crate::table::handoff::Posted;
use crate::table::root::Root;
use array::Array;
use node::Node;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr::{NonNull, null_mut};
use write::Books;

/// What a list shares with its nodes: retired through the epoch when the list is dropped.
#[repr(C)]
pub struct Core<A: Hold> {
    /// What the nodes' hooks point at. First, so that a hook's owner leads to the core.
    owner: Owner,
    /// What walkers load.
    pub array: AtomicPtr<Array<A>>,
    len: Figure,
    books: Mutex<Books>,
    posted: Posted<Node<A>>,
}

/// What a node's hook does at its object's death.
struct Acts<A>(PhantomData<A>);

impl<A: Hold> Acts<A> {
    const ELEMENT: &'static Act = &Act { kind: ObserverKind::SetEntry, step: Step::Entry(take_out::<A>) };
}

/// A death has come to the hook of a node.
///
/// # Safety
/// As [`Step::Entry`]: the hook is that of a `Node<A>`, and `guard` was taken before its list was closed.
unsafe fn take_out<A: Hold>(hook: NonNull<Hook>, guard: &Guard, _: &mut Later) {
    // SAFETY: as the caller says. Whoever else owns the node retires it after the close, so the guard keeps it. If it is ours,
    // the list's drop has not claimed it, and retires the core after it has tried: the guard keeps the core too.
    unsafe {
        let node = Node::<A>::of_hook(hook);
        if node.as_ref().mark.claim(Cause::Died) {
            let core = node.as_ref().core().as_ref();
            core.element_gone();
            core.give_up(node, guard);
        }
    }
}

impl<A: Hold> Core<A> {
    fn new() -> NonNull<Self> {
        let core = Box::new(Core {
            owner: Owner { act: Acts::<A>::ELEMENT },
            array: AtomicPtr::new(null_mut()),
            len: Figure::new(0),
            books: Mutex::new(Books::default()),
            posted: Posted::new(),
        });
        // SAFETY: a box is never null. By `into_raw`, so that hooks can lead back to the whole core.
        unsafe { NonNull::new_unchecked(Box::into_raw(core)) }
    }

    /// A node was claimed: its owner calls this once.
    fn element_gone(&self) {
        // Relaxed: a figure. Before the owner's callbacks, by its own program order.
        self.len.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes an element out, unless somebody else has. Never waits.
    ///
    /// # Safety
    /// The node was found in this core under `guard`, and the caller holds its object alive.
    unsafe fn remove(&self, node: NonNull<Node<A>>, guard: &Guard) -> bool {
        // SAFETY: the guard keeps the node; once claimed it is ours.
        unsafe {
            let claimed = node.as_ref().mark.claim(Cause::Removed);
            if claimed {
                self.element_gone();
                Node::unregister(node);
                self.give_up(node, guard);
            }
            claimed
        }
    }
}

impl<A: Hold> Drop for Core<A> {
    fn drop(&mut self) {
        debug_assert!(self.posted.is_empty(), "a core went with a node in its queue");
        // Relaxed: `&mut`.
        if let Some(array) = NonNull::new(self.array.load(Ordering::Relaxed)) {
            // SAFETY: nobody else is left.
            unsafe { Array::free(array) };
        }
    }
}

/// A list: nothing until the first push.
pub struct List<A: Hold> {
    core: Root<Core<A>>,
}

// SAFETY: what a list holds are weak counts, which become `A`s on whatever thread walks it; the rest is atomics and locks.
unsafe impl<A: Hold + Send> Send for List<A> {}
// SAFETY: as above; a shared list also takes objects in from one thread and hands them out on another.
unsafe impl<A: Hold + Send + Sync> Sync for List<A> {}

// A panic of users' code leaves no list half changed: it never runs in the middle of a write.
impl<A: Hold> UnwindSafe for List<A> {}
impl<A: Hold> RefUnwindSafe for List<A> {}

impl<A: Hold> List<A> {
    crate::sync::const_fn! {
        /// An empty list that has allocated nothing.
        pub const fn new() -> Self {
            List { core: Root::new() }
        }
    }

    /// The core, if anything was ever pushed.
    #[inline]
    pub fn core(&self) -> Option<&Core<A>> {
        // SAFETY: the core lives until the list is dropped, and after.
        self.core.get().map(|core| unsafe { core.as_ref() })
    }

    /// Live elements: exact when quiet.
    pub fn len(&self) -> usize {
        // Relaxed: a figure.
        self.core().map_or(0, |core| core.len.load(Ordering::Relaxed) as usize)
    }

    /// Puts an object behind all others.
    pub fn push(&self, object: &A, location: &'static Location<'static>, guard: &Guard) {
        // SAFETY: `new` makes a box.
        let core = unsafe { self.core.get_or_make(Core::new) };
        let node = Node::fresh(core, object, location);
        // SAFETY: the core lives as long as the list; the node is ours, and its object alive in the caller's hands.
        unsafe { core.as_ref().lock(guard).push(node) };
    }

    /// Is the object in the list?
    pub fn contains(&self, object: &A, guard: &Guard) -> bool
    where
        A: Pointer,
    {
        self.core().is_some_and(|core| core.to_the_end(guard).any(|node| A::is_held(object, node.held())))
    }

    /// Takes the object's first occurrence out, if there is one.
    pub fn remove(&self, object: &A, guard: &Guard) -> bool
    where
        A: Pointer,
    {
        let Some(core) = self.core() else { return false };
        let mut occurrences = core.to_the_end(guard).filter(|node| A::is_held(object, node.held()));
        // SAFETY: found under the guard, and the object is alive in the caller's hands.
        occurrences.any(|node| unsafe { core.remove(node.raw(), guard) })
    }

    /// Takes out the element of this number, if it is still there. The caller holds its object alive.
    pub fn remove_at(&self, seq: u64, guard: &Guard) {
        if let Some(core) = self.core()
            && let Some(node) = core.walk(guard, seq..seq + 1).next()
        {
            // SAFETY: found under the guard, and the object is alive, says the caller.
            unsafe { core.remove(node.raw(), guard) };
        }
    }

    /// Takes the newest live element out. Owners that turn out to be of no use go to `later`.
    pub fn pop(&self, guard: &Guard, later: &mut Later) -> Option<A> {
        let core = self.core()?;
        // The lock, so that nothing newer comes while we look.
        let mut holder = core.lock(guard);
        // SAFETY: the lock keeps what is in the slots; and what is kept for later is an owner of its own.
        let (node, object) = holder.newest_first().find_map(|node| unsafe {
            let object = A::revive(node.as_ref().held())?;
            if node.as_ref().mark.claim(Cause::Removed) {
                return Some((node, object));
            }
            later.owe(move || drop(object));
            None
        })?;
        core.element_gone();
        // SAFETY: claimed, so the node is ours.
        unsafe {
            Node::unregister(node);
            holder.take_out(node);
        }
        Some(object)
    }

    /// Takes every element out. One that is pushed meanwhile may stay.
    pub fn clear(&self, guard: &Guard) {
        let Some(core) = self.core() else { return };
        let Some(array) = core.lock(guard).detach() else { return };
        // SAFETY: the array is retired by the unlock and kept by the guard; so is each node in it, until its owner, us
        // perhaps, retires it.
        unsafe {
            for at in 0..array.as_ref().len() {
                if let Some(node) = NonNull::new(array.as_ref().node(at))
                    && node.as_ref().mark.claim(Cause::Cleared)
                {
                    core.element_gone();
                    Node::unregister(node);
                    Node::retire(node, guard);
                }
            }
        }
    }
}

impl<A: Hold> Drop for List<A> {
    /// Claims and unregisters every node, then retires the core: a death elsewhere may be in it.
    fn drop(&mut self) {
        let Some(core) = self.core.get() else { return };
        let _later = Later::new(); // a write ends here: what is ripe runs
        let guard = pin();
        // SAFETY: the core lives as long as the list.
        unsafe { core.as_ref() }.check(&guard);
        self.clear(&guard);
        // SAFETY: no face is left; what is still in there on another thread is a death, under a guard of its own. What the
        // core holds by then is any thread's to free, and no user's code.
        unsafe { guard.retire(size_of::<Core<A>>(), move || drop(Box::from_raw(core.as_ptr()))) };
    }
}

impl<A: Hold> fmt::Debug for List<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("len", &self.len()).finish_non_exhaustive()
    }
}
