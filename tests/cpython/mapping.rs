//! `MappingTestCase`: what is particular to weak dictionaries. `WeakValueDictionary` is [`WeakValueMap`], `WeakKeyDictionary` is
//! [`WeakKeyMap`]; where a test's keys compare by identity it is [`PtrWeakKeyMap`].

use crate::common::{Count, Dict, Keys, Object, Random, Values, object, sized};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc as StdArc, Mutex};
use std::thread;
use weakly::{Arc, ObserverKind, PtrWeakKeyMap, WeakKeyMap, WeakValueMap};

const COUNT: i32 = 10;

type Pair<D> = (<D as Dict>::K, <D as Dict>::V);

/// `make_weak_keyed_dict` and `make_weak_valued_dict`: a map and the pairs that keep its entries alive.
fn make<D: Dict>() -> (D, Vec<Pair<D>>) {
    let (dict, pairs) = (D::default(), (0..COUNT).map(D::pair).collect::<Vec<_>>());
    for (key, value) in &pairs {
        dict.set(key, value);
    }
    (dict, pairs)
}

/// An iterator holds no more alive than what it is about to yield: CPython's, one item; ours, those of one bucket.
fn check_len_cycles<D: Dict>() {
    const N: i32 = 20;
    let items: Vec<_> = (0..N).map(D::pair).collect();
    let dct = D::default();
    dct.update(items.iter().cloned());
    assert_eq!(dct.size(), 20);
    let mut it = dct.items();
    assert!(it.next().is_some());
    drop(items);
    let n1 = dct.size();
    assert_eq!(it.count(), n1, "it yields what it held, and held no other");
    assert_eq!(dct.size(), 0);
}

#[test]
fn test_weak_keyed_len_cycles() {
    check_len_cycles::<Keys>();
}

#[test]
fn test_weak_valued_len_cycles() {
    check_len_cycles::<Values>();
}

/// The items vanish on another thread instead of in a collection.
fn check_len_race<D: Dict>() {
    const N: usize = 20;
    for _ in 1..sized(100, 5) {
        let items: Vec<_> = (0..N as i32).map(D::pair).collect();
        let dct = D::default();
        dct.update(items.iter().cloned());
        thread::scope(|scope| {
            scope.spawn(|| items.into_iter().for_each(drop));
            let mut it = dct.items();
            it.next();
            let n1 = dct.size();
            drop(it);
            let n2 = dct.size();
            assert!(n1 <= N && n2 <= n1, "{n1}, {n2}");
        });
        assert_eq!(dct.size(), 0);
    }
}

#[test]
fn test_weak_keyed_len_race() {
    check_len_race::<Keys>();
}

#[test]
fn test_weak_valued_len_race() {
    check_len_race::<Values>();
}

/// Copy, items, look-ups and len, while all live and as they die.
fn check_weak<D: Dict>(kind: ObserverKind) {
    let (dict, mut pairs) = make::<D>();
    for pair in &pairs {
        let watchers = Arc::observers(D::object(pair));
        assert_eq!(watchers.iter().map(|info| info.kind).collect::<Vec<_>>(), [kind]);
        assert_eq!(dict.at(&pair.0).as_ref(), Some(&pair.1));
    }
    let copy = dict.clone();
    assert_eq!(copy.strong(), dict.strong());
    assert_eq!(Arc::observer_count(D::object(&pairs[0])), 2);
    drop(copy);
    assert_eq!(Arc::observer_count(D::object(&pairs[0])), 1);
    assert_eq!(dict.size(), COUNT as usize);
    pairs.remove(0);
    assert_eq!(dict.size(), COUNT as usize - 1);
    drop(pairs);
    assert_eq!(dict.size(), 0);
}

#[test]
fn test_weak_values() {
    check_weak::<Values>(ObserverKind::ValueEntry);
    let dict = Values::new();
    assert!(dict.get(&1).is_none());
    dict.insert(2, &object(2)); // gone at once
    assert!(dict.get(&2).is_none() && dict.is_empty());
}

#[test]
fn test_weak_keys() {
    check_weak::<Keys>(ObserverKind::KeyEntry);
    let dict = WeakKeyMap::<Object, &str>::new();
    let o = object(42);
    drop(dict.insert(&o, "What is the meaning of the universe?"));
    assert!(dict.contains_key(&o));
    assert!(!dict.contains_key(&object(34)));
}

/// Each iterator touches all there is.
fn check_iters<D: Dict>(dict: &D, pairs: &[Pair<D>]) {
    let mut items: Vec<_> = pairs.to_vec();
    for item in dict.items() {
        items.remove(items.iter().position(|other| *other == item).unwrap());
    }
    assert!(items.is_empty(), "items() did not touch all items");

    let mut keys: Vec<_> = pairs.iter().map(|(key, _)| key.clone()).collect();
    for key in dict.keys() {
        keys.remove(keys.iter().position(|other| *other == key).unwrap());
    }
    assert!(keys.is_empty(), "keys() did not touch all keys");

    let mut values: Vec<_> = pairs.iter().map(|(_, value)| value.clone()).collect();
    for value in dict.values() {
        values.remove(values.iter().position(|other| *other == value).unwrap());
    }
    assert!(values.is_empty(), "values() did not touch all values");
}

/// Weak pointers to the map's objects: they lead to each once.
fn check_refs<D: Dict>(refs: impl Iterator<Item = weakly::Weak<Object>>, pairs: &[Pair<D>]) {
    let mut objects: Vec<_> = pairs.iter().map(D::object).collect();
    for wr in refs {
        let ob = wr.upgrade().unwrap();
        objects.remove(objects.iter().position(|other| Arc::ptr_eq(other, &ob)).unwrap());
    }
    assert!(objects.is_empty());
}

#[test]
fn test_weak_keyed_iters() {
    let (dict, pairs) = make::<Keys>();
    check_iters(&dict, &pairs);
    check_refs::<Keys>(dict.weak_keys(), &pairs);
    check_refs::<Keys>(dict.pin().weak_keys(), &pairs);
    check_iters(&dict, &pairs); // as `for` has them: `__iter__`
    assert_eq!((&dict).into_iter().count(), pairs.len());
}

#[test]
fn test_weak_valued_iters() {
    let (dict, pairs) = make::<Values>();
    check_iters(&dict, &pairs);
    check_refs::<Values>(dict.weak_values(), &pairs);
    check_refs::<Values>(dict.pin().weak_values(), &pairs);
    assert_eq!((&dict).into_iter().count(), pairs.len());
}

/// An object dies while an iterator stands.
fn check_weak_destroy_while_iterating<D: Dict>(dict: &D, pairs: &mut Vec<Pair<D>>, mut it: impl Iterator) {
    let n = dict.size();
    assert!(it.next().is_some());
    pairs.pop();
    let rest = it.count();
    assert!(
        rest == pairs.len() || rest == pairs.len() - 1,
        "the dead one was the first, was held, or is not seen: {rest}"
    );
    assert_eq!(dict.size(), n - 1);
}

/// CPython's `testcontext`: an iterator stands, one object has died, and `body` gets a new pair like the dead one.
fn while_iterating<D: Dict>(
    dict: &D,
    pairs: &mut Vec<Pair<D>>,
    body: impl FnOnce(&mut Vec<Pair<D>>, &Pair<D>),
) -> Pair<D> {
    let mut it = dict.items();
    assert!(it.next().is_some());
    let doomed = pairs.pop().unwrap();
    let (number, weak) = (D::number(&doomed.0), Arc::downgrade(D::object(&doomed)));
    drop(doomed);
    while weak.is_alive() {
        assert!(it.next().is_some(), "only the iterator holds it"); // so it goes as the iterator goes
    }
    let again = D::pair(number);
    body(pairs, &again);
    drop(it);
    again
}

/// Explicit changes and deaths, with an iterator standing.
fn check_weak_destroy_and_mutate_while_iterating<D: Dict>() {
    let (dict, mut pairs) = make::<D>();
    while_iterating(&dict, &mut pairs, |_, (k, _)| assert!(!dict.has(k)));
    let (k, _) = while_iterating(&dict, &mut pairs, |_, (k, _)| assert_eq!(dict.pop(k), None));
    assert!(!dict.has(&k));
    let set = while_iterating(&dict, &mut pairs, |_, (k, v)| dict.set(k, v));
    assert_eq!(dict.at(&set.0).as_ref(), Some(&set.1));
    let ddict = dict.clone();
    let gone = while_iterating(&dict, &mut pairs, |_, _| dict.update(ddict.items()));
    assert_eq!(dict, ddict);
    assert!(!dict.has(&gone.0));
    while_iterating(&dict, &mut pairs, |_, _| dict.clear_all());
    assert_eq!(dict.size(), 0);
    assert_eq!(ddict.size(), pairs.len() + 1, "a copy has what is alive: those, and what was set");
}

/// `len` is exact while entries leave both by themselves and by name, with an iterator standing.
///
/// CPython's dictionaries are in order of insertion, so it knows which entry `popitem` takes. Here what was taken is struck off
/// the list of those that are to die.
fn check_weak_del_and_len_while_iterating<D: Dict>() {
    fn take<D: Dict>(pairs: &mut Vec<Pair<D>>, taken: &D::K) {
        pairs.retain(|(key, _)| key != taken);
    }
    let (dict, mut pairs) = make::<D>();
    let o = D::pair(123_456);
    let mut n = 0;
    while_iterating(&dict, &mut pairs, |pairs, _| {
        n = dict.size();
        assert_eq!(n, COUNT as usize - 1);
        let first = dict.keys().next().unwrap();
        assert!(dict.pop(&first).is_some());
        take::<D>(pairs, &first);
        assert_eq!(dict.size(), n - 1);
        dict.set(&o.0, &o.1);
        assert_eq!(dict.size(), n);
    });
    while_iterating(&dict, &mut pairs, |pairs, _| {
        assert_eq!(dict.size(), n - 1);
        let (key, _) = dict.popitem().unwrap();
        take::<D>(pairs, &key);
        assert_eq!(dict.size(), n - 2);
    });
    while_iterating(&dict, &mut pairs, |pairs, _| {
        assert_eq!(dict.size(), n - 3);
        let next = dict.keys().next().unwrap();
        assert!(dict.pop(&next).is_some());
        take::<D>(pairs, &next);
        assert_eq!(dict.size(), n - 4);
    });
    while_iterating(&dict, &mut pairs, |pairs, _| {
        assert_eq!(dict.size(), n - 5);
        let (key, _) = dict.popitem().unwrap();
        take::<D>(pairs, &key);
        assert_eq!(dict.size(), n - 6);
    });
    while_iterating(&dict, &mut pairs, |_, _| {
        dict.clear_all();
        assert_eq!(dict.size(), 0);
    });
    assert_eq!(dict.size(), 0);
}

#[test]
fn test_weak_keys_destroy_while_iterating() {
    let (dict, mut pairs) = make::<Keys>();
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.keys());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.iter());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.values());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.weak_keys());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.pin().iter());
    check_weak_destroy_and_mutate_while_iterating::<Keys>();
    check_weak_del_and_len_while_iterating::<Keys>();
}

#[test]
fn test_weak_values_destroy_while_iterating() {
    let (dict, mut pairs) = make::<Values>();
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.keys());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.iter());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.values());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.weak_values());
    check_weak_destroy_while_iterating(&dict, &mut pairs, dict.pin().iter());
    check_weak_destroy_and_mutate_while_iterating::<Values>();
    check_weak_del_and_len_while_iterating::<Values>();
}

#[test]
fn test_make_weak_keyed_dict_from_dict() {
    let o = object(3);
    let dict: Keys = HashMap::from([(o.clone(), 364)]).into_iter().collect();
    assert_eq!(dict.get(&o), Some(364));
    drop(o);
    assert!(dict.is_empty());
}

#[test]
fn test_make_weak_keyed_dict_from_weak_keyed_dict() {
    let o = object(3);
    let dict = Keys::from([(&o, 364)]);
    let dict2: Keys = dict.iter().collect();
    assert_eq!((dict.get(&o), dict2.get(&o)), (Some(364), Some(364)));
    drop(o);
    assert!(dict.is_empty() && dict2.is_empty());
}

#[test]
fn test_make_weak_valued_dict_from_dict() {
    let o = object(3);
    let dict: Values = HashMap::from([(364, o.clone())]).into_iter().collect();
    assert_eq!(dict.get(&364), Some(o));
    assert!(dict.is_empty()); // the assertion had the last owner
}

#[test]
fn test_make_weak_valued_dict_from_weak_valued_dict() {
    let o = object(3);
    let dict = Values::from([(364, &o)]);
    let dict2: Values = dict.iter().collect();
    assert_eq!((dict.get(&364).as_ref(), dict2.get(&364).as_ref()), (Some(&o), Some(&o)));
    drop(o);
    assert!(dict.is_empty() && dict2.is_empty());
}

/// CPython's is the last inserted; a map here is in no order, so both pairs come, in some order.
fn check_popitem<D: Dict>() {
    let pairs = [D::pair(1), D::pair(2)];
    let weakdict = D::default();
    weakdict.update(pairs.clone());
    assert_eq!(weakdict.size(), 2);
    let first = weakdict.popitem().unwrap();
    assert_eq!(weakdict.size(), 1);
    let second = weakdict.popitem().unwrap();
    assert_eq!(weakdict.size(), 0);
    assert!(pairs == [first.clone(), second.clone()] || pairs == [second, first]);
}

#[test]
fn test_weak_valued_dict_popitem() {
    check_popitem::<Values>();
}

#[test]
fn test_weak_keyed_dict_popitem() {
    check_popitem::<Keys>();
}

#[test]
fn test_weak_valued_dict_setdefault() {
    let (value1, value2) = (object(1), object(1));
    let weakdict = WeakValueMap::new();
    for value in [&value1, &value2] {
        assert!(Arc::ptr_eq(&weakdict.get_or_insert("key", value.clone()), &value1));
        assert!(weakdict.contains_key("key"));
        assert!(Arc::ptr_eq(&weakdict.get("key").unwrap(), &value1));
    }
}

#[test]
fn test_weak_keyed_dict_setdefault() {
    let key = object(1);
    let weakdict = WeakKeyMap::new();
    for value in ["value 1", "value 2"] {
        assert_eq!(weakdict.get_or_insert(&key, value), "value 1");
        assert!(weakdict.contains_key(&key));
        assert_eq!(weakdict.get(&key), Some("value 1"));
    }
}

fn check_update<D: Dict>() {
    let dict: HashMap<_, _> = [D::pair(1), D::pair(2), D::pair(3)].into();
    let weakdict = D::default();
    weakdict.update(dict.clone());
    assert_eq!(weakdict.size(), dict.len());
    for k in weakdict.keys() {
        assert_eq!(weakdict.at(&k).as_ref(), dict.get(&k), "mysterious new key appeared in weak dict");
    }
    for (k, v) in &dict {
        assert!(weakdict.has(k), "original key disappeared in weak dict");
        assert_eq!(weakdict.at(k).as_ref(), Some(v));
    }
}

#[test]
fn test_weak_valued_dict_update() {
    check_update::<Values>();
    let d = Values::new();
    d.extend(std::iter::empty::<(i32, Arc<Object>)>());
    assert_eq!(d.keys().count(), 0);
}

#[test]
fn test_weak_keyed_dict_update() {
    check_update::<Keys>();
}

/// A strong copy with `items` laid over it: `dict(a) | dict(b)`.
fn union<K: Eq + Hash, V>(mut left: HashMap<K, V>, items: impl IntoIterator<Item = (K, V)>) -> HashMap<K, V> {
    left.extend(items);
    left
}

/// A plain mapping, or pairs, on the right is `extend`; on the left it is collected first. The right side wins throughout.
#[test]
fn test_weak_valued_union_operators() {
    let (a, b, c) = (object(1), object(2), object(3));
    let mut wvd1 = Values::from([(1, &a)]);
    let wvd2 = Values::from([(1, &b), (2, &a)]);
    let wvd3 = wvd1.clone();
    let d1 = HashMap::from([(1, c.clone()), (3, b.clone())]);
    let pairs = [(5, c.clone()), (6, b.clone())];

    let tmp1: Values = &wvd1 | &wvd2;
    assert_eq!(tmp1.strong(), union(wvd1.strong(), wvd2.strong()));
    wvd1 |= &wvd2;
    assert_eq!(wvd1, tmp1);

    let tmp2 = wvd2.clone();
    tmp2.extend(d1.clone());
    assert_eq!(tmp2.strong(), union(wvd2.strong(), d1.clone()));
    wvd2.extend(d1.clone());
    assert_eq!(wvd2, tmp2);

    let tmp3 = wvd3.clone();
    tmp3.extend(pairs.clone());
    assert_eq!(tmp3.strong(), union(wvd3.strong(), pairs));

    let tmp4 = &d1.clone().into_iter().collect::<Values>() | &wvd3;
    assert_eq!(tmp4.strong(), union(d1, wvd3.strong()));

    assert!(tmp1.contains_key(&2) && tmp2.contains_key(&2) && tmp3.contains_key(&1) && tmp4.contains_key(&1));
    drop(a);
    assert!(!tmp1.contains_key(&2) && !tmp2.contains_key(&2));
    assert!(!tmp3.contains_key(&1) && !tmp4.contains_key(&1));
}

#[test]
fn test_weak_keyed_union_operators() {
    let (o1, o2, o3) = (object(1), object(2), object(3));
    let mut wkd1 = Keys::from([(&o1, 1), (&o2, 2)]);
    let wkd2 = Keys::from([(&o3, 3), (&o1, 4)]);
    let wkd3 = wkd1.clone();
    let d1 = HashMap::from([(o2.clone(), 5), (o3.clone(), 6)]);
    let pairs = [(o2.clone(), 7), (o3.clone(), 8)];

    let tmp1: Keys = &wkd1 | &wkd2;
    assert_eq!(tmp1.strong(), union(wkd1.strong(), wkd2.strong()));
    wkd1 |= &wkd2;
    assert_eq!(wkd1, tmp1);

    let tmp2 = wkd2.clone();
    tmp2.extend(d1.clone());
    assert_eq!(tmp2.strong(), union(wkd2.strong(), d1.clone()));
    wkd2.extend(d1.clone());
    assert_eq!(wkd2, tmp2);

    let tmp3 = wkd3.clone();
    tmp3.extend(pairs.clone());
    assert_eq!(tmp3.strong(), union(wkd3.strong(), pairs));

    let tmp4 = &d1.clone().into_iter().collect::<Keys>() | &wkd3;
    assert_eq!(tmp4.strong(), union(d1, wkd3.strong()));

    let has = |map: &Keys, wanted| map.values().any(|value| value == wanted);
    assert!(has(&tmp1, 4) && has(&tmp2, 4) && has(&tmp3, 1) && has(&tmp4, 1));
    drop(o1);
    assert!(!has(&tmp1, 4) && !has(&tmp2, 4) && !has(&tmp3, 1) && !has(&tmp4, 1));
}

#[test]
fn test_weak_keyed_delitem() {
    let d = WeakKeyMap::new();
    let (o1, o2) = (object(1), object(2));
    d.extend([(&o1, "something"), (&o2, "something")]);
    assert_eq!(d.len(), 2);
    assert!(d.remove(&o1).is_some());
    assert_eq!(d.len(), 1);
    assert_eq!(d.keys().collect::<Vec<_>>(), [o2]);
}

#[test]
fn test_weak_valued_delitem() {
    let d = WeakValueMap::new();
    let (o1, o2) = (object(1), object(2));
    d.extend([("something", &o1), ("something else", &o2)]);
    assert_eq!(d.len(), 2);
    assert!(d.remove("something").is_some());
    assert_eq!(d.len(), 1);
    assert_eq!(d.iter().collect::<Vec<_>>(), [("something else", o2)]);
}

/// What is missing is `None`. What can't be held weakly doesn't compile.
#[test]
fn test_weak_keyed_bad_delitem() {
    let d = WeakKeyMap::<Object, i32>::new();
    let o = object(1);
    assert!(d.remove(&o).is_none());
    assert!(d.get(&o).is_none());
}

/// A key's `==` drops another key of the same map in the middle of a removal.
#[test]
fn test_weak_keyed_cascading_deletes() {
    #[derive(Default)]
    struct World {
        mutate: AtomicBool,
        objs: Mutex<Vec<Arc<C>>>,
    }
    struct C {
        value: i32,
        world: StdArc<World>,
    }
    impl Hash for C {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.value.hash(state);
        }
    }
    impl PartialEq for C {
        fn eq(&self, other: &Self) -> bool {
            if self.world.mutate.swap(false, SeqCst) {
                let last = self.world.objs.lock().unwrap().pop();
                drop(last); // the last owner of a key
            }
            self.value == other.value
        }
    }
    impl Eq for C {}

    let world = StdArc::new(World::default());
    let c = |value| C { value, world: world.clone() };
    let d = WeakKeyMap::new();
    for value in 0..4 {
        let o = Arc::new(c(value));
        drop(d.insert(&o, value));
        world.objs.lock().unwrap().push(o);
    }
    world.objs.lock().unwrap().reverse();
    let mut count = 0;
    loop {
        // The key is looked up by an equal one: by itself it would be found by its address, and `==` not asked.
        let Some(key) = world.objs.lock().unwrap().get(count).map(|o| c(o.value)) else { break };
        count += 1;
        world.mutate.store(true, SeqCst);
        assert_eq!(*d.remove(&key).unwrap(), key.value);
    }
    assert_eq!(d.len(), 0);
    assert_eq!(count, 2);
    drop(std::mem::take(&mut *world.objs.lock().unwrap())); // a cycle otherwise
}

/// The text is the live entries, as a standard map's; CPython's is class and address.
#[test]
fn test_make_weak_valued_dict_repr() {
    let dict = Values::new();
    assert_eq!(format!("{dict:?}"), "{}");
    let o = object(1);
    dict.insert(7, &o);
    assert_eq!(format!("{dict:?}"), "{7: Object(1)}");
    drop(o);
    assert_eq!(format!("{dict:?}"), "{}");
}

#[test]
fn test_make_weak_keyed_dict_repr() {
    let dict = Keys::new();
    assert_eq!(format!("{dict:?}"), "{}");
    let o = object(1);
    drop(dict.insert(&o, 7));
    assert_eq!(format!("{dict:?}"), "{Object(1): 7}");
    drop(o);
    assert_eq!(format!("{dict:?}"), "{}");
}

const NUM_THREADED_ITERATIONS: i32 = sized(10_000, 30) as i32;

/// CPython's `collect_in_thread`: what `body` sends dies on another thread.
fn while_dropping<T: Send>(body: impl FnOnce(SyncSender<T>)) {
    let (sender, doomed) = sync_channel(8);
    thread::scope(|scope| {
        scope.spawn(|| doomed.into_iter().for_each(drop));
        body(sender);
    });
}

/// CPython asks that what is returned be never `None`. Here its type says so; what is asked is that it is the map's.
#[test]
fn test_threaded_weak_valued_setdefault() {
    let d = Values::new();
    while_dropping(|doomed| {
        for i in 0..NUM_THREADED_ITERATIONS {
            let x = d.get_or_insert(10, object(i));
            assert!(x.0 <= i);
            assert!(Arc::ptr_eq(&d.get(&10).unwrap(), &x));
            doomed.send(x).unwrap();
        }
    });
    assert!(d.is_empty());
}

/// What is taken out is alive and was put in just before; or it is dead, and then absent.
#[test]
fn test_threaded_weak_valued_pop() {
    let d = Values::new();
    while_dropping(|doomed| {
        for i in 0..NUM_THREADED_ITERATIONS {
            let o = object(i);
            d.insert(10, &o);
            doomed.send(o).unwrap();
            assert!(d.remove(&10).is_none_or(|x| x.0 == i));
            assert!(d.get(&10).is_none());
        }
    });
    assert!(d.is_empty());
}

/// The death of an old value on another thread doesn't remove the new one.
///
/// CPython's `len` is 1 throughout. Ours is exact when quiet: while the old value is dying over there, its entry may still be
/// counted beside the new one.
#[test]
fn test_threaded_weak_valued_consistency() {
    let d = Values::new();
    let mut last = object(0);
    while_dropping(|doomed| {
        for i in 0..2 * NUM_THREADED_ITERATIONS {
            let o = object(i);
            d.insert(10, &o);
            let len = d.len();
            assert!(len == 1 || len == 2, "{len}: the other thread drops one at a time");
            assert!(Arc::ptr_eq(&d.get(&10).unwrap(), &o));
            assert_eq!(d.keys().count(), 1);
            doomed.send(std::mem::replace(&mut last, o)).unwrap();
        }
    });
    assert_eq!(d.len(), 1);
    assert!(Arc::ptr_eq(&d.get(&10).unwrap(), &last));
    drop(last);
    assert!(d.is_empty());
}

/// As the threaded one, on one thread: the old value is replaced first and dies then, a reference to it still there.
#[test]
fn test_weak_valued_consistency() {
    let d = Values::new();
    let old = object(1);
    d.insert(10, &old);
    let wr = Arc::observe(&old, |_| ());
    let o = object(2);
    assert!(d.insert(10, &o).is_some_and(|replaced| Arc::ptr_eq(&replaced, &old)));
    drop(old);
    assert!(!wr.is_alive());
    assert_eq!(d.len(), 1);
    assert_eq!(d.get(&10), Some(o));
}

/// Entries of the copy tests, one in ten of which stays.
const MANY: usize = sized(20_000, 100);

/// `copy` is called over and over while another thread drops the objects, all but one in ten, in random order.
fn check_threaded_weak_dict_copy<O: Send>(objects: Vec<O>, copy: impl Fn()) -> Vec<O> {
    let (stay, mut go): (Vec<_>, Vec<_>) = objects.into_iter().enumerate().partition(|(n, _)| n % 10 == 0);
    thread::scope(|scope| {
        let drops = scope.spawn(move || {
            let mut random = Random(35_615);
            while !go.is_empty() {
                drop(go.swap_remove(random.below(go.len())));
            }
        });
        while !drops.is_finished() {
            copy();
        }
    });
    copy();
    stay.into_iter().map(|(_, object)| object).collect()
}

/// A copy has every entry that lives throughout, and each as it was.
fn check_copy<V>(items: impl Iterator<Item = (usize, V)>, is: impl Fn(usize, V) -> bool) {
    let mut stayed = 0;
    for (n, value) in items {
        stayed += usize::from(n % 10 == 0);
        assert!(is(n, value));
    }
    assert_eq!(stayed, MANY / 10);
}

#[test]
fn test_threaded_weak_key_dict_copy() {
    let keys: Vec<_> = (0..MANY).map(Arc::new).collect();
    let d: PtrWeakKeyMap<usize, usize> = keys.iter().map(|key| (key, **key)).collect();
    let stay = check_threaded_weak_dict_copy(keys, || {
        check_copy(d.clone().iter().map(|(key, value)| (*key, value)), |n, value| value == n);
    });
    let copy = d.clone();
    assert_eq!((d.len(), copy.len()), (MANY / 10, MANY / 10));
    drop(stay);
    assert!(d.is_empty() && copy.is_empty());
}

/// Counts its clones.
#[derive(Debug)]
struct Deep(usize, Count);

impl Clone for Deep {
    fn clone(&self) -> Self {
        self.1.up();
        Deep(self.0, self.1.clone())
    }
}

impl PartialEq for Deep {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Deep {}

impl Hash for Deep {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Keys are shared, values are cloned.
#[test]
fn test_threaded_weak_key_dict_deepcopy() {
    let clones = Count::default();
    let keys: Vec<_> = (0..MANY).map(Arc::new).collect();
    let d: PtrWeakKeyMap<usize, Deep> = keys.iter().map(|key| (key, Deep(**key, clones.clone()))).collect();
    let stay = check_threaded_weak_dict_copy(keys, || {
        let before = clones.get();
        let copy = d.clone();
        assert!(clones.get() - before >= copy.len());
        check_copy(copy.iter().map(|(key, value)| (*key, value.0)), |n, value| value == n);
    });
    let copy = d.clone();
    assert!(stay.iter().all(|key| Arc::ptr_eq(&copy.get_key(key).unwrap(), key)));
    drop(stay);
    assert!(d.is_empty() && copy.is_empty());
}

#[test]
fn test_threaded_weak_value_dict_copy() {
    let values: Vec<_> = (0..MANY).map(Arc::new).collect();
    let d: WeakValueMap<usize, usize> = values.iter().map(|value| (**value, value)).collect();
    let stay = check_threaded_weak_dict_copy(values, || {
        check_copy(d.clone().iter(), |n, value| *value == n);
    });
    let copy = d.clone();
    assert_eq!((d.len(), copy.len()), (MANY / 10, MANY / 10));
    drop(stay);
    assert!(d.is_empty() && copy.is_empty());
}

/// Keys are cloned, values are shared.
#[test]
fn test_threaded_weak_value_dict_deepcopy() {
    let clones = Count::default();
    let values: Vec<_> = (0..MANY).map(Arc::new).collect();
    let d: WeakValueMap<Deep, usize> = values.iter().map(|value| (Deep(**value, clones.clone()), value)).collect();
    let stay = check_threaded_weak_dict_copy(values, || {
        let before = clones.get();
        let copy = d.clone();
        assert!(clones.get() - before >= copy.len());
        check_copy(copy.iter().map(|(key, value)| (key.0, value)), |n, value| *value == n);
    });
    let copy = d.clone();
    assert!(stay.iter().all(|value| Arc::ptr_eq(&copy.get(&Deep(**value, Count::default())).unwrap(), value)));
    drop(stay);
    assert!(d.is_empty() && copy.is_empty());
}
