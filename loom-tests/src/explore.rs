//! Runs one model, and says what came of it.
//!
//! Any panic in a model is its failure, even one that the crate catches (a callback's, say): the panic hook writes it down.
//! A model that wants a panic of its own throws it by `resume_unwind`, which calls no hook.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};
use std::{env, io, io::Write};

/// So many preemptions are as good as no bound, and explored as if there were none.
pub const UNBOUNDED: usize = 100;

/// How far to explore.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// At most so many preemptions in an execution; `None`: any number.
    pub preemptions: Option<usize>,
    /// Stop after so long.
    pub time: Option<Duration>,
}

impl Bounds {
    /// What `LOOM_MAX_PREEMPTIONS` (from [`UNBOUNDED`] on: any number) and `LOOM_MAX_DURATION` (seconds) say.
    pub fn from_env() -> Self {
        let number = |name| env::var(name).ok().map(|v| v.parse::<usize>().expect(name));
        Bounds {
            preemptions: number("LOOM_MAX_PREEMPTIONS").filter(|&n| n < UNBOUNDED),
            time: number("LOOM_MAX_DURATION").map(|s| Duration::from_secs(s as u64)),
        }
    }
}

/// What came of a model.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What loom, the crate or the model said when it failed.
    pub failure: Option<String>,
    /// How many executions were explored.
    pub executions: usize,
    /// How long it took.
    pub time: Duration,
    /// Time ran out before all was explored.
    pub cut: bool,
}

/// A thread that runs a model, and the first panic in it. loom runs all threads of a model on one real thread.
enum Run {
    None,
    Whole,
    Failed(String),
}

thread_local! {
    static RUN: RefCell<Run> = const { RefCell::new(Run::None) };
    static EXECUTIONS: Cell<usize> = const { Cell::new(0) };
    /// A panic that says this is the model's own affair.
    static MEANT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Writes a model's first panic down, and tells standard error at once: what is unwound after it may abort.
fn on_panic(panic: &PanicHookInfo<'_>, others: &dyn Fn(&PanicHookInfo<'_>)) {
    match RUN.replace(Run::None) {
        Run::None => others(panic),
        Run::Whole => {
            let text = panic.payload_as_str().unwrap_or("a panic that is no text").trim();
            if MEANT.get().is_some_and(|meant| text.contains(meant)) {
                RUN.set(Run::Whole);
                return;
            }
            let place = panic.location().map_or(String::new(), |l| format!(" ({}:{})", l.file(), l.line()));
            let failure = format!("{text}{place}");
            let _ = writeln!(io::stderr(), "failed in execution {}: {failure}", EXECUTIONS.get());
            RUN.set(Run::Failed(failure));
        }
        failed => _ = RUN.replace(failed),
    }
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| on_panic(panic, &others)));
    });
}

fn has_failed() -> bool {
    RUN.with_borrow(|run| matches!(run, Run::Failed(_)))
}

/// Explores `f` within `bounds`.
pub fn explore(bounds: Bounds, f: impl Fn() + Send + Sync + 'static) -> Outcome {
    install_hook();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bounds.preemptions;
    builder.max_duration = bounds.time;
    builder.checkpoint_interval = 1000; // as often the time is looked at
    let execution = move || {
        EXECUTIONS.set(EXECUTIONS.get() + 1);
        weakly::pin().flush(); // the epoch's statics are made before there are threads, so that making them orders nothing
        f();
        assert!(!has_failed(), "a caught panic");
    };
    RUN.set(Run::Whole);
    EXECUTIONS.set(0);
    let start = Instant::now();
    // Only a failure unwinds to here, and then nothing of the model is used again.
    let _ = catch_unwind(AssertUnwindSafe(|| builder.check(execution)));
    let time = start.elapsed();
    let failure = match RUN.replace(Run::None) {
        Run::Failed(failure) => Some(failure),
        _ => None,
    };
    let cut = failure.is_none() && bounds.time.is_some_and(|limit| time >= limit);
    Outcome { failure, executions: EXECUTIONS.get(), time, cut }
}

/// A test: explores `f` within the environment's bounds, prints a line, and panics if the model failed.
pub fn model(name: &str, f: impl Fn() + Send + Sync + 'static) {
    model_within(Bounds::from_env(), name, f);
}

/// As [`model`], of a race that takes at least so many preemptions.
pub fn model_with_preemptions(name: &str, least: usize, f: impl Fn() + Send + Sync + 'static) -> Outcome {
    let bounds = Bounds::from_env();
    model_within(Bounds { preemptions: bounds.preemptions.map(|n| n.max(least)), ..bounds }, name, f)
}

/// As [`model`], at one preemption less than the environment says: for three busy threads.
pub fn model_at_one_less(name: &str, f: impl Fn() + Send + Sync + 'static) {
    let bounds = Bounds::from_env();
    model_within(Bounds { preemptions: bounds.preemptions.map(|n| n.saturating_sub(1)), ..bounds }, name, f);
}

fn model_within(bounds: Bounds, name: &str, f: impl Fn() + Send + Sync + 'static) -> Outcome {
    let outcome = explore(bounds, f);
    MEANT.set(None);
    let end = if outcome.failure.is_some() {
        "FAILED"
    } else if outcome.cut {
        "cut short"
    } else {
        ""
    };
    let (count, seconds) = (outcome.executions, outcome.time.as_secs_f64());
    // Not by `println!`, which the test harness swallows.
    let _ = writeln!(io::stdout(), "{name:<56} {count:>9} executions {seconds:>7.1} s {end}");
    if let Some(failure) = outcome.failure {
        panic!("{name}, execution {count}: {failure}");
    }
    outcome
}

/// The next model of this thread does something that panics and says `meant`, which it catches.
pub fn expect_panic(meant: &'static str) {
    MEANT.set(Some(meant));
}
