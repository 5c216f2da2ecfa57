//! `scc` with `Weak<V>` as its values: `HashMap`, and `HashIndex`, which is made for reading and has guards.

use super::{Family, Guarded, Hasher, Registry, Walked, WeakMap, Written};
use scc::{Guard, HashIndex, HashMap};
use std::sync::{Arc, Weak};

/// The `scc::HashMap` of values `V`.
pub type SccMap<V> = HashMap<u64, Weak<V>, Hasher>;

/// The `scc::HashIndex` of values `V`.
pub type SccIndex<V> = HashIndex<u64, Weak<V>, Hasher>;

/// All `scc::HashMap`s.
pub struct SccMaps;

/// All `scc::HashIndex`es.
pub struct SccIndexes;

impl Family for SccMaps {
    type Map<V: Send + Sync + 'static> = SccMap<V>;
}

impl Family for SccIndexes {
    type Map<V: Send + Sync + 'static> = SccIndex<V>;
}

impl<V: Send + Sync + 'static> WeakMap<V> for SccMap<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        let entered = self.insert_sync(key, Arc::downgrade(value));
        assert!(entered.is_ok(), "the key is there already");
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.read_sync(&key, |_, weak| weak.upgrade())?
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<V: Send + Sync + 'static> Registry<V> for SccMap<V> {
    fn remove_exact(&self, key: u64, value: *const V) {
        self.remove_if_sync(&key, |weak| weak.as_ptr() == value);
    }
}

impl<V: Send + Sync + 'static> Written<V> for SccMap<V> {
    fn replace(&self, key: u64, value: &Arc<V>) -> bool {
        self.update_sync(&key, |_, weak| *weak = Arc::downgrade(value)).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove_sync(&key).is_some()
    }
}

impl<V: Send + Sync + 'static> Walked<V> for SccMap<V> {
    fn walk(&self, mut see: impl FnMut(u64, Arc<V>)) {
        self.iter_sync(|&key, weak| {
            if let Some(value) = weak.upgrade() {
                see(key, value);
            }
            true
        });
    }
}

impl<V: Send + Sync + 'static> WeakMap<V> for SccIndex<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        let entered = self.insert_sync(key, Arc::downgrade(value));
        assert!(entered.is_ok(), "the key is there already");
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.peek_with(&key, |_, weak| weak.upgrade())?
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<V: Send + Sync + 'static> Guarded<V> for SccIndex<V> {
    type Guard<'m> = Guard;

    fn guard(&self) -> Guard {
        Guard::new()
    }

    fn get_under(&self, guard: &Guard, key: u64) -> Option<Arc<V>> {
        self.peek(&key, guard)?.upgrade()
    }
}

impl<V: Send + Sync + 'static> Registry<V> for SccIndex<V> {
    fn remove_exact(&self, key: u64, value: *const V) {
        self.remove_if_sync(&key, |weak| weak.as_ptr() == value);
    }
}

impl<V: Send + Sync + 'static> Written<V> for SccIndex<V> {
    fn replace(&self, key: u64, value: &Arc<V>) -> bool {
        self.get_sync(&key).map(|mut entry| entry.update(Arc::downgrade(value))).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove_sync(&key)
    }
}

impl<V: Send + Sync + 'static> Walked<V> for SccIndex<V> {
    fn walk(&self, mut see: impl FnMut(u64, Arc<V>)) {
        let guard = Guard::new();
        for (&key, weak) in self.iter(&guard) {
            if let Some(value) = weak.upgrade() {
                see(key, value);
            }
        }
    }
}
