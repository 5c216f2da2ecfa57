//! Finalizers: death, call, detach and exit race for one function, and it happens once.
//!
//! What a finalizer did is checked by plain cells, which loom watches: a function that runs twice, or whose effects are read
//! before they happened, is a race of two accesses. A panic in a finalizer is caught by the crate, but not by `model`.

use loom::cell::UnsafeCell;
use loom::thread;
use loom_tests::model;
use std::sync::Arc as Std;
use std::sync::atomic::{AtomicUsize, Ordering};
use weakly::exit::run_finalizers;
use weakly::{Arc, Finalizer, finalize};

/// A plain cell that the model's threads share. Loom panics if two accesses are not ordered.
#[derive(Default)]
struct Plain(UnsafeCell<usize>);

// SAFETY: every access goes through loom's checked cell, which reports a race before it happens.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

impl Plain {
    fn add(&self, n: usize) {
        // SAFETY: loom checks that no other access is concurrent.
        self.0.with_mut(|cell| unsafe { *cell += n });
    }

    fn get(&self) -> usize {
        // SAFETY: loom checks that no write is concurrent.
        self.0.with(|cell| unsafe { *cell })
    }
}

/// Counts its drops.
struct Counted(Std<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An object, its finalizer, and what they leave to look at.
struct Scene {
    object: Arc<u8>,
    finalizer: Finalizer<()>,
    ran: Std<Plain>,
    dropped: Std<AtomicUsize>,
}

impl Scene {
    fn new() -> Self {
        let object = Arc::new(0);
        let (ran, dropped) = (Std::new(Plain::default()), Std::new(AtomicUsize::new(0)));
        let captured = Counted(dropped.clone());
        let finalizer = finalize(&object, {
            let ran = ran.clone();
            move || {
                ran.add(1);
                drop(captured);
            }
        });
        Scene { object, finalizer, ran, dropped }
    }
}

/// It ran once, and what it captured was dropped once.
fn ran_once(ran: &Plain, dropped: &AtomicUsize) {
    assert_eq!((ran.get(), dropped.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn death_against_call() {
    model("death / call", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let death = thread::spawn(move || drop(object));
        let called = finalizer.call();
        death.join().unwrap();
        assert!(!finalizer.is_alive());
        assert!(called.is_none() || ran.get() == 1);
        ran_once(&ran, &dropped);
    });
}

#[test]
fn call_against_call() {
    model("call / call", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let other = finalizer.clone();
        let call = thread::spawn(move || other.call().is_some());
        let here = finalizer.call().is_some();
        assert!(here ^ call.join().unwrap());
        ran_once(&ran, &dropped);
        drop(object);
    });
}

#[test]
fn death_against_detach() {
    model("death / detach", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let death = thread::spawn(move || drop(object));
        let detached = finalizer.detach();
        death.join().unwrap();
        let by_death = ran.get();
        assert_eq!(by_death == 0, detached.is_some(), "detach says truly which it was");
        detached.into_iter().for_each(|detached| detached.call());
        ran_once(&ran, &dropped);
    });
}

#[test]
fn death_against_exit() {
    model("death / exit", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let death = thread::spawn(move || drop(object));
        let report = run_finalizers();
        assert_eq!((report.panicked, report.timed_out), (0, 0));
        // The run is over, so the finalizer is, whoever ran it: its effects can be read without waiting for the death.
        ran_once(&ran, &dropped);
        death.join().unwrap();
        assert!(!finalizer.is_alive());
        ran_once(&ran, &dropped);
    });
}

#[test]
fn death_call_and_exit() {
    model("death / call / exit", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let other = finalizer.clone();
        let death = thread::spawn(move || drop(object));
        let call = thread::spawn(move || usize::from(other.call().is_some()));
        let ran_here = run_finalizers().ran;
        ran_once(&ran, &dropped);
        death.join().unwrap();
        assert!(ran_here + call.join().unwrap() <= 1);
        ran_once(&ran, &dropped);
        assert!(!finalizer.is_alive());
    });
}

#[test]
fn detach_call_and_exit() {
    model("detach / call / exit", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let (one, two) = (finalizer.clone(), finalizer);
        let detach = thread::spawn(move || one.detach().map(|detached| detached.call()).is_some());
        let call = thread::spawn(move || two.call().is_some());
        let exit = run_finalizers().ran == 1;
        let winners = [detach.join().unwrap(), call.join().unwrap(), exit];
        assert_eq!(winners.iter().filter(|&&won| won).count(), 1);
        ran_once(&ran, &dropped);
        drop(object);
    });
}

#[test]
fn set_atexit_against_exit() {
    model("set_atexit / exit", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let other = finalizer.clone();
        let off = thread::spawn(move || {
            other.set_atexit(false);
            assert!(!other.atexit());
            other.is_alive()
        });
        let by_exit = run_finalizers().ran;
        let in_time = off.join().unwrap();
        assert_eq!(by_exit == 0, finalizer.is_alive(), "it ran, or is left whole");
        assert!(!in_time || by_exit == 0, "switched off before it was taken");
        drop(object);
        ran_once(&ran, &dropped);
    });
}

#[test]
fn a_look_against_death_and_call() {
    model("a look / death / call", || {
        let Scene { object, finalizer, ran, dropped } = Scene::new();
        let other = finalizer.clone();
        let look = thread::spawn(move || {
            let peeked = other.peek();
            let info = other.info();
            assert!(!peeked || info.is_none_or(|info| info.atexit));
        });
        let call = thread::spawn(move || _ = finalizer.call());
        drop(object);
        look.join().unwrap();
        call.join().unwrap();
        ran_once(&ran, &dropped);
    });
}

/// The older one reads what the newer one wrote: in whichever of two runs each of them runs, the order holds.
#[test]
fn two_exits_run_newest_first() {
    model("exit / exit", || {
        let object = Arc::new(0);
        let written = Std::new(Plain::default());
        let read = Std::new(Plain::default());
        finalize(&object, {
            let (written, read) = (written.clone(), read.clone());
            move || read.add(written.get())
        });
        finalize(&object, {
            let written = written.clone();
            move || written.add(1)
        });
        let other = thread::spawn(|| run_finalizers().ran);
        let here = run_finalizers().ran;
        assert_eq!(read.get(), 1, "both are over for whoever is through");
        assert_eq!(other.join().unwrap() + here, 2);
        drop(object);
    });
}

/// A registration that races a run belongs to it or to the next one.
#[test]
fn register_against_exit() {
    model("register / exit", || {
        let object = Arc::new(0);
        let ran = Std::new(Plain::default());
        let register = thread::spawn({
            let (object, ran) = (object.clone(), ran.clone());
            move || finalize(&object, move || ran.add(1))
        });
        let first = run_finalizers().ran;
        let finalizer = register.join().unwrap();
        assert_eq!(first == 0, finalizer.is_alive());
        assert_eq!(first + run_finalizers().ran, 1);
        assert_eq!(ran.get(), 1);
        drop(object);
    });
}

/// At exit a finalizer makes another, whose object dies meanwhile.
#[test]
fn one_made_at_exit_against_its_objects_death() {
    model("one made at exit / its object's death", || {
        let (object, other) = (Arc::new(0), Arc::new(0));
        let ran = Std::new(Plain::default());
        finalize(&object, {
            let (weak, ran) = (Arc::downgrade(&other), ran.clone());
            move || match weak.upgrade() {
                Some(other) => _ = finalize(&other, move || ran.add(1)),
                None => ran.add(1),
            }
        });
        let death = thread::spawn(move || drop(other));
        run_finalizers();
        assert_eq!(ran.get(), 1, "made or not, it is over when the run is");
        death.join().unwrap();
        assert_eq!(ran.get(), 1);
        drop(object);
    });
}
