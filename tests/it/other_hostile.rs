//! Lists, interners and guests, and what the other hostile tests have not: `BuildHasher`, `Borrow`, `Anchored`, finalizers. Users'
//! code panics at its n-th call, or uses the collections, in every operation; over both kinds of pointer.

use crate::common::{Counted, Fuse, Tally, flush_until, panics_as_planned, planned, sized, watchdog};
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, OnceLock};
use weakly::std_arc::{self, Anchor, Anchored};
use weakly::{Arc, Compute, Pointer, finalize, generic};

/// The places at which a collection calls its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    BuildHasher,
    Hash,
    Eq,
    Borrow,
    Clone,
    DropKey,
    DropObject,
    DropCapture,
    Anchored,
    Closure,
    Listener,
    Callback,
    Finalizer,
}

const FAULTS: [Fault; 13] = [
    Fault::BuildHasher,
    Fault::Hash,
    Fault::Eq,
    Fault::Borrow,
    Fault::Clone,
    Fault::DropKey,
    Fault::DropObject,
    Fault::DropCapture,
    Fault::Anchored,
    Fault::Closure,
    Fault::Listener,
    Fault::Callback,
    Fault::Finalizer,
];

/// What users' code does when its turn has come.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Panic,
    Reenter,
}

/// What all users' code of a scene shares.
#[derive(Default)]
struct World {
    fuse: Fuse<Fault, Effect>,
    visit: OnceLock<Box<dyn Fn() + Send + Sync>>,
    objects: StdArc<Tally>,
    keys: StdArc<Tally>,
    captures: StdArc<Tally>,
    /// Callbacks and finalizers that were registered, and that ran.
    watched: AtomicUsize,
    ran: AtomicUsize,
    /// Of how many removals the listener was told.
    told: AtomicUsize,
}

type Shared = StdArc<World>;

fn burn(world: &Shared, fault: Fault) {
    let Some(effect) = world.fuse.burn(fault) else { return };
    match effect {
        Effect::Panic => planned(),
        Effect::Reenter => {
            if let Some(visit) = world.visit.get() {
                visit();
            }
        }
    }
}

/// What keys and objects are looked up by, through `Borrow`.
struct Name(u64, Shared);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn(&self.1, Fault::Hash);
        state.write_u64(self.0);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        burn(&self.1, Fault::Eq);
        self.0 == other.0
    }
}

impl Eq for Name {}

/// A key, or what an object is: a name, counted.
struct Named {
    name: Name,
    counted: Counted,
    dropping: Fault,
}

impl Named {
    fn key(n: u64, world: &Shared) -> Self {
        Named { name: Name(n, world.clone()), counted: Counted::new(n, &world.keys), dropping: Fault::DropKey }
    }
}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl ToOwned for Name {
    type Owned = Named;
    fn to_owned(&self) -> Named {
        burn(&self.1, Fault::Clone);
        Named::key(self.0, &self.1)
    }
}

impl Borrow<Name> for Named {
    fn borrow(&self) -> &Name {
        burn(&self.name.1, Fault::Borrow);
        &self.name
    }
}

impl Clone for Named {
    fn clone(&self) -> Self {
        burn(&self.name.1, Fault::Clone);
        Named { name: Name(self.name.0, self.name.1.clone()), counted: self.counted.clone(), dropping: self.dropping }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        burn(&self.name.1, self.dropping);
    }
}

/// An object for either kind of pointer.
#[derive(Clone)]
struct Object {
    named: Named,
    anchor: Anchor,
}

impl Object {
    fn new(n: u64, world: &Shared) -> Self {
        let named = Named {
            name: Name(n, world.clone()),
            counted: Counted::new(n, &world.objects),
            dropping: Fault::DropObject,
        };
        Object { named, anchor: Anchor::new() }
    }
}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.named.hash(state);
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.named == other.named
    }
}

impl Eq for Object {}

impl Borrow<Name> for Object {
    fn borrow(&self) -> &Name {
        self.named.borrow()
    }
}

impl Anchored for Object {
    fn anchor(&self) -> &Anchor {
        burn(&self.named.name.1, Fault::Anchored);
        &self.anchor
    }
}

/// What a closure holds.
struct Capture(#[allow(dead_code, reason = "counted, not read")] Counted, Shared);

impl Drop for Capture {
    fn drop(&mut self) {
        burn(&self.1, Fault::DropCapture);
    }
}

fn capture(world: &Shared) -> Capture {
    Capture(Counted::new(0, &world.captures), world.clone())
}

/// Builds hashers that put every four names at one place.
#[derive(Clone)]
struct Builds(Shared);

struct Low2(DefaultHasher);

impl Hasher for Low2 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
    fn finish(&self) -> u64 {
        self.0.finish() % 4
    }
}

impl BuildHasher for Builds {
    type Hasher = Low2;
    fn build_hasher(&self) -> Low2 {
        burn(&self.0, Fault::BuildHasher);
        Low2(DefaultHasher::default())
    }
}

/// A kind of pointer.
trait Kind:
    Pointer<Target = Object, Weak: Send + Sync> + From<Object> + generic::Intern<Object> + Send + Sync + 'static
{
    fn watch(this: &Self, f: impl FnOnce() + Send + 'static);
    fn finalize(this: &Self, f: impl FnOnce() + Send + 'static);
    fn hooks(this: &Self) -> usize;
}

impl Kind for Arc<Object> {
    fn watch(this: &Self, f: impl FnOnce() + Send + 'static) {
        Arc::observe(this, move |_| f()).detach();
    }
    fn finalize(this: &Self, f: impl FnOnce() + Send + 'static) {
        finalize(this, f);
    }
    fn hooks(this: &Self) -> usize {
        Arc::observer_count(this)
    }
}

impl Kind for StdArc<Object> {
    fn watch(this: &Self, f: impl FnOnce() + Send + 'static) {
        this.anchor.observe(f).detach();
    }
    fn finalize(this: &Self, f: impl FnOnce() + Send + 'static) {
        std_arc::finalize(this, f);
    }
    fn hooks(this: &Self) -> usize {
        this.anchor.observer_count()
    }
}

/// The collections of a scene.
struct Hosts<A: Kind> {
    map: generic::WeakValueMap<Named, A, Builds>,
    interner: generic::Interner<A, Builds>,
    list: generic::WeakList<A>,
}

/// Objects 0 to 3 are in all of them, and so is the last one, 6.
struct Scene<A: Kind> {
    world: Shared,
    hosts: StdArc<Hosts<A>>,
    held: RefCell<Vec<A>>,
    last: RefCell<Option<A>>,
    /// What re-entrant code has made.
    guests: StdArc<Mutex<Vec<A>>>,
}

/// An object with a callback and a finalizer.
fn object<A: Kind>(n: u64, world: &Shared) -> A {
    let object = A::from(Object::new(n, world));
    for fault in [Fault::Callback, Fault::Finalizer] {
        let (held, shared) = (capture(world), world.clone());
        let run = move || {
            let _held = &held;
            shared.ran.fetch_add(1, SeqCst);
            burn(&shared, fault);
        };
        if fault == Fault::Callback {
            A::watch(&object, run);
        } else {
            A::finalize(&object, run);
        }
        world.watched.fetch_add(1, SeqCst);
    }
    object
}

impl<A: Kind> Scene<A> {
    fn new() -> Self {
        let world = Shared::default();
        let (shared, held) = (world.clone(), capture(&world));
        let listener = move |_: &Named, _| {
            let _held = &held;
            shared.told.fetch_add(1, SeqCst);
            burn(&shared, Fault::Listener);
        };
        let map = generic::WeakValueMap::builder().shards(1).on_removal(listener).hasher(Builds(world.clone())).build();
        let interner = generic::Interner::builder().shards(1).hasher(Builds(world.clone())).build();
        let hosts = StdArc::new(Hosts { map, interner, list: generic::WeakList::new() });
        let scene =
            Scene { world, hosts, held: RefCell::default(), last: RefCell::default(), guests: StdArc::default() };
        let all: Vec<A> = [0, 1, 2, 3, 6].map(|n| object(n, &scene.world)).into();
        for object in &all {
            scene.put(object);
        }
        *scene.held.borrow_mut() = all;
        *scene.last.borrow_mut() = scene.held.borrow_mut().pop();
        let (hosts, world, guests) =
            (StdArc::downgrade(&scene.hosts), StdArc::downgrade(&scene.world), scene.guests.clone());
        let visit = move || {
            let (Some(hosts), Some(world)) = (hosts.upgrade(), world.upgrade()) else { return };
            for n in [2, 20] {
                let guest: A = object(n, &world);
                hosts.map.insert(Named::key(n, &world), &guest);
                hosts.list.push(&guest);
                drop(hosts.interner.intern_arc(guest.clone()));
                guests.lock().unwrap().push(guest);
            }
            hosts.map.insert(Named::key(21, &world), &object(21, &world)); // dies at once
            hosts.map.remove(&Name(1, world.clone()));
            drop(hosts.list.pop());
            hosts.map.shrink_to_fit();
            assert!(hosts.list.iter().count() + hosts.map.iter().count() + hosts.interner.iter().count() > 0);
        };
        assert!(scene.world.visit.set(Box::new(visit)).is_ok());
        scene
    }

    fn put(&self, object: &A) {
        self.hosts.map.insert(self.key(object.named.name.0), object);
        self.hosts.list.push(object);
        drop(self.hosts.interner.intern_arc(object.clone()));
    }

    fn key(&self, n: u64) -> Named {
        Named::key(n, &self.world)
    }

    fn name(&self, n: u64) -> Name {
        Name(n, self.world.clone())
    }

    /// A new object, which lives as long as the scene.
    fn fresh(&self, n: u64) -> A {
        let object: A = object(n, &self.world);
        self.held.borrow_mut().push(object.clone());
        object
    }

    /// One of those that are there from the first.
    fn there(&self) -> A {
        self.held.borrow()[3].clone()
    }

    fn die(&self) {
        let last = self.last.borrow_mut().take();
        drop(last);
    }

    fn says<R>(&self, answer: R) -> R {
        burn(&self.world, Fault::Closure);
        answer
    }

    /// All is whole, each object has the hooks of its entries and its own two, and all works.
    fn check(&self) {
        let Hosts { map, interner, list } = &*self.hosts;
        map.validate();
        interner.validate();
        list.validate();
        assert_eq!((map.stats().pending_removals, interner.stats().pending_removals), (0, 0));
        let stats = map.stats();
        let left = stats.died + stats.removed + stats.replaced + stats.cleared;
        assert_eq!(left, self.world.told.load(SeqCst) as u64, "each entry that left was told of: {stats:?}");
        let all: Vec<A> = map.values().chain(list.iter()).chain(interner.iter().map(interned)).collect();
        let same = |a: &A, b: &A| std::ptr::eq(A::as_ptr(a), A::as_ptr(b));
        let guests = self.guests.lock().unwrap().clone();
        let (held, own) = (self.held.borrow(), A::hooks(&object(78, &self.world)));
        for object in held.iter().chain(self.last.borrow().iter()).chain(&guests) {
            let entries = all.iter().filter(|there| same(there, object)).count();
            assert_eq!(A::hooks(object), entries + own, "of {entries} entries, and its own");
        }
        for there in &all {
            let known = held.iter().chain(&guests).chain(self.last.borrow().iter()).any(|known| same(known, there));
            assert!(known, "nobody else keeps anything alive");
        }
        drop(all);
        let again: A = object(77, &self.world);
        self.put(&again);
        assert!(map.get(&self.name(77)).is_some_and(|there| same(&there, &again)));
        assert!(list.contains(&again) && interner.get(&*again).is_some());
        drop(again);
        assert!(map.get(&self.name(77)).is_none() && interner.get(&self.name(77)).is_none());
    }

    /// After everything has gone nothing is left, and all that was registered ran once.
    fn end(self) {
        drop(self.guests.lock().unwrap().split_off(0));
        let Scene { world, hosts, held, last, .. } = self;
        drop((last, held));
        drop(hosts);
        assert_eq!(world.objects.left(), 0, "objects");
        assert_eq!(world.ran.load(SeqCst), world.watched.load(SeqCst), "each callback and finalizer once");
        flush_until("keys are dropped", || world.keys.left() == 0);
        assert_eq!(world.captures.left(), 0, "captures");
    }
}

fn interned<A: Kind>(it: generic::Interned<A>) -> A {
    generic::Interned::into_arc(it)
}

type Op<A> = (&'static str, fn(&Scene<A>));

macro_rules! ops {
    ($($name:literal |$s:ident, $h:ident| $body:expr;)*) => {
        vec![$(($name, (|$s: &Scene<A>| { let $h = &*$s.hosts; let _ = $body; }) as fn(&Scene<A>))),*]
    };
}

fn operations<A: Kind>() -> Vec<Op<A>> {
    ops! {
        "list: push" |s, h| h.list.push(&s.fresh(8));
        "list: push again" |s, h| h.list.push(&s.there());
        "list: push what dies at once" |s, h| h.list.push(&object(8, &s.world));
        "list: remove" |s, h| h.list.remove(&s.there());
        "list: remove absent" |s, h| h.list.remove(&s.fresh(8));
        "list: remove_exact" |s, h| h.list.remove_exact(&A::downgrade(&s.there()));
        "list: contains" |s, h| h.list.contains(&s.there());
        "list: pop" |_s, h| h.list.pop();
        "list: retain" |s, h| h.list.retain(|it| s.says(it.named.name.0 % 2 == 0));
        "list: for_each" |s, h| h.list.for_each(|_| s.says(()));
        "list: for_each in which one dies" |s, h| h.list.for_each(|_| { s.die(); s.says(()); });
        "list: walks" |_s, h| (h.list.iter().count(), h.list.pin().iter().count(), h.list.snapshot(), h.list.weak_iter().count());
        "list: clear" |_s, h| h.list.clear();
        "list: clone" |_s, h| h.list.clone();
        "list: extend" |s, h| h.list.extend(&[s.fresh(8), s.there()]);
        "interner: intern_arc" |s, h| h.interner.intern_arc(s.fresh(8));
        "interner: intern_arc of an equal one" |s, h| h.interner.intern_arc(object(3, &s.world));
        "interner: intern" |s, h| h.interner.intern(Object::new(8, &s.world));
        "interner: intern an equal one" |s, h| h.interner.intern(Object::new(3, &s.world));
        "interner: intern_ref" |s, h| h.interner.intern_ref(&Object::new(8, &s.world));
        "interner: intern_ref of an equal one" |s, h| h.interner.intern_ref(&Object::new(3, &s.world));
        "interner: intern_with" |s, h| h.interner.intern_with(&s.name(8), |_| s.says(s.fresh(8)));
        "interner: intern_with hit" |s, h| h.interner.intern_with(&s.name(3), |_| s.says(s.fresh(3)));
        "interner: intern_with while another does" |s, h| h.interner.intern_with(&s.name(8), |_| {
            drop(h.interner.intern_arc(s.fresh(8)));
            s.says(s.fresh(8))
        });
        "interner: get" |s, h| (h.interner.get(&s.name(3)), h.interner.get(&s.name(8)));
        "interner: walk" |_s, h| h.interner.iter().count();
        "interner: shrink" |_s, h| h.interner.shrink_to_fit();
        "map: insert" |s, h| h.map.insert(s.key(8), &s.fresh(8));
        "map: insert over" |s, h| h.map.insert(s.key(3), &s.fresh(3));
        "map: insert what dies at once" |s, h| h.map.insert(s.key(3), &object(3, &s.world));
        "map: try_insert" |s, h| (h.map.try_insert(s.key(8), &s.fresh(8)).is_ok(), h.map.try_insert(s.key(3), &s.fresh(8)).is_ok());
        "map: get" |s, h| (h.map.get(&s.name(3)), h.map.get(&s.name(8)), h.map.contains_key(&s.name(2)));
        "map: read" |s, h| h.map.pin().read(&s.name(3)).is_some();
        "map: remove" |s, h| h.map.remove(&s.name(3));
        "map: remove what dies" |s, h| { s.die(); h.map.remove(&s.name(6)) };
        "map: remove_if" |s, h| h.map.remove_if(&s.name(3), |_, _| s.says(true));
        "map: remove_exact" |s, h| h.map.remove_exact(&s.name(3), &A::downgrade(&s.there()));
        "map: pop" |_s, h| h.map.pop();
        "map: load" |s, h| h.map.get_or_insert_with(s.key(8), |_| s.says(s.fresh(8)));
        "map: load hit" |s, h| h.map.get_or_insert_with(s.key(3), |_| s.says(s.fresh(3)));
        "map: load by ref" |s, h| h.map.get_or_insert_with_ref(&s.name(3), |_| s.says(s.fresh(3)));
        "map: load fails" |s, h| h.map.get_or_try_insert_with(s.key(8), |_| Err::<A, _>(s.says(1))).is_ok();
        "map: compute" |s, h| (h.map.compute(s.key(8), |_| s.says(Compute::Insert(s.fresh(8)))), h.map.compute(s.key(3), |_| s.says(Compute::Remove)));
        "map: walks" |_s, h| (h.map.iter().count(), h.map.pin().iter().count(), h.map.snapshot().len());
        "map: retain" |s, h| h.map.retain(|key, _| s.says(key.name.0 % 2 == 0));
        "map: extract, drain" |s, h| (h.map.extract_if(|key, _| s.says(key.name.0 == 1)).count(), h.map.drain().count());
        "map: clear" |_s, h| h.map.clear();
        "map: reserve and shrink" |_s, h| { h.map.reserve(100); h.map.shrink_to_fit() };
        "map: subscribe" |s, h| { let told = h.map.removals(); h.map.remove(&s.name(3)); s.die(); told.try_iter().count() };
        "map: clone" |_s, h| h.map.clone();
        "last drop" |s, _h| s.die();
        "upgrade and last drop" |s, h| { let there = h.map.get(&s.name(6)); s.die(); there };
        "watch and die" |s, _h| object::<A>(9, &s.world);
    }
}

/// Every operation with every fault at every call.
fn play_all<A: Kind>(effect: Effect, never: &[Fault]) {
    let _dog = watchdog();
    let mut burnt = BTreeSet::new();
    for (name, op) in operations::<A>().into_iter().step_by(sized(1, 12)) {
        for fault in FAULTS.into_iter().step_by(sized(1, 5)) {
            for n in 1..sized(40, 2) {
                println!("{name}: {effect:?} at {fault:?} {n}"); // the last one is the one that failed
                let scene: Scene<A> = Scene::new();
                scene.world.fuse.light(fault, n, effect);
                let panicked = panics_as_planned(|| op(&scene));
                let still = scene.world.fuse.put_out();
                assert!(
                    !panicked || !matches!(fault, Fault::Listener | Fault::Callback | Fault::Finalizer),
                    "contained"
                );
                scene.check();
                scene.end();
                if still {
                    break;
                }
                burnt.insert(fault);
            }
        }
    }
    let reached: BTreeSet<Fault> = FAULTS.into_iter().filter(|fault| !never.contains(fault)).collect();
    assert!(cfg!(miri) || burnt == reached, "every kind of call was reached: {burnt:?}");
}

#[test]
fn lists_interners_and_maps_survive_panics() {
    play_all::<Arc<Object>>(Effect::Panic, &[Fault::Anchored]);
}

#[test]
fn lists_interners_and_maps_of_guests_survive_panics() {
    play_all::<StdArc<Object>>(Effect::Panic, &[]);
}

#[test]
fn lists_interners_and_maps_are_used_by_code_that_they_call() {
    play_all::<Arc<Object>>(Effect::Reenter, &[Fault::Anchored]);
}

#[test]
fn lists_interners_and_maps_of_guests_are_used_by_code_that_they_call() {
    play_all::<StdArc<Object>>(Effect::Reenter, &[]);
}
