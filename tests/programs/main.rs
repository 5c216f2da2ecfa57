//! Small programs as users write them, each against the public names alone: they must compile, with no more type annotations
//! than these, and do what they say.

#![allow(clippy::needless_borrow, reason = "as users write it")]

mod guests;
mod interner;
mod keyed_lock;
mod observers;
mod open_once;
mod pool;
mod sets;
mod side_data;
mod slots;
mod tables;
mod wrappers;
