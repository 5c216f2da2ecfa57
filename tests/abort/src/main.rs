//! How a process ends that is built with `panic = "abort"`: a panic anywhere is an abort, at once, and no finalizer runs; every
//! other way to end is as with unwinding. Without arguments it starts itself once a case, and compares.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, exit};
use std::thread;
use weakly::{Arc, WeakValueMap, exit, finalize};

/// A way to end; what it prints; its status, or less than 0 the signal that ended it.
type Case = (&'static str, fn(), &'static str, i32);

const ABORTED: i32 = -6;

const CASES: &[Case] = &[
    ("main returns", || (), "2 1 ", 0),
    ("main returns under a guard", || drop(exit::guard()), "2 1 ", 0),
    ("exit", || exit(7), "2 1 ", 7),
    ("exit on another thread", || thread::spawn(|| exit(7)).join().unwrap(), "2 1 ", 7),
    ("a panic in main", || panic!("planned"), "", ABORTED),
    ("a panic in main under a guard", || with_guard(|| panic!("planned")), "", ABORTED),
    ("a panic on another thread", || thread::spawn(|| panic!("planned")).join().unwrap(), "", ABORTED),
    ("a callback that panics", || drop(watched(|| panic!("planned"))), "", ABORTED),
    ("a loader that panics", || drop(Map::new().get_or_insert_with(1, |_| panic!("planned"))), "", ABORTED),
    ("a finalizer that panics at exit", || never_dies(|| panic!("planned")), "", ABORTED),
    (
        "a finalizer that panics after others",
        || {
            never_dies(|| panic!("planned"));
            never_dies(|| print!("3 "));
        },
        "3 ",
        ABORTED,
    ),
    ("deaths and callbacks", || drop(watched(|| print!("called "))), "called 2 1 ", 0),
];

type Map = WeakValueMap<u32, u32>;

fn with_guard(end: fn()) {
    let _guard = exit::guard();
    end();
}

fn watched(callback: impl FnOnce() + Send + 'static) -> Arc<u32> {
    let object = Arc::new(5);
    Arc::observe(&object, move |_| callback()).detach();
    object
}

fn never_dies(call: impl FnOnce() + Send + 'static) {
    finalize(Box::leak(Box::new(Arc::new(()))), call);
}

fn main() -> ExitCode {
    if let Some(name) = env::args().nth(1) {
        never_dies(|| print!("1 "));
        never_dies(|| print!("2 "));
        CASES.iter().find(|case| case.0 == name).expect("a case").1();
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for &(name, _, prints, status) in CASES {
        let output = Command::new(env::current_exe().unwrap()).arg(name).env("RUST_BACKTRACE", "0").output().unwrap();
        let ended = output.status.code().unwrap_or_else(|| -output.status.signal().unwrap());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if (printed.as_str(), ended) == (prints, status) {
            println!("{name}: ok");
        } else {
            failed = true;
            println!("{name}: printed {printed:?} and not {prints:?}, ended by {ended} and not {status}");
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
