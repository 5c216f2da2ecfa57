//! The documentation's longer pages; no code.

#[doc = include_str!("../DESIGN.md")]
pub mod design {}

#[doc = include_str!("docs/names.md")]
pub mod names {}
