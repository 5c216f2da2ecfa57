//! The end of the process, in a process of its own.

use crate::common::watchdog;
use std::process::{Command, exit};
use std::sync::{LazyLock, Mutex};
use std::thread;
use weakly::{Arc, Interner, WeakKeyMap, WeakValueMap, finalize};

static VALUES: LazyLock<WeakValueMap<u64, u64>> = LazyLock::new(|| {
    WeakValueMap::builder()
        .on_removal(|&key, _| {
            if key < 10 {
                println!("\n> told of {key}");
            }
        })
        .build()
});
static KEYS: LazyLock<WeakKeyMap<u64, String>> = LazyLock::new(WeakKeyMap::new);
static NAMES: LazyLock<Interner<str>> = LazyLock::new(Interner::new);
/// Objects that nobody lets go of before the end.
static OBJECTS: Mutex<Vec<Arc<u64>>> = Mutex::new(Vec::new());

/// Ends while other threads use every table there is, with finalizers that use them, too, and let objects go.
fn program() {
    for n in 0..3 {
        let object = Arc::new(n);
        VALUES.insert(n, &object);
        drop(KEYS.insert(&object, format!("side data of {n}")));
        Arc::observe(&object, |n| println!("\n> {n} is whole at its death: {:?}", VALUES.get(n))).detach();
        drop(finalize(&object, move || println!("\n> finalizer of {n}: {:?}, {:?}", VALUES.get(&n), KEYS.get(&n))));
        OBJECTS.lock().unwrap().push(object);
    }
    let anchor = Box::leak(Box::new(Arc::new(3)));
    drop(finalize(anchor, || {
        let name = NAMES.intern("made at exit");
        println!("\n> {name}, {} objects", OBJECTS.lock().unwrap().len());
        drop(OBJECTS.lock().unwrap().remove(1)); // dies in here
        println!("\n> {} left", OBJECTS.lock().unwrap().len());
    }));
    for thread in 1..4 {
        thread::spawn(move || {
            for n in (10 * thread..).step_by(10) {
                let object = Arc::new_deferred(n);
                VALUES.insert(n % 1_000 + 10, &object);
                drop(KEYS.insert(&object, String::new()));
                drop(NAMES.intern(n.to_string()));
            }
        });
    }
    while VALUES.stats().died < 100 {
        thread::yield_now(); // they are at it
    }
    exit(7);
}

/// CPython called callbacks when the interpreter had half gone, and crashed. Here finalizers run before anything is taken down,
/// on tables that are whole, while other threads go on; an object that they let go of has its callbacks; and then the process
/// ends as it was told to.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn cpython_82187_what_runs_at_exit_finds_everything_whole() {
    const CHILD: &str = "WEAKLY_MUSEUM_CHILD";
    const NAME: &str = "exit::cpython_82187_what_runs_at_exit_finds_everything_whole";
    if std::env::var_os(CHILD).is_some() {
        return program();
    }
    let _dog = watchdog();
    for _ in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", NAME, "--nocapture", "--test-threads=1"]).env(CHILD, "1").output().unwrap();
        let (said, errors) = (String::from_utf8(child.stdout).unwrap(), String::from_utf8_lossy(&child.stderr));
        let said: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("> ")).collect();
        let expected = [
            "made at exit, 3 objects",
            "told of 1",
            "finalizer of 1: None, None",
            "1 is whole at its death: None",
            "2 left",
            "finalizer of 2: Some(2), Some(\"side data of 2\")",
            "finalizer of 0: Some(0), Some(\"side data of 0\")",
        ];
        assert_eq!((said.as_slice(), child.status.code()), (&expected[..], Some(7)), "{errors}");
    }
}
