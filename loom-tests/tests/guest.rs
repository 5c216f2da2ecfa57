//! Guest mode: objects of `std`'s `Arc`, whose anchors drop some time after upgrades have failed.
//!
//! loom doesn't see `std`'s `Arc`, so `Std` stands for it here: the same steps with the same orderings as `std`'s, over loom's
//! atomics, and the same way of being held. The rest is the crate's own code.

use loom::cell::UnsafeCell;
use loom::sync::Arc as Handle;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread::spawn;
use loom_tests::small::idle;
use loom_tests::{Drops, Witness, model, model_with_preemptions};
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc as Shared;
use std::sync::atomic::{AtomicUsize as Ghost, Ordering::Relaxed};
use weakly::internals::{Head, Held, Hold, Hook, hold_anchor, is_pinned, see_death};
use weakly::std_arc::{Anchor, Observer};
use weakly::{Guard, Pointer, generic};

/// What an object is: a witness, and its anchor.
struct Guest {
    witness: Witness,
    anchor: Anchor,
}

impl Guest {
    fn new(drops: &Drops) -> Self {
        Guest { witness: Witness::new(drops), anchor: Anchor::new() }
    }
}

/// The memory of an object: `ArcInner`. When it is freed is `std`'s affair.
struct Inner {
    strong: AtomicUsize,
    value: UnsafeCell<ManuallyDrop<Guest>>,
}

// SAFETY: as `std`'s: the count keeps the value's users and its end apart, and loom checks that it does.
unsafe impl Sync for Inner {}
// SAFETY: as above.
unsafe impl Send for Inner {}

/// `std::sync::Arc`, as loom can see it.
struct Std(Shared<Inner>);

/// `std::sync::Weak`.
#[derive(Clone)]
struct StdWeak(Shared<Inner>);

impl Std {
    fn new(value: Guest) -> Self {
        let value = UnsafeCell::new(ManuallyDrop::new(value));
        Std(Shared::new(Inner { strong: AtomicUsize::new(1), value }))
    }

    /// As `std` has it: the step to 0 is Relaxed, and the fence comes after.
    fn try_unwrap(this: Self) -> Result<Guest, Self> {
        if this.0.strong.compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(this);
        }
        fence(Ordering::Acquire);
        let this = ManuallyDrop::new(this);
        // SAFETY: ours alone; taken once, for the count never leaves 0 again.
        let value = this.0.value.with_mut(|value| unsafe { ManuallyDrop::take(&mut *value) });
        // SAFETY: never used again.
        drop(unsafe { std::ptr::read(&this.0) });
        Ok(value)
    }

    fn is(&self, other: &Option<Std>) -> bool {
        other.as_ref().is_some_and(|other| Shared::ptr_eq(&self.0, &other.0))
    }
}

impl Clone for Std {
    fn clone(&self) -> Self {
        self.0.strong.fetch_add(1, Ordering::Relaxed);
        Std(self.0.clone())
    }
}

impl Deref for Std {
    type Target = Guest;
    fn deref(&self) -> &Guest {
        // SAFETY: our count keeps the value.
        self.0.value.with(|value| unsafe { &**value })
    }
}

impl Drop for Std {
    fn drop(&mut self) {
        if self.0.strong.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: the last owner.
            self.0.value.with_mut(|value| unsafe { ManuallyDrop::drop(&mut *value) });
        }
    }
}

impl StdWeak {
    /// As `std` has it: a failure is Relaxed.
    fn upgrade(&self) -> Option<Std> {
        let mut n = self.0.strong.load(Ordering::Relaxed);
        loop {
            if n == 0 {
                return None;
            }
            match self.0.strong.compare_exchange_weak(n, n + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Std(self.0.clone())),
                Err(now) => n = now,
            }
        }
    }
}

/// As the crate holds `std`'s own.
impl Hold for Std {
    type Held = (StdWeak, Held<()>);

    fn hold(this: &Self) -> Self::Held {
        (StdWeak(this.0.clone()), hold_anchor(&this.anchor))
    }
    fn head(held: &Self::Held) -> &Head<Hook> {
        <weakly::Arc<()>>::head(&held.1)
    }
    fn revive(held: &Self::Held) -> Option<Self> {
        let revived = held.0.upgrade();
        if revived.is_none() {
            see_death();
        }
        revived
    }
    fn is_alive(held: &Self::Held) -> bool {
        let alive = held.0.0.strong.load(Ordering::Relaxed) > 0;
        if !alive {
            see_death();
        }
        alive
    }
    fn address(held: &Self::Held) -> *const () {
        Shared::as_ptr(&held.0.0).cast()
    }
    fn bytes(_: &Self::Held) -> usize {
        0
    }
}

impl Pointer for Std {
    type Weak = StdWeak;
    type Snapshot<'g> = Std;
    type With<U: ?Sized> = ();

    fn downgrade(this: &Self) -> StdWeak {
        StdWeak(this.0.clone())
    }
    fn upgrade(weak: &StdWeak) -> Option<Self> {
        weak.upgrade()
    }
    fn as_ptr(this: &Self) -> *const Guest {
        &raw const **this
    }
    fn into_raw(_: Self) -> *const Guest {
        unreachable!("in no model")
    }
    unsafe fn from_raw(_: *const Guest) -> Self {
        unreachable!("in no model")
    }
    fn weak(held: &Self::Held) -> StdWeak {
        held.0.clone()
    }
    unsafe fn read<'g>(held: &Self::Held, _: &'g Guard) -> Option<Std>
    where
        Self: 'g,
    {
        Self::revive(held)
    }
    fn is_named_by(this: &Self, weak: &StdWeak) -> bool {
        Shared::ptr_eq(&this.0, &weak.0)
    }
}

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

type Map = generic::WeakValueMap<u64, Std, BuildHasherDefault<Same>>;

fn map() -> Map {
    Map::with_hasher(BuildHasherDefault::new())
}

fn object() -> (Drops, Std) {
    let drops = Drops::new();
    let object = Std::new(Guest::new(&drops));
    (drops, object)
}

/// Nobody is inside: the map keeps `live` entries and no dead one, and every entry that ever came is accounted for.
fn quiet(map: &Map, live: usize, inserted: u64) {
    idle(map.table(), live);
    let stats = map.stats();
    assert_eq!(stats.died + stats.removed + stats.replaced + stats.cleared + live as u64, inserted, "{stats:?}");
}

/// How often a callback has run: outside of loom, so exact at each of its steps.
#[derive(Clone, Default)]
struct Ran(Shared<Ghost>);

impl Ran {
    fn watch(&self, anchor: &Anchor) -> Observer {
        let (ran, capture) = (self.0.clone(), Witness::new(&Drops::new()));
        anchor.observe(move || {
            assert!(!is_pinned(), "user code under a guard of the crate's own");
            capture.read();
            ran.fetch_add(1, Relaxed);
        })
    }

    fn times(&self) -> usize {
        self.0.load(Relaxed)
    }
}

#[test]
fn look_or_last_drop() {
    model("guest: look / last drop", || {
        let (map, ran, (drops, object)) = (Shared::new(map()), Ran::default(), object());
        map.insert(1, &object);
        ran.watch(&object.anchor).detach();
        let other = spawn(move || drop(object));
        if let Some(found) = map.get(&1) {
            found.witness.read();
            assert_eq!(ran.times(), 0);
            drop(found);
        }
        other.join().unwrap();
        assert_eq!((drops.now(), ran.times()), (1, 1));
        assert!(map.get(&1).is_none() && !map.contains_key(&1));
        quiet(&map, 0, 1);
    });
}

#[test]
fn last_drop_or_map_drop() {
    model("guest: last drop / map drop", || {
        let (maps, ran, (drops, object)) = ([map(), map()], Ran::default(), object());
        maps.iter().for_each(|map| drop(map.insert(1, &object)));
        ran.watch(&object.anchor).detach();
        let [mine, kept] = maps;
        let other = spawn(move || drop(object));
        drop(mine);
        other.join().unwrap();
        assert_eq!((drops.now(), ran.times()), (1, 1));
        quiet(&kept, 0, 1);
    });
}

#[test]
fn last_drop_or_upgrade_or_map_drop() {
    model("guest: last drop / upgrade, last drop / map drop", || {
        let (map, (drops, object)) = (map(), object());
        map.insert(1, &object);
        let weak = Pointer::downgrade(&object);
        let dropper = spawn(move || drop(object));
        let upgrader = spawn(move || drop(weak.upgrade()));
        drop(map);
        dropper.join().unwrap();
        upgrader.join().unwrap();
        assert_eq!(drops.now(), 1);
    });
}

#[test]
fn last_drop_or_last_handle_of_the_map() {
    model("guest: last drop, map handle / map handle", || {
        let (map, (drops, object)) = (Handle::new(map()), object());
        map.insert(1, &object);
        let other = spawn({
            let map = map.clone();
            move || {
                drop(object);
                drop(map);
            }
        });
        drop(map);
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
    });
}

#[test]
fn last_drop_or_insert() {
    model("guest: last drop / insert of the key", || {
        let (map, (drops, old), (_, new)) = (Shared::new(map()), object(), object());
        map.insert(1, &old);
        let other = spawn(move || drop(old));
        let replaced = map.insert(1, &new);
        if let Some(replaced) = replaced {
            replaced.witness.read();
        }
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
        assert!(new.is(&map.get(&1)));
        quiet(&map, 1, 2);
    });
}

#[test]
fn last_drop_or_remove() {
    model("guest: last drop / remove", || {
        let (map, (drops, object)) = (Shared::new(map()), object());
        map.insert(1, &object);
        let weak = Std::downgrade(&object);
        let other = spawn(move || drop(object));
        map.remove_exact(&1, &weak);
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
        quiet(&map, 0, 1);
    });
}

#[test]
fn last_drop_or_clear() {
    model("guest: last drop / clear", || {
        let (map, (drops, object)) = (Shared::new(map()), object());
        map.insert(1, &object);
        let other = spawn(move || drop(object));
        map.clear();
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
        quiet(&map, 0, 1);
    });
}

#[test]
fn first_register_or_first_register() {
    model("guest: first register / first register", || {
        let (map, ran, (drops, object)) = (Shared::new(map()), [Ran::default(), Ran::default()], object());
        let other = spawn({
            let (object, ran, map) = (object.clone(), ran[1].clone(), map.clone());
            move || {
                ran.watch(&object.anchor).detach();
                map.insert(1, &object);
            }
        });
        ran[0].watch(&object.anchor).detach();
        drop(object);
        other.join().unwrap();
        assert_eq!((drops.now(), ran.each_ref().map(Ran::times)), (1, [1, 1]));
        quiet(&map, 0, 1);
    });
}

#[test]
fn register_by_upgrade_or_last_drop() {
    model("guest: upgrade, register / last drop", || {
        let (map, ran, (drops, object)) = (Shared::new(map()), [Ran::default(), Ran::default()], object());
        map.insert(1, &object);
        ran[0].watch(&object.anchor).detach();
        let other = spawn({
            let (map, ran) = (map.clone(), ran[1].clone());
            move || {
                let found = map.get(&1);
                found.map(|found| {
                    ran.watch(&found.anchor).detach();
                    map.insert(2, &found);
                })
            }
        });
        drop(object);
        let registered = usize::from(other.join().unwrap().is_some());
        assert_eq!((drops.now(), ran.each_ref().map(Ran::times)), (1, [1, registered]));
        quiet(&map, 0, 1 + registered as u64);
    });
}

#[test]
fn cancel_or_last_drop() {
    model("guest: cancel / last drop", || {
        let (ran, (drops, object)) = (Ran::default(), object());
        let observer = ran.watch(&object.anchor);
        let other = spawn(move || drop(object));
        let cancelled = observer.cancel();
        other.join().unwrap();
        assert_eq!((drops.now(), ran.times()), (1, usize::from(!cancelled)));
    });
}

#[test]
fn list_or_first_register() {
    model("guest: list watchers / first register", || {
        let (ran, (drops, object)) = (Ran::default(), object());
        let other = spawn({
            let (object, ran, turn) = (object.clone(), ran.clone(), drops.clone());
            move || {
                turn.now(); // a step that both change: of two loads loom would try one order only
                ran.watch(&object.anchor).detach();
            }
        });
        drops.now();
        assert!(object.anchor.observers().len() <= 1);
        other.join().unwrap();
        assert_eq!(object.anchor.observer_count(), 1);
        drop(object);
        assert_eq!(ran.times(), 1);
    });
}

/// No race: whoever is not wanted goes when the call's guard has gone.
#[test]
fn an_owner_that_is_not_wanted() {
    model("guest: get_or_insert of a key that is there", || {
        let (map, ran, (_, there), (drops, unwanted)) = (map(), Ran::default(), object(), object());
        map.insert(1, &there);
        ran.watch(&unwanted.anchor).detach();
        assert!(there.is(&Some(map.get_or_insert(1, unwanted))));
        assert_eq!((drops.now(), ran.times()), (1, 1));
        quiet(&map, 1, 1);
    });
}

/// The value leaves its `Arc` and goes into a new one, while others look and insert.
#[test]
fn look_or_taken_out_and_put_into_a_new_arc() {
    model("guest: look / taken out, put into a new Arc, inserted", || {
        let (map, ran, (drops, old)) = (Shared::new(map()), Ran::default(), object());
        map.insert(1, &old);
        ran.watch(&old.anchor).detach();
        let (at, taker) = (StdWeak(old.0.clone()), map.clone());
        let other = spawn(move || match Std::try_unwrap(old) {
            Err(old) => {
                drop(old);
                None
            }
            Ok(value) => {
                let new = Std::new(value);
                taker.insert(1, &new);
                Some(new)
            }
        });
        if let Some(found) = map.get(&1) {
            found.witness.read();
        }
        let new = other.join().unwrap();
        assert_eq!(
            (at.upgrade().is_none(), drops.now() + usize::from(new.is_some()), ran.times()),
            (true, 1, drops.now())
        );
        let inserted = 1 + u64::from(new.is_some());
        if let Some(new) = &new {
            assert!(new.is(&map.get(&1)));
        }
        drop(new);
        assert_eq!((drops.now(), ran.times()), (1, 1));
        quiet(&map, 0, inserted);
    });
}

#[test]
fn moved_out_drop_or_insert() {
    model("guest: drop of a value taken out / insert of the key", || {
        let (map, (drops, old), (_, new)) = (Shared::new(map()), object(), object());
        map.insert(1, &old);
        let Ok(value) = Std::try_unwrap(old) else { unreachable!("the only owner") };
        let other = spawn(move || drop(value));
        assert!(map.insert(1, &new).is_none());
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
        assert!(new.is(&map.get(&1)));
        quiet(&map, 1, 2);
    });
}

/// Both entries are the map's to unlink, for the anchor may drop when the map is gone.
#[test]
fn moved_out_drop_or_insert_and_map_drop() {
    model("guest: drop of a value taken out / insert of the key, map drop", || {
        let (map, (drops, old), (_, new)) = (map(), object(), object());
        map.insert(1, &old);
        let Ok(value) = Std::try_unwrap(old) else { unreachable!("the only owner") };
        let other = spawn(move || drop(value));
        assert!(map.insert(1, &new).is_none());
        drop(map);
        other.join().unwrap();
        assert_eq!(drops.now(), 1);
    });
}

/// How a reader looks for a key.
type Look = fn(&Map) -> bool;
const GET: Look = |map| map.get(&1).is_some();
const CONTAINS: Look = |map| map.contains_key(&1);
const WALK: Look = |map| map.keys().count() == 1;

/// A key that is always there is never missed: the writer replaces its value, and gives the old one up by `end`.
fn always_there(name: &'static str, look: Look, end: fn(Std)) {
    // At two, who looks at the count alone is not met between the two.
    model_with_preemptions(name, 3, move || {
        let (map, (drops, old), (_, new)) = (Shared::new(map()), object(), object());
        map.insert(1, &old);
        let writer = spawn({
            let (map, new) = (map.clone(), new.clone());
            move || {
                drop(map.insert(1, &new));
                end(old);
            }
        });
        assert!(look(&map), "a key that is always there is never missed");
        writer.join().unwrap();
        assert_eq!(drops.now(), 1);
        quiet(&map, 1, 2);
    });
}

/// As `try_unwrap`, or a drop if a reader has an owner too.
fn take_out(object: Std) {
    drop(Std::try_unwrap(object));
}

#[test]
fn get_or_replace_and_drop() {
    always_there("guest: get / replace, last drop", GET, drop);
}

#[test]
fn get_or_replace_and_take_out() {
    always_there("guest: get / replace, taken out", GET, take_out);
}

#[test]
fn contains_or_replace_and_take_out() {
    always_there("guest: contains / replace, taken out", CONTAINS, take_out);
}

#[test]
fn walk_or_replace_and_take_out() {
    always_there("guest: walk / replace, taken out", WALK, take_out);
}

/// The same where a third thread takes the old value out, to which the writer has handed its own owner: no step of the
/// writer on the strong word comes after its store, so only the two fences order that before the step to 0.
fn handed_on(name: &'static str, look: Look) {
    model(name, move || {
        let (map, (_, old), (_, new)) = (Shared::new(map()), object(), object());
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
            replaced.into_iter().for_each(take_out);
        });
        let found = look(&map);
        let always = writer.join().unwrap(); // then there was no time at which the key was absent
        assert!(found || !always, "a key that is always there is never missed");
        taker.join().unwrap();
        quiet(&map, 1, 2);
    });
}

#[test]
fn get_or_replace_hand_on_and_take_out() {
    handed_on("guest: get / replace, hand on / taken out", GET);
}

#[test]
fn contains_or_replace_hand_on_and_take_out() {
    handed_on("guest: contains / replace, hand on / taken out", CONTAINS);
}
