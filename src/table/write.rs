//! Writing: look up without a lock, then lock, check and commit.
//!
//! # Parties and states
//!
//! One writer at a time a shard, dying threads that want the same lock, readers.
//!
//! # Steps
//!
//! *Survey*: take the shard's version, look the key up (user code runs here), note every node of the same position that was
//! compared. *Commit*, under the lock: a hit must still be in its slot; an absence must still hold, that is, no node of the
//! same position is there that the survey has not seen. Then claim the old node, register and publish the new one. Unlock;
//! unregister, tell of and retire the old one. A commit that finds the world changed says so, and the caller surveys again.
//!
//! # Races and who wins
//!
//! *insert / insert of one key*: the lock; the second finds an unseen node. *insert / death of the old value*: a node marked
//! `DIED` may be overwritten, its death is pinned and retires it; one whose death has not claimed it yet is left, and the new
//! node takes another slot: cleaning the old one up is by node. *remove / replace*: the slot under the lock.
//!
//! # Orderings
//!
//! All under the lock; for what readers see, [`bucket`](super::bucket).
//!
//! # What callers must not do
//!
//! Commit a replacement or removal without an owner of the old node's object in hand.

use super::array::Array;
use super::node::{Entry, Fresh, Node};
use super::probe::Look;
use super::resize::settle;
use super::shard::{Holder, Shard};
use super::{Core, Hashed, Table};
use crate::death::hook::Later;
use crate::queue::Cause;
use crate::reclaim::{Guard, pin};
use std::ptr::NonNull;

/// What a look-up for a write has seen.
pub struct Survey<'g, E: Entry, R> {
    /// The key's live entry, and what the caller made of it.
    pub hit: Option<(NonNull<Node<E>>, R)>,
    /// A dead entry of the key.
    dead: Option<NonNull<Node<E>>>,
    /// Nodes of the same position that are not the key's live entry.
    seen: Vec<NonNull<Node<E>>>,
    version: u64,
    core: &'g Core<E>,
    hash: Hashed,
}

impl<E: Entry> Table<E> {
    /// Looks a key up, for a write. Makes the core if there is none.
    pub fn survey<'g, R>(
        &'g self,
        guard: &'g Guard,
        hash: Hashed,
        mut look: impl FnMut(&'g Node<E>) -> Look<R>,
    ) -> Survey<'g, E, R> {
        // SAFETY: the core lives as long as the table.
        let core: &'g Core<E> = unsafe { self.core_or_new().as_ref() };
        let shard = core.shard_at(hash.position());
        let version = shard.version();
        let (mut dead, mut seen) = (None, Vec::new());
        let hit = shard.find(guard, hash, |node| {
            let at = NonNull::from(node);
            match look(node) {
                Look::Hit(r) => Look::Hit((at, r)),
                Look::Dead => {
                    dead = Some(at);
                    seen.push(at);
                    Look::Dead
                }
                Look::Other => {
                    seen.push(at);
                    Look::Other
                }
            }
        });
        seen.sort_unstable(); // to be found again under the lock, however many share a hash
        Survey { hit, dead, seen, version, core, hash }
    }

    /// Takes every entry out. Not atomic over shards; an entry that is inserted meanwhile may stay.
    pub fn clear(&self, guard: &Guard, later: &mut Later) {
        self.detach(guard, later, |core, node, guard, later| {
            // SAFETY: ours, and out of its slot.
            unsafe {
                let share = core.dispose(node, Cause::Cleared, guard, later);
                later.drop_share(share);
            }
        });
    }

    /// Moves out the entries of which `revive` makes something, and clears the rest.
    pub fn dismantle<R>(&mut self, mut revive: impl FnMut(&Node<E>) -> Option<R>) -> Vec<(E, E::Share, R)> {
        let mut ours = Vec::with_capacity(self.len());
        let mut later = Later::new();
        self.detach(&pin(), &mut later, |core, node, guard, later| {
            // SAFETY: the node is ours.
            unsafe {
                match revive(node.as_ref()) {
                    None => {
                        let share = core.dispose(node, Cause::Cleared, guard, later);
                        later.drop_share(share);
                    }
                    Some(r) => ours.push((node, core.release(node, Cause::Cleared), r)),
                }
            }
        });
        let told = self.core().and_then(|core| core.listeners.all());
        let moved = ours.into_iter().map(|(node, share, r)| {
            // SAFETY: ours since the claim. No reader can look at it any more, for the table is `&mut`.
            unsafe {
                if let Some(told) = &told {
                    node.as_ref().entry.with_key(|key| told.tell(key, Cause::Cleared));
                }
                (Node::take_entry(node, &pin()), share, r)
            }
        });
        moved.collect()
    }

    /// Detaches every shard's array, and hands on the nodes that this makes ours.
    fn detach(
        &self,
        guard: &Guard,
        later: &mut Later,
        mut ours: impl FnMut(&Core<E>, NonNull<Node<E>>, &Guard, &mut Later),
    ) {
        let Some(core) = self.core() else { return };
        for shard in core.shards() {
            let detached = {
                let mut holder = shard.lock(core, guard);
                let detached = holder.array();
                if detached.is_some() {
                    holder.set_array(std::ptr::null_mut());
                    *holder.books() = Default::default();
                }
                detached
            };
            let Some(array) = detached else { continue };
            // SAFETY: the array is retired by the unlock and kept by the guard; so is each node in it, until its owner, us
            // perhaps, retires it.
            unsafe {
                for at in 0..array.as_ref().len() {
                    let bucket = Array::bucket(array, at);
                    for slot in bucket.word().taken() {
                        let node = NonNull::new_unchecked(bucket.slot(slot));
                        if node.as_ref().mark.claim(Cause::Cleared) {
                            ours(core, node, guard, later);
                        }
                    }
                }
            }
        }
    }
}

impl<E: Entry, R> Survey<'_, E, R> {
    /// The shard of the key.
    fn shard(&self) -> &Shard<E> {
        self.core.shard_at(self.hash.position())
    }

    /// Puts `node` in, if the key is still absent; else gives it back: survey again.
    ///
    /// The caller holds the node's objects alive, and found no hit.
    pub fn insert(&self, node: Fresh<E>, guard: &Guard) -> Result<(), Fresh<E>> {
        debug_assert!(self.hit.is_none());
        let shard = self.shard();
        let mut holder = shard.lock(self.core, guard);
        if shard.version() != self.version && holder.has_unseen(self.hash, &self.seen) {
            return Err(node);
        }
        let tag = Array::<E>::tag(self.hash);
        let over = self.dead.and_then(|dead| holder.holds(dead)).filter(|&dead| has_died(dead));
        if over.is_none() {
            holder.make_room();
        }
        let node = node.into_raw();
        shard.entry_comes();
        // SAFETY: the node is ours until it is published; its objects are alive, says the caller. The array is the lock's.
        unsafe {
            Node::register(node);
            let array = holder.array().expect("make_room made one, or the dead node is in one");
            match over {
                Some(dead) => put_over(array, dead, node, tag),
                None => {
                    settle(array, node, tag);
                    holder.books().used += 1;
                }
            }
        }
        holder.published();
        Ok(())
    }

    /// Puts `node` in the place of the hit, whose share it returns, if that is still there; else gives it back: survey again.
    ///
    /// The caller holds the objects of both nodes alive.
    pub fn replace(&self, node: Fresh<E>, guard: &Guard, later: &mut Later) -> Result<E::Share, Fresh<E>> {
        let Some((seen, _)) = &self.hit else { return Err(node) };
        let shard = self.shard();
        let old = {
            let mut holder = shard.lock(self.core, guard);
            // SAFETY: the survey's guard keeps the node.
            let claimed = holder.holds(*seen).filter(|old| unsafe { old.as_ref() }.mark.claim(Cause::Replaced));
            let Some(old) = claimed else { return Err(node) };
            let node = node.into_raw();
            shard.entry_comes();
            // SAFETY: as in `insert`; the old node is ours.
            unsafe {
                Node::register(node);
                let array = holder.array().expect("the old node is in it");
                put_over(array, old, node, Array::<E>::tag(self.hash));
            }
            holder.published();
            old
        };
        // SAFETY: claimed, and out of its slot.
        Ok(unsafe { self.core.dispose(old, Cause::Replaced, guard, later) })
    }

    /// Takes the hit out, if it is still there, and returns its share. `None`: survey again.
    ///
    /// The caller holds the node's objects alive.
    pub fn remove(&self, guard: &Guard, later: &mut Later) -> Option<E::Share> {
        let (old, _) = self.hit.as_ref()?;
        // SAFETY: the survey's guard keeps the node, and the caller its objects.
        unsafe { self.core.remove(*old, guard, later) }
    }
}

impl<E: Entry> Core<E> {
    /// Takes a node out, if it is still there, and returns its share.
    ///
    /// # Safety
    /// The node was found in this core under `guard`, and the caller holds its objects alive.
    pub unsafe fn remove(&self, node: NonNull<Node<E>>, guard: &Guard, later: &mut Later) -> Option<E::Share> {
        // SAFETY: the guard keeps the node; once claimed it is ours.
        unsafe {
            let shard = self.shard_at(node.as_ref().position);
            let node = {
                let mut holder = shard.lock(self, guard);
                let claimed = holder.holds(node).filter(|node| node.as_ref().mark.claim(Cause::Removed));
                let node = claimed?;
                holder.unlink(node);
                node
            };
            Some(self.dispose(node, Cause::Removed, guard, later))
        }
    }

    /// Counts a node out, unregisters it, and takes its share.
    ///
    /// # Safety
    /// The caller owns the node, which is out of its slot.
    unsafe fn release(&self, node: NonNull<Node<E>>, cause: Cause) -> E::Share {
        // SAFETY: as the caller says.
        unsafe {
            self.shard_at(node.as_ref().position).entry_gone(cause);
            Node::unregister(node, None);
            node.as_ref().entry.take_share()
        }
    }

    /// Counts out, unregisters, tells of and retires a node, whose share it returns.
    ///
    /// # Safety
    /// The caller owns the node, which is out of its slot, and gives it up. No lock is held.
    unsafe fn dispose(&self, node: NonNull<Node<E>>, cause: Cause, guard: &Guard, later: &mut Later) -> E::Share {
        // SAFETY: as the caller says.
        unsafe {
            let share = self.release(node, cause);
            Node::depart(node, cause, self.listeners.all().as_ref(), guard, later);
            share
        }
    }
}

impl<E: Entry> Holder<'_, E> {
    /// The node, if it is in the shard's array now: by its slot's own pointer, for one that was made of a reference must
    /// not free it.
    fn holds(&self, node: NonNull<Node<E>>) -> Option<NonNull<Node<E>>> {
        let array = self.array()?;
        // SAFETY: the caller's guard keeps the node, the lock the array.
        unsafe {
            let (bucket, slot) = Array::<E>::split(node.as_ref().mark.place());
            let there = (bucket < array.as_ref().len()).then(|| Array::bucket(array, bucket).slot(slot))?;
            NonNull::new(there).filter(|&there| there == node)
        }
    }

    /// Is a node of this position there that the survey, whose sorted `seen` this is, has not seen? By address alone: no user code
    /// under a lock.
    fn has_unseen(&self, hash: Hashed, seen: &[NonNull<Node<E>>]) -> bool {
        let Some(array) = self.array() else { return false };
        // SAFETY: the lock keeps the array, and what is in its slots.
        unsafe {
            let (home, tag) = (array.as_ref().home(hash.position()), Array::<E>::tag(hash));
            for at in home..home + array.as_ref().len() {
                let bucket = Array::bucket(array, at);
                let word = bucket.word();
                for slot in word.matches(tag) {
                    if let Some(node) = NonNull::new(bucket.slot(slot))
                        && node.as_ref().position == hash.position()
                        && seen.binary_search(&node).is_err()
                    {
                        return true;
                    }
                }
                if word.overflow() == 0 {
                    break;
                }
            }
        }
        false
    }
}

fn has_died<E: Entry>(node: NonNull<Node<E>>) -> bool {
    // SAFETY: only asked of a node that the caller's guard keeps.
    unsafe { node.as_ref() }.mark.has_died()
}

/// Puts `node` into `old`'s slot.
///
/// # Safety
/// `old` is in the array; the caller holds the lock and owns `old`, or its death does; `node` is the caller's.
unsafe fn put_over<E: Entry>(array: NonNull<Array<E>>, old: NonNull<Node<E>>, node: NonNull<Node<E>>, tag: u8) {
    // SAFETY: as the caller says. Both have the same hash, so the same home and the same overflow counts.
    unsafe {
        let place = old.as_ref().mark.place();
        let (bucket, slot) = Array::<E>::split(place);
        node.as_ref().mark.set_place(place);
        Array::bucket(array, bucket).put(slot, node.as_ptr(), tag);
    }
}
