//! What a reader holds, and whom that holds up: nobody.

use crate::common::{Counted, Tally, flush_until, sized, together, watchdog};
use std::sync::mpsc::channel;
use std::sync::{Arc as StdArc, Barrier};
use std::thread;
use weakly::atomic::AtomicArc;
use weakly::{Arc, Compute, Interner, WeakKeyMap, WeakValueMap};

/// A value whose destructor uses its map, at the key that it had and at others.
struct Reentrant {
    key: u64,
    map: StdArc<WeakValueMap<u64, Reentrant>>,
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        let map = &self.map;
        drop((map.get(&self.key), map.remove(&(self.key + 1)), map.iter().count()));
        if self.key > 0 {
            let next = Arc::new(Reentrant { key: self.key - 1, map: map.clone() });
            map.insert(self.key, &next);
            map.insert(self.key - 1, &next);
        }
    }
}

/// What dashmap's look-ups return holds the shard's lock: a write meanwhile, on this thread or crosswise on two, or in the value's
/// `Drop`, never ends; `ArcIntern`'s `Drop` locked against itself (#7). Here nothing that is handed out holds a lock.
#[test]
fn dashmap_74_79_233_356_369_internment_7_nothing_that_is_handed_out_locks_the_map() {
    let _dog = watchdog();
    // On one thread: with everything in hand that there is.
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(1).build();
    let values: Vec<_> = (0..10).map(Arc::new).collect();
    map.extend(values.iter().map(|value| (**value, value)));
    let pinned = map.pin();
    let (got, read, key) = (map.get(&1), pinned.read(&1), pinned.get_key_value(&1));
    let (mut walk, mut pinned_walk, mut taken) = (map.iter(), pinned.iter(), map.extract_if(|key, _| *key == 5));
    let mut seen = walk.next().into_iter().count() + pinned_walk.next().into_iter().count();
    seen += taken.next().into_iter().count();
    let done = map.compute(1, |_| {
        // Inside a closure of the map's own, too.
        map.insert(2, &values[3]);
        map.retain(|key, _| {
            drop((map.get(key), map.remove(&4)));
            map.shrink_to_fit();
            true
        });
        Compute::Keep
    });
    map.insert(1, &values[7]);
    drop((pinned.remove(&1), pinned.insert(1, &values[8]), map.get_or_insert(99, values[9].clone())));
    map.reserve(1_000);
    map.clear();
    assert_eq!((map.len(), read.as_deref(), got.as_deref(), seen), (0, Some(&1), Some(&1), 3));
    assert!(key.is_some_and(|(key, _)| *key == 1));
    drop((done, walk, pinned_walk, taken, read));
    drop(pinned);
    // Crosswise: each thread looks at one key, and then writes to what the other looks at.
    for shards in [1, 64] {
        for round in 0..sized(50, 3) as u64 {
            let map: WeakValueMap<u64, u64> = WeakValueMap::builder().shards(shards).build();
            map.extend([(round, &values[0]), (round + 1, &values[1])]);
            let both = Barrier::new(2);
            together(2, |thread| {
                let (mine, other) = (round + thread as u64, round + 1 - thread as u64);
                let pinned = map.pin();
                let read = pinned.read(&mine).expect("nobody writes yet");
                both.wait();
                map.insert(other, &values[thread + 2]);
                drop(map.remove(&other));
                both.wait();
                assert_eq!(*read, thread as u64, "what was read stays as it was");
            });
            assert!(map.is_empty());
        }
    }
    // In `Drop`, whichever way a value goes.
    let map: StdArc<WeakValueMap<u64, Reentrant>> = StdArc::new(WeakValueMap::builder().shards(1).build());
    let reentrant = |key| Arc::new(Reentrant { key, map: map.clone() });
    drop(map.insert(5, &reentrant(5))); // by its last owner
    let ways: [fn(&WeakValueMap<u64, Reentrant>); 5] = [
        |map| drop(map.remove(&7)),
        |map| map.clear(),
        |map| map.retain(|_, _| false),
        |map| map.drain().for_each(drop),
        |map| drop(map.compute(7, |_| Compute::Remove)),
    ];
    for way in ways {
        let value = reentrant(7);
        map.insert(7, &value);
        let mut value = Some(value);
        assert!(map.remove_if(&7, |_, _| value.take().is_none()).is_none(), "the look's owner was the last");
        let value = reentrant(7);
        map.insert(7, &value);
        way(&map);
        drop(value);
        assert!(map.is_empty());
    }
    // An interned value that looks itself up when it goes.
    struct Name(u64, StdArc<Interner<u64>>);
    impl Drop for Name {
        fn drop(&mut self) {
            drop((self.1.get(&self.0), self.1.intern_ref(&self.0), self.1.iter().count()));
        }
    }
    let interner: StdArc<Interner<u64>> = StdArc::default();
    let names: WeakKeyMap<u64, Name> = WeakKeyMap::new();
    let seven = interner.intern_ref(&7);
    drop(names.insert(weakly::Interned::as_arc(&seven), Name(7, interner.clone())));
    drop(seven);
    assert_eq!((interner.len(), names.len()), (0, 0));
}

/// moka, papaya and scc leave destructors to the epoch: they run late, on any thread, or never. Here only memory and owned keys
/// wait for it; a value's destructor runs before the call that let it go returns, whoever holds a guard.
#[test]
fn moka_125_papaya_31_scc_150_no_values_destructor_waits_for_the_epoch() {
    let _dog = watchdog();
    let (values, keys) = (Tally::new(), Tally::new());
    let new = || Counted::new(0, &values);
    let (here, ready) = channel();
    let (go, wait) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _guard = weakly::pin(); // from before anything died until everything has
            here.send(()).unwrap();
            let _ = wait.recv();
        });
        let go = go; // goes with this scope's end, however that comes
        ready.recv().unwrap();
        let _guard = weakly::pin(); // and one of our own
        let map: WeakValueMap<Counted, Counted> = WeakValueMap::new();
        let key = |n| Counted::new(n, &keys);
        map.insert(key(1), &Arc::new(new()));
        assert_eq!(values.left(), 0, "by its last owner");
        let value = Arc::new(new());
        map.insert(key(1), &value);
        map.insert(key(1), &value); // replaced
        drop(value);
        assert_eq!(values.left(), 0);
        let mut value = Some(Arc::new(new()));
        map.insert(key(1), value.as_ref().unwrap());
        map.for_each(|_, _| drop(value.take()));
        assert_eq!(values.left(), 0, "by a walk that was the last to hold it");
        let table: WeakKeyMap<u64, Counted> = WeakKeyMap::new();
        let object = Arc::new(1);
        let put = || drop(table.insert(&object, new()));
        put();
        put();
        assert_eq!(values.left(), 1, "replaced");
        drop(table.remove(&object));
        assert_eq!(values.left(), 0, "removed");
        put();
        table.clear();
        assert_eq!(values.left(), 0, "cleared");
        put();
        table.retain(|_, _| false);
        assert_eq!(values.left(), 0, "not retained");
        put();
        drop(object);
        assert_eq!(values.left(), 0, "by its key's death");
        let object = Arc::new(1);
        drop(table.insert(&object, new()));
        drop(table);
        assert_eq!(values.left(), 0, "by its map's end");
        let slot = AtomicArc::new(Arc::new(new()));
        slot.store(Arc::new(new()));
        assert_eq!(values.left(), 1, "out of a slot");
        drop(slot);
        assert_eq!(values.left(), 0);
        // Of a thread that ends.
        thread::scope(|scope| {
            scope.spawn(|| map.extend((0..sized(100, 5) as u64).map(|n| (key(n), Arc::new(new())))));
        });
        assert_eq!((values.left(), map.len()), (0, 0));
        drop(go);
    });
    flush_until("owned keys come when no guard can see them any more", || keys.left() == 0);
}
