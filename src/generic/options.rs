//! What collections are made with, and small things their methods take and return.

use crate::queue::{Cause, Listener};
use crate::table::node::Entry;
use crate::table::shard::Shard;
use crate::table::{Core, default_shards};
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Makes a collection with other than the default hasher, capacity, shards, or with a listener.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, WeakValueMap};
///
/// let map: WeakValueMap<String, u64> =
///     WeakValueMap::builder().capacity(1_000).shards(4).on_removal(|key: &String, cause| println!("{key} {cause:?}")).build();
/// assert_eq!(map.shards(), 4);
/// ```
#[must_use]
pub struct Builder<M: Build> {
    pub(super) hasher: M::Hasher,
    pub(super) capacity: usize,
    pub(super) shards: usize,
    pub(super) listener: Option<Listener<M::Key>>,
    pub(super) _makes: PhantomData<fn() -> M>,
}

/// What a builder must know of a collection.
#[doc(hidden)]
pub trait Build {
    /// How it hashes.
    type Hasher;
    /// What its listener is told.
    type Key: ?Sized;
}

impl<M: Build> Builder<M> {
    pub(super) fn new(hasher: M::Hasher) -> Self {
        Builder { hasher, capacity: 0, shards: default_shards(), listener: None, _makes: PhantomData }
    }

    /// The same with another hasher, for the collection that it makes.
    pub(super) fn with_hasher<M2: Build<Key = M::Key>>(self, hasher: M2::Hasher) -> Builder<M2> {
        Builder { hasher, capacity: self.capacity, shards: self.shards, listener: self.listener, _makes: PhantomData }
    }

    pub(super) fn with_shards(self, shards: usize) -> Self {
        assert!(shards > 0 && shards <= 1 << 16, "shards: a number from 1 to 65536, not {shards}");
        Builder { shards: shards.next_power_of_two(), ..self }
    }

    pub(super) fn with_listener(self, listener: impl Fn(&M::Key, Cause) + Send + Sync + 'static) -> Self {
        Builder { listener: Some(Arc::new(listener)), ..self }
    }
}

impl<M: Build> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("shards", &self.shards)
            .field("listener", &self.listener.is_some())
            .finish_non_exhaustive()
    }
}

/// What a `compute` closure wants done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute<A> {
    /// Leave it as it is.
    Keep,
    /// Put this there.
    Insert(A),
    /// Take it out.
    Remove,
}

/// What `compute` did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Computed<A> {
    /// Nothing; this is there, if anything.
    Kept(Option<A>),
    /// The new value is in, the old one, if any, is out.
    Inserted {
        /// What was there.
        old: Option<A>,
        /// What is there now.
        new: A,
    },
    /// This was taken out.
    Removed(A),
}

/// Where a [`scan`](super::WeakValueMap::scan) stands; the default is the beginning.
///
/// It is just a position in the order of the hashes: it stays good whatever happens to the collection meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor(pub(super) u64);

/// A page of a [`scan`](super::WeakValueMap::scan).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanPage<T> {
    /// The entries: at least as many as were asked for, unless the scan is over; those that share a bucket come together.
    pub items: Vec<T>,
    /// Where to go on; `None` when the scan is over.
    pub next: Option<Cursor>,
}

/// Figures of a collection; exact when it is quiet.
///
/// Then, with `inserted` counting every entry that ever came: `inserted = len + died + removed + replaced + cleared`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Live entries.
    pub len: usize,
    /// Entries that fit without growing.
    pub capacity: usize,
    /// Dead entries that were posted to a busy shard and not yet swept.
    pub pending_removals: usize,
    /// Entries whose object died.
    pub died: u64,
    /// Entries that were removed.
    pub removed: u64,
    /// Entries that were replaced.
    pub replaced: u64,
    /// Entries that were cleared.
    pub cleared: u64,
}

impl Stats {
    pub(super) fn of<E: Entry>(core: &Core<E>, capacity: usize) -> Self {
        let left = |cause| core.shards().iter().map(|shard| shard.left(cause)).sum();
        Stats {
            len: core.shards().iter().map(Shard::len).sum(),
            capacity,
            pending_removals: core.shards().iter().map(Shard::posted).sum(),
            died: left(Cause::Died),
            removed: left(Cause::Removed),
            replaced: left(Cause::Replaced),
            cleared: left(Cause::Cleared),
        }
    }
}

/// Room could not be made: there is no memory, or no table, of that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryReserveError {
    pub(super) _private: (),
}

impl fmt::Display for TryReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room could be made: out of memory, or more entries than a table can hold")
    }
}

impl Error for TryReserveError {}
