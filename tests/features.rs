//! The optional features: `cargo test --all-features --test features`.

#[cfg(feature = "rayon")]
#[path = "features/rayon.rs"]
mod parallel;
#[cfg(feature = "serde")]
#[path = "features/serde.rs"]
mod serialize;
