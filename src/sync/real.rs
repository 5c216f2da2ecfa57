//! The real world: `std`, `parking_lot`, `crossbeam`, `dashmap`.

use super::Waits;

pub use crossbeam_queue::SegQueue;
pub use parking_lot::{Condvar, Mutex, MutexGuard};
pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::thread_local;

/// One turn of waiting for a lock bit that its holder is about to clear.
#[inline]
pub fn spin(turn: u32) {
    if turn < 64 {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now(); // the holder was preempted: give it our core
    }
}

/// A sharded map. No user code gets under a shard's lock: values come out as clones, or are moved out.
pub struct Sharded<K, V>(dashmap::DashMap<K, V>);

impl<K: Eq + std::hash::Hash, V> Sharded<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Sharded(dashmap::DashMap::new())
    }

    /// Puts `value` at `key`; returns what was there.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Moves the value at `key` out.
    pub fn remove(&self, key: &K) -> Option<V> {
        self.0.remove(key).map(|(_, value)| value)
    }

    /// A clone of the value at `key`.
    pub fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.0.get(key).map(|entry| entry.clone())
    }

    /// Gives memory back that was taken for many more entries than there are: *O*(n) then, else a look at each shard.
    pub fn shrink(&self) {
        if self.0.capacity() / 8 > self.0.len() + 128 {
            self.0.shrink_to_fit();
        }
    }

    /// How many entries there is memory for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Shows every entry to `look`, which runs under a shard's lock: it must be the crate's own and call nothing.
    pub fn for_each(&self, mut look: impl FnMut(&K, &V)) {
        self.0.iter().for_each(|entry| look(entry.key(), entry.value()));
    }
}

/// Looks at `done` until it is true or `patience` is spent; what the wait took is taken off `patience`.
///
/// It polls, in growing naps: whoever ends needn't know that somebody waits, and nothing is touched that an exiting
/// thread has lost.
pub fn wait(patience: &mut std::time::Duration, done: impl Fn() -> bool) -> bool {
    let mut nap = std::time::Duration::from_micros(50);
    let start = std::time::Instant::now();
    let in_time = loop {
        if done() {
            break true;
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            break false;
        }
        std::thread::sleep(nap.min(left));
        nap = (nap * 2).min(std::time::Duration::from_millis(10));
    };
    *patience = patience.saturating_sub(start.elapsed());
    in_time
}

/// A plain cell whose accesses some protocol keeps apart.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Plain<T>(std::cell::UnsafeCell<T>);

impl<T> Plain<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Plain(std::cell::UnsafeCell::new(value))
    }
}

impl<T: Copy> Plain<T> {
    /// Reads the cell.
    ///
    /// # Safety
    /// No other thread writes it meanwhile.
    #[inline]
    pub unsafe fn get(&self) -> T {
        // SAFETY: no write is concurrent, says the caller.
        unsafe { *self.0.get() }
    }

    /// Writes the cell.
    ///
    /// # Safety
    /// No other thread reads or writes it meanwhile.
    #[inline]
    pub unsafe fn set(&self, value: T) {
        // SAFETY: no access is concurrent, says the caller.
        unsafe { *self.0.get() = value }
    }
}

impl<T> Plain<Option<T>> {
    /// Takes what is in the cell, if anything.
    ///
    /// # Safety
    /// No other thread reads or writes it meanwhile.
    #[inline]
    pub unsafe fn take(&self) -> Option<T> {
        // SAFETY: no access is concurrent, says the caller.
        unsafe { (*self.0.get()).take() }
    }
}

/// What loom must see the sharing of; the rest of the crate takes `std`'s.
pub use std::sync::Arc;

/// Names a thread.
pub use std::thread::ThreadId;

/// The calling thread's name.
pub fn this_thread() -> ThreadId {
    std::thread::current().id()
}

/// The table of waits.
pub fn waits() -> &'static Mutex<Waits> {
    static WAITS: std::sync::LazyLock<Mutex<Waits>> = std::sync::LazyLock::new(Mutex::default);
    &WAITS
}

/// Short lists by a hash, off the hot path: loads in flight.
///
/// Only this map's own code runs under its locks: nobody's `Hash`, `Eq` or `Drop`.
#[derive(Debug, Default)]
pub struct ByHash<T>(dashmap::DashMap<u64, Vec<T>>);

impl<T: Clone> ByHash<T> {
    /// Nothing.
    pub fn new() -> Self {
        ByHash(dashmap::DashMap::with_shard_amount(16))
    }

    /// What is under `hash`.
    pub fn get(&self, hash: u64) -> Vec<T> {
        self.0.get(&hash).map_or_else(Vec::new, |list| list.clone())
    }

    /// Adds `item` under `hash`, unless something is there that `known` does not know.
    pub fn add_if(&self, hash: u64, item: T, known: impl Fn(&T) -> bool) -> bool {
        let mut list = self.0.entry(hash).or_default();
        let add = list.iter().all(known);
        if add {
            list.push(item);
        }
        add
    }

    /// Takes what `is` says out from under `hash`; dropping it is the caller's.
    pub fn take(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<T> {
        let dashmap::Entry::Occupied(mut list) = self.0.entry(hash) else { return None };
        let at = list.get().iter().position(is)?;
        let taken = list.get_mut().swap_remove(at);
        if list.get().is_empty() {
            list.remove();
        }
        Some(taken)
    }
}
