//! Weak references for multithreaded Rust.

mod sync;

mod block;
mod death;
mod flight;
mod pointer;
mod ptr;
mod queue;
mod reclaim;
mod table;

pub mod generic;

pub use death::hook::{ObserverInfo, ObserverKind};
pub use equivalent::Equivalent;
pub use generic::{Builder, Cause, Compute, Computed, Cursor, Pinned, Removals, ScanPage, Stats, TryReserveError};
pub use pointer::Pointer;
pub use ptr::{Arc, Observer, Weak};
pub use reclaim::{Guard, Snapshot, pin};

use std::hash::RandomState;

/// A concurrent map from owned keys to values held weakly: see [`generic::WeakValueMap`].
pub type WeakValueMap<K, V, S = RandomState> = generic::WeakValueMap<K, Arc<V>, S>;
