//! What `std::sync::{Arc, Weak}` have too.

use super::{Entry, Ledger, OnDrop, broken, panics, race, sized};
use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakly::atomic::AtomicWeak;
use weakly::{Arc, Weak, unsize};

#[test]
fn counts_follow_the_handles() {
    let a = Arc::new(5);
    let b = Arc::clone(&a);
    let weak = Arc::downgrade(&a);
    let weaker = weak.clone();
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (2, 2));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 2));
    assert!(Arc::ptr_eq(&a, &b) && weak.ptr_eq(&weaker) && weak.is_alive());
    assert!(!Arc::ptr_eq(&a, &Arc::new(5)));
    drop((a, weaker));
    assert_eq!((Arc::strong_count(&b), Arc::weak_count(&b)), (1, 1));
    drop(b);
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert!(weak.upgrade().is_none() && !weak.is_alive());
}

#[test]
fn a_failed_upgrade_stays_failed_however_often_it_is_tried() {
    let weak = Arc::downgrade(&Arc::new(5));
    for _ in 0..sized(100_000, 100) {
        assert!(weak.upgrade().is_none());
    }
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
}

#[test]
fn a_weak_to_nothing_needs_no_object() {
    static NOTHING: Weak<u8> = Weak::new();
    let weak = Weak::<String>::default();
    assert!(weak.upgrade().is_none() && !weak.is_alive());
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert!(weak.clone().ptr_eq(&Weak::new()));
    assert!(NOTHING.upgrade().is_none());
}

#[test]
fn a_value_lies_as_its_alignment_asks() {
    fn check<T: Clone + PartialEq + std::fmt::Debug + 'static>(value: T) {
        let mut a = Arc::new(value.clone());
        assert_eq!(Arc::as_ptr(&a).addr() % align_of::<T>(), 0);
        assert_eq!(*a, value);
        let observer = Arc::observe(&a, |_| ());
        assert!(observer.cancel());
        *Arc::get_mut(&mut a).unwrap() = value.clone();
        let weak = Arc::downgrade(&a);
        let boxed: Arc<T> = Box::new(value.clone()).into();
        assert_eq!(boxed, a);
        let many: Arc<[T]> = vec![value.clone(), value.clone(), value.clone()].into();
        assert_eq!(Arc::as_ptr(&many).addr() % align_of::<T>(), 0);
        assert_eq!(many[2], value);
        assert_eq!(Arc::try_unwrap(a).unwrap(), value);
        assert!(!weak.is_alive());
    }
    #[repr(align(64))]
    #[derive(Clone, Debug, PartialEq)]
    struct Line(u8);
    #[repr(align(4096))]
    #[derive(Clone, Debug, PartialEq)]
    struct Page(u8);
    #[repr(align(4096))]
    #[derive(Clone, Debug, PartialEq)]
    struct Empty;
    check(());
    check(1_u8);
    check(1_u128);
    check([1_u8; 1000]);
    check(Line(1));
    check(Page(1));
    check(Empty);
    check(String::from("x"));
}

#[test]
fn values_without_size_are_objects_of_their_own() {
    let (a, b) = (Arc::new(()), Arc::new(()));
    assert!(!Arc::ptr_eq(&a, &b));
    let weak = Arc::downgrade(&a);
    drop(b);
    assert!(weak.is_alive());
    drop(a);
    assert!(!weak.is_alive());
}

#[test]
fn a_cyclic_object_knows_itself_once_it_is_born() {
    struct Node {
        me: Weak<Node>,
    }
    let node = Arc::new_cyclic(|me: &Weak<Node>| {
        assert!(me.upgrade().is_none() && !me.is_alive());
        assert_eq!((me.strong_count(), me.weak_count()), (0, 0));
        Node { me: me.clone() }
    });
    assert!(Arc::ptr_eq(&node.me.upgrade().unwrap(), &node));
    assert_eq!((Arc::strong_count(&node), Arc::weak_count(&node)), (1, 1));
    let weak = node.me.clone();
    drop(node);
    assert!(!weak.is_alive());
}

#[test]
fn a_cyclic_object_that_is_never_born_stays_dead() {
    let ledger = Ledger::default();
    let mut kept = Weak::new();
    let message = panics(|| {
        Arc::new_cyclic(|me| {
            let _captured = ledger.entry();
            kept = me.clone();
            if ledger.live() == 1 {
                broken("stillborn");
            }
            ledger.entry()
        })
    });
    assert_eq!((message.as_str(), ledger.live()), ("stillborn", 0));
    assert!(kept.upgrade().is_none());
}

#[test]
fn a_weak_to_a_type_without_values_stays_dead() {
    use std::convert::Infallible;
    let slot = AtomicWeak::empty();
    let message = panics(|| {
        Arc::<(u64, Infallible)>::new_cyclic(|me| {
            slot.store(me.clone());
            broken("there is none");
        })
    });
    assert_eq!(message, "there is none");
    let kept = slot.load();
    assert!(kept.upgrade().is_none() && slot.upgrade().is_none());
    drop(kept);
    drop(slot.into_inner()); // and with it the block
}

#[test]
fn a_pinned_value_stays_where_it_is() {
    let pinned = Arc::pin((5, std::marker::PhantomPinned));
    let same = pinned.clone();
    assert!(std::ptr::eq(&raw const pinned.0, &raw const same.0));
}

#[test]
fn only_the_sole_owner_can_take_the_value_out() {
    let ledger = Ledger::default();
    let a = Arc::new(ledger.entry());
    let weak = Arc::downgrade(&a);
    let b = a.clone();
    let Err(a) = Arc::try_unwrap(a) else { panic!("taken from under another owner") };
    assert!(Arc::ptr_eq(&a, &b));
    drop(b);
    let Ok(value) = Arc::try_unwrap(a) else { panic!("the sole owner was refused") };
    assert!(weak.upgrade().is_none());
    assert_eq!(ledger.live(), 1);
    drop(value);
    assert_eq!((ledger.live(), ledger.clones()), (0, 0));
}

#[test]
fn into_inner_gives_the_value_to_exactly_one_of_many_threads() {
    for (threads, rounds) in [(2, sized(100_000, 20)), (4, sized(3_000, 20))] {
        let ledger = Ledger::default();
        let objects: Vec<_> = (0..rounds).map(|_| Arc::new(ledger.entry())).collect();
        let weaks: Vec<_> = objects.iter().map(Arc::downgrade).collect();
        let winners: Vec<_> = objects.iter().map(|_| AtomicUsize::new(0)).collect();
        let mut parties = vec![objects.clone(); threads - 1];
        parties.push(objects);
        race(parties, |round, owner| {
            if let Some(value) = Arc::into_inner(owner) {
                winners[round].fetch_add(1, SeqCst);
                drop(value);
            }
        });
        assert!(winners.into_iter().all(|won| won.into_inner() == 1));
        assert!(weaks.iter().all(|weak| !weak.is_alive()));
        assert_eq!((ledger.live(), ledger.clones()), (0, 0));
    }
}

#[test]
fn the_value_dies_once_however_a_drop_and_upgrades_race() {
    let ledger = Ledger::default();
    let objects: Vec<_> = (0..sized(5_000, 40)).map(|_| Arc::new(ledger.entry())).collect();
    let weaks: Vec<_> = objects.iter().map(Arc::downgrade).collect();
    let (upgrades, drops) = (vec![None; objects.len()], objects.into_iter().map(Some).collect());
    race(vec![upgrades, drops], |round, owner| match owner {
        Some(owner) => drop(owner),
        None => {
            while let Some(again) = weaks[round].upgrade() {
                assert!(again.0.live() > 0);
            }
        }
    });
    assert!(weaks.iter().all(|weak| !weak.is_alive() && weak.strong_count() == 0));
    assert_eq!((ledger.live(), ledger.clones()), (0, 0));
}

#[test]
fn get_mut_is_refused_while_anything_else_knows_the_object() {
    let mut a = Arc::new(1);
    *Arc::get_mut(&mut a).unwrap() = 2;
    let b = a.clone();
    assert!(Arc::get_mut(&mut a).is_none(), "a clone");
    drop(b);
    let weak = Arc::downgrade(&a);
    assert!(Arc::get_mut(&mut a).is_none(), "a Weak");
    let again = weak.upgrade().unwrap();
    drop(weak);
    assert!(Arc::get_mut(&mut a).is_none(), "an upgraded Weak");
    drop(again);
    *Arc::get_mut(&mut a).unwrap() += 1;
    assert_eq!(*a, 3);
}

#[test]
fn get_mut_is_refused_to_observed_and_deferred_values() {
    let mut a = Arc::new(2);
    let observer = Arc::observe(&a, |_| ());
    assert!(Arc::get_mut(&mut a).is_none(), "an observer");
    assert!(observer.cancel());
    *Arc::get_mut(&mut a).unwrap() += 1;
    Arc::observe(&a, |seen| assert_eq!(*seen, 3)).detach();
    assert!(Arc::get_mut(&mut a).is_none(), "a detached observer");
    let mut deferred = Arc::new_deferred(1);
    assert!(Arc::get_mut(&mut deferred).is_none(), "a deferred value");
}

#[test]
fn a_deferred_value_is_never_moved_out() {
    let ledger = Ledger::default();
    let a = Arc::new_deferred(ledger.entry());
    assert!(Arc::is_deferred(&a) && !Arc::is_deferred(&Arc::new(1)));
    let Err(a) = Arc::try_unwrap(a) else { panic!("moved out") };
    let weak = Arc::downgrade(&a);
    assert!(Arc::into_inner(a).is_none());
    assert!(!weak.is_alive(), "the death is immediate");
}

#[test]
fn uninitialised_objects_can_be_written_and_shared() {
    let mut a = Arc::<u64>::new_uninit();
    Arc::get_mut(&mut a).unwrap().write(7);
    // SAFETY: written.
    assert_eq!(*unsafe { a.assume_init() }, 7);
    drop(Arc::new([u64::MAX; 4]));
    // SAFETY: all bits 0 are a number.
    assert_eq!(*unsafe { Arc::<[u64; 4]>::new_zeroed().assume_init() }, [0; 4]);

    let ledger = Ledger::default();
    let mut slice = Arc::<[Entry]>::new_uninit_slice(3);
    for slot in Arc::get_mut(&mut slice).unwrap() {
        slot.write(ledger.entry());
    }
    // SAFETY: each written.
    let slice = unsafe { slice.assume_init() };
    assert_eq!((slice.len(), ledger.live()), (3, 3));
    drop(slice);
    assert_eq!(ledger.live(), 0);
    drop(Arc::<[u16]>::from([u16::MAX; 5])); // leaves dirt for the allocator to hand out again
    // SAFETY: as above.
    assert_eq!(*unsafe { Arc::<[u16]>::new_zeroed_slice(5).assume_init() }, [0; 5]);
    assert!(Arc::<[u16]>::new_uninit_slice(0).is_empty());
}

#[test]
fn an_uninitialised_object_runs_no_destructor() {
    let mut a = Arc::new_uninit();
    Arc::get_mut(&mut a).unwrap().write(OnDrop(|| unreachable!("nobody said that it is there")));
    drop(a);
    drop(Arc::<String>::new_uninit());
    drop(Arc::<[String]>::new_uninit_slice(3));
}

#[test]
fn a_block_too_large_to_exist_panics() {
    assert!(panics(|| Arc::<[u64]>::new_uninit_slice(usize::MAX)).contains("capacity overflow"));
    assert!(panics(|| Arc::<[u8]>::new_zeroed_slice(isize::MAX as usize)).contains("capacity overflow"));
}

#[test]
fn an_any_is_downcast_to_what_it_is() {
    let ledger = Ledger::default();
    let any: Arc<dyn Any + Send + Sync> = unsize!(Arc::new(ledger.entry()));
    let weak = Arc::downgrade(&any);
    let any = any.downcast::<String>().unwrap_err();
    let entry = any.downcast::<Entry>().ok().unwrap();
    assert_eq!(entry.0.live(), 1);
    assert!(weak.is_alive());
    drop(entry);
    assert_eq!(ledger.live(), 0);
}
