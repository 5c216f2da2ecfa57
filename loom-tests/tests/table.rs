//! The table: each model one race that the essays of `table/` name, over a `WeakValueMap` of one shard, two slots a bucket.

use loom::sync::Mutex;
use loom::thread::spawn;
use loom_tests::{Drops, Witness, model};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc as Shared;
use weakly::{Arc, generic, pin};

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

type Map = generic::WeakValueMap<u64, Arc<Witness>, BuildHasherDefault<Same>>;

fn map() -> Shared<Map> {
    Shared::new(Map::with_hasher(BuildHasherDefault::new()))
}

fn value() -> Arc<Witness> {
    Arc::new(Witness::new(&Drops::new()))
}

/// Nobody is inside: the map keeps `live` entries and no dead one, in no slot and in no queue.
fn idle(map: &Map, live: usize) {
    assert_eq!(map.len(), live, "len is exact when quiet");
    let Some(core) = map.table().core() else { return };
    for shard in core.shards() {
        assert_eq!(shard.posted(), 0, "an idle map keeps no posted node");
    }
    let used: usize = core.shards().iter().map(|s| s.lock(core, &pin()).books().used).sum();
    assert_eq!(used, live, "an idle map keeps no dead entry");
}

#[test]
fn read_replace_death() {
    model("read / replace / death", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                let replaced = map.insert(1, &new);
                assert!(replaced.is_some());
                drop(replaced);
                drop(old);
            }
        });
        assert!(map.get(&1).is_some(), "trap 5: a key that is always there is never missed");
        writer.join().unwrap();
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &new));
        idle(&map, 1);
    });
}

#[test]
fn insert_death() {
    model("insert / death of the key's old value", || {
        let (map, old, new) = (map(), value(), value());
        map.insert(1, &old);
        let dying = spawn(move || drop(old));
        let replaced = map.insert(1, &new);
        drop(replaced);
        dying.join().unwrap();
        assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &new), "P4: the successor stays");
        idle(&map, 1);
        let stats = map.stats();
        assert_eq!(stats.died + stats.replaced, 1);
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
        idle(&map, 1);
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
fn subscribe_post_sweep() {
    model("subscribe / post / sweep", || {
        let (map, dead, other) = (map(), value(), value());
        map.insert(1, &dead);
        let writer = spawn({
            let (map, other) = (map.clone(), other.clone());
            move || {
                map.insert(2, &other);
            }
        });
        let removals = map.removals();
        drop(dead);
        writer.join().unwrap();
        assert_eq!(removals.try_next(), Some((1, generic::Cause::Died)), "told of what left after the subscription");
        assert_eq!(removals.try_next(), None, "told once");
        idle(&map, 1);
    });
}

#[test]
fn post_then_read_the_notice() {
    model("post / try_next", || {
        let (map, dead, other) = (map(), value(), value());
        map.insert(1, &dead);
        let removals = map.removals();
        let writer = spawn({
            let (map, other) = (map.clone(), other.clone());
            move || {
                map.insert(2, &other);
            }
        });
        drop(dead);
        assert_eq!(removals.try_next(), Some((1, generic::Cause::Died)), "P1: when the last drop has returned, its notices can be read");
        writer.join().unwrap();
        idle(&map, 1);
    });
}

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
        idle(&map, 1);
    });
}

struct Unpinned;
impl Drop for Unpinned {
    fn drop(&mut self) {
        assert!(!weakly::internals::is_pinned(), "a listener's destructor runs under no guard of the crate's");
    }
}

#[test]
fn listener_dropped_death() {
    model("a listener is dropped / death", || {
        let unpinned = Unpinned;
        let map = generic::WeakValueMap::<u64, Arc<Witness>>::builder().hasher(BuildHasherDefault::<Same>::new()).on_removal(move |_, _| _ = &unpinned).build();
        let v = value();
        map.insert(1, &v);
        let dying = spawn(move || drop(v));
        drop(map);
        dying.join().unwrap();
    });
}
