//! The outside world: std atomics and cells, `parking_lot`, `crossbeam`, or loom's model of them.
//!
//! Every protocol of the crate is written once, over these names, so that the code that loom explores is the code that
//! ships. No other file names `std::sync::atomic`, `parking_lot`, `crossbeam_queue`, or loom. Tunables that a model must
//! shrink live here too.

#[cfg(not(weakly_loom))]
mod world {
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

    /// A plain cell whose accesses some protocol keeps apart.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Plain<T>(std::cell::UnsafeCell<T>);

    impl<T: Copy> Plain<T> {
        /// A cell that holds `value`.
        pub const fn new(value: T) -> Self {
            Plain(std::cell::UnsafeCell::new(value))
        }

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
}

/// Names a thread.
#[cfg(not(weakly_loom))]
pub use std::thread::ThreadId;

/// The calling thread's name.
#[cfg(not(weakly_loom))]
pub fn this_thread() -> ThreadId {
    std::thread::current().id()
}

/// Which thread waits for which load: one table for the process, for rings go through several maps.
type Waits = std::collections::HashMap<ThreadId, std::sync::Arc<crate::flight::Ticket>>;

/// The table of waits.
#[cfg(not(weakly_loom))]
pub fn waits() -> &'static Mutex<Waits> {
    static WAITS: std::sync::LazyLock<Mutex<Waits>> = std::sync::LazyLock::new(Mutex::default);
    &WAITS
}

#[cfg(weakly_loom)]
pub use loom::thread::ThreadId;

#[cfg(weakly_loom)]
pub fn this_thread() -> ThreadId {
    loom::thread::current().id()
}

#[cfg(weakly_loom)]
loom::lazy_static! {
    static ref WAITS: Mutex<Waits> = Mutex::new(Waits::new());
}

#[cfg(weakly_loom)]
pub fn waits() -> &'static Mutex<Waits> {
    &WAITS
}

/// Short lists by a hash, off the hot path: loads in flight.
///
/// Only this map's own code runs under its locks: nobody's `Hash`, `Eq` or `Drop`.
#[cfg(not(weakly_loom))]
#[derive(Debug, Default)]
pub struct ByHash<T>(dashmap::DashMap<u64, Vec<T>>);

#[cfg(not(weakly_loom))]
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

#[cfg(weakly_loom)]
mod world {
    pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub use loom::thread_local;

    /// loom must see a waiter give way, or it explores the spinning for ever.
    pub fn spin(turn: u32) {
        if turn > 0 {
            loom::skip_branch();
        }
        loom::thread::yield_now();
    }

    /// loom's mutex under `parking_lot`'s face.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);
    pub use loom::sync::MutexGuard;

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    /// loom's condition variable under `parking_lot`'s face.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub fn new() -> Self {
            Condvar(loom::sync::Condvar::new())
        }
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            // SAFETY: the guard is read out and a live one is written back before anybody sees the gap; loom's wait
            // can't unwind between the two but by ending the whole execution.
            unsafe {
                let taken = std::ptr::read(guard);
                std::ptr::write(guard, self.0.wait(taken).unwrap());
            }
        }
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// crossbeam's queue can't be modelled: a mutex round a deque keeps its meaning.
    #[derive(Debug)]
    pub struct SegQueue<T>(loom::sync::Mutex<std::collections::VecDeque<T>>);

    impl<T> SegQueue<T> {
        pub fn new() -> Self {
            SegQueue(loom::sync::Mutex::new(std::collections::VecDeque::new()))
        }
        pub fn push(&self, value: T) {
            self.0.lock().unwrap().push_back(value);
        }
        pub fn pop(&self) -> Option<T> {
            self.0.lock().unwrap().pop_front()
        }
        pub fn is_empty(&self) -> bool {
            self.0.lock().unwrap().is_empty()
        }
        pub fn len(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }

    /// DashMap can't be modelled: a mutex round a map keeps its meaning.
    #[derive(Debug, Default)]
    pub struct ByHash<T>(loom::sync::Mutex<std::collections::HashMap<u64, Vec<T>>>);

    impl<T: Clone> ByHash<T> {
        pub fn new() -> Self {
            ByHash(loom::sync::Mutex::new(std::collections::HashMap::new()))
        }
        pub fn get(&self, hash: u64) -> Vec<T> {
            self.0.lock().unwrap().get(&hash).cloned().unwrap_or_default()
        }
        pub fn add_if(&self, hash: u64, item: T, known: impl Fn(&T) -> bool) -> bool {
            let mut map = self.0.lock().unwrap();
            let list = map.entry(hash).or_default();
            let add = list.iter().all(known);
            if add {
                list.push(item);
            }
            add
        }
        pub fn take(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<T> {
            let mut map = self.0.lock().unwrap();
            let list = map.get_mut(&hash)?;
            let at = list.iter().position(is)?;
            Some(list.swap_remove(at))
        }
    }

    /// A plain cell whose accesses loom checks for races.
    #[derive(Debug)]
    pub struct Plain<T>(loom::cell::UnsafeCell<T>);

    impl<T: Copy> Plain<T> {
        pub fn new(value: T) -> Self {
            Plain(loom::cell::UnsafeCell::new(value))
        }
        /// # Safety
        /// As the real one; loom checks it.
        pub unsafe fn get(&self) -> T {
            // SAFETY: as the caller says; loom reports a race.
            self.0.with(|p| unsafe { *p })
        }
        /// # Safety
        /// As the real one; loom checks it.
        pub unsafe fn set(&self, value: T) {
            // SAFETY: as the caller says; loom reports a race.
            self.0.with_mut(|p| unsafe { *p = value });
        }
    }
}

pub use world::*;

/// Gives `$item` a `const fn` in the real world; loom's constructors can't be const.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(weakly_loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(weakly_loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Deaths that run inside one another before they queue (see `death::call`).
pub const NESTED_DEATHS: usize = if cfg!(weakly_loom) { 2 } else { 16 };
/// Retired things a thread may hold back before it hands them to the collector (promise P11).
pub const HELD_BACK: usize = if cfg!(weakly_loom) { 1 } else { 16 };
/// Retired bytes a thread may hold back before it hands them to the collector (promise P11).
pub const HELD_BACK_BYTES: usize = 64 * 1024;
/// Slots of a bucket: seven fill a cache line beside the word of tags.
pub const SLOTS: usize = if cfg!(weakly_loom) { 2 } else { 7 };
/// Posted nodes that are swept in one hold of a shard's lock.
pub const SWEEP: usize = if cfg!(weakly_loom) { 1 } else { 64 };
