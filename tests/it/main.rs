//! The integration tests, in one binary: on a small machine linking is most of the time.

mod common;
mod finalizer;
mod flight;
mod hostile;
mod ptr;
mod slots;
mod value_map;
