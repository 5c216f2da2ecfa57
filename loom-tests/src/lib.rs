//! What the models share: a way to run one and to say what came of it, and values whose lives loom watches.
//!
//! A model is a closure that loom runs once for every schedule, and every value a load may read, that its bounds allow. It
//! runs the crate's own code, over loom's atomics: see `sync.rs` of the crate.

#[cfg(not(weakly_loom))]
compile_error!(
    "the models need `--cfg weakly_loom`: run cargo inside loom-tests/, whose .cargo/config.toml sets it, and without \
     RUSTFLAGS in the environment, which replaces it"
);

mod explore;
mod graveyard;
pub mod scripts;
pub mod small;
pub mod table_scripts;
mod witness;

pub use explore::{
    Bounds, Outcome, UNBOUNDED, expect_panic, explore, model, model_at_one_less, model_with_preemptions,
};
pub use graveyard::is_freed;
pub use witness::{Drops, Owners, Witness};
