//! Caches, which hold their values strongly: no map for weak values, but what people take for sharing and loading. Both
//! have room for everything, so that nothing is evicted.

use super::{Cache, Hasher, Loader, Payload};
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;
use std::convert::Infallible;
use std::sync::Arc;

/// moka's cache, unbounded.
pub type Moka = moka::sync::Cache<u64, Arc<Payload>, Hasher>;

/// quick_cache's.
pub type QuickCache = quick_cache::sync::Cache<u64, Arc<Payload>, UnitWeighter, Hasher>;

impl Loader for Moka {
    type Strong = Arc<Payload>;

    fn with_room(entries: usize) -> Self {
        moka::sync::Cache::builder().initial_capacity(entries).build_with_hasher(Hasher::default())
    }

    fn get_or_load(&self, key: u64, load: impl FnOnce() -> Payload) -> Arc<Payload> {
        // Not `get_with`, which allocates for the key.
        self.get_with_by_ref(&key, || Arc::new(load()))
    }
}

impl Cache for Moka {
    fn get(&self, key: u64) -> Option<Arc<Payload>> {
        self.get(&key)
    }
}

impl Loader for QuickCache {
    type Strong = Arc<Payload>;

    fn with_room(entries: usize) -> Self {
        // Twice as much as is needed: each of its shards has a share of the room, and some get more keys than others.
        let weight = 2 * entries.max(1_000) as u64;
        Self::with(entries, weight, UnitWeighter, Hasher::default(), DefaultLifecycle::default())
    }

    fn get_or_load(&self, key: u64, load: impl FnOnce() -> Payload) -> Arc<Payload> {
        match self.get_or_insert_with(&key, || Ok::<_, Infallible>(Arc::new(load()))) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

impl Cache for QuickCache {
    fn get(&self, key: u64) -> Option<Arc<Payload>> {
        self.get(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload;
    use super::*;

    fn evicts_nothing<C: Cache>() {
        let cache = C::with_room(10_000);
        for key in 0..10_000 {
            cache.get_or_load(key, || payload(key));
        }
        assert!((0..10_000).all(|key| cache.get(key).is_some_and(|value| value[0] == key)));
        assert!(cache.get(10_000).is_none());
    }

    #[test]
    fn a_cache_evicts_nothing() {
        evicts_nothing::<Moka>();
        evicts_nothing::<QuickCache>();
    }
}
