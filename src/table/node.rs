//! A node: one entry of a map or set, with the hooks that tell it of its objects' deaths.
//!
//! # Parties and states
//!
//! The shard's slot, the objects' hook lists, readers under guards, and the one *owner* that the mark names:
//!
//! | mark | owner, who alone lowers `len`, unlinks, tells and retires |
//! |---|---|
//! | `LIVE` | nobody yet |
//! | `DIED` | the death of its object, or whoever pops it from the queue it was posted to |
//! | `TWICE` | both: the death has yet to tell, the other to unlink; the later of the two retires |
//! | `REMOVED`, `REPLACED` | the writer that held the object alive and the shard's lock |
//! | `CLEARED` | the `clear` or the map's drop that detached its array |
//!
//! # Steps
//!
//! One exchange LIVE -> cause. A death that has somebody to tell shares the node, DIED -> TWICE, before it gives it up to be
//! unlinked; the first of the two owners to be done puts it back to DIED, the second retires it.
//!
//! # Races and who wins
//!
//! The exchange: removal, death and clear can't both own a node.
//!
//! # Orderings
//!
//! Claiming releases and acquires: an inserter that sees `DIED` knows that the death is pinned, and may overwrite the slot.
//!
//! # What callers must not do
//!
//! Claim `REMOVED` or `REPLACED` without an owner of the object in hand; touch a node after retiring it.

use super::Core;
use crate::block::head::Head;
use crate::death::hook::{Hook, Later, ObserverKind, Owner};
use crate::queue::{Cause, Told};
use crate::reclaim::{self, Guard, Ripe};
use crate::sync::{AtomicU32, Ordering};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::Location;
use std::ptr::NonNull;

/// What a node holds: which objects weakly, and what besides.
pub trait Entry: Sized {
    /// One hook an object, `[Hook; N]`.
    type Hooks: AsRef<[Hook]>;
    /// What listeners are told.
    type Key: ?Sized;
    /// What the map owns while the entry is in it, and whoever claims the entry takes: a key map's share of the value.
    type Share;
    /// The kind of each hook.
    const KINDS: [ObserverKind; 2];

    /// As many hooks as there are objects.
    fn hooks(make: impl FnMut(usize) -> Hook) -> Self::Hooks;
    /// The hook list of the object that hook `i` watches.
    fn head(&self, i: usize) -> &Head<Hook>;
    /// Shows what listeners are told.
    fn with_key(&self, tell: impl FnOnce(&Self::Key));
    /// Takes the map's share out.
    ///
    /// # Safety
    /// Called once, by the node's owner; or by whoever made the entry, if it never was in a map.
    unsafe fn take_share(&self) -> Self::Share;
    /// The bytes of the objects that the entry's weak counts keep from being freed.
    fn bytes(&self) -> usize;
    /// Does dropping the entry run user code?
    const DROPS_USER_CODE: bool;
}

/// Mark and place in one word: three bits say who owns the node, the others where it sits.
#[derive(Debug)]
pub struct Mark(AtomicU32);

const LIVE: u32 = 0;
const DIED: u32 = Cause::Died as u32 + 1;
const TWICE: u32 = 7;
const STATE: u32 = 7;
const STATE_BITS: u32 = 3;
/// Places beyond this can't be written down.
pub const MAX_PLACE: usize = (u32::MAX >> STATE_BITS) as usize;

impl Mark {
    /// Nobody's yet.
    pub fn new() -> Self {
        Mark(AtomicU32::new(LIVE))
    }

    /// The caller becomes the node's owner, unless it has one.
    pub fn claim(&self, cause: Cause) -> bool {
        let state = cause as u32 + 1;
        // Acquire: pairs with the Release below, if it was another's: who comes too late sees what was done before.
        let mut word = self.0.load(Ordering::Acquire);
        while word & STATE == LIVE {
            // Release: pairs with the Acquire in `has_died` and in another's failed claim. Acquire: what the node's last
            // writer did is seen before it is unlinked.
            match self.0.compare_exchange_weak(word, word | state, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Nobody has claimed it yet.
    pub fn is_live(&self) -> bool {
        // Acquire: pairs with the Release of `claim`: who finds the node gone sees what was done before.
        self.0.load(Ordering::Acquire) & STATE == LIVE
    }

    /// Its death has claimed it, and is therefore pinned.
    pub fn has_died(&self) -> bool {
        // Acquire: pairs with the Release of `claim`.
        matches!(self.0.load(Ordering::Acquire) & STATE, DIED | TWICE)
    }

    /// A dead node gets a second owner. By its only one.
    pub fn share(&self) {
        // Relaxed: the node is handed on by the shard's lock or queue.
        let before = self.0.fetch_or(TWICE, Ordering::Relaxed);
        debug_assert_eq!(before & STATE, DIED);
    }

    /// One owner of a dead node is done with it. True: it was the last, and must retire it.
    pub fn leave(&self) -> bool {
        // Acquire: pairs with the Release below, if the other owner was first.
        if self.0.load(Ordering::Acquire) & STATE == DIED {
            return true;
        }
        // Release: what this owner did comes before the retirement. Acquire: as above, if the other came between.
        self.0.fetch_and(!(TWICE ^ DIED), Ordering::AcqRel) & STATE == DIED
    }

    /// Where the node sits in the shard's array. Only under the shard's lock.
    pub fn place(&self) -> usize {
        // Relaxed: written under the same lock.
        (self.0.load(Ordering::Relaxed) >> STATE_BITS) as usize
    }

    /// The node moves. Only under the shard's lock.
    pub fn set_place(&self, place: usize) {
        debug_assert!(place <= MAX_PLACE);
        let place = (place as u32) << STATE_BITS;
        // Relaxed: a guess that the exchange checks; the place is read under the same lock only.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            // Relaxed: as above. A claim that comes between makes it fail.
            match self.0.compare_exchange_weak(word, place | (word & STATE), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }
}

/// One entry. Its hooks come first, so that a hook's address leads to the node.
#[repr(C)]
pub struct Node<E: Entry> {
    hooks: E::Hooks,
    /// Owner and place.
    pub mark: Mark,
    /// The upper half of the mixed hash: shard and home bucket at any size of the table.
    pub position: u32,
    /// What the map keeps.
    pub entry: E,
}

impl<E: Entry> Node<E> {
    /// A node of `core`, not yet anywhere.
    pub fn fresh(core: NonNull<Core<E>>, position: u32, entry: E, location: &'static Location<'static>) -> Fresh<E> {
        // SAFETY: the core's owners are its first field, an array of two, and no entry has more hooks.
        let owner = |i| unsafe { core.cast::<Owner>().add(i) };
        let hooks = E::hooks(|i| Hook::new(owner(i), location));
        let node = Box::new(Node { hooks, mark: Mark::new(), position, entry });
        // SAFETY: a box is never null. By `into_raw`, so that hooks can lead back to the whole node.
        Fresh(unsafe { NonNull::new_unchecked(Box::into_raw(node)) })
    }

    /// The core of the map that the node belongs to: in memory while the node is linked or a guard that saw it so is held.
    pub fn core(&self) -> NonNull<Core<E>> {
        self.hooks.as_ref()[0].owner().cast()
    }

    /// One hook an object.
    pub fn hooks(&self) -> &[Hook] {
        self.hooks.as_ref()
    }

    /// The node that hook `i` is embedded in.
    ///
    /// # Safety
    /// The hook is hook `i` of a `Node<E>`, by a pointer to the whole node.
    pub unsafe fn of_hook(hook: NonNull<Hook>, i: usize) -> NonNull<Self> {
        // SAFETY: the hooks are an array at the node's start.
        unsafe { hook.sub(i).cast() }
    }

    /// Moves the entry out, and retires the memory alone.
    ///
    /// # Safety
    /// As [`retire`](Self::retire); and no reader can look at the entry any more.
    pub unsafe fn take_entry(this: NonNull<Self>, guard: &Guard) -> E {
        // SAFETY: as the caller says; of the node only the memory is freed, for a death may still walk over its hooks.
        unsafe {
            let entry = (&raw const (*this.as_ptr()).entry).read();
            guard.retire(size_of::<Self>(), move || {
                #[cfg(weakly_loom)] // whose atomics have a destructor
                {
                    std::ptr::drop_in_place(&raw mut (*this.as_ptr()).hooks);
                    std::ptr::drop_in_place(&raw mut (*this.as_ptr()).mark);
                }
                drop(Box::from_raw(this.cast::<MaybeUninit<Self>>().as_ptr()));
            });
            entry
        }
    }

    /// Links the hooks.
    ///
    /// # Safety
    /// The node is nowhere linked and stays in memory until its owner retires it; the caller holds its objects alive.
    pub unsafe fn register(this: NonNull<Self>) {
        // SAFETY: the node is the caller's.
        let node = unsafe { this.as_ref() };
        for i in 0..node.hooks.as_ref().len() {
            // SAFETY: as the caller says; the entry holds one weak count an object, which is the list's meanwhile.
            unsafe { Hook::register(node.entry.head(i), this.cast::<Hook>().add(i)) }
        }
    }

    /// Unlinks the hooks, or sees their lists closed; `but` is the hook that the caller's own death is walking over. False:
    /// a list was closed, and its death, which is pinned, may yet come to the node.
    ///
    /// # Safety
    /// The caller owns the node and has not retired it.
    pub unsafe fn unregister(this: NonNull<Self>, but: Option<usize>) -> bool {
        // SAFETY: the caller owns the node.
        let node = unsafe { this.as_ref() };
        let hooks = (0..node.hooks.as_ref().len()).filter(|&i| Some(i) != but);
        // SAFETY: registered before publishing, and unlinked by the owner alone.
        hooks.fold(true, |all, i| unsafe { Hook::unlink(node.entry.head(i), this.cast::<Hook>().add(i)) && all })
    }

    /// A death tells `told`, later, and then gives up its part of the node.
    ///
    /// # Safety
    /// The caller owns the node by its death, and has yet to give it up to be unlinked.
    pub unsafe fn share_with(this: NonNull<Self>, told: Told<E::Key>, later: &mut Later) {
        // SAFETY: as the caller says; the debt is one owner of the node, and owns its listeners, for the map may be gone
        // when it is paid. Whoever unlinks is the other.
        unsafe {
            this.as_ref().mark.share();
            later.owe(move || {
                this.as_ref().entry.with_key(|key| told.tell(key, Cause::Died));
                Node::leave(this, &reclaim::pin());
            });
        }
    }

    /// An owner of a dead node is done with it: the last one retires it.
    ///
    /// # Safety
    /// The caller is an owner, and gives the node up. No lock or list bit is held.
    pub unsafe fn leave(this: NonNull<Self>, guard: &Guard) {
        // SAFETY: as the caller says; whoever is last owns the node alone, and it is unlinked and told of.
        unsafe {
            if this.as_ref().mark.leave() {
                Node::retire(this, guard);
            }
        }
    }

    /// The node's owner is done with it but for the notice: tells listeners, later, and retires it.
    ///
    /// # Safety
    /// The caller owns the node, which is unlinked everywhere, and gives it up. No lock or list bit is held.
    pub unsafe fn depart(
        this: NonNull<Self>,
        cause: Cause,
        told: Option<&Told<E::Key>>,
        guard: &Guard,
        later: &mut Later,
    ) {
        match told.cloned() {
            // SAFETY: as the caller says.
            None => unsafe { Node::retire(this, guard) },
            // SAFETY: the debt owns the node, and its listeners too, for the map may be gone when it is paid.
            Some(told) => unsafe {
                later.owe(move || {
                    this.as_ref().entry.with_key(|key| told.tell(key, cause));
                    Node::retire(this, &reclaim::pin());
                });
            },
        }
    }

    /// Frees the node after a grace period; an owned key's destructor goes to the ripe list.
    ///
    /// # Safety
    /// The caller owns the node, has made it unreachable, and gives it up. No lock or list bit is held.
    pub unsafe fn retire(this: NonNull<Self>, guard: &Guard) {
        // SAFETY: the caller owns the node.
        let bytes = size_of::<Self>() + unsafe { this.as_ref() }.entry.bytes();
        // SAFETY: what runs user code is only pushed. Keys are `Send` where entries are made, and the weak counts are any
        // thread's to give back.
        unsafe {
            guard.retire(bytes, move || {
                if E::DROPS_USER_CODE {
                    Ripe::push(move || drop(Box::from_raw(this.as_ptr())));
                } else {
                    drop(Box::from_raw(this.as_ptr()));
                }
            });
        }
    }
}

/// A node that is nowhere linked yet, and its owner's: not a box, for others may look at its key meanwhile.
pub struct Fresh<E: Entry>(NonNull<Node<E>>);

impl<E: Entry> Fresh<E> {
    /// The entry of a node that nobody else has seen, and the map's share of it.
    pub fn into_entry(self) -> (E, E::Share) {
        // SAFETY: made by `fresh` from a box, and forgotten here; never in a map.
        unsafe {
            let node = Box::from_raw(ManuallyDrop::new(self).0.as_ptr());
            let share = node.entry.take_share();
            (node.entry, share)
        }
    }

    /// Gives the node up to whoever links it.
    pub fn into_raw(self) -> NonNull<Node<E>> {
        ManuallyDrop::new(self).0
    }

    /// The entry, for a write to a part of it that nobody else looks at.
    pub fn entry(&mut self) -> *mut E {
        // SAFETY: the node is ours.
        unsafe { &raw mut (*self.0.as_ptr()).entry }
    }
}

impl<E: Entry> std::ops::Deref for Fresh<E> {
    type Target = Node<E>;
    fn deref(&self) -> &Node<E> {
        // SAFETY: the node is ours.
        unsafe { self.0.as_ref() }
    }
}

impl<E: Entry> Drop for Fresh<E> {
    fn drop(&mut self) {
        // Through the epoch, for somebody may look at its key: see `flight`.
        // SAFETY: the node is linked nowhere, and ours; it never was in a map.
        unsafe {
            let _share = self.entry.take_share(); // dropped last, unpinned: a value's destructor is user code
            Node::retire(self.0, &reclaim::pin());
        }
    }
}
