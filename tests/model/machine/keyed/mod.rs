//! The machine of maps, sets and interners: two collections of one kind, and the list of entries that should be in them.
//!
//! An operation that calls no closure is done in the reference first: whatever user code it then runs (listeners, destructors)
//! comes after its effect. One that calls a closure leaves its effect with the closure's answer, to be caught up with when the
//! crate next calls user code, or returns; unless it calls the closure again, because user code has changed the key meanwhile.

mod all;
mod one;

use super::objects::{Id, Kind, Owner};
use super::script::{Act, Command, Setup};
use super::world::World;
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
