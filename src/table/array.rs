//! A shard's bucket array: allocation, and where a hash is at home.

use super::Hashed;
use super::bucket::Bucket;
use super::node::{Entry, MAX_PLACE};
use crate::sync::SLOTS;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Places of one bucket in a node's place: a power of two, so that a place splits by shift and mask.
const STRIDE: usize = SLOTS.next_power_of_two();

/// A power of two of buckets, in the order of the hashes that are at home there.
#[repr(C, align(64))]
pub struct Array<E: Entry> {
    /// The number of buckets less one.
    mask: usize,
    /// What is left of a position within its shard, shifted right by this, is a bucket.
    shift: u32,
    /// Upper bits of a position that name the shard.
    shard_bits: u32,
    buckets: [Bucket<E>; 0],
}

/// There is no memory, or no array, of that size.
#[derive(Debug)]
pub struct TooLarge;

impl<E: Entry> Array<E> {
    /// How many nodes an array of this many buckets takes before it grows: four fifths of its slots.
    pub const fn room(buckets: usize) -> usize {
        (buckets * SLOTS * 4).div_ceil(5)
    }

    /// The buckets that `nodes` need.
    pub fn buckets_for(nodes: usize) -> Result<usize, TooLarge> {
        let buckets =
            (nodes.checked_mul(5).ok_or(TooLarge)? / (SLOTS * 4)).checked_next_power_of_two().ok_or(TooLarge)?;
        let buckets = if Self::room(buckets) < nodes { buckets * 2 } else { buckets };
        Ok(buckets.max(1))
    }

    fn layout(buckets: usize) -> Result<Layout, TooLarge> {
        let buckets = Layout::array::<Bucket<E>>(buckets).map_err(|_| TooLarge)?;
        Ok(Layout::new::<Self>().extend(buckets).map_err(|_| TooLarge)?.0)
    }

    /// An empty array of `buckets`, a power of two.
    pub fn new(buckets: usize, shard_bits: u32) -> Result<NonNull<Self>, TooLarge> {
        debug_assert!(buckets.is_power_of_two());
        if !Self::is_in_bounds(buckets, shard_bits) {
            return Err(TooLarge);
        }
        let layout = Self::layout(buckets)?;
        // SAFETY: the layout has room for the head at least.
        let Some(array) = NonNull::new(unsafe { alloc(layout) }.cast::<Self>()) else { return Err(TooLarge) };
        // SAFETY: freshly allocated for a head and this many buckets, one behind the other.
        unsafe {
            array.write(Array {
                mask: buckets - 1,
                shift: u32::BITS - buckets.trailing_zeros(),
                shard_bits,
                buckets: [],
            });
            let first = array.add(1).cast::<Bucket<E>>();
            for i in 0..buckets {
                first.add(i).write(Bucket::new());
            }
        }
        Ok(array)
    }

    /// As [`new`](Self::new); out of memory is the allocation error handler's affair.
    pub fn new_or_abort(buckets: usize, shard_bits: u32) -> NonNull<Self> {
        match (Self::new(buckets, shard_bits), Self::layout(buckets)) {
            (Ok(array), _) => array,
            (Err(TooLarge), Ok(layout)) if Self::is_in_bounds(buckets, shard_bits) => handle_alloc_error(layout),
            (Err(TooLarge), _) => panic!("capacity overflow: more entries than a shard can hold"),
        }
    }

    /// Can a position tell its homes apart, and a node write its place down?
    fn is_in_bounds(buckets: usize, shard_bits: u32) -> bool {
        buckets.trailing_zeros() + shard_bits <= u32::BITS && buckets <= MAX_PLACE / STRIDE
    }

    /// Frees the array; the nodes in it are somebody else's.
    ///
    /// # Safety
    /// `array` came from [`new`](Self::new), nobody will look at it again, and it is not freed twice.
    pub unsafe fn free(array: NonNull<Self>) {
        // SAFETY: as the caller says; the layout is the one it was made with. Buckets need no destructor but loom's.
        unsafe {
            let buckets = array.as_ref().len();
            #[cfg(weakly_loom)]
            for i in 0..buckets {
                std::ptr::drop_in_place(array.add(1).cast::<Bucket<E>>().add(i).as_ptr());
            }
            if let Ok(layout) = Self::layout(buckets) {
                dealloc(array.as_ptr().cast::<u8>(), layout);
            }
        }
    }

    /// The number of buckets.
    #[inline]
    pub fn len(&self) -> usize {
        self.mask + 1
    }

    /// The bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.len() * size_of::<Bucket<E>>()
    }

    /// Bucket `i` of a live array.
    ///
    /// # Safety
    /// `array` came from [`new`](Self::new) and is in memory for `'a`.
    #[inline]
    pub unsafe fn bucket<'a>(array: NonNull<Self>, i: usize) -> &'a Bucket<E> {
        // SAFETY: the mask keeps the index within the buckets that lie behind the head.
        unsafe {
            let i = i & array.as_ref().mask;
            array.add(1).cast::<Bucket<E>>().add(i).as_ref()
        }
    }

    /// The bucket in which the search for a position begins: the array is in the order of the positions.
    #[inline]
    pub fn home(&self, position: u32) -> usize {
        (u64::from(position << self.shard_bits) >> self.shift) as usize
    }

    /// The first position, of those in shard `shard`, that is at home in bucket `i`, or in a later shard if `i` is past the end.
    pub fn first_position(&self, shard: usize, i: usize) -> u64 {
        ((shard as u64) << (u32::BITS - self.shard_bits)) + ((i as u64) << (self.shift - self.shard_bits))
    }

    /// The place of slot `slot` of bucket `bucket`.
    pub fn place(bucket: usize, slot: usize) -> usize {
        bucket * STRIDE + slot
    }

    /// The bucket and slot of a place.
    pub fn split(place: usize) -> (usize, usize) {
        (place / STRIDE, place % STRIDE)
    }

    /// The tag of a hash: never 0.
    #[inline]
    pub fn tag(hash: Hashed) -> u8 {
        let tag = hash.0 as u8;
        tag + u8::from(tag == 0)
    }
}
