//! A node: one element of a list, with the hook that tells it of its object's death.
//!
//! Who may do what with it: see the module above.

use super::Core;
use crate::death::hook::{Hook, Owner};
use crate::pointer::Hold;
use crate::reclaim::Guard;
use crate::sync::Plain;
use crate::table::node::Mark;
use std::panic::Location;
use std::ptr::NonNull;

/// One element. Its hook comes first, so that the hook's address leads to the node.
#[repr(C)]
pub struct Node<A: Hold> {
    hook: Hook,
    /// Who owns it.
    pub mark: Mark,
    /// Where it stands among all that were ever pushed. Written once, before it is published.
    seq: Plain<u64>,
    held: A::Held,
}

impl<A: Hold> Node<A> {
    /// A node of `core`, not yet anywhere.
    pub fn fresh(core: NonNull<Core<A>>, object: &A, location: &'static Location<'static>) -> NonNull<Self> {
        let owner = core.cast::<Owner>(); // the core's first field
        let node = Box::new(Node {
            hook: Hook::new(owner, location),
            mark: Mark::new(),
            seq: Plain::new(0),
            held: A::hold(object),
        });
        // SAFETY: a box is never null. By `into_raw`, so that the hook can lead back to the whole node.
        unsafe { NonNull::new_unchecked(Box::into_raw(node)) }
    }

    /// The node that the hook is embedded in.
    ///
    /// # Safety
    /// The hook is that of a `Node<A>`, by a pointer to the whole node.
    pub unsafe fn of_hook(hook: NonNull<Hook>) -> NonNull<Self> {
        hook.cast()
    }

    /// The core of the list that the node belongs to: in memory while the node is linked or a guard that saw it so is held.
    pub fn core(&self) -> NonNull<Core<A>> {
        self.hook.owner().cast()
    }

    /// The hook.
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    /// The object, held weakly.
    #[inline]
    pub fn held(&self) -> &A::Held {
        &self.held
    }

    /// Where it stands among all that were ever pushed.
    #[inline]
    pub fn seq(&self) -> u64 {
        // SAFETY: written before the node was published, and never again. Who comes by its slot sees that by the slot's
        // publication; who comes by its hook, by the object's last drop, which came after the push that held it.
        unsafe { self.seq.get() }
    }

    /// Gives the node its number and links its hook.
    ///
    /// # Safety
    /// The node is not yet anywhere, and the caller's; it stays in memory until its owner retires it; the caller holds the
    /// object alive.
    pub unsafe fn register(this: NonNull<Self>, seq: u64) {
        // SAFETY: as the caller says; the node holds a weak count, which is the list's meanwhile.
        unsafe {
            this.as_ref().seq.set(seq);
            Hook::register(A::head(this.as_ref().held()), this.cast());
        }
    }

    /// Unlinks the hook, or sees its list closed; then a death, which is pinned, may yet come to it.
    ///
    /// # Safety
    /// The caller owns the node and has not given it up.
    pub unsafe fn unregister(this: NonNull<Self>) {
        // SAFETY: registered before publishing, and unlinked by the owner alone.
        let _open = unsafe { Hook::unlink(A::head(this.as_ref().held()), this.cast()) };
    }

    /// Frees the node after a grace period.
    ///
    /// # Safety
    /// The caller owns the node, has made it unreachable, and gives it up. No lock or list bit is held.
    pub unsafe fn retire(this: NonNull<Self>, guard: &Guard) {
        // SAFETY: the caller owns the node. A weak count is any thread's to give back, and runs no user code.
        unsafe {
            let bytes = size_of::<Self>() + A::bytes(this.as_ref().held());
            guard.retire(bytes, move || drop(Box::from_raw(this.as_ptr())));
        }
    }
}
