//! What every machine has: objects, who holds them, who watches them; and the oracle.
//!
//! The oracle of liveness counts [`Owner`]s: every strong pointer of a test is one, wherever it lies, in a handle, in another
//! object, in a key map's value. An object with an owner must be alive. One without is *loose*: it must be dead when the
//! outermost command is over, and until then only something that the crate is in the middle of, a walk say, may hold it. So
//! whenever user code is called, and before each command, the machine looks which of the loose ones have died, and from that
//! moment expects their entries to be gone.

use super::objects::{CAPTURES, Counted, Id, Kind, Object, Owner, Watch, counts, is_more, tell};
use super::script::{Command, Setup};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};
use weakly::{Finalizer, Guard};

/// What is known of an object.
pub struct Known<A: Kind> {
    pub class: u8,
    deferred: bool,
    /// Until it is known to be dead.
    weak: Option<A::Weak>,
    owners: usize,
    children: Vec<Id>,
    destroyed: bool,
    gone: bool,
    /// Callbacks and finalizers that are still to come, oldest first.
    armed: Vec<usize>,
}

/// The handle of something that happens at an object's death.
enum Handle {
    Observer(Box<dyn Watch>),
    Finalizer(Finalizer<()>),
}

/// Objects, their owners and watchers, and what went wrong.
pub struct World<A: Kind> {
    pub setup: Setup,
    objects: RefCell<Vec<Known<A>>>,
    handles: RefCell<Vec<Owner<A>>>,
    /// Objects without owners that were alive when they were last looked at.
    loose: RefCell<Vec<Id>>,
    by_address: RefCell<HashMap<usize, Id>>,
    watchers: RefCell<Vec<(usize, Id, Handle)>>,
    /// Which object each watcher watches.
    watched: RefCell<Vec<Id>>,
    guard: RefCell<Option<Guard>>,
    /// Guests that are dead and whose anchor has not dropped yet.
    dying: Cell<usize>,
    failure: RefCell<Option<String>>,
    /// What there was before.
    pub before: [isize; 3],
}

/// Handles at most: enough for several buckets at one place.
const HANDLES: usize = 48;
/// Classes of keys.
pub const CLASSES: u8 = 20;

impl<A: Kind> World<A> {
    pub fn new(setup: Setup) -> Self {
        World {
            setup,
            objects: RefCell::default(),
            handles: RefCell::default(),
            loose: RefCell::default(),
            by_address: RefCell::default(),
            watchers: RefCell::default(),
            watched: RefCell::default(),
            guard: RefCell::default(),
            dying: Cell::default(),
            failure: RefCell::default(),
            before: counts(),
        }
    }

    /// Notes what is wrong: the first of it. User code must not panic here, for the crate would take it for the user's.
    pub fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.failure.borrow_mut().get_or_insert_with(what);
        }
    }

    /// Notes a panic of the crate's own look at itself.
    pub fn validate(&self, validate: impl FnOnce()) {
        let whole = catch_unwind(AssertUnwindSafe(validate));
        self.check(whole.is_ok(), || "it is not whole inside: see the panic above".to_string());
    }

    /// What went wrong first.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Is there nothing of which the crate can't know yet that it is dead?
    pub fn is_settled(&self) -> bool {
        self.dying.get() == 0
    }

    pub fn class_of(&self, id: Id) -> u8 {
        self.objects.borrow()[id as usize].class
    }

    /// Is it alive, as far as has been seen?
    pub fn is_alive(&self, id: Id) -> bool {
        self.objects.borrow()[id as usize].weak.is_some()
    }

    /// A handle, if there is one: the same for the same `n`, while nothing changes.
    pub fn pick(&self, n: u8) -> Option<Owner<A>> {
        let handles = self.handles.borrow();
        let arc = (!handles.is_empty()).then(|| A::clone(&handles[usize::from(n) % handles.len()]))?;
        drop(handles);
        Some(Owner::adopt(arc))
    }

    /// An owner of an object, if that is alive.
    pub fn hold(&self, id: Id) -> Option<Owner<A>> {
        let weak = self.objects.borrow()[id as usize].weak.clone()?;
        A::upgrade(&weak).map(Owner::adopt)
    }

    /// A new object.
    pub fn make(&self, class: u8, deferred: bool, child: Option<Owner<A>>) -> Owner<A> {
        let id = self.objects.borrow().len() as Id;
        let object = Object::new(id, class % CLASSES);
        let children = child.iter().map(|child| child.id).collect();
        object.children.lock().unwrap().extend(child.map(|child| -> Box<dyn Any + Send> { Box::new(child) }));
        let known = Known {
            class: object.class,
            deferred,
            weak: None,
            owners: 0,
            children,
            destroyed: false,
            gone: false,
            armed: Vec::new(),
        };
        self.objects.borrow_mut().push(known);
        let arc = if deferred { A::deferred(object) } else { A::from(object) };
        let weak = A::downgrade(&arc);
        let address = A::place(&weak);
        self.by_address.borrow_mut().insert(address, id);
        self.objects.borrow_mut()[id as usize].weak = Some(weak);
        Owner::adopt(arc)
    }

    /// How many handles there are.
    pub fn handles(&self) -> u8 {
        self.handles.borrow().len() as u8
    }

    /// Keeps an owner as a handle, if there is room.
    pub fn keep(&self, owner: Owner<A>) {
        if self.handles.borrow().len() < HANDLES {
            self.handles.borrow_mut().push(owner);
        }
    }

    /// What machines have in common. False: it is none of that.
    pub fn act(&self, command: Command, nested: bool) -> bool {
        use super::script::Act::*;
        let Command { a, b, .. } = command;
        match command.act {
            Make => {
                let child = (b & 2 != 0).then(|| self.pick(b >> 2)).flatten();
                self.keep(self.make(a, b & 1 != 0, child));
            }
            CloneHandle => self.pick(a).into_iter().for_each(|owner| self.keep(owner)),
            DropHandle => drop(self.drop_one(a)),
            Unwrap => self.unwrap(a),
            Watch => self.watch(a, b),
            Settle => self.settle_one(a, b, nested),
            Flush => weakly::pin().flush(),
            Guard => {
                let guard = self.guard.take();
                *self.guard.borrow_mut() = guard.is_none().then(weakly::pin);
            }
            _ => return false,
        }
        true
    }

    fn drop_one(&self, n: u8) -> Option<Owner<A>> {
        let mut handles = self.handles.borrow_mut();
        let n = usize::from(n).checked_rem(handles.len())?;
        Some(handles.remove(n))
    }

    fn unwrap(&self, n: u8) {
        let Some(owner) = self.drop_one(n) else { return };
        let id = owner.id;
        let only = self.objects.borrow()[id as usize].owners == 1;
        let object = owner.give().take_out();
        self.check(only || object.is_none(), || format!("object {id} was taken from another owner"));
    }

    fn watch(&self, n: u8, how: u8) {
        let Some(owner) = self.pick(n) else { return };
        let id = owner.id;
        let watcher = self.watched.borrow().len();
        self.watched.borrow_mut().push(id);
        self.objects.borrow_mut()[id as usize].armed.push(watcher);
        let captured = Counted::new(&CAPTURES);
        let call = move || {
            let _captured = captured;
            tell(|machine| machine.called(watcher));
        };
        match how % 4 {
            0 => owner.observe(call).detach(),
            1 => self.watchers.borrow_mut().push((watcher, id, Handle::Observer(owner.observe(call)))),
            2 => drop(owner.finalize(call)),
            _ => self.watchers.borrow_mut().push((watcher, id, Handle::Finalizer(owner.finalize(call)))),
        }
    }

    /// Does something with a watcher's handle.
    fn settle_one(&self, n: u8, how: u8, nested: bool) {
        let Some(at) = usize::from(n).checked_rem(self.watchers.borrow().len()) else { return };
        let (watcher, id, handle) = self.watchers.borrow_mut().swap_remove(at);
        let is_armed = |armed: &[usize]| armed.contains(&watcher);
        let armed = is_armed(&self.objects.borrow()[id as usize].armed);
        let disarm = || self.objects.borrow_mut()[id as usize].armed.retain(|&armed| armed != watcher);
        let said = match handle {
            Handle::Observer(observer) if how & 1 == 0 => {
                disarm();
                observer.cancel()
            }
            Handle::Observer(observer) => {
                let pending = observer.is_pending();
                observer.detach();
                pending
            }
            Handle::Finalizer(finalizer) if how & 1 == 0 => {
                disarm();
                finalizer.detach().is_some()
            }
            Handle::Finalizer(finalizer) if how & 2 == 0 => {
                let alive = finalizer.is_alive();
                drop(finalizer);
                alive
            }
            Handle::Finalizer(finalizer) => {
                disarm();
                // The call is told of like any other, but out of turn.
                self.watched.borrow_mut()[watcher] = Id::MAX;
                finalizer.call().is_some()
            }
        };
        self.check(said == armed || nested && !armed && !said, || {
            format!("watcher {watcher} of object {id} was {armed} to be armed, and {said} it was")
        });
    }

    /// An owner came.
    pub fn took(&self, id: Id) {
        let mut objects = self.objects.borrow_mut();
        let known = &mut objects[id as usize];
        known.owners += 1;
        let dead = known.weak.is_none();
        drop(objects);
        self.check(!dead, || format!("object {id} was handed out after its death"));
        self.loose.borrow_mut().retain(|&loose| loose != id);
    }

    /// An owner goes.
    pub fn let_go(&self, id: Id) {
        let mut objects = self.objects.borrow_mut();
        let known = &mut objects[id as usize];
        known.owners -= 1;
        if known.owners == 0 && known.weak.is_some() {
            self.loose.borrow_mut().push(id);
        }
    }

    /// Which of the loose objects have died since they were last looked at.
    pub fn newly_dead(&self) -> Vec<Id> {
        let mut dead = Vec::new();
        let loose = self.loose.borrow().clone();
        for id in loose {
            let weak = self.objects.borrow()[id as usize].weak.clone();
            if weak.is_none_or(|weak| A::upgrade(&weak).is_none()) {
                self.loose.borrow_mut().retain(|&loose| loose != id);
                let known = &mut self.objects.borrow_mut()[id as usize];
                known.weak = None;
                if !known.gone && !A::NATIVE {
                    self.dying.set(self.dying.get() + 1);
                }
                dead.push(id);
            }
        }
        dead
    }

    pub fn destroyed(&self, id: Id) {
        let mut objects = self.objects.borrow_mut();
        let known = &mut objects[id as usize];
        let (twice, alive) = (known.destroyed, known.weak.is_some());
        known.destroyed = true;
        drop(objects);
        self.check(!twice, || format!("object {id} was destroyed twice"));
        self.check(!alive, || format!("object {id} was destroyed alive"));
    }

    pub fn gone(&self, id: Id) {
        self.objects.borrow_mut()[id as usize].gone = true;
        if !A::NATIVE {
            self.dying.set(self.dying.get() - 1);
        }
    }

    /// A watcher was called: it must be its turn.
    pub fn called(&self, watcher: usize) {
        let id = self.watched.borrow()[watcher];
        if id == Id::MAX {
            return; // by its finalizer's handle
        }
        let mut objects = self.objects.borrow_mut();
        let known = &mut objects[id as usize];
        let (dead, last) = (known.weak.is_none(), known.armed.pop());
        drop(objects);
        self.check(dead, || format!("watcher {watcher} was called while object {id} is alive"));
        self.check(last == Some(watcher), || format!("watcher {watcher} was called when it was the turn of {last:?}"));
    }

    pub fn id_at(&self, address: usize) -> Id {
        self.by_address.borrow().get(&address).copied().unwrap_or(Id::MAX)
    }

    /// What must hold when no command is under way. `held` are owners that the collections hold, by object.
    pub fn check_quiet(&self, held: impl Fn(Id) -> usize) {
        let loose = self.loose.borrow().clone();
        self.check(loose.is_empty(), || format!("objects {loose:?} have no owner, and live"));
        let objects = self.objects.borrow();
        let mut owners = vec![0; objects.len()];
        self.handles.borrow().iter().for_each(|handle| owners[handle.id as usize] += 1);
        let waits = |known: &Known<A>| known.weak.is_some() || known.deferred && !known.destroyed;
        objects
            .iter()
            .filter(|known| waits(known))
            .flat_map(|known| &known.children)
            .for_each(|&id| owners[id as usize] += 1);
        for (id, known) in objects.iter().enumerate() {
            let Some(weak) = &known.weak else {
                self.check(known.destroyed == known.gone, || format!("object {id} is half destroyed"));
                self.check(known.destroyed || known.deferred, || format!("object {id} is dead, and not destroyed"));
                self.check(known.armed.is_empty(), || format!("{:?} of object {id} were never called", known.armed));
                continue;
            };
            self.check(A::upgrade(weak).is_some(), || format!("object {id} has an owner, and is dead"));
            let owners = owners[id] + held(id as Id);
            self.check(known.owners == owners || self.setup.deferred && known.owners > owners, || {
                format!("object {id} has {} owners, and should have {owners}", known.owners)
            });
        }
    }

    /// Drops all handles, waits for what is deferred, and checks that all is gone once.
    pub fn end(&self) {
        drop(self.guard.take());
        for (watcher, id, handle) in take(&mut *self.watchers.borrow_mut()) {
            if let Handle::Observer(observer) = handle {
                self.objects.borrow_mut()[id as usize].armed.retain(|&armed| armed != watcher);
                drop(observer);
            }
        }
        let handles = take(&mut *self.handles.borrow_mut());
        drop(handles);
    }

    /// Is everything that the run made gone?
    pub fn is_over(&self) -> bool {
        let objects = self.objects.borrow();
        objects.iter().all(|known| known.gone && known.weak.is_none()) && !is_more(self.before)
    }

    /// What is left when it should not be.
    pub fn leftovers(&self) -> String {
        let objects = self.objects.borrow();
        let left: Vec<_> = objects.iter().enumerate().filter(|(_, known)| !known.gone).map(|(id, _)| id).collect();
        format!(
            "left at the end: objects {left:?}; objects, owned keys and captures {:?}, before {:?}",
            counts(),
            self.before
        )
    }
}
