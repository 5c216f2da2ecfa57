//! `ByValue`: CPython's equality of weak references.

use super::{Entry, Ledger};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use weakly::{Arc, ByValue};

#[test]
fn live_values_are_compared_and_dead_ones_only_to_themselves() {
    let (a, b, c) = (Arc::new(1), Arc::new(1), Arc::new(2));
    let (x, y, z) = (ByValue::new(&a), ByValue::new(&b), ByValue::new(&c));
    assert!(x == y && x != z);
    drop(a);
    assert!(x != y, "a dead object is no live one's equal");
    assert!(x == x.clone());
    drop(b);
    assert!(x != y, "two dead objects stay two");
    assert!(x.upgrade().is_none() && !y.as_weak().is_alive());
    assert_eq!(z.upgrade(), Some(c));
}

#[test]
fn the_hash_is_taken_once_and_outlives_the_value() {
    let hasher = RandomState::new();
    let a = Arc::<str>::from("x");
    let x = ByValue::new(&a);
    let before = hasher.hash_one(&x);
    assert_eq!(before, hasher.hash_one(ByValue::new(&Arc::<str>::from("x"))));
    let mut map = HashMap::from([(x.clone(), 1)]);
    drop(a);
    assert_eq!(before, hasher.hash_one(&x));
    assert_eq!(map.remove(&x), Some(1));
}

#[test]
fn it_holds_the_value_weakly() {
    let ledger = Ledger::default();
    struct Named(&'static str, #[expect(dead_code)] Entry);
    impl std::hash::Hash for Named {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    let a = Arc::new(Named("x", ledger.entry()));
    let weak = ByValue::new(&a);
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 1));
    drop(a);
    assert_eq!(ledger.live(), 0);
    assert!(format!("{weak:?}").contains("dead"));
}
