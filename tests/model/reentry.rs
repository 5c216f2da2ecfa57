//! Re-entrancy: every piece of user code that a collection calls does, now and then, anything to any collection.
//!
//! Keys' and values' `Hash`, `Eq`, `Equivalent`, `Clone`, `Drop` and `anchor`, callbacks, finalizers, listeners, loaders and
//! closures all come to [`Hooks::hook`], which draws lots; two deep. One thread or three, eight keys. When nothing moves any
//! more a watchdog tells who was doing what. When all is quiet the books must balance to the entry, and everything that was
//! made be dropped once.
//!
//! What the docs refuse, the crate may refuse: a loader that waits for itself.

use crate::common::{Counted, Over, Rng, Tally, flush_until, long, seed};
use crate::machine;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc as StdArc, Mutex, Weak as StdWeak};
use std::thread;
use std::time::Duration;
use weakly::std_arc::{Anchor, Anchored};
use weakly::{
    Arc, ByPointer, Cause, Compute, Computed, Cursor, Equivalent, Finalizer, Lookup, Pointer, Stats, generic,
};

/// Hooks inside hooks, at most.
const DEPTH: usize = 2;
/// Keys that are told apart.
const KEYS: usize = 8;
/// Objects that are held at one time, at most.
const HELD: usize = 24;
/// How much of what each thread did the watchdog tells.
const LOG: usize = 60;

/// What user code does when it is called.
trait Hooks: Send + Sync {
    fn hook(&self, at: &'static str);
}

/// What this thread draws lots from, how deep it is in hooks, and which it is. No lots are drawn outside of a run.
struct Me {
    lots: Rng,
    depth: usize,
    number: usize,
}

thread_local! {
    static ME: RefCell<Option<Me>> = const { RefCell::new(None) };
}

/// A number below `n`.
fn lot(n: usize) -> usize {
    ME.with_borrow_mut(|me| me.as_mut().map_or(0, |me| me.lots.below(n)))
}

/// What a collection hashes by: well, badly, or between.
#[derive(Clone, Copy, Debug)]
struct Spread(u64);

impl BuildHasher for Spread {
    type Hasher = Spreading;
    fn build_hasher(&self) -> Spreading {
        Spreading(DefaultHasher::new(), self.0)
    }
}

struct Spreading(DefaultHasher, u64);

impl Hasher for Spreading {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
    fn finish(&self) -> u64 {
        self.0.finish() % self.1
    }
}

type World = StdWeak<dyn Hooks>;

fn hook(world: &World, at: &'static str) {
    if let Some(world) = world.upgrade() {
        world.hook(at);
    }
}

/// What all keys and values are: a number, and user code all over. Its clones are counted like itself.
struct Code {
    n: usize,
    /// Which one it is.
    id: usize,
    world: World,
    _counted: Counted,
    tally: StdArc<Tally>,
}

/// What the next one is called.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Code {
    fn new(n: usize, world: &World, tally: &StdArc<Tally>) -> Self {
        Code {
            n,
            id: NEXT.fetch_add(1, SeqCst),
            world: world.clone(),
            _counted: Counted::new(0, tally),
            tally: tally.clone(),
        }
    }
}

impl Clone for Code {
    fn clone(&self) -> Self {
        hook(&self.world, "Clone");
        Code::new(self.n, &self.world, &self.tally)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        hook(&self.world, "Eq");
        self.n == other.n
    }
}

impl Eq for Code {}

impl Hash for Code {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hook(&self.world, "Hash");
        state.write_usize(self.n);
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        hook(&self.world, "Drop");
    }
}

/// What looks a key up.
struct Name {
    n: usize,
    world: World,
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hook(&self.world, "Hash of a name");
        state.write_usize(self.n);
    }
}

impl Equivalent<Code> for Name {
    fn equivalent(&self, key: &Code) -> bool {
        hook(&self.world, "Equivalent");
        self.n == key.n
    }
}

impl Equivalent<Object> for Name {
    fn equivalent(&self, object: &Object) -> bool {
        self.equivalent(&object.code)
    }
}

/// What is held weakly.
#[derive(PartialEq, Eq, Hash)]
struct Object {
    code: Code,
    anchor: Anchor,
}

impl Anchored for Object {
    fn anchor(&self) -> &Anchor {
        hook(&self.code.world, "anchor");
        &self.anchor
    }
}

/// The handle of a callback: cancels it, or lets it stay armed. Whether it was cancelled.
type Handle = Box<dyn FnOnce(bool) -> bool + Send>;

/// A pointer of either kind.
trait Kind:
    Pointer<Target = Object, Weak: Send + Sync> + Lookup<Object, ByPointer> + From<Object> + Send + Sync + 'static
{
    fn deferred(object: Object) -> Self;
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Handle;
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()>;
}

impl Kind for Arc<Object> {
    fn deferred(object: Object) -> Self {
        Arc::new_deferred(object)
    }
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Handle {
        let observer = Arc::observe(self, move |_| call());
        Box::new(move |cancel| if cancel { observer.cancel() } else { (observer.detach(), false).1 })
    }
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
        weakly::finalize(self, call)
    }
}

impl Kind for StdArc<Object> {
    fn deferred(object: Object) -> Self {
        StdArc::new(object)
    }
    fn observe(&self, call: impl FnOnce() + Send + 'static) -> Handle {
        let observer = self.anchor().observe(call);
        Box::new(move |cancel| if cancel { observer.cancel() } else { (observer.detach(), false).1 })
    }
    fn finalize(&self, call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
        self.anchor().finalize(call)
    }
}

/// A collection's own account: entries that came, and notices by cause.
#[derive(Default)]
struct Books {
    came: AtomicU64,
    told: [AtomicU64; 4],
}

impl Books {
    fn came(&self, n: impl Into<u64>) {
        self.came.fetch_add(n.into(), SeqCst);
    }

    fn balance(&self, name: &str, stats: &Stats) {
        let left = [stats.died, stats.removed, stats.replaced, stats.cleared];
        let told = self.told.each_ref().map(|told| told.load(SeqCst));
        assert_eq!(told, left, "{name}: notices by cause");
        assert_eq!(self.came.load(SeqCst), stats.len as u64 + left.iter().sum::<u64>(), "{name}: came = there + left");
    }
}

const VALUES: usize = 0;
const OTHERS: usize = 1;
const KEYED: usize = 2;
const PAIRS: usize = 3;
const SET: usize = 4;
const NAMES: [&str; 5] = ["a WeakValueMap", "another", "a WeakKeyMap", "a WeakWeakMap", "a WeakSet"];

/// One of each collection, and everything that user code reaches.
struct Everything<A: Kind> {
    values: [generic::WeakValueMap<Code, A, Spread>; 2],
    keyed: generic::WeakKeyMap<A, Code, Spread>,
    pairs: generic::WeakWeakMap<A, A, Spread>,
    set: generic::WeakSet<A, Spread>,
    list: generic::WeakList<A>,
    books: StdArc<[Books; 5]>,
    held: Mutex<Vec<A>>,
    handles: Mutex<Vec<Handle>>,
    finalizers: Mutex<Vec<Finalizer<()>>>,
    /// Callbacks and finalizers that were registered, called, and cancelled.
    watchers: StdArc<[AtomicUsize; 3]>,
    code: StdArc<Tally>,
    me: StdWeak<Self>,
    steps: AtomicUsize,
    refused: AtomicUsize,
    logs: [Mutex<VecDeque<(usize, &'static str)>>; 3],
}

const REGISTERED: usize = 0;
const CALLED: usize = 1;
const CANCELLED: usize = 2;

impl<A: Kind> Hooks for Everything<A> {
    fn hook(&self, at: &'static str) {
        let acts = ME.with_borrow_mut(|me| {
            let me = me.as_mut()?;
            let acts = me.depth <= DEPTH && me.lots.below(6) == 0;
            me.depth += usize::from(acts);
            acts.then_some(())
        });
        if acts.is_some() {
            self.note(at);
            self.step();
            ME.with_borrow_mut(|me| me.iter_mut().for_each(|me| me.depth -= 1));
        }
    }
}

impl<A: Kind> Everything<A> {
    fn new(spread: u64, shards: usize, deferred: bool) -> StdArc<Self> {
        let books: StdArc<[Books; 5]> = StdArc::default();
        let told = |map: usize, me: StdWeak<Self>| {
            let books = books.clone();
            move |cause: Cause| {
                books[map].told[cause as usize].fetch_add(1, SeqCst);
                if let Some(me) = me.upgrade() {
                    me.hook("listener");
                }
            }
        };
        macro_rules! built {
            ($Map:ty, $map:expr, $me:expr $(, $option:ident)?) => {{
                let told = told($map, $me.clone());
                let builder = <$Map>::builder().hasher(Spread(spread)).shards(shards).on_removal(move |_, cause| told(cause));
                $(let builder = if deferred { builder.$option() } else { builder };)?
                builder.build()
            }};
        }
        StdArc::new_cyclic(|me: &StdWeak<Self>| Everything {
            values: [
                built!(generic::WeakValueMap<Code, A>, VALUES, me),
                built!(generic::WeakValueMap<Code, A>, OTHERS, me),
            ],
            keyed: built!(generic::WeakKeyMap<A, Code>, KEYED, me, deferred_values),
            pairs: built!(generic::WeakWeakMap<A, A>, PAIRS, me),
            set: built!(generic::WeakSet<A>, SET, me),
            list: generic::WeakList::new(),
            books: books.clone(),
            held: Mutex::default(),
            handles: Mutex::default(),
            finalizers: Mutex::default(),
            watchers: StdArc::default(),
            code: Tally::new(),
            me: me.clone(),
            steps: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            logs: Default::default(),
        })
    }

    fn note(&self, what: &'static str) {
        let (number, depth) = ME.with_borrow(|me| me.as_ref().map_or((0, 0), |me| (me.number, me.depth)));
        let mut log = self.logs[number].lock().unwrap();
        if log.len() == LOG {
            log.pop_front();
        }
        log.push_back((depth, what));
        self.steps.fetch_add(1, SeqCst);
    }

    fn world(&self) -> World {
        self.me.clone()
    }

    /// A key, or a value of a map's own.
    fn code(&self) -> Code {
        Code::new(lot(KEYS), &self.world(), &self.code)
    }

    fn name(&self) -> Name {
        Name { n: lot(KEYS), world: self.world() }
    }

    /// A new object.
    fn object(&self) -> A {
        let object = Object { code: self.code(), anchor: Anchor::new() };
        if lot(4) == 0 { A::deferred(object) } else { A::from(object) }
    }

    /// One that is held, or a new one.
    fn some(&self) -> A {
        let held = self.held.lock().unwrap();
        let one = if held.is_empty() { None } else { Some(held[lot(held.len())].clone()) };
        drop(held);
        one.unwrap_or_else(|| self.object())
    }

    fn hold(&self, object: A) {
        let mut held = self.held.lock().unwrap();
        let out = if held.len() < HELD { None } else { Some(held.swap_remove(lot(HELD))) };
        held.push(object);
        drop(held);
        drop(out);
    }

    fn drop_some(&self) {
        let out: Vec<A> = {
            let mut held = self.held.lock().unwrap();
            let from = lot(held.len() + 1);
            held.drain(from..).collect()
        };
        drop(out);
    }

    fn watch(&self) {
        let object = self.some();
        let (world, watchers, captured) = (self.world(), self.watchers.clone(), self.code());
        watchers[REGISTERED].fetch_add(1, SeqCst);
        let call = move || {
            let _captured = captured;
            watchers[CALLED].fetch_add(1, SeqCst);
            hook(&world, "callback");
        };
        if lot(3) == 0 {
            let finalizer = object.finalize(call);
            self.finalizers.lock().unwrap().push(finalizer);
        } else {
            let handle = object.observe(call);
            self.handles.lock().unwrap().push(handle);
        }
    }

    fn unwatch(&self) {
        let handle = self.handles.lock().unwrap().pop();
        let cancelled = handle.is_some_and(|handle| handle(lot(2) == 0));
        self.watchers[CANCELLED].fetch_add(cancelled.into(), SeqCst);
        let finalizer = self.finalizers.lock().unwrap().pop();
        match (finalizer, lot(3)) {
            (Some(finalizer), 0) => drop(finalizer.call()),
            (Some(finalizer), 1) => {
                let detached = finalizer.detach();
                self.watchers[CANCELLED].fetch_add(detached.is_some().into(), SeqCst);
            }
            _ => {}
        }
    }

    /// A load may be refused, for that would be a deadlock; nothing else may.
    fn load<R>(&self, load: impl FnOnce() -> R) {
        let loaded = catch_unwind(AssertUnwindSafe(load));
        if let Err(panic) = loaded {
            let message = panic.downcast_ref::<&str>().copied().unwrap_or_default();
            if !message.starts_with("deadlock: a loader waits for itself") {
                resume_unwind(panic);
            }
            self.refused.fetch_add(1, SeqCst);
        }
    }

    /// One operation, drawn.
    fn step(&self) {
        let which = lot(2);
        let (values, books) = (&self.values[which], &self.books[[VALUES, OTHERS][which]]);
        match lot(40) {
            0..=2 => self.hold(self.object()),
            3 => self.drop_some(),
            4 => self.watch(),
            5 => self.unwatch(),
            6..=8 => {
                self.note("insert");
                books.came(1_u8);
                let value = self.some();
                let _ = values.insert(self.code(), &value);
            }
            9 => {
                self.note("try_insert");
                let value = self.some();
                let done = values.pin().try_insert(self.code(), &value).is_ok();
                books.came(done);
            }
            10 | 11 => {
                self.note("get_or_insert_with");
                let mut made = None;
                self.load(|| {
                    let value = values.get_or_insert_with(self.code(), |_| {
                        self.hook("loader");
                        made.insert(self.object()).clone()
                    });
                    let new = made.as_ref().is_some_and(|made| std::ptr::eq(A::as_ptr(made), A::as_ptr(&value)));
                    books.came(new);
                    self.hold(value);
                });
            }
            12 => {
                self.note("get_or_try_insert_with, which fails");
                self.load(|| {
                    let failed = values.get_or_try_insert_with(self.code(), |_| {
                        self.hook("loader");
                        Err(())
                    });
                    failed.ok().into_iter().for_each(|there| self.hold(there));
                });
            }
            13 => {
                self.note("compute");
                let value = self.some();
                let wish = lot(3);
                let done = values.compute(self.code(), |_| {
                    self.hook("compute");
                    match wish {
                        0 => Compute::Keep,
                        1 => Compute::Remove,
                        _ => Compute::Insert(value.clone()),
                    }
                });
                books.came(matches!(done, Computed::Inserted { .. }));
            }
            14 => {
                self.note("get");
                let found = values.get(&self.name());
                found.into_iter().for_each(|found| self.hold(found));
            }
            15 => {
                self.note("read");
                let pinned = values.pin();
                let _ = pinned.read(&self.name()).map(|read| read.code.n);
            }
            16 => {
                self.note("remove");
                let _ = values.remove(&self.name());
            }
            17 => {
                self.note("remove_if");
                let _ = values.remove_if(&self.name(), |_, _| {
                    self.hook("remove_if");
                    lot(2) == 0
                });
            }
            18 => {
                self.note("remove_entry");
                let _ = values.remove_entry(&self.name());
            }
            19 => {
                self.note("retain");
                values.retain(|_, _| {
                    self.hook("retain");
                    lot(3) > 0
                });
            }
            20 => {
                self.note("extract_if");
                values.extract_if(|_, _| lot(3) == 0).for_each(|_| self.hook("an extracted entry"));
            }
            21 => {
                self.note("for_each");
                values.for_each(|_, _| self.hook("for_each"));
                values.iter().for_each(|_| self.hook("iter"));
            }
            22 => {
                self.note("scan");
                let mut from = Some(Cursor::default());
                while let Some(cursor) = from {
                    from = values.scan(cursor, 2).next;
                    self.hook("scan");
                }
            }
            23 => {
                self.note("clear");
                values.clear();
            }
            24 => {
                self.note("room");
                values.reserve(lot(50));
                values.shrink_to_fit();
                self.keyed.shrink_to_fit();
            }
            25 => {
                self.note("compare");
                let _ = self.values[0].is_submap(&self.values[1]);
                let _ = self.keyed.is_submap(&self.keyed);
            }
            26 | 27 => {
                self.note("weak key: insert");
                self.books[KEYED].came(1_u8);
                let _ = self.keyed.insert(&self.some(), self.code());
            }
            28 => {
                self.note("weak key: update");
                let done = self.keyed.update(&self.some(), |_| {
                    self.hook("update");
                    self.code()
                });
                self.books[KEYED].came(done);
            }
            29 => {
                self.note("weak key: get_or_insert_with");
                let key = self.some();
                self.load(|| {
                    let mine = self.code();
                    let id = mine.id;
                    let load = |_: &A| {
                        self.hook("loader");
                        mine
                    };
                    let got = self.keyed.with_or_insert_with(&key, load, |value| value.id);
                    self.books[KEYED].came(got == id);
                });
            }
            30 => {
                self.note("weak key: remove");
                let _ = self.keyed.remove(&self.name());
                let _ = self.keyed.get(&self.name());
            }
            31 => {
                self.note("weak key: retain");
                self.keyed.retain(|_, _| {
                    self.hook("retain");
                    lot(3) > 0
                });
            }
            32 | 33 => {
                self.note("pair: insert");
                self.books[PAIRS].came(1_u8);
                let _ = self.pairs.insert(&self.some(), &self.some());
            }
            34 => {
                self.note("pair: get and remove");
                let _ = self.pairs.get(&self.name());
                let _ = self.pairs.pin().remove(&self.name());
            }
            35 => {
                self.note("set: insert");
                let done = self.set.insert(&self.some());
                self.books[SET].came(done);
            }
            36 => {
                self.note("set: replace");
                self.books[SET].came(1_u8);
                let _ = self.set.replace(&self.some());
                let _ = self.set.take(&self.name());
            }
            37 => {
                self.note("list");
                self.list.push(&self.some());
                self.list.remove(&self.some());
                self.list.for_each(|_| self.hook("list: for_each"));
                self.list.retain(|_| {
                    self.hook("list: retain");
                    lot(4) > 0
                });
            }
            38 => {
                self.note("flush");
                weakly::pin().flush();
            }
            _ => {
                self.note("under a guard");
                let _guard = weakly::pin();
                self.hook("a guard");
            }
        }
    }

    /// Nothing is at work any more: everything goes, and nothing is left.
    fn end(self: StdArc<Self>) {
        for map in &self.values {
            map.validate();
        }
        self.keyed.validate();
        self.pairs.validate();
        self.set.validate();
        self.list.validate();
        let stats =
            [self.values[0].stats(), self.values[1].stats(), self.keyed.stats(), self.pairs.stats(), self.set.stats()];
        for (i, stats) in stats.iter().enumerate() {
            assert_eq!(stats.pending_removals, 0, "{}: an idle collection keeps no dead entry", NAMES[i]);
            self.books[i].balance(NAMES[i], stats);
        }
        assert_eq!(self.values[0].iter().count(), stats[0].len, "a walk finds what `len` says");

        let handles = std::mem::take(&mut *self.handles.lock().unwrap());
        let cancelled = handles.into_iter().map(|handle| usize::from(handle(true))).sum::<usize>();
        self.watchers[CANCELLED].fetch_add(cancelled, SeqCst);
        let (held, code) = (std::mem::take(&mut *self.held.lock().unwrap()), self.code.clone());
        drop(held);
        let watchers = self.watchers.clone();
        drop(StdArc::try_unwrap(self).unwrap_or_else(|_| panic!("somebody is at work on it")));
        flush_until("everything that was made is dropped", || code.left() == 0);
        let [registered, called, cancelled] = watchers.each_ref().map(|n| n.load(SeqCst));
        assert_eq!(registered, called + cancelled, "each callback was called once, or cancelled");
    }
}

/// Aborts with what every thread did last if nothing moves for long.
fn watched<A: Kind>(all: &StdArc<Everything<A>>, seed: u64, run: impl FnOnce()) {
    const PATIENCE: u32 = 120;
    let over = StdArc::new(AtomicBool::new(false));
    let dog = thread::spawn({
        let (all, over) = (all.clone(), over.clone());
        move || {
            let (mut seen, mut idle) = (0, 0);
            while !over.load(SeqCst) {
                thread::park_timeout(Duration::from_secs(1));
                let steps = all.steps.load(SeqCst);
                idle = if steps == seen { idle + 1 } else { 0 };
                seen = steps;
                if idle > PATIENCE {
                    let mut out = std::io::stderr();
                    let _ = writeln!(out, "watchdog: nothing moves; WEAKLY_SEED={seed}");
                    for (thread, log) in all.logs.iter().enumerate() {
                        let _ = writeln!(out, "thread {thread}, last of all:");
                        for (depth, what) in &*log.lock().unwrap() {
                            let _ = writeln!(out, "  {:width$}{what}", "", width = 4 * depth);
                        }
                    }
                    std::process::abort();
                }
            }
        }
    });
    {
        let _over = Over(&over);
        run();
    }
    dog.thread().unpark();
    dog.join().expect("the watchdog sees no wrong");
}

/// Rounds of runs on `threads` threads, in each of which every thread makes its steps.
fn anything_goes<A: Kind>(threads: usize, rounds: usize) {
    let _one = machine::exclusively();
    let seed = seed();
    let mut lots = Rng::new(seed, 0);
    let (mut steps, mut refused) = (0, 0);
    for _ in 0..rounds * long() {
        let (spread, shards) = ([u64::MAX, 1, 16][lots.below(3)], [1, 2, 64][lots.below(3)]);
        let all = Everything::<A>::new(spread, shards, lots.below(2) == 0);
        let (round, length) = (lots.next(), 10 + lots.below(151));
        watched(&all, seed, || {
            let work = |number: usize| {
                ME.set(Some(Me { lots: Rng::new(round, number), depth: 0, number }));
                for _ in 0..length {
                    all.step();
                }
                ME.set(None);
            };
            thread::scope(|scope| (0..threads).for_each(|number| drop(scope.spawn(move || work(number)))));
        });
        steps += all.steps.load(SeqCst);
        refused += all.refused.load(SeqCst);
        all.end();
    }
    println!("{steps} operations and hooks, {refused} loads refused");
}

#[test]
fn user_code_may_do_anything_on_one_thread() {
    anything_goes::<Arc<Object>>(1, 150);
}

#[test]
fn user_code_of_guests_may_do_anything_on_one_thread() {
    anything_goes::<StdArc<Object>>(1, 150);
}

#[test]
fn user_code_may_do_anything_on_three_threads() {
    anything_goes::<Arc<Object>>(3, 60);
}

#[test]
fn user_code_of_guests_may_do_anything_on_three_threads() {
    anything_goes::<StdArc<Object>>(3, 60);
}
