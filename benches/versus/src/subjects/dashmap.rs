//! `DashMap<K, Weak<V>>`: what most programs have.

use super::{Family, Hasher, Loader, Payload, Registry, Walked, WeakMap, Written, payload};
use std::sync::{Arc, LazyLock, Weak};

/// The DashMap of values `V`.
pub type DashMap<V> = dashmap::DashMap<u64, Weak<V>, Hasher>;

/// All of them.
pub struct DashMaps;

impl Family for DashMaps {
    type Map<V: Send + Sync + 'static> = DashMap<V>;
}

impl<V: Send + Sync + 'static> WeakMap<V> for DashMap<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        self.insert(key, Arc::downgrade(value));
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.get(&key)?.upgrade()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<V: Send + Sync + 'static> Registry<V> for DashMap<V> {
    fn remove_exact(&self, key: u64, value: *const V) {
        self.remove_if(&key, |_, weak| weak.as_ptr() == value);
    }
}

impl<V: Send + Sync + 'static> Written<V> for DashMap<V> {
    fn replace(&self, key: u64, value: &Arc<V>) -> bool {
        self.get_mut(&key).map(|mut weak| *weak = Arc::downgrade(value)).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove(&key).is_some()
    }
}

impl<V: Send + Sync + 'static> Walked<V> for DashMap<V> {
    fn walk(&self, mut see: impl FnMut(u64, Arc<V>)) {
        for entry in self {
            if let Some(value) = entry.upgrade() {
                see(*entry.key(), value);
            }
        }
    }
}

/// Looks, and enters what it has loaded in the meantime: not once for all who ask.
impl Loader for DashMap<Payload> {
    type Strong = Arc<Payload>;

    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, Hasher::default())
    }

    fn get_or_load(&self, key: u64, load: impl FnOnce() -> Payload) -> Arc<Payload> {
        WeakMap::get(self, key).unwrap_or_else(|| {
            let value = Arc::new(load());
            WeakMap::insert(self, key, &value);
            value
        })
    }
}

/// A value that removes itself from a map in a static, and so need not carry the map with it.
pub struct InStatic {
    key: u64,
    _payload: Payload,
}

static MAP: LazyLock<DashMap<InStatic>> = LazyLock::new(DashMap::empty);

impl InStatic {
    /// Makes a value and enters it.
    pub fn enter(key: u64) -> Arc<Self> {
        let value = Arc::new(InStatic { key, _payload: payload(key) });
        MAP.insert(key, Arc::downgrade(&value));
        value
    }

    /// Makes the static map as good as new, between rows.
    pub fn tidy() {
        assert!(MAP.is_empty(), "a row has left values in the static map");
        MAP.shrink_to_fit();
    }
}

impl Drop for InStatic {
    fn drop(&mut self) {
        MAP.remove_exact(self.key, self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_static_map_removes_itself() {
        InStatic::tidy();
        let value = InStatic::enter(1);
        assert_eq!(MAP.len(), 1);
        drop(value);
        assert_eq!(MAP.len(), 0);
    }
}
