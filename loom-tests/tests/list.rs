//! The list: each model is one race that the essays of `list/` and `table/handoff` name, named after it. Arrays of two slots at
//! first, steps of one element.

use loom::thread::spawn;
use loom_tests::{Drops, Witness, model_with_preemptions};
use std::sync::Arc as Shared;
use weakly::internals::is_pinned;
use weakly::{Arc, WeakList};

type List = WeakList<Witness>;

/// Each of these is small: at two preemptions some breaks are not found.
fn model(name: &str, f: impl Fn() + Send + Sync + 'static) {
    model_with_preemptions(name, 4, f);
}

/// A list of these, in this order.
fn list<'a>(values: impl IntoIterator<Item = &'a Arc<Witness>>) -> Shared<List> {
    let list = List::new();
    list.extend(values);
    Shared::new(list)
}

fn value() -> Arc<Witness> {
    Arc::new(Witness::new(&Drops::new()))
}

/// Nobody is inside: the list keeps `live` elements and no dead one, in no slot and in no queue.
fn quiet(list: &List, live: usize) {
    assert_eq!(list.len(), live, "len is exact when quiet");
    list.validate();
    assert_eq!(list.iter().count(), live, "a walk finds what len says");
}

/// Where each of `values` is in what a walk has seen: at one place, or nowhere.
fn places(seen: &[Arc<Witness>], values: &[&Arc<Witness>]) -> Vec<Option<usize>> {
    let place = |value: &&Arc<Witness>| {
        let mut places = (0..seen.len()).filter(|&i| Arc::ptr_eq(&seen[i], value));
        let first = places.next();
        assert_eq!(places.next(), None, "seen twice");
        first
    };
    values.iter().map(place).collect()
}

// Pushing.

#[test]
fn push_push() {
    model("list: the first push / the first push", || {
        let (list, mine, other) = (list([]), value(), value());
        let pusher = spawn({
            let (list, other) = (list.clone(), other.clone());
            move || list.push(&other)
        });
        list.push(&mine);
        pusher.join().unwrap();
        assert!(list.contains(&mine) && list.contains(&other));
        quiet(&list, 2);
    });
}

#[test]
fn push_push_rebuild() {
    model("list: push / push into a full array", || {
        let values = [value(), value(), value(), value()];
        let list = list(&values[..2]);
        let pusher = spawn({
            let (list, other) = (list.clone(), values[2].clone());
            move || list.push(&other)
        });
        list.push(&values[3]);
        pusher.join().unwrap();
        let seen = list.snapshot();
        assert!(Arc::ptr_eq(&seen[0], &values[0]) && Arc::ptr_eq(&seen[1], &values[1]), "the order of insertion");
        assert!(list.contains(&values[2]) && list.contains(&values[3]));
        quiet(&list, 4);
    });
}

#[test]
fn push_walk() {
    model("list: push / walk", || {
        let list = list([&value()]); // there is an array
        let pusher = spawn({
            let list = list.clone();
            move || {
                let mut witness = Witness::new(&Drops::new());
                witness.write();
                let value = Arc::new(witness);
                list.push(&value);
                value
            }
        });
        for value in &*list {
            assert_eq!(value.read(), 1, "what came before the push");
        }
        drop(pusher.join().unwrap());
        quiet(&list, 0);
    });
}

#[test]
fn push_death() {
    model("list: push / death of another", || {
        let (dead, new) = (value(), value());
        let list = list([&dead]);
        let dying = spawn(move || drop(dead));
        list.push(&new);
        dying.join().unwrap();
        assert!(list.contains(&new), "only the dead one was taken out");
        quiet(&list, 1);
    });
}

#[test]
fn push_death_of_an_earlier_occurrence() {
    model("list: push / the object's other owner goes", || {
        let value = value();
        let list = list([&value]);
        let dying = spawn({
            let value = value.clone();
            move || drop(value)
        });
        list.push(&value);
        drop(value);
        dying.join().unwrap();
        quiet(&list, 0);
    });
}

#[test]
fn push_remove() {
    model("list: push / remove of it", || {
        let (stays, new) = (value(), value());
        let list = list([&stays]);
        let pusher = spawn({
            let (list, new) = (list.clone(), new.clone());
            move || list.push(&new)
        });
        let removed = list.remove(&new);
        pusher.join().unwrap();
        quiet(&list, 2 - usize::from(removed));
    });
}

// Deaths.

#[test]
fn death_death() {
    model("list: death / death", || {
        let (one, two) = (value(), value());
        let list = list([&one, &two]);
        let dying = spawn(move || drop(one));
        drop(two);
        dying.join().unwrap();
        quiet(&list, 0);
    });
}

#[test]
fn post_post_unlock() {
    model("list: post / post / unlock", || {
        let (dead, other) = ([value(), value()], value());
        let list = list(&dead);
        let dying = dead.map(|dead| spawn(move || drop(dead)));
        list.push(&other); // and has the lock
        for dying in dying {
            dying.join().unwrap();
        }
        quiet(&list, 1);
    });
}

#[test]
fn remove_walk_of_a_death() {
    model("list: remove / the walk of a death", || {
        let value = value();
        let other = list([&value]);
        let one = list([&value]); // the newer hook: the death comes to it first
        let dying = spawn(move || drop(value));
        other.clear(); // retires a node that the death may be about to walk over
        dying.join().unwrap();
        quiet(&one, 0);
        quiet(&other, 0);
    });
}

#[test]
fn list_drop_death() {
    loom_tests::model("list: the list's drop / death elsewhere", || {
        let values = [value(), value()];
        let list = list(&values);
        let dying = spawn(move || drop(values));
        drop(list);
        dying.join().unwrap();
    });
}

#[test]
fn list_drop_death_of_its_only_element() {
    model("list: the drop of a list of one / its death", || {
        let value = value();
        let list = list([&value]);
        let dying = spawn(move || drop(value));
        drop(list);
        dying.join().unwrap();
    });
}

#[test]
fn clear_death() {
    model("list: clear / death", || {
        let values = [value(), value()];
        let list = list(&values);
        let [dead, stays] = values;
        let dying = spawn(move || drop(dead));
        list.clear();
        dying.join().unwrap();
        quiet(&list, 0);
        drop(stays);
    });
}

#[test]
fn clear_push_death() {
    model("list: clear, push / death", || {
        let (dead, new) = (value(), value());
        let list = list([&dead]);
        let dying = spawn(move || drop(dead));
        list.clear();
        list.push(&new); // to where the dead one was, with another number
        dying.join().unwrap();
        assert!(list.contains(&new), "only the dead one was taken out");
        quiet(&list, 1);
    });
}

#[test]
fn clear_push() {
    model("list: clear / push", || {
        let (old, new) = (value(), value());
        let list = list([&old]);
        let pusher = spawn({
            let (list, new) = (list.clone(), new.clone());
            move || list.push(&new)
        });
        list.clear();
        pusher.join().unwrap();
        quiet(&list, usize::from(list.contains(&new)));
        assert!(!list.contains(&old));
    });
}

// Removing.

#[test]
fn remove_death() {
    model("list: remove by a weak pointer / death", || {
        let value = value();
        let (list, weak) = (list([&value]), Arc::downgrade(&value));
        let dying = spawn(move || drop(value));
        let removed = list.remove_exact(&weak);
        assert!(!removed || list.is_empty(), "counted out when it returns");
        assert_eq!(list.iter().count(), 0, "removed, or dead");
        dying.join().unwrap();
        quiet(&list, 0);
    });
}

#[test]
fn remove_remove() {
    model("list: remove / remove of one occurrence", || {
        let value = value();
        let list = list([&value]);
        let remover = spawn({
            let (list, value) = (list.clone(), value.clone());
            move || list.remove(&value)
        });
        let mine = list.remove(&value);
        assert!(!list.contains(&value), "gone when it returns, whoever has the lock");
        assert!(mine ^ remover.join().unwrap(), "one wins");
        quiet(&list, 0);
    });
}

#[test]
fn remove_remove_of_two() {
    model("list: remove / remove of two occurrences", || {
        let value = value();
        let list = list([&value, &value]);
        let remover = spawn({
            let (list, value) = (list.clone(), value.clone());
            move || list.remove(&value)
        });
        let mine = list.remove(&value);
        assert!(mine && remover.join().unwrap(), "one each");
        quiet(&list, 0);
    });
}

#[test]
fn remove_post() {
    model("list: remove / push, which has the lock", || {
        let values = [value(), value(), value()];
        let list = list(&values[..2]);
        let pusher = spawn({
            let (list, new) = (list.clone(), values[2].clone());
            move || list.push(&new) // into a new array
        });
        assert!(list.remove(&values[0]));
        assert!(!list.contains(&values[0]) && list.contains(&values[1]));
        pusher.join().unwrap();
        quiet(&list, 2);
    });
}

/// Who finds an element gone sees what was done before it went.
fn gone(name: &str, take: fn(&List, &Arc<Witness>), is_gone: fn(&List, &Arc<Witness>) -> bool) {
    model(name, move || {
        let (value, written) = (value(), Shared::new(Witness::new(&Drops::new())));
        let list = list([&value]);
        let taker = spawn({
            let (list, value, written) = (list.clone(), value.clone(), written.clone());
            move || {
                written.touch();
                take(&list, &value);
            }
        });
        if is_gone(&list, &value) {
            assert_eq!(written.read(), 1, "what came before");
        }
        taker.join().unwrap();
        quiet(&list, 0);
    });
}

#[test]
fn remove_seen_shows_what_came_before() {
    gone(
        "list: remove seen / what came before",
        |list, value| _ = list.remove(value),
        |list, value| !list.contains(value),
    );
}

#[test]
fn lost_remove_shows_what_came_before() {
    gone(
        "list: remove lost / what came before",
        |list, value| _ = list.remove(value),
        |list, value| !list.remove(value),
    );
}

#[test]
fn clear_seen_shows_what_came_before() {
    gone("list: clear seen / what came before", |list, _| list.clear(), |list, value| !list.contains(value));
}

/// The object is in the list all the time, though none of its nodes is.
fn pushed_again(name: &str, room: bool, look: fn(&List, &Arc<Witness>) -> bool) {
    model(name, move || {
        let (value, other) = (value(), value());
        let list = list(if room { vec![&value] } else { vec![&value, &other] });
        let pusher = spawn({
            let (list, value) = (list.clone(), value.clone());
            move || {
                list.push(&value);
                assert!(list.remove(&value), "the first");
            }
        });
        assert!(look(&list, &value), "what is there throughout is found");
        pusher.join().unwrap();
        drop(value); // and its death comes to the one that is left
        quiet(&list, usize::from(!room));
    });
}

#[test]
fn contains_push_again() {
    pushed_again("list: contains / push again, remove the first", true, |list, value| list.contains(value));
}

#[test]
fn contains_push_again_rebuild() {
    pushed_again("list: contains / push again to a new array, remove", false, |list, value| list.contains(value));
}

/// The other thread removes as well: so here there are two to be had, or three.
#[test]
fn remove_push_again() {
    model("list: remove / push again, remove the first", || {
        let value = value();
        let list = list([&value]);
        let pusher = spawn({
            let (list, value) = (list.clone(), value.clone());
            move || {
                list.push(&value);
                list.remove(&value)
            }
        });
        assert!(list.remove(&value), "what is there until somebody else removes it is found");
        assert!(pusher.join().unwrap());
        quiet(&list, 0);
    });
}

#[test]
fn pop_pop() {
    model("list: pop / pop", || {
        let values = [value(), value()];
        let list = list(&values);
        let popper = spawn({
            let list = list.clone();
            move || list.pop().expect("one each")
        });
        let mine = list.pop().expect("one each");
        let other = popper.join().unwrap();
        assert!(!Arc::ptr_eq(&mine, &other));
        quiet(&list, 0);
    });
}

#[test]
fn pop_remove() {
    model("list: pop / remove of the same element", || {
        let value = value();
        let list = list([&value]);
        let remover = spawn({
            let (list, value) = (list.clone(), value.clone());
            move || list.remove(&value)
        });
        let popped = list.pop().is_some();
        assert!(popped ^ remover.join().unwrap(), "one wins");
        quiet(&list, 0);
    });
}

#[test]
fn clear_remove() {
    model("list: clear / remove, pop", || {
        let values = [value(), value()];
        let list = list(&values);
        let clearer = spawn({
            let list = list.clone();
            move || list.clear()
        });
        list.pop();
        list.remove(&values[0]);
        assert!(!list.contains(&values[0]));
        clearer.join().unwrap();
        quiet(&list, 0);
    });
}

#[test]
fn pop_death() {
    model("list: pop / death of the newest", || {
        let (stays, dead) = (value(), value());
        let list = list([&stays, &dead]);
        let dying = spawn(move || drop(dead));
        let first = list.pop().expect("one is alive");
        dying.join().unwrap();
        let left = usize::from(!Arc::ptr_eq(&first, &stays));
        drop(first);
        quiet(&list, left);
    });
}

/// Its destructor is user code.
struct Unpinned;

impl Drop for Unpinned {
    fn drop(&mut self) {
        assert!(!is_pinned(), "user code runs under no guard of the crate's own");
    }
}

#[test]
fn pop_remove_drop() {
    model("list: pop / remove of the same element, its last other owner", || {
        let value = Arc::new(Unpinned);
        let list = Shared::new(WeakList::from([&value]));
        let remover = spawn({
            let list = list.clone();
            move || {
                list.remove(&value);
                drop(value);
            }
        });
        drop(list.pop());
        remover.join().unwrap();
        assert!(list.is_empty());
    });
}

#[test]
fn pop_push_remove() {
    model("list: pop / push of a newer one, removal of the old", || {
        let (oldest, old, new) = (value(), value(), value());
        let list = list([&oldest, &old]);
        let pusher = spawn({
            let (list, old, new) = (list.clone(), old.clone(), new.clone());
            move || {
                list.push(&new);
                list.remove(&old);
            }
        });
        let popped = list.pop().expect("never empty");
        assert!(!Arc::ptr_eq(&popped, &oldest), "there was something newer all the time");
        pusher.join().unwrap();
    });
}

// Walking.

/// A walk while the middle one dies and the array is replaced.
fn walk(name: &str, walk: fn(&List) -> Vec<Arc<Witness>>) {
    model(name, move || {
        let values = [value(), value(), value()];
        let list = list(&values[..2]);
        let [first, dead, new] = values;
        let writer = spawn({
            let (list, new) = (list.clone(), new.clone());
            move || {
                list.push(&new); // to a new array
                drop(dead); // and out of it
            }
        });
        let seen = walk(&list);
        let places = places(&seen, &[&first, &new]);
        assert_eq!(places[0], Some(0), "what is there throughout is seen, and in order");
        assert!(places[1].is_none_or(|place| place + 1 == seen.len()), "and so is what is new");
        seen.iter().for_each(|value| _ = value.read());
        drop(seen);
        writer.join().unwrap();
        quiet(&list, 2);
    });
}

#[test]
fn walk_death_rebuild() {
    walk("list: walk / rebuild, death", |list| list.iter().collect());
}

#[test]
fn pinned_walk_death_rebuild() {
    walk("list: walk under a guard / rebuild, death", |list| list.pin().iter().collect());
}

/// The walker's own push: a walk ends with what was there when it began.
#[test]
fn walk_push_rebuild() {
    model("list: walk, push / rebuild", || {
        let values = [value(), value(), value(), value()];
        let list = list(&values[..2]);
        let pusher = spawn({
            let (list, new) = (list.clone(), values[2].clone());
            move || list.push(&new) // to a new array
        });
        let mut seen = list.iter();
        let first = seen.next().expect("two are there throughout");
        list.push(&values[3]);
        let seen: Vec<_> = [first].into_iter().chain(seen).collect();
        let places = places(&seen, &[&values[0], &values[1], &values[2], &values[3]]);
        assert_eq!(places[..2], [Some(0), Some(1)], "what is there throughout is seen, and in order");
        assert_eq!(places[3], None, "what is pushed later is not seen");
        drop(seen);
        pusher.join().unwrap();
        quiet(&list, 4);
    });
}

/// Two of three go, so that the array is sparse.
#[test]
fn walk_compaction() {
    model("list: walk / removals, compaction", || {
        let values = [value(), value(), value()];
        let list = list(&values);
        let writer = spawn({
            let (list, values) = (list.clone(), values.clone());
            move || assert!(list.remove(&values[0]) && list.remove(&values[1]))
        });
        let seen: Vec<_> = list.iter().collect();
        let places = places(&seen, &[&values[0], &values[1], &values[2]]);
        assert_eq!(places[2], Some(seen.len() - 1), "what is there throughout is seen, and in order");
        assert!(!(places[0] > places[1] && places[1].is_some()), "in order");
        drop(seen);
        writer.join().unwrap();
        quiet(&list, 1);
    });
}

#[test]
fn retain_remove() {
    model("list: retain / remove of what it refuses", || {
        let (refused, stays) = (value(), value());
        let list = list([&refused, &stays]);
        let remover = spawn({
            let (list, refused) = (list.clone(), refused.clone());
            move || assert!(list.remove(&refused) || !list.contains(&refused))
        });
        list.retain(|value| !Arc::ptr_eq(value, &refused));
        assert!(list.contains(&stays), "only what was refused goes");
        remover.join().unwrap();
        quiet(&list, 1);
    });
}

#[test]
fn retain_push() {
    model("list: retain / push, death", || {
        let values = [value(), value(), value()];
        let list = list(&values[..2]);
        let [refused, dead, new] = values;
        let writer = spawn({
            let (list, new) = (list.clone(), new.clone());
            move || {
                list.push(&new);
                drop(dead);
            }
        });
        list.retain(|value| !Arc::ptr_eq(value, &refused));
        assert!(!list.contains(&refused));
        writer.join().unwrap();
        quiet(&list, 1);
    });
}
