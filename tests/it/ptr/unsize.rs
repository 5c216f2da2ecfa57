//! `unsize!`: the same object as another type.

use super::{Entry, Ledger};
use std::fmt::{Debug, Display};
use weakly::{Arc, Weak, unsize};

#[test]
fn the_object_stays_the_same() {
    let five = Arc::new(5_u8);
    let shown = unsize!(five.clone() => dyn Display + Send + Sync);
    assert_eq!(shown.to_string(), "5");
    assert!(std::ptr::addr_eq(Arc::as_ptr(&five), Arc::as_ptr(&shown)));
    assert_eq!(Arc::strong_count(&five), 2);
    let weak: Weak<dyn Display> = unsize!(Arc::downgrade(&five));
    drop(five);
    assert_eq!(weak.upgrade().unwrap().to_string(), "5");
    drop(shown);
    assert!(!weak.is_alive());
}

#[test]
fn the_last_unsized_owner_destroys_the_whole_value() {
    #[repr(align(64))]
    struct Line([Entry; 3]);
    trait Any {}
    impl Any for Line {}
    let ledger = Ledger::default();
    let line = Arc::new(Line([ledger.entry(), ledger.entry(), ledger.entry()]));
    let weak = Arc::downgrade(&line);
    let any: Arc<dyn Any> = unsize!(line);
    let thin = weak.upgrade().unwrap();
    assert_eq!(thin.0.len(), 3);
    drop(thin);
    assert_eq!(ledger.live(), 3);
    drop(any);
    assert_eq!(ledger.live(), 0);
}

#[test]
fn an_array_becomes_a_slice_and_a_trait_object_its_supertrait() {
    let bytes: Arc<[u8]> = unsize!(Arc::new([1, 2, 3]));
    assert_eq!(*bytes, [1, 2, 3]);
    trait Both: Debug + Display {}
    impl Both for u8 {}
    let both: Arc<dyn Both> = unsize!(Arc::new(5));
    let up: Arc<dyn Debug> = unsize!(both);
    assert_eq!(format!("{up:?}"), "5");
}

#[test]
fn the_target_is_inferred_where_std_would_infer_it() {
    fn named(name: &Arc<dyn Display>) -> String {
        name.to_string()
    }
    fn make(f: impl FnOnce(u8) -> Arc<dyn Display>) -> String {
        f(5).to_string()
    }
    let a = Arc::new("a");
    assert_eq!(named(&unsize!(a.clone())), "a");
    assert_eq!(make(|n| unsize!(Arc::new(n))), "5");
    let all: Vec<Arc<dyn Display>> = vec![unsize!(a), unsize!(Arc::new(1))];
    assert_eq!(all[1].to_string(), "1");
    let add: Arc<dyn Fn(u8) -> u8 + Send + Sync> = unsize!(Arc::new(|x| x + 1));
    assert_eq!(add(1), 2);
    let borrowed = String::from("borrowed");
    let short: Arc<dyn Display + '_> = unsize!(Arc::new(borrowed.as_str()));
    assert_eq!(short.to_string(), "borrowed");
}

#[test]
fn a_weak_to_nothing_can_be_unsized() {
    let weak: Weak<dyn Display> = unsize!(Weak::<u8>::new());
    assert!(weak.clone().upgrade().is_none() && !weak.is_alive());
    let slice = unsize!(Weak::<[u8; 3]>::new() => [u8]);
    assert_eq!((slice.strong_count(), slice.weak_count()), (0, 0));
    assert!(slice.ptr_eq(&unsize!(Weak::<[u8; 5]>::new())));
}

#[test]
fn callbacks_of_both_types_run_at_the_one_death() {
    let (tx, rx) = std::sync::mpsc::channel();
    let five = Arc::new(5_u8);
    let thin = tx.clone();
    Arc::observe(&five, move |n| thin.send(n.to_string() + " thin").unwrap()).detach();
    let shown: Arc<dyn Display> = unsize!(five.clone());
    Arc::observe(&shown, move |n| tx.send(n.to_string() + " wide").unwrap()).detach();
    assert_eq!(Arc::observer_count(&five), 2);
    drop(five);
    drop(shown);
    assert_eq!(rx.iter().collect::<Vec<_>>(), ["5 wide", "5 thin"]);
}
