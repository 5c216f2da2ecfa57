//! What were the tables of one thread: every kind of collection, made and asked in every way.

use weakly::{Arc, PtrWeakKeyMap, PtrWeakSet, WeakKeyMap, WeakSet, WeakValueMap, WeakWeakMap};

#[test]
fn a_set_of_strings() {
    let set: WeakSet<str> = WeakSet::new();
    let a: Arc<str> = Arc::from("a");
    set.insert(&a);
    set.insert(&"b".into()); // dies at once
    let canonical: Option<Arc<str>> = set.get("a");
    assert!(Arc::ptr_eq(&canonical.unwrap(), &a));
    assert!(set.contains(&a) && set.contains(&*a) && !set.contains("b"));
    let other = WeakSet::from([a.clone(), "c".into()]);
    let mut both = &set | &other;
    both |= &set;
    let copy = both.clone();
    both.extend([&a]);
    (&both).extend([a.clone()]);
    assert_eq!((both.len(), copy.len()), (1, 1));
    assert!(set.remove(&a) && !set.remove(&a));
}

#[test]
fn a_map_of_values() {
    let map: WeakValueMap<u32, String> = WeakValueMap::with_capacity(8);
    let v = Arc::new("v".to_string());
    map.insert(1, &v);
    let w = map.get_or_insert_with(2, |_| Arc::new("w".into()));
    let all: Vec<(u32, Arc<String>)> = map.iter().collect();
    let borrowed: WeakValueMap<u32, String> = all.iter().map(|(k, v)| (*k, v)).collect();
    let owned: WeakValueMap<_, _> = all.into_iter().collect();
    assert!(borrowed.is_submap(&map) && map == owned && borrowed.domain_is_subset(&map));
    drop(w);
    assert_eq!((map.len(), owned.len()), (1, 1));
}

#[test]
fn a_map_of_keys() {
    let a: Arc<str> = Arc::from("a");
    let map: WeakKeyMap<str, u32> = WeakKeyMap::new();
    map.insert(&a, 1);
    assert!(map.update("a", |n| n + 1));
    let n: u32 = map.get("a").unwrap();
    assert_eq!((n, map.get(&a), map.get(&*a)), (2, Some(2), Some(2)));
    for (key, value) in &map {
        assert!(Arc::ptr_eq(&key, &a) && value == 2);
    }
    for (key, value) in &map.pin() {
        assert_eq!((&*key, *value), ("a", 2));
    }
    let old = map.remove("a").unwrap();
    assert_eq!((*old, old.into_inner().unwrap()), (2, 2));
}

#[test]
fn by_address_and_weak_on_both_sides() {
    let (a, v): (Arc<str>, _) = (Arc::from("a"), Arc::new("v".to_string()));
    let set: PtrWeakSet<String> = PtrWeakSet::new();
    set.insert(&v);
    assert!(set.contains(&v));
    let map = PtrWeakKeyMap::from([(&v, 1), (&v, 2)]);
    assert_eq!((map.get(&v), map.len()), (Some(2), 1));
    let both: WeakWeakMap<str, String> = WeakWeakMap::new();
    both.insert(&a, &v);
    let found: Option<Arc<String>> = both.get("a");
    assert!(Arc::ptr_eq(&found.unwrap(), &v));
}
