//! The machine of maps, sets and interners: two collections of one kind, and the list of entries that should be in them.
//!
//! An operation that calls no closure is done in the reference first: whatever user code it then runs (listeners, destructors)
//! comes after its effect. One that calls a closure leaves its effect with the closure's answer, to be caught up with when the
//! crate next calls user code, or returns; unless it calls the closure again, because user code has changed the key meanwhile.

use super::script::{Act, Command, Setup};
use super::world::{Id, Kind, Owner, World};
use super::{Machine, Subject};
use std::cell::{Cell, RefCell};
use std::mem::take;
use std::rc::Rc;
use weakly::{Cause, Stats};

/// How keys are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// By class; the collection owns them.
    Owned,
    /// By class; objects.
    ByEq,
    /// Objects, each another key.
    ByAddress,
}

/// What an entry's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Weak,
    Owned,
    /// The key.
    None,
}

/// A key that is given to a collection: an object; for one that owns its keys, a name of the object's class.
pub struct Key<'a, A> {
    pub object: &'a A,
    pub name: Id,
}

impl<A> Clone for Key<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Key<'_, A> {}

/// What a `compute` or `update` closure wants.
pub enum Wish<A: Kind> {
    Keep,
    Remove,
    Insert(Owner<A>),
}

/// What a `compute` did.
pub enum Outcome<A: Kind> {
    Kept(Option<Owner<A>>),
    Inserted(Option<Owner<A>>, Owner<A>),
    Removed(Owner<A>),
}

/// What a subscription has, once each.
pub type Mailbox = Box<dyn Fn() -> Option<(Id, Cause)>>;

/// Methods that not every collection has.
macro_rules! lacking {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $Arg:ty),*) $(-> $Out:ty)?;)*) => { $(
        $(#[$doc])*
        #[allow(unused_variables, reason = "for those who have it")]
        fn $name(&self, $($arg: $Arg),*) $(-> $Out)? {
            unreachable!(concat!("it lacks ", stringify!($name)))
        }
    )* };
}

/// One face for all keyed collections. `form` picks among ways to say the same.
pub trait Keyed<A: Kind>: Sized + 'static {
    const TOLD: Told;
    const VALUE: Value;

    /// What it has no act for is never called.
    fn has(act: Act) -> bool;
    /// The first of two, which has a listener, or the other.
    fn build(setup: &Setup, which: usize) -> Self;

    fn len(&self) -> usize;
    fn stats(&self) -> Stats;
    fn validate(&self);
    fn get(&self, form: u8, key: Key<'_, A>) -> Option<Owner<A>>;
    fn contains(&self, form: u8, key: Key<'_, A>) -> bool;
    /// Which key is there.
    fn get_key(&self, key: Key<'_, A>) -> Option<Id>;
    fn get_or_insert(&self, form: u8, key: Key<'_, A>, value: Owner<A>) -> Owner<A>;
    fn load(&self, key: Key<'_, A>, load: &mut dyn FnMut() -> Option<Owner<A>>) -> Option<Owner<A>>;
    fn shrink_to(&self, n: usize);
    /// Calls `each` for every entry, until it says no.
    fn walk(&self, form: u8, each: &mut dyn FnMut(Id, Id) -> bool);

    lacking! {
        reserve(n: usize);
        clear();
        insert(form: u8, key: Key<'_, A>, value: &A) -> Option<Owner<A>>;
        /// `Some`: something was in the way; and what, if that is told.
        try_insert(key: Key<'_, A>, value: &A) -> Option<Option<Owner<A>>>;
        remove(form: u8, key: Key<'_, A>) -> Option<Owner<A>>;
        remove_if(key: Key<'_, A>, wanted: &mut dyn FnMut(Id, Id) -> bool) -> Option<Owner<A>>;
        remove_exact(key: Key<'_, A>, value: &A) -> bool;
        remove_entry(key: Key<'_, A>) -> Option<(Id, Owner<A>)>;
        compute(key: Key<'_, A>, f: &mut dyn FnMut(Option<Id>) -> Wish<A>) -> Outcome<A>;
        update(key: Key<'_, A>, f: &mut dyn FnMut(Id) -> Owner<A>) -> bool;
        retain(keep: &mut dyn FnMut(Id, Id) -> bool);
        extract(n: usize, wanted: &mut dyn FnMut(Id, Id) -> bool, each: &mut dyn FnMut(Id, Owner<A>));
        drain(each: &mut dyn FnMut(Id, Owner<A>));
        pop() -> Option<(Id, Owner<A>)>;
        subscribe() -> Mailbox;
        join(other: &Self);
        /// Equal, and every key of this one in the other.
        compare(other: &Self) -> (bool, bool);
    }

    /// Everything that is in it, by `into_iter`.
    fn dismantle(self) -> Vec<(Id, Owner<A>)> {
        unreachable!("it lacks dismantle")
    }
}

/// An entry that should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    serial: usize,
    map: usize,
    key: Id,
    value: Id,
}

/// An entry that was.
struct Past {
    entry: Entry,
    gone: usize,
    replaced: bool,
}

/// What an operation does to the reference.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Put {
        map: usize,
        key: Id,
        value: Id,
    },
    PutIfAbsent {
        map: usize,
        key: Id,
        value: Id,
    },
    /// Replaces the value, if the entry is still there.
    Update {
        serial: usize,
        value: Id,
    },
    Remove {
        serial: usize,
    },
    Nothing,
}

/// An operation that calls a closure: the effect that is due, and what the last one was done to.
#[derive(Default)]
struct Frame {
    due: Option<Effect>,
    /// What was there when it was done.
    old: Option<Entry>,
}

/// A subscription and what it should hold.
struct Subscription {
    map: usize,
    mailbox: Mailbox,
    due: Vec<(Id, Cause)>,
}

#[derive(Default)]
struct Reference {
    entries: Vec<Entry>,
    past: Vec<Past>,
    /// Counts changes.
    clock: usize,
    /// Entries that ever came, by collection since it was made.
    inserted: [u64; 2],
    /// And left, by cause.
    left: [[u64; 4]; 2],
    /// What the first collection's listener is to be told.
    owed: Vec<(Id, Cause)>,
    frames: Vec<Frame>,
    /// Classes of owned keys.
    names: Vec<u8>,
}

/// See the module.
pub struct Keys<C> {
    maps: RefCell<[Rc<C>; 2]>,
    reference: RefCell<Reference>,
    subscriptions: RefCell<Vec<Subscription>>,
    /// The collection that takes out what the reference can't foresee, and tells it.
    taking: Cell<Option<usize>>,
    /// Keys that are being loaded: by collection and class, or object.
    loading: RefCell<Vec<(usize, Id)>>,
}

impl<C> Keys<C> {
    /// Does something with the reference. User code is never called meanwhile.
    fn with<R>(&self, f: impl FnOnce(&mut Reference) -> R) -> R {
        f(&mut self.reference.borrow_mut())
    }

    /// What it is that makes two keys the same.
    fn same_as<A: Kind>(&self, world: &World<A>, key: Id) -> Id
    where
        C: Keyed<A>,
    {
        match C::TOLD {
            Told::Owned => Id::from(self.reference.borrow().names[key as usize]),
            Told::ByEq => Id::from(world.class_of(key)),
            Told::ByAddress => key,
        }
    }

    /// The entry of a key.
    fn find<A: Kind>(&self, world: &World<A>, map: usize, key: Id) -> Option<Entry>
    where
        C: Keyed<A>,
    {
        let same = self.same_as(world, key);
        let entries: Vec<Entry> = self.with(|r| r.entries.iter().filter(|e| e.map == map).copied().collect());
        entries.into_iter().find(|entry| self.same_as(world, entry.key) == same)
    }

    /// Takes an entry out of the reference.
    fn take(&self, entry: Entry, cause: Cause) {
        self.with(|r| {
            r.entries.retain(|e| e.serial != entry.serial);
            r.clock += 1;
            r.past.push(Past { entry, gone: r.clock, replaced: cause == Cause::Replaced });
            r.left[entry.map][cause as usize] += 1;
            if entry.map == 0 {
                r.owed.push((entry.key, cause));
            }
        });
        let mut subscriptions = self.subscriptions.borrow_mut();
        subscriptions.iter_mut().filter(|s| s.map == entry.map).for_each(|s| s.due.push((entry.key, cause)));
    }

    /// Puts an entry into the reference.
    fn put(&self, map: usize, key: Id, value: Id) {
        self.with(|r| {
            r.clock += 1;
            r.inserted[map] += 1;
            r.entries.push(Entry { serial: r.clock, map, key, value });
        });
    }

    /// Does what an operation did. Returns what was there.
    fn apply<A: Kind>(&self, world: &World<A>, effect: Effect) -> Option<Entry>
    where
        C: Keyed<A>,
    {
        match effect {
            Effect::Put { map, key, value } => {
                let old = self.find(world, map, key);
                old.into_iter().for_each(|old| self.take(old, Cause::Replaced));
                self.put(map, key, value);
                old
            }
            Effect::PutIfAbsent { map, key, value } => {
                let old = self.find(world, map, key);
                if old.is_none() {
                    self.put(map, key, value);
                }
                old
            }
            Effect::Update { serial, value } => {
                let old = self.with(|r| r.entries.iter().copied().find(|entry| entry.serial == serial));
                if let Some(old) = old {
                    self.take(old, Cause::Replaced);
                    self.put(old.map, old.key, value);
                }
                old
            }
            Effect::Remove { serial } => {
                let old = self.with(|r| r.entries.iter().copied().find(|entry| entry.serial == serial));
                old.into_iter().for_each(|old| self.take(old, Cause::Removed));
                old
            }
            Effect::Nothing => None,
        }
    }

    /// An operation that calls a closure begins; its frame.
    fn begin(&self) -> usize {
        self.with(|r| {
            r.frames.push(Frame::default());
            r.frames.len() - 1
        })
    }

    /// The closure has answered.
    fn due(&self, frame: usize, effect: Effect) {
        self.with(|r| r.frames[frame].due = Some(effect));
    }

    /// The operation is over. What was there when it was done.
    fn finish<A: Kind>(&self, world: &World<A>) -> Option<Entry>
    where
        C: Keyed<A>,
    {
        self.catch_up(world);
        self.with(|r| r.frames.pop()).and_then(|frame| frame.old)
    }

    fn catch_up<A: Kind>(&self, world: &World<A>)
    where
        C: Keyed<A>,
    {
        let frames = self.reference.borrow().frames.len();
        for frame in 0..frames {
            let due = self.with(|r| r.frames[frame].due.take());
            if let Some(effect) = due {
                let old = self.apply(world, effect);
                self.with(|r| r.frames[frame].old = old);
            }
        }
    }

    /// An entry that may have been shown by an operation that began at `since`.
    fn was_there(&self, map: usize, key: Id, value: Id, since: usize) -> bool {
        let is = |e: &Entry| e.map == map && e.key == key && e.value == value;
        self.with(|r| r.entries.iter().any(is) || r.past.iter().any(|past| is(&past.entry) && past.gone >= since))
    }

    fn map(&self, which: usize) -> Rc<C> {
        self.maps.borrow()[which].clone()
    }

    fn now(&self) -> usize {
        self.reference.borrow().clock
    }
}

/// The id of what an operation handed out.
fn id<A: Kind>(owner: &Option<Owner<A>>) -> Option<Id> {
    owner.as_ref().map(|owner| owner.id)
}

impl<A: Kind, C: Keyed<A>> Subject<A> for Keys<C> {
    fn new(world: &World<A>) -> Self {
        Keys {
            maps: RefCell::new([0, 1].map(|which| Rc::new(C::build(&world.setup, which)))),
            reference: RefCell::default(),
            subscriptions: RefCell::default(),
            taking: Cell::new(None),
            loading: RefCell::default(),
        }
    }

    fn act(&self, machine: &Machine<A, Self>, command: Command) {
        if !C::has(command.act) {
            return;
        }
        match command.act {
            Act::Subscribe | Act::Removals | Act::Join | Act::Compare | Act::Dismantle if machine.depth.get() > 1 => {}
            Act::Clear
            | Act::Reserve
            | Act::Shrink
            | Act::Drain
            | Act::Pop
            | Act::Retain
            | Act::Extract
            | Act::Walk => {
                self.on_all(machine, command);
            }
            Act::Subscribe | Act::Removals => self.on_subscription(&machine.world, command),
            Act::Join | Act::Compare | Act::Dismantle => self.on_both(machine, command),
            Act::Fill => {
                let insert = if C::VALUE == Value::None { Act::TryInsert } else { Act::Insert };
                (0..machine.world.handles())
                    .for_each(|n| self.on_one(machine, Command { act: insert, a: n, b: n, ..command }));
            }
            _ => self.on_one(machine, command),
        }
    }

    fn catch_up(&self, world: &World<A>) {
        Keys::catch_up(self, world);
    }

    fn died(&self, _: &World<A>, id: Id) {
        let dead = |e: &&Entry| C::TOLD != Told::Owned && e.key == id || C::VALUE == Value::Weak && e.value == id;
        let dead: Vec<Entry> = self.with(|r| r.entries.iter().filter(dead).copied().collect());
        dead.into_iter().for_each(|entry| self.take(entry, Cause::Died));
    }

    fn left(&self, world: &World<A>, map: usize, key: Id, cause: Cause) {
        if self.taking.get() == Some(map) && cause == Cause::Removed {
            let entry = self.with(|r| r.entries.iter().copied().find(|e| e.map == map && e.key == key));
            entry.into_iter().for_each(|entry| self.take(entry, Cause::Removed));
        }
        let owed = self.with(|r| {
            let at = r.owed.iter().position(|&owed| owed == (key, cause))?;
            Some(r.owed.swap_remove(at))
        });
        world.check(owed.is_some(), || format!("told that {key} {cause:?}, which is not so, or was told before"));
    }

    fn held(&self, id: Id) -> usize {
        let holds = |e: &&Entry| C::VALUE == Value::Owned && e.value == id;
        self.with(|r| r.entries.iter().filter(holds).count())
    }

    fn check(&self, world: &World<A>, quiet: bool) {
        for which in 0..2 {
            let map = self.map(which);
            let (len, inserted, left) =
                self.with(|r| (r.entries.iter().filter(|e| e.map == which).count(), r.inserted[which], r.left[which]));
            world.check(map.len() == len, || format!("map {which} says that it has {}, not {len} entries", map.len()));
            let stats = map.stats();
            let said = [stats.died, stats.removed, stats.replaced, stats.cleared];
            world.check(said == left, || format!("map {which} says that {said:?} left, not {left:?}"));
            world.check(inserted == len as u64 + left.iter().sum::<u64>(), || "the reference's own books".to_string());
            world.check(stats.pending_removals == 0, || format!("map {which} keeps a dead entry"));
            world.validate(|| map.validate());
            let mut there = Vec::new();
            map.walk(0, &mut |key, value| {
                there.push((key, value));
                true
            });
            there.sort_unstable();
            let mut entries: Vec<_> =
                self.with(|r| r.entries.iter().filter(|e| e.map == which).map(|e| (e.key, e.value)).collect());
            entries.sort_unstable();
            world.check(there == entries, || format!("map {which} has {there:?}, not {entries:?}"));
        }
        if quiet {
            self.with(|r| {
                world.check(r.owed.is_empty(), || format!("{:?} were never told", r.owed));
                r.past.clear();
            });
        }
    }

    fn end(&self, world: &World<A>) {
        for subscription in take(&mut *self.subscriptions.borrow_mut()) {
            read(world, subscription);
        }
        let empty = [0, 1].map(|which| Rc::new(C::build(&world.setup, which)));
        let cleared: Vec<Entry> = self.with(|r| r.entries.clone());
        cleared.into_iter().for_each(|entry| self.take(entry, Cause::Cleared));
        drop(self.maps.replace(empty));
        self.with(|r| world.check(r.owed.is_empty(), || format!("{:?} were never told", r.owed)));
    }
}

impl<C> Keys<C> {
    /// What is done to one key.
    fn on_one<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
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
    fn on_all<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
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
                    let wanted = (value ^ Id::from(a)) % 3 == 0;
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
        let limit = if command.a % 4 == 0 { usize::from(command.b) % 8 } else { usize::MAX };
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

    fn on_subscription<A: Kind>(&self, world: &World<A>, command: Command)
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
            if command.b % 2 == 0 {
                self.subscriptions.borrow_mut().push(read);
            }
        }
    }

    /// What is done to a collection as a whole, and to both.
    fn on_both<A: Kind>(&self, machine: &Machine<A, Self>, command: Command)
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
                if command.a % 2 == 0 {
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

/// Reads a subscription: all that it should hold, once each.
fn read<A: Kind>(world: &World<A>, mut subscription: Subscription) -> Subscription {
    let order = |&(key, cause): &(Id, Cause)| (key, cause as usize);
    let mut got: Vec<_> = std::iter::from_fn(|| (subscription.mailbox)()).collect();
    let mut due = take(&mut subscription.due);
    got.sort_unstable_by_key(order);
    due.sort_unstable_by_key(order);
    world.check(got == due, || format!("a subscription has {got:?}, not {due:?}"));
    subscription
}
