//! Histories of one key, with death as an operation: each must have an order, within what the calls allow, in which a plain
//! sequential collection would have given the same answers (Wing and Gong's search, remembering where it has been). The search,
//! and the history of maps from owned keys; other collections are in `other_histories`.
//!
//! What is special here: the last drop of an object is its removal. And an operation that looks at an object holds it for a moment,
//! so a death may wait for the writers that overlap the last drop, but not for longer. What listeners are told is part of the
//! history too: each departure once, after it, with its cause, and none is told late.

use crate::common::{Constant, FourBit, Good, Rng, long, seed, sized, watchdog};
use crate::world::{Barrier, run, thread};
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex};
use weakly::std_arc::{Anchor, Anchored};
use weakly::{Arc, Cause, Compute, Computed, Pointer, WeakValueMap};

/// Objects, and values of a map's own, are named by small numbers; 0 is none.
pub type Name = u8;

/// An object that is held weakly: as a key it is its class.
#[derive(Debug)]
pub struct Object {
    pub class: u64,
    pub name: Name,
    anchor: Anchor,
}

impl Object {
    pub fn new(class: u64, name: Name) -> Self {
        Object { class, name, anchor: Anchor::new() }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.class.hash(state);
    }
}

impl Anchored for Object {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// A pointer of either kind.
pub trait Kind: Pointer<Target = Object, Weak: Send + Sync> + From<Object> + Send + Sync + Debug + 'static {
    /// Where the object is, or was.
    fn place(weak: &Self::Weak) -> *const Object;
}

impl Kind for Arc<Object> {
    fn place(weak: &weakly::Weak<Object>) -> *const Object {
        weak.as_ptr()
    }
}

impl Kind for StdArc<Object> {
    fn place(weak: &std::sync::Weak<Object>) -> *const Object {
        weak.as_ptr()
    }
}

/// The name of an object, if there is one.
pub fn name<A: Kind>(object: &Option<A>) -> Name {
    object.as_ref().map_or(0, |object| object.name)
}

/// What users know: which objects are held by whom.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Lives {
    /// How many handles of each object there are; a new one has its maker's.
    owners: Vec<i8>,
    dead: u64,
    /// Entries that have left and were not told of: the object, the cause, and whether it may be told of as cleared.
    owed: Vec<(Name, u8, bool)>,
}

impl Lives {
    /// A call has handed out a handle, if the name is not 0.
    pub fn hand_out(&mut self, name: Name) {
        self.owners[name as usize] += i8::from(name != 0);
    }

    pub fn is_dead(&self, name: Name) -> bool {
        self.dead & (1 << name) != 0
    }

    /// The entry of the object, if the name is not 0, has left: a notice is owed.
    pub fn leaves(&mut self, name: Name, cause: Cause) {
        if name != 0 {
            self.owed.push((name, cause as u8, false));
            self.owed.sort_unstable();
        }
    }

    /// All has left. What died just before may be told of as cleared; and what dies before it is told of, as dead.
    pub fn cleared(&mut self, name: Name) {
        self.leaves(name, Cause::Cleared);
        for (_, cause, or_cleared) in &mut self.owed {
            *or_cleared |= *cause == Cause::Died as u8;
        }
    }

    /// A notice came. Was it owed?
    fn told(&mut self, told: Name, with: Cause) -> bool {
        let is = |&(name, cause, or_cleared): &(Name, u8, bool)| {
            let either = or_cleared && with == Cause::Cleared
                || cause == Cause::Cleared as u8 && with == Cause::Died && self.is_dead(told);
            name == told && (cause == with as u8 || either)
        };
        let owed = self.owed.iter().position(is);
        owed.map(|at| self.owed.remove(at)).is_some()
    }

    /// The object, if it is alive.
    pub fn alive(&self, name: Name) -> Name {
        if self.is_dead(name) { 0 } else { name }
    }
}

/// A sequential collection: what it would have answered.
pub trait Model: Clone + Default + Eq + Hash {
    /// A call, and what was answered.
    type Call: Copy + Debug + Send;

    /// Makes the call. Could it have been answered so?
    fn answers(&mut self, lives: &mut Lives, call: Self::Call) -> bool;
    /// An object dies. Was its entry here, and is told of?
    fn dies(&mut self, name: Name) -> bool;
    /// May the call hold an object, so that the death of one waits for it?
    fn holds(call: Self::Call) -> bool;
}

#[derive(Clone, Copy, Debug)]
pub enum Act<C> {
    Call(C),
    Drop(Name),
    /// By a weak pointer to the first; what came.
    Upgrade(Name, Name),
    /// A listener is told that the object's entry has left.
    Told(Name, Cause),
    /// Nobody's act: the death that a drop brings, if it was the last. Names the drop's place in the history.
    Settle(Name, usize),
}

/// An act with the moments of its beginning and its end.
#[derive(Clone, Copy, Debug)]
pub struct Event<C> {
    pub act: Act<C>,
    pub from: u64,
    pub to: u64,
}

/// What a sequential collection, and its users, know.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State<M> {
    model: M,
    lives: Lives,
}

impl<M: Model> State<M> {
    /// The state after `act`, if that could have been answered so.
    fn after(&self, act: Act<M::Call>) -> Option<Self> {
        let State { mut model, mut lives } = self.clone();
        let right = match act {
            Act::Call(call) => model.answers(&mut lives, call),
            Act::Drop(name) => {
                lives.owners[name as usize] -= 1;
                true
            }
            Act::Upgrade(name, got) => {
                lives.hand_out(got);
                got == lives.alive(name)
            }
            Act::Told(name, cause) => lives.told(name, cause),
            Act::Settle(name, _) => {
                if lives.owners[name as usize] == 0 && !lives.is_dead(name) {
                    lives.dead |= 1 << name;
                    if model.dies(name) {
                        lives.leaves(name, Cause::Died);
                    }
                }
                true
            }
        };
        right.then_some(State { model, lives })
    }
}

/// Adds to each drop the death that it may bring: within the drop, or within the calls that overlap it and may hold the object.
pub fn with_deaths<M: Model>(mut events: Vec<Event<M::Call>>) -> Vec<Event<M::Call>> {
    events.sort_by_key(|event| event.from);
    for i in 0..events.len() {
        let Event { act: Act::Drop(name), from, mut to } = events[i] else { continue };
        loop {
            let holds = |act| matches!(act, Act::Call(call) if M::holds(call));
            let later = events.iter().filter(|e| holds(e.act) && e.from < to && e.to > to).map(|e| e.to).max();
            let Some(later) = later else { break };
            to = later;
        }
        events.push(Event { act: Act::Settle(name, i), from, to });
    }
    events
}

/// Was a death told of after the last call that it may have waited for? The events are those with deaths.
fn told_late<C: Copy>(events: &[Event<C>]) -> bool {
    let over = |dead: Name| {
        events.iter().filter(|e| matches!(e.act, Act::Settle(name, _) if name == dead)).map(|e| e.to).max()
    };
    events.iter().any(|e| matches!(e.act, Act::Told(name, Cause::Died) if over(name).is_none_or(|over| e.to > over)))
}

/// Is there such an order?
pub fn is_linearizable<M: Model>(events: &[Event<M::Call>], names: usize) -> bool {
    if told_late(events) {
        return false;
    }
    let state = State { model: M::default(), lives: Lives { owners: vec![1; names], dead: 0, owed: Vec::new() } };
    let all = (1_u64 << events.len()) - 1;
    let (mut been, mut todo) = (HashSet::new(), vec![(0_u64, state)]);
    while let Some((done, state)) = todo.pop() {
        if done == all {
            if state.lives.owed.is_empty() {
                return true;
            }
            continue;
        }
        let left = || (0..events.len()).filter(|i| done & (1 << i) == 0);
        let first_end = left().map(|i| events[i].to).min().expect("not all are done");
        for i in left().filter(|&i| events[i].from < first_end) {
            if let Act::Settle(_, drop) = events[i].act
                && done & (1 << drop) == 0
            {
                continue; // the death comes after its drop
            }
            if let Some(next) = state.after(events[i].act) {
                let at = (done | 1 << i, next);
                if been.insert(at.clone()) {
                    todo.push(at);
                }
            }
        }
    }
    false
}

/// A history to read: one act a line, with the moments between which it ran.
fn listed<C: Debug>(events: &[Event<C>]) -> String {
    events.iter().map(|Event { act, from, to }| format!("\n{from}..{to} {act:?}")).collect()
}

/// The class of all objects that histories are of.
pub const KEY: u64 = 7;
const THREADS: usize = 3;
const CALLS: usize = 5;
/// Names in a history, and 0: a call may name a key and a value.
pub const NAMES: usize = 1 + THREADS * 2 * CALLS;

/// What came to a collection's listener: where the object is, or its name; the cause; when.
type Notice = (usize, Cause, u64, u64);

/// The clock of a run, and what listeners were told.
#[derive(Clone, Debug, Default)]
pub struct Told(StdArc<(AtomicU64, Mutex<Vec<Notice>>)>);

impl Told {
    fn now(&self) -> u64 {
        self.0.0.fetch_add(1, SeqCst)
    }

    /// For a listener: notes down what it is told.
    pub fn note(&self, who: usize, cause: Cause) {
        let notice = (who, cause, self.now(), self.now());
        self.0.1.lock().unwrap().push(notice);
    }

    /// For the listener of a collection that holds objects as keys.
    pub fn note_key<A: Kind>(&self, key: &A::Weak, cause: Cause) {
        self.note(A::place(key).addr(), cause);
    }

    fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.1.lock().unwrap())
    }
}

/// A history while it is written.
struct Book<C> {
    events: Vec<Event<C>>,
    /// Who is where, and since when: each object's memory is kept for as long as the history runs.
    names: HashMap<usize, (Name, u64)>,
}

impl<C> Default for Book<C> {
    fn default() -> Self {
        Book { events: Vec::new(), names: HashMap::new() }
    }
}

impl<C: Copy> Book<C> {
    /// All that happened until the last call was over, deaths and notices too.
    fn closed<M: Model<Call = C>>(self, told: Vec<Notice>) -> Vec<Event<C>> {
        let Book { mut events, names } = self;
        let over = events.iter().map(|event| event.to).max().unwrap_or(0);
        let notices = told.into_iter().filter_map(|(who, cause, from, to)| {
            let &(name, since) = names.get(&who)?;
            (since < from && from < over).then_some(Event { act: Act::Told(name, cause), from, to })
        });
        events.extend(notices);
        with_deaths::<M>(events)
    }
}

/// One thread's part of a history.
pub struct Actor<'a, M: Model, A: Pointer> {
    told: &'a Told,
    pub rng: Rng,
    next: Name,
    held: Vec<A>,
    /// To what was held.
    weak: Vec<(Name, A::Weak)>,
    /// To all that was made.
    made: Vec<A::Weak>,
    book: Book<M::Call>,
}

impl<M: Model, A: Kind> Actor<'_, M, A> {
    /// A name of one's own, each of which is used once.
    pub fn new_name(&mut self) -> Name {
        self.next += 1;
        self.next - 1
    }

    /// An object of one's own.
    pub fn new_object(&mut self) -> A {
        let name = self.new_name();
        let new = A::from(Object::new(KEY, name));
        let known = (name, self.told.now());
        self.book.names.insert(A::as_ptr(&new).addr(), known);
        self.book.names.insert(name.into(), known); // for collections whose keys say it
        self.made.push(A::downgrade(&new));
        new
    }

    /// Makes a call, and keeps the handle that it hands out.
    pub fn call(&mut self, call: impl FnOnce() -> (M::Call, Option<A>)) {
        self.timed(|| {
            let (call, got) = call();
            (Act::Call(call), got)
        });
    }

    /// Keeps a handle.
    pub fn hold(&mut self, object: A) {
        self.weak.push((object.name, A::downgrade(&object)));
        self.held.push(object);
    }

    /// One that is held.
    pub fn any(&self) -> Option<&A> {
        self.held.last()
    }

    /// Drops a handle, if there is one.
    pub fn drop_one(&mut self) {
        if !self.held.is_empty() {
            let object = self.held.swap_remove(self.rng.below(self.held.len()));
            let name = object.name;
            self.timed(|| {
                drop(object);
                (Act::Drop(name), None)
            });
        }
    }

    /// Upgrades a weak pointer, if there is one.
    fn upgrade_one(&mut self) {
        if !self.weak.is_empty() {
            let (name, weak) = self.weak[self.rng.below(self.weak.len())].clone();
            self.timed(|| {
                let got = A::upgrade(&weak);
                (Act::Upgrade(name, self::name(&got)), got)
            });
        }
    }

    fn timed(&mut self, act: impl FnOnce() -> (Act<M::Call>, Option<A>)) {
        let from = self.told.now();
        let (act, got) = act();
        let to = self.told.now();
        self.book.events.push(Event { act, from, to });
        got.into_iter().for_each(|object| self.hold(object));
    }
}

/// Records short histories of `act` on several threads, one of which nobody calls `disturb`s, and looks for an order of each.
/// `is_empty` says that a collection without owners has nothing of a history left.
pub fn search<M: Model, A: Kind>(
    rounds: usize,
    told: &Told,
    act: impl Fn(&mut Actor<'_, M, A>) + Sync,
    disturb: impl Fn(Vec<A>) + Send,
    is_empty: impl Fn() -> bool + Sync,
) {
    let _dog = watchdog();
    let seed = seed();
    let (over, barrier) = (AtomicBool::new(false), Barrier::new(THREADS));
    let history: Mutex<Book<M::Call>> = Mutex::default();
    let wrong: Mutex<Option<String>> = Mutex::default(); // said by one thread, so that all can stop
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            // Others come and go beside the key, and the table is resized.
            let mut rng = Rng::new(seed, THREADS);
            while !over.load(SeqCst) {
                disturb(
                    (100..100 + rng.below(sized(30, 4)) as u64).map(|class| A::from(Object::new(class, 0))).collect(),
                );
                thread::yield_now();
            }
        });
        for thread in 0..THREADS {
            let (barrier, history, wrong) = (&barrier, &history, &wrong);
            let (act, is_empty) = (&act, &is_empty);
            scope.spawn(move || {
                let mut rng = Rng::new(seed, thread);
                for round in 0..rounds * long() {
                    let next = (1 + thread * 2 * CALLS) as Name; // a call names two at most
                    let (held, weak, made, book) = (Vec::new(), Vec::new(), Vec::new(), Book::default());
                    let mut actor = Actor { told, rng, next, held, weak, made, book };
                    barrier.wait();
                    for _ in 0..CALLS {
                        if actor.rng.below(10) == 0 {
                            actor.upgrade_one();
                        } else {
                            act(&mut actor);
                        }
                    }
                    let mut whole = history.lock().unwrap();
                    whole.events.append(&mut actor.book.events);
                    whole.names.extend(actor.book.names);
                    drop(whole);
                    rng = actor.rng;
                    barrier.wait();
                    drop(actor.held); // what is left dies before the next round begins
                    if thread == 0 {
                        let events = std::mem::take(&mut *history.lock().unwrap()).closed::<M>(told.take());
                        if !is_linearizable::<M>(&events, NAMES) {
                            *wrong.lock().unwrap() = Some(format!("round {round} has no order:{}", listed(&events)));
                        }
                    }
                    barrier.wait();
                    if thread == 0 && !is_empty() {
                        *wrong.lock().unwrap() = Some(format!("round {round}: something without an owner"));
                    }
                    told.take();
                    barrier.wait();
                    if wrong.lock().unwrap().is_some() {
                        break;
                    }
                }
                if thread == 0 {
                    over.store(true, SeqCst);
                }
            });
        }
    });
    if let Some(wrong) = wrong.into_inner().unwrap() {
        panic!("{wrong}");
    }
    println!("{} histories have an order", rounds * long());
}

/// One key of a map whose values are objects.
#[derive(Clone, Copy, Debug)]
enum Call {
    Insert(Name, Name),
    TryInsert(Name, Name),
    GetOrInsert(Name, Name),
    Load(Name, Name),
    ComputeSwap(Name, Name),
    Get(Name),
    Contains(bool),
    Walk(bool),
    Remove(Name),
    RemoveExact(Name, bool),
    Clear,
}

/// What the key holds.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Values(Name);

/// A key that says whose it is: its class is what counts.
#[derive(Clone, Copy, Debug)]
struct Key(u64, Name);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Model for Values {
    type Call = Call;

    fn answers(&mut self, lives: &mut Lives, call: Call) -> bool {
        let there = self.0;
        match call {
            Call::Insert(new, old) | Call::ComputeSwap(new, old) => {
                lives.hand_out(old);
                lives.leaves(there, Cause::Replaced);
                self.0 = new;
                old == there
            }
            Call::TryInsert(new, 0) => {
                self.0 = new;
                there == 0
            }
            Call::TryInsert(_, got) | Call::Get(got) => {
                lives.hand_out(got);
                got == there
            }
            Call::GetOrInsert(new, got) | Call::Load(new, got) if got == new => {
                self.0 = new;
                there == 0
            }
            Call::GetOrInsert(_, got) | Call::Load(_, got) => {
                lives.hand_out(got);
                got == there
            }
            Call::Contains(seen) | Call::Walk(seen) => seen == (there != 0),
            Call::Remove(old) => {
                lives.hand_out(old);
                lives.leaves(there, Cause::Removed);
                self.0 = 0;
                old == there
            }
            Call::RemoveExact(name, removed) => {
                if removed {
                    lives.leaves(there, Cause::Removed);
                    self.0 = 0;
                }
                removed == (there == name)
            }
            Call::Clear => {
                lives.cleared(there);
                self.0 = 0;
                true
            }
        }
    }

    fn dies(&mut self, name: Name) -> bool {
        let was_here = self.0 == name;
        if was_here {
            self.0 = 0;
        }
        was_here
    }

    fn holds(call: Call) -> bool {
        !matches!(call, Call::Get(_) | Call::Contains(_))
    }
}

fn act<S: BuildHasher>(map: &WeakValueMap<Key, Object, S>, actor: &mut Actor<'_, Values, Arc<Object>>) {
    let key = |value: &Arc<Object>| Key(KEY, value.name);
    match actor.rng.below(16) {
        0..3 => {
            let value = actor.new_object();
            actor.call(|| {
                let old = map.insert(key(&value), &value);
                (Call::Insert(value.name, name(&old)), old)
            });
            actor.hold(value);
        }
        3 => {
            let value = actor.new_object();
            actor.call(|| {
                let there = map.try_insert(key(&value), &value).err();
                (Call::TryInsert(value.name, name(&there)), there)
            });
            actor.hold(value);
        }
        4 => {
            let value = actor.new_object();
            let new = value.name;
            actor.call(|| {
                let got = map.get_or_insert(key(&value), value);
                (Call::GetOrInsert(new, got.name), Some(got))
            });
        }
        5 => {
            let value = actor.new_object();
            let new = value.name;
            actor.call(|| {
                let got = map.get_or_insert_with(key(&value), move |_| value);
                (Call::Load(new, got.name), Some(got))
            });
        }
        6 => {
            let value = actor.new_object();
            actor.call(|| match map.compute(key(&value), |_| Compute::Insert(value.clone())) {
                Computed::Inserted { old, new } => {
                    drop(new);
                    (Call::ComputeSwap(value.name, name(&old)), old)
                }
                other => unreachable!("{other:?}"),
            });
            actor.hold(value);
        }
        7 | 8 => actor.call(|| {
            let got = map.get(&Key(KEY, 0));
            (Call::Get(name(&got)), got)
        }),
        9 => actor.call(|| (Call::Contains(map.contains_key(&Key(KEY, 0))), None)),
        10 => actor.call(|| (Call::Walk(map.keys().any(|key| key.0 == KEY)), None)),
        11 => actor.call(|| {
            let got = map.remove(&Key(KEY, 0));
            (Call::Remove(name(&got)), got)
        }),
        12 => {
            if let Some(value) = actor.any().cloned() {
                let (named, removed) = (value.name, Arc::downgrade(&value));
                drop(value);
                actor.call(|| (Call::RemoveExact(named, map.remove_exact(&Key(KEY, 0), &removed)), None));
            }
        }
        13 if actor.rng.below(4) == 0 => actor.call(|| {
            map.clear();
            (Call::Clear, None)
        }),
        _ => actor.drop_one(),
    }
}

fn histories_are_linearizable<S: BuildHasher + Default + Send + Sync>(rounds: usize, shards: usize) {
    let told = Told::default();
    let note = told.clone();
    let builder = WeakValueMap::<Key, Object>::builder().shards(shards).hasher(S::default());
    let map = builder.on_removal(move |key: &Key, cause| note.note(key.1.into(), cause)).build();
    let disturb = |others: Vec<Arc<Object>>| {
        map.extend(others.iter().map(|value| (Key(value.class, value.name), value)));
        drop(others);
        map.shrink_to_fit();
    };
    search(rounds, &told, |actor| act(&map, actor), disturb, || !map.contains_key(&Key(KEY, 0)));
}

#[test]
fn histories_of_one_key_are_linearizable() {
    run(|| histories_are_linearizable::<Good>(sized(2_000, 2), 1));
    run(|| histories_are_linearizable::<Good>(sized(1_000, 1), 2));
    run(|| histories_are_linearizable::<Good>(sized(1_000, 1), 64));
}

#[test]
fn histories_of_one_key_among_others_of_its_hash_are_linearizable() {
    run(|| histories_are_linearizable::<FourBit>(sized(2_000, 2), 1));
    run(|| histories_are_linearizable::<Constant>(sized(2_000, 2), 1));
    run(|| histories_are_linearizable::<FourBit>(sized(500, 1), 64));
}

#[test]
fn the_search_finds_what_no_order_explains() {
    let event = |call, from, to| Event { act: Act::Call(call), from, to };
    let is_linearizable = |events| is_linearizable::<Values>(&with_deaths::<Values>(events), 3);
    // A value that is found after its last drop has returned.
    let drop = Event { act: Act::Drop(1), from: 2, to: 3 };
    let late = vec![event(Call::Insert(1, 0), 0, 1), drop, event(Call::Get(1), 4, 5)];
    assert!(!is_linearizable(late.clone()));
    // A writer that overlaps the drop may have held it.
    let mut held = late.clone();
    held.push(event(Call::Insert(2, 1), 2, 6));
    held.push(Event { act: Act::Told(1, Cause::Replaced), from: 5, to: 6 });
    assert!(is_linearizable(held));
    // A weak pointer that is upgraded then.
    let upgraded = Event { act: Act::Upgrade(1, 1), from: 4, to: 5 };
    assert!(!is_linearizable(vec![event(Call::Insert(1, 0), 0, 1), drop, upgraded]));
    // A live value that is missed.
    assert!(!is_linearizable(vec![event(Call::Insert(1, 0), 0, 1), event(Call::Get(0), 2, 3)]));
    // Two winners.
    assert!(!is_linearizable(vec![event(Call::GetOrInsert(1, 1), 0, 3), event(Call::GetOrInsert(2, 2), 1, 2)]));
    // A removal that takes the successor's place.
    let successor =
        vec![event(Call::Insert(1, 0), 0, 1), event(Call::Insert(2, 1), 2, 3), event(Call::RemoveExact(1, true), 4, 5)];
    assert!(!is_linearizable(successor));
    // A departure that nobody is told of, one told of twice, late, with the wrong cause, before it.
    let told = |cause, from| Event { act: Act::Told(1, cause), from, to: from + 1 };
    let with = |notices: &[Event<Call>]| {
        let mut events = vec![event(Call::Insert(1, 0), 0, 1), Event { act: Act::Drop(1), from: 4, to: 8 }];
        events.extend(notices);
        is_linearizable(events)
    };
    assert!(with(&[told(Cause::Died, 5)]));
    assert!(!with(&[]));
    assert!(!with(&[told(Cause::Died, 5), told(Cause::Died, 7)]));
    assert!(!with(&[told(Cause::Died, 9)]));
    assert!(!with(&[told(Cause::Removed, 5)]));
    assert!(!with(&[told(Cause::Died, 3)]));
}
