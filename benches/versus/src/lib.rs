//! `weakly` beside what people use in its place.
//!
//! `harness` takes turns and times, `beside` keeps something going meanwhile, `subjects` are the maps and the rest, `keys`
//! what they are asked for, `rows` the work, `stats` and `report` make tables of it, `raw` writes the data down. Nothing
//! here judges by a time: a missed goal is printed.

mod beside;
pub mod harness;
pub mod keys;
pub mod raw;
pub mod report;
pub mod rows;
mod stats;
mod subjects;

pub use subjects::{tidy, watches};
