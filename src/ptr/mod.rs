//! Pointers: what users hold.
//!
//! From below come the block and the death; above, slots and collections hold these. `arc` and `weak` are near drop-ins for
//! `std::sync`'s; `observer` is CPython's `ref(obj, callback)`; the rest is conversion.

mod arc;
mod observer;
mod traits;
mod weak;

pub use arc::Arc;
pub use observer::Observer;
pub use weak::Weak;
