//! Walking: in the order of the hashes, a home bucket at a time, under a guard or re-pinned between steps.
//!
//! # Parties and states
//!
//! A walker with a cursor, which is just a position; writers, deaths and resizes meanwhile.
//!
//! # Steps
//!
//! Load the shard's array; gather the nodes that are at home in the cursor's bucket and not before the cursor; sort them; give
//! them out in groups of one position. A group is *resolved* as a whole: the caller makes what it wants of each node (an
//! upgrade, say); if one of them is in its slot no more, or the array not the shard's, a key may have another node now, so the
//! group is gathered again. Then the cursor moves behind it. A walk may end before any position, so that others can walk the rest.
//!
//! # Races and who wins
//!
//! *walk / resize*: the array is in the order of the positions at any size, so the cursor means the same in every one.
//! *walk / replace*: see the group's rule; so a key that is there throughout is seen once. *walk / remove and insert again*:
//! the cursor is past the position, or the group is gathered again; so no key is seen twice. Each time again follows a
//! finished write. *walk / death*: a dead node is no hit.
//!
//! # Orderings
//!
//! As [`probe`](super::probe).
//!
//! # What callers must not do
//!
//! Keep nodes beyond the guard they were gathered under.

use super::array::Array;
use super::bucket::Bucket;
use super::node::{Entry, Node};
use super::shard::Shard;
use super::{Core, Table};
use crate::reclaim::Guard;
use crate::sync::Ordering;
use std::ptr::NonNull;

/// One past the last position.
const END: u64 = 1 << u32::BITS;

/// Where a walk stands: every position before it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(pub u64);

impl Place {
    /// Behind the last position.
    pub const END: Place = Place(END);

    /// Is the walk over?
    pub fn is_end(self) -> bool {
        self.0 >= END
    }
}

/// What steps have made of entries: owners, perhaps, so let it go when no guard is held.
pub struct Made<R> {
    /// What they gave.
    pub items: Vec<R>,
    /// What was made of a group that was then gathered again.
    spoilt: Vec<R>,
}

impl<R> Default for Made<R> {
    fn default() -> Self {
        Made { items: Vec::new(), spoilt: Vec::new() }
    }
}

/// A node, and where it was found.
struct Found<'g, E: Entry> {
    node: &'g Node<E>,
    bucket: &'g Bucket<E>,
    slot: usize,
}

impl<E: Entry> Found<'_, E> {
    /// Is it still there?
    fn is_there(&self) -> bool {
        std::ptr::eq(self.bucket.slot(self.slot), self.node)
    }
}

/// What was gathered: sorted by position.
struct Group<'g, E: Entry> {
    /// The shard, and the array of it.
    from: Option<(&'g Shard<E>, NonNull<Array<E>>)>,
    nodes: Vec<Found<'g, E>>,
    /// The place behind the home bucket.
    behind: Place,
}

impl<E: Entry> Group<'_, E> {
    /// Is the array still the shard's?
    fn is_current(&self) -> bool {
        // Acquire: pairs with the Release in `Holder::set_array`.
        self.from.is_some_and(|(shard, array)| shard.array.load(Ordering::Acquire) == array.as_ptr())
    }
}

impl<E: Entry> Table<E> {
    /// One step: makes something of the entries of the first home bucket, from `place` on, that gives anything. Sweeps posted
    /// nodes as it goes, never waiting. Makes nothing only at the end.
    pub fn step<'g, R>(
        &'g self,
        guard: &'g Guard,
        place: &mut Place,
        made: &mut Made<R>,
        resolve: impl FnMut(&'g Node<E>) -> Option<R>,
    ) {
        self.step_until(guard, place, Place::END, made, resolve);
    }

    /// As [`step`](Self::step), for a walk that ends before `end`, and then sets `place` to that.
    #[inline]
    pub fn step_until<'g, R>(
        &'g self,
        guard: &'g Guard,
        place: &mut Place,
        end: Place,
        made: &mut Made<R>,
        mut resolve: impl FnMut(&'g Node<E>) -> Option<R>,
    ) {
        let Some(core) = self.core() else {
            *place = end;
            return;
        };
        let mut group = Group { from: None, nodes: Vec::new(), behind: *place };
        let out = &mut made.items;
        let before = out.len();
        while out.len() == before && place.0 < end.0 {
            core.gather(guard, *place, end, &mut group);
            let mut done = 0;
            while let Some(first) = group.nodes.get(done) {
                let position = first.node.position;
                let n = group.nodes[done..].partition_point(|found| found.node.position == position);
                let same = &group.nodes[done..done + n];
                let start = out.len();
                out.extend(same.iter().filter_map(|found| resolve(found.node)));
                // A lone node that gave something needs no second look: whatever happened since came after.
                let doubtful = n > 1 || out.len() == start;
                if doubtful && !(same.iter().all(Found::is_there) && group.is_current()) {
                    made.spoilt.extend(out.drain(start..));
                    core.gather(guard, Place(u64::from(position)), end, &mut group);
                    done = 0;
                } else {
                    done += n;
                }
            }
            *place = group.behind;
        }
    }
}

impl<E: Entry> Core<E> {
    /// The nodes of the first home bucket, from `from` on, that has any before `end`.
    fn gather<'g>(&'g self, guard: &'g Guard, from: Place, end: Place, group: &mut Group<'g, E>) {
        group.nodes.clear();
        group.behind = end;
        let mut at = from.0;
        while at < end.0 {
            let index = self.shard_index(at as u32);
            let shard = &self.shards()[index];
            let next_shard = (index as u64 + 1) << (u32::BITS - self.shard_bits());
            if at == (index as u64) << (u32::BITS - self.shard_bits()) && shard.has_posted() {
                shard.sweep(self, guard);
            }
            // Acquire: pairs with the Release in `Holder::set_array`.
            let Some(array) = NonNull::new(shard.array.load(Ordering::Acquire)) else {
                at = next_shard;
                continue;
            };
            group.from = Some((shard, array));
            while at < next_shard.min(end.0) {
                // SAFETY: the guard keeps an array that was the shard's after it was taken, and nodes in its slots.
                unsafe {
                    let home = array.as_ref().home(at as u32);
                    let behind = array.as_ref().first_position(index, home + 1);
                    for bucket in home..home + array.as_ref().len() {
                        let bucket = Array::bucket(array, bucket);
                        let word = bucket.word();
                        for slot in word.taken() {
                            if let Some(node) = bucket.slot(slot).as_ref()
                                && array.as_ref().home(node.position) == home
                                && (at..end.0).contains(&u64::from(node.position))
                            {
                                group.nodes.push(Found { node, bucket, slot });
                            }
                        }
                        if word.overflow() == 0 {
                            break;
                        }
                    }
                    if !group.nodes.is_empty() {
                        group.nodes.sort_by_key(|found| found.node.position);
                        group.behind = Place(behind.min(end.0));
                        return;
                    }
                    at = behind;
                }
            }
        }
    }
}
