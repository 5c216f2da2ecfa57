//! `WeakMethodTestCase`. CPython's methods die when a class loses them; here a function is an object of its own, held weakly.

use crate::common::{Count, Dropping, Object, object};
use std::hash::{BuildHasher, RandomState};
use weakly::{Arc, Dead, WeakMethod};

/// A function as an object.
type Function = fn(&Object) -> i32;

fn some_method() -> Arc<Function> {
    Arc::new(Object::some_method)
}

fn other_method() -> Arc<Function> {
    Arc::new(Object::other_method)
}

#[test]
fn test_alive() {
    let o = object(1);
    let r = WeakMethod::new(&o, Object::some_method);
    let bound = r.bind().unwrap();
    assert!(Arc::ptr_eq(bound.this(), &o));
    assert_eq!(bound.call(()), 4);
    assert_eq!(r.call(()), Ok(4));
}

#[test]
fn test_object_dead() {
    let o = object(1);
    let r = WeakMethod::new(&o, Object::some_method);
    drop(o);
    assert!(r.bind().is_none() && !r.is_alive());
    assert_eq!(r.call(()), Err(Dead));
}

#[test]
fn test_method_dead() {
    let (o, method) = (object(1), some_method());
    let r = WeakMethod::of(&o, &method);
    assert_eq!(r.call(()), Ok(4));
    drop(method);
    assert!(r.bind().is_none() && !r.is_alive());
    assert_eq!(r.call(()), Err(Dead));
}

#[test]
fn test_callback_when_object_dead() {
    let calls = Count::default();
    let (o, method) = (object(1), some_method());
    let count = calls.clone();
    let r = WeakMethod::of_with_callback(&o, &method, move || count.up());
    assert_eq!(calls.get(), 0);
    drop(o);
    assert_eq!(calls.get(), 1);
    assert!(!r.is_alive());
    drop(method);
    assert_eq!(calls.get(), 1); // once
}

#[test]
fn test_callback_when_method_dead() {
    let calls = Count::default();
    let (o, method) = (object(1), some_method());
    let count = calls.clone();
    let r = WeakMethod::of_with_callback(&o, &method, move || count.up());
    drop(method);
    assert_eq!(calls.get(), 1);
    assert!(!r.is_alive());
    drop(o);
    assert_eq!(calls.get(), 1); // once
}

/// The callback doesn't keep the method: dropped, it goes at once, and takes its callback along uncalled.
#[test]
fn test_no_cycles() {
    let (freed, called) = (Count::default(), Count::default());
    let (o, method) = (object(1), some_method());
    let (captured, count) = (Dropping(freed.clone()), called.clone());
    let r = WeakMethod::of_with_callback(&o, &method, move || {
        count.up();
        drop(captured);
    });
    assert_eq!((Arc::observer_count(&o), Arc::observer_count(&method)), (1, 1));
    drop(r);
    assert_eq!((Arc::observer_count(&o), Arc::observer_count(&method)), (0, 0));
    assert_eq!(freed.get(), 1);
    drop((o, method));
    assert_eq!(called.get(), 0);
}

/// Equal are methods of the same object and the same function. CPython asks whether the objects are *equal*, and has a
/// `WeakMethod` equal to a plain `ref` of its object; here these are two types.
#[test]
fn test_equality() {
    type Method = WeakMethod<Object, Function>;
    fn eq(a: &Method, b: &Method) {
        assert!(a == b && !(a != b));
    }
    fn ne(a: &Method, b: &Method) {
        assert!(a != b && !(a == b));
    }
    let (some, other) = (some_method(), other_method());
    let (x, y) = (object(1), object(1));
    let (a, b) = (WeakMethod::of(&x, &some), WeakMethod::of(&y, &some));
    let (c, d) = (WeakMethod::of(&x, &other), WeakMethod::of(&y, &other));
    // The same object, the same function.
    eq(&a, &WeakMethod::of(&x, &some));
    eq(&c, &WeakMethod::of(&x, &other));
    // Equal objects are two objects.
    ne(&a, &b);
    ne(&c, &d);
    // Another function.
    ne(&a, &c);
    ne(&a, &d);
    ne(&b, &c);
    ne(&b, &d);
    let z = object(2);
    let (e, f) = (WeakMethod::of(&z, &some), WeakMethod::of(&z, &other));
    ne(&a, &e);
    ne(&a, &f);
    ne(&b, &e);
    ne(&b, &f);
    let twin = WeakMethod::of(&x, &some);
    drop((x, y, z));
    // Dead ones compare by identity: of the method, whose clones are the method itself.
    ne(&a, &twin);
    let methods = [a, b, c, d, e, f];
    for (i, q) in methods.iter().enumerate() {
        eq(q, &q.clone());
        for (j, r) in methods.iter().enumerate() {
            assert_eq!(q == r, i == j);
            assert_eq!(q != r, i != j);
        }
    }
}

/// The hash is of the object's address: always there, and the same after death. CPython takes the object's own, at first use.
#[test]
fn test_hashing() {
    let by = RandomState::new();
    let (some, other) = (some_method(), other_method());
    let x = object(1);
    let (a, b) = (WeakMethod::of(&x, &some), WeakMethod::of(&x, &some));
    assert!(a == b);
    let hash = by.hash_one(&a);
    assert_eq!(hash, by.hash_one(&b));
    let c = WeakMethod::of(&x, &other);
    drop(x);
    assert_eq!(by.hash_one(&a), hash);
    assert_eq!(by.hash_one(&b), hash);
    assert_eq!(by.hash_one(&c), hash); // never hashed before
}
