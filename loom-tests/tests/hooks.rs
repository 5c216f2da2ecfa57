//! Races for the hooks: each callback runs once, or never if it was cancelled first, and everything is freed once.

use loom::sync::Mutex;
use loom::thread::spawn;
use loom_tests::{Drops, Witness, model};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use weakly::{Arc, Observer, Weak};

/// How often a callback has run: outside of loom, so exact at each of its steps; and what it captured.
#[derive(Clone)]
struct Ran {
    times: std::sync::Arc<AtomicUsize>,
    captures: Drops,
}

impl Ran {
    fn new() -> Self {
        Ran { times: std::sync::Arc::default(), captures: Drops::new() }
    }

    /// Observes `arc` by a callback that reads the value and its own capture.
    fn observe(&self, arc: &Arc<Witness>) -> Observer<Witness> {
        let (times, capture) = (self.times.clone(), Witness::new(&self.captures));
        Arc::observe(arc, move |value| {
            times.fetch_add(1, Relaxed);
            value.read();
            capture.read();
        })
    }

    /// The callback has run so often, and was dropped once.
    fn was(&self, times: usize) {
        assert_eq!(self.times.load(Relaxed), times, "how often the callback ran");
        assert_eq!(self.captures.now(), 1, "what the callback captured is dropped once");
    }

    /// Cancels, and checks the answer against what has happened: `take` and the callback's first step are one for loom.
    fn cancel(&self, observer: Observer<Witness>) -> bool {
        let cancelled = observer.cancel();
        assert_eq!(self.times.load(Relaxed), usize::from(!cancelled), "`cancel` says truly which it was");
        cancelled
    }
}

fn object() -> (Drops, Arc<Witness>) {
    let drops = Drops::new();
    let arc = Arc::new(Witness::new(&drops));
    (drops, arc)
}

/// The list of a newborn is open before anybody can own it.
#[test]
fn cyclic_publish_or_register() {
    model("new_cyclic publish / upgrade, register", || {
        let (drops, ran) = (Drops::new(), Ran::new());
        let mut other = None;
        let arc = Arc::new_cyclic(|me: &Weak<Witness>| {
            let (me, ran) = (me.clone(), ran.clone());
            other = Some(spawn(move || {
                if let Some(arc) = me.upgrade() {
                    ran.observe(&arc).detach();
                    true
                } else {
                    false
                }
            }));
            Witness::new(&drops)
        });
        drop(arc);
        let registered = other.unwrap().join().unwrap();
        assert_eq!((drops.now(), ran.times.load(Relaxed)), (1, usize::from(registered)));
    });
}

/// Links change under the lock bit alone.
#[test]
fn register_or_cancel() {
    model("register / cancel", || {
        let (drops, arc) = object();
        let (old, new) = (Ran::new(), Ran::new());
        let observer = old.observe(&arc);
        let other = spawn({
            let (arc, new) = (arc.clone(), new.clone());
            move || new.observe(&arc).detach()
        });
        assert!(old.cancel(observer));
        other.join().unwrap();
        drop(arc);
        old.was(0);
        new.was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// Exactly one of canceller and death takes the callback.
#[test]
fn cancel_or_death() {
    model("cancel / death", || {
        let (drops, arc) = object();
        let ran = Ran::new();
        let observer = ran.observe(&arc);
        let other = spawn({
            let ran = ran.clone();
            move || ran.cancel(observer)
        });
        drop(arc);
        let cancelled = other.join().unwrap();
        ran.was(usize::from(!cancelled));
        assert_eq!(drops.now(), 1);
    });
}

/// The death walks a list of which an older and a newer neighbour want out.
#[test]
fn cancel_or_cancel_or_death() {
    model("cancel / cancel / death, of three", || {
        let (drops, arc) = object();
        let ran = [(); 3].map(|()| Ran::new());
        let [first, second, third] = ran.each_ref().map(|ran| ran.observe(&arc));
        let others = [(0, first), (1, second)].map(|(i, observer)| {
            let ran = ran[i].clone();
            spawn(move || ran.cancel(observer))
        });
        third.detach();
        drop(arc);
        let cancelled = others.map(|t| t.join().unwrap());
        ran[0].was(usize::from(!cancelled[0]));
        ran[1].was(usize::from(!cancelled[1]));
        ran[2].was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// Two neighbours leave an open list at once: the third stays in it.
#[test]
fn neighbours_cancel() {
    model("cancel / cancel of neighbours", || {
        let (drops, arc) = object();
        let ran = [(); 3].map(|()| Ran::new());
        let [first, second, third] = ran.each_ref().map(|ran| ran.observe(&arc));
        let other = spawn({
            let ran = ran[1].clone();
            move || assert!(ran.cancel(second))
        });
        assert!(ran[2].cancel(third));
        other.join().unwrap();
        assert_eq!(Arc::observer_count(&arc), 1);
        drop(arc);
        first.detach();
        ran[0].was(1);
        ran[1].was(0);
        ran[2].was(0);
        assert_eq!(drops.now(), 1);
    });
}

/// Both are in the list, and both run.
#[test]
fn two_registrars() {
    model("register / register", || {
        let (drops, arc) = object();
        let ran = [(); 2].map(|()| Ran::new());
        let other = spawn({
            let (arc, ran) = (arc.clone(), ran[0].clone());
            move || ran.observe(&arc).detach()
        });
        ran[1].observe(&arc).detach();
        drop(arc);
        other.join().unwrap();
        ran[0].was(1);
        ran[1].was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// Both run although the registrar upgraded when the other owner was just dropping the last.
#[test]
fn register_by_upgrade_or_last_drop() {
    model("upgrade, register, weak drop / last drop", || {
        let (drops, arc) = object();
        let (old, new) = (Ran::new(), Ran::new());
        old.observe(&arc).detach();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let new = new.clone();
            move || {
                let arc = weak.upgrade();
                drop(weak);
                arc.is_some_and(|arc| {
                    new.observe(&arc).detach();
                    true
                })
            }
        });
        drop(arc);
        let registered = other.join().unwrap();
        old.was(1);
        if registered {
            new.was(1);
        }
        assert_eq!(drops.now(), 1);
    });
}

/// The same where nothing was registered before: the last drop without another weak count must see the hook.
#[test]
fn first_register_by_upgrade_or_last_drop() {
    model("upgrade, first register, weak drop / last drop", || {
        let (drops, arc) = object();
        let ran = Ran::new();
        let weak = Arc::downgrade(&arc);
        let other = spawn({
            let ran = ran.clone();
            move || {
                let arc = weak.upgrade();
                drop(weak);
                arc.is_some_and(|arc| {
                    ran.observe(&arc).detach();
                    true
                })
            }
        });
        drop(arc);
        if other.join().unwrap() {
            ran.was(1);
        }
        assert_eq!(drops.now(), 1);
    });
}

/// A callback cancels an older one of the same death, unless a third party has got at the handle before.
#[test]
fn cancelled_by_a_callback_of_the_same_death() {
    model("observer dropped in a callback of its death / cancel", || {
        let (drops, arc) = object();
        let (old, new) = (Ran::new(), Ran::new());
        let handle = std::sync::Arc::new(Mutex::new(Some(old.observe(&arc))));
        Arc::observe(&arc, {
            let (handle, old, times, capture) =
                (handle.clone(), old.clone(), new.times.clone(), Witness::new(&new.captures));
            move |value| {
                times.fetch_add(1, Relaxed);
                value.read();
                capture.read();
                let observer = handle.lock().unwrap().take();
                if let Some(observer) = observer {
                    assert!(old.cancel(observer), "it is older, so its turn has not come");
                }
            }
        })
        .detach();
        let other = spawn({
            let old = old.clone();
            move || {
                let observer = handle.lock().unwrap().take();
                observer.is_none_or(|observer| old.cancel(observer))
            }
        });
        drop(arc);
        let cancelled = other.join().unwrap();
        new.was(1);
        old.was(usize::from(!cancelled));
        assert_eq!(drops.now(), 1);
    });
}

/// A callback drops the handle of the next one while a third party cancels the one after.
#[test]
fn cancelled_by_a_callback_beside_a_canceller() {
    model("observer dropped in a callback / cancel of the next", || {
        let (drops, arc) = object();
        let ran = [(); 3].map(|()| Ran::new());
        let oldest = ran[0].observe(&arc);
        let middle = Mutex::new(Some(ran[1].observe(&arc)));
        let newest = Arc::observe(&arc, {
            let (times, capture) = (ran[2].times.clone(), Witness::new(&ran[2].captures));
            move |_| {
                times.fetch_add(1, Relaxed);
                capture.read();
                let observer = middle.lock().unwrap().take();
                drop(observer);
            }
        });
        let other = spawn({
            let ran = ran[0].clone();
            move || ran.cancel(oldest)
        });
        drop(arc);
        drop(newest);
        let cancelled = other.join().unwrap();
        ran[0].was(usize::from(!cancelled));
        ran[1].was(0);
        ran[2].was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// While a hook is registered, also without a handle, nobody is alone with the value.
#[test]
fn observe_or_get_mut() {
    model("register, detach, drop / get_mut", || {
        let (drops, mut arc) = object();
        let ran = Ran::new();
        let registered = std::sync::Arc::new(AtomicUsize::new(0));
        let other = spawn({
            let (arc, ran, registered) = (arc.clone(), ran.clone(), registered.clone());
            move || {
                ran.observe(&arc).detach();
                registered.fetch_add(1, Relaxed);
                drop(arc);
            }
        });
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
            assert_eq!(registered.load(Relaxed), 0, "a `&mut` beside a hook that can see the value");
        }
        drop(arc);
        other.join().unwrap();
        ran.was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// What a callback's handle did comes before the `&mut` that its cancelling allows.
#[test]
fn cancel_or_get_mut() {
    model("upgrade, drop, cancel / get_mut", || {
        let (drops, mut arc) = object();
        let ran = Ran::new();
        let observer = ran.observe(&arc);
        let other = spawn({
            let ran = ran.clone();
            move || {
                if let Some(arc) = observer.upgrade() {
                    arc.read();
                }
                ran.cancel(observer)
            }
        });
        if let Some(value) = Arc::get_mut(&mut arc) {
            value.write();
        }
        drop(arc);
        let cancelled = other.join().unwrap();
        ran.was(usize::from(!cancelled));
        assert_eq!(drops.now(), 1);
    });
}

/// The handle leaves, the callback stays and runs; whoever of list and handle is last frees it.
#[test]
fn detach_or_death() {
    model("detach / death", || {
        let (drops, arc) = object();
        let ran = Ran::new();
        let observer = ran.observe(&arc);
        let other = spawn(move || observer.detach());
        drop(arc);
        other.join().unwrap();
        ran.was(1);
        assert_eq!(drops.now(), 1);
    });
}

/// Taking the value out is a death for its callbacks too.
#[test]
fn cancel_or_unwrap() {
    model("cancel / try_unwrap", || {
        let (drops, arc) = object();
        let ran = Ran::new();
        let observer = ran.observe(&arc);
        let other = spawn({
            let ran = ran.clone();
            move || ran.cancel(observer)
        });
        let value = Arc::try_unwrap(arc).expect("the only owner");
        let cancelled = other.join().unwrap();
        value.read();
        drop(value);
        ran.was(usize::from(!cancelled));
        assert_eq!(drops.now(), 1);
    });
}

/// Whoever lists the watchers reads links that others change.
#[test]
fn list_or_cancel() {
    model("list watchers / register, cancel", || {
        let (drops, arc) = object();
        let (old, new) = (Ran::new(), Ran::new());
        let observer = old.observe(&arc);
        let other = spawn({
            let (arc, new) = (arc.clone(), new.clone());
            move || {
                let newer = new.observe(&arc);
                old.cancel(observer);
                newer.detach();
                old.was(0);
            }
        });
        assert!((1..=2).contains(&Arc::observers(&arc).len()), "one of two is there throughout");
        drop(arc);
        other.join().unwrap();
        new.was(1);
        assert_eq!(drops.now(), 1);
    });
}
