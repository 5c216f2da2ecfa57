//! Collections with weakly held keys, when users' code panics at its n-th call, re-enters the collection, or lets another thread
//! use it: nothing is lost, nothing is there twice, no owner is left over. Every operation is also run while a look-up compares
//! a key whose other owners go meanwhile, so that the look-up's own is the last.

use crate::common::{Constant, Counted, Fuse, Tally, flush_until, panics_as_planned, planned, sized, watchdog};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc as StdArc, Mutex, OnceLock, Weak as StdWeak};
use std::thread;
use weakly::{Arc, Cause, Compute, Cursor, Stats, Weak, WeakKeyMap, WeakSet, WeakWeakMap};

/// The places at which a collection calls its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Hash,
    Eq,
    Clone,
    DropKey,
    DropValue,
    Closure,
    Listener,
}

const FAULTS: [Fault; 7] =
    [Fault::Hash, Fault::Eq, Fault::Clone, Fault::DropKey, Fault::DropValue, Fault::Closure, Fault::Listener];

/// What users' code does when its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It panics.
    Panic,
    /// It uses the collection.
    Reenter,
    /// It waits for another thread that does: a lock that is held meanwhile would hang both.
    Visit,
}

/// What keys, values, closures and listeners of one scene share.
#[derive(Default)]
struct World {
    /// The fault that is to come, at which call, and its effect.
    fuse: Fuse<Fault, Effect>,
    visit: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// The one owner of a key that goes when it is compared.
    dying: Mutex<Option<Arc<Key>>>,
    /// What re-entrant code has made.
    guests: Mutex<Vec<Arc<Key>>>,
    keys: StdArc<Tally>,
    values: StdArc<Tally>,
    /// Of which entry was told, and why.
    told: Mutex<Vec<(Weak<Key>, Cause)>>,
}

impl World {
    fn burn(&self, fault: Fault) {
        let Some(effect) = self.fuse.burn(fault) else { return };
        let visit = || self.visit.get().expect("a visitor")();
        match effect {
            Effect::Panic => planned(),
            Effect::Reenter => visit(),
            Effect::Visit => thread::scope(|scope| scope.spawn(visit).join().expect("the visitor gets through")),
        }
    }

    /// Drops the owner, with the lock free again.
    fn let_go(&self) {
        let last = self.dying.lock().unwrap().take();
        drop(last);
    }

    fn key(self: &StdArc<Self>, n: u64) -> Arc<Key> {
        Arc::new(Key { counted: Counted::new(n, &self.keys), world: self.clone() })
    }

    fn value(self: &StdArc<Self>) -> Value {
        Value { counted: Counted::new(0, &self.values), world: self.clone() }
    }

    fn says<R>(&self, answer: R) -> R {
        self.burn(Fault::Closure);
        answer
    }
}

struct Key {
    counted: Counted,
    world: StdArc<World>,
}

const DYING: u64 = 99;

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        if self.counted.id == DYING || other.counted.id == DYING {
            self.world.let_go(); // not the last: whoever compares has one
        }
        self.world.burn(Fault::Eq);
        self.counted.id == other.counted.id
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.world.burn(Fault::Hash);
        self.counted.id.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.counted.id)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.world.burn(Fault::DropKey);
    }
}

struct Value {
    counted: Counted,
    world: StdArc<World>,
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.world.burn(Fault::Clone);
        Value { counted: self.counted.clone(), world: self.world.clone() }
    }
}

impl PartialEq for Value {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.counted)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.world.burn(Fault::DropValue);
    }
}

type Told = Box<dyn Fn(&Weak<Key>, Cause) + Send + Sync>;

/// A collection under test.
trait Hosted: Send + Sync + Sized + 'static {
    /// Values of its own for each entry.
    const VALUES: usize;
    /// Hooks of each entry, where key and value are one object.
    const HOOKS: usize;
    fn make(told: Told) -> Self;
    fn put(&self, key: &Arc<Key>);
    fn has(&self, key: &Arc<Key>) -> bool;
    fn take(&self, key: &Arc<Key>) -> bool;
    fn all(&self) -> Vec<Arc<Key>>;
    fn figures(&self) -> Stats;
    fn tidy(&self);
}

type Keys = WeakKeyMap<Key, Value, Constant>;
type Pairs = WeakWeakMap<Key, Key, Constant>;
type Set = WeakSet<Key, Constant>;

macro_rules! hosted {
    ($Type:ident = $Public:ident, $values:literal, $hooks:literal, $has:ident, $all:ident, |$it:ident, $key:ident| $put:expr, $take:expr, $retain:expr) => {
        impl Hosted for $Type {
            const VALUES: usize = $values;
            const HOOKS: usize = $hooks;
            fn make(told: Told) -> Self {
                $Public::builder().shards(1).on_removal(told).hasher(Constant::default()).build()
            }
            fn put(&self, $key: &Arc<Key>) {
                let $it = self;
                $put;
            }
            fn has(&self, key: &Arc<Key>) -> bool {
                self.$has(key)
            }
            fn take(&self, $key: &Arc<Key>) -> bool {
                let $it = self;
                $take
            }
            fn all(&self) -> Vec<Arc<Key>> {
                self.$all().collect()
            }
            fn figures(&self) -> Stats {
                self.stats()
            }
            fn tidy(&self) {
                let $it = self;
                $retain;
                self.reserve(20);
                self.shrink_to_fit();
            }
        }
    };
}

hosted!(
    Keys = WeakKeyMap,
    1,
    1,
    contains_key,
    keys,
    |it, key| drop(it.insert(key, key.world.value())),
    it.remove(key).is_some(),
    it.retain(|key, _| key.counted.id != 1)
);
hosted!(
    Pairs = WeakWeakMap,
    0,
    2,
    contains_key,
    keys,
    |it, key| drop(it.insert(key, key)),
    it.remove(key).is_some(),
    it.retain(|key, _| key.counted.id != 1)
);
hosted!(
    Set = WeakSet,
    0,
    1,
    contains,
    iter,
    |it, key| drop(it.replace(key)),
    it.remove(key),
    it.retain(|key| key.counted.id != 1)
);

/// A collection of five held keys and one that is about to die, all at one place of one shard.
struct Scene<M: Hosted> {
    world: StdArc<World>,
    map: StdArc<M>,
    held: Vec<Arc<Key>>,
    /// An equal one of each.
    equal: Vec<Arc<Key>>,
    /// In no collection.
    absent: Arc<Key>,
    made: RefCell<Vec<Arc<Key>>>,
}

impl<M: Hosted> Scene<M> {
    fn new(dying: bool) -> Self {
        let world: StdArc<World> = StdArc::default();
        let teller = StdArc::downgrade(&world);
        let map = StdArc::new(M::make(Box::new(move |key, cause| {
            let world = teller.upgrade().expect("a world");
            world.told.lock().unwrap().push((key.clone(), cause));
            world.burn(Fault::Listener);
        })));
        let (weak_world, weak_map): (StdWeak<World>, StdWeak<M>) = (StdArc::downgrade(&world), StdArc::downgrade(&map));
        let visit = move || {
            let (world, Some(map)) = (weak_world.upgrade().unwrap(), weak_map.upgrade()) else { return };
            for n in [3, 50] {
                let guest = world.key(n);
                world.guests.lock().unwrap().push(guest.clone());
                map.put(&guest);
            }
            map.put(&world.key(51)); // dies at once
            let two = world.key(2);
            map.take(&two);
            map.tidy();
            assert!(!map.all().is_empty());
        };
        assert!(world.visit.set(Box::new(visit)).is_ok());
        let last = dying.then(|| world.key(DYING));
        last.iter().for_each(|key| map.put(key)); // the first, so that the others are looked up past it
        let held: Vec<_> = (0..5).map(|n| world.key(n)).collect();
        held.iter().for_each(|key| map.put(key));
        let equal = (0..5).map(|n| world.key(n)).collect();
        let absent = world.key(9);
        *world.dying.lock().unwrap() = last;
        Scene { world, map, held, equal, absent, made: RefCell::default() }
    }

    fn fresh(&self, n: u64) -> Arc<Key> {
        let key = self.world.key(n);
        self.made.borrow_mut().push(key.clone());
        key
    }

    /// Everything that ever was an entry is one or was told of, once; and nobody holds what nobody should.
    fn check(&self, what: &str) {
        self.world.let_go();
        let (world, map) = (&self.world, &self.map);
        let present = map.all();
        let stats = map.figures();
        assert_eq!((stats.len, stats.pending_removals), (present.len(), 0), "{what}");
        let told = world.told.lock().unwrap().clone();
        let count = |cause| told.iter().filter(|t| t.1 == cause).count() as u64;
        assert_eq!(
            [stats.died, stats.removed, stats.replaced, stats.cleared],
            [Cause::Died, Cause::Removed, Cause::Replaced, Cause::Cleared].map(count),
            "{what}"
        );
        assert!(
            self.held.iter().all(|key| {
                present.iter().any(|there| Arc::ptr_eq(there, key)) || told.iter().any(|t| t.0 == Arc::downgrade(key))
            }),
            "{what}: none lost"
        );
        let addresses: BTreeSet<_> = present.iter().map(Arc::as_ptr).collect();
        assert_eq!(addresses.len(), present.len(), "{what}: none twice");
        assert!(present.iter().all(|key| Arc::observer_count(key) == M::HOOKS && map.has(key)), "{what}");
        assert_eq!(world.values.left(), present.len() * M::VALUES, "{what}: a value for each entry");
        drop(present);
        let guests = world.guests.lock().unwrap().clone();
        let ours = self.held.iter().chain(&self.equal).chain([&self.absent]).map(|key| (key, 1));
        for (key, owners) in
            ours.chain(self.made.borrow().iter().map(|key| (key, 1))).chain(guests.iter().map(|key| (key, 2)))
        {
            assert_eq!(Arc::strong_count(key), owners, "{what}: owners of {key:?}");
        }
        let known = self.held.len() + self.equal.len() + 1 + self.made.borrow().len() + guests.len();
        assert_eq!(world.keys.left(), known, "{what}: no other key is alive");
        // And it still works.
        let again = self.fresh(77);
        map.put(&again);
        assert!(map.has(&again) && map.take(&again) && !map.has(&again), "{what}");
    }

    fn end(self, what: &str) {
        let world = self.world;
        drop(world.guests.lock().unwrap().split_off(0));
        drop((self.map, self.held, self.equal, self.absent, self.made));
        assert_eq!((world.keys.left(), world.values.left()), (0, 0), "{what}");
        flush_until("the weak pointers of the told go", || {
            world.told.lock().unwrap().drain(..);
            true
        });
    }
}

type Op<M> = (&'static str, fn(&Scene<M>));

/// An operation twice: on the plain face and on the pinned one.
macro_rules! ops {
    ($M:ty; $($name:literal |$s:ident, $m:ident| $body:expr;)*) => { vec![$(
        (concat!($name, ", plain"), (|$s: &Scene<$M>| { let $m = &*$s.map; let _ = $body; }) as fn(&Scene<$M>)),
        (concat!($name, ", pinned"), |$s: &Scene<$M>| { let $m = $s.map.pin(); let _ = $body; }),
    )*] };
}

/// On the plain face only.
macro_rules! plain {
    ($M:ty; $($name:literal |$s:ident, $m:ident| $body:expr;)*) => { vec![$(
        ($name, (|$s: &Scene<$M>| { let $m = &*$s.map; let _ = $body; }) as fn(&Scene<$M>)),
    )*] };
}

fn of_keys() -> Vec<Op<Keys>> {
    let mut ops = ops! { Keys;
        "get" |s, m| (m.get(&s.equal[3]), m.get(&s.held[3]), m.get(&s.absent));
        "with" |s, m| m.with(&s.equal[3], |_| s.world.says(()));
        "get_key" |s, m| m.get_key(&s.equal[3]);
        "get_both" |s, m| m.get_both(&s.equal[3]);
        "contains" |s, m| (m.contains_key(&s.equal[3]), m.contains_key(&s.absent));
        "insert new" |s, m| m.insert(&s.absent, s.world.value());
        "insert over" |s, m| m.insert(&s.held[3], s.world.value());
        "insert over an equal one" |s, m| m.insert(&s.equal[3], s.world.value());
        "try_insert new" |s, m| m.try_insert(&s.absent, s.world.value());
        "try_insert over" |s, m| m.try_insert(&s.equal[3], s.world.value());
        "get_or_insert new" |s, m| m.get_or_insert(&s.absent, s.world.value());
        "get_or_insert hit" |s, m| m.get_or_insert(&s.equal[3], s.world.value());
        "remove" |s, m| m.remove(&s.equal[3]);
        "remove absent" |s, m| m.remove(&s.absent);
        "remove and take" |s, m| m.remove(&s.held[3]).map(weakly::Removed::into_inner);
        "remove_if" |s, m| m.remove_if(&s.equal[3], |_, _| s.world.says(true));
        "remove_if not" |s, m| m.remove_if(&s.equal[3], |_, _| s.world.says(false));
        "remove_entry" |s, m| m.remove_entry(&s.equal[3]);
        "remove_exact" |s, m| m.remove_exact(&Arc::downgrade(&s.held[3]));
        "remove_exact of another" |s, m| m.remove_exact(&Arc::downgrade(&s.equal[3]));
        "pop" |_s, m| m.pop();
        "compute insert" |s, m| m.compute(&s.absent, |_| s.world.says(Compute::Insert(s.world.value())));
        "compute insert over" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Insert(s.world.value())));
        "compute keep" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Keep));
        "compute remove" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Remove));
        "update" |s, m| m.update(&s.equal[3], |_| s.world.says(s.world.value()));
        "update absent" |s, m| m.update(&s.absent, |_| s.world.says(s.world.value()));
        "retain" |s, m| m.retain(|key, _| s.world.says(key.counted.id % 2 == 0));
        "extract_if" |s, m| m.extract_if(|key, _| s.world.says(key.counted.id % 2 == 0)).count();
        "drain" |_s, m| m.drain().count();
        "drain a little" |_s, m| m.drain().next();
        "clear" |_s, m| m.clear();
        "walks" |_s, m| (m.iter().count(), m.keys().count(), m.values().count(), m.weak_keys().count());
        "for_each" |s, m| m.for_each(|_, _| s.world.says(()));
        "scan" |_s, m| (m.scan(Cursor::default(), 3), m.snapshot());
        "subscribe and read" |s, m| { let told = m.removals(); m.remove(&s.held[3]); told.try_iter().count() };
    };
    ops.extend(plain! { Keys;
        "read" |s, m| m.pin().read(&s.equal[3]).is_some();
        "load new" |s, m| m.get_or_insert_with(&s.absent, |_| s.world.says(s.world.value()));
        "load hit" |s, m| m.get_or_insert_with(&s.equal[3], |_| s.world.says(s.world.value()));
        "load and look" |s, m| m.with_or_insert_with(&s.absent, |_| s.world.value(), |_| s.world.says(()));
        "load fails" |s, m| m.get_or_try_insert_with(&s.absent, |_| Err::<Value, _>(s.world.says(0)));
        "load while another inserts" |s, m| m.get_or_insert_with(&s.absent, |key| { m.insert(key, s.world.value()); s.world.says(s.world.value()) });
        "extend" |s, m| m.extend([(&s.absent, s.world.value()), (&s.equal[3], s.world.value())]);
        "clone and join" |s, m| { let other = Keys::from_iter([(&s.equal[3], s.world.value())]); m.clone() == &other | m };
        "last drop" |s, _m| s.world.let_go();
    });
    ops
}

fn of_pairs() -> Vec<Op<Pairs>> {
    let mut ops = ops! { Pairs;
        "get" |s, m| (m.get(&s.equal[3]), m.get(&s.held[3]), m.get(&s.absent));
        "contains" |s, m| (m.contains_key(&s.equal[3]), m.contains_key(&s.absent));
        "insert new" |s, m| m.insert(&s.absent, &s.absent);
        "insert over" |s, m| m.insert(&s.held[3], &s.held[3]);
        "insert over an equal one" |s, m| m.insert(&s.equal[3], &s.equal[3]);
        "try_insert new" |s, m| m.try_insert(&s.absent, &s.absent);
        "try_insert over" |s, m| m.try_insert(&s.equal[3], &s.equal[3]);
        "get_or_insert new" |s, m| m.get_or_insert(&s.absent, s.absent.clone());
        "get_or_insert hit" |s, m| m.get_or_insert(&s.equal[3], s.equal[3].clone());
        "remove" |s, m| m.remove(&s.equal[3]);
        "remove_if" |s, m| m.remove_if(&s.equal[3], |_, _| s.world.says(true));
        "remove_entry" |s, m| m.remove_entry(&s.equal[3]);
        "remove_exact" |s, m| m.remove_exact(&s.equal[3], &Arc::downgrade(&s.held[3]));
        "pop" |_s, m| m.pop();
        "compute insert" |s, m| m.compute(&s.absent, |_| s.world.says(Compute::Insert(s.absent.clone())));
        "compute insert over" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Insert(s.equal[3].clone())));
        "compute keep" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Keep));
        "compute remove" |s, m| m.compute(&s.equal[3], |_| s.world.says(Compute::Remove));
        "retain" |s, m| m.retain(|key, _| s.world.says(key.counted.id % 2 == 0));
        "extract_if" |s, m| m.extract_if(|key, _| s.world.says(key.counted.id % 2 == 0)).count();
        "drain" |_s, m| m.drain().count();
        "clear" |_s, m| m.clear();
        "walks" |_s, m| (m.iter().count(), m.keys().count(), m.values().count(), m.weak_values().count());
        "for_each" |s, m| m.for_each(|_, _| s.world.says(()));
        "scan" |_s, m| (m.scan(Cursor::default(), 3), m.snapshot());
    };
    ops.extend(plain! { Pairs;
        "read" |s, m| (m.pin().read(&s.equal[3]).is_some(), m.pin().get_key_value(&s.equal[3]));
        "load new" |s, m| m.get_or_insert_with(&s.absent, |_| s.world.says(s.absent.clone()));
        "load hit" |s, m| m.get_or_insert_with(&s.equal[3], |_| s.world.says(s.absent.clone()));
        "load fails" |s, m| m.get_or_try_insert_with(&s.absent, |_| Err::<Arc<Key>, _>(s.world.says(0)));
        "load while another inserts" |s, m| m.get_or_insert_with(&s.absent, |key| { m.insert(key, key); s.world.says(s.absent.clone()) });
        "clone and join" |s, m| { let other = Pairs::from_iter([(&s.equal[3], &s.equal[3])]); m.clone() == &other | m };
    });
    ops
}

fn of_sets() -> Vec<Op<Set>> {
    let mut ops = ops! { Set;
        "get" |s, m| (m.get(&s.equal[3]), m.get(&s.held[3]), m.get(&s.absent));
        "contains" |s, m| (m.contains(&s.equal[3]), m.contains(&s.absent));
        "insert new" |s, m| m.insert(&s.absent);
        "insert over" |s, m| m.insert(&s.equal[3]);
        "replace" |s, m| m.replace(&s.equal[3]);
        "remove" |s, m| m.remove(&s.equal[3]);
        "take" |s, m| m.take(&s.equal[3]);
        "remove_exact" |s, m| m.remove_exact(&Arc::downgrade(&s.held[3]));
        "pop" |_s, m| m.pop();
        "retain" |s, m| m.retain(|key| s.world.says(key.counted.id % 2 == 0));
        "extract_if" |s, m| m.extract_if(|key| s.world.says(key.counted.id % 2 == 0)).count();
        "drain" |_s, m| m.drain().count();
        "clear" |_s, m| m.clear();
        "walks" |_s, m| (m.iter().count(), m.weak_iter().count(), m.snapshot());
        "for_each" |s, m| m.for_each(|_| s.world.says(()));
    };
    ops.extend(plain! { Set;
        "read" |s, m| m.pin().read(&s.equal[3]).is_some();
        "get_or_insert" |s, m| (m.get_or_insert(s.equal[3].clone()), m.get_or_insert(s.absent.clone()));
        "get_or_insert_with" |s, m| m.get_or_insert_with(&*s.absent, |_| s.world.says(s.absent.clone()));
        "get_or_try_insert_with" |s, m| m.get_or_try_insert_with(&*s.absent, |_| Err::<Arc<Key>, _>(s.world.says(0)));
        "extend" |s, m| m.extend([&s.absent, &s.equal[3]]);
        "algebra" |s, m| { let other = Set::from_iter([&s.equal[3], &s.absent]); (&other | m, &other & m, &other - m, &other ^ m) };
        "algebra in place" |s, m| {
            let (other, mut m) = (Set::from_iter([&s.equal[3], &s.absent]), m);
            m |= &other; m -= &other; m ^= &other; m &= &other;
        };
        "comparisons" |s, m| { let other = Set::from_iter([&s.equal[3], &s.absent]); (m.is_subset(&other), m.is_superset(&other), m.is_disjoint(&other), *m == other) };
    });
    ops
}

/// Every operation, every fault at every call of it, every effect.
fn run<M: Hosted>(ops: Vec<Op<M>>, effects: &[Effect]) {
    let _dog = watchdog();
    let mut burnt = 0;
    for (name, op) in ops.into_iter().step_by(sized(1, 15)) {
        for (effect, fault) in effects.iter().flat_map(|&effect| FAULTS.map(|fault| (effect, fault))) {
            for dying in [false, true] {
                for nth in 1..sized(40, 2) {
                    let what = format!("{name}: {effect:?} at {fault:?} {nth}, dying {dying}");
                    let scene: Scene<M> = Scene::new(dying);
                    scene.world.fuse.light(fault, nth, effect);
                    panics_as_planned(|| op(&scene));
                    let still = scene.world.fuse.put_out();
                    scene.check(&what);
                    scene.end(&what);
                    burnt += usize::from(!still);
                    if still {
                        break;
                    }
                }
            }
        }
    }
    assert!(burnt > sized(100, 0), "{burnt} faults");
}

#[test]
fn a_key_map_survives_panics() {
    run(of_keys(), &[Effect::Panic]);
}

#[test]
fn a_key_map_is_used_by_users_code_that_it_calls() {
    run(of_keys(), &[Effect::Reenter, Effect::Visit]);
}

#[test]
fn a_map_of_pairs_survives_panics() {
    run(of_pairs(), &[Effect::Panic]);
}

#[test]
fn a_map_of_pairs_is_used_by_users_code_that_it_calls() {
    run(of_pairs(), &[Effect::Reenter, Effect::Visit]);
}

#[test]
fn a_set_survives_panics() {
    run(of_sets(), &[Effect::Panic]);
}

#[test]
fn a_set_is_used_by_users_code_that_it_calls() {
    run(of_sets(), &[Effect::Reenter, Effect::Visit]);
}
