//! The integration tests, in one binary: on a small machine linking is most of the time.

mod bounds;
mod common;
mod finalizer;
mod flight;
mod guest;
mod history;
mod hostile;
mod iterate;
mod key_life;
mod key_map;
mod kinds;
mod list;
mod promises;
mod ptr;
mod slots;
mod stress;
mod value_map;
