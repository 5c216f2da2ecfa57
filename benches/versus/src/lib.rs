//! `weakly` beside what people use in its place.
//!
//! `harness` takes turns and times, `beside` keeps something going meanwhile, `subjects` are the maps and the rest, `keys`
//! what they are asked for, `rows` the work, `tables` the work whose figures are not a slice's time, `histogram`, `stats` and
//! `report` make tables of it, `raw` writes the data down. Nothing here judges by a time: a missed goal is printed.

mod beside;
pub mod harness;
mod histogram;
pub mod keys;
pub mod raw;
pub mod report;
pub mod rows;
pub mod stats;
mod subjects;
pub mod tables;

pub use subjects::{tidy, watches};
