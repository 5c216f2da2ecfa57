//! A key whose old object dies, and the new object that takes its place: who removes what.

use crate::common::{Constant, Hooked, assert_accounts, sized, watchdog};
use crate::help::{Guest, Shelf, in_step, long_death, until_dead};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc as StdArc, Mutex};
use weakly::{Arc, Compute, Weak, WeakKeyMap, WeakList, WeakValueMap, std_arc};

/// Lets `old` die, and between its death and the cleanup of its entry puts an equal successor there, which is returned.
fn dies_in_favour_of(old: StdArc<Guest>, put: impl FnOnce(&StdArc<Guest>) + Send + 'static) -> StdArc<Guest> {
    let (tx, rx) = channel();
    let n = old.n;
    old.on_drop.set(move || {
        let new = Guest::new(n);
        put(&new);
        tx.send(new).unwrap();
    });
    drop(old);
    rx.try_recv().expect("its destructor has run")
}

/// Node and Bun removed by name what a dead channel had left, and took the channel that had come since (CPython's
/// `WeakValueDictionary` did, too: bpo-28427). Here what a death takes out is its own node, never a key.
#[test]
fn node_59910_bun_43088_bpo_28427_a_late_cleanup_spares_the_successor() {
    let _dog = watchdog();
    let map: StdArc<std_arc::WeakValueMap<u64, Guest>> = StdArc::default();
    let old = Guest::new(1);
    map.insert(1, &old);
    let inner = map.clone();
    let new = dies_in_favour_of(old, move |new| assert!(inner.insert(1, new).is_none(), "the old one is dead"));
    assert!(StdArc::ptr_eq(&map.get(&1).expect("spared"), &new));
    assert_eq!((map.len(), map.stats().died, map.stats().replaced), (1, 1, 0));

    let map: StdArc<std_arc::WeakKeyMap<Guest, &str>> = StdArc::default();
    let old = Guest::new(1);
    map.insert(&old, "old");
    let inner = map.clone();
    let new = dies_in_favour_of(old, move |new| assert!(inner.insert(new, "new").is_none()));
    assert_eq!((map.get(&new), map.len()), (Some("new"), 1));

    let interner: StdArc<std_arc::Interner<Guest>> = StdArc::default();
    let old = Guest::new(1);
    drop(interner.intern_arc(old.clone()));
    let inner = interner.clone();
    let new = dies_in_favour_of(old, move |new| {
        assert!(StdArc::ptr_eq(std_arc::Interned::as_arc(&inner.intern_arc(new.clone())), new));
    });
    assert!(StdArc::ptr_eq(std_arc::Interned::as_arc(&interner.get(&*new).expect("spared")), &new));

    // And on two threads, while a third keeps the shard busy, so that cleanups wait for it.
    let (rounds, list) = (sized(150, 10), WeakList::new());
    let map: WeakValueMap<usize, usize> = WeakValueMap::builder().shards(1).build();
    let old: Vec<_> = (0..rounds).map(Arc::new).collect();
    for old in &old {
        map.insert(**old, old);
        long_death(old, &list);
    }
    let weak: Vec<_> = old.iter().map(Arc::downgrade).collect();
    let (old, successors, there) = (Shelf::new(old), Mutex::new(Vec::new()), AtomicUsize::new(0));
    in_step(
        rounds,
        [
            &|round| drop(old.take(round)),
            &|round| {
                until_dead(&weak[round]);
                let new = Arc::new(round);
                assert!(map.insert(round, &new).is_none());
                successors.lock().unwrap().push(new);
                there.fetch_add(1, SeqCst);
            },
            &|round| {
                while there.load(SeqCst) <= round {
                    map.reserve(rounds * 4);
                    map.shrink_to_fit();
                }
            },
        ],
    );
    for new in successors.into_inner().unwrap() {
        assert!(Arc::ptr_eq(&map.get(&*new).expect("spared"), &new));
    }
    assert_eq!((map.len(), map.stats().died), (0, 2 * rounds as u64), "the last of them went in the loop above");
}

/// Caffeine lost a `put` whose key's old value was being collected just then. Here the write either finds the old entry alive
/// and replaces it, or takes another place, and no death touches that.
#[test]
fn caffeine_568_a_put_over_a_dying_value_is_not_lost() {
    type Put = fn(&WeakValueMap<Hooked, u64>, Hooked, &Arc<u64>);
    let puts: [Put; 6] = [
        |map, key, new| drop(map.insert(key, new)),
        |map, key, new| map.try_insert(key, new).expect("the old one died while it was looked at"),
        |map, key, new| drop(map.get_or_insert(key, new.clone())),
        |map, key, new| drop(map.get_or_insert_with(key, |_| new.clone())),
        |map, key, new| drop(map.compute(key, |_| Compute::Insert(new.clone()))),
        |map, key, new| map.extend([(key, new)]),
    ];
    let _dog = watchdog();
    for put in puts {
        let map: WeakValueMap<Hooked, u64> = WeakValueMap::new();
        let (old, new) = (Arc::new(1), Arc::new(2));
        map.insert(Hooked::new(7), &old);
        let key = Hooked::new(7);
        key.on_eq.set(move || drop(old)); // in the middle of the look-up
        put(&map, key, &new);
        assert!(Arc::ptr_eq(&map.get(&Hooked::new(7)).expect("not lost"), &new));
        assert_eq!((map.len(), map.stats().died, map.stats().replaced), (1, 1, 0));
    }
    let (rounds, list) = (sized(500, 10), WeakList::new());
    let values: WeakValueMap<usize, usize> = WeakValueMap::builder().shards(1).build();
    let keys: WeakKeyMap<usize, &str> = WeakKeyMap::builder().shards(1).build();
    let dying = Shelf::new((0..rounds).map(|n| {
        let old = Arc::new(n);
        values.insert(n, &old);
        keys.insert(&old, "old");
        long_death(&old, &list);
        old
    }));
    let new: Vec<_> = (0..rounds).map(Arc::new).collect();
    in_step(
        rounds,
        [&|round| drop(dying.take(round)), &|round| {
            values.insert(round, &new[round]);
            drop(keys.insert(&new[round], "new"));
        }],
    );
    for new in &new {
        assert!(Arc::ptr_eq(&values.get(&**new).expect("not lost"), new));
        assert_eq!(keys.get(new), Some("new"));
    }
    assert_eq!((values.len(), keys.len()), (rounds, rounds));
    assert_accounts(&values, 2 * rounds);
}

/// A value that takes its entry out in its destructor.
struct Session {
    map: StdArc<WeakValueMap<u64, Session, Constant>>,
    me: Weak<Session>,
    exactly: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.exactly {
            assert!(!self.map.remove_exact(&1, &self.me), "its own entry has left before");
        } else {
            drop(self.map.remove(&1));
        }
    }
}

/// A session, which dies when its successor is there already; is that still there after?
fn successor_survives(exactly: bool) -> bool {
    let map: StdArc<WeakValueMap<u64, Session, Constant>> = StdArc::default();
    let session = || Arc::new_cyclic(|me| Session { map: map.clone(), me: me.clone(), exactly });
    let old = session();
    map.insert(1, &old);
    let new = session();
    map.insert(1, &new);
    drop(old);
    map.get(&1).is_some_and(|there| Arc::ptr_eq(&there, &new))
}

/// The hazard that every map of handles has, and that the docs name: a destructor that removes *by key* removes whoever has
/// the key by then.
#[test]
fn a_destructor_that_removes_by_key_takes_its_successor_along() {
    let _dog = watchdog();
    assert!(!successor_survives(false));
}

/// And the way out of it: `remove_exact` removes this object's entry or none.
#[test]
fn a_destructor_that_removes_exactly_spares_its_successor() {
    let _dog = watchdog();
    assert!(successor_survives(true));
}
