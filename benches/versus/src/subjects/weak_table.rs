//! `weak_table::WeakValueHashMap` under a mutex. It drops dead entries when it runs out of room.

use super::{Hasher, WeakMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use weak_table::WeakValueHashMap;

/// The locked table of values `V`.
pub struct LockedTable<V>(Mutex<WeakValueHashMap<u64, Weak<V>, Hasher>>);

impl<V> LockedTable<V> {
    fn lock(&self) -> MutexGuard<'_, WeakValueHashMap<u64, Weak<V>, Hasher>> {
        self.0.lock().expect("no panic under this lock")
    }
}

impl<V: Send + Sync + 'static> WeakMap<V> for LockedTable<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        LockedTable(Mutex::new(WeakValueHashMap::with_hasher(Hasher::default())))
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        self.lock().insert(key, Arc::clone(value));
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.lock().get(&key)
    }

    fn len(&self) -> usize {
        self.lock().len()
    }
}
