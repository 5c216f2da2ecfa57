//! Generic code over the collections, objects behind `dyn`, statics.

use foldhash::fast::FixedState;
use std::any::Any;
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use weakly::{
    Arc, Equivalent, Interner, Pointer, PtrWeakKeyMap, PtrWeakSet, WeakKeyMap, WeakSet, WeakValueMap, WeakWeakMap,
    generic, unsize,
};

static MAP: WeakValueMap<u64, String, FixedState> = WeakValueMap::with_hasher(FixedState::with_seed(1));
static SET: WeakSet<str, FixedState> = WeakSet::with_hasher(FixedState::with_seed(1));
static INTERNER: Interner<str, FixedState> = Interner::with_hasher(FixedState::with_seed(1));
static KEYS: PtrWeakKeyMap<String, u8, FixedState> = PtrWeakKeyMap::with_hasher(FixedState::with_seed(1));
static BOTH: WeakWeakMap<str, str, FixedState> = WeakWeakMap::with_hasher(FixedState::with_seed(1));

#[test]
fn collections_are_statics() {
    let (five, text) = (Arc::new("five".to_string()), INTERNER.intern("text"));
    let text = weakly::Interned::as_arc(&text);
    MAP.insert(5, &five);
    assert!(SET.insert(text) && KEYS.insert(&five, 5).is_none() && BOTH.insert(text, text).is_none());
    assert_eq!((MAP.get(&5).as_ref(), SET.get("text").as_ref()), (Some(&five), Some(text)));
    assert_eq!((KEYS.get(&five), BOTH.get("text").as_ref()), (Some(5), Some(text)));
}

struct Cache<K, T: ?Sized, S = RandomState> {
    map: WeakValueMap<K, T, S>,
}

impl<K: Hash + Eq + Send + Sync + 'static, T: ?Sized + 'static, S: BuildHasher> Cache<K, T, S> {
    fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, q: &Q) -> Option<Arc<T>> {
        self.map.get(q)
    }

    fn borrowed<Q: Hash + Eq + ?Sized>(&self, q: &Q) -> Option<Arc<T>>
    where
        K: Borrow<Q>,
    {
        self.map.get(q)
    }

    fn put(&self, key: K, value: &Arc<T>) {
        self.map.insert(key, value);
    }

    fn load(&self, key: K, f: impl FnOnce() -> Box<T>) -> Arc<T> {
        self.map.get_or_insert_with(key, |_| f().into())
    }

    fn read<R>(&self, key: &K, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.map.pin().read(key).map(|value| f(&value))
    }
}

struct Keyed<T: ?Sized, V> {
    map: WeakKeyMap<T, V>,
    set: WeakSet<T>,
    by_address: PtrWeakSet<T>,
}

impl<T: ?Sized + Hash + Eq + 'static, V: Clone + Send + 'static> Keyed<T, V> {
    fn get(&self, key: &T) -> Option<V> {
        self.map.get(key)
    }

    fn get_arc(&self, key: &Arc<T>) -> Option<V> {
        self.map.get(key)
    }

    fn has(&self, key: &Arc<T>) -> bool {
        let by_eq = self.set.contains(key) && self.set.contains(&**key);
        let set = &self.by_address;
        by_eq && set.contains(key) && set.contains(&**key) && set.contains(&Arc::downgrade(key))
    }

    fn equivalent<Q: Hash + Equivalent<T> + ?Sized>(&self, key: &Q) -> Option<V> {
        self.map.get(key)
    }
}

fn any_pointer<A: Pointer<Target: 'static>>(map: &generic::WeakValueMap<u8, A>, a: &A) -> Option<A> {
    map.insert(1, a);
    map.get(&1)
}

#[test]
fn generic_code_over_the_collections() {
    let cache: Cache<String, str> = Cache { map: WeakValueMap::new() };
    let loaded = cache.load("k".into(), || "value".into());
    cache.put("l".into(), &loaded);
    assert!(cache.get("k").is_some() && cache.borrowed("l").is_some());
    assert_eq!(cache.read(&"k".to_string(), str::len), Some(5));

    let key: Arc<str> = Arc::from("key");
    let keyed = Keyed { map: [(&key, 5)].into(), set: [&key].into(), by_address: [&key].into() };
    assert_eq!((keyed.get("key"), keyed.get_arc(&key), keyed.equivalent("key")), (Some(5), Some(5), Some(5)));
    assert!(keyed.has(&key) && !keyed.has(&Arc::from("key")));
    assert_eq!(any_pointer(&WeakValueMap::new(), &key).as_ref(), Some(&key));
}

trait Mine {
    fn kind(&self) -> &'static str;
}

impl<K, V: ?Sized> Mine for WeakValueMap<K, V> {
    fn kind(&self) -> &'static str {
        "values"
    }
}

impl<K: ?Sized, V> Mine for WeakKeyMap<K, V> {
    fn kind(&self) -> &'static str {
        "keys"
    }
}

impl<K: ?Sized, V> Mine for PtrWeakKeyMap<K, V> {
    fn kind(&self) -> &'static str {
        "addresses"
    }
}

#[test]
fn a_users_trait_is_implemented_for_each() {
    let kinds = [
        WeakValueMap::<u8, str>::new().kind(),
        WeakKeyMap::<str, u8>::new().kind(),
        PtrWeakKeyMap::<str, u8>::new().kind(),
    ];
    assert_eq!(kinds, ["values", "keys", "addresses"]);
}

trait Plugin: Send + Sync {
    fn name(&self) -> &str;
}

struct Named(&'static str);

impl Plugin for Named {
    fn name(&self) -> &str {
        self.0
    }
}

#[test]
fn plugins_behind_dyn() {
    let map: WeakValueMap<String, dyn Plugin> = WeakValueMap::new();
    let p = Arc::new(Named("p"));
    map.insert("p".into(), &unsize!(p.clone()));
    let q: Arc<dyn Plugin> = map.get_or_insert_with("q".into(), |_| unsize!(Arc::new(Named("q"))));
    let b = map.get_or_insert_with("b".into(), |_| Arc::from(Box::new(Named("b")) as Box<dyn Plugin>));
    assert_eq!((map.get("p").map(|p| p.name().len()), q.name(), b.name()), (Some(1), "q", "b"));

    let data: PtrWeakKeyMap<dyn Plugin, u8> = PtrWeakKeyMap::new();
    data.insert(&q, 1);
    assert_eq!(
        (data.get(&q), data.get(&*q), data.get(&Arc::downgrade(&q)), data.get(&b)),
        (Some(1), Some(1), Some(1), None)
    );

    let all: PtrWeakSet<dyn Plugin> = PtrWeakSet::new();
    assert!(all.insert(&q) && all.contains(&q) && !all.contains(&b));

    let pairs: weakly::PtrWeakWeakMap<dyn Plugin, dyn Plugin> = weakly::PtrWeakWeakMap::new();
    pairs.insert(&q, &b);
    assert_eq!(pairs.get(&*q).unwrap().name(), "b");
}

#[test]
fn slices_and_any() {
    let map: WeakValueMap<u8, [u8]> = WeakValueMap::new();
    let slices: [Arc<[u8]>; 4] = [Arc::from([1u8, 2]), Arc::from(vec![1]), (0..3u8).collect(), [1u8, 2][..].into()];
    for slice in &slices {
        map.insert(1, slice);
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), slice));
    }
    let keys: WeakKeyMap<[u8], u8> = WeakKeyMap::new();
    keys.insert(&slices[0], 5);
    assert_eq!((keys.get(&[1u8, 2][..]), keys.get(&[1u8][..])), (Some(5), None));
    let any: Arc<dyn Any + Send + Sync> = unsize!(Arc::new(5u8));
    let five: Result<Arc<u8>, _> = any.downcast::<u8>();
    assert_eq!(*five.unwrap(), 5);
}
