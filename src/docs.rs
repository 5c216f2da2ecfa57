//! The documentation's longer pages; no code.

#[doc = include_str!("docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("docs/limitations.md")]
pub mod limitations {}

#[doc = include_str!("docs/refused.md")]
pub mod refused {}

#[doc = include_str!("docs/migrating.md")]
pub mod migrating {}

#[doc = include_str!("../DESIGN.md")]
pub mod design {}

#[doc = include_str!("docs/names.md")]
pub mod names {}
