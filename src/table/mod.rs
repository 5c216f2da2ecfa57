//! The table behind every map and set: nodes found by hash, read without locks, taken out by their objects' deaths.
//!
//! From below come dead nodes, through their hooks; above, the faces look up, write and walk.
//!
//! # Parties and states
//!
//! Readers under guards; writers, one a shard at a time; dying threads; the queue of each shard. A shard is a lock, a count,
//! a pointer to its bucket array and the queue of nodes that were posted to it.
//!
//! # Steps
//!
//! - *Look up* ([`probe`]): load the array, match tags, follow slots, compare hash then key.
//! - *Write* ([`mod@write`]): look up without a lock (user code runs there), lock, check that what was seen still stands, commit,
//!   unlock; else look up again.
//! - *Death* ([`shard`]): claim the node; unlink it if the shard's lock is free, else post it.
//! - *Resize* ([`resize`]): copy the slots into a new array under the lock, publish it, retire the old one.
//! - *Walk* ([`walk`]): in the order of the hashes, which no resize changes.
//!
//! # Races and who wins
//!
//! *read / replace / death*: a node found dead counts only if its slot still holds it and then the array is still the shard's;
//! else the reader looks again. *insert / death of the old value*: by node, never by key. *post / unlock*: see [`shard`].
//! *map drop / death elsewhere*: the core is retired through the epoch, and a dying thread is pinned.
//!
//! # Orderings
//!
//! Named where they stand; the pairs are slot and tag ([`bucket`]), array pointer, mark ([`node`]), and the two fences of the
//! hand-off ([`shard`]).
//!
//! # What callers must not do
//!
//! Run user code under a shard's lock; drop a [`Later`] under a guard of the crate's own.

pub mod array;
pub mod bucket;
pub mod check;
pub mod handoff;
pub mod node;
pub mod probe;
pub mod resize;
pub mod root;
pub mod shard;
pub mod walk;
pub mod write;

use crate::death::hook::{Act, Hook, Later, Owner, Step};
use crate::queue::{Address, Cause, Listener, Listeners, Removals};
use crate::reclaim::{Guard, pin};
use crate::sync::{Arc, AtomicUsize, Ordering};
use array::TooLarge;
use node::{Entry, Node};
use root::Root;
use shard::Shard;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

/// A user's hash, mixed: the upper half is the position (shard, home bucket), the lowest byte the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed(pub u64);

impl Hashed {
    /// Mixes a user's hash by one folded multiplication, so that the bits of even a poor hash spread.
    #[inline]
    pub fn mix(hash: u64) -> Self {
        const A: u64 = 0x9e37_79b9_7f4a_7c15; // the golden ratio's fraction
        const B: u64 = 0xd6e8_feb8_6659_fd93; // any odd number with its bits well spread
        let wide = u128::from(hash ^ A) * u128::from(B);
        Hashed((wide as u64) ^ (wide >> 64) as u64)
    }

    /// Where in the table's order the hash stands.
    #[inline]
    pub fn position(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What a map shares with its nodes: retired through the epoch when the map is dropped.
#[repr(C)]
pub struct Core<E: Entry> {
    /// What the nodes' hooks point at. First, so that a hook's owner leads to the core.
    owners: [Owner; 2],
    /// The map, and grace periods that deaths have asked for: the last one to go frees the core.
    shares: AtomicUsize,
    shard_bits: u32,
    shards: Box<[Shard<E>]>,
    /// Who is told when an entry leaves.
    pub listeners: Listeners<E::Key>,
    /// Where the core is, for subscriptions.
    pub address: Arc<Address>,
}

/// What a hook of an `Entry` does at its object's death.
struct Acts<E: Entry>(PhantomData<E>);

impl<E: Entry> Acts<E> {
    const FIRST: &'static Act = &Act { kind: E::KINDS[0], step: Step::Entry(take_out::<E, 0>) };
    const SECOND: &'static Act = &Act { kind: E::KINDS[1], step: Step::Entry(take_out::<E, 1>) };
}

/// A death has come to hook `I` of a node.
///
/// # Safety
/// As [`Step::Entry`]: the hook is hook `I` of a `Node<E>`, and `guard` was taken before its list was closed.
unsafe fn take_out<E: Entry, const I: usize>(hook: NonNull<Hook>, guard: &Guard, later: &mut Later) {
    // SAFETY: as the caller says. Whoever else owns the node retires it after the close, so the guard keeps it.
    unsafe {
        let node = Node::<E>::of_hook(hook, I);
        // The hook was still linked at the close. Either the map's drop unlinks it before it retires the core, so that comes
        // after the guard was taken; or another object's death has claimed the node, found our list closed, and keeps the
        // core for us: see below. So the core is there.
        let core = node.as_ref().core().as_ref();
        let told = core.listeners.all();
        if node.as_ref().mark.claim(Cause::Died) {
            let shard = core.shard_at(node.as_ref().position);
            shard.entry_gone(Cause::Died);
            if !Node::unregister(node, Some(I)) {
                // Another death has the node in its list, and is pinned. It may come to it when the map is gone, which has
                // not waited for that one, and when this guard is gone, for which the map has waited.
                Core::outlast(node.as_ref().core(), guard);
            }
            later.drop_share(node.as_ref().entry.take_share());
            if let Some(told) = told {
                Node::share_with(node, told, later);
            }
            shard.bury(core, node, guard);
        } else if let Some(told) = told {
            later.owe(move || drop(told)); // the last of them, perhaps: a listener's destructor is user code
        }
    }
}

impl<E: Entry> Core<E> {
    /// A core of `shards`, a power of two, with nothing in it.
    pub fn new(shards: usize, listeners: Listeners<E::Key>) -> NonNull<Self> {
        debug_assert!(shards.is_power_of_two());
        let core = Box::new(Core {
            owners: [Owner { act: Acts::<E>::FIRST }, Owner { act: Acts::<E>::SECOND }],
            shares: AtomicUsize::new(1),
            shard_bits: shards.trailing_zeros(),
            shards: (0..shards).map(|_| Shard::new()).collect(),
            listeners,
            address: Arc::new(Address::empty()),
        });
        // SAFETY: a box is never null. By `into_raw`, so that hooks can lead back to the whole core.
        let core = unsafe { NonNull::new_unchecked(Box::into_raw(core)) };
        // SAFETY: just made.
        unsafe { core.as_ref() }.address.occupy(core.cast());
        core
    }

    /// The core stays until every guard that is out now is gone, whatever becomes of the map.
    ///
    /// # Safety
    /// The caller keeps the core by other means just now.
    unsafe fn outlast(core: NonNull<Self>, guard: &Guard) {
        // SAFETY: the core is there, says the caller; the share is given up once. What it holds by then is any thread's to
        // free, and no user's code.
        unsafe {
            core.as_ref().shares.fetch_add(1, Ordering::Relaxed); // Relaxed: the caller's own hold keeps it
            guard.retire(size_of::<Self>(), move || Core::leave(core));
        }
    }

    /// Gives one share up; the last one frees.
    ///
    /// # Safety
    /// The caller holds a share, which it gives up, and nobody is left who came by it; the listeners have been taken.
    unsafe fn leave(core: NonNull<Self>) {
        // SAFETY: the share keeps it until the subtraction.
        // Release, Acquire: every share's uses come before the free.
        if unsafe { core.as_ref() }.shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: made by `new`, from a box, and no share is left.
            drop(unsafe { Box::from_raw(core.as_ptr()) });
        }
    }

    /// The shards.
    pub fn shards(&self) -> &[Shard<E>] {
        &self.shards
    }

    /// Upper bits of a position that name its shard.
    pub fn shard_bits(&self) -> u32 {
        self.shard_bits
    }

    /// The index of a position's shard.
    #[inline]
    pub fn shard_index(&self, position: u32) -> usize {
        (u64::from(position) >> (u32::BITS - self.shard_bits)) as usize
    }

    /// A position's shard.
    #[inline]
    pub fn shard_at(&self, position: u32) -> &Shard<E> {
        &self.shards[self.shard_index(position)]
    }
}

/// A table: nothing until the first write.
pub struct Table<E: Entry> {
    core: Root<Core<E>>,
}

// A panic of users' code leaves no table half changed: it never runs in the middle of a write.
impl<E: Entry> UnwindSafe for Table<E> {}
impl<E: Entry> RefUnwindSafe for Table<E> {}

impl<E: Entry> Table<E> {
    crate::sync::const_fn! {
        /// An empty table that has allocated nothing.
        pub const fn new() -> Self {
            Table { core: Root::new() }
        }
    }

    /// An empty table of a core of its own.
    pub fn with_core(core: NonNull<Core<E>>) -> Self {
        Table { core: Root::with(core) }
    }

    /// The core, if anything was ever written.
    #[inline]
    pub fn core(&self) -> Option<&Core<E>> {
        // SAFETY: the core lives until the table is dropped, and after.
        self.core.get().map(|core| unsafe { core.as_ref() })
    }

    /// The core, made now if need be.
    pub fn core_or_new(&self) -> NonNull<Core<E>> {
        // SAFETY: `new` makes a box.
        unsafe { self.core.get_or_make(|| Core::new(default_shards(), Listeners::default())) }
    }

    /// A subscription to what leaves.
    pub fn removals(&self) -> Removals<E::Key>
    where
        E::Key: Clone + Send + Sync + Sized + 'static,
    {
        // SAFETY: the core lives as long as the table.
        let core = unsafe { self.core_or_new().as_ref() };
        Removals::subscribe(Arc::clone(&core.address), &core.listeners, remove_listener::<E>)
    }

    /// How many shards there are, or will be.
    pub fn shards(&self) -> usize {
        self.core().map_or_else(default_shards, |core| core.shards.len())
    }

    /// How many entries fit without growing, if they spread evenly.
    pub fn capacity(&self, guard: &Guard) -> usize {
        self.core().map_or(0, |core| core.shards.iter().map(|shard| shard.capacity(guard)).sum())
    }

    /// Sweeps every shard that has something posted; how much that was.
    pub fn run_pending(&self, guard: &Guard) -> usize {
        let Some(core) = self.core() else { return 0 };
        let sweep = |shard: &Shard<E>| {
            let posted = shard.posted();
            if posted > 0 {
                drop(shard.lock(core, guard)); // leaving sweeps all there is
            }
            posted
        };
        core.shards.iter().map(sweep).sum()
    }

    /// Room for `more` entries, if they spread evenly.
    pub fn reserve(&self, more: usize, guard: &Guard) -> Result<(), TooLarge> {
        if more == 0 {
            return Ok(());
        }
        // SAFETY: the core lives as long as the table.
        let core = unsafe { self.core_or_new().as_ref() };
        for shard in &core.shards {
            let mut holder = shard.lock(core, guard);
            let used = holder.books().used;
            holder.reserve(used.checked_add(more.div_ceil(core.shards.len())).ok_or(TooLarge)?)?;
        }
        Ok(())
    }

    /// No more room than for `entries`, or for what is there.
    pub fn shrink_to(&self, entries: usize, guard: &Guard) {
        let Some(core) = self.core() else { return };
        for shard in &core.shards {
            shard.lock(core, guard).shrink_to(entries.div_ceil(core.shards.len()));
        }
    }

    /// Live entries: exact when quiet.
    pub fn len(&self) -> usize {
        self.core().map_or(0, |core| core.shards.iter().map(Shard::len).sum())
    }
}

/// For a subscription that ends.
///
/// # Safety
/// `core` is a `Core<E>` that the caller's guard keeps.
unsafe fn remove_listener<E: Entry<Key: Sized>>(core: NonNull<()>, listener: &Listener<E::Key>) {
    // SAFETY: as the caller says.
    unsafe { core.cast::<Core<E>>().as_ref() }.listeners.remove(listener);
}

// SAFETY: a table owns its nodes' entries and lends them; what else is in there is atomics and locks.
unsafe impl<E: Entry + Send> Send for Table<E> {}
// SAFETY: as above; a shared table also moves entries in and out, so on top they must be `Send`.
unsafe impl<E: Entry + Send + Sync> Sync for Table<E> {}

impl<E: Entry> Drop for Table<E> {
    /// Claims and unlinks every node, then retires the core: a death elsewhere may be in it.
    fn drop(&mut self) {
        let Some(core) = self.core.get() else { return };
        let mut later = Later::new();
        let _listeners; // user code: dropped after the guard, before the debts
        let guard = pin();
        // SAFETY: the core lives as long as the table.
        unsafe { core.as_ref() }.check(&guard);
        self.clear(&guard, &mut later);
        // SAFETY: no face is left; what is still in there on another thread is a death or a subscription, under a guard of
        // its own.
        unsafe {
            _listeners = core.as_ref().listeners.take();
            core.as_ref().address.vacate();
            guard.retire(size_of::<Core<E>>(), move || Core::leave(core));
        }
    }
}

impl<E: Entry> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// About four shards a core, so that writers seldom meet.
pub fn default_shards() -> usize {
    #[cfg(weakly_loom)]
    return 1;
    #[cfg(not(weakly_loom))]
    {
        static SHARDS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        *SHARDS.get_or_init(|| {
            let cores = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
            (cores * 4).next_power_of_two()
        })
    }
}
