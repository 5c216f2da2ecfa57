//! Deaths: destructors that panic, deaths inside deaths, and deaths whose destructor waits.

use super::{Entry, Ledger, broken, panics, sized};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use weakly::{Arc, Weak};

#[test]
fn a_destructors_panic_goes_on_to_the_caller_and_the_object_is_gone() {
    struct Bomb(Entry);
    impl Drop for Bomb {
        fn drop(&mut self) {
            broken("the destructor");
        }
    }
    let ledger = Ledger::default();
    let plain = Arc::new(Bomb(ledger.entry()));
    assert_eq!(panics(|| drop(plain)), "the destructor");
    let known = Arc::new(Bomb(ledger.entry()));
    let weak = Arc::downgrade(&known);
    assert_eq!(panics(|| drop(known)), "the destructor");
    let observed = Arc::new(Bomb(ledger.entry()));
    let (tx, rx) = channel();
    Arc::observe(&observed, move |bomb| tx.send(bomb.0.0.live()).unwrap()).detach();
    assert_eq!(panics(|| drop(observed)), "the destructor");
    assert_eq!((rx.recv(), weak.upgrade().is_none(), ledger.live()), (Ok(1), true, 0));
}

#[test]
fn the_first_panic_of_nested_destructors_goes_on_and_every_object_is_destroyed() {
    struct Bomb(usize, Entry, Option<Arc<Bomb>>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            let _next = catch_unwind(AssertUnwindSafe(|| drop(self.2.take())));
            resume_unwind(Box::new(format!("bomb {}", self.0)));
        }
    }
    let ledger = Ledger::default();
    let (n, mut head) = (sized(100, 40), None);
    for i in 0..n {
        let bomb = Arc::new(Bomb(i, ledger.entry(), head.take()));
        Arc::observe(&bomb, |bomb| assert!(bomb.1.0.live() > 0)).detach();
        head = Some(bomb);
    }
    assert_eq!(panics(|| drop(head)), format!("bomb {}", n - 1));
    assert_eq!(ledger.live(), 0);
}

/// A link of a chain: it owns the next.
struct Link(#[expect(dead_code)] Option<Arc<Link>>, #[expect(dead_code)] Entry);

#[test]
fn a_long_chain_of_observed_objects_dies_flat() {
    let ledger = Ledger::default();
    let called = std::sync::Arc::new(Mutex::new(0));
    let n = sized(1_000_000, 300);
    let mut head = None;
    for _ in 0..n {
        let link = Arc::new(Link(head.take(), ledger.entry()));
        let called = called.clone();
        Arc::observe(&link, move |_| *called.lock().unwrap() += 1).detach();
        head = Some(link);
    }
    // A stack far too small for a frame an object.
    let dropper = thread::Builder::new().stack_size(128 * 1024).spawn(move || drop(head)).unwrap();
    dropper.join().unwrap();
    assert_eq!((*called.lock().unwrap(), ledger.live()), (n, 0));
}

#[test]
fn a_long_chain_through_callbacks_dies_flat() {
    let n = sized(1_000_000, 300);
    let ledger = Ledger::default();
    let mut head = Arc::new(ledger.entry());
    for _ in 0..n {
        let next = Arc::new(ledger.entry());
        Arc::observe(&next, move |_| drop(head)).detach();
        head = next;
    }
    let dropper = thread::Builder::new().stack_size(128 * 1024).spawn(move || drop(head)).unwrap();
    dropper.join().unwrap();
    assert_eq!(ledger.live(), 0);
}

#[test]
fn everything_nested_in_a_death_is_done_before_its_drop_returns() {
    struct Node(usize, Vec<Arc<Node>>, Entry);
    fn tree(depth: usize, ledger: &Ledger, seen: &std::sync::Arc<Mutex<Vec<usize>>>) -> Arc<Node> {
        let under = (0..2).filter(|_| depth > 0).map(|_| tree(depth - 1, ledger, seen)).collect();
        let node = Arc::new(Node(depth, under, ledger.entry()));
        let seen = seen.clone();
        Arc::observe(&node, move |node| {
            assert!(node.1.iter().all(|under| Arc::strong_count(under) == 1 && under.2.0.live() > 0));
            seen.lock().unwrap().push(node.0);
        })
        .detach();
        node
    }
    let (ledger, seen) = (Ledger::default(), std::sync::Arc::default());
    let depth = sized(18, 5);
    drop(tree(depth, &ledger, &seen));
    assert_eq!((seen.lock().unwrap().len(), ledger.live()), ((1 << (depth + 1)) - 1, 0));
}

#[test]
fn an_object_may_drop_weak_pointers_to_itself_as_it_dies() {
    struct Node(Weak<Node>, #[expect(dead_code)] Entry);
    let ledger = Ledger::default();
    let node = Arc::new_cyclic(|me| Node(me.clone(), ledger.entry()));
    assert!(node.0.is_alive());
    drop(node);
    assert_eq!(ledger.live(), 0);
}

#[test]
fn an_observer_kept_in_its_own_object_is_spent_when_the_object_is_destroyed() {
    struct Watched(Mutex<Option<weakly::Observer<Watched>>>, Entry);
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    let a = Arc::new(Watched(Mutex::new(None), ledger.entry()));
    let observer = Arc::observe(&a, move |watched| tx.send(watched.1.0.live()).unwrap());
    *a.0.lock().unwrap() = Some(observer);
    drop(a);
    assert_eq!((rx.iter().collect::<Vec<_>>(), ledger.live()), (vec![1], 0));
}

/// Gives the epoch turns until the ledger is empty. It must get there: so many turns without progress are a failure.
fn wait_for_the_epoch(ledger: &Ledger) {
    let (mut live, mut idle) = (ledger.live(), 0);
    while live > 0 {
        assert!(idle < sized(10_000_000, 10_000), "{live} deferred values were never destroyed");
        weakly::pin().flush();
        thread::yield_now(); // another thread may have them in its hands
        idle = if ledger.live() < live { 0 } else { idle + 1 };
        live = ledger.live();
    }
    assert_eq!(live, 0);
}

#[test]
fn a_deferred_values_death_is_immediate_and_its_destructor_waits_for_guards() {
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    let a = Arc::new_deferred(ledger.entry());
    Arc::observe(&a, move |entry| tx.send(entry.0.live()).unwrap()).detach();
    let weak = Arc::downgrade(&a);
    let guard = weakly::pin();
    drop(a);
    assert_eq!((rx.try_recv(), weak.upgrade().is_none()), (Ok(1), true));
    for _ in 0..100 {
        weakly::pin().flush();
    }
    assert_eq!(ledger.live(), 1, "a guard is held");
    drop(guard);
    wait_for_the_epoch(&ledger);
}

#[test]
fn a_deferred_destructor_that_panics_stops_no_other() {
    struct Bomb(#[expect(dead_code)] Entry);
    impl Drop for Bomb {
        fn drop(&mut self) {
            broken("a deferred destructor");
        }
    }
    let ledger = Ledger::default();
    for _ in 0..10 {
        drop(Arc::new_deferred(Bomb(ledger.entry())));
        drop(Arc::new_deferred(ledger.entry()));
    }
    wait_for_the_epoch(&ledger);
}

#[test]
fn a_long_chain_of_deferred_objects_dies_flat() {
    let ledger = Ledger::default();
    let mut head = None;
    for _ in 0..sized(10_000, 100) {
        head = Some(Arc::new_deferred(Link(head.take(), ledger.entry())));
    }
    drop(head);
    wait_for_the_epoch(&ledger);
}

/// What an owner reads of a value comes before its destruction, though it was another owner that went last. For Miri and
/// ThreadSanitizer: nothing here but the counts orders the threads.
#[test]
fn every_owners_reads_come_before_the_destruction() {
    for round in 0..sized(500, 5) {
        let owners = [(); 3].map({
            let value = Arc::new(Box::new(7));
            move |()| Arc::clone(&value)
        });
        let _weak = (round % 2 == 0).then(|| Arc::downgrade(&owners[0])); // a death takes another way then
        thread::scope(|scope| {
            for owner in owners {
                scope.spawn(move || assert_eq!(**owner, 7));
            }
        });
    }
}
