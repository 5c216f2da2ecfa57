//! `FinalizeTestCase`. A finalizer's arguments are what its closure captures; `obj` is the one it was registered for.

use crate::common::{Count, Dropping, Log, in_a_child, object, planned, said, say};
use weakly::{Arc, finalize};

/// `peek` says whether the finalizer waits and its object lives; CPython's hands the object, the function and the arguments out.
#[test]
fn test_finalize() {
    let a = object(1);
    let res = Log::new();
    let add = |x: i32, y: i32, z: i32| {
        let res = res.clone();
        move || {
            res.push(x + y + z);
            x + y + z
        }
    };

    // Called.
    let f = finalize(&a, add(67, 43, 89));
    assert!(f.is_alive() && f.peek());
    assert_eq!(f.call(), Some(199));
    assert_eq!((f.call(), f.call()), (None, None));
    assert!(!f.peek() && f.detach().is_none() && !f.is_alive());
    assert_eq!(res.take(), [199]);

    // Detached: the function comes back, and nobody else runs it.
    let f = finalize(&a, add(67, 43, 89));
    assert!(f.peek());
    let detached = f.detach().unwrap();
    assert_eq!((f.call(), f.call()), (None, None));
    assert!(!f.peek() && f.detach().is_none() && !f.is_alive());
    assert!(res.take().is_empty());

    // At death.
    let f = finalize(&a, add(67, 43, 89));
    drop(a);
    assert_eq!((f.call(), f.call()), (None, None));
    assert!(!f.peek() && f.detach().is_none() && !f.is_alive());
    assert_eq!(res.take(), [199]);

    assert_eq!(detached.call(), 199);
    assert_eq!(res.take(), [199]);
}

#[test]
fn test_order() {
    let a = object(1);
    let res = Log::new();
    let append = |what| {
        let res = res.clone();
        finalize(&a, move || res.push(what))
    };
    let f1 = append("f1");
    let f2 = append("f2");
    let f3 = append("f3");
    let f4 = append("f4");
    let f5 = append("f5");
    drop((f1, f4)); // they don't need their handles

    assert!(f2.is_alive() && f3.is_alive() && f5.is_alive());
    assert!(f5.detach().is_some());
    assert!(!f5.is_alive());
    f5.call(); // nothing: detached
    res.push("A");
    f3.call();
    assert!(!f3.is_alive());
    res.push("B");
    f3.call(); // nothing: called before
    res.push("C");
    drop(a); // f4, f2, f1
    assert!(!f2.is_alive());
    res.push("D");
    f2.call(); // nothing: the death has called it
    assert_eq!(res.take(), ["A", "f3", "B", "C", "f4", "f2", "f1", "D"]);
}

/// Without its handle the finalizer keeps what it captures until it has run, and no longer.
#[test]
fn test_all_freed() {
    let (freed, called) = (Count::default(), Count::default());
    let a = object(1);
    let (captured, count) = (Dropping(freed.clone()), called.clone());
    let f = finalize(&a, move || {
        count.up();
        drop(captured);
    });
    drop(f);
    assert_eq!((freed.get(), called.get()), (0, 0));
    drop(a);
    assert_eq!((freed.get(), called.get()), (1, 1));
}

/// A finalizer that is made by one that runs at exit runs next; one that panics holds none up.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn test_atexit() {
    fn run_in_child() {
        static COUNT: std::sync::OnceLock<Arc<i32>> = std::sync::OnceLock::new();
        let a = COUNT.get_or_init(|| Arc::new(1)); // alive till the end
        let global_var = "foobar".to_string();
        let print = |name: &'static str| {
            let global_var = global_var.clone();
            move || say(&format!("{name} {global_var}"))
        };
        let error = || {
            finalize(a, || say("g1"));
            say("f3 error");
            eprintln!("f3 is about to panic");
            planned()
        };
        let f1 = finalize(a, print("f1"));
        let f2 = finalize(a, print("f2"));
        let f3 = finalize(a, error);
        let f4 = finalize(a, print("f4"));
        assert!(f1.atexit());
        f2.set_atexit(false);
        assert!(f3.atexit() && f4.atexit());
    }
    let Some(output) = in_a_child("finalize::test_atexit", run_in_child) else { return };
    assert!(output.status.success());
    assert_eq!(said(&output), ["f4 foobar", "f3 error", "g1", "f1 foobar"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("f3 is about to panic"));
}
