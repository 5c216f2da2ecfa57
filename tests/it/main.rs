//! The integration tests, in one binary: on a small machine linking is most of the time.

mod bounds;
mod common;
mod finalizer;
mod flight;
mod guest;
mod history;
mod hostile;
mod interner;
mod iterate;
mod key_hostile;
mod key_life;
mod key_map;
mod key_stress;
mod kinds;
mod list;
mod other_histories;
#[cfg(any(weakly_tsan, weakly_asan))]
mod planted;
mod promises;
mod ptr;
mod sets;
mod slots;
mod stress;
mod value_map;
mod weak_map;
mod world;
