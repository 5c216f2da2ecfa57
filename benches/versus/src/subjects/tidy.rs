//! Maps that hold no entry of the dead for long, by any type of key: ours by itself, the others because their values
//! remove themselves in `Drop`, as [`Registered`](super::Registered) does.

use super::{Hasher, Payload, WeakMap, WeakValueMap, payload};
use papaya::Guard;
use std::hash::Hash;
use std::sync::{Arc, Weak};

/// What serves as a key.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Key for K {}

/// A map that its values leave when they die.
pub trait Tidy<K: Key>: Sized + Send + Sync + 'static {
    /// How tables call it.
    const NAME: &'static str;

    /// What keeps a value alive.
    type Strong: Send + Sync + 'static;

    /// An empty map, with the settings its author gives it.
    fn empty() -> Self;

    /// Makes a value and enters it under a key that is not there yet.
    fn enter(&self, key: K, word: u64) -> Self::Strong;

    /// The word of the value under the key.
    fn get(&self, key: &K) -> Option<u64>;

    /// Meets every live value, as a pointer that keeps it alive; how many there were.
    fn walk(&self) -> usize;

    /// How many entries it holds.
    fn entries(&self) -> usize;

    /// Lets go of what this thread holds back for readers, as far as there is a call for that.
    fn settle(&self) {}
}

/// Our map.
pub struct Ours<K>(weakly::WeakValueMap<K, Payload, Hasher>);

impl<K: Key> Tidy<K> for Ours<K> {
    const NAME: &'static str = "weakly";

    type Strong = weakly::Arc<Payload>;

    fn empty() -> Self {
        Ours(weakly::WeakValueMap::with_hasher(Hasher::default()))
    }

    fn enter(&self, key: K, word: u64) -> Self::Strong {
        let value = weakly::Arc::new(payload(word));
        self.0.insert(key, &value);
        value
    }

    fn get(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|value| value[0])
    }

    fn walk(&self) -> usize {
        self.0.pin().iter().count()
    }

    fn entries(&self) -> usize {
        self.0.len()
    }

    fn settle(&self) {
        <WeakValueMap<Payload> as WeakMap<Payload>>::settle();
    }
}

/// A value that removes its entry when it dies.
pub struct Member<M: Peer<K>, K: Key> {
    map: Arc<M>,
    key: K,
    payload: Payload,
}

impl<M: Peer<K>, K: Key> Drop for Member<M, K> {
    fn drop(&mut self) {
        self.map.forget(&self.key, self);
    }
}

/// A map that knows nothing of deaths.
pub trait Peer<K: Key>: Sized + Send + Sync + 'static {
    /// How tables call it.
    const NAME: &'static str;

    /// An empty map.
    fn empty() -> Self;

    /// Enters a value.
    fn put(&self, key: K, value: Weak<Member<Self, K>>);

    /// Removes the entry if it still is this value's.
    fn forget(&self, key: &K, value: *const Member<Self, K>);

    /// The value under the key.
    fn find(&self, key: &K) -> Option<Arc<Member<Self, K>>>;

    /// Meets every live value.
    fn walk(&self) -> usize;

    /// How many entries it holds.
    fn entries(&self) -> usize;

    /// As [`Tidy::settle`].
    fn settle(&self) {}
}

/// A peer whose values remove themselves.
pub struct Registry<M>(Arc<M>);

impl<M: Peer<K>, K: Key> Tidy<K> for Registry<M> {
    const NAME: &'static str = M::NAME;

    type Strong = Arc<Member<M, K>>;

    fn empty() -> Self {
        Registry(Arc::new(M::empty()))
    }

    fn enter(&self, key: K, word: u64) -> Self::Strong {
        let value = Arc::new(Member { map: Arc::clone(&self.0), key: key.clone(), payload: payload(word) });
        self.0.put(key, Arc::downgrade(&value));
        value
    }

    fn get(&self, key: &K) -> Option<u64> {
        self.0.find(key).map(|value| value.payload[0])
    }

    fn walk(&self) -> usize {
        self.0.walk()
    }

    fn entries(&self) -> usize {
        self.0.entries()
    }

    fn settle(&self) {
        self.0.settle();
    }
}

/// `dashmap::DashMap`.
pub struct DashMap<K: Key>(dashmap::DashMap<K, Weak<Member<Self, K>>, Hasher>);

impl<K: Key> Peer<K> for DashMap<K> {
    const NAME: &'static str = "DashMap";

    fn empty() -> Self {
        DashMap(dashmap::DashMap::with_hasher(Hasher::default()))
    }

    fn put(&self, key: K, value: Weak<Member<Self, K>>) {
        self.0.insert(key, value);
    }

    fn forget(&self, key: &K, value: *const Member<Self, K>) {
        self.0.remove_if(key, |_, weak| weak.as_ptr() == value);
    }

    fn find(&self, key: &K) -> Option<Arc<Member<Self, K>>> {
        self.0.get(key)?.upgrade()
    }

    fn walk(&self) -> usize {
        // Kept until the walk is over: one that dies now removes itself, and would wait for the lock that is held here.
        self.0.iter().filter_map(|entry| entry.upgrade()).collect::<Vec<_>>().len()
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}

/// `papaya::HashMap`.
pub struct Papaya<K: Key>(papaya::HashMap<K, Weak<Member<Self, K>>, Hasher>);

impl<K: Key> Peer<K> for Papaya<K> {
    const NAME: &'static str = "papaya";

    fn empty() -> Self {
        Papaya(papaya::HashMap::with_hasher(Hasher::default()))
    }

    fn put(&self, key: K, value: Weak<Member<Self, K>>) {
        self.0.pin().insert(key, value);
    }

    fn forget(&self, key: &K, value: *const Member<Self, K>) {
        // An error only says that the entry is a successor's.
        let _ = self.0.pin().remove_if(key, |_, weak| weak.as_ptr() == value);
    }

    fn find(&self, key: &K) -> Option<Arc<Member<Self, K>>> {
        self.0.pin().get(key)?.upgrade()
    }

    fn walk(&self) -> usize {
        self.0.pin().values().filter_map(Weak::upgrade).count()
    }

    fn entries(&self) -> usize {
        self.0.len()
    }

    fn settle(&self) {
        self.0.guard().flush();
    }
}

/// `scc::HashMap`.
pub struct Scc<K: Key>(scc::HashMap<K, Weak<Member<Self, K>>, Hasher>);

impl<K: Key> Peer<K> for Scc<K> {
    const NAME: &'static str = "scc HashMap";

    fn empty() -> Self {
        Scc(scc::HashMap::with_hasher(Hasher::default()))
    }

    fn put(&self, key: K, value: Weak<Member<Self, K>>) {
        let entered = self.0.insert_sync(key, value);
        assert!(entered.is_ok(), "the key is there already");
    }

    fn forget(&self, key: &K, value: *const Member<Self, K>) {
        self.0.remove_if_sync(key, |weak| weak.as_ptr() == value);
    }

    fn find(&self, key: &K) -> Option<Arc<Member<Self, K>>> {
        self.0.read_sync(key, |_, weak| weak.upgrade())?
    }

    fn walk(&self) -> usize {
        let mut met = Vec::new();
        // Kept, as with DashMap: a bucket is locked while it is walked.
        self.0.iter_sync(|_, weak| {
            met.extend(weak.upgrade());
            true
        });
        met.len()
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_left_by_the_dead<M: Tidy<String>>() {
        let map = M::empty();
        let one = map.enter("one".to_owned(), 1);
        let two = map.enter("two".to_owned(), 2);
        assert_eq!(map.get(&"one".to_owned()), Some(1));
        assert_eq!((map.entries(), map.walk()), (2, 2));
        drop(one);
        map.settle();
        assert_eq!(map.get(&"one".to_owned()), None);
        assert_eq!((map.entries(), map.walk()), (1, 1));
        drop(two);
        assert_eq!(map.walk(), 0);
    }

    #[test]
    fn every_map_is_left_by_the_dead() {
        is_left_by_the_dead::<Ours<String>>();
        is_left_by_the_dead::<Registry<DashMap<String>>>();
        is_left_by_the_dead::<Registry<Papaya<String>>>();
        is_left_by_the_dead::<Registry<Scc<String>>>();
    }
}
