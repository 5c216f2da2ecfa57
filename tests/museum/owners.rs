//! Who owns what: values that hold their map, looks that become owners, copies of owners, and what is in use.

use crate::common::{Constant, Counted, Hooked, Tally, assert_unpinned, sized, together, watchdog};
use crate::help::{Shelf, in_step};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, Weak as StdWeak};
use std::thread;
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, Proxy, WeakKeyMap, WeakSet, WeakValueMap, finalize};

/// A .NET table whose value holds the table was never collected as long as its key lived. Here that is documented, for cycles are
/// not collected; but the key's death ends it, a value map has no such cycle at all, and `remove` ends what never dies.
#[test]
fn corefx_19765_a_value_that_holds_its_map_goes_with_its_key() {
    type Keys<T> = WeakKeyMap<u64, (Counted, T)>;
    struct ByKey(#[expect(dead_code, reason = "held")] StdArc<Keys<ByKey>>);
    struct ByValue(#[expect(dead_code, reason = "held")] StdArc<WeakValueMap<u64, (Counted, ByValue)>>);
    struct Known(StdWeak<Keys<Known>>);

    let _dog = watchdog();
    let tally = Tally::new();
    let key = Arc::new(1);
    // The map is its value's, and the value the map's.
    let map: StdArc<Keys<ByKey>> = StdArc::default();
    let known = StdArc::downgrade(&map);
    drop(map.insert(&key, (Counted::new(1, &tally), ByKey(map.clone()))));
    drop(map);
    assert_eq!((known.strong_count(), tally.left()), (1, 1), "a cycle, as documented");
    drop(key);
    assert_eq!((known.strong_count(), tally.left()), (0, 0), "which the key's death ends");
    // As above, but the value knows the map weakly: nothing keeps it.
    let key = Arc::new(1);
    let map: StdArc<Keys<Known>> = StdArc::default();
    let known = StdArc::downgrade(&map);
    drop(map.insert(&key, (Counted::new(1, &tally), Known(known.clone()))));
    assert!(map.with(&key, |(_, map)| map.0.ptr_eq(&known)).unwrap());
    drop(map);
    assert_eq!((known.strong_count(), tally.left(), Arc::observer_count(&key)), (0, 0, 0));
    // A weakly held value that holds its map is no cycle: the map goes inside the value's death.
    let map: StdArc<WeakValueMap<u64, (Counted, ByValue)>> = StdArc::default();
    let known = StdArc::downgrade(&map);
    let value = Arc::new((Counted::new(1, &tally), ByValue(map.clone())));
    map.insert(1, &value);
    drop(map);
    assert_eq!((known.strong_count(), tally.left()), (1, 1));
    drop(value);
    assert_eq!((known.strong_count(), tally.left()), (0, 0));
    // A value that owns its own key: that never dies by itself, and is taken out by hand.
    let map: WeakKeyMap<u64, (Counted, Arc<u64>)> = WeakKeyMap::new();
    let weak = Arc::downgrade(&key);
    drop(map.insert(&key, (Counted::new(1, &tally), key.clone())));
    drop(key);
    (0..100).for_each(|_| weakly::pin().flush());
    assert_eq!((map.len(), tally.left()), (1, 1), "no ephemeron, as documented");
    drop(map.remove(&1));
    assert_eq!((map.len(), tally.left(), weak.is_alive()), (0, 0, false));
}

/// In free-threaded CPython, to ask whether a reference is dead made the asker its last owner, and ran the destructor there.
/// Here asking never makes an owner; and a comparison, which must, lets go of it when no lock and no guard is held any more.
#[test]
fn cpython_128008_a_look_runs_no_destructor_or_runs_it_where_it_may_do_anything() {
    thread_local! {
        static DROPS: Cell<bool> = const { Cell::new(false) };
    }
    struct Here;
    impl Drop for Here {
        fn drop(&mut self) {
            assert!(DROPS.get(), "on the thread that let the last owner go");
        }
    }
    let _dog = watchdog();
    let rounds = sized(500, 20);
    let map: WeakValueMap<usize, Here> = WeakValueMap::new();
    let objects: Vec<_> = (0..rounds).map(|_| Arc::new(Here)).collect();
    let looks: Vec<_> = objects.iter().map(|object| (Arc::downgrade(object), Proxy::new(object))).collect();
    map.extend(objects.iter().enumerate());
    let objects = Shelf::new(objects);
    let look = |round: usize| {
        let (weak, proxy) = &looks[round];
        while weak.is_alive() {
            let _ = (proxy.is_alive(), map.contains_key(&round), weak.strong_count());
            assert!(map.len() <= rounds && map.keys().take(1).count() <= 1 && map.weak_values().take(1).count() <= 1);
        }
        assert!(!proxy.is_alive() && !map.contains_key(&round));
    };
    let let_go = |round| {
        DROPS.set(true);
        drop(objects.take(round));
    };
    in_step(rounds, [&let_go, &look]);

    // A key that dies while it is compared: the look-up is its last owner.
    type Look = fn(&WeakSet<Hooked, Constant>, &WeakKeyMap<Hooked, u64, Constant>);
    let looks: [Look; 8] = [
        |set, _| _ = set.contains(&Hooked::new(1)),
        |set, _| drop(set.get(&Hooked::new(2))),
        |set, _| _ = set.insert(&Arc::new(Hooked::new(2))),
        |set, _| _ = set.remove(&Hooked::new(1)),
        |set, _| drop(set.get_or_insert_with(&Hooked::new(1), |_| Arc::new(Hooked::new(1)))),
        |_, map| _ = map.get(&Hooked::new(1)),
        |_, map| drop(map.insert(&Arc::new(Hooked::new(1)), 2)),
        |_, map| drop(map.remove(&Hooked::new(1))),
    ];
    for look in looks {
        let set: StdArc<WeakSet<Hooked, Constant>> =
            StdArc::new(WeakSet::builder().shards(1).hasher(Default::default()).build());
        let map: StdArc<WeakKeyMap<Hooked, u64, Constant>> =
            StdArc::new(WeakKeyMap::builder().shards(1).hasher(Default::default()).build());
        let key = Arc::new(Hooked::new(1));
        set.insert(&key);
        drop(map.insert(&key, 1));
        let (destroyed, inner) = (StdArc::new(AtomicBool::new(false)), (set.clone(), map.clone()));
        let tell = destroyed.clone();
        key.on_drop.set(move || {
            assert_unpinned();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let three = Arc::new(Hooked::new(3));
                    inner.0.insert(&three);
                    drop(inner.1.insert(&three, 3));
                    inner.0.shrink_to_fit();
                });
            });
            tell.store(true, SeqCst);
        });
        let weak = Arc::downgrade(&key);
        let last = Mutex::new(Some(key));
        weak.upgrade().unwrap().on_eq.set(move || drop(last.lock().unwrap().take()));
        look(&set, &map);
        assert!(destroyed.load(SeqCst), "before the look returned");
        assert!(!weak.is_alive() && set.len() <= 1 && map.len() <= 1);
    }
}

/// A value with an anchor, and its copies.
#[derive(Clone)]
struct Handle {
    n: u64,
    anchor: Anchor,
}

impl Anchored for Handle {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// A shallow copy of Go's `os.Root` ran, when it went, the cleanup of the one that was still in use. Here a watch is the
/// object's, not the value's: clones of owners, of values and of anchors neither end it early nor run it twice.
#[test]
fn go_74574_copies_end_no_watch_early_and_none_runs_twice() {
    fn count(calls: &StdArc<AtomicUsize>) -> impl FnOnce() + Send + 'static + use<> {
        let calls = calls.clone();
        move || _ = calls.fetch_add(1, SeqCst)
    }
    let calls = StdArc::new(AtomicUsize::new(0));
    let map: WeakValueMap<u64, String> = WeakValueMap::new();
    let original = Arc::new("root".to_string());
    map.insert(1, &original);
    let call = count(&calls);
    Arc::observe(&original, move |_| call()).detach();
    let finalizer = finalize(&original, count(&calls));
    let mut copy = original.clone();
    Arc::make_mut(&mut copy).push_str(", copied"); // an object of its own
    assert_eq!((Arc::observer_count(&copy), Arc::observer_count(&original)), (0, 3));
    drop((copy, Arc::new((*original).clone()), Arc::unwrap_or_clone(original.clone()), finalizer.clone()));
    let raw = Arc::into_raw(original.clone());
    // SAFETY: of `into_raw`, once.
    drop(unsafe { Arc::from_raw(raw) });
    assert_eq!((calls.load(SeqCst), map.len(), finalizer.is_alive()), (0, 1, true));
    together(2, |_| drop(original.clone()));
    drop(original);
    assert_eq!((calls.load(SeqCst), map.len(), finalizer.call()), (2, 0, None), "once each");

    let calls = StdArc::new(AtomicUsize::new(0));
    let guests: std_arc::WeakValueMap<u64, Handle> = std_arc::WeakValueMap::new();
    let mut original = StdArc::new(Handle { n: 1, anchor: Anchor::new() });
    guests.insert(1, &original);
    original.anchor.observe(count(&calls)).detach();
    let copy = (*original).clone();
    assert_eq!((copy.n, copy.anchor.observer_count()), (1, 0), "a copy's anchor is a fresh one");
    drop((copy, StdArc::new((*original).clone())));
    let other = original.clone();
    StdArc::make_mut(&mut original).n = 2; // the other one is the object that was there
    assert_eq!((calls.load(SeqCst), guests.get(&1).map(|there| there.n)), (0, Some(1)));
    drop(original);
    assert_eq!((calls.load(SeqCst), guests.len()), (0, 1));
    drop(other);
    assert_eq!((calls.load(SeqCst), guests.len()), (1, 0));
}

/// A channel of a registry.
struct Channel {
    heard: Mutex<Vec<u64>>,
}

/// Bun collected a channel that had subscribers, for nobody but the registry knew it. Here whatever a registry hands out is an
/// owner - a handle, a snapshot under a guard, an element that a walk yields - and as long as one is there, all find the same.
#[test]
fn bun_43086_what_is_in_use_is_there_for_all_who_look_it_up() {
    let _dog = watchdog();
    let new = || Channel { heard: Mutex::default() };
    let channels: WeakValueMap<&str, Channel> = WeakValueMap::builder().shards(1).build();
    let subscription = channels.get_or_insert_with("news", |_| Arc::new(new()));
    let rounds = sized(500, 8) as u64;
    together(3, |thread| {
        for n in 0..rounds {
            if thread == 0 {
                // As rough as it gets for what nobody holds.
                channels.insert("other", &Arc::new(new()));
                channels.reserve(50);
                channels.shrink_to_fit();
                weakly::pin().flush();
            } else {
                let channel = channels.get_or_insert_with("news", |_| unreachable!("it is in use"));
                channel.heard.lock().unwrap().push(n);
            }
        }
    });
    assert_eq!(subscription.heard.lock().unwrap().len() as u64, 2 * rounds, "every message came");
    {
        let pinned = channels.pin();
        let snapshot = pinned.read("news").unwrap(); // an ordinary value's is an owner
        drop(subscription);
        assert!(channels.get("news").is_some_and(|there| std::ptr::eq(&raw const *there, &raw const *snapshot)));
    }
    assert!(channels.is_empty(), "nobody uses it any more");
    let mut first = Some(channels.get_or_insert_with("news", |_| Arc::new(new())));
    for (name, channel) in &channels {
        drop(first.take());
        assert!(channels.get(name).is_some_and(|there| Arc::ptr_eq(&there, &channel)), "a walk's element");
    }
    assert!(channels.is_empty());
    // A deferred value dies with its last owner, but who reads it under a guard may read on.
    let channel = Arc::new_deferred(new());
    channels.insert("news", &channel);
    let pinned = channels.pin();
    let snapshot = pinned.read("news").unwrap();
    drop(channel);
    weakly::pin().flush();
    assert!(channels.get("news").is_none() && snapshot.heard.lock().unwrap().is_empty());
}
