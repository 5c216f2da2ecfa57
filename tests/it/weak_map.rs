//! `WeakWeakMap` and `PtrWeakWeakMap`: one body for both, with each hasher, on both faces.

use crate::common::{Counted, Hooked, Tally, assert_unpinned, panics_as_planned, planned, sized, together};
use crate::kinds::{kinds, sorted, text, texts, whole};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex};
use std::thread;
use weakly::{Arc, Cause, Compute, Computed, Cursor, ObserverKind, PtrWeakWeakMap, Weak, WeakWeakMap};

type ByEq<S> = WeakWeakMap<String, String, S>;
type ByAddress<S> = PtrWeakWeakMap<String, String, S>;

fn same(a: Option<Arc<String>>, b: &Arc<String>) -> bool {
    a.is_some_and(|a| Arc::ptr_eq(&a, b))
}

const N: usize = sized(60, 9);

kinds! { ByEq, ByAddress;
    the_death_of_either_takes_the_entry_out: |map| {
        let [k, l, m] = [1, 2, 3].map(text);
        let [v, w, x] = [1, 2, 3].map(text);
        for (k, v) in [(&k, &v), (&l, &w), (&m, &x)] {
            assert!(map.insert(k, v).is_none());
        }
        assert_eq!((map.len(), Arc::observer_count(&k), Arc::observer_count(&v)), (3, 1, 1));
        drop(k);
        assert_eq!((map.len(), Arc::observer_count(&v)), (2, 0));
        drop(w);
        assert_eq!((map.len(), Arc::observer_count(&l)), (1, 0));
        assert!(map.get(&l).is_none() && !map.contains_key(&l) && map.remove(&l).is_none());
        assert_eq!((map.keys().count(), map.values().count(), map.iter().count()), (1, 1, 1));
        assert!(same(map.get(&m), &x));
        drop((m, x));
        assert_eq!((map.len(), map.stats().died, map.stats().pending_removals), (0, 3, 0), "once, though both died");
    }

    key_and_value_may_be_one_object: |map| {
        let k = text(1);
        assert!(map.insert(&k, &k).is_none());
        assert_eq!((map.len(), Arc::observer_count(&k), Arc::strong_count(&k)), (1, 2, 1), "twice in one list");
        assert!(same(map.get(&k), &k) && same(map.insert(&k, &k), &k));
        assert_eq!((map.len(), Arc::observer_count(&k)), (1, 2));
        let kinds = sorted(Arc::observers(&k).into_iter().map(|info| format!("{:?}", info.kind)));
        assert_eq!(kinds, sorted([ObserverKind::KeyEntry, ObserverKind::ValueEntry].map(|kind| format!("{kind:?}"))));
        assert!(same(map.remove(&k), &k));
        assert_eq!((map.len(), Arc::observer_count(&k)), (0, 0));
        map.insert(&k, &k);
        drop(k);
        assert_eq!((map.len(), map.stats().died, map.stats().removed, map.stats().replaced), (0, 1, 1, 1));
    }

    one_object_may_be_key_and_value_of_many: |map| {
        let all = texts(N);
        let hub = text(1_000);
        for k in &all {
            map.insert(k, &hub);
        }
        map.insert(&hub, &all[0]);
        assert_eq!((map.len(), Arc::observer_count(&hub)), (N + 1, N + 1));
        drop(hub);
        assert_eq!((map.len(), map.stats().died), (0, N as u64 + 1));
        assert!(all.iter().all(|k| Arc::observer_count(k) == 0));
    }

    writes_of_one_key: |map| {
        let (k, [v, w]) = (text(1), [1, 2].map(text));
        assert_eq!(map.try_insert(&k, &v), Ok(()));
        assert!(Arc::ptr_eq(&map.try_insert(&k, &w).unwrap_err(), &v));
        assert!(Arc::ptr_eq(&map.get_or_insert(&k, w.clone()), &v));
        assert!(same(map.insert(&k, &w), &v) && same(map.get(&*k), &w));
        assert!(!map.remove_exact(&k, &Arc::downgrade(&v)) && !map.remove_exact(&k, &Weak::new()));
        assert!(map.remove_exact(&k, &Arc::downgrade(&w)) && !map.remove_exact(&k, &Arc::downgrade(&w)));
        assert_eq!(map.compute(&k, |there| { assert_eq!(there, None); Compute::Keep }), Computed::Kept(None));
        assert_eq!(map.compute(&k, |_| Compute::Insert(v.clone())), Computed::Inserted { old: None, new: v.clone() });
        let done = map.compute(&k, |there| { assert!(same(there, &v)); Compute::Insert(w.clone()) });
        assert_eq!(done, Computed::Inserted { old: Some(v.clone()), new: w.clone() });
        drop(done);
        assert_eq!(map.compute(&k, |_| Compute::Keep), Computed::Kept(Some(w.clone())));
        assert_eq!(map.compute(&k, |_| Compute::Remove), Computed::Removed(w.clone()));
        assert_eq!(Arc::strong_count(&v) + Arc::strong_count(&w) + Arc::strong_count(&k), 3);
        map.insert(&k, &v);
        assert!(map.remove_if(&k, |_, _| false).is_none());
        assert!(same(map.remove_if(&k, |there, value| Arc::ptr_eq(there, &k) && Arc::ptr_eq(value, &v)), &v));
        map.insert(&k, &v);
        let (there, value) = map.remove_entry(&k).unwrap();
        assert!(Arc::ptr_eq(&there, &k) && Arc::ptr_eq(&value, &v) && map.is_empty());
    }

    compute_runs_again_if_an_object_dies_meanwhile: |map| {
        let k = text(1);
        let mut v = Some(text(1));
        map.insert(&k, v.as_ref().unwrap());
        let mut seen = Vec::new();
        let w = text(2);
        map.compute(&k, |there| {
            seen.push(there.is_some());
            drop(there);
            if v.take().is_some() {
                map.remove(&k);
            }
            Compute::Insert(w.clone())
        });
        assert_eq!((seen, map.len()), (vec![true, false], 1));
        assert!(same(map.get(&k), &w));
    }

    the_hashed_forms_do_the_same: |map| {
        let (k, v) = (text(1), text(2));
        let hash = map.hasher().hash_one(0);
        assert!(map.insert_hashed(hash, &k, &v).is_none() && same(map.get_hashed(hash, &k), &v));
        assert!(same(map.remove_hashed(hash, &*k), &v) && map.get_hashed(hash, &k).is_none());
    }

    walks_and_what_takes_out: |map| {
        let (keys, mut values) = (texts(N), texts(2 * N));
        for (n, k) in keys.iter().enumerate() {
            map.insert(k, &values[n]);
        }
        map.insert(&text(5_000), &values[0]); // its key dies at once
        values.truncate(N);
        let whole: Vec<_> = keys.iter().cloned().zip(values.iter().cloned()).collect();
        let whole = sorted(whole);
        assert_eq!(sorted(map.iter()), whole);
        assert_eq!(sorted(map.snapshot()), whole);
        assert_eq!(sorted(map.keys()), sorted(keys.iter().cloned()));
        assert_eq!(sorted(map.values()), sorted(values.iter().cloned()));
        assert_eq!(sorted(map.weak_keys().map(|k| k.upgrade().unwrap())), sorted(keys.iter().cloned()));
        assert_eq!(sorted(map.weak_values().map(|v| v.upgrade().unwrap())), sorted(values.iter().cloned()));
        let mut each = Vec::new();
        map.for_each(|k, v| each.push((k.clone(), v.clone())));
        assert_eq!(sorted(each), whole);
        let (mut scanned, mut from) = (Vec::new(), Some(Cursor::default()));
        while let Some(cursor) = from {
            let page = map.scan(cursor, 2);
            scanned.extend(page.items);
            from = page.next;
        }
        assert_eq!(sorted(scanned), whole);
        let odd = |k: &Arc<String>| k.parse::<usize>().unwrap() % 2 == 1;
        map.retain(|k, v| { assert_eq!(k, v); !odd(k) });
        assert_eq!(map.len(), N.div_ceil(2));
        let popped = map.pop().unwrap();
        assert_eq!(map.extract_if(|k, _| *k < popped.0).count() + map.drain().count(), N.div_ceil(2) - 1);
        whole.iter().for_each(|(k, v)| assert!(map.insert(k, v).is_none()));
        map.clear();
        let stats = map.stats();
        assert_eq!((stats.len, stats.died, stats.removed, stats.cleared), (0, 1, N as u64, N as u64));
    }

    notices_come_as_weak_keys: |map| {
        let removals = map.removals();
        let (keys, values) = (texts(4), texts(4));
        for (k, v) in keys.iter().zip(&values) {
            map.insert(k, v);
        }
        let weak: Vec<_> = keys.iter().map(Arc::downgrade).collect();
        let ([a, b, c, d], [w, x, y, z]) = (<[_; 4]>::try_from(keys).unwrap(), <[_; 4]>::try_from(values).unwrap());
        drop(a); // a key dies
        drop(x); // a value dies
        map.insert(&c, &z);
        map.remove(&d);
        map.clear();
        let told: Vec<(Weak<String>, Cause)> = removals.try_iter().collect();
        let of = |n: usize| told.iter().filter(|t| t.0 == weak[n]).map(|t| t.1).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2), of(3)], [vec![Cause::Died], vec![Cause::Died], vec![Cause::Replaced, Cause::Cleared], vec![Cause::Removed]]);
        assert!(weak[0].upgrade().is_none() && weak[1].upgrade().is_some(), "the value's death leaves the key alive");
        drop((b, w, y));
    }
}

whole! { WeakWeakMap, PtrWeakWeakMap;
    made_copied_joined_and_compared: {
        let (keys, values) = (texts(3), texts(3));
        let borrowed = || keys.iter().zip(&values);
        let owned = || keys.iter().cloned().zip(values.iter().cloned());
        let made: [Map<String, String>; 4] = [borrowed().collect(), owned().collect(), Map::from([(&keys[0], &values[0]), (&keys[1], &values[1]), (&keys[2], &values[2])]), Map::default()];
        made[3].extend(borrowed());
        made[3].extend(owned());
        assert!(made.iter().all(|map| map.len() == 3 && *map == made[0] && map.pin() == made[0].pin()));
        let part = Map::from([(&keys[0], &values[1])]);
        assert!(part.domain_is_subset(&made[0]) && !part.is_submap(&made[0]) && part != made[0]);
        let joined = &made[0] | &part;
        assert!(same(joined.get(&keys[0]), &values[1]) && joined.len() == 3, "the right side wins");
        let mut mine = part.clone();
        mine |= &made[0];
        assert!(mine == made[0] && format!("{part:?} {:?}", part.pin()) == r#"{"0": "1"} {"0": "1"}"#);
        let mut owners = made[0].clone().into_iter().collect::<Vec<_>>();
        owners.sort();
        assert_eq!(owners, owned().collect::<Vec<_>>());
        assert_eq!((sorted(made[1].clone().into_keys()), sorted(made[1].clone().into_values())), (keys.clone(), values.clone()));
        drop((owners, values));
        assert!(made.iter().chain([&mine, &part, &joined]).all(|map| map.is_empty()), "every copy is watched");
    }

    unsized_objects: {
        let (k, v): (Arc<str>, Arc<[u8]>) = ("k".into(), Arc::from([1, 2]));
        let map: Map<str, [u8]> = Map::from([(&k, &v)]);
        assert_eq!((map.get(&k), map.get(&*k)), (Some(v.clone()), Some(v.clone())));
        assert_eq!(map.pin().read(&*k).as_deref(), Some(&[1, 2][..]));
        drop(v);
        assert!(map.is_empty());
    }

    objects_without_a_size: {
        let (a, b) = (Arc::new(()), Arc::new(()));
        let map = Map::from([(&a, &b)]);
        assert!(Arc::ptr_eq(&map.get(&a).unwrap(), &b) && Arc::ptr_eq(&map.get(&*a).unwrap(), &b));
        drop(b);
        assert!(map.is_empty());
    }

    /// An entry ends in P2's order: out of every collection, then callbacks, then the object.
    entries_are_out_before_callbacks: {
        let map: StdArc<Map<Hooked, Hooked>> = StdArc::new(Map::new());
        let log = StdArc::new(Mutex::new(Vec::new()));
        for value_dies in [false, true] {
            let (k, v) = (Arc::new(Hooked::new(1)), Arc::new(Hooked::new(2)));
            map.insert(&k, &v);
            let (dying, other) = if value_dies { (v, k) } else { (k, v) };
            let (seen, there) = (log.clone(), map.clone());
            Arc::observe(&dying, move |_| seen.lock().unwrap().push(("callback", there.len()))).detach();
            let (seen, there) = (log.clone(), map.clone());
            dying.on_drop.set(move || {
                assert_unpinned();
                seen.lock().unwrap().push(("object", there.len()));
            });
            drop(dying);
            assert_eq!(Arc::observer_count(&other), 0);
        }
        assert_eq!(*log.lock().unwrap(), [("callback", 0), ("object", 0)].repeat(2));
    }

    a_cold_key_is_loaded_once: {
        let (threads, tally) = (sized(16, 3), Tally::new());
        for _ in 0..sized(50, 2) {
            let (map, loads): (Map<Hooked, Counted>, _) = (Map::new(), AtomicUsize::new(0));
            let (keys, got) = ([1, 2, 3].map(|n| Arc::new(Hooked::new(n))), Mutex::new(Vec::new()));
            together(threads, |i| for n in 0..3 {
                let key = &keys[(i + n) % 3];
                let value = map.get_or_insert_with(key, |object| {
                    assert_unpinned();
                    loads.fetch_add(1, SeqCst);
                    Arc::new(Counted::new(object.n, &tally))
                });
                assert_eq!(value.id, key.n);
                got.lock().unwrap().push(value);
            });
            assert_eq!((loads.load(SeqCst), map.len(), tally.left()), (3, 3, 3));
            drop(got);
            assert_eq!((map.len(), tally.left(), map.stats().died), (0, 0, 3), "flights keep nothing alive");
        }
    }

    after_a_load_that_fails_or_panics_another_loads: {
        let threads = sized(8, 3);
        for panics in [false, true] {
            let (map, key, loads, asked): (Map<Hooked, u64>, _, _, _) = (Map::new(), Arc::new(Hooked::new(1)), AtomicUsize::new(0), AtomicUsize::new(0));
            let got = Mutex::new(Vec::new());
            together(threads, |_| {
                asked.fetch_add(1, SeqCst);
                panics_as_planned(|| {
                    let answer = map.get_or_try_insert_with(&key, |_| {
                        let nth = loads.fetch_add(1, SeqCst);
                        while asked.load(SeqCst) < threads {
                            thread::yield_now();
                        }
                        match (nth, panics) {
                            (0, true) => planned(),
                            (0, false) => Err(()),
                            _ => Ok(Arc::new(nth as u64)),
                        }
                    });
                    got.lock().unwrap().extend(answer);
                });
            });
            let got = got.into_inner().unwrap();
            assert_eq!((loads.load(SeqCst), got.len(), map.len()), (2, threads - 1, 1));
            assert!(got.iter().all(|value| Arc::ptr_eq(value, &got[0])));
        }
    }

    what_was_put_there_during_a_load_wins: {
        let (map, key, v) = (Map::new(), text(1), text(2));
        let loaded = map.get_or_insert_with(&key, |key| {
            assert!(map.insert(key, &v).is_none());
            text(3)
        });
        assert!(Arc::ptr_eq(&loaded, &v) && same(map.get(&key), &v));
    }
}

#[test]
fn an_insert_over_an_equal_key_keeps_the_new_one() {
    let (v, w) = (text(1), text(2));
    for pinned in [false, true] {
        let (old, new) = (text(7), text(7));
        let map = WeakWeakMap::from([(&old, &v)]);
        let before = if pinned { map.pin().insert(&new, &w) } else { map.insert(&new, &w) };
        assert!(same(before, &v) && Arc::observer_count(&old) == 0);
        let (there, value) = map.pin().get_key_value("7").unwrap();
        assert!(Arc::ptr_eq(&there, &new) && Arc::ptr_eq(&value, &w));
        drop((old, there));
        assert!(same(map.get("7"), &w) && map.contains_key(&text(7)));
        drop(new);
        assert!(map.is_empty());
    }
}

#[test]
fn by_address_only_the_object_itself_is_found() {
    let (k, equal, v) = (text(1), text(1), text(2));
    let map = PtrWeakWeakMap::from([(&k, &v)]);
    assert!(same(map.get(&k), &v) && same(map.get(&*k), &v) && same(map.get(&Arc::downgrade(&k)), &v));
    assert!(map.get(&equal).is_none() && map.get(&*equal).is_none() && map.get(&Weak::new()).is_none());
    assert!(map.pin().read(&Arc::downgrade(&k)).is_some() && !map.pin().contains_key(&equal));
    map.insert(&equal, &v);
    assert_eq!((map.len(), Arc::observer_count(&v)), (2, 2));
}

/// Key and value die on two threads at once: the entry goes once, the books are exact.
#[test]
fn both_objects_die_at_once() {
    let _dog = crate::common::watchdog();
    let (by_eq, by_address): (WeakWeakMap<Hooked, Hooked>, PtrWeakWeakMap<Hooked, Hooked>) = Default::default();
    let rounds = sized(5_000, 15);
    for round in 0..rounds {
        let (k, v) = (Arc::new(Hooked::new(round as u64)), Arc::new(Hooked::new(0)));
        by_eq.insert(&k, &v);
        by_address.insert(&k, &v);
        by_address.insert(&v, &k);
        let both = [Mutex::new(Some(k)), Mutex::new(Some(v))];
        together(2, |i| drop(both[i].lock().unwrap().take()));
        assert_eq!(
            (by_eq.len(), by_address.len(), by_eq.pending_removals(), by_address.pending_removals()),
            (0, 0, 0, 0)
        );
    }
    assert_eq!((by_eq.stats().died, by_address.stats().died), (rounds as u64, 2 * rounds as u64));
}
