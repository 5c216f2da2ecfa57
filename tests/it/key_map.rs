//! `WeakKeyMap` and `PtrWeakKeyMap`, method by method: one body for both, with each hasher, on both faces.

use crate::common::{flush_until, sized};
use crate::kinds::{kinds, sorted, whole};
use std::hash::BuildHasher;
use std::sync::{Arc as StdArc, Mutex};
use weakly::{Arc, Cause, Compute, Computed, Cursor, ObserverKind, PtrWeakKeyMap, Weak, WeakKeyMap, unsize};

type ByEq<S> = WeakKeyMap<String, u64, S>;
type ByAddress<S> = PtrWeakKeyMap<String, u64, S>;

fn key(n: u64) -> Arc<String> {
    Arc::new(n.to_string())
}

/// `n` keys that live as long as the vector, no two of them equal.
fn keys(n: u64) -> Vec<Arc<String>> {
    (0..n).map(key).collect()
}

const N: u64 = sized(100, 12) as u64;

kinds! { ByEq, ByAddress;
    insert_gives_the_old_value_back: |map| {
        let k = key(1);
        assert!(map.insert(&k, 1).is_none());
        assert_eq!(map.insert(&k, 2).unwrap(), 1);
        assert_eq!(map.insert(&k, 3).unwrap().into_inner(), Ok(2));
        assert_eq!((map.get(&k), map.len(), map.stats().replaced, Arc::observer_count(&k)), (Some(3), 1, 2, 1));
        drop(k);
        assert_eq!((map.len(), map.is_empty(), map.stats().died), (0, true, 1));
    }

    the_hashed_forms_do_the_same: |map| {
        let (k, other) = (key(1), key(2));
        assert!(map.insert(&k, 1).is_none());
        let hash = map.hasher().hash_one(0);
        assert!(map.insert_hashed(hash, &other, 5).is_none());
        assert_eq!((map.get_hashed(hash, &other), map.get_hashed(hash, &*other)), (Some(5), Some(5)));
        assert_eq!(map.insert_hashed(hash, &other, 6).unwrap(), 5);
        assert_eq!(map.remove_hashed(hash, &other).unwrap(), 6);
        assert_eq!((map.get_hashed(hash, &other), map.len()), (None, 1));
    }

    try_insert_gives_the_value_back_if_there_is_one: |map| {
        let k = key(1);
        assert_eq!(map.try_insert(&k, 1), Ok(()));
        assert_eq!(map.try_insert(&k, 2), Err(2));
        assert_eq!((map.get(&k), map.stats().replaced), (Some(1), 0));
    }

    get_or_insert_is_setdefault: |map| {
        let k = key(1);
        assert_eq!((map.get_or_insert(&k, 1), map.get_or_insert(&k, 2), map.len()), (1, 1, 1));
    }

    a_key_is_found_by_pointer_and_by_itself: |map| {
        let (k, other) = (key(1), key(2));
        map.insert(&k, 1);
        assert_eq!((map.get(&k), map.get(&*k)), (Some(1), Some(1)));
        assert_eq!((map.get(&other), map.get(&*other)), (None, None));
        assert!(map.contains_key(&k) && map.contains_key(&*k) && !map.contains_key(&other));
        assert_eq!((map.with(&k, |v| v + 1), map.with(&other, |v| v + 1)), (Some(2), None));
        assert!(Arc::ptr_eq(&map.get_key(&*k).unwrap(), &k) && map.get_key(&other).is_none());
        assert_eq!(map.get_both(&k), Some((k.clone(), 1)));
        assert_eq!(map.get_both(&other), None);
    }

    what_finds_a_key_by_address_takes_no_count_of_it: |map| {
        let k = key(1);
        map.insert(&k, 1);
        assert!(map.contains_key(&k) && map.contains_key(&*k));
        assert_eq!((map.get(&k), map.with(&*k, |v| *v), Arc::strong_count(&k)), (Some(1), Some(1), 1));
        assert!(Arc::try_unwrap(k).is_ok());
    }

    a_dead_key_is_absent_everywhere: |map| {
        let (k, other) = (key(1), key(1));
        map.insert(&k, 1);
        let weak = Arc::downgrade(&k);
        drop(k);
        assert!(map.get(&other).is_none() && !map.contains_key(&other) && map.remove(&other).is_none());
        assert!(map.remove_exact(&weak).is_none() && map.get_key(&other).is_none() && map.with(&other, |_| ()).is_none());
        assert!(!map.update(&other, |_| unreachable!()) && map.remove_if(&other, |_, _| unreachable!()).is_none());
        assert!(map.pop().is_none() && map.snapshot().is_empty() && map.drain().next().is_none());
        assert_eq!((map.keys().count(), map.weak_keys().count(), map.len()), (0, 0, 0));
        assert_eq!(map.try_insert(&other, 2), Ok(()), "and not in the way");
        assert_eq!(map.compute(&other, |v| { assert_eq!(v, Some(&2)); Compute::Keep }), Computed::Kept(Some(2)));
    }

    remove_hands_the_value_out: |map| {
        let k = key(1);
        map.insert(&k, 1);
        assert_eq!(map.remove(&k).unwrap().into_inner(), Ok(1));
        assert!(map.remove(&k).is_none() && map.get(&k).is_none());
        assert_eq!((map.len(), Arc::observer_count(&k), map.stats().removed), (0, 0, 1));
        map.insert(&k, 2);
        let (object, value) = map.remove_entry(&*k).unwrap();
        assert!(Arc::ptr_eq(&object, &k) && value == 2 && map.remove_entry(&k).is_none());
    }

    remove_if_removes_what_it_was_shown: |map| {
        let k = key(1);
        map.insert(&k, 1);
        assert!(map.remove_if(&k, |_, _| false).is_none());
        assert_eq!(map.remove_if(&k, |object, v| Arc::ptr_eq(object, &k) && *v == 1).unwrap(), 1);
        assert!(map.remove_if(&k, |_, _| unreachable!("absent")).is_none());
    }

    remove_exact_is_by_identity: |map| {
        let (k, equal) = (key(1), key(1));
        map.insert(&k, 1);
        assert!(map.remove_exact(&Arc::downgrade(&equal)).is_none() && map.remove_exact(&Weak::new()).is_none());
        assert_eq!(map.get(&k), Some(1));
        assert_eq!(map.remove_exact(&Arc::downgrade(&k)).unwrap(), 1);
        assert!(map.remove_exact(&Arc::downgrade(&k)).is_none());
    }

    compute_keeps_inserts_and_removes: |map| {
        let k = key(1);
        assert_eq!(map.compute(&k, |v| { assert_eq!(v, None); Compute::Keep }), Computed::Kept(None));
        assert_eq!(map.compute(&k, |_| Compute::Remove), Computed::Kept(None));
        assert_eq!(map.compute(&k, |_| Compute::Insert(1)), Computed::Inserted { old: None, new: 1 });
        assert_eq!(map.compute(&k, |v| Compute::Insert(v.unwrap() + 1)), Computed::Inserted { old: Some(1), new: 2 });
        assert_eq!(map.compute(&k, |_| Compute::Keep), Computed::Kept(Some(2)));
        assert_eq!(map.compute(&k, |_| Compute::Remove), Computed::Removed(2));
        let stats = map.stats();
        assert_eq!((stats.len, stats.replaced, stats.removed, Arc::observer_count(&k)), (0, 1, 1, 0));
    }

    compute_and_update_run_again_if_the_key_changes_meanwhile: |map| {
        let k = key(1);
        let mut seen = Vec::new();
        let done = map.compute(&k, |v| {
            seen.push(v.copied());
            if seen.len() == 1 {
                map.insert(&k, 10);
            }
            Compute::Insert(v.copied().unwrap_or(0) + 1)
        });
        assert_eq!((done, seen), (Computed::Inserted { old: Some(10), new: 11 }, vec![None, Some(10)]));
        let mut seen = Vec::new();
        assert!(map.update(&k, |v| {
            seen.push(*v);
            if seen.len() == 1 {
                map.insert(&k, 20);
            }
            v + 1
        }));
        assert_eq!((seen, map.get(&k), map.len()), (vec![11, 20], Some(21), 1));
        assert!(!map.update(&k, |v| { map.remove(&k); v + 1 }), "removed meanwhile");
        assert!(map.is_empty());
    }

    update_replaces_a_value: |map| {
        let (k, other) = (key(1), key(2));
        map.insert(&k, 1);
        assert!(map.update(&k, |v| v + 1) && map.update(&*k, |v| v + 1) && !map.update(&other, |_| unreachable!()));
        assert_eq!((map.get(&k), map.len(), map.stats().replaced), (Some(3), 1, 2));
        drop(k);
        assert!(map.is_empty());
    }

    pop_takes_each_live_entry_once: |map| {
        let mut all = keys(2 * N);
        for (n, k) in all.iter().enumerate() {
            map.insert(k, n as u64);
        }
        all.truncate(N as usize);
        let mut popped = Vec::new();
        while let Some((k, value)) = map.pop() {
            assert_eq!(*k, value.to_string());
            popped.push(*value);
        }
        assert_eq!(sorted(popped), (0..N).collect::<Vec<_>>());
        assert_eq!((map.len(), map.stats().removed, map.stats().died), (0, N, N));
    }

    retain_extract_drain_and_clear: |map| {
        let all = keys(N);
        let fill = || for (n, k) in all.iter().enumerate() {
            map.insert(k, n as u64);
        };
        fill();
        map.retain(|k, v| { assert_eq!(**k, v.to_string()); v % 2 == 0 });
        assert_eq!((map.len() as u64, map.stats().removed), (N / 2, N / 2));
        let taken: Vec<_> = map.extract_if(|_, v| v % 4 == 0).map(|(k, v)| (k.to_string(), *v)).collect();
        assert!(taken.iter().all(|(k, v)| *k == v.to_string() && v % 4 == 0) && taken.len() as u64 == N.div_ceil(4));
        assert_eq!(map.drain().count() as u64, N / 2 - N.div_ceil(4));
        assert_eq!((map.len(), map.stats().removed), (0, N));
        fill();
        map.clear();
        assert_eq!((map.len(), map.stats().cleared), (0, N));
        assert!(all.iter().all(|k| Arc::observer_count(k) == 0));
    }

    walks_show_every_live_entry_once: |map| {
        let mut all = keys(2 * N);
        for (n, k) in all.iter().enumerate() {
            map.insert(k, n as u64);
        }
        let weak = Arc::downgrade(&all[N as usize]);
        all.truncate(N as usize);
        let whole: Vec<u64> = (0..N).collect();
        let parse = |k: &str| k.parse::<u64>().unwrap();
        assert_eq!(sorted(map.keys().map(|k| parse(&k))), whole);
        let weak_keys: Vec<Weak<String>> = map.weak_keys().collect();
        assert_eq!(sorted(weak_keys.iter().map(|k| parse(&k.upgrade().unwrap()))), whole);
        assert!(!weak_keys.contains(&weak), "dead");
        assert_eq!(sorted(map.iter().map(|(k, v)| { assert_eq!(parse(&k), u64::clone(&v)); parse(&k) })), whole);
        let mut values = Vec::new();
        for v in map.values() {
            values.push(u64::clone(&v));
        }
        assert_eq!(sorted(values), whole);
        let mut each = Vec::new();
        map.for_each(|k, v| { assert_eq!(parse(k), *v); each.push(*v); });
        assert_eq!(sorted(each), whole);
        assert_eq!(sorted(map.snapshot().into_iter().map(|(_, v)| v)), whole);
        let (mut scanned, mut from) = (Vec::new(), Some(Cursor::default()));
        while let Some(cursor) = from {
            let page = map.scan(cursor, 3);
            scanned.extend(page.items.into_iter().map(|(_, v)| v));
            from = page.next;
        }
        assert_eq!(sorted(scanned), whole);
        drop(all);
        assert_eq!((map.keys().count(), map.values().count(), map.len()), (0, 0, 0), "no walk held a key");
    }

    room_is_made_and_given_back: |map| {
        assert_eq!((map.capacity(), map.pending_removals(), map.run_pending_removals()), (0, 0, 0));
        map.reserve(1_000);
        assert!(map.capacity() >= 1_000 && map.try_reserve(usize::MAX).is_err() && map.try_reserve(10).is_ok());
        map.shrink_to(500);
        assert!(map.capacity() >= 500);
        map.shrink_to_fit();
        assert_eq!(map.capacity(), 0);
        let k = key(1);
        map.insert(&k, 1);
        assert!(map.capacity() > 0 && map.shards().is_power_of_two());
        map.shrink_to_fit();
        assert_eq!(map.get(&k), Some(1));
    }

    an_object_tells_of_its_entries: |map| {
        let k = key(1);
        map.insert(&k, 1);
        let infos = Arc::observers(&k);
        assert!(matches!(&infos[..], [info] if info.kind == ObserverKind::KeyEntry && info.location.file() == file!()));
    }

    /// inserted = live + told, by cause; keys come as `Weak`s, which the death has cleared.
    subscribers_read_of_every_removal: |map| {
        let removals = map.removals();
        let all = keys(5);
        for k in &all {
            map.insert(k, 1);
        }
        map.insert(&all[0], 2);
        map.remove(&all[1]);
        let weak: Vec<_> = all.iter().map(Arc::downgrade).collect();
        let [a, b, c, d, e] = <[_; 5]>::try_from(all).unwrap();
        drop(c);
        map.update(&d, |v| v + 1);
        map.clear();
        let told: Vec<(Weak<String>, Cause)> = removals.try_iter().collect();
        let of = |cause| sorted(told.iter().filter(|t| t.1 == cause).map(|t| weak.iter().position(|w| *w == t.0).unwrap()));
        assert_eq!(of(Cause::Replaced), [0, 3]);
        assert_eq!((of(Cause::Removed), of(Cause::Died), of(Cause::Cleared)), (vec![1], vec![2], vec![0, 3, 4]));
        assert!(told.iter().all(|(w, cause)| (*cause == Cause::Died) == w.upgrade().is_none()));
        drop((a, b, d, e));
        assert!(removals.try_next().is_none());
    }
}

whole! { WeakKeyMap, PtrWeakKeyMap;
    made_in_every_way: {
        let all = keys(3);
        let borrowed = || all.iter().map(|k| (k, k.len()));
        let owned = || all.iter().cloned().map(|k| { let len = k.len(); (k, len) });
        let made: [Map<String, usize>; 4] =
            [borrowed().collect(), owned().collect(), Map::from([(&all[0], 1), (&all[1], 1), (&all[2], 1)]), Default::default()];
        made[3].extend(borrowed());
        made[3].extend(owned());
        assert!(made.iter().all(|map| map.len() == 3 && *map == made[0]));
        let owned = Map::from([(all[0].clone(), 5), (all[0].clone(), 6)]);
        assert_eq!((owned.get(&all[0]), owned.len(), owned.stats().replaced), (Some(6), 1, 1));
        let (a, b) = (Map::<String, u8>::with_capacity(100), Map::<String, u8, _>::with_capacity_and_hasher(100, crate::common::Good::default()));
        assert!(a.capacity() >= 100 && b.capacity() >= 100);
        let built = Map::<String, u8>::builder().shards(3).capacity(50).hasher(crate::common::Constant::default()).build();
        assert!(built.shards() == 4 && built.capacity() >= 50 && format!("{built:?}") == "{}");
    }

    copied_joined_and_compared: {
        let (k, l) = (key(1), key(2));
        let map = Map::from([(&k, 1), (&l, 2)]);
        let copy = map.clone();
        assert_eq!(map, copy);
        map.insert(&k, 5);
        assert!(map != copy && map.domain_is_subset(&copy) && !map.is_submap(&copy) && map.pin() != copy.pin());
        copy.remove(&l);
        assert!(copy.domain_is_subset(&map) && !map.domain_is_subset(&copy));
        let joined = &map | &copy;
        assert_eq!((joined.get(&k), joined.get(&l)), (Some(1), Some(2)), "the right side wins");
        let mut mine = copy.clone();
        mine |= &map;
        assert_eq!((mine.get(&k), mine.len()), (Some(5), 2));
        assert!(mine == map && mine.pin() == map.pin());
        assert!([r#"{"1": 5, "2": 2}"#, r#"{"2": 2, "1": 5}"#].contains(&&*format!("{map:?}")));
        assert_eq!(format!("{:?}", copy.pin()), r#"{"1": 1}"#);
        drop(l);
        assert_eq!([map.len(), joined.len(), mine.len()], [1; 3], "every copy is watched");
    }

    moved_out_as_a_whole: {
        let told = StdArc::new(Mutex::new(Vec::new()));
        let listener = { let told = told.clone(); move |k: &Weak<String>, cause| told.lock().unwrap().push((k.clone(), cause)) };
        let make = |k: &Arc<String>, l: &Arc<String>| {
            let map: Map<String, u64> = Map::builder().on_removal(listener.clone()).build();
            map.insert(k, 1);
            map.insert(l, 2);
            map.insert(&key(3), 3); // dies at once
            map
        };
        let (k, l) = (key(1), key(2));
        assert_eq!(sorted(make(&k, &l).into_iter().map(|(k, v)| (k, *v))), [(k.clone(), 1), (l.clone(), 2)]);
        assert_eq!(sorted(make(&k, &l).into_keys()), [k.clone(), l.clone()]);
        assert_eq!(sorted(make(&k, &l).into_values().map(|v| v.into_inner().unwrap())), [1, 2]);
        drop(make(&k, &l));
        let told = told.lock().unwrap();
        let count = |cause| told.iter().filter(|t| t.1 == cause).count();
        assert_eq!((count(Cause::Died), count(Cause::Cleared), told.len()), (4, 8, 12));
        assert_eq!((Arc::observer_count(&k), Arc::strong_count(&k)), (0, 1));
    }

    unsized_keys: {
        let (text, bytes): (Arc<str>, Arc<[u8]>) = ("text".into(), Arc::from([1, 2]));
        let (texts, slices): (Map<str, u8>, Map<[u8], u8>) = (Map::from([(&text, 1)]), Map::from([(&bytes, 2)]));
        assert_eq!((texts.get(&text), texts.get(&*text), slices.get(&bytes), slices.get(&*bytes)), (Some(1), Some(1), Some(2), Some(2)));
        assert!(texts.update(&text, |v| v + 1) && slices.contains_key(&bytes[..]));
        drop((text, bytes));
        assert!(texts.is_empty() && slices.is_empty());
    }

    /// Two objects without a size are two keys by address, and one by equality; each is found by its own pointer.
    keys_without_a_size: {
        #[derive(Debug, PartialEq, Eq, Hash)]
        struct Unit;
        let (a, b) = (Arc::new(Unit), Arc::new(Unit));
        let map = Map::from([(&a, 1)]);
        assert_eq!((map.get(&a), map.get(&*a)), (Some(1), Some(1)));
        let before = map.get(&b);
        map.insert(&b, 2);
        assert_eq!(map.get(&b), Some(2));
        let (k, v) = map.get_both(&a).unwrap();
        match map.len() {
            1 => assert!(before == Some(1) && Arc::ptr_eq(&k, &b) && v == 2),
            _ => assert!(before.is_none() && Arc::ptr_eq(&k, &a) && v == 1),
        }
        drop((a, k));
        drop(b);
        assert!(map.is_empty());
    }

    values_without_a_size: {
        let k = key(1);
        let map = Map::from([(&k, ())]);
        assert!(map.get(&k) == Some(()) && map.remove(&k).unwrap().into_inner() == Ok(()) && map.is_empty());
    }

    a_new_map_forgets_its_nodes_in_the_end: {
        // The block of a key goes when the map has given its weak count back.
        let k = key(1);
        let map = Map::from([(&k, 1)]);
        assert_eq!(Arc::weak_count(&k), 1);
        map.remove(&k);
        flush_until("the node is freed", || Arc::weak_count(&k) == 0);
    }
}

#[test]
fn by_equality_every_form_of_a_key_finds_it() {
    let (k, equal) = (key(1), key(1));
    let map = WeakKeyMap::from([(&k, 1)]);
    let pinned = map.pin();
    assert_eq!([map.get(&equal), map.get(&*equal), map.get("1"), map.get(&"1".to_string())], [Some(1); 4]);
    assert_eq!([pinned.get(&equal), pinned.get(&*equal), pinned.get("1")], [Some(1); 3]);
    assert_eq!((pinned.read("1").as_deref(), pinned.read(&equal).as_deref()), (Some(&1), Some(&1)));
    assert!(Arc::ptr_eq(&map.get_key("1").unwrap(), &k) && map.contains_key(&equal) && pinned.contains_key("1"));
    assert!(map.update("1", |v| v + 1) && *map.remove(&equal).unwrap() == 2 && map.is_empty());
}

#[test]
fn by_address_only_the_object_itself_is_found() {
    let (k, equal) = (key(1), key(1));
    let map = PtrWeakKeyMap::from([(&k, 1)]);
    assert_eq!([map.get(&k), map.get(&*k), map.get(&Arc::downgrade(&k))], [Some(1); 3]);
    assert_eq!([map.get(&equal), map.get(&*equal), map.get(&Arc::downgrade(&equal)), map.get(&Weak::new())], [None; 4]);
    assert_eq!(map.pin().read(&Arc::downgrade(&k)).as_deref(), Some(&1));
    map.insert(&equal, 2);
    assert_eq!((map.len(), map.get(&k), map.get(&equal)), (2, Some(1), Some(2)));
    let weak = Arc::downgrade(&k);
    drop(k);
    assert_eq!((map.get(&weak), map.contains_key(&weak), map.len()), (None, false, 1));
    assert_eq!(map.remove(&Arc::downgrade(&equal)).unwrap(), 2);
}

#[test]
fn by_address_keys_need_no_traits() {
    trait Plugin: Send + Sync {}
    struct Opaque;
    impl Plugin for Opaque {}
    struct Sized(#[allow(dead_code, reason = "gives it a size")] u8);
    impl Plugin for Sized {}
    let plugins: [Arc<dyn Plugin>; 3] =
        [unsize!(Arc::new(Sized(1))), unsize!(Arc::new(Opaque)), unsize!(Arc::new(Opaque))];
    let map: PtrWeakKeyMap<dyn Plugin, usize> = plugins.iter().enumerate().map(|(n, plugin)| (plugin, n)).collect();
    for (n, plugin) in plugins.iter().enumerate() {
        assert_eq!([map.get(plugin), map.get(&**plugin), map.get(&Arc::downgrade(plugin))], [Some(n); 3]);
    }
    drop(plugins);
    assert!(map.is_empty());
}

/// CPython keeps the old key, and loses the entry with it: gh-91081.
#[test]
fn an_insert_over_an_equal_key_keeps_the_new_one() {
    type Write = fn(&WeakKeyMap<String, u64>, &Arc<String>);
    let writes: [Write; 4] = [
        |map, k| drop(map.insert(k, 2)),
        |map, k| drop(map.pin().insert(k, 2)),
        |map, k| {
            map.compute(k, |_| Compute::Insert(2));
        },
        |map, k| map.extend([(k, 2)]),
    ];
    for write in writes {
        let (old, new) = (key(1), key(1));
        let map = WeakKeyMap::from([(&old, 1)]);
        write(&map, &new);
        assert!(Arc::ptr_eq(&map.get_key("1").unwrap(), &new));
        assert_eq!((map.get(&old), Arc::observer_count(&old), Arc::observer_count(&new)), (Some(2), 0, 1));
        drop(old);
        assert_eq!((map.get("1"), map.stats().died), (Some(2), 0), "it survives the old key");
        drop(new);
        assert_eq!((map.get("1"), map.stats().died), (None, 1), "and goes with the new one");
    }
}

#[test]
fn what_leaves_the_value_leaves_the_key() {
    type Look = fn(&WeakKeyMap<String, u64>, &Arc<String>);
    let looks: [Look; 5] = [
        |map, k| assert_eq!(map.try_insert(k, 2), Err(2)),
        |map, k| assert_eq!(map.get_or_insert(k, 2), 1),
        |map, k| assert_eq!(map.get_or_insert_with(k, |_| unreachable!()), 1),
        |map, k| assert_eq!(map.compute(k, |_| Compute::Keep), Computed::Kept(Some(1))),
        |map, k| assert!(map.update(k, |v| *v)),
    ];
    for look in looks {
        let (old, new) = (key(1), key(1));
        let map = WeakKeyMap::from([(&old, 1)]);
        look(&map, &new);
        assert!(Arc::ptr_eq(&map.get_key("1").unwrap(), &old));
        drop(new);
        assert_eq!(map.get("1"), Some(1));
        drop(old);
        assert!(map.is_empty());
    }
}

#[test]
fn one_object_may_be_in_many_collections() {
    let k = key(1);
    let (a, b): (WeakKeyMap<String, u64>, WeakKeyMap<String, u64>) = ([(&k, 1)].into(), [(&k, 2)].into());
    let (set, pairs) = (weakly::WeakSet::from([&k]), weakly::PtrWeakWeakMap::from([(&k, &k)]));
    assert_eq!(Arc::observer_count(&k), 5, "the pair's twice");
    let weak = Arc::downgrade(&k);
    let seen = Arc::observe(&k, |_| ());
    seen.cancel();
    drop(k);
    assert_eq!([a.len(), b.len(), set.len(), pairs.len()], [0; 4]);
    assert!(weak.upgrade().is_none());
}
