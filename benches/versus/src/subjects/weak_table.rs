//! `weak_table::WeakValueHashMap` under a lock. It drops dead entries when it runs out of room.

use super::{Hasher, WeakMap};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, Weak};
use weak_table::WeakValueHashMap;

type Table<V> = WeakValueHashMap<u64, Weak<V>, Hasher>;

/// The table of values `V` under a mutex.
pub struct LockedTable<V>(Mutex<Table<V>>);

/// The table of values `V` under a lock that readers share.
pub struct SharedTable<V>(RwLock<Table<V>>);

const UNPOISONED: &str = "no panic under this lock";

impl<V> LockedTable<V> {
    fn lock(&self) -> MutexGuard<'_, Table<V>> {
        self.0.lock().expect(UNPOISONED)
    }
}

impl<V: Send + Sync + 'static> WeakMap<V> for LockedTable<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        LockedTable(Mutex::new(Table::with_hasher(Hasher::default())))
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

impl<V: Send + Sync + 'static> WeakMap<V> for SharedTable<V> {
    type Strong = Arc<V>;

    fn empty() -> Self {
        SharedTable(RwLock::new(Table::with_hasher(Hasher::default())))
    }

    fn insert(&self, key: u64, value: &Arc<V>) {
        self.0.write().expect(UNPOISONED).insert(key, Arc::clone(value));
    }

    fn get(&self, key: u64) -> Option<Arc<V>> {
        self.0.read().expect(UNPOISONED).get(&key)
    }

    fn len(&self) -> usize {
        self.0.read().expect(UNPOISONED).len()
    }
}
