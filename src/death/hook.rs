//! Hooks: what is to be done at one object's death, in an intrusive list that its header's word heads.
//!
//! # Parties and states
//!
//! A hook is *free*, *linked* (in exactly one list, which holds one weak count of the block on its behalf), or *taken*
//! (its list is closed; the death walks it). Registrars hold an `Arc`, so they can't race the death; cancellers race it.
//!
//! # Steps
//!
//! *Register*: lock, link as the newest, unlock. *Unlink*: lock; closed: leave the links alone; else take the hook out.
//! *Death*: pin, lock, close, unlock; then walk by `next`.
//!
//! # Races and who wins
//!
//! *unlink / death*: the lock bit. When unlink finds the list closed, the hook is the death's to walk over; whether it
//! still acts is the hook's own affair (a node's mark, a callback's mark).
//! *a hook's memory / the walk*: the death pins before it closes, so what is retired after it closed outlives the walk.
//!
//! # Orderings
//!
//! Links are plain memory under the lock bit; after the close the death reads `next`, and `prev` is free for whoever owns
//! the hook: the death chains its callbacks by it, and the owner of a dead node what it has yet to retire.
//!
//! # What callers must not do
//!
//! Change links of a closed list; free a hook that is linked, or taken and not yet walked over.

use super::call::contain;
use crate::block::head::Head;
use crate::reclaim::{self, Guard};
use crate::sync::Plain;
use std::fmt;
use std::mem::needs_drop;
use std::panic::Location;
use std::ptr::{NonNull, null_mut};

/// One thing to do at one object's death. Embedded in what it belongs to.
#[repr(C, align(8))]
pub struct Hook {
    next: Plain<*mut Hook>,
    /// The neighbour while linked; the next callback of the batch once the death has taken the list.
    prev: Plain<*mut Hook>,
    owner: NonNull<Owner>,
    location: &'static Location<'static>,
}

/// What a hook belongs to: a map, or the crate for callbacks. A map embeds this as its first field.
#[derive(Debug)]
#[repr(C)]
pub struct Owner {
    /// What its hooks do.
    pub act: &'static Act,
}

/// What the hooks of one kind do at a death.
pub struct Act {
    /// For [`Arc::observers`](crate::Arc::observers).
    pub kind: ObserverKind,
    /// How.
    pub step: Step,
}

/// The step of a death in which a hook acts.
#[derive(Debug)]
pub enum Step {
    /// An entry: taken out, or posted, under the death's guard; user code goes on the list for later.
    Entry(unsafe fn(NonNull<Hook>, &Guard, &mut Later)),
    /// A callback: run, unpinned, unless cancelled; then the list's share of it is given up.
    Callback(unsafe fn(NonNull<Hook>)),
}

/// User code that is owed once entries are out and no lock or guard of the crate is held: values of key maps, listeners.
///
/// Dropping it pays, each debt contained, and then runs what is ripe: so make one before you pin.
#[derive(Default)]
pub struct Later(Vec<Box<dyn FnOnce()>>);

impl Later {
    /// Nothing owed.
    #[inline]
    pub fn new() -> Self {
        Later(Vec::new())
    }

    /// Owes `call`.
    ///
    /// # Safety
    /// What `call` captures lives until `self` is dropped.
    pub unsafe fn owe<'a>(&mut self, call: impl FnOnce() + 'a) {
        let call: Box<dyn FnOnce() + 'a> = Box::new(call);
        // SAFETY: only the lifetime changes, and the caller vouches for that.
        self.0.push(unsafe { std::mem::transmute::<Box<dyn FnOnce() + 'a>, Box<dyn FnOnce()>>(call) });
    }

    /// Drops a share of a value, perhaps the last, when no guard is held: its destructor is user code.
    ///
    /// # Safety
    /// As [`owe`](Self::owe).
    #[inline]
    pub unsafe fn drop_share<A>(&mut self, share: A) {
        if needs_drop::<A>() {
            // SAFETY: as the caller says.
            unsafe { self.owe(move || drop(share)) };
        }
    }
}

impl Drop for Later {
    #[inline]
    fn drop(&mut self) {
        for owed in self.0.drain(..) {
            contain(owed);
        }
        reclaim::run_ripe();
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Later").field(&self.0.len()).finish()
    }
}

/// What kind of thing watches an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObserverKind {
    /// A callback registered by [`Arc::observe`](crate::Arc::observe) or
    /// [`Anchor::observe`](crate::std_arc::Anchor::observe).
    Callback,
    /// An entry of a map that holds the object weakly as a value.
    ValueEntry,
    /// An entry of a map that holds the object weakly as a key.
    KeyEntry,
    /// An element of a set, list or interner.
    SetEntry,
    /// A finalizer.
    Finalizer,
}

/// One watcher of an object: what it is and where it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObserverInfo {
    /// What it is.
    pub kind: ObserverKind,
    /// Where it was registered.
    pub location: &'static Location<'static>,
}

impl Hook {
    /// A free hook.
    pub fn new(owner: NonNull<Owner>, location: &'static Location<'static>) -> Self {
        Hook { next: Plain::new(null_mut()), prev: Plain::new(null_mut()), owner, location }
    }

    /// What the hook belongs to.
    pub fn owner(&self) -> NonNull<Owner> {
        self.owner
    }

    /// Where the hook was registered.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Links `hook` as the newest of `head`'s list.
    ///
    /// # Safety
    /// The hook is free and stays at its place until it is unlinked or walked over; the caller holds the object alive and
    /// gives the list one weak count of it.
    pub unsafe fn register(head: &Head<Hook>, hook: NonNull<Hook>) {
        let mut list = head.lock();
        debug_assert!(!list.is_closed(), "registered at a dead object");
        let next = list.first();
        // SAFETY: the lock bit is ours; the hook is ours; `next` is linked, so it is there.
        unsafe {
            hook.as_ref().next.set(next);
            hook.as_ref().prev.set(null_mut());
            if let Some(next) = NonNull::new(next) {
                next.as_ref().prev.set(hook.as_ptr());
            }
        }
        list.set_first(hook.as_ptr());
    }

    /// Takes `hook` out of `head`'s list. False: the list is closed, and the hook is the death's to walk over.
    ///
    /// # Safety
    /// The hook was registered in this list and not unlinked since; the caller keeps block and hook in memory.
    #[must_use]
    pub unsafe fn unlink(head: &Head<Hook>, hook: NonNull<Hook>) -> bool {
        let mut list = head.lock();
        if list.is_closed() {
            return false;
        }
        // SAFETY: the lock bit is ours and the list is open, so the hook and its neighbours are linked.
        unsafe {
            let (prev, next) = (hook.as_ref().prev.get(), hook.as_ref().next.get());
            if let Some(next) = NonNull::new(next) {
                next.as_ref().prev.set(prev);
            }
            match NonNull::new(prev) {
                Some(prev) => prev.as_ref().next.set(next),
                None => list.set_first(next),
            }
        }
        true
    }

    /// The death's first walk: closes the list, takes every entry out, and returns the callbacks, newest first.
    ///
    /// # Safety
    /// The caller owns the death of the object `head` belongs to.
    pub unsafe fn take_entries_out(head: &Head<Hook>, later: &mut Later) -> Batch {
        // Pinned before the close, and until the last entry is visited: a node that another owner retires meanwhile
        // stays in memory until we are past it.
        let guard = reclaim::pin();
        let mut at = head.lock().close();
        let mut batch = Batch { first: null_mut() };
        let mut last: Option<NonNull<Hook>> = None;
        while let Some(hook) = NonNull::new(at) {
            // SAFETY: linked at the close, and kept in memory by the guard (entries) or the list's share (callbacks).
            // Nobody else writes the links now. `next` is read before the hook acts, for it may be gone after.
            unsafe {
                at = hook.as_ref().next.get();
                match hook.as_ref().owner.as_ref().act.step {
                    Step::Entry(take_out) => take_out(hook, &guard, later),
                    Step::Callback(_) => {
                        hook.as_ref().prev.set(null_mut());
                        match last.replace(hook) {
                            None => batch.first = hook.as_ptr(),
                            Some(last) => last.as_ref().prev.set(hook.as_ptr()),
                        }
                    }
                }
            }
        }
        batch
    }

    /// The next of a chain that this hook's owner has made of hooks that are out of every open list.
    ///
    /// # Safety
    /// The caller owns the hook, which is unlinked, or whose list is closed.
    pub unsafe fn chained(&self) -> *mut Hook {
        // SAFETY: `prev` of such a hook is its owner's alone.
        unsafe { self.prev.get() }
    }

    /// Chains `next` behind this hook.
    ///
    /// # Safety
    /// As [`chained`](Self::chained).
    pub unsafe fn chain(&self, next: *mut Hook) {
        // SAFETY: as above.
        unsafe { self.prev.set(next) }
    }

    /// Looks over how the hook is linked, if it still is: `is_linked` is asked under the lock bit.
    ///
    /// # Panics
    /// If it isn't linked well.
    ///
    /// # Safety
    /// The hook was registered in this list; the caller keeps block and hook in memory. Who unlinks it makes `is_linked` say no
    /// before.
    pub unsafe fn validate(&self, head: &Head<Hook>, is_linked: impl FnOnce() -> bool) {
        let list = head.lock();
        if list.is_closed() || !is_linked() {
            return; // its links are its owner's
        }
        // SAFETY: under the lock bit of an open list the links of what is in it don't change, and its neighbours are linked.
        unsafe {
            let here = NonNull::from(self);
            match NonNull::new(self.prev.get()) {
                None => assert_eq!(list.first(), here.as_ptr(), "a hook without a newer one is the newest"),
                Some(newer) => {
                    assert_eq!(newer.as_ref().next.get(), here.as_ptr(), "a hook's newer one leads back to it");
                }
            }
            if let Some(older) = NonNull::new(self.next.get()) {
                assert_eq!(older.as_ref().prev.get(), here.as_ptr(), "a hook's older one leads back to it");
            }
        }
    }

    /// How many hooks are in the list.
    pub fn count(head: &Head<Hook>) -> usize {
        let list = head.lock();
        let (mut n, mut at) = (0, list.first());
        while let Some(hook) = NonNull::new(at) {
            n += 1;
            // SAFETY: under the lock bit the list's hooks are linked and there.
            at = unsafe { hook.as_ref().next.get() };
        }
        n
    }

    /// What is in the list, newest first.
    pub fn infos(head: &Head<Hook>) -> Vec<ObserverInfo> {
        let mut infos = Vec::new();
        loop {
            let wanted = Hook::count(head);
            infos.reserve_exact(wanted); // never allocate under the lock bit
            let list = head.lock();
            let mut at = list.first();
            while let (Some(hook), true) = (NonNull::new(at), infos.len() < infos.capacity()) {
                // SAFETY: under the lock bit the list's hooks are linked and there, and so are their owners.
                unsafe {
                    let kind = hook.as_ref().owner.as_ref().act.kind;
                    infos.push(ObserverInfo { kind, location: hook.as_ref().location });
                    at = hook.as_ref().next.get();
                }
            }
            if at.is_null() {
                return infos;
            }
            drop(list);
            infos.clear(); // somebody registered meanwhile
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("location", &self.location).finish_non_exhaustive()
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Act").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The callbacks of one death, newest first, each to be run once.
#[derive(Debug)]
#[must_use = "the callbacks are owed"]
pub struct Batch {
    first: *mut Hook,
}

impl Batch {
    /// Runs the callbacks. None unwinds: each contains its own panic.
    ///
    /// # Safety
    /// The caller owns the death that took this batch, and the value is still whole.
    pub unsafe fn run(self) {
        let mut at = self.first;
        while let Some(hook) = NonNull::new(at) {
            // SAFETY: the list's share keeps the hook until its step; `prev` is read before that.
            unsafe {
                at = hook.as_ref().prev.get();
                if let Step::Callback(run) = hook.as_ref().owner.as_ref().act.step {
                    run(hook);
                }
            }
        }
    }
}
