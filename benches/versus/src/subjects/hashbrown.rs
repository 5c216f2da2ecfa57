//! The floor: the standard library's hashbrown, holding its values strongly, only ever read, and giving out no pointer.
//! No concurrent weak map can be faster; the distance to it is what concurrency and weakness cost.

use super::{Hasher, Payload, payload};
use std::collections::HashMap;
use std::sync::Arc;

/// A map that is full from the start.
pub struct Strong(HashMap<u64, Arc<Payload>, Hasher>);

impl Strong {
    /// The map of these keys.
    pub fn of(keys: &[u64]) -> Self {
        Strong(keys.iter().map(|&key| (key, Arc::new(payload(key)))).collect())
    }

    /// The payload under the key, borrowed.
    pub fn read(&self, key: u64) -> Option<&Payload> {
        self.0.get(&key).map(|value| &**value)
    }
}
