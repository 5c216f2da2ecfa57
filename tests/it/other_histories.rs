//! Histories of one weakly held key, of one element, and of a list: see `history`, whose search this is.

use crate::common::{Constant, FourBit, Good, sized};
use crate::history::{Actor, KEY, Kind, Lives, Model, Name, Object, Told, name, search};
use crate::world::run;
use std::hash::BuildHasher;
use std::sync::Arc as StdArc;
use weakly::generic::{WeakKeyMap, WeakList, WeakSet};
use weakly::{Arc, Cause, Compute, Computed};

/// One key of a map that holds its keys weakly: objects, and after them values.
#[derive(Clone, Copy, Debug)]
enum KeyCall {
    Insert(Name, Name, Name),
    TryInsert(Name, Name, bool),
    /// `get_or_insert` or `get_or_insert_with`: key, value, what came.
    Or(Name, Name, Name),
    ComputeSwap(Name, Name, Name),
    ComputeRemove(Name),
    Update(Name, bool),
    Get(Name),
    GetBoth(Name, Name),
    Contains(bool),
    Walk(Name),
    RemoveEntry(Name, Name),
    RemoveExact(Name, Name),
    Clear,
}

/// The key's object, and the value.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct KeyMap(Name, Name);

impl Model for KeyMap {
    type Call = KeyCall;

    fn answers(&mut self, lives: &mut Lives, call: KeyCall) -> bool {
        let KeyMap(key, value) = *self;
        match call {
            KeyCall::Insert(new, with, old) | KeyCall::ComputeSwap(new, with, old) => {
                lives.leaves(key, Cause::Replaced);
                *self = KeyMap(new, with);
                old == value
            }
            KeyCall::TryInsert(new, with, true) => {
                *self = KeyMap(new, with);
                key == 0
            }
            KeyCall::TryInsert(_, _, false) => key != 0,
            KeyCall::Or(new, with, got) if got == with => {
                *self = KeyMap(new, with);
                key == 0
            }
            KeyCall::Or(_, _, got) => got == value && key != 0,
            KeyCall::Update(with, done) => {
                if done {
                    lives.leaves(key, Cause::Replaced); // and the key is there again
                    self.1 = with;
                }
                done == (key != 0)
            }
            KeyCall::Get(got) | KeyCall::Walk(got) => got == value,
            KeyCall::GetBoth(object, got) => {
                lives.hand_out(object);
                (object, got) == (key, value)
            }
            KeyCall::Contains(seen) => seen == (key != 0),
            KeyCall::ComputeRemove(old) => {
                lives.leaves(key, Cause::Removed);
                *self = KeyMap(0, 0);
                old == value
            }
            KeyCall::RemoveEntry(object, old) => {
                lives.hand_out(object);
                lives.leaves(key, Cause::Removed);
                *self = KeyMap(0, 0);
                (object, old) == (key, value)
            }
            KeyCall::RemoveExact(object, 0) => object != key,
            KeyCall::RemoveExact(object, old) => {
                lives.leaves(key, Cause::Removed);
                *self = KeyMap(0, 0);
                (object, old) == (key, value)
            }
            KeyCall::Clear => {
                lives.cleared(key);
                *self = KeyMap(0, 0);
                true
            }
        }
    }

    fn dies(&mut self, name: Name) -> bool {
        let was_here = self.0 == name;
        if was_here {
            *self = KeyMap(0, 0);
        }
        was_here
    }

    /// A look-up by equality holds what it compares.
    fn holds(_: KeyCall) -> bool {
        true
    }
}

fn act_on_keys<A: Kind, S: BuildHasher>(map: &WeakKeyMap<A, Name, S>, actor: &mut Actor<'_, KeyMap, A>) {
    let q = &Object::new(KEY, 0);
    let what = actor.rng.below(20);
    if what < 7 {
        let (key, with) = (actor.new_object(), actor.new_name());
        let new = key.name;
        actor.call(|| {
            let call = match what {
                0 | 1 => KeyCall::Insert(new, with, map.insert(&key, with).map_or(0, |old| *old)),
                2 => KeyCall::TryInsert(new, with, map.try_insert(&key, with).is_ok()),
                3 => KeyCall::Or(new, with, map.get_or_insert(&key, with)),
                4 | 5 => KeyCall::Or(new, with, map.get_or_insert_with(&key, |_| with)),
                _ => match map.compute(&key, |_| Compute::Insert(with)) {
                    Computed::Inserted { old, .. } => KeyCall::ComputeSwap(new, with, old.unwrap_or(0)),
                    other => unreachable!("{other:?}"),
                },
            };
            (call, None)
        });
        actor.hold(key);
        return;
    }
    match what {
        7 | 8 => {
            let with = actor.new_name();
            actor.call(|| (KeyCall::Update(with, map.update(q, |_| with)), None));
        }
        9 => actor.call(|| (KeyCall::Get(map.get(q).unwrap_or(0)), None)),
        10 => actor.call(|| {
            let (key, value) = map.get_both(q).unzip();
            (KeyCall::GetBoth(name(&key), value.unwrap_or(0)), key)
        }),
        11 => actor.call(|| (KeyCall::Contains(map.contains_key(q)), None)),
        12 => actor.call(|| {
            let there = map.iter().find(|(key, _)| key.class == KEY);
            (KeyCall::Walk(there.map_or(0, |(_, value)| value)), None)
        }),
        13 => actor.call(|| {
            let (key, value) = map.remove_entry(q).unzip();
            (KeyCall::RemoveEntry(name(&key), value.map_or(0, |value| *value)), key)
        }),
        14 => {
            if let Some(key) = actor.any().cloned() {
                actor.call(|| match map.compute(&key, |_| Compute::Remove) {
                    Computed::Removed(old) => (KeyCall::ComputeRemove(old), None),
                    _ => (KeyCall::ComputeRemove(0), None),
                });
                drop(key);
            }
        }
        15 => {
            if let Some(key) = actor.any() {
                let (named, exact) = (key.name, A::downgrade(key));
                actor.call(|| (KeyCall::RemoveExact(named, map.remove_exact(&exact).map_or(0, |old| *old)), None));
            }
        }
        16 if actor.rng.below(4) == 0 => actor.call(|| {
            map.clear();
            (KeyCall::Clear, None)
        }),
        _ => actor.drop_one(),
    }
}

/// Who compares a key holds it: nobody may do so beside the history.
fn keep_other_hashes<A: Kind>(others: &mut Vec<A>, hasher: &impl BuildHasher) {
    let hash = hasher.hash_one(Object::new(KEY, 0));
    others.retain(|other| hasher.hash_one(&**other) != hash);
}

fn histories_of_keys<A: Kind, S: BuildHasher + Default + Send + Sync>(rounds: usize, shards: usize, deferred: bool) {
    let told = Told::default();
    let note = told.clone();
    let builder = WeakKeyMap::<A, Name>::builder().shards(shards).hasher(S::default());
    let builder = builder.on_removal(move |key: &A::Weak, cause| note.note_key::<A>(key, cause));
    let map = if deferred { builder.deferred_values().build() } else { builder.build() };
    let disturb = |mut others: Vec<A>| {
        keep_other_hashes(&mut others, map.hasher());
        map.extend(others.iter().map(|key| (key, 0)));
        drop(others);
        map.shrink_to_fit();
    };
    search(rounds, &told, |actor| act_on_keys(&map, actor), disturb, || !map.contains_key(&Object::new(KEY, 0)));
}

#[test]
fn histories_of_one_weak_key_are_linearizable() {
    run(|| histories_of_keys::<Arc<Object>, Good>(sized(2_000, 2), 1, false));
    run(|| histories_of_keys::<Arc<Object>, Good>(sized(500, 1), 2, false));
    run(|| histories_of_keys::<Arc<Object>, Good>(sized(500, 1), 64, false));
    run(|| histories_of_keys::<Arc<Object>, Good>(sized(1_000, 3), 1, true));
}

#[test]
fn histories_of_one_weak_key_among_others_of_its_hash_are_linearizable() {
    run(|| histories_of_keys::<Arc<Object>, FourBit>(sized(1_000, 2), 1, false));
    run(|| histories_of_keys::<Arc<Object>, Constant>(sized(1_000, 2), 1, false));
}

#[test]
fn histories_of_one_weak_key_of_a_guest_are_linearizable() {
    run(|| histories_of_keys::<StdArc<Object>, Good>(sized(3_000, 3), 1, false));
}

/// One element of a set.
#[derive(Clone, Copy, Debug)]
enum SetCall {
    Insert(Name, bool),
    /// `get_or_insert` or `get_or_insert_with`: ours, what came.
    Or(Name, Name),
    Replace(Name, Name),
    Get(Name),
    Contains(bool),
    Walk(Name),
    Take(Name),
    RemoveExact(Name, bool),
    Clear,
}

/// The element.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Set(Name);

impl Model for Set {
    type Call = SetCall;

    fn answers(&mut self, lives: &mut Lives, call: SetCall) -> bool {
        let there = self.0;
        match call {
            SetCall::Insert(new, true) => {
                self.0 = new;
                there == 0
            }
            SetCall::Insert(_, false) => there != 0,
            SetCall::Or(new, got) if got == new => {
                self.0 = new;
                there == 0
            }
            SetCall::Or(_, got) | SetCall::Get(got) | SetCall::Walk(got) => {
                lives.hand_out(got);
                got == there
            }
            SetCall::Replace(new, old) => {
                lives.hand_out(old);
                lives.leaves(there, Cause::Replaced);
                self.0 = new;
                old == there
            }
            SetCall::Contains(seen) => seen == (there != 0),
            SetCall::Take(old) => {
                lives.hand_out(old);
                lives.leaves(there, Cause::Removed);
                self.0 = 0;
                old == there
            }
            SetCall::RemoveExact(name, removed) => {
                if removed {
                    lives.leaves(there, Cause::Removed);
                    self.0 = 0;
                }
                removed == (there == name)
            }
            SetCall::Clear => {
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

    fn holds(_: SetCall) -> bool {
        true
    }
}

fn act_on_elements<A: Kind, S: BuildHasher>(set: &WeakSet<A, S>, actor: &mut Actor<'_, Set, A>) {
    let q = &Object::new(KEY, 0);
    match actor.rng.below(16) {
        0..3 => {
            let new = actor.new_object();
            actor.call(|| (SetCall::Insert(new.name, set.insert(&new)), None));
            actor.hold(new);
        }
        3..5 => {
            let new = actor.new_object();
            let named = new.name;
            actor.call(|| {
                let got = set.get_or_insert_with(q, |_| new);
                (SetCall::Or(named, got.name), Some(got))
            });
        }
        5 => {
            let new = actor.new_object();
            actor.call(|| {
                let old = set.replace(&new);
                (SetCall::Replace(new.name, name(&old)), old)
            });
            actor.hold(new);
        }
        6 | 7 => actor.call(|| {
            let got = set.get(q);
            (SetCall::Get(name(&got)), got)
        }),
        8 => actor.call(|| (SetCall::Contains(set.contains(q)), None)),
        9 => actor.call(|| {
            let got = set.iter().find(|element| element.class == KEY);
            (SetCall::Walk(name(&got)), got)
        }),
        10 => actor.call(|| {
            let got = set.take(q);
            (SetCall::Take(name(&got)), got)
        }),
        11 => {
            if let Some(element) = actor.any() {
                let (named, exact) = (element.name, A::downgrade(element));
                actor.call(|| (SetCall::RemoveExact(named, set.remove_exact(&exact)), None));
            }
        }
        12 if actor.rng.below(4) == 0 => actor.call(|| {
            set.clear();
            (SetCall::Clear, None)
        }),
        _ => actor.drop_one(),
    }
}

fn histories_of_elements<A: Kind, S: BuildHasher + Default + Send + Sync>(rounds: usize, shards: usize) {
    let told = Told::default();
    let note = told.clone();
    let builder = WeakSet::<A>::builder().shards(shards).hasher(S::default());
    let set = builder.on_removal(move |element: &A::Weak, cause| note.note_key::<A>(element, cause)).build();
    let disturb = |mut others: Vec<A>| {
        keep_other_hashes(&mut others, set.hasher());
        set.extend(&others);
        drop(others);
        set.shrink_to_fit();
    };
    search(rounds, &told, |actor| act_on_elements(&set, actor), disturb, || !set.contains(&Object::new(KEY, 0)));
}

#[test]
fn histories_of_one_element_are_linearizable() {
    run(|| histories_of_elements::<Arc<Object>, Good>(sized(2_000, 2), 1));
    run(|| histories_of_elements::<Arc<Object>, Good>(sized(500, 1), 2));
    run(|| histories_of_elements::<Arc<Object>, Good>(sized(500, 1), 64));
}

#[test]
fn histories_of_one_element_among_others_of_its_hash_are_linearizable() {
    run(|| histories_of_elements::<Arc<Object>, FourBit>(sized(1_000, 2), 1));
    run(|| histories_of_elements::<Arc<Object>, Constant>(sized(1_000, 2), 1));
}

#[test]
fn histories_of_one_guest_in_a_set_are_linearizable() {
    run(|| histories_of_elements::<StdArc<Object>, Good>(sized(3_000, 3), 1));
}

/// A list of few objects. No `clear`: to a walk at the same time it goes from element to element.
#[derive(Clone, Copy, Debug)]
enum ListCall {
    Push(Name),
    Remove(Name, bool),
    Contains(Name, bool),
    Pop(Name),
    /// The first that a walk came to. It may find none though there always was one: what is pushed meanwhile it does not see.
    First(Name),
}

/// The elements, dead or alive.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct List(Vec<Name>);

impl Model for List {
    type Call = ListCall;

    fn answers(&mut self, lives: &mut Lives, call: ListCall) -> bool {
        let List(all) = self;
        match call {
            ListCall::Push(name) => {
                all.push(name);
                true
            }
            ListCall::Remove(name, removed) => {
                let first = all.iter().position(|&there| there == name);
                if let Some(first) = first {
                    all.remove(first);
                }
                removed == first.is_some()
            }
            ListCall::Contains(name, seen) => seen == all.contains(&name),
            ListCall::Pop(name) => {
                lives.hand_out(name);
                name == all.pop().unwrap_or(0)
            }
            ListCall::First(0) => true,
            ListCall::First(name) => {
                lives.hand_out(name);
                all.first() == Some(&name)
            }
        }
    }

    /// Of a list's elements nobody is told.
    fn dies(&mut self, name: Name) -> bool {
        self.0.retain(|&there| there != name);
        false
    }

    /// Of others than its own argument.
    fn holds(call: ListCall) -> bool {
        matches!(call, ListCall::Pop(_) | ListCall::First(_))
    }
}

fn act_on_list<A: Kind>(list: &WeakList<A>, actor: &mut Actor<'_, List, A>) {
    match actor.rng.below(16) {
        0..3 => {
            let new = actor.new_object();
            actor.call(|| {
                list.push(&new);
                (ListCall::Push(new.name), None)
            });
            actor.hold(new);
        }
        what @ 3..10 => {
            if let Some(object) = actor.any().cloned() {
                actor.call(|| match what {
                    3..5 => {
                        list.push(&object);
                        (ListCall::Push(object.name), None)
                    }
                    5..8 => (ListCall::Remove(object.name, list.remove(&object)), None),
                    _ => (ListCall::Contains(object.name, list.contains(&object)), None),
                });
            }
        }
        10 => actor.call(|| {
            let got = list.pop();
            (ListCall::Pop(name(&got)), got)
        }),
        11..13 => actor.call(|| {
            let got = list.iter().next();
            (ListCall::First(name(&got)), got)
        }),
        _ => actor.drop_one(),
    }
}

fn histories_of_lists<A: Kind>(rounds: usize) {
    let list = WeakList::<A>::new();
    search(rounds, &Told::default(), |actor| act_on_list(&list, actor), drop, || list.is_empty());
}

#[test]
fn histories_of_a_list_are_linearizable() {
    run(|| histories_of_lists::<Arc<Object>>(sized(5_000, 5)));
}

#[test]
fn histories_of_a_list_of_guests_are_linearizable() {
    run(|| histories_of_lists::<StdArc<Object>>(sized(5_000, 5)));
}
