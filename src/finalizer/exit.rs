//! Process exit: the finalizers whose objects are still alive run.
//!
//! Nothing runs after `main` on its own but finalizers, and they do so by one C `atexit` handler, which the first
//! [`finalize`](crate::finalize) installs. The explicit form is the better one: hold a [`guard`] in `main`, or call
//! [`run_finalizers`] where the program knows that it is done. Then finalizers run while thread-locals, and whatever `main`
//! still owns, are there, and the report can be read; the handler is for what that missed.
//!
//! | the process ends by | with a guard in `main` | the handler alone |
//! |---|---|---|
//! | return from `main`, also with an `Err` | run | run |
//! | a panic in `main` that unwinds | run | run |
//! | [`std::process::exit`], on any thread, on Unix | the handler runs them | run |
//! | [`std::process::exit`] on Windows, where it skips C handlers | not run: call [`run_finalizers`] before it | not run |
//! | `abort`, and so a panic under `panic = "abort"`; `_exit`; a fatal signal | not run | not run |
//! | anything, on a target without a C runtime | run, if `main` returns | not run |
//!
//! Newest first, one after the other, on the thread that exits. Each is contained: if it panics, that is reported (see
//! [`set_panic_hook`]) and the next one runs. Those that a running finalizer registers on this thread run next; those that
//! other threads register meanwhile wait for the next run. A finalizer that another thread has taken and is running is
//! waited for, so that the order holds, but five seconds in all at most in each run; what is not through by then is counted
//! in the report and left to its thread.
//!
//! Once the handler is through, no finalizer starts any more (as in CPython): a later death, or call, on a thread that
//! still runs drops the function uncalled. After an explicit run the world goes on: finalizers can be registered, run at
//! death, and be run by the next exit.
//!
//! In a child made by `fork` without `exec`, finalizers are the parent's: a child's exit, and [`run_finalizers`] in it, do
//! nothing, whoever registered them. (Objects that the child itself drops still run theirs.) A program that forks to become
//! a daemon does so before it makes its first finalizer.
//!
//! In the handler other threads still run, and thread-locals with a destructor are gone: a finalizer must not rely on
//! them. It must not call `std::process::exit` either, which aborts when it is called again within itself.

// The protocol of a run.
//
// # Parties and states
//
// Exits: explicit runs on any threads, and the handler's, after which the registry is closed. Claimers on other threads.
// Registrars on any thread.
//
// # Steps
//
// Draw a mark; collect the numbers below it, oldest first, as a stack. Take the newest; look it up; claim it and run it,
// or, if another thread is running it, wait. Then push what this thread has registered since the mark (those numbers are
// higher than all others, so the stack stays sorted), and raise the mark. Until the stack is empty.
//
// # Races and who wins
//
// *exit / death, call, another exit*: the claim (`handle`). Two exits at once run each finalizer once between them, still
// newest first, for each waits in place for what the other is running. *exit / itself*: a finalizer of this very thread
// that is running further down its stack (it called `process::exit` or `run_finalizers`) is passed over, not waited for.
// *exit / register on another thread*: what has returned when the mark is drawn belongs to the run, what comes later to
// the next one; so threads that register without end can't hold an exit up.
//
// # Orderings
//
// A claimer's `ENDED` against the wait; see `handle`.
//
// # What callers must not do
//
// In the handler: use a thread-local with a destructor; wait without a bound; free what another thread may use (memory is
// left to the epoch, and ripe destructors to the operating system); touch the registry in a forked child, where another
// thread of the parent may have held its locks. Pinning there is sound: without its thread-local, `crossbeam-epoch` pins
// by a participant of the moment, and `parking_lot`, which parks under `dashmap`'s locks, by thread data on the stack.

use super::handle::{Entry, Thread};
use super::registry::{Registry, made, registry};
use crate::death::call;
use crate::reclaim::stop_ripe;
use crate::sync::{EXIT_PATIENCE, wait};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// What a run of finalizers did.
///
/// # Examples
///
/// ```
/// let report = weakly::exit::run_finalizers();
/// assert_eq!(report.ran, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitReport {
    /// Finalizers that this run called.
    pub ran: usize,
    /// Those among them that panicked.
    pub panicked: usize,
    /// Finalizers that another thread was running, and that were not through when the five seconds were up.
    pub timed_out: usize,
}

/// Runs every finalizer that is to run at exit, newest first, each once. See the [module](self).
///
/// It can be called at any time, and again: it runs what is registered then. Within a finalizer it runs the others.
///
/// *O*(n log n) in the finalizers that are registered, and what they cost.
///
/// # Liveness
///
/// Runs finalizers, with no lock held, each under `catch_unwind`. A death on another thread meanwhile runs its own
/// finalizers there, each still once. Waits for those that other threads are running, five seconds in all at most.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, exit, finalize};
///
/// let a = Arc::new(5);
/// finalize(&a, || println!("a is done"));
/// let report = exit::run_finalizers();
/// assert_eq!((report.ran, report.panicked), (1, 0));
/// drop(a); // it has run: nothing happens
/// ```
pub fn run_finalizers() -> ExitReport {
    let registry = registry();
    if registry.is_open() { Run::start(registry).finish() } else { ExitReport::default() }
}

/// Runs the finalizers when it is dropped: hold it in `main`, as its first local.
///
/// # Liveness
///
/// As [`run_finalizers`], in the drop.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, exit, finalize};
///
/// fn main() {
///     let _guard = exit::guard(); // first in, last out
///     static CONFIG: std::sync::OnceLock<Arc<String>> = std::sync::OnceLock::new();
///     let config = CONFIG.get_or_init(|| Arc::new("never dies".to_string()));
///     finalize(config, || println!("but is finalized"));
/// }
/// ```
pub fn guard() -> ExitGuard {
    ExitGuard(())
}

/// What [`guard`] returns.
#[must_use = "the finalizers run when the guard is dropped"]
#[derive(Debug)]
pub struct ExitGuard(());

impl Drop for ExitGuard {
    /// Runs the finalizers: [`run_finalizers`].
    fn drop(&mut self) {
        run_finalizers();
    }
}

/// Tells `hook` of every panic that the crate catches from now on: in callbacks, in finalizers at death or exit, in
/// listeners, in destructors that waited for a grace period.
///
/// It gets the panic's payload. The standard panic hook has run before, so the message is on standard error already;
/// without a hook of yours that is all. A panic in `hook` itself is swallowed.
///
/// # Liveness
///
/// `hook` runs on the thread that panicked, at any time, with no lock held; also while the process exits.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use weakly::{Arc, exit, finalize};
///
/// static PANICS: AtomicUsize = AtomicUsize::new(0);
/// exit::set_panic_hook(|_| _ = PANICS.fetch_add(1, Ordering::Relaxed));
///
/// let a = Arc::new(5);
/// finalize(&a, || panic!("caught"));
/// drop(a);
/// assert_eq!(PANICS.load(Ordering::Relaxed), 1);
/// ```
pub fn set_panic_hook(hook: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static) {
    call::set_panic_hook(Arc::new(hook));
}

/// How many finalizers an exit would run now: registered, taken by nobody, and not switched off by
/// [`set_atexit`](crate::Finalizer::set_atexit). *O*(n); out of date as soon as it is read.
///
/// # Liveness
///
/// Takes one shard's lock after the other, under which none of your code ever runs.
///
/// # Examples
///
/// ```
/// use weakly::{Arc, exit, finalize};
///
/// let a = Arc::new(5);
/// let finalizer = finalize(&a, || ());
/// assert_eq!(exit::pending(), 1);
/// finalizer.set_atexit(false);
/// assert_eq!(exit::pending(), 0);
/// ```
pub fn pending() -> usize {
    registry().count(|mark| mark.waits_for_exit())
}

/// One run over all finalizers.
struct Run {
    registry: &'static Registry,
    /// The numbers still to be looked at, newest last.
    turns: Vec<u64>,
    /// Numbers below it have been collected.
    mark: u64,
    /// What is left to be spent on waiting.
    patience: Duration,
    report: ExitReport,
}

impl Run {
    fn start(registry: &'static Registry) -> Self {
        let mark = registry.mark();
        Run { registry, turns: registry.below(mark), mark, patience: EXIT_PATIENCE, report: ExitReport::default() }
    }

    fn finish(mut self) -> ExitReport {
        while let Some(id) = self.turns.pop() {
            if let Some(entry) = self.registry.get(id) {
                self.turn_of(&*entry);
                self.collect_new();
            }
        }
        self.report
    }

    fn turn_of(&mut self, entry: &dyn Entry) {
        let mark = entry.mark();
        if mark.claim_at_exit() {
            self.report.ran += 1;
            self.report.panicked += usize::from(!entry.run());
        } else if mark.runs_elsewhere() && !wait(&mut self.patience, || mark.has_ended()) {
            self.report.timed_out += 1;
        }
    }

    /// Puts what this thread has registered since the last look on top.
    fn collect_new(&mut self) {
        let mark = self.registry.mark();
        let here = Thread::here();
        let is_ours = |&id: &u64| self.registry.get(id).is_some_and(|entry| entry.mark().maker == here);
        self.turns.extend((self.mark..mark).filter(is_ours));
        self.mark = mark;
    }
}

/// Asks the C runtime to run the finalizers when the process exits, by `exit` or by return from `main`.
#[cfg(not(weakly_loom))]
pub(super) fn install() {
    // Elsewhere there is no C runtime to ask, and Miri's has no `atexit`: the explicit forms are what there is.
    #[cfg(all(any(unix, windows), not(miri)))]
    {
        extern "C" fn at_exit() {
            last_run();
        }
        // SAFETY: the handler is an `extern "C"` function, there for the process's life, and nothing in it unwinds.
        // Should the runtime have no room for it, the explicit forms are left.
        _ = unsafe { libc::atexit(at_exit) };
    }
}

/// The process's own run: what is still there runs, and then no finalizer starts any more.
#[cfg_attr(
    any(miri, weakly_loom, not(any(unix, windows))),
    expect(dead_code, reason = "only the exit handler calls it")
)]
fn last_run() {
    if let Some(registry) = made().filter(|registry| registry.is_open()) {
        stop_ripe();
        Run::start(registry).finish();
        registry.close();
    }
}
