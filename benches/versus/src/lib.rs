//! `weakly` beside what people use in its place.
//!
//! The package `paired` beside this one measures. `subjects` are the maps and the rest, `rows` the work, `tables` the work whose
//! figures are not a slice's time, `histogram` and `report` make tables of it, `raw` writes the data down. Nothing here judges by
//! a time: a missed goal is printed.

mod histogram;
pub mod raw;
pub mod report;
pub mod rows;
mod subjects;
pub mod tables;

pub use paired::{beside, harness, keys, stats, table};
pub use subjects::{tidy, watches};
