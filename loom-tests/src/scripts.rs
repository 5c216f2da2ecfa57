//! Scripts of operations on one block, run against each other: all pairs, all triples.
//!
//! A script is a thread: `S:` starts with an `Arc`, `W:` with a `Weak`, `B:` with a borrow of a `Weak` that outlives it, `N:`
//! with a guard under which it looks at a slot that holds a weak count; `P:` (the first script only) makes the object by
//! `new_cyclic` and starts the others before it is born. Then come its operations, a letter each (see [`Actor::act`]), and in
//! the end it drops what it has left. The first script runs on the main thread; a `+` after it keeps one more `Arc` until all
//! are done, and checks that the object is as good as new.
//!
//! What must hold is said by ghosts: counts outside of loom, changed together with the loom operation beside them, because
//! loom changes threads at its own operations only. Use after free, double free and leaks are the business of the crate's
//! `sync::Life`, races those of the value's cell.

use crate::{Bounds, Outcome, explore};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicPtr, AtomicUsize as Seen, Ordering};
use loom::thread::{JoinHandle, spawn};
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use weakly::internals::retire_weak;
use weakly::{Arc, Guard, Observer, Weak, pin};

/// What is true of the object, whatever its words say.
struct Ghosts {
    /// Owners, those included that are just being made or dropped.
    handles: AtomicUsize,
    /// Owners that nobody has begun to drop.
    live: AtomicUsize,
    /// Of these, the ones that are in a `try_unwrap` or `make_mut`: each may have left already.
    leaving: AtomicUsize,
    /// `Weak`s that nobody has begun to drop, and the weak counts of hooks and slots.
    weaks: AtomicUsize,
    /// Upgrades and clones begun.
    made: AtomicUsize,
    /// Not yet, in `new_cyclic`.
    unborn: AtomicBool,
    /// The value is destroyed or moved out.
    gone: AtomicBool,
    /// The same for loom, so that it explores both orders of the value's end and the return of a drop.
    seen_gone: Seen,
    hooks: AtomicUsize,
    ran: [AtomicUsize; 4],
    cancelled: [AtomicUsize; 4],
}

type Shared = std::sync::Arc<Ghosts>;

impl Ghosts {
    fn new() -> Shared {
        std::sync::Arc::new(Ghosts {
            handles: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            weaks: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            unborn: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            seen_gone: Seen::new(0),
            hooks: AtomicUsize::new(0),
            ran: Default::default(),
            cancelled: Default::default(),
        })
    }

    /// An owner is being made.
    fn begin(&self) {
        self.handles.fetch_add(1, SeqCst);
        self.made.fetch_add(1, SeqCst);
    }

    /// It is there, or never was.
    fn made(&self, made: bool) {
        if made {
            self.live.fetch_add(1, SeqCst);
        } else {
            let unborn = self.unborn.load(SeqCst);
            let certain = self.live.load(SeqCst) - self.leaving.load(SeqCst);
            assert!(unborn || certain == 0, "an upgrade failed beside an owner");
            self.less();
        }
    }

    /// A handle is gone, whatever it did at its end.
    fn less(&self) {
        if self.handles.fetch_sub(1, SeqCst) == 1 && !self.unborn.load(SeqCst) {
            assert!(self.gone.load(SeqCst), "P7: all owners' drops have returned, and the value is still there");
        }
    }

    /// After all threads: nothing is left.
    fn finish(&self) {
        assert_eq!(self.handles.load(SeqCst), 0, "the scenario forgot an owner");
        assert_eq!(self.live.load(SeqCst), 0, "the scenario forgot an owner");
        assert_eq!(self.weaks.load(SeqCst) - self.listed(), 0, "the scenario forgot a weak count");
        assert!(self.gone.load(SeqCst), "never destroyed");
        for id in 0..self.hooks.load(SeqCst) {
            let (ran, cancelled) = (self.ran[id].load(SeqCst), self.cancelled[id].load(SeqCst));
            assert_eq!(ran + cancelled, 1, "callback {id} ran {ran} times and was cancelled {cancelled} times");
        }
    }

    /// Hooks that nobody has cancelled: each has a weak count, until its death.
    fn listed(&self) -> usize {
        let cancelled: usize = self.cancelled.iter().map(|c| c.load(SeqCst)).sum();
        self.hooks.load(SeqCst) - cancelled
    }
}

/// The object's value.
struct Value {
    cell: UnsafeCell<u32>,
    /// None in a clone, which is another object's.
    ghosts: Option<Shared>,
}

// SAFETY: loom checks every access to the cell for races.
unsafe impl Sync for Value {}

impl Value {
    fn new(ghosts: &Shared) -> Self {
        Value { cell: UnsafeCell::new(0), ghosts: Some(ghosts.clone()) }
    }

    fn read(&self) {
        // SAFETY: loom reports a race.
        self.cell.with(|p| _ = unsafe { *p });
        let gone = self.ghosts.as_ref().is_some_and(|ghosts| ghosts.gone.load(SeqCst));
        assert!(!gone, "a look at a destroyed value");
    }

    fn write(&mut self) {
        if let Some(ghosts) = &self.ghosts {
            assert_eq!(ghosts.live.load(SeqCst), 1, "a `&mut` beside another owner");
            assert_eq!(ghosts.weaks.load(SeqCst), 0, "a `&mut` beside a weak count");
        }
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p += 1 });
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // a failed model is unwound
        }
        // SAFETY: loom reports a race.
        self.cell.with_mut(|p| unsafe { *p += 1 });
        if let Some(ghosts) = &self.ghosts {
            assert!(!ghosts.gone.swap(true, SeqCst), "destroyed or moved out twice");
            ghosts.seen_gone.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.read();
        Value { cell: UnsafeCell::new(0), ghosts: None }
    }
}

/// A slot under the epoch: null, or a `Weak` in the raw.
type Slot = std::sync::Arc<AtomicPtr<Value>>;

/// One thread's belongings.
struct Actor {
    ghosts: Shared,
    arcs: Vec<Arc<Value>>,
    weaks: Vec<Weak<Value>>,
    borrowed: Option<std::sync::Arc<Weak<Value>>>,
    slot: Option<Slot>,
    node: Option<ManuallyDrop<Weak<Value>>>,
    guard: Option<Guard>,
    observers: Vec<(usize, Observer<Value>)>,
    /// `get_mut` has shown that this thread's `Arc` was the only owner, when so many upgrades and clones had been begun.
    sole: Option<usize>,
}

impl Actor {
    fn new(ghosts: &Shared) -> Self {
        Actor {
            ghosts: ghosts.clone(),
            arcs: Vec::new(),
            weaks: Vec::new(),
            borrowed: None,
            slot: None,
            node: None,
            guard: None,
            observers: Vec::new(),
            sole: None,
        }
    }

    fn run(mut self, operations: &str) {
        if let Some(slot) = &self.slot {
            self.guard = Some(pin());
            // Acquire: pairs with whatever put the weak count there.
            if let Some(node) = NonNull::new(slot.load(Ordering::Acquire)) {
                // SAFETY: seen under the guard; the slot's weak count is given back through the epoch.
                self.node = Some(ManuallyDrop::new(unsafe { Weak::from_raw(node.as_ptr()) }));
            }
        }
        operations.chars().for_each(|operation| self.act(operation));
        while !self.arcs.is_empty() {
            self.drop_arc();
        }
        while let Some((_, observer)) = self.observers.pop() {
            self.detach(observer);
        }
        while !self.weaks.is_empty() {
            self.drop_weak();
        }
    }

    /// One operation, if the thread has what it needs.
    fn act(&mut self, operation: char) {
        let owner = !self.arcs.is_empty();
        match operation {
            'c' if owner => self.clone_arc(),
            'd' if owner => self.drop_arc(),
            'u' => self.upgrade(),
            'g' if owner => self.get_mut(),
            't' if owner => self.try_unwrap(),
            'i' if owner => self.take_inner(),
            'm' if owner => self.make_mut(),
            'w' if owner => self.downgrade(),
            'v' => self.clone_weak(),
            'x' => self.drop_weak(),
            'o' if owner => self.observe(),
            'k' => self.cancel(),
            'e' => (self.guard, self.node) = (None, None),
            'c' | 'd' | 'g' | 't' | 'i' | 'm' | 'w' | 'o' => {}
            _ => panic!("no operation {operation}"),
        }
    }

    fn clone_arc(&mut self) {
        self.ghosts.begin();
        self.arcs.push(self.arcs[0].clone());
        self.ghosts.made(true);
        self.sole = None;
    }

    fn drop_arc(&mut self) {
        let arc = self.arcs.pop().expect("an `Arc`");
        let sole = self.sole.take().filter(|_| self.arcs.is_empty());
        arc.read();
        self.ghosts.live.fetch_sub(1, SeqCst);
        drop(arc);
        self.ghosts.less();
        if sole == Some(self.ghosts.made.load(SeqCst)) {
            let gone = self.ghosts.seen_gone.fetch_add(0, Ordering::Relaxed);
            assert_eq!(gone, 1, "P7: the drop of the only owner has returned, and the value is still there");
        }
    }

    fn upgrade(&mut self) {
        let node = self.node.as_deref();
        let observed = self.observers.last().map(|(_, observer)| &**observer);
        let Some(weak) = self.weaks.last().or(self.borrowed.as_deref()).or(node).or(observed) else { return };
        self.ghosts.begin();
        let arc = weak.upgrade();
        self.ghosts.made(arc.is_some());
        if let Some(arc) = arc {
            arc.read();
            self.arcs.push(arc);
        }
    }

    fn get_mut(&mut self) {
        if let Some(value) = Arc::get_mut(&mut self.arcs[0]) {
            value.write();
            self.sole = (self.arcs.len() == 1).then(|| self.ghosts.made.load(SeqCst));
        }
    }

    fn try_unwrap(&mut self) {
        let arc = self.arcs.pop().expect("an `Arc`");
        arc.read();
        self.ghosts.leaving.fetch_add(1, SeqCst);
        let value = Arc::try_unwrap(arc);
        self.ghosts.leaving.fetch_sub(1, SeqCst);
        match value {
            Ok(value) => {
                self.ghosts.live.fetch_sub(1, SeqCst);
                drop(value);
                self.ghosts.less();
            }
            Err(arc) => self.arcs.push(arc),
        }
    }

    fn take_inner(&mut self) {
        let arc = self.arcs.pop().expect("an `Arc`");
        arc.read();
        self.ghosts.live.fetch_sub(1, SeqCst);
        drop(Arc::into_inner(arc));
        self.ghosts.less();
    }

    fn make_mut(&mut self) {
        let mut arc = self.arcs.pop().expect("an `Arc`");
        let place = Arc::as_ptr(&arc);
        arc.read();
        self.ghosts.leaving.fetch_add(1, SeqCst);
        let value = Arc::make_mut(&mut arc);
        self.ghosts.leaving.fetch_sub(1, SeqCst);
        if std::ptr::eq(value, place) {
            value.write();
            self.arcs.push(arc);
        } else {
            // The handle has left this object: to its value in a new place, or to a clone.
            self.ghosts.live.fetch_sub(1, SeqCst);
            drop(arc);
            self.ghosts.less();
        }
    }

    fn downgrade(&mut self) {
        self.ghosts.weaks.fetch_add(1, SeqCst);
        self.weaks.push(Arc::downgrade(&self.arcs[0]));
    }

    fn clone_weak(&mut self) {
        let Some(weak) = self.weaks.last() else { return };
        self.ghosts.weaks.fetch_add(1, SeqCst);
        let weak = weak.clone();
        self.weaks.push(weak);
    }

    fn drop_weak(&mut self) {
        let Some(weak) = self.weaks.pop() else { return };
        self.ghosts.weaks.fetch_sub(1, SeqCst);
        drop(weak);
    }

    fn observe(&mut self) {
        let ghosts = self.ghosts.clone();
        let id = ghosts.hooks.fetch_add(1, SeqCst);
        ghosts.weaks.fetch_add(2, SeqCst); // the list's and the handle's
        let callback = move |value: &Value| {
            ghosts.ran[id].fetch_add(1, SeqCst);
            value.read();
        };
        self.observers.push((id, Arc::observe(&self.arcs[0], callback)));
    }

    fn cancel(&mut self) {
        let Some((id, observer)) = self.observers.pop() else { return };
        self.ghosts.weaks.fetch_sub(1, SeqCst);
        // Given up before it is known whose it is: only an owner asks for it, and if it is the death's there is none.
        self.ghosts.weaks.fetch_sub(1, SeqCst);
        if observer.cancel() {
            self.ghosts.cancelled[id].fetch_add(1, SeqCst);
        } else {
            self.ghosts.weaks.fetch_add(1, SeqCst);
            assert_eq!(self.ghosts.ran[id].load(SeqCst), 1, "not cancelled, so it runs");
        }
    }

    fn detach(&mut self, observer: Observer<Value>) {
        self.ghosts.weaks.fetch_sub(1, SeqCst);
        observer.detach();
    }
}

/// All but the first script's thread, and what they share with the main thread.
struct Others {
    threads: Vec<JoinHandle<()>>,
    borrowed: Option<std::sync::Arc<Weak<Value>>>,
    slot: Option<Slot>,
}

impl Others {
    /// Starts `scripts`; `weak` makes weak counts, `arc` owners. All counts are there before the first thread.
    fn start(
        ghosts: &Shared,
        scripts: &[String],
        weak: impl Fn() -> Weak<Value>,
        arc: impl Fn() -> Arc<Value>,
    ) -> Self {
        let count_weak = || {
            ghosts.weaks.fetch_add(1, SeqCst);
            weak()
        };
        let starts = |kind| scripts.iter().any(|script| script.starts_with(kind));
        let borrowed = starts('B').then(|| std::sync::Arc::new(count_weak()));
        let slot = starts('N').then(|| std::sync::Arc::new(AtomicPtr::new(count_weak().into_raw().cast_mut())));
        let actors: Vec<_> = scripts
            .iter()
            .map(|script| {
                let (kind, operations) = script.split_once(':').expect("a kind");
                let mut actor = Actor::new(ghosts);
                match kind {
                    "S" => {
                        ghosts.handles.fetch_add(1, SeqCst);
                        ghosts.live.fetch_add(1, SeqCst);
                        actor.arcs.push(arc());
                    }
                    "W" => actor.weaks.push(count_weak()),
                    "B" => actor.borrowed = borrowed.clone(),
                    "N" => actor.slot = slot.clone(),
                    _ => panic!("no kind {kind}"),
                }
                (actor, operations.to_owned())
            })
            .collect();
        let threads = actors.into_iter().map(|(actor, script)| spawn(move || actor.run(&script))).collect();
        Others { threads, borrowed, slot }
    }

    /// After the first script: retires the slot's weak count, waits for the threads, drops the borrowed `Weak`.
    fn finish(self, ghosts: &Shared) {
        if let Some(slot) = &self.slot {
            let node = slot.swap(null_mut(), Ordering::AcqRel);
            ghosts.weaks.fetch_sub(1, SeqCst);
            // SAFETY: the weak count was the slot's, which holds it no longer.
            unsafe { retire_weak(&pin(), NonNull::new(node).expect("swapped out once")) };
        }
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        if self.borrowed.is_some() {
            ghosts.weaks.fetch_sub(1, SeqCst);
        }
    }
}

/// One execution of a scenario.
fn execute(scripts: &[String]) {
    let ghosts = Ghosts::new();
    let (main, others) = scripts.split_first().expect("a first script");
    let (kind, operations) = main.split_once(':').expect("a kind");
    let keeps = operations.ends_with('+');
    let operations = operations.trim_end_matches('+');
    let mut started = None;
    let arc = match kind {
        "P" => Arc::new_cyclic(|me| {
            let no_owner = || unreachable!("an owner of the unborn");
            started = Some(Others::start(&ghosts, others, || me.clone(), no_owner));
            ghosts.handles.fetch_add(1, SeqCst);
            Value::new(&ghosts)
        }),
        "S" => {
            ghosts.handles.fetch_add(1, SeqCst);
            Arc::new(Value::new(&ghosts))
        }
        _ => panic!("no first kind {kind}"),
    };
    ghosts.live.fetch_add(1, SeqCst);
    ghosts.unborn.store(false, SeqCst);
    let kept = keeps.then(|| {
        ghosts.begin();
        let kept = arc.clone();
        ghosts.made(true);
        kept
    });
    let others = started.unwrap_or_else(|| Others::start(&ghosts, others, || Arc::downgrade(&arc), || arc.clone()));
    let mut actor = Actor::new(&ghosts);
    actor.arcs.push(arc);
    actor.run(operations);
    others.finish(&ghosts);
    if let Some(arc) = kept {
        let mut last = Actor::new(&ghosts);
        last.arcs.push(arc);
        quiet(&mut last);
        last.drop_arc();
    }
    ghosts.finish();
}

/// Nobody else is there: the object is as good as new.
fn quiet(last: &mut Actor) {
    let arc = &mut last.arcs[0];
    let weaks = last.ghosts.weaks.load(SeqCst);
    assert_eq!(Arc::strong_count(arc), 1, "the only owner");
    assert_eq!(Arc::weak_count(arc), weaks, "a weak count is lost or left over");
    assert_eq!(Arc::get_mut(arc).is_some(), weaks == 0, "alone, but for {weaks} weak counts");
}

/// Explores one scenario: the first script on the main thread, the others beside it.
pub fn run(scripts: &[&str], bounds: Bounds) -> Outcome {
    let scripts: Vec<String> = scripts.iter().map(ToString::to_string).collect();
    explore(bounds, move || execute(&scripts))
}

/// First scripts.
const FIRST: &[&str] = &["S:d", "S:gd", "S:td", "S:i", "S:md", "S:od", "S:odk", "S:wdud", "S:d+"];
/// Scripts of another owner, of a `Weak`, of a borrower, of a reader under a guard.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "S:d", "S:gd", "S:td", "S:i", "S:md", "S:od", "S:okd", "S:odk", "S:cdd", "S:wdud", "S:cgdgd",
    "W:x", "W:udx", "W:uxgd", "W:uxtd", "W:utx", "W:uxi", "W:umx", "W:uxmd", "W:uwdudx", "W:uodx", "W:uodkx", "W:uxodk",
    "W:vudxx", "W:uduxd", "W:uxcdgd",
    "B:ud", "B:ugd", "N:ude", "N:uegd", "N:uetd", "N:uei", "N:ueod",
];
/// First scripts that give birth, and what may run beside the birth.
const BIRTHS: &[&str] = &["P:d", "P:gd", "P:wdud", "P:td"];
const BESIDE_BIRTH: &[&str] = &["W:udx", "W:uudx", "W:uxgd", "W:uvudxx", "W:x", "W:uutx", "N:ude", "B:uud"];
const THIRD_AT_BIRTH: &[&str] = &["W:udx", "W:uudx", "W:uxgd", "W:uxi", "B:ud"];

/// Every first script against every other.
pub fn pairs() -> Vec<Vec<&'static str>> {
    FIRST.iter().flat_map(|&first| OTHERS.iter().map(move |&other| vec![first, other])).collect()
}

/// Every first script against every two others.
pub fn triples() -> Vec<Vec<&'static str>> {
    let others = || OTHERS.iter().enumerate().flat_map(|(i, &a)| OTHERS[i..].iter().map(move |&b| (a, b)));
    FIRST.iter().flat_map(|&first| others().map(move |(a, b)| vec![first, a, b])).collect()
}

/// Births against one and two others.
pub fn cyclic() -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for &first in BIRTHS {
        for &other in BESIDE_BIRTH {
            all.push(vec![first, other]);
            all.extend(THIRD_AT_BIRTH.iter().map(|&third| vec![first, other, third]));
        }
    }
    all
}
