//! The maps: ours and what people use in its place, each behind one small trait, all with one hasher and one value type.

mod caches;
mod dashmap;
mod hashbrown;
mod interners;
mod ours;
mod papaya;
pub mod pointers;
mod scc;
pub mod slots;
pub mod tidy;
pub mod watches;
mod weak_table;

pub use caches::{Moka, QuickCache};
pub use dashmap::{DashMap, DashMaps, InStatic};
pub use hashbrown::Strong;
pub use interners::{Consign, Interner, Internment, SharedSet};
pub use ours::WeakValueMap;
pub use papaya::{Papaya, Papayas};
pub use scc::{SccIndex, SccIndexes, SccMap, SccMaps};
pub use weak_table::{LockedTable, SharedTable};

use std::ops::Deref;
use std::sync::Arc;

/// The hasher of every map: fast, good enough for all of them, and with the same seed in each.
pub type Hasher = foldhash::fast::FixedState;

/// What a value holds in every map: a cache line's worth.
pub type Payload = [u64; 8];

/// The payload under this key.
pub fn payload(key: u64) -> Payload {
    [key; 8]
}

/// A concurrent map from `u64` to a weakly held `V`.
pub trait WeakMap<V>: Send + Sync + 'static {
    /// What keeps a value alive.
    type Strong: Deref<Target = V> + Send + Sync + 'static;

    /// An empty map, with the settings its author gives it.
    fn empty() -> Self;

    /// Enters a value under a key that is not there yet.
    fn insert(&self, key: u64, value: &Self::Strong);

    /// The value under the key, kept alive.
    fn get(&self, key: u64) -> Option<Self::Strong>;

    /// How many entries it holds, dead ones included where it keeps them.
    fn len(&self) -> usize;

    /// Frees what such maps have put off until readers are gone, if that may be much.
    fn settle() {}
}

/// A map whose look-ups can share one guard.
pub trait Guarded<V>: WeakMap<V> {
    /// Holds memory back while it lives.
    type Guard<'m>;

    /// Takes a guard.
    fn guard(&self) -> Self::Guard<'_>;

    /// [`WeakMap::get`] under a guard of this map.
    fn get_under(&self, guard: &Self::Guard<'_>, key: u64) -> Option<Self::Strong>;
}

/// A map that takes every kind of call, each on its own.
pub trait Written<V>: WeakMap<V> {
    /// Puts another value under a key that is there. Was it?
    fn replace(&self, key: u64, value: &Self::Strong) -> bool;

    /// Takes the entry out. Was it there?
    fn remove(&self, key: u64) -> bool;
}

/// A map that can be walked.
pub trait Walked<V>: WeakMap<V> {
    /// Shows every live entry, its value kept alive meanwhile.
    fn walk(&self, see: impl FnMut(u64, Self::Strong));
}

/// A map that makes what it does not hold: at best once for all who ask meanwhile.
pub trait Loader: Send + Sync + 'static {
    /// What keeps a value alive.
    type Strong: Deref<Target = Payload> + Send + Sync + 'static;

    /// An empty map with room for so many entries.
    fn with_room(entries: usize) -> Self;

    /// The value under the key, loaded if need be.
    fn get_or_load(&self, key: u64, load: impl FnOnce() -> Payload) -> Self::Strong;
}

/// A loader that keeps its values alive itself.
pub trait Cache: Loader<Strong = Arc<Payload>> {
    /// The value under the key.
    fn get(&self, key: u64) -> Option<Arc<Payload>>;
}

/// A table with one object for equal strings.
pub trait Interns: Send + Sync + 'static {
    /// What keeps the object alive.
    type Interned: Deref<Target: AsRef<str>> + Send + Sync + 'static;

    /// An empty table, if there can be more than one.
    fn empty() -> Self;

    /// The object that equals this, made if need be.
    fn intern(&self, text: &str) -> Self::Interned;
}

/// A map that knows nothing of deaths; its values remove themselves.
pub trait Registry<V>: WeakMap<V, Strong = Arc<V>> {
    /// Removes the entry if it still is this value's, and not a successor's.
    fn remove_exact(&self, key: u64, value: *const V);
}

/// A map type whose values remove themselves, whatever they are: it stands for the map in the type of those values.
pub trait Family: 'static {
    /// The map of values `V`.
    type Map<V: Send + Sync + 'static>: Registry<V>;
}

/// A value that removes its entry when it dies, as people write it: it knows its key and keeps its map.
pub struct Registered<F: Family> {
    map: Arc<F::Map<Self>>,
    key: u64,
    _payload: Payload,
}

impl<F: Family> Registered<F> {
    /// Makes a value and enters it.
    pub fn enter(map: &Arc<F::Map<Self>>, key: u64) -> Arc<Self> {
        let value = Arc::new(Registered { map: Arc::clone(map), key, _payload: payload(key) });
        map.insert(key, &value);
        value
    }
}

impl<F: Family> Drop for Registered<F> {
    fn drop(&mut self) {
        self.map.remove_exact(self.key, self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_what_lives<M: WeakMap<Payload>>(strong: impl Fn(Payload) -> M::Strong) {
        let map = M::empty();
        let value = strong(payload(1));
        map.insert(1, &value);
        assert_eq!(map.get(1).map(|v| v[0]), Some(1));
        assert!(map.get(2).is_none());
        assert_eq!(map.len(), 1);
        drop(value);
        assert!(map.get(1).is_none());
    }

    fn finds_under_a_guard<M: Guarded<Payload>>(strong: impl Fn(Payload) -> M::Strong) {
        let map = M::empty();
        let value = strong(payload(1));
        map.insert(1, &value);
        let guard = map.guard();
        assert_eq!(map.get_under(&guard, 1).map(|v| v[0]), Some(1));
        assert!(map.get_under(&guard, 2).is_none());
    }

    fn is_written<M: Written<Payload>>(strong: impl Fn(Payload) -> M::Strong) {
        let map = M::empty();
        let [one, two] = [1, 2].map(|n| strong(payload(n)));
        assert!(!map.remove(1));
        map.insert(1, &one);
        assert!(map.replace(1, &two));
        assert_eq!(map.get(1).map(|v| v[0]), Some(2));
        assert!(map.remove(1) && map.get(1).is_none());
        assert_eq!(map.len(), 0);
    }

    fn is_walked<M: Walked<Payload>>(strong: impl Fn(Payload) -> M::Strong) {
        let map = M::empty();
        let mut values: Vec<_> = (0..100).map(|n| strong(payload(n))).collect();
        for value in &values {
            map.insert(value[0], value);
        }
        values.truncate(50);
        let mut seen = Vec::new();
        map.walk(|key, value| {
            assert_eq!(key, value[0]);
            seen.push(key);
        });
        seen.sort_unstable();
        assert_eq!(seen, Vec::from_iter(0..50));
    }

    fn loads_once<L: Loader>() {
        let map = L::with_room(1);
        let value = map.get_or_load(1, || payload(1));
        let again = map.get_or_load(1, || unreachable!("it is there"));
        assert_eq!((value[0], again[0]), (1, 1));
    }

    fn removes_itself_and_no_other<F: Family>() {
        let map = Arc::new(F::Map::<Registered<F>>::empty());
        let one = Registered::<F>::enter(&map, 1);
        let two = Registered::<F>::enter(&map, 2);
        map.remove_exact(1, &*two);
        assert_eq!(map.len(), 2);
        drop(one);
        assert_eq!(map.len(), 1);
        assert!(map.get(2).is_some_and(|v| v.key == 2));
        drop(two);
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn every_map_finds_what_lives() {
        finds_what_lives::<WeakValueMap<Payload>>(weakly::Arc::new);
        finds_what_lives::<WeakValueMap<Payload>>(weakly::Arc::new_deferred);
        finds_what_lives::<DashMap<Payload>>(Arc::new);
        finds_what_lives::<Papaya<Payload>>(Arc::new);
        finds_what_lives::<SccMap<Payload>>(Arc::new);
        finds_what_lives::<SccIndex<Payload>>(Arc::new);
        finds_what_lives::<LockedTable<Payload>>(Arc::new);
        finds_what_lives::<SharedTable<Payload>>(Arc::new);
    }

    #[test]
    fn every_guarded_map_finds_what_lives() {
        finds_under_a_guard::<WeakValueMap<Payload>>(weakly::Arc::new);
        finds_under_a_guard::<Papaya<Payload>>(Arc::new);
        finds_under_a_guard::<SccIndex<Payload>>(Arc::new);
    }

    #[test]
    fn every_written_map_replaces_and_removes() {
        is_written::<WeakValueMap<Payload>>(weakly::Arc::new);
        is_written::<DashMap<Payload>>(Arc::new);
        is_written::<Papaya<Payload>>(Arc::new);
        is_written::<SccMap<Payload>>(Arc::new);
        is_written::<SccIndex<Payload>>(Arc::new);
    }

    #[test]
    fn every_walk_sees_what_lives() {
        is_walked::<WeakValueMap<Payload>>(weakly::Arc::new);
        is_walked::<DashMap<Payload>>(Arc::new);
        is_walked::<Papaya<Payload>>(Arc::new);
        is_walked::<SccMap<Payload>>(Arc::new);
        is_walked::<SccIndex<Payload>>(Arc::new);
    }

    #[test]
    fn every_loader_loads_once() {
        loads_once::<WeakValueMap<Payload>>();
        loads_once::<Moka>();
        loads_once::<QuickCache>();
        loads_once::<DashMap<Payload>>();
    }

    #[test]
    fn a_registered_value_removes_itself_and_no_other() {
        removes_itself_and_no_other::<DashMaps>();
        removes_itself_and_no_other::<Papayas>();
        removes_itself_and_no_other::<SccMaps>();
        removes_itself_and_no_other::<SccIndexes>();
    }
}
