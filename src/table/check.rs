//! What holds of a table between writes, checked: by debug builds whenever an array goes or a table is dropped, and by tests
//! when they like.

use super::array::Array;
use super::bucket::SATURATED;
use super::node::{Entry, Node};
use super::shard::Holder;
use super::{Core, Table};
use crate::reclaim::{Guard, pin};
use crate::sync::{CHECKS, SLOTS};
use std::ptr::NonNull;

impl<E: Entry> Table<E> {
    /// Looks everything over. Nobody else is at work on the table.
    ///
    /// # Panics
    /// If something is wrong: in the structure, or because there is anything in it that is not alive.
    pub fn validate(&self) {
        let Some(core) = self.core() else { return };
        let guard = pin();
        for shard in core.shards() {
            let mut holder = shard.lock(core, &guard);
            holder.validate();
            assert_eq!(holder.books().used, shard.len(), "as many entries as nodes");
            drop(holder);
            assert_eq!(shard.posted(), 0, "an idle shard keeps no posted node");
        }
    }
}

impl<E: Entry> Core<E> {
    /// In a debug build, [`Holder::check`]s every shard.
    pub fn check(&self, guard: &Guard) {
        if CHECKS {
            self.shards().iter().for_each(|shard| shard.lock(self, guard).check());
        }
    }
}

impl<E: Entry> Holder<'_, E> {
    /// In a debug build, looks the shard over: as it is whenever it is locked, others may be at work.
    pub fn check(&mut self) {
        if CHECKS && !std::thread::panicking() {
            self.validate();
        }
    }

    fn validate(&mut self) {
        let (mut used, core) = (0, self.core);
        if let Some(array) = self.array() {
            // SAFETY: the lock keeps the array, and what is in its slots.
            let (head, bucket) = unsafe { (array.as_ref(), |at| Array::bucket(array, at)) };
            let mut passed = Vec::new();
            if passed.try_reserve_exact(head.len()).is_err() {
                return; // no memory to check with: no reason to fail what can do without
            }
            passed.resize(head.len(), 0_usize);
            for at in 0..head.len() {
                let word = bucket(at).word();
                for slot in 0..SLOTS {
                    let node = NonNull::new(bucket(at).slot(slot));
                    assert_eq!(node.is_some(), word.tag(slot) != 0, "what has a tag has a node");
                    // SAFETY: as above.
                    let Some(node) = node.map(|node| unsafe { node.as_ref() }) else { continue };
                    used += 1;
                    node.validate();
                    assert_eq!(node.mark.place(), Array::<E>::place(at, slot), "a node knows its place");
                    assert!(
                        std::ptr::eq(core.shard_at(node.position), self.shard),
                        "a node is in the shard of its hash"
                    );
                    let mut passing = head.home(node.position);
                    while passing != at {
                        passed[passing] += 1;
                        passing = (passing + 1) % head.len();
                    }
                }
            }
            let stuck = self.books().stuck > 0;
            for (at, &passed) in passed.iter().enumerate() {
                let overflow = bucket(at).word().overflow();
                let counted = passed.min(usize::from(SATURATED)) == usize::from(overflow);
                assert!(
                    counted || stuck && overflow == SATURATED,
                    "{overflow} nodes went past, says a bucket: {passed} did"
                );
            }
        }
        assert_eq!(self.books().used, used, "the books know what is in the slots");
    }
}

impl<E: Entry> Node<E> {
    /// Looks a node in a slot over.
    fn validate(&self) {
        assert!(self.mark.is_live() || self.mark.has_died(), "a writer's node left its slot before the unlock");
        for (i, hook) in self.hooks().iter().enumerate() {
            // SAFETY: registered before the node came to its slot, which keeps it under the lock; unregistered by who claims it.
            unsafe { hook.validate(self.entry.head(i), || self.mark.is_live()) };
        }
    }
}
