//! `Finalizer`: the handle, and the protocol by which a call happens once.
//!
//! # Parties and states
//!
//! A finalizer has three keepers, which share it: its handles, its object's hook, and the registry. Its claimer is one of
//! a handle (`call`, `detach`), the object's death, or an exit. The word:
//!
//! | bit | meaning |
//! |---|---|
//! | `AT_EXIT` | an exit may claim it; set at first, changed by `set_atexit` |
//! | `CLAIMED` | sticky: somebody has taken the job out, to run it or to hand it back |
//! | `ENDED` | sticky: the claimer is through |
//!
//! # Steps
//!
//! *Register*: build it without a job, hook it to the object, put the job in, insert it into the registry, hand the handle
//! out: nobody but the registrar can claim before the job is there, for its `Arc` keeps the object alive and the
//! registry and the handle come last. *Claim*: set CLAIMED (an exit: exchange exactly AT_EXIT for AT_EXIT and CLAIMED, so
//! that it takes a finalizer that wants it, or none). *Then*, in this order: take the job out; unhook it; run it or hand
//! it back; forget it in the registry; set ENDED.
//!
//! # Races and who wins
//!
//! *claim / claim*: the one that finds CLAIMED unset. The losers do nothing: a death or another `call` goes on at once,
//! only an exit waits for ENDED, and only if another thread is the claimer. *detach / death*: an earlier callback of the
//! same death may still detach, and then the finalizer never runs. *`set_atexit` / exit*: the exit's exchange reads the
//! bit and claims in one step.
//!
//! # Orderings
//!
//! Claiming orders nothing: the job's own lock hands it from registrar to claimer. ENDED releases, and the exit's look
//! acquires: what a finalizer did on another thread comes before what the exit runs next.
//!
//! # What callers must not do
//!
//! Run or drop the user's function under the job's lock; that lock is there for [`Finalizer::peek`], which looks while
//! somebody may be taking.

use super::registry::registry;
use crate::death::call::contain;
use crate::ptr::Arc;
use crate::sync::{AtomicU8, AtomicUsize, Mutex, Ordering, thread_local};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

const AT_EXIT: u8 = 1;
const CLAIMED: u8 = 2;
const ENDED: u8 = 4;

/// The word of one finalizer. See the module for its protocol.
#[derive(Debug)]
struct State(AtomicU8);

impl State {
    fn armed() -> Self {
        State(AtomicU8::new(AT_EXIT))
    }

    /// Claims it for anybody but an exit.
    #[must_use]
    fn claim(&self) -> bool {
        // Relaxed: the bit decides who; the job's lock hands over the rest.
        self.0.fetch_or(CLAIMED, Ordering::Relaxed) & CLAIMED == 0
    }

    /// Claims it for an exit, if it is to run there.
    #[must_use]
    fn claim_at_exit(&self) -> bool {
        // Relaxed: as in `claim`.
        self.0.compare_exchange(AT_EXIT, AT_EXIT | CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn end(&self) {
        // Release: pairs with the Acquire of `has_ended`.
        self.0.fetch_or(ENDED, Ordering::Release);
    }

    fn has_ended(&self) -> bool {
        // Acquire: pairs with the Release of `end`: all that the finalizer did comes before what the exit does next.
        self.0.load(Ordering::Acquire) & ENDED != 0
    }

    /// Whether an exit is to run it; `None` once it is claimed. Out of date as soon as it is read.
    fn look(&self) -> Option<bool> {
        // Relaxed: a figure.
        let word = self.0.load(Ordering::Relaxed);
        (word & CLAIMED == 0).then_some(word & AT_EXIT != 0)
    }

    fn set_atexit(&self, on: bool) {
        // Relaxed: the exit's exchange reads this very word.
        if on {
            self.0.fetch_or(AT_EXIT, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!AT_EXIT, Ordering::Relaxed);
        }
    }
}

/// Who a finalizer is and how far it has come: all of it but the user's part.
#[derive(Debug)]
pub struct Mark {
    /// Its number: newer is higher.
    pub id: u64,
    /// The thread that registered it.
    pub maker: Thread,
    location: &'static Location<'static>,
    state: State,
    /// The thread that claimed it, as [`Thread`]; 0 before.
    claimer: AtomicUsize,
}

impl Mark {
    fn claim(&self) -> bool {
        self.note_claimer(self.state.claim())
    }

    /// Claims it for an exit, if it is to run there.
    #[must_use]
    pub fn claim_at_exit(&self) -> bool {
        self.note_claimer(self.state.claim_at_exit())
    }

    fn note_claimer(&self, claimed: bool) -> bool {
        if claimed {
            // Relaxed: only this thread compares it with itself; every other finds a stranger, or 0, which is nobody.
            self.claimer.store(Thread::here().0, Ordering::Relaxed);
        }
        claimed
    }

    /// Has another thread claimed it, and is it not through?
    pub fn runs_elsewhere(&self) -> bool {
        // Relaxed: see `note_claimer`.
        let here = self.claimer.load(Ordering::Relaxed) == Thread::here().0;
        self.state.look().is_none() && !here && !self.state.has_ended()
    }

    /// Is its claimer through?
    pub fn has_ended(&self) -> bool {
        self.state.has_ended()
    }

    /// Would an exit run it?
    pub fn waits_for_exit(&self) -> bool {
        self.state.look() == Some(true)
    }
}

/// Which of the running threads: the address of a thread-local without a destructor, there until the thread's very end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread(usize);

impl Thread {
    /// The thread that asks.
    pub fn here() -> Self {
        thread_local! {
            static HERE: Cell<u8> = const { Cell::new(0) };
        }
        Thread(HERE.with(|here| std::ptr::from_ref(here).addr()))
    }
}

/// A finalizer as the registry and the hook see it, whatever it returns.
pub trait Entry: Send + Sync {
    /// Who it is and how far it has come.
    fn mark(&self) -> &Mark;

    /// Runs what the caller has just claimed. False: it panicked, and that is reported.
    fn run(&self) -> bool;
}

/// A finalizer's hook at its object, whatever kind of pointer that has. Dropping it unhooks.
///
/// It keeps nothing alive, may be asked and dropped on any thread, and runs none of the user's code.
pub trait Watch: Send {
    /// Is the object alive?
    fn is_alive(&self) -> bool;
}

/// What a hook does when its object dies.
pub struct AtDeath(Arc<dyn Entry>);

impl AtDeath {
    /// Runs the finalizer, unless somebody has claimed it. Never unwinds.
    pub fn run(self) {
        if self.0.mark().claim() {
            self.0.run();
        }
    }
}

/// What the claimer takes.
struct Job<R> {
    call: Box<dyn FnOnce() -> R + Send>,
    watch: Box<dyn Watch>,
}

/// One finalizer. Its keepers share it by the crate's own `Arc`, whose counts loom sees.
struct Shared<R> {
    mark: Mark,
    job: Mutex<Option<Job<R>>>,
}

impl<R> Shared<R> {
    /// The same finalizer, whatever it returns.
    fn erased(this: &Arc<Self>) -> Arc<dyn Entry>
    where
        R: 'static,
    {
        let raw: *const dyn Entry = Arc::<Self>::into_raw(this.clone());
        // SAFETY: the pointer and its count are `into_raw`'s, and the compiler has made the rest of it.
        unsafe { Arc::from_raw(raw) }
    }

    /// Takes the user's function out of a finalizer that the caller has just claimed, and unhooks it.
    fn take(&self) -> Box<dyn FnOnce() -> R + Send> {
        let job = self.job.lock().take();
        let Job { call, watch } = job.expect("a finalizer is claimed once");
        drop(watch);
        call
    }
}

/// A claimed finalizer; it has ended when this is dropped, however that comes.
struct Claimed<'a, R>(&'a Shared<R>);

impl<R> Drop for Claimed<'_, R> {
    fn drop(&mut self) {
        registry().forget(self.0.mark.id);
        self.0.mark.state.end();
    }
}

impl<R> Entry for Shared<R> {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn run(&self) -> bool {
        let claimed = Claimed(self);
        let call = claimed.0.take();
        if registry().is_closed() {
            return contain(|| drop(call)).is_some();
        }
        contain(|| drop(call())).is_some()
    }
}

/// A handle to a finalizer: what [`finalize`](crate::finalize) returns.
///
/// The finalizer doesn't need it; dropping it changes nothing. Clones are handles to the same finalizer, and `Eq` and
/// `Hash` go by which one that is.
///
/// # Liveness
///
/// A finalizer happens once or, if detached, never: of any number of [`call`](Self::call)s and [`detach`](Self::detach)es,
/// the object's death and the process's exit, whichever comes first takes it, and the others don't wait. No method but
/// `call` runs your function; none but `call` and `detach` can even drop it.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, Finalizer, finalize};
///
/// let a = Arc::new(5);
/// let finalizer: Finalizer<&str> = finalize(&a, || "done");
/// assert!(finalizer.is_alive());
/// assert_eq!(finalizer.call(), Some("done"));
/// assert_eq!(finalizer.call(), None); // once
/// ```
pub struct Finalizer<R>(Arc<Shared<R>>);

// A finalizer's function is there or has been taken, never half of it; a panic in it leaves nothing to see.
impl<R> UnwindSafe for Finalizer<R> {}
impl<R> RefUnwindSafe for Finalizer<R> {}

impl<R> Finalizer<R> {
    /// Registers `call`. `hook` hooks what it gets to the object, which the caller keeps alive, and returns the hook.
    pub(crate) fn register(
        call: Box<dyn FnOnce() -> R + Send>,
        location: &'static Location<'static>,
        hook: impl FnOnce(AtDeath) -> Box<dyn Watch>,
    ) -> Self
    where
        R: 'static,
    {
        let mark = Mark {
            id: registry().draw(),
            maker: Thread::here(),
            location,
            state: State::armed(),
            claimer: AtomicUsize::new(0),
        };
        let shared = Arc::new(Shared { mark, job: Mutex::new(None) });
        let watch = hook(AtDeath(Shared::erased(&shared)));
        *shared.job.lock() = Some(Job { call, watch });
        registry().insert(Shared::erased(&shared));
        Finalizer(shared)
    }

    /// Runs the finalizer now and returns what it returns; `None` if it has run, is running, or was detached.
    ///
    /// The object may be alive, and stays so. After the process's own exit run has ended no finalizer starts any more:
    /// then the function is dropped, uncalled, and this is `None`.
    ///
    /// # Panics
    ///
    /// If the function does: an explicit call's panic is the caller's. It counts as having run.
    ///
    /// # Liveness
    ///
    /// Whoever else comes meanwhile (another call, the object's death) doesn't wait for it, so the object can be destroyed
    /// by another thread while the function runs here; an exit does wait, for a while (see [`exit`](crate::exit)).
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let finalizer = finalize(&a, || std::fs::remove_file("/nowhere/at/all"));
    /// assert!(finalizer.call().unwrap().is_err()); // an explicit call sees the result
    /// ```
    pub fn call(&self) -> Option<R> {
        let claimed = self.claim()?;
        let call = claimed.0.take();
        if registry().is_closed() {
            return None;
        }
        Some(call())
    }

    /// Cancels the finalizer and hands its function back; `None` if it has run, is running, or was detached.
    ///
    /// `Some` says truly that nobody else has run it or ever will: also when the object is dying and an earlier callback
    /// of that death detaches it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let finalizer = finalize(&a, || unreachable!());
    /// assert!(finalizer.detach().is_some());
    /// drop(a);
    /// ```
    pub fn detach(&self) -> Option<Detached<R>> {
        let claimed = self.claim()?;
        Some(Detached(claimed.0.take()))
    }

    fn claim(&self) -> Option<Claimed<'_, R>> {
        self.0.mark.claim().then(|| Claimed(&self.0))
    }

    /// Is it still to run? False from the moment somebody takes it, so also inside it. Out of date as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let finalizer = finalize(&a, || ());
    /// assert!(finalizer.is_alive());
    /// drop(a);
    /// assert!(!finalizer.is_alive());
    /// ```
    pub fn is_alive(&self) -> bool {
        self.0.mark.state.look().is_some()
    }

    /// Is it still to run, and its object alive? Out of date as soon as it is read.
    ///
    /// It differs from [`is_alive`](Self::is_alive) while the object is dying and the finalizer's turn has not come.
    ///
    /// # Liveness
    ///
    /// Never upgrades, so it can't be what kept the object alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let older = finalize(&a, || ());
    /// assert!(older.is_alive() && older.peek());
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// Arc::observe(&a, move |_| tx.send((older.is_alive(), older.peek())).unwrap()).detach();
    /// drop(a);
    /// assert_eq!(rx.recv(), Ok((true, false))); // its turn came after the observer's
    /// ```
    pub fn peek(&self) -> bool {
        self.is_alive() && self.0.job.lock().as_ref().is_some_and(|job| job.watch.is_alive())
    }

    /// Which one it is and where it was registered; `None` once somebody has taken it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let info = finalize(&a, || ()).info().unwrap();
    /// assert_eq!(info.location.file(), file!());
    /// assert!(info.atexit);
    /// ```
    pub fn info(&self) -> Option<FinalizerInfo> {
        let Mark { id, location, .. } = self.0.mark;
        self.0.mark.state.look().map(|atexit| FinalizerInfo { id, location, atexit })
    }

    /// Will an exit run it, if nobody does before? `true` at first; `false` once somebody has taken it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// let finalizer = finalize(&a, || ());
    /// assert!(finalizer.atexit());
    /// finalizer.call();
    /// assert!(!finalizer.atexit());
    /// ```
    pub fn atexit(&self) -> bool {
        self.0.mark.waits_for_exit()
    }

    /// Says whether an exit is to run it. Nothing happens if somebody has taken it.
    ///
    /// An exit reads this when the finalizer's turn comes, so another finalizer that runs at exit can still change it for
    /// an older one.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(5);
    /// finalize(&a, || println!("only if it dies")).set_atexit(false);
    /// ```
    pub fn set_atexit(&self, atexit: bool) {
        self.0.mark.state.set_atexit(atexit);
    }
}

impl<R> Clone for Finalizer<R> {
    /// Another handle to the same finalizer.
    fn clone(&self) -> Self {
        Finalizer(self.0.clone())
    }
}

impl<R> PartialEq for Finalizer<R> {
    /// Are they handles to the same finalizer?
    fn eq(&self, other: &Self) -> bool {
        self.0.mark.id == other.0.mark.id
    }
}

impl<R> Eq for Finalizer<R> {}

impl<R> Hash for Finalizer<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.mark.id.hash(state);
    }
}

impl<R> fmt::Debug for Finalizer<R> {
    /// Which one it is, where it was registered, whether it is still to run. Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizer")
            .field("id", &self.0.mark.id)
            .field("location", &format_args!("{}", self.0.mark.location))
            .field("alive", &self.is_alive())
            .finish()
    }
}

/// What [`Finalizer::info`] tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FinalizerInfo {
    /// Its number: one registered later has a higher one.
    pub id: u64,
    /// Where it was registered.
    pub location: &'static Location<'static>,
    /// Whether an exit is to run it.
    pub atexit: bool,
}

/// The function of a finalizer that was [detached](Finalizer::detach): nobody else will run it.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, finalize};
///
/// let a = Arc::new(5);
/// let detached = finalize(&a, || "done").detach().unwrap();
/// drop(a);
/// assert_eq!(detached.call(), "done");
/// ```
#[must_use = "dropping it drops the finalizer's function, uncalled"]
pub struct Detached<R>(Box<dyn FnOnce() -> R + Send>);

impl<R> Detached<R> {
    /// Calls it.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(());
    /// let detached = finalize(&a, || 5).detach();
    /// assert_eq!(detached.map(|five| five.call()), Some(5));
    /// ```
    pub fn call(self) -> R {
        (self.0)()
    }

    /// The function itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use weakly::{Arc, finalize};
    ///
    /// let a = Arc::new(());
    /// let five = finalize(&a, || 5).detach().unwrap().into_fn();
    /// assert_eq!(std::thread::spawn(five).join().unwrap(), 5);
    /// ```
    pub fn into_fn(self) -> Box<dyn FnOnce() -> R + Send> {
        self.0
    }
}

impl<R> fmt::Debug for Detached<R> {
    /// Runs no user code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").finish_non_exhaustive()
    }
}
