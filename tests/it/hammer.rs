//! CPython's "collect in a thread", for every collection and both kinds of pointer: threads that do everything at once, more of them
//! than cores, beside one that flushes without a pause, or one that holds a guard all the while, or neither. Entries come in heaps
//! and die in heaps, so that tables grow and shrink under the deaths. How a collection is made, and what goes on beside it, is
//! drawn by lot for each round. Afterwards the books are exact and nothing is left.
//!
//! Tests side by side wait for each other's guards; so the long form is `WEAKLY_LONG=8 cargo test --test it hammer:: -- --test-threads 1`.

use crate::common::{Constant, Counted, FourBit, Good, Over, Rng, long, seed, sized, together, watchdog};
use crate::subjects::{Books, Item, Options, Owner, Subject, Told, each_collection};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use weakly::generic;

const STEPS: usize = sized(400, 12);
const KEYS: usize = 24;

/// What a round is like.
#[derive(Debug)]
struct Scene {
    options: Options,
    threads: usize,
    /// What goes on beside the workers.
    beside: Beside,
    /// Workers hold a guard over so many steps; 0: none.
    guard: usize,
    /// Objects are watched, deferred: one in so many; 0: none.
    watched: usize,
    deferred: usize,
}

#[derive(Clone, Copy, Debug)]
enum Beside {
    Nothing,
    /// A thread that does nothing but flush.
    Collector,
    /// A thread that holds a guard from first to last.
    Stalled,
    /// Both, so that nothing that it flushes may go.
    Both,
}

impl Scene {
    fn draw(rng: &mut Rng) -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let told = rng.below(2) == 0;
        Scene {
            options: Options {
                shards: [1, 2, 64][rng.below(3)],
                deferred: rng.below(3) == 0,
                told: told.then(Told::default),
            },
            threads: sized([2, 4, 4 * cores, 8 * cores][rng.below(4)], 2),
            beside: [Beside::Nothing, Beside::Collector, Beside::Collector, Beside::Stalled, Beside::Both]
                [rng.below(5)],
            guard: [0, 0, 1, 30][rng.below(4)],
            watched: [0, 1, 4][rng.below(3)],
            deferred: [0, 0, 3][rng.below(3)],
        }
    }
}

/// An object, watched and deferred as its lot falls.
fn object<A: Owner>(books: &Books, scene: &Scene, id: u64, rng: &mut Rng) -> A {
    let mut one_in = |n: usize| n > 0 && rng.below(n) == 0;
    let (deferred, watched) = (one_in(scene.deferred), one_in(scene.watched));
    books.object(id, deferred, watched)
}

/// One thread's part of a round.
fn work<A: Owner, M: Subject<A>>(subject: &M, books: &Books, scene: &Scene, steady: &[A], rng: &mut Rng) {
    let mut held: Vec<A> = Vec::new();
    let mut guard = None;
    for step in 0..STEPS * long() {
        if scene.guard > 0 && step % scene.guard == 0 {
            drop(guard.take());
            guard = (rng.below(2) == 0).then(weakly::pin);
        }
        let id = rng.below(KEYS) as u64;
        match rng.below(40) {
            0..12 => {
                let object: A = object(books, scene, id, rng);
                books.came(subject.put(&object, rng));
                held.push(object);
            }
            12..18 => {
                let object: A = object(books, scene, id, rng);
                books.came(subject.put(&object, rng)); // and it dies
            }
            18..22 => books.came(subject.again(&steady[rng.below(steady.len())], rng)),
            22 => books.came(held.last().map_or(0, |object| subject.again(object, rng))),
            23 => held.last().into_iter().for_each(|object| subject.take(object, rng)),
            24..28 => subject.look(&steady[rng.below(steady.len())]),
            28 => held.last().into_iter().for_each(|object| subject.look(object)),
            29 => _ = subject.walk(rng),
            30 if rng.below(4) == 0 => subject.thin(rng),
            31 => subject.resize(rng),
            32 if rng.below(8) == 0 => {
                // A heap of which no two are equal, so that the table grows; it dies in the midst of the others' work.
                let first = 1_000 + (rng.next() % 1_000_000) * 1_000;
                let heap: Vec<A> = (0..sized(150, 12) as u64).map(|n| object(books, scene, first + n, rng)).collect();
                heap.iter().for_each(|object| books.came(subject.put(object, rng)));
            }
            33 => weakly::pin().flush(),
            _ => held.truncate(rng.below(10)),
        }
    }
}

/// Work, beside whatever goes on; then the accounts.
fn hammered<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    let scene = Scene::draw(rng);
    let seed = rng.next();
    let said = Says(format!("{scene:?}"));
    let books = Books::default();
    let subject = M::make(&scene.options);
    let steady: Vec<A> = (0..4).map(|id| object(&books, &scene, id, rng)).collect();
    let own_hooks: Vec<usize> = steady.iter().map(Owner::hooks).collect();
    let over = AtomicBool::new(false);
    let stalled = thread::scope(|scope| {
        let _over = Over(&over);
        if let Beside::Collector | Beside::Both = scene.beside {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    weakly::pin().flush();
                }
            });
        }
        // Held by this thread, which waits for the workers.
        let stalled = matches!(scene.beside, Beside::Stalled | Beside::Both).then(weakly::pin);
        together(scene.threads, |thread| {
            work(&subject, &books, &scene, &steady, &mut Rng::new(seed, thread));
        });
        stalled
    });
    accounts(&subject, &books, &scene.options); // also while a guard holds everything back
    drop((stalled, subject));
    for (object, own) in steady.iter().zip(own_hooks) {
        assert_eq!(object.hooks(), own, "a collection that is gone has left no hook");
    }
    drop(steady);
    books.close();
    drop(said);
}

/// Everything that came is there, or left for one cause, and was told of.
fn accounts<A: Owner, M: Subject<A>>(subject: &M, books: &Books, options: &Options) {
    subject.check();
    let size = subject.size();
    assert_eq!(subject.walk(&mut Rng::new(0, 0)), size, "a walk finds what its size says");
    assert!(!M::OWNS || books.owned.left() >= size, "a key or a value for each entry");
    let Some(stats) = subject.figures() else { return };
    assert_eq!((stats.len, stats.pending_removals), (size, 0));
    let left = [stats.died, stats.removed, stats.replaced, stats.cleared];
    assert_eq!(books.came.load(SeqCst) as u64, size as u64 + left.iter().sum::<u64>(), "{stats:?}");
    if let (Some(told), true) = (&options.told, M::TELLS) {
        assert_eq!(told.each_ref().map(|n| n.load(SeqCst) as u64), left, "each left once and was told of once");
    }
}

/// Says what a round was like, if it fails.
struct Says(String);

impl Drop for Says {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", self.0);
        }
    }
}

/// A collection that is dropped while what is in it dies on other threads, one of which flushes.
fn dropped_amid_deaths<A: Owner, M: Subject<A>>(rng: &mut Rng) {
    let told = Told::default();
    let options = Options { shards: [1, 2, 64][rng.below(3)], deferred: rng.below(3) == 0, told: Some(told.clone()) };
    let scene =
        Scene { options, threads: 0, beside: Beside::Nothing, guard: 0, watched: 2, deferred: [0, 3][rng.below(2)] };
    let books = Books::default();
    let subject = M::make(&scene.options);
    let n = sized(30, 8) as u64;
    let survivor: A = object(&books, &scene, n, rng);
    let halves = [0, 1].map(|half| (0..n).filter(|id| id % 2 == half).collect::<Vec<_>>());
    let halves = halves.map(|ids| ids.into_iter().map(|id| object(&books, &scene, id, rng)).collect::<Vec<A>>());
    let own = survivor.hooks();
    halves.iter().flatten().chain([&survivor]).for_each(|object| books.came(subject.put(object, rng)));
    let (subject, halves) = (Mutex::new(Some(subject)), halves.map(|half| Mutex::new(Some(half))));
    together(4, |thread| match thread {
        0 => drop(subject.lock().unwrap().take()),
        3 => (0..20).for_each(|_| weakly::pin().flush()),
        half => drop(halves[half - 1].lock().unwrap().take()),
    });
    let told: usize = told.iter().map(|n| n.load(SeqCst)).sum();
    assert!(!M::TELLS || told == books.came.load(SeqCst), "each entry left once and was told of once");
    assert_eq!(survivor.hooks(), own, "a collection that is gone has left no hook");
    drop(survivor);
    books.close();
}

each_collection! {
    fn nothing_is_lost_while_a_thread_collects = sized(3, 1), hammered;
    fn a_collection_may_go_while_its_objects_die = sized(40, 3) * long(), dropped_amid_deaths;
}
