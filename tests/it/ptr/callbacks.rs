//! `Arc::observe`: CPython's `weakref.ref(obj, callback)`.

use super::{Entry, Ledger, OnDrop, broken, panics, race, sized};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use weakly::{Arc, Observer, ObserverKind, Weak};

#[test]
fn callbacks_run_newest_first_with_the_value_whole() {
    let (tx, rx) = channel();
    let a = Arc::new(String::from("value"));
    let observers: Vec<_> = (0..sized(100, 10))
        .map(|i| {
            let tx = tx.clone();
            Arc::observe(&a, move |value| tx.send((i, value.clone())).unwrap())
        })
        .collect();
    drop(a);
    let seen: Vec<_> = rx.try_iter().collect();
    assert_eq!(seen.len(), observers.len());
    assert!(seen.iter().rev().map(|(i, _)| *i).eq(0..observers.len()));
    assert!(seen.iter().all(|(_, value)| value == "value"));
}

#[test]
fn callbacks_come_after_the_death_and_before_the_destructor() {
    let (tx, rx) = channel();
    struct Loud(std::sync::mpsc::Sender<&'static str>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.send("destructor").unwrap();
        }
    }
    let a = Arc::new(Loud(tx));
    let weak = Arc::downgrade(&a);
    Arc::observe(&a, move |loud| {
        assert!(weak.upgrade().is_none() && !weak.is_alive() && weak.strong_count() == 0);
        loud.0.send("callback").unwrap();
    })
    .detach();
    drop(a);
    assert_eq!(rx.iter().collect::<Vec<_>>(), ["callback", "destructor"]);
}

#[test]
fn callbacks_run_on_the_thread_of_the_last_drop_before_it_returns() {
    let (tx, rx) = channel();
    let a = Arc::new(5);
    let b = a.clone();
    Arc::observe(&a, move |_| tx.send(thread::current().id()).unwrap()).detach();
    drop(a);
    assert!(rx.try_recv().is_err());
    let dropper = thread::spawn(move || {
        drop(b);
        (thread::current().id(), rx.try_recv())
    });
    let (id, seen) = dropper.join().unwrap();
    assert_eq!(seen, Ok(id));
}

#[test]
fn a_cancelled_callback_never_runs_and_its_captures_go() {
    let ledger = Ledger::default();
    let a = Arc::new(5);
    let watch = || {
        let entry = ledger.entry();
        Arc::observe(&a, move |_| panic!("ran with {}", entry.0.live()))
    };
    let (first, second, third) = (watch(), watch(), watch());
    assert_eq!((ledger.live(), Arc::observer_count(&a), Arc::weak_count(&a)), (3, 3, 6));
    assert!(second.cancel());
    drop(first);
    assert_eq!((ledger.live(), Arc::observer_count(&a)), (1, 1));
    assert!(third.is_pending() && third.cancel());
    assert_eq!((ledger.live(), Arc::observer_count(&a), Arc::weak_count(&a)), (0, 0, 0));
    drop(a);
}

#[test]
fn cancelling_after_the_callback_ran_says_so() {
    let (tx, rx) = channel();
    let a = Arc::new(5);
    let observer = Arc::observe(&a, move |_| tx.send(()).unwrap());
    assert!(observer.is_pending() && observer.is_alive());
    drop(a);
    assert!(!observer.is_pending() && observer.upgrade().is_none());
    assert!(!observer.cancel());
    assert_eq!(rx.iter().count(), 1);
}

#[test]
fn a_detached_callback_stays_armed() {
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    let (a, entry) = (Arc::new(5), ledger.entry());
    Arc::observe(&a, move |value| tx.send(*value + entry.0.live()).unwrap()).detach();
    assert_eq!((Arc::observer_count(&a), Arc::weak_count(&a)), (1, 1));
    drop(a);
    assert_eq!((rx.iter().collect::<Vec<_>>(), ledger.live()), (vec![6], 0));
}

#[test]
fn an_observer_is_a_weak_pointer_to_its_object() {
    let a = Arc::new(5);
    let observer = Arc::observe(&a, |_| ());
    let weak: &Weak<i32> = &observer;
    assert_eq!((weak.upgrade().as_ref(), *weak == Arc::downgrade(&a)), (Some(&a), true));
    assert!(format!("{observer:?}").contains("alive"));
    let weak = Weak::clone(weak);
    drop(observer);
    assert!(weak.is_alive());
}

#[test]
fn observers_are_listed_newest_first_with_where_they_were_registered() {
    let a = Arc::new(5);
    assert!(Arc::observers(&a).is_empty());
    let older = Arc::observe(&a, |_| ());
    let newer = Arc::observe(&a, |_| ()); // the next line
    let line = line!() - 1;
    let infos = Arc::observers(&a);
    assert_eq!(infos.iter().map(|info| info.location.line()).collect::<Vec<_>>(), [line, line - 1]);
    assert!(infos.iter().all(|info| info.location.file() == file!() && info.kind == ObserverKind::Callback));
    drop(newer);
    assert_eq!(Arc::observers(&a), infos[1..]);
    older.detach();
    assert_eq!(Arc::observer_count(&a), 1);
}

#[test]
fn a_callback_can_cancel_one_that_is_still_to_run() {
    let (tx, rx) = channel();
    let a = Arc::new(5);
    let oldest = Arc::observe(&a, |_| panic!("cancelled, and ran"));
    let later = tx.clone();
    let middle = Arc::observe(&a, move |_| later.send("middle").unwrap());
    Arc::observe(&a, move |_| {
        assert!(oldest.cancel());
        tx.send("newest").unwrap();
    })
    .detach();
    drop(a);
    assert_eq!(rx.iter().collect::<Vec<_>>(), ["newest", "middle"]);
    assert!(!middle.cancel());
}

#[test]
fn a_callback_cannot_cancel_one_that_has_run_or_is_running() {
    let (tx, rx) = channel();
    let a = Arc::new(5);
    let (handed, handles) = channel::<Observer<i32>>();
    let (older, told) = (std::sync::Arc::new(Mutex::new(handles)), tx);
    let newer = older.clone();
    let cancel = |handles: &Mutex<Receiver<Observer<i32>>>| handles.lock().unwrap().recv().unwrap().cancel();
    let (first, second) = (told.clone(), told);
    let ran = Arc::observe(&a, move |_| first.send(("one that has run", cancel(&older))).unwrap());
    let running = Arc::observe(&a, move |_| second.send(("itself", cancel(&newer))).unwrap());
    handed.send(running).unwrap();
    handed.send(Arc::observe(&a, |_| ())).unwrap(); // the newest: it runs first
    drop(a);
    assert_eq!(rx.iter().collect::<Vec<_>>(), [("itself", false), ("one that has run", false)]);
    assert!(!ran.cancel());
}

#[test]
fn a_callback_that_panics_stops_neither_the_others_nor_the_destructor() {
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    let a = Arc::new(ledger.entry());
    let last = tx.clone();
    Arc::observe(&a, move |_| last.send("older").unwrap()).detach();
    let captured = ledger.entry();
    Arc::observe(&a, move |_| {
        let _captured = captured;
        broken("a callback")
    })
    .detach();
    Arc::observe(&a, move |_| tx.send("newer").unwrap()).detach();
    drop(a); // and the panic does not come out
    assert_eq!((rx.iter().collect::<Vec<_>>(), ledger.live()), (vec!["newer", "older"], 0));
}

#[test]
fn captures_that_panic_when_cancelled_leave_the_list_whole() {
    let (tx, rx) = channel();
    let a = Arc::new(5);
    let other = Arc::observe(&a, move |_| tx.send(()).unwrap());
    let bomb = OnDrop(|| broken("the captures"));
    let observer = Arc::observe(&a, move |_| drop(bomb));
    assert_eq!(panics(|| observer.cancel()), "the captures");
    assert_eq!((Arc::observer_count(&a), Arc::weak_count(&a)), (1, 2));
    drop(a);
    assert_eq!((rx.iter().count(), other.is_pending()), (1, false));
}

#[test]
fn a_callback_may_use_any_other_object() {
    let (tx, rx) = channel();
    let (a, b) = (Arc::new(1), Arc::new(2));
    let seen_by_b = tx.clone();
    Arc::observe(&b, move |b| seen_by_b.send(("b", *b)).unwrap()).detach();
    let c = Arc::new(3);
    let held = c.clone();
    Arc::observe(&a, move |a| {
        tx.send(("a", *a)).unwrap();
        let tx = tx.clone();
        Arc::observe(&held, move |c| tx.send(("c", *c)).unwrap()).detach();
        drop(b); // its last owner: a death inside a death
        assert_eq!((Arc::strong_count(&held), Arc::observer_count(&held)), (2, 1));
    })
    .detach();
    drop(a);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    drop(c);
    assert_eq!(rx.iter().collect::<Vec<_>>(), [("c", 3)]);
}

#[test]
fn callbacks_run_before_a_value_is_taken_out() {
    let ledger = Ledger::default();
    let (tx, rx) = channel();
    for take in [|a| Arc::try_unwrap(a).ok(), Arc::into_inner, |a| Some(Arc::unwrap_or_clone(a))] {
        let a = Arc::new(ledger.entry());
        let tx = tx.clone();
        Arc::observe(&a, move |entry| tx.send(entry.0.live()).unwrap()).detach();
        let value = take(a);
        assert_eq!((rx.try_recv(), ledger.live(), value.is_some()), (Ok(1), 1, true));
    }
    assert_eq!((ledger.live(), ledger.clones()), (0, 0));
}

#[test]
fn a_value_can_be_taken_out_though_a_callback_panics() {
    let a = Arc::new(String::from("x"));
    Arc::observe(&a, |_| broken("a callback")).detach();
    assert_eq!(Arc::try_unwrap(a).unwrap(), "x");
}

#[test]
fn unsized_objects_can_be_observed() {
    let (tx, rx) = channel();
    let text = Arc::<str>::from("text");
    Arc::observe(&text, move |text| tx.send(text.to_string()).unwrap()).detach();
    drop(text);
    assert_eq!(rx.recv().unwrap(), "text");
}

#[test]
fn cancelled_hooks_are_freed_however_many_came_and_went() {
    let ledger = Ledger::default();
    let a = Arc::new(5);
    let kept = Arc::observe(&a, |_| ());
    for _ in 0..sized(10_000, 50) {
        let entry = ledger.entry();
        assert!(Arc::observe(&a, move |_| drop(entry)).cancel());
    }
    assert_eq!((ledger.live(), Arc::observer_count(&a), Arc::weak_count(&a)), (0, 1, 2));
    drop(kept);
}

#[test]
fn a_callback_runs_exactly_if_its_cancelling_says_it_did() {
    enum Side {
        Drop(Arc<Entry>),
        Cancel(Vec<Observer<Entry>>),
    }
    let (ledger, rounds) = (Ledger::default(), sized(10_000, 20));
    let ended: Vec<_> = (0..rounds).map(|_| std::sync::Arc::new(AtomicUsize::new(0))).collect();
    let (drops, cancels) = ended
        .iter()
        .map(|ended| {
            let a = Arc::new(ledger.entry());
            let watch = |_| {
                let (ended, entry) = (ended.clone(), ledger.entry());
                Arc::observe(&a, move |_| {
                    drop(entry);
                    ended.fetch_add(1, SeqCst);
                })
            };
            let observers = (0..4).map(watch).collect();
            (Side::Drop(a), Side::Cancel(observers))
        })
        .unzip();
    race(vec![drops, cancels], |round, side| match side {
        Side::Drop(a) => drop(a),
        Side::Cancel(observers) => {
            for observer in observers {
                ended[round].fetch_add(usize::from(observer.cancel()), SeqCst);
            }
        }
    });
    assert!(ended.iter().all(|ended| ended.load(SeqCst) == 4));
    assert_eq!(ledger.live(), 0);
}

#[test]
fn registering_and_cancelling_race_without_loss() {
    let (threads, rounds) = (sized(4, 2), sized(2_000, 20));
    let ran = std::sync::Arc::new(AtomicUsize::new(0));
    let a = Arc::new(5);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for i in 0..rounds {
                    let ran = ran.clone();
                    let observer = Arc::observe(&a, move |_| _ = ran.fetch_add(1, SeqCst));
                    if i % 10 == 0 { observer.detach() } else { assert!(observer.cancel()) }
                }
            });
        }
    });
    let kept = threads * rounds / 10;
    assert_eq!((Arc::observer_count(&a), Arc::weak_count(&a)), (kept, kept));
    drop(a);
    assert_eq!(ran.load(SeqCst), kept);
}
