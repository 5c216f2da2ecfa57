//! What the threads of a slice work on together, when each slice needs it fresh.

use std::sync::{Arc, RwLock};

/// Something shared that one thread makes anew before each slice, and all ask for in it.
pub struct Stage<T>(RwLock<Arc<T>>);

impl<T> Stage<T> {
    /// A stage that shows this first.
    pub fn new(first: T) -> Arc<Self> {
        Arc::new(Stage(RwLock::new(Arc::new(first))))
    }

    /// Shows something else: to be called off the clock, by one thread, when nobody is at work. Drops what was there.
    pub fn renew(&self, next: T) {
        *self.0.write().expect(UNPOISONED) = Arc::new(next);
    }

    /// What it shows. To be asked for once a slice and not kept, so that `renew` is what drops it.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().expect(UNPOISONED))
    }
}

const UNPOISONED: &str = "no panic under this lock";
