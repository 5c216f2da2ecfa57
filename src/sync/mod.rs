//! The outside world: std's atomics and cells, `parking_lot`, `crossbeam`'s queue, `dashmap`, or loom's model of them.
//!
//! Every protocol of the crate is written once, over these names, so that the code that loom explores is the code that
//! ships. No file outside this folder names any of them. Tunables that a model must shrink live here too.

#[cfg(weakly_loom)]
mod model;
#[cfg(not(weakly_loom))]
mod real;

#[cfg(weakly_loom)]
pub use model::*;
#[cfg(not(weakly_loom))]
pub use real::*;

/// Which thread waits for which load: one table for the process, for rings go through several maps.
pub type Waits = std::collections::HashMap<ThreadId, Arc<crate::flight::Ticket>>;

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

/// Acquires what others released when they wrote what the calling thread has just read from `atomic`.
///
/// A fence: it costs nothing where nothing was read. ThreadSanitizer knows no fences; for its builds (`weakly_tsan`, see
/// `ci/sanitize.sh`) it is an Acquire load. The crate's `SeqCst` fences stay fences there: they decide what is seen, which it
/// does not judge, and never who may touch what is seen. Any form of them that it knows would hide races.
#[inline]
pub fn acquire(atomic: &AtomicUsize) {
    if cfg!(weakly_tsan) {
        atomic.load(Ordering::Acquire);
    } else {
        fence(Ordering::Acquire);
    }
}

/// A count that orders nothing, and is exact when quiet: `std`'s even under loom, where it would only make models larger.
pub type Figure = std::sync::atomic::AtomicU64;

/// Deaths that run inside one another before they queue (see `death::call`).
pub const NESTED_DEATHS: usize = if cfg!(weakly_loom) { 2 } else { 16 };
/// Retired things a thread may hold back before it hands them to the collector (promise P11).
pub const HELD_BACK: usize = if cfg!(weakly_loom) { 1 } else { 16 };
/// Retired bytes a thread may hold back before it hands them to the collector (promise P11).
pub const HELD_BACK_BYTES: usize = 64 * 1024;
/// Are tables and lists looked over as they change? Not under Miri and loom, which have tests of their own for that, and no time to
/// lose.
pub const CHECKS: bool = cfg!(all(debug_assertions, not(miri), any(weakly_shuttle, not(weakly_loom))));
/// Slots of a bucket: seven fill a cache line beside the word of tags.
pub const SLOTS: usize = if cfg!(weakly_loom) { 2 } else { 7 };
/// Posted nodes that are swept in one hold of a shard's lock.
pub const SWEEP: usize = if cfg!(weakly_loom) { 1 } else { 64 };
/// Slots of a list's first array.
pub const LIST_SLOTS: usize = if cfg!(weakly_loom) { 2 } else { 4 };
/// Elements that a list's iterator takes at one pin.
pub const LIST_STEP: usize = if cfg!(weakly_loom) { 1 } else { 16 };
/// One in so many finalizers that end looks whether the registry has become too large for what it holds.
pub const FINALIZERS_A_SHRINK: u64 = if cfg!(any(miri, weakly_loom)) { 16 } else { 1024 };
/// What an exit waits, in all, for finalizers that other threads are running (see `finalizer::exit`).
pub const EXIT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
