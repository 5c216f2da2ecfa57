//! Under the lock: pushing, emptying slots, rebuilding; and what is done on leaving.

use super::Core;
use super::array::Array;
use super::node::Node;
use crate::death::hook::Hook;
use crate::pointer::Hold;
use crate::reclaim::Guard;
use crate::sync::{LIST_SLOTS, MutexGuard, Ordering, SWEEP};
use std::ptr::{NonNull, null_mut};

/// What only the lock's holder knows.
#[derive(Debug, Default)]
pub struct Books {
    /// The number of the next element.
    pub next: u64,
    /// Nodes in the array's slots, claimed ones included.
    pub used: usize,
}

/// The list's lock, held. Dropping it leaves: see [`handoff`](crate::table::handoff).
pub struct Holder<'a, A: Hold> {
    core: &'a Core<A>,
    guard: &'a Guard,
    books: Option<MutexGuard<'a, Books>>,
    /// Nodes that are out, chained, to be retired after the unlock.
    swept: *mut Hook,
    /// An array that was replaced, to be retired after the unlock.
    old: *mut Array<A>,
}

impl<A: Hold> Core<A> {
    /// Waits for the lock.
    pub fn lock<'a>(&'a self, guard: &'a Guard) -> Holder<'a, A> {
        self.hold(self.books.lock(), guard)
    }

    fn hold<'a>(&'a self, books: MutexGuard<'a, Books>, guard: &'a Guard) -> Holder<'a, A> {
        Holder { core: self, guard, books: Some(books), swept: null_mut(), old: null_mut() }
    }

    /// Takes a node out of its slot, or posts it. Never waits.
    ///
    /// # Safety
    /// The caller owns the node, whose hook is out of every open list, and gives it up. No list bit is held.
    pub unsafe fn give_up(&self, node: NonNull<Node<A>>, guard: &Guard) {
        if let Some(books) = self.books.try_lock() {
            // SAFETY: as the caller says.
            unsafe { self.hold(books, guard).take_out(node) };
        } else if let Some(books) = self.posted.post(node, &self.books) {
            self.hold(books, guard).sweep();
        }
    }
}

impl<A: Hold> Holder<'_, A> {
    /// What only the holder knows.
    pub fn books(&mut self) -> &mut Books {
        self.books.as_mut().expect("locked until dropped")
    }

    /// The list's array.
    pub fn array(&self) -> Option<&Array<A>> {
        // Relaxed: written under this lock.
        // SAFETY: the lock keeps the array, and the guard one that this very hold replaces.
        unsafe { self.core.array.load(Ordering::Relaxed).as_ref() }
    }

    /// Makes `array` the list's. The old one is retired after the unlock.
    fn set_array(&mut self, array: *mut Array<A>) {
        debug_assert!(self.old.is_null(), "one rebuild a hold");
        // Release: pairs with the Acquire in `walk`: slots and nodes come with the array.
        self.old = self.core.array.swap(array, Ordering::AcqRel);
    }

    /// Puts a node behind all others, and registers it.
    ///
    /// # Safety
    /// The node is not yet anywhere, and is given up to the list; the caller holds its object alive.
    pub unsafe fn push(&mut self, node: NonNull<Node<A>>) {
        if self.array().is_none_or(|array| array.len() == array.room()) {
            let room = LIST_SLOTS.max(self.books().used * 2);
            self.rebuild(Array::new(room));
        }
        let books = self.books();
        let seq = books.next;
        books.next += 1;
        books.used += 1;
        // Relaxed: a figure. Before the element can be found.
        self.core.len.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the node is the caller's; this lock makes us the array's only writer, and its numbers rise.
        unsafe {
            Node::register(node, seq);
            self.array().expect("there is room in it").push(seq, node.as_ptr());
        }
    }

    /// What is in the slots and nobody has claimed, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = NonNull<Node<A>>> + use<'_, A> {
        let array = self.array();
        let slots = (0..array.map_or(0, Array::len)).rev();
        let nodes = slots.filter_map(move |at| NonNull::new(array?.node(at)));
        // SAFETY: the lock keeps what is in the slots.
        nodes.filter(|node| unsafe { node.as_ref() }.mark.is_live())
    }

    /// Takes a node out of its slot, if it is in one; it is retired after the unlock.
    ///
    /// # Safety
    /// The caller owns the node, whose hook is out of every open list, and gives it up.
    pub unsafe fn take_out(&mut self, node: NonNull<Node<A>>) {
        // SAFETY: the owner keeps the node.
        let seq = unsafe { node.as_ref() }.seq();
        // A clear may have detached its array: then there is nothing to take out.
        if let Some(array) = self.array() {
            let (at, end) = array.seek(&(seq..seq + 1));
            if at < end && array.node(at) == node.as_ptr() {
                array.empty(at);
                self.books().used -= 1;
            }
        }
        // SAFETY: as the caller says, so the hook's chain is ours.
        unsafe { node.cast::<Hook>().as_ref().chain(self.swept) };
        self.swept = node.as_ptr().cast();
    }

    /// Takes the array from the list. It is retired after the unlock.
    pub fn detach(mut self) -> Option<NonNull<Array<A>>> {
        self.set_array(null_mut());
        self.books().used = 0;
        NonNull::new(self.old)
    }

    /// Takes a batch of posted nodes out.
    fn sweep(&mut self) {
        for _ in 0..SWEEP {
            let Some(node) = self.core.posted.pop() else { break };
            // SAFETY: whoever pops a node owns it, and who posted it had its hook out.
            unsafe { self.take_out(node) };
        }
    }

    /// On leaving: an array with more empty slots than nodes is replaced by a smaller one.
    fn shrink_if_sparse(&mut self) {
        let used = self.books().used;
        let sparse = self.array().is_some_and(|array| array.len() > LIST_SLOTS && array.len() / 2 > used);
        // A push may just have rebuilt it. And without memory for a smaller array the large one will do.
        if sparse
            && self.old.is_null()
            && let Ok(new) = Array::try_new(LIST_SLOTS.max(used * 2))
        {
            self.rebuild(new);
        }
    }

    /// Moves every node to `new`, which becomes the list's array. Claimed nodes move along: whoever owns them finds them.
    fn rebuild(&mut self, new: NonNull<Array<A>>) {
        self.check();
        if let Some(old) = self.array() {
            for at in 0..old.len() {
                let node = old.node(at);
                if !node.is_null() {
                    // SAFETY: the slot is published; the new array is ours, with room for all that is used.
                    unsafe { new.as_ref().push(old.seq(at), node) };
                }
            }
        }
        self.set_array(new.as_ptr());
    }

    /// After the unlock: what was taken out is retired, and an old array too.
    fn dispose(&mut self) {
        while let Some(hook) = NonNull::new(self.swept) {
            // SAFETY: chained by us, each by a pointer to its whole node, and ours.
            unsafe {
                self.swept = hook.as_ref().chained();
                Node::<A>::retire(Node::of_hook(hook), self.guard);
            }
        }
        if let Some(old) = NonNull::new(std::mem::replace(&mut self.old, null_mut())) {
            // SAFETY: unreachable since `set_array`; walkers who loaded it before are under guards.
            unsafe { self.guard.retire(old.as_ref().bytes(), move || Array::free(old)) };
        }
    }
}

impl<A: Hold> Drop for Holder<'_, A> {
    fn drop(&mut self) {
        loop {
            self.shrink_if_sparse();
            if let Some(books) = self.books.take() {
                self.core.posted.unlock(books);
            }
            self.dispose();
            self.books = self.core.posted.relock(&self.core.books);
            if self.books.is_none() {
                return;
            }
            self.sweep();
        }
    }
}
