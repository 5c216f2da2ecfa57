//! Walks over collections whose entries die, or are taken out, meanwhile.

use crate::common::{Counted, Tally, assert_accounts, sized, together, watchdog};
use std::cell::RefCell;
use std::sync::{Arc as StdArc, Mutex};
use weakly::{Arc, WeakKeyMap, WeakList, WeakSet, WeakValueMap};

/// CPython's walk over a weak dictionary raised when another thread's pending removals, or its own, changed the size under it,
/// and so did a copy. Here no walk and no copy minds: what is there throughout is seen once, nothing twice.
#[test]
fn cpython_98937_79796_walks_and_copies_go_on_while_entries_die() {
    /// One collection: how it is filled, and its walks.
    fn check(fill: impl Fn(&Arc<u64>), walks: &[&(dyn Fn() -> Vec<u64> + Sync)]) {
        let n = sized(200, 12) as u64;
        let steady: Vec<_> = (0..n).map(Arc::new).collect();
        steady.iter().for_each(&fill);
        for _ in 0..sized(20, 2) {
            let dying: Vec<_> = (n..3 * n).map(Arc::new).collect();
            dying.iter().for_each(&fill);
            let dying = Mutex::new(dying);
            together(walks.len() + 1, |thread| {
                let Some(walk) = walks.get(thread) else { return dying.lock().unwrap().clear() };
                for _ in 0..3 {
                    let mut seen = walk();
                    seen.sort_unstable();
                    assert!(seen.windows(2).all(|two| two[0] != two[1]), "none twice");
                    assert!(seen.len() as u64 >= n && (0..n).eq(seen[..n as usize].iter().copied()), "none missed");
                }
            });
            for walk in walks {
                assert_eq!(walk().len() as u64, n, "nothing dead");
            }
        }
    }
    fn numbers(objects: impl IntoIterator<Item = Arc<u64>>) -> Vec<u64> {
        objects.into_iter().map(|object| *object).collect()
    }
    let _dog = watchdog();
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    check(|n| drop(map.insert(**n, n)), &[&|| numbers(map.values()), &|| map.clone().keys().collect()]);
    let keys: WeakKeyMap<u64, u64> = WeakKeyMap::builder().shards(1).build();
    check(|n| drop(keys.insert(n, **n)), &[&|| numbers(keys.keys()), &|| numbers(keys.clone().keys())]);
    let set: WeakSet<u64> = WeakSet::builder().shards(1).build();
    check(|n| assert!(set.insert(n)), &[&|| numbers(&set), &|| numbers(set.clone().snapshot())]);
    let list: WeakList<u64> = WeakList::new();
    check(|n| list.push(n), &[&|| numbers(&list), &|| numbers(list.clone())]);
}

/// A value whose destructor does all kinds of things to its map.
struct Meddler {
    counted: Counted,
    map: StdArc<WeakValueMap<u64, Meddler>>,
}

const MEDDLERS: u64 = sized(60, 20) as u64;

impl Drop for Meddler {
    fn drop(&mut self) {
        let (id, map) = (self.counted.id, &self.map);
        if id >= MEDDLERS {
            return; // made by another one's destructor
        }
        assert!(map.get(&id).is_none_or(|there| there.counted.id != id), "it has left");
        drop(map.remove(&((id + 1) % MEDDLERS)));
        let next = Meddler { counted: Counted::new(MEDDLERS + id, &Tally::new()), map: map.clone() };
        map.insert(MEDDLERS + id, &Arc::new(next));
        match id % 4 {
            0 => map.reserve(100),
            1 => map.shrink_to_fit(),
            2 => assert!(map.iter().count() as u64 <= MEDDLERS),
            _ => map.retain(|key, _| key % 5 != 0),
        }
    }
}

/// Removing in the middle of a walk is where iterators of hand-made weak maps break, and worst when the removed value's destructor
/// comes back to the map. Here a walk holds no lock between its steps, nor while it drops what it found.
#[test]
fn a_walk_may_remove_values_whose_destructors_meddle_with_the_map() {
    type Map = WeakValueMap<u64, Meddler>;
    type Owners = RefCell<Vec<Option<Arc<Meddler>>>>;
    // Each walk takes the owners of what it sees away, so that what it sees dies in it.
    let walks: [fn(&Map, &Owners); 7] = [
        |map, owners| {
            for (key, value) in map {
                drop(owners.borrow_mut().get_mut(key as usize).and_then(Option::take));
                map.remove(&key);
                drop(value);
            }
        },
        |map, owners| {
            let pinned = map.pin();
            for (&key, value) in &pinned {
                let owner = owners.borrow_mut().get_mut(key as usize).and_then(Option::take);
                pinned.remove(&key);
                drop((owner, value));
            }
        },
        |map, owners| {
            map.retain(|&key, _| {
                let owner = owners.borrow_mut().get_mut(key as usize).and_then(Option::take);
                drop(owner);
                false
            });
        },
        |map, owners| {
            let all = map.extract_if(|_, _| true);
            all.for_each(|(key, value)| {
                let owner = owners.borrow_mut().get_mut(key as usize).and_then(Option::take);
                drop((owner, value));
            });
        },
        |map, owners| {
            for (key, value) in map.drain() {
                let owner = owners.borrow_mut().get_mut(key as usize).and_then(Option::take);
                drop((value, owner));
            }
        },
        |map, owners| {
            map.for_each(|key, _| {
                let owner = owners.borrow_mut().get_mut(*key as usize).and_then(Option::take);
                map.remove(key);
                drop(owner);
            });
        },
        |map, owners| {
            let keys: Vec<_> = map.keys().collect();
            map.clear();
            for key in keys {
                let owner = owners.borrow_mut().get_mut(key as usize).and_then(Option::take);
                drop(owner);
            }
        },
    ];
    let _dog = watchdog();
    for walk in walks {
        let (map, tally) = (StdArc::new(Map::builder().shards(2).build()), Tally::new());
        let owners: Owners = RefCell::default();
        for id in 0..MEDDLERS {
            let value = Arc::new(Meddler { counted: Counted::new(id, &tally), map: map.clone() });
            map.insert(id, &value);
            owners.borrow_mut().push(Some(value));
        }
        walk(&map, &owners);
        assert!(tally.dropped() > 0, "some died in the walk");
        let rest = owners.take();
        drop(rest);
        assert_eq!((tally.left(), map.len()), (0, 0));
        assert_accounts(&map, 2 * MEDDLERS as usize);
    }
}
