#![doc = include_str!("../README.md")]
#![cfg_attr(weakly_loom, allow(missing_debug_implementations))] // of what is shown to the models alone

mod sync;

pub mod atomic;
mod block;
mod death;
mod finalizer;
mod flight;
pub mod generic;
mod pointer;
mod ptr;
mod queue;
mod reclaim;
mod table;

pub mod docs;

pub use death::hook::{ObserverInfo, ObserverKind};
pub use equivalent::Equivalent;
pub use finalizer::{Detached, Finalizer, FinalizerInfo, exit, finalize};
pub use generic::{Builder, Cause, Compute, Computed, Cursor, Pinned, Removals, ScanPage, Stats, TryReserveError};
pub use pointer::Pointer;
pub use ptr::{Arc, ByValue, CloneBlock, Observer, Weak};
pub use reclaim::{Guard, Snapshot, pin};

use std::hash::RandomState;

/// A concurrent map from owned keys to values held weakly: see [`generic::WeakValueMap`].
pub type WeakValueMap<K, V, S = RandomState> = generic::WeakValueMap<K, Arc<V>, S>;

#[doc(hidden)]
pub mod __private {
    pub use crate::ptr::Coerce;
}

/// What lies below the faces, for the models in loom-tests.
#[cfg(weakly_loom)]
#[doc(hidden)]
pub mod internals {
    pub use crate::block::head::Head;
    pub use crate::death::hook::{Hook, Later};
    pub use crate::pointer::{Held, Hold};
    pub use crate::reclaim::{retire_weak, shim::is_pinned};
    pub use crate::table::{
        Hashed, Table,
        node::{Entry, Fresh, Node},
        probe::Look,
        walk::Place,
        write::Survey,
    };
}
