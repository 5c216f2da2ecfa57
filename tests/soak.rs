//! A soak: threads churn every collection of both kinds of pointer, with callbacks, deferred objects, finalizers and now and then a
//! guard that is held for long, for as long as they are told. Each line says what the process takes and what is alive; what it
//! takes must not grow once it has settled, and in the end all of it is freed. `ci/soak.sh [minutes]`, or two seconds of it with
//! the other tests.
//!
//! Two figures: the heap, counted by the allocator; and resident memory, of which the allocator is asked to give back what is free.
//! A guard that is held, or whose thread is not let run, raises both for a while; so the least of each stretch of time is compared.

#[path = "it/common.rs"]
#[allow(dead_code, reason = "shared with the other binaries")]
mod common;
#[path = "it/subjects.rs"]
#[allow(dead_code, unused_macros, unused_imports, reason = "as above")]
mod subjects;

use common::{Counted, Good, Over, Rng, flush_until, seed};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use subjects::{Books, Item, Options, Owner, Subject};
use weakly::generic::{
    Interner, PtrWeakKeyMap, PtrWeakSet, PtrWeakWeakMap, WeakKeyMap, WeakList, WeakSet, WeakValueMap, WeakWeakMap,
};
use weakly::{Arc, finalize};

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated and not yet freed.
static HEAP: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's allocator, beside a counter.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(block, layout) }
    }
}

/// For how many seconds: from this variable.
const SECONDS: &str = "WEAKLY_SOAK_SECONDS";

/// Objects of a collection that stay for a while.
const KEPT: usize = 300;

/// A collection that is churned.
trait Churned: Send + Sync {
    /// Some operations; how many.
    fn burst(&self, rng: &mut Rng, books: &Books) -> usize;
    /// Entries, those of them that own something, and dead ones that wait for a busy shard.
    fn figures(&self) -> [usize; 3];
    /// Lets go of everything; the collection must be empty and whole.
    fn close(&self);
}

struct Churn<A, M> {
    subject: M,
    /// Owners that outlive their burst, and die on any thread.
    kept: Mutex<Vec<A>>,
}

impl<A: Owner, M: Subject<A>> Churned for Churn<A, M> {
    fn burst(&self, rng: &mut Rng, books: &Books) -> usize {
        const OPERATIONS: usize = 300;
        let subject = &self.subject;
        let mut held: Vec<A> = Vec::new();
        let peak = [50, 50, 3_000][rng.below(3)]; // tables grow now and then, and shrink again
        for _ in 0..OPERATIONS {
            let id = rng.next() % peak;
            match rng.below(16) {
                0..7 => {
                    let object = books.object(id, rng.below(6) == 0, rng.below(4) == 0);
                    subject.put(&object, rng);
                    held.push(object);
                }
                7..9 => _ = subject.put(&books.object(id, false, false), rng),
                9 => _ = held.last().map(|object| subject.again(object, rng)),
                10 => held.last().into_iter().for_each(|object| subject.take(object, rng)),
                11..13 => held.last().into_iter().for_each(|object| subject.look(object)),
                13 if rng.below(20) == 0 => _ = subject.walk(rng),
                14 if rng.below(20) == 0 => subject.resize(rng),
                15 if rng.below(60) == 0 => subject.thin(rng),
                _ => drop(held.pop()),
            }
        }
        let mut kept = self.kept.lock().unwrap();
        kept.append(&mut held);
        let gone = kept.len().saturating_sub(KEPT);
        let gone: Vec<A> = kept.drain(..gone).collect();
        drop(kept);
        drop(gone);
        OPERATIONS
    }

    fn figures(&self) -> [usize; 3] {
        let size = self.subject.size();
        [size, if M::OWNS { size } else { 0 }, self.subject.figures().map_or(0, |stats| stats.pending_removals)]
    }

    fn close(&self) {
        drop(std::mem::take(&mut *self.kept.lock().unwrap()));
        assert_eq!(self.figures(), [0; 3], "nothing is held, so nothing is there");
        self.subject.check();
    }
}

fn churn<A: Owner, M: Subject<A>>(shards: usize) -> Box<dyn Churned> {
    let subject = M::make(&Options { shards, ..Options::default() });
    Box::new(Churn::<A, M> { subject, kept: Mutex::default() })
}

/// Every collection, over one kind of pointer.
fn all<A: Owner>() -> Vec<Box<dyn Churned>> {
    vec![
        churn::<A, WeakValueMap<Counted, A, Good>>(4),
        churn::<A, WeakKeyMap<A, Counted, Good>>(2),
        churn::<A, PtrWeakKeyMap<A, Counted, Good>>(4),
        churn::<A, WeakWeakMap<A, A, Good>>(1),
        churn::<A, PtrWeakWeakMap<A, A, Good>>(4),
        churn::<A, WeakSet<A, Good>>(4),
        churn::<A, PtrWeakSet<A, Good>>(2),
        churn::<A, Interner<A, Good>>(4),
        churn::<A, WeakList<A>>(1),
    ]
}

/// Resident memory in bytes, where the system tells, once the allocator has given back what it can.
fn resident() -> Option<u64> {
    if cfg!(any(weakly_asan, weakly_tsan)) {
        return None; // a sanitizer keeps what is freed, for a while
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// One line of the report: what was seen at one moment, in bytes.
struct Line {
    at: Duration,
    /// The heap, and what is resident.
    takes: [u64; 2],
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if cfg!(miri) {
        println!("skipped: too long for Miri");
        return;
    }
    let seconds = std::env::var(SECONDS).map_or(2, |s| s.parse().expect("WEAKLY_SOAK_SECONDS: a number"));
    let (length, seed) = (Duration::from_secs(seconds), seed());
    let threads = 2 * thread::available_parallelism().map_or(2, usize::from);
    let before = HEAP.load(Relaxed);
    let mut collections = all::<Arc<Item>>();
    collections.extend(all::<std::sync::Arc<Item>>());
    let (books, done, over) = (Books::default(), AtomicUsize::new(0), AtomicBool::new(false));
    println!("{threads} threads, {} collections, {seconds} s", collections.len());
    println!(
        "{:>7} {:>9} {:>9} {:>12} {:>8} {:>8} {:>9} {:>11}",
        "s", "heap KiB", "RSS KiB", "operations", "objects", "entries", "pending", "held back"
    );
    let start = Instant::now();
    let lines = thread::scope(|scope| {
        let _over = Over(&over);
        for i in 0..threads {
            let (collections, books, done, over) = (&collections, &books, &done, &over);
            scope.spawn(move || {
                let mut rng = Rng::new(seed, i);
                while !over.load(Relaxed) {
                    // A guard over a few bursts now and then: what dies meanwhile is held back, and comes back after.
                    let _guard = (rng.below(200) == 0).then(weakly::pin);
                    for _ in 0..1 + rng.below(4) {
                        let collection = &collections[rng.below(collections.len())];
                        done.fetch_add(collection.burst(&mut rng, books), Relaxed);
                    }
                    let object = Arc::new(());
                    let finalizer = finalize(&object, || ());
                    if rng.below(2) == 0 {
                        finalizer.call();
                    }
                }
            });
        }
        // Threads that come and go, with what they retire.
        scope.spawn(|| {
            let mut rng = Rng::new(seed, threads);
            while !over.load(Relaxed) {
                let seed = rng.next();
                let collection = &collections[seed as usize % collections.len()];
                thread::scope(|scope| drop(scope.spawn(|| collection.burst(&mut Rng::new(seed, 0), &books))));
            }
        });
        let (mut lines, pause) = (Vec::new(), (length / 12).min(Duration::from_secs(5)));
        while start.elapsed() < length {
            thread::sleep(pause.min(length.saturating_sub(start.elapsed())));
            let figures: Vec<_> = collections.iter().map(|collection| collection.figures()).collect();
            let [entries, owning, pending] = [0, 1, 2].map(|i| figures.iter().map(|figures| figures[i]).sum::<usize>());
            let heap = HEAP.load(Relaxed).max(0) as u64;
            let line = Line { at: start.elapsed(), takes: [heap, resident().unwrap_or(0)] };
            // Keys and values that are in no map wait for a grace period.
            let held_back = books.owned.left().saturating_sub(owning);
            println!(
                "{:>7.1} {:>9} {:>9} {:>12} {:>8} {:>8} {:>9} {:>11}",
                line.at.as_secs_f64(),
                line.takes[0] >> 10,
                line.takes[1] >> 10,
                done.load(Relaxed),
                books.objects.left(),
                entries,
                pending,
                held_back
            );
            lines.push(line);
        }
        lines
    });
    collections.iter().for_each(|collection| collection.close());
    drop(collections);
    books.close();
    check(&lines, length);
    drop(lines); // which are on the heap too
    // The epoch keeps something for each thread for a while.
    let few = (64 << 10) + (threads << 12) as isize;
    flush_until("all that was allocated is freed", || HEAP.load(Relaxed) < before + few);
    println!("heap: {} bytes are left", HEAP.load(Relaxed) - before);
    assert_eq!(weakly::exit::pending(), 0, "no finalizer is left");
    println!("{} operations, seed {seed}: ok", done.into_inner());
}

/// Once it has settled, memory stays where it is: the least of the last third is little more than the least of the second.
fn check(lines: &[Line], length: Duration) {
    for (i, name) in ["heap", "RSS"].into_iter().enumerate() {
        let range = |third: u32| {
            let times = length / 3 * third..length / 3 * (third + 1);
            let of = lines.iter().filter(|line| times.contains(&line.at)).map(|line| line.takes[i]);
            of.fold((u64::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)))
        };
        let [settled, last] = [1, 2].map(range);
        let kib = |(least, most): (u64, u64)| format!("{} to {} KiB", least >> 10, most >> 10);
        println!("{name}: {} in the second third, {} in the last", kib(settled), kib(last));
        assert!(
            last.1 == 0 || last.0 <= settled.0.saturating_add(settled.0 / 4 + (8 << 20)), // if any line came in time
            "{name} grows: {} KiB, then {} KiB",
            settled.0 >> 10,
            last.0 >> 10
        );
    }
}
