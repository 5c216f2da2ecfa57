//! `TestWeakSet`. Where CPython's methods take any iterable, ours take a set: a `WeakSet` of the iterable's elements.

use crate::common::{Object, impls, object, sized};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::thread;
use weakly::{Arc, ObserverKind, WeakSet};

/// CPython's `ustr`, a string that can be held weakly.
type Items = Vec<Arc<str>>;

fn items(chars: &str) -> Items {
    chars.chars().map(|c| Arc::from(c.to_string())).collect()
}

fn weak(items: &Items) -> WeakSet<str> {
    items.iter().collect()
}

fn of(iterable: impl IntoIterator<Item = Arc<str>>) -> WeakSet<str> {
    iterable.into_iter().collect()
}

/// `setUp`: the sets, and the items that keep their elements alive.
struct Fixture {
    items: Items,
    items2: Items,
    letters: Items,
    s: WeakSet<str>,
    obj: Arc<str>,
    fs: WeakSet<str>,
}

impl Fixture {
    fn new() -> Self {
        let (items_, obj) = (items("abc"), Arc::from("F"));
        let (s, fs) = (weak(&items_), WeakSet::from([&obj]));
        let letters = items("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        Fixture { items: items_, items2: items("xyz"), letters, s, obj, fs }
    }

    /// The set has of all letters those of which `is` is true; `is` gets whether it is in `items`, in `items2`.
    fn assert_has(&self, set: &WeakSet<str>, is: impl Fn(bool, bool) -> bool) {
        for c in &self.letters {
            assert_eq!(set.contains(c), is(self.items.contains(c), self.items2.contains(c)), "{c}");
        }
    }

    /// Every element is watched by the set: when it dies it leaves.
    fn assert_watches(mut self, set: &WeakSet<str>) {
        assert_eq!(set.iter().count(), set.len());
        let mut left = set.len();
        for kept in [&mut self.items, &mut self.items2, &mut self.letters] {
            while let Some(c) = kept.pop() {
                let is_in = set.get(&*c).is_some_and(|element| Arc::ptr_eq(&element, &c));
                left -= usize::from(is_in);
                drop(c);
                assert_eq!(set.len(), left);
            }
        }
        assert_eq!(left, 0);
    }
}

#[test]
fn test_len() {
    let Fixture { items, s, obj, fs, .. } = Fixture::new();
    assert_eq!(s.len(), items.len());
    assert_eq!(fs.len(), 1);
    drop(obj);
    assert_eq!(fs.len(), 0);
}

#[test]
fn test_contains() {
    let fixture = Fixture::new();
    fixture.assert_has(&fixture.s, |first, _| first);
    let Fixture { fs, obj, .. } = fixture;
    assert!(fs.contains(&obj) && fs.contains("F"));
    drop(obj);
    assert!(!fs.contains("F"));
}

/// The result is of CPython's `C(items2)`, for five kinds of `C`.
#[test]
fn test_union() {
    let f = Fixture::new();
    let u = f.s.union(&weak(&f.items2));
    f.assert_has(&u, |first, second| first || second);
    assert_eq!(f.s, weak(&f.items));
    let x: WeakSet<str> = f.items.iter().chain(&f.items2).collect();
    let mapped = |items2: &Items| items2.iter().map(|c| (c.clone(), ())).collect::<HashMap<_, _>>();
    assert_eq!(f.s.union(&of(f.items2.iter().cloned().collect::<HashSet<_>>())), x);
    assert_eq!(f.s.union(&of(f.items2.iter().cloned().collect::<BTreeSet<_>>())), x);
    assert_eq!(f.s.union(&of(mapped(&f.items2).into_keys())), x);
    assert_eq!(f.s.union(&of(f.items2.clone())), x);
    assert_eq!(f.s.union(&of(f.items2.iter().cloned().collect::<Box<[_]>>())), x);
    // Of equal elements the left side's is kept.
    let other = items("a");
    let both = f.s.union(&weak(&other));
    assert!(Arc::ptr_eq(&both.get("a").unwrap(), &f.items[0]));

    // CPython's `items2.pop()` leaves an element that `letters` has; ours are objects of their own, and the element leaves.
    assert_eq!(u.len(), f.items.len() + f.items2.len());
    f.assert_watches(&u);
}

#[test]
fn test_or() {
    let f = Fixture::new();
    let i = f.s.union(&weak(&f.items2));
    assert_eq!(&f.s | &weak(&f.items2), i);
    assert_eq!(i.len(), 6);
    f.assert_watches(&i);
}

/// The result has self's objects; CPython's has the other side's.
#[test]
fn test_intersection() {
    let f = Fixture::new();
    let s = weak(&f.letters);
    let i = s.intersection(&weak(&f.items2));
    f.assert_has(&i, |_, second| second);
    assert_eq!(s, weak(&f.letters));
    assert_eq!(i.intersection(&weak(&f.items)), WeakSet::new());
    assert!(i.iter().all(|c| f.letters.iter().any(|letter| Arc::ptr_eq(letter, &c))));
    assert_eq!(i.len(), f.items2.len());
    f.assert_watches(&i);
}

#[test]
fn test_isdisjoint() {
    let f = Fixture::new();
    assert!(f.s.is_disjoint(&weak(&f.items2)));
    assert!(!f.s.is_disjoint(&weak(&f.letters)));
}

#[test]
fn test_and() {
    let f = Fixture::new();
    assert_eq!(&f.s & &weak(&f.items2), f.s.intersection(&weak(&f.items2)));
    assert_eq!(&f.s & &weak(&f.letters), f.s.intersection(&weak(&f.letters)));
    assert_eq!((&f.s & &weak(&f.letters)).len(), 3);
}

#[test]
fn test_difference() {
    let f = Fixture::new();
    let i = f.s.difference(&weak(&f.items2));
    f.assert_has(&i, |first, second| first && !second);
    assert_eq!(f.s, weak(&f.items));
    assert_eq!(weak(&f.letters).difference(&f.s).len(), f.letters.len() - 3);
    f.assert_watches(&i);
}

#[test]
fn test_sub() {
    let f = Fixture::new();
    assert_eq!(&f.s - &weak(&f.items2), f.s.difference(&weak(&f.items2)));
    assert_eq!(&f.s - &weak(&f.letters), WeakSet::new());
}

#[test]
fn test_symmetric_difference() {
    let f = Fixture::new();
    let i = f.s.symmetric_difference(&weak(&f.items2));
    f.assert_has(&i, |first, second| first ^ second);
    assert_eq!(f.s, weak(&f.items));
    assert_eq!(i.len(), f.items.len() + f.items2.len());
    f.assert_watches(&i);
}

#[test]
fn test_xor() {
    let f = Fixture::new();
    assert_eq!(&f.s ^ &weak(&f.items2), f.s.symmetric_difference(&weak(&f.items2)));
    assert_eq!((&f.s ^ &weak(&f.letters)).len(), f.letters.len() - 3);
}

#[test]
fn test_sub_and_super() {
    let kept = [items("ab"), items("abcde"), items("def")];
    let [ab, abcde, def] = kept.each_ref().map(weak);
    assert!(ab.is_subset(&abcde));
    assert!(abcde.is_subset(&abcde));
    assert!(abcde.is_superset(&ab));
    assert!(!abcde.is_subset(&def));
    assert!(!abcde.is_superset(&def));
}

/// CPython's `<`, for which there is no operator here.
fn lt(left: &WeakSet<str>, right: &WeakSet<str>) -> bool {
    left.is_subset(right) && left != right
}

#[test]
fn test_lt() {
    let kept = [items("ab"), items("abcde"), items("def")];
    let [ab, abcde, def] = kept.each_ref().map(weak);
    assert!(lt(&ab, &abcde));
    assert!(!lt(&abcde, &def));
    assert!(!lt(&ab, &ab));
    assert!(!lt(&WeakSet::new(), &WeakSet::new()));
}

#[test]
fn test_gt() {
    let kept = [items("ab"), items("abcde"), items("def")];
    let [ab, abcde, def] = kept.each_ref().map(weak);
    let gt = |left: &WeakSet<str>, right: &WeakSet<str>| left.is_superset(right) && left != right;
    assert!(gt(&abcde, &ab));
    assert!(!gt(&abcde, &def));
    assert!(!gt(&ab, &ab));
    assert!(!gt(&WeakSet::new(), &WeakSet::new()));
}

#[test]
fn test_constructor_identity() {
    let f = Fixture::new();
    let t: WeakSet<str> = f.s.iter().collect();
    assert_eq!(f.s, t);
    t.clear();
    assert_eq!(f.s.len(), 3);
}

#[test]
fn test_hash() {
    assert!(impls!(Object: std::hash::Hash));
    assert!(!impls!(WeakSet<Object>: std::hash::Hash));
}

#[test]
fn test_clear() {
    let f = Fixture::new();
    f.s.clear();
    assert_eq!(f.s, WeakSet::new());
    assert_eq!(f.s.len(), 0);
    assert!(f.items.iter().all(|c| Arc::observer_count(c) == 0));
}

#[test]
fn test_copy() {
    let f = Fixture::new();
    let dup = f.s.clone();
    assert_eq!(f.s, dup);
    dup.remove("a");
    assert_ne!(f.s, dup);
}

#[test]
fn test_add() {
    let f = Fixture::new();
    let x: Arc<str> = Arc::from("Q");
    assert!(f.s.insert(&x));
    assert!(f.s.contains(&x));
    let dup = f.s.clone();
    assert!(!f.s.insert(&x));
    assert_eq!(f.s, dup);
    f.fs.insert(&Arc::from("gone at once"));
    assert_eq!(f.fs.len(), 1);
    f.fs.insert(&f.obj);
    assert_eq!(f.fs.len(), 1);
}

#[test]
fn test_remove() {
    let f = Fixture::new();
    let x: Arc<str> = Arc::from("a"); // an equal one
    assert!(f.s.remove(&x));
    assert!(!f.s.contains(&x));
    assert!(!f.s.remove(&x));
    assert_eq!(f.s.len(), 2);
}

/// `discard` is [`WeakSet::remove`] whose answer nobody asks for.
#[test]
fn test_discard() {
    let f = Fixture::new();
    f.s.remove("a");
    assert!(!f.s.contains("a"));
    f.s.remove("Q");
    assert_eq!(f.s.len(), 2);
}

#[test]
fn test_pop() {
    let f = Fixture::new();
    for _ in 0..f.s.len() {
        let elem = f.s.pop().unwrap();
        assert!(!f.s.contains(&elem));
    }
    assert_eq!(f.s.pop(), None);
}

#[test]
fn test_update() {
    let f = Fixture::new();
    f.s.extend(&f.items2);
    f.assert_has(&f.s, |first, second| first || second);
    assert_eq!(f.s.len(), 6);
}

#[test]
fn test_update_set() {
    let f = Fixture::new();
    f.s.extend(f.items2.iter().cloned().collect::<HashSet<_>>());
    f.assert_has(&f.s, |first, second| first || second);
    assert_eq!(f.s.len(), 6);
}

#[test]
fn test_ior() {
    let mut f = Fixture::new();
    f.s |= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first || second);
    let s = f.s.clone();
    f.assert_watches(&s);
}

/// What is kept are self's objects, watched as before. CPython keeps the other side's, without watching them: its set never
/// drops them again.
fn check_kept_and_watched(s: &WeakSet<str>, kept: Items) {
    assert!(kept.iter().all(|c| Arc::ptr_eq(&s.get(&**c).unwrap(), c)));
    for c in &kept {
        let watchers: Vec<_> = Arc::observers(c).iter().map(|info| info.kind).collect();
        assert_eq!(watchers, [ObserverKind::SetEntry]);
    }
    assert_eq!(s.len(), kept.len());
    drop(kept);
    assert_eq!(s.len(), 0);
    assert_eq!(s.iter().count(), 0);
}

/// The method is the operator, on a shared set: `&set` needs no `mut`.
#[test]
fn test_intersection_update() {
    let f = Fixture::new();
    let mut s = &f.s;
    s &= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first && second);
    assert!(f.s.is_empty());

    let f = Fixture::new();
    let other = items("bcx");
    let mut s = &f.s;
    s &= &weak(&other);
    assert!(!f.s.contains("a"));
    let Fixture { mut items, s, .. } = f;
    items.remove(0);
    check_kept_and_watched(&s, items);
}

#[test]
fn test_iand() {
    let mut f = Fixture::new();
    f.s &= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first && second);

    let mut f = Fixture::new();
    f.s &= &weak(&f.letters);
    f.assert_has(&f.s, |first, _| first);
    let Fixture { items, s, .. } = f;
    check_kept_and_watched(&s, items);
}

#[test]
fn test_difference_update() {
    let f = Fixture::new();
    let mut s = &f.s;
    s -= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first && !second);
    let letters = weak(&f.letters);
    let mut shared = &letters;
    shared -= &f.s;
    f.assert_has(&letters, |first, _| !first);
}

#[test]
fn test_isub() {
    let mut f = Fixture::new();
    f.s -= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first && !second);
    let a = items("a");
    f.s -= &weak(&a);
    assert_eq!(f.s.len(), 2);
}

#[test]
fn test_symmetric_difference_update() {
    let f = Fixture::new();
    let mut s = &f.s;
    s ^= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first ^ second);
    let s = f.s.clone();
    f.assert_watches(&s);
}

#[test]
fn test_ixor() {
    let mut f = Fixture::new();
    f.s ^= &weak(&f.items2);
    f.assert_has(&f.s, |first, second| first ^ second);
    let bcx = items("bcx");
    f.s ^= &weak(&bcx);
    assert!(f.s.contains("a") && f.s.contains("y") && f.s.contains("z"));
    assert_eq!(f.s.len(), 3);
}

#[test]
fn test_inplace_on_self() {
    let f = Fixture::new();
    let t = f.s.clone();
    let mut shared = &t;
    shared |= &t;
    assert_eq!(t, f.s);
    shared &= &t;
    assert_eq!(t, f.s);
    shared -= &t;
    assert_eq!(t, WeakSet::new());
    let t = f.s.clone();
    let mut shared = &t;
    shared ^= &t;
    assert_eq!(t, WeakSet::new());
    // After `&=` with itself a death still takes the element out.
    let Fixture { items, s, .. } = f;
    let mut shared = &s;
    shared &= &s;
    check_kept_and_watched(&s, items);
}

#[test]
fn test_eq() {
    let f = Fixture::new();
    assert!(f.s == f.s);
    assert!(f.s == weak(&f.items));
    assert!(f.s != WeakSet::from([&f.obj]));
    assert!(f.s != f.s.union(&f.fs) && f.s.union(&f.fs) != f.s);
    // Nothing but a WeakSet.
    assert!(impls!(WeakSet<str>: PartialEq));
    assert!(!impls!(WeakSet<str>: PartialEq<HashSet<Arc<str>>>));
    assert!(!impls!(WeakSet<str>: PartialEq<Vec<Arc<str>>>));
}

#[test]
fn test_ne() {
    let f = Fixture::new();
    assert!(f.s != f.fs);
    let (s1, s2) = (WeakSet::<str>::new(), WeakSet::new());
    assert!(!(s1 != s2));
}

#[test]
fn test_weak_destroy_while_iterating() {
    let mut items = items("abc");
    let s = weak(&items);
    let mut it = s.iter();
    assert!(it.next().is_some());
    items.pop();
    let rest = it.count();
    assert!(rest == items.len() || rest == items.len() - 1, "{rest}");
    assert_eq!(s.len(), items.len());
}

#[test]
fn test_weak_destroy_and_mutate_while_iterating() {
    /// An iterator stands, an item has died, and `body` gets a new one that is equal.
    fn while_iterating(s: &WeakSet<str>, items: &mut Items, body: impl FnOnce(&Arc<str>)) -> Arc<str> {
        let mut it = s.iter();
        assert!(it.next().is_some());
        let doomed = items.pop().unwrap();
        let (weak, u) = (Arc::downgrade(&doomed), Arc::from(&*doomed));
        drop(doomed);
        while weak.is_alive() {
            assert!(it.next().is_some(), "only the iterator holds it"); // CPython's issue #20006
        }
        body(&u);
        drop(it);
        u
    }
    let mut items = Fixture::new().letters;
    let s = weak(&items);
    while_iterating(&s, &mut items, |u| assert!(!s.contains(u)));
    let u = while_iterating(&s, &mut items, |u| assert!(!s.remove(u)));
    assert!(!s.contains(&u));
    let u = while_iterating(&s, &mut items, |u| assert!(s.insert(u)));
    assert!(s.contains(&u));
    let t = s.clone();
    while_iterating(&s, &mut items, |_| s.extend(t.iter()));
    assert_eq!(s.len(), t.len());
    assert_eq!(s.len(), items.len() + 1);
    while_iterating(&s, &mut items, |_| s.clear());
    assert_eq!(s.len(), 0);
}

/// An iterator holds no more alive than what it is about to yield: CPython's, one element; ours, those of one bucket.
#[test]
fn test_len_cycles() {
    let items: Vec<_> = (0..20).map(object).collect();
    let s: WeakSet<_> = items.iter().collect();
    let mut it = s.iter();
    assert!(it.next().is_some());
    drop(items);
    let n1 = s.len();
    assert_eq!(it.count(), n1, "it yields what it held, and held no other");
    assert_eq!(s.len(), 0);
}

/// The items vanish on another thread instead of in a collection.
#[test]
fn test_len_race() {
    const N: usize = 20;
    for _ in 1..sized(100, 5) {
        let items: Vec<_> = (0..N).map(object).collect();
        let s: WeakSet<_> = items.iter().collect();
        thread::scope(|scope| {
            scope.spawn(|| items.into_iter().for_each(drop));
            let mut it = s.iter();
            it.next();
            let n1 = s.len();
            drop(it);
            let n2 = s.len();
            assert!(n1 <= N && n2 <= n1, "{n1}, {n2}");
        });
        assert_eq!(s.len(), 0);
    }
}

/// The text is the live elements, as a standard set's; CPython's is that of the set of references inside.
#[test]
fn test_repr() {
    let f = Fixture::new();
    assert_eq!(format!("{:?}", f.fs), r#"{"F"}"#);
    drop(f.obj);
    assert_eq!(format!("{:?}", f.fs), "{}");
    assert_eq!(format!("{:?}", f.s).len(), format!("{:?}", f.items).len());
}
