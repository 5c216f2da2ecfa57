//! The machine of [`WeakList`]: one list, and the vector of what should be in it.

use super::objects::{Id, Kind, Owner};
use super::script::{Act, Command};
use super::world::World;
use super::{Machine, Subject};
use std::cell::RefCell;
use std::rc::Rc;
use weakly::generic::WeakList;

/// An element that should be there: which push it was, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    serial: usize,
    id: Id,
}

#[derive(Default)]
struct Reference {
    elements: Vec<Element>,
    pushed: usize,
    /// Elements that a `retain` under way has refused, until they are known to be out.
    refused: Vec<usize>,
}

/// See the module.
pub struct List<A: Kind> {
    list: RefCell<Rc<WeakList<A>>>,
    reference: RefCell<Reference>,
}

impl<A: Kind> List<A> {
    fn elements(&self) -> Vec<Element> {
        self.reference.borrow().elements.clone()
    }

    fn push(&self, id: Id) {
        let mut reference = self.reference.borrow_mut();
        reference.pushed += 1;
        let serial = reference.pushed;
        reference.elements.push(Element { serial, id });
    }

    fn take(&self, gone: impl Fn(&Element) -> bool) {
        self.reference.borrow_mut().elements.retain(|element| !gone(element));
    }

    /// Walks while user code changes things: in order, each element that stays once, nothing that was not there.
    fn walk(&self, machine: &Machine<A, Self>, command: Command) {
        let (list, at_first, mut seen) = (self.list.borrow().clone(), self.elements(), Vec::new());
        let limit = if command.a.is_multiple_of(4) { usize::from(command.b) % 8 } else { usize::MAX };
        let mut look = |id: Id| {
            machine.settle();
            seen.push(id);
            machine.user_code();
            seen.len() < limit
        };
        let (mut shows_new, mut whole) = (false, true);
        match command.form() % 5 {
            0 => whole = list.iter().all(|object| look(object.id)),
            1 => {
                shows_new = true;
                whole = list.pin().iter().all(|object| look(object.id));
            }
            2 => list.for_each(|object| _ = look(object.id)),
            3 => list.snapshot().iter().for_each(|object| _ = look(object.id)),
            _ => whole = list.weak_iter().all(|weak| A::upgrade(&weak).is_none_or(|object| look(object.id))),
        }
        machine.settle();
        let (now, world) = (self.elements(), &machine.world);
        let mut may = at_first.clone();
        if shows_new {
            may.extend(now.iter().filter(|element| !at_first.contains(element)));
        }
        world.check(shows_new || is_part(&seen, &may), || format!("a walk shows {seen:?}, of {at_first:?}"));
        let must: Vec<Id> = at_first.iter().filter(|element| now.contains(element)).map(|element| element.id).collect();
        let seen: Vec<Element> = seen.iter().map(|&id| Element { serial: 0, id }).collect();
        world.check(!whole || is_part(&must, &seen), || format!("a walk shows {seen:?}, and not all of {must:?}"));
    }

    fn retain(&self, machine: &Machine<A, Self>, command: Command) {
        let (at_first, mut last, mut changed) = (self.elements(), 0, false);
        let before = self.reference.borrow().pushed;
        // The next one that is still there: the walk itself may have had an object's last owner until now.
        let behind =
            |last| self.elements().into_iter().find(|element| element.serial > last && at_first.contains(element));
        self.list.borrow().clone().retain(|object| {
            machine.settle();
            if changed {
                return true; // what is shown now may be of before the change
            }
            let element = behind(last);
            last = element.map_or(last, |element| element.serial);
            let right = element.is_some_and(|element| element.id == object.id);
            machine.world.check(right, || format!("retain shows {}, not {element:?}", object.id));
            let was = self.elements();
            machine.user_code();
            changed = was != self.elements() || before != self.reference.borrow().pushed;
            let keep = (object.id ^ Id::from(command.a)) % 3 != 0;
            if !keep {
                self.reference.borrow_mut().refused.extend(element.map(|element| element.serial));
            }
            keep
        });
        machine.settle();
        let unseen = behind(last);
        machine.world.check(changed || unseen.is_none(), || format!("retain does not show {unseen:?}"));
    }
}

/// Are these the ids of some of those elements, in their order?
fn is_part(ids: &[Id], of: &[Element]) -> bool {
    let mut rest = of.iter();
    ids.iter().all(|id| rest.any(|element| element.id == *id))
}

impl<A: Kind> Subject<A> for List<A> {
    fn new(_: &World<A>) -> Self {
        List { list: RefCell::default(), reference: RefCell::default() }
    }

    fn act(&self, machine: &Machine<A, Self>, command: Command) {
        let world = &machine.world;
        let (Some(one), Some(other)) = (world.pick(command.a), world.pick(command.b)) else { return };
        let list = self.list.borrow().clone();
        let elements = self.elements();
        let first = elements.iter().find(|element| element.id == one.id).copied();
        let pinned = command.form() & 1 == 1;
        match command.act {
            Act::Insert | Act::TryInsert | Act::GetOrInsert => {
                self.push(other.id);
                if pinned { list.pin().push(&other) } else { list.push(&other) }
            }
            Act::Remove | Act::RemoveExact => {
                self.take(|element| Some(*element) == first);
                let removed = match command.act {
                    Act::Remove if pinned => list.pin().remove(&one),
                    Act::Remove => list.remove(&one),
                    _ => list.remove_exact(&A::downgrade(&one)),
                };
                world.check(removed == first.is_some(), || format!("remove: {removed}, of {first:?}"));
            }
            Act::Pop => {
                let last = elements.last().copied();
                self.take(|element| Some(*element) == last);
                let popped = list.pop().map(Owner::adopt);
                let (got, want) = (popped.map(|popped| popped.id), last.map(|last| last.id));
                world.check(got == want, || format!("pop: {got:?}, not {want:?}"));
            }
            Act::Clear | Act::Drain => {
                self.take(|_| true);
                list.clear();
            }
            Act::Retain | Act::Extract => self.retain(machine, command),
            Act::Walk => self.walk(machine, command),
            Act::Join if elements.len() < 200 => machine.alone(|| {
                elements.iter().for_each(|element| self.push(element.id));
                let copy = WeakList::clone(&list);
                list.extend(&copy);
            }),
            Act::Dismantle if machine.depth.get() == 1 => {
                self.take(|_| true);
                drop(list);
                let old = Rc::try_unwrap(self.list.take()).unwrap_or_else(|_| unreachable!("nobody is at work on it"));
                let all: Vec<Id> = old.into_iter().map(|object| object.id).collect();
                let want: Vec<Id> = elements.iter().map(|element| element.id).collect();
                world.check(all == want, || format!("into_iter: {all:?}, not {want:?}"));
            }
            _ => {}
        }
        let list = self.list.borrow().clone();
        let there = self.elements().iter().any(|element| element.id == one.id);
        world.check(list.contains(&one) == there, || format!("contains: {}, not {there}", one.id));
    }

    fn catch_up(&self, _: &World<A>) {
        let refused = std::mem::take(&mut self.reference.borrow_mut().refused);
        self.take(|element| refused.contains(&element.serial));
    }

    fn died(&self, _: &World<A>, id: Id) {
        self.take(|element| element.id == id);
    }

    fn held(&self, _: Id) -> usize {
        0
    }

    fn check(&self, world: &World<A>, _: bool) {
        let list = self.list.borrow().clone();
        let want: Vec<Id> = self.elements().iter().map(|element| element.id).collect();
        let got: Vec<Id> = list.iter().map(|object| object.id).collect();
        world.check(got == want, || format!("the list has {got:?}, not {want:?}"));
        world.check(list.len() == want.len(), || {
            format!("the list says that it has {}, not {}", list.len(), want.len())
        });
        world.validate(|| list.validate());
    }

    fn end(&self, _: &World<A>) {
        self.take(|_| true);
        drop(self.list.take());
    }
}
