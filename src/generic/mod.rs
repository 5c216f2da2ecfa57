//! The collections, generic over the pointer they hold weakly; the crate root names them for use with [`Arc`](crate::Arc).
//!
//! From below comes the one table; each collection here is a thin face over it: what an entry holds, how keys are compared,
//! and which of the table's steps a method takes. Every method stands once, for the plain face (which pins each call) and the
//! pinned one (see `face`).

mod face;
mod options;
mod value_face;
mod value_flight;
mod value_iter;
mod value_map;
mod value_ops;

pub use crate::queue::{Cause, Removals, TryIter};
pub use face::Pinned;
pub use options::{Builder, Compute, Computed, Cursor, ScanPage, Stats, TryReserveError};
pub use value_iter::{
    Drain, ExtractIf, IntoIter, IntoKeys, IntoValues, Iter, Keys, PinnedIter, PinnedKeys, Values, WeakValues,
};
pub use value_map::WeakValueMap;
