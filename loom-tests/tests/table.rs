//! The table: each model is one race that the essays of `table/`, `queue` and `death/hook` name, named after it. One shard, two
//! slots a bucket, keys that are their own hashes.

use loom::sync::Mutex;
use loom::thread::spawn;
use loom_tests::small::{Small, idle};
use loom_tests::{Drops, Witness, model, model_with_preemptions, table_scripts};
use std::cell::Cell;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc as Shared;
use weakly::{Arc, Cause, Removals, generic, internals, pin};

/// Keys are their own hashes.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are u64");
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Map<K = u64> = generic::WeakValueMap<K, Arc<Witness>, BuildHasherDefault<Same>>;

fn map() -> Shared<Map> {
    Shared::new(Map::with_hasher(BuildHasherDefault::new()))
}

fn value() -> Arc<Witness> {
    Arc::new(Witness::new(&Drops::new()))
}

/// Nobody is inside: the map keeps `live` entries and no dead one, and every entry that ever came is accounted for.
fn quiet(map: &Map, live: usize, inserted: u64) {
    idle(map.table(), live);
    let stats = map.stats();
    assert_eq!(stats.died + stats.removed + stats.replaced + stats.cleared + live as u64, inserted, "{stats:?}");
}

fn is(found: &Option<Arc<Witness>>, value: &Arc<Witness>) -> bool {
    found.as_ref().is_some_and(|found| Arc::ptr_eq(found, value))
}

// Reading.

#[test]
fn read_replace_death() {
    model("read / replace / death", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                assert!(map.insert(1, &new).is_some());
                drop(old);
            }
        });
        let found = map.get(&1).expect("trap 5: a key that is always there is never missed");
        found.read();
        drop(found);
        writer.join().unwrap();
        assert!(is(&map.get(&1), &new));
        quiet(&map, 1, 2);
    });
}

/// The old value dies by being taken out, on a third thread, to which the writer has handed it.
fn taken_out(name: &str, look: fn(&Map) -> bool) {
    model(name, move || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let hand_over = Shared::new(Mutex::new(None));
        let writer = spawn({
            let (map, new, hand_over) = (map.clone(), new.clone(), hand_over.clone());
            move || {
                let replaced = map.insert(1, &new);
                let always = replaced.is_some();
                *hand_over.lock().unwrap() = replaced;
                always
            }
        });
        let taker = spawn(move || {
            drop(old);
            let replaced = hand_over.lock().unwrap().take();
            replaced.map(Arc::try_unwrap).is_some()
        });
        let found = look(&map);
        let always = writer.join().unwrap(); // then there was no time at which the key was absent
        assert!(found || !always, "trap 5: a key that is always there is never missed");
        taker.join().unwrap();
        quiet(&map, 1, 2);
    });
}

#[test]
fn read_replace_taken_out() {
    taken_out("read / replace / the old value is taken out", |map| map.get(&1).is_some());
}

#[test]
fn walk_replace_taken_out() {
    taken_out("walk / replace / the old value is taken out", |map| map.iter().count() == 1);
}

#[test]
fn get_remove_insert_again() {
    model("get / remove / insert again", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                drop(map.remove(&1));
                drop(old);
                assert!(map.insert(1, &new).is_none());
            }
        });
        if let Some(found) = map.get(&1) {
            found.read();
        }
        writer.join().unwrap();
        assert!(is(&map.get(&1), &new));
        quiet(&map, 1, 2);
    });
}

/// A key that is looked at when it is compared, and destroyed by the ripe list.
struct Looked(u64, Witness);

impl Looked {
    fn new(drops: &Drops) -> Self {
        Looked(1, Witness::new(drops))
    }
}

impl Hash for Looked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Looked {
    fn eq(&self, other: &Self) -> bool {
        self.1.read();
        other.1.read();
        self.0 == other.0
    }
}

impl Eq for Looked {}

impl Drop for Looked {
    fn drop(&mut self) {
        assert!(!internals::is_pinned(), "a key's destructor runs under a guard");
    }
}

#[test]
fn get_remove_destroy_the_key() {
    model("get / remove, and the key's destructor", || {
        let (map, kept, probe) = (Shared::new(Map::with_hasher(BuildHasherDefault::new())), Drops::new(), Drops::new());
        let value = value();
        map.insert(Looked::new(&kept), &value);
        let remover = spawn({
            let (map, probe) = (map.clone(), Looked::new(&probe));
            move || drop(map.remove(&probe))
        });
        let found = map.get(&Looked::new(&probe));
        assert!(found.is_none() || is(&found, &value));
        remover.join().unwrap();
        pin().flush();
        assert_eq!((kept.now(), probe.now()), (1, 2));
    });
}

/// Whoever has seen a new entry sees it again, by an older or a newer look at its bucket.
#[test]
fn get_again_remove_insert_again() {
    model_with_preemptions("get, get again / remove, insert again", 4, || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                map.remove(&1);
                map.insert(1, &new);
            }
        });
        if is(&map.get(&1), &new) {
            assert!(is(&map.get(&1), &new), "what was seen is seen again");
        }
        writer.join().unwrap();
        quiet(&map, 1, 2);
    });
}

#[test]
fn get_grow() {
    model("get / grow", || {
        let (map, values) = (map(), [value(), value(), value()]);
        map.insert(0, &values[0]);
        map.insert(1, &values[1]);
        let writer = spawn({
            let (map, third) = (map.clone(), values[2].clone());
            move || {
                map.insert(2, &third); // the third finds two slots
            }
        });
        assert!(is(&map.get(&1), &values[1]), "a key that is always there is never missed");
        writer.join().unwrap();
        assert!(map.capacity() > 2);
        quiet(&map, 3, 3);
    });
}

#[test]
fn get_shrink() {
    model("get / shrink", || {
        let (map, value) = (map(), value());
        map.reserve(9);
        map.insert(1, &value);
        let writer = spawn({
            let map = map.clone();
            move || map.shrink_to_fit()
        });
        assert!(is(&map.get(&1), &value), "a key that is always there is never missed");
        writer.join().unwrap();
        quiet(&map, 1, 1);
    });
}

#[test]
fn get_grow_replace_death() {
    model("get / grow, replace / death", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                map.reserve(2); // the reader has the old array, in which the key's entry will never be replaced
                drop(map.insert(1, &new));
                drop(old);
            }
        });
        assert!(map.get(&1).is_some(), "trap 5, by way of the array");
        writer.join().unwrap();
        quiet(&map, 1, 2);
    });
}

/// A key that tells loom of every comparison.
struct Key(u64, Witness);

impl Key {
    fn new(key: u64) -> Self {
        let mut witness = Witness::new(&Drops::new());
        witness.write();
        Key(key, witness)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.1.read();
        other.1.read();
        self.0 == other.0
    }
}

impl Eq for Key {}

/// The reader sees what came before the node's slot: by its tag, or by the slot alone if its tag was there before.
fn publish(name: &str, over: bool) {
    model(name, move || {
        let (map, value) = (Shared::new(Map::<Key>::with_hasher(BuildHasherDefault::new())), value());
        map.reserve(1);
        if over {
            map.insert(Key::new(1), &value);
        }
        let writer = spawn({
            let (map, value) = (map.clone(), value.clone());
            move || drop(map.insert(Key::new(1), &value))
        });
        let key = Key::new(1);
        let found = map.contains_key(&key);
        assert!(found || !over);
        writer.join().unwrap();
        assert!(map.contains_key(&key));
        drop(map);
        pin().flush(); // the keys
    });
}

#[test]
fn get_publish() {
    publish("get / publish", false);
}

#[test]
fn get_publish_over() {
    publish("get / publish over", true);
}

/// Three keys at home in one bucket of two slots: the third went past it.
#[test]
fn get_past_a_full_bucket() {
    model("get past a full bucket / remove, insert", || {
        let (map, values) = (map(), [value(), value(), value(), value()]);
        map.reserve(4);
        let home = |key: &u64| internals::Hashed::mix(*key).position() >> 31 == 0;
        let mut keys = (0..).filter(home); // of two buckets the first
        let mut key = || keys.next().expect("half of all");
        let keys = [key(), key(), key(), key()];
        for i in 0..3 {
            map.insert(keys[i], &values[i]);
        }
        let writer = spawn({
            let (map, last) = (map.clone(), values[3].clone());
            move || {
                map.remove(&keys[0]);
                map.insert(keys[3], &last);
            }
        });
        assert!(is(&map.get(&keys[2]), &values[2]), "a key that is always there is never missed");
        writer.join().unwrap();
        for i in 1..4 {
            assert!(is(&map.get(&keys[i]), &values[i]));
        }
        quiet(&map, 3, 4);
    });
}

// Writing.

#[test]
fn insert_insert() {
    model("insert / insert of one key", || {
        let (map, mine, other) = (map(), value(), value());
        let writer = spawn({
            let map = map.clone();
            move || {
                let result = map.try_insert(1, &other);
                (result, other)
            }
        });
        let my_result = map.try_insert(1, &mine);
        let (result, other) = writer.join().unwrap();
        match (my_result, result) {
            (Ok(()), Err(there)) => assert!(Arc::ptr_eq(&there, &mine)),
            (Err(there), Ok(())) => assert!(Arc::ptr_eq(&there, &other)),
            both => panic!("one winner, not {both:?}"),
        }
        quiet(&map, 1, 1);
    });
}

#[test]
fn replace_replace() {
    model("replace / replace", || {
        let (map, values) = (map(), [value(), value(), value()]);
        map.insert(1, &values[0]);
        let writer = spawn({
            let (map, mine) = (map.clone(), values[1].clone());
            move || map.insert(1, &mine)
        });
        let mine = map.insert(1, &values[2]);
        let other = writer.join().unwrap();
        let order = is(&mine, &values[0]) && is(&other, &values[2]) || is(&other, &values[0]) && is(&mine, &values[1]);
        assert!(order, "each replaced what the other had put there, or the first");
        quiet(&map, 1, 3);
    });
}

#[test]
fn insert_grow() {
    model("insert / grow", || {
        let (map, values) = (map(), [value(), value(), value(), value()]);
        map.insert(0, &values[0]);
        map.insert(1, &values[1]);
        let writer = spawn({
            let (map, third) = (map.clone(), values[2].clone());
            move || {
                map.insert(2, &third);
            }
        });
        map.insert(3, &values[3]);
        writer.join().unwrap();
        for key in 0..4 {
            assert!(is(&map.get(&key), &values[key as usize]), "no entry is lost");
        }
        quiet(&map, 4, 4);
    });
}

#[test]
fn first_insert_first_insert() {
    model("the first insert / the first insert", || {
        let (map, values) = (map(), [value(), value()]);
        let writer = spawn({
            let (map, mine) = (map.clone(), values[1].clone());
            move || {
                map.insert(1, &mine);
            }
        });
        map.insert(2, &values[0]);
        writer.join().unwrap();
        quiet(&map, 2, 2);
    });
}

// Deaths.

#[test]
fn insert_death_of_the_old_value() {
    model("insert / death of the key's old value", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let dying = spawn(move || drop(old));
        drop(map.insert(1, &new));
        dying.join().unwrap();
        assert!(is(&map.get(&1), &new), "P4: the successor stays");
        quiet(&map, 1, 2);
    });
}

#[test]
fn insert_over_a_dead_entry_successor_dies() {
    model("insert over a dead entry / the successor dies", || {
        let (map, first, old, new) = (map(), value(), value(), value());
        map.insert(2, &first); // so that the entry's slot is not the first of all
        map.insert(1, &old);
        let dying = spawn(move || drop(old));
        drop(map.insert(1, &new));
        drop(new);
        assert!(!map.contains_key(&1), "gone when gone");
        dying.join().unwrap();
        quiet(&map, 1, 3);
    });
}

#[test]
fn unlink_insert() {
    model("unlink / insert into the freed slot", || {
        let (map, dead, new) = (map(), value(), value());
        map.insert(1, &dead);
        let dying = spawn(move || drop(dead));
        map.insert(2, &new);
        assert!(is(&map.get(&2), &new));
        dying.join().unwrap();
        assert!(is(&map.get(&2), &new), "only the dead node was unlinked");
        quiet(&map, 1, 2);
    });
}

#[test]
fn death_death() {
    model("death / death", || {
        let (map, one, two) = (map(), value(), value());
        map.insert(1, &one);
        map.insert(2, &two);
        let dying = spawn(move || drop(one));
        drop(two);
        dying.join().unwrap();
        quiet(&map, 0, 2);
    });
}

#[test]
fn post_unlock() {
    model("post / unlock", || {
        let (map, dead, other) = (map(), value(), value());
        map.insert(1, &dead);
        let dying = spawn(move || drop(dead)); // finds the lock taken, now and then
        map.insert(2, &other);
        dying.join().unwrap();
        quiet(&map, 1, 2); // trap 6: an idle map keeps no dead entry
    });
}

#[test]
fn post_post_unlock() {
    model("post / post / unlock", || {
        let (map, dead, other) = (map(), [value(), value()], value());
        map.insert(1, &dead[0]);
        map.insert(2, &dead[1]);
        let dying = dead.map(|dead| spawn(move || drop(dead)));
        map.insert(3, &other);
        for dying in dying {
            dying.join().unwrap();
        }
        quiet(&map, 1, 3); // though a hold sweeps only a bounded batch
    });
}

/// One map gives a node up that the death, on its way through the object's list, may be about to come to.
fn walk_of_a_death(name: &str, give_up: fn(&Map)) {
    model(name, move || {
        let (one, other, value) = (map(), map(), value());
        other.insert(1, &value);
        one.insert(1, &value); // the newer hook: the death comes to it first
        let dying = spawn(move || drop(value));
        give_up(&other);
        dying.join().unwrap();
        quiet(&one, 0, 1);
        quiet(&other, 0, 1);
    });
}

#[test]
fn remove_walk_of_a_death() {
    walk_of_a_death("remove / the walk of a death", |map| drop(map.remove(&1)));
}

#[test]
fn clear_walk_of_a_death() {
    walk_of_a_death("clear / the walk of a death", |map| map.clear());
}

#[test]
fn clear_death() {
    model("clear / death", || {
        let (map, values) = (map(), [value(), value()]);
        map.insert(1, &values[0]);
        map.insert(2, &values[1]);
        let [dead, stays] = values;
        let dying = spawn(move || drop(dead));
        map.clear();
        dying.join().unwrap();
        assert!(map.get(&2).is_none());
        quiet(&map, 0, 2);
        drop(stays);
    });
}

#[test]
fn clear_insert() {
    model("clear / insert", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                map.insert(1, &new);
            }
        });
        map.clear();
        writer.join().unwrap();
        let live = usize::from(map.contains_key(&1));
        quiet(&map, live, 2);
    });
}

#[test]
fn map_drop_death() {
    model("the map's drop / death elsewhere", || {
        let (map, value) = (map(), value());
        map.insert(1, &value);
        let dying = spawn(move || drop(value));
        drop(map);
        dying.join().unwrap();
    });
}

/// The inserter may overwrite the dead entry only if its death is pinned: else nothing keeps the core for that.
#[test]
fn insert_over_a_dead_entry_map_drop() {
    model("insert over a dead entry / the map's drop", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let dying = spawn(move || drop(old));
        drop(map.insert(1, &new));
        drop(map);
        dying.join().unwrap();
    });
}

#[test]
fn into_iter_death() {
    model("into_iter / death elsewhere", || {
        let (map, value) = (map(), value());
        map.insert(1, &value);
        let dying = spawn(move || drop(value));
        let map = Shared::into_inner(map).expect("the only handle");
        for (key, value) in map {
            assert_eq!(key, 1);
            value.read();
        }
        dying.join().unwrap();
    });
}

// One node in two lists.

#[test]
fn two_lists_death_death() {
    model("one node in two lists: death / death", || {
        let (map, one, two) = (Small::<2>::new(), value(), value());
        map.insert([&one, &two]);
        let dying = spawn(move || drop(one));
        drop(two);
        dying.join().unwrap();
        map.idle(0);
    });
}

/// The node belongs to the first death, so the map's drop leaves it alone; the second death still finds its hook.
#[test]
fn two_lists_death_death_map_drop() {
    model_with_preemptions("one node in two lists: death / death / the map's drop", 3, || {
        let (map, one, two) = (Small::<2>::new(), value(), value());
        map.insert([&one, &two]);
        let dropping = spawn(move || drop(map));
        let second = spawn(move || drop(two));
        drop(one);
        dropping.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn twice_in_one_list_death_map_drop() {
    model("one node twice in one list: death / the map's drop", || {
        let (map, value) = (Small::<2>::new(), value());
        map.insert([&value, &value]);
        let dying = spawn(move || drop(value));
        drop(map);
        dying.join().unwrap();
    });
}

// Walking.

#[test]
fn walk_death_grow() {
    model("walk / death / grow", || {
        let (map, values, third) = (map(), [value(), value()], value());
        map.insert(1, &values[0]);
        map.insert(2, &values[1]);
        let [dead, stays] = values;
        let writer = spawn({
            let (map, third) = (map.clone(), third.clone());
            move || {
                map.insert(3, &third);
            }
        });
        let dying = spawn(move || drop(dead));
        let seen = Cell::new([0; 4]);
        map.for_each(|&key, value| {
            value.read();
            let mut now = seen.get();
            now[key as usize] += 1;
            seen.set(now);
        });
        let seen = seen.get();
        assert_eq!(seen[2], 1, "a key that is there throughout is seen exactly once");
        assert!(seen[1] <= 1 && seen[3] <= 1, "no key is seen twice");
        writer.join().unwrap();
        dying.join().unwrap();
        quiet(&map, 2, 3);
        drop(stays);
    });
}

#[test]
fn walk_replace_death() {
    model("walk / replace / death", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                drop(map.insert(1, &new));
                drop(old);
            }
        });
        assert_eq!(map.keys().count(), 1, "a key that is there throughout is seen exactly once");
        writer.join().unwrap();
        quiet(&map, 1, 2);
    });
}

#[test]
fn walk_grow_replace_death() {
    model("walk / grow, replace / death", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                map.reserve(2);
                drop(map.insert(1, &new));
                drop(old);
            }
        });
        assert_eq!(map.keys().count(), 1, "a key that is there throughout is seen exactly once");
        writer.join().unwrap();
        quiet(&map, 1, 2);
    });
}

/// A walk waits for nobody: not for a writer that has claimed a node and not yet unlinked it.
#[test]
fn walk_remove_in_a_group() {
    model("walk / remove, two keys of one hash", || {
        let (map, removed, stays) = (map(), value(), value());
        map.insert_hashed(0, 1, &removed);
        map.insert_hashed(0, 2, &stays);
        let writer = spawn({
            let map = map.clone();
            move || assert!(map.remove_hashed(0, &1).is_some())
        });
        let seen = map.keys().filter(|&key| key == 2).count();
        assert_eq!(seen, 1, "a key that is there throughout is seen exactly once");
        writer.join().unwrap();
        quiet(&map, 1, 2);
    });
}

/// The key leaves the first slot, which a walk has seen, and comes again into the second, which it has not. (One preemption is
/// enough for that, but loom finds it at a bound of 3.)
#[test]
fn walk_remove_insert_again() {
    model_with_preemptions("walk / remove, insert again", 3, || {
        let (map, values) = (map(), [value(), value(), value(), value()]);
        map.insert_hashed(0, 1, &values[0]);
        map.insert_hashed(0, 2, &values[1]);
        let writer = spawn({
            let (map, other, again) = (map.clone(), values[2].clone(), values[3].clone());
            move || {
                map.remove_hashed(0, &1);
                map.remove_hashed(0, &2);
                map.insert_hashed(0, 3, &other);
                map.insert_hashed(0, 1, &again);
            }
        });
        assert!(map.keys().filter(|&key| key == 1).count() <= 1, "no key is seen twice");
        writer.join().unwrap();
        quiet(&map, 2, 4);
    });
}

/// A walk that has come half way through two buckets finds all in one.
#[test]
fn walk_shrink() {
    model("walk / shrink", || {
        let (map, values) = (map(), [value(), value()]);
        map.reserve(4);
        let home = |key: &u64| internals::Hashed::mix(*key).position() >> 31;
        let keys = [0, 1].map(|half| (0..).find(|key| home(key) == half).expect("half of all"));
        map.insert(keys[0], &values[0]);
        map.insert(keys[1], &values[1]);
        let writer = spawn({
            let map = map.clone();
            move || map.shrink_to_fit()
        });
        assert_eq!(map.keys().collect::<Vec<_>>(), keys, "each key once, in the order of the hashes");
        writer.join().unwrap();
        quiet(&map, 2, 2);
    });
}

// Notices.

fn notices(removals: &Removals<u64>) -> Vec<(u64, Cause)> {
    removals.try_iter().collect()
}

#[test]
fn subscribe_post_sweep() {
    model("subscribe / post / sweep", || {
        let (map, dead, other) = (map(), value(), value());
        map.insert(1, &dead);
        let writer = spawn({
            let (map, other) = (map.clone(), other.clone());
            move || {
                map.insert(2, &other); // may have the lock since before the subscription, and sweep after the death
            }
        });
        let removals = map.removals();
        drop(dead);
        assert_eq!(notices(&removals), [(1, Cause::Died)], "P1: when the last drop returns, its notice can be read");
        writer.join().unwrap();
        assert_eq!(notices(&removals), [], "told once");
        quiet(&map, 1, 2);
    });
}

#[test]
fn try_next_death_map_drop() {
    model("try_next / death / the map's drop", || {
        let (map, value) = (map(), value());
        map.insert(1, &value);
        let removals = map.removals();
        let dying = spawn(move || drop(value));
        let dropping = spawn(move || drop(map));
        let mut seen = notices(&removals);
        dying.join().unwrap();
        dropping.join().unwrap();
        seen.extend(notices(&removals));
        assert!(seen == [(1, Cause::Died)] || seen == [(1, Cause::Cleared)], "exactly once: {seen:?}");
    });
}

#[test]
fn unsubscribe_death_map_drop() {
    model("unsubscribe / death / the map's drop", || {
        let (map, value) = (map(), value());
        map.insert(1, &value);
        let removals = map.removals();
        let dying = spawn(move || drop(value));
        let dropping = spawn(move || drop(map));
        drop(removals);
        dying.join().unwrap();
        dropping.join().unwrap();
    });
}

#[test]
fn notice_remove_death() {
    model("notices: remove / death", || {
        let (map, value) = (map(), value());
        map.insert(1, &value);
        let removals = map.removals();
        let dying = spawn(move || drop(value));
        drop(map.remove(&1));
        dying.join().unwrap();
        let seen = notices(&removals);
        assert!(seen == [(1, Cause::Died)] || seen == [(1, Cause::Removed)], "exactly once: {seen:?}");
        quiet(&map, 0, 1);
    });
}

/// Its destructor is user code.
struct Unpinned;

impl Drop for Unpinned {
    fn drop(&mut self) {
        assert!(!internals::is_pinned(), "user code runs under no guard of the crate's");
    }
}

/// An owner that a walk or a look-up has made may turn out to be the last.
#[test]
fn last_owner_unpinned() {
    model("a look-up's owner is the last", || {
        let map =
            generic::WeakValueMap::<u64, Arc<Unpinned>, BuildHasherDefault<Same>>::with_hasher(Default::default());
        let entry = || {
            let value = Arc::new(Unpinned);
            map.insert(1, &value);
            Cell::new(Some(value))
        };
        let value = entry();
        map.for_each(|_, _| drop(value.take()));
        let value = entry();
        map.retain(|_, _| value.take().is_some());
        let value = entry();
        map.retain(|_, _| value.take().is_none());
        let value = entry();
        assert_eq!(map.extract_if(|_, _| value.take().is_none()).count(), 0);
        let value = entry();
        assert!(map.remove_if(&1, |_, _| value.take().is_none()).is_none());
        let value = entry();
        map.compute(1, |_| {
            if value.take().is_some() {
                map.clear(); // so that it has to look again, with nobody else left
            }
            generic::Compute::Remove
        });
        // Nor when the closure that let go of it panics.
        let panics = |f: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
        let give_up = |value: &Cell<Option<Arc<Unpinned>>>| -> bool {
            drop(value.take());
            resume_unwind(Box::new("given up"));
        };
        let value = entry();
        panics(&|| map.for_each(|_, _| _ = give_up(&value)));
        let value = entry();
        panics(&|| map.retain(|_, _| give_up(&value)));
        let value = entry();
        panics(&|| _ = map.remove_if(&1, |_, _| give_up(&value)));
        let value = entry();
        panics(&|| {
            map.compute(1, |_| {
                give_up(&value);
                generic::Compute::Keep
            });
        });
        idle(map.table(), 0);
    });
}

#[test]
fn listener_dropped_death() {
    model("a map's drop with its listener / death", || {
        let (value, part) = (value(), Unpinned);
        let map = generic::WeakValueMap::<u64, Arc<Witness>>::builder()
            .hasher(BuildHasherDefault::<Same>::new())
            .on_removal(move |_, _| _ = &part)
            .build();
        map.insert(1, &value);
        let dying = spawn(move || drop(value));
        drop(map);
        dying.join().unwrap();
    });
}

// All at once.

#[test]
fn scripts() {
    for scenario in table_scripts::SCENARIOS {
        table_scripts::model(scenario);
    }
}
