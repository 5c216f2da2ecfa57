//! loom's model of the world, under the same names; and shuttle's, which has loom's face (`lib.rs` names it so).

use super::Waits;
use std::fmt;
use std::ops::Deref;
use std::thread::panicking;

pub use loom::sync::atomic::{Ordering, fence};

/// loom's flag: it reports who looks at it and changes it at once, and who never ends it.
#[cfg(not(weakly_shuttle))]
#[derive(Debug)]
struct Flag {
    set: loom::cell::UnsafeCell<bool>,
    _leak: loom::alloc::Track<()>,
}

#[cfg(not(weakly_shuttle))]
impl Flag {
    #[track_caller]
    fn new(set: bool) -> Self {
        Flag { set: loom::cell::UnsafeCell::new(set), _leak: loom::alloc::Track::new(()) }
    }

    #[track_caller]
    fn get(&self) -> bool {
        // SAFETY: loom reports a race.
        self.set.with(|set| unsafe { *set })
    }

    #[track_caller]
    fn replace(&self, set: bool) -> bool {
        // SAFETY: loom reports a race.
        self.set.with_mut(|old| unsafe { old.replace(set) })
    }
}

/// shuttle runs one thread at a time and tracks nothing: readable after the end, if memory is not used again.
#[cfg(weakly_shuttle)]
type Flag = std::cell::Cell<bool>;

/// The life of an atomic or cell: none of its uses may come after its end or race it, and the end must come, once.
///
/// It ends when the memory of the block, node or array that it stands in is freed, so this is what makes a model report a
/// use after free, a double free and a leak of any of them.
#[derive(Debug)]
struct Life {
    ended: Flag,
}

// SAFETY: loom checks every access to the flag for races; under shuttle there is one thread.
unsafe impl Sync for Life {}

impl Life {
    #[track_caller]
    fn new() -> Self {
        Life { ended: Flag::new(false) }
    }

    /// A use that others may share.
    #[track_caller]
    fn shared(&self) {
        // A model that has failed is unwound: it is the first failure that counts.
        if !panicking() {
            assert!(!self.ended.get(), "used after its memory was freed");
        }
    }

    /// A use that nobody may share; `end`: the last of all.
    #[track_caller]
    fn alone(&self, end: bool) {
        if !panicking() {
            assert!(!self.ended.replace(end), "used, or freed again, after its memory was freed");
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.alone(true);
    }
}

/// loom's atomics, each with a [`Life`].
macro_rules! atomic {
    ($($name:ident $(<$t:ident>)? of $value:ty;)*) => {$(
        pub struct $name $(<$t>)? {
            inner: loom::sync::atomic::$name $(<$t>)?,
            life: Life,
        }

        impl $(<$t>)? $name $(<$t>)? {
            #[track_caller]
            pub fn new(value: $value) -> Self {
                $name { inner: loom::sync::atomic::$name::new(value), life: Life::new() }
            }
        }

        impl $(<$t>)? Deref for $name $(<$t>)? {
            type Target = loom::sync::atomic::$name $(<$t>)?;
            #[track_caller]
            fn deref(&self) -> &Self::Target {
                self.life.shared();
                &self.inner
            }
        }

        impl $(<$t>)? fmt::Debug for $name $(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.fmt(f)
            }
        }
    )*};
}

atomic! {
    AtomicBool of bool;
    AtomicPtr<T> of *mut T;
    AtomicU8 of u8;
    AtomicU32 of u32;
    AtomicU64 of u64;
    AtomicUsize of usize;
}

/// loom's thread-locals, which know no `const` initializer.
macro_rules! loom_thread_local {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $t:ty = const $init:block $(;)?)*) => {
        $(loom::thread_local! { $(#[$meta])* $vis static $name: $t = $init; })*
    };
}
pub(crate) use loom_thread_local as thread_local;

/// loom must see a waiter give way, or it explores the spinning for ever.
#[cfg_attr(weakly_shuttle, expect(unused_variables, reason = "shuttle has no branches to skip"))]
pub fn spin(turn: u32) {
    #[cfg(not(weakly_shuttle))]
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

/// crossbeam's queue can't be modelled: a mutex round a deque keeps its meaning. The length is an atomic beside it, so
/// that who looks without popping may see an old one, as it may of the real queue.
#[derive(Debug)]
pub struct SegQueue<T> {
    items: loom::sync::Mutex<std::collections::VecDeque<T>>,
    len: AtomicUsize,
}

impl<T> SegQueue<T> {
    pub fn new() -> Self {
        SegQueue { items: loom::sync::Mutex::default(), len: AtomicUsize::new(0) }
    }
    pub fn push(&self, value: T) {
        let mut items = self.items.lock().unwrap();
        items.push_back(value);
        self.len.fetch_add(1, Ordering::AcqRel);
    }
    pub fn pop(&self) -> Option<T> {
        let mut items = self.items.lock().unwrap();
        let value = items.pop_front()?;
        self.len.fetch_sub(1, Ordering::AcqRel);
        Some(value)
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
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

/// DashMap can't be modelled: a mutex round a std map keeps its meaning. Its hasher has no random seed, so that every
/// replay walks it in the same order.
pub struct Sharded<K, V>(
    loom::sync::Mutex<std::collections::HashMap<K, V, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>>,
);

impl<K: Eq + std::hash::Hash, V> Sharded<K, V> {
    pub fn new() -> Self {
        Sharded(loom::sync::Mutex::new(std::collections::HashMap::default()))
    }
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        self.0.lock().unwrap().insert(key, value)
    }
    pub fn remove(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap().remove(key)
    }
    pub fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.0.lock().unwrap().get(key).cloned()
    }
    pub fn shrink(&self) {}
    pub fn for_each(&self, mut look: impl FnMut(&K, &V)) {
        self.0.lock().unwrap().iter().for_each(|(key, value)| look(key, value));
    }
}

/// loom knows no time: whoever waits has all the patience that is needed.
pub fn wait(_patience: &mut std::time::Duration, done: impl Fn() -> bool) -> bool {
    while !done() {
        loom::thread::yield_now();
    }
    true
}

/// A plain cell whose accesses, its end among them, loom checks for races.
#[derive(Debug)]
pub struct Plain<T> {
    value: std::cell::UnsafeCell<T>,
    life: Life,
}

impl<T> Plain<T> {
    #[track_caller]
    pub fn new(value: T) -> Self {
        Plain { value: std::cell::UnsafeCell::new(value), life: Life::new() }
    }
}

impl<T: Copy> Plain<T> {
    /// # Safety
    /// As the real one; loom checks it.
    #[track_caller]
    pub unsafe fn get(&self) -> T {
        self.life.shared();
        // SAFETY: as the caller says; loom has reported a race.
        unsafe { *self.value.get() }
    }
    /// # Safety
    /// As the real one; loom checks it.
    #[track_caller]
    pub unsafe fn set(&self, value: T) {
        self.life.alone(false);
        // SAFETY: as the caller says; loom has reported a race.
        unsafe { *self.value.get() = value }
    }
}

impl<T> Plain<Option<T>> {
    /// # Safety
    /// As the real one; loom checks it.
    #[track_caller]
    pub unsafe fn take(&self) -> Option<T> {
        self.life.alone(false);
        // SAFETY: as the caller says; loom has reported a race.
        unsafe { (*self.value.get()).take() }
    }
}

pub use loom::sync::Arc;
pub use loom::thread::ThreadId;

/// The calling thread's name.
pub fn this_thread() -> ThreadId {
    loom::thread::current().id()
}

loom::lazy_static! {
    static ref WAITS: Mutex<Waits> = Mutex::new(Waits::new());
}

/// The table of waits.
pub fn waits() -> &'static Mutex<Waits> {
    &WAITS
}
