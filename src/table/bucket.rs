//! A bucket: one cache line of tags and slots.
//!
//! ```text
//!   word:  tag tag tag tag tag tag tag overflow      (8 bits each)
//!   slots: one pointer a tag
//! ```
//!
//! # Parties and states
//!
//! Readers, and the one writer that holds the shard's lock. A slot is free when its tag is 0.
//!
//! # Steps
//!
//! *Publish*: tag, then slot. *Clear*: slot, then tag. So the slot alone says when a node comes and goes, to all readers at once.
//! *Read*: word, then the slots whose tags match. The overflow count says how many nodes went past this bucket to find room; it is
//! raised before such a node is published and lowered after it is cleared, so that a reader who finds 0 may stop.
//!
//! # Races and who wins
//!
//! A reader with an old word may find an empty slot, or another node in it: it compares hash and key. Nodes never move within
//! an array, so what was there before the read began is found. *publish / an old word / a new word*: a reader whose old word has
//! the tag of the slot's last node finds the new one as soon as the slot has it; were the tag to come after the slot, a reader that
//! begins later would miss what the first has seen.
//!
//! # Orderings
//!
//! Every store releases and every read acquires: a node's content and its hooks, its tag and the counts come before its slot. Who
//! finds it there passes all that on.
//!
//! # What callers must not do
//!
//! Write without the shard's lock.

use super::node::{Entry, Node};
use crate::sync::{AtomicPtr, AtomicU64, Ordering, SLOTS};
use std::ptr::null_mut;

/// Lowest bit of each tag's byte.
const ONES: u64 = 0x0001_0101_0101_0101;
/// Highest bit of each tag's byte.
const HIGHS: u64 = (ONES << 7) & ((1 << (8 * SLOTS)) - 1);
const OVERFLOW: u32 = 56;
/// An overflow count that has reached this stays until the array is rebuilt.
pub const SATURATED: u8 = u8::MAX;

/// Seven tags and slots, and how many nodes went past.
#[repr(C, align(64))]
pub struct Bucket<E: Entry> {
    word: AtomicU64,
    slots: [AtomicPtr<Node<E>>; SLOTS],
}

/// What a bucket's word said.
#[derive(Clone, Copy, Debug)]
pub struct Word(u64);

impl<E: Entry> Bucket<E> {
    /// No node.
    pub fn new() -> Self {
        Bucket { word: AtomicU64::new(0), slots: std::array::from_fn(|_| AtomicPtr::new(null_mut())) }
    }

    /// The tags and the count.
    #[inline]
    pub fn word(&self) -> Word {
        // Acquire: pairs with the Release of `set_word`: who finds a count lowered finds the slot it was lowered for empty.
        Word(self.word.load(Ordering::Acquire))
    }

    /// What a slot holds, or null.
    #[inline]
    pub fn slot(&self, i: usize) -> *mut Node<E> {
        // Acquire: pairs with the Release of `put`: the node's content, its hooks and its place come with it.
        self.slots[i].load(Ordering::Acquire)
    }

    /// Puts a node into a free slot, or over a dead one. Under the lock.
    pub fn put(&self, i: usize, node: *mut Node<E>, tag: u8) {
        let word = self.word();
        if word.tag(i) != tag {
            self.set_word(word.with_tag(i, tag));
        }
        // Release: pairs with the Acquire of `slot`: tag, counts and the node's content come with it.
        self.slots[i].store(node, Ordering::Release);
    }

    /// Empties a slot. Under the lock.
    pub fn clear(&self, i: usize) {
        // Release: what a reader who finds it empty goes on to do comes after the claim.
        self.slots[i].store(null_mut(), Ordering::Release);
        let word = self.word();
        self.set_word(word.with_tag(i, 0));
    }

    /// One more node goes past. Under the lock.
    pub fn raise(&self) {
        let word = self.word();
        self.set_word(word.with_overflow(word.overflow().saturating_add(1)));
    }

    /// A node that went past is gone. False: the count has saturated and stays. Under the lock.
    pub fn lower(&self) -> bool {
        let word = self.word();
        if word.overflow() == SATURATED {
            return false;
        }
        self.set_word(word.with_overflow(word.overflow() - 1));
        true
    }

    fn set_word(&self, word: Word) {
        // Release: pairs with the Acquire of `word`.
        self.word.store(word.0, Ordering::Release);
    }
}

impl Word {
    /// The slots whose tags match: now and then one that doesn't, never one missed.
    #[inline]
    pub fn matches(self, tag: u8) -> Matches {
        let x = self.0 ^ (ONES * u64::from(tag));
        Matches(x.wrapping_sub(ONES) & !x & HIGHS)
    }

    /// The slots that are taken.
    #[inline]
    pub fn taken(self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(move |&i| self.tag(i) != 0)
    }

    /// The first free slot.
    pub fn free(self) -> Option<usize> {
        (0..SLOTS).find(|&i| self.tag(i) == 0)
    }

    /// The tag of a slot; 0 if free.
    pub fn tag(self, i: usize) -> u8 {
        (self.0 >> (8 * i)) as u8
    }

    /// How many nodes went past.
    #[inline]
    pub fn overflow(self) -> u8 {
        (self.0 >> OVERFLOW) as u8
    }

    fn with_tag(self, i: usize, tag: u8) -> Word {
        Word(self.0 & !(0xff << (8 * i)) | u64::from(tag) << (8 * i))
    }

    fn with_overflow(self, n: u8) -> Word {
        Word(self.0 & !(0xff << OVERFLOW) | u64::from(n) << OVERFLOW)
    }
}

/// Slots to look at.
#[derive(Clone, Copy, Debug)]
pub struct Matches(u64);

impl Iterator for Matches {
    type Item = usize;
    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let i = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(i)
    }
}
