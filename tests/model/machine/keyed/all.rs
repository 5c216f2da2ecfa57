//! What is done to all entries of a collection, and to collections as wholes.

use super::{Effect, Entry, Id, Keyed, Keys, Kind, Owner, Past, Subscription, Told, Value, read};
use crate::machine::Machine;
use crate::machine::script::{Act, Command};
use crate::machine::world::World;
use std::mem::take;
use std::rc::Rc;
use weakly::Cause;

impl<C> Keys<C> {
    /// Owners of everything that is in.
    fn hold_all<A: Kind>(&self, world: &World<A>) -> Vec<Owner<A>>
    where
        C: Keyed<A>,
    {
        let entries = self.with(|r| r.entries.clone());
        let objects = entries.into_iter().flat_map(|e| [Some(e.key).filter(|_| C::TOLD != Told::Owned), Some(e.value)]);
        objects.flatten().filter_map(|id| world.hold(id)).collect()
    }

    /// What is done to all entries.
    pub(super) fn on_all<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
    where
        C: Keyed<A>,
    {
        let Command { act, a, b, .. } = command;
        let (world, which) = (&machine.world, command.which());
        let map = self.map(which);
        match act {
            // To a guest's entry between its death and its anchor's drop this is `Cleared`.
            Act::Clear if !world.is_settled() => {}
            Act::Clear => {
                let all: Vec<Entry> = self.with(|r| r.entries.iter().filter(|e| e.map == which).copied().collect());
                all.into_iter().for_each(|entry| self.take(entry, Cause::Cleared));
                map.clear();
            }
            Act::Reserve => map.reserve(usize::from(a)),
            Act::Shrink => map.shrink_to(if b % 2 == 0 { 0 } else { a.into() }),
            Act::Walk => self.walk(machine, command),
            Act::Retain | Act::Extract => {
                let (frame, since) = (self.begin(), self.now());
                let mut changed = false;
                let mut wanted = |key: Id, value: Id| {
                    self.catch_up(world);
                    machine.settle();
                    let there = self.was_there(which, key, value, since);
                    world.check(there, || format!("a closure is shown ({key}, {value}), which was not there"));
                    let is = |e: &Entry| e.map == which && e.key == key && e.value == value;
                    let entry = self.with(|r| r.entries.iter().copied().find(is));
                    if changed {
                        return false; // what is shown now may be of before the change
                    }
                    let before = self.now();
                    machine.user_code();
                    changed = before != self.now();
                    let wanted = (value ^ Id::from(a)).is_multiple_of(3);
                    let effect = entry.map_or(Effect::Nothing, |entry| Effect::Remove { serial: entry.serial });
                    self.due(frame, if wanted { effect } else { Effect::Nothing });
                    wanted
                };
                if act == Act::Retain {
                    map.retain(&mut |key, value| !wanted(key, value));
                } else {
                    let n = if b % 2 == 0 { usize::MAX } else { usize::from(b) % 4 };
                    map.extract(n, &mut wanted, &mut |key, value| {
                        world.check(C::VALUE != Value::None || key == value.id, || "extract: odd".to_string());
                    });
                }
                self.finish(world);
            }
            // What is taken can't be foreseen, so nothing may die meanwhile.
            Act::Drain | Act::Pop if machine.depth.get() > 1 => {}
            Act::Drain | Act::Pop => machine.alone(|| {
                let _held = self.hold_all(world);
                self.taking.set(Some(which));
                let before = self.with(|r| r.entries.iter().filter(|e| e.map == which).count());
                let mut taken = Vec::new();
                let mut each = |key: Id, value: Owner<A>| {
                    let entry = self.with(|r| r.entries.iter().copied().find(|e| e.map == which && e.key == key));
                    entry.into_iter().for_each(|entry| self.take(entry, Cause::Removed));
                    world.check(self.was_there(which, key, value.id, 0), || format!("took ({key}, {})", value.id));
                    taken.push(value);
                };
                if act == Act::Drain {
                    map.drain(&mut each);
                } else {
                    map.pop().into_iter().for_each(|(key, value)| each(key, value));
                }
                let want = if act == Act::Drain { before } else { before.min(1) };
                world.check(taken.len() == want, || format!("{act:?} took {} of {before}", taken.len()));
                self.taking.set(None);
            }),
            _ => unreachable!("{act:?} is done elsewhere"),
        }
    }

    /// Walks while user code changes things: no key twice, every key that stays once, nothing that never was.
    fn walk<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
    where
        C: Keyed<A>,
    {
        let (world, which) = (&machine.world, command.which());
        let since = self.now();
        let at_first: Vec<Entry> = self.with(|r| r.entries.iter().filter(|e| e.map == which).copied().collect());
        let mut seen = Vec::new();
        let limit = if command.a.is_multiple_of(4) { usize::from(command.b) % 8 } else { usize::MAX };
        self.map(which).walk(command.form(), &mut |key, value| {
            machine.settle();
            world.check(self.was_there(which, key, value, since), || format!("a walk shows ({key}, {value})"));
            seen.push(self.same_as(world, key));
            machine.user_code();
            seen.len() < limit
        });
        machine.settle();
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        world.check(once.len() == seen.len(), || format!("a walk shows a key twice: {seen:?}"));
        let stayed = |entry: &Entry| {
            let same = self.same_as(world, entry.key);
            let past: Vec<Id> = self.with(|r| {
                let left = |past: &&Past| past.entry.map == which && past.gone > since && !past.replaced;
                r.past.iter().filter(left).map(|past| past.entry.key).collect()
            });
            past.into_iter().all(|key| self.same_as(world, key) != same)
        };
        for entry in at_first.iter().filter(|entry| seen.len() < limit && stayed(entry)) {
            let same = self.same_as(world, entry.key);
            world.check(seen.contains(&same), || format!("a walk missed {entry:?}"));
        }
    }

    pub(super) fn on_subscription<A: Kind>(&self, world: &World<A>, command: Command)
    where
        C: Keyed<A>,
    {
        let map = command.which();
        if command.act == Act::Subscribe && self.subscriptions.borrow().len() < 3 {
            let mailbox = self.map(map).subscribe();
            self.subscriptions.borrow_mut().push(Subscription { map, mailbox, due: Vec::new() });
        } else if command.act == Act::Removals {
            let Some(at) = usize::from(command.a).checked_rem(self.subscriptions.borrow().len()) else { return };
            let subscription = self.subscriptions.borrow_mut().swap_remove(at);
            let read = read(world, subscription);
            if command.b.is_multiple_of(2) {
                self.subscriptions.borrow_mut().push(read);
            }
        }
    }

    /// What is done to a collection as a whole, and to both.
    pub(super) fn on_both<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
    where
        C: Keyed<A>,
    {
        let (world, which) = (&machine.world, command.which());
        let of =
            |map: usize| -> Vec<Entry> { self.with(|r| r.entries.iter().filter(|e| e.map == map).copied().collect()) };
        match command.act {
            Act::Compare => {
                let (left, right) = (of(which), of(1 - which));
                let held = |entry: &Entry| self.find(world, 1 - which, entry.key);
                let domain = left.iter().all(|entry| held(entry).is_some());
                let same_values = C::VALUE == Value::None
                    || left
                        .iter()
                        .all(|e| held(e).is_some_and(|other| world.class_of(other.value) == world.class_of(e.value)));
                let equal = domain && same_values && left.len() == right.len();
                let said = self.map(which).compare(&self.map(1 - which));
                world.check(said == (equal, domain), || format!("compare: {said:?}, not {:?}", (equal, domain)));
            }
            Act::Join => machine.alone(|| {
                // Nothing dies meanwhile, for the order in which entries go over is the crate's.
                let held = self.hold_all(world);
                for entry in of(1 - which) {
                    let (map, key, value) = (which, entry.key, entry.value);
                    let put = Effect::Put { map, key, value };
                    self.apply(
                        world,
                        if C::VALUE == Value::None { Effect::PutIfAbsent { map, key, value } } else { put },
                    );
                }
                self.map(which).join(&self.map(1 - which));
                drop(held);
            }),
            Act::Dismantle => {
                let new = Rc::new(C::build(&world.setup, which));
                let old = std::mem::replace(&mut self.maps.borrow_mut()[which], new);
                let entries = of(which);
                entries.iter().for_each(|&entry| self.take(entry, Cause::Cleared));
                let (ended, go_on): (Vec<_>, Vec<_>) =
                    take(&mut *self.subscriptions.borrow_mut()).into_iter().partition(|s| s.map == which);
                self.subscriptions.replace(go_on);
                self.with(|r| (r.inserted[which], r.left[which]) = (0, [0; 4]));
                let old = Rc::try_unwrap(old).unwrap_or_else(|_| unreachable!("no operation is under way"));
                if command.a.is_multiple_of(2) {
                    let all = old.dismantle();
                    let mut there: Vec<_> = all.iter().map(|(key, value)| (*key, value.id)).collect();
                    let mut want: Vec<_> = entries.iter().map(|entry| (entry.key, entry.value)).collect();
                    there.sort_unstable();
                    want.sort_unstable();
                    world.check(there == want, || format!("into_iter: {there:?}, not {want:?}"));
                } else {
                    drop(old);
                }
                ended.into_iter().for_each(|ended| drop(read(world, ended)));
            }
            act => unreachable!("{act:?} is done elsewhere"),
        }
    }
}
