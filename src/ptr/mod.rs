//! Pointers: what users hold.
//!
//! From below come the block and the death; above, slots and collections hold these. `arc` and `weak` are near drop-ins for
//! `std::sync`'s, with `traits`, `convert`, `io`, `raw`, `build` and `mutate` for the breadth of them; `unsize` is the
//! coercion that only `std`'s have; `observer` is CPython's `ref(obj, callback)`, `by_value` its equality.

mod arc;
mod build;
mod by_value;
mod convert;
mod io;
mod mutate;
mod observer;
mod raw;
mod traits;
mod unsize;
mod weak;

pub use arc::Arc;
pub use by_value::ByValue;
pub use mutate::CloneBlock;
pub use observer::Observer;
pub use unsize::Coerce;
pub use weak::Weak;
