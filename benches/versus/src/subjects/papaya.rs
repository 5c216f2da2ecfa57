//! `papaya::HashMap<K, Weak<V>>`: lock-free, with guards.

use super::{Family, Guarded, Hasher, Registry, Walked, WeakMap, Written};
use papaya::{HashMap, LocalGuard};
use std::sync::{Arc, Weak};

/// The papaya map of values `V`.
pub type Papaya<V> = HashMap<u64, Weak<V>, Hasher>;

/// All of them.
pub struct Papayas;

impl Family for Papayas {
    type Map<V: Send + Sync + 'static> = Papaya<V>;
}

impl<V: Send + Sync + 'static> WeakMap<V> for Papaya<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        self.pin().insert(key, Arc::downgrade(value));
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.pin().get(&key)?.upgrade()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<V: Send + Sync + 'static> Guarded<V> for Papaya<V> {
    type Guard<'m> = LocalGuard<'m>;

    fn guard(&self) -> LocalGuard<'_> {
        self.guard()
    }

    fn get_under(&self, guard: &LocalGuard<'_>, key: u64) -> Option<Arc<V>> {
        self.get(&key, guard)?.upgrade()
    }
}

impl<V: Send + Sync + 'static> Registry<V> for Papaya<V> {
    fn remove_exact(&self, key: u64, value: *const V) {
        // An error only says that the entry is a successor's.
        let _ = self.pin().remove_if(&key, |_, weak| weak.as_ptr() == value);
    }
}

impl<V: Send + Sync + 'static> Written<V> for Papaya<V> {
    fn replace(&self, key: u64, value: &Arc<V>) -> bool {
        self.pin().update(key, |_| Arc::downgrade(value)).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.pin().remove(&key).is_some()
    }
}

impl<V: Send + Sync + 'static> Walked<V> for Papaya<V> {
    fn walk(&self, mut see: impl FnMut(u64, Arc<V>)) {
        for (&key, weak) in &self.pin() {
            if let Some(value) = weak.upgrade() {
                see(key, value);
            }
        }
    }
}
