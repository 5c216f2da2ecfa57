//! Finalizers by call, detach and death. Exits are tested in processes of their own: see `tests/process_exit.rs`.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Barrier, Mutex};
use std::thread::{self, ThreadId};
use weakly::{Arc, Detached, Finalizer, ObserverKind, finalize};

type Shared<T> = std::sync::Arc<T>;

/// Rounds of a race.
const ROUNDS: usize = if cfg!(miri) { 8 } else { 500 };

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Shared<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// A function that notes `what`.
    fn noting(&self, what: &'static str) -> impl FnOnce() + Send + 'static {
        let log = self.clone();
        move || log.note(what)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Notes its own destruction.
struct Noisy(Log, &'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Sends the thread that drops it.
struct DropThread(Sender<ThreadId>);

impl Drop for DropThread {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

fn drop_thread() -> (DropThread, Receiver<ThreadId>) {
    let (tx, rx) = mpsc::channel();
    (DropThread(tx), rx)
}

#[test]
fn death_runs_it_once_before_the_destructor() {
    let log = Log::default();
    let a = Arc::new(Noisy(log.clone(), "destructor"));
    let f = finalize(&a, log.noting("finalizer"));
    assert!(f.is_alive() && f.peek() && f.atexit());
    drop(a);
    assert_eq!(log.take(), ["finalizer", "destructor"]);
    assert!(!f.is_alive() && !f.peek() && !f.atexit());
    assert!(f.call().is_none() && f.detach().is_none() && f.info().is_none());
    assert!(log.take().is_empty());
}

#[test]
fn a_dropped_handle_changes_nothing() {
    let log = Log::default();
    let a = Arc::new(());
    drop(finalize(&a, log.noting("finalizer")));
    drop(a);
    assert_eq!(log.take(), ["finalizer"]);
}

#[test]
fn a_call_returns_the_result_and_leaves_the_object_alive() {
    let a = Arc::new(5);
    let f = finalize(&a, || String::from("result"));
    assert_eq!(f.call().as_deref(), Some("result"));
    assert_eq!((*a, Arc::strong_count(&a)), (5, 1));
    assert!(!f.is_alive());
    assert_eq!(f.call(), None);
}

#[test]
fn a_call_that_panics_panics_at_the_caller_and_counts() {
    let log = Log::default();
    let a = Arc::new(());
    let f = finalize(&a, {
        let log = log.clone();
        move || {
            log.note("ran");
            panic!("mine")
        }
    });
    let panic = catch_unwind(|| -> Option<()> { f.call() }).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"mine"));
    assert!(!f.is_alive());
    drop(a);
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn detach_hands_the_function_back_and_cancels() {
    let log = Log::default();
    let a = Arc::new(());
    let f = finalize(&a, log.noting("ran"));
    let detached: Detached<()> = f.detach().unwrap();
    assert!(!f.is_alive() && f.detach().is_none() && f.call().is_none());
    drop(a);
    assert!(log.take().is_empty());
    detached.call();
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn newest_first_mixed_with_observers() {
    let log = Log::default();
    let a = Arc::new(Noisy(log.clone(), "destructor"));
    finalize(&a, log.noting("1"));
    let two = log.noting("2");
    Arc::observe(&a, move |_| two()).detach();
    finalize(&a, log.noting("3"));
    let called = finalize(&a, log.noting("4, called"));
    let four = log.noting("5");
    Arc::observe(&a, move |_| four()).detach();
    finalize(&a, log.noting("6"));
    called.call();
    drop(a);
    assert_eq!(log.take(), ["4, called", "6", "5", "3", "2", "1", "destructor"]);
}

#[test]
fn a_panic_in_one_stops_none_of_the_others() {
    struct BadPayload;
    impl Drop for BadPayload {
        fn drop(&mut self) {
            panic!("even the payload");
        }
    }
    let log = Log::default();
    let a = Arc::new(Noisy(log.clone(), "destructor"));
    finalize(&a, log.noting("1"));
    finalize(&a, || std::panic::panic_any(BadPayload));
    finalize(&a, log.noting("2"));
    finalize(&a, || panic!("a string"));
    drop(a);
    assert_eq!(log.take(), ["2", "1", "destructor"]);
}

#[test]
fn a_result_whose_destructor_panics_stops_nothing_at_death() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("the result's own");
        }
    }
    let log = Log::default();
    let a = Arc::new(());
    finalize(&a, log.noting("older"));
    let f = finalize(&a, || Bad);
    drop(a);
    assert_eq!(log.take(), ["older"]);
    assert!(!f.is_alive());
}

#[test]
fn a_panicking_death_still_runs_them() {
    let log = Log::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let a = Arc::new(());
        finalize(&a, log.noting("older"));
        finalize(&a, || panic!("while unwinding"));
        panic!("first");
    }));
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"first"));
    assert_eq!(log.take(), ["older"]);
}

#[test]
fn clones_share_one_finalizer_and_equal_each_other_alone() {
    let a = Arc::new(());
    let f = finalize(&a, || 5);
    let g = f.clone();
    let other = finalize(&a, || 5);
    assert_eq!(f, g);
    assert_ne!(f, other);
    assert_eq!(HashSet::from([f.clone(), g.clone(), other.clone()]).len(), 2);
    g.set_atexit(false);
    assert!(!f.atexit() && other.atexit());
    assert_eq!(g.call(), Some(5));
    assert_eq!((f.call(), other.call()), (None, Some(5)));
    assert_eq!(f, g); // also afterwards
}

#[test]
fn info_and_observers_tell_where_it_was_registered() {
    let a = Arc::new(());
    let older = finalize(&a, || ());
    let (f, line) = (finalize(&a, || ()), line!());
    let info = f.info().unwrap();
    assert_eq!((info.location.file(), info.location.line()), (file!(), line));
    assert!(info.atexit && info.id > older.info().unwrap().id);
    let observers = Arc::observers(&a);
    assert_eq!(observers.len(), 2);
    assert_eq!((observers[0].kind, observers[0].location), (ObserverKind::Finalizer, info.location));
    assert!(format!("{f:?}").contains(&info.location.to_string()));
    f.set_atexit(false);
    assert!(!f.info().unwrap().atexit);
}

#[test]
fn set_atexit_is_ignored_once_it_is_taken() {
    let a = Arc::new(());
    let f = finalize(&a, || ());
    f.call();
    f.set_atexit(true);
    assert!(!f.atexit() && !f.is_alive() && f.call().is_none());
}

#[test]
fn inside_itself_it_is_taken_already() {
    let log = Log::default();
    let a = Arc::new(());
    let (tx, rx) = mpsc::channel::<Finalizer<()>>();
    let f = finalize(&a, {
        let log = log.clone();
        move || {
            let me = rx.recv().unwrap();
            assert!(!me.is_alive() && !me.peek() && !me.atexit());
            assert!(me.call().is_none() && me.detach().is_none() && me.info().is_none());
            log.note("ran to its end");
        }
    });
    tx.send(f).unwrap();
    drop(a);
    assert_eq!(log.take(), ["ran to its end"]);
}

#[test]
fn an_earlier_callback_of_the_same_death_can_detach_it() {
    let log = Log::default();
    let a = Arc::new(());
    let f = finalize(&a, log.noting("never by the death"));
    let (tx, rx) = mpsc::channel();
    Arc::observe(&a, move |_| {
        assert!(f.is_alive() && !f.peek());
        tx.send(f.detach().expect("its turn has not come")).unwrap();
    })
    .detach();
    drop(a);
    assert!(log.take().is_empty());
    rx.recv().unwrap().call();
    assert_eq!(log.take(), ["never by the death"]);
}

#[test]
fn an_earlier_callback_of_the_same_death_can_call_it_early() {
    let log = Log::default();
    let a = Arc::new(());
    let first = finalize(&a, log.noting("oldest, called early"));
    finalize(&a, log.noting("middle"));
    finalize(&a, move || first.call());
    drop(a);
    assert_eq!(log.take(), ["oldest, called early", "middle"]);
}

#[test]
fn a_later_finalizer_finds_an_earlier_one_taken() {
    let a = Arc::new(());
    let (tx, rx) = mpsc::channel::<Finalizer<()>>();
    let (result, results) = mpsc::channel();
    finalize(&a, move || result.send(rx.recv().unwrap().detach().is_some()).unwrap());
    tx.send(finalize(&a, || ())).unwrap();
    drop(a);
    assert!(!results.recv().unwrap());
}

#[test]
fn captures_are_dropped_on_the_thread_that_takes_it() {
    // By death: on the thread that drops the last owner.
    let (captured, dropped) = drop_thread();
    let a = Arc::new(());
    finalize(&a, move || drop(captured));
    let dying = thread::spawn(move || {
        drop(a);
        thread::current().id()
    });
    assert_eq!(dropped.recv().unwrap(), dying.join().unwrap());

    // By call: on the caller's, though another thread registered it.
    let (captured, dropped) = drop_thread();
    let a = Arc::new(());
    let registrar = a.clone();
    let f = thread::spawn(move || finalize(&registrar, move || _ = &captured)).join().unwrap();
    f.call();
    assert_eq!(dropped.recv().unwrap(), thread::current().id());

    // By detach: where the detached function is dropped.
    let (captured, dropped) = drop_thread();
    let f = finalize(&a, move || _ = &captured);
    drop(f.detach());
    assert_eq!(dropped.recv().unwrap(), thread::current().id());
}

#[test]
fn everything_is_freed_once_it_has_run_though_the_handle_lives() {
    let log = Log::default();
    let a = Arc::new(());
    let captured = Noisy(log.clone(), "captures");
    let f = finalize(&a, move || _ = &captured);
    drop(a);
    assert_eq!(log.take(), ["captures"]);
    drop(f);
    assert!(log.take().is_empty());
}

#[test]
fn it_holds_the_object_weakly_and_lets_go_of_it_when_taken() {
    let mut a = Arc::new(5);
    let f = finalize(&a, || ());
    let g = finalize(&a, || ());
    assert_eq!((Arc::strong_count(&a), Arc::observer_count(&a)), (1, 2));
    assert!(Arc::get_mut(&mut a).is_none()); // a hook could see the value
    f.call();
    assert_eq!(Arc::observer_count(&a), 1);
    _ = g.detach();
    assert_eq!((Arc::observer_count(&a), Arc::weak_count(&a)), (0, 0));
    *Arc::get_mut(&mut a).unwrap() += 1;
    assert_eq!(*a, 6);
}

#[test]
fn taking_the_value_out_is_a_death() {
    let log = Log::default();
    let a = Arc::new(5);
    finalize(&a, log.noting("finalizer"));
    assert_eq!(Arc::try_unwrap(a), Ok(5));
    assert_eq!(log.take(), ["finalizer"]);
}

#[test]
fn a_deferred_value_is_finalized_at_its_death() {
    let log = Log::default();
    let a = Arc::new_deferred(5);
    finalize(&a, log.noting("finalizer"));
    let guard = weakly::pin();
    drop(a);
    assert_eq!(log.take(), ["finalizer"]);
    drop(guard);
}

#[test]
fn the_object_need_not_be_send() {
    let a = Arc::new((Rc::new(5), Cell::new(7)));
    let f = finalize(&a, || thread::current().id());
    let g = f.clone();
    let caller = thread::spawn(move || (g.call(), thread::current().id())).join().unwrap();
    assert_eq!(caller.0, Some(caller.1));
    let h = finalize(&a, || 5);
    assert!(thread::spawn(move || h.peek() && h.detach().is_some()).join().unwrap());
    assert_eq!((*a.0, a.1.get(), Arc::observer_count(&a)), (5, 7, 0));
}

#[test]
fn unsized_objects_are_finalized() {
    let log = Log::default();
    let text: Arc<str> = Arc::from("text");
    let slice: Arc<[u8]> = Arc::from([1, 2, 3]);
    let object: Arc<dyn Send + Sync> = Arc::from(Box::new(5) as Box<dyn Send + Sync>);
    finalize(&text, log.noting("str"));
    finalize(&slice, log.noting("slice"));
    let called = finalize(&object, log.noting("dyn"));
    drop(text);
    drop(slice);
    called.call();
    drop(object);
    assert_eq!(log.take(), ["str", "slice", "dyn"]);
}

#[test]
fn handles_cross_threads_whatever_the_result() {
    fn send_and_sync<T: Send + Sync>() {}
    fn send<T: Send>() {}
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    send_and_sync::<Finalizer<Rc<Cell<u8>>>>();
    send::<Detached<Rc<Cell<u8>>>>();
    unwind_safe::<Finalizer<Rc<Cell<u8>>>>();
}

#[test]
fn a_finalizer_may_register_another() {
    let log = Log::default();
    let (a, b) = (Arc::new(()), Arc::new(()));
    finalize(&a, {
        let (log, b) = (log.clone(), b.clone());
        move || {
            let late = log.noting("b");
            finalize(&b, late);
            log.note("a");
        }
    });
    drop(a);
    drop(b);
    assert_eq!(log.take(), ["a", "b"]);
}

#[test]
fn a_long_chain_of_deaths_by_finalizers_is_flat() {
    const LINKS: usize = if cfg!(miri) { 50 } else { 100_000 };
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let mut next: Option<Arc<usize>> = None;
    for i in 0..LINKS {
        let link = Arc::new(i);
        finalize(&link, move || {
            RAN.fetch_add(1, Ordering::Relaxed);
            drop(next);
        });
        next = Some(link);
    }
    drop(next);
    assert_eq!(RAN.load(Ordering::Relaxed), LINKS);
}

/// Starts `racers` together on threads of their own, and waits for all.
fn race(racers: Vec<Box<dyn FnOnce() + Send + '_>>) {
    let start = Barrier::new(racers.len());
    thread::scope(|scope| {
        for racer in racers {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                racer();
            });
        }
    });
}

/// Race: three calls, two detaches and the death on six threads. The function is called once or handed back once.
#[test]
fn exactly_once_over_call_detach_and_death() {
    for _ in 0..ROUNDS {
        let ran = Shared::new(AtomicUsize::new(0));
        let results = AtomicUsize::new(0);
        let detached = AtomicUsize::new(0);
        let a = Arc::new(());
        let f = finalize(&a, {
            let ran = ran.clone();
            move || ran.fetch_add(1, Ordering::Relaxed)
        });
        let mut racers: Vec<Box<dyn FnOnce() + Send + '_>> = vec![Box::new(move || drop(a))];
        for _ in 0..3 {
            racers.push(Box::new(|| _ = results.fetch_add(usize::from(f.call().is_some()), Ordering::Relaxed)));
        }
        for _ in 0..2 {
            racers.push(Box::new(|| _ = detached.fetch_add(usize::from(f.detach().is_some()), Ordering::Relaxed)));
        }
        race(racers);
        let (ran, results, detached) = (ran.load(Ordering::Relaxed), results.into_inner(), detached.into_inner());
        assert_eq!(ran + detached, 1, "run once, or handed back once");
        assert!(results <= ran, "only the call that ran it has a result");
        assert!(!f.is_alive());
    }
}

/// Race: handles are taken while the last owners go, on objects with many finalizers. Each happens once, and the object's
/// memory is free of them all.
#[test]
fn many_finalizers_of_one_object_each_exactly_once() {
    const FINALIZERS: usize = 16;
    for _ in 0..ROUNDS / 4 {
        let ran: Shared<Vec<AtomicUsize>> = Shared::new((0..FINALIZERS).map(|_| AtomicUsize::new(0)).collect());
        let a = Arc::new(());
        let weak = Arc::downgrade(&a);
        let handles: Vec<_> = (0..FINALIZERS)
            .map(|i| {
                let ran = ran.clone();
                finalize(&a, move || _ = ran[i].fetch_add(1, Ordering::Relaxed))
            })
            .collect();
        race(vec![
            Box::new(move || drop(a)),
            Box::new(|| handles.iter().for_each(|f| _ = f.call())),
            Box::new(|| handles.iter().rev().for_each(|f| f.detach().into_iter().for_each(Detached::call))),
        ]);
        assert!(ran.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        assert!(!weak.is_alive());
    }
}

/// A call that is running holds back neither the object's death nor a later look.
#[test]
fn a_death_does_not_wait_for_a_call_that_is_running() {
    let log = Log::default();
    let a = Arc::new(Noisy(log.clone(), "destructor"));
    let (running, is_running) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let f = finalize(&a, {
        let log = log.clone();
        move || {
            running.send(()).unwrap();
            may_go_on.recv().unwrap();
            log.note("finalizer");
        }
    });
    let caller = thread::spawn({
        let f = f.clone();
        move || f.call()
    });
    is_running.recv().unwrap();
    assert!(!f.is_alive() && f.call().is_none());
    drop(a);
    assert_eq!(log.take(), ["destructor"]);
    go_on.send(()).unwrap();
    assert_eq!(caller.join().unwrap(), Some(()));
    assert_eq!(log.take(), ["finalizer"]);
}
