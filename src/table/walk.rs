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
//! upgrade, say); if a writer took one of them out meanwhile, its key may have another node now, so the group is gathered
//! again. Then the cursor moves behind it.
//!
//! # Races and who wins
//!
//! *walk / resize*: the array is in the order of the positions at any size, so the cursor means the same in every one.
//! *walk / replace*: see the group's rule; so a key that is there throughout is seen once. *walk / remove and insert again*:
//! the cursor is past the position, or the group is gathered again; so no key is seen twice. *walk / death*: a dead node is
//! no hit.
//!
//! # Orderings
//!
//! As [`probe`](super::probe).
//!
//! # What callers must not do
//!
//! Keep nodes beyond the guard they were gathered under.

use super::array::Array;
use super::node::{Entry, Node};
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
    /// Is the walk over?
    pub fn is_end(self) -> bool {
        self.0 >= END
    }
}

impl<E: Entry> Table<E> {
    /// One step: makes something of the entries of the first home bucket, from `place` on, that gives anything, and pushes it
    /// to `out`. Sweeps posted nodes as it goes, never waiting. `out` stays empty only at the end.
    pub fn step<'g, R>(
        &'g self,
        guard: &'g Guard,
        place: &mut Place,
        out: &mut Vec<R>,
        mut resolve: impl FnMut(&'g Node<E>) -> Option<R>,
    ) {
        let Some(core) = self.core() else {
            *place = Place(END);
            return;
        };
        let mut nodes: Vec<&'g Node<E>> = Vec::new();
        let before = out.len();
        while out.len() == before && !place.is_end() {
            let mut behind = core.gather(guard, *place, &mut nodes);
            let mut rest = &nodes[..];
            while let Some(first) = rest.first() {
                let n = rest.partition_point(|node| node.position == first.position);
                let start = out.len();
                out.extend(rest[..n].iter().filter_map(|node| resolve(node)));
                // A lone node that gave something needs no second look: whatever happened since came after.
                let doubtful = n > 1 || out.len() == start;
                if doubtful && rest[..n].iter().any(|node| node.mark.was_taken()) {
                    out.truncate(start);
                    *place = Place(u64::from(first.position));
                    behind = core.gather(guard, *place, &mut nodes);
                    rest = &nodes[..];
                    continue;
                }
                rest = &rest[n..];
            }
            *place = behind;
        }
    }
}

impl<E: Entry> Core<E> {
    /// The nodes of the first home bucket, from `from` on, that has any; sorted by position. Returns the place behind it.
    fn gather<'g>(&'g self, guard: &'g Guard, from: Place, nodes: &mut Vec<&'g Node<E>>) -> Place {
        nodes.clear();
        let mut at = from.0;
        while at < END {
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
            while at < next_shard {
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
                                && u64::from(node.position) >= at
                            {
                                nodes.push(node);
                            }
                        }
                        if word.overflow() == 0 {
                            break;
                        }
                    }
                    if !nodes.is_empty() {
                        nodes.sort_by_key(|node| node.position);
                        return Place(behind);
                    }
                    at = behind;
                }
            }
        }
        Place(END)
    }
}
