//! Histories of one key, with death as an operation: each must have an order, within what the calls allow, in which a plain
//! sequential map would have given the same answers (Wing and Gong's search, remembering where it has been).
//!
//! What is special here: the last drop of a value is its removal. And an operation that looks at a value holds it for a moment,
//! so a death may wait for the writers that overlap the last drop, but not for longer.

use crate::common::{Constant, FourBit, Good, Rng, long, seed, sized, watchdog};
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;
use weakly::{Arc, Compute, Computed, WeakValueMap};

/// Values are named by small numbers; 0 is none.
type Name = u8;

/// A call, and what it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Drop(Name),
    /// Not a call: the death that a drop brings, if it was the last. Names the drop's place in the history.
    Settle(Name, usize),
}

/// A call with the moments of its beginning and its end.
#[derive(Clone, Copy, Debug)]
struct Event {
    call: Call,
    from: u64,
    to: u64,
}

/// What a sequential map, and its users, know.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    /// What the key holds, dead or alive.
    there: Name,
    /// How many handles of each value there are; a new value has its maker's.
    owners: Vec<i8>,
    dead: u64,
}

impl State {
    fn alive(&self) -> Name {
        if self.dead & (1 << self.there) != 0 { 0 } else { self.there }
    }

    /// The state after `call`, if it could have answered so.
    fn after(&self, call: Call) -> Option<State> {
        let (mut next, alive) = (self.clone(), self.alive());
        let gets = |next: &mut State, name: Name| next.owners[name as usize] += i8::from(name != 0);
        let right = match call {
            Call::Insert(new, old) | Call::ComputeSwap(new, old) => {
                gets(&mut next, old);
                next.there = new;
                old == alive
            }
            Call::TryInsert(new, 0) => {
                next.there = new;
                alive == 0
            }
            Call::TryInsert(_, there) | Call::Get(there) => {
                gets(&mut next, there);
                there == alive
            }
            Call::GetOrInsert(new, got) | Call::Load(new, got) if got == new => {
                next.there = new;
                alive == 0
            }
            Call::GetOrInsert(_, got) | Call::Load(_, got) => {
                gets(&mut next, got);
                got == alive
            }
            Call::Contains(seen) | Call::Walk(seen) => seen == (alive != 0),
            Call::Remove(old) => {
                gets(&mut next, old);
                next.there = 0;
                old == alive
            }
            Call::RemoveExact(name, removed) => {
                if removed {
                    next.there = 0;
                }
                removed == (alive == name)
            }
            Call::Clear => {
                next.there = 0;
                true
            }
            Call::Drop(name) => {
                next.owners[name as usize] -= 1;
                true
            }
            Call::Settle(name, _) => {
                if next.owners[name as usize] == 0 {
                    next.dead |= 1 << name;
                }
                true
            }
        };
        right.then_some(next)
    }
}

/// Adds to each drop the death that it may bring: within the drop, or within the writers that overlap it.
fn with_deaths(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.from);
    let holds = |call| !matches!(call, Call::Get(_) | Call::Contains(_) | Call::Drop(_) | Call::Settle(..));
    for i in 0..events.len() {
        let Event { call: Call::Drop(name), from, mut to } = events[i] else { continue };
        loop {
            let later = events.iter().filter(|e| holds(e.call) && e.from < to && e.to > to).map(|e| e.to).max();
            let Some(later) = later else { break };
            to = later;
        }
        events.push(Event { call: Call::Settle(name, i), from, to });
    }
    events
}

/// Is there such an order?
fn is_linearizable(events: &[Event], names: usize) -> bool {
    let state = State { there: 0, owners: vec![1; names], dead: 0 };
    let all = (1_u64 << events.len()) - 1;
    let (mut been, mut todo) = (HashSet::new(), vec![(0_u64, state)]);
    while let Some((done, state)) = todo.pop() {
        if done == all {
            return true;
        }
        let left = || (0..events.len()).filter(|i| done & (1 << i) == 0);
        let first_end = left().map(|i| events[i].to).min().expect("not all are done");
        for i in left().filter(|&i| events[i].from < first_end) {
            if let Call::Settle(_, drop) = events[i].call
                && done & (1 << drop) == 0
            {
                continue; // the death comes after its drop
            }
            if let Some(next) = state.after(events[i].call) {
                let at = (done | 1 << i, next);
                if been.insert(at.clone()) {
                    todo.push(at);
                }
            }
        }
    }
    false
}

/// A history to read: one call a line, with the moments between which it ran.
fn listed(events: &[Event]) -> String {
    events.iter().map(|Event { call, from, to }| format!("\n{from}..{to} {call:?}")).collect()
}

const KEY: u64 = 7;
const THREADS: usize = 3;
const CALLS: usize = 5;

/// One thread's part of a history.
struct Actor<'a, S> {
    map: &'a WeakValueMap<u64, Name, S>,
    clock: &'a AtomicU64,
    rng: Rng,
    next: Name,
    held: Vec<Arc<Name>>,
    events: Vec<Event>,
}

impl<S: BuildHasher> Actor<'_, S> {
    /// A value of one's own, each of which is used once.
    fn new_value(&mut self) -> Arc<Name> {
        self.next += 1;
        Arc::new(self.next - 1)
    }

    fn timed(&mut self, call: impl FnOnce() -> (Call, Option<Arc<Name>>)) {
        let from = self.clock.fetch_add(1, SeqCst);
        let (call, got) = call();
        let to = self.clock.fetch_add(1, SeqCst);
        self.events.push(Event { call, from, to });
        self.held.extend(got);
    }

    fn act(&mut self) {
        let map = self.map;
        let name = |value: &Option<Arc<Name>>| value.as_deref().copied().unwrap_or(0);
        match self.rng.below(16) {
            0..3 => {
                let value = self.new_value();
                self.timed(|| {
                    let old = map.insert(KEY, &value);
                    (Call::Insert(*value, name(&old)), old)
                });
                self.held.push(value);
            }
            3 => {
                let value = self.new_value();
                self.timed(|| {
                    let there = map.try_insert(KEY, &value).err();
                    (Call::TryInsert(*value, name(&there)), there)
                });
                self.held.push(value);
            }
            4 => {
                let value = self.new_value();
                let new = *value;
                self.timed(|| {
                    let got = map.get_or_insert(KEY, value);
                    (Call::GetOrInsert(new, *got), Some(got))
                });
            }
            5 => {
                let value = self.new_value();
                let new = *value;
                self.timed(|| {
                    let got = map.get_or_insert_with(KEY, move |_| value);
                    (Call::Load(new, *got), Some(got))
                });
            }
            6 => {
                let value = self.new_value();
                self.timed(|| match map.compute(KEY, |_| Compute::Insert(value.clone())) {
                    Computed::Inserted { old, new } => {
                        drop(new);
                        (Call::ComputeSwap(*value, name(&old)), old)
                    }
                    other => unreachable!("{other:?}"),
                });
                self.held.push(value);
            }
            7 | 8 => self.timed(|| {
                let got = map.get(&KEY);
                (Call::Get(name(&got)), got)
            }),
            9 => self.timed(|| (Call::Contains(map.contains_key(&KEY)), None)),
            10 => self.timed(|| (Call::Walk(map.keys().any(|key| key == KEY)), None)),
            11 => self.timed(|| {
                let got = map.remove(&KEY);
                (Call::Remove(name(&got)), got)
            }),
            12 => {
                if let Some(value) = self.held.last().cloned() {
                    let removed = Arc::downgrade(&value);
                    let named = *value;
                    drop(value);
                    self.timed(|| (Call::RemoveExact(named, map.remove_exact(&KEY, &removed)), None));
                }
            }
            13 if self.rng.below(4) == 0 => self.timed(|| {
                map.clear();
                (Call::Clear, None)
            }),
            _ => {
                if !self.held.is_empty() {
                    let value = self.held.swap_remove(self.rng.below(self.held.len()));
                    let named = *value;
                    self.timed(|| {
                        drop(value);
                        (Call::Drop(named), None)
                    });
                }
            }
        }
    }
}

fn histories_are_linearizable<S: BuildHasher + Default + Send + Sync>(rounds: usize) {
    let _dog = watchdog();
    let seed = seed();
    let map: WeakValueMap<u64, Name, S> = WeakValueMap::builder().shards(1).hasher(S::default()).build();
    let (clock, over, barrier) = (AtomicU64::new(0), AtomicBool::new(false), Barrier::new(THREADS));
    let history: Mutex<Vec<Event>> = Mutex::default();
    let wrong: Mutex<Option<String>> = Mutex::default(); // said by one thread, so that all can stop
    thread::scope(|scope| {
        scope.spawn(|| {
            // Others come and go beside the key, and the table is resized.
            let mut rng = Rng::new(seed, THREADS);
            while !over.load(SeqCst) {
                let others: Vec<_> = (100..100 + rng.below(30) as u8).map(Arc::new).collect();
                map.extend(others.iter().map(|value| (u64::from(**value), value)));
                drop(others);
                map.shrink_to_fit();
                thread::yield_now();
            }
        });
        for thread in 0..THREADS {
            let (map, clock, barrier, history, wrong) = (&map, &clock, &barrier, &history, &wrong);
            let over = &over;
            scope.spawn(move || {
                let mut rng = Rng::new(seed, thread);
                for round in 0..rounds * long() {
                    let next = (1 + thread * CALLS) as Name;
                    let (held, events) = (Vec::new(), Vec::new());
                    let mut actor = Actor { map, clock, rng, next, held, events };
                    barrier.wait();
                    for _ in 0..CALLS {
                        actor.act();
                    }
                    history.lock().unwrap().append(&mut actor.events);
                    rng = actor.rng;
                    barrier.wait();
                    drop(actor.held); // what is left dies before the next round begins
                    if thread == 0 {
                        let events = with_deaths(std::mem::take(&mut *history.lock().unwrap()));
                        if !is_linearizable(&events, 1 + THREADS * CALLS) {
                            *wrong.lock().unwrap() = Some(format!("round {round} has no order:{}", listed(&events)));
                        }
                    }
                    barrier.wait();
                    if thread == 0 && map.contains_key(&KEY) {
                        *wrong.lock().unwrap() = Some(format!("round {round}: a key without an owner"));
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

#[test]
fn histories_of_one_key_are_linearizable() {
    histories_are_linearizable::<Good>(sized(4_000, 5));
}

#[test]
fn histories_of_one_key_among_others_of_its_hash_are_linearizable() {
    histories_are_linearizable::<FourBit>(sized(2_000, 3));
    histories_are_linearizable::<Constant>(sized(2_000, 3));
}

#[test]
fn the_search_finds_what_no_order_explains() {
    let event = |call, from, to| Event { call, from, to };
    // A value that is found after its last drop has returned.
    let late = vec![event(Call::Insert(1, 0), 0, 1), event(Call::Drop(1), 2, 3), event(Call::Get(1), 4, 5)];
    assert!(!is_linearizable(&with_deaths(late.clone()), 2));
    // A writer that overlaps the drop may have held it.
    let mut held = late.clone();
    held.push(event(Call::Insert(2, 1), 2, 6));
    assert!(is_linearizable(&with_deaths(held), 3));
    // A live value that is missed.
    let missed = vec![event(Call::Insert(1, 0), 0, 1), event(Call::Get(0), 2, 3)];
    assert!(!is_linearizable(&with_deaths(missed), 2));
    // Two winners.
    let two = vec![event(Call::GetOrInsert(1, 1), 0, 3), event(Call::GetOrInsert(2, 2), 1, 2)];
    assert!(!is_linearizable(&with_deaths(two), 3));
    // A removal that takes the successor's place.
    let successor =
        vec![event(Call::Insert(1, 0), 0, 1), event(Call::Insert(2, 1), 2, 3), event(Call::RemoveExact(1, true), 4, 5)];
    assert!(!is_linearizable(&with_deaths(successor), 3));
}
