//! The end of the process: each test is a program of its own, this very binary started again with the test's name.
//!
//! It has its own `main` (`harness = false`), because returning from `main`, panicking in it, and what happens to its
//! thread-locals are what is tested. Tests that need no process of their own also run in this one under Miri, which can't
//! start any.

//!
//! | what happens | then | test |
//! |---|---|---|
//! | `main` returns | newest first | `return_from_main_runs_newest_first`, `cpython_test_atexit` |
//! | `exit` in `main`, on another thread, on one that is new to the crate, on two at once, while `main` returns | the same, once | `process_exit_in_main`, `process_exit_on_another_thread`, `process_exit_on_a_thread_that_never_pinned`, `two_threads_exit_at_once`, `main_returns_while_another_thread_exits` |
//! | a panic in `main`; under a guard | the same; status 101 | `a_panic_in_main`, `a_panic_in_main_under_a_guard` |
//! | `abort`, `_exit`, a fatal signal | none runs | `abort_runs_none`, `underscore_exit_runs_none`, `a_signal_runs_none` |
//! | a build with `panic = "abort"` | a panic is an abort; all else as above | `ci/abort.sh` |
//! | detached threads run, use the registry, use the maps | they are not waited for, and get in nobody's way | `detached_threads_go_on`, `detached_threads_go_on_while_another_exits`, `maps_that_other_threads_use_are_there_in_the_handler`, `a_load_that_never_ends_holds_no_other_key_up` |
//! | thread-locals are destroyed: last drops in them, registrations | deaths like any | `a_last_drop_in_thread_locals_…`, `registered_in_thread_locals_of_main` |
//! | a finalizer registers | the new one runs next | `cpython_test_atexit`, `those_made_by_a_running_one_run_next` |
//! | it panics, its captures panic | the others run | `cpython_test_atexit`, `captures_that_panic_in_the_handler_stop_nothing` |
//! | it exits: at a death; in the handler | the rest run; `std` aborts | `an_exit_inside_a_finalizer_passes_it_over`, `an_exit_inside_the_handler_aborts` |
//! | it spawns, prints | it may | `a_finalizer_in_the_handler_spawns`, all |
//! | another thread runs one; for ever | waited for; five seconds | `one_that_another_thread_runs_is_waited_for`, `one_that_never_ends_is_counted` |
//! | shut down again and again; by a guard that is forgotten | each runs once | `shut_down_five_times_runs_once`, `a_guard_that_is_forgotten_leaves_all_to_the_handler`, `what_the_guard_missed_the_handler_runs` |
//! | use after the end | none starts | `once_it_is_over_none_starts` |
//! | `fork`; of many threads; with `exec` | a child runs none; its own | `a_forked_child_runs_none`, `a_forked_child_of_many_threads_runs_none`, `a_child_that_execs_runs_its_own` |

mod process;

use process::ABORTED;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, abort, exit};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Barrier, Mutex};
use std::thread;
use weakly::exit::{ExitReport, guard, pending, run_finalizers, set_panic_hook};
use weakly::{Arc, Finalizer, WeakValueMap, finalize};

/// A program and what it must do.
struct Test {
    name: &'static str,
    program: fn(),
    /// All that it prints on standard output, by lines.
    prints: &'static [&'static str],
    status: i32,
    /// Runs are independent of each other, so races in it show by repetition.
    times: usize,
    /// It checks itself and leaves no finalizer behind, so it needs no process of its own.
    alone: bool,
}

const PROGRAM_DEFAULTS: Test = Test { name: "", program: || (), prints: &[], status: 0, times: 1, alone: false };

macro_rules! tests {
    ($($name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        &[$(Test { name: stringify!($name), program: $name, $($field: $value,)* ..PROGRAM_DEFAULTS }),*]
    };
}

const TESTS: &[Test] = tests! {
    return_from_main_runs_newest_first { prints: &["3", "2", "1"] }
    cpython_test_atexit { prints: &["f4", "f3", "g1", "f1"] }
    process_exit_in_main { prints: &["2", "1"], status: 7 }
    process_exit_on_another_thread { prints: &["2", "1"], status: 7 }
    process_exit_on_a_thread_that_never_pinned { prints: &["observed", "pinned"], status: 7 }
    a_panic_in_main { prints: &["2", "1"], status: 101 }
    a_panic_in_main_under_a_guard { prints: &["2", "1", "guard is through"], status: 101 }
    a_guard_runs_while_thread_locals_are_there { prints: &["local", "guard is through"] }
    what_the_guard_missed_the_handler_runs { prints: &["first", "guard is through", "late"] }
    detached_threads_go_on { prints: &["2", "1"], times: 20 }
    detached_threads_go_on_while_another_exits { prints: &["2", "1"], status: 7, times: 20 }
    the_handler_can_pin_and_destroy { prints: &["observed", "pinned"] }
    the_handler_runs_no_ripe_destructor { prints: &["handler"] }
    a_last_drop_in_thread_locals_destroyed_before_the_epochs { prints: &["observed", "finalized", "joined"] }
    a_last_drop_in_thread_locals_destroyed_after_the_epochs { prints: &["observed", "finalized", "joined"] }
    a_last_drop_in_thread_locals_of_main { prints: &["end of main", "observed", "finalized"] }
    registered_in_thread_locals_of_main { prints: &["end of main", "late"] }
    once_it_is_over_none_starts { prints: &["in time", "captures", "call: None", "ran 0", "captures"] }
    one_that_another_thread_runs_is_waited_for { prints: &["newest", "by a call", "middle", "at a death", "oldest"] }
    one_that_never_ends_is_counted { prints: &["newer", "older", "timed out 1"] }
    an_exit_inside_a_finalizer_passes_it_over { prints: &["inner", "older", "exiting", "last"], status: 7 }
    a_chain_at_exit_is_flat { prints: &["all ran"] }
    a_forked_child_runs_none { prints: &["child: ran 0", "parent goes on", "parent's"] }
    a_child_that_execs_runs_its_own { prints: &["2", "1", "parent's"] }
    a_forked_child_of_many_threads_runs_none { prints: &["2", "1"], times: 20 }
    abort_runs_none { prints: &[], status: ABORTED }
    underscore_exit_runs_none { prints: &[], status: 7 }
    a_signal_runs_none { prints: &[], status: -9 }
    two_threads_exit_at_once { prints: &["2", "1"], status: 7, times: 20 }
    main_returns_while_another_thread_exits { prints: &["2", "1"], times: 20 }
    shut_down_five_times_runs_once { prints: &["2", "1", "through"] }
    a_guard_that_is_forgotten_leaves_all_to_the_handler { prints: &["end of main", "2", "1"] }
    an_exit_inside_the_handler_aborts { prints: &["exits"], status: ABORTED }
    a_finalizer_in_the_handler_spawns { prints: &["spawned", "joined", "older"] }
    captures_that_panic_in_the_handler_stop_nothing { prints: &["newer", "older"] }
    maps_that_other_threads_use_are_there_in_the_handler { prints: &["used"], times: 10 }
    a_load_that_never_ends_holds_no_other_key_up { prints: &["loaded"] }

    newest_first { alone: true }
    running_twice_runs_once { alone: true }
    runs_can_go_on_after_a_run { alone: true }
    panics_are_counted_and_told { alone: true }
    atexit_is_read_when_its_turn_comes { alone: true }
    those_made_by_a_running_one_run_next { alone: true }
    a_run_inside_a_finalizer_runs_the_others { alone: true }
    two_runs_at_once_share_the_work_in_order { alone: true, times: 20 }
    a_run_against_deaths_and_calls_runs_each_once { alone: true, times: 20 }
    threads_that_register_without_end_do_not_hold_a_run_up { alone: true }
};

/// What such tests' names have in them.
const UNIX_ONLY: &[&str] = &["fork", "underscore_exit", "signal"];

fn main() -> ExitCode {
    let test = |test: &Test| if cfg!(miri) { here(test) } else { in_a_process(test) }.to_string();
    process::main(TESTS, |test| test.name, |test| (test.program)(), test)
}

fn in_a_process(test: &Test) -> &'static str {
    if cfg!(not(unix)) && UNIX_ONLY.iter().any(|name| test.name.contains(name)) {
        return "skipped: not a Unix";
    }
    for _ in 0..test.times {
        let ended = process::run(&mut process::program(test.name));
        assert_eq!(ended.printed.lines().collect::<Vec<_>>(), test.prints, "{}: {}", test.name, ended.errors);
        assert_eq!(ended.status, test.status, "{}: {}", test.name, ended.errors);
    }
    "ok"
}

fn here(test: &Test) -> &'static str {
    if !test.alone {
        return "skipped: needs a process";
    }
    for _ in 0..test.times.min(2) {
        (test.program)();
        assert_eq!(pending(), 0, "{}: leaves finalizers behind", test.name);
    }
    "ok"
}

/// An object that never dies.
fn immortal<T>(value: T) -> &'static Arc<T> {
    Box::leak(Box::new(Arc::new(value)))
}

fn saying(what: &'static str) -> impl FnOnce() + Send + 'static {
    move || println!("{what}")
}

/// A finalizer of an object that never dies.
fn at_exit(call: impl FnOnce() + Send + 'static) -> Finalizer<()> {
    finalize(immortal(()), call)
}

/// Two finalizers that print what most tests want to see.
fn two() {
    at_exit(saying("1"));
    at_exit(saying("2"));
}

fn report(ran: usize, panicked: usize) -> (usize, usize, usize) {
    (ran, panicked, 0)
}

fn run() -> (usize, usize, usize) {
    let ExitReport { ran, panicked, timed_out, .. } = run_finalizers();
    (ran, panicked, timed_out)
}

// Ways to end.

fn return_from_main_runs_newest_first() {
    two();
    let dies = Arc::new(());
    finalize(&dies, saying("3"));
}

/// CPython's own test: a finalizer that fails, one made by another, one that is switched off.
fn cpython_test_atexit() {
    at_exit(saying("f1"));
    at_exit(saying("f2")).set_atexit(false);
    at_exit(|| {
        println!("f3");
        at_exit(saying("g1"));
        panic!("f3 fails");
    });
    at_exit(saying("f4"));
}

fn process_exit_in_main() {
    let _alive = Arc::new(());
    two();
    exit(7);
}

fn process_exit_on_another_thread() {
    two();
    thread::spawn(|| exit(7));
    loop {
        thread::park();
    }
}

fn process_exit_on_a_thread_that_never_pinned() {
    at_exit(pin_and_destroy);
    thread::spawn(|| exit(7));
    loop {
        thread::park();
    }
}

fn a_panic_in_main() {
    two();
    panic!("in main");
}

fn a_panic_in_main_under_a_guard() {
    struct Says;
    impl Drop for Says {
        fn drop(&mut self) {
            println!("guard is through");
        }
    }
    let _says = Says;
    let _guard = guard();
    two();
    at_exit(|| panic!("a finalizer's, while main unwinds"));
    panic!("in main");
}

thread_local! {
    static LOCAL: RefCell<String> = const { RefCell::new(String::new()) };
}

fn a_guard_runs_while_thread_locals_are_there() {
    let guard = guard();
    LOCAL.set("local".to_string());
    at_exit(|| println!("{}", LOCAL.with_borrow(String::clone)));
    drop(guard);
    println!("guard is through");
}

fn what_the_guard_missed_the_handler_runs() {
    let guard = guard();
    at_exit(saying("first"));
    drop(guard);
    println!("guard is through");
    at_exit(saying("late"));
}

/// Threads that make, watch, finalize and drop objects, and pin, for ever. Returns when each is at it.
fn busy_threads() {
    let started = std::sync::Arc::new(Barrier::new(4));
    for _ in 0..3 {
        let started = started.clone();
        thread::spawn(move || {
            busy();
            started.wait();
            loop {
                busy();
            }
        });
    }
    started.wait();
}

fn busy() {
    let objects: Vec<_> = (0..8).map(Arc::new).collect();
    for object in &objects {
        finalize(object, || ());
        Arc::observe(object, |_| ()).detach();
        finalize(object, || ()).call();
    }
    drop(objects);
    weakly::pin().flush();
}

fn detached_threads_go_on() {
    two();
    busy_threads();
}

fn detached_threads_go_on_while_another_exits() {
    two();
    busy_threads();
    thread::spawn(|| exit(7));
    loop {
        busy();
    }
}

fn abort_runs_none() {
    two();
    let _guard = guard();
    abort();
}

fn underscore_exit_runs_none() {
    two();
    // SAFETY: it ends the process, whatever that leaves undone.
    #[cfg(unix)]
    unsafe {
        libc::_exit(7)
    }
}

fn a_signal_runs_none() {
    two();
    // SAFETY: a signal to this process, which it has no handler for.
    #[cfg(unix)]
    unsafe {
        libc::raise(libc::SIGKILL);
    }
}

fn two_threads_exit_at_once() {
    two();
    let both = std::sync::Arc::new(Barrier::new(2));
    let other = both.clone();
    thread::spawn(move || {
        other.wait();
        exit(7)
    });
    both.wait();
    exit(7);
}

/// Whose status it is depends on who comes first, so both say the same.
fn main_returns_while_another_thread_exits() {
    two();
    let both = std::sync::Arc::new(Barrier::new(2));
    let other = both.clone();
    thread::spawn(move || {
        other.wait();
        exit(0)
    });
    both.wait();
}

fn shut_down_five_times_runs_once() {
    let outer = guard();
    let inner = guard();
    two();
    assert_eq!(run(), report(2, 0));
    assert_eq!(run(), report(0, 0));
    drop(inner);
    drop(outer);
    println!("through"); // and the handler finds nothing
}

fn a_guard_that_is_forgotten_leaves_all_to_the_handler() {
    std::mem::forget(guard());
    two();
    println!("end of main");
}

// What the handler meets.

/// As the docs say: the C library, or `std` for it, does not let an exit begin again.
fn an_exit_inside_the_handler_aborts() {
    at_exit(saying("older"));
    at_exit(|| {
        println!("exits");
        exit(3);
    });
}

fn a_finalizer_in_the_handler_spawns() {
    at_exit(saying("older"));
    at_exit(|| {
        thread::spawn(|| println!("spawned")).join().unwrap();
        println!("joined");
    });
}

fn captures_that_panic_in_the_handler_stop_nothing() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("captures");
        }
    }
    at_exit(saying("older"));
    let panics = Panics;
    at_exit(move || {
        let _panics = &panics;
        println!("newer");
    });
}

/// Threads churn a map that has few shards, so that some shard is locked at most times; a finalizer uses all of it.
fn maps_that_other_threads_use_are_there_in_the_handler() {
    let map: &WeakValueMap<usize, usize> = Box::leak(Box::new(WeakValueMap::builder().shards(2).build()));
    let started = std::sync::Arc::new(Barrier::new(4));
    for i in 0..3 {
        let started = started.clone();
        thread::spawn(move || {
            started.wait();
            for n in 0.. {
                map.insert(n % 50, &Arc::new(i));
                drop(map.get_or_insert_with(n % 7, |n| Arc::new(*n)));
            }
        });
    }
    started.wait();
    at_exit(move || {
        let mine: Vec<_> = (100..200).map(Arc::new).collect();
        map.extend(mine.iter().map(|n| (**n, n)));
        assert!(mine.iter().all(|n| map.get(&**n).is_some_and(|there| Arc::ptr_eq(&there, n))));
        assert!(map.iter().count() >= 100);
        drop(mine);
        assert!(map.keys().all(|n| n < 100));
        println!("used");
    });
}

fn a_load_that_never_ends_holds_no_other_key_up() {
    let map: &WeakValueMap<usize, usize> = Box::leak(Box::default());
    let (loading, is_loading) = mpsc::channel();
    thread::spawn(move || {
        map.get_or_insert_with(1, |_| {
            loading.send(()).unwrap();
            loop {
                thread::park();
            }
        });
    });
    is_loading.recv().unwrap();
    at_exit(|| {
        assert_eq!(*map.get_or_insert_with(2, |n| Arc::new(*n)), 2);
        println!("loaded");
    });
}

fn pin_and_destroy() {
    let object = Arc::new(());
    Arc::observe(&object, |_| println!("observed")).detach();
    let outer = weakly::pin();
    drop(object);
    weakly::pin().flush();
    drop(outer);
    println!("pinned");
}

fn the_handler_can_pin_and_destroy() {
    weakly::pin().flush(); // this thread's part in the epoch is there, and gone when the handler runs
    at_exit(pin_and_destroy);
}

fn the_handler_runs_no_ripe_destructor() {
    struct Says;
    impl Drop for Says {
        fn drop(&mut self) {
            println!("a destructor that nobody asked for");
        }
    }
    at_exit(|| {
        drop(Arc::new_deferred(Says));
        // More rounds than any grace period lasts.
        (0..64).for_each(|_| weakly::pin().flush());
        println!("handler");
    });
}

/// Drops its object when its thread-local is destroyed.
struct Keeper(RefCell<Option<Arc<()>>>);

thread_local! {
    static KEEPER: Keeper = const { Keeper(RefCell::new(None)) };
}

fn keep() {
    let object = Arc::new(());
    finalize(&object, saying("finalized"));
    Arc::observe(&object, |_| {
        weakly::pin().flush();
        println!("observed");
    })
    .detach();
    KEEPER.with(|keeper| *keeper.0.borrow_mut() = Some(object));
}

fn a_last_drop_in_thread_locals_destroyed_before_the_epochs() {
    thread::spawn(|| {
        drop(weakly::pin());
        keep();
    })
    .join()
    .unwrap();
    println!("joined");
}

fn a_last_drop_in_thread_locals_destroyed_after_the_epochs() {
    thread::spawn(|| {
        keep();
        drop(weakly::pin());
    })
    .join()
    .unwrap();
    println!("joined");
}

fn a_last_drop_in_thread_locals_of_main() {
    keep();
    drop(weakly::pin());
    println!("end of main");
}

fn registered_in_thread_locals_of_main() {
    struct Registers;
    impl Drop for Registers {
        fn drop(&mut self) {
            at_exit(saying("late"));
        }
    }
    thread_local! {
        static REGISTERS: Registers = const { Registers };
    }
    REGISTERS.with(|_| ());
    println!("end of main");
}

struct LeftOver {
    called: Finalizer<()>,
    on_death: Finalizer<()>,
    object: Arc<()>,
}

static LEFT_OVER: Mutex<Option<LeftOver>> = Mutex::new(None);

/// A C handler that was there before ours runs after it.
fn once_it_is_over_none_starts() {
    struct Captured;
    impl Drop for Captured {
        fn drop(&mut self) {
            println!("captures");
        }
    }
    extern "C" fn after() {
        let LeftOver { called, on_death, object } = LEFT_OVER.lock().unwrap().take().unwrap();
        assert!(called.is_alive());
        println!("call: {:?}", called.call());
        assert!(!called.is_alive());
        on_death.set_atexit(true);
        println!("ran {}", run_finalizers().ran);
        drop(object);
        assert!(!on_death.is_alive());
    }
    // SAFETY: the handler is there for the process's life and doesn't unwind.
    assert_eq!(unsafe { libc::atexit(after) }, 0);
    let object = Arc::new(());
    at_exit(saying("in time"));
    let never = || {
        let captured = Captured;
        move || {
            _ = &captured;
            println!("never");
        }
    };
    let called = finalize(&object, never());
    let on_death = finalize(&object, never());
    called.set_atexit(false);
    on_death.set_atexit(false);
    *LEFT_OVER.lock().unwrap() = Some(LeftOver { called, on_death, object });
}

/// What another thread runs, by a call or at a death, is over before an older one starts.
fn one_that_another_thread_runs_is_waited_for() {
    /// A finalizer that says when it runs, goes on when it may, and then takes its time.
    fn slow(object: &Arc<()>, what: &'static str) -> (Finalizer<()>, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (running, is_running) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let finalizer = finalize(object, move || {
            running.send(()).unwrap();
            () = may_go_on.recv().unwrap();
            // Long enough that whoever doesn't wait is through first.
            (0..10_000).for_each(|_| thread::yield_now());
            println!("{what}");
        });
        (finalizer, is_running, go_on)
    }
    at_exit(saying("oldest"));
    let dying = Arc::new(());
    let (_, dies, let_die) = slow(&dying, "at a death");
    at_exit(move || {
        println!("middle");
        let_die.send(()).unwrap();
    });
    let (called, is_called, let_return) = slow(immortal(()), "by a call");
    at_exit(move || {
        println!("newest");
        let_return.send(()).unwrap();
    });
    thread::spawn(move || called.call());
    thread::spawn(move || drop(dying));
    is_called.recv().unwrap();
    dies.recv().unwrap();
}

fn one_that_never_ends_is_counted() {
    let (running, is_running) = mpsc::channel();
    at_exit(saying("older"));
    let stuck = at_exit(move || {
        running.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    at_exit(saying("newer"));
    thread::spawn(move || stuck.call());
    is_running.recv().unwrap();
    let report = run_finalizers();
    assert_eq!(report.ran, 2);
    println!("timed out {}", report.timed_out);
    // The handler waits for it once more, in vain: its own five seconds.
}

/// A finalizer that runs at death may exit; itself it can't be waited for.
fn an_exit_inside_a_finalizer_passes_it_over() {
    at_exit(saying("older"));
    let object = Arc::new(());
    finalize(&object, || {
        at_exit(saying("inner"));
        assert_eq!(run(), (2, 0, 0));
        println!("exiting");
        at_exit(saying("last"));
        exit(7);
    });
    drop(object);
}

fn a_chain_at_exit_is_flat() {
    const LINKS: usize = 100_000;
    static RAN: AtomicUsize = AtomicUsize::new(0);
    at_exit(|| {
        assert_eq!(RAN.load(Ordering::Relaxed), LINKS);
        println!("all ran");
    });
    let mut next: Option<Arc<usize>> = None;
    for i in 0..LINKS {
        let link = Arc::new(i);
        finalize(&link, move || {
            RAN.fetch_add(1, Ordering::Relaxed);
            drop(next);
        });
        next = Some(link);
    }
    at_exit(move || drop(next));
}

#[cfg(not(unix))]
fn a_forked_child_runs_none() {}

#[cfg(unix)]
fn a_forked_child_runs_none() {
    at_exit(saying("parent's"));
    // SAFETY: this process has one thread, so the child may do what it likes.
    match unsafe { libc::fork() } {
        0 => {
            at_exit(saying("the child's"));
            println!("child: ran {}", run_finalizers().ran);
        }
        child => {
            let mut status = 0;
            // SAFETY: `child` is ours to wait for, and `status` a local.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            println!("parent goes on");
        }
    }
}

#[cfg(not(unix))]
fn a_forked_child_of_many_threads_runs_none() {}

/// The child's other threads are gone, whatever they held; its exit touches nothing of theirs.
#[cfg(unix)]
fn a_forked_child_of_many_threads_runs_none() {
    two();
    busy_threads();
    // SAFETY: the child exits at once.
    match unsafe { libc::fork() } {
        // SAFETY: the C library's exit, with its handlers; `std`'s would wait for a lock that a thread of the parent may have held.
        0 => unsafe { libc::exit(5) },
        child => {
            let mut status = 0;
            // SAFETY: `child` is ours to wait for, and `status` a local.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(libc::WEXITSTATUS(status), 5);
        }
    }
}

fn a_child_that_execs_runs_its_own() {
    at_exit(saying("parent's"));
    let child = "return_from_main_runs_newest_first";
    assert_eq!(process::run(&mut process::program(child)).printed, "3\n2\n1\n");
    println!("2\n1");
}

// Explicit runs, which need no process of their own.

/// What ran, in order.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<Mutex<Vec<usize>>>);

impl Log {
    fn noting(&self, n: usize) -> impl FnOnce() + Send + 'static {
        let log = self.0.clone();
        move || log.lock().unwrap().push(n)
    }

    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn newest_first() {
    let log = Log::default();
    let objects: Vec<_> = (0..10).map(Arc::new).collect();
    for n in 0..30 {
        finalize(&objects[n % 10], log.noting(n));
    }
    assert_eq!(pending(), 30);
    assert_eq!(run(), report(30, 0));
    assert_eq!(log.take(), (0..30).rev().collect::<Vec<_>>());
    drop(objects);
    assert!(log.take().is_empty());
}

fn running_twice_runs_once() {
    let log = Log::default();
    let object = Arc::new(());
    let f = finalize(&object, log.noting(1));
    assert_eq!(run(), report(1, 0));
    assert!(!f.is_alive() && f.call().is_none());
    assert_eq!(run(), report(0, 0));
    assert_eq!(log.take(), [1]);
}

fn runs_can_go_on_after_a_run() {
    let log = Log::default();
    assert_eq!(run(), report(0, 0));
    let object = Arc::new(());
    finalize(&object, log.noting(1)).call();
    finalize(&object, log.noting(2));
    assert_eq!(run(), report(1, 0));
    finalize(&object, log.noting(3));
    drop(object);
    assert_eq!(log.take(), [1, 2, 3]);
}

fn panics_are_counted_and_told() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Dropped(std::sync::Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let log = Log::default();
    let object = Arc::new(());
    let dropped = std::sync::Arc::new(AtomicBool::new(false));
    let captured = Dropped(dropped.clone());
    set_panic_hook(move |_| _ = &captured);
    set_panic_hook(|panic| {
        TOLD.lock().unwrap().push(panic.downcast_ref::<&str>().unwrap().to_string());
        panic!("in the hook itself");
    });
    assert!(dropped.load(Ordering::Relaxed), "the old hook is dropped");
    finalize(&object, log.noting(1));
    finalize(&object, || panic!("a"));
    finalize(&object, log.noting(2));
    finalize(&object, || panic!("b"));
    assert_eq!(run(), report(4, 2));
    finalize(&object, || panic!("at death"));
    drop(object);
    assert_eq!(log.take(), [2, 1]);
    assert_eq!(*TOLD.lock().unwrap(), ["b", "a", "at death"]);
    TOLD.lock().unwrap().clear();
    set_panic_hook(|_| ());
}

fn atexit_is_read_when_its_turn_comes() {
    let log = Log::default();
    let object = Arc::new(());
    let off = finalize(&object, log.noting(1));
    let on = finalize(&object, log.noting(2));
    on.set_atexit(false);
    let never = finalize(&object, log.noting(3));
    never.set_atexit(false);
    finalize(&object, {
        let (on, off) = (on.clone(), off.clone());
        move || {
            on.set_atexit(true);
            off.set_atexit(false);
        }
    });
    assert_eq!(pending(), 2);
    assert_eq!(run(), report(2, 0));
    assert_eq!(log.take(), [2]);
    assert!(off.is_alive() && never.is_alive() && !on.is_alive());
    drop(object); // at death they run all the same
    assert_eq!(log.take(), [3, 1]);
}

fn those_made_by_a_running_one_run_next() {
    let log = Log::default();
    let object = Arc::new(());
    finalize(&object, log.noting(1));
    finalize(&object, {
        let (log, object) = (log.clone(), object.clone());
        move || {
            finalize(&object, log.noting(20));
            finalize(&object, {
                let log = log.clone();
                let object = object.clone();
                move || {
                    finalize(&object, log.noting(211));
                    finalize(&object, log.noting(212)).set_atexit(false);
                    log.noting(21)();
                }
            });
            finalize(&object, log.noting(22)).call();
            log.noting(2)();
        }
    });
    finalize(&object, log.noting(3));
    assert_eq!(run(), report(6, 0));
    assert_eq!(log.take(), [3, 22, 2, 21, 211, 20, 1]);
    drop(object);
    assert_eq!(log.take(), [212]);
}

fn a_run_inside_a_finalizer_runs_the_others() {
    let log = Log::default();
    let object = Arc::new(());
    finalize(&object, log.noting(1));
    finalize(&object, {
        let log = log.clone();
        move || {
            assert_eq!(run(), report(1, 0)); // not this one, and without waiting for it
            log.noting(2)();
        }
    });
    finalize(&object, log.noting(3));
    assert_eq!(run(), report(2, 0));
    assert_eq!(log.take(), [3, 1, 2]);
}

/// Race: two runs. Each finalizer runs once, and no older one starts before a newer one has ended.
fn two_runs_at_once_share_the_work_in_order() {
    const FINALIZERS: usize = if cfg!(miri) { 20 } else { 200 };
    let log = Log::default();
    let object = Arc::new(());
    for n in 0..FINALIZERS {
        finalize(&object, log.noting(n));
    }
    let start = Barrier::new(2);
    let ran: usize = thread::scope(|scope| {
        let runs = [(); 2].map(|()| {
            scope.spawn(|| {
                start.wait();
                let report = run_finalizers();
                assert_eq!(report.timed_out, 0);
                report.ran
            })
        });
        runs.map(|run| run.join().unwrap()).iter().sum()
    });
    assert_eq!(ran, FINALIZERS);
    assert_eq!(log.take(), (0..FINALIZERS).rev().collect::<Vec<_>>());
}

/// Race: a run, deaths, calls and detaches. Each finalizer happens once.
fn a_run_against_deaths_and_calls_runs_each_once() {
    const FINALIZERS: usize = if cfg!(miri) { 30 } else { 1000 };
    let ran: std::sync::Arc<Vec<AtomicUsize>> =
        std::sync::Arc::new((0..FINALIZERS).map(|_| AtomicUsize::new(0)).collect());
    let objects: Vec<_> = (0..FINALIZERS).map(Arc::new).collect();
    let handles: Vec<_> = objects
        .iter()
        .map(|object| {
            let (ran, n) = (ran.clone(), **object);
            finalize(object, move || _ = ran[n].fetch_add(1, Ordering::Relaxed))
        })
        .collect();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            assert_eq!(run_finalizers().timed_out, 0);
        });
        scope.spawn(|| {
            start.wait();
            drop(objects);
        });
        scope.spawn(|| {
            start.wait();
            handles.iter().for_each(|f| _ = f.call());
        });
        scope.spawn(|| {
            start.wait();
            handles.iter().rev().filter_map(Finalizer::detach).for_each(|detached| detached.call());
        });
    });
    assert!(ran.iter().all(|n| n.load(Ordering::Relaxed) == 1));
}

fn threads_that_register_without_end_do_not_hold_a_run_up() {
    let stop = AtomicBool::new(false);
    let object = Arc::new(());
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let register = || finalize(&object, || ());
                register();
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    register().call();
                    register();
                    thread::yield_now();
                }
            });
        }
        start.wait();
        let stopped = catch_unwind(AssertUnwindSafe(|| assert!(run_finalizers().ran >= 2)));
        stop.store(true, Ordering::Relaxed);
        stopped.unwrap();
    });
    run_finalizers();
}
