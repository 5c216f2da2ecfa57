//! Users' code that panics at its n-th call, re-enters the map, or drops it: the map stays whole and its books exact.

use crate::common::{
    Constant, Counted, Fuse, Planned, Tally, flush_until, panics_as_planned, planned, seed, sized, together, watchdog,
};
use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, OnceLock, Weak as StdWeak};
use std::thread;
use weakly::{Arc, Cause, Compute, Cursor, Equivalent, Weak, WeakValueMap};

/// The places at which a map calls its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Hash,
    Eq,
    Clone,
    DropKey,
    DropValue,
    DropCapture,
    ValueEq,
    Format,
    Closure,
    Loader,
    Listener,
    Callback,
}

const FAULTS: [Fault; 12] = [
    Fault::Hash,
    Fault::Eq,
    Fault::Clone,
    Fault::DropKey,
    Fault::DropValue,
    Fault::DropCapture,
    Fault::ValueEq,
    Fault::Format,
    Fault::Closure,
    Fault::Loader,
    Fault::Listener,
    Fault::Callback,
];

/// What users' code does when its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It panics.
    Panic,
    /// It uses the map.
    Reenter,
    /// It waits for another thread that uses the map: a lock that is held meanwhile would hang both.
    Visit,
}

/// What keys, values, closures and listeners of one scene share.
#[derive(Default)]
struct World {
    /// The fault that is to come, at which call, and its effect.
    fuse: Fuse<Fault, Effect>,
    map: OnceLock<StdWeak<Map>>,
    /// What re-entrant code has inserted.
    guests: Mutex<Vec<Arc<Value>>>,
    keys: StdArc<Tally>,
    values: StdArc<Tally>,
    captures: StdArc<Tally>,
    ids: AtomicUsize,
    /// Which key was told of, and why.
    told: Mutex<Vec<(usize, Cause)>>,
    /// Of which value's death a callback was called.
    called: Mutex<Vec<u64>>,
}

impl World {
    /// Does what is to be done, if this call is the one.
    fn burn(self: &StdArc<Self>, fault: Fault) {
        let Some(effect) = self.fuse.burn(fault) else { return };
        match effect {
            Effect::Panic => planned(),
            Effect::Reenter => self.visit(),
            Effect::Visit => {
                let world = self.clone();
                thread::spawn(move || world.visit()).join().expect("the visitor gets through");
            }
        }
    }

    /// Uses the map, if it is still there, in every way that takes a lock.
    fn visit(self: &StdArc<Self>) {
        let Some(map) = self.map.get().and_then(StdWeak::upgrade) else { return };
        for n in [3, 50] {
            let guest = self.value();
            self.guests.lock().unwrap().push(guest.clone());
            map.insert(Key::new(n, self), &guest);
        }
        map.insert(Key::new(51, self), &self.value()); // dies at once
        map.remove(&self.name(2));
        assert!(map.get(&self.name(50)).is_some() && map.iter().count() > 0);
        map.retain(|key, _| key.name.n != 1);
        map.reserve(20);
        map.shrink_to_fit();
        map.get_or_insert_with(Key::new(52, self), |_| self.value());
    }

    fn name(self: &StdArc<Self>, n: u32) -> Name {
        Name { n, world: self.clone() }
    }

    /// A value with a callback, which nobody but the caller holds.
    fn value(self: &StdArc<Self>) -> Arc<Value> {
        let id = self.values.made() as u64;
        let value = Arc::new(Value { counted: Counted::new(id, &self.values), world: self.clone() });
        let held = capture(self);
        Arc::observe(&value, move |value| {
            let _held = held;
            value.world.called.lock().unwrap().push(value.counted.id);
            value.world.burn(Fault::Callback);
        })
        .detach();
        value
    }
}

/// A key's name: what is looked up by.
struct Name {
    n: u32,
    world: StdArc<World>,
}

/// A key: a name, and which of the keys of that name it is.
struct Key {
    name: Name,
    id: usize,
    counted: Counted,
}

impl Key {
    fn new(n: u32, world: &StdArc<World>) -> Self {
        let id = world.ids.fetch_add(1, SeqCst);
        Key { name: Name { n, world: world.clone() }, id, counted: Counted::new(0, &world.keys) }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.world.burn(Fault::Hash);
        state.write_u32(self.n);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Equivalent<Key> for Name {
    fn equivalent(&self, key: &Key) -> bool {
        self.world.burn(Fault::Eq);
        self.n == key.name.n
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name.equivalent(other)
    }
}

impl Eq for Key {}

impl Borrow<Name> for Key {
    fn borrow(&self) -> &Name {
        &self.name
    }
}

impl ToOwned for Name {
    type Owned = Key;
    fn to_owned(&self) -> Key {
        self.world.burn(Fault::Clone);
        Key::new(self.n, &self.world)
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        self.name.to_owned()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The count goes with the field, however this ends.
        self.name.world.burn(Fault::DropKey);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.world.burn(Fault::Format);
        write!(f, "{}#{}", self.name.n, self.counted.id)
    }
}

/// A value.
struct Value {
    counted: Counted,
    world: StdArc<World>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.world.burn(Fault::ValueEq);
        self.counted.id == other.counted.id
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.world.burn(Fault::Format);
        write!(f, "{}", self.counted.id)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.world.burn(Fault::DropValue);
    }
}

/// What a closure holds.
struct Capture {
    _counted: Counted,
    world: StdArc<World>,
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.world.burn(Fault::DropCapture);
    }
}

fn capture(world: &StdArc<World>) -> Capture {
    Capture { _counted: Counted::new(0, &world.captures), world: world.clone() }
}

type Map = WeakValueMap<Key, Value, Constant>;

/// A map of six live entries at one place of one shard, one more value with two entries, and a listener.
struct Scene {
    world: StdArc<World>,
    held: RefCell<Vec<Arc<Value>>>,
    last: Cell<Option<Arc<Value>>>,
}

/// Names that are there, that share the value that is about to die, and that are not there.
const THERE: [u32; 6] = [0, 1, 2, 3, 4, 5];
const LAST: [u32; 2] = [6, 7];
const ABSENT: u32 = 9;

impl Scene {
    fn new() -> (Scene, StdArc<Map>) {
        let scene = Scene { world: StdArc::default(), held: RefCell::default(), last: Cell::default() };
        let map = StdArc::new(scene.map());
        let _ = scene.world.map.set(StdArc::downgrade(&map));
        for n in THERE {
            map.insert(scene.key(n), &scene.value());
        }
        map.insert(scene.key(ABSENT), &scene.unheld()); // was there once
        let last = scene.unheld();
        for n in LAST {
            map.insert(scene.key(n), &last);
        }
        scene.last.set(Some(last));
        (scene, map)
    }

    /// A map that tells nobody.
    fn other(&self) -> Map {
        WeakValueMap::with_hasher(Constant::default())
    }

    /// A map that tells this world.
    fn map(&self) -> Map {
        let (world, held) = (self.world.clone(), capture(&self.world));
        let listener = move |key: &Key, cause| {
            let _held = &held;
            world.told.lock().unwrap().push((key.id, cause));
            world.burn(Fault::Listener);
        };
        WeakValueMap::builder().shards(1).hasher(Constant::default()).on_removal(listener).build()
    }

    fn key(&self, n: u32) -> Key {
        Key::new(n, &self.world)
    }

    fn name(&self, n: u32) -> Name {
        self.world.name(n)
    }

    /// A value that nobody but the caller holds.
    fn unheld(&self) -> Arc<Value> {
        self.world.value()
    }

    /// A value that lives as long as the scene.
    fn value(&self) -> Arc<Value> {
        let value = self.unheld();
        self.held.borrow_mut().push(value.clone());
        value
    }

    /// A closure's answer.
    fn says<R>(&self, answer: R) -> R {
        self.world.burn(Fault::Closure);
        answer
    }

    /// A loader's answer.
    fn load(&self) -> Arc<Value> {
        let (held, value) = (capture(&self.world), self.value());
        self.world.burn(Fault::Loader);
        drop(held); // not at the end: a panic there would leak what is returned (rust-lang/rust#47949)
        value
    }

    /// Which keys are in the map.
    fn present(map: &Map) -> BTreeSet<usize> {
        map.pin().keys().map(|key| key.id).collect()
    }

    /// Every entry is in the map once or was told of once, the map's figures say the same, and no object has a hook too
    /// many or too few.
    fn check(&self, map: Option<&Map>, before: &BTreeSet<usize>) {
        let told = self.world.told.lock().unwrap().clone();
        let present = map.map_or_else(BTreeSet::new, Scene::present);
        let ids: BTreeSet<usize> = told.iter().map(|&(id, _)| id).chain(present.iter().copied()).collect();
        assert_eq!(ids.len(), told.len() + present.len(), "none twice: {told:?} {present:?}");
        assert!(before.is_subset(&ids), "none lost: {before:?} {told:?} {present:?}");
        let Some(map) = map else { return };
        let stats = map.stats();
        assert_eq!((stats.len, stats.pending_removals), (present.len(), 0));
        let count = |cause| told.iter().filter(|&&(_, c)| c == cause).count() as u64;
        let counted = [Cause::Died, Cause::Removed, Cause::Replaced, Cause::Cleared].map(count);
        assert_eq!([stats.died, stats.removed, stats.replaced, stats.cleared], counted);
        let mut entries: BTreeMap<u64, usize> = BTreeMap::new();
        map.for_each(|_, value| *entries.entry(value.counted.id).or_default() += 1);
        let guests = self.world.guests.lock().unwrap().clone();
        for value in self.held.borrow().iter().chain(&guests) {
            let own = entries.get(&value.counted.id).copied().unwrap_or(0);
            assert_eq!(Arc::observer_count(value), own + 1, "the entries and the callback");
        }
        // And it still works.
        for (key, value) in &map.pin() {
            assert!(Arc::ptr_eq(&map.get(&key.name).expect("what a walk finds is found"), &value));
        }
        let value = self.value();
        map.insert(self.key(77), &value);
        assert!(map.contains_key(&self.name(77)) && map.remove(&self.name(77)).is_some());
    }

    /// After everything has gone: each was dropped once, each callback called once.
    fn end(self) {
        drop(self.last.take());
        self.held.borrow_mut().clear();
        let world = self.world;
        drop(std::mem::take(&mut *world.guests.lock().unwrap()));
        let mut called = world.called.lock().unwrap().clone();
        called.sort();
        assert_eq!(called, (0..world.values.made() as u64).collect::<Vec<_>>(), "each callback once");
        assert_eq!((world.values.left(), world.captures.left()), (0, 0));
        flush_until("every key is dropped", || world.keys.left() == 0);
    }
}

/// What an operation does with the map.
enum Op {
    /// Borrows it. True: if the key's or the closures' code panics, nothing has changed.
    On(bool, fn(&Scene, &Map)),
    /// Takes it.
    Of(fn(&Scene, Map)),
}

/// An operation twice: on the plain face and on the pinned one.
macro_rules! on {
    ($ops:ident, $($name:literal $atomic:literal |$s:ident, $m:ident| $body:expr;)*) => {$(
        $ops.push((concat!($name, ", plain"), Op::On($atomic, |$s, $m| { let _ = $body; })));
        $ops.push((concat!($name, ", pinned"), Op::On($atomic, |$s, map| { let $m = map.pin(); let _ = $body; })));
    )*};
}

/// Every operation of the map, on what is there, on what is not, and on what is about to die.
fn operations() -> Vec<(&'static str, Op)> {
    let mut ops: Vec<(&'static str, Op)> = Vec::new();
    on! { ops,
        "insert new" true |s, m| m.insert(s.key(ABSENT), &s.value());
        "insert over" true |s, m| m.insert(s.key(3), &s.value());
        "insert what dies at once" false |s, m| m.insert(s.key(3), &s.unheld());
        "insert hashed" true |s, m| m.insert_hashed(0, s.key(3), &s.value());
        "try_insert new" true |s, m| m.try_insert(s.key(ABSENT), &s.value());
        "try_insert over" true |s, m| m.try_insert(s.key(3), &s.value());
        "get" true |s, m| (m.get(&s.name(3)), m.get(&s.name(ABSENT)));
        "get hashed" true |s, m| m.get_hashed(0, &s.name(3));
        "contains_key" true |s, m| (m.contains_key(&s.name(3)), m.contains_key(&s.name(ABSENT)));
        "get_or_insert new" true |s, m| m.get_or_insert(s.key(ABSENT), s.value());
        "get_or_insert hit" true |s, m| m.get_or_insert(s.key(3), s.value());
        "remove" true |s, m| m.remove(&s.name(3));
        "remove absent" true |s, m| m.remove(&s.name(ABSENT));
        "remove hashed" true |s, m| m.remove_hashed(0, &s.name(3));
        "remove what dies" false |s, m| { drop(s.last.take()); m.remove(&s.name(6)) };
        "remove_if" true |s, m| m.remove_if(&s.name(3), |_, _| s.says(true));
        "remove_if not" true |s, m| m.remove_if(&s.name(3), |_, _| s.says(false));
        "remove_exact" true |s, m| {
            let exact = Arc::downgrade(&s.held.borrow()[3]);
            m.remove_exact(&s.name(3), &exact)
        };
        "remove_exact of another" true |s, m| m.remove_exact(&s.name(3), &Weak::new());
        "remove_entry" true |s, m| m.remove_entry(&s.name(3));
        "pop" true |_s, m| m.pop();
        "compute insert new" true |s, m| m.compute(s.key(ABSENT), |_| s.says(Compute::Insert(s.value())));
        "compute insert over" true |s, m| m.compute(s.key(3), |_| s.says(Compute::Insert(s.value())));
        "compute keep" true |s, m| m.compute(s.key(3), |_| s.says(Compute::Keep));
        "compute remove" true |s, m| m.compute(s.key(3), |_| s.says(Compute::Remove));
        "len and figures" true |_s, m| (m.len(), m.is_empty(), m.capacity(), m.shards(), m.stats(), m.pending_removals());
        "reserve" true |_s, m| m.reserve(100);
        "try_reserve" true |_s, m| m.try_reserve(usize::MAX);
        "shrink_to" true |_s, m| m.shrink_to(10);
        "shrink_to_fit" true |_s, m| m.shrink_to_fit();
        "run_pending_removals" true |_s, m| m.run_pending_removals();
        "clear" false |_s, m| m.clear();
        "retain some" false |s, m| m.retain(|key, _| s.says(key.name.n % 2 == 0));
        "extract_if" false |s, m| m.extract_if(|key, _| s.says(key.name.n % 2 == 0)).count();
        "drain" false |_s, m| m.drain().count();
        "drain a little" false |_s, m| m.drain().next();
        "values" true |_s, m| (m.values().count(), m.weak_values().count());
        "for_each" true |s, m| m.for_each(|_, _| s.says(()));
        "for_each in which a value dies" false |s, m| m.for_each(|_, _| {
            drop(s.last.take());
            s.says(());
        });
        "scan" true |_s, m| m.scan(Cursor::default(), 3);
        "snapshot" true |_s, m| m.snapshot();
        "debug" true |_s, m| format!("{m:?}");
        "subscribe, remove, read" false |s, m| {
            let removals = m.removals();
            m.remove(&s.name(3));
            drop(s.last.take());
            removals.try_iter().count()
        };
        "last drop" false |s, m| { drop(s.last.take()); m.len() };
        "last drop by unwrapping" false |s, m| { drop(Arc::into_inner(s.last.take().unwrap())); m.len() };
        "upgrade, remove, last drop" false |s, m| { let last = m.get(&s.name(6)); s.last.take(); m.remove(&s.name(7)); last };
    }
    macro_rules! plain {
        ($($name:literal $atomic:literal |$s:ident, $m:ident| $body:expr;)*) => {$(
            ops.push(($name, Op::On($atomic, |$s, $m| { let _ = $body; })));
        )*};
    }
    plain! {
        "load new" true |s, m| m.get_or_insert_with(s.key(ABSENT), |_| s.load());
        "load hit" true |s, m| m.get_or_insert_with(s.key(3), |_| s.load());
        "load new, by ref" true |s, m| m.get_or_insert_with_ref(&s.name(ABSENT), |_| s.load());
        "load hit, by ref" true |s, m| m.get_or_insert_with_ref(&s.name(3), |_| s.load());
        "try load new" true |s, m| m.get_or_try_insert_with(s.key(ABSENT), |_| Ok::<_, Planned>(s.load()));
        "try load error" true |s, m| m.get_or_try_insert_with(s.key(ABSENT), |_| Err(s.says(Planned)));
        "try load new, by ref" true |s, m| m.get_or_try_insert_with_ref(&s.name(ABSENT), |_| Ok::<_, Planned>(s.load()));
        "try load error, by ref" true |s, m| m.get_or_try_insert_with_ref(&s.name(ABSENT), |_| Err(s.says(Planned)));
        "load while another inserts" false |s, m| m.get_or_insert_with(s.key(ABSENT), |_| {
            m.insert(s.key(ABSENT), &s.value());
            s.load()
        });
        "iter" true |_s, m| m.iter().count();
        "keys" true |_s, m| m.keys().count();
        "extend" false |s, m| m.extend((0..3).map(|n| (s.key(n * 3), s.value())));
        "extend by borrowed" false |s, m| {
            let values = [s.value(), s.value()];
            m.extend(values.iter().zip([ABSENT, 3]).map(|(value, n)| (s.key(n), value)));
        };
        "clone" true |_s, m| m.clone();
        "union" true |s, m| {
            let other = s.other();
            other.insert(s.key(3), &s.value());
            m | &other
        };
        "submap" true |s, m| {
            let other = s.other();
            other.insert(s.key(3), &s.held.borrow()[3]);
            (other.is_submap(m), m.is_submap(&other), other.domain_is_subset(m))
        };
        "equal" true |s, m| {
            let other = s.other();
            m.for_each(|key, value| drop(other.insert(s.key(key.name.n), value)));
            (*m == other, m.pin() == other.pin())
        };
    }
    macro_rules! owning {
        ($($name:literal |$s:ident, $m:ident| $body:expr;)*) => {$(
            ops.push(($name, Op::Of(|$s, $m| { let _ = $body; })));
        )*};
    }
    owning! {
        "drop" |_s, m| drop(m);
        "into_iter" |_s, m| m.into_iter().count();
        "into_iter, one" |_s, m| m.into_iter().next();
        "into_keys" |_s, m| m.into_keys().count();
        "into_values" |_s, m| m.into_values().count();
        "drop, then the last drop" |s, m| { drop(m); s.last.take() };
        "the last drop, then drop" |s, m| { drop(s.last.take()); drop(m) };
        "union into" |s, m| {
            let mut m = m;
            let other = s.other();
            other.insert(s.key(3), &s.value());
            m |= &other;
        };
    }
    ops
}

/// Says which case it was, if the test fails.
struct Case<'a>(&'a str, Fault, usize, Effect);

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}: {:?} in the {}. {:?}", self.0, self.3, self.2, self.1);
        }
    }
}

/// One operation in which users' code does what it should not at its `n`th call. Whether there was such a call.
fn play(name: &str, op: &Op, fault: Fault, n: usize, effect: Effect) -> bool {
    let _case = Case(name, fault, n, effect);
    let (scene, map) = Scene::new();
    let mut map = Some(map);
    let (before, told) = (Scene::present(map.as_ref().unwrap()), scene.world.told.lock().unwrap().len());
    scene.world.fuse.light(fault, n, effect);
    let panicked = panics_as_planned(|| match op {
        Op::On(_, run) => run(&scene, map.as_ref().unwrap()),
        Op::Of(run) => run(&scene, StdArc::into_inner(map.take().unwrap()).unwrap()),
    });
    let burnt = !scene.world.fuse.put_out();
    assert!(!panicked || !matches!(fault, Fault::Listener | Fault::Callback), "contained");
    let users_own = !matches!(fault, Fault::DropKey | Fault::DropValue | Fault::DropCapture);
    if panicked && users_own && matches!(op, Op::On(true, _)) {
        assert_eq!(Scene::present(map.as_ref().unwrap()), before, "nothing has changed");
        assert_eq!(scene.world.told.lock().unwrap().len(), told);
    }
    scene.check(map.as_deref(), &before);
    drop(map);
    scene.check(None, &before);
    scene.end();
    burnt
}

/// Plays every operation with every fault at every call.
fn play_all(effect: Effect) {
    let _dog = watchdog();
    let mut burnt = BTreeSet::new();
    let seed = if cfg!(miri) { seed() as usize } else { 0 };
    for (i, (name, op)) in operations().iter().enumerate() {
        for (j, fault) in FAULTS.into_iter().enumerate() {
            if !(i * FAULTS.len() + j + seed).is_multiple_of(sized(1, 40)) {
                continue; // Miri plays a different part of them with each seed
            }
            for n in 1..=sized(12, 1) {
                if !play(name, op, fault, n, effect) {
                    break;
                }
                burnt.insert(fault);
            }
        }
    }
    if !cfg!(miri) {
        assert_eq!(burnt, BTreeSet::from(FAULTS), "every kind of call was reached");
    }
}

#[test]
fn a_panic_at_any_call_of_any_operation_leaves_a_whole_map() {
    play_all(Effect::Panic);
}

#[test]
fn code_that_uses_the_map_at_any_call_of_any_operation_gets_through() {
    play_all(Effect::Reenter);
}

#[test]
fn another_thread_gets_through_at_any_call_of_any_operation() {
    play_all(Effect::Visit);
}

/// A value that does something with its map when it is dropped.
struct Dropper {
    map: StdArc<WeakValueMap<u64, Dropper>>,
    key: u64,
    me: Weak<Dropper>,
    then: fn(&Dropper),
}

impl Drop for Dropper {
    fn drop(&mut self) {
        (self.then)(self);
    }
}

/// A value of `map` under `key`.
fn dropper(map: &StdArc<WeakValueMap<u64, Dropper>>, key: u64, then: fn(&Dropper)) -> Arc<Dropper> {
    let value = Arc::new_cyclic(|me| Dropper { map: map.clone(), key, me: me.clone(), then });
    map.insert(key, &value);
    value
}

#[test]
fn a_destructor_may_remove_its_own_key() {
    let _dog = watchdog();
    let map: StdArc<WeakValueMap<u64, Dropper>> = StdArc::default();
    drop(dropper(&map, 1, |me| assert!(me.map.remove(&me.key).is_none(), "it has left already")));
    drop(dropper(&map, 1, |me| assert!(!me.map.remove_exact(&me.key, &me.me))));
    drop(dropper(&map, 1, |me| assert!(me.map.remove_if(&me.key, |_, _| unreachable!()).is_none())));
    drop(dropper(&map, 1, |me| assert!(me.map.get(&me.key).is_none() && me.map.is_empty())));
    assert_eq!((map.len(), map.stats().died, map.stats().removed), (0, 4, 0));
}

#[test]
fn a_destructor_that_removes_exactly_spares_its_successor() {
    let _dog = watchdog();
    let map: StdArc<WeakValueMap<u64, Dropper>> = StdArc::default();
    let old = dropper(&map, 1, |me| assert!(!me.map.remove_exact(&me.key, &me.me)));
    let new = dropper(&map, 1, |_| ());
    drop(old);
    assert!(Arc::ptr_eq(&map.get(&1).unwrap(), &new), "the successor is there");
    // By key it would be the successor that goes: what `remove_exact` is for.
    let old = dropper(&map, 2, |me| assert!(me.map.remove(&me.key).is_some()));
    let new = dropper(&map, 2, |_| ());
    drop(old);
    assert!(map.get(&2).is_none() && Arc::observer_count(&new) == 0);
}

#[test]
fn destructors_that_remove_exactly_race_with_successors() {
    let _dog = watchdog();
    let map: StdArc<WeakValueMap<u64, Dropper>> = StdArc::new(WeakValueMap::builder().shards(1).build());
    together(4, |_| {
        for n in 0..sized(3_000, 10) as u64 {
            let value = dropper(&map, n % 2, |me| assert!(!me.map.remove_exact(&me.key, &me.me)));
            let there = map.get(&(n % 2));
            // Whoever is there is alive, and whoever took our key did so after us.
            assert!(there.is_none_or(|there| Arc::ptr_eq(&there, &value) || there.key == value.key));
        }
    });
    let stats = map.stats();
    assert_eq!((map.len(), stats.removed), (0, 0), "a destructor's own entry is out before it runs");
    assert_eq!(stats.died + stats.replaced, 4 * sized(3_000, 10) as u64);
}

#[test]
fn a_callback_may_do_anything_to_its_map() {
    let _dog = watchdog();
    type Shared = StdArc<Mutex<Option<StdArc<WeakValueMap<u64, u64>>>>>;
    type Act = fn(&WeakValueMap<u64, u64>, &[Arc<u64>]);
    let acts: [Act; 8] = [
        |map, held| drop(map.insert(1, &held[0])), // its own key
        |map, held| map.extend(held.iter().map(|v| (**v, v))),
        |map, _| drop((map.remove(&1), map.remove(&10), map.pop())),
        |map, _| map.clear(),
        |map, _| map.retain(|_, _| false),
        |map, _| map.shrink_to_fit(),
        |map, held| drop(map.get_or_insert_with(1, |_| held[1].clone())),
        |map, _| drop(map.insert(77, &Arc::new(77))), // a death within the death
    ];
    for act in acts {
        let held: Vec<_> = (10..20).map(Arc::new).collect();
        let map: Shared = StdArc::new(Mutex::new(Some(StdArc::default())));
        let whole = map.lock().unwrap().clone().unwrap();
        whole.extend(held[..5].iter().map(|v| (**v, v)));
        let dying = Arc::new(1);
        whole.insert(1, &dying);
        let (called, inner) = (StdArc::new(AtomicUsize::new(0)), whole.clone());
        let (counter, keep) = (called.clone(), held.clone());
        Arc::observe(&dying, move |one| {
            assert!((*one, inner.get(one)) == (1, None), "whole, and out already");
            act(&inner, &keep);
            counter.fetch_add(1, SeqCst);
        })
        .detach();
        drop(dying);
        assert_eq!((called.load(SeqCst), whole.pending_removals()), (1, 0));
        assert_eq!(whole.iter().count(), whole.len());
        assert!(whole.iter().all(|(k, v)| whole.get(&k).is_some_and(|there| Arc::ptr_eq(&there, &v))));
    }
    // And drop it.
    let held = Arc::new(2);
    let map: Shared = StdArc::new(Mutex::new(Some(StdArc::default())));
    let dying = Arc::new(1);
    if let Some(map) = &*map.lock().unwrap() {
        map.extend([(1, &dying), (2, &held)]);
    }
    let last = map.clone();
    Arc::observe(&dying, move |_| drop(last.lock().unwrap().take())).detach();
    drop(dying);
    assert!(map.lock().unwrap().is_none() && Arc::observer_count(&held) == 0);
}

#[test]
fn a_listener_may_use_and_drop_its_map() {
    let _dog = watchdog();
    type Slot = StdArc<Mutex<Option<StdArc<WeakValueMap<u64, u64>>>>>;
    let (slot, told) = (Slot::default(), StdArc::new(Mutex::new(Vec::new())));
    let (inner, log) = (slot.clone(), told.clone());
    let listener = move |key: &u64, cause| {
        log.lock().unwrap().push((*key, cause));
        let map = inner.lock().unwrap().clone();
        if let (Some(map), true) = (map, *key < 100) {
            assert!(map.get(key).is_none() && !map.keys().any(|k| k == *key), "it is out");
            map.insert(key + 100, &Arc::new(0)); // dies at once: told of in here
            if *key == 3 {
                drop(inner.lock().unwrap().take());
            }
            map.remove(&(key + 1));
            map.shrink_to_fit();
        }
    };
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().on_removal(listener).build();
    let values: Vec<_> = (0..6).map(Arc::new).collect();
    map.extend(values.iter().map(|v| (**v, v)));
    *slot.lock().unwrap() = Some(StdArc::new(map));
    let map = slot.lock().unwrap().clone().unwrap();
    map.remove(&0); // which removes 1, and so on, until 3 lets go of the map
    drop(map); // the last one
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    told.sort_by_key(|&(key, _)| key);
    let removed = (0..5).map(|key| (key, Cause::Removed));
    let died = (100..104).map(|key| (key, Cause::Died));
    assert_eq!(told, removed.chain([(5, Cause::Cleared)]).chain(died).collect::<Vec<_>>());
    assert!(values.iter().all(|v| Arc::observer_count(v) == 0));
}

#[test]
fn a_listener_that_panics_once_is_called_again() {
    let _dog = watchdog();
    let told = StdArc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let listener = move |key: &u64, cause| {
        log.lock().unwrap().push((*key, cause));
        if *key == 1 {
            planned();
        }
    };
    let map: WeakValueMap<u64, u64> = WeakValueMap::builder().on_removal(listener).build();
    let removals = map.removals();
    let values: Vec<_> = (0..4).map(Arc::new).collect();
    map.extend(values.iter().map(|v| (**v, v)));
    map.remove(&1); // panics, contained
    map.remove(&2);
    map.clear();
    let causes = told.lock().unwrap().clone();
    assert_eq!((causes.len(), causes[0], causes[1]), (4, (1, Cause::Removed), (2, Cause::Removed)));
    assert_eq!(removals.try_iter().count(), 4, "another listener is told all the same");
}

#[test]
fn a_key_whose_clone_panics_is_not_lost_to_the_books() {
    let _dog = watchdog();
    let (scene, map) = Scene::new();
    let removals = map.removals();
    scene.world.fuse.light(Fault::Clone, 1, Effect::Panic);
    map.remove(&scene.name(0)); // the subscription's copy panics
    map.remove(&scene.name(1));
    assert_eq!(removals.try_iter().map(|(key, _)| key.name.n).collect::<Vec<_>>(), [1]);
    assert_eq!(removals.dropped(), 1, "what could not be queued is counted");
    assert_eq!(map.stats().removed, 2);
    drop(removals);
    drop(map);
    scene.end();
}

#[test]
fn a_panic_of_the_values_destructor_goes_to_the_caller_when_all_else_is_done() {
    let _dog = watchdog();
    let map: StdArc<WeakValueMap<u64, Dropper>> = StdArc::default();
    let removals = map.removals();
    let value = dropper(&map, 1, |_| planned());
    let called = StdArc::new(AtomicUsize::new(0));
    let count = called.clone();
    Arc::observe(&value, move |_| {
        count.fetch_add(1, SeqCst);
    })
    .detach();
    let weak = Arc::downgrade(&value);
    assert!(panics_as_planned(|| drop(value)));
    assert_eq!((map.len(), called.load(SeqCst), removals.try_next()), (0, 1, Some((1, Cause::Died))));
    assert!(weak.upgrade().is_none());
    // In the middle of a map's own operation, too.
    let value = dropper(&map, 2, |_| planned());
    let again = dropper(&map, 3, |_| ());
    assert!(panics_as_planned(|| map.for_each(|_, _| ())) || map.len() == 2);
    let last = Cell::new(Some(value));
    assert!(panics_as_planned(|| map.for_each(|key, _| if *key == 2 {
        drop(last.take());
    })));
    assert_eq!((map.len(), Arc::observer_count(&again)), (1, 1));
    assert!(map.contains_key(&3));
}

#[test]
fn a_comparison_may_kill_what_it_compares() {
    /// A key whose comparison drops the last owner of what it stands for.
    struct Killer(u64, StdArc<Mutex<Option<Arc<u64>>>>);
    impl Hash for Killer {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u64(0);
        }
    }
    impl PartialEq for Killer {
        fn eq(&self, other: &Self) -> bool {
            drop(self.1.lock().unwrap().take());
            drop(other.1.lock().unwrap().take());
            self.0 == other.0
        }
    }
    impl Eq for Killer {}

    let _dog = watchdog();
    let map: WeakValueMap<Killer, u64> = WeakValueMap::new();
    let fill = || {
        for n in 0..5 {
            let value = Arc::new(n);
            map.insert(Killer(n, StdArc::new(Mutex::new(Some(value.clone())))), &value);
        }
    };
    let other = Arc::new(9);
    let none = || StdArc::default();
    fill(); // each insertion compares with those before, and they die
    assert!(map.len() <= 5);
    assert!(map.get(&Killer(3, none())).is_none(), "it died while it was compared");
    fill();
    assert!(map.insert(Killer(4, none()), &other).is_none());
    assert!(Arc::ptr_eq(&map.get(&Killer(4, none())).unwrap(), &other));
    fill();
    assert!(Arc::ptr_eq(&map.get_or_insert_with(Killer(2, none()), |_| other.clone()), &other));
    let stats = map.stats();
    assert_eq!(map.len(), map.stats().len);
    assert_eq!(17, map.len() as u64 + stats.died + stats.replaced + stats.removed);
}

#[test]
fn a_chain_of_map_values_dies_without_eating_the_stack() {
    /// A value that holds the next one.
    struct Link(Option<Arc<Link>>);
    let _dog = watchdog();
    let n = sized(200_000, 200);
    let map: WeakValueMap<usize, Link> = WeakValueMap::new();
    let removals = map.removals();
    let mut first = Arc::new(Link(None));
    for i in 0..n {
        map.insert(i, &first);
        first = Arc::new(Link(Some(first)));
    }
    assert!(first.0.is_some() && map.len() == n);
    drop(first);
    assert_eq!((map.len(), map.stats().died, map.pending_removals()), (0, n as u64, 0));
    assert_eq!(removals.try_iter().count() as u64 + removals.dropped(), n as u64);
}

#[test]
fn readers_run_no_strangers_destructor() {
    thread_local! {
        static READING: Cell<bool> = const { Cell::new(false) };
    }
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    static WHILE_READING: AtomicUsize = AtomicUsize::new(0);
    /// A key that must not be dropped by a reader, who may hold any lock of his own.
    #[derive(PartialEq, Eq, Hash)]
    struct Strange(u64);
    impl Drop for Strange {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
            WHILE_READING.fetch_add(usize::from(READING.get()), SeqCst);
        }
    }

    let _dog = watchdog();
    let strange: WeakValueMap<Strange, u64> = WeakValueMap::new();
    let map: WeakValueMap<u64, u64> = WeakValueMap::new();
    let values: Vec<_> = (0..100).map(Arc::new).collect();
    map.extend(values.iter().map(|v| (**v, v)));
    let (rounds, each) = (sized(300, 3), 40);
    for _ in 0..rounds {
        for n in 0..each {
            strange.insert(Strange(n), &values[0]);
        }
        {
            let _guard = weakly::pin(); // nothing is destroyed under it: what leaves waits for whoever comes next
            strange.clear();
        }
        READING.set(true);
        for n in 0..100 {
            assert!(map.get(&n).is_some() && map.contains_key(&n) && map.pin().read(&n).is_some());
        }
        assert_eq!((map.iter().count(), map.keys().count(), map.values().count()), (100, 100, 100));
        assert_eq!((map.weak_values().count(), map.pin().iter().count(), map.snapshot().len()), (100, 100, 100));
        map.for_each(|_, _| ());
        assert!(map.scan(Cursor::default(), 10).next.is_some() && map.is_submap(&map));
        assert_eq!((map.len(), map.stats().len, map.pending_removals()), (100, 100, 0));
        READING.set(false);
    }
    assert_eq!(WHILE_READING.load(SeqCst), 0);
    flush_until("the keys are dropped in the end", || DROPPED.load(SeqCst) == rounds * each as usize);
}
