//! `weakly`, as it comes.

use super::{Guarded, Hasher, Loader, Payload, Walked, WeakMap, Written};
use std::sync::atomic::{AtomicBool, Ordering};
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

    fn settle() {
        let settled = std::sync::Arc::new(AtomicBool::new(false));
        // Garbage is freed in the order in which a thread has retired it: when this is, so is what came before.
        drop(Arc::new_deferred(Last(std::sync::Arc::clone(&settled))));
        while !settled.load(Ordering::Acquire) {
            weakly::pin().flush();
        }
    }
}

/// Says when it is destroyed.
struct Last(std::sync::Arc<AtomicBool>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
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

impl<V: Send + Sync + 'static> Written<V> for WeakValueMap<V> {
    fn replace(&self, key: u64, value: &Arc<V>) -> bool {
        self.insert(key, value).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove(&key).is_some()
    }
}

impl<V: Send + Sync + 'static> Walked<V> for WeakValueMap<V> {
    fn walk(&self, mut see: impl FnMut(u64, Arc<V>)) {
        for (key, value) in self {
            see(key, value);
        }
    }
}

impl Loader for WeakValueMap<Payload> {
    type Strong = Arc<Payload>;

    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, Hasher::default())
    }

    fn get_or_load(&self, key: u64, load: impl FnOnce() -> Payload) -> Arc<Payload> {
        self.get_or_insert_with(key, |_| Arc::new(load()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_frees_what_came_before() {
        let freed = std::sync::Arc::new(AtomicBool::new(false));
        drop(Arc::new_deferred(Last(std::sync::Arc::clone(&freed))));
        WeakValueMap::<Payload>::settle();
        assert!(freed.load(Ordering::Acquire));
    }
}
