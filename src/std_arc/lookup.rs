//! What finds a guest, and how an interner makes one.

use super::Anchored;
use crate::generic::{ByPointer, Intern, Lookup, Matches, SameObject, by_pointer};
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Weak};

by_pointer!(Arc<T>, Weak<T>, [Anchored]);

impl<T: Clone + Anchored> Intern<T> for Arc<T> {
    fn make(q: &T) -> Self {
        Arc::new(q.clone())
    }
}
