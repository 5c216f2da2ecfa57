//! The machine of [`AtomicArc`] and [`AtomicWeak`]: one of each, and what should be in them.

use super::objects::{Id, Object, Owner};
use super::script::{Act, Command};
use super::world::World;
use super::{Machine, Subject};
use std::cell::Cell;
use weakly::Arc;
use weakly::atomic::{AtomicArc, AtomicWeak, CompareExchangeError};

type Native = Arc<Object>;

/// See the module.
pub struct Slots {
    arc: AtomicArc<Object>,
    weak: AtomicWeak<Object>,
    /// What the strong one holds.
    in_arc: Cell<Option<Id>>,
    /// What was put into the weak one, which may have died since.
    in_weak: Cell<Option<Id>>,
}

fn id(owner: &Option<Owner<Native>>) -> Option<Id> {
    owner.as_ref().map(|owner| owner.id)
}

impl Slots {
    /// The strong slot is to hold this instead: its owner changes before the slot does.
    fn exchange(&self, world: &World<Native>, new: Option<Id>) -> Option<Id> {
        new.into_iter().for_each(|new| world.took(new));
        let old = self.in_arc.replace(new);
        old.into_iter().for_each(|old| world.let_go(old));
        old
    }

    /// What the weak slot upgrades to.
    fn alive(&self, world: &World<Native>) -> Option<Id> {
        self.in_weak.get().filter(|&id| world.is_alive(id))
    }

    fn on_strong(&self, machine: &Machine<Native, Self>, command: Command, one: Owner<Native>, other: Owner<Native>) {
        let world = &machine.world;
        let was = self.in_arc.get();
        let new = (command.form() & 1 == 0).then_some(other);
        let is = |what: &str, got: Option<Id>, want: Option<Id>| {
            world.check(got == want, || format!("{what}: {got:?}, not {want:?}"));
        };
        match command.act {
            Act::Insert => {
                let new = new.map(|new| (new.id, new.give()));
                self.exchange(world, new.as_ref().map(|new| new.0));
                self.arc.store(new.map(|new| new.1));
            }
            Act::Update | Act::Remove => {
                let new = new.filter(|_| command.act == Act::Update).map(|new| (new.id, new.give()));
                self.exchange(world, new.as_ref().map(|new| new.0));
                let old = self.arc.swap(new.map(|new| new.1)).map(Owner::adopt);
                is("swap", id(&old), was);
            }
            Act::TryInsert | Act::RemoveExact => {
                let current = (command.form() & 2 == 0).then_some(one);
                let done = id(&current) == was;
                let (name, new) = (id(&new), new.map(Owner::give));
                if done {
                    self.exchange(world, name);
                }
                match self.arc.compare_exchange(current.as_deref(), new) {
                    Ok(old) => {
                        is("compare_exchange", id(&old.map(Owner::adopt)), if done { was } else { Some(Id::MAX) });
                    }
                    Err(CompareExchangeError { current, new, .. }) => {
                        is(
                            "compare_exchange, current",
                            id(&current.map(Owner::adopt)),
                            if done { Some(Id::MAX) } else { was },
                        );
                        is("compare_exchange, new", id(&new.map(Owner::adopt)), name);
                    }
                }
            }
            Act::GetOrInsert | Act::Load => {
                let mut calls = 0;
                let got = Owner::adopt(self.arc.get_or_init_with(|| {
                    calls += 1;
                    machine.user_code();
                    if self.in_arc.get().is_none() {
                        self.exchange(world, Some(one.id));
                    }
                    one.clone().give()
                }));
                world.check(calls == usize::from(was.is_none()), || format!("get_or_init_with: {calls} calls"));
                if calls == 0 {
                    is("get_or_init_with", Some(got.id), was);
                }
            }
            Act::Compute => {
                let mut nested = false;
                let mut shown = None;
                let old = self.arc.fetch_update(|there| {
                    shown = there.map(|there| there.id);
                    if !std::mem::replace(&mut nested, true) {
                        // Later it may show what was there before a destructor ran, and look again.
                        is("fetch_update shows", shown, self.in_arc.get());
                        machine.user_code();
                    }
                    let new = new.clone().filter(|_| !command.b.is_multiple_of(4))?;
                    // The exchange will succeed, unless user code has changed the slot.
                    if shown == self.in_arc.get() {
                        self.exchange(world, Some(new.id));
                    }
                    Some(Some(new.give()))
                });
                let (Ok(old) | Err(old)) = old.map(|old| old.map(Owner::adopt)).map_err(|old| old.map(Owner::adopt));
                is("fetch_update", id(&old), shown);
            }
            Act::Walk => {
                let guard = weakly::pin();
                let snapshot = self.arc.read(&guard);
                is("read", snapshot.as_ref().map(|there| there.id), was);
                machine.user_code();
                let class = snapshot.as_ref().map(|there| there.class);
                world.check(class == was.map(|was| world.class_of(was)), || "a snapshot has changed".to_string());
                let arc = snapshot.as_ref().and_then(|there| there.to_arc()).map(Owner::adopt);
                world.check(arc.is_none_or(|arc| Some(arc.id) == was), || "to_arc: another object".to_string());
            }
            _ => {}
        }
    }

    fn on_weak(&self, machine: &Machine<Native, Self>, command: Command, one: Owner<Native>, other: &Owner<Native>) {
        let world = &machine.world;
        let (was, alive) = (self.in_weak.get(), self.alive(world));
        let new = if command.form() & 1 == 0 { Arc::downgrade(other) } else { weakly::Weak::new() };
        let new_id = (command.form() & 1 == 0).then_some(other.id);
        match command.act {
            Act::Insert => {
                self.in_weak.set(new_id);
                self.weak.store(new);
            }
            Act::Remove | Act::Update => {
                self.in_weak.set(new_id.filter(|_| command.act == Act::Update));
                let old = if command.act == Act::Update { self.weak.swap(new) } else { self.weak.take() };
                // Asked now: a write ends with destructors that were due, and one may have had the object's last owner.
                let is_alive = was.is_some_and(|id| world.is_alive(id));
                world.check(old.is_alive() == is_alive, || format!("swap, of {was:?}"));
            }
            Act::GetOrInsert | Act::Load => {
                let mut calls = 0;
                let got = Owner::adopt(self.weak.get_or_init_with(|| {
                    calls += 1;
                    machine.user_code();
                    if self.alive(world).is_none() {
                        self.in_weak.set(Some(one.id));
                    }
                    one.clone().give()
                }));
                world.check(calls == usize::from(alive.is_none()), || format!("get_or_init_with: {calls} calls"));
                world.check(calls > 0 || Some(got.id) == alive, || format!("get_or_init_with: {}", got.id));
            }
            Act::Compute => {
                let mut nested = false;
                let _ = self.weak.fetch_update(|there| {
                    let shown = self.in_weak.get();
                    let alive = self.alive(world);
                    world.check(there.is_alive() == alive.is_some(), || format!("fetch_update shows not {alive:?}"));
                    if !std::mem::replace(&mut nested, true) {
                        machine.user_code();
                    }
                    if shown == self.in_weak.get() {
                        self.in_weak.set(new_id);
                    }
                    Some(new.clone())
                });
            }
            Act::Walk => {
                let guard = weakly::pin();
                let snapshot = self.weak.read(&guard);
                let got = snapshot.as_ref().map(|there| there.id);
                world.check(got == alive, || format!("read: {got:?}, not {alive:?}"));
                machine.user_code();
                let class = snapshot.as_ref().map(|there| there.class);
                world.check(class == alive.map(|id| world.class_of(id)), || "a snapshot has changed".to_string());
            }
            _ => {}
        }
    }
}

impl Subject<Native> for Slots {
    fn new(_: &World<Native>) -> Self {
        Slots { arc: AtomicArc::empty(), weak: AtomicWeak::empty(), in_arc: Cell::default(), in_weak: Cell::default() }
    }

    fn act(&self, machine: &Machine<Native, Self>, command: Command) {
        let world = &machine.world;
        let (Some(one), Some(other)) = (world.pick(command.a), world.pick(command.b)) else { return };
        if command.which() == 0 {
            self.on_strong(machine, command, one, other);
        } else {
            self.on_weak(machine, command, one, &other);
        }
    }

    fn died(&self, _: &World<Native>, _: Id) {}

    fn held(&self, id: Id) -> usize {
        usize::from(self.in_arc.get() == Some(id))
    }

    fn check(&self, world: &World<Native>, _: bool) {
        let (strong, weak) = (self.arc.load().map(Owner::adopt), self.weak.upgrade().map(Owner::adopt));
        world.check(id(&strong) == self.in_arc.get(), || {
            format!("there is {:?}, not {:?}", id(&strong), self.in_arc.get())
        });
        let alive = self.alive(world);
        world.check(id(&weak) == alive, || format!("there is {:?}, not {alive:?}", id(&weak)));
        world.check(self.weak.load().is_alive() == alive.is_some(), || "load: not as it should".to_string());
    }

    fn end(&self, world: &World<Native>) {
        self.exchange(world, None);
        self.arc.store(None);
        self.weak.store(weakly::Weak::new());
    }
}
