//! Paired measuring: what is compared takes turns in one process, and ratios are taken round by round.
//!
//! `harness` takes turns and times, `beside` keeps something going meanwhile, `keys` are what maps are asked for, `stats` and `table`
//! say what came of it.

pub mod beside;
pub mod harness;
pub mod keys;
pub mod stats;
pub mod table;
