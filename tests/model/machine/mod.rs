//! One interpreter of scripts for every collection: it runs a script on the real thing and on a plain reference, side by side,
//! and says what differs. Proptest and the fuzz targets both drive it.
//!
//! - [`script`]: what bytes mean;
//! - [`objects`]: what is held, by pointers of either kind, and how user code tells the machine;
//! - [`world`]: who holds and watches what, and the oracle of liveness;
//! - [`keyed`]: the machine of maps, sets and interners, over the [`faces`] that make them alike;
//! - [`list`], [`slots`]: the other two.
//!
//! User code (callbacks, listeners, closures, destructors) comes back to the machine, which looks what has died, and may run the
//! script's next command right there. Nothing here may panic before the script is over: what is wrong is noted.

mod faces;
mod keyed;
mod list;
mod objects;
mod script;
mod slots;
mod world;

use keyed::Keys;
use list::List;
use objects::{Events, Id, Kind, Name, Object, Owner, Running, is_more};
use script::{Command, Hashing, Script};
use slots::Slots;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use weakly::{ByEq, ByPointer, Cause, generic};
use world::World;

/// User code inside user code, at most.
const DEPTH: usize = 3;

/// A collection, its reference, and what commands do to both.
pub trait Subject<A: Kind>: Sized + 'static {
    /// Nothing in it yet.
    fn new(world: &World<A>) -> Self;
    /// Does what a command says.
    fn act(&self, machine: &Machine<A, Self>, command: Command);
    /// What the operations under way have done by now, as the reference is to know.
    fn catch_up(&self, _: &World<A>) {}
    /// An object has died.
    fn died(&self, world: &World<A>, id: Id);
    /// A listener was told.
    fn left(&self, _: &World<A>, _map: usize, _key: Id, _cause: Cause) {}
    /// How many owners of an object lie in it.
    fn held(&self, id: Id) -> usize;
    /// Compares it with the reference. `quiet`: no operation is under way.
    fn check(&self, world: &World<A>, quiet: bool);
    /// Takes everything out.
    fn end(&self, world: &World<A>);
}

/// A run of one script on one collection.
pub struct Machine<A: Kind, S> {
    world: World<A>,
    subject: S,
    script: RefCell<VecDeque<Command>>,
    /// What was run, and how deep in user code.
    log: RefCell<Vec<(usize, Command)>>,
    depth: Cell<usize>,
}

impl<A: Kind, S: Subject<A>> Machine<A, S> {
    /// One command, on both.
    fn step(&self, command: Command) {
        self.settle();
        self.log.borrow_mut().push((self.depth.get(), command));
        self.deeper(1, || {
            if !self.world.act(command, self.depth.get() > 1) {
                self.subject.act(self, command);
            }
        });
        self.settle();
        let quiet = self.depth.get() == 0;
        if quiet {
            self.world.check_quiet(|id| self.subject.held(id));
        }
        if self.world.failure().is_none() && self.world.is_settled() {
            self.subject.check(&self.world, quiet);
        }
    }

    /// Runs `f` as if inside `levels` more calls of user code.
    fn deeper(&self, levels: usize, f: impl FnOnce()) {
        self.depth.set(self.depth.get() + levels);
        f();
        self.depth.set(self.depth.get() - levels);
    }

    /// Runs `f` while no user code runs commands.
    pub fn alone(&self, f: impl FnOnce()) {
        self.deeper(DEPTH, f);
    }

    /// User code has been called: here it runs what the script has for it.
    pub fn user_code(&self) {
        self.settle();
        let nested = |script: &VecDeque<Command>| script.front().is_some_and(|command| command.is_nested());
        if self.world.failure().is_none() && self.depth.get() <= DEPTH && nested(&self.script.borrow()) {
            let command = self.script.borrow_mut().pop_front();
            command.into_iter().for_each(|command| self.step(command));
        }
    }

    /// Sees to it that the reference knows what has happened.
    pub fn settle(&self) {
        self.subject.catch_up(&self.world);
        for id in self.world.newly_dead() {
            self.subject.died(&self.world, id);
        }
    }

    /// What was run, a line a command.
    fn story(&self) -> String {
        let mut story = format!("{:?}\n", self.world.setup);
        for (depth, command) in &*self.log.borrow() {
            let _ = writeln!(story, "{:width$}{command:?}", "", width = 4 * depth);
        }
        story
    }
}

impl<A: Kind, S: Subject<A>> Events for Machine<A, S> {
    fn took(&self, id: Id) {
        self.world.took(id);
    }

    fn let_go(&self, id: Id) {
        self.world.let_go(id);
    }

    fn destroyed(&self, id: Id) {
        self.settle();
        self.world.destroyed(id);
        self.user_code();
    }

    fn gone(&self, id: Id) {
        self.settle();
        self.world.gone(id);
    }

    fn called(&self, watcher: usize) {
        self.settle();
        self.world.called(watcher);
        self.user_code();
    }

    fn left(&self, map: usize, key: Id, cause: Cause) {
        self.settle();
        self.subject.left(&self.world, map, key, cause);
        self.user_code();
    }

    fn id_at(&self, address: usize) -> Id {
        self.world.id_at(address)
    }
}

/// One at a time: what a grace period has held back is destroyed by whichever thread comes first.
static ONE: Mutex<()> = Mutex::new(());

/// Nobody else runs a script meanwhile.
#[allow(dead_code, reason = "a fuzzer is alone")]
pub fn exclusively() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Flushes until `done`, or until that is hopeless.
fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        weakly::pin().flush();
    }
}

/// Runs a script. Err: what differed, and what was run.
fn run<A: Kind, S: Subject<A>>(bytes: &[u8]) -> Result<usize, String> {
    let _one = exclusively();
    let (setup, script) = Script::of(bytes);
    let world = World::new(setup);
    let subject = S::new(&world);
    let script = RefCell::new(script.commands().into());
    let machine = Rc::new(Machine { world, subject, script, log: RefCell::default(), depth: Cell::new(0) });
    let running = Running::start(machine.clone());
    for class in 0..setup.objects {
        machine.world.keep(machine.world.make(class, class == 5, None));
    }
    loop {
        let command = machine.script.borrow_mut().pop_front();
        let (Some(command), None) = (command, machine.world.failure()) else { break };
        machine.step(command);
    }
    let steps = machine.log.borrow().len();
    if machine.world.failure().is_none() {
        machine.deeper(DEPTH + 1, || {
            machine.subject.end(&machine.world);
            machine.world.end();
        });
        machine.settle();
        machine.world.check_quiet(|_| 0);
        wait_until(|| {
            machine.settle();
            machine.world.is_over()
        });
        machine.world.check(machine.world.is_over(), || machine.world.leftovers());
    }
    let failure = machine.world.failure();
    drop(running); // from here on nobody is told anything
    match failure {
        None => Ok(steps),
        Some(failure) => {
            let story = machine.story();
            let before = machine.world.before;
            drop(machine);
            wait_until(|| !is_more(before));
            Err(format!("{failure}\n{story}"))
        }
    }
}

/// Runs a script on the collection of a family that its first byte names; panics if something differs. For the fuzz targets.
///
/// All garbage is freed before this returns, for a fuzzer looks for leaks after every script, and knows no block by a pointer
/// to a value of size 0 at its end.
#[allow(dead_code, reason = "the other driver names the collection")]
pub fn run_one_of(family: Subjects, bytes: &[u8]) {
    let Some((first, script)) = bytes.split_first() else { return };
    let (name, run) = family[usize::from(*first) % family.len()];
    if let Err(failure) = run(script) {
        panic!("{name}: {failure}");
    }
    let (last, set) = (weakly::Arc::new(0), weakly::PtrWeakSet::new());
    set.insert(&last);
    set.remove(&last);
    wait_until(|| weakly::Arc::weak_count(&last) == 0);
}

/// Declares the collections: a module of each kind of pointer, each with a function that runs a script on that collection.
macro_rules! subjects {
    ($($family:ident: $($name:ident = $Subject:ty),*;)*) => {
        /// A collection, and what runs a script on it.
        pub type Subjects = &'static [(&'static str, fn(&[u8]) -> Result<usize, String>)];

        $(
            #[doc = concat!("The ", stringify!($family), ", over either kind of pointer.")]
            #[allow(non_upper_case_globals, dead_code, reason = "one a fuzz target")]
            pub const $family: Subjects = {
                &[$({
                    type This<A> = $Subject;
                    (concat!(stringify!($name), "_native"), run::<weakly::Arc<Object>, This<weakly::Arc<Object>>>)
                },)*
                $({
                    type This<A> = $Subject;
                    (concat!(stringify!($name), "_guest"), run::<std::sync::Arc<Object>, This<std::sync::Arc<Object>>>)
                },)*]
            };
        )*
    };
}

subjects! {
    MAPS:
        weak_value_map = Keys<generic::WeakValueMap<Name, A, Hashing>>,
        weak_key_map = Keys<generic::KeyMap<A, Owner<A>, ByEq, Hashing>>,
        ptr_weak_key_map = Keys<generic::KeyMap<A, Owner<A>, ByPointer, Hashing>>,
        weak_weak_map = Keys<generic::WeakMap<A, A, ByEq, Hashing>>,
        ptr_weak_weak_map = Keys<generic::WeakMap<A, A, ByPointer, Hashing>>;
    SETS:
        weak_set = Keys<generic::Set<A, ByEq, Hashing>>,
        ptr_weak_set = Keys<generic::Set<A, ByPointer, Hashing>>,
        interner = Keys<generic::Interner<A, Hashing>>;
    LISTS:
        weak_list = List<A>;
}

/// The atomic slots, which know the crate's own pointer alone.
#[allow(dead_code, reason = "one a fuzz target")]
pub const SLOTS: Subjects = &[("slots", run::<weakly::Arc<Object>, Slots>)];
