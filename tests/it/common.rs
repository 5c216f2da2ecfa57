//! What the tests share: a watchdog, seeds, hashers good and bad, counted values, waiting for the epoch, exact accounts.

#[path = "rng.rs"]
mod rng;

#[allow(unused_imports, reason = "not every binary draws lots")]
pub use rng::Rng;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher, RandomState};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc as StdArc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use weakly::{Pointer, generic};

/// `native` rounds or things; as many as Miri can do in bearable time under Miri.
pub const fn sized(native: usize, miri: usize) -> usize {
    if cfg!(miri) { miri } else { native }
}

/// ThreadSanitizer makes all slower, ten times and more.
const SLOWER: u64 = if cfg!(weakly_tsan) { 10 } else { 1 };

/// Aborts the process with a message if a test hangs. Lives as long as the test's body.
#[must_use]
pub struct Watchdog(Option<(Sender<()>, JoinHandle<()>)>);

/// A watchdog for the calling test.
pub fn watchdog() -> Watchdog {
    const LIMIT: Duration = Duration::from_secs(240 * SLOWER);
    if cfg!(miri) {
        return Watchdog(None); // Miri reports a deadlock by itself, and is too slow for any limit
    }
    let limit = LIMIT * u32::try_from(long()).expect("a small WEAKLY_LONG");
    let (done, waiting) = channel();
    let name = thread::current().name().unwrap_or("a test").to_string();
    let dog = thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            // Past the harness, which would keep it for a report that never comes.
            let _ = writeln!(std::io::stderr(), "watchdog: {name} hangs");
            std::process::abort();
        }
    });
    Watchdog(Some((done, dog)))
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some((done, dog)) = self.0.take() {
            drop(done);
            let _ = dog.join();
        }
    }
}

/// Runs `work` on `n` threads that start together; a panic in one is the test's.
pub fn together(n: usize, work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(n);
    thread::scope(|scope| {
        for i in 0..n {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(i);
            });
        }
    });
}

/// Says that a test is over, however it ends, to threads that go on until then.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// How many times as long as usual the tests that depend on luck are to run: from `WEAKLY_LONG`, or once.
pub fn long() -> usize {
    std::env::var("WEAKLY_LONG").map_or(1, |n| n.parse().expect("WEAKLY_LONG: a number"))
}

/// The seed of this run: from `WEAKLY_SEED`, or a fresh one. Printed, so that a failure can be run again.
pub fn seed() -> u64 {
    let given = std::env::var("WEAKLY_SEED").ok().map(|s| s.parse().expect("WEAKLY_SEED: a number"));
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("WEAKLY_SEED={seed}");
    seed
}

/// A hash that spreads.
pub type Good = BuildHasherDefault<DefaultHasher>;

/// Every key at one place.
pub type Constant = BuildHasherDefault<Always0>;

/// Sixteen places.
pub type FourBit = BuildHasherDefault<Low4>;

/// The hasher behind [`Constant`].
#[derive(Default)]
pub struct Always0;

impl Hasher for Always0 {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        0
    }
}

/// The hasher behind [`FourBit`].
#[derive(Default)]
pub struct Low4(DefaultHasher);

impl Hasher for Low4 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
    fn finish(&self) -> u64 {
        self.0.finish() % 16
    }
}

/// How many of some kind were made and dropped.
#[derive(Debug, Default)]
pub struct Tally {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Tally {
    /// A tally to share.
    pub fn new() -> StdArc<Self> {
        StdArc::default()
    }

    /// Made so far.
    pub fn made(&self) -> usize {
        self.made.load(SeqCst)
    }

    /// Dropped so far.
    pub fn dropped(&self) -> usize {
        self.dropped.load(SeqCst)
    }

    /// Made and not dropped.
    pub fn left(&self) -> usize {
        self.made() - self.dropped()
    }
}

/// A number that is counted when it is made and when it is dropped: a key or a value.
pub struct Counted {
    /// The number.
    pub id: u64,
    tally: StdArc<Tally>,
}

impl Counted {
    /// One more.
    pub fn new(id: u64, tally: &StdArc<Tally>) -> Self {
        tally.made.fetch_add(1, SeqCst);
        Counted { id, tally: StdArc::clone(tally) }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Counted::new(self.id, &self.tally)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.dropped.fetch_add(1, SeqCst);
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Counted {}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({})", self.id)
    }
}

/// Flushes until `done`: what a grace period holds back comes, for every guard of every test beside this one ends.
pub fn flush_until(what: &str, done: impl Fn() -> bool) {
    assert!(eventually(done), "never: {what}");
}

/// As [`flush_until`]: whether it came to that.
pub fn eventually(done: impl Fn() -> bool) -> bool {
    const PATIENCE: Duration = Duration::from_secs(200 * SLOWER);
    let start = Instant::now();
    let mut turns = (0..).take_while(|turns| if cfg!(miri) { *turns < 20_000 } else { start.elapsed() < PATIENCE });
    turns.any(|_| {
        weakly::pin().flush();
        thread::yield_now();
        done()
    })
}

/// Which of users' functions does what it should not, at which of its calls, and what that is: for one call at most.
pub struct Fuse<F, E>(Mutex<Option<(F, usize, E)>>);

impl<F, E> Default for Fuse<F, E> {
    /// None does.
    fn default() -> Self {
        Fuse(Mutex::new(None))
    }
}

impl<F: PartialEq, E: Copy> Fuse<F, E> {
    /// From now on `fault` has `effect` at its `n`th call.
    pub fn light(&self, fault: F, n: usize, effect: E) {
        *self.0.lock().unwrap() = Some((fault, n, effect));
    }

    /// `fault` is called; what it is to do, with no lock held, if this call is the one.
    pub fn burn(&self, fault: F) -> Option<E> {
        let mut lit = self.0.lock().unwrap();
        let (_, left, effect) = lit.as_mut().filter(|(armed, ..)| *armed == fault)?;
        *left -= 1;
        let due = (*left == 0).then_some(*effect);
        if due.is_some() {
            *lit = None;
        }
        due
    }

    /// None does any more. Was there no such call?
    pub fn put_out(&self) -> bool {
        self.0.lock().unwrap().take().is_some()
    }
}

/// A panic that a test has planned, without a message on the terminal.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned;

/// Panics as planned.
pub fn planned() -> ! {
    resume_unwind(Box::new(Planned))
}

/// Runs `f`; true if it panicked, which must then have been as planned.
pub fn panics_as_planned(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => false,
        Err(panic) if panic.is::<Planned>() => true,
        Err(panic) => resume_unwind(panic),
    }
}

/// The message of a panic that `f` must end with.
pub fn panic_message<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(panic) => match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(panic) => panic.downcast_ref::<&str>().expect("a message").to_string(),
        },
    }
}

/// A quiet map's books: every entry that ever came is there or left for one cause, and a walk finds what `len` says.
pub fn assert_accounts<K: Clone, A: Pointer, S>(map: &generic::WeakValueMap<K, A, S>, inserted: usize) {
    let stats = map.stats();
    assert_eq!(stats.pending_removals, 0, "an idle map keeps no dead entry");
    let left = stats.died + stats.removed + stats.replaced + stats.cleared;
    assert_eq!(inserted as u64, map.len() as u64 + left, "inserted = len + left: {stats:?}");
    assert_eq!(map.keys().count(), map.len(), "a walk finds what len says");
    #[expect(clippy::len_zero, reason = "the two are compared")]
    let empty = map.len() == 0;
    assert_eq!(map.is_empty(), empty);
}

/// Checks that this thread holds no guard: a block that it retires is freed, which a guard of its own would hold up for ever.
pub fn assert_unpinned() {
    let (probe, map) = (weakly::Arc::new(0), weakly::PtrWeakSet::new());
    map.insert(&probe);
    map.remove(&probe);
    flush_until("no guard is held here", || weakly::Arc::weak_count(&probe) == 0);
}

/// What is to be done once, when its time comes.
#[derive(Default)]
pub struct Hook(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Hook {
    /// Will be done.
    pub fn set(&self, f: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(f));
    }

    /// Its time has come.
    pub fn run(&self) {
        let hook = self.0.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
    }
}

/// A key whose `Eq` and destructor do what a test says.
pub struct Hooked {
    /// The number.
    pub n: u64,
    /// When it is compared.
    pub on_eq: Hook,
    /// When it is destroyed.
    pub on_drop: Hook,
}

impl Hooked {
    /// A key that does nothing yet.
    pub fn new(n: u64) -> Self {
        Hooked { n, on_eq: Hook::default(), on_drop: Hook::default() }
    }
}

impl PartialEq for Hooked {
    fn eq(&self, other: &Self) -> bool {
        let same = self.n == other.n;
        self.on_eq.run();
        other.on_eq.run();
        same
    }
}

impl Eq for Hooked {}

impl Hash for Hooked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.n.hash(state);
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        self.on_drop.run();
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({})", self.n)
    }
}
