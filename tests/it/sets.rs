//! `WeakSet` and `PtrWeakSet`: one body for both, with each hasher, on both faces; algebra.

use crate::common::{Constant, Good, sized};
use crate::kinds::{kinds, sorted, text, texts, whole};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc as StdArc, Mutex};
use weakly::{Arc, Cause, Cursor, ObserverKind, PtrWeakSet, Weak, WeakSet, unsize};

type ByEq<S> = WeakSet<String, S>;
type ByAddress<S> = PtrWeakSet<String, S>;

const N: usize = sized(60, 9);

kinds! { ByEq, ByAddress;
    an_element_is_there_until_it_dies: |set| {
        let e = text(1);
        assert!(set.insert(&e) && !set.insert(&e));
        assert!(set.contains(&e) && set.contains(&*e) && !set.contains(&text(2)));
        assert!(Arc::ptr_eq(&set.get(&e).unwrap(), &e) && set.get(&text(2)).is_none());
        assert_eq!((set.len(), Arc::observer_count(&e), Arc::strong_count(&e)), (1, 1, 1));
        assert!(matches!(&Arc::observers(&e)[..], [info] if info.kind == ObserverKind::SetEntry && info.location.file() == file!()));
        let weak = Arc::downgrade(&e);
        drop(e);
        let equal = text(1);
        assert!(!set.contains(&equal) && set.get(&equal).is_none() && !set.remove(&equal) && set.take(&equal).is_none());
        assert!(!set.remove_exact(&weak) && set.pop().is_none() && set.iter().next().is_none());
        assert!(set.insert(&equal), "a dead element is not in the way");
        assert_eq!((set.len(), set.stats().died), (1, 1));
    }

    elements_are_taken_out: |set| {
        let all = texts(6);
        all.iter().for_each(|e| assert!(set.insert(e)));
        assert!(set.remove(&all[0]) && !set.remove(&all[0]) && !set.contains(&all[0]));
        assert!(Arc::ptr_eq(&set.take(&*all[1]).unwrap(), &all[1]) && set.take(&all[1]).is_none());
        assert!(!set.remove_exact(&Arc::downgrade(&text(2))) && !set.remove_exact(&Weak::new()));
        assert!(set.remove_exact(&Arc::downgrade(&all[2])) && !set.remove_exact(&Arc::downgrade(&all[2])));
        let popped = set.pop().unwrap();
        assert!(all[3..].iter().any(|e| Arc::ptr_eq(e, &popped)));
        set.clear();
        assert_eq!((set.len(), set.stats().removed, set.stats().cleared), (0, 4, 2));
        assert!(all.iter().all(|e| Arc::observer_count(e) == 0));
    }

    replace_keeps_the_new_object: |set| {
        let (e, f) = (text(1), text(2));
        assert!(set.replace(&e).is_none());
        assert!(Arc::ptr_eq(&set.replace(&e).unwrap(), &e) && set.replace(&f).is_none());
        assert_eq!((set.len(), set.stats().replaced, Arc::observer_count(&e)), (2, 1, 1));
    }

    the_hashed_forms_do_the_same: |set| {
        let (e, hash) = (text(1), set.hasher().hash_one(0));
        assert!(set.insert_hashed(hash, &e) && !set.insert_hashed(hash, &e));
        assert!(Arc::ptr_eq(&set.get_hashed(hash, &e).unwrap(), &e) && set.get_hashed(hash, &*e).is_some());
    }

    walks_show_every_live_element_once: |set| {
        let mut all = texts(2 * N);
        all.iter().for_each(|e| assert!(set.insert(e)));
        all.truncate(N);
        let whole = sorted(all.iter().cloned());
        assert_eq!(sorted(set.iter()), whole);
        assert_eq!(sorted(set.snapshot()), whole);
        assert_eq!(sorted(set.weak_iter().map(|e: Weak<String>| e.upgrade().unwrap())), whole);
        let mut each = Vec::new();
        set.for_each(|e| each.push(e.clone()));
        assert_eq!(sorted(each), whole);
        let (mut scanned, mut from) = (Vec::new(), Some(Cursor::default()));
        while let Some(cursor) = from {
            let page = set.scan(cursor, 2);
            scanned.extend(page.items);
            from = page.next;
        }
        assert_eq!(sorted(scanned), whole);
        set.retain(|e| e.len() == 1);
        let low = N.min(10);
        assert_eq!(set.len(), low);
        assert_eq!(set.extract_if(|e| e.as_str() < "5").count() + set.drain().count(), low);
        assert_eq!((set.len(), set.stats().removed, set.stats().died), (0, N as u64, N as u64));
    }

    room_is_made_and_given_back: |set| {
        assert_eq!((set.capacity(), set.is_empty(), set.pending_removals(), set.run_pending_removals()), (0, true, 0, 0));
        set.reserve(1_000);
        assert!(set.capacity() >= 1_000 && set.try_reserve(usize::MAX).is_err() && set.shards().is_power_of_two());
        set.shrink_to(100);
        set.shrink_to_fit();
        assert_eq!(set.capacity(), 0);
    }

    notices_come_as_weak: |set| {
        let removals = set.removals();
        let all = texts(3);
        all.iter().for_each(|e| assert!(set.insert(e)));
        let weak: Vec<_> = all.iter().map(Arc::downgrade).collect();
        let [a, b, c] = <[_; 3]>::try_from(all).unwrap();
        drop(a);
        set.remove(&b);
        set.clear();
        let told: Vec<(Weak<String>, Cause)> = removals.try_iter().collect();
        assert_eq!(told, weak.into_iter().zip([Cause::Died, Cause::Removed, Cause::Cleared]).collect::<Vec<_>>());
        drop(c);
    }
}

whole! { WeakSet, PtrWeakSet;
    made_in_every_way: {
        let all = texts(3);
        let made: [Map<String>; 5] = [all.iter().collect(), all.iter().cloned().collect(), Map::from([&all[0], &all[1], &all[2]]), all.clone().into_iter().collect(), Map::default()];
        made[4].extend(&all);
        made[4].extend(all.clone());
        assert!(made.iter().all(|set| set.len() == 3 && *set == made[0] && set.pin() == made[0].pin()));
        let owned = Map::from([all[0].clone(), all[0].clone()]);
        assert_eq!((owned.len(), format!("{owned:?} {:?}", owned.pin())), (1, r#"{"0"} {"0"}"#.to_string()));
        assert!(Map::<u8>::with_capacity(100).capacity() >= 100 && Map::<u8, _>::with_capacity_and_hasher(9, Good::default()).capacity() >= 9);
        let told = StdArc::new(Mutex::new(Vec::new()));
        let seen = told.clone();
        let built: Map<String> = Map::builder().shards(1).on_removal(move |e: &Weak<String>, cause| seen.lock().unwrap().push((e.clone(), cause))).build();
        built.extend(&all);
        assert_eq!(sorted(built.into_iter()), all);
        assert!(told.lock().unwrap().iter().all(|t| t.1 == Cause::Cleared) && told.lock().unwrap().len() == 3);
        drop(all);
        assert!(made.iter().all(|set| set.is_empty()));
    }

    algebra_is_that_of_strong_sets: {
        let all = texts(8);
        for (l, r) in (0..256usize).step_by(sized(7, 60)).flat_map(|l| (0..256).step_by(sized(11, 60)).map(move |r| (l, r))) {
            let of = |bits: usize| all.iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, e)| e);
            let (left, right): (Map<String>, Map<String>) = (of(l).collect(), of(r).collect());
            let (a, b): (BTreeSet<_>, BTreeSet<_>) = (of(l).cloned().collect(), of(r).cloned().collect());
            let strong = |set: Map<String>| set.iter().collect::<BTreeSet<_>>();
            assert_eq!(strong(left.union(&right)), &a | &b);
            assert_eq!(strong(left.intersection(&right)), &a & &b);
            assert_eq!(strong(left.difference(&right)), &a - &b);
            assert_eq!(strong(left.symmetric_difference(&right)), &a ^ &b);
            assert_eq!([strong(&left | &right), strong(&left & &right), strong(&left - &right), strong(&left ^ &right)], [&a | &b, &a & &b, &a - &b, &a ^ &b]);
            assert_eq!((left.is_subset(&right), left.is_superset(&right), left.is_disjoint(&right)), (a.is_subset(&b), a.is_superset(&b), a.is_disjoint(&b)));
            assert_eq!(left == right, a == b);
            let mut changed = [left.clone(), left.clone(), left.clone(), left.clone()];
            changed[0] |= &right;
            changed[1] &= &right;
            changed[2] -= &right;
            changed[3] ^= &right;
            assert_eq!(changed.map(strong), [&a | &b, &a & &b, &a - &b, &a ^ &b]);
        }
    }

    a_shared_set_is_changed_in_place_also_by_itself: {
        let all = texts(20);
        let set: Map<String> = all.iter().collect();
        let other: Map<String> = all[15..].iter().collect();
        let mut shared = &set;
        shared |= &set;
        shared &= &set;
        assert_eq!(set.len(), 20);
        shared -= &other;
        assert_eq!(set.len(), 15);
        shared ^= &other;
        assert_eq!(set.len(), 20);
        shared ^= &set;
        assert_eq!(set.len(), 0);
        shared |= &other;
        shared -= &set;
        assert_eq!((set.len(), other.len()), (0, 5));
        assert!(set.is_subset(&set) && set.is_disjoint(&set) && !other.is_disjoint(&other) && &other - &other == set);
    }

    results_are_watched: {
        let all = texts(4);
        let (left, right): (Map<String>, Map<String>) = (all[..3].iter().collect(), all[1..].iter().collect());
        let results = [&left | &right, &left & &right, &left - &right, &left ^ &right, left.clone()];
        assert_eq!(results.each_ref().map(|set| set.len()), [4, 2, 1, 2, 3]);
        assert!(all.iter().all(|e| Arc::strong_count(e) == 1));
        drop(all);
        assert!(results.iter().all(|set| set.is_empty()));
    }

    elements_without_a_known_or_any_size: {
        let (text, bytes): (Arc<str>, Arc<[u8]>) = ("t".into(), Arc::from([1]));
        let (texts, slices): (Map<str>, Map<[u8]>) = (Map::from([&text]), Map::from([&bytes]));
        assert!(texts.contains(&text) && texts.contains(&*text) && slices.contains(&bytes) && slices.contains(&*bytes));
        assert_eq!(texts.pin().read(&text).as_deref(), Some("t"));
        let units = [Arc::new(()), Arc::new(())];
        let set: Map<()> = units.iter().collect();
        assert!(units.iter().all(|unit| set.contains(unit)) && !set.is_empty());
        drop((text, bytes, units));
        assert!(texts.is_empty() && slices.is_empty() && set.is_empty());
    }
}

#[test]
fn by_equality_there_is_one_canonical_object() {
    let (e, equal) = (text(1), text(1));
    let set = WeakSet::from([&e]);
    assert!(!set.insert(&equal) && set.contains("1") && set.contains(&equal));
    assert!(Arc::ptr_eq(&set.get("1").unwrap(), &e) && Arc::ptr_eq(&set.get(&equal).unwrap(), &e));
    assert_eq!(set.pin().read("1").unwrap().len(), 1);
    assert!(Arc::ptr_eq(&set.get_or_insert("1".to_string()), &e) && Arc::ptr_eq(&set.get_or_insert(equal.clone()), &e));
    assert!(Arc::ptr_eq(&set.get_or_insert_with("1", |_| unreachable!()), &e));
    assert!(!set.remove_exact(&Arc::downgrade(&equal)));
    assert!(Arc::ptr_eq(&set.replace(&equal).unwrap(), &e), "but `replace` takes the new one");
    assert!(Arc::ptr_eq(&set.take("1").unwrap(), &equal));
    assert_eq!(set.get_or_try_insert_with("1", |_| Err("no")), Err("no"));
    let made = set.get_or_try_insert_with("1", |q| Ok::<_, ()>(Arc::new(q.to_string()))).unwrap();
    assert!(Arc::ptr_eq(&set.get("1").unwrap(), &made) && set.len() == 1);
}

/// A loader of a set may make what is there already: one winner, whose object all get.
#[test]
fn what_was_put_there_while_another_was_made_wins() {
    let set: WeakSet<String> = WeakSet::new();
    let first = text(1);
    let got = set.get_or_insert_with("1", |_| {
        assert!(set.insert(&first));
        text(1)
    });
    assert!(Arc::ptr_eq(&got, &first) && set.len() == 1);
}

#[test]
fn by_address_equal_objects_are_two() {
    let (e, equal) = (text(1), text(1));
    let set = PtrWeakSet::from([&e]);
    assert!(!set.contains(&equal) && !set.contains(&*equal) && !set.contains(&Arc::downgrade(&equal)));
    assert!(set.contains(&Arc::downgrade(&e)) && set.insert(&equal) && set.len() == 2);
    assert!(set.replace(&e).is_some_and(|old| Arc::ptr_eq(&old, &e)) && set.remove(&Arc::downgrade(&e)));
    assert!(set.pin().take(&*equal).is_some() && set.is_empty());
    let objects: [Arc<dyn Send + Sync>; 3] = [unsize!(Arc::new(())), unsize!(Arc::new(())), unsize!(Arc::new(5))];
    let set: PtrWeakSet<dyn Send + Sync> = objects.iter().collect();
    assert!(objects.iter().all(|e| set.contains(e) && set.contains(&Arc::downgrade(e))) && set.len() == 3);
}

#[test]
fn a_part_that_begins_where_the_element_does_is_another() {
    let long: Arc<str> = Arc::from("longer");
    let set: WeakSet<str, Constant> = [&long].into_iter().collect();
    assert!(set.contains(&*long) && !set.contains(&long[..4]) && set.take(&long[..1]).is_none());

    /// Of the same name, and so of the same hash, as its part.
    trait Named: Send + Sync {
        fn kind(&self) -> &str;
    }
    impl Hash for dyn Named {
        fn hash<H: Hasher>(&self, state: &mut H) {
            "ann".hash(state);
        }
    }
    impl PartialEq for dyn Named {
        fn eq(&self, other: &Self) -> bool {
            self.kind() == other.kind()
        }
    }
    impl Eq for dyn Named {}
    struct Part(u8);
    impl Named for Part {
        fn kind(&self) -> &str {
            "part"
        }
    }
    struct Whole([Part; 2]);
    impl Named for Whole {
        fn kind(&self) -> &str {
            "whole"
        }
    }
    let ann = Arc::new(Whole([Part(1), Part(2)]));
    let whole = unsize!(ann.clone() => dyn Named);
    let set: WeakSet<dyn Named> = WeakSet::from([&whole]);
    let first: &dyn Named = &ann.0[0];
    assert!(set.contains(&whole) && set.contains(&*whole) && !set.contains(first), "{}", ann.0[0].0);
}

#[test]
fn results_hold_the_left_sides_objects() {
    let (ours, theirs) = (texts(4), texts(4));
    let (left, right): (WeakSet<String>, WeakSet<String>) = (ours[..3].iter().collect(), theirs[1..].iter().collect());
    let is_ours = |set: &WeakSet<String>, n: usize| Arc::ptr_eq(&set.get(&*n.to_string()).unwrap(), &ours[n]);
    let (or, and) = (&left | &right, &left & &right);
    assert!((0..3).all(|n| is_ours(&or, n)) && Arc::ptr_eq(&or.get("3").unwrap(), &theirs[3]));
    assert!([1, 2].iter().all(|&n| is_ours(&and, n)) && is_ours(&(&left - &right), 0));
    let mut shared = &left;
    shared |= &right;
    assert!((0..3).all(|n| is_ours(&left, n)) && left.len() == 4);
    shared &= &right;
    assert!([1, 2].iter().all(|&n| is_ours(&left, n)) && left.len() == 3);
    drop(theirs);
    assert_eq!((or.len(), and.len(), left.len()), (3, 2, 2));
}
