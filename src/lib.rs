#![doc = include_str!("../README.md")]
#![cfg_attr(weakly_loom, allow(missing_debug_implementations))] // of what is shown to the models alone

// The models' other world has loom's face.
#[cfg(weakly_shuttle)]
extern crate shuttle as loom;

mod sync;

pub mod atomic;
mod block;
mod death;
mod finalizer;
mod flight;
pub mod generic;
mod list;
mod pointer;
mod proxy;
mod ptr;
mod queue;
#[cfg(feature = "rayon")]
mod rayon;
mod reclaim;
#[cfg(feature = "serde")]
mod serde;
pub mod std_arc;
mod table;

pub mod docs;

pub use death::hook::{ObserverInfo, ObserverKind};
pub use equivalent::Equivalent;
pub use finalizer::{Detached, Finalizer, FinalizerInfo, exit, finalize};
pub use generic::{
    Builder, ByEq, ByPointer, Cause, Compute, Computed, Cursor, Intern, Lookup, Pinned, Removals, Removed, SameObject,
    ScanPage, Stats, TryReserveError, ValueRef,
};
pub use pointer::Pointer;
pub use proxy::{BoundMethod, Call, CallMethod, Dead, Proxy, WeakMethod};
pub use ptr::{Arc, ByValue, CloneBlock, Observer, Weak};
#[cfg(feature = "rayon")]
pub use rayon::ParIter;
pub use reclaim::{Guard, Snapshot, pin};

use std::hash::RandomState;

/// A concurrent map from owned keys to values held weakly: see [`generic::WeakValueMap`].
pub type WeakValueMap<K, V, S = RandomState> = generic::WeakValueMap<K, Arc<V>, S>;

/// A concurrent set of weakly held elements: see [`generic::Set`].
pub type WeakSet<T, S = RandomState> = generic::WeakSet<Arc<T>, S>;
/// As [`WeakSet`], elements told apart by their addresses.
pub type PtrWeakSet<T, S = RandomState> = generic::PtrWeakSet<Arc<T>, S>;
/// One object for equal values, as long as anybody uses it: see [`generic::Interner`].
pub type Interner<T, S = RandomState> = generic::Interner<Arc<T>, S>;
/// An object of an [`Interner`]: see [`generic::Interned`].
pub type Interned<T> = generic::Interned<Arc<T>>;
/// A concurrent map from weakly held keys to values of its own: see [`generic::KeyMap`].
pub type WeakKeyMap<K, V, S = RandomState> = generic::WeakKeyMap<Arc<K>, V, S>;
/// As [`WeakKeyMap`], keys told apart by their addresses.
pub type PtrWeakKeyMap<K, V, S = RandomState> = generic::PtrWeakKeyMap<Arc<K>, V, S>;
/// A concurrent map from objects to objects, both held weakly: see [`generic::WeakMap`].
pub type WeakWeakMap<K, V, S = RandomState> = generic::WeakWeakMap<Arc<K>, Arc<V>, S>;
/// As [`WeakWeakMap`], keys told apart by their addresses.
pub type PtrWeakWeakMap<K, V, S = RandomState> = generic::PtrWeakWeakMap<Arc<K>, Arc<V>, S>;
/// A concurrent list of objects held weakly, in the order of insertion: see [`generic::WeakList`].
pub type WeakList<T> = generic::WeakList<Arc<T>>;

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
    pub use crate::reclaim::{epoch::is_pinned, retire_weak};
    pub use crate::std_arc::see_death;
    pub use crate::table::{
        Hashed, Table,
        node::{Entry, Fresh, Node},
        probe::Look,
        walk::{Made, Place},
        write::Survey,
    };

    /// What a node holds of an anchor.
    pub fn hold_anchor(anchor: &crate::std_arc::Anchor) -> Held<()> {
        anchor.hold()
    }
}
