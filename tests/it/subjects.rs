//! Every collection behind one trait, over both kinds of pointer: what stress, soak and thread-exit tests run on.

use crate::common::{Counted, Rng, Tally, flush_until};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use weakly::std_arc::{Anchor, Anchored};
use weakly::{Arc, Cause, Compute, Computed, Cursor, Pointer, Stats, generic};

/// An object that can be held by either kind of pointer. Equal to every other of its number.
pub struct Item {
    /// Number, and count of all objects.
    pub counted: Counted,
    /// Counts what collections own: keys of value maps, values of key maps.
    owned: StdArc<Tally>,
    anchor: Anchor,
}

impl Item {
    fn own(&self) -> Counted {
        Counted::new(self.counted.id, &self.owned)
    }
}

impl Anchored for Item {
    fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.counted.id == other.counted.id
    }
}

impl Eq for Item {}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.counted.id.hash(state);
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.counted.id)
    }
}

/// A kind of pointer to an [`Item`].
pub trait Owner: Pointer<Target = Item, Weak: Send + Sync> + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// A new object; deferred if asked for, where there is such a thing.
    fn new(item: Item, deferred: bool) -> Self;
    /// Has `f` called at the object's death.
    fn watch(&self, f: impl FnOnce() + Send + 'static);
    /// Hooks of the object.
    fn hooks(&self) -> usize;
    /// Is it the same object?
    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(Self::as_ptr(self), Self::as_ptr(other))
    }
}

impl Owner for Arc<Item> {
    fn new(item: Item, deferred: bool) -> Self {
        if deferred { Arc::new_deferred(item) } else { Arc::new(item) }
    }
    fn watch(&self, f: impl FnOnce() + Send + 'static) {
        Arc::observe(self, move |_| f()).detach();
    }
    fn hooks(&self) -> usize {
        Arc::observer_count(self)
    }
}

impl Owner for StdArc<Item> {
    fn new(item: Item, _: bool) -> Self {
        StdArc::new(item)
    }
    fn watch(&self, f: impl FnOnce() + Send + 'static) {
        self.anchor.observe(f).detach();
    }
    fn hooks(&self) -> usize {
        self.anchor.observer_count()
    }
}

/// What came and went.
#[derive(Default)]
pub struct Books {
    /// Objects.
    pub objects: StdArc<Tally>,
    /// What collections own: keys and values.
    pub owned: StdArc<Tally>,
    /// Entries that were made.
    pub came: AtomicUsize,
    watched: AtomicUsize,
    called: StdArc<AtomicUsize>,
}

impl Books {
    /// A new object.
    pub fn object<A: Owner>(&self, id: u64, deferred: bool, watched: bool) -> A {
        let counted = Counted::new(id, &self.objects);
        let object = A::new(Item { counted, owned: self.owned.clone(), anchor: Anchor::new() }, deferred);
        if watched {
            self.watched.fetch_add(1, SeqCst);
            let called = self.called.clone();
            object.watch(move || _ = called.fetch_add(1, SeqCst));
        }
        object
    }

    /// So many entries were made.
    pub fn came(&self, n: usize) {
        self.came.fetch_add(n, SeqCst);
    }

    /// Nobody holds anything any more: each callback was called once, and everything is dropped once grace periods are over.
    pub fn close(&self) {
        assert_eq!(self.called.load(SeqCst), self.watched.load(SeqCst), "each callback once");
        flush_until("objects are dropped, also the deferred", || self.objects.left() == 0);
        flush_until("keys and values are dropped", || self.owned.left() == 0);
    }
}

/// How often a listener was told of each cause.
pub type Told = StdArc<[AtomicUsize; 4]>;

/// How a collection is to be made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Shards, of those that have them.
    pub shards: usize,
    /// Deferred values, of key maps.
    pub deferred: bool,
    /// Who is told of removals, of those that tell.
    pub told: Option<Told>,
}

/// A collection of objects held by `A`.
pub trait Subject<A: Owner>: Send + Sync + Sized + 'static {
    /// Are listeners told of its removals?
    const TELLS: bool = true;
    /// Does it own something for each entry: a key or a value?
    const OWNS: bool = false;
    /// An empty one.
    fn make(options: &Options) -> Self;
    /// Puts an object in that was never in before, nor is put in by another thread; how many entries that made.
    fn put(&self, object: &A, rng: &mut Rng) -> usize;
    /// Puts an object in that may be there; how many entries that made.
    fn again(&self, object: &A, rng: &mut Rng) -> usize {
        self.put(object, rng)
    }
    /// Takes an object, or what is equal to it, out.
    fn take(&self, object: &A, rng: &mut Rng);
    /// Looks an object up; what was found is equal to it.
    fn look(&self, object: &A);
    /// Walks, in one of several ways; how many were seen.
    fn walk(&self, rng: &mut Rng) -> usize;
    /// Takes out many, in one of several ways.
    fn thin(&self, rng: &mut Rng);
    /// Changes the table's size.
    fn resize(&self, rng: &mut Rng);
    /// How many there are.
    fn size(&self) -> usize;
    /// Figures, of those that have them.
    fn figures(&self) -> Option<Stats>;
    /// Panics if something is wrong inside.
    fn check(&self);
}

fn tell<K: ?Sized>(told: &Option<Told>) -> Option<impl Fn(&K, Cause) + Send + Sync + use<K>> {
    let told = told.clone()?;
    Some(move |_: &K, cause| _ = told[cause as usize].fetch_add(1, SeqCst))
}

/// What all collections with a table have under the same names.
macro_rules! with_table {
    () => {
        fn resize(&self, rng: &mut Rng) {
            match rng.below(4) {
                0 => self.reserve(rng.below(200)),
                1 => self.shrink_to(rng.below(20)),
                2 => self.shrink_to_fit(),
                _ => drop(self.run_pending_removals()),
            }
        }
        with_figures!();
    };
}

/// What such collections and interners have.
macro_rules! with_figures {
    () => {
        fn size(&self) -> usize {
            self.len()
        }
        fn figures(&self) -> Option<Stats> {
            Some(self.stats())
        }
        fn check(&self) {
            self.validate();
        }
    };
}

macro_rules! make {
    ($Public:ident, $options:ident $(, $deferred:ident)?) => {{
        let builder = $Public::builder().shards($options.shards).hasher(S::default());
        $(let builder = if $options.deferred { builder.$deferred() } else { builder };)?
        match tell(&$options.told) {
            Some(listener) => builder.on_removal(listener).build(),
            None => builder.build(),
        }
    }};
}

/// A hasher that a collection can be made with.
pub trait Hashes: BuildHasher + Default + Send + Sync + 'static {}
impl<S: BuildHasher + Default + Send + Sync + 'static> Hashes for S {}

fn came(done: bool) -> usize {
    usize::from(done)
}

impl<A: Owner, S: Hashes> Subject<A> for generic::WeakValueMap<Counted, A, S> {
    const OWNS: bool = true;
    fn make(options: &Options) -> Self {
        use generic::WeakValueMap;
        make!(WeakValueMap, options)
    }
    fn put(&self, object: &A, rng: &mut Rng) -> usize {
        match rng.below(6) {
            0 => came(self.try_insert(object.own(), object).is_ok()),
            1 => came(self.get_or_insert(object.own(), object.clone()).is(object)),
            2 => {
                let mut loaded = false;
                let there = self.get_or_insert_with(object.own(), |_| {
                    loaded = true;
                    object.clone()
                });
                came(loaded && there.is(object))
            }
            3 => {
                let done = self.compute(object.own(), |there| match there {
                    Some(_) => Compute::Remove,
                    None => Compute::Insert(object.clone()),
                });
                came(matches!(done, Computed::Inserted { .. }))
            }
            _ => {
                drop(self.insert(object.own(), object));
                1
            }
        }
    }
    fn again(&self, object: &A, _: &mut Rng) -> usize {
        drop(self.insert(object.own(), object));
        1
    }
    fn take(&self, object: &A, rng: &mut Rng) {
        match rng.below(3) {
            0 => drop(self.remove_exact(&object.counted, &A::downgrade(object))),
            1 => drop(self.remove_if(&object.counted, |_, there| there.is(object))),
            _ => drop(self.remove(&object.counted)),
        }
    }
    fn look(&self, object: &A) {
        assert!(self.get(&object.counted).is_none_or(|there| there == *object));
        assert!(self.pin().read(&object.counted).is_none_or(|there| *there == **object));
    }
    fn walk(&self, rng: &mut Rng) -> usize {
        match rng.below(4) {
            0 => self.iter().inspect(|(key, value)| assert_eq!(key.id, value.counted.id)).count(),
            1 => self.pin().iter().inspect(|(key, value)| assert_eq!(key.id, value.counted.id)).count(),
            2 => self.snapshot().len(),
            _ => {
                let (mut at, mut seen) = (Some(Cursor::default()), 0);
                while let Some(from) = at {
                    let page = self.scan(from, 1 + rng.below(20));
                    (at, seen) = (page.next, seen + page.items.len());
                }
                seen
            }
        }
    }
    fn thin(&self, rng: &mut Rng) {
        let some = rng.next() % 3;
        match rng.below(5) {
            0 => self.clear(),
            1 => self.retain(|key, _| key.id % 3 != some),
            2 => drop(self.extract_if(|key, _| key.id % 3 == some).count()),
            3 => drop(self.drain().nth(2)),
            _ => drop(self.pop()),
        }
    }
    with_table!();
}

macro_rules! of_keys {
    ($Public:ident) => {
        impl<A: Owner, S: Hashes> Subject<A> for generic::$Public<A, Counted, S> {
            const OWNS: bool = true;
            fn make(options: &Options) -> Self {
                use generic::$Public;
                make!($Public, options, deferred_values)
            }
            fn put(&self, object: &A, rng: &mut Rng) -> usize {
                match rng.below(6) {
                    0 => came(self.try_insert(object, object.own()).is_ok()),
                    1 => came(self.update(&**object, Counted::clone)),
                    2 => {
                        let done = self.compute(object, |there| match there {
                            Some(_) => Compute::Remove,
                            None => Compute::Insert(object.own()),
                        });
                        came(matches!(done, Computed::Inserted { .. }))
                    }
                    _ => {
                        drop(self.insert(object, object.own()));
                        1
                    }
                }
            }
            fn take(&self, object: &A, rng: &mut Rng) {
                match rng.below(3) {
                    0 => drop(self.remove_exact(&A::downgrade(object))),
                    1 => drop(self.remove_if(&**object, |_, value| value.id % 2 == 0)),
                    _ => drop(self.remove(&**object)),
                }
            }
            fn look(&self, object: &A) {
                let id = object.counted.id;
                assert!(self.with(&**object, |value| value.id).is_none_or(|there| there == id));
                assert!(self.get_both(&**object).is_none_or(|(key, value)| key == *object && value.id == id));
                assert!(self.pin().read(&**object).is_none_or(|value| value.id == id));
            }
            fn walk(&self, rng: &mut Rng) -> usize {
                match rng.below(3) {
                    0 => self.iter().inspect(|(key, value)| assert_eq!(key.counted.id, value.id)).count(),
                    1 => self.pin().iter().inspect(|(key, value)| assert_eq!(key.counted.id, value.id)).count(),
                    _ => self.keys().count(),
                }
            }
            fn thin(&self, rng: &mut Rng) {
                let some = rng.next() % 3;
                match rng.below(5) {
                    0 => self.clear(),
                    1 => self.retain(|key, _| key.counted.id % 3 != some),
                    2 => drop(self.extract_if(|key, _| key.counted.id % 3 == some).count()),
                    3 => drop(self.drain().nth(2)),
                    _ => drop(self.pop()),
                }
            }
            with_table!();
        }
    };
}
of_keys!(WeakKeyMap);
of_keys!(PtrWeakKeyMap);

macro_rules! of_pairs {
    ($Public:ident) => {
        impl<A: Owner, S: Hashes> Subject<A> for generic::$Public<A, A, S> {
            fn make(options: &Options) -> Self {
                use generic::$Public;
                make!($Public, options)
            }
            fn put(&self, object: &A, rng: &mut Rng) -> usize {
                match rng.below(4) {
                    0 => came(self.try_insert(object, object).is_ok()),
                    1 => {
                        let mut loaded = false;
                        let there = self.get_or_insert_with(object, |_| {
                            loaded = true;
                            object.clone()
                        });
                        came(loaded && there.is(object))
                    }
                    _ => {
                        drop(self.insert(object, object));
                        1
                    }
                }
            }
            fn again(&self, object: &A, _: &mut Rng) -> usize {
                drop(self.insert(object, object));
                1
            }
            fn take(&self, object: &A, rng: &mut Rng) {
                match rng.below(2) {
                    0 => drop(self.remove_exact(&**object, &A::downgrade(object))),
                    _ => drop(self.remove(&**object)),
                }
            }
            fn look(&self, object: &A) {
                assert!(self.get(&**object).is_none_or(|there| there == *object));
                assert!(self.pin().read(&**object).is_none_or(|there| *there == **object));
            }
            fn walk(&self, rng: &mut Rng) -> usize {
                match rng.below(3) {
                    0 => self.iter().inspect(|(key, value)| assert_eq!(key, value)).count(),
                    1 => self.pin().iter().count(),
                    _ => self.keys().count(),
                }
            }
            fn thin(&self, rng: &mut Rng) {
                let some = rng.next() % 3;
                match rng.below(4) {
                    0 => self.clear(),
                    1 => self.retain(|key, _| key.counted.id % 3 != some),
                    2 => drop(self.extract_if(|key, _| key.counted.id % 3 == some).count()),
                    _ => drop(self.pop()),
                }
            }
            with_table!();
        }
    };
}
of_pairs!(WeakWeakMap);
of_pairs!(PtrWeakWeakMap);

macro_rules! of_elements {
    ($Public:ident) => {
        impl<A: Owner, S: Hashes> Subject<A> for generic::$Public<A, S> {
            fn make(options: &Options) -> Self {
                use generic::$Public;
                make!($Public, options)
            }
            fn put(&self, object: &A, rng: &mut Rng) -> usize {
                match rng.below(3) {
                    0 => {
                        drop(self.replace(object));
                        1
                    }
                    _ => came(self.insert(object)),
                }
            }
            fn take(&self, object: &A, rng: &mut Rng) {
                match rng.below(3) {
                    0 => drop(self.remove_exact(&A::downgrade(object))),
                    1 => drop(self.take(&**object)),
                    _ => drop(self.remove(&**object)),
                }
            }
            fn look(&self, object: &A) {
                assert!(self.get(&**object).is_none_or(|there| there == *object));
                assert!(self.pin().read(&**object).is_none_or(|there| *there == **object));
            }
            fn walk(&self, rng: &mut Rng) -> usize {
                match rng.below(3) {
                    0 => self.iter().count(),
                    1 => self.pin().iter().count(),
                    _ => self.snapshot().len(),
                }
            }
            fn thin(&self, rng: &mut Rng) {
                let some = rng.next() % 3;
                match rng.below(4) {
                    0 => self.clear(),
                    1 => self.retain(|object| object.counted.id % 3 != some),
                    2 => drop(self.extract_if(|object| object.counted.id % 3 == some).count()),
                    _ => drop(self.pop()),
                }
            }
            with_table!();
        }
    };
}
of_elements!(WeakSet);
of_elements!(PtrWeakSet);

impl<A: Owner> Subject<A> for generic::WeakList<A> {
    const TELLS: bool = false;
    fn make(_: &Options) -> Self {
        Self::new()
    }
    fn put(&self, object: &A, _: &mut Rng) -> usize {
        self.push(object);
        1
    }
    fn take(&self, object: &A, rng: &mut Rng) {
        match rng.below(2) {
            0 => drop(self.remove_exact(&A::downgrade(object))),
            _ => drop(self.remove(object)),
        }
    }
    fn look(&self, object: &A) {
        let _ = self.contains(object);
    }
    fn walk(&self, rng: &mut Rng) -> usize {
        match rng.below(3) {
            0 => self.iter().count(),
            1 => self.pin().iter().count(),
            _ => self.snapshot().len(),
        }
    }
    fn thin(&self, rng: &mut Rng) {
        let some = rng.next() % 3;
        match rng.below(3) {
            0 => self.clear(),
            1 => self.retain(|object| object.counted.id % 3 != some),
            _ => drop(self.pop()),
        }
    }
    fn resize(&self, _: &mut Rng) {}
    fn size(&self) -> usize {
        self.len()
    }
    fn figures(&self) -> Option<Stats> {
        None
    }
    fn check(&self) {
        self.validate();
    }
}

impl<A: Owner, S: Hashes> Subject<A> for generic::Interner<A, S> {
    const TELLS: bool = false;
    fn make(options: &Options) -> Self {
        generic::Interner::builder().shards(options.shards).hasher(S::default()).build()
    }
    fn put(&self, object: &A, _: &mut Rng) -> usize {
        let there = self.intern_arc(object.clone());
        assert_eq!(*there, **object);
        came(std::ptr::eq(&raw const *there, A::as_ptr(object)))
    }
    fn again(&self, object: &A, _: &mut Rng) -> usize {
        self.look(object);
        0
    }
    fn take(&self, object: &A, _: &mut Rng) {
        self.look(object); // an interner's objects go by themselves only
    }
    fn look(&self, object: &A) {
        assert!(self.get(&**object).is_none_or(|there| *there == **object));
    }
    fn walk(&self, _: &mut Rng) -> usize {
        self.iter().count()
    }
    fn thin(&self, _: &mut Rng) {}
    fn resize(&self, _: &mut Rng) {
        self.shrink_to_fit();
    }
    with_figures!();
}

/// `$run`, generic over a pointer and a collection, as a test `$name` for each collection and each kind of pointer, `$rounds` times
/// each. It draws its lots from the generator that it is given; the hasher is drawn for it.
macro_rules! each_collection {
    ($($(#[$doc:meta])* fn $name:ident = $rounds:expr, $run:ident;)*) => {$(
        $(#[$doc])*
        mod $name {
            $crate::subjects::each_collection!(@kind native, weakly::Arc, $rounds, $run);
            $crate::subjects::each_collection!(@kind guest, std::sync::Arc, $rounds, $run);
        }
    )*};
    (@kind $kind:ident, $Pointer:path, $rounds:expr, $run:ident) => {
        mod $kind {
            use super::super::*;
            use $Pointer as Pointer;
            type A = Pointer<Item>;
            $crate::subjects::each_collection!(@each $rounds, $run;
                values S generic::WeakValueMap<Counted, A, S>;
                keys S generic::WeakKeyMap<A, Counted, S>;
                keys_by_address S generic::PtrWeakKeyMap<A, Counted, S>;
                pairs S generic::WeakWeakMap<A, A, S>;
                pairs_by_address S generic::PtrWeakWeakMap<A, A, S>;
                sets S generic::WeakSet<A, S>;
                sets_by_address S generic::PtrWeakSet<A, S>;
                interners S generic::Interner<A, S>;
                lists S generic::WeakList<A>;
            );
        }
    };
    (@each $rounds:expr, $run:ident; $($name:ident $S:ident $Type:ty;)*) => {$(
        #[test]
        fn $name() {
            let _dog = watchdog();
            let seed = seed();
            for round in 0..$rounds {
                let mut rng = Rng::new(seed, round);
                match rng.below(3) {
                    0 => $crate::subjects::each_collection!(@run $S Good, $run, $Type, rng),
                    1 => $crate::subjects::each_collection!(@run $S FourBit, $run, $Type, rng),
                    _ => $crate::subjects::each_collection!(@run $S Constant, $run, $Type, rng),
                }
            }
        }
    )*};
    (@run $S:ident $Hasher:ty, $run:ident, $Type:ty, $rng:ident) => {{
        #[allow(dead_code, reason = "a list has no hasher")]
        type $S = $Hasher;
        $run::<A, $Type>(&mut $rng);
    }};
}
pub(crate) use each_collection;
