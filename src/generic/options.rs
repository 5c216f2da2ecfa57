//! What collections are made with, and small things their methods take and return.

use super::base::{Base, Parts};
use super::live::{Live, OwnsValues, Tells};
use crate::queue::{Cause, Listener, Listeners};
use crate::reclaim::pin;
use crate::table::array::TooLarge;
use crate::table::node::Entry;
use crate::table::shard::Shard;
use crate::table::{Core, Table, default_shards};
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
pub struct Builder<M: Collection> {
    hasher: M::Hasher,
    capacity: usize,
    shards: usize,
    listener: Option<Listener<KeyOf<M>>>,
    /// For a key map: its values are deferred.
    deferred: bool,
    makes: PhantomData<fn() -> M>,
}

/// What a builder must know of a collection.
#[doc(hidden)]
pub trait Collection: Sized {
    /// Its entries.
    type Entry: Live;
    /// How it hashes.
    type Hasher;
    /// The same with another hasher.
    type With<S>: Collection<Entry = Self::Entry, Hasher = S>;

    /// The collection of a table.
    fn of(parts: Parts<Self::Entry, Self::Hasher>) -> Self;
    /// Are its values, a key map's, deferred?
    fn deferred(&mut self) -> Option<&mut bool> {
        None
    }
}

/// What a collection's listeners are told.
type KeyOf<M> = <<M as Collection>::Entry as Entry>::Key;

impl<M: Collection> Builder<M> {
    pub(super) fn new(hasher: M::Hasher) -> Self {
        Builder { hasher, capacity: 0, shards: default_shards(), listener: None, deferred: false, makes: PhantomData }
    }

    /// Hashes by `hasher`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::hash::{BuildHasherDefault, DefaultHasher};
    ///
    /// let map: weakly::WeakValueMap<u64, String, _> =
    ///     weakly::WeakValueMap::builder().hasher(BuildHasherDefault::<DefaultHasher>::new()).build();
    /// # assert!(map.is_empty());
    /// ```
    pub fn hasher<S>(self, hasher: S) -> Builder<M::With<S>> {
        let Builder { capacity, shards, listener, deferred, .. } = self;
        Builder { hasher, capacity, shards, listener, deferred, makes: PhantomData }
    }

    /// Makes room for `capacity` entries at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().capacity(100).build();
    /// assert!(map.capacity() >= 100);
    /// ```
    pub fn capacity(self, capacity: usize) -> Self {
        Builder { capacity, ..self }
    }

    /// Splits the collection into this many shards, rounded up to a power of two. Writers of different shards don't meet; the
    /// default is about four a core.
    ///
    /// # Panics
    /// If `shards` is 0 or more than 65536.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().shards(3).build();
    /// assert_eq!(map.shards(), 4);
    /// ```
    pub fn shards(self, shards: usize) -> Self {
        assert!(shards > 0 && shards <= 1 << 16, "shards: a number from 1 to 65536, not {shards}");
        Builder { shards: shards.next_power_of_two(), ..self }
    }

    /// Calls `listener` for every entry that leaves, with its key (a weak pointer if it is held weakly) and the cause: after the
    /// entry is out, with no lock held, on the thread that took it out, once. A panic in it is caught and reported
    /// ([`exit::set_panic_hook`](crate::exit::set_panic_hook)).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, Cause, WeakValueMap};
    ///
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let map = WeakValueMap::builder().on_removal(move |key: &u64, cause| tx.send((*key, cause)).unwrap()).build();
    /// map.insert(1, &Arc::new("gone at once"));
    /// assert_eq!(rx.recv(), Ok((1, Cause::Died)));
    /// ```
    pub fn on_removal(self, listener: impl Fn(&KeyOf<M>, Cause) + Send + Sync + 'static) -> Self
    where
        M::Entry: Tells,
    {
        Builder { listener: Some(Arc::new(listener)), ..self }
    }

    /// Makes the values of a key map *deferred*: reading them ([`Pinned::read`](super::Pinned::read)) touches no reference count,
    /// and their destructors wait for a grace period, as those of [`Arc::new_deferred`](crate::Arc::new_deferred) do. They
    /// are never moved out: [`Removed::into_inner`](crate::Removed::into_inner) gives them back as they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, WeakKeyMap};
    ///
    /// let ages: WeakKeyMap<String, u32> = WeakKeyMap::builder().deferred_values().build();
    /// let ann = Arc::new("ann".to_string());
    /// ages.insert(&ann, 30);
    /// assert_eq!(ages.pin().read("ann").as_deref(), Some(&30));
    /// ```
    pub fn deferred_values(self) -> Self
    where
        M::Entry: OwnsValues,
    {
        Builder { deferred: true, ..self }
    }

    /// The collection.
    ///
    /// # Panics
    /// If there is no memory, or no table, of the capacity asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// let map: weakly::WeakValueMap<u64, String> = weakly::WeakValueMap::builder().build();
    /// assert!(map.is_empty());
    /// ```
    pub fn build(self) -> M {
        let listeners = Listeners::default();
        if let Some(listener) = self.listener {
            listeners.add(listener);
        }
        let table = Table::with_core(Core::new(self.shards, listeners));
        if let Err(TooLarge) = table.reserve(self.capacity, &pin()) {
            panic!("capacity({}): {}", self.capacity, TryReserveError { _private: () });
        }
        let mut built = M::of(Parts(Base { hasher: self.hasher, table }));
        if let Some(deferred) = built.deferred() {
            *deferred = self.deferred;
        }
        built
    }
}

impl<M: Collection> fmt::Debug for Builder<M> {
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
