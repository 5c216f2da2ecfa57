//! Histories of one key, with death as an operation: each must have an order, within what the calls allow, in which a plain
//! sequential collection would have given the same answers (Wing and Gong's search, remembering where it has been). The search,
//! and the history of maps from owned keys; other collections are in `other_histories`.
//!
//! What is special here: the last drop of an object is its removal. And an operation that looks at an object holds it for a moment,
//! so a death may wait for the writers that overlap the last drop, but not for longer.

use crate::common::{Constant, FourBit, Good, Rng, long, seed, sized, watchdog};
use crate::world::{Barrier, run, thread};
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use weakly::std_arc::{Anchor, Anchored};
use weakly::{Arc, Compute, Computed, Pointer, WeakValueMap};

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
pub trait Kind: Pointer<Target = Object> + From<Object> + Send + Sync + Debug + 'static {}
impl<A: Pointer<Target = Object> + From<Object> + Send + Sync + Debug + 'static> Kind for A {}

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
}

impl Lives {
    /// A call has handed out a handle, if the name is not 0.
    pub fn hand_out(&mut self, name: Name) {
        self.owners[name as usize] += i8::from(name != 0);
    }

    pub fn is_dead(&self, name: Name) -> bool {
        self.dead & (1 << name) != 0
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
    /// May the call hold an object, so that the death of one waits for it?
    fn holds(call: Self::Call) -> bool;
}

#[derive(Clone, Copy, Debug)]
pub enum Act<C> {
    Call(C),
    Drop(Name),
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
            Act::Settle(name, _) => {
                if lives.owners[name as usize] == 0 {
                    lives.dead |= 1 << name;
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

/// Is there such an order?
pub fn is_linearizable<M: Model>(events: &[Event<M::Call>], names: usize) -> bool {
    let state = State { model: M::default(), lives: Lives { owners: vec![1; names], dead: 0 } };
    let all = (1_u64 << events.len()) - 1;
    let (mut been, mut todo) = (HashSet::new(), vec![(0_u64, state)]);
    while let Some((done, state)) = todo.pop() {
        if done == all {
            return true;
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

/// One thread's part of a history.
pub struct Actor<'a, M: Model, A> {
    clock: &'a AtomicU64,
    pub rng: Rng,
    next: Name,
    pub held: Vec<A>,
    events: Vec<Event<M::Call>>,
}

impl<M: Model, A: Kind> Actor<'_, M, A> {
    /// A name of one's own, each of which is used once.
    pub fn new_name(&mut self) -> Name {
        self.next += 1;
        self.next - 1
    }

    /// An object of one's own.
    pub fn new_object(&mut self) -> A {
        A::from(Object::new(KEY, self.new_name()))
    }

    /// Makes a call, and keeps the handle that it hands out.
    pub fn call(&mut self, call: impl FnOnce() -> (M::Call, Option<A>)) {
        self.timed(|| {
            let (call, got) = call();
            (Act::Call(call), got)
        });
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

    fn timed(&mut self, act: impl FnOnce() -> (Act<M::Call>, Option<A>)) {
        let from = self.clock.fetch_add(1, SeqCst);
        let (act, got) = act();
        let to = self.clock.fetch_add(1, SeqCst);
        self.events.push(Event { act, from, to });
        self.held.extend(got);
    }
}

/// Records short histories of `act` on several threads, one of which nobody calls `disturb`s, and looks for an order of each.
/// `is_empty` says that a collection without owners has nothing of a history left.
pub fn search<M: Model, A: Kind>(
    rounds: usize,
    act: impl Fn(&mut Actor<'_, M, A>) + Sync,
    disturb: impl Fn(Vec<A>) + Send,
    is_empty: impl Fn() -> bool + Sync,
) {
    let _dog = watchdog();
    let seed = seed();
    let (clock, over, barrier) = (AtomicU64::new(0), AtomicBool::new(false), Barrier::new(THREADS));
    let history: Mutex<Vec<Event<M::Call>>> = Mutex::default();
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
            let (clock, barrier, history, wrong) = (&clock, &barrier, &history, &wrong);
            let (act, is_empty) = (&act, &is_empty);
            scope.spawn(move || {
                let mut rng = Rng::new(seed, thread);
                for round in 0..rounds * long() {
                    let next = (1 + thread * 2 * CALLS) as Name; // a call names two at most
                    let (held, events) = (Vec::new(), Vec::new());
                    let mut actor = Actor { clock, rng, next, held, events };
                    barrier.wait();
                    for _ in 0..CALLS {
                        act(&mut actor);
                    }
                    history.lock().unwrap().append(&mut actor.events);
                    rng = actor.rng;
                    barrier.wait();
                    drop(actor.held); // what is left dies before the next round begins
                    if thread == 0 {
                        let events = with_deaths::<M>(std::mem::take(&mut *history.lock().unwrap()));
                        if !is_linearizable::<M>(&events, NAMES) {
                            *wrong.lock().unwrap() = Some(format!("round {round} has no order:{}", listed(&events)));
                        }
                    }
                    barrier.wait();
                    if thread == 0 && !is_empty() {
                        *wrong.lock().unwrap() = Some(format!("round {round}: something without an owner"));
                    }
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

/// What the key holds, dead or alive.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Values(Name);

impl Model for Values {
    type Call = Call;

    fn answers(&mut self, lives: &mut Lives, call: Call) -> bool {
        let alive = lives.alive(self.0);
        match call {
            Call::Insert(new, old) | Call::ComputeSwap(new, old) => {
                lives.hand_out(old);
                self.0 = new;
                old == alive
            }
            Call::TryInsert(new, 0) => {
                self.0 = new;
                alive == 0
            }
            Call::TryInsert(_, there) | Call::Get(there) => {
                lives.hand_out(there);
                there == alive
            }
            Call::GetOrInsert(new, got) | Call::Load(new, got) if got == new => {
                self.0 = new;
                alive == 0
            }
            Call::GetOrInsert(_, got) | Call::Load(_, got) => {
                lives.hand_out(got);
                got == alive
            }
            Call::Contains(seen) | Call::Walk(seen) => seen == (alive != 0),
            Call::Remove(old) => {
                lives.hand_out(old);
                self.0 = 0;
                old == alive
            }
            Call::RemoveExact(name, removed) => {
                if removed {
                    self.0 = 0;
                }
                removed == (alive == name)
            }
            Call::Clear => {
                self.0 = 0;
                true
            }
        }
    }

    fn holds(call: Call) -> bool {
        !matches!(call, Call::Get(_) | Call::Contains(_))
    }
}

fn act<S: BuildHasher>(map: &WeakValueMap<u64, Object, S>, actor: &mut Actor<'_, Values, Arc<Object>>) {
    match actor.rng.below(16) {
        0..3 => {
            let value = actor.new_object();
            actor.call(|| {
                let old = map.insert(KEY, &value);
                (Call::Insert(value.name, name(&old)), old)
            });
            actor.held.push(value);
        }
        3 => {
            let value = actor.new_object();
            actor.call(|| {
                let there = map.try_insert(KEY, &value).err();
                (Call::TryInsert(value.name, name(&there)), there)
            });
            actor.held.push(value);
        }
        4 => {
            let value = actor.new_object();
            let new = value.name;
            actor.call(|| {
                let got = map.get_or_insert(KEY, value);
                (Call::GetOrInsert(new, got.name), Some(got))
            });
        }
        5 => {
            let value = actor.new_object();
            let new = value.name;
            actor.call(|| {
                let got = map.get_or_insert_with(KEY, move |_| value);
                (Call::Load(new, got.name), Some(got))
            });
        }
        6 => {
            let value = actor.new_object();
            actor.call(|| match map.compute(KEY, |_| Compute::Insert(value.clone())) {
                Computed::Inserted { old, new } => {
                    drop(new);
                    (Call::ComputeSwap(value.name, name(&old)), old)
                }
                other => unreachable!("{other:?}"),
            });
            actor.held.push(value);
        }
        7 | 8 => actor.call(|| {
            let got = map.get(&KEY);
            (Call::Get(name(&got)), got)
        }),
        9 => actor.call(|| (Call::Contains(map.contains_key(&KEY)), None)),
        10 => actor.call(|| (Call::Walk(map.keys().any(|key| key == KEY)), None)),
        11 => actor.call(|| {
            let got = map.remove(&KEY);
            (Call::Remove(name(&got)), got)
        }),
        12 => {
            if let Some(value) = actor.held.last().cloned() {
                let (named, removed) = (value.name, Arc::downgrade(&value));
                drop(value);
                actor.call(|| (Call::RemoveExact(named, map.remove_exact(&KEY, &removed)), None));
            }
        }
        13 if actor.rng.below(4) == 0 => actor.call(|| {
            map.clear();
            (Call::Clear, None)
        }),
        _ => actor.drop_one(),
    }
}

fn histories_are_linearizable<S: BuildHasher + Default + Send + Sync>(rounds: usize) {
    let map: WeakValueMap<u64, Object, S> = WeakValueMap::builder().shards(1).hasher(S::default()).build();
    let disturb = |others: Vec<Arc<Object>>| {
        map.extend(others.iter().map(|value| (value.class, value)));
        drop(others);
        map.shrink_to_fit();
    };
    search(rounds, |actor| act(&map, actor), disturb, || !map.contains_key(&KEY));
}

#[test]
fn histories_of_one_key_are_linearizable() {
    run(|| histories_are_linearizable::<Good>(sized(4_000, 5)));
}

#[test]
fn histories_of_one_key_among_others_of_its_hash_are_linearizable() {
    run(|| histories_are_linearizable::<FourBit>(sized(2_000, 3)));
    run(|| histories_are_linearizable::<Constant>(sized(2_000, 3)));
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
    assert!(is_linearizable(held));
    // A live value that is missed.
    assert!(!is_linearizable(vec![event(Call::Insert(1, 0), 0, 1), event(Call::Get(0), 2, 3)]));
    // Two winners.
    assert!(!is_linearizable(vec![event(Call::GetOrInsert(1, 1), 0, 3), event(Call::GetOrInsert(2, 2), 1, 2)]));
    // A removal that takes the successor's place.
    let successor =
        vec![event(Call::Insert(1, 0), 0, 1), event(Call::Insert(2, 1), 2, 3), event(Call::RemoveExact(1, true), 4, 5)];
    assert!(!is_linearizable(successor));
}
