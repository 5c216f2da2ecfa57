//! `BasicTestMappingProtocol`, which CPython runs on both dictionaries: the bodies, and the names by a macro.

use crate::common::{Dict, planned};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Pair<D> = (<D as Dict>::K, <D as Dict>::V);

/// What a test starts from: pairs that its maps hold, one among them by name, and one that they don't.
struct Fixture<D: Dict> {
    reference: Vec<Pair<D>>,
    inmapping: Pair<D>,
    other: Pair<D>,
}

impl<D: Dict> Fixture<D> {
    fn new() -> Self {
        let reference = vec![D::pair(1), D::pair(2)];
        Fixture { inmapping: reference[1].clone(), reference, other: D::pair(3) }
    }

    fn full(&self) -> D {
        let d = D::default();
        for (key, value) in &self.reference {
            d.set(key, value);
        }
        d
    }
}

/// The same items, whatever the order.
fn assert_same<T: Eq + std::hash::Hash + std::fmt::Debug>(
    items: impl IntoIterator<Item = T>,
    expected: impl IntoIterator<Item = T>,
) {
    let items: Vec<T> = items.into_iter().collect();
    let n = items.len();
    let items: HashSet<T> = items.into_iter().collect();
    assert_eq!(items.len(), n, "each once");
    assert_eq!(items, expected.into_iter().collect());
}

pub fn test_read<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let (p, d) = (D::default(), fixture.full());
    for (key, value) in &fixture.reference {
        assert_eq!(d.at(key).as_ref(), Some(value));
        assert!(d.has(key));
    }
    let (knownkey, _) = &fixture.other;
    assert_eq!(d.at(knownkey), None);
    assert!(!d.has(knownkey));
    assert_eq!((p.size(), d.size()), (0, fixture.reference.len()));
    assert!(p.empty() && !d.empty());
    #[expect(clippy::eq_op, reason = "`==` is what is tested")]
    let same = p == p && d == d;
    assert!(same);
    assert_ne!(p, d);
    assert_ne!(d, p);
    assert_same(d.keys(), fixture.reference.iter().map(|(key, _)| key.clone()));
    assert_same(d.values(), fixture.reference.iter().map(|(_, value)| value.clone()));
    assert_same(d.items(), fixture.reference.iter().cloned());
    let (key, value) = d.items().next().unwrap();
    assert_eq!(d.at(&key), Some(value));
}

pub fn test_write<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let p = D::default();
    for (key, value) in &fixture.reference {
        p.set(key, value);
        assert_eq!(p.at(key).as_ref(), Some(value));
    }
    for (key, _) in &fixture.reference {
        assert!(p.pop(key).is_some());
        assert_eq!(p.at(key), None);
    }
    // update
    let p = D::default();
    p.update(fixture.reference.clone());
    assert_same(p.items(), fixture.reference.iter().cloned());
    let items: Vec<_> = p.items().collect();
    let p = D::default();
    p.update(items);
    assert_same(p.items(), fixture.reference.iter().cloned());
    // setdefault
    let d = fixture.full();
    let ((key, value), (knownkey, knownvalue)) = (d.items().next().unwrap(), &fixture.other);
    assert_eq!(d.setdefault(&key, knownvalue), value);
    assert_eq!(d.at(&key), Some(value));
    assert_eq!(d.setdefault(knownkey, knownvalue), *knownvalue);
    assert_eq!(d.at(knownkey).as_ref(), Some(knownvalue));
    // pop: what CPython's default is for is `Option`'s to say
    assert_eq!(d.pop(knownkey).as_ref(), Some(knownvalue));
    assert!(!d.has(knownkey));
    assert_eq!(d.pop(knownkey), None);
    d.set(knownkey, knownvalue);
    assert_eq!(d.pop(knownkey).as_ref(), Some(knownvalue));
    assert_eq!(d.pop(knownkey), None);
    // popitem
    let (key, value) = d.popitem().unwrap();
    assert!(!d.has(&key));
    assert!(fixture.reference.contains(&(key, value)));
    assert_eq!(D::default().popitem(), None);
}

pub fn test_constructor<D: Dict>() {
    assert_eq!(D::default(), D::default());
}

pub fn test_bool<D: Dict>() {
    let fixture = Fixture::<D>::new();
    assert!(D::default().empty());
    assert!(!fixture.full().empty());
}

pub fn test_keys<D: Dict>() {
    assert_eq!(D::default().keys().count(), 0);
    let fixture = Fixture::<D>::new();
    let d = fixture.full();
    assert!(d.keys().any(|key| key == fixture.inmapping.0));
    assert!(d.keys().all(|key| key != fixture.other.0));
}

pub fn test_values<D: Dict>() {
    assert_eq!(D::default().values().count(), 0);
    let fixture = Fixture::<D>::new();
    let d = fixture.full();
    assert!(d.values().any(|value| value == fixture.inmapping.1));
    assert!(d.values().all(|value| value != fixture.other.1));
}

pub fn test_items<D: Dict>() {
    assert_eq!(D::default().items().count(), 0);
    let fixture = Fixture::<D>::new();
    let d = fixture.full();
    assert!(d.items().any(|item| item == fixture.inmapping));
    assert!(d.items().all(|item| item != fixture.other));
}

pub fn test_len<D: Dict>() {
    assert_eq!(D::default().size(), 0);
}

pub fn test_getitem<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let d = fixture.full();
    assert_eq!(d.at(&fixture.inmapping.0).as_ref(), Some(&fixture.inmapping.1));
}

/// CPython's exceptions from an iterator are panics here: they come through, what was stored stays, and the map goes on.
pub fn test_update<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let other = [fixture.other.clone()];
    let d = D::default();
    d.update(other.clone());
    assert_same(d.items(), other.clone());
    // Nothing.
    let d = D::default();
    d.update([]);
    assert_eq!(d, D::default());
    // An iterator.
    let d = D::default();
    d.update(other.iter().cloned());
    assert_same(d.items(), other.clone());
    // Keys, each looked up in turn.
    let full = fixture.full();
    d.clear_all();
    d.update(full.keys().map(|key| (key.clone(), full.at(&key).unwrap())));
    assert_same(d.items(), fixture.reference.iter().cloned());

    let fails = |items: Box<dyn Iterator<Item = Pair<D>>>| {
        let d = D::default();
        assert!(catch_unwind(AssertUnwindSafe(|| d.update(items))).is_err());
        d
    };
    // At once.
    let d = fails(Box::new(std::iter::from_fn(|| planned())));
    assert!(d.empty());
    // After the first.
    let mut first = Some(fixture.other.clone());
    let d = fails(Box::new(std::iter::from_fn(move || Some(first.take().unwrap_or_else(|| planned())))));
    assert_same(d.items(), other.clone());
    // In making a value of a key.
    let d = fails(Box::new((0..26).map(|n| if n == 0 { planned() } else { D::pair(n) })));
    assert!(d.empty());
    d.update(other.clone());
    assert_same(d.items(), other);
}

pub fn test_get<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let ((key, value), (otherkey, othervalue)) = (&fixture.inmapping, &fixture.other);
    for d in [D::default(), fixture.full()] {
        assert_eq!(d.at(otherkey), None);
        assert_eq!(d.at(otherkey).unwrap_or(othervalue.clone()), *othervalue);
    }
    let d = fixture.full();
    assert_eq!(d.at(key).as_ref(), Some(value));
    assert_eq!(d.at(key).unwrap_or(othervalue.clone()), *value);
}

pub fn test_popitem<D: Dict>() {
    assert_eq!(D::default().popitem(), None);
}

pub fn test_pop<D: Dict>() {
    let fixture = Fixture::<D>::new();
    let (key, value) = &fixture.inmapping;
    let d = D::default();
    d.set(key, value);
    assert_eq!(d.pop(&fixture.other.0), None);
    assert_eq!(d.pop(key).as_ref(), Some(value));
    assert_eq!(d.size(), 0);
    assert_eq!(d.pop(key), None);
}

/// The test case of one dictionary.
macro_rules! mapping_protocol {
    ($D:ty: $($name:ident)*) => { $(
        #[test]
        fn $name() {
            crate::mapping_protocol::$name::<$D>();
        }
    )* };
    ($D:ty) => {
        mapping_protocol! {
            $D: test_read test_write test_constructor test_bool test_keys test_values test_items test_len test_getitem
            test_update test_get test_popitem test_pop
        }
    };
}
pub(crate) use mapping_protocol;
