//! `weakly`, as it comes.

use super::{Guarded, Hasher, WeakMap};
use weakly::Arc;
use weakly::generic::Pinned;

/// Our map of values `V`.
pub type WeakValueMap<V> = weakly::WeakValueMap<u64, V, Hasher>;

impl<V: Send + Sync + 'static> WeakMap<V> for WeakValueMap<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        Self::with_hasher(Hasher::default())
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        self.insert(key, value);
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.get(&key)
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<V: Send + Sync + 'static> Guarded<V> for WeakValueMap<V> {
    type Guard<'m> = Pinned<'m, Self>;

    fn guard(&self) -> Pinned<'_, Self> {
        self.pin()
    }

    fn get_under(&self, guard: &Pinned<'_, Self>, key: u64) -> Option<Arc<V>> {
        guard.get(&key)
    }
}
