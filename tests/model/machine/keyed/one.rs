//! What is done to one key.

use super::{Effect, Entry, Id, Key, Keyed, Keys, Kind, Outcome, Owner, Told, Value, Wish, id};
use crate::machine::Machine;
use crate::machine::script::{Act, Command};
use crate::machine::world::World;
use weakly::Cause;

impl<C> Keys<C> {
    /// What is done to one key.
    pub(super) fn on_one<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
    where
        C: Keyed<A>,
    {
        let Command { act, a, b, .. } = command;
        let (world, which, form) = (&machine.world, command.which(), command.form());
        let (Some(object), Some(other)) = (world.pick(a), world.pick(b)) else { return };
        let value = if C::VALUE == Value::None { object.clone() } else { other.clone() };
        let name = self.with(|r| {
            r.names.push(object.class);
            r.names.len() as Id - 1
        });
        let key = if C::TOLD == Told::Owned { name } else { object.id };
        let there = self.find(world, which, key);
        let there_value = there.map(|entry| entry.value);
        let given = Key { object: &*object, name };
        let map = self.map(which);
        let is = |what: &str, got: Option<Id>, want: Option<Id>| {
            world.check(got == want, || format!("{what}: {got:?}, not {want:?}"));
        };
        match act {
            Act::Insert => {
                self.apply(world, Effect::Put { map: which, key, value: value.id });
                let old = map.insert(form, given, &value);
                is("insert", id(&old), there_value);
            }
            Act::TryInsert => {
                self.apply(world, Effect::PutIfAbsent { map: which, key, value: value.id });
                let refused = map.try_insert(given, &value);
                world.check(refused.is_some() == there.is_some(), || "try_insert: not as it should".to_string());
                if let Some(Some(in_the_way)) = refused {
                    is("try_insert", Some(in_the_way.id), there_value);
                }
            }
            Act::GetOrInsert => {
                self.apply(world, Effect::PutIfAbsent { map: which, key, value: value.id });
                let want = there_value.unwrap_or(value.id);
                let got = map.get_or_insert(form, given, value);
                is("get_or_insert", Some(got.id), Some(want));
                self.keep(world, b, got);
            }
            Act::Load => self.load(machine, command, key, given, value),
            Act::Remove => {
                there.into_iter().for_each(|entry| self.take(entry, Cause::Removed));
                let old = map.remove(form, given);
                is("remove", id(&old), there_value);
                old.into_iter().for_each(|old| self.keep(world, b, old));
            }
            Act::RemoveEntry => {
                there.into_iter().for_each(|entry| self.take(entry, Cause::Removed));
                let old = map.remove_entry(given);
                is("remove_entry, key", old.as_ref().map(|(key, _)| *key), there.map(|entry| entry.key));
                is("remove_entry, value", old.as_ref().map(|(_, value)| value.id), there_value);
            }
            Act::RemoveExact => {
                let exact = |e: &Entry| if C::VALUE == Value::Weak { e.value == value.id } else { e.key == object.id };
                let exact = there.filter(exact);
                exact.into_iter().for_each(|entry| self.take(entry, Cause::Removed));
                let removed = map.remove_exact(given, &value);
                world.check(removed == exact.is_some(), || format!("remove_exact: {removed}, of {there:?}"));
            }
            Act::RemoveIf => {
                let frame = self.begin();
                let (mut seen, mut then) = (0, 0);
                let removed = map.remove_if(given, &mut |k, v| {
                    let entry = self.shown(machine, frame, which, key, Some((k, v)));
                    seen += 1;
                    if seen == 1 {
                        machine.user_code();
                    }
                    let wanted = b % 2 == 0;
                    let effect = entry.map_or(Effect::Nothing, |entry| Effect::Remove { serial: entry.serial });
                    self.due(frame, if wanted { effect } else { Effect::Nothing });
                    then = self.now();
                    wanted
                });
                let old = self.finish(world);
                is("remove_if", id(&removed), old.map(|old| old.value));
                self.looked(world, which, key, b % 2 == 0 && seen > 0 && removed.is_none() && then == self.now());
            }
            Act::Compute => self.compute(machine, command, key, given, &value),
            Act::Update => {
                let frame = self.begin();
                let (mut seen, mut then) = (0, 0);
                let updated = map.update(given, &mut |v| {
                    let current = self.find(world, which, key).map_or(key, |entry| entry.key);
                    let entry = self.shown(machine, frame, which, key, Some((current, v)));
                    seen += 1;
                    if seen == 1 {
                        machine.user_code();
                    }
                    let update = |entry: Entry| Effect::Update { serial: entry.serial, value: value.id };
                    self.due(frame, entry.map_or(Effect::Nothing, update));
                    then = self.now();
                    value.clone()
                });
                let old = self.finish(world);
                world.check(updated == old.is_some(), || format!("update: {updated}, of {old:?}"));
                self.looked(world, which, key, seen > 0 && !updated && then == self.now());
            }
            _ => unreachable!("{act:?} is done elsewhere"),
        }
        machine.settle();
        let there = self.find(world, which, key);
        let there_value = there.map(|entry| entry.value);
        let got = map.get(form, given);
        is("get", id(&got), there_value);
        world.check(map.contains(form, given) == there.is_some(), || "contains: not as it should".to_string());
        is("get_key", map.get_key(given), there.map(|entry| entry.key));
    }

    /// Keeps what came out of a collection, now and then.
    fn keep<A: Kind>(&self, world: &World<A>, n: u8, owner: Owner<A>) {
        if n % 4 == 3 {
            world.keep(owner);
        }
    }

    /// An operation that wanted what it saw, and did nothing, and nothing has changed since: then nothing must be there.
    fn looked<A: Kind>(&self, world: &World<A>, which: usize, key: Id, idle: bool)
    where
        C: Keyed<A>,
    {
        let there = self.find(world, which, key);
        world.check(!idle || there.is_none(), || format!("{there:?} was not looked at"));
    }

    /// A closure is shown what is there: its entry. What it answered the last time was not done.
    fn shown<A: Kind>(
        &self,
        machine: &Machine<A, Self>,
        frame: usize,
        which: usize,
        key: Id,
        shown: Option<(Id, Id)>,
    ) -> Option<Entry>
    where
        C: Keyed<A>,
    {
        self.with(|r| r.frames[frame].due = None);
        machine.settle();
        let entry = self.find(&machine.world, which, key);
        let there = entry.map(|entry| (entry.key, entry.value));
        machine.world.check(there == shown, || format!("a closure is shown {shown:?}, not {there:?}"));
        entry
    }

    fn compute<A: Kind>(
        &self,
        machine: &Machine<A, Self>,
        command: Command,
        key: Id,
        given: Key<'_, A>,
        value: &Owner<A>,
    ) where
        C: Keyed<A>,
    {
        let (world, which) = (&machine.world, command.which());
        let frame = self.begin();
        let (mut seen, mut shown, mut done) = (0, None, Effect::Nothing);
        let outcome = self.map(which).compute(given, &mut |v| {
            let current = self.find(world, which, key).map(|entry| entry.key);
            let entry = self.shown(machine, frame, which, key, v.map(|v| (current.unwrap_or(key), v)));
            shown = v;
            seen += 1;
            if seen == 1 {
                machine.user_code();
            }
            let (effect, wish) = match command.form() % 4 {
                0 => (Effect::Nothing, Wish::Keep),
                1 => (entry.map_or(Effect::Nothing, |entry| Effect::Remove { serial: entry.serial }), Wish::Remove),
                _ => (Effect::Put { map: which, key, value: value.id }, Wish::Insert(value.clone())),
            };
            done = effect;
            self.due(frame, effect);
            wish
        });
        let old = self.finish(world).map(|old| old.value);
        let (got, want) = match (&outcome, done) {
            (Outcome::Kept(there), Effect::Nothing) => (id(there), shown),
            (Outcome::Inserted(there, new), Effect::Put { value, .. }) if new.id == value => (id(there), old),
            (Outcome::Removed(there), Effect::Remove { .. }) => (Some(there.id), old),
            _ => (None, Some(Id::MAX)),
        };
        world.check(got == want, || format!("compute: {got:?}, not {want:?}, for {done:?}"));
    }

    fn load<A: Kind>(&self, machine: &Machine<A, Self>, command: Command, key: Id, given: Key<'_, A>, value: Owner<A>)
    where
        C: Keyed<A>,
    {
        let (world, which) = (&machine.world, command.which());
        let there = self.find(world, which, key);
        let flight = (which, self.same_as(world, key));
        if self.loading.borrow().contains(&flight) {
            return; // it would wait for itself, and says so
        }
        self.loading.borrow_mut().push(flight);
        let frame = self.begin();
        let (mut calls, mut fails) = (0, false);
        let fail = command.b % 8 == 1 && C::has(Act::Remove); // an interner's loader can't
        let new = value.id;
        let mut value = Some(value);
        let loaded = self.map(which).load(given, &mut || {
            calls += 1;
            machine.user_code();
            fails = fail;
            if fail {
                return None;
            }
            self.due(frame, Effect::PutIfAbsent { map: which, key, value: new });
            value.take()
        });
        let old = self.finish(world);
        self.loading.borrow_mut().retain(|&loading| loading != flight);
        world.check(calls == usize::from(there.is_none()), || format!("load: {calls} calls, of {there:?}"));
        let want = match there {
            Some(there) => Some(there.value),
            None if fails => None,
            None => Some(old.map_or(new, |old| old.value)),
        };
        world.check(id(&loaded) == want, || format!("load: {:?}, not {want:?}", id(&loaded)));
    }
}
