//! Counts that live in raw pointers.

use super::Ledger;
use std::fmt::Display;
use weakly::{Arc, Weak, unsize};

#[test]
fn a_raw_pointer_carries_a_count_there_and_back() {
    let ledger = Ledger::default();
    let a = Arc::new(ledger.entry());
    let place = Arc::as_ptr(&a);
    let raw = Arc::into_raw(a);
    assert_eq!((raw, ledger.live()), (place, 1));
    // SAFETY: `raw` holds a count, given back once.
    let a = unsafe { Arc::from_raw(raw) };
    assert_eq!(Arc::strong_count(&a), 1);
    drop(a);
    assert_eq!(ledger.live(), 0);
}

#[test]
fn counts_of_raw_pointers_can_be_taken_and_given_up() {
    let ledger = Ledger::default();
    let a = Arc::new(ledger.entry());
    let weak = Arc::downgrade(&a);
    let raw = Arc::into_raw(a);
    // SAFETY: `raw` holds a count; the second is taken first, then both are given up.
    unsafe {
        Arc::increment_strong_count(raw);
        assert_eq!(weak.strong_count(), 2);
        Arc::decrement_strong_count(raw);
        assert_eq!((weak.strong_count(), ledger.live()), (1, 1));
        Arc::decrement_strong_count(raw);
    }
    assert_eq!((weak.is_alive(), ledger.live()), (false, 0));
}

#[test]
fn the_last_count_of_a_raw_pointer_is_the_death() {
    let (tx, rx) = std::sync::mpsc::channel();
    let a = Arc::new(5);
    Arc::observe(&a, move |seen| tx.send(*seen).unwrap()).detach();
    // SAFETY: the count is given up once.
    unsafe { Arc::decrement_strong_count(Arc::into_raw(a)) };
    assert_eq!(rx.try_recv(), Ok(5));
}

#[test]
fn raw_pointers_of_unsized_and_aligned_values_come_back() {
    fn there_and_back<T: ?Sized>(a: Arc<T>) -> Arc<T> {
        let weak = Arc::downgrade(&a);
        assert!(std::ptr::eq(weak.as_ptr(), Arc::as_ptr(&a)));
        assert!(std::ptr::eq(Arc::as_ptr(&a), &raw const *a));
        // SAFETY: each came from its `into_raw`, and goes back once.
        unsafe {
            let weak = Weak::from_raw(weak.into_raw());
            let a = Arc::from_raw(Arc::into_raw(a));
            assert!(weak.is_alive());
            a
        }
    }
    #[repr(align(4096))]
    struct Page(u8);
    assert_eq!(*there_and_back(Arc::<[u16]>::from([1, 2])), [1, 2]);
    assert_eq!(&*there_and_back(Arc::<str>::from("x")), "x");
    assert_eq!(there_and_back::<dyn Display>(unsize!(Arc::new(5_u8))).to_string(), "5");
    assert_eq!(there_and_back(Arc::new(Page(1))).0, 1);
    there_and_back(Arc::new(()));
}

#[test]
fn a_weak_in_a_raw_pointer_keeps_memory_and_not_life() {
    let a = Arc::new(String::from("x"));
    let raw = Arc::downgrade(&a).into_raw();
    assert_eq!((raw, Arc::weak_count(&a)), (Arc::as_ptr(&a), 1));
    drop(a);
    // SAFETY: `raw` holds a weak count, given back once.
    let weak = unsafe { Weak::from_raw(raw) };
    assert!(weak.upgrade().is_none());
    assert_eq!(weak.as_ptr(), raw, "the address outlives the value");
}

#[test]
fn a_weak_to_nothing_survives_a_raw_pointer() {
    let raw = Weak::<u64>::new().into_raw();
    assert_eq!(raw, Weak::<u64>::new().as_ptr());
    // SAFETY: `raw` came from `into_raw`.
    let weak = unsafe { Weak::from_raw(raw) };
    assert!(weak.ptr_eq(&Weak::new()) && weak.upgrade().is_none());
}
