//! The collections, generic over the pointer they hold weakly; the crate root names them for use with [`Arc`](crate::Arc).
//!
//! From below comes the one table; each collection here is a thin face over it: what an entry holds, how keys are compared,
//! and which of the table's steps a method takes. What they share stands once: `base` (the loops of every writer), `load`
//! (single flight), `iter` (walks), and, as macros, the methods themselves; each for the plain face (which pins each call) and
//! the pinned one (see `face`).

mod base;
mod common;
mod face;
mod interned;
mod interner;
mod iter;
mod iter_names;
mod key_entry;
mod key_face;
mod key_map;
mod key_values;
mod list;
mod list_iter;
mod live;
mod load;
mod lookup;
mod map_face;
mod map_ops;
mod object_face;
mod options;
mod set;
mod set_algebra;
mod value_map;
mod weak_map;

pub use crate::queue::{Cause, Removals, TryIter};
pub use face::Pinned;
pub use interned::{Intern, Interned};
pub use interner::{Interner, InternerIter};
#[cfg(feature = "rayon")]
pub use iter::Split;
#[cfg(feature = "rayon")]
pub(crate) use iter::What;
pub use iter::{
    All, Entries, Extract, IntoIter, KeysOnly, OfPair, PinnedWalk, ValuesOnly, Walk, WeakKeysOnly, WeakValuesOnly,
};
pub use iter_names::{
    Drain, ExtractIf, IntoKeys, IntoValues, Iter, KeyDrain, KeyExtractIf, KeyIntoIter, KeyIter, KeyKeys, KeyValues,
    KeyWeakKeys, Keys, PairDrain, PairExtractIf, PairIter, PairKeys, PairValues, PairWeakKeys, PairWeakValues,
    PinnedIter, PinnedKeyIter, PinnedKeyValues, PinnedKeys, SetDrain, SetExtractIf, SetIter, SetWeakIter, Values,
    WeakValues,
};
pub use key_map::{KeyMap, PtrWeakKeyMap, WeakKeyMap};
pub use key_values::{Removed, ValueRef};
pub use list::WeakList;
pub use list_iter::{ListIntoIter, ListIter, ListWeakIter, PinnedListIter};
#[cfg(feature = "rayon")]
pub(crate) use live::Live;
pub(crate) use lookup::by_pointer;
pub use lookup::{ByEq, ByPointer, Lookup, Matches, Rule, SameObject};
pub use options::{Builder, Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
pub use set::{OfElement, PtrWeakSet, Set, WeakSet};
pub use value_map::WeakValueMap;
pub use weak_map::{PtrWeakWeakMap, WeakMap, WeakWeakMap};
