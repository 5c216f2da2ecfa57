//! What holds of a list between writes, checked: by debug builds whenever an array or the list goes, and by tests when they like.

use super::node::Node;
use super::write::Holder;
use super::{Core, List};
use crate::pointer::Hold;
use crate::reclaim::{Guard, pin};
use crate::sync::CHECKS;
use std::ptr::NonNull;

impl<A: Hold> List<A> {
    /// Looks everything over. Nobody else is at work on the list.
    ///
    /// # Panics
    /// If something is wrong: in the structure, or because there is anything in it that is not alive.
    pub fn validate(&self) {
        let Some(core) = self.core() else { return };
        let guard = pin();
        let mut holder = core.lock(&guard);
        holder.validate();
        assert_eq!(holder.books().used, self.len(), "as many elements as nodes");
        drop(holder);
        assert_eq!(core.posted.len(), 0, "an idle list keeps no posted node");
    }
}

impl<A: Hold> Core<A> {
    /// In a debug build, [`Holder::check`]s the list.
    pub fn check(&self, guard: &Guard) {
        if CHECKS {
            self.lock(guard).check();
        }
    }
}

impl<A: Hold> Holder<'_, A> {
    /// In a debug build, looks the list over: as it is whenever it is locked, others may be at work.
    pub fn check(&mut self) {
        if CHECKS && !std::thread::panicking() {
            self.validate();
        }
    }

    fn validate(&mut self) {
        let (mut used, mut next) = (0, 0);
        if let Some(array) = self.array() {
            for at in 0..array.len() {
                // SAFETY: published.
                let seq = unsafe { array.seq(at) };
                assert!(seq >= next, "the numbers rise");
                next = seq + 1;
                // SAFETY: the lock keeps what is in the slots.
                let Some(node) = NonNull::new(array.node(at)).map(|node| unsafe { node.as_ref() }) else { continue };
                used += 1;
                assert_eq!(node.seq(), seq, "a node knows its number");
                node.validate();
            }
        }
        assert!(next <= self.books().next, "the next number is above all that are there");
        assert_eq!(self.books().used, used, "the books know what is in the slots");
    }
}

impl<A: Hold> Node<A> {
    /// Looks a node in a slot over.
    fn validate(&self) {
        // SAFETY: registered before the node came to its slot, which keeps it under the lock; unregistered by who claims it.
        unsafe { self.hook().validate(A::head(self.held()), || self.mark.is_live()) };
    }
}
