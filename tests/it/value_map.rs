//! `WeakValueMap`, method by method, on the plain face and on the pinned one.

use crate::common::{Constant, FourBit, Good, flush_until, sized, watchdog};
use crate::kinds::kinds;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::mpsc::channel;
use weakly::generic::{self, Builder};
use weakly::{Arc, Cause, Compute, Computed, Cursor, ObserverKind, Removals, Weak, WeakValueMap};

type Map = WeakValueMap<String, u64>;

type Of<S> = WeakValueMap<String, u64, S>;

fn key(n: u64) -> String {
    n.to_string()
}

/// `n` values that live as long as the vector.
fn values(n: u64) -> Vec<Arc<u64>> {
    (0..n).map(Arc::new).collect()
}

fn filled(values: &[Arc<u64>]) -> Map {
    values.iter().map(|v| (key(**v), v)).collect()
}

/// What is in a map, in order.
fn sorted<K: Ord, A>(items: impl IntoIterator<Item = (K, A)>) -> Vec<K> {
    let mut keys: Vec<K> = items.into_iter().map(|(k, _)| k).collect();
    keys.sort();
    keys
}

kinds! { Of;
    insert_returns_the_old_value_if_it_still_lived: |map| {
        let (a, b) = (Arc::new(1), Arc::new(2));
        assert_eq!(map.insert("k".into(), &a), None);
        let old = map.insert("k".into(), &b).unwrap();
        assert!(Arc::ptr_eq(&old, &a));
        drop(b);
        assert_eq!(map.insert("k".into(), &a), None, "the old value is dead");
        assert!(Arc::ptr_eq(&map.get("k").unwrap(), &a));
        assert_eq!(map.len(), 1);
    }

    insert_of_the_same_object_again_replaces_the_entry: |map| {
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert!(Arc::ptr_eq(&map.insert("k".into(), &a).unwrap(), &a));
        assert_eq!((map.len(), map.stats().replaced, Arc::observer_count(&a)), (1, 1, 1));
        drop(a);
        assert_eq!((map.len(), map.stats().died), (0, 1));
    }

    one_object_under_many_keys_leaves_them_all: |map| {
        let a = Arc::new(1);
        for n in 0..20 {
            map.insert(key(n), &a);
        }
        assert_eq!((map.len(), Arc::observer_count(&a)), (20, 20));
        drop(a);
        assert_eq!((map.len(), map.stats().died), (0, 20));
    }

    try_insert_gives_back_the_live_value_in_the_way: |map| {
        let (a, b) = (Arc::new(1), Arc::new(2));
        assert_eq!(map.try_insert("k".into(), &a), Ok(()));
        let there = map.try_insert("k".into(), &b).unwrap_err();
        assert!(Arc::ptr_eq(&there, &a));
        assert_eq!(map.stats().replaced, 0);
        drop((a, there));
        assert_eq!(map.try_insert("k".into(), &b), Ok(()), "a dead entry is not in the way");
        assert!(Arc::ptr_eq(&map.get("k").unwrap(), &b));
    }

    get_and_contains_key_find_live_values_only: |map| {
        assert_eq!(map.get("k"), None);
        assert!(!map.contains_key("k"));
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert!(Arc::ptr_eq(&map.get("k").unwrap(), &a));
        assert!(map.contains_key("k"));
        assert!(!map.contains_key("l"));
        drop(a);
        assert_eq!(map.get("k"), None);
        assert!(!map.contains_key("k"));
    }

    contains_key_and_keys_touch_no_count: |map| {
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert!(map.contains_key("k"));
        assert_eq!(map.keys().count(), 1);
        assert_eq!(Arc::strong_count(&a), 1);
        assert!(Arc::try_unwrap(a).is_ok());
    }

    get_or_insert_is_setdefault: |map| {
        let (a, b) = (Arc::new(1), Arc::new(2));
        assert!(Arc::ptr_eq(&map.get_or_insert("k".into(), a.clone()), &a));
        assert!(Arc::ptr_eq(&map.get_or_insert("k".into(), b.clone()), &a));
        drop(a);
        assert!(Arc::ptr_eq(&map.get_or_insert("k".into(), b.clone()), &b), "the old value is dead");
        assert_eq!(Arc::strong_count(&b), 1, "the map holds it weakly");
    }

    remove_takes_a_live_value_out: |map| {
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert!(Arc::ptr_eq(&map.remove("k").unwrap(), &a));
        assert_eq!(map.remove("k"), None);
        assert_eq!((map.get("k"), map.len(), Arc::observer_count(&a)), (None, 0, 0));
        assert_eq!((map.stats().removed, map.stats().died), (1, 0));
        map.insert("k".into(), &a);
        drop(a);
        assert_eq!(map.remove("k"), None, "a dead entry is absent");
        assert_eq!((map.stats().removed, map.stats().died), (1, 1));
    }

    remove_if_removes_what_it_was_shown: |map| {
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert_eq!(map.remove_if("k", |_, _| false), None);
        assert_eq!(map.len(), 1);
        let removed = map.remove_if("k", |k, v| k == "k" && Arc::ptr_eq(v, &a));
        assert!(Arc::ptr_eq(&removed.unwrap(), &a));
        assert_eq!(map.remove_if("k", |_, _| unreachable!("absent")), None);
    }

    remove_exact_leaves_a_successor_alone: |map| {
        let (a, b) = (Arc::new(1), Arc::new(1));
        map.insert("k".into(), &a);
        map.insert("k".into(), &b);
        assert!(!map.remove_exact("k", &Arc::downgrade(&a)));
        assert!(!map.remove_exact("k", &Weak::new()));
        assert!(map.contains_key("k"));
        assert!(map.remove_exact("k", &Arc::downgrade(&b)));
        assert!(!map.remove_exact("k", &Arc::downgrade(&b)));
        let weak = Arc::downgrade(&a);
        map.insert("k".into(), &a);
        drop(a);
        assert!(!map.remove_exact("k", &weak), "dead");
        assert!(map.is_empty());
    }

    remove_entry_gives_the_key_as_it_is_in_the_map: |map| {
        let a = Arc::new(1);
        map.insert("k".into(), &a);
        assert_eq!(map.remove_entry("k"), Some(("k".to_string(), a)));
        assert_eq!(map.remove_entry("k"), None);
    }

    pop_takes_some_live_entry_until_none_is_left: |map| {
        let alive = values(50);
        map.map_extend(&alive);
        let mut dying = values(100);
        map.map_extend(&dying[50..]);
        dying.truncate(50);
        let mut popped = Vec::new();
        while let Some((k, v)) = map.pop() {
            assert_eq!(k, key(*v));
            popped.push(*v);
        }
        popped.sort();
        assert_eq!(popped, (0..50).collect::<Vec<_>>());
        assert_eq!((map.len(), map.stats().removed, map.stats().died), (0, 50, 50));
    }

    compute_keeps_inserts_and_removes: |map| {
        let (a, b) = (Arc::new(1), Arc::new(2));
        assert_eq!(map.compute("k".into(), |old| { assert_eq!(old, None); Compute::Keep }), Computed::Kept(None));
        assert_eq!(map.compute("k".into(), |_| Compute::Remove), Computed::Kept(None));
        assert_eq!(
            map.compute("k".into(), |_| Compute::Insert(a.clone())),
            Computed::Inserted { old: None, new: a.clone() }
        );
        assert_eq!(
            map.compute("k".into(), |old| { assert!(Arc::ptr_eq(&old.unwrap(), &a)); Compute::Keep }),
            Computed::Kept(Some(a.clone()))
        );
        assert_eq!(
            map.compute("k".into(), |_| Compute::Insert(b.clone())),
            Computed::Inserted { old: Some(a.clone()), new: b.clone() }
        );
        assert_eq!(map.compute("k".into(), |_| Compute::Remove), Computed::Removed(b.clone()));
        assert_eq!(map.len(), 0);
        map.insert("k".into(), &b);
        drop(b);
        assert_eq!(map.compute("k".into(), |old| { assert_eq!(old, None); Compute::Keep }), Computed::Kept(None));
    }

    what_compute_inserted_is_handed_back_alive: |map| {
        let Computed::Inserted { old: None, new } = map.compute("k".into(), |_| Compute::Insert(Arc::new(7))) else {
            panic!("inserted")
        };
        assert!(Arc::ptr_eq(&map.get("k").unwrap(), &new));
        drop(new);
        assert!(map.is_empty());
    }

    len_is_empty_and_stats_agree: |map| {
        assert_eq!((map.len(), map.is_empty()), (0, true));
        let mut all = values(10);
        map.map_extend(&all);
        assert_eq!((map.len(), map.is_empty()), (10, false));
        let other = Arc::new(77);
        map.insert(key(0), &other);
        map.remove(&key(1));
        all.truncate(8); // 8 and 9 die
        map.map_extend(&[Arc::new(99)]); // dies at once
        let stats = map.stats();
        assert_eq!((stats.len, stats.replaced, stats.removed, stats.died, stats.cleared), (7, 1, 1, 3, 0));
        assert_eq!((stats.capacity, stats.pending_removals), (map.capacity(), 0));
        map.clear();
        assert_eq!((map.len(), map.stats().cleared), (0, 7));
    }

    capacity_follows_reserve_and_shrink: |map| {
        assert_eq!(map.capacity(), 0);
        map.reserve(0);
        assert_eq!(map.capacity(), 0);
        map.reserve(1_000);
        let reserved = map.capacity();
        assert!(reserved >= 1_000);
        map.shrink_to(100);
        assert!((100..reserved).contains(&map.capacity()));
        assert!(map.try_reserve(usize::MAX).is_err());
        assert!(map.try_reserve(usize::MAX / 128).is_err());
        assert_eq!(map.try_reserve(10), Ok(()));
        map.shrink_to_fit();
        assert_eq!(map.capacity(), 0);
        let all = values(100);
        map.map_extend(&all);
        map.shrink_to_fit();
        assert!(map.capacity() >= 100);
        assert_eq!(sorted(map.snapshot()).len(), 100);
    }

    a_smaller_reserve_does_not_undo_a_larger_one: |map| {
        map.reserve(10_000);
        map.reserve(1);
        for n in 0..1_000 {
            map.insert(key(n), &Arc::new(n)); // comes and goes in every shard
        }
        assert!(map.capacity() >= 10_000, "kept until the map is shrunk by name, not {}", map.capacity());
    }

    clear_takes_everything_out_and_leaves_the_values_alive: |map| {
        let all = values(100);
        map.map_extend(&all);
        map.clear();
        assert_eq!((map.len(), map.snapshot().len(), map.stats().cleared), (0, 0, 100));
        assert!(all.iter().all(|v| Arc::observer_count(v) == 0 && Arc::strong_count(v) == 1));
        map.map_extend(&all);
        assert_eq!(map.len(), 100);
        map.clear();
        map.clear();
        assert_eq!(map.stats().cleared, 200);
    }

    retain_removes_what_it_refuses: |map| {
        let all = values(100);
        map.map_extend(&all);
        let mut shown = 0;
        map.retain(|k, v| { shown += 1; assert_eq!(*k, key(**v)); **v % 3 == 0 });
        assert_eq!((shown, map.len(), map.stats().removed), (100, 34, 66));
        assert!(map.snapshot().iter().all(|(_, v)| **v % 3 == 0));
    }

    extract_if_yields_what_it_removes: |map| {
        let all = values(100);
        map.map_extend(&all);
        assert_eq!(sorted(map.extract_if(|_, v| **v % 2 == 1)).len(), 50);
        assert!(map.snapshot().iter().all(|(_, v)| **v % 2 == 0));
        drop(map.extract_if(|_, _| unreachable!("nothing is shown before the first step")));
        assert_eq!(map.len(), 50);
    }

    drain_yields_everything_and_what_is_left_stays: |map| {
        let all = values(100);
        map.map_extend(&all);
        let mut drain = map.drain();
        let first = drain.next().unwrap();
        assert_eq!(first.0, key(*first.1));
        drop(drain);
        let left = map.len();
        let hashes: BTreeSet<u64> = all.iter().map(|v| map.hasher().hash_one(key(**v))).collect();
        let rest = usize::from(hashes.len() > 1); // of one hash, all go at once
        assert!((rest..100).contains(&left), "one bucket is gone, the rest is there: {left}");
        assert_eq!(map.drain().count(), left);
        assert_eq!((map.len(), map.stats().removed), (0, 100));
    }

    values_and_weak_values_are_of_the_live: |map| {
        let mut all = values(20);
        map.map_extend(&all);
        all.truncate(10);
        let mut seen: Vec<u64> = map.values().map(|v| *v).collect();
        seen.sort();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        let weak: Vec<Weak<u64>> = map.weak_values().collect();
        assert_eq!(weak.len(), 10);
        assert!(all.iter().all(|v| weak.contains(&Arc::downgrade(v)) && Arc::strong_count(v) == 1));
    }

    for_each_scan_and_snapshot_see_each_live_entry_once: |map| {
        let mut all = values(200);
        map.map_extend(&all);
        all.truncate(100);
        let want = sorted(all.iter().map(|v| (key(**v), ())));
        let mut seen = Vec::new();
        map.for_each(|k, v| { assert_eq!(*k, key(**v)); seen.push((k.clone(), ())); });
        assert_eq!(sorted(seen), want);
        assert_eq!(sorted(map.snapshot()), want);
        for n in [1, 7, 1_000] {
            let (mut from, mut seen) = (Some(Cursor::default()), Vec::new());
            while let Some(cursor) = from {
                let page = map.scan(cursor, n);
                assert!(page.items.len() >= n || page.next.is_none());
                seen.extend(page.items);
                from = page.next;
            }
            assert_eq!(sorted(seen), want);
        }
    }

    pending_removals_are_none_when_quiet: |map| {
        map.insert("k".into(), &Arc::new(1));
        assert_eq!((map.pending_removals(), map.run_pending_removals()), (0, 0));
    }

    removals_are_told_with_key_and_cause: |map| {
        let removals = map.removals();
        let (a, b) = (Arc::new(1), Arc::new(2));
        map.insert("k".into(), &a);
        map.insert("k".into(), &b);
        map.remove("k");
        map.insert("l".into(), &a);
        drop(a);
        map.insert("m".into(), &b);
        map.clear();
        let told: Vec<(String, Cause)> = removals.try_iter().collect();
        let want = [("k", Cause::Replaced), ("k", Cause::Removed), ("l", Cause::Died), ("m", Cause::Cleared)];
        assert_eq!(told, want.map(|(k, cause)| (k.to_string(), cause)));
        assert_eq!((removals.try_next(), removals.dropped()), (None, 0));
    }

    hasher_and_hashed_forms_agree: |map| {
        let a = Arc::new(1);
        let hash = map.hasher().hash_one("k");
        assert_eq!(map.insert_hashed(hash, "k".into(), &a), None);
        assert!(Arc::ptr_eq(&map.get_hashed(hash, "k").unwrap(), &a));
        assert!(map.contains_key("k"));
        assert!(Arc::ptr_eq(&map.remove_hashed(hash, "k").unwrap(), &a));
        assert!(map.is_empty());
    }

    shards_are_a_power_of_two: |map| {
        assert!(map.shards().is_power_of_two());
    }

    debug_shows_the_live_entries: |map| {
        let (a, b) = (Arc::new(1), Arc::new(2));
        map.insert("k".into(), &a);
        map.insert("l".into(), &b);
        drop(b);
        assert_eq!(format!("{map:?}"), r#"{"k": 1}"#);
    }
}

/// `extend` is the plain face's alone; the tests of both faces fill by `insert`.
trait Fill {
    fn map_extend(&self, values: &[Arc<u64>]);
}

impl<S: BuildHasher> Fill for Of<S> {
    fn map_extend(&self, values: &[Arc<u64>]) {
        for v in values {
            self.insert(key(**v), v);
        }
    }
}

impl<S: BuildHasher> Fill for weakly::Pinned<'_, Of<S>> {
    fn map_extend(&self, values: &[Arc<u64>]) {
        for v in values {
            self.insert(key(**v), v);
        }
    }
}

#[test]
fn clear_gives_all_room_back() {
    let map = Map::with_capacity(1_000);
    map.map_extend(&values(100));
    map.clear();
    assert_eq!(map.capacity(), 0);
}

#[test]
fn pinned_read_borrows_a_deferred_value_and_counts_another() {
    let map = Map::new();
    let pinned = map.pin();
    let (plain, deferred) = (Arc::new(1), Arc::new_deferred(2));
    map.insert("plain".into(), &plain);
    map.insert("deferred".into(), &deferred);
    {
        let (p, d) = (pinned.read("plain").unwrap(), pinned.read("deferred").unwrap());
        assert_eq!((*p, *d), (1, 2));
        assert_eq!((Arc::strong_count(&plain), Arc::strong_count(&deferred)), (2, 1));
        drop(deferred);
        assert_eq!(*d, 2, "dead, and readable under the guard");
        assert!(d.to_arc().is_none());
    }
    assert!(pinned.read("deferred").is_none());
    drop(plain);
    assert!(pinned.read("plain").is_none());
}

#[test]
fn pinned_get_key_value_and_iterators_borrow_the_keys() {
    let map = Map::new();
    let all = values(30);
    map.map_extend(&all);
    let pinned = map.pin();
    let (k, v) = pinned.get_key_value("7").unwrap();
    assert_eq!((k.as_str(), *v), ("7", 7));
    assert!(pinned.get_key_value("x").is_none());
    assert_eq!(sorted(&pinned).len(), 30);
    assert_eq!(sorted(pinned.iter()), sorted(pinned.keys().map(|k| (k, ()))));
    pinned.guard().flush();
}

#[test]
fn a_repinned_face_goes_on() {
    let map = Map::new();
    let all = values(3);
    map.map_extend(&all);
    let mut pinned = map.pin();
    assert!(pinned.contains_key("1"));
    pinned.repin();
    assert!(pinned.contains_key("1"));
}

#[test]
fn loaders_load_on_a_miss_only() {
    let map = Map::new();
    let a = map.get_or_insert_with("k".into(), |k| Arc::new(k.len() as u64));
    assert_eq!(*a, 1);
    assert!(Arc::ptr_eq(&map.get_or_insert_with("k".into(), |_| unreachable!()), &a));
    assert!(Arc::ptr_eq(&map.get_or_insert_with_ref("k", |_| unreachable!()), &a));
    let hit: Result<_, ()> = map.get_or_try_insert_with("k".into(), |_| unreachable!());
    assert!(Arc::ptr_eq(&hit.unwrap(), &a));
    let hit: Result<_, ()> = map.get_or_try_insert_with_ref("k", |_| unreachable!());
    assert!(Arc::ptr_eq(&hit.unwrap(), &a));
    drop(a);
    assert!(map.is_empty());
    let b = map.get_or_insert_with_ref("kk", |k| Arc::new(k.len() as u64));
    assert_eq!((*b, map.len()), (2, 1));
}

#[test]
fn a_loaders_error_leaves_nothing() {
    let map = Map::new();
    assert_eq!(map.get_or_try_insert_with("k".into(), |_| Err("no")), Err("no"));
    assert_eq!(map.get_or_try_insert_with_ref("k", |_| Err("no")), Err("no"));
    assert!(map.is_empty());
    let loaded = map.get_or_try_insert_with_ref("k", |_| Ok::<_, ()>(Arc::new(1))).unwrap();
    assert!(Arc::ptr_eq(&map.get("k").unwrap(), &loaded));
}

#[test]
fn the_ref_loader_makes_the_key_on_a_miss_only() {
    use std::borrow::Borrow;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static OWNED: AtomicUsize = AtomicUsize::new(0);

    #[derive(PartialEq, Eq, Hash)]
    struct Owned(Lent);
    #[derive(PartialEq, Eq, Hash)]
    struct Lent(u64);
    impl Borrow<Lent> for Owned {
        fn borrow(&self) -> &Lent {
            &self.0
        }
    }
    impl ToOwned for Lent {
        type Owned = Owned;
        fn to_owned(&self) -> Owned {
            OWNED.fetch_add(1, SeqCst);
            Owned(Lent(self.0))
        }
    }

    let map: WeakValueMap<Owned, u64> = WeakValueMap::new();
    let a = map.get_or_insert_with_ref(&Lent(5), |k| Arc::new(k.0.0));
    assert_eq!((*a, OWNED.load(SeqCst)), (5, 1));
    map.get_or_insert_with_ref(&Lent(5), |_| unreachable!());
    assert!(map.contains_key(&Lent(5)) && map.remove(&Lent(5)).is_some());
    assert_eq!(OWNED.load(SeqCst), 1);
}

#[test]
fn iter_and_keys_give_owned_items() {
    let map = Map::new();
    let mut all = values(20);
    map.map_extend(&all);
    all.truncate(10);
    let want = sorted(all.iter().map(|v| (key(**v), ())));
    assert_eq!(sorted(map.iter()), want);
    assert_eq!(sorted(&map), want);
    assert_eq!(sorted(map.keys().map(|k| (k, ()))), want);
    let mut iter = map.iter();
    assert_eq!(iter.by_ref().count(), 10);
    assert!(iter.next().is_none() && iter.next().is_none(), "fused");
}

#[test]
fn owning_iterators_move_the_live_entries_out() {
    let mut all = values(20);
    let maps = [filled(&all), filled(&all), filled(&all)];
    all.truncate(10);
    let want = sorted(all.iter().map(|v| (key(**v), ())));
    let [a, b, c] = maps;
    assert_eq!(sorted(a), want);
    assert_eq!(sorted(b.into_keys().map(|k| (k, ()))), want);
    let mut seen: Vec<u64> = c.into_values().map(|v| *v).collect();
    seen.sort();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert!(all.iter().all(|v| Arc::observer_count(v) == 0 && Arc::strong_count(v) == 1));
}

#[test]
fn owning_iterators_tell_cleared_for_each_entry() {
    let (tx, rx) = channel();
    let map: Map = Map::builder().on_removal(move |k: &String, cause| tx.send((k.clone(), cause)).unwrap()).build();
    let all = values(5);
    map.map_extend(&all);
    let mut keys: Vec<String> = map.into_keys().collect();
    keys.sort();
    let mut told: Vec<(String, Cause)> = rx.iter().collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, keys.into_iter().map(|k| (k, Cause::Cleared)).collect::<Vec<_>>());
}

#[test]
fn constructors_make_empty_maps_that_allocate_on_the_first_write() {
    let maps = [Map::new(), Map::default(), Map::with_hasher(Default::default()), Map::builder().build()];
    for map in maps {
        assert_eq!((map.len(), map.capacity(), map.get("k")), (0, 0, None));
    }
    assert!(Map::with_capacity(100).capacity() >= 100);
    assert!(Map::with_capacity_and_hasher(100, Default::default()).capacity() >= 100);
    static MAP: WeakValueMap<String, u64, Good> = WeakValueMap::with_hasher(Good::new());
    let a = Arc::new(1);
    MAP.insert("k".into(), &a);
    assert_eq!(MAP.get("k"), Some(a));
}

#[test]
fn a_builder_sets_hasher_capacity_shards_and_listener() {
    let (tx, rx) = channel();
    let builder: Builder<Map> = Map::builder();
    let map = builder
        .capacity(100)
        .shards(5)
        .on_removal(move |k: &String, cause| tx.send((k.clone(), cause)).unwrap())
        .hasher(Constant::default())
        .build();
    assert!(map.capacity() >= 100 && map.shards() == 8);
    map.insert("k".into(), &Arc::new(1));
    assert_eq!(rx.try_recv(), Ok(("k".to_string(), Cause::Died)));
    drop(map);
    assert!(rx.recv().is_err(), "the listener went with its map");
}

#[test]
#[should_panic(expected = "shards")]
fn no_shards_is_a_mistake() {
    let _ = Map::builder().shards(0);
}

#[test]
#[should_panic(expected = "shards")]
fn too_many_shards_is_a_mistake() {
    let _ = Map::builder().shards((1 << 16) + 1);
}

#[test]
#[should_panic(expected = "reserve")]
fn reserve_beyond_memory_panics() {
    Map::new().reserve(usize::MAX / 2);
}

#[test]
fn filling_takes_owned_and_borrowed_arcs() {
    let all = values(4);
    let mut map: Map = all.iter().map(|v| (key(**v), v)).collect();
    Extend::extend(&mut map, [(key(10), all[0].clone())]);
    Extend::extend(&mut map, [(key(11), &all[0])]);
    Extend::extend(&mut &map, [(key(12), &all[0])]);
    map.extend([(key(13), all[0].clone())]);
    map.extend([(key(14), &all[0])]);
    assert_eq!(map.len(), 9);
    let owned: Map = all.iter().map(|v| (key(**v), v.clone())).collect();
    assert_eq!(owned.len(), 4);
    assert_eq!(Map::from([("a".into(), &all[0]), ("a".into(), &all[1])]).get("a"), Some(all[1].clone()));
    assert_eq!(Map::from([("a".to_string(), Arc::new(1))]).len(), 0, "nobody else holds it");
}

#[test]
fn a_clone_is_independent() {
    let all = values(10);
    let map = filled(&all);
    let copy = map.clone();
    assert_eq!(copy, map);
    copy.remove("1");
    map.remove("2");
    assert_eq!((copy.len(), map.len()), (9, 9));
    assert_ne!(copy, map);
    drop(all);
    assert!(copy.is_empty() && map.is_empty());
}

#[test]
fn unions_let_the_right_side_win() {
    let (a, b, c) = (Arc::new(1), Arc::new(2), Arc::new(3));
    let left = Map::from([("k".into(), &a), ("l".into(), &b)]);
    let right = Map::from([("l".into(), &c), ("m".into(), &a)]);
    let mut joined = &left | &right;
    let want = BTreeMap::from([("k".to_string(), 1), ("l".to_string(), 3), ("m".to_string(), 1)]);
    assert_eq!(joined.iter().map(|(k, v)| (k, *v)).collect::<BTreeMap<_, _>>(), want);
    assert_eq!((left.len(), right.len()), (2, 2));
    joined |= &left;
    assert_eq!(joined.get("l"), Some(b));
}

#[test]
fn comparing_looks_at_live_items() {
    let all = values(6);
    let (map, same) = (filled(&all), filled(&all));
    let equal = values(6);
    assert!(map == same && map == filled(&equal), "by the values' `==`");
    assert!(map.pin() == same.pin());
    same.remove("3");
    assert!(map != same && same.is_submap(&map) && !map.is_submap(&same));
    assert!(same.domain_is_subset(&map) && !map.domain_is_subset(&same));
    let six = Arc::new(6);
    same.insert("3".into(), &six);
    assert!(!map.is_submap(&same) && map.domain_is_subset(&same));
    drop(six);
    map.remove("3");
    assert!(map == same, "a dead entry is not compared");
    let other_hasher: WeakValueMap<String, u64, FourBit> = all.iter().map(|v| (key(**v), v)).collect();
    assert!(map.is_submap(&other_hasher) && map.domain_is_subset(&other_hasher));
}

#[test]
fn a_subscription_is_bounded_and_counts_what_it_drops() {
    let map: WeakValueMap<u64, u64> = WeakValueMap::new();
    let removals = map.removals();
    let n = Removals::<u64>::CAPACITY as u64 + 5;
    for i in 0..n {
        map.insert(i, &Arc::new(i));
    }
    assert_eq!(removals.dropped(), 5);
    let told: Vec<u64> = removals.try_iter().map(|(k, _)| k).collect();
    assert_eq!(told, (0..n - 5).collect::<Vec<_>>(), "the newest was dropped, the order is kept");
    assert_eq!(map.stats().died, n);
}

#[test]
fn subscriptions_are_each_told_and_end_when_dropped() {
    let (tx, rx) = channel();
    let map: Map = Map::builder().on_removal(move |k: &String, _| tx.send(k.clone()).unwrap()).build();
    let (first, second) = (map.removals(), map.removals());
    map.insert("a".into(), &Arc::new(1));
    drop(first);
    map.insert("b".into(), &Arc::new(1));
    assert_eq!(second.try_iter().map(|(k, _)| k).collect::<Vec<_>>(), ["a", "b"]);
    drop(second);
    map.insert("c".into(), &Arc::new(1));
    drop(map);
    assert_eq!(rx.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_subscription_outlives_its_map_and_hears_of_its_end() {
    let map = Map::new();
    let removals = map.removals();
    let a = Arc::new(1);
    map.insert("k".into(), &a);
    drop(map);
    assert_eq!(removals.try_iter().collect::<Vec<_>>(), [("k".to_string(), Cause::Cleared)]);
    drop(a);
    assert_eq!(removals.try_next(), None);
}

#[test]
fn dropping_a_map_lets_go_of_the_values() {
    let a = Arc::new(1);
    let map = Map::from([("k".into(), &a), ("l".into(), &a)]);
    assert_eq!(Arc::observer_count(&a), 2);
    drop(map);
    assert_eq!((Arc::observer_count(&a), Arc::strong_count(&a)), (0, 1));
    flush_until("the entries' weak counts are given back", || Arc::weak_count(&a) == 0);
    let mut a = a;
    assert!(Arc::get_mut(&mut a).is_some());
}

#[test]
fn observers_name_the_line_that_inserted() {
    let map = Map::new();
    let a = Arc::new(1);
    let first = line!() + 1;
    map.insert("a".into(), &a);
    map.pin().insert("b".into(), &a);
    map.try_insert("c".into(), &a).unwrap();
    map.get_or_insert("d".into(), a.clone());
    map.get_or_insert_with("e".into(), |_| a.clone());
    map.get_or_insert_with_ref("f", |_| a.clone());
    map.compute("g".into(), |_| Compute::Insert(a.clone()));
    map.extend([("h".to_string(), &a)]);
    let infos = Arc::observers(&a);
    assert!(infos.iter().all(|info| info.kind == ObserverKind::ValueEntry && info.location.file() == file!()));
    let lines: Vec<u32> = infos.iter().rev().map(|info| info.location.line()).collect();
    assert_eq!(lines, (first..first + 8).collect::<Vec<_>>());
}

#[test]
fn every_hasher_finds_every_key() {
    fn check<S: BuildHasher + Default + Clone + 'static>(n: u64) {
        let map: WeakValueMap<u64, u64, S> = WeakValueMap::default();
        let mut all = values(n);
        for v in &all {
            map.insert(**v, v);
        }
        assert_eq!(map.len() as u64, n);
        assert!((0..n).all(|i| map.get(&i).as_deref() == Some(&i)) && map.get(&n).is_none());
        all.retain(|v| **v % 2 == 0);
        assert!((0..n).all(|i| map.contains_key(&i) == (i % 2 == 0)));
        for v in &all {
            assert!(map.remove(&**v).is_some());
        }
        assert_eq!((map.len(), map.iter().count(), map.stats().died), (0, 0, n / 2));
    }
    let _dog = watchdog();
    check::<Good>(sized(10_000, 100) as u64);
    check::<FourBit>(sized(2_000, 60) as u64);
    check::<Constant>(sized(1_000, 40) as u64); // more than an overflow count can hold
}

#[test]
fn saturated_overflow_counts_are_rebuilt_and_lose_nothing() {
    let _dog = watchdog();
    let n = sized(3_000, 300) as u64; // far beyond 255 nodes that went past the home bucket
    let map: WeakValueMap<u64, u64, Constant> = WeakValueMap::builder().shards(1).hasher(Constant::default()).build();
    let steady = Arc::new(n + 1);
    map.insert(n + 1, &steady);
    for _ in 0..sized(3, 1) {
        let mut all = values(n);
        for v in &all {
            map.insert(**v, v);
        }
        while all.len() > 10 {
            all.truncate(all.len() - all.len() / 3);
            assert!(all.iter().rev().take(5).all(|v| map.contains_key(&**v)));
        }
        assert_eq!(map.len(), all.len() + 1);
        assert!(map.contains_key(&(n + 1)));
    }
    assert_eq!(map.keys().collect::<Vec<_>>(), [n + 1]);
    assert!(map.capacity() < 64, "the table shrank: {}", map.capacity());
}

#[test]
fn tables_shrink_as_entries_die_and_keep_the_rest() {
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::new();
    let mut all = values(sized(20_000, 400) as u64);
    map.extend(all.iter().map(|v| (**v, v)));
    let full = map.capacity();
    all.truncate(10);
    assert!(map.capacity() < full / 4, "{} of {full}", map.capacity());
    assert!((0..10).all(|i| map.contains_key(&i)));
    drop(all);
    assert!(map.capacity() <= 8 * map.shards(), "a bucket a shard at most: {}", map.capacity());
}

#[test]
fn maps_are_send_sync_and_unwind_safe_where_their_parts_are() {
    fn all<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    all::<Map>();
    all::<generic::WeakValueMap<String, Arc<u64>, Good>>();
    fn send<T: Send + Sync>() {}
    send::<Removals<String>>();
}

#[test]
fn generic_code_takes_any_pointer() {
    fn put<A: weakly::Pointer<Target: 'static>>(map: &generic::WeakValueMap<u8, A>, a: &A) -> Option<A> {
        map.insert(1, a);
        map.get(&1)
    }
    assert_eq!(put(&WeakValueMap::new(), &Arc::new(5)), Some(Arc::new(5)));
}

#[test]
fn zero_sized_and_over_aligned_values_have_entries_of_their_own() {
    #[repr(align(256))]
    struct Wide(u8);
    let units: Vec<Arc<()>> = (0..10).map(|_| Arc::new(())).collect();
    let map: WeakValueMap<usize, ()> = units.iter().enumerate().collect();
    assert_eq!(map.len(), 10);
    assert!(!map.remove_exact(&0, &Arc::downgrade(&units[1])));
    drop(units);
    assert!(map.is_empty());
    let map: WeakValueMap<u8, Wide> = WeakValueMap::new();
    let wide = Arc::new(Wide(7));
    map.insert(1, &wide);
    let got = map.get(&1).unwrap();
    assert_eq!((got.0, (&raw const *got).addr() % 256), (7, 0));
}

#[test]
fn unwrapping_a_value_takes_its_entry_out_first() {
    let (tx, rx) = channel();
    let map: Map = Map::builder().on_removal(move |k: &String, cause| tx.send((k.clone(), cause)).unwrap()).build();
    let a = Arc::new(5);
    map.insert("k".into(), &a);
    assert_eq!(Arc::try_unwrap(a), Ok(5));
    assert_eq!((map.len(), map.get("k"), rx.try_recv()), (0, None, Ok(("k".to_string(), Cause::Died))));
    let b = Arc::new(6);
    map.insert("k".into(), &b);
    assert_eq!(Arc::into_inner(b), Some(6));
    assert_eq!((map.len(), map.stats().died), (0, 2));
}
