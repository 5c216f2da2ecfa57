//! `make_mut` and `unwrap_or_clone`: in place, moved, or cloned.

use super::{Entry, Ledger, OnDrop, broken, panics};
use std::ffi::{CStr, CString, OsStr};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use weakly::{Arc, CloneBlock, unsize};

#[test]
fn a_value_that_nobody_else_knows_is_changed_in_place() {
    let ledger = Ledger::default();
    let mut a = Arc::new((1, ledger.entry()));
    let place = Arc::as_ptr(&a);
    Arc::make_mut(&mut a).0 = 2;
    assert_eq!((Arc::as_ptr(&a), a.0, ledger.clones()), (place, 2, 0));
}

#[test]
fn a_shared_value_is_cloned() {
    let ledger = Ledger::default();
    let mut a = Arc::new((1, ledger.entry()));
    let b = a.clone();
    let weak = Arc::downgrade(&b);
    Arc::make_mut(&mut a).0 = 2;
    assert_eq!((a.0, b.0, ledger.clones(), ledger.live()), (2, 1, 1, 2));
    assert!(Arc::ptr_eq(&weak.upgrade().unwrap(), &b), "who watched the old object still does");
    assert_eq!(Arc::weak_count(&a), 0);
}

#[test]
fn a_weakly_known_value_moves_and_its_objects_callbacks_run() {
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    let mut a = Arc::new((1, ledger.entry()));
    let weak = Arc::downgrade(&a);
    for name in ["older", "newer"] {
        let (tx, dying) = (tx.clone(), weak.clone());
        Arc::observe(&a, move |seen| tx.send((name, seen.0, dying.is_alive())).unwrap()).detach();
    }
    Arc::make_mut(&mut a).0 = 2;
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [("newer", 1, false), ("older", 1, false)]);
    assert!(weak.upgrade().is_none());
    assert_eq!((a.0, ledger.clones(), ledger.live()), (2, 0, 1));
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a), Arc::observer_count(&a)), (1, 0, 0));
    drop(a);
    assert_eq!(ledger.live(), 0);
    assert!(rx.try_recv().is_err());
}

#[test]
fn what_a_callback_writes_into_a_moving_value_is_kept() {
    struct Log(Mutex<Vec<u8>>);
    impl Clone for Log {
        fn clone(&self) -> Self {
            unreachable!("moved, not cloned")
        }
    }
    let mut a = Arc::new(Log(Mutex::new(vec![1])));
    Arc::observe(&a, |log| log.0.lock().unwrap().push(2)).detach();
    assert_eq!(*Arc::make_mut(&mut a).0.get_mut().unwrap(), [1, 2]);
}

#[test]
fn a_moving_value_survives_a_callback_that_panics() {
    let mut a = Arc::new(String::from("x"));
    Arc::observe(&a, |_| broken("a callback")).detach();
    Arc::make_mut(&mut a).push('y');
    assert_eq!(*a, "xy");
}

#[test]
fn a_deferred_value_is_always_cloned() {
    let ledger = Ledger::default();
    let mut a = Arc::new_deferred((1, ledger.entry()));
    Arc::make_mut(&mut a).0 = 2;
    assert_eq!((a.0, ledger.clones()), (2, 1));
    assert!(!Arc::is_deferred(&a), "the clone is an ordinary object");
    assert_eq!(Arc::unwrap_or_clone(Arc::new_deferred((3, ledger.entry()))).0, 3);
    assert_eq!(ledger.clones(), 2);
}

struct Fragile(u8);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        broken("a clone")
    }
}

#[test]
fn a_deferred_value_whose_clone_panics_stays_as_it_was() {
    let mut a = Arc::new_deferred(Fragile(1));
    let weak = Arc::downgrade(&a);
    assert_eq!(panics(|| Arc::make_mut(&mut a).0), "a clone");
    assert_eq!((a.0, Arc::strong_count(&a), weak.is_alive()), (1, 1, true));
    assert_eq!(panics(|| Arc::unwrap_or_clone(a)), "a clone");
    assert!(!weak.is_alive());
}

#[test]
fn a_clone_that_panics_leaves_everything_as_it_was() {
    let mut a = Arc::new(Fragile(1));
    let b = a.clone();
    assert_eq!(panics(|| Arc::make_mut(&mut a).0), "a clone");
    assert!(Arc::ptr_eq(&a, &b) && Arc::strong_count(&a) == 2);
    assert_eq!(panics(|| Arc::unwrap_or_clone(b)), "a clone");
    assert_eq!(Arc::strong_count(&a), 1);
    assert_eq!(Arc::unwrap_or_clone(a).0, 1);
}

#[test]
fn a_slice_whose_clone_panics_half_way_leaves_everything_as_it_was() {
    struct Fragile(usize, Entry);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            if self.0 == 2 {
                broken("a clone");
            }
            Fragile(self.0, self.1.clone())
        }
    }
    let ledger = Ledger::default();
    let mut a: Arc<[Fragile]> = (0..4).map(|i| Fragile(i, ledger.entry())).collect();
    let b = a.clone();
    assert_eq!(panics(|| Arc::make_mut(&mut a).len()), "a clone");
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!((ledger.live(), ledger.clones()), (4, 2));
}

#[test]
fn the_old_object_dies_here_if_its_other_owners_go_while_it_is_cloned() {
    struct Leaver(Mutex<Option<Arc<Leaver>>>, Entry);
    impl Clone for Leaver {
        fn clone(&self) -> Self {
            drop(self.0.lock().unwrap().take()); // the other owner
            Leaver(Mutex::new(None), self.1.clone())
        }
    }
    let ledger = Ledger::default();
    let mut a = Arc::new(Leaver(Mutex::new(None), ledger.entry()));
    let weak = Arc::downgrade(&a);
    *a.0.lock().unwrap() = Some(a.clone());
    Arc::make_mut(&mut a);
    assert!(!weak.is_alive() && !Arc::ptr_eq(&a, &Arc::new(Leaver(Mutex::new(None), ledger.entry()))));
    assert_eq!((ledger.live(), ledger.clones()), (1, 1));
}

#[test]
fn a_destructor_that_panics_under_make_mut_leaves_the_clone() {
    struct Leaver(Mutex<Option<Arc<Leaver>>>, u8);
    impl Clone for Leaver {
        fn clone(&self) -> Self {
            drop(self.0.lock().unwrap().take());
            Leaver(Mutex::new(None), 2)
        }
    }
    impl Drop for Leaver {
        fn drop(&mut self) {
            if self.1 == 1 {
                broken("the old one");
            }
        }
    }
    let mut a = Arc::new(Leaver(Mutex::new(None), 1));
    *a.0.lock().unwrap() = Some(a.clone());
    assert_eq!(panics(|| Arc::make_mut(&mut a).1), "the old one");
    assert_eq!((a.1, Arc::strong_count(&a)), (2, 1));
}

#[test]
fn unsized_values_are_cloned_moved_or_changed_in_place() {
    fn thrice<T: ?Sized + CloneBlock + PartialEq + std::fmt::Debug>(mut a: Arc<T>) {
        let place = Arc::as_ptr(&a);
        Arc::make_mut(&mut a);
        assert!(std::ptr::eq(place, Arc::as_ptr(&a)), "in place");
        let b = a.clone();
        Arc::make_mut(&mut a);
        assert!(!Arc::ptr_eq(&a, &b) && a == b, "cloned");
        let weak = Arc::downgrade(&a);
        Arc::make_mut(&mut a);
        assert!(!weak.is_alive() && a == b, "moved");
    }
    thrice::<[String]>(["a".to_string(), "b".to_string()].into());
    thrice::<[u8]>([].into());
    thrice::<[()]>([(), ()].into());
    thrice::<str>("text".into());
    thrice::<str>("".into());
    thrice::<CStr>(CString::from(c"text").into());
    thrice::<OsStr>(OsStr::new("text").into());
    thrice::<Path>(Path::new("a/b").into());
    thrice::<String>("text".to_string().into());
    #[repr(align(4096))]
    #[derive(Clone, Debug, PartialEq)]
    struct Page(u8);
    thrice(Arc::new(Page(1)));
    thrice::<[Page]>([Page(1), Page(2)].into());
}

#[test]
fn unsized_types_of_others_can_be_cloned_too() {
    trait Shape: Send {
        fn grow(&mut self);
        fn side(&self) -> u8;
        unsafe fn clone_shape(&self, place: *mut u8);
    }
    // SAFETY: each shape's own type clones it.
    unsafe impl CloneBlock for dyn Shape {
        unsafe fn clone_block(&self, place: *mut u8) {
            // SAFETY: as the caller says.
            unsafe { self.clone_shape(place) }
        }
    }
    #[derive(Clone)]
    struct Square(u8, #[expect(dead_code)] Entry);
    impl Shape for Square {
        fn grow(&mut self) {
            self.0 += 1;
        }
        fn side(&self) -> u8 {
            self.0
        }
        unsafe fn clone_shape(&self, place: *mut u8) {
            // SAFETY: as the caller says.
            unsafe { self.clone_block(place) }
        }
    }
    let ledger = Ledger::default();
    let small: Arc<dyn Shape> = unsize!(Arc::new(Square(1, ledger.entry())));
    let mut big = small.clone();
    Arc::make_mut(&mut big).grow();
    assert_eq!((small.side(), big.side(), ledger.clones()), (1, 2, 1));
    let weak = Arc::downgrade(&big);
    Arc::make_mut(&mut big).grow();
    assert_eq!((weak.is_alive(), big.side(), ledger.clones()), (false, 3, 1));
    drop((small, big));
    assert_eq!(ledger.live(), 0);
}

#[test]
fn unwrap_or_clone_moves_the_last_and_clones_the_shared() {
    let ledger = Ledger::default();
    let a = Arc::new(ledger.entry());
    let b = a.clone();
    let first = Arc::unwrap_or_clone(a);
    assert_eq!((ledger.live(), ledger.clones()), (2, 1));
    let weak = Arc::downgrade(&b);
    let second = Arc::unwrap_or_clone(b);
    assert_eq!((weak.is_alive(), ledger.live(), ledger.clones()), (false, 2, 1));
    drop((first, second));
    assert_eq!(ledger.live(), 0);
}

#[test]
fn user_code_of_a_moving_value_runs_once_it_has_moved_or_not_at_all() {
    let (tx, rx) = channel();
    #[derive(Clone)]
    struct Loud(std::sync::Arc<OnDrop<Box<dyn FnMut() + Send + Sync>>>);
    let tx = std::sync::Mutex::new(tx);
    let loud = OnDrop(Box::new(move || tx.lock().unwrap().send(()).unwrap()) as Box<dyn FnMut() + Send + Sync>);
    let mut a = Arc::new(Loud(loud.into()));
    let weak = Arc::downgrade(&a);
    Arc::make_mut(&mut a);
    drop(weak);
    assert!(rx.try_recv().is_err(), "the bytes left behind are nobody's value");
    assert_eq!(std::sync::Arc::strong_count(&a.0), 1);
    drop(a);
    assert_eq!(rx.try_iter().count(), 1);
}
